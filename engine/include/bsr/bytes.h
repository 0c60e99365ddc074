/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * bytes.h - integers as they are stored and sent: bytes, so no padding and no accidental arithmetic
 */
#ifndef BSR_BYTES_H
#define BSR_BYTES_H

#include <stdbool.h>
#include <stdint.h>

typedef struct {
	uint8_t b[2];
} bsr_be16;
typedef struct {
	uint8_t b[4];
} bsr_be32;
typedef struct {
	uint8_t b[8];
} bsr_be64;

static inline uint16_t bsr_be16_get(bsr_be16 x)
{
	return (uint16_t)((x.b[0] << 8) | x.b[1]);
}

static inline uint32_t bsr_be32_get(bsr_be32 x)
{
	return ((uint32_t)x.b[0] << 24) | ((uint32_t)x.b[1] << 16) | ((uint32_t)x.b[2] << 8) | x.b[3];
}

static inline uint64_t bsr_be64_get(bsr_be64 x)
{
	bsr_be32 high = {{x.b[0], x.b[1], x.b[2], x.b[3]}};
	bsr_be32 low = {{x.b[4], x.b[5], x.b[6], x.b[7]}};
	return ((uint64_t)bsr_be32_get(high) << 32) | bsr_be32_get(low);
}

static inline bsr_be16 bsr_be16_make(uint16_t v)
{
	return (bsr_be16){{(uint8_t)(v >> 8), (uint8_t)v}};
}

static inline bsr_be32 bsr_be32_make(uint32_t v)
{
	return (bsr_be32){{(uint8_t)(v >> 24), (uint8_t)(v >> 16), (uint8_t)(v >> 8), (uint8_t)v}};
}

static inline bsr_be64 bsr_be64_make(uint64_t v)
{
	return (bsr_be64){{(uint8_t)(v >> 56), (uint8_t)(v >> 48), (uint8_t)(v >> 40), (uint8_t)(v >> 32),
		(uint8_t)(v >> 24), (uint8_t)(v >> 16), (uint8_t)(v >> 8), (uint8_t)v}};
}

/** bsr_add_u64 - *@sum = @a + @b; false, *@sum untouched, when that overflows */
static inline bool bsr_add_u64(uint64_t a, uint64_t b, uint64_t *sum)
{
	uint64_t r;
	if (__builtin_add_overflow(a, b, &r)) {
		return false;
	}
	*sum = r;
	return true;
}

/** bsr_mul_u64 - *@product = @a * @b; false, *@product untouched, when that overflows */
static inline bool bsr_mul_u64(uint64_t a, uint64_t b, uint64_t *product)
{
	uint64_t r;
	if (__builtin_mul_overflow(a, b, &r)) {
		return false;
	}
	*product = r;
	return true;
}

static inline uint64_t bsr_round_up_u64(uint64_t v, uint64_t unit)
{
	return (v + unit - 1) / unit * unit;
}

static inline uint64_t bsr_div_ceil_u64(uint64_t v, uint64_t unit)
{
	return v / unit + (v % unit != 0);
}

#endif
