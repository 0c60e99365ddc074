// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * control_counters.c - collection of latencies on request, all counters as JSON, a dump of the engine's
 * insides
 *
 * Owns:       who wants collection: it is on as long as some connection that asked for it stands.
 * May touch:  engine, links, pool, reading only; the engine's collection.
 * Invariants:
 *   CC-1  Collection ends with the last connection that asked for it, whatever becomes of that program.
 * Format:     docs/control.md, section 10
 */
#include "control.h"
#include "json_add.h"

#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include <bsr/assert.h>
#include <bsr/debug.h>
#include <bsr/measure.h>

/* ---------------------------------------------------------------- collection */

static void switched_off(void *ctx, const struct bsrd_answer *answer)
{
	struct bsr_control *control = ctx;
	control->measure_ending = false;
	/* somebody may have asked for it meanwhile; refused because of too many commands: tried again */
	control->measuring = control->measurers > 0 || answer->error != 0;
	control->dirty = true;
}

void control_measure_turn(struct bsr_control *control)
{
	if (!control->measuring || control->measurers > 0 || control->measure_ending) {
		return;
	}
	if (control->d->engine == NULL) {
		control->measuring = false;
		return;
	}
	const struct bsr_command cmd = {.type = BSR_CMD_MEASURE};
	control->measure_ending = true;
	bsrd_command(control->d, &cmd, switched_off, control);
}

void control_measure_forget(struct control_client *client)
{
	if (client->measures) {
		BSR_ASSERT(client->control->measurers > 0);
		client->measures = false;
		client->control->measurers--;
	}
}

static void switched_on(void *ctx, const struct bsrd_answer *answer)
{
	struct control_request *request = ctx;
	struct control_client *client = control_find_client(request);
	struct bsr_control *control = request->control;
	if (answer->error == 0) {
		control->measuring = true;
		if (client != NULL && !client->closing && !client->measures) {
			client->measures = true;
			control->measurers++;
		}
	}
	control_done(request, answer);
}

void control_run_measure(struct control_request *request)
{
	struct control_client *client = control_find_client(request);
	if (control_bool(request, "on")) {
		const struct bsr_command cmd = {.type = BSR_CMD_MEASURE, .flags = BSR_CMDF_ON};
		bsrd_command(request->control->d, &cmd, switched_on, request);
		return;
	}
	if (client != NULL) {
		control_measure_forget(client);
	}
	control_finish_ok(request, NULL);
}

/* ------------------------------------------------------------------ counters */

static struct json_object *histogram(const struct bsr_histogram *h)
{
	struct json_object *out = json_object_new_object();
	struct json_object *buckets = json_object_new_array();
	uint64_t count = 0;
	for (uint32_t i = 0; i < BSR_HISTOGRAM_BUCKETS; i++) {
		if (h->bucket[i] != 0) {
			struct json_object *pair = json_object_new_array_ext(2);
			json_object_array_add(pair, json_object_new_int((int)i));
			json_object_array_add(pair, json_object_new_int64((int64_t)h->bucket[i]));
			json_object_array_add(buckets, pair);
			count += h->bucket[i];
		}
	}
	add_u64(out, "count", count);
	add_u64(out, "sum_ns", h->sum_ns);
	json_object_object_add(out, "buckets", buckets);
	return out;
}

static struct json_object *stages(const struct bsr_histogram *h, const char *const *words, uint32_t count)
{
	struct json_object *out = json_object_new_object();
	for (uint32_t i = 0; i < count; i++) {
		json_object_object_add(out, words[i], histogram(&h[i]));
	}
	return out;
}

static struct json_object *volume_counters(struct bsrd *d, uint32_t volume)
{
	static const char *const words[BSR_STAGE_COUNT] = {"read", "write", "flush", "held", "activity_log",
		"disk_read", "disk_write", "disk_flush", "peer_queue", "peer_write"};
	struct json_object *out = json_object_new_object();
	const struct bsr_measured_volume *measured = bsr_engine_measured_volume(d->engine, volume);
	struct bsr_volume_info info;
	struct bsr_debug_volume debug;
	bsr_engine_volume_info(d->engine, volume, &info);
	bsr_engine_debug_volume(d->engine, volume, &debug);
	add_u64(out, "volume", d->running.volume[volume].vnr);
	add_u64(out, "minor", d->running.volume[volume].minor);
	add_u64(out, "size", info.size_bytes);
	add_u64(out, "read_bytes", info.read_bytes);
	add_u64(out, "written_bytes", info.written_bytes);
	add_u64(out, "io_errors", info.io_errors);
	add_u64(out, "upper_pending", info.upper_pending);
	add_u64(out, "lower_pending", info.lower_pending);
	add_u64(out, "waiting_al", debug.waiting_al);
	add_u64(out, "waiting_generation", debug.waiting_generation);
	add_u64(out, "al_extents", info.al_extents);
	add_u64(out, "al_used", info.al_used);
	add_u64(out, "al_pinned", debug.al_pinned);
	add_u64(out, "al_writes", info.al_writes);
	add_u64(out, "bm_writes", info.bm_writes);
	add_u64(out, "bitmap_bytes", debug.bitmap_bytes);
	if (measured != NULL) {
		add_u64(out, "al_hits", measured->al_hits);
		add_u64(out, "al_misses", measured->al_misses);
		add_u64(out, "al_starving", measured->al_starving);
		json_object_object_add(out, "stages", stages(measured->stage, words, BSR_STAGE_COUNT));
	}
	return out;
}

