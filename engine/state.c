// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * state.c - the one place where roles, connection, replication and disk states change
 *
 * Owns:       every state variable of resource, volume, peer and peer device; what is derived from
 *             them (who gets writes as data, whose bitmap slot is marked instead, flags in the
 *             superblock); announcing changes.
 * Invariants:
 *   ST-1  A connection below Connected has peer role Unknown, replication Off and peer disks
 *         Outdated or DUnknown.
 *   ST-2  A resync runs only between disks that are there.
 *   ST-3  mirror_mask and oos_slots agree with the states after every change.
 *   ST-4  A disk state that is better than the one published before is published, to administrators
 *         and peers, only when the superblock that proves it is durable (rule 9).
 *   ST-5  A source does not call its target's disk better than the replication state allows,
 *         whatever the peer said before it became the target: nobody reads from a disk that lacks
 *         blocks.
 */
#include "core.h"

/* Allowed moves of the connection state; bit n of entry s: s may become n. */
#define M(state) (1u << (state))
#define REASONS                                                                                               \
	(M(BSR_CONN_TIMEOUT) | M(BSR_CONN_BROKEN_PIPE) | M(BSR_CONN_NETWORK_FAILURE) |                        \
		M(BSR_CONN_PROTOCOL_ERROR) | M(BSR_CONN_TEAR_DOWN))
static const uint16_t conn_moves[BSR_CONN_STATE_COUNT] = {
	[BSR_CONN_STANDALONE] = M(BSR_CONN_UNCONNECTED),
	[BSR_CONN_DISCONNECTING] = M(BSR_CONN_STANDALONE),
	[BSR_CONN_UNCONNECTED] = M(BSR_CONN_CONNECTING) | M(BSR_CONN_DISCONNECTING),
	[BSR_CONN_TIMEOUT] = M(BSR_CONN_UNCONNECTED) | M(BSR_CONN_DISCONNECTING),
	[BSR_CONN_BROKEN_PIPE] = M(BSR_CONN_UNCONNECTED) | M(BSR_CONN_DISCONNECTING),
	[BSR_CONN_NETWORK_FAILURE] = M(BSR_CONN_UNCONNECTED) | M(BSR_CONN_DISCONNECTING),
	[BSR_CONN_PROTOCOL_ERROR] = M(BSR_CONN_UNCONNECTED) | M(BSR_CONN_DISCONNECTING),
	[BSR_CONN_TEAR_DOWN] = M(BSR_CONN_UNCONNECTED) | M(BSR_CONN_DISCONNECTING),
	[BSR_CONN_CONNECTING] = REASONS | M(BSR_CONN_CONNECTED) | M(BSR_CONN_DISCONNECTING),
	[BSR_CONN_CONNECTED] = REASONS | M(BSR_CONN_DISCONNECTING),
};
#undef M

bool bsr_repl_is_target(enum bsr_repl_state repl)
{
	return repl == BSR_REPL_WF_BITMAP_T || repl == BSR_REPL_SYNC_TARGET || repl == BSR_REPL_PAUSED_SYNC_T;
}

bool bsr_repl_is_source(enum bsr_repl_state repl)
{
	return repl == BSR_REPL_WF_BITMAP_S || repl == BSR_REPL_SYNC_SOURCE || repl == BSR_REPL_PAUSED_SYNC_S;
}

/* ------------------------------------------------------------ announcing */

void bsr_state_announce(struct bsr_engine *e, enum bsr_object object, enum bsr_action action, struct bsr_peer *p,
	struct bsr_volume *vol)
{
	struct bsr_fx_state *st = &bsr_fx_add(e, BSR_FX_STATE)->u.state;
	*st = (struct bsr_fx_state){.object = object,
		.action = action,
		.peer = p ? p->node_id : BSR_NONE,
		.volume = vol ? vol->index : BSR_NONE};
	switch (object) {
	case BSR_OBJ_RESOURCE:
		st->u.resource.role = e->role;
		st->u.resource.suspended = e->suspended;
		break;
	case BSR_OBJ_VOLUME:
		st->u.volume.disk = vol->reported_disk;
		st->u.volume.size_bytes = vol->size_bytes;
		break;
	case BSR_OBJ_PEER:
		st->u.peer.conn = p->conn;
		st->u.peer.error = p->error;
		st->u.peer.role = p->role;
		break;
	case BSR_OBJ_PEER_DEVICE:
		st->u.peer_device.repl = p->device[vol->index].repl;
		st->u.peer_device.disk = p->device[vol->index].disk;
		st->u.peer_device.paused = p->device[vol->index].paused;
		break;
	}
}

/* What the peer is told of me. Its own view of the connection is its own business. */
void bsr_state_send(struct bsr_engine *e, struct bsr_peer *p, struct bsr_volume *vol)
{
	if (p->hs_stage != BSR_HS_COMPLETE || !p->link_up) {
		return;
	}
	struct bsr_msg_state m = {.role = (uint8_t)e->role, .vnr = BSR_NONE};
	if (vol) {
		const struct bsr_peer_device *pd = &p->device[vol->index];
		m.vnr = vol->vnr;
		m.disk = (uint8_t)vol->reported_disk;
		m.repl = (uint8_t)pd->repl;
		m.paused = pd->paused & (BSR_PAUSE_USER | BSR_PAUSE_DEPENDENCY);
	}
	BSR_SEND(e, p, BSR_STREAM_CONTROL, state, BSR_MSG_STATE, &m);
}

