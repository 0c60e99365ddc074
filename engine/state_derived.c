// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * state_derived.c - what follows from states and bitmap slots: who gets writes, whose bits are set, flags in the superblock
 *
 * Owns:       mirrored, mirror_mask, oos_slots, writable; the flags of the superblock that say what a state was. Keeps ST-3 (state.c).
 */
#include "core.h"

static bool gets_data(const struct bsr_peer *p, const struct bsr_peer_device *pd)
{
	if (p->conn != BSR_CONN_CONNECTED || !pd->exists) {
		return false;
	}
	if (pd->repl < BSR_REPL_ESTABLISHED || pd->repl >= BSR_REPL_AHEAD) {
		return false;
	}
	if (bsr_repl_is_steady(pd->repl) && pd->disk == BSR_DISK_OUTDATED) {
		return false; /* it lacks blocks and would refuse newer ones (RX-4) */
	}
	return pd->disk >= BSR_DISK_INCONSISTENT && pd->disk != BSR_DISK_UNKNOWN;
}

static uint32_t device_flags(const struct bsr_engine *e, const struct bsr_volume *vol)
{
	const enum bsr_disk_state disk = vol->sync_result ? vol->sync_result : vol->disk;
	uint32_t flags = vol->sb.flags & ~(BSR_MDF_PRIMARY_IND | BSR_MDF_CRASHED_PRIMARY);
	if (disk > BSR_DISK_NEGOTIATING) {
		flags &= ~(BSR_MDF_CONSISTENT | BSR_MDF_WAS_UP_TO_DATE);
		flags |= disk > BSR_DISK_INCONSISTENT ? BSR_MDF_CONSISTENT : 0;
		flags |= disk > BSR_DISK_OUTDATED ? BSR_MDF_WAS_UP_TO_DATE : 0;
	}
	flags |= e->role == BSR_ROLE_PRIMARY && !BSR_MUTATION(53) ? BSR_MDF_PRIMARY_IND : 0;
	flags |= vol->crashed_primary ? BSR_MDF_CRASHED_PRIMARY : 0;
	return flags;
}

static uint32_t peer_flags(const struct bsr_peer_device *pd, uint32_t flags)
{
	flags &= ~(BSR_MDPF_CONNECTED | BSR_MDPF_OUTDATED);
	flags |= pd->repl > BSR_REPL_OFF ? BSR_MDPF_CONNECTED : 0;
	flags |= pd->disk == BSR_DISK_INCONSISTENT || pd->disk == BSR_DISK_OUTDATED ? BSR_MDPF_OUTDATED : 0;
	flags |= pd->disk >= BSR_DISK_INCONSISTENT && pd->disk != BSR_DISK_UNKNOWN ? BSR_MDPF_DEVICE_SEEN : 0;
	return flags;
}

static void update_superblock_flags(struct bsr_engine *e, struct bsr_volume *vol)
{
	if (!vol->md_usable || vol->disk <= BSR_DISK_ATTACHING) {
		return;
	}
	bool dirty = false;
	const uint32_t flags = device_flags(e, vol);
	if (flags != vol->sb.flags) {
		vol->sb.flags = flags;
		dirty = true;
	}
	struct bsr_peer *p;
	BSR_FOR_EACH_PEER (e, p) {
		struct bsr_superblock_peer *sp = &vol->sb.peer[p->node_id];
		const struct bsr_peer_device *pd = &p->device[vol->index];
		const uint32_t next = pd->exists && sp->bitmap_index >= 0 ? peer_flags(pd, sp->flags) : sp->flags;
		if (next != sp->flags) {
			sp->flags = next;
			dirty = true;
		}
	}
	if (dirty) {
		bsr_md_superblock_dirty(e, vol);
	}
}

/* A crash as Primary is settled once some peer has the same, complete data. */
static void settle_crash(struct bsr_engine *e, struct bsr_volume *vol)
{
	struct bsr_peer *p;
	if (!vol->crashed_primary || vol->disk != BSR_DISK_UP_TO_DATE || !vol->bitmap) {
		return;
	}
	BSR_FOR_EACH_PEER (e, p) {
		const struct bsr_peer_device *pd = &p->device[vol->index];
		if (pd->exists && bsr_repl_is_steady(pd->repl) && pd->disk == BSR_DISK_UP_TO_DATE && pd->slot >= 0 &&
			bsr_bitmap_weight(vol->bitmap, (uint32_t)pd->slot) == 0) {
			vol->crashed_primary = false;
		}
	}
}

