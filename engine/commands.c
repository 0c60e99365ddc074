// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * commands.c - what administrators ask for: check, then do it or start a task
 *
 * Owns:       creation and removal of volumes and peers.
 */
#include "core.h"
#include "measure.h"

#define SYNC_FROM_LIMIT_NS (5 * BSR_SECOND_NS) /* the peer that was named as source does not come: any will do */

static void done(struct bsr_engine *e, const struct bsr_ev_command *c, int32_t result)
{
	bsr_emit_command_done(e, c->cmd_id, result, BSR_NONE, BSR_NONE);
}

static struct bsr_volume *volume_of(struct bsr_engine *e, const struct bsr_command *cmd)
{
	return cmd->volume < BSR_VOLUMES_MAX ? e->volume[cmd->volume] : NULL;
}

static struct bsr_peer *peer_of(struct bsr_engine *e, const struct bsr_command *cmd)
{
	return cmd->peer < BSR_NODES_MAX ? e->peer[cmd->peer] : NULL;
}

static void init_peer_device(struct bsr_engine *e, struct bsr_peer *p, struct bsr_volume *vol)
{
	struct bsr_peer_device *pd = &p->device[vol->index];
	memset(pd, 0, sizeof(*pd));
	pd->exists = true;
	pd->peer_repl = BSR_REPL_OFF;
	pd->slot = -1;
	for (uint32_t i = 0; i < BSR_RESYNC_REQUESTS_MAX; i++) {
		pd->chunk[i].buf = BSR_BUF_NONE;
	}
	pd->unconfirmed = (vol->gone_unconfirmed & bsr_node_bit(p->node_id)) != 0 && !BSR_MUTATION(143);
	vol->gone_unconfirmed &= ~bsr_node_bit(p->node_id);
	bsr_peer_device_options_defaults(&pd->options);
	bsr_state_add_device(e, p, vol);
}

/* For changes of metadata: the answer waits until they are on disk. */
static void done_when_durable(struct bsr_engine *e, const struct bsr_ev_command *c, int32_t result)
{
	if (result < 0) {
		done(e, c, result);
	} else {
		bsr_task_start(e, BSR_TASK_DURABLE, c);
	}
}

/* ------------------------------------------------------------------ volumes */

static int32_t new_volume(struct bsr_engine *e, const struct bsr_command *cmd)
{
	struct bsr_peer *p;
	if (cmd->volume >= BSR_VOLUMES_MAX || cmd->vnr > BSR_VNR_MAX) {
		return -BSR_E_RANGE;
	}
	if (e->volume[cmd->volume] || bsr_volume_by_vnr(e, cmd->vnr)) {
		return -BSR_E_MINOR_EXISTS;
	}
	struct bsr_volume *vol = bsr_env_alloc(e, sizeof(*vol), 64);
	if (!vol) {
		return -BSR_E_NO_MEMORY;
	}
	memset(vol, 0, sizeof(*vol));
	vol->index = cmd->volume;
	vol->vnr = cmd->vnr;
	vol->attach_cmd = BSR_NONE;
	vol->detach_cmd = BSR_NONE;
	bsr_disk_options_defaults(&vol->options);
	bsr_list_init(&vol->al_waiting);
	bsr_list_init(&vol->done_waiting);
	bsr_list_init(&vol->al_waiting_peers);
	bsr_list_init(&vol->failed_writes);
	vol->adopt_from = BSR_NONE;
	vol->sync_from = BSR_NONE;
	e->volume[cmd->volume] = vol;
	e->volume_mask |= 1ull << cmd->volume;
	bsr_state_announce(e, BSR_OBJ_VOLUME, BSR_ACT_CREATE, NULL, vol);
	BSR_FOR_EACH_PEER (e, p) {
		init_peer_device(e, p, vol);
	}
	bsr_measure_configured(e);
	bsr_connect_changed(e, 1ull << vol->index);
	BSR_FOR_EACH_PEER (e, p) {
		if (p->link_up && p->hs_stage == BSR_HS_IDLE && p->hs_volumes_have != 0) {
			bsr_peer_drop(e, p, BSR_LINK_RENEGOTIATE); /* its record of this volume may have come and found nobody */
		}
		(void)bsr_live_want(e, p, vol); /* peers that have it already hear that it is here, too */
	}
	return 0;
}

