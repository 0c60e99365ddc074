// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * scenario.c - named stories for the museum: a text file with set-up, actions and expected end
 *
 * Format: sim/museum/README. All invariants are checked as in any run; the file adds what this story must end with.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "scenario.h"

struct reader {
	const char *path;
	uint32_t line;
	struct sim_scenario *s;
};

static bool complain(const struct reader *r, const char *what, const char *word)
{
	fprintf(stderr, "%s:%u: %s '%s'\n", r->path, r->line, what, word);
	return false;
}

static bool parse_time(const char *text, uint64_t *ns)
{
	char *end = NULL;
	const double v = strtod(text, &end);
	if (strcmp(end, "us") == 0) {
		*ns = (uint64_t)(v * 1e3);
	} else if (strcmp(end, "ms") == 0) {
		*ns = (uint64_t)(v * 1e6);
	} else if (strcmp(end, "s") == 0) {
		*ns = (uint64_t)(v * 1e9);
	} else {
		return false;
	}
	return v >= 0;
}

static bool parse_at(const struct reader *r, char *rest)
{
	struct sim_scenario *s = r->s;
	struct sim_action *a = &s->action[s->action_count];
	char *state = NULL;
	char *when = strtok_r(rest, " \t", &state);
	char *what = strtok_r(NULL, " \t", &state);
	if (s->action_count == SIM_PLAN_MAX || when == NULL || what == NULL) {
		return complain(r, "at TIME ACTION [node=N] [peer=N] [volume=N] [for=TIME] [arg=N], not", rest);
	}
	if (!parse_time(when, &a->at_ns)) {
		return complain(r, "a time ends in us, ms or s:", when);
	}
	a->act = SIM_ACT_COUNT;
	a->peer = SIM_NONE;
	for (uint32_t i = 0; i < SIM_ACT_COUNT; i++) {
		if (strcmp(what, sim_act_word((enum sim_act)i)) == 0) {
			a->act = (enum sim_act)i;
		}
	}
	if (a->act == SIM_ACT_COUNT) {
		return complain(r, "unknown action", what);
	}
	for (char *t = strtok_r(NULL, " \t", &state); t != NULL; t = strtok_r(NULL, " \t", &state)) {
		if (strncmp(t, "node=", 5) == 0) {
			a->node = (uint32_t)strtoul(t + 5, NULL, 0);
		} else if (strncmp(t, "peer=", 5) == 0) {
			a->peer = (uint32_t)strtoul(t + 5, NULL, 0);
		} else if (strncmp(t, "volume=", 7) == 0) {
			a->volume = (uint32_t)strtoul(t + 7, NULL, 0);
		} else if (strncmp(t, "arg=", 4) == 0) {
			a->argument = (uint32_t)strtoul(t + 4, NULL, 0);
		} else if (strncmp(t, "for=", 4) != 0 || !parse_time(t + 4, &a->duration_ns)) {
			return complain(r, "unknown parameter", t);
		}
	}
	if (a->node >= s->nodes || a->volume >= SIM_VOLUMES_MAX || (a->peer != SIM_NONE && (a->peer >= s->nodes || a->peer == a->node))) {
		return complain(r, "no such node, peer or volume (set nodes N comes first) in", what);
	}
	s->action_count++;
	return true;
}

static bool parse_expect(const struct reader *r, char *rest)
{
	struct sim_scenario *s = r->s;
	char *state = NULL;
	char *what = strtok_r(rest, " \t", &state);
	char *value = strtok_r(NULL, " \t", &state);
	const uint64_t number = value != NULL ? strtoull(value, NULL, 0) : 0;
	if (what != NULL && strcmp(what, "split-brain") == 0) {
		s->expect_split_brain = true;
	} else if (what != NULL && strcmp(what, "found") == 0) {
		s->expect_found = true;
	} else if (what != NULL && strcmp(what, "any-split-brain") == 0) {
		s->any_split_brain = true;
	} else if (what != NULL && value != NULL && strcmp(what, "primary") == 0) {
		s->expect_primary = (uint32_t)number;
	} else if (what != NULL && value != NULL && strcmp(what, "source") == 0) {
		s->expect_source = (uint32_t)number;
	} else if (what != NULL && value != NULL && strcmp(what, "acknowledged-at-least") == 0) {
		s->acked_least = number;
	} else if (what != NULL && value != NULL && strcmp(what, "resync-at-most") == 0) {
		s->resync_most_bytes = number;
	} else if (what != NULL && value != NULL && strcmp(what, "resync-at-least") == 0) {
		s->resync_least_bytes = number;
	} else if (what != NULL && value != NULL && (strcmp(what, "refused") == 0 || strcmp(what, "done") == 0)) {
		for (uint32_t c = 0; c < BSR_CMD_COUNT; c++) {
			if (strcmp(value, sim_cmd_word((enum bsr_cmd)c)) == 0) {
				*(what[0] == 'r' ? &s->expect_refused : &s->expect_done) |= 1u << c;
				return true;
			}
		}
		return complain(r, "unknown command", value);
	} else {
		return complain(r, "unknown expectation", what != NULL ? what : "");
	}
	return true;
}

