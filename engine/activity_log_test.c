// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * activity_log_test.c - pins, eviction and transactions, against a plain model and against crashes
 */
#include "activity_log.h"
#include "test_support.h"

#define RING_BLOCKS 8u
#define SLOTS BSR_AL_EXTENTS_MIN
#define UPDATES BSR_AL_UPDATES_PER_TRANSACTION

static struct bsr_al *new_log(uint32_t slots, uint32_t ring_blocks, uint32_t stripes)
{
	return bsr_al_init(test_memory(bsr_al_memory(slots)), slots, ring_blocks, stripes, 0);
}

static void commit(struct bsr_al *al)
{
	static uint8_t block[4096];
	uint32_t place;
	uint32_t evicted[UPDATES];
	while (bsr_al_transaction_wanted(al)) {
		(void)bsr_al_begin_transaction(al, block, &place, evicted);
		bsr_al_transaction_done(al, true);
	}
}

/* ------------------------------------------------------------- single claims */

static void a_cold_extent_waits_for_its_transaction(void **state)
{
	(void)state;
	struct bsr_al *al = new_log(SLOTS, RING_BLOCKS, 1);
	assert_int_equal(bsr_al_pin(al, 7, 1), BSR_AL_WAIT);
	assert_true(bsr_al_transaction_wanted(al));
	assert_false(bsr_al_ready(al, 7, 1));
	uint8_t block[4096];
	uint32_t place;
	uint32_t evicted[UPDATES];
	assert_int_equal(bsr_al_begin_transaction(al, block, &place, evicted), 0);
	assert_int_equal(place, bsr_al_ring_place(0, 1, RING_BLOCKS));
	assert_false(bsr_al_ready(al, 7, 1)); /* AL-1: begun is not durable */
	assert_false(bsr_al_transaction_wanted(al));
	bsr_al_transaction_done(al, true);
	assert_true(bsr_al_ready(al, 7, 1));
	bsr_al_unpin(al, 7, 1);
	assert_int_equal(bsr_al_pin(al, 7, 1), BSR_AL_GO);
	bsr_al_check(al);
	free(al);
}

static void pins_collect_while_a_transaction_is_under_way(void **state)
{
	(void)state;
	struct bsr_al *al = new_log(SLOTS, RING_BLOCKS, 1);
	uint8_t block[4096];
	uint32_t place;
	uint32_t evicted[UPDATES];
	assert_int_equal(bsr_al_pin(al, 1, 1), BSR_AL_WAIT);
	(void)bsr_al_begin_transaction(al, block, &place, evicted);
	assert_int_equal(bsr_al_pin(al, 2, 2), BSR_AL_WAIT);
	assert_int_equal(bsr_al_pin(al, 1, 1), BSR_AL_WAIT); /* not durable yet */
	bsr_al_transaction_done(al, true);
	assert_true(bsr_al_ready(al, 1, 1));
	assert_false(bsr_al_ready(al, 2, 2));
	assert_true(bsr_al_transaction_wanted(al));
	commit(al);
	assert_true(bsr_al_ready(al, 1, 3));
	assert_int_equal(bsr_al_used(al), 3);
	assert_int_equal(bsr_al_pinned(al), 3);
	bsr_al_check(al);
	free(al);
}

static void a_full_log_changes_nothing(void **state)
{
	(void)state;
	struct bsr_al *al = new_log(SLOTS, RING_BLOCKS, 1);
	for (uint32_t i = 0; i < SLOTS - 1; i++) {
		assert_int_equal(bsr_al_pin(al, i, 1), BSR_AL_WAIT);
	}
	commit(al);
	assert_int_equal(bsr_al_pin(al, 1000, 2), BSR_AL_FULL);
	assert_false(bsr_al_transaction_wanted(al));
	assert_int_equal(bsr_al_pinned(al), SLOTS - 1);
	assert_int_equal(bsr_al_pin(al, SLOTS - 2, 2), BSR_AL_WAIT); /* one hot, one new: fits */
	assert_int_equal(bsr_al_pin(al, 1000, 1), BSR_AL_FULL);
	assert_int_equal(bsr_al_pin(al, 3, 1), BSR_AL_GO); /* pinned already: needs no slot */
	commit(al);
	bsr_al_unpin(al, 5, 1);
	assert_int_equal(bsr_al_pin(al, 1000, 1), BSR_AL_WAIT);
	/* the only idle slot is promised to extent 1000 */
	assert_int_equal(bsr_al_pin(al, 5, 1), BSR_AL_FULL);
	commit(al);
	assert_false(bsr_al_is_hot(al, 5));
	bsr_al_check(al);
	free(al);
}

