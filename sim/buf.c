// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * buf.c - payload buffers of a node, with the reference rules of engine.h checked
 */
#include <string.h>

#include "sim.h"

static void grow(struct sim *w, struct sim_bufs *b)
{
	const uint32_t room = b->room == 0 ? 64 : b->room * 2;
	struct sim_buf *buf = sim_alloc(w, room * sizeof(*buf));
	if (b->buf != NULL) {
		memcpy(buf, b->buf, b->count * sizeof(*buf));
		sim_free(w, b->buf, b->room * sizeof(*buf));
	}
	b->buf = buf;
	b->room = room;
}

bsr_buf_t sim_buf_new(struct sim *w, uint32_t node, uint32_t count, const uint32_t *stamps)
{
	struct sim_bufs *b = &w->node[node].bufs;
	uint32_t id = b->first_free;
	if (id != SIM_NONE && b->count > 0) {
		b->first_free = b->buf[id].next_free;
	} else {
		if (b->count == b->room) {
			grow(w, b);
		}
		id = b->count++;
		b->first_free = SIM_NONE;
	}
	struct sim_buf *buf = &b->buf[id];
	memset(buf, 0, sizeof(*buf));
	buf->refs = 1;
	buf->count = count;
	buf->born_ns = w->now_ns;
	buf->stamps = sim_alloc(w, count * sizeof(uint32_t));
	if (stamps != NULL) {
		memcpy(buf->stamps, stamps, count * sizeof(uint32_t));
	}
	b->in_use++;
	return id;
}

struct sim_buf *sim_buf_get(struct sim *w, uint32_t node, bsr_buf_t id)
{
	struct sim_bufs *b = &w->node[node].bufs;
	if (id >= b->count || b->buf[id].refs == 0) {
		sim_fail(w, "BUF", "node %u: buffer %u is not in use", node, id);
	}
	return &b->buf[id];
}

struct sim_buf *sim_buf_use(struct sim *w, uint32_t node, bsr_buf_t id, uint32_t offset, uint32_t bytes)
{
	struct sim_buf *buf = sim_buf_get(w, node, id);
	if (!buf->engine_owned && !buf->request_owned) {
		sim_fail(w, "BUF", "node %u: effect names buffer %u after the engine gave it back", node, id);
	}
	if (offset % 512 != 0 || bytes % 512 != 0 || ((uint64_t)offset + bytes) / 512 > buf->count) {
		sim_fail(w, "BUF", "node %u: range %u+%u is outside of buffer %u (%u sectors)", node, offset, bytes, id,
			buf->count);
	}
	return buf;
}

void sim_buf_ref(struct sim *w, uint32_t node, bsr_buf_t id)
{
	sim_buf_get(w, node, id)->refs++;
}

void sim_buf_unref(struct sim *w, uint32_t node, bsr_buf_t id)
{
	struct sim_bufs *b = &w->node[node].bufs;
	struct sim_buf *buf = sim_buf_get(w, node, id);
	if (--buf->refs == 0) {
		sim_free(w, buf->stamps, buf->count * sizeof(uint32_t));
		buf->stamps = NULL;
		buf->next_free = b->first_free;
		b->first_free = id;
		b->in_use--;
	}
}

void sim_buf_engine_put(struct sim *w, uint32_t node, bsr_buf_t id)
{
	struct sim_buf *buf = sim_buf_get(w, node, id);
	if (!buf->engine_owned) {
		sim_fail(w, "BUF", "node %u: puts buffer %u, which is not the engine's", node, id);
	}
	buf->engine_owned = false;
	sim_buf_unref(w, node, id);
}

void sim_buf_drop_all(struct sim *w, uint32_t node)
{
	struct sim_bufs *b = &w->node[node].bufs;
	for (uint32_t i = 0; i < b->count; i++) {
		if (b->buf[i].refs != 0) {
			sim_free(w, b->buf[i].stamps, b->buf[i].count * sizeof(uint32_t));
		}
	}
	if (b->buf != NULL) {
		sim_free(w, b->buf, b->room * sizeof(*b->buf));
	}
	memset(b, 0, sizeof(*b));
	b->first_free = SIM_NONE;
}
