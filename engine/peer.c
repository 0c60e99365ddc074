// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * peer.c - links to peers: wanted, up, lost; and what arrives on them
 *
 * Owns:       link incarnations, keep-alive, the reaction to every message type in every stage.
 * Invariants:
 *   PE-1  Every event of a link names its incarnation; what comes from an older one is ignored
 *         (T30).
 *   PE-2  A new link is asked for only when everything that came over the old one has been carried
 *         out.
 *   PE-3  A lost peer's writes are marked and the wish for a new generation is noted before any
 *         write completes without it (TL-2, GI-1).
 */
#include "core.h"

#define HANDSHAKE_TIMEOUT_NS (10 * BSR_SECOND_NS)
#define HEAL_PAUSE_NS (5 * BSR_SECOND_NS)
#define MESH_HEAL_PAUSE_NS (BSR_SECOND_NS / 5) /* after a Primary was lost, its Secondaries equalise */
#define RENEGOTIATE_LIMIT_NS (2 * BSR_SECOND_NS) /* so long others count on it to come back */
#define RENEGOTIATE_PAUSE_NS (20 * 1000000ull)

bool bsr_peer_connected(const struct bsr_peer *p)
{
	return p->conn == BSR_CONN_CONNECTED;
}

void bsr_peer_connect(struct bsr_engine *e, struct bsr_peer *p)
{
	BSR_ASSERT(p->conn == BSR_CONN_STANDALONE);
	p->wanted = true;
	p->redial_ns = e->now_ns;
	struct bsr_peer_state *s = &bsr_state_propose(e)->peer[p->node_id];
	s->conn = BSR_CONN_UNCONNECTED;
	s->error = BSR_CONN_ERROR_NONE; /* of the past */
	bsr_state_change(e);
}

/* -------------------------------------------------------------------- loss */

static enum bsr_conn_state state_after(enum bsr_link_reason reason)
{
	switch (reason) {
	case BSR_LINK_CLOSED:
		return BSR_CONN_BROKEN_PIPE;
	case BSR_LINK_SILENT:
		return BSR_CONN_NETWORK_FAILURE;
	case BSR_LINK_BAD_MESSAGE:
		return BSR_CONN_PROTOCOL_ERROR;
	case BSR_LINK_PEER_LEAVES:
	case BSR_LINK_RENEGOTIATE:
		return BSR_CONN_TEAR_DOWN;
	case BSR_LINK_AUTH:
	case BSR_LINK_MISMATCH:
	case BSR_LINK_ADMIN:
	case BSR_LINK_REFUSED:
		return BSR_CONN_DISCONNECTING;
	}
	return BSR_CONN_NETWORK_FAILURE;
}

static void forget_link(struct bsr_peer *p)
{
	p->link_active = false;
	p->link_up = false;
	p->shown_other = false;
	p->hs_stage = BSR_HS_IDLE;
	p->hs_resource_have = false;
	p->hs_confirm_have = false;
	p->hs_mesh_have = false;
	p->hs_volumes_have = 0;
	p->send_queued_bytes = 0;
	p->ping_outstanding = false;
	p->vote_ping_ns = 0;
	p->acks.count = 0;
	p->prepared_tid = 0;
	p->checkpoint_due_ns = BSR_NEVER;
}

/* PE-3 */
static void note_loss(struct bsr_engine *e, struct bsr_peer *p)
{
	struct bsr_volume *vol;
	BSR_FOR_EACH_VOLUME (e, vol) {
		struct bsr_peer_device *pd = &p->device[vol->index];
		if (pd->mirrored && (pd->slot >= 0 || bsr_mesh_on(e))) {
			bsr_gi_peer_lost(e, p, vol);
		}
		if (pd->mirrored) {
			bsr_log_note_unconfirmed(e, p, vol);
		}
		const bool lives_there = vol->disk < (BSR_MUTATION(88) ? BSR_DISK_INCONSISTENT : BSR_DISK_UP_TO_DATE);
		if (pd->mirrored && lives_there && p->options.protocol == BSR_PROTOCOL_A &&
			p->log_from < vol->disk_lost_at && (!bsr_mesh_on(e) || (bsr_gi_taking_part(e, vol) & ~bsr_node_bit(p->node_id)) == 0)) {
			/* the tail of the stream was acknowledged, and is lost */
			vol->exposed_gi = bsr_gi_random(e);
		}
	}
	bsr_log_peer_lost(e, p);
}

