// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * grow.c - volumes and peers that come to a running cluster, and leave it
 *
 * What a node is configured with is here, too: a process that starts again finds it as the administrator left it. A volume
 * that comes is on a new disk; whoever is told to makes its first data, by calling all disks equal or by force.
 */
#include "sim.h"

#define FIRST_DATA_RETRIES 40u /* 200 ms each */

bool sim_volume_wanted(const struct sim *w, uint32_t v)
{
	return v < w->cfg.volume_count - w->cfg.later_volumes || (w->came >> v & 1u) != 0;
}

bool sim_node_has_peer(const struct sim *w, uint32_t node, uint32_t peer)
{
	return node != peer && (w->node[node].no_peers >> peer & 1u) == 0;
}

/* Retries and what follows of the command's failure: nothing, the next command is typed all the same. */
static void type(struct sim *w, uint32_t node, enum bsr_cmd what, uint32_t flags, uint32_t volume, uint32_t peer, uint32_t retries)
{
	const struct bsr_command cmd = {.type = what, .flags = flags, .volume = volume, .peer = peer, .vnr = volume};
	sim_node_script_add(w, node, &cmd, retries);
}

/* ------------------------------------------------------------------ volumes */

void sim_grow_volume(struct sim *w, uint32_t node, uint32_t v)
{
	struct sim_node *n = &w->node[node];
	const bool there = n->state == SIM_NODE_UP && sim_volume_info(w, node, v).exists;
	n->volumes |= 1u << v;
	w->came |= 1u << v;
	if (there || n->state != SIM_NODE_UP) {
		return; /* the daemon finds it in its configuration when it starts */
	}
	type(w, node, BSR_CMD_NEW_VOLUME, 0, v, 0, 0);
	sim_node_peer_devices(w, node, v);
	struct bsr_command cmd;
	sim_node_attach_command(w, node, v, &cmd);
	sim_node_script_add(w, node, &cmd, 3);
}

static void shrink_volume(struct sim *w, uint32_t node, uint32_t v)
{
	if (!w->node[node].app.running && w->node[node].state == SIM_NODE_UP) {
		type(w, node, BSR_CMD_DETACH, 0, v, 0, 3);
		type(w, node, BSR_CMD_DEL_VOLUME, 0, v, 0, 3);
	}
}

/* Its first data: every disk is called equal as it is, or this one is good whatever is on it. */
static void make_data(struct sim *w, uint32_t node, uint32_t v, uint32_t how)
{
	if (how == 0) {
		type(w, node, BSR_CMD_NEW_CURRENT_UUID, BSR_CMDF_CLEAR_BITMAP, v, 0, FIRST_DATA_RETRIES);
	} else if (how == 1) {
		type(w, node, BSR_CMD_PRIMARY, BSR_CMDF_FORCE, v, 0, 3);
	} /* else a person will, some day */
}

/* The one of the plan if it is not there yet, else any that is not. */
static uint32_t new_volume(const struct sim *w, const struct sim_action *a)
{
	for (uint32_t i = 0; i < w->cfg.volume_count; i++) {
		const uint32_t v = (a->volume + i) % w->cfg.volume_count;
		if (!sim_volume_wanted(w, v)) {
			return v;
		}
	}
	return SIM_NONE;
}

/* Argument: bit 0 all nodes at once, else the others at the end; then who makes first data, and how. */
void sim_grow_add_volume(struct sim *w, struct sim_action *a, bool begin)
{
	if (begin) {
		a->volume = new_volume(w, a);
	}
	for (uint32_t i = 0; a->volume != SIM_NONE && i < w->cfg.node_count; i++) {
		if (i == a->node || (a->argument & 1u) != 0 || !begin) {
			sim_grow_volume(w, i, a->volume);
		}
	}
	if (a->volume != SIM_NONE && !begin) {
		make_data(w, a->argument / 2u % w->cfg.node_count, a->volume, a->argument / 64u % 3u);
	}
}

