// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * query.c - values of one period, sums over files, raw counters
 *
 * Owns:       show, report, debug.
 */
#include "mon.h"

#include "report.h"

#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

/* ----------------------------------------------------------------------- show */

struct printing {
	struct bsr_text *text;
	struct json_object *json;
};

static void print_one(void *ctx, const struct mon_record *record)
{
	struct printing *p = ctx;
	if (p->json != NULL) {
		mon_json_record(p->json, record);
	} else {
		mon_print_record(p->text, record);
	}
}

/* True when every resource that was named runs; tells which does not. */
static bool all_there(const struct mon_sources *sources, struct json_object *names)
{
	bool fine = true;
	for (size_t i = 0; i < bsr_json_count(names); i++) {
		const char *name = json_object_get_string(bsr_json_at(names, i));
		const struct mon_source *found = NULL;
		for (size_t s = 0; s < sources->count; s++) {
			found = strcmp(sources->at[s].name, name) == 0 ? &sources->at[s] : found;
		}
		if (found == NULL || found->trouble[0] != '\0') {
			fprintf(stderr, "bsrmon: resource '%s': %s\n", name,
				found == NULL ? "not running" : found->trouble);
			fine = false;
		}
	}
	return fine;
}

static bool volume_is_there(const struct mon_sources *sources, const struct mon_filter *filter)
{
	for (size_t i = 0; filter->volume >= 0 && i < sources->count; i++) {
		if (bsr_json_find_volume(bsr_json_array(sources->at[i].now, "volumes"), filter->volume) !=
			NULL) {
			return true;
		}
	}
	if (filter->volume >= 0) {
		fprintf(stderr, "bsrmon: there is no volume %" PRId64 "\n", filter->volume);
	}
	return filter->volume < 0;
}

static int print_round(struct mon_sources *sources, const struct mon_filter *filter, bool json)
{
	struct bsr_text text = {0};
	struct printing p = {.text = &text, .json = json ? json_object_new_object() : NULL};
	mon_sources_compute(sources, filter, print_one, &p);
	if (json) {
		char time[MON_TIME_BYTES];
		mon_time_text(time, mon_wall_ms());
		json_object_object_add(p.json, "timestamp", json_object_new_string(time));
		bsr_text_add(&text, "%s\n",
			json_object_to_json_string_ext(
				p.json, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE));
		json_object_put(p.json);
	}
	fputs(bsr_text_string(&text), stdout);
	bsr_text_free(&text);
	return fflush(stdout) != 0 ? MON_REFUSED : MON_OK;
}

bool mon_all_there(
	const struct mon_sources *sources, struct json_object *names, const struct mon_filter *filter)
{
	return all_there(sources, names) && volume_is_there(sources, filter);
}

int mon_run_show(const struct mon_call *call)
{
	struct bsr_settings settings;
	struct mon_sources sources = {0};
	struct mon_filter filter;
	struct json_object *names = json_object_get(call->resources);
	if (!mon_filter_of(call, call->types, call->word_count > 1 ? call->word[1] : NULL, &filter)) {
		return MON_USAGE;
	}
	if (names == NULL) {
		names = json_object_new_array();
	}
	if (call->word_count > 0) {
		json_object_array_add(names, json_object_new_string(call->word[0]));
	}
	mon_load_settings(&settings);
	mon_sources_read(&sources, names, true, false);
	int rc = mon_all_there(&sources, names, &filter) ? MON_OK : MON_REFUSED;
	const int64_t rounds = call->count > 0 ? call->count : call->continuous ? INT64_MAX : 1;
	for (int64_t i = 0; i < rounds && rc == MON_OK; i++) {
		mon_pause_ms((int64_t)settings.monitor_period_s * 1000);
		mon_sources_read(&sources, names, true, false);
		rc = print_round(&sources, &filter, call->json);
	}
	mon_sources_close(&sources);
	json_object_put(names);
	return rc;
}

