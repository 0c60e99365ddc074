// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * crc32c_hw.c - CRC-32C by SSE4.2, by AVX-512 with VPCLMULQDQ, or by the ARMv8 CRC extension
 *
 * Owns:       the way in use, the table that joins checksums of neighbouring pieces, the constants of folding.
 *
 * By instruction: it takes 3 cycles but one can start every cycle, so a long buffer is cut into lanes
 * of LANE_BYTES whose checksums grow side by side. A checksum is linear: crc(A then B) is crc(A)
 * pushed through length(B) zero bytes, xor crc(B) begun at 0. Pushing through LANE_BYTES zeroes is
 * a linear map of 32 bits, looked up byte by byte.
 *
 * By folding: the message is a polynomial, and what counts is its remainder. A 128-bit piece that is
 * n bits away from the end of the message may be replaced by a piece n - d bits away whose value is
 * the first one times x^d, modulo the polynomial: two carry-less multiplications of 64 by 33 bits. Sixteen such
 * pieces, four in each of four registers, move forward at once; the 128 bits that are left at the
 * end have the same remainder as the whole message, and the instruction finds it. A round is three instructions for each
 * register, which is as few as there can be: each half of a piece is multiplied once.
 */
#include <pthread.h>
#include <string.h>

#include <bsr/assert.h>
#include <bsr/crc32c.h>

#include "crc32c_hw.h"

#define LANE_BYTES 1360u /* three of them fill a 4 KiB payload but for 16 bytes */
#define LANE_WORDS (LANE_BYTES / 8)
#define LANES_BYTES (3u * LANE_BYTES)
#define POLYNOMIAL 0x82f63b78u

#if defined(__x86_64__)
#include <immintrin.h>
#define HAVE_INSTRUCTION 1
#define HAVE_FOLDING 1
#define TARGET __attribute__((target("sse4.2")))
#define CRC_BYTE(crc, v) _mm_crc32_u8((uint32_t)(crc), v)
#define CRC_HALF(crc, v) _mm_crc32_u32((uint32_t)(crc), v)
#define CRC_WORD(crc, v) _mm_crc32_u64(crc, v)
static enum bsr_crc32c_way look_at_processor(void)
{
	__builtin_cpu_init();
	if (!__builtin_cpu_supports("sse4.2")) {
		return BSR_CRC32C_TABLE;
	}
	const bool folds = __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("vpclmulqdq");
	return folds ? BSR_CRC32C_FOLDING : BSR_CRC32C_INSTRUCTION;
}
#elif defined(__aarch64__) && defined(__linux__) && __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
#include <arm_acle.h>
#include <sys/auxv.h>
#define HAVE_INSTRUCTION 1
#define HAVE_FOLDING 0
#define TARGET __attribute__((target("+crc")))
#define CRC_BYTE(crc, v) __crc32cb((uint32_t)(crc), v)
#define CRC_HALF(crc, v) __crc32cw((uint32_t)(crc), v)
#define CRC_WORD(crc, v) __crc32cd((uint32_t)(crc), v)
static enum bsr_crc32c_way look_at_processor(void)
{
	return (getauxval(AT_HWCAP) & (1u << 7)) != 0 ? BSR_CRC32C_INSTRUCTION : BSR_CRC32C_TABLE; /* HWCAP_CRC32 */
}
#else
#define HAVE_INSTRUCTION 0
#endif

#if HAVE_INSTRUCTION

static pthread_once_t once = PTHREAD_ONCE_INIT;
static enum bsr_crc32c_way best;
/* not known yet, or an enum bsr_crc32c_way */
#define UNKNOWN (-1)
static int way = UNKNOWN;
#define MANY_BYTES 512u /* from here on it pays to look for a better way than word by word */
/* [byte of the checksum][its value]: that, LANE_BYTES zeroes later */
static uint32_t push_table[4][256];

/* @crc and then @bits zeroes: times x to the power of @bits. */
static uint32_t push_bits(uint32_t crc, uint32_t bits)
{
	for (uint32_t i = 0; i < bits; i++) {
		crc = (crc >> 1) ^ (POLYNOMIAL & (0u - (crc & 1)));
	}
	return crc;
}