void sim_grow_del_volume(struct sim *w, const struct sim_action *a, bool begin)
{
	if (begin) {
		shrink_volume(w, a->node, a->volume);
	} else if (sim_volume_wanted(w, a->volume)) {
		sim_grow_volume(w, a->node, a->volume);
	}
}

/* -------------------------------------------------------------------- peers */

void sim_grow_peer(struct sim *w, uint32_t node, uint32_t peer)
{
	w->node[node].no_peers &= ~(1u << peer);
	if (w->node[node].state == SIM_NODE_UP && !sim_peer_info(w, node, peer).exists) {
		sim_node_add_peer(w, node, peer);
		type(w, node, BSR_CMD_CONNECT, 0, 0, peer, 3);
	}
}

static void shrink_peer(struct sim *w, uint32_t node, uint32_t peer, bool force, bool forget)
{
	if (!force) {
		type(w, node, BSR_CMD_DISCONNECT, 0, 0, peer, 0);
	}
	type(w, node, BSR_CMD_DEL_PEER, force ? BSR_CMDF_FORCE : 0, 0, peer, 3);
	if (forget) {
		type(w, node, BSR_CMD_FORGET_PEER, 0, 0, peer, 3);
	}
}

/* Argument: bit 0 at both ends, bit 1 by force, bits 2 and 3, both: and forgotten. */
void sim_grow_del_peer(struct sim *w, const struct sim_action *a, uint32_t peer, bool begin)
{
	for (uint32_t side = 0; side < 2; side++) {
		const uint32_t node = side == 0 ? a->node : peer;
		const uint32_t other = side == 0 ? peer : a->node;
		if (!begin) {
			sim_grow_peer(w, node, other);
		} else if (side == 0 || (a->argument & 1u) != 0) {
			shrink_peer(w, node, other, (a->argument & 2u) != 0, (a->argument & 12u) == 12u);
		}
	}
}

/* --------------------------------------------------------------- afterwards */

/* Answered is durable: nothing is left of it in the records on the disks. */
static void check_forgotten(struct sim *w, uint32_t node, uint32_t peer)
{
	for (uint32_t v = 0; v < w->cfg.volume_count; v++) {
		const struct bsr_superblock_peer *sp = &w->node[node].sb[v].peer[peer];
		const bool empty = sp->bitmap_index == -1 && sp->bitmap_gi.v == BSR_GI_NONE && sp->flags == 0;
		if ((w->node[node].volumes >> v & 1u) != 0 && !empty) {
			sim_fail(w, "I45", "node %u has forgotten node %u, and the record of volume %u still knows it", node, peer, v);
		}
	}
}

/** What a command has changed in the node's configuration. */
void sim_grow_done(struct sim *w, uint32_t node, const struct sim_pending_cmd *c, int32_t result)
{
	struct sim_node *n = &w->node[node];
	if (result != 0) {
		return;
	}
	if (c->type == BSR_CMD_NEW_VOLUME) {
		n->volume_since_ns[c->volume] = w->now_ns;
	} else if (c->type == BSR_CMD_DEL_VOLUME) {
		n->volumes &= ~(1u << c->volume);
	} else if (c->type == BSR_CMD_DEL_PEER) {
		n->no_peers |= 1u << c->peer;
	} else if (c->type == BSR_CMD_FORGET_PEER) {
		check_forgotten(w, node, c->peer);
	}
}

void sim_grow_heal(struct sim *w, uint32_t node)
{
	for (uint32_t v = 0; v < w->cfg.volume_count; v++) {
		if (sim_volume_wanted(w, v) && !sim_volume_info(w, node, v).exists) {
			sim_grow_volume(w, node, v);
		}
	}
	for (uint32_t p = 0; p < w->cfg.node_count; p++) {
		if (p != node && !sim_peer_info(w, node, p).exists) {
			sim_grow_peer(w, node, p);
		}
	}
}
