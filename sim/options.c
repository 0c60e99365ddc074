// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * options.c - what a node is configured with: the run's choice, or after a change of its configuration others
 *
 * Options that both ends must agree on, or that decide what the oracle may expect, stay as the run has them.
 */
#include "sim.h"

/* One of @count choices of a node whose configuration was changed; 0 before. */
static uint32_t vary(const struct sim *w, uint32_t node, uint32_t what, uint32_t count)
{
	const uint32_t variant = w->node[node].variant;
	uint64_t x = w->cfg.seed * 1000003u + node * 101u + variant * 7u + what;
	return variant == 0 ? 0 : (uint32_t)(sim_rng_mix(&x) % count);
}

static void disk_options(const struct sim *w, uint32_t node, struct bsr_disk_options *o)
{
	const uint32_t al[3] = {w->cfg.al_extents, BSR_AL_EXTENTS_MIN, 701};
	bsr_disk_options_defaults(o);
	o->al_extents = al[vary(w, node, 1, 3)];
	o->on_io_error = w->cfg.on_io_error;
	o->disk_flushes = w->cfg.disk_flushes;
}

/* "local" and "remote" are seen from node 0: the ends of a link must mean the same node. */
static enum bsr_after_sb after_sb_0pri(const struct sim *w, uint32_t node)
{
	const enum bsr_after_sb policy = w->cfg.after_sb[0];
	const bool names = policy == BSR_ASB_DISCARD_LOCAL || policy == BSR_ASB_DISCARD_REMOTE;
	if (names && w->cfg.node_count > 2) {
		return BSR_ASB_DISCONNECT;
	}
	if (names && node == 1) {
		return policy == BSR_ASB_DISCARD_LOCAL ? BSR_ASB_DISCARD_REMOTE : BSR_ASB_DISCARD_LOCAL;
	}
	return policy;
}

static void net_options(const struct sim *w, uint32_t node, struct bsr_net_options *o)
{
	const uint32_t epoch[3] = {w->cfg.max_epoch_size, 20, 4096};
	const uint64_t sndbuf[3] = {w->cfg.sndbuf_bytes, 0, 256u << 10};
	bsr_net_options_defaults(o);
	o->verify_alg = w->cfg.verify_alg;
	o->protocol = w->cfg.protocol;
	o->max_epoch_size = epoch[vary(w, node, 2, 3)];
	o->sndbuf_bytes = sndbuf[vary(w, node, 3, 3)];
	o->ping_int_s = w->cfg.ping_int_s + vary(w, node, 4, 3);
	o->timeout_ds = w->cfg.timeout_ds;
	o->after_sb_0pri = after_sb_0pri(w, node);
	o->after_sb_1pri = w->cfg.after_sb[1];
	o->after_sb_2pri = w->cfg.after_sb[2];
	o->rr_conflict = w->cfg.rr_conflict;
	o->connect_int_s = 1;
	o->ping_timeout_ds = 10;
}

static void peer_device_options(const struct sim *w, uint32_t node, struct bsr_peer_device_options *o)
{
	const uint32_t rate[3] = {w->cfg.resync_kib, 4u << 20, 16u << 10};
	bsr_peer_device_options_defaults(o);
	o->c_max_rate_kib = rate[vary(w, node, 5, 3)];
	o->resync_rate_kib = rate[vary(w, node, 5, 3)];
	o->ov_req_blocks = vary(w, node, 6, 3) == 1 ? 100 : 0;
	o->ov_req_interval_ms = 10;
}

void sim_node_attach_command(const struct sim *w, uint32_t node, uint32_t volume, struct bsr_command *cmd)
{
	const struct sim_disk *d = &w->node[node].disk[volume];
	*cmd = (struct bsr_command){.type = BSR_CMD_ATTACH, .volume = volume};
	cmd->u.attach = (struct bsr_attach){.data_bytes = d->device_bytes,
		.md_bytes = d->md_device_bytes,
		.md_kind = d->external_md ? BSR_MD_FLEX_EXTERNAL : BSR_MD_INTERNAL,
		.write_through = w->cfg.write_through[node]};
	disk_options(w, node, &cmd->u.attach.options);
}

static void add_peer_device(struct sim *w, uint32_t node, uint32_t peer, uint32_t volume)
{
	struct bsr_command cmd = {.type = BSR_CMD_PEER_DEVICE_OPTIONS, .peer = peer, .volume = volume};
	peer_device_options(w, node, &cmd.u.peer_device);
	sim_node_script_add(w, node, &cmd, 0);
}

void sim_node_add_peer(struct sim *w, uint32_t node, uint32_t peer)
{
	struct bsr_command cmd = {.type = BSR_CMD_NEW_PEER, .peer = peer};
	net_options(w, node, &cmd.u.net);
	sim_node_script_add(w, node, &cmd, 0);
	for (uint32_t v = 0; v < w->cfg.volume_count; v++) {
		if ((w->node[node].volumes >> v & 1u) != 0) {
			add_peer_device(w, node, peer, v);
		}
	}
}

void sim_node_peer_devices(struct sim *w, uint32_t node, uint32_t volume)
{
	for (uint32_t p = 0; p < w->cfg.node_count; p++) {
		if (sim_node_has_peer(w, node, p)) {
			add_peer_device(w, node, p, volume);
		}
	}
}

void sim_node_reconfigure(struct sim *w, uint32_t node)
{
	w->node[node].variant++;
	for (uint32_t v = 0; v < w->cfg.volume_count; v++) {
		struct bsr_command cmd = {.type = BSR_CMD_DISK_OPTIONS, .volume = v};
		disk_options(w, node, &cmd.u.disk);
		sim_node_command(w, node, &cmd, false);
	}
	for (uint32_t p = 0; p < w->cfg.node_count; p++) {
		if (p == node) {
			continue;
		}
		struct bsr_command cmd = {.type = BSR_CMD_NET_OPTIONS, .peer = p};
		net_options(w, node, &cmd.u.net);
		sim_node_command(w, node, &cmd, false);
		for (uint32_t v = 0; v < w->cfg.volume_count; v++) {
			cmd = (struct bsr_command){.type = BSR_CMD_PEER_DEVICE_OPTIONS, .peer = p, .volume = v};
			peer_device_options(w, node, &cmd.u.peer_device);
			sim_node_command(w, node, &cmd, false);
		}
	}
}
