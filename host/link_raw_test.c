// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * link_raw_test.c - strangers, and peers made by hand that misbehave
 *
 * Usage: link_raw_test uring|threads [PATTERN]
 */
#include <arpa/inet.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>

#include "link_auth.h"
#include "link_wire.h"

#include "link_test_support.h"

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
		run_turns(2, NULL);
		close(fd);
		run_turns(2, NULL);
	}
	for (int i = 0; i < 2; i++) {
		rejected += bsr_links_rejected(node[i].links, NONE);
		assert_int_equal(bsr_links_rejected(node[i].links, (uint32_t)(1 - i)), 0);
		assert_true(node[i].reports >= 1 && node[i].reports <= 14); /* not one for each */
		assert_int_equal(node[i].downs, 0);
	}
	/* a few bytes and a close count as well, an empty visit would not */
	assert_true(rejected >= 38);
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
		run_turns(1, NULL);
	}
	node_dial(&node[0], AN_HOUR);
	node_dial(&node[1], 0);
	assert_true(run_turns(3000, both_up));
	assert_talks();
	uint32_t closed = 0;
	for (size_t i = 0; i < 100; i++) {
		char byte;
		closed += recv(fd[i], &byte, 1, MSG_DONTWAIT) == 0;
	}
	assert_true(closed >= 100 - BSR_LINK_STRANGERS_MAX);
	run_turns(2500, NULL); /* the rest runs into its time limit */
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
		run_turns(1, NULL);
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

/*
 * It gets a fresh challenge, sends the proof it has overheard before, or its own challenge's
 * mirror: no way in.
 */
static void nobody_gets_in_without_the_secret(void **state)
{
	(void)state;
	uint8_t body[600], challenge[32] = {1}, proof[64];
	uint32_t bytes;
	struct bsr_link_auth *auth = bsr_link_auth_create();
	make_default_pair();
	node_dial(&node[0], AN_HOUR);
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
	node_dial(&node[1], 0);
	assert_true(run_turns(3000, both_up));
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
	node_dial(&node[0], AN_HOUR);
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
	/* complete frames, cut bodies */
	for (uint32_t length = 0; length < whole_bytes; length += 9) {
		const int fd = raw_connect(node[0].port);
		raw_send(fd, 1, BSR_MSG_HELLO, whole, length);
		assert_int_equal(raw_receive(fd, answer, &bytes), 0);
		close(fd);
	}
	assert_int_equal(node[0].downs + node[0].ups, 0);
	end_pair();
}

/* ------------------------------------------------------------ a link made by hand */

struct raw_link {
	int fd[2];
	uint64_t sent[2]; /* messages */
};

static void raw_put(struct raw_link *raw, uint32_t stream, enum bsr_msg_type type, const uint8_t *body, uint32_t bytes)
{
	raw_send(raw->fd[stream], ++raw->sent[stream], type, body, bytes);
}

static int raw_hello(uint32_t stream, uint64_t instance, uint64_t attempt)
{
	uint8_t body[600];
	struct bsr_link_hello hello = hand_made_hello();
	hello.alg[0] = '\0';
	hello.stream = (uint8_t)stream;
	hello.instance = instance;
	hello.attempt = attempt;
	hello.cookie[0] = (uint8_t)attempt;
	const int fd = raw_connect(node[0].port);
	raw_send(fd, 1, BSR_MSG_HELLO, body, bsr_link_hello_encode(body, &hello));
	return fd;
}

static struct raw_link raw_open(uint64_t instance, uint64_t attempt)
{
	uint8_t body[600];
	uint32_t bytes;
	struct raw_link raw = {{-1, -1}, {1, 1}};
	for (uint32_t s = 0; s < 2; s++) {
		raw.fd[s] = raw_hello(s, instance, attempt);
		assert_int_equal(raw_receive(raw.fd[s], body, &bytes), BSR_MSG_HELLO);
	}
	return raw;
}

static void raw_close(struct raw_link *raw)
{
	close(raw->fd[0]);
	close(raw->fd[1]);
}

