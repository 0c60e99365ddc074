// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * loop_test.c - the event loop on real files, devices and sockets; run once per backend ("uring", "threads")
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "loop.h"

#define MS 1000000ull

static enum bsr_loop_backend backend;
static char dir[64];

static struct bsr_loop *make_loop(uint32_t depth)
{
	struct bsr_loop *loop = NULL;
	const struct bsr_loop_options options = {.backend = backend, .depth = depth, .lifeline_fd = -1};
	assert_int_equal(bsr_loop_create(&loop, &options), 0);
	assert_string_equal(bsr_loop_backend_word(loop), backend == BSR_LOOP_URING ? "io_uring" : "threads");
	return loop;
}

static int make_file(const char *name, off_t bytes, int flags)
{
	char path[128];
	(void)snprintf(path, sizeof(path), "%s/%s", dir, name);
	const int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | flags, 0600);
	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, bytes), 0);
	assert_int_equal(unlink(path), 0);
	return fd;
}

static uint8_t *make_memory(size_t bytes)
{
	void *mem = NULL;
	assert_int_equal(posix_memalign(&mem, 4096, bytes), 0);
	memset(mem, 0, bytes);
	return mem;
}

struct op {
	struct bsr_io io; /* first: the callback gets its address */
	int64_t result;
	bool done;
};

static void op_done(struct bsr_io *io, int64_t result)
{
	struct op *op = (struct op *)(void *)io;
	assert_false(op->done);
	op->done = true;
	op->result = result;
}

static struct op new_op(void)
{
	return (struct op){.io = {.done = op_done}};
}

static int64_t finish_op(struct bsr_loop *loop, const struct op *op)
{
	while (!op->done) {
		assert_int_equal(bsr_loop_turn(loop, true), 0);
	}
	return op->result;
}

static int64_t do_write(struct bsr_loop *loop, int slot, const void *mem, uint32_t bytes, uint64_t offset, uint8_t flags)
{
	struct op op = new_op();
	bsr_loop_write(loop, &op.io, slot, mem, bytes, offset, flags);
	assert_false(op.done);
	return finish_op(loop, &op);
}

static int64_t do_read(struct bsr_loop *loop, int slot, void *mem, uint32_t bytes, uint64_t offset)
{
	struct op op = new_op();
	bsr_loop_read(loop, &op.io, slot, mem, bytes, offset);
	assert_false(op.done);
	return finish_op(loop, &op);
}

static int64_t do_zero(struct bsr_loop *loop, int slot, uint64_t offset, uint64_t bytes, bool may_unmap)
{
	struct op op = new_op();
	bsr_loop_zero(loop, &op.io, slot, offset, bytes, may_unmap);
	return finish_op(loop, &op);
}

static void turns(struct bsr_loop *loop, int count)
{
	for (int i = 0; i < count; i++) {
		assert_int_equal(bsr_loop_turn(loop, false), 0);
	}
}

/* ------------------------------------------------------------- file I/O */

static void many_more_operations_than_depth_all_arrive(void **state)
{
	(void)state;
	enum { COUNT = 300 };
	static struct op op[COUNT];
	struct bsr_loop *loop = make_loop(8);
	const int fd = make_file("many", COUNT * 4096, O_DIRECT);
	const int slot = bsr_loop_add_file(loop, fd);
	uint8_t *out = make_memory(COUNT * 4096);
	uint8_t *in = make_memory(COUNT * 4096);
	bsr_loop_add_memory(loop, out, COUNT * 4096); /* writes from registered memory, reads into other */
	for (int i = 0; i < COUNT; i++) {
		memset(out + i * 4096, i % 255 + 1, 4096);
		op[i] = new_op();
		bsr_loop_write(loop, &op[i].io, slot, out + i * 4096, 4096, (uint64_t)i * 4096,
			i % 7 == 0 ? BSR_IO_DSYNC : 0);
	}
	assert_int_equal(bsr_loop_in_flight(loop), COUNT);
	for (int i = 0; i < COUNT; i++) {
		assert_int_equal(finish_op(loop, &op[i]), 4096);
	}
	assert_int_equal(bsr_loop_in_flight(loop), 0);
	assert_int_equal(do_read(loop, slot, in, COUNT * 4096, 0), COUNT * 4096);
	assert_memory_equal(in, out, COUNT * 4096);
	struct op flush = new_op();
	bsr_loop_flush(loop, &flush.io, slot);
	assert_int_equal(finish_op(loop, &flush), 0);
	bsr_loop_remove_file(loop, slot);
	bsr_loop_destroy(loop);
	close(fd);
	free(in);
	free(out);
}

