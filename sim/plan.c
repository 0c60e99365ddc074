// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * plan.c - the faults and the administrators of a run: a list of actions, made before the run begins
 *
 * An action that makes no sense when its time comes does nothing. The shrinker leaves actions out.
 */
#include <string.h>

#include "scenario.h"

static const char *const act_word[SIM_ACT_COUNT] = {"process-crash", "power-cut", "power-cut-all", "freeze", "link-reset",
	"cut-both", "cut-one-way", "partition", "isolate", "cut-stream", "corrupt", "slow-disk", "stuck-disk", "read-errors", "write-errors",
	"flush-errors", "md-errors", "dead-disk", "slow-link", "switch-over", "promote", "promote-force", "demote",
	"disconnect", "disconnect-force", "connect", "detach", "detach-force", "attach", "invalidate",
	"invalidate-remote", "pause-sync", "resume-sync", "new-uuid", "suspend-io", "resume-io", "outdate", "down", "failover",
	"reconfigure", "clock-jump", "connect-discard", "add-volume", "del-volume", "del-peer",
	"blank-disk", "old-disk", "md-damage", "torn-superblock", "rot", "lost-writes", "misdirected-writes", "verify",
	"verify-stop"};

const char *sim_act_word(enum sim_act act)
{
	return (uint32_t)act < SIM_ACT_COUNT ? act_word[act] : "?";
}

static enum sim_act draw_act(struct sim *w)
{
	const uint64_t set = w->cfg.acts;
	uint64_t nth = sim_rng_below(&w->rng[SIM_RNG_PLAN], (uint64_t)__builtin_popcountll(set));
	for (uint32_t a = 0; a < SIM_ACT_COUNT; a++) {
		if ((set >> a & 1u) != 0 && nth-- == 0) {
			return (enum sim_act)a;
		}
	}
	return SIM_ACT_LINK_RESET;
}

static uint64_t draw_duration(struct sim *w)
{
	struct sim_rng *r = &w->rng[SIM_RNG_PLAN];
	switch (sim_rng_below(r, 4)) {
	case 0:
		return sim_rng_range(r, SIM_MS, 50u * SIM_MS);
	case 1:
		return sim_rng_range(r, 50u * SIM_MS, 2u * SIM_S);
	case 2:
		return sim_rng_range(r, SIM_S, 12u * SIM_S);
	default:
		return sim_rng_range(r, 10u * SIM_MS, 500u * SIM_MS);
	}
}

static void note_damage(struct sim *w)
{
	for (uint32_t i = 0; i < w->plan_count; i++) {
		w->damages = w->damages || w->plan[i].act == SIM_ACT_CORRUPT;
	}
}

void sim_plan_make(struct sim *w)
{
	struct sim_rng *r = &w->rng[SIM_RNG_PLAN];
	if (w->over.scenario != NULL) {
		sim_scenario_plan(w);
		note_damage(w);
		return;
	}
	if (w->cfg.acts == 0 || w->cfg.plan_max == 0) {
		return;
	}
	w->plan_count = (uint32_t)sim_rng_range(r, 1, w->cfg.plan_max) + 1u;
	for (uint32_t i = 0; i < w->plan_count; i++) {
		struct sim_action *a = &w->plan[i];
		const enum sim_act must = w->cfg.must[i % 2u];
		a->act = draw_act(w);
		a->act = i < 2 && (w->cfg.acts >> must & 1u) != 0 ? must : a->act;
		a->at_ns = sim_rng_below(r, w->cfg.fault_ns);
		if (i > 0 && sim_rng_chance(r, 300)) { /* faults love company */
			a->at_ns = w->plan[i - 1].at_ns + sim_rng_below(r, 30u * SIM_MS);
		}
		a->node = (uint32_t)sim_rng_below(r, w->cfg.node_count);
		a->volume = (uint32_t)sim_rng_below(r, w->cfg.volume_count);
		a->duration_ns = draw_duration(w);
		a->argument = (uint32_t)sim_rng_u64(r);
		a->peer = SIM_NONE;
		a->dropped = false;
	}
	for (uint32_t i = 0; i < w->over.drop_count; i++) {
		if (w->over.drop[i] < w->plan_count) {
			w->plan[w->over.drop[i]].dropped = true;
		}
	}
	note_damage(w);
}

static uint32_t other_node(const struct sim *w, const struct sim_action *a)
{
	if (a->peer < w->cfg.node_count) {
		return a->peer;
	}
	return (a->node + 1 + a->argument % (w->cfg.node_count - 1)) % w->cfg.node_count;
}

