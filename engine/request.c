// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * request.c - what applications ask: admission, order, submission
 *
 * Owns:       application requests until they are submitted; epochs on the sending side.
 * May touch:  the activity log (pins), the bitmap (marks for peers that miss a write), the transfer
 *             log.
 * Invariants:
 *   RQ-1  A data write is emitted only while its extents are durable in the activity log (AL-1,
 *         rule 1).
 *   RQ-2  A write that some owner of a bitmap slot does not get as data is marked in that slot
 *         before it is emitted.
 *   RQ-7  A write that the local disk does not get is marked in every slot, as soon as there are slots. While such marks
 *         go to the disk, at the begin of a resync towards me, nothing is submitted: no mark is missing there afterwards.
 *   RQ-3  A write that follows the completion of another one belongs to a later epoch.
 */
#include "core.h"
#include "measure.h"

BSR_IN_PLACE void submit(struct bsr_engine *e, struct bsr_request *rq);

BSR_APART void submit_write(struct bsr_engine *e, struct bsr_request *rq)
{
	submit(e, rq);
}

static void refuse(struct bsr_engine *e, uint32_t tag, int32_t error)
{
	bsr_fx_add(e, BSR_FX_COMPLETE)->u.complete =
		(struct bsr_fx_complete){.tag = tag, .result = error, .data = BSR_BUF_NONE};
}

/* -------------------------------------------------------------- admission */

static inline bool send_buffer_full(const struct bsr_engine *e, const struct bsr_volume *vol)
{
	for (uint32_t mask = vol->mirror_mask; mask; mask &= mask - 1) {
		const struct bsr_peer *p = e->peer[__builtin_ctz(mask)];
		const uint64_t limit =
			p->options.sndbuf_bytes ? p->options.sndbuf_bytes : BSR_DEFAULT_SEND_BUFFER_BYTES;
		if (p->send_queued_bytes > limit) {
			return true;
		}
	}
	return false;
}

static inline bool must_hold(struct bsr_engine *e, struct bsr_request *rq)
{
	struct bsr_volume *vol = e->volume[rq->volume];
	if (e->suspended || e->demoting || e->promoting) {
		return true;
	}
	if (!bsr_request_is_write(rq)) {
		return false;
	}
	return e->disconnecting || e->leaving || bsr_log_full(e) || bsr_gi_hold(e, vol) || send_buffer_full(e, vol);
}

BSR_IN_PLACE void take_turn(struct bsr_engine *e, struct bsr_request *rq)
{
	struct bsr_volume *vol = e->volume[rq->volume];
	if (vol->submit_holds != 0) {
		rq->stage = BSR_RQ_AL; /* RQ-7 */
		bsr_list_append(&vol->al_waiting, &rq->link);
		return;
	}
	if (!vol->al || !vol->writable || !vol->options.al_updates) {
		submit_write(e, rq);
		return;
	}
	uint32_t first;
	const uint32_t count = bsr_extents_of(rq->offset, rq->length, &first);
	const enum bsr_al_answer answer = bsr_al_pin(vol->al, first, count);
	rq->al_pinned = answer != BSR_AL_FULL;
	if (BSR_MEASURING(e)) {
		bsr_measure_turn(e, rq, answer);
	}
	if (answer == BSR_AL_GO || (answer == BSR_AL_WAIT && BSR_MUTATION(1))) {
		submit(e, rq);
		return;
	}
	rq->submitted_ns = rq->stage == BSR_RQ_AL ? rq->submitted_ns : e->now_ns;
	rq->stage = BSR_RQ_AL;
	bsr_list_append(&vol->al_waiting, &rq->link);
	e->kick = true;
	if (answer == BSR_AL_FULL) {
		struct bsr_peer *p;
		BSR_FOR_EACH_PEER (e, p) {
			if (p->hs_stage == BSR_HS_COMPLETE) {
				/* confirmed writes release their pins */
				bsr_log_checkpoint(e, p, false);
			}
		}
	}
}

static void write_turn(struct bsr_engine *e, struct bsr_interval *i)
{
	take_turn(e, BSR_CONTAINER(i, struct bsr_request, range));
}

