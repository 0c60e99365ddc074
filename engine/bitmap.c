// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * bitmap.c - which blocks differ, in memory
 *
 * Owns:       a directory of pages per slot, the pool of pages with mixed content, the weights.
 * May touch:  the dirty marks of bitmap_disk.c, through bm_mark_bits().
 * Invariants:
 *   BM-1  The weight of a slot is the number of its set bits.
 *   BM-2  A pool page has at least one set and one clear bit; other pages cost nothing.
 *   BM-3  Without an order to clear it, a set bit stays set: lack of memory only adds bits.
 *   BM-4  Bits past the end of the volume are never set.
 *   BM-5  A change of a bit marks its disk block dirty, in the kind of the change.
 *
 * Lack of memory. Setting bits in an empty page while the pool is empty sets the whole page.
 * Clearing some bits of a full page takes the page of another place, which is rounded up; the
 * victim is chosen by a clock, so that pages which are being resynced right now keep theirs and a
 * resync always comes to its end.
 */
#include <string.h>

#include "bitmap_private.h"

/* The builtin calls a library function on plain x86-64, which the engine must not do. */
static inline uint32_t count_bits(uint64_t x)
{
	x -= (x >> 1) & 0x5555555555555555ull;
	x = (x & 0x3333333333333333ull) + ((x >> 2) & 0x3333333333333333ull);
	x = (x + (x >> 4)) & 0x0f0f0f0f0f0f0f0full;
	return (uint32_t)((x * 0x0101010101010101ull) >> 56);
}

static inline uint32_t lowest_bit(uint64_t x)
{
	return (uint32_t)__builtin_ctzll(x);
}

/* ------------------------------------------------------------------ set-up */

static uint32_t pages_of(uint64_t bit_count)
{
	return (uint32_t)((bit_count + BM_PAGE_BITS - 1) >> BM_PAGE_SHIFT);
}

static uint64_t blocks_of(uint64_t bit_count, uint32_t slot_count)
{
	const uint64_t bytes = bm_words64(bit_count) * 8 * slot_count;
	return (bytes + BSR_MD_BLOCK_BYTES - 1) / BSR_MD_BLOCK_BYTES;
}

static size_t align_to(size_t bytes, size_t unit)
{
	return (bytes + unit - 1) / unit * unit;
}

/* Hands out memory; with a base of NULL it only adds up. */
struct carver {
	uint8_t *base;
	size_t used;
};

static void *carve(struct carver *c, size_t bytes)
{
	void *at = c->base ? c->base + c->used : NULL;
	c->used += align_to(bytes, 64);
	return at;
}

static void carve_block_set(struct carver *c, struct bm_block_set *set, uint64_t block_count)
{
	const uint64_t lower = bm_words64(block_count);
	set->lower = carve(c, lower * sizeof(uint64_t));
	set->upper = carve(c, bm_words64(lower) * sizeof(uint64_t));
}

static void carve_all(struct carver *c, struct bsr_bitmap *bm)
{
	(void)carve(c, sizeof(*bm));
	for (uint32_t slot = 0; slot < bm->slot_count; slot++) {
		bm->directory[slot] = carve(c, (size_t)bm->page_count * sizeof(uint32_t));
		bm->occupied[slot] = carve(c, bm_words64(bm->page_count) * sizeof(uint64_t));
	}
	bm->free_stack = carve(c, (size_t)bm->pool_pages * sizeof(uint32_t));
	bm->pool_page = carve(c, (size_t)bm->pool_pages * sizeof(struct bm_pool_page));
	carve_block_set(c, &bm->dirty_set, bm->block_count);
	carve_block_set(c, &bm->dirty_clear, bm->block_count);
	c->used = align_to(c->used, BM_PAGE_BYTES);
	bm->pool = carve(c, (size_t)bm->pool_pages * BM_PAGE_BYTES);
}

