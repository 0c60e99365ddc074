// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * trouble.c - what the host knows of a disk's errors and the engine does not: the system's reason
 *
 * Owns: bsrd.trouble[].
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <bsr/assert.h>

#include "bsrd.h"

void bsrd_trouble_note(struct bsrd *d, uint32_t volume, bool of_md, int64_t result)
{
	BSR_ASSERT(volume < BSR_VOLUMES_MAX);
	struct bsrd_trouble *trouble = &d->trouble[volume];
	if (result < 0 && result != -EOPNOTSUPP) {
		trouble->count++;
		trouble->last_errno = (int)-result;
		trouble->of_md = of_md;
	}
}

void bsrd_trouble_text(const struct bsrd *d, const struct bsr_fx_log *log, char *text, size_t room)
{
	text[0] = '\0';
	if ((log->number != BSR_LOGN_IO_ERROR && log->number != BSR_LOGN_MD_IO_ERROR) || log->volume >= BSR_VOLUMES_MAX) {
		return;
	}
	const struct bsrd_volume *v = &d->running.volume[log->volume];
	const struct bsrd_trouble *trouble = &d->trouble[log->volume];
	const char *path = log->number == BSR_LOGN_IO_ERROR ? v->disk_path : v->md_path;
	/* a path is noted when the disk is attached: who attaches it knows it */
	snprintf(text, room, " error=\"%s\"%s%s",
		trouble->last_errno != 0 ? strerror(trouble->last_errno) : "unusable content",
		path[0] != '\0' ? " disk=" : "", path);
}
