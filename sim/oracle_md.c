// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * oracle_md.c - the invariants about metadata, from the bytes that a power cut would leave
 *
 *   I16/R3  a write that a peer's disk lacks is acknowledged only when a new generation is on disk
 *   I23     the history holds neither 0 nor 4 nor a value twice
 *   I49     a Primary's data write starts only when its extents are in the activity log on disk
 */
#include <string.h>

#include <bsr/assert.h>

#include "activity_log.h"
#include "sim.h"

#define DAMAGING (1ull << SIM_ACT_MD_DAMAGE | 1ull << SIM_ACT_TORN_SUPERBLOCK)

static uint32_t replay_table[BSR_AL_EXTENTS_MAX];
static uint8_t replay_ring[64 * 4096];

static uint32_t block_of(const struct sim_disk *d, uint64_t offset)
{
	return (uint32_t)((offset - d->md_first) / 4096u);
}

static void view_init(struct sim *w, struct sim_node *n, uint32_t volume)
{
	struct sim_al_view *v = &n->al[volume];
	if (v->slot == NULL) {
		v->slot_count = BSR_AL_EXTENTS_MAX;
		v->slot = sim_alloc(w, v->slot_count * sizeof(*v->slot));
		v->extent_count = (uint32_t)(n->disk[volume].layout.data_bytes / BSR_AL_EXTENT_BYTES) + 1;
		v->extent_uses = sim_alloc(w, v->extent_count * sizeof(*v->extent_uses));
		v->used_slots = v->slot_count;
	}
	for (uint32_t i = 0; i < v->used_slots; i++) {
		v->slot[i] = UINT32_MAX;
	}
	v->used_slots = 0;
	memset(v->extent_uses, 0, v->extent_count * sizeof(*v->extent_uses));
}

static void view_set(struct sim_al_view *v, uint32_t slot, uint32_t extent)
{
	if (slot >= v->slot_count) {
		return;
	}
	const uint32_t old = v->slot[slot];
	if (old < v->extent_count) {
		v->extent_uses[old]--;
	}
	v->slot[slot] = extent;
	if (extent < v->extent_count) {
		v->extent_uses[extent]++;
	}
	if (slot >= v->used_slots) {
		v->used_slots = slot + 1;
	}
}

static void read_log(struct sim *w, uint32_t node, uint32_t volume)
{
	struct sim_node *n = &w->node[node];
	const struct sim_disk *d = &n->disk[volume];
	const uint32_t blocks = (uint32_t)(d->layout.al_bytes / 4096u);
	BSR_ASSERT(blocks <= 64);
	view_init(w, n, volume);
	const uint32_t first = block_of(d, d->layout.al_offset);
	for (uint32_t i = 0; i < blocks; i++) {
		if (d->md_stable[first + i] != NULL) {
			memcpy(replay_ring + i * 4096u, d->md_stable[first + i], 4096);
		} else {
			memset(replay_ring + i * 4096u, 0, 4096);
		}
	}
	uint32_t hot, corrupt, next;
	if (bsr_al_replay(replay_ring, 1, blocks, replay_table, &hot, &corrupt, &next) == 0) {
		for (uint32_t s = 0; s < BSR_AL_EXTENTS_MAX && hot > 0; s++) {
			if (replay_table[s] != UINT32_MAX) {
				view_set(&n->al[volume], s, replay_table[s]);
				hot--;
			}
		}
	}
	n->al[volume].incomplete = !bsr_al_replay_is_complete(replay_ring, 1, blocks);
	n->al[volume].stale = false;
	n->al[volume].numbered = false;
}

static const struct sim_al_view *log_view(struct sim *w, uint32_t node, uint32_t volume)
{
	if (w->node[node].al[volume].stale) {
		read_log(w, node, volume);
	}
	return &w->node[node].al[volume];
}

bool sim_oracle_extent_logged(struct sim *w, uint32_t node, uint32_t volume, uint32_t extent)
{
	const struct sim_al_view *v = log_view(w, node, volume);
	return extent < v->extent_count && v->extent_uses[extent] != 0;
}

bool sim_oracle_log_incomplete(struct sim *w, uint32_t node, uint32_t volume)
{
	return log_view(w, node, volume)->incomplete;
}

void sim_oracle_al_reload(struct sim *w, uint32_t node, uint32_t volume)
{
	w->node[node].al[volume].stale = true;
	sim_oracle_sb_reload(w, node, volume);
}

