// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * pipe.c - one direction of one stream: transmit queue, socket buffer, latency, bandwidth, corruption
 *
 * Heads are the engine's own bytes, sealed and verified with the codec that real hosts use. Payload travels as the
 * stamps of its sectors; the checksum covers these.
 */
#include <string.h>

#include <bsr/assert.h>
#include <bsr/crc32c.h>

#include "pipe.h"

static void free_msg(struct sim *w, struct sim_msg *m)
{
	sim_free(w, m->head, m->head_bytes);
	if (m->stamps != NULL) {
		sim_free(w, m->stamps, m->payload_bytes / 512u * sizeof(uint32_t));
	}
	sim_free(w, m, sizeof(*m));
}

void sim_pipe_drop_queue(struct sim *w, struct sim_pipe *p)
{
	while (p->queue_first != NULL) {
		struct sim_msg *m = p->queue_first;
		p->queue_first = m->next;
		free_msg(w, m);
	}
	p->queue_last = NULL;
	p->queued_bytes = 0;
}

void sim_pipe_drop_wire(struct sim *w, struct sim_pipe *p)
{
	while (p->wire_first != NULL) {
		struct sim_msg *m = p->wire_first;
		p->wire_first = m->next;
		free_msg(w, m);
	}
	p->wire_last = NULL;
	p->wire_bytes = 0;
}

static bool stopped(const struct sim *w, const struct sim_pipe *p)
{
	const struct sim_link *l = p->link;
	return p->frozen || w->blocked[l->node[p->from]][l->node[1 - p->from]];
}

void sim_pipe_arm(struct sim *w, struct sim_pipe *p, uint64_t at_ns)
{
	if (p->armed || p->wire_first == NULL || p->paused) {
		return;
	}
	p->armed = true;
	const uint64_t arrives = p->wire_first->arrives_ns;
	sim_schedule(w, arrives > at_ns ? arrives : at_ns, SIM_EV_PIPE, SIM_NONE, 0, p);
}

static uint64_t msg_bytes(const struct sim_msg *m)
{
	return (uint64_t)m->head_bytes + m->payload_bytes;
}

void sim_pipe_pump(struct sim *w, struct sim_pipe *p)
{
	struct sim_rng *r = &w->rng[SIM_RNG_NET];
	while (p->queue_first != NULL && p->wire_bytes < w->cfg.socket_bytes) {
		struct sim_msg *m = p->queue_first;
		p->queue_first = m->next;
		if (m->next == NULL) {
			p->queue_last = NULL;
		}
		m->next = NULL;
		p->queued_bytes -= msg_bytes(m);
		p->wire_bytes += msg_bytes(m);
		p->sent_bytes += msg_bytes(m);
		p->busy_until_ns = p->busy_until_ns > w->now_ns ? p->busy_until_ns : w->now_ns;
		p->busy_until_ns += msg_bytes(m) * w->cfg.ns_per_kib * w->slow_factor / 1024u;
		uint64_t latency = sim_rng_range(r, w->cfg.latency_low_ns, w->cfg.latency_high_ns);
		latency *= w->cfg.net_tail && latency % 100u == 0 ? 20u : 1u;
		m->arrives_ns = p->busy_until_ns + latency * w->slow_factor;
		if (m->arrives_ns <= p->last_arrival_ns) {
			m->arrives_ns = p->last_arrival_ns + 1;
		}
		p->last_arrival_ns = m->arrives_ns;
		if (p->wire_last != NULL) {
			p->wire_last->next = m;
		} else {
			p->wire_first = m;
		}
		p->wire_last = m;
	}
	if (p->sent_bytes != 0 && !p->sent_armed) {
		p->sent_armed = true;
		sim_schedule(w, w->now_ns + sim_rng_range(r, 1000, 20000), SIM_EV_SENT, SIM_NONE, 0, p);
	}
	sim_pipe_arm(w, p, w->now_ns);
}

void sim_net_on_sent(struct sim *w, struct sim_pipe *p)
{
	struct sim_link *l = p->link;
	p->sent_armed = false;
	if (l->state[p->from] != SIM_SIDE_UP || p->sent_bytes == 0) {
		return;
	}
	if (sim_node_frozen(w, l->node[p->from])) {
		p->sent_armed = true;
		sim_schedule(w, w->node[l->node[p->from]].frozen_until_ns, SIM_EV_SENT, SIM_NONE, 0, p);
		return;
	}
	struct bsr_event ev = {.type = BSR_EV_SENT};
	ev.u.sent = (struct bsr_ev_sent){.peer = l->node[1 - p->from],
		.link = l->engine_link[p->from],
		.stream = p->stream,
		.bytes = p->sent_bytes};
	p->sent_bytes = 0;
	sim_node_event(w, l->node[p->from], &ev);
}

