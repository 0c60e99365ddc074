// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * wire_messages.c - bodies of the handshake's and the control stream's messages
 *
 * Owns:       layouts of docs/protocol.md, section 5, but for those of wire_data.c.
 * Invariants:
 *   WIRE-3  A decoder reads nothing before it has checked that it is there, and fills its result
 *           only when all is well.
 *   WIRE-4  What an encoder accepts its decoder accepts: values that may not travel are our own
 *           mistake and stop here.
 * Format:     docs/protocol.md
 */
#include <bsr/assert.h>
#include <bsr/engine.h>
#include <bsr/handshake.h>
#include <bsr/wire.h>

#include "wire_bytes.h"

#define VNR_ALL UINT32_MAX

/* ------------------------------------------------------------- HS_RESOURCE */

enum { HS_RESOURCE_BYTES = 24 };

uint32_t bsr_msg_hs_resource_encode(uint8_t *out, uint32_t room, enum bsr_msg_type type,
	uint32_t payload_bytes, const struct bsr_msg_hs_resource *m)
{
	uint8_t *at = bsr_wire_begin(out, room, type, HS_RESOURCE_BYTES, payload_bytes);
	BSR_ASSERT(m->node_id < BSR_NODES_MAX);
	BSR_ASSERT(m->volume_count <= BSR_VOLUMES_MAX);
	bsr_wire_put32(at, m->node_id);
	at[4] = m->role;
	at[5] = m->discard_my_data;
	at[6] = m->tentative;
	at[7] = m->protocol;
	bsr_wire_put16(at + 8, m->volume_count);
	bsr_wire_put16(at + 10, 0);
	bsr_wire_put32(at + 12, 0);
	bsr_wire_put64(at + 16, m->dagtag);
	return BSR_WIRE_HEADER_BYTES + HS_RESOURCE_BYTES;
}

int bsr_msg_hs_resource_decode(
	struct bsr_msg_hs_resource *m, const uint8_t *body, uint32_t body_bytes)
{
	if (body_bytes != HS_RESOURCE_BYTES || !bsr_wire_is_zero(body + 10, 6) || body[5] > 1 ||
		body[6] > 1) {
		return -BSR_E_CORRUPT;
	}
	const struct bsr_msg_hs_resource got = {
		.node_id = bsr_wire_get32(body),
		.role = body[4],
		.discard_my_data = body[5] != 0,
		.tentative = body[6] != 0,
		.protocol = body[7],
		.volume_count = bsr_wire_get16(body + 8),
		.dagtag = bsr_wire_get64(body + 16),
	};
	if (got.node_id >= BSR_NODES_MAX || !bsr_wire_role_ok(got.role) ||
		got.protocol < BSR_PROTOCOL_A || got.protocol > BSR_PROTOCOL_C ||
		got.volume_count > BSR_VOLUMES_MAX) {
		return -BSR_E_RANGE;
	}
	*m = got;
	return 0;
}

/* --------------------------------------------------------------- HS_VOLUME */

enum { HS_VOLUME_BYTES = 56 };
#define HS_VOLUME_FLAGS                                                                            \
	(BSR_HSF_CRASHED_PRIMARY | BSR_HSF_RECONNECT | BSR_HSF_RESYNC_MISSED_END | BSR_HSF_SERVED | \
		BSR_HSF_PAIR | BSR_HSF_CHOSEN)
BSR_STATIC_ASSERT(BSR_NODES_MAX == 32, "node masks have 32 bits");

static uint32_t history_length(const struct bsr_msg_hs_volume *m)
{
	uint32_t count = BSR_HISTORY_UUIDS;
	while (count > 0 && m->history[count - 1].v == 0) {
		count--;
	}
	return count;
}

static uint32_t bitmap_gi_mask(const struct bsr_msg_hs_volume *m)
{
	uint32_t mask = 0;
	for (uint32_t node = 0; node < BSR_NODES_MAX; node++) {
		mask |= (uint32_t)(m->bitmap[node].v != 0) << node;
	}
	return mask;
}

/*
 * no __builtin_popcount: without hardware support it calls a library function that a kernel does
 * not have
 */
static uint32_t bits_set(uint32_t mask)
{
	uint32_t count = 0;
	for (; mask; mask &= mask - 1) {
		count++;
	}
	return count;
}

uint32_t bsr_wire_hs_volume_bytes(const struct bsr_msg_hs_volume *m)
{
	return HS_VOLUME_BYTES + 8 * (history_length(m) + bits_set(bitmap_gi_mask(m)));
}

