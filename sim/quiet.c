// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * quiet.c - the beginning and the end of a run: bring the cluster up, and see that it comes to rest
 *
 *   L1, L2  when faults have stopped, every connection stands and every disk is UpToDate, in bounded virtual time
 *   L3..L5  no request, command or logged write is left over
 *   L6      no link goes up and down for ever, and no handshake is repeated for ever
 *   I36     both ends see the same; I37: nothing is paused
 *   E6      counters are back at zero, buffers and memory are given back
 * What needs a person is done by person.c.
 */
#include <string.h>

#include <bsr/assert.h>

#include "scenario.h"

#define TURN_NS (100u * SIM_MS)
#define QUIET_MAX_NS (600u * SIM_S)
#define REST_NS (15u * SIM_S)
#define LINKS_MAX 60u
#define DECISIONS_MAX 200u /* of one pair of nodes and a volume */
#define ANSWER_MAX_NS (300u * SIM_S)

struct bsr_volume_info sim_volume_info(struct sim *w, uint32_t node, uint32_t v)
{
	struct bsr_volume_info info;
	bsr_engine_volume_info(w->node[node].engine, v, &info);
	return info;
}

struct bsr_peer_info sim_peer_info(struct sim *w, uint32_t node, uint32_t p)
{
	struct bsr_peer_info info;
	bsr_engine_peer_info(w->node[node].engine, p, &info);
	return info;
}

struct bsr_peer_device_info sim_peer_device_info(struct sim *w, uint32_t node, uint32_t p, uint32_t v)
{
	struct bsr_peer_device_info info;
	bsr_engine_peer_device_info(w->node[node].engine, p, v, &info);
	return info;
}

const char *sim_quiet_unsettled(struct sim *w, bool want_data, uint32_t *where)
{
	for (uint32_t a = 0; a < w->cfg.node_count; a++) {
		*where = a;
		if (w->node[a].state != SIM_NODE_UP) {
			return "a node is down";
		}
		for (uint32_t v = 0; v < w->cfg.volume_count; v++) {
			const enum bsr_disk_state disk = sim_volume_info(w, a, v).disk;
			if (!sim_volume_wanted(w, v)) {
				continue;
			}
			if (disk < BSR_DISK_INCONSISTENT || (want_data && disk != BSR_DISK_UP_TO_DATE)) {
				return bsr_disk_state_word(disk);
			}
		}
		for (uint32_t b = 0; b < w->cfg.node_count; b++) {
			if (a == b) {
				continue;
			}
			if (sim_peer_info(w, a, b).conn != BSR_CONN_CONNECTED) {
				return bsr_conn_state_word(sim_peer_info(w, a, b).conn);
			}
			for (uint32_t v = 0; v < w->cfg.volume_count; v++) {
				const struct bsr_peer_device_info pd = sim_peer_device_info(w, a, b, v);
				if (!sim_volume_wanted(w, v)) {
					continue;
				}
				if (pd.repl != BSR_REPL_ESTABLISHED) {
					return bsr_repl_state_word(pd.repl);
				}
				if (want_data && (pd.disk != BSR_DISK_UP_TO_DATE || pd.out_of_sync_bytes != 0)) {
					return pd.disk != BSR_DISK_UP_TO_DATE ? "the peer's disk" : "out-of-sync bits";
				}
			}
		}
	}
	return NULL;
}

/* -------------------------------------------------------------------- set-up */

static void begin_faults(struct sim *w)
{
	w->phase = SIM_PHASE_FAULTS;
	w->phase_began_ns = w->now_ns;
	SIM_TRACE(w, "== the cluster stands; faults may begin");
	for (uint32_t i = 0; i < w->plan_count; i++) {
		sim_schedule(w, w->now_ns + w->plan[i].at_ns, SIM_EV_ACTION, SIM_NONE, i, NULL);
	}
	for (uint32_t i = 0; i < w->cfg.node_count; i++) {
		if (w->node[i].app.running && !w->node[i].app.armed) {
			w->node[i].app.armed = true;
			sim_schedule(w, w->now_ns, SIM_EV_APP, i, 0, NULL);
		}
	}
	sim_schedule(w, w->now_ns + 20u * SIM_MS, SIM_EV_AUDIT, SIM_NONE, 0, NULL);
}

static void first_data(struct sim *w)
{
	struct bsr_command cmd = {.type = BSR_CMD_PRIMARY};
	if (w->cfg.full_initial_sync) {
		cmd.flags = BSR_CMDF_FORCE;
	} else {
		for (uint32_t v = 0; v < w->cfg.volume_count - w->cfg.later_volumes; v++) {
			const struct bsr_command skip = {
				.type = BSR_CMD_NEW_CURRENT_UUID, .flags = BSR_CMDF_CLEAR_BITMAP, .volume = v};
			sim_node_script_add(w, 0, &skip, 3);
		}
	}
	sim_node_script_add(w, 0, &cmd, 10);
}

