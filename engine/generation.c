// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * generation.c - generation identifiers: when a new data history begins, and who follows it
 *
 * Owns:       the wish for a new generation and its way to the disk.
 * Invariants:
 *   GI-1  After a peer that had every write is lost, a new generation is durable before the next
 *         write is acknowledged without it (I16, rule 3 of the design). So it is when a connected one declines a write.
 *   GI-2  A bitmap identifier is set only where it was none: it names the last generation the peer
 *         is known to have had.
 *   GI-3  A peer that may be told of a generation is reckoned to have it, whatever its slot names.
 */
#include "core.h"
#include "resync.h"

bool bsr_gi_equal(struct bsr_gi a, struct bsr_gi b)
{
	return ((a.v ^ b.v) & BSR_GI_MASK) == 0;
}

struct bsr_gi bsr_gi_random(struct bsr_engine *e)
{
	struct bsr_gi gi;
	do {
		gi.v = (BSR_MUTATION(96) ? ++e->dagtag * 0x9e3779b97f4a7c16ull : bsr_random(e)) & BSR_GI_MASK;
	} while (gi.v == BSR_GI_NONE || gi.v == BSR_GI_JUST_CREATED);
	return gi;
}

/*
 * A Primary whose disk is not UpToDate (none, or a target's) lives on its peers' disks: what it has shown is theirs, and
 * they begin its generations.
 */
static bool lives_elsewhere(const struct bsr_engine *e, const struct bsr_volume *vol)
{
	return bsr_mesh_on(e) && e->role == BSR_ROLE_PRIMARY &&
	       vol->disk < (BSR_MUTATION(150) ? BSR_DISK_INCONSISTENT : BSR_DISK_UP_TO_DATE);
}

struct bsr_gi bsr_gi_mine(const struct bsr_engine *e, const struct bsr_volume *vol)
{
	return lives_elsewhere(e, vol) ? vol->exposed_gi : vol->sb.current_gi;
}

void bsr_gi_peer_lost(struct bsr_engine *e, struct bsr_peer *p, struct bsr_volume *vol)
{
	const bool for_flush = vol->gi_for_flush && vol->gi_wanted;
	bsr_gi_want_new(e, vol);
	/* what it has confirmed with a checkpoint it keeps, whatever becomes of it */
	vol->gi_for_flush = for_flush || bsr_log_awaits_checkpoint(e, p, vol);
}

void bsr_gi_want_new(struct bsr_engine *e, struct bsr_volume *vol)
{
	/* a disk that is not UpToDate has no history of its own to begin: nothing is acknowledged for its sake */
	const bool own_disk = vol->md_usable && vol->disk >= BSR_DISK_UP_TO_DATE;
	if (e->role == BSR_ROLE_PRIMARY && (own_disk || bsr_mesh_on(e))) {
		vol->gi_wanted = !BSR_MUTATION(18);
		vol->gi_for_flush = true;
	}
}

/* Once, not for each write: the past that a record holds is short. A disk that was left in an older one has no claim to this one. */
void bsr_gi_peer_declined(struct bsr_engine *e, struct bsr_peer *p, struct bsr_volume *vol)
{
	const bool left_before = vol->sb.peer[p->node_id].bitmap_gi.v != BSR_GI_NONE &&
				 !bsr_gi_equal(p->hs_volume[vol->index].current, vol->sb.current_gi);
	if (vol->md_usable && !left_before && !BSR_MUTATION(130)) {
		bsr_gi_want_new(e, vol);
	}
}

/*
 * Does the node have every write of the current generation, as far as I can know? With no base in
 * its slot it does; with one, too, if it is a target of mine that may have finished without my
 * hearing of it.
 */
static bool may_have_everything(const struct bsr_superblock_peer *sp)
{
	return sp->bitmap_index >= 0 &&
	       (sp->bitmap_gi.v == BSR_GI_NONE || (sp->flags & (BSR_MDPF_IN_PROGRESS_SYNC | BSR_MDPF_MAY_HAVE_CURRENT)));
}

