// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * link.c - links to peers: configuration, when to dial, sending, the end of a turn
 *
 * Owns:       the set of peers and listeners; time.
 * Invariants:
 *   SET-1  Owner callbacks run from loop callbacks, bsr_links_tick() and bsr_links_flush() only.
 *   SET-2  Memory that a caller up the stack may still look at is freed at the end of
 *          bsr_links_flush().
 */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <bsr/assert.h>
#include <bsr/log.h>

#include "link_internal.h"

#define ACCEPT_ROUNDS 16u /* connections of one listener in one turn */

void bsr_links_touch(struct bsr_links *links, uint64_t when_ns)
{
	if (when_ns < links->due_ns) {
		links->due_ns = when_ns;
	}
}

uint64_t bsr_links_deadline(const struct bsr_links *links)
{
	return links->due_ns;
}

uint64_t bsr_links_step_limit(const struct peer *peer)
{
	const uint64_t limit_ns = 4 * (peer->options.ping_timeout_ds * (SECOND_NS / 10));
	return limit_ns > STEP_LIMIT_MIN_NS ? limit_ns : STEP_LIMIT_MIN_NS;
}

/* -------------------------------------------------------- create, destroy */

int bsr_links_create(struct bsr_links **out, const struct bsr_links_config *config)
{
	if (config->node_id >= BSR_NODES_MAX || !bsr_link_name_ok(config->resource, BSR_NAME_BYTES_MAX)) {
		return -EINVAL;
	}
	struct bsr_links *links = calloc(1, sizeof(*links));
	if (links == NULL) {
		return -ENOMEM;
	}
	memcpy(links->resource, config->resource, strlen(config->resource) + 1);
	links->node_id = config->node_id;
	links->loop = config->loop;
	links->pool = config->pool;
	links->ops = config->ops;
	links->ctx = config->ctx;
	links->due_ns = UINT64_MAX;
	links->accept_again_ns = UINT64_MAX;
	links->auth = bsr_link_auth_create();
	if (links->auth == NULL || !bsr_link_auth_random(&links->instance, sizeof(links->instance)) ||
		!bsr_link_auth_random(&links->random_state, sizeof(links->random_state))) {
		bsr_link_auth_destroy(links->auth);
		free(links);
		return -EIO;
	}
	links->instance |= 1; /* 0 means none */
	links->random_state |= 1;
	(void)bsr_crc32c_hw_best(); /* looks at the processor once, here */
	*out = links;
	return 0;
}

static void free_graveyard(struct bsr_links *links)
{
	while (links->dead_conns != NULL) {
		struct conn *conn = links->dead_conns;
		links->dead_conns = conn->next;
		free(conn);
	}
	while (links->dead_links != NULL) {
		struct link *link = links->dead_links;
		links->dead_links = link->next;
		bsr_link_free(link);
	}
	while (links->dead_peers != NULL) {
		struct peer *peer = links->dead_peers;
		links->dead_peers = peer->next;
		explicit_bzero(peer, sizeof(*peer)); /* holds the secret */
		free(peer);
	}
}

/* Draining links that are done move to the graveyard. */
static void sweep_draining(struct bsr_links *links)
{
	for (struct link **at = &links->draining; *at != NULL;) {
		struct link *link = *at;
		bsr_link_drain_tick(link);
		if (link->dead) {
			*at = link->next;
			link->next = links->dead_links;
			links->dead_links = link;
		} else {
			at = &link->next;
		}
	}
}

void bsr_links_destroy(struct bsr_links *links)
{
	if (links == NULL) {
		return;
	}
	for (uint32_t i = 0; i < BSR_NODES_MAX; i++) {
		bsr_links_remove_peer(links, i);
	}
	while (links->strangers != NULL) {
		bsr_conn_close(links->strangers, false);
	}
	for (struct link *link = links->draining; link != NULL; link = link->next) {
		link->deadline_ns = 0;
	}
	sweep_draining(links);
	for (uint32_t i = 0; i < links->listener_count; i++) {
		if (links->listener[i].watch.fd >= 0) {
			bsr_links_remove_listener(links, links->listener[i].watch.fd);
		}
	}
	free_graveyard(links);
	bsr_link_trim(links, 0);
	bsr_link_auth_destroy(links->auth);
	free(links);
}

