// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * wire_data.c - bodies of messages about ranges of volumes: writes, checkpoints, reads, resync,
 * bitmaps
 *
 * Owns:       their layouts of docs/protocol.md, section 5. Keeps WIRE-3 and WIRE-4
 * (wire_messages.c). Format:     docs/protocol.md
 */
#include <string.h>

#include <bsr/assert.h>
#include <bsr/wire.h>

#include "wire_bytes.h"

/* ------------------------------------------------------------------- WRITE */

enum { WRITE_BYTES = 48 };
#define WRITE_FLAGS (BSR_WRITEF_FUA | BSR_WRITEF_WANT_RECEIVED | BSR_WRITEF_NO_LOCAL | BSR_WRITEF_TIMED)

static inline bool write_ok(const struct bsr_msg_write *m)
{
	if (m->vnr > BSR_VNR_MAX || m->write_seq - 1 >= BSR_WIRE_WRITE_SEQ_MAX ||
		(m->flags & ~WRITE_FLAGS) != 0) {
		return false;
	}
	if (m->op == BSR_OP_WRITE) {
		return bsr_wire_range_ok(m->offset, m->length, BSR_REQUEST_BYTES_MAX);
	}
	return (m->op == BSR_OP_DISCARD || m->op == BSR_OP_ZEROES) &&
	       bsr_wire_range_ok(m->offset, m->length, BSR_RANGE_BYTES_MAX);
}

inline uint32_t bsr_msg_write_encode(uint8_t *out, uint32_t room, enum bsr_msg_type type,
	uint32_t payload_bytes, const struct bsr_msg_write *m)
{
	uint8_t *at = bsr_wire_begin(out, room, type, WRITE_BYTES, payload_bytes);
	BSR_ASSERT(write_ok(m));
	bsr_wire_put32(at, m->vnr);
	bsr_wire_put32(at + 4, m->length);
	bsr_wire_put64(at + 8, m->write_seq);
	bsr_wire_put64(at + 16, m->epoch);
	bsr_wire_put64(at + 24, m->dagtag);
	bsr_wire_put64(at + 32, m->offset);
	bsr_wire_put64(at + 40, (uint64_t)m->op << 56 | (uint64_t)m->flags << 48);
	return BSR_WIRE_HEADER_BYTES + WRITE_BYTES;
}

int bsr_msg_write_decode(struct bsr_msg_write *m, const uint8_t *body, uint32_t body_bytes)
{
	if (body_bytes != WRITE_BYTES) {
		return -BSR_E_CORRUPT;
	}
	const uint64_t last = bsr_wire_get64(body + 40); /* op, flags, six bytes of zero */
	if ((last & 0xffffffffffffull) != 0) {
		return -BSR_E_CORRUPT;
	}
	const struct bsr_msg_write got = {
		.vnr = bsr_wire_get32(body),
		.length = bsr_wire_get32(body + 4),
		.write_seq = bsr_wire_get64(body + 8),
		.epoch = bsr_wire_get64(body + 16),
		.dagtag = bsr_wire_get64(body + 24),
		.offset = bsr_wire_get64(body + 32),
		.op = (uint8_t)(last >> 56),
		.flags = (uint8_t)(last >> 48),
	};
	if (!write_ok(&got)) {
		return -BSR_E_RANGE;
	}
	*m = got;
	return 0;
}

/* ----------------------------------------------- CHECKPOINT, CHECKPOINT_ACK */

enum { CHECKPOINT_BYTES = 16 };

uint32_t bsr_msg_checkpoint_encode(uint8_t *out, uint32_t room, enum bsr_msg_type type,
	uint32_t payload_bytes, const struct bsr_msg_checkpoint *m)
{
	uint8_t *at = bsr_wire_begin(out, room, type, CHECKPOINT_BYTES, payload_bytes);
	BSR_ASSERT(bsr_wire_error_ok(m->error));
	bsr_wire_put64(at, m->number);
	bsr_wire_put32(at + 8, m->barrier ? 1u << 24 : 0);
	bsr_wire_put32(at + 12, (uint32_t)m->error);
	return BSR_WIRE_HEADER_BYTES + CHECKPOINT_BYTES;
}

int bsr_msg_checkpoint_decode(
	struct bsr_msg_checkpoint *m, const uint8_t *body, uint32_t body_bytes)
{
	if (body_bytes != CHECKPOINT_BYTES || body[8] > 1 || !bsr_wire_is_zero(body + 9, 3)) {
		return -BSR_E_CORRUPT;
	}
	const int32_t error = (int32_t)bsr_wire_get32(body + 12);
	if (!bsr_wire_error_ok(error)) {
		return -BSR_E_RANGE;
	}
	m->number = bsr_wire_get64(body);
	m->barrier = body[8] != 0;
	m->error = error;
	return 0;
}

/* ----------- READ_REQUEST, READ_REPLY, RESYNC_REQUEST, _DATA, _ACK, OUT_OF_SYNC */

enum { RANGE_BYTES = 32 };

static bool range_ok(const struct bsr_msg_range *m)
{
	return m->vnr <= BSR_VNR_MAX &&
	       bsr_wire_range_ok(m->offset, m->length, BSR_RANGE_BYTES_MAX) &&
	       bsr_wire_error_ok(m->error) && !(m->zeroes && m->error != 0);
}

