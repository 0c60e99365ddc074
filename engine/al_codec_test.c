// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * al_codec_test.c - transaction blocks, ring order and replay, against a plain model and real
 * images
 *
 * Argument 1: directory of the metadata fixtures.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <bsr/errors.h>

#include "activity_log.h"
#include "superblock.h"

static const char *fixture_dir;
static uint32_t table[BSR_AL_EXTENTS_MAX];

static void initialised_block_is_the_known_one(void **state)
{
	(void)state;
	uint8_t block[4096];
	static struct bsr_al_transaction t;
	memset(&t, 0, sizeof(t));
	t.initialised = true;
	bsr_al_transaction_encode(block, &t);
	static const uint8_t head[] = {
		0x69, 0xcb, 0x65, 0xa2, 0, 0, 0, 0, 0x70, 0x9c, 0xc6, 0x51, 0xff, 0xff};
	assert_memory_equal(block, head, sizeof(head));
	for (size_t i = sizeof(head); i < sizeof(block); i++) {
		assert_int_equal(block[i], 0);
	}
	assert_int_equal(bsr_al_transaction_decode(&t, block), 0);
	assert_true(t.initialised);
	assert_int_equal(t.context[0], UINT32_MAX); /* not extent 0 */
}

static void every_flipped_bit_is_found(void **state)
{
	(void)state;
	uint8_t block[4096];
	static struct bsr_al_transaction t;
	memset(&t, 0, sizeof(t));
	t.number = 7;
	t.update_count = 2;
	t.context_size = 1237;
	t.context_start = 919;
	t.update_slot[0] = 5;
	t.update_extent[0] = 99;
	bsr_al_transaction_encode(block, &t);
	for (size_t bit = 0; bit < sizeof(block) * 8; bit++) {
		block[bit / 8] ^= (uint8_t)(1u << bit % 8);
		assert_int_not_equal(bsr_al_transaction_decode(&t, block), 0);
		block[bit / 8] ^= (uint8_t)(1u << bit % 8);
	}
	assert_int_equal(bsr_al_transaction_decode(&t, block), 0);
	assert_int_equal(t.number, 7);
	assert_int_equal(t.update_extent[0], 99);
	assert_int_equal(t.update_extent[2], UINT32_MAX);
	assert_int_equal(t.context[1237 - 919], UINT32_MAX);
}

static void ring_order_runs_across_the_stripes(void **state)
{
	(void)state;
	assert_int_equal(bsr_al_ring_place(0, 4, 16), 0);
	assert_int_equal(bsr_al_ring_place(1, 4, 16), 16);
	assert_int_equal(bsr_al_ring_place(4, 4, 16), 1);
	assert_int_equal(bsr_al_ring_place(63, 4, 16), 63);
	assert_int_equal(bsr_al_ring_place(64, 4, 16), 0);
	assert_int_equal(bsr_al_ring_place(83, 1, 8), 3);
	assert_int_equal(bsr_al_ring_place(UINT32_MAX, 1, 80), 15);
}

/* ---- a plain model: writes transactions like the driver does ---- */

struct model {
	uint8_t *ring;
	uint32_t stripes, stripe_blocks, slots, number, context_at, ring_blocks;
	uint32_t *extent;
};

static void model_init(
	struct model *m, uint32_t stripes, uint32_t stripe_blocks, uint32_t slots, uint32_t first)
{
	*m = (struct model){.stripes = stripes,
		.stripe_blocks = stripe_blocks,
		.slots = slots,
		.number = first,
		.ring_blocks = stripes * stripe_blocks};
	m->ring = malloc((size_t)m->ring_blocks * 4096);
	m->extent = malloc(slots * sizeof(*m->extent));
	assert_non_null(m->ring);
	assert_non_null(m->extent);
	memset(m->extent, 0xff, slots * sizeof(*m->extent));
	static struct bsr_al_transaction t;
	memset(&t, 0, sizeof(t));
	t.initialised = true;
	for (uint32_t i = 0; i < m->ring_blocks; i++) {
		bsr_al_transaction_encode(m->ring + (size_t)i * 4096, &t);
	}
}

static void model_free(struct model *m)
{
	free(m->ring);
	free(m->extent);
}

