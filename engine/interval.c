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
 * own that every search walks.
 */
#include "core.h"

#define PIECE_SHIFT 20u

static struct bsr_list *bucket_of(struct bsr_engine *e, uint32_t volume, uint64_t piece)
{
	const uint64_t hash = (piece * 0x9e3779b97f4a7c15ull) ^ ((uint64_t)volume * 0xc2b2ae3d27d4eb4full);
	return &e->interval_bucket[(hash >> 40) % BSR_INTERVAL_BUCKETS];
}

static bool is_large(const struct bsr_interval *i)
{
	return i->end - i->start > (1ull << PIECE_SHIFT);
}

static bool conflicts(const struct bsr_interval *older, const struct bsr_interval *i)
{
	return older->order < i->order && older->volume == i->volume && older->start < i->end &&
	       i->start < older->end && (older->write || i->write);
}

static bool list_conflicts(const struct bsr_list *list, const struct bsr_interval *i)
{
	for (const struct bsr_list *l = list->next; l != list; l = l->next) {
		if (conflicts(BSR_CONTAINER(l, struct bsr_interval, link), i)) {
			return true;
		}
	}
	return false;
}

static bool must_wait(struct bsr_engine *e, const struct bsr_interval *i)
{
	if (BSR_MUTATION(35)) {
		return false;
	}
	if (!bsr_list_empty(&e->interval_large) && list_conflicts(&e->interval_large, i)) {
		return true;
	}
	const uint64_t first = i->start >> PIECE_SHIFT;
	const uint64_t last = (i->end - 1) >> PIECE_SHIFT;
	for (uint64_t piece = first ? first - 1 : 0; piece <= last; piece++) {
		if (list_conflicts(bucket_of(e, i->volume, piece), i)) {
			return true;
		}
	}
	return false;
}

void bsr_interval_add(struct bsr_engine *e, struct bsr_interval *i)
{
	BSR_ASSERT(i->start < i->end);
	BSR_ASSERT(i->go != NULL);
	i->order = ++e->interval_order;
	bsr_list_init(&i->wait);
	i->held = must_wait(e, i);
	bsr_list_append(is_large(i) ? &e->interval_large : bucket_of(e, i->volume, i->start >> PIECE_SHIFT), &i->link);
	if (i->held) {
		bsr_list_append(&e->interval_waiters, &i->wait);
	} else {
		i->go(e, i);
	}
}

void bsr_interval_remove(struct bsr_engine *e, struct bsr_interval *i)
{
	bsr_list_remove(&i->link);
	bsr_list_remove(&i->wait);
	if (bsr_list_empty(&e->interval_waiters)) {
		return;
	}
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
