/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * engine.h - the replication engine: events in, effects out
 *
 * One engine is one resource on one node. It is single-threaded and deterministic: from the same
 * start and the same events come the same effects, byte for byte. It never blocks, reads a clock,
 * starts a thread or makes a system call. Memory comes from the host's allocator while a command
 * runs (new peer, new volume, attach); nothing is allocated while I/O runs.
 *
 * Order. Effects of one step are independent; a host may carry them out in any order and in
 * parallel, with one
 * exception: messages of one stream of one link leave in the order of their effects.
 *
 * Buffers. Payload bytes are never touched by the engine; it passes buffer ids. A host counts
 * references:
 *   - the buffer of an application request belongs to the request until its BSR_FX_COMPLETE; the
 *     host keeps it longer while disk or send effects that name it are still being carried out;
 *   - the payload buffer of a message, and the buffer that comes with a finished disk read that the
 *     host allocated (effect with BSR_BUF_NONE), belong to the engine until BSR_FX_BUF_PUT, or until
 *     it gives them away with a disk operation (BSR_DISK_GIVES_BUFFER), whose end is then theirs; again
 *     the host adds its own references for other effects under way.
 *
 * Addresses. Volumes are named by an index 0..63 that the host chooses when it adds the volume (the
 * number that users see, vnr, is a property of it); peers by their node id.
 */
#ifndef BSR_ENGINE_H
#define BSR_ENGINE_H

#include <bsr/errors.h>
#include <bsr/options.h>
#include <bsr/types.h>

struct bsr_engine;

/** Memory provider. alloc returns zeroed memory aligned to @align, or NULL. */
struct bsr_env {
	void *ctx;
	void *(*alloc)(void *ctx, size_t bytes, size_t align);
	void (*free)(void *ctx, void *mem, size_t bytes);
};

struct bsr_engine_config {
	uint32_t node_id;
	uint8_t seed[32]; /* of the generator behind generation identifiers and jitter */
	struct bsr_env env;
};

/* ---------------------------------------------------------------- commands */

enum bsr_cmd {
	BSR_CMD_RESOURCE_OPTIONS,
	BSR_CMD_NEW_VOLUME,
	BSR_CMD_DEL_VOLUME,
	BSR_CMD_ATTACH,
	BSR_CMD_DETACH,
	BSR_CMD_DISK_OPTIONS,
	BSR_CMD_NEW_PEER,
	BSR_CMD_DEL_PEER,
	BSR_CMD_NET_OPTIONS,
	BSR_CMD_PEER_DEVICE_OPTIONS,
	BSR_CMD_CONNECT,
	BSR_CMD_DISCONNECT,
	BSR_CMD_PRIMARY,
	BSR_CMD_SECONDARY,
	BSR_CMD_INVALIDATE,
	BSR_CMD_INVALIDATE_REMOTE,
	BSR_CMD_PAUSE_SYNC,
	BSR_CMD_RESUME_SYNC,
	BSR_CMD_OUTDATE,
	BSR_CMD_NEW_CURRENT_UUID,
	BSR_CMD_SUSPEND_IO,
	BSR_CMD_RESUME_IO,
	BSR_CMD_MEASURE, /* collection on (flag) or off: measure.h */
	/* demote, disconnect all, detach all; the host removes the engine afterwards */
	BSR_CMD_DOWN,
	BSR_CMD_VERIFY, /* answered when it has begun */
	BSR_CMD_VERIFY_STOP,
	BSR_CMD_FORGET_PEER, /* answered when its slots are free, durably */
};
#define BSR_CMD_COUNT 27u

