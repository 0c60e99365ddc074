// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * person.c - what a person does when faults have stopped: split brain, detached disks, paused resyncs, no good data
 *
 * Somebody who looks after a cluster first says whose data is to stay (the winner: the Primary, if there is one), then
 * lets those give way that are in split brain with it; pairs of others come together by themselves.
 */
#include "scenario.h"

#define OUTDATED_STAYS_NS (40u * SIM_S)
#define REFUSALS_MAX 6u
#define NO_DATA_STAYS_NS (60u * SIM_S)
#define DATA_AWAITED_NS (20u * SIM_S)

/* The application closes the device, and the node is demoted; without an application, at once. */
static void step_down(struct sim *w, uint32_t node)
{
	if (!w->node[node].app.running) {
		const struct bsr_command cmd = {.type = BSR_CMD_SECONDARY};
		sim_node_script_add(w, node, &cmd, 0);
		return;
	}
	w->node[node].demote_wanted = true;
	w->node[node].promote_next = SIM_NONE;
	sim_app_stop(w, node);
	sim_app_wake(w, node);
}

static bool torn_apart(struct sim *w, uint32_t a, uint32_t b)
{
	if (w->node[a].state != SIM_NODE_UP) {
		return false;
	}
	const struct bsr_peer_info p = sim_peer_info(w, a, b);
	return p.conn == BSR_CONN_STANDALONE && p.error == BSR_CONN_ERROR_SPLIT_BRAIN;
}

static bool either_torn_apart(struct sim *w, uint32_t a, uint32_t b)
{
	return torn_apart(w, a, b) || torn_apart(w, b, a);
}

/* Whose data stays when @a and @b have gone different ways; refused choices move on to the next one. */
static uint32_t winner(struct sim *w)
{
	uint32_t candidate[SIM_NODES_MAX];
	uint32_t count = 0;
	/* whoever is Primary, unless the others would lose better data than it has */
	for (uint32_t primaries = w->other_victim < REFUSALS_MAX / 2u; count == 0 && primaries < 2; primaries--) {
		for (uint32_t i = 0; i < w->cfg.node_count; i++) {
			if (w->node[i].state == SIM_NODE_UP && (primaries == 0 || w->node[i].app.running)) {
				candidate[count++] = i;
			}
		}
	}
	return count != 0 ? candidate[w->other_victim % count] : 0;
}

/* Split brain between @a and @b: true when a command is to be typed at @a, perhaps one that gives @a's data up. */
static bool settle_split(struct sim *w, uint32_t a, uint32_t b, uint32_t *flags)
{
	const uint32_t keeper = winner(w);
	const bool with_keeper = either_torn_apart(w, a, keeper);
	const bool other_with_keeper = either_torn_apart(w, b, keeper);
	/* the winner gets on with both, or resyncs from one of them: it does not matter which */
	const bool elsewhere = a != keeper && b != keeper && !with_keeper && !other_with_keeper;
	const bool victim = b == keeper || (a != keeper && with_keeper && !other_with_keeper) || (elsewhere && a > b);
	w->split_brains++;
	if (a != keeper && b != keeper && with_keeper && other_with_keeper) {
		return false; /* both give way to the winner first */
	}
	if (victim && w->node[a].pub.role == BSR_ROLE_PRIMARY) {
		step_down(w, a);
		return false;
	}
	*flags = victim ? BSR_CMDF_DISCARD_MY_DATA : 0;
	return true;
}

/* An old copy that nobody knows any more, or a new history that began on a blank disk: it becomes a blank disk (again). */
static void give_up_disks(struct sim *w, uint32_t node)
{
	if (w->node[node].state != SIM_NODE_UP) {
		return;
	}
	sim_node_crash(w, node, true);
	for (uint32_t v = 0; v < w->cfg.volume_count; v++) {
		sim_disk_create_md(w, node, v);
	}
}

static bool has_larger(struct sim *w, uint32_t a, uint32_t b)
{
	for (uint32_t v = 0; v < w->cfg.volume_count; v++) {
		if (sim_volume_info(w, a, v).size_bytes > sim_volume_info(w, b, v).size_bytes) {
			return true;
		}
	}
	return false;
}

/*
 * The data of the one that was to give way are better than those it was to take: the other one gives way. When that was
 * tried often enough each has a volume that the other lacks: one is forced to be good as it is.
 */
static void discard_was_refused(struct sim *w, uint32_t a, uint32_t b)
{
	if (w->other_victim < REFUSALS_MAX) {
		w->other_victim += a < b;
	} else if (winner(w) == a && w->node[a].pub.role != BSR_ROLE_PRIMARY) {
		const struct bsr_command cmd = {.type = BSR_CMD_PRIMARY, .flags = BSR_CMDF_FORCE};
		sim_node_script_add(w, a, &cmd, 0);
	}
}

