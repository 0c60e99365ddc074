// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * live.c - the handshake of one volume over a link that stands
 *
 * A disk that comes to a running node, a volume that is added, blocks that failed, an invalidated disk: the two ends
 * compare the disks of that one volume again, while all others go on. Each end offers its record; having both, it
 * decides with the function of handshake.c and confirms its decision on both streams; mirrored decisions are carried out.
 *
 * Owns:       the stages of such a comparison.
 * Invariants:
 *   LV-1  A decision belongs to a pair of numbered offers. When a record changes its owner makes a new offer: what was
 *         confirmed for the old pair no longer counts. The other end decides again, or, if it has carried out the old
 *         decision already, stops that and offers again itself.
 *   LV-2  What is offered is durable (HS-1).
 *   LV-3  Bitmaps that arrive on the data stream before the confirmation does belong to something older: they are
 *         ignored. A source makes its bitmap only when the confirmation has come on the data stream: every write that
 *         went to it alone before is in that bitmap then.
 *   LV-4  A write that was sent before the confirmation on the data stream clears no bit, neither here nor there, and a
 *         target asks for blocks when it has carried out such writes: newer ones that only one disk has may be in the
 *         same blocks, and the bits stand for them.
 * Design:     docs/design/handshake.md, "While connected"
 */
#include "core.h"

bool bsr_live_possible(const struct bsr_peer *p)
{
	return p->link_up && p->hs_stage == BSR_HS_COMPLETE && (p->features & BSR_FEATURE_LIVE_VOLUMES) != 0;
}

void bsr_live_forget(struct bsr_peer_device *pd)
{
	pd->live = BSR_LIVE_IDLE;
	pd->live_wanted = false;
	pd->live_have = false;
	pd->live_mine = 0;
	pd->live_theirs = 0;
	memset(pd->live_confirm, 0, sizeof(pd->live_confirm));
	pd->data_fence = false;
	pd->disk_known = false;
}

bool bsr_live_usual(const struct bsr_engine *e, const struct bsr_peer *p)
{
	return (p->features & BSR_FEATURE_LIVE_VOLUMES) != 0 && !bsr_mesh_on(e);
}

static void begin(struct bsr_engine *e, struct bsr_peer *p, struct bsr_volume *vol)
{
	struct bsr_peer_device *pd = &p->device[vol->index];
	if (pd->repl > BSR_REPL_ESTABLISHED) {
		bsr_resync_stop(e, p, vol);
		bsr_state_set_repl(e, p, vol, BSR_REPL_ESTABLISHED);
	}
	pd->live_wanted = true;
	e->kick = true;
}

bool bsr_live_want(struct bsr_engine *e, struct bsr_peer *p, struct bsr_volume *vol)
{
	if (!bsr_live_possible(p) || !bsr_live_usual(e, p)) {
		return false;
	}
	if (p->device[vol->index].exists) {
		begin(e, p, vol);
	}
	return true;
}

void bsr_live_changed(struct bsr_engine *e, struct bsr_peer *p, const struct bsr_volume *vol)
{
	struct bsr_peer_device *pd = &p->device[vol->index];
	if (pd->live != BSR_LIVE_IDLE) {
		pd->live = BSR_LIVE_IDLE; /* LV-1 */
		pd->live_wanted = true;
		e->kick = true;
	}
}

/* A Primary's new disk waits until there is somebody to compare it with, unless it needs nobody. */
static bool may_offer(const struct bsr_engine *e, const struct bsr_peer *p, const struct bsr_volume *vol)
{
	const struct bsr_peer_device *pd = &p->device[vol->index];
	if (pd->live_have || e->role != BSR_ROLE_PRIMARY) {
		return true;
	}
	if (vol->disk != BSR_DISK_NEGOTIATING) {
		return !pd->stale || vol->disk == BSR_DISK_UP_TO_DATE; /* not to be overwritten with what is of the past */
	}
	return bsr_attach_acceptable(e, vol) || bsr_connect_serves(p, vol) || (vol->exposed_unknown && bsr_connect_can_tell(p, vol));
}

bool bsr_live_under_way(const struct bsr_engine *e, const struct bsr_peer *p, const struct bsr_volume *vol)
{
	const struct bsr_peer_device *pd = &p->device[vol->index];
	return pd->exists && bsr_live_possible(p) &&
	       (pd->live != BSR_LIVE_IDLE || (pd->live_wanted && may_offer(e, p, vol)));
}

/* ------------------------------------------------------------- both records */

static bool matches(const struct bsr_peer_device *pd, const struct bsr_msg_volume_confirm *m)
{
	return pd->live_mine != 0 && ((m->theirs == pd->live_mine && m->mine == pd->live_theirs) || BSR_MUTATION(82));
}

/* Nobody cuts off a Primary that is served well: its new disk is what does not fit. */
static bool gives_back(enum bsr_role role, const struct bsr_msg_hs_volume *record)
{
	return role == BSR_ROLE_PRIMARY && record->disk >= BSR_DISK_INCONSISTENT && record->disk <= BSR_DISK_OUTDATED;
}

