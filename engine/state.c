// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * state.c - the one place where states change: role, suspension, disks, connections, replication, pauses
 *
 * Owns:       every field of struct bsr_state as it stands in engine, volume, peer and peer device, and what is derived
 *             from them (state_derived.c); announcing changes, to administrators and to peers.
 *
 * A change goes through five steps, in bsr_state_change():
 *   1. somebody edits the whole proposed state: bsr_state_propose(), or a bsr_state_set_*() for one variable;
 *   2. what it implies is added (state_rules.def);
 *   3. it is judged (state_rules.def): what the engine proposes must be legal, what an administrator wishes is refused;
 *   4. it comes into force, all of it at once, with everything derived from it;
 *   5. each variable that is another one now is logged and announced once, then told to peers: the resource, volumes,
 *      connections.
 *
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
#include "resync.h"

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
static void send_on(struct bsr_engine *e, struct bsr_peer *p, struct bsr_volume *vol, enum bsr_stream stream)
{
	struct bsr_msg_state m = {.role = (uint8_t)e->role, .vnr = BSR_NONE};
	if (vol) {
		const struct bsr_peer_device *pd = &p->device[vol->index];
		m.vnr = vol->vnr;
		m.disk = (uint8_t)vol->reported_disk;
		m.repl = (uint8_t)pd->repl;
		m.paused = pd->paused & (BSR_PAUSE_USER | BSR_PAUSE_DEPENDENCY);
	}
	BSR_SEND(e, p, stream, state, BSR_MSG_STATE, &m);
}

void bsr_state_send(struct bsr_engine *e, struct bsr_peer *p, struct bsr_volume *vol)
{
	if (p->hs_stage == BSR_HS_COMPLETE && p->link_up) {
		send_on(e, p, vol, BSR_STREAM_CONTROL);
	}
}

void bsr_state_send_behind_writes(struct bsr_engine *e, struct bsr_volume *vol)
{
	struct bsr_peer *p;
	BSR_FOR_EACH_PEER (e, p) {
		if (p->hs_stage == BSR_HS_COMPLETE && p->link_up && (p->features & BSR_FEATURE_ORDERED_STATES)) {
			send_on(e, p, vol, BSR_STREAM_DATA);
		}
	}
}

void bsr_state_send_all(struct bsr_engine *e, struct bsr_volume *vol)
{
	struct bsr_peer *p;
	BSR_FOR_EACH_PEER (e, p) {
		bsr_state_send(e, p, vol);
	}
}


/* ----------------------------------------------------- 1. what is proposed */

static void gather(const struct bsr_engine *e, struct bsr_state *s)
{
	struct bsr_volume *vol;
	struct bsr_peer *p;
	s->volumes = e->volume_mask;
	s->peers = e->peer_mask;
	s->role = e->role;
	s->suspended = e->suspended;
	BSR_FOR_EACH_VOLUME (e, vol) {
		s->volume[vol->index] = (struct bsr_volume_state){
			.disk = vol->disk, .recorded = vol->sync_result, .crashed_primary = vol->crashed_primary};
	}
	BSR_FOR_EACH_PEER (e, p) {
		s->peer[p->node_id] = (struct bsr_peer_state){.conn = p->conn, .error = p->error, .role = p->role};
		BSR_FOR_EACH_VOLUME (e, vol) {
			const struct bsr_peer_device *pd = &p->device[vol->index];
			s->device[p->node_id][vol->index] = (struct bsr_device_state){
				.repl = pd->repl, .disk = pd->disk, .paused = pd->paused, .stale = pd->stale};
		}
	}
}

struct bsr_state *bsr_state_propose(struct bsr_engine *e)
{
	gather(e, &e->state_now);
	gather(e, &e->state_next);
	return &e->state_next;
}

/* ------------------------------------------------------- 4. it is in force */

static void commit(struct bsr_engine *e, const struct bsr_state *s)
{
	struct bsr_volume *vol;
	struct bsr_peer *p;
	e->role = s->role;
	e->suspended = s->suspended;
	BSR_FOR_EACH_VOLUME (e, vol) {
		vol->disk = s->volume[vol->index].disk;
		vol->sync_result = s->volume[vol->index].recorded;
		vol->crashed_primary = s->volume[vol->index].crashed_primary;
	}
	BSR_FOR_EACH_PEER (e, p) {
		p->conn = s->peer[p->node_id].conn;
		p->error = s->peer[p->node_id].error;
		p->role = s->peer[p->node_id].role;
		BSR_FOR_EACH_VOLUME (e, vol) {
			const struct bsr_device_state *d = &s->device[p->node_id][vol->index];
			struct bsr_peer_device *pd = &p->device[vol->index];
			pd->repl = d->repl;
			pd->disk = d->disk;
			pd->paused = d->paused;
			pd->stale = d->stale;
		}
	}
	BSR_FOR_EACH_VOLUME (e, vol) {
		bsr_state_recompute(e, vol);
		const struct bsr_volume_state *was = &e->state_now.volume[vol->index];
		if (vol->disk != was->disk) {
			/* ST-4; the end of a resync is on record before the source hears of it */
			const bool recorded = was->recorded != 0 && vol->disk == was->recorded && !BSR_MUTATION(140);
			vol->report_sb = recorded ? vol->sync_result_sb : vol->sb_wanted;
		}
	}
	e->kick = true;
}

