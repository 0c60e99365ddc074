// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * app.c - the application on the Primary: reads, stamped writes, flushes, discards
 *
 * It lives outside of the engine's process. When that dies under it, the device stays open, and what was not answered
 * is asked again of the next one; when the host loses power, nobody waits any more.
 */
#include <bsr/assert.h>

#include "sim.h"

#define TAG_SHIFT 8u

static void free_req(struct sim *w, struct sim_req *r)
{
	if (r->floor != NULL) {
		sim_free(w, r->floor, r->count * sizeof(uint32_t));
	}
	*r = (struct sim_req){.state = SIM_REQ_FREE, .buf = BSR_BUF_NONE};
}

static void arm(struct sim *w, uint32_t node, uint64_t delay_ns)
{
	struct sim_app *a = &w->node[node].app;
	if (!a->armed) {
		a->armed = true;
		sim_schedule(w, w->now_ns + delay_ns, SIM_EV_APP, node, 0, NULL);
	}
}

void sim_app_start(struct sim *w, uint32_t node, bool resumed)
{
	struct sim_app *a = &w->node[node].app;
	if (!resumed) {
		if (a->running) {
			return; /* primary on a Primary */
		}
		a->session = ++w->oracle.session;
		a->stopping = false;
		for (uint32_t v = 0; v < w->cfg.volume_count; v++) {
			sim_store_init(w, &w->node[node].floor[v], w->node[node].disk[v].now.sector_count);
		}
	}
	a->running = true;
	a->armed = false;
	SIM_TRACE(w, "n%u application %s (session %u)", node, resumed ? "goes on" : "starts", a->session);
	arm(w, node, 0);
}

void sim_app_wake(struct sim *w, uint32_t node)
{
	arm(w, node, 0);
}

void sim_app_stop(struct sim *w, uint32_t node)
{
	w->node[node].app.stopping = true;
}

void sim_app_lost(struct sim *w, uint32_t node)
{
	struct sim_app *a = &w->node[node].app;
	for (uint32_t i = 0; i < SIM_REQS_MAX; i++) {
		struct sim_req *r = &a->req[i];
		if (r->state == SIM_REQ_FREE) {
			continue;
		}
		if (r->write_id != 0) {
			sim_oracle_app_lost(w, r->write_id);
		}
		if (r->buf != BSR_BUF_NONE && w->node[node].state == SIM_NODE_UP) {
			sim_buf_get(w, node, r->buf)->request_owned = false;
			sim_buf_unref(w, node, r->buf);
		}
		free_req(w, r);
	}
	a->in_flight = 0;
	a->running = false;
	a->stopping = false;
	a->armed = false;
}

void sim_app_reissue(struct sim *w, uint32_t node)
{
	struct sim_app *a = &w->node[node].app;
	for (uint32_t i = 0; i < SIM_REQS_MAX; i++) {
		if (a->req[i].state == SIM_REQ_ISSUED) {
			a->req[i].state = SIM_REQ_WAITING;
			a->req[i].buf = BSR_BUF_NONE;
		}
	}
	arm(w, node, 0);
}

static uint64_t volume_sectors(struct sim *w, uint32_t node, uint32_t volume)
{
	struct bsr_volume_info info;
	bsr_engine_volume_info(w->node[node].engine, volume, &info);
	const uint64_t sectors = info.size_bytes / 512u;
	const uint64_t room = w->node[node].disk[volume].now.sector_count;
	return sectors < room ? sectors : room;
}

static void choose_place(struct sim *w, struct sim_req *r, uint64_t sectors)
{
	struct sim_rng *g = &w->rng[SIM_RNG_APP];
	const struct sim_config *c = &w->cfg;
	uint64_t most = sim_rng_chance(g, c->app_large_pm) ? BSR_REQUEST_BYTES_MAX / 512u : 16u;
	if (r->op == BSR_OP_DISCARD || r->op == BSR_OP_ZEROES) {
		most = sim_rng_chance(g, 100) ? BSR_RANGE_BYTES_MAX / 512u : 2048u;
	}
	most = most < sectors ? most : sectors;
	uint64_t count = sim_rng_range(g, 1, most);
	uint64_t at = sim_rng_below(g, sectors);
	if (c->app_spots != 0) {
		const uint64_t spot = sim_rng_below(g, c->app_spots);
		at = spot * (sectors / c->app_spots) + sim_rng_below(g, 64);
	}
	if (sim_rng_chance(g, 750)) { /* most applications write whole blocks */
		at = at / 8 * 8;
		count = (count + 7) / 8 * 8;
	}
	if (at >= sectors) {
		at = sectors - 1;
	}
	r->sector = at;
	r->count = (uint32_t)(count < sectors - at ? count : sectors - at);
}

