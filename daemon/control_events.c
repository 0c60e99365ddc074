// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * control_events.c - events to subscribers
 *
 * Owns:       numbers of events; names of objects that are gone already.
 * Invariants:
 *   CTL-6  Every event gets the next number, subscribers or not; a snapshot names the last one it
 *          contains.
 *   CTL-7  An event carries the values of its moment where the engine gave them, else those of now.
 * Format:     docs/control.md, section 7
 */
#include "control.h"
#include "json_add.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <bsr/assert.h>
#include <bsr/handshake.h>

#define MARKS_PERIOD_NS 1000000000ull

static bool wants(const struct control_client *client, bool statistics, uint64_t seq)
{
	return client->used && client->subscribed && client->statistics == statistics && seq > client->after_seq;
}

static void send_to(struct bsr_control *control, bool statistics, uint64_t seq, struct json_object *event)
{
	size_t length = 0;
	const char *text = json_object_to_json_string_length(
		event, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE, &length);
	char *line = text == NULL ? NULL : malloc(length + 1);
	if (line == NULL) {
		return; /* out of memory: the gap in the numbers shows it */
	}
	memcpy(line, text, length);
	line[length] = '\n';
	for (uint32_t i = 0; i < BSR_CONTROL_CLIENTS_MAX; i++) {
		struct control_client *client = &control->client[i];
		if (wants(client, statistics, seq)) {
			control_send_event(client, line, length + 1, seq);
		}
	}
	free(line);
}

static bool anybody_wants(const struct bsr_control *control, bool statistics, uint64_t seq)
{
	for (uint32_t i = 0; i < BSR_CONTROL_CLIENTS_MAX; i++) {
		if (wants(&control->client[i], statistics, seq)) {
			return true;
		}
	}
	return false;
}

static const char *action_word(enum bsr_action action)
{
	switch (action) {
	case BSR_ACT_CREATE:
		return "create";
	case BSR_ACT_CHANGE:
		return "change";
	case BSR_ACT_DESTROY:
		return "destroy";
	}
	return "?";
}

static struct json_object *event_begin(
	struct bsr_control *control, uint64_t seq, const char *event, const char *object)
{
	struct json_object *out = json_object_new_object();
	if (control->time_us == 0) {
		control->time_us = status_wall_us();
	}
	add_int(out, "seq", (int64_t)seq);
	add_int(out, "time_us", control->time_us);
	add_text(out, "event", event);
	add_text(out, "object", object);
	return out;
}

/* ------------------------------------------------------------ state changes */

static void keep_shadows(struct bsr_control *control, const struct bsr_fx_state *state)
{
	const struct bsrd *d = control->d;
	if (state->volume < BSR_VOLUMES_MAX && d->running.volume[state->volume].exists) {
		control->volume_shadow[state->volume].vnr = d->running.volume[state->volume].vnr;
		control->volume_shadow[state->volume].minor = d->running.volume[state->volume].minor;
	}
	if (state->peer < BSR_NODES_MAX && d->running.peer[state->peer].exists) {
		snprintf(control->peer_shadow[state->peer], sizeof(control->peer_shadow[0]), "%s",
			d->running.peer[state->peer].name);
	}
}

static void add_peer_keys(const struct bsr_control *control, struct json_object *out, uint32_t peer)
{
	if (peer < BSR_NODES_MAX) {
		add_int(out, "peer", peer);
		add_text(out, "name", control->peer_shadow[peer]);
	}
}

static void add_volume_keys(
	const struct bsr_control *control, struct json_object *out, uint32_t volume, bool minor)
{
	if (volume < BSR_VOLUMES_MAX) {
		add_int(out, "volume", control->volume_shadow[volume].vnr);
		if (minor) {
			add_int(out, "minor", control->volume_shadow[volume].minor);
		}
	}
}

static void add_resource(struct bsr_control *control, struct json_object *out, const struct bsr_fx_state *state,
	bool statistics)
{
	status_add_resource(control->d, out, statistics);
	add_text(out, "role", bsr_role_word(state->u.resource.role));
	json_object_object_add(out, "suspended", status_suspended_words(state->u.resource.suspended));
}

