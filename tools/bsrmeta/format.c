// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * format.c - find, read and write superblocks, v09 and v08
 *
 * Owns:       the v08 codec; where metadata is looked for; what makes a superblock unusable.
 * May touch:  the device, through device.c.
 * Invariants:
 *   FMT-1  Metadata that bsr_meta_read() gives lies inside the device, and its agreed size inside
 * its bitmap. Format:     docs/format/superblock.md, docs/format/placement.md
 */
#include <inttypes.h>
#include <string.h>

#include <bsr/assert.h>
#include <bsr/bytes.h>
#include <bsr/errors.h>

#include "meta.h"

#define V08_MAGIC 0x8374026bu
#define V08_MAGIC_IN_USE 0x8374026cu
#define V07_MAGIC 0x8374026au
#define V06_MAGIC 0x83740269u
#define V07_MAGIC_OFFSET 28u
#define V07_FIXED_BYTES (128ull << 20)
#define EXTERNAL_DATA_BYTES (1ull << 62) /* the data device is not ours to look at */

struct v08_disk {
	bsr_be64 effective_sectors;
	bsr_be64 current_uuid;
	bsr_be64 bitmap_uuid;
	bsr_be64 history[2];
	bsr_be64 device_uuid;
	bsr_be64 reserved;
	bsr_be32 flags;
	bsr_be32 magic;
	bsr_be32 md_sectors;
	bsr_be32 al_offset_sectors;
	bsr_be32 al_extents;
	bsr_be32 bm_offset_sectors;
	bsr_be32 bytes_per_bit;
	bsr_be32 peer_max_bio_bytes;
	bsr_be32 al_stripes;
	bsr_be32 al_stripe_blocks;
	uint8_t zero[4000];
};
BSR_STATIC_ASSERT(sizeof(struct v08_disk) == BSR_MD_BLOCK_BYTES, "disk layout is fixed");

int bsr_meta_v08_decode(struct bsr_meta_md *md, const uint8_t *block)
{
	struct v08_disk disk;
	memcpy(&disk, block, sizeof(disk));
	const uint32_t magic = bsr_be32_get(disk.magic);
	if (magic != V08_MAGIC && magic != V08_MAGIC_IN_USE) {
		return -BSR_E_NOT_OURS;
	}
	memset(md, 0, sizeof(*md));
	md->format = 8;
	md->v08_in_use = magic == V08_MAGIC_IN_USE;
	md->v08_reserved = bsr_be64_get(disk.reserved);
	struct bsr_superblock *sb = &md->sb;
	sb->effective_sectors = bsr_be64_get(disk.effective_sectors);
	sb->current_gi.v = bsr_be64_get(disk.current_uuid);
	sb->history[0].v = bsr_be64_get(disk.history[0]);
	sb->history[1].v = bsr_be64_get(disk.history[1]);
	sb->device_uuid = bsr_be64_get(disk.device_uuid);
	sb->flags = bsr_be32_get(disk.flags);
	sb->md_sectors = bsr_be32_get(disk.md_sectors);
	sb->al_offset_sectors = (int32_t)bsr_be32_get(disk.al_offset_sectors);
	sb->al_extents = bsr_be32_get(disk.al_extents);
	sb->bm_offset_sectors = (int32_t)bsr_be32_get(disk.bm_offset_sectors);
	sb->bytes_per_bit = bsr_be32_get(disk.bytes_per_bit);
	sb->peer_max_bio_bytes = bsr_be32_get(disk.peer_max_bio_bytes);
	sb->al_stripes = bsr_be32_get(disk.al_stripes);
	sb->al_stripe_blocks = bsr_be32_get(disk.al_stripe_blocks);
	if (sb->al_stripes == 0 && sb->al_stripe_blocks == 0) {
		sb->al_stripes = BSR_AL_STRIPES_OLD;
		sb->al_stripe_blocks = BSR_AL_STRIPE_BLOCKS_OLD;
	}
	sb->max_peers = 1;
	sb->node_id = -1;
	for (size_t i = 0; i < BSR_NODES_MAX; i++) {
		sb->peer[i].bitmap_index = i == 0 ? 0 : -1;
	}
	sb->peer[0].bitmap_gi.v = bsr_be64_get(disk.bitmap_uuid);
	return 0;
}