#define BSR_CMDF_FORCE 1u	   /* primary, disconnect, detach */
#define BSR_CMDF_DISCARD_MY_DATA 2u /* connect */
#define BSR_CMDF_TENTATIVE 4u	   /* connect: report the decision, then drop the link */
#define BSR_CMDF_CLEAR_BITMAP 8u   /* new-current-uuid */
/* primary: a restarted engine takes up the role its device still has */
#define BSR_CMDF_RESUME_PRIMARY 16u
#define BSR_CMDF_ON 32u /* measure */
#define BSR_CMDF_AUTO_SYNC 64u /* verify: what was found is resynced at its end */
#define BSR_CMDF_START 128u    /* verify: begin at verify.start_bytes, not where the last one was interrupted */
#define BSR_CMDF_KEEP_BITMAP 256u  /* invalidate, invalidate-remote: only what is marked already is copied */
#define BSR_CMDF_FORCE_RESYNC 512u /* new-current-uuid: this new disk's content is the volume's */

enum bsr_md_kind { BSR_MD_INTERNAL, BSR_MD_FLEX_EXTERNAL, BSR_MD_INDEXED };

struct bsr_attach {
	uint64_t data_bytes; /* size of the backing device */
	/* size of the device that holds the metadata; equals data_bytes for internal */
	uint64_t md_bytes;
	enum bsr_md_kind md_kind;
	uint32_t md_index;	     /* indexed only */
	uint64_t md_index_stride_bytes; /* indexed only: 128 MiB (DRBD) or 256 MiB (bsr) */
	uint64_t size_bytes;	     /* administrator's `size`; 0 = as large as possible */
	bool write_through;	     /* no volatile cache below: a finished write is stable */
	struct bsr_disk_options options;
};

struct bsr_verify_range {
	uint64_t start_bytes; /* with BSR_CMDF_START; any, rounded down to a block */
	uint64_t stop_bytes;  /* 0 = end of the volume; any, rounded up */
};

struct bsr_command {
	enum bsr_cmd type;
	uint32_t flags;
	uint32_t volume; /* where the command has one */
	uint32_t peer;	 /* node id, where the command has one */
	uint32_t vnr;	 /* new-volume: the number users see */
	union {
		struct bsr_attach attach;
		struct bsr_resource_options resource;
		struct bsr_disk_options disk;
		struct bsr_net_options net;
		struct bsr_peer_device_options peer_device;
		struct bsr_verify_range verify;
	} u;
};

/* ------------------------------------------------------------------ events */

enum bsr_event_type {
	/*
	 * the deadline has come, or a turn of the host ends and bsr_engine_deadline() is not after
	 * now
	 */
	BSR_EV_TIME,
	BSR_EV_REQUEST,
	BSR_EV_DISK_DONE, /* of BSR_FX_DISK and of BSR_FX_MD */
	BSR_EV_LINK_UP,
	BSR_EV_LINK_DOWN,
	BSR_EV_MESSAGE,
	BSR_EV_SENT,
	BSR_EV_COMMAND,
	BSR_EV_HANDLER_EXIT,
	BSR_EV_DIGEST_DONE, /* of BSR_FX_DISK with BSR_OP_DIGEST */
};

struct bsr_ev_request {
	uint32_t tag; /* the host's; comes back in BSR_FX_COMPLETE */
	uint8_t op;   /* enum bsr_op */
	uint8_t flags; /* BSR_REQ_* */
	uint16_t volume;
	uint64_t offset; /* bytes, multiple of 512 */
	uint32_t length; /* bytes, multiple of 512; 0 for a flush */
	bsr_buf_t buf;	 /* reads and writes */
};

struct bsr_ev_disk_done {
	uint32_t op_id;
	int32_t result; /* 0, or a negative BSR_E_* (IO, NO_SPACE, UNSUPPORTED) */
	bsr_buf_t buf;	/* reads for which the host allocated; otherwise BSR_BUF_NONE */
};

/**
 * Both streams of a link stand: peers have proved who they are, version and features are agreed.
 */
struct bsr_ev_link_up {
	uint32_t peer;
	uint32_t link; /* from BSR_FX_LISTEN_DIAL */
	uint32_t version;
	uint64_t features;
	bool resolver; /* tie-break, true on exactly one side of a link */
};

