// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * superblock_test.c - superblock codec, history and slots, and the placement formulas
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

#include "superblock.h"

static struct bsr_superblock fresh(void)
{
	struct bsr_superblock sb;
	memset(&sb, 0, sizeof(sb));
	sb.current_gi.v = BSR_GI_JUST_CREATED;
	sb.flags = BSR_MDF_AL_CLEAN;
	sb.bytes_per_bit = 4096;
	sb.max_peers = 7;
	sb.node_id = -1;
	sb.al_stripes = 1;
	sb.al_stripe_blocks = 8;
	sb.al_extents = 257;
	for (size_t i = 0; i < BSR_NODES_MAX; i++) {
		sb.peer[i].bitmap_index = -1;
	}
	return sb;
}

/* Every field its own value, so that two swapped fields show. */
static struct bsr_superblock distinct(void)
{
	struct bsr_superblock sb = fresh();
	sb.effective_sectors = 0x1122334455ull;
	sb.current_gi.v = 0xa1a2a3a4a5a6a7a9ull;
	sb.members = 0x0b;
	sb.reserved_u64[0] = 11;
	sb.reserved_u64[1] = 12;
	sb.reserved_u64[2] = 13;
	sb.device_uuid = 0xdddddddd01020304ull;
	sb.flags = 0xfee00ff3u;
	sb.md_sectors = 520;
	sb.al_offset_sectors = -64;
	sb.bm_offset_sectors = -512;
	sb.peer_max_bio_bytes = 1u << 20;
	sb.node_id = 31;
	sb.reserved_u32[0] = 14;
	sb.reserved_u32[1] = 15;
	for (uint32_t i = 0; i < BSR_NODES_MAX; i++) {
		sb.peer[i].bitmap_gi.v = 0x1000 + i;
		sb.peer[i].bitmap_dagtag = 0x2000 + i;
		sb.peer[i].flags = 0x80000000u + i;
		sb.peer[i].reserved = 0x3000 + i;
		sb.peer[i].bitmap_index = i < 7 ? (int32_t)(6 - i) : -1;
		sb.history[i].v = 0x4000 + 2ull * i;
	}
	return sb;
}

static void every_field_survives_a_round_trip(void **state)
{
	(void)state;
	uint8_t block[4096];
	uint8_t again[4096];
	for (uint64_t sequence = 0; sequence < 2; sequence++) {
		struct bsr_superblock sb = distinct();
		struct bsr_superblock back;
		sb.write_sequence = sequence * 77;
		bsr_superblock_encode(block, &sb);
		assert_int_equal(bsr_superblock_decode(&back, block), 0);
		assert_memory_equal(&back, &sb, sizeof(sb));
		bsr_superblock_encode(again, &back);
		assert_memory_equal(again, block, sizeof(block));
	}
}

static void fields_are_where_the_format_says(void **state)
{
	(void)state;
	uint8_t block[4096];
	const struct bsr_superblock sb = distinct();
	bsr_superblock_encode(block, &sb);
	static const uint8_t magic[] = {0x83, 0x74, 0x02, 0x6d};
	static const uint8_t al_offset[] = {0xff, 0xff, 0xff, 0xc0};
	static const uint8_t node_id[] = {0, 0, 0, 31};
	static const uint8_t peer2[] = {0, 0, 0, 0, 0, 0, 0x10, 0x02, 0, 0, 0, 0, 0, 0, 0x20, 0x02,
		0x80, 0, 0, 2, 0, 0, 0, 4};
	static const uint8_t history31[] = {0, 0, 0, 0, 0, 0, 0x40, 62};
	assert_memory_equal(block + 60, magic, 4);
	assert_memory_equal(block + 68, al_offset, 4);
	assert_memory_equal(block + 92, node_id, 4);
	assert_memory_equal(block + 112 + 2 * 32, peer2, sizeof(peer2));
	assert_memory_equal(block + 1136 + 31 * 8, history31, 8);
	for (size_t i = 1392; i < 4096; i++) {
		assert_int_equal(
			block[i], 0); /* write_sequence 0: nothing of ours in the padding */
	}
}

