// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * transfer_log.c - writes remembered until no peer can lose them any more
 *
 * Owns:       the ring of written ranges, checkpoints under way, and the pins those ranges hold in
 *             activity logs.
 * Invariants:
 *   TL-1  A write leaves the log only when it is complete here and every peer that got it as data
 *         has confirmed a checkpoint behind it: from then on a crash of the peer cannot lose it.
 *   TL-2  When a peer is lost, every write it might have lost is marked in its bitmap slot before
 *         anything is acknowledged without it.
 *   TL-3  The extents of a logged write stay pinned in the activity log: a crash of both nodes
 *         finds them.
 */
#include "core.h"

#define CHECKPOINT_INTERVAL_NS BSR_SECOND_NS

static struct bsr_log_entry *entry_at(struct bsr_engine *e, uint64_t index)
{
	return &e->log[index % BSR_TRANSFER_LOG_MAX];
}

bool bsr_log_full(const struct bsr_engine *e)
{
	/* requests that were admitted already and are not in the log yet find room */
	return e->log_tail - e->log_head >= BSR_TRANSFER_LOG_MAX - BSR_REQUESTS_MAX;
}

uint64_t bsr_log_append(struct bsr_engine *e, struct bsr_request *rq)
{
	BSR_ASSERT(e->log_tail - e->log_head < BSR_TRANSFER_LOG_MAX);
	const uint64_t index = e->log_tail++;
	*entry_at(e, index) = (struct bsr_log_entry){.offset = rq->offset,
		.length = rq->length,
		.request = rq->index,
		.volume = rq->volume,
		.pinned = rq->al_pinned,
		.holders = e->volume[rq->volume]->mirror_mask};
	rq->al_pinned = false;
	return index;
}

void bsr_log_advance(struct bsr_engine *e)
{
	struct bsr_peer *p;
	uint64_t limit = e->log_tail;
	BSR_FOR_EACH_PEER (e, p) {
		limit = p->log_from < limit && !BSR_MUTATION(16) ? p->log_from : limit;
	}
	while (e->log_head < limit) {
		struct bsr_log_entry *en = entry_at(e, e->log_head);
		struct bsr_volume *vol = e->volume[en->volume];
		if (!en->complete) {
			return;
		}
		if (en->pinned && vol && vol->al) {
			uint32_t first;
			const uint32_t count = bsr_extents_of(en->offset, en->length, &first);
			bsr_al_unpin(vol->al, first, count);
			if (!bsr_list_empty(&vol->al_waiting)) {
				vol->al_released = true;
				e->kick = true;
			}
		}
		if (en->length != 0) {
			bsr_mesh_left_log(e, e->log_head, en->holders);
		}
		e->log_head++;
	}
}

void bsr_log_local_failed(struct bsr_engine *e, uint64_t index)
{
	BSR_ASSERT(index >= e->log_head && index < e->log_tail);
	entry_at(e, index)->local_failed = true;
}

void bsr_log_forget_pins(struct bsr_engine *e, const struct bsr_volume *vol)
{
	for (uint64_t i = e->log_head; i < e->log_tail; i++) {
		struct bsr_log_entry *en = entry_at(e, i);
		en->pinned = en->pinned && en->volume != vol->index;
	}
}

void bsr_log_complete(struct bsr_engine *e, uint64_t index)
{
	BSR_ASSERT(index >= e->log_head && index < e->log_tail);
	struct bsr_log_entry *en = entry_at(e, index);
	BSR_ASSERT(!en->complete);
	en->complete = true;
	en->request = BSR_NONE;
	if (index == e->log_head) {
		bsr_log_advance(e);
	}
}

static void mark_range(struct bsr_engine *e, struct bsr_peer *p, uint64_t from, uint64_t to)
{
	for (uint64_t i = from > e->log_head ? from : e->log_head; i < to; i++) {
		struct bsr_log_entry *en = entry_at(e, i);
		struct bsr_volume *vol = e->volume[en->volume];
		en->holders &= ~bsr_node_bit(p->node_id);
		if (vol) {
			bsr_md_set_bits(e, vol, p->device[en->volume].slot, en->offset, en->length);
		}
	}
}

