// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * receive.c - what peers write and read here
 *
 * Owns:       requests of peers from arrival to acknowledgement; epochs on the receiving side.
 * Invariants:
 *   RX-1  A write of an epoch is submitted only when every write of the epochs before it has
 *         finished, across all volumes (rule 4); with disk-flushes also behind a flush.
 *   RX-2  A checkpoint is confirmed only when everything before it in the stream is on stable
 *         storage.
 *   RX-3  Writes that have arrived are carried out even when the link is lost meanwhile (protocols
 *         A and B count on it).
 *   RX-4  A disk that lacks blocks takes no newer write before it is durably Inconsistent: it would
 *         be a mixture that calls itself consistent (rule 6, I26).
 *   RX-5  Until bitmaps are exchanged writes wait here, with the source's bitmap behind them on the data stream: when
 *         there are too many for the pool, or they were sent before the comparison began (LV-4), they are marked and
 *         declined, and the resync brings them.
 */
#include "core.h"
#include "resync.h"
#include "measure.h"

static bool same_link(const struct bsr_peer_request *pr)
{
	return pr->peer->link_up && pr->peer->link == pr->link_id && pr->peer->hs_stage == BSR_HS_COMPLETE;
}

/* -------------------------------------------------------- acknowledgements */

void bsr_receive_flush_acks(struct bsr_engine *e, struct bsr_peer *p)
{
	if (p->acks.count == 0) {
		return;
	}
	if (p->link_up && p->hs_stage == BSR_HS_COMPLETE) {
		BSR_SEND(e, p, BSR_STREAM_CONTROL, acks, BSR_MSG_ACKS, &p->acks);
	}
	p->acks.count = 0;
}

static void ack(struct bsr_engine *e, struct bsr_peer *p, enum bsr_ack_kind kind, uint64_t write_seq)
{
	if (p->acks.count == BSR_WIRE_ACKS_MAX) {
		bsr_receive_flush_acks(e, p);
	}
	p->acks.ack[p->acks.count].kind = (uint8_t)kind;
	p->acks.ack[p->acks.count].write_seq = write_seq;
	p->acks.count++;
	e->turn_work = true;
}

/* ------------------------------------------------------------------ writes */

/* Whether bsr_receive_progress() may find something: a checkpoint, a read, or a write whose epoch may be applied now. */
static inline bool something_waits(const struct bsr_peer *p)
{
	if (!bsr_list_empty(&p->reads)) {
		return true;
	}
	if (!bsr_list_empty(&p->epoch_queue)) {
		const struct bsr_peer_request *head = BSR_CONTAINER(p->epoch_queue.next, struct bsr_peer_request, queue);
		if (p->epoch_active == 0 || head->epoch == p->epoch || head->kind == BSR_PR_CHECKPOINT || BSR_MUTATION(29)) {
			return true;
		}
	}
	return !bsr_list_empty(&p->arrived) &&
	       BSR_CONTAINER(p->arrived.next, struct bsr_peer_request, link)->kind == BSR_PR_CHECKPOINT;
}

BSR_IN_PLACE void finish_write(struct bsr_engine *e, struct bsr_peer_request *pr)
{
	struct bsr_peer *p = pr->peer;
	struct bsr_peer_device *pd = &p->device[pr->volume];
	struct bsr_volume *vol = e->volume[pr->volume];
	bsr_interval_remove(e, &pr->range);
	if (BSR_MEASURING(e) && pr->result == 0) {
		bsr_measure_stage(e, vol, BSR_STAGE_PEER_WRITE, pr->arrived_ns);
	}
	if (same_link(pr)) {
		if ((pr->flags & BSR_WRITEF_TIMED) && pr->result == 0) {
			const uint64_t took_ns = e->now_ns - pr->arrived_ns;
			ack(e, p, BSR_ACK_TOOK, took_ns == 0 ? 1 : took_ns & BSR_WIRE_WRITE_SEQ_MAX);
		}
		if (!BSR_MUTATION(32)) {
			ack(e, p, pr->result < 0 && !BSR_MUTATION(33) ? BSR_ACK_NEGATIVE : BSR_ACK_WRITTEN, pr->id);
		}
		if (pr->result == 0 && (pd->repl == BSR_REPL_SYNC_TARGET || pd->repl == BSR_REPL_PAUSED_SYNC_T) &&
			(pr->arrival > pd->decided_arrival || BSR_MUTATION(85))) {
			bsr_resync_clear_bits(e, p, vol, pr->offset, pr->length);
		}
		pd->unacked -= pd->unacked > 0;
	}
	bsr_heard_finished(e, pr);
	BSR_ASSERT(p->epoch_active > 0);
	p->epoch_active--;
	bsr_peer_request_put(e, pr);
	if (something_waits(p)) {
		bsr_receive_progress(e, p);
	} else if (!bsr_list_empty(&p->arrived)) {
		return; /* only writes that are under way */
	} else if (!p->link_up || bsr_repl_is_target(pd->repl)) {
		e->kick = true;
	}
}

