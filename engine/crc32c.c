// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * crc32c.c - CRC-32C, eight bytes at a time
 *
 * Owns:       eight constant tables; table k answers for a byte that is followed by k more.
 * May touch:  nothing.
 *
 * The tables are linear over XOR: an entry is the XOR of the entries of its single bits. So 64
 * constants (what a single bit turns into after 8, 16 .. 64 steps of the polynomial) describe them,
 * the compiler expands them, and crc32c_test.c recomputes all from the polynomial.
 */
#include <bsr/crc32c.h>

#define BIT(b, i, value) (((b) >> (i)) & 1u ? (value) : 0u)
#define MIX(b, v0, v1, v2, v3, v4, v5, v6, v7)                                                     \
	(BIT(b, 0, v0) ^ BIT(b, 1, v1) ^ BIT(b, 2, v2) ^ BIT(b, 3, v3) ^ BIT(b, 4, v4) ^           \
		BIT(b, 5, v5) ^ BIT(b, 6, v6) ^ BIT(b, 7, v7))

#define BASIS_0(b)                                                                                 \
	MIX(b, 0xf26b8303u, 0xe13b70f7u, 0xc79a971fu, 0x8ad958cfu, 0x105ec76fu, 0x20bd8edeu,       \
		0x417b1dbcu, 0x82f63b78u)
#define BASIS_1(b)                                                                                 \
	MIX(b, 0x13a29877u, 0x274530eeu, 0x4e8a61dcu, 0x9d14c3b8u, 0x3fc5f181u, 0x7f8be302u,       \
		0xff17c604u, 0xfbc3faf9u)
#define BASIS_2(b)                                                                                 \
	MIX(b, 0xa541927eu, 0x4f6f520du, 0x9edea41au, 0x38513ec5u, 0x70a27d8au, 0xe144fb14u,       \
		0xc76580d9u, 0x8b277743u)
#define BASIS_3(b)                                                                                 \
	MIX(b, 0xdd45aab8u, 0xbf672381u, 0x7b2231f3u, 0xf64463e6u, 0xe964b13du, 0xd725148bu,       \
		0xaba65fe7u, 0x52a0c93fu)
#define BASIS_4(b)                                                                                 \
	MIX(b, 0x38116facu, 0x7022df58u, 0xe045beb0u, 0xc5670b91u, 0x8f2261d3u, 0x1ba8b557u,       \
		0x37516aaeu, 0x6ea2d55cu)
#define BASIS_5(b)                                                                                 \
	MIX(b, 0xef306b19u, 0xdb8ca0c3u, 0xb2f53777u, 0x6006181fu, 0xc00c303eu, 0x85f4168du,       \
		0x0e045bebu, 0x1c08b7d6u)
#define BASIS_6(b)                                                                                 \
	MIX(b, 0x68032cc8u, 0xd0065990u, 0xa5e0c5d1u, 0x4e2dfd53u, 0x9c5bfaa6u, 0x3d5b83bdu,       \
		0x7ab7077au, 0xf56e0ef4u)
#define BASIS_7(b)                                                                                 \
	MIX(b, 0x493c7d27u, 0x9278fa4eu, 0x211d826du, 0x423b04dau, 0x847609b4u, 0x0d006599u,       \
		0x1a00cb32u, 0x34019664u)

#define ROW_4(f, b) f(b), f((b) + 1u), f((b) + 2u), f((b) + 3u)
#define ROW_16(f, b) ROW_4(f, b), ROW_4(f, (b) + 4u), ROW_4(f, (b) + 8u), ROW_4(f, (b) + 12u)
#define ROW_64(f, b) ROW_16(f, b), ROW_16(f, (b) + 16u), ROW_16(f, (b) + 32u), ROW_16(f, (b) + 48u)
#define ROW_256(f) ROW_64(f, 0u), ROW_64(f, 64u), ROW_64(f, 128u), ROW_64(f, 192u)

static const uint32_t table[8][256] = {
	{ROW_256(BASIS_0)},
	{ROW_256(BASIS_1)},
	{ROW_256(BASIS_2)},
	{ROW_256(BASIS_3)},
	{ROW_256(BASIS_4)},
	{ROW_256(BASIS_5)},
	{ROW_256(BASIS_6)},
	{ROW_256(BASIS_7)},
};

static inline uint32_t le32_at(const uint8_t *p)
{
	return (uint32_t)p[0] | ((uint32_t)p[1] << 8) | ((uint32_t)p[2] << 16) |
	       ((uint32_t)p[3] << 24);
}

uint32_t bsr_crc32c(uint32_t crc, const void *data, size_t bytes)
{
	const uint8_t *p = data;
	while (bytes >= 8) {
		const uint32_t low = crc ^ le32_at(p);
		const uint32_t high = le32_at(p + 4);
		crc = table[7][low & 0xff] ^ table[6][(low >> 8) & 0xff] ^
		      table[5][(low >> 16) & 0xff] ^ table[4][low >> 24] ^ table[3][high & 0xff] ^
		      table[2][(high >> 8) & 0xff] ^ table[1][(high >> 16) & 0xff] ^
		      table[0][high >> 24];
		p += 8;
		bytes -= 8;
	}
	while (bytes > 0) {
		crc = (crc >> 8) ^ table[0][(crc ^ *p) & 0xff];
		p++;
		bytes--;
	}
	return crc;
}