static void a_flipped_bit_in_our_own_block_is_found(void **state)
{
	(void)state;
	uint8_t block[4096];
	struct bsr_superblock sb = distinct();
	sb.write_sequence = 5;
	bsr_superblock_encode(block, &sb);
	for (size_t bit = 0; bit < 4096 * 8; bit++) {
		struct bsr_superblock back = fresh();
		const struct bsr_superblock untouched = back;
		block[bit / 8] ^= (uint8_t)(1u << bit % 8);
		const bool in_magic = bit / 32 == 15;
		assert_int_equal(bsr_superblock_decode(&back, block),
			in_magic ? -BSR_E_NOT_OURS : -BSR_E_CORRUPT);
		assert_memory_equal(&back, &untouched, sizeof(back));
		block[bit / 8] ^= (uint8_t)(1u << bit % 8);
	}
}

static void both_stripe_fields_zero_mean_one_by_eight(void **state)
{
	(void)state;
	uint8_t block[4096];
	struct bsr_superblock sb = fresh();
	bsr_superblock_encode(block, &sb);
	memset(block + 96, 0, 8);
	assert_int_equal(bsr_superblock_decode(&sb, block), 0);
	assert_int_equal(sb.al_stripes, 1);
	assert_int_equal(sb.al_stripe_blocks, 8);
	block[99] = 1; /* only one of the two */
	assert_int_equal(bsr_superblock_decode(&sb, block), -BSR_E_RANGE);
}

static int decode_with(size_t at, uint32_t value)
{
	uint8_t block[4096];
	struct bsr_superblock sb = fresh();
	bsr_superblock_encode(block, &sb);
	for (size_t i = 0; i < 4; i++) {
		block[at + i] = (uint8_t)(value >> (24 - 8 * i));
	}
	return bsr_superblock_decode(&sb, block);
}

static void limits_hold_at_their_edges(void **state)
{
	(void)state;
	static const struct {
		size_t at;
		uint32_t value;
		int rc;
	} cases[] = {
		{88, 0, -BSR_E_RANGE},
		{88, 1, 0},
		{88, 32, 0},
		{88, 33, -BSR_E_RANGE},
		{88, UINT32_MAX, -BSR_E_RANGE},
		{92, (uint32_t)-2, -BSR_E_RANGE},
		{92, (uint32_t)-1, 0},
		{92, 31, 0},
		{92, 32, -BSR_E_RANGE},
		{80, 2048, -BSR_E_RANGE},
		{80, 4096, 0},
		{80, 4097, -BSR_E_RANGE},
		{80, 1048576, 0},
		{80, 2097152, -BSR_E_RANGE},
		{80, 0, -BSR_E_RANGE},
		{100, 7, -BSR_E_RANGE},
		{100, 8, 0},
		{100, 8192, 0},
		{100, 8193, -BSR_E_RANGE},
		{96, 1024, 0},
		{96, 1025, -BSR_E_RANGE},
		{96, 0x20000000u, -BSR_E_RANGE},
		{72, 65534, 0},
		{72, 65535, -BSR_E_RANGE},
		{0, 0x200, 0},
		{0, 0x201, -BSR_E_RANGE},
		{112 + 20, 6, 0},
		{112 + 20, 7, -BSR_E_RANGE},
		{112 + 20, (uint32_t)-2, -BSR_E_RANGE},
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		if (decode_with(cases[i].at, cases[i].value) != cases[i].rc) {
			fail_msg("value %u at %zu: not %d", cases[i].value, cases[i].at,
				cases[i].rc);
		}
	}
}

static void slots_are_unique_and_never_ones_own(void **state)
{
	(void)state;
	struct bsr_superblock sb = fresh();
	assert_null(bsr_superblock_problem(&sb));
	sb.peer[1].bitmap_index = 3;
	sb.peer[2].bitmap_index = 3;
	assert_non_null(bsr_superblock_problem(&sb));
	sb.peer[2].bitmap_index = 2;
	assert_null(bsr_superblock_problem(&sb));
	sb.node_id = 2;
	assert_non_null(bsr_superblock_problem(&sb));
}

