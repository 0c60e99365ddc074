// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * link_rx.c - the receiving half of a stream: bytes into messages, payloads into buffers
 *
 * Owns:       the receive buffer of a stream and the payload that is being filled.
 * Invariants:
 *   RX-1  A message is handed over only when header and content checksums, sequence number, stream
 *         and lengths are right.
 *   RX-2  One message is in one piece: its payload is in one pool buffer whose reference passes to
 *         the owner.
 *   RX-3  While the owner or the pool says no, nothing is read from the socket: TCP pushes back to
 *         the sender.
 */
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include <bsr/assert.h>
#include <bsr/log.h>

#include "link_internal.h"

#define RX_ROUNDS 4u /* recvmsg calls of one stream in one turn */
#define RX_MESSAGE_BYTES_MAX (BSR_WIRE_HEADER_BYTES + BSR_WIRE_BODY_BYTES_MAX + PAYLOAD_COPY_BYTES)
_Static_assert(RX_MESSAGE_BYTES_MAX <= STREAM_RX_BYTES / 2, "moving a rest to the front makes room for a message");
_Static_assert(CONN_RX_BYTES <= STREAM_RX_BYTES, "bsr_stream_feed() fits");

void bsr_stream_rewatch(struct stream *stream)
{
	/*
	 * A waiting stream hears nothing, not even its end: what has arrived before the end is
	 * still to be read, and the control stream and the pings on it tell when the peer is gone.
	 */
	const uint32_t out = stream->blocked && !stream->tx_broken ? POLLOUT : 0;
	const uint32_t in = !stream->ended && !stream->waiting ? POLLIN : 0;
	const uint32_t events = out | in;
	if (bsr_loop_watch_change(stream->link->links->loop, &stream->watch, events) != 0) {
		/* cannot happen with a valid descriptor; the pings above notice */
		stream->tx_broken = true;
	}
}

/* ------------------------------------------------------------ bad messages */

static const char *what_is_wrong(int error)
{
	switch (-error) {
	case BSR_E_NOT_OURS:
		return "does not begin like a message";
	case BSR_E_CORRUPT:
		return "header checksum does not match: bytes were changed on the way";
	case BSR_E_VERSION:
		return "has another protocol version than agreed";
	case BSR_E_RANGE:
		return "is longer than any message may be";
	default:
		return "cannot be understood";
	}
}

static void bad_message(struct stream *stream, uint16_t type, const char *what)
{
	struct link *link = stream->link;
	char address[BSR_LINK_ADDRESS_BYTES];
	link->peer->rejected++;
	bsr_links_report(link->links, BSR_LOGN_LINK_BAD_MESSAGE, link->peer,
		"peer %u at %s: message %s on the %s stream %s; link closed, will connect again (if this repeats, check "
		"network cards, memory and versions of both nodes)",
		link->peer_id, bsr_link_address(&link->from, address), bsr_msg_word(type),
		stream->number == BSR_STREAM_DATA ? "data" : "control", what);
	bsr_link_fail(link, BSR_LINK_BAD_MESSAGE);
}

/* What is wrong with a header that bsr_stream_expects() refuses. */
static const char *header_complaint(const struct stream *stream, const struct bsr_wire_header *h)
{
	if (h->version != stream->link->version) {
		return what_is_wrong(-BSR_E_VERSION);
	}
	if (h->sequence != stream->rx_sequence + 1) {
		return "is out of order: a message was lost, repeated or inserted";
	}
	return h->type < BSR_MSG_HS_CONFIRM || !bsr_msg_known(h->type) ? "is of an unknown or misplaced type"
								       : "belongs on the other stream";
}

/* --------------------------------------------------------------- messages */

static void links_on_free(void *ctx)
{
	struct bsr_links *links = ctx;
	links->resume = true;
	bsr_loop_again(links->loop);
}

static void wait_here(struct stream *stream)
{
	stream->waiting = true;
	bsr_stream_rewatch(stream);
}

