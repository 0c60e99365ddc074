// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * link_tx.c - the sending half of a stream: queue, seal, write out
 *
 * Owns:       the ring of message heads and the list of payloads between them.
 * Invariants:
 *   TX-1  Bytes leave in the order of bsr_links_send(); a sequence number is given once.
 *   TX-2  A payload is referenced from the moment it is queued until its last byte has left or the
 *         link has died.
 *
 * Heads (header and body) are copied into a byte ring, so that a run of messages without payload is
 * one piece for sendmsg. A payload is a segment that says behind which ring position it belongs.
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
	free(stream->ring);
	stream->ring = ring;
	stream->ring_bytes = bytes;
	return true;
}

static bool grow_segments(struct stream *stream)
{
	const uint32_t count = 2 * stream->segments_count;
	if (count > BSR_LINK_QUEUE_BYTES_MAX / BSR_WIRE_HEADER_BYTES) {
		return false; /* the ring has a head for each, so it fills up first */
	}
	struct segment *segments = malloc(count * sizeof(*segments));
	if (segments == NULL) {
		return false;
	}
	for (uint32_t i = stream->segment_tail; i != stream->segment_head; i++) {
		segments[i & (count - 1)] = stream->segments[i & (stream->segments_count - 1)];
	}
	free(stream->segments);
	stream->segments = segments;
	stream->segments_count = count;
	return true;
}

static bool make_room(struct stream *stream, const struct bsr_fx_send *send)
{
	if (stream->ring_bytes - (uint32_t)(stream->ring_head - stream->ring_tail) < send->head_bytes &&
		!grow_ring(stream, send->head_bytes)) {
		return false;
	}
	return send->payload_bytes == 0 || stream->segment_head - stream->segment_tail < stream->segments_count ||
		grow_segments(stream);
}

static void put_in_ring(struct stream *stream, const uint8_t *data, uint32_t bytes)
{
	const uint32_t at = (uint32_t)stream->ring_head & (stream->ring_bytes - 1);
	const uint32_t first = bytes <= stream->ring_bytes - at ? bytes : stream->ring_bytes - at;
	memcpy(stream->ring + at, data, first);
	memcpy(stream->ring, data + first, bytes - first);
	stream->ring_head += bytes;
}

/* Most heads have 64 to 128 bytes: copied from both ends, in registers. */
static inline void copy_head(uint8_t *to, const uint8_t *from, uint32_t bytes)
{
	if (bytes - 64 <= 64) {
		__builtin_memcpy(to, from, 64);
		__builtin_memcpy(to + bytes - 64, from + bytes - 64, 64);
	} else {
		memcpy(to, from, bytes);
	}
}

/* The sealed head goes into the ring: in one piece nearly always, in two where the ring ends. */
static inline void put_head(struct stream *stream, const uint8_t *head, uint32_t bytes, uint32_t content_crc)
{
	const uint32_t at = (uint32_t)stream->ring_head & (stream->ring_bytes - 1);
	const uint64_t sequence = ++stream->tx_sequence;
	if (bytes <= stream->ring_bytes - at) {
		copy_head(stream->ring + at, head, bytes);
		bsr_wire_seal_with(stream->ring + at, sequence, content_crc, bsr_crc32c_hw_36);
		stream->ring_head += bytes;
		return;
	}
	uint8_t header[BSR_WIRE_HEADER_BYTES];
	memcpy(header, head, sizeof(header));
	bsr_wire_seal_with(header, sequence, content_crc, bsr_crc32c_hw_36);
	put_in_ring(stream, header, sizeof(header));
	put_in_ring(stream, head + sizeof(header), bytes - (uint32_t)sizeof(header));
}

/* A payload that follows the head that is put next. Returns @crc continued over it. */
static uint32_t put_payload(struct stream *stream, const struct bsr_fx_send *send, uint32_t crc)
{
	struct bsr_pool *pool = stream->link->links->pool;
	const uint32_t size = bsr_pool_size(pool, send->buf);
	BSR_ASSERT(send->buf_offset <= size && send->payload_bytes <= size - send->buf_offset);
	const uint8_t *mem = bsr_pool_borrow(pool, send->buf) + send->buf_offset;
	stream->segments[stream->segment_head++ & (stream->segments_count - 1)] = (struct segment){
		stream->ring_head + send->head_bytes, mem, send->payload_bytes, send->buf};
	return stream->link->checksums ? bsr_crc32c_hw(crc, mem, send->payload_bytes) : crc;
}