/* --------------------------------------------------------------- listeners */

static void listen_events(struct bsr_links *links, uint32_t events)
{
	for (uint32_t i = 0; i < links->listener_count; i++) {
		if (links->listener[i].watch.fd >= 0 &&
			bsr_loop_watch_change(links->loop, &links->listener[i].watch, events) != 0) {
			bsr_links_report(links, BSR_LOGN_LINK_LOCAL, NULL,
				"a listening socket cannot be watched; peers have to be dialed from here");
		}
	}
}

/* Out of descriptors: accepting again at once would only spin. */
static void pause_accepting(struct bsr_links *links, int error)
{
	bsr_links_report(links, BSR_LOGN_LINK_LOCAL, NULL,
		"cannot accept connections for now: %s; raise the limit of open files if this repeats", strerror(error));
	if (links->strangers != NULL) {
		bsr_conn_close(links->strangers, false);
	}
	links->accept_again_ns = bsr_loop_now_ns(links->loop) + ACCEPT_PAUSE_NS;
	bsr_links_touch(links, links->accept_again_ns);
	listen_events(links, 0);
}

static void listener_ready(struct bsr_watch *watch, uint32_t events)
{
	struct listener *listener = (struct listener *)watch;
	struct bsr_links *links = listener->links;
	(void)events;
	for (uint32_t round = 0; round < ACCEPT_ROUNDS; round++) {
		struct sockaddr_storage from = {0};
		socklen_t bytes = sizeof(from);
		const int fd = accept4(watch->fd, (struct sockaddr *)&from, &bytes, SOCK_NONBLOCK | SOCK_CLOEXEC);
		if (fd >= 0) {
			bsr_conn_accept(links, fd, &from);
		} else if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
			pause_accepting(links, errno);
			return;
		} else if (errno == EAGAIN || errno == EWOULDBLOCK) {
			return;
		}
	}
}

int bsr_links_add_listener(struct bsr_links *links, int fd)
{
	uint32_t at = 0;
	while (at < links->listener_count && links->listener[at].watch.fd >= 0) {
		at++;
	}
	if (at == BSR_LINK_LISTENERS_MAX) {
		(void)close(fd);
		return -ENOSPC;
	}
	struct listener *listener = &links->listener[at];
	listener->links = links;
	listener->watch = (struct bsr_watch){.fd = fd, .events = POLLIN, .ready = listener_ready};
	const int r = bsr_loop_watch(links->loop, &listener->watch);
	if (r != 0) {
		(void)close(fd);
		listener->watch.fd = -1;
		return r;
	}
	links->listener_count += at == links->listener_count ? 1 : 0;
	return 0;
}

void bsr_links_remove_listener(struct bsr_links *links, int fd)
{
	for (uint32_t i = 0; i < links->listener_count; i++) {
		struct bsr_watch *watch = &links->listener[i].watch;
		if (watch->fd == fd) {
			bsr_loop_unwatch(links->loop, watch);
			(void)close(fd);
			watch->fd = -1;
			return;
		}
	}
	BSR_ASSERT(false); /* not one of ours */
}

/* ------------------------------------------------------------------- peers */

static int check_paths(const struct bsr_link_path *paths, uint32_t path_count)
{
	if (path_count < 1 || path_count > BSR_LINK_PATHS_MAX) {
		return -EINVAL;
	}
	for (uint32_t i = 0; i < path_count; i++) {
		const sa_family_t family = paths[i].remote.ss_family;
		if ((family != AF_INET && family != AF_INET6) || paths[i].local.ss_family != family) {
			return -EINVAL;
		}
	}
	return 0;
}

static int check_options(struct bsr_links *links, const struct bsr_link_options *options)
{
	if (memchr(options->cram_hmac_alg, '\0', sizeof(options->cram_hmac_alg)) == NULL ||
		memchr(options->shared_secret, '\0', sizeof(options->shared_secret)) == NULL) {
		return -EINVAL;
	}
	if (options->cram_hmac_alg[0] == '\0') {
		return 0;
	}
	if (options->shared_secret[0] == '\0' || !bsr_link_name_ok(options->cram_hmac_alg, BSR_LINK_ALG_BYTES_MAX) ||
		!bsr_link_auth_alg_ok(links->auth, options->cram_hmac_alg)) {
		return -ENOTSUP;
	}
	return 0;
}

