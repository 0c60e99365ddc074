/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * pools.h - operations and peers' requests, taken and given back; inline, because every write does it
 *
 * Included by core.h, where the engine's structs are known. The pools are made in engine.c.
 */
#ifndef BSR_ENGINE_POOLS_H
#define BSR_ENGINE_POOLS_H

/** bsr_op_get - an operation, counted in lower_pending; its index is its op_id */
BSR_IN_PLACE struct bsr_disk_op *bsr_op_get(
	struct bsr_engine *e, bsr_op_fn done, struct bsr_volume *vol, void *owner, uint32_t arg)
{
	BSR_ASSERT(e->op_free != BSR_NONE); /* admission keeps enough in reserve, see bsr_engine_may_receive() */
	struct bsr_disk_op *op = &e->op[e->op_free];
	BSR_ASSERT(op->done == NULL);
	e->op_free = op->next_free;
	e->op_free_count--;
	op->done = done;
	op->vol = vol;
	op->owner = owner;
	op->arg = arg;
	vol->lower_pending++;
	return op;
}

/** bsr_peer_request_get - an empty one; NULL when all are in use */
BSR_IN_PLACE struct bsr_peer_request *bsr_peer_request_get(
	struct bsr_engine *e, struct bsr_peer *peer, enum bsr_peer_request_kind kind)
{
	if (!e->peer_request_free) {
		return NULL;
	}
	/* its link and its range are in no list: as at the beginning, and when it was put back */
	struct bsr_peer_request *pr = BSR_CONTAINER(e->peer_request_free, struct bsr_peer_request, queue);
	e->peer_request_free = pr->queue.next;
	e->peer_request_free_count--;
	bsr_list_init(&pr->queue);
	pr->range.held = false;
	pr->range.far = false;
	/* field by field: most are set again by who asked, and the compiler sees it */
	pr->peer = peer;
	pr->offset = 0;
	pr->id = 0;
	pr->epoch = 0;
	pr->link_id = peer->link;
	pr->arrival = 0;
	pr->arrived_ns = 0;
	pr->length = 0;
	pr->flush_pending = 0;
	pr->buf = BSR_BUF_NONE;
	pr->buf_offset = 0;
	pr->chunk = 0;
	pr->result = 0;
	pr->volume = 0;
	pr->op = 0;
	pr->kind = (uint8_t)kind;
	pr->flags = 0;
	pr->submitted = false;
	pr->barrier = false;
	return pr;
}

/** bsr_peer_request_put - it has been answered; its buffer goes, too */
static inline void bsr_peer_request_put(struct bsr_engine *e, struct bsr_peer_request *pr)
{
	BSR_ASSERT(pr->kind != BSR_PR_FREE);
	bsr_emit_buf_put(e, pr->buf);
	bsr_list_remove(&pr->link);
	if (!bsr_list_empty(&pr->queue)) {
		bsr_list_remove(&pr->queue);
	}
	BSR_ASSERT(bsr_list_empty(&pr->range.link));
	pr->kind = BSR_PR_FREE;
	pr->queue.next = e->peer_request_free;
	e->peer_request_free = &pr->queue;
	e->peer_request_free_count++;
}

#endif
