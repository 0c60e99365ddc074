// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * command.c - what administrators type: commands under way, and scripts of commands one after the other
 */
#include <stdio.h>
#include <string.h>

#include <bsr/assert.h>

#include "sim.h"

const char *sim_cmd_word(enum bsr_cmd cmd)
{
	static const char *const word[BSR_CMD_COUNT] = {"resource-options", "new-volume", "del-volume", "attach", "detach",
		"disk-options", "new-peer", "del-peer", "net-options", "peer-device-options", "connect", "disconnect",
		"primary", "secondary", "invalidate", "invalidate-remote", "pause-sync", "resume-sync", "outdate",
		"new-current-uuid", "suspend-io", "resume-io", "measure", "down", "verify", "verify-stop", "forget-peer"};
	return (uint32_t)cmd < BSR_CMD_COUNT ? word[cmd] : "?";
}

static struct sim_pending_cmd *free_entry(struct sim_node *n)
{
	for (uint32_t i = 0; i < SIM_CMDS_MAX; i++) {
		if (!n->cmd[i].used) {
			return &n->cmd[i];
		}
	}
	return NULL;
}

/* Two who begin a history each, of a volume that has none yet, have unrelated data. */
static void note_beginning(struct sim *w, uint32_t node, const struct bsr_command *cmd)
{
	const bool forces = cmd->type == BSR_CMD_PRIMARY && (cmd->flags & BSR_CMDF_FORCE) != 0;
	for (uint32_t v = 0; v < w->cfg.volume_count; v++) {
		const bool fresh = (w->node[node].sb[v].current_gi.v & BSR_GI_MASK) == BSR_GI_JUST_CREATED;
		const bool begins = forces || (cmd->type == BSR_CMD_NEW_CURRENT_UUID && cmd->volume == v);
		if (fresh && begins && w->phase != SIM_PHASE_SETUP && ++w->begun[v] > 1) {
			w->swapped = true;
			w->cut_off[v] = ~0u; /* what one of them has is of another moment than its other volumes */
		}
	}
}

/* A person who orders this accepts that data which only the other end has may go. */
static void note_consent(struct sim *w, uint32_t node, const struct bsr_command *cmd)
{
	note_beginning(w, node, cmd);
	if (cmd->type == BSR_CMD_PRIMARY && (cmd->flags & BSR_CMDF_FORCE) != 0) {
		sim_oracle_excuse_missing(w, node);
	}
	if (cmd->type == BSR_CMD_CONNECT && (cmd->flags & BSR_CMDF_DISCARD_MY_DATA) != 0) {
		sim_oracle_excuse_missing(w, cmd->peer);
	}
	if (cmd->type == BSR_CMD_INVALIDATE) {
		for (uint32_t i = 0; i < w->cfg.node_count; i++) {
			if (i != node) {
				sim_oracle_excuse_missing(w, i);
			}
		}
	}
	if (cmd->type == BSR_CMD_INVALIDATE_REMOTE) {
		sim_oracle_excuse_missing(w, node);
	}
}

bool sim_node_command(struct sim *w, uint32_t node, const struct bsr_command *cmd, bool scripted)
{
	struct sim_node *n = &w->node[node];
	struct sim_pending_cmd *p = n->state == SIM_NODE_UP ? free_entry(n) : NULL;
	if (p == NULL) {
		return false;
	}
	*p = (struct sim_pending_cmd){.used = true,
		.id = n->next_cmd++,
		.type = cmd->type,
		.flags = cmd->flags,
		.peer = cmd->peer,
		.volume = cmd->volume,
		.issued_ns = w->now_ns,
		.was_primary = n->pub.role == BSR_ROLE_PRIMARY,
		.scripted = scripted};
	for (uint32_t v = 0; v < w->cfg.volume_count; v++) {
		const bool bad = n->pub.disk[v] == BSR_DISK_INCONSISTENT || n->pub.disk[v] == BSR_DISK_OUTDATED;
		p->bad_disks |= bad ? 1u << v : 0;
	}
	SIM_TRACE(w, "n%u command %s volume=%u peer=%u flags=%u", node, sim_cmd_word(cmd->type), cmd->volume, cmd->peer,
		cmd->flags);
	sim_cov_hit(w, SIM_COV_COMMAND, cmd->type);
	n->forgotten |= cmd->type == BSR_CMD_FORGET_PEER ? 1u << cmd->peer : 0;
	note_consent(w, node, cmd);
	struct bsr_event ev = {.type = BSR_EV_COMMAND};
	ev.u.command = (struct bsr_ev_command){.cmd_id = p->id, .cmd = cmd};
	sim_node_event(w, node, &ev);
	return true;
}

static void script_forward(struct sim_node *n)
{
	n->script_first = (n->script_first + 1) % SIM_SCRIPT_MAX;
	n->script_count--;
}