static void crash(struct sim *w, uint32_t node, const struct sim_action *a, bool power_cut)
{
	struct sim_node *n = &w->node[node];
	if (n->boot_armed) {
		if (power_cut && n->state == SIM_NODE_DOWN) {
			sim_node_crash(w, node, true);
		}
		return;
	}
	if ((a->argument & 1u) != 0 && n->state == SIM_NODE_UP) {
		n->crash_armed = power_cut ? 2 : 1;
	} else {
		sim_node_crash(w, node, power_cut);
	}
	n->boot_armed = true;
	sim_schedule(w, w->now_ns + a->duration_ns + (power_cut ? 300u * SIM_MS : 20u * SIM_MS), SIM_EV_BOOT, node, 0, NULL);
}

static void cut(struct sim *w, const struct sim_action *a, bool begin)
{
	const uint32_t peer = other_node(w, a);
	sim_net_set_blocked(w, a->node, peer, begin);
	if (a->act == SIM_ACT_CUT_BOTH) {
		sim_net_set_blocked(w, peer, a->node, begin);
	}
}

/* Packets between the two sides vanish. With two nodes this is cut-both. */
static void partition(struct sim *w, const struct sim_action *a, bool begin)
{
	const uint32_t sides = a->act == SIM_ACT_ISOLATE ? 1u << a->node : a->argument >> 1;
	for (uint32_t i = 0; i < w->cfg.node_count; i++) {
		for (uint32_t k = 0; k < w->cfg.node_count; k++) {
			if (i != k && (sides >> i & 1u) != (sides >> k & 1u)) {
				sim_net_set_blocked(w, i, k, begin);
			}
		}
	}
}

static void disk_fault(struct sim *w, const struct sim_action *a, bool begin)
{
	static const uint32_t rate[4] = {20, 100, 500, 1000};
	struct sim_disk *d = &w->node[a->node].disk[a->volume];
	const uint32_t pm = begin ? rate[a->argument % 4] : 0;
	if (a->act == SIM_ACT_SLOW_DISK) {
		d->latency_factor = begin ? 10u + a->argument % 300u : 1u;
	} else if (a->act == SIM_ACT_STUCK_DISK) {
		if (begin) {
			d->stuck = true;
		} else {
			sim_disk_unstick(w, a->node, a->volume);
		}
	} else if (a->act == SIM_ACT_READ_ERRORS) {
		d->read_error_pm = pm;
	} else if (a->act == SIM_ACT_WRITE_ERRORS) {
		d->write_error_pm = pm;
	} else if (a->act == SIM_ACT_FLUSH_ERRORS) {
		d->flush_error_pm = pm;
	} else if (a->act == SIM_ACT_MD_ERRORS) {
		d->md_error_pm = pm;
	} else {
		d->dead = begin;
	}
}

static void command(struct sim *w, const struct sim_action *a, enum bsr_cmd type, uint32_t flags)
{
	struct bsr_command cmd = {.type = type, .flags = flags, .volume = a->volume, .peer = other_node(w, a)};
	if (type == BSR_CMD_ATTACH) {
		sim_node_attach_command(w, a->node, a->volume, &cmd);
	}
	if (type == BSR_CMD_INVALIDATE && (a->argument & 1u) == 0) {
		cmd.peer = SIM_NONE; /* from whoever can */
	}
	if (type == BSR_CMD_VERIFY) {
		sim_verify_command(w, a->volume, a->argument, &cmd);
	}
	if (w->node[a->node].state == SIM_NODE_UP && !sim_node_frozen(w, a->node)) {
		sim_node_command(w, a->node, &cmd, false);
	}
}

static void demote(struct sim *w, uint32_t node, uint32_t next)
{
	struct sim_node *n = &w->node[node];
	if (n->app.running && n->state == SIM_NODE_UP) {
		n->demote_wanted = true;
		n->promote_next = next;
		sim_app_stop(w, node);
		sim_app_wake(w, node);
	}
}

static void switch_over(struct sim *w, const struct sim_action *a)
{
	for (uint32_t i = 0; i < w->cfg.node_count; i++) {
		if (w->node[i].app.running) {
			demote(w, i, i == a->node ? other_node(w, a) : a->node);
			return;
		}
	}
	command(w, a, BSR_CMD_PRIMARY, 0);
}