void bsr_request_al_progress(struct bsr_engine *e, struct bsr_volume *vol)
{
	struct bsr_list again;
	if (vol->submit_holds != 0) {
		return;
	}
	bsr_list_init(&again);
	bsr_list_move_all(&again, &vol->al_waiting);
	while (!bsr_list_empty(&again)) {
		struct bsr_request *rq = BSR_CONTAINER(again.next, struct bsr_request, link);
		uint32_t first;
		const uint32_t count = bsr_extents_of(rq->offset, rq->length, &first);
		bsr_list_remove(&rq->link);
		if (!vol->al || !vol->writable) {
			rq->al_pinned = rq->al_pinned && vol->al;
			submit_write(e, rq);
		} else if (!rq->al_pinned) {
			write_turn(e, &rq->range);
		} else if (bsr_al_ready(vol->al, first, count)) {
			if (BSR_MEASURING(e)) {
				bsr_measure_stage(e, vol, BSR_STAGE_AL, rq->submitted_ns);
			}
			submit_write(e, rq);
		} else {
			bsr_list_append(&vol->al_waiting, &rq->link);
		}
	}
}

/* ----------------------------------------------------------------- writes */

BSR_APART void local_write_failed(struct bsr_engine *e, struct bsr_request *rq, struct bsr_volume *vol, int32_t result)
{
	rq->local_failed = true;
	bsr_log_local_failed(e, rq->log_index);
	bsr_disk_error(e, vol, true, rq->offset, rq->length);
	if (vol->disk >= BSR_DISK_INCONSISTENT) {
		rq->result = vol->options.on_io_error == BSR_IO_ERROR_PASSTHROUGH ? result : 0;
	} else {
		(void)bsr_request_tell_missing(e, rq, vol);
	}
}

static void local_write_done(struct bsr_engine *e, struct bsr_disk_op *op, int32_t result, bsr_buf_t buf)
{
	struct bsr_request *rq = op->owner;
	struct bsr_volume *vol = op->vol;
	(void)buf;
	BSR_ASSERT(rq->local_pending);
	rq->local_pending = false;
	bsr_interval_remove(e, &rq->range);
	if (result < 0) {
		local_write_failed(e, rq, vol, result);
	} else {
		if (BSR_MEASURING(e)) {
			bsr_measure_stage(e, vol, BSR_STAGE_DISK_WRITE, rq->submitted_ns);
		}
		rq->some_copy = true;
		vol->unflushed = vol->unflushed || (!(rq->flags & BSR_REQ_FUA) && !BSR_MUTATION(49));
	}
	bsr_request_try_complete(e, rq);
}

BSR_IN_PLACE void send_write(struct bsr_engine *e, struct bsr_request *rq, struct bsr_volume *vol, struct bsr_peer *p)
{
	struct bsr_peer_device *pd = &p->device[vol->index];
	const bool b = p->options.protocol == BSR_PROTOCOL_B;
	const struct bsr_msg_write m = {.vnr = vol->vnr,
		.write_seq = rq->log_index,
		.epoch = e->epoch,
		.dagtag = e->dagtag,
		.offset = rq->offset,
		.length = rq->length,
		.op = rq->op,
		.flags = (uint8_t)(((rq->flags & BSR_REQ_FUA) && !BSR_MUTATION(5) ? BSR_WRITEF_FUA : 0) |
				   (b ? BSR_WRITEF_WANT_RECEIVED : 0) |
				   (rq->local_pending ? 0 : BSR_WRITEF_NO_LOCAL) |
				   (BSR_MEASURING(e) && (p->features & BSR_FEATURE_ACK_TIMES) ? BSR_WRITEF_TIMED : 0))};
	const uint32_t payload = rq->op == BSR_OP_WRITE ? rq->length : 0;
	uint32_t room;
	uint8_t *at = bsr_send_room(e, &room);
	bsr_send_commit(e, p, BSR_STREAM_DATA, bsr_msg_write_encode(at, room, BSR_MSG_WRITE, payload, &m),
		payload ? rq->buf : BSR_BUF_NONE, 0, payload);
	rq->await_any |= bsr_node_bit(p->node_id);
	if (p->options.protocol != BSR_PROTOCOL_A && !BSR_MUTATION(6)) {
		rq->await_acks |= bsr_node_bit(p->node_id);
	}
	pd->pending++;
	pd->sent_bytes += rq->length;
	if (bsr_repl_is_target(pd->repl)) {
		bsr_resync_write_overtook(e, p, vol, rq->offset, rq->length);
	}
	const uint32_t most = p->options.max_epoch_size < BSR_TRANSFER_LOG_MAX / 8 ? p->options.max_epoch_size
										     : BSR_TRANSFER_LOG_MAX / 8;
	if (e->log_tail - p->checkpoint_log_index >= most) {
		bsr_log_checkpoint(e, p, false);
	} else if (p->checkpoint_due_ns == BSR_NEVER) {
		p->checkpoint_due_ns = e->now_ns + BSR_SECOND_NS;
		bsr_timer(e, p->checkpoint_due_ns);
	}
}

