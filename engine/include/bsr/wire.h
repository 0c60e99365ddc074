/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * wire.h - the native protocol: frame header and messages, as structs and as bytes
 *
 * A message is header, body, payload. The engine writes header and body unsealed; the host seals
 * them when they leave (stream sequence number, checksums), because it alone may look at payload
 * bytes. Receiving, the host verifies frame and checksums with bsr_wire_header_decode() and the
 * content checksum, and hands the body to the engine, which decodes it with the bsr_msg_*_decode()
 * functions. Numbers travel big-endian.
 * Specification: docs/protocol.md. No decode function reads past the bytes it is given; each checks
 *                every
 * length, count, enum and range against limits.h and returns 0 or -BSR_E_CORRUPT / -BSR_E_RANGE.
 */
#ifndef BSR_WIRE_H
#define BSR_WIRE_H

#include <bsr/crc32c.h>
#include <bsr/errors.h>
#include <bsr/types.h>

#define BSR_WIRE_HEADER_BYTES 40u
#define BSR_WIRE_MAGIC 0x62737231u /* "bsr1" */
/* write_seq: 1..this; a million a second for 2,000 years */
#define BSR_WIRE_WRITE_SEQ_MAX ((1ull << 56) - 1)

/* features, agreed at connect: those that both ends offer */
#define BSR_FEATURE_DATA_CHECKSUMS 1ull /* content checksums cover payloads, not only bodies */
#define BSR_FEATURE_ACK_TIMES 2ull /* acknowledgements can say how long a write took: BSR_ACK_TOOK */
#define BSR_FEATURE_MESH 4ull /* HS_MESH and MESH: resources of three and more nodes */
/* VOLUME_OFFER and VOLUME_CONFIRM: disks of one volume are compared over the standing link */
#define BSR_FEATURE_LIVE_VOLUMES 8ull
/* STATE on the data stream as well, behind all that a Primary had written when it lost its disk */
#define BSR_FEATURE_ORDERED_STATES 16ull
#define BSR_FEATURE_VERIFY 32ull /* VERIFY and its requests: disks are compared by digests */
#define BSR_FEATURE_CHOSEN_SOURCE 64ull /* flag 64 of HS_VOLUME: an administrator has named the source */
/* what a host offers whatever its options */
#define BSR_FEATURES_OF_ENGINE                                                                                         \
	(BSR_FEATURE_LIVE_VOLUMES | BSR_FEATURE_ORDERED_STATES | BSR_FEATURE_VERIFY | BSR_FEATURE_CHOSEN_SOURCE)

/** Message types; numbers are permanent. 1..31 belong to the link (host), 32.. to the engine. */
enum bsr_msg_type {
	/* link establishment, on each stream, before anything else */
	BSR_MSG_HELLO = 1,
	BSR_MSG_AUTH_CHALLENGE = 2,
	BSR_MSG_AUTH_RESPONSE = 3,
	BSR_MSG_LINK_READY = 4,
	BSR_MSG_LINK_REFUSED = 5,
	/* both streams */
	BSR_MSG_HS_CONFIRM = 32,
	BSR_MSG_STATE = 37, /* on the data stream with ORDERED_STATES */
	BSR_MSG_VOLUME_CONFIRM = 57,
	/* control stream */
	BSR_MSG_PING = 33,
	BSR_MSG_PONG = 34,
	BSR_MSG_HS_RESOURCE = 35,
	BSR_MSG_HS_VOLUME = 36,
	BSR_MSG_GI = 38,
	BSR_MSG_TWOPC = 39,
	BSR_MSG_ACKS = 40,
	BSR_MSG_CHECKPOINT_ACK = 41,
	BSR_MSG_READ_REQUEST = 42,
	BSR_MSG_RESYNC_REQUEST = 43, /* of a Primary on the data stream, behind its writes (LIVE_VOLUMES) */
	BSR_MSG_RESYNC_ACK = 44,
	BSR_MSG_RESYNC_DONE = 45,
	BSR_MSG_TEAR_DOWN = 46,
	BSR_MSG_VERIFY_REQUEST = 49, /* on the data stream, behind the writes before it */
	BSR_MSG_VERIFY_RESULT = 50,
	BSR_MSG_HS_MESH = 52,
	BSR_MSG_MESH = 53,
	BSR_MSG_VOLUME_OFFER = 56,
	BSR_MSG_VERIFY = 58,
	/* data stream */
	BSR_MSG_WRITE = 64,
	BSR_MSG_CHECKPOINT = 65,
	BSR_MSG_OUT_OF_SYNC = 66,
	BSR_MSG_RESYNC_DATA = 67,
	BSR_MSG_READ_REPLY = 68,
	BSR_MSG_BITMAP = 69,
	BSR_MSG_BITMAP_END = 70,
	BSR_MSG_VERIFY_REPLY = 71,
};

