// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * link_test.c - two ends of links in one process, over real sockets on the loopback interface
 *
 * Usage: link_test uring|threads. Both ends share one loop; a proxy that damages or cuts what passes is a child.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "link.h"
#include "link_auth.h"
#include "link_wire.h"

#include "crc32c_hw.h"

#define MS 1000000ull
#define NONE UINT32_MAX
#define POOL_BYTES (16u << 20)
#define KEPT_MAX 64u

static enum bsr_loop_backend backend;
static struct bsr_loop *loop;
static struct bsr_pool *pool;
static uint64_t seed = 1;

struct node {
	uint32_t id;
	struct bsr_links *links;
	uint16_t port;
	uint32_t link_number; /* of the last bsr_links_dial() */
	bool up;
	uint32_t ups, downs;
	enum bsr_link_reason reason; /* of the last down */
	struct bsr_ev_link_up up_event;
	bool deaf[2];		/* may_receive() says no */
	bool redial;		/* dial again when a link goes down */
	bool keep;		/* keep payload buffers */
	bsr_buf_t kept[KEPT_MAX];
	uint32_t kept_count;
	uint64_t messages[2];
	uint64_t payload_bytes;
	uint64_t last_nonce[2];
	bool disordered, damaged;
	uint64_t sent_bytes[2];
	uint32_t reports;
	uint32_t report_number;
	char report[600];
};

static struct node node[2];

static uint64_t random_u64(void)
{
	uint64_t z = (seed += 0x9e3779b97f4a7c15ull);
	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
	return z ^ (z >> 31);
}

static uint64_t now_ns(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000ull + (uint64_t)t.tv_nsec;
}

/* -------------------------------------------------------------------- owner */

static void dial(struct node *n, uint64_t delay_ns)
{
	bsr_links_dial(n->links, 1 - n->id, ++n->link_number, now_ns() + delay_ns);
}

static void on_up(void *ctx, const struct bsr_ev_link_up *up)
{
	struct node *n = ctx;
	assert_false(n->up);
	assert_int_equal(up->link, n->link_number);
	assert_int_equal(up->peer, 1 - n->id);
	n->up = true;
	n->ups++;
	n->up_event = *up;
	n->last_nonce[0] = n->last_nonce[1] = 0;
}

static void on_down(void *ctx, const struct bsr_ev_link_down *down)
{
	struct node *n = ctx;
	assert_int_equal(down->link, n->link_number);
	assert_int_equal(down->peer, 1 - n->id);
	n->up = false;
	n->downs++;
	n->reason = down->reason;
	if (n->redial && down->reason != BSR_LINK_AUTH && down->reason != BSR_LINK_MISMATCH) {
		dial(n, 0);
	}
}

/* Payloads of the tests: byte i is a function of the write's number and i. */
static uint8_t pattern(uint64_t number, uint64_t i)
{
	return (uint8_t)((number * 131) ^ (i * 7) ^ (i >> 9));
}

static void check_write(struct node *n, const struct bsr_ev_message *m)
{
	struct bsr_msg_write w;
	assert_int_equal(bsr_msg_write_decode(&w, m->body, m->body_bytes), 0);
	assert_int_equal(w.length, m->payload_bytes);
	const uint8_t *mem = bsr_pool_mem(pool, m->payload);
	n->disordered |= w.write_seq != n->last_nonce[0] + 1;
	n->last_nonce[0] = w.write_seq;
	n->payload_bytes += m->payload_bytes;
	for (uint64_t i = 0; i < m->payload_bytes; i += 61) {
		n->damaged |= mem[i] != pattern(w.write_seq, i);
	}
	n->damaged |= mem[m->payload_bytes - 1] != pattern(w.write_seq, m->payload_bytes - 1);
}

static void on_message(void *ctx, const struct bsr_ev_message *m)
{
	struct node *n = ctx;
	assert_true(n->up);
	assert_int_equal(m->link, n->link_number);
	n->messages[m->stream]++;
	if (m->msg_type == BSR_MSG_WRITE) {
		check_write(n, m);
	} else if (m->msg_type == BSR_MSG_PING) {
		struct bsr_msg_ping ping;
		assert_int_equal(bsr_msg_ping_decode(&ping, m->body, m->body_bytes), 0);
		n->disordered |= ping.nonce != n->last_nonce[1] + 1;
		n->last_nonce[1] = ping.nonce;
	}
	if (m->payload != BSR_BUF_NONE) {
		if (n->keep && n->kept_count < KEPT_MAX) {
			n->kept[n->kept_count++] = m->payload;
		} else {
			bsr_pool_put(pool, m->payload);
		}
	}
}

static void on_sent(void *ctx, const struct bsr_ev_sent *sent)
{
	struct node *n = ctx;
	assert_int_equal(sent->link, n->link_number);
	n->sent_bytes[sent->stream] += sent->bytes;
}

static bool on_may_receive(void *ctx, uint32_t peer, enum bsr_stream stream)
{
	struct node *n = ctx;
	(void)peer;
	return !n->deaf[stream];
}

static void on_report(void *ctx, uint32_t number, uint32_t peer, const char *text)
{
	struct node *n = ctx;
	n->reports++;
	n->report_number = number;
	snprintf(n->report, sizeof(n->report), "%s", text);
	assert_true(peer == NONE || peer == 1 - n->id);
	assert_null(strchr(text, '\n'));
}

static const struct bsr_links_ops ops = {on_up, on_down, on_message, on_sent, on_may_receive, on_report};

/* --------------------------------------------------------------------- turns */

static void on_timer(void *ctx)
{
	(void)ctx;
}

