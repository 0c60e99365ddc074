// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * loop.c - the event loop's common half: operations as steps, watches, timers, turns
 *
 * Owns:       queues, tables and the order of a turn. The backends own the system calls.
 * Invariants:
 *   LOOP-1  An operation is counted in started or in pending_count from the call until just before its done().
 *   LOOP-2  No report about a watch reaches it after its arming ended: each arming has a
 *   generation.
 */
#include "loop_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#define NO_SLOT UINT32_MAX
#define FIRST_WATCHES 64u

static void start_pending(struct bsr_loop *loop);

static uint64_t clock_ns(void)
{
	struct timespec ts;
	(void)clock_gettime(CLOCK_MONOTONIC, &ts); /* cannot fail for this clock */
	return (uint64_t)ts.tv_sec * 1000000000ull + (uint64_t)ts.tv_nsec;
}

/* ---------------------------------------------------------------- create */

static int create_with(struct bsr_loop **loop, const struct loop_ops *ops, const struct bsr_loop_options *options)
{
	struct bsr_loop *l = calloc(1, ops->bytes);
	if (l == NULL) {
		return -ENOMEM;
	}
	l->ops = ops;
	l->depth = options->depth;
	l->next_deadline_ns = UINT64_MAX;
	l->free_watch = NO_SLOT;
	l->now_ns = clock_ns();
	int error = 0;
	l->zeroes = mmap(NULL, LOOP_ZERO_PIECE_BYTES, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
	if (l->zeroes == MAP_FAILED) {
		error = -errno;
		free(l);
		return error;
	}
	error = ops->create(l, options);
	if (error != 0) {
		(void)munmap(l->zeroes, LOOP_ZERO_PIECE_BYTES);
		free(l);
		return error;
	}
	*loop = l;
	return 0;
}

static int choose_backend(enum bsr_loop_backend *backend)
{
	const char *word = getenv("BSR_LOOP_BACKEND");
	if (word == NULL || word[0] == '\0' || strcmp(word, "auto") == 0) {
		return 0;
	}
	if (strcmp(word, "uring") == 0) {
		*backend = BSR_LOOP_URING;
		return 0;
	}
	if (strcmp(word, "threads") == 0) {
		*backend = BSR_LOOP_THREADS;
		return 0;
	}
	return -EINVAL;
}

int bsr_loop_create(struct bsr_loop **loop, const struct bsr_loop_options *options)
{
	enum bsr_loop_backend backend = options->backend;
	int error = choose_backend(&backend);
	if (options->depth == 0 || options->depth > BSR_LOOP_DEPTH_MAX) {
		error = -EINVAL;
	}
	if (error == 0) {
		error = -EOPNOTSUPP;
		if (backend != BSR_LOOP_THREADS) {
			error = create_with(loop, &bsr_loop_uring_ops, options);
		}
		if (error != 0 && backend != BSR_LOOP_URING) {
			error = create_with(loop, &bsr_loop_threads_ops, options);
		}
	}
	if (error != 0 && options->lifeline_fd >= 0) {
		(void)close(options->lifeline_fd);
	}
	return error;
}

void bsr_loop_destroy(struct bsr_loop *loop)
{
	if (loop == NULL) {
		return;
	}
	BSR_ASSERT(!loop->in_turn);
	loop->destroying = true;
	while (bsr_loop_in_flight(loop) > 0) {
		(void)loop->ops->wait(loop, LOOP_NO_TIMEOUT); /* interrupted: again */
		loop->ops->reap(loop);
		start_pending(loop);
	}
	loop->ops->destroy(loop);
	(void)munmap(loop->zeroes, LOOP_ZERO_PIECE_BYTES);
	free(loop->watches);
	free(loop);
}

const char *bsr_loop_backend_word(const struct bsr_loop *loop)
{
	return loop->ops->word;
}

uint64_t bsr_loop_now_ns(const struct bsr_loop *loop)
{
	return loop->now_ns;
}

uint32_t bsr_loop_in_flight(const struct bsr_loop *loop)
{
	return loop->started + loop->pending_count;
}

/* ----------------------------------------------------------------- files */

int bsr_loop_add_file(struct bsr_loop *loop, int fd)
{
	if (fd < 0) {
		return -EBADF;
	}
	for (uint32_t slot = 0; slot < BSR_LOOP_FILES_MAX; slot++) {
		struct loop_file *file = &loop->file[slot];
		if (!file->used && !file->closing) {
			*file = (struct loop_file){.fd = fd, .ring_fd = fd, .used = true};
			loop->ops->file_added(loop, slot);
			return (int)slot;
		}
	}
	return -ENOSPC;
}

static struct loop_file *file_of(struct bsr_loop *loop, int slot)
{
	BSR_ASSERT((uint32_t)slot < BSR_LOOP_FILES_MAX);
	struct loop_file *file = &loop->file[slot];
	BSR_ASSERT(file->used);
	return file;
}

void bsr_loop_remove_file(struct bsr_loop *loop, int slot)
{
	struct loop_file *file = file_of(loop, slot);
	BSR_ASSERT(file->in_flight == 0);
	file->used = false;
	loop->ops->file_removed(loop, (uint32_t)slot);
}

void bsr_loop_add_memory(struct bsr_loop *loop, void *mem, size_t bytes)
{
	loop->ops->add_memory(loop, mem, bytes);
}

/* ------------------------------------------------------------ operations */

static void pending_append(struct bsr_loop *loop, struct bsr_io *io)
{
	io->next = NULL;
	if (loop->pending_first == NULL) {
		loop->pending_first = io;
	} else {
		loop->pending_last->next = io;
	}
	loop->pending_last = io;
	loop->pending_count++;
}

static inline void start(struct bsr_loop *loop, struct bsr_io *io)
{
	loop->started++;
	loop->ops->start(loop, io);
}

static void start_pending(struct bsr_loop *loop)
{
	while (loop->pending_first != NULL && loop->started < loop->depth) {
		struct bsr_io *io = loop->pending_first;
		loop->pending_first = io->next;
		loop->pending_count--;
		start(loop, io);
	}
}

static inline void submit(struct bsr_loop *loop, struct bsr_io *io, int slot)
{
	file_of(loop, slot)->in_flight++;
	io->slot = slot;
	io->moved = 0;
	if (loop->started < loop->depth && loop->pending_first == NULL) {
		start(loop, io);
	} else {
		pending_append(loop, io);
	}
}

void bsr_loop_read(struct bsr_loop *loop, struct bsr_io *io, int slot, void *mem, uint32_t bytes, uint64_t offset)
{
	BSR_ASSERT(bytes > 0 && bytes <= BSR_LOOP_IO_BYTES_MAX);
	io->opcode = LOOP_READ;
	io->flags = 0;
	io->stage = 0;
	io->mem = mem;
	io->length = bytes;
	io->whole = bytes;
	io->offset = offset;
	submit(loop, io, slot);
}

inline void bsr_loop_write(struct bsr_loop *loop, struct bsr_io *io, int slot, const void *mem, uint32_t bytes,
	uint64_t offset, uint8_t flags)
{
	BSR_ASSERT(bytes - 1 < BSR_LOOP_IO_BYTES_MAX); /* 0 is none of them */
	BSR_ASSERT((flags & ~BSR_IO_DSYNC) == 0);
	io->opcode = LOOP_WRITE;
	io->flags = flags;
	io->stage = WRITE_DATA;
	io->whole = bytes;
	if ((flags & BSR_IO_DSYNC) != 0 && file_of(loop, slot)->no_dsync) {
		io->stage = WRITE_THEN_FLUSH;
		io->whole = LOOP_NOT_WHOLE;
	}
	io->mem = (uint8_t *)(uintptr_t)mem; /* read from only */
	io->length = bytes;
	io->offset = offset;
	submit(loop, io, slot);
}

void bsr_loop_flush(struct bsr_loop *loop, struct bsr_io *io, int slot)
{
	io->opcode = LOOP_FLUSH;
	io->flags = 0;
	io->stage = 0;
	io->mem = NULL;
	io->length = 0;
	io->whole = LOOP_NOT_WHOLE;
	io->offset = 0;
	submit(loop, io, slot);
}

void bsr_loop_zero(struct bsr_loop *loop, struct bsr_io *io, int slot, uint64_t offset, uint64_t bytes, bool may_unmap)
{
	BSR_ASSERT(bytes > 0);
	const struct loop_file *file = file_of(loop, slot);
	io->opcode = LOOP_ZERO;
	io->flags = 0;
	io->stage = may_unmap && !file->no_punch ? ZERO_PUNCH : file->no_zero_range ? ZERO_WRITE : ZERO_RANGE;
	io->mem = loop->zeroes;
	io->length = bytes;
	io->whole = LOOP_NOT_WHOLE;
	io->offset = offset;
	submit(loop, io, slot);
}

void bsr_loop_other_step(const struct bsr_loop *loop, const struct bsr_io *io, struct loop_step *step)
{
	if (io->opcode != LOOP_ZERO) {
		step->what = STEP_FDATASYNC;
		return;
	}
	if (io->stage == ZERO_WRITE) {
		step->what = STEP_WRITE;
		step->mem = loop->zeroes;
		step->bytes = step->bytes < LOOP_ZERO_PIECE_BYTES ? step->bytes : LOOP_ZERO_PIECE_BYTES;
		return;
	}
	step->what = STEP_FALLOCATE;
	step->mode = FALLOC_FL_KEEP_SIZE | (io->stage == ZERO_PUNCH ? FALLOC_FL_PUNCH_HOLE : FALLOC_FL_ZERO_RANGE);
}

static inline void finish(struct bsr_loop *loop, struct bsr_io *io, int64_t result)
{
	struct loop_file *file = &loop->file[io->slot];
	BSR_ASSERT(file->in_flight > 0);
	file->in_flight--;
	if (!loop->destroying) {
		io->done(io, result);
	}
}

static inline bool is_refusal(int64_t result)
{
	return result == -EOPNOTSUPP || result == -ENOSYS || result == -EINVAL || result == -ENOTTY;
}

/* True when the operation goes on with another stage instead of failing. */
static bool falls_back(struct bsr_loop *loop, struct bsr_io *io, int64_t result)
{
	struct loop_file *file = file_of(loop, io->slot);
	const bool certain = result == -EOPNOTSUPP; /* the others may be due to this very range */
	if (io->opcode == LOOP_WRITE && io->stage == WRITE_DATA && (io->flags & BSR_IO_DSYNC) != 0 && certain) {
		file->no_dsync = true;
		io->stage = WRITE_THEN_FLUSH;
		io->whole = LOOP_NOT_WHOLE;
		return true;
	}
	if (io->opcode != LOOP_ZERO || io->stage == ZERO_WRITE || !is_refusal(result)) {
		return false;
	}
	if (io->stage == ZERO_PUNCH) {
		file->no_punch |= certain;
	} else {
		file->no_zero_range |= certain;
	}
	io->stage = io->stage == ZERO_PUNCH && !file->no_zero_range ? ZERO_RANGE : ZERO_WRITE;
	return true;
}

/* The step worked: true when there is another one. */
static bool goes_on(struct bsr_io *io, int64_t moved)
{
	if (io->opcode == LOOP_FLUSH || (io->opcode == LOOP_ZERO && io->stage != ZERO_WRITE)) {
		return false;
	}
	if (io->opcode == LOOP_WRITE && io->stage == WRITE_FLUSHING) {
		return false;
	}
	BSR_ASSERT((uint64_t)moved <= io->length - io->moved);
	io->moved += (uint64_t)moved;
	io->whole = LOOP_NOT_WHOLE;
	if (io->moved == io->length && io->opcode == LOOP_WRITE && io->stage == WRITE_THEN_FLUSH) {
		io->stage = WRITE_FLUSHING;
		return true;
	}
	return io->moved < io->length;
}

static inline bool moves_bytes(const struct bsr_io *io)
{
	return io->opcode == LOOP_READ || (io->opcode == LOOP_WRITE && io->stage != WRITE_FLUSHING) ||
		(io->opcode == LOOP_ZERO && io->stage == ZERO_WRITE);
}

static __attribute__((noinline)) void other_result(struct bsr_loop *loop, struct bsr_io *io, int64_t result)
{
	if (result == -EINTR || result == -EAGAIN) {
		pending_append(loop, io); /* behind the others: the kernel is short of something */
	} else if (result < 0) {
		if (falls_back(loop, io, result)) {
			start(loop, io);
		} else {
			finish(loop, io, result);
		}
	} else if (result == 0 && moves_bytes(io)) {
		finish(loop, io, -EIO); /* end of file where there should be none */
	} else if (goes_on(io, result)) {
		start(loop, io);
	} else {
		finish(loop, io, io->opcode == LOOP_READ || io->opcode == LOOP_WRITE ? (int64_t)io->length : 0);
	}
}

void bsr_loop_io_result(struct bsr_loop *loop, struct bsr_io *io, int64_t result)
{
	BSR_ASSERT(loop->started > 0);
	loop->started--;
	if (result == io->whole) {
		finish(loop, io, result);
	} else {
		other_result(loop, io, result);
	}
}

/* --------------------------------------------------------------- watches */

static int grow_watches(struct bsr_loop *loop)
{
	const uint32_t room = loop->watch_room == 0 ? FIRST_WATCHES : loop->watch_room * 2;
	if (room > BSR_LOOP_WATCHES_MAX) {
		return -ENOSPC;
	}
	struct loop_watch_slot *grown = realloc(loop->watches, room * sizeof(*grown));
	if (grown == NULL) {
		return -ENOMEM;
	}
	for (uint32_t i = room; i-- > loop->watch_room;) {
		grown[i] = (struct loop_watch_slot){.next_free = loop->free_watch};
		loop->free_watch = i;
	}
	loop->watches = grown;
	loop->watch_room = room;
	return 0;
}

/* Begin an arming with the watch's events; with none there is nothing to arm. */
static int arm(struct bsr_loop *loop, struct bsr_watch *watch)
{
	BSR_ASSERT(!watch->armed);
	if (watch->events == 0) {
		return 0;
	}
	loop->watches[watch->index].generation++;
	const int error = loop->ops->arm(loop, watch);
	watch->armed = error == 0;
	return error;
}

static void disarm(struct bsr_loop *loop, struct bsr_watch *watch)
{
	if (watch->armed) {
		loop->ops->disarm(loop, watch);
		watch->armed = false;
	}
	loop->watches[watch->index].generation++; /* LOOP-2 */
}

int bsr_loop_watch(struct bsr_loop *loop, struct bsr_watch *watch)
{
	BSR_ASSERT(watch->fd >= 0 && watch->ready != NULL);
	if (loop->free_watch == NO_SLOT) {
		const int error = grow_watches(loop);
		if (error != 0) {
			return error;
		}
	}
	const uint32_t index = loop->free_watch;
	struct loop_watch_slot *slot = &loop->watches[index];
	loop->free_watch = slot->next_free;
	slot->watch = watch;
	watch->index = index;
	watch->armed = false;
	watch->added = true;
	const int error = arm(loop, watch);
	if (error != 0) {
		bsr_loop_unwatch(loop, watch);
	}
	return error;
}

static inline bool is_added(const struct bsr_loop *loop, const struct bsr_watch *watch)
{
	return watch->added && watch->index < loop->watch_room && loop->watches[watch->index].watch == watch;
}

int bsr_loop_watch_change(struct bsr_loop *loop, struct bsr_watch *watch, uint32_t events)
{
	BSR_ASSERT(is_added(loop, watch));
	if (events == watch->events) {
		return 0;
	}
	disarm(loop, watch);
	watch->events = events;
	return arm(loop, watch);
}

void bsr_loop_unwatch(struct bsr_loop *loop, struct bsr_watch *watch)
{
	if (!is_added(loop, watch)) {
		return;
	}
	disarm(loop, watch);
	struct loop_watch_slot *slot = &loop->watches[watch->index];
	slot->watch = NULL;
	slot->next_free = loop->free_watch;
	loop->free_watch = watch->index;
	watch->added = false;
}

void bsr_loop_watch_ready(struct bsr_loop *loop, uint32_t index, uint32_t generation, uint32_t events,
	bool still_armed)
{
	if (index >= loop->watch_room || loop->watches[index].generation != generation) {
		return; /* LOOP-2 */
	}
	struct bsr_watch *watch = loop->watches[index].watch;
	BSR_ASSERT(watch != NULL && watch->armed);
	watch->armed = still_armed;
	if (events != 0 && !loop->destroying) {
		watch->ready(watch, events);
	}
	/*
	 * @watch may be gone, the table may have moved; the same generation says that neither has
	 * happened to it
	 */
	if (loop->watches[index].generation == generation && !loop->watches[index].watch->armed && !loop->destroying) {
		const int error = arm(loop, loop->watches[index].watch);
		/* re-arming takes a submission slot, nothing that can run out */
		BSR_ASSERT(error == 0);
	}
}

/* ---------------------------------------------------------------- timers */

void bsr_loop_disarm(struct bsr_loop *loop, struct bsr_timer *timer)
{
	if (!timer->armed) {
		return;
	}
	if (timer->prev != NULL) {
		timer->prev->next = timer->next;
	} else {
		loop->timers = timer->next;
	}
	if (timer->next != NULL) {
		timer->next->prev = timer->prev;
	}
	timer->armed = false;
}

/* It is moved, or not armed yet. */
static __attribute__((noinline)) void set_deadline(struct bsr_loop *loop, struct bsr_timer *timer, uint64_t deadline_ns)
{
	if (deadline_ns == UINT64_MAX) {
		bsr_loop_disarm(loop, timer);
		return;
	}
	if (deadline_ns <= loop->now_ns) {
		/* the next turn at the earliest: a timer cannot starve the rest */
		deadline_ns = loop->now_ns + 1;
	}
	timer->deadline_ns = deadline_ns;
	if (deadline_ns < loop->next_deadline_ns) {
		loop->next_deadline_ns = deadline_ns;
	}
	if (timer->armed) {
		return;
	}
	timer->prev = NULL;
	timer->next = loop->timers;
	if (loop->timers != NULL) {
		loop->timers->prev = timer;
	}
	loop->timers = timer;
	timer->armed = true;
}

inline void bsr_loop_arm(struct bsr_loop *loop, struct bsr_timer *timer, uint64_t deadline_ns)
{
	/* mostly the same as in the turn before; what is due is disarmed when it runs */
	if (!timer->armed || timer->deadline_ns != deadline_ns) {
		set_deadline(loop, timer, deadline_ns);
	}
}

void bsr_loop_set_timer(struct bsr_loop *loop, uint64_t deadline_ns, void (*fn)(void *ctx), void *ctx)
{
	loop->owner_timer.fn = fn;
	loop->owner_timer.ctx = ctx;
	bsr_loop_arm(loop, &loop->owner_timer, deadline_ns);
}

static struct bsr_timer *find_due(const struct bsr_loop *loop)
{
	struct bsr_timer *t = loop->timers;
	while (t != NULL && t->deadline_ns > loop->now_ns) {
		t = t->next;
	}
	return t;
}

/* A callback may arm and disarm any timer, hence the search from the start after each one. */
static void run_timers(struct bsr_loop *loop)
{
	if (loop->now_ns < loop->next_deadline_ns) {
		return;
	}
	for (struct bsr_timer *t = find_due(loop); t != NULL; t = find_due(loop)) {
		bsr_loop_disarm(loop, t);
		t->fn(t->ctx);
	}
	loop->next_deadline_ns = UINT64_MAX;
	for (const struct bsr_timer *t = loop->timers; t != NULL; t = t->next) {
		if (t->deadline_ns < loop->next_deadline_ns) {
			loop->next_deadline_ns = t->deadline_ns;
		}
	}
}

/* ----------------------------------------------------------------- turns */

void bsr_loop_on_turn(struct bsr_loop *loop, void (*fn)(void *ctx), void *ctx)
{
	BSR_ASSERT(loop->turn_hook == NULL);
	loop->turn_hook = fn;
	loop->turn_hook_ctx = ctx;
}

void bsr_loop_again(struct bsr_loop *loop)
{
	loop->again = true;
}

void bsr_loop_stop(struct bsr_loop *loop)
{
	loop->stop = true;
}

static uint64_t time_to_sleep(const struct bsr_loop *loop)
{
	if (loop->again || (loop->pending_first != NULL && loop->started < loop->depth)) {
		return 0;
	}
	if (loop->next_deadline_ns == UINT64_MAX) {
		return LOOP_NO_TIMEOUT;
	}
	/* as of the beginning of this turn: a timer may be late by the length of a turn, which it may be anyway */
	return loop->next_deadline_ns > loop->now_ns ? loop->next_deadline_ns - loop->now_ns : 0;
}

int bsr_loop_turn(struct bsr_loop *loop, bool wait)
{
	BSR_ASSERT(!loop->in_turn);
	const int error = loop->ops->wait(loop, wait ? time_to_sleep(loop) : 0);
	if (error != 0) {
		return error;
	}
	loop->again = false;
	loop->now_ns = clock_ns();
	loop->in_turn = true;
	loop->ops->reap(loop);
	start_pending(loop);
	run_timers(loop);
	if (loop->turn_hook != NULL) {
		loop->turn_hook(loop->turn_hook_ctx);
	}
	loop->in_turn = false;
	return 0;
}

int bsr_loop_run(struct bsr_loop *loop)
{
	loop->stop = false;
	while (!loop->stop) {
		const int error = bsr_loop_turn(loop, true);
		if (error != 0) {
			return error;
		}
	}
	/* what the last turn asked for is submitted too */
	const int error = loop->ops->wait(loop, 0);
	return error;
}
