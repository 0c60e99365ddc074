// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * node.c - block device nodes under DRBD's names
 *
 * Owns: <dev dir>/drbd<minor> of volumes that cannot be opened, from new-minor to del-minor or down. While a volume is
 *       Primary, bsrd has a link there.
 */
#include "run.h"

#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#define DRBD_MAJOR 147u

/* Where DRBD's module is loaded, its devices are not ours to touch. */
static bool node_path(char *path, int64_t minor)
{
	const char *dir = getenv("BSR_DEV_DIR");
	const int length = snprintf(path, PATH_MAX, "%s/drbd%" PRId64,
		dir != NULL && dir[0] != '\0' ? dir : "/dev", minor);
	return minor >= 0 && length < PATH_MAX && access("/proc/drbd", F_OK) != 0;
}

void bsr_node_make(int64_t minor)
{
	char path[PATH_MAX];
	if (node_path(path, minor)) {
		(void)mknod(path, S_IFBLK | 0600, makedev(DRBD_MAJOR, (unsigned)minor));
	}
}

void bsr_node_remove(int64_t minor)
{
	char path[PATH_MAX];
	struct stat st;
	if (node_path(path, minor) && lstat(path, &st) == 0 && S_ISBLK(st.st_mode) &&
		st.st_rdev == makedev(DRBD_MAJOR, (unsigned)minor)) {
		(void)unlink(path);
	}
}
