/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * test_support.h - what unit tests of the engine share: random numbers, memory, panics that can be
 * expected
 *
 * One test program includes it once; it defines bsr_panic().
 */
#ifndef BSR_ENGINE_TEST_SUPPORT_H
#define BSR_ENGINE_TEST_SUPPORT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <bsr/assert.h>

static jmp_buf panic_jump;
static bool panic_expected;

_Noreturn void bsr_panic(const char *file, int line, const char *what)
{
	if (panic_expected) {
		panic_expected = false;
		longjmp(panic_jump, 1);
	}
	fprintf(stderr, "%s:%d: assertion failed: %s\n", file, line, what);
	abort();
}

/** EXPECT_PANIC - the statement must stop the program */
#define EXPECT_PANIC(statement)                                                                    \
	do {                                                                                       \
		if (setjmp(panic_jump) == 0) {                                                     \
			panic_expected = true;                                                     \
			statement;                                                                 \
			panic_expected = false;                                                    \
			fail_msg("no panic from: %s", #statement);                                 \
		}                                                                                  \
	} while (0)

/* splitmix64: small, seeded, the same everywhere */
struct test_random {
	uint64_t state;
};

static inline uint64_t test_random_u64(struct test_random *r)
{
	uint64_t z = (r->state += 0x9e3779b97f4a7c15ull);
	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
	return z ^ (z >> 31);
}

/* 0..limit-1 */
static inline uint64_t test_random_below(struct test_random *r, uint64_t limit)
{
	return test_random_u64(r) % limit;
}

static inline void *test_memory(size_t bytes)
{
	const size_t rounded = (bytes + 4095) / 4096 * 4096;
	void *mem = aligned_alloc(4096, rounded);
	assert_non_null(mem);
	memset(mem, 0, rounded);
	return mem;
}

#endif
