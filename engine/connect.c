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

static void fill_record(struct bsr_engine *e, struct bsr_peer *p, struct bsr_volume *vol, struct bsr_msg_hs_volume *m)
{
	const struct bsr_peer_device *pd = &p->device[vol->index];
	memset(m, 0, sizeof(*m));
	m->vnr = vol->vnr;
	m->disk = (uint8_t)(vol->disk >= BSR_DISK_INCONSISTENT ? vol->disk : BSR_DISK_DISKLESS);
	if (vol->disk < BSR_DISK_INCONSISTENT || !vol->md_usable) {
		m->current = e->role == BSR_ROLE_PRIMARY ? vol->exposed_gi : m->current;
		return;
	}
	if ((vol->sb.flags & BSR_MDF_IO_ERROR) && e->role != BSR_ROLE_PRIMARY && vol->disk == BSR_DISK_UP_TO_DATE) {
		/* it lacks what failed: the other side is the better one */
		m->disk = BSR_DISK_OUTDATED;
	}
	m->size_bytes = vol->size_bytes;
	m->capacity_bytes = vol->capacity_bytes;
	m->wanted_bytes = vol->wanted_bytes;
	m->current = vol->sb.current_gi;
	for (uint32_t node = 0; node < BSR_NODES_MAX; node++) {
		m->bitmap[node] = vol->sb.peer[node].bitmap_gi;
	}
	memcpy(m->history, vol->sb.history, sizeof(m->history));
	m->flags |= vol->crashed_primary ? BSR_HSF_CRASHED_PRIMARY : 0;
	m->flags |= p->reconnected ? BSR_HSF_RECONNECT : 0;
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
		fill_record(e, p, vol, record);
		BSR_SEND(e, p, BSR_STREAM_CONTROL, hs_volume, BSR_MSG_HS_VOLUME, record);
	}
}

void bsr_connect_changed(struct bsr_engine *e)
{
	struct bsr_peer *p;
	BSR_FOR_EACH_PEER (e, p) {
		if (p->hs_stage == BSR_HS_EXCHANGING || p->hs_stage == BSR_HS_CONFIRMING) {
			bsr_peer_drop(e, p, BSR_LINK_RENEGOTIATE); /* HS-1 */
		}
	}
}

/* ------------------------------------------------------------- the decision */

static bool asks_for_a_person(enum bsr_hs_action action)
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

static void decide_volume(struct bsr_engine *e, struct bsr_peer *p, struct bsr_volume *vol)
{
	struct bsr_peer_device *pd = &p->device[vol->index];
	struct bsr_hs_side local = {.node_id = e->node_id,
		.role = e->role,
		.discard_my_data = p->discard_my_data,
		.volume = &p->hs_sent[vol->index]};
	struct bsr_hs_side peer = {.node_id = p->node_id,
		.role = p->hs_peer.role,
		.discard_my_data = p->hs_peer.discard_my_data,
		.volume = &p->hs_volume[vol->index]};
	const struct bsr_hs_policy policy = {.after_sb_0pri = p->options.after_sb_0pri,
		.after_sb_1pri = p->options.after_sb_1pri,
		.after_sb_2pri = p->options.after_sb_2pri,
		.rr_conflict = p->options.rr_conflict,
		.always_asbp = p->options.always_asbp,
		.resolver = p->resolver};
	if (p->hs_mesh_have) {
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
	if (e->role == BSR_ROLE_PRIMARY && p->hs_peer.role == BSR_ROLE_PRIMARY && e->volume_mask == 0) {
		bsr_peer_refuse(e, p, BSR_CONN_ERROR_TWO_PRIMARIES);
		return;
	}
	BSR_FOR_EACH_VOLUME (e, vol) {
		struct bsr_peer_device *pd = &p->device[vol->index];
		if (!pd->exists || !pd->hs_have) {
			pd->decision = (struct bsr_hs_decision){.action = BSR_HS_NO_DISK};
			continue;
		}
		decide_volume(e, p, vol);
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

/*
 * What the peer says of its disk; and what a Primary without a disk has shown its applications: another generation is
 * not what they may go on with, here or there.
 */
static void take_over_states(
	struct bsr_engine *e, struct bsr_peer *p, struct bsr_volume *vol, const struct bsr_msg_hs_volume *theirs)
{
	struct bsr_state *s = bsr_state_propose(e);
	struct bsr_device_state *d = &s->device[p->node_id][vol->index];
	const bool i_expose = e->role == BSR_ROLE_PRIMARY && vol->disk < BSR_DISK_INCONSISTENT;
	const bool they_expose = p->role == BSR_ROLE_PRIMARY && theirs->disk < BSR_DISK_INCONSISTENT && theirs->current.v;
	d->stale = i_expose && vol->exposed_gi.v && !bsr_gi_equal(vol->exposed_gi, theirs->current);
	if (they_expose && vol->disk > BSR_DISK_OUTDATED && !bsr_gi_equal(vol->sb.current_gi, theirs->current)) {
		s->volume[vol->index].disk = BSR_DISK_OUTDATED;
	}
	d->disk = p->device[vol->index].hs_have ? (enum bsr_disk_state)theirs->disk : BSR_DISK_DISKLESS;
	bsr_state_change(e);
}

static void establish_volume(struct bsr_engine *e, struct bsr_peer *p, struct bsr_volume *vol)
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
	const bool sync = d->action == BSR_HS_SOURCE_BITMAP || d->action == BSR_HS_SOURCE_FULL ||
			  d->action == BSR_HS_TARGET_BITMAP || d->action == BSR_HS_TARGET_FULL;
	if (d->size_bytes != 0 && vol->md_usable && vol->bitmap && d->size_bytes <= vol->capacity_bytes) {
		bsr_volume_set_size(e, vol, d->size_bytes);
	}
	if (d->outdate && vol->disk > BSR_DISK_OUTDATED) {
		bsr_state_set_disk(e, vol, BSR_DISK_OUTDATED);
	}
	if (sync && vol->bitmap && pd->slot >= 0) {
		bsr_resync_begin(e, p, vol, d->action);
		return;
	}
	if (d->action == BSR_HS_NO_SYNC && d->clear_bits && vol->bitmap && pd->slot >= 0) {
		bsr_bitmap_clear(vol->bitmap, (uint32_t)pd->slot, 0, bsr_bitmap_bit_count(vol->bitmap));
		bsr_superblock_retire_base(&vol->sb, p->node_id);
		bsr_md_superblock_dirty(e, vol);
	}
	bsr_state_set_repl(e, p, vol, BSR_REPL_ESTABLISHED);
}

static void establish(struct bsr_engine *e, struct bsr_peer *p)
{
	struct bsr_volume *vol;
	p->hs_stage = BSR_HS_COMPLETE;
	p->reconnected = true;
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
		establish_volume(e, p, vol);
		bsr_state_send(e, p, vol);
		target = target || bsr_repl_is_target(p->device[vol->index].repl);
	}
	bsr_mesh_established(e, p);
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
		if (asks_for_a_person(d->action)) {
			bsr_emit_log(e, BSR_LOGN_HANDSHAKE_STANDALONE, p, vol, d->reason, d->action, 0);
			call_handler(e, p, vol, d);
			bsr_peer_refuse(e, p, d->error);
			return;
		}
		if (d->action == BSR_HS_RETRY) {
			bsr_peer_drop(e, p, BSR_LINK_CLOSED);
			return;
		}
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
