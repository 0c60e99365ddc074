// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * superblock.c - the v09 superblock as bytes
 *
 * Owns:       the 4096 bytes on disk, the history of generation identifiers, bitmap slot
 * allocation. May touch:  nothing; it is pure translation. Invariants: SB-1  What decodes can be
 * used: every index and size is within its limits. SB-2  decode then encode gives the same bytes
 * (but for both AL stripe fields 0, the old way to write 1 x 8, and for bytes in the padding that
 * belong to nobody). Format:     docs/format/superblock.md
 */
#include "superblock.h"

#include <string.h>

#include <bsr/assert.h>
#include <bsr/bytes.h>
#include <bsr/crc32c.h>
#include <bsr/errors.h>

struct peer_disk {
	bsr_be64 bitmap_gi;
	bsr_be64 bitmap_dagtag;
	bsr_be32 flags;
	bsr_be32 bitmap_index;
	bsr_be64 reserved;
};
BSR_STATIC_ASSERT(sizeof(struct peer_disk) == 32, "disk layout is fixed");

struct superblock_disk {
	bsr_be64 effective_sectors;
	bsr_be64 current_gi;
	bsr_be64 members;
	bsr_be64 reserved_u64[3];
	bsr_be64 device_uuid;
	bsr_be32 flags;
	bsr_be32 magic;
	bsr_be32 md_sectors;
	bsr_be32 al_offset_sectors;
	bsr_be32 al_extents;
	bsr_be32 bm_offset_sectors;
	bsr_be32 bytes_per_bit;
	bsr_be32 peer_max_bio_bytes;
	bsr_be32 max_peers;
	bsr_be32 node_id;
	bsr_be32 al_stripes;
	bsr_be32 al_stripe_blocks;
	bsr_be32 reserved_u32[2];
	struct peer_disk peer[BSR_NODES_MAX];
	bsr_be64 history[BSR_HISTORY_UUIDS];
	uint8_t padding[2688];
	/* ours; other tools write zeroes here */
	bsr_be32 tail_magic;
	bsr_be32 tail_crc32c; /* of the whole block with this field as zero, standard form */
	bsr_be64 write_sequence;
};
BSR_STATIC_ASSERT(sizeof(struct superblock_disk) == BSR_MD_BLOCK_BYTES, "disk layout is fixed");
BSR_STATIC_ASSERT(offsetof(struct superblock_disk, magic) == 60, "disk layout is fixed");
BSR_STATIC_ASSERT(offsetof(struct superblock_disk, max_peers) == 88, "disk layout is fixed");
BSR_STATIC_ASSERT(offsetof(struct superblock_disk, peer) == 112, "disk layout is fixed");
BSR_STATIC_ASSERT(offsetof(struct superblock_disk, history) == 1136, "disk layout is fixed");
BSR_STATIC_ASSERT(offsetof(struct superblock_disk, tail_magic) == 4080, "disk layout is fixed");

static uint32_t tail_crc(const struct superblock_disk *disk)
{
	static const uint8_t zero[4];
	const uint8_t *bytes = (const uint8_t *)disk;
	const size_t at = offsetof(struct superblock_disk, tail_crc32c);
	uint32_t crc = bsr_crc32c(~0u, bytes, at);
	crc = bsr_crc32c(crc, zero, sizeof(zero));
	return ~bsr_crc32c(crc, bytes + at + sizeof(zero), sizeof(*disk) - at - sizeof(zero));
}

