/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * activity_log.h - which extents may differ between replicas after a crash
 *
 * A durable, bounded set of 4 MiB extents. A data write is emitted only while its extents are
 * durable in the log (AL-1). An extent leaves only when nothing pins it (AL-2): writes in flight
 * and writes that some peer or the local disk cache might still lose pin it. It leaves when its slot
 * is needed, or, so that a crash after a quiet time costs little, when it has had no pin for a while
 * (AL-3). Changes are collected into transactions of up to 64; one transaction is under way at a
 * time, and carries everything that waited meanwhile.
 * Format: docs/format/activity-log.md. Pure memory; the volume code does the I/O.
 */
#ifndef BSR_ENGINE_ACTIVITY_LOG_H
#define BSR_ENGINE_ACTIVITY_LOG_H

#include <bsr/errors.h>
#include <bsr/types.h>

struct bsr_al;

size_t bsr_al_memory(uint32_t slot_count);
/**
 * bsr_al_slot_limit - most slots that a ring of @ring_blocks can describe; below
 * BSR_AL_EXTENTS_MIN: ring unusable
 */
uint32_t bsr_al_slot_limit(uint32_t ring_blocks);
/**
 * bsr_al_init - an empty log with @slot_count slots (BSR_AL_EXTENTS_MIN..BSR_AL_EXTENTS_MAX, <=
 * bsr_al_slot_limit())
 * @mem: bsr_al_memory() bytes, aligned to 64; stays the caller's
 * @ring_blocks: 4 KiB blocks of the on-disk ring
 * @stripes: stripes of it (ring order, see the format page)
 * @first_transaction: number of the first transaction: 0 for a ring that was just initialised
 *   (replay forgives a torn
 * first block only there), else what bsr_al_replay() gave as next_number
 */
struct bsr_al *bsr_al_init(
	void *mem, uint32_t slot_count, uint32_t ring_blocks, uint32_t stripes, uint32_t first_transaction);

enum bsr_al_answer {
	BSR_AL_GO,   /* durable already: pinned, go on */
	/* pinned and waiting for a transaction: call again with bsr_al_ready() after each commit */
	BSR_AL_WAIT,
	BSR_AL_FULL, /* every slot is pinned; nothing changed */
};

/**
 * bsr_al_pin - pin extents first..first+count-1 (count 1..BSR_REQUEST_EXTENTS_MAX) for one write
 *
 * All or nothing, so no two writes can wait for each other. Who waits is served in the order of the
 * pins. After FULL the caller keeps that write at the head of its queue: if later ones overtook it,
 * a long one could starve.
 */
enum bsr_al_answer bsr_al_pin(struct bsr_al *al, uint32_t first, uint32_t count);
/** bsr_al_ready - all of these pinned extents are durable */
bool bsr_al_ready(const struct bsr_al *al, uint32_t first, uint32_t count);
/**
 * bsr_al_unpin - drop one pin of each; they stay hot until evicted; one that still waits is
 * forgotten
 */
void bsr_al_unpin(struct bsr_al *al, uint32_t first, uint32_t count);

/** bsr_al_tick - one more unit of time has passed; the caller's unit */
void bsr_al_tick(struct bsr_al *al);
#define BSR_AL_STAY UINT32_MAX
/**
 * bsr_al_cool - extents without a pin for @ticks or longer are to leave, by transactions of their own
 * @ticks: BSR_AL_STAY (as at first): only when their slots are needed, or along with others whose are
 */
void bsr_al_cool(struct bsr_al *al, uint32_t ticks);

/** bsr_al_in_demand - some write waits for an extent to become hot */
bool bsr_al_in_demand(const struct bsr_al *al);
/** bsr_al_transaction_wanted - something waits, or shall leave, and no transaction is under way */
bool bsr_al_transaction_wanted(const struct bsr_al *al);
/**
 * bsr_al_begin_transaction - choose victims and build the block
 * A transaction that serves somebody who waits lets cool extents leave only when it has a victim anyway, that is, when
 * it cannot do without a flush.
 * @block: receives 4096 bytes for the ring
 * @ring_block: receives its index in ring placement (0..ring_blocks-1)
 * @evicted: receives extents that leave the log; room for BSR_AL_UPDATES_PER_TRANSACTION
 * Returns how many were evicted. Their bitmap blocks must be on disk before the transaction is
 * written.
 */
