// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * judge.c - has everything been reached that can be? For continuous integration
 *
 * Items, moves between states that the engine's diagrams allow, and pairs of faults. What need not be reached is named
 * with its reason in unreached.def: a feature to come, a state of other systems, or chance.
 */
#include <stdlib.h>
#include <string.h>

#include "sim.h"
#include "state.h"

static const struct {
	const char *kind;
	const char *word;
} excused[] = {
#define SIM_UNREACHED(kind, word, why) {kind, word},
#include "unreached.def"
#undef SIM_UNREACHED
};

static bool is_excused(const char *kind, const char *word)
{
	for (uint32_t i = 0; i < sizeof(excused) / sizeof(excused[0]); i++) {
		if (strcmp(excused[i].kind, kind) == 0 && strcmp(excused[i].word, word) == 0) {
			return true;
		}
	}
	return false;
}

static void read_dump(struct sim_coverage *c, FILE *in)
{
	unsigned long long at;
	unsigned long long count;
	uint64_t *v = (uint64_t *)(void *)c;
	if (fscanf(in, " coverage") < 0) {
		return;
	}
	while (fscanf(in, " %llu:%llu", &at, &count) == 2) {
		if (at < sizeof(*c) / sizeof(uint64_t)) {
			v[at] += count;
		}
	}
}

static uint32_t judge_items(const struct sim_coverage *c, FILE *out)
{
	uint32_t missing = 0;
	for (uint32_t k = 0; k < SIM_COV_KIND_COUNT; k++) {
		for (uint32_t i = 0; i < SIM_COV_ITEMS; i++) {
			const char *word = sim_cov_word((enum sim_cov)k, i);
			const char *kind = sim_cov_kind_word((enum sim_cov)k);
			if (word != NULL && c->count[k][i] == 0 && !is_excused(kind, word)) {
				fprintf(out, "never reached: %s %s\n", kind, word);
				missing++;
			}
		}
	}
	return missing;
}

static uint32_t judge_moves(const struct sim_coverage *c, FILE *out)
{
	static const char *const kind[3] = {"connection-move", "replication-move", "disk-move"};
	uint32_t missing = 0;
	for (uint32_t k = 0; k < 3; k++) {
		for (uint32_t f = 0; f < 24; f++) {
			for (uint32_t t = 0; t < 24; t++) {
				char move[64];
				const size_t n = (size_t)snprintf(move, sizeof(move), "%s>", sim_cov_move_word(k, f));
				snprintf(move + n, sizeof(move) - n, "%s", sim_cov_move_word(k, t));
				const bool legal = (bsr_state_arrows((enum bsr_state_diagram)k, f) >> t & 1u) != 0;
				if (legal && f != t && c->move[k][f][t] == 0 && !is_excused(kind[k], move)) {
					fprintf(out, "never reached: %s %s\n", kind[k], move);
					missing++;
				}
			}
		}
	}
	return missing;
}

static uint32_t judge_pairs(const struct sim_coverage *c, FILE *out)
{
	uint32_t missing = 0;
	for (uint32_t a = 0; a < SIM_ACT_COUNT; a++) {
		for (uint32_t b = a + 1; b < SIM_ACT_COUNT; b++) {
			if (c->pair[a][b] == 0) {
				fprintf(out, "never reached: faults %s and %s in one run\n", sim_act_word((enum sim_act)a),
					sim_act_word((enum sim_act)b));
				missing++;
			}
		}
	}
	return missing;
}

bool sim_cov_judge(FILE *in, FILE *out)
{
	static struct sim_coverage c;
	read_dump(&c, in);
	return judge_items(&c, out) + judge_moves(&c, out) + judge_pairs(&c, out) == 0;
}
