// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * oracle_state.c - the invariants about published states, roles and commands
 *
 *   I2   protocol B: a node that lived has what it had received
 *   I4   both ends claim equality and nothing is under way: contents are equal
 *   I13  on-io-error passthrough: errors of data do not fail a disk
 *   I17  a generation is created once
 *   I21  both ends of a handshake decide the same
 *   I31  one Primary among connected nodes
 *   I32  nobody becomes Primary without UpToDate data
 *   I33  the clamps between states hold after every published change
 *   R9   a state never claims more than the metadata on disk can prove
 */
#include <string.h>

#include <bsr/assert.h>
#include <bsr/handshake.h>
#include <bsr/log.h>

#include "sim.h"

#define PASSTHROUGH_MOST 100u /* max-passthrough-count */

/* on-io-error passthrough: errors of data are the application's business, as many of them as the option allows. */
static void check_failure(struct sim *w, uint32_t node, uint32_t volume, enum bsr_disk_state disk)
{
	struct sim_disk *d = &w->node[node].disk[volume];
	if (disk == BSR_DISK_ATTACHING) {
		d->md_errors = d->passed_errors = 0;
	}
	if (disk == BSR_DISK_FAILED && w->cfg.on_io_error == BSR_IO_ERROR_PASSTHROUGH && d->md_errors == 0 &&
		d->passed_errors < PASSTHROUGH_MOST) {
		sim_fail(w, "I13", "node %u volume %u: Failed by %llu errors of data", node, volume,
			(unsigned long long)d->passed_errors);
	}
}

/* Whoever is away may lack what only this disk had: its volume stays at a moment of its own, whatever becomes of the others. */
static void note_left_behind(struct sim *w, uint32_t node, uint32_t volume)
{
	for (uint32_t m = 0; m < w->cfg.node_count; m++) {
		if (m != node && w->node[node].pub.conn[m] != BSR_CONN_CONNECTED) {
			w->cut_off[volume] |= 1u << m;
		}
	}
}

/* A source gives its target what it has got from third nodes; of a volume for which it has no disk it gives nothing. */
static void note_partial_source(struct sim *w, uint32_t node, uint32_t source)
{
	for (uint32_t v = 0; w->cfg.node_count > 2 && v < w->cfg.volume_count; v++) {
		w->cut_off[v] |= w->node[source].pub.disk[v] < BSR_DISK_INCONSISTENT ? 1u << node : 0;
	}
}