/* The answer to node 0's decision; @begun: what this peer says it has begun. */
static void raw_finish(struct raw_link *raw, uint64_t begun)
{
	uint8_t body[600];
	uint32_t bytes;
	for (uint32_t s = 0; s < 2; s++) {
		assert_int_equal(raw_receive(raw->fd[s], body, &bytes), BSR_MSG_LINK_READY);
	}
	for (uint32_t s = 0; s < 2; s++) {
		raw_put(raw, s, BSR_MSG_LINK_READY, body, bsr_link_ready_encode(body, begun));
	}
	for (uint32_t i = 0; i < 500 && !node[0].up; i++) {
		run_turns(2, NULL);
	}
	assert_true(node[0].up);
}

static void make_lone_node(void)
{
	const struct bsr_link_options o = options_of("", "");
	make_node(0, "r0", 0, AF_INET);
	point_node(0, 9, AF_INET, &o); /* nobody answers there */
}

static struct raw_link make_raw_link(void)
{
	make_lone_node();
	node_dial(&node[0], AN_HOUR);
	struct raw_link raw = raw_open(77, 1);
	raw_finish(&raw, 1);
	return raw;
}

static void end_lone_node(struct raw_link *raw)
{
	if (raw != NULL) {
		raw_close(raw);
	}
	bsr_links_destroy(node[0].links);
	node[0].links = NULL;
	assert_int_equal(bsr_pool_in_use(pool), 0);
}

/* A ping whose header is damaged at @at, with checksums that fit again when @repaired. */
static void send_damaged_ping(struct raw_link *raw, uint32_t at, uint8_t value, bool repaired)
{
	uint8_t message[64];
	const struct bsr_msg_ping ping = {5};
	const uint32_t bytes = bsr_msg_ping_encode(message, sizeof(message), BSR_MSG_PING, 0, &ping);
	bsr_wire_seal(message, raw->sent[1] + 1, ~bsr_crc32c(~0u, message + BSR_WIRE_HEADER_BYTES, 8));
	message[at] = value;
	if (repaired) {
		const uint32_t crc = ~bsr_crc32c(~0u, message, 36);
		for (uint32_t i = 0; i < 4; i++) {
			message[36 + i] = (uint8_t)(crc >> (24 - 8 * i));
		}
	}
	assert_int_equal(send(raw->fd[1], message, bytes, MSG_NOSIGNAL), bytes);
}

static void every_kind_of_bad_message_ends_the_link(void **state)
{
	(void)state;
	static const struct {
		uint32_t at;
		uint8_t value;
		bool repaired;
		const char *words;
	} cases[] = {
		{0, 'x', false, "does not begin like a message"},
		{20, 9, false, "header checksum"},
		{4, 2, true, "protocol version"},
		{8, 1, true, "longer than any message"},
		{12, 0x7f, true, "longer than any message"},
		{23, 99, true, "out of order"},
		{7, 47, true, "unknown or misplaced"},
		{7, BSR_MSG_HELLO, true, "unknown or misplaced"},
		{7, BSR_MSG_WRITE, true, "other stream"},
		{27, 0, true, "content checksum"},
		{44, 0xff, false, "content checksum"},
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct raw_link raw = make_raw_link();
		send_damaged_ping(&raw, cases[i].at, cases[i].value, cases[i].repaired);
		run_turns(50, NULL);
		assert_int_equal(node[0].downs, 1);
		assert_int_equal(node[0].reason, BSR_LINK_BAD_MESSAGE);
		assert_int_equal(node[0].messages[1], 0);
		assert_int_equal(bsr_links_rejected(node[0].links, 1), 1);
		if (strstr(node[0].report, cases[i].words) == NULL) {
			fail_msg("case %zu without \"%s\": %s", i, cases[i].words, node[0].report);
		}
		end_lone_node(&raw);
	}
}

