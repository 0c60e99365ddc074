// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * control_debug.c - the engine's insides as JSON, for people who look for a cause
 *
 * Owns:       the form of the dump; nobody should parse it.
 * May touch:  the engine, reading only.
 * Format:     docs/control.md, section 11
 */
#include "control.h"
#include "json_add.h"

#include <bsr/debug.h>

/* A time or number that stands for "never" is said so. */
static void add_u64_or_never(struct json_object *object, const char *name, uint64_t value)
{
	if (value == UINT64_MAX) {
		add_text(object, name, "never");
	} else {
		add_u64(object, name, value);
	}
}

/* A set of nodes as an array of node ids. */
static void add_nodes(struct json_object *object, const char *name, uint32_t mask)
{
	struct json_object *array = json_object_new_array();
	for (uint32_t node = 0; node < BSR_NODES_MAX; node++) {
		if ((mask >> node & 1u) != 0) {
			json_object_array_add(array, json_object_new_int((int)node));
		}
	}
	json_object_object_add(object, name, array);
}

static struct json_object *dump_oldest(const struct bsrd *d, const struct bsr_debug_resource *info)
{
	static const char *const ops[] = {"read", "write", "flush", "discard", "zeroes"};
	struct json_object *out = json_object_new_object();
	add_u64_or_never(out, "age_us", info->oldest_age_ns / 1000);
	add_text(out, "stage", info->oldest_stage);
	add_text(out, "op", info->oldest_op < sizeof(ops) / sizeof(ops[0]) ? ops[info->oldest_op] : "?");
	add_u64_or_never(out, "volume",
		info->oldest_volume < BSR_VOLUMES_MAX ? d->running.volume[info->oldest_volume].vnr : 0);
	add_u64_or_never(out, "offset", info->oldest_offset);
	add_u64_or_never(out, "length", info->oldest_length);
	add_bool(out, "waits_for_disk", info->oldest_local);
	add_nodes(out, "waits_for_peers", info->oldest_peers);
	return out;
}

static struct json_object *dump_resource(struct bsrd *d)
{
	struct json_object *out = json_object_new_object();
	struct bsr_debug_resource info;
	bsr_engine_debug_resource(d->engine, &info);
	add_u64_or_never(out, "generation", d->generation);
	add_bool(out, "keeper_gone", d->keeper_gone);
	add_u64_or_never(out, "clock_ns", info.now_ns);
	add_u64_or_never(out, "deadline_ns", info.deadline_ns);
	add_u64_or_never(out, "requests", info.requests);
	add_u64_or_never(out, "requests_held", info.requests_held);
	add_u64_or_never(out, "requests_active", info.requests_active);
	add_u64_or_never(out, "credits", info.credits);
	add_u64_or_never(out, "peer_requests", info.peer_requests);
	add_u64_or_never(out, "disk_operations", info.disk_ops);
	add_u64_or_never(out, "transfer_log_head", info.log_head);
	add_u64_or_never(out, "transfer_log_tail", info.log_tail);
	add_u64_or_never(out, "epoch", info.epoch);
	add_u64_or_never(out, "dagtag", info.dagtag);
	add_u64_or_never(out, "commands", info.tasks);
	add_bool(out, "promoting", info.promoting);
	add_bool(out, "demoting", info.demoting);
	add_nodes(out, "disconnecting", info.disconnecting);
	if (info.has_oldest) {
		json_object_object_add(out, "oldest_request", dump_oldest(d, &info));
	}
	return out;
}

static struct json_object *dump_volume(struct bsrd *d, uint32_t volume)
{
	struct json_object *out = json_object_new_object();
	struct bsr_debug_volume info;
	struct bsr_volume_info known;
	bsr_engine_debug_volume(d->engine, volume, &info);
	bsr_engine_volume_info(d->engine, volume, &known);
	add_u64_or_never(out, "volume", d->running.volume[volume].vnr);
	add_text(out, "disk", bsr_disk_state_word(known.disk));
	add_u64_or_never(out, "attach_step", info.attach_step);
	add_u64_or_never(out, "requests", info.requests);
	add_u64_or_never(out, "disk_operations", info.disk_ops);
	add_u64_or_never(out, "waiting_al", info.waiting_al);
	add_u64_or_never(out, "waiting_generation", info.waiting_generation);
	add_bool(out, "generation_wanted", info.gi_wanted);
	add_bool(out, "generation_busy", info.gi_busy);
	add_u64_or_never(out, "superblock_wanted", info.superblock_wanted);
	add_u64_or_never(out, "superblock_issued", info.superblock_issued);
	add_u64_or_never(out, "superblock_durable", info.superblock_durable);
	add_u64_or_never(out, "metadata_writers", info.metadata_writers);
	add_bool(out, "sweeping", info.sweeping);
	add_nodes(out, "mirrored_to", info.mirror_mask);
	add_u64_or_never(out, "out_of_sync_slots", info.oos_slots);
	add_bool(out, "unflushed", info.unflushed);
	add_u64_or_never(out, "flushes", info.flushes);
	add_u64_or_never(out, "al_extents", info.al_extents);
	add_u64_or_never(out, "al_used", info.al_used);
	add_u64_or_never(out, "al_pinned", info.al_pinned);
	add_u64_or_never(out, "bitmap_bytes", info.bitmap_bytes);
	add_u64_or_never(out, "bitmap_coarsened", info.bitmap_coarsened);
	return out;
}

