/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * core.h - the engine's state, and the calls between its modules
 *
 * One struct per thing: engine (resource), volume, peer, peer device, application request, peer request. Each module
 * owns the fields under its heading; others read them and change them through the module's functions.
 */
#ifndef BSR_ENGINE_CORE_H
#define BSR_ENGINE_CORE_H

#include <string.h>

#include <bsr/assert.h>
#include <bsr/bytes.h>
#include <bsr/engine.h>
#include <bsr/handshake.h>
#include <bsr/log.h>
#include <bsr/wire.h>

#include "activity_log.h"
#include "bitmap.h"
#include "list.h"
#include "mutation.h"
#include "state.h"
#include "superblock.h"

/* The few functions that make up the path of a write: there in one piece, and called from everywhere else. */
#define BSR_IN_PLACE static inline __attribute__((always_inline))
#define BSR_APART static __attribute__((noinline))

#define BSR_NONE UINT32_MAX
#define BSR_NEVER UINT64_MAX
#define BSR_SECOND_NS 1000000000ull
#define BSR_DS_NS 100000000ull
#define BSR_INTERVAL_BUCKETS 2048u
#define BSR_CHECKPOINTS_MAX 16u
#define BSR_MD_WRITERS 8u
#define BSR_MD_WRITER_BLOCKS 8u
#define BSR_DEFAULT_SEND_BUFFER_BYTES (32ull << 20)

/*
 * Fields that only state.c and state_derived.c write: states, and what is derived from them. scripts/check_states.py
 * compiles every other file with "const" in this place.
 */
#ifndef BSR_STATE_FIELD
#define BSR_STATE_FIELD
#endif

struct bsr_volume;
struct bsr_peer;
struct bsr_disk_op;
struct bsr_heard;
struct bsr_measure;

typedef void (*bsr_op_fn)(struct bsr_engine *e, struct bsr_disk_op *op, int32_t result, bsr_buf_t buf);

/** One disk or metadata operation under way. */
struct bsr_disk_op {
	bsr_op_fn done; /* NULL: free */
	void *owner;
	struct bsr_volume *vol;
	uint32_t arg;
	uint32_t next_free;
};

/** A range being read or written. Overlapping ones take their turn in order of arrival (interval.c). */
struct bsr_interval {
	struct bsr_list link; /* in its bucket or in the list of large ones */
	struct bsr_list wait; /* in engine.interval_waiters */
	uint64_t start;
	uint64_t end;
	uint64_t order;
	void (*go)(struct bsr_engine *e, struct bsr_interval *i); /* its turn has come */
	uint16_t volume;
	bool write;
	bool held; /* waits for its turn */
	bool far;  /* counted in engine.interval_far */
};

#include "verify.h"

enum bsr_request_stage {
	BSR_RQ_FREE = 0,
	BSR_RQ_HELD,	/* admission: suspended, frozen, transfer log or send buffer full */
	BSR_RQ_OVERLAP, /* waits for an older overlapping one */
	BSR_RQ_AL,	/* waits for the activity log */
	BSR_RQ_ACTIVE,	/* submitted */
	BSR_RQ_DONE,	/* everything happened; completion waits for a new generation to be durable */
};

/** An application request. */
struct bsr_request {
	struct bsr_list link;	/* in the queue of its stage */
	struct bsr_interval range;
	uint64_t offset;
	uint64_t arrived_ns;
	uint64_t submitted_ns;	/* in stage AL: since when it waits for the log */
	uint64_t log_index;	/* writes: entry in the transfer log, also the write_seq on the wire; 0 = not submitted */
	uint32_t tag;
	uint32_t length;
	bsr_buf_t buf;
	uint32_t await_acks;	/* nodes whose acknowledgement its protocol waits for */
	uint32_t await_any;	/* nodes that have not answered at all (also protocol A) */
	uint32_t await_flush;	/* flushes: nodes whose checkpoint is awaited */
	uint32_t read_peer;	/* node asked for the data, BSR_NONE */
	uint32_t failed_peers;	/* nodes tried in vain for a read, mask */
	int32_t result;
	uint16_t volume;
	uint8_t op;
	uint8_t flags;
	uint8_t stage;
	bool local_pending;
	bool al_pinned;
	bool some_copy; /* reads, flushes: somebody served it; writes: the local disk has it */
	bool local_failed;
	bool missing_told; /* peers have been told that my disk lacks it */
	uint32_t copies; /* writes: nodes that have it */
	uint32_t index; /* its own place in the pool */
	uint64_t flush_index; /* with await_flush: the transfer log must be confirmed up to here */
};

/** Writes remembered until no peer can lose them any more (transfer_log.c). */
struct bsr_log_entry {
	uint64_t offset;
	uint32_t length;
	uint32_t request; /* index while the request lives, then BSR_NONE */
	uint16_t volume;
	bool complete;
	bool local_failed; /* my disk lacks it: no acknowledgement proves the disks equal there */
	bool pinned; /* holds its extents in the activity log */
	uint32_t holders; /* peers that got it as data and have not failed to keep it */
};

#include "peer_request.h"

/* ---- peer device: one volume seen with one peer ---- */

enum bsr_chunk_state { BSR_CHUNK_FREE = 0, BSR_CHUNK_ASKED, BSR_CHUNK_WRITING };

