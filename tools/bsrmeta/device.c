// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * device.c - the device that holds the metadata
 *
 * Owns:       open (exclusive for writers), size, reading, writing, zeroing, sync.
 * May touch:  nothing outside of the device. Every function prints its own message.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/falloc.h>
#include <linux/fs.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <bsr/assert.h>

#include "meta.h"

/* a person sees progress between pieces: some are written byte by byte */
#define ZERO_PIECE_BYTES (UINT64_C(64) << 20)
#define ZERO_STEP_BYTES (1u << 20)

/* Who has the block device mounted, for the message about a busy device. */
static bool find_mount(dev_t device, char *where, size_t where_bytes)
{
	FILE *mounts = fopen("/proc/self/mountinfo", "re");
	char line[8192];
	bool found = false;
	if (mounts == NULL) {
		return false;
	}
	while (!found && fgets(line, sizeof(line), mounts) != NULL) {
		unsigned int dev_major;
		unsigned int dev_minor;
		char point[4096];
		if (sscanf(line, "%*d %*d %u:%u %*s %4095s", &dev_major, &dev_minor, point) == 3 &&
			makedev(dev_major, dev_minor) == device) {
			snprintf(where, where_bytes, "mounted on %s", point);
			found = true;
		}
	}
	fclose(mounts);
	return found;
}

static int report_open(const struct bsr_meta_context *ctx, int error)
{
	struct stat st;
	char where[4200] = "mounted, or claimed by another program (see lsblk, lsof)";
	if (error == EBUSY && stat(ctx->path, &st) == 0) {
		if (ctx->is_block) {
			find_mount(st.st_rdev, where, sizeof(where));
		}
		bsr_meta_error("%s is in use: %s; release it first", ctx->path, where);
	} else {
		bsr_meta_error("cannot open %s: %s", ctx->path, strerror(error));
	}
	return META_USAGE;
}

static int check_kind_of_file(struct bsr_meta_context *ctx, const struct stat *st)
{
	ctx->is_block = S_ISBLK(st->st_mode);
	if (ctx->is_block) {
		return META_OK;
	}
	if (!S_ISREG(st->st_mode)) {
		bsr_meta_error("%s is neither a block device nor a file", ctx->path);
		return META_USAGE;
	}
	const char *allowed = getenv("BSRMETA_ALLOW_FILES");
	if (!ctx->opt.force && (allowed == NULL || strcmp(allowed, "1") != 0)) {
		bsr_meta_error(
			"%s is not a block device; use a loop device, or --force to work on the file",
			ctx->path);
		return META_USAGE;
	}
	return META_OK;
}

static int find_size(struct bsr_meta_context *ctx, const struct stat *st)
{
	ctx->size_bytes = (uint64_t)st->st_size;
	if (ctx->is_block && ioctl(ctx->fd, BLKGETSIZE64, &ctx->size_bytes) != 0) {
		bsr_meta_error("cannot ask for the size of %s: %s", ctx->path, strerror(errno));
		return META_BAD;
	}
	if (ctx->size_bytes < META_DEVICE_BYTES_MIN) {
		bsr_meta_error("%s has only %" PRIu64
			       " bytes; metadata needs a device of at least 68 KiB",
			ctx->path, ctx->size_bytes);
		return META_BAD;
	}
	return META_OK;
}

int bsr_meta_device_open(struct bsr_meta_context *ctx, bool writable, bool exclusive)
{
	struct stat st;
	if (stat(ctx->path, &st) != 0) {
		return report_open(ctx, errno);
	}
	int rc = check_kind_of_file(ctx, &st);
	if (rc != META_OK) {
		return rc;
	}
	int flags = O_CLOEXEC | (writable && !ctx->opt.dry_run ? O_RDWR : O_RDONLY);
	if (exclusive && ctx->is_block) {
		flags |= O_EXCL; /* refused while mounted, or claimed by the running daemon */
	}
	ctx->fd = open(ctx->path, flags);
	if (ctx->fd < 0) {
		return report_open(ctx, errno);
	}
	if (fstat(ctx->fd, &st) != 0 || S_ISBLK(st.st_mode) != ctx->is_block) {
		bsr_meta_error("%s changed while it was being opened", ctx->path);
		return META_USAGE;
	}
	/* For files this lock is what O_EXCL is for devices; a running daemon holds it, too. */
	if (exclusive && !ctx->is_block && flock(ctx->fd, LOCK_EX | LOCK_NB) != 0) {
		return report_open(ctx, errno == EWOULDBLOCK ? EBUSY : errno);
	}
	return find_size(ctx, &st);
}

void bsr_meta_device_close(struct bsr_meta_context *ctx)
{
	if (ctx->fd >= 0) {
		close(ctx->fd);
		ctx->fd = -1;
	}
}

static bool in_range(const struct bsr_meta_context *ctx, uint64_t bytes, uint64_t offset)
{
	return offset <= ctx->size_bytes && bytes <= ctx->size_bytes - offset;
}

int bsr_meta_device_read(
	const struct bsr_meta_context *ctx, void *buffer, size_t bytes, uint64_t offset)
{
	BSR_ASSERT(in_range(ctx, bytes, offset));
	size_t done = 0;
	if (ctx->opt.verbose >= 2) {
		bsr_meta_note("read %zu bytes at %" PRIu64, bytes, offset);
	}
	while (done < bytes) {
		const ssize_t n =
			pread(ctx->fd, (char *)buffer + done, bytes - done, (off_t)(offset + done));
		if (n < 0 && errno == EINTR) {
			continue;
		}
		if (n <= 0) {
			bsr_meta_error("cannot read %zu bytes at %" PRIu64 " of %s: %s", bytes,
				offset, ctx->path, n < 0 ? strerror(errno) : "unexpected end");
			return META_BAD;
		}
		done += (size_t)n;
	}
	return META_OK;
}

