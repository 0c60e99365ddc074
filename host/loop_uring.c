// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * loop_uring.c - the event loop on io_uring
 *
 * Owns:       the ring, its table of files, its registered memory.
 * Invariants:
 *   URING-1  The lifeline is in the ring's file table and nowhere else in this process. The kernel
 *   releases the table
 *            when the ring's last request has ended, which may be long after the process: that is
 *            what it is for.
 *   URING-2  The table is never unregistered; single entries are replaced.
 *
 * A file is used through its ordinary descriptor until the kernel has confirmed its entry in the
 * table, so adding one does not wait and needs no system call that a sandbox would forbid. Watches
 * are one-shot polls renewed after their
 * callback: that makes them level-triggered, and no wake-up is spent on what the callback has
 *           already used up. Edge
 * watches are multishot.
 */
#include "loop_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <liburing.h>
#include <poll.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#define LIFELINE_ENTRY BSR_LOOP_FILES_MAX
#define TABLE_ENTRIES (BSR_LOOP_FILES_MAX + 1u)
#define SQ_ENTRIES_MAX 1024u
#define CQ_ENTRIES (4u * BSR_LOOP_WATCHES_MAX)
#define REAP_BATCH 256u
#define SUBMIT_ATTEMPTS_MAX 10000u

/* user_data: an operation's address, or a number with one of these in its low bits */
#define TAG_IO 0u
#define TAG_WATCH 1u /* generation << 32 | index << 2 */
#define TAG_IGNORE 2u
#define TAG_FILE 3u /* slot << 3 | removed << 2 */
#define TAG_MASK 3u
#define FILE_REMOVED 4u

struct uring_loop {
	struct bsr_loop base;
	struct io_uring ring;
	uint8_t *memory; /* registered as buffer 0 */
	size_t memory_bytes;
};

static struct uring_loop *uring_of(struct bsr_loop *loop)
{
	return (struct uring_loop *)loop;
}

static int set_up_ring(struct io_uring *ring, uint32_t depth)
{
	static const unsigned flags[] = {
		IORING_SETUP_SUBMIT_ALL | IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN,
		IORING_SETUP_SUBMIT_ALL | IORING_SETUP_COOP_TASKRUN,
		0,
	};
	int error = -EINVAL;
	for (size_t i = 0; i < sizeof(flags) / sizeof(flags[0]) && error == -EINVAL; i++) {
		struct io_uring_params params = {
			.flags = flags[i] | IORING_SETUP_CQSIZE | IORING_SETUP_CLAMP | IORING_SETUP_R_DISABLED,
			.cq_entries = CQ_ENTRIES,
		};
		error = io_uring_queue_init_params(depth < SQ_ENTRIES_MAX ? depth : SQ_ENTRIES_MAX, ring, &params);
	}
	return error;
}

static const uint8_t needed[] = {IORING_OP_READ, IORING_OP_WRITE, IORING_OP_READ_FIXED, IORING_OP_WRITE_FIXED,
	IORING_OP_FSYNC, IORING_OP_FALLOCATE, IORING_OP_POLL_ADD, IORING_OP_POLL_REMOVE, IORING_OP_FILES_UPDATE};
#define NEEDED_COUNT (sizeof(needed) / sizeof(needed[0]))

/*
 * A ring goes past a filter of system calls: without this, a process that has been taken over could open
 * files and sockets through it. From here on it does what this file does, and nothing else.
 */
static int restrict_and_enable(struct io_uring *ring)
{
	static const uint8_t registers[] = {
		IORING_REGISTER_BUFFERS, IORING_REGISTER_FILES_UPDATE, IORING_UNREGISTER_RING_FDS};
	struct io_uring_restriction rules[NEEDED_COUNT + sizeof(registers) + 1];
	unsigned count = 0;
	memset(rules, 0, sizeof(rules));
	for (size_t i = 0; i < NEEDED_COUNT; i++) {
		rules[count].opcode = IORING_RESTRICTION_SQE_OP;
		rules[count++].sqe_op = needed[i];
	}
	for (size_t i = 0; i < sizeof(registers); i++) {
		rules[count].opcode = IORING_RESTRICTION_REGISTER_OP;
		rules[count++].register_op = registers[i];
	}
	rules[count].opcode = IORING_RESTRICTION_SQE_FLAGS_ALLOWED;
	rules[count++].sqe_flags = IOSQE_FIXED_FILE;
	/* liburing 2.3 declares functions for these two and does not export them */
	if (syscall(SYS_io_uring_register, ring->ring_fd, IORING_REGISTER_RESTRICTIONS, rules, count) != 0 ||
		syscall(SYS_io_uring_register, ring->ring_fd, IORING_REGISTER_ENABLE_RINGS, NULL, 0) != 0) {
		return -errno;
	}
	return 0;
}

