// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * link_up.c - a link that stands: its beginning out of two connections, and its ends
 *
 * Owns:       allocation and burial of links and their streams.
 * Invariants:
 *   LINK-1  ops->down is called at most once per link, and never after bsr_links_close().
 *   LINK-2  Whatever a link holds of the pool is given back when it is buried.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <poll.h>

#include <bsr/assert.h>

#include "link_internal.h"

void bsr_link_free(struct link *link)
{
	for (uint32_t i = 0; i < BSR_STREAM_COUNT; i++) {
		struct stream *stream = &link->stream[i];
		free(stream->rx);
		free(stream->rx_body);
		free(stream->ring);
		free(stream->segments);
	}
	free(link);
}

static struct link *allocate(void)
{
	struct link *link = calloc(1, sizeof(*link));
	if (link == NULL) {
		return NULL;
	}
	for (uint32_t i = 0; i < BSR_STREAM_COUNT; i++) {
		link->stream[i].rx = malloc(STREAM_RX_BYTES);
		link->stream[i].rx_body = malloc(BSR_WIRE_BODY_BYTES_MAX);
		if (link->stream[i].rx == NULL || link->stream[i].rx_body == NULL) {
			bsr_link_free(link);
			return NULL;
		}
	}
	return link;
}

static bool start_stream(struct link *link, uint8_t number, struct conn *conn)
{
	struct stream *stream = &link->stream[number];
	stream->link = link;
	stream->number = number;
	stream->rx_buf = BSR_BUF_NONE;
	stream->rx_sequence = conn->rx_sequence;
	stream->tx_sequence = conn->tx_sequence;
	memcpy(stream->rx, conn->rx, conn->rx_bytes);
	stream->rx_end = conn->rx_bytes;
	stream->watch.fd = conn->watch.fd;
	stream->watch.events = POLLIN;
	stream->watch.ready = bsr_stream_ready;
	bsr_conn_close(conn, true);
	return bsr_loop_watch(link->links->loop, &stream->watch) == 0;
}

struct link *bsr_link_create(struct peer *peer, struct attempt *attempt)
{
	struct link *link = allocate();
	if (link == NULL) {
		return NULL;
	}
	const struct bsr_link_hello *his = &attempt->conn[BSR_STREAM_DATA]->his;
	BSR_ASSERT(peer->link == NULL);
	link->links = peer->links;
	link->peer = peer;
	link->peer_id = peer->id;
	link->number = peer->wanted_link;
	link->instance = his->instance;
	link->version = (uint8_t)(his->version_max < BSR_WIRE_VERSION_MAX ? his->version_max : BSR_WIRE_VERSION_MAX);
	link->checksums = peer->options.data_checksums && (his->features & BSR_FEATURE_DATA_CHECKSUMS) != 0;
	link->from = attempt->conn[BSR_STREAM_DATA]->from;
	bool watched = true;
	for (uint8_t i = 0; i < BSR_STREAM_COUNT; i++) {
		struct conn *conn = attempt->conn[i];
		attempt->conn[i] = NULL;
		watched = start_stream(link, i, conn) && watched;
	}
	peer->link = link;
	if (!watched) {
		link->overflow = true; /* closed by the next flush, with a line for people */
	}
	return link;
}

void bsr_link_bury(struct link *link)
{
	struct bsr_links *links = link->links;
	BSR_ASSERT(!link->dead);
	link->dead = true;
	if (link->peer != NULL) {
		BSR_ASSERT(link->peer->link == link);
		link->peer->link = NULL;
		link->peer = NULL;
	}
	for (uint32_t i = 0; i < BSR_STREAM_COUNT; i++) {
		struct stream *stream = &link->stream[i];
		bsr_loop_unwatch(links->loop, &stream->watch);
		(void)close(stream->watch.fd);
		bsr_stream_drop_queue(stream);
		bsr_land_forget(stream);
		if (stream->rx_buf != BSR_BUF_NONE) {
			bsr_pool_put(links->pool, stream->rx_buf);
			stream->rx_buf = BSR_BUF_NONE;
		}
	}
	if (!link->draining) {
		link->next = links->dead_links;
		links->dead_links = link;
	}
}

void bsr_link_fail(struct link *link, enum bsr_link_reason reason)
{
	const struct bsr_ev_link_down down = {.peer = link->peer_id, .link = link->number, .reason = reason};
	struct bsr_links *links = link->links;
	bsr_link_bury(link);
	links->ops->down(links->ctx, &down);
}

void bsr_link_drain(struct link *link)
{
	struct bsr_links *links = link->links;
	link->peer->link = NULL;
	link->peer = NULL;
	link->draining = true;
	link->deadline_ns = bsr_loop_now_ns(links->loop) + DRAIN_LIMIT_NS;
	link->next = links->draining;
	links->draining = link;
	bsr_links_touch(links, link->deadline_ns);
	for (uint32_t i = 0; i < BSR_STREAM_COUNT; i++) {
		struct stream *stream = &link->stream[i];
		bsr_land_forget(stream);
		if (stream->rx_buf != BSR_BUF_NONE) {
			bsr_pool_put(links->pool, stream->rx_buf);
			stream->rx_buf = BSR_BUF_NONE;
		}
		stream->waiting = false;
		bsr_stream_rewatch(stream);
		bsr_stream_mark_dirty(stream);
	}
}

/* Called only for links in links->draining, whose list is swept by the caller. */
void bsr_link_drain_tick(struct link *link)
{
	uint32_t over = 0;
	for (uint32_t i = 0; i < BSR_STREAM_COUNT; i++) {
		struct stream *stream = &link->stream[i];
		if (!stream->shut && (stream->queued_bytes == 0 || stream->tx_broken)) {
			stream->shut = true;
			(void)shutdown(stream->watch.fd, SHUT_WR); /* fails when the peer was faster: fine */
		}
		over += stream->shut && stream->ended;
	}
	if (over == BSR_STREAM_COUNT || bsr_loop_now_ns(link->links->loop) >= link->deadline_ns) {
		bsr_link_bury(link);
	}
}
