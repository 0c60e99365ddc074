// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * nbd_transmit.c - transmission phase of an NBD connection: requests to the owner, answers back
 *
 * Owns:       a connection's current request.
 * Invariants:
 *   NBDT-1  A write is handed over when its last byte is there.
 *   NBDT-2  A request that is refused has its payload read and thrown away, so the stream stays in
 *   step.
 */
#include "nbd_internal.h"

#include <errno.h>
#include <string.h>

static int check_range(const struct nbd_conn *conn)
{
	const struct nbd_request *request = &conn->current;
	const bool moves = conn->meaning.op == BSR_OP_READ || conn->meaning.op == BSR_OP_WRITE;
	if (moves && request->length > BSR_REQUEST_BYTES_MAX) {
		return EINVAL;
	}
	const struct device_volume *volume = &conn->server->devices->volume[conn->volume];
	const int error = bsr_device_range_errno(volume, request->offset, request->length);
	const bool writes = request->type == NBD_CMD_WRITE || request->type == NBD_CMD_WRITE_ZEROES;
	return error == ENOSPC && !writes ? EINVAL : error;
}

bool bsr_nbd_begin(struct nbd_conn *conn)
{
	const struct nbd_request *request = &conn->current;
	if (request->type == NBD_CMD_DISC) {
		conn->state = NBD_CLOSING;
		bsr_nbd_mark_dirty(conn);
		return false;
	}
	bsr_nbd_understand(&conn->meaning, request);
	if (conn->meaning.error == 0 && conn->meaning.op != BSR_OP_FLUSH) {
		conn->meaning.error = check_range(conn);
	}
	BSR_ASSERT(conn->current_buf == BSR_BUF_NONE);
	conn->has_current = true;
	conn->current_got = 0;
	conn->last_write_bytes = 0;
	if (request->type == NBD_CMD_WRITE) {
		if (conn->meaning.error == 0) {
			conn->last_write_bytes = request->length;
		} else if (request->length > NBD_IGNORED_BYTES_MAX) {
			bsr_nbd_drop(conn, "a write of %u bytes (%u at most)", request->length, BSR_REQUEST_BYTES_MAX);
			return false;
		}
	}
	return true;
}

/*
 * True when the current request's payload is complete; false: more input, or a buffer (then
 * paused).
 */
static bool take_payload(struct nbd_conn *conn)
{
	const struct nbd_request *request = &conn->current;
	if (request->type != NBD_CMD_WRITE) {
		return true;
	}
	const uint32_t left = request->length - conn->current_got;
	const uint32_t there = conn->in_end - conn->in_begin;
	const uint32_t bytes = there < left ? there : left;
	if (conn->meaning.error == 0) {
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

bool bsr_nbd_submit(struct nbd_conn *conn)
{
	struct bsr_devices *devices = conn->server->devices;
	const struct nbd_request *request = &conn->current;
	conn->paused = true; /* until nothing is missing */
	if (conn->in_flight + conn->unsent >= NBD_CONN_REQUESTS_MAX || !bsr_device_take_credit(devices)) {
		return false;
	}
	if (conn->meaning.error != 0) {
		conn->has_current = false;
		conn->paused = false;
		bsr_nbd_reply(conn, request, conn->meaning.error, BSR_BUF_NONE);
		return true;
	}
	if (request->type == NBD_CMD_READ) {
		conn->current_buf = bsr_device_get_buffer(devices, request->length);
		if (conn->current_buf == BSR_BUF_NONE) {
			return false;
		}
	}
	const bool flush = conn->meaning.op == BSR_OP_FLUSH;
	const struct device_ask ask = {
		.front = DEVICE_NBD,
		.op = conn->meaning.op,
		.flags = conn->meaning.flags,
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
			if (bsr_nbd_parse_request(&conn->current, head) != 0) {
				bsr_nbd_drop(conn, "bytes that are no request where one should begin; its client is defective");
				return;
			}
			if (!bsr_nbd_begin(conn)) {
				return;
			}
		}
		if (!take_payload(conn) || !bsr_nbd_submit(conn)) {
			return;
		}
	}
}
