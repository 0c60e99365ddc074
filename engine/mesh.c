// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * mesh.c - three and more nodes: what they tell each other about third ones
 *
 * Owns:       HS_MESH and MESH messages; who is said to be equal to whom.
 * Invariants:
 *   MS-1  Before a resync overwrites a block here, the block is out of sync toward every third node, durably. The bits go
 *         when somebody who knows says that this disk and the third node's are equal (MS-3).
 *   MS-2  Whenever my generation changes, a third node's slot names what it had before, and until somebody who knows says
 *         otherwise I reckon that it may have the new one, too.
 *   MS-3  Disks are called equal only by a node that is in sync with both, in the same generation, and only a Primary says
 *         so while there is one. It is believed only by a node that has no bits toward who says it.
 *   MS-4  A generation in which a write is acknowledged is on disk on every node that takes part.
 * Design:     docs/design/mesh.md
 */
#include "core.h"

static bool speaks(const struct bsr_peer *p)
{
	return p->link_up && p->hs_stage == BSR_HS_COMPLETE && (p->features & BSR_FEATURE_MESH) != 0;
}

bool bsr_mesh_on(const struct bsr_engine *e)
{
	return e->heard != NULL; /* also when they have been taken away since: what is under way reckons with them */
}

static void send(struct bsr_engine *e, struct bsr_peer *p, const struct bsr_msg_mesh *m)
{
	if (speaks(p)) {
		BSR_SEND(e, p, BSR_STREAM_CONTROL, mesh, BSR_MSG_MESH, m);
	}
}

static uint32_t primaries(struct bsr_engine *e)
{
	struct bsr_peer *p;
	uint32_t mask = 0;
	BSR_FOR_EACH_PEER (e, p) {
		mask |= p->role == BSR_ROLE_PRIMARY ? bsr_node_bit(p->node_id) : 0;
	}
	return mask;
}

bool bsr_mesh_is_target(const struct bsr_engine *e, const struct bsr_volume *vol, uint32_t except)
{
	for (uint32_t mask = e->peer_mask; mask; mask &= mask - 1) {
		const struct bsr_peer *p = e->peer[__builtin_ctz(mask)];
		if (p->node_id != except && bsr_repl_is_target(p->device[vol->index].repl)) {
			return true;
		}
	}
	return vol->sync_from != BSR_NONE && vol->sync_from != except && !BSR_MUTATION(161);
}

/* --------------------------------------------------------------- handshake */

void bsr_mesh_fill(struct bsr_engine *e, struct bsr_peer *p, struct bsr_msg_hs_mesh *m)
{
	struct bsr_volume *vol;
	m->primaries = primaries(e);
	m->lost_node = e->lost_node;
	m->lost_dagtag = e->lost_dagtag;
	m->count = 0;
	BSR_FOR_EACH_VOLUME (e, vol) {
		m->volume[m->count].vnr = vol->vnr;
		m->volume[m->count].holders = vol->md_usable ? bsr_gi_may_have_current(e, vol) : 0;
		m->volume[m->count].flags = bsr_mesh_is_target(e, vol, p->node_id) ? BSR_HSM_TARGET : 0;
		if (vol->md_usable && (vol->sb.flags & BSR_MDF_SYNC_BASE) != 0) {
			m->volume[m->count].flags |= BSR_HSM_SYNC_BASE;
		}
		m->count++;
	}
}

/* MS-2: the peer, which is in my generation, may know of somebody in it that I believe to be behind. */
static void learn(struct bsr_engine *e, struct bsr_peer *p, struct bsr_volume *vol, uint32_t holders)
{
	const uint32_t news = holders & vol->owners & ~bsr_node_bit(p->node_id) & ~bsr_gi_may_have_current(e, vol);
	if (news == 0 || BSR_MUTATION(98)) {
		return;
	}
	for (uint32_t mask = news; mask; mask &= mask - 1) {
		vol->sb.peer[__builtin_ctz(mask)].flags |= BSR_MDPF_MAY_HAVE_CURRENT;
	}
	bsr_md_superblock_dirty(e, vol);
	bsr_gi_want_new(e, vol);
}

