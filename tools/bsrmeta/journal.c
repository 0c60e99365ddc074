// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * journal.c - which command changed metadata when, and how it ended: <log dir>/bsrmeta.log
 *
 * Owns:       which commands are noted.
 * May touch:  nothing but through ../journal.h.
 */
#include "../journal.h"
#include "meta.h"
#include "settings.h"

void bsr_meta_journal(const struct bsr_meta_context *ctx, bool modifies, int code)
{
	const struct bsr_settings *settings = bsr_journal_settings();
	char words[BSR_JOURNAL_LINE_MAX] = "";

	if (!modifies && code == META_OK && settings->status_commands == 0) {
		return; /* commands that only look are noted when they fail */
	}
	for (int i = 1, used = 0; i < ctx->argc && used < (int)sizeof(words); i++) {
		used += snprintf(words + used, sizeof(words) - (size_t)used, " %s", ctx->typed[i]);
	}
	bsr_journal_append("bsrmeta.log", settings->cli_count_meta, bsr_names()->meta, words, code);
}
