// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * link_tx.c - the sending half of a stream: queue, seal, write out
 *
 * Owns:       the ring of message heads, and the list of pieces that sendmsg() gets.
 * Invariants:
 *   TX-1  Bytes leave in the order of bsr_links_send(); a sequence number is given once.
 *   TX-2  A payload is referenced from the moment it is queued until its last byte has left or the
 *         link has died.
 *
 * Heads (header and body) are copied into a byte ring, so that a run of messages without payload is
 * one piece for sendmsg. A payload is a piece of its own. Pieces are noted as they are queued; what has left goes
 * from the front of the list, which begins anew whenever everything has left.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include <bsr/assert.h>

#include "link_internal.h"

#define IOV_COUNT 512u /* of one sendmsg; half of what Linux takes */
#define SEND_ROUNDS 4u /* sendmsg calls of one stream in one turn, when very much waits */

void bsr_stream_mark_dirty(struct stream *stream)
{
	if (!stream->dirty) {
		struct bsr_links *links = stream->link->links;
		stream->dirty = true;
		stream->next_dirty = links->dirty;
		links->dirty = stream;
	}
}

/* ------------------------------------------------------------------- queue */

/* The ring is @ring from now on; a piece that was whole is whole there, because it is as long as several of the old one. */
static void at_ring(struct stream *stream, uint8_t *ring, uint32_t bytes)
{
	uint64_t at = stream->ring_tail;
	for (uint32_t i = stream->piece_first; i < stream->piece_end; i++) {
		if (stream->piece_buf[i] == BSR_BUF_NONE) {
			stream->piece[i].iov_base = ring + (at & (bytes - 1));
			at += stream->piece[i].iov_len;
		}
	}
	BSR_ASSERT(at == stream->ring_head);
	free(stream->ring);
	stream->ring = ring;
	stream->ring_bytes = bytes;
}

static bool grow_ring(struct stream *stream, uint32_t wanted)
{
	const uint32_t used = (uint32_t)(stream->ring_head - stream->ring_tail);
	uint32_t bytes = stream->ring_bytes;
	while (bytes - used < wanted) {
		bytes *= 2;
	}
	if (bytes > BSR_LINK_QUEUE_BYTES_MAX) {
		return false;
	}
	uint8_t *ring = malloc(bytes);
	if (ring == NULL) {
		return false;
	}
	for (uint64_t at = stream->ring_tail; at < stream->ring_head;) {
		const uint32_t from = (uint32_t)at & (stream->ring_bytes - 1);
		const uint32_t to = (uint32_t)at & (bytes - 1);
		uint32_t piece = stream->ring_bytes - from;
		if (piece > stream->ring_head - at) {
			piece = (uint32_t)(stream->ring_head - at);
		}
		if (piece > bytes - to) {
			piece = bytes - to;
		}
		memcpy(ring + to, stream->ring + from, piece);
		at += piece;
	}
	at_ring(stream, ring, bytes);
	return true;
}

void bsr_stream_use_pieces(struct stream *stream, struct iovec *mem, uint32_t count)
{
	stream->piece = mem;
	stream->piece_buf = (bsr_buf_t *)(void *)(mem + count);
	stream->piece_count = count;
}

/* Those that have left make room, or there is more memory for them. */
static bool move_pieces(struct stream *stream)
{
	const uint32_t used = stream->piece_end - stream->piece_first;
	const struct iovec *piece = stream->piece + stream->piece_first;
	const bsr_buf_t *buf = stream->piece_buf + stream->piece_first;
	struct iovec *old = NULL;
	if (used > stream->piece_count / 2) {
		const uint32_t count = 2 * stream->piece_count;
		if (count > 2 * (BSR_LINK_QUEUE_BYTES_MAX / BSR_WIRE_HEADER_BYTES)) {
			return false; /* the ring has a head for each payload, so it fills up first */
		}
		struct iovec *mem = malloc(count * BSR_PIECE_BYTES);
		if (mem == NULL) {
			return false;
		}
		old = stream->piece;
		bsr_stream_use_pieces(stream, mem, count);
	}
	memmove(stream->piece, piece, used * sizeof(*piece));
	memmove(stream->piece_buf, buf, used * sizeof(*buf));
	free(old);
	stream->piece_first = 0;
	stream->piece_end = used;
	return true;
}

/* A head in two pieces, and a payload. */
static inline bool has_room(const struct stream *stream, uint32_t head_bytes)
{
	return stream->ring_bytes - (uint32_t)(stream->ring_head - stream->ring_tail) >= head_bytes &&
		stream->piece_count - stream->piece_end >= 3;
}

