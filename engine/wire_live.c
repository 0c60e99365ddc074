// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * wire_live.c - bodies of the messages that compare the disks of one volume over a standing link
 *
 * Owns:       layouts of VOLUME_OFFER and VOLUME_CONFIRM.
 * Invariants: WIRE-3 and WIRE-4, see wire_messages.c.
 * Format:     docs/protocol.md
 */
#include <bsr/assert.h>
#include <bsr/handshake.h>
#include <bsr/wire.h>

#include "wire_bytes.h"

/* ------------------------------------------------------------ VOLUME_OFFER */

enum { OFFER_BYTES = 16 }; /* the record follows, as in HS_VOLUME */

uint32_t bsr_msg_volume_offer_encode(uint8_t *out, uint32_t room, enum bsr_msg_type type,
	uint32_t payload_bytes, const struct bsr_msg_volume_offer *m)
{
	const uint32_t body_bytes = OFFER_BYTES + bsr_wire_hs_volume_bytes(&m->record);
	uint8_t *at = bsr_wire_begin(out, room, type, body_bytes, payload_bytes);
	BSR_ASSERT(m->number != 0);
	bsr_wire_put64(at, m->number);
	bsr_wire_put64(at + 8, 0);
	at[8] = m->role;
	bsr_wire_hs_volume_put(at + OFFER_BYTES, &m->record);
	return BSR_WIRE_HEADER_BYTES + body_bytes;
}

int bsr_msg_volume_offer_decode(struct bsr_msg_volume_offer *m, const uint8_t *body, uint32_t body_bytes)
{
	struct bsr_msg_hs_volume record;
	if (body_bytes < OFFER_BYTES || !bsr_wire_is_zero(body + 9, 7)) {
		return -BSR_E_CORRUPT;
	}
	if (bsr_wire_get64(body) == 0 || !bsr_wire_role_ok(body[8])) {
		return -BSR_E_RANGE;
	}
	const int r = bsr_msg_hs_volume_decode(&record, body + OFFER_BYTES, body_bytes - OFFER_BYTES);
	if (r == 0) {
		m->number = bsr_wire_get64(body);
		m->role = body[8];
		m->record = record;
	}
	return r;
}

/* ---------------------------------------------------------- VOLUME_CONFIRM */

enum { CONFIRM_BYTES = 32 };

uint32_t bsr_msg_volume_confirm_encode(uint8_t *out, uint32_t room, enum bsr_msg_type type,
	uint32_t payload_bytes, const struct bsr_msg_volume_confirm *m)
{
	uint8_t *at = bsr_wire_begin(out, room, type, CONFIRM_BYTES, payload_bytes);
	BSR_ASSERT(m->vnr <= BSR_VNR_MAX && m->decision >= BSR_HS_NO_SYNC && m->decision <= BSR_HS_NO_DISK);
	bsr_wire_put32(at, m->vnr);
	at[4] = m->decision;
	at[5] = 0;
	bsr_wire_put16(at + 6, m->reason);
	bsr_wire_put64(at + 8, m->mine);
	bsr_wire_put64(at + 16, m->theirs);
	bsr_wire_put64(at + 24, m->size_bytes);
	return BSR_WIRE_HEADER_BYTES + CONFIRM_BYTES;
}

int bsr_msg_volume_confirm_decode(struct bsr_msg_volume_confirm *m, const uint8_t *body, uint32_t body_bytes)
{
	if (body_bytes != CONFIRM_BYTES || body[5] != 0) {
		return -BSR_E_CORRUPT;
	}
	const struct bsr_msg_volume_confirm got = {
		.vnr = bsr_wire_get32(body),
		.decision = body[4],
		.reason = bsr_wire_get16(body + 6),
		.mine = bsr_wire_get64(body + 8),
		.theirs = bsr_wire_get64(body + 16),
		.size_bytes = bsr_wire_get64(body + 24),
	};
	if (got.vnr > BSR_VNR_MAX || got.decision < BSR_HS_NO_SYNC || got.decision > BSR_HS_NO_DISK ||
		got.size_bytes > BSR_VOLUME_BYTES_MAX || got.size_bytes % BSR_SECTOR_BYTES != 0) {
		return -BSR_E_RANGE;
	}
	*m = got;
	return 0;
}