static int32_t del_volume(struct bsr_engine *e, const struct bsr_command *cmd)
{
	struct bsr_volume *vol = volume_of(e, cmd);
	struct bsr_peer *p;
	if (!vol) {
		return -BSR_E_MINOR_INVALID;
	}
	if (vol->disk != BSR_DISK_DISKLESS || vol->requests != 0 || vol->lower_pending != 0) {
		return -BSR_E_MINOR_CONFIGURED;
	}
	BSR_FOR_EACH_PEER (e, p) {
		if (bsr_receive_names(p, vol)) {
			return -BSR_E_IN_TRANSIENT_STATE; /* writes that have arrived for it are still queued */
		}
	}
	BSR_FOR_EACH_PEER (e, p) {
		if (p->link_active && p->link_up) {
			bsr_peer_drop(e, p, BSR_LINK_RENEGOTIATE);
		}
		bsr_receive_forget_volume(e, p, vol);
		bsr_verify_forget(e, &p->device[vol->index].verify);
		bsr_state_announce(e, BSR_OBJ_PEER_DEVICE, BSR_ACT_DESTROY, p, vol);
		p->device[vol->index].exists = false;
	}
	bsr_state_announce(e, BSR_OBJ_VOLUME, BSR_ACT_DESTROY, NULL, vol);
	e->volume[vol->index] = NULL;
	e->volume_mask &= ~(1ull << vol->index);
	bsr_env_free(e, vol, sizeof(*vol));
	bsr_measure_configured(e);
	return 0;
}

/* Peers of older versions compare disks only over a new link; a Primary without a disk cannot do without the old one. */
static bool needs_new_link(struct bsr_engine *e)
{
	struct bsr_peer *p;
	BSR_FOR_EACH_PEER (e, p) {
		if (p->link_up && !bsr_live_usual(e, p)) {
			return true;
		}
	}
	return false;
}

static void attach(struct bsr_engine *e, const struct bsr_ev_command *c)
{
	struct bsr_volume *vol = volume_of(e, c->cmd);
	if (!vol) {
		done(e, c, -BSR_E_MINOR_INVALID);
	} else if (vol->disk != BSR_DISK_DISKLESS || vol->attach_step != BSR_AT_NONE) {
		done(e, c, -BSR_E_DISK_CONFIGURED);
	} else if (e->role == BSR_ROLE_PRIMARY && needs_new_link(e)) {
		done(e, c, -BSR_E_ATTACH_PRIMARY); /* what it missed is known only to the peers */
	} else {
		bsr_attach_begin(e, vol, &c->cmd->u.attach, c->cmd_id);
	}
}

static void detach(struct bsr_engine *e, const struct bsr_ev_command *c)
{
	struct bsr_volume *vol = volume_of(e, c->cmd);
	if (!vol) {
		done(e, c, -BSR_E_MINOR_INVALID);
	} else if (vol->attach_step != BSR_AT_NONE || (e->leaving >> vol->index & 1u) != 0) {
		done(e, c, -BSR_E_IN_TRANSIENT_STATE);
	} else if (vol->disk == BSR_DISK_DISKLESS) {
		done(e, c, 0);
	} else if (e->role == BSR_ROLE_PRIMARY && vol->disk >= BSR_DISK_INCONSISTENT && !(c->cmd->flags & BSR_CMDF_FORCE)) {
		done(e, c, -BSR_E_DETACH_PRIMARY);
	} else {
		bsr_detach_begin(e, vol, c->cmd_id);
	}
}