static int check_features(struct io_uring *ring)
{
	if ((ring->features & IORING_FEAT_NODROP) == 0 || (ring->features & IORING_FEAT_EXT_ARG) == 0) {
		return -EOPNOTSUPP;
	}
	struct io_uring_probe *probe = io_uring_get_probe_ring(ring);
	if (probe == NULL) {
		return -EOPNOTSUPP;
	}
	int error = 0;
	for (size_t i = 0; i < NEEDED_COUNT; i++) {
		if (!io_uring_opcode_supported(probe, needed[i])) {
			error = -EOPNOTSUPP;
		}
	}
	io_uring_free_probe(probe);
	return error;
}

static int register_table(struct io_uring *ring, int lifeline_fd)
{
	int fds[TABLE_ENTRIES];
	for (uint32_t i = 0; i < TABLE_ENTRIES; i++) {
		fds[i] = -1;
	}
	fds[LIFELINE_ENTRY] = lifeline_fd;
	return io_uring_register_files(ring, fds, TABLE_ENTRIES);
}

static int uring_create(struct bsr_loop *loop, const struct bsr_loop_options *options)
{
	struct uring_loop *u = uring_of(loop);
	int error = set_up_ring(&u->ring, options->depth);
	if (error != 0) {
		return error;
	}
	error = check_features(&u->ring);
	if (error == 0) {
		error = register_table(&u->ring, options->lifeline_fd);
	}
	if (error == 0) {
		/* saves a descriptor lookup per turn; older kernels lack it */
		(void)io_uring_register_ring_fd(&u->ring);
		error = restrict_and_enable(&u->ring);
	}
	if (error != 0) {
		io_uring_queue_exit(&u->ring);
		return error;
	}
	if (options->lifeline_fd >= 0) {
		(void)close(options->lifeline_fd); /* URING-1 */
	}
	return 0;
}

static void uring_destroy(struct bsr_loop *loop)
{
	io_uring_queue_exit(&uring_of(loop)->ring);
}

/* The queue is full: hand it over now. The kernel refuses only while it has no memory for requests. */
static __attribute__((noinline)) struct io_uring_sqe *make_room(struct uring_loop *u)
{
	struct io_uring_sqe *sqe = NULL;
	for (uint32_t attempts = 0; sqe == NULL; attempts++) {
		BSR_ASSERT(attempts < SUBMIT_ATTEMPTS_MAX);
		if (io_uring_submit(&u->ring) < 0) {
			(void)sched_yield();
		}
		sqe = io_uring_get_sqe(&u->ring);
	}
	return sqe;
}

static inline bool is_full(const struct uring_loop *u)
{
	const struct io_uring_sq *sq = &u->ring.sq;
	return sq->sqe_tail - __atomic_load_n(sq->khead, __ATOMIC_RELAXED) >= sq->ring_entries;
}

/* io_uring_get_sqe() for the kind of ring that set_up_ring() makes: neither large entries nor a polling thread. */
static inline struct io_uring_sqe *next_sqe(struct uring_loop *u)
{
	struct io_uring_sq *sq = &u->ring.sq;
	return &sq->sqes[sq->sqe_tail++ & sq->ring_mask];
}

static inline struct io_uring_sqe *get_sqe(struct uring_loop *u)
{
	return is_full(u) ? make_room(u) : next_sqe(u);
}

static int uring_wait(struct bsr_loop *loop, uint64_t timeout_ns)
{
	struct uring_loop *u = uring_of(loop);
	int result;
	if (timeout_ns == 0) {
		result = io_uring_submit_and_get_events(&u->ring);
	} else if (timeout_ns == LOOP_NO_TIMEOUT) {
		result = io_uring_submit_and_wait(&u->ring, 1);
	} else {
		struct __kernel_timespec ts = {.tv_nsec = (long long)timeout_ns};
		if (timeout_ns >= 1000000000u) {
			ts.tv_sec = (int64_t)(timeout_ns / 1000000000u);
			ts.tv_nsec = (long long)(timeout_ns % 1000000000u);
		}
		struct io_uring_cqe *cqe;
		result = io_uring_submit_and_wait_timeout(&u->ring, &cqe, 1, &ts, NULL);
	}
	if (result >= 0 || result == -EINTR || result == -ETIME || result == -EAGAIN || result == -EBUSY) {
		/*
		 * the last two: short of memory or of room for completions; reaping helps, then
		 * again
		 */
		return 0;
	}
	return result;
}

