/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * perform_internal.h - what perform.c and perform_turn.c share
 */
#ifndef BSR_DAEMON_PERFORM_INTERNAL_H
#define BSR_DAEMON_PERFORM_INTERNAL_H

#include "engine_process.h"

#define NONE UINT32_MAX
/* turns go on for so long after a file was removed, see bsr_loop_remove_file() */
#define LET_GO_NS 300000000ull

enum op_stage {
	OP_MAIN,     /* the operation itself */
	OP_PREFLUSH, /* metadata: flushes that come before the write */
	OP_AFTER,    /* the flush that makes a finished discard or write-zeroes stable */
};

struct disk_op {
	struct bsr_io io;
	struct bsr_io io_second; /* preflush of two devices */
	struct bsrd *d;
	uint32_t id;   /* the engine's op_id, index in the table */
	uint32_t next; /* queue for a buffer */
	bsr_buf_t buf;
	uint16_t volume;
	uint8_t op; /* enum bsr_op */
	uint8_t flags;	 /* BSR_REQ_FUA, or BSR_MD_* */
	uint8_t stage;
	bool busy;
	bool is_md;
	bool own_buf;	 /* allocated here: goes to the engine with the result */
	uint8_t waiting; /* flushes under way before the write */
	uint32_t length;
	uint64_t offset;
	void *md_mem;
	int32_t error; /* of the flushes before */
};

struct disk_use {
	bool used;
	bool open; /* used, and not to be released */
	bool releasing;
	int data_fd, md_fd;
	int data_slot, md_slot;
	uint32_t in_flight;
	void (*released)(void *ctx);
	void *released_ctx;
};

struct command_slot {
	bool used;
	bool done;
	bsrd_command_fn fn;
	void *ctx;
	struct bsr_fx_command_done result;
};

struct bsrd_perform {
	struct bsrd *d;
	struct bsr_fx *fx;
	bool in_step;
	bool draining;
	bool put_off; /* commands done or requests wait for the end of the step */
	bool starved; /* front ends were told 0 credits */
	bool paused;  /* a stream was told not to be read */
	bool retry;   /* buffers are free again */
	uint32_t wait_first, wait_last; /* reads that wait for a buffer */
	uint32_t commands_done;
	uint32_t deferred_first, deferred_count;
	uint64_t sends;
	uint64_t let_go_until_ns;
	struct bsr_timer timer; /* perform_turn.c */
	struct disk_use disk[BSR_VOLUMES_MAX];
	struct command_slot command[BSRD_COMMANDS_MAX];
	/* a ring; each has a tag of its own, so all fit */
	struct bsr_ev_request deferred[BSR_REQUESTS_MAX];
	struct disk_op op[BSR_DISK_OPS_MAX]; /* by the engine's op_id */
	/* where these and the disks are: a pointer that is loaded is not computed again and again */
	struct disk_op *by_id[BSR_DISK_OPS_MAX];
	struct disk_use *use[BSR_VOLUMES_MAX];
};

/** bsrd_perform_on_timer - of the timer above: what is due but what the end of each turn looks at */
void bsrd_perform_on_timer(void *ctx);
/** bsrd_step_time - BSR_EV_TIME */
void bsrd_step_time(struct bsrd *d);
/** bsrd_perform_retry - buffers are free again: reads that wait for one go on */
void bsrd_perform_retry(struct bsrd_perform *p);

#endif
