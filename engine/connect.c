// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * connect.c - the handshake over a new link
 *
 * Owns:       the stages of the handshake and what is sent in them; carrying out its decision.
 * Invariants:
 *   HS-1  Both ends decide from the same pair of records: what was sent, not what has become of it
 *         since. When a generation, a disk state or the role changes meanwhile the link is given up
 *         and the handshake starts again. What is sent is durable: a record that a crash could take
 *         back would be a lie (rule 9).
 *   HS-2  Nothing but the handshake is sent before both ends know that their decisions mirror each
 *         other.
 *   HS-3  The decision travels on both streams, so neither stream's first data can overtake it.
 */
#include "core.h"

bool bsr_connect_serves(const struct bsr_peer *p, const struct bsr_volume *vol)
{
	const struct bsr_peer_device *pd = &p->device[vol->index];
	return bsr_peer_connected(p) && pd->exists && pd->disk_known && !pd->stale && pd->disk == BSR_DISK_UP_TO_DATE;
}

static enum bsr_disk_state not_above(enum bsr_disk_state disk, enum bsr_disk_state most)
{
	return disk < most ? disk : most;
}

/* With protocol A my applications may be ahead of what the peer got; whether it was told where that ended is a feature. */
bool bsr_connect_served(const struct bsr_peer *p, const struct bsr_volume *vol)
{
	const bool knows_all = p->options.protocol != BSR_PROTOCOL_A || (p->features & BSR_FEATURE_ORDERED_STATES);
	return (p->hs_volume[vol->index].flags & BSR_HSF_SERVED) != 0 && knows_all;
}

/*
 * For a Primary whose process does not know what its applications have seen: the peer that served it until then has it, or
 * my own disk has when nobody went on without it. A peer that went on and came back since may have lost its cache: nobody
 * can tell, a person decides.
 */
bool bsr_connect_can_tell(const struct bsr_peer *p, const struct bsr_volume *vol)
{
	const struct bsr_gi theirs = p->hs_volume[vol->index].current;
	const struct bsr_gi left_in = vol->sb.peer[p->node_id].bitmap_gi;
	const bool nothing_new = bsr_gi_equal(theirs, vol->sb.current_gi) ||
				 (left_in.v != BSR_GI_NONE && bsr_gi_equal(theirs, left_in));
	/* a disk that is not whole has not all of it either */
	const bool have_it = nothing_new && vol->settle_disk == BSR_DISK_UP_TO_DATE;
	return p->device[vol->index].disk_known && (bsr_connect_served(p, vol) || have_it);
}

/*
 * What my disk is in a comparison. A Primary whose disk is not UpToDate is, for a new link, what its applications have
 * seen: peers judge themselves by that. Its disk is compared afterwards, over the standing link.
 */
static enum bsr_disk_state disk_to_offer(
	const struct bsr_engine *e, const struct bsr_peer *p, const struct bsr_volume *vol, bool live)
{
	const bool primary = e->role == BSR_ROLE_PRIMARY;
	if (vol->disk < BSR_DISK_NEGOTIATING || !vol->md_usable) {
		return BSR_DISK_DISKLESS;
	}
	if (primary && !live && vol->disk < BSR_DISK_UP_TO_DATE && bsr_live_usual(e, p)) {
		return BSR_DISK_DISKLESS;
	}
	if (primary && !live && vol->disk < BSR_DISK_UP_TO_DATE && p->device[vol->index].kept_from) {
		return BSR_DISK_DISKLESS;
	}
	if (vol->disk == BSR_DISK_NEGOTIATING && primary) {
		if (live && (bsr_connect_serves(p, vol) || (vol->exposed_unknown && bsr_connect_served(p, vol)))) {
			return not_above(vol->settle_disk, BSR_DISK_OUTDATED); /* what was served meanwhile is newer */
		}
		if (live && vol->exposed_unknown && bsr_connect_can_tell(p, vol)) {
			return vol->settle_disk;
		}
		return live && bsr_attach_acceptable(e, vol) ? vol->settle_disk : BSR_DISK_DISKLESS;
	}
	if (primary && live && vol->disk < BSR_DISK_UP_TO_DATE && p->device[vol->index].stale) {
		return BSR_DISK_DISKLESS; /* pass_on: the peer's data is older than what is left here */
	}
	const enum bsr_disk_state disk = vol->disk == BSR_DISK_NEGOTIATING ? vol->settle_disk : vol->disk;
	if ((vol->sb.flags & BSR_MDF_IO_ERROR) && !primary) {
		return not_above(disk, BSR_DISK_OUTDATED); /* it lacks what failed: the other side is the better one */
	}
	return disk;
}

