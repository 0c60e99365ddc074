// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * activity_log.c - which extents may differ between replicas after a crash
 *
 * Owns:       extent slots, pins, their least-recently-used order, the transaction under way.
 * May touch:  nothing else; the volume code does the I/O.
 * Invariants:
 *   AL-1  A data write is emitted only while the activation of its extents is durable.
 *   AL-2  An extent leaves the log only when nothing pins it.
 *   AL-3  The slot of an extent that left for being idle is given to another one only by a later transaction.
 * Format:     docs/format/activity-log.md
 *
 * An extent that somebody knows about is an entry. It is waiting (pinned, no slot yet), committing
 * (it has a slot, the transaction that says so is being written) or hot (durable). Extents with
 * pins never outnumber the slots, so whoever waits always gets a slot in the end, and nobody holds
 * one while waiting for another.
 *
 * A transaction that could not be written may be on disk all the same. Until its place in the ring
 * has been written again nobody knows, so neither its new extents nor its victims count as hot: the
 * next transaction repeats its updates under the same number, and adds what has come to wait since.
 */
#include <string.h>

#include <bsr/assert.h>

#include "activity_log.h"

#define NIL UINT32_MAX
#define LEAVING (NIL - 1) /* of a slot: its extent leaves with the transaction under way */
#define NO_EXTENT UINT32_MAX
#define LIST_COUNT 2u
#define HASH_MULTIPLIER 2654435769u /* 2^32 divided by the golden ratio */

enum entry_state { ENTRY_UNUSED, ENTRY_WAITING, ENTRY_COMMITTING, ENTRY_HOT };

struct entry {
	uint32_t extent;
	uint32_t pins;
	uint32_t hash_next;
	uint32_t prev; /* in the list of its state: waiting, or hot without pins */
	uint32_t next; /* there, or in the list of unused entries */
	uint32_t slot;
	uint32_t state; /* enum entry_state */
	uint32_t idle_tick; /* when its last pin went */
};
BSR_STATIC_ASSERT(sizeof(struct entry) == 32, "an index becomes an address by a shift");

/* A ring of entries closed by one that is no extent: next of it is the oldest, prev the newest. */
struct list {
	uint32_t ends;
	uint32_t count;
};

struct update {
	uint32_t entry; /* who gets the slot; NIL: nobody, it becomes free */
	uint32_t slot;
	uint32_t victim_extent; /* who leaves it; NO_EXTENT: it was free */
};

struct bsr_al {
	struct entry *entry;
	uint32_t *hash;
	uint32_t *slot_entry; /* which entry has the slot, NIL = free, or LEAVING */
	uint32_t *durable;    /* what the ring says about the slot: the context to be written */
	uint32_t hash_shift;
	uint32_t hash_size;
	uint32_t slot_count;
	uint32_t entry_count;
	uint32_t unused_head;
	uint32_t first_free_slot; /* no slot below is free */
	uint32_t used;
	uint32_t leaving; /* slots that become free */
	uint32_t tick;
	uint32_t cool_ticks;
	uint32_t pinned; /* entries with pins, in any state */
	struct list idle;    /* hot without pins, least recently used first */
	struct list waiting; /* first come, first served */
	uint32_t ring_blocks;
	uint32_t stripes;
	uint32_t number; /* of the next transaction */
	uint32_t context_start;
	uint32_t update_count; /* of the transaction under way, or of the one to be repeated */
	bool under_way;
	struct update update[BSR_AL_UPDATES_PER_TRANSACTION];
	struct bsr_al_transaction transaction; /* scratch: too large for a stack */
};

BSR_STATIC_ASSERT(BSR_REQUEST_EXTENTS_MAX <= BSR_AL_EXTENTS_MIN, "one request fits into any log");
BSR_STATIC_ASSERT(BSR_AL_EXTENTS_MAX < UINT16_MAX, "slot 0xffff means none in the format");

/* ------------------------------------------------------------- small parts */

static inline uint32_t bucket_of(const struct bsr_al *al, uint32_t extent)
{
	return (extent * HASH_MULTIPLIER) >> al->hash_shift;
}

