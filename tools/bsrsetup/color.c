// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * color.c - which states are good, bad or passing, as terminal codes
 *
 * Owns: nothing but the table of words.
 */
#include "color.h"

#include <stddef.h>
#include <string.h>

static bool is_one_of(const char *word, const char *const *words)
{
	for (size_t i = 0; words[i] != NULL; i++) {
		if (strcmp(word, words[i]) == 0) {
			return true;
		}
	}
	return false;
}

static const char *good(bool peer)
{
	return peer ? "\033[32m" : "\033[1;32m";
}

static const char *passing(bool peer)
{
	return peer ? "" : "\033[1m";
}

const char *bsr_color_bad(bool peer)
{
	return peer ? "\033[31m" : "\033[1;31m";
}

const char *bsr_color_role(const char *role, bool peer)
{
	if (strcmp(role, "Primary") == 0) {
		return peer ? "\033[36m" : "\033[1;36m";
	}
	return strcmp(role, "Secondary") == 0 ? "" : passing(peer);
}

const char *bsr_color_disk(const char *disk, bool peer, bool intentional_diskless)
{
	static const char *const bad[] = {"Diskless", "Inconsistent", "Outdated", NULL};
	if (strcmp(disk, "UpToDate") == 0 ||
		(intentional_diskless && strcmp(disk, "Diskless") == 0)) {
		return good(peer);
	}
	return is_one_of(disk, bad) ? bsr_color_bad(peer) : passing(peer);
}

const char *bsr_color_connection(const char *state)
{
	static const char *const bad[] = {"StandAlone", "Connecting", NULL};
	if (strcmp(state, "Connected") == 0) {
		return "";
	}
	return is_one_of(state, bad) ? bsr_color_bad(false) : passing(false);
}

const char *bsr_color_replication(const char *state)
{
	static const char *const normal[] = {"Established", "VerifyS", "VerifyT", "Ahead", NULL};
	static const char *const source[] = {"SyncSource", "PausedSyncS", NULL};
	static const char *const target[] = {"SyncTarget", "PausedSyncT", NULL};
	if (is_one_of(state, normal)) {
		return "";
	}
	if (is_one_of(state, source)) {
		return bsr_color_bad(true); /* the peer's data are the bad ones */
	}
	return is_one_of(state, target) ? bsr_color_bad(false) : passing(false);
}