void bsr_connect_fill_record(
	struct bsr_engine *e, struct bsr_peer *p, struct bsr_volume *vol, struct bsr_msg_hs_volume *m, bool live)
{
	const struct bsr_peer_device *pd = &p->device[vol->index];
	memset(m, 0, sizeof(*m));
	m->vnr = vol->vnr;
	m->disk = (uint8_t)disk_to_offer(e, p, vol, live);
	if (m->disk < BSR_DISK_INCONSISTENT) {
		m->current = e->role == BSR_ROLE_PRIMARY ? vol->exposed_gi : m->current;
		return;
	}
	m->size_bytes = vol->sb.effective_sectors * BSR_SECTOR_BYTES;
	m->capacity_bytes = vol->capacity_bytes;
	m->wanted_bytes = vol->wanted_bytes;
	m->current = vol->sb.current_gi;
	for (uint32_t node = 0; node < BSR_NODES_MAX; node++) {
		m->bitmap[node] = vol->sb.peer[node].bitmap_gi;
	}
	memcpy(m->history, vol->sb.history, sizeof(m->history));
	m->flags |= vol->crashed_primary ? BSR_HSF_CRASHED_PRIMARY : 0;
	m->flags |= pd->reconnected ? BSR_HSF_RECONNECT : 0;
	m->flags |= vol->sb.peer[p->node_id].flags & BSR_MDPF_MISSED_END ? BSR_HSF_RESYNC_MISSED_END : 0;
	m->flags |= pd->served_primary && (p->features & BSR_FEATURE_LIVE_VOLUMES) ? BSR_HSF_SERVED : 0;
	m->flags |= !bsr_mesh_on(e) && (p->features & BSR_FEATURE_ORDERED_STATES) ? BSR_HSF_PAIR : 0;
	m->flags |= pd->chosen && (p->features & BSR_FEATURE_CHOSEN_SOURCE) ? BSR_HSF_CHOSEN : 0;
	m->bits = pd->slot >= 0 ? bsr_bitmap_weight(vol->bitmap, (uint32_t)pd->slot) : 0;
}

/* With third nodes both ends must be able to speak of them. */
static bool speaks_of_thirds(const struct bsr_peer *p)
{
	return (p->features & BSR_FEATURE_MESH) != 0;
}

static void send_records(struct bsr_engine *e, struct bsr_peer *p)
{
	struct bsr_volume *vol;
	struct bsr_msg_hs_resource m = {.node_id = e->node_id,
		.role = (uint8_t)e->role,
		.discard_my_data = p->discard_my_data,
		.tentative = p->tentative,
		.protocol = (uint8_t)p->options.protocol,
		.dagtag = e->dagtag};
	BSR_FOR_EACH_VOLUME (e, vol) {
		m.volume_count++;
	}
	p->hs_stage = BSR_HS_EXCHANGING;
	BSR_SEND(e, p, BSR_STREAM_CONTROL, hs_resource, BSR_MSG_HS_RESOURCE, &m);
	if (speaks_of_thirds(p)) {
		bsr_mesh_fill(e, p, &p->hs_mesh_sent);
		BSR_SEND(e, p, BSR_STREAM_CONTROL, hs_mesh, BSR_MSG_HS_MESH, &p->hs_mesh_sent);
	}
	BSR_FOR_EACH_VOLUME (e, vol) {
		struct bsr_msg_hs_volume *record = &p->hs_sent[vol->index];
		bsr_connect_fill_record(e, p, vol, record, false);
		BSR_SEND(e, p, BSR_STREAM_CONTROL, hs_volume, BSR_MSG_HS_VOLUME, record);
	}
}