static void reading_behind_the_end_is_an_error(void **state)
{
	(void)state;
	struct bsr_loop *loop = make_loop(4);
	const int fd = make_file("short", 8192, 0);
	const int slot = bsr_loop_add_file(loop, fd);
	uint8_t *mem = make_memory(16384);
	assert_int_equal(do_read(loop, slot, mem, 8192, 0), 8192);
	assert_int_equal(do_read(loop, slot, mem, 16384, 0), -EIO);
	assert_int_equal(do_read(loop, slot, mem, 4096, 8192), -EIO);
	bsr_loop_destroy(loop);
	close(fd);
	free(mem);
}

static void errors_of_the_file_arrive(void **state)
{
	(void)state;
	struct bsr_loop *loop = make_loop(4);
	uint8_t *mem = make_memory(4096);
	const int broken = open("/proc/self/mem", O_RDONLY | O_CLOEXEC); /* nothing is mapped at 0: EIO */
	const int read_only = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	const int full = open("/dev/full", O_RDWR | O_CLOEXEC);
	assert_true(broken >= 0 && read_only >= 0 && full >= 0);
	assert_int_equal(do_read(loop, bsr_loop_add_file(loop, broken), mem, 4096, 0), -EIO);
	const int slot = bsr_loop_add_file(loop, read_only);
	assert_int_equal(do_write(loop, slot, mem, 4096, 0, 0), -EBADF);
	assert_int_equal(do_zero(loop, slot, 0, 4096, true), -EBADF);
	assert_int_equal(do_write(loop, bsr_loop_add_file(loop, full), mem, 4096, 0, 0), -ENOSPC);
	assert_int_equal(bsr_loop_add_file(loop, -1), -EBADF);
	bsr_loop_destroy(loop);
	close(broken);
	close(read_only);
	close(full);
	free(mem);
}

static int open_small_tmpfs(const char *size)
{
	char path[128];
	(void)snprintf(path, sizeof(path), "%s/tmpfs", dir);
	if ((mkdir(path, 0700) != 0 && errno != EEXIST) || mount("none", path, "tmpfs", 0, size) != 0) {
		return -1;
	}
	(void)snprintf(path, sizeof(path), "%s/tmpfs/file", dir);
	const int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	(void)snprintf(path, sizeof(path), "%s/tmpfs", dir);
	(void)umount2(path, MNT_DETACH); /* lives as long as the descriptor */
	return fd;
}

static void full_disk_is_reported_after_a_short_write_went_on(void **state)
{
	(void)state;
	const int fd = open_small_tmpfs("size=1m");
	if (fd < 0) {
		skip(); /* needs the right to mount */
	}
	struct bsr_loop *loop = make_loop(4);
	const int slot = bsr_loop_add_file(loop, fd);
	uint8_t *mem = make_memory(4u << 20);
	assert_int_equal(do_write(loop, slot, mem, 4u << 20, 0, 0), -ENOSPC);
	struct stat st;
	assert_int_equal(fstat(fd, &st), 0);
	assert_in_range(st.st_size, 512 << 10, 1 << 20); /* the first step was short, the second one failed */
	bsr_loop_destroy(loop);
	close(fd);
	free(mem);
}

static bool all_zero(const uint8_t *mem, size_t bytes)
{
	return mem[0] == 0 && memcmp(mem, mem + 1, bytes - 1) == 0;
}