static void on_turn(void *ctx)
{
	(void)ctx;
	for (int i = 0; i < 2; i++) {
		if (node[i].links != NULL) {
			if (bsr_links_deadline(node[i].links) <= bsr_loop_now_ns(loop)) {
				bsr_links_tick(node[i].links);
			}
			bsr_links_flush(node[i].links);
		}
	}
}

static void turn_until(uint64_t end_ns)
{
	on_turn(NULL); /* what the test itself has done since the last turn */
	for (int i = 0; i < 2; i++) {
		if (node[i].links != NULL && bsr_links_deadline(node[i].links) < end_ns) {
			end_ns = bsr_links_deadline(node[i].links);
		}
	}
	bsr_loop_set_timer(loop, end_ns, on_timer, NULL);
	assert_int_equal(bsr_loop_turn(loop, true), 0);
}

static bool run(uint64_t limit_ms, bool (*done)(void))
{
	const uint64_t end_ns = now_ns() + limit_ms * MS;
	while (now_ns() < end_ns) {
		if (done != NULL && done()) {
			return true;
		}
		turn_until(end_ns);
	}
	return done != NULL && done();
}

static bool both_up(void)
{
	return node[0].up && node[1].up;
}

static bool both_down(void)
{
	return !node[0].up && !node[1].up;
}

static bool some_down(void)
{
	return node[0].downs + node[1].downs > 0;
}

static bool both_gave_up(void)
{
	return node[0].downs > 0 && node[1].downs > 0;
}

/* --------------------------------------------------------------------- set-up */

static struct sockaddr_storage address_of(int family, uint16_t port)
{
	struct sockaddr_storage a = {0};
	if (family == AF_INET6) {
		struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)&a;
		in6->sin6_family = AF_INET6;
		in6->sin6_addr = in6addr_loopback;
		in6->sin6_port = htons(port);
	} else {
		struct sockaddr_in *in = (struct sockaddr_in *)&a;
		in->sin_family = AF_INET;
		in->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
		in->sin_port = htons(port);
	}
	return a;
}

/* Below the ephemeral ports, or a dialing socket might connect to itself while nobody listens. */
static int listen_somewhere(int family, uint16_t *port)
{
	for (int tries = 0; tries < 200; tries++) {
		*port = (uint16_t)(10000 + random_u64() % 20000);
		const int fd = socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
		const struct sockaddr_storage a = address_of(family, *port);
		assert_true(fd >= 0);
		if (bind(fd, (const struct sockaddr *)&a, family == AF_INET6 ? sizeof(struct sockaddr_in6)
									     : sizeof(struct sockaddr_in)) == 0 &&
			listen(fd, 64) == 0) {
			return fd;
		}
		close(fd);
	}
	fail_msg("no free port");
	return -1;
}

static struct bsr_link_options options_of(const char *alg, const char *secret)
{
	struct bsr_link_options o = {.data_checksums = true, .connect_int_s = 1, .ping_timeout_ds = 5};
	snprintf(o.cram_hmac_alg, sizeof(o.cram_hmac_alg), "%s", alg);
	snprintf(o.shared_secret, sizeof(o.shared_secret), "%s", secret);
	return o;
}

static void make_node(uint32_t id, const char *resource, uint32_t node_id, int family)
{
	struct node *n = &node[id];
	memset(n, 0, sizeof(*n));
	n->id = id;
	const struct bsr_links_config config = {
		.resource = resource, .node_id = node_id, .loop = loop, .pool = pool, .ops = &ops, .ctx = n};
	assert_int_equal(bsr_links_create(&n->links, &config), 0);
	assert_int_equal(bsr_links_add_listener(n->links, listen_somewhere(family, &n->port)), 0);
}

static void point(uint32_t from, uint16_t to_port, int family, const struct bsr_link_options *o)
{
	const struct bsr_link_path path = {address_of(family, 0), address_of(family, to_port)};
	assert_int_equal(bsr_links_set_peer(node[from].links, 1 - from, &path, 1, o), 0);
}

static void make_pair(int family, const struct bsr_link_options *a, const struct bsr_link_options *b)
{
	make_node(0, "r0", 0, family);
	make_node(1, "r0", 1, family);
	point(0, node[1].port, family, a);
	point(1, node[0].port, family, b);
}

static void make_default_pair(void)
{
	const struct bsr_link_options o = options_of("sha256", "geheim");
	make_pair(AF_INET, &o, &o);
}

static void connect_pair(void)
{
	dial(&node[0], 0);
	dial(&node[1], 0);
	assert_true(run(3000, both_up));
}

static void release_kept(struct node *n)
{
	while (n->kept_count > 0) {
		bsr_pool_put(pool, n->kept[--n->kept_count]);
	}
}

static void end_pair(void)
{
	for (int i = 0; i < 2; i++) {
		release_kept(&node[i]);
		bsr_links_destroy(node[i].links);
		node[i].links = NULL;
	}
	assert_int_equal(bsr_pool_in_use(pool), 0);
}

static int start(void **state)
{
	(void)state;
	bool locked;
	const struct bsr_loop_options options = {.backend = backend, .depth = 16, .lifeline_fd = -1};
	assert_int_equal(bsr_loop_create(&loop, &options), 0);
	assert_int_equal(bsr_pool_create(&pool, POOL_BYTES, &locked), 0);
	bsr_loop_on_turn(loop, on_turn, NULL);
	return 0;
}

static int stop(void **state)
{
	(void)state;
	for (int i = 0; i < 2; i++) {
		bsr_links_destroy(node[i].links); /* NULL after a test that went well */
		node[i].links = NULL;
	}
	bsr_pool_destroy(pool);
	bsr_loop_destroy(loop);
	return 0;
}

