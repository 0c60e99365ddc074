/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * bitmap_private.h - the inside of a bitmap, shared by bitmap.c and bitmap_disk.c
 */
#ifndef BSR_ENGINE_BITMAP_PRIVATE_H
#define BSR_ENGINE_BITMAP_PRIVATE_H

#include <bsr/assert.h>

#include "bitmap.h"

#define BM_PAGE_SHIFT 15u /* bits of one slot in a page: 32768, 128 MiB of data */
#define BM_PAGE_BITS (1u << BM_PAGE_SHIFT)
#define BM_PAGE_BYTES (BM_PAGE_BITS / 8)
#define BM_PAGE_WORDS (BM_PAGE_BITS / 64)
#define BM_BLOCK_WORDS32 (BSR_MD_BLOCK_BYTES / 4)

/* Directory entries; from BM_MIXED on: index into the pool + BM_MIXED. */
#define BM_ZERO 0u
#define BM_ONE 1u
#define BM_MIXED 2u

struct bm_pool_page {
	uint32_t page; /* whose content it is: directory index ... */
	uint16_t slot; /* ... of this slot; BM_NO_SLOT = free */
	uint16_t clear;	/* clear bits; a page in use has 1..32767 */
	uint32_t referenced;	/* bits were cleared in it since the hand of the clock passed */
	uint32_t unused;
};
BSR_STATIC_ASSERT(sizeof(struct bm_pool_page) == 16, "an index becomes an address by a shift");
#define BM_NO_SLOT UINT16_MAX

/* A set of disk blocks with a summary: bit n of upper = word n of lower is not zero. */
struct bm_block_set {
	uint64_t *lower;
	uint64_t *upper;
};

struct bsr_bitmap {
	uint64_t bit_count;
	uint64_t block_count;
	uint64_t coarsened;
	uint32_t slot_count;
	uint32_t page_count; /* of one slot */
	uint32_t pool_pages;
	uint32_t pool_free;   /* entries of free_stack */
	uint32_t *free_stack; /* pool pages nobody uses */
	uint32_t clock_hand;
	struct bm_pool_page *pool_page;
	uint64_t *pool; /* pool_pages x BM_PAGE_WORDS */
	struct bm_block_set dirty_set;
	struct bm_block_set dirty_clear;
	uint64_t weight[BSR_PEERS_MAX];
	uint32_t *directory[BSR_PEERS_MAX];
	uint64_t *occupied[BSR_PEERS_MAX]; /* per directory entry: it is not BM_ZERO */
};

/* Bits that exist in a page: less than BM_PAGE_BITS only in the last one. */
static inline uint32_t bm_bits_in_page(const struct bsr_bitmap *bm, uint32_t page)
{
	const uint64_t left = bm->bit_count - ((uint64_t)page << BM_PAGE_SHIFT);
	return left < BM_PAGE_BITS ? (uint32_t)left : BM_PAGE_BITS;
}

static inline uint64_t *bm_pool_words(const struct bsr_bitmap *bm, uint32_t pool_index)
{
	return bm->pool + (size_t)pool_index * BM_PAGE_WORDS;
}

static inline uint64_t bm_block_of_bit(const struct bsr_bitmap *bm, uint32_t slot, uint64_t bit)
{
	return ((bit >> 5) * bm->slot_count + slot) / BM_BLOCK_WORDS32;
}

static inline void bm_block_set_add(struct bm_block_set *set, uint64_t block)
{
	uint64_t *word = &set->lower[block >> 6];
	const uint64_t mask = 1ull << (block & 63);
	if ((*word & mask) == 0) {
		*word |= mask;
		set->upper[block >> 12] |= 1ull << ((block >> 6) & 63);
	}
}

/* bits first..last of a 64-bit word */
static inline uint64_t bm_mask(uint32_t first, uint32_t last)
{
	return (~0ull << first) & (~0ull >> (63 - last));
}

/** bm_word - 64 bits of a slot, by word index; past the end: 0 */
uint64_t bm_word(const struct bsr_bitmap *bm, uint32_t slot, uint64_t word_index);
/**
 * bm_or_word - set bits of a word without marking dirty; returns how many were clear; *@coarse:
 * page was rounded up
 */
uint64_t bm_or_word(
	struct bsr_bitmap *bm, uint32_t slot, uint64_t word_index, uint64_t bits, bool *coarse);
/** bm_mark_bits - the disk blocks of bits first..last of a slot are dirty */
void bm_mark_bits(const struct bsr_bitmap *bm, struct bm_block_set *set, uint32_t slot,
	uint64_t first, uint64_t last);
/** bm_check_blocks - the dirty sets agree with their summaries */
void bm_check_blocks(const struct bsr_bitmap *bm);

static inline uint64_t bm_words64(uint64_t bits)
{
	return (bits + 63) / 64;
}

#endif
