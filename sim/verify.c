// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * verify.c - administrators who verify, and what a verify must and must not find
 *
 *   I42  A verify that is complete has found every block that differed before it began and was not written since: both ends
 *        have a bit. It calls no block different that is not, or was not while it ran.
 *   VF   After the last verify of a run, and the resync that follows a new connection, both disks return the same.
 */
#include <string.h>

#include <bsr/assert.h>
#include <bsr/log.h>

#include "disk.h"
#include "scenario.h"

#define BLOCK_SECTORS (BSR_BITMAP_BLOCK_BYTES / 512u)
#define FOUND_STAYS_NS (20u * SIM_S)

static struct sim_verify *verify_of(struct sim *w, uint32_t source, uint32_t target, uint32_t volume)
{
	for (uint32_t i = 0; i < w->verify_count; i++) {
		struct sim_verify *v = &w->verify[i];
		if (v->source == source && v->target == target && v->volume == volume) {
			return v;
		}
	}
	return NULL;
}

static void started(struct sim *w, uint32_t node, const struct bsr_fx_log *log)
{
	struct sim_verify *v = verify_of(w, node, log->peer, log->volume);
	if (log->arg[0] != BSR_REPL_VERIFY_S) {
		return;
	}
	if (v == NULL) {
		BSR_ASSERT(w->verify_count < SIM_VERIFIES_MAX);
		v = &w->verify[w->verify_count++];
	}
	*v = (struct sim_verify){.source = node,
		.target = log->peer,
		.volume = log->volume,
		.sequence = ++w->oracle.sequence,
		.start = log->arg[1] / 512u,
		.stop = log->arg[2] / 512u};
}

/* Nobody has written to the block since @sequence, and no write to it was under way then. */
static bool untouched(const struct sim *w, const struct sim_verify *v, uint64_t block)
{
	const uint32_t node[2] = {v->source, v->target};
	for (uint32_t i = 0; i < 2u * BLOCK_SECTORS; i++) {
		const struct sim_disk *d = &w->node[node[i % 2u]].disk[v->volume];
		const uint64_t sector = block * BLOCK_SECTORS + i / 2u;
		const uint32_t id = sim_store_get(&d->now, sector);
		const struct sim_write *x = &w->oracle.write[id];
		if (sim_rot_sequence(w, sim_store_get(&d->rot, sector)) >= v->sequence) {
			return false;
		}
		if (id != 0 && (!x->done || x->done_sequence > v->sequence)) {
			return false;
		}
	}
	for (uint32_t id = 1; id < w->oracle.write_count; id++) {
		const struct sim_write *x = &w->oracle.write[id];
		if (x->volume == v->volume && (!x->done || x->done_sequence > v->sequence) &&
			x->sector < (block + 1u) * BLOCK_SECTORS && block * BLOCK_SECTORS < x->sector + x->count) {
			return false;
		}
	}
	return true;
}

static bool differs(const struct sim *w, uint32_t a, uint32_t b, uint32_t volume, uint64_t block)
{
	for (uint32_t i = 0; i < BLOCK_SECTORS; i++) {
		const uint64_t sector = block * BLOCK_SECTORS + i;
		if (sim_rot_get(&w->node[a].disk[volume], sector) != sim_rot_get(&w->node[b].disk[volume], sector)) {
			return true;
		}
	}
	return false;
}

/* The source says that these differ. */
static void found(struct sim *w, uint32_t node, const struct bsr_fx_log *log)
{
	const struct sim_verify *v = verify_of(w, node, log->peer, log->volume);
	w->verify_found++;
	if (v == NULL || log->arg[2] != 0 || w->node[node].pub.repl[log->peer][log->volume] != BSR_REPL_VERIFY_S) {
		return; /* told by the source, or unreadable */
	}
	const uint64_t end = (log->arg[0] + log->arg[1] + BSR_BITMAP_BLOCK_BYTES - 1) / BSR_BITMAP_BLOCK_BYTES;
	for (uint64_t block = log->arg[0] / BSR_BITMAP_BLOCK_BYTES; block < end; block++) {
		if (!differs(w, node, log->peer, log->volume, block)) {
			sim_fail(w, "I42", "node %u says that block %llu of volume %u differs from node %u's; it does not", node,
				(unsigned long long)block, log->volume, log->peer);
		}
	}
}

/* One end says that the verify is complete: @peer's copy differs only where this end has bits. */
static void finished(struct sim *w, uint32_t node, const struct bsr_fx_log *log)
{
	struct sim_verify *as_source = verify_of(w, node, log->peer, log->volume);
	struct sim_verify *as_target = verify_of(w, log->peer, node, log->volume);
	struct sim_verify *v = as_source;
	if (as_target != NULL && (v == NULL || as_target->sequence > v->sequence)) {
		v = as_target;
	}
	BSR_ASSERT(v != NULL);
	v->complete = true;
	if (w->node[v->source].disk[v->volume].cut_sequence > v->sequence || w->node[v->target].disk[v->volume].cut_sequence > v->sequence) {
		return; /* a power cut has taken away what the last digest speaks about */
	}
	for (uint64_t block = v->start / BLOCK_SECTORS; block * BLOCK_SECTORS < v->stop; block++) {
		if (differs(w, v->source, v->target, v->volume, block) && untouched(w, v, block) &&
			!bsr_engine_out_of_sync(w->node[node].engine, log->peer, log->volume, block * BSR_BITMAP_BLOCK_BYTES,
				BSR_BITMAP_BLOCK_BYTES)) {
			sim_fail(w, "I42", "node %u: a verify of volume %u with node %u is complete, block %llu differs, and has no bit",
				node, log->volume, log->peer, (unsigned long long)block);
		}
	}
}

