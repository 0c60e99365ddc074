// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * queue.c - the event queue: a binary heap in an order that the seed decides
 */
#include <stdlib.h>
#include <string.h>

#include <bsr/assert.h>

#include "queue.h"

static bool before(const struct sim_ev *a, const struct sim_ev *b)
{
	return a->at_ns != b->at_ns ? a->at_ns < b->at_ns : a->order < b->order;
}

static void sift_up(struct sim_ev *heap, uint32_t i)
{
	const struct sim_ev ev = heap[i];
	while (i > 0) {
		const uint32_t parent = (i - 1) / 2;
		if (!before(&ev, &heap[parent])) {
			break;
		}
		heap[i] = heap[parent];
		i = parent;
	}
	heap[i] = ev;
}

static void sift_down(struct sim_ev *heap, uint32_t count)
{
	const struct sim_ev ev = heap[0];
	uint32_t i = 0;
	for (;;) {
		uint32_t child = 2 * i + 1;
		if (child >= count) {
			break;
		}
		if (child + 1 < count && before(&heap[child + 1], &heap[child])) {
			child++;
		}
		if (!before(&heap[child], &ev)) {
			break;
		}
		heap[i] = heap[child];
		i = child;
	}
	heap[i] = ev;
}

void sim_queue_push(struct sim *w, const struct sim_ev *ev)
{
	if (w->heap_count == w->heap_room) {
		const uint32_t room = w->heap_room == 0 ? 1024 : w->heap_room * 2;
		struct sim_ev *heap = sim_alloc(w, room * sizeof(*heap));
		if (w->heap != NULL) {
			memcpy(heap, w->heap, w->heap_count * sizeof(*heap));
			sim_free(w, w->heap, w->heap_room * sizeof(*heap));
		}
		w->heap = heap;
		w->heap_room = room;
	}
	w->heap[w->heap_count] = *ev;
	sift_up(w->heap, w->heap_count++);
}

void sim_schedule(struct sim *w, uint64_t at_ns, enum sim_ev_kind kind, uint32_t a, uint32_t b, void *p)
{
	const uint64_t tie = sim_rng_u64(&w->rng[SIM_RNG_TIE]) & 0xffffffff00000000ull;
	const struct sim_ev ev = {.at_ns = at_ns < w->now_ns ? w->now_ns : at_ns,
		.order = tie | w->ev_sequence++,
		.p = p,
		.kind = (uint32_t)kind,
		.a = a,
		.b = b,
		.incarnation = a < SIM_NODES_MAX ? w->node[a].incarnation : 0};
	sim_queue_push(w, &ev);
}

bool sim_queue_pop(struct sim *w, struct sim_ev *ev)
{
	if (w->heap_count == 0) {
		return false;
	}
	*ev = w->heap[0];
	w->heap[0] = w->heap[--w->heap_count];
	if (w->heap_count > 1) {
		sift_down(w->heap, w->heap_count);
	}
	return true;
}