/* --------------------------------------------------- 5. everybody hears of it */

void bsr_state_publish_disk(struct bsr_engine *e, struct bsr_volume *vol)
{
	const enum bsr_disk_state old = vol->reported_disk;
	/* the record of a disk that was Negotiating proves this much already */
	const bool proven = old == BSR_DISK_NEGOTIATING && vol->disk <= vol->settle_disk;
	if (old == vol->disk || (vol->disk > old && vol->md_usable && vol->sb_durable < vol->report_sb && !proven)) {
		return; /* ST-4 */
	}
	vol->reported_disk = vol->disk;
	bsr_emit_log(e, BSR_LOGN_DISK_CHANGED, NULL, vol, old, vol->disk, 0);
	bsr_state_announce(e, BSR_OBJ_VOLUME, BSR_ACT_CHANGE, NULL, vol);
	bsr_state_send_all(e, vol);
	e->kick = true;
}

static void publish_resource(struct bsr_engine *e, const struct bsr_state *was)
{
	if (e->role != was->role) {
		bsr_emit_log(e, BSR_LOGN_ROLE_CHANGED, NULL, NULL, e->role, 0, 0);
	}
	if (e->role != was->role || e->suspended != was->suspended) {
		bsr_state_announce(e, BSR_OBJ_RESOURCE, BSR_ACT_CHANGE, NULL, NULL);
	}
	if (e->role != was->role && !BSR_MUTATION(97)) {
		bsr_state_send_all(e, NULL);
	}
}

static void publish_peer(struct bsr_engine *e, struct bsr_peer *p, const struct bsr_state *was)
{
	const struct bsr_peer_state *before = &was->peer[p->node_id];
	struct bsr_volume *vol;
	if (p->conn != before->conn) {
		bsr_emit_log(e, BSR_LOGN_CONN_CHANGED, p, NULL, before->conn, p->conn, 0);
	}
	BSR_FOR_EACH_VOLUME (e, vol) {
		const struct bsr_device_state *d = &was->device[p->node_id][vol->index];
		const struct bsr_peer_device *pd = &p->device[vol->index];
		if (pd->repl != d->repl || pd->disk != d->disk || pd->paused != d->paused) {
			bsr_state_announce(e, BSR_OBJ_PEER_DEVICE, BSR_ACT_CHANGE, p, vol);
		}
	}
	if (p->conn != before->conn || p->error != before->error || p->role != before->role) {
		bsr_state_announce(e, BSR_OBJ_PEER, BSR_ACT_CHANGE, p, NULL);
	}
	BSR_FOR_EACH_VOLUME (e, vol) {
		const struct bsr_device_state *d = &was->device[p->node_id][vol->index];
		const struct bsr_peer_device *pd = &p->device[vol->index];
		const uint32_t told = BSR_PAUSE_USER | BSR_PAUSE_DEPENDENCY;
		if (pd->repl != d->repl || ((pd->paused ^ d->paused) & told)) {
			bsr_state_send(e, p, vol);
		}
	}
}

static void publish(struct bsr_engine *e, const struct bsr_state *was)
{
	struct bsr_volume *vol;
	struct bsr_peer *p;
	publish_resource(e, was);
	BSR_FOR_EACH_VOLUME (e, vol) {
		if (vol->disk != was->volume[vol->index].disk) {
			bsr_state_publish_disk(e, vol);
		}
	}
	BSR_FOR_EACH_PEER (e, p) {
		publish_peer(e, p, was);
	}
}

/* ----------------------------------------------------------- the whole of it */

/* Volumes of which a handshake under way has said something that holds no longer (HS-1). */
static uint64_t changed_records(const struct bsr_state *now, const struct bsr_state *next)
{
	uint64_t other = now->role != next->role ? now->volumes : 0;
	for (uint64_t left = now->volumes; left; left &= left - 1) {
		const uint32_t v = (uint32_t)__builtin_ctzll(left);
		other |= now->volume[v].disk != next->volume[v].disk ? 1ull << v : 0;
	}
	return other;
}

static bool judge(struct bsr_engine *e, bool admin, struct bsr_refusal *why)
{
	struct bsr_state *next = &e->state_next;
	BSR_ASSERT(next->volumes == e->volume_mask && next->peers == e->peer_mask);
	bsr_state_imply(next);
	return bsr_state_is_legal(&e->state_now, next, admin, why);
}