struct bsr_wire_header {
	uint8_t version; /* agreed one; BSR_WIRE_VERSION_MIN until agreed */
	uint16_t type;
	uint32_t body_bytes;	/* <= BSR_WIRE_BODY_BYTES_MAX */
	uint32_t payload_bytes; /* <= BSR_REQUEST_BYTES_MAX */
	uint64_t sequence;	/* +1 per message of a stream, from 1 */
	uint32_t content_crc;	/* CRC32C of body and payload */
};

/**
 * bsr_wire_header_encode - header without sequence and checksums; @out has BSR_WIRE_HEADER_BYTES
 */
void bsr_wire_header_encode(uint8_t *out, const struct bsr_wire_header *h);
/**
 * bsr_wire_seal - put sequence, content checksum (body and payload) and header checksum into an
 * encoded header
 */
void bsr_wire_seal(uint8_t *header, uint64_t sequence, uint32_t content_crc);
/**
 * bsr_wire_header_decode - magic, checksum, limits; -BSR_E_NOT_OURS, -BSR_E_CORRUPT, -BSR_E_RANGE,
 * -BSR_E_VERSION
 */
int bsr_wire_header_decode(struct bsr_wire_header *h, const uint8_t *in) BSR_MUST_CHECK;

/* The same two for hosts that have a faster bsr_crc32c(). */
typedef uint32_t bsr_crc32c_fn(uint32_t crc, const void *data, size_t bytes);
void bsr_wire_seal_with(uint8_t *header, uint64_t sequence, uint32_t content_crc, bsr_crc32c_fn *crc);
int bsr_wire_header_decode_with(struct bsr_wire_header *h, const uint8_t *in, bsr_crc32c_fn *crc) BSR_MUST_CHECK;

/* Two requests are different things to name: those of the application and those of a resync. */

/*
 * ---- handshake: one HS_RESOURCE, then one HS_VOLUME per volume, then HS_CONFIRM on both streams
 * ----
 */

struct bsr_msg_hs_resource {
	uint32_t node_id;
	uint8_t role; /* enum bsr_role */
	bool discard_my_data;
	bool tentative;
	uint8_t protocol;     /* enum bsr_protocol; both ends must agree */
	uint16_t volume_count; /* HS_VOLUME messages that follow */
	uint64_t dagtag;      /* sectors written by this node as Primary */
};

/* flags of bsr_msg_hs_volume; 4 is free: nobody ever sent it */
#define BSR_HSF_CRASHED_PRIMARY 1u /* was Primary when it last stopped without warning */
#define BSR_HSF_RECONNECT 2u	   /* has been connected to this peer since it attached */
/* was source of a resync to the receiver, and does not know how that ended */
#define BSR_HSF_RESYNC_MISSED_END 8u
/* with live-volumes: when the receiver was last seen it was Primary without a disk of its own: it cannot have gone on alone */
#define BSR_HSF_SERVED 16u
/* with ordered-states: the sender has no other peer: nobody else can have resynced this disk meanwhile */
#define BSR_HSF_PAIR 32u
/* with chosen-source: invalidate-remote was said here, of the receiver's disk: between equal ones this one is the source */
#define BSR_HSF_CHOSEN 64u

struct bsr_msg_hs_volume {
	uint32_t vnr;
	uint8_t disk; /* enum bsr_disk_state */
	uint32_t flags; /* BSR_HSF_* */
	uint64_t size_bytes;	 /* agreed size on disk, 0 = never agreed */
	uint64_t capacity_bytes; /* what this disk could offer; 0 when diskless */
	uint64_t wanted_bytes;	 /* administrator's size; 0 = none */
	uint64_t bits; /* out-of-sync bits toward the receiver */
	struct bsr_gi current;
	struct bsr_gi bitmap[BSR_NODES_MAX]; /* by node id; sent sparse */
	struct bsr_gi history[BSR_HISTORY_UUIDS]; /* newest first; sent up to the last non-zero */
};

