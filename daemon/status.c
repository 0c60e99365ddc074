// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * status.c - snapshots: what the engine knows, under the names of the running configuration
 *
 * Owns:       form and order of a snapshot.
 * May touch:  engine and running configuration, reading only.
 * Format:     docs/control.md, section 6
 */
#include "control.h"
#include "json_add.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "superblock.h"

struct bit_word {
	uint32_t bit;
	const char *word;
};

static void add_gi(struct json_object *object, const char *name, struct bsr_gi gi)
{
	char digits[17];
	snprintf(digits, sizeof(digits), "%016" PRIx64, gi.v);
	add_text(object, name, digits);
}

static struct json_object *words_of(uint32_t bits, const struct bit_word *words)
{
	struct json_object *array = json_object_new_array();
	for (size_t i = 0; words[i].word != NULL; i++) {
		if ((bits & words[i].bit) != 0) {
			json_object_array_add(array, json_object_new_string(words[i].word));
		}
	}
	return array;
}

struct json_object *status_suspended_words(uint32_t suspended)
{
	static const struct bit_word words[] = {{BSR_SUSPEND_USER, "user"}, {BSR_SUSPEND_NO_DATA, "no-data"},
		{BSR_SUSPEND_FENCING, "fencing"}, {BSR_SUSPEND_QUORUM, "quorum"}, {0, NULL}};
	return words_of(suspended, words);
}

struct json_object *status_paused_words(uint32_t paused)
{
	static const struct bit_word words[] = {{BSR_PAUSE_USER, "user"}, {BSR_PAUSE_PEER, "peer"},
		{BSR_PAUSE_DEPENDENCY, "dependency"}, {BSR_PAUSE_OTHER_CONNECTION, "connection"}, {0, NULL}};
	return words_of(paused, words);
}

static struct json_object *md_flag_words(uint32_t flags)
{
	static const struct bit_word words[] = {{BSR_MDF_CONSISTENT, "consistent"},
		{BSR_MDF_WAS_UP_TO_DATE, "was-up-to-date"}, {BSR_MDF_PRIMARY_IND, "primary-ind"},
		{BSR_MDF_CRASHED_PRIMARY, "crashed-primary"}, {BSR_MDF_AL_CLEAN, "al-clean"},
		{BSR_MDF_AL_DISABLED, "al-disabled"}, {BSR_MDF_LAST_PRIMARY, "last-primary"},
		{BSR_MDF_WAS_PRIMARY, "was-primary"}, {0, NULL}};
	return words_of(flags, words);
}

static struct json_object *peer_flag_words(uint32_t flags)
{
	static const struct bit_word words[] = {{BSR_MDPF_CONNECTED, "peer-connected"},
		{BSR_MDPF_OUTDATED, "peer-outdate"}, {BSR_MDPF_FENCING, "peer-fencing"},
		{BSR_MDPF_FULL_SYNC, "peer-full-sync"}, {0, NULL}};
	return words_of(flags, words);
}