void bsr_meta_v08_encode(uint8_t *block, const struct bsr_meta_md *md)
{
	const struct bsr_superblock *sb = &md->sb;
	BSR_ASSERT(md->format == 8 && sb->max_peers == 1);
	struct v08_disk disk;
	memset(&disk, 0, sizeof(disk));
	disk.effective_sectors = bsr_be64_make(sb->effective_sectors);
	disk.current_uuid = bsr_be64_make(sb->current_gi.v);
	disk.bitmap_uuid = bsr_be64_make(sb->peer[0].bitmap_gi.v);
	disk.history[0] = bsr_be64_make(sb->history[0].v);
	disk.history[1] = bsr_be64_make(sb->history[1].v);
	disk.device_uuid = bsr_be64_make(sb->device_uuid);
	disk.reserved = bsr_be64_make(md->v08_reserved);
	disk.flags = bsr_be32_make(sb->flags);
	disk.magic = bsr_be32_make(md->v08_in_use ? V08_MAGIC_IN_USE : V08_MAGIC);
	disk.md_sectors = bsr_be32_make(sb->md_sectors);
	disk.al_offset_sectors = bsr_be32_make((uint32_t)sb->al_offset_sectors);
	disk.al_extents = bsr_be32_make(sb->al_extents);
	disk.bm_offset_sectors = bsr_be32_make((uint32_t)sb->bm_offset_sectors);
	disk.bytes_per_bit = bsr_be32_make(sb->bytes_per_bit);
	disk.peer_max_bio_bytes = bsr_be32_make(sb->peer_max_bio_bytes);
	disk.al_stripes = bsr_be32_make(sb->al_stripes);
	disk.al_stripe_blocks = bsr_be32_make(sb->al_stripe_blocks);
	memcpy(block, &disk, sizeof(disk));
}

static int compute_layout(
	const struct bsr_meta_context *ctx, struct bsr_meta_md *md, uint64_t device_bytes)
{
	const struct bsr_md_geometry geometry = {
		.kind = ctx->kind,
		.md_device_bytes = device_bytes,
		.data_device_bytes =
			ctx->kind == BSR_MD_INTERNAL ? device_bytes : EXTERNAL_DATA_BYTES,
		.index = ctx->index,
		.index_stride_bytes = md->stride_bytes,
		.max_peers = md->sb.max_peers,
		.al_stripes = md->sb.al_stripes,
		.al_stripe_blocks = md->sb.al_stripe_blocks,
		.bytes_per_bit = md->sb.bytes_per_bit,
	};
	md->device_bytes = device_bytes;
	return bsr_md_layout_compute(&md->layout, &geometry);
}

int bsr_meta_layout(
	const struct bsr_meta_context *ctx, struct bsr_meta_md *md, uint64_t device_bytes)
{
	const int rc = compute_layout(ctx, md, device_bytes);
	if (rc == 0) {
		bsr_superblock_set_layout(&md->sb, &md->layout);
		return META_OK;
	}
	if (rc == -BSR_E_MD_DISK_TOO_SMALL) {
		bsr_meta_error("%s with its %" PRIu64
			       " bytes is too small for this metadata; use a larger device, "
			       "fewer peers or a smaller activity log",
			ctx->path, device_bytes);
	} else {
		bsr_meta_error("such metadata has no place on %s (%" PRIu64 " bytes): %s",
			ctx->path, device_bytes, bsr_error_text(rc));
	}
	return META_BAD;
}

/* Numbers of a decoded superblock against the device; NULL when it can be used. */
static const char *placement_problem(
	const struct bsr_meta_context *ctx, struct bsr_meta_md *md, uint64_t device_bytes)
{
	const char *problem = bsr_superblock_problem(&md->sb);
	if (problem != NULL) {
		return problem;
	}
	if (compute_layout(ctx, md, device_bytes) != 0) {
		return "it does not fit the device";
	}
	if (bsr_superblock_check_layout(&md->sb, &md->layout) != 0) {
		return "its offsets do not match the device's size";
	}
	if (ctx->kind == BSR_MD_INDEXED && md->sb.md_sectors != md->layout.md_sectors) {
		return "its size is not that of an indexed block";
	}
	if (md->format == 8 && md->sb.md_sectors != md->layout.md_sectors &&
		ctx->kind == BSR_MD_INTERNAL) {
		return "its size does not match the device's size";
	}
	if (md->sb.effective_sectors > md->layout.data_bytes / BSR_SECTOR_BYTES) {
		return "the agreed size is larger than the space for data";
	}
	return NULL;
}