/* Whose disk its applications lived on: a Primary that had none of its own cannot go on without me. */
static void note_service(struct bsr_engine *e, struct bsr_peer *p)
{
	struct bsr_volume *vol;
	BSR_FOR_EACH_VOLUME (e, vol) {
		struct bsr_peer_device *pd = &p->device[vol->index];
		pd->served_primary = pd->exists && p->role == BSR_ROLE_PRIMARY && pd->disk < BSR_DISK_INCONSISTENT &&
				     vol->disk == BSR_DISK_UP_TO_DATE && (pd->leans || BSR_MUTATION(90));
		pd->leans = false;
	}
}

static void lost(struct bsr_engine *e, struct bsr_peer *p, enum bsr_link_reason reason, enum bsr_conn_error error)
{
	struct bsr_volume *vol;
	const bool was_connected = bsr_peer_connected(p);
	if (was_connected && !BSR_MUTATION(48)) {
		note_loss(e, p);
	}
	if (was_connected) {
		note_service(e, p);
		bsr_heard_peer_lost(e, p);
		bsr_mesh_peer_lost(e, p);
	}
	forget_link(p);
	p->redial_ns = e->now_ns;
	if (reason == BSR_LINK_RENEGOTIATE) {
		p->redial_ns += RENEGOTIATE_PAUSE_NS;
		p->back_until_ns = e->now_ns + RENEGOTIATE_LIMIT_NS;
	} else if (!was_connected) {
		p->redial_ns += p->options.connect_int_s * BSR_SECOND_NS;
	}
	const enum bsr_conn_state next = state_after(reason);
	if (next == BSR_CONN_DISCONNECTING) {
		p->wanted = false;
	}
	struct bsr_peer_state *s = &bsr_state_propose(e)->peer[p->node_id];
	s->conn = next;
	s->error = reason == BSR_LINK_AUTH || reason == BSR_LINK_MISMATCH ? BSR_CONN_ERROR_CONFIG : error;
	bsr_state_change(e);
	BSR_FOR_EACH_VOLUME (e, vol) {
		struct bsr_peer_device *pd = &p->device[vol->index];
		if (pd->exists) {
			bsr_resync_stop(e, p, vol);
			pd->verify.marked_bits = 0; /* the next handshake looks at all bits */
			pd->pending = 0;
			pd->unacked = 0;
			pd->hs_have = false;
			pd->peer_repl = BSR_REPL_OFF;
			bsr_live_forget(pd);
		}
	}
	bsr_request_peer_lost(e, p);
	bsr_task_peer_lost(e, p);
	if (next == BSR_CONN_DISCONNECTING) {
		p->discard_my_data = false;
		bsr_resync_unchoose(e, p);
		bsr_state_set_conn(e, p, BSR_CONN_STANDALONE);
	}
	e->kick = true;
}

static void drop(struct bsr_engine *e, struct bsr_peer *p, enum bsr_link_reason reason, enum bsr_conn_error error)
{
	if (!p->link_active) {
		if (state_after(reason) == BSR_CONN_DISCONNECTING && p->conn != BSR_CONN_STANDALONE) {
			p->wanted = false;
			bsr_state_set_conn(e, p, BSR_CONN_DISCONNECTING);
			bsr_state_set_conn(e, p, BSR_CONN_STANDALONE);
		}
		return;
	}
	const bool tell = p->link_up && (reason == BSR_LINK_ADMIN || reason == BSR_LINK_RENEGOTIATE || reason == BSR_LINK_REFUSED);
	if (tell) {
		struct bsr_msg_tear_down m = {.reason = (uint8_t)reason};
		if (p->hs_stage == BSR_HS_COMPLETE) {
			bsr_receive_flush_acks(e, p);
		}
		BSR_SEND(e, p, BSR_STREAM_CONTROL, tear_down, BSR_MSG_TEAR_DOWN, &m);
	}
	bsr_fx_add(e, BSR_FX_CLOSE)->u.link =
		(struct bsr_fx_link){.peer = p->node_id, .link = p->link, .reason = reason, .drain = tell};
	lost(e, p, reason, error);
}

void bsr_peer_drop(struct bsr_engine *e, struct bsr_peer *p, enum bsr_link_reason reason)
{
	drop(e, p, reason, BSR_CONN_ERROR_NONE);
}

void bsr_peer_refuse(struct bsr_engine *e, struct bsr_peer *p, enum bsr_conn_error error)
{
	drop(e, p, BSR_LINK_REFUSED, error);
}

