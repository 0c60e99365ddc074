// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * hexdump.c - superblock and activity log as they stand on the disk, for looking at what no other command can read
 *
 * Owns:       the form of the lines: offset on the device, 16 bytes, the same as text; rows like the one before are a line "*".
 * May touch:  the device, reading only.
 */
#include <inttypes.h>
#include <string.h>

#include "meta.h"

#define ROW_BYTES 16u

static void print_row(const uint8_t *row, uint64_t offset)
{
	printf("%012" PRIx64 " ", offset);
	for (uint32_t i = 0; i < ROW_BYTES; i++) {
		printf("%s%02x", i == ROW_BYTES / 2 ? "  " : " ", row[i]);
	}
	printf("  |");
	for (uint32_t i = 0; i < ROW_BYTES; i++) {
		putchar(row[i] >= ' ' && row[i] < 0x7f ? row[i] : '.');
	}
	printf("|\n");
}

static int print_range(const struct bsr_meta_context *ctx, uint64_t offset, uint64_t bytes)
{
	uint8_t block[BSR_MD_BLOCK_BYTES];
	uint8_t before[ROW_BYTES];
	bool first = true;
	bool repeated = false;

	for (uint64_t at = 0; at < bytes; at += sizeof(block)) {
		const int rc = bsr_meta_device_read(ctx, block, sizeof(block), offset + at);
		if (rc != META_OK) {
			return rc;
		}
		for (uint32_t row = 0; row < sizeof(block); row += ROW_BYTES) {
			const bool same = !first && memcmp(before, block + row, ROW_BYTES) == 0;
			if (!same) {
				print_row(block + row, offset + at + row);
			} else if (!repeated) {
				printf("*\n");
			}
			repeated = same;
			first = false;
			memcpy(before, block + row, ROW_BYTES);
		}
	}
	return META_OK;
}

static const char *word_of(const struct bsr_meta_found *found)
{
	switch (found->what) {
	case META_PROBE_NONE:
		return "no meta data is recognised here";
	case META_PROBE_V07:
		return "v07 or older";
	case META_PROBE_V08:
		return "v08";
	case META_PROBE_V09:
		return "v09";
	case META_PROBE_DAMAGED:
		break;
	}
	return found->problem != NULL ? found->problem : "damaged";
}

int bsr_meta_hexdump(struct bsr_meta_context *ctx)
{
	struct bsr_meta_found found;
	struct bsr_meta_md md;
	int rc = bsr_meta_probe(ctx, ctx->size_bytes, &found, &md);

	if (rc == META_OK && (ctx->size_bytes < BSR_MD_BLOCK_BYTES ||
				     found.superblock_offset > ctx->size_bytes - BSR_MD_BLOCK_BYTES)) {
		bsr_meta_error("%s is too small for a superblock at this place", ctx->path);
		return META_BAD;
	}
	if (rc != META_OK) {
		return rc;
	}
	printf("# superblock: %s\n", word_of(&found));
	rc = print_range(ctx, found.superblock_offset, BSR_MD_BLOCK_BYTES);
	if (rc != META_OK || (found.what != META_PROBE_V08 && found.what != META_PROBE_V09)) {
		return rc;
	}
	rc = bsr_meta_layout(ctx, &md, ctx->size_bytes);
	if (rc == META_OK) {
		printf("# activity log: %" PRIu32 " blocks\n", md.sb.al_stripes * md.sb.al_stripe_blocks);
		rc = print_range(ctx, md.layout.al_offset,
			(uint64_t)md.sb.al_stripes * md.sb.al_stripe_blocks * BSR_MD_BLOCK_BYTES);
	}
	return rc;
}