/* A Primary without a disk: what it writes from now on its own disk lacks. That is on disk before such a write is. */
static void leave_behind(struct bsr_engine *e, struct bsr_peer *p, struct bsr_volume *vol)
{
	struct bsr_superblock_peer *sp = &vol->sb.peer[p->node_id];
	const bool real = (vol->sb.current_gi.v & BSR_GI_MASK) != BSR_GI_JUST_CREATED;
	if (p->role != BSR_ROLE_PRIMARY || p->device[vol->index].disk >= BSR_DISK_INCONSISTENT || !vol->md_usable) {
		return;
	}
	if (sp->bitmap_gi.v == BSR_GI_NONE && real) {
		sp->bitmap_gi = vol->sb.current_gi;
		bsr_md_superblock_dirty(e, vol);
	}
	vol->heard_sb = vol->sb_wanted;
}

void bsr_mesh_established(struct bsr_engine *e, struct bsr_peer *p)
{
	struct bsr_volume *vol;
	p->primaries = p->hs_mesh_have ? p->hs_mesh.primaries : 0;
	p->heard_dagtag = p->hs_peer.dagtag;
	for (uint32_t i = 0; p->hs_mesh_have && i < p->hs_mesh.count; i++) {
		vol = bsr_volume_by_vnr(e, p->hs_mesh.volume[i].vnr);
		if (vol && vol->md_usable && p->device[vol->index].exists &&
			bsr_gi_equal(p->device[vol->index].peer_current, vol->sb.current_gi)) {
			learn(e, p, vol, p->hs_mesh.volume[i].holders);
		}
	}
	BSR_FOR_EACH_VOLUME (e, vol) {
		struct bsr_peer_device *pd = &p->device[vol->index];
		const bool bits = pd->slot >= 0 && vol->bitmap && bsr_bitmap_weight(vol->bitmap, (uint32_t)pd->slot) != 0;
		pd->in_sync = false;
		pd->told_books = false;
		pd->says_equal.v = BSR_GI_NONE;
		pd->refused = pd->refused && (bits || pd->slot < 0); /* nothing is left of what it once refused */
		if (pd->exists && pd->peer_current.v != BSR_GI_NONE && !bsr_gi_equal(pd->peer_current, vol->sb.current_gi)) {
			leave_behind(e, p, vol); /* it has begun a generation already, and will not say so again */
		}
	}
	e->kick = true;
}

void bsr_mesh_peer_lost(struct bsr_engine *e, struct bsr_peer *p)
{
	struct bsr_volume *vol;
	if (p->role == BSR_ROLE_PRIMARY) {
		e->lost_node = p->node_id;
		e->lost_dagtag = p->heard_dagtag;
	}
	p->primaries = 0;
	BSR_FOR_EACH_VOLUME (e, vol) {
		vol->gi_await &= ~bsr_node_bit(p->node_id);
		if (bsr_mesh_on(e) && !bsr_list_empty(&p->epoch_queue)) {
			leave_behind(e, p, vol); /* what has arrived is carried out without its word */
		}
		bsr_timer(e, e->now_ns + BSR_SECOND_NS / 10); /* who is owed a resync now? */
		vol->adopt_from = vol->adopt_from == p->node_id ? BSR_NONE : vol->adopt_from;
		p->device[vol->index].in_sync = false;
	}
	e->kick = true;
}

bool bsr_mesh_elsewhere(const struct bsr_engine *e, const struct bsr_peer *p)
{
	return e->role != BSR_ROLE_PRIMARY && p->role != BSR_ROLE_PRIMARY && (e->primaries | p->primaries) != 0;
}

/* ------------------------------------------------------------- peer acks */

void bsr_mesh_send_acks(struct bsr_engine *e)
{
	struct bsr_peer *p;
	if (e->ack_upto == 0) {
		return;
	}
	const struct bsr_msg_mesh m = {
		.vnr = BSR_NONE, .kind = BSR_MESH_PEER_ACK, .mask = e->ack_mask, .value = e->ack_upto};
	e->ack_upto = 0;
	BSR_FOR_EACH_PEER (e, p) {
		send(e, p, &m);
	}
}