void sim_oracle_publish(struct sim *w, uint32_t node, const struct bsr_fx_state *fx)
{
	struct sim_node *n = &w->node[node];
	struct sim_published *p = &n->pub;
	const bool gone = fx->action == BSR_ACT_DESTROY;
	const bool bad_peer = fx->object >= BSR_OBJ_PEER && fx->peer >= w->cfg.node_count;
	const bool has_volume = fx->object == BSR_OBJ_VOLUME || fx->object == BSR_OBJ_PEER_DEVICE;
	if (bad_peer || (has_volume && fx->volume >= w->cfg.volume_count)) {
		sim_fail(w, "RANGE", "node %u publishes object %u of peer %u volume %u", node, fx->object, fx->peer, fx->volume);
	}
	switch (fx->object) {
	case BSR_OBJ_RESOURCE:
		SIM_TRACE(w, "n%u state role %s suspended=%u", node, bsr_role_word(fx->u.resource.role), fx->u.resource.suspended);
		p->role = fx->u.resource.role;
		sim_cov_hit(w, SIM_COV_ROLE, p->role);
		break;
	case BSR_OBJ_VOLUME:
		SIM_TRACE(w, "n%u state volume %u disk %s size=%llu", node, fx->volume, bsr_disk_state_word(fx->u.volume.disk),
			(unsigned long long)fx->u.volume.size_bytes);
		sim_cov_move(w, 2, p->disk[fx->volume], fx->u.volume.disk);
		sim_cov_hit(w, SIM_COV_DISK, fx->u.volume.disk);
		check_failure(w, node, fx->volume, fx->u.volume.disk);
		if (fx->u.volume.disk == BSR_DISK_FAILED || fx->u.volume.disk == BSR_DISK_DETACHING) {
			note_left_behind(w, node, fx->volume);
		}
		p->worse_ns[fx->volume] = p->disk[fx->volume] == BSR_DISK_UP_TO_DATE ? w->now_ns : p->worse_ns[fx->volume];
		p->disk[fx->volume] = gone ? BSR_DISK_DISKLESS : fx->u.volume.disk;
		if (p->disk[fx->volume] < BSR_DISK_INCONSISTENT || p->disk[fx->volume] == BSR_DISK_INCONSISTENT) {
			n->alive_since = ++w->oracle.sequence; /* content may be another's from now on */
		}
		if (fx->u.volume.disk == BSR_DISK_DETACHING || fx->u.volume.disk == BSR_DISK_FAILED) {
			w->node[node].given_up |= 1u << fx->volume;
		}
		break;
	case BSR_OBJ_PEER:
		SIM_TRACE(w, "n%u state peer %u %s role %s error %s", node, fx->peer, bsr_conn_state_word(fx->u.peer.conn),
			bsr_role_word(fx->u.peer.role), bsr_conn_error_word(fx->u.peer.error));
		sim_cov_move(w, 0, p->conn[fx->peer], fx->u.peer.conn);
		sim_cov_hit(w, SIM_COV_CONN, fx->u.peer.conn);
		p->conn[fx->peer] = gone ? BSR_CONN_STANDALONE : fx->u.peer.conn;
		p->peer_role[fx->peer] = gone ? BSR_ROLE_UNKNOWN : fx->u.peer.role;
		break;
	case BSR_OBJ_PEER_DEVICE:
		SIM_TRACE(w, "n%u state peer %u volume %u %s peer-disk %s paused=%u", node, fx->peer, fx->volume,
			bsr_repl_state_word(fx->u.peer_device.repl), bsr_disk_state_word(fx->u.peer_device.disk),
			fx->u.peer_device.paused);
		sim_cov_move(w, 1, p->repl[fx->peer][fx->volume], fx->u.peer_device.repl);
		sim_cov_move(w, 3, p->peer_disk[fx->peer][fx->volume], fx->u.peer_device.disk);
		sim_cov_hit(w, SIM_COV_REPL, fx->u.peer_device.repl);
		sim_cov_hit(w, SIM_COV_PEER_DISK, fx->u.peer_device.disk);
		if (fx->u.peer_device.repl == BSR_REPL_SYNC_TARGET) {
			note_partial_source(w, node, fx->peer);
		}
		if (fx->u.peer_device.repl == BSR_REPL_SYNC_SOURCE && w->phase != SIM_PHASE_SETUP) {
			w->sources |= 1u << node;
		}
		p->repl[fx->peer][fx->volume] = gone ? BSR_REPL_OFF : fx->u.peer_device.repl;
		p->peer_disk[fx->peer][fx->volume] = gone ? BSR_DISK_DISKLESS : fx->u.peer_device.disk;
		if (p->repl[fx->peer][fx->volume] == BSR_REPL_ESTABLISHED && fx->u.peer_device.disk == BSR_DISK_UP_TO_DATE &&
			p->disk[fx->volume] == BSR_DISK_UP_TO_DATE) {
			w->cut_off[fx->volume] &= ~(1u << node);
		}
		break;
	}
}