static void the_least_recently_used_idle_extent_leaves(void **state)
{
	(void)state;
	struct bsr_al *al = new_log(SLOTS, RING_BLOCKS, 1);
	for (uint32_t i = 0; i < SLOTS; i++) {
		assert_int_equal(bsr_al_pin(al, i, 1), BSR_AL_WAIT);
	}
	commit(al);
	for (uint32_t i = 1; i < SLOTS; i++) {
		bsr_al_unpin(al, i, 1);
	}
	assert_int_equal(bsr_al_pin(al, 1, 1), BSR_AL_GO);
	bsr_al_unpin(al, 1, 1); /* used again: no longer the oldest */
	assert_int_equal(bsr_al_pin(al, 500, 1), BSR_AL_WAIT);
	uint8_t block[4096];
	uint32_t place;
	uint32_t evicted[UPDATES];
	assert_int_equal(bsr_al_begin_transaction(al, block, &place, evicted), 1);
	assert_int_equal(evicted[0], 2); /* 0 is pinned (AL-2), 1 was used after 2 */
	assert_false(bsr_al_is_hot(al, 2));
	bsr_al_transaction_done(al, true);
	assert_true(bsr_al_is_hot(al, 0));
	assert_true(bsr_al_is_hot(al, 1));
	bsr_al_check(al);
	free(al);
}

static void a_failed_transaction_is_repeated_with_the_same_number(void **state)
{
	(void)state;
	struct bsr_al *al = new_log(SLOTS, RING_BLOCKS, 1);
	for (uint32_t i = 0; i < SLOTS; i++) {
		assert_int_equal(bsr_al_pin(al, i, 1), BSR_AL_WAIT);
	}
	commit(al);
	for (uint32_t i = 0; i < SLOTS; i++) {
		bsr_al_unpin(al, i, 1);
	}
	uint8_t block[4096];
	uint32_t place;
	uint32_t again;
	uint32_t evicted[UPDATES];
	struct bsr_al_transaction t;
	assert_int_equal(bsr_al_pin(al, 200, 1), BSR_AL_WAIT);
	assert_int_equal(bsr_al_begin_transaction(al, block, &place, evicted), 1);
	bsr_al_transaction_done(al, false);
	assert_false(bsr_al_ready(al, 200, 1));
	assert_false(bsr_al_is_hot(al, 0)); /* the ring may say that it left */
	assert_true(bsr_al_transaction_wanted(al));
	/* the writer gave up; the slot's content on disk is still unknown */
	bsr_al_unpin(al, 200, 1);
	assert_true(bsr_al_transaction_wanted(al));
	assert_int_equal(bsr_al_pin(al, 0, 1), BSR_AL_WAIT);
	assert_int_equal(bsr_al_begin_transaction(al, block, &again, evicted), 2);
	assert_int_equal(again, place);
	assert_int_equal(evicted[0], 0);
	assert_int_equal(bsr_al_transaction_decode(&t, block), 0);
	assert_int_equal(t.update_count, 2);
	assert_int_equal(t.update_extent[0], 200);
	assert_int_equal(t.update_extent[1], 0);
	bsr_al_transaction_done(al, true);
	assert_true(bsr_al_ready(al, 0, 1));
	assert_true(bsr_al_is_hot(al, 200));
	bsr_al_check(al);
	free(al);
}

