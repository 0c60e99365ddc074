// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * mutant.c - which planted mistake is on
 */
#include "shrink.h"

#ifdef BSR_MUTANTS
#include "mutation.h"

unsigned int bsr_mutant;

/* a number that two mistakes have is a member that two members have: the compiler refuses it */
struct numbers_are_unique {
#define SIM_MUTANT(n, name, story) char mistake_##n;
#include "mutants.def"
#undef SIM_MUTANT
};

static const struct {
	uint32_t number;
	const char *name;
	const char *story;
} mutant[] = {
#define SIM_MUTANT(n, name, story) {n, name, story},
#include "mutants.def"
#undef SIM_MUTANT
};

bool sim_mutant_select(uint32_t number)
{
	bsr_mutant = number;
	for (uint32_t i = 0; i < sizeof(mutant) / sizeof(mutant[0]); i++) {
		if (mutant[i].number == number) {
			return true;
		}
	}
	return number == 0;
}

void sim_mutant_list(FILE *out)
{
	for (uint32_t i = 0; i < sizeof(mutant) / sizeof(mutant[0]); i++) {
		fprintf(out, "%u %s: %s\n", mutant[i].number, mutant[i].name, mutant[i].story);
	}
}
#else
bool sim_mutant_select(uint32_t number)
{
	return number == 0;
}

void sim_mutant_list(FILE *out)
{
	(void)out;
}
#endif
