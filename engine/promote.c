// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * promote.c - becoming Primary and Secondary
 *
 * Owns:       the vote on a promotion, and the steps of both role changes.
 * Invariants:
 *   PR-1  A node becomes Primary only when every peer it reaches has agreed (rule 7, I31).
 *   PR-2  No write is admitted before "Primary" is in the superblock: the activity log counts only
 *         then.
 *   PR-3  A demoted node's bitmap is on disk before "Primary" leaves the superblock.
 */
#include "core.h"

enum promote_step { PING_BEGIN = 0, PINGING, VOTE_BEGIN, VOTING, MAKE_DURABLE, WAITING };
#define ASK_AGAIN_NS (BSR_SECOND_NS / 5)
#define PROOF_OF_LIFE_NS (10 * BSR_SECOND_NS)
enum demote_step { DRAIN = 0, CONFIRM, WRITE_BITMAPS, WRITE_RECORDS, DEMOTED };

static void twopc_send(struct bsr_engine *e, struct bsr_peer *p, enum bsr_twopc_step step, uint32_t tid, int32_t error)
{
	const bool mine = step == BSR_TWOPC_PREPARE || step == BSR_TWOPC_COMMIT || step == BSR_TWOPC_ABORT;
	struct bsr_msg_twopc m = {.step = (uint8_t)step,
		.kind = BSR_TWOPC_PROMOTE,
		.tid = tid,
		.initiator = mine ? e->node_id : p->node_id,
		.vnr = BSR_NONE,
		.error = error};
	BSR_SEND(e, p, BSR_STREAM_CONTROL, twopc, BSR_MSG_TWOPC, &m);
}

static void tell_voters(struct bsr_engine *e, const struct bsr_task *t, enum bsr_twopc_step step)
{
	struct bsr_peer *p;
	BSR_FOR_EACH_PEER (e, p) {
		if (p->hs_stage == BSR_HS_COMPLETE && p->link_up) {
			twopc_send(e, p, step, t->tid, 0);
		}
	}
}

static void promote_fail(struct bsr_engine *e, struct bsr_task *t, int32_t error)
{
	if (t->step == VOTING) {
		tell_voters(e, t, BSR_TWOPC_ABORT);
	}
	bsr_task_finish(e, t, error);
}

/* A restarted Primary has a volume that was added to it and has no data on this disk yet: what it had shown of others goes on. */
static bool added_without_data(const struct bsr_task *t, const struct bsr_volume *vol)
{
	return (t->flags & BSR_CMDF_RESUME_PRIMARY) != 0 && vol->disk == BSR_DISK_INCONSISTENT &&
	       (vol->sb.current_gi.v & BSR_GI_MASK) == BSR_GI_JUST_CREATED;
}

/* What forbids a promotion from here; 0 when nothing does. */
static int32_t promote_check(struct bsr_engine *e, struct bsr_task *t)
{
	struct bsr_peer *p;
	struct bsr_volume *vol;
	const bool force = (t->flags & BSR_CMDF_FORCE) != 0;
	BSR_FOR_EACH_PEER (e, p) {
		if (p->role == BSR_ROLE_PRIMARY && !BSR_MUTATION(21)) {
			t->refuser = p->node_id;
			return -BSR_E_TWO_PRIMARIES;
		}
		if (p->prepared_tid != 0) {
			t->refuser = p->node_id;
			return -BSR_E_CONCURRENT_CHANGE;
		}
	}
	BSR_FOR_EACH_VOLUME (e, vol) {
		t->volume = vol->index;
		if (vol->attach_step != BSR_AT_NONE || vol->disk == BSR_DISK_NEGOTIATING) {
			return -BSR_E_IN_TRANSIENT_STATE;
		}
		if (vol->disk < BSR_DISK_INCONSISTENT && (t->flags & BSR_CMDF_RESUME_PRIMARY)) {
			/*
			 * its disk had been given up before: peers serve it, requests wait for one
			 */
			continue;
		}
		if (vol->disk < BSR_DISK_INCONSISTENT) {
			return -BSR_E_DISKLESS;
		}
		if (added_without_data(t, vol)) {
			continue;
		}
		const bool hole = vol->disk == BSR_DISK_UP_TO_DATE && (vol->sb.flags & BSR_MDF_IO_ERROR);
		if ((vol->disk <= BSR_DISK_OUTDATED || hole) && !force && !BSR_MUTATION(22)) {
			return -BSR_E_NO_UP_TO_DATE;
		}
		BSR_FOR_EACH_PEER (e, p) {
			if (vol->disk <= BSR_DISK_OUTDATED && bsr_repl_is_target(p->device[vol->index].repl)) {
				return -BSR_E_RESYNC_RUNNING;
			}
		}
	}
	t->volume = BSR_NONE;
	return 0;
}