void bsr_connect_changed(struct bsr_engine *e, uint64_t volumes)
{
	struct bsr_peer *p;
	struct bsr_volume *vol;
	BSR_FOR_EACH_PEER (e, p) {
		if (p->hs_stage == BSR_HS_EXCHANGING || p->hs_stage == BSR_HS_CONFIRMING) {
			bsr_peer_drop(e, p, BSR_LINK_RENEGOTIATE); /* HS-1 */
		}
		BSR_FOR_EACH_VOLUME (e, vol) {
			if (volumes >> vol->index & 1) {
				bsr_live_changed(e, p, vol);
			}
		}
	}
}

/* ------------------------------------------------------------- the decision */

bool bsr_connect_asks_for_a_person(enum bsr_hs_action action)
{
	return action == BSR_HS_SPLIT_BRAIN || action == BSR_HS_UNRELATED || action == BSR_HS_REFUSED;
}

static void add_thirds(struct bsr_hs_side *side, const struct bsr_msg_hs_mesh *m, uint32_t vnr)
{
	side->primaries = m->primaries;
	side->lost_node = m->lost_node;
	side->lost_dagtag = m->lost_dagtag;
	for (uint32_t i = 0; i < m->count; i++) {
		if (m->volume[i].vnr == vnr) {
			side->is_target = (m->volume[i].flags & BSR_HSM_TARGET) != 0;
			side->sync_base = (m->volume[i].flags & BSR_HSM_SYNC_BASE) != 0;
		}
	}
}

void bsr_connect_decide_volume(struct bsr_engine *e, struct bsr_peer *p, struct bsr_volume *vol, bool live)
{
	struct bsr_peer_device *pd = &p->device[vol->index];
	struct bsr_hs_side local = {.node_id = e->node_id,
		.role = e->role,
		.discard_my_data = p->discard_my_data && !live, /* said when connecting, and meant for that */
		.volume = &p->hs_sent[vol->index]};
	struct bsr_hs_side peer = {.node_id = p->node_id,
		.role = live ? pd->live_peer_role : p->hs_peer.role,
		.discard_my_data = p->hs_peer.discard_my_data && !live,
		.volume = &p->hs_volume[vol->index]};
	const struct bsr_hs_policy policy = {.after_sb_0pri = p->options.after_sb_0pri,
		.after_sb_1pri = p->options.after_sb_1pri,
		.after_sb_2pri = p->options.after_sb_2pri,
		.rr_conflict = p->options.rr_conflict,
		.always_asbp = p->options.always_asbp,
		.resolver = p->resolver};
	if (p->hs_mesh_have && !live) {
		add_thirds(&local, &p->hs_mesh_sent, vol->vnr);
		add_thirds(&peer, &p->hs_mesh, vol->vnr);
	}
	bsr_handshake_decide(&local, &peer, &policy, &pd->decision);
	pd->handshake_reason = pd->decision.reason;
	bsr_emit_log(e, BSR_LOGN_HANDSHAKE_DECIDED, p, vol, pd->decision.reason, pd->decision.action, local.volume->bits);
}

static void compare(struct bsr_engine *e, struct bsr_peer *p);