static int32_t disk_options(struct bsr_engine *e, const struct bsr_command *cmd)
{
	struct bsr_volume *vol = volume_of(e, cmd);
	if (!vol) {
		return -BSR_E_MINOR_INVALID;
	}
	vol->options = cmd->u.disk;
	return 0;
}

static int32_t outdate(struct bsr_engine *e, const struct bsr_command *cmd)
{
	const struct bsr_volume *vol = volume_of(e, cmd);
	struct bsr_refusal why;
	if (!vol) {
		return -BSR_E_MINOR_INVALID;
	}
	bsr_state_propose(e)->volume[vol->index].disk = BSR_DISK_OUTDATED;
	return bsr_state_request(e, &why);
}

/* What is on this disk, which was just created, is the volume's content; peers get all of it. Nobody needs to be Primary. */
static int32_t force_resync(struct bsr_engine *e, struct bsr_volume *vol)
{
	if (vol->disk == BSR_DISK_UP_TO_DATE || bsr_state_up_to_date_peer(e, vol, 0)) {
		return -BSR_E_NOT_NEW;
	}
	if (vol->size_bytes == 0) {
		bsr_volume_set_size(e, vol, vol->wanted_bytes ? vol->wanted_bytes : vol->capacity_bytes);
	}
	bsr_state_set_disk(e, vol, BSR_DISK_UP_TO_DATE);
	bsr_gi_create(e, vol, true);
	bsr_peer_renegotiate(e, vol, BSR_NONE);
	return 0;
}

static int32_t new_current_uuid(struct bsr_engine *e, const struct bsr_command *cmd)
{
	struct bsr_volume *vol = volume_of(e, cmd);
	struct bsr_peer *p;
	const bool clear = (cmd->flags & BSR_CMDF_CLEAR_BITMAP) != 0;
	const bool force = (cmd->flags & BSR_CMDF_FORCE_RESYNC) != 0;
	if (!vol) {
		return -BSR_E_MINOR_INVALID;
	}
	if (vol->disk < BSR_DISK_INCONSISTENT || vol->attach_step != BSR_AT_NONE) {
		return -BSR_E_NO_DISK;
	}
	const bool fresh = (vol->sb.current_gi.v & BSR_GI_MASK) == BSR_GI_JUST_CREATED;
	if (force && (!fresh || clear)) {
		return -BSR_E_NOT_NEW;
	}
	BSR_FOR_EACH_PEER (e, p) {
		const struct bsr_peer_device *pd = &p->device[vol->index];
		if (p->link_up && !((clear || force) && fresh && pd->repl == BSR_REPL_ESTABLISHED)) {
			return -BSR_E_CONNECTED;
		}
		const bool settled = pd->disk == BSR_DISK_INCONSISTENT || pd->disk == BSR_DISK_DISKLESS;
		if (p->link_up && (!settled || bsr_live_under_way(e, p, vol))) {
			return -BSR_E_IN_TRANSIENT_STATE; /* its disk is just coming, or going, or being compared */
		}
	}
	if (force) {
		return force_resync(e, vol);
	}
	if (!clear) {
		bsr_gi_create(e, vol, true);
		return 0;
	}
	bsr_gi_declare_equal(e, vol, bsr_gi_random(e));
	BSR_FOR_EACH_PEER (e, p) {
		if (p->hs_stage == BSR_HS_COMPLETE && p->device[vol->index].disk == BSR_DISK_INCONSISTENT) {
			struct bsr_msg_gi m = {.vnr = vol->vnr,
				.flags = BSR_GIF_SKIP_INITIAL_SYNC,
				.current = vol->sb.current_gi};
			BSR_SEND(e, p, BSR_STREAM_CONTROL, gi, BSR_MSG_GI, &m);
			p->device[vol->index].peer_current = vol->sb.current_gi;
			bsr_state_set_peer_disk(e, p, vol, BSR_DISK_UP_TO_DATE);
		}
	}
	return 0;
}

/* -------------------------------------------------------------------- peers */