/* A peer that is connected already, and served the process before this one; nobody else is known to have what was seen. */
static struct bsr_peer *peer_that_served(struct bsr_engine *e, struct bsr_volume *vol)
{
	struct bsr_peer *p;
	uint32_t others = 0;
	while ((p = bsr_state_up_to_date_peer(e, vol, others)) != NULL && !bsr_connect_served(p, vol) && !BSR_MUTATION(141)) {
		others |= bsr_node_bit(p->node_id);
	}
	return p;
}

/* What its applications have seen is what the peer has that served them; nobody else can know. */
static void resume_without_disk(struct bsr_engine *e, struct bsr_volume *vol)
{
	const struct bsr_peer *server = peer_that_served(e, vol);
	struct bsr_peer *p;
	vol->exposed_unknown = server == NULL;
	vol->exposed_gi = server ? server->device[vol->index].peer_current : (struct bsr_gi){BSR_GI_NONE};
	struct bsr_state *s = bsr_state_propose(e);
	BSR_FOR_EACH_PEER (e, p) {
		const bool same = server && bsr_gi_equal(p->device[vol->index].peer_current, vol->exposed_gi);
		s->device[p->node_id][vol->index].stale = bsr_peer_connected(p) && !same;
	}
	bsr_state_change(e);
	if (server) {
		bsr_gi_want_after_restart(e, vol);
	}
	bsr_state_set_suspended(e, e->suspended | BSR_SUSPEND_NO_DATA);
}

static void become_primary(struct bsr_engine *e, struct bsr_task *t)
{
	struct bsr_volume *vol;
	tell_voters(e, t, BSR_TWOPC_COMMIT);
	t->step = MAKE_DURABLE;
	e->promoting = true;
	bool forced = false;
	bsr_state_set_role(e, BSR_ROLE_PRIMARY);
	BSR_FOR_EACH_VOLUME (e, vol) {
		vol->exposed_unknown = false;
		if (vol->disk < BSR_DISK_INCONSISTENT) {
			resume_without_disk(e, vol);
			continue;
		}
		if (added_without_data(t, vol)) {
			vol->exposed_gi.v = BSR_GI_NONE;
			vol->exposed_unknown = bsr_state_up_to_date_peer(e, vol, 0) == NULL; /* a peer may have served it */
			continue;
		}
		if (vol->size_bytes == 0) {
			bsr_volume_set_size(e, vol, vol->wanted_bytes ? vol->wanted_bytes : vol->capacity_bytes);
		}
		if (vol->disk < BSR_DISK_UP_TO_DATE) {
			forced = true;
			bsr_state_set_disk(e, vol, BSR_DISK_UP_TO_DATE);
			bsr_gi_create(e, vol, true);
		} else {
			if ((vol->sb.current_gi.v & BSR_GI_MASK) != BSR_GI_JUST_CREATED) {
				vol->sb.current_gi.v |= BSR_GI_PRIMARY_BIT;
			}
			if (!BSR_MUTATION(50)) {
				if (bsr_mesh_on(e)) {
					bsr_mesh_doubt_others(e, vol);
				}
				bsr_gi_want_for_absent(e, vol);
			}
		}
		vol->exposed_gi = vol->sb.current_gi;
		vol->sb.flags |= BSR_MDF_LAST_PRIMARY | ((t->flags & BSR_CMDF_RESUME_PRIMARY) ? 0 : BSR_MDF_WAS_PRIMARY);
		bsr_md_superblock_dirty(e, vol);
	}
	if (forced) {
		t->flags |= BSR_CMDF_FORCE;
	} else {
		t->flags &= ~BSR_CMDF_FORCE;
	}
}