/* Writes 0xaa over @bytes, zeroes the middle, checks both edges and the middle. Returns allocated bytes at the end. */
static int64_t check_zero(int fd, uint32_t bytes, bool may_unmap)
{
	struct bsr_loop *loop = make_loop(4);
	const int slot = bsr_loop_add_file(loop, fd);
	uint8_t *mem = make_memory(bytes);
	memset(mem, 0xaa, bytes);
	for (int round = 0; round < 2; round++) { /* the second one uses what the first one learned */
		assert_int_equal(do_write(loop, slot, mem, bytes, 0, 0), bytes);
		assert_int_equal(do_zero(loop, slot, 8192, bytes - 16384, may_unmap), 0);
	}
	uint8_t *in = make_memory(bytes);
	assert_int_equal(do_read(loop, slot, in, bytes, 0), bytes);
	assert_memory_equal(in, mem, 8192);
	assert_true(all_zero(in + 8192, bytes - 16384));
	assert_memory_equal(in + bytes - 8192, mem, 8192);
	struct stat st;
	assert_int_equal(fstat(fd, &st), 0);
	bsr_loop_destroy(loop);
	free(mem);
	free(in);
	return (int64_t)st.st_blocks * 512;
}

static void zeroed_ranges_of_files_read_back_as_zeroes(void **state)
{
	(void)state;
	const int fd = make_file("zero", 2 << 20, O_DIRECT);
	assert_true(check_zero(fd, 2 << 20, false) >= 2 << 20); /* stays allocated */
	assert_true(check_zero(fd, 2 << 20, true) < 1 << 20);	/* given back */
	close(fd);
	const int tmpfs = open_small_tmpfs("size=8m"); /* knows no ZERO_RANGE: zeroes are written */
	if (tmpfs >= 0) {
		assert_true(check_zero(tmpfs, 2 << 20, true) < 1 << 20);
		assert_int_equal(check_zero(tmpfs, 2 << 20, false), 2 << 20);
		close(tmpfs);
	}
}

static int make_loop_device(char *name, size_t room, const char *options)
{
	char command[256];
	(void)snprintf(command, sizeof(command), "truncate -s 4M %s/disk && losetup %s -f --show %s/disk", dir, options, dir);
	FILE *pipe = popen(command, "r");
	assert_non_null(pipe);
	const bool read = fgets(name, (int)room, pipe) != NULL;
	if (pclose(pipe) != 0 || !read) {
		return -1;
	}
	name[strcspn(name, "\n")] = '\0';
	return open(name, O_RDWR | O_DIRECT | O_EXCL | O_CLOEXEC);
}

static void zeroed_ranges_of_block_devices_read_back_as_zeroes(void **state)
{
	(void)state;
	static const char *const options[] = {"", "-b 4096"};
	for (size_t i = 0; i < sizeof(options) / sizeof(options[0]); i++) {
		char name[64];
		char command[128];
		const int fd = make_loop_device(name, sizeof(name), options[i]);
		if (fd < 0) {
			skip(); /* no loop devices here */
		}
		(void)snprintf(command, sizeof(command), "losetup -d %s", name);
		(void)check_zero(fd, 2 << 20, true);
		(void)check_zero(fd, 2 << 20, false);
		close(fd);
		assert_int_equal(system(command), 0);
	}
}

static void removed_file_is_let_go(void **state)
{
	(void)state;
	char path[128];
	(void)snprintf(path, sizeof(path), "%s/locked", dir);
	struct bsr_loop *loop = make_loop(4);
	uint8_t *mem = make_memory(4096);
	for (int i = 0; i < 600; i++) { /* more often than there are slots */
		const int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
		assert_true(fd >= 0);
		bool locked = flock(fd, LOCK_EX | LOCK_NB) == 0; /* fails while the last one is still open */
		for (int ms = 0; ms < 500 && !locked; ms++) {
			(void)usleep(1000);
			turns(loop, 1);
			locked = flock(fd, LOCK_EX | LOCK_NB) == 0;
		}
		assert_true(locked);
		const int slot = bsr_loop_add_file(loop, fd);
		assert_true(slot >= 0);
		if (i % 3 != 0) {
			assert_int_equal(do_write(loop, slot, mem, 4096, 0, 0), 4096);
		}
		bsr_loop_remove_file(loop, slot);
		close(fd);
		assert_int_equal(bsr_loop_turn(loop, false), 0);
	}
	bsr_loop_destroy(loop);
	(void)unlink(path);
	free(mem);
}