static inline uint32_t lookup(const struct bsr_al *al, uint32_t extent)
{
	uint32_t at = al->hash[bucket_of(al, extent)];
	while (at != NIL && al->entry[at].extent != extent) {
		at = al->entry[at].hash_next;
	}
	return at;
}

static void list_init(struct bsr_al *al, struct list *list, uint32_t ends)
{
	al->entry[ends] = (struct entry){.extent = NO_EXTENT, .prev = ends, .next = ends};
	*list = (struct list){.ends = ends};
}

static inline uint32_t list_oldest(const struct bsr_al *al, const struct list *list)
{
	return list->count > 0 ? al->entry[list->ends].next : NIL;
}

static inline void list_append(struct bsr_al *al, struct list *list, uint32_t at)
{
	const uint32_t newest = al->entry[list->ends].prev;
	al->entry[at].prev = newest;
	al->entry[at].next = list->ends;
	al->entry[newest].next = at;
	al->entry[list->ends].prev = at;
	list->count++;
}

static inline void list_remove(struct bsr_al *al, struct list *list, uint32_t at)
{
	const uint32_t prev = al->entry[at].prev;
	const uint32_t next = al->entry[at].next;
	BSR_ASSERT(list->count > 0);
	al->entry[prev].next = next;
	al->entry[next].prev = prev;
	list->count--;
}

static inline void become_idle(struct bsr_al *al, uint32_t at)
{
	al->entry[at].idle_tick = al->tick;
	list_append(al, &al->idle, at);
}

static uint32_t entry_new(struct bsr_al *al, uint32_t extent, enum entry_state state)
{
	const uint32_t at = al->unused_head;
	BSR_ASSERT(at != NIL); /* hot <= slots, and pinned <= slots */
	struct entry *e = &al->entry[at];
	al->unused_head = e->next;
	const uint32_t bucket = bucket_of(al, extent);
	*e = (struct entry){.extent = extent,
		.hash_next = al->hash[bucket],
		.prev = NIL,
		.next = NIL,
		.slot = NIL,
		.state = (uint32_t)state};
	al->hash[bucket] = at;
	return at;
}

static void entry_forget(struct bsr_al *al, uint32_t at)
{
	struct entry *e = &al->entry[at];
	BSR_ASSERT(e->pins == 0); /* AL-2 */
	uint32_t *link = &al->hash[bucket_of(al, e->extent)];
	while (*link != at) {
		BSR_ASSERT(*link != NIL);
		link = &al->entry[*link].hash_next;
	}
	*link = e->hash_next;
	e->state = ENTRY_UNUSED;
	e->next = al->unused_head;
	al->unused_head = at;
}

/* ------------------------------------------------------------------ set-up */

static uint32_t hash_bits(uint32_t slot_count)
{
	uint32_t bits = 8;
	while ((1u << bits) < 2 * slot_count) {
		bits++;
	}
	return bits;
}

static size_t align64(size_t bytes)
{
	return (bytes + 63) & ~(size_t)63;
}

/* Entries: as many hot as there are slots, and as many waiting as could take their places. */
static uint32_t entries_for(uint32_t slot_count)
{
	return 2 * slot_count;
}

size_t bsr_al_memory(uint32_t slot_count)
{
	BSR_ASSERT(slot_count >= BSR_AL_EXTENTS_MIN && slot_count <= BSR_AL_EXTENTS_MAX);
	return align64(sizeof(struct bsr_al)) +
	       align64(((size_t)entries_for(slot_count) + LIST_COUNT) * sizeof(struct entry)) +
	       align64(((size_t)1 << hash_bits(slot_count)) * sizeof(uint32_t)) +
	       2 * align64((size_t)slot_count * sizeof(uint32_t));
}

uint32_t bsr_al_slot_limit(uint32_t ring_blocks)
{
	if (ring_blocks < 2) {
		return 0;
	}
	if (ring_blocks - 1 > BSR_AL_EXTENTS_MAX / BSR_AL_CONTEXT_PER_TRANSACTION) {
		return BSR_AL_EXTENTS_MAX;
	}
	return (ring_blocks - 1) * BSR_AL_CONTEXT_PER_TRANSACTION;
}

static void fill_nil(uint32_t *words, uint32_t count)
{
	memset(words, 0xff, (size_t)count * sizeof(*words));
}

