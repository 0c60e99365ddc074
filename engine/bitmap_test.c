// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * bitmap_test.c - bits, weights, pages, lack of memory and dirty marks, against plain models;
 * golden files
 */
#include <sys/mman.h>

#include "bitmap.h"
#include "test_support.h"

#define PAGE_BITS 32768u
#define NONE BSR_BITMAP_NO_BIT

static struct bsr_bitmap *new_bitmap(uint64_t bits, uint32_t slots, uint32_t pool_pages)
{
	void *mem = test_memory(bsr_bitmap_memory(bits, slots, pool_pages));
	return bsr_bitmap_init(mem, bits, slots, pool_pages);
}

/* ------------------------------------------------------------- single claims */

static void single_bits_are_set_once_and_cleared_once(void **state)
{
	(void)state;
	struct bsr_bitmap *bm = new_bitmap(1000, 2, 2);
	assert_int_equal(bsr_bitmap_bit_count(bm), 1000);
	assert_int_equal(bsr_bitmap_next(bm, 0, 0), NONE);
	assert_int_equal(bsr_bitmap_set(bm, 0, 999, 1), 1);
	assert_int_equal(bsr_bitmap_set(bm, 0, 999, 1), 0);
	assert_int_equal(bsr_bitmap_set(bm, 0, 5, 1), 1);
	assert_int_equal(bsr_bitmap_weight(bm, 0), 2);
	assert_int_equal(bsr_bitmap_weight(bm, 1), 0);
	assert_int_equal(bsr_bitmap_next(bm, 0, 0), 5);
	assert_int_equal(bsr_bitmap_next(bm, 0, 6), 999);
	assert_int_equal(bsr_bitmap_next(bm, 0, 1000), NONE);
	assert_int_equal(bsr_bitmap_next(bm, 0, UINT64_MAX), NONE);
	assert_int_equal(bsr_bitmap_next(bm, 1, 0), NONE);
	assert_true(bsr_bitmap_any(bm, 0, 0, 6));
	assert_false(bsr_bitmap_any(bm, 0, 6, 993));
	assert_int_equal(bsr_bitmap_clear(bm, 0, 0, 1000), 2);
	assert_int_equal(bsr_bitmap_clear(bm, 0, 0, 1000), 0);
	EXPECT_PANIC((void)bsr_bitmap_set(bm, 0, 1000, 1));
	EXPECT_PANIC((void)bsr_bitmap_set(bm, 0, 1, UINT64_MAX));
	EXPECT_PANIC((void)bsr_bitmap_set(bm, 2, 0, 1));
	EXPECT_PANIC((void)bsr_bitmap_memory(0, 1, 1));
	EXPECT_PANIC((void)bsr_bitmap_memory((1ull << 38) + 1, 1, 1));
	EXPECT_PANIC((void)bsr_bitmap_memory(1000, BSR_PEERS_MAX + 1, 1));
	bsr_bitmap_check(bm);
	free(bm);
}

static void uniform_pages_cost_no_memory(void **state)
{
	(void)state;
	struct bsr_bitmap *bm = new_bitmap(10 * PAGE_BITS + 100, 1, 1);
	assert_int_equal(bsr_bitmap_set(bm, 0, 0, 10 * PAGE_BITS + 100), 10 * PAGE_BITS + 100);
	assert_int_equal(bsr_bitmap_run(bm, 0, 7, UINT64_MAX), 10 * PAGE_BITS + 93);
	assert_int_equal(bsr_bitmap_run(bm, 0, 7, 1000), 1000);
	assert_int_equal(bsr_bitmap_clear(bm, 0, PAGE_BITS, 9 * PAGE_BITS), 9 * PAGE_BITS);
	assert_int_equal(bsr_bitmap_next(bm, 0, PAGE_BITS), 10 * PAGE_BITS);
	assert_int_equal(bsr_bitmap_clear(bm, 0, 10, 10), 10); /* the one pool page */
	assert_int_equal(bsr_bitmap_run(bm, 0, 0, UINT64_MAX), 10);
	assert_int_equal(bsr_bitmap_run(bm, 0, 15, UINT64_MAX), 0);
	assert_int_equal(bsr_bitmap_set(bm, 0, 10, 10), 10); /* full again, page given back */
	assert_int_equal(bsr_bitmap_clear(bm, 0, 10 * PAGE_BITS, 99), 99);
	assert_int_equal(bsr_bitmap_coarsened(bm), 0);
	bsr_bitmap_check(bm);
	free(bm);
}