/* Writes to the volume that the peer has not confirmed with a checkpoint; only those that have been answered, or all. */
static bool has_writes(struct bsr_engine *e, const struct bsr_peer *p, const struct bsr_volume *vol, bool only_answered)
{
	for (uint64_t i = p->log_from > e->log_head ? p->log_from : e->log_head; i < e->log_tail; i++) {
		const struct bsr_log_entry *en = entry_at(e, i);
		if ((en->complete || !only_answered) && en->length != 0 && en->volume == vol->index) {
			return true;
		}
	}
	return false;
}

static bool has_unconfirmed(struct bsr_engine *e, const struct bsr_peer *p, const struct bsr_volume *vol)
{
	return has_writes(e, p, vol, true);
}

bool bsr_log_awaits_checkpoint(struct bsr_engine *e, const struct bsr_peer *p, const struct bsr_volume *vol)
{
	return has_writes(e, p, vol, false);
}

void bsr_log_note_unconfirmed(struct bsr_engine *e, struct bsr_peer *p, const struct bsr_volume *vol)
{
	struct bsr_peer_device *pd = &p->device[vol->index];
	if (vol->disk >= BSR_DISK_UP_TO_DATE || p->log_from == BSR_NEVER) {
		return;
	}
	pd->unconfirmed = pd->unconfirmed || has_unconfirmed(e, p, vol);
}

void bsr_log_mark_volume(struct bsr_engine *e, struct bsr_peer *p, struct bsr_volume *vol)
{
	for (uint64_t i = p->log_from > e->log_head ? p->log_from : e->log_head; i < e->log_tail; i++) {
		struct bsr_log_entry *en = entry_at(e, i);
		if (en->volume == vol->index && !BSR_MUTATION(55)) {
			en->holders &= ~bsr_node_bit(p->node_id);
			bsr_md_set_bits(e, vol, p->device[vol->index].slot, en->offset, en->length);
		}
	}
}

void bsr_log_holds_all(struct bsr_engine *e, const struct bsr_peer *p, const struct bsr_volume *vol)
{
	for (uint64_t i = e->log_head; i < e->log_tail; i++) {
		struct bsr_log_entry *en = entry_at(e, i);
		en->holders |= en->volume == vol->index ? bsr_node_bit(p->node_id) : 0;
	}
}

/* TL-2 */
void bsr_log_peer_lost(struct bsr_engine *e, struct bsr_peer *p)
{
	if (p->log_from == BSR_NEVER) {
		return;
	}
	mark_range(e, p, BSR_MUTATION(12) ? e->log_tail : p->log_from, e->log_tail);
	p->log_from = BSR_NEVER;
	p->checkpoint_count = 0;
	p->checkpoint_wanted = false;
	bsr_log_advance(e);
}

bool bsr_log_peer_clean(const struct bsr_engine *e, const struct bsr_peer *p)
{
	return p->log_from == BSR_NEVER || p->log_from >= e->log_tail;
}

bool bsr_log_confirmed(struct bsr_engine *e, struct bsr_volume *vol)
{
	struct bsr_peer *p;
	bool all = true;
	BSR_FOR_EACH_PEER (e, p) {
		const struct bsr_peer_device *pd = &p->device[vol->index];
		if (pd->mirrored && pd->disk == BSR_DISK_UP_TO_DATE && has_unconfirmed(e, p, vol)) {
			(void)bsr_log_checkpoint(e, p, false);
			all = false;
		}
	}
	return all;
}