/* RQ-7 */
static void mark_for_myself(struct bsr_engine *e, struct bsr_volume *vol, const struct bsr_request *rq)
{
	for (uint32_t node = 0; node < BSR_NODES_MAX; node++) {
		bsr_md_set_bits(e, vol, vol->sb.peer[node].bitmap_index, rq->offset, rq->length);
	}
}

BSR_IN_PLACE void submit(struct bsr_engine *e, struct bsr_request *rq)
{
	struct bsr_volume *vol = e->volume[rq->volume];
	rq->stage = BSR_RQ_ACTIVE;
	rq->submitted_ns = e->now_ns;
	bsr_list_append(&e->active, &rq->link);
	rq->log_index = bsr_log_append(e, rq);
	if (e->epoch_close) {
		e->epoch++; /* RQ-3 */
		e->epoch_close = false;
	}
	e->dagtag += rq->length / BSR_SECTOR_BYTES;
	vol->written_bytes += rq->length;
	for (uint32_t slots = BSR_MUTATION(2) ? 0 : vol->oos_slots; slots; slots &= slots - 1) {
		bsr_md_set_bits(e, vol, __builtin_ctz(slots), rq->offset, rq->length); /* RQ-2 */
	}
	if (vol->verifies != 0) {
		bsr_verify_written(e, NULL, vol, rq->offset, rq->length);
	}
	if (!vol->writable && vol->disk >= BSR_DISK_NEGOTIATING) {
		mark_for_myself(e, vol, rq);
	}
	if (vol->writable) {
		rq->local_pending = true;
		bsr_emit_disk(e, vol,
			(struct bsr_fx_disk){.op = rq->op,
				.flags = BSR_MUTATION(4) ? 0 : rq->flags & BSR_REQ_FUA,
				.offset = rq->offset,
				.length = rq->length,
				.buf = rq->buf},
			rq, local_write_done);
	}
	if (BSR_MEASURING(e)) {
		bsr_measure_sent(e, rq->log_index);
	}
	for (uint32_t mask = vol->mirror_mask; mask; mask &= mask - 1) {
		send_write(e, rq, vol, e->peer[__builtin_ctz(mask)]);
	}
	if (!rq->local_pending) {
		bsr_log_local_failed(e, rq->log_index);
		bsr_interval_remove(e, &rq->range);
		bsr_request_try_complete(e, rq);
	}
}

/* ------------------------------------------------------------------ flush */

static void local_flush_done(struct bsr_engine *e, struct bsr_disk_op *op, int32_t result, bsr_buf_t buf)
{
	struct bsr_request *rq = op->owner;
	(void)buf;
	rq->local_pending = false;
	op->vol->flushes_active--;
	if (result < 0) {
		op->vol->unflushed = true;
		rq->local_failed = true;
		rq->result = result;
		bsr_disk_error(e, op->vol, false, 0, 0);
	} else {
		if (BSR_MEASURING(e)) {
			bsr_measure_stage(e, op->vol, BSR_STAGE_DISK_FLUSH, rq->submitted_ns);
		}
		rq->some_copy = true;
	}
	bsr_request_try_complete(e, rq);
}

