// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * link_conn.c - one TCP connection until its far end has proved who it is
 *
 * Owns:       the steps HELLO, AUTH_CHALLENGE, AUTH_RESPONSE and their checks, on both sides.
 * Invariants:
 *   CONN-1  Nothing that an unproved far end says changes anything but this connection; the one
 *   exception is a
 *           refusal or mismatch on an address that we dialed because it is configured.
 *   CONN-2  The dialer proves itself before the acceptor does.
 *   CONN-3  Every step has a time limit.
 */
#include <errno.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#include <bsr/assert.h>
#include <bsr/log.h>

#include "link_internal.h"

#define MISMATCH_BYTES 480u /* two names of a resource and a sentence */
#define NOT_SENT_BYTES_MAX (4u << 20) /* unsent bytes that the kernel may hold per stream */

static void conn_ready(struct bsr_watch *watch, uint32_t events);

/* ------------------------------------------------------- beginning and end */

static struct conn *conn_new(struct bsr_links *links, int fd, enum bsr_link_direction direction)
{
	struct conn *conn = calloc(1, sizeof(*conn));
	if (conn != NULL) {
		conn->links = links;
		conn->direction = direction;
		conn->watch.fd = fd;
		conn->watch.ready = conn_ready;
		conn->watch.events = direction == BSR_LINK_DIALER ? POLLOUT : POLLIN;
		if (bsr_loop_watch(links->loop, &conn->watch) != 0) {
			free(conn);
			conn = NULL;
		}
	}
	return conn;
}

void bsr_conn_unlist(struct conn *conn)
{
	for (struct conn **at = &conn->links->strangers; *at != NULL; at = &(*at)->next) {
		if (*at == conn) {
			*at = conn->next;
			conn->next = NULL;
			conn->links->stranger_count--;
			return;
		}
	}
}

void bsr_conn_close(struct conn *conn, bool keep_fd)
{
	struct bsr_links *links = conn->links;
	BSR_ASSERT(!conn->dead);
	conn->dead = true;
	bsr_loop_unwatch(links->loop, &conn->watch);
	if (!keep_fd) {
		(void)close(conn->watch.fd);
	}
	bsr_conn_unlist(conn);
	conn->next = links->dead_conns;
	links->dead_conns = conn;
}

static void set_limit(struct conn *conn, uint64_t limit_ns)
{
	conn->deadline_ns = bsr_loop_now_ns(conn->links->loop) + limit_ns;
	bsr_links_touch(conn->links, conn->deadline_ns);
}

static void next_step(struct conn *conn, enum conn_phase phase)
{
	conn->phase = phase;
	set_limit(conn, conn->peer != NULL ? bsr_links_step_limit(conn->peer) : STEP_LIMIT_STRANGER_NS);
}

/* Advice to the kernel: where it is not taken, links are slower, not wrong. */
static void advise(int fd, int level, int option, int value)
{
	(void)setsockopt(fd, level, option, &value, sizeof(value));
}

void bsr_conn_tune(int fd, const struct peer *peer)
{
	/* we write whole batches; waiting for more would only cost time */
	advise(fd, IPPROTO_TCP, TCP_NODELAY, 1);
	advise(fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, NOT_SENT_BYTES_MAX);
	if (peer->options.tcp_user_timeout_s > 0) {
		advise(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, (int)(peer->options.tcp_user_timeout_s * 1000));
	}
	if (peer->options.rcvbuf_bytes > 0) {
		advise(fd, SOL_SOCKET, SO_RCVBUF, (int)peer->options.rcvbuf_bytes);
	}
}

static socklen_t address_bytes(const struct sockaddr_storage *address)
{
	return address->ss_family == AF_INET6 ? sizeof(struct sockaddr_in6) : sizeof(struct sockaddr_in);
}

static void clear_port(struct sockaddr_storage *address)
{
	if (address->ss_family == AF_INET6) {
		((struct sockaddr_in6 *)address)->sin6_port = 0;
	} else {
		((struct sockaddr_in *)address)->sin_port = 0;
	}
}