/* A buffer for a payload; BSR_BUF_NONE: the stream waits until one is free. */
static bsr_buf_t take_buffer(struct stream *stream, uint32_t bytes)
{
	struct bsr_links *links = stream->link->links;
	bsr_buf_t buf = bsr_pool_get(links->pool, bytes);
	if (buf == BSR_BUF_NONE) {
		bsr_land_forget(stream); /* what is only expected gives way to what has come */
		buf = bsr_pool_get(links->pool, bytes);
	}
	if (buf == BSR_BUF_NONE) {
		bsr_pool_on_free(links->pool, links_on_free, links);
		wait_here(stream);
	}
	return buf;
}

bool bsr_stream_ask_again(struct stream *stream)
{
	struct bsr_links *links = stream->link->links;
	stream->may_receive = links->ops->may_receive(links->ctx, stream->link->peer_id, (enum bsr_stream)stream->number);
	if (stream->may_receive == 0) {
		wait_here(stream);
		return false;
	}
	return true;
}

void bsr_stream_hand_over(
	struct stream *stream, const struct bsr_wire_header *h, const uint8_t *body, bsr_buf_t payload)
{
	struct link *link = stream->link;
	const struct bsr_ev_message message = {
		.peer = link->peer_id,
		.link = link->number,
		.stream = stream->number,
		.msg_type = h->type,
		.body = body,
		.body_bytes = h->body_bytes,
		.payload_bytes = h->payload_bytes,
		.payload = payload,
	};
	stream->rx_sequence = h->sequence;
	stream->may_receive -= stream->may_receive > 0;
	link->links->ops->message(link->links->ctx, &message);
}

void bsr_stream_begin_large(
	struct stream *stream, const struct bsr_wire_header *h, const uint8_t *body, bsr_buf_t buf)
{
	stream->rx_large = true;
	stream->rx_head = *h;
	stream->rx_buf = buf;
	stream->rx_mem = bsr_pool_mem(stream->link->links->pool, buf);
	stream->rx_got = 0;
	stream->rx_crc = bsr_crc32c_hw(~0u, body, h->body_bytes);
	memcpy(stream->rx_body, body, h->body_bytes);
}

void bsr_stream_grow_large(struct stream *stream, uint32_t bytes)
{
	BSR_ASSERT(bytes <= stream->rx_head.payload_bytes - stream->rx_got);
	if (stream->link->checksums) {
		stream->rx_crc = bsr_crc32c_hw(stream->rx_crc, stream->rx_mem + stream->rx_got, bytes);
	}
	stream->rx_got += bytes;
}

/* A message whose payload is large, or not all there yet; false: the stream waits. */
static bool begin_large(struct stream *stream, const struct bsr_wire_header *h, const uint8_t *body)
{
	const bsr_buf_t buf = take_buffer(stream, h->payload_bytes);
	if (buf == BSR_BUF_NONE) {
		return false;
	}
	bsr_stream_begin_large(stream, h, body, buf);
	stream->rx_start += BSR_WIRE_HEADER_BYTES + h->body_bytes;
	return true;
}

/* Goes on with a large payload from what is there; false: not complete, or bad. */
static bool continue_large(struct stream *stream)
{
	const uint32_t there = stream->rx_end - stream->rx_start;
	const uint32_t missing = stream->rx_head.payload_bytes - stream->rx_got;
	const uint32_t bytes = there < missing ? there : missing;
	memcpy(stream->rx_mem + stream->rx_got, stream->rx + stream->rx_start, bytes);
	stream->rx_start += bytes;
	bsr_stream_grow_large(stream, bytes);
	if (bytes < missing) {
		return false;
	}
	const bsr_buf_t buf = stream->rx_buf;
	stream->rx_large = false;
	stream->rx_buf = BSR_BUF_NONE;
	if (stream->rx_head.payload_bytes <= PAYLOAD_COPY_BYTES && !stream->landing.active) {
		bsr_land_learn(stream, &stream->rx_head);
	}
	if (~stream->rx_crc != stream->rx_head.content_crc) {
		bsr_pool_put(stream->link->links->pool, buf);
		bad_message(stream, stream->rx_head.type, "has a content checksum that does not match");
		return false;
	}
	bsr_stream_hand_over(stream, &stream->rx_head, stream->rx_body, buf);
	return true;
}

