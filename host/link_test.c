// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * link_test.c - how links come up, who is refused, how they end
 *
 * Usage: link_test uring|threads [PATTERN]
 */
#include "link_test_support.h"

#include <fcntl.h>

/* -------------------------------------------------------------- bringing it up */

static void both_ends_come_up_once(void **state)
{
	(void)state;
	make_default_pair();
	connect_pair();
	assert_true(node[0].up_event.resolver);
	assert_false(node[1].up_event.resolver);
	assert_int_equal(node[0].up_event.version, 1);
	assert_true(node[0].up_event.features ==
		    (BSR_FEATURES_OF_ENGINE | BSR_FEATURE_DATA_CHECKSUMS | BSR_FEATURE_ACK_TIMES | BSR_FEATURE_MESH));
	assert_true(node[1].up_event.features == node[0].up_event.features);
	assert_talks();
	run_turns(1500, NULL); /* no second thoughts later */
	assert_int_equal(node[0].ups + node[1].ups, 2);
	assert_int_equal(node[0].downs + node[1].downs, 0);
	assert_int_equal(node[0].reports + node[1].reports, 0);
	end_pair();
}

static void a_socket_that_is_closed_is_free_for_others(void **state)
{
	(void)state;
	make_default_pair();
	node_dial(&node[0], 0);
	node_dial(&node[1], 0);
	assert_true(run_turns(3000, both_up));
	struct bsr_links *links = node[1].links;
	int fd = -1;
	for (uint32_t round = 0; round < 2 * BSR_LINK_LISTENERS_MAX; round++) { /* slots are used again */
		struct sockaddr_in in = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
		fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
		assert_return_code(fd, errno);
		assert_return_code(bind(fd, (struct sockaddr *)&in, sizeof(in)), errno);
		assert_return_code(listen(fd, 4), errno);
		assert_int_equal(bsr_links_add_listener(links, fd), 0);
		bsr_links_remove_listener(links, fd);
		assert_int_equal(fcntl(fd, F_GETFD), -1);
	}
	assert_talks(); /* the link does not care */
	end_pair();
}

static void one_dialing_end_is_enough(void **state)
{
	(void)state;
	for (uint32_t who = 0; who < 2; who++) {
		make_default_pair();
		node_dial(&node[who], 0);
		node_dial(&node[1 - who], AN_HOUR); /* accepts at once, dials in an hour */
		assert_true(run_turns(2000, both_up));
		assert_talks();
		end_pair();
	}
}

static void crossing_dials_end_in_one_link(void **state)
{
	(void)state;
	make_default_pair();
	uint64_t slowest_ns = 0;
	for (uint32_t round = 0; round < 100; round++) {
		const uint64_t begin_ns = now_ns();
		node_dial(&node[0], random_u64() % (2 * MS));
		node_dial(&node[1], random_u64() % (2 * MS));
		assert_true(run_turns(5000, both_up));
		const uint64_t took_ns = now_ns() - begin_ns;
		slowest_ns = took_ns > slowest_ns ? took_ns : slowest_ns;
		assert_talks();
		assert_int_equal(node[0].ups, round + 1);
		assert_int_equal(node[1].ups, round + 1);
		assert_int_equal(node[0].downs + node[1].downs, 0);
		assert_true(node[0].up_event.resolver && !node[1].up_event.resolver);
		for (int i = 0; i < 2; i++) {
			bsr_links_close(node[i].links, (uint32_t)(1 - i), node[i].link_number, false);
			node[i].up = false;
		}
	}
	print_message("slowest of 100: %llu ms\n", (unsigned long long)(slowest_ns / MS));
	assert_true(slowest_ns < 1000 * MS); /* less than one retry */
	end_pair();
}

/*
 * Both ends lose it, dial again at random times, one of them closes again in the middle: no wedge.
 */
static void restless_ends_settle(void **state)
{
	(void)state;
	make_default_pair();
	node[0].redial = node[1].redial = true;
	node_dial(&node[0], 0);
	node_dial(&node[1], 0);
	for (uint32_t round = 0; round < 60; round++) {
		struct node *n = &node[random_u64() % 2];
		run_turns(random_u64() % 6, NULL);
		bsr_links_close(n->links, 1 - n->id, n->link_number, random_u64() % 2 == 0);
		n->up = false;
		node_dial(n, random_u64() % (3 * MS));
	}
	assert_true(run_turns(5000, both_up));
	run_turns(300, NULL);
	assert_true(both_up());
	assert_talks();
	end_pair();
}

static void ipv6_works(void **state)
{
	(void)state;
	const struct bsr_link_options o = options_of("sha256", "geheim");
	make_pair(AF_INET6, &o, &o);
	connect_pair();
	assert_talks();
	end_pair();
}