/* A connected or connecting socket, bound to our own address of @path; or -errno. */
static int open_socket(struct peer *peer, const struct bsr_link_path *path)
{
	struct sockaddr_storage local = path->local;
	char address[BSR_LINK_ADDRESS_BYTES];
	const int fd = socket(path->remote.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_TCP);
	if (fd < 0) {
		return -errno;
	}
	bsr_conn_tune(fd, peer);
	clear_port(&local);
	if (bind(fd, (const struct sockaddr *)&local, address_bytes(&local)) != 0) {
		const int error = errno;
		bsr_links_report(peer->links, BSR_LOGN_LINK_LOCAL, peer,
			"cannot use the local address %s toward peer %u: %s; is it configured on this host?",
			bsr_link_address(&local, address), peer->id, strerror(error));
		(void)close(fd);
		return -error;
	}
	if (connect(fd, (const struct sockaddr *)&path->remote, address_bytes(&path->remote)) != 0 &&
		errno != EINPROGRESS) {
		const int error = errno;
		(void)close(fd);
		return -error;
	}
	return fd;
}

static void make_hello(struct conn *conn, uint64_t attempt, const uint8_t *cookie)
{
	const struct peer *peer = conn->peer;
	struct bsr_link_hello hello = {
		.version_min = BSR_WIRE_VERSION_MIN,
		.version_max = BSR_WIRE_VERSION_MAX,
		.features = bsr_link_features(peer),
		.node_id = conn->links->node_id,
		.wanted_node_id = peer->id,
		.stream = conn->stream,
		.direction = (uint8_t)conn->direction,
		.instance = conn->links->instance,
		.attempt = attempt,
	};
	memcpy(hello.cookie, cookie, sizeof(hello.cookie));
	memcpy(hello.alg, peer->options.cram_hmac_alg, strlen(peer->options.cram_hmac_alg) + 1);
	memcpy(hello.resource, conn->links->resource, sizeof(hello.resource));
	const uint32_t mine = conn->direction - 1;
	conn->hello_bytes[mine] = bsr_link_hello_encode(conn->hello[mine], &hello);
}

int bsr_conn_dial(struct peer *peer, const struct bsr_link_path *path, uint8_t stream, const uint8_t *cookie)
{
	const int fd = open_socket(peer, path);
	if (fd < 0) {
		return fd;
	}
	struct conn *conn = conn_new(peer->links, fd, BSR_LINK_DIALER);
	if (conn == NULL) {
		(void)close(fd);
		return -ENOMEM;
	}
	conn->peer = peer;
	conn->stream = stream;
	conn->from = path->remote;
	conn->attempt = &peer->own;
	peer->own.conn[stream] = conn;
	make_hello(conn, peer->attempt_count, cookie);
	conn->phase = CONN_TCP;
	/* the retry interval: no two attempts overlap */
	set_limit(conn, peer->options.connect_int_s * SECOND_NS);
	return 0;
}

void bsr_conn_accept(struct bsr_links *links, int fd, const struct sockaddr_storage *from)
{
	if (links->stranger_count >= BSR_LINK_STRANGERS_MAX) {
		/* the oldest had the most time to prove itself */
		bsr_conn_close(links->strangers, false);
	}
	struct conn *conn = conn_new(links, fd, BSR_LINK_ACCEPTOR);
	if (conn == NULL) {
		(void)close(fd);
		return;
	}
	conn->from = *from;
	struct conn **end = &links->strangers;
	while (*end != NULL) {
		end = &(*end)->next;
	}
	*end = conn;
	links->stranger_count++;
	next_step(conn, CONN_HELLO);
}

/* ----------------------------------------------------------------- sending */

