// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * oracle.c - what may be on a disk and in an answer: the invariants about data
 *
 * Every write of an application has an identity that its sectors carry. The order that binds replicas is only this:
 * a write that was answered before another was asked for comes before it. "Certainly older" below means that.
 *   I1   acknowledged: on every disk that counts; flushed: stable there
 *   I2   protocol B: in the memory of every peer that counts; lost only with it
 *   I6   a Secondary holds a write only together with all that were acknowledged before it was asked for
 *   I9   a read returns nothing older than what has been acknowledged or shown
 *   I10  content never goes back, except where a person or a lost volatile cache allows it
 *   I11  every request is answered once (app.c)
 */
#include <string.h>

#include <bsr/assert.h>

#include "sim.h"

static void *grow(struct sim *w, void *old, uint32_t *room, uint32_t count, size_t item)
{
	const uint32_t more = *room == 0 ? 256 : *room * 2;
	void *now = sim_alloc(w, more * item);
	if (old != NULL) {
		memcpy(now, old, count * item);
		sim_free(w, old, *room * item);
	}
	*room = more;
	return now;
}

uint32_t sim_oracle_issue(struct sim *w, uint32_t node, const struct sim_req *r)
{
	struct sim_oracle *o = &w->oracle;
	if (o->write_count == 0) {
		o->write_count = 1; /* id 0 is "zeroes" */
	}
	if (o->write_count >= o->write_room) {
		o->write = grow(w, o->write, &o->write_room, o->write_room == 0 ? 0 : o->write_count, sizeof(*o->write));
	}
	const uint32_t id = o->write_count++;
	o->write[id] = (struct sim_write){.node = (uint8_t)node,
		.volume = (uint8_t)r->volume,
		.op = r->op,
		.flags = r->flags,
		.count = r->count,
		.session = w->node[node].app.session,
		.sector = r->sector,
		.issue_sequence = r->issue_sequence};
	if (r->op != BSR_OP_WRITE) {
		if (o->zero_count == o->zero_room) {
			o->zero_id = grow(w, o->zero_id, &o->zero_room, o->zero_count, sizeof(*o->zero_id));
		}
		o->zero_id[o->zero_count++] = id;
	}
	return id;
}

static bool write_before(const struct sim_write *a, const struct sim_write *b)
{
	return a->done && a->done_sequence < b->issue_sequence;
}

static bool covers(const struct sim_write *x, uint32_t volume, uint64_t sector)
{
	return x->volume == volume && sector >= x->sector && sector < x->sector + x->count;
}

bool sim_oracle_older(const struct sim *w, uint32_t volume, uint64_t sector, uint32_t a, uint32_t b)
{
	const struct sim_oracle *o = &w->oracle;
	if (a == b || b == 0) {
		return false;
	}
	if (a != 0) {
		return write_before(&o->write[a], &o->write[b]);
	}
	for (uint32_t i = o->zero_count; i-- > 0;) {
		const struct sim_write *z = &o->write[o->zero_id[i]];
		if (o->zero_id[i] == b || (covers(z, volume, sector) && !write_before(z, &o->write[b]))) {
			return false;
		}
	}
	return true;
}

static void check_identity(struct sim *w, uint32_t node, uint32_t volume, uint64_t sector, uint32_t stamp, const char *what)
{
	if (stamp >= w->oracle.write_count && stamp != 0) {
		sim_fail(w, "MISDIRECT", "node %u volume %u sector %llu: %s holds garbage %08x", node, volume,
			(unsigned long long)sector, what, stamp);
	}
	if (stamp != 0 && !covers(&w->oracle.write[stamp], volume, sector)) {
		const struct sim_write *x = &w->oracle.write[stamp];
		sim_fail(w, "MISDIRECT", "node %u volume %u sector %llu: %s holds write #%u of volume %u, %llu+%u", node, volume,
			(unsigned long long)sector, what, stamp, x->volume, (unsigned long long)x->sector, x->count);
	}
}

/* ------------------------------------------------------------------- disks */