static void decide(struct bsr_engine *e, struct bsr_peer *p)
{
	struct bsr_volume *vol;
	struct bsr_msg_hs_confirm m = {0};
	if (!speaks_of_thirds(p) && bsr_mesh_on(e)) {
		bsr_emit_log(e, BSR_LOGN_PEER_TOO_OLD, p, NULL, BSR_FEATURE_MESH, p->features, 0);
		bsr_peer_refuse(e, p, BSR_CONN_ERROR_CONFIG);
		return;
	}
	BSR_FOR_EACH_VOLUME (e, vol) {
		struct bsr_peer_device *pd = &p->device[vol->index];
		if (!pd->exists || !pd->hs_have) {
			pd->decision = (struct bsr_hs_decision){.action = BSR_HS_NO_DISK};
			memset(&p->hs_volume[vol->index], 0, sizeof(p->hs_volume[vol->index]));
			continue;
		}
		bsr_connect_decide_volume(e, p, vol, false);
		m.volume[m.count].vnr = vol->vnr;
		m.volume[m.count].decision = (uint8_t)pd->decision.action;
		m.volume[m.count].reason = pd->decision.reason;
		m.volume[m.count].size_bytes = pd->decision.size_bytes;
		m.count++;
	}
	p->hs_stage = BSR_HS_CONFIRMING;
	BSR_SEND(e, p, BSR_STREAM_CONTROL, hs_confirm, BSR_MSG_HS_CONFIRM, &m); /* HS-3 */
	BSR_SEND(e, p, BSR_STREAM_DATA, hs_confirm, BSR_MSG_HS_CONFIRM, &m);
	if (p->hs_confirm_have) {
		compare(e, p);
	}
}

static void decide_when_complete(struct bsr_engine *e, struct bsr_peer *p)
{
	if (p->hs_stage == BSR_HS_EXCHANGING && p->hs_resource_have && p->hs_volumes_have == p->hs_peer.volume_count &&
		(p->hs_mesh_have || !speaks_of_thirds(p))) {
		decide(e, p);
	}
}

void bsr_connect_begin(struct bsr_engine *e, struct bsr_peer *p)
{
	send_records(e, p);
	decide_when_complete(e, p); /* the peer's may have come first */
}

void bsr_connect_hs_resource(struct bsr_engine *e, struct bsr_peer *p, const struct bsr_msg_hs_resource *m)
{
	if (p->hs_resource_have || m->node_id != p->node_id || m->volume_count > BSR_VOLUMES_MAX) {
		bsr_peer_reject(e, p, BSR_MSG_HS_RESOURCE);
		return;
	}
	if (m->protocol != (uint8_t)p->options.protocol) {
		bsr_emit_log(e, BSR_LOGN_CONFIG_MISMATCH, p, NULL, p->options.protocol, m->protocol, 0);
		bsr_peer_retry(e, p, BSR_CONN_ERROR_CONFIG);
		return;
	}
	p->hs_peer = *m;
	p->hs_resource_have = true;
	decide_when_complete(e, p);
}

void bsr_connect_hs_mesh(struct bsr_engine *e, struct bsr_peer *p, const struct bsr_msg_hs_mesh *m)
{
	if (!p->hs_resource_have || p->hs_mesh_have || !speaks_of_thirds(p)) {
		bsr_peer_reject(e, p, BSR_MSG_HS_MESH);
		return;
	}
	p->hs_mesh = *m;
	p->hs_mesh_have = true;
	decide_when_complete(e, p);
}

void bsr_connect_hs_volume(struct bsr_engine *e, struct bsr_peer *p, const struct bsr_msg_hs_volume *m)
{
	if (!p->hs_resource_have || p->hs_volumes_have >= p->hs_peer.volume_count) {
		bsr_peer_reject(e, p, BSR_MSG_HS_VOLUME);
		return;
	}
	struct bsr_volume *vol = bsr_volume_by_vnr(e, m->vnr);
	if (vol && p->device[vol->index].exists) {
		struct bsr_peer_device *pd = &p->device[vol->index];
		if (pd->hs_have) {
			bsr_peer_reject(e, p, BSR_MSG_HS_VOLUME); /* twice the same volume */
			return;
		}
		p->hs_volume[vol->index] = *m;
		pd->hs_have = true;
	}
	p->hs_volumes_have++;
	decide_when_complete(e, p);
}

