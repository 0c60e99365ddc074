/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * superblock.h - the v09 superblock of DRBD 9 and bsr, and where metadata lies
 *
 * Format: docs/format/superblock.md. Unknown flag bits and reserved fields are carried along
 *         unchanged.
 */
#ifndef BSR_ENGINE_SUPERBLOCK_H
#define BSR_ENGINE_SUPERBLOCK_H

#include <bsr/engine.h>
#include <bsr/types.h>

#define BSR_SUPERBLOCK_MAGIC 0x8374026du
#define BSR_SUPERBLOCK_TAIL_MAGIC 0x62737231u /* "bsr1", before our checksum in the unused tail */

#define BSR_BITMAP_SLOTS_MAX 32u	/* 31 are used; metadata with 32 exists and is read */
#define BSR_BYTES_PER_BIT_MIN 4096u
#define BSR_BYTES_PER_BIT_MAX 1048576u
#define BSR_AL_RING_BLOCKS_MIN 8u	/* 32 KiB */
#define BSR_AL_STRIPES_OLD 1u		/* what two zeroes in the stripe fields mean */
#define BSR_AL_STRIPE_BLOCKS_OLD 8u
#define BSR_MD_INDEX_MAX 255u
#define BSR_MD_STRIDE_DRBD_BYTES (128ull << 20)
#define BSR_MD_STRIDE_BSR_BYTES (256ull << 20)

#define BSR_MDF_CONSISTENT 0x001u
#define BSR_MDF_PRIMARY_IND 0x002u
#define BSR_MDF_WAS_UP_TO_DATE 0x010u
#define BSR_MDF_CRASHED_PRIMARY 0x040u
#define BSR_MDF_AL_CLEAN 0x080u
#define BSR_MDF_AL_DISABLED 0x100u
#define BSR_MDF_PRIMARY_LOST_QUORUM 0x200u
#define BSR_MDF_HAVE_QUORUM 0x400u
#define BSR_MDF_LAST_PRIMARY 0x10000u
#define BSR_MDF_IO_ERROR 0x20000u
#define BSR_MDF_WAS_PRIMARY 0x40000u
#define BSR_MDF_VERIFY_MISMATCH 0x80000u
/* ours: the current generation is the base of a full sync that has not finished; the data is of no value */
#define BSR_MDF_SYNC_BASE 0x1000000u

#define BSR_MDPF_CONNECTED 0x01u
#define BSR_MDPF_OUTDATED 0x02u
#define BSR_MDPF_FENCING 0x04u
#define BSR_MDPF_FULL_SYNC 0x08u
#define BSR_MDPF_DEVICE_SEEN 0x10u
#define BSR_MDPF_NODE_EXISTS 0x10000u
/* I am its source, and have not heard that it finished */
#define BSR_MDPF_IN_PROGRESS_SYNC 0x40000u
/*
 * ours: it is Primary and writes here, and third nodes may lack what it writes. After a crash the activity log says
 * where: those extents are out of sync toward everybody else
 */
#define BSR_MDPF_WRITES_HERE 0x1000000u
/* ours: it may have my current generation although the slot names an older one: somebody else may have given it */
#define BSR_MDPF_MAY_HAVE_CURRENT 0x2000000u
/* ours: I was its source and have not heard that it finished, also when a new generation has begun since */
#define BSR_MDPF_MISSED_END 0x4000000u

struct bsr_superblock_peer {
	struct bsr_gi bitmap_gi;
	uint64_t bitmap_dagtag;
	uint32_t flags; /* BSR_MDPF_* and unknown ones */
	int32_t bitmap_index; /* slot, -1 = none */
	uint64_t reserved;
};

struct bsr_superblock {
	uint64_t effective_sectors;
	struct bsr_gi current_gi;
	uint64_t members;
	uint64_t reserved_u64[3];
	uint64_t device_uuid;
	uint32_t flags; /* BSR_MDF_* and unknown ones */
	uint32_t md_sectors;
	int32_t al_offset_sectors; /* from the superblock */
	uint32_t al_extents;
	int32_t bm_offset_sectors; /* from the superblock */
	uint32_t bytes_per_bit;
	uint32_t peer_max_bio_bytes;
	uint32_t max_peers;
	int32_t node_id; /* -1 until first attach */
	uint32_t al_stripes;
	uint32_t al_stripe_blocks;
	uint32_t reserved_u32[2];
	struct bsr_superblock_peer peer[BSR_NODES_MAX];
	struct bsr_gi history[BSR_HISTORY_UUIDS];
	/* our own, in the unused tail with a checksum; 0 = another tool wrote it last */
	uint64_t write_sequence;
};

