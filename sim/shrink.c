// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * shrink.c - make a failing run small: fewer actions, fewer requests, fewer volumes, the same broken invariant
 */
#include <stdlib.h>
#include <string.h>

#include "shrink.h"

static bool still_fails(struct sim *w, uint64_t seed, const struct sim_override *over, const char *label)
{
	return !sim_run(w, seed, over) && strcmp(w->label, label) == 0;
}

static bool try_drop(struct sim *w, uint64_t seed, struct sim_override *o, const char *label, uint32_t first, uint32_t count,
	uint32_t total)
{
	struct sim_override t = *o;
	for (uint32_t i = first; i < first + count && i < total; i++) {
		bool there = false;
		for (uint32_t k = 0; k < t.drop_count; k++) {
			there = there || t.drop[k] == i;
		}
		if (!there && t.drop_count < SIM_PLAN_MAX) {
			t.drop[t.drop_count++] = i;
		}
	}
	if (t.drop_count == o->drop_count || !still_fails(w, seed, &t, label)) {
		return false;
	}
	*o = t;
	return true;
}

static void drop_actions(struct sim *w, uint64_t seed, struct sim_override *o, const char *label, uint32_t total)
{
	for (uint32_t count = total; count > 0; count /= 2) {
		for (uint32_t first = 0; first < total; first += count) {
			try_drop(w, seed, o, label, first, count, total);
		}
	}
}

static void cut_requests(struct sim *w, uint64_t seed, struct sim_override *o, const char *label, uint32_t most)
{
	uint32_t low = 1;
	uint32_t high = most;
	while (low < high) {
		struct sim_override t = *o;
		t.requests_max = low + (high - low) / 2;
		if (still_fails(w, seed, &t, label)) {
			high = t.requests_max;
			*o = t;
		} else {
			low = t.requests_max + 1;
		}
	}
}

#define LANES_MAX 5u

static int lane_width(uint32_t nodes)
{
	return nodes <= 2 ? 62 : nodes == 3 ? 46 : 34;
}

/* One event in the lane of its node, on as many lines as it takes. */
static void print_event(const char *time, const char *text, uint32_t node, uint32_t nodes)
{
	const int width = lane_width(nodes);
	int left = (int)strlen(text);
	for (uint32_t line = 0; left > 0; line++) {
		int n = left < width ? left : width;
		for (int k = n; left > width && k > width / 2; k--) {
			if (text[k] == ' ') {
				n = k;
				break;
			}
		}
		printf("%12s", line == 0 ? time : "");
		for (uint32_t i = 0; i < node; i++) {
			printf(" | %*s", width, "");
		}
		printf(" | %.*s\n", n, text);
		text += n;
		left -= n;
		while (*text == ' ') {
			text++;
			left--;
		}
	}
}

/* The end of the transcript as a sequence diagram: time down the page, a lane for each node. */
static void print_diagram(const struct sim *w)
{
	printf("%12s", "time, s");
	for (uint32_t i = 0; i < w->cfg.node_count && i < LANES_MAX; i++) {
		printf(" | node %-*u", lane_width(w->cfg.node_count) - 5, i);
	}
	puts("");
	for (uint64_t i = w->trace_count > SIM_TRACE_LINES ? w->trace_count - SIM_TRACE_LINES : 0; i < w->trace_count; i++) {
		char line[SIM_TRACE_BYTES];
		snprintf(line, sizeof(line), "%s", w->trace[i % SIM_TRACE_LINES]);
		char *text = line + strspn(line, " ");
		char *time = text;
		text += strcspn(text, " ");
		if (*text != 0) {
			*text++ = 0;
		}
		char *end = NULL;
		const uint32_t node = text[0] == 'n' ? (uint32_t)strtoul(text + 1, &end, 10) : SIM_NONE;
		if (node < LANES_MAX && *end == ' ') {
			print_event(time, end + 1, node, w->cfg.node_count);
		} else {
			printf("%12s %s\n", time, text);
		}
	}
}

int sim_shrink(struct sim *w, uint64_t seed, const struct sim_override *over)
{
	struct sim_override o = *over;
	char label[sizeof(w->label)];
	o.print_all = false;
	o.trace = false;
	if (sim_run(w, seed, &o)) {
		printf("seed %llu does not fail\n", (unsigned long long)seed);
		return 0;
	}
	snprintf(label, sizeof(label), "%s", w->label);
	const uint32_t total = w->plan_count;
	const uint32_t requests = w->cfg.requests_max;
	for (uint32_t round = 0; round < 2; round++) {
		drop_actions(w, seed, &o, label, total);
		cut_requests(w, seed, &o, label, o.requests_max != 0 ? o.requests_max : requests);
	}
	struct sim_override t = o;
	t.volumes = 1;
	if (still_fails(w, seed, &t, label)) {
		o = t;
	}
	o.trace = true;
	sim_run(w, seed, &o);
	printf("%s: %s\n%u of %u actions and %u of %u requests are left, %llu events\n", w->label, w->message,
		total - o.drop_count, total, w->cfg.requests_max, requests, (unsigned long long)w->events);
	print_diagram(w);
	fputs("replay: ", stdout);
	o.trace = false;
	sim_print_command(w, &o, stdout);
	return 1;
}
