// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * fuzz_link.c - arbitrary bytes to a stream of a standing link, and to a connection nobody has
 * proved anything on
 *
 * Input: one byte of settings, then what arrives. With REPAIR set the headers in it get right
 *        magic, sequence and
 * checksums, or nothing would get past those.
 */
#include <arpa/inet.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "link_internal.h"
#include "../tests/fuzz.h"

#define REPAIR 1u
#define CHECKSUMS 2u
#define CONTROL 4u
#define HESITATE 8u  /* the owner says "not now" sometimes */
#define STRANGER 16u /* a fresh connection instead of a link */
/* through a socket, not straight into the parser: payloads may land in place */
#define SOCKET 32u

#define INPUT_BYTES_MAX 65536u

static struct bsr_loop *loop;
static struct bsr_pool *pool;
static struct bsr_links *links;
static uint8_t settings;
static uint32_t ups, downs, asked;
static uint64_t given;

static void on_up(void *ctx, const struct bsr_ev_link_up *up)
{
	(void)ctx;
	(void)up;
	ups++;
}

static void on_down(void *ctx, const struct bsr_ev_link_down *down)
{
	(void)ctx;
	downs++;
	if (down->reason != BSR_LINK_BAD_MESSAGE) {
		abort();
	}
}

static void on_message(void *ctx, const struct bsr_ev_message *m)
{
	(void)ctx;
	if (downs != 0 || m->body_bytes > BSR_WIRE_BODY_BYTES_MAX || m->payload_bytes > BSR_REQUEST_BYTES_MAX ||
		(m->payload == BSR_BUF_NONE) != (m->payload_bytes == 0) || m->msg_type < BSR_MSG_HS_CONFIRM) {
		abort();
	}
	given += BSR_WIRE_HEADER_BYTES + m->body_bytes + m->payload_bytes;
	if (m->payload != BSR_BUF_NONE) {
		bsr_pool_put(pool, m->payload);
	}
}

static void on_sent(void *ctx, const struct bsr_ev_sent *sent)
{
	(void)ctx;
	(void)sent;
}

static uint32_t on_may_receive(void *ctx, uint32_t peer, enum bsr_stream stream)
{
	(void)ctx;
	(void)peer;
	(void)stream;
	return (settings & HESITATE) == 0 ? 4 : asked++ % 3;
}

static void on_report(void *ctx, uint32_t number, uint32_t peer, const char *text)
{
	(void)ctx;
	(void)number;
	(void)peer;
	for (const char *at = text; *at != '\0'; at++) {
		if (*at < ' ' || *at > '~') {
			abort(); /* a stranger's bytes in a line for people */
		}
	}
}

static const struct bsr_links_ops ops = {on_up, on_down, on_message, on_sent, on_may_receive, on_report};

static struct sockaddr_storage loopback(void)
{
	struct sockaddr_storage address = {0};
	((struct sockaddr_in *)&address)->sin_family = AF_INET;
	((struct sockaddr_in *)&address)->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	return address;
}

static void set_up(void)
{
	bool locked;
	const struct bsr_loop_options loop_options = {.backend = BSR_LOOP_THREADS, .depth = 4, .lifeline_fd = -1};
	const struct bsr_link_path path = {loopback(), loopback()};
	const struct bsr_link_options options = {.cram_hmac_alg = "sha256",
		.shared_secret = "geheim",
		.data_checksums = true,
		.connect_int_s = 10,
		.ping_timeout_ds = 5};
	if (bsr_loop_create(&loop, &loop_options) != 0 || bsr_pool_create(&pool, 4u << 20, &locked) != 0) {
		abort();
	}
	const struct bsr_links_config config = {.resource = "r0", .loop = loop, .pool = pool, .ops = &ops};
	if (bsr_links_create(&links, &config) != 0 || bsr_links_set_peer(links, 1, &path, 1, &options) != 0) {
		abort();
	}
}