bool bsr_conn_send(struct conn *conn, enum bsr_msg_type type, const uint8_t *body, uint32_t bytes)
{
	uint8_t message[BSR_WIRE_HEADER_BYTES + BSR_LINK_BODY_BYTES_MAX];
	const struct bsr_wire_header h = {
		.version = BSR_WIRE_VERSION_MIN, .type = (uint16_t)type, .body_bytes = bytes};
	BSR_ASSERT(bytes <= BSR_LINK_BODY_BYTES_MAX);
	bsr_wire_header_encode(message, &h);
	bsr_wire_seal(message, ++conn->tx_sequence, ~bsr_crc32c_hw(~0u, body, bytes));
	memcpy(message + BSR_WIRE_HEADER_BYTES, body, bytes);
	const size_t all = BSR_WIRE_HEADER_BYTES + bytes;
	/*
	 * A fresh socket takes a few hundred bytes at once; one that does not is not worth waiting
	 * for.
	 */
	return send(conn->watch.fd, message, all, MSG_DONTWAIT | MSG_NOSIGNAL) == (ssize_t)all;
}

void bsr_conn_refuse(struct conn *conn, enum bsr_link_refusal reason)
{
	uint8_t body[8];
	(void)bsr_conn_send(conn, BSR_MSG_LINK_REFUSED, body, bsr_link_refused_encode(body, reason));
	bsr_conn_close(conn, false);
}

static bool send_hello(struct conn *conn)
{
	const uint32_t mine = conn->direction - 1;
	if (!bsr_conn_send(conn, BSR_MSG_HELLO, conn->hello[mine], conn->hello_bytes[mine])) {
		return false;
	}
	if (conn->peer->options.cram_hmac_alg[0] == '\0') {
		return true;
	}
	return bsr_link_auth_random(conn->challenge[mine], BSR_LINK_CHALLENGE_BYTES) &&
		bsr_conn_send(conn, BSR_MSG_AUTH_CHALLENGE, conn->challenge[mine], BSR_LINK_CHALLENGE_BYTES);
}

static uint32_t make_proof(struct conn *conn, enum bsr_link_direction whose, uint8_t *proof)
{
	const struct bsr_link_options *options = &conn->peer->options;
	const struct bsr_link_key key = {options->cram_hmac_alg, options->shared_secret};
	const struct bsr_link_transcript said = {
		.hello = {conn->hello[0], conn->hello[1]},
		.hello_bytes = {conn->hello_bytes[0], conn->hello_bytes[1]},
		.challenge = {conn->challenge[0], conn->challenge[1]},
	};
	return bsr_link_auth_prove(conn->links->auth, &key, whose, &said, proof);
}

static bool send_proof(struct conn *conn)
{
	uint8_t proof[BSR_LINK_PROOF_BYTES_MAX];
	const uint32_t bytes = make_proof(conn, conn->direction, proof);
	return bytes > 0 && bsr_conn_send(conn, BSR_MSG_AUTH_RESPONSE, proof, bytes);
}

/* ---------------------------------------------------------------- endings */

/* It is over, and not because of what it said. */
static void conn_lost(struct conn *conn, const char *why)
{
	struct attempt *attempt = conn->attempt;
	struct peer *peer = conn->peer;
	if (attempt != NULL) {
		bsr_attempt_failed(peer, attempt, why);
	} else {
		bsr_conn_close(conn, false);
	}
}

/* It said something it must not: @what, for people. */
static void conn_bad(struct conn *conn, const char *what)
{
	char address[BSR_LINK_ADDRESS_BYTES];
	const bool dialed = conn->direction == BSR_LINK_DIALER;
	const bool proved = conn->phase >= CONN_PROVED;
	if (dialed || proved) {
		conn->peer->rejected++;
	} else {
		conn->links->rejected++;
	}
	if (dialed) {
		bsr_peer_say(conn->peer, "what answers at %s %s", bsr_link_address(&conn->from, address), what);
	}
	bsr_links_report(conn->links, BSR_LOGN_LINK_STRANGER, dialed || proved ? conn->peer : NULL,
		"%s %s %s; closed (%s)", dialed ? "what answers at" : "connection from",
		bsr_link_address(&conn->from, address), what,
		dialed ? "check address and port of the peer in the configuration"
		       : "if that is no peer of this resource, keep it away from the port");
	conn_lost(conn, NULL);
}

/*
 * The two ends do not fit together. For whom we dialed this is final; somebody who dialed us proves
 * nothing by it and is only sent away.
 */