static int32_t new_peer(struct bsr_engine *e, const struct bsr_command *cmd)
{
	struct bsr_volume *vol;
	if (cmd->peer >= BSR_NODES_MAX || cmd->peer == e->node_id) {
		return -BSR_E_PEER_ID;
	}
	if (e->peer[cmd->peer]) {
		return -BSR_E_NET_CONFIGURED;
	}
	BSR_FOR_EACH_VOLUME (e, vol) {
		if (vol->md_usable && bsr_superblock_slot(&vol->sb, cmd->peer) < 0) {
			return -BSR_E_NO_BITMAP_SLOT;
		}
	}
	if (e->peer_mask != 0 && !e->heard) {
		e->heard = bsr_env_alloc(e, sizeof(*e->heard) * BSR_TRANSFER_LOG_MAX, 64);
		if (!e->heard) {
			return -BSR_E_NO_MEMORY;
		}
	}
	struct bsr_peer *p = bsr_env_alloc(e, sizeof(*p), 64);
	if (!p) {
		return -BSR_E_NO_MEMORY;
	}
	memset(p, 0, sizeof(*p));
	p->hs_volume = bsr_env_alloc(e, sizeof(*p->hs_volume) * BSR_VOLUMES_MAX, 64);
	p->hs_sent = bsr_env_alloc(e, sizeof(*p->hs_sent) * BSR_VOLUMES_MAX, 64);
	if (!p->hs_volume || !p->hs_sent) {
		bsr_env_free(e, p->hs_volume, sizeof(*p->hs_volume) * BSR_VOLUMES_MAX);
		bsr_env_free(e, p, sizeof(*p));
		return -BSR_E_NO_MEMORY;
	}
	p->node_id = cmd->peer;
	p->options = cmd->u.net;
	p->log_from = BSR_NEVER;
	p->checkpoint_due_ns = BSR_NEVER;
	bsr_list_init(&p->arrived);
	bsr_list_init(&p->epoch_queue);
	bsr_list_init(&p->reads);
	e->peer[cmd->peer] = p;
	e->peer_mask |= bsr_node_bit(cmd->peer);
	bsr_state_announce(e, BSR_OBJ_PEER, BSR_ACT_CREATE, p, NULL);
	BSR_FOR_EACH_VOLUME (e, vol) {
		init_peer_device(e, p, vol);
		if (vol->md_usable) {
			p->device[vol->index].slot = bsr_superblock_slot(&vol->sb, p->node_id);
			if (BSR_MUTATION(81)) {
				vol->sb.peer[p->node_id].bitmap_gi.v = BSR_GI_NONE;
				bsr_bitmap_clear(vol->bitmap, (uint32_t)p->device[vol->index].slot, 0, bsr_volume_bits(vol));
			}
			bsr_md_superblock_dirty(e, vol);
			bsr_state_recompute(e, vol);
		}
	}
	bsr_mesh_ask_again(e); /* a slot that somebody had before is full of bits, and a Primary may know better */
	bsr_measure_configured(e);
	return 0;
}

void bsr_peer_forget_verifies(struct bsr_engine *e, struct bsr_peer *p)
{
	for (uint32_t v = 0; v < BSR_VOLUMES_MAX; v++) {
		bsr_verify_forget(e, &p->device[v].verify);
	}
}

/*
 * What this process knows of the peer's disk goes with it. What remains are bits and the generation, which from now on is
 * another one than the peer's; and, without a good disk here, that it may have lost what it had not confirmed.
 */
static void leave_behind(struct bsr_engine *e, struct bsr_volume *vol)
{
	if (e->role != BSR_ROLE_PRIMARY || vol->disk < BSR_DISK_INCONSISTENT ||
		(vol->sb.current_gi.v & BSR_GI_MASK) == BSR_GI_JUST_CREATED) {
		return; /* there is no data that the peer could lack */
	}
	bsr_gi_want_for_absent(e, vol);
	(void)bsr_gi_hold(e, vol);
}