/* Table S14, and what a lost link implies. */
static void check_clamps(struct sim *w, uint32_t node, uint32_t peer, uint32_t volume, const struct bsr_peer_info *p,
	const struct bsr_peer_device_info *pd, enum bsr_disk_state disk)
{
	const char *why = NULL;
	const enum bsr_repl_state r = pd->repl;
	if (p->conn < BSR_CONN_CONNECTED && r != BSR_REPL_OFF) {
		why = "replication without a connection";
	} else if (p->conn < BSR_CONN_CONNECTED && pd->disk >= BSR_DISK_CONSISTENT) {
		why = "a peer disk is called good without a connection";
	} else if (p->conn < BSR_CONN_CONNECTED && p->role != BSR_ROLE_UNKNOWN) {
		why = "a peer has a role without a connection";
	} else if (r > BSR_REPL_ESTABLISHED && disk <= BSR_DISK_FAILED) {
		why = "a resync without a disk";
	} else if (r == BSR_REPL_SYNC_TARGET && disk != BSR_DISK_INCONSISTENT &&
		   !(disk == BSR_DISK_OUTDATED && pd->out_of_sync_bytes == 0)) {
		why = "SyncTarget and not Inconsistent"; /* with nothing to copy it is still an image of one moment */
	} else if ((r == BSR_REPL_PAUSED_SYNC_T || r == BSR_REPL_WF_BITMAP_T) && disk != BSR_DISK_INCONSISTENT &&
		   disk != BSR_DISK_OUTDATED) {
		why = "a target's disk is neither Inconsistent nor Outdated";
	} else if (r == BSR_REPL_SYNC_SOURCE && pd->disk != BSR_DISK_INCONSISTENT) {
		why = "SyncSource, and the peer is not Inconsistent";
	} else if ((r == BSR_REPL_WF_BITMAP_S || r == BSR_REPL_PAUSED_SYNC_S) && pd->disk == BSR_DISK_UP_TO_DATE) {
		why = "a source calls its target UpToDate";
	} else if (r == BSR_REPL_SYNC_SOURCE && disk < BSR_DISK_INCONSISTENT) {
		why = "SyncSource without data";
	}
	if (why != NULL && !sim_ignored(w, "I33")) {
		sim_fail(w, "I33", "node %u volume %u: %s (%s, %s, disk %s, peer %u disk %s role %s)", node, volume, why,
			bsr_conn_state_word(p->conn), bsr_repl_state_word(r), bsr_disk_state_word(disk), peer,
			bsr_disk_state_word(pd->disk), bsr_role_word(p->role));
	}
}

static void check_published(struct sim *w, uint32_t node, uint32_t peer, uint32_t volume, const struct bsr_peer_info *p,
	const struct bsr_peer_device_info *pd)
{
	const struct sim_published *u = &w->node[node].pub;
	if (u->conn[peer] != p->conn || (pd->exists && (u->repl[peer][volume] != pd->repl ||
							u->peer_disk[peer][volume] != pd->disk))) {
		sim_fail(w, "PUBLISH",
			"node %u peer %u volume %u: published %s/%s/%s, in force %s/%s/%s", node, peer, volume,
			bsr_conn_state_word(u->conn[peer]), bsr_repl_state_word(u->repl[peer][volume]),
			bsr_disk_state_word(u->peer_disk[peer][volume]), bsr_conn_state_word(p->conn),
			bsr_repl_state_word(pd->repl), bsr_disk_state_word(pd->disk));
	}
}

static void check_volume(struct sim *w, uint32_t node, uint32_t volume)
{
	const struct sim_node *n = &w->node[node];
	struct bsr_volume_info v;
	bsr_engine_volume_info(n->engine, volume, &v);
	if (!v.exists) {
		return;
	}
	const uint32_t proof = BSR_MDF_CONSISTENT | BSR_MDF_WAS_UP_TO_DATE;
	if (sim_ignored(w, "R9")) {
		/* looked at another time */
	} else if (v.disk == BSR_DISK_UP_TO_DATE && (n->sb[volume].flags & proof) != proof) {
		sim_fail(w, "R9", "node %u volume %u: UpToDate, but the metadata on disk does not say so (flags %x)", node, volume,
			n->sb[volume].flags);
	} else if (v.disk == BSR_DISK_CONSISTENT && (n->sb[volume].flags & BSR_MDF_CONSISTENT) == 0) {
		sim_fail(w, "R9", "node %u volume %u: Consistent, but the metadata on disk does not say so", node, volume);
	}
	for (uint32_t p = 0; p < w->cfg.node_count; p++) {
		struct bsr_peer_info pi;
		struct bsr_peer_device_info pd;
		bsr_engine_peer_info(n->engine, p, &pi);
		bsr_engine_peer_device_info(n->engine, p, volume, &pd);
		if (p == node || !pi.exists || !pd.exists) {
			continue;
		}
		check_clamps(w, node, p, volume, &pi, &pd, v.disk);
		check_published(w, node, p, volume, &pi, &pd);
		if (pd.handshake_reason != 0) {
			sim_cov_hit(w, SIM_COV_REASON, pd.handshake_reason);
			if (pd.handshake_reason == BSR_HS_REASON_EQUAL_OTHER_DISK && !w->swapped) {
				sim_fail(w, "I20", "node %u volume %u: peer %u's disk is taken for another one; it is none", node, volume, p);
			}
		}
	}
}

