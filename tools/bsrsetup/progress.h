/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * progress.h - how far a resync is: share done, time left, amounts for people
 */
#ifndef BSRSETUP_PROGRESS_H
#define BSRSETUP_PROGRESS_H

#include "text.h"

/** bsr_progress_runs - is a resync or verify running or paused in this replication state */
bool bsr_progress_runs(const char *replication);
/**
 * bsr_progress_done - hundredths of a percent that are in sync, 0..10000, truncated; @device may be
 * NULL
 */
uint32_t bsr_progress_done(struct json_object *peer_device, struct json_object *device);
/** bsr_progress_rate - bytes a second lately, 0 when unknown */
uint64_t bsr_progress_rate(struct json_object *peer_device);
/** bsr_progress_left - bytes that still have to be copied */
uint64_t bsr_progress_left(struct json_object *peer_device);
/** bsr_progress_limited_by - the option that keeps it from being faster, "" when none does */
const char *bsr_progress_limited_by(struct json_object *peer_device);
/** bsr_progress_found - bytes that a verify under way has found to differ */
uint64_t bsr_progress_found(struct json_object *peer_device);
/** bsr_progress_add_eta - h:mm:ss until it is done at the present rate; "infinite" at rate 0 */
void bsr_progress_add_eta(struct bsr_text *out, struct json_object *peer_device);
/** bsr_progress_add_amount - @bytes in KiB; @readable: three decimals and K, M, G or T */
void bsr_progress_add_amount(struct bsr_text *out, uint64_t bytes, bool readable);

#endif