bool bsr_stream_queue(struct stream *stream, const struct bsr_fx_send *send, const uint8_t *head)
{
	BSR_ASSERT(send->head_bytes >= BSR_WIRE_HEADER_BYTES);
	BSR_ASSERT((send->payload_bytes == 0) == (send->buf == BSR_BUF_NONE));
	if (stream->tx_broken) {
		/* it would not arrive; the end of the link is on its way to the owner */
		return true;
	}
	if (!make_room(stream, send)) {
		return false;
	}
	uint32_t crc =
		bsr_crc32c_hw(~0u, head + BSR_WIRE_HEADER_BYTES, send->head_bytes - BSR_WIRE_HEADER_BYTES);
	if (send->payload_bytes > 0) {
		crc = put_payload(stream, send, crc);
	}
	put_head(stream, head, send->head_bytes, ~crc);
	stream->queued_bytes += send->head_bytes + send->payload_bytes;
	bsr_stream_mark_dirty(stream);
	return true;
}

void bsr_stream_drop_queue(struct stream *stream)
{
	while (stream->segment_tail != stream->segment_head) {
		const struct segment *s = &stream->segments[stream->segment_tail++ & (stream->segments_count - 1)];
		bsr_pool_put(stream->link->links->pool, s->buf);
	}
	stream->ring_tail = stream->ring_head;
	stream->segment_sent = 0;
	stream->queued_bytes = 0;
}

/* --------------------------------------------------------------- write out */

struct batch {
	struct iovec iov[IOV_COUNT];
	uint32_t count;
	uint64_t bytes;
	bool complete; /* holds all that waits */
};

static void batch_add(struct batch *batch, const uint8_t *mem, uint64_t bytes)
{
	/* sendmsg() does not write to it */
	batch->iov[batch->count].iov_base = (void *)(uintptr_t)mem;
	batch->iov[batch->count].iov_len = bytes;
	batch->count++;
	batch->bytes += bytes;
}

static void batch_add_ring(struct batch *batch, const struct stream *stream, uint64_t from, uint64_t to)
{
	const uint32_t at = (uint32_t)from & (stream->ring_bytes - 1);
	const uint64_t bytes = to - from;
	const uint64_t first = bytes <= stream->ring_bytes - at ? bytes : stream->ring_bytes - at;
	if (first > 0) {
		batch_add(batch, stream->ring + at, first);
	}
	if (bytes > first) {
		batch_add(batch, stream->ring, bytes - first);
	}
}

static void batch_fill(struct batch *batch, const struct stream *stream)
{
	uint64_t at = stream->ring_tail;
	uint32_t skip = stream->segment_sent;
	batch->count = 0;
	batch->bytes = 0;
	batch->complete = false;
	for (uint32_t i = stream->segment_tail; i != stream->segment_head; i++) {
		/* a head in two pieces, a payload; and the heads at the end */
		if (batch->count > IOV_COUNT - 5) {
			return;
		}
		const struct segment *s = &stream->segments[i & (stream->segments_count - 1)];
		batch_add_ring(batch, stream, at, s->at);
		batch_add(batch, s->mem + skip, s->bytes - skip);
		at = s->at;
		skip = 0;
	}
	batch_add_ring(batch, stream, at, stream->ring_head);
	batch->complete = true;
}

/* @bytes more have left: give back what they were. */
static void advance(struct stream *stream, uint64_t bytes)
{
	stream->queued_bytes -= bytes;
	while (stream->segment_tail != stream->segment_head) {
		const struct segment *s = &stream->segments[stream->segment_tail & (stream->segments_count - 1)];
		const uint64_t heads = s->at - stream->ring_tail;
		if (bytes < heads) {
			break;
		}
		stream->ring_tail = s->at;
		bytes -= heads;
		if (bytes < s->bytes - stream->segment_sent) {
			stream->segment_sent += (uint32_t)bytes;
			return;
		}
		bytes -= s->bytes - stream->segment_sent;
		bsr_pool_put(stream->link->links->pool, s->buf);
		stream->segment_tail++;
		stream->segment_sent = 0;
	}
	stream->ring_tail += bytes;
	BSR_ASSERT(stream->ring_tail <= stream->ring_head);
}

/* Returns bytes that left; *@again: there is more and the network might take it. */
static uint64_t send_batch(struct stream *stream, bool *again)
{
	struct batch batch;
	batch_fill(&batch, stream);
	struct msghdr msg = {.msg_iov = batch.iov, .msg_iovlen = batch.count};
	const int more = batch.complete ? 0 : MSG_MORE;
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
	advance(stream, (uint64_t)sent);
	stream->blocked = (uint64_t)sent < batch.bytes;
	*again = !stream->blocked && !batch.complete;
	return (uint64_t)sent;
}

uint64_t bsr_stream_transmit(struct stream *stream)
{
	uint64_t sent = 0;
	bool again = stream->queued_bytes > 0 && !stream->blocked;
	for (uint32_t round = 0; again && round < SEND_ROUNDS; round++) {
		sent += send_batch(stream, &again);
	}
	if (again) { /* the others have their turn first */
		bsr_stream_mark_dirty(stream);
		bsr_loop_again(stream->link->links->loop);
	}
	return sent;
}
