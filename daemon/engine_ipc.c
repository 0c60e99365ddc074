// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * engine_ipc.c - the engine process's end of the talk with the keeper
 *
 * Owns: requests that wait for an answer, messages that wait for room in the socket.
 * Invariants:
 *   EI-1  Each request is answered exactly once, also when the keeper dies: then with an error.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <bsr/assert.h>

#include "engine_process.h"
#include "running.h"

#define REQUESTS_MAX 512u /* flows, a close of each volume, handlers */

struct pending {
	uint32_t number; /* 0 = free */
	uint32_t volume;
	bsrd_answer_fn fn;
	void *ctx;
};

struct queued {
	struct queued *next;
	struct bsrd_fds fds; /* own copies */
	struct bsrd_message m;
};

struct bsrd_ipc {
	struct bsrd *d;
	struct bsr_watch watch;
	uint32_t next_number;
	struct pending pending[REQUESTS_MAX];
	struct queued *first, **last;
	bool failing; /* keeper is gone: what is pending fails at the end of the turn */
	struct bsrd_message received;
};

static void forget_queue(struct bsrd_ipc *ipc)
{
	while (ipc->first != NULL) {
		struct queued *q = ipc->first;
		ipc->first = q->next;
		bsrd_fds_close(&q->fds);
		free(q);
	}
	ipc->last = &ipc->first;
}

static void keeper_gone(struct bsrd_ipc *ipc)
{
	if (ipc->d->keeper_gone) {
		return;
	}
	ipc->d->keeper_gone = true;
	ipc->failing = true;
	bsr_loop_unwatch(ipc->d->loop, &ipc->watch);
	close(ipc->watch.fd);
	forget_queue(ipc);
	bsrd_flows_keeper_gone(ipc->d);
}

static void send_queue(struct bsrd_ipc *ipc)
{
	while (ipc->first != NULL) {
		struct queued *q = ipc->first;
		int error = bsrd_ipc_send(ipc->watch.fd, &q->m, &q->fds);
		if (error == -EAGAIN) {
			bsr_loop_watch_change(ipc->d->loop, &ipc->watch, POLLIN | POLLOUT);
			return;
		}
		if (error != 0) {
			keeper_gone(ipc);
			return;
		}
		ipc->first = q->next;
		bsrd_fds_close(&q->fds);
		free(q);
	}
	ipc->last = &ipc->first;
	bsr_loop_watch_change(ipc->d->loop, &ipc->watch, POLLIN);
}

static void enqueue(struct bsrd_ipc *ipc, const struct bsrd_message *m, const struct bsrd_fds *fds)
{
	struct queued *q = malloc(sizeof(*q));
	BSR_ASSERT(q != NULL);
	memcpy(&q->m, m, sizeof(q->m));
	q->next = NULL;
	q->fds.count = 0;
	for (uint32_t i = 0; fds != NULL && i < fds->count; i++) {
		int copy = fcntl(fds->fd[i], F_DUPFD_CLOEXEC, 3);
		BSR_ASSERT(copy >= 0);
		q->fds.fd[q->fds.count++] = copy;
	}
	*ipc->last = q;
	ipc->last = &q->next;
}

void bsrd_ipc_note(struct bsrd_ipc *ipc, const struct bsrd_message *m, const struct bsrd_fds *fds)
{
	if (ipc->d->keeper_gone) {
		return;
	}
	int error = ipc->first != NULL ? -EAGAIN : bsrd_ipc_send(ipc->watch.fd, m, fds);
	if (error == -EAGAIN) {
		enqueue(ipc, m, fds);
		bsr_loop_watch_change(ipc->d->loop, &ipc->watch, POLLIN | POLLOUT);
	} else if (error != 0) {
		keeper_gone(ipc);
	}
}

static struct pending *pending_find(struct bsrd_ipc *ipc, uint32_t number)
{
	for (uint32_t i = 0; i < REQUESTS_MAX; i++) {
		if (ipc->pending[i].number == number) {
			return &ipc->pending[i];
		}
	}
	return NULL;
}

void bsrd_ipc_request(struct bsrd_ipc *ipc, struct bsrd_message *m, bsrd_answer_fn fn, void *ctx)
{
	bsrd_ipc_request_with(ipc, m, NULL, fn, ctx);
}

void bsrd_ipc_request_with(struct bsrd_ipc *ipc, struct bsrd_message *m, const struct bsrd_fds *fds,
	bsrd_answer_fn fn, void *ctx)
{
	struct pending *slot = pending_find(ipc, 0);
	/*
	 * flows are limited and each has one request at a time; handlers are limited by the
	 * engine's own table
	 */
	BSR_ASSERT(slot != NULL);
	do {
		ipc->next_number++;
	} while (ipc->next_number == 0 || pending_find(ipc, ipc->next_number) != NULL);
	*slot = (struct pending){.number = ipc->next_number, .volume = m->volume, .fn = fn, .ctx = ctx};
	m->request = slot->number;
	bsrd_ipc_note(ipc, m, fds);
	if (ipc->d->keeper_gone) {
		ipc->failing = true;
	}
}

