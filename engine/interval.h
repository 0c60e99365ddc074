/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * interval.h - ranges take their turn: the short way, inline, for a range that meets no other one
 *
 * Included by core.h, where the engine's structs are known. What it is about: interval.c.
 */
#ifndef BSR_ENGINE_INTERVAL_H
#define BSR_ENGINE_INTERVAL_H

#define BSR_PIECE_SHIFT 20u
#define BSR_VOLUME_STRIDE 677u

static inline uint64_t bsr_piece_of(uint64_t byte)
{
	return byte >> BSR_PIECE_SHIFT;
}

/* Neighbouring pieces lie in neighbouring buckets; volumes are far from each other. */
static inline struct bsr_list *bsr_bucket_of(struct bsr_engine *e, uint32_t volume, uint64_t piece)
{
	return &e->interval_bucket[(piece + volume * (uint64_t)BSR_VOLUME_STRIDE) % BSR_INTERVAL_BUCKETS];
}

bool bsr_interval_add_other(struct bsr_engine *e, struct bsr_interval *i);
void bsr_interval_removed_other(struct bsr_engine *e, struct bsr_interval *i);

/** bsr_interval_add - true: its turn is now; otherwise go() is called when it comes */
BSR_IN_PLACE BSR_MUST_CHECK bool bsr_interval_add(struct bsr_engine *e, struct bsr_interval *i)
{
	const uint64_t piece = bsr_piece_of(i->start);
	struct bsr_list *bucket = bsr_bucket_of(e, i->volume, piece);
	if (e->interval_far > 0 || piece != bsr_piece_of(i->end - 1) || !bsr_list_empty(bucket)) {
		return bsr_interval_add_other(e, i);
	}
	BSR_ASSERT(i->start < i->end);
	i->order = ++e->interval_order;
	i->held = false;
	bsr_list_append(bucket, &i->link);
	return true;
}

/** bsr_interval_remove - those that waited for it have their turn; not in the table: no effect */
static inline void bsr_interval_remove(struct bsr_engine *e, struct bsr_interval *i)
{
	bsr_list_remove(&i->link);
	if (i->held || i->far || !bsr_list_empty(&e->interval_waiters)) {
		bsr_interval_removed_other(e, i);
	}
}

#endif