/** A resync request of mine that is on its way. */
struct bsr_chunk {
	uint64_t offset;
	uint64_t dropped[BSR_RESYNC_CHUNK_BYTES_MAX / BSR_BITMAP_BLOCK_BYTES / 64]; /* blocks an application write overtook */
	uint32_t length;
	bsr_buf_t buf;
	uint32_t writes; /* runs being written */
	uint32_t generation; /* part of the id, so that late answers are recognised */
	uint8_t state;
	bool failed;
};

#define BSR_UNSURE_MAX 8u

/** Bytes from @start up to, not including, @end. */
struct bsr_span {
	uint64_t start;
	uint64_t end;
};

struct bsr_peer_device {
	bool exists;
	BSR_STATE_FIELD enum bsr_repl_state repl;
	BSR_STATE_FIELD enum bsr_disk_state disk;
	BSR_STATE_FIELD uint32_t paused; /* BSR_PAUSE_*: mine and, as PEER, the peer's */
	struct bsr_peer_device_options options;
	int32_t slot; /* bitmap slot, -1 */
	BSR_STATE_FIELD bool mirrored; /* writes are sent as data (derived from states) */

	/* handshake */
	bool hs_have; /* peer's HS_VOLUME came on this link */
	struct bsr_hs_decision decision;
	uint16_t handshake_reason;
	struct bsr_gi peer_current;
	bool chosen; /* invalidate-remote: between equal disks mine is the source, until it has been; or a Primary is seen */
	bool refused; /* it has answered NEGATIVE and was not resynced since: bits name what it lacks, too */
	BSR_STATE_FIELD bool stale; /* its data is not what I, a Primary without a good disk, have exposed */
	bool kept_from; /* its data is of the past for my applications: my disk, which is not good, is not offered to it */
	bool reconnected; /* has been Connected since my disk was attached */
	bool leans; /* it is Primary without a disk, and all that it wrote while it had one has arrived */
	bool served_primary; /* when last seen it leaned on my disk, which was UpToDate */
	bool unconfirmed; /* it was lost with writes that I, without a good disk, had acknowledged and it had not confirmed */
	enum bsr_repl_state peer_repl; /* as the peer last said of itself */
	uint64_t peer_capacity;
	bool writes_here; /* Primary, and third nodes may lack what it writes: noted in the superblock (HE-2) */
	uint64_t heard_ticket; /* it was lost: the note goes when these bits are on disk, 0 = not lost */
	bool told_books; /* it knows that I have no bits toward it */
	bool in_sync; /* I have told others that its disk equals mine (MS-3) */
	struct bsr_gi says_equal; /* it has no bits toward me, in this generation; 0: not said */

	/* comparing disks over the standing link (live.c) */
	uint8_t live; /* enum bsr_live_stage */
	bool live_wanted; /* to be begun as soon as my record is durable */
	bool live_have; /* the peer's record of this comparison is here */
	enum bsr_role live_peer_role;
	uint64_t live_mine; /* number of my last offer on this link */
	uint64_t live_theirs; /* of the peer's */
	struct bsr_msg_volume_confirm live_confirm[BSR_STREAM_COUNT]; /* what came last on each stream */
	bool data_fence; /* the data stream has come to what was decided last: bitmaps behind it belong to that */
	bool disk_known; /* the disk that the peer has now has taken part in a handshake */

	/* bitmap exchange (resync.c) */
	bool bm_send_active;
	bool bm_sent;
	bool bm_received;
	bool sync_base_received;
	struct bsr_gi sync_base; /* full sync: the generation both name as its start */
	uint64_t bm_next_bit;

	/* resync (resync.c) */
	uint8_t sync_step; /* enum bsr_sync_step */
	bool full_sync;
	uint32_t ask; /* handler that is asked whether the resync may be; 0 = none (RA-1) */
	struct bsr_span unsure[BSR_UNSURE_MAX]; /* a write failed there, at this end or that: their bits stay */
	uint32_t unsure_count;
	bool served; /* source: the target has begun to ask for blocks */
	bool submit_hold; /* counted in the volume's submit_holds */
	uint64_t decided_from; /* entries of the transfer log before this one clear no bits: sent before what was decided last (LV-4), or RX-5 */
	uint64_t decided_arrival; /* of the peer's writes, the last of such */
	uint64_t sync_from; /* entries of the transfer log from here on reach both disks */
	bool holds_writes; /* target that is not yet durably Inconsistent: application writes wait (RX-4) */
	uint64_t scan_bit;
	uint64_t resync_total_bits;
	uint64_t resync_start_ns;
	uint64_t failed_bytes;
	uint64_t drain_mark; /* target at its end: writes that had arrived must be done first; 0 = not there yet */
	uint32_t chunks_active;
	uint64_t rate_tokens; /* bytes that may be requested now */
	uint64_t rate_refill_ns;
	uint64_t rate_mark_ns; /* speed shown by status */
	uint64_t rate_mark_bytes;
	uint64_t rate_bytes_s;
	uint64_t rate_held_ns; /* when asking for more last waited for the configured rate; 0 = it has not */
	uint64_t resynced_bytes;
	struct bsr_chunk chunk[BSR_RESYNC_REQUESTS_MAX];
	uint64_t bm_flush_due_ns;

	struct bsr_verify verify; /* verify.c */

	/* blocks that failed here or there while both disks stay UpToDate are copied again (peer.c) */
	uint64_t heal_ns; /* when, 0 = nothing to heal */
	uint32_t heal_tries;