static void describe(
	struct bsr_bitmap *bm, uint64_t bit_count, uint32_t slot_count, uint32_t pool_pages)
{
	BSR_ASSERT(bit_count >= 1 && bit_count <= BSR_VOLUME_BYTES_MAX / BSR_BITMAP_BLOCK_BYTES);
	BSR_ASSERT(slot_count >= 1 && slot_count <= BSR_PEERS_MAX);
	BSR_ASSERT(pool_pages >= 1 && pool_pages < UINT32_MAX - BM_MIXED);
	memset(bm, 0, sizeof(*bm));
	bm->bit_count = bit_count;
	bm->block_count = blocks_of(bit_count, slot_count);
	bm->slot_count = slot_count;
	bm->page_count = pages_of(bit_count);
	bm->pool_pages = pool_pages;
}

size_t bsr_bitmap_memory(uint64_t bit_count, uint32_t slot_count, uint32_t pool_pages)
{
	struct bsr_bitmap sizes;
	struct carver c = {0};
	describe(&sizes, bit_count, slot_count, pool_pages);
	carve_all(&c, &sizes);
	return align_to(c.used, BM_PAGE_BYTES);
}

uint32_t bsr_bitmap_pool_pages(uint64_t bit_count, uint32_t slot_count)
{
	const uint64_t all = (uint64_t)pages_of(bit_count) * slot_count;
	return all < BSR_BITMAP_POOL_PAGES ? (uint32_t)all : BSR_BITMAP_POOL_PAGES;
}

struct bsr_bitmap *bsr_bitmap_init(
	void *mem, uint64_t bit_count, uint32_t slot_count, uint32_t pool_pages)
{
	struct bsr_bitmap *bm = mem;
	struct carver c = {.base = mem};
	describe(bm, bit_count, slot_count, pool_pages);
	carve_all(&c, bm);
	for (uint32_t i = 0; i < pool_pages; i++) {
		bm->free_stack[i] = pool_pages - 1 - i;
		bm->pool_page[i].slot = BM_NO_SLOT;
	}
	bm->pool_free = pool_pages;
	return bm;
}

/* -------------------------------------------------------------- page states */

static void page_set_state(struct bsr_bitmap *bm, uint32_t slot, uint32_t page, uint32_t state)
{
	bm->directory[slot][page] = state;
	if (state == BM_ZERO) {
		bm->occupied[slot][page >> 6] &= ~(1ull << (page & 63));
	} else {
		bm->occupied[slot][page >> 6] |= 1ull << (page & 63);
	}
}

static uint32_t page_weight(const struct bsr_bitmap *bm, uint32_t slot, uint32_t page)
{
	const uint32_t state = bm->directory[slot][page];
	if (state < BM_MIXED) {
		return state == BM_ONE ? bm_bits_in_page(bm, page) : 0;
	}
	return bm_bits_in_page(bm, page) - bm->pool_page[state - BM_MIXED].clear;
}

static void pool_release(struct bsr_bitmap *bm, uint32_t pool_index)
{
	BSR_ASSERT(bm->pool_free < bm->pool_pages);
	bm->pool_page[pool_index].slot = BM_NO_SLOT;
	bm->free_stack[bm->pool_free++] = pool_index;
}

/*
 * A mixed page has become uniform. Not inlined: it is rare, and its callers are on the path of
 * every write.
 */
static __attribute__((noinline)) void page_settle(struct bsr_bitmap *bm, uint32_t slot, uint32_t page, uint32_t state)
{
	const uint32_t old = bm->directory[slot][page];
	BSR_ASSERT(old >= BM_MIXED && state < BM_MIXED);
	pool_release(bm, old - BM_MIXED);
	page_set_state(bm, slot, page, state);
}

static uint64_t page_first_bit(uint32_t page)
{
	return (uint64_t)page << BM_PAGE_SHIFT;
}

static uint64_t page_last_bit(const struct bsr_bitmap *bm, uint32_t page)
{
	return page_first_bit(page) + bm_bits_in_page(bm, page) - 1;
}

