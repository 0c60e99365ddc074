// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * status_text.c - a snapshot as the text that `status` prints
 *
 * Owns:       order, conditions, indents and wrapping of the status text.
 * Invariants: scripts read this text: items are never renamed or reordered.
 */
#include "status_text.h"

#include "color.h"
#include "names.h"
#include "progress.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/** One logical line that is broken at blanks when it gets too long. */
struct line {
	struct bsr_text *out;
	const struct bsr_status_style *style;
	uint32_t column;
	uint32_t indent; /* of continuations */
	bool fresh;	 /* only the indent stands on it */
};

static void line_begin(struct line *line, uint32_t first_indent, uint32_t indent)
{
	bsr_text_add(line->out, "%*s", (int)first_indent, "");
	line->column = first_indent;
	line->indent = indent;
	line->fresh = true;
}

static void line_break(struct line *line)
{
	bsr_text_add(line->out, "\n%*s", (int)line->indent, "");
	line->column = line->indent;
	line->fresh = true;
}

static void line_end(struct line *line)
{
	bsr_text_add(line->out, "\n");
}

static void line_word(struct line *line, const char *label, const char *value, const char *color)
{
	uint32_t columns = (uint32_t)(strlen(label) + strlen(value));
	if (!line->fresh && line->column + 1 + columns > line->style->width) {
		line_break(line);
	}
	if (!line->fresh) {
		bsr_text_add(line->out, " ");
		line->column++;
	}
	const bool colored = line->style->color && color[0] != '\0';
	bsr_text_add(line->out, "%s%s%s%s", label, colored ? color : "", value,
		colored ? BSR_COLOR_END : "");
	line->column += columns;
	line->fresh = false;
}

static void line_int(struct line *line, const char *label, int64_t value)
{
	char digits[24];
	snprintf(digits, sizeof(digits), "%" PRId64, value);
	line_word(line, label, digits, "");
}

static void line_amount(struct line *line, const char *label, uint64_t bytes)
{
	struct bsr_text text = {0};
	bsr_progress_add_amount(&text, bytes, line->style->readable);
	line_word(line, label, bsr_text_string(&text), "");
	bsr_text_free(&text);
}

static void line_bytes(
	struct line *line, const char *label, struct json_object *object, const char *name)
{
	line_amount(line, label, (uint64_t)bsr_json_int(object, name, 0));
}

static void line_set(
	struct line *line, const char *label, struct json_object *set, const char *color)
{
	struct bsr_text text = {0};
	bsr_json_set_text(&text, set);
	line_word(line, label, bsr_text_string(&text), bsr_json_count(set) == 0 ? "" : color);
	bsr_text_free(&text);
}

static void format_resource(struct line *line, struct json_object *resource)
{
	const struct bsr_status_style *style = line->style;
	const char *role = bsr_json_string(resource, "role");
	struct json_object *suspended = bsr_json_array(resource, "suspended");

	line_begin(line, 0, 4);
	line_word(line, "", bsr_json_string(resource, "name"), "");
	if (style->verbose) {
		line_int(line, "node-id:", bsr_json_int(resource, "node_id", -1));
	}
	line_word(line, "role:", role, bsr_color_role(role, false));
	if (style->verbose || bsr_json_count(suspended) != 0) {
		line_set(line, "suspended:", suspended, bsr_color_bad(false));
	}
	if (style->verbose && bsr_names()->drbd) {
		line_word(line, "force-io-failures:", "no", "");
	}
	if (style->verbose && style->statistics) {
		line_break(line);
		line_word(line, "write-ordering:", bsr_json_string(resource, "write_ordering"), "");
		if (!bsr_names()->drbd) {
			line_int(line, "req-pending:", bsr_json_int(resource, "requests_pending", 0));
		}
	}
	line_end(line);
}

static void device_statistics(struct line *line, struct json_object *device)
{
	line_break(line);
	if (line->style->verbose) {
		line_bytes(line, "size:", device, "size");
	}
	line_bytes(line, "read:", device, "read");
	line_bytes(line, "written:", device, "written");
	if (line->style->verbose) {
		line_int(line, "al-writes:", bsr_json_int(device, "al_writes", 0));
		line_int(line, "bm-writes:", bsr_json_int(device, "bm_writes", 0));
		line_int(line, "upper-pending:", bsr_json_int(device, "upper_pending", 0));
		line_int(line, "lower-pending:", bsr_json_int(device, "lower_pending", 0));
		line_word(line,
			"al-suspended:", bsr_json_bool(device, "al_suspended") ? "yes" : "no", "");
	}
	if (line->style->verbose && !bsr_names()->drbd) {
		line_int(line,
			"al-pending-changes:", bsr_json_int(device, "al_pending_changes", 0));
		line_int(line, "al-used:", bsr_json_int(device, "al_used", 0));
		line_bytes(line, "accelbuf-used:", device, "accelbuf_used");
	}
}