enum bsr_link_reason {
	BSR_LINK_CLOSED,	/* end of stream or reset */
	BSR_LINK_SILENT,	/* ping or write unanswered */
	BSR_LINK_BAD_MESSAGE,	/* framing, checksum, undecodable or unexpected */
	BSR_LINK_AUTH,		/* other secret: stays StandAlone */
	BSR_LINK_MISMATCH,	/* other resource, node id or no common version: stays StandAlone */
	BSR_LINK_ADMIN,		/* disconnect, down */
	BSR_LINK_PEER_LEAVES,	/* the peer announced it */
	BSR_LINK_RENEGOTIATE,	/* something changed during the handshake: again at once */
	BSR_LINK_REFUSED,	/* handshake decision: stays StandAlone */
};

struct bsr_ev_link_down {
	uint32_t peer;
	uint32_t link;
	enum bsr_link_reason reason;
};

struct bsr_ev_message {
	uint32_t peer;
	uint32_t link;
	uint8_t stream;
	uint16_t msg_type; /* enum bsr_msg_type, header already verified */
	const uint8_t *body; /* the host's, valid during the step */
	uint32_t body_bytes;
	uint32_t payload_bytes;
	bsr_buf_t payload; /* BSR_BUF_NONE when payload_bytes is 0 */
};

/** Bytes have left for the network; at most one event per stream and host turn. */
struct bsr_ev_sent {
	uint32_t peer;
	uint32_t link;
	uint8_t stream;
	uint64_t bytes; /* since the last such event: heads, bodies and payloads */
};

struct bsr_ev_command {
	uint32_t cmd_id; /* the host's; comes back in BSR_FX_COMMAND_DONE */
	const struct bsr_command *cmd; /* valid during the step */
};

struct bsr_ev_handler_exit {
	uint32_t handler_id;
	int32_t status; /* exit code, or -1 when it could not be run */
};

struct bsr_ev_digest_done {
	uint32_t op_id;
	int32_t result; /* as of struct bsr_ev_disk_done */
	const uint8_t *digests; /* one per 4 KiB block, the last of them over what is left; valid during the step */
	uint32_t bytes;		/* blocks times bsr_digest_bytes(); 0 with an error */
};

struct bsr_event {
	uint64_t now_ns; /* monotonic; never goes back */
	enum bsr_event_type type;
	union {
		struct bsr_ev_request request;
		struct bsr_ev_disk_done disk_done;
		struct bsr_ev_link_up link_up;
		struct bsr_ev_link_down link_down;
		struct bsr_ev_message message;
		struct bsr_ev_sent sent;
		struct bsr_ev_command command;
		struct bsr_ev_handler_exit handler_exit;
		struct bsr_ev_digest_done digest_done;
	} u;
};

/* ----------------------------------------------------------------- effects */

enum bsr_effect_type {
	BSR_FX_DISK,	     /* data of a volume */
	BSR_FX_MD,	     /* metadata of a volume, from or into engine memory */
	BSR_FX_SEND,
	BSR_FX_COMPLETE,
	BSR_FX_BUF_PUT,
	/* try to bring up a link to the peer until it stands or BSR_FX_CLOSE comes */
	BSR_FX_LISTEN_DIAL,
	BSR_FX_CLOSE,
	BSR_FX_HANDLER,
	BSR_FX_STATE,
	BSR_FX_LOG,
	BSR_FX_COMMAND_DONE,
	/* after detach or failure: no operation is under way, the host closes the devices */
	BSR_FX_DISK_GONE,
};

#define BSR_DISK_GIVES_BUFFER 128u /* the engine's reference to the buffer passes to the host with this effect */

struct bsr_fx_disk {
	uint32_t op_id;
	uint8_t op;    /* enum bsr_op */
	uint8_t flags; /* BSR_REQ_FUA, BSR_DISK_GIVES_BUFFER; of BSR_OP_DIGEST: enum bsr_digest */
	uint16_t volume;
	uint64_t offset; /* bytes in the backing device */
	uint32_t length; /* bytes */
	uint32_t buf_offset; /* bytes into @buf */
	bsr_buf_t buf; /* BSR_BUF_NONE for a read: the host allocates and answers with the id; NONE for a digest */
};

