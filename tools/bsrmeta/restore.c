// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * restore.c - restore-md and verify-dump
 *
 * Owns:       the order of a restore.
 * May touch:  bitmap, activity log, superblock.
 * Invariants:
 *   REST-1  The text is parsed to its end before the first write.
 *   REST-2  While bitmap and log are being written there is no valid superblock: an interrupted
 * restore leaves no metadata, never a mixture. Format:     docs/format/dump.md
 */
#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>

#include <bsr/assert.h>

#include "bits.h"
#include "dump_parse.h"
#include "meta.h"

/* Two passes need a file that can be read twice: a pipe is copied first. */
static FILE *copy_to_temporary(FILE *in, const char *name)
{
	char buffer[65536];
	FILE *copy = tmpfile();
	bool ok = copy != NULL;
	size_t n;
	while (ok && (n = fread(buffer, 1, sizeof(buffer), in)) > 0) {
		ok = fwrite(buffer, 1, n, copy) == n;
	}
	if (!ok || ferror(in) || fseek(copy, 0, SEEK_SET) != 0) {
		bsr_meta_error("cannot read %s into a temporary file: %s", name, strerror(errno));
		if (copy != NULL) {
			fclose(copy);
		}
		copy = NULL;
	}
	fclose(in);
	return copy;
}

static FILE *open_dump(const char *name)
{
	struct stat st;
	FILE *f = fopen(name, "re");
	if (f == NULL || fstat(fileno(f), &st) != 0) {
		bsr_meta_error("cannot open the dump %s: %s", name, strerror(errno));
		if (f != NULL) {
			fclose(f);
		}
		return NULL;
	}
	if (S_ISDIR(st.st_mode)) {
		bsr_meta_error("%s is a directory, not a dump", name);
		fclose(f);
		return NULL;
	}
	return S_ISREG(st.st_mode) ? f : copy_to_temporary(f, name);
}

static int parse(const struct bsr_meta_context *ctx, struct bsr_meta_dump_text *dump, FILE *f)
{
	if (bsr_meta_dump_parse(dump, f, NULL) != 0) {
		bsr_meta_error("%s, %s", ctx->args[0], dump->error);
		return META_BAD;
	}
	if (dump->format != ctx->format) {
		bsr_meta_error("%s is a dump of v%02" PRIu32 " meta data, and v%02" PRIu32
			       " was asked for",
			ctx->args[0], dump->format, ctx->format);
		return META_BAD;
	}
	return META_OK;
}

int bsr_meta_verify_dump(struct bsr_meta_context *ctx)
{
	struct bsr_meta_dump_text dump;
	FILE *f = open_dump(ctx->args[0]);
	if (f == NULL) {
		return META_BAD;
	}
	const int rc = parse(ctx, &dump, f);
	fclose(f);
	if (rc == META_OK) {
		printf("input file parsed ok\n");
	}
	return rc;
}

/* Geometry from the text and this device; what does not fit is cut, and said. */
static int place(const struct bsr_meta_context *ctx, const struct bsr_meta_dump_text *dump,
	struct bsr_meta_md *md)
{
	memset(md, 0, sizeof(*md));
	md->format = dump->format;
	md->sb = dump->sb;
	md->sb.al_extents = META_AL_EXTENTS_CREATED;
	md->stride_bytes = bsr_meta_new_stride(ctx);
	if (ctx->opt.al_stripes != 0 || ctx->opt.al_stripe_blocks != 0) {
		md->sb.al_stripes =
			ctx->opt.al_stripes != 0 ? ctx->opt.al_stripes : md->sb.al_stripes;
		md->sb.al_stripe_blocks = ctx->opt.al_stripe_blocks != 0 ? ctx->opt.al_stripe_blocks
									 : md->sb.al_stripe_blocks;
		bsr_meta_note("override activity log striping from commandline");
	}
	md->sb.effective_sectors = 0;
	const char *problem = bsr_superblock_problem(&md->sb);
	if (problem != NULL) {
		bsr_meta_error("%s: %s", ctx->args[0], problem);
		return META_BAD;
	}
	const int rc = bsr_meta_layout(ctx, md, ctx->size_bytes);
	if (rc != META_OK) {
		return rc;
	}
	const uint64_t most = md->layout.data_bytes / BSR_SECTOR_BYTES;
	md->sb.effective_sectors = dump->sb.effective_sectors;
	if (md->sb.effective_sectors > most) {
		bsr_meta_note("la-size-sect %" PRIu64 " was too big, truncated to %" PRIu64
			      ": %s has no more room",
			md->sb.effective_sectors, most, ctx->path);
		md->sb.effective_sectors = most;
	}
	return META_OK;
}

static uint64_t words_needed(const struct bsr_meta_md *md)
{
	const uint64_t sectors_per_word = md->sb.bytes_per_bit / BSR_SECTOR_BYTES * 64ull;
	return (md->sb.effective_sectors + sectors_per_word - 1) / sectors_per_word;
}

