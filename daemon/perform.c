// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * perform.c - events into the engine, effects out of it: the only place of the engine process where
 * anything happens
 *
 * Owns: the effects of the current step, disk operations under way, engine commands under way,
 *       descriptors of disks.
 * Invariants:
 *   PF-1  A step never runs inside of another one: what an effect causes at once is noted and done
 *         after it (a command's callback; the next piece of a long discard, which a front end hands
 *         over when the one before completes).
 *   PF-2  A buffer has a reference of ours, or one that the engine has given away, as long as a disk operation uses it.
 *   PF-3  Descriptors of a disk are closed only when nothing is in flight on them.
 *   PF-4  No allocation and no system call per operation: operations come from a table, submission
 *         is per turn.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <bsr/assert.h>

#include "engine_process.h"
#include "faults.h"
#include "perform_internal.h"

/* ------------------------------------------------------------- operations */

/* Adapters turn errno into BSR_E_* once: here. */
static __attribute__((noinline)) int32_t take_error(const struct disk_op *op, int64_t result)
{
	bsrd_trouble_note(op->d, op->volume, op->is_md, result);
	switch (result) {
	case -ENOSPC:
		return -BSR_E_NO_SPACE;
	case -EOPNOTSUPP:
		return -BSR_E_UNSUPPORTED;
	default:
		return -BSR_E_IO;
	}
}

static inline int32_t take_result(const struct disk_op *op, int64_t result)
{
	return result >= 0 ? 0 : take_error(op, result);
}

static void release_if_idle(struct bsrd *d, struct disk_use *use)
{
	if (!use->releasing || use->in_flight > 0) {
		return;
	}
	bsr_loop_remove_file(d->loop, use->data_slot);
	close(use->data_fd);
	if (use->md_fd != use->data_fd) {
		bsr_loop_remove_file(d->loop, use->md_slot);
		close(use->md_fd);
	}
	void (*fn)(void *ctx) = use->released;
	void *ctx = use->released_ctx;
	memset(use, 0, sizeof(*use));
	d->perform->let_go_until_ns = bsrd_now_ns(d) + LET_GO_NS;
	if (fn != NULL) {
		fn(ctx);
	}
}

static void op_finish(struct disk_op *op, int32_t error);
static inline __attribute__((always_inline)) void finish_op(struct disk_op *op, int32_t error);

static void digest_finish(struct disk_op *op, int32_t error);

/* True: it has ended already, or goes on. */
static __attribute__((noinline)) bool rare_done(struct disk_op *op, int64_t result)
{
	if (op->op == BSR_OP_DIGEST) {
		digest_finish(op, take_result(op, result));
		return true;
	}
	if (result >= 0 && op->stage == OP_MAIN && (op->flags & BSR_REQ_FUA) != 0) {
		op->stage = OP_AFTER;
		bsr_loop_flush(op->d->loop, &op->io, op->d->perform->disk[op->volume].data_slot);
		return true;
	}
	return false;
}

static void main_done(struct bsr_io *io, int64_t result)
{
	struct disk_op *op = (struct disk_op *)io;
	if (op->op >= BSR_OP_DISCARD && rare_done(op, result)) {
		return;
	}
	finish_op(op, take_result(op, result)); /* in place: of every write */
}

static void read_into(struct disk_op *op, uint32_t buf_offset)
{
	struct bsrd *d = op->d;
	uint8_t *mem = bsr_pool_mem(d->pool, op->buf) + buf_offset;
	bsr_loop_read(d->loop, &op->io, d->perform->disk[op->volume].data_slot, mem, op->length, op->offset);
}

static void on_pool_free(void *ctx)
{
	struct bsrd *d = ctx;
	d->perform->retry = true;
	bsr_loop_again(d->loop);
}

static bool take_buffer(struct disk_op *op)
{
	op->buf = bsr_pool_get(op->d->pool, op->length);
	if (op->buf == BSR_BUF_NONE) {
		bsr_pool_on_free(op->d->pool, on_pool_free, op->d);
		return false;
	}
	return true;
}

