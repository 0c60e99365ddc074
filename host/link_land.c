// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * link_land.c - payloads that land where they belong, without being copied
 *
 * Owns:       the slots of a stream: buffers that are laid out for the next recvmsg() in the
 *             expectation that messages of the same shape (length of body, length of payload) go on
 *             coming.
 * Invariants:
 *   LAND-1  The expectation is only about where bytes are put. Each message is checked like any
 *   other; at the first
 *           one of another shape the rest is put in a row and goes through the ordinary parser.
 *   LAND-2  A buffer is in one place only: in a slot, with the owner, or back in the pool.
 *   LAND-3  Slots lose their buffers from the first one on, so those that are empty come first.
 *
 * A layout is head 0, buffer 0, head 1, buffer 1, ..., and behind the last one a tail for whatever
 * more there is. Heads lie one behind the other at the beginning of the receive buffer. Its description for recvmsg()
 * is kept from one to the next; only slots that were used get new buffers.
 */
#include <string.h>

#include <bsr/assert.h>

#include "link_internal.h"

#define STREAK 3u	       /* messages of one shape before more of it are expected */
#define PAYLOAD_MIN 4096u      /* copying less is cheaper than laying it out */
#define BYTES_MAX (64u << 10)  /* laid out at once */
#define HEADS_BYTES (8u << 10) /* at the beginning of rx */
#define TAIL_AT HEADS_BYTES
#define TAIL_BYTES (80u << 10)
#define ROW_AT (TAIL_AT + TAIL_BYTES) /* where things are put in a row */
_Static_assert(ROW_AT + BYTES_MAX + HEADS_BYTES + TAIL_BYTES <= STREAM_RX_BYTES, "a whole layout fits into the row");
_Static_assert(BSR_LAND_SLOTS_MAX * BSR_LAND_HEAD_BYTES_MAX <= HEADS_BYTES, "heads have their place");
_Static_assert(BSR_LAND_SLOTS_MAX * PAYLOAD_MIN <= BYTES_MAX, "the smallest payloads may use all slots");

void bsr_land_forget(struct stream *stream)
{
	struct landing *l = &stream->landing;
	for (uint32_t i = l->active ? l->next : l->empty; i < l->count; i++) {
		bsr_pool_put(stream->link->links->pool, l->buf[i]);
	}
	*l = (struct landing){0};
}

void bsr_land_learn(struct stream *stream, const struct bsr_wire_header *h)
{
	struct landing *l = &stream->landing;
	const uint32_t head_bytes = BSR_WIRE_HEADER_BYTES + h->body_bytes;
	if (h->payload_bytes < PAYLOAD_MIN || h->payload_bytes > PAYLOAD_COPY_BYTES ||
		head_bytes > BSR_LAND_HEAD_BYTES_MAX) {
		l->streak = 0;
	} else if (l->payload_bytes == h->payload_bytes && l->head_bytes == head_bytes) {
		l->streak += l->streak < STREAK;
	} else {
		bsr_land_forget(stream);
		l->payload_bytes = h->payload_bytes;
		l->head_bytes = head_bytes;
		l->depth = 1;
		l->streak = 1;
	}
}

/* ------------------------------------------------------------------ lay out */

static bool fill_slot(struct stream *stream, uint32_t i)
{
	struct landing *l = &stream->landing;
	struct bsr_pool *pool = stream->link->links->pool;
	uint8_t *mem;
	const bsr_buf_t buf = bsr_pool_take(pool, l->payload_bytes, &mem);
	if (buf == BSR_BUF_NONE) {
		return false;
	}
	l->buf[i] = buf;
	l->mem[i] = mem;
	l->iov[2 + 2 * i].iov_base = mem;
	return true;
}

/* Slots that are new: also where their heads go, and the tail behind them. */
static void add_slots(struct stream *stream)
{
	struct landing *l = &stream->landing;
	while (l->count < l->depth && fill_slot(stream, l->count)) {
		struct iovec *iov = &l->iov[1 + 2 * l->count];
		iov[0] = (struct iovec){stream->rx + l->count * l->head_bytes, l->head_bytes};
		iov[1].iov_len = l->payload_bytes;
		iov[2] = (struct iovec){stream->rx + TAIL_AT, TAIL_BYTES};
		l->count++;
	}
}

/* False: some slot in the row stays without a buffer. */
static bool fill_slots(struct stream *stream)
{
	struct landing *l = &stream->landing;
	while (l->empty > 0 && fill_slot(stream, l->empty - 1)) {
		l->empty--; /* LAND-3 */
	}
	if (l->count < l->depth && l->empty == 0) {
		add_slots(stream);
	}
	return l->empty == 0 && l->count > 0;
}

size_t bsr_land_lay_out(struct stream *stream, size_t *room)
{
	struct landing *l = &stream->landing;
	const uint32_t there = stream->rx_end - stream->rx_start;
	BSR_ASSERT(!l->active);
	if (l->streak < STREAK || there >= l->head_bytes || !fill_slots(stream)) {
		return 0;
	}
	if (there > 0) {
		memmove(stream->rx, stream->rx + stream->rx_start, there);
	}
	stream->rx_start = 0;
	stream->rx_end = there;
	l->iov[1] = (struct iovec){stream->rx + there, l->head_bytes - there};
	*room = (size_t)l->count * (l->head_bytes + l->payload_bytes) + TAIL_BYTES - there;
	return 2 * l->count + 1;
}