/* ---------------------------------------------------------- both have decided */

static bool is_target(const struct bsr_hs_decision *d)
{
	return d->action == BSR_HS_TARGET_BITMAP || d->action == BSR_HS_TARGET_FULL;
}

static bool is_sync(const struct bsr_hs_decision *d)
{
	return is_target(d) || d->action == BSR_HS_SOURCE_BITMAP || d->action == BSR_HS_SOURCE_FULL;
}

static bool leaves_with_bits(const struct bsr_peer *p, const struct bsr_volume *vol)
{
	const int32_t slot = p->device[vol->index].slot;
	const bool leaves = vol->disk == BSR_DISK_DETACHING || vol->disk == BSR_DISK_FAILED;
	return leaves && vol->bitmap && slot >= 0 && bsr_bitmap_weight(vol->bitmap, (uint32_t)slot) != 0;
}

/* Is the peer's data something else than what applications here have seen? */
static bool judge_exposed(
	struct bsr_engine *e, struct bsr_peer *p, struct bsr_volume *vol, const struct bsr_msg_hs_volume *theirs)
{
	struct bsr_peer_device *pd = &p->device[vol->index];
	const bool offered = p->hs_sent[vol->index].disk >= BSR_DISK_INCONSISTENT;
	const bool compared = offered || vol->disk == BSR_DISK_DISKLESS;
	const bool newcomer = !pd->disk_known && theirs->disk >= BSR_DISK_INCONSISTENT;
	/* put off: I am somebody else's target, and this peer's disk is believed, or not, as that one's was */
	const bool put_off = pd->decision.reason == BSR_HS_REASON_RESYNC_ELSEWHERE;
	if (e->role != BSR_ROLE_PRIMARY || vol->disk == BSR_DISK_UP_TO_DATE ||
		(offered && !is_target(&pd->decision) && !put_off)) {
		pd->unconfirmed = pd->unconfirmed && !newcomer;
		return false;
	}
	if (leaves_with_bits(p, vol)) {
		return true; /* it was lost before my disk was: the bits name what it lacks */
	}
	if (vol->exposed_unknown && theirs->disk == BSR_DISK_UP_TO_DATE && compared && bsr_connect_served(p, vol)) {
		vol->exposed_gi = theirs->current; /* nobody else has anything newer that applications could have read */
		vol->exposed_unknown = false;
		bsr_gi_want_after_restart(e, vol);
	}
	if (pd->unconfirmed && newcomer && !(theirs->flags & BSR_HSF_RECONNECT)) {
		/* its disk may have lost what no checkpoint had confirmed: it does not have what I have shown */
		bsr_gi_show_other(e, vol);
		pd->unconfirmed = false;
		p->shown_other = true;
	}
	return vol->exposed_unknown || (vol->exposed_gi.v != BSR_GI_NONE && !bsr_gi_equal(vol->exposed_gi, theirs->current));
}

/*
 * What the peer says of its disk; and what a Primary without a good disk has shown its applications: another generation
 * is not what they may go on with, here or there.
 */