void bsr_mesh_left_log(struct bsr_engine *e, uint64_t index, uint32_t holders)
{
	if (!e->heard) {
		return;
	}
	holders |= BSR_MUTATION(62) ? ~0u : bsr_node_bit(e->node_id);
	if (e->ack_upto != 0 && e->ack_mask != holders) {
		bsr_mesh_send_acks(e);
	}
	e->ack_upto = index;
	e->ack_mask = holders;
	e->turn_work = true;
}

/* ------------------------------------------------------------- generations */

void bsr_mesh_keep_bases(struct bsr_engine *e, struct bsr_volume *vol, struct bsr_gi old, uint32_t except_mask)
{
	const bool real = (old.v & BSR_GI_MASK) != BSR_GI_NONE && (old.v & BSR_GI_MASK) != BSR_GI_JUST_CREATED &&
			  (vol->sb.flags & BSR_MDF_SYNC_BASE) == 0;
	(void)e;
	for (uint32_t mask = vol->owners & ~except_mask; mask; mask &= mask - 1) {
		struct bsr_superblock_peer *sp = &vol->sb.peer[__builtin_ctz(mask)];
		if (sp->bitmap_gi.v == BSR_GI_NONE && real && !bsr_gi_equal(old, vol->sb.current_gi)) {
			sp->bitmap_gi = old;
		}
		sp->flags |= sp->bitmap_gi.v != BSR_GI_NONE ? BSR_MDPF_MAY_HAVE_CURRENT : 0;
	}
}

void bsr_mesh_take_history(struct bsr_engine *e, struct bsr_peer *p, struct bsr_volume *vol)
{
	const struct bsr_msg_hs_volume *theirs = &p->hs_volume[vol->index];
	if (!bsr_mesh_on(e) || BSR_MUTATION(102)) {
		return;
	}
	for (uint32_t i = BSR_HISTORY_UUIDS; i-- > 0;) {
		bsr_superblock_push_history(&vol->sb, theirs->history[i]);
	}
	for (uint32_t node = 0; node < BSR_NODES_MAX && !BSR_MUTATION(153); node++) {
		bsr_superblock_push_history(&vol->sb, theirs->bitmap[node]); /* where it left others, it has been itself */
	}
	bsr_superblock_push_history(&vol->sb, theirs->current);
}

void bsr_mesh_tell_generation(struct bsr_engine *e, struct bsr_volume *vol)
{
	struct bsr_peer *p;
	const struct bsr_msg_mesh m = {.vnr = vol->vnr,
		.kind = BSR_MESH_NEW_GENERATION,
		.mask = vol->gi_members,
		.value = vol->gi_next.v};
	BSR_FOR_EACH_PEER (e, p) {
		if (speaks(p)) {
			send(e, p, &m);
			vol->gi_await |= BSR_MUTATION(115) ? 0 : m.mask & bsr_node_bit(p->node_id);
		}
		p->device[vol->index].in_sync = false; /* told anew when all have it */
		p->device[vol->index].told_books = false;
	}
}

void bsr_mesh_missed_write(struct bsr_engine *e, struct bsr_peer *p, struct bsr_volume *vol)
{
	bsr_state_propose(e)->device[p->node_id][vol->index].stale = true;
	bsr_state_change(e);
	if (bsr_gi_equal(p->device[vol->index].peer_current, vol->exposed_gi)) {
		bsr_gi_want_new(e, vol); /* once, not for each write: the past that a record holds is short */
	}
}

static void new_generation_received(
	struct bsr_engine *e, struct bsr_peer *p, struct bsr_volume *vol, const struct bsr_msg_mesh *m)
{
	struct bsr_peer_device *pd = &p->device[vol->index];
	struct bsr_peer *other;
	pd->peer_current.v = m->value;
	if (p->role == BSR_ROLE_PRIMARY && !bsr_repl_is_target(pd->repl) && vol->disk == BSR_DISK_UP_TO_DATE &&
		(m->mask & bsr_node_bit(e->node_id)) != 0) {
		/* a Primary whose disk is not good is left behind itself */
		const bool has_it = pd->disk == BSR_DISK_UP_TO_DATE;
		BSR_FOR_EACH_PEER (e, other) {
			other->device[vol->index].told_books = false; /* said in the new one */
		}
		bsr_gi_adopt(e, vol, pd->peer_current, has_it ? bsr_node_bit(p->node_id) : 0);
		const struct bsr_msg_mesh follows = {
			.vnr = vol->vnr, .kind = BSR_MESH_FOLLOWS, .mask = m->mask, .value = m->value};
		BSR_FOR_EACH_PEER (e, other) {
			if (other != p && !BSR_MUTATION(100)) {
				send(e, other, &follows); /* who takes part, too, will know that I am in its generation */
			}
		}
	}
	leave_behind(e, p, vol);
	vol->adopt_from = p->node_id;
	vol->adopt_sb = vol->sb_wanted;
	e->kick = true;
}