static void start_read(struct bsrd_perform *p, struct disk_op *op, const struct bsr_fx_disk *fx)
{
	if (fx->buf != BSR_BUF_NONE) {
		bsr_pool_ref(op->d->pool, fx->buf);
		read_into(op, fx->buf_offset);
		return;
	}
	op->own_buf = true;
	if (p->wait_first == NONE && take_buffer(op)) {
		read_into(op, 0);
		return;
	}
	if (p->wait_first == NONE) {
		p->wait_first = (uint32_t)(op - p->op);
	} else {
		p->op[p->wait_last].next = (uint32_t)(op - p->op);
	}
	p->wait_last = (uint32_t)(op - p->op);
}

void bsrd_perform_retry(struct bsrd_perform *p)
{
	p->retry = false;
	while (p->wait_first != NONE) {
		struct disk_op *op = &p->op[p->wait_first];
		if (!take_buffer(op)) {
			return;
		}
		p->wait_first = op->next;
		op->next = NONE;
		read_into(op, 0);
	}
}

static inline struct disk_use *disk_of(struct bsrd *d, uint32_t volume)
{
	BSR_ASSERT(volume < BSR_VOLUMES_MAX);
	return d->perform->use[volume];
}

static inline __attribute__((always_inline)) struct disk_op *op_start(
	struct bsrd *d, struct disk_use *use, uint32_t volume, uint32_t op_id, bool is_md)
{
	BSR_ASSERT(op_id < BSR_DISK_OPS_MAX);
	BSR_ASSERT(use->open); /* operations stop before BSR_FX_DISK_GONE */
	use->in_flight++;
	struct disk_op *op = d->perform->by_id[op_id];
	BSR_ASSERT(!op->busy); /* the engine uses an id again when it has been answered */
	op->volume = (uint16_t)volume;
	op->stage = OP_MAIN;
	op->busy = true;
	op->is_md = is_md;
	op->own_buf = false;
	return op;
}

static __attribute__((noinline)) void perform_other_disk(struct bsrd *d, const struct bsr_fx_disk *fx)
{
	struct disk_use *use = disk_of(d, fx->volume);
	struct disk_op *op = op_start(d, use, fx->volume, fx->op_id, false);
	int slot = use->data_slot;
	op->op = fx->op;
	op->flags = fx->flags;
	op->buf = fx->buf;
	op->offset = fx->offset;
	op->length = fx->length;
	switch ((enum bsr_op)fx->op) {
	case BSR_OP_READ:
	case BSR_OP_DIGEST:
		start_read(d->perform, op, fx);
		break;
	case BSR_OP_WRITE:
		break; /* not here, see perform_disk() */
	case BSR_OP_FLUSH:
		bsr_loop_flush(d->loop, &op->io, slot);
		break;
	case BSR_OP_DISCARD:
		bsr_loop_zero(d->loop, &op->io, slot, fx->offset, fx->length, true);
		break;
	case BSR_OP_ZEROES:
		bsr_loop_zero(d->loop, &op->io, slot, fx->offset, fx->length, false);
		break;
	}
}

static inline __attribute__((always_inline)) void perform_disk(struct bsrd *d, const struct bsr_fx_disk *fx)
{
	if (fx->op != BSR_OP_WRITE) {
		perform_other_disk(d, fx);
		return;
	}
	struct disk_use *use = disk_of(d, fx->volume);
	struct disk_op *op = op_start(d, use, fx->volume, fx->op_id, false);
	op->op = BSR_OP_WRITE;
	op->flags = fx->flags;
	op->buf = fx->buf;
	/* PF-2 */
	const uint8_t *mem = (fx->flags & BSR_DISK_GIVES_BUFFER) != 0 ? bsr_pool_mem(d->pool, fx->buf)
								       : bsr_pool_borrow(d->pool, fx->buf);
	bsr_loop_write(d->loop, &op->io, use->data_slot, mem + fx->buf_offset, fx->length, fx->offset,
		 (fx->flags & BSR_REQ_FUA) != 0 ? BSR_IO_DSYNC : 0);
}