/* A message whose bytes are all there; false: it was bad, or has to wait for a buffer. */
static bool take_small(struct stream *stream, const struct bsr_wire_header *h, const uint8_t *body)
{
	struct bsr_links *links = stream->link->links;
	bsr_buf_t buf = BSR_BUF_NONE;
	const uint32_t covered = h->body_bytes + (stream->link->checksums ? h->payload_bytes : 0);
	if (~bsr_crc32c_hw(~0u, body, covered) != h->content_crc) {
		bad_message(stream, h->type, "has a content checksum that does not match");
		return false;
	}
	if (h->payload_bytes > 0) {
		buf = take_buffer(stream, h->payload_bytes);
		if (buf == BSR_BUF_NONE) {
			return false;
		}
		memcpy(bsr_pool_mem(links->pool, buf), body + h->body_bytes, h->payload_bytes);
	}
	stream->rx_start += BSR_WIRE_HEADER_BYTES + h->body_bytes + h->payload_bytes;
	if (h->payload_bytes > 0) {
		bsr_land_learn(stream, h);
	}
	bsr_stream_hand_over(stream, h, body, buf);
	return true;
}

/* One step forward; false when there is none to make now. */
static bool parse_one(struct stream *stream)
{
	struct bsr_wire_header h;
	if (stream->rx_large) {
		return continue_large(stream);
	}
	if (stream->landing.active) {
		return bsr_land_take(stream);
	}
	const uint32_t there = stream->rx_end - stream->rx_start;
	if (there < BSR_WIRE_HEADER_BYTES) {
		return false;
	}
	const uint8_t *at = stream->rx + stream->rx_start;
	const int r = bsr_wire_header_decode_with(&h, at, bsr_crc32c_hw_36);
	if (r != 0 || !bsr_stream_expects(stream, &h)) {
		bad_message(stream, r != 0 ? 0 : h.type,
			r != 0 ? what_is_wrong(r) : header_complaint(stream, &h));
		return false;
	}
	const uint32_t head_bytes = BSR_WIRE_HEADER_BYTES + h.body_bytes;
	if (there < head_bytes || !bsr_stream_may_receive(stream)) {
		return false;
	}
	const uint8_t *body = at + BSR_WIRE_HEADER_BYTES;
	if (h.payload_bytes > PAYLOAD_COPY_BYTES || there - head_bytes < h.payload_bytes) {
		return begin_large(stream, &h, body);
	}
	return take_small(stream, &h, body);
}

void bsr_stream_parse(struct stream *stream)
{
	stream->may_receive = 0; /* what the owner said is about messages in a row */
	while (!bsr_link_is_over(stream->link) && parse_one(stream)) {
	}
}

void bsr_stream_feed(struct stream *stream, const uint8_t *data, uint32_t bytes)
{
	BSR_ASSERT(bytes <= STREAM_RX_BYTES - stream->rx_end);
	memcpy(stream->rx + stream->rx_end, data, bytes);
	stream->rx_end += bytes;
	bsr_stream_parse(stream);
}

/* ------------------------------------------------------------------ socket */

/*
 * Whatever is there, in one call: the rest of a payload into its place, then messages into the
 * layout where one is expected, otherwise behind the untaken bytes. Returns what recvmsg() does.
 */