static void without_memory_a_page_is_rounded_up(void **state)
{
	(void)state;
	struct bsr_bitmap *bm = new_bitmap(4 * PAGE_BITS, 1, 1);
	assert_int_equal(bsr_bitmap_set(bm, 0, 1, 1), 1);
	assert_int_equal(bsr_bitmap_set(bm, 0, PAGE_BITS + 5, 1), PAGE_BITS); /* no page left */
	assert_int_equal(bsr_bitmap_weight(bm, 0), PAGE_BITS + 1);
	assert_int_equal(bsr_bitmap_coarsened(bm), 1);
	/* BM-5: what was added goes to the disk, too */
	assert_int_equal(bsr_bitmap_dirty(bm, 1), BSR_BITMAP_DIRTY_SET);
	/* a resync of the full page takes the pool page of the other and comes to its end */
	for (uint32_t at = PAGE_BITS; at < 2 * PAGE_BITS; at += 256) {
		assert_int_equal(bsr_bitmap_clear(bm, 0, at, 256), 256);
	}
	assert_int_equal(bsr_bitmap_weight(bm, 0), PAGE_BITS);
	assert_int_equal(bsr_bitmap_next(bm, 0, 0), 0);
	assert_int_equal(bsr_bitmap_run(bm, 0, 0, UINT64_MAX), PAGE_BITS);
	bsr_bitmap_check(bm);
	free(bm);
}

static void two_resyncs_with_two_pages_both_end(void **state)
{
	(void)state;
	struct bsr_bitmap *bm = new_bitmap(6 * PAGE_BITS, 2, 4);
	struct test_random r = {7};
	(void)bsr_bitmap_set(bm, 0, 0, 6 * PAGE_BITS);
	(void)bsr_bitmap_set(bm, 1, 0, 6 * PAGE_BITS);
	uint32_t rounds = 0;
	while (bsr_bitmap_weight(bm, 0) + bsr_bitmap_weight(bm, 1) > 0) {
		assert_true(rounds++ < 20000);
		for (uint32_t slot = 0; slot < 2; slot++) {
			const uint64_t at = bsr_bitmap_next(bm, slot, 0);
			if (at != NONE) {
				(void)bsr_bitmap_clear(
					bm, slot, at, bsr_bitmap_run(bm, slot, at, 256));
			}
		}
		if (rounds < 200) { /* application writes open pages elsewhere */
			(void)bsr_bitmap_clear(
				bm, 0, test_random_below(&r, 6 * PAGE_BITS), 1);
		}
	}
	bsr_bitmap_check(bm);
	free(bm);
}

static void pool_size_follows_the_volume(void **state)
{
	(void)state;
	assert_int_equal(bsr_bitmap_pool_pages(1, 1), 1);
	assert_int_equal(bsr_bitmap_pool_pages(PAGE_BITS, 3), 3);
	assert_int_equal(bsr_bitmap_pool_pages(PAGE_BITS + 1, 3), 6);
	assert_int_equal(bsr_bitmap_pool_pages(1ull << 38, 1), BSR_BITMAP_POOL_PAGES);
}