static void contexts_describe_every_slot_in_turn(void **state)
{
	(void)state;
	const uint32_t slots = 2000;
	struct bsr_al *al = new_log(slots, RING_BLOCKS, 1);
	const uint32_t starts[] = {0, 919, 1838, 0, 919};
	uint8_t block[4096];
	uint32_t place;
	uint32_t evicted[UPDATES];
	struct bsr_al_transaction t;
	for (uint32_t i = 0; i < 5; i++) {
		assert_int_equal(bsr_al_pin(al, 100 + i, 1), BSR_AL_WAIT);
		(void)bsr_al_begin_transaction(al, block, &place, evicted);
		bsr_al_transaction_done(al, true);
		assert_int_equal(bsr_al_transaction_decode(&t, block), 0);
		assert_int_equal(t.number, i);
		assert_int_equal(t.context_start, starts[i]);
		assert_int_equal(t.context_size, slots);
		assert_int_equal(t.update_slot[0], i);
		assert_int_equal(t.update_extent[0], 100 + i);
		/* as it was before this transaction */
		assert_int_equal(t.context[i], UINT32_MAX);
		if (i == 3) {
			assert_int_equal(t.context[2], 102);
		}
	}
	free(al);
}

static void extents_of_a_log_on_disk_keep_their_slots(void **state)
{
	(void)state;
	struct bsr_al *al = new_log(SLOTS, RING_BLOCKS, 1);
	assert_int_equal(bsr_al_mark_hot_slot(al, 1, 50), 0);
	assert_int_equal(bsr_al_mark_hot_slot(al, 1, 51), -BSR_E_NO_SPACE);
	assert_int_equal(bsr_al_mark_hot_slot(al, 2, 50), -BSR_E_NO_SPACE);
	assert_int_equal(bsr_al_mark_hot_slot(al, SLOTS, 60), -BSR_E_RANGE);
	assert_int_equal(bsr_al_mark_hot_slot(al, 3, UINT32_MAX), -BSR_E_RANGE);
	assert_int_equal(bsr_al_mark_hot(al, 60), 0); /* slot 0 */
	assert_int_equal(bsr_al_mark_hot(al, 60), 0);
	assert_int_equal(bsr_al_pin(al, 61, 1), BSR_AL_WAIT);
	uint8_t block[4096];
	uint32_t place;
	uint32_t evicted[UPDATES];
	struct bsr_al_transaction t;
	(void)bsr_al_begin_transaction(al, block, &place, evicted);
	assert_int_equal(bsr_al_transaction_decode(&t, block), 0);
	assert_int_equal(t.context[0], 60);
	assert_int_equal(t.context[1], 50);
	assert_int_equal(t.update_slot[0], 2);
	bsr_al_transaction_done(al, true);
	for (uint32_t i = 3; i < SLOTS; i++) {
		assert_int_equal(bsr_al_mark_hot(al, 1000 + i), 0);
	}
	assert_int_equal(bsr_al_mark_hot(al, 2000), -BSR_E_NO_SPACE);
	bsr_al_check(al);
	free(al);
}

/* A log in which extents 0..count-1 are hot and idle. */
static struct bsr_al *idle_log(uint32_t count)
{
	struct bsr_al *al = new_log(SLOTS, RING_BLOCKS, 1);
	for (uint32_t i = 0; i < count; i++) {
		assert_int_equal(bsr_al_pin(al, i, 1), BSR_AL_WAIT);
	}
	commit(al);
	for (uint32_t i = 0; i < count; i++) {
		bsr_al_unpin(al, i, 1);
	}
	return al;
}

static void ticks(struct bsr_al *al, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++) {
		bsr_al_tick(al);
	}
}

