// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * detach.c - a disk goes: taken out in order, or given up after an error
 *
 * Owns:       the steps of detach, and what happens when a disk fails.
 * Invariants:
 *   AT-2  A disk is given back to the host only when nothing is under way on it.
 *   AT-4  A Primary's disk is taken out in order only when the peers that go on for it have confirmed everything that was
 *         acknowledged: what a protocol lets them be behind is nowhere else afterwards. New writes wait for it.
 */
#include "core.h"

/*
 * Somebody who was taken out of the configuration may come back. If it lacks something, is it still in the generation that
 * applications have been shown? Also when the next one has begun for its sake, and this disk could not record it any more.
 */
static bool missing_at_gone_peer(const struct bsr_engine *e, const struct bsr_volume *vol)
{
	const bool untold = vol->gi_busy && !vol->gi_told;
	const uint32_t in_it = untold ? vol->owners : bsr_gi_may_have_current(e, vol);
	bool missing = false;
	for (uint32_t gone = in_it & vol->owners & ~e->peer_mask; gone; gone &= gone - 1) {
		const int32_t slot = vol->sb.peer[__builtin_ctz(gone)].bitmap_index;
		missing = missing || bsr_bitmap_weight(vol->bitmap, (uint32_t)slot) != 0;
	}
	return missing && !BSR_MUTATION(142);
}

/*
 * A Primary's disk takes with it what it had alone. Peers that lack some of it must not serve its applications: with them
 * the exposed generation becomes one that nobody has.
 */
static void judge_peers_without_disk(struct bsr_engine *e, struct bsr_volume *vol)
{
	struct bsr_peer *p;
	if (vol->left_from < BSR_DISK_INCONSISTENT) {
		return; /* it had not taken part */
	}
	if (e->role != BSR_ROLE_PRIMARY || !vol->bitmap) {
		return;
	}
	bool missing = missing_at_gone_peer(e, vol);
	struct bsr_state *s = bsr_state_propose(e);
	BSR_FOR_EACH_PEER (e, p) {
		const struct bsr_peer_device *pd = &p->device[vol->index];
		/* bits toward a peer that took every write name what this disk could not write itself */
		const bool took_all = pd->mirrored && pd->repl == BSR_REPL_ESTABLISHED && !pd->refused && !pd->stale;
		if (!took_all && pd->slot >= 0 && bsr_bitmap_weight(vol->bitmap, (uint32_t)pd->slot) != 0) {
			missing = true;
			s->device[p->node_id][vol->index].stale = true;
		}
	}
	bsr_state_change(e);
	if (missing && bsr_mesh_on(e) && !BSR_MUTATION(155)) {
		bsr_gi_want_new(e, vol); /* they are in the generation that has just begun, and do not count any more */
	}
	if (missing && !bsr_state_up_to_date_peer(e, vol, 0)) {
		vol->exposed_gi = bsr_gi_random(e);
	}
}

void bsr_disk_gone(struct bsr_engine *e, struct bsr_volume *vol)
{
	BSR_ASSERT(vol->lower_pending == 0); /* AT-2 */
	struct bsr_peer *p;
	vol->attach_step = BSR_AT_NONE;
	judge_peers_without_disk(e, vol);
	if (vol->bitmap) {
		bsr_heard_volume_leaves(e, vol);
	}
	BSR_FOR_EACH_PEER (e, p) {
		p->device[vol->index].slot = -1;
		p->device[vol->index].writes_here = false;
		p->device[vol->index].heard_ticket = 0;
	}
	vol->heard_sb = 0;
	vol->adopt_from = BSR_NONE;
	vol->sync_from = BSR_NONE;
	bsr_log_forget_pins(e, vol);
	bsr_volume_free_disk(e, vol);
	/* with several peers a generation that they have been told of goes on, and one that was wanted begins on their disks */
	const bool goes_on = bsr_mesh_on(e) && e->role == BSR_ROLE_PRIMARY;
	const bool untold = vol->gi_busy && !vol->gi_told && goes_on;
	if (untold) {
		bsr_gi_tell(e, vol); /* the disk has it, perhaps */
	}
	const bool told = vol->gi_busy && goes_on;
	vol->gi_wanted = goes_on && (vol->gi_wanted || untold);
	vol->gi_busy = told;
	vol->gi_await = told ? vol->gi_await : 0;
	vol->gi_sb_target = 0;
	vol->sb_wanted = vol->sb_durable = vol->sb_issued = 0;
	vol->sweeping = false;
	vol->sweeps_wanted = vol->sweeps_done = 0;
	vol->al_step = 0;
	bsr_state_propose(e)->volume[vol->index] = (struct bsr_volume_state){.disk = BSR_DISK_DISKLESS};
	bsr_state_change(e);
	bsr_fx_add(e, BSR_FX_DISK_GONE)->u.disk_gone_volume = vol->index;
	bsr_receive_record_progress(e, vol);
	BSR_FOR_EACH_PEER (e, p) {
		bsr_heard_al_progress(e, vol);
		bsr_receive_progress(e, p); /* what waited for this disk's new generation goes on, and fails */
	}
}

