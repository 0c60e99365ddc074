// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * pool_test.c - buffers never overlap, come back, and say when they do
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "pool.h"

#define POOL_BYTES (8u << 20)

static struct bsr_pool *make_pool(size_t bytes)
{
	struct bsr_pool *pool = NULL;
	bool locked = false;
	assert_int_equal(bsr_pool_create(&pool, bytes, &locked), 0);
	return pool;
}

static void refuses_no_bytes_and_too_many(void **state)
{
	(void)state;
	struct bsr_pool *pool = NULL;
	bool locked;
	assert_int_equal(bsr_pool_create(&pool, 0, &locked), -22);
	assert_int_equal(bsr_pool_create(&pool, BSR_POOL_BYTES_MAX + 1, &locked), -22);
	assert_null(pool);
}

static void rounds_sizes_up_to_a_power_of_two(void **state)
{
	(void)state;
	struct bsr_pool *pool = make_pool(POOL_BYTES);
	static const uint32_t asked[] = {1, 512, 4096, 4097, 8192, 65535, 65536, 65537, 524289, 1048576};
	static const uint32_t given[] = {4096, 4096, 4096, 8192, 8192, 65536, 65536, 131072, 1048576, 1048576};
	for (size_t i = 0; i < sizeof(asked) / sizeof(asked[0]); i++) {
		const bsr_buf_t buf = bsr_pool_get(pool, asked[i]);
		assert_int_not_equal(buf, BSR_BUF_NONE);
		assert_int_equal(bsr_pool_size(pool, buf), given[i]);
		assert_int_equal((uintptr_t)bsr_pool_mem(pool, buf) % 4096, 0);
		bsr_pool_put(pool, buf);
	}
	assert_int_equal(bsr_pool_in_use(pool), 0);
	bsr_pool_destroy(pool);
}

static void taking_one_tells_where_it_is(void **state)
{
	(void)state;
	struct bsr_pool *pool = make_pool(POOL_BYTES);
	uint8_t *mem = NULL;
	const bsr_buf_t buf = bsr_pool_take(pool, BSR_REQUEST_BYTES_MAX, &mem);
	assert_ptr_equal(mem, bsr_pool_mem(pool, buf));
	assert_int_equal(bsr_pool_references(pool, buf), 1);
	uint32_t others = 0;
	for (uint8_t *other; bsr_pool_take(pool, BSR_REQUEST_BYTES_MAX, &other) != BSR_BUF_NONE; others++) {
		assert_ptr_not_equal(other, mem);
		mem = other;
	}
	assert_int_equal(others, POOL_BYTES / BSR_REQUEST_BYTES_MAX - 1);
	uint8_t *untouched = mem;
	assert_int_equal(bsr_pool_take(pool, 1, &untouched), BSR_BUF_NONE);
	assert_ptr_equal(untouched, mem);
	bsr_pool_destroy(pool);
}

static void gives_every_byte_of_every_size(void **state)
{
	(void)state;
	static bsr_buf_t buf[POOL_BYTES / 4096];
	struct bsr_pool *pool = make_pool(POOL_BYTES);
	/* also: memory moves between sizes */
	for (uint32_t size = 4096; size <= BSR_REQUEST_BYTES_MAX; size *= 2) {
		const uint32_t count = POOL_BYTES / size;
		for (uint32_t i = 0; i < count; i++) {
			buf[i] = bsr_pool_get(pool, size);
			assert_int_not_equal(buf[i], BSR_BUF_NONE);
			memset(bsr_pool_mem(pool, buf[i]), (int)(i % 251), size);
		}
		assert_int_equal(bsr_pool_get(pool, 1), BSR_BUF_NONE);
		for (uint32_t i = 0; i < count; i++) {
			const uint8_t *mem = bsr_pool_mem(pool, buf[i]);
			assert_int_equal(mem[0], i % 251);
			assert_int_equal(mem[size - 1], i % 251);
			bsr_pool_put(pool, buf[i]);
		}
	}
	bsr_pool_destroy(pool);
}

static void small_request_takes_a_larger_buffer_when_nothing_else_is_left(void **state)
{
	(void)state;
	struct bsr_pool *pool = make_pool(1u << 20);
	const bsr_buf_t half = bsr_pool_get(pool, 512u << 10);
	const bsr_buf_t small = bsr_pool_get(pool, 4096);
	assert_int_not_equal(small, BSR_BUF_NONE);
	assert_int_equal(bsr_pool_size(pool, small), 512u << 10);
	assert_int_equal(bsr_pool_get(pool, 4096), BSR_BUF_NONE);
	bsr_pool_put(pool, half);
	bsr_pool_put(pool, small);
	assert_int_equal(bsr_pool_in_use(pool), 0);
	bsr_pool_destroy(pool);
}