static void make_sockets(int fd[2])
{
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fd) != 0) {
		abort();
	}
}

/* Gives the headers in @data what they need to be believed. */
static void repair(uint8_t *data, size_t size)
{
	const bool covered = (settings & (CHECKSUMS | STRANGER)) != 0;
	size_t at = 0;
	for (uint64_t sequence = 1; size - at >= BSR_WIRE_HEADER_BYTES; sequence++) {
		uint8_t *header = data + at;
		static const uint8_t begin[6] = {0x62, 0x73, 0x72, 0x31, 1, 0};
		uint32_t lengths[2];
		memcpy(lengths, header + 8, sizeof(lengths));
		const size_t body = ntohl(lengths[0]), payload = ntohl(lengths[1]);
		memcpy(header, begin, sizeof(begin));
		memset(header + 28, 0, 8);
		at += BSR_WIRE_HEADER_BYTES;
		const bool whole = body <= size - at && payload <= size - at - body;
		const size_t bytes = whole ? body + (covered ? payload : 0) : 0;
		bsr_wire_seal(header, sequence, ~bsr_crc32c_hw(~0u, data + at, bytes));
		if (!whole) {
			return;
		}
		at += body + payload;
	}
}

static struct link *make_link(int fd[4])
{
	struct peer *peer = links->peer[1];
	struct attempt attempt = {0};
	for (uint32_t i = 0; i < BSR_STREAM_COUNT; i++) {
		struct conn *conn = calloc(1, sizeof(*conn));
		if (conn == NULL) {
			abort();
		}
		make_sockets(fd + 2 * i);
		conn->links = links;
		conn->peer = peer;
		conn->watch.fd = fd[2 * i];
		conn->his.version_max = 1;
		conn->his.features = (settings & CHECKSUMS) != 0 ? BSR_FEATURE_DATA_CHECKSUMS : 0;
		conn->from = loopback();
		attempt.conn[i] = conn;
	}
	struct link *link = bsr_link_create(peer, &attempt);
	if (link == NULL) {
		abort();
	}
	return link;
}

static void feed(struct stream *stream, int fd, const uint8_t *data, size_t bytes)
{
	if ((settings & SOCKET) == 0) {
		bsr_stream_feed(stream, data, (uint32_t)bytes);
		return;
	}
	if (send(fd, data, bytes, MSG_DONTWAIT | MSG_NOSIGNAL) != (ssize_t)bytes) {
		abort(); /* it has been read up to the last byte before */
	}
	stream->watch.ready(&stream->watch, POLLIN);
}

static void try_link(const uint8_t *data, size_t size)
{
	int fd[4];
	struct link *link = make_link(fd);
	const uint32_t number = (settings & CONTROL) != 0 ? BSR_STREAM_CONTROL : BSR_STREAM_DATA;
	struct stream *stream = &link->stream[number];
	const size_t most = (settings & SOCKET) != 0 ? 20011 : 4093;
	for (size_t at = 0, piece = 1; at < size && downs == 0; at += piece, piece = piece * 7 % most) {
		if (piece > size - at) {
			piece = size - at;
		}
		feed(stream, fd[2 * number + 1], data + at, piece);
		while (downs == 0 && stream->waiting) {
			bsr_links_resume(links);
			bsr_links_flush(links);
		}
	}
	if (given > size) {
		abort();
	}
	bsr_links_close(links, 1, 0, false);
	close(fd[1]);
	close(fd[3]);
}