void bsr_wire_hs_volume_put(uint8_t *at, const struct bsr_msg_hs_volume *m)
{
	const uint32_t history = history_length(m);
	BSR_ASSERT(m->vnr <= BSR_VNR_MAX);
	BSR_ASSERT((m->flags & ~HS_VOLUME_FLAGS) == 0);
	bsr_wire_put32(at, m->vnr);
	at[4] = m->disk;
	at[5] = (uint8_t)history;
	bsr_wire_put16(at + 6, 0);
	bsr_wire_put32(at + 8, m->flags);
	bsr_wire_put32(at + 12, bitmap_gi_mask(m));
	bsr_wire_put64(at + 16, m->size_bytes);
	bsr_wire_put64(at + 24, m->capacity_bytes);
	bsr_wire_put64(at + 32, m->wanted_bytes);
	bsr_wire_put64(at + 40, m->bits);
	bsr_wire_put64(at + 48, m->current.v);
	at += HS_VOLUME_BYTES;
	for (uint32_t node = 0; node < BSR_NODES_MAX; node++) {
		if (m->bitmap[node].v != 0) {
			bsr_wire_put64(at, m->bitmap[node].v);
			at += 8;
		}
	}
	for (uint32_t i = 0; i < history; i++, at += 8) {
		bsr_wire_put64(at, m->history[i].v);
	}
}

uint32_t bsr_msg_hs_volume_encode(uint8_t *out, uint32_t room, enum bsr_msg_type type,
	uint32_t payload_bytes, const struct bsr_msg_hs_volume *m)
{
	const uint32_t body_bytes = bsr_wire_hs_volume_bytes(m);
	bsr_wire_hs_volume_put(bsr_wire_begin(out, room, type, body_bytes, payload_bytes), m);
	return BSR_WIRE_HEADER_BYTES + body_bytes;
}

static bool hs_volume_fixed_ok(const struct bsr_msg_hs_volume *m)
{
	return m->vnr <= BSR_VNR_MAX && bsr_wire_disk_ok(m->disk) &&
	       (m->flags & ~HS_VOLUME_FLAGS) == 0 && m->size_bytes <= BSR_VOLUME_BYTES_MAX &&
	       m->size_bytes % BSR_SECTOR_BYTES == 0 && m->capacity_bytes <= BSR_VOLUME_BYTES_MAX &&
	       m->wanted_bytes <= BSR_VOLUME_BYTES_MAX && m->bits <= BSR_WIRE_BITS_MAX;
}

static int hs_volume_identifiers(
	struct bsr_msg_hs_volume *m, const uint8_t *at, uint32_t mask, uint32_t history)
{
	for (uint32_t node = 0; node < BSR_NODES_MAX; node++) {
		m->bitmap[node].v = 0;
		if ((mask >> node & 1) != 0) {
			m->bitmap[node].v = bsr_wire_get64(at);
			at += 8;
			if (m->bitmap[node].v == 0) {
				return -BSR_E_CORRUPT;
			}
		}
	}
	for (uint32_t i = 0; i < BSR_HISTORY_UUIDS; i++) {
		m->history[i].v = i < history ? bsr_wire_get64(at + 8 * i) : 0;
	}
	return history > 0 && m->history[history - 1].v == 0 ? -BSR_E_CORRUPT : 0;
}

int bsr_msg_hs_volume_decode(struct bsr_msg_hs_volume *m, const uint8_t *body, uint32_t body_bytes)
{
	if (body_bytes < HS_VOLUME_BYTES || !bsr_wire_is_zero(body + 6, 2)) {
		return -BSR_E_CORRUPT;
	}
	const uint32_t history = body[5];
	const uint32_t mask = bsr_wire_get32(body + 12);
	if (history > BSR_HISTORY_UUIDS) {
		return -BSR_E_RANGE;
	}
	if (body_bytes != HS_VOLUME_BYTES + 8 * (history + bits_set(mask))) {
		return -BSR_E_CORRUPT;
	}
	struct bsr_msg_hs_volume got;
	got.vnr = bsr_wire_get32(body);
	got.disk = body[4];
	got.flags = bsr_wire_get32(body + 8);
	got.size_bytes = bsr_wire_get64(body + 16);
	got.capacity_bytes = bsr_wire_get64(body + 24);
	got.wanted_bytes = bsr_wire_get64(body + 32);
	got.bits = bsr_wire_get64(body + 40);
	got.current.v = bsr_wire_get64(body + 48);
	if (!hs_volume_fixed_ok(&got)) {
		return -BSR_E_RANGE;
	}
	const int r = hs_volume_identifiers(&got, body + HS_VOLUME_BYTES, mask, history);
	if (r == 0) {
		*m = got;
	}
	return r;
}

