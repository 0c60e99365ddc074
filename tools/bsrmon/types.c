// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * types.c - what bsrmon can show, and how it comes from two readings of the counters
 *
 * Owns:       the table of types and fields; the only place that knows which counter means what.
 * Invariants: counters come from another process: members may be missing, of another type, or smaller than
 * before; then a field is 0, never nonsense.
 */
#include "types.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include <bsr/assert.h>
#include <bsr/measure.h>

/* clang-format off: it does not know what these are */
#define TIMES(prefix, path)                                                                                  \
	{prefix ".complete_count", "", MON_T_COUNT, path}, {prefix ".min", "us", MON_T_MIN, path},           \
		{prefix ".max", "us", MON_T_MAX, path}, {prefix ".avg", "us", MON_T_AVG, path},              \
		{prefix ".p50", "us", MON_T_P50, path},                                                      \
	{                                                                                                    \
		prefix ".p99", "us", MON_T_P99, path                                                         \
	}
#define END                                                                                                  \
	{                                                                                                    \
		NULL, NULL, MON_GAUGE, NULL                                                                  \
	}
/* clang-format on */

static const struct mon_field iostat[] = {{"read.iops", "1/s", MON_RATE, "stages.read.count"},
	{"read.iocnt", "", MON_COUNT, "stages.read.count"}, {"read.kbs", "KiB/s", MON_RATE_KIB, "read_bytes"},
	{"read.kb", "KiB", MON_COUNT_KIB, "read_bytes"},
	{"write.iops", "1/s", MON_RATE, "stages.write.count"},
	{"write.iocnt", "", MON_COUNT, "stages.write.count"},
	{"write.kbs", "KiB/s", MON_RATE_KIB, "written_bytes"},
	{"write.kb", "KiB", MON_COUNT_KIB, "written_bytes"}, END};

static const struct mon_field ioclat[] = {TIMES("local", "stages.disk_read+stages.disk_write"),
	TIMES("master", "stages.read+stages.write"), END};

static const struct mon_field io_pending[] = {{"upper_pending", "", MON_GAUGE, "upper_pending"},
	{"pending_latency", "us", MON_GAUGE, "^resource.oldest_request_us"},
	{"lower_pending", "", MON_GAUGE, "lower_pending"}, {"al_wait_req", "", MON_GAUGE, "waiting_al"},
	{"upper_blocked.suspended", "", MON_GAUGE, "^resource.suspended"},
	{"upper_blocked.suspend_cnt", "", MON_GAUGE, "^resource.requests_held"},
	{"upper_blocked.new_generation", "", MON_GAUGE, "waiting_generation"}, END};

static const struct mon_field reqstat[] = {TIMES("before_al_begin", "stages.held"),
	TIMES("in_actlog", "stages.activity_log"), TIMES("bio_endio", "stages.disk_write"),
	TIMES("bio_flush", "stages.disk_flush"), TIMES("bio_read", "stages.disk_read"),
	TIMES("destroy", "stages.write"), TIMES("flush", "stages.flush"), TIMES("read", "stages.read"), END};
static const struct mon_field reqstat_peer[] = {TIMES("acked", "stages.total"),
	TIMES("network", "stages.network"), TIMES("peer_disk", "stages.disk"), END};

static const struct mon_field peer_reqstat[] = {
	TIMES("submit", "stages.peer_queue"), TIMES("destroy", "stages.peer_write"), END};

static const struct mon_field alstat[] = {{"al_extents", "", MON_GAUGE, "al_extents"},
	{"al_used", "", MON_GAUGE, "al_used"}, {"al_pinned", "", MON_GAUGE, "al_pinned"},
	{"hits", "", MON_COUNT, "al_hits"}, {"misses", "", MON_COUNT, "al_misses"},
	{"starving", "", MON_COUNT, "al_starving"}, {"changed", "", MON_COUNT, "al_writes"},
	{"al_wait_req", "", MON_GAUGE, "waiting_al"}, {"io_errors", "", MON_COUNT, "io_errors"}, END};