static void the_lowest_free_slot_is_taken(void **state)
{
	(void)state;
	struct bsr_superblock sb = fresh();
	sb.max_peers = 3;
	sb.peer[9].bitmap_index = 0;
	sb.peer[4].bitmap_index = 2;
	assert_int_equal(bsr_superblock_slot(&sb, 4), 2);
	assert_int_equal(bsr_superblock_slot(&sb, 31), 1);
	assert_int_equal(sb.peer[31].bitmap_index, 1);
	assert_int_equal(bsr_superblock_slot(&sb, 30), -1);
	assert_int_equal(sb.peer[30].bitmap_index, -1);
}

static void push(struct bsr_superblock *sb, uint64_t gi)
{
	bsr_superblock_push_history(sb, (struct bsr_gi){gi});
}

static void history_follows_its_rules(void **state)
{
	(void)state;
	struct bsr_superblock sb = fresh();
	sb.current_gi.v = 0x101;
	sb.node_id = 3;
	sb.peer[5].bitmap_gi.v = 0x201;
	sb.peer[3].bitmap_gi.v = 0x300;
	push(&sb, 0);
	push(&sb, 1);
	push(&sb, BSR_GI_JUST_CREATED);
	push(&sb, BSR_GI_JUST_CREATED | 1);
	push(&sb, 0x100); /* current, but for the primary bit */
	assert_int_equal(sb.history[0].v, 0);
	push(&sb, 0x201); /* a peer has it, but the history is empty */
	assert_int_equal(sb.history[0].v, 0x200);
	sb.peer[6].bitmap_gi.v = 0x401;
	push(&sb, 0x400); /* a peer has it */
	push(&sb, 0x200); /* in the history */
	assert_int_equal(sb.history[0].v, 0x200);
	assert_int_equal(sb.history[1].v, 0);
	push(&sb, 0x301); /* only our own entry has it */
	assert_int_equal(sb.history[0].v, 0x300);
	assert_int_equal(sb.history[1].v, 0x200);
	for (uint64_t i = 0; i < 40; i++) {
		push(&sb, 0x1000 + 2 * i);
	}
	assert_int_equal(sb.history[0].v, 0x1000 + 78);
	assert_int_equal(sb.history[31].v, 0x1000 + 78 - 62);
}

static uint64_t mib(uint64_t n)
{
	return n << 20;
}

static struct bsr_md_geometry internal(uint64_t bytes, uint32_t slots)
{
	return (struct bsr_md_geometry){.kind = BSR_MD_INTERNAL,
		.md_device_bytes = bytes,
		.data_device_bytes = bytes,
		.max_peers = slots,
		.al_stripes = 1,
		.al_stripe_blocks = 8,
		.bytes_per_bit = 4096};
}

