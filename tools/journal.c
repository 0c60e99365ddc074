// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * journal.c - a tool's own log: one line a command
 *
 * Owns:       the form of the line, and when a file is full; which commands are noted is the tool's own business.
 * May touch:  the file it is given, and others beside it that begin with its name.
 */
#include "journal.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define JOURNAL_BYTES_MAX (5 << 20)

bool bsr_journal_put_aside(const char *path)
{
	char renamed[PATH_MAX + 32];
	char stamp[32];
	const time_t now = time(NULL);
	struct tm local;
	struct stat st;

	if (stat(path, &st) != 0 || st.st_size < JOURNAL_BYTES_MAX || localtime_r(&now, &local) == NULL) {
		return false;
	}
	strftime(stamp, sizeof(stamp), "%Y-%m-%dT%H%M%S", &local);
	snprintf(renamed, sizeof(renamed), "%.4000s_%s", path, stamp);
	(void)rename(path, renamed);
	return true;
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

void bsr_journal_append(const char *path, const char *tool, const char *words, int code)
{
	char line[BSR_JOURNAL_LINE_MAX];
	char caller[64] = "";
	char when[32] = "";
	char end[32];
	const time_t now = time(NULL);
	struct tm local;
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