static void take_over_states(
	struct bsr_engine *e, struct bsr_peer *p, struct bsr_volume *vol, const struct bsr_msg_hs_volume *theirs)
{
	struct bsr_peer_device *pd = &p->device[vol->index];
	const bool they_expose = p->role == BSR_ROLE_PRIMARY && theirs->disk < BSR_DISK_INCONSISTENT && theirs->current.v;
	const enum bsr_disk_state disk = pd->hs_have ? (enum bsr_disk_state)theirs->disk : BSR_DISK_DISKLESS;
	if (disk < BSR_DISK_INCONSISTENT) {
		bsr_peer_disk_changed(e, p, vol, disk);
	}
	const bool stale = judge_exposed(e, p, vol, theirs);
	/* a disk that serves already is newer than what the Primary has heard of */
	const bool serving = pd->repl != BSR_REPL_OFF && vol->disk != BSR_DISK_NEGOTIATING;
	const bool outdated = they_expose && !serving && vol->md_usable && !bsr_gi_equal(vol->sb.current_gi, theirs->current);
	vol->settle_disk = outdated ? not_above(vol->settle_disk, BSR_DISK_OUTDATED) : vol->settle_disk;
	pd->disk_known = disk >= BSR_DISK_INCONSISTENT;
	pd->reconnected = true;
	struct bsr_state *s = bsr_state_propose(e);
	s->device[p->node_id][vol->index].stale = stale;
	s->device[p->node_id][vol->index].disk = disk;
	if (outdated && vol->disk > BSR_DISK_OUTDATED) {
		s->volume[vol->index].disk = BSR_DISK_OUTDATED;
	}
	bsr_state_change(e);
}

/* Both have compared their disks: mine is what the decision makes of it. */
static void take_own_disk(struct bsr_engine *e, struct bsr_peer *p, struct bsr_volume *vol)
{
	const struct bsr_hs_decision *d = &p->device[vol->index].decision;
	const enum bsr_disk_state offered = p->hs_sent[vol->index].disk;
	if (vol->disk == BSR_DISK_NEGOTIATING && d->action != BSR_HS_NO_DISK && offered >= BSR_DISK_INCONSISTENT) {
		/* it was offered as less than its record says only in case that the peer has something newer */
		const enum bsr_disk_state whole = vol->exposed_unknown ? vol->settle_disk : offered;
		bsr_attach_take(e, vol, is_target(d) ? not_above(offered, BSR_DISK_OUTDATED) : whole);
	}
}

/*
 * Three and more nodes, or a peer that compares over a new link only: a Primary's disk, which is not good, is no target of one
 * whose data is of the past: newer writes go to it, and not there. The peer hears over a new link what has been shown, from a Primary that offers no disk.
 */
static bool keeps_from(struct bsr_engine *e, struct bsr_peer *p, struct bsr_volume *vol)
{
	struct bsr_peer_device *pd = &p->device[vol->index];
	const bool before = pd->kept_from;
	pd->kept_from = !bsr_live_usual(e, p) && e->role == BSR_ROLE_PRIMARY && vol->disk < BSR_DISK_UP_TO_DATE && pd->stale &&
			(before || is_target(&pd->decision)) && !BSR_MUTATION(154);
	const bool offered = p->hs_sent[vol->index].disk >= BSR_DISK_INCONSISTENT;
	const bool meet_again = pd->kept_from ? offered : before && !offered && vol->disk >= BSR_DISK_INCONSISTENT;
	p->shown_other = p->shown_other || meet_again;
	return pd->kept_from;
}

/* HD-4: equal, and nothing is marked: what is left of older times may go. */
static void forget_base(struct bsr_engine *e, struct bsr_peer *p, struct bsr_volume *vol)
{
	if (bsr_bitmap_weight(vol->bitmap, (uint32_t)p->device[vol->index].slot) == 0) {
		bsr_superblock_retire_base(&vol->sb, p->node_id);
		bsr_md_superblock_dirty(e, vol);
	}
}