static const struct mon_field resync_peer[] = {{"replication", "KiB/s", MON_RATE_KIB, "sent"},
	{"resync", "KiB/s", MON_RATE_KIB, "resynced"}, {"resync_ratio", "%", MON_SHARE, "resynced|sent"},
	{"verify", "KiB/s", MON_RATE_KIB, "verified"},
	{"rs_in_flight", "", MON_GAUGE, "resync_requests"},
	{"out_of_sync", "KiB", MON_GAUGE_KIB, "out_of_sync"}, END};

static const struct mon_field network_peer[] = {
	{"send", "KiB/s", MON_RATE_KIB, "sent"}, {"recv", "KiB/s", MON_RATE_KIB, "received"}, END};

static const struct mon_field sendbuf_peer[] = {{"ap_in_flight", "bytes", MON_GAUGE, "in_flight"},
	{"data_stream", "bytes", MON_GAUGE, "data_queued"},
	{"control_stream", "bytes", MON_GAUGE, "control_queued"}, END};

static const struct mon_field memstat[] = {{"buffers_used", "", MON_GAUGE, "memory.buffers"},
	{"buffers", "KiB", MON_GAUGE_KIB, "memory.buffer_bytes"},
	{"engine", "KiB", MON_GAUGE_KIB, "memory.engine_bytes"},
	{"resident_max", "KiB", MON_GAUGE_KIB, "memory.resident_max_bytes"},
	{"cpu", "%", MON_PERCENT, "memory.cpu_us"}, END};

static const struct mon_field hoststat[] = {{"total", "KiB", MON_GAUGE, "MemTotal"},
	{"used", "KiB", MON_GAUGE, "used"}, {"free", "KiB", MON_GAUGE, "MemFree"},
	{"buff", "KiB", MON_GAUGE, "Buffers"}, {"cached", "KiB", MON_GAUGE, "Cached"},
	{"available", "KiB", MON_GAUGE, "MemAvailable"}, END};

static const struct mon_type types[] = {
	{"iostat", "requests of applications: number and bytes", MON_VOLUME, iostat, NULL},
	{"ioclat", "how long they take: on the local disk, and in all", MON_VOLUME, ioclat, NULL},
	{"io_pending", "what is under way, what waits, and the age of the oldest", MON_VOLUME, io_pending,
		NULL},
	{"reqstat", "times of each stage; of peers: in all, network, their disk", MON_VOLUME, reqstat,
		reqstat_peer},
	{"peer_reqstat", "times of peers' writes on this host", MON_VOLUME, peer_reqstat, NULL},
	{"alstat", "activity log", MON_VOLUME, alstat, NULL},
	{"resync_ratio", "replication, resync and verify, per peer", MON_VOLUME, NULL, resync_peer},
	{"network", "bytes to and from each peer", MON_RESOURCE, NULL, network_peer},
	{"sendbuf", "bytes that wait for the network, per peer", MON_RESOURCE, NULL, sendbuf_peer},
	{"memstat", "memory and processor time of a resource's engine process", MON_RESOURCE, memstat, NULL},
	{"memory", "memory of the host", MON_HOST, hoststat, NULL},
};
#define TYPES (sizeof(types) / sizeof(types[0]))

const struct mon_type *mon_type_at(uint32_t index)
{
	return index < TYPES ? &types[index] : NULL;
}

int mon_type_find(const char *name)
{
	for (uint32_t i = 0; i < TYPES; i++) {
		if (strcmp(types[i].name, name) == 0) {
			return (int)i;
		}
	}
	return -1;
}

bool mon_types_parse(const char *text, uint32_t *mask, char *bad, size_t room)
{
	const uint32_t all = (1u << TYPES) - 1;
	uint32_t found = 0;
	while (*text != '\0') {
		const size_t length = strcspn(text, ",");
		char word[64];
		snprintf(word, sizeof(word), "%.*s", length < 63 ? (int)length : 63, text);
		const int index = mon_type_find(word);
		if (strcmp(word, "all") == 0) {
			found = all;
		} else if (index < 0) {
			snprintf(bad, room, "%s", word);
			return false;
		} else {
			found |= 1u << index;
		}
		text += length + (text[length] == ',');
	}
	*mask = found == 0 ? all : found;
	return true;
}

