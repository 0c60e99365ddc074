// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * view.c - what `bsrmon watch` shows of all resources, as lines of text
 *
 * Owns:       the lines; what is remembered for the sparklines.
 * May touch:  nothing of the terminal: tests look at the text.
 */
#include "view.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../bsrsetup/color.h"
#include "../bsrsetup/progress.h"

#define BAR_CELLS 24u

/* --------------------------------------------------------------------- pieces */

void mon_spark(struct bsr_text *out, const int64_t *value, uint32_t count, bool utf8)
{
	static const char *const bars[] = {
		"\u2581", "\u2582", "\u2583", "\u2584", "\u2585", "\u2586", "\u2587", "\u2588"};
	static const char *const plain[] = {"_", ".", ",", "-", "=", "+", "*", "#"};
	int64_t most = 1;
	for (uint32_t i = 0; i < count; i++) {
		most = value[i] > most ? value[i] : most;
	}
	for (uint32_t i = 0; i < count; i++) {
		const double part = (double)(value[i] > 0 ? value[i] : 0) / (double)most;
		const size_t step = (size_t)(part * 7.0 + 0.5);
		bsr_text_add(out, "%s", utf8 ? bars[step] : plain[step]);
	}
}

void mon_bar(struct bsr_text *out, uint32_t done, uint32_t width)
{
	const uint32_t full = (uint32_t)((uint64_t)(done < 10000 ? done : 10000) * width / 10000);
	bsr_text_add(out, "[");
	for (uint32_t i = 0; i < width; i++) {
		bsr_text_add(out, "%s", i < full ? "=" : i == full ? ">" : " ");
	}
	bsr_text_add(out, "]");
}

void mon_amount(struct bsr_text *out, int64_t kib)
{
	static const char units[] = "KMGTP";
	double value = (double)(kib > 0 ? kib : 0);
	size_t unit = 0;
	while (value >= 999.5 && units[unit + 1] != '\0') {
		value /= 1024;
		unit++;
	}
	bsr_text_add(out, unit == 0 || value >= 99.95 ? "%.0f%c" : "%.1f%c", value, units[unit]);
}

void mon_duration(struct bsr_text *out, int64_t us)
{
	if (us <= 0) {
		bsr_text_add(out, "-");
	} else if (us < 1000) {
		bsr_text_add(out, "%" PRId64 "us", us);
	} else if (us < 1000000) {
		bsr_text_add(out, "%.1fms", (double)us / 1e3);
	} else {
		bsr_text_add(out, "%.1fs", (double)us / 1e6);
	}
}

void mon_clip(struct bsr_text *out, const char *line, size_t bytes, uint32_t columns)
{
	uint32_t cells = 0;
	bool colored = false;
	for (size_t i = 0; i < bytes;) {
		size_t used = 1;
		const unsigned char c = (unsigned char)line[i];
		if (c == 0x1b) {
			while (i + used < bytes && (line[i + used] < '@' || line[i + used] == '[')) {
				used++;
			}
			used += i + used < bytes;
			colored = true;
		} else {
			while (i + used < bytes && ((unsigned char)line[i + used] & 0xc0) == 0x80) {
				used++;
			}
			if (cells++ == columns) {
				break;
			}
		}
		bsr_text_add_bytes(out, line + i, used);
		i += used;
	}
	if (colored) {
		bsr_text_add(out, BSR_COLOR_END);
	}
}

/* -------------------------------------------------------------------- history */

static struct mon_lane *lane_of(struct mon_view *view, const char *resource, int64_t volume, const char *peer)
{
	for (size_t i = 0; i < view->count; i++) {
		struct mon_lane *l = &view->lane[i];
		if (l->volume == volume && strcmp(l->resource, resource) == 0 && strcmp(l->peer, peer) == 0) {
			return l;
		}
	}
	if (view->count == view->room) {
		view->room = view->room == 0 ? 16 : view->room * 2;
		view->lane = realloc(view->lane, view->room * sizeof(*view->lane));
		if (view->lane == NULL) {
			abort(); /* nothing else can be shown without memory */
		}
	}
	struct mon_lane *l = &view->lane[view->count++];
	memset(l, 0, sizeof(*l));
	snprintf(l->resource, sizeof(l->resource), "%s", resource);
	snprintf(l->peer, sizeof(l->peer), "%s", peer);
	l->volume = volume;
	return l;
}