static void a_petabyte_costs_memory_for_what_differs(void **state)
{
	(void)state;
	const uint64_t bits = BSR_VOLUME_BYTES_MAX / BSR_BITMAP_BLOCK_BYTES;
	const size_t bytes = bsr_bitmap_memory(bits, 1, 16);
	assert_true(bytes < (48u << 20));
	void *mem = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
		MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	assert_ptr_not_equal(mem, MAP_FAILED);
	struct bsr_bitmap *bm = bsr_bitmap_init(mem, bits, 1, 16);
	assert_int_equal(bsr_bitmap_block_count(bm), bits / 8 / 4096);
	assert_int_equal(bsr_bitmap_set(bm, 0, bits - 1, 1), 1);
	assert_int_equal(bsr_bitmap_set(bm, 0, bits / 2, 2), 2);
	for (uint32_t i = 0; i < 1000; i++) { /* fast over empty pages */
		assert_int_equal(bsr_bitmap_next(bm, 0, 0), bits / 2);
		assert_int_equal(bsr_bitmap_next(bm, 0, bits / 2 + 2), bits - 1);
		assert_int_equal(bsr_bitmap_next_dirty(bm, 0, BSR_BITMAP_DIRTY_SET),
			bits / 2 / 8 / 4096);
	}
	assert_int_equal(bsr_bitmap_next_dirty(bm, bits / 2 / 8 / 4096 + 1, BSR_BITMAP_DIRTY_SET),
		bits / 8 / 4096 - 1);
	uint64_t first;
	uint64_t count;
	bsr_bitmap_extent_blocks(bm, (1u << 28) - 1, &first, &count);
	assert_int_equal(first, bits / 8 / 4096 - 1);
	assert_int_equal(count, 1);
	bsr_bitmap_extent_blocks(bm, 1u << 28, &first, &count);
	assert_int_equal(count, 0);
	assert_int_equal(bsr_bitmap_set(bm, 0, 0, bits), bits - 3);
	assert_int_equal(bsr_bitmap_run(bm, 0, 0, UINT64_MAX), bits);
	munmap(mem, bytes);
}

static void bits_of_an_extent_lie_in_its_blocks(void **state)
{
	(void)state;
	for (uint32_t slots = 1; slots <= BSR_PEERS_MAX; slots += 5) {
		struct bsr_bitmap *bm = new_bitmap(40000, slots, 100);
		for (uint32_t extent = 0; extent < 40; extent++) {
			uint64_t first;
			uint64_t count;
			bsr_bitmap_extent_blocks(bm, extent, &first, &count);
			assert_true(count >= 1 && first + count <= bsr_bitmap_block_count(bm));
			for (uint32_t slot = 0; slot < slots; slot++) {
				(void)bsr_bitmap_set(bm, slot, (uint64_t)extent * 1024,
					extent == 39 ? 64 : 1024);
			}
			uint64_t block = bsr_bitmap_next_dirty(bm, 0, BSR_BITMAP_DIRTY_SET);
			assert_int_equal(block, first);
			for (uint64_t i = 0; i < count; i++) {
				assert_int_equal(
					bsr_bitmap_dirty(bm, first + i), BSR_BITMAP_DIRTY_SET);
				bsr_bitmap_mark_written(bm, first + i);
			}
			block = bsr_bitmap_next_dirty(bm, 0, BSR_BITMAP_DIRTY_SET);
			assert_int_equal(block, NONE);
		}
		free(bm);
	}
}

static void dirty_blocks_are_found_by_kind(void **state)
{
	(void)state;
	struct bsr_bitmap *bm = new_bitmap(20 * PAGE_BITS, 1, 20);
	const uint32_t both = BSR_BITMAP_DIRTY_SET | BSR_BITMAP_DIRTY_CLEAR;
	bsr_bitmap_mark_dirty(bm, 19, BSR_BITMAP_DIRTY_SET);
	bsr_bitmap_mark_dirty(bm, 3, BSR_BITMAP_DIRTY_CLEAR);
	bsr_bitmap_mark_dirty(bm, 5, both);
	assert_int_equal(bsr_bitmap_next_dirty(bm, 0, both), 3);
	assert_int_equal(bsr_bitmap_next_dirty(bm, 0, BSR_BITMAP_DIRTY_SET), 5);
	assert_int_equal(bsr_bitmap_next_dirty(bm, 6, BSR_BITMAP_DIRTY_CLEAR), NONE);
	assert_int_equal(bsr_bitmap_next_dirty(bm, 6, both), 19);
	assert_int_equal(bsr_bitmap_next_dirty(bm, 20, both), NONE);
	assert_int_equal(bsr_bitmap_next_dirty(bm, 0, 0), NONE);
	bsr_bitmap_mark_written(bm, 5);
	assert_int_equal(bsr_bitmap_dirty(bm, 5), 0);
	EXPECT_PANIC((void)bsr_bitmap_dirty(bm, 20));
	free(bm);
}