static void idle_extents_leave_after_a_while(void **state)
{
	(void)state;
	struct bsr_al *al = idle_log(4);
	uint8_t block[4096];
	uint32_t place;
	uint32_t evicted[UPDATES];
	struct bsr_al_transaction t;
	ticks(al, 3);
	assert_int_equal(bsr_al_pin(al, 1, 1), BSR_AL_GO);
	ticks(al, 4);
	assert_false(bsr_al_transaction_wanted(al)); /* nobody asked for it */
	bsr_al_cool(al, 7);
	assert_true(bsr_al_transaction_wanted(al));
	bsr_al_unpin(al, 1, 1); /* idle since now */
	assert_int_equal(bsr_al_begin_transaction(al, block, &place, evicted), 3);
	assert_int_equal(evicted[0], 0);
	assert_int_equal(evicted[1], 2);
	assert_int_equal(evicted[2], 3);
	assert_false(bsr_al_is_hot(al, 0));
	assert_int_equal(bsr_al_transaction_decode(&t, block), 0);
	assert_int_equal(t.update_count, 3);
	assert_int_equal(t.update_slot[0], 0);
	assert_int_equal(t.update_extent[0], UINT32_MAX);
	assert_int_equal(t.context[0], 0); /* as it was before */
	bsr_al_check(al);
	bsr_al_transaction_done(al, true);
	assert_false(bsr_al_transaction_wanted(al));
	assert_int_equal(bsr_al_used(al), 1);
	assert_int_equal(bsr_al_pin(al, 1, 1), BSR_AL_GO);
	assert_int_equal(bsr_al_pin(al, 0, 1), BSR_AL_WAIT);
	commit(al);
	assert_int_equal(bsr_al_used(al), 2);
	bsr_al_check(al);
	free(al);
}

static void a_pinned_extent_stays_however_long(void **state)
{
	(void)state;
	struct bsr_al *al = idle_log(3);
	assert_int_equal(bsr_al_pin(al, 2, 1), BSR_AL_GO);
	ticks(al, 1000);
	bsr_al_cool(al, 1);
	commit(al);
	assert_true(bsr_al_is_hot(al, 2)); /* AL-2 */
	assert_int_equal(bsr_al_used(al), 1);
	bsr_al_cool(al, 0);
	commit(al);
	assert_true(bsr_al_is_hot(al, 2));
	bsr_al_unpin(al, 2, 1);
	commit(al);
	assert_int_equal(bsr_al_used(al), 0);
	free(al);
}

static void who_waits_does_not_pay_for_idle_extents(void **state)
{
	(void)state;
	struct bsr_al *al = idle_log(SLOTS - 1);
	uint8_t block[4096];
	uint32_t place;
	uint32_t evicted[UPDATES];
	ticks(al, 2 * BSR_AL_COOL_TICKS);
	bsr_al_cool(al, BSR_AL_COOL_TICKS);
	assert_int_equal(bsr_al_pin(al, 500, 1), BSR_AL_WAIT);
	assert_int_equal(bsr_al_begin_transaction(al, block, &place, evicted), 0); /* a free slot: no flush */
	bsr_al_transaction_done(al, true);
	bsr_al_cool(al, BSR_AL_STAY);
	assert_int_equal(bsr_al_pin(al, 501, 1), BSR_AL_WAIT);
	assert_int_equal(bsr_al_begin_transaction(al, block, &place, evicted), UPDATES); /* a flush: all that it can */
	bsr_al_transaction_done(al, true);
	assert_int_equal(bsr_al_used(al), SLOTS - (UPDATES - 1));
	assert_false(bsr_al_transaction_wanted(al));
	bsr_al_check(al);
	free(al);
}