/* Steps of a transaction: writes anywhere; then a flush and a commit record, each when everything before it is done. */
enum { JOURNAL_WRITES = 6, JOURNAL_FLUSH = 6, JOURNAL_COMMIT = 7, JOURNAL_STEPS = 8 };

static uint32_t journal_step(const struct sim *w, uint32_t node)
{
	return w->cfg.app_journal ? w->node[node].app.issued % JOURNAL_STEPS : 0;
}

static bool journal_waits(const struct sim *w, uint32_t node)
{
	const uint32_t step = journal_step(w, node);
	return w->cfg.app_journal && w->node[node].app.in_flight != 0 && (step == 0 || step >= JOURNAL_FLUSH);
}

/* The log is at the beginning of the first volume; what it commits may be on any. */
static void make_journal_request(struct sim *w, uint32_t node, struct sim_req *r, uint64_t sectors)
{
	const uint32_t step = journal_step(w, node);
	r->op = step == JOURNAL_FLUSH ? BSR_OP_FLUSH : BSR_OP_WRITE;
	r->flags = step == JOURNAL_COMMIT ? BSR_REQ_FUA : 0;
	r->sector = 0;
	r->count = 0;
	if (step == JOURNAL_COMMIT) {
		r->sector = w->node[node].app.issued / JOURNAL_STEPS % 8u * 8u;
		r->count = 8;
		r->sector = r->sector + r->count <= sectors ? r->sector : 0;
	} else if (step < JOURNAL_WRITES) {
		choose_place(w, r, sectors);
	}
}

static bool make_request(struct sim *w, uint32_t node, struct sim_req *r)
{
	struct sim_rng *g = &w->rng[SIM_RNG_APP];
	const struct sim_config *c = &w->cfg;
	r->volume = (uint16_t)sim_rng_below(g, c->volume_count);
	if (journal_step(w, node) == JOURNAL_COMMIT) {
		r->volume = 0;
	}
	const uint64_t sectors = volume_sectors(w, node, r->volume);
	if (sectors < 16) {
		return false;
	}
	const uint64_t dice = sim_rng_below(g, 1000);
	if (c->app_journal && (dice >= c->app_read_pm || journal_step(w, node) >= JOURNAL_FLUSH)) {
		make_journal_request(w, node, r, sectors);
		return true;
	}
	r->op = BSR_OP_WRITE;
	if (dice < c->app_read_pm) {
		r->op = BSR_OP_READ;
	} else if (dice < c->app_read_pm + c->app_flush_pm) {
		r->op = BSR_OP_FLUSH;
	} else if (dice < c->app_read_pm + c->app_flush_pm + c->app_zero_pm) {
		r->op = sim_rng_chance(g, 500) ? BSR_OP_DISCARD : BSR_OP_ZEROES;
	}
	r->flags = 0;
	r->sector = 0;
	r->count = 0;
	if (r->op != BSR_OP_FLUSH) {
		choose_place(w, r, sectors);
	}
	if (r->op != BSR_OP_READ && r->op != BSR_OP_FLUSH && sim_rng_chance(g, c->app_fua_pm)) {
		r->flags = BSR_REQ_FUA;
	}
	return true;
}

static void submit(struct sim *w, uint32_t node, uint32_t index)
{
	struct sim_app *a = &w->node[node].app;
	struct sim_req *r = &a->req[index];
	r->state = SIM_REQ_ISSUED;
	r->tag = (a->next_tag++ << TAG_SHIFT) | index;
	r->buf = BSR_BUF_NONE;
	if (r->op == BSR_OP_READ || r->op == BSR_OP_WRITE) {
		r->buf = sim_buf_new(w, node, r->count, NULL);
		struct sim_buf *buf = sim_buf_get(w, node, r->buf);
		buf->request_owned = true;
		for (uint32_t i = 0; i < r->count && r->op == BSR_OP_WRITE; i++) {
			buf->stamps[i] = r->write_id;
		}
	}
	if (r->op == BSR_OP_READ) {
		sim_oracle_read_floor(w, node, r);
	}
	SIM_TRACE(w, "n%u request #%u op=%u v%u %llu+%u%s tag=%u", node, r->write_id, r->op, r->volume,
		(unsigned long long)r->sector, r->count, r->flags != 0 ? " fua" : "", r->tag);
	struct bsr_event ev = {.type = BSR_EV_REQUEST};
	ev.u.request = (struct bsr_ev_request){.tag = r->tag,
		.op = r->op,
		.flags = r->flags,
		.volume = r->volume,
		.offset = r->sector * 512u,
		.length = r->count * 512u,
		.buf = r->buf};
	sim_node_event(w, node, &ev);
}