#define BSR_MD_PREFLUSH 1u /* flush the data device and the metadata device first */
#define BSR_MD_FUA 2u	   /* stable before it is reported done */

struct bsr_fx_md {
	uint32_t op_id;
	uint16_t volume;
	bool write;
	uint8_t flags;	 /* BSR_MD_* */
	uint64_t offset; /* absolute bytes in the metadata device, multiple of 4096 */
	uint32_t length; /* multiple of 4096 */
	void *mem;	 /* the engine's, aligned to 4096, stable until done */
};

struct bsr_fx_send {
	uint32_t peer;
	uint32_t link;
	uint8_t stream;
	uint32_t head_offset; /* into bsr_fx.arena: unsealed wire header and body */
	uint32_t head_bytes;
	bsr_buf_t buf; /* payload, BSR_BUF_NONE for none */
	uint32_t buf_offset;
	uint32_t payload_bytes;
};

struct bsr_fx_complete {
	uint32_t tag;
	int32_t result; /* 0 or a negative BSR_E_* */
	/* Reads that a peer served: the payload buffer with the data; its reference passes to the host, which copies it
	 * into the request's buffer and puts it. BSR_BUF_NONE: the data is in the request's own buffer. */
	bsr_buf_t data;
};

struct bsr_fx_link {
	uint32_t peer;
	uint32_t link;
	enum bsr_link_reason reason; /* close only */
	uint64_t not_before_ns;	     /* listen/dial: first attempt not earlier */
	/* close: what is queued still goes out, at most for a second */
	bool drain;
};

enum bsr_handler {
	BSR_HANDLER_FENCE_PEER,
	BSR_HANDLER_UNFENCE_PEER,
	BSR_HANDLER_BEFORE_RESYNC_TARGET,
	BSR_HANDLER_AFTER_RESYNC_TARGET,
	BSR_HANDLER_BEFORE_RESYNC_SOURCE,
	BSR_HANDLER_OUT_OF_SYNC,
	BSR_HANDLER_INITIAL_SPLIT_BRAIN,
	BSR_HANDLER_SPLIT_BRAIN,
	BSR_HANDLER_PRI_LOST,
	BSR_HANDLER_PRI_LOST_AFTER_SB,
	BSR_HANDLER_PRI_ON_INCON_DEGR,
	BSR_HANDLER_LOCAL_IO_ERROR,
	BSR_HANDLER_QUORUM_LOST,
	/* called by hosts, never by the engine */
	BSR_HANDLER_BEFORE_PROMOTE,
	BSR_HANDLER_AFTER_PROMOTE,
	BSR_HANDLER_BEFORE_DEMOTE,
	BSR_HANDLER_AFTER_DEMOTE,
	BSR_HANDLER_DISCONNECTED,
};
#define BSR_HANDLER_COUNT 18u

struct bsr_fx_handler {
	uint32_t handler_id;
	enum bsr_handler handler;
	uint32_t peer;	 /* UINT32_MAX for none */
	uint32_t volume; /* UINT32_MAX for none */
};

enum bsr_object { BSR_OBJ_RESOURCE, BSR_OBJ_VOLUME, BSR_OBJ_PEER, BSR_OBJ_PEER_DEVICE };
enum bsr_action { BSR_ACT_CREATE, BSR_ACT_CHANGE, BSR_ACT_DESTROY };

/** A change that has been published, with the values as of that moment. */
struct bsr_fx_state {
	enum bsr_object object;
	enum bsr_action action;
	uint32_t peer;	 /* peers and peer devices */
	uint32_t volume; /* volumes and peer devices */
	union {
		struct {
			enum bsr_role role;
			uint32_t suspended; /* BSR_SUSPEND_* */
		} resource;
		struct {
			enum bsr_disk_state disk;
			uint64_t size_bytes;
		} volume;
		struct {
			enum bsr_conn_state conn;
			enum bsr_conn_error error;
			enum bsr_role role;
		} peer;
		struct {
			enum bsr_repl_state repl;
			enum bsr_disk_state disk;
			uint32_t paused; /* BSR_PAUSE_* */
		} peer_device;
	} u;
};