/* What only DRBD's text has. */
static void drbd_device_words(struct line *line, struct json_object *device)
{
	const char *backing = bsr_json_string(device, "backing");

	if (line->style->verbose) {
		line_word(line, "backing_dev:", backing[0] != '\0' ? backing : "none", "");
		line_word(line, "quorum:", "yes", "");
	}
	if (bsr_json_has(device, "open")) {
		line_word(line, "open:", bsr_json_bool(device, "open") ? "yes" : "no", "");
	}
}

static void format_device(struct line *line, struct json_object *device, bool show_volume)
{
	const struct bsr_status_style *style = line->style;
	const char *disk = bsr_json_string(device, "disk");
	const char *client = bsr_json_string(device, "client");
	struct json_object *blocked = bsr_json_array(device, "blocked");

	line_begin(line, 2, 6);
	if (show_volume) {
		line_int(line, "volume:", bsr_json_int(device, "volume", -1));
	}
	if (style->verbose) {
		line_int(line, "minor:", bsr_json_int(device, "minor", -1));
	}
	line_word(line, "disk:", disk, bsr_color_disk(disk, false, strcmp(client, "yes") == 0));
	if (style->verbose && strcmp(disk, "Diskless") == 0) {
		line_word(line, "client:", client, "");
	}
	if (bsr_json_int(device, "io_errors", 0) != 0) {
		char count[24];
		snprintf(count, sizeof(count), "%" PRId64, bsr_json_int(device, "io_errors", 0));
		line_word(line, "io-error:", count, bsr_color_bad(false));
	}
	if (bsr_names()->drbd) {
		drbd_device_words(line, device);
	}
	if (style->statistics) {
		device_statistics(line, device);
	}
	if (style->verbose || bsr_json_count(blocked) != 0) {
		line_set(line, "blocked:", blocked, bsr_color_bad(false));
	}
	line_end(line);
}

static void format_connection(struct line *line, struct json_object *connection)
{
	const struct bsr_status_style *style = line->style;
	const char *name = bsr_json_string(connection, "name");
	const char *state = bsr_json_string(connection, "connection");
	const char *error = bsr_json_string(connection, "error");
	const bool connected = strcmp(state, "Connected") == 0;

	line_begin(line, 2, 6);
	if (name[0] != '\0') {
		line_word(line, "", name, "");
	}
	if (style->verbose || name[0] == '\0') {
		line_int(line, "node-id:", bsr_json_int(connection, "peer", -1));
	}
	if (style->verbose || !connected) {
		line_word(line, "connection:", state, bsr_color_connection(state));
		if (error[0] != '\0' && !bsr_names()->drbd) {
			line_word(line, "error:", error, bsr_color_bad(false));
		}
	}
	if (style->verbose || connected) {
		const char *role = bsr_json_string(connection, "role");
		line_word(line, "role:", role, bsr_color_role(role, true));
	}
	if (style->verbose && bsr_names()->drbd) {
		line_word(line, "tls:", "no", "");
	}
	if (style->verbose || bsr_json_bool(connection, "congested")) {
		const bool congested = bsr_json_bool(connection, "congested");
		line_word(line, "congested:", congested ? "yes" : "no",
			congested ? bsr_color_bad(true) : "");
		if (bsr_names()->drbd) {
			line_int(line, "ap-in-flight:", bsr_json_int(connection, "send_queued", 0) / 512);
			line_int(line, "rs-in-flight:", 0);
		}
	}
	line_end(line);
}

/* How fast, and how long still. DRBD's text has MiB per second over a while, and seconds. */
static void line_progress(struct line *line, struct json_object *peer_device)
{
	struct json_object *resync = bsr_json_object(peer_device, "resync");
	const uint64_t rate = bsr_progress_rate(peer_device);
	struct bsr_text text = {0};

	if (bsr_names()->drbd) {
		bsr_text_add(&text, "%" PRIu64 ".%02u", rate >> 20, (unsigned)((rate & 0xfffff) * 100 >> 20));
		line_word(line, "dbdt1:", bsr_text_string(&text), "");
		if (rate != 0) {
			line_int(line, "eta:", (int64_t)(bsr_progress_left(peer_device) / rate));
		}
	} else {
		bsr_progress_add_eta(&text, peer_device);
		line_amount(line, "speed:", rate);
		if (bsr_json_int(resync, "want", 0) != 0) { /* 0: no limit */
			line_bytes(line, "want:", resync, "want");
		}
		line_word(line, "eta:", bsr_text_string(&text), "");
		if (bsr_progress_limited_by(peer_device)[0] != '\0') {
			line_word(line, "limited-by:", bsr_progress_limited_by(peer_device), "");
		}
	}
	bsr_text_free(&text);
}

