// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * tasks.c - commands that take more than one step
 *
 * Owns:       the table of running commands: demotion, orderly disconnect, down; time limits.
 */
#include "core.h"

#define DEMOTE_LIMIT_NS (10 * BSR_SECOND_NS)
#define DISCONNECT_LIMIT_NS (5 * BSR_SECOND_NS)

enum down_step { DOWN_DEMOTE = 0, DOWN_LEAVE = 100, DOWN_DETACH };

struct bsr_task *bsr_task_start(struct bsr_engine *e, enum bsr_task_kind kind, const struct bsr_ev_command *c)
{
	for (uint32_t i = 0; i < BSR_TASKS_MAX; i++) {
		struct bsr_task *t = &e->task[i];
		if (t->kind != BSR_TASK_FREE) {
			continue;
		}
		memset(t, 0, sizeof(*t));
		t->kind = (uint8_t)kind;
		t->cmd_id = c->cmd_id;
		t->flags = c->cmd->flags;
		t->node = BSR_NONE;
		t->refuser = BSR_NONE;
		t->volume = BSR_NONE;
		t->until_ns = BSR_NEVER;
		e->kick = true;
		return t;
	}
	bsr_emit_command_done(e, c->cmd_id, -BSR_E_BUSY, BSR_NONE, BSR_NONE);
	return NULL;
}

void bsr_task_finish(struct bsr_engine *e, struct bsr_task *t, int32_t result)
{
	BSR_ASSERT(t->kind != BSR_TASK_FREE);
	t->kind = BSR_TASK_FREE;
	e->kick = true;
	bsr_emit_command_done(e, t->cmd_id, result, t->refuser, t->volume);
}

struct bsr_task *bsr_task_running(struct bsr_engine *e, enum bsr_task_kind kind)
{
	for (uint32_t i = 0; i < BSR_TASKS_MAX; i++) {
		if (e->task[i].kind == kind) {
			return &e->task[i];
		}
	}
	return NULL;
}

bool bsr_task_superblocks_clean(struct bsr_engine *e)
{
	struct bsr_volume *vol;
	BSR_FOR_EACH_VOLUME (e, vol) {
		if (vol->md_usable && vol->attach_step != BSR_AT_FAILING && !bsr_md_superblock_clean(vol)) {
			return false;
		}
	}
	return true;
}

static void limit(struct bsr_engine *e, struct bsr_task *t, uint64_t limit_ns)
{
	if (t->until_ns == BSR_NEVER) {
		t->until_ns = e->now_ns + limit_ns;
		bsr_timer(e, t->until_ns);
	}
}

static void demote_progress(struct bsr_engine *e, struct bsr_task *t)
{
	limit(e, t, DEMOTE_LIMIT_NS);
	if (bsr_demote_step(e, t)) {
		bsr_task_finish(e, t, 0);
	} else if (e->now_ns >= t->until_ns && e->role == BSR_ROLE_PRIMARY) {
		bsr_demote_abort(e);
		bsr_task_finish(e, t, -BSR_E_DEMOTE_TIMEOUT);
	}
}

/*
 * "Disconnect waits for buffered data": new writes wait, what is under way is confirmed, then the
 * link goes.
 */
static void disconnect_progress(struct bsr_engine *e, struct bsr_task *t)
{
	struct bsr_peer *p = t->peer;
	const uint32_t bit = bsr_node_bit(p->node_id);
	limit(e, t, DISCONNECT_LIMIT_NS);
	bool wait = false;
	if (bsr_peer_connected(p) && e->role == BSR_ROLE_PRIMARY && e->now_ns < t->until_ns) {
		e->disconnecting |= bit;
		for (const struct bsr_list *l = e->active.next; l != &e->active; l = l->next) {
			const struct bsr_request *rq = BSR_CONTAINER(l, struct bsr_request, link);
			wait = wait || ((rq->await_any | rq->await_flush) & bit);
		}
		if (!wait && !bsr_log_peer_clean(e, p)) {
			bsr_log_checkpoint(e, p, false);
			wait = true;
		}
	}
	if (!wait) {
		e->disconnecting &= ~bit;
		bsr_peer_drop(e, p, BSR_LINK_ADMIN);
		bsr_task_finish(e, t, 0);
	}
}