/* -------------------------------------------------------------------- sending */

static void send_ping(struct node *n, uint64_t nonce)
{
	uint8_t head[64];
	const struct bsr_msg_ping ping = {nonce};
	const struct bsr_fx_send send = {
		.peer = 1 - n->id,
		.link = n->link_number,
		.stream = BSR_STREAM_CONTROL,
		.head_bytes = bsr_msg_ping_encode(head, sizeof(head), BSR_MSG_PING, 0, &ping),
		.buf = BSR_BUF_NONE,
	};
	bsr_links_send(n->links, &send, head);
}

/* false: the pool is empty */
static bool send_write(struct node *n, uint64_t number, uint32_t bytes)
{
	uint8_t head[128];
	const bsr_buf_t buf = bsr_pool_get(pool, bytes);
	if (buf == BSR_BUF_NONE) {
		return false;
	}
	uint8_t *mem = bsr_pool_mem(pool, buf);
	for (uint64_t i = 0; i < bytes; i++) {
		mem[i] = pattern(number, i);
	}
	const struct bsr_msg_write w = {.write_seq = number, .length = bytes, .op = BSR_OP_WRITE};
	const struct bsr_fx_send send = {
		.peer = 1 - n->id,
		.link = n->link_number,
		.stream = BSR_STREAM_DATA,
		.head_bytes = bsr_msg_write_encode(head, sizeof(head), BSR_MSG_WRITE, bytes, &w),
		.buf = buf,
		.payload_bytes = bytes,
	};
	bsr_links_send(n->links, &send, head);
	bsr_pool_put(pool, buf); /* the queue has its own reference */
	return true;
}

static bool all_arrived(void)
{
	return bsr_links_queued_bytes(node[0].links, 1) == 0 && node[1].payload_bytes == node[0].payload_bytes;
}

static void send_checkpoint(struct node *n, uint64_t number)
{
	uint8_t head[64];
	const struct bsr_msg_checkpoint checkpoint = {.number = number};
	const struct bsr_fx_send send = {
		.peer = 1 - n->id,
		.link = n->link_number,
		.stream = BSR_STREAM_DATA,
		.head_bytes = bsr_msg_checkpoint_encode(head, sizeof(head), BSR_MSG_CHECKPOINT, 0, &checkpoint),
		.buf = BSR_BUF_NONE,
	};
	bsr_links_send(n->links, &send, head);
}

/* Numbered pings both ways and a few writes: the two ends must be on the same link. */
static void assert_talks(void)
{
	const uint64_t pings[2] = {node[0].messages[1], node[1].messages[1]};
	const uint64_t writes = node[1].messages[0];
	for (uint64_t i = 1; i <= 5; i++) {
		send_ping(&node[0], node[1].last_nonce[1] + i);
		send_ping(&node[1], node[0].last_nonce[1] + i);
		assert_true(send_write(&node[0], node[1].last_nonce[0] + i, (uint32_t)(512 * i)));
	}
	const uint64_t end_ns = now_ns() + 2000 * MS;
	while (now_ns() < end_ns && (node[0].messages[1] < pings[0] + 5 || node[1].messages[1] < pings[1] + 5 ||
					    node[1].messages[0] < writes + 5)) {
		turn_until(end_ns);
	}
	for (int i = 0; i < 2; i++) {
		assert_int_equal(node[i].messages[1], pings[i] + 5);
		assert_false(node[i].disordered);
		assert_false(node[i].damaged);
	}
	assert_int_equal(node[1].messages[0], writes + 5);
}

/* -------------------------------------------------------------- bringing it up */

static void both_ends_come_up_once(void **state)
{
	(void)state;
	make_default_pair();
	connect_pair();
	assert_true(node[0].up_event.resolver);
	assert_false(node[1].up_event.resolver);
	assert_int_equal(node[0].up_event.version, 1);
	assert_true(node[0].up_event.features == BSR_FEATURE_DATA_CHECKSUMS);
	assert_true(node[1].up_event.features == BSR_FEATURE_DATA_CHECKSUMS);
	assert_talks();
	run(1500, NULL); /* no second thoughts later */
	assert_int_equal(node[0].ups + node[1].ups, 2);
	assert_int_equal(node[0].downs + node[1].downs, 0);
	assert_int_equal(node[0].reports + node[1].reports, 0);
	end_pair();
}