/* -------------------------------------------------------------- operations */

static inline bool is_registered(const struct uring_loop *u, const uint8_t *mem, uint64_t bytes)
{
	const uint64_t at = (uintptr_t)mem - (uintptr_t)u->memory; /* huge when below */
	return at < u->memory_bytes && bytes <= u->memory_bytes - at;
}

/* Reads and writes: BSR_LOOP_IO_BYTES_MAX keeps their length within 32 bits. */
static inline void prepare_transfer(const struct uring_loop *u, struct io_uring_sqe *sqe, const struct bsr_io *io,
	const struct loop_step *step)
{
	const struct loop_file *file = &u->base.file[io->slot];
	const bool registered = is_registered(u, step->mem, step->bytes); /* as buffer 0 */
	const bool reads = step->what == STEP_READ;
	*sqe = (struct io_uring_sqe){
		.opcode = registered ? (reads ? IORING_OP_READ_FIXED : IORING_OP_WRITE_FIXED)
				     : (reads ? IORING_OP_READ : IORING_OP_WRITE),
		.flags = file->ring_flags,
		.fd = file->ring_fd,
		.off = step->offset,
		.addr = (uintptr_t)step->mem,
		.len = (uint32_t)step->bytes,
		.rw_flags = step->dsync ? RWF_DSYNC : 0,
		.user_data = (uint64_t)(uintptr_t)io | TAG_IO,
	};
}

static __attribute__((noinline)) void start_other(struct uring_loop *u, struct bsr_io *io)
{
	const struct loop_file *file = &u->base.file[io->slot];
	struct loop_step step;
	bsr_loop_io_step(&u->base, io, &step);
	struct io_uring_sqe *sqe = get_sqe(u);
	switch (step.what) {
	case STEP_READ:
	case STEP_WRITE:
		prepare_transfer(u, sqe, io, &step);
		return;
	case STEP_FDATASYNC:
		io_uring_prep_fsync(sqe, file->ring_fd, IORING_FSYNC_DATASYNC);
		break;
	case STEP_FALLOCATE:
		io_uring_prep_rw(IORING_OP_FALLOCATE, sqe, file->ring_fd, NULL, (unsigned)step.mode, step.offset);
		/* 64 bits, which the older io_uring_prep_fallocate() cannot say */
		sqe->addr = step.bytes;
		break;
	}
	sqe->flags |= file->ring_flags;
	sqe->user_data = (uint64_t)(uintptr_t)io | TAG_IO;
}

/* prepare_transfer() of a whole operation, field by field: nearly all are one. */
static void uring_start(struct bsr_loop *loop, struct bsr_io *io)
{
	struct uring_loop *u = uring_of(loop);
	if (io->whole < 0 || is_full(u)) {
		start_other(u, io);
		return;
	}
	struct io_uring_sqe *sqe = next_sqe(u);
	const struct loop_file *file = &u->base.file[io->slot];
	memset(sqe, 0, sizeof(*sqe));
	sqe->opcode = (uint8_t)(io->opcode + (is_registered(u, io->mem, io->length) ? IORING_OP_READ_FIXED : IORING_OP_READ));
	sqe->flags = file->ring_flags;
	sqe->fd = file->ring_fd;
	sqe->off = io->offset;
	sqe->addr = (uintptr_t)io->mem;
	sqe->len = (uint32_t)io->length;
	if ((io->flags & BSR_IO_DSYNC) != 0) {
		sqe->rw_flags = RWF_DSYNC;
	}
	sqe->user_data = (uint64_t)(uintptr_t)io | TAG_IO;
}
BSR_STATIC_ASSERT(LOOP_WRITE == LOOP_READ + 1 && LOOP_READ == 0, "added to the kernel's number for a read");
BSR_STATIC_ASSERT(IORING_OP_WRITE == IORING_OP_READ + 1 && IORING_OP_WRITE_FIXED == IORING_OP_READ_FIXED + 1,
	"a write is the next one");

/* ------------------------------------------------------------------- files */

static void update_table(struct uring_loop *u, uint32_t slot, int *fd, uint32_t tag)
{
	struct io_uring_sqe *sqe = get_sqe(u);
	io_uring_prep_files_update(sqe, fd, 1, (int)slot);
	sqe->user_data = (uint64_t)slot << 3 | tag | TAG_FILE;
}

static void uring_file_added(struct bsr_loop *loop, uint32_t slot)
{
	update_table(uring_of(loop), slot, &loop->file[slot].fd, 0);
}

