// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * link_traffic_test.c - messages over links: large, many, slow, damaged, cut off
 *
 * Usage: link_traffic_test uring|threads [PATTERN]
 */
#include "link_test_support.h"

/* --------------------------------------------------------------------- traffic */

static void large_and_small_payloads_arrive_unchanged(void **state)
{
	(void)state;
	make_default_pair();
	connect_pair();
	uint64_t number = node[1].last_nonce[0];
	for (uint32_t round = 0; round < 300; round++) {
		static const uint32_t edges[] = {512, 4096, 32 << 10, (32 << 10) + 512, 256 << 10, 1 << 20, (1 << 20) - 512};
		const uint32_t bytes = round % 3 == 0 ? edges[random_u64() % 7] : (uint32_t)(1 + random_u64() % 256) * 512;
		while (!send_write(&node[0], number + 1, bytes)) {
			run_turns(5, NULL); /* the pool is shared with the receiver here */
		}
		number++;
		node[0].payload_bytes += bytes;
		if (random_u64() % 4 == 0) {
			run_turns(1, NULL);
		}
	}
	assert_true(run_turns(10000, all_arrived));
	assert_false(node[1].damaged);
	assert_false(node[1].disordered);
	assert_int_equal(node[1].messages[0], 300);
	assert_true(node[0].sent_bytes[0] == node[0].payload_bytes + 300 * (40 + 48));
	end_pair();
}

/*
 * Batches of anything, each awaited to its last message: nothing may lie there until something else
 * comes behind it.
 */
static void await_batches(uint32_t rounds)
{
	static const uint32_t sizes[] = {4096, 4096, 4096, 4096, 512, 8192, 32768, 33280, 65536, 1 << 20};
	uint64_t number = 0, all = 0, pings = 0;
	uint32_t bytes = 4096;
	for (uint64_t round = 0; round < rounds; round++) {
		for (uint64_t i = random_u64() % 12; i > 0; i--, all++) {
			bytes = random_u64() % 4 == 0 ? sizes[random_u64() % 10] : bytes;
			if (random_u64() % 6 == 0) {
				send_checkpoint(&node[0], all);
			} else if (send_write(&node[0], number + 1, bytes)) {
				number++;
			} else {
				all--; /* the pool is full of the ones before */
			}
		}
		send_ping(&node[0], ++pings);
		for (uint32_t tries = 0; tries < 2000 && (node[1].messages[0] < all || node[1].messages[1] < pings); tries++) {
			run_turns(1, NULL);
		}
		assert_int_equal(node[1].messages[0], all);
		assert_int_equal(node[1].messages[1], pings);
	}
	assert_false(node[1].damaged || node[1].disordered);
}

static void no_message_waits_for_the_next_one(void **state)
{
	(void)state;
	make_default_pair();
	connect_pair();
	await_batches(400);
	end_pair();
}

static void no_message_waits_for_the_next_one_in_pieces(void **state)
{
	(void)state;
	const struct proxy_plan plan = {.flip_at = UINT64_MAX, .cut_at = UINT64_MAX, .piece_max = 9000};
	const struct bsr_link_options o = options_of("sha256", "geheim");
	struct proxy proxy = make_proxied_pair(&plan, &o);
	assert_true(run_turns(3000, both_up));
	await_batches(150);
	stop_proxy(&proxy);
	end_pair();
}

/*
 * Runs of equal writes, of which the receiver makes an expectation, broken by everything else; cut
 * into pieces at every place by a proxy, and stopped by the receiver now and then.
 */