static void internal_placement_equals_the_tables(void **state)
{
	(void)state;
	const uint64_t tib10 = 10ull << 40;
	const struct {
		uint64_t bytes;
		uint32_t slots, bpb, stripes, stripe_blocks;
		uint64_t md_sectors, bitmap_at, superblock_at, usable_sectors;
	} c[] = {
		{mib(64), 1, 4096, 1, 8, 80, 67067904, 67104768, 130992},
		{mib(64), 7, 4096, 1, 8, 104, 67055616, 67104768, 130968},
		{mib(64), 31, 4096, 1, 8, 200, 67006464, 67104768, 130872},
		{mib(1024), 1, 4096, 1, 8, 136, 1073672192, 1073737728, 2097016},
		{mib(1024), 7, 4096, 1, 8, 520, 1073475584, 1073737728, 2096632},
		{mib(1024), 31, 4096, 1, 8, 2056, 1072689152, 1073737728, 2095096},
		{tib10, 1, 4096, 1, 8, 655432, 10994780696576, 10995116273664, 21474181048},
		{tib10, 7, 4096, 1, 8, 4587592, 10992767430656, 10995116273664, 21470248888},
		{tib10, 31, 4096, 1, 8, 20316232, 10984714366976, 10995116273664, 21454520248},
		{1000001ull << 10, 5, 4096, 1, 8, 384, 1999616ull * 512, 1023995904, 1999616},
		{67113472, 1, 4096, 1, 8, 80, 131000ull * 512, 67108864, 131000},
		{67109376, 2, 4096, 1, 8, 88, 67104768 - 80 * 512, 67104768,
			(67104768 - 80 * 512) / 512},
		{mib(1024), 3, 4096, 4, 16, 712, 1073737728 - 704 * 512, 1073737728,
			(1073737728 - 704 * 512) / 512},
		{mib(64), 1, 4096, 1, 80, 656, 66772992, 67104768, 130416},
		{mib(1024), 7, 4096, 1, 80, 1096, 2096056ull * 512, 1073737728, 2096056},
		{mib(1024), 31, 65536, 1, 8, 200, 2096952ull * 512, 1073737728, 2096952},
		{tib10, 7, 1048576, 1, 8, 17992, 21474818488ull * 512, 10995116273664, 21474818488},
	};
	for (size_t i = 0; i < sizeof(c) / sizeof(c[0]); i++) {
		struct bsr_md_geometry g = internal(c[i].bytes, c[i].slots);
		struct bsr_md_layout l;
		g.bytes_per_bit = c[i].bpb;
		g.al_stripes = c[i].stripes;
		g.al_stripe_blocks = c[i].stripe_blocks;
		assert_int_equal(bsr_md_layout_compute(&l, &g), 0);
		assert_int_equal(l.superblock_offset, c[i].superblock_at);
		assert_int_equal(l.bitmap_offset, c[i].bitmap_at);
		assert_int_equal(l.data_bytes, c[i].usable_sectors * 512);
		assert_int_equal(l.al_offset + l.al_bytes, l.superblock_offset);
		assert_int_equal(l.bitmap_offset + l.bitmap_bytes, l.al_offset);
		if (i != 16) { /* for that one the reference has only the usable size */
			assert_int_equal(l.md_sectors, c[i].md_sectors);
		}
	}
}

static void external_placement_equals_the_tables(void **state)
{
	(void)state;
	struct bsr_md_geometry g = internal(mib(4), 7);
	struct bsr_md_layout l;
	g.kind = BSR_MD_FLEX_EXTERNAL;
	g.data_device_bytes = 1ull << 50;
	assert_int_equal(bsr_md_layout_compute(&l, &g), 0);
	assert_int_equal(l.superblock_offset, 0);
	assert_int_equal(l.al_offset, 4096);
	assert_int_equal(l.bitmap_offset, 36864);
	assert_int_equal(l.md_sectors, 8192);
	assert_int_equal(l.data_bytes / 512, 38010880);
	g.data_device_bytes = mib(100) + 512;
	assert_int_equal(bsr_md_layout_compute(&l, &g), 0);
	assert_int_equal(l.data_bytes, mib(100) + 512);

	g = internal(mib(300), 1);
	g.kind = BSR_MD_INDEXED;
	g.index = 1;
	g.index_stride_bytes = BSR_MD_STRIDE_DRBD_BYTES;
	g.data_device_bytes = 1ull << 50;
	assert_int_equal(bsr_md_layout_compute(&l, &g), 0);
	assert_int_equal(l.superblock_offset, mib(128));
	assert_int_equal(l.md_sectors, 262144);
	assert_int_equal(l.bitmap_offset - l.superblock_offset, 72 * 512);
	assert_int_equal(l.data_bytes / 512, 8587575296ull);
	g.index = 2;
	assert_int_equal(bsr_md_layout_compute(&l, &g), -BSR_E_MD_DISK_TOO_SMALL);
	g.index = 256;
	assert_int_equal(bsr_md_layout_compute(&l, &g), -BSR_E_RANGE);
}