/* A new volume that was forced to be good without its peers may have taken more room than they have. */
static bool began_alone(const struct sim *w)
{
	for (uint32_t v = 0; v < w->cfg.volume_count; v++) {
		if (w->begun[v] != 0) {
			return true;
		}
	}
	return false;
}

static void reconnect(struct sim *w, uint32_t a, uint32_t b, enum bsr_conn_error error)
{
	struct bsr_command cmd = {.type = BSR_CMD_CONNECT, .peer = b};
	const bool mine = w->node[a].pub.role == BSR_ROLE_PRIMARY;
	const bool theirs = w->node[b].pub.role == BSR_ROLE_PRIMARY;
	if (error == BSR_CONN_ERROR_UNRELATED && w->swapped && winner(w) == b) {
		give_up_disks(w, a);
		return;
	}
	if (error == BSR_CONN_ERROR_SIZE && (w->swapped || began_alone(w)) && w->node[b].state == SIM_NODE_UP && has_larger(w, a, b)) {
		give_up_disks(w, a); /* a blank disk that was forced to be good took all the room it has */
		return;
	}
	if (error == BSR_CONN_ERROR_UNRELATED && !w->swapped) {
		sim_fail(w, "I20", "node %u calls node %u's data unrelated; they come from one history", a, b);
	}
	if (error == BSR_CONN_ERROR_DISCARD_REFUSED) {
		discard_was_refused(w, a, b);
	}
	if (error == BSR_CONN_ERROR_SPLIT_BRAIN && !settle_split(w, a, b, &cmd.flags)) {
		return;
	}
	if (error == BSR_CONN_ERROR_SYNC_TARGET_PRIMARY || error == BSR_CONN_ERROR_TWO_PRIMARIES) {
		if (mine && (a > b || !theirs)) {
			step_down(w, a);
			return;
		}
	}
	sim_node_script_add(w, a, &cmd, 0);
}

/* No disk that can be reached has what its applications have seen. */
static bool shows_what_nobody_has(struct sim *w, uint32_t a, uint32_t v)
{
	bool good = sim_volume_info(w, a, v).disk == BSR_DISK_UP_TO_DATE;
	for (uint32_t b = 0; b < w->cfg.node_count; b++) {
		good = good || (b != a && sim_peer_device_info(w, a, b, v).disk == BSR_DISK_UP_TO_DATE);
	}
	return !good && w->now_ns - w->phase_began_ns > DATA_AWAITED_NS;
}

/* Compares disks over a new link only: a Primary gets none while it is connected to such a node. */
static bool somebody_is_old(const struct sim *w)
{
	uint64_t features = ~0ull;
	for (uint32_t i = 0; i < w->cfg.node_count; i++) {
		features &= w->node[i].features;
	}
	return (features & BSR_FEATURE_LIVE_VOLUMES) == 0;
}

/* No room for what a peer's disk has taken for the volume alone: that one is made anew. */
static bool finds_no_room(struct sim *w, uint32_t a, uint32_t v)
{
	for (uint32_t b = 0; b < w->cfg.node_count; b++) {
		if (b != a && (w->swapped || began_alone(w)) && w->node[b].state == SIM_NODE_UP &&
			sim_volume_info(w, b, v).disk == BSR_DISK_UP_TO_DATE &&
			sim_volume_info(w, b, v).size_bytes > w->node[a].disk[v].layout.data_bytes) {
			give_up_disks(w, b);
			return true;
		}
	}
	return false;
}

static void look_after_disk(struct sim *w, uint32_t a, uint32_t v)
{
	struct bsr_command cmd = {.volume = v};
	const enum bsr_disk_state disk = sim_volume_info(w, a, v).disk;
	const bool primary = w->node[a].pub.role == BSR_ROLE_PRIMARY;
	if (disk == BSR_DISK_DISKLESS && finds_no_room(w, a, v)) {
		return;
	}
	if (primary && shows_what_nobody_has(w, a, v) && w->node[a].app.in_flight != 0) {
		cmd.type = BSR_CMD_RESUME_IO; /* what waits for data fails */
	} else if (primary && (shows_what_nobody_has(w, a, v) || (disk <= BSR_DISK_NEGOTIATING && (somebody_is_old(w) || w->cfg.node_count > 2)))) {
		step_down(w, a); /* it gets no disk: demote, attach, promote */
		return;
	} else if (disk == BSR_DISK_DISKLESS) {
		if (w->node[a].disk[v].damaged || (w->node[a].refused >> v & 1u) != 0) {
			sim_disk_create_md(w, a, v); /* attach has refused it; docs/ops/events.md, 3007 */
			w->node[a].refused &= ~(1u << v);
		}
		sim_node_attach_command(w, a, v, &cmd);
	} else {
		return;
	}
	sim_node_script_add(w, a, &cmd, 0);
}

