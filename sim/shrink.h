/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * shrink.h - a failing run made small, and how to name it
 */
#ifndef SIM_SHRINK_H
#define SIM_SHRINK_H

#include "sim.h"

/** sim_shrink - leave out actions and requests while the same invariant breaks; prints the story; 1 when it fails */
int sim_shrink(struct sim *w, uint64_t seed, const struct sim_override *over);
/** sim_print_command - the command that replays a run */
void sim_print_command(const struct sim *w, const struct sim_override *o, FILE *out);
/** sim_mutant_select - plant mistake @number (0 = none); false when this build has none */
bool sim_mutant_select(uint32_t number);
void sim_mutant_list(FILE *out);

#endif