/* MS-4 */
static void answer_generation(struct bsr_engine *e, struct bsr_volume *vol)
{
	if (vol->adopt_from == BSR_NONE || vol->sb_durable < vol->adopt_sb) {
		return;
	}
	struct bsr_peer *p = e->peer[vol->adopt_from];
	const struct bsr_msg_mesh m = {.vnr = vol->vnr, .kind = BSR_MESH_ADOPTED, .value = vol->sb.current_gi.v};
	vol->adopt_from = BSR_NONE;
	if (p) {
		send(e, p, &m);
	}
}

static bool in_history(const struct bsr_superblock *sb, struct bsr_gi gi)
{
	for (uint32_t i = 0; i < BSR_HISTORY_UUIDS; i++) {
		if (sb->history[i].v != BSR_GI_NONE && bsr_gi_equal(sb->history[i], gi)) {
			return true;
		}
	}
	return false;
}

/* A Primary that I do not see went on without me, or the peer takes part in the same generation. */
static void follows_received(
	struct bsr_engine *e, struct bsr_peer *p, struct bsr_volume *vol, const struct bsr_msg_mesh *m)
{
	const struct bsr_gi gi = {.v = m->value};
	p->device[vol->index].peer_current = gi;
	const bool takes_part = (m->mask & bsr_node_bit(e->node_id)) != 0;
	if (takes_part || e->role == BSR_ROLE_PRIMARY || primaries(e) != 0 || vol->disk <= BSR_DISK_OUTDATED ||
		bsr_gi_equal(gi, vol->sb.current_gi) || in_history(&vol->sb, gi)) {
		return;
	}
	bsr_state_set_disk(e, vol, BSR_DISK_OUTDATED);
}

/* ------------------------------------------------------- resync and thirds */

void bsr_mesh_target_begins(struct bsr_engine *e, struct bsr_peer *p, struct bsr_volume *vol)
{
	struct bsr_peer *other;
	vol->sync_from = BSR_NONE;
	BSR_FOR_EACH_PEER (e, other) {
		struct bsr_peer_device *pd = &other->device[vol->index];
		if (other != p && pd->exists && pd->repl > BSR_REPL_ESTABLISHED) {
			bsr_resync_stop(e, other, vol);
			bsr_state_set_repl(e, other, vol, BSR_REPL_ESTABLISHED);
		}
	}
	if (bsr_mesh_on(e)) {
		bsr_connect_changed(e, 0); /* others must know that I am a target */
	}
}

void bsr_mesh_mark_thirds(struct bsr_engine *e, struct bsr_peer *p, struct bsr_volume *vol)
{
	const uint32_t from = (uint32_t)p->device[vol->index].slot;
	uint32_t thirds = BSR_MUTATION(63) ? 0 : bsr_heard_third(p, vol);
	uint64_t bit = thirds ? bsr_bitmap_next(vol->bitmap, from, 0) : BSR_BITMAP_NO_BIT;
	(void)e;
	while (bit != BSR_BITMAP_NO_BIT) {
		const uint64_t run = bsr_bitmap_run(vol->bitmap, from, bit, UINT64_MAX);
		for (uint32_t mask = thirds; mask; mask &= mask - 1) {
			const int32_t slot = vol->sb.peer[__builtin_ctz(mask)].bitmap_index;
			bsr_bitmap_set(vol->bitmap, (uint32_t)slot, bit, run); /* MS-1 */
		}
		bit = bsr_bitmap_next(vol->bitmap, from, bit + run);
	}
}