static uint32_t be32_at(const uint8_t *p)
{
	bsr_be32 v;
	memcpy(&v, p, sizeof(v));
	return bsr_be32_get(v);
}

static void probe_block(const struct bsr_meta_context *ctx, uint64_t device_bytes,
	struct bsr_meta_found *found, struct bsr_meta_md *md, const uint8_t *block)
{
	const uint64_t stride_bytes = md->stride_bytes;
	const uint32_t old_magic = be32_at(block + V07_MAGIC_OFFSET);
	found->what = META_PROBE_NONE;
	int rc = bsr_meta_v08_decode(md, block);
	if (rc != 0) {
		memset(md, 0, sizeof(*md));
		md->format = 9;
		rc = bsr_superblock_decode_unchecked(&md->sb, block);
	}
	md->stride_bytes = stride_bytes;
	if (rc == -BSR_E_CORRUPT) {
		found->what = META_PROBE_DAMAGED;
		found->problem = "its checksum is wrong";
	} else if (rc == 0) {
		found->problem = placement_problem(ctx, md, device_bytes);
		found->what = found->problem != NULL ? META_PROBE_DAMAGED
			      : md->format == 8      ? META_PROBE_V08
						     : META_PROBE_V09;
	} else if (old_magic == V07_MAGIC || old_magic == V06_MAGIC) {
		found->what = META_PROBE_V07;
	}
}

static int probe_at(const struct bsr_meta_context *ctx, uint64_t device_bytes,
	struct bsr_meta_found *found, struct bsr_meta_md *md)
{
	uint8_t block[BSR_MD_BLOCK_BYTES];
	*found = (struct bsr_meta_found){.what = META_PROBE_NONE};
	if (bsr_md_superblock_offset(&found->superblock_offset, ctx->kind, device_bytes, ctx->index,
		    md->stride_bytes) != 0) {
		return META_OK; /* no such place on this device: nothing there */
	}
	if (found->superblock_offset + sizeof(block) > ctx->size_bytes) {
		return META_OK;
	}
	const int rc = bsr_meta_device_read(ctx, block, sizeof(block), found->superblock_offset);
	if (rc == META_OK) {
		probe_block(ctx, device_bytes, found, md, block);
	}
	return rc;
}

/* Before v08, internal metadata had 128 MiB at the end of the device, beginning with the
 * superblock. */
static int probe_v07_fixed(const struct bsr_meta_context *ctx, struct bsr_meta_found *found)
{
	uint8_t block[BSR_MD_BLOCK_BYTES];
	const uint64_t end = ctx->size_bytes / BSR_MD_BLOCK_BYTES * BSR_MD_BLOCK_BYTES;
	if (end < V07_FIXED_BYTES) {
		return META_OK;
	}
	const int rc = bsr_meta_device_read(ctx, block, sizeof(block), end - V07_FIXED_BYTES);
	if (rc == META_OK) {
		const uint32_t magic = be32_at(block + V07_MAGIC_OFFSET);
		if (magic == V07_MAGIC || magic == V06_MAGIC) {
			*found = (struct bsr_meta_found){.what = META_PROBE_V07,
				.v07_fixed_place = true,
				.superblock_offset = end - V07_FIXED_BYTES};
		}
	}
	return rc;
}

uint64_t bsr_meta_new_stride(const struct bsr_meta_context *ctx)
{
	return ctx->opt.stride_bytes != 0 ? ctx->opt.stride_bytes
	       : bsr_names()->drbd        ? BSR_MD_STRIDE_DRBD_BYTES
					  : BSR_MD_STRIDE_BSR_BYTES;
}

