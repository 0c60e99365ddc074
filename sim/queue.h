/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * queue.h - the event queue
 */
#ifndef SIM_QUEUE_H
#define SIM_QUEUE_H

#include "sim.h"

void sim_queue_push(struct sim *w, const struct sim_ev *ev);
/** sim_queue_pop - the next event; false when there is none */
bool sim_queue_pop(struct sim *w, struct sim_ev *ev);

#endif