static void no_authentication_works_from_configured_addresses(void **state)
{
	(void)state;
	const struct bsr_link_options o = options_of("", "");
	make_pair(AF_INET, &o, &o);
	connect_pair();
	assert_talks();
	end_pair();
}

static void checksums_are_used_only_when_both_want_them(void **state)
{
	(void)state;
	const struct bsr_link_options with = options_of("", "");
	struct bsr_link_options without = with;
	without.data_checksums = false;
	make_pair(AF_INET, &with, &without);
	connect_pair();
	assert_true(node[0].up_event.features == node[1].up_event.features && node[0].up_event.features != 0);
	assert_false(node[0].up_event.features & BSR_FEATURE_DATA_CHECKSUMS);
	assert_talks();
	end_pair();
}

static void a_peer_that_starts_later_is_found_at_once(void **state)
{
	(void)state;
	const struct bsr_link_options o = options_of("sha256", "geheim");
	make_default_pair();
	const uint16_t port = node[1].port;
	bsr_links_destroy(node[1].links);
	node[1].links = NULL;
	node_dial(&node[0], 0);
	run_turns(400, NULL);
	assert_int_equal(node[0].reports, 1); /* cannot be reached: once, not for each attempt */
	assert_non_null(strstr(node[0].report, "refused"));
	assert_non_null(strstr(bsr_links_said(node[0].links, 1), "refused"));
	assert_string_equal(bsr_links_said(node[0].links, 2), "");
	make_node(1, "r0", 1, AF_INET);
	assert_int_not_equal(node[1].port, port); /* node 0 cannot reach it; it dials */
	point_node(1, node[0].port, AF_INET, &o);
	const uint64_t begin_ns = now_ns();
	node_dial(&node[1], 0);
	assert_true(run_turns(3000, both_up));
	assert_true(now_ns() - begin_ns < 500 * MS);
	assert_string_equal(bsr_links_said(node[0].links, 1), ""); /* what was, is forgotten */
	assert_talks();
	end_pair();
}

/* ------------------------------------------------------------------ mismatches */

static void expect_give_up(enum bsr_link_reason reason, const char *words)
{
	node_dial(&node[0], 0);
	node_dial(&node[1], 0);
	assert_true(run_turns(3000, both_gave_up));
	for (int i = 0; i < 2; i++) {
		assert_int_equal(node[i].downs, 1);
		assert_int_equal(node[i].ups, 0);
		assert_int_equal(node[i].reason, reason);
		assert_true(bsr_links_rejected(node[i].links, (uint32_t)(1 - i)) > 0);
		if (strstr(node[i].report, words) == NULL) {
			fail_msg("report without \"%s\": %s", words, node[i].report);
		}
		if (strstr(bsr_links_said(node[i].links, (uint32_t)(1 - i)), words) == NULL) {
			fail_msg("kept without \"%s\": %s", words, bsr_links_said(node[i].links, (uint32_t)(1 - i)));
		}
	}
	run_turns(1500, NULL); /* nobody tries again */
	assert_int_equal(node[0].downs + node[1].downs, 2);
}

static void another_secret_is_refused_by_both(void **state)
{
	(void)state;
	const struct bsr_link_options a = options_of("sha256", "geheim"), b = options_of("sha256", "geheimer");
	make_pair(AF_INET, &a, &b);
	expect_give_up(BSR_LINK_AUTH, "shared-secret");
	end_pair();
}

static void a_missing_secret_is_refused_by_both(void **state)
{
	(void)state;
	const struct bsr_link_options a = options_of("sha256", "geheim"), b = options_of("", "");
	make_pair(AF_INET, &a, &b);
	expect_give_up(BSR_LINK_AUTH, "shared-secret");
	end_pair();
}

static void another_algorithm_is_refused_by_both(void **state)
{
	(void)state;
	const struct bsr_link_options a = options_of("sha256", "geheim"), b = options_of("sha512", "geheim");
	make_pair(AF_INET, &a, &b);
	expect_give_up(BSR_LINK_AUTH, "cram-hmac-alg");
	end_pair();
}

static void another_resource_is_refused_by_both(void **state)
{
	(void)state;
	const struct bsr_link_options o = options_of("sha256", "geheim");
	make_node(0, "r0", 0, AF_INET);
	make_node(1, "r1", 1, AF_INET);
	point_node(0, node[1].port, AF_INET, &o);
	point_node(1, node[0].port, AF_INET, &o);
	expect_give_up(BSR_LINK_MISMATCH, "resource");
	end_pair();
}