static void setup_turn(struct sim *w)
{
	uint32_t where = 0;
	const char *why = sim_quiet_unsettled(w, w->setup_stage > 0, &where);
	if (w->setup_stage == 0 && why == NULL) {
		w->setup_stage = 1;
		first_data(w);
	} else if (w->setup_stage == 1 && why == NULL && w->node[0].app.running) {
		begin_faults(w);
	}
	if (w->now_ns > QUIET_MAX_NS) {
		sim_fail(w, "L1", "set-up without any fault does not end: node %u: %s (stage %u, Primary %d)", where,
			why != NULL ? why : "no Primary", w->setup_stage, w->node[0].app.running);
	}
}

/* ----------------------------------------------------------------------- end */

void sim_quiet_begin(struct sim *w)
{
	SIM_TRACE(w, "== faults end");
	sim_plan_heal(w);
	w->phase = SIM_PHASE_QUIET;
	w->phase_began_ns = w->now_ns;
	w->rest_since_ns = 0;
	w->quiet_app_stop_ns = w->now_ns + sim_rng_below(&w->rng[SIM_RNG_APP], 2u * SIM_S);
	for (uint32_t i = 0; i < w->cfg.node_count; i++) {
		w->node[i].links_up = 0;
		w->node[i].decisions = 0;
	}
}

void sim_quiet_leaks(struct sim *w)
{
	for (uint32_t a = 0; a < w->cfg.node_count; a++) {
		struct sim_node *n = &w->node[a];
		struct bsr_resource_info r;
		bsr_engine_resource_info(n->engine, &r);
		if (n->bufs.in_use != 0) {
			sim_fail(w, "E6", "node %u: %u buffers are never given back", a, n->bufs.in_use);
		}
		if (r.requests_pending != 0 || r.transfer_log_used != 0) {
			sim_fail(w, "L5", "node %u: %u requests pending, %u writes in the transfer log at rest", a,
				r.requests_pending, r.transfer_log_used);
		}
		for (uint32_t v = 0; v < w->cfg.volume_count; v++) {
			const struct bsr_volume_info i = sim_volume_info(w, a, v);
			if (i.upper_pending != 0 || i.lower_pending != 0) {
				sim_fail(w, "E6", "node %u volume %u: pending %u above, %u below at rest", a, v, i.upper_pending,
					i.lower_pending);
			}
			for (uint32_t b = 0; b < w->cfg.node_count; b++) {
				const struct bsr_peer_device_info pd = sim_peer_device_info(w, a, b, v);
				if (b != a && (pd.pending != 0 || pd.unacked != 0)) {
					sim_fail(w, "E6", "node %u volume %u peer %u: pending %u, unacked %u at rest", a, v, b,
						pd.pending, pd.unacked);
				}
			}
		}
	}
}

/* For the transcript of a run that does not come to rest: what it waits for. */
static void tell_what_is_left(struct sim *w)
{
	for (uint32_t a = 0; a < w->cfg.node_count; a++) {
		struct sim_node *n = &w->node[a];
		for (uint32_t i = 0; i < SIM_REQS_MAX; i++) {
			const struct sim_req *r = &n->app.req[i];
			if (r->state != SIM_REQ_FREE) {
				sim_trace(w, "n%u left: request #%u op=%u v%u %llu+%u tag=%u%s", a, r->write_id, r->op, r->volume,
					(unsigned long long)r->sector, r->count, r->tag,
					r->state == SIM_REQ_WAITING ? " (not submitted)" : "");
			}
		}
		for (uint32_t i = 0; i < SIM_CMDS_MAX; i++) {
			if (n->cmd[i].used) {
				sim_trace(w, "n%u left: command %s", a, sim_cmd_word(n->cmd[i].type));
			}
		}
		for (uint32_t v = 0; n->state == SIM_NODE_UP && v < w->cfg.volume_count; v++) {
			const struct bsr_volume_info i = sim_volume_info(w, a, v);
			sim_trace(w, "n%u left: volume %u disk %s pending %u/%u al %u of %u, %u operations", a, v,
				bsr_disk_state_word(i.disk), i.upper_pending, i.lower_pending, i.al_used, i.al_extents,
				n->disk[v].op_count);
			for (uint32_t b = 0; b < w->cfg.node_count; b++) {
				const struct bsr_peer_device_info pd = sim_peer_device_info(w, a, b, v);
				if (b != a) {
					sim_trace(w, "n%u left: peer %u volume %u %s %s disk %s oos %llu pending %u unacked %u", a,
						b, v, bsr_conn_state_word(sim_peer_info(w, a, b).conn),
						bsr_repl_state_word(pd.repl), bsr_disk_state_word(pd.disk),
						(unsigned long long)pd.out_of_sync_bytes, pd.pending, pd.unacked);
				}
			}
		}
	}
}