void bsr_peer_leave(struct bsr_engine *e, struct bsr_peer *p, enum bsr_conn_error error)
{
	drop(e, p, BSR_LINK_ADMIN, error);
}

void bsr_peer_retry(struct bsr_engine *e, struct bsr_peer *p, enum bsr_conn_error error)
{
	drop(e, p, BSR_LINK_RENEGOTIATE, error);
	p->redial_ns = e->now_ns + p->options.connect_int_s * BSR_SECOND_NS;
}

void bsr_peer_reject(struct bsr_engine *e, struct bsr_peer *p, uint16_t msg_type)
{
	p->messages_rejected++;
	bsr_emit_log(e, BSR_LOGN_MESSAGE_REJECTED, p, NULL, msg_type, p->messages_rejected, 0);
	bsr_peer_drop(e, p, BSR_LINK_BAD_MESSAGE);
}

void bsr_peer_link_up(struct bsr_engine *e, const struct bsr_ev_link_up *up)
{
	struct bsr_peer *p = up->peer < BSR_NODES_MAX ? e->peer[up->peer] : NULL;
	if (!p || !p->link_active || p->link_up || p->link != up->link) {
		return; /* PE-1 */
	}
	p->link_up = true;
	p->resolver = up->resolver;
	p->features = up->features;
	p->took_ns = 0;
	p->last_received_ns = e->now_ns;
	p->hs_started_ns = e->now_ns;
	bsr_timer(e, e->now_ns + BSR_SECOND_NS);
	e->kick = true; /* the handshake begins as soon as every record is durable */
}

void bsr_peer_link_down(struct bsr_engine *e, const struct bsr_ev_link_down *down)
{
	struct bsr_peer *p = down->peer < BSR_NODES_MAX ? e->peer[down->peer] : NULL;
	if (p && p->link_active && p->link == down->link) {
		lost(e, p, down->reason, BSR_CONN_ERROR_NONE);
	}
}

static void renegotiate(struct bsr_engine *e, struct bsr_peer *p, struct bsr_volume *vol)
{
	if (!bsr_live_want(e, p, vol) && p->link_up) {
		bsr_peer_drop(e, p, BSR_LINK_RENEGOTIATE);
	}
}

void bsr_peer_renegotiate(struct bsr_engine *e, struct bsr_volume *vol, uint32_t node)
{
	struct bsr_peer *p;
	BSR_FOR_EACH_PEER (e, p) {
		if (node == BSR_NONE || node == p->node_id) {
			renegotiate(e, p, vol);
		}
	}
}

/* What a lost peer wrote is on the disk before anybody is told what is there; and no promotion is being voted on. */
static bool may_meet(struct bsr_engine *e)
{
	struct bsr_peer *p;
	if (bsr_mesh_on(e) && bsr_promote_voting(e)) {
		return false;
	}
	BSR_FOR_EACH_PEER (e, p) {
		if (!p->link_up && !bsr_receive_idle(p)) {
			return false;
		}
		if (p->prepared_tid != 0 && bsr_mesh_on(e)) {
			return false; /* it may be Primary in a moment, and then this is another meeting */
		}
	}
	return true;
}

void bsr_peer_progress(struct bsr_engine *e, struct bsr_peer *p)
{
	struct bsr_volume *vol;
	if (p->conn >= BSR_CONN_TIMEOUT && p->conn <= BSR_CONN_TEAR_DOWN && bsr_receive_idle(p)) {
		bsr_state_set_conn(e, p, BSR_CONN_UNCONNECTED); /* PE-2 */
	}
	if (p->conn == BSR_CONN_UNCONNECTED && p->wanted && bsr_receive_idle(p)) {
		bsr_state_set_conn(e, p, BSR_CONN_CONNECTING);
		p->link = ++e->next_link;
		p->link_active = true;
		bsr_fx_add(e, BSR_FX_LISTEN_DIAL)->u.link =
			(struct bsr_fx_link){.peer = p->node_id, .link = p->link, .not_before_ns = p->redial_ns};
	}
	if (p->link_up && p->hs_stage == BSR_HS_IDLE && bsr_task_superblocks_clean(e) && may_meet(e)) {
		bsr_connect_begin(e, p);
	}
	if (p->shown_other && p->link_up && p->hs_stage == BSR_HS_COMPLETE) {
		bsr_peer_drop(e, p, BSR_LINK_RENEGOTIATE);
		return;
	}
	BSR_FOR_EACH_VOLUME (e, vol) {
		bsr_live_progress(e, p, vol);
		if (p->device[vol->index].sync_step) {
			bsr_resync_progress(e, p, vol);
		}
		if (p->device[vol->index].verify.step != BSR_VERIFY_IDLE) {
			bsr_verify_progress(e, p, vol);
		}
		bsr_heard_progress(e, p, vol);
	}
	if (!bsr_list_empty(&p->epoch_queue)) {
		bsr_receive_progress(e, p); /* what waited for HE-2 */
	}
}

