// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * measure.c - how long requests take, by stage
 *
 * Owns:       the tables of histograms; they exist while collection is on.
 * May touch:  nothing else: what is measured decides nothing.
 * Invariants:
 *   ME-1  Memory is taken when collection is switched on and when a volume or peer is added, never by a
 * request. What there was no memory for is not measured. ME-2  A request that began before collection is
 * measured like any other, from its true beginning; a write that was sent before is not.
 */
#include "measure.h"

/* Volumes and peers that a table exists for; the rest of the engine knows only the pointer. */
struct bsr_measure {
	uint64_t since_ns;
	struct bsr_measured_volume *volume[BSR_VOLUMES_MAX];
	struct bsr_measured_peer_device *peer_device[BSR_NODES_MAX][BSR_VOLUMES_MAX];
	/* by entry of the transfer log: when it was sent; 0 = before collection */
	uint64_t sent_ns[BSR_TRANSFER_LOG_MAX];
};

int32_t bsr_measure_switch(struct bsr_engine *e, bool on)
{
	if (!on) {
		bsr_measure_free(e);
		return 0;
	}
	if (e->measure) {
		return 0;
	}
	e->measure = bsr_env_alloc(e, sizeof(*e->measure), 64);
	if (!e->measure) {
		return -BSR_E_NO_MEMORY;
	}
	e->measure->since_ns = e->now_ns;
	bsr_measure_configured(e);
	return 0;
}

static void fit(struct bsr_engine *e, void **table, bool wanted, size_t bytes)
{
	if (wanted && !*table) {
		*table = bsr_env_alloc(e, bytes, 64);
	} else if (!wanted && *table) {
		bsr_env_free(e, *table, bytes);
		*table = NULL;
	}
}

void bsr_measure_configured(struct bsr_engine *e)
{
	struct bsr_measure *m = e->measure;
	if (!m) {
		return;
	}
	for (uint32_t v = 0; v < BSR_VOLUMES_MAX; v++) {
		void *table = m->volume[v];
		fit(e, &table, e->volume[v] != NULL, sizeof(*m->volume[v]));
		m->volume[v] = table;
		for (uint32_t node = 0; node < BSR_NODES_MAX; node++) {
			const struct bsr_peer *p = e->peer[node];
			table = m->peer_device[node][v];
			fit(e, &table, p && p->device[v].exists, sizeof(*m->peer_device[node][v]));
			m->peer_device[node][v] = table;
		}
	}
}

void bsr_measure_free(struct bsr_engine *e)
{
	struct bsr_measure *m = e->measure;
	if (!m) {
		return;
	}
	for (uint32_t v = 0; v < BSR_VOLUMES_MAX; v++) {
		bsr_env_free(e, m->volume[v], sizeof(*m->volume[v]));
		for (uint32_t node = 0; node < BSR_NODES_MAX; node++) {
			bsr_env_free(e, m->peer_device[node][v], sizeof(*m->peer_device[node][v]));
		}
	}
	bsr_env_free(e, m, sizeof(*m));
	e->measure = NULL;
}

/* ------------------------------------------------------------- what happened */

void bsr_measure_stage(
	struct bsr_engine *e, const struct bsr_volume *vol, enum bsr_stage stage, uint64_t since_ns)
{
	struct bsr_measured_volume *mv = e->measure->volume[vol->index];
	BSR_ASSERT(since_ns <= e->now_ns);
	if (mv) {
		bsr_histogram_add(&mv->stage[stage], e->now_ns - since_ns);
	}
}

void bsr_measure_turn(struct bsr_engine *e, const struct bsr_request *rq, enum bsr_al_answer answer)
{
	struct bsr_measured_volume *mv = e->measure->volume[rq->volume];
	if (!mv) {
		return;
	}
	if (rq->stage == BSR_RQ_OVERLAP) { /* not a second try after a full log */
		bsr_histogram_add(&mv->stage[BSR_STAGE_HELD], e->now_ns - rq->arrived_ns);
	}
	mv->al_hits += answer == BSR_AL_GO;
	mv->al_misses += answer == BSR_AL_WAIT;
	mv->al_starving += answer == BSR_AL_FULL;
}

void bsr_measure_finished(struct bsr_engine *e, const struct bsr_request *rq)
{
	const enum bsr_stage stage = rq->op == BSR_OP_READ    ? BSR_STAGE_READ
				     : rq->op == BSR_OP_FLUSH ? BSR_STAGE_FLUSH
							      : BSR_STAGE_WRITE;
	bsr_measure_stage(e, e->volume[rq->volume], stage, rq->arrived_ns);
}

void bsr_measure_sent(struct bsr_engine *e, uint64_t write_seq)
{
	e->measure->sent_ns[write_seq % BSR_TRANSFER_LOG_MAX] = e->now_ns;
}

void bsr_measure_acked(
	struct bsr_engine *e, const struct bsr_peer *p, uint32_t volume, uint64_t write_seq, uint64_t took_ns)
{
	const uint64_t sent_ns = e->measure->sent_ns[write_seq % BSR_TRANSFER_LOG_MAX];
	struct bsr_measured_peer_device *md = e->measure->peer_device[p->node_id][volume];
	if (!md || sent_ns == 0) {
		return;
	}
	const uint64_t total = e->now_ns - sent_ns;
	bsr_histogram_add(&md->stage[BSR_REMOTE_TOTAL], total);
	if (took_ns != 0) {
		/* clocks of two hosts, each read once per turn: its share can seem longer than the whole */
		const uint64_t there = took_ns < total ? took_ns : total;
		bsr_histogram_add(&md->stage[BSR_REMOTE_DISK], there);
		bsr_histogram_add(&md->stage[BSR_REMOTE_NETWORK], total - there);
	}
}

/* ------------------------------------------------------------ what status asks */

bool bsr_engine_measures(const struct bsr_engine *e)
{
	return e->measure != NULL;
}

uint64_t bsr_engine_measured_since_ns(const struct bsr_engine *e)
{
	return e->measure ? e->measure->since_ns : 0;
}

const struct bsr_measured_volume *bsr_engine_measured_volume(const struct bsr_engine *e, uint32_t volume)
{
	return e->measure && volume < BSR_VOLUMES_MAX ? e->measure->volume[volume] : NULL;
}

const struct bsr_measured_peer_device *bsr_engine_measured_peer_device(
	const struct bsr_engine *e, uint32_t peer, uint32_t volume)
{
	const bool named = peer < BSR_NODES_MAX && volume < BSR_VOLUMES_MAX;
	return e->measure && named ? e->measure->peer_device[peer][volume] : NULL;
}