BSR_APART void write_finished(struct bsr_engine *e, struct bsr_peer_request *pr)
{
	finish_write(e, pr);
}

/*
 * By policy the disk stays UpToDate; but it has a hole now, or may get one, must not be anybody's source, nor
 * become Primary unforced.
 */
static void note_failed_write(struct bsr_engine *e, struct bsr_volume *vol)
{
	if (vol->md_usable && vol->disk >= BSR_DISK_INCONSISTENT && !(vol->sb.flags & BSR_MDF_IO_ERROR)) {
		vol->sb.flags |= BSR_MDF_IO_ERROR;
		bsr_md_superblock_dirty(e, vol);
	}
}

/* pass_on: the sender goes on alone when it hears that the write failed; a crash must not find a record that claims all. */
static bool record_claims_it(const struct bsr_volume *vol)
{
	return vol->options.on_io_error == BSR_IO_ERROR_PASS_ON && vol->disk >= BSR_DISK_INCONSISTENT &&
	       vol->sb_durable < vol->failed_sb;
}

void bsr_receive_record_progress(struct bsr_engine *e, struct bsr_volume *vol)
{
	while (!bsr_list_empty(&vol->failed_writes) && !record_claims_it(vol)) {
		struct bsr_peer_request *pr = BSR_CONTAINER(vol->failed_writes.next, struct bsr_peer_request, queue);
		bsr_list_remove(&pr->queue);
		write_finished(e, pr);
	}
}

static void write_done(struct bsr_engine *e, struct bsr_disk_op *op, int32_t result, bsr_buf_t buf)
{
	struct bsr_peer_request *pr = op->owner;
	(void)buf;
	pr->result = result;
	if (result < 0) {
		bsr_disk_error(e, op->vol, true, pr->offset, pr->length);
		note_failed_write(e, op->vol);
		op->vol->failed_sb = op->vol->sb_wanted;
		if (record_claims_it(op->vol)) {
			bsr_list_append(&op->vol->failed_writes, &pr->queue);
			e->kick = true;
			return;
		}
	} else if (!(pr->flags & BSR_WRITEF_FUA) && !op->vol->write_through) {
		pr->peer->unflushed_volumes |= 1ull << pr->volume;
		op->vol->unflushed = true;
	}
	finish_write(e, pr);
}

BSR_IN_PLACE void take_turn(struct bsr_engine *e, struct bsr_peer_request *pr)
{
	struct bsr_volume *vol = e->volume[pr->volume];
	if (vol->disk < BSR_DISK_INCONSISTENT) {
		pr->result = -BSR_E_NO_DISK;
		write_finished(e, pr);
		return;
	}
	if (bsr_heard_third(pr->peer, vol) && !bsr_heard_pin(e, pr)) {
		return; /* HE-2 */
	}
	if (BSR_MEASURING(e)) {
		bsr_measure_stage(e, vol, BSR_STAGE_PEER_QUEUE, pr->arrived_ns);
	}
	bsr_emit_disk(e, vol,
		(struct bsr_fx_disk){.op = pr->op,
			.flags = (uint8_t)(BSR_DISK_GIVES_BUFFER | ((pr->flags & BSR_WRITEF_FUA) ? BSR_REQ_FUA : 0)),
			.offset = pr->offset,
			.length = pr->length,
			.buf = pr->buf},
		pr, write_done);
	pr->buf = BSR_BUF_NONE;
}

static void write_turn(struct bsr_engine *e, struct bsr_interval *i)
{
	take_turn(e, BSR_CONTAINER(i, struct bsr_peer_request, range));
}