int bsr_meta_probe(const struct bsr_meta_context *ctx, uint64_t device_bytes,
	struct bsr_meta_found *found, struct bsr_meta_md *md)
{
	/* bsr gives an indexed block 256 MiB, DRBD 128 MiB: same index, other place. */
	static const uint64_t strides[] = {BSR_MD_STRIDE_BSR_BYTES, BSR_MD_STRIDE_DRBD_BYTES};
	int rc = META_OK;
	memset(md, 0, sizeof(*md));
	*found = (struct bsr_meta_found){.what = META_PROBE_NONE};
	if (ctx->kind != BSR_MD_INDEXED || ctx->opt.stride_bytes != 0) {
		md->stride_bytes = ctx->opt.stride_bytes;
		rc = probe_at(ctx, device_bytes, found, md);
	} else {
		for (size_t i = 0; i < 2 && rc == META_OK; i++) {
			struct bsr_meta_found here;
			struct bsr_meta_md candidate = {.stride_bytes = strides[i]};
			rc = probe_at(ctx, device_bytes, &here, &candidate);
			const bool better =
				found->what == META_PROBE_NONE ||
				(found->what == META_PROBE_DAMAGED && here.what == META_PROBE_V09);
			if (rc == META_OK && here.what != META_PROBE_NONE && better) {
				*found = here;
				*md = candidate;
			}
		}
	}
	if (rc == META_OK && found->what == META_PROBE_NONE && ctx->kind == BSR_MD_INTERNAL) {
		rc = probe_v07_fixed(ctx, found);
	}
	return rc;
}

const char *bsr_meta_probe_name(enum bsr_meta_probe what)
{
	switch (what) {
	case META_PROBE_NONE:
		return "no";
	case META_PROBE_V07:
		return "v07 (or older)";
	case META_PROBE_V08:
		return "v08";
	case META_PROBE_V09:
		return "v09";
	case META_PROBE_DAMAGED:
		return "damaged";
	}
	return "unknown";
}

static int report_missing(const struct bsr_meta_context *ctx, const struct bsr_meta_found *found)
{
	struct bsr_meta_md moved;
	const char *at = ctx->path;
	switch (found->what) {
	case META_PROBE_DAMAGED:
		bsr_meta_error("No valid meta data found: the superblock at byte %" PRIu64
			       " of %s cannot be used, %s",
			found->superblock_offset, at, found->problem);
		break;
	case META_PROBE_V07:
		bsr_meta_error(
			"No valid meta data found: %s has meta data of v07 or older; bring it to v08 with the "
			"tools that made it first",
			at);
		break;
	case META_PROBE_V08:
		bsr_meta_error(
			"No valid v09 meta data found: %s has v08 meta data; read it with format v08, or use "
			"convert-md",
			at);
		break;
	case META_PROBE_V09:
		bsr_meta_error("No valid v08 meta data found: %s has v09 meta data", at);
		break;
	case META_PROBE_NONE:
		bsr_meta_error("No valid meta data found on %s; a new disk gets it by create-md", at);
		if (bsr_meta_find_moved(ctx, &moved) == META_OK) {
			bsr_meta_error(
				"There is some for the size the device used to have (%" PRIu64
				" bytes): check-resize moves it to the new end",
				moved.device_bytes);
		}
		break;
	}
	return META_NOT_FOUND;
}

int bsr_meta_read(const struct bsr_meta_context *ctx, struct bsr_meta_md *md)
{
	struct bsr_meta_found found;
	const int rc = bsr_meta_probe(ctx, ctx->size_bytes, &found, md);
	if (rc != META_OK) {
		return rc;
	}
	if ((found.what == META_PROBE_V09 && ctx->format == 9) ||
		(found.what == META_PROBE_V08 && ctx->format == 8)) {
		return META_OK;
	}
	return report_missing(ctx, &found);
}

int bsr_meta_write(const struct bsr_meta_context *ctx, struct bsr_meta_md *md)
{
	uint8_t block[BSR_MD_BLOCK_BYTES];
	if (md->format == 8) {
		bsr_meta_v08_encode(block, md);
	} else {
		if (md->sb.write_sequence != 0) {
			md->sb.write_sequence++; /* ours: keep the checksum; another tool's: keep
						    the zeroes */
		}
		bsr_superblock_encode(block, &md->sb);
	}
	const int rc =
		bsr_meta_device_write(ctx, block, sizeof(block), md->layout.superblock_offset);
	return rc == META_OK ? bsr_meta_device_sync(ctx) : rc;
}

bool bsr_meta_is_clean(const struct bsr_meta_md *md)
{
	return (md->sb.flags & BSR_MDF_AL_CLEAN) != 0 && !(md->format == 8 && md->v08_in_use);
}

uint64_t bsr_meta_bitmap_bytes(const struct bsr_meta_md *md)
{
	if (md->sb.effective_sectors == 0) {
		return 0;
	}
	const uint64_t bytes = bsr_md_bitmap_bytes(
		md->sb.effective_sectors, md->sb.max_peers, md->sb.bytes_per_bit);
	BSR_ASSERT(bytes <= md->layout.bitmap_bytes);
	return bytes;
}
