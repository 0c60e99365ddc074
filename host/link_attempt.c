// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * link_attempt.c - two proved connections become a link; of crossing attempts one wins
 *
 * Owns:       the attempts of a peer (my own, and the peer's), the choice between them, retries.
 * Invariants:
 *   ATT-1  Only the node with the lower id chooses, and it has at most one chosen attempt. So both
 *          ends agree on the link, whatever the network does with the messages of the other
 *          attempt.
 *   ATT-2  While the owner wants a link, there is an attempt under way or a time for the next one.
 *   ATT-3  A proved attempt displaces a standing link only if the peer began it after that link
 *          stood.
 */
#include <errno.h>
#include <string.h>

#include <bsr/assert.h>
#include <bsr/log.h>

#include "link_internal.h"

#define RETRY_SOON_NS 100000000ull /* after an attempt that had come far */

static bool i_decide(const struct peer *peer)
{
	return peer->links->node_id < peer->id;
}

static uint64_t random_below(struct bsr_links *links, uint64_t limit)
{
	links->random_state ^= links->random_state << 13;
	links->random_state ^= links->random_state >> 7;
	links->random_state ^= links->random_state << 17;
	return links->random_state % limit;
}

/* connect-int, more or less a seventh: two nodes that retry do not stay in step */
static uint64_t retry_interval(struct peer *peer)
{
	const uint64_t interval_ns = peer->options.connect_int_s * SECOND_NS;
	return interval_ns - interval_ns / 7 + random_below(peer->links, 2 * interval_ns / 7);
}

static void dial_at(struct peer *peer, uint64_t when_ns)
{
	peer->dial_ns = when_ns > peer->not_before_ns ? when_ns : peer->not_before_ns;
	bsr_links_touch(peer->links, peer->dial_ns);
}

/* ------------------------------------------------------------------ ending */

static void forget(struct peer *peer, struct attempt *attempt)
{
	attempt->conn[BSR_STREAM_DATA] = NULL;
	attempt->conn[BSR_STREAM_CONTROL] = NULL;
	attempt->ready_sent = false;
	if (peer->chosen == attempt) {
		peer->chosen = NULL;
	}
}

void bsr_attempt_drop(struct peer *peer, struct attempt *attempt)
{
	for (uint32_t i = 0; i < BSR_STREAM_COUNT; i++) {
		if (attempt->conn[i] != NULL) {
			bsr_conn_close(attempt->conn[i], false);
		}
	}
	forget(peer, attempt);
}

void bsr_attempt_refuse(struct peer *peer, struct attempt *attempt, enum bsr_link_refusal reason)
{
	for (uint32_t i = 0; i < BSR_STREAM_COUNT; i++) {
		if (attempt->conn[i] != NULL) {
			bsr_conn_refuse(attempt->conn[i], reason);
		}
	}
	forget(peer, attempt);
}

static void retry_later(struct peer *peer)
{
	const uint64_t now_ns = bsr_loop_now_ns(peer->links->loop);
	if (peer->path_next != 0) { /* another path of the same round */
		dial_at(peer, now_ns + RETRY_SOON_NS);
		return;
	}
	const uint64_t due_ns = peer->attempt_ns + retry_interval(peer);
	dial_at(peer, due_ns > now_ns + RETRY_SOON_NS ? due_ns : now_ns + RETRY_SOON_NS);
}

static void retry_soon(struct peer *peer)
{
	const uint64_t soon_ns = bsr_loop_now_ns(peer->links->loop) + RETRY_SOON_NS / 2 +
		random_below(peer->links, RETRY_SOON_NS);
	if (peer->dial_ns > soon_ns) {
		dial_at(peer, soon_ns);
	}
}

void bsr_attempt_failed(struct peer *peer, struct attempt *attempt, const char *why)
{
	const bool was_chosen = peer->chosen == attempt;
	char address[BSR_LINK_ADDRESS_BYTES];
	if (why != NULL && attempt == &peer->own && peer->wanted) {
		const uint32_t path = (peer->path_next + peer->path_count - 1) % peer->path_count;
		(void)bsr_link_address(&peer->path[path].remote, address);
		bsr_peer_say(peer, "%s: %s", address, why);
		if (!peer->told_unreachable) {
			peer->told_unreachable = true;
			bsr_links_report(peer->links, BSR_LOGN_LINK_UNREACHABLE, peer,
				"peer %u at %s: %s; will try again about every %u s", peer->id, address, why,
				peer->options.connect_int_s);
		}
	}
	bsr_attempt_drop(peer, attempt);
	if (!peer->wanted) {
		return;
	}
	if (attempt == &peer->own && !was_chosen) {
		retry_later(peer);
	} else {
		retry_soon(peer);
	}
	bsr_links_touch(peer->links, 0); /* the other attempt may be complete */
}

void bsr_attempt_expired(struct peer *peer, struct attempt *attempt)
{
	if (attempt == &peer->incoming && !peer->wanted) {
		bsr_attempt_refuse(peer, attempt, BSR_REFUSE_NOT_NOW);
	} else {
		bsr_attempt_failed(peer, attempt, "does not go on with the link in time");
	}
}

/* --------------------------------------------------------------- beginning */

void bsr_attempt_start(struct peer *peer)
{
	uint8_t cookie[BSR_LINK_COOKIE_BYTES];
	const struct bsr_link_path *path = &peer->path[peer->path_next];
	BSR_ASSERT(peer->wanted && bsr_attempt_is_empty(&peer->own));
	peer->path_next = (peer->path_next + 1) % peer->path_count;
	peer->attempt_ns = bsr_loop_now_ns(peer->links->loop);
	peer->attempt_count++;
	if (!bsr_link_auth_random(cookie, sizeof(cookie))) {
		bsr_attempt_failed(peer, &peer->own, "no random numbers on this host");
		return;
	}
	for (uint8_t i = 0; i < BSR_STREAM_COUNT; i++) {
		const int r = bsr_conn_dial(peer, path, i, cookie);
		if (r != 0) {
			bsr_attempt_failed(peer, &peer->own,
				r == -EADDRNOTAVAIL ? "this node's address of the path is not configured on this host"
						    : strerror(-r));
			return;
		}
	}
}

/* Both connections of the incoming attempt must be of one and the same. */
static bool belong_together(const struct conn *a, const struct conn *b)
{
	return memcmp(a->his.cookie, b->his.cookie, sizeof(a->his.cookie)) == 0 &&
		a->his.instance == b->his.instance && a->his.attempt == b->his.attempt &&
		a->his.features == b->his.features && a->his.version_max == b->his.version_max;
}

/* A newly accepted, proved connection finds its place; false: it has none. */
static bool place_incoming(struct conn *conn)
{
	struct peer *peer = conn->peer;
	struct attempt *attempt = &peer->incoming;
	for (uint32_t i = 0; i < BSR_STREAM_COUNT; i++) {
		const struct conn *there = attempt->conn[i];
		if (there == NULL || (i != conn->stream && belong_together(there, conn))) {
			continue;
		}
		if (there->his.instance == conn->his.instance && there->his.attempt >= conn->his.attempt) {
			/* older, or the same stream twice */
			bsr_conn_refuse(conn, BSR_REFUSE_CROSSED);
			return false;
		}
		/* the peer has given that one up, or it would not dial again */
		bsr_attempt_drop(peer, attempt);
	}
	bsr_conn_unlist(conn);
	conn->attempt = attempt;
	attempt->conn[conn->stream] = conn;
	return true;
}

static bool is_complete(const struct attempt *attempt, enum conn_phase phase)
{
	const struct conn *data = attempt->conn[BSR_STREAM_DATA];
	const struct conn *control = attempt->conn[BSR_STREAM_CONTROL];
	return data != NULL && control != NULL && data->phase >= phase && control->phase >= phase;
}

void bsr_attempt_proved(struct conn *conn)
{
	struct peer *peer = conn->peer;
	if (conn->direction == BSR_LINK_ACCEPTOR && !place_incoming(conn)) {
		return;
	}
	struct attempt *attempt = conn->attempt;
	if (!is_complete(attempt, CONN_PROVED)) {
		return;
	}
	const struct conn *other = attempt->conn[1 - conn->stream];
	if (!belong_together(conn, other)) {
		/* restarted in between */
		bsr_attempt_failed(peer, attempt, "answers as two different processes");
		return;
	}
	if (attempt == &peer->incoming && !peer->wanted) {
		const uint64_t until_ns = bsr_loop_now_ns(peer->links->loop) + HOLD_LIMIT_NS;
		attempt->conn[BSR_STREAM_DATA]->deadline_ns = until_ns;
		attempt->conn[BSR_STREAM_CONTROL]->deadline_ns = until_ns;
		bsr_links_touch(peer->links, until_ns);
	}
	bsr_attempt_consider(peer);
}

void bsr_attempt_ready(struct conn *conn)
{
	struct peer *peer = conn->peer;
	if (i_decide(peer) && peer->chosen != conn->attempt) {
		bsr_attempt_failed(peer, conn->attempt, "claims a decision that is not its own");
		return;
	}
	bsr_attempt_consider(peer);
}

/* ---------------------------------------------------------------- decision */

static bool send_ready(struct peer *peer, struct attempt *attempt)
{
	uint8_t body[8];
	const uint32_t bytes = bsr_link_ready_encode(body, peer->attempt_count);
	const uint64_t until_ns = bsr_loop_now_ns(peer->links->loop) + bsr_links_step_limit(peer);
	for (uint32_t i = 0; i < BSR_STREAM_COUNT; i++) {
		attempt->conn[i]->deadline_ns = until_ns;
		if (!bsr_conn_send(attempt->conn[i], BSR_MSG_LINK_READY, body, bytes)) {
			bsr_attempt_failed(peer, attempt, "closes the connection before the link stands");
			return false;
		}
	}
	bsr_links_touch(peer->links, until_ns);
	attempt->ready_sent = true;
	return true;
}

static void abandon_other(struct peer *peer, const struct attempt *kept)
{
	if (kept != &peer->own) {
		bsr_attempt_drop(peer, &peer->own);
	}
	if (kept != &peer->incoming) {
		bsr_attempt_refuse(peer, &peer->incoming, BSR_REFUSE_CROSSED);
	}
}

static void come_up(struct peer *peer, struct attempt *attempt)
{
	struct bsr_links *links = peer->links;
	uint64_t floor = 0;
	for (uint32_t i = 0; i < BSR_STREAM_COUNT; i++) {
		const uint64_t begun = attempt->conn[i]->his_attempts;
		floor = begun > floor ? begun : floor;
	}
	struct link *link = bsr_link_create(peer, attempt);
	if (link == NULL) {
		bsr_attempt_failed(peer, attempt, "out of memory on this host");
		return;
	}
	link->attempt_floor = floor;
	forget(peer, attempt);
	abandon_other(peer, attempt);
	peer->wanted = false;
	const struct bsr_ev_link_up up = {
		.peer = peer->id,
		.link = link->number,
		.version = link->version,
		.features = link->features,
		.resolver = i_decide(peer),
	};
	links->ops->up(links->ctx, &up);
	for (uint32_t i = 0; i < BSR_STREAM_COUNT; i++) {
		if (!bsr_link_is_over(link)) {
			bsr_stream_parse(&link->stream[i]); /* what came right behind LINK_READY */
		}
	}
}

/* The peer has a complete new attempt although a link stands; true: that link is gone now. */
static bool displace_link(struct peer *peer)
{
	const struct link *link = peer->link;
	const struct bsr_link_hello *his = &peer->incoming.conn[BSR_STREAM_DATA]->his;
	if (his->instance == link->instance && his->attempt <= link->attempt_floor) {
		bsr_attempt_refuse(peer, &peer->incoming, BSR_REFUSE_CROSSED);
		return false;
	}
	bsr_link_fail(peer->link, BSR_LINK_CLOSED);
	return true;
}

static struct attempt *choose(struct peer *peer)
{
	struct attempt *attempt = NULL;
	if (is_complete(&peer->own, CONN_PROVED)) {
		attempt = &peer->own;
	} else if (is_complete(&peer->incoming, CONN_PROVED)) {
		attempt = &peer->incoming;
	}
	if (attempt == NULL || !send_ready(peer, attempt)) {
		return NULL;
	}
	abandon_other(peer, attempt);
	peer->chosen = attempt;
	return attempt;
}

void bsr_attempt_consider(struct peer *peer)
{
	if (peer->dead || (peer->link != NULL && (!is_complete(&peer->incoming, CONN_PROVED) || !displace_link(peer)))) {
		return;
	}
	if (peer->dead || !peer->wanted) {
		return;
	}
	if (i_decide(peer)) {
		struct attempt *attempt = peer->chosen != NULL ? peer->chosen : choose(peer);
		if (attempt != NULL && is_complete(attempt, CONN_READY)) {
			come_up(peer, attempt);
		}
		return;
	}
	struct attempt *attempt = is_complete(&peer->own, CONN_READY) ? &peer->own : &peer->incoming;
	if (is_complete(attempt, CONN_READY) && send_ready(peer, attempt)) {
		come_up(peer, attempt);
	}
}