static void conn_mismatch(
	struct conn *conn, enum bsr_link_refusal answer, enum bsr_link_reason reason, const char *what)
{
	char address[BSR_LINK_ADDRESS_BYTES];
	struct bsr_links *links = conn->links;
	struct peer *peer = conn->peer;
	const uint32_t number = reason == BSR_LINK_AUTH ? BSR_LOGN_LINK_AUTH : BSR_LOGN_LINK_MISMATCH;
	(void)bsr_link_address(&conn->from, address);
	if (conn->direction == BSR_LINK_DIALER) {
		peer->rejected++;
		bsr_peer_say(peer, "%s: %s", address, what);
		bsr_links_report(links, number, peer, "peer %u at %s: %s", peer->id, address, what);
		bsr_links_give_up(peer, reason);
		return;
	}
	links->rejected++;
	bsr_links_report(links, number, NULL, "connection from %s refused: %s", address, what);
	bsr_conn_refuse(conn, answer);
}

void bsr_conn_expired(struct conn *conn)
{
	if (conn->phase == CONN_TCP) {
		conn_lost(conn, "does not answer");
	} else if (conn->attempt != NULL) {
		bsr_attempt_expired(conn->peer, conn->attempt);
	} else {
		conn_bad(conn, "said nothing useful in time");
	}
}

/* ------------------------------------------------------------------- HELLO */

static bool same_host(const struct sockaddr_storage *a, const struct sockaddr_storage *b)
{
	if (a->ss_family != b->ss_family) {
		return false;
	}
	if (a->ss_family == AF_INET6) {
		return memcmp(&((const struct sockaddr_in6 *)a)->sin6_addr,
			       &((const struct sockaddr_in6 *)b)->sin6_addr, sizeof(struct in6_addr)) == 0;
	}
	return ((const struct sockaddr_in *)a)->sin_addr.s_addr == ((const struct sockaddr_in *)b)->sin_addr.s_addr;
}

static bool address_is_configured(const struct peer *peer, const struct sockaddr_storage *from)
{
	for (uint32_t i = 0; i < peer->path_count; i++) {
		if (same_host(&peer->path[i].remote, from)) {
			return true;
		}
	}
	return false;
}

/* What both sides check of the other's HELLO; false: it has been dealt with. */
static bool hello_fits(struct conn *conn)
{
	const struct bsr_link_hello *his = &conn->his;
	const struct bsr_link_options *options = &conn->peer->options;
	if (his->version_max < BSR_WIRE_VERSION_MIN || his->version_min > BSR_WIRE_VERSION_MAX) {
		conn_mismatch(conn, BSR_REFUSE_VERSION, BSR_LINK_MISMATCH,
			"no common protocol version; install versions of bsr on both nodes that overlap");
		return false;
	}
	if (strcasecmp(his->alg, options->cram_hmac_alg) != 0) {
		conn_mismatch(conn, BSR_REFUSE_AUTH_CONFIG, BSR_LINK_AUTH,
			his->alg[0] == '\0'		     ? "it has no shared-secret and this node has; configure both alike"
			: options->cram_hmac_alg[0] == '\0' ? "it has a shared-secret and this node has not; configure "
							      "both alike"
							    : "its cram-hmac-alg is another one; configure both alike");
		return false;
	}
	return true;
}

