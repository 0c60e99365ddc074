// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * net.c - links between nodes: who is connected to whom, how links come and break
 *
 * What travels on a link is in pipe.c. TCP's promises hold for each stream: a prefix arrives, in order. A break is
 * noticed by each end at its own time, or not at all while packets vanish (then only the engine's pings help).
 */
#include <bsr/assert.h>

#include "pipe.h"

static uint64_t rtt(struct sim *w)
{
	return sim_rng_range(&w->rng[SIM_RNG_NET], w->cfg.latency_low_ns, w->cfg.latency_high_ns) * 2u;
}

static bool cut_between(const struct sim *w, uint32_t a, uint32_t b)
{
	return w->blocked[a][b] || w->blocked[b][a];
}

struct sim_link *sim_net_link(struct sim *w, uint32_t a, uint32_t b)
{
	for (struct sim_link *l = w->links; l != NULL; l = l->next) {
		if ((l->node[0] == a && l->node[1] == b) || (l->node[0] == b && l->node[1] == a)) {
			if (l->state[0] != SIM_SIDE_GONE && l->state[1] != SIM_SIDE_GONE) {
				return l;
			}
		}
	}
	return NULL;
}

static void try_connect(struct sim *w, uint32_t a, uint32_t b)
{
	const struct sim_dial *da = &w->node[a].dial[b];
	const struct sim_dial *db = &w->node[b].dial[a];
	if (!da->wanted || !db->wanted || cut_between(w, a, b)) {
		return;
	}
	uint64_t at = da->not_before_ns > db->not_before_ns ? da->not_before_ns : db->not_before_ns;
	at = at > w->now_ns ? at : w->now_ns;
	sim_schedule(w, at + 2u * rtt(w), SIM_EV_CONNECT, SIM_NONE, a << 8 | b, NULL);
}

void sim_net_dial(struct sim *w, uint32_t node, const struct bsr_fx_link *fx)
{
	if (fx->peer >= w->cfg.node_count || fx->peer == node) {
		sim_fail(w, "RANGE", "node %u dials peer %u", node, fx->peer);
	}
	struct sim_dial *d = &w->node[node].dial[fx->peer];
	if (d->wanted) {
		sim_fail(w, "LINK", "node %u dials peer %u while it is dialing already", node, fx->peer);
	}
	*d = (struct sim_dial){.wanted = true, .link = fx->link, .not_before_ns = fx->not_before_ns};
	try_connect(w, node, fx->peer);
}

static void unlink_link(struct sim *w, struct sim_link *gone)
{
	for (struct sim_link **l = &w->links; *l != NULL; l = &(*l)->next) {
		if (*l == gone) {
			*l = gone->next;
			return;
		}
	}
}

static void side_gone(struct sim *w, struct sim_link *l, uint32_t side)
{
	l->state[side] = SIM_SIDE_GONE;
	for (uint32_t s = 0; s < BSR_STREAM_COUNT; s++) {
		sim_pipe_drop_wire(w, &l->pipe[1 - side][s]);
		sim_pipe_drop_queue(w, &l->pipe[side][s]);
	}
	if (l->state[1 - side] == SIM_SIDE_GONE) {
		for (uint32_t s = 0; s < BSR_STREAM_COUNT; s++) {
			sim_pipe_drop_wire(w, &l->pipe[side][s]);
		}
		unlink_link(w, l);
	}
}

static void arm_down(struct sim *w, struct sim_link *l, uint32_t side, enum bsr_link_reason reason, uint64_t delay_ns)
{
	if (l->state[side] == SIM_SIDE_GONE || l->down_armed[side]) {
		return;
	}
	l->down_armed[side] = true;
	sim_schedule(w, w->now_ns + delay_ns, SIM_EV_LINK_DOWN, side | 0x100u, (uint32_t)reason, l);
}

static void init_link(struct sim *w, struct sim_link *l, uint32_t a, uint32_t b)
{
	const uint32_t resolver = (uint32_t)sim_rng_below(&w->rng[SIM_RNG_NET], 2);
	l->node[0] = a;
	l->node[1] = b;
	for (uint32_t side = 0; side < 2; side++) {
		struct sim_node *n = &w->node[l->node[side]];
		l->incarnation[side] = n->incarnation;
		l->engine_link[side] = n->dial[l->node[1 - side]].link;
		l->resolver[side] = side == resolver;
		for (uint8_t s = 0; s < BSR_STREAM_COUNT; s++) {
			l->pipe[side][s].link = l;
			l->pipe[side][s].from = (uint8_t)side;
			l->pipe[side][s].stream = s;
		}
	}
}

void sim_net_on_connect(struct sim *w, uint32_t a, uint32_t b)
{
	struct sim_dial *da = &w->node[a].dial[b];
	struct sim_dial *db = &w->node[b].dial[a];
	if (!da->wanted || !db->wanted || cut_between(w, a, b)) {
		return;
	}
	if (da->not_before_ns > w->now_ns || db->not_before_ns > w->now_ns) {
		return; /* asked anew since; that attempt has its own event */
	}
	if (sim_node_frozen(w, a) || sim_node_frozen(w, b)) {
		const uint64_t fa = w->node[a].frozen_until_ns;
		const uint64_t fb = w->node[b].frozen_until_ns;
		sim_schedule(w, fa > fb ? fa : fb, SIM_EV_CONNECT, SIM_NONE, a << 8 | b, NULL);
		return;
	}
	struct sim_link *l = sim_alloc(w, sizeof(*l));
	init_link(w, l, a, b);
	l->next = w->links;
	w->links = l;
	w->links_made++;
	/* now and then the second end never hears that the link stands */
	const bool half = (w->cfg.acts >> SIM_ACT_LINK_RESET & 1u) != 0 && w->phase == SIM_PHASE_FAULTS &&
			  sim_rng_chance(&w->rng[SIM_RNG_NET], 30);
	const uint32_t missing = (uint32_t)sim_rng_below(&w->rng[SIM_RNG_NET], 2);
	for (uint32_t side = 0; side < 2; side++) {
		if (half && side == missing) {
			l->state[side] = SIM_SIDE_GONE;
			continue;
		}
		w->node[l->node[side]].dial[l->node[1 - side]].wanted = false;
		sim_schedule(w, w->now_ns + rtt(w), SIM_EV_LINK_UP, side | 0x100u, 0, l);
	}
	if (half) {
		arm_down(w, l, 1 - missing, BSR_LINK_CLOSED, 4u * rtt(w));
		/* the end that missed it goes on dialing */
	}
}

void sim_net_on_up(struct sim *w, struct sim_link *l, uint32_t side)
{
	if (l->state[side] != SIM_SIDE_COMING) {
		return;
	}
	if (sim_node_frozen(w, l->node[side])) {
		sim_schedule(w, w->node[l->node[side]].frozen_until_ns, SIM_EV_LINK_UP, side | 0x100u, 0, l);
		return;
	}
	l->state[side] = SIM_SIDE_UP;
	w->node[l->node[side]].links_up++;
	SIM_TRACE(w, "n%u link-up peer=%u link=%u%s", l->node[side], l->node[1 - side], l->engine_link[side],
		l->resolver[side] ? " resolver" : "");
	for (uint32_t s = 0; s < BSR_STREAM_COUNT; s++) {
		sim_pipe_arm(w, &l->pipe[1 - side][s], w->now_ns + 1000u);
	}
	struct bsr_event ev = {.type = BSR_EV_LINK_UP};
	ev.u.link_up = (struct bsr_ev_link_up){.peer = l->node[1 - side],
		.link = l->engine_link[side],
		.version = BSR_WIRE_VERSION_MAX,
		.features = w->node[l->node[0]].features & w->node[l->node[1]].features,
		.resolver = l->resolver[side]};
	sim_node_event(w, l->node[side], &ev);
}

static bool still_draining(struct sim *w, const struct sim_link *l, uint32_t side)
{
	if (l->state[1 - side] != SIM_SIDE_DRAINING) {
		return false;
	}
	for (uint32_t s = 0; s < BSR_STREAM_COUNT; s++) {
		const struct sim_pipe *p = &l->pipe[1 - side][s];
		if (p->queue_first != NULL || p->wire_first != NULL) {
			return l->drain_until_ns > w->now_ns;
		}
	}
	return false;
}

void sim_net_on_down(struct sim *w, struct sim_link *l, uint32_t side, enum bsr_link_reason reason)
{
	if (l->state[side] == SIM_SIDE_GONE || !l->down_armed[side]) {
		return;
	}
	const uint32_t node = l->node[side];
	if (reason == BSR_LINK_CLOSED && (w->blocked[l->node[1 - side]][node])) {
		l->down_armed[side] = false; /* the news cannot get here; sim_net_set_blocked() looks again */
		return;
	}
	if (sim_node_frozen(w, node) || still_draining(w, l, side)) {
		const uint64_t later = sim_node_frozen(w, node) ? w->node[node].frozen_until_ns : w->now_ns + SIM_MS;
		sim_schedule(w, later, SIM_EV_LINK_DOWN, side | 0x100u, (uint32_t)reason, l);
		return;
	}
	const bool told = l->state[side] == SIM_SIDE_UP;
	const bool coming = l->state[side] == SIM_SIDE_COMING;
	side_gone(w, l, side);
	arm_down(w, l, 1 - side, BSR_LINK_CLOSED, rtt(w));
	sim_cov_hit(w, SIM_COV_LINK_REASON, reason);
	if (coming) {
		/* it never stood here: the host goes on dialing by itself */
		struct sim_dial *d = &w->node[node].dial[l->node[1 - side]];
		if (!d->wanted) {
			*d = (struct sim_dial){
				.wanted = true, .link = l->engine_link[side], .not_before_ns = w->now_ns + 100u * SIM_MS};
			try_connect(w, node, l->node[1 - side]);
		}
		return;
	}
	if (!told) {
		return;
	}
	SIM_TRACE(w, "n%u link-down peer=%u link=%u reason=%u", node, l->node[1 - side], l->engine_link[side], reason);
	struct bsr_event ev = {.type = BSR_EV_LINK_DOWN};
	ev.u.link_down = (struct bsr_ev_link_down){
		.peer = l->node[1 - side], .link = l->engine_link[side], .reason = reason};
	sim_node_event(w, node, &ev);
}

void sim_net_close(struct sim *w, uint32_t node, const struct bsr_fx_link *fx)
{
	if (fx->peer >= w->cfg.node_count) {
		sim_fail(w, "RANGE", "node %u closes a link to peer %u", node, fx->peer);
	}
	struct sim_dial *d = &w->node[node].dial[fx->peer];
	if (d->wanted && d->link == fx->link) {
		d->wanted = false;
	}
	for (struct sim_link *l = w->links, *next; l != NULL; l = next) {
		next = l->next;
		for (uint32_t side = 0; side < 2; side++) {
			if (l->node[side] != node || l->node[1 - side] != fx->peer || l->engine_link[side] != fx->link ||
				l->state[side] == SIM_SIDE_GONE || l->state[side] == SIM_SIDE_DRAINING) {
				continue;
			}
			if (fx->drain && l->state[side] == SIM_SIDE_UP) {
				l->state[side] = SIM_SIDE_DRAINING;
				l->drain_until_ns = w->now_ns + SIM_S;
			} else {
				side_gone(w, l, side);
			}
			arm_down(w, l, 1 - side, BSR_LINK_CLOSED, rtt(w));
			break;
		}
	}
}

void sim_net_bad_message(struct sim *w, struct sim_link *l, uint32_t side)
{
	l->reset = true; /* what was sent after it is lost */
	for (uint32_t s = 0; s < BSR_STREAM_COUNT; s++) {
		sim_pipe_drop_wire(w, &l->pipe[1 - side][s]);
		sim_pipe_drop_queue(w, &l->pipe[1 - side][s]);
	}
	arm_down(w, l, side, BSR_LINK_BAD_MESSAGE, 0);
}

void sim_net_reset(struct sim *w, uint32_t a, uint32_t b)
{
	struct sim_link *l = sim_net_link(w, a, b);
	if (l == NULL) {
		return;
	}
	l->reset = true;
	for (uint32_t side = 0; side < 2; side++) {
		for (uint32_t s = 0; s < BSR_STREAM_COUNT; s++) {
			sim_pipe_drop_queue(w, &l->pipe[side][s]);
		}
		arm_down(w, l, side, BSR_LINK_CLOSED, sim_rng_below(&w->rng[SIM_RNG_NET], 2u * w->cfg.latency_high_ns + 1));
	}
}

static void look_again(struct sim *w, struct sim_link *l)
{
	for (uint32_t side = 0; side < 2; side++) {
		for (uint32_t s = 0; s < BSR_STREAM_COUNT; s++) {
			sim_pipe_arm(w, &l->pipe[side][s], w->now_ns);
			sim_pipe_pump(w, &l->pipe[side][s]);
		}
		const bool other_gone = l->state[1 - side] == SIM_SIDE_GONE || l->state[1 - side] == SIM_SIDE_DRAINING;
		if (other_gone || l->reset) {
			arm_down(w, l, side, BSR_LINK_CLOSED, rtt(w));
		}
	}
}

void sim_net_set_blocked(struct sim *w, uint32_t a, uint32_t b, bool blocked)
{
	if (w->blocked[a][b] == blocked) {
		return;
	}
	w->blocked[a][b] = blocked;
	if (blocked) {
		return;
	}
	for (struct sim_link *l = w->links; l != NULL; l = l->next) {
		if ((l->node[0] == a && l->node[1] == b) || (l->node[0] == b && l->node[1] == a)) {
			look_again(w, l);
		}
	}
	try_connect(w, a, b);
}

void sim_net_freeze_stream(struct sim *w, uint32_t a, uint32_t b, uint32_t stream)
{
	struct sim_link *l = sim_net_link(w, a, b);
	if (l != NULL) {
		l->pipe[l->node[0] == a ? 0 : 1][stream].frozen = true;
	}
}

void sim_net_thaw_streams(struct sim *w, uint32_t a, uint32_t b)
{
	struct sim_link *l = sim_net_link(w, a, b);
	if (l == NULL) {
		return;
	}
	for (uint32_t side = 0; side < 2; side++) {
		for (uint32_t s = 0; s < BSR_STREAM_COUNT; s++) {
			l->pipe[side][s].frozen = false;
		}
	}
	look_again(w, l);
}

void sim_net_node_gone(struct sim *w, uint32_t node, bool power_cut)
{
	for (uint32_t p = 0; p < SIM_NODES_MAX; p++) {
		w->node[node].dial[p].wanted = false;
	}
	for (struct sim_link *l = w->links, *next; l != NULL; l = next) {
		next = l->next;
		for (uint32_t side = 0; side < 2; side++) {
			if (l->node[side] != node || l->state[side] == SIM_SIDE_GONE) {
				continue;
			}
			side_gone(w, l, side);
			if (!power_cut) {
				arm_down(w, l, 1 - side, BSR_LINK_CLOSED,
					sim_rng_below(&w->rng[SIM_RNG_NET], 2u * w->cfg.latency_high_ns + 1));
			}
			break;
		}
	}
}

void sim_net_node_booted(struct sim *w, uint32_t node)
{
	/* a host that has rebooted answers packets of old connections with a reset */
	for (struct sim_link *l = w->links; l != NULL; l = l->next) {
		for (uint32_t side = 0; side < 2; side++) {
			if (l->node[side] == node && l->state[side] == SIM_SIDE_GONE) {
				arm_down(w, l, 1 - side, BSR_LINK_CLOSED, rtt(w) + SIM_MS);
			}
		}
	}
}