/* flags of a volume in bsr_msg_hs_mesh */
#define BSR_HSM_TARGET 1u    /* a third node resyncs this disk now */
#define BSR_HSM_SYNC_BASE 2u /* a full sync of this disk has not finished: what it holds is of no value */

/* between HS_RESOURCE and the HS_VOLUMEs, when there are third nodes: what the sender knows of them */
struct bsr_msg_hs_mesh {
	uint32_t primaries; /* nodes that the sender is connected to and that are Primary */
	uint32_t lost_node; /* the Primary that it lost last, UINT32_MAX: none */
	uint64_t lost_dagtag; /* how much of that one's stream it has got */
	uint16_t count; /* volumes */
	struct {
		uint32_t vnr;
		uint32_t holders; /* nodes that may have the sender's current generation */
		uint32_t flags;	  /* BSR_HSM_* */
	} volume[BSR_VOLUMES_MAX];
};

struct bsr_msg_hs_confirm {
	uint16_t count; /* volumes */
	struct {
		uint32_t vnr;
		uint8_t decision; /* enum bsr_hs_action, the sender's view */
		uint16_t reason;
		uint64_t size_bytes; /* the size both will use */
	} volume[BSR_VOLUMES_MAX];
};

/*
 * ---- the same for one volume while connected: each end offers its record, then confirms the
 * decision it has come to from the pair ----
 */

struct bsr_msg_volume_offer {
	uint64_t number; /* of the sender's offers for this volume on this link, from 1 */
	uint8_t role;	 /* of the sender, as of this record */
	struct bsr_msg_hs_volume record;
};

struct bsr_msg_volume_confirm { /* on both streams */
	uint32_t vnr;
	uint8_t decision; /* enum bsr_hs_action, the sender's view */
	uint16_t reason;
	uint64_t mine;	 /* the sender's offer; 0: it has no such volume */
	uint64_t theirs; /* the receiver's */
	uint64_t size_bytes;
};

/* ---- control stream ---- */

struct bsr_msg_ping { /* PING, PONG */
	uint64_t nonce;
};

struct bsr_msg_state { /* of the sender; vnr UINT32_MAX: role only */
	uint8_t role;
	uint32_t vnr;
	uint8_t disk;
	uint8_t repl;
	uint32_t paused; /* the sender's own reasons: BSR_PAUSE_USER, BSR_PAUSE_DEPENDENCY */
};

#define BSR_GIF_NEW_GENERATION 1u /* a Primary starts this generation; receivers adopt it */
#define BSR_GIF_SKIP_INITIAL_SYNC 2u
/* full sync begins: the target takes @current as its own, Inconsistent, so that bits continue it */
#define BSR_GIF_SYNC_BASE 4u

struct bsr_msg_gi {
	uint32_t vnr;
	uint32_t flags; /* BSR_GIF_* */
	struct bsr_gi current;
	struct bsr_gi bitmap; /* the sender's slot for the receiver */
};

/* What nodes tell each other about third ones. */
enum bsr_mesh_kind {
	/* Primary: the nodes in @mask have every write up to write_seq @value that was not told before */
	BSR_MESH_PEER_ACK = 1,
	/* the disks of the nodes in @mask, and the sender's, are equal, in generation @value */
	BSR_MESH_IN_SYNC,
	/* Primary: generation @value begins; the nodes in @mask take part */
	BSR_MESH_NEW_GENERATION,
	BSR_MESH_ADOPTED, /* the answer: @value is durable here */
	BSR_MESH_FOLLOWS, /* the sender followed its Primary into @value; the receiver takes no part */
	BSR_MESH_PRIMARIES, /* the sender is connected to the Primaries in @mask */
	/* to a Primary: the sender has given up what it remembered up to write_seq @value; who is in sync behind that? */
	BSR_MESH_TELL_AGAIN,
	BSR_MESH_HOLDERS, /* the nodes in @mask may have the sender's current generation, which is @value */
};

struct bsr_msg_mesh {
	uint32_t vnr; /* UINT32_MAX: the whole resource */
	uint8_t kind; /* enum bsr_mesh_kind */
	uint32_t mask; /* node ids */
	uint64_t value;
};