uint32_t bsr_msg_range_encode(uint8_t *out, uint32_t room, enum bsr_msg_type type,
	uint32_t payload_bytes, const struct bsr_msg_range *m)
{
	uint8_t *at = bsr_wire_begin(out, room, type, RANGE_BYTES, payload_bytes);
	BSR_ASSERT(range_ok(m));
	bsr_wire_put32(at, m->vnr);
	bsr_wire_put32(at + 4, m->length);
	bsr_wire_put64(at + 8, m->id);
	bsr_wire_put64(at + 16, m->offset);
	bsr_wire_put32(at + 24, (uint32_t)m->error);
	bsr_wire_put32(at + 28, m->zeroes ? 1u << 24 : 0);
	return BSR_WIRE_HEADER_BYTES + RANGE_BYTES;
}

int bsr_msg_range_decode(struct bsr_msg_range *m, const uint8_t *body, uint32_t body_bytes)
{
	if (body_bytes != RANGE_BYTES || body[28] > 1 || !bsr_wire_is_zero(body + 29, 3)) {
		return -BSR_E_CORRUPT;
	}
	const struct bsr_msg_range got = {
		.vnr = bsr_wire_get32(body),
		.length = bsr_wire_get32(body + 4),
		.id = bsr_wire_get64(body + 8),
		.offset = bsr_wire_get64(body + 16),
		.error = (int32_t)bsr_wire_get32(body + 24),
		.zeroes = body[28] != 0,
	};
	if (!range_ok(&got)) {
		return -BSR_E_RANGE;
	}
	*m = got;
	return 0;
}

/* ------------------------------------------------------ BITMAP, BITMAP_END */

enum { BITMAP_BYTES = 24, BITMAP_END_BYTES = 16 };
BSR_STATIC_ASSERT(BITMAP_BYTES + BSR_BITMAP_BITS_PER_MESSAGE / 8 <= BSR_WIRE_BODY_BYTES_MAX,
	"the largest BITMAP fits");

static bool bitmap_ok(const struct bsr_msg_bitmap *m)
{
	if (m->vnr > BSR_VNR_MAX || m->bit_count == 0 || m->bit_count % 64 != 0 ||
		m->first_bit % 64 != 0 || m->first_bit > BSR_WIRE_BITS_MAX - m->bit_count) {
		return false;
	}
	return m->encoding == BSR_BITMAP_ALL_SET ||
	       (m->encoding == BSR_BITMAP_PLAIN && m->bit_count <= BSR_BITMAP_BITS_PER_MESSAGE);
}

static uint32_t bitmap_words_bytes(const struct bsr_msg_bitmap *m)
{
	return m->encoding == BSR_BITMAP_PLAIN ? m->bit_count / 8 : 0;
}

uint32_t bsr_msg_bitmap_encode(uint8_t *out, uint32_t room, enum bsr_msg_type type,
	uint32_t payload_bytes, const struct bsr_msg_bitmap *m)
{
	BSR_ASSERT(bitmap_ok(m));
	const uint32_t words_bytes = bitmap_words_bytes(m);
	uint8_t *at = bsr_wire_begin(out, room, type, BITMAP_BYTES + words_bytes, payload_bytes);
	bsr_wire_put32(at, m->vnr);
	bsr_wire_put32(at + 4, m->bit_count);
	bsr_wire_put64(at + 8, m->first_bit);
	bsr_wire_put64(at + 16, (uint64_t)m->encoding << 56);
	if (words_bytes > 0) {
		memcpy(at + BITMAP_BYTES, m->words, words_bytes);
	}
	return BSR_WIRE_HEADER_BYTES + BITMAP_BYTES + words_bytes;
}

int bsr_msg_bitmap_decode(struct bsr_msg_bitmap *m, const uint8_t *body, uint32_t body_bytes)
{
	if (body_bytes < BITMAP_BYTES || !bsr_wire_is_zero(body + 17, 7)) {
		return -BSR_E_CORRUPT;
	}
	const struct bsr_msg_bitmap got = {
		.vnr = bsr_wire_get32(body),
		.bit_count = bsr_wire_get32(body + 4),
		.first_bit = bsr_wire_get64(body + 8),
		.encoding = body[16],
		.words = body[16] == BSR_BITMAP_PLAIN ? body + BITMAP_BYTES : NULL,
	};
	if (!bitmap_ok(&got)) {
		return -BSR_E_RANGE;
	}
	if (body_bytes != BITMAP_BYTES + bitmap_words_bytes(&got)) {
		return -BSR_E_CORRUPT;
	}
	*m = got;
	return 0;
}

uint32_t bsr_msg_bitmap_end_encode(uint8_t *out, uint32_t room, enum bsr_msg_type type,
	uint32_t payload_bytes, const struct bsr_msg_bitmap_end *m)
{
	uint8_t *at = bsr_wire_begin(out, room, type, BITMAP_END_BYTES, payload_bytes);
	BSR_ASSERT(m->vnr <= BSR_VNR_MAX);
	BSR_ASSERT(m->bits_set <= BSR_WIRE_BITS_MAX);
	bsr_wire_put32(at, m->vnr);
	bsr_wire_put32(at + 4, 0);
	bsr_wire_put64(at + 8, m->bits_set);
	return BSR_WIRE_HEADER_BYTES + BITMAP_END_BYTES;
}

int bsr_msg_bitmap_end_decode(
	struct bsr_msg_bitmap_end *m, const uint8_t *body, uint32_t body_bytes)
{
	if (body_bytes != BITMAP_END_BYTES || !bsr_wire_is_zero(body + 4, 4)) {
		return -BSR_E_CORRUPT;
	}
	const uint32_t vnr = bsr_wire_get32(body);
	const uint64_t bits_set = bsr_wire_get64(body + 8);
	if (vnr > BSR_VNR_MAX || bits_set > BSR_WIRE_BITS_MAX) {
		return -BSR_E_RANGE;
	}
	m->vnr = vnr;
	m->bits_set = bits_set;
	return 0;
}