static const struct mon_lane *lane_find(
	const struct mon_view *view, const char *resource, int64_t volume, const char *peer)
{
	for (size_t i = 0; i < view->count; i++) {
		const struct mon_lane *l = &view->lane[i];
		if (l->volume == volume && strcmp(l->resource, resource) == 0 && strcmp(l->peer, peer) == 0) {
			return l;
		}
	}
	return NULL;
}

static void begin_period(struct mon_lane *l)
{
	if (l->fresh) {
		return;
	}
	l->fresh = true;
	if (l->count == MON_HISTORY) {
		memmove(l->kib, l->kib + 1, sizeof(l->kib) - sizeof(l->kib[0]));
		memmove(l->p99_us, l->p99_us + 1, sizeof(l->p99_us) - sizeof(l->p99_us[0]));
		l->count--;
	}
	l->kib[l->count] = 0;
	l->p99_us[l->count] = 0;
	l->count++;
}

static int64_t named(const struct mon_record *r, const char *name)
{
	for (uint32_t i = 0; i < r->count; i++) {
		if (strcmp(r->field[i].name, name) == 0) {
			return r->value[i];
		}
	}
	return 0;
}

static void on_record(void *ctx, const struct mon_record *r)
{
	struct mon_lane *l = lane_of(ctx, r->resource, r->volume, r->peer);
	begin_period(l);
	if (r->peer[0] != '\0' && strcmp(r->type->name, "reqstat") == 0) {
		l->network_p99_us = named(r, "network.p99");
		l->disk_p99_us = named(r, "peer_disk.p99");
		l->p99_us[l->count - 1] = named(r, "acked.p99");
	} else if (r->peer[0] != '\0') {
		l->write_kib = named(r, "replication") + named(r, "resync");
		l->kib[l->count - 1] = l->write_kib;
	} else if (strcmp(r->type->name, "iostat") == 0) {
		l->read_iops = named(r, "read.iops");
		l->read_kib = named(r, "read.kbs");
		l->write_iops = named(r, "write.iops");
		l->write_kib = named(r, "write.kbs");
		l->kib[l->count - 1] = l->read_kib + l->write_kib;
	} else if (strcmp(r->type->name, "ioclat") == 0) {
		l->p99_us[l->count - 1] = named(r, "master.p99");
	}
}

void mon_view_round(struct mon_view *view, const struct mon_sources *sources)
{
	struct mon_filter filter = {.volume = -1};
	char bad[64];
	mon_types_parse("iostat,ioclat,reqstat,resync_ratio", &filter.types, bad, sizeof(bad));
	for (size_t i = 0; i < view->count; i++) {
		view->lane[i].fresh = false;
	}
	mon_sources_compute(sources, &filter, on_record, view);
	size_t kept = 0;
	for (size_t i = 0; i < view->count; i++) {
		if (view->lane[i].fresh) {
			view->lane[kept++] = view->lane[i];
		}
	}
	view->count = kept;
}

void mon_view_free(struct mon_view *view)
{
	free(view->lane);
	memset(view, 0, sizeof(*view));
}

/* ---------------------------------------------------------------------- lines */

static void word(const struct mon_view *view, struct bsr_text *out, const char *color, const char *text)
{
	const bool colored = view->color && color[0] != '\0';
	bsr_text_add(out, "%s%s%s", colored ? color : "", text, colored ? BSR_COLOR_END : "");
}

static void sparkline(const struct mon_view *view, struct bsr_text *out, const int64_t *value, uint32_t count)
{
	const uint32_t shown = count < 16 ? count : 16;
	bsr_text_add(out, " ");
	mon_spark(out, value + (count - shown), shown, view->utf8);
}