/* Round a page up to all ones; returns how many bits that adds. */
static uint32_t page_coarsen(struct bsr_bitmap *bm, uint32_t slot, uint32_t page)
{
	const uint32_t added = bm_bits_in_page(bm, page) - page_weight(bm, slot, page);
	if (bm->directory[slot][page] >= BM_MIXED) {
		page_settle(bm, slot, page, BM_ONE);
	} else {
		page_set_state(bm, slot, page, BM_ONE);
	}
	bm->weight[slot] += added;
	bm->coarsened++;
	return added;
}

/* Take the pool page that nobody has changed for longest, more or less. */
static void pool_steal(struct bsr_bitmap *bm)
{
	for (;;) {
		struct bm_pool_page *p = &bm->pool_page[bm->clock_hand];
		bm->clock_hand = bm->clock_hand + 1 == bm->pool_pages ? 0 : bm->clock_hand + 1;
		BSR_ASSERT(p->slot != BM_NO_SLOT); /* only called while none is free */
		if (p->referenced != 0) {
			p->referenced = 0;
			continue;
		}
		const uint32_t slot = p->slot;
		const uint32_t page = p->page;
		(void)page_coarsen(bm, slot, page);
		bm_mark_bits(bm, &bm->dirty_set, slot, page_first_bit(page), page_last_bit(bm, page));
		return;
	}
}

/* Turn a uniform page into a mixed one; false when the pool is empty. */
static bool page_open(struct bsr_bitmap *bm, uint32_t slot, uint32_t page)
{
	const uint32_t state = bm->directory[slot][page];
	BSR_ASSERT(state < BM_MIXED);
	if (bm->pool_free == 0) {
		return false;
	}
	const uint32_t pool_index = bm->free_stack[--bm->pool_free];
	uint64_t *words = bm_pool_words(bm, pool_index);
	const uint32_t bits = bm_bits_in_page(bm, page);
	memset(words, 0, BM_PAGE_BYTES);
	if (state == BM_ONE) {
		memset(words, 0xff, (size_t)(bits / 64) * 8);
		if (bits % 64 != 0) {
			words[bits / 64] = bm_mask(0, bits % 64 - 1);
		}
	}
	bm->pool_page[pool_index] = (struct bm_pool_page){.page = page,
		.slot = (uint16_t)slot,
		.clear = (uint16_t)(state == BM_ONE ? 0 : bits),
		.referenced = 1};
	page_set_state(bm, slot, page, pool_index + BM_MIXED);
	return true;
}

/* ---------------------------------------------------------- change in a page */

/* Set bits first..last (within the page) of a mixed page. */
static uint32_t words_set(uint64_t *words, uint32_t first, uint32_t last)
{
	uint32_t added = 0;
	for (uint32_t w = first / 64; w <= last / 64; w++) {
		const uint64_t mask =
			bm_mask(w == first / 64 ? first % 64 : 0, w == last / 64 ? last % 64 : 63);
		added += count_bits(mask & ~words[w]);
		words[w] |= mask;
	}
	return added;
}

static uint32_t words_clear(uint64_t *words, uint32_t first, uint32_t last)
{
	uint32_t removed = 0;
	for (uint32_t w = first / 64; w <= last / 64; w++) {
		const uint64_t mask =
			bm_mask(w == first / 64 ? first % 64 : 0, w == last / 64 ? last % 64 : 63);
		removed += count_bits(mask & words[w]);
		words[w] &= ~mask;
	}
	return removed;
}

static inline void mixed_added(
	struct bsr_bitmap *bm, uint32_t slot, uint32_t page, uint32_t pool_index, uint32_t added)
{
	struct bm_pool_page *p = &bm->pool_page[pool_index];
	BSR_ASSERT(added <= p->clear);
	p->clear = (uint16_t)(p->clear - added);
	bm->weight[slot] += added;
	if (p->clear == 0) {
		page_settle(bm, slot, page, BM_ONE);
	}
}

