// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * status_json.c - a snapshot as `status --json` prints it
 *
 * Owns:       names, order and types of the members. Amounts are KiB.
 * Invariants: members are added, never renamed, retyped or removed: scripts parse this.
 */
#include "status_json.h"

#include "names.h"
#include "progress.h"

#include <inttypes.h>
#include <string.h>

/** Where we are in the text: members are separated by commas and line breaks. */
struct writer {
	struct bsr_text *out;
	int indent;
	bool first;
};

static void writer_member(struct writer *w, const char *name)
{
	bsr_text_add(w->out, "%s%*s\"%s\": ", w->first ? "" : ",\n", w->indent, "", name);
	w->first = false;
}

static void writer_string(struct writer *w, const char *name, const char *value)
{
	struct json_object *text = json_object_new_string(value);
	writer_member(w, name);
	bsr_text_add(w->out, "%s",
		json_object_to_json_string_ext(text, JSON_C_TO_STRING_NOSLASHESCAPE));
	/* scripts that cut instead of parsing know a blank there */
	if (strcmp(name, "connection-state") == 0) {
		bsr_text_add(w->out, " ");
	}
	json_object_put(text);
}

static void writer_int(struct writer *w, const char *name, int64_t value)
{
	writer_member(w, name);
	bsr_text_add(w->out, "%" PRId64, value);
}

static void writer_bool(struct writer *w, const char *name, bool value)
{
	writer_member(w, name);
	bsr_text_add(w->out, "%s", value ? "true" : "false");
}

static void writer_set(struct writer *w, const char *name, struct json_object *set)
{
	struct bsr_text text = {0};
	bsr_json_set_text(&text, set);
	writer_string(w, name, bsr_text_string(&text));
	bsr_text_free(&text);
}

static void writer_hundredths(struct writer *w, const char *name, uint32_t value)
{
	writer_member(w, name);
	bsr_text_add(w->out, "%u.%02u", value / 100, value % 100);
}

static void writer_open_array(struct writer *w, const char *name)
{
	writer_member(w, name);
	bsr_text_add(w->out, "[");
}

static void writer_open_element(struct writer *w, bool first)
{
	bsr_text_add(w->out, "%s\n%*s{\n", first ? "" : ",", w->indent + 2, "");
	w->indent += 4;
	w->first = true;
}

static void writer_close_element(struct writer *w)
{
	w->indent -= 4;
	bsr_text_add(w->out, "\n%*s}", w->indent + 2, "");
	w->first = false;
}

static void writer_close_array(struct writer *w)
{
	bsr_text_add(w->out, " ]");
	w->first = false;
}

/* bsr's three words are two to DRBD. */
static void writer_client(struct writer *w, const char *name, const char *word)
{
	if (bsr_names()->drbd) {
		writer_bool(w, name, strcmp(word, "yes") == 0);
	} else {
		writer_string(w, name, word);
	}
}

static void write_device(struct writer *w, struct json_object *device)
{
	writer_int(w, "volume", bsr_json_int(device, "volume", -1));
	writer_int(w, "minor", bsr_json_int(device, "minor", -1));
	writer_string(w, "disk-state", bsr_json_string(device, "disk"));
	writer_client(w, "client", bsr_json_string(device, "client"));
	if (bsr_json_has(device, "open")) {
		writer_bool(w, "open", bsr_json_bool(device, "open"));
	}
	writer_bool(w, "quorum", true);
	if (!bsr_json_bool(device, "attached")) {
		return;
	}
	writer_string(w, "backing_dev", bsr_json_string(device, "backing"));
	writer_int(w, "size", bsr_json_int(device, "size", 0) / 1024);
	writer_int(w, "read", bsr_json_int(device, "read", 0) / 1024);
	writer_int(w, "written", bsr_json_int(device, "written", 0) / 1024);
	writer_int(w, "al-writes", bsr_json_int(device, "al_writes", 0));
	writer_int(w, "bm-writes", bsr_json_int(device, "bm_writes", 0));
	writer_int(w, "upper-pending", bsr_json_int(device, "upper_pending", 0));
	writer_int(w, "lower-pending", bsr_json_int(device, "lower_pending", 0));
}