static void one_dialing_end_is_enough(void **state)
{
	(void)state;
	for (uint32_t who = 0; who < 2; who++) {
		make_default_pair();
		dial(&node[who], 0);
		dial(&node[1 - who], 3600 * 1000 * MS); /* accepts at once, dials in an hour */
		assert_true(run(2000, both_up));
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
		dial(&node[0], random_u64() % (2 * MS));
		dial(&node[1], random_u64() % (2 * MS));
		assert_true(run(5000, both_up));
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

/* Both ends lose it, dial again at random times, one of them closes again in the middle: no wedge. */
static void restless_ends_settle(void **state)
{
	(void)state;
	make_default_pair();
	node[0].redial = node[1].redial = true;
	dial(&node[0], 0);
	dial(&node[1], 0);
	for (uint32_t round = 0; round < 60; round++) {
		struct node *n = &node[random_u64() % 2];
		run(random_u64() % 6, NULL);
		bsr_links_close(n->links, 1 - n->id, n->link_number, random_u64() % 2 == 0);
		n->up = false;
		dial(n, random_u64() % (3 * MS));
	}
	assert_true(run(5000, both_up));
	run(300, NULL);
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
	assert_true(node[0].up_event.features == 0 && node[1].up_event.features == 0);
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
	dial(&node[0], 0);
	run(400, NULL);
	assert_int_equal(node[0].reports, 1); /* cannot be reached: once, not for each attempt */
	assert_non_null(strstr(node[0].report, "refused"));
	make_node(1, "r0", 1, AF_INET);
	assert_int_not_equal(node[1].port, port); /* node 0 cannot reach it; it dials */
	point(1, node[0].port, AF_INET, &o);
	const uint64_t begin_ns = now_ns();
	dial(&node[1], 0);
	assert_true(run(3000, both_up));
	assert_true(now_ns() - begin_ns < 500 * MS);
	assert_talks();
	end_pair();
}

/* ------------------------------------------------------------------ mismatches */

static void expect_give_up(enum bsr_link_reason reason, const char *words)
{
	dial(&node[0], 0);
	dial(&node[1], 0);
	assert_true(run(3000, both_gave_up));
	for (int i = 0; i < 2; i++) {
		assert_int_equal(node[i].downs, 1);
		assert_int_equal(node[i].ups, 0);
		assert_int_equal(node[i].reason, reason);
		assert_true(bsr_links_rejected(node[i].links, (uint32_t)(1 - i)) > 0);
		if (strstr(node[i].report, words) == NULL) {
			fail_msg("report without \"%s\": %s", words, node[i].report);
		}
	}
	run(1500, NULL); /* nobody tries again */
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
	point(0, node[1].port, AF_INET, &o);
	point(1, node[0].port, AF_INET, &o);
	expect_give_up(BSR_LINK_MISMATCH, "resource");
	end_pair();
}

static void another_node_is_refused(void **state)
{
	(void)state;
	const struct bsr_link_options o = options_of("sha256", "geheim");
	make_node(0, "r0", 0, AF_INET);
	make_node(1, "r0", 7, AF_INET); /* says it is node 7, node 0 wants node 1 */
	point(0, node[1].port, AF_INET, &o);
	dial(&node[0], 0);
	assert_true(run(3000, some_down));
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
	dial(&node[0], 3600 * 1000 * MS);
	dial(&node[1], 0);
	assert_true(run(3000, some_down));
	assert_int_equal(node[0].downs, 0);
	assert_int_equal(node[1].reason, BSR_LINK_AUTH);
	assert_int_equal(bsr_links_rejected(node[0].links, 1), 0);
	assert_true(bsr_links_rejected(node[0].links, NONE) > 0);
	/* it still waits for the right one */
	const struct bsr_link_path path = {address_of(AF_INET, 0), address_of(AF_INET, node[0].port)};
	assert_int_equal(bsr_links_set_peer(node[1].links, 0, &path, 1, &a), 0);
	dial(&node[1], 0);
	assert_true(run(3000, both_up));
	assert_talks();
	end_pair();
}

static void a_peer_that_does_not_want_to_is_asked_again(void **state)
{
	(void)state;
	make_default_pair();
	dial(&node[0], 0);
	run(1600, NULL); /* node 1 is StandAlone: holds the attempt a while, then says so */
	assert_int_equal(node[0].downs + node[0].ups, 0);
	assert_non_null(strstr(node[0].report, "not connecting"));
	dial(&node[1], 0);
	assert_true(run(3000, both_up));
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
	dial(&node[0], 0);
	dial(&node[1], 3600 * 1000 * MS);
	assert_true(run(800, both_up));
	end_pair();
}

/* ------------------------------------------------------------------- strangers */

static int raw_connect(uint16_t port)
{
	const struct sockaddr_storage a = address_of(AF_INET, port);
	const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_true(fd >= 0);
	assert_int_equal(connect(fd, (const struct sockaddr *)&a, sizeof(struct sockaddr_in)), 0);
	return fd;
}

static void garbage_changes_nothing(void **state)
{
	(void)state;
	make_default_pair();
	connect_pair();
	uint64_t rejected = 0;
	for (uint32_t round = 0; round < 40; round++) {
		uint8_t noise[700];
		for (size_t i = 0; i < sizeof(noise); i++) {
			noise[i] = (uint8_t)random_u64();
		}
		const int fd = raw_connect(node[round % 2].port);
		const size_t bytes = 1 + random_u64() % sizeof(noise);
		assert_int_equal(send(fd, noise, bytes, MSG_NOSIGNAL), bytes);
		run(2, NULL);
		close(fd);
		run(2, NULL);
	}
	for (int i = 0; i < 2; i++) {
		rejected += bsr_links_rejected(node[i].links, NONE);
		assert_int_equal(bsr_links_rejected(node[i].links, (uint32_t)(1 - i)), 0);
		assert_true(node[i].reports >= 1 && node[i].reports <= 14); /* not one for each */
		assert_int_equal(node[i].downs, 0);
	}
	assert_true(rejected >= 38); /* a few bytes and a close count as well, an empty visit would not */
	assert_talks();
	end_pair();
}

static void silent_strangers_do_not_lock_the_peer_out(void **state)
{
	(void)state;
	make_default_pair();
	int fd[100];
	for (size_t i = 0; i < 100; i++) {
		fd[i] = raw_connect(node[0].port);
		run(1, NULL);
	}
	dial(&node[0], 3600 * 1000 * MS);
	dial(&node[1], 0);
	assert_true(run(3000, both_up));
	assert_talks();
	uint32_t closed = 0;
	for (size_t i = 0; i < 100; i++) {
		char byte;
		closed += recv(fd[i], &byte, 1, MSG_DONTWAIT) == 0;
	}
	assert_true(closed >= 100 - BSR_LINK_STRANGERS_MAX);
	run(2500, NULL); /* the rest runs into its time limit */
	for (size_t i = 0; i < 100; i++) {
		char byte;
		assert_int_equal(recv(fd[i], &byte, 1, MSG_DONTWAIT), 0);
		close(fd[i]);
	}
	assert_talks();
	end_pair();
}

static void raw_send(int fd, uint64_t sequence, enum bsr_msg_type type, const uint8_t *body, uint32_t bytes)
{
	uint8_t message[1024];
	const struct bsr_wire_header h = {.version = 1, .type = (uint16_t)type, .body_bytes = bytes};
	bsr_wire_header_encode(message, &h);
	bsr_wire_seal(message, sequence, ~bsr_crc32c(~0u, body, bytes));
	memcpy(message + BSR_WIRE_HEADER_BYTES, body, bytes);
	assert_int_equal(send(fd, message, BSR_WIRE_HEADER_BYTES + bytes, MSG_NOSIGNAL), BSR_WIRE_HEADER_BYTES + bytes);
}

/* The next message a hand-made peer gets; 0 when the connection was closed. */
static uint16_t raw_receive(int fd, uint8_t *body, uint32_t *bytes)
{
	uint8_t message[1024];
	size_t there = 0, wanted = BSR_WIRE_HEADER_BYTES;
	struct bsr_wire_header h = {0};
	for (uint64_t end_ns = now_ns() + 3000 * MS; now_ns() < end_ns;) {
		const ssize_t got = recv(fd, message + there, wanted - there, MSG_DONTWAIT);
		if (got == 0 || (got < 0 && errno != EAGAIN)) {
			return 0;
		}
		there += got > 0 ? (size_t)got : 0;
		if (there == BSR_WIRE_HEADER_BYTES && wanted == there) {
			assert_int_equal(bsr_wire_header_decode(&h, message), 0);
			wanted += h.body_bytes;
		}
		if (there == wanted) {
			memcpy(body, message + BSR_WIRE_HEADER_BYTES, h.body_bytes);
			*bytes = h.body_bytes;
			return h.type;
		}
		run(1, NULL);
	}
	return 0;
}

static struct bsr_link_hello hand_made_hello(void)
{
	return (struct bsr_link_hello){.version_min = 1,
		.version_max = 1,
		.node_id = 1,
		.wanted_node_id = 0,
		.stream = 0,
		.direction = BSR_LINK_DIALER,
		.instance = 77,
		.attempt = 1,
		.cookie = "somethingrandom",
		.alg = "sha256",
		.resource = "r0"};
}

/* It gets a fresh challenge, sends the proof it has overheard before, or its own challenge's mirror: no way in. */
static void nobody_gets_in_without_the_secret(void **state)
{
	(void)state;
	uint8_t body[600], challenge[32] = {1}, proof[64];
	uint32_t bytes;
	struct bsr_link_auth *auth = bsr_link_auth_create();
	make_default_pair();
	dial(&node[0], 3600 * 1000 * MS);
	for (int kind = 0; kind < 4; kind++) {
		const struct bsr_link_hello hello = hand_made_hello();
		uint8_t mine[BSR_LINK_HELLO_BYTES_MAX], his[BSR_LINK_HELLO_BYTES_MAX];
		const int fd = raw_connect(node[0].port);
		const uint32_t mine_bytes = bsr_link_hello_encode(mine, &hello);
		raw_send(fd, 1, BSR_MSG_HELLO, mine, mine_bytes);
		raw_send(fd, 2, BSR_MSG_AUTH_CHALLENGE, challenge, 32);
		assert_int_equal(raw_receive(fd, his, &bytes), BSR_MSG_HELLO);
		const uint32_t his_bytes = bytes;
		assert_int_equal(raw_receive(fd, body, &bytes), BSR_MSG_AUTH_CHALLENGE);
		const struct bsr_link_transcript said = {{mine, his}, {mine_bytes, his_bytes}, {challenge, body}};
		const struct bsr_link_key key = {"sha256", kind == 0 ? "guess" : "geheim"};
		/* 1: right secret, but the acceptor's direction: what a reflection would yield */
		assert_int_equal(bsr_link_auth_prove(auth, &key, kind == 1 ? BSR_LINK_ACCEPTOR : BSR_LINK_DIALER, &said, proof), 32);
		/* 2: shortened; 3: all right, to show that the others fail for their reasons */
		raw_send(fd, 3, BSR_MSG_AUTH_RESPONSE, proof, kind == 2 ? 31 : 32);
		if (kind < 3) {
			enum bsr_link_refusal reason;
			assert_int_equal(raw_receive(fd, body, &bytes), BSR_MSG_LINK_REFUSED);
			assert_int_equal(bsr_link_refused_decode(&reason, body, bytes), 0);
			assert_int_equal(reason, BSR_REFUSE_AUTH);
			assert_int_equal(raw_receive(fd, body, &bytes), 0);
		} else {
			assert_int_equal(raw_receive(fd, body, &bytes), BSR_MSG_AUTH_RESPONSE);
		}
		close(fd);
	}
	assert_int_equal(node[0].downs + node[0].ups, 0);
	bsr_link_auth_destroy(auth);
	dial(&node[1], 0);
	assert_true(run(3000, both_up));
	end_pair();
}

/* Every message of establishment at a moment where it does not belong, each cut at every length. */
static void misplaced_messages_are_refused(void **state)
{
	(void)state;
	static const uint16_t types[] = {BSR_MSG_AUTH_CHALLENGE, BSR_MSG_AUTH_RESPONSE, BSR_MSG_LINK_READY,
		BSR_MSG_WRITE, BSR_MSG_PING, 0, 9999};
	uint8_t body[64] = {0};
	uint8_t answer[600];
	uint32_t bytes;
	make_default_pair();
	dial(&node[0], 3600 * 1000 * MS);
	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
		const int fd = raw_connect(node[0].port);
		raw_send(fd, 1, (enum bsr_msg_type)types[i], body, 32);
		assert_int_equal(raw_receive(fd, answer, &bytes), 0);
		close(fd);
	}
	assert_int_equal(bsr_links_rejected(node[0].links, NONE), sizeof(types) / sizeof(types[0]));
	const struct bsr_link_hello hello = hand_made_hello();
	uint8_t whole[BSR_LINK_HELLO_BYTES_MAX];
	const uint32_t whole_bytes = bsr_link_hello_encode(whole, &hello);
	for (uint32_t length = 0; length < whole_bytes; length += 9) { /* complete frames, cut bodies */
		const int fd = raw_connect(node[0].port);
		raw_send(fd, 1, BSR_MSG_HELLO, whole, length);
		assert_int_equal(raw_receive(fd, answer, &bytes), 0);
		close(fd);
	}
	assert_int_equal(node[0].downs + node[0].ups, 0);
	end_pair();
}

/* ----------------------------------------------------------------------- proxy */

struct proxy {
	pid_t pid;
	uint16_t port;
	int control; /* one byte: 'f' freeze, 'c' cut */
};

struct proxy_wire {
	int from, to;
	uint64_t passed;
};

struct proxy_plan {
	uint64_t flip_at; /* bit 3 of the byte at this place of dialer-to-acceptor bytes, counted over each connection */
	uint64_t cut_at;
	size_t piece_max; /* 0: whatever comes is passed on as it came */
};

static void proxy_pump(struct proxy_wire *w, const struct proxy_plan *plan)
{
	uint8_t data[65536];
	const size_t most = plan->piece_max > 0 ? 1 + random_u64() % plan->piece_max : sizeof(data);
	const ssize_t got = recv(w->from, data, most, MSG_DONTWAIT);
	if (got < 0) {
		return;
	}
	if (got == 0) {
		_exit(0);
	}
	const uint64_t first = w->passed, last = w->passed + (uint64_t)got;
	if (plan->flip_at >= first && plan->flip_at < last) {
		data[plan->flip_at - first] ^= 8;
	}
	size_t bytes = (size_t)got;
	if (plan->cut_at < last) {
		bytes = plan->cut_at > first ? (size_t)(plan->cut_at - first) : 0;
	}
	for (size_t at = 0; at < bytes;) {
		const ssize_t put = send(w->to, data + at, bytes - at, MSG_NOSIGNAL);
		if (put <= 0) {
			_exit(0);
		}
		at += (size_t)put;
	}
	w->passed = last;
	if (plan->cut_at < last) {
		_exit(0);
	}
}

static void proxy_run(int listener, int control, uint16_t to_port, const struct proxy_plan *plan)
{
	struct proxy_wire wire[64];
	size_t count = 0;
	const struct proxy_plan harmless = {.flip_at = UINT64_MAX, .cut_at = UINT64_MAX};
	for (;;) {
		struct pollfd p[66] = {{listener, POLLIN, 0}, {control, POLLIN, 0}};
		for (size_t i = 0; i < count; i++) {
			p[2 + i] = (struct pollfd){wire[i].from, POLLIN, 0};
		}
		if (poll(p, 2 + count, 20000) <= 0 || p[1].revents != 0) {
			char command = 'c';
			if (read(control, &command, 1) == 1 && command == 'f') {
				pause(); /* holds everything open and says nothing */
			}
			_exit(0);
		}
		for (size_t i = 0; i < count; i++) {
			if (p[2 + i].revents != 0) {
				proxy_pump(&wire[i], i % 2 == 0 ? plan : &harmless);
			}
		}
		if (p[0].revents != 0 && count + 2 <= 64) {
			const int in = accept(listener, NULL, NULL);
			const int out = socket(AF_INET, SOCK_STREAM, 0);
			const struct sockaddr_storage a = address_of(AF_INET, to_port);
			if (in < 0 || out < 0 || connect(out, (const struct sockaddr *)&a, sizeof(struct sockaddr_in)) != 0) {
				_exit(1);
			}
			wire[count++] = (struct proxy_wire){in, out, 0};
			wire[count++] = (struct proxy_wire){out, in, 0};
		}
	}
}

static struct proxy start_proxy(uint16_t to_port, const struct proxy_plan *plan)
{
	struct proxy proxy;
	int pipe_fds[2];
	assert_int_equal(pipe(pipe_fds), 0);
	const int listener = listen_somewhere(AF_INET, &proxy.port);
	proxy.pid = fork();
	assert_true(proxy.pid >= 0);
	if (proxy.pid == 0) {
		signal(SIGPIPE, SIG_IGN);
		for (int fd = 3; fd < 1024; fd++) {
			if (fd != listener && fd != pipe_fds[0]) {
				close(fd); /* or our own sockets would stay open in here */
			}
		}
		proxy_run(listener, pipe_fds[0], to_port, plan);
	}
	close(listener);
	close(pipe_fds[0]);
	proxy.control = pipe_fds[1];
	return proxy;
}

static void stop_proxy(struct proxy *proxy)
{
	close(proxy->control);
	kill(proxy->pid, SIGKILL);
	assert_int_equal(waitpid(proxy->pid, NULL, 0), proxy->pid);
}

/* Node 0 dials node 1 through the proxy, node 1 does not dial. */
static struct proxy make_proxied_pair(const struct proxy_plan *plan, const struct bsr_link_options *o)
{
	make_pair(AF_INET, o, o);
	struct proxy proxy = start_proxy(node[1].port, plan);
	point(0, proxy.port, AF_INET, o);
	dial(&node[0], 0);
	dial(&node[1], 3600 * 1000 * MS);
	return proxy;
}

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
			run(5, NULL); /* the pool is shared with the receiver here */
		}
		number++;
		node[0].payload_bytes += bytes;
		if (random_u64() % 4 == 0) {
			run(1, NULL);
		}
	}
	assert_true(run(10000, all_arrived));
	assert_false(node[1].damaged);
	assert_false(node[1].disordered);
	assert_int_equal(node[1].messages[0], 300);
	assert_true(node[0].sent_bytes[0] == node[0].payload_bytes + 300 * (40 + 48));
	end_pair();
}

