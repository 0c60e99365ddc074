// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * world.c - one run: the clock, the transcript, the end
 */
#include <stdarg.h>
#include <string.h>

#include <bsr/assert.h>

#include "disk.h"
#include "queue.h"
#include "scenario.h"

#define EVENTS_MAX 20000000ull
#define AUDIT_NS (60u * SIM_MS)

static struct sim *current; /* bsr_panic() has no other way to know */

void sim_hash(struct sim *w, uint64_t value)
{
	w->hash = (w->hash ^ value) * 0x100000001b3ull;
	w->hash ^= w->hash >> 29;
}

void sim_trace(struct sim *w, const char *format, ...)
{
	char *line = w->trace[w->trace_count++ % SIM_TRACE_LINES];
	const int n = snprintf(line, SIM_TRACE_BYTES, "%12.6f ", (double)w->now_ns / 1e9);
	va_list args;
	va_start(args, format);
	vsnprintf(line + n, SIM_TRACE_BYTES - (size_t)n, format, args);
	va_end(args);
	if (w->over.print_all) {
		puts(line);
	}
}

bool sim_ignored(const struct sim *w, const char *label)
{
	const char *at = w->over.ignore != NULL ? strstr(w->over.ignore, label) : NULL;
	const size_t n = strlen(label);
	return at != NULL && (at == w->over.ignore || at[-1] == ',') && (at[n] == 0 || at[n] == ',');
}

void sim_fail(struct sim *w, const char *label, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	vsnprintf(w->message, sizeof(w->message), format, args);
	va_end(args);
	snprintf(w->label, sizeof(w->label), "%s", label);
	w->failed = true;
	SIM_TRACE(w, "!! %s: %s", w->label, w->message);
	longjmp(w->end, 1);
}

_Noreturn void bsr_panic(const char *file, int line, const char *what)
{
	const char *slash = strrchr(file, '/');
	if (current == NULL) {
		fprintf(stderr, "bsr-sim: assertion failed outside of a run: %s:%d: %s\n", file, line, what);
		__builtin_trap();
	}
	sim_fail(current, "PANIC", "assertion failed: %s:%d: %s", slash != NULL ? slash + 1 : file, line, what);
}

/* ------------------------------------------------------------------ dispatch */

static void node_boot(struct sim *w, const struct sim_ev *ev)
{
	struct sim_node *n = &w->node[ev->a];
	if (ev->b == 1) {
		sim_node_remove(w, ev->a);
		return;
	}
	if (n->state == SIM_NODE_UP && n->crash_armed != 0) {
		n->crash_armed = 0; /* there was no step with effects to die in */
		n->boot_armed = false;
		return;
	}
	sim_node_boot(w, ev->a);
}

static void on_action(struct sim *w, const struct sim_ev *ev)
{
	sim_plan_run(w, ev->b);
}

static void on_link_event(struct sim *w, const struct sim_ev *ev)
{
	if (ev->kind == SIM_EV_LINK_UP) {
		sim_net_on_up(w, ev->p, ev->a & 1u);
	} else {
		sim_net_on_down(w, ev->p, ev->a & 1u, (enum bsr_link_reason)ev->b);
	}
}

static void on_node_event(struct sim *w, const struct sim_ev *ev)
{
	struct sim_node *n = &w->node[ev->a];
	if (ev->incarnation != n->incarnation || n->state != SIM_NODE_UP) {
		return;
	}
	if (sim_node_frozen(w, ev->a)) {
		struct sim_ev later = *ev;
		later.at_ns = n->frozen_until_ns;
		if (ev->kind == SIM_EV_TIMER) {
			n->timer_at_ns = later.at_ns;
		}
		sim_queue_push(w, &later);
		return;
	}
	if (ev->kind == SIM_EV_TIMER) {
		sim_node_on_timer(w, ev->a);
	} else if (ev->kind == SIM_EV_APP) {
		sim_app_turn(w, ev->a);
	} else if (ev->kind == SIM_EV_SCRIPT) {
		sim_node_script_turn(w, ev->a);
	} else if (ev->kind == SIM_EV_HANDLER) {
		struct bsr_event e = {.type = BSR_EV_HANDLER_EXIT};
		e.u.handler_exit.handler_id = ev->b;
		e.u.handler_exit.status = ev->p != NULL ? 1 : 0;
		n->handlers--;
		sim_node_event(w, ev->a, &e);
	}
}

static void on_audit(struct sim *w)
{
	sim_oracle_audit(w);
	if (w->phase != SIM_PHASE_DONE) {
		sim_schedule(w, w->now_ns + AUDIT_NS, SIM_EV_AUDIT, SIM_NONE, 0, NULL);
	}
}