static void failover(struct sim *w, const struct sim_action *a, bool begin)
{
	if (begin) {
		for (uint32_t i = 0; i < w->cfg.node_count; i++) {
			if (w->node[i].app.running) {
				crash(w, i, a, true);
				return;
			}
		}
		return;
	}
	for (uint32_t i = 0; i < w->cfg.node_count; i++) {
		if (w->node[i].app.running) {
			return; /* somebody is Primary again */
		}
	}
	const struct bsr_command cmd = {.type = BSR_CMD_PRIMARY};
	const uint32_t next = w->node[a->node].state == SIM_NODE_UP ? a->node : other_node(w, a);
	sim_node_script_add(w, next, &cmd, 10);
}

/* With three and more nodes nobody could say by one verify who is right. */
static void lie(struct sim *w, const struct sim_action *a, bool begin)
{
	struct sim_disk *d = &w->node[a->node].disk[a->volume];
	if (w->cfg.node_count > 2) {
		return;
	}
	if (a->act == SIM_ACT_ROT) {
		sim_rot_some(w, a->node, a->volume);
	} else if (a->act == SIM_ACT_LOST_WRITES) {
		d->lost_pm = begin ? 20u + a->argument % 200u : 0;
	} else {
		d->misdirect_pm = begin ? 20u + a->argument % 200u : 0;
	}
}

/* The host is without power while somebody works on its disk. */
static void exchange(struct sim *w, const struct sim_action *a, bool begin)
{
	struct sim_node *n = &w->node[a->node];
	if (a->act == SIM_ACT_OLD_DISK && begin) {
		sim_disk_take_copy(w, a->node, a->volume);
		return;
	}
	if (a->act == SIM_ACT_TORN_SUPERBLOCK) {
		n->disk[a->volume].tear = begin;
		return;
	}
	if (n->boot_armed || n->state == SIM_NODE_DOWN) {
		return;
	}
	crash(w, a->node, &(struct sim_action){.duration_ns = a->duration_ns}, true);
	if (a->act == SIM_ACT_BLANK_DISK) {
		sim_disk_blank(w, a->node, a->volume);
	} else if (a->act == SIM_ACT_OLD_DISK) {
		sim_disk_put_copy(w, a->node, a->volume);
	} else {
		sim_disk_damage_md(w, a->node, a->volume, a->argument);
	}
}

/* Forward only: the contract says so, and hosts ask a clock that cannot be set. */
static void jump(struct sim *w, const struct sim_action *a)
{
	struct sim_node *n = &w->node[a->node];
	if (n->state == SIM_NODE_UP) {
		n->clock_base_ns += a->duration_ns * (1u + a->argument % 3000u);
		n->timer_at_ns = w->now_ns;
		sim_schedule(w, w->now_ns, SIM_EV_TIMER, a->node, 0, NULL);
	}
}

static void reconfigure(struct sim *w, const struct sim_action *a)
{
	struct sim_node *n = &w->node[a->node];
	if (n->state == SIM_NODE_UP && !sim_node_frozen(w, a->node) && (a->argument & 2u) == 0) {
		sim_node_reconfigure(w, a->node);
		return;
	}
	n->variant++;
	crash(w, a->node, a, false);
}

/* Any message for a while, or once the next one of a type, or of each type that is rare. */
static void damage(struct sim *w, const struct sim_action *a, bool begin)
{
#define T(type) (1ull << (type) % 64u)
	const uint64_t rare = T(BSR_MSG_GI) | T(BSR_MSG_TWOPC) | T(BSR_MSG_CHECKPOINT_ACK) | T(BSR_MSG_READ_REQUEST) |
			      T(BSR_MSG_READ_REPLY) | T(BSR_MSG_VOLUME_OFFER) | T(BSR_MSG_VOLUME_CONFIRM) | T(BSR_MSG_RESYNC_DONE) | T(BSR_MSG_TEAR_DOWN) | T(BSR_MSG_OUT_OF_SYNC) |
			      T(BSR_MSG_VERIFY) | T(BSR_MSG_VERIFY_REQUEST) | T(BSR_MSG_VERIFY_REPLY) | T(BSR_MSG_VERIFY_RESULT);
	const uint32_t choice = a->argument / 3u;
	w->corrupt_pm = begin && a->argument % 3u == 0 ? 1u + choice % 50u : 0;
	if (begin && a->argument % 3u == 1) {
		w->corrupt_next |= choice % 2u == 0 ? T(BSR_MSG_HS_CONFIRM + choice / 2u % 15u) : T(BSR_MSG_WRITE + choice / 2u % 7u);
	} else if (begin && a->argument % 3u == 2) {
		w->corrupt_next |= rare;
	}
#undef T
}

