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

static void known_answer(void **state)
{
	(void)state;
	assert_int_equal(~bsr_crc32c_hw(~0u, "123456789", 9), 0xe3069283u);
	assert_int_equal(bsr_crc32c_hw(5, data, 0), 5);
}

static void same_as_portable_at_every_length(void **state)
{
	(void)state;
	fill();
	for (size_t bytes = 0; bytes <= 4500; bytes++) {
		const size_t at = bytes % 17;
		assert_int_equal(bsr_crc32c_hw(~0u, data + at, bytes), bsr_crc32c(~0u, data + at, bytes));
	}
	for (size_t bytes = BYTES - 40; bytes <= BYTES; bytes++) {
		assert_int_equal(bsr_crc32c_hw(0x1234567, data, bytes), bsr_crc32c(0x1234567, data, bytes));
	}
}

static void pieces_give_the_whole(void **state)
{
	(void)state;
	fill();
	const uint32_t whole = bsr_crc32c_hw(~0u, data, BYTES);
	for (size_t cut = 0; cut <= BYTES; cut += 97) {
		assert_int_equal(bsr_crc32c_hw(bsr_crc32c_hw(~0u, data, cut), data + cut, BYTES - cut), whole);
	}
}

static void says_what_it_uses(void **state)
{
	(void)state;
	print_message("CRC32C by %s\n", bsr_crc32c_hw_available() ? "instruction" : "table");
	assert_int_equal(bsr_crc32c_hw_available(), bsr_crc32c_hw_available());
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(known_answer),
		cmocka_unit_test(same_as_portable_at_every_length),
		cmocka_unit_test(pieces_give_the_whole),
		cmocka_unit_test(says_what_it_uses),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