uint32_t bsr_gi_may_have_current(const struct bsr_engine *e, const struct bsr_volume *vol)
{
	uint32_t mask = 0;
	for (uint32_t node = 0; node < BSR_NODES_MAX; node++) {
		mask |= node != e->node_id && may_have_everything(&vol->sb.peer[node]) ? bsr_node_bit(node) : 0;
	}
	return mask;
}

/*
 * It gets every write, and lacks none: a target that still lacks some may be as far behind as one
 * that is away.
 */
static bool in_step(const struct bsr_engine *e, const struct bsr_volume *vol, uint32_t node)
{
	if (!(vol->mirror_mask & bsr_node_bit(node))) {
		return false;
	}
	const struct bsr_peer_device *pd = &e->peer[node]->device[vol->index];
	const bool source = lives_elsewhere(e, vol) && bsr_repl_is_target(pd->repl);
	return (bsr_repl_is_steady(pd->repl) || source) && pd->disk == BSR_DISK_UP_TO_DATE &&
	       (!bsr_mesh_on(e) || bsr_gi_equal(pd->peer_current, bsr_gi_mine(e, vol)));
}

uint32_t bsr_gi_in_step(const struct bsr_engine *e, const struct bsr_volume *vol)
{
	uint32_t mask = 0;
	for (uint32_t left = vol->mirror_mask; left; left &= left - 1) {
		const uint32_t node = (uint32_t)__builtin_ctz(left);
		mask |= in_step(e, vol, node) ? bsr_node_bit(node) : 0;
	}
	return mask;
}

uint32_t bsr_gi_taking_part(const struct bsr_engine *e, const struct bsr_volume *vol)
{
	return bsr_gi_in_step(e, vol) | (vol->gi_busy ? vol->gi_members & vol->mirror_mask : 0);
}

/* Whoever was here once and has been forgotten (forget.c) may have the present generation. */
static bool nobody_known(const struct bsr_volume *vol)
{
	return vol->owners == 0 && !BSR_MUTATION(162);
}

void bsr_gi_want_for_absent(struct bsr_engine *e, struct bsr_volume *vol)
{
	if (nobody_known(vol)) {
		bsr_gi_want_new(e, vol);
	}
	for (uint32_t node = 0; node < BSR_NODES_MAX; node++) {
		const bool gets_it = bsr_mesh_on(e) ? in_step(e, vol, node) : (vol->mirror_mask & bsr_node_bit(node)) != 0;
		if (may_have_everything(&vol->sb.peer[node]) && !gets_it) {
			bsr_gi_want_new(e, vol);
		}
	}
}

void bsr_gi_want_after_restart(struct bsr_engine *e, struct bsr_volume *vol)
{
	if (lives_elsewhere(e, vol) && !BSR_MUTATION(101)) {
		bsr_gi_want_new(e, vol);
	}
}

/*
 * A target that has finished says so before it can say UpToDate. When it does, it gets writes again, and is told of the
 * generation that begins here. What it says until it hears my answer is still that of a target, whose disk is Inconsistent.
 */
static bool between_two_states(const struct bsr_engine *e, const struct bsr_volume *vol, uint32_t node)
{
	const struct bsr_peer *p = e->peer[node];
	if (!p || bsr_mesh_on(e) || !bsr_peer_connected(p) || !bsr_repl_is_steady(p->device[vol->index].repl)) {
		return false;
	}
	const struct bsr_peer_device *pd = &p->device[vol->index];
	const bool unanswered = pd->disk == BSR_DISK_INCONSISTENT && pd->mirrored && bsr_repl_is_target(pd->peer_repl) &&
				bsr_resync_weight(vol, pd) == 0 && !BSR_MUTATION(170);
	return unanswered || (pd->disk == BSR_DISK_OUTDATED && !BSR_MUTATION(140));
}

