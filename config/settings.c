// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * settings.c - what an administrator sets for a whole host with bsrcon and bsrmon
 *
 * Owns:       the file, its names, ranges and defaults.
 * Invariants: a reader sees the old file or the new one; a bad line is told and has no effect.
 */
#include "settings.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <bsr/assert.h>

struct entry {
	const char *name;
	size_t offset;
	bool text; /* else a number */
	uint64_t min;
	uint64_t max;
	uint64_t otherwise;
};

#define NUMBER(name, member, min, max, otherwise)                                                            \
	{                                                                                                    \
		name, offsetof(struct bsr_settings, member), false, min, max, otherwise                      \
	}
#define TEXT(name, member)                                                                                   \
	{                                                                                                    \
		name, offsetof(struct bsr_settings, member), true, 0, 0, 0                                   \
	}

static const struct entry entries[] = {
	TEXT("log-path", log_path),
	NUMBER("log-level-sys", log_level_sys, 0, 7, 3),
	NUMBER("log-level-dbg", log_level_dbg, 0, 7, 6),
	NUMBER("log-categories", log_categories, 0, BSR_LOG_CATEGORIES_ALL, BSR_LOG_CATEGORIES_ALL),
	NUMBER("log-file-count", log_file_count, 1, 1000, 16),
	NUMBER("log-file-kib", log_file_kib, 64, 1 << 20, 10240),
	NUMBER("cli-log-files-adm", cli_count_adm, 1, 255, 2),
	NUMBER("cli-log-files-setup", cli_count_setup, 1, 255, 2),
	NUMBER("cli-log-files-meta", cli_count_meta, 1, 255, 2),
	NUMBER("log-status-commands", status_commands, 0, 1, 0),
	NUMBER("handlers", handlers, 0, 1, 1),
	NUMBER("control-gid", control_gid, 0, UINT32_MAX - 1, 0),
	NUMBER("fast-sync", fast_sync, 0, 1, 1),
	NUMBER("monitor", monitor, 0, 1, 0),
	TEXT("monitor-types", monitor_types),
	NUMBER("monitor-period", monitor_period_s, 1, 3600, 1),
	TEXT("monitor-path", monitor_path),
	NUMBER("monitor-total-mib", monitor_total_mib, 1, 1 << 20, 2002),
};
#define ENTRIES (sizeof(entries) / sizeof(entries[0]))

static const char *directory(void)
{
	const char *dir = getenv("BSR_SETTINGS_DIR");
	return dir != NULL && dir[0] != '\0' ? dir : "/etc/bsr.d";
}

static bool path_of(const char *suffix, char *path, size_t room)
{
	const int bytes = snprintf(path, room, "%s/.bsr_settings%s", directory(), suffix);
	return bytes > 0 && (size_t)bytes < room;
}

const char *bsr_settings_path(void)
{
	static char path[512];
	if (!path_of("", path, sizeof(path))) {
		path[0] = '\0';
	}
	return path;
}

const char *bsr_log_category_word(uint32_t category)
{
	static const char *const words[BSR_LOG_CATEGORY_COUNT] = {
		"role", "resync", "disk", "link", "device", "process"};
	return category < BSR_LOG_CATEGORY_COUNT ? words[category] : "";
}

static uint64_t *number_at(struct bsr_settings *s, const struct entry *e)
{
	BSR_ASSERT(!e->text);
	return (uint64_t *)(void *)((char *)s + e->offset);
}

static char *text_at(struct bsr_settings *s, const struct entry *e)
{
	BSR_ASSERT(e->text);
	return (char *)s + e->offset;
}

bool bsr_settings_range(const char *name, uint64_t *min, uint64_t *max)
{
	for (size_t i = 0; i < ENTRIES; i++) {
		if (!entries[i].text && strcmp(entries[i].name, name) == 0) {
			*min = entries[i].min;
			*max = entries[i].max;
			return true;
		}
	}
	return false;
}

void bsr_settings_defaults(struct bsr_settings *s)
{
	memset(s, 0, sizeof(*s));
	for (size_t i = 0; i < ENTRIES; i++) {
		if (!entries[i].text) {
			*number_at(s, &entries[i]) = entries[i].otherwise;
		}
	}
}

/* ------------------------------------------------------------------ reading */

static bool parse_number(const char *text, uint64_t *value)
{
	const size_t digits = strspn(text, "0123456789");
	if (digits == 0 || digits > 18 || text[digits] != '\0') {
		return false;
	}
	*value = strtoull(text, NULL, 10);
	return true;
}

/* @name and @value are zero-terminated; NULL when taken, else what is wrong */
static const char *take(struct bsr_settings *s, const char *name, const char *value)
{
	for (size_t i = 0; i < ENTRIES; i++) {
		const struct entry *e = &entries[i];
		uint64_t number = 0;
		if (strcmp(e->name, name) != 0) {
			continue;
		}
		if (e->text) {
			memcpy(text_at(s, e), value, strlen(value) + 1);
			return NULL;
		}
		if (!parse_number(value, &number)) {
			return "not a number";
		}
		if (number < e->min || number > e->max) {
			return "out of range";
		}
		*number_at(s, e) = number;
		return NULL;
	}
	return "unknown name";
}

