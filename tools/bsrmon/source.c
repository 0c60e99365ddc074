// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * source.c - running resources and their last two readings
 *
 * Owns:       a connection to each resource; it carries the wish for collection, which ends with it.
 * Invariants: a resource that hangs or dies costs its own readings, and others at most a delay now and then:
 * it is left alone for longer and longer.
 */
#include "source.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <bsr/assert.h>

#define ANSWER_MS 2000
#define PATIENCE_FIRST_MS 10000
#define PATIENCE_MAX_MS 300000

static void forget_readings(struct mon_source *s)
{
	json_object_put(s->before);
	json_object_put(s->now);
	json_object_put(s->snapshot);
	s->before = s->now = s->snapshot = NULL;
}

static void hang_up(struct mon_source *s)
{
	if (s->open) {
		bsr_client_close(&s->client);
	}
	s->open = s->measures = false;
}

static int64_t clock_ms(void)
{
	struct timespec now;
	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void troubled(struct mon_source *s, const char *what, int error)
{
	if (error == -ETIMEDOUT) {
		s->patience_ms = s->patience_ms == 0 ? PATIENCE_FIRST_MS : s->patience_ms * 2;
		s->patience_ms = s->patience_ms < PATIENCE_MAX_MS ? s->patience_ms : PATIENCE_MAX_MS;
		s->again_ms = clock_ms() + s->patience_ms;
	}
	snprintf(s->trouble, sizeof(s->trouble), "%.60s: %.80s", what, strerror(-error));
	hang_up(s);
	forget_readings(s);
}

static struct mon_source *find(struct mon_sources *sources, const char *name)
{
	for (size_t i = 0; i < sources->count; i++) {
		if (strcmp(sources->at[i].name, name) == 0) {
			return &sources->at[i];
		}
	}
	return NULL;
}

static struct mon_source *add(struct mon_sources *sources, const char *name)
{
	if (sources->count == sources->room) {
		sources->room = sources->room == 0 ? 16 : sources->room * 2;
		sources->at = realloc(sources->at, sources->room * sizeof(*sources->at));
		if (sources->at == NULL) {
			fputs("bsrmon: out of memory\n", stderr);
			exit(1);
		}
	}
	struct mon_source *s = &sources->at[sources->count++];
	memset(s, 0, sizeof(*s));
	snprintf(s->name, sizeof(s->name), "%s", name);
	return s;
}

static int by_name(const void *a, const void *b)
{
	return strcmp(((const struct mon_source *)a)->name, ((const struct mon_source *)b)->name);
}

static bool is_wanted(struct json_object *names, const char *name)
{
	if (names == NULL || json_object_array_length(names) == 0) {
		return true;
	}
	for (size_t i = 0; i < bsr_json_count(names); i++) {
		if (strcmp(json_object_get_string(bsr_json_at(names, i)), name) == 0) {
			return true;
		}
	}
	return false;
}

static void look_around(struct mon_sources *sources, struct json_object *names)
{
	struct json_object *listed = bsr_client_list();
	for (size_t i = 0; i < sources->count; i++) {
		sources->at[i].listed = false;
	}
	for (size_t i = 0; i < bsr_json_count(listed); i++) {
		const char *name = json_object_get_string(bsr_json_at(listed, i));
		if (is_wanted(names, name)) {
			struct mon_source *s = find(sources, name);
			(s != NULL ? s : add(sources, name))->listed = true;
		}
	}
	json_object_put(listed);
	size_t kept = 0;
	for (size_t i = 0; i < sources->count; i++) {
		if (sources->at[i].listed) {
			sources->at[kept++] = sources->at[i];
		} else {
			hang_up(&sources->at[i]);
			forget_readings(&sources->at[i]);
		}
	}
	sources->count = kept;
	if (kept > 1) {
		qsort(sources->at, kept, sizeof(*sources->at), by_name);
	}
}

/* Member @member of the result of @command, the caller's; NULL after trouble was noted */
static struct json_object *ask(struct mon_source *s, const char *command, const char *member)
{
	struct json_object *request = json_object_new_object();
	struct json_object *reply = NULL;
	struct json_object *found = NULL;
	json_object_object_add(request, "command", json_object_new_string(command));
	if (strcmp(command, "measure") == 0) {
		json_object_object_add(request, "on", json_object_new_boolean(true));
	}
	int rc = bsr_client_call(&s->client, request, &reply, ANSWER_MS);
	json_object_put(request);
	if (rc != 0) {
		troubled(s, "no answer", rc);
		return NULL;
	}
	struct json_object *result = bsr_json_object(reply, "result");
	if (!bsr_json_bool(reply, "ok")) {
		snprintf(s->trouble, sizeof(s->trouble), "%.150s",
			bsr_json_string(bsr_json_object(reply, "error"), "message"));
		hang_up(s);
		forget_readings(s);
	} else {
		found = json_object_get(member[0] == '\0' ? result : bsr_json_object(result, member));
	}
	json_object_put(reply);
	if (found == NULL && s->trouble[0] == '\0') {
		troubled(s, "no usable answer", -EPROTO);
	}
	return found;
}

static bool connect_to(struct mon_source *s, bool measure)
{
	if (!s->open) {
		int rc = bsr_client_open(&s->client, s->name);
		if (rc != 0) {
			troubled(s, rc == -ECONNREFUSED || rc == -ENOENT ? "not running" : "no connection",
				rc);
			return false;
		}
		s->open = true;
		if (strcmp(s->instance, s->client.instance) != 0) {
			forget_readings(s); /* another process: its counters began again */
		}
		snprintf(s->instance, sizeof(s->instance), "%s", s->client.instance);
	}
	if (measure && !s->measures) {
		json_object_put(ask(s, "measure", ""));
		s->measures = s->open;
	}
	return s->open;
}

static void read_one(struct mon_source *s, bool measure, bool snapshot)
{
	if (s->again_ms != 0 && clock_ms() < s->again_ms) {
		return; /* what it suffers from stays noted */
	}
	s->again_ms = 0;
	s->trouble[0] = '\0';
	if (!connect_to(s, measure)) {
		return;
	}
	struct json_object *counters = ask(s, "counters", "counters");
	if (counters == NULL) {
		return;
	}
	/* histograms begin at zero when collection begins: an older reading is not comparable */
	const bool same = bsr_json_int(s->now, "since_ns", 0) == bsr_json_int(counters, "since_ns", 0);
	json_object_put(s->before);
	s->before = same ? s->now : NULL;
	if (!same) {
		json_object_put(s->now);
	}
	s->now = counters;
	s->patience_ms = 0;
	if (snapshot) {
		json_object_put(s->snapshot);
		s->snapshot = ask(s, "status", "snapshot");
	}
}

void mon_sources_read(struct mon_sources *sources, struct json_object *names, bool measure, bool snapshot)
{
	look_around(sources, names);
	for (size_t i = 0; i < sources->count; i++) {
		read_one(&sources->at[i], measure, snapshot);
	}
	json_object_put(sources->host_before);
	sources->host_before = sources->host_now;
	sources->host_now = mon_host_read();
}

void mon_sources_compute(
	const struct mon_sources *sources, const struct mon_filter *filter, mon_record_fn fn, void *ctx)
{
	const struct mon_readings host = {NULL, sources->host_before, sources->host_now};
	mon_compute(&host, filter, fn, ctx);
	for (size_t i = 0; i < sources->count; i++) {
		const struct mon_source *s = &sources->at[i];
		if (s->before != NULL && s->now != NULL) {
			const struct mon_readings readings = {s->name, s->before, s->now};
			mon_compute(&readings, filter, fn, ctx);
		}
	}
}

void mon_sources_close(struct mon_sources *sources)
{
	for (size_t i = 0; i < sources->count; i++) {
		hang_up(&sources->at[i]);
		forget_readings(&sources->at[i]);
	}
	free(sources->at);
	json_object_put(sources->host_before);
	json_object_put(sources->host_now);
	memset(sources, 0, sizeof(*sources));
}

/* ---------------------------------------------------------------------- host */

struct json_object *mon_host_parse(const char *text)
{
	struct json_object *out = json_object_new_object();
	while (*text != '\0') {
		char name[32];
		const size_t line = strcspn(text, "\n");
		const size_t length = strcspn(text, ":\n");
		if (length > 0 && length < sizeof(name) && text[length] == ':') {
			snprintf(name, sizeof(name), "%.*s", (int)length, text);
			const char *digits = text + length + 1 + strspn(text + length + 1, " \t");
			if (isdigit((unsigned char)*digits)) {
				json_object_object_add(
					out, name, json_object_new_int64(strtoll(digits, NULL, 10)));
			}
		}
		text += line + (text[line] == '\n');
	}
	const int64_t used = bsr_json_int(out, "MemTotal", 0) - bsr_json_int(out, "MemFree", 0) -
			     bsr_json_int(out, "Buffers", 0) - bsr_json_int(out, "Cached", 0);
	json_object_object_add(out, "used", json_object_new_int64(used > 0 ? used : 0));
	return out;
}

struct json_object *mon_host_read(void)
{
	char text[8192] = "";
	FILE *f = fopen("/proc/meminfo", "re");
	if (f != NULL) {
		const size_t got = fread(text, 1, sizeof(text) - 1, f);
		text[got] = '\0';
		fclose(f);
	}
	return mon_host_parse(text);
}