/*
 * GI-2: peers without the writes to come get the old generation as their base. Returns whether
 * there was one.
 */
static bool rotate(struct bsr_engine *e, struct bsr_volume *vol)
{
	bool rotated = nobody_known(vol);
	for (uint32_t node = 0; node < BSR_NODES_MAX; node++) {
		struct bsr_superblock_peer *sp = &vol->sb.peer[node];
		const bool member = in_step(e, vol, node);
		if (member && sp->bitmap_gi.v != BSR_GI_NONE && bsr_mesh_on(e)) {
			sp->flags |= BSR_MDPF_MAY_HAVE_CURRENT; /* it takes part, whatever its slot still names */
		}
		if (node == e->node_id || member || !may_have_everything(sp)) {
			continue;
		}
		if (between_two_states(e, vol, node)) {
			sp->flags |= BSR_MDPF_MAY_HAVE_CURRENT | BSR_MDPF_MISSED_END; /* GI-3 */
		} else if (!(vol->mirror_mask & bsr_node_bit(node))) {
			/* away: at most it has the generation that ends here */
			sp->flags &= ~(BSR_MDPF_IN_PROGRESS_SYNC | BSR_MDPF_MAY_HAVE_CURRENT);
		}
		if (sp->bitmap_gi.v == BSR_GI_NONE && (vol->sb.current_gi.v & BSR_GI_MASK) != BSR_GI_JUST_CREATED) {
			sp->bitmap_gi = vol->sb.current_gi;
			sp->bitmap_dagtag = e->dagtag;
		}
		rotated = true;
	}
	return rotated;
}

/* Without a disk of my own: those who write for me begin it. */
static void create_elsewhere(struct bsr_engine *e, struct bsr_volume *vol)
{
	const struct bsr_gi old = vol->exposed_gi;
	vol->gi_wanted = false;
	vol->gi_members = bsr_gi_taking_part(e, vol);
	vol->exposed_gi = bsr_gi_random(e);
	vol->gi_next = vol->exposed_gi;
	vol->gi_busy = true;
	vol->gi_told = true; /* nothing has to be on a disk of mine before */
	vol->gi_told_ns = e->now_ns;
	vol->gi_await = 0;
	vol->gi_sb_target = 0;
	bsr_mesh_tell_generation(e, vol);
	e->kick = true;
	bsr_emit_log(e, BSR_LOGN_NEW_GENERATION, NULL, vol, vol->exposed_gi.v, old.v, 0);
	bsr_connect_changed(e, 1ull << vol->index);
}

void bsr_gi_show_other(struct bsr_engine *e, struct bsr_volume *vol)
{
	if (lives_elsewhere(e, vol) && bsr_gi_taking_part(e, vol) != 0) {
		create_elsewhere(e, vol); /* others have it, and go on */
	} else {
		vol->exposed_gi = bsr_gi_random(e);
	}
}

void bsr_gi_create(struct bsr_engine *e, struct bsr_volume *vol, bool forced)
{
	BSR_ASSERT(vol->md_usable);
	const struct bsr_gi old = vol->sb.current_gi;
	vol->gi_wanted = false;
	if (!forced && (old.v & BSR_GI_MASK) == BSR_GI_JUST_CREATED && !bsr_state_up_to_date_peer(e, vol, 0)) {
		return; /* an added volume without any data: there is nothing that somebody could lack */
	}
	vol->gi_members = bsr_gi_in_step(e, vol);
	if (!rotate(e, vol) && !forced) {
		return; /* everybody away has a base already: the history goes on */
	}
	vol->sb.current_gi = bsr_gi_random(e);
	vol->sb.current_gi.v |= e->role == BSR_ROLE_PRIMARY ? BSR_GI_PRIMARY_BIT : 0;
	bsr_superblock_push_history(&vol->sb, old);
	bsr_md_superblock_dirty(e, vol);
	vol->gi_next = vol->sb.current_gi;
	vol->gi_busy = true;
	vol->gi_told = false;
	vol->gi_await = 0;
	vol->gi_sb_target = vol->sb_wanted;
	bsr_emit_log(e, BSR_LOGN_NEW_GENERATION, NULL, vol, vol->sb.current_gi.v, old.v, 0);
	bsr_connect_changed(e, 1ull << vol->index);
}