static bool elsewhere(struct sim *w, uint32_t node, uint32_t volume, uint64_t sector, uint32_t id)
{
	for (uint32_t m = 0; m < w->cfg.node_count; m++) {
		if (m != node && !sim_oracle_older(w, volume, sector, sim_store_get(&w->node[m].disk[volume].now, sector), id)) {
			return true;
		}
	}
	return false;
}

static void check_regress(struct sim *w, uint32_t node, uint32_t volume, uint64_t sector, uint32_t was, uint32_t next)
{
	struct sim_write *x = &w->oracle.write[was];
	if (!x->acked || x->excused || !sim_oracle_older(w, volume, sector, next, was)) {
		return;
	}
	if (x->weak && !elsewhere(w, node, volume, sector, was)) {
		return; /* protocols A and B: acknowledged before the survivor had it */
	}
	sim_fail(w, "I10", "node %u volume %u sector %llu: acknowledged write #%u is replaced by the older #%u", node, volume,
		(unsigned long long)sector, was, next);
}

/* When a resync ends, the metadata is raised first, and the state when the source has confirmed. */
static bool lacks_blocks(struct sim *w, uint32_t node, uint32_t volume)
{
	if (sim_volume_info(w, node, volume).io_errors != 0) {
		return false; /* bits of writes that failed are no part of the resync */
	}
	for (uint32_t m = 0; m < w->cfg.node_count; m++) {
		struct bsr_peer_device_info pd;
		bsr_engine_peer_device_info(w->node[node].engine, m, volume, &pd);
		const bool target = pd.repl == BSR_REPL_WF_BITMAP_T || pd.repl == BSR_REPL_SYNC_TARGET;
		/* beside a source that has lost its disk the bits name what the source lacks */
		if (pd.exists && target && pd.disk >= BSR_DISK_INCONSISTENT && pd.out_of_sync_bytes != 0) {
			return true;
		}
	}
	return false;
}

/* Being synced, a node may read from, and lean on, the source that syncs it. */
static bool is_synced_by(enum bsr_repl_state repl)
{
	return repl == BSR_REPL_SYNC_TARGET || repl == BSR_REPL_PAUSED_SYNC_T || repl == BSR_REPL_WF_BITMAP_T;
}

/* Also a disk that is just leaving, and has not been more than that. */
static bool is_mixture(const struct sim_node *n, uint32_t volume)
{
	const enum bsr_disk_state disk = n->pub.disk[volume];
	const bool leaves = disk == BSR_DISK_DETACHING || disk == BSR_DISK_FAILED;
	return disk == BSR_DISK_INCONSISTENT || (leaves && (n->sb[volume].flags & BSR_MDF_CONSISTENT) == 0);
}

/* A target of a peer that is not believed: what it copies does not count, here or there, before a better one has come. */
static bool copies_the_past(struct sim *w, uint32_t node, uint32_t volume)
{
	bool past = false;
	for (uint32_t m = 0; m < w->cfg.node_count && is_mixture(&w->node[node], volume); m++) {
		const struct bsr_peer_device_info pd = sim_peer_device_info(w, node, m, volume);
		past = past || (m != node && is_synced_by(pd.repl) && pd.disk < BSR_DISK_UP_TO_DATE);
	}
	return past;
}

void sim_oracle_disk_write(struct sim *w, uint32_t node, uint32_t volume, uint64_t sector, uint32_t count,
	const uint32_t *stamps)
{
	struct sim_node *n = &w->node[node];
	const bool past = n->app.running && copies_the_past(w, node, volume);
	for (uint32_t i = 0; i < count; i++) {
		const uint32_t next = stamps != NULL ? stamps[i] : 0;
		const uint32_t was = sim_store_get(&n->disk[volume].now, sector + i);
		check_identity(w, node, volume, sector + i, next, "a disk write");
		/* an Inconsistent target may go back for a moment: queued older writes behind newer resync data */
		if (was != 0 && was != next && !is_mixture(n, volume)) {
			check_regress(w, node, volume, sector + i, was, next);
		}
		if (n->app.running) {
			const uint32_t floor = sim_store_get(&n->floor[volume], sector + i);
			const bool last_copy = !sim_oracle_older(w, volume, sector + i, was, floor) && !elsewhere(w, node, volume, sector + i, floor);
			if (sim_oracle_older(w, volume, sector + i, next, floor) && (!past || last_copy)) {
				sim_fail(w, "I10",
					"node %u volume %u sector %llu: a Primary's disk goes back from #%u to #%u", node,
					volume, (unsigned long long)(sector + i), floor, next);
			}
		}
	}
}

