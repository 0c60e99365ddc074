// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * links.c - names of volumes under /dev
 *
 * Owns: <dev dir>/bsr<minor> and <dev dir>/bsr/by-res/.
 */
#include "device.h"

#include <errno.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
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

/* 0: a link or nothing is there; otherwise nothing of ours */
static int check_place(const char *path)
{
	struct stat st;
	if (lstat(path, &st) != 0) {
		return errno == ENOENT || errno == ENOTDIR ? 0 : -errno;
	}
	return S_ISLNK(st.st_mode) ? 0 : -EEXIST;
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

int bsr_device_link(uint32_t minor, const char *resource, uint32_t vnr, const char *target)
{
	char path[PATH_MAX];
	int error = check_name(resource);
	if (error == 0) {
		error = make_path(path, "%s/bsr%u", dev_dir(), minor);
	}
	if (error == 0) {
		error = replace_link(path, target);
	}
	const char *const below[] = {"", "/by-res", "/by-res/", NULL};
	for (size_t i = 0; below[i] != NULL && error == 0; i++) {
		error = make_path(path, "%s/bsr%s%s", dev_dir(), below[i], below[i + 1] == NULL ? resource : "");
		error = error == 0 ? make_dir(path) : error;
	}
	if (error == 0) {
		error = make_path(path, "%s/bsr/by-res/%s/%u", dev_dir(), resource, vnr);
	}
	return error == 0 ? replace_link(path, target) : error;
}

int bsr_device_unlink(uint32_t minor, const char *resource, uint32_t vnr)
{
	char path[PATH_MAX];
	int error = check_name(resource);
	if (error == 0) {
		error = make_path(path, "%s/bsr%u", dev_dir(), minor);
	}
	if (error == 0) {
		error = remove_link(path);
	}
	int second = make_path(path, "%s/bsr/by-res/%s/%u", dev_dir(), resource, vnr);
	if (second == 0 && check_name(resource) == 0) {
		second = remove_link(path);
		*strrchr(path, '/') = '\0';
		(void)rmdir(path); /* stays while other volumes are in it */
	}
	return error != 0 ? error : second;
}