/* No activity log guards the bits toward a sender without a disk: a crash before the next resync makes it a full one. */
static void guard_bits(struct bsr_engine *e, struct bsr_volume *vol, struct bsr_superblock_peer *sp)
{
	sp->flags |= BSR_MDPF_FULL_SYNC;
	bsr_md_superblock_dirty(e, vol);
}

void bsr_gi_sender_misses(
	struct bsr_engine *e, struct bsr_peer *p, struct bsr_volume *vol, uint64_t offset, uint32_t length)
{
	struct bsr_superblock_peer *sp = &vol->sb.peer[p->node_id];
	if (vol->disk < BSR_DISK_INCONSISTENT) {
		return;
	}
	struct bsr_peer_device *pd = &p->device[vol->index];
	bsr_md_set_bits(e, vol, p->device[vol->index].slot, offset, length);
	if (pd->served || !bsr_repl_is_source(pd->repl)) {
		bsr_resync_unsure(pd, offset, length); /* what a target writes only here before it begins, it reads again afterwards */
	}
	if (pd->disk >= BSR_DISK_INCONSISTENT && !bsr_repl_is_source(pd->repl)) {
		/* not a target that prepares: its state message is still on its way */
		bsr_state_set_peer_disk(e, p, vol, BSR_DISK_FAILED);
	}
	if (vol->disk == BSR_DISK_INCONSISTENT && !vol->sync_result) {
		/* a mixture begins nothing: the sender's disk, when it is back, is still the better one */
		if (!bsr_mesh_on(e) && !(sp->flags & BSR_MDPF_FULL_SYNC) && !BSR_MUTATION(144)) {
			guard_bits(e, vol, sp);
			vol->heard_sb = vol->sb_wanted;
		}
		return;
	}
	/* a resync that has not begun to copy cannot have ended there */
	const bool lacks_some = pd->repl == BSR_REPL_WF_BITMAP_S && sp->bitmap_gi.v != BSR_GI_NONE;
	if (may_have_everything(sp) && !lacks_some && !vol->gi_busy && !bsr_mesh_on(e)) {
		guard_bits(e, vol, sp);
		bsr_gi_create(e, vol, false);
	}
}

void bsr_gi_start_wanted(struct bsr_engine *e, struct bsr_volume *vol)
{
	if (vol->gi_wanted && !vol->gi_busy && lives_elsewhere(e, vol)) {
		if (bsr_gi_in_step(e, vol) != 0) { /* else nobody would have it, nor whoever comes back be believed */
			create_elsewhere(e, vol);
		}
	} else if (vol->gi_wanted && !vol->gi_busy && vol->attach_step == BSR_AT_NONE) {
		bsr_gi_create(e, vol, false);
	}
}

static void tell_peers(struct bsr_engine *e, struct bsr_volume *vol)
{
	struct bsr_peer *p;
	if (bsr_mesh_on(e) && e->role == BSR_ROLE_PRIMARY) {
		bsr_mesh_tell_generation(e, vol);
		return;
	}
	BSR_FOR_EACH_PEER (e, p) {
		const struct bsr_peer_device *pd = &p->device[vol->index];
		const bool exposes = p->role == BSR_ROLE_PRIMARY && pd->disk < BSR_DISK_INCONSISTENT;
		/* a target takes it over in the end; who lacks something and is none has to become one first */
		const bool follows = pd->mirrored && (!bsr_repl_is_steady(pd->repl) || bsr_resync_weight(vol, pd) == 0);
		if ((follows || exposes) && p->hs_stage == BSR_HS_COMPLETE) {
			struct bsr_msg_gi m = {.vnr = vol->vnr,
				.flags = BSR_GIF_NEW_GENERATION,
				.current = vol->sb.current_gi,
				.bitmap = vol->sb.peer[p->node_id].bitmap_gi};
			BSR_SEND(e, p, BSR_STREAM_CONTROL, gi, BSR_MSG_GI, &m);
		}
	}
}

