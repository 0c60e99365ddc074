/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * fuzz.h - what a fuzz target (fuzz_*.c) defines, for fuzz_driver.c and for libFuzzer
 */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* Feeds @size bytes at @data to the code under test. Returns 0; a finding is a crash. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/*
 * Writes example number @index at @out (of @room bytes) and returns its length, 0 when there are no
 * more. Mutations of well-formed input get much deeper than noise.
 */
size_t bsr_fuzz_example(uint32_t index, uint8_t *out, size_t room);

/* bsr_fuzz_example() of a target whose @count examples are strings. */
static inline size_t fuzz_example_text(
	const char *const *examples, size_t count, uint32_t index, uint8_t *out, size_t room)
{
	const size_t bytes = index < count ? strlen(examples[index]) : 0;
	if (bytes > room) {
		return 0;
	}
	memcpy(out, index < count ? examples[index] : "", bytes);
	return bytes;
}