/*
 * Runs of equal writes, of which the receiver makes an expectation, broken by everything else; cut into pieces at every
 * place by a proxy, and stopped by the receiver now and then.
 */
static void runs_of_equal_writes_land_right(void **state)
{
	(void)state;
	for (uint32_t checksums = 0; checksums < 2; checksums++) {
		const struct proxy_plan plan = {.flip_at = UINT64_MAX, .cut_at = UINT64_MAX, .piece_max = 9000};
		struct bsr_link_options o = options_of("sha256", "geheim");
		o.data_checksums = checksums != 0;
		struct proxy proxy = make_proxied_pair(&plan, &o);
		assert_true(run(3000, both_up));
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
			run(random_u64() % 4, NULL);
		}
		node[1].deaf[BSR_STREAM_DATA] = false;
		bsr_links_resume(node[1].links);
		assert_true(run(10000, all_arrived));
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
		run(5, NULL);
	}
	assert_int_equal(node[1].messages[0], 0);
	assert_true(bsr_links_queued_bytes(node[0].links, 1) > 0); /* the kernel did not take it all */
	send_ping(&node[0], node[1].last_nonce[1] + 1);
	run(100, NULL);
	assert_int_equal(node[1].messages[1], 1); /* control is not behind it */
	node[1].deaf[BSR_STREAM_DATA] = false;
	bsr_links_resume(node[1].links);
	assert_true(run(10000, all_arrived));
	assert_int_equal(node[1].messages[0], number);
	assert_false(node[1].damaged || node[1].disordered);
	end_pair();
}

