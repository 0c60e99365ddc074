/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * connect.h - calls of attach.c, detach.c, peer.c, connect.c and live.c; included by core.h
 */
#ifndef BSR_ENGINE_CONNECT_H
#define BSR_ENGINE_CONNECT_H

/* ---- attach.c ---- */
void bsr_attach_begin(struct bsr_engine *e, struct bsr_volume *vol, const struct bsr_attach *attach, uint32_t cmd_id);
void bsr_attach_progress(struct bsr_engine *e, struct bsr_volume *vol);
/** bsr_attach_state - what the record on disk makes of it */
enum bsr_disk_state bsr_attach_state(const struct bsr_volume *vol);
/** bsr_attach_acceptable - a Primary may go on with this disk without asking anybody: it has all that was ever shown */
bool bsr_attach_acceptable(const struct bsr_engine *e, const struct bsr_volume *vol);
/** bsr_attach_take - a disk that was Negotiating takes part from now on, as @next */
void bsr_attach_take(struct bsr_engine *e, struct bsr_volume *vol, enum bsr_disk_state next);
/** bsr_attach_refuse - the disk cannot be joined with the peers' data: given back, the command fails */
void bsr_attach_refuse(struct bsr_engine *e, struct bsr_volume *vol);
void bsr_volume_free_disk(struct bsr_engine *e, struct bsr_volume *vol);

/* ---- detach.c ---- */
void bsr_detach_begin(struct bsr_engine *e, struct bsr_volume *vol, uint32_t cmd_id);
/** bsr_detach_when_confirmed - begins a detach that was asked for, when nothing is lost by it (AT-4) */
void bsr_detach_when_confirmed(struct bsr_engine *e, struct bsr_volume *vol);
/** bsr_detach_progress - of a disk that leaves */
void bsr_detach_progress(struct bsr_engine *e, struct bsr_volume *vol);
/** bsr_disk_leaves - from here on the disk takes part in nothing new; it becomes @next, in the steps of @step */
void bsr_disk_leaves(struct bsr_engine *e, struct bsr_volume *vol, enum bsr_attach_step step, enum bsr_disk_state next);
/** bsr_disk_gone - nothing is under way on it: it is given back to the host */
void bsr_disk_gone(struct bsr_engine *e, struct bsr_volume *vol);
void bsr_disk_error(struct bsr_engine *e, struct bsr_volume *vol, bool write, uint64_t offset, uint32_t length);

/* ---- connect.c: the handshake over a new link ---- */
void bsr_connect_begin(struct bsr_engine *e, struct bsr_peer *p);
void bsr_connect_hs_resource(struct bsr_engine *e, struct bsr_peer *p, const struct bsr_msg_hs_resource *m);
void bsr_connect_hs_volume(struct bsr_engine *e, struct bsr_peer *p, const struct bsr_msg_hs_volume *m);
void bsr_connect_hs_mesh(struct bsr_engine *e, struct bsr_peer *p, const struct bsr_msg_hs_mesh *m);
void bsr_connect_hs_confirm(struct bsr_engine *e, struct bsr_peer *p, const struct bsr_msg_hs_confirm *m);
/** bsr_connect_changed - something that a handshake has said holds no longer, for these volumes also over standing links:
 * it starts again */
void bsr_connect_changed(struct bsr_engine *e, uint64_t volumes);
void bsr_connect_fill_record(
	struct bsr_engine *e, struct bsr_peer *p, struct bsr_volume *vol, struct bsr_msg_hs_volume *m, bool live);
/** bsr_connect_decide_volume - from the pair of records in hs_sent and hs_volume; @live: the peer's role is the offer's */
void bsr_connect_decide_volume(struct bsr_engine *e, struct bsr_peer *p, struct bsr_volume *vol, bool live);
/** bsr_connect_establish_volume - carry out what both have decided */
void bsr_connect_establish_volume(struct bsr_engine *e, struct bsr_peer *p, struct bsr_volume *vol);
/** bsr_connect_refuse_volume - a person must decide: says so, calls the handler, gives the link up */
void bsr_connect_refuse_volume(struct bsr_engine *e, struct bsr_peer *p, struct bsr_volume *vol);
/** bsr_connect_serves - the peer's disk is UpToDate, and not older than what applications here have seen */
bool bsr_connect_serves(const struct bsr_peer *p, const struct bsr_volume *vol);
/** bsr_connect_served - the peer says that a Primary without a disk of its own lived on its disk until their link was lost */
bool bsr_connect_served(const struct bsr_peer *p, const struct bsr_volume *vol);
/** bsr_connect_can_tell - a comparison with this peer says what a restarted Primary's applications have seen */
bool bsr_connect_can_tell(const struct bsr_peer *p, const struct bsr_volume *vol);
bool bsr_connect_asks_for_a_person(enum bsr_hs_action action);