static void lane_text(const struct mon_view *view, const struct mon_lane *l, struct bsr_text *out)
{
	if (l == NULL) {
		bsr_text_add(out, "  measuring");
		return;
	}
	if (l->peer[0] == '\0') {
		bsr_text_add(out, "  r %" PRId64 "/s ", l->read_iops);
		mon_amount(out, l->read_kib);
		bsr_text_add(out, "/s  w %" PRId64 "/s ", l->write_iops);
	} else {
		bsr_text_add(out, "  out ");
	}
	mon_amount(out, l->write_kib);
	bsr_text_add(out, "/s");
	sparkline(view, out, l->kib, l->count);
	bsr_text_add(out, "  p99 ");
	mon_duration(out, l->p99_us[l->count - 1]);
	if (l->peer[0] != '\0' && l->network_p99_us > 0) {
		bsr_text_add(out, " (net ");
		mon_duration(out, l->network_p99_us);
		bsr_text_add(out, ", disk ");
		mon_duration(out, l->disk_p99_us);
		bsr_text_add(out, ")");
	}
	sparkline(view, out, l->p99_us, l->count);
}

static void progress_line(struct json_object *peer_device, struct json_object *device, struct bsr_text *out)
{
	const uint32_t done = bsr_progress_done(peer_device, device);
	bsr_text_add(out, "        ");
	mon_bar(out, done, BAR_CELLS);
	bsr_text_add(out, " %3u.%02u%%  ", (unsigned)(done / 100), (unsigned)(done % 100));
	mon_amount(out, (int64_t)(bsr_progress_rate(peer_device) >> 10));
	bsr_text_add(out, "/s  left ");
	mon_amount(out, (int64_t)(bsr_progress_left(peer_device) >> 10));
	bsr_text_add(out, ", ");
	bsr_progress_add_eta(out, peer_device);
	if (bsr_progress_limited_by(peer_device)[0] != '\0') {
		bsr_text_add(out, "  limited by %s", bsr_progress_limited_by(peer_device));
	}
	if (bsr_progress_found(peer_device) != 0) {
		bsr_text_add(out, "  differs ");
		mon_amount(out, (int64_t)(bsr_progress_found(peer_device) >> 10));
	}
	bsr_text_add(out, "\n");
}

static void peer_line(const struct mon_view *view, const struct mon_source *s, struct json_object *connection,
	struct json_object *device, struct bsr_text *out)
{
	const char *name = bsr_json_string(connection, "name");
	const char *state = bsr_json_string(connection, "connection");
	const int64_t volume = bsr_json_int(device, "volume", -1);
	struct json_object *pd = bsr_json_find_volume(bsr_json_array(connection, "peer_devices"), volume);
	bsr_text_add(out, "      %-10s ", name);
	word(view, out, bsr_color_connection(state), state);
	if (strcmp(state, "Connected") == 0) {
		const char *role = bsr_json_string(connection, "role");
		const char *disk = bsr_json_string(pd, "peer_disk");
		const char *replication = bsr_json_string(pd, "replication");
		bsr_text_add(out, " ");
		word(view, out, bsr_color_role(role, true), role);
		bsr_text_add(out, " ");
		word(view, out, bsr_color_disk(disk, true, false), disk);
		bsr_text_add(out, " ");
		word(view, out, bsr_color_replication(replication), replication);
		lane_text(view, lane_find(view, s->name, volume, name), out);
	}
	if (bsr_json_bool(connection, "congested")) {
		bsr_text_add(out, "  ");
		word(view, out, bsr_color_bad(true), "congested");
	}
	const int64_t missing = bsr_json_int(pd, "out_of_sync", 0);
	if (missing > 0) {
		bsr_text_add(out, "  out of sync ");
		mon_amount(out, missing >> 10);
	}
	bsr_text_add(out, "\n");
	if (bsr_progress_runs(bsr_json_string(pd, "replication"))) {
		progress_line(pd, device, out);
	}
}

