// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * fuzz_superblock.c - any 4096 bytes as a superblock, any numbers as a geometry
 *
 * What decodes must encode to something that decodes to the same, keep SB-1, and survive history
 * and slots.
 */
#include <string.h>

#include <bsr/assert.h>
#include <bsr/bytes.h>

#include "superblock.h"
#include "../tests/fuzz.h"

static void check_layout(
	const struct bsr_superblock *sb, const uint8_t *block, enum bsr_md_kind kind)
{
	struct bsr_md_layout layout;
	struct bsr_md_geometry geometry = {.kind = kind,
		.index = block[4000],
		.max_peers = sb->max_peers,
		.index_stride_bytes = BSR_MD_STRIDE_DRBD_BYTES,
		.al_stripes = sb->al_stripes,
		.al_stripe_blocks = sb->al_stripe_blocks,
		.bytes_per_bit = sb->bytes_per_bit};
	memcpy(&geometry.md_device_bytes, block + 2000, sizeof(geometry.md_device_bytes));
	memcpy(&geometry.data_device_bytes, block + 2008, sizeof(geometry.data_device_bytes));
	geometry.md_device_bytes >>= block[2016] % 64;
	if (bsr_md_layout_compute(&layout, &geometry) == 0) {
		struct bsr_superblock placed = *sb;
		bsr_superblock_set_layout(&placed, &layout);
		BSR_ASSERT(bsr_superblock_check_layout(&placed, &layout) == 0);
		BSR_ASSERT(layout.al_offset + layout.al_bytes <= geometry.md_device_bytes);
		if (bsr_superblock_check_layout(sb, &layout) == 0) {
			BSR_ASSERT(sb->bm_offset_sectors == placed.bm_offset_sectors);
		}
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t block[BSR_MD_BLOCK_BYTES] = {0};
	uint8_t again[BSR_MD_BLOCK_BYTES];
	struct bsr_superblock sb;
	struct bsr_superblock back;
	memcpy(block, data, size < sizeof(block) ? size : sizeof(block));
	const bsr_be32 magic = bsr_be32_make(BSR_SUPERBLOCK_MAGIC);
	memcpy(block + 60, &magic, sizeof(magic));
	if (bsr_superblock_decode(&sb, block) != 0) {
		memset(block + 4080, 0, 16); /* without our checksum most inputs get further */
		if (bsr_superblock_decode(&sb, block) != 0) {
			return 0;
		}
	}
	BSR_ASSERT(bsr_superblock_problem(&sb) == NULL);
	bsr_superblock_encode(again, &sb);
	BSR_ASSERT(bsr_superblock_decode(&back, again) == 0);
	BSR_ASSERT(memcmp(&back, &sb, sizeof(sb)) == 0);
	for (enum bsr_md_kind kind = BSR_MD_INTERNAL; kind <= BSR_MD_INDEXED; kind++) {
		check_layout(&sb, block, kind);
	}
	bsr_superblock_push_history(&sb, (struct bsr_gi){sb.peer[0].bitmap_gi.v});
	for (uint32_t node = 0; node < BSR_NODES_MAX; node++) {
		BSR_ASSERT(bsr_superblock_slot(&sb, node) < (int32_t)sb.max_peers);
	}
	return 0;
}

size_t bsr_fuzz_example(uint32_t index, uint8_t *out, size_t room)
{
	struct bsr_superblock sb;
	if (index >= 4 || room < BSR_MD_BLOCK_BYTES) {
		return 0;
	}
	memset(&sb, 0, sizeof(sb));
	sb.bytes_per_bit = 4096;
	sb.max_peers = 1 + index * 10;
	sb.node_id = (int32_t)index - 1;
	sb.al_stripes = 1 + index;
	sb.al_stripe_blocks = 8;
	sb.write_sequence = index % 2;
	for (size_t i = 0; i < BSR_NODES_MAX; i++) {
		sb.peer[i].bitmap_index = -1;
	}
	bsr_superblock_encode(out, &sb);
	return BSR_MD_BLOCK_BYTES;
}