static void words_travel_and_merge(void **state)
{
	(void)state;
	struct bsr_bitmap *a = new_bitmap(1000, 1, 1);
	struct bsr_bitmap *b = new_bitmap(1000, 1, 1);
	uint8_t words[128 + 8];
	(void)bsr_bitmap_set(a, 0, 3, 70);
	(void)bsr_bitmap_set(a, 0, 999, 1);
	bsr_bitmap_words(a, 0, 0, 1088, words);
	assert_int_equal(words[0], 0xf8);
	assert_int_equal(words[9], 0x01);
	assert_int_equal(words[124], 0x80);
	assert_int_equal(words[128], 0); /* past the end */
	(void)bsr_bitmap_set(b, 0, 0, 5);
	memset(words + 125, 0xff, sizeof(words) - 125); /* a peer's padding is ignored (BM-4) */
	assert_int_equal(bsr_bitmap_merge_words(b, 0, 0, 1088, words), 69);
	assert_int_equal(bsr_bitmap_weight(b, 0), 74);
	bsr_bitmap_check(b);
	EXPECT_PANIC((void)bsr_bitmap_merge_words(b, 0, 32, 64, words));
	free(a);
	free(b);
}

/* ----------------------------------------------------------------- the model */

#define MODEL_BITS (3 * PAGE_BITS + 777)
#define MODEL_SLOTS 3u
#define MODEL_BLOCKS 16u

struct world {
	struct bsr_bitmap *bm;
	uint64_t bits;
	uint32_t slots;
	uint8_t model[MODEL_SLOTS][MODEL_BITS];
	uint8_t disk[MODEL_BLOCKS][4096];
};

static bool real_bit(const struct world *w, uint32_t slot, uint64_t bit)
{
	uint8_t words[8];
	bsr_bitmap_words(w->bm, slot, bit / 64 * 64, 64, words);
	return (words[bit % 64 / 8] >> (bit % 8) & 1) != 0;
}

static bool disk_bit(const struct world *w, uint32_t slot, uint64_t bit)
{
	/* the formula of the format, literally */
	const uint64_t at = bit / 32 * 32 * w->slots + slot * 32 + bit % 32;
	return (w->disk[at / 8 / 4096][at / 8 % 4096] >> (at % 8) & 1) != 0;
}

static uint64_t block_of(const struct world *w, uint32_t slot, uint64_t bit)
{
	return (bit / 32 * 32 * w->slots + slot * 32 + bit % 32) / 8 / 4096;
}

/* Bits as they are; bits that lack of memory has added go into the model, none may be missing. */
static void compare(struct world *w, bool may_grow)
{
	static uint8_t words[(MODEL_BITS / 64 + 1) * 8];
	for (uint32_t slot = 0; slot < w->slots; slot++) {
		uint64_t weight = 0;
		bsr_bitmap_words(w->bm, slot, 0, (uint32_t)((w->bits + 63) / 64 * 64), words);
		for (uint64_t bit = 0; bit < w->bits; bit++) {
			const bool set = (words[bit / 8] >> (bit % 8) & 1) != 0;
			weight += set;
			if (may_grow && set) {
				w->model[slot][bit] = 1;
			}
			if (set != w->model[slot][bit]) {
				fail_msg("slot %u bit %llu: %d", slot, (unsigned long long)bit, set);
			}
			const uint32_t dirty = bsr_bitmap_dirty(w->bm, block_of(w, slot, bit));
			const bool on_disk = disk_bit(w, slot, bit);
			/* BM-5: what is set is on disk or marked; what is clear, likewise */
			assert_true(!set || on_disk || (dirty & BSR_BITMAP_DIRTY_SET) != 0);
			assert_true(set || !on_disk || (dirty & BSR_BITMAP_DIRTY_CLEAR) != 0);
		}
		assert_int_equal(weight, bsr_bitmap_weight(w->bm, slot));
	}
	bsr_bitmap_check(w->bm);
}

