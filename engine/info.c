// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * info.c - what status asks: read-only views of the engine
 */
#include "core.h"

#define HELD_SHOWN_NS (2 * BSR_SECOND_NS) /* at low rates a second may pass between two requests */

void bsr_engine_resource_info(const struct bsr_engine *e, struct bsr_resource_info *info)
{
	*info = (struct bsr_resource_info){.node_id = e->node_id,
		.role = e->role,
		.suspended = e->suspended,
		.requests_pending = e->request_count,
		.transfer_log_used = (uint32_t)(e->log_tail - e->log_head)};
}

void bsr_engine_volume_info(const struct bsr_engine *e, uint32_t volume, struct bsr_volume_info *info)
{
	memset(info, 0, sizeof(*info));
	const struct bsr_volume *vol = volume < BSR_VOLUMES_MAX ? e->volume[volume] : NULL;
	if (!vol) {
		return;
	}
	*info = (struct bsr_volume_info){.exists = true,
		.vnr = vol->vnr,
		.disk = vol->reported_disk,
		.size_bytes = vol->size_bytes,
		.read_bytes = vol->read_bytes,
		.written_bytes = vol->written_bytes,
		.al_writes = vol->al_writes,
		.bm_writes = vol->bm_writes,
		.upper_pending = vol->requests,
		.lower_pending = vol->lower_pending,
		.al_extents = vol->al ? bsr_al_slots(vol->al) : 0,
		.al_used = vol->al ? bsr_al_used(vol->al) : 0,
		.io_errors = vol->io_errors,
		.md_usable = vol->md_usable};
	if (vol->md_usable) {
		info->md_flags = vol->sb.flags;
		info->current_gi = vol->sb.current_gi;
		memcpy(info->history, vol->sb.history, sizeof(info->history));
	}
}

void bsr_engine_peer_info(const struct bsr_engine *e, uint32_t peer, struct bsr_peer_info *info)
{
	memset(info, 0, sizeof(*info));
	const struct bsr_peer *p = peer < BSR_NODES_MAX ? e->peer[peer] : NULL;
	if (!p) {
		return;
	}
	*info = (struct bsr_peer_info){.exists = true,
		.conn = p->conn,
		.error = p->error,
		.role = p->role,
		.send_queued_bytes = p->send_queued_bytes,
		.messages_rejected = p->messages_rejected};
}

void bsr_engine_peer_device_info(
	const struct bsr_engine *e, uint32_t peer, uint32_t volume, struct bsr_peer_device_info *info)
{
	memset(info, 0, sizeof(*info));
	const struct bsr_peer *p = peer < BSR_NODES_MAX ? e->peer[peer] : NULL;
	const struct bsr_volume *vol = volume < BSR_VOLUMES_MAX ? e->volume[volume] : NULL;
	if (!p || !vol || !p->device[volume].exists) {
		return;
	}
	const struct bsr_peer_device *pd = &p->device[volume];
	*info = (struct bsr_peer_device_info){.exists = true,
		.repl = pd->repl,
		.disk = pd->disk,
		.paused = pd->paused,
		.received_bytes = pd->received_bytes,
		.sent_bytes = pd->sent_bytes,
		.pending = pd->pending,
		.unacked = pd->unacked,
		.resync_start_ns = pd->resync_start_ns,
		.resync_rate_bytes_s = pd->rate_bytes_s,
		.resync_is_held = pd->rate_held_ns != 0 && e->now_ns - pd->rate_held_ns < HELD_SHOWN_NS,
		.handshake_reason = pd->handshake_reason};
	if (vol->bitmap && pd->slot >= 0) {
		info->out_of_sync_bytes = bsr_bitmap_weight(vol->bitmap, (uint32_t)pd->slot) * BSR_BITMAP_BLOCK_BYTES;
	}
	if (bsr_repl_is_source(pd->repl) || bsr_repl_is_target(pd->repl)) {
		info->resync_total_bytes = pd->resync_total_bits * BSR_BITMAP_BLOCK_BYTES;
		info->resync_left_bytes = info->out_of_sync_bytes;
	}
	const struct bsr_verify *v = &pd->verify;
	info->verify_found_bytes = v->found_bytes;
	info->verify_skipped_bytes = v->skipped_bytes;
	info->verify_marked_bytes = v->marked_bits * BSR_BITMAP_BLOCK_BYTES;
	info->verify_resume_bytes = v->resume_at;
	if (bsr_repl_is_verify(pd->repl)) {
		info->resync_total_bytes = v->stop - v->start;
		info->resync_left_bytes = v->stop - bsr_verify_position(v);
	}
	if (vol->md_usable) {
		info->bitmap_gi = vol->sb.peer[peer].bitmap_gi;
		info->md_peer_flags = vol->sb.peer[peer].flags;
	}
}

bool bsr_engine_has_bitmap(const struct bsr_engine *e, uint32_t volume)
{
	const struct bsr_volume *vol = volume < BSR_VOLUMES_MAX ? e->volume[volume] : NULL;
	return vol && vol->bitmap && vol->attach_step == BSR_AT_NONE;
}

bool bsr_engine_out_of_sync(const struct bsr_engine *e, uint32_t peer, uint32_t volume, uint64_t offset, uint64_t length)
{
	if (peer >= BSR_NODES_MAX || !bsr_engine_has_bitmap(e, volume)) {
		return false;
	}
	/* the slot of a node that is not configured any more is kept up, too */
	const struct bsr_volume *vol = e->volume[volume];
	const struct bsr_peer *p = e->peer[peer];
	const uint64_t size_bytes = bsr_volume_bits(vol) * BSR_BITMAP_BLOCK_BYTES;
	if (offset >= size_bytes) {
		return false; /* the peer's disk may be larger */
	}
	length = length < size_bytes - offset ? length : size_bytes - offset;
	return bsr_md_any_bits(vol, vol->sb.peer[peer].bitmap_index, offset, length) ||
	       (p && bsr_heard_unconfirmed(e, p, vol, offset, length));
}

void bsr_engine_explain(uint16_t handshake_reason, const char **sentence, const char **remedy)
{
	bsr_hs_reason_text(handshake_reason, sentence, remedy);
}