static bool parse_policy(const struct reader *r, uint32_t primaries, const char *value)
{
	static const char *const word[] = {"disconnect", "discard-younger-primary", "discard-older-primary", "discard-zero-changes",
		"discard-least-changes", "discard-local", "discard-remote", "consensus", "discard-secondary", "call-pri-lost-after-sb"};
	for (uint32_t i = 0; i < sizeof(word) / sizeof(word[0]); i++) {
		if (strcmp(value, word[i]) == 0) {
			r->s->after_sb[primaries] = 1u + i;
			return true;
		}
	}
	return complain(r, "unknown policy", value);
}

static bool parse_set(const struct reader *r, char *rest)
{
	static const struct {
		const char *name;
		size_t offset;
	} number[] = {
		{"nodes", offsetof(struct sim_scenario, nodes)},
		{"volumes", offsetof(struct sim_scenario, volumes)},
		{"later-volumes", offsetof(struct sim_scenario, later)},
		{"mib", offsetof(struct sim_scenario, mib)},
		{"requests", offsetof(struct sim_scenario, requests)},
		{"depth", offsetof(struct sim_scenario, depth)},
		{"reads", offsetof(struct sim_scenario, read_pm)},
		{"flushes", offsetof(struct sim_scenario, flush_pm)},
		{"zeroes", offsetof(struct sim_scenario, zero_pm)},
		{"spots", offsetof(struct sim_scenario, spots)},
		{"resync-kib", offsetof(struct sim_scenario, resync_kib)},
		{"write-through", offsetof(struct sim_scenario, write_through)},
		{"larger-node", offsetof(struct sim_scenario, larger_node)},
	};
	char *state = NULL;
	char *what = strtok_r(rest, " \t", &state);
	char *value = strtok_r(NULL, " \t", &state);
	if (what == NULL || value == NULL) {
		return complain(r, "set NAME VALUE, not", rest);
	}
	for (uint32_t i = 0; i < sizeof(number) / sizeof(number[0]); i++) {
		if (strcmp(what, number[i].name) == 0) {
			*(uint32_t *)(void *)((uint8_t *)r->s + number[i].offset) = (uint32_t)strtoul(value, NULL, 0);
			return true;
		}
	}
	if (strcmp(what, "protocol") == 0 && value[0] >= 'A' && value[0] <= 'C') {
		r->s->protocol = (uint32_t)(value[0] - 'A') + BSR_PROTOCOL_A;
	} else if (strcmp(what, "initial-sync") == 0) {
		r->s->full_sync = strcmp(value, "full") == 0;
	} else if (strcmp(what, "on-io-error") == 0) {
		r->s->on_io_error = 1u + (uint32_t)(strcmp(value, "detach") == 0	? BSR_IO_ERROR_DETACH
						    : strcmp(value, "pass_on") == 0 ? BSR_IO_ERROR_PASS_ON
										    : BSR_IO_ERROR_PASSTHROUGH);
	} else if (strcmp(what, "disk-flushes") == 0) {
		r->s->no_flushes = strcmp(value, "no") == 0;
	} else if (strncmp(what, "after-sb-", 9) == 0 && what[9] >= '0' && what[9] <= '2' && strcmp(what + 10, "pri") == 0) {
		return parse_policy(r, (uint32_t)(what[9] - '0'), value);
	} else if (strcmp(what, "journal") == 0) {
		r->s->journal = strcmp(value, "yes") == 0;
	} else if (strcmp(what, "older-engines") == 0) {
		r->s->older = strcmp(value, "no") == 0 ? 1u : 2u;
	} else if (strcmp(what, "length") == 0) {
		return parse_time(value, &r->s->fault_ns) || complain(r, "not a time:", value);
	} else {
		return complain(r, "unknown setting", what);
	}
	return true;
}

static bool parse_line(struct reader *r, char *line)
{
	char *end = line + strcspn(line, "#\r\n");
	while (end > line && (end[-1] == ' ' || end[-1] == '\t')) {
		end--;
	}
	*end = 0;
	line += strspn(line, " \t");
	if (*line == 0) {
		return true;
	}
	char *rest = line + strcspn(line, " \t");
	if (*rest != 0) {
		*rest++ = 0;
	}
	if (strcmp(line, "story") == 0) {
		snprintf(r->s->story, sizeof(r->s->story), "%.*s", (int)sizeof(r->s->story) - 1, rest);
		return true;
	}
	if (strcmp(line, "at") == 0) {
		return parse_at(r, rest);
	}
	if (strcmp(line, "expect") == 0) {
		return parse_expect(r, rest);
	}
	if (strcmp(line, "set") == 0) {
		return parse_set(r, rest);
	}
	return complain(r, "unknown keyword", line);
}