bool bsr_mesh_owed(struct bsr_engine *e, const struct bsr_peer *p, const struct bsr_volume *vol)
{
	const struct bsr_peer_device *pd = &p->device[vol->index];
	return bsr_mesh_on(e) && bsr_peer_connected(p) && pd->exists && pd->slot >= 0 && !bsr_mesh_elsewhere(e, p) &&
	       pd->repl == BSR_REPL_ESTABLISHED && vol->disk == BSR_DISK_UP_TO_DATE &&
	       pd->disk == BSR_DISK_UP_TO_DATE && bsr_verify_unexplained(vol, p);
}

bool bsr_mesh_other_generation(const struct bsr_engine *e, const struct bsr_peer *p, const struct bsr_volume *vol)
{
	const struct bsr_peer_device *pd = &p->device[vol->index];
	const bool adopting = vol->gi_busy && (vol->gi_members & bsr_node_bit(p->node_id)) != 0;
	const bool shown = vol->exposed_gi.v != BSR_GI_NONE && !vol->exposed_unknown && !BSR_MUTATION(152);
	const bool known = vol->disk >= BSR_DISK_INCONSISTENT || shown;
	return bsr_mesh_on(e) && e->role == BSR_ROLE_PRIMARY && known && pd->exists && pd->repl == BSR_REPL_ESTABLISHED &&
	       !adopting && !bsr_gi_equal(pd->peer_current, bsr_gi_mine(e, vol));
}

void bsr_mesh_promoted(struct bsr_engine *e)
{
	struct bsr_peer *p;
	struct bsr_volume *vol;
	BSR_FOR_EACH_PEER (e, p) {
		bool meet = false;
		BSR_FOR_EACH_VOLUME (e, vol) {
			const struct bsr_peer_device *pd = &p->device[vol->index];
			meet = meet || (pd->disk == BSR_DISK_UP_TO_DATE && bsr_mesh_other_generation(e, p, vol));
		}
		if (meet) {
			bsr_peer_drop(e, p, BSR_LINK_RENEGOTIATE);
		}
	}
}

/* MS-2: whoever is connected and not in step may be getting my generation from a third node right now. */
void bsr_mesh_doubt_others(struct bsr_engine *e, struct bsr_volume *vol)
{
	struct bsr_peer *p;
	const uint32_t sure = bsr_gi_in_step(e, vol) | bsr_gi_may_have_current(e, vol);
	BSR_FOR_EACH_PEER (e, p) {
		if (bsr_peer_connected(p) && (vol->owners & ~sure & bsr_node_bit(p->node_id)) != 0) {
			vol->sb.peer[p->node_id].flags |= BSR_MDPF_MAY_HAVE_CURRENT;
		}
	}
}

bool bsr_mesh_settling(struct bsr_engine *e)
{
	struct bsr_peer *p;
	struct bsr_volume *vol;
	bool settling = false;
	BSR_FOR_EACH_PEER (e, p) {
		if (!bsr_mesh_on(e)) {
			return false;
		}
		if (p->wanted && !bsr_peer_connected(p) && p->back_until_ns > e->now_ns) {
			bsr_timer(e, p->back_until_ns);
			settling = true;
		}
		BSR_FOR_EACH_VOLUME (e, vol) {
			if (bsr_mesh_owed(e, p, vol)) {
				bsr_peer_drop(e, p, BSR_LINK_RENEGOTIATE);
				settling = true;
			}
			/* the peer has more of what the lost Primary wrote: it comes in a moment */
			settling = settling || bsr_repl_is_target(p->device[vol->index].repl);
		}
	}
	return settling;
}

/* --------------------------------------------------------- who equals whom */

/* By my books its disk is what mine is, but for writes that PEER_ACK will speak about. */
static bool books_are_clean(const struct bsr_peer *p, const struct bsr_volume *vol)
{
	const struct bsr_peer_device *pd = &p->device[vol->index];
	return speaks(p) && pd->exists && pd->slot >= 0 && bsr_repl_is_steady(pd->repl) && !pd->refused && !pd->stale &&
	       pd->disk == BSR_DISK_UP_TO_DATE && bsr_gi_equal(pd->peer_current, vol->sb.current_gi) &&
	       bsr_bitmap_weight(vol->bitmap, (uint32_t)pd->slot) == 0;
}

