// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * nbd_output.c - replies of a connection: collected during a turn, sent with one system call
 *
 * Owns:       a connection's output bytes and segments.
 * Invariants:
 *   NBDO-1  Requests in flight and unsent replies together are at most NBD_CONN_REQUESTS_MAX, so
 *   output never overflows in
 *           transmission; during negotiation a client that does not read its answers is dropped.
 */
#include "nbd_internal.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>

BSR_STATIC_ASSERT(NBD_CONN_REQUESTS_MAX * NBD_REPLY_HEAD_BYTES_MAX <= NBD_OUT_BYTES, "NBDO-1");

/* Room for @count bytes of output, appended to what is there. */
static uint8_t *reserve(struct nbd_conn *conn, uint32_t count)
{
	struct nbd_segment *last = &conn->segment[conn->segment_count];
	if (conn->segment_count > 0 && last[-1].buf == BSR_BUF_NONE) {
		last--;
		BSR_ASSERT(last->begin + last->bytes == conn->out_bytes);
	} else {
		*last = (struct nbd_segment){.buf = BSR_BUF_NONE, .begin = conn->out_bytes};
		conn->segment_count++;
	}
	uint8_t *to = conn->out + conn->out_bytes;
	last->bytes += count;
	conn->out_bytes += count;
	if (!conn->dirty) {
		bsr_nbd_mark_dirty(conn);
	}
	return to;
}

bool bsr_nbd_put(struct nbd_conn *conn, const void *bytes, uint32_t count)
{
	if (conn->state == NBD_DEAD) {
		return false;
	}
	if (count > NBD_OUT_BYTES - conn->out_bytes) {
		bsr_nbd_drop(conn, "it does not read the answers to its options");
		return false;
	}
	memcpy(reserve(conn, count), bytes, count);
	return true;
}

static uint32_t make_chunk_head(uint8_t *head, uint32_t type, uint64_t cookie, uint32_t bytes)
{
	uint8_t *p = nbd_put32(head, NBD_CHUNK_MAGIC);
	p = nbd_put16(p, NBD_CHUNK_DONE);
	p = nbd_put16(p, type);
	p = nbd_put64(p, cookie);
	p = nbd_put32(p, bytes);
	return (uint32_t)(p - head);
}

/* A simple reply to a read is not allowed when structured replies are agreed. */
static void reply_chunk(struct nbd_conn *conn, const struct nbd_request *request, uint32_t wire_error)
{
	if (wire_error != 0) {
		uint8_t *head = reserve(conn, NBD_ERROR_CHUNK_BYTES);
		uint8_t *p = head + make_chunk_head(head, NBD_CHUNK_ERROR, request->cookie, 6);
		(void)nbd_put16(nbd_put32(p, wire_error), 0); /* and no text */
	} else {
		uint8_t *head = reserve(conn, NBD_READ_CHUNK_HEAD_BYTES);
		uint8_t *p = head + make_chunk_head(head, NBD_CHUNK_OFFSET_DATA, request->cookie, 8 + request->length);
		(void)nbd_put64(p, request->offset);
	}
}

void bsr_nbd_reply(struct nbd_conn *conn, const struct nbd_request *request, int positive_errno, bsr_buf_t data)
{
	const uint32_t wire_error = positive_errno == 0 ? 0 : bsr_nbd_wire_errno(positive_errno);
	BSR_ASSERT(conn->state == NBD_TRANSMIT || conn->state == NBD_CLOSING);
	BSR_ASSERT(conn->unsent < NBD_CONN_REQUESTS_MAX); /* NBDO-1: there is room */
	if (conn->structured && request->type == NBD_CMD_READ) {
		reply_chunk(conn, request, wire_error);
	} else {
		uint8_t *head = reserve(conn, NBD_SIMPLE_REPLY_BYTES);
		(void)nbd_put64(nbd_put32(nbd_put32(head, NBD_SIMPLE_REPLY_MAGIC), wire_error), request->cookie);
	}
	if (data != BSR_BUF_NONE) {
		conn->segment[conn->segment_count++] = (struct nbd_segment){.buf = data, .bytes = request->length};
	}
	conn->unsent++;
}

static size_t fill_iov(struct nbd_conn *conn, struct iovec *iov)
{
	for (uint32_t i = 0; i < conn->segment_count; i++) {
		const struct nbd_segment *segment = &conn->segment[i];
		uint8_t *base = segment->buf == BSR_BUF_NONE ?
			conn->out : bsr_pool_mem(conn->server->devices->pool, segment->buf);
		iov[i] = (struct iovec){.iov_base = base + segment->begin, .iov_len = segment->bytes};
	}
	return conn->segment_count;
}

/* Forget @sent bytes; what is left of out[] moves to its front. */
static void consume(struct nbd_conn *conn, size_t sent)
{
	uint32_t first = 0;
	while (first < conn->segment_count && sent >= conn->segment[first].bytes) {
		sent -= conn->segment[first].bytes;
		if (conn->segment[first].buf != BSR_BUF_NONE) {
			bsr_pool_put(conn->server->devices->pool, conn->segment[first].buf);
		}
		first++;
	}
	uint32_t to = 0;
	conn->out_bytes = 0;
	for (uint32_t i = first; i < conn->segment_count; i++) {
		struct nbd_segment *segment = &conn->segment[to++];
		*segment = conn->segment[i];
		segment->begin += (uint32_t)sent;
		segment->bytes -= (uint32_t)sent;
		sent = 0;
		if (segment->buf == BSR_BUF_NONE) {
			memmove(conn->out + conn->out_bytes, conn->out + segment->begin, segment->bytes);
			segment->begin = conn->out_bytes;
			conn->out_bytes += segment->bytes;
		}
	}
	conn->segment_count = to;
}

void bsr_nbd_send(struct nbd_conn *conn)
{
	struct iovec iov[2 * NBD_CONN_REQUESTS_MAX + 1];
	if (conn->segment_count > 0) {
		const struct msghdr msg = {.msg_iov = iov, .msg_iovlen = fill_iov(conn, iov)};
		const ssize_t sent = sendmsg(conn->watch.fd, &msg, MSG_NOSIGNAL | MSG_DONTWAIT);
		if (sent < 0 && errno != EAGAIN && errno != EINTR) {
			bsr_nbd_end(conn); /* the client is gone */
			return;
		}
		consume(conn, sent > 0 ? (size_t)sent : 0);
	}
	if (conn->segment_count == 0) {
		conn->unsent = 0;
		if (conn->state == NBD_CLOSING && conn->in_flight == 0) {
			bsr_nbd_end(conn);
			return;
		}
		if (conn->paused) {
			bsr_loop_arm(conn->server->devices->loop, &conn->server->devices->retry, 0);
		}
	}
	bsr_nbd_update_watch(conn);
}