static void table_of_files_is_bounded(void **state)
{
	(void)state;
	struct bsr_loop *loop = make_loop(4);
	const int fd = make_file("bound", 4096, 0);
	for (uint32_t i = 0; i < BSR_LOOP_FILES_MAX; i++) {
		assert_int_equal(bsr_loop_add_file(loop, fd), (int)i);
		assert_int_equal(bsr_loop_turn(loop, false), 0);
	}
	assert_int_equal(bsr_loop_add_file(loop, fd), -ENOSPC);
	bsr_loop_destroy(loop);
	close(fd);
}

static void destroy_waits_for_what_is_in_flight(void **state)
{
	(void)state;
	static struct op op[64];
	struct bsr_loop *loop = make_loop(16);
	const int fd = make_file("flight", 64 * 4096, O_DIRECT);
	const int slot = bsr_loop_add_file(loop, fd);
	uint8_t *mem = make_memory(4096);
	memset(mem, 7, 4096);
	for (uint32_t i = 0; i < 64; i++) {
		op[i] = new_op();
		bsr_loop_write(loop, &op[i].io, slot, mem, 4096, i * 4096ul, 0);
	}
	bsr_loop_destroy(loop);
	for (uint32_t i = 0; i < 64; i++) {
		assert_false(op[i].done);
		uint8_t *in = make_memory(4096);
		assert_int_equal(pread(fd, in, 4096, (off_t)i * 4096), 4096);
		assert_int_equal(in[4095], 7);
		free(in);
	}
	close(fd);
	free(mem);
}

/* --------------------------------------------------------------- watches */

struct watched {
	struct bsr_watch watch; /* first */
	struct bsr_loop *loop;
	struct watched *other; /* to be unwatched by the callback */
	uint32_t calls;
	uint32_t events;
	bool drain;
};

static void watched_ready(struct bsr_watch *watch, uint32_t events)
{
	struct watched *w = (struct watched *)(void *)watch;
	w->calls++;
	w->events |= events;
	if (w->drain) {
		char text[64];
		while (read(watch->fd, text, sizeof(text)) > 0) {
		}
	}
	if (w->other != NULL) {
		bsr_loop_unwatch(w->loop, &w->other->watch);
		close(w->other->watch.fd);
	}
}

static void make_pair(int *pair)
{
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair), 0);
}

static struct watched new_watched(struct bsr_loop *loop, int fd, uint32_t events)
{
	return (struct watched){.watch = {.fd = fd, .events = events, .ready = watched_ready}, .loop = loop, .drain = true};
}

static void level_watch_reports_until_drained(void **state)
{
	(void)state;
	int pair[2];
	make_pair(pair);
	struct bsr_loop *loop = make_loop(4);
	struct watched w = new_watched(loop, pair[0], POLLIN);
	w.drain = false;
	assert_int_equal(bsr_loop_watch(loop, &w.watch), 0);
	turns(loop, 3);
	assert_int_equal(w.calls, 0);
	assert_int_equal(write(pair[1], "x", 1), 1);
	turns(loop, 4);
	assert_in_range(w.calls, 3, 4);
	assert_int_equal(w.events, POLLIN);
	w.drain = true;
	turns(loop, 2);
	w.calls = 0;
	turns(loop, 3);
	assert_int_equal(w.calls, 0);
	assert_int_equal(write(pair[1], "x", 1), 1);
	turns(loop, 3);
	assert_int_equal(w.calls, 1);
	bsr_loop_unwatch(loop, &w.watch);
	bsr_loop_destroy(loop);
	close(pair[0]);
	close(pair[1]);
}

