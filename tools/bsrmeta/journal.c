// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * journal.c - which command changed metadata when, and how it ended: <log dir>/bsrmeta.log
 *
 * Owns:       that file; a full one is put aside under its date.
 * May touch:  the log directory (environment BSR_LOG_DIR, else /var/log/bsr), if it exists. What cannot be written is not a
 *             reason to fail: the command has been carried out.
 */
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "meta.h"

#define JOURNAL_BYTES_MAX (5 << 20)
#define JOURNAL_LINE_MAX 4096

static void put_aside(const char *path, const struct tm *local)
{
	char renamed[PATH_MAX + 32];
	char stamp[32];
	struct stat st;

	if (stat(path, &st) != 0 || st.st_size < JOURNAL_BYTES_MAX) {
		return;
	}
	strftime(stamp, sizeof(stamp), "%Y-%m-%dT%H%M%S", local);
	snprintf(renamed, sizeof(renamed), "%s_%s", path, stamp);
	(void)rename(path, renamed);
}

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

void bsr_meta_journal(const struct bsr_meta_context *ctx, bool modifies, int code)
{
	const char *dir = getenv("BSR_LOG_DIR");
	char path[PATH_MAX];
	char line[JOURNAL_LINE_MAX];
	char caller[64] = "";
	char when[32] = "";
	char end[32];
	const time_t now = time(NULL);
	struct tm local;

	if ((!modifies && code == META_OK) || localtime_r(&now, &local) == NULL) {
		return; /* commands that only look are noted when they fail */
	}
	snprintf(path, sizeof(path), "%.4000s/bsrmeta.log", dir != NULL && *dir != '\0' ? dir : "/var/log/bsr");
	put_aside(path, &local);
	const int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0) {
		return;
	}
	strftime(when, sizeof(when), "%Y-%m-%d %H:%M:%S", &local);
	parent_name(caller, sizeof(caller));
	int used = snprintf(line, sizeof(line), "%s %s [%s:%ld] %ld %s", when,
		code == META_OK ? "bsr_info" : "bsr_erro", caller, (long)getppid(), (long)getpid(),
		bsr_names()->meta);
	for (int i = 1; i < ctx->argc && used < JOURNAL_LINE_MAX - 64; i++) {
		used += snprintf(line + used, sizeof(line) - (size_t)used - sizeof(end), " %s", ctx->typed[i]);
		used = used > JOURNAL_LINE_MAX - 64 ? JOURNAL_LINE_MAX - 64 : used;
	}
	for (char *c = line; *c != '\0'; c++) {
		*c = (unsigned char)*c < ' ' ? ' ' : *c; /* one command, one line */
	}
	snprintf(end, sizeof(end), " -> %d\n", code);
	strcat(line, end);
	const ssize_t written = write(fd, line, strlen(line));
	(void)written; /* a full log device must not turn a done command into a failed one */
	close(fd);
}