static void runs_of_equal_writes_land_right(void **state)
{
	(void)state;
	for (uint32_t checksums = 0; checksums < 2; checksums++) {
		const struct proxy_plan plan = {.flip_at = UINT64_MAX, .cut_at = UINT64_MAX, .piece_max = 9000};
		struct bsr_link_options o = options_of("sha256", "geheim");
		o.data_checksums = checksums != 0;
		struct proxy proxy = make_proxied_pair(&plan, &o);
		assert_true(run_turns(3000, both_up));
		uint64_t number = 0, others = 0;
		uint32_t bytes = 4096;
		for (uint32_t round = 0; round < 250; round++) {
			static const uint32_t sizes[] = {4096, 4096, 4096, 8192, 32768, 512, 65536, 12800};
			const uint32_t length = (uint32_t)(random_u64() % 40);
			bytes = random_u64() % 3 == 0 ? sizes[random_u64() % 8] : bytes;
			for (uint32_t i = 0; i < length && send_write(&node[0], number + 1, bytes); i++) {
				number++;
				node[0].payload_bytes += bytes;
			}
			for (uint64_t i = random_u64() % 3; i > 0; i--, others++) {
				send_checkpoint(&node[0], others);
			}
			node[1].deaf[BSR_STREAM_DATA] = random_u64() % 5 == 0;
			bsr_links_resume(node[1].links);
			run_turns(random_u64() % 4, NULL);
		}
		node[1].deaf[BSR_STREAM_DATA] = false;
		bsr_links_resume(node[1].links);
		const uint64_t end_ns = now_ns() + 10000 * MS;
		while (node[1].messages[0] < number + others && now_ns() < end_ns) {
			turn_until(end_ns);
		}
		/* also when nothing comes behind the last one */
		assert_int_equal(node[1].messages[0], number + others);
		assert_int_equal(node[1].last_nonce[0], number);
		assert_false(node[1].damaged || node[1].disordered);
		assert_int_equal(node[0].downs + node[1].downs, 0);
		stop_proxy(&proxy);
		end_pair();
	}
}

static void a_slow_receiver_slows_the_sender(void **state)
{
	(void)state;
	make_default_pair();
	connect_pair();
	node[1].deaf[BSR_STREAM_DATA] = true;
	uint64_t number = 0;
	for (uint32_t round = 0; round < 60; round++) {
		while (number < 120 && send_write(&node[0], number + 1, 128 << 10)) {
			number++;
			node[0].payload_bytes += 128 << 10;
		}
		run_turns(5, NULL);
	}
	assert_int_equal(node[1].messages[0], 0);
	/* the kernel did not take it all */
	assert_true(bsr_links_queued_bytes(node[0].links, 1) > 0);
	send_ping(&node[0], node[1].last_nonce[1] + 1);
	run_turns(100, NULL);
	assert_int_equal(node[1].messages[1], 1); /* control is not behind it */
	node[1].deaf[BSR_STREAM_DATA] = false;
	bsr_links_resume(node[1].links);
	assert_true(run_turns(10000, all_arrived));
	assert_int_equal(node[1].messages[0], number);
	assert_false(node[1].damaged || node[1].disordered);
	end_pair();
}

/*
 * The receiver keeps every payload until it has none left for more; then it gives some back, now
 * and then.
 */
static void an_empty_pool_only_delays(void **state)
{
	(void)state;
	bool locked;
	assert_int_equal(bsr_pool_create(&receiver_pool, 1 << 20, &locked), 0);
	for (uint32_t kind = 0; kind < 3; kind++) {
		static const uint32_t sizes[3][2] = {{4096, 4096}, {65536, 4096}, {1 << 20, 4096}};
		make_default_pair();
		connect_pair();
		node[1].keep = true;
		for (uint64_t number = 0; number < 200;) {
			if (node[0].payload_bytes - node[1].payload_bytes < 4 << 20 &&
				send_write(&node[0], number + 1, sizes[kind][number % 2])) {
				node[0].payload_bytes += sizes[kind][number++ % 2];
			} else {
				run_turns(1, NULL);
				release_kept(&node[1]);
			}
		}
		const uint64_t end_ns = now_ns() + 10000 * MS;
		while (!all_arrived() && now_ns() < end_ns) {
			run_turns(1, NULL);
			release_kept(&node[1]);
		}
		assert_int_equal(node[1].messages[0], 200);
		assert_false(node[1].damaged || node[1].disordered);
		end_pair();
	}
	bsr_pool_destroy(receiver_pool);
	receiver_pool = NULL;
}

/* Both nodes have one pool, and the receiver must find buffers in it. */
#define AHEAD_MAX (POOL_BYTES / 4096u - 1000u)

static uint64_t send_some(uint64_t number, uint32_t count)
{
	while (count-- > 0 && number - node[1].messages[0] < AHEAD_MAX && send_write(&node[0], number + 1, 4096)) {
		node[0].payload_bytes += 4096;
		number++;
	}
	return number;
}

