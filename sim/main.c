// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * main.c - bsr-sim: run seeds, replay one, shrink one
 */
#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "scenario.h"
#include "shrink.h"
#include "sim.h"
#include "sim_version.h"

struct totals {
	uint64_t runs, failed, events, acked, reads, crashes, compares, links;
	struct sim_coverage cov;
};

struct options {
	uint64_t first, last;
	bool hash, shrink, quiet, dump, coverage;
	uint32_t stop_after;
	uint32_t seconds;
	uint32_t lines;
	const char *scenario;
	struct sim_override over;
};

static void usage(void)
{
	fputs("usage: bsr-sim [--seed N | --seeds A..B] [options]\n"
	      "  --replay        with --seed: print the whole transcript\n"
	      "  --lines N       lines of the transcript to print after a failure (60)\n"
	      "  --hash          print a hash over all events and effects of each run\n"
	      "  --shrink        with --seed: find a smaller failing run\n"
	      "  --only A,B,..   use these faults only (none: no faults at all; see --list)\n"
	      "  --without A,..  all but these\n"
	      "  --with A,B,..   these faults in every run\n"
	      "  --protocol P    A, B or C in every run\n"
	      "  --volumes N     number of volumes\n"
	      "  --nodes N       number of nodes (2); mix: by seed\n"
	      "  --requests N    at most so many requests\n"
	      "  --acts N        at most so many actions; --drop I,J,.. leaves actions out (made by --shrink)\n"
	      "  --check         let the engine re-derive its invariants after each step (slow)\n"
	      "  --scenario FILE run a story of sim/museum/ with the seeds instead of a configuration by seed\n"
	      "  --ignore A,B,.. labels of checks to leave out (R9, I6, I16, ..)\n"
	      "  --mutant N      planted mistake (only in bsr-sim-mutants)\n"
	      "  --fail-max N    stop after so many failing seeds (1)\n"
	      "  --seconds N     stop after so many seconds\n"
	      "  --coverage      print what was reached and what was not; --dump-coverage for machines\n"
	      "  --judge-coverage  read such a dump; status 1 when something that can be reached was not\n",
		stderr);
}

static uint64_t parse_acts(const char *text)
{
	uint64_t mask = 0;
	char *copy = strdup(text);
	char *state = NULL;
	for (char *t = strtok_r(copy, ",", &state); t != NULL; t = strtok_r(NULL, ",", &state)) {
		bool known = strcmp(t, "none") == 0;
		for (uint32_t a = 0; a < SIM_ACT_COUNT; a++) {
			if (strcmp(t, sim_act_word((enum sim_act)a)) == 0) {
				mask |= 1ull << a;
				known = true;
			}
		}
		if (!known) {
			fprintf(stderr, "bsr-sim: unknown fault '%s'; --list names them\n", t);
			exit(2);
		}
	}
	free(copy);
	return mask;
}

static void parse_drop(struct sim_override *o, const char *text)
{
	char *end = NULL;
	while (*text != 0 && o->drop_count < SIM_PLAN_MAX) {
		o->drop[o->drop_count++] = (uint32_t)strtoul(text, &end, 10);
		text = *end == ',' ? end + 1 : "";
	}
}

static void parse_seeds(struct options *o, const char *text)
{
	char *end = NULL;
	o->first = strtoull(text, &end, 0);
	o->last = o->first;
	if (end[0] == '.' && end[1] == '.') {
		o->last = strtoull(end + 2, NULL, 0);
	}
}

static void list_acts(void)
{
	for (uint32_t a = 0; a < SIM_ACT_COUNT; a++) {
		puts(sim_act_word((enum sim_act)a));
	}
}

static const struct option long_options[] = {{"seed", 1, NULL, 's'}, {"seeds", 1, NULL, 's'}, {"replay", 0, NULL, 'r'},
	{"trace", 0, NULL, 'r'}, {"lines", 1, NULL, 'n'}, {"hash", 0, NULL, 'h'}, {"shrink", 0, NULL, 'x'},
	{"only", 1, NULL, 'o'}, {"without", 1, NULL, 'w'}, {"with", 1, NULL, 'W'}, {"protocol", 1, NULL, 'p'}, {"volumes", 1, NULL, 'v'}, {"nodes", 1, NULL, 'N'},
	{"requests", 1, NULL, 'q'}, {"acts", 1, NULL, 'a'}, {"drop", 1, NULL, 'd'}, {"check", 0, NULL, 'c'},
	{"mutant", 1, NULL, 'm'}, {"fail-max", 1, NULL, 'f'}, {"seconds", 1, NULL, 't'}, {"coverage", 0, NULL, 'g'},
	{"dump-coverage", 0, NULL, 'G'}, {"judge-coverage", 0, NULL, 'J'}, {"ignore", 1, NULL, 'i'}, {"list", 0, NULL, 'l'}, {"list-mutants", 0, NULL, 'L'}, {"scenario", 1, NULL, 'S'}, {NULL, 0, NULL, 0}};