/* By its books, too: only then others may hear of it. */
static bool equals_me(const struct bsr_engine *e, const struct bsr_peer *p, const struct bsr_volume *vol)
{
	const bool says_so = bsr_gi_equal(p->device[vol->index].says_equal, vol->sb.current_gi) || BSR_MUTATION(116);
	return books_are_clean(p, vol) && says_so &&
	       (e->role == BSR_ROLE_PRIMARY || (e->primaries | p->primaries) == 0);
}

static void tell_books(struct bsr_engine *e, struct bsr_peer *p, struct bsr_volume *vol)
{
	struct bsr_peer_device *pd = &p->device[vol->index];
	const bool clean = books_are_clean(p, vol);
	if (clean && !pd->told_books) {
		const struct bsr_msg_mesh m = {.vnr = vol->vnr,
			.kind = BSR_MESH_IN_SYNC,
			.mask = bsr_node_bit(p->node_id),
			.value = vol->sb.current_gi.v};
		send(e, p, &m);
	}
	pd->told_books = clean;
}

/*
 * What a peer had not confirmed when another one connected, that one does not remember, and would not hear of: before such
 * writes are settled nothing is said.
 */
static bool all_know(struct bsr_engine *e, uint32_t equals)
{
	uint64_t joined = 0;
	uint64_t confirmed = UINT64_MAX;
	for (uint32_t mask = equals; mask; mask &= mask - 1) {
		const struct bsr_peer *p = e->peer[__builtin_ctz(mask)];
		joined = p->joined > joined ? p->joined : joined;
		confirmed = p->log_from < confirmed ? p->log_from : confirmed;
	}
	return confirmed >= joined;
}

/* MS-3 */
static void tell_equals(struct bsr_engine *e, struct bsr_volume *vol)
{
	struct bsr_peer *p;
	uint32_t equals = 0;
	bool news = false;
	if (vol->disk != BSR_DISK_UP_TO_DATE || !vol->bitmap || vol->gi_busy ||
		vol->attach_step != BSR_AT_NONE) {
		return;
	}
	BSR_FOR_EACH_PEER (e, p) {
		tell_books(e, p, vol);
		if (equals_me(e, p, vol) || BSR_MUTATION(67)) {
			equals |= bsr_node_bit(p->node_id);
			if (!p->device[vol->index].in_sync) {
				bsr_log_holds_all(e, p, vol);
				news = true;
			}
		} else {
			p->device[vol->index].in_sync = false;
		}
	}
	if (news && !all_know(e, equals)) {
		return; /* the end of each checkpoint kicks */
	}
	if (news) {
		bsr_mesh_send_acks(e); /* what they speak about comes first */
	}
	const struct bsr_msg_mesh m = {
		.vnr = vol->vnr, .kind = BSR_MESH_IN_SYNC, .mask = equals, .value = vol->sb.current_gi.v};
	for (uint32_t mask = news ? equals : 0; mask; mask &= mask - 1) {
		p = e->peer[__builtin_ctz(mask)];
		p->device[vol->index].in_sync = true;
		send(e, p, &m);
	}
}