static void try_stranger(const uint8_t *data, size_t size)
{
	int fd[2];
	const struct sockaddr_storage from = loopback();
	make_sockets(fd);
	bsr_conn_accept(links, fd[0], &from);
	const ssize_t put = send(fd[1], data, size, MSG_DONTWAIT | MSG_NOSIGNAL);
	for (uint32_t turn = 0; turn < 4 && put > 0 && links->strangers != NULL; turn++) {
		struct conn *conn = links->strangers;
		conn->watch.ready(&conn->watch, POLLIN);
	}
	if (ups != 0 || downs != 0 || bsr_links_rejected(links, 1) != 0) {
		abort();
	}
	while (links->strangers != NULL) {
		bsr_conn_close(links->strangers, false);
	}
	close(fd[1]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static uint8_t input[INPUT_BYTES_MAX];
	if (links == NULL) {
		set_up();
	}
	if (size < 1 || size > INPUT_BYTES_MAX) {
		return 0;
	}
	settings = data[0];
	size--;
	memcpy(input, data + 1, size);
	ups = downs = asked = 0;
	given = 0;
	if ((settings & REPAIR) != 0) {
		repair(input, size);
	}
	if ((settings & STRANGER) != 0) {
		try_stranger(input, size);
	} else {
		try_link(input, size);
		links->peer[1]->rejected = 0;
	}
	bsr_links_flush(links);
	if (bsr_pool_in_use(pool) != 0) {
		abort();
	}
	return 0;
}

static size_t example_hello(uint8_t *out)
{
	const struct bsr_link_hello hello = {.version_min = 1,
		.version_max = 1,
		.node_id = 1,
		.direction = BSR_LINK_DIALER,
		.instance = 5,
		.attempt = 1,
		.alg = "sha256",
		.resource = "r0"};
	struct bsr_wire_header h = {.version = 1, .type = BSR_MSG_HELLO};
	h.body_bytes = bsr_link_hello_encode(out + BSR_WIRE_HEADER_BYTES, &hello);
	bsr_wire_header_encode(out, &h);
	size_t at = BSR_WIRE_HEADER_BYTES + h.body_bytes;
	static const uint16_t then[] = {BSR_MSG_AUTH_CHALLENGE, BSR_MSG_AUTH_RESPONSE, BSR_MSG_LINK_READY};
	for (size_t i = 0; i < 3; i++) {
		h.type = then[i];
		h.body_bytes = 32;
		bsr_wire_header_encode(out + at, &h);
		memset(out + at + BSR_WIRE_HEADER_BYTES, 7, 32);
		at += BSR_WIRE_HEADER_BYTES + 32;
	}
	return at;
}

static size_t example_writes(uint8_t *out, const uint32_t *payload_bytes)
{
	size_t at = 0;
	for (uint64_t i = 0; payload_bytes[i] != 0; i++) {
		const struct bsr_msg_write w = {.write_seq = i + 1, .length = 512, .op = BSR_OP_WRITE};
		at += bsr_msg_write_encode(out + at, 128, BSR_MSG_WRITE, payload_bytes[i], &w);
		memset(out + at, (int)i, payload_bytes[i]);
		at += payload_bytes[i];
	}
	return at;
}

size_t bsr_fuzz_example(uint32_t index, uint8_t *out, size_t room)
{
	static const uint8_t with[] = {REPAIR, REPAIR | CHECKSUMS, REPAIR | CHECKSUMS | HESITATE, REPAIR | SOCKET,
		REPAIR | SOCKET | CHECKSUMS, REPAIR | SOCKET | HESITATE};
	static const uint32_t sizes[][14] = {
		{1024, 512, 512},
		{40000, 512, 512}, /* the first one is received in place */
		/* expected, and not */
		{4096, 4096, 4096, 4096, 4096, 4096, 4096, 4096, 4096, 512, 4096, 4096, 4096},
	};
	if (room < INPUT_BYTES_MAX || index >= 2 + 18) {
		return 0;
	}
	if (index == 0) {
		out[0] = REPAIR | STRANGER;
		return 1 + example_hello(out + 1);
	}
	if (index == 1) {
		const struct bsr_msg_ping ping = {3};
		out[0] = REPAIR | CONTROL;
		return 1 + bsr_msg_ping_encode(out + 1, 128, BSR_MSG_PING, 0, &ping);
	}
	out[0] = with[(index - 2) % 6];
	return 1 + example_writes(out + 1, sizes[(index - 2) / 6]);
}