static void an_empty_pool_only_delays(void **state)
{
	(void)state;
	make_default_pair();
	connect_pair();
	node[1].keep = true; /* 14 x 1 MiB stay with the receiver; the 16th and later ones wait for them */
	uint64_t number = 0;
	for (uint32_t round = 0; round < 400 && number < 40; round++) {
		if (send_write(&node[0], number + 1, (uint32_t)(number % 2 == 0 ? 1 << 20 : 16 << 10))) {
			node[0].payload_bytes += number % 2 == 0 ? 1 << 20 : 16 << 10;
			number++;
		}
		run(2, NULL);
		if (round % 40 == 39) {
			release_kept(&node[1]);
		}
	}
	assert_int_equal(number, 40);
	node[1].keep = false;
	release_kept(&node[1]);
	assert_true(run(10000, all_arrived));
	assert_int_equal(node[1].messages[0], 40);
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
			send_ping(&node[0], ++number); /* more than a ring's first size in some turns */
		}
		if (random_u64() % 8 == 0) {
			run(1, NULL);
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
	run(20, NULL);
	for (uint64_t i = 0; i < 2 * BSR_LINK_QUEUE_BYTES_MAX / 48 && node[0].up; i++) {
		send_ping(&node[0], i);
		if (i % 100000 == 0) {
			run(1, NULL);
		}
	}
	run(100, NULL);
	assert_false(node[0].up);
	assert_int_equal(node[0].reason, BSR_LINK_SILENT);
	assert_non_null(strstr(node[0].report, "queue"));
	end_pair();
}

