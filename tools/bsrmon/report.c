// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * report.c - files of measurements summed up
 *
 * Owns:       what smallest, largest and average mean for each kind of field.
 * Invariants: files are hostile: a bad line is counted and named, and changes nothing else.
 */
#include "report.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <bsr/assert.h>

/* --------------------------------------------------------------------- lines */

static const struct mon_field *fields_of(const struct mon_report *report, const char *peer)
{
	return peer[0] != '\0' ? report->type->peer_field : report->type->field;
}

static struct mon_report_peer *peer_of(struct mon_report *report, const char *name)
{
	for (uint32_t i = 0; i < report->peer_count; i++) {
		if (strcmp(report->peer[i].name, name) == 0) {
			return &report->peer[i];
		}
	}
	if (report->peer_count == MON_REPORT_PEERS) {
		return NULL;
	}
	struct mon_report_peer *p = &report->peer[report->peer_count++];
	memset(p, 0, sizeof(*p));
	memcpy(p->name, name, strlen(name) + 1);
	return p;
}

static bool wanted(const struct mon_report *report, const struct mon_line *line)
{
	if (report->from[0] != '\0' && strcmp(line->time, report->from) < 0) {
		return false;
	}
	if (report->until[0] != '\0' && strncmp(line->time, report->until, strlen(report->until)) > 0) {
		return false;
	}
	if (line->peer[0] == '\0' || report->filter->peers == NULL) {
		return true;
	}
	for (size_t i = 0; i < bsr_json_count(report->filter->peers); i++) {
		if (strcmp(json_object_get_string(bsr_json_at(report->filter->peers, i)), line->peer) == 0) {
			return true;
		}
	}
	return false;
}

static int64_t value_named(const struct mon_line *line, const char *name, bool *found)
{
	for (uint32_t i = 0; i < line->count; i++) {
		if (strcmp(line->field[i].name, name) == 0) {
			*found = true;
			return line->field[i].value;
		}
	}
	*found = false;
	return 0;
}

/* A time's period counts as often as it had requests; the count is the first of its group of fields. */
static double weight_of(const struct mon_field *field, uint32_t index, const struct mon_line *line)
{
	bool found;
	while (index > 0 && field[index].kind != MON_T_COUNT) {
		index--;
	}
	const int64_t count = value_named(line, field[index].name, &found);
	return found && count > 0 ? (double)count : 0;
}

static bool is_time(enum mon_kind kind)
{
	return kind == MON_T_MIN || kind == MON_T_MAX || kind == MON_T_AVG || kind == MON_T_P50 ||
	       kind == MON_T_P99;
}

static void add_line(struct mon_report_peer *p, const struct mon_field *field, const struct mon_line *line)
{
	const uint32_t count = mon_fields_count(field);
	for (uint32_t i = 0; i < count; i++) {
		struct mon_sum *sum = &p->sum[i];
		bool found;
		const int64_t value = value_named(line, field[i].name, &found);
		const double weight = is_time(field[i].kind) ? weight_of(field, i, line) : 1;
		if (!found || weight <= 0) {
			continue; /* written by another version; or nothing happened in this period */
		}
		sum->min = sum->lines == 0 || value < sum->min ? value : sum->min;
		sum->max = sum->lines == 0 || value > sum->max ? value : sum->max;
		sum->total += (double)value * weight;
		sum->weight += weight;
		sum->lines++;
	}
	if (p->lines == 0 || strcmp(line->time, p->first) < 0) {
		memcpy(p->first, line->time, sizeof(p->first));
	}
	if (p->lines == 0 || strcmp(line->time, p->last) > 0) {
		memcpy(p->last, line->time, sizeof(p->last));
	}
	p->lines++;
}

static void note_bad(struct mon_report *report, const char *where, uint64_t number, const char *why)
{
	if (report->bad_lines++ == 0) {
		snprintf(report->first_bad, sizeof(report->first_bad), "%.200s line %" PRIu64 ": %s", where,
			number, why);
	}
}

void mon_report_line(
	struct mon_report *report, const char *text, size_t bytes, const char *where, uint64_t number)
{
	struct mon_line line;
	const char *wrong = mon_line_parse(&line, text, bytes);
	if (wrong == NULL && fields_of(report, line.peer) == NULL) {
		wrong = "not of this type";
	}
	if (wrong != NULL) {
		note_bad(report, where, number, wrong);
		return;
	}
	if (!wanted(report, &line)) {
		return;
	}
	struct mon_report_peer *p = peer_of(report, line.peer);
	if (p == NULL) {
		note_bad(report, where, number, "more peers than there can be");
		return;
	}
	add_line(p, fields_of(report, line.peer), &line);
}

int mon_report_file(struct mon_report *report, const char *path)
{
	static char buffer[65536];
	uint64_t number = 0;
	size_t used = 0;
	ssize_t got = 0;
	bool skipping = false; /* the rest of a line that is too long */
	const int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0) {
		return -errno;
	}
	while ((got = read(fd, buffer + used, sizeof(buffer) - used)) > 0) {
		used += (size_t)got;
		char *start = buffer;
		char *end;
		while ((end = memchr(start, '\n', used - (size_t)(start - buffer))) != NULL) {
			number++;
			if (!skipping) {
				mon_report_line(report, start, (size_t)(end - start), path, number);
			}
			skipping = false;
			start = end + 1;
		}
		used -= (size_t)(start - buffer);
		memmove(buffer, start, used);
		if (used == sizeof(buffer)) {
			if (!skipping) {
				note_bad(report, path, number + 1, "it is too long");
			}
			skipping = true;
			used = 0;
		}
	}
	const int error = got < 0 ? -errno : 0;
	close(fd);
	if (used > 0 && !skipping && error == 0) {
		mon_report_line(report, buffer, used, path,
			number + 1); /* being written just now, or cut off by a crash */
	}
	return error;
}