static int32_t del_peer(struct bsr_engine *e, const struct bsr_command *cmd)
{
	struct bsr_peer *p = peer_of(e, cmd);
	struct bsr_volume *vol;
	if (!p) {
		return -BSR_E_PEER_ID;
	}
	if (p->conn != BSR_CONN_STANDALONE || !bsr_receive_idle(p)) {
		if (!(cmd->flags & BSR_CMDF_FORCE)) {
			return -BSR_E_CONNECTED;
		}
		bsr_peer_drop(e, p, BSR_LINK_ADMIN);
		if (!bsr_receive_idle(p)) {
			return -BSR_E_IN_TRANSIENT_STATE;
		}
	}
	BSR_FOR_EACH_VOLUME (e, vol) {
		if (p->device[vol->index].exists) {
			vol->gone_unconfirmed |= p->device[vol->index].unconfirmed ? bsr_node_bit(p->node_id) : 0;
			bsr_state_announce(e, BSR_OBJ_PEER_DEVICE, BSR_ACT_DESTROY, p, vol);
		}
	}
	bsr_state_announce(e, BSR_OBJ_PEER, BSR_ACT_DESTROY, p, NULL);
	bsr_peer_forget_verifies(e, p);
	bsr_task_peer_gone(e, p);
	e->peer[p->node_id] = NULL;
	e->peer_mask &= ~bsr_node_bit(p->node_id);
	BSR_FOR_EACH_VOLUME (e, vol) {
		bsr_state_recompute(e, vol);
		leave_behind(e, vol);
	}
	bsr_env_free(e, p->hs_volume, sizeof(*p->hs_volume) * BSR_VOLUMES_MAX);
	bsr_env_free(e, p->hs_sent, sizeof(*p->hs_sent) * BSR_VOLUMES_MAX);
	bsr_env_free(e, p, sizeof(*p));
	bsr_measure_configured(e);
	return 0;
}

static int32_t connect(struct bsr_engine *e, const struct bsr_command *cmd)
{
	struct bsr_peer *p = peer_of(e, cmd);
	if (!p) {
		return -BSR_E_PEER_ID;
	}
	if ((cmd->flags & BSR_CMDF_DISCARD_MY_DATA) && e->role == BSR_ROLE_PRIMARY) {
		return -BSR_E_DISCARD_IMPOSSIBLE;
	}
	if (p->conn == BSR_CONN_STANDALONE) {
		p->discard_my_data = (cmd->flags & BSR_CMDF_DISCARD_MY_DATA) != 0;
		p->tentative = (cmd->flags & BSR_CMDF_TENTATIVE) != 0;
		bsr_peer_connect(e, p);
	}
	return 0;
}

static void disconnect(struct bsr_engine *e, const struct bsr_ev_command *c)
{
	struct bsr_peer *p = peer_of(e, c->cmd);
	if (!p) {
		done(e, c, -BSR_E_PEER_ID);
		return;
	}
	if (c->cmd->flags & BSR_CMDF_FORCE) {
		e->disconnecting &= ~bsr_node_bit(p->node_id);
		bsr_peer_drop(e, p, BSR_LINK_ADMIN);
		done(e, c, 0);
		return;
	}
	struct bsr_task *t = bsr_task_start(e, BSR_TASK_DISCONNECT, c);
	if (t) {
		t->peer = p;
	}
}

static bool verifies(struct bsr_engine *e, const struct bsr_peer *p)
{
	struct bsr_volume *vol;
	BSR_FOR_EACH_VOLUME (e, vol) {
		if (p->device[vol->index].verify.step != BSR_VERIFY_IDLE) {
			return true;
		}
	}
	return false;
}