void sim_oracle_target_write(struct sim *w, uint32_t node, uint32_t volume)
{
	const struct sim_node *n = &w->node[node];
	if (n->pub.disk[volume] == BSR_DISK_INCONSISTENT && (n->sb[volume].flags & BSR_MDF_CONSISTENT) != 0 &&
		!n->app.running && n->state == SIM_NODE_UP && lacks_blocks(w, node, volume) && !sim_ignored(w, "I26")) {
		sim_fail(w, "I26", "node %u volume %u: a resync writes while the metadata still says Consistent", node, volume);
	}
}

/* With the newest write those below it are gone, too: a power cut can reveal content of long ago. */
void sim_oracle_sector_lost(struct sim *w, uint32_t volume, uint64_t sector, uint32_t left)
{
	for (uint32_t id = 1; id < w->oracle.write_count; id++) {
		struct sim_write *x = &w->oracle.write[id];
		if (!x->excused && covers(x, volume, sector) && sim_oracle_older(w, volume, sector, left, id)) {
			x->excused = true; /* also when its answer is still on the way to the Primary */
			x->excused_cut = w->power_cuts;
		}
	}
}

static bool present(const struct sim *w, uint32_t node, const struct sim_write *x, uint32_t id, bool stable)
{
	const struct sim_disk *d = &w->node[node].disk[x->volume];
	for (uint32_t i = 0; i < x->count; i++) {
		const uint32_t c = sim_store_get(stable ? &d->stable : &d->now, x->sector + i);
		if (sim_oracle_older(w, x->volume, x->sector + i, c, id)) {
			return false;
		}
	}
	return true;
}

void sim_oracle_excuse_missing(struct sim *w, uint32_t keeper)
{
	for (uint32_t id = 1; id < w->oracle.write_count; id++) {
		struct sim_write *x = &w->oracle.write[id];
		if (x->acked && !x->excused && !present(w, keeper, x, id, false)) {
			x->excused = true;
		}
	}
}

void sim_oracle_excuse_only_here(struct sim *w, uint32_t node, uint32_t volume)
{
	for (uint32_t id = 1; id < w->oracle.write_count; id++) {
		struct sim_write *x = &w->oracle.write[id];
		bool elsewhere_too = x->volume != volume || x->excused;
		for (uint32_t m = 0; !elsewhere_too && m < w->cfg.node_count; m++) {
			elsewhere_too = m != node && !w->node[m].disk[volume].damaged && present(w, m, x, id, false);
		}
		x->excused = x->excused || !elsewhere_too;
	}
	w->node[node].disk[volume].made_anew = ++w->oracle.sequence;
	w->cut_off[volume] |= 1u << node;
}

void sim_oracle_app_lost(struct sim *w, uint32_t write_id)
{
	struct sim_write *x = &w->oracle.write[write_id];
	x->done = true;
	x->done_sequence = ++w->oracle.sequence;
}

/* ------------------------------------------------------------------ answers */

bool sim_oracle_counted(struct sim *w, uint32_t node, uint32_t m, uint32_t volume)
{
	const struct bsr_engine *e = w->node[node].engine;
	if (m == node) {
		struct bsr_volume_info v;
		bsr_engine_volume_info(e, volume, &v);
		return v.disk == BSR_DISK_UP_TO_DATE;
	}
	struct bsr_peer_info p;
	struct bsr_peer_device_info pd;
	bsr_engine_peer_info(e, m, &p);
	bsr_engine_peer_device_info(e, m, volume, &pd);
	const bool mirrors = pd.repl == BSR_REPL_ESTABLISHED || pd.repl == BSR_REPL_VERIFY_S || pd.repl == BSR_REPL_VERIFY_T ||
			     is_synced_by(pd.repl);
	return p.exists && pd.exists && p.conn == BSR_CONN_CONNECTED && pd.disk == BSR_DISK_UP_TO_DATE && mirrors;
}

