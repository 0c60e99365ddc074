// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * keeper_log.c - the log file: where it is, what goes into it, rolling it over; host-wide settings that
 * processes need
 *
 * Owns:       <log dir>/<resource>.log and its older generations, <resource>.log_YYYY-MM-DDThhmmss.
 * Invariants:
 *   KL-1  No line is lost when the file is rolled over: it is renamed, both processes write into it until
 * they have the new one. KL-2  What the engine process sends is checked: it can change levels, sizes and
 * counts within their ranges only.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <bsr/assert.h>

#include "keeper.h"

/* Pause after a failure: the next line would only fail again. */
#define RETRY_NS 60000000000ull

/* By enum bsrd_setting, from BSRD_SET_LEVEL_DBG on: name in the settings file. */
static const char *const setting_name[] = {
	"log-level-dbg", "log-level-sys", "log-categories", "log-file-kib", "log-file-count"};

static void apply(const struct keeper *k)
{
	const struct bsr_settings *s = &k->settings;
	bsr_logging_set(&(struct bsr_logging_rules){.file_level = (uint32_t)s->log_level_dbg,
		.sys_level = (uint32_t)s->log_level_sys,
		.categories = (uint32_t)s->log_categories,
		.file_bytes = k->log_path[0] != '\0' ? s->log_file_kib << 10 : 0});
}

void keeper_log_load(struct keeper *k)
{
	k->settings_bad = bsr_settings_load(&k->settings, k->settings_why, sizeof(k->settings_why)) != 0;
	apply(k);
}

void keeper_log_began(struct keeper *k)
{
	apply(k);
	if (k->settings_bad) {
		bsr_log(BSR_LOGN_SETTINGS_BAD, "why=\"%s\"", k->settings_why);
	}
	if (k->faults_allowed) {
		bsr_log(BSR_LOGN_FAULTS_ALLOWED, "option=--allow-faults");
	}
}

/* ------------------------------------------------------------------ the file */

static int open_file(const char *path)
{
	return open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0640);
}

int keeper_log_open(struct keeper *k)
{
	const char *dir = getenv("BSR_LOG_DIR");
	if (dir == NULL || dir[0] == '\0') {
		dir = k->settings.log_path[0] != '\0' ? k->settings.log_path : "/var/log/bsr";
	}
	if (mkdir(dir, 0755) != 0 && errno != EEXIST) {
		fprintf(stderr, "bsrd: cannot make log directory %s: %s\n", dir, strerror(errno));
		return -1;
	}
	const int length = snprintf(k->log_path, sizeof(k->log_path), "%s/%s.log", dir, k->resource);
	const int fd = length < (int)sizeof(k->log_path) ? open_file(k->log_path) : -1;
	if (fd < 0) {
		fprintf(stderr, "bsrd: cannot open log %s: %s\n", k->log_path, strerror(errno));
	}
	return fd;
}

static bool is_stamp(const char *text)
{
	static const char form[] = "_dddd-dd-ddTdddddd";
	for (size_t i = 0; form[i] != '\0'; i++) {
		if (form[i] == 'd' ? text[i] < '0' || text[i] > '9' : text[i] != form[i]) {
			return false;
		}
	}
	return true;
}

static int by_name(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* The oldest ones go; their names sort by age. */
static void forget_oldest(const struct keeper *k)
{
	char directory[sizeof(k->log_path)];
	char *names[2048];
	size_t count = 0;
	snprintf(directory, sizeof(directory), "%s", k->log_path);
	char *slash = strrchr(directory, '/');
	BSR_ASSERT(slash != NULL);
	*slash = '\0';
	const char *base = slash + 1;
	DIR *dir = opendir(directory);
	for (struct dirent *entry = dir != NULL ? readdir(dir) : NULL; entry != NULL; entry = readdir(dir)) {
		const size_t length = strlen(base);
		if (strncmp(entry->d_name, base, length) == 0 && is_stamp(entry->d_name + length) &&
			count < sizeof(names) / sizeof(names[0])) {
			names[count] = strdup(entry->d_name);
			count += names[count] != NULL;
		}
	}
	qsort(names, count, sizeof(names[0]), by_name);
	for (size_t i = 0; i < count; i++) {
		if (i + k->settings.log_file_count < count) {
			unlinkat(dirfd(dir), names[i], 0); /* the next time tries again */
		}
		free(names[i]);
	}
	if (dir != NULL) {
		closedir(dir);
	}
}

/* 0 or -errno; @fd is the new file */
static int roll(struct keeper *k, int *fd)
{
	char older[sizeof(k->log_path) + 64];
	char stamp[32];
	struct tm local;
	const time_t now = time(NULL);
	if (localtime_r(&now, &local) == NULL) {
		return -EINVAL;
	}
	strftime(stamp, sizeof(stamp), "_%Y-%m-%dT%H%M%S", &local);
	snprintf(older, sizeof(older), "%s%s", k->log_path, stamp);
	for (unsigned int again = 1; access(older, F_OK) == 0 && again < 100; again++) {
		snprintf(older, sizeof(older), "%s%s.%02u", k->log_path, stamp, again);
	}
	if (rename(k->log_path, older) != 0 && errno != ENOENT) {
		return -errno;
	}
	*fd = open_file(k->log_path);
	return *fd < 0 ? -errno : 0;
}

void keeper_log_turn(struct keeper *k)
{
	int fd = -1;
	if (k->log_path[0] == '\0' || !(bsr_logging_full() || k->log_full) ||
		keeper_now_ns() < k->log_retry_ns) {
		return;
	}
	k->log_full = false;
	int error = roll(k, &fd);
	if (error == 0) {
		error = bsr_logging_reopen(fd);
	}
	if (error != 0) {
		k->log_retry_ns = keeper_now_ns() + RETRY_NS;
		bsr_log(BSR_LOGN_LOG_ROLL_FAILED, "path=%s error=\"%s\"", k->log_path, strerror(-error));
	} else {
		forget_oldest(k);
		keeper_log_send(k, fd);
	}
	if (fd >= 0) {
		close(fd);
	}
}

/* ---------------------------------------------------------------- settings */

void keeper_log_fill(const struct keeper *k, struct bsrd_message *m)
{
	bsrd_message_add_settings(m, &k->settings, k->faults_allowed ? BSRD_SETF_FAULTS : 0);
}

void keeper_log_send(struct keeper *k, int fd)
{
	struct bsrd_message m;
	struct bsrd_fds fds = {.count = fd >= 0 ? 1 : 0, .fd = {fd}};
	bsrd_message_init(&m, BSRD_IPC_LOG);
	bsrd_message_set_text(&m, "");
	keeper_log_fill(k, &m);
	keeper_answer(k, &m, &fds);
}

bool keeper_log_settings(struct keeper *k, const struct bsrd_message *m)
{
	uint64_t min, max;
	for (size_t i = 0; i < sizeof(setting_name) / sizeof(setting_name[0]); i++) {
		const uint64_t value = m->arg[BSRD_SET_LEVEL_DBG + i];
		if (!bsr_settings_range(setting_name[i], &min, &max) || value < min || value > max) {
			return false;
		}
	}
	if (m->arg[BSRD_SET_FLAGS] >> 32 > UINT32_MAX - 1) {
		return false;
	}
	bsrd_message_take_settings(m, &k->settings);
	apply(k);
	keeper_control_access(k);
	if (k->log_path[0] != '\0') {
		forget_oldest(k);
	}
	return true;
}