static void al_block(struct sim *w, uint32_t node, uint32_t volume, const uint8_t *bytes)
{
	static struct bsr_al_transaction t;
	if (w->node[node].al[volume].stale) {
		return;
	}
	if (bsr_al_transaction_decode(&t, bytes) != 0 || t.initialised) {
		w->node[node].al[volume].stale = true;
		return;
	}
	struct sim_al_view *v = &w->node[node].al[volume];
	if (v->numbered && t.number != v->number + 1u) {
		v->stale = true; /* the writer died before it had changed the block: the old one is still there */
		return;
	}
	v->numbered = true;
	v->number = t.number;
	const uint32_t n = t.context_size < BSR_AL_CONTEXT_PER_TRANSACTION ? t.context_size : BSR_AL_CONTEXT_PER_TRANSACTION;
	for (uint32_t i = 0; i < n && t.context_start + i < t.context_size; i++) {
		view_set(v, t.context_start + i, t.context[i]);
	}
	for (uint32_t i = 0; i < t.update_count; i++) {
		view_set(v, t.update_slot[i], t.update_extent[i]);
	}
}

static void check_history(struct sim *w, uint32_t node, uint32_t volume, const struct bsr_superblock *sb)
{
	for (uint32_t i = 0; i < BSR_HISTORY_UUIDS; i++) {
		const uint64_t h = sb->history[i].v;
		bool bad = h == BSR_GI_JUST_CREATED || (h & BSR_GI_PRIMARY_BIT) != 0;
		for (uint32_t k = 0; h != 0 && k < i; k++) {
			bad = bad || sb->history[k].v == h;
		}
		if (bad || (h != 0 && i > 0 && sb->history[i - 1].v == 0)) {
			sim_fail(w, "I23", "node %u volume %u: history entry %u is %016llx", node, volume, i, (unsigned long long)h);
		}
	}
}

void sim_oracle_sb_reload(struct sim *w, uint32_t node, uint32_t volume)
{
	struct sim_node *n = &w->node[node];
	const struct sim_disk *d = &n->disk[volume];
	const uint8_t *bytes = d->md_stable[block_of(d, d->layout.superblock_offset)];
	n->disk[volume].damaged = bytes == NULL || bsr_superblock_decode(&n->sb[volume], bytes) != 0;
	if (n->disk[volume].damaged && (w->cfg.acts & DAMAGING) != 0) {
		sim_oracle_excuse_only_here(w, node, volume);
		n->sb[volume] = (struct bsr_superblock){.current_gi = {BSR_GI_JUST_CREATED}};
		for (uint32_t i = 0; i < BSR_NODES_MAX; i++) {
			n->sb[volume].peer[i].bitmap_index = -1;
		}
		return;
	}
	if (n->disk[volume].damaged) {
		sim_fail(w, "I26", "node %u volume %u: the superblock on disk cannot be decoded", node, volume);
	}
	check_history(w, node, volume, &n->sb[volume]);
}

void sim_oracle_md_stable(struct sim *w, uint32_t node, uint32_t volume, uint32_t block, const uint8_t *bytes)
{
	const struct sim_disk *d = &w->node[node].disk[volume];
	const uint32_t al = block_of(d, d->layout.al_offset);
	if (block == block_of(d, d->layout.superblock_offset)) {
		sim_oracle_sb_reload(w, node, volume);
	} else if (block >= al && block < al + d->layout.al_bytes / 4096u) {
		al_block(w, node, volume, bytes);
	}
}

static bool is_app_write(struct sim *w, uint32_t node, const struct bsr_fx_disk *fx)
{
	const struct sim_node *n = &w->node[node];
	if (!n->app.running || fx->op == BSR_OP_READ || fx->op == BSR_OP_FLUSH || fx->volume >= w->cfg.volume_count) {
		return false;
	}
	if (fx->op == BSR_OP_WRITE) {
		return fx->buf < n->bufs.count && n->bufs.buf[fx->buf].request_owned;
	}
	for (uint32_t i = 0; i < SIM_REQS_MAX; i++) {
		const struct sim_req *r = &n->app.req[i];
		if (r->state == SIM_REQ_ISSUED && r->op == fx->op && r->volume == fx->volume &&
			r->sector * 512u <= fx->offset && fx->offset + fx->length <= (r->sector + r->count) * 512u) {
			return true;
		}
	}
	return false;
}

void sim_oracle_al_check(struct sim *w, uint32_t node, const struct bsr_fx_disk *fx)
{
	if (!is_app_write(w, node, fx) || fx->length == 0) {
		return;
	}
	const struct sim_al_view *v = log_view(w, node, fx->volume);
	const uint64_t last = (fx->offset + fx->length - 1) / BSR_AL_EXTENT_BYTES;
	for (uint64_t e = fx->offset / BSR_AL_EXTENT_BYTES; e <= last; e++) {
		if (e < v->extent_count && v->extent_uses[e] == 0) {
			sim_fail(w, "I49",
				"node %u volume %u: a write to extent %llu starts before the activity log on disk names it", node,
				fx->volume, (unsigned long long)e);
		}
	}
}

