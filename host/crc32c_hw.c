// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * crc32c_hw.c - CRC-32C by SSE4.2 or by the ARMv8 CRC extension
 *
 * Owns:       the table that joins checksums of neighbouring pieces.
 *
 * The instruction takes 3 cycles but one can start every cycle, so a long buffer is cut into lanes
 * of LANE_BYTES whose checksums grow side by side. A checksum is linear: crc(A then B) is crc(A)
 * pushed through length(B) zero bytes, xor crc(B) begun at 0. Pushing through LANE_BYTES zeroes is
 * a linear map of 32 bits, looked up byte by byte.
 */
#include <pthread.h>
#include <string.h>

#include <bsr/assert.h>
#include <bsr/crc32c.h>

#include "crc32c_hw.h"

#define LANE_BYTES 1360u /* three of them fill a 4 KiB payload but for 16 bytes */
#define LANE_WORDS (LANE_BYTES / 8)
#define POLYNOMIAL 0x82f63b78u

#if defined(__x86_64__)
#include <immintrin.h>
#define HAVE_INSTRUCTION 1
#define TARGET __attribute__((target("sse4.2")))
#define CRC_BYTE(crc, v) _mm_crc32_u8((uint32_t)(crc), v)
#define CRC_HALF(crc, v) _mm_crc32_u32((uint32_t)(crc), v)
#define CRC_WORD(crc, v) _mm_crc32_u64(crc, v)
static bool instruction_present(void)
{
	return __builtin_cpu_supports("sse4.2") != 0;
}
#elif defined(__aarch64__) && defined(__linux__) && __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
#include <arm_acle.h>
#include <sys/auxv.h>
#define HAVE_INSTRUCTION 1
#define TARGET __attribute__((target("+crc")))
#define CRC_BYTE(crc, v) __crc32cb((uint32_t)(crc), v)
#define CRC_HALF(crc, v) __crc32cw((uint32_t)(crc), v)
#define CRC_WORD(crc, v) __crc32cd((uint32_t)(crc), v)
static bool instruction_present(void)
{
	return (getauxval(AT_HWCAP) & (1u << 7)) != 0; /* HWCAP_CRC32 */
}
#else
#define HAVE_INSTRUCTION 0
#endif

#if HAVE_INSTRUCTION

static pthread_once_t once = PTHREAD_ONCE_INIT;
static enum how { UNKNOWN, BY_TABLE, BY_INSTRUCTION } how;
/* [byte of the checksum][its value]: that, LANE_BYTES zeroes later */
static uint32_t push_table[4][256];

static void look(void)
{
	for (uint32_t bit = 0; bit < 32; bit++) {
		uint32_t crc = 1u << bit;
		for (uint32_t i = 0; i < LANE_BYTES * 8; i++) {
			crc = (crc >> 1) ^ (POLYNOMIAL & (0u - (crc & 1)));
		}
		uint32_t *table = push_table[bit / 8];
		const uint32_t value = 1u << bit % 8;
		/* table[i] for smaller i is complete by now */
		for (uint32_t i = 0; i < value; i++) {
			table[value + i] = table[i] ^ crc;
		}
	}
	__atomic_store_n(&how, instruction_present() ? BY_INSTRUCTION : BY_TABLE, __ATOMIC_RELEASE);
}

static inline uint64_t push_lane(uint64_t crc)
{
	return push_table[0][crc & 255] ^ push_table[1][crc >> 8 & 255] ^ push_table[2][crc >> 16 & 255] ^
		push_table[3][crc >> 24 & 255];
}

static inline uint64_t load_word(const uint8_t *at)
{
	uint64_t v;
	memcpy(&v, at, sizeof(v));
	return v;
}

TARGET static inline uint64_t three_lanes(uint64_t crc, const uint8_t *at)
{
	uint64_t second = 0;
	uint64_t third = 0;
	for (uint32_t i = 0; i < LANE_WORDS; i += 34, at += 34 * 8) {
#define STEP(n)                                                                                    \
	crc = CRC_WORD(crc, load_word(at + 8 * (n)));                                              \
	second = CRC_WORD(second, load_word(at + LANE_BYTES + 8 * (n)));                           \
	third = CRC_WORD(third, load_word(at + 2 * LANE_BYTES + 8 * (n)));
#define STEPS(n) STEP(n) STEP((n) + 1) STEP((n) + 2) STEP((n) + 3)
		STEPS(0) STEPS(4) STEPS(8) STEPS(12) STEPS(16) STEPS(20) STEPS(24) STEPS(28) STEP(32) STEP(33)
#undef STEPS
#undef STEP
	}
	return push_lane(push_lane(crc) ^ second) ^ third;
}
_Static_assert(LANE_WORDS % 34 == 0, "the loop above is unrolled 34 times");

/*
 * Less than three lanes: headers, bodies, what is left of payloads. A leaf, so that it stays cheap.
 */
TARGET static inline uint32_t of_few(uint64_t crc, const uint8_t *at, size_t bytes)
{
	for (; bytes >= 32; at += 32, bytes -= 32) {
		crc = CRC_WORD(crc, load_word(at));
		crc = CRC_WORD(crc, load_word(at + 8));
		crc = CRC_WORD(crc, load_word(at + 16));
		crc = CRC_WORD(crc, load_word(at + 24));
	}
	for (; bytes >= 8; at += 8, bytes -= 8) {
		crc = CRC_WORD(crc, load_word(at));
	}
	if (bytes >= 4) {
		uint32_t half;
		memcpy(&half, at, sizeof(half));
		crc = CRC_HALF(crc, half);
		at += 4;
		bytes -= 4;
	}
	for (; bytes > 0; at++, bytes--) {
		crc = CRC_BYTE(crc, *at);
	}
	return (uint32_t)crc;
}

TARGET static __attribute__((noinline)) uint32_t of_many(uint64_t crc, const uint8_t *at, size_t bytes)
{
	do {
		crc = three_lanes(crc, at);
		at += 3 * LANE_BYTES;
		bytes -= 3 * LANE_BYTES;
	} while (bytes >= 3 * LANE_BYTES);
	return of_few(crc, at, bytes);
}

static enum how look_once(void)
{
	const int r = pthread_once(&once, look);
	BSR_ASSERT(r == 0);
	return __atomic_load_n(&how, __ATOMIC_ACQUIRE);
}

bool bsr_crc32c_hw_available(void)
{
	return look_once() == BY_INSTRUCTION;
}

/* Not by instruction, or not known yet. */
static __attribute__((noinline)) uint32_t otherwise(uint32_t crc, const uint8_t *data, size_t bytes)
{
	return look_once() == BY_INSTRUCTION ? bsr_crc32c_hw(crc, data, bytes) : bsr_crc32c(crc, data, bytes);
}

TARGET uint32_t bsr_crc32c_hw(uint32_t crc, const void *data, size_t bytes)
{
	if (__builtin_expect(__atomic_load_n(&how, __ATOMIC_ACQUIRE) != BY_INSTRUCTION, 0)) {
		return otherwise(crc, data, bytes);
	}
	return bytes >= 3 * LANE_BYTES ? of_many(crc, data, bytes) : of_few(crc, data, bytes);
}

#else

bool bsr_crc32c_hw_available(void)
{
	return false;
}

uint32_t bsr_crc32c_hw(uint32_t crc, const void *data, size_t bytes)
{
	return bsr_crc32c(crc, data, bytes);
}

#endif