	/* counters */
	uint64_t sent_bytes;
	uint64_t received_bytes;
	uint32_t pending;
	uint32_t unacked;
};

enum bsr_live_stage {
	BSR_LIVE_IDLE = 0,
	BSR_LIVE_OFFERED, /* my record is out */
	BSR_LIVE_DECIDED, /* both records are here, my decision is out */
};

enum bsr_hs_stage {
	BSR_HS_IDLE = 0,
	BSR_HS_EXCHANGING, /* records sent, the peer's not complete */
	BSR_HS_CONFIRMING, /* decided and told, the peer's decision has not come */
	BSR_HS_COMPLETE,
};

struct bsr_checkpoint {
	uint64_t number;
	uint64_t log_index; /* every entry below is covered */
};

struct bsr_peer {
	uint32_t node_id;
	struct bsr_net_options options;
	BSR_STATE_FIELD enum bsr_conn_state conn;
	BSR_STATE_FIELD enum bsr_conn_error error;
	BSR_STATE_FIELD enum bsr_role role;

	/* link (peer.c) */
	uint32_t link; /* incarnation, counts up; valid while link_active */
	bool link_active; /* the host is dialing or has it */
	bool link_up;
	bool shown_other; /* the peer shall hear, over a new link, that its data is not what I have shown */
	bool wanted; /* not StandAlone: reconnect after a loss */
	bool resolver;
	bool discard_my_data;
	bool tentative;
	uint64_t features;
	uint64_t last_received_ns;
	uint64_t ping_nonce;
	bool ping_outstanding;
	uint64_t ping_sent_ns;
	uint64_t hs_started_ns;
	uint64_t send_queued_bytes;
	uint64_t messages_rejected;
	uint64_t redial_ns;
	uint64_t vote_ping_ns; /* it is Primary and somebody else wants to be: asked whether it lives */
	uint64_t back_until_ns; /* a new handshake is on its way: a promotion waits for it so long */

	/* handshake (connect.c) */
	enum bsr_hs_stage hs_stage;
	bool hs_resource_have;
	struct bsr_msg_hs_resource hs_peer;
	uint32_t hs_volumes_have;
	bool hs_confirm_have;
	struct bsr_msg_hs_confirm hs_confirm;
	bool hs_mesh_have;
	struct bsr_msg_hs_mesh hs_mesh; /* the peer's */
	struct bsr_msg_hs_mesh hs_mesh_sent;
	uint32_t primaries; /* Primaries that it is connected to, as it last said */
	struct bsr_msg_hs_volume *hs_volume; /* [BSR_VOLUMES_MAX], the peer's; allocated with the peer */
	struct bsr_msg_hs_volume *hs_sent;   /* [BSR_VOLUMES_MAX], mine as sent */

	/* sending writes (request.c, transfer_log.c) */
	uint64_t joined; /* end of the transfer log when it connected: of what came before it remembers nothing */
	uint64_t tell_again; /* who is in sync, when it has confirmed up to here; 0 = it has not asked (mesh.c) */
	uint64_t log_from; /* first entry of the transfer log that this peer might still lose */
	uint64_t checkpoint_log_index; /* entries below are covered by a checkpoint that was sent */
	uint64_t next_checkpoint;
	uint32_t checkpoint_first;
	uint32_t checkpoint_count;
	uint64_t checkpoint_due_ns;
	bool checkpoint_wanted; /* the table was full */
	struct bsr_checkpoint checkpoint[BSR_CHECKPOINTS_MAX];

	/* receiving (receive.c) */
	struct bsr_list arrived; /* writes and checkpoints in stream order, until done */
	uint64_t arrivals;
	struct bsr_list epoch_queue; /* those that wait for their turn */
	struct bsr_list reads; /* reads and resync reads and resync writes under way */
	uint64_t epoch;	      /* being applied */
	uint32_t epoch_active; /* writes of it not yet done */
	uint32_t epoch_flushes; /* flushes under way between two epochs */
	bool barrier_active; /* a barrier checkpoint holds back what follows */
	uint32_t holds;	     /* volumes that hold writes back */
	uint64_t unflushed_volumes; /* mask: written since their last flush began */
	uint64_t flushing_volumes;  /* mask: flushes for this peer are under way, not yet proof of anything */
	uint16_t flushing[BSR_VOLUMES_MAX];
	uint64_t heard_dagtag; /* how much of its stream has arrived */
	bool flush_failed; /* a flush between epochs failed: the next checkpoint says so */
	struct bsr_msg_acks acks; /* collected for the end of the turn */
	uint64_t took_ns; /* what the peer said of the write that it acknowledges next (measure.c); 0 = nothing */

	/* two-phase commit (twopc.c) */
	uint32_t prepared_tid; /* a promotion of the peer that I agreed to, 0 = none */
	uint64_t prepared_until_ns;

	struct bsr_peer_device device[BSR_VOLUMES_MAX];
};

/* ---- volume ---- */

enum bsr_attach_step {
	BSR_AT_NONE = 0,
	BSR_AT_SUPERBLOCK,
	BSR_AT_LOG,
	BSR_AT_BITMAP,
	BSR_AT_WRITE_BITMAP,
	BSR_AT_WRITE_LOG,
	BSR_AT_WRITE_SUPERBLOCK,
	BSR_AT_DETACHING, /* in order: metadata is written last */
	BSR_AT_FAILING,	  /* the disk is gone: only what is under way is waited for */
};