/*
 * Returns how many were clear; *@first, *@last: grown to what has changed, when the page was
 * rounded up.
 */
static uint32_t page_set(
	struct bsr_bitmap *bm, uint32_t slot, uint32_t page, uint32_t *first, uint32_t *last)
{
	const uint32_t bits = bm_bits_in_page(bm, page);
	const uint32_t state = bm->directory[slot][page];
	if (state == BM_ONE) {
		return 0;
	}
	if (state == BM_ZERO && *first == 0 && *last == bits - 1) {
		page_set_state(bm, slot, page, BM_ONE);
		bm->weight[slot] += bits;
		return bits;
	}
	if (state == BM_ZERO && !page_open(bm, slot, page)) {
		*first = 0;
		*last = bits - 1;
		return page_coarsen(bm, slot, page);
	}
	const uint32_t pool_index = bm->directory[slot][page] - BM_MIXED;
	const uint32_t added = words_set(bm_pool_words(bm, pool_index), *first, *last);
	mixed_added(bm, slot, page, pool_index, added);
	return added;
}

static uint32_t page_clear(
	struct bsr_bitmap *bm, uint32_t slot, uint32_t page, uint32_t first, uint32_t last)
{
	const uint32_t bits = bm_bits_in_page(bm, page);
	const uint32_t state = bm->directory[slot][page];
	if (state == BM_ZERO) {
		return 0;
	}
	if (state == BM_ONE && first == 0 && last == bits - 1) {
		page_set_state(bm, slot, page, BM_ZERO);
		bm->weight[slot] -= bits;
		return bits;
	}
	if (state == BM_ONE && !page_open(bm, slot, page)) {
		pool_steal(bm);
		const bool opened = page_open(bm, slot, page);
		BSR_ASSERT(opened);
	}
	const uint32_t pool_index = bm->directory[slot][page] - BM_MIXED;
	struct bm_pool_page *p = &bm->pool_page[pool_index];
	const uint32_t removed = words_clear(bm_pool_words(bm, pool_index), first, last);
	p->clear = (uint16_t)(p->clear + removed);
	p->referenced = 1;
	BSR_ASSERT(bm->weight[slot] >= removed);
	bm->weight[slot] -= removed;
	if (p->clear == bits) {
		page_settle(bm, slot, page, BM_ZERO);
	}
	return removed;
}

/* ------------------------------------------------------------------ changes */

static inline void check_range(
	const struct bsr_bitmap *bm, uint32_t slot, uint64_t first_bit, uint64_t bit_count)
{
	BSR_ASSERT(slot < bm->slot_count);
	BSR_ASSERT(first_bit <= bm->bit_count && bit_count <= bm->bit_count - first_bit);
}

static __attribute__((noinline)) uint64_t set_range(
	struct bsr_bitmap *bm, uint32_t slot, uint64_t first_bit, uint64_t bit_count)
{
	check_range(bm, slot, first_bit, bit_count);
	uint64_t added = 0;
	const uint64_t end = first_bit + bit_count;
	for (uint64_t at = first_bit; at < end;) {
		const uint32_t page = (uint32_t)(at >> BM_PAGE_SHIFT);
		const uint64_t stop = end - 1 < page_last_bit(bm, page) ? end - 1
									 : page_last_bit(bm, page);
		uint32_t first = (uint32_t)(at - page_first_bit(page));
		uint32_t last = (uint32_t)(stop - page_first_bit(page));
		const uint32_t here = page_set(bm, slot, page, &first, &last);
		if (here > 0) {
			bm_mark_bits(bm, &bm->dirty_set, slot, page_first_bit(page) + first,
				page_first_bit(page) + last); /* BM-5 */
		}
		added += here;
		at = stop + 1;
	}
	return added;
}