static void another_node_is_refused(void **state)
{
	(void)state;
	const struct bsr_link_options o = options_of("sha256", "geheim");
	make_node(0, "r0", 0, AF_INET);
	make_node(1, "r0", 7, AF_INET); /* says it is node 7, node 0 wants node 1 */
	point_node(0, node[1].port, AF_INET, &o);
	node_dial(&node[0], 0);
	assert_true(run_turns(3000, some_down));
	assert_int_equal(node[0].reason, BSR_LINK_MISMATCH);
	assert_non_null(strstr(node[0].report, "node-id"));
	end_pair();
}

/* Who only accepts is not taken down by somebody who dials with a wrong secret. */
static void a_wrong_dialer_does_no_harm(void **state)
{
	(void)state;
	const struct bsr_link_options a = options_of("sha256", "geheim"), b = options_of("sha256", "geheimer");
	make_pair(AF_INET, &a, &b);
	node_dial(&node[0], AN_HOUR);
	node_dial(&node[1], 0);
	assert_true(run_turns(3000, some_down));
	assert_int_equal(node[0].downs, 0);
	assert_int_equal(node[1].reason, BSR_LINK_AUTH);
	assert_int_equal(bsr_links_rejected(node[0].links, 1), 0);
	assert_true(bsr_links_rejected(node[0].links, NONE) > 0);
	/* it still waits for the right one */
	const struct bsr_link_path path = {address_of(AF_INET, 0), address_of(AF_INET, node[0].port)};
	assert_int_equal(bsr_links_set_peer(node[1].links, 0, &path, 1, &a), 0);
	node_dial(&node[1], 0);
	assert_true(run_turns(3000, both_up));
	assert_talks();
	end_pair();
}

static void a_peer_that_does_not_want_to_is_asked_again(void **state)
{
	(void)state;
	make_default_pair();
	node_dial(&node[0], 0);
	run_turns(1600, NULL); /* node 1 is StandAlone: holds the attempt a while, then says so */
	assert_int_equal(node[0].downs + node[0].ups, 0);
	assert_non_null(strstr(node[0].report, "not connecting"));
	node_dial(&node[1], 0);
	assert_true(run_turns(3000, both_up));
	assert_talks();
	end_pair();
}

static void bad_settings_are_refused(void **state)
{
	(void)state;
	make_default_pair();
	struct bsr_link_options o = options_of("rot13", "geheim");
	struct bsr_link_path path[BSR_LINK_PATHS_MAX + 1];
	for (size_t i = 0; i <= BSR_LINK_PATHS_MAX; i++) {
		path[i] = (struct bsr_link_path){address_of(AF_INET, 0), address_of(AF_INET, 7788)};
	}
	assert_int_equal(bsr_links_set_peer(node[0].links, 1, path, 1, &o), -ENOTSUP);
	o = options_of("sha256", "");
	assert_int_equal(bsr_links_set_peer(node[0].links, 1, path, 1, &o), -ENOTSUP);
	o = options_of("sha256", "geheim");
	assert_int_equal(bsr_links_set_peer(node[0].links, 0, path, 1, &o), -EINVAL);
	assert_int_equal(bsr_links_set_peer(node[0].links, 32, path, 1, &o), -EINVAL);
	assert_int_equal(bsr_links_set_peer(node[0].links, 1, path, 0, &o), -EINVAL);
	assert_int_equal(bsr_links_set_peer(node[0].links, 1, path, BSR_LINK_PATHS_MAX + 1, &o), -EINVAL);
	path[0].local = address_of(AF_INET6, 0);
	assert_int_equal(bsr_links_set_peer(node[0].links, 1, path, 1, &o), -EINVAL);
	memset(o.shared_secret, 'x', sizeof(o.shared_secret));
	assert_int_equal(bsr_links_set_peer(node[0].links, 1, path + 1, 1, &o), -EINVAL);
	connect_pair(); /* with the settings from before */
	end_pair();
}

static void the_second_path_is_tried_when_the_first_is_dead(void **state)
{
	(void)state;
	const struct bsr_link_options o = options_of("sha256", "geheim");
	make_default_pair();
	uint16_t dead_port;
	const int fd = listen_somewhere(AF_INET, &dead_port);
	close(fd);
	const struct bsr_link_path paths[2] = {{address_of(AF_INET, 0), address_of(AF_INET, dead_port)},
		{address_of(AF_INET, 0), address_of(AF_INET, node[1].port)}};
	assert_int_equal(bsr_links_set_peer(node[0].links, 1, paths, 2, &o), 0);
	node_dial(&node[0], 0);
	node_dial(&node[1], AN_HOUR);
	assert_true(run_turns(800, both_up));
	end_pair();
}

/* ------------------------------------------------------------------------ ends */

/*
 * Of each of eight writes. Draining has a second; ThreadSanitizer makes copies many times slower.
 */
#ifdef __SANITIZE_THREAD__
#define DRAINED_BYTES (64u << 10)
#else
#define DRAINED_BYTES (1u << 20)
#endif