static void md_write(struct disk_op *op)
{
	bsr_loop_write(op->d->loop, &op->io, op->d->perform->disk[op->volume].md_slot, op->md_mem, op->length,
		op->offset, (op->flags & BSR_MD_FUA) != 0 ? BSR_IO_DSYNC : 0);
}

static void preflushed(struct disk_op *op, int64_t result)
{
	if (result < 0) {
		op->error = take_result(op, result);
	}
	if (--op->waiting > 0) {
		return;
	}
	op->io.done = main_done;
	if (op->error != 0) {
		op_finish(op, op->error);
		return;
	}
	op->stage = OP_MAIN;
	md_write(op);
}

static void first_flushed(struct bsr_io *io, int64_t result)
{
	preflushed((struct disk_op *)io, result);
}

static void second_flushed(struct bsr_io *io, int64_t result)
{
	preflushed((struct disk_op *)((char *)io - offsetof(struct disk_op, io_second)), result);
}

static void perform_md(struct bsrd *d, const struct bsr_fx_md *fx)
{
	struct disk_use *use = disk_of(d, fx->volume);
	struct disk_op *op = op_start(d, use, fx->volume, fx->op_id, true);
	op->op = fx->write ? BSR_OP_WRITE : BSR_OP_READ;
	op->flags = fx->flags;
	op->buf = BSR_BUF_NONE;
	op->offset = fx->offset;
	op->length = fx->length;
	op->md_mem = fx->mem;
	op->error = 0;
	if (!fx->write) {
		bsr_loop_read(d->loop, &op->io, use->md_slot, fx->mem, fx->length, fx->offset);
		return;
	}
	if ((fx->flags & BSR_MD_PREFLUSH) == 0) {
		md_write(op);
		return;
	}
	op->stage = OP_PREFLUSH;
	op->waiting = use->md_slot != use->data_slot ? 2 : 1;
	op->io.done = first_flushed;
	bsr_loop_flush(d->loop, &op->io, use->data_slot);
	if (use->md_slot != use->data_slot) {
		op->io_second.done = second_flushed;
		bsr_loop_flush(d->loop, &op->io_second, use->md_slot);
	}
}

/* ------------------------------------------------------------ disks in use */

int bsrd_disk_use(struct bsrd *d, uint32_t volume, int data_fd, int md_fd)
{
	struct disk_use *use = &d->perform->disk[volume];
	BSR_ASSERT(!use->used);
	int data_slot = bsr_loop_add_file(d->loop, data_fd);
	if (data_slot < 0) {
		return data_slot;
	}
	int md_slot = md_fd == data_fd ? data_slot : bsr_loop_add_file(d->loop, md_fd);
	if (md_slot < 0) {
		bsr_loop_remove_file(d->loop, data_slot);
		return md_slot;
	}
	*use = (struct disk_use){.used = true,
		.open = true,
		.data_fd = data_fd,
		.md_fd = md_fd,
		.data_slot = data_slot,
		.md_slot = md_slot};
	d->trouble[volume] = (struct bsrd_trouble){0};
	return 0;
}

bool bsrd_disk_in_use(const struct bsrd *d, uint32_t volume)
{
	return d->perform->disk[volume].used;
}

bool bsrd_disk_fds(const struct bsrd *d, uint32_t volume, struct bsrd_fds *fds)
{
	const struct disk_use *use = &d->perform->disk[volume];
	if (!use->used || use->releasing) {
		return false;
	}
	fds->fd[0] = use->data_fd;
	fds->fd[1] = use->md_fd;
	fds->count = use->md_fd != use->data_fd ? 2 : 1;
	return true;
}

