/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * report.h - files of measurements summed up: smallest, largest, average
 */
#ifndef BSRMON_REPORT_H
#define BSRMON_REPORT_H

#include "record.h"

#define MON_REPORT_PEERS 33u /* "" for lines without a peer, and every peer there can be */

struct mon_sum {
	uint64_t lines;
	int64_t min;
	int64_t max;
	double total;
	double weight; /* of averages of times: how many requests they are of */
};

struct mon_report_peer {
	char name[MON_NAME_MAX];
	uint64_t lines;
	char first[MON_TIME_BYTES];
	char last[MON_TIME_BYTES];
	struct mon_sum sum[MON_FIELDS_MAX];
};

struct mon_report {
	const struct mon_type *type;
	const struct mon_filter *filter;
	const char *from; /* "": from the beginning; texts that compare with those of lines */
	const char *until;
	uint64_t bad_lines;
	char first_bad[300];
	uint32_t peer_count;
	struct mon_report_peer peer[MON_REPORT_PEERS];
};

/** mon_report_file - add a file's lines; 0 or -errno */
int mon_report_file(struct mon_report *report, const char *path);
/** mon_report_line - add one line; @where for messages. Bad ones are counted */
void mon_report_line(
	struct mon_report *report, const char *text, size_t bytes, const char *where, uint64_t number);
/** mon_report_text, mon_report_json - what came out; the JSON object is the caller's */
void mon_report_text(const struct mon_report *report, const char *title, struct bsr_text *out);
struct json_object *mon_report_json(const struct mon_report *report);
/**
 * mon_moment - "hh:mm[:ss]", "YYYY-MM-DD" or both joined by '_' into a text that compares with those of lines
 * @date: what a time alone belongs to
 * Returns false for anything else.
 */
bool mon_moment(char *out, size_t room, const char *text, const char *date);
/** mon_date_ok - is it "YYYY-MM-DD" */
bool mon_date_ok(const char *text);

#endif