static void submit_flush(struct bsr_engine *e, struct bsr_request *rq)
{
	struct bsr_volume *vol = e->volume[rq->volume];
	rq->stage = BSR_RQ_ACTIVE;
	rq->submitted_ns = e->now_ns;
	rq->some_copy = true; /* nothing to flush is a success */
	bsr_list_append(&e->active, &rq->link);
	rq->flush_index = e->log_tail;
	const bool needed = (vol->unflushed && !BSR_MUTATION(7)) || (vol->flushes_active != 0 && !BSR_MUTATION(9));
	if (vol->disk >= BSR_DISK_INCONSISTENT && needed && !vol->write_through) {
		rq->local_pending = true;
		vol->unflushed = false;
		vol->flushes_active++;
		bsr_emit_disk(e, vol, (struct bsr_fx_disk){.op = BSR_OP_FLUSH, .buf = BSR_BUF_NONE}, rq, local_flush_done);
	}
	for (uint32_t mask = vol->mirror_mask; mask; mask &= mask - 1) {
		struct bsr_peer *p = e->peer[__builtin_ctz(mask)];
		const bool a = p->options.protocol == BSR_PROTOCOL_A;
		const bool clean = bsr_log_peer_clean(e, p);
		bsr_log_checkpoint(e, p, a);
		if (!clean && !a && !BSR_MUTATION(8)) {
			rq->await_flush |= bsr_node_bit(p->node_id);
		}
	}
	bsr_request_try_complete(e, rq);
}

/* ------------------------------------------------------------------ reads */

static void local_read_done(struct bsr_engine *e, struct bsr_disk_op *op, int32_t result, bsr_buf_t buf)
{
	struct bsr_request *rq = op->owner;
	(void)buf;
	rq->local_pending = false;
	if (result < 0) {
		rq->local_failed = true;
		rq->result = result;
		bsr_disk_error(e, op->vol, false, rq->offset, rq->length);
		bsr_request_submit_read(e, rq);
		return;
	}
	if (BSR_MEASURING(e)) {
		bsr_measure_stage(e, op->vol, BSR_STAGE_DISK_READ, rq->submitted_ns);
	}
	rq->some_copy = true;
	rq->result = 0;
	bsr_request_try_complete(e, rq);
}

static bool bits_in_range(
	const struct bsr_volume *vol, const struct bsr_peer_device *pd, uint64_t offset, uint32_t length)
{
	return vol->bitmap && bsr_md_any_bits(vol, pd->slot, offset, length);
}

/* Bits of a disk that is not UpToDate itself name what it lacks, unless the peer has refused writes. */
static bool hole_there(const struct bsr_volume *vol, const struct bsr_peer_device *pd, const struct bsr_request *rq)
{
	return (vol->disk == BSR_DISK_UP_TO_DATE || pd->refused) && bits_in_range(vol, pd, rq->offset, rq->length);
}

/* An Inconsistent disk still has the truth where no peer's slot has a bit. */
static bool local_readable(const struct bsr_engine *e, const struct bsr_volume *vol, const struct bsr_request *rq)
{
	if (rq->local_failed || vol->disk < BSR_DISK_INCONSISTENT) {
		return false;
	}
	if (vol->disk == BSR_DISK_UP_TO_DATE) {
		return true;
	}
	bool syncing = false;
	for (uint32_t node = 0; node < BSR_NODES_MAX; node++) {
		const struct bsr_peer *p = e->peer[node];
		if (!p || !p->device[vol->index].exists || p->device[vol->index].slot < 0) {
			continue;
		}
		const struct bsr_peer_device *pd = &p->device[vol->index];
		syncing = syncing || pd->repl == BSR_REPL_SYNC_TARGET || pd->repl == BSR_REPL_PAUSED_SYNC_T;
		if (bits_in_range(vol, pd, rq->offset, rq->length)) {
			return false;
		}
	}
	return syncing;
}

/* No UpToDate disk can be reached: by policy the request waits for one; false: it fails. */
static bool suspend_for_data(struct bsr_engine *e, struct bsr_request *rq)
{
	if (e->options.on_no_data != BSR_NO_DATA_SUSPEND_IO) {
		return false;
	}
	bsr_list_remove(&rq->link);
	rq->stage = BSR_RQ_HELD;
	rq->failed_peers = 0;
	rq->local_failed = false;
	rq->result = 0;
	bsr_list_append(&e->held, &rq->link);
	bsr_state_set_suspended(e, e->suspended | BSR_SUSPEND_NO_DATA);
	return true;
}