static int put_words(void *arg, uint32_t slot, uint64_t first, uint64_t count, uint64_t value)
{
	return value == 0 ? META_OK : bsr_meta_bits_put(arg, slot, first, count, value);
}

/* A slot that the text does not give in full: what is missing counts as out of sync. */
static int fill_short_slots(const struct bsr_meta_context *ctx,
	const struct bsr_meta_dump_text *dump, const struct bsr_meta_md *md,
	struct bsr_meta_bits *bits)
{
	const uint64_t needed = words_needed(md);
	int rc = META_OK;
	for (uint32_t slot = 0; slot < md->sb.max_peers && rc == META_OK; slot++) {
		const uint64_t given = dump->words[slot];
		if (given < needed) {
			bsr_meta_note("bitmap[%" PRIu32 "] of %s has %" PRIu64 " of %" PRIu64
				      " words; the rest is marked as out of sync",
				slot, ctx->args[0], given, needed);
			rc = bsr_meta_bits_put(bits, slot, given, needed - given, UINT64_MAX);
		} else if (given > (bsr_meta_bits_slot_words(bits, slot) + 1) / 2) {
			bsr_meta_note("Bitmap info too large, truncated!");
		}
	}
	return rc;
}

/* Second pass over the text; the area is zero. */
static int write_bitmap(const struct bsr_meta_context *ctx, const struct bsr_meta_dump_text *first,
	const struct bsr_meta_md *md, FILE *f)
{
	struct bsr_meta_bits bits;
	struct bsr_meta_dump_text again;
	int rc = bsr_meta_bits_open(&bits, ctx, md, bsr_meta_bitmap_bytes(md), false);
	if (rc != META_OK) {
		return rc;
	}
	const struct bsr_meta_dump_sink sink = {.words = put_words, .arg = &bits};
	rewind(f);
	rc = bsr_meta_dump_parse(&again, f, &sink);
	if (rc < 0 || (rc == 0 && again.crc != first->crc)) {
		bsr_meta_error(
			"%s changed while it was being read; the device has no valid meta data now, restore again",
			ctx->args[0]);
		rc = META_BAD;
	}
	if (rc == META_OK) {
		rc = fill_short_slots(ctx, first, md, &bits);
	}
	const int closed = bsr_meta_bits_close(&bits);
	return rc == META_OK ? closed : rc;
}

/* REST-2: zero superblock, bitmap, ring, superblock; each durable before the next. */
static int write_all(const struct bsr_meta_context *ctx, const struct bsr_meta_dump_text *dump,
	struct bsr_meta_md *md, FILE *f)
{
	int rc = bsr_meta_device_zero(ctx, BSR_MD_BLOCK_BYTES, md->layout.superblock_offset);
	if (rc == META_OK) {
		rc = bsr_meta_device_sync(ctx);
	}
	if (rc == META_OK) {
		rc = bsr_meta_device_zero(ctx, md->layout.bitmap_bytes, md->layout.bitmap_offset);
	}
	if (rc == META_OK) {
		rc = write_bitmap(ctx, dump, md, f);
	}
	if (rc == META_OK) {
		rc = bsr_meta_al_initialise(ctx, md);
	}
	if (rc == META_OK) {
		rc = bsr_meta_write(ctx, md);
	}
	return rc == META_OK ? bsr_meta_last_known_write(ctx, md->sb.device_uuid) : rc;
}

static int confirm_and_write(
	const struct bsr_meta_context *ctx, const struct bsr_meta_dump_text *dump, FILE *f)
{
	struct bsr_meta_found found;
	struct bsr_meta_md md;
	int rc = bsr_meta_probe(ctx, ctx->size_bytes, &found, &md);
	if (rc != META_OK) {
		return rc;
	}
	const uint64_t found_stride = md.stride_bytes;
	const bool there = found.what != META_PROBE_NONE;
	if (there && !bsr_meta_confirm(ctx, "Valid meta-data in place, overwrite?")) {
		return META_DECLINED;
	}
	struct bsr_meta_context with_stride = *ctx;
	if (there && ctx->opt.stride_bytes == 0) {
		with_stride.opt.stride_bytes = found_stride;
	}
	rc = place(&with_stride, dump, &md);
	if (rc == META_OK && (!there || ctx->kind == BSR_MD_INTERNAL)) {
		rc = bsr_meta_check_existing_data(ctx, md.layout.superblock_offset,
			ctx->kind == BSR_MD_INTERNAL ? md.layout.data_bytes : 0);
	}
	if (rc == META_OK) {
		rc = write_all(ctx, dump, &md, f);
	}
	if (rc == META_OK) {
		printf("Successfully restored meta data\n");
	}
	return rc;
}

int bsr_meta_restore(struct bsr_meta_context *ctx)
{
	struct bsr_meta_dump_text dump;
	FILE *f = open_dump(ctx->args[0]);
	if (f == NULL) {
		return META_BAD;
	}
	int rc = parse(ctx, &dump, f);
	if (rc == META_OK) {
		rc = confirm_and_write(ctx, &dump, f);
	}
	fclose(f);
	return rc;
}