bool bsr_log_checkpoint(struct bsr_engine *e, struct bsr_peer *p, bool barrier)
{
	if (bsr_log_peer_clean(e, p) || (p->checkpoint_log_index == e->log_tail && p->checkpoint_count > 0)) {
		return true;
	}
	if (p->checkpoint_count == BSR_CHECKPOINTS_MAX) {
		p->checkpoint_wanted = true;
		return false;
	}
	struct bsr_checkpoint *c = &p->checkpoint[(p->checkpoint_first + p->checkpoint_count++) % BSR_CHECKPOINTS_MAX];
	*c = (struct bsr_checkpoint){.number = p->next_checkpoint++, .log_index = e->log_tail};
	p->checkpoint_log_index = e->log_tail;
	p->checkpoint_wanted = false;
	struct bsr_msg_checkpoint m = {.number = c->number, .barrier = barrier};
	BSR_SEND(e, p, BSR_STREAM_DATA, checkpoint, BSR_MSG_CHECKPOINT, &m);
	return true;
}

uint64_t bsr_log_checkpoint_behind(struct bsr_engine *e, struct bsr_peer *p)
{
	/* An empty entry: a checkpoint under way was sent before it and does not cover it. */
	BSR_ASSERT(e->log_tail - e->log_head < BSR_TRANSFER_LOG_MAX);
	*entry_at(e, e->log_tail++) = (struct bsr_log_entry){.request = BSR_NONE, .complete = true};
	bsr_log_checkpoint(e, p, false);
	return e->log_tail;
}

void bsr_log_checkpoint_ack(struct bsr_engine *e, struct bsr_peer *p, const struct bsr_msg_checkpoint *m)
{
	if (p->checkpoint_count == 0 || p->checkpoint[p->checkpoint_first].number != m->number) {
		bsr_peer_reject(e, p, BSR_MSG_CHECKPOINT_ACK);
		return;
	}
	const uint64_t covered = BSR_MUTATION(17) ? e->log_tail : p->checkpoint[p->checkpoint_first].log_index;
	p->checkpoint_first = (p->checkpoint_first + 1) % BSR_CHECKPOINTS_MAX;
	p->checkpoint_count--;
	const bool failed = m->error < 0 && !BSR_MUTATION(13);
	struct bsr_volume *vol;
	if (failed) {
		mark_range(e, p, p->log_from, covered); /* the peer cannot promise to keep them */
	}
	BSR_FOR_EACH_VOLUME (e, vol) {
		struct bsr_peer_device *pd = &p->device[vol->index];
		pd->refused = pd->refused || failed;
		if (failed) {
			if (pd->exists && !BSR_MUTATION(133)) {
				bsr_gi_peer_declined(e, p, vol); /* a flush that waits for it must not be answered in the generation that it has */
			}
			bsr_log_note_unconfirmed(e, p, vol); /* nor does a disk of mine keep them for it */
		}
		pd->unconfirmed = pd->unconfirmed && (failed || !pd->mirrored);
	}
	p->log_from = covered;
	bsr_log_advance(e);
	if (p->checkpoint_wanted) {
		bsr_log_checkpoint(e, p, false);
	}
	bsr_request_checkpoint_acked(e, p);
	e->kick = true;
}

/* A quiet Primary's last writes are confirmed soon, too. */
void bsr_log_timer(struct bsr_engine *e, struct bsr_peer *p)
{
	if (p->hs_stage != BSR_HS_COMPLETE || bsr_log_peer_clean(e, p) || p->checkpoint_log_index == e->log_tail) {
		p->checkpoint_due_ns = BSR_NEVER;
		return;
	}
	if (p->checkpoint_due_ns == BSR_NEVER) {
		p->checkpoint_due_ns = e->now_ns + CHECKPOINT_INTERVAL_NS;
	} else if (p->checkpoint_due_ns <= e->now_ns) {
		bsr_log_checkpoint(e, p, false);
		p->checkpoint_due_ns = e->now_ns + CHECKPOINT_INTERVAL_NS;
	}
	bsr_timer(e, p->checkpoint_due_ns);
}
