// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * loop_threads.c - the event loop on epoll, with a few threads that do file I/O by ordinary system
 * calls
 *
 * Owns:       the threads and the two queues between them and the loop's thread.
 * Invariants:
 *   THREADS-1  A worker touches an operation only between taking it from the queue and putting it
 *   on the done list, and
 *              knows nothing but its step: everything that decides runs in the loop's thread.
 *
 * The lifeline simply stays open here: descriptors of a killed process are closed when its last
 * thread is gone, and a thread inside pwrite() is not gone.
 */
#include "loop_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/uio.h>
#include <unistd.h>

#define WORKERS 8u
#define EPOLL_BATCH 64
#define WAKE_KEY UINT64_MAX

struct io_list {
	struct bsr_io *first, *last;
};

struct threads_loop {
	struct bsr_loop base;
	int epoll_fd;
	int wake_fd; /* eventfd: there is something on the done list */
	int lifeline_fd;
	struct io_list started; /* this turn's, not yet handed over */
	uint32_t started_count;
	int event_count;
	struct epoll_event event[EPOLL_BATCH];
	uint32_t worker_count;
	pthread_t worker[WORKERS];
	pthread_mutex_t lock; /* of the rest */
	pthread_cond_t work;
	struct io_list queue;
	struct io_list done;
	uint32_t idle;
	bool quit;
};

static struct threads_loop *threads_of(struct bsr_loop *loop)
{
	return (struct threads_loop *)loop;
}

static void list_append(struct io_list *list, struct bsr_io *io)
{
	io->next = NULL;
	if (list->first == NULL) {
		list->first = io;
	} else {
		list->last->next = io;
	}
	list->last = io;
}

/* ----------------------------------------------------------------- workers */

static int64_t do_step(const struct bsr_loop *loop, const struct bsr_io *io)
{
	const int fd = loop->file[io->slot].fd;
	struct loop_step step;
	ssize_t result = -1;
	bsr_loop_io_step(loop, io, &step);
	switch (step.what) {
	case STEP_READ:
		result = pread(fd, step.mem, step.bytes, (off_t)step.offset);
		break;
	case STEP_WRITE:
		if (step.dsync) {
			const struct iovec iov = {.iov_base = step.mem, .iov_len = step.bytes};
			result = pwritev2(fd, &iov, 1, (off_t)step.offset, RWF_DSYNC);
		} else {
			result = pwrite(fd, step.mem, step.bytes, (off_t)step.offset);
		}
		break;
	case STEP_FDATASYNC:
		result = fdatasync(fd);
		break;
	case STEP_FALLOCATE:
		result = fallocate(fd, step.mode, (off_t)step.offset, (off_t)step.bytes);
		break;
	}
	return result < 0 ? -errno : result;
}

static void wake_loop(const struct threads_loop *t)
{
	const uint64_t one = 1;
	ssize_t written;
	do {
		written = write(t->wake_fd, &one, sizeof(one));
	} while (written < 0 && errno == EINTR);
	/* an eventfd that is drained each turn is never full */
	BSR_ASSERT(written == (ssize_t)sizeof(one));
}

static void *worker_main(void *arg)
{
	struct threads_loop *t = arg;
	(void)pthread_mutex_lock(&t->lock);
	for (;;) {
		while (t->queue.first == NULL && !t->quit) {
			t->idle++;
			(void)pthread_cond_wait(&t->work, &t->lock);
			t->idle--;
		}
		if (t->quit) {
			break;
		}
		struct bsr_io *io = t->queue.first;
		t->queue.first = io->next;
		(void)pthread_mutex_unlock(&t->lock);
		io->result = do_step(&t->base, io);
		(void)pthread_mutex_lock(&t->lock);
		const bool first = t->done.first == NULL;
		list_append(&t->done, io);
		if (first) {
			wake_loop(t);
		}
	}
	(void)pthread_mutex_unlock(&t->lock);
	return NULL;
}

/* Signals are for the loop's thread: workers are born with all of them blocked. */
static int create_workers(struct threads_loop *t)
{
	sigset_t all, before;
	(void)sigfillset(&all);
	(void)pthread_sigmask(SIG_SETMASK, &all, &before);
	int error = 0;
	while (t->worker_count < WORKERS && error == 0) {
		error = -pthread_create(&t->worker[t->worker_count], NULL, worker_main, t);
		if (error == 0) {
			t->worker_count++;
		}
	}
	(void)pthread_sigmask(SIG_SETMASK, &before, NULL);
	return error;
}

static void end_workers(struct threads_loop *t)
{
	(void)pthread_mutex_lock(&t->lock);
	BSR_ASSERT(t->queue.first == NULL);
	t->quit = true;
	(void)pthread_cond_broadcast(&t->work);
	(void)pthread_mutex_unlock(&t->lock);
	for (uint32_t i = 0; i < t->worker_count; i++) {
		(void)pthread_join(t->worker[i], NULL);
	}
	(void)pthread_cond_destroy(&t->work);
	(void)pthread_mutex_destroy(&t->lock);
}

/* ------------------------------------------------------------------ create */

static void close_descriptors(const struct threads_loop *t)
{
	if (t->wake_fd >= 0) {
		(void)close(t->wake_fd);
	}
	if (t->epoll_fd >= 0) {
		(void)close(t->epoll_fd);
	}
}