void bsr_land_settle(struct stream *stream, uint32_t bytes)
{
	struct landing *l = &stream->landing;
	const uint32_t shape = l->head_bytes + l->payload_bytes;
	bytes += stream->rx_end; /* the beginning of head 0 that was there before */
	stream->rx_start = stream->rx_end = 0;
	l->active = true;
	l->next = 0;
	l->full = bytes / shape < l->count ? bytes / shape : l->count;
	l->rest = bytes - l->full * shape;
}

/* ------------------------------------------------------------------ take up */

static void row_add(struct stream *stream, const uint8_t *data, uint32_t bytes)
{
	BSR_ASSERT(bytes <= STREAM_RX_BYTES - stream->rx_end);
	memcpy(stream->rx + stream->rx_end, data, bytes);
	stream->rx_end += bytes;
}

/* The layout is used up: the slots behind @used keep their buffers for the next one. */
static inline void end_layout(struct stream *stream, uint32_t used)
{
	struct landing *l = &stream->landing;
	BSR_ASSERT(used <= l->count);
	if (used == l->count) {
		const uint32_t most = BYTES_MAX / l->payload_bytes;
		const uint32_t wider = 2 * l->depth < most ? 2 * l->depth : most;
		l->depth = wider < BSR_LAND_SLOTS_MAX ? wider : BSR_LAND_SLOTS_MAX;
	}
	l->empty = used;
	l->active = false;
}

/* Something else has come: what is left of the layout, in a row, for the ordinary parser. */
static void put_in_a_row(struct stream *stream)
{
	struct landing *l = &stream->landing;
	const uint32_t used = l->next;
	stream->rx_start = stream->rx_end = ROW_AT;
	for (; l->next < l->full; l->next++) {
		row_add(stream, stream->rx + l->next * l->head_bytes, l->head_bytes);
		row_add(stream, l->mem[l->next], l->payload_bytes);
	}
	if (l->full == l->count) {
		row_add(stream, stream->rx + TAIL_AT, l->rest);
	} else {
		const uint32_t head = l->rest < l->head_bytes ? l->rest : l->head_bytes;
		row_add(stream, stream->rx + l->full * l->head_bytes, head);
		row_add(stream, l->mem[l->full], l->rest - head);
	}
	end_layout(stream, used);
	l->streak = STREAK - 1; /* one more of the shape, and it is expected again */
}

static inline bool has_shape(const struct landing *l, const struct bsr_wire_header *h)
{
	return BSR_WIRE_HEADER_BYTES + h->body_bytes == l->head_bytes && h->payload_bytes == l->payload_bytes;
}

/* Head @index is all there: what it says, if it is right and of the expected shape. */
static inline bool read_head(const struct stream *stream, uint32_t index, struct bsr_wire_header *h)
{
	const struct landing *l = &stream->landing;
	const uint8_t *at = stream->rx + index * l->head_bytes;
	return bsr_wire_header_decode_with(h, at, bsr_crc32c_hw_36) == 0 && has_shape(l, h) &&
		bsr_stream_expects(stream, h);
}

static bool take_full(struct stream *stream)
{
	struct landing *l = &stream->landing;
	const uint8_t *body = stream->rx + l->next * l->head_bytes + BSR_WIRE_HEADER_BYTES;
	struct bsr_wire_header h;
	if (!read_head(stream, l->next, &h)) {
		put_in_a_row(stream);
		return true;
	}
	if (!bsr_stream_may_receive(stream)) {
		return false;
	}
	const uint32_t covered = stream->link->checksums ? h.payload_bytes : 0;
	if (bsr_crc32c_hw_content(body, h.body_bytes, l->mem[l->next], covered) != h.content_crc) {
		put_in_a_row(stream); /* the ordinary parser says what there is to say */
		return true;
	}
	bsr_stream_hand_over(stream, &h, body, l->buf[l->next++]);
	return true;
}

/* The last message of a layout has begun and not ended. */
static bool take_begun(struct stream *stream)
{
	struct landing *l = &stream->landing;
	const uint32_t index = l->full;
	const uint32_t rest = l->rest;
	struct bsr_wire_header h;
	if (rest < l->head_bytes) {
		if (rest > 0) {
			memmove(stream->rx, stream->rx + index * l->head_bytes, rest);
		}
		stream->rx_end = rest;
		end_layout(stream, index);
		return true; /* the beginning of one, or a shorter message and all of it */
	}
	if (!read_head(stream, index, &h)) {
		put_in_a_row(stream);
		return true;
	}
	if (!bsr_stream_may_receive(stream)) {
		return false;
	}
	const bsr_buf_t buf = l->buf[index];
	const uint32_t head_bytes = l->head_bytes;
	const uint8_t *body = stream->rx + index * head_bytes + BSR_WIRE_HEADER_BYTES;
	bsr_stream_begin_large(stream, &h, body, buf);
	end_layout(stream, index + 1);
	bsr_stream_grow_large(stream, rest - head_bytes);
	return false;
}

bool bsr_land_take(struct stream *stream)
{
	struct landing *l = &stream->landing;
	BSR_ASSERT(l->active && !stream->rx_large);
	if (l->next < l->full) {
		return take_full(stream);
	}
	if (l->full < l->count) {
		return take_begun(stream);
	}
	stream->rx_start = TAIL_AT;
	stream->rx_end = TAIL_AT + l->rest;
	end_layout(stream, l->full);
	return true;
}