/* ST-2: steps of a resync whose state has gone go, too. */
static void end_resyncs(struct bsr_engine *e)
{
	struct bsr_volume *vol;
	struct bsr_peer *p;
	BSR_FOR_EACH_PEER (e, p) {
		BSR_FOR_EACH_VOLUME (e, vol) {
			const struct bsr_peer_device *pd = &p->device[vol->index];
			if (pd->sync_step != 0 && pd->repl <= BSR_REPL_ESTABLISHED) {
				bsr_resync_stop(e, p, vol);
			}
			if (pd->verify.step > BSR_VERIFY_ASKING && !bsr_repl_is_verify(pd->repl)) {
				bsr_verify_interrupt(
					e, p, vol, pd->repl == BSR_REPL_OFF ? -BSR_E_NOT_CONNECTED : -BSR_E_VERIFY_DISKS);
			}
		}
	}
}

static bool primary_comes(const struct bsr_state *now, const struct bsr_state *next)
{
	bool comes = next->role == BSR_ROLE_PRIMARY && now->role != next->role;
	for (uint32_t left = next->peers; left; left &= left - 1) {
		const uint32_t node = (uint32_t)__builtin_ctz(left);
		comes = comes || (next->peer[node].role == BSR_ROLE_PRIMARY && now->peer[node].role != BSR_ROLE_PRIMARY);
	}
	return comes;
}

static void put_into_force(struct bsr_engine *e)
{
	if (bsr_state_equal(&e->state_now, &e->state_next)) {
		return;
	}
	const uint64_t records = changed_records(&e->state_now, &e->state_next);
	commit(e, &e->state_next);
	publish(e, &e->state_now);
	end_resyncs(e);
	if (primary_comes(&e->state_now, &e->state_next)) {
		struct bsr_peer *p;
		BSR_FOR_EACH_PEER (e, p) {
			bsr_resync_unchoose(e, p); /* from now on the Primary says what is right */
		}
	}
	if (records) {
		bsr_connect_changed(e, records); /* changes connections in its turn */
	}
}

void bsr_state_change(struct bsr_engine *e)
{
	struct bsr_refusal why;
	if (!judge(e, false, &why)) {
		bsr_panic(__FILE__, __LINE__, why.sentence);
	}
	put_into_force(e);
}

int32_t bsr_state_request(struct bsr_engine *e, struct bsr_refusal *why)
{
	if (!judge(e, true, why)) {
		return why->error;
	}
	put_into_force(e);
	return 0;
}

/* -------------------------------------------------- changes of one variable */

void bsr_state_set_disk(struct bsr_engine *e, struct bsr_volume *vol, enum bsr_disk_state next)
{
	if (vol->disk != next) {
		bsr_state_propose(e)->volume[vol->index].disk = next;
		bsr_state_change(e);
	}
}

void bsr_state_set_role(struct bsr_engine *e, enum bsr_role next)
{
	if (e->role != next) {
		bsr_state_propose(e)->role = next;
		bsr_state_change(e);
	}
}

void bsr_state_set_suspended(struct bsr_engine *e, uint32_t suspended)
{
	if (e->suspended != suspended) {
		bsr_state_propose(e)->suspended = suspended;
		bsr_state_change(e);
	}
}

void bsr_state_set_peer_role(struct bsr_engine *e, struct bsr_peer *p, enum bsr_role next)
{
	if (p->role != next) {
		bsr_state_propose(e)->peer[p->node_id].role = next;
		bsr_state_change(e);
	}
}

void bsr_state_set_conn(struct bsr_engine *e, struct bsr_peer *p, enum bsr_conn_state next)
{
	if (p->conn != next) {
		bsr_state_propose(e)->peer[p->node_id].conn = next;
		bsr_state_change(e);
	}
}

void bsr_state_set_repl(struct bsr_engine *e, struct bsr_peer *p, struct bsr_volume *vol, enum bsr_repl_state next)
{
	if (p->device[vol->index].repl != next) {
		bsr_state_propose(e)->device[p->node_id][vol->index].repl = next;
		bsr_state_change(e);
	}
}

void bsr_state_set_peer_disk(
	struct bsr_engine *e, struct bsr_peer *p, struct bsr_volume *vol, enum bsr_disk_state next)
{
	if (p->device[vol->index].disk != next) {
		bsr_state_propose(e)->device[p->node_id][vol->index].disk = next;
		bsr_state_change(e);
	}
}

void bsr_state_set_paused(struct bsr_engine *e, struct bsr_peer *p, struct bsr_volume *vol, uint32_t paused)
{
	if (p->device[vol->index].paused != paused) {
		bsr_state_propose(e)->device[p->node_id][vol->index].paused = paused;
		bsr_state_change(e);
	}
}

/* -------------------------------------------------------- objects come and go */

void bsr_state_begin(struct bsr_engine *e)
{
	e->role = BSR_ROLE_SECONDARY;
}

void bsr_state_add_device(struct bsr_engine *e, struct bsr_peer *p, struct bsr_volume *vol)
{
	struct bsr_peer_device *pd = &p->device[vol->index];
	/* also when connected: until the next handshake nothing is known of a volume that was added meanwhile */
	pd->repl = BSR_REPL_OFF;
	pd->disk = BSR_DISK_UNKNOWN;
	bsr_state_announce(e, BSR_OBJ_PEER_DEVICE, BSR_ACT_CREATE, p, vol);
}