static void add_device(struct bsr_control *control, struct json_object *out, const struct bsr_fx_state *state,
	bool statistics)
{
	status_add_device(control->d, state->volume, out, statistics);
	add_text(out, "disk", bsr_disk_state_word(state->u.volume.disk));
	if (statistics) {
		add_int(out, "size", (int64_t)state->u.volume.size_bytes);
	}
}

static void add_connection(struct bsr_control *control, struct json_object *out,
	const struct bsr_fx_state *state, bool statistics)
{
	status_add_connection(control->d, state->peer, out, statistics);
	add_text(out, "connection", bsr_conn_state_word(state->u.peer.conn));
	json_object_object_del(out, "error");
	if (state->u.peer.error != BSR_CONN_ERROR_NONE) {
		add_text(out, "error", bsr_conn_error_word(state->u.peer.error));
	}
	add_text(out, "role", bsr_role_word(state->u.peer.role));
}

static void add_peer_device(struct bsr_control *control, struct json_object *out,
	const struct bsr_fx_state *state, bool statistics)
{
	status_add_peer_device(control->d, state->peer, state->volume, out, statistics);
	add_text(out, "replication", bsr_repl_state_word(state->u.peer_device.repl));
	add_text(out, "peer_disk", bsr_disk_state_word(state->u.peer_device.disk));
	json_object_object_add(
		out, "resync_suspended", status_paused_words(state->u.peer_device.paused));
}

static struct json_object *make_event(
	struct bsr_control *control, uint64_t seq, const struct bsr_fx_state *state, bool statistics)
{
	const char *action = action_word(state->action);
	const bool gone = state->action == BSR_ACT_DESTROY;
	struct json_object *out = NULL;
	switch (state->object) {
	case BSR_OBJ_RESOURCE:
		out = event_begin(control, seq, action, "resource");
		if (!gone) {
			add_resource(control, out, state, statistics);
		}
		break;
	case BSR_OBJ_VOLUME:
		out = event_begin(control, seq, action, "device");
		add_volume_keys(control, out, state->volume, true);
		if (!gone) {
			add_device(control, out, state, statistics);
		}
		break;
	case BSR_OBJ_PEER:
		out = event_begin(control, seq, action, "connection");
		add_peer_keys(control, out, state->peer);
		if (!gone) {
			add_connection(control, out, state, statistics);
		}
		break;
	case BSR_OBJ_PEER_DEVICE:
		out = event_begin(control, seq, action, "peer-device");
		add_peer_keys(control, out, state->peer);
		add_volume_keys(control, out, state->volume, false);
		if (!gone) {
			add_peer_device(control, out, state, statistics);
		}
		break;
	}
	return out;
}

static bool indices_ok(const struct bsr_fx_state *state)
{
	const bool peer = state->object == BSR_OBJ_PEER || state->object == BSR_OBJ_PEER_DEVICE;
	const bool volume = state->object == BSR_OBJ_VOLUME || state->object == BSR_OBJ_PEER_DEVICE;
	return (!peer || state->peer < BSR_NODES_MAX) && (!volume || state->volume < BSR_VOLUMES_MAX);
}

static void publish_paths(struct bsr_control *control, uint32_t peer)
{
	for (uint32_t i = 0; i < control->d->running.peer[peer].path_count; i++) {
		const uint64_t seq = ++control->seq;
		struct json_object *event = event_begin(control, seq, "change", "path");
		add_peer_keys(control, event, peer);
		status_add_path(control->d, peer, i, event);
		send_to(control, false, seq, event);
		send_to(control, true, seq, event);
		json_object_put(event);
	}
}

static void publish_state(struct bsr_control *control, uint64_t seq, const struct bsr_fx_state *state)
{
	if (control->d->engine == NULL) {
		return;
	}
	keep_shadows(control, state);
	for (int statistics = 0; statistics <= 1; statistics++) {
		if (anybody_wants(control, statistics != 0, seq)) {
			struct json_object *event = make_event(control, seq, state, statistics != 0);
			send_to(control, statistics != 0, seq, event);
			json_object_put(event);
		}
	}
}

