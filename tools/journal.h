/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * journal.h - a tool's own log: which command was given when, by whom, and how it ended
 */
#ifndef BSR_TOOLS_JOURNAL_H
#define BSR_TOOLS_JOURNAL_H

#include <stdint.h>

#define BSR_JOURNAL_LINE_MAX 4096

struct bsr_settings;

/** bsr_journal_settings - what bsrcon set for this host; read once, and what is wrong with it is told by bsrcon */
const struct bsr_settings *bsr_journal_settings(void);
/**
 * bsr_journal_append - one line with the time, the calling program, @tool, @words and the exit code @code
 * @file: name in the log directory (environment BSR_LOG_DIR, else as bsrcon /set_log_path says); a full one gets the date as
 *        its suffix
 * @keep: how many of those stay, the youngest; 1..255
 * @words: as typed, each with a space before it; control characters become spaces; what is too long is cut.
 * What cannot be written is not a reason to fail: the command has been carried out.
 */
void bsr_journal_append(const char *file, uint64_t keep, const char *tool, const char *words, int code);

#endif
