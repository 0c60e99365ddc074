// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * mutant.c - which planted mistake is on
 */
#include "shrink.h"

#ifdef BSR_MUTANTS
#include "mutation.h"

unsigned int bsr_mutant;

bool sim_mutant_select(uint32_t number)
{
	bsr_mutant = number;
	return true;
}
#else
bool sim_mutant_select(uint32_t number)
{
	return number == 0;
}
#endif
