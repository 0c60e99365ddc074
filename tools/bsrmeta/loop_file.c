// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * loop_file.c - external metadata in a file: META_DEV is a loop device, INDEX the file behind it
 *
 * Owns:       making and binding the loop device when it is not yet; it stays bound for the engine.
 * May touch:  nothing of the content.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/loop.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "meta.h"

/* "/dev/loop3" -> 3 */
static bool loop_number(const char *path, uint64_t *number)
{
	return strncmp(path, "/dev/loop", 9) == 0 &&
	       bsr_meta_parse_number(path + 9, BSR_META_MINOR_MAX, number);
}

static int open_loop(const struct bsr_meta_context *ctx, uint64_t number)
{
	int fd = open(ctx->path, O_RDWR | O_CLOEXEC);
	if (fd >= 0 || (errno != ENOENT && errno != ENXIO)) {
		return fd;
	}
	const int control = open("/dev/loop-control", O_RDWR | O_CLOEXEC);
	if (control < 0) {
		return -1;
	}
	const int made = ioctl(control, LOOP_CTL_ADD, (long)number);
	const int error = errno;
	close(control);
	errno = error;
	return made < 0 && error != EEXIST ? -1 : open(ctx->path, O_RDWR | O_CLOEXEC);
}

static int check_bound(
	const struct bsr_meta_context *ctx, const struct loop_info64 *info, const struct stat *file)
{
	if (info->lo_inode == file->st_ino && info->lo_device == file->st_dev &&
		info->lo_offset == 0) {
		return META_OK;
	}
	bsr_meta_error("%s is bound to another file (%.64s), not to %s; use a free loop device",
		ctx->path, (const char *)info->lo_file_name, ctx->loop_file);
	return META_USAGE;
}

static int bind_file(const struct bsr_meta_context *ctx, int loop_fd, int file_fd)
{
	struct loop_config config = {.fd = (uint32_t)file_fd};
	/* Writes must reach the file when they are done, and memory must not be needed to free
	 * memory. */
	config.info.lo_flags = LO_FLAGS_DIRECT_IO;
	snprintf((char *)config.info.lo_file_name, LO_NAME_SIZE, "%s", ctx->loop_file);
	if (ioctl(loop_fd, LOOP_CONFIGURE, &config) == 0) {
		return META_OK;
	}
	config.info.lo_flags = 0; /* not every file system can do direct I/O */
	if (ioctl(loop_fd, LOOP_CONFIGURE, &config) == 0) {
		return META_OK;
	}
	bsr_meta_error("cannot bind %s to %s: %s", ctx->path, ctx->loop_file, strerror(errno));
	return META_USAGE;
}

static int check_or_bind(const struct bsr_meta_context *ctx, int loop_fd, int file_fd)
{
	struct loop_info64 info;
	struct stat st;
	if (fstat(file_fd, &st) != 0 || !S_ISREG(st.st_mode)) {
		bsr_meta_error("%s is not a regular file", ctx->loop_file);
		return META_USAGE;
	}
	if (ioctl(loop_fd, LOOP_GET_STATUS64, &info) == 0) {
		return check_bound(ctx, &info, &st);
	}
	if (errno != ENXIO) {
		bsr_meta_error("%s is not a loop device: %s", ctx->path, strerror(errno));
		return META_USAGE;
	}
	return bind_file(ctx, loop_fd, file_fd);
}

int bsr_meta_loop_file_bind(const struct bsr_meta_context *ctx)
{
	uint64_t number;
	if (ctx->loop_file == NULL) {
		return META_OK;
	}
	if (!loop_number(ctx->path, &number)) {
		bsr_meta_error(
			"with a file as INDEX, META_DEV must be a loop device, /dev/loopN, not %s",
			ctx->path);
		return META_USAGE;
	}
	const int file_fd = open(ctx->loop_file, O_RDWR | O_CLOEXEC | O_NONBLOCK);
	if (file_fd < 0) {
		bsr_meta_error(
			"cannot open %s: %s; make it with the size the meta data needs (truncate -s)",
			ctx->loop_file, strerror(errno));
		return META_USAGE;
	}
	const int loop_fd = open_loop(ctx, number);
	int rc = META_USAGE;
	if (loop_fd < 0) {
		bsr_meta_error("cannot open or make %s: %s", ctx->path, strerror(errno));
	} else {
		rc = check_or_bind(ctx, loop_fd, file_fd);
		close(loop_fd);
	}
	close(file_fd);
	return rc;
}