/* -------------------------------------------------------------- HS_CONFIRM */

enum { HS_CONFIRM_BYTES = 8, HS_CONFIRM_VOLUME_BYTES = 16 };
BSR_STATIC_ASSERT(
	HS_CONFIRM_BYTES + BSR_VOLUMES_MAX * HS_CONFIRM_VOLUME_BYTES <= BSR_WIRE_BODY_BYTES_MAX,
	"every volume fits into one confirmation");

uint32_t bsr_msg_hs_confirm_encode(uint8_t *out, uint32_t room, enum bsr_msg_type type,
	uint32_t payload_bytes, const struct bsr_msg_hs_confirm *m)
{
	BSR_ASSERT(m->count <= BSR_VOLUMES_MAX);
	const uint32_t body_bytes = HS_CONFIRM_BYTES + m->count * (uint32_t)HS_CONFIRM_VOLUME_BYTES;
	uint8_t *at = bsr_wire_begin(out, room, type, body_bytes, payload_bytes);
	bsr_wire_put64(at, 0);
	bsr_wire_put16(at, m->count);
	at += HS_CONFIRM_BYTES;
	for (uint32_t i = 0; i < m->count; i++, at += HS_CONFIRM_VOLUME_BYTES) {
		bsr_wire_put32(at, m->volume[i].vnr);
		at[4] = m->volume[i].decision;
		at[5] = 0;
		bsr_wire_put16(at + 6, m->volume[i].reason);
		bsr_wire_put64(at + 8, m->volume[i].size_bytes);
	}
	return BSR_WIRE_HEADER_BYTES + body_bytes;
}

static int hs_confirm_volume_check(const uint8_t *at)
{
	const uint64_t size_bytes = bsr_wire_get64(at + 8);
	if (at[5] != 0) {
		return -BSR_E_CORRUPT;
	}
	if (bsr_wire_get32(at) > BSR_VNR_MAX || at[4] < BSR_HS_NO_SYNC || at[4] > BSR_HS_NO_DISK ||
		size_bytes > BSR_VOLUME_BYTES_MAX || size_bytes % BSR_SECTOR_BYTES != 0) {
		return -BSR_E_RANGE;
	}
	return 0;
}

int bsr_msg_hs_confirm_decode(
	struct bsr_msg_hs_confirm *m, const uint8_t *body, uint32_t body_bytes)
{
	if (body_bytes < HS_CONFIRM_BYTES || !bsr_wire_is_zero(body + 2, 6)) {
		return -BSR_E_CORRUPT;
	}
	const uint16_t count = bsr_wire_get16(body);
	if (count > BSR_VOLUMES_MAX) {
		return -BSR_E_RANGE;
	}
	if (body_bytes != HS_CONFIRM_BYTES + count * (uint32_t)HS_CONFIRM_VOLUME_BYTES) {
		return -BSR_E_CORRUPT;
	}
	const uint8_t *at = body + HS_CONFIRM_BYTES;
	for (uint32_t i = 0; i < count; i++) {
		const int r = hs_confirm_volume_check(at + i * HS_CONFIRM_VOLUME_BYTES);
		if (r != 0) {
			return r;
		}
	}
	m->count = count;
	for (uint32_t i = 0; i < count; i++, at += HS_CONFIRM_VOLUME_BYTES) {
		m->volume[i].vnr = bsr_wire_get32(at);
		m->volume[i].decision = at[4];
		m->volume[i].reason = bsr_wire_get16(at + 6);
		m->volume[i].size_bytes = bsr_wire_get64(at + 8);
	}
	return 0;
}

/* -------------------------------------------------------------- PING, PONG */

enum { PING_BYTES = 8 };

uint32_t bsr_msg_ping_encode(uint8_t *out, uint32_t room, enum bsr_msg_type type,
	uint32_t payload_bytes, const struct bsr_msg_ping *m)
{
	bsr_wire_put64(bsr_wire_begin(out, room, type, PING_BYTES, payload_bytes), m->nonce);
	return BSR_WIRE_HEADER_BYTES + PING_BYTES;
}