/* ------------------------------------------------------------------- timers */

static uint64_t oldest_unanswered(const struct bsr_engine *e, const struct bsr_peer *p)
{
	const uint32_t bit = bsr_node_bit(p->node_id);
	for (const struct bsr_list *l = e->active.next; l != &e->active; l = l->next) {
		const struct bsr_request *rq = BSR_CONTAINER(l, struct bsr_request, link);
		if ((rq->await_any | rq->await_flush) & bit) {
			return rq->submitted_ns;
		}
	}
	return BSR_NEVER;
}

/* A new generation that it was told of and has not confirmed (MS-4). */
static uint64_t generation_asked(struct bsr_engine *e, const struct bsr_peer *p)
{
	struct bsr_volume *vol;
	uint64_t oldest = BSR_NEVER;
	BSR_FOR_EACH_VOLUME (e, vol) {
		if ((vol->gi_await & bsr_node_bit(p->node_id)) && vol->gi_told_ns < oldest) {
			oldest = vol->gi_told_ns;
		}
	}
	return oldest;
}

/* Their comparison was put off, for a Primary or a resync that is not there any more, and neither has good data. */
static bool put_off(const struct bsr_peer_device *pd)
{
	return pd->handshake_reason == BSR_HS_REASON_PRIMARY_ELSEWHERE || pd->handshake_reason == BSR_HS_REASON_RESYNC_ELSEWHERE;
}

/*
 * Connected, no resync, and yet not in step: after failed writes or flushes, or an administrator's
 * "outdate".
 */
static bool out_of_step(const struct bsr_engine *e, const struct bsr_peer *p, const struct bsr_volume *vol)
{
	const struct bsr_peer_device *pd = &p->device[vol->index];
	if (pd->repl != BSR_REPL_ESTABLISHED || pd->slot < 0) {
		return false;
	}
	const bool mine = vol->disk == BSR_DISK_UP_TO_DATE;
	const bool theirs = pd->disk == BSR_DISK_UP_TO_DATE;
	const bool begins = mine && !theirs && !pd->stale;
	if (bsr_mesh_on(e) && (bsr_mesh_elsewhere(e, p) || bsr_mesh_is_target(e, vol, p->node_id) || begins)) {
		return false; /* a third node's business, or the peer begins when it can */
	}
	if (mine && theirs && bsr_mesh_other_generation(e, p, vol)) {
		return true;
	}
	if (mine && theirs) {
		return bsr_verify_unexplained(vol, p);
	}
	const bool both_there = vol->disk >= BSR_DISK_INCONSISTENT && pd->disk >= BSR_DISK_INCONSISTENT;
	/* stale: what I, as Primary without a good disk, had shown; a Secondary has shown nothing, and one with a good disk is a source */
	const bool forgotten = pd->stale && (e->role != BSR_ROLE_PRIMARY || (mine && bsr_mesh_on(e)));
	return both_there && (forgotten || ((mine || theirs || put_off(pd)) && !pd->stale));
}

/*
 * A new handshake makes a short resync of it, the sooner the better; where the disk stays bad, ever
 * more rarely.
 */
static bool heal_due(struct bsr_engine *e, struct bsr_peer *p, struct bsr_volume *vol)
{
	struct bsr_peer_device *pd = &p->device[vol->index];
	if (!out_of_step(e, p, vol)) {
		pd->heal_ns = 0;
		if (pd->repl == BSR_REPL_ESTABLISHED) {
			pd->heal_tries = 0;
			pd->verify.marked_bits = bsr_resync_weight(vol, pd) == 0 ? 0 : pd->verify.marked_bits;
		}
		return false;
	}
	if (pd->heal_ns == 0) {
		const uint64_t pause_ns = bsr_mesh_on(e) ? MESH_HEAL_PAUSE_NS : HEAL_PAUSE_NS;
		pd->heal_ns = e->now_ns + (pause_ns << (pd->heal_tries < 10 ? pd->heal_tries : 10));
		pd->heal_tries++;
	}
	bsr_timer(e, pd->heal_ns);
	return e->now_ns >= pd->heal_ns;
}