struct bsr_md_writer {
	uint8_t *mem; /* BSR_MD_WRITER_BLOCKS x 4096 */
	uint64_t block;
	uint32_t count;
	bool busy;
};

struct bsr_volume {
	uint32_t index;
	uint32_t vnr;
	BSR_STATE_FIELD enum bsr_disk_state disk;
	BSR_STATE_FIELD enum bsr_disk_state reported_disk; /* as published: never better than what the superblock proves */
	BSR_STATE_FIELD uint64_t report_sb;		   /* superblock change that must be durable before @disk is published */
	uint64_t size_bytes; /* agreed and in use; 0 = none yet */
	struct bsr_disk_options options;
	uint64_t wanted_bytes;
	uint64_t capacity_bytes;
	bool write_through;
	BSR_STATE_FIELD bool crashed_primary;
	uint32_t gone_unconfirmed; /* nodes that were "unconfirmed" when they were taken out of the configuration */
	bool left_behind; /* this disk left while a peer was UpToDate: whatever its record says, the peer may have gone on */
	BSR_STATE_FIELD enum bsr_disk_state sync_result; /* the record says this already, the source has not confirmed; 0 = none */
	uint64_t sync_result_sb;			 /* the superblock change that says so */
	BSR_STATE_FIELD uint32_t mirror_mask;  /* nodes that get writes as data (derived) */
	BSR_STATE_FIELD uint32_t oos_slots;    /* bitmap slots whose owners do not (derived) */
	uint32_t owners;       /* nodes that own bitmap slots (derived) */
	BSR_STATE_FIELD bool writable; /* application writes reach the local disk (derived) */

	/* attach and detach (attach.c) */
	enum bsr_attach_step attach_step;
	struct bsr_attach attach;
	uint32_t attach_cmd;	/* command to answer, BSR_NONE */
	uint8_t *ring;		/* activity-log ring while attaching */
	uint8_t *load_mem;	/* bitmap blocks while attaching */
	uint32_t *hot_table;
	uint64_t load_at; /* bytes of the ring or of the bitmap area done */
	uint64_t attach_ticket;
	enum bsr_disk_state left_from; /* what the disk was when it began to leave */
	bool left_clean; /* the disk that was here last left with everything on it that applications have seen */
	enum bsr_disk_state settle_disk; /* Negotiating: what it becomes when no peer knows better */
	uint32_t detach_cmd;
	uint64_t detach_ticket;
	bool detach_swept;

	/* metadata on disk (metadata.c) */
	struct bsr_superblock sb;
	struct bsr_md_layout layout;
	bool md_usable;
	uint8_t *sb_mem;
	uint64_t sb_wanted;  /* changes asked for */
	uint64_t sb_issued;  /* changes in the write under way */
	uint64_t sb_durable; /* changes on disk */
	bool sb_busy;
	struct bsr_bitmap *bitmap;
	uint64_t coarsened_said; /* bsr_bitmap_coarsened() when it was last reported */
	size_t bitmap_bytes;
	struct bsr_al *al;
	size_t al_mem_bytes;
	uint8_t *al_mem;
	uint32_t al_ring_block;
	uint32_t al_evicted[BSR_AL_UPDATES_PER_TRANSACTION];
	uint32_t al_evicted_count;
	uint8_t al_step; /* enum bsr_al_step */
	uint64_t al_tick_ns; /* cooling: next tick, 0 = none */
	uint64_t al_tick_written; /* written_bytes at the last one */
	uint32_t al_ticks;
	uint32_t al_cool_batches; /* transactions left in this tick for extents that leave by themselves */
	bool al_demanded; /* since the last tick some write had to wait for the log */
	struct bsr_md_writer writer[BSR_MD_WRITERS];
	uint32_t writers_busy;
	uint64_t sweep_pos;	/* next block the sweep under way looks at */
	uint64_t sweeps_wanted; /* a sweep writes out every block that was dirty when it began */
	uint64_t sweeps_done;
	bool sweeping;

	/* generations (generation.c) */
	struct bsr_gi exposed_gi; /* what applications have seen since the promotion, also when the disk has gone */
	bool exposed_unknown; /* ... before this engine process, which does not know it */
	uint64_t disk_lost_at; /* transfer log when the disk went: writes before it may be nowhere else (protocol A) */
	bool gi_wanted; /* a new generation before the next write is acknowledged */
	bool gi_for_flush; /* .. or the next flush: who is left behind may not keep all that it promises */
	bool gi_busy;
	struct bsr_gi gi_next; /* the one that is being made, whatever becomes of the disk meanwhile */
	uint64_t gi_sb_target;
	uint32_t gi_await; /* peers that must have the new generation on disk, too, before a write is acknowledged in it */
	uint32_t told_holders; /* who may have my generation, as peers were told */
	uint32_t gi_members; /* peers that take part in the generation that is being made */
	bool gi_told;
	uint64_t gi_told_ns;
	uint32_t sync_from; /* invalidate: the peer that this disk is to get its data from, BSR_NONE: any */
	uint64_t sync_from_until_ns; /* ... if it comes by then */
	uint32_t adopt_from; /* Primary that waits for my adopting its generation, BSR_NONE */
	uint64_t adopt_sb;   /* ... which is durable with this superblock change */

