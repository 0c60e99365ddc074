// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * crc32c_hw_test.c - the fast checksum is the same as the portable one
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <bsr/crc32c.h>

#include "crc32c_hw.h"

#define BYTES (3u * 4096u * 5u)
static uint8_t data[BYTES + 64];

static void fill(void)
{
	uint64_t x = 88172645463325252ull;
	for (size_t i = 0; i < sizeof(data); i++) {
		x ^= x << 13;
		x ^= x >> 7;
		x ^= x << 17;
		data[i] = (uint8_t)x;
	}
}

/* @check with every way that this processor has. */
static void in_every_way(void (*check)(void))
{
	const enum bsr_crc32c_way best = bsr_crc32c_hw_best();
	fill();
	for (uint32_t way = BSR_CRC32C_TABLE; way <= best; way++) {
		bsr_crc32c_hw_use((enum bsr_crc32c_way)way);
		check();
	}
}

static void check_known_answer(void)
{
	assert_int_equal(~bsr_crc32c_hw(~0u, "123456789", 9), 0xe3069283u);
	assert_int_equal(bsr_crc32c_hw(5, data, 0), 5);
	assert_int_equal(bsr_crc32c_hw_36(7, data, 36), bsr_crc32c(7, data, 36));
}

static void known_answer(void **state)
{
	(void)state;
	in_every_way(check_known_answer);
}

static void check_lengths(void)
{
	for (size_t bytes = 0; bytes <= 4500; bytes++) {
		const size_t at = bytes % 67;
		assert_int_equal(bsr_crc32c_hw(~0u, data + at, bytes), bsr_crc32c(~0u, data + at, bytes));
	}
	for (size_t bytes = BYTES - 300; bytes <= BYTES; bytes++) {
		assert_int_equal(bsr_crc32c_hw(0x1234567, data, bytes), bsr_crc32c(0x1234567, data, bytes));
	}
}

static void same_as_portable_at_every_length(void **state)
{
	(void)state;
	in_every_way(check_lengths);
}

/* Checksums are linear: a single bit at each place shows each constant of each way. */
static void check_single_bits(void)
{
	memset(data, 0, sizeof(data));
	for (size_t bit = 0; bit < 4096 * 8; bit++) {
		data[bit / 8] = (uint8_t)(1u << bit % 8);
		assert_int_equal(bsr_crc32c_hw(0, data, 4096), bsr_crc32c(0, data, 4096));
		data[bit / 8] = 0;
	}
	for (uint32_t bit = 0; bit < 32; bit++) {
		assert_int_equal(bsr_crc32c_hw(1u << bit, data, 4096), bsr_crc32c(1u << bit, data, 4096));
	}
	fill();
}

static void single_bits_count(void **state)
{
	(void)state;
	in_every_way(check_single_bits);
}

static void check_pieces(void)
{
	const uint32_t whole = bsr_crc32c_hw(~0u, data, BYTES);
	for (size_t cut = 0; cut <= BYTES; cut += 97) {
		assert_int_equal(bsr_crc32c_hw(bsr_crc32c_hw(~0u, data, cut), data + cut, BYTES - cut), whole);
	}
}

static void pieces_give_the_whole(void **state)
{
	(void)state;
	in_every_way(check_pieces);
}

static void check_content(void)
{
	for (size_t body = 0; body <= 140; body += 4) {
		for (size_t payload = 0; payload <= 8192; payload += payload < 1024 ? 96 : 512) {
			const uint32_t crc = bsr_crc32c(bsr_crc32c(~0u, data + 5, body), data + 333, payload);
			assert_int_equal(bsr_crc32c_hw_content(data + 5, body, data + 333, payload), ~crc);
		}
	}
}

static void content_is_body_and_payload(void **state)
{
	(void)state;
	in_every_way(check_content);
}

static void says_what_it_uses(void **state)
{
	static const char *const words[] = {"table", "instruction", "folding"};
	(void)state;
	print_message("CRC32C by %s\n", words[bsr_crc32c_hw_best()]);
	assert_int_equal(bsr_crc32c_hw_best(), bsr_crc32c_hw_best());
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(known_answer),
		cmocka_unit_test(same_as_portable_at_every_length),
		cmocka_unit_test(single_bits_count),
		cmocka_unit_test(pieces_give_the_whole),
		cmocka_unit_test(content_is_body_and_payload),
		cmocka_unit_test(says_what_it_uses),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
