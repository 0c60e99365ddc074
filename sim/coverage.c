// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * coverage.c - what runs have reached, and what they have not
 */
#include <string.h>

#include "sim.h"

static const char *const kind_word[SIM_COV_KIND_COUNT] = {"role", "connection", "replication", "disk", "peer-disk", "message",
	"handshake-reason", "fault", "command", "result", "effect", "event", "link-reason", "damaged"};

#define PER_RULE 40u /* handshake reasons are numbered by the hundred of their rule */

static uint32_t reason_number(uint32_t item)
{
	return item / PER_RULE * 100u + item % PER_RULE;
}

const char *sim_cov_kind_word(enum sim_cov kind)
{
	return kind_word[kind];
}

void sim_cov_hit(struct sim *w, enum sim_cov kind, uint32_t item)
{
	if (kind == SIM_COV_REASON) {
		item = item % 100u < PER_RULE ? item / 100u * PER_RULE + item % 100u : SIM_COV_ITEMS;
	}
	if (item < SIM_COV_ITEMS) {
		w->cov.count[kind][item]++;
	}
}

void sim_cov_move(struct sim *w, uint32_t kind, uint32_t from, uint32_t to)
{
	if (from < 24 && to < 24 && from != to) {
		w->cov.move[kind][from][to]++;
	}
}

void sim_cov_merge(struct sim_coverage *into, const struct sim_coverage *from)
{
	uint64_t *a = (uint64_t *)(void *)into;
	const uint64_t *b = (const uint64_t *)(const void *)from;
	for (size_t i = 0; i < sizeof(*into) / sizeof(uint64_t); i++) {
		a[i] += b[i];
	}
}

static const char *link_reason_word(uint32_t item)
{
	static const char *const word[] = {
		"closed", "silent", "bad-message", "auth", "mismatch", "admin", "peer-leaves", "renegotiate", "refused"};
	return item < 9 ? word[item] : NULL;
}

static const char *effect_word(uint32_t item)
{
	static const char *const word[] = {"disk", "metadata", "send", "complete", "buf-put", "listen-dial", "close", "handler",
		"state", "log", "command-done", "disk-gone"};
	return item < 12 ? word[item] : NULL;
}

static const char *event_word(uint32_t item)
{
	static const char *const word[] = {
		"time", "request", "disk-done", "link-up", "link-down", "message", "sent", "command", "handler-exit",
		"digest-done"};
	return item < 10 ? word[item] : NULL;
}

static const char *in_enum(const char *word, uint32_t item, uint32_t low, uint32_t high)
{
	return item >= low && item <= high ? word : NULL;
}

const char *sim_cov_word(enum sim_cov kind, uint32_t item)
{
	static char number[16];
	const char *word = NULL;
	switch (kind) {
	case SIM_COV_ROLE:
		return in_enum(bsr_role_word((enum bsr_role)item), item, BSR_ROLE_PRIMARY, BSR_ROLE_SECONDARY);
	case SIM_COV_CONN:
		return in_enum(bsr_conn_state_word((enum bsr_conn_state)item), item, 0, BSR_CONN_CONNECTED);
	case SIM_COV_REPL:
		return in_enum(bsr_repl_state_word((enum bsr_repl_state)item), item, BSR_REPL_OFF, BSR_REPL_BEHIND);
	case SIM_COV_DISK:
	case SIM_COV_PEER_DISK:
		if (kind == SIM_COV_DISK && item == BSR_DISK_UNKNOWN) {
			return NULL; /* of a peer only */
		}
		return in_enum(bsr_disk_state_word((enum bsr_disk_state)item), item, 0, BSR_DISK_UP_TO_DATE);
	case SIM_COV_MESSAGE:
	case SIM_COV_DAMAGED:
		word = bsr_msg_word((uint16_t)item);
		return word[0] == '?' || item < 32 ? NULL : word;
	case SIM_COV_ACT:
		return item < SIM_ACT_COUNT ? sim_act_word((enum sim_act)item) : NULL;
	case SIM_COV_COMMAND:
		return item < BSR_CMD_COUNT ? sim_cmd_word((enum bsr_cmd)item) : NULL;
	case SIM_COV_EFFECT:
		return effect_word(item);
	case SIM_COV_EVENT:
		return event_word(item);
	case SIM_COV_LINK_REASON:
		return link_reason_word(item);
	case SIM_COV_REASON: {
		const char *sentence = "";
		const char *remedy = "";
		bsr_engine_explain((uint16_t)reason_number(item), &sentence, &remedy);
		snprintf(number, sizeof(number), "%u", reason_number(item));
		return sentence[0] != 0 && item != 0 ? number : NULL;
	}
	case SIM_COV_RESULT:
	case SIM_COV_KIND_COUNT:
		break;
	}
	return NULL;
}

