// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * bitmap_disk.c - which blocks differ, as disk blocks
 *
 * Owns:       the interleaved form on disk, and which of its blocks differ from memory.
 * May touch:  the pages of bitmap.c, through bm_word() and bm_or_word().
 * Format:     docs/format/bitmap.md: the slots take turns with little-endian words of 32 bits.
 */
#include <string.h>

#include "bitmap_private.h"

uint64_t bsr_bitmap_block_count(const struct bsr_bitmap *bm)
{
	return bm->block_count;
}

/* ---------------------------------------------------------------- the content */

/* First position (word of a slot) whose turn is at or behind 32-bit word @word32 of the area. */
static uint64_t first_position(const struct bsr_bitmap *bm, uint32_t slot, uint64_t word32)
{
	return word32 <= slot ? 0 : (word32 - slot + bm->slot_count - 1) / bm->slot_count;
}

static uint32_t le32_get(const uint8_t *in)
{
	return (uint32_t)in[0] | (uint32_t)in[1] << 8 | (uint32_t)in[2] << 16 |
	       (uint32_t)in[3] << 24;
}

static void le32_put(uint8_t *out, uint32_t v)
{
	out[0] = (uint8_t)v;
	out[1] = (uint8_t)(v >> 8);
	out[2] = (uint8_t)(v >> 16);
	out[3] = (uint8_t)(v >> 24);
}

void bsr_bitmap_load(struct bsr_bitmap *bm, uint64_t block, const uint8_t *in)
{
	BSR_ASSERT(block < bm->block_count);
	const uint64_t begin = block * BM_BLOCK_WORDS32;
	const uint64_t end = begin + BM_BLOCK_WORDS32;
	for (uint32_t slot = 0; slot < bm->slot_count; slot++) {
		for (uint64_t pos = first_position(bm, slot, begin);
			pos * bm->slot_count + slot < end; pos++) {
			const uint64_t at = pos * bm->slot_count + slot - begin;
			const uint64_t bits = le32_get(in + at * 4);
			bool coarse;
			if (bits != 0) {
				(void)bm_or_word(
					bm, slot, pos / 2, bits << (32 * (pos & 1)), &coarse);
			}
		}
	}
}

void bsr_bitmap_store(const struct bsr_bitmap *bm, uint64_t block, uint8_t *out)
{
	BSR_ASSERT(block < bm->block_count);
	const uint64_t begin = block * BM_BLOCK_WORDS32;
	const uint64_t end = begin + BM_BLOCK_WORDS32;
	memset(out, 0, BSR_MD_BLOCK_BYTES);
	for (uint32_t slot = 0; slot < bm->slot_count; slot++) {
		for (uint64_t pos = first_position(bm, slot, begin);
			pos * bm->slot_count + slot < end; pos++) {
			const uint64_t at = pos * bm->slot_count + slot - begin;
			const uint64_t word = bm_word(bm, slot, pos / 2);
			le32_put(out + at * 4, (uint32_t)(word >> (32 * (pos & 1))));
		}
	}
}

void bsr_bitmap_extent_blocks(
	const struct bsr_bitmap *bm, uint32_t extent, uint64_t *first, uint64_t *count)
{
	const uint64_t bits_per_extent = BSR_AL_EXTENT_BYTES / BSR_BITMAP_BLOCK_BYTES;
	const uint64_t first_bit = extent * bits_per_extent;
	*first = 0;
	*count = 0;
	if (first_bit >= bm->bit_count) {
		return;
	}
	const uint64_t left = bm->bit_count - first_bit;
	const uint64_t last_bit = first_bit + (left < bits_per_extent ? left : bits_per_extent) - 1;
	*first = bm_block_of_bit(bm, 0, first_bit);
	*count = bm_block_of_bit(bm, bm->slot_count - 1, last_bit) - *first + 1;
}

/* ------------------------------------------------------------------ dirty marks */

static uint32_t lowest_bit(uint64_t x)
{
	return (uint32_t)__builtin_ctzll(x);
}

static void block_set_add_range(struct bm_block_set *set, uint64_t first, uint64_t last)
{
	for (uint64_t w = first >> 6; w <= last >> 6; w++) {
		set->lower[w] |= bm_mask(w == first >> 6 ? (uint32_t)(first & 63) : 0,
			w == last >> 6 ? (uint32_t)(last & 63) : 63);
	}
	for (uint64_t w = first >> 12; w <= last >> 12; w++) {
		set->upper[w] |= bm_mask(w == first >> 12 ? (uint32_t)((first >> 6) & 63) : 0,
			w == last >> 12 ? (uint32_t)((last >> 6) & 63) : 63);
	}
}