static __attribute__((noinline)) uint64_t set_one_rare(
	struct bsr_bitmap *bm, uint32_t slot, uint64_t bit, uint32_t pool_index)
{
	bm_block_set_add(&bm->dirty_set, bm_block_of_bit(bm, slot, bit));
	if (bm->pool_page[pool_index].clear == 0) {
		page_settle(bm, slot, (uint32_t)(bit >> BM_PAGE_SHIFT), BM_ONE);
	}
	return 1;
}

/*
 * One bit of a mixed page. The only call is the last thing done, so that no registers are saved for
 * it.
 */
static inline uint64_t set_one(
	struct bsr_bitmap *bm, uint32_t slot, uint64_t bit, uint32_t pool_index)
{
	uint64_t *word = bm_pool_words(bm, pool_index) + ((bit >> 6) & (BM_PAGE_WORDS - 1));
	const uint64_t mask = 1ull << (bit & 63);
	if ((*word & mask) != 0) {
		return 0;
	}
	*word |= mask;
	bm->weight[slot]++;
	struct bm_pool_page *p = &bm->pool_page[pool_index];
	BSR_ASSERT(p->clear > 0);
	p->clear--;
	const uint64_t block = bm_block_of_bit(bm, slot, bit);
	if (p->clear == 0 || (bm->dirty_set.lower[block >> 6] >> (block & 63) & 1) == 0) {
		return set_one_rare(bm, slot, bit, pool_index); /* BM-5 */
	}
	return 1;
}

uint64_t bsr_bitmap_set(struct bsr_bitmap *bm, uint32_t slot, uint64_t first_bit, uint64_t bit_count)
{
	BSR_ASSERT(slot < bm->slot_count);
	if (bit_count == 1) {
		BSR_ASSERT(first_bit < bm->bit_count);
		const uint32_t state = bm->directory[slot][first_bit >> BM_PAGE_SHIFT];
		if (state >= BM_MIXED) {
			return set_one(bm, slot, first_bit, state - BM_MIXED);
		}
	}
	return set_range(bm, slot, first_bit, bit_count);
}

uint64_t bsr_bitmap_clear(
	struct bsr_bitmap *bm, uint32_t slot, uint64_t first_bit, uint64_t bit_count)
{
	check_range(bm, slot, first_bit, bit_count);
	if (bm->weight[slot] == 0) {
		return 0;
	}
	uint64_t removed = 0;
	const uint64_t end = first_bit + bit_count;
	for (uint64_t at = first_bit; at < end;) {
		const uint32_t page = (uint32_t)(at >> BM_PAGE_SHIFT);
		const uint64_t stop = end - 1 < page_last_bit(bm, page) ? end - 1
									 : page_last_bit(bm, page);
		const uint32_t here = page_clear(bm, slot, page,
			(uint32_t)(at - page_first_bit(page)), (uint32_t)(stop - page_first_bit(page)));
		if (here > 0) {
			bm_mark_bits(bm, &bm->dirty_clear, slot, at, stop); /* BM-5 */
		}
		removed += here;
		at = stop + 1;
	}
	return removed;
}

uint64_t bm_or_word(
	struct bsr_bitmap *bm, uint32_t slot, uint64_t word_index, uint64_t bits, bool *coarse)
{
	const uint64_t first_bit = word_index * 64;
	*coarse = false;
	if (bits == 0 || first_bit >= bm->bit_count) {
		return 0;
	}
	if (bm->bit_count - first_bit < 64) {
		bits &= bm_mask(0, (uint32_t)(bm->bit_count - first_bit) - 1); /* BM-4 */
	}
	const uint32_t page = (uint32_t)(first_bit >> BM_PAGE_SHIFT);
	if (bits == 0 || bm->directory[slot][page] == BM_ONE) {
		return 0;
	}
	if (bm->directory[slot][page] == BM_ZERO && !page_open(bm, slot, page)) {
		*coarse = true;
		return page_coarsen(bm, slot, page);
	}
	const uint32_t pool_index = bm->directory[slot][page] - BM_MIXED;
	uint64_t *word = bm_pool_words(bm, pool_index) + (word_index & (BM_PAGE_WORDS - 1));
	const uint32_t added = count_bits(bits & ~*word);
	*word |= bits;
	mixed_added(bm, slot, page, pool_index, added);
	return added;
}