void control_publish_queued(struct bsr_control *control)
{
	uint32_t connections = 0; /* bit set of peers whose paths may have changed with them */
	for (uint32_t i = 0; i < control->queued_count; i++) {
		const struct bsr_fx_state *state = &control->queued[i].state;
		publish_state(control, control->queued[i].seq, state);
		if (state->object == BSR_OBJ_PEER && state->action == BSR_ACT_CHANGE) {
			connections |= 1u << state->peer;
		}
	}
	control->queued_count = 0;
	for (uint32_t peer = 0; peer < BSR_NODES_MAX && control->subscribers > 0; peer++) {
		if ((connections & (1u << peer)) != 0 && control->d->engine != NULL) {
			publish_paths(control, peer);
		}
	}
}

void control_on_state(struct bsr_control *control, const struct bsr_fx_state *state)
{
	if (control == NULL) {
		return; /* while the process starts */
	}
	BSR_ASSERT(indices_ok(state));
	keep_shadows(control, state);
	control->seq++;
	control->marks_dirty = true;
	if (control->subscribers == 0) {
		return;
	}
	if (control->queued_count == BSR_CONTROL_QUEUED_MAX) {
		control_publish_queued(control);
	}
	control->queued[control->queued_count].seq = control->seq;
	control->queued[control->queued_count++].state = *state;
	control->dirty = true;
}

/* The few records of the log that programs want to be told. NULL: not one of them. */
static struct json_object *log_event(struct bsr_control *control, uint64_t seq, const struct bsr_fx_log *log)
{
	struct json_object *event = NULL;
	if (log->number == BSR_LOGN_IO_ERROR) {
		event = event_begin(control, seq, "notify", "io-error");
		add_volume_keys(control, event, log->volume, true);
		add_text(event, "disk", "data");
		add_text(event, "io", log->arg[2] != 0 ? "write" : "read");
		add_int(event, "sector", (int64_t)(log->arg[0] / BSR_SECTOR_BYTES));
		add_int(event, "size", (int64_t)log->arg[1]);
	} else if (log->number == BSR_LOGN_MD_IO_ERROR) {
		event = event_begin(control, seq, "notify", "io-error");
		add_volume_keys(control, event, log->volume, true);
		add_text(event, "disk", "meta");
	} else if (log->number == BSR_LOGN_HANDSHAKE_STANDALONE && log->arg[1] == BSR_HS_SPLIT_BRAIN) {
		event = event_begin(control, seq, "detect", "split-brain");
		add_peer_keys(control, event, log->peer);
		add_volume_keys(control, event, log->volume, false);
		add_text(event, "recover", "manually");
	}
	return event;
}

void control_on_log(struct bsr_control *control, const struct bsr_fx_log *log)
{
	if (control == NULL) {
		return;
	}
	control->marks_dirty = true;
	if (control->subscribers == 0 ||
		(log->number != BSR_LOGN_IO_ERROR && log->number != BSR_LOGN_MD_IO_ERROR &&
			log->number != BSR_LOGN_HANDSHAKE_STANDALONE)) {
		return;
	}
	control_publish_queued(control);
	struct json_object *event = log_event(control, control->seq + 1, log);
	if (event != NULL) {
		control->seq++;
		send_to(control, false, control->seq, event);
		send_to(control, true, control->seq, event);
		json_object_put(event);
	}
}

/* ----------------------------------------------------------------- the others */

void control_publish_path(struct bsr_control *control, enum bsr_action action, uint32_t peer, const char *local,
	const char *remote)
{
	control_publish_queued(control);
	const uint64_t seq = ++control->seq;
	if (control->subscribers == 0) {
		return;
	}
	struct json_object *event = event_begin(control, seq, action_word(action), "path");
	add_peer_keys(control, event, peer);
	add_text(event, "local", local);
	add_text(event, "remote", remote);
	if (action != BSR_ACT_DESTROY) {
		json_object_object_add(event, "established", json_object_new_boolean(false));
	}
	send_to(control, false, seq, event);
	send_to(control, true, seq, event);
	json_object_put(event);
}