static const char *take_line(struct bsr_settings *s, const char *line, size_t bytes)
{
	char copy[BSR_SETTINGS_TEXT_MAX + 64];
	if (bytes == 0 || line[0] == '#') {
		return NULL;
	}
	if (bytes >= sizeof(copy)) {
		return "too long";
	}
	for (size_t i = 0; i < bytes; i++) {
		if ((unsigned char)line[i] < ' ' || line[i] == 0x7f) {
			return "a control character";
		}
	}
	memcpy(copy, line, bytes);
	copy[bytes] = '\0';
	char *equals = strchr(copy, '=');
	if (equals == NULL) {
		return "no '='";
	}
	*equals = '\0';
	if (strlen(equals + 1) >= BSR_SETTINGS_TEXT_MAX) {
		return "too long";
	}
	return take(s, copy, equals + 1);
}

uint32_t bsr_settings_parse(struct bsr_settings *s, const char *text, size_t bytes, char *why, size_t room)
{
	uint32_t bad = 0;
	uint32_t number = 0;
	while (bytes > 0) {
		const char *end = memchr(text, '\n', bytes);
		const size_t length = end != NULL ? (size_t)(end - text) : bytes;
		const char *wrong = take_line(s, text, length);
		number++;
		if (wrong != NULL && bad++ == 0) {
			snprintf(why, room, "line %" PRIu32 ": %s", number, wrong);
		}
		const size_t used = end != NULL ? length + 1 : length;
		text += used;
		bytes -= used;
	}
	return bad;
}

static ssize_t read_file(int fd, char *text, size_t room)
{
	size_t used = 0;
	while (used < room) {
		const ssize_t got = read(fd, text + used, room - used);
		if (got < 0 && errno == EINTR) {
			continue;
		}
		if (got <= 0) {
			return got < 0 ? -errno : (ssize_t)used;
		}
		used += (size_t)got;
	}
	return (ssize_t)used;
}

int bsr_settings_load(struct bsr_settings *s, char *why, size_t room)
{
	static char text[BSR_SETTINGS_FILE_MAX + 1];
	char wrong[200] = "";
	bsr_settings_defaults(s);
	const int fd = open(bsr_settings_path(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0) {
		const int error = errno == ENOENT || errno == ENOTDIR ? 0 : -errno;
		snprintf(why, room, "%s: %s", bsr_settings_path(), strerror(-error));
		return error;
	}
	const ssize_t bytes = read_file(fd, text, sizeof(text));
	close(fd);
	if (bytes < 0 || bytes > (ssize_t)BSR_SETTINGS_FILE_MAX) {
		snprintf(why, room, "%s: %s", bsr_settings_path(),
			bytes < 0 ? strerror((int)-bytes) : "too large");
		return bytes < 0 ? (int)bytes : -EINVAL;
	}
	if (bsr_settings_parse(s, text, (size_t)bytes, wrong, sizeof(wrong)) == 0) {
		return 0;
	}
	snprintf(why, room, "%s: %s", bsr_settings_path(), wrong);
	return -EINVAL;
}

/* ------------------------------------------------------------------ writing */

static int write_to(int fd, const struct bsr_settings *s)
{
	struct bsr_settings defaults;
	bsr_settings_defaults(&defaults);
	FILE *out = fdopen(fd, "w");
	if (out == NULL) {
		const int error = -errno;
		close(fd);
		return error;
	}
	fputs("# Written by bsrcon and bsrmon; change it with them.\n", out);
	for (size_t i = 0; i < ENTRIES; i++) {
		const struct entry *e = &entries[i];
		if (e->text && ((const char *)s)[e->offset] != '\0') {
			fprintf(out, "%s=%s\n", e->name, (const char *)s + e->offset);
		} else if (!e->text) {
			const uint64_t value = *(const uint64_t *)(const void *)((const char *)s + e->offset);
			if (value != e->otherwise) {
				fprintf(out, "%s=%" PRIu64 "\n", e->name, value);
			}
		}
	}
	int error = fflush(out) != 0 || fsync(fileno(out)) != 0 ? -errno : 0;
	if (fclose(out) != 0 && error == 0) {
		error = -errno;
	}
	return error;
}

int bsr_settings_save(const struct bsr_settings *s)
{
	char fresh[512];
	if (!path_of(".new", fresh, sizeof(fresh))) {
		return -ENAMETOOLONG;
	}
	if (mkdir(directory(), 0755) != 0 && errno != EEXIST) {
		return -errno;
	}
	const int fd = open(fresh, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0644);
	if (fd < 0) {
		return -errno;
	}
	int error = write_to(fd, s);
	if (error == 0 && rename(fresh, bsr_settings_path()) != 0) {
		error = -errno;
	}
	if (error != 0) {
		unlink(fresh);
	}
	return error;
}

int bsr_settings_lock(void)
{
	char path[512];
	if (!path_of(".lock", path, sizeof(path))) {
		return -ENAMETOOLONG;
	}
	if (mkdir(directory(), 0755) != 0 && errno != EEXIST) {
		return -errno;
	}
	const int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0) {
		return -errno;
	}
	if (flock(fd, LOCK_EX) != 0) {
		const int error = -errno;
		close(fd);
		return error;
	}
	return fd;
}