static void answered_hello(struct conn *conn)
{
	struct bsr_link_hello mine;
	const struct bsr_link_hello *his = &conn->his;
	char what[MISMATCH_BYTES];
	const int r = bsr_link_hello_decode(&mine, conn->hello[0], conn->hello_bytes[0]);
	BSR_ASSERT(r == 0);
	if (his->direction != BSR_LINK_ACCEPTOR || his->stream != conn->stream || his->attempt != mine.attempt ||
		memcmp(his->cookie, mine.cookie, sizeof(mine.cookie)) != 0) {
		conn_bad(conn, "answers to something that was not said");
		return;
	}
	if (strcmp(his->resource, mine.resource) != 0) {
		snprintf(what, sizeof(what),
			"resource '%s' is served there, not '%s'; check addresses and ports in the configuration",
			his->resource, mine.resource);
		conn_mismatch(conn, BSR_REFUSE_RESOURCE, BSR_LINK_MISMATCH, what);
		return;
	}
	if (his->node_id != conn->peer->id || his->wanted_node_id != conn->links->node_id) {
		snprintf(what, sizeof(what),
			"node id %u answers there, looking for node id %u; here is node id %u looking for %u; check "
			"addresses and node-ids in the configuration of both nodes",
			his->node_id, his->wanted_node_id, conn->links->node_id, conn->peer->id);
		conn_mismatch(conn, BSR_REFUSE_NODE_ID, BSR_LINK_MISMATCH, what);
		return;
	}
	if (!hello_fits(conn)) {
		return;
	}
	if (conn->peer->options.cram_hmac_alg[0] != '\0') {
		next_step(conn, CONN_CHALLENGE);
	} else {
		next_step(conn, CONN_PROVED);
		bsr_attempt_proved(conn);
	}
}

/* Who is it that dials us? false: nobody we talk to; has been dealt with. */
static bool find_dialer(struct conn *conn)
{
	struct bsr_links *links = conn->links;
	const struct bsr_link_hello *his = &conn->his;
	char what[MISMATCH_BYTES];
	if (his->direction != BSR_LINK_DIALER) {
		conn_bad(conn, "answers to something that was not said");
		return false;
	}
	if (strcmp(his->resource, links->resource) != 0) {
		snprintf(what, sizeof(what),
			"it asks for resource '%s', here is '%s'; check addresses and ports in its configuration",
			his->resource, links->resource);
		conn_mismatch(conn, BSR_REFUSE_RESOURCE, BSR_LINK_MISMATCH, what);
		return false;
	}
	if (his->wanted_node_id != links->node_id) {
		snprintf(what, sizeof(what),
			"it asks for node id %u, here is node id %u; check addresses and node-ids in its configuration",
			his->wanted_node_id, links->node_id);
		conn_mismatch(conn, BSR_REFUSE_NODE_ID, BSR_LINK_MISMATCH, what);
		return false;
	}
	struct peer *peer = links->peer[his->node_id];
	if (peer == NULL || (peer->options.cram_hmac_alg[0] == '\0' && !address_is_configured(peer, &conn->from))) {
		snprintf(what, sizeof(what),
			"no peer with its node id, %u, is configured here; run 'bsradm adjust %s' if it should be",
			his->node_id, links->resource);
		conn_mismatch(conn, BSR_REFUSE_UNKNOWN_PEER, BSR_LINK_MISMATCH,
			peer == NULL ? what
				     : "this is not the configured address of the peer it says it is, and without a "
				       "shared-secret it cannot prove it");
		return false;
	}
	conn->peer = peer;
	conn->stream = his->stream;
	return true;
}

static void dialed_hello(struct conn *conn)
{
	if (!find_dialer(conn) || !hello_fits(conn)) {
		return;
	}
	bsr_conn_tune(conn->watch.fd, conn->peer);
	make_hello(conn, conn->his.attempt, conn->his.cookie);
	if (conn->peer->options.cram_hmac_alg[0] != '\0') {
		/* answered together with the challenge that follows */
		next_step(conn, CONN_CHALLENGE);
		return;
	}
	if (!send_hello(conn)) {
		conn_lost(conn, NULL);
		return;
	}
	next_step(conn, CONN_PROVED);
	bsr_attempt_proved(conn);
}

static void got_hello(struct conn *conn, const uint8_t *body, uint32_t bytes)
{
	const uint32_t theirs = 2 - conn->direction;
	if (bsr_link_hello_decode(&conn->his, body, bytes) != 0) {
		conn_bad(conn, "sent a malformed HELLO");
		return;
	}
	memcpy(conn->hello[theirs], body, bytes);
	conn->hello_bytes[theirs] = bytes;
	if (conn->direction == BSR_LINK_DIALER) {
		answered_hello(conn);
	} else {
		dialed_hello(conn);
	}
}

/* ---------------------------------------------------------- authentication */

