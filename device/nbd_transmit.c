// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * nbd_transmit.c - transmission phase of an NBD connection: bytes in, requests to the owner, answers back
 *
 * Owns:       a connection's input bytes and its current request.
 * Invariants:
 *   NBDT-1  Payload of a write is read into the buffer that goes to the owner; it is copied only where the next paragraph
 *           says so.
 *   NBDT-2  A write is handed over when its last byte is there.
 *
 * Reading. Many small writes come with one system call. The read is scattered for the case that the client goes on as it
 * did: head, payload, head, payload ... with the last write's length; a fixed-size random writer then gets every payload
 * in place. Where the guess is wrong, the rest of what was read is put in a row and copied from there. Large writes: the
 * first one's beginning is copied; while its rest is read in place, only the next head is read along, so the following
 * ones are not copied at all.
 */
#include "nbd_internal.h"

#include <errno.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#define READS_PER_TURN_MAX 8u

/* ---------------------------------------------------------------- requests */

static int check_request(const struct nbd_conn *conn, const struct nbd_meaning *meaning)
{
	const struct nbd_request *request = &conn->current;
	if (meaning->error != 0 || meaning->op == BSR_OP_FLUSH) {
		return meaning->error;
	}
	const bool moves = meaning->op == BSR_OP_READ || meaning->op == BSR_OP_WRITE;
	if (moves && request->length > BSR_REQUEST_BYTES_MAX) {
		return EINVAL;
	}
	const struct device_volume *volume = &conn->server->devices->volume[conn->volume];
	const int error = bsr_device_range_errno(volume, request->offset, request->length);
	const bool writes = request->type == NBD_CMD_WRITE || request->type == NBD_CMD_WRITE_ZEROES;
	return error == ENOSPC && !writes ? EINVAL : error;
}

/* Decodes a head. False: the connection reads no more. */
static bool begin_request(struct nbd_conn *conn, const uint8_t *head)
{
	struct nbd_meaning meaning;
	struct nbd_request *request = &conn->current;
	if (bsr_nbd_parse_request(request, head) != 0) {
		bsr_nbd_drop(conn, "bytes that are no request where one should begin; its client is defective");
		return false;
	}
	if (request->type == NBD_CMD_DISC) {
		conn->state = NBD_CLOSING;
		bsr_nbd_mark_dirty(conn);
		return false;
	}
	bsr_nbd_understand(&meaning, request);
	conn->current_error = check_request(conn, &meaning);
	conn->has_current = true;
	conn->current_got = 0;
	BSR_ASSERT(conn->current_buf == BSR_BUF_NONE);
	if (request->type == NBD_CMD_WRITE) {
		if (conn->current_error != 0 && request->length > NBD_IGNORED_BYTES_MAX) {
			bsr_nbd_drop(conn, "a write of %u bytes (%u at most)", request->length, BSR_REQUEST_BYTES_MAX);
			return false;
		}
		conn->predicted_bytes = conn->current_error == 0 ? request->length : 0;
		conn->seen_count += conn->current_error == 0 && request->length <= NBD_SMALL_BYTES;
	} else {
		conn->predicted_bytes = 0;
	}
	return true;
}

/* True when the current request's payload is complete; false: more input, or a buffer (then paused). */
static bool take_payload(struct nbd_conn *conn)
{
	const struct nbd_request *request = &conn->current;
	if (request->type != NBD_CMD_WRITE) {
		return true;
	}
	const uint32_t left = request->length - conn->current_got;
	const uint32_t there = conn->in_end - conn->in_begin;
	const uint32_t bytes = there < left ? there : left;
	if (conn->current_error == 0) {
		struct bsr_devices *devices = conn->server->devices;
		if (conn->current_buf == BSR_BUF_NONE) {
			conn->current_buf = bsr_device_get_buffer(devices, request->length);
			if (conn->current_buf == BSR_BUF_NONE) {
				conn->paused = true;
				return false;
			}
		}
		if (bytes > 0) {
			memcpy(bsr_pool_mem(devices->pool, conn->current_buf) + conn->current_got, conn->in + conn->in_begin, bytes);
		}
	}
	conn->in_begin += bytes;
	conn->current_got += bytes;
	return bytes == left;
}