static void write_resync(
	struct writer *w, struct json_object *peer_device, struct json_object *device)
{
	const char *replication = bsr_json_string(peer_device, "replication");
	struct json_object *resync = bsr_json_object(peer_device, "resync");
	const bool verify = strncmp(replication, "Verify", 6) == 0;
	const bool runs = bsr_progress_runs(replication);
	uint32_t done = bsr_progress_done(peer_device, device);

	writer_bool(w, "has-sync-details", runs && !verify);
	writer_bool(w, "has-online-verify-details", runs && verify);
	writer_hundredths(w, "percent-in-sync", done);
	if (!runs) {
		return;
	}
	writer_hundredths(w, "resync-done", done);
	writer_int(w, "resync-speed", (int64_t)(bsr_progress_rate(peer_device) / 1024));
	writer_int(w, "resync-want", bsr_json_int(resync, "want", 0) / 1024);
	if (!bsr_names()->drbd) {
		writer_int(w, "resync-left", (int64_t)(bsr_progress_left(peer_device) / 1024));
	}
	if (!bsr_names()->drbd && bsr_progress_limited_by(peer_device)[0] != '\0') {
		writer_string(w, "resync-limited-by", bsr_progress_limited_by(peer_device));
	}
	if (bsr_progress_rate(peer_device) != 0) {
		writer_int(w, "estimated-seconds-to-finish",
			(int64_t)(bsr_progress_left(peer_device) / bsr_progress_rate(peer_device)));
	}
}

static void write_peer_device(
	struct writer *w, struct json_object *peer_device, struct json_object *device)
{
	struct json_object *paused = bsr_json_array(peer_device, "resync_suspended");

	writer_int(w, "volume", bsr_json_int(peer_device, "volume", -1));
	writer_string(w, "replication-state", bsr_json_string(peer_device, "replication"));
	writer_string(w, "peer-disk-state", bsr_json_string(peer_device, "peer_disk"));
	writer_client(w, "peer-client", bsr_json_string(peer_device, "peer_client"));
	writer_set(w, "resync-suspended", paused);
	writer_int(w, "received", bsr_json_int(peer_device, "received", 0) / 1024);
	writer_int(w, "sent", bsr_json_int(peer_device, "sent", 0) / 1024);
	writer_int(w, "out-of-sync", bsr_json_int(peer_device, "out_of_sync", 0) / 1024);
	writer_int(w, "pending", bsr_json_int(peer_device, "pending", 0));
	writer_int(w, "unacked", bsr_json_int(peer_device, "unacked", 0));
	write_resync(w, peer_device, device);
}

/* "ipv4:10.0.0.1:7788" as DRBD's members: family, address, port */
static void write_endpoint(struct writer *w, const char *name, const char *text)
{
	const char *colon = strchr(text, ':');
	const char *port = strrchr(text, ':');
	writer_member(w, name);
	if (colon == NULL || port == colon) {
		bsr_text_add(w->out, "null");
		return;
	}
	const char *address = colon + 1;
	int length = (int)(port - address);
	if (address[0] == '[' && length >= 2) { /* IPv6: the brackets are not part of the address */
		address++;
		length -= 2;
	}
	bsr_text_add(w->out, "{ \"address\": \"%.*s\", \"port\": %ld, \"family\": \"%.*s\" }",
		length, address, strtol(port + 1, NULL, 10), (int)(colon - text), text);
}

static void write_paths(struct writer *w, struct json_object *paths)
{
	writer_open_array(w, "paths");
	for (size_t i = 0; i < bsr_json_count(paths); i++) {
		struct json_object *path = bsr_json_at(paths, i);
		writer_open_element(w, i == 0);
		write_endpoint(w, "this_host", bsr_json_string(path, "local"));
		write_endpoint(w, "remote_host", bsr_json_string(path, "remote"));
		writer_bool(w, "established", bsr_json_bool(path, "established"));
		writer_close_element(w);
	}
	writer_close_array(w);
}