static bool parse_override(struct sim_override *o, int c, const char *text)
{
	const uint32_t number = text != NULL ? (uint32_t)strtoul(text, NULL, 0) : 0;
	switch (c) {
	case 'o':
		o->acts_mask = parse_acts(text);
		return true;
	case 'w':
		o->acts_mask &= ~parse_acts(text);
		return true;
	case 'W':
		o->acts_always |= parse_acts(text);
		return true;
	case 'p':
		o->protocol = (uint32_t)(text[0] - 'A') + BSR_PROTOCOL_A;
		return true;
	case 'v':
		o->volumes = number < SIM_VOLUMES_MAX ? number : SIM_VOLUMES_MAX;
		return true;
	case 'N':
		o->nodes = strcmp(text, "mix") == 0 ? SIM_NODES_MIX : number;
		if (o->nodes != SIM_NODES_MIX && (number < 2 || number > SIM_NODES_MAX)) {
			fprintf(stderr, "bsr-sim: --nodes %s: 2..%u or mix\n", text, SIM_NODES_MAX);
			exit(2);
		}
		return true;
	case 'q':
		o->requests_max = number;
		return true;
	case 'a':
		o->plan_max = number;
		return true;
	case 'd':
		parse_drop(o, text);
		return true;
	case 'c':
		o->slow_check = true;
		return true;
	case 'i':
		o->ignore = text;
		return true;
	case 'm':
		o->mutant = number;
		return true;
	default:
		return false;
	}
}

static bool parse_options(struct options *o, int argc, char **argv)
{
	int c;
	while ((c = getopt_long(argc, argv, "", long_options, NULL)) != -1) {
		if (parse_override(&o->over, c, optarg)) {
			continue;
		}
		switch (c) {
		case 's':
			parse_seeds(o, optarg);
			break;
		case 'r':
			o->over.trace = o->over.print_all = true;
			break;
		case 'n':
			o->lines = (uint32_t)strtoul(optarg, NULL, 0);
			break;
		case 'h':
			o->hash = true;
			break;
		case 'x':
			o->shrink = true;
			break;
		case 'f':
			o->stop_after = (uint32_t)strtoul(optarg, NULL, 0);
			break;
		case 't':
			o->seconds = (uint32_t)strtoul(optarg, NULL, 0);
			break;
		case 'g':
			o->coverage = true;
			break;
		case 'G':
			o->dump = true;
			break;
		case 'S':
			o->scenario = optarg;
			break;
		case 'J':
			exit(sim_cov_judge(stdin, stdout) ? 0 : 1);
		case 'L':
			sim_mutant_list(stdout);
			exit(0);
		case 'l':
			list_acts();
			exit(0);
		default:
			return false;
		}
	}
	return true;
}

static void print_acts(uint64_t mask, const char *option, FILE *out)
{
	const char *sep = option;
	for (uint32_t a = 0; a < SIM_ACT_COUNT; a++) {
		if ((mask >> a & 1u) != 0) {
			fprintf(out, "%s%s", sep, sim_act_word((enum sim_act)a));
			sep = ",";
		}
	}
	if (mask == 0) {
		fprintf(out, "%snone", option);
	}
}

void sim_print_command(const struct sim *w, const struct sim_override *o, FILE *out)
{
	fprintf(out, "bsr-sim --seed %llu", (unsigned long long)w->cfg.seed);
	if (o->scenario != NULL) {
		fprintf(out, " --scenario %s", o->scenario->path);
	}
	if (o->acts_mask != ~0ull) {
		print_acts(o->acts_mask, " --only ", out);
	}
	if (o->acts_always != 0) {
		print_acts(o->acts_always, " --with ", out);
	}
	if (o->protocol != 0) {
		fprintf(out, " --protocol %c", 'A' + (int)o->protocol - (int)BSR_PROTOCOL_A);
	}
	if (o->volumes != 0) {
		fprintf(out, " --volumes %u", o->volumes);
	}
	if (o->nodes != 0 && o->scenario == NULL) {
		fprintf(out, " --nodes %u", w->cfg.node_count);
	}
	if (o->requests_max != 0) {
		fprintf(out, " --requests %u", o->requests_max);
	}
	if (o->plan_max != SIM_NONE) {
		fprintf(out, " --acts %u", o->plan_max);
	}
	if (o->ignore != NULL) {
		fprintf(out, " --ignore %s", o->ignore);
	}
	if (o->mutant != 0) {
		fprintf(out, " --mutant %u", o->mutant);
	}
	for (uint32_t i = 0; i < o->drop_count; i++) {
		fprintf(out, "%s%u", i == 0 ? " --drop " : ",", o->drop[i]);
	}
	fputs("\n", out);
}