static void send_write_by_hand(struct raw_link *raw, uint64_t number, uint32_t bytes, bool damaged)
{
	static uint8_t message[(1 << 20) + 256];
	const struct bsr_msg_write w = {.write_seq = number, .length = bytes, .op = BSR_OP_WRITE};
	const uint32_t head = bsr_msg_write_encode(message, 256, BSR_MSG_WRITE, bytes, &w);
	memset(message + head, (int)number, bytes);
	/* without the feature the content checksum covers the body only */
	bsr_wire_seal(message, ++raw->sent[0], ~bsr_crc32c(~0u, message + BSR_WIRE_HEADER_BYTES, head - 40));
	message[head - 8] ^= damaged;
	for (size_t at = 0; at < head + bytes;) {
		const ssize_t put = send(raw->fd[0], message + at, head + bytes - at, MSG_DONTWAIT | MSG_NOSIGNAL);
		if (put > 0) {
			at += (size_t)put;
		} else {
			run_turns(1, NULL);
		}
	}
}

static void a_damaged_body_is_found_wherever_its_payload_lands(void **state)
{
	(void)state;
	static const uint32_t sizes[] = {512, 4096, 40960, 1 << 20};
	for (size_t size = 0; size < 4; size++) {
		/* with and without an expectation */
		for (uint64_t good = 0; good < 12; good += 5) {
			struct raw_link raw = make_raw_link();
			node[0].ignore_content = true;
			for (uint64_t i = 1; i <= good; i++) {
				send_write_by_hand(&raw, i, sizes[size], false);
				for (uint32_t tries = 0; tries < 500 && node[0].messages[0] < i; tries++) {
					run_turns(1, NULL);
				}
			}
			send_write_by_hand(&raw, good + 1, sizes[size], true);
			assert_true(run_turns(5000, some_down));
			assert_int_equal(node[0].messages[0], good);
			assert_int_equal(node[0].downs, 1);
			assert_int_equal(node[0].reason, BSR_LINK_BAD_MESSAGE);
			assert_non_null(strstr(node[0].report, "content checksum"));
			end_lone_node(&raw);
		}
	}
}

static void one_ended_stream_ends_the_link(void **state)
{
	(void)state;
	for (uint32_t s = 0; s < 2; s++) {
		struct raw_link raw = make_raw_link();
		shutdown(raw.fd[s], SHUT_WR);
		run_turns(300, NULL);
		/* the other one may still have something to say */
		assert_int_equal(node[0].downs, 0);
		const struct bsr_msg_ping ping = {1};
		uint8_t message[64];
		bsr_msg_ping_encode(message, sizeof(message), BSR_MSG_PING, 0, &ping);
		if (s == 0) {
			raw_put(&raw, 1, BSR_MSG_PING, message + BSR_WIRE_HEADER_BYTES, 8);
		}
		run_turns(1200, NULL);
		assert_int_equal(node[0].messages[1], s == 0);
		assert_int_equal(node[0].downs, 1);
		assert_int_equal(node[0].reason, BSR_LINK_CLOSED);
		end_lone_node(&raw);
	}
}

static bool raw_is_refused(int fd, enum bsr_link_refusal reason)
{
	uint8_t body[600];
	uint32_t bytes;
	enum bsr_link_refusal got = BSR_REFUSE_VERSION;
	return raw_receive(fd, body, &bytes) == BSR_MSG_LINK_REFUSED &&
		bsr_link_refused_decode(&got, body, bytes) == 0 && got == reason;
}

