// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * forget.c - a node that will not come back gives up its place in the metadata
 *
 * Owns:       the steps of the command forget-peer.
 * Invariants:
 *   FP-1  A node is forgotten only when nobody writes in a generation that it may have: otherwise, if it went on alone and
 *         came back after all, both would hold different data of one generation, and no record would say so.
 *   FP-2  All bits of the slot are set, durably, before the slot is free: whoever has it next finds nothing of its former
 *         owner in it, and the former owner, if it comes back, gets everything.
 */
#include "core.h"

enum forget_step { FORGET_GENERATION = 0, FORGET_BITS, FORGET_SLOT };

static bool has_slot(const struct bsr_volume *vol, uint32_t node)
{
	return vol->md_usable && vol->sb.peer[node].bitmap_index >= 0;
}

/* FP-1; a disk that is left behind itself is in no generation that goes on, unless a third node brings it up to one */
static bool may_share_generation(const struct bsr_engine *e, const struct bsr_volume *vol, uint32_t node)
{
	const bool data = (vol->sb.current_gi.v & BSR_GI_MASK) != BSR_GI_JUST_CREATED;
	const bool goes_on = vol->disk > BSR_DISK_OUTDATED || (vol->owners & ~bsr_node_bit(node)) != 0;
	return data && goes_on && (bsr_gi_may_have_current(e, vol) & bsr_node_bit(node)) != 0;
}

static int32_t check_volume(struct bsr_engine *e, const struct bsr_volume *vol, uint32_t node)
{
	if (vol->attach_step != BSR_AT_NONE || vol->disk == BSR_DISK_NEGOTIATING) {
		return -BSR_E_IN_TRANSIENT_STATE;
	}
	if (!vol->md_usable || vol->disk < BSR_DISK_INCONSISTENT) {
		return -BSR_E_NO_DISK;
	}
	if (!has_slot(vol, node)) {
		return 0;
	}
	if (e->role == BSR_ROLE_PRIMARY) {
		return vol->disk < BSR_DISK_UP_TO_DATE ? -BSR_E_RESYNC_RUNNING : 0;
	}
	/* with a base it was left behind, here or by who began this generation */
	const bool left_behind = vol->sb.peer[node].bitmap_gi.v != BSR_GI_NONE;
	/* who knows nobody else begins one when it is promoted; with others it is for a Primary to tell them */
	const bool nobody_else = e->peer_mask == 0 && vol->owners == bsr_node_bit(node);
	return may_share_generation(e, vol, node) && !left_behind && !nobody_else ? -BSR_E_PEER_IN_STEP : 0;
}

static int32_t check(struct bsr_engine *e, uint32_t node, uint32_t *cause)
{
	struct bsr_volume *vol;
	bool slot = false;
	if (node >= BSR_NODES_MAX || node == e->node_id) {
		return -BSR_E_PEER_ID;
	}
	if (e->peer[node]) {
		return -BSR_E_PEER_CONFIGURED;
	}
	BSR_FOR_EACH_VOLUME (e, vol) {
		const int32_t ret = check_volume(e, vol, node);
		if (ret < 0) {
			*cause = vol->index;
			return ret;
		}
		slot = slot || has_slot(vol, node);
	}
	return slot ? 0 : -BSR_E_NO_SLOT;
}

void bsr_forget_peer(struct bsr_engine *e, const struct bsr_ev_command *c)
{
	struct bsr_volume *vol;
	const uint32_t node = c->cmd->peer;
	uint32_t cause = BSR_NONE;
	const int32_t ret = check(e, node, &cause);
	if (ret < 0) {
		bsr_emit_command_done(e, c->cmd_id, ret, BSR_NONE, cause);
		return;
	}
	struct bsr_task *t = bsr_task_start(e, BSR_TASK_FORGET, c);
	if (!t) {
		return;
	}
	t->node = node;
	BSR_FOR_EACH_VOLUME (e, vol) {
		if (has_slot(vol, node) && may_share_generation(e, vol, node)) {
			bsr_gi_want_new(e, vol); /* FP-1: on a Primary */
			(void)bsr_gi_hold(e, vol);
		}
	}
}

/* ------------------------------------------------------------- step by step */

static bool generations_settled(struct bsr_engine *e)
{
	struct bsr_volume *vol;
	BSR_FOR_EACH_VOLUME (e, vol) {
		if (vol->gi_wanted || vol->gi_busy) {
			return false;
		}
	}
	return bsr_task_superblocks_clean(e);
}

static void fill_slots(struct bsr_engine *e, struct bsr_task *t)
{
	struct bsr_volume *vol;
	BSR_FOR_EACH_VOLUME (e, vol) {
		t->sweep[vol->index] = 0;
		if (has_slot(vol, t->node) && bsr_bitmap_bit_count(vol->bitmap) > 0) {
			bsr_bitmap_set(vol->bitmap, (uint32_t)vol->sb.peer[t->node].bitmap_index, 0, bsr_bitmap_bit_count(vol->bitmap));
			t->sweep[vol->index] = bsr_md_sweep(e, vol);
		}
	}
}

static bool slots_filled(struct bsr_engine *e, const struct bsr_task *t)
{
	struct bsr_volume *vol;
	BSR_FOR_EACH_VOLUME (e, vol) {
		if (!bsr_md_swept(vol, t->sweep[vol->index])) {
			return false;
		}
	}
	return true;
}

static void free_slots(struct bsr_engine *e, uint32_t node)
{
	struct bsr_volume *vol;
	BSR_FOR_EACH_VOLUME (e, vol) {
		if (!has_slot(vol, node)) {
			continue;
		}
		bsr_superblock_retire_base(&vol->sb, node); /* from it on it may have gone its own way */
		bsr_superblock_forget(&vol->sb, node);
		bsr_md_superblock_dirty(e, vol);
		bsr_state_recompute(e, vol);
		bsr_connect_changed(e, 1ull << vol->index);
	}
}

/* Its record may still know the node. */
static bool lost_disk(struct bsr_engine *e, uint32_t *cause)
{
	struct bsr_volume *vol;
	BSR_FOR_EACH_VOLUME (e, vol) {
		if (vol->attach_step != BSR_AT_NONE || vol->disk < BSR_DISK_INCONSISTENT) {
			*cause = vol->index;
			return true;
		}
	}
	return false;
}

void bsr_forget_progress(struct bsr_engine *e, struct bsr_task *t)
{
	if (t->step != FORGET_SLOT) {
		uint32_t cause = BSR_NONE;
		const int32_t ret = check(e, t->node, &cause);
		if (ret < 0) {
			t->volume = cause;
			bsr_task_finish(e, t, ret); /* it has come back, or a disk has gone */
			return;
		}
	}
	if (t->step == FORGET_GENERATION && generations_settled(e)) {
		fill_slots(e, t);
		t->step = FORGET_BITS;
	}
	if (t->step == FORGET_BITS && slots_filled(e, t)) {
		free_slots(e, t->node);
		t->step = FORGET_SLOT;
	}
	if (t->step == FORGET_SLOT && bsr_task_superblocks_clean(e)) {
		bsr_task_finish(e, t, lost_disk(e, &t->volume) ? -BSR_E_NO_DISK : 0);
	}
}