static inline uint64_t le64_get(const uint8_t *in)
{
	return (uint64_t)in[0] | (uint64_t)in[1] << 8 | (uint64_t)in[2] << 16 |
	       (uint64_t)in[3] << 24 | (uint64_t)in[4] << 32 | (uint64_t)in[5] << 40 |
	       (uint64_t)in[6] << 48 | (uint64_t)in[7] << 56;
}

static inline void le64_put(uint8_t *out, uint64_t v)
{
	for (uint32_t i = 0; i < 8; i++) {
		out[i] = (uint8_t)(v >> (8 * i));
	}
}

uint64_t bsr_bitmap_merge_words(struct bsr_bitmap *bm, uint32_t slot, uint64_t first_bit,
	uint32_t bit_count, const uint8_t *in)
{
	BSR_ASSERT(slot < bm->slot_count);
	BSR_ASSERT(first_bit % 64 == 0 && bit_count % 64 == 0);
	uint64_t added = 0;
	for (uint32_t i = 0; i < bit_count / 64; i++) {
		const uint64_t word_index = first_bit / 64 + i;
		const uint64_t bits = le64_get(in + (size_t)i * 8);
		bool coarse;
		const uint64_t here = bm_or_word(bm, slot, word_index, bits, &coarse);
		if (here == 0) {
			continue;
		}
		const uint32_t page = (uint32_t)(word_index * 64 >> BM_PAGE_SHIFT);
		const uint64_t last = page_last_bit(bm, page);
		if (coarse) {
			bm_mark_bits(bm, &bm->dirty_set, slot, page_first_bit(page), last);
		} else {
			bm_mark_bits(bm, &bm->dirty_set, slot, word_index * 64,
				word_index * 64 + 63 < last ? word_index * 64 + 63 : last);
		}
		added += here;
	}
	return added;
}

/* ------------------------------------------------------------------ queries */

uint64_t bsr_bitmap_bit_count(const struct bsr_bitmap *bm)
{
	return bm->bit_count;
}

uint64_t bsr_bitmap_weight(const struct bsr_bitmap *bm, uint32_t slot)
{
	BSR_ASSERT(slot < bm->slot_count);
	return bm->weight[slot]; /* BM-1 */
}

uint64_t bsr_bitmap_coarsened(const struct bsr_bitmap *bm)
{
	return bm->coarsened;
}

uint64_t bm_word(const struct bsr_bitmap *bm, uint32_t slot, uint64_t word_index)
{
	const uint64_t first_bit = word_index * 64;
	if (first_bit >= bm->bit_count) {
		return 0;
	}
	const uint32_t state = bm->directory[slot][first_bit >> BM_PAGE_SHIFT];
	if (state >= BM_MIXED) {
		return bm_pool_words(bm, state - BM_MIXED)[word_index & (BM_PAGE_WORDS - 1)];
	}
	if (state == BM_ZERO) {
		return 0;
	}
	const uint64_t left = bm->bit_count - first_bit;
	return left >= 64 ? ~0ull : bm_mask(0, (uint32_t)left - 1);
}

void bsr_bitmap_words(const struct bsr_bitmap *bm, uint32_t slot, uint64_t first_bit,
	uint32_t bit_count, uint8_t *out)
{
	BSR_ASSERT(slot < bm->slot_count);
	BSR_ASSERT(first_bit % 64 == 0 && bit_count % 64 == 0);
	for (uint32_t i = 0; i < bit_count / 64; i++) {
		le64_put(out + (size_t)i * 8, bm_word(bm, slot, first_bit / 64 + i));
	}
}