static void a_slot_is_not_given_away_before_it_is_free_on_disk(void **state)
{
	(void)state;
	struct bsr_al *al = idle_log(2);
	uint8_t block[4096];
	uint32_t place;
	uint32_t evicted[UPDATES];
	struct bsr_al_transaction t;
	bsr_al_cool(al, 0);
	assert_int_equal(bsr_al_begin_transaction(al, block, &place, evicted), 2);
	bsr_al_transaction_done(al, false); /* nobody knows what the ring says */
	assert_int_equal(bsr_al_pin(al, 0, 1), BSR_AL_WAIT);
	assert_int_equal(bsr_al_begin_transaction(al, block, &place, evicted), 2); /* their bits once more */
	assert_int_equal(bsr_al_transaction_decode(&t, block), 0);
	assert_int_equal(t.update_count, 3);
	assert_int_equal(t.update_extent[0], UINT32_MAX);
	assert_int_equal(t.update_extent[1], UINT32_MAX);
	assert_int_equal(t.update_extent[2], 0);
	assert_int_equal(t.update_slot[2], 2); /* AL-3 */
	bsr_al_check(al);
	bsr_al_transaction_done(al, true);
	assert_int_equal(bsr_al_pin(al, 9, 1), BSR_AL_WAIT);
	(void)bsr_al_begin_transaction(al, block, &place, evicted);
	assert_int_equal(bsr_al_transaction_decode(&t, block), 0);
	assert_int_equal(t.update_slot[0], 0);
	bsr_al_transaction_done(al, true);
	bsr_al_check(al);
	free(al);
}

static void limits_are_enforced(void **state)
{
	(void)state;
	assert_int_equal(bsr_al_slot_limit(0), 0);
	assert_int_equal(bsr_al_slot_limit(1), 0);
	assert_int_equal(bsr_al_slot_limit(2), 919);
	assert_int_equal(bsr_al_slot_limit(8), 6433);
	assert_int_equal(bsr_al_slot_limit(72), 71 * 919);
	assert_int_equal(bsr_al_slot_limit(73), BSR_AL_EXTENTS_MAX);
	assert_int_equal(bsr_al_slot_limit(UINT32_MAX), BSR_AL_EXTENTS_MAX);
	EXPECT_PANIC((void)bsr_al_memory(BSR_AL_EXTENTS_MIN - 1));
	EXPECT_PANIC((void)bsr_al_memory(BSR_AL_EXTENTS_MAX + 1));
	struct bsr_al *al = new_log(BSR_AL_EXTENTS_MAX, 80, 1);
	assert_int_equal(bsr_al_pin(al, 0, BSR_REQUEST_EXTENTS_MAX), BSR_AL_WAIT);
	EXPECT_PANIC((void)bsr_al_pin(al, 0, BSR_REQUEST_EXTENTS_MAX + 1));
	EXPECT_PANIC((void)bsr_al_pin(al, 0, 0));
	EXPECT_PANIC((void)bsr_al_pin(al, UINT32_MAX, 1));
	EXPECT_PANIC(bsr_al_unpin(al, 99, 1));
	EXPECT_PANIC(bsr_al_transaction_done(al, true));
	bsr_al_check(al);
	free(al);
}

/* ----------------------------------------------------------------- the model */

#define MODEL_EXTENTS 160u
#define HOLDERS_MAX 40u

/* Everything by linear search; times order the lists. */
struct model {
	uint32_t slots;
	uint32_t pins[MODEL_EXTENTS];
	enum { COLD, WAITING, COMMITTING, HOT } where[MODEL_EXTENTS];
	uint64_t since[MODEL_EXTENTS]; /* became idle, or began to wait */
	uint32_t since_tick[MODEL_EXTENTS];
	uint64_t clock;
	uint32_t tick;
	uint32_t cool;
	uint32_t leaving; /* slots that become free */
	bool under_way;
};

static uint32_t model_count(const struct model *m, bool only_pinned, bool only_slots)
{
	uint32_t count = 0;
	for (uint32_t i = 0; i < MODEL_EXTENTS; i++) {
		count += (!only_pinned || m->pins[i] > 0) &&
			 (!only_slots || m->where[i] == COMMITTING || m->where[i] == HOT);
	}
	return count;
}