BSR_IN_PLACE void start_write(struct bsr_engine *e, struct bsr_peer_request *pr)
{
	struct bsr_peer *p = pr->peer;
	p->epoch = pr->epoch;
	p->epoch_active++;
	pr->range.start = pr->offset;
	pr->range.end = pr->offset + pr->length;
	pr->range.volume = pr->volume;
	pr->range.write = true;
	pr->range.go = write_turn;
	if (bsr_interval_add(e, &pr->range)) {
		take_turn(e, pr);
	}
}

BSR_APART void start_queued(struct bsr_engine *e, struct bsr_peer_request *pr)
{
	bsr_list_remove(&pr->queue);
	start_write(e, pr);
}

static bool epoch_is_open(const struct bsr_peer *p, uint64_t epoch)
{
	return !p->barrier_active && p->holds == 0 && p->epoch_flushes == 0 && bsr_list_empty(&p->epoch_queue) &&
	       (epoch == p->epoch || p->epoch_active == 0 || BSR_MUTATION(29));
}

static bool write_fits(const struct bsr_volume *vol, const struct bsr_msg_write *m, const struct bsr_ev_message *ev)
{
	const uint32_t payload = m->op == BSR_OP_WRITE ? m->length : 0;
	return ev->payload_bytes == payload && m->length <= vol->size_bytes && m->offset <= vol->size_bytes - m->length;
}

/* RX-4 */
static bool takes_writes(const struct bsr_volume *vol, const struct bsr_peer_device *pd)
{
	if (!pd->exists || pd->repl < BSR_REPL_ESTABLISHED || vol->disk < BSR_DISK_INCONSISTENT) {
		return false;
	}
	if (vol->disk == BSR_DISK_UP_TO_DATE) {
		return true;
	}
	return bsr_repl_is_target(pd->repl) || vol->disk == BSR_DISK_INCONSISTENT;
}

/* RX-5 */
static bool is_left_to_resync(
	struct bsr_engine *e, struct bsr_peer *p, struct bsr_volume *vol, const struct bsr_msg_write *m)
{
	struct bsr_peer_device *pd = &p->device[vol->index];
	const bool durable = bsr_md_superblock_clean(vol); /* the sender may acknowledge at once: nobody promotes this disk then */
	const bool left = pd->repl == BSR_REPL_WF_BITMAP_T && !pd->bm_received && durable && !BSR_MUTATION(87) &&
			  (!pd->data_fence || e->peer_request_free_count < BSR_PEER_REQUESTS_MAX / 2);
	if (left) {
		bsr_md_set_bits(e, vol, pd->slot, m->offset, m->length);
		pd->decided_arrival = p->arrivals; /* nor does what waits already prove anything */
	}
	return left;
}

static bool flushes_between_epochs(const struct bsr_engine *e, const struct bsr_peer *p)
{
	for (uint64_t mask = p->unflushed_volumes | p->flushing_volumes; mask; mask &= mask - 1) {
		const struct bsr_volume *vol = e->volume[__builtin_ctzll(mask)];
		if (!BSR_MUTATION(30) && vol && vol->options.disk_flushes) {
			return true;
		}
	}
	return false;
}