/* ------------------------------------------------------------------------ ends */

static void draining_delivers_what_was_queued(void **state)
{
	(void)state;
	make_default_pair();
	connect_pair();
	for (uint64_t i = 1; i <= 8; i++) {
		assert_true(send_write(&node[0], i, 1 << 20));
		node[0].payload_bytes += 1 << 20;
	}
	send_ping(&node[0], 1);
	bsr_links_close(node[0].links, 1, node[0].link_number, true);
	node[0].up = false;
	const uint64_t begin_ns = now_ns();
	assert_true(run(3000, both_down));
	assert_true(now_ns() - begin_ns < 900 * MS); /* it does not sit its second out */
	assert_true(node[1].payload_bytes == 8u << 20);
	assert_int_equal(node[1].messages[1], 1);
	assert_false(node[1].damaged || node[1].disordered);
	assert_int_equal(node[1].reason, BSR_LINK_CLOSED);
	assert_int_equal(node[0].downs, 0); /* closed by its owner: no callback */
	run(50, NULL);
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
	run(50, NULL);
	bsr_links_close(node[0].links, 1, node[0].link_number, true);
	node[0].up = false;
	run(500, NULL);
	assert_true(bsr_pool_in_use(pool) > 0);
	run(800, NULL);
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
		assert_true(run(1000, some_down));
		assert_int_equal(node[0].reason, BSR_LINK_CLOSED);
		make_node(1, "r0", 1, AF_INET);
		point(1, port, AF_INET, &o);
		dial(&node[1], 0);
		assert_true(run(2000, both_up));
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
	assert_true(run(1000, both_down));
	assert_int_equal(node[0].downs, 0);
	assert_int_equal(node[1].reason, BSR_LINK_CLOSED);
	assert_int_equal(bsr_links_queued_bytes(node[0].links, 1), 0);
	dial(&node[1], 0);
	run(300, NULL);
	assert_non_null(strstr(node[1].report, "does not know this node"));
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
		assert_true(run(3000, both_up));
		node[1].downs = 0;
		for (uint64_t i = 1; i <= 20; i++) {
			assert_true(send_write(&node[0], i, 4096));
		}
		assert_true(run(3000, some_down));
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
	for (uint32_t at = 3; at < 304; at += 25) { /* HELLO 112, challenge, proof 72 each, LINK_READY 48 */
		const struct proxy_plan plan = {.flip_at = at, .cut_at = UINT64_MAX};
		const struct bsr_link_options o = options_of("sha256", "geheim");
		struct proxy proxy = make_proxied_pair(&plan, &o);
		run(300, NULL);
		assert_int_equal(node[0].ups + node[1].ups, 0);
		assert_int_equal(node[1].downs, 0);
		assert_int_equal(node[0].downs, 0); /* damage is no verdict: it goes on trying */
		stop_proxy(&proxy);
		point(0, node[1].port, AF_INET, &o); /* the good way */
		assert_true(run(4000, both_up));
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
		assert_true(run(3000, both_up));
		node[0].redial = node[1].redial = true;
		for (uint64_t i = 1; i <= 120; i++) {
			assert_true(send_write(&node[0], i, 4096));
		}
		assert_true(run(3000, both_gave_up)); /* each has noticed */
		assert_int_equal(node[0].reason, BSR_LINK_CLOSED);
		assert_int_equal(node[1].reason, BSR_LINK_CLOSED);
		assert_false(node[1].damaged || node[1].disordered);
		stop_proxy(&proxy);
		point(0, node[1].port, AF_INET, &o);
		assert_true(run(4000, both_up));
		assert_talks();
		end_pair();
	}
}

