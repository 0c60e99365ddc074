// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * micro_link.c - instructions that sending and receiving 4 KiB writes and their acknowledgements
 * cost in user space
 *
 * Usage: micro_link [ROUNDS]: time per write. For instructions:
 *   valgrind --tool=callgrind --callgrind-out-file=cg micro_link 1000 && callgrind_annotate
 *   --inclusive=yes cg
 * and divide what bsr_links_send, bsr_links_flush and bsr_stream_ready took by 16 x ROUNDS. Two
 * ends in one process over the loopback interface; each round sends BATCH writes one way and one
 * ACKS the other way. BSR_NO_CHECKSUMS=1 in the
 * environment: without checksums over payloads.
 */
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <bsr/assert.h>

#include "link.h"

#define BATCH 16u
#define WRITE_BYTES 4096u

struct end {
	struct bsr_links *links;
	bool up;
	uint64_t messages;
};

static struct bsr_loop *loop;
static struct bsr_pool *pool;
static struct end end[2];

static void on_up(void *ctx, const struct bsr_ev_link_up *up)
{
	(void)up;
	((struct end *)ctx)->up = true;
}

static void on_down(void *ctx, const struct bsr_ev_link_down *down)
{
	(void)ctx;
	(void)down;
	BSR_ASSERT(false); /* nobody closes it */
}

static void on_message(void *ctx, const struct bsr_ev_message *m)
{
	((struct end *)ctx)->messages++;
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
	return 4;
}

static void on_report(void *ctx, uint32_t number, uint32_t peer, const char *text)
{
	(void)ctx;
	(void)peer;
	fprintf(stderr, "%u %s\n", number, text);
}

static const struct bsr_links_ops ops = {on_up, on_down, on_message, on_sent, on_may_receive, on_report};

static void on_turn(void *ctx)
{
	(void)ctx;
	for (int i = 0; i < 2; i++) {
		if (bsr_links_deadline(end[i].links) <= bsr_loop_now_ns(loop)) {
			bsr_links_tick(end[i].links);
		}
		bsr_links_flush(end[i].links);
	}
}

static void on_timer(void *ctx)
{
	(void)ctx;
}

static void turn(void)
{
	bsr_loop_set_timer(loop, bsr_loop_now_ns(loop) + 10000000, on_timer, NULL);
	const int r = bsr_loop_turn(loop, true);
	BSR_ASSERT(r == 0);
}

static struct sockaddr_storage address_of(uint16_t port)
{
	struct sockaddr_storage a = {0};
	struct sockaddr_in *in = (struct sockaddr_in *)&a;
	in->sin_family = AF_INET;
	in->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	in->sin_port = htons(port);
	return a;
}

static int listen_on(uint16_t *port)
{
	const int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	const int yes = 1;
	BSR_ASSERT(setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes)) == 0);
	for (*port = 20000; *port < 30000; (*port)++) {
		const struct sockaddr_storage a = address_of(*port);
		if (bind(fd, (const struct sockaddr *)&a, sizeof(struct sockaddr_in)) == 0) {
			break;
		}
	}
	BSR_ASSERT(listen(fd, 8) == 0);
	return fd;
}

static void connect_ends(void)
{
	uint16_t port[2];
	bool locked;
	const struct bsr_loop_options options = {.backend = BSR_LOOP_THREADS, .depth = 4, .lifeline_fd = -1};
	const struct bsr_link_options link_options = {
		.data_checksums = getenv("BSR_NO_CHECKSUMS") == NULL, .connect_int_s = 10, .ping_timeout_ds = 50};
	int r = bsr_loop_create(&loop, &options);
	BSR_ASSERT(r == 0);
	r = bsr_pool_create(&pool, 16u << 20, &locked);
	BSR_ASSERT(r == 0);
	bsr_loop_on_turn(loop, on_turn, NULL);
	for (uint32_t i = 0; i < 2; i++) {
		const struct bsr_links_config config = {
			.resource = "r0", .node_id = i, .loop = loop, .pool = pool, .ops = &ops, .ctx = &end[i]};
		r = bsr_links_create(&end[i].links, &config);
		BSR_ASSERT(r == 0);
		r = bsr_links_add_listener(end[i].links, listen_on(&port[i]));
		BSR_ASSERT(r == 0);
	}
	for (uint32_t i = 0; i < 2; i++) {
		const struct bsr_link_path path = {address_of(0), address_of(port[1 - i])};
		r = bsr_links_set_peer(end[i].links, 1 - i, &path, 1, &link_options);
		BSR_ASSERT(r == 0);
		bsr_links_dial(end[i].links, 1 - i, 1, 0);
	}
	on_turn(NULL);
	while (!end[0].up || !end[1].up) {
		turn();
	}
}

static void send_writes(bsr_buf_t buf, uint64_t *write_seq)
{
	for (uint32_t i = 0; i < BATCH; i++) {
		uint8_t head[128];
		const struct bsr_msg_write w = {
			.write_seq = ++*write_seq, .length = WRITE_BYTES, .offset = *write_seq * 4096, .op = BSR_OP_WRITE};
		const struct bsr_fx_send send = {
			.peer = 1,
			.link = 1,
			.stream = BSR_STREAM_DATA,
			.head_bytes = bsr_msg_write_encode(head, sizeof(head), BSR_MSG_WRITE, WRITE_BYTES, &w),
			.buf = buf,
			.payload_bytes = WRITE_BYTES,
		};
		bsr_links_send(end[0].links, &send, head);
	}
}

static void send_acks(uint64_t write_seq)
{
	static struct bsr_msg_acks acks = {.count = BATCH};
	static uint8_t head[16384];
	for (uint32_t i = 0; i < BATCH; i++) {
		acks.ack[i].kind = BSR_ACK_WRITTEN;
		acks.ack[i].write_seq = write_seq - BATCH + 1 + i;
	}
	const struct bsr_fx_send send = {
		.peer = 0,
		.link = 1,
		.stream = BSR_STREAM_CONTROL,
		.head_bytes = bsr_msg_acks_encode(head, sizeof(head), BSR_MSG_ACKS, 0, &acks),
		.buf = BSR_BUF_NONE,
	};
	bsr_links_send(end[1].links, &send, head);
}

static uint64_t clock_ns(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000ull + (uint64_t)t.tv_nsec;
}

int main(int argc, char **argv)
{
	const uint64_t rounds = argc > 1 ? strtoull(argv[1], NULL, 10) : 20000;
	uint64_t write_seq = 0;
	connect_ends();
	const bsr_buf_t buf = bsr_pool_get(pool, WRITE_BYTES);
	memset(bsr_pool_mem(pool, buf), 7, WRITE_BYTES);
	const uint64_t begin_ns = clock_ns();
	for (uint64_t round = 0; round < rounds; round++) {
		send_writes(buf, &write_seq);
		bsr_links_flush(end[0].links);
		while (end[1].messages < write_seq) {
			turn();
		}
		send_acks(write_seq);
		bsr_links_flush(end[1].links);
		while (end[0].messages < round + 1) {
			turn();
		}
	}
	const uint64_t took_ns = clock_ns() - begin_ns;
	printf("%llu writes, %llu ns each, kernel included\n", (unsigned long long)write_seq,
		(unsigned long long)(write_seq > 0 ? took_ns / write_seq : 0));
	bsr_pool_put(pool, buf);
	for (int i = 0; i < 2; i++) {
		bsr_links_destroy(end[i].links);
	}
	bsr_pool_destroy(pool);
	bsr_loop_destroy(loop);
	return 0;
}
