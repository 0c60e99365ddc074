/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * faults.h - delays and errors on purpose, for tests: what disks and network do, done late or not at all
 *
 * Refused unless bsrd was started with --allow-faults. While no rule is set and nothing is held back, an
 * effect costs one branch more.
 */
#ifndef BSR_DAEMON_FAULTS_H
#define BSR_DAEMON_FAULTS_H

#include "bsrd.h"

#define BSRD_FAULTS_MAX 16u
#define BSRD_FAULT_DELAY_MS_MAX 60000u

enum bsrd_fault_kind { BSRD_FAULT_DISK, BSRD_FAULT_META, BSRD_FAULT_NETWORK };
#define BSRD_FAULT_READ 1u
#define BSRD_FAULT_WRITE 2u /* of data: discard and write-zeroes, too */
#define BSRD_FAULT_FLUSH 4u

struct bsrd_fault {
	enum bsrd_fault_kind kind;
	uint32_t volume; /* index; BSRD_NOBODY: any */
	uint32_t peer;   /* network; BSRD_NOBODY: any */
	uint32_t ops;    /* disk, metadata: BSRD_FAULT_*, 0: all */
	uint32_t delay_ms;
	bool error;     /* disk, metadata: not done, -BSR_E_IO */
	uint64_t count; /* how often, 0: until cleared */
	uint64_t done;  /* how often so far */
};

/** bsrd_faults_set - one more rule; 0, -BSR_E_NO_SPACE, -BSR_E_NO_MEMORY */
int bsrd_faults_set(struct bsrd *d, const struct bsrd_fault *rule);
/** bsrd_faults_clear - forget all rules; what is held back is still done, in order */
void bsrd_faults_clear(struct bsrd *d);
/** bsrd_faults_at - rule by number; NULL past the last */
const struct bsrd_fault *bsrd_faults_at(const struct bsrd *d, uint32_t index);

/**
 * bsrd_faults_take - true: a rule concerns this effect, it is carried out later or answered with an error
 * @arena: of the step, heads of messages lie there
 * Call it only with d->faults set.
 */
bool bsrd_faults_take(struct bsrd *d, const struct bsr_effect *effect, const uint8_t *arena);
/** bsrd_faults_deadline - when bsrd_faults_tick() is due, UINT64_MAX for never */
uint64_t bsrd_faults_deadline(const struct bsrd *d);
/** bsrd_faults_tick - do what is due; never from inside of a step */
void bsrd_faults_tick(struct bsrd *d);

#endif