void bsr_connect_establish_volume(struct bsr_engine *e, struct bsr_peer *p, struct bsr_volume *vol)
{
	struct bsr_peer_device *pd = &p->device[vol->index];
	const struct bsr_hs_decision *d = &pd->decision;
	const struct bsr_msg_hs_volume *theirs = &p->hs_volume[vol->index];
	if (!pd->exists) {
		return;
	}
	pd->peer_current = theirs->current;
	pd->peer_capacity = theirs->capacity_bytes;
	pd->peer_repl = BSR_REPL_OFF;
	take_over_states(e, p, vol, theirs);
	if (d->size_bytes != 0 && vol->md_usable && vol->bitmap && d->size_bytes <= vol->capacity_bytes) {
		bsr_volume_set_size(e, vol, d->size_bytes);
	}
	if (d->size_bytes != 0 && vol->disk == BSR_DISK_DISKLESS && vol->size_bytes == 0) {
		bsr_volume_learn_size(e, vol, d->size_bytes); /* of a volume that the peer serves alone */
	}
	take_own_disk(e, p, vol);
	if (d->outdate && vol->disk > BSR_DISK_OUTDATED) {
		bsr_state_set_disk(e, vol, BSR_DISK_OUTDATED);
	}
	if (!keeps_from(e, p, vol) && is_sync(d) && vol->bitmap && pd->slot >= 0) {
		bsr_resync_begin(e, p, vol, d->action);
		return;
	}
	if (d->action == BSR_HS_NO_SYNC && d->clear_bits && vol->bitmap && pd->slot >= 0) {
		pd->chosen = false;
		forget_base(e, p, vol);
	}
	bsr_state_set_repl(e, p, vol, BSR_REPL_ESTABLISHED);
	if (p->hs_sent[vol->index].disk < BSR_DISK_INCONSISTENT && vol->disk >= BSR_DISK_NEGOTIATING) {
		(void)bsr_live_want(e, p, vol); /* my disk was kept out of this comparison */
	}
}

/* What the peer had not confirmed before the link was lost it is to confirm now. */
static void confirm_again(struct bsr_engine *e, struct bsr_peer *p)
{
	struct bsr_volume *vol;
	BSR_FOR_EACH_VOLUME (e, vol) {
		if (p->device[vol->index].unconfirmed && !bsr_log_full(e)) {
			(void)bsr_log_checkpoint_behind(e, p);
			return;
		}
	}
}

/* A Primary without a disk of its own that has shown what I have, or that was seen to lean on my disk before, still does. */
static void note_lean(struct bsr_peer *p, const struct bsr_volume *vol)
{
	struct bsr_peer_device *pd = &p->device[vol->index];
	const struct bsr_msg_hs_volume *theirs = &p->hs_volume[vol->index];
	const bool shows_mine = vol->md_usable && bsr_gi_equal(theirs->current, vol->sb.current_gi);
	pd->leans = pd->hs_have && p->hs_peer.role == BSR_ROLE_PRIMARY && theirs->disk < BSR_DISK_INCONSISTENT &&
		    (pd->served_primary || shows_mine);
}

static void establish(struct bsr_engine *e, struct bsr_peer *p)
{
	struct bsr_volume *vol;
	p->hs_stage = BSR_HS_COMPLETE;
	p->log_from = e->log_tail;
	p->joined = e->log_tail;
	p->tell_again = 0;
	p->checkpoint_log_index = e->log_tail;
	p->checkpoint_first = 0;
	p->checkpoint_count = 0;
	p->checkpoint_wanted = false;
	p->checkpoint_due_ns = BSR_NEVER;
	p->next_checkpoint = 1;
	p->epoch = 0;
	p->flush_failed = false;
	p->acks.count = 0;
	e->epoch_close = true;
	bsr_state_set_conn(e, p, BSR_CONN_CONNECTED);
	bsr_state_set_peer_role(e, p, p->hs_peer.role);
	bool target = false;
	BSR_FOR_EACH_VOLUME (e, vol) {
		p->device[vol->index].data_fence = true;
		note_lean(p, vol);
		p->device[vol->index].decided_from = e->log_tail;
		p->device[vol->index].decided_arrival = p->arrivals;
		bsr_connect_establish_volume(e, p, vol);
		bsr_state_send(e, p, vol);
		target = target || bsr_repl_is_target(p->device[vol->index].repl);
	}
	bsr_mesh_established(e, p);
	confirm_again(e, p);
	/* until that resync is over: it may be interrupted */
	p->discard_my_data = p->discard_my_data && target;
}