void bsr_receive_write(struct bsr_engine *e, struct bsr_peer *p, const struct bsr_ev_message *ev)
{
	struct bsr_msg_write m;
	const int ret = bsr_msg_write_decode(&m, ev->body, ev->body_bytes);
	struct bsr_volume *vol = ret < 0 ? NULL : bsr_volume_by_vnr(e, m.vnr);
	if (!vol || !write_fits(vol, &m, ev) || m.epoch < p->epoch) {
		bsr_emit_buf_put(e, ev->payload);
		bsr_peer_reject(e, p, ev->msg_type);
		return;
	}
	struct bsr_peer_device *pd = &p->device[vol->index];
	if (!takes_writes(vol, pd) || is_left_to_resync(e, p, vol, &m)) {
		bsr_emit_buf_put(e, ev->payload);
		ack(e, p, BSR_ACK_NEGATIVE, m.write_seq);
		return;
	}
	struct bsr_peer_request *pr = bsr_peer_request_get(e, p, BSR_PR_WRITE);
	BSR_ASSERT(pr != NULL); /* the host honours bsr_engine_may_receive() */
	pr->offset = m.offset;
	pr->length = m.length;
	pr->arrived_ns = e->now_ns;
	pr->id = m.write_seq;
	pr->epoch = m.epoch;
	pr->op = m.op;
	pr->flags = m.flags;
	pr->volume = (uint16_t)vol->index;
	pr->buf = ev->payload;
	pr->arrival = ++p->arrivals;
	bsr_list_append(&p->arrived, &pr->link);
	p->heard_dagtag = m.dagtag;
	bsr_heard_add(e, pr); /* HE-1 */
	pd->unacked++;
	pd->received_bytes += m.length;
	if (BSR_MUTATION(32)) {
		ack(e, p, BSR_ACK_WRITTEN, m.write_seq);
	}
	if (m.flags & BSR_WRITEF_WANT_RECEIVED) {
		ack(e, p, BSR_ACK_RECEIVED, m.write_seq);
	}
	if (bsr_repl_is_target(pd->repl)) {
		bsr_resync_write_overtook(e, p, vol, m.offset, m.length);
	}
	if (vol->verifies != 0) {
		bsr_verify_written(e, p, vol, m.offset, m.length);
	}
	if (m.flags & BSR_WRITEF_NO_LOCAL) {
		bsr_gi_sender_misses(e, p, vol, m.offset, m.length);
	}
	if (!vol->gi_busy && !bsr_heard_must_wait(e, p, vol, m.flags) && epoch_is_open(p, m.epoch) && (m.epoch == p->epoch || !flushes_between_epochs(e, p))) {
		start_write(e, pr);
	} else {
		bsr_list_append(&p->epoch_queue, &pr->queue);
		if (something_waits(p)) {
			bsr_receive_progress(e, p);
		}
	}
}

static void start_reads(struct bsr_engine *e, struct bsr_peer *p);

/* -------------------------------------------------- checkpoints and flushes */

static void checkpoint_finished(struct bsr_engine *e, struct bsr_peer_request *pr)
{
	struct bsr_peer *p = pr->peer;
	if (same_link(pr)) {
		/* RX-2: acknowledgements of what it covers come first */
		bsr_receive_flush_acks(e, p);
		pr->result = p->flush_failed ? -BSR_E_IO : pr->result;
		p->flush_failed = false;
		struct bsr_msg_checkpoint m = {.number = pr->id, .error = pr->result};
		BSR_SEND(e, p, BSR_STREAM_CONTROL, checkpoint, BSR_MSG_CHECKPOINT_ACK, &m);
	}
	if (pr->barrier) {
		p->barrier_active = false;
	}
	bsr_peer_request_put(e, pr);
}

static void flush_ended(struct bsr_peer *p, const struct bsr_volume *vol, int32_t result)
{
	BSR_ASSERT(p->flushing[vol->index] > 0);
	if (--p->flushing[vol->index] == 0) {
		p->flushing_volumes &= ~(1ull << vol->index);
	}
	if (result < 0) {
		p->unflushed_volumes |= 1ull << vol->index;
	}
}

static void checkpoint_flushed(struct bsr_engine *e, struct bsr_disk_op *op, int32_t result, bsr_buf_t buf)
{
	struct bsr_peer_request *pr = op->owner;
	(void)buf;
	flush_ended(pr->peer, op->vol, result);
	if (result < 0) {
		pr->result = -BSR_E_IO;
		bsr_disk_error(e, op->vol, false, 0, 0);
		note_failed_write(e, op->vol);
	}
	if (--pr->flush_pending == 0) {
		struct bsr_peer *p = pr->peer;
		checkpoint_finished(e, pr);
		bsr_receive_progress(e, p);
	}
}

static uint32_t flush_volumes(struct bsr_engine *e, struct bsr_peer *p, void *owner, bsr_op_fn done)
{
	uint32_t count = 0;
	for (uint64_t mask = p->unflushed_volumes | p->flushing_volumes; mask; mask &= mask - 1) {
		struct bsr_volume *vol = e->volume[__builtin_ctzll(mask)];
		if (vol && vol->disk >= BSR_DISK_INCONSISTENT) {
			count++;
			p->flushing[vol->index]++;
			p->flushing_volumes |= 1ull << vol->index;
			bsr_emit_disk(e, vol, (struct bsr_fx_disk){.op = BSR_OP_FLUSH, .buf = BSR_BUF_NONE}, owner, done);
		}
	}
	p->unflushed_volumes = 0;
	return count;
}