void bsr_peer_ping(struct bsr_engine *e, struct bsr_peer *p)
{
	struct bsr_msg_ping m = {.nonce = ++p->ping_nonce};
	BSR_SEND(e, p, BSR_STREAM_CONTROL, ping, BSR_MSG_PING, &m);
	if (!p->ping_outstanding) {
		p->ping_outstanding = true;
		p->ping_sent_ns = e->now_ns;
	}
	bsr_timer(e, p->ping_sent_ns + p->options.ping_timeout_ds * BSR_DS_NS);
}

static void pong_received(struct bsr_engine *e, struct bsr_peer *p, const struct bsr_msg_ping *m)
{
	if (p->ping_outstanding && m->nonce == p->ping_nonce) {
		p->ping_outstanding = false;
		bsr_promote_pong(e, p);
	}
}

void bsr_peer_timer(struct bsr_engine *e, struct bsr_peer *p)
{
	struct bsr_volume *vol;
	if (!p->link_up) {
		return;
	}
	const uint64_t ping_timeout = p->options.ping_timeout_ds * BSR_DS_NS;
	const uint64_t ping_interval = p->options.ping_int_s * BSR_SECOND_NS;
	if (p->hs_stage != BSR_HS_COMPLETE) {
		if (e->now_ns - p->hs_started_ns >= HANDSHAKE_TIMEOUT_NS) {
			bsr_peer_drop(e, p, BSR_LINK_SILENT);
			return;
		}
		bsr_timer(e, p->hs_started_ns + HANDSHAKE_TIMEOUT_NS);
	}
	const uint64_t oldest = oldest_unanswered(e, p);
	const uint64_t write_limit = (uint64_t)p->options.timeout_ds * BSR_DS_NS * p->options.ko_count;
	const uint64_t asked = oldest < generation_asked(e, p) ? oldest : generation_asked(e, p);
	const bool stuck = write_limit && asked != BSR_NEVER && e->now_ns - asked >= write_limit;
	if (stuck || (p->ping_outstanding && e->now_ns - p->ping_sent_ns >= ping_timeout)) {
		bsr_emit_log(e, BSR_LOGN_PEER_SILENT, p, NULL, e->now_ns - (stuck ? asked : p->ping_sent_ns), 0, 0);
		bsr_peer_drop(e, p, BSR_LINK_SILENT);
		return;
	}
	if (!p->ping_outstanding && e->now_ns - p->last_received_ns >= ping_interval) {
		bsr_peer_ping(e, p);
	}
	bsr_timer(e, p->ping_outstanding ? p->ping_sent_ns + ping_timeout : p->last_received_ns + ping_interval);
	BSR_FOR_EACH_VOLUME (e, vol) {
		if (p->device[vol->index].sync_step) {
			bsr_resync_timer(e, p, vol);
		}
		if (p->device[vol->index].verify.step != BSR_VERIFY_IDLE) {
			bsr_verify_timer(e, p, vol);
		}
		if (heal_due(e, p, vol)) {
			p->device[vol->index].heal_ns = 0;
			renegotiate(e, p, vol);
			if (!p->link_up) {
				return;
			}
		}
	}
}

/* ----------------------------------------------------------------- messages */

void bsr_peer_disk_changed(
	struct bsr_engine *e, struct bsr_peer *p, struct bsr_volume *vol, enum bsr_disk_state next)
{
	struct bsr_peer_device *pd = &p->device[vol->index];
	const bool was_mirrored = pd->mirrored;
	if (was_mirrored && next < BSR_DISK_INCONSISTENT) {
		bsr_gi_peer_lost(e, p, vol);
		bsr_log_note_unconfirmed(e, p, vol);
		bsr_log_mark_volume(e, p, vol);
		vol->gi_await &= ~bsr_node_bit(p->node_id);
		if (pd->repl > BSR_REPL_ESTABLISHED) {
			bsr_resync_stop(e, p, vol);
			bsr_state_set_repl(e, p, vol, BSR_REPL_ESTABLISHED);
		}
	}
	if (next != BSR_DISK_UP_TO_DATE) {
		pd->says_equal.v = BSR_GI_NONE;
	}
	const bool better = next == BSR_DISK_UP_TO_DATE && pd->disk < BSR_DISK_UP_TO_DATE && !pd->stale;
	bsr_state_set_peer_disk(e, p, vol, next);
	if (better && bsr_mesh_other_generation(e, p, vol)) {
		bsr_peer_drop(e, p, BSR_LINK_RENEGOTIATE); /* a third node has resynced it, and not to what I have */
	}
}