struct bsr_fx_log {
	uint32_t number; /* of events.def */
	uint32_t peer;	 /* UINT32_MAX for none */
	uint32_t volume; /* UINT32_MAX for none */
	uint64_t arg[3]; /* meaning per event */
};

struct bsr_fx_command_done {
	uint32_t cmd_id;
	int32_t result; /* 0 or a negative BSR_E_* */
	uint32_t peer;	/* who refused, UINT32_MAX for nobody */
	uint32_t volume; /* which volume is the cause, UINT32_MAX for none */
};

struct bsr_effect {
	enum bsr_effect_type type;
	union {
		struct bsr_fx_disk disk;
		struct bsr_fx_md md;
		struct bsr_fx_send send;
		struct bsr_fx_complete complete;
		bsr_buf_t buf_put;
		struct bsr_fx_link link;
		struct bsr_fx_handler handler;
		struct bsr_fx_state state;
		struct bsr_fx_log log;
		struct bsr_fx_command_done command_done;
		uint32_t disk_gone_volume;
	} u;
};

/** Effects of one step. The host empties it (count = 0, arena_used = 0) before the next one. */
struct bsr_fx {
	uint32_t count;
	uint32_t arena_used;
	struct bsr_effect effect[BSR_EFFECTS_MAX];
	uint8_t arena[BSR_SEND_ARENA_BYTES];
};

/* ------------------------------------------------------------------- calls */

/** bsr_engine_create - an empty resource; NULL when the allocator has nothing left */
struct bsr_engine *bsr_engine_create(const struct bsr_engine_config *config);
/** bsr_engine_destroy - gives all memory back; nothing may be under way */
void bsr_engine_destroy(struct bsr_engine *e);

/**
 * bsr_engine_step - the whole of the engine's life: one event in, its effects out
 * @e: the engine
 * @ev: valid during the call
 * @fx: appended to; stays the caller's
 */
void bsr_engine_step(struct bsr_engine *e, const struct bsr_event *ev, struct bsr_fx *fx);
/* The same for events that every write brings about, without a struct bsr_event: for hosts that count instructions. */
void bsr_engine_request(struct bsr_engine *e, uint64_t now_ns, const struct bsr_ev_request *request, struct bsr_fx *fx);
void bsr_engine_disk_done(struct bsr_engine *e, uint64_t now_ns, const struct bsr_ev_disk_done *done, struct bsr_fx *fx);
void bsr_engine_message(struct bsr_engine *e, uint64_t now_ns, const struct bsr_ev_message *message, struct bsr_fx *fx);
void bsr_engine_sent(struct bsr_engine *e, uint64_t now_ns, const struct bsr_ev_sent *sent, struct bsr_fx *fx);
void bsr_engine_time(struct bsr_engine *e, uint64_t now_ns, struct bsr_fx *fx);

/**
 * bsr_engine_deadline - when BSR_EV_TIME is due, UINT64_MAX for never; may change with every step
 *
 * Not after now: something has been collected (acknowledgements, resync requests) and waits for the
 * end of the host's turn. The host steps BSR_EV_TIME before it sleeps or submits, so that a turn's
 * acknowledgements share one message.
 */
uint64_t bsr_engine_deadline(const struct bsr_engine *e);

/**
 * bsr_engine_credits - how many more application requests it takes now; at 0 the host stops
 * fetching
 */
uint32_t bsr_engine_credits(const struct bsr_engine *e);

/**
 * bsr_engine_may_receive - how many messages of this stream the host may hand over in a row before it asks again
 *
 * 0: it stops reading the stream until the answer is another one.
 */
uint32_t bsr_engine_may_receive(const struct bsr_engine *e, uint32_t peer, enum bsr_stream stream);

/** bsr_engine_check - re-derives every cross-module invariant; panics when one does not hold */
void bsr_engine_check(const struct bsr_engine *e);