/* True when the complete current request has left; false: it waits (paused). */
static bool submit(struct nbd_conn *conn)
{
	struct bsr_devices *devices = conn->server->devices;
	const struct nbd_request *request = &conn->current;
	conn->paused = true; /* until nothing is missing */
	if (conn->in_flight + conn->unsent >= NBD_CONN_REQUESTS_MAX || bsr_device_budget(devices) == 0) {
		return false;
	}
	if (conn->current_error != 0) {
		conn->has_current = false;
		conn->paused = false;
		bsr_nbd_reply(conn, request, conn->current_error, BSR_BUF_NONE);
		return true;
	}
	if (request->type == NBD_CMD_READ) {
		conn->current_buf = bsr_device_get_buffer(devices, request->length);
		if (conn->current_buf == BSR_BUF_NONE) {
			return false;
		}
	}
	struct nbd_meaning meaning;
	bsr_nbd_understand(&meaning, request);
	const bool flush = meaning.op == BSR_OP_FLUSH;
	const struct device_ask ask = {
		.front = DEVICE_NBD,
		.op = meaning.op,
		.flags = meaning.flags,
		.volume = (uint16_t)conn->volume,
		.cookie = request->cookie,
		.offset = flush ? 0 : request->offset,
		.length = flush ? 0 : request->length,
		.buf = conn->current_buf,
		.client = conn,
	};
	conn->current_buf = BSR_BUF_NONE;
	conn->has_current = false;
	conn->paused = false;
	conn->in_flight++;
	bsr_device_submit(devices, &ask);
	return true;
}

void bsr_nbd_answer(struct nbd_conn *conn, struct device_slot *slot, int error)
{
	const bool is_read = slot->ask.op == BSR_OP_READ;
	const struct nbd_request request = {
		.type = is_read ? NBD_CMD_READ : NBD_CMD_WRITE,
		.cookie = slot->ask.cookie,
		.offset = slot->ask.offset,
		.length = (uint32_t)slot->ask.length,
	};
	BSR_ASSERT(conn->in_flight > 0);
	conn->in_flight--;
	bsr_buf_t data = BSR_BUF_NONE;
	if (is_read && error == 0) {
		data = slot->ask.buf; /* kept until it is sent */
		slot->ask.buf = BSR_BUF_NONE;
	}
	bsr_nbd_reply(conn, &request, bsr_device_errno(error), data);
}

void bsr_nbd_transmit(struct nbd_conn *conn)
{
	while (conn->state == NBD_TRANSMIT) {
		if (!conn->has_current) {
			if (conn->in_end - conn->in_begin < NBD_REQUEST_BYTES) {
				return;
			}
			const uint8_t *head = conn->in + conn->in_begin;
			conn->in_begin += NBD_REQUEST_BYTES;
			if (!begin_request(conn, head)) {
				return;
			}
		}
		if (!take_payload(conn) || !submit(conn)) {
			return;
		}
	}
}

/* ------------------------------------------------------------------ reading */

/* Result of one read: bytes, or 0 when there was nothing or the connection has ended. */
static size_t read_into(struct nbd_conn *conn, const struct iovec *iov, int count)
{
	const ssize_t bytes = readv(conn->watch.fd, iov, count);
	if (bytes > 0) {
		conn->read_ns = bsr_loop_now_ns(conn->server->devices->loop);
		return (size_t)bytes;
	}
	if (bytes == 0 || (errno != EAGAIN && errno != EINTR)) {
		bsr_nbd_end(conn); /* the client has closed, or its host is gone */
	}
	return 0;
}