static void impossible_geometries_are_refused(void **state)
{
	(void)state;
	struct bsr_md_layout l;
	struct bsr_md_geometry g = internal(32768, 1);
	assert_int_equal(bsr_md_layout_compute(&l, &g), -BSR_E_MD_DISK_TOO_SMALL);
	g = internal(4096, 1);
	assert_int_equal(bsr_md_layout_compute(&l, &g), -BSR_E_MD_DISK_TOO_SMALL);
	g = internal(0, 1);
	assert_int_equal(bsr_md_layout_compute(&l, &g), -BSR_E_MD_DISK_TOO_SMALL);
	g = internal(mib(64), 0);
	assert_int_equal(bsr_md_layout_compute(&l, &g), -BSR_E_RANGE);
	g = internal(mib(64), 33);
	assert_int_equal(bsr_md_layout_compute(&l, &g), -BSR_E_RANGE);
	g = internal(1ull << 50, 32); /* the bitmap's offset does not fit 31 bits of sectors */
	assert_int_equal(bsr_md_layout_compute(&l, &g), -BSR_E_RANGE);
	g = internal(1ull << 50, 30);
	assert_int_equal(bsr_md_layout_compute(&l, &g), 0);
	g = internal(UINT64_MAX, 1);
	assert_int_equal(bsr_md_layout_compute(&l, &g), -BSR_E_RANGE);
	g = internal(mib(64), 1);
	g.al_stripes = 0x10000;
	g.al_stripe_blocks = 0x10000;
	assert_int_equal(bsr_md_layout_compute(&l, &g), -BSR_E_RANGE);
}

static void nothing_overlaps_in_random_geometries(void **state)
{
	(void)state;
	srand(4711);
	for (int i = 0; i < 20000; i++) {
		struct bsr_md_layout l;
		const uint64_t bytes =
			(((uint64_t)(unsigned)rand() << 20) ^ (uint64_t)(unsigned)rand()) >>
			(rand() % 30);
		struct bsr_md_geometry g = internal(bytes / 512 * 512, 1 + (uint32_t)rand() % 32);
		g.kind = rand() % 2 ? BSR_MD_INTERNAL : BSR_MD_FLEX_EXTERNAL;
		g.al_stripes = 1 + (uint32_t)rand() % 4;
		g.al_stripe_blocks = 8 + (uint32_t)rand() % 90;
		g.bytes_per_bit = 4096u << rand() % 9;
		if (bsr_md_layout_compute(&l, &g) != 0) {
			continue;
		}
		struct bsr_superblock sb = fresh();
		sb.al_stripes = g.al_stripes;
		sb.al_stripe_blocks = g.al_stripe_blocks;
		bsr_superblock_set_layout(&sb, &l);
		assert_int_equal(bsr_superblock_check_layout(&sb, &l), 0);
		const uint64_t bits =
			l.data_bytes / g.bytes_per_bit + (l.data_bytes % g.bytes_per_bit != 0);
		assert_true((bits + 63) / 64 * 8 * g.max_peers <= l.bitmap_bytes);
		if (g.kind == BSR_MD_INTERNAL) {
			assert_true(l.data_bytes <= l.bitmap_offset);
			assert_true(l.bitmap_offset + l.bitmap_bytes == l.al_offset);
			assert_true(l.al_offset + l.al_bytes == l.superblock_offset);
		} else {
			assert_true(l.bitmap_offset + l.bitmap_bytes <= g.md_device_bytes);
		}
		sb.bm_offset_sectors += 8;
		assert_int_equal(bsr_superblock_check_layout(&sb, &l), -BSR_E_MD_INVALID);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_field_survives_a_round_trip),
		cmocka_unit_test(fields_are_where_the_format_says),
		cmocka_unit_test(a_flipped_bit_in_our_own_block_is_found),
		cmocka_unit_test(both_stripe_fields_zero_mean_one_by_eight),
		cmocka_unit_test(limits_hold_at_their_edges),
		cmocka_unit_test(slots_are_unique_and_never_ones_own),
		cmocka_unit_test(the_lowest_free_slot_is_taken),
		cmocka_unit_test(history_follows_its_rules),
		cmocka_unit_test(internal_placement_equals_the_tables),
		cmocka_unit_test(external_placement_equals_the_tables),
		cmocka_unit_test(impossible_geometries_are_refused),
		cmocka_unit_test(nothing_overlaps_in_random_geometries),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
