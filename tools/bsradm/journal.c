// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * journal.c - who gave which command when, and how it ended: <log dir>/bsradm.log
 *
 * Owns:       that file and its older generations.
 * May touch:  the log directory (environment BSR_LOG_DIR, else as bsrcon /set_log_path says), if it exists.
 *             What cannot be written is not a reason to fail: the command has been carried out.
 */
#include "adm.h"

#include "../journal.h"
#include "settings.h"

#include <dirent.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* What bsrcon set; the file is read once, and what is wrong with it is told by bsrcon. */
static const struct bsr_settings *settings(void)
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
	return settings()->log_path[0] != '\0' ? settings()->log_path : "/var/log/bsr";
}

static int is_older_journal(const struct dirent *entry)
{
	return strncmp(entry->d_name, "bsradm.log_", 11) == 0;
}

/* A full file gets the date as its suffix; of these only the youngest stay. */
static void rotate(const char *path)
{
	struct dirent **older = NULL;
	char renamed[PATH_MAX];

	if (!bsr_journal_put_aside(path)) {
		return;
	}
	const int count = scandir(log_directory(), &older, is_older_journal, alphasort);
	for (int i = 0; i < count; i++) {
		if (i < count - (int)settings()->cli_count_adm) {
			snprintf(renamed, sizeof(renamed), "%.3800s/%s", log_directory(),
				older[i]->d_name);
			(void)unlink(renamed);
		}
		free(older[i]);
	}
	free(older);
}

static void append_words(char *line, size_t size, int argc, char **argv)
{
	size_t used = 0;

	for (int i = 1; i < argc && used + 1 < size; i++) {
		const bool secret = strncmp(argv[i], "--shared-secret", 15) == 0;
		const int n = snprintf(line + used, size - used, " %s",
			secret ? "--shared-secret=(hidden)" : argv[i]);
		used += n > 0 ? (size_t)n : 0;
		i += secret && strchr(argv[i], '=') == NULL ? 1 : 0;
	}
}

/* Commands that only look are noted when they fail. */
static bool only_looks(const struct adm *adm)
{
	static const char *const names[] = {"status", "role", "state", "cstate", "dstate", "dump",
		"dump-xml", "dump-md", "show-gi", "get-gi", "check", "wait-connect", "wait-sync",
		"help", "hidden-commands"};

	if (adm->command == NULL || adm->dry_run || strncmp(adm->command->name, "sh-", 3) == 0) {
		return true;
	}
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (strcmp(names[i], adm->command->name) == 0) {
			return true;
		}
	}
	return false;
}

void adm_journal(const struct adm *adm, int argc, char **argv, int code)
{
	char path[PATH_MAX];
	char words[BSR_JOURNAL_LINE_MAX] = "";

	if (adm->command == NULL || (code == 0 && settings()->status_commands == 0 && only_looks(adm))) {
		return;
	}
	snprintf(path, sizeof(path), "%.4000s/bsradm.log", log_directory());
	rotate(path);
	append_words(words, sizeof(words), argc, argv);
	bsr_journal_append(path, "bsradm", words, code);
}
