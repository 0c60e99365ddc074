// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * crc32c_test.c - the fast checksum equals the definition
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <bsr/crc32c.h>

static uint32_t crc_by_definition(uint32_t crc, const uint8_t *p, size_t bytes)
{
	for (size_t i = 0; i < bytes; i++) {
		crc ^= p[i];
		for (int bit = 0; bit < 8; bit++) {
			crc = (crc >> 1) ^ ((crc & 1u) ? 0x82f63b78u : 0u);
		}
	}
	return crc;
}

static void known_answers(void **state)
{
	(void)state;
	assert_int_equal(bsr_crc32c(0, "123456789", 9), 0x58e3fa20u);
	assert_int_equal((uint32_t)~bsr_crc32c(~0u, "123456789", 9), 0xe3069283u);
	assert_int_equal(bsr_crc32c(0x1234u, "", 0), 0x1234u);
}

static void equals_definition_for_every_length_and_alignment(void **state)
{
	(void)state;
	static uint8_t buffer[4200];
	uint32_t seed = 1;
	for (size_t i = 0; i < sizeof(buffer); i++) {
		seed = seed * 1664525u + 1013904223u;
		buffer[i] = (uint8_t)(seed >> 24);
	}
	for (size_t start = 0; start < 9; start++) {
		for (size_t bytes = 0; bytes < 80; bytes++) {
			assert_int_equal(bsr_crc32c(seed + (uint32_t)bytes, buffer + start, bytes),
				crc_by_definition(seed + (uint32_t)bytes, buffer + start, bytes));
		}
	}
	assert_int_equal(bsr_crc32c(0, buffer + 3, 4096), crc_by_definition(0, buffer + 3, 4096));
}

static void can_be_continued(void **state)
{
	(void)state;
	const char *text = "the quick brown fox jumps over the lazy dog";
	const uint32_t whole = bsr_crc32c(~0u, text, 43);
	for (size_t cut = 0; cut <= 43; cut++) {
		assert_int_equal(
			bsr_crc32c(bsr_crc32c(~0u, text, cut), text + cut, 43 - cut), whole);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(known_answers),
		cmocka_unit_test(equals_definition_for_every_length_and_alignment),
		cmocka_unit_test(can_be_continued),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
