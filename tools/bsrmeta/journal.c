// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * journal.c - which command changed metadata when, and how it ended: <log dir>/bsrmeta.log
 *
 * Owns:       that file; a full one is put aside under its date.
 * May touch:  the log directory (environment BSR_LOG_DIR, else /var/log/bsr), if it exists. What cannot be written is not a
 *             reason to fail: the command has been carried out.
 */
#include <limits.h>
#include <stdlib.h>

#include "../journal.h"
#include "meta.h"

void bsr_meta_journal(const struct bsr_meta_context *ctx, bool modifies, int code)
{
	const char *dir = getenv("BSR_LOG_DIR");
	char path[PATH_MAX];
	char words[BSR_JOURNAL_LINE_MAX] = "";

	if (!modifies && code == META_OK) {
		return; /* commands that only look are noted when they fail */
	}
	snprintf(path, sizeof(path), "%.4000s/bsrmeta.log", dir != NULL && *dir != '\0' ? dir : "/var/log/bsr");
	(void)bsr_journal_put_aside(path);
	for (int i = 1, used = 0; i < ctx->argc && used < (int)sizeof(words); i++) {
		used += snprintf(words + used, sizeof(words) - (size_t)used, " %s", ctx->typed[i]);
	}
	bsr_journal_append(path, bsr_names()->meta, words, code);
}
