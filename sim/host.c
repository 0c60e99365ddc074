// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * host.c - nodes: an engine, its memory, its clock; effects carried out; crashes
 *
 * Effects of one step are independent: disks and networks take random times, and a crash in the middle of a step
 * carries out any subset of them (of messages on one stream: a prefix).
 */
#include <string.h>

#include <bsr/assert.h>

#include "sim.h"

/* ------------------------------------------------------------ engine memory */

struct env_ctx {
	struct sim *w;
	uint32_t node;
};
static struct env_ctx env_ctx[SIM_NODES_MAX];

static size_t piece_bytes(size_t bytes)
{
	return bytes < 2048 ? (bytes + 63) / 64 * 64 : bytes + (64u << 10) + 1;
}

static void *env_alloc(void *ctx, size_t bytes, size_t align)
{
	const struct env_ctx *c = ctx;
	BSR_ASSERT(align <= 64 || bytes >= 2048);
	struct sim_node *n = &c->w->node[c->node];
	struct sim_engine_mem *m = sim_alloc(c->w, sizeof(*m));
	m->bytes = bytes;
	m->mem = sim_alloc(c->w, piece_bytes(bytes));
	m->next = n->engine_mem;
	if (m->next != NULL) {
		m->next->previous = m;
	}
	n->engine_mem = m;
	return m->mem;
}

static void forget_piece(struct sim *w, struct sim_node *n, struct sim_engine_mem *m)
{
	if (m->previous != NULL) {
		m->previous->next = m->next;
	} else {
		n->engine_mem = m->next;
	}
	if (m->next != NULL) {
		m->next->previous = m->previous;
	}
	sim_free(w, m->mem, piece_bytes(m->bytes));
	sim_free(w, m, sizeof(*m));
}

static void env_free(void *ctx, void *mem, size_t bytes)
{
	const struct env_ctx *c = ctx;
	struct sim_node *n = &c->w->node[c->node];
	for (struct sim_engine_mem *m = n->engine_mem; m != NULL; m = m->next) {
		if (m->mem == mem) {
			if (m->bytes != bytes) {
				sim_fail(c->w, "MEM", "node %u frees %zu of %zu bytes", c->node, bytes, m->bytes);
			}
			forget_piece(c->w, n, m);
			return;
		}
	}
	sim_fail(c->w, "MEM", "node %u frees memory that it does not have", c->node);
}

/* ------------------------------------------------------------------- boot */

void sim_node_boot(struct sim *w, uint32_t node)
{
	struct sim_node *n = &w->node[node];
	n->boot_armed = false;
	if (n->state == SIM_NODE_UP) {
		return;
	}
	struct sim_rng *r = &w->rng[SIM_RNG_ENGINE];
	env_ctx[node] = (struct env_ctx){.w = w, .node = node};
	struct bsr_engine_config config = {.node_id = node, .env = {.ctx = &env_ctx[node], .alloc = env_alloc, .free = env_free}};
	for (uint32_t i = 0; i < sizeof(config.seed); i++) {
		config.seed[i] = (uint8_t)sim_rng_u64(r);
	}
	n->state = SIM_NODE_UP;
	n->incarnation++;
	n->clock_base_ns = sim_rng_below(r, 1000u * SIM_S);
	n->alive_since = ++w->oracle.sequence;
	n->timer_at_ns = UINT64_MAX;
	n->frozen_until_ns = 0;
	n->next_cmd = 1;
	n->bufs.first_free = SIM_NONE;
	n->handlers = 0;
	memset(&n->pub, 0, sizeof(n->pub));
	n->pub.role = BSR_ROLE_SECONDARY;
	n->engine = bsr_engine_create(&config);
	if (n->engine == NULL) {
		sim_fail(w, "MEM", "node %u: the engine could not be created", node);
	}
	SIM_TRACE(w, "n%u boot%s", node, n->was_primary ? " (its device is still open)" : "");
	sim_net_node_booted(w, node);
	sim_node_boot_script(w, node);
}

bool sim_node_frozen(const struct sim *w, uint32_t node)
{
	return w->node[node].frozen_until_ns > w->now_ns;
}