struct bsr_al *bsr_al_init(
	void *mem, uint32_t slot_count, uint32_t ring_blocks, uint32_t stripes, uint32_t first_transaction)
{
	BSR_ASSERT(slot_count >= BSR_AL_EXTENTS_MIN && slot_count <= BSR_AL_EXTENTS_MAX);
	BSR_ASSERT(slot_count <= bsr_al_slot_limit(ring_blocks));
	BSR_ASSERT(stripes >= 1 && ring_blocks % stripes == 0);
	struct bsr_al *al = mem;
	uint8_t *at = (uint8_t *)mem + align64(sizeof(*al));
	memset(al, 0, sizeof(*al));
	al->slot_count = slot_count;
	al->entry_count = entries_for(slot_count);
	al->entry = (struct entry *)(void *)at;
	at += align64(((size_t)al->entry_count + LIST_COUNT) * sizeof(struct entry));
	al->hash_size = 1u << hash_bits(slot_count);
	al->hash_shift = 32 - hash_bits(slot_count);
	al->hash = (uint32_t *)(void *)at;
	at += align64((size_t)al->hash_size * sizeof(uint32_t));
	al->slot_entry = (uint32_t *)(void *)at;
	at += align64((size_t)slot_count * sizeof(uint32_t));
	al->durable = (uint32_t *)(void *)at;
	fill_nil(al->hash, al->hash_size);
	fill_nil(al->slot_entry, slot_count);
	fill_nil(al->durable, slot_count);
	memset(al->entry, 0, (size_t)al->entry_count * sizeof(struct entry));
	for (uint32_t i = 0; i < al->entry_count; i++) {
		al->entry[i].next = i + 1 < al->entry_count ? i + 1 : NIL;
	}
	list_init(al, &al->idle, al->entry_count);
	list_init(al, &al->waiting, al->entry_count + 1);
	al->ring_blocks = ring_blocks;
	al->stripes = stripes;
	al->number = first_transaction;
	al->cool_ticks = BSR_AL_STAY;
	return al;
}

/* -------------------------------------------------------------------- pins */

static inline void pin_known(struct bsr_al *al, uint32_t at)
{
	struct entry *e = &al->entry[at];
	BSR_ASSERT(e->pins < UINT32_MAX);
	if (e->pins++ == 0) {
		al->pinned++;
		if (e->state == ENTRY_HOT) {
			list_remove(al, &al->idle, at);
		}
	}
}

static void pin_new(struct bsr_al *al, uint32_t extent)
{
	const uint32_t at = entry_new(al, extent, ENTRY_WAITING);
	al->entry[at].pins = 1;
	al->pinned++;
	list_append(al, &al->waiting, at);
}

/* Not inlined: its registers would be saved on the path of the hot extent, too. */
static __attribute__((noinline)) enum bsr_al_answer pin_several(struct bsr_al *al, uint32_t first, uint32_t count)
{
	uint32_t newly_pinned = 0;
	for (uint32_t i = 0; i < count; i++) {
		const uint32_t at = lookup(al, first + i);
		newly_pinned += at == NIL || al->entry[at].pins == 0;
	}
	if (newly_pinned > al->slot_count - al->pinned) {
		return BSR_AL_FULL;
	}
	enum bsr_al_answer answer = BSR_AL_GO;
	for (uint32_t i = 0; i < count; i++) {
		const uint32_t at = lookup(al, first + i);
		if (at == NIL) {
			pin_new(al, first + i);
			answer = BSR_AL_WAIT;
			continue;
		}
		pin_known(al, at);
		if (al->entry[at].state != ENTRY_HOT) {
			answer = BSR_AL_WAIT;
		}
	}
	BSR_ASSERT(al->pinned <= al->slot_count);
	return answer;
}

inline enum bsr_al_answer bsr_al_pin(struct bsr_al *al, uint32_t first, uint32_t count)
{
	BSR_ASSERT(count >= 1 && count <= BSR_REQUEST_EXTENTS_MAX);
	BSR_ASSERT(first <= NO_EXTENT - count);
	if (count == 1) {
		const uint32_t at = lookup(al, first);
		/*
		 * an idle one is a slot that somebody who waits may need: not when all are spoken
		 * for
		 */
		if (at != NIL && al->entry[at].state == ENTRY_HOT &&
			(al->entry[at].pins > 0 || al->pinned < al->slot_count)) {
			pin_known(al, at);
			return BSR_AL_GO;
		}
	}
	return pin_several(al, first, count);
}