void control_on_helper(struct bsr_control *control, const struct bsr_fx_handler *handler, bool response, int status)
{
	if (control == NULL) {
		return;
	}
	control_publish_queued(control);
	const uint64_t seq = ++control->seq;
	if (control->subscribers == 0) {
		return;
	}
	struct json_object *event = event_begin(control, seq, response ? "response" : "call", "helper");
	add_peer_keys(control, event, handler->peer);
	add_volume_keys(control, event, handler->volume, true);
	add_text(event, "helper", bsr_handler_word(handler->handler));
	if (response) { /* as a process table has it */
		add_int(event, "status", status < 0 ? status : (status & 0xff) << 8);
	}
	send_to(control, false, seq, event);
	send_to(control, true, seq, event);
	json_object_put(event);
}

void control_end_events(struct bsr_control *control)
{
	control_publish_queued(control);
	control->seq++;
	for (uint32_t i = 0; i < BSR_CONTROL_CLIENTS_MAX; i++) {
		struct control_client *client = &control->client[i];
		if (client->used && client->subscribed && !client->closing) {
			char line[128];
			int length = snprintf(line, sizeof(line),
				"{\"seq\":%" PRIu64 ",\"time_us\":%" PRId64 ",\"event\":\"end\"}\n", control->seq,
				status_wall_us());
			control_send_event(client, line, (size_t)length, control->seq);
			if (client->used && !client->closing) {
				control_close_after(client);
			}
		}
	}
}

/* --------------------------------------------- changes that are no state change */

static uint64_t mix(uint64_t mark, uint64_t value)
{
	return (mark ^ value) * 0x100000001b3ull;
}

static uint64_t volume_mark(const struct bsr_volume_info *info)
{
	uint64_t mark = mix(0xcbf29ce484222325ull, info->md_usable ? 1 : 0);
	mark = mix(mark, info->md_flags);
	mark = mix(mark, info->current_gi.v);
	mark = mix(mark, info->history[0].v);
	return mix(mark, info->history[1].v);
}

static void publish_again(struct bsr_control *control, const struct bsr_fx_state *state)
{
	struct bsr_fx_state copy = *state;
	copy.action = BSR_ACT_CHANGE;
	control_on_state(control, &copy);
}

static void check_volume(struct bsr_control *control, uint32_t volume)
{
	struct bsr_volume_info info;
	bsr_engine_volume_info(control->d->engine, volume, &info);
	uint64_t mark = info.exists ? volume_mark(&info) : 0;
	if (mark == control->volume_mark[volume]) {
		return;
	}
	const bool known = control->volume_mark[volume] != 0;
	control->volume_mark[volume] = mark;
	if (info.exists && known) {
		publish_again(control,
			&(struct bsr_fx_state){.object = BSR_OBJ_VOLUME,
				.volume = volume,
				.peer = UINT32_MAX,
				.u.volume = {.disk = info.disk, .size_bytes = info.size_bytes}});
	}
}

static void check_peer_device(struct bsr_control *control, uint32_t peer, uint32_t volume)
{
	struct bsr_peer_device_info info;
	bsr_engine_peer_device_info(control->d->engine, peer, volume, &info);
	uint64_t mark = info.exists
		? mix(mix(0xcbf29ce484222325ull, info.bitmap_gi.v), info.md_peer_flags)
		: 0;
	if (mark == control->peer_mark[peer][volume]) {
		return;
	}
	const bool known = control->peer_mark[peer][volume] != 0;
	control->peer_mark[peer][volume] = mark;
	if (info.exists && known) {
		publish_again(control,
			&(struct bsr_fx_state){.object = BSR_OBJ_PEER_DEVICE,
				.volume = volume,
				.peer = peer,
				.u.peer_device = {
					.repl = info.repl, .disk = info.disk, .paused = info.paused}});
	}
}

void control_check_marks(struct bsr_control *control)
{
	const struct bsrd *d = control->d;
	control->marks_ns = bsrd_now_ns(d) + MARKS_PERIOD_NS;
	if (d->engine == NULL || d->going_down) {
		return;
	}
	for (uint32_t volume = 0; volume < BSR_VOLUMES_MAX; volume++) {
		if (!d->running.volume[volume].exists) {
			continue;
		}
		check_volume(control, volume);
		for (uint32_t peer = 0; peer < BSR_NODES_MAX; peer++) {
			if (d->running.peer[peer].exists) {
				check_peer_device(control, peer, volume);
			}
		}
	}
	control->marks_dirty = false;
}