int bsr_msg_ping_decode(struct bsr_msg_ping *m, const uint8_t *body, uint32_t body_bytes)
{
	if (body_bytes != PING_BYTES) {
		return -BSR_E_CORRUPT;
	}
	m->nonce = bsr_wire_get64(body);
	return 0;
}

/* ------------------------------------------------------------------- STATE */

enum { STATE_BYTES = 16 };
#define STATE_PAUSES (BSR_PAUSE_USER | BSR_PAUSE_DEPENDENCY)

uint32_t bsr_msg_state_encode(uint8_t *out, uint32_t room, enum bsr_msg_type type,
	uint32_t payload_bytes, const struct bsr_msg_state *m)
{
	uint8_t *at = bsr_wire_begin(out, room, type, STATE_BYTES, payload_bytes);
	const bool role_only = m->vnr == VNR_ALL;
	BSR_ASSERT(role_only || m->vnr <= BSR_VNR_MAX);
	BSR_ASSERT(role_only || (m->paused & ~STATE_PAUSES) == 0);
	bsr_wire_put32(at, m->vnr);
	at[4] = m->role;
	at[5] = role_only ? 0 : m->disk;
	at[6] = role_only ? 0 : m->repl;
	at[7] = 0;
	bsr_wire_put32(at + 8, role_only ? 0 : m->paused);
	bsr_wire_put32(at + 12, 0);
	return BSR_WIRE_HEADER_BYTES + STATE_BYTES;
}

static bool state_ok(const struct bsr_msg_state *m)
{
	if (m->vnr == VNR_ALL) {
		return bsr_wire_role_ok(m->role) && m->disk == 0 && m->repl == 0 && m->paused == 0;
	}
	return m->vnr <= BSR_VNR_MAX && bsr_wire_role_ok(m->role) && bsr_wire_disk_ok(m->disk) &&
	       m->repl >= BSR_REPL_OFF && m->repl <= BSR_REPL_BEHIND &&
	       (m->paused & ~STATE_PAUSES) == 0;
}

int bsr_msg_state_decode(struct bsr_msg_state *m, const uint8_t *body, uint32_t body_bytes)
{
	if (body_bytes != STATE_BYTES || body[7] != 0 || !bsr_wire_is_zero(body + 12, 4)) {
		return -BSR_E_CORRUPT;
	}
	const struct bsr_msg_state got = {
		.vnr = bsr_wire_get32(body),
		.role = body[4],
		.disk = body[5],
		.repl = body[6],
		.paused = bsr_wire_get32(body + 8),
	};
	if (!state_ok(&got)) {
		return -BSR_E_RANGE;
	}
	*m = got;
	return 0;
}

/* ---------------------------------------------------------------------- GI */

enum { GI_BYTES = 24 };
#define GI_FLAGS (BSR_GIF_NEW_GENERATION | BSR_GIF_SKIP_INITIAL_SYNC | BSR_GIF_SYNC_BASE)

uint32_t bsr_msg_gi_encode(uint8_t *out, uint32_t room, enum bsr_msg_type type,
	uint32_t payload_bytes, const struct bsr_msg_gi *m)
{
	uint8_t *at = bsr_wire_begin(out, room, type, GI_BYTES, payload_bytes);
	BSR_ASSERT(m->vnr <= BSR_VNR_MAX);
	BSR_ASSERT((m->flags & ~GI_FLAGS) == 0);
	bsr_wire_put32(at, m->vnr);
	bsr_wire_put32(at + 4, m->flags);
	bsr_wire_put64(at + 8, m->current.v);
	bsr_wire_put64(at + 16, m->bitmap.v);
	return BSR_WIRE_HEADER_BYTES + GI_BYTES;
}

int bsr_msg_gi_decode(struct bsr_msg_gi *m, const uint8_t *body, uint32_t body_bytes)
{
	if (body_bytes != GI_BYTES) {
		return -BSR_E_CORRUPT;
	}
	const uint32_t vnr = bsr_wire_get32(body);
	const uint32_t flags = bsr_wire_get32(body + 4);
	if (vnr > BSR_VNR_MAX || (flags & ~GI_FLAGS) != 0) {
		return -BSR_E_RANGE;
	}
	m->vnr = vnr;
	m->flags = flags;
	m->current.v = bsr_wire_get64(body + 8);
	m->bitmap.v = bsr_wire_get64(body + 16);
	return 0;
}