void bsr_receive_checkpoint(struct bsr_engine *e, struct bsr_peer *p, const struct bsr_msg_checkpoint *m)
{
	struct bsr_peer_request *pr = bsr_peer_request_get(e, p, BSR_PR_CHECKPOINT);
	BSR_ASSERT(pr != NULL);
	pr->id = m->number;
	pr->barrier = m->barrier;
	pr->arrival = ++p->arrivals;
	bsr_list_append(&p->arrived, &pr->link);
	if (m->barrier) {
		bsr_list_append(&p->epoch_queue, &pr->queue);
	}
	bsr_receive_progress(e, p);
}

static void epoch_flushed(struct bsr_engine *e, struct bsr_disk_op *op, int32_t result, bsr_buf_t buf)
{
	struct bsr_peer *p = op->owner;
	(void)buf;
	flush_ended(p, op->vol, result);
	if (result < 0) {
		p->flush_failed = true;
		bsr_disk_error(e, op->vol, false, 0, 0);
		note_failed_write(e, op->vol);
	}
	if (--p->epoch_flushes == 0) {
		bsr_receive_progress(e, p);
	}
}

static void start_checkpoints(struct bsr_engine *e, struct bsr_peer *p)
{
	struct bsr_volume *vol;
	BSR_FOR_EACH_VOLUME (e, vol) {
		if (vol->gi_busy) {
			return; /* what the sender's disk misses must be on record first */
		}
	}
	while (!bsr_list_empty(&p->arrived)) {
		struct bsr_peer_request *pr = BSR_CONTAINER(p->arrived.next, struct bsr_peer_request, link);
		if (pr->kind != BSR_PR_CHECKPOINT || pr->submitted) {
			return;
		}
		pr->submitted = true;
		pr->flush_pending = BSR_MUTATION(31) ? 0 : flush_volumes(e, p, pr, checkpoint_flushed);
		if (pr->flush_pending) {
			return;
		}
		checkpoint_finished(e, pr);
	}
}

void bsr_receive_progress(struct bsr_engine *e, struct bsr_peer *p)
{
	start_checkpoints(e, p);
	start_reads(e, p);
	while (!bsr_list_empty(&p->epoch_queue) && p->epoch_flushes == 0 && p->holds == 0) {
		struct bsr_peer_request *pr = BSR_CONTAINER(p->epoch_queue.next, struct bsr_peer_request, queue);
		if (pr->kind == BSR_PR_CHECKPOINT) {
			p->barrier_active = true; /* leaves the queue when it is confirmed */
			break;
		}
		if (pr->epoch != p->epoch && p->epoch_active > 0 && !BSR_MUTATION(29)) {
			break;
		}
		if (pr->epoch != p->epoch && flushes_between_epochs(e, p)) {
			p->epoch_flushes = flush_volumes(e, p, p, epoch_flushed);
			if (p->epoch_flushes) {
				break;
			}
		}
		if (e->volume[pr->volume]->gi_busy || bsr_heard_must_wait(e, p, e->volume[pr->volume], pr->flags)) {
			break; /* its sender's disk misses it: my new generation comes first; or HE-2 */
		}
		if (BSR_MUTATION(95) && !p->link_up) {
			bsr_peer_request_put(e, pr);
			continue;
		}
		start_queued(e, pr);
	}
	if (bsr_receive_idle(p)) {
		e->kick = true;
	}
}

bool bsr_receive_names(const struct bsr_peer *p, const struct bsr_volume *vol)
{
	const struct bsr_list *lists[] = {&p->arrived, &p->reads};
	for (uint32_t i = 0; i < 2; i++) {
		for (const struct bsr_list *l = lists[i]->next; l != lists[i]; l = l->next) {
			const struct bsr_peer_request *pr = BSR_CONTAINER(l, struct bsr_peer_request, link);
			if (pr->kind != BSR_PR_CHECKPOINT && pr->volume == vol->index) {
				return true;
			}
		}
	}
	return false;
}

void bsr_receive_hold(struct bsr_peer *p, struct bsr_volume *vol)
{
	struct bsr_peer_device *pd = &p->device[vol->index];
	if (!pd->holds_writes) {
		pd->holds_writes = true;
		p->holds++;
	}
}

/*
 * Not applied: the peer marks what was refused, or, when the link is gone, what was never
 * acknowledged.
 */