static uint32_t content_crc(const struct sim *w, const struct sim_msg *m)
{
	if (!w->damages) {
		return 0;
	}
	uint32_t crc = bsr_crc32c(~0u, m->head + BSR_WIRE_HEADER_BYTES, m->head_bytes - BSR_WIRE_HEADER_BYTES);
	if (m->stamps != NULL) {
		crc = bsr_crc32c(crc, m->stamps, m->payload_bytes / 512u * sizeof(uint32_t));
	}
	return ~crc;
}

static struct sim_pipe *pipe_of(struct sim *w, uint32_t node, const struct bsr_fx_send *fx)
{
	for (struct sim_link *l = w->links; l != NULL; l = l->next) {
		for (uint32_t side = 0; side < 2; side++) {
			if (l->node[side] == node && l->node[1 - side] == fx->peer && l->engine_link[side] == fx->link &&
				l->state[side] == SIM_SIDE_UP) {
				return &l->pipe[side][fx->stream];
			}
		}
	}
	return NULL;
}

void sim_net_send(struct sim *w, uint32_t node, const struct bsr_fx_send *fx, const uint8_t *head)
{
	if (fx->peer >= w->cfg.node_count || fx->stream >= BSR_STREAM_COUNT || fx->head_bytes < BSR_WIRE_HEADER_BYTES) {
		sim_fail(w, "RANGE", "node %u sends to peer %u on stream %u, head of %u bytes", node, fx->peer, fx->stream,
			fx->head_bytes);
	}
	struct sim_pipe *p = pipe_of(w, node, fx);
	struct sim_buf *buf = NULL;
	if (fx->buf != BSR_BUF_NONE) {
		buf = sim_buf_use(w, node, fx->buf, fx->buf_offset, fx->payload_bytes);
	} else if (fx->payload_bytes != 0) {
		sim_fail(w, "BUF", "node %u sends %u bytes of payload without a buffer", node, fx->payload_bytes);
	}
	if (p == NULL || p->link->reset) {
		return; /* the link broke and the engine does not know it yet */
	}
	struct sim_msg *m = sim_alloc(w, sizeof(*m));
	m->head = sim_alloc(w, fx->head_bytes);
	memcpy(m->head, head, fx->head_bytes);
	m->head_bytes = fx->head_bytes;
	m->payload_bytes = fx->payload_bytes;
	if (buf != NULL) {
		const size_t bytes = fx->payload_bytes / 512u * sizeof(uint32_t);
		m->stamps = sim_alloc(w, bytes);
		memcpy(m->stamps, buf->stamps + fx->buf_offset / 512u, bytes);
	}
	bsr_wire_seal(m->head, ++p->send_sequence, content_crc(w, m));
	if (p->queue_last != NULL) {
		p->queue_last->next = m;
	} else {
		p->queue_first = m;
	}
	p->queue_last = m;
	p->queued_bytes += msg_bytes(m);
	sim_pipe_pump(w, p);
}

static void flip_bit(struct sim *w, struct sim_msg *m)
{
	struct sim_rng *r = &w->rng[SIM_RNG_NET];
	const uint64_t payload = m->payload_bytes / 512u * sizeof(uint32_t);
	const uint64_t at = sim_rng_below(r, m->head_bytes + payload);
	const uint8_t bit = (uint8_t)(1u << sim_rng_below(r, 8));
	if (at < m->head_bytes) {
		m->head[at] ^= bit;
	} else {
		((uint8_t *)m->stamps)[at - m->head_bytes] ^= bit;
	}
	m->corrupt = true;
}

/* Chosen types are damaged once, at their next message: so that the rare ones have their turn, too. */
static bool is_damaged(struct sim *w, const struct sim_msg *m)
{
	struct bsr_wire_header h;
	if (w->corrupt_next != 0 && bsr_wire_header_decode(&h, m->head) == 0 && h.type < 128 &&
		(w->corrupt_next >> (h.type % 64u) & 1u) != 0) {
		w->corrupt_next &= ~(1ull << (h.type % 64u));
		return true;
	}
	return w->corrupt_pm != 0 && sim_rng_chance(&w->rng[SIM_RNG_NET], w->corrupt_pm);
}

static void note_damage(struct sim *w, const struct sim_msg *m)
{
	struct bsr_wire_header h;
	if (bsr_wire_header_decode(&h, m->head) == 0) {
		sim_cov_hit(w, SIM_COV_DAMAGED, h.type);
	}
}

/* What a host's framing code does with the bytes that arrived. */
static bool frame_ok(struct sim *w, struct sim_pipe *p, struct sim_msg *m, struct bsr_wire_header *h)
{
	const bool ok = bsr_wire_header_decode(h, m->head) == 0 && h->sequence == p->receive_sequence + 1 &&
			h->body_bytes == m->head_bytes - BSR_WIRE_HEADER_BYTES && h->payload_bytes == m->payload_bytes &&
			h->content_crc == content_crc(w, m);
	if (ok && m->corrupt) {
		sim_fail(w, "CRC", "a damaged message of type %u was not noticed", h->type);
	}
	if (!ok && !m->corrupt) {
		sim_fail(w, "FRAME", "node %u: message %llu of type %u on stream %u does not decode",
			p->link->node[1 - p->from], (unsigned long long)p->receive_sequence + 1, h->type, p->stream);
	}
	return ok;
}