static enum bsr_al_answer model_pin(struct model *m, uint32_t first, uint32_t count)
{
	uint32_t more = 0;
	enum bsr_al_answer answer = BSR_AL_GO;
	for (uint32_t i = first; i < first + count; i++) {
		more += m->pins[i] == 0;
	}
	if (model_count(m, true, false) + more > m->slots) {
		return BSR_AL_FULL;
	}
	for (uint32_t i = first; i < first + count; i++) {
		m->pins[i]++;
		if (m->where[i] == COLD) {
			m->where[i] = WAITING;
			m->since[i] = m->clock++;
		}
		if (m->where[i] != HOT) {
			answer = BSR_AL_WAIT;
		}
	}
	return answer;
}

static void model_unpin(struct model *m, uint32_t first, uint32_t count)
{
	for (uint32_t i = first; i < first + count; i++) {
		if (--m->pins[i] == 0) {
			m->since[i] = m->clock++;
			m->since_tick[i] = m->tick;
			m->where[i] = m->where[i] == WAITING ? COLD : m->where[i];
		}
	}
}

static uint32_t model_oldest(const struct model *m, int where, bool unpinned)
{
	uint32_t best = UINT32_MAX;
	for (uint32_t i = 0; i < MODEL_EXTENTS; i++) {
		if ((int)m->where[i] == where && (!unpinned || m->pins[i] == 0) &&
			(best == UINT32_MAX || m->since[i] < m->since[best])) {
			best = i;
		}
	}
	return best;
}

static uint32_t model_coolest(const struct model *m, uint32_t cool)
{
	const uint32_t oldest = model_oldest(m, HOT, true);
	return cool != BSR_AL_STAY && oldest != UINT32_MAX && m->tick - m->since_tick[oldest] >= cool ? oldest : UINT32_MAX;
}

/* returns the victims in order, appended to those of the transaction that is repeated */
static uint32_t model_begin(struct model *m, uint32_t *victims, uint32_t victim_count)
{
	uint32_t updates = m->leaving;
	uint32_t cool;
	const uint32_t had_victims = victim_count;
	for (uint32_t i = 0; i < MODEL_EXTENTS; i++) {
		updates += m->where[i] == COMMITTING;
	}
	for (; updates < UPDATES; updates++) {
		const uint32_t who = model_oldest(m, WAITING, false);
		if (who == UINT32_MAX) {
			break;
		}
		if (model_count(m, false, true) + m->leaving == m->slots) {
			const uint32_t victim = model_oldest(m, HOT, true);
			if (victim == UINT32_MAX) {
				break;
			}
			m->where[victim] = COLD;
			victims[victim_count++] = victim;
		}
		m->where[who] = COMMITTING;
	}
	cool = victim_count > had_victims ? BSR_AL_COOL_TICKS : updates == 0 ? m->cool : BSR_AL_STAY;
	for (; updates < UPDATES && model_coolest(m, cool) != UINT32_MAX; updates++) {
		const uint32_t who = model_coolest(m, cool);
		m->where[who] = COLD;
		m->leaving++;
		victims[victim_count++] = who;
	}
	m->under_way = true;
	return victim_count;
}

struct world {
	struct model model;
	struct bsr_al *al;
	uint32_t ring_blocks;
	uint32_t stripes;
	uint8_t *ring;
	uint8_t block[4096];
	uint32_t place;
	uint32_t victims[UPDATES];
	uint32_t victim_count;
	struct {
		uint32_t first, count;
	} holder[HOLDERS_MAX];
	uint32_t holders;
};

static void compare(const struct world *w)
{
	bsr_al_check(w->al);
	assert_int_equal(bsr_al_used(w->al), model_count(&w->model, false, true) + w->model.leaving);
	assert_int_equal(bsr_al_pinned(w->al), model_count(&w->model, true, true));
	bool waits = w->model.leaving != 0 || model_coolest(&w->model, w->model.cool) != UINT32_MAX;
	for (uint32_t i = 0; i < MODEL_EXTENTS; i++) {
		assert_int_equal(bsr_al_is_hot(w->al, i), w->model.where[i] == HOT);
		waits |= w->model.where[i] == WAITING || w->model.where[i] == COMMITTING;
	}
	assert_int_equal(bsr_al_transaction_wanted(w->al), waits && !w->model.under_way);
	for (uint32_t i = 0; i < w->holders; i++) {
		bool ready = true;
		for (uint32_t j = 0; j < w->holder[i].count; j++) {
			ready &= w->model.where[w->holder[i].first + j] == HOT;
		}
		assert_int_equal(
			bsr_al_ready(w->al, w->holder[i].first, w->holder[i].count), ready);
	}
}