void bsrd_disk_release(struct bsrd *d, uint32_t volume, void (*fn)(void *ctx), void *ctx)
{
	struct disk_use *use = &d->perform->disk[volume];
	if (!use->used) {
		if (fn != NULL) {
			fn(ctx);
		}
		return;
	}
	BSR_ASSERT(!use->releasing);
	use->releasing = true;
	use->open = false;
	use->released = fn;
	use->released_ctx = ctx;
	release_if_idle(d, use);
}

/* ---------------------------------------------------------------- effects */

static void perform_log(struct bsrd *d, const struct bsr_fx_log *log)
{
	uint32_t vnr = log->volume < BSR_VOLUMES_MAX ? d->running.volume[log->volume].vnr : NONE;
	char more[BSRD_PATH_MAX + 128];
	bsrd_trouble_text(d, log, more, sizeof(more));
	bsr_log_effect(log, vnr, more);
	bsrd_handlers_log(d, log);
	control_on_log(d->control, log);
}

static void perform_command_done(struct bsrd_perform *p, const struct bsr_fx_command_done *done)
{
	BSR_ASSERT(done->cmd_id < BSRD_COMMANDS_MAX);
	struct command_slot *slot = &p->command[done->cmd_id];
	BSR_ASSERT(slot->used && !slot->done);
	slot->done = true;
	slot->result = *done;
	p->commands_done++;
	p->put_off = true;
}

/* A read that a peer has served. */
static __attribute__((noinline)) void fill(struct bsrd *d, const struct bsr_fx_complete *done)
{
	bsr_devices_fill(d->devices, done->tag, done->data);
	bsr_pool_put(d->pool, done->data);
}

static inline void perform_complete(struct bsrd *d, const struct bsr_fx_complete *done)
{
	if (done->data != BSR_BUF_NONE) {
		fill(d, done);
	}
	bsr_devices_complete(d->devices, done->tag, done->result);
}

void bsrd_perform_late(struct bsrd *d, const struct bsr_effect *e, const uint8_t *head)
{
	if (e->type == BSR_FX_DISK) {
		perform_disk(d, &e->u.disk);
	} else if (e->type == BSR_FX_MD) {
		perform_md(d, &e->u.md);
	} else {
		d->perform->sends++;
		bsr_links_send(d->links, &e->u.send, head);
	}
}

static __attribute__((noinline)) void perform_other(struct bsrd *d, const struct bsr_effect *e)
{
	switch (e->type) {
	case BSR_FX_MD:
		perform_md(d, &e->u.md);
		break;
	case BSR_FX_LISTEN_DIAL:
		bsr_links_dial(d->links, e->u.link.peer, e->u.link.link, e->u.link.not_before_ns);
		break;
	case BSR_FX_CLOSE:
		bsr_links_close(d->links, e->u.link.peer, e->u.link.link, e->u.link.drain);
		break;
	case BSR_FX_HANDLER:
		bsrd_handler_run(d, &e->u.handler);
		break;
	case BSR_FX_STATE:
		bsrd_flows_state(d, &e->u.state);
		bsrd_handlers_state(d, &e->u.state);
		control_on_state(d->control, &e->u.state);
		break;
	case BSR_FX_LOG:
		perform_log(d, &e->u.log);
		break;
	case BSR_FX_COMMAND_DONE:
		perform_command_done(d->perform, &e->u.command_done);
		break;
	case BSR_FX_DISK_GONE:
		bsrd_flows_disk_gone(d, e->u.disk_gone_volume);
		break;
	case BSR_FX_DISK:
	case BSR_FX_SEND:
	case BSR_FX_COMPLETE:
	case BSR_FX_BUF_PUT:
		break; /* not here, see perform_effect() */
	}
}

static inline void perform_send(struct bsrd *d, const struct bsr_fx *fx, const struct bsr_fx_send *message)
{
	d->perform->sends++;
	bsr_links_send(d->links, message, fx->arena + message->head_offset);
}