static void encode_head(struct superblock_disk *disk, const struct bsr_superblock *sb)
{
	disk->effective_sectors = bsr_be64_make(sb->effective_sectors);
	disk->current_gi = bsr_be64_make(sb->current_gi.v);
	disk->members = bsr_be64_make(sb->members);
	for (size_t i = 0; i < 3; i++) {
		disk->reserved_u64[i] = bsr_be64_make(sb->reserved_u64[i]);
	}
	disk->device_uuid = bsr_be64_make(sb->device_uuid);
	disk->flags = bsr_be32_make(sb->flags);
	disk->magic = bsr_be32_make(BSR_SUPERBLOCK_MAGIC);
	disk->md_sectors = bsr_be32_make(sb->md_sectors);
	disk->al_offset_sectors = bsr_be32_make((uint32_t)sb->al_offset_sectors);
	disk->al_extents = bsr_be32_make(sb->al_extents);
	disk->bm_offset_sectors = bsr_be32_make((uint32_t)sb->bm_offset_sectors);
	disk->bytes_per_bit = bsr_be32_make(sb->bytes_per_bit);
	disk->peer_max_bio_bytes = bsr_be32_make(sb->peer_max_bio_bytes);
	disk->max_peers = bsr_be32_make(sb->max_peers);
	disk->node_id = bsr_be32_make((uint32_t)sb->node_id);
	disk->al_stripes = bsr_be32_make(sb->al_stripes);
	disk->al_stripe_blocks = bsr_be32_make(sb->al_stripe_blocks);
	disk->reserved_u32[0] = bsr_be32_make(sb->reserved_u32[0]);
	disk->reserved_u32[1] = bsr_be32_make(sb->reserved_u32[1]);
}

void bsr_superblock_encode(uint8_t *out, const struct bsr_superblock *sb)
{
	struct superblock_disk disk;
	BSR_ASSERT(bsr_superblock_problem(sb) == NULL);
	memset(&disk, 0, sizeof(disk));
	encode_head(&disk, sb);
	for (size_t i = 0; i < BSR_NODES_MAX; i++) {
		disk.peer[i].bitmap_gi = bsr_be64_make(sb->peer[i].bitmap_gi.v);
		disk.peer[i].bitmap_dagtag = bsr_be64_make(sb->peer[i].bitmap_dagtag);
		disk.peer[i].flags = bsr_be32_make(sb->peer[i].flags);
		disk.peer[i].bitmap_index = bsr_be32_make((uint32_t)sb->peer[i].bitmap_index);
		disk.peer[i].reserved = bsr_be64_make(sb->peer[i].reserved);
	}
	for (size_t i = 0; i < BSR_HISTORY_UUIDS; i++) {
		disk.history[i] = bsr_be64_make(sb->history[i].v);
	}
	if (sb->write_sequence != 0) {
		disk.tail_magic = bsr_be32_make(BSR_SUPERBLOCK_TAIL_MAGIC);
		disk.write_sequence = bsr_be64_make(sb->write_sequence);
		disk.tail_crc32c = bsr_be32_make(tail_crc(&disk));
	}
	memcpy(out, &disk, sizeof(disk));
}

static void decode_head(struct bsr_superblock *sb, const struct superblock_disk *disk)
{
	sb->effective_sectors = bsr_be64_get(disk->effective_sectors);
	sb->current_gi.v = bsr_be64_get(disk->current_gi);
	sb->members = bsr_be64_get(disk->members);
	for (size_t i = 0; i < 3; i++) {
		sb->reserved_u64[i] = bsr_be64_get(disk->reserved_u64[i]);
	}
	sb->device_uuid = bsr_be64_get(disk->device_uuid);
	sb->flags = bsr_be32_get(disk->flags);
	sb->md_sectors = bsr_be32_get(disk->md_sectors);
	sb->al_offset_sectors = (int32_t)bsr_be32_get(disk->al_offset_sectors);
	sb->al_extents = bsr_be32_get(disk->al_extents);
	sb->bm_offset_sectors = (int32_t)bsr_be32_get(disk->bm_offset_sectors);
	sb->bytes_per_bit = bsr_be32_get(disk->bytes_per_bit);
	sb->peer_max_bio_bytes = bsr_be32_get(disk->peer_max_bio_bytes);
	sb->max_peers = bsr_be32_get(disk->max_peers);
	sb->node_id = (int32_t)bsr_be32_get(disk->node_id);
	sb->al_stripes = bsr_be32_get(disk->al_stripes);
	sb->al_stripe_blocks = bsr_be32_get(disk->al_stripe_blocks);
	if (sb->al_stripes == 0 && sb->al_stripe_blocks == 0) {
		sb->al_stripes = BSR_AL_STRIPES_OLD; /* written before striping existed */
		sb->al_stripe_blocks = BSR_AL_STRIPE_BLOCKS_OLD;
	}
	sb->reserved_u32[0] = bsr_be32_get(disk->reserved_u32[0]);
	sb->reserved_u32[1] = bsr_be32_get(disk->reserved_u32[1]);
}

