// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * md_layout.c - where metadata lies on a device
 *
 * Owns:       the placement formulas; every number that comes in is a device size or from a
 * superblock, so each is bounded before arithmetic. May touch:  nothing. Invariants: LAY-1  Bitmap,
 * activity log, superblock and data area never overlap and lie inside their device. LAY-2  Every
 * offset is a multiple of 4096, and fits the superblock's signed 32-bit sector fields. Format:
 * docs/format/placement.md
 */
#include "superblock.h"

#include <bsr/assert.h>
#include <bsr/bytes.h>
#include <bsr/errors.h>

/* Bounds every product below: 2^62 / 512 / 8 bits x 32 slots is far from 2^64. */
#define DEVICE_BYTES_MAX (1ull << 62)
#define BLOCK_SECTORS (BSR_MD_BLOCK_BYTES / BSR_SECTOR_BYTES)

static uint64_t round_down(uint64_t v, uint64_t unit)
{
	return v / unit * unit;
}

static int check_geometry(const struct bsr_md_geometry *g)
{
	if (g->max_peers < 1 || g->max_peers > BSR_BITMAP_SLOTS_MAX) {
		return -BSR_E_RANGE;
	}
	if (g->bytes_per_bit < BSR_BYTES_PER_BIT_MIN || g->bytes_per_bit > BSR_BYTES_PER_BIT_MAX ||
		(g->bytes_per_bit & (g->bytes_per_bit - 1)) != 0) {
		return -BSR_E_RANGE;
	}
	if (g->al_stripes == 0 || g->al_stripes > BSR_AL_RING_BLOCKS_MAX ||
		g->al_stripe_blocks == 0 || g->al_stripe_blocks > BSR_AL_RING_BLOCKS_MAX) {
		return -BSR_E_RANGE;
	}
	const uint32_t ring_blocks = g->al_stripes * g->al_stripe_blocks;
	if (ring_blocks < BSR_AL_RING_BLOCKS_MIN || ring_blocks > BSR_AL_RING_BLOCKS_MAX) {
		return -BSR_E_RANGE;
	}
	if (g->md_device_bytes > DEVICE_BYTES_MAX || g->data_device_bytes > DEVICE_BYTES_MAX) {
		return -BSR_E_RANGE;
	}
	return 0;
}

uint64_t bsr_md_bitmap_bytes(uint64_t sectors, uint32_t max_peers, uint32_t bytes_per_bit)
{
	BSR_ASSERT(max_peers >= 1 && max_peers <= BSR_BITMAP_SLOTS_MAX);
	BSR_ASSERT(bytes_per_bit >= BSR_BYTES_PER_BIT_MIN &&
		   sectors <= DEVICE_BYTES_MAX / BSR_SECTOR_BYTES);
	const uint64_t bits =
		bsr_round_up_u64(bsr_div_ceil_u64(sectors, bytes_per_bit / BSR_SECTOR_BYTES), 64);
	return bsr_round_up_u64(bits / 8 * max_peers, BSR_MD_BLOCK_BYTES);
}

int bsr_md_superblock_offset(uint64_t *offset, enum bsr_md_kind kind, uint64_t md_device_bytes,
	uint32_t index, uint64_t index_stride_bytes)
{
	if (md_device_bytes > DEVICE_BYTES_MAX) {
		return -BSR_E_RANGE;
	}
	if (md_device_bytes < 2ull * BSR_MD_BLOCK_BYTES) {
		return -BSR_E_MD_DISK_TOO_SMALL;
	}
	switch (kind) {
	case BSR_MD_INTERNAL:
		*offset = round_down(md_device_bytes - BSR_MD_BLOCK_BYTES, BSR_MD_BLOCK_BYTES);
		return 0;
	case BSR_MD_FLEX_EXTERNAL:
		*offset = 0;
		return 0;
	case BSR_MD_INDEXED:
		if (index > BSR_MD_INDEX_MAX || index_stride_bytes < BSR_MD_STRIDE_DRBD_BYTES ||
			index_stride_bytes > BSR_MD_STRIDE_BSR_BYTES ||
			index_stride_bytes % BSR_MD_BLOCK_BYTES != 0) {
			return -BSR_E_RANGE;
		}
		if (md_device_bytes < (index + 1ull) * index_stride_bytes) {
			return -BSR_E_MD_DISK_TOO_SMALL;
		}
		*offset = index * index_stride_bytes;
		return 0;
	}
	return -BSR_E_RANGE;
}

static int place_internal(struct bsr_md_layout *layout, const struct bsr_md_geometry *g)
{
	const uint64_t device_sectors = g->md_device_bytes / BSR_SECTOR_BYTES;
	layout->bitmap_bytes = bsr_md_bitmap_bytes(device_sectors, g->max_peers, g->bytes_per_bit);
	const uint64_t md_bytes = layout->bitmap_bytes + layout->al_bytes + BSR_MD_BLOCK_BYTES;
	layout->md_sectors = md_bytes / BSR_SECTOR_BYTES;
	/* The bitmap begins md_bytes - 4096 before the superblock, and the field for that has 31
	 * bits. */
	if (layout->md_sectors - BLOCK_SECTORS > INT32_MAX) {
		return -BSR_E_RANGE;
	}
	if (layout->superblock_offset < md_bytes) {
		return -BSR_E_MD_DISK_TOO_SMALL; /* nothing would be left for data */
	}
	layout->al_offset = layout->superblock_offset - layout->al_bytes;
	layout->bitmap_offset = layout->al_offset - layout->bitmap_bytes;
	layout->data_bytes = layout->bitmap_offset;
	return 0;
}