static void step_queries(const struct world *w, struct test_random *r)
{
	const uint32_t slot = (uint32_t)test_random_below(r, w->slots);
	const uint64_t from = test_random_below(r, w->bits);
	const uint64_t limit = test_random_below(r, 70000);
	uint64_t next = from;
	while (next < w->bits && !w->model[slot][next]) {
		next++;
	}
	uint64_t run = 0;
	while (run < limit && from + run < w->bits && w->model[slot][from + run]) {
		run++;
	}
	const uint64_t span = test_random_below(r, w->bits - from + 1);
	assert_int_equal(bsr_bitmap_next(w->bm, slot, from), next < w->bits ? next : NONE);
	assert_int_equal(bsr_bitmap_run(w->bm, slot, from, limit), run);
	assert_int_equal(bsr_bitmap_any(w->bm, slot, from, span), next - from < span);
	assert_int_equal(real_bit(w, slot, from), w->model[slot][from]);
}

static void step_change(struct world *w, struct test_random *r, bool may_grow)
{
	static const uint64_t spans[] = {1, 1, 64, 300, 5000, 2 * PAGE_BITS};
	const uint32_t slot = (uint32_t)test_random_below(r, w->slots);
	uint64_t first = test_random_below(r, w->bits);
	if (test_random_below(r, 3) == 0) {
		first = first / PAGE_BITS * PAGE_BITS;
	}
	uint64_t count = 1 + test_random_below(r, spans[test_random_below(r, 6)]);
	count = count < w->bits - first ? count : w->bits - first;
	const uint8_t to = (uint8_t)test_random_below(r, 2);
	uint64_t changed = 0;
	for (uint64_t bit = first; bit < first + count; bit++) {
		changed += w->model[slot][bit] != to;
		w->model[slot][bit] = to;
	}
	const uint64_t before = bsr_bitmap_weight(w->bm, slot);
	const uint64_t said = to ? bsr_bitmap_set(w->bm, slot, first, count)
				 : bsr_bitmap_clear(w->bm, slot, first, count);
	assert_true(said >= changed);
	if (!may_grow) {
		assert_int_equal(said, changed);
	} else if (to == 1) { /* clearing may round up a page of this slot, too */
		assert_int_equal(before + said, bsr_bitmap_weight(w->bm, slot));
	}
}

static void step_merge(struct world *w, struct test_random *r)
{
	uint8_t words[64];
	const uint32_t slot = (uint32_t)test_random_below(r, w->slots);
	const uint64_t first = test_random_below(r, w->bits) / 64 * 64;
	const uint8_t fill = test_random_below(r, 4) == 0 ? 0xff : 0;
	for (uint32_t i = 0; i < sizeof(words); i++) {
		words[i] = fill != 0 ? fill : (uint8_t)test_random_u64(r);
	}
	for (uint64_t i = 0; i < 512 && first + i < w->bits; i++) {
		w->model[slot][first + i] |= (uint8_t)(words[i / 8] >> (i % 8) & 1);
	}
	(void)bsr_bitmap_merge_words(w->bm, slot, first, 512, words);
}

static void step_write_some(struct world *w, struct test_random *r)
{
	const uint64_t blocks = bsr_bitmap_block_count(w->bm);
	const uint64_t from = test_random_below(r, blocks);
	const uint64_t block = bsr_bitmap_next_dirty(w->bm, from, 1u << test_random_below(r, 2));
	if (block != NONE) {
		assert_true(block >= from && block < blocks);
		bsr_bitmap_store(w->bm, block, w->disk[block]);
		bsr_bitmap_mark_written(w->bm, block);
	}
}