static int threads_create(struct bsr_loop *loop, const struct bsr_loop_options *options)
{
	struct threads_loop *t = threads_of(loop);
	t->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	t->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	struct epoll_event wake = {.events = EPOLLIN, .data.u64 = WAKE_KEY};
	if (t->epoll_fd < 0 || t->wake_fd < 0 || epoll_ctl(t->epoll_fd, EPOLL_CTL_ADD, t->wake_fd, &wake) != 0) {
		const int error = -errno;
		close_descriptors(t);
		return error;
	}
	(void)pthread_mutex_init(&t->lock, NULL); /* default attributes: cannot fail */
	(void)pthread_cond_init(&t->work, NULL);
	const int error = create_workers(t);
	if (error != 0) {
		end_workers(t);
		close_descriptors(t);
		return error;
	}
	t->lifeline_fd = options->lifeline_fd; /* stays open until the process ends */
	return 0;
}

static void threads_destroy(struct bsr_loop *loop)
{
	struct threads_loop *t = threads_of(loop);
	end_workers(t);
	close_descriptors(t);
	if (t->lifeline_fd >= 0) {
		(void)close(t->lifeline_fd);
	}
}

/* ------------------------------------------------------------------- turns */

static void threads_start(struct bsr_loop *loop, struct bsr_io *io)
{
	struct threads_loop *t = threads_of(loop);
	list_append(&t->started, io);
	t->started_count++;
}

static void hand_over(struct threads_loop *t)
{
	if (t->started.first == NULL) {
		return;
	}
	(void)pthread_mutex_lock(&t->lock);
	if (t->queue.first == NULL) {
		t->queue = t->started;
	} else {
		t->queue.last->next = t->started.first;
		t->queue.last = t->started.last;
	}
	for (uint32_t i = 0; i < t->started_count && i < t->idle; i++) {
		(void)pthread_cond_signal(&t->work);
	}
	(void)pthread_mutex_unlock(&t->lock);
	t->started = (struct io_list){0};
	t->started_count = 0;
}

/* epoll counts milliseconds: rounded up, a timer is never early. */
static int to_milliseconds(uint64_t timeout_ns)
{
	if (timeout_ns == LOOP_NO_TIMEOUT) {
		return -1;
	}
	const uint64_t ms = timeout_ns / 1000000u + (timeout_ns % 1000000u != 0);
	return ms < 3600000u ? (int)ms : 3600000;
}

static int threads_wait(struct bsr_loop *loop, uint64_t timeout_ns)
{
	struct threads_loop *t = threads_of(loop);
	hand_over(t);
	t->event_count = epoll_wait(t->epoll_fd, t->event, EPOLL_BATCH, to_milliseconds(timeout_ns));
	if (t->event_count < 0) {
		t->event_count = 0;
		return errno == EINTR ? 0 : -errno;
	}
	return 0;
}

static void reap_done(struct threads_loop *t)
{
	uint64_t count;
	if (read(t->wake_fd, &count, sizeof(count)) < 0) {
		/* then the next turn finds it readable again */
		BSR_ASSERT(errno == EAGAIN || errno == EINTR);
	}
	(void)pthread_mutex_lock(&t->lock);
	struct bsr_io *io = t->done.first;
	t->done = (struct io_list){0};
	(void)pthread_mutex_unlock(&t->lock);
	while (io != NULL) {
		struct bsr_io *next = io->next;
		bsr_loop_io_result(&t->base, io, io->result);
		io = next;
	}
}

static void threads_reap(struct bsr_loop *loop)
{
	struct threads_loop *t = threads_of(loop);
	const int count = t->event_count;
	t->event_count = 0;
	for (int i = 0; i < count; i++) {
		const uint64_t key = t->event[i].data.u64;
		if (key == WAKE_KEY) {
			reap_done(t);
		} else {
			bsr_loop_watch_ready(loop, (uint32_t)key, (uint32_t)(key >> 32), t->event[i].events, true);
		}
	}
}

/* ----------------------------------------------------------- files, watches */

static void threads_file(struct bsr_loop *loop, uint32_t slot)
{
	(void)loop; /* nothing is registered anywhere */
	(void)slot;
}

static void threads_add_memory(struct bsr_loop *loop, void *mem, size_t bytes)
{
	(void)loop;
	(void)mem;
	(void)bytes;
}

/* The bits of poll and epoll that are in use have the same values. */
BSR_STATIC_ASSERT(POLLIN == EPOLLIN && POLLOUT == EPOLLOUT && POLLERR == EPOLLERR && POLLHUP == EPOLLHUP,
	"events are passed on as they are");

static int threads_arm(struct bsr_loop *loop, struct bsr_watch *watch)
{
	struct threads_loop *t = threads_of(loop);
	struct epoll_event event = {
		.events = watch->events | (watch->edge ? (uint32_t)EPOLLET : 0u),
		.data.u64 = (uint64_t)loop->watches[watch->index].generation << 32 | watch->index,
	};
	return epoll_ctl(t->epoll_fd, EPOLL_CTL_ADD, watch->fd, &event) == 0 ? 0 : -errno;
}

static void threads_disarm(struct bsr_loop *loop, struct bsr_watch *watch)
{
	/*
	 * A descriptor that was closed before has left the set by itself: then the kernel answers
	 * EBADF or ENOENT.
	 */
	(void)epoll_ctl(threads_of(loop)->epoll_fd, EPOLL_CTL_DEL, watch->fd, NULL);
}

const struct loop_ops bsr_loop_threads_ops = {
	.word = "threads",
	.bytes = sizeof(struct threads_loop),
	.create = threads_create,
	.destroy = threads_destroy,
	.wait = threads_wait,
	.reap = threads_reap,
	.start = threads_start,
	.file_added = threads_file,
	.file_removed = threads_file,
	.add_memory = threads_add_memory,
	.arm = threads_arm,
	.disarm = threads_disarm,
};