	/* requests (request.c) */
	uint32_t verifies; /* peer devices that are being verified (verify.c) */
	uint32_t submit_holds; /* peer devices for which submission waits (RQ-7) */
	struct bsr_list al_waiting;
	struct bsr_list al_waiting_peers; /* peers' writes that wait for the activity log (heard.c) */
	struct bsr_list failed_writes; /* peers' writes, pass_on: answered when the record is durable (receive.c) */
	uint64_t failed_sb;
	uint64_t heard_sb; /* superblock change with which "a Primary writes here" is durable */
	bool al_released; /* pins were dropped: requests that found the log full try again */
	struct bsr_list done_waiting; /* finished but for the new generation */
	uint32_t requests;
	uint32_t lower_pending;
	bool unflushed; /* local writes finished since the last local flush began (at attach: perhaps before it) */
	uint32_t flushes_active; /* local flushes under way: a later one must not be answered before them */

	/* counters */
	uint64_t read_bytes, written_bytes, al_writes, bm_writes, io_errors;
	uint64_t old_io_errors; /* of io_errors, those of disks that were here before this one */
};

/* ---- engine ---- */

enum bsr_task_kind {
	BSR_TASK_FREE = 0,
	BSR_TASK_PROMOTE,
	BSR_TASK_DEMOTE,
	BSR_TASK_DISCONNECT,
	BSR_TASK_DOWN,
	BSR_TASK_RENEGOTIATE, /* when the record is durable */
	BSR_TASK_DURABLE,     /* answered when the record is durable */
	BSR_TASK_FORGET,      /* forget.c */
};

/** A command that takes more than one step (commands.c). */
struct bsr_task {
	uint64_t sweep[BSR_VOLUMES_MAX]; /* demotion, forget-peer: tickets */
	uint8_t kind;
	uint8_t step;
	uint32_t cmd_id;
	uint32_t flags;
	struct bsr_peer *peer;
	uint32_t node;	  /* renegotiation: with whom, BSR_NONE: all; forget-peer: whom */
	uint32_t tid;	  /* two-phase commit; renegotiation: index of the volume */
	uint32_t await;	  /* nodes that have not voted */
	uint64_t give_up_ns; /* promotion: a voter that wants to wait is asked again until then; 0 = not asked yet */
	uint64_t until_ns;
	uint32_t refuser;
	uint32_t volume; /* that is the cause of a refusal */
};
#define BSR_TASKS_MAX 64u

struct bsr_engine {
	struct bsr_env env;
	uint32_t node_id;
	uint64_t now_ns;
	uint64_t rng[4];
	struct bsr_fx *fx; /* during a step */
	uint64_t deadline_ns; /* not later than the earliest timer */
	bool kick; /* something changed that waiting state machines look at */
	bool turn_work; /* collected for the end of the turn */
	const uint8_t *digests; /* during the step that brings them */
	uint32_t digest_bytes;
	struct bsr_measure *measure; /* NULL: collection is off (measure.c) */

	BSR_STATE_FIELD enum bsr_role role;
	BSR_STATE_FIELD uint32_t suspended;
	struct bsr_state state_now; /* during a change: what is in force, and what is proposed */
	struct bsr_state state_next;
	struct bsr_resource_options options;
	bool demoting; /* no new requests */
	bool promoting; /* Primary already, but that is not durable yet */
	uint32_t disconnecting; /* nodes being left in order: new writes wait */
	uint64_t leaving; /* volumes whose disk leaves as soon as peers have confirmed what it holds: new writes wait (AT-4) */

	struct bsr_volume *volume[BSR_VOLUMES_MAX];
	uint64_t volume_mask;
	struct bsr_peer *peer[BSR_NODES_MAX];
	uint32_t peer_mask;

	/* pools */
	struct bsr_disk_op *op;
	uint32_t op_free;
	uint32_t op_free_count;
	struct bsr_request *request;
	struct bsr_list request_free;
	uint32_t request_count;
	struct bsr_peer_request *peer_request;
	struct bsr_list *peer_request_free; /* by queue.next; the one that came back last goes first, it is still warm */
	uint32_t peer_request_free_count;

	/* order of overlapping ranges */
	struct bsr_list interval_bucket[BSR_INTERVAL_BUCKETS];
	struct bsr_list interval_large;
	struct bsr_list interval_waiters;
	uint64_t interval_order;
	uint32_t interval_far; /* ranges that reach beyond the piece they begin in */

	/* application writes */
	struct bsr_list held;
	struct bsr_list active; /* submitted requests, oldest first */
	struct bsr_log_entry *log; /* [BSR_TRANSFER_LOG_MAX] */
	uint64_t log_head;
	uint64_t log_tail;
	uint64_t epoch;
	bool epoch_close; /* the next write begins a new one */
	uint64_t dagtag;
	uint64_t next_read_id;

	/* three and more nodes (heard.c, mesh.c) */
	struct bsr_heard *heard; /* [BSR_TRANSFER_LOG_MAX], allocated with the second peer */
	uint64_t heard_head;
	uint64_t heard_tail;
	uint64_t gave_up_id; /* last write that left the ring for lack of room, 0 = none */
	uint64_t gave_up_ns; /* when its sender is asked who is in sync now */
	uint32_t gave_up_node;
	uint64_t ack_upto; /* PEER_ACK being collected: last write, 0 = none */
	uint32_t ack_mask;
	uint32_t primaries; /* nodes that are connected to me and Primary, as peers were told */
	uint32_t lost_node; /* the Primary that I lost last, BSR_NONE */
	uint64_t lost_dagtag;