static struct json_object *dump_peer_device(struct bsrd *d, uint32_t peer, uint32_t volume)
{
	struct json_object *out = json_object_new_object();
	struct bsr_debug_peer_device info;
	struct bsr_peer_device_info known;
	bsr_engine_debug_peer_device(d->engine, peer, volume, &info);
	bsr_engine_peer_device_info(d->engine, peer, volume, &known);
	add_u64_or_never(out, "volume", d->running.volume[volume].vnr);
	add_text(out, "replication", bsr_repl_state_word(known.repl));
	add_text(out, "peer_disk", bsr_disk_state_word(known.disk));
	json_object_object_add(out, "bitmap_slot", json_object_new_int(info.slot));
	add_bool(out, "mirrored", info.mirrored);
	add_u64_or_never(out, "bits", info.bits);
	add_u64_or_never(out, "sync_step", info.sync_step);
	add_u64_or_never(out, "scan_bit", info.scan_bit);
	add_u64_or_never(out, "resync_requests", info.chunks);
	add_bool(out, "holds_writes", info.holds_writes);
	add_bool(out, "bitmap_sending", info.bitmap_sending);
	add_u64_or_never(out, "heal_tries", info.heal_tries);
	add_u64_or_never(out, "pending", info.pending);
	add_u64_or_never(out, "unacked", info.unacked);
	return out;
}

static struct json_object *dump_peer(struct bsrd *d, uint32_t peer)
{
	static const char *const stages[] = {"idle", "exchanging", "confirming", "complete"};
	struct json_object *out = json_object_new_object();
	struct json_object *volumes = json_object_new_array();
	struct bsr_debug_peer info;
	bsr_engine_debug_peer(d->engine, peer, &info);
	add_u64_or_never(out, "peer", peer);
	add_text(out, "name", d->running.peer[peer].name);
	add_u64_or_never(out, "link", info.link);
	add_bool(out, "link_active", info.link_active);
	add_bool(out, "link_up", info.link_up);
	add_text(out, "handshake", info.handshake_stage < 4 ? stages[info.handshake_stage] : "?");
	add_u64_or_never(out, "features", info.features);
	add_u64_or_never(out, "silent_us", info.silent_ns / 1000);
	add_bool(out, "ping_outstanding", info.ping_outstanding);
	add_u64_or_never(out, "send_queued_bytes", info.send_queued_bytes);
	add_u64_or_never(out, "transfer_log_from", info.log_from);
	add_u64_or_never(out, "checkpoints", info.checkpoints);
	add_u64_or_never(out, "checkpoint_due_ns", info.checkpoint_due_ns);
	add_u64_or_never(out, "epoch", info.epoch);
	add_u64_or_never(out, "epoch_active", info.epoch_active);
	add_u64_or_never(out, "epoch_flushes", info.epoch_flushes);
	add_u64_or_never(out, "arrived", info.arrived);
	add_u64_or_never(out, "queued", info.queued);
	add_u64_or_never(out, "reads", info.reads);
	add_u64_or_never(out, "holds", info.holds);
	add_bool(out, "barrier", info.barrier);
	for (uint32_t i = 0; i < BSR_VOLUMES_MAX; i++) {
		if (d->running.volume[i].exists) {
			json_object_array_add(volumes, dump_peer_device(d, peer, i));
		}
	}
	json_object_object_add(out, "volumes", volumes);
	return out;
}

void control_run_debug(struct control_request *request)
{
	struct bsrd *d = request->control->d;
	struct json_object *result = json_object_new_object();
	struct json_object *debug = json_object_new_object();
	struct json_object *volumes = json_object_new_array();
	struct json_object *peers = json_object_new_array();
	json_object_object_add(debug, "resource", dump_resource(d));
	for (uint32_t i = 0; i < BSR_VOLUMES_MAX; i++) {
		if (d->running.volume[i].exists) {
			json_object_array_add(volumes, dump_volume(d, i));
		}
	}
	for (uint32_t i = 0; i < BSR_NODES_MAX; i++) {
		if (d->running.peer[i].exists) {
			json_object_array_add(peers, dump_peer(d, i));
		}
	}
	json_object_object_add(debug, "volumes", volumes);
	json_object_object_add(debug, "peers", peers);
	json_object_object_add(result, "debug", debug);
	control_finish_ok(request, result);
}