static bool mirrored(struct bsr_engine *e, struct bsr_peer *p)
{
	for (uint32_t i = 0; i < p->hs_confirm.count; i++) {
		struct bsr_volume *vol = bsr_volume_by_vnr(e, p->hs_confirm.volume[i].vnr);
		if (!vol || !p->device[vol->index].exists) {
			continue;
		}
		const struct bsr_hs_decision *d = &p->device[vol->index].decision;
		if (bsr_hs_mirror(d->action) != (enum bsr_hs_action)p->hs_confirm.volume[i].decision ||
			d->size_bytes != p->hs_confirm.volume[i].size_bytes) {
			bsr_emit_log(e, BSR_LOGN_HANDSHAKE_NOT_MIRRORED, p, vol, d->action,
				p->hs_confirm.volume[i].decision, d->reason);
			return false;
		}
	}
	return true;
}

static void call_handler(
	struct bsr_engine *e, struct bsr_peer *p, struct bsr_volume *vol, const struct bsr_hs_decision *d)
{
	const bool split = d->action == BSR_HS_SPLIT_BRAIN;
	if (!split && !d->pri_lost) {
		return;
	}
	struct bsr_effect *fx = bsr_fx_add(e, BSR_FX_HANDLER);
	fx->u.handler = (struct bsr_fx_handler){.handler_id = ++e->next_handler,
		.handler = !d->pri_lost ? BSR_HANDLER_SPLIT_BRAIN
			   : split	? BSR_HANDLER_PRI_LOST_AFTER_SB
					: BSR_HANDLER_PRI_LOST,
		.peer = p->node_id,
		.volume = vol->index};
}

void bsr_connect_refuse_volume(struct bsr_engine *e, struct bsr_peer *p, struct bsr_volume *vol)
{
	const struct bsr_hs_decision *d = &p->device[vol->index].decision;
	bsr_emit_log(e, BSR_LOGN_HANDSHAKE_STANDALONE, p, vol, d->reason, d->action, 0);
	call_handler(e, p, vol, d);
	bsr_peer_refuse(e, p, d->error);
}

static void compare(struct bsr_engine *e, struct bsr_peer *p)
{
	struct bsr_volume *vol;
	if (!mirrored(e, p)) {
		bsr_peer_refuse(e, p, BSR_CONN_ERROR_CONFIG);
		return;
	}
	BSR_FOR_EACH_VOLUME (e, vol) {
		const struct bsr_hs_decision *d = &p->device[vol->index].decision;
		if (!p->device[vol->index].exists || !p->device[vol->index].hs_have) {
			continue;
		}
		if (bsr_connect_asks_for_a_person(d->action)) {
			bsr_connect_refuse_volume(e, p, vol);
			return;
		}
		if (d->action == BSR_HS_RETRY) {
			bsr_peer_drop(e, p, BSR_LINK_CLOSED);
			return;
		}
	}
	if (e->role == BSR_ROLE_PRIMARY && p->hs_peer.role == BSR_ROLE_PRIMARY) {
		bsr_peer_refuse(e, p, BSR_CONN_ERROR_TWO_PRIMARIES); /* without a volume in common nobody has decided on it */
		return;
	}
	if (p->tentative) {
		bsr_peer_refuse(e, p, BSR_CONN_ERROR_NONE);
		return;
	}
	if (p->hs_peer.tentative) {
		bsr_peer_drop(e, p, BSR_LINK_CLOSED);
		return;
	}
	establish(e, p);
}

void bsr_connect_hs_confirm(struct bsr_engine *e, struct bsr_peer *p, const struct bsr_msg_hs_confirm *m)
{
	if (p->hs_stage == BSR_HS_COMPLETE || p->hs_confirm_have) {
		return; /* the copy on the other stream */
	}
	p->hs_confirm = *m;
	p->hs_confirm_have = true;
	if (p->hs_stage == BSR_HS_CONFIRMING) {
		compare(e, p);
	}
}
