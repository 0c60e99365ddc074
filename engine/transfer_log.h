/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * transfer_log.h - calls of transfer_log.c; included by core.h
 */
#ifndef BSR_ENGINE_TRANSFER_LOG_H
#define BSR_ENGINE_TRANSFER_LOG_H

uint64_t bsr_log_append(struct bsr_engine *e, struct bsr_request *rq);
void bsr_log_complete(struct bsr_engine *e, uint64_t index);
void bsr_log_local_failed(struct bsr_engine *e, uint64_t index);
/** bsr_log_forget_pins - the volume's activity log has gone with its disk */
void bsr_log_forget_pins(struct bsr_engine *e, const struct bsr_volume *vol);
void bsr_log_advance(struct bsr_engine *e);
void bsr_log_peer_lost(struct bsr_engine *e, struct bsr_peer *p);
/** bsr_log_awaits_checkpoint - writes to the volume, answered or not, that the peer has not confirmed with a checkpoint */
bool bsr_log_awaits_checkpoint(struct bsr_engine *e, const struct bsr_peer *p, const struct bsr_volume *vol);
/** bsr_log_note_unconfirmed - the peer is lost: does it take acknowledged writes with it that are nowhere else for sure? */
void bsr_log_note_unconfirmed(struct bsr_engine *e, struct bsr_peer *p, const struct bsr_volume *vol);
/** bsr_log_mark_volume - the peer's disk of one volume is lost: the same for its writes */
void bsr_log_mark_volume(struct bsr_engine *e, struct bsr_peer *p, struct bsr_volume *vol);
/** bsr_log_holds_all - what the peer had missed of a volume it has now: it counts as holder of every logged write */
void bsr_log_holds_all(struct bsr_engine *e, const struct bsr_peer *p, const struct bsr_volume *vol);
bool bsr_log_full(const struct bsr_engine *e);
/** bsr_log_checkpoint - ask the peer to make everything sent so far stable; true when one is on its way or needless */
bool bsr_log_checkpoint(struct bsr_engine *e, struct bsr_peer *p, bool barrier);
/** bsr_log_checkpoint_behind - one that is sent after everything so far, whatever is under way; returns what it covers */
uint64_t bsr_log_checkpoint_behind(struct bsr_engine *e, struct bsr_peer *p);
void bsr_log_checkpoint_ack(struct bsr_engine *e, struct bsr_peer *p, const struct bsr_msg_checkpoint *m);
void bsr_log_timer(struct bsr_engine *e, struct bsr_peer *p);
bool bsr_log_peer_clean(const struct bsr_engine *e, const struct bsr_peer *p);
/** bsr_log_confirmed - peers with a good disk of @vol have confirmed all that was acknowledged; those that have not are asked */
bool bsr_log_confirmed(struct bsr_engine *e, struct bsr_volume *vol);

#endif