static void got_challenge(struct conn *conn, const uint8_t *body, uint32_t bytes)
{
	const uint32_t mine = conn->direction - 1;
	const uint32_t theirs = 1 - mine;
	if (bytes != BSR_LINK_CHALLENGE_BYTES) {
		conn_bad(conn, "sent a malformed challenge");
		return;
	}
	memcpy(conn->challenge[theirs], body, bytes);
	const bool dialer = conn->direction == BSR_LINK_DIALER;
	if (dialer && memcmp(conn->challenge[0], conn->challenge[1], bytes) == 0) {
		conn_bad(conn, "sent my own challenge back");
		return;
	}
	if (!(dialer ? send_proof(conn) : send_hello(conn))) {
		conn_lost(conn, NULL);
		return;
	}
	next_step(conn, CONN_PROOF);
}

static void got_proof(struct conn *conn, const uint8_t *body, uint32_t bytes)
{
	uint8_t expected[BSR_LINK_PROOF_BYTES_MAX];
	const bool dialer = conn->direction == BSR_LINK_DIALER;
	const uint32_t expected_bytes = make_proof(conn, dialer ? BSR_LINK_ACCEPTOR : BSR_LINK_DIALER, expected);
	if (!bsr_link_auth_equal(body, bytes, expected, expected_bytes)) {
		conn_mismatch(conn, BSR_REFUSE_AUTH, BSR_LINK_AUTH,
			"the shared-secret differs from the one configured here; configure the same on both nodes");
		return;
	}
	if (!dialer && !send_proof(conn)) {
		conn_lost(conn, NULL);
		return;
	}
	next_step(conn, CONN_PROVED);
	bsr_attempt_proved(conn);
}

/* -------------------------------------------------- LINK_READY, LINK_REFUSED */

static void got_refused(struct conn *conn, const uint8_t *body, uint32_t bytes)
{
	enum bsr_link_refusal reason;
	char what[MISMATCH_BYTES];
	if (bsr_link_refused_decode(&reason, body, bytes) != 0) {
		conn_bad(conn, "sent a malformed refusal");
		return;
	}
	if (conn->direction != BSR_LINK_DIALER) {
		conn_lost(conn, NULL);
		return;
	}
	switch (reason) {
	case BSR_REFUSE_VERSION:
		conn_mismatch(conn, reason, BSR_LINK_MISMATCH,
			"it says: no common protocol version; install versions of bsr on both nodes that overlap");
		return;
	case BSR_REFUSE_RESOURCE:
		conn_mismatch(conn, reason, BSR_LINK_MISMATCH,
			"it serves another resource than this one; check addresses and ports in the configuration");
		return;
	case BSR_REFUSE_NODE_ID:
		snprintf(what, sizeof(what),
			"it has not the node id %u; check addresses and node-ids in the configuration of both nodes",
			conn->peer->id);
		conn_mismatch(conn, reason, BSR_LINK_MISMATCH, what);
		return;
	case BSR_REFUSE_AUTH:
		conn_mismatch(conn, reason, BSR_LINK_AUTH,
			"it says: the shared-secret differs; configure the same on both nodes");
		return;
	case BSR_REFUSE_AUTH_CONFIG:
		conn_mismatch(conn, reason, BSR_LINK_AUTH,
			"it says: cram-hmac-alg or shared-secret are configured on one side only, or differ; "
			"configure both alike");
		return;
	case BSR_REFUSE_UNKNOWN_PEER:
		conn_lost(conn, "does not know this node or its address (yet)");
		return;
	case BSR_REFUSE_NOT_NOW:
		conn_lost(conn, "is not connecting at the moment");
		return;
	case BSR_REFUSE_CROSSED:
		conn_lost(conn, NULL);
		return;
	}
}

static void got_ready(struct conn *conn, const uint8_t *body, uint32_t bytes)
{
	if (bsr_link_ready_decode(&conn->his_attempts, body, bytes) != 0) {
		conn_bad(conn, "sent a malformed LINK_READY");
		return;
	}
	conn->phase = CONN_READY;
	if (bsr_loop_watch_change(conn->links->loop, &conn->watch, 0) != 0) {
		conn_lost(conn, NULL);
		return;
	}
	bsr_attempt_ready(conn);
}