/* First page >= @page with any bit set; page_count when there is none. */
static uint32_t next_occupied(const struct bsr_bitmap *bm, uint32_t slot, uint32_t page)
{
	const uint64_t word_count = bm_words64(bm->page_count);
	uint64_t mask = ~0ull << (page & 63);
	for (uint64_t w = page >> 6; w < word_count; w++) {
		const uint64_t bits = bm->occupied[slot][w] & mask;
		if (bits != 0) {
			return (uint32_t)(w * 64 + lowest_bit(bits));
		}
		mask = ~0ull;
	}
	return bm->page_count;
}

/* First set bit >= @from within its page; NO_BIT when there is none. */
static uint64_t next_in_page(const struct bsr_bitmap *bm, uint32_t slot, uint64_t from)
{
	const uint32_t page = (uint32_t)(from >> BM_PAGE_SHIFT);
	const uint32_t state = bm->directory[slot][page];
	if (state < BM_MIXED) {
		return state == BM_ONE ? from : BSR_BITMAP_NO_BIT;
	}
	const uint64_t *words = bm_pool_words(bm, state - BM_MIXED);
	uint64_t mask = ~0ull << (from & 63);
	for (uint32_t w = (uint32_t)(from >> 6) & (BM_PAGE_WORDS - 1); w < BM_PAGE_WORDS; w++) {
		if ((words[w] & mask) != 0) {
			return page_first_bit(page) + (uint64_t)w * 64 + lowest_bit(words[w] & mask);
		}
		mask = ~0ull;
	}
	return BSR_BITMAP_NO_BIT;
}

uint64_t bsr_bitmap_next(const struct bsr_bitmap *bm, uint32_t slot, uint64_t from)
{
	BSR_ASSERT(slot < bm->slot_count);
	if (from >= bm->bit_count || bm->weight[slot] == 0) {
		return BSR_BITMAP_NO_BIT;
	}
	const uint32_t page = (uint32_t)(from >> BM_PAGE_SHIFT);
	const uint64_t here = next_in_page(bm, slot, from);
	if (here != BSR_BITMAP_NO_BIT || page + 1 == bm->page_count) {
		return here;
	}
	const uint32_t other = next_occupied(bm, slot, page + 1);
	return other == bm->page_count ? BSR_BITMAP_NO_BIT
				       : next_in_page(bm, slot, page_first_bit(other));
}

/* First clear bit >= @from within its page; one past the page when there is none. */
static uint64_t next_clear_in_page(const struct bsr_bitmap *bm, uint32_t slot, uint64_t from)
{
	const uint32_t page = (uint32_t)(from >> BM_PAGE_SHIFT);
	const uint64_t end = page_last_bit(bm, page) + 1;
	const uint32_t state = bm->directory[slot][page];
	if (state < BM_MIXED) {
		return state == BM_ONE ? end : from;
	}
	const uint64_t *words = bm_pool_words(bm, state - BM_MIXED);
	uint64_t mask = ~0ull << (from & 63);
	for (uint32_t w = (uint32_t)(from >> 6) & (BM_PAGE_WORDS - 1); w < BM_PAGE_WORDS; w++) {
		const uint64_t clear = ~words[w] & mask;
		if (clear != 0) {
			const uint64_t at =
				page_first_bit(page) + (uint64_t)w * 64 + lowest_bit(clear);
			return at < end ? at : end;
		}
		mask = ~0ull;
	}
	return end;
}

uint64_t bsr_bitmap_run(const struct bsr_bitmap *bm, uint32_t slot, uint64_t from, uint64_t limit)
{
	BSR_ASSERT(slot < bm->slot_count);
	uint64_t at = from;
	while (at < bm->bit_count && at - from < limit) {
		const uint64_t page_end = page_last_bit(bm, (uint32_t)(at >> BM_PAGE_SHIFT)) + 1;
		at = next_clear_in_page(bm, slot, at);
		if (at < page_end) {
			break;
		}
	}
	return at - from < limit ? at - from : limit;
}