static int32_t options_of_peer(struct bsr_engine *e, const struct bsr_command *cmd)
{
	struct bsr_peer *p = peer_of(e, cmd);
	if (!p) {
		return -BSR_E_PEER_ID;
	}
	if (cmd->type == BSR_CMD_NET_OPTIONS) {
		if (p->options.verify_alg != cmd->u.net.verify_alg && verifies(e, p)) {
			return -BSR_E_VERIFY_RUNS;
		}
		const bool other_protocol = p->options.protocol != cmd->u.net.protocol;
		p->options = cmd->u.net;
		if (other_protocol && p->link_up) {
			bsr_peer_drop(e, p, BSR_LINK_RENEGOTIATE);
		}
		return 0;
	}
	if (!volume_of(e, cmd) || !p->device[cmd->volume].exists) {
		return -BSR_E_MINOR_INVALID;
	}
	p->device[cmd->volume].options = cmd->u.peer_device;
	e->kick = true;
	return 0;
}

/* ------------------------------------------------------------------- resync */

static int32_t pause(struct bsr_engine *e, const struct bsr_command *cmd, bool on)
{
	struct bsr_peer *p = peer_of(e, cmd);
	struct bsr_volume *vol = volume_of(e, cmd);
	if (!p || !vol || !p->device[vol->index].exists) {
		return p ? -BSR_E_MINOR_INVALID : -BSR_E_PEER_ID;
	}
	const uint32_t paused = p->device[vol->index].paused;
	if (((paused & BSR_PAUSE_USER) != 0) == on) {
		return on ? -BSR_E_PAUSE_ALREADY_SET : -BSR_E_PAUSE_ALREADY_CLEAR;
	}
	bsr_state_set_paused(e, p, vol, on ? paused | BSR_PAUSE_USER : paused & ~BSR_PAUSE_USER);
	if (!on && (paused & BSR_PAUSE_PEER)) {
		return -BSR_E_PAUSE_PEER;
	}
	return 0;
}

static void set_full(struct bsr_engine *e, struct bsr_volume *vol, uint32_t node)
{
	struct bsr_superblock_peer *sp = &vol->sb.peer[node];
	if (sp->bitmap_index >= 0 && bsr_volume_bits(vol) != 0) {
		bsr_bitmap_set(vol->bitmap, (uint32_t)sp->bitmap_index, 0, bsr_volume_bits(vol));
		sp->flags |= BSR_MDPF_FULL_SYNC;
		bsr_md_superblock_dirty(e, vol);
	}
}

void bsr_resync_unchoose(struct bsr_engine *e, struct bsr_peer *p)
{
	struct bsr_volume *vol;
	BSR_FOR_EACH_VOLUME (e, vol) {
		p->device[vol->index].chosen = false;
	}
}

static int32_t resync_check(struct bsr_engine *e, const struct bsr_volume *vol)
{
	struct bsr_peer *p;
	if (vol->disk < BSR_DISK_INCONSISTENT) {
		return -BSR_E_NO_LOCAL_DISK;
	}
	BSR_FOR_EACH_PEER (e, p) {
		if (p->device[vol->index].repl > BSR_REPL_ESTABLISHED) {
			return -BSR_E_RESYNC_RUNNING;
		}
	}
	return 0;
}

/* Is that peer, or anybody, one to get all data from? */
static int32_t source_check(struct bsr_engine *e, struct bsr_volume *vol, uint32_t node)
{
	if (e->role == BSR_ROLE_PRIMARY) {
		return -BSR_E_NO_UP_TO_DATE;
	}
	if (node == BSR_NONE) {
		return bsr_state_up_to_date_peer(e, vol, 0) ? 0 : -BSR_E_NOT_CONNECTED;
	}
	const struct bsr_peer *p = node < BSR_NODES_MAX ? e->peer[node] : NULL;
	if (!p) {
		return -BSR_E_PEER_ID;
	}
	if (p->device[vol->index].repl != BSR_REPL_ESTABLISHED) {
		return -BSR_E_NOT_CONNECTED;
	}
	if (bsr_mesh_elsewhere(e, p)) {
		return -BSR_E_PRIMARY_ELSEWHERE;
	}
	return p->device[vol->index].disk == BSR_DISK_UP_TO_DATE ? 0 : -BSR_E_NO_UP_TO_DATE;
}

