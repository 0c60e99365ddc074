// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * interval.c - overlapping ranges take their turn in order of arrival
 *
 * Owns:       the table of ranges under way, hashed by volume and 1 MiB piece, and those that wait.
 * Invariants:
 *   IV-1  Of two overlapping ranges, one of them a write, the later one goes only after the earlier
 *         one is removed.
 * A range of at most 1 MiB lies in the bucket of the piece it starts in, so a search looks at the
 * pieces from one before its start; longer ranges (discards, write-zeroes) lie in a list of their
 * own that every search walks. While no range reaches beyond its piece, a search looks at one piece.
 */
#include "core.h"

static bool is_large(const struct bsr_interval *i)
{
	return i->end - i->start > (1ull << BSR_PIECE_SHIFT);
}

static inline bool conflicts(const struct bsr_interval *older, const struct bsr_interval *i)
{
	return older->order < i->order && older->volume == i->volume && older->start < i->end &&
	       i->start < older->end && (older->write || i->write);
}

static inline bool list_conflicts(const struct bsr_list *list, const struct bsr_interval *i)
{
	for (const struct bsr_list *l = list->next; l != list; l = l->next) {
		if (conflicts(BSR_CONTAINER(l, struct bsr_interval, link), i)) {
			return true;
		}
	}
	return false;
}

/* Some range reaches beyond the piece it begins in. */
static __attribute__((noinline)) bool far_conflicts(struct bsr_engine *e, const struct bsr_interval *i)
{
	if (list_conflicts(&e->interval_large, i)) {
		return true;
	}
	const uint64_t first = bsr_piece_of(i->start);
	const uint64_t last = bsr_piece_of(i->end - 1);
	for (uint64_t piece = first ? first - 1 : 0; piece <= last; piece++) {
		if (list_conflicts(bsr_bucket_of(e, i->volume, piece), i)) {
			return true;
		}
	}
	return false;
}

static inline bool must_wait(struct bsr_engine *e, const struct bsr_interval *i)
{
	if (BSR_MUTATION(35)) {
		return false;
	}
	if (e->interval_far > 0) {
		return far_conflicts(e, i);
	}
	return list_conflicts(bsr_bucket_of(e, i->volume, bsr_piece_of(i->start)), i);
}

bool bsr_interval_add_other(struct bsr_engine *e, struct bsr_interval *i)
{
	BSR_ASSERT(i->start < i->end);
	BSR_ASSERT(!i->far);
	i->order = ++e->interval_order;
	if (bsr_piece_of(i->start) != bsr_piece_of(i->end - 1)) {
		i->far = true;
		e->interval_far++;
	}
	i->held = must_wait(e, i); /* before it is in the table itself */
	bsr_list_append(
		is_large(i) ? &e->interval_large : bsr_bucket_of(e, i->volume, bsr_piece_of(i->start)), &i->link);
	if (i->held) {
		bsr_list_append(&e->interval_waiters, &i->wait);
	}
	return !i->held;
}

static void let_waiters_go(struct bsr_engine *e)
{
	/* Whoever goes may remove ranges itself; start over then, the list is short. */
	struct bsr_list *l = e->interval_waiters.next;
	while (l != &e->interval_waiters) {
		struct bsr_interval *waiter = BSR_CONTAINER(l, struct bsr_interval, wait);
		if (must_wait(e, waiter)) {
			l = l->next;
			continue;
		}
		bsr_list_remove(&waiter->wait);
		waiter->held = false;
		waiter->go(e, waiter);
		l = e->interval_waiters.next;
	}
}

void bsr_interval_removed_other(struct bsr_engine *e, struct bsr_interval *i)
{
	if (i->held) {
		bsr_list_remove(&i->wait);
		i->held = false;
	}
	if (i->far) {
		i->far = false;
		BSR_ASSERT(e->interval_far > 0);
		e->interval_far--;
	}
	if (!bsr_list_empty(&e->interval_waiters)) {
		let_waiters_go(e);
	}
}
