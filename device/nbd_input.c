// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * nbd_input.c - bytes from an NBD client, many requests with one system call, payloads in place
 *
 * Owns:       a connection's input bytes and its guess.
 * Invariants:
 *   NBDI-1  Payload of a write is read into the buffer that goes to the owner; it is copied only
 *   where the next paragraph
 *           says so.
 *   NBDI-2  What has been read is used in the order of the stream.
 *
 * A read is scattered for the case that the client goes on as it did: (rest of the current write,)
 * head, payload, head, payload ... with the last write's length; a fixed-size random writer then
 * gets every payload in place. Where the guess is wrong, the rest of what was read is put in a row
 * in in[] and copied from there. Large writes: the first one's beginning is copied; while its rest
 * is read in place, only the next head is read along, so the following ones are not copied at all.
 */
#include "nbd_internal.h"

#include <errno.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#define READS_PER_TURN_MAX 8u
#define SHRINK_AFTER_READS 32u
#define IOV_MAX_COUNT (2u * NBD_PREDICTED_MAX + 2u)

/* Result of one read: bytes, or 0 when there was nothing or the connection has ended. */
static size_t read_into(struct nbd_conn *conn, const struct iovec *iov, uint32_t count)
{
	const ssize_t bytes = readv(conn->watch.fd, iov, (int)count);
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
	if (conn->last_write_bytes > NBD_SMALL_BYTES && conn->in_end < NBD_REQUEST_BYTES) {
		/* another large one may come: not a byte of its payload */
		wanted = NBD_REQUEST_BYTES - conn->in_end;
	}
	BSR_ASSERT(wanted > 0);
	const struct iovec iov = {.iov_base = conn->in + conn->in_end, .iov_len = wanted};
	const size_t bytes = read_into(conn, &iov, 1);
	conn->in_end += (uint32_t)bytes;
	return bytes == wanted;
}

static bool lacks_payload(const struct nbd_conn *conn)
{
	return conn->has_current && conn->current_buf != BSR_BUF_NONE;
}

static struct iovec rest_of_payload(const struct nbd_conn *conn)
{
	return (struct iovec){
		.iov_base = bsr_pool_mem(conn->server->devices->pool, conn->current_buf) + conn->current_got,
		.iov_len = conn->current.length - conn->current_got,
	};
}

/* The rest of the current, large write in place, and the next head. */
static bool read_payload(struct nbd_conn *conn)
{
	BSR_ASSERT(conn->in_begin == conn->in_end); /* it has used everything up */
	conn->in_begin = 0;
	conn->in_end = 0;
	const struct iovec iov[2] = {
		rest_of_payload(conn),
		{.iov_base = conn->in, .iov_len = NBD_REQUEST_BYTES},
	};
	const size_t bytes = read_into(conn, iov, 2);
	const size_t payload = bytes < iov[0].iov_len ? bytes : iov[0].iov_len;
	conn->current_got += (uint32_t)payload;
	conn->in_end = (uint32_t)(bytes - payload);
	return bytes == iov[0].iov_len + NBD_REQUEST_BYTES;
}

/* ------------------------------------------------------------------ guessing */

void bsr_nbd_forget_guess(struct nbd_conn *conn)
{
	struct nbd_guess *g = &conn->guess;
	if (g->busy) {
		return;
	}
	for (uint32_t i = 0; i < g->count; i++) {
		if (g->buf[i] != BSR_BUF_NONE) {
			bsr_pool_put(conn->server->devices->pool, g->buf[i]);
		}
	}
	g->count = 0;
}

static bool get_place(struct nbd_conn *conn, uint32_t i)
{
	struct nbd_guess *g = &conn->guess;
	struct bsr_pool *pool = conn->server->devices->pool;
	g->buf[i] = bsr_pool_take(pool, g->payload_bytes, &g->mem[i]);
	return g->buf[i] != BSR_BUF_NONE;
}

/* Replace what was used. Buffers for a guess are not waited for: whoever needs one does that. */
static void renew_guess(struct nbd_conn *conn)
{
	struct nbd_guess *g = &conn->guess;
	if (g->payload_bytes != conn->last_write_bytes) {
		bsr_nbd_forget_guess(conn);
		g->payload_bytes = conn->last_write_bytes;
		g->wanted = 1;
	}
	while (g->count < g->wanted) {
		g->buf[g->count++] = BSR_BUF_NONE;
	}
	g->laid_out = 0;
	while (g->laid_out < g->wanted && (g->buf[g->laid_out] != BSR_BUF_NONE || get_place(conn, g->laid_out))) {
		g->laid_out++;
	}
}

static uint32_t lay_out(struct nbd_conn *conn, struct iovec *iov)
{
	struct nbd_guess *g = &conn->guess;
	uint32_t at = 0;
	if (lacks_payload(conn)) {
		iov[at++] = rest_of_payload(conn);
	}
	for (uint32_t i = 0; i < g->laid_out; i++) {
		iov[at++] = (struct iovec){.iov_base = g->head[i], .iov_len = NBD_REQUEST_BYTES};
		iov[at++] = (struct iovec){.iov_base = g->mem[i], .iov_len = g->payload_bytes};
	}
	iov[at++] = (struct iovec){.iov_base = conn->in + NBD_SCATTER_BYTES, .iov_len = NBD_TAIL_BYTES};
	BSR_ASSERT(at <= IOV_MAX_COUNT);
	return at;
}

