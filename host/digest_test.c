// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * digest_test.c - digests of blocks against published values, block by block
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "digest.h"

/* Of 4096 zero bytes: crc32c by its definition, the others as sha1sum and its siblings print them. */
static const char *const of_zeroes[BSR_DIGEST_COUNT] = {NULL, "98f94189", "620f0b67a91f7f74151bc5be745b7110",
	"1ceaf73df40e531df3bfb26b4fb7cd95fb7bff1d", "ad7facb2586fc6e966c004d7d1d16b024f5805ff7cb47c7a85dabd8b48892ca7", NULL};

static void text_of(const uint8_t *bytes, uint32_t count, char *out)
{
	for (uint32_t i = 0; i < count; i++) {
		snprintf(out + (size_t)2 * i, 3, "%02x", bytes[i]);
	}
}

static void digests_are_the_published_ones(void **state)
{
	static const uint8_t zeroes[4096];
	struct bsr_digests *d = bsr_digests_create();
	(void)state;
	assert_non_null(d);
	for (uint32_t i = 1; i < BSR_DIGEST_COUNT; i++) {
		const uint8_t *out = NULL;
		char text[2 * BSR_DIGEST_BYTES_MAX + 1];
		assert_int_equal(bsr_digests_blocks(d, i, zeroes, sizeof(zeroes), &out), bsr_digest_bytes(i));
		text_of(out, bsr_digest_bytes(i), text);
		if (of_zeroes[i] != NULL) {
			assert_string_equal(text, of_zeroes[i]);
		}
	}
	bsr_digests_destroy(d);
}

static void each_block_has_its_own(void **state)
{
	static uint8_t mem[3 * 4096 + 512];
	struct bsr_digests *d = bsr_digests_create();
	(void)state;
	assert_non_null(d);
	for (uint32_t i = 1; i < BSR_DIGEST_COUNT; i++) {
		uint8_t before[4 * BSR_DIGEST_BYTES_MAX];
		const uint8_t *out = NULL;
		const uint32_t each = bsr_digest_bytes(i);
		memset(mem, 0, sizeof(mem));
		assert_int_equal(bsr_digests_blocks(d, i, mem, sizeof(mem), &out), 4 * each);
		memcpy(before, out, (size_t)4 * each);
		assert_memory_equal(before, before + each, each);
		assert_memory_not_equal(before, before + (size_t)3 * each, each); /* 512 zeroes are not 4096 */
		mem[2 * 4096 + 4095] = 1;
		assert_int_equal(bsr_digests_blocks(d, i, mem, sizeof(mem), &out), 4 * each);
		assert_memory_equal(before, out, (size_t)2 * each);
		assert_memory_not_equal(before + (size_t)2 * each, out + (size_t)2 * each, each);
		assert_memory_equal(before + (size_t)3 * each, out + (size_t)3 * each, each);
	}
	bsr_digests_destroy(d);
}

static void unknown_digests_give_nothing(void **state)
{
	static const uint8_t zeroes[512];
	const uint8_t *out = NULL;
	struct bsr_digests *d = bsr_digests_create();
	(void)state;
	assert_non_null(d);
	assert_int_equal(bsr_digests_blocks(d, BSR_DIGEST_NONE, zeroes, sizeof(zeroes), &out), 0);
	assert_int_equal(bsr_digests_blocks(d, BSR_DIGEST_COUNT, zeroes, sizeof(zeroes), &out), 0);
	bsr_digests_destroy(d);
	assert_int_equal(bsr_digest_by_word("sha256"), BSR_DIGEST_SHA256);
	assert_int_equal(bsr_digest_by_word("SHA256"), BSR_DIGEST_NONE);
	assert_int_equal(bsr_digest_by_word(""), BSR_DIGEST_NONE);
	assert_int_equal(bsr_digest_by_word("rot13"), BSR_DIGEST_NONE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(digests_are_the_published_ones),
		cmocka_unit_test(each_block_has_its_own),
		cmocka_unit_test(unknown_digests_give_nothing),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