/* In place: what every write needs. */
static inline __attribute__((always_inline)) void perform_effect(struct bsrd *d, const struct bsr_effect *e)
{
	if (e->type == BSR_FX_DISK) {
		perform_disk(d, &e->u.disk);
	} else if (e->type == BSR_FX_SEND) {
		perform_send(d, d->perform->fx, &e->u.send);
	} else if (e->type == BSR_FX_COMPLETE) {
		perform_complete(d, &e->u.complete);
	} else if (e->type == BSR_FX_BUF_PUT) {
		bsr_pool_put(d->pool, e->u.buf_put);
	} else {
		perform_other(d, e);
	}
}

static void drain(struct bsrd_perform *p);

static inline struct bsr_fx *begin_step(struct bsrd *d)
{
	struct bsrd_perform *p = d->perform;
	struct bsr_fx *fx = p->fx;
	BSR_ASSERT(!p->in_step);
	p->in_step = true;
	fx->count = 0;
	fx->arena_used = 0;
	return fx;
}

static __attribute__((noinline)) void perform_with_faults(struct bsrd *d, const struct bsr_fx *fx)
{
	for (uint32_t i = 0; i < fx->count; i++) {
		if (!bsrd_faults_take(d, &fx->effect[i], fx->arena)) {
			perform_effect(d, &fx->effect[i]);
		}
	}
}

/* Inlined where each write comes by. */
static inline __attribute__((always_inline)) void end_step(struct bsrd *d, const struct bsr_fx *fx)
{
	struct bsrd_perform *p = d->perform;
	if (d->faults == NULL) {
		const struct bsr_effect *end = &fx->effect[fx->count]; /* carrying out an effect adds none */
		for (const struct bsr_effect *e = fx->effect; e != end; e++) {
			perform_effect(d, e);
		}
	} else {
		perform_with_faults(d, fx);
	}
	p->in_step = false;
	if (p->put_off) {
		drain(p);
	}
}

static __attribute__((noinline)) void end_step_of_many(struct bsrd *d, const struct bsr_fx *fx)
{
	end_step(d, fx);
}

/* Where there are usually few effects, or none: mostly a message, of an event that comes once in a turn. */
static __attribute__((noinline)) void carry_out(struct bsrd *d, const struct bsr_fx *fx)
{
	if (fx->count == 1 && fx->effect[0].type == BSR_FX_SEND && d->faults == NULL && !d->perform->put_off) {
		perform_send(d, fx, &fx->effect[0].u.send);
		d->perform->in_step = false;
	} else {
		end_step_of_many(d, fx);
	}
}

static inline void end_step_apart(struct bsrd *d, const struct bsr_fx *fx)
{
	if (fx->count == 0 && !d->perform->put_off) {
		d->perform->in_step = false;
	} else {
		carry_out(d, fx);
	}
}

void bsrd_step(struct bsrd *d, struct bsr_event *event)
{
	struct bsr_fx *fx = begin_step(d);
	event->now_ns = bsrd_now_ns(d);
	bsr_engine_step(d->engine, event, fx);
	end_step_apart(d, fx);
}

/* The engine gets the digests and not the data. */
static void digest_finish(struct disk_op *op, int32_t error)
{
	struct bsrd *d = op->d;
	struct disk_use *use = &d->perform->disk[op->volume];
	struct bsr_event event = {.type = BSR_EV_DIGEST_DONE, .u.digest_done = {.op_id = op->id, .result = error}};
	struct bsr_ev_digest_done *done = &event.u.digest_done;
	if (error == 0) {
		done->bytes = bsr_digests_blocks(
			d->digests, op->flags, bsr_pool_mem(d->pool, op->buf), op->length, &done->digests);
		done->result = done->bytes == 0 ? -BSR_E_UNSUPPORTED : 0;
	}
	bsr_pool_put(d->pool, op->buf);
	op->busy = false;
	BSR_ASSERT(use->in_flight > 0);
	use->in_flight--;
	bsrd_step(d, &event);
	if (use->releasing) {
		release_if_idle(d, use);
	}
}

