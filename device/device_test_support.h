/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * device_test_support.h - front ends with an owner that keeps volume 0 in memory, for unit tests
 * and fuzzers
 */
#ifndef BSR_DEVICE_TEST_SUPPORT_H
#define BSR_DEVICE_TEST_SUPPORT_H

#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <bsr/assert.h>
#include <bsr/errors.h>

#include "device.h"

#define FAKE_BYTES (4u << 20)
#define FAKE_SEEN_MAX 4096u

struct fake {
	struct bsr_loop *loop;
	struct bsr_pool *pool;
	struct bsr_devices *devices;
	uint8_t *volume; /* FAKE_BYTES; larger sizes have nothing behind them */
	uint32_t credits;
	uint32_t in_flight;
	bool hold;	/* requests are answered by fake_answer() only */
	int error;	/* every request's result */
	uint32_t seen_count;
	struct bsr_ev_request seen[FAKE_SEEN_MAX];
	uint32_t report_count;
	char report[512];
};

static inline uint32_t fake_credits(void *ctx)
{
	const struct fake *f = ctx;
	return f->credits - f->in_flight;
}

static inline void fake_answer(struct fake *f, const struct bsr_ev_request *r)
{
	const bool inside = r->offset + r->length <= FAKE_BYTES;
	if (f->error == 0 && inside && r->op == BSR_OP_READ) {
		memcpy(bsr_pool_mem(f->pool, r->buf), f->volume + r->offset, r->length);
	} else if (f->error == 0 && inside && r->op == BSR_OP_WRITE) {
		memcpy(f->volume + r->offset, bsr_pool_mem(f->pool, r->buf), r->length);
	} else if (f->error == 0 && inside && r->op != BSR_OP_FLUSH) {
		memset(f->volume + r->offset, 0, r->length);
	}
	f->in_flight--;
	bsr_devices_complete(f->devices, r->tag, f->error);
	bsr_devices_resume(f->devices);
}

static inline void fake_request(void *ctx, const struct bsr_ev_request *request)
{
	struct fake *f = ctx;
	BSR_ASSERT(f->in_flight < f->credits);
	BSR_ASSERT(request->tag < BSR_REQUESTS_MAX && request->volume == 0 && request->op <= BSR_OP_ZEROES);
	const bool moves = request->op == BSR_OP_READ || request->op == BSR_OP_WRITE;
	BSR_ASSERT(moves == (request->buf != BSR_BUF_NONE));
	BSR_ASSERT((request->length == 0) == (request->op == BSR_OP_FLUSH));
	BSR_ASSERT(request->length <= (moves ? BSR_REQUEST_BYTES_MAX : BSR_RANGE_BYTES_MAX));
	BSR_ASSERT((request->offset | request->length) % 512 == 0);
	BSR_ASSERT(!moves || bsr_pool_size(f->pool, request->buf) >= request->length);
	f->in_flight++;
	if (f->seen_count < FAKE_SEEN_MAX) {
		f->seen[f->seen_count++] = *request;
	}
	if (!f->hold) {
		fake_answer(f, request);
	}
}

static inline void fake_report(void *ctx, uint32_t log_number, const char *text)
{
	struct fake *f = ctx;
	BSR_ASSERT(log_number >= 5000 && log_number < 6000 && text[0] != '\0');
	f->report_count++;
	memset(f->report, 0, sizeof(f->report));
	memcpy(f->report, text, strnlen(text, sizeof(f->report) - 1));
}

static inline void fake_end_of_turn(void *ctx)
{
	struct fake *f = ctx;
	bsr_devices_flush(f->devices);
}

static inline void fake_create(struct fake *f, size_t pool_bytes)
{
	static const struct bsr_device_ops ops = {.credits = fake_credits, .request = fake_request, .report = fake_report};
	const struct bsr_loop_options options = {.depth = 16, .lifeline_fd = -1};
	bool locked;
	memset(f, 0, sizeof(*f));
	f->credits = BSR_REQUESTS_MAX;
	f->volume = calloc(1, FAKE_BYTES);
	BSR_ASSERT(f->volume != NULL);
	int error = bsr_loop_create(&f->loop, &options);
	BSR_ASSERT(error == 0);
	error = bsr_pool_create(&f->pool, pool_bytes, &locked);
	BSR_ASSERT(error == 0);
	const struct bsr_devices_config config = {.loop = f->loop, .pool = f->pool, .ops = &ops, .ctx = f};
	error = bsr_devices_create(&f->devices, &config);
	BSR_ASSERT(error == 0);
	bsr_loop_on_turn(f->loop, fake_end_of_turn, f);
}

static inline void fake_destroy(struct fake *f)
{
	bsr_devices_destroy(f->devices);
	BSR_ASSERT(bsr_pool_in_use(f->pool) == 0); /* no front end leaks buffers */
	bsr_pool_destroy(f->pool);
	bsr_loop_destroy(f->loop);
	free(f->volume);
}

static inline void fake_turns(struct fake *f, int count)
{
	for (int i = 0; i < count; i++) {
		const int error = bsr_loop_turn(f->loop, false);
		BSR_ASSERT(error == 0);
	}
}

/*
 * A FUSE channel without a kernel: packets keep their borders as on /dev/fuse. Returns the kernel's
 * end.
 */
static inline int fake_fuse(struct fake *f, uint64_t size_bytes)
{
	int pair[2];
	const int room = 4 << 20;
	int error = socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair);
	BSR_ASSERT(error == 0);
	(void)setsockopt(pair[1], SOL_SOCKET, SO_SNDBUFFORCE, &room, sizeof(room));
	(void)setsockopt(pair[0], SOL_SOCKET, SO_SNDBUFFORCE, &room, sizeof(room));
	error = bsr_fuse_serve(f->devices, 0, pair[0], size_bytes, false);
	BSR_ASSERT(error == 0);
	return pair[1];
}

/* A listening socket without a name in the file system; *@address is for fake_connect(). */
static inline void fake_listen(struct fake *f, struct sockaddr_un *address, socklen_t *bytes)
{
	*address = (struct sockaddr_un){.sun_family = AF_UNIX};
	*bytes = sizeof(sa_family_t);
	const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	/* the kernel chooses an abstract name */
	int error = bind(fd, (struct sockaddr *)address, *bytes);
	BSR_ASSERT(error == 0);
	*bytes = sizeof(*address);
	error = getsockname(fd, (struct sockaddr *)address, bytes);
	BSR_ASSERT(error == 0);
	error = listen(fd, 16);
	BSR_ASSERT(error == 0);
	error = bsr_nbd_listen(f->devices, fd);
	BSR_ASSERT(error == 0);
}

static inline int fake_connect(struct fake *f, const struct sockaddr_un *address, socklen_t bytes)
{
	const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	const int error = connect(fd, (const struct sockaddr *)address, bytes);
	BSR_ASSERT(error == 0);
	fake_turns(f, 2);
	return fd;
}

#endif