/* MS-3 */
static void in_sync_received(
	struct bsr_engine *e, struct bsr_peer *p, struct bsr_volume *vol, const struct bsr_msg_mesh *m)
{
	struct bsr_peer_device *pd = &p->device[vol->index];
	const struct bsr_gi gi = {.v = m->value};
	pd->says_equal = gi;
	e->kick = true;
	const bool may_say = p->role == BSR_ROLE_PRIMARY || (e->role != BSR_ROLE_PRIMARY && primaries(e) == 0);
	if (!may_say || !bsr_repl_is_steady(pd->repl) || pd->slot < 0 || vol->disk != BSR_DISK_UP_TO_DATE ||
		pd->disk != BSR_DISK_UP_TO_DATE || !bsr_gi_equal(gi, vol->sb.current_gi) ||
		bsr_bitmap_weight(vol->bitmap, (uint32_t)pd->slot) != 0) {
		return;
	}
	bool changed = false;
	for (uint32_t mask = m->mask & bsr_heard_third(p, vol); mask; mask &= mask - 1) {
		const uint32_t node = (uint32_t)__builtin_ctz(mask);
		struct bsr_superblock_peer *sp = &vol->sb.peer[node];
		struct bsr_peer *other = e->peer[node];
		const struct bsr_peer_device *theirs = other ? &other->device[vol->index] : NULL;
		if (theirs && (theirs->repl > BSR_REPL_ESTABLISHED || theirs->verify.marked_bits != 0)) {
			continue; /* what a verify has found no word of a third node undoes */
		}
		if (other) {
			other->device[vol->index].peer_current = gi;
			other->device[vol->index].refused = false; /* it got from somebody else what it refused from me */
		}
		const uint32_t doubt = BSR_MDPF_FULL_SYNC | BSR_MDPF_IN_PROGRESS_SYNC | BSR_MDPF_MAY_HAVE_CURRENT;
		const bool bits = bsr_bitmap_weight(vol->bitmap, (uint32_t)sp->bitmap_index) != 0;
		changed = changed || bits || sp->bitmap_gi.v != BSR_GI_NONE || (sp->flags & doubt) != 0;
		bsr_bitmap_clear(vol->bitmap, (uint32_t)sp->bitmap_index, 0, bsr_bitmap_bit_count(vol->bitmap));
		bsr_superblock_retire_base(&vol->sb, node);
		sp->flags &= ~doubt;
	}
	if (changed) {
		bsr_md_sweep(e, vol);
		bsr_md_superblock_dirty(e, vol);
		bsr_connect_changed(e, 1ull << vol->index);
	}
}

static void tell_anew(struct bsr_engine *e, struct bsr_peer *p)
{
	struct bsr_volume *vol;
	BSR_FOR_EACH_VOLUME (e, vol) {
		p->device[vol->index].in_sync = false;
	}
}

/* ------------------------------------------------------------ all of it */

void bsr_mesh_receive(struct bsr_engine *e, struct bsr_peer *p, const struct bsr_msg_mesh *m)
{
	struct bsr_volume *vol = m->vnr == BSR_NONE ? NULL : bsr_volume_by_vnr(e, m->vnr);
	const bool usable = vol && p->device[vol->index].exists && vol->md_usable && vol->bitmap;
	switch ((enum bsr_mesh_kind)m->kind) {
	case BSR_MESH_PEER_ACK:
		bsr_heard_peer_ack(e, p, m->value, m->mask);
		break;
	case BSR_MESH_PRIMARIES:
		p->primaries = m->mask & ~bsr_node_bit(e->node_id);
		bsr_timer(e, e->now_ns + BSR_SECOND_NS / 10);
		e->kick = true;
		break;
	case BSR_MESH_TELL_AGAIN:
		p->tell_again = m->value < e->log_tail ? m->value : e->log_tail;
		if (m->value == 0) {
			tell_anew(e, p);
		}
		e->kick = true;
		break;
	case BSR_MESH_IN_SYNC:
		if (usable) {
			in_sync_received(e, p, vol, m);
		}
		break;
	case BSR_MESH_NEW_GENERATION:
		if (usable) {
			new_generation_received(e, p, vol, m);
		}
		break;
	case BSR_MESH_ADOPTED:
		if (vol) {
			/* a target does not adopt, and may have finished since it answered */
			const struct bsr_gi its = {.v = m->value};
			if (bsr_gi_equal(bsr_gi_mine(e, vol), its)) {
				p->device[vol->index].peer_current = its;
			}
			vol->gi_await &= ~bsr_node_bit(p->node_id);
			e->kick = true;
		}
		break;
	case BSR_MESH_FOLLOWS:
		if (usable) {
			follows_received(e, p, vol, m);
		}
		break;
	case BSR_MESH_HOLDERS:
		if (usable && (vol->sb.current_gi.v & BSR_GI_MASK) == (m->value & BSR_GI_MASK)) {
			learn(e, p, vol, m->mask);
		}
		break;
	}
}