int64_t status_wall_us(void)
{
	struct timespec now;
	(void)clock_gettime(CLOCK_REALTIME, &now);
	return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

/* "" when the option is not given */
static const char *given_text(struct json_object *given, const char *name)
{
	struct json_object *text = NULL;
	if (given == NULL || !json_object_object_get_ex(given, name, &text)) {
		return "";
	}
	return json_object_get_string(text);
}

const char *status_peer_name(const struct bsrd *d, uint32_t peer)
{
	return peer < BSR_NODES_MAX && d->running.peer[peer].exists ? d->running.peer[peer].name : "";
}

/* ------------------------------------------------------------------- objects */

static const char *write_ordering(const struct bsrd *d)
{
	const char *word = "none";
	for (uint32_t i = 0; i < BSR_VOLUMES_MAX; i++) {
		const struct bsrd_volume *volume = &d->running.volume[i];
		if (volume->exists && volume->disk.disk_flushes) {
			return "flush";
		}
		if (volume->exists && volume->disk.disk_drain) {
			word = "drain";
		}
	}
	return word;
}

void status_add_resource(struct bsrd *d, struct json_object *out, bool statistics)
{
	struct bsr_resource_info info;
	bsr_engine_resource_info(d->engine, &info);
	add_text(out, "name", d->running.resource);
	add_u64(out, "node_id", info.node_id);
	add_text(out, "node_name", given_text(d->running.options_given, "node-name"));
	add_text(out, "group", given_text(d->running.options_given, "group"));
	add_text(out, "role", bsr_role_word(info.role));
	json_object_object_add(out, "suspended", status_suspended_words(info.suspended));
	if (statistics) {
		add_text(out, "write_ordering", write_ordering(d));
		add_u64(out, "requests_pending", info.requests_pending);
		add_u64(out, "transfer_log_used", info.transfer_log_used);
	}
}

static void add_device_counters(
	struct json_object *out, const struct bsr_volume_info *info, const struct bsr_resource_info *resource)
{
	struct json_object *blocked = json_object_new_array();
	if (resource->suspended != 0) {
		json_object_array_add(blocked, json_object_new_string("upper"));
	}
	add_u64(out, "size", info->size_bytes);
	add_u64(out, "read", info->read_bytes);
	add_u64(out, "written", info->written_bytes);
	add_u64(out, "al_writes", info->al_writes);
	add_u64(out, "bm_writes", info->bm_writes);
	add_u64(out, "upper_pending", info->upper_pending);
	add_u64(out, "lower_pending", info->lower_pending);
	add_bool(out, "al_suspended", false);
	add_u64(out, "al_pending_changes", 0);
	add_u64(out, "al_used", info->al_used);
	add_u64(out, "al_extents", info->al_extents);
	add_u64(out, "accelbuf_used", 0);
	json_object_object_add(out, "blocked", blocked);
}

void status_add_device(struct bsrd *d, uint32_t volume, struct json_object *out, bool statistics)
{
	const struct bsrd_volume *running = &d->running.volume[volume];
	struct bsr_volume_info info;
	struct bsr_resource_info resource;
	bsr_engine_volume_info(d->engine, volume, &info);
	bsr_engine_resource_info(d->engine, &resource);
	add_text(out, "disk", bsr_disk_state_word(info.disk));
	add_text(out, "client", "no");
	add_bool(out, "attached", running->attached && info.disk != BSR_DISK_DISKLESS);
	if (running->disk_path[0] != '\0') {
		add_text(out, "backing", running->disk_path);
	}
	if (running->device_path[0] != '\0') {
		add_text(out, "device", running->device_path);
	}
	add_u64(out, "io_errors", info.io_errors);
	if (info.md_usable) {
		struct json_object *history = json_object_new_array();
		for (uint32_t i = 0; i < 2; i++) {
			char digits[17];
			snprintf(digits, sizeof(digits), "%016" PRIx64, info.history[i].v);
			json_object_array_add(history, json_object_new_string(digits));
		}
		add_gi(out, "current_gi", info.current_gi);
		json_object_object_add(out, "history_gi", history);
		json_object_object_add(out, "md_flags", md_flag_words(info.md_flags));
	}
	if (statistics) {
		add_device_counters(out, &info, &resource);
		add_u64(out, "nbd_clients", d->devices != NULL ? bsr_nbd_clients(d->devices, volume) : 0);
	}
}

void status_add_connection(struct bsrd *d, uint32_t peer, struct json_object *out, bool statistics)
{
	const struct bsrd_peer *running = &d->running.peer[peer];
	struct bsr_peer_info info;
	bsr_engine_peer_info(d->engine, peer, &info);
	add_text(out, "connection", bsr_conn_state_word(info.conn));
	if (info.error != BSR_CONN_ERROR_NONE) {
		add_text(out, "error", bsr_conn_error_word(info.error));
	}
	add_text(out, "role", bsr_role_word(info.role));
	add_bool(out, "congested", info.congested);
	add_text(out, "peer_node_name", given_text(running->net_given, "peer-node-name"));
	add_text(out, "peer_node_group", given_text(running->net_given, "peer-node-group"));
	if (statistics) {
		uint64_t queued = info.send_queued_bytes;
		uint64_t rejected = info.messages_rejected;
		if (d->links != NULL) { /* the engine hands over at once; what waits, waits there */
			queued += bsr_links_queued_bytes(d->links, peer);
			rejected += bsr_links_rejected(d->links, peer);
		}
		add_u64(out, "send_queued", queued);
		add_u64(out, "rejected", rejected);
	}
}

/* The connection's state is that of the path it stands on; behind a translation of addresses a single path is it. */
static bool path_stands(struct bsrd *d, uint32_t peer, uint32_t path)
{
	const int used = d->links != NULL ? bsr_links_path(d->links, peer) : -1;
	return used < 0 ? d->running.peer[peer].path_count == 1 : (uint32_t)used == path;
}

void status_add_path(struct bsrd *d, uint32_t peer, uint32_t path, struct json_object *out)
{
	const struct bsrd_peer *running = &d->running.peer[peer];
	struct bsr_peer_info info;
	bsr_engine_peer_info(d->engine, peer, &info);
	add_text(out, "local", running->path[path].local_text);
	add_text(out, "remote", running->path[path].remote_text);
	add_bool(out, "established", info.conn == BSR_CONN_CONNECTED && path_stands(d, peer, path));
}

static bool resync_is_shown(const struct bsr_peer_device_info *info)
{
	switch (info->repl) {
	case BSR_REPL_SYNC_SOURCE:
	case BSR_REPL_SYNC_TARGET:
	case BSR_REPL_PAUSED_SYNC_S:
	case BSR_REPL_PAUSED_SYNC_T:
	case BSR_REPL_VERIFY_S:
	case BSR_REPL_VERIFY_T:
		return true;
	case BSR_REPL_OFF:
	case BSR_REPL_ESTABLISHED:
	case BSR_REPL_STARTING_SYNC_S:
	case BSR_REPL_STARTING_SYNC_T:
	case BSR_REPL_WF_BITMAP_S:
	case BSR_REPL_WF_BITMAP_T:
	case BSR_REPL_WF_SYNC_UUID:
	case BSR_REPL_AHEAD:
	case BSR_REPL_BEHIND:
		break;
	}
	return false;
}

struct pace {
	const char *option; /* that sets it */
	uint64_t bytes_s;   /* 0 = no limit */
};

static struct pace pace_of(const struct bsr_peer_device_options *o, bool verify)
{
	if (verify && o->ov_req_blocks != 0 && o->ov_req_interval_ms != 0) {
		return (struct pace){"ov-req-interval",
			(uint64_t)o->ov_req_blocks * BSR_BITMAP_BLOCK_BYTES * 1000 / o->ov_req_interval_ms};
	}
	const uint64_t rate = bsr_peer_device_rate(o);
	return (struct pace){o->c_plan_ahead_ds != 0 ? "c-max-rate" : "resync-rate", rate == BSR_RATE_UNLIMITED ? 0 : rate};
}

/* The node that asks for the blocks knows. The other one sees that it goes as fast as its own file, mostly the same, allows. */
static bool is_held_back(const struct bsr_peer_device_info *info, const struct pace *pace)
{
	const bool asked_here = info->repl == BSR_REPL_SYNC_TARGET || info->repl == BSR_REPL_VERIFY_S;
	const bool served_here = info->repl == BSR_REPL_SYNC_SOURCE || info->repl == BSR_REPL_VERIFY_T;
	const uint64_t rate = info->resync_rate_bytes_s;
	return (asked_here && info->resync_is_held) ||
	       (served_here && rate >= pace->bytes_s / 10 * 9 && rate <= pace->bytes_s / 10 * 12);
}

static void add_resync(struct bsrd *d, struct json_object *out, const struct bsr_peer_device_info *info,
	const struct bsr_peer_device_options *options)
{
	struct json_object *resync = json_object_new_object();
	uint64_t now_ns = bsrd_now_ns(d);
	uint64_t elapsed_ns = now_ns > info->resync_start_ns ? now_ns - info->resync_start_ns : 0;
	const bool verify = info->repl == BSR_REPL_VERIFY_S || info->repl == BSR_REPL_VERIFY_T;
	const struct pace pace = pace_of(options, verify);
	add_u64(resync, "total", info->resync_total_bytes);
	add_u64(resync, "left", info->resync_left_bytes);
	add_u64(resync, "rate", info->resync_rate_bytes_s);
	add_u64(resync, "want", pace.bytes_s);
	if (pace.bytes_s != 0 && is_held_back(info, &pace)) {
		add_text(resync, "limited_by", pace.option);
	}
	if (verify) {
		add_u64(resync, "found", info->verify_found_bytes);
		add_u64(resync, "skipped", info->verify_skipped_bytes);
	}
	add_u64(resync, "elapsed_ms", elapsed_ns / 1000000);
	json_object_object_add(out, "resync", resync);
}

void status_add_peer_device(
	struct bsrd *d, uint32_t peer, uint32_t volume, struct json_object *out, bool statistics)
{
	struct bsr_peer_device_info info;
	bsr_engine_peer_device_info(d->engine, peer, volume, &info);
	add_text(out, "replication", bsr_repl_state_word(info.repl));
	add_text(out, "peer_disk", bsr_disk_state_word(info.disk));
	add_text(out, "peer_client", "no");
	json_object_object_add(out, "resync_suspended", status_paused_words(info.paused));
	add_gi(out, "bitmap_gi", info.bitmap_gi);
	json_object_object_add(out, "peer_md_flags", peer_flag_words(info.md_peer_flags));
	if (info.handshake_reason != 0) {
		add_u64(out, "reason", info.handshake_reason);
	}
	if (statistics) {
		add_u64(out, "received", info.received_bytes);
		add_u64(out, "sent", info.sent_bytes);
		add_u64(out, "out_of_sync", info.out_of_sync_bytes);
		add_u64(out, "pending", info.pending);
		add_u64(out, "unacked", info.unacked);
		if (info.verify_resume_bytes != 0) {
			add_u64(out, "verify_resume", info.verify_resume_bytes);
		}
		if (resync_is_shown(&info)) {
			add_resync(d, out, &info, &d->running.peer[peer].peer_device[volume]);
		}
	}
}

/* ------------------------------------------------------------------ snapshot */

static struct json_object *snapshot_devices(struct bsrd *d, const uint32_t *order, uint32_t count)
{
	struct json_object *array = json_object_new_array();
	for (uint32_t i = 0; i < count; i++) {
		struct json_object *device = json_object_new_object();
		add_u64(device, "volume", d->running.volume[order[i]].vnr);
		add_u64(device, "minor", d->running.volume[order[i]].minor);
		status_add_device(d, order[i], device, true);
		json_object_array_add(array, device);
	}
	return array;
}

static struct json_object *snapshot_connection(
	struct bsrd *d, uint32_t peer, const uint32_t *volumes, uint32_t volume_count)
{
	struct json_object *connection = json_object_new_object();
	struct json_object *paths = json_object_new_array();
	struct json_object *peer_devices = json_object_new_array();
	add_u64(connection, "peer", peer);
	add_text(connection, "name", d->running.peer[peer].name);
	status_add_connection(d, peer, connection, true);
	for (uint32_t i = 0; i < d->running.peer[peer].path_count; i++) {
		struct json_object *path = json_object_new_object();
		status_add_path(d, peer, i, path);
		json_object_array_add(paths, path);
	}
	for (uint32_t i = 0; i < volume_count; i++) {
		struct bsr_peer_device_info info;
		bsr_engine_peer_device_info(d->engine, peer, volumes[i], &info);
		if (info.exists) {
			struct json_object *peer_device = json_object_new_object();
			add_u64(peer_device, "volume", d->running.volume[volumes[i]].vnr);
			status_add_peer_device(d, peer, volumes[i], peer_device, true);
			json_object_array_add(peer_devices, peer_device);
		}
	}
	json_object_object_add(connection, "paths", paths);
	json_object_object_add(connection, "peer_devices", peer_devices);
	return connection;
}

static uint32_t volumes_in_order(const struct bsrd *d, uint32_t *order)
{
	uint32_t count = 0;
	for (uint32_t i = 0; i < BSR_VOLUMES_MAX; i++) {
		if (!d->running.volume[i].exists) {
			continue;
		}
		uint32_t at = count++;
		for (; at > 0 && d->running.volume[order[at - 1]].vnr > d->running.volume[i].vnr; at--) {
			order[at] = order[at - 1];
		}
		order[at] = i;
	}
	return count;
}

static uint32_t peers_in_order(const struct bsrd *d, uint32_t *order)
{
	uint32_t count = 0;
	for (uint32_t i = 0; i < BSR_NODES_MAX; i++) {
		if (!d->running.peer[i].exists) {
			continue;
		}
		uint32_t at = count++;
		for (; at > 0 && strcmp(d->running.peer[order[at - 1]].name, d->running.peer[i].name) > 0;
			at--) {
			order[at] = order[at - 1];
		}
		order[at] = i;
	}
	return count;
}

struct json_object *status_snapshot(struct bsrd *d, uint64_t seq)
{
	struct json_object *snapshot = json_object_new_object();
	struct json_object *resource = json_object_new_object();
	struct json_object *connections = json_object_new_array();
	uint32_t volumes[BSR_VOLUMES_MAX];
	uint32_t peers[BSR_NODES_MAX];
	const uint32_t volume_count = volumes_in_order(d, volumes);
	const uint32_t peer_count = peers_in_order(d, peers);

	status_add_resource(d, resource, true);
	add_u64(snapshot, "seq", seq);
	json_object_object_add(snapshot, "time_us", json_object_new_int64(status_wall_us()));
	json_object_object_add(snapshot, "resource", resource);
	json_object_object_add(snapshot, "devices", snapshot_devices(d, volumes, volume_count));
	for (uint32_t i = 0; i < peer_count; i++) {
		json_object_array_add(
			connections, snapshot_connection(d, peers[i], volumes, volume_count));
	}
	json_object_object_add(snapshot, "connections", connections);
	return snapshot;
}
