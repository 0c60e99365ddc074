// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * link_up.c - a link that stands: its beginning out of two connections, and its ends
 *
 * Owns:       allocation and burial of links and their streams.
 * Invariants:
 *   LINK-1  ops->down is called at most once per link, and never after bsr_links_close().
 *   LINK-2  Whatever a link holds of the pool is given back when it is buried.
 */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <bsr/assert.h>

#include "link_internal.h"

/* what grew beyond in a bad hour is not kept for the next link */
#define TX_RING_KEEP_BYTES (1u << 20)

static void release(struct link *link)
{
	for (uint32_t i = 0; i < BSR_STREAM_COUNT; i++) {
		struct stream *stream = &link->stream[i];
		free(stream->rx);
		free(stream->rx_body);
		free(stream->ring);
		free(stream->piece);
	}
	free(link);
}

/*
 * Touched at once: a link may have to come up while the machine waits for its swap device, which
 * may be ours.
 */
static uint8_t *touched(size_t bytes)
{
	uint8_t *mem = malloc(bytes);
	if (mem != NULL) {
		memset(mem, 0, bytes);
	}
	return mem;
}

static struct link *allocate(void)
{
	struct link *link = calloc(1, sizeof(*link));
	for (uint32_t i = 0; link != NULL && i < BSR_STREAM_COUNT; i++) {
		struct stream *stream = &link->stream[i];
		stream->rx = touched(STREAM_RX_BYTES);
		stream->rx_body = touched(BSR_WIRE_BODY_BYTES_MAX);
		stream->ring = touched(TX_RING_BYTES_MIN);
		stream->ring_bytes = TX_RING_BYTES_MIN;
		bsr_stream_use_pieces(stream, (struct iovec *)(void *)touched(TX_PIECES_MIN * BSR_PIECE_BYTES), TX_PIECES_MIN);
		if (stream->rx == NULL || stream->rx_body == NULL || stream->ring == NULL || stream->piece == NULL) {
			release(link);
			link = NULL;
		}
	}
	return link;
}

static void keep(struct bsr_links *links, struct link *link)
{
	link->next = links->spare;
	links->spare = link;
	links->spare_count++;
}

int bsr_link_reserve(struct bsr_links *links, uint32_t count)
{
	while (links->spare_count < count) {
		struct link *link = allocate();
		if (link == NULL) {
			return -ENOMEM;
		}
		keep(links, link);
	}
	return 0;
}

void bsr_link_trim(struct bsr_links *links, uint32_t count)
{
	while (links->spare_count > count) {
		struct link *link = links->spare;
		links->spare = link->next;
		links->spare_count--;
		release(link);
	}
}

void bsr_link_free(struct link *link)
{
	struct bsr_links *links = link->links;
	bool ordinary = links->spare_count < links->peer_count;
	for (uint32_t i = 0; i < BSR_STREAM_COUNT; i++) {
		ordinary = ordinary && link->stream[i].ring_bytes <= TX_RING_KEEP_BYTES;
	}
	if (!ordinary) {
		release(link);
		return;
	}
	for (uint32_t i = 0; i < BSR_STREAM_COUNT; i++) {
		struct stream *stream = &link->stream[i];
		*stream = (struct stream){.rx = stream->rx,
			.rx_body = stream->rx_body,
			.ring = stream->ring,
			.ring_bytes = stream->ring_bytes,
			.piece = stream->piece,
			.piece_buf = stream->piece_buf,
			.piece_count = stream->piece_count};
	}
	const struct link fresh = {.stream = {link->stream[0], link->stream[1]}};
	*link = fresh;
	keep(links, link);
}

static struct link *take_spare(struct bsr_links *links)
{
	if (bsr_link_reserve(links, 1) != 0) {
		return NULL;
	}
	struct link *link = links->spare;
	links->spare = link->next;
	links->spare_count--;
	link->next = NULL;
	return link;
}

static bool start_stream(struct link *link, uint8_t number, struct conn *conn)
{
	struct stream *stream = &link->stream[number];
	stream->link = link;
	stream->number = number;
	link->by_number[number] = stream;
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
	struct link *link = take_spare(peer->links);
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
	link->features = bsr_link_features(peer) & his->features;
	link->checksums = (link->features & BSR_FEATURE_DATA_CHECKSUMS) != 0;
	link->from = attempt->conn[BSR_STREAM_DATA]->from;
	bool watched = true;
	for (uint8_t i = 0; i < BSR_STREAM_COUNT; i++) {
		struct conn *conn = attempt->conn[i];
		attempt->conn[i] = NULL;
		watched = start_stream(link, i, conn) && watched;
	}
	peer->link = link;
	peer->said[0] = '\0';
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
			/* fails when the peer was faster: fine */
			(void)shutdown(stream->watch.fd, SHUT_WR);
		}
		over += stream->shut && stream->ended;
	}
	if (over == BSR_STREAM_COUNT || bsr_loop_now_ns(link->links->loop) >= link->deadline_ns) {
		bsr_link_bury(link);
	}
}
