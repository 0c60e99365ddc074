// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * words.c - states as the tools print them
 */
#include <bsr/types.h>

#define COUNT_OF(a) (sizeof(a) / sizeof((a)[0]))

static const char *word_of(const char *const *words, size_t count, size_t index)
{
	return index < count && words[index] ? words[index] : "?";
}

const char *bsr_role_word(enum bsr_role role)
{
	static const char *const words[] = {"Unknown", "Primary", "Secondary"};
	return word_of(words, COUNT_OF(words), (size_t)role);
}

const char *bsr_conn_state_word(enum bsr_conn_state state)
{
	static const char *const words[] = {"StandAlone", "Disconnecting", "Unconnected", "Timeout", "BrokenPipe",
		"NetworkFailure", "ProtocolError", "TearDown", "Connecting", "Connected"};
	return word_of(words, COUNT_OF(words), (size_t)state);
}

const char *bsr_conn_error_word(enum bsr_conn_error error)
{
	static const char *const words[] = {"no-error", "split-brain", "sync-target-primary",
		"Incorrect-discard-my-data", "unrelated-data", "two-primaries", "size-mismatch",
		"configuration-mismatch", "handler-refused"};
	return word_of(words, COUNT_OF(words), (size_t)error);
}

const char *bsr_repl_state_word(enum bsr_repl_state state)
{
	static const char *const words[] = {[BSR_REPL_OFF] = "Off", [BSR_REPL_ESTABLISHED] = "Established",
		[BSR_REPL_STARTING_SYNC_S] = "StartingSyncS", [BSR_REPL_STARTING_SYNC_T] = "StartingSyncT",
		[BSR_REPL_WF_BITMAP_S] = "WFBitMapS", [BSR_REPL_WF_BITMAP_T] = "WFBitMapT",
		[BSR_REPL_WF_SYNC_UUID] = "WFSyncUUID", [BSR_REPL_SYNC_SOURCE] = "SyncSource",
		[BSR_REPL_SYNC_TARGET] = "SyncTarget", [BSR_REPL_VERIFY_S] = "VerifyS",
		[BSR_REPL_VERIFY_T] = "VerifyT", [BSR_REPL_PAUSED_SYNC_S] = "PausedSyncS",
		[BSR_REPL_PAUSED_SYNC_T] = "PausedSyncT", [BSR_REPL_AHEAD] = "Ahead",
		[BSR_REPL_BEHIND] = "Behind"};
	return word_of(words, COUNT_OF(words), (size_t)state);
}

const char *bsr_disk_state_word(enum bsr_disk_state state)
{
	static const char *const words[] = {"Diskless", "Attaching", "Detaching", "Failed", "Negotiating",
		"Inconsistent", "Outdated", "DUnknown", "Consistent", "UpToDate"};
	return word_of(words, COUNT_OF(words), (size_t)state);
}

uint32_t bsr_digest_bytes(uint32_t digest)
{
	static const uint8_t bytes[BSR_DIGEST_COUNT] = {[BSR_DIGEST_CRC32C] = 4,
		[BSR_DIGEST_MD5] = 16,
		[BSR_DIGEST_SHA1] = 20,
		[BSR_DIGEST_SHA256] = 32,
		[BSR_DIGEST_SHA512] = 64};
	return digest < BSR_DIGEST_COUNT ? bytes[digest] : 0;
}

const char *bsr_digest_word(uint32_t digest)
{
	static const char *const words[BSR_DIGEST_COUNT] = {[BSR_DIGEST_NONE] = "",
		[BSR_DIGEST_CRC32C] = "crc32c",
		[BSR_DIGEST_MD5] = "md5",
		[BSR_DIGEST_SHA1] = "sha1",
		[BSR_DIGEST_SHA256] = "sha256",
		[BSR_DIGEST_SHA512] = "sha512"};
	return digest < BSR_DIGEST_COUNT ? words[digest] : "";
}

static bool same_text(const char *a, const char *b)
{
	while (*a != 0 && *a == *b) {
		a++;
		b++;
	}
	return *a == *b;
}

enum bsr_digest bsr_digest_by_word(const char *word)
{
	for (uint32_t i = BSR_DIGEST_NONE + 1; i < BSR_DIGEST_COUNT; i++) {
		if (same_text(bsr_digest_word(i), word)) {
			return (enum bsr_digest)i;
		}
	}
	return BSR_DIGEST_NONE;
}