void sim_node_command_done(struct sim *w, uint32_t node, const struct bsr_fx_command_done *done)
{
	struct sim_node *n = &w->node[node];
	struct sim_pending_cmd *p = NULL;
	for (uint32_t i = 0; i < SIM_CMDS_MAX; i++) {
		if (n->cmd[i].used && n->cmd[i].id == done->cmd_id) {
			p = &n->cmd[i];
		}
	}
	if (p == NULL) {
		sim_fail(w, "L4", "node %u answers command %u, which was not asked or is answered already", node, done->cmd_id);
	}
	SIM_TRACE(w, "n%u command %s -> %s", node, sim_cmd_word(p->type), done->result == 0 ? "ok" : bsr_error_name(done->result));
	if (done->result > 0 || (done->result < 0 && bsr_error_name(done->result)[0] == '?')) {
		sim_fail(w, "L4", "node %u: command %s ends with the undocumented result %d", node, sim_cmd_word(p->type),
			done->result);
	}
	w->cov.result[p->type][done->result == 0 ? 0 : 1]++;
	const struct sim_pending_cmd was = *p;
	p->used = false;
	sim_grow_done(w, node, &was, done->result);
	if (was.scripted) {
		struct sim_script_entry *s = &n->script[n->script_first];
		BSR_ASSERT(n->script_count > 0);
		n->script_waiting = false;
		const bool again = done->result != 0 && s->retries > 0;
		if (again) {
			s->retries--;
		} else {
			script_forward(n);
		}
		sim_schedule(w, w->now_ns + (again ? 200u * SIM_MS : 10u * SIM_US), SIM_EV_SCRIPT, node, 0, NULL);
		if (again) {
			return;
		}
	}
	sim_oracle_command(w, node, &was, done);
}

void sim_node_commands_lost(struct sim *w, uint32_t node)
{
	struct sim_node *n = &w->node[node];
	for (uint32_t i = 0; i < SIM_CMDS_MAX; i++) {
		if (n->cmd[i].used) {
			w->cov.result[n->cmd[i].type][2]++;
			n->cmd[i].used = false;
		}
	}
	n->script_count = 0;
	n->script_first = 0;
	n->script_waiting = false;
	n->demote_wanted = false;
	n->promote_next = SIM_NONE;
}

void sim_node_script_add(struct sim *w, uint32_t node, const struct bsr_command *cmd, uint32_t retries)
{
	struct sim_node *n = &w->node[node];
	if (n->state != SIM_NODE_UP || n->script_count == SIM_SCRIPT_MAX) {
		return;
	}
	n->script[(n->script_first + n->script_count) % SIM_SCRIPT_MAX] =
		(struct sim_script_entry){.cmd = *cmd, .retries = retries};
	n->script_count++;
	sim_schedule(w, w->now_ns, SIM_EV_SCRIPT, node, 0, NULL);
}

/* The daemon refuses to demote while somebody has the device open. */
static bool device_is_open(const struct sim_node *n)
{
	return n->script[n->script_first].cmd.type == BSR_CMD_SECONDARY && n->app.running;
}

void sim_node_script_turn(struct sim *w, uint32_t node)
{
	struct sim_node *n = &w->node[node];
	if (n->script_count == 0 || n->script_waiting) {
		return;
	}
	if (device_is_open(n)) {
		SIM_TRACE(w, "n%u command secondary is refused: the device is open", node);
		n->promote_next = SIM_NONE;
		script_forward(n);
		sim_schedule(w, w->now_ns + 10u * SIM_US, SIM_EV_SCRIPT, node, 0, NULL);
		return;
	}
	const struct bsr_command cmd = n->script[n->script_first].cmd;
	if (cmd.type == BSR_CMD_DEL_VOLUME && n->app.running) { /* the host would not: the device is open */
		n->script_first = (n->script_first + 1) % SIM_SCRIPT_MAX;
		n->script_count--;
		sim_schedule(w, w->now_ns, SIM_EV_SCRIPT, node, 0, NULL);
		return;
	}
	n->script_waiting = true;
	if (!sim_node_command(w, node, &cmd, true)) {
		n->script_waiting = false;
		sim_schedule(w, w->now_ns + 100u * SIM_MS, SIM_EV_SCRIPT, node, 0, NULL);
	}
}

void sim_node_boot_script(struct sim *w, uint32_t node)
{
	struct sim_node *n = &w->node[node];
	struct bsr_command cmd = {.type = BSR_CMD_RESOURCE_OPTIONS};
	bsr_resource_options_defaults(&cmd.u.resource);
	sim_node_script_add(w, node, &cmd, 0);
	if (node % 2 == 0) { /* half of the nodes measure: it must change nothing */
		cmd = (struct bsr_command){.type = BSR_CMD_MEASURE, .flags = BSR_CMDF_ON};
		sim_node_script_add(w, node, &cmd, 0);
	}
	for (uint32_t v = 0; v < w->cfg.volume_count; v++) {
		cmd = (struct bsr_command){.type = BSR_CMD_NEW_VOLUME, .volume = v, .vnr = v};
		if ((n->volumes >> v & 1u) != 0) {
			sim_node_script_add(w, node, &cmd, 0);
		}
	}
	for (uint32_t p = 0; p < w->cfg.node_count; p++) {
		if (sim_node_has_peer(w, node, p)) {
			sim_node_add_peer(w, node, p);
		}
	}
	for (uint32_t v = 0; v < w->cfg.volume_count; v++) {
		if ((n->given_up >> v & 1u) != 0 || (n->volumes >> v & 1u) == 0) {
			continue;
		}
		sim_node_attach_command(w, node, v, &cmd);
		sim_node_script_add(w, node, &cmd, w->phase == SIM_PHASE_QUIET ? 20 : 3);
	}
	if (n->was_primary) {
		cmd = (struct bsr_command){.type = BSR_CMD_PRIMARY, .flags = BSR_CMDF_RESUME_PRIMARY};
		sim_node_script_add(w, node, &cmd, 100);
	}
	for (uint32_t p = 0; p < w->cfg.node_count; p++) {
		if (sim_node_has_peer(w, node, p)) {
			cmd = (struct bsr_command){.type = BSR_CMD_CONNECT, .peer = p};
			sim_node_script_add(w, node, &cmd, 3);
		}
	}
}