void sim_node_crash(struct sim *w, uint32_t node, bool power_cut)
{
	struct sim_node *n = &w->node[node];
	const bool process_was_up = n->state == SIM_NODE_UP;
	SIM_TRACE(w, "n%u %s", node, power_cut ? "POWER CUT" : "PROCESS CRASH");
	n->crash_armed = 0;
	for (uint32_t v = 0; process_was_up && v < w->cfg.volume_count; v++) {
		/* that a disk which is away misses something is known in memory only */
		w->cut_off[v] |= n->pub.disk[v] < BSR_DISK_INCONSISTENT ? 1u << node : 0;
	}
	if (process_was_up) {
		w->crashes++;
		n->state = SIM_NODE_DOWN;
		sim_net_node_gone(w, node, power_cut);
		for (uint32_t v = 0; v < w->cfg.volume_count; v++) {
			sim_disk_crash(w, node, v);
		}
		sim_node_commands_lost(w, node);
		sim_buf_drop_all(w, node);
		for (uint32_t i = 0; i < SIM_REQS_MAX; i++) {
			n->app.req[i].buf = BSR_BUF_NONE;
		}
		while (n->engine_mem != NULL) {
			forget_piece(w, n, n->engine_mem);
		}
		n->engine = NULL;
		n->incarnation++;
		n->frozen_until_ns = 0;
	}
	n->was_primary = n->app.running;
	if (!power_cut) {
		sim_oracle_bits(w, "after a process crash");
	} else {
		w->power_cuts++;
		n->given_up = 0; /* after a reboot everything is brought up by its configuration */
		const bool secondary = !n->app.running;
		sim_app_lost(w, node);
		n->was_primary = false;
		for (uint32_t v = 0; v < w->cfg.volume_count; v++) {
			sim_disk_power_cut(w, node, v);
		}
		if (secondary) {
			sim_oracle_epochs(w, node, true, "after a power cut");
		}
		sim_oracle_bits(w, "after a power cut");
	}
}

void sim_node_remove(struct sim *w, uint32_t node)
{
	struct sim_node *n = &w->node[node];
	if (n->state != SIM_NODE_UP) {
		return;
	}
	for (uint32_t v = 0; v < w->cfg.volume_count; v++) {
		sim_disk_crash(w, node, v);
	}
	bsr_engine_destroy(n->engine);
	if (n->engine_mem != NULL) {
		sim_fail(w, "MEM", "node %u: the engine keeps %zu bytes after its end", node, n->engine_mem->bytes);
	}
	n->state = SIM_NODE_DOWN;
	sim_net_node_gone(w, node, false);
	sim_node_commands_lost(w, node);
	sim_buf_drop_all(w, node);
	n->engine = NULL;
	n->given_up = 0;
	n->incarnation++;
	SIM_TRACE(w, "n%u removed", node);
}

/* ----------------------------------------------------------------- effects */

static void hash_effect(struct sim *w, const struct bsr_effect *fx)
{
	sim_hash(w, fx->type);
	switch (fx->type) {
	case BSR_FX_DISK:
		sim_hash(w, fx->u.disk.offset ^ (uint64_t)fx->u.disk.op << 60);
		sim_hash(w, fx->u.disk.length | (uint64_t)fx->u.disk.op_id << 32);
		break;
	case BSR_FX_MD:
		sim_hash(w, fx->u.md.offset ^ (uint64_t)fx->u.md.op_id << 32);
		break;
	case BSR_FX_SEND:
		sim_hash(w, fx->u.send.head_bytes | (uint64_t)fx->u.send.payload_bytes << 32);
		for (uint32_t i = 0; i + 8 <= fx->u.send.head_bytes && i < 64; i += 8) {
			uint64_t part;
			memcpy(&part, w->fx.arena + fx->u.send.head_offset + i, sizeof(part));
			sim_hash(w, part);
		}
		break;
	case BSR_FX_COMPLETE:
		sim_hash(w, fx->u.complete.tag ^ (uint64_t)(uint32_t)fx->u.complete.result << 32);
		break;
	case BSR_FX_STATE:
		sim_hash(w, fx->u.state.object | fx->u.state.peer << 8 | (uint64_t)fx->u.state.u.peer_device.repl << 32);
		break;
	case BSR_FX_LOG:
		sim_hash(w, fx->u.log.number);
		break;
	case BSR_FX_COMMAND_DONE:
		sim_hash(w, fx->u.command_done.cmd_id ^ (uint64_t)(uint32_t)fx->u.command_done.result << 32);
		break;
	case BSR_FX_BUF_PUT:
	case BSR_FX_LISTEN_DIAL:
	case BSR_FX_CLOSE:
	case BSR_FX_HANDLER:
	case BSR_FX_DISK_GONE:
		break;
	}
}

static void disk_gone(struct sim *w, uint32_t node, uint32_t volume)
{
	if (volume >= w->cfg.volume_count || w->node[node].disk[volume].op_count != 0) {
		sim_fail(w, "I14", "node %u volume %u: the disk is given up with operations under way", node, volume);
	}
	SIM_TRACE(w, "n%u disk v%u gone", node, volume);
	w->node[node].given_up |= 1u << volume;
}