static bool submit_waiting(struct sim *w, uint32_t node)
{
	struct sim_app *a = &w->node[node].app;
	for (uint32_t i = 0; i < SIM_REQS_MAX; i++) {
		if (a->req[i].state == SIM_REQ_WAITING) {
			submit(w, node, i);
			return true;
		}
	}
	return false;
}

static bool submit_new(struct sim *w, uint32_t node)
{
	struct sim_app *a = &w->node[node].app;
	if (a->stopping || journal_waits(w, node) || a->in_flight >= w->cfg.app_depth || a->issued >= w->cfg.requests_max ||
		w->phase == SIM_PHASE_SETUP || (w->phase == SIM_PHASE_QUIET && w->now_ns > w->quiet_app_stop_ns)) {
		return false;
	}
	for (uint32_t i = 0; i < SIM_REQS_MAX; i++) {
		struct sim_req *r = &a->req[i];
		if (r->state != SIM_REQ_FREE) {
			continue;
		}
		if (!make_request(w, node, r)) {
			return false;
		}
		r->write_id = 0;
		r->floor = NULL;
		r->issue_sequence = ++w->oracle.sequence;
		if (r->op != BSR_OP_READ && r->op != BSR_OP_FLUSH) {
			r->write_id = sim_oracle_issue(w, node, r);
		}
		a->in_flight++;
		a->issued++;
		submit(w, node, i);
		return true;
	}
	return false;
}

static void closed(struct sim *w, uint32_t node)
{
	struct sim_node *n = &w->node[node];
	if (!n->app.stopping || n->app.in_flight != 0) {
		return;
	}
	n->app.running = false;
	n->app.stopping = false;
	if (n->demote_wanted) {
		n->demote_wanted = false;
		const struct bsr_command cmd = {.type = BSR_CMD_SECONDARY};
		sim_node_script_add(w, node, &cmd, 3);
	}
}

void sim_app_turn(struct sim *w, uint32_t node)
{
	struct sim_node *n = &w->node[node];
	n->app.armed = false;
	if (n->was_primary) {
		return; /* the device waits until the new process has taken up the role */
	}
	const uint64_t burst = sim_rng_range(&w->rng[SIM_RNG_APP], 1, 4);
	for (uint64_t i = 0; i < burst; i++) {
		if (n->state != SIM_NODE_UP || !n->app.running || sim_node_frozen(w, node) ||
			bsr_engine_credits(n->engine) == 0) {
			break;
		}
		if (!submit_waiting(w, node) && !submit_new(w, node)) {
			break;
		}
	}
	if (n->state != SIM_NODE_UP || !n->app.running) {
		return;
	}
	closed(w, node);
	if (n->app.running && w->phase != SIM_PHASE_SETUP && n->app.issued < w->cfg.requests_max) {
		arm(w, node, sim_rng_below(&w->rng[SIM_RNG_APP], 2u * w->cfg.app_think_ns + 1) + 1000u);
	}
}

void sim_app_complete(struct sim *w, uint32_t node, const struct bsr_fx_complete *fx)
{
	struct sim_app *a = &w->node[node].app;
	const uint32_t index = fx->tag & ((1u << TAG_SHIFT) - 1u);
	struct sim_req *r = index < SIM_REQS_MAX ? &a->req[index] : NULL;
	if (r == NULL || r->state != SIM_REQ_ISSUED || r->tag != fx->tag) {
		sim_fail(w, "I11", "node %u: request tag %u is completed, but is not under way", node, fx->tag);
	}
	SIM_TRACE(w, "n%u complete #%u op=%u v%u %llu+%u tag=%u -> %s", node, r->write_id, r->op, r->volume,
		(unsigned long long)r->sector, r->count, r->tag, fx->result == 0 ? "ok" : bsr_error_name(fx->result));
	const uint32_t *stamps = r->buf != BSR_BUF_NONE ? sim_buf_get(w, node, r->buf)->stamps : NULL;
	if (fx->data != BSR_BUF_NONE) { /* a peer served the read: the reference comes to the host */
		struct sim_buf *data = sim_buf_use(w, node, fx->data, 0, r->count * 512u);
		if (r->op != BSR_OP_READ || !data->engine_owned) {
			sim_fail(w, "BUF", "node %u: request tag %u is answered with buffer %u", node, fx->tag, fx->data);
		}
		stamps = data->stamps;
	}
	sim_oracle_complete(w, node, r, fx->result, stamps);
	if (fx->data != BSR_BUF_NONE) {
		sim_buf_engine_put(w, node, fx->data);
	}
	if (r->buf != BSR_BUF_NONE) {
		sim_buf_get(w, node, r->buf)->request_owned = false;
		sim_buf_unref(w, node, r->buf);
	}
	free_req(w, r);
	BSR_ASSERT(a->in_flight > 0);
	a->in_flight--;
	if (a->stopping) {
		arm(w, node, 0);
	}
}