static void deliver(struct sim *w, struct sim_pipe *p, struct sim_msg *m)
{
	struct sim_link *l = p->link;
	const uint32_t node = l->node[1 - p->from];
	struct bsr_wire_header h = {0};
	if (is_damaged(w, m)) {
		note_damage(w, m);
		flip_bit(w, m);
	}
	if (!frame_ok(w, p, m, &h)) {
		sim_net_bad_message(w, l, 1u - p->from);
		return;
	}
	p->receive_sequence++;
	sim_cov_hit(w, SIM_COV_MESSAGE, h.type);
	if (h.type == BSR_MSG_RESYNC_DATA && w->phase != SIM_PHASE_SETUP) {
		w->resync_bytes += h.payload_bytes;
	}
	struct bsr_event ev = {.type = BSR_EV_MESSAGE};
	ev.u.message = (struct bsr_ev_message){.peer = l->node[p->from],
		.link = l->engine_link[1 - p->from],
		.stream = p->stream,
		.msg_type = h.type,
		.body = m->head + BSR_WIRE_HEADER_BYTES,
		.body_bytes = h.body_bytes,
		.payload_bytes = h.payload_bytes,
		.payload = BSR_BUF_NONE};
	if (m->payload_bytes != 0) {
		ev.u.message.payload = sim_buf_new(w, node, m->payload_bytes / 512u, m->stamps);
		sim_buf_get(w, node, ev.u.message.payload)->engine_owned = true;
	}
	if (w->over.print_all || (h.type != BSR_MSG_PING && h.type != BSR_MSG_PONG)) {
		SIM_TRACE(w, "n%u <- n%u %s%s", node, l->node[p->from], bsr_msg_word(h.type),
			sim_msg_detail(h.type, m->head));
	}
	sim_node_event(w, node, &ev);
}

void sim_net_on_pipe(struct sim *w, struct sim_pipe *p)
{
	struct sim_link *l = p->link;
	const uint32_t to = 1u - p->from;
	p->armed = false;
	struct sim_msg *m = p->wire_first;
	if (m == NULL || l->state[to] == SIM_SIDE_COMING || stopped(w, p)) {
		return; /* armed again when that changes */
	}
	if (l->state[to] != SIM_SIDE_UP) {
		sim_pipe_drop_wire(w, p);
		sim_pipe_pump(w, p);
		return;
	}
	if (m->arrives_ns > w->now_ns) {
		sim_pipe_arm(w, p, m->arrives_ns);
		return;
	}
	if (sim_node_frozen(w, l->node[to])) {
		sim_pipe_arm(w, p, w->node[l->node[to]].frozen_until_ns);
		return;
	}
	if (p->may_receive == 0) {
		p->may_receive = bsr_engine_may_receive(w->node[l->node[to]].engine, l->node[p->from], (enum bsr_stream)p->stream);
	}
	if (p->may_receive == 0) {
		p->paused = true;
		return;
	}
	p->may_receive--; /* others come between, which is harder than what the engine promises */
	p->wire_first = m->next;
	if (m->next == NULL) {
		p->wire_last = NULL;
	}
	p->wire_bytes -= msg_bytes(m);
	deliver(w, p, m);
	free_msg(w, m);
	sim_pipe_pump(w, p);
	sim_pipe_arm(w, p, w->now_ns + 100u);
}

void sim_net_poll(struct sim *w, uint32_t node)
{
	for (struct sim_link *l = w->links; l != NULL; l = l->next) {
		for (uint32_t side = 0; side < 2; side++) {
			if (l->node[1 - side] != node) {
				continue;
			}
			for (uint32_t s = 0; s < BSR_STREAM_COUNT; s++) {
				struct sim_pipe *p = &l->pipe[side][s];
				if (p->paused && (l->state[1 - side] != SIM_SIDE_UP ||
							 bsr_engine_may_receive(w->node[node].engine, l->node[side], s))) {
					p->paused = false;
					sim_pipe_arm(w, p, w->now_ns);
				}
			}
		}
	}
}

bool sim_net_idle(const struct sim *w)
{
	for (const struct sim_link *l = w->links; l != NULL; l = l->next) {
		if (l->reset || l->state[0] != SIM_SIDE_UP || l->state[1] != SIM_SIDE_UP) {
			return false; /* an end that does not know it yet still counts what was lost as sent */
		}
		for (uint32_t side = 0; side < 2; side++) {
			for (uint32_t s = 0; s < BSR_STREAM_COUNT; s++) {
				if (l->pipe[side][s].wire_first != NULL || l->pipe[side][s].queue_first != NULL) {
					return false;
				}
			}
		}
	}
	return true;
}
