// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * completion.c - when an application request is finished, and with what result
 *
 * Owns:       submitted requests until their completion.
 * Invariants:
 *   RQ-4  A write is completed only after every step its protocol promises, for every peer that
 *         still counts (rule 2).
 *   RQ-5  A write is not completed while a new generation is wanted or on its way to the disk
 *         (GI-1, rule 3); nor is a flush: somebody without it may lose what it promises.
 *   RQ-6  Every request is completed exactly once (I11).
 */
#include "core.h"
#include "measure.h"

/*
 * Only an UpToDate disk that can be reached counts: another one may be dropped or overwritten by
 * the next resync.
 */
static bool has_copy(const struct bsr_engine *e, const struct bsr_volume *vol, const struct bsr_request *rq)
{
	if (!bsr_request_is_write(rq)) {
		return rq->some_copy;
	}
	if (rq->some_copy && vol->disk == BSR_DISK_UP_TO_DATE) {
		return true;
	}
	for (uint32_t mask = rq->copies & vol->mirror_mask; mask; mask &= mask - 1) {
		if (e->peer[__builtin_ctz(mask)]->device[vol->index].disk == BSR_DISK_UP_TO_DATE) {
			return true;
		}
	}
	return false;
}

bool bsr_request_tell_missing(struct bsr_engine *e, struct bsr_request *rq, struct bsr_volume *vol)
{
	const struct bsr_msg_range m = {
		.vnr = vol->vnr, .id = BSR_OOS_OF_SENDER, .offset = rq->offset, .length = rq->length};
	if (rq->missing_told || BSR_MUTATION(60)) {
		return false;
	}
	rq->missing_told = true;
	for (uint32_t mask = vol->mirror_mask; mask; mask &= mask - 1) {
		struct bsr_peer *p = e->peer[__builtin_ctz(mask)];
		BSR_SEND(e, p, BSR_STREAM_DATA, range, BSR_MSG_OUT_OF_SYNC, &m);
		rq->await_flush |= bsr_node_bit(p->node_id);
		rq->flush_index = bsr_log_checkpoint_behind(e, p);
	}
	return rq->await_flush != 0;
}

/* pass_on: a write that my disk lacks waited for the record to say so, and then the disk went. */
BSR_APART bool becomes_missing(struct bsr_engine *e, struct bsr_volume *vol, struct bsr_request *rq)
{
	if (!bsr_request_is_write(rq) || rq->result < 0 || vol->disk >= BSR_DISK_INCONSISTENT) {
		return false;
	}
	if (!bsr_request_tell_missing(e, rq, vol)) {
		return false;
	}
	if (rq->stage == BSR_RQ_DONE) {
		rq->stage = BSR_RQ_ACTIVE;
		bsr_list_append(&e->active, &rq->link);
	}
	return true;
}

static inline void finish(struct bsr_engine *e, struct bsr_volume *vol, struct bsr_request *rq)
{
	BSR_ASSERT(rq->stage == BSR_RQ_ACTIVE || rq->stage == BSR_RQ_DONE);
	BSR_ASSERT(!rq->local_pending);
	if (BSR_MEASURING(e)) {
		bsr_measure_finished(e, rq);
	}
	bsr_fx_add(e, BSR_FX_COMPLETE)->u.complete =
		(struct bsr_fx_complete){.tag = rq->tag, .result = rq->result, .data = BSR_BUF_NONE};
	if (bsr_request_is_write(rq) && rq->log_index != 0) {
		e->epoch_close = !BSR_MUTATION(3); /* RQ-3 */
		bsr_log_complete(e, rq->log_index);
	}
	bsr_list_remove(&rq->link);
	rq->stage = BSR_RQ_FREE;
	bsr_list_append(&e->request_free, &rq->link);
	BSR_ASSERT(e->request_count > 0 && vol->requests > 0);
	e->request_count--;
	vol->requests--;
	if (!bsr_list_empty(&e->held) || e->demoting || e->disconnecting || e->leaving || vol->attach_step != BSR_AT_NONE) {
		e->kick = true;
	}
}

void bsr_request_finish(struct bsr_engine *e, struct bsr_request *rq)
{
	struct bsr_volume *vol = e->volume[rq->volume];
	if (rq->local_failed && becomes_missing(e, vol, rq)) {
		return;
	}
	if (rq->result == 0 && !has_copy(e, vol, rq)) {
		rq->result = -BSR_E_IO; /* no disk that can be reached has it */
	}
	finish(e, vol, rq);
}

