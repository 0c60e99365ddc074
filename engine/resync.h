/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * resync.h - calls of resync.c, a part of core.h; and what resync.c and resync_bitmap.c share
 */
#ifndef BSR_ENGINE_RESYNC_H
#define BSR_ENGINE_RESYNC_H

#include "core.h"

/* ---- resync.c ---- */
void bsr_resync_begin(struct bsr_engine *e, struct bsr_peer *p, struct bsr_volume *vol, enum bsr_hs_action action);
/** bsr_resync_unchoose - what an administrator has said of the direction (invalidate-remote) holds no longer */
void bsr_resync_unchoose(struct bsr_engine *e, struct bsr_peer *p);
void bsr_resync_free_chunk(struct bsr_engine *e, struct bsr_peer_device *pd, struct bsr_chunk *c);
void bsr_resync_stop(struct bsr_engine *e, struct bsr_peer *p, struct bsr_volume *vol);
void bsr_resync_progress(struct bsr_engine *e, struct bsr_peer *p, struct bsr_volume *vol);
/**
 * bsr_resync_measure_rate - what status shows as speed, of a resync or a verify, once a second; sets the timer for the next time
 * @done_bytes: since it began
 */
void bsr_resync_measure_rate(struct bsr_engine *e, struct bsr_peer_device *pd, uint64_t done_bytes);
void bsr_resync_turn(struct bsr_engine *e, struct bsr_peer *p);
void bsr_resync_bitmap(struct bsr_engine *e, struct bsr_peer *p, const struct bsr_msg_bitmap *m);
void bsr_resync_bitmap_end(struct bsr_engine *e, struct bsr_peer *p, const struct bsr_msg_bitmap_end *m);
void bsr_resync_data(struct bsr_engine *e, struct bsr_peer *p, const struct bsr_msg_range *m, const struct bsr_ev_message *ev);
void bsr_resync_ack(struct bsr_engine *e, struct bsr_peer *p, const struct bsr_msg_range *m);
void bsr_resync_done(struct bsr_engine *e, struct bsr_peer *p, const struct bsr_msg_resync_done *m);
/** bsr_resync_clear_bits - both disks have the same there now; not believed where a write failed at either end meanwhile */
void bsr_resync_clear_bits(struct bsr_engine *e, struct bsr_peer *p, struct bsr_volume *vol, uint64_t offset, uint64_t length);
/** bsr_resync_unsure - a write of this range failed here or at the peer: nothing proves it equal until the resync is over */
void bsr_resync_unsure(struct bsr_peer_device *pd, uint64_t offset, uint64_t length);
void bsr_resync_sync_base(struct bsr_engine *e, struct bsr_peer *p, struct bsr_volume *vol, struct bsr_gi base);
/** bsr_resync_write_in_step - a Primary that is target: a write of its application is on both disks */
void bsr_resync_write_in_step(
	struct bsr_engine *e, struct bsr_peer *p, struct bsr_volume *vol, uint64_t offset, uint32_t length);
void bsr_resync_write_overtook(struct bsr_engine *e, struct bsr_peer *p, struct bsr_volume *vol, uint64_t offset, uint64_t length);
void bsr_resync_timer(struct bsr_engine *e, struct bsr_peer *p, struct bsr_volume *vol);
void bsr_resync_write_done(struct bsr_engine *e, struct bsr_peer_request *pr);

/* ---- resync_ask.c ---- */
/** bsr_resync_ask - call before-resync-source or before-resync-target; until the answer pd->ask is not 0 */
void bsr_resync_ask(struct bsr_engine *e, struct bsr_peer *p, struct bsr_volume *vol, bool source);
/** bsr_resync_answered - a handler has ended; not every one is waited for */
void bsr_resync_answered(struct bsr_engine *e, const struct bsr_ev_handler_exit *exit);

enum sync_step {
	STEP_NONE = 0,
	/* what must be durable here first; for a full sync all bits and the common base */
	STEP_SOURCE_PREPARE,
	STEP_EXCHANGE,	     /* both: bitmaps go over */
	STEP_TARGET_BITMAP,  /* merged bitmap goes to the disk */
	STEP_TARGET_RECORD,  /* the Inconsistent record does */
	STEP_RUN,
	STEP_TARGET_FLUSH,  /* cleared bits go to the disk behind the data */
	STEP_TARGET_FINISH, /* the finished record does */
	STEP_TARGET_ANSWER, /* the source has been told */
};

/** bsr_resync_weight - blocks out of sync with this peer */
uint64_t bsr_resync_weight(const struct bsr_volume *vol, const struct bsr_peer_device *pd);
/** bsr_resync_exchange_begin - my bitmap goes over, the peer's is expected */
void bsr_resync_exchange_begin(struct bsr_engine *e, struct bsr_peer_device *pd);
/** bsr_resync_send_bitmap - as much as the send queue takes now */
void bsr_resync_send_bitmap(struct bsr_engine *e, struct bsr_peer *p, struct bsr_volume *vol);

#endif