void bsr_request_submit_read(struct bsr_engine *e, struct bsr_request *rq)
{
	struct bsr_volume *vol = e->volume[rq->volume];
	if (rq->stage != BSR_RQ_ACTIVE) {
		rq->stage = BSR_RQ_ACTIVE;
		rq->submitted_ns = e->now_ns;
		bsr_list_append(&e->active, &rq->link);
	}
	if (local_readable(e, vol, rq)) {
		rq->local_pending = true;
		vol->read_bytes += rq->length;
		bsr_emit_disk(e, vol,
			(struct bsr_fx_disk){
				.op = BSR_OP_READ, .offset = rq->offset, .length = rq->length, .buf = rq->buf},
			rq, local_read_done);
		return;
	}
	struct bsr_peer *p = bsr_state_up_to_date_peer(e, vol, rq->failed_peers);
	while (p && !BSR_MUTATION(58) && hole_there(vol, &p->device[vol->index], rq)) {
		/* it has a hole there, whatever its state */
		rq->failed_peers |= bsr_node_bit(p->node_id);
		p = bsr_state_up_to_date_peer(e, vol, rq->failed_peers);
	}
	if (p) {
		rq->read_peer = p->node_id;
		rq->log_index = ++e->next_read_id;
		struct bsr_msg_range m = {.vnr = vol->vnr,
			.id = (rq->log_index << 16) | rq->index,
			.offset = rq->offset,
			.length = rq->length};
		/* behind the writes before it */
		BSR_SEND(e, p, BSR_STREAM_DATA, range, BSR_MSG_READ_REQUEST, &m);
		return;
	}
	rq->read_peer = BSR_NONE;
	if (!suspend_for_data(e, rq)) {
		rq->result = rq->result < 0 ? rq->result : -BSR_E_NO_UP_TO_DATE;
		bsr_request_try_complete(e, rq);
	}
}

/* ---------------------------------------------------------------- arrival */

/* Before anything was submitted for it. */
static void fail(struct bsr_engine *e, struct bsr_request *rq, int32_t error)
{
	rq->result = error;
	rq->log_index = 0;
	rq->stage = BSR_RQ_ACTIVE;
	bsr_list_append(&e->active, &rq->link);
	bsr_request_finish(e, rq);
}

BSR_IN_PLACE void start(struct bsr_engine *e, struct bsr_request *rq)
{
	struct bsr_volume *vol = e->volume[rq->volume];
	BSR_ASSERT(e->role == BSR_ROLE_PRIMARY);
	if (rq->op == BSR_OP_READ) {
		bsr_request_submit_read(e, rq);
	} else if (rq->op == BSR_OP_FLUSH) {
		submit_flush(e, rq);
	} else if (vol->disk != BSR_DISK_UP_TO_DATE && !bsr_state_up_to_date_peer(e, vol, 0)) {
		bsr_list_init(&rq->link);
		if (!suspend_for_data(e, rq)) {
			fail(e, rq, -BSR_E_NO_UP_TO_DATE);
		}
	} else {
		rq->stage = BSR_RQ_OVERLAP;
		rq->range.start = rq->offset;
		rq->range.end = rq->offset + rq->length;
		rq->range.volume = (uint16_t)vol->index;
		rq->range.write = true;
		rq->range.go = write_turn;
		if (bsr_interval_add(e, &rq->range)) {
			take_turn(e, rq);
		}
	}
}

BSR_APART void start_held(struct bsr_engine *e, struct bsr_request *rq)
{
	if (e->role != BSR_ROLE_PRIMARY) {
		fail(e, rq, -BSR_E_NOT_PRIMARY);
	} else {
		start(e, rq);
	}
}