static void drop_unfinished(struct peer *peer)
{
	struct bsr_links *links = peer->links;
	bsr_attempt_drop(peer, &peer->own);
	bsr_attempt_drop(peer, &peer->incoming);
	for (struct conn *conn = links->strangers, *next; conn != NULL; conn = next) {
		next = conn->next;
		if (conn->peer == peer) {
			bsr_conn_close(conn, false);
		}
	}
}

int bsr_links_set_peer(struct bsr_links *links, uint32_t id, const struct bsr_link_path *paths, uint32_t path_count,
	const struct bsr_link_options *options)
{
	int r = id < BSR_NODES_MAX && id != links->node_id ? check_paths(paths, path_count) : -EINVAL;
	if (r == 0) {
		r = check_options(links, options);
	}
	if (r != 0) {
		return r;
	}
	struct peer *peer = links->peer[id];
	if (peer == NULL) {
		peer = calloc(1, sizeof(*peer));
		if (peer == NULL || bsr_link_reserve(links, links->spare_count + 1) != 0) {
			free(peer);
			return -ENOMEM;
		}
		peer->links = links;
		peer->id = id;
		links->peer[id] = peer;
		links->peer_count++;
	}
	drop_unfinished(peer); /* they have begun with the old settings */
	memcpy(peer->path, paths, path_count * sizeof(*paths));
	peer->path_count = path_count;
	peer->path_next = 0;
	peer->options = *options;
	if (peer->options.connect_int_s == 0) {
		peer->options.connect_int_s = 1;
	}
	peer->told_unreachable = false;
	if (peer->wanted) {
		peer->dial_ns = peer->not_before_ns;
		bsr_links_touch(links, 0);
	}
	return 0;
}

void bsr_links_remove_peer(struct bsr_links *links, uint32_t id)
{
	struct peer *peer = id < BSR_NODES_MAX ? links->peer[id] : NULL;
	if (peer == NULL) {
		return;
	}
	drop_unfinished(peer);
	if (peer->link != NULL) {
		bsr_link_bury(peer->link);
	}
	peer->wanted = false;
	peer->dead = true;
	links->peer[id] = NULL;
	links->peer_count--;
	bsr_link_trim(links, links->peer_count);
	peer->next = links->dead_peers;
	links->dead_peers = peer;
}

void bsr_links_dial(struct bsr_links *links, uint32_t id, uint32_t link, uint64_t not_before_ns)
{
	BSR_ASSERT(id < BSR_NODES_MAX && links->peer[id] != NULL);
	struct peer *peer = links->peer[id];
	BSR_ASSERT(!peer->wanted && peer->link == NULL);
	peer->wanted = true;
	peer->wanted_link = link;
	peer->told_unreachable = false;
	peer->path_next = 0;
	peer->not_before_ns = not_before_ns;
	peer->dial_ns = not_before_ns;
	bsr_links_touch(links, 0); /* the peer's attempt may be waiting */
}

void bsr_links_give_up(struct peer *peer, enum bsr_link_reason reason)
{
	struct bsr_links *links = peer->links;
	const struct bsr_ev_link_down down = {.peer = peer->id, .link = peer->wanted_link, .reason = reason};
	BSR_ASSERT(peer->wanted);
	bsr_attempt_drop(peer, &peer->own);
	peer->wanted = false;
	links->ops->down(links->ctx, &down);
}

void bsr_links_close(struct bsr_links *links, uint32_t id, uint32_t number, bool drain)
{
	struct peer *peer = id < BSR_NODES_MAX ? links->peer[id] : NULL;
	if (peer == NULL) {
		return;
	}
	if (peer->link != NULL && peer->link->number == number) {
		if (drain) {
			bsr_link_drain(peer->link);
		} else {
			bsr_link_bury(peer->link);
		}
	} else if (peer->wanted && peer->wanted_link == number) {
		peer->wanted = false;
		bsr_attempt_drop(peer, &peer->own);
		bsr_attempt_refuse(peer, &peer->incoming, BSR_REFUSE_NOT_NOW);
	}
}

/* -------------------------------------------------------------------- time */