void bsr_gi_await_record(struct bsr_engine *e, struct bsr_volume *vol)
{
	if (e->role != BSR_ROLE_PRIMARY || BSR_MUTATION(104)) {
		return;
	}
	if (!vol->gi_busy) {
		vol->gi_busy = true;
		vol->gi_told = true;
		vol->gi_await = 0;
	}
	vol->gi_sb_target = vol->sb_wanted;
	e->kick = true;
}

void bsr_gi_tell(struct bsr_engine *e, struct bsr_volume *vol)
{
	vol->gi_told = true;
	vol->gi_told_ns = e->now_ns;
	tell_peers(e, vol);
	vol->exposed_gi = vol->gi_next;
}

void bsr_gi_progress(struct bsr_engine *e, struct bsr_volume *vol)
{
	if (lives_elsewhere(e, vol) && !bsr_list_empty(&e->active)) {
		bsr_gi_hold(e, vol); /* peers hold what my disk does not get until they know */
	}
	if (!vol->gi_busy || (vol->sb_durable < vol->gi_sb_target && !BSR_MUTATION(19) && vol->attach_step != BSR_AT_FAILING)) {
		/* on a failing disk nothing becomes durable any more: who waits is told so */
		return;
	}
	struct bsr_peer *p;
	if (!vol->gi_told) {
		bsr_gi_tell(e, vol);
	}
	if (vol->gi_await != 0) {
		return; /* MS-4 */
	}
	vol->gi_busy = false;
	e->kick = true;
	BSR_FOR_EACH_PEER (e, p) {
		bsr_receive_progress(e, p);
	}
	/* another peer may have been lost meanwhile: then they wait once more, if it needs a generation at all */
	while (!bsr_list_empty(&vol->done_waiting) && !bsr_gi_hold(e, vol)) {
		struct bsr_request *rq = BSR_CONTAINER(vol->done_waiting.next, struct bsr_request, link);
		bsr_list_remove(&rq->link);
		bsr_request_finish(e, rq);
	}
}

/* The Primary begins a new generation with my disk taking part: it is mine, too. */
void bsr_gi_adopt(struct bsr_engine *e, struct bsr_volume *vol, struct bsr_gi current, uint32_t except_mask)
{
	const struct bsr_gi old = vol->sb.current_gi;
	if (bsr_gi_equal(old, current)) {
		return;
	}
	vol->sb.current_gi.v = current.v & BSR_GI_MASK;
	bsr_mesh_keep_bases(e, vol, old, except_mask);
	bsr_superblock_push_history(&vol->sb, old);
	bsr_md_superblock_dirty(e, vol);
	bsr_connect_changed(e, 1ull << vol->index);
}

/* An administrator has declared two fresh disks equal. */
static void skip_initial_sync(struct bsr_engine *e, struct bsr_peer *p, struct bsr_volume *vol, struct bsr_gi current)
{
	struct bsr_peer_device *pd = &p->device[vol->index];
	if ((vol->sb.current_gi.v & BSR_GI_MASK) != BSR_GI_JUST_CREATED || pd->repl != BSR_REPL_ESTABLISHED ||
		vol->disk != BSR_DISK_INCONSISTENT) {
		return; /* a disk that comes or goes at this moment takes no part: the peer hears of its state */
	}
	bsr_gi_declare_equal(e, vol, current);
	bsr_state_set_peer_disk(e, p, vol, BSR_DISK_UP_TO_DATE);
}

