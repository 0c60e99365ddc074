// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * query_json.c - what the commands that only ask print with --json: one object, on one line
 *
 * Owns:       names of the members. They are those of `status --json` and `events2 --json` where those have them.
 */
#include "query_json.h"

#include "event_fields.h"

#include <string.h>

static struct json_object *begin(struct json_object *snapshot)
{
	struct json_object *out = json_object_new_object();
	json_object_object_add(out, "name",
		json_object_new_string(bsr_json_string(bsr_json_object(snapshot, "resource"), "name")));
	return out;
}

static void add_text(struct json_object *out, const char *name, const char *text)
{
	json_object_object_add(out, name, json_object_new_string(text));
}

static void add_int(struct json_object *out, const char *name, int64_t value)
{
	json_object_object_add(out, name, json_object_new_int64(value));
}

static void add_peer(struct json_object *out, struct json_object *connection)
{
	add_int(out, "peer-node-id", bsr_json_int(connection, "peer", -1));
	add_text(out, "conn-name", bsr_json_string(connection, "name"));
}

static void finish(struct bsr_text *text, struct json_object *out)
{
	bsr_text_add(text, "%s\n",
		json_object_to_json_string_ext(out, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE));
	json_object_put(out);
}

void bsr_query_json_role(struct bsr_text *text, struct json_object *snapshot)
{
	struct json_object *out = begin(snapshot);
	add_text(out, "role", bsr_json_string(bsr_json_object(snapshot, "resource"), "role"));
	finish(text, out);
}

void bsr_query_json_connection(
	struct bsr_text *text, struct json_object *snapshot, struct json_object *connection)
{
	struct json_object *out = begin(snapshot);
	add_peer(out, connection);
	add_text(out, "connection-state", bsr_json_string(connection, "connection"));
	if (bsr_json_has(connection, "error")) {
		add_text(out, "error", bsr_json_string(connection, "error"));
	}
	finish(text, out);
}

void bsr_query_json_device(struct bsr_text *text, struct json_object *snapshot, struct json_object *device)
{
	struct json_object *out = begin(snapshot);
	struct json_object *peers = json_object_new_array();
	struct json_object *connections = bsr_json_array(snapshot, "connections");
	const int64_t volume = bsr_json_int(device, "volume", -1);

	add_int(out, "volume", volume);
	add_int(out, "minor", bsr_json_int(device, "minor", -1));
	add_text(out, "disk-state", bsr_json_string(device, "disk"));
	for (size_t i = 0; i < bsr_json_count(connections); i++) {
		struct json_object *connection = bsr_json_at(connections, i);
		struct json_object *peer_device =
			bsr_json_find_volume(bsr_json_array(connection, "peer_devices"), volume);
		if (peer_device != NULL) {
			struct json_object *peer = json_object_new_object();
			add_peer(peer, connection);
			add_text(peer, "peer-disk-state", bsr_json_string(peer_device, "peer_disk"));
			json_object_array_add(peers, peer);
		}
	}
	json_object_object_add(out, "peers", peers);
	finish(text, out);
}

static void take_members(struct json_object *out, struct json_object *from)
{
	if (from == NULL) {
		return;
	}
	json_object_object_foreach(from, name, value)
	{
		json_object_object_add(out, name, json_object_get(value));
	}
	json_object_put(from);
}

bool bsr_query_json_gi(struct bsr_text *text, struct json_object *snapshot, struct json_object *connection,
	int64_t volume)
{
	struct json_object *device = bsr_json_find_volume(bsr_json_array(snapshot, "devices"), volume);
	struct json_object *peer_device =
		bsr_json_find_volume(bsr_json_array(connection, "peer_devices"), volume);
	struct json_object *gi = bsr_event_gi_fields(device, peer_device);
	struct json_object *flags = json_object_new_object();

	if (gi == NULL) {
		json_object_put(flags);
		return false;
	}
	struct json_object *out = begin(snapshot);
	add_peer(out, connection);
	add_int(out, "volume", volume);
	take_members(out, gi);
	take_members(flags, bsr_event_device_flag_fields(device));
	add_int(flags, "was-primary", bsr_json_set_has(bsr_json_array(device, "md_flags"), "was-primary") ? 1 : 0);
	take_members(flags, bsr_event_peer_flag_fields(peer_device));
	json_object_object_add(out, "flags", flags);
	finish(text, out);
	return true;
}