/* Its host died without a word, node 0 has not noticed yet: what proves itself anew displaces the old link at once. */
static void a_peer_that_came_back_displaces_its_old_link(void **state)
{
	(void)state;
	const struct proxy_plan plan = {.flip_at = UINT64_MAX, .cut_at = UINT64_MAX};
	const struct bsr_link_options o = options_of("sha256", "geheim");
	for (uint32_t same_process = 0; same_process < 2; same_process++) {
		struct proxy proxy = make_proxied_pair(&plan, &o);
		assert_true(run(3000, both_up));
		assert_int_equal(write(proxy.control, "f", 1), 1);
		run(50, NULL);
		node[0].redial = true;
		if (same_process) {
			bsr_links_close(node[1].links, 0, node[1].link_number, false);
			node[1].up = false;
		} else {
			bsr_links_destroy(node[1].links);
			make_node(1, "r0", 1, AF_INET);
			point(1, node[0].port, AF_INET, &o);
		}
		run(100, NULL);
		assert_true(node[0].up); /* it believes so */
		const uint64_t begin_ns = now_ns();
		dial(&node[1], 0);
		assert_true(run(2000, some_down));
		assert_true(run(2000, both_up));
		assert_true(now_ns() - begin_ns < 500 * MS);
		assert_int_equal(node[0].downs, 1);
		assert_int_equal(node[0].reason, BSR_LINK_CLOSED);
		assert_talks();
		stop_proxy(&proxy);
		end_pair();
	}
}

#define LINK_TEST(f) cmocka_unit_test_setup_teardown(f, start, stop)

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		LINK_TEST(both_ends_come_up_once),
		LINK_TEST(one_dialing_end_is_enough),
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
		LINK_TEST(garbage_changes_nothing),
		LINK_TEST(silent_strangers_do_not_lock_the_peer_out),
		LINK_TEST(nobody_gets_in_without_the_secret),
		LINK_TEST(misplaced_messages_are_refused),
		LINK_TEST(large_and_small_payloads_arrive_unchanged),
		LINK_TEST(runs_of_equal_writes_land_right),
		LINK_TEST(a_slow_receiver_slows_the_sender),
		LINK_TEST(an_empty_pool_only_delays),
		LINK_TEST(many_small_messages_keep_their_order),
		LINK_TEST(an_endless_queue_ends_the_link),
		LINK_TEST(draining_delivers_what_was_queued),
		LINK_TEST(draining_ends_after_a_second),
		LINK_TEST(a_peer_that_dies_is_noticed_and_comes_back),
		LINK_TEST(a_removed_peer_is_gone),
		LINK_TEST(a_flipped_bit_ends_the_link_and_changes_nothing),
		LINK_TEST(a_flipped_bit_during_establishment_is_survived),
		LINK_TEST(a_cut_link_comes_back),
		LINK_TEST(a_peer_that_came_back_displaces_its_old_link),
	};
	const char *word = argc >= 2 ? argv[1] : "";
	backend = strcmp(word, "uring") == 0 ? BSR_LOOP_URING : BSR_LOOP_THREADS;
	if (backend == BSR_LOOP_THREADS && strcmp(word, "threads") != 0) {
		(void)fprintf(stderr, "usage: link_test uring|threads [PATTERN]\n");
		return 2;
	}
	(void)unsetenv("BSR_LOOP_BACKEND");
	const char *given = getenv("BSR_TEST_SEED"); /* to see a failure again, as far as timing allows */
	seed = given != NULL ? (uint64_t)strtoull(given, NULL, 10) : (uint64_t)getpid() ^ now_ns();
	printf("seed %llu\n", (unsigned long long)seed);
	struct bsr_loop *probe = NULL;
	const struct bsr_loop_options options = {.backend = backend, .depth = 4, .lifeline_fd = -1};
	if (bsr_loop_create(&probe, &options) != 0) {
		return 77; /* the machine lacks it */
	}
	bsr_loop_destroy(probe);
	if (argc == 3) {
		cmocka_set_test_filter(argv[2]);
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