static void model_write(struct model *m, uint32_t updates)
{
	static struct bsr_al_transaction t;
	memset(&t, 0, sizeof(t));
	t.number = m->number;
	t.update_count = (uint16_t)updates;
	t.context_size = (uint16_t)m->slots;
	t.context_start = (uint16_t)m->context_at;
	for (uint32_t i = 0; i < 919 && m->context_at + i < m->slots; i++) {
		t.context[i] = m->extent[m->context_at + i];
	}
	for (uint32_t i = 0; i < updates; i++) {
		t.update_slot[i] = (uint16_t)((uint32_t)rand() % m->slots);
		t.update_extent[i] = rand() % 8 ? (uint32_t)rand() % 100000 : UINT32_MAX;
		m->extent[t.update_slot[i]] = t.update_extent[i];
	}
	m->context_at += 919;
	if (m->context_at >= m->slots) {
		m->context_at = 0;
	}
	const uint32_t place = bsr_al_ring_place(m->number, m->stripes, m->stripe_blocks);
	bsr_al_transaction_encode(m->ring + (size_t)place * 4096, &t);
	m->number++;
}

static void model_compare(const struct model *m)
{
	uint32_t hot = 0;
	uint32_t corrupt = 0;
	uint32_t next = 0;
	uint32_t expected = 0;
	assert_int_equal(
		bsr_al_replay(m->ring, m->stripes, m->stripe_blocks, table, &hot, &corrupt, &next),
		0);
	for (uint32_t i = 0; i < BSR_AL_EXTENTS_MAX; i++) {
		const uint32_t want = i < m->slots ? m->extent[i] : UINT32_MAX;
		assert_int_equal(table[i], want);
		expected += want != UINT32_MAX;
	}
	assert_int_equal(hot, expected);
	assert_int_equal(corrupt, 0);
	assert_int_equal(next, m->number);
}

static void replay_equals_the_model(void **state)
{
	(void)state;
	static const struct {
		uint32_t stripes, stripe_blocks, slots, first;
	} c[] = {{1, 8, 67, 0}, {1, 80, 6001, 0}, {4, 16, 1300, 0xfffffff0u},
		{1, 80, 6001, 0xffffffc0u}, {3, 7, 1237, 0xfffffffeu}, {1, 9, 1237, 0x7ffffff0u},
		{1, 73, 65534, 0}};
	srand(99);
	for (size_t i = 0; i < sizeof(c) / sizeof(c[0]); i++) {
		struct model m;
		model_init(&m, c[i].stripes, c[i].stripe_blocks, c[i].slots, c[i].first);
		/* The ring says everything as long as all contexts fit into it, or nothing has been
		 * overwritten yet. */
		const bool whole = (c[i].slots + 918) / 919 <= m.ring_blocks;
		assert_true(whole);
		for (uint32_t step = 0; step < 3 * m.ring_blocks; step++) {
			model_write(&m, (uint32_t)rand() % 65);
			model_compare(&m);
		}
		model_free(&m);
	}
}

static void a_torn_newest_transaction_is_as_if_never_written(void **state)
{
	(void)state;
	srand(5);
	struct model m;
	model_init(&m, 1, 8, 67, 0);
	for (uint32_t step = 0; step < 30; step++) {
		uint32_t before[67];
		uint32_t hot;
		uint32_t corrupt;
		uint32_t next;
		uint8_t saved[4096];
		memcpy(before, m.extent, sizeof(before));
		model_write(&m, 20);
		uint8_t *block = m.ring + (size_t)((m.number - 1) % 8) * 4096;
		memcpy(saved, block, sizeof(saved));
		memset(block + 512, 0, 3584);
		assert_int_equal(bsr_al_replay(m.ring, 1, 8, table, &hot, &corrupt, &next), 0);
		assert_int_equal(corrupt, 1);
		assert_memory_equal(table, before, sizeof(before));
		memcpy(block, saved, sizeof(saved));
	}
	model_free(&m);
}

static void a_ring_without_any_transaction(void **state)
{
	(void)state;
	struct model m;
	uint32_t hot = 9;
	uint32_t corrupt = 9;
	uint32_t next = 9;
	model_init(&m, 1, 8, 67, 0);
	assert_int_equal(bsr_al_replay(m.ring, 1, 8, table, &hot, &corrupt, &next), 0);
	assert_int_equal(hot, 0);
	assert_int_equal(corrupt, 0);
	m.ring[100] ^= 1;
	assert_int_equal(bsr_al_replay(m.ring, 1, 8, table, &hot, &corrupt, &next), 0);
	assert_int_equal(corrupt, 1);
	m.ring[100] ^= 1;
	m.ring[4096 + 100] ^= 1;
	assert_int_equal(
		bsr_al_replay(m.ring, 1, 8, table, &hot, &corrupt, &next), -BSR_E_AL_UNUSABLE);
	memset(m.ring, 0, 8 * 4096);
	assert_int_equal(
		bsr_al_replay(m.ring, 1, 8, table, &hot, &corrupt, &next), -BSR_E_AL_UNUSABLE);
	assert_int_equal(corrupt, 8);
	model_free(&m);
}