static void block_set_remove(struct bm_block_set *set, uint64_t block)
{
	set->lower[block >> 6] &= ~(1ull << (block & 63));
	if (set->lower[block >> 6] == 0) {
		set->upper[block >> 12] &= ~(1ull << ((block >> 6) & 63));
	}
}

static bool block_set_has(const struct bm_block_set *set, uint64_t block)
{
	return (set->lower[block >> 6] >> (block & 63) & 1) != 0;
}

static uint64_t block_set_next(const struct bm_block_set *set, uint64_t block_count, uint64_t from)
{
	if (from >= block_count) {
		return BSR_BITMAP_NO_BIT;
	}
	const uint64_t here = set->lower[from >> 6] & (~0ull << (from & 63));
	if (here != 0) {
		return (from >> 6 << 6) + lowest_bit(here);
	}
	const uint64_t lower_count = bm_words64(block_count);
	const uint64_t next_word = (from >> 6) + 1;
	for (uint64_t u = next_word >> 6; u < bm_words64(lower_count); u++) {
		const uint64_t mask = u == next_word >> 6 ? ~0ull << (next_word & 63) : ~0ull;
		const uint64_t bits = set->upper[u] & mask;
		if (bits != 0) {
			const uint64_t w = u * 64 + lowest_bit(bits);
			return w * 64 + lowest_bit(set->lower[w]);
		}
	}
	return BSR_BITMAP_NO_BIT;
}

void bm_mark_bits(const struct bsr_bitmap *bm, struct bm_block_set *set, uint32_t slot,
	uint64_t first, uint64_t last)
{
	BSR_ASSERT(first <= last && last < bm->bit_count);
	block_set_add_range(set, bm_block_of_bit(bm, slot, first), bm_block_of_bit(bm, slot, last));
}

uint64_t bsr_bitmap_next_dirty(const struct bsr_bitmap *bm, uint64_t from, uint32_t kinds)
{
	uint64_t best = BSR_BITMAP_NO_BIT;
	if ((kinds & BSR_BITMAP_DIRTY_SET) != 0) {
		best = block_set_next(&bm->dirty_set, bm->block_count, from);
	}
	if ((kinds & BSR_BITMAP_DIRTY_CLEAR) != 0) {
		const uint64_t other = block_set_next(&bm->dirty_clear, bm->block_count, from);
		best = other < best ? other : best;
	}
	return best;
}

uint32_t bsr_bitmap_dirty(const struct bsr_bitmap *bm, uint64_t block)
{
	BSR_ASSERT(block < bm->block_count);
	return (block_set_has(&bm->dirty_set, block) ? BSR_BITMAP_DIRTY_SET : 0) |
	       (block_set_has(&bm->dirty_clear, block) ? BSR_BITMAP_DIRTY_CLEAR : 0);
}

void bsr_bitmap_mark_written(struct bsr_bitmap *bm, uint64_t block)
{
	BSR_ASSERT(block < bm->block_count);
	block_set_remove(&bm->dirty_set, block);
	block_set_remove(&bm->dirty_clear, block);
}

void bsr_bitmap_mark_dirty(struct bsr_bitmap *bm, uint64_t block, uint32_t kinds)
{
	BSR_ASSERT(block < bm->block_count);
	if ((kinds & BSR_BITMAP_DIRTY_SET) != 0) {
		bm_block_set_add(&bm->dirty_set, block);
	}
	if ((kinds & BSR_BITMAP_DIRTY_CLEAR) != 0) {
		bm_block_set_add(&bm->dirty_clear, block);
	}
}

static void check_block_set(const struct bsr_bitmap *bm, const struct bm_block_set *set)
{
	for (uint64_t w = 0; w < bm_words64(bm->block_count); w++) {
		const bool summary = (set->upper[w >> 6] >> (w & 63) & 1) != 0;
		BSR_ASSERT(summary == (set->lower[w] != 0));
	}
	if (bm->block_count % 64 != 0) {
		BSR_ASSERT(set->lower[bm->block_count / 64] >> (bm->block_count % 64) == 0);
	}
}

void bm_check_blocks(const struct bsr_bitmap *bm)
{
	check_block_set(bm, &bm->dirty_set);
	check_block_set(bm, &bm->dirty_clear);
}