	struct bsr_task task[BSR_TASKS_MAX];
	uint32_t next_link;
	uint32_t next_handler;
};

/* ---- effects.c: emitting ---- */
#include "effects.h" /* what every write does */
void bsr_emit_log(struct bsr_engine *e, uint32_t number, const struct bsr_peer *peer, const struct bsr_volume *vol,
	uint64_t a0, uint64_t a1, uint64_t a2);
void bsr_emit_command_done(struct bsr_engine *e, uint32_t cmd_id, int32_t result, uint32_t peer, uint32_t volume);
void bsr_emit_md(struct bsr_engine *e, struct bsr_volume *vol, struct bsr_fx_md md, bsr_op_fn done, uint32_t arg);
uint64_t bsr_random(struct bsr_engine *e);
void bsr_timer(struct bsr_engine *e, uint64_t due_ns);
/** Encode and send one message in one go. */
#define BSR_SEND(e, peer, stream, name, type, msg)                                                                    \
	do {                                                                                                          \
		uint32_t send_room_;                                                                                  \
		uint8_t *send_at_ = bsr_send_room(e, &send_room_);                                                    \
		bsr_send_commit(e, peer, stream, bsr_msg_##name##_encode(send_at_, send_room_, type, 0, msg),         \
			BSR_BUF_NONE, 0, 0);                                                                          \
	} while (0)

/* ---- engine.c: pools ---- */
void *bsr_env_alloc(struct bsr_engine *e, size_t bytes, size_t align);
void bsr_env_free(struct bsr_engine *e, void *mem, size_t bytes);
struct bsr_volume *bsr_volume_by_vnr(struct bsr_engine *e, uint32_t vnr);

/* ---- interval.c ---- */
#include "interval.h"

/* ---- state.c: the one place where states change ---- */
/**
 * bsr_state_propose - the state in force, to be edited; bsr_state_change() follows before anything else happens
 * What it implies (state_rules.def) need not be edited, and is not undone by an edit.
 */
struct bsr_state *bsr_state_propose(struct bsr_engine *e);
/** bsr_state_change - the proposal comes into force and everybody hears of it; an illegal one stops the program */
void bsr_state_change(struct bsr_engine *e);
/** bsr_state_request - the same for an administrator's wish; refused: nothing changes, *@why says which rule, and where */
int32_t bsr_state_request(struct bsr_engine *e, struct bsr_refusal *why) BSR_MUST_CHECK;
/* Changes of one variable; nothing happens when it has the value already. */
/** bsr_state_set_disk - a better state is published (ST-4) when its record is durable: bsr_state_publish_disk() */
void bsr_state_set_disk(struct bsr_engine *e, struct bsr_volume *vol, enum bsr_disk_state next);
void bsr_state_set_role(struct bsr_engine *e, enum bsr_role next);
void bsr_state_set_conn(struct bsr_engine *e, struct bsr_peer *p, enum bsr_conn_state next);
void bsr_state_set_peer_role(struct bsr_engine *e, struct bsr_peer *p, enum bsr_role next);
void bsr_state_set_repl(struct bsr_engine *e, struct bsr_peer *p, struct bsr_volume *vol, enum bsr_repl_state next);
void bsr_state_set_peer_disk(struct bsr_engine *e, struct bsr_peer *p, struct bsr_volume *vol, enum bsr_disk_state next);
void bsr_state_set_paused(struct bsr_engine *e, struct bsr_peer *p, struct bsr_volume *vol, uint32_t paused);
void bsr_state_set_suspended(struct bsr_engine *e, uint32_t suspended);
/** bsr_state_publish_disk - the record is durable: what waited for it is published */
void bsr_state_publish_disk(struct bsr_engine *e, struct bsr_volume *vol);
/** bsr_state_begin - the states of an empty resource */
void bsr_state_begin(struct bsr_engine *e);
/** bsr_state_add_device - the states of a new pair of volume and peer, announced */
void bsr_state_add_device(struct bsr_engine *e, struct bsr_peer *p, struct bsr_volume *vol);
void bsr_state_announce(struct bsr_engine *e, enum bsr_object object, enum bsr_action action, struct bsr_peer *p,
	struct bsr_volume *vol);
void bsr_state_send(struct bsr_engine *e, struct bsr_peer *p, struct bsr_volume *vol);
void bsr_state_send_all(struct bsr_engine *e, struct bsr_volume *vol);
/** bsr_state_send_behind_writes - the same on the data stream: what was written before has arrived when this does */
void bsr_state_send_behind_writes(struct bsr_engine *e, struct bsr_volume *vol);

/* ---- state_derived.c ---- */
/** bsr_state_recompute - what follows from states and slots; to be called where slots come and go */
void bsr_state_recompute(struct bsr_engine *e, struct bsr_volume *vol);
/** bsr_state_up_to_date_peer - a connected peer whose disk of @vol is UpToDate; NULL when there is none */
struct bsr_peer *bsr_state_up_to_date_peer(struct bsr_engine *e, struct bsr_volume *vol, uint32_t except_mask);
/** bsr_volume_bits - bitmap bits that the agreed size covers */
uint64_t bsr_volume_bits(const struct bsr_volume *vol);
/** bsr_volume_learn_size - of a volume that has no disk here, and had none before */
void bsr_volume_learn_size(struct bsr_engine *e, struct bsr_volume *vol, uint64_t size_bytes);
/** bsr_volume_set_size - the agreed size: stored, announced; bits beyond it are dropped */
void bsr_volume_set_size(struct bsr_engine *e, struct bsr_volume *vol, uint64_t size_bytes);

