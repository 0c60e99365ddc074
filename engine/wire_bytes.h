/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * wire_bytes.h - numbers into and out of message bytes, big-endian
 *
 * The caller has checked that the bytes are there. The builtin memcpy is used because a
 * freestanding build would make a call of each memcpy(), and these run for every message.
 */
#ifndef BSR_WIRE_BYTES_H
#define BSR_WIRE_BYTES_H

#include <stdbool.h>
#include <stdint.h>

#include <bsr/assert.h>
#include <bsr/types.h>
#include <bsr/wire.h>

#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
#define BSR_WIRE_SWAP(bits, v) __builtin_bswap##bits(v)
#else
#define BSR_WIRE_SWAP(bits, v) (v)
#endif

/** BSR_WIRE_ERROR_LIMIT - errors that travel lie above it, below or at 0 */
#define BSR_WIRE_ERROR_LIMIT (-10000)
#define BSR_WIRE_BITS_MAX (BSR_VOLUME_BYTES_MAX / BSR_BITMAP_BLOCK_BYTES)

static inline void bsr_wire_put16(uint8_t *at, uint16_t v)
{
	v = BSR_WIRE_SWAP(16, v);
	__builtin_memcpy(at, &v, sizeof(v));
}

static inline void bsr_wire_put32(uint8_t *at, uint32_t v)
{
	v = BSR_WIRE_SWAP(32, v);
	__builtin_memcpy(at, &v, sizeof(v));
}

static inline void bsr_wire_put64(uint8_t *at, uint64_t v)
{
	v = BSR_WIRE_SWAP(64, v);
	__builtin_memcpy(at, &v, sizeof(v));
}

static inline uint16_t bsr_wire_get16(const uint8_t *at)
{
	uint16_t v;
	__builtin_memcpy(&v, at, sizeof(v));
	return BSR_WIRE_SWAP(16, v);
}

static inline uint32_t bsr_wire_get32(const uint8_t *at)
{
	uint32_t v;
	__builtin_memcpy(&v, at, sizeof(v));
	return BSR_WIRE_SWAP(32, v);
}

static inline uint64_t bsr_wire_get64(const uint8_t *at)
{
	uint64_t v;
	__builtin_memcpy(&v, at, sizeof(v));
	return BSR_WIRE_SWAP(64, v);
}

/** bsr_wire_is_zero - whether @count bytes (a few) are all zero */
static inline bool bsr_wire_is_zero(const uint8_t *at, uint32_t count)
{
	uint8_t any = 0;
	for (uint32_t i = 0; i < count; i++) {
		any |= at[i];
	}
	return any == 0;
}

/** bsr_wire_error_ok - whether @error may travel: 0 or a negative BSR_E_* */
static inline bool bsr_wire_error_ok(int32_t error)
{
	return error <= 0 && error > BSR_WIRE_ERROR_LIMIT;
}

/** bsr_wire_range_ok - sectors, not empty, at most @length_max bytes, inside of the largest volume
 */
static inline bool bsr_wire_range_ok(uint64_t offset, uint32_t length, uint32_t length_max)
{
	return ((offset | length) & (BSR_SECTOR_BYTES - 1)) == 0 && length != 0 &&
	       length <= length_max && offset <= BSR_VOLUME_BYTES_MAX - length;
}

/** bsr_wire_disk_ok - what a node may say of its own disk */
static inline bool bsr_wire_disk_ok(uint8_t disk)
{
	return disk <= BSR_DISK_UP_TO_DATE && disk != BSR_DISK_UNKNOWN;
}

static inline bool bsr_wire_role_ok(uint8_t role)
{
	return role == BSR_ROLE_PRIMARY || role == BSR_ROLE_SECONDARY;
}

/**
 * bsr_wire_begin - header of a message at @out; returns where its body begins
 *
 * Panics when @room is too small for header and @body_bytes: callers reserve the maximum.
 */
static inline uint8_t *bsr_wire_begin(uint8_t *out, uint32_t room, enum bsr_msg_type type,
	uint32_t body_bytes, uint32_t payload_bytes)
{
	const struct bsr_wire_header h = {
		.version = BSR_WIRE_VERSION_MIN,
		.type = (uint16_t)type,
		.body_bytes = body_bytes,
		.payload_bytes = payload_bytes,
	};
	BSR_ASSERT(room >= BSR_WIRE_HEADER_BYTES && room - BSR_WIRE_HEADER_BYTES >= body_bytes);
	bsr_wire_header_encode(out, &h);
	return out + BSR_WIRE_HEADER_BYTES;
}

/** bsr_wire_hs_volume_bytes, bsr_wire_hs_volume_put - a volume's record inside of another message (wire_messages.c) */
uint32_t bsr_wire_hs_volume_bytes(const struct bsr_msg_hs_volume *m);
void bsr_wire_hs_volume_put(uint8_t *at, const struct bsr_msg_hs_volume *m);

#endif