static int check_request(const struct bsr_engine *e, const struct bsr_ev_request *ev)
{
	const struct bsr_volume *vol = ev->volume < BSR_VOLUMES_MAX ? e->volume[ev->volume] : NULL;
	if (!vol || ev->op > BSR_OP_ZEROES) {
		return -BSR_E_MINOR_INVALID;
	}
	if (e->role != BSR_ROLE_PRIMARY) {
		return -BSR_E_NOT_PRIMARY;
	}
	if (ev->op == BSR_OP_FLUSH) {
		return 0;
	}
	const uint32_t most = ev->op == BSR_OP_READ || ev->op == BSR_OP_WRITE ? BSR_REQUEST_BYTES_MAX : BSR_RANGE_BYTES_MAX;
	if (ev->length == 0 || ev->length > most || ev->length % BSR_SECTOR_BYTES || ev->offset % BSR_SECTOR_BYTES) {
		return -BSR_E_RANGE;
	}
	return ev->length <= vol->size_bytes && ev->offset <= vol->size_bytes - ev->length ? 0 : -BSR_E_RANGE;
}

inline __attribute__((always_inline)) void bsr_request_arrive(struct bsr_engine *e, const struct bsr_ev_request *ev)
{
	const int ret = check_request(e, ev);
	if (ret < 0) {
		refuse(e, ev->tag, ret);
		return;
	}
	BSR_ASSERT(!bsr_list_empty(&e->request_free)); /* the host honours bsr_engine_credits() */
	struct bsr_request *rq = BSR_CONTAINER(e->request_free.next, struct bsr_request, link);
	bsr_list_remove(&rq->link);
	rq->arrived_ns = e->now_ns;
	rq->offset = ev->offset;
	rq->tag = ev->tag;
	rq->length = ev->length;
	rq->buf = ev->buf;
	rq->volume = ev->volume;
	rq->op = ev->op;
	rq->flags = ev->flags;
	rq->await_acks = 0;
	rq->await_any = 0;
	rq->await_flush = 0;
	rq->read_peer = BSR_NONE;
	rq->failed_peers = 0;
	rq->result = 0;
	rq->local_pending = false;
	rq->al_pinned = false;
	rq->some_copy = false;
	rq->copies = 0;
	rq->log_index = 0;
	rq->local_failed = false;
	rq->missing_told = false;
	e->request_count++;
	e->volume[ev->volume]->requests++;
	if ((bsr_request_is_write(rq) && !bsr_list_empty(&e->held)) || must_hold(e, rq)) {
		rq->stage = BSR_RQ_HELD;
		bsr_list_append(&e->held, &rq->link);
		e->kick = true;
		return;
	}
	start(e, rq);
}

static bool data_accessible(struct bsr_engine *e)
{
	struct bsr_volume *vol;
	BSR_FOR_EACH_VOLUME (e, vol) {
		if (vol->disk != BSR_DISK_UP_TO_DATE && !bsr_state_up_to_date_peer(e, vol, 0)) {
			return false;
		}
	}
	return true;
}

void bsr_request_give_up_waiting(struct bsr_engine *e)
{
	struct bsr_list waiting;
	bsr_list_init(&waiting);
	bsr_list_move_all(&waiting, &e->held);
	while (!bsr_list_empty(&waiting)) {
		struct bsr_request *rq = BSR_CONTAINER(waiting.next, struct bsr_request, link);
		struct bsr_volume *vol = e->volume[rq->volume];
		bsr_list_remove(&rq->link);
		if (vol->disk != BSR_DISK_UP_TO_DATE && !bsr_state_up_to_date_peer(e, vol, 0)) {
			fail(e, rq, -BSR_E_NO_UP_TO_DATE);
		} else {
			bsr_list_append(&e->held, &rq->link);
		}
	}
}

void bsr_request_release_held(struct bsr_engine *e)
{
	if ((e->suspended & BSR_SUSPEND_NO_DATA) && data_accessible(e)) {
		bsr_state_set_suspended(e, e->suspended & ~BSR_SUSPEND_NO_DATA);
	}
	while (!bsr_list_empty(&e->held)) {
		struct bsr_request *rq = BSR_CONTAINER(e->held.next, struct bsr_request, link);
		if (must_hold(e, rq)) {
			return;
		}
		bsr_list_remove(&rq->link);
		start_held(e, rq);
	}
}