static void take_down(struct sim *w, const struct sim_action *a)
{
	struct sim_node *n = &w->node[a->node];
	if (!n->app.running && !n->boot_armed && n->script_count == 0) {
		command(w, a, BSR_CMD_DOWN, 0);
	}
}

static void administrate(struct sim *w, const struct sim_action *a)
{
	static const struct {
		enum sim_act act;
		enum bsr_cmd cmd;
		uint32_t flags;
	} map[] = {
		{SIM_ACT_PROMOTE, BSR_CMD_PRIMARY, 0},
		{SIM_ACT_PROMOTE_FORCE, BSR_CMD_PRIMARY, BSR_CMDF_FORCE},
		{SIM_ACT_DISCONNECT, BSR_CMD_DISCONNECT, 0},
		{SIM_ACT_DISCONNECT_FORCE, BSR_CMD_DISCONNECT, BSR_CMDF_FORCE},
		{SIM_ACT_CONNECT, BSR_CMD_CONNECT, 0},
		{SIM_ACT_CONNECT_DISCARD, BSR_CMD_CONNECT, BSR_CMDF_DISCARD_MY_DATA},
		{SIM_ACT_DETACH, BSR_CMD_DETACH, 0},
		{SIM_ACT_DETACH_FORCE, BSR_CMD_DETACH, BSR_CMDF_FORCE},
		{SIM_ACT_ATTACH, BSR_CMD_ATTACH, 0},
		{SIM_ACT_INVALIDATE, BSR_CMD_INVALIDATE, 0},
		{SIM_ACT_INVALIDATE_REMOTE, BSR_CMD_INVALIDATE_REMOTE, 0},
		{SIM_ACT_PAUSE_SYNC, BSR_CMD_PAUSE_SYNC, 0},
		{SIM_ACT_RESUME_SYNC, BSR_CMD_RESUME_SYNC, 0},
		{SIM_ACT_NEW_UUID, BSR_CMD_NEW_CURRENT_UUID, 0},
		{SIM_ACT_SUSPEND_IO, BSR_CMD_SUSPEND_IO, 0},
		{SIM_ACT_RESUME_IO, BSR_CMD_RESUME_IO, 0},
		{SIM_ACT_OUTDATE, BSR_CMD_OUTDATE, 0},
		{SIM_ACT_VERIFY, BSR_CMD_VERIFY, 0},
		{SIM_ACT_VERIFY_STOP, BSR_CMD_VERIFY_STOP, 0},
	};
	if (a->act == SIM_ACT_SWITCH_OVER) {
		switch_over(w, a);
	} else if (a->act == SIM_ACT_DEMOTE) {
		demote(w, a->node, SIM_NONE);
	} else if (a->act == SIM_ACT_DOWN) {
		take_down(w, a);
	}
	for (uint32_t i = 0; i < sizeof(map) / sizeof(map[0]); i++) {
		if (map[i].act == a->act) {
			const bool resyncs = a->act == SIM_ACT_INVALIDATE || a->act == SIM_ACT_INVALIDATE_REMOTE;
			const uint32_t keep = resyncs && a->duration_ns % 3 == 1 ? BSR_CMDF_KEEP_BITMAP : 0;
			command(w, a, map[i].cmd, map[i].flags | keep);
		}
	}
}

static void grow(struct sim *w, struct sim_action *a, bool begin)
{
	if (a->act == SIM_ACT_ADD_VOLUME) {
		sim_grow_add_volume(w, a, begin);
	} else if (a->act == SIM_ACT_DEL_VOLUME) {
		sim_grow_del_volume(w, a, begin);
	} else {
		sim_grow_del_peer(w, a, other_node(w, a), begin);
	}
}