/* Behind what is there. True when as much came as was asked for. */
static bool read_in_a_row(struct nbd_conn *conn)
{
	if (conn->in_begin > 0) {
		memmove(conn->in, conn->in + conn->in_begin, conn->in_end - conn->in_begin);
		conn->in_end -= conn->in_begin;
		conn->in_begin = 0;
	}
	uint32_t wanted = NBD_IN_BYTES - conn->in_end;
	if (conn->predicted_bytes > NBD_SMALL_BYTES && conn->in_end < NBD_REQUEST_BYTES) {
		wanted = NBD_REQUEST_BYTES - conn->in_end; /* another large one may come: not a byte of its payload */
	}
	BSR_ASSERT(wanted > 0);
	const struct iovec iov = {.iov_base = conn->in + conn->in_end, .iov_len = wanted};
	const size_t bytes = read_into(conn, &iov, 1);
	conn->in_end += (uint32_t)bytes;
	return bytes == wanted;
}

/* The rest of the current write in place, and what follows it. */
static bool read_payload(struct nbd_conn *conn)
{
	BSR_ASSERT(conn->in_begin == conn->in_end); /* take_payload() has used it up */
	conn->in_begin = 0;
	conn->in_end = 0;
	const uint32_t left = conn->current.length - conn->current_got;
	const uint32_t more = conn->current.length > NBD_SMALL_BYTES ? NBD_REQUEST_BYTES : NBD_SCATTER_BYTES;
	const struct iovec iov[2] = {
		{.iov_base = bsr_pool_mem(conn->server->devices->pool, conn->current_buf) + conn->current_got, .iov_len = left},
		{.iov_base = conn->in, .iov_len = more},
	};
	const size_t bytes = read_into(conn, iov, 2);
	const uint32_t payload = bytes < left ? (uint32_t)bytes : left;
	conn->current_got += payload;
	conn->in_end = (uint32_t)bytes - payload;
	return bytes == left + more;
}

/* Where one scattered read goes: heads and payload buffers in turn, then the tail of in[]. */
struct guess {
	uint32_t count;
	uint32_t payload_bytes;
	bsr_buf_t buf[NBD_PREDICTED_MAX];
	uint8_t head[NBD_PREDICTED_MAX][NBD_REQUEST_BYTES];
	struct iovec iov[2 * NBD_PREDICTED_MAX + 1];
};

static void make_guess(struct nbd_conn *conn, struct guess *g)
{
	struct bsr_pool *pool = conn->server->devices->pool;
	const uint32_t room = NBD_SCATTER_BYTES / (NBD_REQUEST_BYTES + conn->predicted_bytes);
	uint32_t wanted = conn->predicted_count < NBD_PREDICTED_MAX ? conn->predicted_count : NBD_PREDICTED_MAX;
	wanted = wanted < room ? wanted : room;
	g->payload_bytes = conn->predicted_bytes;
	for (g->count = 0; g->count < wanted; g->count++) {
		const bsr_buf_t buf = bsr_pool_get(pool, g->payload_bytes);
		if (buf == BSR_BUF_NONE) {
			break; /* not needed yet: whoever needs one waits for it */
		}
		g->buf[g->count] = buf;
		g->iov[2 * g->count] = (struct iovec){.iov_base = g->head[g->count], .iov_len = NBD_REQUEST_BYTES};
		g->iov[2 * g->count + 1] = (struct iovec){.iov_base = bsr_pool_mem(pool, buf), .iov_len = g->payload_bytes};
	}
	g->iov[2 * g->count] = (struct iovec){.iov_base = conn->in + NBD_SCATTER_BYTES, .iov_len = NBD_TAIL_BYTES};
}

static void append_row(struct nbd_conn *conn, const uint8_t *from, size_t bytes)
{
	memmove(conn->in + conn->in_end, from, bytes); /* the tail lies in in[] already */
	conn->in_end += (uint32_t)bytes;
}