/*
 * What a peer says of its disk counts for a disk that has been compared with mine. Negotiating is said of one that has
 * not been, and may arrive after the comparison that it waits for.
 */
static void disk_reported(struct bsr_engine *e, struct bsr_peer *p, struct bsr_volume *vol, enum bsr_disk_state disk)
{
	struct bsr_peer_device *pd = &p->device[vol->index];
	const bool leaves = pd->disk >= BSR_DISK_INCONSISTENT && disk < BSR_DISK_INCONSISTENT;
	/* peers of older versions do not say when all has arrived */
	const bool taken_for_all = leaves && p->role == BSR_ROLE_PRIMARY && !(p->features & BSR_FEATURE_ORDERED_STATES);
	pd->leans = (pd->leans && disk < BSR_DISK_INCONSISTENT) || taken_for_all;
	if (disk < BSR_DISK_NEGOTIATING) {
		pd->disk_known = false;
	} else if (disk == BSR_DISK_NEGOTIATING && pd->disk_known) {
		return;
	} else if (!pd->disk_known) {
		disk = BSR_DISK_NEGOTIATING;
	}
	bsr_peer_disk_changed(e, p, vol, disk);
}

static void state_received(struct bsr_engine *e, struct bsr_peer *p, const struct bsr_msg_state *m)
{
	if (m->role == BSR_ROLE_PRIMARY && e->role == BSR_ROLE_PRIMARY) {
		bsr_peer_refuse(e, p, BSR_CONN_ERROR_TWO_PRIMARIES);
		return;
	}
	if (m->role != BSR_ROLE_UNKNOWN) {
		bsr_state_set_peer_role(e, p, m->role);
	}
	struct bsr_volume *vol = m->vnr == BSR_NONE ? NULL : bsr_volume_by_vnr(e, m->vnr);
	if (!vol || !p->device[vol->index].exists) {
		return;
	}
	struct bsr_peer_device *pd = &p->device[vol->index];
	const enum bsr_repl_state before = pd->peer_repl;
	pd->peer_repl = m->repl;
	e->kick = true;
	disk_reported(e, p, vol, m->disk);
	if (!p->link_up) {
		return;
	}
	bsr_state_set_paused(e, p, vol, (pd->paused & ~BSR_PAUSE_PEER) | (m->paused ? BSR_PAUSE_PEER : 0));
	const bool peer_gave_up = m->repl == BSR_REPL_ESTABLISHED && before > BSR_REPL_ESTABLISHED;
	if (peer_gave_up && pd->repl > BSR_REPL_ESTABLISHED) {
		bsr_resync_stop(e, p, vol);
		bsr_state_set_repl(e, p, vol, BSR_REPL_ESTABLISHED);
	}
}

/* Behind all that the peer has written until then. */
static void state_in_stream(struct bsr_engine *e, struct bsr_peer *p, const struct bsr_msg_state *m)
{
	struct bsr_volume *vol = m->vnr == BSR_NONE ? NULL : bsr_volume_by_vnr(e, m->vnr);
	if (!(p->features & BSR_FEATURE_ORDERED_STATES)) {
		bsr_peer_reject(e, p, BSR_MSG_STATE);
	} else if (vol && p->device[vol->index].exists && m->role == BSR_ROLE_PRIMARY && m->disk < BSR_DISK_INCONSISTENT) {
		p->device[vol->index].leans = true;
	}
}

static void tear_down_received(struct bsr_engine *e, struct bsr_peer *p, const struct bsr_msg_tear_down *m)
{
	const bool again = m->reason == BSR_LINK_RENEGOTIATE;
	if (m->reason == BSR_LINK_REFUSED && p->hs_stage == BSR_HS_COMPLETE) {
		bsr_peer_refuse(e, p, BSR_CONN_ERROR_TWO_PRIMARIES); /* the only refusal after a handshake */
		return;
	}
	bsr_fx_add(e, BSR_FX_CLOSE)->u.link =
		(struct bsr_fx_link){.peer = p->node_id, .link = p->link, .reason = BSR_LINK_PEER_LEAVES};
	lost(e, p, again ? BSR_LINK_RENEGOTIATE : BSR_LINK_PEER_LEAVES, BSR_CONN_ERROR_NONE);
}