bool sim_scenario_load(struct sim_scenario *s, const char *path)
{
	struct reader r = {.path = path, .s = s};
	char line[512];
	FILE *f = fopen(path, "r");
	if (f == NULL) {
		fprintf(stderr, "bsr-sim: %s: %s\n", path, strerror(errno));
		return false;
	}
	*s = (struct sim_scenario){
		.nodes = 2, .volumes = 1, .mib = 8, .requests = 300, .depth = 8, .read_pm = 200, .write_through = 1, .protocol = BSR_PROTOCOL_C,
		.fault_ns = 10u * SIM_S, .expect_primary = SIM_NONE, .expect_source = SIM_NONE, .larger_node = SIM_NONE, .resync_most_bytes = UINT64_MAX};
	snprintf(s->path, sizeof(s->path), "%.*s", (int)sizeof(s->path) - 1, path);
	bool ok = true;
	while (ok && fgets(line, sizeof(line), f) != NULL) {
		r.line++;
		ok = parse_line(&r, line);
	}
	fclose(f);
	return ok;
}

void sim_scenario_configure(struct sim *w)
{
	const struct sim_scenario *s = w->over.scenario;
	struct sim_config *c = &w->cfg;
	c->node_count = s->nodes;
	c->volume_count = s->volumes;
	c->later_volumes = s->later;
	for (uint32_t v = 0; v < SIM_VOLUMES_MAX; v++) {
		c->volume_bytes[v] = (uint64_t)s->mib << 20;
	}
	if (s->larger_node < SIM_NODES_MAX) {
		memset(c->more_bytes, 0, sizeof(c->more_bytes));
		c->more_bytes[s->larger_node] = 500u * 4096u;
	}
	for (uint32_t i = 0; i < 3; i++) {
		c->after_sb[i] = s->after_sb[i] != 0 ? (enum bsr_after_sb)(s->after_sb[i] - 1u) : c->after_sb[i];
	}
	c->protocol = (enum bsr_protocol)s->protocol;
	c->requests_max = s->requests;
	c->app_depth = s->depth;
	c->app_read_pm = s->read_pm;
	c->app_flush_pm = s->flush_pm;
	c->app_zero_pm = s->zero_pm;
	c->app_journal = s->journal;
	c->net_tail = false;
	c->app_spots = s->spots;
	c->resync_kib = s->resync_kib != 0 ? s->resync_kib : c->resync_kib;
	for (uint32_t i = 0; i < SIM_NODES_MAX && s->write_through == 0; i++) {
		c->write_through[i] = false;
	}
	c->disk_flushes = c->disk_flushes || s->write_through == 0;
	c->disk_flushes = c->disk_flushes && !s->no_flushes;
	c->full_initial_sync = s->full_sync;
	c->on_io_error = s->on_io_error != 0 ? (enum bsr_on_io_error)(s->on_io_error - 1u) : c->on_io_error;
	c->fault_ns = s->fault_ns;
	c->app_think_ns = c->fault_ns * 2u / (c->requests_max + 1u);
	c->acts = 0;
}

void sim_scenario_plan(struct sim *w)
{
	const struct sim_scenario *s = w->over.scenario;
	for (uint32_t i = 0; i < s->action_count; i++) {
		w->plan[i] = s->action[i];
	}
	w->plan_count = s->action_count;
}

void sim_scenario_check(struct sim *w)
{
	const struct sim_scenario *s = w->over.scenario;
	if (s->expect_split_brain && w->split_brains == 0) {
		sim_fail(w, "STORY", "a split brain was expected and not reported");
	}
	if (!s->expect_split_brain && !s->any_split_brain && w->split_brains != 0) {
		sim_fail(w, "STORY", "a split brain was reported and is none");
	}
	if (s->expect_primary != SIM_NONE && !w->node[s->expect_primary].app.running) {
		sim_fail(w, "STORY", "node %u is not Primary in the end", s->expect_primary);
	}
	if (s->expect_source != SIM_NONE && w->sources != 1u << s->expect_source) {
		sim_fail(w, "STORY", "sources of resyncs were nodes with the bits %#x, expected was node %u", w->sources, s->expect_source);
	}
	if (w->resync_bytes > s->resync_most_bytes || w->resync_bytes < s->resync_least_bytes) {
		sim_fail(w, "STORY", "%llu bytes were resynced, expected %llu..%llu", (unsigned long long)w->resync_bytes,
			(unsigned long long)s->resync_least_bytes, (unsigned long long)s->resync_most_bytes);
	}
	if (w->acked < s->acked_least) {
		sim_fail(w, "STORY", "%llu writes were acknowledged, expected %llu", (unsigned long long)w->acked,
			(unsigned long long)s->acked_least);
	}
	if (s->expect_found && w->verify_found == 0) {
		sim_fail(w, "STORY", "no verify has found anything");
	}
	for (uint32_t c = 0; c < BSR_CMD_COUNT; c++) {
		if ((s->expect_refused >> c & 1u) != 0 && w->cov.result[c][1] == 0) {
			sim_fail(w, "STORY", "command %s was never refused", sim_cmd_word((enum bsr_cmd)c));
		}
		if ((s->expect_done >> c & 1u) != 0 && w->cov.result[c][0] == 0) {
			sim_fail(w, "STORY", "command %s was never carried out", sim_cmd_word((enum bsr_cmd)c));
		}
	}
}
