/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * verify.h - an online verify of one volume with one peer, and the calls of verify.c and verify_target.c; a part of core.h
 */
#ifndef BSR_ENGINE_VERIFY_H
#define BSR_ENGINE_VERIFY_H

#include <bsr/engine.h>
#include <bsr/wire.h>

struct bsr_peer;
struct bsr_volume;
struct bsr_peer_request;

enum bsr_verify_step {
	BSR_VERIFY_IDLE = 0,
	BSR_VERIFY_ASKING, /* the peer has not agreed yet */
	BSR_VERIFY_SOURCE, /* I ask for digests, and compare */
	BSR_VERIFY_TARGET, /* I answer */
};

enum bsr_verify_chunk_state {
	BSR_VC_FREE = 0,
	BSR_VC_PAUSED, /* to be asked for, at due_ns */
	BSR_VC_ASKED,
	BSR_VC_HAVE,	/* the peer's digests are here; my disk's turn has not come */
	BSR_VC_READING, /* the range is locked, my disk is being read */
};

/** A piece of the volume on its way through a verify: one request at a time. */
struct bsr_verify_chunk {
	uint64_t offset;  /* of the request, in bytes */
	uint64_t next;	  /* where the request after this one begins */
	uint64_t end;	  /* of the piece */
	uint64_t due_ns;
	uint64_t busy[BSR_VERIFY_BLOCKS_MAX / 64]; /* blocks of the request that were written meanwhile */
	uint32_t length;  /* of the request */
	uint32_t generation; /* a part of the id: late answers are recognised */
	uint16_t tries;
	uint8_t state; /* enum bsr_verify_chunk_state */
	bool single;   /* block by block: something in it cannot be read */
	int32_t peer_error;
	uint8_t digest[BSR_VERIFY_BLOCKS_MAX * BSR_DIGEST_BYTES_MAX]; /* the peer's */
};

struct bsr_verify {
	uint8_t step; /* enum bsr_verify_step */
	uint8_t digest; /* enum bsr_digest */
	bool auto_sync;
	bool peer_ended; /* it need not be told */
	uint32_t cmd_id; /* ASKING: the command to answer */
	uint64_t run;
	uint64_t start, stop; /* bytes, multiples of 4096; stop may be the volume's end */
	uint64_t at; /* everything before was asked for */
	uint64_t compared_bytes, found_bytes, skipped_bytes;
	uint64_t resume_at; /* the last one of which I was source was interrupted here; 0 = it was not */
	uint64_t marked_bits; /* bits that verify has set: no resync begins by itself because of them */
	uint32_t active;
	struct bsr_verify_chunk *chunk; /* [BSR_VERIFY_REQUESTS_MAX], allocated with the first verify */
};

/* ---- verify.c: the source ---- */
/** bsr_verify_command - answered when the peer has agreed, or not */
void bsr_verify_command(struct bsr_engine *e, struct bsr_peer *p, struct bsr_volume *vol, const struct bsr_ev_command *c);
/** bsr_verify_stop_command - verify-stop, at either end */
int32_t bsr_verify_stop_command(struct bsr_engine *e, struct bsr_peer *p, struct bsr_volume *vol);
/** bsr_verify_begin - both have agreed: states, counters; @step is SOURCE or TARGET */
void bsr_verify_begin(struct bsr_engine *e, struct bsr_peer *p, struct bsr_volume *vol, enum bsr_verify_step step);
/** bsr_verify_possible - 0, or why the two disks cannot be compared now */
int32_t bsr_verify_possible(struct bsr_engine *e, struct bsr_peer *p, struct bsr_volume *vol);
/**
 * bsr_verify_interrupt - it ends here because of @error (0: it is complete), if one is under way; states are the caller's
 * The position is remembered, the peer is told if there is a link.
 */
void bsr_verify_interrupt(struct bsr_engine *e, struct bsr_peer *p, struct bsr_volume *vol, int32_t error);
/** bsr_verify_finish - the same, and replication is Established again */
void bsr_verify_finish(struct bsr_engine *e, struct bsr_peer *p, struct bsr_volume *vol, int32_t error);
/** bsr_verify_mark - blocks differ: bits, which do not begin a resync by themselves */
void bsr_verify_mark(struct bsr_engine *e, struct bsr_peer *p, struct bsr_volume *vol, uint64_t offset, uint64_t length);
/** bsr_verify_unexplained - out-of-sync bits that no verify has set, or doubt about writes: a reason for a resync */
bool bsr_verify_unexplained(const struct bsr_volume *vol, const struct bsr_peer *p);
/**
 * bsr_verify_written - @writer (NULL: my application) writes to a volume that is being verified; to be called when the
 * write is submitted, or has arrived
 */
void bsr_verify_written(struct bsr_engine *e, const struct bsr_peer *writer, struct bsr_volume *vol, uint64_t offset, uint64_t length);
void bsr_verify_reply(struct bsr_engine *e, struct bsr_peer *p, const struct bsr_msg_verify_reply *m);
void bsr_verify_progress(struct bsr_engine *e, struct bsr_peer *p, struct bsr_volume *vol);
void bsr_verify_turn(struct bsr_engine *e, struct bsr_peer *p);
void bsr_verify_timer(struct bsr_engine *e, struct bsr_peer *p, struct bsr_volume *vol);
/** bsr_verify_position - bytes up to here have been compared (source), or asked for (target) */
uint64_t bsr_verify_position(const struct bsr_verify *v);
/** bsr_verify_forget - the device goes: its memory, too */
void bsr_verify_forget(struct bsr_engine *e, struct bsr_verify *v);

/** bsr_peer_forget_verifies - the peer goes: memory of its verifies, too (commands.c) */
void bsr_peer_forget_verifies(struct bsr_engine *e, struct bsr_peer *p);

/* ---- verify_target.c ---- */
void bsr_verify_receive(struct bsr_engine *e, struct bsr_peer *p, const struct bsr_msg_verify *m);
void bsr_verify_request(struct bsr_engine *e, struct bsr_peer *p, const struct bsr_msg_range *m);
void bsr_verify_result(struct bsr_engine *e, struct bsr_peer *p, const struct bsr_msg_range *m);
/** bsr_verify_say - one VERIFY message about the verify under way */
void bsr_verify_say(struct bsr_engine *e, struct bsr_peer *p, struct bsr_volume *vol, enum bsr_verify_say say, int32_t error);

#endif
