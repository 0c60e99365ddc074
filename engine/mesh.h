/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * mesh.h - calls of heard.c and mesh.c: what three and more nodes need; a part of core.h
 */
#ifndef BSR_ENGINE_MESH_H
#define BSR_ENGINE_MESH_H

#include "core.h"

/* ---- generation.c ---- */
/** bsr_gi_mine - the generation in which my writes are acknowledged */
struct bsr_gi bsr_gi_mine(const struct bsr_engine *e, const struct bsr_volume *vol);
/** bsr_gi_adopt - a Primary begins this generation and I take part */
void bsr_gi_adopt(struct bsr_engine *e, struct bsr_volume *vol, struct bsr_gi current, uint32_t except_mask);
/** bsr_gi_show_other - a peer that is coming lacks some of what I, without a good disk, have shown: another generation, without it */
void bsr_gi_show_other(struct bsr_engine *e, struct bsr_volume *vol);
/** bsr_gi_want_after_restart - a Primary without a disk knows what was shown again, but not who else is in that generation */
void bsr_gi_want_after_restart(struct bsr_engine *e, struct bsr_volume *vol);
/** bsr_gi_await_record - my disk has just become worse, or good: no write is acknowledged before that is on record, or the disk gone */
void bsr_gi_await_record(struct bsr_engine *e, struct bsr_volume *vol);
/** bsr_gi_tell - peers hear of the generation that is being made */
void bsr_gi_tell(struct bsr_engine *e, struct bsr_volume *vol);
/** bsr_gi_declare_equal - by an administrator's word: no bits, no bases, this generation, UpToDate */
void bsr_gi_declare_equal(struct bsr_engine *e, struct bsr_volume *vol, struct bsr_gi current);
/** bsr_gi_in_step - nodes that get every write and lack none */
uint32_t bsr_gi_in_step(const struct bsr_engine *e, const struct bsr_volume *vol);
/** bsr_gi_taking_part - these, and who is just taking over the generation that is being made */
uint32_t bsr_gi_taking_part(const struct bsr_engine *e, const struct bsr_volume *vol);
/** bsr_gi_may_have_current - nodes whose disks may be in my generation */
uint32_t bsr_gi_may_have_current(const struct bsr_engine *e, const struct bsr_volume *vol);

/** A write of a peer that other peers may lack (heard.c). */
struct bsr_heard {
	uint64_t offset;
	uint64_t id; /* the sender's write_seq */
	uint32_t length;
	uint16_t volume;
	uint8_t node; /* the sender */
	bool pinned; /* holds its extents in the activity log */
};

/* ---- heard.c: peers' writes that other peers may lack ---- */
/** bsr_heard_third - nodes with bitmap slots here, other than the sender */
static inline uint32_t bsr_heard_third(const struct bsr_peer *p, const struct bsr_volume *vol)
{
	return vol->owners & ~(1u << p->node_id);
}
void bsr_heard_add(struct bsr_engine *e, struct bsr_peer_request *pr);
/** bsr_heard_pin - false: the write waits in vol->al_waiting_peers until its extents are in the activity log */
bool bsr_heard_pin(struct bsr_engine *e, struct bsr_peer_request *pr);
void bsr_heard_al_progress(struct bsr_engine *e, struct bsr_volume *vol);
void bsr_heard_finished(struct bsr_engine *e, struct bsr_peer_request *pr);
/** bsr_heard_must_wait - that the peer writes here is not on record yet, or, when it has no disk, that it lacks this */
bool bsr_heard_must_wait(
	const struct bsr_engine *e, const struct bsr_peer *p, const struct bsr_volume *vol, uint8_t write_flags);
void bsr_heard_peer_ack(struct bsr_engine *e, struct bsr_peer *p, uint64_t upto, uint32_t holders);
/** bsr_heard_peer_lost - its unconfirmed writes become bits toward everybody else (HE-1) */
void bsr_heard_peer_lost(struct bsr_engine *e, struct bsr_peer *p);
/** bsr_heard_volume_leaves - the same for one volume whose disk goes */
void bsr_heard_volume_leaves(struct bsr_engine *e, struct bsr_volume *vol);
/** bsr_heard_unconfirmed - the range was written by a node other than @p, and @p may lack it; looks through the whole ring */
bool bsr_heard_unconfirmed(
	const struct bsr_engine *e, const struct bsr_peer *p, const struct bsr_volume *vol, uint64_t offset, uint64_t length);