static void uring_file_removed(struct bsr_loop *loop, uint32_t slot)
{
	static int none = -1;
	struct uring_loop *u = uring_of(loop);
	loop->file[slot].closing = true;
	update_table(u, slot, &none, FILE_REMOVED);
	/* now, so that the caller's close() is the last one; otherwise with the turn */
	(void)io_uring_submit(&u->ring);
}

static void file_updated(struct bsr_loop *loop, uint64_t data, int result)
{
	struct loop_file *file = &loop->file[data >> 3];
	if ((data & FILE_REMOVED) != 0) {
		/* an entry that the kernel still holds is not used again */
		file->closing = result < 0;
		return;
	}
	if (result == 1 && file->used && !file->closing) {
		file->ring_fd = (int)(data >> 3);
		file->ring_flags = IOSQE_FIXED_FILE;
	}
}

static void uring_add_memory(struct bsr_loop *loop, void *mem, size_t bytes)
{
	struct uring_loop *u = uring_of(loop);
	const struct iovec region = {.iov_base = mem, .iov_len = bytes};
	if (u->memory == NULL && io_uring_register_buffers(&u->ring, &region, 1) == 0) {
		u->memory = mem;
		u->memory_bytes = bytes;
	}
}

/* ----------------------------------------------------------------- watches */

static uint64_t watch_data(const struct bsr_loop *loop, const struct bsr_watch *watch)
{
	return (uint64_t)loop->watches[watch->index].generation << 32 | (uint64_t)watch->index << 2 | TAG_WATCH;
}

static int uring_arm(struct bsr_loop *loop, struct bsr_watch *watch)
{
	struct io_uring_sqe *sqe = get_sqe(uring_of(loop));
	if (watch->edge) {
		io_uring_prep_poll_multishot(sqe, watch->fd, watch->events);
	} else {
		io_uring_prep_poll_add(sqe, watch->fd, watch->events);
	}
	sqe->user_data = watch_data(loop, watch);
	return 0;
}

static void uring_disarm(struct bsr_loop *loop, struct bsr_watch *watch)
{
	struct io_uring_sqe *sqe = get_sqe(uring_of(loop));
	io_uring_prep_poll_remove(sqe, watch_data(loop, watch));
	sqe->user_data = TAG_IGNORE;
}

static void watch_reported(struct bsr_loop *loop, uint64_t data, int result, bool more)
{
	uint32_t events = result >= 0 ? (uint32_t)result : POLLERR | POLLNVAL;
	if (result == -ECANCELED) {
		events = 0; /* somebody else's doing (a dying task's cancellation): just renew */
	}
	bsr_loop_watch_ready(loop, (uint32_t)data >> 2, (uint32_t)(data >> 32), events, more);
}

static void other_report(struct bsr_loop *loop, uint64_t data, int32_t result, uint32_t flags)
{
	if ((data & TAG_MASK) == TAG_WATCH) {
		watch_reported(loop, data, result, (flags & IORING_CQE_F_MORE) != 0);
	} else if ((data & TAG_MASK) == TAG_FILE) {
		file_updated(loop, data, result);
	}
}

static void uring_reap(struct bsr_loop *loop)
{
	struct io_uring_cq *cq = &uring_of(loop)->ring.cq;
	uint32_t head = *cq->khead;
	/* what comes meanwhile is for the next turn */
	const uint32_t end = __atomic_load_n(cq->ktail, __ATOMIC_ACQUIRE);
	while (head != end) {
		const uint32_t batch = end - head < REAP_BATCH ? end - head : REAP_BATCH;
		for (const uint32_t next = head + batch; head != next; head++) {
			const struct io_uring_cqe *cqe = &cq->cqes[head & cq->ring_mask];
			const uint64_t data = cqe->user_data;
			if ((data & TAG_MASK) == TAG_IO) {
				bsr_loop_io_result(loop, (struct bsr_io *)(uintptr_t)data, cqe->res);
			} else {
				other_report(loop, data, cqe->res, cqe->flags);
			}
		}
		__atomic_store_n(cq->khead, head, __ATOMIC_RELEASE); /* the kernel may use these places again */
	}
}

const struct loop_ops bsr_loop_uring_ops = {
	.word = "io_uring",
	.bytes = sizeof(struct uring_loop),
	.create = uring_create,
	.destroy = uring_destroy,
	.wait = uring_wait,
	.reap = uring_reap,
	.start = uring_start,
	.file_added = uring_file_added,
	.file_removed = uring_file_removed,
	.add_memory = uring_add_memory,
	.arm = uring_arm,
	.disarm = uring_disarm,
};