/* From here the disk takes part in nothing new. */
void bsr_disk_leaves(
	struct bsr_engine *e, struct bsr_volume *vol, enum bsr_attach_step step, enum bsr_disk_state next)
{
	struct bsr_peer *p;
	vol->left_behind = bsr_state_up_to_date_peer(e, vol, 0) != NULL && !BSR_MUTATION(83);
	BSR_FOR_EACH_PEER (e, p) {
		if (p->device[vol->index].exists && p->device[vol->index].repl > BSR_REPL_ESTABLISHED) {
			bsr_resync_stop(e, p, vol);
			bsr_state_set_repl(e, p, vol, BSR_REPL_ESTABLISHED);
		}
	}
	if (vol->disk != BSR_DISK_DETACHING && vol->disk != BSR_DISK_FAILED) {
		vol->left_from = vol->disk;
	}
	vol->left_clean = false;
	e->leaving &= ~(1ull << vol->index);
	vol->disk_lost_at = vol->left_from >= BSR_DISK_INCONSISTENT ? e->log_tail : vol->disk_lost_at;
	vol->attach_step = step;
	bsr_state_set_disk(e, vol, next);
	if (e->role == BSR_ROLE_PRIMARY) {
		bsr_state_send_behind_writes(e, vol);
	}
	if (bsr_mesh_on(e)) {
		bsr_gi_want_new(e, vol);
	}
	bsr_request_al_progress(e, vol);
	e->kick = true;
}

/* Of a volume whose disk leaves; those that are held were never submitted, and may wait for another disk. */
static bool requests_under_way(const struct bsr_engine *e, const struct bsr_volume *vol)
{
	uint32_t held = 0;
	for (const struct bsr_list *l = e->held.next; l != &e->held; l = l->next) {
		held += BSR_CONTAINER(l, struct bsr_request, link)->volume == vol->index;
	}
	return vol->requests != held;
}

/* True when everything that must be on disk before the disk is given back is there. */
static bool detach_written(struct bsr_engine *e, struct bsr_volume *vol)
{
	if (vol->detach_ticket == 0) {
		if (requests_under_way(e, vol) || vol->lower_pending != 0) {
			return false;
		}
		vol->detach_ticket = bsr_md_sweep(e, vol);
	}
	if (!vol->detach_swept) {
		if (!bsr_md_swept(vol, vol->detach_ticket)) {
			return false;
		}
		vol->detach_swept = true;
		if (vol->left_behind || (bsr_state_up_to_date_peer(e, vol, 0) && !BSR_MUTATION(83))) {
			vol->sb.flags &= ~BSR_MDF_WAS_UP_TO_DATE;
		}
		bsr_md_superblock_dirty(e, vol); /* flushes the bitmap, too */
	}
	return bsr_md_superblock_clean(vol);
}

void bsr_detach_progress(struct bsr_engine *e, struct bsr_volume *vol)
{
	if (vol->attach_step == BSR_AT_DETACHING && !detach_written(e, vol)) {
		return;
	}
	if (vol->lower_pending != 0) {
		return;
	}
	const uint32_t cmd_id = vol->detach_cmd;
	const uint32_t attach_cmd = vol->attach_cmd;
	vol->detach_cmd = BSR_NONE;
	vol->attach_cmd = BSR_NONE;
	vol->left_clean = vol->attach_step == BSR_AT_DETACHING && vol->left_from == BSR_DISK_UP_TO_DATE;
	bsr_disk_gone(e, vol);
	bsr_request_disk_gone(e, vol);
	bsr_emit_command_done(e, attach_cmd, -BSR_E_IO, BSR_NONE, vol->index);
	bsr_emit_command_done(e, cmd_id, 0, BSR_NONE, vol->index);
}

/* AT-4: nothing is written without this disk before its record says that peers go on without it. */
static bool may_leave(struct bsr_engine *e, struct bsr_volume *vol)
{
	if (e->role != BSR_ROLE_PRIMARY) {
		return true;
	}
	if (!bsr_log_confirmed(e, vol)) {
		return false;
	}
	if (vol->disk == BSR_DISK_UP_TO_DATE && bsr_state_up_to_date_peer(e, vol, 0)) {
		bsr_state_set_disk(e, vol, BSR_DISK_OUTDATED);
	}
	return vol->disk < BSR_DISK_INCONSISTENT || bsr_md_superblock_clean(vol);
}