/* A Primary's disk that leaves is not the one to begin with again, even if this process does not live to see it go. */
static void note_leaving(struct sim *w, uint32_t node, const struct bsr_fx_state *fx)
{
	const bool leaves = fx->object == BSR_OBJ_VOLUME && fx->volume < w->cfg.volume_count &&
			    (fx->u.volume.disk == BSR_DISK_FAILED || fx->u.volume.disk == BSR_DISK_DETACHING);
	if (leaves && w->node[node].pub.role == BSR_ROLE_PRIMARY) {
		w->node[node].given_up |= 1u << fx->volume;
	}
}

/* Answers and buffers given back come last: other effects of the step may name the same buffers. */
static void perform_late(struct sim *w, uint32_t node, const struct bsr_effect *fx)
{
	if (fx->type == BSR_FX_COMPLETE) {
		sim_app_complete(w, node, &fx->u.complete);
	} else if (fx->type == BSR_FX_BUF_PUT) {
		sim_buf_engine_put(w, node, fx->u.buf_put);
	}
}

/* Nobody has one, in most runs: the daemon answers at once. Drawn from what is known here: other choices stay as they are. */
static void call_handler(struct sim *w, uint32_t node, const struct bsr_fx_handler *h)
{
	uint64_t dice = w->cfg.seed ^ w->now_ns ^ (uint64_t)node << 56 ^ (uint64_t)h->handler_id << 40;
	const bool refuses = w->cfg.handlers_take_time && w->phase == SIM_PHASE_FAULTS && sim_rng_mix(&dice) % 40 == 0;
	const uint64_t takes_us = !w->cfg.handlers_take_time ? 100 : 1000u << sim_rng_mix(&dice) % 10;
	SIM_TRACE(w, "n%u handler %u of peer=%d volume=%d%s", node, (unsigned)h->handler, (int)h->peer, (int)h->volume,
		refuses ? " will refuse" : "");
	w->node[node].handlers++;
	sim_schedule(w, w->now_ns + takes_us * SIM_US, SIM_EV_HANDLER, node, h->handler_id, refuses ? w : NULL);
}

static void perform(struct sim *w, uint32_t node, const struct bsr_effect *fx)
{
	struct bsr_fx_link link = fx->u.link;
	switch (fx->type) {
	case BSR_FX_DISK:
		sim_oracle_al_check(w, node, &fx->u.disk);
		sim_disk_submit_data(w, node, &fx->u.disk);
		break;
	case BSR_FX_MD:
		sim_disk_submit_md(w, node, &fx->u.md);
		break;
	case BSR_FX_SEND:
		sim_net_send(w, node, &fx->u.send, w->fx.arena + fx->u.send.head_offset);
		break;
	case BSR_FX_COMPLETE:
	case BSR_FX_BUF_PUT:
		break; /* after the others: these may name buffers that are given back here */
	case BSR_FX_LISTEN_DIAL:
		link.not_before_ns -= link.not_before_ns < w->node[node].clock_base_ns ? link.not_before_ns
									    : w->node[node].clock_base_ns;
		SIM_TRACE(w, "n%u dial peer=%u link=%u", node, link.peer, link.link);
		sim_net_dial(w, node, &link);
		break;
	case BSR_FX_CLOSE:
		SIM_TRACE(w, "n%u close peer=%u link=%u reason=%u%s", node, link.peer, link.link, link.reason,
			link.drain ? " drain" : "");
		sim_cov_hit(w, SIM_COV_LINK_REASON, link.reason);
		sim_net_close(w, node, &link);
		break;
	case BSR_FX_HANDLER:
		call_handler(w, node, &fx->u.handler);
		break;
	case BSR_FX_STATE:
		sim_oracle_publish(w, node, &fx->u.state);
		note_leaving(w, node, &fx->u.state);
		break;
	case BSR_FX_LOG:
		sim_oracle_log(w, node, &fx->u.log);
		SIM_TRACE(w, "n%u log %u peer=%d volume=%d %llu %llu %llu", node, fx->u.log.number, (int)fx->u.log.peer,
			(int)fx->u.log.volume, (unsigned long long)fx->u.log.arg[0],
			(unsigned long long)fx->u.log.arg[1], (unsigned long long)fx->u.log.arg[2]);
		break;
	case BSR_FX_COMMAND_DONE:
		break;
	case BSR_FX_DISK_GONE:
		disk_gone(w, node, fx->u.disk_gone_volume);
		break;
	}
}

static void perform_some(struct sim *w, uint32_t node)
{
	struct sim_rng *r = &w->rng[SIM_RNG_DISK];
	bool stopped[SIM_NODES_MAX][BSR_STREAM_COUNT] = {{false}};
	for (uint32_t i = 0; i < w->fx.count; i++) {
		const struct bsr_effect *fx = &w->fx.effect[i];
		bool skip = sim_rng_chance(r, 500);
		if (fx->type == BSR_FX_SEND && fx->u.send.peer < SIM_NODES_MAX && fx->u.send.stream < BSR_STREAM_COUNT) {
			bool *s = &stopped[fx->u.send.peer][fx->u.send.stream];
			*s = *s || skip;
			skip = *s;
		}
		if (skip || fx->type == BSR_FX_COMMAND_DONE || fx->type == BSR_FX_STATE) {
			continue;
		}
		perform(w, node, fx);
		perform_late(w, node, fx);
	}
}