static void invalidate(struct bsr_engine *e, const struct bsr_ev_command *c)
{
	struct bsr_volume *vol = volume_of(e, c->cmd);
	int32_t ret = vol ? resync_check(e, vol) : -BSR_E_MINOR_INVALID;
	const bool keep = (c->cmd->flags & BSR_CMDF_KEEP_BITMAP) != 0;
	ret = ret == 0 ? source_check(e, vol, c->cmd->peer) : ret;
	struct bsr_task *t = ret < 0 ? NULL : bsr_task_start(e, BSR_TASK_RENEGOTIATE, c);
	if (!t) {
		if (ret < 0) {
			done(e, c, ret);
		}
		return;
	}
	t->tid = vol->index;
	t->node = c->cmd->peer;
	vol->sync_from = c->cmd->peer;
	vol->sync_from_until_ns = e->now_ns + SYNC_FROM_LIMIT_NS;
	bsr_timer(e, vol->sync_from_until_ns);
	for (uint32_t node = 0; node < BSR_NODES_MAX && !keep; node++) {
		set_full(e, vol, node);
	}
	bsr_state_set_disk(e, vol, BSR_DISK_INCONSISTENT);
}

static void invalidate_remote(struct bsr_engine *e, const struct bsr_ev_command *c)
{
	struct bsr_volume *vol = volume_of(e, c->cmd);
	struct bsr_peer *p = peer_of(e, c->cmd);
	int32_t ret = vol && p ? resync_check(e, vol) : -BSR_E_MINOR_INVALID;
	if (ret == 0 && p->device[vol->index].repl != BSR_REPL_ESTABLISHED) {
		ret = -BSR_E_NOT_CONNECTED;
	}
	if (ret == 0 && (p->role == BSR_ROLE_PRIMARY || vol->disk != BSR_DISK_UP_TO_DATE)) {
		ret = -BSR_E_PEER_REFUSED;
	}
	if (ret == 0 && p->device[vol->index].disk < BSR_DISK_INCONSISTENT) {
		ret = -BSR_E_NO_REMOTE_DISK;
	}
	if (ret == 0 && bsr_mesh_elsewhere(e, p)) {
		ret = -BSR_E_PRIMARY_ELSEWHERE;
	}
	const bool keep = (c->cmd->flags & BSR_CMDF_KEEP_BITMAP) != 0;
	if (ret == 0 && keep && e->role != BSR_ROLE_PRIMARY && !(p->features & BSR_FEATURE_CHOSEN_SOURCE)) {
		ret = -BSR_E_NOT_PRIMARY; /* both ends may have bits: that I am Primary is what tells it who is right */
	}
	if (ret < 0) {
		done(e, c, ret);
		return;
	}
	struct bsr_task *t = bsr_task_start(e, BSR_TASK_RENEGOTIATE, c);
	if (t) {
		t->tid = vol->index;
		t->node = p->node_id;
		p->device[vol->index].chosen = e->role != BSR_ROLE_PRIMARY;
		if (!keep) {
			set_full(e, vol, p->node_id);
		}
	}
}

static void verify(struct bsr_engine *e, const struct bsr_ev_command *c)
{
	struct bsr_peer *p = peer_of(e, c->cmd);
	struct bsr_volume *vol = volume_of(e, c->cmd);
	if (!p || !vol || !p->device[vol->index].exists) {
		done(e, c, p ? -BSR_E_MINOR_INVALID : -BSR_E_PEER_ID);
	} else if (c->cmd->type == BSR_CMD_VERIFY) {
		bsr_verify_command(e, p, vol, c);
	} else {
		done(e, c, bsr_verify_stop_command(e, p, vol));
	}
}

/* ----------------------------------------------------------------- dispatch */

