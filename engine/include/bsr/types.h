/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * types.h - the vocabulary: states, roles, identifiers, operations
 *
 * Values are those of the field (numeric order of states is significant: see
 * docs/design/states.md). Words are what the tools print.
 */
#ifndef BSR_TYPES_H
#define BSR_TYPES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <bsr/limits.h>

#define BSR_MUST_CHECK __attribute__((warn_unused_result))
#define BSR_STATIC_ASSERT(cond, why) _Static_assert(cond, why)

/** Generation identifier: random tag of a data history. Bit 0 says "was Primary when set". */
struct bsr_gi {
	uint64_t v;
};
#define BSR_GI_NONE 0ull	 /* no generation; as bitmap GI: nothing owed */
#define BSR_GI_JUST_CREATED 4ull /* fresh metadata, never promoted */
#define BSR_GI_PRIMARY_BIT 1ull
#define BSR_GI_MASK (~BSR_GI_PRIMARY_BIT)

enum bsr_role { BSR_ROLE_UNKNOWN = 0, BSR_ROLE_PRIMARY = 1, BSR_ROLE_SECONDARY = 2 };

enum bsr_conn_state {
	BSR_CONN_STANDALONE = 0,
	BSR_CONN_DISCONNECTING = 1,
	BSR_CONN_UNCONNECTED = 2,
	BSR_CONN_TIMEOUT = 3,
	BSR_CONN_BROKEN_PIPE = 4,
	BSR_CONN_NETWORK_FAILURE = 5,
	BSR_CONN_PROTOCOL_ERROR = 6,
	BSR_CONN_TEAR_DOWN = 7,
	BSR_CONN_CONNECTING = 8,
	BSR_CONN_CONNECTED = 9,
};
#define BSR_CONN_STATE_COUNT 10u

/** Why a connection stays StandAlone until a person acts; shown as `error:` by status. */
enum bsr_conn_error {
	BSR_CONN_ERROR_NONE = 0,
	BSR_CONN_ERROR_SPLIT_BRAIN = 1,
	BSR_CONN_ERROR_SYNC_TARGET_PRIMARY = 2,
	BSR_CONN_ERROR_DISCARD_REFUSED = 3,
	BSR_CONN_ERROR_UNRELATED = 4,
	BSR_CONN_ERROR_TWO_PRIMARIES = 5,
	BSR_CONN_ERROR_SIZE = 6,
	BSR_CONN_ERROR_CONFIG = 7,
	BSR_CONN_ERROR_HANDLER = 8, /* before-resync-source or -target said no */
};

enum bsr_repl_state {
	BSR_REPL_OFF = 9,
	BSR_REPL_ESTABLISHED = 10,
	BSR_REPL_STARTING_SYNC_S = 11,
	BSR_REPL_STARTING_SYNC_T = 12,
	BSR_REPL_WF_BITMAP_S = 13,
	BSR_REPL_WF_BITMAP_T = 14,
	BSR_REPL_WF_SYNC_UUID = 15,
	BSR_REPL_SYNC_SOURCE = 16,
	BSR_REPL_SYNC_TARGET = 17,
	BSR_REPL_VERIFY_S = 18,
	BSR_REPL_VERIFY_T = 19,
	BSR_REPL_PAUSED_SYNC_S = 20,
	BSR_REPL_PAUSED_SYNC_T = 21,
	BSR_REPL_AHEAD = 22,
	BSR_REPL_BEHIND = 23,
};

enum bsr_disk_state {
	BSR_DISK_DISKLESS = 0,
	BSR_DISK_ATTACHING = 1,
	BSR_DISK_DETACHING = 2,
	BSR_DISK_FAILED = 3,
	BSR_DISK_NEGOTIATING = 4,
	BSR_DISK_INCONSISTENT = 5,
	BSR_DISK_OUTDATED = 6,
	BSR_DISK_UNKNOWN = 7, /* of a peer only */
	BSR_DISK_CONSISTENT = 8,
	BSR_DISK_UP_TO_DATE = 9,
};

/** Reasons for a paused resync; a set. */
#define BSR_PAUSE_USER 1u
#define BSR_PAUSE_PEER 2u
#define BSR_PAUSE_DEPENDENCY 4u
#define BSR_PAUSE_OTHER_CONNECTION 8u

/** Reasons for suspended application I/O; a set. */
#define BSR_SUSPEND_USER 1u
#define BSR_SUSPEND_NO_DATA 2u
#define BSR_SUSPEND_FENCING 4u
#define BSR_SUSPEND_QUORUM 8u

enum bsr_protocol { BSR_PROTOCOL_A = 1, BSR_PROTOCOL_B = 2, BSR_PROTOCOL_C = 3 };

/** What an application or a peer wants done with a range of a volume. */
enum bsr_op {
	BSR_OP_READ = 0,
	BSR_OP_WRITE = 1,
	BSR_OP_FLUSH = 2,   /* no range: everything acknowledged before is stable afterwards */
	BSR_OP_DISCARD = 3, /* reads back as zeroes afterwards, may unmap (never a hint here) */
	BSR_OP_ZEROES = 4,  /* reads back as zeroes afterwards, stays allocated */
	BSR_OP_DIGEST = 5,  /* of a backing disk only: read, and answer with a digest of each 4 KiB block */
};

/** Digests of blocks; numbers travel and are permanent. */
enum bsr_digest {
	BSR_DIGEST_NONE = 0,
	BSR_DIGEST_CRC32C = 1,
	BSR_DIGEST_MD5 = 2,
	BSR_DIGEST_SHA1 = 3,
	BSR_DIGEST_SHA256 = 4,
	BSR_DIGEST_SHA512 = 5,
};
#define BSR_DIGEST_COUNT 6u
/** bsr_digest_bytes - length of one digest; 0 for NONE and for numbers that are not known */
uint32_t bsr_digest_bytes(uint32_t digest);
/** bsr_digest_word - as the option verify-alg spells it; "" for NONE and for numbers that are not known */
const char *bsr_digest_word(uint32_t digest);
/** bsr_digest_by_word - the other way round; NONE for a name that is not known */
enum bsr_digest bsr_digest_by_word(const char *word);

#define BSR_REQ_FUA 1u /* stable before it is acknowledged; writes, discards and zeroes only */

/** Host-owned data buffer, reference counted by the host. */
typedef uint32_t bsr_buf_t;
#define BSR_BUF_NONE UINT32_MAX

enum bsr_stream { BSR_STREAM_DATA = 0, BSR_STREAM_CONTROL = 1 };
#define BSR_STREAM_COUNT 2u

/*
 * Words as the tools print them; "?" for a value outside of the enum. Never NULL, static storage.
 */
const char *bsr_role_word(enum bsr_role role);
const char *bsr_conn_state_word(enum bsr_conn_state state);
const char *bsr_conn_error_word(enum bsr_conn_error error);
const char *bsr_repl_state_word(enum bsr_repl_state state);
const char *bsr_disk_state_word(enum bsr_disk_state state);

#endif