static void down_progress(struct bsr_engine *e, struct bsr_task *t)
{
	struct bsr_volume *vol;
	struct bsr_peer *p;
	if (t->step < DOWN_LEAVE) {
		limit(e, t, DEMOTE_LIMIT_NS);
		if (!bsr_demote_step(e, t)) {
			if (e->now_ns >= t->until_ns && e->role == BSR_ROLE_PRIMARY) {
				bsr_demote_abort(e);
				bsr_task_finish(e, t, -BSR_E_DEMOTE_TIMEOUT);
			}
			return;
		}
		t->step = DOWN_LEAVE;
	}
	if (t->step == DOWN_LEAVE) {
		BSR_FOR_EACH_PEER (e, p) {
			bsr_peer_drop(e, p, BSR_LINK_ADMIN);
		}
		t->step = DOWN_DETACH;
	}
	BSR_FOR_EACH_PEER (e, p) {
		if (!bsr_receive_idle(p) && !BSR_MUTATION(126)) {
			return; /* RX-3: of all volumes, before one leaves; or the others would go on to what is later in the stream */
		}
	}
	BSR_FOR_EACH_VOLUME (e, vol) {
		if (vol->disk == BSR_DISK_DISKLESS) {
			continue;
		}
		if (vol->attach_step == BSR_AT_NONE) {
			bsr_detach_begin(e, vol, BSR_NONE);
		}
		return; /* one after the other; the end of each kicks */
	}
	bsr_task_finish(e, t, 0);
}

void bsr_task_progress(struct bsr_engine *e)
{
	for (uint32_t i = 0; i < BSR_TASKS_MAX; i++) {
		struct bsr_task *t = &e->task[i];
		switch ((enum bsr_task_kind)t->kind) {
		case BSR_TASK_FREE:
			break;
		case BSR_TASK_PROMOTE:
			bsr_promote_progress(e, t);
			break;
		case BSR_TASK_DEMOTE:
			demote_progress(e, t);
			break;
		case BSR_TASK_DISCONNECT:
			disconnect_progress(e, t);
			break;
		case BSR_TASK_DOWN:
			down_progress(e, t);
			break;
		case BSR_TASK_DURABLE:
			if (bsr_task_superblocks_clean(e)) {
				bsr_task_finish(e, t, 0);
			}
			break;
		case BSR_TASK_FORGET:
			bsr_forget_progress(e, t);
			break;
		case BSR_TASK_RENEGOTIATE:
			if (bsr_task_superblocks_clean(e)) {
				struct bsr_volume *vol = e->volume[t->tid];
				bsr_task_finish(e, t, 0);
				if (vol) {
					bsr_peer_renegotiate(e, vol, t->node);
				}
			}
			break;
		}
	}
}

void bsr_task_timer(struct bsr_engine *e)
{
	struct bsr_peer *p;
	for (uint32_t i = 0; i < BSR_TASKS_MAX; i++) {
		if (e->task[i].kind != BSR_TASK_FREE && e->task[i].until_ns != BSR_NEVER) {
			if (e->task[i].until_ns <= e->now_ns) {
				e->kick = true;
			} else {
				bsr_timer(e, e->task[i].until_ns);
			}
		}
	}
	BSR_FOR_EACH_PEER (e, p) {
		if (p->prepared_tid != 0) {
			if (p->prepared_until_ns <= e->now_ns) {
				/*
				 * T5: the verdict never came. Its sender may have committed: meet
				 * it anew.
				 */
				bsr_peer_drop(e, p, BSR_LINK_SILENT);
			} else {
				bsr_timer(e, p->prepared_until_ns);
			}
		}
	}
}

void bsr_task_peer_gone(struct bsr_engine *e, const struct bsr_peer *p)
{
	for (uint32_t i = 0; i < BSR_TASKS_MAX; i++) {
		struct bsr_task *t = &e->task[i];
		if (t->kind == BSR_TASK_DISCONNECT && t->peer == p) {
			bsr_task_finish(e, t, 0); /* it is as disconnected as can be */
		}
	}
	e->disconnecting &= ~bsr_node_bit(p->node_id);
}

void bsr_task_peer_lost(struct bsr_engine *e, struct bsr_peer *p)
{
	for (uint32_t i = 0; i < BSR_TASKS_MAX; i++) {
		if (e->task[i].kind == BSR_TASK_PROMOTE) {
			bsr_promote_peer_lost(e, &e->task[i], p);
		}
	}
	e->kick = true;
}