/* Damages random blocks: "complete" may be said only when the table is what the model had. */
static void complete_is_never_claimed_wrongly(void **state)
{
	(void)state;
	static uint32_t before[6001];
	uint32_t claimed = 0;
	uint32_t denied = 0;
	srand(31337);
	for (uint32_t round = 0; round < 1500; round++) {
		struct model m;
		const uint32_t slots = round % 3 == 0 ? 67 : round % 3 == 1 ? 1237 : 6001;
		model_init(&m, 1 + round % 2, 12, slots, 0);
		const uint32_t steps = 1 + (uint32_t)rand() % 60;
		for (uint32_t step = 0; step < steps; step++) {
			memcpy(before, m.extent, slots * sizeof(before[0]));
			model_write(&m, (uint32_t)rand() % 65);
		}
		const uint32_t newest_at =
			bsr_al_ring_place(m.number - 1, m.stripes, m.stripe_blocks);
		const uint32_t damages = (uint32_t)rand() % 4;
		bool newest_torn = false;
		for (uint32_t i = 0; i < damages; i++) {
			const uint32_t at =
				rand() % 3 == 0 ? newest_at : (uint32_t)rand() % m.ring_blocks;
			m.ring[(size_t)at * 4096 + 600] ^= 0x5a;
			newest_torn = newest_torn != (at == newest_at);
		}
		uint32_t hot;
		uint32_t corrupt;
		uint32_t next;
		const int rc = bsr_al_replay(
			m.ring, m.stripes, m.stripe_blocks, table, &hot, &corrupt, &next);
		if (rc == 0 && bsr_al_replay_is_complete(m.ring, m.stripes, m.stripe_blocks)) {
			assert_memory_equal(
				table, newest_torn ? before : m.extent, slots * sizeof(before[0]));
			claimed++;
		} else {
			assert_true(corrupt > 0);
			denied++;
		}
		model_free(&m);
	}
	assert_true(claimed > 300 && denied > 200);
}

static void one_torn_block_leaves_the_log_complete(void **state)
{
	(void)state;
	srand(8);
	for (uint32_t steps = 1; steps < 200; steps++) {
		struct model m;
		model_init(&m, 1, 80, 6001, 0);
		for (uint32_t step = 0; step < steps; step++) {
			model_write(&m, 64);
		}
		m.ring[(size_t)bsr_al_ring_place(m.number - 1, 1, 80) * 4096 + 600] ^= 0x5a;
		assert_true(bsr_al_replay_is_complete(m.ring, 1, 80));
		model_free(&m);
	}
}

/* ---- images made by the kernel driver and drbdmeta ---- */

struct fixture {
	const char *name;
	bool v09;
	size_t area_bytes, superblock_at;
	uint32_t stripes, stripe_blocks, hot_count;
};

#define INTERNAL(name, v09, bytes, stripes, blocks, hot)                                           \
	{                                                                                          \
		name, v09, bytes, (bytes)-4096, stripes, blocks, hot                               \
	}
static const struct fixture fixtures[] = {
	INTERNAL("v09-int-64m-p1", true, 40960, 1, 8, 0),
	INTERNAL("v09-int-1g-p7", true, 266240, 1, 8, 0),
	{"v09-flexext-4m-p7", true, 4194304, 0, 1, 8, 0},
	INTERNAL("v08-int-64m", false, 40960, 1, 8, 0),
	{"v09-int-odd-p2", true, 45056, 67108864 - 67067904, 1, 8, 0},
	INTERNAL("v09-int-256m-p3-stripes", true, 290816, 4, 16, 0),
	INTERNAL("v09-int-256m-p3-state", true, 61440, 1, 8, 0),
	{"v09-idx1-300m-p3", true, 1048576, 0, 1, 8, 0},
	INTERNAL("v08-state-64m", false, 40960, 1, 8, 0),
	INTERNAL("v09-converted-64m", true, 40960, 1, 8, 0),
	INTERNAL("v08-al-dirty-1g", false, 69632, 1, 8, 67),
	INTERNAL("v08-al-dirty-1g.after", false, 69632, 1, 8, 0),
	INTERNAL("v08-al-stripes-dirty-1g", false, 167936, 4, 8, 40),
	INTERNAL("v08-al-stripes-dirty-1g.after", false, 167936, 4, 8, 0),
	INTERNAL("v09-al-dirty-1g-p3", true, 135168, 1, 8, 67),
	INTERNAL("v09-al-dirty-1g-p3.after", true, 135168, 1, 8, 0),
	/* 516 slots in use, 62 of them with different extents inside of the 256 MiB */
	INTERNAL("v09-al-stripes-wrap-256m-p3", true, 290816, 4, 16, 516),
	INTERNAL("v09-al-stripes-wrap-256m-p3.after", true, 290816, 4, 16, 0),
	INTERNAL("v09-int-64m-p7-bits", true, 53248, 1, 8, 0),
	INTERNAL("v09-int-100m-p5-bits", true, 53248, 1, 8, 0),
	INTERNAL("v09-int-64m-p31-bits", true, 102400, 1, 8, 0),
	INTERNAL("v09-al-torn-1g-p3", true, 135168, 1, 8, 67),
	INTERNAL("v09-al-torn-1g-p3.after", true, 135168, 1, 8, 0),
	INTERNAL("v09-int-1g-p7-bm64k", true, 53248, 1, 8, 0),
	INTERNAL("v09-bsr-int-64m-p3", true, 339968, 1, 80, 0),
};