static void reload(struct world *w, uint32_t pool_pages)
{
	uint64_t block;
	while ((block = bsr_bitmap_next_dirty(w->bm, 0, 3)) != NONE) {
		bsr_bitmap_store(w->bm, block, w->disk[block]);
		bsr_bitmap_mark_written(w->bm, block);
	}
	free(w->bm);
	w->bm = new_bitmap(w->bits, w->slots, pool_pages);
	for (block = 0; block < bsr_bitmap_block_count(w->bm); block++) {
		bsr_bitmap_load(w->bm, block, w->disk[block]);
	}
	assert_int_equal(bsr_bitmap_next_dirty(w->bm, 0, 3), NONE);
}

static void run_seed(uint64_t seed, uint32_t slots, uint64_t bits, uint32_t pool_pages)
{
	struct test_random r = {seed};
	struct world *w = calloc(1, sizeof(*w));
	assert_non_null(w);
	print_message("seed %#llx slots %u bits %llu pool %u\n", (unsigned long long)seed, slots,
		(unsigned long long)bits, pool_pages);
	const bool may_grow = pool_pages < bsr_bitmap_pool_pages(bits, slots);
	w->bits = bits;
	w->slots = slots;
	w->bm = new_bitmap(bits, slots, pool_pages);
	assert_true(bsr_bitmap_block_count(w->bm) <= MODEL_BLOCKS);
	for (uint32_t step = 0; step < 200; step++) {
		const uint64_t dice = test_random_below(&r, 10);
		if (dice < 5) {
			step_change(w, &r, may_grow);
		} else if (dice < 6) {
			step_merge(w, &r);
		} else if (dice < 8) {
			step_queries(w, &r);
			continue;
		} else {
			step_write_some(w, &r);
		}
		compare(w, may_grow);
	}
	reload(w, bsr_bitmap_pool_pages(bits, slots));
	compare(w, false);
	free(w->bm);
	free(w);
}

static void behaves_like_a_plain_array(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= 3; seed++) {
		run_seed(seed, 3, MODEL_BITS, 12);
		run_seed(seed + 100, 1, MODEL_BITS, 4);
		run_seed(seed + 200, 2, 2 * PAGE_BITS, 4);
		run_seed(seed + 300, 2, 1, 2);
	}
}

static void with_little_memory_bits_are_only_added(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= 3; seed++) {
		run_seed(seed + 400, 3, MODEL_BITS, 1);
		run_seed(seed + 500, 3, MODEL_BITS, 3);
		run_seed(seed + 600, 1, MODEL_BITS, 2);
	}
}

/* ------------------------------------------------- golden: areas of the real tool */

struct dump {
	uint64_t sectors;
	uint32_t slots;
	char *text;
};

static char *read_all(const char *command, size_t *bytes)
{
	FILE *f = popen(command, "r");
	assert_non_null(f);
	size_t room = 1u << 20;
	char *data = malloc(room + 1);
	assert_non_null(data);
	*bytes = 0;
	size_t got;
	while ((got = fread(data + *bytes, 1, room - *bytes, f)) > 0) {
		*bytes += got;
		assert_true(*bytes < room);
	}
	assert_int_equal(pclose(f), 0);
	data[*bytes] = '\0';
	return data;
}

static uint64_t number_behind(const char *text, const char *word)
{
	const char *at = strstr(text, word);
	assert_non_null(at);
	return strtoull(at + strlen(word), NULL, 10);
}