/*
 * The power fails now: whatever part of the block under way has reached the ring, replay finds all
 * hot extents.
 */
static void crash(const struct world *w, struct test_random *r)
{
	static uint32_t table[BSR_AL_EXTENTS_MAX];
	const size_t ring_bytes = (size_t)w->ring_blocks * 4096;
	uint8_t *ring = malloc(ring_bytes);
	assert_non_null(ring);
	memcpy(ring, w->ring, ring_bytes);
	if (w->model.under_way) {
		const size_t sectors[] = {0, 8, test_random_below(r, 9)};
		memcpy(ring + (size_t)w->place * 4096, w->block,
			512 * sectors[test_random_below(r, 3)]);
	}
	uint32_t hot_count = 0;
	uint32_t corrupt_count = 0;
	uint32_t next_number = 0;
	assert_int_equal(bsr_al_replay(ring, w->stripes, w->ring_blocks / w->stripes, table,
				 &hot_count, &corrupt_count, &next_number),
		0);
	bool found[MODEL_EXTENTS] = {false};
	for (uint32_t i = 0; i < BSR_AL_EXTENTS_MAX; i++) {
		if (table[i] < MODEL_EXTENTS) {
			found[table[i]] = true;
		}
	}
	for (uint32_t i = 0; i < MODEL_EXTENTS; i++) {
		assert_true(found[i] || w->model.where[i] != HOT); /* AL-1 */
	}
	free(ring);
}

static void step_pin(struct world *w, struct test_random *r)
{
	const uint32_t span = test_random_below(r, 8) == 0 ? BSR_REQUEST_EXTENTS_MAX : 3;
	const uint32_t count = 1 + (uint32_t)test_random_below(r, span);
	/* small numbers are favourites, so that there are hits */
	const uint64_t reach = test_random_below(r, 2) == 0 ? MODEL_EXTENTS - count : 30;
	const uint32_t first = (uint32_t)test_random_below(r, reach);
	const enum bsr_al_answer want = model_pin(&w->model, first, count);
	assert_int_equal(bsr_al_pin(w->al, first, count), want);
	if (want != BSR_AL_FULL) {
		w->holder[w->holders].first = first;
		w->holder[w->holders++].count = count;
	}
}

static void step_unpin(struct world *w, struct test_random *r)
{
	const uint32_t i = (uint32_t)test_random_below(r, w->holders);
	bsr_al_unpin(w->al, w->holder[i].first, w->holder[i].count);
	model_unpin(&w->model, w->holder[i].first, w->holder[i].count);
	w->holder[i] = w->holder[--w->holders];
}

static void step_begin(struct world *w)
{
	uint32_t evicted[UPDATES];
	w->victim_count = model_begin(&w->model, w->victims, w->victim_count);
	assert_int_equal(bsr_al_begin_transaction(w->al, w->block, &w->place, evicted),
		w->victim_count);
	for (uint32_t i = 0; i < w->victim_count; i++) {
		assert_int_equal(evicted[i], w->victims[i]);
	}
}

static void step_done(struct world *w, struct test_random *r)
{
	const bool ok = test_random_below(r, 6) != 0;
	if (ok) {
		memcpy(w->ring + (size_t)w->place * 4096, w->block, 4096);
		/* those without pins become idle now, in the order of the updates */
		struct bsr_al_transaction t;
		assert_int_equal(bsr_al_transaction_decode(&t, w->block), 0);
		for (uint32_t i = 0; i < t.update_count; i++) {
			const uint32_t extent = t.update_extent[i];
			if (extent == UINT32_MAX) {
				w->model.leaving--;
				continue;
			}
			assert_int_equal(w->model.where[extent], COMMITTING);
			w->model.where[extent] = HOT;
			w->model.since[extent] = w->model.clock++;
			w->model.since_tick[extent] = w->model.tick;
		}
		assert_int_equal(w->model.leaving, 0);
		w->victim_count = 0;
	} else {
		/* it may have reached the ring all the same, or in part */
		memcpy(w->ring + (size_t)w->place * 4096, w->block,
			512 * test_random_below(r, 9));
	}
	w->model.under_way = false;
	bsr_al_transaction_done(w->al, ok);
}