/* The list of what waits to be sent grows, and later begins again at its front while something still waits in it. */
static void a_long_queue_of_writes_keeps_its_order(void **state)
{
	(void)state;
	make_default_pair();
	connect_pair();
	node[1].deaf[BSR_STREAM_DATA] = true;
	uint64_t number = send_some(0, 1500);
	assert_int_equal(number, 1500);
	for (uint32_t round = 0; round < 200; round++) {
		node[1].deaf[BSR_STREAM_DATA] = round % 3 != 0;
		bsr_links_resume(node[1].links);
		run_turns(1, NULL);
		number = send_some(number, 400);
	}
	node[1].deaf[BSR_STREAM_DATA] = false;
	bsr_links_resume(node[1].links);
	assert_true(run_turns(10000, all_arrived));
	assert_int_equal(node[1].messages[0], number);
	assert_false(node[1].damaged || node[1].disordered);
	end_pair();
}

static void many_small_messages_keep_their_order(void **state)
{
	(void)state;
	make_default_pair();
	connect_pair();
	uint64_t number = 0;
	for (uint32_t round = 0; round < 200; round++) {
		for (uint32_t i = 0; i < 500; i++) {
			/* more than a ring's first size in some turns */
			send_ping(&node[0], ++number);
		}
		if (random_u64() % 8 == 0) {
			run_turns(1, NULL);
		}
	}
	const uint64_t end_ns = now_ns() + 10000 * MS;
	while (node[1].messages[1] < number && now_ns() < end_ns) {
		turn_until(end_ns);
	}
	assert_int_equal(node[1].messages[1], number);
	assert_false(node[1].disordered);
	end_pair();
}

/* A sender far ahead of its peer is stopped at a limit, not by the machine's memory. */
static void an_endless_queue_ends_the_link(void **state)
{
	(void)state;
	make_default_pair();
	connect_pair();
	node[1].deaf[BSR_STREAM_CONTROL] = true;
	run_turns(20, NULL);
	for (uint64_t i = 0; i < 2 * BSR_LINK_QUEUE_BYTES_MAX / 48 && node[0].up; i++) {
		send_ping(&node[0], i);
		if (i % 100000 == 0) {
			run_turns(1, NULL);
		}
	}
	run_turns(100, NULL);
	assert_false(node[0].up);
	assert_int_equal(node[0].reason, BSR_LINK_SILENT);
	assert_non_null(strstr(node[0].report, "queue"));
	end_pair();
}

/* ---------------------------------------------------------------- damage on the way */

static void a_flipped_bit_ends_the_link_and_changes_nothing(void **state)
{
	(void)state;
	for (uint32_t round = 0; round < 30; round++) {
		/* establishment takes about 300 bytes; then frames of 40 + 48 + 4096 */
		const struct proxy_plan plan = {.flip_at = 600 + random_u64() % 40000, .cut_at = UINT64_MAX};
		const struct bsr_link_options o = options_of("sha256", "geheim");
		struct proxy proxy = make_proxied_pair(&plan, &o);
		assert_true(run_turns(3000, both_up));
		node[1].downs = 0;
		/* one by one or in batches: read in another way */
		for (uint64_t i = 1; i <= 20; i++) {
			assert_true(send_write(&node[0], i, 4096));
			run_turns(round % 2, NULL);
		}
		assert_true(run_turns(3000, some_down));
		assert_int_equal(node[1].reason, BSR_LINK_BAD_MESSAGE);
		assert_int_equal(bsr_links_rejected(node[1].links, 0), 1);
		assert_non_null(strstr(node[1].report, "link closed"));
		assert_false(node[1].damaged || node[1].disordered);
		assert_true(node[1].messages[0] < 20);
		stop_proxy(&proxy);
		end_pair();
	}
}