bool bsr_al_ready(const struct bsr_al *al, uint32_t first, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++) {
		const uint32_t at = lookup(al, first + i);
		BSR_ASSERT(at != NIL && al->entry[at].pins > 0); /* asked by who holds the pins */
		if (al->entry[at].state != ENTRY_HOT) {
			return false;
		}
	}
	return true;
}

/* The last pin of an extent that is not hot is gone. */
static __attribute__((noinline)) void settle_cold(struct bsr_al *al, uint32_t at)
{
	if (al->entry[at].state == ENTRY_WAITING) {
		list_remove(al, &al->waiting, at);
		entry_forget(al, at);
	}
	/* a committing one stays: its transaction may be on disk already */
}

static inline void unpin_one(struct bsr_al *al, uint32_t extent)
{
	const uint32_t at = lookup(al, extent);
	BSR_ASSERT(at != NIL);
	struct entry *e = &al->entry[at];
	BSR_ASSERT(e->pins > 0);
	if (--e->pins > 0) {
		return;
	}
	al->pinned--;
	if (e->state == ENTRY_HOT) {
		become_idle(al, at);
	} else {
		settle_cold(al, at);
	}
}

inline void bsr_al_unpin(struct bsr_al *al, uint32_t first, uint32_t count)
{
	BSR_ASSERT(count >= 1 && count <= BSR_REQUEST_EXTENTS_MAX);
	uint32_t extent = first;
	do {
		unpin_one(al, extent);
	} while (++extent != first + count);
}

/* ------------------------------------------------------------ transactions */

void bsr_al_tick(struct bsr_al *al)
{
	al->tick++;
}

void bsr_al_cool(struct bsr_al *al, uint32_t ticks)
{
	al->cool_ticks = ticks;
}

/* The extent that has been idle longest, if that is @ticks at least; else NIL. */
static uint32_t coolest(const struct bsr_al *al, uint32_t ticks)
{
	const uint32_t at = list_oldest(al, &al->idle);
	return ticks != BSR_AL_STAY && at != NIL && al->tick - al->entry[at].idle_tick >= ticks ? at : NIL;
}

bool bsr_al_in_demand(const struct bsr_al *al)
{
	return al->waiting.count > 0;
}

bool bsr_al_transaction_wanted(const struct bsr_al *al)
{
	return !al->under_way && (al->waiting.count > 0 || al->update_count > 0 || coolest(al, al->cool_ticks) != NIL);
}

/*
 * A free slot, else that of the least recently used idle extent, which leaves; NIL when every slot
 * is held.
 */
static uint32_t take_slot(struct bsr_al *al, uint32_t *victim_extent)
{
	*victim_extent = NO_EXTENT;
	while (al->first_free_slot < al->slot_count) {
		const uint32_t slot = al->first_free_slot++;
		if (al->slot_entry[slot] == NIL) {
			al->used++;
			return slot;
		}
	}
	const uint32_t at = list_oldest(al, &al->idle);
	if (at == NIL) {
		return NIL;
	}
	const uint32_t slot = al->entry[at].slot;
	*victim_extent = al->entry[at].extent;
	list_remove(al, &al->idle, at);
	entry_forget(al, at);
	return slot;
}

/* Gives slots to those who wait, oldest first. Returns whether somebody has to leave for them. */
static bool serve_waiting(struct bsr_al *al)
{
	bool evicts = false;
	while (al->update_count < BSR_AL_UPDATES_PER_TRANSACTION && al->waiting.count > 0) {
		uint32_t victim_extent;
		const uint32_t slot = take_slot(al, &victim_extent);
		if (slot == NIL) {
			/* only updates of a repeated transaction hold slots without pins */
			BSR_ASSERT(al->update_count > 0);
			break;
		}
		const uint32_t at = list_oldest(al, &al->waiting);
		list_remove(al, &al->waiting, at);
		al->entry[at].state = ENTRY_COMMITTING;
		al->entry[at].slot = slot;
		al->slot_entry[slot] = at;
		al->update[al->update_count++] =
			(struct update){.entry = at, .slot = slot, .victim_extent = victim_extent};
		evicts = evicts || victim_extent != NO_EXTENT;
	}
	return evicts;
}

