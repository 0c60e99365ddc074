/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * effects.h - the part of effects.c that every write passes: inline, so that an effect is built in its place
 *
 * Included by core.h, where the engine's structs are known.
 */
#ifndef BSR_ENGINE_EFFECTS_H
#define BSR_ENGINE_EFFECTS_H

static inline struct bsr_effect *bsr_fx_add(struct bsr_engine *e, enum bsr_effect_type type)
{
	struct bsr_fx *fx = e->fx;
	BSR_ASSERT(fx != NULL);
	BSR_ASSERT(fx->count < BSR_EFFECTS_MAX);
	struct bsr_effect *effect = &fx->effect[fx->count++];
	effect->type = type;
	return effect;
}

static inline void bsr_emit_buf_put(struct bsr_engine *e, bsr_buf_t buf)
{
	if (buf != BSR_BUF_NONE) {
		bsr_fx_add(e, BSR_FX_BUF_PUT)->u.buf_put = buf;
	}
}

#include "pools.h"

/** bsr_emit_disk - an operation on data; @owner and @done as in struct bsr_disk_op */
BSR_IN_PLACE void bsr_emit_disk(
	struct bsr_engine *e, struct bsr_volume *vol, struct bsr_fx_disk io, void *owner, bsr_op_fn done)
{
	BSR_ASSERT(io.op == BSR_OP_FLUSH || io.offset + io.length <= vol->layout.data_bytes);
	io.op_id = e->op_free;
	io.volume = (uint16_t)vol->index;
	(void)bsr_op_get(e, done, vol, owner, 0);
	bsr_fx_add(e, BSR_FX_DISK)->u.disk = io;
}

/** bsr_send_room - where to encode a message; commit with bsr_send_commit() */
static inline uint8_t *bsr_send_room(struct bsr_engine *e, uint32_t *room)
{
	BSR_ASSERT(e->fx->arena_used + BSR_WIRE_HEADER_BYTES + BSR_WIRE_BODY_BYTES_MAX <= BSR_SEND_ARENA_BYTES);
	*room = BSR_WIRE_HEADER_BYTES + BSR_WIRE_BODY_BYTES_MAX;
	return e->fx->arena + e->fx->arena_used;
}

static inline void bsr_send_commit(struct bsr_engine *e, struct bsr_peer *peer, enum bsr_stream stream,
	uint32_t head_bytes, bsr_buf_t buf, uint32_t buf_offset, uint32_t payload_bytes)
{
	BSR_ASSERT(peer->link_up);
	BSR_ASSERT(head_bytes >= BSR_WIRE_HEADER_BYTES);
	bsr_fx_add(e, BSR_FX_SEND)->u.send = (struct bsr_fx_send){.peer = peer->node_id,
		.link = peer->link,
		.stream = (uint8_t)stream,
		.head_offset = e->fx->arena_used,
		.head_bytes = head_bytes,
		.buf = buf,
		.buf_offset = buf_offset,
		.payload_bytes = payload_bytes};
	e->fx->arena_used += head_bytes;
	peer->send_queued_bytes += head_bytes + payload_bytes;
}

#endif