static inline bool awaits_generation(struct bsr_engine *e, struct bsr_volume *vol, const struct bsr_request *rq)
{
	if (bsr_request_is_write(rq)) {
		return !BSR_MUTATION(11) && bsr_gi_hold(e, vol);
	}
	return rq->op == BSR_OP_FLUSH && (vol->gi_busy || vol->gi_for_flush) && !BSR_MUTATION(132) && bsr_gi_hold(e, vol);
}

void bsr_request_try_complete(struct bsr_engine *e, struct bsr_request *rq)
{
	if (rq->stage != BSR_RQ_ACTIVE || rq->local_pending || rq->await_acks || rq->await_flush) {
		return;
	}
	if (rq->op == BSR_OP_READ && rq->read_peer != BSR_NONE) {
		return;
	}
	struct bsr_volume *vol = e->volume[rq->volume];
	if (rq->local_failed && becomes_missing(e, vol, rq)) {
		return;
	}
	bool lacks_copy = false;
	if (rq->result == 0 && !has_copy(e, vol, rq)) {
		if (bsr_request_is_write(rq) && (rq->await_any & vol->mirror_mask)) {
			/* not on a disk of mine: some peer's disk must have it, whatever the protocol */
			return;
		}
		lacks_copy = true;
	}
	if (awaits_generation(e, vol, rq)) {
		rq->stage = BSR_RQ_DONE;
		bsr_list_remove(&rq->link);
		bsr_list_append(&vol->done_waiting, &rq->link);
		return;
	}
	if (lacks_copy) {
		rq->result = -BSR_E_IO; /* no disk that can be reached has it */
	}
	finish(e, vol, rq);
}

/* Blocks that a mirrored write covers wholly are in step now, here and there; later writes are mirrored as well, and
 * what the peer might still lose is in the transfer log. */
static void clear_resynced(struct bsr_engine *e, struct bsr_peer *p, uint64_t index)
{
	const struct bsr_log_entry *en = &e->log[index % BSR_TRANSFER_LOG_MAX];
	struct bsr_peer_device *pd = &p->device[en->volume];
	if (!pd->mirrored || en->local_failed) {
		return;
	}
	const bool here = en->request == BSR_NONE || !e->request[en->request].local_pending;
	if ((pd->repl == BSR_REPL_SYNC_SOURCE || pd->repl == BSR_REPL_PAUSED_SYNC_S) && (index >= pd->decided_from || BSR_MUTATION(85))) {
		bsr_resync_clear_bits(e, p, e->volume[en->volume], en->offset, en->length);
	} else if (pd->repl == BSR_REPL_SYNC_TARGET && here && index >= pd->sync_from) {
		bsr_resync_write_in_step(e, p, e->volume[en->volume], en->offset, en->length);
	}
}

void bsr_request_ack(struct bsr_engine *e, struct bsr_peer *p, enum bsr_ack_kind kind, uint64_t write_seq)
{
	if (kind == BSR_ACK_TOOK && (p->features & BSR_FEATURE_ACK_TIMES)) {
		p->took_ns = write_seq;
		return;
	}
	if (kind == BSR_ACK_TOOK || write_seq < p->log_from || write_seq >= e->log_tail) {
		bsr_peer_reject(e, p, BSR_MSG_ACKS);
		return;
	}
	const uint32_t bit = bsr_node_bit(p->node_id);
	struct bsr_log_entry *en = &e->log[write_seq % BSR_TRANSFER_LOG_MAX];
	struct bsr_request *rq = en->request == BSR_NONE ? NULL : &e->request[en->request];
	struct bsr_peer_device *pd = &p->device[en->volume];
	if (kind == BSR_ACK_RECEIVED) {
		if (rq && p->options.protocol == BSR_PROTOCOL_B) {
			rq->await_acks &= ~bit;
			bsr_request_try_complete(e, rq);
		}
		return;
	}
	if (BSR_MEASURING(e) && kind == BSR_ACK_WRITTEN) {
		bsr_measure_acked(e, p, en->volume, write_seq, p->took_ns);
	}
	p->took_ns = 0;
	pd->pending -= pd->pending > 0;
	pd->refused = pd->refused || kind == BSR_ACK_NEGATIVE;
	if (kind == BSR_ACK_NEGATIVE && !BSR_MUTATION(10)) {
		en->holders &= ~bit;
		if (bsr_mesh_on(e) && e->volume[en->volume]->disk < BSR_DISK_INCONSISTENT) {
			bsr_mesh_missed_write(e, p, e->volume[en->volume]);
		}
		bsr_md_set_bits(e, e->volume[en->volume], pd->slot, en->offset, en->length);
		bsr_gi_peer_declined(e, p, e->volume[en->volume]);
		pd->decided_from = write_seq + 1 > pd->decided_from ? write_seq + 1 : pd->decided_from; /* RX-5 */
	} else if (pd->repl > BSR_REPL_ESTABLISHED) {
		clear_resynced(e, p, write_seq);
	}
	if (rq && (rq->await_any & bit)) {
		rq->await_any &= ~bit;
		rq->await_acks &= ~bit;
		rq->copies |= kind == BSR_ACK_WRITTEN ? bit : 0;
		bsr_request_try_complete(e, rq);
	}
}