void sim_verify_log(struct sim *w, uint32_t node, const struct bsr_fx_log *log)
{
	if (log->number == BSR_LOGN_VERIFY_STARTED) {
		started(w, node, log);
	} else if (log->number == BSR_LOGN_VERIFY_DIFFERS) {
		found(w, node, log);
	} else if (log->number == BSR_LOGN_VERIFY_FINISHED) {
		finished(w, node, log);
	}
}

void sim_verify_command(const struct sim *w, uint32_t volume, uint32_t argument, struct bsr_command *cmd)
{
	const uint64_t bytes = w->cfg.volume_bytes[volume];
	if ((argument & 1u) != 0) {
		cmd->flags |= BSR_CMDF_START;
		cmd->u.verify.start_bytes = argument % 4u == 1u ? 0 : (argument >> 3) % (bytes / 512u) * 512u;
	}
	cmd->u.verify.stop_bytes = argument % 8u < 6u ? 0 : bytes / 2u;
	cmd->flags |= argument % 16u == 9u ? BSR_CMDF_AUTO_SYNC : 0;
}

/* ------------------------------------------------------ a person, in the end */

/* Volumes can be taken out of a running cluster. */
static bool is_there(struct sim *w, uint32_t v)
{
	return sim_volume_info(w, 0, v).exists && sim_volume_info(w, 1, v).exists;
}

static bool can_verify(const struct sim *w)
{
	return w->cfg.node_count == 2 && (w->node[0].features & w->node[1].features & BSR_FEATURE_VERIFY) != 0;
}

/* Everything is at rest. False: the last verify of the run, or what follows it, is still to come. */
bool sim_verify_at_rest(struct sim *w)
{
	if (w->rot.count == 0 || !can_verify(w)) {
		return true;
	}
	if (w->last_verify == 0) {
		const uint32_t node = (uint32_t)sim_rng_below(&w->rng[SIM_RNG_PLAN], 2);
		w->last_verify = ++w->oracle.sequence;
		for (uint32_t v = 0; v < w->cfg.volume_count; v++) {
			const struct bsr_command cmd = {
				.type = BSR_CMD_VERIFY, .volume = v, .peer = 1u - node, .flags = BSR_CMDF_START};
			if (is_there(w, v)) {
				sim_node_script_add(w, node, &cmd, 20);
			}
		}
		return false;
	}
	/* at rest again: all of them have ended, and what they found has been resynced */
	for (uint32_t v = 0; v < w->cfg.volume_count; v++) {
		const struct sim_verify *a = verify_of(w, 0, 1, v);
		const struct sim_verify *b = verify_of(w, 1, 0, v);
		const bool from_a = a != NULL && a->sequence >= w->last_verify && a->complete;
		const bool from_b = b != NULL && b->sequence >= w->last_verify && b->complete;
		if (!from_a && !from_b && is_there(w, v)) {
			w->last_verify = 0; /* the link was lost meanwhile */
			return false;
		}
	}
	return true;
}

bool sim_verify_reconnects(struct sim *w, uint32_t a, uint32_t b, uint32_t v)
{
	const struct bsr_peer_device_info pd = sim_peer_device_info(w, a, b, v);
	for (uint32_t i = 0; i < w->cfg.volume_count; i++) {
		const enum bsr_repl_state repl = sim_peer_device_info(w, a, b, i).repl;
		if (repl == BSR_REPL_VERIFY_S || repl == BSR_REPL_VERIFY_T) {
			return false; /* not before all of them have ended */
		}
	}
	return w->cfg.node_count == 2 && a == 0 && pd.repl == BSR_REPL_ESTABLISHED && pd.disk == BSR_DISK_UP_TO_DATE &&
	       pd.out_of_sync_bytes != 0 && pd.verify_marked_bytes != 0 && w->now_ns - w->phase_began_ns > FOUND_STAYS_NS;
}

void sim_verify_compare(struct sim *w)
{
	if (w->rot.count == 0 || !can_verify(w)) {
		return;
	}
	for (uint32_t v = 0; v < w->cfg.volume_count; v++) {
		const uint64_t blocks = !is_there(w, v) ? 0 : sim_volume_info(w, 0, v).size_bytes / BSR_BITMAP_BLOCK_BYTES;
		for (uint64_t block = 0; block < blocks; block++) {
			if (differs(w, 0, 1, v, block)) {
				sim_fail(w, "VF", "volume %u block %llu: verified, resynced, and the disks return other content", v,
					(unsigned long long)block);
			}
		}
	}
}