/* Before they hear that it is UpToDate: a Primary among them that lives on its peers' disks shows this generation. */
static void tell_declared(struct bsr_engine *e, struct bsr_volume *vol)
{
	struct bsr_peer *p;
	const struct bsr_msg_gi m = {.vnr = vol->vnr, .current = vol->sb.current_gi};
	BSR_FOR_EACH_PEER (e, p) {
		if (bsr_mesh_on(e) && p->hs_stage == BSR_HS_COMPLETE && !BSR_MUTATION(152)) {
			BSR_SEND(e, p, BSR_STREAM_CONTROL, gi, BSR_MSG_GI, &m);
		}
	}
}

/* Others may have told them. */
static void want_for_unconnected(struct bsr_engine *e, struct bsr_volume *vol)
{
	for (uint32_t mask = bsr_mesh_on(e) ? vol->owners : 0; mask; mask &= mask - 1) {
		const struct bsr_peer *p = e->peer[__builtin_ctz(mask)];
		if (!p || !bsr_peer_connected(p)) {
			bsr_gi_want_new(e, vol);
		}
	}
}

void bsr_gi_declare_equal(struct bsr_engine *e, struct bsr_volume *vol, struct bsr_gi current)
{
	for (uint32_t slot = 0; slot < vol->sb.max_peers; slot++) {
		bsr_bitmap_clear(vol->bitmap, slot, 0, bsr_bitmap_bit_count(vol->bitmap));
	}
	for (uint32_t node = 0; node < BSR_NODES_MAX; node++) {
		vol->sb.peer[node].bitmap_gi.v = BSR_GI_NONE;
		vol->sb.peer[node].flags &= ~(BSR_MDPF_FULL_SYNC | BSR_MDPF_MISSED_END);
	}
	const struct bsr_gi old = vol->sb.current_gi;
	vol->sb.current_gi = current;
	bsr_superblock_push_history(&vol->sb, old);
	bsr_md_sweep(e, vol);
	bsr_md_superblock_dirty(e, vol);
	tell_declared(e, vol);
	bsr_state_set_disk(e, vol, BSR_DISK_UP_TO_DATE);
	if (e->role == BSR_ROLE_PRIMARY) {
		vol->exposed_gi = current;
		want_for_unconnected(e, vol);
		if (!BSR_MUTATION(131)) {
			bsr_gi_await_record(e, vol); /* a crash must not find a disk that still says that it has nothing */
		}
	}
}

void bsr_gi_receive(struct bsr_engine *e, struct bsr_peer *p, const struct bsr_msg_gi *m)
{
	struct bsr_volume *vol = bsr_volume_by_vnr(e, m->vnr);
	if (!vol || !p->device[vol->index].exists) {
		return;
	}
	struct bsr_peer_device *pd = &p->device[vol->index];
	if (m->flags & BSR_GIF_SYNC_BASE) { /* no generation of anybody's data */
		if (vol->md_usable) {
			bsr_resync_sync_base(e, p, vol, m->current);
		}
		return;
	}
	if (e->role == BSR_ROLE_PRIMARY && vol->disk < BSR_DISK_UP_TO_DATE && bsr_connect_serves(p, vol)) {
		vol->exposed_gi = m->current; /* the peer that writes for me has begun it */
	}
	pd->peer_current = m->current;
	if (!vol->md_usable) {
		return;
	}
	if (m->flags & BSR_GIF_SKIP_INITIAL_SYNC) {
		skip_initial_sync(e, p, vol, m->current);
		return;
	}
	if ((m->flags & BSR_GIF_NEW_GENERATION) && p->role == BSR_ROLE_PRIMARY && !bsr_repl_is_target(pd->repl) &&
		vol->disk == BSR_DISK_UP_TO_DATE) {
		bsr_gi_adopt(e, vol, m->current, bsr_node_bit(p->node_id));
	}
}