/* AL-3 */
static void send_away(struct bsr_al *al, uint32_t ticks)
{
	uint32_t at;
	while (al->update_count < BSR_AL_UPDATES_PER_TRANSACTION && (at = coolest(al, ticks)) != NIL) {
		const uint32_t slot = al->entry[at].slot;
		al->update[al->update_count++] =
			(struct update){.entry = NIL, .slot = slot, .victim_extent = al->entry[at].extent};
		list_remove(al, &al->idle, at);
		entry_forget(al, at);
		al->slot_entry[slot] = LEAVING;
		al->leaving++;
	}
}

/* Behind the updates of a transaction that must be repeated. */
static void choose_updates(struct bsr_al *al)
{
	if (serve_waiting(al)) {
		send_away(al, BSR_AL_COOL_TICKS); /* the flush is due in any case, and free slots save the next one */
	} else if (al->update_count == 0) {
		send_away(al, al->cool_ticks);
	}
}

static void describe(struct bsr_al *al, struct bsr_al_transaction *t)
{
	memset(t, 0, sizeof(*t));
	t->number = al->number;
	t->update_count = (uint16_t)al->update_count;
	t->context_size = (uint16_t)al->slot_count;
	t->context_start = (uint16_t)al->context_start;
	for (uint32_t i = 0; i < BSR_AL_UPDATES_PER_TRANSACTION; i++) {
		const bool is_used = i < al->update_count;
		const struct update *u = &al->update[i];
		t->update_slot[i] = is_used ? (uint16_t)u->slot : UINT16_MAX;
		t->update_extent[i] = is_used && u->entry != NIL ? al->entry[u->entry].extent : NO_EXTENT;
	}
	for (uint32_t i = 0; i < BSR_AL_CONTEXT_PER_TRANSACTION; i++) {
		const uint32_t slot = al->context_start + i;
		t->context[i] = slot < al->slot_count ? al->durable[slot] : NO_EXTENT;
	}
}

uint32_t bsr_al_begin_transaction(
	struct bsr_al *al, uint8_t *block, uint32_t *ring_block, uint32_t *evicted)
{
	BSR_ASSERT(bsr_al_transaction_wanted(al));
	choose_updates(al);
	BSR_ASSERT(al->update_count > 0);
	describe(al, &al->transaction);
	bsr_al_transaction_encode(block, &al->transaction);
	*ring_block = bsr_al_ring_place(al->number, al->stripes, al->ring_blocks / al->stripes);
	BSR_ASSERT(*ring_block < al->ring_blocks);
	uint32_t evicted_count = 0;
	for (uint32_t i = 0; i < al->update_count; i++) {
		if (al->update[i].victim_extent != NO_EXTENT) {
			evicted[evicted_count++] = al->update[i].victim_extent;
		}
	}
	al->under_way = true;
	return evicted_count;
}

/* An update has become durable. */
static void apply(struct bsr_al *al, const struct update *u)
{
	if (u->entry == NIL) {
		BSR_ASSERT(al->slot_entry[u->slot] == LEAVING);
		al->slot_entry[u->slot] = NIL;
		al->durable[u->slot] = NO_EXTENT;
		al->first_free_slot = u->slot < al->first_free_slot ? u->slot : al->first_free_slot;
		al->used--;
		al->leaving--;
		return;
	}
	struct entry *e = &al->entry[u->entry];
	BSR_ASSERT(e->state == ENTRY_COMMITTING && e->slot == u->slot);
	e->state = ENTRY_HOT;
	al->durable[u->slot] = e->extent;
	if (e->pins == 0) {
		become_idle(al, u->entry);
	}
}

void bsr_al_transaction_done(struct bsr_al *al, bool ok)
{
	BSR_ASSERT(al->under_way);
	al->under_way = false;
	if (!ok) {
		return; /* update_count stays: wanted again, with the same number */
	}
	for (uint32_t i = 0; i < al->update_count; i++) {
		apply(al, &al->update[i]);
	}
	al->update_count = 0;
	al->number++;
	al->context_start += BSR_AL_CONTEXT_PER_TRANSACTION;
	if (al->context_start >= al->slot_count) {
		al->context_start = 0;
	}
}