static void refuse_held(struct bsr_engine *e, struct bsr_peer *p, struct bsr_volume *vol)
{
	struct bsr_list *l = p->epoch_queue.next;
	while (l != &p->epoch_queue) {
		struct bsr_peer_request *pr = BSR_CONTAINER(l, struct bsr_peer_request, queue);
		l = l->next;
		if (pr->kind != BSR_PR_WRITE || pr->volume != vol->index) {
			continue;
		}
		if (same_link(pr)) {
			ack(e, p, BSR_ACK_NEGATIVE, pr->id);
			p->device[vol->index].unacked--;
		}
		bsr_peer_request_put(e, pr);
	}
}

void bsr_receive_release(struct bsr_engine *e, struct bsr_peer *p, struct bsr_volume *vol, bool apply)
{
	struct bsr_peer_device *pd = &p->device[vol->index];
	if (!pd->holds_writes) {
		return;
	}
	BSR_ASSERT(p->holds > 0);
	pd->holds_writes = false;
	p->holds--;
	if (!apply) {
		refuse_held(e, p, vol);
	}
	bsr_receive_progress(e, p);
}

void bsr_receive_forget_volume(struct bsr_engine *e, struct bsr_peer *p, struct bsr_volume *vol)
{
	refuse_held(e, p, vol);
	struct bsr_list *l = p->reads.next;
	while (l != &p->reads) {
		struct bsr_peer_request *pr = BSR_CONTAINER(l, struct bsr_peer_request, link);
		l = l->next;
		if (pr->volume == vol->index) {
			BSR_ASSERT(!pr->submitted && pr->kind != BSR_PR_RESYNC_WRITE);
			bsr_peer_request_put(e, pr);
		}
	}
}

bool bsr_receive_done_until(const struct bsr_peer *p, uint64_t arrival)
{
	return bsr_list_empty(&p->arrived) ||
	       BSR_CONTAINER(p->arrived.next, struct bsr_peer_request, link)->arrival > arrival;
}

bool bsr_receive_idle(const struct bsr_peer *p)
{
	return bsr_list_empty(&p->arrived) && bsr_list_empty(&p->reads) && p->epoch_flushes == 0;
}

/* ------------------------------------------------------------------- reads */

static void read_answer(struct bsr_engine *e, struct bsr_peer_request *pr)
{
	struct bsr_peer *p = pr->peer;
	const bool resync = pr->kind == BSR_PR_RESYNC_READ;
	struct bsr_peer_device *pd = &p->device[pr->volume];
	bsr_interval_remove(e, &pr->range);
	if (same_link(pr)) {
		const struct bsr_msg_range m = {.vnr = e->volume[pr->volume]->vnr,
			.id = pr->id,
			.offset = pr->offset,
			.length = pr->length,
			.error = pr->result};
		const uint32_t payload = pr->result < 0 ? 0 : pr->length;
		const enum bsr_msg_type type = resync ? BSR_MSG_RESYNC_DATA : BSR_MSG_READ_REPLY;
		uint32_t room;
		uint8_t *at = bsr_send_room(e, &room);
		bsr_send_commit(e, p, BSR_STREAM_DATA, bsr_msg_range_encode(at, room, type, payload, &m),
			payload ? pr->buf : BSR_BUF_NONE, 0, payload);
		pd->sent_bytes += payload;
		pd->unacked -= pd->unacked > 0;
	}
	bsr_peer_request_put(e, pr);
	if (bsr_receive_idle(p)) {
		e->kick = true;
	}
}

static void read_done(struct bsr_engine *e, struct bsr_disk_op *op, int32_t result, bsr_buf_t buf)
{
	struct bsr_peer_request *pr = op->owner;
	pr->buf = buf;
	pr->result = result;
	if (result < 0) {
		bsr_disk_error(e, op->vol, false, pr->offset, pr->length);
	}
	read_answer(e, pr);
}

static bool readable_for_peer(const struct bsr_volume *vol, const struct bsr_peer_request *pr)
{
	if (pr->kind == BSR_PR_RESYNC_READ) {
		return vol->disk >= BSR_DISK_OUTDATED;
	}
	const int32_t slot = pr->peer->device[vol->index].slot;
	/* bits for a peer without a good disk mean that it lacks something, not I */
	const struct bsr_peer_device *pd = &pr->peer->device[vol->index];
	const bool mine = (pd->disk > BSR_DISK_OUTDATED && !bsr_repl_is_source(pd->repl)) ||
			  (vol->sb.flags & BSR_MDF_IO_ERROR) != 0;
	return vol->disk == BSR_DISK_UP_TO_DATE &&
	       !(mine && !BSR_MUTATION(58) && bsr_md_any_bits(vol, slot, pr->offset, pr->length));
}

