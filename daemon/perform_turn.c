// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * perform_turn.c - the end of a turn of the engine process: what has been put off, and what has been collected
 *
 * Owns: the process's own timer; nothing else that outlives a turn. Mostly there is nothing to do here, and to find
 * that out has to be cheap: a turn often holds no more than one completion.
 */
#include "faults.h"
#include "perform_internal.h"

#define LET_GO_STEP_NS 3000000ull

/*
 * Also what the engine puts off to the end of a turn (acknowledgements of all that arrived in it).
 */
static inline __attribute__((always_inline)) void engine_time(struct bsrd *d)
{
	if (d->engine != NULL && bsrd_now_ns(d) >= bsr_engine_deadline(d->engine)) {
		bsrd_step_time(d);
	}
}

void bsrd_perform_on_timer(void *ctx)
{
	struct bsrd *d = ctx;
	uint64_t now = bsrd_now_ns(d);
	if (d->links != NULL && now >= bsr_links_deadline(d->links)) {
		bsr_links_tick(d->links);
	}
	if (now >= bsrd_flows_deadline(d->flows)) {
		bsrd_flows_tick(d->flows);
	}
	bsrd_faults_tick(d);
}

static uint64_t earlier(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

static inline void set_timer(struct bsrd *d)
{
	uint64_t deadline = bsrd_flows_deadline(d->flows);
	uint64_t now = bsrd_now_ns(d);
	if (d->faults != NULL) {
		deadline = earlier(deadline, bsrd_faults_deadline(d));
	}
	if (d->engine != NULL) {
		deadline = earlier(deadline, bsr_engine_deadline(d->engine));
		deadline = earlier(deadline, bsr_links_deadline(d->links));
	}
	if (now < d->perform->let_go_until_ns) {
		deadline = earlier(deadline, now + LET_GO_STEP_NS);
	}
	bsr_loop_arm(d->loop, &d->perform->timer, deadline);
}

void bsrd_perform_turn(struct bsrd *d)
{
	struct bsrd_perform *p = d->perform;
	if (p->retry) {
		bsrd_perform_retry(p);
	}
	if (p->starved && d->engine != NULL && bsr_engine_credits(d->engine) > 0) {
		p->starved = false;
		bsr_devices_resume(d->devices);
	}
	engine_time(d);
	/* whoever waits for an answer goes on while the network takes its time */
	bool more = bsr_devices_flush(d->devices);
	const uint64_t sends = p->sends;
	if (d->links != NULL) {
		if (p->paused) {
			p->paused = false;
			bsr_links_resume(d->links);
		}
		more = bsr_links_flush(d->links) || more;
	}
	if (more) { /* what came of it */
		engine_time(d);
		if (p->sends != sends) {
			/* what left made room for more: it goes out in a turn of its own */
			bsr_loop_again(d->loop);
		}
		(void)bsr_devices_flush(d->devices);
	}
	set_timer(d);
}