/* A volume that was added to a Primary and whose content a person declares to be good; nobody has seen any of it yet. */
static void declare_added(struct bsr_engine *e)
{
	struct bsr_volume *vol;
	BSR_FOR_EACH_VOLUME (e, vol) {
		const bool unseen = vol->exposed_gi.v == BSR_GI_NONE && !vol->exposed_unknown;
		if (!unseen || vol->disk < BSR_DISK_INCONSISTENT || vol->disk == BSR_DISK_UP_TO_DATE ||
			vol->attach_step != BSR_AT_NONE || bsr_state_up_to_date_peer(e, vol, 0)) {
			continue;
		}
		if (vol->size_bytes == 0) {
			bsr_volume_set_size(e, vol, vol->wanted_bytes ? vol->wanted_bytes : vol->capacity_bytes);
		}
		bsr_state_set_disk(e, vol, BSR_DISK_UP_TO_DATE);
		bsr_gi_create(e, vol, true);
		vol->exposed_gi = vol->sb.current_gi;
		bsr_peer_renegotiate(e, vol, BSR_NONE); /* peers find out that there is data now */
	}
}

static void vote_begin(struct bsr_engine *e, struct bsr_task *t)
{
	struct bsr_peer *p;
	if (e->role == BSR_ROLE_PRIMARY) {
		if (t->flags & BSR_CMDF_FORCE) {
			declare_added(e);
		}
		bsr_task_finish(e, t, 0);
		return;
	}
	const int32_t ret = promote_check(e, t);
	if (ret < 0) {
		bsr_task_finish(e, t, ret);
		return;
	}
	if (bsr_mesh_on(e)) {
		bsr_connect_changed(e, 0); /* who connects now would not be asked */
	}
	t->tid = (uint32_t)bsr_random(e) | 1u;
	t->await = 0;
	t->step = VOTING;
	t->until_ns = e->now_ns + e->options.twopc_timeout_ds * BSR_DS_NS;
	bsr_timer(e, t->until_ns);
	BSR_FOR_EACH_PEER (e, p) {
		if (p->hs_stage == BSR_HS_COMPLETE) {
			t->await |= bsr_node_bit(p->node_id);
		}
	}
	tell_voters(e, t, BSR_TWOPC_PREPARE);
}

/*
 * Peers that died without a word would vote no for ever: whoever does not answer a ping is dropped
 * by its time-out.
 */
static void ping_peers(struct bsr_engine *e, struct bsr_task *t)
{
	struct bsr_peer *p;
	t->await = 0;
	t->step = PINGING;
	if (t->give_up_ns == 0) {
		t->give_up_ns = e->now_ns + e->options.twopc_timeout_ds * BSR_DS_NS;
		bsr_timer(e, t->give_up_ns);
	}
	t->until_ns = t->give_up_ns;
	BSR_FOR_EACH_PEER (e, p) {
		if (p->hs_stage == BSR_HS_COMPLETE) {
			t->await |= bsr_node_bit(p->node_id);
			bsr_peer_ping(e, p);
		}
	}
}

void bsr_promote_pong(struct bsr_engine *e, struct bsr_peer *p)
{
	struct bsr_task *t = bsr_task_running(e, BSR_TASK_PROMOTE);
	if (t && t->step == PINGING) {
		t->await &= ~bsr_node_bit(p->node_id);
		e->kick = true;
	}
}

/* Writes of the Primary before me that still wait for their turn would land on top of mine. */
static bool everything_received(struct bsr_engine *e)
{
	struct bsr_peer *p;
	BSR_FOR_EACH_PEER (e, p) {
		if (!bsr_receive_idle(p)) {
			return false;
		}
	}
	return true;
}