BSR_APART void acks_received(struct bsr_engine *e, struct bsr_peer *p, const struct bsr_ev_message *ev)
{
	struct bsr_msg_acks m;
	if (bsr_msg_acks_decode(&m, ev->body, ev->body_bytes) < 0) {
		bsr_peer_reject(e, p, ev->msg_type);
		return;
	}
	for (uint32_t i = 0; i < m.count && p->link_up; i++) {
		bsr_request_ack(e, p, m.ack[i].kind, m.ack[i].write_seq);
	}
}

/* One case per type: decode, then the module whose business it is. */
#define CASE(type, name, call)                                                                                \
	case type: {                                                                                          \
		struct bsr_msg_##name m;                                                                      \
		if (bsr_msg_##name##_decode(&m, ev->body, ev->body_bytes) < 0) {                              \
			goto bad;                                                                             \
		}                                                                                             \
		call;                                                                                         \
		return;                                                                                       \
	}

static void control_message(struct bsr_engine *e, struct bsr_peer *p, const struct bsr_ev_message *ev)
{
	switch (ev->msg_type) {
		CASE(BSR_MSG_PING, ping, BSR_SEND(e, p, BSR_STREAM_CONTROL, ping, BSR_MSG_PONG, &m))
		CASE(BSR_MSG_PONG, ping, pong_received(e, p, &m))
		CASE(BSR_MSG_HS_RESOURCE, hs_resource, bsr_connect_hs_resource(e, p, &m))
		CASE(BSR_MSG_HS_VOLUME, hs_volume, bsr_connect_hs_volume(e, p, &m))
		CASE(BSR_MSG_STATE, state, state_received(e, p, &m))
		CASE(BSR_MSG_GI, gi, bsr_gi_receive(e, p, &m))
		CASE(BSR_MSG_TWOPC, twopc, bsr_twopc_receive(e, p, &m))
		CASE(BSR_MSG_CHECKPOINT_ACK, checkpoint, bsr_log_checkpoint_ack(e, p, &m))
		CASE(BSR_MSG_RESYNC_REQUEST, range, bsr_receive_read(e, p, &m, BSR_PR_RESYNC_READ, 0))
		CASE(BSR_MSG_RESYNC_ACK, range, bsr_resync_ack(e, p, &m))
		CASE(BSR_MSG_RESYNC_DONE, resync_done, bsr_resync_done(e, p, &m))
		CASE(BSR_MSG_VERIFY, verify, bsr_verify_receive(e, p, &m))
		CASE(BSR_MSG_VERIFY_RESULT, range, bsr_verify_result(e, p, &m))
		CASE(BSR_MSG_TEAR_DOWN, tear_down, tear_down_received(e, p, &m))
		CASE(BSR_MSG_HS_MESH, hs_mesh, bsr_connect_hs_mesh(e, p, &m))
		CASE(BSR_MSG_MESH, mesh, bsr_mesh_receive(e, p, &m))
		CASE(BSR_MSG_VOLUME_OFFER, volume_offer, bsr_live_offer(e, p, &m))
		CASE(BSR_MSG_VOLUME_CONFIRM, volume_confirm, bsr_live_confirm(e, p, BSR_STREAM_CONTROL, &m))
	default:
		break; /* numbers from the wire, not enumerators: anything else is refused */
	}
bad:
	bsr_peer_reject(e, p, ev->msg_type);
}

