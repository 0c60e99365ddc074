/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * measure.h - how long requests take, by stage: what the engine counts while collection is on
 *
 * Collection is off at first; BSR_CMD_MEASURE switches it. Counters begin at zero each time it is switched on
 * and only grow until it is switched off; who wants a rate subtracts two readings. Times are those of the
 * steps (bsr_event.now_ns): a host that reads its clock once per turn measures in turns.
 */
#ifndef BSR_MEASURE_H
#define BSR_MEASURE_H

#include <stdbool.h>
#include <stdint.h>

#include <bsr/limits.h>

struct bsr_engine;

/*
 * Bucket of a time: unit of 1,024 ns; every power of two has eight buckets, so a bucket's bounds are at most
 * an eighth apart; what takes longer than a minute is in the last one.
 */
#define BSR_HISTOGRAM_UNIT_SHIFT 10u
#define BSR_HISTOGRAM_STEP_SHIFT 3u
#define BSR_HISTOGRAM_BUCKETS 192u

struct bsr_histogram {
	uint64_t sum_ns;
	uint64_t bucket[BSR_HISTOGRAM_BUCKETS];
};

/** bsr_histogram_index - bucket of a time */
static inline uint32_t bsr_histogram_index(uint64_t ns)
{
	const uint64_t units = ns >> BSR_HISTOGRAM_UNIT_SHIFT;
	if (units < 1u << BSR_HISTOGRAM_STEP_SHIFT) {
		return (uint32_t)units;
	}
	const uint32_t top = 63u - (uint32_t)__builtin_clzll(units);
	const uint32_t index = ((top - BSR_HISTOGRAM_STEP_SHIFT) << BSR_HISTOGRAM_STEP_SHIFT) +
			       (uint32_t)(units >> (top - BSR_HISTOGRAM_STEP_SHIFT));
	return index < BSR_HISTOGRAM_BUCKETS ? index : BSR_HISTOGRAM_BUCKETS - 1;
}

/** bsr_histogram_floor_ns - the shortest time of a bucket, 0..BSR_HISTOGRAM_BUCKETS (the end of the last one)
 */
static inline uint64_t bsr_histogram_floor_ns(uint32_t index)
{
	const uint32_t steps = 1u << BSR_HISTOGRAM_STEP_SHIFT;
	if (index < 2 * steps) {
		return (uint64_t)index << BSR_HISTOGRAM_UNIT_SHIFT;
	}
	const uint32_t shift = index / steps - 1;
	return ((uint64_t)(steps + index % steps) << shift) << BSR_HISTOGRAM_UNIT_SHIFT;
}

static inline void bsr_histogram_add(struct bsr_histogram *h, uint64_t ns)
{
	h->bucket[bsr_histogram_index(ns)]++;
	h->sum_ns += ns;
}

/* Stages of requests of one volume on this node. */
enum bsr_stage {
	BSR_STAGE_READ,  /* application requests: from arrival to completion */
	BSR_STAGE_WRITE, /* discard and write-zeroes included, as everywhere below */
	BSR_STAGE_FLUSH,
	BSR_STAGE_HELD, /* writes: from arrival until they have their turn (suspended, buffers full, older
			   overlapping) */
	BSR_STAGE_AL,   /* writes that had to wait for the activity log: how long */
	BSR_STAGE_DISK_READ, /* the local disk */
	BSR_STAGE_DISK_WRITE,
	BSR_STAGE_DISK_FLUSH,
	BSR_STAGE_PEER_QUEUE, /* a peer's writes: from arrival until they go to my disk (epochs) */
	BSR_STAGE_PEER_WRITE, /* a peer's writes: from arrival until they are on my disk */
};
#define BSR_STAGE_COUNT 10u

/* Stages of my writes at a peer. */
enum bsr_remote_stage {
	BSR_REMOTE_TOTAL,   /* from handing over to the network until its acknowledgement is here */
	BSR_REMOTE_DISK,    /* of this, as the peer says: from arrival there until on its disk */
	BSR_REMOTE_NETWORK, /* the rest */
};
#define BSR_REMOTE_COUNT 3u

struct bsr_measured_volume {
	struct bsr_histogram stage[BSR_STAGE_COUNT];
	uint64_t al_hits;     /* writes whose extents were hot */
	uint64_t al_misses;   /* writes that had to wait for a log transaction */
	uint64_t al_starving; /* writes that found every slot pinned */
};

struct bsr_measured_peer_device {
	struct bsr_histogram stage[BSR_REMOTE_COUNT];
};

/** bsr_engine_measures - is collection on */
bool bsr_engine_measures(const struct bsr_engine *e);
/** bsr_engine_measured_since_ns - when it was switched on; 0 while it is off */
uint64_t bsr_engine_measured_since_ns(const struct bsr_engine *e);
/**
 * bsr_engine_measured_volume, bsr_engine_measured_peer_device - what was counted, valid until the next step;
 * NULL while collection is off and for what does not exist
 */
const struct bsr_measured_volume *bsr_engine_measured_volume(const struct bsr_engine *e, uint32_t volume);
const struct bsr_measured_peer_device *bsr_engine_measured_peer_device(
	const struct bsr_engine *e, uint32_t peer, uint32_t volume);

#endif