bool bsr_promote_voting(struct bsr_engine *e)
{
	const struct bsr_task *t = bsr_task_running(e, BSR_TASK_PROMOTE);
	return t && t->step == VOTING;
}

static bool lost_everything(struct bsr_engine *e, struct bsr_task *t)
{
	struct bsr_volume *vol;
	BSR_FOR_EACH_VOLUME (e, vol) {
		if (vol->disk != BSR_DISK_UP_TO_DATE && !bsr_state_up_to_date_peer(e, vol, 0)) {
			t->volume = vol->index;
			return true;
		}
	}
	return false;
}

void bsr_promote_progress(struct bsr_engine *e, struct bsr_task *t)
{
	if (t->step == WAITING && e->now_ns >= t->until_ns) {
		t->step = PING_BEGIN;
	}
	if (t->step == PING_BEGIN && e->role == BSR_ROLE_PRIMARY) {
		t->step = VOTE_BEGIN; /* it is Primary already: nobody need be asked, or waited for */
	}
	if (t->step == PING_BEGIN) {
		ping_peers(e, t);
	}
	if (t->step == PINGING) {
		if (t->await != 0 || !everything_received(e) ||
			(e->now_ns < t->give_up_ns && bsr_mesh_settling(e))) {
			return;
		}
		t->step = VOTE_BEGIN;
	}
	if (t->step == VOTE_BEGIN) {
		vote_begin(e, t);
		if (t->kind == BSR_TASK_FREE) {
			return;
		}
	}
	if (t->step == VOTING) {
		const int32_t ret = t->await == 0 ? promote_check(e, t) : 0;
		if (ret < 0) {
			promote_fail(e, t, ret); /* what was right when the vote began is not any more */
			return;
		}
		if (t->await == 0) {
			become_primary(e, t);
		} else if (e->now_ns >= t->until_ns) {
			t->refuser = (uint32_t)__builtin_ctz(t->await);
			promote_fail(e, t, -BSR_E_TIMED_OUT);
			return;
		}
	}
	if (t->step == MAKE_DURABLE && (bsr_task_superblocks_clean(e) || BSR_MUTATION(23))) {
		e->promoting = false; /* PR-2 */
		if (!(t->flags & BSR_CMDF_RESUME_PRIMARY) && lost_everything(e, t)) {
			bsr_state_set_role(e, BSR_ROLE_SECONDARY); /* a disk failed on the way */
			bsr_task_finish(e, t, -BSR_E_NO_UP_TO_DATE);
			return;
		}
		const bool forced = (t->flags & BSR_CMDF_FORCE) != 0;
		bsr_task_finish(e, t, 0);
		for (uint64_t left = forced ? e->volume_mask : 0; left; left &= left - 1) {
			/* peers find out that there is data now */
			bsr_peer_renegotiate(e, e->volume[__builtin_ctzll(left)], BSR_NONE);
		}
		if (!forced) {
			bsr_mesh_promoted(e);
		}
	}
}

void bsr_promote_peer_lost(struct bsr_engine *e, struct bsr_task *t, struct bsr_peer *p)
{
	if (t->step == PINGING) {
		t->await &= ~bsr_node_bit(p->node_id);
		e->kick = true;
	} else if (t->step == VOTING && (t->await & bsr_node_bit(p->node_id))) {
		tell_voters(e, t, BSR_TWOPC_ABORT);
		t->step = bsr_mesh_on(e) ? PING_BEGIN : VOTE_BEGIN; /* ask again whoever is left */
		e->kick = true;
	}
}

/* --------------------------------------------------------------- the voters */

static bool owes(struct bsr_engine *e, struct bsr_peer *p)
{
	struct bsr_volume *vol;
	BSR_FOR_EACH_VOLUME (e, vol) {
		if (bsr_mesh_owed(e, p, vol)) {
			return true;
		}
	}
	return false;
}

