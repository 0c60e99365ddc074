/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * loop.h - one thread's event loop: file I/O, readiness, timer, all submitted in batches
 *
 * Two implementations behind one face, chosen at run time: io_uring, and epoll with a few I/O threads where
 * io_uring is refused. A turn is: wait for completions and readiness, run their callbacks, run the turn hook, submit
 * what they asked for in one system call. An idle loop sleeps. Everything here belongs to the loop's thread.
 */
#ifndef BSR_HOST_LOOP_H
#define BSR_HOST_LOOP_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/uio.h>

struct bsr_loop;

enum bsr_loop_backend { BSR_LOOP_AUTO, BSR_LOOP_URING, BSR_LOOP_THREADS };

struct bsr_loop_options {
	enum bsr_loop_backend backend; /* AUTO probes; BSR_LOOP_BACKEND=uring|threads in the environment overrides it */
	uint32_t depth;		       /* operations in flight */
	int lifeline_fd; /* -1, or the write end of a pipe that must stay open exactly until the last I/O of this
			    process has ended; taken over by the loop (see docs/design/restart.md) */
};

/** bsr_loop_create - *@loop is set on success; 0 or -errno */
int bsr_loop_create(struct bsr_loop **loop, const struct bsr_loop_options *options);
void bsr_loop_destroy(struct bsr_loop *loop);
/** bsr_loop_backend_word - "io_uring" or "threads" */
const char *bsr_loop_backend_word(const struct bsr_loop *loop);
/** bsr_loop_now_ns - monotonic time, read once per turn */
uint64_t bsr_loop_now_ns(const struct bsr_loop *loop);

/** bsr_loop_add_file - a descriptor for file I/O (registered where that pays); returns its slot or -errno */
int bsr_loop_add_file(struct bsr_loop *loop, int fd);
/** bsr_loop_remove_file - nothing may be in flight on it; the descriptor stays the caller's */
void bsr_loop_remove_file(struct bsr_loop *loop, int slot);
/** bsr_loop_add_memory - register one region for fixed-buffer I/O; advisory, failure is only slower */
void bsr_loop_add_memory(struct bsr_loop *loop, void *mem, size_t bytes);

/** One file operation; embedded in the caller's own struct, stays in place until done. */
struct bsr_io {
	void (*done)(struct bsr_io *io, int64_t result); /* bytes, 0, or -errno; never short: the loop goes on */
	/* private to the loop */
	uint8_t opcode;
	uint8_t flags;
	int slot;
	int mode;
	uint64_t offset;
	uint64_t length;
	uint8_t *mem;
	uint64_t moved;
	struct bsr_io *next;
	int64_t result;
};

#define BSR_IO_DSYNC 1u /* write: durable when done */

void bsr_loop_read(struct bsr_loop *loop, struct bsr_io *io, int slot, void *mem, uint32_t bytes, uint64_t offset);
void bsr_loop_write(struct bsr_loop *loop, struct bsr_io *io, int slot, const void *mem, uint32_t bytes,
	uint64_t offset, uint8_t flags);
/** bsr_loop_flush - data and what is needed to read it back are stable when done */
void bsr_loop_flush(struct bsr_loop *loop, struct bsr_io *io, int slot);
/**
 * bsr_loop_zero - the range reads back as zeroes when done
 * @may_unmap: true: deallocation is welcome (punch hole, BLKDISCARD only where it is known to zero); false: stays
 * allocated. Falls back by itself to writing zeroes; never reports "unsupported".
 */
void bsr_loop_zero(struct bsr_loop *loop, struct bsr_io *io, int slot, uint64_t offset, uint64_t bytes, bool may_unmap);

/** Readiness of a descriptor; embedded, armed until removed. Level-triggered in effect. */
struct bsr_watch {
	int fd;
	uint32_t events; /* POLLIN, POLLOUT, ... */
	void (*ready)(struct bsr_watch *watch, uint32_t events);
	/* private */
	void *impl;
	struct bsr_watch *next;
	uint32_t generation;
	bool armed;
};
int bsr_loop_watch(struct bsr_loop *loop, struct bsr_watch *watch);
/** bsr_loop_watch_change - other events from now on */
int bsr_loop_watch_change(struct bsr_loop *loop, struct bsr_watch *watch, uint32_t events);
/** bsr_loop_unwatch - no callback after it returns; @watch may be reused, its fd closed */
void bsr_loop_unwatch(struct bsr_loop *loop, struct bsr_watch *watch);

/** bsr_loop_set_timer - one timer: @fn runs once when now >= @deadline_ns; UINT64_MAX = none. Cheap to call often. */
void bsr_loop_set_timer(struct bsr_loop *loop, uint64_t deadline_ns, void (*fn)(void *ctx), void *ctx);
/** bsr_loop_on_turn - @fn runs after the callbacks of each turn, before submission; one hook, set once */
void bsr_loop_on_turn(struct bsr_loop *loop, void (*fn)(void *ctx), void *ctx);

/** bsr_loop_run - turns until bsr_loop_stop(); 0 or -errno */
int bsr_loop_run(struct bsr_loop *loop);
void bsr_loop_stop(struct bsr_loop *loop);
/** bsr_loop_in_flight - file operations not yet done */
uint32_t bsr_loop_in_flight(const struct bsr_loop *loop);

#endif
