// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * journal.c - a tool's own log: one line a command
 *
 * Owns:       where the files are, the form of a line, when a file is full, how many full ones stay; which commands are
 *             noted is the tool's own business.
 * May touch:  the log directory, if it exists.
 */
#include "journal.h"

#include "settings.h"

#include <bsr/assert.h>

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define JOURNAL_BYTES_MAX (5 << 20)
#define STAMP_BYTES 17u /* 2026-01-31T235959 */

const struct bsr_settings *bsr_journal_settings(void)
{
	static struct bsr_settings loaded;
	static bool done;
	char why[700];

	if (!done) {
		(void)bsr_settings_load(&loaded, why, sizeof(why));
		done = true;
	}
	return &loaded;
}

static const char *log_directory(void)
{
	const char *directory = getenv("BSR_LOG_DIR");

	if (directory != NULL && *directory != '\0') {
		return directory;
	}
	return bsr_journal_settings()->log_path[0] != '\0' ? bsr_journal_settings()->log_path : "/var/log/bsr";
}

/* "bsradm.log_2026-01-31T235959" of "bsradm.log" */
static bool is_older(const char *name, const char *file)
{
	const size_t length = strlen(file);

	return strncmp(name, file, length) == 0 && name[length] == '_' && strlen(name + length + 1) == STAMP_BYTES;
}

/* Their dates sort as text: the first ones are the oldest. */
static void remove_older(const char *directory, const char *file, uint64_t keep)
{
	struct dirent **entry = NULL;
	char path[PATH_MAX];
	uint64_t count = 0;
	const int found = scandir(directory, &entry, NULL, alphasort);

	for (int i = 0; i < found; i++) {
		count += is_older(entry[i]->d_name, file) ? 1 : 0;
	}
	for (int i = 0; i < found; i++) {
		if (count > keep && is_older(entry[i]->d_name, file)) {
			snprintf(path, sizeof(path), "%.3800s/%s", directory, entry[i]->d_name);
			(void)unlink(path);
			count--;
		}
		free(entry[i]);
	}
	free(entry);
}

static void put_aside(const char *path, const char *file, uint64_t keep)
{
	char renamed[PATH_MAX + 32];
	char stamp[STAMP_BYTES + 1];
	const time_t now = time(NULL);
	struct tm local;
	struct stat st;

	if (stat(path, &st) != 0 || st.st_size < JOURNAL_BYTES_MAX || localtime_r(&now, &local) == NULL ||
		strftime(stamp, sizeof(stamp), "%Y-%m-%dT%H%M%S", &local) != STAMP_BYTES) {
		return;
	}
	snprintf(renamed, sizeof(renamed), "%.4000s_%s", path, stamp);
	(void)rename(path, renamed);
	remove_older(log_directory(), file, keep);
}

/* Name of the program that called us, for the question who did it. */
static void parent_name(char *name, size_t size)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%ld/comm", (long)getppid());
	FILE *f = fopen(path, "re");
	if (f == NULL || fgets(name, (int)size, f) == NULL) {
		snprintf(name, size, "?");
	}
	if (f != NULL) {
		fclose(f);
	}
	name[strcspn(name, "\n")] = '\0';
}

void bsr_journal_append(const char *file, uint64_t keep, const char *tool, const char *words, int code)
{
	char path[PATH_MAX];
	char line[BSR_JOURNAL_LINE_MAX];
	char caller[64] = "";
	char when[32] = "";
	char end[32];
	const time_t now = time(NULL);
	struct tm local;

	BSR_ASSERT(keep > 0 && strchr(file, '/') == NULL);
	snprintf(path, sizeof(path), "%.3800s/%s", log_directory(), file);
	put_aside(path, file, keep);
	const int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0) {
		return;
	}
	if (localtime_r(&now, &local) != NULL) {
		strftime(when, sizeof(when), "%Y-%m-%d %H:%M:%S", &local);
	}
	parent_name(caller, sizeof(caller));
	snprintf(line, sizeof(line) - sizeof(end), "%s %s [%s:%ld] %ld %s%s", when, code == 0 ? "bsr_info" : "bsr_erro",
		caller, (long)getppid(), (long)getpid(), tool, words);
	for (char *c = line; *c != '\0'; c++) {
		*c = (unsigned char)*c < ' ' ? ' ' : *c; /* one command, one line */
	}
	snprintf(end, sizeof(end), " -> %d\n", code);
	strcat(line, end);
	const ssize_t written = write(fd, line, strlen(line));
	(void)written; /* a full log device must not turn a done command into a failed one */
	close(fd);
}