void bsr_heard_progress(struct bsr_engine *e, struct bsr_peer *p, struct bsr_volume *vol);

/* ---- mesh.c: what nodes tell each other about third ones ---- */
/** bsr_mesh_on - there are third nodes, or were: more than one peer at a time */
bool bsr_mesh_on(const struct bsr_engine *e);
void bsr_mesh_fill(struct bsr_engine *e, struct bsr_peer *p, struct bsr_msg_hs_mesh *m);
void bsr_mesh_established(struct bsr_engine *e, struct bsr_peer *p);
void bsr_mesh_peer_lost(struct bsr_engine *e, struct bsr_peer *p);
void bsr_mesh_receive(struct bsr_engine *e, struct bsr_peer *p, const struct bsr_msg_mesh *m);
void bsr_mesh_progress(struct bsr_engine *e);
void bsr_mesh_timer(struct bsr_engine *e);
/** bsr_mesh_left_log - every peer has confirmed this write: its peers are told who has it */
void bsr_mesh_left_log(struct bsr_engine *e, uint64_t index, uint32_t holders);
void bsr_mesh_send_acks(struct bsr_engine *e);
/** bsr_mesh_target_begins - I become a target of @p: everything that may be overwritten differs from third nodes (MS-1) */
void bsr_mesh_target_begins(struct bsr_engine *e, struct bsr_peer *p, struct bsr_volume *vol);
/** bsr_mesh_mark_thirds - the bits toward @p become bits toward everybody, before the first block is overwritten (MS-1) */
void bsr_mesh_mark_thirds(struct bsr_engine *e, struct bsr_peer *p, struct bsr_volume *vol);
/** bsr_mesh_keep_bases - my generation changes: third nodes have at least the one that ends (MS-2) */
void bsr_mesh_keep_bases(struct bsr_engine *e, struct bsr_volume *vol, struct bsr_gi old, uint32_t except_mask);
/** bsr_mesh_take_history - I have become a copy of @p: what it has gone through I have, too, whoever asks for it */
void bsr_mesh_take_history(struct bsr_engine *e, struct bsr_peer *p, struct bsr_volume *vol);
/** bsr_mesh_elsewhere - a Primary is connected to the other one of two Secondaries, or to me: it is the source, not we */
bool bsr_mesh_elsewhere(const struct bsr_engine *e, const struct bsr_peer *p);
/** bsr_mesh_other_generation - I am Primary, and a peer with a disk is connected without resync in another generation than I write in */
bool bsr_mesh_other_generation(const struct bsr_engine *e, const struct bsr_peer *p, const struct bsr_volume *vol);
/** bsr_mesh_promoted - shake hands with such peers */
void bsr_mesh_promoted(struct bsr_engine *e);
/** bsr_mesh_doubt_others - before a promotion: who is connected and not in step counts as one that may be (MS-2) */
void bsr_mesh_doubt_others(struct bsr_engine *e, struct bsr_volume *vol);
/** bsr_mesh_settling - a promotion waits: some peer and I must equalise first, or one is about to come back */
bool bsr_mesh_settling(struct bsr_engine *e);
/** bsr_mesh_owed - the pair differs, and nobody else will settle it */
bool bsr_mesh_owed(struct bsr_engine *e, const struct bsr_peer *p, const struct bsr_volume *vol);
/** bsr_mesh_is_target - a node other than @except resyncs this disk, or is to do so as an administrator has said */
bool bsr_mesh_is_target(const struct bsr_engine *e, const struct bsr_volume *vol, uint32_t except);
/** bsr_mesh_missed_write - @p lacks a write, and I have no bitmap to note that: it does not count any more */
void bsr_mesh_missed_write(struct bsr_engine *e, struct bsr_peer *p, struct bsr_volume *vol);
/** bsr_mesh_ask_again - who is in sync? Something here is marked toward a node that others may know to be equal */
void bsr_mesh_ask_again(struct bsr_engine *e);
void bsr_mesh_tell_generation(struct bsr_engine *e, struct bsr_volume *vol);

#endif