/* on-io-error passthrough: a mirror that could not write stays UpToDate by policy, and has bits (I13). */
static bool passed_through(struct sim *w, uint32_t node, uint32_t m, uint32_t volume)
{
	struct bsr_peer_device_info pd;
	bsr_engine_peer_device_info(w->node[node].engine, m, volume, &pd);
	return w->cfg.on_io_error == BSR_IO_ERROR_PASSTHROUGH && pd.out_of_sync_bytes != 0;
}

static void check_acked(struct sim *w, uint32_t node, uint32_t id)
{
	struct sim_write *x = &w->oracle.write[id];
	uint32_t holders = 0;
	for (uint32_t m = 0; m < w->cfg.node_count; m++) {
		if (!sim_oracle_counted(w, node, m, x->volume)) {
			continue;
		}
		holders++;
		const bool stable = (x->flags & BSR_REQ_FUA) != 0;
		if (present(w, m, x, id, stable && (m == node || w->cfg.protocol == BSR_PROTOCOL_C))) {
			continue;
		}
		if (m != node && w->cfg.protocol != BSR_PROTOCOL_C) {
			x->weak = true;
			x->taken_by |= w->cfg.protocol == BSR_PROTOCOL_B ? 1u << m : 0;
			continue;
		}
		if (m != node && w->node[m].disk[x->volume].made_anew > x->issue_sequence) {
			continue; /* it was there, and its disk was exchanged before the answer came */
		}
		if (m != node && x->excused && !stable) {
			continue; /* it was there, and a power cut took it before the answer came */
		}
		if (m != node && passed_through(w, node, m, x->volume)) {
			continue;
		}
		sim_fail(w, "I1", "node %u acknowledges write #%u (volume %u, %llu+%u%s), which node %u counts for but does not %s",
			node, id, x->volume, (unsigned long long)x->sector, x->count, stable ? ", FUA" : "", m,
			stable ? "hold safely" : "hold");
	}
	/* nobody counts any more: a disk that took it may have been left in this very step (an orderly disconnect) */
	for (uint32_t m = 0; holders == 0 && m < w->cfg.node_count; m++) {
		holders += m != node && sim_oracle_counted(w, m, m, x->volume) && present(w, m, x, id, false);
	}
	if (holders == 0) {
		sim_fail(w, "I1", "node %u acknowledges write #%u without any UpToDate disk", node, id);
	}
	sim_oracle_solo(w, node, id);
}

/* A process that has died, or a disk that has failed or left, took along what it had not written. */
void sim_oracle_received(struct sim *w, uint32_t node)
{
	for (uint32_t id = 1; id < w->oracle.write_count; id++) {
		const struct sim_write *x = &w->oracle.write[id];
		if ((x->taken_by >> node & 1u) != 0 && x->acked && !x->excused && x->done_sequence > w->node[node].alive_since &&
			w->node[node].disk[x->volume].write_errors == 0 && !present(w, node, x, id, false)) {
			sim_fail(w, "I2", "node %u is promoted without write #%u of node %u, which it had in its memory when it was acknowledged",
				node, id, x->node);
		}
	}
}

static void raise_floor(struct sim *w, uint32_t node, uint32_t volume, uint64_t sector, uint32_t id)
{
	struct sim_store *f = &w->node[node].floor[volume];
	if (!sim_oracle_older(w, volume, sector, id, sim_store_get(f, sector))) {
		sim_store_write(w, f, sector, 1, &id);
	}
}

static void check_flush_on(struct sim *w, uint32_t node, uint32_t m, uint32_t volume, uint64_t issue_sequence)
{
	const struct sim_disk *d = &w->node[m].disk[volume];
	for (const struct sim_cached *c = d->device[0].first; c != NULL; c = c->next) {
		for (uint32_t i = 0; !c->metadata && c->stamps != NULL && i < c->count; i++) {
			const uint32_t id = c->stamps[i];
			const struct sim_write *x = &w->oracle.write[id];
			if (id == 0 || !x->acked || x->done_sequence > issue_sequence) {
				continue;
			}
			const uint32_t stable = sim_store_get(&d->stable, c->sector + i);
			if (sim_oracle_older(w, volume, c->sector + i, stable, id)) {
				sim_fail(w, "I1",
					"node %u answers a flush of volume %u, but write #%u (sector %llu) is not safe on node %u",
					node, volume, id, (unsigned long long)(c->sector + i), m);
			}
		}
	}
}

