/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * loop.h - one thread's event loop: file I/O, readiness, timer, all submitted in batches
 *
 * Two implementations behind one face, chosen at run time: io_uring, and epoll with a few I/O
 * threads where io_uring is refused. A turn is: wait for completions and readiness, run their
 * callbacks, the timer if it is due and the turn hook, submit what they asked for in one system
 * call. An idle loop sleeps. Everything here belongs to the thread that created the loop.
 *
 * Callbacks run from a turn only, never from inside the call that asked for something. They may
 * call anything here but bsr_loop_destroy(), bsr_loop_run() and bsr_loop_turn().
 *
 * Sandbox. bsr_loop_create() and bsr_loop_add_memory() do all that a system-call filter forbids
 * later (rings, threads, registrations). Afterwards the io_uring loop needs io_uring_enter,
 * clock_gettime and write; the other one epoll_wait, epoll_ctl, futex, clock_gettime, read, write,
 * pread64, pwrite64, pwritev2, fdatasync, fallocate; both need munmap, close, exit and what the C
 * library's allocator uses (bsr_loop_watch() may grow a table).
 */
#ifndef BSR_HOST_LOOP_H
#define BSR_HOST_LOOP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct bsr_loop;

#define BSR_LOOP_DEPTH_MAX 8192u   /* BSR_DISK_OPS_MAX; sizes the ring */
#define BSR_LOOP_FILES_MAX 256u	   /* two per volume, and room */
#define BSR_LOOP_WATCHES_MAX 4096u /* connections, mostly */
#define BSR_LOOP_IO_BYTES_MAX (1u << 30) /* one read or write */

enum bsr_loop_backend { BSR_LOOP_AUTO, BSR_LOOP_URING, BSR_LOOP_THREADS };

struct bsr_loop_options {
	/* AUTO probes; BSR_LOOP_BACKEND=uring|threads in the environment overrides it */
	enum bsr_loop_backend backend;
	/* operations in flight, 1..BSR_LOOP_DEPTH_MAX; later ones wait their turn */
	uint32_t depth;
	int lifeline_fd; /* -1, or the write end of a pipe that must stay open exactly until the last I/O of this
			    process has ended; taken over by the loop (see docs/design/restart.md) */
};

/**
 * bsr_loop_create - a loop for the calling thread
 * @loop: set on success
 *
 * Returns 0 or -errno; the lifeline is the loop's even then. -EINVAL also for an unknown
 * BSR_LOOP_BACKEND.
 */
int bsr_loop_create(struct bsr_loop **loop, const struct bsr_loop_options *options);
/** bsr_loop_destroy - waits for operations in flight (their callbacks do not run); NULL is fine */
void bsr_loop_destroy(struct bsr_loop *loop);
/** bsr_loop_backend_word - "io_uring" or "threads" */
const char *bsr_loop_backend_word(const struct bsr_loop *loop);
/** bsr_loop_now_ns - monotonic time, read once per turn */
uint64_t bsr_loop_now_ns(const struct bsr_loop *loop);

/**
 * bsr_loop_add_file - a descriptor for file I/O (registered where that pays); returns its slot or
 * -errno
 *
 * @fd stays the caller's and open until bsr_loop_remove_file(). Works after sandboxing.
 */
int bsr_loop_add_file(struct bsr_loop *loop, int fd);
/**
 * bsr_loop_remove_file - nothing may be in flight on it; the descriptor stays the caller's
 *
 * The kernel lets go of the file shortly afterwards, and only while the loop goes on turning: who
 * closes @fd and then wants an exclusive open of the same device tries for some milliseconds, from
 * another process or later turns.
 */
void bsr_loop_remove_file(struct bsr_loop *loop, int slot);
/**
 * bsr_loop_add_memory - register one region for fixed-buffer I/O; advisory, failure is only slower
 */
void bsr_loop_add_memory(struct bsr_loop *loop, void *mem, size_t bytes);

/**
 * One file operation; embedded in the caller's own struct, stays in place until done. No order
 * among several.
 */
struct bsr_io {
	/* bytes, 0, or -errno; never short: the loop goes on */
	void (*done)(struct bsr_io *io, int64_t result);
	/* private to the loop */
	uint8_t opcode;
	uint8_t flags;
	uint8_t stage;
	int slot;
	uint64_t offset;
	uint64_t length;
	uint8_t *mem;
	uint64_t moved;
	int64_t whole; /* reads and writes in one step: the result with which it is done */
	struct bsr_io *next;
	int64_t result;
};

#define BSR_IO_DSYNC 1u /* write: durable when done */