/* ---- metadata.c ---- */
void bsr_md_superblock_dirty(struct bsr_engine *e, struct bsr_volume *vol);
bool bsr_md_superblock_clean(const struct bsr_volume *vol); /* every change is durable */
/**
 * bsr_md_sweep - write out every bitmap block that is dirty now; returns a ticket for bsr_md_swept()
 * The blocks are in the disk's cache then; a superblock write afterwards flushes and makes them durable.
 */
uint64_t bsr_md_sweep(struct bsr_engine *e, struct bsr_volume *vol);
bool bsr_md_swept(const struct bsr_volume *vol, uint64_t ticket);
void bsr_md_progress(struct bsr_engine *e, struct bsr_volume *vol);
void bsr_md_timer(struct bsr_engine *e, struct bsr_volume *vol);
void bsr_md_failed(struct bsr_engine *e, struct bsr_volume *vol);
void bsr_md_set_bits(struct bsr_engine *e, struct bsr_volume *vol, int32_t slot, uint64_t offset, uint64_t length);
bool bsr_md_any_bits(const struct bsr_volume *vol, int32_t slot, uint64_t offset, uint64_t length);
/** bsr_md_clear_bits - only blocks that lie wholly inside (the last one of the volume counts as whole) */
void bsr_md_clear_bits(struct bsr_engine *e, struct bsr_volume *vol, int32_t slot, uint64_t offset, uint64_t length);

/* ---- generation.c ---- */
void bsr_gi_want_new(struct bsr_engine *e, struct bsr_volume *vol);
/** bsr_gi_peer_lost - wanted for the next write; for a flush only when the peer has not confirmed all that came before */
void bsr_gi_peer_lost(struct bsr_engine *e, struct bsr_peer *p, struct bsr_volume *vol);
/** bsr_gi_peer_declined - it does not have a write that I am about to acknowledge: no disk of its may claim my generation */
void bsr_gi_peer_declined(struct bsr_engine *e, struct bsr_peer *p, struct bsr_volume *vol);
/** bsr_gi_want_for_absent - at promotion or attach: if somebody with a slot is away and had everything */
void bsr_gi_want_for_absent(struct bsr_engine *e, struct bsr_volume *vol);
void bsr_gi_start_wanted(struct bsr_engine *e, struct bsr_volume *vol);
/** bsr_gi_hold - writes may not be acknowledged now; starts the new generation if it is wanted */
static inline bool bsr_gi_hold(struct bsr_engine *e, struct bsr_volume *vol)
{
	if (vol->gi_wanted) {
		bsr_gi_start_wanted(e, vol);
	}
	return vol->gi_busy;
}
/** bsr_gi_sender_misses - a peer without a disk of its own wrote here: mark it, and begin a generation it does not have */
void bsr_gi_sender_misses(struct bsr_engine *e, struct bsr_peer *p, struct bsr_volume *vol, uint64_t offset, uint32_t length);
void bsr_gi_create(struct bsr_engine *e, struct bsr_volume *vol, bool forced);
void bsr_gi_progress(struct bsr_engine *e, struct bsr_volume *vol);
void bsr_gi_receive(struct bsr_engine *e, struct bsr_peer *p, const struct bsr_msg_gi *m);
struct bsr_gi bsr_gi_random(struct bsr_engine *e);
bool bsr_gi_equal(struct bsr_gi a, struct bsr_gi b);

/* ---- request.c, completion.c ---- */
void bsr_request_arrive(struct bsr_engine *e, const struct bsr_ev_request *rq);
void bsr_request_release_held(struct bsr_engine *e);
/** bsr_request_give_up_waiting - requests that wait for data which nobody has fail (resume-io) */
void bsr_request_give_up_waiting(struct bsr_engine *e);
void bsr_request_al_progress(struct bsr_engine *e, struct bsr_volume *vol);
void bsr_request_try_complete(struct bsr_engine *e, struct bsr_request *rq);
void bsr_request_finish(struct bsr_engine *e, struct bsr_request *rq);
/** bsr_request_tell_missing - my disk has gone without this write: true when peers must know that durably first */
bool bsr_request_tell_missing(struct bsr_engine *e, struct bsr_request *rq, struct bsr_volume *vol);
void bsr_request_ack(struct bsr_engine *e, struct bsr_peer *p, enum bsr_ack_kind kind, uint64_t write_seq);
void bsr_request_peer_lost(struct bsr_engine *e, struct bsr_peer *p);
void bsr_request_checkpoint_acked(struct bsr_engine *e, struct bsr_peer *p);
void bsr_request_read_reply(struct bsr_engine *e, struct bsr_peer *p, const struct bsr_msg_range *m, const struct bsr_ev_message *ev);
void bsr_request_submit_read(struct bsr_engine *e, struct bsr_request *rq);
void bsr_request_disk_gone(struct bsr_engine *e, struct bsr_volume *vol);

/* ---- receive.c: what peers write and read here ---- */
void bsr_receive_write(struct bsr_engine *e, struct bsr_peer *p, const struct bsr_ev_message *ev);
void bsr_receive_checkpoint(struct bsr_engine *e, struct bsr_peer *p, const struct bsr_msg_checkpoint *m);
/** bsr_receive_read - @after: arrivals in the peer's stream that are carried out first */
void bsr_receive_read(struct bsr_engine *e, struct bsr_peer *p, const struct bsr_msg_range *m,
	enum bsr_peer_request_kind kind, uint64_t after);
