// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * check.c - every cross-module invariant, derived again from scratch
 */
#include "core.h"

static void check_volume(const struct bsr_engine *e, const struct bsr_volume *vol)
{
	uint32_t mirror = 0;
	uint32_t verifies = 0;
	for (uint32_t node = 0; node < BSR_NODES_MAX; node++) {
		const struct bsr_peer *p = e->peer[node];
		if (!p || !p->device[vol->index].exists) {
			continue;
		}
		const struct bsr_peer_device *pd = &p->device[vol->index];
		mirror |= pd->mirrored ? bsr_node_bit(node) : 0;
		BSR_ASSERT(p->conn == BSR_CONN_CONNECTED || pd->repl == BSR_REPL_OFF); /* ST-1 */
		BSR_ASSERT(p->conn == BSR_CONN_CONNECTED || !pd->mirrored);
		BSR_ASSERT(p->conn == BSR_CONN_CONNECTED || pd->disk == BSR_DISK_OUTDATED || pd->disk == BSR_DISK_UNKNOWN);
		/* ST-2 */
		BSR_ASSERT(!bsr_repl_is_target(pd->repl) || vol->disk >= BSR_DISK_INCONSISTENT);
		BSR_ASSERT(!bsr_repl_is_source(pd->repl) || vol->disk >= BSR_DISK_OUTDATED);
		BSR_ASSERT(pd->slot < 0 || vol->sb.peer[node].bitmap_index == pd->slot);
		uint32_t active = 0;
		for (uint32_t i = 0; i < BSR_RESYNC_REQUESTS_MAX; i++) {
			active += pd->chunk[i].state != BSR_CHUNK_FREE;
		}
		BSR_ASSERT(active == pd->chunks_active);
		BSR_ASSERT(pd->ask == 0 || pd->repl == BSR_REPL_WF_BITMAP_S || pd->repl == BSR_REPL_WF_BITMAP_T); /* RA-1 */
		verifies += bsr_repl_is_verify(pd->repl);
		BSR_ASSERT(bsr_repl_is_verify(pd->repl) == (pd->verify.step > BSR_VERIFY_ASKING));
		BSR_ASSERT(pd->verify.step == BSR_VERIFY_SOURCE || pd->verify.active == 0);
		/* VF-3 */
		BSR_ASSERT(!bsr_repl_is_verify(pd->repl) ||
			   (vol->disk == BSR_DISK_UP_TO_DATE && pd->disk == BSR_DISK_UP_TO_DATE));
	}
	BSR_ASSERT(mirror == vol->mirror_mask); /* ST-3 */
	BSR_ASSERT(verifies == vol->verifies);
	BSR_ASSERT(vol->disk != BSR_DISK_DISKLESS || (!vol->bitmap && !vol->al && !vol->md_usable));
	BSR_ASSERT(vol->disk < BSR_DISK_INCONSISTENT || (vol->bitmap && vol->al && vol->md_usable));
	BSR_ASSERT(vol->sb_durable <= vol->sb_issued && vol->sb_issued <= vol->sb_wanted);
	if (vol->bitmap && vol->size_bytes != 0 && vol->disk >= BSR_DISK_INCONSISTENT) {
		for (uint32_t slot = 0; slot < vol->sb.max_peers; slot++) {
			BSR_ASSERT(bsr_bitmap_weight(vol->bitmap, slot) <= bsr_volume_bits(vol));
		}
	}
}

static void check_requests(const struct bsr_engine *e)
{
	uint32_t used = 0;
	uint32_t per_volume[BSR_VOLUMES_MAX] = {0};
	for (uint32_t i = 0; i < BSR_REQUESTS_MAX; i++) {
		const struct bsr_request *rq = &e->request[i];
		if (rq->stage == BSR_RQ_FREE) {
			continue;
		}
		used++;
		per_volume[rq->volume]++;
		BSR_ASSERT(e->volume[rq->volume] != NULL);
		BSR_ASSERT((rq->await_acks & ~rq->await_any) == 0);
		for (uint32_t mask = rq->await_any | rq->await_flush; mask; mask &= mask - 1) {
			const struct bsr_peer *p = e->peer[__builtin_ctz(mask)];
			BSR_ASSERT(p && p->hs_stage == BSR_HS_COMPLETE);
		}
	}
	BSR_ASSERT(used == e->request_count);
	for (uint32_t v = 0; v < BSR_VOLUMES_MAX; v++) {
		BSR_ASSERT(!e->volume[v] || e->volume[v]->requests == per_volume[v]);
	}
}

void bsr_engine_check(const struct bsr_engine *e)
{
	for (uint32_t v = 0; v < BSR_VOLUMES_MAX; v++) {
		if (e->volume[v]) {
			check_volume(e, e->volume[v]);
		}
	}
	for (uint32_t node = 0; node < BSR_NODES_MAX; node++) {
		const struct bsr_peer *p = e->peer[node];
		if (!p) {
			continue;
		}
		BSR_ASSERT((p->conn == BSR_CONN_CONNECTED) == (p->hs_stage == BSR_HS_COMPLETE));
		BSR_ASSERT(p->conn == BSR_CONN_CONNECTED || p->role == BSR_ROLE_UNKNOWN); /* ST-1 */
		BSR_ASSERT(p->log_from == BSR_NEVER || p->hs_stage == BSR_HS_COMPLETE);
		BSR_ASSERT(!p->link_up || p->link_active);
	}
	BSR_ASSERT(e->log_head <= e->log_tail && e->log_tail - e->log_head <= BSR_TRANSFER_LOG_MAX);
	check_requests(e);
}
