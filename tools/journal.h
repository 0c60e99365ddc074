/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * journal.h - a tool's own log: which command was given when, by whom, and how it ended
 */
#ifndef BSR_TOOLS_JOURNAL_H
#define BSR_TOOLS_JOURNAL_H

#include <stdbool.h>

#define BSR_JOURNAL_LINE_MAX 4096

/** bsr_journal_put_aside - a file of 5 MiB and more gets the date as its suffix; true when it was one */
bool bsr_journal_put_aside(const char *path);
/**
 * bsr_journal_append - one line with the time, the calling program, @tool, @words and the exit code @code
 * @words: as typed, each with a space before it; control characters become spaces; what is too long is cut.
 * What cannot be written is not a reason to fail: the command has been carried out.
 */
void bsr_journal_append(const char *path, const char *tool, const char *words, int code);

#endif
