/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * bitmap.h - which blocks differ, per peer slot, in memory and as disk blocks
 *
 * One bit per 4 KiB block and slot, 1 = out of sync. Pages exist only where needed: a page that is
 * all zero or all one costs nothing. When the pool is empty a page is coarsened to all-one: always
 * safe, later more to resync. On disk the slots are interleaved by 32-bit words
 * (docs/format/bitmap.md). Dirty tracking is per 4 KiB disk block and tells blocks with newly set
 * bits from those with cleared bits only, because set bits must reach the disk before what makes
 * them matter, cleared bits only after the data is stable.
 */
#ifndef BSR_ENGINE_BITMAP_H
#define BSR_ENGINE_BITMAP_H

#include <bsr/types.h>

struct bsr_bitmap;

#define BSR_BITMAP_NO_BIT UINT64_MAX

/**
 * bsr_bitmap_memory - bytes bsr_bitmap_init() needs, aligned to 4096
 * @bit_count: blocks of the volume
 * @slot_count: bitmap slots of the metadata (max_peers), 1..BSR_PEERS_MAX
 * @pool_pages: 4 KiB pages for mixed content, at least 1; less than needed is allowed (coarsening).
 *   Several resyncs
 * at a time need a few pages each (limits.h)
 */
size_t bsr_bitmap_memory(uint64_t bit_count, uint32_t slot_count, uint32_t pool_pages);
/**
 * bsr_bitmap_pool_pages - pool for a volume: what full content would need, at most
 * BSR_BITMAP_POOL_PAGES
 */
uint32_t bsr_bitmap_pool_pages(uint64_t bit_count, uint32_t slot_count);
/**
 * bsr_bitmap_init - all bits zero, nothing dirty; lives in @mem (zeroed, >= bsr_bitmap_memory())
 */
struct bsr_bitmap *bsr_bitmap_init(void *mem, uint64_t bit_count, uint32_t slot_count, uint32_t pool_pages);

uint64_t bsr_bitmap_bit_count(const struct bsr_bitmap *bm);
/** bsr_bitmap_set - returns how many were clear before (coarsening counts what it adds, too) */
uint64_t bsr_bitmap_set(struct bsr_bitmap *bm, uint32_t slot, uint64_t first_bit, uint64_t bit_count);
/**
 * bsr_bitmap_clear - returns how many were set before
 *
 * Clearing a part of a full page while the pool is empty rounds another page up, of any slot: the
 * weights of others may grow.
 */
uint64_t bsr_bitmap_clear(struct bsr_bitmap *bm, uint32_t slot, uint64_t first_bit, uint64_t bit_count);
bool bsr_bitmap_any(const struct bsr_bitmap *bm, uint32_t slot, uint64_t first_bit, uint64_t bit_count);
/** bsr_bitmap_weight - set bits of a slot; O(1) */
uint64_t bsr_bitmap_weight(const struct bsr_bitmap *bm, uint32_t slot);
/** bsr_bitmap_next - first set bit >= @from, BSR_BITMAP_NO_BIT when none; fast over empty pages */
uint64_t bsr_bitmap_next(const struct bsr_bitmap *bm, uint32_t slot, uint64_t from);
/** bsr_bitmap_run - set bits in a row from @from, at most @limit */
uint64_t bsr_bitmap_run(const struct bsr_bitmap *bm, uint32_t slot, uint64_t from, uint64_t limit);
/**
 * bsr_bitmap_words - copy bits [first_bit, +bit_count) as little-endian bytes; both multiples of
 * 64; past the end: 0
 */
void bsr_bitmap_words(const struct bsr_bitmap *bm, uint32_t slot, uint64_t first_bit, uint32_t bit_count, uint8_t *out);
/**
 * bsr_bitmap_merge_words - OR such bytes in; bits past the end are ignored; returns how many were
 * clear before
 */
uint64_t bsr_bitmap_merge_words(
	struct bsr_bitmap *bm, uint32_t slot, uint64_t first_bit, uint32_t bit_count, const uint8_t *in);

/* ---- disk form: block b is the b-th 4 KiB of the bitmap area ---- */
uint64_t bsr_bitmap_block_count(const struct bsr_bitmap *bm);
/** bsr_bitmap_load - add the set bits of a block as read; marks nothing dirty; ignores padding */
void bsr_bitmap_load(struct bsr_bitmap *bm, uint64_t block, const uint8_t *in);
/** bsr_bitmap_store - the block as it is to be written; padding bits are zero */
void bsr_bitmap_store(const struct bsr_bitmap *bm, uint64_t block, uint8_t *out);

#define BSR_BITMAP_DIRTY_SET 1u	  /* has bits set since it was last written */
#define BSR_BITMAP_DIRTY_CLEAR 2u /* has bits cleared since */
/**
 * bsr_bitmap_next_dirty - first block >= @from that is dirty in one of the ways in @kinds; NO_BIT
 * when none
 */
uint64_t bsr_bitmap_next_dirty(const struct bsr_bitmap *bm, uint64_t from, uint32_t kinds);
uint32_t bsr_bitmap_dirty(const struct bsr_bitmap *bm, uint64_t block);
/**
 * bsr_bitmap_mark_written - the content that bsr_bitmap_store() gave is about to be written: clean
 * from now on
 */
void bsr_bitmap_mark_written(struct bsr_bitmap *bm, uint64_t block);
/** bsr_bitmap_mark_dirty - a write failed, or a whole slot must reach the disk */
void bsr_bitmap_mark_dirty(struct bsr_bitmap *bm, uint64_t block, uint32_t kinds);
/**
 * bsr_bitmap_extent_blocks - disk blocks with the bits of an activity-log extent, all slots; none
 * behind the end
 */
void bsr_bitmap_extent_blocks(const struct bsr_bitmap *bm, uint32_t extent, uint64_t *first, uint64_t *count);
/** bsr_bitmap_coarsened - pages that were rounded up for lack of memory, since init */
uint64_t bsr_bitmap_coarsened(const struct bsr_bitmap *bm);
/** bsr_bitmap_check - panics unless counts, pages and dirty marks agree (costly) */
void bsr_bitmap_check(const struct bsr_bitmap *bm);

#endif
