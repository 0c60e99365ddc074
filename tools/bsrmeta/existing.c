// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * existing.c - is there data on the device that new metadata would destroy?
 *
 * Owns:       the signatures of file systems and their sizes.
 * May touch:  nothing; it reads and asks.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "meta.h"

#define EXAMINED_BYTES (68u << 10)

/** What was recognised. */
struct content {
	const char *name; /* NULL: nothing known */
	uint64_t bytes;   /* that it uses; 0 = unknown, so perhaps all */
	bool any;         /* at least one byte is not zero */
};

static uint64_t le_at(const uint8_t *p, size_t bytes)
{
	uint64_t v = 0;
	for (size_t i = bytes; i > 0; i--) {
		v = (v << 8) | p[i - 1];
	}
	return v;
}

static uint64_t be_at(const uint8_t *p, size_t bytes)
{
	uint64_t v = 0;
	for (size_t i = 0; i < bytes; i++) {
		v = (v << 8) | p[i];
	}
	return v;
}

/* A size that does not fit 64 bits is nonsense, and nonsense is taken as "all of the device". */
static uint64_t product(uint64_t blocks, uint64_t block_bytes)
{
	uint64_t bytes;
	return __builtin_mul_overflow(blocks, block_bytes, &bytes) ? UINT64_MAX : bytes;
}

static bool detect_ext(const uint8_t *p, struct content *c)
{
	if (le_at(p + 0x438, 2) != 0xef53) {
		return false;
	}
	const uint64_t log_block = le_at(p + 0x418, 4);
	uint64_t blocks = le_at(p + 0x404, 4);
	if ((le_at(p + 0x460, 4) & 0x80) != 0) { /* more than 32 bits of blocks */
		blocks |= le_at(p + 0x550, 4) << 32;
	}
	c->name = "ext2/ext3/ext4 file system";
	c->bytes = log_block > 6 ? UINT64_MAX : product(blocks, 1024ull << log_block);
	return true;
}

static bool detect_reiser(const uint8_t *p, struct content *c)
{
	if (memcmp(p + 0x10034, "ReIsErFs", 8) != 0 && memcmp(p + 0x10034, "ReIsEr2Fs", 9) != 0) {
		return false;
	}
	c->name = "reiser file system";
	c->bytes = product(le_at(p + 0x10000, 4), le_at(p + 0x1002c, 2));
	return true;
}

static bool detect_file_system(const uint8_t *p, struct content *c)
{
	if (detect_ext(p, c) || detect_reiser(p, c)) {
		return true;
	}
	if (memcmp(p, "XFSB", 4) == 0) {
		c->name = "xfs file system";
		c->bytes = product(be_at(p + 8, 8), be_at(p + 4, 4));
	} else if (memcmp(p + 0x8000, "JFS1", 4) == 0) {
		c->name = "jfs file system";
		c->bytes = product(le_at(p + 0x8008, 8), le_at(p + 0x8018, 4));
	} else if (memcmp(p + 0x10040, "_BHRfS_M", 8) == 0) {
		c->name = "btrfs file system";
		c->bytes = le_at(p + 0x10070, 8);
	} else if (memcmp(p + 3, "NTFS    ", 8) == 0) {
		c->name = "ntfs file system";
		c->bytes = product(le_at(p + 0x28, 8) + 1, le_at(p + 0x0b, 2));
	}
	return c->name != NULL;
}

/* Things that use the whole device, or do not say how much of it. */
static bool detect_container(const uint8_t *p, struct content *c)
{
	for (size_t end = 4096; end <= 8192; end += 4096) {
		if (memcmp(p + end - 10, "SWAP-SPACE", 10) == 0 ||
			memcmp(p + end - 10, "SWAPSPACE2", 10) == 0) {
			c->name = "swap space";
		}
	}
	if (memcmp(p + 0x218, "LVM2", 4) == 0) {
		c->name = "LVM2 physical volume";
	} else if (memcmp(p, "LUKS\xba\xbe", 6) == 0) {
		c->name = "LUKS encrypted volume";
	}
	return c->name != NULL;
}

static int examine(const struct bsr_meta_context *ctx, uint64_t offset, struct content *c)
{
	uint8_t *p = calloc(1, EXAMINED_BYTES);
	if (p == NULL) {
		bsr_meta_error("out of memory");
		return META_UNSUPPORTED;
	}
	const uint64_t rest = ctx->size_bytes - offset;
	const size_t bytes = rest < EXAMINED_BYTES ? (size_t)rest : EXAMINED_BYTES;
	const int rc = bsr_meta_device_read(ctx, p, bytes, offset);
	*c = (struct content){0};
	for (size_t i = 0; rc == META_OK && i < bytes && !c->any; i++) {
		c->any = p[i] != 0;
	}
	if (rc == META_OK && c->any && !detect_container(p, c)) {
		detect_file_system(p, c);
	}
	free(p);
	return rc;
}

static int refuse(const struct bsr_meta_context *ctx, const struct content *c, const char *why)
{
	if (ctx->opt.ignore_sanity_checks) {
		bsr_meta_note("found %s on %s: %s; going on as asked (--ignore-sanity-checks)",
			c->name, ctx->path, why);
		return META_OK;
	}
	bsr_meta_error("found %s on %s: %s. Operation refused", c->name, ctx->path, why);
	return META_REFUSED;
}

static int judge_internal(
	const struct bsr_meta_context *ctx, const struct content *c, uint64_t usable_bytes)
{
	if (c->bytes == 0) {
		return refuse(ctx, c,
			"it may use the whole device, and new meta data would destroy its end; move the "
			"data away or use an external meta-disk");
	}
	bsr_meta_note("Found %s\n%12" PRIu64 " kB data area apparently used\n%12" PRIu64
		      " kB left usable by meta data",
		c->name, c->bytes / 1024, usable_bytes / 1024);
	if (c->bytes > usable_bytes) {
		return refuse(ctx, c,
			"it reaches into the place of the meta data, so its end would be destroyed; "
			"shrink it, use an external meta-disk, or enlarge the device");
	}
	return bsr_meta_confirm(ctx,
		       "Even though it would fit, something else might be in use behind it.\n"
		       "Do you want to proceed?")
		       ? META_OK
		       : META_DECLINED;
}

int bsr_meta_check_existing_data(
	const struct bsr_meta_context *ctx, uint64_t offset, uint64_t usable_bytes)
{
	struct content c;
	const bool internal = usable_bytes != 0;
	const int rc = examine(ctx, internal ? 0 : offset, &c);
	if (rc != META_OK || !c.any) {
		return rc;
	}
	if (c.name != NULL && internal) {
		return judge_internal(ctx, &c, usable_bytes);
	}
	if (c.name != NULL) {
		return refuse(ctx, &c,
			"the whole device is to become a meta-disk; wipe it first (wipefs) if it is free");
	}
	bsr_meta_note("Found some data on %s", ctx->path);
	return bsr_meta_confirm(
		       ctx, " ==> This might destroy existing data! <==\nDo you want to proceed?")
		       ? META_OK
		       : META_DECLINED;
}
