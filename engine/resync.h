/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * resync.h - what resync.c and resync_bitmap.c share
 */
#ifndef BSR_ENGINE_RESYNC_H
#define BSR_ENGINE_RESYNC_H

#include "core.h"

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