static uint8_t *fixture_read(const struct fixture *f)
{
	char command[512];
	snprintf(command, sizeof(command), "gzip -dc '%s/%s.md.gz'", fixture_dir, f->name);
	uint8_t *area = malloc(f->area_bytes);
	assert_non_null(area);
	FILE *p = popen(command, "r");
	assert_non_null(p);
	assert_int_equal(fread(area, 1, f->area_bytes, p), f->area_bytes);
	/* A device of odd size has a tail behind the superblock that belongs to nobody. */
	assert_true(pclose(p) == 0);
	return area;
}

static void fixture_superblock(const struct fixture *f, const uint8_t *block)
{
	struct bsr_superblock sb;
	uint8_t again[4096];
	if (!f->v09) {
		assert_int_equal(bsr_superblock_decode(&sb, block), -BSR_E_NOT_OURS);
		return;
	}
	assert_int_equal(bsr_superblock_decode(&sb, block), 0);
	assert_int_equal(sb.al_stripes, f->stripes);
	assert_int_equal(sb.al_stripe_blocks, f->stripe_blocks);
	bsr_superblock_encode(again, &sb);
	assert_memory_equal(again, block, sizeof(again));
}

static void fixture_ring(const struct fixture *f, const uint8_t *ring)
{
	static struct bsr_al_transaction t;
	uint8_t again[4096];
	uint32_t bad = 0;
	for (uint32_t i = 0; i < f->stripes * f->stripe_blocks; i++) {
		if (bsr_al_transaction_decode(&t, ring + (size_t)i * 4096) != 0) {
			bad++;
			continue;
		}
		bsr_al_transaction_encode(again, &t);
		assert_memory_equal(again, ring + (size_t)i * 4096, sizeof(again));
	}
	uint32_t hot;
	uint32_t corrupt;
	uint32_t next;
	assert_int_equal(
		bsr_al_replay(ring, f->stripes, f->stripe_blocks, table, &hot, &corrupt, &next), 0);
	assert_int_equal(corrupt, bad);
	assert_int_equal(bad, strcmp(f->name, "v09-al-torn-1g-p3") == 0 ? 1 : 0);
	assert_true(bsr_al_replay_is_complete(ring, f->stripes, f->stripe_blocks));
	assert_int_equal(hot, f->hot_count);
}

static void fixtures_decode_and_encode_to_the_same_bytes(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(fixtures) / sizeof(fixtures[0]); i++) {
		const struct fixture *f = &fixtures[i];
		uint8_t *area = fixture_read(f);
		const size_t ring_bytes = (size_t)f->stripes * f->stripe_blocks * 4096;
		const bool internal = f->superblock_at != 0;
		const size_t ring_at = internal ? f->superblock_at - ring_bytes : 4096;
		fixture_superblock(f, area + f->superblock_at);
		fixture_ring(f, area + ring_at);
		free(area);
	}
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(initialised_block_is_the_known_one),
		cmocka_unit_test(every_flipped_bit_is_found),
		cmocka_unit_test(ring_order_runs_across_the_stripes),
		cmocka_unit_test(replay_equals_the_model),
		cmocka_unit_test(a_torn_newest_transaction_is_as_if_never_written),
		cmocka_unit_test(a_ring_without_any_transaction),
		cmocka_unit_test(complete_is_never_claimed_wrongly),
		cmocka_unit_test(one_torn_block_leaves_the_log_complete),
		cmocka_unit_test(fixtures_decode_and_encode_to_the_same_bytes),
	};
	fixture_dir = argc > 1 ? argv[1] : "tests/fixtures/metadata";
	return cmocka_run_group_tests(tests, NULL, NULL);
}