static bool any_in_words(const uint64_t *words, uint32_t first, uint32_t last)
{
	for (uint32_t w = first / 64; w <= last / 64; w++) {
		const uint64_t mask =
			bm_mask(w == first / 64 ? first % 64 : 0, w == last / 64 ? last % 64 : 63);
		if ((words[w] & mask) != 0) {
			return true;
		}
	}
	return false;
}

bool bsr_bitmap_any(
	const struct bsr_bitmap *bm, uint32_t slot, uint64_t first_bit, uint64_t bit_count)
{
	check_range(bm, slot, first_bit, bit_count);
	if (bit_count == 0 || bm->weight[slot] == 0) {
		return false;
	}
	const uint64_t last_bit = first_bit + bit_count - 1;
	const uint32_t last_page = (uint32_t)(last_bit >> BM_PAGE_SHIFT);
	uint32_t page = next_occupied(bm, slot, (uint32_t)(first_bit >> BM_PAGE_SHIFT));
	for (; page <= last_page && page < bm->page_count;
		page = next_occupied(bm, slot, page + 1)) {
		const uint32_t state = bm->directory[slot][page];
		const uint64_t start = page_first_bit(page);
		const uint64_t first = first_bit > start ? first_bit - start : 0;
		const uint64_t last =
			last_bit - start < BM_PAGE_BITS ? last_bit - start : BM_PAGE_BITS - 1;
		if (state == BM_ONE || any_in_words(bm_pool_words(bm, state - BM_MIXED),
					       (uint32_t)first, (uint32_t)last)) {
			return true;
		}
	}
	return false;
}

/* -------------------------------------------------------------------- check */

static uint32_t check_pool_page(const struct bsr_bitmap *bm, uint32_t slot, uint32_t page)
{
	const uint32_t pool_index = bm->directory[slot][page] - BM_MIXED;
	BSR_ASSERT(pool_index < bm->pool_pages);
	const struct bm_pool_page *p = &bm->pool_page[pool_index];
	const uint64_t *words = bm_pool_words(bm, pool_index);
	const uint32_t bits = bm_bits_in_page(bm, page);
	BSR_ASSERT(p->slot == slot && p->page == page);
	uint32_t weight = 0;
	for (uint32_t w = 0; w < BM_PAGE_WORDS; w++) {
		const uint64_t past = w * 64 + 64 <= bits ? 0
				      : w * 64 >= bits	  ? ~0ull
							  : ~bm_mask(0, bits - w * 64 - 1);
		BSR_ASSERT((words[w] & past) == 0); /* BM-4 */
		weight += count_bits(words[w]);
	}
	BSR_ASSERT(weight == bits - p->clear);
	BSR_ASSERT(weight > 0 && weight < bits); /* BM-2 */
	return weight;
}

void bsr_bitmap_check(const struct bsr_bitmap *bm)
{
	uint32_t mixed = 0;
	for (uint32_t slot = 0; slot < bm->slot_count; slot++) {
		uint64_t weight = 0;
		for (uint32_t page = 0; page < bm->page_count; page++) {
			const uint32_t state = bm->directory[slot][page];
			const bool occupied =
				(bm->occupied[slot][page >> 6] >> (page & 63) & 1) != 0;
			BSR_ASSERT(occupied == (state != BM_ZERO));
			mixed += state >= BM_MIXED;
			weight += state >= BM_MIXED ? check_pool_page(bm, slot, page)
						    : page_weight(bm, slot, page);
		}
		BSR_ASSERT(weight == bm->weight[slot]); /* BM-1 */
	}
	BSR_ASSERT(mixed + bm->pool_free == bm->pool_pages);
	for (uint32_t i = 0; i < bm->pool_free; i++) {
		BSR_ASSERT(bm->pool_page[bm->free_stack[i]].slot == BM_NO_SLOT);
	}
	bm_check_blocks(bm);
}