/* Zero means that another tool wrote the block last; anything else must be ours and whole. */
static int decode_tail(struct bsr_superblock *sb, const struct superblock_disk *disk)
{
	const uint32_t magic = bsr_be32_get(disk->tail_magic);
	const uint32_t crc = bsr_be32_get(disk->tail_crc32c);
	sb->write_sequence = bsr_be64_get(disk->write_sequence);
	if (magic == 0 && crc == 0 && sb->write_sequence == 0) {
		return 0;
	}
	if (magic != BSR_SUPERBLOCK_TAIL_MAGIC || sb->write_sequence == 0 ||
		crc != tail_crc(disk)) {
		return -BSR_E_CORRUPT;
	}
	return 0;
}

int bsr_superblock_decode_unchecked(struct bsr_superblock *sb, const uint8_t *in)
{
	struct superblock_disk disk;
	memcpy(&disk, in, sizeof(disk));
	if (bsr_be32_get(disk.magic) != BSR_SUPERBLOCK_MAGIC) {
		return -BSR_E_NOT_OURS;
	}
	struct bsr_superblock result;
	memset(&result, 0, sizeof(result));
	if (decode_tail(&result, &disk) != 0) {
		return -BSR_E_CORRUPT;
	}
	decode_head(&result, &disk);
	for (size_t i = 0; i < BSR_NODES_MAX; i++) {
		result.peer[i].bitmap_gi.v = bsr_be64_get(disk.peer[i].bitmap_gi);
		result.peer[i].bitmap_dagtag = bsr_be64_get(disk.peer[i].bitmap_dagtag);
		result.peer[i].flags = bsr_be32_get(disk.peer[i].flags);
		result.peer[i].bitmap_index = (int32_t)bsr_be32_get(disk.peer[i].bitmap_index);
		result.peer[i].reserved = bsr_be64_get(disk.peer[i].reserved);
	}
	for (size_t i = 0; i < BSR_HISTORY_UUIDS; i++) {
		result.history[i].v = bsr_be64_get(disk.history[i]);
	}
	*sb = result;
	return 0;
}

int bsr_superblock_decode(struct bsr_superblock *sb, const uint8_t *in)
{
	struct bsr_superblock result;
	const int rc = bsr_superblock_decode_unchecked(&result, in);
	if (rc != 0) {
		return rc;
	}
	if (bsr_superblock_problem(&result) != NULL) {
		return -BSR_E_RANGE;
	}
	*sb = result;
	return 0;
}

static const char *slot_problem(const struct bsr_superblock *sb)
{
	uint64_t used = 0;
	for (size_t i = 0; i < BSR_NODES_MAX; i++) {
		const int32_t slot = sb->peer[i].bitmap_index;
		if (slot == -1) {
			continue;
		}
		if (slot < 0 || slot >= (int32_t)sb->max_peers) {
			return "the bitmap index of a peer is not one of the slots";
		}
		if ((used & (1ull << slot)) != 0) {
			return "two peers share a bitmap slot";
		}
		used |= 1ull << slot;
	}
	if (sb->node_id >= 0 && sb->peer[sb->node_id].bitmap_index != -1) {
		return "the node has a bitmap slot for itself";
	}
	return NULL;
}

