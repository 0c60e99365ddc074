// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * loop_event_test.c - watches, timers, lifeline of the event loop; run once per backend ("uring",
 * "threads")
 */
#include "loop_test_support.h"

#include <poll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>

#define MS 1000000ull

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

/*
 * Both are ready in the same turn; whichever comes first removes the other, which must stay silent.
 */
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
		/* a loaded machine */
		assert_true(tick[i].at_ns < start_ns + (late_ms[i] + 40) * MS);
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
	/* open as long as the loop lives, whatever came and went in it */
	assert_int_equal(poll(&poll_end, 1, 20), 0);
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
	const int code = begin_tests(argc, argv);
	return code != 0 ? code : end_tests(cmocka_run_group_tests(tests, NULL, NULL));
}