void mon_types_text(struct bsr_text *out, uint32_t mask)
{
	const char *comma = "";
	for (uint32_t i = 0; i < TYPES; i++) {
		if ((mask >> i & 1u) != 0) {
			bsr_text_add(out, "%s%s", comma, types[i].name);
			comma = ",";
		}
	}
}

uint32_t mon_fields_count(const struct mon_field *field)
{
	uint32_t count = 0;
	while (field != NULL && field[count].name != NULL) {
		count++;
	}
	BSR_ASSERT(count <= MON_FIELDS_MAX);
	return count;
}

/* --------------------------------------------------------------- histograms */

struct times {
	int64_t count;
	int64_t sum_ns;
	int64_t bucket[BSR_HISTOGRAM_BUCKETS];
};

static void times_add(struct times *t, struct json_object *histogram, int64_t sign)
{
	struct json_object *buckets = bsr_json_array(histogram, "buckets");
	t->sum_ns += sign * bsr_json_int(histogram, "sum_ns", 0);
	for (size_t i = 0; i < bsr_json_count(buckets); i++) {
		struct json_object *pair = bsr_json_at(buckets, i);
		if (!json_object_is_type(pair, json_type_array) || json_object_array_length(pair) != 2) {
			continue;
		}
		const int64_t index = json_object_get_int64(json_object_array_get_idx(pair, 0));
		const int64_t count = json_object_get_int64(json_object_array_get_idx(pair, 1));
		if (index >= 0 && index < (int64_t)BSR_HISTOGRAM_BUCKETS && count >= 0 &&
			count < INT64_MAX / 1024) {
			t->bucket[index] += sign * count;
		}
	}
}

/* Where in sorted order the @part-th of 1000 lies: the end of its bucket, in microseconds. */
static int64_t percentile(const struct times *t, int64_t part)
{
	const int64_t wanted = (t->count * part + 999) / 1000;
	int64_t passed = 0;
	for (uint32_t i = 0; i < BSR_HISTOGRAM_BUCKETS; i++) {
		passed += t->bucket[i];
		if (passed >= wanted && t->bucket[i] > 0) {
			return (int64_t)(bsr_histogram_floor_ns(i + 1) / 1000);
		}
	}
	return 0;
}

static int64_t shortest(const struct times *t)
{
	for (uint32_t i = 0; i < BSR_HISTOGRAM_BUCKETS; i++) {
		if (t->bucket[i] > 0) {
			return (int64_t)(bsr_histogram_floor_ns(i) / 1000);
		}
	}
	return 0;
}

static int64_t times_value(struct times *t, enum mon_kind kind)
{
	t->count = 0;
	for (uint32_t i = 0; i < BSR_HISTOGRAM_BUCKETS; i++) {
		t->bucket[i] = t->bucket[i] > 0 ? t->bucket[i] : 0;
		t->count += t->bucket[i] < INT64_MAX / 1024 ? t->bucket[i] : 0;
	}
	if (t->count == 0 || kind == MON_T_COUNT) {
		return t->count;
	}
	switch (kind) {
	case MON_T_MIN:
		return shortest(t);
	case MON_T_MAX:
		return percentile(t, 1000);
	case MON_T_AVG:
		return t->sum_ns > 0 ? t->sum_ns / t->count / 1000 : 0;
	case MON_T_P50:
		return percentile(t, 500);
	case MON_T_P99:
		return percentile(t, 990);
	case MON_RATE:
	case MON_RATE_KIB:
	case MON_COUNT:
	case MON_COUNT_KIB:
	case MON_GAUGE:
	case MON_GAUGE_KIB:
	case MON_SHARE:
	case MON_PERCENT:
	case MON_T_COUNT:
		break;
	}
	return 0;
}

void mon_histogram_buckets(struct json_object *before, struct json_object *now, int64_t *bucket)
{
	struct times t = {0};
	times_add(&t, now, 1);
	times_add(&t, before, -1);
	for (uint32_t i = 0; i < BSR_HISTOGRAM_BUCKETS; i++) {
		bucket[i] = t.bucket[i] > 0 && t.bucket[i] < INT64_MAX / 1024 ? t.bucket[i] : 0;
	}
}