static void edge_watch_reports_once_for_each_arrival(void **state)
{
	(void)state;
	int pair[2];
	make_pair(pair);
	struct bsr_loop *loop = make_loop(4);
	struct watched w = new_watched(loop, pair[0], POLLIN);
	w.drain = false;
	w.watch.edge = true;
	assert_int_equal(bsr_loop_watch(loop, &w.watch), 0);
	assert_int_equal(write(pair[1], "x", 1), 1);
	turns(loop, 5);
	assert_int_equal(w.calls, 1);
	assert_int_equal(write(pair[1], "x", 1), 1);
	turns(loop, 5);
	assert_int_equal(w.calls, 2);
	bsr_loop_unwatch(loop, &w.watch);
	bsr_loop_destroy(loop);
	close(pair[0]);
	close(pair[1]);
}

static void changed_watch_reports_the_new_events_only(void **state)
{
	(void)state;
	int pair[2];
	make_pair(pair);
	struct bsr_loop *loop = make_loop(4);
	struct watched w = new_watched(loop, pair[0], POLLIN);
	w.drain = false;
	assert_int_equal(bsr_loop_watch(loop, &w.watch), 0);
	assert_int_equal(write(pair[1], "x", 1), 1);
	assert_int_equal(bsr_loop_watch_change(loop, &w.watch, POLLOUT), 0);
	turns(loop, 3);
	assert_in_range(w.calls, 1, 3);
	assert_int_equal(w.events, POLLOUT);
	assert_int_equal(bsr_loop_watch_change(loop, &w.watch, 0), 0);
	close(pair[1]); /* silent also about the hang-up */
	w.calls = 0;
	turns(loop, 3);
	assert_int_equal(w.calls, 0);
	assert_int_equal(bsr_loop_watch_change(loop, &w.watch, POLLIN), 0);
	w.events = 0;
	turns(loop, 3);
	assert_in_range(w.calls, 1, 3);
	assert_true((w.events & (POLLIN | POLLHUP)) != 0);
	bsr_loop_unwatch(loop, &w.watch);
	bsr_loop_destroy(loop);
	close(pair[0]);
}

/* Both are ready in the same turn; whichever comes first removes the other, which must stay silent. */
static void removed_watch_stays_silent_although_its_event_is_queued(void **state)
{
	(void)state;
	int one[2];
	int two[2];
	make_pair(one);
	make_pair(two);
	struct bsr_loop *loop = make_loop(4);
	struct watched a = new_watched(loop, one[0], POLLIN);
	struct watched b = new_watched(loop, two[0], POLLIN);
	a.other = &b;
	b.other = &a;
	assert_int_equal(bsr_loop_watch(loop, &a.watch), 0);
	assert_int_equal(bsr_loop_watch(loop, &b.watch), 0);
	assert_int_equal(write(one[1], "x", 1), 1);
	assert_int_equal(write(two[1], "x", 1), 1);
	while (a.calls + b.calls == 0) {
		assert_int_equal(bsr_loop_turn(loop, true), 0);
	}
	struct watched *left = a.calls > 0 ? &a : &b;
	assert_int_equal(a.calls + b.calls, 1);
	left->other = NULL;
	turns(loop, 3);
	assert_int_equal(a.calls + b.calls, 1);
	/* the removed one was closed with its byte unread: its peer sees that */
	char byte;
	assert_int_equal(read(a.calls > 0 ? two[1] : one[1], &byte, 1), -1);
	assert_int_equal(errno, ECONNRESET);
	bsr_loop_unwatch(loop, &left->watch);
	bsr_loop_unwatch(loop, &left->watch); /* no effect */
	bsr_loop_destroy(loop);
	close(left->watch.fd);
	close(one[1]);
	close(two[1]);
}

static void reused_descriptor_number_is_another_watch(void **state)
{
	(void)state;
	struct bsr_loop *loop = make_loop(4);
	uint32_t calls = 0;
	for (int i = 0; i < 200; i++) {
		int pair[2];
		make_pair(pair);
		struct watched w = new_watched(loop, pair[0], POLLIN);
		assert_int_equal(bsr_loop_watch(loop, &w.watch), 0);
		if (i % 2 == 0) {
			assert_int_equal(write(pair[1], "x", 1), 1);
		}
		if (i % 3 == 0) {
			turns(loop, 2);
			assert_int_equal(w.calls, i % 2 == 0 ? 1 : 0);
		}
		calls += w.calls;
		bsr_loop_unwatch(loop, &w.watch);
		close(pair[0]);
		close(pair[1]);
	}
	assert_int_equal(calls, 34);
	bsr_loop_destroy(loop);
}