int mon_run_debug(const struct mon_call *call)
{
	struct mon_sources sources = {0};
	struct json_object *names = json_object_new_array();
	struct json_object *out = json_object_new_object();
	if (call->word_count > 0) {
		json_object_array_add(names, json_object_new_string(call->word[0]));
	}
	mon_sources_read(&sources, names, false, false);
	const int rc = all_there(&sources, names) ? MON_OK : MON_REFUSED;
	for (size_t i = 0; i < sources.count && rc == MON_OK; i++) {
		if (sources.at[i].now != NULL) {
			json_object_object_add(out, sources.at[i].name, json_object_get(sources.at[i].now));
		}
	}
	if (rc == MON_OK) {
		puts(json_object_to_json_string_ext(
			out, JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_NOSLASHESCAPE));
	}
	json_object_put(out);
	json_object_put(names);
	mon_sources_close(&sources);
	return rc;
}

/* --------------------------------------------------------------------- report */

struct reporting {
	const struct mon_call *call;
	struct mon_report *report;
	const char *directory;
	struct bsr_text text;
	struct json_object *json; /* array, NULL: text */
	uint32_t found;
	int rc;
};

static void begin_report(struct mon_report *report)
{
	report->bad_lines = 0;
	report->first_bad[0] = '\0';
	report->peer_count = 0;
}

static void end_report(struct reporting *r, const char *resource, int64_t volume, const char *title)
{
	r->found++;
	if (r->json != NULL) {
		struct json_object *one = json_object_new_object();
		json_object_object_add(one, "resource", json_object_new_string(resource));
		if (volume >= 0) {
			json_object_object_add(one, "vnr", json_object_new_int64(volume));
		}
		json_object_object_add(one, "type", json_object_new_string(r->report->type->name));
		json_object_object_add(one, "values", mon_report_json(r->report));
		json_object_object_add(
			one, "bad_lines", json_object_new_int64((int64_t)r->report->bad_lines));
		json_object_array_add(r->json, one);
	} else {
		mon_report_text(r->report, title, &r->text);
	}
	if (r->report->bad_lines > 0) {
		fprintf(stderr, "bsrmon report: %" PRIu64 " bad line%s left out, the first: %s\n",
			r->report->bad_lines, r->report->bad_lines == 1 ? "" : "s", r->report->first_bad);
	}
}

static void add_file(struct reporting *r, const char *path)
{
	const int error = mon_report_file(r->report, path);
	if (error != 0) {
		fprintf(stderr, "bsrmon report: cannot read %s: %s\n", path, strerror(-error));
		r->rc = MON_REFUSED;
	}
}

static void report_object(struct reporting *r, const char *resource, int64_t volume)
{
	char path[PATH_MAX];
	char title[200];
	if (!mon_file_name(path, sizeof(path), r->directory, resource, volume, r->report->type->name)) {
		return;
	}
	struct json_object *files = mon_files_of(path);
	begin_report(r->report);
	for (size_t i = 0; i < bsr_json_count(files); i++) {
		add_file(r, json_object_get_string(bsr_json_at(files, i)));
	}
	if (bsr_json_count(files) > 0) {
		if (volume >= 0) {
			snprintf(title, sizeof(title), "%s vnr %" PRId64, resource, volume);
		} else {
			snprintf(title, sizeof(title), "%s", resource[0] != '\0' ? resource : "host");
		}
		end_report(r, resource, volume, title);
	}
	json_object_put(files);
}

/* Volume numbers that a resource's directory has files of. */
static void report_resource(struct reporting *r, const char *resource)
{
	bool known[1000] = {false};
	char path[PATH_MAX];
	if (r->report->type->scope != MON_VOLUME) {
		report_object(r, resource, -1);
		return;
	}
	if (r->report->filter->volume >= 0) {
		report_object(r, resource, r->report->filter->volume);
		return;
	}
	snprintf(path, sizeof(path), "%s/%s", r->directory, resource);
	DIR *dir = opendir(path);
	for (struct dirent *entry = dir != NULL ? readdir(dir) : NULL; entry != NULL; entry = readdir(dir)) {
		const size_t digits =
			strncmp(entry->d_name, "vnr", 3) == 0 ? strspn(entry->d_name + 3, "0123456789") : 0;
		if (digits > 0 && digits < 4 && entry->d_name[3 + digits] == '_') {
			known[atoi(entry->d_name + 3)] = true;
		}
	}
	if (dir != NULL) {
		closedir(dir);
	}
	for (int volume = 0; volume < 1000; volume++) {
		if (known[volume]) {
			report_object(r, resource, volume);
		}
	}
}