static void peer_device_statistics(struct line *line, struct json_object *peer_device)
{
	line_break(line);
	line_bytes(line, "received:", peer_device, "received");
	line_bytes(line, "sent:", peer_device, "sent");
	if (line->style->verbose || bsr_json_int(peer_device, "out_of_sync", 0) != 0) {
		line_bytes(line, "out-of-sync:", peer_device, "out_of_sync");
	}
	if (line->style->verbose) {
		line_int(line, "pending:", bsr_json_int(peer_device, "pending", 0));
		line_int(line, "unacked:", bsr_json_int(peer_device, "unacked", 0));
	}
	if (bsr_progress_runs(bsr_json_string(peer_device, "replication"))) {
		line_progress(line, peer_device);
	}
}

/* Above Established in the order of replication states: something is going on. */
static bool replication_is_busy(const char *replication)
{
	return strcmp(replication, "Off") != 0 && strcmp(replication, "Established") != 0;
}

static void format_peer_device(struct line *line, struct json_object *peer_device,
	struct json_object *device, bool show_volume)
{
	const struct bsr_status_style *style = line->style;
	const char *replication = bsr_json_string(peer_device, "replication");
	const char *disk = bsr_json_string(peer_device, "peer_disk");
	const char *client = bsr_json_string(peer_device, "peer_client");
	struct json_object *paused = bsr_json_array(peer_device, "resync_suspended");

	line_begin(line, 4, 8);
	if (show_volume) {
		line_int(line, "volume:", bsr_json_int(peer_device, "volume", -1));
	}
	if (style->verbose || replication_is_busy(replication)) {
		line_word(line, "replication:", replication, bsr_color_replication(replication));
	}
	line_word(line, "peer-disk:", disk, bsr_color_disk(disk, true, strcmp(client, "yes") == 0));
	if (style->verbose && strcmp(disk, "Diskless") == 0) {
		line_word(line, "peer-client:", client, "");
	}
	if (bsr_progress_runs(replication)) {
		char done[16];
		uint32_t share = bsr_progress_done(peer_device, device);
		snprintf(done, sizeof(done), "%u.%02u", share / 100, share % 100);
		line_word(line, "done:", done, "");
		if (style->progress && !style->statistics) {
			line_progress(line, peer_device);
		}
	}
	if (style->verbose || bsr_json_count(paused) != 0) {
		line_set(line, "resync-suspended:", paused, "");
	}
	if (style->statistics) {
		peer_device_statistics(line, peer_device);
	}
	line_end(line);
}

void bsr_status_text(
	struct bsr_text *out, struct json_object *snapshot, const struct bsr_status_style *style)
{
	struct line line = {.out = out, .style = style};
	struct json_object *devices = bsr_json_array(snapshot, "devices");
	struct json_object *connections = bsr_json_array(snapshot, "connections");
	const bool lonely = bsr_json_count(devices) == 1 &&
		bsr_json_int(bsr_json_at(devices, 0), "volume", -1) == 0;
	const bool show_volume = style->verbose || !lonely;

	format_resource(&line, bsr_json_object(snapshot, "resource"));
	for (size_t i = 0; i < bsr_json_count(devices); i++) {
		format_device(&line, bsr_json_at(devices, i), show_volume);
	}
	for (size_t i = 0; i < bsr_json_count(connections); i++) {
		struct json_object *connection = bsr_json_at(connections, i);
		struct json_object *peer_devices = bsr_json_array(connection, "peer_devices");
		const bool connected =
			strcmp(bsr_json_string(connection, "connection"), "Connected") == 0;
		format_connection(&line, connection);
		for (size_t j = 0; j < bsr_json_count(peer_devices); j++) {
			struct json_object *peer_device = bsr_json_at(peer_devices, j);
			if (!connected && !style->verbose && !style->statistics) {
				continue;
			}
			format_peer_device(&line, peer_device,
				bsr_json_find_volume(
					devices, bsr_json_int(peer_device, "volume", -1)),
				show_volume);
		}
	}
	bsr_text_add(out, "\n");
}