enum bsr_twopc_step { BSR_TWOPC_PREPARE = 1, BSR_TWOPC_YES, BSR_TWOPC_NO, BSR_TWOPC_RETRY, BSR_TWOPC_COMMIT, BSR_TWOPC_ABORT };
enum bsr_twopc_kind {
	BSR_TWOPC_PROMOTE = 1,
	BSR_TWOPC_DEMOTE,
	BSR_TWOPC_DISCONNECT,
	BSR_TWOPC_DETACH,
	BSR_TWOPC_INVALIDATE, /* initiator becomes target of the receiver */
	BSR_TWOPC_INVALIDATE_REMOTE,
};

struct bsr_msg_twopc {
	uint8_t step; /* enum bsr_twopc_step */
	uint8_t kind; /* enum bsr_twopc_kind */
	uint32_t tid; /* random, not 0 */
	uint32_t initiator; /* node id */
	uint32_t vnr; /* UINT32_MAX: the whole resource */
	uint32_t flags; /* BSR_CMDF_FORCE */
	int32_t error; /* NO: negative BSR_E_* */
};

enum bsr_ack_kind {
	BSR_ACK_RECEIVED = 1,
	BSR_ACK_WRITTEN = 2,
	BSR_ACK_NEGATIVE = 3,
	BSR_ACK_TOOK = 4, /* write_seq: nanoseconds from arrival until on disk, of the write acknowledged next */
};

struct bsr_msg_acks { /* answers to WRITE */
	uint16_t count; /* 1..BSR_WIRE_ACKS_MAX */
	struct {
		uint8_t kind; /* enum bsr_ack_kind */
		uint64_t write_seq;
	} ack[BSR_WIRE_ACKS_MAX];
};

struct bsr_msg_checkpoint { /* CHECKPOINT, CHECKPOINT_ACK */
	uint64_t number;
	bool barrier; /* writes behind it wait until it is answered */
	int32_t error; /* ACK: 0, or -BSR_E_IO when some disk could not be flushed */
};

/* id of OUT_OF_SYNC: the sender's own disk lacks the range; 0: the receiver's */
#define BSR_OOS_OF_SENDER 1ull

/* READ_REQUEST, RESYNC_REQUEST, RESYNC_ACK, OUT_OF_SYNC, VERIFY_*, and heads of RESYNC_DATA, READ_REPLY */
struct bsr_msg_range {
	uint32_t vnr;
	uint64_t id; /* the requester's */
	uint64_t offset; /* bytes */
	uint32_t length; /* bytes, 1..BSR_RANGE_BYTES_MAX */
	int32_t error; /* 0 or a negative BSR_E_*; then no payload */
	bool zeroes; /* the range reads as zeroes; no payload */
};

/* target to source: all written, stable, adopted; and back as acknowledgement */
struct bsr_msg_resync_done {
	uint32_t vnr;
	bool answer;
	uint64_t failed_bytes; /* could not be read or written; still out of sync */
	struct bsr_gi current; /* the target's, now the source's */
};

enum bsr_verify_say {
	BSR_VERIFY_START = 1, /* source to target: I want to compare this range */
	BSR_VERIFY_AGREED,
	BSR_VERIFY_REFUSED, /* @error says why */
	BSR_VERIFY_ENDED,   /* either to the other: complete (@error 0), or not */
};

struct bsr_msg_verify {
	uint32_t vnr;
	uint8_t say; /* enum bsr_verify_say */
	uint8_t digest; /* enum bsr_digest; any number: the receiver may be older */
	uint64_t run; /* number of this verify, the source's; not 0 */
	uint64_t start; /* bytes */
	uint64_t stop;
	uint64_t found; /* ENDED: bytes that differ */
	uint64_t skipped; /* ENDED: bytes that were written all the time */
	int32_t error;
};

struct bsr_msg_verify_reply {
	uint32_t vnr;
	uint64_t id; /* of the VERIFY_REQUEST */
	uint64_t offset;
	uint32_t length; /* 1..BSR_VERIFY_REQUEST_BYTES_MAX */
	int32_t error; /* then there are no digests */
	uint16_t digest_bytes; /* 0 with an error */
	const uint8_t *digests; /* one per 4 KiB block; points into the body */
};