static __attribute__((noinline)) bool make_room(struct stream *stream, uint32_t head_bytes)
{
	if (stream->piece_count - stream->piece_end < 3 && !move_pieces(stream)) {
		return false;
	}
	return stream->ring_bytes - (uint32_t)(stream->ring_head - stream->ring_tail) >= head_bytes ||
		grow_ring(stream, head_bytes);
}

static inline void add_piece(struct stream *stream, const uint8_t *mem, uint32_t bytes, bsr_buf_t buf)
{
	BSR_ASSERT(stream->piece_end < stream->piece_count);
	/* sendmsg() does not write to it */
	stream->piece[stream->piece_end] = (struct iovec){(void *)(uintptr_t)mem, bytes};
	stream->piece_buf[stream->piece_end++] = buf;
}

/* @bytes in the ring at @mem belong to what is to be sent: to the piece before, if that ends there. */
static inline void add_head_bytes(struct stream *stream, uint8_t *mem, uint32_t bytes)
{
	if (stream->piece_end > stream->piece_first && stream->piece_buf[stream->piece_end - 1] == BSR_BUF_NONE) {
		struct iovec *last = &stream->piece[stream->piece_end - 1];
		if ((uint8_t *)last->iov_base + last->iov_len == mem) {
			last->iov_len += bytes;
			return;
		}
	}
	add_piece(stream, mem, bytes, BSR_BUF_NONE);
}

/* Most heads have 48 to 96 bytes, those of writes and of a few acknowledgements: copied from both ends, in registers. */
static inline void copy_head(uint8_t *to, const uint8_t *from, uint32_t bytes)
{
	if (bytes - 48 <= 48) {
		__builtin_memcpy(to, from, 48);
		__builtin_memcpy(to + bytes - 48, from + bytes - 48, 48);
	} else {
		memcpy(to, from, bytes);
	}
}

static void put_in_ring(struct stream *stream, const uint8_t *data, uint32_t bytes)
{
	while (bytes > 0) {
		const uint32_t at = (uint32_t)stream->ring_head & (stream->ring_bytes - 1);
		const uint32_t now = bytes <= stream->ring_bytes - at ? bytes : stream->ring_bytes - at;
		memcpy(stream->ring + at, data, now);
		add_head_bytes(stream, stream->ring + at, now);
		stream->ring_head += now;
		data += now;
		bytes -= now;
	}
}

/* Where the ring ends. */
static __attribute__((noinline)) void put_head_in_two(
	struct stream *stream, const uint8_t *head, uint32_t bytes, uint32_t content_crc)
{
	uint8_t header[BSR_WIRE_HEADER_BYTES];
	memcpy(header, head, sizeof(header));
	bsr_wire_seal_with(header, ++stream->tx_sequence, content_crc, bsr_crc32c_hw_36);
	put_in_ring(stream, header, sizeof(header));
	put_in_ring(stream, head + sizeof(header), bytes - (uint32_t)sizeof(header));
}

/* The sealed head goes into the ring. */
static inline void put_head(struct stream *stream, const uint8_t *head, uint32_t bytes, uint32_t content_crc)
{
	const uint32_t at = (uint32_t)stream->ring_head & (stream->ring_bytes - 1);
	if (bytes > stream->ring_bytes - at) {
		put_head_in_two(stream, head, bytes, content_crc);
		return;
	}
	uint8_t *to = stream->ring + at;
	copy_head(to, head, bytes);
	bsr_wire_seal_with(to, ++stream->tx_sequence, content_crc, bsr_crc32c_hw_36);
	stream->ring_head += bytes;
	add_head_bytes(stream, to, bytes);
}

bool bsr_stream_queue(struct stream *stream, const struct bsr_fx_send *send, const uint8_t *head)
{
	const uint32_t head_bytes = send->head_bytes;
	const uint32_t payload_bytes = send->payload_bytes;
	BSR_ASSERT(head_bytes >= BSR_WIRE_HEADER_BYTES);
	BSR_ASSERT((payload_bytes == 0) == (send->buf == BSR_BUF_NONE));
	if (stream->tx_broken) {
		/* it would not arrive; the end of the link is on its way to the owner */
		return true;
	}
	if (!has_room(stream, head_bytes) && !make_room(stream, head_bytes)) {
		return false;
	}
	const uint8_t *payload = NULL;
	if (payload_bytes > 0) {
		payload = bsr_pool_borrow_part(stream->link->links->pool, send->buf, send->buf_offset, payload_bytes);
	}
	const uint32_t crc = bsr_crc32c_hw_content(head + BSR_WIRE_HEADER_BYTES, head_bytes - BSR_WIRE_HEADER_BYTES,
		payload, stream->link->checksums ? payload_bytes : 0);
	put_head(stream, head, head_bytes, crc);
	if (payload_bytes > 0) {
		add_piece(stream, payload, payload_bytes, send->buf);
	}
	stream->queued_bytes += head_bytes + payload_bytes;
	if (!stream->dirty) {
		bsr_stream_mark_dirty(stream);
	}
	return true;
}