/* I see a Primary: no, if it lives; before that is known, the initiator asks again. */
static void answer_for_primary(struct bsr_engine *e, struct bsr_peer *p, struct bsr_peer *primary, uint32_t tid)
{
	const bool asked = primary->vote_ping_ns != 0 && e->now_ns - primary->vote_ping_ns < PROOF_OF_LIFE_NS;
	if (asked && primary->last_received_ns > primary->vote_ping_ns) {
		twopc_send(e, p, BSR_TWOPC_NO, tid, -BSR_E_TWO_PRIMARIES);
		return;
	}
	if (!asked) {
		primary->vote_ping_ns = e->now_ns;
	}
	if (!primary->ping_outstanding) {
		bsr_peer_ping(e, primary);
	}
	twopc_send(e, p, BSR_TWOPC_RETRY, tid, -BSR_E_IN_TRANSIENT_STATE);
}

static void prepare_received(struct bsr_engine *e, struct bsr_peer *p, const struct bsr_msg_twopc *m)
{
	struct bsr_peer *other;
	struct bsr_task *mine = bsr_task_running(e, BSR_TASK_PROMOTE);
	if (e->role == BSR_ROLE_PRIMARY && !BSR_MUTATION(21)) {
		twopc_send(e, p, BSR_TWOPC_NO, m->tid, -BSR_E_TWO_PRIMARIES);
		return;
	}
	BSR_FOR_EACH_PEER (e, other) {
		if (other != p && other->role == BSR_ROLE_PRIMARY) {
			answer_for_primary(e, p, other, m->tid);
			return;
		}
		if (other != p && other->prepared_tid != 0) {
			twopc_send(e, p, BSR_TWOPC_RETRY, m->tid, -BSR_E_CONCURRENT_CHANGE);
			return;
		}
	}
	if (owes(e, p)) {
		bsr_peer_drop(e, p, BSR_LINK_RENEGOTIATE); /* first both have what the lost Primary wrote */
		return;
	}
	if (mine && e->node_id < p->node_id) {
		twopc_send(e, p, BSR_TWOPC_RETRY, m->tid, -BSR_E_CONCURRENT_CHANGE);
		return;
	}
	if (mine) {
		mine->refuser = p->node_id;
		promote_fail(e, mine, -BSR_E_CONCURRENT_CHANGE); /* the lower node id wins */
	}
	p->prepared_tid = m->tid;
	p->prepared_until_ns = e->now_ns + 2 * e->options.twopc_timeout_ds * BSR_DS_NS;
	bsr_timer(e, p->prepared_until_ns);
	if (bsr_mesh_on(e)) {
		bsr_connect_changed(e, 0); /* handshakes wait for the verdict */
	}
	twopc_send(e, p, BSR_TWOPC_YES, m->tid, 0);
}

static void vote_received(struct bsr_engine *e, struct bsr_peer *p, const struct bsr_msg_twopc *m)
{
	struct bsr_task *t = bsr_task_running(e, BSR_TASK_PROMOTE);
	if (!t || t->step != VOTING || t->tid != m->tid) {
		return;
	}
	if (m->step == BSR_TWOPC_YES) {
		t->await &= ~bsr_node_bit(p->node_id);
		e->kick = true;
		return;
	}
	const bool wait = m->step == BSR_TWOPC_RETRY && m->error == -BSR_E_IN_TRANSIENT_STATE;
	if (wait && e->now_ns < t->give_up_ns) {
		tell_voters(e, t, BSR_TWOPC_ABORT);
		t->step = WAITING;
		t->until_ns = e->now_ns + ASK_AGAIN_NS;
		bsr_timer(e, t->until_ns);
		return;
	}
	t->refuser = p->node_id;
	promote_fail(e, t, wait ? -BSR_E_TWO_PRIMARIES : m->error < 0 ? m->error : -BSR_E_PEER_REFUSED);
}

/* A Primary that connected while this vote was under way: the new handshake refuses it. */
static void drop_other_primaries(struct bsr_engine *e, const struct bsr_peer *p)
{
	struct bsr_peer *other;
	BSR_FOR_EACH_PEER (e, other) {
		if (other != p && other->role == BSR_ROLE_PRIMARY) {
			bsr_peer_drop(e, other, BSR_LINK_RENEGOTIATE);
		}
	}
}