static void print_kind(const struct sim_coverage *c, enum sim_cov kind, FILE *out)
{
	fprintf(out, "%-17s", kind_word[kind]);
	for (uint32_t i = 0; i < SIM_COV_ITEMS; i++) {
		const char *word = sim_cov_word(kind, i);
		if (word != NULL && c->count[kind][i] != 0) {
			fprintf(out, " %s:%llu", word, (unsigned long long)c->count[kind][i]);
		}
	}
	fputs("\n", out);
	bool any = false;
	for (uint32_t i = 0; i < SIM_COV_ITEMS; i++) {
		const char *word = sim_cov_word(kind, i);
		if (word != NULL && c->count[kind][i] == 0) {
			fprintf(out, "%s %s", any ? "" : "  never reached:", word);
			any = true;
		}
	}
	if (any) {
		fputs("\n", out);
	}
}

const char *sim_cov_move_word(uint32_t kind, uint32_t state)
{
	if (kind == 0) {
		return bsr_conn_state_word((enum bsr_conn_state)state);
	}
	if (kind == 1) {
		return bsr_repl_state_word((enum bsr_repl_state)state);
	}
	return bsr_disk_state_word((enum bsr_disk_state)state);
}

static void print_moves(const struct sim_coverage *c, FILE *out)
{
	static const char *const word[4] = {"connection", "replication", "disk", "peer-disk"};
	for (uint32_t k = 0; k < 4; k++) {
		fprintf(out, "%s moves:", word[k]);
		for (uint32_t f = 0; f < 24; f++) {
			for (uint32_t t = 0; t < 24; t++) {
				if (c->move[k][f][t] != 0) {
					fprintf(out, " %s>", sim_cov_move_word(k, f));
					fprintf(out, "%s:%llu", sim_cov_move_word(k, t), (unsigned long long)c->move[k][f][t]);
				}
			}
		}
		fputs("\n", out);
	}
}

void sim_cov_print(const struct sim_coverage *c, FILE *out)
{
	for (uint32_t k = 0; k < SIM_COV_KIND_COUNT; k++) {
		if (k != SIM_COV_RESULT) {
			print_kind(c, (enum sim_cov)k, out);
		}
	}
	print_moves(c, out);
	fputs("command results (ok/refused/lost):", out);
	for (uint32_t i = 0; i < BSR_CMD_COUNT; i++) {
		fprintf(out, " %s:%llu/%llu/%llu", sim_cmd_word((enum bsr_cmd)i), (unsigned long long)c->result[i][0],
			(unsigned long long)c->result[i][1], (unsigned long long)c->result[i][2]);
	}
	fputs("\nfault pairs never met:", out);
	uint32_t missing = 0;
	for (uint32_t a = 0; a < SIM_ACT_COUNT; a++) {
		for (uint32_t b = a + 1; b < SIM_ACT_COUNT; b++) {
			const bool both = c->count[SIM_COV_ACT][a] != 0 && c->count[SIM_COV_ACT][b] != 0;
			if (both && c->pair[a][b] + c->pair[b][a] == 0) {
				missing++;
				if (missing <= 20) {
					fprintf(out, " %s+%s", sim_act_word((enum sim_act)a), sim_act_word((enum sim_act)b));
				}
			}
		}
	}
	fprintf(out, " (%u)\n", missing);
}

void sim_cov_dump(const struct sim_coverage *c, FILE *out)
{
	const uint64_t *v = (const uint64_t *)(const void *)c;
	fputs("coverage", out);
	for (size_t i = 0; i < sizeof(*c) / sizeof(uint64_t); i++) {
		if (v[i] != 0) {
			fprintf(out, " %zu:%llu", i, (unsigned long long)v[i]);
		}
	}
	fputs("\n", out);
}
