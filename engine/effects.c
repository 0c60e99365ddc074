// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * effects.c - how modules ask the host to do something
 *
 * Owns:       the effects of the step under way, the random generator, the earliest deadline.
 * May touch:  nothing else.
 */
#include "core.h"

struct bsr_effect *bsr_fx_add(struct bsr_engine *e, enum bsr_effect_type type)
{
	BSR_ASSERT(e->fx != NULL);
	BSR_ASSERT(e->fx->count < BSR_EFFECTS_MAX);
	struct bsr_effect *fx = &e->fx->effect[e->fx->count++];
	fx->type = type;
	return fx;
}

void bsr_emit_log(struct bsr_engine *e, uint32_t number, const struct bsr_peer *peer, const struct bsr_volume *vol,
	uint64_t a0, uint64_t a1, uint64_t a2)
{
	struct bsr_effect *fx = bsr_fx_add(e, BSR_FX_LOG);
	fx->u.log = (struct bsr_fx_log){.number = number,
		.peer = peer ? peer->node_id : BSR_NONE,
		.volume = vol ? vol->index : BSR_NONE,
		.arg = {a0, a1, a2}};
}

void bsr_emit_command_done(struct bsr_engine *e, uint32_t cmd_id, int32_t result, uint32_t peer, uint32_t volume)
{
	if (cmd_id == BSR_NONE) {
		return;
	}
	struct bsr_effect *fx = bsr_fx_add(e, BSR_FX_COMMAND_DONE);
	fx->u.command_done =
		(struct bsr_fx_command_done){.cmd_id = cmd_id, .result = result, .peer = peer, .volume = volume};
}

void bsr_emit_buf_put(struct bsr_engine *e, bsr_buf_t buf)
{
	if (buf != BSR_BUF_NONE) {
		bsr_fx_add(e, BSR_FX_BUF_PUT)->u.buf_put = buf;
	}
}

void bsr_emit_md(struct bsr_engine *e, struct bsr_volume *vol, struct bsr_fx_md md, bsr_op_fn done, uint32_t arg)
{
	BSR_ASSERT(md.length != 0 && md.length % BSR_MD_BLOCK_BYTES == 0);
	BSR_ASSERT(md.offset % BSR_MD_BLOCK_BYTES == 0);
	struct bsr_disk_op *op = bsr_op_get(e, done, vol, NULL, arg);
	struct bsr_effect *fx = bsr_fx_add(e, BSR_FX_MD);
	fx->u.md = md;
	fx->u.md.op_id = (uint32_t)(op - e->op);
	fx->u.md.volume = (uint16_t)vol->index;
	vol->lower_pending++;
}

void bsr_emit_disk(struct bsr_engine *e, struct bsr_volume *vol, struct bsr_fx_disk io, void *owner, bsr_op_fn done)
{
	BSR_ASSERT(io.op == BSR_OP_FLUSH || io.offset + io.length <= vol->layout.data_bytes);
	struct bsr_disk_op *op = bsr_op_get(e, done, vol, owner, 0);
	struct bsr_effect *fx = bsr_fx_add(e, BSR_FX_DISK);
	fx->u.disk = io;
	fx->u.disk.op_id = (uint32_t)(op - e->op);
	fx->u.disk.volume = (uint16_t)vol->index;
	vol->lower_pending++;
}

uint8_t *bsr_send_room(struct bsr_engine *e, uint32_t *room)
{
	BSR_ASSERT(e->fx->arena_used + BSR_WIRE_HEADER_BYTES + BSR_WIRE_BODY_BYTES_MAX <= BSR_SEND_ARENA_BYTES);
	*room = BSR_WIRE_HEADER_BYTES + BSR_WIRE_BODY_BYTES_MAX;
	return e->fx->arena + e->fx->arena_used;
}

void bsr_send_commit(struct bsr_engine *e, struct bsr_peer *peer, enum bsr_stream stream, uint32_t head_bytes,
	bsr_buf_t buf, uint32_t buf_offset, uint32_t payload_bytes)
{
	BSR_ASSERT(peer->link_up);
	BSR_ASSERT(head_bytes >= BSR_WIRE_HEADER_BYTES);
	struct bsr_effect *fx = bsr_fx_add(e, BSR_FX_SEND);
	fx->u.send = (struct bsr_fx_send){.peer = peer->node_id,
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

static uint64_t rotate_left(uint64_t x, unsigned bits)
{
	return (x << bits) | (x >> (64 - bits));
}

/* xoshiro256**: small, well tested, and deterministic from the host's seed. */
uint64_t bsr_random(struct bsr_engine *e)
{
	uint64_t *s = e->rng;
	const uint64_t result = rotate_left(s[1] * 5, 7) * 9;
	const uint64_t t = s[1] << 17;
	s[2] ^= s[0];
	s[3] ^= s[1];
	s[1] ^= s[2];
	s[0] ^= s[3];
	s[2] ^= t;
	s[3] = rotate_left(s[3], 45);
	return result;
}

void bsr_timer(struct bsr_engine *e, uint64_t due_ns)
{
	if (due_ns < e->deadline_ns) {
		e->deadline_ns = due_ns;
	}
}