/* A Primary has come into sight: a resync between two Secondaries would give away what it does not know of. */
static void leave_resyncs_to_primary(struct bsr_engine *e)
{
	struct bsr_peer *p;
	struct bsr_volume *vol;
	BSR_FOR_EACH_PEER (e, p) {
		BSR_FOR_EACH_VOLUME (e, vol) {
			if (p->device[vol->index].repl > BSR_REPL_ESTABLISHED && bsr_mesh_elsewhere(e, p) && !BSR_MUTATION(99)) {
				bsr_resync_stop(e, p, vol);
				bsr_state_set_repl(e, p, vol, BSR_REPL_ESTABLISHED);
			}
		}
	}
}

static void tell_primaries(struct bsr_engine *e)
{
	struct bsr_peer *p;
	const uint32_t now = primaries(e);
	if (now == e->primaries) {
		return;
	}
	if (now & ~e->primaries) {
		e->lost_node = BSR_NONE; /* a new stream begins */
	}
	e->primaries = now;
	bsr_connect_changed(e, 0);
	const struct bsr_msg_mesh m = {.vnr = BSR_NONE, .kind = BSR_MESH_PRIMARIES, .mask = now};
	BSR_FOR_EACH_PEER (e, p) {
		send(e, p, &m);
	}
	e->kick = true;
}

/* Somebody is about to get my generation from me, or I have heard of somebody who may have it. */
static void tell_holders(struct bsr_engine *e, struct bsr_volume *vol)
{
	struct bsr_peer *p;
	const uint32_t now = bsr_gi_may_have_current(e, vol);
	if (now & ~vol->told_holders) {
		const struct bsr_msg_mesh m = {
			.vnr = vol->vnr, .kind = BSR_MESH_HOLDERS, .mask = now, .value = vol->sb.current_gi.v};
		BSR_FOR_EACH_PEER (e, p) {
			send(e, p, &m);
		}
	}
	vol->told_holders = now;
}

void bsr_mesh_ask_again(struct bsr_engine *e)
{
	struct bsr_peer *p;
	const struct bsr_msg_mesh m = {.vnr = BSR_NONE, .kind = BSR_MESH_TELL_AGAIN, .value = 0};
	BSR_FOR_EACH_PEER (e, p) {
		send(e, p, &m);
	}
}

/* Both ends of "tell again": asking, and looking whether the answer may be given. */
static void tell_again(struct bsr_engine *e)
{
	struct bsr_peer *p;
	if (e->gave_up_id != 0 && e->now_ns >= e->gave_up_ns) {
		const struct bsr_msg_mesh m = {.vnr = BSR_NONE, .kind = BSR_MESH_TELL_AGAIN, .value = e->gave_up_id};
		e->gave_up_id = 0;
		p = e->peer[e->gave_up_node];
		if (p) {
			send(e, p, &m);
		}
	}
	BSR_FOR_EACH_PEER (e, p) {
		if (p->tell_again != 0 && e->log_head > p->tell_again) {
			p->tell_again = 0;
			bsr_mesh_send_acks(e); /* first what is known of these writes */
			tell_anew(e, p);
		}
	}
}

void bsr_mesh_timer(struct bsr_engine *e)
{
	struct bsr_volume *vol;
	BSR_FOR_EACH_VOLUME (e, vol) {
		if (vol->sync_from != BSR_NONE && e->now_ns >= vol->sync_from_until_ns) {
			vol->sync_from = BSR_NONE;
			bsr_connect_changed(e, 0);
			e->kick = true;
		} else if (vol->sync_from != BSR_NONE) {
			bsr_timer(e, vol->sync_from_until_ns);
		}
	}
	if (e->gave_up_id != 0) {
		if (e->now_ns >= e->gave_up_ns) {
			e->kick = true;
		} else {
			bsr_timer(e, e->gave_up_ns);
		}
	}
}

void bsr_mesh_progress(struct bsr_engine *e)
{
	struct bsr_volume *vol;
	if (!bsr_mesh_on(e)) {
		return;
	}
	tell_again(e);
	tell_primaries(e);
	leave_resyncs_to_primary(e);
	BSR_FOR_EACH_VOLUME (e, vol) {
		if (vol->md_usable) {
			tell_holders(e, vol);
			answer_generation(e, vol);
			tell_equals(e, vol);
		}
	}
}