/* Somebody is its source, or will be when other volumes are done: time helps. */
static bool becomes_target(struct sim *w, uint32_t a, uint32_t v)
{
	for (uint32_t b = 0; b < w->cfg.node_count; b++) {
		const enum bsr_repl_state repl = a == b ? BSR_REPL_OFF : sim_peer_device_info(w, a, b, v).repl;
		if (repl == BSR_REPL_WF_BITMAP_T || repl == BSR_REPL_SYNC_TARGET || repl == BSR_REPL_PAUSED_SYNC_T) {
			return true;
		}
	}
	return false;
}

static void look_after_volume(struct sim *w, uint32_t a, uint32_t v)
{
	look_after_disk(w, a, v);
	const bool stays_outdated = sim_volume_info(w, a, v).disk == BSR_DISK_OUTDATED &&
				    w->now_ns - w->phase_began_ns > OUTDATED_STAYS_NS && !becomes_target(w, a, v);
	for (uint32_t b = 0; b < w->cfg.node_count; b++) {
		if (b == a) {
			continue;
		}
		const struct bsr_peer_device_info pd = sim_peer_device_info(w, a, b, v);
		if (stays_outdated && pd.repl == BSR_REPL_ESTABLISHED && pd.disk == BSR_DISK_UP_TO_DATE) {
			/* somebody typed `outdate`: a new handshake decides what it is worth */
			const struct bsr_command cmd = {.type = BSR_CMD_DISCONNECT, .peer = b};
			sim_node_script_add(w, a, &cmd, 0);
		}
		if (sim_verify_reconnects(w, a, b, v)) {
			const struct bsr_command cmd = {.type = BSR_CMD_DISCONNECT, .peer = b};
			sim_node_script_add(w, a, &cmd, 0);
		}
		if ((pd.paused & BSR_PAUSE_USER) != 0) {
			const struct bsr_command cmd = {.type = BSR_CMD_RESUME_SYNC, .volume = v, .peer = b};
			sim_node_script_add(w, a, &cmd, 0);
		}
	}
}

/* The node with the best data of a volume that nobody has UpToDate; SIM_NONE when somebody has. */
static uint32_t best_data(struct sim *w, uint32_t v)
{
	uint32_t best = 0;
	for (uint32_t a = 0; a < w->cfg.node_count; a++) {
		const enum bsr_disk_state disk = sim_volume_info(w, a, v).disk;
		if (disk == BSR_DISK_UP_TO_DATE) {
			return SIM_NONE;
		}
		best = disk > sim_volume_info(w, best, v).disk ? a : best;
	}
	return best;
}

void sim_person_choose_data(struct sim *w)
{
	uint32_t where = 0;
	const uint64_t waited = w->now_ns - w->phase_began_ns;
	if (waited < 30u * SIM_S || sim_quiet_unsettled(w, false, &where) != NULL) {
		return;
	}
	for (uint32_t v = 0; v < w->cfg.volume_count; v++) {
		const uint32_t best = sim_volume_wanted(w, v) ? best_data(w, v) : SIM_NONE;
		if (best != SIM_NONE && w->node[best].script_count == 0) {
			const struct bsr_command cmd = {.type = BSR_CMD_PRIMARY, .flags = waited > 60u * SIM_S ? BSR_CMDF_FORCE : 0};
			sim_node_script_add(w, best, &cmd, 0);
			return;
		}
	}
}

void sim_person_look_after(struct sim *w, uint32_t a)
{
	struct sim_node *n = &w->node[a];
	if (n->state == SIM_NODE_DOWN) {
		if (!n->boot_armed) {
			sim_node_boot(w, a);
		}
		return;
	}
	if (n->script_count != 0) {
		return;
	}
	sim_grow_heal(w, a);
	if (n->script_count != 0) {
		return;
	}
	for (uint32_t v = 0; v < w->cfg.volume_count; v++) {
		if (sim_volume_wanted(w, v)) {
			look_after_volume(w, a, v);
		}
	}
	struct bsr_resource_info r;
	bsr_engine_resource_info(n->engine, &r);
	if ((r.suspended & BSR_SUSPEND_USER) != 0) {
		const struct bsr_command cmd = {.type = BSR_CMD_RESUME_IO};
		sim_node_script_add(w, a, &cmd, 0);
	}
	if ((r.suspended & BSR_SUSPEND_NO_DATA) != 0 && w->now_ns - w->phase_began_ns > NO_DATA_STAYS_NS) {
		sim_node_crash(w, a, true); /* its disk is there again, but not in use, and the application waits for it */
		return;
	}
	for (uint32_t b = 0; b < w->cfg.node_count; b++) {
		if (n->state != SIM_NODE_UP) {
			return; /* a Primary that has lost was switched off */
		}
		if (b != a && sim_peer_info(w, a, b).conn == BSR_CONN_STANDALONE) {
			reconnect(w, a, b, sim_peer_info(w, a, b).error);
		}
	}
}
