/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * net.h - links between nodes, their streams, and what travels on them
 */
#ifndef SIM_NET_H
#define SIM_NET_H

#include <bsr/engine.h>
#include <bsr/wire.h>

struct sim;

struct sim_msg {
	struct sim_msg *next;
	uint8_t *head;
	uint32_t *stamps;
	uint32_t head_bytes;
	uint32_t payload_bytes;
	uint64_t arrives_ns;
	bool corrupt;
};

struct sim_link;
/** One direction of one stream of one link. */
struct sim_pipe {
	struct sim_link *link;
	uint8_t from; /* side */
	uint8_t stream;
	bool paused;	 /* the receiver does not take more now */
	uint32_t may_receive; /* messages before the receiver is asked again */
	bool armed;	 /* a SIM_EV_PIPE is under way */
	bool sent_armed; /* a SIM_EV_SENT is under way */
	bool frozen;	 /* this stream alone is silently dead */
	uint64_t send_sequence;
	uint64_t receive_sequence;
	uint64_t queued_bytes;
	uint64_t wire_bytes;
	uint64_t sent_bytes; /* not yet reported */
	uint64_t busy_until_ns;
	uint64_t last_arrival_ns;
	struct sim_msg *queue_first, *queue_last;
	struct sim_msg *wire_first, *wire_last;
};

enum sim_side_state { SIM_SIDE_COMING, SIM_SIDE_UP, SIM_SIDE_DRAINING, SIM_SIDE_GONE };

struct sim_link {
	struct sim_link *next;
	uint32_t node[2];
	uint32_t incarnation[2];
	uint32_t engine_link[2];
	enum sim_side_state state[2];
	bool down_armed[2];
	bool resolver[2];
	bool reset;
	uint64_t drain_until_ns;
	struct sim_pipe pipe[2][BSR_STREAM_COUNT]; /* [sending side][stream] */
};

/** What a node wants of one peer. */
struct sim_dial {
	bool wanted;
	uint32_t link;
	uint64_t not_before_ns;
};

void sim_net_dial(struct sim *w, uint32_t node, const struct bsr_fx_link *fx);
void sim_net_close(struct sim *w, uint32_t node, const struct bsr_fx_link *fx);
void sim_net_send(struct sim *w, uint32_t node, const struct bsr_fx_send *fx, const uint8_t *head);
void sim_net_on_pipe(struct sim *w, struct sim_pipe *p);
void sim_net_on_sent(struct sim *w, struct sim_pipe *p);
void sim_net_on_connect(struct sim *w, uint32_t a, uint32_t b);
void sim_net_on_up(struct sim *w, struct sim_link *l, uint32_t side);
void sim_net_on_down(struct sim *w, struct sim_link *l, uint32_t side, enum bsr_link_reason reason);
/** sim_net_reset - an established link breaks: a prefix of what is on the way still arrives */
void sim_net_reset(struct sim *w, uint32_t a, uint32_t b);
/** sim_net_set_blocked - packets from @a to @b vanish, or travel again */
void sim_net_set_blocked(struct sim *w, uint32_t a, uint32_t b, bool blocked);
void sim_net_node_gone(struct sim *w, uint32_t node, bool power_cut);
void sim_net_node_booted(struct sim *w, uint32_t node);
/** sim_net_poll - after a step: streams that may be read again */
void sim_net_poll(struct sim *w, uint32_t node);
bool sim_net_idle(const struct sim *w);
struct sim_link *sim_net_link(struct sim *w, uint32_t a, uint32_t b);
void sim_net_thaw_streams(struct sim *w, uint32_t a, uint32_t b);
void sim_net_freeze_stream(struct sim *w, uint32_t a, uint32_t b, uint32_t stream);

#endif