void bsr_receive_out_of_sync(struct bsr_engine *e, struct bsr_peer *p, const struct bsr_msg_range *m);
void bsr_receive_flush_acks(struct bsr_engine *e, struct bsr_peer *p);
bool bsr_receive_idle(const struct bsr_peer *p);
/** bsr_receive_names - something that has arrived from the peer for this volume is not finished yet */
bool bsr_receive_names(const struct bsr_peer *p, const struct bsr_volume *vol);
/**
 * bsr_receive_queue_read - a read of @pr's offset and length, whose range.go and arrival are set; it begins when everything
 * up to that arrival has been carried out
 */
void bsr_receive_queue_read(struct bsr_engine *e, struct bsr_peer_request *pr, const struct bsr_volume *vol);

/** bsr_receive_done_until - every write of the stream up to this arrival has been carried out */
bool bsr_receive_done_until(const struct bsr_peer *p, uint64_t arrival);
void bsr_receive_progress(struct bsr_engine *e, struct bsr_peer *p);
void bsr_receive_record_progress(struct bsr_engine *e, struct bsr_volume *vol);
/** bsr_receive_hold - writes wait while @vol prepares to be a target; bsr_receive_release() lets them go, or refuses them */
void bsr_receive_hold(struct bsr_peer *p, struct bsr_volume *vol);
void bsr_receive_release(struct bsr_engine *e, struct bsr_peer *p, struct bsr_volume *vol, bool apply);

/** bsr_receive_forget_volume - @vol, without a disk and without a link, is deleted: what waits of it goes, too */
void bsr_receive_forget_volume(struct bsr_engine *e, struct bsr_peer *p, struct bsr_volume *vol);

/* ---- commands.c, tasks.c, promote.c ---- */
void bsr_command(struct bsr_engine *e, const struct bsr_ev_command *c);
/** bsr_task_start - begin a command that takes more than one step; answers -BSR_E_BUSY itself when the table is full */
struct bsr_task *bsr_task_start(struct bsr_engine *e, enum bsr_task_kind kind, const struct bsr_ev_command *c);
void bsr_task_finish(struct bsr_engine *e, struct bsr_task *t, int32_t result);
struct bsr_task *bsr_task_running(struct bsr_engine *e, enum bsr_task_kind kind);
void bsr_task_progress(struct bsr_engine *e);
void bsr_task_timer(struct bsr_engine *e);
/** bsr_task_peer_gone - @p is about to be removed: commands that wait for it are answered */
void bsr_task_peer_gone(struct bsr_engine *e, const struct bsr_peer *p);
void bsr_task_peer_lost(struct bsr_engine *e, struct bsr_peer *p);
bool bsr_task_superblocks_clean(struct bsr_engine *e);

/* ---- forget.c ---- */
void bsr_forget_peer(struct bsr_engine *e, const struct bsr_ev_command *c);
void bsr_forget_progress(struct bsr_engine *e, struct bsr_task *t);
void bsr_promote_progress(struct bsr_engine *e, struct bsr_task *t);
/** bsr_promote_voting - I have asked my peers whether I may become Primary */
bool bsr_promote_voting(struct bsr_engine *e);
void bsr_promote_pong(struct bsr_engine *e, struct bsr_peer *p);
void bsr_promote_peer_lost(struct bsr_engine *e, struct bsr_task *t, struct bsr_peer *p);
/** bsr_demote_step - goes on as far as it can; true when the resource is Secondary and that is durable */
bool bsr_demote_step(struct bsr_engine *e, struct bsr_task *t);
void bsr_demote_abort(struct bsr_engine *e);
void bsr_twopc_receive(struct bsr_engine *e, struct bsr_peer *p, const struct bsr_msg_twopc *m);

/** bsr_request_is_write - changes data: write, discard, write-zeroes */
static inline bool bsr_request_is_write(const struct bsr_request *rq)
{
	return rq->op != BSR_OP_READ && rq->op != BSR_OP_FLUSH;
}

/** bsr_extents_of - activity-log extents that a range touches: the first in *@first, returns how many */
static inline uint32_t bsr_extents_of(uint64_t offset, uint32_t length, uint32_t *first)
{
	*first = (uint32_t)(offset >> BSR_AL_EXTENT_SHIFT);
	return (uint32_t)((offset + length - 1) >> BSR_AL_EXTENT_SHIFT) - *first + 1;
}

static inline uint32_t bsr_node_bit(uint32_t node_id)
{
	return 1u << node_id;
}

/* In order of number; what the loop body removes or adds is not visited twice. */
#define BSR_FOR_EACH_PEER(e, p)                                                                                       \
	for (uint32_t peers_left_ = (e)->peer_mask; peers_left_; peers_left_ &= peers_left_ - 1)                      \
		if (((p) = (e)->peer[__builtin_ctz(peers_left_)]) != NULL)
#define BSR_FOR_EACH_VOLUME(e, v)                                                                                     \
	for (uint64_t volumes_left_ = (e)->volume_mask; volumes_left_; volumes_left_ &= volumes_left_ - 1)            \
		if (((v) = (e)->volume[__builtin_ctzll(volumes_left_)]) != NULL)

#include "mesh.h"
#include "resync.h"
#include "transfer_log.h"
#include "connect.h"

#endif