static void last_reference_frees(void **state)
{
	(void)state;
	struct bsr_pool *pool = make_pool(1u << 20);
	const bsr_buf_t buf = bsr_pool_get(pool, 1u << 20);
	bsr_pool_ref(pool, buf);
	assert_int_equal(bsr_pool_references(pool, buf), 2);
	bsr_pool_put(pool, buf);
	assert_int_equal(bsr_pool_get(pool, 1), BSR_BUF_NONE);
	bsr_pool_put(pool, buf);
	assert_int_equal(bsr_pool_in_use(pool), 0);
	assert_int_not_equal(bsr_pool_get(pool, 1), BSR_BUF_NONE);
	bsr_pool_destroy(pool);
}

static void count_call(void *ctx)
{
	++*(int *)ctx;
}

static void tells_waiters_once(void **state)
{
	(void)state;
	int calls = 0;
	int other = 0;
	struct bsr_pool *pool = make_pool(1u << 20);
	const bsr_buf_t buf = bsr_pool_get(pool, 1u << 20);
	assert_int_equal(bsr_pool_get(pool, 4096), BSR_BUF_NONE);
	bsr_pool_on_free(pool, count_call, &calls);
	bsr_pool_on_free(pool, count_call, &calls);
	bsr_pool_on_free(pool, count_call, &other);
	assert_int_equal(calls, 0);
	bsr_pool_put(pool, buf);
	assert_int_equal(calls, 1);
	assert_int_equal(other, 1);
	bsr_pool_put(pool, bsr_pool_get(pool, 4096));
	assert_int_equal(calls, 1);
	bsr_pool_destroy(pool);
}

/* Random gets, refs and puts against a plain model: an owner byte for each 4 KiB unit. */
static void agrees_with_a_model(void **state)
{
	(void)state;
	enum { SLOTS = 300, STEPS = 200000 };
	static struct {
		bsr_buf_t buf;
		uint32_t units, refs;
	} held[SLOTS];
	static uint16_t owner[POOL_BYTES / 4096];
	memset(held, 0, sizeof(held));
	memset(owner, 0, sizeof(owner));
	struct bsr_pool *pool = make_pool(POOL_BYTES);
	void *base;
	size_t bytes;
	bsr_pool_region(pool, &base, &bytes);
	assert_int_equal(bytes, POOL_BYTES);
	uint64_t seed = 0x2545f4914f6cdd1dull;
	uint32_t count = 0;
	for (uint32_t step = 0; step < STEPS; step++) {
		seed ^= seed << 13;
		seed ^= seed >> 7;
		seed ^= seed << 17;
		const uint32_t s = (uint32_t)(seed % SLOTS);
		if (held[s].refs == 0) {
			const uint32_t size = 1u + (uint32_t)((seed >> 20) % (1u << ((seed >> 50) % 9 + 12)));
			held[s].buf = bsr_pool_get(pool, size);
			if (held[s].buf == BSR_BUF_NONE) {
				continue;
			}
			held[s].refs = 1;
			held[s].units = bsr_pool_size(pool, held[s].buf) / 4096;
			assert_true(held[s].units * 4096 >= size);
			count++;
			for (uint32_t i = 0; i < held[s].units; i++) {
				assert_int_equal(owner[held[s].buf + i], 0);
				owner[held[s].buf + i] = (uint16_t)(s + 1);
			}
			assert_ptr_equal(bsr_pool_mem(pool, held[s].buf), (uint8_t *)base + held[s].buf * 4096ul);
		} else if ((seed >> 33) % 4 == 0) {
			bsr_pool_ref(pool, held[s].buf);
			held[s].refs++;
		} else {
			bsr_pool_put(pool, held[s].buf);
			if (--held[s].refs == 0) {
				count--;
				memset(&owner[held[s].buf], 0, held[s].units * sizeof(owner[0]));
			}
		}
		assert_int_equal(bsr_pool_in_use(pool), count);
	}
	bsr_pool_destroy(pool);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(refuses_no_bytes_and_too_many),
		cmocka_unit_test(rounds_sizes_up_to_a_power_of_two),
		cmocka_unit_test(taking_one_tells_where_it_is),
		cmocka_unit_test(gives_every_byte_of_every_size),
		cmocka_unit_test(small_request_takes_a_larger_buffer_when_nothing_else_is_left),
		cmocka_unit_test(last_reference_frees),
		cmocka_unit_test(tells_waiters_once),
		cmocka_unit_test(agrees_with_a_model),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