static void conclude(
	struct bsr_engine *e, struct bsr_peer *p, struct bsr_volume *vol, const struct bsr_msg_volume_confirm *m)
{
	struct bsr_peer_device *pd = &p->device[vol->index];
	const struct bsr_hs_decision *d = &pd->decision;
	pd->live = BSR_LIVE_IDLE;
	pd->live_have = false;
	if (bsr_hs_mirror(d->action) != (enum bsr_hs_action)m->decision || d->size_bytes != m->size_bytes) {
		bsr_emit_log(e, BSR_LOGN_HANDSHAKE_NOT_MIRRORED, p, vol, d->action, m->decision, d->reason);
		bsr_peer_refuse(e, p, BSR_CONN_ERROR_CONFIG);
		return;
	}
	if (!bsr_connect_asks_for_a_person(d->action)) {
		bsr_connect_establish_volume(e, p, vol);
		bsr_state_send(e, p, vol);
		return;
	}
	if (gives_back(e->role, &p->hs_sent[vol->index])) {
		bsr_emit_log(e, BSR_LOGN_DISK_NOT_JOINED, p, vol, d->reason, 0, 0);
		bsr_attach_refuse(e, vol);
	} else if (!gives_back(pd->live_peer_role, &p->hs_volume[vol->index])) {
		bsr_connect_refuse_volume(e, p, vol);
	}
}

static void decide(struct bsr_engine *e, struct bsr_peer *p, struct bsr_volume *vol)
{
	struct bsr_peer_device *pd = &p->device[vol->index];
	bsr_connect_decide_volume(e, p, vol, true);
	pd->live = BSR_LIVE_DECIDED;
	const struct bsr_msg_volume_confirm m = {.vnr = vol->vnr,
		.decision = (uint8_t)pd->decision.action,
		.reason = pd->decision.reason,
		.mine = pd->live_mine,
		.theirs = pd->live_theirs,
		.size_bytes = pd->decision.size_bytes};
	BSR_SEND(e, p, BSR_STREAM_CONTROL, volume_confirm, BSR_MSG_VOLUME_CONFIRM, &m);
	BSR_SEND(e, p, BSR_STREAM_DATA, volume_confirm, BSR_MSG_VOLUME_CONFIRM, &m);
	pd->decided_from = e->log_tail;
	const struct bsr_msg_volume_confirm *other = NULL;
	for (uint32_t stream = 0; stream < BSR_STREAM_COUNT; stream++) {
		if (matches(pd, &pd->live_confirm[stream])) {
			other = &pd->live_confirm[stream];
			pd->data_fence = pd->data_fence || stream == BSR_STREAM_DATA;
		}
	}
	if (other) {
		conclude(e, p, vol, other);
	}
}

/* --------------------------------------------------------- offers and answers */

void bsr_live_progress(struct bsr_engine *e, struct bsr_peer *p, struct bsr_volume *vol)
{
	struct bsr_peer_device *pd = &p->device[vol->index];
	if (!pd->live_wanted || !bsr_live_possible(p) || !may_offer(e, p, vol)) {
		return;
	}
	if (vol->md_usable && vol->disk >= BSR_DISK_NEGOTIATING && !bsr_md_superblock_clean(vol)) {
		return; /* LV-2 */
	}
	struct bsr_msg_volume_offer m = {.number = ++pd->live_mine, .role = (uint8_t)e->role};
	pd->live_wanted = false;
	pd->live = BSR_LIVE_OFFERED;
	pd->data_fence = false;
	bsr_connect_fill_record(e, p, vol, &m.record, true);
	p->hs_sent[vol->index] = m.record;
	bsr_receive_flush_acks(e, p); /* of the disk as it was until now */
	BSR_SEND(e, p, BSR_STREAM_CONTROL, volume_offer, BSR_MSG_VOLUME_OFFER, &m);
	if (pd->live_have) {
		decide(e, p, vol);
	}
}

void bsr_live_offer(struct bsr_engine *e, struct bsr_peer *p, const struct bsr_msg_volume_offer *m)
{
	struct bsr_volume *vol = bsr_volume_by_vnr(e, m->record.vnr);
	if (!bsr_live_possible(p)) {
		bsr_peer_reject(e, p, BSR_MSG_VOLUME_OFFER);
		return;
	}
	if (!vol || !p->device[vol->index].exists) {
		const struct bsr_msg_volume_confirm none = {
			.vnr = m->record.vnr, .decision = BSR_HS_NO_DISK, .theirs = m->number};
		BSR_SEND(e, p, BSR_STREAM_CONTROL, volume_confirm, BSR_MSG_VOLUME_CONFIRM, &none);
		return;
	}
	struct bsr_peer_device *pd = &p->device[vol->index];
	if (m->number <= pd->live_theirs) {
		bsr_peer_reject(e, p, BSR_MSG_VOLUME_OFFER);
		return;
	}
	pd->live_theirs = m->number;
	pd->live_peer_role = m->role;
	pd->live_have = true;
	pd->hs_have = true;
	p->hs_volume[vol->index] = m->record;
	if (pd->live == BSR_LIVE_IDLE) {
		begin(e, p, vol);
	} else {
		decide(e, p, vol);
	}
}

void bsr_live_confirm(
	struct bsr_engine *e, struct bsr_peer *p, enum bsr_stream stream, const struct bsr_msg_volume_confirm *m)
{
	struct bsr_volume *vol = bsr_volume_by_vnr(e, m->vnr);
	if (!vol || !p->device[vol->index].exists) {
		return; /* taken away here meanwhile */
	}
	struct bsr_peer_device *pd = &p->device[vol->index];
	if (m->mine == 0) {
		if (m->theirs == pd->live_mine && pd->live == BSR_LIVE_OFFERED) {
			pd->live = BSR_LIVE_IDLE; /* the peer will offer when it gets this volume */
			e->kick = true;
		}
		return;
	}
	pd->live_confirm[stream] = *m;
	if (stream == BSR_STREAM_DATA) {
		pd->decided_arrival = p->arrivals;
	}
	if (!matches(pd, m)) {
		return;
	}
	if (stream == BSR_STREAM_DATA) {
		pd->data_fence = true;
		e->kick = true;
	}
	if (pd->live == BSR_LIVE_DECIDED) {
		conclude(e, p, vol, m);
	}
}