static void read_turn(struct bsr_engine *e, struct bsr_interval *i)
{
	struct bsr_peer_request *pr = BSR_CONTAINER(i, struct bsr_peer_request, range);
	struct bsr_volume *vol = e->volume[pr->volume];
	/*
	 * rule 6: a mixture of old and new is never offered, nor what a write of mine that failed
	 * has left
	 */
	if (!readable_for_peer(vol, pr)) {
		pr->result = -BSR_E_NO_UP_TO_DATE;
		read_answer(e, pr);
		return;
	}
	vol->read_bytes += pr->length;
	bsr_emit_disk(e, vol,
		(struct bsr_fx_disk){
			.op = BSR_OP_READ, .offset = pr->offset, .length = pr->length, .buf = BSR_BUF_NONE},
		pr, read_done);
}

static void start_read(struct bsr_engine *e, struct bsr_peer_request *pr)
{
	if (!pr->submitted && bsr_receive_done_until(pr->peer, pr->arrival)) {
		pr->submitted = true;
		if (bsr_interval_add(e, &pr->range)) {
			pr->range.go(e, &pr->range);
		}
	}
}

static void start_reads(struct bsr_engine *e, struct bsr_peer *p)
{
	struct bsr_list *l = p->reads.next;
	while (l != &p->reads) {
		struct bsr_peer_request *pr = BSR_CONTAINER(l, struct bsr_peer_request, link);
		l = l->next;
		if (pr->kind != BSR_PR_RESYNC_WRITE) {
			start_read(e, pr);
		}
	}
}

void bsr_receive_queue_read(struct bsr_engine *e, struct bsr_peer_request *pr, const struct bsr_volume *vol)
{
	pr->volume = (uint16_t)vol->index;
	pr->range.start = pr->offset;
	pr->range.end = pr->offset + pr->length;
	pr->range.volume = pr->volume;
	pr->range.write = false;
	bsr_list_append(&pr->peer->reads, &pr->link);
	start_read(e, pr);
}

void bsr_receive_read(struct bsr_engine *e, struct bsr_peer *p, const struct bsr_msg_range *m,
	enum bsr_peer_request_kind kind, uint64_t after)
{
	const uint16_t type = kind == BSR_PR_READ ? BSR_MSG_READ_REQUEST : BSR_MSG_RESYNC_REQUEST;
	struct bsr_volume *vol = bsr_volume_by_vnr(e, m->vnr);
	if (!vol || !p->device[vol->index].exists || m->length > BSR_REQUEST_BYTES_MAX ||
		m->length > vol->size_bytes || m->offset > vol->size_bytes - m->length ||
		(m->offset | m->length) % BSR_SECTOR_BYTES) {
		bsr_peer_reject(e, p, type);
		return;
	}
	struct bsr_peer_request *pr = bsr_peer_request_get(e, p, kind);
	if (!pr) {
		bsr_peer_reject(e, p, type);
		return; /* far more requests than any window of ours allows */
	}
	pr->id = m->id;
	pr->offset = m->offset;
	pr->length = m->length;
	pr->range.go = read_turn;
	p->device[vol->index].unacked++;
	/*
	 * The application reads what it wrote: everything that came before in the stream is carried
	 * out first.
	 */
	pr->arrival = after;
	p->device[vol->index].served = p->device[vol->index].served || kind == BSR_PR_RESYNC_READ;
	bsr_receive_queue_read(e, pr, vol);
}

void bsr_receive_out_of_sync(struct bsr_engine *e, struct bsr_peer *p, const struct bsr_msg_range *m)
{
	struct bsr_volume *vol = bsr_volume_by_vnr(e, m->vnr);
	if (vol && p->device[vol->index].exists && m->length <= vol->size_bytes &&
		m->offset <= vol->size_bytes - m->length) {
		if (m->id == BSR_OOS_OF_SENDER) {
			bsr_gi_sender_misses(e, p, vol, m->offset, m->length);
		} else {
			bsr_md_set_bits(e, vol, p->device[vol->index].slot, m->offset, m->length);
		}
	}
}