/* --------------------------------------------------------- what status asks */

struct bsr_resource_info {
	uint32_t node_id;
	enum bsr_role role;
	uint32_t suspended;	   /* BSR_SUSPEND_* */
	uint32_t requests_pending; /* application requests in flight */
	uint32_t transfer_log_used;
};

struct bsr_volume_info {
	bool exists;
	uint32_t vnr;
	enum bsr_disk_state disk;
	uint64_t size_bytes; /* agreed size; 0 = never agreed */
	uint64_t read_bytes;
	uint64_t written_bytes;
	uint64_t al_writes;
	uint64_t bm_writes;
	uint32_t upper_pending; /* application requests in flight */
	uint32_t lower_pending; /* disk operations in flight */
	uint32_t al_extents;
	uint32_t al_used;
	uint64_t io_errors;
	bool md_usable; /* gi and flags below mean something */
	uint32_t md_flags;
	struct bsr_gi current_gi;
	struct bsr_gi history[BSR_HISTORY_UUIDS];
};

struct bsr_peer_info {
	bool exists;
	enum bsr_conn_state conn;
	enum bsr_conn_error error;
	enum bsr_role role;
	bool congested;
	uint64_t send_queued_bytes;
	uint64_t messages_rejected; /* counted bad input on this peer's links */
};

struct bsr_peer_device_info {
	bool exists;
	enum bsr_repl_state repl;
	enum bsr_disk_state disk;
	uint32_t paused; /* BSR_PAUSE_* */
	uint64_t received_bytes;
	uint64_t sent_bytes;
	uint64_t out_of_sync_bytes;
	uint32_t pending; /* requests sent, not acknowledged */
	uint32_t unacked; /* requests received, not acknowledged */
	/* of a resync, or of a verify (then from its start to its stop); 0 = none runs; else what it began with */
	uint64_t resync_total_bytes;
	uint64_t resync_left_bytes;
	uint64_t resync_start_ns;
	uint64_t resync_rate_bytes_s; /* over the last seconds */
	bool resync_is_held;	      /* this node asks for the blocks, and the configured rate holds it back */
	uint64_t verify_found_bytes; /* by the verify under way, or by the last one */
	uint64_t verify_skipped_bytes;
	uint64_t verify_marked_bytes; /* out of sync because of verifies: no resync begins by itself */
	uint64_t verify_resume_bytes; /* where the next verify goes on: the last one was interrupted there; else 0 */
	struct bsr_gi bitmap_gi;
	uint32_t md_peer_flags;
	uint16_t handshake_reason; /* number of the last decision, see handshake.h; 0 = none yet */
};

void bsr_engine_resource_info(const struct bsr_engine *e, struct bsr_resource_info *info);
/**
 * The *_info calls set exists = false for what is not there; @volume and @peer may be any number.
 */
void bsr_engine_volume_info(const struct bsr_engine *e, uint32_t volume, struct bsr_volume_info *info);
void bsr_engine_peer_info(const struct bsr_engine *e, uint32_t peer, struct bsr_peer_info *info);
void bsr_engine_peer_device_info(
	const struct bsr_engine *e, uint32_t peer, uint32_t volume, struct bsr_peer_device_info *info);

/** bsr_engine_has_bitmap - the volume's disk is attached so far that its bitmap is in memory */
bool bsr_engine_has_bitmap(const struct bsr_engine *e, uint32_t volume);
/**
 * bsr_engine_out_of_sync - a block of the range (bytes) has a bit toward @peer, or @peer may lack a write to it that a
 * Primary has sent here; false without a bitmap
 */
bool bsr_engine_out_of_sync(const struct bsr_engine *e, uint32_t peer, uint32_t volume, uint64_t offset, uint64_t length);

/**
 * bsr_engine_explain - sentence and remedy for a handshake reason; static strings, "" when none is
 * needed
 */
void bsr_engine_explain(uint16_t handshake_reason, const char **sentence, const char **remedy);

#endif