/* ---- live.c: the handshake of one volume over a link that stands ---- */
/** bsr_live_possible - the link stands and the peer can do it */
bool bsr_live_possible(const struct bsr_peer *p);
/** bsr_live_usual - ... and this node begins comparisons that way; with third nodes they need what HS_MESH says of those */
bool bsr_live_usual(const struct bsr_engine *e, const struct bsr_peer *p);
/** bsr_live_want - compare the disks of @vol with the peer's; false when that needs a new link */
bool bsr_live_want(struct bsr_engine *e, struct bsr_peer *p, struct bsr_volume *vol);
void bsr_live_progress(struct bsr_engine *e, struct bsr_peer *p, struct bsr_volume *vol);
/** bsr_live_under_way - a comparison goes on, or will as soon as a record is durable */
bool bsr_live_under_way(const struct bsr_engine *e, const struct bsr_peer *p, const struct bsr_volume *vol);
void bsr_live_forget(struct bsr_peer_device *pd);
void bsr_live_changed(struct bsr_engine *e, struct bsr_peer *p, const struct bsr_volume *vol);
void bsr_live_offer(struct bsr_engine *e, struct bsr_peer *p, const struct bsr_msg_volume_offer *m);
void bsr_live_confirm(
	struct bsr_engine *e, struct bsr_peer *p, enum bsr_stream stream, const struct bsr_msg_volume_confirm *m);

/* ---- peer.c: links ---- */
void bsr_peer_connect(struct bsr_engine *e, struct bsr_peer *p);
void bsr_peer_link_up(struct bsr_engine *e, const struct bsr_ev_link_up *up);
void bsr_peer_link_down(struct bsr_engine *e, const struct bsr_ev_link_down *down);
/** bsr_peer_drop - close the link for @reason; reconnects unless the reason says StandAlone */
void bsr_peer_drop(struct bsr_engine *e, struct bsr_peer *p, enum bsr_link_reason reason);
/** bsr_peer_refuse - close the link and stay StandAlone, because of @error */
void bsr_peer_refuse(struct bsr_engine *e, struct bsr_peer *p, enum bsr_conn_error error);
/** bsr_peer_leave - the same, but the peer goes on looking for this node */
void bsr_peer_leave(struct bsr_engine *e, struct bsr_peer *p, enum bsr_conn_error error);
/** bsr_peer_retry - close the link because of @error, look again after connect-int: ends are adjusted one by one */
void bsr_peer_retry(struct bsr_engine *e, struct bsr_peer *p, enum bsr_conn_error error);
void bsr_peer_reject(struct bsr_engine *e, struct bsr_peer *p, uint16_t msg_type);
void bsr_peer_progress(struct bsr_engine *e, struct bsr_peer *p);
void bsr_peer_timer(struct bsr_engine *e, struct bsr_peer *p);
void bsr_peer_message(struct bsr_engine *e, const struct bsr_ev_message *ev);
/** bsr_peer_renegotiate - the disk of @vol came or changed: compare it again with that of @node, BSR_NONE: with everybody's */
void bsr_peer_renegotiate(struct bsr_engine *e, struct bsr_volume *vol, uint32_t node);
/** bsr_peer_disk_changed - the peer's disk of @vol is in another state; when it went, what it may lack is noted */
void bsr_peer_disk_changed(struct bsr_engine *e, struct bsr_peer *p, struct bsr_volume *vol, enum bsr_disk_state next);
bool bsr_peer_connected(const struct bsr_peer *p);
/** bsr_peer_ping - now; unanswered within ping-timeout the peer is dropped */
void bsr_peer_ping(struct bsr_engine *e, struct bsr_peer *p);

#endif