void bsr_state_send_all(struct bsr_engine *e, struct bsr_volume *vol)
{
	struct bsr_peer *p;
	BSR_FOR_EACH_PEER (e, p) {
		bsr_state_send(e, p, vol);
	}
}

/* --------------------------------------------------------------- derived */

static bool gets_data(const struct bsr_peer *p, const struct bsr_peer_device *pd)
{
	if (p->conn != BSR_CONN_CONNECTED || !pd->exists) {
		return false;
	}
	if (pd->repl < BSR_REPL_ESTABLISHED || pd->repl >= BSR_REPL_AHEAD) {
		return false;
	}
	if (pd->repl == BSR_REPL_ESTABLISHED && pd->disk == BSR_DISK_OUTDATED) {
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
		if (pd->exists && pd->repl == BSR_REPL_ESTABLISHED && pd->disk == BSR_DISK_UP_TO_DATE && pd->slot >= 0 &&
			bsr_bitmap_weight(vol->bitmap, (uint32_t)pd->slot) == 0) {
			vol->crashed_primary = false;
		}
	}
}

void bsr_state_recompute(struct bsr_engine *e, struct bsr_volume *vol)
{
	struct bsr_peer *p;
	uint32_t mirror_slots = 0;
	vol->mirror_mask = 0;
	BSR_FOR_EACH_PEER (e, p) {
		struct bsr_peer_device *pd = &p->device[vol->index];
		pd->mirrored = gets_data(p, pd);
		if (pd->mirrored) {
			vol->mirror_mask |= bsr_node_bit(p->node_id);
			mirror_slots |= pd->slot >= 0 ? 1u << pd->slot : 0;
		}
	}
	vol->oos_slots = 0;
	for (uint32_t node = 0; vol->md_usable && node < BSR_NODES_MAX; node++) {
		const int32_t slot = vol->sb.peer[node].bitmap_index;
		if (slot >= 0) {
			vol->oos_slots |= 1u << slot;
		}
	}
	vol->oos_slots &= ~mirror_slots;
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

void bsr_volume_set_size(struct bsr_engine *e, struct bsr_volume *vol, uint64_t size_bytes)
{
	BSR_ASSERT(size_bytes <= vol->capacity_bytes);
	if (vol->size_bytes != size_bytes) {
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

/* --------------------------------------------------------------- setters */

void bsr_state_publish_disk(struct bsr_engine *e, struct bsr_volume *vol)
{
	const enum bsr_disk_state old = vol->reported_disk;
	if (old == vol->disk || (vol->disk > old && vol->md_usable && vol->sb_durable < vol->report_sb)) {
		return; /* ST-4 */
	}
	vol->reported_disk = vol->disk;
	bsr_emit_log(e, BSR_LOGN_DISK_CHANGED, NULL, vol, old, vol->disk, 0);
	bsr_state_announce(e, BSR_OBJ_VOLUME, BSR_ACT_CHANGE, NULL, vol);
	bsr_state_send_all(e, vol);
	e->kick = true;
}

void bsr_state_set_disk(struct bsr_engine *e, struct bsr_volume *vol, enum bsr_disk_state next)
{
	BSR_ASSERT(next <= BSR_DISK_UP_TO_DATE && next != BSR_DISK_UNKNOWN);
	if (vol->disk == next) {
		return;
	}
	vol->disk = next;
	bsr_state_recompute(e, vol);
	vol->report_sb = vol->sb_wanted;
	bsr_connect_changed(e);
	bsr_state_publish_disk(e, vol);
	e->kick = true;
}

void bsr_state_set_role(struct bsr_engine *e, enum bsr_role next)
{
	BSR_ASSERT(next == BSR_ROLE_PRIMARY || next == BSR_ROLE_SECONDARY);
	if (e->role == next) {
		return;
	}
	struct bsr_volume *vol;
	e->role = next;
	BSR_FOR_EACH_VOLUME (e, vol) {
		bsr_state_recompute(e, vol);
	}
	bsr_connect_changed(e);
	bsr_emit_log(e, BSR_LOGN_ROLE_CHANGED, NULL, NULL, next, 0, 0);
	bsr_state_announce(e, BSR_OBJ_RESOURCE, BSR_ACT_CHANGE, NULL, NULL);
	bsr_state_send_all(e, NULL);
	e->kick = true;
}

void bsr_state_set_suspended(struct bsr_engine *e, uint32_t suspended)
{
	if (e->suspended == suspended) {
		return;
	}
	e->suspended = suspended;
	bsr_state_announce(e, BSR_OBJ_RESOURCE, BSR_ACT_CHANGE, NULL, NULL);
	e->kick = true;
}

void bsr_state_set_peer_role(struct bsr_engine *e, struct bsr_peer *p, enum bsr_role next)
{
	BSR_ASSERT(next == BSR_ROLE_UNKNOWN || p->conn == BSR_CONN_CONNECTED); /* ST-1 */
	if (p->role != next) {
		p->role = next;
		bsr_state_announce(e, BSR_OBJ_PEER, BSR_ACT_CHANGE, p, NULL);
		e->kick = true;
	}
}

/* ST-5 */
static enum bsr_disk_state clamp_peer_disk(
	enum bsr_repl_state repl, enum bsr_disk_state disk, bool stale)
{
	if (stale && disk > BSR_DISK_OUTDATED) {
		return BSR_DISK_OUTDATED;
	}
	if (repl == BSR_REPL_SYNC_SOURCE && disk > BSR_DISK_INCONSISTENT) {
		return BSR_DISK_INCONSISTENT;
	}
	return bsr_repl_is_source(repl) && disk == BSR_DISK_UP_TO_DATE ? BSR_DISK_CONSISTENT : disk;
}

void bsr_state_set_repl(struct bsr_engine *e, struct bsr_peer *p, struct bsr_volume *vol, enum bsr_repl_state next)
{
	struct bsr_peer_device *pd = &p->device[vol->index];
	BSR_ASSERT(next == BSR_REPL_OFF || p->conn == BSR_CONN_CONNECTED); /* ST-1 */
	BSR_ASSERT(!bsr_repl_is_target(next) || vol->disk >= BSR_DISK_INCONSISTENT); /* ST-2 */
	if (pd->repl == next) {
		return;
	}
	pd->repl = next;
	pd->disk = clamp_peer_disk(next, pd->disk, pd->stale);
	bsr_state_recompute(e, vol);
	bsr_state_announce(e, BSR_OBJ_PEER_DEVICE, BSR_ACT_CHANGE, p, vol);
	bsr_state_send(e, p, vol);
	e->kick = true;
}

void bsr_state_set_peer_disk(
	struct bsr_engine *e, struct bsr_peer *p, struct bsr_volume *vol, enum bsr_disk_state next)
{
	struct bsr_peer_device *pd = &p->device[vol->index];
	next = clamp_peer_disk(pd->repl, next, pd->stale);
	if (pd->disk != next) {
		pd->disk = next;
		bsr_state_recompute(e, vol);
		bsr_state_announce(e, BSR_OBJ_PEER_DEVICE, BSR_ACT_CHANGE, p, vol);
		e->kick = true;
	}
}

void bsr_state_set_paused(struct bsr_engine *e, struct bsr_peer *p, struct bsr_volume *vol, uint32_t paused)
{
	struct bsr_peer_device *pd = &p->device[vol->index];
	const uint32_t told = BSR_PAUSE_USER | BSR_PAUSE_DEPENDENCY;
	if (pd->paused == paused) {
		return;
	}
	const bool tell = (pd->paused & told) != (paused & told);
	pd->paused = paused;
	bsr_state_announce(e, BSR_OBJ_PEER_DEVICE, BSR_ACT_CHANGE, p, vol);
	if (tell) {
		bsr_state_send(e, p, vol);
	}
	bsr_resync_paused_changed(e, p, vol);
	e->kick = true;
}

/* ST-1: what follows from having no connection. */
static void forget_peer_states(struct bsr_engine *e, struct bsr_peer *p)
{
	struct bsr_volume *vol;
	p->role = BSR_ROLE_UNKNOWN;
	BSR_FOR_EACH_VOLUME (e, vol) {
		struct bsr_peer_device *pd = &p->device[vol->index];
		if (!pd->exists) {
			continue;
		}
		const enum bsr_disk_state disk =
			pd->disk == BSR_DISK_OUTDATED ? BSR_DISK_OUTDATED : BSR_DISK_UNKNOWN;
		const bool changed = pd->repl != BSR_REPL_OFF || pd->disk != disk || (pd->paused & BSR_PAUSE_PEER);
		pd->repl = BSR_REPL_OFF;
		pd->disk = disk;
		pd->paused &= ~BSR_PAUSE_PEER;
		bsr_state_recompute(e, vol);
		if (changed) {
			bsr_state_announce(e, BSR_OBJ_PEER_DEVICE, BSR_ACT_CHANGE, p, vol);
		}
	}
}

void bsr_state_set_conn(struct bsr_engine *e, struct bsr_peer *p, enum bsr_conn_state next)
{
	if (p->conn == next) {
		return;
	}
	BSR_ASSERT((uint32_t)next < BSR_CONN_STATE_COUNT);
	BSR_ASSERT((conn_moves[p->conn] & (1u << next)) != 0);
	const enum bsr_conn_state old = p->conn;
	p->conn = next;
	bsr_emit_log(e, BSR_LOGN_CONN_CHANGED, p, NULL, old, next, 0);
	if (old == BSR_CONN_CONNECTED) {
		forget_peer_states(e, p);
	}
	bsr_state_announce(e, BSR_OBJ_PEER, BSR_ACT_CHANGE, p, NULL);
	e->kick = true;
}