/* ----------------------------------------------------------------- queries */

uint32_t bsr_al_slots(const struct bsr_al *al)
{
	return al->slot_count;
}

uint32_t bsr_al_used(const struct bsr_al *al)
{
	return al->used;
}

uint32_t bsr_al_pinned(const struct bsr_al *al)
{
	return al->pinned - al->waiting.count;
}

bool bsr_al_is_hot(const struct bsr_al *al, uint32_t extent)
{
	const uint32_t at = lookup(al, extent);
	return at != NIL && al->entry[at].state == ENTRY_HOT;
}

int bsr_al_mark_hot_slot(struct bsr_al *al, uint32_t slot, uint32_t extent)
{
	BSR_ASSERT(!al->under_way);
	if (slot >= al->slot_count || extent == NO_EXTENT) {
		return -BSR_E_RANGE;
	}
	if (al->slot_entry[slot] != NIL || lookup(al, extent) != NIL) {
		return -BSR_E_NO_SPACE;
	}
	const uint32_t at = entry_new(al, extent, ENTRY_HOT);
	al->entry[at].slot = slot;
	al->slot_entry[slot] = at;
	al->durable[slot] = extent;
	al->used++;
	become_idle(al, at);
	return 0;
}

int bsr_al_mark_hot(struct bsr_al *al, uint32_t extent)
{
	if (bsr_al_is_hot(al, extent)) {
		return 0;
	}
	while (al->first_free_slot < al->slot_count &&
		al->slot_entry[al->first_free_slot] != NIL) {
		al->first_free_slot++;
	}
	if (al->first_free_slot == al->slot_count) {
		return -BSR_E_NO_SPACE;
	}
	return bsr_al_mark_hot_slot(al, al->first_free_slot, extent);
}

/* ------------------------------------------------------------------- check */

static uint32_t check_list(const struct bsr_al *al, const struct list *list)
{
	uint32_t count = 0;
	uint32_t prev = list->ends;
	for (uint32_t at = al->entry[prev].next; at != list->ends; at = al->entry[at].next) {
		BSR_ASSERT(al->entry[at].prev == prev);
		BSR_ASSERT(count < al->entry_count);
		prev = at;
		count++;
	}
	BSR_ASSERT(al->entry[list->ends].prev == prev);
	BSR_ASSERT(list->count == count);
	return count;
}

void bsr_al_check(const struct bsr_al *al)
{
	uint32_t by_state[4] = {0};
	uint32_t pinned = 0;
	uint32_t idle = 0;
	uint32_t used = 0;
	for (uint32_t at = 0; at < al->entry_count; at++) {
		const struct entry *e = &al->entry[at];
		by_state[e->state]++;
		if (e->state == ENTRY_UNUSED) {
			continue;
		}
		BSR_ASSERT(lookup(al, e->extent) == at);
		pinned += e->pins > 0;
		idle += e->pins == 0 && e->state == ENTRY_HOT;
		BSR_ASSERT(e->state != ENTRY_WAITING || e->pins > 0);
		if (e->state != ENTRY_WAITING) {
			BSR_ASSERT(al->slot_entry[e->slot] == at);
		}
		if (e->state == ENTRY_HOT) {
			BSR_ASSERT(al->durable[e->slot] == e->extent); /* AL-1 */
		}
	}
	for (uint32_t slot = 0; slot < al->slot_count; slot++) {
		used += al->slot_entry[slot] != NIL;
		BSR_ASSERT(slot >= al->first_free_slot || al->slot_entry[slot] != NIL);
	}
	BSR_ASSERT(check_list(al, &al->idle) == idle);
	BSR_ASSERT(check_list(al, &al->waiting) == by_state[ENTRY_WAITING]);
	BSR_ASSERT(by_state[ENTRY_COMMITTING] + al->leaving == al->update_count);
	BSR_ASSERT(used == al->used && used == by_state[ENTRY_HOT] + by_state[ENTRY_COMMITTING] + al->leaving);
	BSR_ASSERT(pinned == al->pinned && pinned <= al->slot_count);
}