static void perform_all(struct sim *w, uint32_t node)
{
	bool published = false;
	for (uint32_t i = 0; i < w->fx.count; i++) {
		published = published || w->fx.effect[i].type == BSR_FX_STATE;
		perform(w, node, &w->fx.effect[i]);
	}
	if (published) {
		sim_oracle_states(w, node);
	}
	for (uint32_t i = 0; i < w->fx.count; i++) {
		perform_late(w, node, &w->fx.effect[i]);
	}
	for (uint32_t i = 0; i < w->fx.count; i++) {
		if (w->fx.effect[i].type == BSR_FX_COMMAND_DONE) {
			sim_node_command_done(w, node, &w->fx.effect[i].u.command_done);
		}
	}
}

/* -------------------------------------------------------------------- steps */

static void arm_timer(struct sim *w, uint32_t node)
{
	struct sim_node *n = &w->node[node];
	const uint64_t deadline = bsr_engine_deadline(n->engine);
	if (deadline == UINT64_MAX) {
		return;
	}
	uint64_t at = deadline > n->clock_base_ns ? deadline - n->clock_base_ns : 0;
	if (at <= w->now_ns) { /* the end of the host's turn */
		at = w->now_ns + sim_rng_below(&w->rng[SIM_RNG_NET], 5000);
	}
	if (at < n->timer_at_ns) {
		n->timer_at_ns = at;
		sim_schedule(w, at, SIM_EV_TIMER, node, 0, NULL);
	}
}

void sim_node_event(struct sim *w, uint32_t node, struct bsr_event *ev)
{
	struct sim_node *n = &w->node[node];
	BSR_ASSERT(n->state == SIM_NODE_UP && !w->in_step);
	ev->now_ns = w->now_ns + n->clock_base_ns;
	sim_cov_hit(w, SIM_COV_EVENT, ev->type);
	sim_hash(w, w->now_ns << 16 | (uint64_t)ev->type << 8 | node);
	w->fx.count = 0;
	w->fx.arena_used = 0;
	w->in_step = true;
	bsr_engine_step(n->engine, ev, &w->fx);
	w->in_step = false;
	if (w->fx.count > BSR_EFFECTS_MAX || w->fx.arena_used > BSR_SEND_ARENA_BYTES) {
		sim_fail(w, "RANGE", "node %u: %u effects, %u bytes of heads", node, w->fx.count, w->fx.arena_used);
	}
	for (uint32_t i = 0; i < w->fx.count; i++) {
		sim_cov_hit(w, SIM_COV_EFFECT, w->fx.effect[i].type);
		hash_effect(w, &w->fx.effect[i]);
	}
	if (n->crash_armed != 0 && w->fx.count > 1) {
		perform_some(w, node);
		sim_node_crash(w, node, n->crash_armed == 2);
		return;
	}
	perform_all(w, node);
	if (w->over.slow_check) {
		bsr_engine_check(n->engine);
	}
	sim_oracle_bits_now_and_then(w);
	arm_timer(w, node);
	sim_net_poll(w, node);
	if (n->app.running && !n->app.armed) {
		n->app.armed = true;
		sim_schedule(w, w->now_ns + sim_rng_below(&w->rng[SIM_RNG_APP], w->cfg.app_think_ns + 1), SIM_EV_APP, node, 0,
			NULL);
	}
}

void sim_node_on_timer(struct sim *w, uint32_t node)
{
	struct sim_node *n = &w->node[node];
	if (n->timer_at_ns != w->now_ns) {
		return; /* an earlier or later one has taken its place */
	}
	n->timer_at_ns = UINT64_MAX;
	if (bsr_engine_deadline(n->engine) > w->now_ns + n->clock_base_ns) {
		arm_timer(w, node);
		return;
	}
	n->spin_count = n->spin_at_ns == w->now_ns ? n->spin_count + 1 : 0;
	n->spin_at_ns = w->now_ns;
	if (n->spin_count > 1000) {
		sim_fail(w, "SPIN", "node %u: its deadline stays in the past", node);
	}
	struct bsr_event ev = {.type = BSR_EV_TIME};
	sim_node_event(w, node, &ev);
}

bool sim_node_idle(const struct sim *w, uint32_t node)
{
	const struct sim_node *n = &w->node[node];
	if (n->app.in_flight != 0 || n->handlers != 0) {
		return false;
	}
	for (uint32_t v = 0; v < w->cfg.volume_count; v++) {
		if (n->disk[v].op_count != 0) {
			return false;
		}
	}
	return true;
}