static ssize_t receive(struct stream *stream, size_t *room)
{
	struct landing *l = &stream->landing;
	uint32_t large = 0;
	BSR_ASSERT(!l->active);
	if (stream->rx_start == stream->rx_end) {
		stream->rx_start = stream->rx_end = 0;
	} else if (STREAM_RX_BYTES - stream->rx_end < RX_MESSAGE_BYTES_MAX) {
		stream->rx_end -= stream->rx_start;
		memmove(stream->rx, stream->rx + stream->rx_start, stream->rx_end);
		stream->rx_start = 0;
	}
	const size_t laid_out = bsr_land_lay_out(stream, room);
	struct iovec in_a_row[2];
	struct iovec *iov = laid_out > 0 ? &l->iov[1] : &in_a_row[1];
	size_t count = laid_out;
	if (laid_out == 0) {
		BSR_ASSERT(STREAM_RX_BYTES - stream->rx_end >= RX_MESSAGE_BYTES_MAX);
		*iov = (struct iovec){stream->rx + stream->rx_end, STREAM_RX_BYTES - stream->rx_end};
		*room = iov->iov_len;
		count = 1;
	}
	if (stream->rx_large) {
		large = stream->rx_head.payload_bytes - stream->rx_got;
		*--iov = (struct iovec){stream->rx_mem + stream->rx_got, large};
		*room += large;
		count++;
	}
	struct msghdr msg = {.msg_iov = iov, .msg_iovlen = count};
	ssize_t got;
	do {
		got = recvmsg(stream->watch.fd, &msg, MSG_DONTWAIT);
	} while (got < 0 && errno == EINTR);
	if (got <= 0) {
		return got;
	}
	if (stream->link->peer != NULL) {
		stream->link->peer->received_bytes += (uint64_t)got;
	}
	const uint32_t in_place = (size_t)got < large ? (uint32_t)got : large;
	if (in_place > 0) {
		bsr_stream_grow_large(stream, in_place);
	}
	const uint32_t behind = (uint32_t)got - in_place;
	if (laid_out > 0 && behind > 0) {
		bsr_land_settle(stream, behind);
	} else {
		stream->rx_end += behind;
	}
	return got;
}

static void read_on(struct stream *stream)
{
	struct link *link = stream->link;
	for (uint32_t round = 0; round < RX_ROUNDS; round++) {
		size_t room;
		if (bsr_link_is_over(link) || stream->waiting || stream->ended) {
			return;
		}
		const ssize_t got = receive(stream, &room);
		if (got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) {
			return;
		}
		if (got <= 0) {
			stream->ended = true;
			link->broken |= got < 0;
			return;
		}
		bsr_stream_parse(stream);
		if ((size_t)got < room) {
			return;
		}
	}
}

/*
 * The other end has closed this stream. It may have closed both after a last word, so the other
 * stream is heard to its end too, for a while; not after an error, which no orderly end begins
 * with.
 */
static void end_of_stream(struct stream *stream)
{
	struct link *link = stream->link;
	struct stream *other = &link->stream[1 - stream->number];
	read_on(other);
	if (bsr_link_is_over(link)) {
		return;
	}
	if (other->ended || link->broken) {
		bsr_link_fail(link, BSR_LINK_CLOSED);
		return;
	}
	bsr_stream_rewatch(stream);
	if (link->deadline_ns == 0) {
		link->deadline_ns = bsr_loop_now_ns(link->links->loop) + END_LIMIT_NS;
		bsr_links_touch(link->links, link->deadline_ns);
	}
}

/*
 * A link that drains: what still comes is read and forgotten, or closing would cut off what we
 * sent.
 */
static void discard_input(struct stream *stream)
{
	ssize_t got = 1;
	for (uint32_t round = 0; round < RX_ROUNDS && got > 0; round++) {
		do {
			got = recv(stream->watch.fd, stream->rx, STREAM_RX_BYTES, MSG_DONTWAIT);
		} while (got < 0 && errno == EINTR);
	}
	if (got == 0 || (got < 0 && errno != EAGAIN && errno != EWOULDBLOCK)) {
		stream->ended = true;
		bsr_stream_rewatch(stream);
		bsr_links_touch(stream->link->links, 0);
	}
}

void bsr_stream_ready(struct bsr_watch *watch, uint32_t events)
{
	struct stream *stream = (struct stream *)watch;
	struct link *link = stream->link;
	if ((events & (POLLOUT | POLLERR | POLLHUP)) != 0 && stream->blocked) {
		stream->blocked = false;
		bsr_stream_mark_dirty(stream);
		bsr_stream_rewatch(stream);
	}
	if (link->draining) {
		discard_input(stream);
		return;
	}
	read_on(stream);
	if (!bsr_link_is_over(link) && stream->ended) {
		end_of_stream(stream);
	}
}
