/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * loop_internal.h - what the two event-loop backends share; nobody else includes it
 */
#ifndef BSR_HOST_LOOP_INTERNAL_H
#define BSR_HOST_LOOP_INTERNAL_H

#include "loop.h"

#include <bsr/assert.h>
#include <bsr/types.h>

enum loop_opcode { LOOP_READ, LOOP_WRITE, LOOP_FLUSH, LOOP_ZERO };

/* How a range is zeroed: bsr_io.stage of a LOOP_ZERO, each falling back to the next. */
enum loop_zero_stage { ZERO_PUNCH, ZERO_RANGE, ZERO_WRITE };
/* bsr_io.stage of a durable write: where the file cannot, a flush follows. */
enum loop_write_stage { WRITE_DATA, WRITE_THEN_FLUSH, WRITE_FLUSHING };

#define LOOP_ZERO_PIECE_BYTES (256u << 10)
#define LOOP_NO_TIMEOUT UINT64_MAX

struct loop_file {
	int fd;
	uint32_t in_flight;
	int ring_fd; /* io_uring: how requests name it: by descriptor, or by its place in the kernel's table */
	uint8_t ring_flags; /* io_uring: IOSQE_FIXED_FILE when the kernel's table has it */
	bool used;
	bool closing; /* io_uring: until the kernel's table has let it go */
	bool no_punch : 1, no_zero_range : 1, no_dsync : 1; /* learned */
};
BSR_STATIC_ASSERT(sizeof(struct loop_file) == 16, "found by a shift: every operation looks here twice");

struct loop_watch_slot {
	struct bsr_watch *watch; /* NULL: free */
	uint32_t generation;	 /* of the present arming; stale reports carry an older one */
	uint32_t next_free;
};

struct loop_ops {
	const char *word;
	size_t bytes; /* of the backend's struct, which begins with struct bsr_loop */
	int (*create)(struct bsr_loop *loop, const struct bsr_loop_options *options);
	void (*destroy)(struct bsr_loop *loop);
	/* hand over everything started so far and wait for something to report */
	int (*wait)(struct bsr_loop *loop, uint64_t timeout_ns);
	/* run loop_io_result() and loop_watch_ready() for what there is to report */
	void (*reap)(struct bsr_loop *loop);
	void (*start)(struct bsr_loop *loop, struct bsr_io *io);
	void (*file_added)(struct bsr_loop *loop, uint32_t slot);
	void (*file_removed)(struct bsr_loop *loop, uint32_t slot);
	void (*add_memory)(struct bsr_loop *loop, void *mem, size_t bytes);
	int (*arm)(struct bsr_loop *loop, struct bsr_watch *watch);
	void (*disarm)(struct bsr_loop *loop, struct bsr_watch *watch);
};

struct bsr_loop {
	const struct loop_ops *ops;
	uint64_t now_ns;
	uint32_t depth;
	uint32_t started; /* operations that are with the backend */
	uint32_t pending_count; /* of the list below */
	bool again, stop, in_turn, destroying;
	struct bsr_io *pending_first, *pending_last; /* beyond depth, or to be tried again */
	uint8_t *zeroes; /* LOOP_ZERO_PIECE_BYTES */
	struct bsr_timer *timers;
	uint64_t next_deadline_ns; /* not later than the earliest timer */
	struct bsr_timer owner_timer;
	void (*turn_hook)(void *ctx);
	void *turn_hook_ctx;
	struct loop_watch_slot *watches;
	uint32_t watch_room;
	uint32_t free_watch;
	struct loop_file file[BSR_LOOP_FILES_MAX];
};

extern const struct loop_ops bsr_loop_uring_ops;
extern const struct loop_ops bsr_loop_threads_ops;

/* bsr_io.whole of all but reads and writes that have moved nothing so far and have only to do that: no result is this */
#define LOOP_NOT_WHOLE INT64_MIN

/* What a started operation is to do now: one system call's worth. */
struct loop_step {
	enum { STEP_READ, STEP_WRITE, STEP_FDATASYNC, STEP_FALLOCATE } what;
	bool dsync;
	int mode; /* of fallocate */
	uint8_t *mem;
	uint64_t offset;
	uint64_t bytes;
};
void bsr_loop_other_step(const struct bsr_loop *loop, const struct bsr_io *io, struct loop_step *step);

/* Inline for the sake of plain reads and writes: this is on the path of every request. */
static inline void bsr_loop_io_step(const struct bsr_loop *loop, const struct bsr_io *io, struct loop_step *step)
{
	step->offset = io->offset + io->moved;
	step->bytes = io->length - io->moved;
	step->mem = io->mem + io->moved;
	step->dsync = false;
	if (io->opcode == LOOP_READ) {
		step->what = STEP_READ;
	} else if (io->opcode == LOOP_WRITE && io->stage != WRITE_FLUSHING) {
		step->what = STEP_WRITE;
		step->dsync = (io->flags & BSR_IO_DSYNC) != 0 && io->stage == WRITE_DATA;
	} else {
		bsr_loop_other_step(loop, io, step);
	}
}
/** bsr_loop_io_result - the step has ended: the next one, or done() */
void bsr_loop_io_result(struct bsr_loop *loop, struct bsr_io *io, int64_t result);
/**
 * bsr_loop_watch_ready - report readiness unless the arming is stale; @still_armed: it will report
 * again by itself
 */
void bsr_loop_watch_ready(struct bsr_loop *loop, uint32_t index, uint32_t generation, uint32_t events,
	bool still_armed);

#endif