uint32_t bsr_al_begin_transaction(
	struct bsr_al *al, uint8_t *block, uint32_t *ring_block, uint32_t *evicted);
/**
 * bsr_al_transaction_done - the transaction is durable (@ok) or could not be written
 *
 * After a failure nobody knows what the ring says, so neither the new extents nor the evicted ones
 * are hot, and a transaction is wanted again: it has the same number and place, repeats the updates
 * (and reports the same evicted extents), and adds what waits by then.
 */
void bsr_al_transaction_done(struct bsr_al *al, bool ok);

uint32_t bsr_al_slots(const struct bsr_al *al);
uint32_t bsr_al_used(const struct bsr_al *al);   /* slots that hold an extent */
uint32_t bsr_al_pinned(const struct bsr_al *al); /* of them with at least one pin */
bool bsr_al_is_hot(const struct bsr_al *al, uint32_t extent);
/**
 * bsr_al_mark_hot - at attach: put an extent in the lowest free slot without I/O
 *
 * The ring on disk must say the same about that slot; bsr_al_mark_hot_slot() names the slot, as
 * bsr_al_replay() found it. A ring that has just been initialised needs neither.
 * -BSR_E_NO_SPACE: no slot is free, or (with a slot) slot or extent are taken; -BSR_E_RANGE.
 */
int bsr_al_mark_hot(struct bsr_al *al, uint32_t extent) BSR_MUST_CHECK;
int bsr_al_mark_hot_slot(struct bsr_al *al, uint32_t slot, uint32_t extent) BSR_MUST_CHECK;
/** bsr_al_check - panics unless slots, entries and lists agree (costly) */
void bsr_al_check(const struct bsr_al *al);

/* ---- codec of transaction blocks, shared with bsrmeta ---- */

struct bsr_al_transaction {
	uint32_t number;
	bool initialised; /* type 0xffff: holds no slots */
	uint16_t update_count;
	uint16_t context_size;
	uint16_t context_start;
	uint16_t update_slot[BSR_AL_UPDATES_PER_TRANSACTION];
	uint32_t update_extent[BSR_AL_UPDATES_PER_TRANSACTION];
	uint32_t context[BSR_AL_CONTEXT_PER_TRANSACTION];
};
void bsr_al_transaction_encode(uint8_t *block, const struct bsr_al_transaction *t);
/** -BSR_E_NOT_OURS (magic), -BSR_E_CORRUPT (checksum), -BSR_E_RANGE */
int bsr_al_transaction_decode(struct bsr_al_transaction *t, const uint8_t *block) BSR_MUST_CHECK;
/** bsr_al_ring_place - index of the block that transaction @number occupies */
uint32_t bsr_al_ring_place(uint32_t number, uint32_t stripes, uint32_t stripe_blocks);

/**
 * bsr_al_replay - the extents that were hot when the log was last written
 * @ring: ring_blocks x 4096 bytes, in placement order
 * @table: working memory and result: BSR_AL_EXTENTS_MAX entries; hot extents, UINT32_MAX where free
 * @hot_count: receives the number of hot extents
 * @corrupt_count: receives the number of blocks that could not be used
 * @next_number: receives a transaction number newer than all that were seen
 * Returns 0, or -BSR_E_AL_UNUSABLE when the log says nothing. Rules: docs/format/activity-log.md,
 * "Replay".
 */
int bsr_al_replay(const uint8_t *ring, uint32_t stripes, uint32_t stripe_blocks, uint32_t *table, uint32_t *hot_count,
	uint32_t *corrupt_count, uint32_t *next_number) BSR_MUST_CHECK;

/**
 * bsr_al_replay_is_complete - after bsr_al_replay() gave 0: no damaged block can hide an extent
 * that was hot
 *
 * One block torn by the crash is harmless, because the write behind it was not allowed yet, and so
 * are blocks whose content later transactions repeat. False: something may be missing, so
 * everything must count as out of sync.
 */
bool bsr_al_replay_is_complete(const uint8_t *ring, uint32_t stripes, uint32_t stripe_blocks);

#endif
