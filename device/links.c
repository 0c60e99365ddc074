// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * links.c - names of volumes under /dev
 *
 * Owns: <dev dir>/bsr<minor> and <dev dir>/bsr/by-res/. For a resource that was started with DRBD's names (environment
 *       BSR_NAMES=drbd) the same with drbd; there <dev dir>/drbd<minor> of a volume that cannot be opened is a block
 *       device without a driver, because scripts for DRBD look whether it is there, also on a Secondary.
 */
#include "device.h"

#include <errno.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

static const char *dev_dir(void)
{
	const char *dir = getenv("BSR_DEV_DIR");
	return dir != NULL && dir[0] != '\0' ? dir : "/dev";
}

static int check_name(const char *resource)
{
	const size_t length = strlen(resource);
	if (length == 0 || length > BSR_NAME_BYTES_MAX || strchr(resource, '/') != NULL || resource[0] == '.') {
		return -EINVAL;
	}
	return 0;
}

__attribute__((format(printf, 2, 3))) static int make_path(char *path, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	const int length = vsnprintf(path, PATH_MAX, format, args);
	va_end(args);
	return length > 0 && length < PATH_MAX ? 0 : -ENAMETOOLONG;
}

static int make_dir(const char *path)
{
	return mkdir(path, 0755) == 0 || errno == EEXIST ? 0 : -errno;
}

/* 0: a link, a node of ours, or nothing is there; otherwise nothing of ours */
static int check_place(const char *path)
{
	struct stat st;
	if (lstat(path, &st) != 0) {
		return errno == ENOENT || errno == ENOTDIR ? 0 : -errno;
	}
	const bool node = S_ISBLK(st.st_mode) && major(st.st_rdev) == BSR_DRBD_MAJOR;
	return S_ISLNK(st.st_mode) || node ? 0 : -EEXIST;
}

static int replace_link(const char *path, const char *target)
{
	char fresh[PATH_MAX];
	int error = check_place(path);
	if (error == 0) {
		error = make_path(fresh, "%s.%d~", path, (int)getpid());
	}
	if (error != 0) {
		return error;
	}
	(void)unlink(fresh);
	if (symlink(target, fresh) != 0) {
		return -errno;
	}
	if (rename(fresh, path) != 0) {
		error = -errno;
		(void)unlink(fresh);
	}
	return error;
}

static int remove_link(const char *path)
{
	const int error = check_place(path);
	if (error != 0) {
		return error;
	}
	return unlink(path) == 0 || errno == ENOENT || errno == ENOTDIR ? 0 : -errno;
}

static int link_family(const char *family, uint32_t minor, const char *resource, uint32_t vnr, const char *target)
{
	char path[PATH_MAX];
	int error = make_path(path, "%s/%s%u", dev_dir(), family, minor);
	if (error == 0) {
		error = replace_link(path, target);
	}
	const char *const below[] = {"", "/by-res", "/by-res/", NULL};
	for (size_t i = 0; below[i] != NULL && error == 0; i++) {
		error = make_path(path, "%s/%s%s%s", dev_dir(), family, below[i], below[i + 1] == NULL ? resource : "");
		error = error == 0 ? make_dir(path) : error;
	}
	if (error == 0) {
		error = make_path(path, "%s/%s/by-res/%s/%u", dev_dir(), family, resource, vnr);
	}
	return error == 0 ? replace_link(path, target) : error;
}

static int unlink_family(const char *family, uint32_t minor, const char *resource, uint32_t vnr)
{
	char path[PATH_MAX];
	int error = make_path(path, "%s/%s%u", dev_dir(), family, minor);
	if (error == 0) {
		error = remove_link(path);
	}
	int second = make_path(path, "%s/%s/by-res/%s/%u", dev_dir(), family, resource, vnr);
	if (second == 0) {
		second = remove_link(path);
		*strrchr(path, '/') = '\0';
		(void)rmdir(path); /* stays while other volumes are in it */
	}
	return error != 0 ? error : second;
}

static bool has_drbd_names(void)
{
	const char *names = getenv("BSR_NAMES");
	/* where DRBD's module is loaded, its devices are not ours to touch */
	return names != NULL && strcmp(names, "drbd") == 0 && access("/proc/drbd", F_OK) != 0;
}

/* What stands for a volume that nobody can open at the moment; none is only a script's disappointment. */
static void put_node(uint32_t minor)
{
	char path[PATH_MAX];
	if (make_path(path, "%s/drbd%u", dev_dir(), minor) == 0) {
		(void)mknod(path, S_IFBLK | 0600, makedev(BSR_DRBD_MAJOR, minor));
	}
}

int bsr_device_link(uint32_t minor, const char *resource, uint32_t vnr, const char *target)
{
	int error = check_name(resource);
	if (error == 0) {
		error = link_family("bsr", minor, resource, vnr, target);
	}
	if (error == 0 && has_drbd_names()) {
		error = link_family("drbd", minor, resource, vnr, target);
	}
	return error;
}

int bsr_device_unlink(uint32_t minor, const char *resource, uint32_t vnr)
{
	int error = check_name(resource);
	if (error != 0) {
		return error;
	}
	error = unlink_family("bsr", minor, resource, vnr);
	if (has_drbd_names()) {
		const int second = unlink_family("drbd", minor, resource, vnr);
		error = error != 0 ? error : second;
		put_node(minor);
	}
	return error;
}