static inline __attribute__((always_inline)) void finish_op(struct disk_op *op, int32_t error)
{
	struct bsrd *d = op->d;
	struct bsrd_perform *p = d->perform;
	struct disk_use *use = p->use[op->volume];
	struct bsr_ev_disk_done done = {.op_id = op->id, .result = error, .buf = BSR_BUF_NONE};
	if (op->buf != BSR_BUF_NONE && op->own_buf && error == 0) {
		done.buf = op->buf;
	} else if (op->buf != BSR_BUF_NONE) {
		bsr_pool_put(d->pool, op->buf);
	}
	op->busy = false;
	BSR_ASSERT(use->in_flight > 0);
	use->in_flight--;
	struct bsr_fx *fx = begin_step(d);
	bsr_engine_disk_done(d->engine, bsrd_now_ns(d), &done, fx);
	end_step_apart(d, fx); /* mostly there is nothing more to do: a peer answers later, or has to be told at the turn's end */
	if (use->releasing) {
		release_if_idle(d, use);
	}
}

static __attribute__((noinline)) void op_finish(struct disk_op *op, int32_t error)
{
	finish_op(op, error);
}

static void request_event(struct bsrd *d, const struct bsr_ev_request *r)
{
	struct bsr_fx *fx = begin_step(d);
	bsr_engine_request(d->engine, bsrd_now_ns(d), r, fx);
	end_step(d, fx);
}

static void run_commands_done(struct bsrd_perform *p)
{
	for (uint32_t i = 0; i < BSRD_COMMANDS_MAX && p->commands_done > 0; i++) {
		struct command_slot slot = p->command[i];
		if (slot.used && slot.done) {
			memset(&p->command[i], 0, sizeof(p->command[i]));
			p->commands_done--;
			slot.fn(slot.ctx, &slot.result);
		}
	}
}

/* What effects have put off, and what comes of it; never nested, so the stack stays flat. */
static __attribute__((noinline)) void drain(struct bsrd_perform *p)
{
	if (p->draining) {
		return;
	}
	p->draining = true;
	while (p->commands_done > 0 || p->deferred_count > 0) {
		run_commands_done(p);
		if (p->deferred_count > 0) {
			const struct bsr_ev_request request = p->deferred[p->deferred_first];
			p->deferred_first = (p->deferred_first + 1) % BSR_REQUESTS_MAX;
			p->deferred_count--;
			request_event(p->d, &request);
		}
	}
	p->draining = false;
	p->put_off = false;
}

void bsrd_run_command(struct bsrd *d, const struct bsr_command *cmd, bsrd_command_fn fn, void *ctx)
{
	struct bsrd_perform *p = d->perform;
	uint32_t id = 0;
	while (id < BSRD_COMMANDS_MAX && p->command[id].used) {
		id++;
	}
	/* each flow runs one at a time, and there are no more flows than slots */
	BSR_ASSERT(id < BSRD_COMMANDS_MAX);
	p->command[id] = (struct command_slot){.used = true, .fn = fn, .ctx = ctx};
	struct bsr_event event = {.type = BSR_EV_COMMAND, .u.command = {.cmd_id = id, .cmd = cmd}};
	bsrd_step(d, &event);
}

/* ------------------------------------------------- what front ends and links say */

static uint32_t on_credits(void *ctx)
{
	struct bsrd *d = ctx;
	uint32_t credits = d->engine != NULL ? bsr_engine_credits(d->engine) : 0;
	credits = credits > d->perform->deferred_count ? credits - d->perform->deferred_count : 0;
	if (credits == 0) {
		d->perform->starved = true;
	}
	return credits;
}

static void on_request(void *ctx, const struct bsr_ev_request *request)
{
	struct bsrd *d = ctx;
	struct bsrd_perform *p = d->perform;
	if (!p->in_step) {
		request_event(d, request);
		return;
	}
	BSR_ASSERT(p->deferred_count < BSR_REQUESTS_MAX);
	p->deferred[(p->deferred_first + p->deferred_count) % BSR_REQUESTS_MAX] = *request;
	p->deferred_count++;
	p->put_off = true;
}