static void dispatch(struct sim *w, const struct sim_ev *ev)
{
	switch ((enum sim_ev_kind)ev->kind) {
	case SIM_EV_TIMER:
	case SIM_EV_APP:
	case SIM_EV_SCRIPT:
	case SIM_EV_HANDLER:
	case SIM_EV_THAW:
		on_node_event(w, ev);
		break;
	case SIM_EV_DISK:
		sim_disk_done(w, ev->p);
		break;
	case SIM_EV_PIPE:
		sim_net_on_pipe(w, ev->p);
		break;
	case SIM_EV_SENT:
		sim_net_on_sent(w, ev->p);
		break;
	case SIM_EV_CONNECT:
		sim_net_on_connect(w, ev->b >> 8, ev->b & 0xffu);
		break;
	case SIM_EV_LINK_UP:
	case SIM_EV_LINK_DOWN:
		on_link_event(w, ev);
		break;
	case SIM_EV_ACTION:
		on_action(w, ev);
		break;
	case SIM_EV_BOOT:
		node_boot(w, ev);
		break;
	case SIM_EV_QUIET:
		sim_quiet_turn(w);
		break;
	case SIM_EV_AUDIT:
		on_audit(w);
		break;
	case SIM_EV_KIND_COUNT:
		break;
	}
}

/* Only what was used is cleared: nodes that no run had, and effects, are large. */
static void forget_last_run(struct sim *w)
{
	struct sim_mem *mem = w->mem;
	const uint32_t nodes = w->cfg.node_count;
	memset(w, 0, offsetof(struct sim, node));
	memset(w->node, 0, nodes * sizeof(w->node[0]));
	memset((uint8_t *)w + offsetof(struct sim, links), 0, offsetof(struct sim, fx) - offsetof(struct sim, links));
	memset((uint8_t *)w + offsetof(struct sim, in_step), 0, sizeof(*w) - offsetof(struct sim, in_step));
	w->mem = mem;
}

static void prepare(struct sim *w, uint64_t seed, const struct sim_override *over)
{
	forget_last_run(w);
	sim_mem_reset(w);
	w->over = *over;
	w->hash = 0xcbf29ce484222325ull;
	w->slow_factor = 1;
	for (uint32_t i = 0; i < SIM_RNG_COUNT; i++) {
		sim_rng_seed(&w->rng[i], seed, i + 1);
	}
	sim_config_make(w, seed);
	for (uint32_t i = 0; i < w->cfg.node_count; i++) {
		w->node[i].promote_next = SIM_NONE;
		w->node[i].volumes = (1u << (w->cfg.volume_count - w->cfg.later_volumes)) - 1u;
		w->node[i].features = ~0ull; /* and now and then an older engine */
		if (sim_rng_chance(&w->rng[SIM_RNG_NODES], 100)) {
			w->node[i].features &= ~(BSR_FEATURE_ACK_TIMES | BSR_FEATURE_ORDERED_STATES);
		}
		if (sim_rng_chance(&w->rng[SIM_RNG_NODES], 50)) {
			w->node[i].features &= ~(BSR_FEATURE_LIVE_VOLUMES | BSR_FEATURE_ORDERED_STATES);
		}
		if (sim_rng_chance(&w->rng[SIM_RNG_NODES], 50)) {
			w->node[i].features &= ~(BSR_FEATURE_VERIFY | BSR_FEATURE_CHOSEN_SOURCE);
		}
		if (over->scenario != NULL && over->scenario->older != 0) {
			const uint64_t newer = BSR_FEATURE_ACK_TIMES | BSR_FEATURES_OF_ENGINE;
			w->node[i].features = over->scenario->older == 2 && i != 0 ? ~newer : ~0ull;
		}
		w->node[i].bufs.first_free = SIM_NONE;
	}
}

static void run(struct sim *w)
{
	for (uint32_t i = 0; i < w->cfg.node_count; i++) {
		for (uint32_t v = 0; v < w->cfg.volume_count; v++) {
			sim_disk_create(w, i, v);
		}
		sim_schedule(w, sim_rng_below(&w->rng[SIM_RNG_PLAN], 20u * SIM_MS), SIM_EV_BOOT, i, 0, NULL);
	}
	sim_plan_make(w);
	sim_schedule(w, 0, SIM_EV_QUIET, SIM_NONE, 0, NULL);
	struct sim_ev ev;
	while (w->phase != SIM_PHASE_DONE && sim_queue_pop(w, &ev)) {
		w->now_ns = ev.at_ns;
		if (++w->events > EVENTS_MAX) {
			sim_fail(w, "SPIN", "more than %llu events", EVENTS_MAX);
		}
		dispatch(w, &ev);
	}
	for (uint32_t i = 0; i < w->cfg.node_count; i++) {
		sim_node_remove(w, i);
	}
}

bool sim_run(struct sim *w, uint64_t seed, const struct sim_override *over)
{
	prepare(w, seed, over);
	current = w;
	if (setjmp(w->end) == 0) {
		run(w);
	}
	current = NULL;
	sim_hash(w, w->failed);
	return !w->failed;
}
