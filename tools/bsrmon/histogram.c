// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * histogram.c - how the times of each stage are spread, over one period
 *
 * Owns:       the rows: one for each power of two that has requests.
 */
#include "mon.h"

#include <inttypes.h>
#include <string.h>

#include <bsr/measure.h>

#include "view.h"

#define BAR_CELLS 30

/* Buckets of one power of two share a row; the first one is what is below eight units. */
static uint32_t row_of(uint32_t index)
{
	return index >> BSR_HISTOGRAM_STEP_SHIFT;
}

static void print_row(struct bsr_text *out, uint32_t row, int64_t count, int64_t all)
{
	char from[32], until[32];
	struct bsr_text text = {0};
	const uint32_t steps = 1u << BSR_HISTOGRAM_STEP_SHIFT;
	mon_duration(&text, (int64_t)(bsr_histogram_floor_ns(row * steps) / 1000));
	snprintf(from, sizeof(from), "%s", row == 0 ? "0" : bsr_text_string(&text));
	bsr_text_clear(&text);
	mon_duration(&text, (int64_t)(bsr_histogram_floor_ns((row + 1) * steps) / 1000));
	snprintf(until, sizeof(until), "%s", bsr_text_string(&text));
	bsr_text_free(&text);
	bsr_text_add(out, "\t%8s .. %-8s %9" PRId64 " %5.1f%% ", from, until, count,
		100.0 * (double)count / (double)all);
	for (int64_t cell = 0; cell < (count * BAR_CELLS + all - 1) / all; cell++) {
		bsr_text_add(out, "#");
	}
	bsr_text_add(out, "\n");
}

void mon_print_histogram(struct bsr_text *out, const char *title, const int64_t *bucket)
{
	int64_t row[BSR_HISTOGRAM_BUCKETS >> BSR_HISTOGRAM_STEP_SHIFT] = {0};
	int64_t all = 0;
	for (uint32_t i = 0; i < BSR_HISTOGRAM_BUCKETS; i++) {
		row[row_of(i)] += bucket[i];
		all += bucket[i];
	}
	if (all == 0) {
		return;
	}
	bsr_text_add(out, "%s {\n", title);
	for (uint32_t i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
		if (row[i] > 0) {
			print_row(out, i, row[i], all);
		}
	}
	bsr_text_add(out, "}\n");
}

struct json_object *mon_json_histogram(const int64_t *bucket)
{
	struct json_object *out = json_object_new_array();
	for (uint32_t i = 0; i < BSR_HISTOGRAM_BUCKETS; i++) {
		if (bucket[i] > 0) {
			struct json_object *one = json_object_new_object();
			json_object_object_add(one, "from_us",
				json_object_new_double((double)bsr_histogram_floor_ns(i) / 1000));
			json_object_object_add(one, "until_us",
				json_object_new_double((double)bsr_histogram_floor_ns(i + 1) / 1000));
			json_object_object_add(one, "count", json_object_new_int64(bucket[i]));
			json_object_array_add(out, one);
		}
	}
	return out;
}

struct spread {
	struct bsr_text text;
	struct json_object *json; /* array, NULL: text */
	const char *resource;
	int64_t volume;
	const char *peer; /* "": none */
};

/* Every stage of one object in both readings. */
static void add_stages(struct spread *s, struct json_object *before, struct json_object *now)
{
	struct json_object *stages = bsr_json_object(now, "stages");
	struct json_object *older = bsr_json_object(before, "stages");
	if (stages == NULL) {
		return;
	}
	json_object_object_foreach(stages, name, histogram)
	{
		int64_t bucket[BSR_HISTOGRAM_BUCKETS];
		mon_histogram_buckets(bsr_json_object(older, name), histogram, bucket);
		if (s->json == NULL) {
			char title[400];
			snprintf(title, sizeof(title), "%.128s vnr %" PRId64 "%s%.128s %.40s", s->resource,
				s->volume, s->peer[0] != '\0' ? " peer " : "", s->peer, name);
			mon_print_histogram(&s->text, title, bucket);
			continue;
		}
		struct json_object *one = json_object_new_object();
		json_object_object_add(one, "resource", json_object_new_string(s->resource));
		json_object_object_add(one, "vnr", json_object_new_int64(s->volume));
		if (s->peer[0] != '\0') {
			json_object_object_add(one, "peer", json_object_new_string(s->peer));
		}
		json_object_object_add(one, "stage", json_object_new_string(name));
		json_object_object_add(one, "buckets", mon_json_histogram(bucket));
		json_object_array_add(s->json, one);
	}
}

static struct json_object *named_peer(struct json_object *counters, const char *name)
{
	struct json_object *peers = bsr_json_array(counters, "peers");
	for (size_t i = 0; i < bsr_json_count(peers); i++) {
		if (strcmp(bsr_json_string(bsr_json_at(peers, i), "name"), name) == 0) {
			return bsr_json_at(peers, i);
		}
	}
	return NULL;
}

static void add_volume(struct spread *s, const struct mon_source *source)
{
	struct json_object *peers = bsr_json_array(source->now, "peers");
	s->peer = "";
	add_stages(s, bsr_json_find_volume(bsr_json_array(source->before, "volumes"), s->volume),
		bsr_json_find_volume(bsr_json_array(source->now, "volumes"), s->volume));
	for (size_t i = 0; i < bsr_json_count(peers); i++) {
		struct json_object *now = bsr_json_at(peers, i);
		s->peer = bsr_json_string(now, "name");
		struct json_object *before = named_peer(source->before, s->peer);
		add_stages(s, bsr_json_find_volume(bsr_json_array(before, "volumes"), s->volume),
			bsr_json_find_volume(bsr_json_array(now, "volumes"), s->volume));
	}
}

static void add_source(struct spread *s, const struct mon_source *source, int64_t wanted)
{
	struct json_object *volumes = bsr_json_array(source->now, "volumes");
	s->resource = source->name;
	for (size_t i = 0; source->before != NULL && i < bsr_json_count(volumes); i++) {
		s->volume = bsr_json_int(bsr_json_at(volumes, i), "volume", -1);
		if (s->volume >= 0 && (wanted < 0 || wanted == s->volume)) {
			add_volume(s, source);
		}
	}
}

int mon_run_histogram(const struct mon_call *call)
{
	struct bsr_settings settings;
	struct mon_sources sources = {0};
	struct mon_filter filter;
	struct spread s = {.json = call->json ? json_object_new_array() : NULL};
	struct json_object *names = json_object_new_array();
	if (!mon_filter_of(call, "", call->word_count > 1 ? call->word[1] : NULL, &filter)) {
		json_object_put(names);
		json_object_put(s.json);
		return MON_USAGE;
	}
	if (call->word_count > 0) {
		json_object_array_add(names, json_object_new_string(call->word[0]));
	}
	mon_load_settings(&settings);
	mon_sources_read(&sources, names, true, false);
	int rc = mon_all_there(&sources, names, &filter) ? MON_OK : MON_REFUSED;
	if (rc == MON_OK) {
		mon_pause_ms((int64_t)settings.monitor_period_s * 1000);
		mon_sources_read(&sources, names, true, false);
		for (size_t i = 0; i < sources.count; i++) {
			add_source(&s, &sources.at[i], filter.volume);
		}
		fputs(call->json ? json_object_to_json_string_ext(
					   s.json, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE)
				 : bsr_text_string(&s.text),
			stdout);
		fputs(call->json ? "\n" : "", stdout);
	}
	bsr_text_free(&s.text);
	json_object_put(s.json);
	json_object_put(names);
	mon_sources_close(&sources);
	return rc;
}