static void draining_delivers_what_was_queued(void **state)
{
	(void)state;
	make_default_pair();
	connect_pair();
	for (uint64_t i = 1; i <= 8; i++) {
		assert_true(send_write(&node[0], i, DRAINED_BYTES));
		node[0].payload_bytes += DRAINED_BYTES;
	}
	send_ping(&node[0], 1);
	bsr_links_close(node[0].links, 1, node[0].link_number, true);
	node[0].up = false;
	const uint64_t begin_ns = now_ns();
	assert_true(run_turns(3000, both_down));
	assert_true(now_ns() - begin_ns < 900 * MS); /* it does not sit its second out */
	assert_true(node[1].payload_bytes == 8u * DRAINED_BYTES);
	assert_int_equal(node[1].messages[1], 1);
	assert_false(node[1].damaged || node[1].disordered);
	assert_int_equal(node[1].reason, BSR_LINK_CLOSED);
	assert_int_equal(node[0].downs, 0); /* closed by its owner: no callback */
	run_turns(50, NULL);
	end_pair();
}

static void draining_ends_after_a_second(void **state)
{
	(void)state;
	make_default_pair();
	connect_pair();
	node[1].deaf[BSR_STREAM_DATA] = true;
	for (uint64_t i = 1; i <= 15; i++) { /* more than the kernel holds */
		assert_true(send_write(&node[0], i, 1 << 20));
	}
	run_turns(50, NULL);
	bsr_links_close(node[0].links, 1, node[0].link_number, true);
	node[0].up = false;
	run_turns(500, NULL);
	assert_true(bsr_pool_in_use(pool) > 0);
	run_turns(800, NULL);
	assert_int_equal(bsr_pool_in_use(pool), 0); /* given up, references returned */
	end_pair();
}

static void a_peer_that_dies_is_noticed_and_comes_back(void **state)
{
	(void)state;
	make_default_pair();
	connect_pair();
	const uint16_t port = node[0].port;
	const struct bsr_link_options o = options_of("sha256", "geheim");
	for (uint32_t round = 0; round < 5; round++) {
		node[0].redial = true;
		bsr_links_destroy(node[1].links);
		node[1].links = NULL;
		assert_true(run_turns(1000, some_down));
		assert_int_equal(node[0].reason, BSR_LINK_CLOSED);
		make_node(1, "r0", 1, AF_INET);
		point_node(1, port, AF_INET, &o);
		node_dial(&node[1], 0);
		assert_true(run_turns(2000, both_up));
		assert_talks();
		node[0].downs = 0;
	}
	end_pair();
}

static void a_removed_peer_is_gone(void **state)
{
	(void)state;
	make_default_pair();
	connect_pair();
	assert_true(send_write(&node[0], 1, 1 << 20));
	bsr_links_remove_peer(node[0].links, 1);
	node[0].up = false;
	assert_true(run_turns(1000, both_down));
	assert_int_equal(node[0].downs, 0);
	assert_int_equal(node[1].reason, BSR_LINK_CLOSED);
	assert_int_equal(bsr_links_queued_bytes(node[0].links, 1), 0);
	node_dial(&node[1], 0);
	run_turns(300, NULL);
	assert_non_null(strstr(node[1].report, "does not know this node"));
	end_pair();
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		LINK_TEST(both_ends_come_up_once),
		LINK_TEST(one_dialing_end_is_enough),
		LINK_TEST(a_socket_that_is_closed_is_free_for_others),
		LINK_TEST(crossing_dials_end_in_one_link),
		LINK_TEST(restless_ends_settle),
		LINK_TEST(ipv6_works),
		LINK_TEST(no_authentication_works_from_configured_addresses),
		LINK_TEST(checksums_are_used_only_when_both_want_them),
		LINK_TEST(a_peer_that_starts_later_is_found_at_once),
		LINK_TEST(another_secret_is_refused_by_both),
		LINK_TEST(a_missing_secret_is_refused_by_both),
		LINK_TEST(another_algorithm_is_refused_by_both),
		LINK_TEST(another_resource_is_refused_by_both),
		LINK_TEST(another_node_is_refused),
		LINK_TEST(a_wrong_dialer_does_no_harm),
		LINK_TEST(a_peer_that_does_not_want_to_is_asked_again),
		LINK_TEST(bad_settings_are_refused),
		LINK_TEST(the_second_path_is_tried_when_the_first_is_dead),
		LINK_TEST(draining_delivers_what_was_queued),
		LINK_TEST(draining_ends_after_a_second),
		LINK_TEST(a_peer_that_dies_is_noticed_and_comes_back),
		LINK_TEST(a_removed_peer_is_gone),
	};
	const int r = link_test_begin(argc, argv);
	return r != 0 ? r : cmocka_run_group_tests(tests, NULL, NULL);
}