/* The guess was wrong from piece @first on: @left bytes in a row, to be used from there. */
static void put_in_a_row(struct nbd_conn *conn, const struct guess *g, uint32_t first, size_t left)
{
	for (uint32_t i = first; i < 2 * g->count + 1 && left > 0; i++) {
		const size_t bytes = left < g->iov[i].iov_len ? left : g->iov[i].iov_len;
		append_row(conn, g->iov[i].iov_base, bytes);
		left -= bytes;
	}
}

/* Use up the pairs that came as guessed; returns how many, *@left is what remains of the bytes. */
static uint32_t use_pairs(struct nbd_conn *conn, struct guess *g, size_t *left)
{
	uint32_t used = 0;
	while (used < g->count && *left >= NBD_REQUEST_BYTES && conn->state == NBD_TRANSMIT && !conn->paused) {
		struct nbd_request request;
		if (bsr_nbd_parse_request(&request, g->head[used]) != 0 || request.type != NBD_CMD_WRITE ||
			request.length != g->payload_bytes) {
			break; /* the ordinary way looks at it again */
		}
		(void)begin_request(conn, g->head[used]); /* goes on: it is a write with a good length */
		*left -= NBD_REQUEST_BYTES;
		const uint32_t payload = *left < g->payload_bytes ? (uint32_t)*left : g->payload_bytes;
		*left -= payload;
		conn->current_got = payload;
		if (conn->current_error == 0) {
			conn->current_buf = g->buf[used];
			g->buf[used] = BSR_BUF_NONE;
		}
		used++;
		if (payload < g->payload_bytes) {
			break; /* the end of what has come */
		}
		(void)submit(conn); /* or it waits, paused */
	}
	return used;
}

static bool read_as_guessed(struct nbd_conn *conn)
{
	struct guess g;
	make_guess(conn, &g);
	conn->in_begin = 0;
	conn->in_end = 0;
	size_t left = read_into(conn, g.iov, (int)(2 * g.count + 1));
	const bool full = left == g.count * (NBD_REQUEST_BYTES + g.payload_bytes) + NBD_TAIL_BYTES;
	const uint32_t used = use_pairs(conn, &g, &left);
	if (left > 0) {
		put_in_a_row(conn, &g, 2 * used, left);
	}
	for (uint32_t i = 0; i < g.count; i++) {
		if (g.buf[i] != BSR_BUF_NONE) {
			bsr_pool_put(conn->server->devices->pool, g.buf[i]);
		}
	}
	return full;
}

static bool read_more(struct nbd_conn *conn)
{
	if (conn->state == NBD_TRANSMIT && conn->has_current && conn->current_buf != BSR_BUF_NONE) {
		return read_payload(conn);
	}
	const bool small = conn->predicted_bytes > 0 && conn->predicted_bytes <= NBD_SMALL_BYTES;
	if (conn->state == NBD_TRANSMIT && !conn->has_current && conn->in_begin == conn->in_end && small) {
		return read_as_guessed(conn);
	}
	return read_in_a_row(conn);
}

static void use_input(struct nbd_conn *conn)
{
	if (conn->state == NBD_FLAGS || conn->state == NBD_OPTIONS) {
		bsr_nbd_negotiate(conn);
	}
	bsr_nbd_transmit(conn);
}

void bsr_nbd_receive(struct nbd_conn *conn)
{
	for (uint32_t i = 0; i < READS_PER_TURN_MAX && !conn->paused && conn->state < NBD_CLOSING; i++) {
		conn->seen_count = 0;
		const bool full = read_more(conn);
		use_input(conn);
		/* grows at once, shrinks slowly: an unused buffer is cheaper than a copied payload */
		conn->predicted_count = conn->seen_count >= conn->predicted_count ?
			conn->seen_count : (conn->predicted_count + conn->seen_count + 1) / 2;
		if (!full) {
			break;
		}
	}
	if (conn->state != NBD_DEAD) {
		bsr_nbd_update_watch(conn);
	}
}