void bsr_detach_when_confirmed(struct bsr_engine *e, struct bsr_volume *vol)
{
	const bool wanted = (e->leaving >> vol->index & 1u) != 0 && vol->attach_step == BSR_AT_NONE;
	if (wanted && may_leave(e, vol)) {
		bsr_disk_leaves(e, vol, BSR_AT_DETACHING, BSR_DISK_DETACHING);
		bsr_heard_volume_leaves(e, vol);
	}
}

void bsr_detach_begin(struct bsr_engine *e, struct bsr_volume *vol, uint32_t cmd_id)
{
	vol->detach_cmd = cmd_id;
	vol->detach_ticket = 0;
	vol->detach_swept = false;
	e->leaving |= 1ull << vol->index;
	bsr_detach_when_confirmed(e, vol);
}

/* Metadata can no longer be relied on: the disk is dropped, whatever the policy for data errors says. */
void bsr_md_failed(struct bsr_engine *e, struct bsr_volume *vol)
{
	if (vol->attach_step == BSR_AT_FAILING) {
		return;
	}
	bsr_emit_log(e, BSR_LOGN_MD_IO_ERROR, NULL, vol, 0, 0, 0);
	if (vol->attach_cmd != BSR_NONE) {
		bsr_emit_command_done(e, vol->attach_cmd, -BSR_E_MD_IO, BSR_NONE, vol->index);
		vol->attach_cmd = BSR_NONE;
	}
	bsr_disk_leaves(e, vol, BSR_AT_FAILING, BSR_DISK_FAILED);
}

/* The disk stays, and nobody knows what the range of a failed write holds now. */
static void mark_unknown(struct bsr_engine *e, struct bsr_volume *vol, uint64_t offset, uint32_t length)
{
	struct bsr_peer *p;
	for (uint32_t node = 0; node < BSR_NODES_MAX; node++) {
		bsr_md_set_bits(e, vol, vol->sb.peer[node].bitmap_index, offset, length);
	}
	BSR_FOR_EACH_PEER (e, p) {
		struct bsr_peer_device *pd = &p->device[vol->index];
		if (pd->exists && (bsr_repl_is_source(pd->repl) || bsr_repl_is_target(pd->repl))) {
			bsr_resync_unsure(pd, offset, length);
		}
	}
}

/* pass_on: also a target whose record says already that it is complete. */
static void becomes_inconsistent(struct bsr_engine *e, struct bsr_volume *vol)
{
	struct bsr_peer *p;
	const bool complete = vol->sync_result > BSR_DISK_INCONSISTENT;
	if (vol->disk <= BSR_DISK_INCONSISTENT && !complete) {
		return;
	}
	vol->disk_lost_at = e->log_tail; /* it is nobody's source any more */
	struct bsr_volume_state *s = &bsr_state_propose(e)->volume[vol->index];
	s->recorded = 0;
	s->disk = BSR_DISK_INCONSISTENT;
	bsr_state_change(e);
	BSR_FOR_EACH_PEER (e, p) {
		if (complete && bsr_repl_is_target(p->device[vol->index].repl)) {
			bsr_resync_stop(e, p, vol);
			bsr_state_set_repl(e, p, vol, BSR_REPL_ESTABLISHED);
			bsr_state_send(e, p, vol); /* it may believe that I am UpToDate */
		}
	}
	bsr_gi_await_record(e, vol);
}

void bsr_disk_error(struct bsr_engine *e, struct bsr_volume *vol, bool write, uint64_t offset, uint32_t length)
{
	vol->io_errors++;
	bsr_emit_log(e, BSR_LOGN_IO_ERROR, NULL, vol, offset, length, write);
	if (vol->disk <= BSR_DISK_FAILED) {
		return;
	}
	switch (vol->options.on_io_error) {
	case BSR_IO_ERROR_PASSTHROUGH:
		if (vol->options.max_passthrough_count == 0 || vol->io_errors - vol->old_io_errors <= vol->options.max_passthrough_count) {
			if (write) {
				mark_unknown(e, vol, offset, length);
			}
			return;
		}
		break;
	case BSR_IO_ERROR_PASS_ON:
		if (write) {
			mark_unknown(e, vol, offset, length);
		}
		becomes_inconsistent(e, vol);
		return;
	case BSR_IO_ERROR_CALL_HANDLER: {
		struct bsr_effect *fx = bsr_fx_add(e, BSR_FX_HANDLER);
		fx->u.handler = (struct bsr_fx_handler){.handler_id = ++e->next_handler,
			.handler = BSR_HANDLER_LOCAL_IO_ERROR,
			.peer = BSR_NONE,
			.volume = vol->index};
		break;
	}
	case BSR_IO_ERROR_DETACH:
		break;
	}
	bsr_disk_leaves(e, vol, BSR_AT_FAILING, BSR_DISK_FAILED);
}
