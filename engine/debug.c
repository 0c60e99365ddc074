// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * debug.c - the engine's insides for people who look for a cause; reads everything, changes nothing
 */
#include <bsr/debug.h>

#include "core.h"

static uint32_t length_of(const struct bsr_list *list)
{
	uint32_t count = 0;
	for (const struct bsr_list *l = list->next; l != list; l = l->next) {
		count++;
	}
	return count;
}

static const char *stage_word(enum bsr_request_stage stage)
{
	switch (stage) {
	case BSR_RQ_FREE:
		return "free";
	case BSR_RQ_HELD:
		return "held";
	case BSR_RQ_OVERLAP:
		return "overlap";
	case BSR_RQ_AL:
		return "activity-log";
	case BSR_RQ_ACTIVE:
		return "active";
	case BSR_RQ_DONE:
		return "generation";
	}
	return "?";
}

static void oldest(const struct bsr_engine *e, struct bsr_debug_resource *info)
{
	const struct bsr_request *first = NULL;
	for (uint32_t i = 0; i < BSR_REQUESTS_MAX; i++) {
		const struct bsr_request *rq = &e->request[i];
		if (rq->stage != BSR_RQ_FREE && (!first || rq->arrived_ns < first->arrived_ns)) {
			first = rq;
		}
	}
	if (!first) {
		return;
	}
	info->has_oldest = true;
	info->oldest_age_ns = e->now_ns - first->arrived_ns;
	info->oldest_stage = stage_word((enum bsr_request_stage)first->stage);
	info->oldest_volume = first->volume;
	info->oldest_op = first->op;
	info->oldest_offset = first->offset;
	info->oldest_length = first->length;
	info->oldest_peers = first->await_acks | first->await_flush;
	info->oldest_peers |= first->read_peer != BSR_NONE ? bsr_node_bit(first->read_peer) : 0;
	info->oldest_local = first->local_pending;
}

void bsr_engine_debug_resource(const struct bsr_engine *e, struct bsr_debug_resource *info)
{
	*info = (struct bsr_debug_resource){.now_ns = e->now_ns,
		.deadline_ns = e->deadline_ns,
		.requests = e->request_count,
		.requests_held = length_of(&e->held),
		.requests_active = length_of(&e->active),
		.oldest_stage = "",
		.credits = bsr_engine_credits(e),
		.peer_requests = BSR_PEER_REQUESTS_MAX - e->peer_request_free_count,
		.disk_ops = BSR_DISK_OPS_MAX - e->op_free_count,
		.log_head = e->log_head,
		.log_tail = e->log_tail,
		.epoch = e->epoch,
		.dagtag = e->dagtag,
		.promoting = e->promoting,
		.demoting = e->demoting,
		.disconnecting = e->disconnecting};
	for (uint32_t i = 0; i < BSR_TASKS_MAX; i++) {
		info->tasks += e->task[i].kind != BSR_TASK_FREE;
	}
	oldest(e, info);
}

void bsr_engine_debug_volume(const struct bsr_engine *e, uint32_t volume, struct bsr_debug_volume *info)
{
	const struct bsr_volume *vol = volume < BSR_VOLUMES_MAX ? e->volume[volume] : NULL;
	memset(info, 0, sizeof(*info));
	if (!vol) {
		return;
	}
	*info = (struct bsr_debug_volume){.exists = true,
		.attach_step = (uint32_t)vol->attach_step,
		.requests = vol->requests,
		.disk_ops = vol->lower_pending,
		.waiting_al = length_of(&vol->al_waiting),
		.waiting_generation = length_of(&vol->done_waiting),
		.gi_wanted = vol->gi_wanted,
		.gi_busy = vol->gi_busy,
		.superblock_wanted = vol->sb_wanted,
		.superblock_issued = vol->sb_issued,
		.superblock_durable = vol->sb_durable,
		.metadata_writers = vol->writers_busy,
		.sweeping = vol->sweeping,
		.mirror_mask = vol->mirror_mask,
		.oos_slots = vol->oos_slots,
		.unflushed = vol->unflushed,
		.flushes = vol->flushes_active};
	if (vol->al) {
		info->al_extents = bsr_al_slots(vol->al);
		info->al_used = bsr_al_used(vol->al);
		info->al_pinned = bsr_al_pinned(vol->al);
	}
	if (vol->bitmap) {
		info->bitmap_bytes = vol->bitmap_bytes;
		info->bitmap_coarsened = bsr_bitmap_coarsened(vol->bitmap);
	}
}

void bsr_engine_debug_peer(const struct bsr_engine *e, uint32_t peer, struct bsr_debug_peer *info)
{
	const struct bsr_peer *p = peer < BSR_NODES_MAX ? e->peer[peer] : NULL;
	memset(info, 0, sizeof(*info));
	if (!p) {
		return;
	}
	*info = (struct bsr_debug_peer){.exists = true,
		.link = p->link,
		.link_active = p->link_active,
		.link_up = p->link_up,
		.handshake_stage = (uint32_t)p->hs_stage,
		.features = p->features,
		.silent_ns = p->link_up ? e->now_ns - p->last_received_ns : 0,
		.ping_outstanding = p->ping_outstanding,
		.send_queued_bytes = p->send_queued_bytes,
		.log_from = p->log_from,
		.checkpoints = p->checkpoint_count,
		.checkpoint_due_ns = p->checkpoint_due_ns,
		.epoch = p->epoch,
		.epoch_active = p->epoch_active,
		.epoch_flushes = p->epoch_flushes,
		.arrived = length_of(&p->arrived),
		.queued = length_of(&p->epoch_queue),
		.reads = length_of(&p->reads),
		.holds = p->holds,
		.barrier = p->barrier_active};
}

void bsr_engine_debug_peer_device(
	const struct bsr_engine *e, uint32_t peer, uint32_t volume, struct bsr_debug_peer_device *info)
{
	const struct bsr_peer *p = peer < BSR_NODES_MAX ? e->peer[peer] : NULL;
	const struct bsr_volume *vol = volume < BSR_VOLUMES_MAX ? e->volume[volume] : NULL;
	memset(info, 0, sizeof(*info));
	if (!p || !vol || !p->device[volume].exists) {
		return;
	}
	const struct bsr_peer_device *pd = &p->device[volume];
	*info = (struct bsr_debug_peer_device){.exists = true,
		.slot = pd->slot,
		.mirrored = pd->mirrored,
		.sync_step = pd->sync_step,
		.scan_bit = pd->scan_bit,
		.chunks = pd->chunks_active,
		.holds_writes = pd->holds_writes,
		.bitmap_sending = pd->bm_send_active,
		.heal_tries = pd->heal_tries,
		.resynced_bytes = pd->resynced_bytes,
		.compared_bytes = pd->verify.compared_bytes,
		.pending = pd->pending,
		.unacked = pd->unacked};
	if (vol->bitmap && pd->slot >= 0) {
		info->bits = bsr_bitmap_weight(vol->bitmap, (uint32_t)pd->slot);
	}
}