/* ------------------------------------------------------------------- input */

static void take_message(struct conn *conn, const struct bsr_wire_header *h, const uint8_t *body)
{
	const bool refused = h->type == BSR_MSG_LINK_REFUSED;
	if (refused) {
		got_refused(conn, body, h->body_bytes);
	} else if (conn->phase == CONN_HELLO && h->type == BSR_MSG_HELLO) {
		got_hello(conn, body, h->body_bytes);
	} else if (conn->phase == CONN_CHALLENGE && h->type == BSR_MSG_AUTH_CHALLENGE) {
		got_challenge(conn, body, h->body_bytes);
	} else if (conn->phase == CONN_PROOF && h->type == BSR_MSG_AUTH_RESPONSE) {
		got_proof(conn, body, h->body_bytes);
	} else if (conn->phase == CONN_PROVED && h->type == BSR_MSG_LINK_READY) {
		got_ready(conn, body, h->body_bytes);
	} else {
		conn_bad(conn, "sent a message that has no place there");
	}
}

/* One message out of conn->rx; false: none complete, or the connection is over. */
static bool parse_one(struct conn *conn)
{
	struct bsr_wire_header h;
	if (conn->dead || conn->phase == CONN_READY || conn->rx_bytes < BSR_WIRE_HEADER_BYTES) {
		return false;
	}
	if (bsr_wire_header_decode(&h, conn->rx) != 0 || h.body_bytes > BSR_LINK_BODY_BYTES_MAX ||
		h.payload_bytes != 0 || h.sequence != conn->rx_sequence + 1) {
		conn_bad(conn, "does not speak this protocol");
		return false;
	}
	const uint32_t all = BSR_WIRE_HEADER_BYTES + h.body_bytes;
	if (conn->rx_bytes < all) {
		return false;
	}
	uint8_t body[BSR_LINK_BODY_BYTES_MAX];
	memcpy(body, conn->rx + BSR_WIRE_HEADER_BYTES, h.body_bytes);
	if (~bsr_crc32c_hw(~0u, body, h.body_bytes) != h.content_crc) {
		conn_bad(conn, "sent a message whose checksum does not match");
		return false;
	}
	conn->rx_sequence = h.sequence;
	conn->rx_bytes -= all;
	memmove(conn->rx, conn->rx + all, conn->rx_bytes);
	take_message(conn, &h, body);
	return true;
}

static void conn_read(struct conn *conn)
{
	ssize_t got;
	BSR_ASSERT(conn->rx_bytes < CONN_RX_BYTES); /* a complete message is always smaller */
	do {
		got = recv(conn->watch.fd, conn->rx + conn->rx_bytes, CONN_RX_BYTES - conn->rx_bytes, MSG_DONTWAIT);
	} while (got < 0 && errno == EINTR);
	if (got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) {
		return;
	}
	if (got <= 0) {
		if (conn->rx_bytes > 0) {
			conn_bad(conn, "closed in the middle of a message");
		} else {
			conn_lost(conn, "closes the connection before the link stands");
		}
		return;
	}
	conn->rx_bytes += (uint32_t)got;
	while (parse_one(conn)) {
	}
}

static void conn_connected(struct conn *conn)
{
	int error = 0;
	socklen_t bytes = sizeof(error);
	if (getsockopt(conn->watch.fd, SOL_SOCKET, SO_ERROR, &error, &bytes) != 0) {
		error = errno;
	}
	if (error != 0) {
		conn_lost(conn, strerror(error));
		return;
	}
	if (bsr_loop_watch_change(conn->links->loop, &conn->watch, POLLIN) != 0 || !send_hello(conn)) {
		conn_lost(conn, "closes the connection before the link stands");
		return;
	}
	next_step(conn, CONN_HELLO);
}

static void conn_ready(struct bsr_watch *watch, uint32_t events)
{
	struct conn *conn = (struct conn *)watch;
	(void)events;
	if (conn->phase == CONN_TCP) {
		conn_connected(conn);
	} else if (conn->phase != CONN_READY) {
		conn_read(conn);
	}
}