/* -------------------------------------------------------------------- output */

static double average(const struct mon_sum *sum)
{
	return sum->weight > 0 ? sum->total / sum->weight : 0;
}

/* Names of a group: "read.iops" and "read.kb" share a block. */
static size_t group_length(const char *name)
{
	const char *dot = strchr(name, '.');
	return dot != NULL ? (size_t)(dot - name) : 0;
}

static void print_value(
	struct bsr_text *out, const struct mon_field *field, const struct mon_sum *sum, const char *indent)
{
	const size_t group = group_length(field->name);
	const char *name = field->name + group + (group > 0);
	if (sum->lines == 0) {
		bsr_text_add(out, "%s%-16s -\n", indent, name);
	} else if (field->kind == MON_COUNT || field->kind == MON_COUNT_KIB || field->kind == MON_T_COUNT) {
		bsr_text_add(out, "%s%-16s sum %.0f, max %" PRId64 " a period%s%s\n", indent, name,
			sum->total, sum->max, field->unit[0] != '\0' ? "; # " : "", field->unit);
	} else {
		bsr_text_add(out, "%s%-16s min %" PRId64 ", max %" PRId64 ", avg %.1f%s%s\n", indent, name,
			sum->min, sum->max, average(sum), field->unit[0] != '\0' ? "; # " : "", field->unit);
	}
}

static void print_peer(const struct mon_report *report, const struct mon_report_peer *p, struct bsr_text *out)
{
	const struct mon_field *field = fields_of(report, p->name);
	const uint32_t count = mon_fields_count(field);
	bsr_text_add(out, "\t%s%s%" PRIu64 " lines, %s to %s\n", p->name, p->name[0] != '\0' ? ": " : "",
		p->lines, p->first, p->last);
	for (uint32_t i = 0; i < count; i++) {
		const size_t group = group_length(field[i].name);
		const bool first = i == 0 || group_length(field[i - 1].name) != group ||
				   strncmp(field[i - 1].name, field[i].name, group) != 0;
		const bool last = i + 1 == count || group_length(field[i + 1].name) != group ||
				  strncmp(field[i + 1].name, field[i].name, group) != 0;
		if (group > 0 && first) {
			bsr_text_add(out, "\t%.*s {\n", (int)group, field[i].name);
		}
		print_value(out, &field[i], &p->sum[i], group > 0 ? "\t\t" : "\t");
		if (group > 0 && last) {
			bsr_text_add(out, "\t}\n");
		}
	}
}

void mon_report_text(const struct mon_report *report, const char *title, struct bsr_text *out)
{
	bsr_text_add(out, "%s %s {\n", title, report->type->name);
	for (uint32_t i = 0; i < report->peer_count; i++) {
		print_peer(report, &report->peer[i], out);
	}
	if (report->peer_count == 0) {
		bsr_text_add(out, "\tnothing was recorded in this time\n");
	}
	bsr_text_add(out, "}\n");
}

struct json_object *mon_report_json(const struct mon_report *report)
{
	struct json_object *array = json_object_new_array();
	for (uint32_t i = 0; i < report->peer_count; i++) {
		const struct mon_report_peer *p = &report->peer[i];
		const struct mon_field *field = fields_of(report, p->name);
		const uint32_t count = mon_fields_count(field);
		struct json_object *one = json_object_new_object();
		struct json_object *fields = json_object_new_object();
		if (p->name[0] != '\0') {
			json_object_object_add(one, "peer", json_object_new_string(p->name));
		}
		json_object_object_add(one, "lines", json_object_new_int64((int64_t)p->lines));
		json_object_object_add(one, "first", json_object_new_string(p->first));
		json_object_object_add(one, "last", json_object_new_string(p->last));
		for (uint32_t f = 0; f < count; f++) {
			const struct mon_sum *sum = &p->sum[f];
			struct json_object *value = json_object_new_object();
			if (sum->lines > 0) {
				const bool adds = field[f].kind == MON_COUNT ||
						  field[f].kind == MON_COUNT_KIB ||
						  field[f].kind == MON_T_COUNT;
				json_object_object_add(value, "min", json_object_new_int64(sum->min));
				json_object_object_add(value, "max", json_object_new_int64(sum->max));
				json_object_object_add(value, "avg", json_object_new_double(average(sum)));
				if (adds) {
					json_object_object_add(
						value, "sum", json_object_new_double(sum->total));
				}
			}
			json_object_object_add(fields, field[f].name, value);
		}
		json_object_object_add(one, "fields", fields);
		json_object_array_add(array, one);
	}
	return array;
}

/* --------------------------------------------------------------------- moments */

static bool has_form(const char *text, const char *form)
{
	for (size_t i = 0;; i++) {
		const bool digit = text[i] >= '0' && text[i] <= '9';
		if (form[i] == '\0') {
			return text[i] == '\0';
		}
		if (form[i] == 'd' ? !digit : text[i] != form[i]) {
			return false;
		}
	}
}

bool mon_date_ok(const char *text)
{
	return has_form(text, "dddd-dd-dd");
}

static bool time_ok(const char *text)
{
	return has_form(text, "dd:dd") || has_form(text, "dd:dd:dd");
}

bool mon_moment(char *out, size_t room, const char *text, const char *date)
{
	int bytes;
	if (mon_date_ok(text) || has_form(text, "dddd-dd-dd_dd:dd") ||
		has_form(text, "dddd-dd-dd_dd:dd:dd")) {
		bytes = snprintf(out, room, "%s", text);
	} else if (time_ok(text)) {
		bytes = snprintf(out, room, "%s_%s", date, text);
	} else {
		return false;
	}
	return bytes > 0 && (size_t)bytes < room;
}
