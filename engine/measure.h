/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * measure.h - where the modules of the engine say that a stage has ended
 *
 * Every call is behind BSR_MEASURING(e): while collection is off, that is one load and one branch that is
 * never taken.
 */
#ifndef BSR_ENGINE_MEASURE_H
#define BSR_ENGINE_MEASURE_H

#include <bsr/measure.h>

#include "core.h"

#define BSR_MEASURING(e) __builtin_expect((e)->measure != NULL, 0)

/** bsr_measure_switch - begin to count at zero, or stop and free; 0 or -BSR_E_NO_MEMORY (then it is off) */
int32_t bsr_measure_switch(struct bsr_engine *e, bool on);
/** bsr_measure_configured - volumes or peers came or went: tables for what is new, none for what has gone */
void bsr_measure_configured(struct bsr_engine *e);
/** bsr_measure_free - the engine ends */
void bsr_measure_free(struct bsr_engine *e);

/** bsr_measure_stage - one request of @vol was in @stage since @since_ns */
void bsr_measure_stage(
	struct bsr_engine *e, const struct bsr_volume *vol, enum bsr_stage stage, uint64_t since_ns);
/** bsr_measure_turn - a write has got its turn, and this is what the activity log said */
void bsr_measure_turn(struct bsr_engine *e, const struct bsr_request *rq, enum bsr_al_answer answer);
/** bsr_measure_finished - the whole of an application's request */
void bsr_measure_finished(struct bsr_engine *e, const struct bsr_request *rq);
/** bsr_measure_sent - a write goes to its peers now */
void bsr_measure_sent(struct bsr_engine *e, uint64_t write_seq);
/** bsr_measure_acked - a peer has it on its disk; @took_ns: what it says of its own share, 0 when it did not
 */
void bsr_measure_acked(struct bsr_engine *e, const struct bsr_peer *p, uint32_t volume, uint64_t write_seq,
	uint64_t took_ns);

#endif