/* The same run once more, now with its transcript. */
static void tell(struct sim *w, const struct options *o)
{
	struct sim_override over = o->over;
	const uint64_t seed = w->cfg.seed;
	const uint64_t hash = w->hash;
	over.trace = true;
	over.print_all = false;
	sim_run(w, seed, &over);
	printf("FAILED %s: %s\n  seed %llu, commit %s, event %llu at %.6f s of virtual time\n  replay: ", w->label, w->message,
		(unsigned long long)seed, SIM_COMMIT, (unsigned long long)w->events, (double)w->now_ns / 1e9);
	sim_print_command(w, &o->over, stdout);
	if (w->hash != hash) {
		printf("  E1: the second run took another course; the simulator or the engine is not deterministic\n");
	}
	printf("  %u nodes, protocol %c, %u volumes, %s metadata, depth %u\n", w->cfg.node_count,
		'A' + (int)w->cfg.protocol - (int)BSR_PROTOCOL_A,
		w->cfg.volume_count, w->cfg.external_md ? "external" : "internal", w->cfg.app_depth);
	uint64_t from = w->trace_count > o->lines ? w->trace_count - o->lines : 0;
	if (w->trace_count - from > SIM_TRACE_LINES) {
		from = w->trace_count - SIM_TRACE_LINES;
	}
	for (; from < w->trace_count; from++) {
		puts(w->trace[from % SIM_TRACE_LINES]);
	}
	fflush(stdout);
}

static void add_up(struct totals *t, const struct sim *w)
{
	t->runs++;
	t->failed += w->failed;
	t->events += w->events;
	t->acked += w->acked;
	t->reads += w->reads_checked;
	t->crashes += w->crashes;
	t->compares += w->compares;
	t->links += w->links_made;
	sim_cov_merge(&t->cov, &w->cov);
}

static double seconds_now(void)
{
	struct timespec ts;
	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static int run_seeds(struct sim *w, const struct options *o)
{
	static struct totals t;
	const double began = seconds_now();
	for (uint64_t seed = o->first; seed <= o->last; seed++) {
		if (o->seconds != 0 && seconds_now() - began > o->seconds) {
			break;
		}
		const bool ok = sim_run(w, seed, &o->over);
		add_up(&t, w);
		if (o->hash) {
			printf("%llu %016llx %s\n", (unsigned long long)seed, (unsigned long long)w->hash,
				ok ? "ok" : w->label);
		}
		if (!ok && o->over.print_all) {
			printf("FAILED %s: %s\n", w->label, w->message);
		} else if (!ok && !o->hash) {
			tell(w, o);
		}
		if (!ok && t.failed >= o->stop_after) {
			break;
		}
	}
	const double took = seconds_now() - began;
	printf("runs %llu failed %llu events %llu acknowledged %llu reads %llu crashes %llu links %llu comparisons %llu "
	       "seconds %.2f events/s %.0f\n",
		(unsigned long long)t.runs, (unsigned long long)t.failed, (unsigned long long)t.events,
		(unsigned long long)t.acked, (unsigned long long)t.reads, (unsigned long long)t.crashes,
		(unsigned long long)t.links, (unsigned long long)t.compares, took,
		took > 0 ? (double)t.events / took : 0);
	if (o->coverage) {
		sim_cov_print(&t.cov, stdout);
	}
	if (o->dump) {
		sim_cov_dump(&t.cov, stdout);
	}
	return t.failed == 0 ? 0 : 1;
}

int main(int argc, char **argv)
{
	static struct sim w;
	static struct options o = {.first = 1, .last = 1, .stop_after = 1, .lines = 60,
		.over = {.acts_mask = ~0ull, .plan_max = SIM_NONE}};
	if (!parse_options(&o, argc, argv)) {
		usage();
		return 2;
	}
	static struct sim_scenario scenario;
	if (o.scenario != NULL) {
		if (!sim_scenario_load(&scenario, o.scenario)) {
			return 2;
		}
		o.over.scenario = &scenario;
	}
	if (!sim_mutant_select(o.over.mutant)) {
		fprintf(stderr, "bsr-sim: this build has no planted mistake %u; use bsr-sim-mutants\n", o.over.mutant);
		return 2;
	}
	if (o.shrink) {
		return sim_shrink(&w, o.first, &o.over);
	}
	return run_seeds(&w, &o);
}