/**
 * bsr_loop_read - @bytes 1..BSR_LOOP_IO_BYTES_MAX into @mem; a range that ends behind the end of
 * the file: -EIO
 */
void bsr_loop_read(struct bsr_loop *loop, struct bsr_io *io, int slot, void *mem, uint32_t bytes, uint64_t offset);
/** bsr_loop_write - @flags: BSR_IO_DSYNC; @mem stays unchanged until done */
void bsr_loop_write(struct bsr_loop *loop, struct bsr_io *io, int slot, const void *mem, uint32_t bytes,
	uint64_t offset, uint8_t flags);
/**
 * bsr_loop_flush - data and what is needed to read it back are stable when done: all whose done()
 * ran before
 */
void bsr_loop_flush(struct bsr_loop *loop, struct bsr_io *io, int slot);
/**
 * bsr_loop_zero - the range reads back as zeroes when done; nothing is said about stability
 * @may_unmap: true: deallocation is welcome (punch hole); false: stays allocated
 *
 * Falls back by itself to writing zeroes; never reports "unsupported".
 */
void bsr_loop_zero(struct bsr_loop *loop, struct bsr_io *io, int slot, uint64_t offset, uint64_t bytes, bool may_unmap);

/**
 * Readiness of a descriptor; embedded, armed until removed, one per descriptor.
 *
 * Normally level-triggered: ready() runs once per turn while something is ready. With @edge set it
 * runs when something has become ready since the last time, so it has to use it up (EAGAIN) or
 * remember that it did not. With events 0 a watch is silent, also about errors and hang-ups.
 */
struct bsr_watch {
	int fd;
	uint32_t events; /* POLLIN, POLLOUT, POLLRDHUP ... */
	bool edge;
	/* what is ready: also POLLERR, POLLHUP */
	void (*ready)(struct bsr_watch *watch, uint32_t events);
	/* private to the loop */
	bool armed;
	bool added;
	uint32_t index;
};
/** bsr_loop_watch - 0 or -errno (-ENOSPC: BSR_LOOP_WATCHES_MAX; no change) */
int bsr_loop_watch(struct bsr_loop *loop, struct bsr_watch *watch);
/** bsr_loop_watch_change - other events from now on; cheap when they are the same */
int bsr_loop_watch_change(struct bsr_loop *loop, struct bsr_watch *watch, uint32_t events);
/**
 * bsr_loop_unwatch - no callback after it returns; @watch may be reused, its fd closed. Not added:
 * no effect.
 */
void bsr_loop_unwatch(struct bsr_loop *loop, struct bsr_watch *watch);

/**
 * A timer; embedded, zeroed before its first use, fn and ctx set by its owner. Any number may be
 * armed.
 */
struct bsr_timer {
	void (*fn)(void *ctx);
	void *ctx;
	/* private to the loop */
	uint64_t deadline_ns;
	struct bsr_timer *prev, *next;
	bool armed;
};
/**
 * bsr_loop_arm - @timer->fn runs once when now >= @deadline_ns; armed already: moved. UINT64_MAX
 * disarms.
 */
void bsr_loop_arm(struct bsr_loop *loop, struct bsr_timer *timer, uint64_t deadline_ns);
/** bsr_loop_disarm - no callback after it returns; not armed: no effect */
void bsr_loop_disarm(struct bsr_loop *loop, struct bsr_timer *timer);
/**
 * bsr_loop_set_timer - the owner's timer: like bsr_loop_arm() on one built in; replaces the setting
 * before
 */
void bsr_loop_set_timer(struct bsr_loop *loop, uint64_t deadline_ns, void (*fn)(void *ctx), void *ctx);
/**
 * bsr_loop_on_turn - @fn runs after the callbacks of each turn, before submission; one hook, set
 * once
 */
void bsr_loop_on_turn(struct bsr_loop *loop, void (*fn)(void *ctx), void *ctx);
/** bsr_loop_again - the next turn does not wait: somebody has left work for it */
void bsr_loop_again(struct bsr_loop *loop);

/** bsr_loop_run - turns until bsr_loop_stop(); 0 or -errno. A signal only ends a wait. */
int bsr_loop_run(struct bsr_loop *loop);
/** bsr_loop_turn - one turn; @wait: sleep when there is nothing to do. 0 or -errno */
int bsr_loop_turn(struct bsr_loop *loop, bool wait);
/** bsr_loop_stop - bsr_loop_run() returns at the end of this turn */
void bsr_loop_stop(struct bsr_loop *loop);
/** bsr_loop_in_flight - file operations not yet done */
uint32_t bsr_loop_in_flight(const struct bsr_loop *loop);

#endif