static void device_lines(const struct mon_view *view, const struct mon_source *s, struct json_object *device,
	struct bsr_text *out)
{
	struct json_object *connections = bsr_json_array(s->snapshot, "connections");
	const char *disk = bsr_json_string(device, "disk");
	const int64_t volume = bsr_json_int(device, "volume", -1);
	bsr_text_add(out, "  vol %" PRId64 " bsr%" PRId64 " ", volume, bsr_json_int(device, "minor", -1));
	word(view, out, bsr_color_disk(disk, false, false), disk);
	bsr_text_add(out, " ");
	mon_amount(out, bsr_json_int(device, "size", 0) >> 10);
	lane_text(view, lane_find(view, s->name, volume, ""), out);
	bsr_text_add(out, "\n");
	for (size_t i = 0; i < bsr_json_count(connections); i++) {
		peer_line(view, s, bsr_json_at(connections, i), device, out);
	}
}

static bool is_well(const struct mon_source *s)
{
	struct json_object *devices = bsr_json_array(s->snapshot, "devices");
	struct json_object *connections = bsr_json_array(s->snapshot, "connections");
	bool well = s->trouble[0] == '\0';
	for (size_t i = 0; i < bsr_json_count(devices); i++) {
		well = well && strcmp(bsr_json_string(bsr_json_at(devices, i), "disk"), "UpToDate") == 0;
	}
	for (size_t i = 0; i < bsr_json_count(connections); i++) {
		struct json_object *peer_devices =
			bsr_json_array(bsr_json_at(connections, i), "peer_devices");
		well = well &&
		       strcmp(bsr_json_string(bsr_json_at(connections, i), "connection"), "Connected") == 0;
		for (size_t d = 0; d < bsr_json_count(peer_devices); d++) {
			well = well && strcmp(bsr_json_string(bsr_json_at(peer_devices, d), "peer_disk"),
					       "UpToDate") == 0;
		}
	}
	return well;
}

static void source_lines(const struct mon_view *view, const struct mon_source *s, struct bsr_text *out)
{
	struct json_object *resource = bsr_json_object(s->snapshot, "resource");
	struct json_object *devices = bsr_json_array(s->snapshot, "devices");
	const char *role = bsr_json_string(resource, "role");
	word(view, out, "\033[1m", s->name);
	bsr_text_add(out, " ");
	if (s->trouble[0] != '\0') {
		word(view, out, bsr_color_bad(false), s->trouble);
		bsr_text_add(out, "\n");
		return;
	}
	word(view, out, bsr_color_role(role, false), role);
	if (bsr_json_count(bsr_json_array(resource, "suspended")) > 0) {
		struct bsr_text why = {0};
		bsr_json_set_text(&why, bsr_json_array(resource, "suspended"));
		bsr_text_add(out, "  ");
		word(view, out, bsr_color_bad(false), "suspended: ");
		bsr_text_add(out, "%s", bsr_text_string(&why));
		bsr_text_free(&why);
	}
	const int64_t oldest = bsr_json_int(bsr_json_object(s->now, "resource"), "oldest_request_us", 0);
	if (oldest >= 1000000) {
		bsr_text_add(out, "  ");
		word(view, out, bsr_color_bad(false), "a request waits since ");
		mon_duration(out, oldest);
	}
	bsr_text_add(out, "\n");
	for (size_t i = 0; i < bsr_json_count(devices); i++) {
		device_lines(view, s, bsr_json_at(devices, i), out);
	}
}

void mon_view_print(const struct mon_view *view, const struct mon_sources *sources, const char *when,
	struct bsr_text *out)
{
	size_t unwell = 0;
	for (size_t i = 0; i < sources->count; i++) {
		unwell += !is_well(&sources->at[i]);
	}
	bsr_text_add(out, "bsrmon %s  %.19s  ", view->host, when);
	if (sources->count == 0) {
		bsr_text_add(out, "no resource runs\n");
		return;
	}
	bsr_text_add(out, "%zu resource%s, ", sources->count, sources->count == 1 ? "" : "s");
	if (unwell == 0) {
		word(view, out, "\033[32m", "all well");
	} else {
		char text[40];
		snprintf(text, sizeof(text), "%zu not well", unwell);
		word(view, out, bsr_color_bad(false), text);
	}
	bsr_text_add(out, "\n");
	for (size_t i = 0; i < sources->count; i++) {
		source_lines(view, &sources->at[i], out);
	}
}