/* --------------------------------------------------------------------- fields */

/** An object in both readings, and the readings as a whole. */
struct pair {
	struct json_object *before;
	struct json_object *now;
	struct json_object *all_before;
	struct json_object *all_now;
	int64_t elapsed_ns;
};

/* Member "a.b.c" of @object, @length bytes of @path; NULL when there is none */
static struct json_object *member(struct json_object *object, const char *path, size_t length)
{
	char word[64];
	while (length > 0 && object != NULL) {
		const char *dot = memchr(path, '.', length);
		const size_t part = dot != NULL ? (size_t)(dot - path) : length;
		BSR_ASSERT(part < sizeof(word));
		memcpy(word, path, part);
		word[part] = '\0';
		struct json_object *next = NULL;
		if (!json_object_is_type(object, json_type_object) ||
			!json_object_object_get_ex(object, word, &next)) {
			return NULL;
		}
		object = next;
		path += part + (dot != NULL);
		length -= part + (dot != NULL);
	}
	return object;
}

/* The sum of what @path names, up to a '|' */
static int64_t sum_at(struct json_object *object, struct json_object *all, const char *path)
{
	int64_t sum = 0;
	if (*path == '^') {
		object = all;
		path++;
	}
	for (;;) {
		const size_t length = strcspn(path, "+|");
		const int64_t value = json_object_get_int64(member(object, path, length));
		sum += value > 0 && value < INT64_MAX / 1024 ? value : 0;
		if (path[length] != '+') {
			return sum;
		}
		path += length + 1;
	}
}

static int64_t grown(const struct pair *p, const char *path)
{
	const int64_t before = sum_at(p->before, p->all_before, path);
	const int64_t now = sum_at(p->now, p->all_now, path);
	return now > before ? now - before : 0;
}

static int64_t per_second(int64_t amount, int64_t elapsed_ns)
{
	return elapsed_ns > 0 ? (int64_t)((double)amount * 1e9 / (double)elapsed_ns + 0.5) : 0;
}

static int64_t share(const struct pair *p, const char *path)
{
	const int64_t mine = grown(p, path);
	const int64_t other = grown(p, strchr(path, '|') + 1);
	return mine + other > 0 ? (int64_t)((double)mine * 100.0 / ((double)mine + (double)other)) : 0;
}

static int64_t times_at(const struct pair *p, const struct mon_field *f)
{
	struct times t = {0};
	const char *path = f->path;
	for (;;) {
		const size_t length = strcspn(path, "+");
		times_add(&t, member(p->now, path, length), 1);
		times_add(&t, member(p->before, path, length), -1);
		if (path[length] == '\0') {
			return times_value(&t, f->kind);
		}
		path += length + 1;
	}
}

static int64_t value_of(const struct pair *p, const struct mon_field *f)
{
	switch (f->kind) {
	case MON_RATE:
		return per_second(grown(p, f->path), p->elapsed_ns);
	case MON_RATE_KIB:
		return per_second(grown(p, f->path), p->elapsed_ns) >> 10;
	case MON_COUNT:
		return grown(p, f->path);
	case MON_COUNT_KIB:
		return grown(p, f->path) >> 10;
	case MON_GAUGE:
		return sum_at(p->now, p->all_now, f->path);
	case MON_GAUGE_KIB:
		return sum_at(p->now, p->all_now, f->path) >> 10;
	case MON_SHARE:
		return share(p, f->path);
	case MON_PERCENT:
		return per_second(grown(p, f->path), p->elapsed_ns) / 10000;
	case MON_T_COUNT:
	case MON_T_MIN:
	case MON_T_MAX:
	case MON_T_AVG:
	case MON_T_P50:
	case MON_T_P99:
		break;
	}
	return times_at(p, f);
}

/* --------------------------------------------------------------------- records */

struct work {
	const struct mon_readings *readings;
	const struct mon_filter *filter;
	mon_record_fn fn;
	void *ctx;
	int64_t elapsed_ns;
	struct mon_record record;
};