void bsr_stream_drop_queue(struct stream *stream)
{
	struct bsr_pool *pool = stream->link->links->pool;
	const bsr_buf_t *end = stream->piece_buf + stream->piece_end;
	for (const bsr_buf_t *buf = stream->piece_buf + stream->piece_first; buf != end; buf++) {
		if (*buf != BSR_BUF_NONE) {
			bsr_pool_put(pool, *buf);
		}
	}
	stream->piece_first = stream->piece_end = 0;
	stream->ring_tail = stream->ring_head;
	stream->queued_bytes = 0;
}

/* --------------------------------------------------------------- write out */

/* @bytes more have left: give back what they were. */
static void advance(struct stream *stream, uint64_t bytes)
{
	struct bsr_pool *pool = stream->link->links->pool;
	if (bytes == stream->queued_bytes) { /* mostly */
		bsr_stream_drop_queue(stream);
		return;
	}
	BSR_ASSERT(bytes < stream->queued_bytes);
	stream->queued_bytes -= bytes;
	uint32_t i = stream->piece_first;
	for (; i < stream->piece_end && bytes >= stream->piece[i].iov_len; i++) {
		bytes -= stream->piece[i].iov_len;
		if (stream->piece_buf[i] != BSR_BUF_NONE) {
			bsr_pool_put(pool, stream->piece_buf[i]);
		} else {
			stream->ring_tail += stream->piece[i].iov_len;
		}
	}
	stream->piece_first = i;
	BSR_ASSERT(i < stream->piece_end); /* something has not left */
	struct iovec *piece = &stream->piece[i]; /* of which a part has left, or nothing */
	piece->iov_base = (uint8_t *)piece->iov_base + bytes;
	piece->iov_len -= bytes;
	stream->ring_tail += stream->piece_buf[i] == BSR_BUF_NONE ? bytes : 0;
}

/* Returns bytes that left; *@again: there is more and the network might take it. */
static uint64_t send_batch(struct stream *stream, bool *again)
{
	const uint32_t waiting = stream->piece_end - stream->piece_first;
	const uint32_t count = waiting < IOV_COUNT ? waiting : IOV_COUNT;
	const int more = count == waiting ? 0 : MSG_MORE;
	struct msghdr msg = {.msg_iov = stream->piece + stream->piece_first, .msg_iovlen = count};
	ssize_t sent;
	do {
		sent = sendmsg(stream->watch.fd, &msg, MSG_DONTWAIT | MSG_NOSIGNAL | more);
	} while (sent < 0 && errno == EINTR);
	*again = false;
	if (sent < 0) {
		if (errno == EAGAIN || errno == EWOULDBLOCK || errno == ENOBUFS || errno == ENOMEM) {
			stream->blocked = true;
		} else {
			/*
			 * Reading goes on: what the peer said before it left is worth more than how
			 * it left.
			 */
			stream->tx_broken = true;
			bsr_stream_drop_queue(stream);
		}
		return 0;
	}
	const uint32_t taken_up_to = stream->piece_first + count;
	advance(stream, (uint64_t)sent);
	/* pieces begin anew at 0 when all have left */
	stream->blocked = stream->piece_end != 0 && stream->piece_first < taken_up_to;
	*again = stream->piece_end != 0 && !stream->blocked;
	return (uint64_t)sent;
}

/* Very much waits, and the network takes it. */
static __attribute__((noinline)) uint64_t transmit_more(struct stream *stream)
{
	uint64_t sent = 0;
	bool again = true;
	for (uint32_t round = 1; again && round < SEND_ROUNDS; round++) {
		sent += send_batch(stream, &again);
	}
	if (again) { /* the others have their turn first */
		bsr_stream_mark_dirty(stream);
		bsr_loop_again(stream->link->links->loop);
	}
	return sent;
}

uint64_t bsr_stream_transmit(struct stream *stream)
{
	bool again;
	if (stream->queued_bytes == 0 || stream->blocked) {
		return 0;
	}
	const uint64_t sent = send_batch(stream, &again);
	return again ? sent + transmit_more(stream) : sent;
}