static void check_read(struct sim *w, uint32_t node, const struct sim_req *r, const uint32_t *stamps)
{
	for (uint32_t i = 0; i < r->count; i++) {
		const uint64_t sector = r->sector + i;
		const uint32_t stamp = sim_rot_clean(w, stamps[i]); /* a damaged sector is judged by what it should hold */
		check_identity(w, node, r->volume, sector, stamp, "a read");
		if (sim_oracle_older(w, r->volume, sector, stamp, r->floor[i])) {
			sim_fail(w, "I9", "node %u volume %u sector %llu: a read returns #%u, older than #%u", node, r->volume,
				(unsigned long long)sector, stamp, r->floor[i]);
		}
		if (stamp != 0 && w->oracle.write[stamp].acked) { /* one that fails later may go again */
			raise_floor(w, node, r->volume, sector, stamp);
		}
	}
	w->reads_checked++;
}

void sim_oracle_complete(struct sim *w, uint32_t node, struct sim_req *r, int32_t result, const uint32_t *stamps)
{
	if (r->op == BSR_OP_READ) {
		if (result == 0) {
			check_read(w, node, r, stamps);
		}
		return;
	}
	if (r->op == BSR_OP_FLUSH) {
		for (uint32_t m = 0; result == 0 && m < w->cfg.node_count; m++) {
			const bool part = w->cfg.on_io_error == BSR_IO_ERROR_PASSTHROUGH && w->node[m].disk[r->volume].write_errors != 0;
			/* demoted, and its record still says Primary: its activity log names what its cache may lose */
			const bool logged = m != node && (w->node[m].sb[r->volume].flags & BSR_MDF_PRIMARY_IND) != 0;
			if (sim_oracle_counted(w, node, m, r->volume) && !part && !logged &&
				(m == node || w->cfg.protocol == BSR_PROTOCOL_C)) {
				check_flush_on(w, node, m, r->volume, r->issue_sequence);
			}
		}
		if (result == 0 && w->cfg.protocol == BSR_PROTOCOL_C && w->cfg.node_count == 2) {
			sim_oracle_flush_solo(w, node, r->volume, r->issue_sequence);
		}
		return;
	}
	struct sim_write *x = &w->oracle.write[r->write_id];
	x->done = true;
	x->acked = result == 0;
	x->failed = result != 0;
	x->done_sequence = ++w->oracle.sequence;
	if (!x->acked) {
		return;
	}
	w->acked++;
	check_acked(w, node, r->write_id);
	for (uint32_t i = 0; i < r->count; i++) {
		raise_floor(w, node, r->volume, r->sector + i, r->write_id);
	}
}

void sim_oracle_read_floor(struct sim *w, uint32_t node, struct sim_req *r)
{
	if (r->floor == NULL) {
		r->floor = sim_alloc(w, r->count * sizeof(uint32_t));
	}
	uint32_t source = node;
	for (uint32_t m = 0; !sim_oracle_counted(w, node, node, r->volume) && m < w->cfg.node_count; m++) {
		source = sim_oracle_counted(w, node, m, r->volume) ? m : source;
	}
	for (uint32_t i = 0; i < r->count; i++) {
		const uint64_t sector = r->sector + i;
		r->floor[i] = sim_store_get(&w->node[node].floor[r->volume], sector);
		const uint32_t there = sim_store_get(&w->node[source].disk[r->volume].now, sector);
		if (r->floor[i] == 0 && there != 0 && w->oracle.write[there].acked) {
			r->floor[i] = there;
		}
	}
}

/* ------------------------------------------------------------------- epochs */

static bool visible(const struct sim *w, uint32_t node, const struct sim_write *x, uint32_t id, bool stable)
{
	const struct sim_disk *d = &w->node[node].disk[x->volume];
	for (uint32_t i = 0; i < x->count; i++) {
		if (sim_store_get(stable ? &d->stable : &d->now, x->sector + i) == id) {
			return true;
		}
	}
	return false;
}