/* ------------------------------------------------------------------- TWOPC */

enum { TWOPC_BYTES = 24 };

uint32_t bsr_msg_twopc_encode(uint8_t *out, uint32_t room, enum bsr_msg_type type,
	uint32_t payload_bytes, const struct bsr_msg_twopc *m)
{
	uint8_t *at = bsr_wire_begin(out, room, type, TWOPC_BYTES, payload_bytes);
	BSR_ASSERT(m->tid != 0);
	BSR_ASSERT(m->step != BSR_TWOPC_NO || m->error != 0);
	at[0] = m->step;
	at[1] = m->kind;
	bsr_wire_put16(at + 2, 0);
	bsr_wire_put32(at + 4, m->tid);
	bsr_wire_put32(at + 8, m->initiator);
	bsr_wire_put32(at + 12, m->vnr);
	bsr_wire_put32(at + 16, m->flags);
	bsr_wire_put32(at + 20, (uint32_t)m->error);
	return BSR_WIRE_HEADER_BYTES + TWOPC_BYTES;
}

static bool twopc_error_ok(uint8_t step, int32_t error)
{
	if (step == BSR_TWOPC_NO) {
		return error < 0 && bsr_wire_error_ok(error);
	}
	if (step == BSR_TWOPC_RETRY || step == BSR_TWOPC_ABORT) {
		return bsr_wire_error_ok(error);
	}
	return error == 0;
}

int bsr_msg_twopc_decode(struct bsr_msg_twopc *m, const uint8_t *body, uint32_t body_bytes)
{
	if (body_bytes != TWOPC_BYTES || !bsr_wire_is_zero(body + 2, 2)) {
		return -BSR_E_CORRUPT;
	}
	const struct bsr_msg_twopc got = {
		.step = body[0],
		.kind = body[1],
		.tid = bsr_wire_get32(body + 4),
		.initiator = bsr_wire_get32(body + 8),
		.vnr = bsr_wire_get32(body + 12),
		.flags = bsr_wire_get32(body + 16),
		.error = (int32_t)bsr_wire_get32(body + 20),
	};
	if (got.step < BSR_TWOPC_PREPARE || got.step > BSR_TWOPC_ABORT ||
		got.kind < BSR_TWOPC_PROMOTE || got.kind > BSR_TWOPC_INVALIDATE_REMOTE ||
		got.tid == 0 || got.initiator >= BSR_NODES_MAX ||
		(got.vnr > BSR_VNR_MAX && got.vnr != VNR_ALL) ||
		(got.flags & ~BSR_CMDF_FORCE) != 0 || !twopc_error_ok(got.step, got.error)) {
		return -BSR_E_RANGE;
	}
	*m = got;
	return 0;
}

/* -------------------------------------------------------------------- ACKS */

enum { ACKS_BYTES = 8, ACK_BYTES = 8, ACK_KIND_SHIFT = 56 };
BSR_STATIC_ASSERT(ACKS_BYTES + BSR_WIRE_ACKS_MAX * ACK_BYTES <= BSR_WIRE_BODY_BYTES_MAX,
	"the largest ACKS fits");

uint32_t bsr_msg_acks_encode(uint8_t *out, uint32_t room, enum bsr_msg_type type,
	uint32_t payload_bytes, const struct bsr_msg_acks *m)
{
	BSR_ASSERT(m->count >= 1 && m->count <= BSR_WIRE_ACKS_MAX);
	const uint32_t body_bytes = ACKS_BYTES + m->count * (uint32_t)ACK_BYTES;
	uint8_t *at = bsr_wire_begin(out, room, type, body_bytes, payload_bytes);
	bsr_wire_put64(at, 0);
	bsr_wire_put16(at, m->count);
	at += ACKS_BYTES;
	for (uint32_t i = 0; i < m->count; i++, at += ACK_BYTES) {
		BSR_ASSERT(m->ack[i].write_seq - 1 < BSR_WIRE_WRITE_SEQ_MAX);
		bsr_wire_put64(
			at, (uint64_t)m->ack[i].kind << ACK_KIND_SHIFT | m->ack[i].write_seq);
	}
	return BSR_WIRE_HEADER_BYTES + body_bytes;
}