static bool attempt_has_expired(const struct attempt *attempt, uint64_t now_ns, struct conn **which)
{
	for (uint32_t i = 0; i < BSR_STREAM_COUNT; i++) {
		if (attempt->conn[i] != NULL && attempt->conn[i]->deadline_ns <= now_ns) {
			*which = attempt->conn[i];
			return true;
		}
	}
	return false;
}

static void tick_peer(struct peer *peer, uint64_t now_ns)
{
	struct conn *conn;
	if (attempt_has_expired(&peer->own, now_ns, &conn)) {
		bsr_conn_expired(conn);
	}
	if (attempt_has_expired(&peer->incoming, now_ns, &conn)) {
		bsr_conn_expired(conn);
	}
	if (peer->link != NULL && peer->link->deadline_ns != 0 && peer->link->deadline_ns <= now_ns) {
		/* one stream ended, the other never did */
		bsr_link_fail(peer->link, BSR_LINK_CLOSED);
	}
	bsr_attempt_consider(peer);
	if (!peer->dead && peer->wanted && peer->chosen == NULL && bsr_attempt_is_empty(&peer->own) &&
		peer->dial_ns <= now_ns) {
		bsr_attempt_start(peer);
	}
}

static uint64_t earlier(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

static uint64_t attempt_due(const struct attempt *attempt)
{
	uint64_t due_ns = UINT64_MAX;
	for (uint32_t i = 0; i < BSR_STREAM_COUNT; i++) {
		if (attempt->conn[i] != NULL) {
			due_ns = earlier(due_ns, attempt->conn[i]->deadline_ns);
		}
	}
	return due_ns;
}

static uint64_t compute_due(const struct bsr_links *links)
{
	uint64_t due_ns = links->accept_again_ns;
	for (const struct conn *conn = links->strangers; conn != NULL; conn = conn->next) {
		due_ns = earlier(due_ns, conn->deadline_ns);
	}
	for (const struct link *link = links->draining; link != NULL; link = link->next) {
		due_ns = earlier(due_ns, link->deadline_ns);
	}
	for (uint32_t i = 0; i < BSR_NODES_MAX; i++) {
		const struct peer *peer = links->peer[i];
		if (peer == NULL) {
			continue;
		}
		due_ns = earlier(due_ns, earlier(attempt_due(&peer->own), attempt_due(&peer->incoming)));
		if (peer->link != NULL && peer->link->deadline_ns != 0) {
			due_ns = earlier(due_ns, peer->link->deadline_ns);
		}
		if (peer->wanted && peer->chosen == NULL && bsr_attempt_is_empty(&peer->own)) {
			due_ns = earlier(due_ns, peer->dial_ns);
		}
	}
	return due_ns;
}

void bsr_links_tick(struct bsr_links *links)
{
	const uint64_t now_ns = bsr_loop_now_ns(links->loop);
	if (now_ns < links->due_ns) {
		return;
	}
	links->due_ns = UINT64_MAX;
	for (struct conn *conn = links->strangers, *next; conn != NULL; conn = next) {
		next = conn->next;
		if (conn->deadline_ns <= now_ns) {
			bsr_conn_expired(conn);
		}
	}
	for (uint32_t i = 0; i < BSR_NODES_MAX; i++) {
		if (links->peer[i] != NULL) {
			tick_peer(links->peer[i], now_ns);
		}
	}
	sweep_draining(links);
	if (links->accept_again_ns <= now_ns) {
		links->accept_again_ns = UINT64_MAX;
		listen_events(links, POLLIN);
	}
	bsr_links_touch(links, compute_due(links));
}

/* --------------------------------------------------------- the end of a turn */

void bsr_links_send(struct bsr_links *links, const struct bsr_fx_send *send, const uint8_t *head)
{
	BSR_ASSERT(send->peer < BSR_NODES_MAX && send->stream < BSR_STREAM_COUNT);
	const struct peer *peer = links->peer[send->peer];
	struct link *link = peer != NULL ? peer->link : NULL;
	if (link == NULL || link->number != send->link || link->overflow) {
		return;
	}
	struct stream *stream = link->by_number[send->stream];
	if (!bsr_stream_queue(stream, send, head)) {
		link->overflow = true;
		bsr_stream_mark_dirty(stream);
	}
}

void bsr_links_resume(struct bsr_links *links)
{
	links->resume = true;
}

static void resume_stream(struct stream *stream)
{
	if (!stream->waiting || bsr_link_is_over(stream->link)) {
		return;
	}
	stream->waiting = false;
	bsr_stream_parse(stream);
	if (!bsr_link_is_over(stream->link) && !stream->waiting) {
		bsr_stream_rewatch(stream);
	}
}

static void resume_all(struct bsr_links *links)
{
	for (uint32_t i = 0; i < BSR_NODES_MAX; i++) {
		struct link *link = links->peer[i] != NULL ? links->peer[i]->link : NULL;
		for (uint32_t s = 0; link != NULL && s < BSR_STREAM_COUNT; s++) {
			resume_stream(&link->stream[s]);
		}
	}
}

static void flush_stream(struct stream *stream)
{
	struct link *link = stream->link;
	struct bsr_links *links = link->links;
	if (link->overflow && !bsr_link_is_over(link)) {
		bsr_links_report(links, BSR_LOGN_LINK_OVERFLOW, link->peer,
			"peer %u: the queue of messages for it is full, or memory is; link closed, will connect again",
			link->peer_id);
		bsr_link_fail(link, BSR_LINK_SILENT);
		return;
	}
	const bool was_blocked = stream->blocked;
	const uint64_t bytes = bsr_stream_transmit(stream);
	if (stream->blocked != was_blocked) {
		bsr_stream_rewatch(stream);
	}
	if (bytes > 0 && link->peer != NULL) {
		link->peer->sent_bytes += bytes;
	}
	if (bytes > 0 && !bsr_link_is_over(link)) {
		const struct bsr_ev_sent sent = {
			.peer = link->peer_id, .link = link->number, .stream = stream->number, .bytes = bytes};
		links->ops->sent(links->ctx, &sent);
	}
}

static __attribute__((noinline)) void flush(struct bsr_links *links)
{
	if (links->resume) {
		links->resume = false;
		resume_all(links);
	}
	struct stream *dirty = links->dirty;
	links->dirty = NULL; /* what becomes dirty from here on is for the next turn */
	while (dirty != NULL) {
		struct stream *stream = dirty;
		dirty = stream->next_dirty;
		stream->next_dirty = NULL;
		stream->dirty = false;
		if (!stream->link->dead) {
			flush_stream(stream);
		}
	}
	if (links->draining != NULL) {
		sweep_draining(links);
	}
	if (links->dirty != NULL) {
		bsr_loop_again(links->loop);
		return; /* the graveyard may hold streams of that list */
	}
	free_graveyard(links);
}

inline bool bsr_links_flush(struct bsr_links *links)
{
	if (links->dirty == NULL && !links->resume && links->draining == NULL && links->dead_conns == NULL &&
		links->dead_links == NULL && links->dead_peers == NULL) {
		return false;
	}
	flush(links);
	return true;
}

uint64_t bsr_links_queued_bytes(const struct bsr_links *links, uint32_t id)
{
	const struct link *link = id < BSR_NODES_MAX && links->peer[id] != NULL ? links->peer[id]->link : NULL;
	return link == NULL ? 0
			    : link->stream[BSR_STREAM_DATA].queued_bytes + link->stream[BSR_STREAM_CONTROL].queued_bytes;
}

void bsr_links_traffic(const struct bsr_links *links, uint32_t id, struct bsr_link_traffic *traffic)
{
	const struct peer *peer = id < BSR_NODES_MAX ? links->peer[id] : NULL;
	*traffic = (struct bsr_link_traffic){0};
	if (peer == NULL) {
		return;
	}
	traffic->sent_bytes = peer->sent_bytes;
	traffic->received_bytes = peer->received_bytes;
	for (uint32_t i = 0; i < BSR_STREAM_COUNT && peer->link != NULL; i++) {
		traffic->queued_bytes[i] = peer->link->stream[i].queued_bytes;
	}
}

const char *bsr_links_said(const struct bsr_links *links, uint32_t id)
{
	const struct peer *peer = id < BSR_NODES_MAX ? links->peer[id] : NULL;
	return peer == NULL || peer->link != NULL ? "" : peer->said;
}

uint64_t bsr_links_rejected(const struct bsr_links *links, uint32_t id)
{
	if (id == UINT32_MAX) {
		return links->rejected;
	}
	return id < BSR_NODES_MAX && links->peer[id] != NULL ? links->peer[id]->rejected : 0;
}