/* A volume was added to a Primary, and a peer's disk has its first data: applications read them there from now on. */
static void expose_added(struct bsr_engine *e, struct bsr_volume *vol)
{
	if (e->role != BSR_ROLE_PRIMARY || vol->disk >= (bsr_mesh_on(e) ? BSR_DISK_UP_TO_DATE : BSR_DISK_INCONSISTENT) ||
		vol->exposed_unknown || vol->exposed_gi.v != BSR_GI_NONE) {
		return;
	}
	const struct bsr_peer *p = bsr_state_up_to_date_peer(e, vol, 0);
	if (p && bsr_connect_serves(p, vol)) {
		vol->exposed_gi = p->device[vol->index].peer_current;
		if (bsr_mesh_on(e)) {
			bsr_gi_want_new(e, vol); /* a third node may have these data, too, and will lack what is written now */
		}
	}
}

void bsr_state_recompute(struct bsr_engine *e, struct bsr_volume *vol)
{
	struct bsr_peer *p;
	uint32_t mirror_slots = 0;
	bool preparing = false;
	const uint32_t before = vol->mirror_mask;
	vol->mirror_mask = 0;
	BSR_FOR_EACH_PEER (e, p) {
		struct bsr_peer_device *pd = &p->device[vol->index];
		pd->mirrored = gets_data(p, pd);
		preparing = preparing || pd->repl == BSR_REPL_WF_BITMAP_T;
		if (pd->mirrored) {
			vol->mirror_mask |= bsr_node_bit(p->node_id);
			mirror_slots |= pd->slot >= 0 ? 1u << pd->slot : 0;
		}
	}
	/* RX-4: on a disk that lacks blocks no newer write before it is durably Inconsistent */
	vol->writable = vol->disk >= BSR_DISK_INCONSISTENT && !(preparing && vol->disk > BSR_DISK_INCONSISTENT);
	vol->oos_slots = 0;
	vol->owners = 0;
	for (uint32_t node = 0; vol->md_usable && node < BSR_NODES_MAX; node++) {
		const int32_t slot = vol->sb.peer[node].bitmap_index;
		if (slot >= 0 && !(BSR_MUTATION(80) && !e->peer[node])) {
			vol->oos_slots |= 1u << slot;
			vol->owners |= bsr_node_bit(node);
		}
	}
	vol->oos_slots &= ~mirror_slots;
	for (uint32_t left = bsr_mesh_on(e) ? 0 : before & ~vol->mirror_mask; left; left &= left - 1) {
		p = e->peer[__builtin_ctz(left)];
		p ? bsr_gi_peer_lost(e, p, vol) : bsr_gi_want_new(e, vol); /* GI-1 */
	}
	if (e->role == BSR_ROLE_SECONDARY && vol->disk == BSR_DISK_DISKLESS && bsr_state_up_to_date_peer(e, vol, 0)) {
		vol->left_behind = !BSR_MUTATION(83); /* whatever the disk's record says when it comes: the peer may have gone on */
	}
	expose_added(e, vol);
	settle_crash(e, vol);
	update_superblock_flags(e, vol);
}

struct bsr_peer *bsr_state_up_to_date_peer(struct bsr_engine *e, struct bsr_volume *vol, uint32_t except_mask)
{
	struct bsr_peer *p;
	BSR_FOR_EACH_PEER (e, p) {
		const struct bsr_peer_device *pd = &p->device[vol->index];
		if (p->conn == BSR_CONN_CONNECTED && pd->exists && pd->disk == BSR_DISK_UP_TO_DATE &&
			!(except_mask & bsr_node_bit(p->node_id))) {
			return p;
		}
	}
	return NULL;
}

uint64_t bsr_volume_bits(const struct bsr_volume *vol)
{
	return bsr_div_ceil_u64(vol->size_bytes, BSR_BITMAP_BLOCK_BYTES);
}

void bsr_volume_learn_size(struct bsr_engine *e, struct bsr_volume *vol, uint64_t size_bytes)
{
	BSR_ASSERT(!vol->md_usable && vol->size_bytes == 0);
	vol->size_bytes = size_bytes;
	bsr_state_announce(e, BSR_OBJ_VOLUME, BSR_ACT_CHANGE, NULL, vol);
}

void bsr_volume_set_size(struct bsr_engine *e, struct bsr_volume *vol, uint64_t size_bytes)
{
	BSR_ASSERT(size_bytes <= vol->capacity_bytes);
	if (vol->size_bytes != size_bytes || vol->sb.effective_sectors != size_bytes / BSR_SECTOR_BYTES) {
		vol->size_bytes = size_bytes;
		vol->sb.effective_sectors = size_bytes / BSR_SECTOR_BYTES;
		bsr_md_superblock_dirty(e, vol);
		bsr_state_announce(e, BSR_OBJ_VOLUME, BSR_ACT_CHANGE, NULL, vol);
	}
	const uint64_t first = bsr_volume_bits(vol);
	const uint64_t all = bsr_bitmap_bit_count(vol->bitmap);
	for (uint32_t slot = 0; slot < vol->sb.max_peers && first < all; slot++) {
		bsr_bitmap_clear(vol->bitmap, slot, first, all - first);
	}
}