static void only_a_newer_attempt_displaces_a_link(void **state)
{
	(void)state;
	make_lone_node();
	node_dial(&node[0], AN_HOUR);
	struct raw_link raw = raw_open(77, 5);
	raw_finish(&raw, 8); /* attempts up to 8 had begun when the link came up */
	struct raw_link old = raw_open(77, 8);
	assert_true(raw_is_refused(old.fd[0], BSR_REFUSE_CROSSED));
	assert_true(raw_is_refused(old.fd[1], BSR_REFUSE_CROSSED));
	raw_close(&old);
	assert_int_equal(node[0].downs, 0);
	struct raw_link newer = raw_open(77, 9);
	run_turns(20, NULL);
	assert_int_equal(node[0].downs, 1);
	assert_int_equal(node[0].reason, BSR_LINK_CLOSED);
	node_dial(&node[0], AN_HOUR);
	raw_finish(&newer, 9);
	struct raw_link restarted = raw_open(78, 1); /* another process counts from the beginning */
	run_turns(20, NULL);
	assert_int_equal(node[0].downs, 2);
	raw_close(&raw);
	raw_close(&restarted);
	end_lone_node(&newer);
}

static void half_an_attempt_gives_way_to_a_newer_one_only(void **state)
{
	(void)state;
	uint8_t body[600];
	uint32_t bytes;
	make_lone_node();
	node_dial(&node[0], AN_HOUR);
	const int first = raw_hello(0, 77, 5);
	assert_int_equal(raw_receive(first, body, &bytes), BSR_MSG_HELLO);
	const int twice = raw_hello(0, 77, 5);
	assert_int_equal(raw_receive(twice, body, &bytes), BSR_MSG_HELLO);
	assert_true(raw_is_refused(twice, BSR_REFUSE_CROSSED));
	const int older = raw_hello(1, 77, 4);
	assert_int_equal(raw_receive(older, body, &bytes), BSR_MSG_HELLO);
	assert_true(raw_is_refused(older, BSR_REFUSE_CROSSED));
	struct raw_link newer = raw_open(77, 6);
	assert_int_equal(raw_receive(first, body, &bytes), 0); /* given up */
	raw_finish(&newer, 6);
	close(first);
	close(twice);
	close(older);
	end_lone_node(&newer);
}

static void a_decision_that_is_not_the_peers_is_refused(void **state)
{
	(void)state;
	uint8_t body[600];
	uint32_t bytes;
	make_lone_node(); /* does not want a link yet; decides as the lower id */
	struct raw_link raw = raw_open(77, 1);
	raw_put(&raw, 0, BSR_MSG_LINK_READY, body, bsr_link_ready_encode(body, 1));
	assert_int_equal(raw_receive(raw.fd[0], body, &bytes), 0);
	assert_int_equal(raw_receive(raw.fd[1], body, &bytes), 0);
	assert_int_equal(node[0].ups, 0);
	end_lone_node(&raw);
}

/* -------------------------------------------------- what answers where node 0 dials */

/*
 * A listener; *@fd: the connection for the data stream after node 0's HELLO and challenge have been
 * read.
 */
struct raw_listener {
	int listener;
	int fd[2]; /* by order of arrival */
	struct bsr_link_hello hello;
	uint8_t hello_body[600], challenge[64];
	uint32_t hello_bytes;
};

static struct raw_listener listen_for_node(const char *alg)
{
	struct raw_listener l = {.fd = {-1, -1}};
	uint16_t port;
	uint32_t bytes;
	const struct bsr_link_options o = options_of(alg, "geheim");
	make_node(0, "r0", 0, AF_INET);
	l.listener = listen_somewhere(AF_INET, &port);
	point_node(0, port, AF_INET, &o);
	node_dial(&node[0], 0);
	for (uint32_t i = 0; i < 2; i++) {
		for (uint32_t tries = 0; tries < 500 && l.fd[i] < 0; tries++) {
			run_turns(1, NULL);
			l.fd[i] = accept(l.listener, NULL, NULL);
		}
		assert_true(l.fd[i] >= 0);
	}
	assert_int_equal(raw_receive(l.fd[0], l.hello_body, &l.hello_bytes), BSR_MSG_HELLO);
	assert_int_equal(bsr_link_hello_decode(&l.hello, l.hello_body, l.hello_bytes), 0);
	if (alg[0] != '\0') {
		assert_int_equal(raw_receive(l.fd[0], l.challenge, &bytes), BSR_MSG_AUTH_CHALLENGE);
	}
	return l;
}