static bool is_primary(struct sim *w, uint32_t node)
{
	struct bsr_resource_info r;
	if (w->node[node].state != SIM_NODE_UP) {
		return false;
	}
	bsr_engine_resource_info(w->node[node].engine, &r);
	return r.role == BSR_ROLE_PRIMARY;
}

static bool connected(struct sim *w, uint32_t a, uint32_t b)
{
	struct bsr_peer_info p;
	if (w->node[a].state != SIM_NODE_UP) {
		return false;
	}
	bsr_engine_peer_info(w->node[a].engine, b, &p);
	return p.exists && p.conn == BSR_CONN_CONNECTED;
}

void sim_oracle_states(struct sim *w, uint32_t node)
{
	for (uint32_t v = 0; v < w->cfg.volume_count; v++) {
		check_volume(w, node, v);
	}
	if (!is_primary(w, node)) {
		return;
	}
	for (uint32_t p = 0; p < w->cfg.node_count; p++) {
		if (p != node && is_primary(w, p) && connected(w, node, p) && connected(w, p, node) &&
			sim_net_link(w, node, p) != NULL) {
			sim_fail(w, "I31", "nodes %u and %u are both Primary and connected", node, p);
		}
	}
}

static void check_promoted(struct sim *w, uint32_t node, const struct sim_pending_cmd *c)
{
	if ((c->flags & BSR_CMDF_FORCE) == 0 && !c->was_primary && !w->node[node].app.running) {
		for (uint32_t v = 0; v < w->cfg.volume_count; v++) {
			if (!sim_volume_info(w, node, v).exists || w->node[node].volume_since_ns[v] >= c->issued_ns) {
				continue; /* taken away meanwhile, or added, as it may be added afterwards */
			}
			bool good = false;
			for (uint32_t m = 0; m < w->cfg.node_count; m++) {
				good = good || sim_oracle_counted(w, node, m, v);
			}
			bool helped = false; /* a resync may have ended meanwhile */
			for (uint32_t m = 0; m < w->cfg.node_count; m++) {
				helped = helped || connected(w, node, m);
			}
			helped = helped || sim_oracle_counted(w, node, node, v);
			if (!good || ((c->bad_disks >> v & 1u) != 0 && !helped)) {
				sim_fail(w, "I32", "node %u becomes Primary, and volume %u has no UpToDate disk", node, v);
			}
		}
		sim_oracle_epochs(w, node, false, "after its promotion");
		sim_oracle_received(w, node);
	}
	sim_app_start(w, node, false);
}