struct bsr_msg_tear_down {
	uint8_t reason; /* enum bsr_link_reason */
	int32_t error;
};

/* ---- data stream ---- */

#define BSR_WRITEF_FUA 1u
#define BSR_WRITEF_WANT_RECEIVED 2u /* protocol B */
/* the sender's own disk does not get it: the receiver marks it for the sender */
#define BSR_WRITEF_NO_LOCAL 4u
#define BSR_WRITEF_TIMED 8u /* with BSR_FEATURE_ACK_TIMES: say with the acknowledgement how long it took */

struct bsr_msg_write {
	uint32_t vnr;
	uint64_t write_seq; /* grows with every write of the sender; comes back in ACKS */
	uint64_t epoch;	    /* never falls; writes of one epoch may be reordered */
	uint64_t dagtag;
	uint64_t offset; /* bytes */
	uint32_t length; /* bytes */
	uint8_t op;	 /* WRITE (with payload), DISCARD, ZEROES */
	uint8_t flags;	 /* BSR_WRITEF_* */
};

#define BSR_BITMAP_BITS_PER_MESSAGE 65536u

enum bsr_bitmap_encoding { BSR_BITMAP_PLAIN = 1, BSR_BITMAP_ALL_SET = 2 };

struct bsr_msg_bitmap {
	uint32_t vnr;
	uint64_t first_bit; /* multiple of 64 */
	/* multiple of 64; PLAIN: <= BSR_BITMAP_BITS_PER_MESSAGE; ALL_SET: any */
	uint32_t bit_count;
	uint8_t encoding;
	/* PLAIN: bit_count / 8 bytes, bit n in byte n/8 at position n%8; points into the body */
	const uint8_t *words;
};

struct bsr_msg_bitmap_end {
	uint32_t vnr;
	uint64_t bits_set; /* of the sender */
};

/*
 * bsr_msg_<name>_encode writes header (unsealed) and body for message type @type at @out, which has
 * @room bytes, and returns the bytes written; it panics when @room is too small (callers reserve
 * the maximum).
 * @payload_bytes is what the host will append. bsr_msg_<name>_decode is its inverse on a body.
 */
#define BSR_WIRE_DECLARE(name)                                                                                \
	uint32_t bsr_msg_##name##_encode(uint8_t *out, uint32_t room, enum bsr_msg_type type,                 \
		uint32_t payload_bytes, const struct bsr_msg_##name *m);                                      \
	int bsr_msg_##name##_decode(struct bsr_msg_##name *m, const uint8_t *body, uint32_t body_bytes) BSR_MUST_CHECK

BSR_WIRE_DECLARE(hs_resource);
BSR_WIRE_DECLARE(hs_volume);
BSR_WIRE_DECLARE(hs_mesh);
BSR_WIRE_DECLARE(hs_confirm);
BSR_WIRE_DECLARE(volume_offer);
BSR_WIRE_DECLARE(volume_confirm);
BSR_WIRE_DECLARE(ping);
BSR_WIRE_DECLARE(state);
BSR_WIRE_DECLARE(gi);
BSR_WIRE_DECLARE(mesh);
BSR_WIRE_DECLARE(twopc);
BSR_WIRE_DECLARE(acks);
BSR_WIRE_DECLARE(checkpoint);
BSR_WIRE_DECLARE(range);
BSR_WIRE_DECLARE(resync_done);
BSR_WIRE_DECLARE(tear_down);
BSR_WIRE_DECLARE(verify);
BSR_WIRE_DECLARE(verify_reply);
BSR_WIRE_DECLARE(write);
BSR_WIRE_DECLARE(bitmap);
BSR_WIRE_DECLARE(bitmap_end);

/**
 * bsr_msg_stream - the stream a message type travels on: BSR_STREAM_DATA, BSR_STREAM_CONTROL, or -1
 * for both/unknown
 */
int bsr_msg_stream(uint16_t type);
/** bsr_msg_fits_stream - whether it is known and may travel on @stream */
bool bsr_msg_fits_stream(uint16_t type, uint8_t stream);
/** bsr_msg_known - whether this version has such a message */
bool bsr_msg_known(uint16_t type);
/** bsr_msg_word - its name for logs; "?" when unknown */
const char *bsr_msg_word(uint16_t type);

#endif