/* Somebody is asked to leave, or nobody, and time passes. */
static void step_time(struct world *w, struct test_random *r)
{
	const uint32_t choice[] = {BSR_AL_STAY, 0, 2, BSR_AL_COOL_TICKS};
	const uint32_t passed = (uint32_t)test_random_below(r, 4);
	ticks(w->al, passed);
	w->model.tick += passed;
	w->model.cool = choice[test_random_below(r, 4)];
	bsr_al_cool(w->al, w->model.cool);
}

static void run_seed(uint64_t seed, uint32_t slots, uint32_t ring_blocks, uint32_t stripes)
{
	struct test_random r = {seed};
	struct world *w = calloc(1, sizeof(*w));
	assert_non_null(w);
	print_message("seed %#llx slots %u ring %u stripes %u\n", (unsigned long long)seed, slots,
		ring_blocks, stripes);
	w->model.slots = slots;
	w->model.cool = BSR_AL_STAY;
	w->ring_blocks = ring_blocks;
	w->stripes = stripes;
	w->al = new_log(slots, ring_blocks, stripes);
	w->ring = calloc(ring_blocks, 4096);
	assert_non_null(w->ring);
	/* as apply-al leaves it */
	static const struct bsr_al_transaction fresh = {.initialised = true};
	for (uint32_t i = 0; i < ring_blocks; i++) {
		bsr_al_transaction_encode(w->ring + (size_t)i * 4096, &fresh);
	}
	for (uint32_t step = 0; step < 1500; step++) {
		const uint64_t dice = test_random_below(&r, 10);
		if (w->model.under_way && dice < 3) {
			step_done(w, &r);
		} else if (bsr_al_transaction_wanted(w->al) && dice < 6) {
			step_begin(w);
		} else if (w->holders > 0 && (dice >= 8 || w->holders == HOLDERS_MAX)) {
			step_unpin(w, &r);
		} else {
			step_pin(w, &r);
		}
		if (test_random_below(&r, 12) == 0) {
			step_time(w, &r);
		}
		compare(w);
		crash(w, &r);
	}
	free(w->al);
	free(w->ring);
	free(w);
}

static void behaves_like_the_model_and_survives_every_crash(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= 6; seed++) {
		run_seed(seed, SLOTS, 2, 1);
		run_seed(seed + 100, SLOTS + (uint32_t)seed * 5, 8, 2);
		run_seed(seed + 200, 919 * 2 + 5, 4, 4);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_cold_extent_waits_for_its_transaction),
		cmocka_unit_test(pins_collect_while_a_transaction_is_under_way),
		cmocka_unit_test(a_full_log_changes_nothing),
		cmocka_unit_test(the_least_recently_used_idle_extent_leaves),
		cmocka_unit_test(a_failed_transaction_is_repeated_with_the_same_number),
		cmocka_unit_test(contexts_describe_every_slot_in_turn),
		cmocka_unit_test(extents_of_a_log_on_disk_keep_their_slots),
		cmocka_unit_test(idle_extents_leave_after_a_while),
		cmocka_unit_test(a_pinned_extent_stays_however_long),
		cmocka_unit_test(who_waits_does_not_pay_for_idle_extents),
		cmocka_unit_test(a_slot_is_not_given_away_before_it_is_free_on_disk),
		cmocka_unit_test(limits_are_enforced),
		cmocka_unit_test(behaves_like_the_model_and_survives_every_crash),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