/*
 * A device with indexed slots is open for many: what a running resource has claimed of it is not written, whatever minor and
 * index the command line names.
 */
static int claim_slot(const struct bsr_meta_context *ctx, uint64_t bytes, uint64_t offset)
{
	struct flock range = {
		.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = (off_t)offset, .l_len = (off_t)bytes};
	if (ctx->kind != BSR_MD_INDEXED || ctx->opt.dry_run || fcntl(ctx->fd, F_OFD_SETLK, &range) == 0) {
		return META_OK;
	}
	bsr_meta_error("%" PRIu64 " bytes at %" PRIu64 " of %s belong to the metadata of a running resource; another index, or "
		       "take that resource down", bytes, offset, ctx->path);
	return META_BAD;
}

int bsr_meta_device_write(
	const struct bsr_meta_context *ctx, const void *buffer, size_t bytes, uint64_t offset)
{
	BSR_ASSERT(in_range(ctx, bytes, offset));
	BSR_ASSERT(bytes % BSR_MD_BLOCK_BYTES == 0 && offset % BSR_MD_BLOCK_BYTES == 0);
	size_t done = 0;
	const int rc = claim_slot(ctx, bytes, offset);
	if (rc != META_OK) {
		return rc;
	}
	if (ctx->opt.verbose >= 2 || ctx->opt.dry_run) {
		bsr_meta_note("%s %zu bytes at %" PRIu64,
			ctx->opt.dry_run ? "would write" : "write", bytes, offset);
	}
	while (!ctx->opt.dry_run && done < bytes) {
		const ssize_t n = pwrite(
			ctx->fd, (const char *)buffer + done, bytes - done, (off_t)(offset + done));
		if (n < 0 && errno == EINTR) {
			continue;
		}
		if (n <= 0) {
			const int errno_seen = errno;
			bsr_meta_error("cannot write %zu bytes at %" PRIu64 " of %s: %s", bytes,
				offset, ctx->path, n < 0 ? strerror(errno) : "nothing was taken");
			if (n < 0 && (errno_seen == ENOSPC || errno_seen == EDQUOT)) {
				fputs("  what helps: make room where that file or volume lives (df, lvs), then the same "
				      "command again\n", stderr);
			}
			return META_BAD;
		}
		done += (size_t)n;
	}
	return META_OK;
}

static bool zero_by_kernel(const struct bsr_meta_context *ctx, uint64_t bytes, uint64_t offset)
{
	if (ctx->is_block) {
		uint64_t range[2] = {offset, bytes};
		return ioctl(ctx->fd, BLKZEROOUT, range) == 0;
	}
	return fallocate(ctx->fd, FALLOC_FL_ZERO_RANGE | FALLOC_FL_KEEP_SIZE, (off_t)offset,
		       (off_t)bytes) == 0;
}

/* One piece; not every device and file system can do it at once. */
static int zero_piece(const struct bsr_meta_context *ctx, uint64_t bytes, uint64_t offset)
{
	static const uint8_t zero[ZERO_STEP_BYTES];
	if (zero_by_kernel(ctx, bytes, offset)) {
		return META_OK;
	}
	while (bytes > 0) {
		const size_t step = bytes < ZERO_STEP_BYTES ? (size_t)bytes : ZERO_STEP_BYTES;
		const int rc = bsr_meta_device_write(ctx, zero, step, offset);
		if (rc != META_OK) {
			return rc;
		}
		bytes -= step;
		offset += step;
	}
	return META_OK;
}

int bsr_meta_device_zero(const struct bsr_meta_context *ctx, uint64_t bytes, uint64_t offset)
{
	struct bsr_meta_progress progress;
	BSR_ASSERT(in_range(ctx, bytes, offset));
	BSR_ASSERT(bytes % BSR_MD_BLOCK_BYTES == 0 && offset % BSR_MD_BLOCK_BYTES == 0);
	if (ctx->opt.dry_run) {
		bsr_meta_note("would zero %" PRIu64 " bytes at %" PRIu64, bytes, offset);
		return META_OK;
	}
	int rc = claim_slot(ctx, bytes, offset);
	if (rc != META_OK) {
		return rc;
	}
	bsr_meta_progress_begin(&progress, ctx, bytes);
	for (uint64_t done = 0; done < bytes && rc == META_OK;) {
		const uint64_t piece = bytes - done < ZERO_PIECE_BYTES ? bytes - done : ZERO_PIECE_BYTES;
		rc = zero_piece(ctx, piece, offset + done);
		done += piece;
		bsr_meta_progress_show(&progress, done);
	}
	bsr_meta_progress_end(&progress);
	return rc;
}

int bsr_meta_device_sync(const struct bsr_meta_context *ctx)
{
	if (ctx->opt.dry_run) {
		return META_OK;
	}
	if (fsync(ctx->fd) != 0) {
		bsr_meta_error(
			"cannot make the writes to %s durable: %s", ctx->path, strerror(errno));
		return META_BAD;
	}
	return META_OK;
}