static void fault(struct sim *w, struct sim_action *a, bool begin)
{
	struct sim_node *n = &w->node[a->node];
	if (a->act == SIM_ACT_PROCESS_CRASH || a->act == SIM_ACT_POWER_CUT) {
		crash(w, a->node, a, a->act == SIM_ACT_POWER_CUT);
	} else if (a->act == SIM_ACT_POWER_CUT_ALL) {
		for (uint32_t i = 0; i < w->cfg.node_count; i++) {
			crash(w, i, a, true);
		}
	} else if (a->act == SIM_ACT_FREEZE) {
		n->frozen_until_ns = w->now_ns + a->duration_ns;
		sim_schedule(w, n->frozen_until_ns, SIM_EV_THAW, a->node, 0, NULL);
	} else if (a->act == SIM_ACT_LINK_RESET) {
		sim_net_reset(w, a->node, other_node(w, a));
	} else if (a->act == SIM_ACT_CUT_BOTH || a->act == SIM_ACT_CUT_ONE_WAY) {
		cut(w, a, begin);
	} else if (a->act == SIM_ACT_PARTITION || a->act == SIM_ACT_ISOLATE) {
		partition(w, a, begin);
	} else if (a->act == SIM_ACT_RECONFIGURE) {
		reconfigure(w, a);
	} else if (a->act == SIM_ACT_CLOCK_JUMP) {
		jump(w, a);
	} else if (a->act >= SIM_ACT_ROT && a->act <= SIM_ACT_MISDIRECTED_WRITES) {
		lie(w, a, begin);
	} else if (a->act >= SIM_ACT_BLANK_DISK && a->act <= SIM_ACT_TORN_SUPERBLOCK) {
		exchange(w, a, begin);
	} else if (a->act >= SIM_ACT_ADD_VOLUME && a->act <= SIM_ACT_DEL_PEER) {
		grow(w, a, begin);
	} else if (a->act == SIM_ACT_FAILOVER) {
		failover(w, a, begin);
	} else if (a->act == SIM_ACT_CUT_STREAM) {
		if (begin) {
			sim_net_freeze_stream(w, a->node, other_node(w, a), a->argument % 2);
		} else {
			sim_net_thaw_streams(w, a->node, other_node(w, a));
		}
	} else if (a->act == SIM_ACT_CORRUPT) {
		damage(w, a, begin);
	} else if (a->act == SIM_ACT_SLOW_LINK) {
		w->slow_factor = begin ? 5u + a->argument % 100u : 1u;
	} else if (a->act >= SIM_ACT_SLOW_DISK && a->act <= SIM_ACT_DEAD_DISK) {
		disk_fault(w, a, begin);
	} else {
		administrate(w, a);
	}
}

static bool lasts(enum sim_act act)
{
	return (act >= SIM_ACT_CUT_BOTH && act <= SIM_ACT_SLOW_LINK) || act == SIM_ACT_FAILOVER ||
	       (act >= SIM_ACT_ADD_VOLUME && act <= SIM_ACT_DEL_PEER) || act == SIM_ACT_OLD_DISK || act == SIM_ACT_TORN_SUPERBLOCK ||
	       act == SIM_ACT_LOST_WRITES || act == SIM_ACT_MISDIRECTED_WRITES;
}

void sim_plan_run(struct sim *w, uint32_t index)
{
	struct sim_action *a = &w->plan[index];
	if (a->dropped || w->phase != SIM_PHASE_FAULTS) {
		return;
	}
	const bool begin = !a->undone;
	SIM_TRACE(w, "== %s %s node %u volume %u for %llu us (action %u)", sim_act_word(a->act), begin ? "begins" : "ends", a->node,
		a->volume, (unsigned long long)a->duration_ns / 1000u, index);
	if (begin) {
		sim_cov_hit(w, SIM_COV_ACT, a->act);
		w->plan_ran[a->act]++;
		if (lasts(a->act)) {
			sim_schedule(w, w->now_ns + a->duration_ns, SIM_EV_ACTION, SIM_NONE, index, NULL);
		}
	}
	a->undone = true;
	fault(w, a, begin);
}

void sim_plan_heal(struct sim *w)
{
	for (uint32_t a = 0; a < w->cfg.node_count; a++) {
		struct sim_node *n = &w->node[a];
		if (sim_node_frozen(w, a)) {
			n->frozen_until_ns = w->now_ns;
		}
		n->crash_armed = 0;
		for (uint32_t v = 0; v < w->cfg.volume_count; v++) {
			struct sim_disk *d = &n->disk[v];
			d->latency_factor = 1;
			d->read_error_pm = d->write_error_pm = d->flush_error_pm = d->md_error_pm = 0;
			d->dead = false;
			d->lost_pm = d->misdirect_pm = 0;
			d->tear = false;
			sim_disk_unstick(w, a, v);
		}
		for (uint32_t b = 0; b < w->cfg.node_count; b++) {
			if (a != b) {
				sim_net_set_blocked(w, a, b, false);
				sim_net_thaw_streams(w, a, b);
			}
		}
	}
	w->corrupt_pm = 0;
	w->corrupt_next = 0;
	w->slow_factor = 1;
	for (uint32_t a = 0; a < SIM_ACT_COUNT; a++) {
		for (uint32_t b = a + 1; b < SIM_ACT_COUNT; b++) {
			w->cov.pair[a][b] += w->plan_ran[a] != 0 && w->plan_ran[b] != 0;
		}
	}
}
