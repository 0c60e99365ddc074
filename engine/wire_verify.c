// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * wire_verify.c - bodies of the messages that compare disks by digests
 *
 * Owns:       layouts of VERIFY and VERIFY_REPLY; VERIFY_REQUEST and VERIFY_RESULT are ranges (wire_data.c).
 * Invariants: WIRE-3 and WIRE-4, see wire_messages.c.
 * Format:     docs/protocol.md
 */
#include <string.h>

#include <bsr/assert.h>
#include <bsr/wire.h>

#include "wire_bytes.h"

/* ------------------------------------------------------------------ VERIFY */

enum { VERIFY_BYTES = 56 };

static bool position_ok(uint64_t bytes)
{
	return bytes <= BSR_VOLUME_BYTES_MAX && bytes % BSR_SECTOR_BYTES == 0;
}

static bool verify_ok(const struct bsr_msg_verify *m)
{
	const bool fails = m->say == BSR_VERIFY_REFUSED;
	const bool may_fail = fails || m->say == BSR_VERIFY_ENDED;
	return m->vnr <= BSR_VNR_MAX && m->say >= BSR_VERIFY_START && m->say <= BSR_VERIFY_ENDED && m->run != 0 &&
	       position_ok(m->start) && position_ok(m->stop) && position_ok(m->found) && position_ok(m->skipped) &&
	       bsr_wire_error_ok(m->error) && (m->error == 0 || may_fail) && (m->error != 0 || !fails);
}

uint32_t bsr_msg_verify_encode(uint8_t *out, uint32_t room, enum bsr_msg_type type, uint32_t payload_bytes,
	const struct bsr_msg_verify *m)
{
	uint8_t *at = bsr_wire_begin(out, room, type, VERIFY_BYTES, payload_bytes);
	BSR_ASSERT(verify_ok(m));
	bsr_wire_put32(at, m->vnr);
	at[4] = m->say;
	at[5] = m->digest;
	bsr_wire_put16(at + 6, 0);
	bsr_wire_put64(at + 8, m->run);
	bsr_wire_put64(at + 16, m->start);
	bsr_wire_put64(at + 24, m->stop);
	bsr_wire_put64(at + 32, m->found);
	bsr_wire_put64(at + 40, m->skipped);
	bsr_wire_put32(at + 48, (uint32_t)m->error);
	bsr_wire_put32(at + 52, 0);
	return BSR_WIRE_HEADER_BYTES + VERIFY_BYTES;
}

int bsr_msg_verify_decode(struct bsr_msg_verify *m, const uint8_t *body, uint32_t body_bytes)
{
	if (body_bytes != VERIFY_BYTES || !bsr_wire_is_zero(body + 6, 2) || !bsr_wire_is_zero(body + 52, 4)) {
		return -BSR_E_CORRUPT;
	}
	const struct bsr_msg_verify got = {
		.vnr = bsr_wire_get32(body),
		.say = body[4],
		.digest = body[5],
		.run = bsr_wire_get64(body + 8),
		.start = bsr_wire_get64(body + 16),
		.stop = bsr_wire_get64(body + 24),
		.found = bsr_wire_get64(body + 32),
		.skipped = bsr_wire_get64(body + 40),
		.error = (int32_t)bsr_wire_get32(body + 48),
	};
	if (!verify_ok(&got)) {
		return -BSR_E_RANGE;
	}
	*m = got;
	return 0;
}

/* ------------------------------------------------------------ VERIFY_REPLY */

enum { REPLY_BYTES = 32 };
BSR_STATIC_ASSERT(REPLY_BYTES + BSR_VERIFY_BLOCKS_MAX * BSR_DIGEST_BYTES_MAX <= BSR_WIRE_BODY_BYTES_MAX,
	"the largest VERIFY_REPLY fits");

static bool reply_ok(const struct bsr_msg_verify_reply *m)
{
	return m->vnr <= BSR_VNR_MAX && bsr_wire_range_ok(m->offset, m->length, BSR_VERIFY_REQUEST_BYTES_MAX) &&
	       bsr_wire_error_ok(m->error) && m->digest_bytes <= BSR_DIGEST_BYTES_MAX &&
	       (m->error != 0) == (m->digest_bytes == 0);
}

static uint32_t digests_bytes(const struct bsr_msg_verify_reply *m)
{
	const uint32_t blocks = (m->length + BSR_BITMAP_BLOCK_BYTES - 1) / BSR_BITMAP_BLOCK_BYTES;
	return blocks * m->digest_bytes;
}

uint32_t bsr_msg_verify_reply_encode(uint8_t *out, uint32_t room, enum bsr_msg_type type, uint32_t payload_bytes,
	const struct bsr_msg_verify_reply *m)
{
	BSR_ASSERT(reply_ok(m));
	const uint32_t digests = digests_bytes(m);
	uint8_t *at = bsr_wire_begin(out, room, type, REPLY_BYTES + digests, payload_bytes);
	bsr_wire_put32(at, m->vnr);
	bsr_wire_put32(at + 4, m->length);
	bsr_wire_put64(at + 8, m->id);
	bsr_wire_put64(at + 16, m->offset);
	bsr_wire_put32(at + 24, (uint32_t)m->error);
	bsr_wire_put16(at + 28, m->digest_bytes);
	bsr_wire_put16(at + 30, 0);
	if (digests > 0) {
		memcpy(at + REPLY_BYTES, m->digests, digests);
	}
	return BSR_WIRE_HEADER_BYTES + REPLY_BYTES + digests;
}

int bsr_msg_verify_reply_decode(struct bsr_msg_verify_reply *m, const uint8_t *body, uint32_t body_bytes)
{
	if (body_bytes < REPLY_BYTES || !bsr_wire_is_zero(body + 30, 2)) {
		return -BSR_E_CORRUPT;
	}
	const struct bsr_msg_verify_reply got = {
		.vnr = bsr_wire_get32(body),
		.length = bsr_wire_get32(body + 4),
		.id = bsr_wire_get64(body + 8),
		.offset = bsr_wire_get64(body + 16),
		.error = (int32_t)bsr_wire_get32(body + 24),
		.digest_bytes = bsr_wire_get16(body + 28),
		.digests = body + REPLY_BYTES,
	};
	if (!reply_ok(&got)) {
		return -BSR_E_RANGE;
	}
	if (body_bytes != REPLY_BYTES + digests_bytes(&got)) {
		return -BSR_E_CORRUPT;
	}
	*m = got;
	return 0;
}
