// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * journal.c - who gave which command when, and how it ended: <log dir>/bsradm.log
 *
 * Owns:       which commands are noted, and that no secret is.
 * May touch:  nothing but through ../journal.h.
 */
#include "adm.h"

#include "../journal.h"
#include "settings.h"

#include <string.h>

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
		"dump-xml", "dump-md", "show-gi", "get-gi", "check", "why", "wait-connect", "wait-sync",
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
	char words[BSR_JOURNAL_LINE_MAX] = "";

	if (adm->command == NULL || (code == 0 && bsr_journal_settings()->status_commands == 0 && only_looks(adm))) {
		return;
	}
	append_words(words, sizeof(words), argc, argv);
	bsr_journal_append("bsradm.log", bsr_journal_settings()->cli_count_adm, "bsradm", words, code);
}