void sim_oracle_command(struct sim *w, uint32_t node, const struct sim_pending_cmd *c, const struct bsr_fx_command_done *d)
{
	struct sim_node *n = &w->node[node];
	if (c->type == BSR_CMD_PRIMARY && (c->flags & BSR_CMDF_RESUME_PRIMARY) != 0) {
		n->was_primary = false;
		if (d->result == 0) {
			sim_app_start(w, node, true);
			sim_app_reissue(w, node);
		} else {
			sim_app_lost(w, node);
		}
		return;
	}
	if (c->type == BSR_CMD_ATTACH && d->result != 0) {
		w->cut_off[c->volume] = ~0u; /* newer data may be on that disk */
	}
	if (c->type == BSR_CMD_ATTACH && d->result == -BSR_E_DISK_NOT_JOINED && w->phase == SIM_PHASE_QUIET) {
		n->refused |= 1u << c->volume;
	}
	if (c->type == BSR_CMD_ATTACH && d->result == 0) {
		n->given_up &= ~(1u << c->volume);
	}
	if (c->type == BSR_CMD_DOWN && d->result == 0) {
		for (uint32_t v = 0; v < w->cfg.volume_count; v++) {
			if (n->disk[v].op_count != 0) {
				sim_fail(w, "L9", "node %u is down with operations of volume %u under way", node, v);
			}
		}
		n->boot_armed = true;
		sim_schedule(w, w->now_ns, SIM_EV_BOOT, node, 1, NULL);
		sim_schedule(w, w->now_ns + SIM_S, SIM_EV_BOOT, node, 0, NULL);
	}
	if (c->type == BSR_CMD_PRIMARY && d->result == 0) {
		check_promoted(w, node, c);
	}
	if (c->type == BSR_CMD_SECONDARY && d->result == 0) {
		if (n->app.running && n->app.in_flight > 0) {
			sim_fail(w, "I11", "node %u is demoted with %u requests under way", node, n->app.in_flight);
		}
		n->app.running = false;
		if (n->promote_next != SIM_NONE && n->promote_next < w->cfg.node_count) {
			const struct bsr_command cmd = {.type = BSR_CMD_PRIMARY};
			sim_node_script_add(w, n->promote_next, &cmd, 5);
		}
	}
	if (c->type == BSR_CMD_SECONDARY) {
		n->promote_next = SIM_NONE;
		if (d->result != 0 && is_primary(w, node)) {
			sim_app_start(w, node, true); /* it stays Primary: the application opens the device again */
		}
	}
}

static bool settled_pair(struct sim *w, uint32_t a, uint32_t b, uint32_t volume)
{
	for (uint32_t i = 0; i < 2; i++) {
		const uint32_t node = i == 0 ? a : b;
		const uint32_t peer = i == 0 ? b : a;
		struct bsr_volume_info v;
		struct bsr_peer_device_info pd;
		struct bsr_resource_info r;
		if (!connected(w, node, peer)) {
			return false;
		}
		bsr_engine_volume_info(w->node[node].engine, volume, &v);
		bsr_engine_peer_device_info(w->node[node].engine, peer, volume, &pd);
		bsr_engine_resource_info(w->node[node].engine, &r);
		if (v.disk != BSR_DISK_UP_TO_DATE || pd.repl != BSR_REPL_ESTABLISHED || pd.disk != BSR_DISK_UP_TO_DATE ||
			pd.out_of_sync_bytes != 0 || r.requests_pending != 0) {
			return false;
		}
	}
	return true;
}

/* Two Secondaries claim to be equal on the word of the Primary that they both mirror. */
static bool vouched_for(struct sim *w, uint32_t a, uint32_t b, uint32_t volume)
{
	if (w->cfg.node_count == 2 || is_primary(w, a) || is_primary(w, b)) {
		return true;
	}
	for (uint32_t p = 0; p < w->cfg.node_count; p++) {
		if (p != a && p != b && is_primary(w, p) && settled_pair(w, p, a, volume) && settled_pair(w, p, b, volume)) {
			return true;
		}
	}
	return false;
}

/* Random numbers of 64 bits: two alike are a mistake. */
static void note_generation(struct sim *w, uint32_t node, uint64_t value)
{
	struct sim_oracle *o = &w->oracle;
	for (uint32_t i = 0; i < o->generation_count; i++) {
		if (o->generation[i] == (value & BSR_GI_MASK)) {
			sim_fail(w, "I17", "node %u creates generation %016llx, which somebody has created before", node,
				(unsigned long long)value);
		}
	}
	if (o->generation_count == o->generation_room) {
		const uint32_t room = o->generation_room == 0 ? 64 : o->generation_room * 2;
		uint64_t *more = sim_alloc(w, room * sizeof(*more));
		if (o->generation != NULL) {
			memcpy(more, o->generation, o->generation_count * sizeof(*more));
			sim_free(w, o->generation, o->generation_room * sizeof(*more));
		}
		o->generation = more;
		o->generation_room = room;
	}
	o->generation[o->generation_count++] = value & BSR_GI_MASK;
}