static void answered(struct bsrd_ipc *ipc, struct bsrd_message *m, struct bsrd_fds *fds)
{
	struct pending *slot = m->request == 0 ? NULL : pending_find(ipc, m->request);
	if (slot == NULL) {
		return; /* of something that has been given up */
	}
	struct pending p = *slot;
	slot->number = 0;
	p.fn(p.ctx, m, fds);
}

static void received(struct bsrd_ipc *ipc, struct bsrd_message *m, struct bsrd_fds *fds)
{
	switch (m->type) {
	case BSRD_IPC_ANSWER:
		answered(ipc, m, fds);
		break;
	case BSRD_IPC_CHANNEL:
		bsrd_flows_channel(ipc->d, m, fds);
		break;
	case BSRD_IPC_LOG:
		bsrd_take_settings(ipc->d, m);
		if (fds->count == 1 && bsr_logging_reopen(fds->fd[0]) == 0) {
			ipc->d->log_full_told = false;
		}
		break;
	case BSRD_IPC_STOP:
		bsrd_flows_stop(ipc->d);
		break;
	default:
		/* the keeper is ours: nothing else is ever sent now */
		BSR_ASSERT(m->type == BSRD_IPC_ANSWER);
	}
	bsrd_fds_close(fds);
}

static void ready(struct bsr_watch *watch, uint32_t events)
{
	struct bsrd_ipc *ipc = (struct bsrd_ipc *)((char *)watch - offsetof(struct bsrd_ipc, watch));
	struct bsrd_fds fds;
	if ((events & POLLOUT) != 0) {
		send_queue(ipc);
	}
	while (!ipc->d->keeper_gone) {
		int got = bsrd_ipc_receive(watch->fd, &ipc->received, &fds, false);
		if (got == -EAGAIN) {
			return;
		}
		if (got != 1) {
			keeper_gone(ipc);
			return;
		}
		received(ipc, &ipc->received, &fds);
	}
}

static __attribute__((noinline)) void fail_pending(struct bsrd_ipc *ipc)
{
	while (ipc->failing) {
		ipc->failing = false;
		for (uint32_t i = 0; i < REQUESTS_MAX; i++) {
			struct pending p = ipc->pending[i];
			if (p.number == 0) {
				continue;
			}
			struct bsrd_fds none = {.count = 0};
			ipc->pending[i].number = 0;
			bsrd_message_init(&ipc->received, BSRD_IPC_ANSWER);
			ipc->received.volume = p.volume;
			ipc->received.error = -BSR_E_SHUTTING_DOWN;
			ipc->received.arg[0] = UINT64_MAX;
			bsrd_message_set_text(&ipc->received,
				"the keeper process of this resource has died; close its devices, then start it again");
			p.fn(p.ctx, &ipc->received, &none);
		}
	}
}

void bsrd_ipc_turn(struct bsrd_ipc *ipc)
{
	if (ipc->failing) {
		fail_pending(ipc);
	}
}

int bsrd_ipc_create(struct bsrd_ipc **out, struct bsrd *d, int sock)
{
	struct bsrd_ipc *ipc = calloc(1, sizeof(*ipc));
	if (ipc == NULL) {
		return -ENOMEM;
	}
	ipc->d = d;
	ipc->last = &ipc->first;
	ipc->watch = (struct bsr_watch){.fd = sock, .events = POLLIN, .ready = ready};
	if (fcntl(sock, F_SETFL, O_NONBLOCK) != 0 || bsr_loop_watch(d->loop, &ipc->watch) != 0) {
		int error = -errno;
		free(ipc);
		return error;
	}
	*out = ipc;
	return 0;
}

int bsrd_ipc_resume(struct bsrd_ipc *ipc, int sock)
{
	struct bsrd *d = ipc->d;
	BSR_ASSERT(d->keeper_gone);
	ipc->watch = (struct bsr_watch){.fd = sock, .events = POLLIN, .ready = ready};
	int error = fcntl(sock, F_SETFL, O_NONBLOCK) != 0 ? -errno : bsr_loop_watch(d->loop, &ipc->watch);
	if (error != 0) {
		close(sock);
		return error;
	}
	d->keeper_gone = false;
	return 0;
}

void bsrd_save_running(struct bsrd *d)
{
	struct bsrd_message m;
	struct bsrd_fds fds = {.count = 1};
	uint64_t bytes = 0;
	int fd = bsrd_running_to_memfd(&d->running, &bytes);
	/* Going on with a configuration that a successor would not know of is the worse choice. */
	BSR_ASSERT(fd >= 0);
	fds.fd[0] = fd;
	bsrd_message_init(&m, BSRD_IPC_CONFIG);
	m.arg[0] = bytes;
	bsrd_ipc_note(d->ipc, &m, &fds);
	close(fd);
}
