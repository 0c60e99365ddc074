// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * effects.c - how modules ask the host to do something
 *
 * Owns:       the effects of the step under way, the random generator, the earliest deadline.
 * May touch:  nothing else.
 */
#include "core.h"

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

void bsr_emit_md(struct bsr_engine *e, struct bsr_volume *vol, struct bsr_fx_md md, bsr_op_fn done, uint32_t arg)
{
	BSR_ASSERT(md.length != 0 && md.length % BSR_MD_BLOCK_BYTES == 0);
	BSR_ASSERT(md.offset % BSR_MD_BLOCK_BYTES == 0);
	struct bsr_disk_op *op = bsr_op_get(e, done, vol, NULL, arg);
	struct bsr_effect *fx = bsr_fx_add(e, BSR_FX_MD);
	fx->u.md = md;
	fx->u.md.op_id = (uint32_t)(op - e->op);
	fx->u.md.volume = (uint16_t)vol->index;
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