static void watches_are_bounded(void **state)
{
	(void)state;
	struct rlimit limit = {.rlim_cur = 2 * BSR_LOOP_WATCHES_MAX, .rlim_max = 2 * BSR_LOOP_WATCHES_MAX};
	if (setrlimit(RLIMIT_NOFILE, &limit) != 0) {
		skip();
	}
	static struct watched w[BSR_LOOP_WATCHES_MAX + 1];
	struct bsr_loop *loop = make_loop(4);
	int pair[2];
	make_pair(pair);
	for (uint32_t i = 0; i <= BSR_LOOP_WATCHES_MAX; i++) {
		w[i] = new_watched(loop, dup(pair[0]), POLLIN);
		assert_int_equal(bsr_loop_watch(loop, &w[i].watch), i < BSR_LOOP_WATCHES_MAX ? 0 : -ENOSPC);
	}
	turns(loop, 2);
	assert_int_equal(write(pair[1], "x", 1), 1);
	for (uint32_t i = 0; i < BSR_LOOP_WATCHES_MAX; i++) {
		w[i].drain = false;
	}
	turns(loop, 200); /* all are reported although only some fit into one turn */
	uint32_t silent = 0;
	for (uint32_t i = 0; i < BSR_LOOP_WATCHES_MAX; i++) {
		silent += w[i].calls == 0;
	}
	assert_int_equal(silent, 0);
	bsr_loop_destroy(loop);
	for (uint32_t i = 0; i <= BSR_LOOP_WATCHES_MAX; i++) {
		close(w[i].watch.fd);
	}
	close(pair[0]);
	close(pair[1]);
}

/* ---------------------------------------------------------------- timers */

static uint64_t now_ns(clockid_t clock)
{
	struct timespec ts;
	assert_int_equal(clock_gettime(clock, &ts), 0);
	return (uint64_t)ts.tv_sec * 1000000000ull + (uint64_t)ts.tv_nsec;
}

struct tick {
	struct bsr_timer timer;
	struct bsr_loop *loop;
	uint64_t at_ns;
	uint32_t calls;
	bool again;
};

static void tick_fn(void *ctx)
{
	struct tick *t = ctx;
	t->calls++;
	t->at_ns = now_ns(CLOCK_MONOTONIC);
	if (t->again) {
		bsr_loop_arm(t->loop, &t->timer, 0); /* long past: the next turn, not this one */
	}
}

static void stop_fn(void *ctx)
{
	bsr_loop_stop(ctx);
}

static struct tick new_tick(struct bsr_loop *loop)
{
	return (struct tick){.timer = {.fn = tick_fn}, .loop = loop};
}

static void timers_run_once_in_time_and_never_early(void **state)
{
	(void)state;
	struct bsr_loop *loop = make_loop(4);
	struct tick tick[4];
	const uint64_t start_ns = now_ns(CLOCK_MONOTONIC);
	static const uint64_t due_ms[4] = {30, 10, 20, 500};
	for (int i = 0; i < 4; i++) {
		tick[i] = new_tick(loop);
		tick[i].timer.ctx = &tick[i];
		bsr_loop_arm(loop, &tick[i].timer, start_ns + due_ms[i] * MS);
	}
	bsr_loop_arm(loop, &tick[3].timer, start_ns + 40 * MS); /* moved forward */
	bsr_loop_set_timer(loop, start_ns + 60 * MS, stop_fn, loop);
	assert_int_equal(bsr_loop_run(loop), 0);
	static const uint64_t late_ms[4] = {30, 10, 20, 40};
	for (int i = 0; i < 4; i++) {
		assert_int_equal(tick[i].calls, 1);
		assert_true(tick[i].at_ns >= start_ns + late_ms[i] * MS);
		assert_true(tick[i].at_ns < start_ns + (late_ms[i] + 40) * MS); /* a loaded machine */
	}
	bsr_loop_destroy(loop);
}