static int by_text(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name);
}

static void report_all(struct reporting *r)
{
	struct dirent **entries = NULL;
	const int count = scandir(r->directory, &entries, NULL, by_text);
	for (int i = 0; i < count; i++) {
		if (entries[i]->d_name[0] != '.' && entries[i]->d_type != DT_REG) {
			report_resource(r, entries[i]->d_name);
		}
		free(entries[i]);
	}
	free(entries);
}

static void run_report(struct reporting *r)
{
	if (r->call->file[0] != '\0') {
		begin_report(r->report);
		add_file(r, r->call->file);
		if (r->rc == MON_OK) {
			end_report(r, r->call->word_count > 1 ? r->call->word[1] : "", -1, r->call->file);
		}
	} else if (r->report->type->scope == MON_HOST) {
		report_object(r, "", -1);
	} else if (r->call->word_count > 1) {
		report_resource(r, r->call->word[1]);
	} else {
		report_all(r);
	}
}

/* False after the moment that is none was told. */
static bool moments(const struct mon_call *call, char *from, char *until, size_t room)
{
	char today[MON_TIME_BYTES];
	mon_time_text(today, mon_wall_ms());
	today[10] = '\0';
	if (call->date[0] != '\0' && !mon_date_ok(call->date)) {
		fprintf(stderr, "bsrmon report: '%s' is not a day, YYYY-MM-DD\n", call->date);
		return false;
	}
	const char *date = call->date[0] != '\0' ? call->date : today;
	snprintf(from, room, "%s", call->date);
	snprintf(until, room, "%s", call->date);
	if (call->from[0] != '\0' && !mon_moment(from, room, call->from, date)) {
		fprintf(stderr,
			"bsrmon report: '%s' is not a time: hh:mm[:ss], YYYY-MM-DD, or both joined by '_'\n",
			call->from);
		return false;
	}
	if (call->until[0] != '\0' && !mon_moment(until, room, call->until, date)) {
		fprintf(stderr,
			"bsrmon report: '%s' is not a time: hh:mm[:ss], YYYY-MM-DD, or both joined by '_'\n",
			call->until);
		return false;
	}
	return true;
}

int mon_run_report(const struct mon_call *call)
{
	static struct mon_report report; /* large */
	struct bsr_settings settings;
	struct mon_filter filter;
	char from[MON_TIME_BYTES], until[MON_TIME_BYTES];
	const int type = mon_type_find(call->word[0]);
	if (type < 0) {
		fprintf(stderr, "bsrmon report: unknown type '%s'; see `bsrmon help report`\n",
			call->word[0]);
		return MON_USAGE;
	}
	if (call->word_count > 1 && !bsr_client_name_ok(call->word[1])) {
		fprintf(stderr, "bsrmon report: '%s' is no name of a resource\n", call->word[1]);
		return MON_USAGE;
	}
	if (!mon_filter_of(call, call->word[0], call->word_count > 2 ? call->word[2] : NULL, &filter) ||
		!moments(call, from, until, sizeof(from))) {
		return MON_USAGE;
	}
	mon_load_settings(&settings);
	report = (struct mon_report){
		.type = mon_type_at((uint32_t)type), .filter = &filter, .from = from, .until = until};
	struct reporting r = {.call = call,
		.report = &report,
		.directory = mon_path(&settings),
		.json = call->json ? json_object_new_array() : NULL};
	run_report(&r);
	if (r.found == 0 && r.rc == MON_OK) {
		fprintf(stderr, "bsrmon report: nothing is recorded below %s; `bsrmon start` begins\n",
			r.directory);
		r.rc = MON_REFUSED;
	}
	if (r.json != NULL && r.found > 0) {
		puts(json_object_to_json_string_ext(
			r.json, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE));
	}
	fputs(bsr_text_string(&r.text), stdout);
	json_object_put(r.json);
	bsr_text_free(&r.text);
	return r.rc;
}