/*
 * The guess was wrong from @iov on: @left bytes in a row, to be used from there. The tail lies in
 * in[] already.
 */
static void put_in_a_row(struct nbd_conn *conn, const struct iovec *iov, size_t left)
{
	for (; left > 0; iov++) {
		const size_t bytes = left < iov->iov_len ? left : iov->iov_len;
		memmove(conn->in + conn->in_end, iov->iov_base, bytes);
		conn->in_end += (uint32_t)bytes;
		left -= bytes;
	}
}

/* True when the next pair is what was guessed (@left bytes begin there), and has been begun. */
static bool begin_pair(struct nbd_conn *conn, uint32_t index, size_t left)
{
	const struct nbd_guess *g = &conn->guess;
	if (left < NBD_REQUEST_BYTES || conn->state != NBD_TRANSMIT || conn->paused) {
		return false;
	}
	struct nbd_request *request = &conn->current;
	if (bsr_nbd_parse_request(request, g->head[index]) != 0 || request->type != NBD_CMD_WRITE ||
		request->length != g->payload_bytes) {
		return false; /* the ordinary way looks at it again */
	}
	return bsr_nbd_begin(conn); /* goes on: it is a write of a good length */
}

/* Use up the pairs that came as guessed; returns how many, *@left is what remains of the bytes. */
static uint32_t use_pairs(struct nbd_conn *conn, size_t *left)
{
	struct nbd_guess *g = &conn->guess;
	uint32_t used = 0;
	while (used < g->laid_out && begin_pair(conn, used, *left)) {
		*left -= NBD_REQUEST_BYTES;
		conn->current_got = *left < g->payload_bytes ? (uint32_t)*left : g->payload_bytes;
		*left -= conn->current_got;
		if (conn->meaning.error == 0) {
			conn->current_buf = g->buf[used];
			g->buf[used] = BSR_BUF_NONE;
		}
		used++;
		if (conn->current_got < g->payload_bytes) {
			break; /* the end of what has come */
		}
		(void)bsr_nbd_submit(conn); /* or it waits, paused */
	}
	return used;
}

/* The rest of the current write, if there is one; returns the bytes of it. */
static size_t use_rest(struct nbd_conn *conn, size_t left)
{
	const uint32_t missing = conn->current.length - conn->current_got;
	const uint32_t bytes = left < missing ? (uint32_t)left : missing;
	conn->current_got += bytes;
	if (bytes == missing && conn->state == NBD_TRANSMIT) {
		(void)bsr_nbd_submit(conn);
	}
	return bytes;
}

static bool read_as_guessed(struct nbd_conn *conn)
{
	struct nbd_guess *g = &conn->guess;
	struct iovec iov[IOV_MAX_COUNT];
	renew_guess(conn);
	const bool has_rest = lacks_payload(conn);
	const uint32_t segments = lay_out(conn, iov);
	conn->in_begin = 0;
	conn->in_end = 0;
	g->busy = true;
	size_t left = read_into(conn, iov, segments);
	const struct iovec *next = iov;
	if (has_rest && conn->state == NBD_TRANSMIT) {
		left -= use_rest(conn, left);
		next++;
	}
	const uint32_t used = use_pairs(conn, &left);
	const bool full = left > 0 && used == g->laid_out;
	if (left > 0 && conn->state != NBD_DEAD) {
		put_in_a_row(conn, next + 2 * used, left);
	}
	g->busy = false;
	if (used == g->laid_out) {
		const uint32_t room = NBD_SCATTER_BYTES / (NBD_REQUEST_BYTES + g->payload_bytes);
		const uint32_t most = room < NBD_PREDICTED_MAX ? room : NBD_PREDICTED_MAX;
		g->wanted = 2 * g->wanted < most ? 2 * g->wanted : most;
		g->too_large = 0;
	} else if (2 * used < g->wanted && ++g->too_large == SHRINK_AFTER_READS) {
		g->wanted--; /* slowly: an unused place costs little, a copied payload more */
		g->too_large = 0;
	}
	if (conn->state == NBD_DEAD) {
		bsr_nbd_forget_guess(conn);
	}
	return full;
}

/* ------------------------------------------------------------------- reading */

static bool read_more(struct nbd_conn *conn)
{
	const bool small = conn->last_write_bytes > 0 && conn->last_write_bytes <= NBD_SMALL_BYTES;
	if (conn->state != NBD_TRANSMIT || conn->in_begin != conn->in_end || (conn->has_current && !lacks_payload(conn))) {
		return read_in_a_row(conn);
	}
	if (small) {
		return read_as_guessed(conn);
	}
	return lacks_payload(conn) ? read_payload(conn) : read_in_a_row(conn);
}

void bsr_nbd_receive(struct nbd_conn *conn)
{
	bool more = true;
	for (uint32_t i = 0; i < READS_PER_TURN_MAX && more && !conn->paused && conn->state < NBD_CLOSING; i++) {
		more = read_more(conn);
		if (conn->state == NBD_FLAGS || conn->state == NBD_OPTIONS) {
			bsr_nbd_negotiate(conn);
		}
		if (!conn->paused) {
			bsr_nbd_transmit(conn);
		}
	}
	if (conn->state != NBD_DEAD) {
		bsr_nbd_update_watch(conn);
	}
}
