/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * mutation.h - places where the simulator's second build of the engine makes a known mistake on
 * purpose
 *
 * BSR_MUTATION(n) is 0 in every build but that one. Numbers and the field bugs they imitate:
 * sim/mutants.def.
 */
#ifndef BSR_ENGINE_MUTATION_H
#define BSR_ENGINE_MUTATION_H

#ifdef BSR_MUTANTS
extern unsigned int bsr_mutant; /* the mistake to make; 0 = none; the simulator's */
#define BSR_MUTATION(n) (bsr_mutant == (n))
#else
#define BSR_MUTATION(n) (0)
#endif

#endif