void sim_oracle_log(struct sim *w, uint32_t node, const struct bsr_fx_log *log)
{
	if (log->number == BSR_LOGN_NEW_GENERATION) {
		note_generation(w, node, log->arg[0]);
	} else if (log->number == BSR_LOGN_HANDSHAKE_DECIDED) {
		w->node[node].decisions++;
	} else if (log->number == BSR_LOGN_HANDSHAKE_NOT_MIRRORED && !w->damages) {
		sim_fail(w, "I21", "nodes %u and %u volume %d: decided %llu and %llu (reason %llu)", node, log->peer, (int)log->volume,
			(unsigned long long)log->arg[0], (unsigned long long)log->arg[1], (unsigned long long)log->arg[2]);
	}
	const bool policy = log->number == BSR_LOGN_HANDSHAKE_DECIDED && log->arg[0] > BSR_HS_REASON_SB_DISCARD &&
			    log->arg[0] < BSR_HS_REASON_SB_NO_SOURCE;
	sim_verify_log(w, node, log);
	if (!policy) {
		return;
	}
	if (log->arg[1] == BSR_HS_SOURCE_BITMAP || log->arg[1] == BSR_HS_SOURCE_FULL) {
		sim_oracle_excuse_missing(w, node);
	} else if (log->peer < w->cfg.node_count) {
		sim_oracle_excuse_missing(w, log->peer);
	}
}

void sim_oracle_audit(struct sim *w)
{
	for (uint32_t i = 0; i < w->cfg.node_count; i++) {
		if (w->node[i].state == SIM_NODE_UP && !sim_node_idle(w, i)) {
			return;
		}
	}
	if (!sim_net_idle(w)) {
		return;
	}
	w->oracle.audits++;
	for (uint32_t a = 0; a < w->cfg.node_count; a++) {
		for (uint32_t b = a + 1; b < w->cfg.node_count; b++) {
			for (uint32_t v = 0; v < w->cfg.volume_count; v++) {
				if (settled_pair(w, a, b, v) && vouched_for(w, a, b, v)) {
					sim_oracle_compare(w, a, b, v, "both ends claim equality");
				}
			}
		}
	}
}

void sim_oracle_views(struct sim *w)
{
	for (uint32_t a = 0; a < w->cfg.node_count; a++) {
		for (uint32_t b = 0; b < w->cfg.node_count; b++) {
			if (a == b) {
				continue;
			}
			const struct bsr_peer_info p = sim_peer_info(w, a, b);
			if (p.role != w->node[b].pub.role) {
				sim_fail(w, "I36", "at rest: node %u calls node %u %s, and it is %s", a, b, bsr_role_word(p.role),
					bsr_role_word(w->node[b].pub.role));
			}
			for (uint32_t v = 0; v < w->cfg.volume_count; v++) {
				const struct bsr_peer_device_info pd = sim_peer_device_info(w, a, b, v);
				const struct bsr_volume_info i = sim_volume_info(w, b, v);
				if (pd.disk != i.disk || (pd.exists && pd.repl != sim_peer_device_info(w, b, a, v).repl)) {
					sim_fail(w, "I36", "at rest: node %u calls node %u's disk %u %s, and it is %s", a, b, v,
						bsr_disk_state_word(pd.disk), bsr_disk_state_word(i.disk));
				}
				if (pd.paused != 0) {
					sim_fail(w, "I37", "at rest: node %u pauses volume %u toward node %u (%u)", a, v, b, pd.paused);
				}
			}
		}
	}
}
