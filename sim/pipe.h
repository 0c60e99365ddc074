/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * pipe.h - what net.c and pipe.c share
 */
#ifndef SIM_PIPE_H
#define SIM_PIPE_H

#include "sim.h"

/** sim_pipe_arm - look at the head of the wire at @at_ns, or when it arrives if that is later */
void sim_pipe_arm(struct sim *w, struct sim_pipe *p, uint64_t at_ns);
/** sim_pipe_pump - move messages from the host's queue to the network as far as there is room */
void sim_pipe_pump(struct sim *w, struct sim_pipe *p);
void sim_pipe_drop_queue(struct sim *w, struct sim_pipe *p);
void sim_pipe_drop_wire(struct sim *w, struct sim_pipe *p);
/** sim_net_bad_message - the receiving host found a broken frame: it drops the link */
void sim_net_bad_message(struct sim *w, struct sim_link *l, uint32_t side);

#endif