static struct json_object *peer_volume_counters(struct bsrd *d, uint32_t peer, uint32_t volume)
{
	static const char *const words[BSR_REMOTE_COUNT] = {"total", "disk", "network"};
	struct json_object *out = json_object_new_object();
	const struct bsr_measured_peer_device *measured =
		bsr_engine_measured_peer_device(d->engine, peer, volume);
	struct bsr_peer_device_info info;
	struct bsr_debug_peer_device debug;
	bsr_engine_peer_device_info(d->engine, peer, volume, &info);
	bsr_engine_debug_peer_device(d->engine, peer, volume, &debug);
	add_u64(out, "volume", d->running.volume[volume].vnr);
	add_u64(out, "sent", info.sent_bytes);
	add_u64(out, "received", info.received_bytes);
	add_u64(out, "pending", info.pending);
	add_u64(out, "unacked", info.unacked);
	add_u64(out, "out_of_sync", info.out_of_sync_bytes);
	add_u64(out, "resynced", debug.resynced_bytes);
	add_u64(out, "verified", debug.compared_bytes);
	add_u64(out, "resync_requests", debug.chunks);
	if (measured != NULL) {
		json_object_object_add(out, "stages", stages(measured->stage, words, BSR_REMOTE_COUNT));
	}
	return out;
}

static struct json_object *peer_counters(struct bsrd *d, uint32_t peer)
{
	struct json_object *out = json_object_new_object();
	struct json_object *volumes = json_object_new_array();
	struct bsr_link_traffic traffic = {0};
	struct bsr_peer_info info;
	bsr_engine_peer_info(d->engine, peer, &info);
	if (d->links != NULL) {
		bsr_links_traffic(d->links, peer, &traffic);
	}
	add_u64(out, "peer", peer);
	add_text(out, "name", d->running.peer[peer].name);
	add_text(out, "connection", bsr_conn_state_word(info.conn));
	add_u64(out, "sent", traffic.sent_bytes);
	add_u64(out, "received", traffic.received_bytes);
	add_u64(out, "in_flight", info.send_queued_bytes);
	add_u64(out, "data_queued", traffic.queued_bytes[BSR_STREAM_DATA]);
	add_u64(out, "control_queued", traffic.queued_bytes[BSR_STREAM_CONTROL]);
	for (uint32_t i = 0; i < BSR_VOLUMES_MAX; i++) {
		struct bsr_peer_device_info device;
		bsr_engine_peer_device_info(d->engine, peer, i, &device);
		if (d->running.volume[i].exists && device.exists) {
			json_object_array_add(volumes, peer_volume_counters(d, peer, i));
		}
	}
	json_object_object_add(out, "volumes", volumes);
	return out;
}

static struct json_object *memory_counters(struct bsrd *d)
{
	struct json_object *out = json_object_new_object();
	struct rusage usage;
	void *region = NULL;
	size_t bytes = 0;
	if (d->pool != NULL) {
		bsr_pool_region(d->pool, &region, &bytes);
		add_u64(out, "buffers", bsr_pool_in_use(d->pool));
	}
	add_u64(out, "buffer_bytes", bytes);
	add_u64(out, "engine_bytes", d->engine_bytes);
	if (getrusage(RUSAGE_SELF, &usage) == 0) {
		add_u64(out, "resident_max_bytes", (uint64_t)usage.ru_maxrss * 1024);
		add_u64(out, "cpu_us",
			((uint64_t)usage.ru_utime.tv_sec + (uint64_t)usage.ru_stime.tv_sec) * 1000000u +
				(uint64_t)usage.ru_utime.tv_usec + (uint64_t)usage.ru_stime.tv_usec);
	}
	return out;
}

void control_run_counters(struct control_request *request)
{
	struct bsrd *d = request->control->d;
	struct json_object *result = json_object_new_object();
	struct json_object *counters = json_object_new_object();
	struct json_object *resource = json_object_new_object();
	struct json_object *volumes = json_object_new_array();
	struct json_object *peers = json_object_new_array();
	struct bsr_resource_info info;
	struct bsr_debug_resource debug;
	const uint64_t since_ns = bsr_engine_measured_since_ns(d->engine);
	bsr_engine_resource_info(d->engine, &info);
	bsr_engine_debug_resource(d->engine, &debug);
	json_object_object_add(counters, "time_us", json_object_new_int64(status_wall_us()));
	add_u64(counters, "clock_ns", bsrd_now_ns(d));
	add_bool(counters, "measures", bsr_engine_measures(d->engine));
	if (since_ns != 0) {
		add_u64(counters, "since_ns", since_ns);
	}
	add_text(resource, "name", d->running.resource);
	add_text(resource, "role", bsr_role_word(info.role));
	add_u64(resource, "requests_pending", info.requests_pending);
	add_u64(resource, "requests_held", debug.requests_held);
	add_u64(resource, "oldest_request_us", debug.has_oldest ? debug.oldest_age_ns / 1000 : 0);
	add_bool(resource, "suspended", info.suspended != 0);
	add_u64(resource, "transfer_log_used", info.transfer_log_used);
	add_u64(resource, "peer_requests", debug.peer_requests);
	add_u64(resource, "disk_operations", debug.disk_ops);
	json_object_object_add(counters, "resource", resource);
	for (uint32_t i = 0; i < BSR_VOLUMES_MAX; i++) {
		if (d->running.volume[i].exists) {
			json_object_array_add(volumes, volume_counters(d, i));
		}
	}
	for (uint32_t i = 0; i < BSR_NODES_MAX; i++) {
		if (d->running.peer[i].exists) {
			json_object_array_add(peers, peer_counters(d, i));
		}
	}
	json_object_object_add(counters, "volumes", volumes);
	json_object_object_add(counters, "peers", peers);
	json_object_object_add(counters, "memory", memory_counters(d));
	json_object_object_add(result, "counters", counters);
	control_finish_ok(request, result);
}