/* Volumes of one moment: a disk that was lost or lags behind stays at its own. */
static uint32_t current_volumes(const struct sim *w, uint32_t node)
{
	const struct sim_node *n = &w->node[node];
	uint32_t mask = 0;
	for (uint32_t v = 0; v < w->cfg.volume_count; v++) {
		const bool good = n->pub.disk[v] == BSR_DISK_UP_TO_DATE || n->pub.disk[v] == BSR_DISK_CONSISTENT;
		if (good && (w->cut_off[v] >> node & 1u) == 0 && (n->sb[v].flags & BSR_MDF_CONSISTENT) != 0 && n->disk[v].write_errors == 0) {
			mask |= 1u << v;
		}
	}
	return mask;
}

static bool in_question(const struct sim *w, const struct sim_write *x, uint32_t volumes)
{
	return x->session == w->oracle.session && (volumes >> x->volume & 1u) != 0;
}

void sim_oracle_epochs(struct sim *w, uint32_t node, bool stable, const char *when)
{
	const struct sim_oracle *o = &w->oracle;
	const uint32_t volumes = current_volumes(w, node);
	uint32_t newest = 0;
	if (stable && !w->cfg.disk_flushes && !w->cfg.write_through[node]) {
		return;
	}
	for (uint32_t id = o->write_count; newest == 0 && id-- > 1;) {
		const struct sim_write *x = &o->write[id];
		if (x->node != node && in_question(w, x, volumes) && visible(w, node, x, id, stable)) {
			newest = id;
		}
	}
	for (uint32_t id = 1; newest != 0 && id < newest; id++) {
		const struct sim_write *x = &o->write[id];
		const bool old_loss = x->excused && (!stable || x->excused_cut != w->power_cuts);
		if (in_question(w, x, volumes) && x->acked && !old_loss && write_before(x, &o->write[newest]) &&
			!present(w, node, x, id, stable)) {
			sim_fail(w, "I6", "node %u %s: it holds write #%u, but not #%u, which was acknowledged before", node,
				when, newest, id);
		}
	}
}

/* ----------------------------------------------------------------- equality */

static void describe(const struct sim *w, uint32_t id, char *out, size_t bytes)
{
	if (id == 0) {
		snprintf(out, bytes, "zeroes");
		return;
	}
	const struct sim_write *x = &w->oracle.write[id];
	snprintf(out, bytes, "#%u (node %u, %llu+%u, %s)", id, x->node, (unsigned long long)x->sector, x->count,
		x->acked ? "acknowledged" : x->done ? "not acknowledged" : "under way");
}

void sim_oracle_compare(struct sim *w, uint32_t a, uint32_t b, uint32_t volume, const char *when)
{
	const struct sim_store *sa = &w->node[a].disk[volume].now;
	const struct sim_store *sb = &w->node[b].disk[volume].now;
	const uint32_t chunks = sa->chunk_count < sb->chunk_count ? sa->chunk_count : sb->chunk_count;
	const uint64_t sectors = sa->sector_count < sb->sector_count ? sa->sector_count : sb->sector_count;
	w->compares++;
	for (uint32_t c = 0; sa->sum != sb->sum && c < chunks; c++) {
		if (sa->chunk_sum[c] == sb->chunk_sum[c]) {
			continue;
		}
		const uint64_t left = sectors - (uint64_t)c * SIM_CHUNK_SECTORS;
		for (uint32_t i = 0; i < SIM_CHUNK_SECTORS && i < left; i++) {
			const uint32_t x = sa->chunk[c] != NULL ? sa->chunk[c][i] : 0;
			const uint32_t y = sb->chunk[c] != NULL ? sb->chunk[c][i] : 0;
			if (x != y) {
				char tx[96];
				char ty[96];
				describe(w, x, tx, sizeof(tx));
				describe(w, y, ty, sizeof(ty));
				sim_fail(w, "I4", "%s: volume %u sector %llu differs: node %u has %s, node %u has %s", when,
					volume, (unsigned long long)c * SIM_CHUNK_SECTORS + i, a, tx, b, ty);
			}
		}
	}
}