static int place_external(struct bsr_md_layout *layout, const struct bsr_md_geometry *g)
{
	const uint64_t area_bytes =
		g->kind == BSR_MD_INDEXED ? g->index_stride_bytes : g->md_device_bytes;
	const uint64_t head_bytes = BSR_MD_BLOCK_BYTES + layout->al_bytes;
	layout->md_sectors = area_bytes / BSR_SECTOR_BYTES;
	if (layout->md_sectors > UINT32_MAX) {
		return -BSR_E_RANGE;
	}
	if (area_bytes < head_bytes + BSR_MD_BLOCK_BYTES) {
		return -BSR_E_MD_DISK_TOO_SMALL;
	}
	layout->al_offset = layout->superblock_offset + BSR_MD_BLOCK_BYTES;
	layout->bitmap_offset = layout->superblock_offset + head_bytes;
	/* A last partial block cannot be read or written, so it holds no bits. */
	const uint64_t space = round_down(area_bytes - head_bytes, BSR_MD_BLOCK_BYTES);
	const uint64_t most = bsr_md_bitmap_bytes(
		BSR_VOLUME_BYTES_MAX / BSR_SECTOR_BYTES, g->max_peers, g->bytes_per_bit);
	layout->bitmap_bytes = space < most ? space : most;
	const uint64_t bits_per_slot = layout->bitmap_bytes / 8 / g->max_peers * 64;
	layout->data_bytes = bits_per_slot * g->bytes_per_bit;
	if (layout->data_bytes > g->data_device_bytes) {
		layout->data_bytes = round_down(g->data_device_bytes, BSR_SECTOR_BYTES);
	}
	return 0;
}

int bsr_md_layout_compute(struct bsr_md_layout *layout, const struct bsr_md_geometry *g)
{
	struct bsr_md_layout result = {0};
	int rc = check_geometry(g);
	if (rc == 0) {
		rc = bsr_md_superblock_offset(&result.superblock_offset, g->kind,
			g->md_device_bytes, g->index, g->index_stride_bytes);
	}
	if (rc != 0) {
		return rc;
	}
	result.al_bytes = (uint64_t)g->al_stripes * g->al_stripe_blocks * BSR_MD_BLOCK_BYTES;
	rc = g->kind == BSR_MD_INTERNAL ? place_internal(&result, g) : place_external(&result, g);
	if (rc != 0) {
		return rc;
	}
	if (result.data_bytes > BSR_VOLUME_BYTES_MAX) {
		result.data_bytes = BSR_VOLUME_BYTES_MAX;
	}
	BSR_ASSERT(result.superblock_offset + BSR_MD_BLOCK_BYTES <= g->md_device_bytes);
	BSR_ASSERT(result.bitmap_offset + result.bitmap_bytes <= g->md_device_bytes);
	BSR_ASSERT(result.al_offset % BSR_MD_BLOCK_BYTES == 0 &&
		   result.bitmap_offset % BSR_MD_BLOCK_BYTES == 0);
	*layout = result;
	return 0;
}

void bsr_superblock_set_layout(struct bsr_superblock *sb, const struct bsr_md_layout *layout)
{
	const int64_t al = (int64_t)layout->al_offset - (int64_t)layout->superblock_offset;
	const int64_t bm = (int64_t)layout->bitmap_offset - (int64_t)layout->superblock_offset;
	BSR_ASSERT(layout->md_sectors <= UINT32_MAX);
	BSR_ASSERT(bm / (int64_t)BSR_SECTOR_BYTES >= INT32_MIN &&
		   bm / (int64_t)BSR_SECTOR_BYTES <= INT32_MAX);
	sb->md_sectors = (uint32_t)layout->md_sectors;
	sb->al_offset_sectors = (int32_t)(al / (int64_t)BSR_SECTOR_BYTES);
	sb->bm_offset_sectors = (int32_t)(bm / (int64_t)BSR_SECTOR_BYTES);
}

int bsr_superblock_check_layout(const struct bsr_superblock *sb, const struct bsr_md_layout *layout)
{
	struct bsr_superblock expected = {0};
	bsr_superblock_set_layout(&expected, layout);
	/*
	 * md_sectors is not compared: for an external device it is the size at creation, and
	 * devices grow; for an internal one it says no more than the two offsets do.
	 */
	if (sb->al_offset_sectors != expected.al_offset_sectors ||
		sb->bm_offset_sectors != expected.bm_offset_sectors) {
		return -BSR_E_MD_INVALID;
	}
	if ((uint64_t)sb->al_stripes * sb->al_stripe_blocks * BSR_MD_BLOCK_BYTES !=
		layout->al_bytes) {
		return -BSR_E_MD_INVALID;
	}
	return 0;
}