const char *bsr_superblock_problem(const struct bsr_superblock *sb)
{
	if (sb->max_peers < 1 || sb->max_peers > BSR_BITMAP_SLOTS_MAX) {
		return "the number of bitmap slots (max-peers) is not 1..32";
	}
	if (sb->node_id < -1 || sb->node_id >= (int32_t)BSR_NODES_MAX) {
		return "the node id is not -1..31";
	}
	if (sb->bytes_per_bit < BSR_BYTES_PER_BIT_MIN ||
		sb->bytes_per_bit > BSR_BYTES_PER_BIT_MAX ||
		(sb->bytes_per_bit & (sb->bytes_per_bit - 1)) != 0) {
		return "bytes per bitmap bit is not a power of two from 4096 to 1048576";
	}
	if (sb->al_stripes == 0 || sb->al_stripe_blocks == 0 ||
		sb->al_stripes > BSR_AL_RING_BLOCKS_MAX ||
		sb->al_stripe_blocks > BSR_AL_RING_BLOCKS_MAX) {
		return "the activity log's stripes make no ring";
	}
	const uint32_t ring_blocks = sb->al_stripes * sb->al_stripe_blocks;
	if (ring_blocks < BSR_AL_RING_BLOCKS_MIN || ring_blocks > BSR_AL_RING_BLOCKS_MAX) {
		return "the activity log is not 32 KiB to 32 MiB";
	}
	if (sb->al_extents > BSR_AL_EXTENTS_MAX) {
		return "the activity log has more than 65534 slots";
	}
	if (sb->effective_sectors > BSR_VOLUME_BYTES_MAX / BSR_SECTOR_BYTES) {
		return "the agreed size is more than 1 PiB";
	}
	return slot_problem(sb);
}

static bool history_has(const struct bsr_superblock *sb, uint64_t gi)
{
	for (size_t i = 0; i < BSR_HISTORY_UUIDS; i++) {
		if ((sb->history[i].v & BSR_GI_MASK) == gi) {
			return true;
		}
	}
	return false;
}

static bool peer_has(const struct bsr_superblock *sb, uint64_t gi)
{
	for (size_t i = 0; i < BSR_NODES_MAX; i++) {
		if ((int32_t)i != sb->node_id && (sb->peer[i].bitmap_gi.v & BSR_GI_MASK) == gi) {
			return true;
		}
	}
	return false;
}

void bsr_superblock_push_history(struct bsr_superblock *sb, struct bsr_gi gi)
{
	const uint64_t v = gi.v & BSR_GI_MASK;
	if (v == BSR_GI_NONE || v == BSR_GI_JUST_CREATED || v == (sb->current_gi.v & BSR_GI_MASK)) {
		return;
	}
	/* An empty first place takes even an identifier that a peer's bitmap still shows: there is
	 * no history yet. */
	if (sb->history[0].v != BSR_GI_NONE) {
		if (peer_has(sb, v) || history_has(sb, v)) {
			return;
		}
		memmove(&sb->history[1], &sb->history[0],
			sizeof(sb->history) - sizeof(sb->history[0]));
	}
	sb->history[0].v = v;
	BSR_ASSERT((sb->history[0].v & BSR_GI_PRIMARY_BIT) == 0);
}

int32_t bsr_superblock_slot(struct bsr_superblock *sb, uint32_t node_id)
{
	BSR_ASSERT(node_id < BSR_NODES_MAX);
	BSR_ASSERT(sb->max_peers >= 1 && sb->max_peers <= BSR_BITMAP_SLOTS_MAX);
	if (sb->peer[node_id].bitmap_index != -1) {
		return sb->peer[node_id].bitmap_index;
	}
	uint64_t used = 0;
	for (size_t i = 0; i < BSR_NODES_MAX; i++) {
		if (sb->peer[i].bitmap_index >= 0) {
			used |= 1ull << sb->peer[i].bitmap_index;
		}
	}
	for (uint32_t slot = 0; slot < sb->max_peers; slot++) {
		if ((used & (1ull << slot)) == 0) {
			sb->peer[node_id].bitmap_index = (int32_t)slot;
			return (int32_t)slot;
		}
	}
	return -1;
}

void bsr_superblock_forget(struct bsr_superblock *sb, uint32_t node_id)
{
	BSR_ASSERT(node_id < BSR_NODES_MAX);
	struct bsr_superblock_peer *sp = &sb->peer[node_id];
	*sp = (struct bsr_superblock_peer){.bitmap_index = -1, .reserved = sp->reserved};
}

void bsr_superblock_retire_base(struct bsr_superblock *sb, uint32_t node_id)
{
	BSR_ASSERT(node_id < BSR_NODES_MAX);
	const struct bsr_gi old = sb->peer[node_id].bitmap_gi;
	sb->peer[node_id].bitmap_gi.v = BSR_GI_NONE;
	sb->peer[node_id].bitmap_dagtag = 0;
	sb->peer[node_id].flags &= ~BSR_MDPF_MISSED_END;
	bsr_superblock_push_history(sb, old);
}