static void data_message(struct bsr_engine *e, struct bsr_peer *p, const struct bsr_ev_message *ev)
{
	switch (ev->msg_type) {
		CASE(BSR_MSG_RESYNC_DATA, range, bsr_resync_data(e, p, &m, ev))
		CASE(BSR_MSG_READ_REQUEST, range, bsr_receive_read(e, p, &m, BSR_PR_READ, p->arrivals))
		CASE(BSR_MSG_RESYNC_REQUEST, range, bsr_receive_read(e, p, &m, BSR_PR_RESYNC_READ, p->arrivals))
		CASE(BSR_MSG_VOLUME_CONFIRM, volume_confirm, bsr_live_confirm(e, p, BSR_STREAM_DATA, &m))
		CASE(BSR_MSG_READ_REPLY, range, bsr_request_read_reply(e, p, &m, ev))
		CASE(BSR_MSG_CHECKPOINT, checkpoint, bsr_receive_checkpoint(e, p, &m))
		CASE(BSR_MSG_OUT_OF_SYNC, range, bsr_receive_out_of_sync(e, p, &m))
		CASE(BSR_MSG_VERIFY_REQUEST, range, bsr_verify_request(e, p, &m))
		CASE(BSR_MSG_VERIFY_REPLY, verify_reply, bsr_verify_reply(e, p, &m))
		CASE(BSR_MSG_BITMAP, bitmap, bsr_resync_bitmap(e, p, &m))
		CASE(BSR_MSG_STATE, state, state_in_stream(e, p, &m))
		CASE(BSR_MSG_BITMAP_END, bitmap_end, bsr_resync_bitmap_end(e, p, &m))
	default:
		break;
	}
bad:
	bsr_emit_buf_put(e, ev->payload);
	bsr_peer_reject(e, p, ev->msg_type);
}

static bool takes_payload(uint16_t type)
{
	return type == BSR_MSG_WRITE || type == BSR_MSG_RESYNC_DATA || type == BSR_MSG_READ_REPLY;
}

/* Before the handshake is complete only its own messages, pings and good-byes make sense. */
static inline bool fits_stage(const struct bsr_peer *p, uint16_t type)
{
	if (type >= BSR_MSG_WRITE) {
		return p->hs_stage == BSR_HS_COMPLETE; /* all of the data stream */
	}
	switch (type) {
	case BSR_MSG_HS_CONFIRM:
	case BSR_MSG_PING:
	case BSR_MSG_PONG:
	case BSR_MSG_TEAR_DOWN:
		return true;
	case BSR_MSG_HS_RESOURCE:
	case BSR_MSG_HS_VOLUME:
	case BSR_MSG_HS_MESH:
		return p->hs_stage == BSR_HS_EXCHANGING || p->hs_stage == BSR_HS_IDLE;
	default:
		/*
		 * The peer may have everything while I still wait for its decision on the other
		 * stream.
		 */
		return p->hs_stage == BSR_HS_COMPLETE;
	}
}

/* Not inlined: room for all their decoded bodies is not needed for a write. */
static __attribute__((noinline)) void other_message(struct bsr_engine *e, struct bsr_peer *p, const struct bsr_ev_message *ev)
{
	if (ev->msg_type == BSR_MSG_HS_CONFIRM) {
		struct bsr_msg_hs_confirm m;
		if (bsr_msg_hs_confirm_decode(&m, ev->body, ev->body_bytes) < 0) {
			bsr_peer_reject(e, p, ev->msg_type);
			return;
		}
		bsr_connect_hs_confirm(e, p, &m);
	} else if (ev->stream == BSR_STREAM_CONTROL) {
		control_message(e, p, ev);
	} else {
		data_message(e, p, ev);
	}
}

void bsr_peer_message(struct bsr_engine *e, const struct bsr_ev_message *ev)
{
	struct bsr_peer *p = ev->peer < BSR_NODES_MAX ? e->peer[ev->peer] : NULL;
	if (!p || !p->link_up || p->link != ev->link) {
		bsr_emit_buf_put(e, ev->payload); /* PE-1 */
		return;
	}
	if (ev->msg_type == BSR_MSG_WRITE && ev->stream == BSR_STREAM_DATA && p->hs_stage == BSR_HS_COMPLETE) {
		bsr_receive_write(e, p, ev); /* first of all, there are more of them than of all others together */
		return;
	}
	if (ev->stream == BSR_STREAM_CONTROL) {
		p->last_received_ns = e->now_ns;
		if (ev->msg_type == BSR_MSG_ACKS && p->hs_stage == BSR_HS_COMPLETE && ev->payload_bytes == 0) {
			acks_received(e, p, ev); /* for as many writes as came before it */
			return;
		}
	}
	if (!bsr_msg_fits_stream(ev->msg_type, ev->stream) || !fits_stage(p, ev->msg_type) ||
		(ev->payload_bytes != 0 && !takes_payload(ev->msg_type))) {
		bsr_emit_buf_put(e, ev->payload);
		bsr_peer_reject(e, p, ev->msg_type);
		return;
	}
	BSR_ASSERT(ev->msg_type != BSR_MSG_WRITE && ev->msg_type != BSR_MSG_ACKS); /* they fit nowhere else */
	other_message(e, p, ev);
}