static void write_connection(
	struct writer *w, struct json_object *connection, struct json_object *devices)
{
	struct json_object *peer_devices = bsr_json_array(connection, "peer_devices");

	writer_int(w, "peer-node-id", bsr_json_int(connection, "peer", -1));
	writer_string(w, "name", bsr_json_string(connection, "name"));
	writer_string(w, "connection-state", bsr_json_string(connection, "connection"));
	if (bsr_json_has(connection, "error")) {
		writer_string(w, "error", bsr_json_string(connection, "error"));
	}
	writer_bool(w, "congested", bsr_json_bool(connection, "congested"));
	writer_string(w, "peer-role", bsr_json_string(connection, "role"));
	writer_bool(w, "tls", false);
	writer_int(w, "ap-in-flight", bsr_json_int(connection, "send_queued", 0) / 512);
	writer_int(w, "rs-in-flight", 0);
	writer_int(w, "send-queued", bsr_json_int(connection, "send_queued", 0) / 1024);
	writer_int(w, "messages-rejected", bsr_json_int(connection, "rejected", 0));
	write_paths(w, bsr_json_array(connection, "paths"));
	writer_open_array(w, "peer_devices");
	for (size_t i = 0; i < bsr_json_count(peer_devices); i++) {
		struct json_object *peer_device = bsr_json_at(peer_devices, i);
		int64_t volume = bsr_json_int(peer_device, "volume", -1);
		writer_open_element(w, i == 0);
		write_peer_device(w, peer_device, bsr_json_find_volume(devices, volume));
		writer_close_element(w);
	}
	writer_close_array(w);
}

static void write_suspended(struct writer *w, struct json_object *suspended)
{
	writer_bool(w, "suspended", bsr_json_count(suspended) != 0);
	writer_bool(w, "suspended-user", bsr_json_set_has(suspended, "user"));
	writer_bool(w, "suspended-no-data", bsr_json_set_has(suspended, "no-data"));
	writer_bool(w, "suspended-fencing", bsr_json_set_has(suspended, "fencing"));
	writer_bool(w, "suspended-quorum", bsr_json_set_has(suspended, "quorum"));
	writer_bool(w, "force-io-failures", false);
}

void bsr_status_json_begin(struct bsr_text *out)
{
	bsr_text_add(out, "[\n");
}

void bsr_status_json(struct bsr_text *out, struct json_object *snapshot, bool first)
{
	struct json_object *resource = bsr_json_object(snapshot, "resource");
	struct json_object *devices = bsr_json_array(snapshot, "devices");
	struct json_object *connections = bsr_json_array(snapshot, "connections");
	struct writer w = {.out = out, .indent = 2, .first = true};

	bsr_text_add(out, "%s{\n", first ? "" : ",\n");
	writer_string(&w, "name", bsr_json_string(resource, "name"));
	writer_int(&w, "node-id", bsr_json_int(resource, "node_id", -1));
	writer_string(&w, "role", bsr_json_string(resource, "role"));
	write_suspended(&w, bsr_json_array(resource, "suspended"));
	writer_string(&w, "write-ordering", bsr_json_string(resource, "write_ordering"));
	writer_open_array(&w, "devices");
	for (size_t i = 0; i < bsr_json_count(devices); i++) {
		writer_open_element(&w, i == 0);
		write_device(&w, bsr_json_at(devices, i));
		writer_close_element(&w);
	}
	writer_close_array(&w);
	writer_open_array(&w, "connections");
	for (size_t i = 0; i < bsr_json_count(connections); i++) {
		writer_open_element(&w, i == 0);
		write_connection(&w, bsr_json_at(connections, i), devices);
		writer_close_element(&w);
	}
	writer_close_array(&w);
	bsr_text_add(out, "\n}\n");
}

void bsr_status_json_end(struct bsr_text *out)
{
	bsr_text_add(out, "]\n");
}