static void emit(
	struct work *w, const struct mon_field *field, struct json_object *before, struct json_object *now)
{
	const struct pair p = {before, now, w->readings->before, w->readings->now, w->elapsed_ns};
	w->record.field = field;
	w->record.count = mon_fields_count(field);
	for (uint32_t i = 0; i < w->record.count; i++) {
		w->record.value[i] = value_of(&p, &field[i]);
	}
	w->fn(w->ctx, &w->record);
}

static bool peer_wanted(const struct mon_filter *filter, const char *name)
{
	if (filter->peers == NULL) {
		return true;
	}
	for (size_t i = 0; i < bsr_json_count(filter->peers); i++) {
		if (strcmp(json_object_get_string(bsr_json_at(filter->peers, i)), name) == 0) {
			return true;
		}
	}
	return false;
}

static struct json_object *find_peer(struct json_object *counters, const char *name)
{
	struct json_object *peers = bsr_json_array(counters, "peers");
	for (size_t i = 0; i < bsr_json_count(peers); i++) {
		if (strcmp(bsr_json_string(bsr_json_at(peers, i), "name"), name) == 0) {
			return bsr_json_at(peers, i);
		}
	}
	return NULL;
}

/* Of each peer, or of one volume with each peer. */
static void peers_of(struct work *w, const struct mon_type *type, int64_t volume)
{
	struct json_object *peers = bsr_json_array(w->readings->now, "peers");
	for (size_t i = 0; type->peer_field != NULL && i < bsr_json_count(peers); i++) {
		struct json_object *now = bsr_json_at(peers, i);
		const char *name = bsr_json_string(now, "name");
		struct json_object *before = find_peer(w->readings->before, name);
		if (!peer_wanted(w->filter, name)) {
			continue;
		}
		if (type->scope == MON_VOLUME) {
			now = bsr_json_find_volume(bsr_json_array(now, "volumes"), volume);
			before = bsr_json_find_volume(bsr_json_array(before, "volumes"), volume);
		}
		if (now != NULL) {
			snprintf(w->record.peer, sizeof(w->record.peer), "%s", name);
			emit(w, type->peer_field, before, now);
			w->record.peer[0] = '\0';
		}
	}
}

static void volumes_of(struct work *w, const struct mon_type *type)
{
	struct json_object *volumes = bsr_json_array(w->readings->now, "volumes");
	for (size_t i = 0; i < bsr_json_count(volumes); i++) {
		struct json_object *now = bsr_json_at(volumes, i);
		const int64_t volume = bsr_json_int(now, "volume", -1);
		if (volume < 0 || (w->filter->volume >= 0 && w->filter->volume != volume)) {
			continue;
		}
		w->record.volume = volume;
		if (type->field != NULL) {
			emit(w, type->field,
				bsr_json_find_volume(bsr_json_array(w->readings->before, "volumes"), volume),
				now);
		}
		peers_of(w, type, volume);
	}
	w->record.volume = -1;
}

void mon_compute(
	const struct mon_readings *readings, const struct mon_filter *filter, mon_record_fn fn, void *ctx)
{
	static struct work w; /* large */
	w = (struct work){
		.readings = readings, .filter = filter, .fn = fn, .ctx = ctx, .record = {.volume = -1}};
	w.elapsed_ns =
		bsr_json_int(readings->now, "clock_ns", 0) - bsr_json_int(readings->before, "clock_ns", 0);
	snprintf(w.record.resource, sizeof(w.record.resource), "%s",
		readings->resource != NULL ? readings->resource : "");
	for (uint32_t i = 0; i < TYPES; i++) {
		const struct mon_type *type = &types[i];
		const bool of_host = readings->resource == NULL;
		if ((filter->types >> i & 1u) == 0 || (type->scope == MON_HOST) != of_host) {
			continue;
		}
		w.record.type = type;
		if (type->scope == MON_VOLUME) {
			volumes_of(&w, type);
			continue;
		}
		if (type->field != NULL) {
			emit(&w, type->field, readings->before, readings->now);
		}
		peers_of(&w, type, -1);
	}
}