static const char *busy(struct sim *w, uint32_t *where)
{
	for (uint32_t a = 0; a < w->cfg.node_count; a++) {
		*where = a;
		if (!sim_node_idle(w, a)) {
			return w->node[a].app.in_flight != 0 ? "requests are not answered (L3)" : "disk operations";
		}
		for (uint32_t i = 0; i < SIM_CMDS_MAX; i++) {
			if (w->node[a].cmd[i].used) {
				return "a command is not answered (L4)";
			}
		}
		for (uint32_t v = 0; v < w->cfg.volume_count; v++) {
			for (uint32_t b = 0; b < w->cfg.node_count; b++) {
				if (b != a && sim_peer_device_info(w, a, b, v).pending != 0) {
					return "writes on their way to a peer";
				}
			}
		}
	}
	return NULL;
}

static void finish(struct sim *w)
{
	for (uint32_t a = 0; a < w->cfg.node_count; a++) {
		for (uint32_t b = a + 1; b < w->cfg.node_count; b++) {
			for (uint32_t v = 0; v < w->cfg.volume_count; v++) {
				sim_oracle_compare(w, a, b, v, "at rest");
			}
		}
	}
	sim_verify_compare(w);
	sim_quiet_leaks(w);
	sim_oracle_views(w);
	if (w->over.scenario != NULL) {
		sim_scenario_check(w);
	}
	w->phase = SIM_PHASE_DONE;
}

static void check_answers(struct sim *w, uint32_t node)
{
	for (uint32_t i = 0; i < SIM_CMDS_MAX; i++) {
		const struct sim_pending_cmd *c = &w->node[node].cmd[i];
		const uint64_t since = c->issued_ns > w->phase_began_ns ? c->issued_ns : w->phase_began_ns;
		if (c->used && w->now_ns - since > ANSWER_MAX_NS) {
			sim_fail(w, "L4", "node %u: command %s is not answered", node, sim_cmd_word(c->type));
		}
	}
}

static void quiet_turn(struct sim *w)
{
	uint32_t where = 0;
	for (uint32_t a = 0; a < w->cfg.node_count; a++) {
		sim_person_look_after(w, a);
		if (w->node[a].links_up > LINKS_MAX * (w->cfg.node_count - 1)) {
			sim_fail(w, "L6", "node %u: %u links have come and gone since the faults stopped", a, w->node[a].links_up);
		}
		if (w->node[a].decisions > DECISIONS_MAX * w->cfg.volume_count * (w->cfg.node_count - 1)) {
			sim_fail(w, "L6", "node %u: %u decisions of handshakes since the faults stopped", a, w->node[a].decisions);
		}
		check_answers(w, a);
	}
	sim_person_choose_data(w);
	const char *why = sim_quiet_unsettled(w, true, &where);
	if (why == NULL) {
		why = busy(w, &where);
	}
	if (why != NULL) {
		w->rest_since_ns = 0;
		if (w->now_ns - w->phase_began_ns > QUIET_MAX_NS) {
			tell_what_is_left(w);
			sim_fail(w, "L2", "no rest %llu s after the last fault: node %u: %s",
				(unsigned long long)(QUIET_MAX_NS / SIM_S), where, why);
		}
		return;
	}
	if (w->rest_since_ns == 0) {
		w->rest_since_ns = w->now_ns;
	}
	if (w->now_ns > w->quiet_app_stop_ns && w->now_ns - w->rest_since_ns >= REST_NS) {
		if (!sim_verify_at_rest(w)) {
			w->rest_since_ns = 0;
			return;
		}
		finish(w);
	}
}

void sim_quiet_turn(struct sim *w)
{
	if (w->phase == SIM_PHASE_SETUP) {
		setup_turn(w);
	} else if (w->phase == SIM_PHASE_FAULTS) {
		if (w->now_ns - w->phase_began_ns >= w->cfg.fault_ns) {
			sim_quiet_begin(w);
		}
	} else if (w->phase == SIM_PHASE_QUIET) {
		quiet_turn(w);
	}
	if (w->phase != SIM_PHASE_DONE) {
		sim_schedule(w, w->now_ns + TURN_NS, SIM_EV_QUIET, SIM_NONE, 0, NULL);
	}
}