/**
 * bsr_superblock_encode - @out has 4096 bytes; our tail (checksum, write_sequence) is written when
 * write_sequence != 0
 */
void bsr_superblock_encode(uint8_t *out, const struct bsr_superblock *sb);
/**
 * -BSR_E_NOT_OURS (magic), -BSR_E_CORRUPT (our checksum is there and wrong), -BSR_E_RANGE
 * (impossible numbers)
 */
int bsr_superblock_decode(struct bsr_superblock *sb, const uint8_t *in) BSR_MUST_CHECK;
/**
 * bsr_superblock_decode_unchecked - the same without the number checks, for a tool that shows or
 * repairs a block
 */
int bsr_superblock_decode_unchecked(struct bsr_superblock *sb, const uint8_t *in) BSR_MUST_CHECK;
/**
 * bsr_superblock_problem - what makes these numbers impossible, as a phrase; NULL when nothing does
 */
const char *bsr_superblock_problem(const struct bsr_superblock *sb);

/** Where things lie, absolute bytes in the metadata device. */
struct bsr_md_layout {
	uint64_t superblock_offset;
	uint64_t al_offset;
	uint64_t al_bytes;
	uint64_t bitmap_offset;
	uint64_t bitmap_bytes;
	uint64_t md_sectors;
	uint64_t data_bytes; /* how much of the backing device a volume can use at most */
};

struct bsr_md_geometry {
	enum bsr_md_kind kind;
	uint64_t md_device_bytes;   /* device holding the metadata */
	uint64_t data_device_bytes; /* backing device; equal for internal */
	uint32_t index;		    /* indexed only */
	uint64_t index_stride_bytes; /* indexed only */
	uint32_t max_peers;
	uint32_t al_stripes;
	uint32_t al_stripe_blocks;
	uint32_t bytes_per_bit;
};

/**
 * bsr_md_layout_compute - placement by docs/format/placement.md; -BSR_E_MD_DISK_TOO_SMALL,
 * -BSR_E_RANGE
 */
int bsr_md_layout_compute(struct bsr_md_layout *layout, const struct bsr_md_geometry *geometry) BSR_MUST_CHECK;
/** bsr_md_superblock_offset - where to look for the superblock before anything else is known */
int bsr_md_superblock_offset(uint64_t *offset, enum bsr_md_kind kind, uint64_t md_device_bytes, uint32_t index,
	uint64_t index_stride_bytes) BSR_MUST_CHECK;
/**
 * bsr_md_bitmap_bytes - bitmap area for a device of @sectors (at most 2^53): slots rounded to 64
 * bits, area to 4 KiB
 */
uint64_t bsr_md_bitmap_bytes(uint64_t sectors, uint32_t max_peers, uint32_t bytes_per_bit);
/** bsr_superblock_set_layout - store @layout's offsets and size in the superblock's fields */
void bsr_superblock_set_layout(struct bsr_superblock *sb, const struct bsr_md_layout *layout);
/** bsr_superblock_check_layout - stored offsets agree with @layout; -BSR_E_MD_INVALID otherwise */
int bsr_superblock_check_layout(
	const struct bsr_superblock *sb, const struct bsr_md_layout *layout) BSR_MUST_CHECK;

/**
 * bsr_superblock_push_history - by the rules of docs/format/superblock.md (masked, no 0, 4, current
 * or duplicate)
 */
void bsr_superblock_push_history(struct bsr_superblock *sb, struct bsr_gi gi);
/** bsr_superblock_forget - @node_id has no slot any more, and nothing is remembered of it */
void bsr_superblock_forget(struct bsr_superblock *sb, uint32_t node_id);
/** bsr_superblock_retire_base - @node_id has what its slot was relative to: the slot names nothing, history remembers */
void bsr_superblock_retire_base(struct bsr_superblock *sb, uint32_t node_id);
/**
 * bsr_superblock_find_slot - slot of @node_id, allocating the lowest free one; -1 when none is free
 */
int32_t bsr_superblock_slot(struct bsr_superblock *sb, uint32_t node_id);

#endif