static void close_listener(struct raw_listener *l)
{
	close(l->fd[0]);
	close(l->fd[1]);
	close(l->listener);
	end_lone_node(NULL);
}

/* The HELLO that fits to the one received. */
static struct bsr_link_hello fitting_answer(const struct raw_listener *l)
{
	struct bsr_link_hello h = l->hello;
	h.node_id = 1;
	h.wanted_node_id = 0;
	h.direction = BSR_LINK_ACCEPTOR;
	h.instance = 99;
	return h;
}

static void refusals_mean_what_they_say(void **state)
{
	(void)state;
	static const struct {
		enum bsr_link_refusal refusal;
		int reason; /* -1: tries again */
	} cases[] = {
		{BSR_REFUSE_VERSION, BSR_LINK_MISMATCH},
		{BSR_REFUSE_RESOURCE, BSR_LINK_MISMATCH},
		{BSR_REFUSE_NODE_ID, BSR_LINK_MISMATCH},
		{BSR_REFUSE_UNKNOWN_PEER, -1},
		{BSR_REFUSE_AUTH, BSR_LINK_AUTH},
		{BSR_REFUSE_AUTH_CONFIG, BSR_LINK_AUTH},
		{BSR_REFUSE_NOT_NOW, -1},
		{BSR_REFUSE_CROSSED, -1},
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct raw_listener l = listen_for_node("sha256");
		uint8_t body[8];
		raw_send(l.fd[0], 1, BSR_MSG_LINK_REFUSED, body, bsr_link_refused_encode(body, cases[i].refusal));
		run_turns(50, NULL);
		assert_int_equal(node[0].downs, cases[i].reason >= 0);
		if (cases[i].reason >= 0) {
			assert_int_equal(node[0].reason, cases[i].reason);
			assert_true(strlen(node[0].report) > 40);
		}
		close_listener(&l);
	}
}

/* What a wrong answer at a configured address leads to: @reason, or -1 for another try. */
static void expect_after_answer(const struct bsr_link_hello *answer, struct raw_listener *l, int reason)
{
	uint8_t body[600];
	raw_send(l->fd[0], 1, BSR_MSG_HELLO, body, bsr_link_hello_encode(body, answer));
	run_turns(50, NULL);
	assert_int_equal(node[0].ups, 0);
	assert_int_equal(node[0].downs, reason >= 0);
	if (reason >= 0) {
		assert_int_equal(node[0].reason, reason);
	}
	assert_int_equal(bsr_links_rejected(node[0].links, 1), 1);
	close_listener(l);
}

static void wrong_answers_are_told_apart(void **state)
{
	(void)state;
	for (uint32_t what = 0; what < 8; what++) {
		struct raw_listener l = listen_for_node("sha256");
		struct bsr_link_hello h = fitting_answer(&l);
		static const int reasons[] = {BSR_LINK_MISMATCH, BSR_LINK_MISMATCH, BSR_LINK_MISMATCH, BSR_LINK_AUTH,
			BSR_LINK_AUTH, -1, -1, -1};
		switch (what) {
		case 0:
			memcpy(h.resource, "r1", 3);
			break;
		case 1:
			h.node_id = 2;
			break;
		case 2:
			h.version_min = h.version_max = 9;
			break;
		case 3:
			h.alg[0] = '\0';
			break;
		case 4:
			memcpy(h.alg, "sha512", 7);
			break;
		case 5:
			h.cookie[3] ^= 1;
			break;
		case 6:
			h.stream = 1 - h.stream;
			break;
		case 7:
			h.direction = BSR_LINK_DIALER;
			break;
		}
		expect_after_answer(&h, &l, reasons[what]);
	}
}