void bsr_request_checkpoint_acked(struct bsr_engine *e, struct bsr_peer *p)
{
	const uint32_t bit = bsr_node_bit(p->node_id);
	struct bsr_list *l = e->active.next;
	while (l != &e->active) {
		struct bsr_request *rq = BSR_CONTAINER(l, struct bsr_request, link);
		l = l->next;
		if ((rq->await_flush & bit) && p->log_from >= rq->flush_index) {
			rq->await_flush &= ~bit;
			bsr_request_try_complete(e, rq);
		}
	}
}

void bsr_request_peer_lost(struct bsr_engine *e, struct bsr_peer *p)
{
	const uint32_t bit = bsr_node_bit(p->node_id);
	struct bsr_list todo;
	bsr_list_init(&todo);
	bsr_list_move_all(&todo, &e->active);
	while (!bsr_list_empty(&todo)) {
		struct bsr_request *rq = BSR_CONTAINER(todo.next, struct bsr_request, link);
		bsr_list_remove(&rq->link);
		bsr_list_append(&e->active, &rq->link);
		const bool waited = ((rq->await_any | rq->await_flush) & bit) != 0;
		rq->await_any &= ~bit;
		rq->await_acks &= ~bit;
		rq->await_flush &= ~bit;
		if (rq->op == BSR_OP_READ && rq->read_peer == p->node_id) {
			rq->read_peer = BSR_NONE;
			bsr_request_submit_read(e, rq);
		} else if (waited) {
			bsr_request_try_complete(e, rq);
		}
	}
}

void bsr_request_read_reply(
	struct bsr_engine *e, struct bsr_peer *p, const struct bsr_msg_range *m, const struct bsr_ev_message *ev)
{
	struct bsr_request *rq = &e->request[(m->id & 0xffff) % BSR_REQUESTS_MAX];
	const bool mine = rq->stage == BSR_RQ_ACTIVE && rq->op == BSR_OP_READ && rq->read_peer == p->node_id &&
			  rq->log_index == m->id >> 16;
	if (!mine) {
		bsr_emit_buf_put(e, ev->payload); /* asked again elsewhere meanwhile */
		return;
	}
	rq->read_peer = BSR_NONE;
	if (m->error < 0 || ev->payload_bytes != rq->length) {
		bsr_emit_buf_put(e, ev->payload);
		rq->failed_peers |= bsr_node_bit(p->node_id);
		rq->result = m->error < 0 ? m->error : -BSR_E_CORRUPT;
		bsr_request_submit_read(e, rq);
		return;
	}
	rq->some_copy = true;
	rq->result = 0;
	bsr_request_finish(e, rq);
	BSR_ASSERT(e->fx->effect[e->fx->count - 1].type == BSR_FX_COMPLETE);
	e->fx->effect[e->fx->count - 1].u.complete.data = ev->payload;
}

/* The local disk has gone: writes that wait for its log go to the peers alone. */
void bsr_request_disk_gone(struct bsr_engine *e, struct bsr_volume *vol)
{
	bsr_request_al_progress(e, vol);
	if (bsr_gi_hold(e, vol)) {
		return;
	}
	if (vol->gi_wanted || !bsr_list_empty(&vol->done_waiting)) {
		while (!bsr_list_empty(&vol->done_waiting)) {
			struct bsr_request *rq = BSR_CONTAINER(vol->done_waiting.next, struct bsr_request, link);
			bsr_list_remove(&rq->link);
			bsr_request_finish(e, rq);
		}
	}
}