static void disarmed_timer_does_not_run(void **state)
{
	(void)state;
	struct bsr_loop *loop = make_loop(4);
	struct tick a = new_tick(loop);
	struct tick b = new_tick(loop);
	a.timer.ctx = &a;
	b.timer.ctx = &b;
	bsr_loop_arm(loop, &a.timer, bsr_loop_now_ns(loop) + 5 * MS);
	bsr_loop_arm(loop, &b.timer, bsr_loop_now_ns(loop) + 6 * MS);
	bsr_loop_disarm(loop, &a.timer);
	bsr_loop_disarm(loop, &a.timer);
	bsr_loop_arm(loop, &b.timer, UINT64_MAX);
	bsr_loop_set_timer(loop, bsr_loop_now_ns(loop) + 20 * MS, stop_fn, loop);
	assert_int_equal(bsr_loop_run(loop), 0);
	assert_int_equal(a.calls + b.calls, 0);
	bsr_loop_destroy(loop);
}

static void timer_that_is_always_due_does_not_starve_the_rest(void **state)
{
	(void)state;
	struct bsr_loop *loop = make_loop(4);
	struct tick t = new_tick(loop);
	t.timer.ctx = &t;
	t.again = true;
	bsr_loop_arm(loop, &t.timer, 0);
	turns(loop, 1);
	usleep(1000);
	turns(loop, 1);
	assert_in_range(t.calls, 1, 2);
	bsr_loop_destroy(loop);
}

static void count_turn(void *ctx)
{
	++*(uint32_t *)ctx;
}

static void idle_loop_sleeps(void **state)
{
	(void)state;
	int pair[2];
	make_pair(pair);
	struct bsr_loop *loop = make_loop(64);
	struct watched w = new_watched(loop, pair[0], POLLIN);
	uint32_t turn_count = 0;
	assert_int_equal(bsr_loop_watch(loop, &w.watch), 0);
	bsr_loop_on_turn(loop, count_turn, &turn_count);
	const uint64_t cpu_ns = now_ns(CLOCK_PROCESS_CPUTIME_ID);
	bsr_loop_set_timer(loop, bsr_loop_now_ns(loop) + 300 * MS, stop_fn, loop);
	assert_int_equal(bsr_loop_run(loop), 0);
	assert_in_range(turn_count, 1, 4);
	assert_true(now_ns(CLOCK_PROCESS_CPUTIME_ID) - cpu_ns < 10 * MS);
	bsr_loop_destroy(loop);
	close(pair[0]);
	close(pair[1]);
}

static void again_skips_one_wait(void **state)
{
	(void)state;
	struct bsr_loop *loop = make_loop(4);
	const uint64_t start_ns = now_ns(CLOCK_MONOTONIC);
	bsr_loop_again(loop);
	assert_int_equal(bsr_loop_turn(loop, true), 0);
	assert_true(now_ns(CLOCK_MONOTONIC) - start_ns < 1000 * MS);
	bsr_loop_destroy(loop);
}

/* -------------------------------------------------------------- lifeline */

static void lifeline_ends_with_the_loop(void **state)
{
	(void)state;
	int ends[2];
	struct bsr_loop *loop = NULL;
	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	const struct bsr_loop_options options = {.backend = backend, .depth = 16, .lifeline_fd = ends[1]};
	assert_int_equal(bsr_loop_create(&loop, &options), 0);
	struct pollfd poll_end = {.fd = ends[0], .events = POLLIN};
	const int fd = make_file("life", 65536, O_DIRECT);
	const int slot = bsr_loop_add_file(loop, fd);
	uint8_t *mem = make_memory(4096);
	assert_int_equal(do_write(loop, slot, mem, 4096, 0, 0), 4096);
	bsr_loop_remove_file(loop, slot);
	turns(loop, 2);
	assert_int_equal(poll(&poll_end, 1, 20), 0); /* open as long as the loop lives, whatever came and went in it */
	bsr_loop_destroy(loop);
	assert_int_equal(poll(&poll_end, 1, 10000), 1);
	assert_int_equal(poll_end.revents, POLLHUP);
	close(ends[0]);
	close(fd);
	free(mem);
}