/* kind 0: my challenge sent back; 1: too short; 2: a proof that is wrong; 3: nothing more comes. */
static void false_acceptors_get_no_link(void **state)
{
	(void)state;
	for (uint32_t kind = 0; kind < 4; kind++) {
		struct raw_listener l = listen_for_node("sha256");
		const struct bsr_link_hello h = fitting_answer(&l);
		uint8_t body[600], challenge[32] = {1, 2, 3};
		uint32_t bytes;
		raw_send(l.fd[0], 1, BSR_MSG_HELLO, body, bsr_link_hello_encode(body, &h));
		raw_send(l.fd[0], 2, BSR_MSG_AUTH_CHALLENGE, kind == 0 ? l.challenge : challenge, kind == 1 ? 31 : 32);
		if (kind >= 2) {
			assert_int_equal(raw_receive(l.fd[0], body, &bytes), BSR_MSG_AUTH_RESPONSE);
		}
		if (kind == 2) {
			/* its own proof, reflected */
			raw_send(l.fd[0], 3, BSR_MSG_AUTH_RESPONSE, body, bytes);
		}
		run_turns(kind == 3 ? 2300 : 50, NULL);
		assert_int_equal(node[0].ups, 0);
		assert_int_equal(node[0].downs, kind == 2);
		if (kind == 3) {
			assert_non_null(strstr(node[0].report, "in time"));
		}
		close_listener(&l);
	}
}

/* ----------------------------------------------------------------------- the host */

static void an_address_that_is_not_here_is_named(void **state)
{
	(void)state;
	const struct bsr_link_options o = options_of("", "");
	make_node(0, "r0", 0, AF_INET);
	struct bsr_link_path path = {address_of(AF_INET, 0), address_of(AF_INET, 9)};
	/* 192.0.2.1, for documentation */
	((struct sockaddr_in *)&path.local)->sin_addr.s_addr = htonl(0xc0000201);
	assert_int_equal(bsr_links_set_peer(node[0].links, 1, &path, 1, &o), 0);
	node_dial(&node[0], 0);
	run_turns(50, NULL);
	assert_int_equal(node[0].downs, 0);
	assert_int_equal(node[0].reports, 2); /* the address, and that the peer cannot be reached */
	assert_non_null(strstr(bsr_links_said(node[0].links, 1), "not configured on this host"));
	end_lone_node(NULL);
}

static void too_few_descriptors_only_delay(void **state)
{
	(void)state;
	make_default_pair();
	node_dial(&node[0], AN_HOUR);
	struct rlimit before, low;
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
	const int visitor = raw_connect(node[0].port);
	low = before;
	const int next = dup(visitor);
	close(next);
	low.rlim_cur = (rlim_t)next; /* not one more */
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &low), 0);
	const uint64_t cpu = (uint64_t)clock();
	run_turns(500, NULL);
	assert_true((uint64_t)clock() - cpu < CLOCKS_PER_SEC / 5); /* it does not spin */
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
	assert_non_null(strstr(node[0].report, "open files"));
	node_dial(&node[1], 0);
	assert_true(run_turns(4000, both_up));
	close(visitor);
	end_pair();
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		LINK_TEST(garbage_changes_nothing),
		LINK_TEST(silent_strangers_do_not_lock_the_peer_out),
		LINK_TEST(nobody_gets_in_without_the_secret),
		LINK_TEST(misplaced_messages_are_refused),
		LINK_TEST(every_kind_of_bad_message_ends_the_link),
		LINK_TEST(a_damaged_body_is_found_wherever_its_payload_lands),
		LINK_TEST(one_ended_stream_ends_the_link),
		LINK_TEST(only_a_newer_attempt_displaces_a_link),
		LINK_TEST(half_an_attempt_gives_way_to_a_newer_one_only),
		LINK_TEST(a_decision_that_is_not_the_peers_is_refused),
		LINK_TEST(refusals_mean_what_they_say),
		LINK_TEST(wrong_answers_are_told_apart),
		LINK_TEST(false_acceptors_get_no_link),
		LINK_TEST(an_address_that_is_not_here_is_named),
		LINK_TEST(too_few_descriptors_only_delay),
	};
	const int r = link_test_begin(argc, argv);
	return r != 0 ? r : cmocka_run_group_tests(tests, NULL, NULL);
}