int bsr_msg_acks_decode(struct bsr_msg_acks *m, const uint8_t *body, uint32_t body_bytes)
{
	if (body_bytes < ACKS_BYTES || !bsr_wire_is_zero(body + 2, 6)) {
		return -BSR_E_CORRUPT;
	}
	const uint16_t count = bsr_wire_get16(body);
	if (count < 1 || count > BSR_WIRE_ACKS_MAX) {
		return -BSR_E_RANGE;
	}
	if (body_bytes != ACKS_BYTES + count * (uint32_t)ACK_BYTES) {
		return -BSR_E_CORRUPT;
	}
	/* One pass for speed: @m may be partly written when it turns out bad, but its count is not.
	 */
	for (uint32_t i = 0; i < count; i++) {
		const uint64_t word = bsr_wire_get64(body + ACKS_BYTES + i * ACK_BYTES);
		const uint64_t kind = word >> ACK_KIND_SHIFT;
		const uint64_t write_seq = word & BSR_WIRE_WRITE_SEQ_MAX;
		if (kind - BSR_ACK_RECEIVED > BSR_ACK_TOOK - BSR_ACK_RECEIVED ||
			write_seq == 0) {
			return -BSR_E_RANGE;
		}
		m->ack[i].kind = (uint8_t)kind;
		m->ack[i].write_seq = write_seq;
	}
	m->count = count;
	return 0;
}

/* ------------------------------------------------------------- RESYNC_DONE */

enum { RESYNC_DONE_BYTES = 24 };

uint32_t bsr_msg_resync_done_encode(uint8_t *out, uint32_t room, enum bsr_msg_type type,
	uint32_t payload_bytes, const struct bsr_msg_resync_done *m)
{
	uint8_t *at = bsr_wire_begin(out, room, type, RESYNC_DONE_BYTES, payload_bytes);
	BSR_ASSERT(m->vnr <= BSR_VNR_MAX);
	BSR_ASSERT(m->failed_bytes <= BSR_VOLUME_BYTES_MAX);
	bsr_wire_put32(at, m->vnr);
	bsr_wire_put32(at + 4, m->answer ? 1u << 24 : 0);
	bsr_wire_put64(at + 8, m->failed_bytes);
	bsr_wire_put64(at + 16, m->current.v);
	return BSR_WIRE_HEADER_BYTES + RESYNC_DONE_BYTES;
}

int bsr_msg_resync_done_decode(
	struct bsr_msg_resync_done *m, const uint8_t *body, uint32_t body_bytes)
{
	if (body_bytes != RESYNC_DONE_BYTES || body[4] > 1 || !bsr_wire_is_zero(body + 5, 3)) {
		return -BSR_E_CORRUPT;
	}
	const uint32_t vnr = bsr_wire_get32(body);
	const uint64_t failed_bytes = bsr_wire_get64(body + 8);
	if (vnr > BSR_VNR_MAX || failed_bytes > BSR_VOLUME_BYTES_MAX) {
		return -BSR_E_RANGE;
	}
	m->vnr = vnr;
	m->answer = body[4] != 0;
	m->failed_bytes = failed_bytes;
	m->current.v = bsr_wire_get64(body + 16);
	return 0;
}

/* --------------------------------------------------------------- TEAR_DOWN */

enum { TEAR_DOWN_BYTES = 8 };

uint32_t bsr_msg_tear_down_encode(uint8_t *out, uint32_t room, enum bsr_msg_type type,
	uint32_t payload_bytes, const struct bsr_msg_tear_down *m)
{
	uint8_t *at = bsr_wire_begin(out, room, type, TEAR_DOWN_BYTES, payload_bytes);
	BSR_ASSERT(m->reason <= BSR_LINK_REFUSED);
	BSR_ASSERT(bsr_wire_error_ok(m->error));
	bsr_wire_put32(at, (uint32_t)m->reason << 24);
	bsr_wire_put32(at + 4, (uint32_t)m->error);
	return BSR_WIRE_HEADER_BYTES + TEAR_DOWN_BYTES;
}

int bsr_msg_tear_down_decode(struct bsr_msg_tear_down *m, const uint8_t *body, uint32_t body_bytes)
{
	if (body_bytes != TEAR_DOWN_BYTES || !bsr_wire_is_zero(body + 1, 3)) {
		return -BSR_E_CORRUPT;
	}
	const int32_t error = (int32_t)bsr_wire_get32(body + 4);
	if (body[0] > BSR_LINK_REFUSED || !bsr_wire_error_ok(error)) {
		return -BSR_E_RANGE;
	}
	m->reason = body[0];
	m->error = error;
	return 0;
}
