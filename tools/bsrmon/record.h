/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * record.h - files of measurements: one line a period and object, rolled over, bounded
 *
 * <directory>/<resource>/vnr<N>_<type>, <directory>/<resource>/<type>, <directory>/memory; older ones carry
 * the time at which they were rolled over: <name>_YYYY-MM-DDThhmmss. A line: "YYYY-MM-DD_hh:mm:ss.mmm
 * [peer=NAME] field=value ...", local time, whole numbers.
 */
#ifndef BSRMON_RECORD_H
#define BSRMON_RECORD_H

#include <stdio.h>

#include "types.h"

#define MON_TIME_BYTES 24u /* of "YYYY-MM-DD_hh:mm:ss.mmm" with its zero */
#define MON_LINE_MAX 4096u
#define MON_ROLL_BYTES_MAX (10ull << 20)

/** A line as read: texts are checked, fields may be any. */
struct mon_line {
	char time[MON_TIME_BYTES];
	char peer[MON_NAME_MAX]; /* "": none */
	uint32_t count;
	struct {
		char name[48];
		int64_t value;
	} field[MON_FIELDS_MAX];
};

/** mon_time_text - local time of @ms since 1970 */
void mon_time_text(char *text, int64_t ms);
/** mon_line_print - the line of a record, with its end */
void mon_line_print(struct bsr_text *out, const struct mon_record *record, const char *time);
/**
 * mon_line_parse - a line without its end, from anywhere
 * Returns NULL, or what is wrong with it (static)
 */
const char *mon_line_parse(struct mon_line *line, const char *text, size_t bytes);

/** mon_file_name - the file of a record below @directory; false: too long */
bool mon_file_name(char *path, size_t room, const char *directory, const char *resource, int64_t volume,
	const char *type);
/**
 * mon_file_append - add lines; directories are made, a full file is rolled over first
 * @total_bytes: of all files of the resource; oldest ones go when there is more (looked at when a file is
 * rolled over) Returns 0 or -errno.
 */
int mon_file_append(const char *directory, const struct mon_record *about, const char *lines, size_t bytes,
	uint64_t total_bytes);
/** mon_files_bound - delete the oldest files of a resource (NULL: of the host) until they have @total_bytes
 * at most */
int mon_files_bound(const char *directory, const char *resource, uint64_t total_bytes);
/** mon_files_of - the files of one record, oldest first, the current one last; array of paths, the caller's
 */
struct json_object *mon_files_of(const char *path);
/** mon_file_is_older - is @name what a rolled-over @base is called */
bool mon_file_is_older(const char *name, const char *base);

#endif