static void refused_loop_gives_the_lifeline_back(void **state)
{
	(void)state;
	int ends[2];
	struct bsr_loop *loop = NULL;
	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	const struct bsr_loop_options options = {.backend = backend, .depth = 0, .lifeline_fd = ends[1]};
	assert_int_equal(bsr_loop_create(&loop, &options), -EINVAL);
	struct pollfd poll_end = {.fd = ends[0], .events = POLLIN};
	assert_int_equal(poll(&poll_end, 1, 0), 1);
	close(ends[0]);
	assert_int_equal(setenv("BSR_LOOP_BACKEND", "carrier pigeon", 1), 0);
	const struct bsr_loop_options other = {.backend = backend, .depth = 4, .lifeline_fd = -1};
	assert_int_equal(bsr_loop_create(&loop, &other), -EINVAL);
	assert_int_equal(unsetenv("BSR_LOOP_BACKEND"), 0);
	assert_null(loop);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(many_more_operations_than_depth_all_arrive),
		cmocka_unit_test(reading_behind_the_end_is_an_error),
		cmocka_unit_test(errors_of_the_file_arrive),
		cmocka_unit_test(full_disk_is_reported_after_a_short_write_went_on),
		cmocka_unit_test(zeroed_ranges_of_files_read_back_as_zeroes),
		cmocka_unit_test(zeroed_ranges_of_block_devices_read_back_as_zeroes),
		cmocka_unit_test(removed_file_is_let_go),
		cmocka_unit_test(table_of_files_is_bounded),
		cmocka_unit_test(destroy_waits_for_what_is_in_flight),
		cmocka_unit_test(level_watch_reports_until_drained),
		cmocka_unit_test(edge_watch_reports_once_for_each_arrival),
		cmocka_unit_test(changed_watch_reports_the_new_events_only),
		cmocka_unit_test(removed_watch_stays_silent_although_its_event_is_queued),
		cmocka_unit_test(reused_descriptor_number_is_another_watch),
		cmocka_unit_test(watches_are_bounded),
		cmocka_unit_test(timers_run_once_in_time_and_never_early),
		cmocka_unit_test(disarmed_timer_does_not_run),
		cmocka_unit_test(timer_that_is_always_due_does_not_starve_the_rest),
		cmocka_unit_test(idle_loop_sleeps),
		cmocka_unit_test(again_skips_one_wait),
		cmocka_unit_test(lifeline_ends_with_the_loop),
		cmocka_unit_test(refused_loop_gives_the_lifeline_back),
	};
	const char *word = argc == 2 ? argv[1] : "";
	backend = strcmp(word, "uring") == 0 ? BSR_LOOP_URING : BSR_LOOP_THREADS;
	if (backend == BSR_LOOP_THREADS && strcmp(word, "threads") != 0) {
		(void)fprintf(stderr, "usage: loop_test uring|threads\n");
		return 2;
	}
	(void)unsetenv("BSR_LOOP_BACKEND");
	struct bsr_loop *probe = NULL;
	const struct bsr_loop_options options = {.backend = backend, .depth = 4, .lifeline_fd = -1};
	if (bsr_loop_create(&probe, &options) != 0) {
		return 77; /* the machine lacks it */
	}
	bsr_loop_destroy(probe);
	const char *base = getenv("BSR_TEST_DIR"); /* on a disk: /tmp may be without O_DIRECT */
	(void)snprintf(dir, sizeof(dir), "%s/bsr-loop-XXXXXX", base != NULL ? base : "/var/tmp");
	if (mkdtemp(dir) == NULL) {
		return 1;
	}
	const int failures = cmocka_run_group_tests(tests, NULL, NULL);
	char command[128];
	(void)snprintf(command, sizeof(command), "rm -rf '%s'", dir);
	return system(command) == 0 ? failures : 1;
}