static void on_device_report(void *ctx, uint32_t number, const char *text)
{
	(void)ctx;
	bsr_log((enum bsr_log_number)number, "%s", text);
}

const struct bsr_device_ops bsrd_device_ops = {
	.credits = on_credits, .request = on_request, .report = on_device_report};

static void on_link_up(void *ctx, const struct bsr_ev_link_up *up)
{
	struct bsr_event event = {.type = BSR_EV_LINK_UP, .u.link_up = *up};
	bsrd_step(ctx, &event);
}

static void on_link_down(void *ctx, const struct bsr_ev_link_down *down)
{
	struct bsr_event event = {.type = BSR_EV_LINK_DOWN, .u.link_down = *down};
	bsrd_step(ctx, &event);
}

static void on_message(void *ctx, const struct bsr_ev_message *message)
{
	struct bsrd *d = ctx;
	struct bsr_fx *fx = begin_step(d);
	bsr_engine_message(d->engine, bsrd_now_ns(d), message, fx);
	end_step(d, fx);
}

static void on_sent(void *ctx, const struct bsr_ev_sent *sent)
{
	struct bsrd *d = ctx;
	struct bsr_fx *fx = begin_step(d);
	bsr_engine_sent(d->engine, bsrd_now_ns(d), sent, fx);
	end_step_apart(d, fx);
}

__attribute__((noinline)) void bsrd_step_time(struct bsrd *d)
{
	struct bsr_fx *fx = begin_step(d);
	bsr_engine_time(d->engine, bsrd_now_ns(d), fx);
	end_step_apart(d, fx);
}

static uint32_t on_may_receive(void *ctx, uint32_t peer, enum bsr_stream stream)
{
	struct bsrd *d = ctx;
	uint32_t may = bsr_engine_may_receive(d->engine, peer, stream);
	if (may == 0) {
		d->perform->paused = true;
	}
	return may;
}

static void on_link_report(void *ctx, uint32_t number, uint32_t peer, const char *text)
{
	(void)ctx;
	if (peer == UINT32_MAX) {
		bsr_log((enum bsr_log_number)number, "%s", text);
	} else {
		bsr_log((enum bsr_log_number)number, "peer=%u %s", (unsigned)peer, text);
	}
}

const struct bsr_links_ops bsrd_links_ops = {.up = on_link_up,
	.down = on_link_down,
	.message = on_message,
	.sent = on_sent,
	.may_receive = on_may_receive,
	.report = on_link_report};

/* ---------------------------------------------------------------- creation */

int bsrd_perform_create(struct bsrd_perform **out, struct bsrd *d)
{
	/*
	 * Touched now: the first requests must not wait for memory, and a locked process gets none
	 * later.
	 */
	struct bsrd_perform *p = mmap(NULL, sizeof(*p), PROT_READ | PROT_WRITE,
		MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
	struct bsr_fx *fx = mmap(NULL, sizeof(*fx), PROT_READ | PROT_WRITE,
		MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
	if (p == MAP_FAILED || fx == MAP_FAILED) {
		return -ENOMEM;
	}
	p->d = d;
	p->fx = fx;
	p->wait_first = p->wait_last = NONE;
	p->timer = (struct bsr_timer){.fn = bsrd_perform_on_timer, .ctx = d};
	for (uint32_t i = 0; i < BSR_DISK_OPS_MAX; i++) {
		p->op[i].d = d;
		p->op[i].id = i;
		p->op[i].next = NONE;
		p->op[i].io.done = main_done;
		p->by_id[i] = &p->op[i];
	}
	for (uint32_t i = 0; i < BSR_VOLUMES_MAX; i++) {
		p->use[i] = &p->disk[i];
	}
	*out = p;
	return 0;
}