static void fill_push_table(void)
{
	for (uint32_t bit = 0; bit < 32; bit++) {
		const uint32_t crc = push_bits(1u << bit, LANE_BYTES * 8);
		uint32_t *table = push_table[bit / 8];
		const uint32_t value = 1u << bit % 8;
		/* table[i] for smaller i is complete by now */
		for (uint32_t i = 0; i < value; i++) {
			table[value + i] = table[i] ^ crc;
		}
	}
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
 * Headers, bodies, what is left of payloads: a few words and at most seven bytes. A leaf, so that it
 * stays cheap.
 */
TARGET static inline uint32_t of_few(uint64_t crc, const uint8_t *at, size_t bytes)
{
	for (; bytes >= 64; at += 64, bytes -= 64) {
		crc = CRC_WORD(crc, load_word(at));
		crc = CRC_WORD(crc, load_word(at + 8));
		crc = CRC_WORD(crc, load_word(at + 16));
		crc = CRC_WORD(crc, load_word(at + 24));
		crc = CRC_WORD(crc, load_word(at + 32));
		crc = CRC_WORD(crc, load_word(at + 40));
		crc = CRC_WORD(crc, load_word(at + 48));
		crc = CRC_WORD(crc, load_word(at + 56));
	}
	const uint8_t *end = at + (bytes & ~(size_t)7); /* of the words, from here on */
	switch (bytes >> 3 & 7) {
	case 7:
		crc = CRC_WORD(crc, load_word(end - 56));
		/* fall through */
	case 6:
		crc = CRC_WORD(crc, load_word(end - 48));
		/* fall through */
	case 5:
		crc = CRC_WORD(crc, load_word(end - 40));
		/* fall through */
	case 4:
		crc = CRC_WORD(crc, load_word(end - 32));
		/* fall through */
	case 3:
		crc = CRC_WORD(crc, load_word(end - 24));
		/* fall through */
	case 2:
		crc = CRC_WORD(crc, load_word(end - 16));
		/* fall through */
	case 1:
		crc = CRC_WORD(crc, load_word(end - 8));
		/* fall through */
	default:
		break;
	}
	if ((bytes & 7) == 0) {
		return (uint32_t)crc;
	}
	if ((bytes & 4) != 0) {
		uint32_t half;
		memcpy(&half, end, sizeof(half));
		crc = CRC_HALF(crc, half);
		end += 4;
	}
	for (size_t left = bytes & 3; left > 0; left--) {
		crc = CRC_BYTE(crc, *end++);
	}
	return (uint32_t)crc;
}

/* These two return the final value, inverted: so the last thing that whoever wants that does is to jump here. */
TARGET static __attribute__((noinline)) uint32_t by_lanes(uint64_t crc, const uint8_t *at, size_t bytes)
{
	for (; bytes >= LANES_BYTES; at += LANES_BYTES, bytes -= LANES_BYTES) {
		crc = three_lanes(crc, at);
	}
	return ~of_few(crc, at, bytes);
}

/* ----------------------------------------------------------------- folding */

#if HAVE_FOLDING

#define FOLD_BYTES 256u	    /* a round: four registers */
#define FOLD_TARGET __attribute__((target("sse4.2,avx512f,vpclmulqdq")))

/*
 * What the low and the high half of each 128-bit piece are multiplied with, to move by so many bits.
 * The multiplier for n bits is x^n modulo the polynomial, its bits in reverse like those of the data, and
 * one to the left, because the product of two reversed numbers comes out shifted by one.
 */
struct fold {
	uint64_t by_round[8]; /* 2048 bits, all pieces alike */
	uint64_t by_registers[3][8]; /* 1536, 1024, 512 bits, all pieces alike */
	uint64_t to_last[8]; /* 384, 256, 128, 0 bits */
};
static struct fold fold;

/* @bits may be negative: dividing by x undoes a step. */
static uint64_t multiplier(int32_t bits)
{
	uint32_t value = push_bits(1u << 31, bits > 0 ? (uint32_t)bits : 0);
	for (; bits < 0; bits++) {
		value = (value >> 31) != 0 ? (value ^ POLYNOMIAL) << 1 | 1 : value << 1;
	}
	return (uint64_t)value << 1;
}

static void set_piece(uint64_t *piece, int32_t bits)
{
	/* the low half is 64 bits further from the end; a multiplication itself moves by 32 */
	piece[0] = multiplier(bits + 64 - 32);
	piece[1] = multiplier(bits - 32);
}

static void fill_fold(void)
{
	for (uint32_t i = 0; i < 4; i++) {
		set_piece(&fold.by_round[2 * i], FOLD_BYTES * 8);
		set_piece(&fold.by_registers[0][2 * i], 3 * 512);
		set_piece(&fold.by_registers[1][2 * i], 2 * 512);
		set_piece(&fold.by_registers[2][2 * i], 512);
		set_piece(&fold.to_last[2 * i], (int32_t)(3 - i) * 128);
	}
}

#define XOR3 0x96 /* of three inputs */
FOLD_TARGET static inline __m512i fold_onto(__m512i from, __m512i by, __m512i onto)
{
	const __m512i high = _mm512_clmulepi64_epi128(from, by, 0x11);
	const __m512i low = _mm512_clmulepi64_epi128(from, by, 0x00);
	return _mm512_ternarylogic_epi64(low, high, onto, XOR3);
}

FOLD_TARGET static inline __m512i load_register(const void *at)
{
	return _mm512_loadu_si512(at);
}

/* The remainder of the four pieces of @all. */
FOLD_TARGET static inline uint64_t remainder_of(__m512i all)
{
	const __m512i by = load_register(fold.to_last);
	const __m512i folded = _mm512_xor_si512(_mm512_clmulepi64_epi128(all, by, 0x11), _mm512_clmulepi64_epi128(all, by, 0x00));
	const __m256i half = _mm256_xor_si256(_mm512_castsi512_si256(folded), _mm512_extracti64x4_epi64(folded, 1));
	const __m128i last = _mm_xor_si128(_mm256_castsi256_si128(half), _mm256_extracti128_si256(half, 1));
	return CRC_WORD(CRC_WORD(0, (uint64_t)_mm_cvtsi128_si64(last)), (uint64_t)_mm_extract_epi64(last, 1));
}

#define ROUND(n)                                                                                   \
	a = fold_onto(a, by, load_register(at + (n) * FOLD_BYTES));                                \
	b = fold_onto(b, by, load_register(at + (n) * FOLD_BYTES + 64));                           \
	c = fold_onto(c, by, load_register(at + (n) * FOLD_BYTES + 128));                          \
	d = fold_onto(d, by, load_register(at + (n) * FOLD_BYTES + 192));
FOLD_TARGET static __attribute__((noinline)) uint32_t by_folding(uint32_t crc, const uint8_t *at, size_t bytes)
{
	const __m512i by = load_register(fold.by_round);
	/* the running value belongs to the first 32 bits */
	const __m512i begin = _mm512_zextsi128_si512(_mm_cvtsi32_si128((int)crc));
	__m512i a = _mm512_xor_si512(load_register(at), begin);
	__m512i b = load_register(at + 64);
	__m512i c = load_register(at + 128);
	__m512i d = load_register(at + 192);
	const uint8_t *end = at + (bytes & ~(size_t)(FOLD_BYTES - 1));
	at += FOLD_BYTES;
	for (; end - at >= 15 * (ptrdiff_t)FOLD_BYTES; at += 15 * FOLD_BYTES) { /* what is left of 4 KiB */
		ROUND(0) ROUND(1) ROUND(2) ROUND(3) ROUND(4) ROUND(5) ROUND(6) ROUND(7)
		ROUND(8) ROUND(9) ROUND(10) ROUND(11) ROUND(12) ROUND(13) ROUND(14)
	}
#pragma GCC unroll 1
	for (; at != end; at += FOLD_BYTES) {
		ROUND(0)
	}
	a = fold_onto(a, load_register(fold.by_registers[0]), d);
	b = fold_onto(b, load_register(fold.by_registers[1]), a);
	c = fold_onto(c, load_register(fold.by_registers[2]), b);
	const uint64_t value = remainder_of(c);
	bytes &= FOLD_BYTES - 1;
	return ~(bytes == 0 ? (uint32_t)value : of_few(value, at, bytes));
}
#undef ROUND

#endif

/* -------------------------------------------------------------- the choice */

static void look(void)
{
	best = look_at_processor();
	fill_push_table();
#if HAVE_FOLDING
	fill_fold();
#endif
	__atomic_store_n(&way, (int)best, __ATOMIC_RELEASE);
}

enum bsr_crc32c_way bsr_crc32c_hw_best(void)
{
	const int r = pthread_once(&once, look);
	BSR_ASSERT(r == 0);
	return best;
}

void bsr_crc32c_hw_use(enum bsr_crc32c_way wanted)
{
	BSR_ASSERT(wanted <= bsr_crc32c_hw_best());
	__atomic_store_n(&way, (int)wanted, __ATOMIC_RELEASE);
}

/* By the table, or not known yet. */
static __attribute__((noinline)) uint32_t otherwise(uint32_t crc, const uint8_t *data, size_t bytes)
{
	(void)bsr_crc32c_hw_best();
	if (__atomic_load_n(&way, __ATOMIC_ACQUIRE) == BSR_CRC32C_TABLE) {
		return bsr_crc32c(crc, data, bytes);
	}
	return bsr_crc32c_hw(crc, data, bytes);
}

TARGET uint32_t bsr_crc32c_hw(uint32_t crc, const void *data, size_t bytes)
{
	const int how = __atomic_load_n(&way, __ATOMIC_ACQUIRE);
	if (__builtin_expect(how <= BSR_CRC32C_TABLE, 0)) {
		return otherwise(crc, data, bytes);
	}
	if (bytes < MANY_BYTES) {
		return of_few(crc, data, bytes);
	}
#if HAVE_FOLDING
	if (how == BSR_CRC32C_FOLDING) {
		return ~by_folding(crc, data, bytes);
	}
#endif
	return ~by_lanes(crc, data, bytes);
}

static __attribute__((noinline)) uint32_t of_other_content(
	const void *body, size_t body_bytes, const void *payload, size_t payload_bytes)
{
	return ~bsr_crc32c_hw(bsr_crc32c_hw(~0u, body, body_bytes), payload, payload_bytes);
}

#define WRITE_BODY_BYTES 48u /* nearly all bodies in front of a payload */
TARGET static inline uint32_t of_body(const uint8_t *at, size_t bytes)
{
	if (bytes != WRITE_BODY_BYTES) {
		return of_few(~0u, at, bytes);
	}
	uint64_t crc = ~0u;
#pragma GCC unroll 6
	for (uint32_t i = 0; i < WRITE_BODY_BYTES; i += 8) {
		crc = CRC_WORD(crc, load_word(at + i));
	}
	return (uint32_t)crc;
}

TARGET uint32_t bsr_crc32c_hw_content(const void *body, size_t body_bytes, const void *payload, size_t payload_bytes)
{
	const int how = __atomic_load_n(&way, __ATOMIC_ACQUIRE);
	if (how <= BSR_CRC32C_TABLE || payload_bytes < MANY_BYTES) {
		if (how > BSR_CRC32C_TABLE && payload_bytes == 0) {
			return ~of_few(~0u, body, body_bytes);
		}
		return of_other_content(body, body_bytes, payload, payload_bytes);
	}
	const uint32_t crc = of_body(body, body_bytes);
#if HAVE_FOLDING
	if (how == BSR_CRC32C_FOLDING) {
		return by_folding(crc, payload, payload_bytes);
	}
#endif
	return by_lanes(crc, payload, payload_bytes);
}

TARGET uint32_t bsr_crc32c_hw_36(uint32_t crc, const void *data, size_t bytes)
{
	const uint8_t *at = data;
	BSR_ASSERT(bytes == 36);
	if (__builtin_expect(__atomic_load_n(&way, __ATOMIC_ACQUIRE) <= BSR_CRC32C_TABLE, 0)) {
		return otherwise(crc, data, bytes);
	}
	uint64_t value = CRC_WORD(crc, load_word(at));
	value = CRC_WORD(value, load_word(at + 8));
	value = CRC_WORD(value, load_word(at + 16));
	value = CRC_WORD(value, load_word(at + 24));
	uint32_t half;
	memcpy(&half, at + 32, sizeof(half));
	return CRC_HALF(value, half);
}

#else

uint32_t bsr_crc32c_hw_content(const void *body, size_t body_bytes, const void *payload, size_t payload_bytes)
{
	return ~bsr_crc32c(bsr_crc32c(~0u, body, body_bytes), payload, payload_bytes);
}

uint32_t bsr_crc32c_hw_36(uint32_t crc, const void *data, size_t bytes)
{
	return bsr_crc32c(crc, data, bytes);
}

enum bsr_crc32c_way bsr_crc32c_hw_best(void)
{
	return BSR_CRC32C_TABLE;
}

void bsr_crc32c_hw_use(enum bsr_crc32c_way wanted)
{
	BSR_ASSERT(wanted == BSR_CRC32C_TABLE);
}

uint32_t bsr_crc32c_hw(uint32_t crc, const void *data, size_t bytes)
{
	return bsr_crc32c(crc, data, bytes);
}

#endif