static void a_flipped_bit_during_establishment_is_survived(void **state)
{
	(void)state;
	/* HELLO 112, challenge, proof 72 each, LINK_READY 48 */
	for (uint32_t at = 3; at < 304; at += 25) {
		const struct proxy_plan plan = {.flip_at = at, .cut_at = UINT64_MAX};
		const struct bsr_link_options o = options_of("sha256", "geheim");
		struct proxy proxy = make_proxied_pair(&plan, &o);
		run_turns(300, NULL);
		assert_int_equal(node[0].ups + node[1].ups, 0);
		assert_int_equal(node[1].downs, 0);
		assert_int_equal(node[0].downs, 0); /* damage is no verdict: it goes on trying */
		stop_proxy(&proxy);
		point_node(0, node[1].port, AF_INET, &o); /* the good way */
		assert_true(run_turns(4000, both_up));
		assert_talks();
		end_pair();
	}
}

static void a_cut_link_comes_back(void **state)
{
	(void)state;
	for (uint32_t round = 0; round < 10; round++) {
		const struct proxy_plan plan = {.flip_at = UINT64_MAX, .cut_at = 600 + random_u64() % 400000};
		const struct bsr_link_options o = options_of("sha256", "geheim");
		struct proxy proxy = make_proxied_pair(&plan, &o);
		assert_true(run_turns(3000, both_up));
		node[0].redial = node[1].redial = true;
		for (uint64_t i = 1; i <= 120; i++) {
			assert_true(send_write(&node[0], i, 4096));
		}
		assert_true(run_turns(3000, both_gave_up)); /* each has noticed */
		assert_int_equal(node[0].reason, BSR_LINK_CLOSED);
		assert_int_equal(node[1].reason, BSR_LINK_CLOSED);
		assert_false(node[1].damaged || node[1].disordered);
		stop_proxy(&proxy);
		point_node(0, node[1].port, AF_INET, &o);
		assert_true(run_turns(4000, both_up));
		assert_talks();
		end_pair();
	}
}

/*
 * Its host died without a word, node 0 has not noticed yet: what proves itself anew displaces the
 * old link at once.
 */
static void a_peer_that_came_back_displaces_its_old_link(void **state)
{
	(void)state;
	const struct proxy_plan plan = {.flip_at = UINT64_MAX, .cut_at = UINT64_MAX};
	const struct bsr_link_options o = options_of("sha256", "geheim");
	for (uint32_t same_process = 0; same_process < 2; same_process++) {
		struct proxy proxy = make_proxied_pair(&plan, &o);
		assert_true(run_turns(3000, both_up));
		assert_int_equal(write(proxy.control, "f", 1), 1);
		run_turns(50, NULL);
		node[0].redial = true;
		if (same_process) {
			bsr_links_close(node[1].links, 0, node[1].link_number, false);
			node[1].up = false;
		} else {
			bsr_links_destroy(node[1].links);
			make_node(1, "r0", 1, AF_INET);
			point_node(1, node[0].port, AF_INET, &o);
		}
		run_turns(100, NULL);
		assert_true(node[0].up); /* it believes so */
		const uint64_t begin_ns = now_ns();
		node_dial(&node[1], 0);
		assert_true(run_turns(2000, some_down));
		assert_true(run_turns(2000, both_up));
		assert_true(now_ns() - begin_ns < 500 * MS);
		assert_int_equal(node[0].downs, 1);
		assert_int_equal(node[0].reason, BSR_LINK_CLOSED);
		assert_talks();
		stop_proxy(&proxy);
		end_pair();
	}
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		LINK_TEST(large_and_small_payloads_arrive_unchanged),
		LINK_TEST(no_message_waits_for_the_next_one),
		LINK_TEST(no_message_waits_for_the_next_one_in_pieces),
		LINK_TEST(runs_of_equal_writes_land_right),
		LINK_TEST(a_slow_receiver_slows_the_sender),
		LINK_TEST(an_empty_pool_only_delays),
		LINK_TEST(a_long_queue_of_writes_keeps_its_order),
		LINK_TEST(many_small_messages_keep_their_order),
		LINK_TEST(an_endless_queue_ends_the_link),
		LINK_TEST(a_flipped_bit_ends_the_link_and_changes_nothing),
		LINK_TEST(a_flipped_bit_during_establishment_is_survived),
		LINK_TEST(a_cut_link_comes_back),
		LINK_TEST(a_peer_that_came_back_displaces_its_old_link),
	};
	const int r = link_test_begin(argc, argv);
	return r != 0 ? r : cmocka_run_group_tests(tests, NULL, NULL);
}