/* Compare the words that the text shows for a slot; returns how many bits it has. */
static uint64_t compare_slot(const struct bsr_bitmap *bm, uint32_t slot, const char *text)
{
	char head[32];
	(void)snprintf(head, sizeof(head), "bitmap[%u] {", slot);
	const char *at = strstr(text, head);
	assert_non_null(at);
	at += strlen(head);
	uint64_t bit = 0;
	uint64_t weight = 0;
	const uint64_t bits = bsr_bitmap_bit_count(bm);
	for (;;) {
		at += strspn(at, " \n");
		if (*at == '#') {
			at += strcspn(at, "\n");
			continue;
		}
		if (*at == '}') {
			break;
		}
		char *end;
		uint64_t times = 1;
		if (at[0] != '0' || at[1] != 'x') {
			times = strtoull(at, &end, 10);
			assert_memory_equal(end, " times ", 7);
			at = end + 7;
		}
		const uint64_t word = strtoull(at, &end, 16);
		assert_int_equal(*end, ';');
		at = end + 1;
		for (; times > 0; times--, bit += 64) {
			uint8_t got[8];
			bsr_bitmap_words(bm, slot, bit, 64, got);
			for (uint32_t i = 0; i < 64; i++) {
				const bool want = bit + i < bits && (word >> i & 1) != 0;
				assert_int_equal(got[i / 8] >> (i % 8) & 1, want);
				weight += want;
			}
		}
	}
	assert_true(bit + 64 >= bits); /* half a word may be missing at the end */
	return weight;
}

static void compare_fixture(const char *name)
{
	char command[512];
	size_t area_bytes;
	size_t text_bytes;
	(void)snprintf(command, sizeof(command), "gzip -dc '%s/%s.md.gz'", BSR_FIXTURES, name);
	uint8_t *area = (uint8_t *)read_all(command, &area_bytes);
	(void)snprintf(command, sizeof(command), "cat '%s/%s.dump.txt'", BSR_FIXTURES, name);
	char *text = read_all(command, &text_bytes);
	const uint64_t sectors = number_behind(text, "la-size-sect ");
	const uint32_t slots = (uint32_t)number_behind(text, "max-peers ");
	struct bsr_bitmap *bm = new_bitmap((sectors + 7) / 8, slots, 200);
	const uint64_t blocks = bsr_bitmap_block_count(bm);
	assert_true(blocks * 4096 <= area_bytes);
	for (uint64_t block = 0; block < blocks; block++) {
		bsr_bitmap_load(bm, block, area + block * 4096);
	}
	bsr_bitmap_check(bm);
	uint64_t total = 0;
	for (uint32_t slot = 0; slot < slots; slot++) {
		total += compare_slot(bm, slot, text);
	}
	print_message("%s: %u slots, %llu bits set\n", name, slots, (unsigned long long)total);
	assert_true(total > 0);
	for (uint64_t block = 0; block < blocks; block++) { /* what we write, reads the same */
		uint8_t out[4096];
		bsr_bitmap_store(bm, block, out);
		bsr_bitmap_load(bm, block, out);
	}
	free(bm);
	free(area);
	free(text);
}

static void areas_of_the_real_tool_show_the_bits_it_prints(void **state)
{
	(void)state;
	compare_fixture("v09-int-256m-p3-state");
	compare_fixture("v09-int-64m-p31-bits");
	compare_fixture("v09-int-64m-p7-bits");
	compare_fixture("v09-int-100m-p5-bits");
	compare_fixture("v09-al-dirty-1g-p3.after");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(single_bits_are_set_once_and_cleared_once),
		cmocka_unit_test(uniform_pages_cost_no_memory),
		cmocka_unit_test(without_memory_a_page_is_rounded_up),
		cmocka_unit_test(two_resyncs_with_two_pages_both_end),
		cmocka_unit_test(pool_size_follows_the_volume),
		cmocka_unit_test(a_petabyte_costs_memory_for_what_differs),
		cmocka_unit_test(bits_of_an_extent_lie_in_its_blocks),
		cmocka_unit_test(dirty_blocks_are_found_by_kind),
		cmocka_unit_test(words_travel_and_merge),
		cmocka_unit_test(behaves_like_a_plain_array),
		cmocka_unit_test(with_little_memory_bits_are_only_added),
		cmocka_unit_test(areas_of_the_real_tool_show_the_bits_it_prints),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
