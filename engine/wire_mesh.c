// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * wire_mesh.c - bodies of the messages about third nodes
 *
 * Owns:       layouts of HS_MESH and MESH. WIRE-3 and WIRE-4 (wire_messages.c) hold here, too.
 * Format:     docs/protocol.md
 */
#include <bsr/assert.h>
#include <bsr/wire.h>

#include "wire_bytes.h"

#define VNR_ALL UINT32_MAX
#define NO_NODE UINT32_MAX

/* ----------------------------------------------------------------- HS_MESH */

enum { HS_MESH_BYTES = 24, HS_MESH_VOLUME_BYTES = 16 };
#define HS_MESH_FLAGS (BSR_HSM_TARGET | BSR_HSM_SYNC_BASE)

uint32_t bsr_msg_hs_mesh_encode(uint8_t *out, uint32_t room, enum bsr_msg_type type,
	uint32_t payload_bytes, const struct bsr_msg_hs_mesh *m)
{
	const uint32_t body_bytes = HS_MESH_BYTES + HS_MESH_VOLUME_BYTES * (uint32_t)m->count;
	uint8_t *at = bsr_wire_begin(out, room, type, body_bytes, payload_bytes);
	BSR_ASSERT(m->count <= BSR_VOLUMES_MAX);
	BSR_ASSERT(m->lost_node < BSR_NODES_MAX || m->lost_node == NO_NODE);
	bsr_wire_put32(at, m->primaries);
	bsr_wire_put32(at + 4, m->lost_node);
	bsr_wire_put64(at + 8, m->lost_dagtag);
	bsr_wire_put16(at + 16, m->count);
	bsr_wire_put16(at + 18, 0);
	bsr_wire_put32(at + 20, 0);
	at += HS_MESH_BYTES;
	for (uint32_t i = 0; i < m->count; i++, at += HS_MESH_VOLUME_BYTES) {
		BSR_ASSERT(m->volume[i].vnr <= BSR_VNR_MAX);
		bsr_wire_put32(at, m->volume[i].vnr);
		bsr_wire_put32(at + 4, m->volume[i].holders);
		bsr_wire_put32(at + 8, m->volume[i].flags);
		bsr_wire_put32(at + 12, 0);
	}
	return BSR_WIRE_HEADER_BYTES + body_bytes;
}

int bsr_msg_hs_mesh_decode(struct bsr_msg_hs_mesh *m, const uint8_t *body, uint32_t body_bytes)
{
	if (body_bytes < HS_MESH_BYTES || !bsr_wire_is_zero(body + 18, 6)) {
		return -BSR_E_CORRUPT;
	}
	struct bsr_msg_hs_mesh got = {.primaries = bsr_wire_get32(body),
		.lost_node = bsr_wire_get32(body + 4),
		.lost_dagtag = bsr_wire_get64(body + 8),
		.count = bsr_wire_get16(body + 16)};
	if (got.count > BSR_VOLUMES_MAX || (got.lost_node >= BSR_NODES_MAX && got.lost_node != NO_NODE)) {
		return -BSR_E_RANGE;
	}
	if (body_bytes != HS_MESH_BYTES + HS_MESH_VOLUME_BYTES * (uint32_t)got.count) {
		return -BSR_E_CORRUPT;
	}
	const uint8_t *at = body + HS_MESH_BYTES;
	for (uint32_t i = 0; i < got.count; i++, at += HS_MESH_VOLUME_BYTES) {
		got.volume[i].vnr = bsr_wire_get32(at);
		got.volume[i].holders = bsr_wire_get32(at + 4);
		got.volume[i].flags = bsr_wire_get32(at + 8);
		if (!bsr_wire_is_zero(at + 12, 4)) {
			return -BSR_E_CORRUPT;
		}
		if (got.volume[i].vnr > BSR_VNR_MAX || (got.volume[i].flags & ~HS_MESH_FLAGS) != 0) {
			return -BSR_E_RANGE;
		}
	}
	*m = got;
	return 0;
}

/* -------------------------------------------------------------------- MESH */

enum { MESH_BYTES = 24 };

static bool about_resource(uint8_t kind)
{
	return kind == BSR_MESH_PEER_ACK || kind == BSR_MESH_PRIMARIES || kind == BSR_MESH_TELL_AGAIN;
}

uint32_t bsr_msg_mesh_encode(uint8_t *out, uint32_t room, enum bsr_msg_type type, uint32_t payload_bytes,
	const struct bsr_msg_mesh *m)
{
	uint8_t *at = bsr_wire_begin(out, room, type, MESH_BYTES, payload_bytes);
	BSR_ASSERT(m->kind >= BSR_MESH_PEER_ACK && m->kind <= BSR_MESH_HOLDERS);
	BSR_ASSERT(about_resource(m->kind) ? m->vnr == VNR_ALL : m->vnr <= BSR_VNR_MAX);
	bsr_wire_put32(at, m->vnr);
	at[4] = m->kind;
	at[5] = 0;
	bsr_wire_put16(at + 6, 0);
	bsr_wire_put32(at + 8, m->mask);
	bsr_wire_put32(at + 12, 0);
	bsr_wire_put64(at + 16, m->value);
	return BSR_WIRE_HEADER_BYTES + MESH_BYTES;
}

int bsr_msg_mesh_decode(struct bsr_msg_mesh *m, const uint8_t *body, uint32_t body_bytes)
{
	if (body_bytes != MESH_BYTES || !bsr_wire_is_zero(body + 5, 3) || !bsr_wire_is_zero(body + 12, 4)) {
		return -BSR_E_CORRUPT;
	}
	const struct bsr_msg_mesh got = {.vnr = bsr_wire_get32(body),
		.kind = body[4],
		.mask = bsr_wire_get32(body + 8),
		.value = bsr_wire_get64(body + 16)};
	if (got.kind < BSR_MESH_PEER_ACK || got.kind > BSR_MESH_HOLDERS ||
		(about_resource(got.kind) ? got.vnr != VNR_ALL : got.vnr > BSR_VNR_MAX)) {
		return -BSR_E_RANGE;
	}
	*m = got;
	return 0;
}