static bool lacks(struct sim *w, uint32_t m, uint32_t id, bool stable)
{
	const struct sim_write *x = &w->oracle.write[id];
	const struct sim_disk *d = &w->node[m].disk[x->volume];
	for (uint32_t i = 0; i < x->count; i++) {
		const uint32_t there = sim_store_get(stable ? &d->stable : &d->now, x->sector + i);
		if (sim_oracle_older(w, x->volume, x->sector + i, there, id)) {
			return true;
		}
	}
	return false;
}

/* A target that finishes its resync is mirrored to already; protocols A and B do not wait for its disk. */
static bool on_its_way(struct sim *w, uint32_t node, uint32_t m)
{
	struct bsr_peer_info p;
	bsr_engine_peer_info(w->node[node].engine, m, &p);
	return w->cfg.protocol != BSR_PROTOCOL_C && p.conn == BSR_CONN_CONNECTED;
}

/*
 * With protocols A and B the writes of the last moment may be on no disk but the Primary's; who has got its data from a mirror
 * of that Primary since, which has lost it and has not been missed yet, lacks what the mirror lacks.
 */
static bool lacks_like_a_mirror(struct sim *w, uint32_t node, uint32_t m, uint32_t write_id)
{
	const uint32_t volume = w->oracle.write[write_id].volume;
	for (uint32_t k = 0; k < w->cfg.node_count && w->cfg.protocol != BSR_PROTOCOL_C; k++) {
		const bool same = ((w->node[k].sb[volume].current_gi.v ^ w->node[m].sb[volume].current_gi.v) & BSR_GI_MASK) == 0;
		if (k != node && k != m && same && sim_oracle_counted(w, node, k, volume) && lacks(w, k, write_id, false)) {
			return true;
		}
	}
	return false;
}

/* The disk of @m lacks a write that @holder's has: its metadata must not claim to be the same. */
static void check_told_apart(struct sim *w, uint32_t node, uint32_t holder, uint32_t m, uint32_t write_id)
{
	const uint32_t volume = w->oracle.write[write_id].volume;
	const struct bsr_superblock *own = &w->node[holder].sb[volume];
	const struct bsr_superblock *other = &w->node[m].sb[volume];
	const bool same = (own->current_gi.v & BSR_GI_MASK) == (other->current_gi.v & BSR_GI_MASK);
	const uint32_t claims = BSR_MDF_CONSISTENT | BSR_MDF_WAS_UP_TO_DATE;
	if (same && (other->flags & claims) == claims && !sim_ignored(w, "I16")) {
		sim_fail(w, "I16", "node %u acknowledges write #%u without node %u, whose disk claims the same generation %016llx",
			node, write_id, m, (unsigned long long)own->current_gi.v);
	}
}

void sim_oracle_solo(struct sim *w, uint32_t node, uint32_t write_id)
{
	struct sim_write *x = &w->oracle.write[write_id];
	for (uint32_t m = 0; m < w->cfg.node_count; m++) {
		if (sim_oracle_counted(w, node, m, x->volume) || !lacks(w, m, write_id, false)) {
			continue;
		}
		if (m != node && (on_its_way(w, node, m) || lacks_like_a_mirror(w, node, m, write_id))) {
			x->weak = true;
			continue;
		}
		for (uint32_t h = 0; h < w->cfg.node_count; h++) {
			/* another holder that has not stored the new generation yet knows what @m misses (I5) */
			const bool asked = h == node || !sim_oracle_counted(w, node, node, x->volume) || w->cfg.node_count == 2;
			if (h != m && asked && sim_oracle_counted(w, node, h, x->volume)) {
				check_told_apart(w, node, h, m, write_id);
			}
		}
	}
}

/* A flush was answered: what a disk that no longer counts may still lose was promised, too (protocol C, two nodes). */
void sim_oracle_flush_solo(struct sim *w, uint32_t node, uint32_t volume, uint64_t issue_sequence)
{
	const uint32_t m = 1u - node;
	/* by its own log: its cache may lose what it has written as Primary */
	const bool own_log = (w->node[m].sb[volume].flags & BSR_MDF_PRIMARY_IND) != 0;
	if (own_log || sim_oracle_counted(w, node, m, volume) || !sim_oracle_counted(w, node, node, volume)) {
		return;
	}
	for (uint32_t id = 1; id < w->oracle.write_count; id++) {
		const struct sim_write *x = &w->oracle.write[id];
		if (x->volume == volume && x->acked && x->done_sequence < issue_sequence && lacks(w, m, id, true) && !lacks(w, node, id, true)) {
			check_told_apart(w, node, node, m, id);
		}
	}
}