void bsr_twopc_receive(struct bsr_engine *e, struct bsr_peer *p, const struct bsr_msg_twopc *m)
{
	if (m->kind != BSR_TWOPC_PROMOTE) {
		if (m->step == BSR_TWOPC_PREPARE) {
			twopc_send(e, p, BSR_TWOPC_NO, m->tid, -BSR_E_UNSUPPORTED);
		}
		return;
	}
	switch ((enum bsr_twopc_step)m->step) {
	case BSR_TWOPC_PREPARE:
		prepare_received(e, p, m);
		break;
	case BSR_TWOPC_YES:
	case BSR_TWOPC_NO:
	case BSR_TWOPC_RETRY:
		vote_received(e, p, m);
		break;
	case BSR_TWOPC_COMMIT:
		if (p->prepared_tid == m->tid) {
			p->prepared_tid = 0;
			bsr_state_set_peer_role(e, p, BSR_ROLE_PRIMARY);
			drop_other_primaries(e, p);
		}
		break;
	case BSR_TWOPC_ABORT:
		p->prepared_tid = p->prepared_tid == m->tid ? 0 : p->prepared_tid;
		break;
	}
}

/* ----------------------------------------------------------------- demotion */

static bool drained(struct bsr_engine *e)
{
	uint32_t held = 0;
	for (const struct bsr_list *l = e->held.next; l != &e->held; l = l->next) {
		held++;
	}
	return e->request_count == held;
}

static bool confirmed(struct bsr_engine *e)
{
	struct bsr_peer *p;
	bool clean = true;
	BSR_FOR_EACH_PEER (e, p) {
		if (p->hs_stage == BSR_HS_COMPLETE && !bsr_log_peer_clean(e, p)) {
			bsr_log_checkpoint(e, p, false);
			clean = false;
		}
	}
	return clean;
}

static void become_secondary(struct bsr_engine *e, bool explicit)
{
	struct bsr_volume *vol;
	bsr_state_set_role(e, BSR_ROLE_SECONDARY); /* PR-3 */
	BSR_FOR_EACH_VOLUME (e, vol) {
		vol->gi_wanted = false;
		vol->exposed_gi.v = BSR_GI_NONE;
		vol->exposed_unknown = false;
		if (vol->md_usable) {
			vol->sb.current_gi.v &= BSR_GI_MASK;
			/* persist-role: `down` keeps it */
			vol->sb.flags &= explicit ? ~BSR_MDF_WAS_PRIMARY : ~0u;
			bsr_md_superblock_dirty(e, vol);
		}
	}
}

bool bsr_demote_step(struct bsr_engine *e, struct bsr_task *t)
{
	struct bsr_volume *vol;
	if (e->role != BSR_ROLE_PRIMARY && t->step < WRITE_RECORDS) {
		return true;
	}
	e->demoting = true;
	if (t->step == DRAIN && drained(e)) {
		t->step = CONFIRM;
	}
	if (t->step == CONFIRM && confirmed(e)) {
		BSR_FOR_EACH_VOLUME (e, vol) {
			t->sweep[vol->index] = vol->bitmap ? bsr_md_sweep(e, vol) : 0;
		}
		t->step = WRITE_BITMAPS;
	}
	if (t->step == WRITE_BITMAPS) {
		BSR_FOR_EACH_VOLUME (e, vol) {
			if (vol->bitmap && vol->attach_step == BSR_AT_NONE && !bsr_md_swept(vol, t->sweep[vol->index])) {
				return false;
			}
		}
		become_secondary(e, t->kind == BSR_TASK_DEMOTE);
		t->step = WRITE_RECORDS;
	}
	if (t->step == WRITE_RECORDS && bsr_task_superblocks_clean(e)) {
		t->step = DEMOTED;
		e->demoting = false;
	}
	return t->step == DEMOTED;
}

void bsr_demote_abort(struct bsr_engine *e)
{
	e->demoting = false;
	e->kick = true;
}