static int32_t suspend_or_measure(struct bsr_engine *e, const struct bsr_command *cmd)
{
	if (cmd->type == BSR_CMD_MEASURE) {
		return bsr_measure_switch(e, (cmd->flags & BSR_CMDF_ON) != 0);
	}
	if (cmd->type == BSR_CMD_SUSPEND_IO) {
		bsr_state_set_suspended(e, e->suspended | BSR_SUSPEND_USER);
		return 0;
	}
	if (e->suspended & BSR_SUSPEND_NO_DATA) {
		bsr_request_give_up_waiting(e); /* a person does not wait for the data any longer */
	}
	bsr_state_set_suspended(e, e->suspended & ~(BSR_SUSPEND_USER | BSR_SUSPEND_NO_DATA));
	return 0;
}

/* One at a time: two role changes would undo each other's steps. */
static void role_task(struct bsr_engine *e, const struct bsr_ev_command *c, enum bsr_task_kind kind)
{
	if (bsr_task_running(e, BSR_TASK_PROMOTE) || bsr_task_running(e, BSR_TASK_DEMOTE) ||
		bsr_task_running(e, BSR_TASK_DOWN)) {
		done(e, c, -BSR_E_IN_TRANSIENT_STATE);
		return;
	}
	bsr_task_start(e, kind, c);
}

void bsr_command(struct bsr_engine *e, const struct bsr_ev_command *c)
{
	const struct bsr_command *cmd = c->cmd;
	switch (cmd->type) {
	case BSR_CMD_RESOURCE_OPTIONS:
		e->options = cmd->u.resource;
		done(e, c, 0);
		break;
	case BSR_CMD_NEW_VOLUME:
	case BSR_CMD_DEL_VOLUME:
		done(e, c, cmd->type == BSR_CMD_NEW_VOLUME ? new_volume(e, cmd) : del_volume(e, cmd));
		break;
	case BSR_CMD_ATTACH:
	case BSR_CMD_DETACH:
		cmd->type == BSR_CMD_ATTACH ? attach(e, c) : detach(e, c);
		break;
	case BSR_CMD_DISK_OPTIONS:
		done(e, c, disk_options(e, cmd));
		break;
	case BSR_CMD_NEW_PEER:
		done_when_durable(e, c, new_peer(e, cmd));
		break;
	case BSR_CMD_DEL_PEER:
		done(e, c, del_peer(e, cmd));
		break;
	case BSR_CMD_NET_OPTIONS:
	case BSR_CMD_PEER_DEVICE_OPTIONS:
		done(e, c, options_of_peer(e, cmd));
		break;
	case BSR_CMD_CONNECT:
		done(e, c, connect(e, cmd));
		break;
	case BSR_CMD_DISCONNECT:
		disconnect(e, c);
		break;
	case BSR_CMD_PRIMARY:
		role_task(e, c, BSR_TASK_PROMOTE);
		break;
	case BSR_CMD_SECONDARY:
		role_task(e, c, BSR_TASK_DEMOTE);
		break;
	case BSR_CMD_INVALIDATE:
	case BSR_CMD_INVALIDATE_REMOTE:
		cmd->type == BSR_CMD_INVALIDATE ? invalidate(e, c) : invalidate_remote(e, c);
		break;
	case BSR_CMD_PAUSE_SYNC:
	case BSR_CMD_RESUME_SYNC:
		done(e, c, pause(e, cmd, cmd->type == BSR_CMD_PAUSE_SYNC));
		break;
	case BSR_CMD_OUTDATE:
	case BSR_CMD_NEW_CURRENT_UUID:
		done_when_durable(e, c, cmd->type == BSR_CMD_OUTDATE ? outdate(e, cmd) : new_current_uuid(e, cmd));
		break;
	case BSR_CMD_SUSPEND_IO:
	case BSR_CMD_RESUME_IO:
	case BSR_CMD_MEASURE:
		done(e, c, suspend_or_measure(e, cmd));
		break;
	case BSR_CMD_VERIFY:
	case BSR_CMD_VERIFY_STOP:
		verify(e, c);
		break;
	case BSR_CMD_FORGET_PEER:
		bsr_forget_peer(e, c);
		break;
	case BSR_CMD_DOWN:
		role_task(e, c, BSR_TASK_DOWN);
		break;
	}
}
