// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * handshake_test.c - the handshake decision: worked examples, and every property over exhaustive
 * tables
 *
 * With the argument --long the tables are complete; without, each pair meets a few of the other
 * dimensions.
 */
#include <bsr/handshake.h>

#include "test_support.h"

#define JC BSR_GI_JUST_CREATED
#define G1 0x10ull
#define G2 0x20ull
#define G3 0x30ull

#define INC BSR_DISK_INCONSISTENT
#define OUT BSR_DISK_OUTDATED
#define CON BSR_DISK_CONSISTENT
#define UTD BSR_DISK_UP_TO_DATE

#define NODE_S 0u
#define NODE_P 1u
#define NODE_K 2u

static bool long_run;

/* One side in short; @slot is for the other, @third for node K. */
struct side {
	uint64_t cur, slot, third, hist[2];
	uint8_t disk, role;
	uint32_t flags;
	uint64_t bits;
	bool discard;
	uint64_t size, capacity, wanted;
};

static const struct bsr_hs_policy no_policy = {.resolver = true};

static void fill(struct bsr_msg_hs_volume *v, const struct side *s, uint32_t other)
{
	memset(v, 0, sizeof(*v));
	v->disk = s->disk;
	v->flags = s->flags;
	v->bits = s->bits;
	v->size_bytes = s->size;
	v->capacity_bytes = s->capacity;
	v->wanted_bytes = s->wanted;
	v->current.v = s->cur;
	v->bitmap[other].v = s->slot;
	v->bitmap[NODE_K].v = s->third;
	v->history[0].v = s->hist[0];
	v->history[1].v = s->hist[1];
}

static uint8_t default_disk(const struct side *s)
{
	return s->disk ? s->disk : (uint8_t)UTD;
}

static struct bsr_hs_decision decide(struct side s, struct side p, const struct bsr_hs_policy *policy)
{
	struct bsr_msg_hs_volume sv;
	struct bsr_msg_hs_volume pv;
	struct bsr_hs_decision d;
	s.disk = default_disk(&s);
	p.disk = default_disk(&p);
	s.capacity = s.capacity ? s.capacity : 1 << 20;
	p.capacity = p.capacity ? p.capacity : 1 << 20;
	fill(&sv, &s, NODE_P);
	fill(&pv, &p, NODE_S);
	const struct bsr_hs_side local = {
		.node_id = NODE_S, .role = (enum bsr_role)s.role, .discard_my_data = s.discard, .volume = &sv};
	const struct bsr_hs_side peer = {
		.node_id = NODE_P, .role = (enum bsr_role)p.role, .discard_my_data = p.discard, .volume = &pv};
	bsr_handshake_decide(&local, &peer, policy, &d);
	return d;
}

#define EXPECT(s, p, want_action, want_reason)                                                     \
	do {                                                                                       \
		const struct bsr_hs_decision got = decide((struct side)s, (struct side)p, &no_policy); \
		assert_int_equal(got.action, BSR_HS_##want_action);                                \
		assert_int_equal(got.reason, BSR_HS_REASON_##want_reason);                         \
	} while (0)
#define SIDE(...)                                                                                  \
	{                                                                                          \
		__VA_ARGS__                                                                        \
	}

/* -------------------------------------------------------------- worked examples */

static void documented_pairs_are_judged_as_written(void **state)
{
	(void)state;
	/* a: P was away while S wrote */
	EXPECT(SIDE(.cur = G2, .slot = G1), SIDE(.cur = G1), SOURCE_BITMAP, ANCESTOR_SLOT);
	/* b: both wrote apart */
	EXPECT(SIDE(.cur = G2, .slot = G1), SIDE(.cur = G3, .slot = G1), SPLIT_BRAIN, SB_BITMAPS);
	/* c: slots gone, ancestor in histories */
	EXPECT(SIDE(.cur = G2, .hist = {G1}), SIDE(.cur = G3, .hist = {G1}), SPLIT_BRAIN, SB_HISTORY);
	/* d: the target had finished, the source went on without having heard */
	EXPECT(SIDE(.cur = G3, .slot = G1, .hist = {G2}, .flags = BSR_HSF_RESYNC_MISSED_END),
		SIDE(.cur = G2, .hist = {G1}), SOURCE_BITMAP, ANCESTOR_MISSED_END);
	/* d without the mark, or j: cannot be told apart, so everything is copied */
	EXPECT(SIDE(.cur = G3, .slot = G1, .hist = {G2}), SIDE(.cur = G2, .hist = {G1}),
		SOURCE_FULL, ANCESTOR_HISTORY);
	/* e: a very old P */
	EXPECT(SIDE(.cur = G3, .hist = {G2, G1}), SIDE(.cur = G1), SOURCE_FULL, ANCESTOR_HISTORY);
	/* f: P stands where K stood */
	EXPECT(SIDE(.cur = G2, .third = G1), SIDE(.cur = G1), SOURCE_FULL, ANCESTOR_THIRD);
	/* g: each in the other's history: the older products pick two targets here */
	EXPECT(SIDE(.cur = G2, .hist = {G1}), SIDE(.cur = G1, .hist = {G2}), SPLIT_BRAIN,
		SB_CONTRADICTION);
	/* h: P reverted from 2 to 1 */
	EXPECT(SIDE(.cur = G2, .slot = G1), SIDE(.cur = G1, .hist = {G2}), SPLIT_BRAIN,
		SB_CONTRADICTION);
	/* i: divergence after a detour */
	EXPECT(SIDE(.cur = G3, .slot = G1, .hist = {G1}), SIDE(.cur = G2, .hist = {G1}),
		SPLIT_BRAIN, SB_HISTORY);
	/* k: contradictory slots */
	EXPECT(SIDE(.cur = G2, .slot = G1), SIDE(.cur = G1, .slot = G2), SPLIT_BRAIN,
		SB_CONTRADICTION);
	/* l: a foreign disk */
	EXPECT(SIDE(.cur = G2), SIDE(.cur = G3), UNRELATED, UNRELATED);
	/* m: the slot belongs to a younger generation than P has */
	EXPECT(SIDE(.cur = G3, .slot = G2, .hist = {G1}), SIDE(.cur = G1), SOURCE_FULL,
		ANCESTOR_HISTORY);
}

static void just_created_disks_get_what_the_other_has(void **state)
{
	(void)state;
	EXPECT(SIDE(.cur = JC, .disk = INC), SIDE(.cur = JC, .disk = INC), NO_SYNC, BOTH_NEW);
	EXPECT(SIDE(.cur = 0, .disk = INC), SIDE(.cur = JC, .disk = INC), NO_SYNC, BOTH_NEW);
	EXPECT(SIDE(.cur = G1), SIDE(.cur = JC, .disk = INC), SOURCE_FULL, ONE_NEW);
	EXPECT(SIDE(.cur = JC | 1, .disk = INC), SIDE(.cur = G1, .disk = OUT), TARGET_FULL, ONE_NEW);
	EXPECT(SIDE(.cur = G1, .disk = INC), SIDE(.cur = JC, .disk = INC), NO_SYNC, NEW_NO_SOURCE);
	EXPECT(SIDE(.cur = G1, .disk = INC), SIDE(.cur = JC), UNRELATED, NEW_CLAIMS_DATA);
	EXPECT(SIDE(.cur = JC), SIDE(.cur = JC, .disk = INC), SOURCE_FULL, EQUAL_INCONSISTENT);
}

static void equal_generations_are_settled_by_state_then_bits(void **state)
{
	(void)state;
	const uint32_t crash = BSR_HSF_CRASHED_PRIMARY;
	EXPECT(SIDE(.cur = G1), SIDE(.cur = G1 | 1), NO_SYNC, EQUAL);
	EXPECT(SIDE(.cur = G1, .disk = INC), SIDE(.cur = G1, .disk = OUT), TARGET_BITMAP,
		EQUAL_INCONSISTENT);
	EXPECT(SIDE(.cur = G1, .disk = INC, .bits = 5), SIDE(.cur = G1, .disk = INC), NO_SYNC,
		EQUAL_NO_SOURCE);
	EXPECT(SIDE(.cur = G1, .disk = OUT), SIDE(.cur = G1), TARGET_BITMAP, EQUAL_OUTDATED);
	EXPECT(SIDE(.cur = G1, .disk = OUT), SIDE(.cur = G1, .disk = OUT), NO_SYNC,
		EQUAL_BOTH_OUTDATED);
	/* a crashed Primary is source of what it wrote last, ... */
	EXPECT(SIDE(.cur = G1, .flags = crash, .bits = 9), SIDE(.cur = G1), SOURCE_BITMAP,
		EQUAL_CRASHED);
	/* ... unless somebody is Primary now, or has the better disk */
	EXPECT(SIDE(.cur = G1, .flags = crash, .bits = 9),
		SIDE(.cur = G1, .role = BSR_ROLE_PRIMARY), TARGET_BITMAP, EQUAL_PRIMARY);
	EXPECT(SIDE(.cur = G1, .flags = crash, .bits = 9, .disk = CON), SIDE(.cur = G1),
		TARGET_BITMAP, EQUAL_BETTER);
	EXPECT(SIDE(.cur = G1, .flags = crash), SIDE(.cur = G1, .flags = crash), TARGET_BITMAP,
		EQUAL_BOTH_CRASHED);
	/* a reconnect does not make bits meaningless */
	EXPECT(SIDE(.cur = G1, .bits = 1, .flags = BSR_HSF_RECONNECT),
		SIDE(.cur = G1, .flags = BSR_HSF_RECONNECT), SOURCE_BITMAP, EQUAL_BITS);
	EXPECT(SIDE(.cur = G1, .bits = 1), SIDE(.cur = G1, .bits = 7), TARGET_BITMAP,
		EQUAL_BITS_BOTH);
}

static void an_administrator_chooses_between_equals(void **state)
{
	(void)state;
	const uint32_t chosen = BSR_HSF_CHOSEN;
	EXPECT(SIDE(.cur = G1, .bits = 9, .flags = chosen), SIDE(.cur = G1, .bits = 7), SOURCE_BITMAP, EQUAL_CHOSEN);
	EXPECT(SIDE(.cur = G1, .bits = 9), SIDE(.cur = G1, .bits = 7, .flags = chosen), TARGET_BITMAP, EQUAL_CHOSEN);
	EXPECT(SIDE(.cur = G1, .bits = 9, .flags = chosen), SIDE(.cur = G1, .flags = BSR_HSF_CRASHED_PRIMARY, .bits = 7),
		SOURCE_BITMAP, EQUAL_CHOSEN);
	/* both: as if nobody had said anything; a Primary, and a better disk, say more */
	EXPECT(SIDE(.cur = G1, .bits = 9, .flags = chosen), SIDE(.cur = G1, .bits = 7, .flags = chosen), TARGET_BITMAP,
		EQUAL_BITS_BOTH);
	EXPECT(SIDE(.cur = G1, .bits = 9, .flags = chosen), SIDE(.cur = G1, .role = BSR_ROLE_PRIMARY), TARGET_BITMAP,
		EQUAL_PRIMARY);
	EXPECT(SIDE(.cur = G1, .bits = 9, .flags = chosen, .disk = CON), SIDE(.cur = G1), TARGET_BITMAP, EQUAL_BETTER);
	EXPECT(SIDE(.cur = G1, .bits = 9, .flags = chosen, .disk = INC), SIDE(.cur = G1), TARGET_BITMAP, EQUAL_INCONSISTENT);
	/* one has gone on alone: what was said of the direction was about something else */
	EXPECT(SIDE(.cur = G1, .bits = 9, .flags = chosen), SIDE(.cur = G2, .slot = G1), TARGET_BITMAP, ANCESTOR_SLOT);
}

static void an_end_of_resync_that_was_missed_costs_little(void **state)
{
	(void)state;
	/* the target has adopted the generation, the source still has its slot */
	EXPECT(SIDE(.cur = G2, .slot = G1), SIDE(.cur = G2, .hist = {G1}), NO_SYNC, EQUAL);
	EXPECT(SIDE(.cur = G2, .slot = G1, .bits = 3), SIDE(.cur = G2, .hist = {G1}),
		SOURCE_BITMAP, EQUAL_BITS);
	/* promoted at once: the former source has changes of its own, or not */
	EXPECT(SIDE(.cur = G2, .slot = G1), SIDE(.cur = G3, .slot = G2, .hist = {G1}),
		TARGET_BITMAP, ANCESTOR_SLOT);
	EXPECT(SIDE(.cur = G2, .slot = G1, .bits = 3), SIDE(.cur = G3, .slot = G2, .hist = {G1}),
		SPLIT_BRAIN, ANCESTOR_WROTE);
	/* interrupted before: goes on by bitmap, as often as it takes */
	EXPECT(SIDE(.cur = G2, .slot = G1, .bits = 3), SIDE(.cur = G1, .disk = INC, .bits = 3),
		SOURCE_BITMAP, ANCESTOR_SLOT);
}

static void bits_about_a_disk_that_was_exchanged_count_for_nothing(void **state)
{
	(void)state;
	const uint32_t pair = BSR_HSF_PAIR;
	/* S was filling a blank disk (base G3) when an old copy of the one before took its place */
	EXPECT(SIDE(.cur = G2, .slot = G3, .bits = 3, .flags = pair), SIDE(.cur = G2, .hist = {G1}, .flags = pair), SOURCE_FULL,
		EQUAL_OTHER_DISK);
	EXPECT(SIDE(.cur = G2, .slot = G3, .flags = pair), SIDE(.cur = G2, .hist = {G1}, .flags = pair), SOURCE_FULL,
		EQUAL_OTHER_DISK);
	EXPECT(SIDE(.cur = G2, .slot = G3, .flags = pair),
		SIDE(.cur = G2, .flags = pair | BSR_HSF_CRASHED_PRIMARY, .bits = 7), SOURCE_FULL, EQUAL_OTHER_DISK);
	EXPECT(SIDE(.cur = G2, .slot = G3, .flags = pair), SIDE(.cur = G2, .role = BSR_ROLE_PRIMARY, .flags = pair), REFUSED,
		TARGET_PRIMARY);
	/* the disk that it filled knows the base */
	EXPECT(SIDE(.cur = G2, .slot = G3, .bits = 3, .flags = pair), SIDE(.cur = G2, .hist = {G3}, .flags = pair), SOURCE_BITMAP,
		EQUAL_BITS);
	/* a third node may have filled it */
	EXPECT(SIDE(.cur = G2, .slot = G3), SIDE(.cur = G2, .role = BSR_ROLE_PRIMARY, .flags = pair), NO_SYNC, EQUAL);
	/* the one that knows better is not the better one: a person */
	EXPECT(SIDE(.cur = G2, .slot = G3, .disk = OUT, .flags = pair), SIDE(.cur = G2, .flags = pair), SPLIT_BRAIN,
		SB_CONTRADICTION);
}

static void no_data_no_source(void **state)
{
	(void)state;
	EXPECT(SIDE(.cur = G2, .slot = G1, .disk = INC), SIDE(.cur = G1), SPLIT_BRAIN,
		NEWER_INCONSISTENT);
	EXPECT(SIDE(.cur = G2, .slot = G1, .disk = INC), SIDE(.cur = G1, .disk = INC), NO_SYNC,
		DIFFERENT_NO_SOURCE);
	EXPECT(SIDE(.cur = G2, .slot = G1, .disk = INC, .discard = true), SIDE(.cur = G1),
		TARGET_BITMAP, SB_DISCARD);
	EXPECT(SIDE(.cur = G2, .slot = G1, .disk = BSR_DISK_DISKLESS + 1), SIDE(.cur = G1), NO_DISK,
		NO_DISK);
	EXPECT(SIDE(.cur = G2, .disk = BSR_DISK_UNKNOWN), SIDE(.cur = G1), NO_DISK, NO_DISK);
	EXPECT(SIDE(.cur = G2, .disk = 200), SIDE(.cur = G1), NO_DISK, NO_DISK);
}

static void a_primary_is_not_overwritten(void **state)
{
	(void)state;
	const struct side primary = {.cur = G1, .role = BSR_ROLE_PRIMARY};
	const struct side newer = {.cur = G2, .slot = G1};
	struct bsr_hs_policy policy = no_policy;
	struct bsr_hs_decision d = decide(primary, newer, &policy);
	assert_int_equal(d.action, BSR_HS_REFUSED);
	assert_int_equal(d.error, BSR_CONN_ERROR_SYNC_TARGET_PRIMARY);
	assert_false(d.pri_lost);
	policy.rr_conflict = BSR_RR_CALL_PRI_LOST;
	d = decide(primary, newer, &policy);
	assert_int_equal(d.reason, BSR_HS_REASON_TARGET_PRIMARY_LOST);
	assert_true(d.pri_lost);
	assert_false(decide(newer, primary, &policy).pri_lost);
	policy.rr_conflict = BSR_RR_VIOLENTLY;
	assert_int_equal(decide(primary, newer, &policy).action, BSR_HS_TARGET_BITMAP);
	/* a Primary that reads from its peer goes on with its resync */
	EXPECT(SIDE(.cur = G1, .disk = INC, .role = BSR_ROLE_PRIMARY), SIDE(.cur = G2, .slot = G1),
		TARGET_BITMAP, ANCESTOR_SLOT);
	EXPECT(SIDE(.cur = G1, .role = BSR_ROLE_PRIMARY), SIDE(.cur = G1, .role = BSR_ROLE_PRIMARY),
		REFUSED, TWO_PRIMARIES);
	EXPECT(SIDE(.cur = G1, .role = BSR_ROLE_PRIMARY, .disk = 1),
		SIDE(.cur = G1, .role = BSR_ROLE_PRIMARY), REFUSED, TWO_PRIMARIES);
}

static void discard_my_data_makes_a_target(void **state)
{
	(void)state;
	const struct side a = {.cur = G2, .slot = G1, .discard = true};
	EXPECT(SIDE(.cur = G2, .slot = G1, .discard = true), SIDE(.cur = G3, .slot = G1),
		TARGET_BITMAP, SB_DISCARD);
	assert_true(decide(a, (struct side){.cur = G3, .slot = G1}, &no_policy).split_brain_resolved);
	/* bits that start at different points are not enough */
	EXPECT(SIDE(.cur = G2, .hist = {G1}, .discard = true), SIDE(.cur = G3, .hist = {G1}),
		TARGET_FULL, SB_DISCARD);
	EXPECT(SIDE(.cur = G2, .slot = G1, .discard = true),
		SIDE(.cur = G3, .slot = G1, .discard = true), REFUSED, DISCARD_BOTH);
	EXPECT(SIDE(.cur = G2, .slot = G1, .discard = true, .role = BSR_ROLE_PRIMARY),
		SIDE(.cur = G3, .slot = G1), REFUSED, DISCARD_PRIMARY);
	EXPECT(SIDE(.cur = G2, .slot = G1, .discard = true), SIDE(.cur = G3, .slot = G1, .disk = INC),
		REFUSED, DISCARD_NO_SOURCE);
	EXPECT(SIDE(.cur = G2, .slot = G1, .discard = true), SIDE(.cur = G1), TARGET_BITMAP,
		DISCARD_REVERSED);
	EXPECT(SIDE(.cur = G1, .discard = true), SIDE(.cur = G2, .slot = G1), TARGET_BITMAP,
		ANCESTOR_SLOT);
	EXPECT(SIDE(.cur = G1, .discard = true), SIDE(.cur = JC, .disk = INC), REFUSED,
		DISCARD_NO_SOURCE);
	EXPECT(SIDE(.cur = G1, .discard = true), SIDE(.cur = G1), NO_SYNC, EQUAL);
}

struct policy_case {
	enum bsr_after_sb zero, one;
	uint8_t role_s, role_p;
	uint64_t primary_bit_s, primary_bit_p, bits_s, bits_p;
	enum bsr_hs_action action;
	enum bsr_hs_reason reason;
};

static void policies_decide_a_split_brain(void **state)
{
	(void)state;
	const uint8_t pri = BSR_ROLE_PRIMARY;
	const struct policy_case cases[] = {
		{BSR_ASB_DISCARD_YOUNGER_PRIMARY, 0, 0, 0, 0, 1, 1, 1, BSR_HS_TARGET_BITMAP,
			BSR_HS_REASON_SB_YOUNGER},
		{BSR_ASB_DISCARD_OLDER_PRIMARY, 0, 0, 0, 0, 1, 1, 1, BSR_HS_SOURCE_BITMAP,
			BSR_HS_REASON_SB_OLDER},
		{BSR_ASB_DISCARD_OLDER_PRIMARY, 0, 0, 0, 1, 1, 1, 2, BSR_HS_TARGET_BITMAP,
			BSR_HS_REASON_SB_LEAST_CHANGES},
		{BSR_ASB_DISCARD_ZERO_CHANGES, 0, 0, 0, 0, 0, 0, 4, BSR_HS_TARGET_BITMAP,
			BSR_HS_REASON_SB_ZERO_CHANGES},
		{BSR_ASB_DISCARD_ZERO_CHANGES, 0, 0, 0, 0, 0, 4, 4, BSR_HS_SPLIT_BRAIN,
			BSR_HS_REASON_SB_BITMAPS},
		{BSR_ASB_DISCARD_ZERO_CHANGES, 0, 0, 0, 0, 0, 0, 0, BSR_HS_TARGET_BITMAP,
			BSR_HS_REASON_SB_TIE},
		{BSR_ASB_DISCARD_LEAST_CHANGES, 0, 0, 0, 0, 0, 5, 4, BSR_HS_SOURCE_BITMAP,
			BSR_HS_REASON_SB_LEAST_CHANGES},
		{BSR_ASB_DISCARD_REMOTE, 0, 0, 0, 0, 0, 5, 4, BSR_HS_SOURCE_BITMAP,
			BSR_HS_REASON_SB_CONFIGURED},
		{BSR_ASB_DISCARD_LOCAL, BSR_ASB_CONSENSUS, pri, 0, 0, 0, 5, 4, BSR_HS_SPLIT_BRAIN,
			BSR_HS_REASON_SB_NO_CONSENSUS},
		{BSR_ASB_DISCARD_LOCAL, BSR_ASB_CONSENSUS, 0, pri, 0, 0, 5, 4, BSR_HS_TARGET_BITMAP,
			BSR_HS_REASON_SB_CONFIGURED},
		{BSR_ASB_DISCARD_LOCAL, BSR_ASB_CALL_PRI_LOST, pri, 0, 0, 0, 5, 4, BSR_HS_SPLIT_BRAIN,
			BSR_HS_REASON_SB_PRIMARY_LOST},
		{BSR_ASB_DISCARD_LOCAL, BSR_ASB_VIOLENTLY, pri, 0, 0, 0, 5, 4, BSR_HS_TARGET_BITMAP,
			BSR_HS_REASON_SB_CONFIGURED},
		{BSR_ASB_DISCONNECT, BSR_ASB_DISCARD_SECONDARY, pri, 0, 0, 0, 5, 4,
			BSR_HS_SOURCE_BITMAP, BSR_HS_REASON_SB_SECONDARY},
		{BSR_ASB_DISCARD_LOCAL, BSR_ASB_DISCONNECT, pri, 0, 0, 0, 5, 4, BSR_HS_SPLIT_BRAIN,
			BSR_HS_REASON_SB_BITMAPS},
		{BSR_ASB_DISCARD_LOCAL, BSR_ASB_VIOLENTLY, pri, pri, 0, 0, 5, 4, BSR_HS_SPLIT_BRAIN,
			BSR_HS_REASON_SB_TWO_PRIMARIES},
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const struct policy_case *c = &cases[i];
		const struct bsr_hs_policy policy = {
			.after_sb_0pri = c->zero, .after_sb_1pri = c->one, .resolver = true};
		const struct bsr_hs_decision d = decide((struct side){.cur = G2,
								.slot = G1 | c->primary_bit_s,
								.role = c->role_s,
								.bits = c->bits_s},
			(struct side){.cur = G3,
				.slot = G1 | c->primary_bit_p,
				.role = c->role_p,
				.bits = c->bits_p},
			&policy);
		assert_int_equal(d.action, c->action);
		assert_int_equal(d.reason, c->reason);
	}
	/* without usable bitmaps only always-asbp, and then everything is copied */
	struct bsr_hs_policy policy = {.after_sb_0pri = BSR_ASB_DISCARD_LOCAL};
	const struct side s = {.cur = G2, .hist = {G1}};
	const struct side p = {.cur = G3, .hist = {G1}};
	assert_int_equal(decide(s, p, &policy).action, BSR_HS_SPLIT_BRAIN);
	policy.always_asbp = true;
	assert_int_equal(decide(s, p, &policy).action, BSR_HS_TARGET_FULL);
	/* a policy does not make the worse disk the source */
	const struct side worse = {.cur = G3, .hist = {G1}, .disk = OUT};
	assert_int_equal(decide(s, worse, &policy).reason, BSR_HS_REASON_SB_NO_SOURCE);
}

static void sizes_are_agreed_and_never_shrink(void **state)
{
	(void)state;
	const struct side fresh = {.cur = JC, .disk = INC, .capacity = 100};
	struct side other = {.cur = JC, .disk = INC, .capacity = 80};
	assert_int_equal(decide(fresh, other, &no_policy).size_bytes, 80);
	other.wanted = 60;
	assert_int_equal(decide(fresh, other, &no_policy).size_bytes, 60);
	other = (struct side){.cur = G1, .size = 100, .capacity = 120};
	assert_int_equal(decide(fresh, other, &no_policy).size_bytes, 100);
	other.size = 101;
	assert_int_equal(decide(fresh, other, &no_policy).reason, BSR_HS_REASON_SIZE_TOO_SMALL);
	assert_int_equal(decide(fresh, other, &no_policy).error, BSR_CONN_ERROR_SIZE);
	/* an agreement of disks that have no data binds nobody */
	other = (struct side){.cur = JC, .disk = INC, .size = 150, .capacity = 150};
	assert_int_equal(decide(fresh, other, &no_policy).size_bytes, 100);
	/* grown on one side only */
	const struct side large = {.cur = G1, .size = 100, .capacity = 100};
	other = (struct side){.cur = G1, .size = 80, .capacity = 100};
	assert_int_equal(decide(large, other, &no_policy).reason, BSR_HS_REASON_EQUAL_GREW);
	assert_int_equal(decide(large, other, &no_policy).action, BSR_HS_SOURCE_BITMAP);
	assert_int_equal(decide(large, other, &no_policy).size_bytes, 100);
	other.bits = 1;
	assert_int_equal(decide(large, other, &no_policy).reason, BSR_HS_REASON_SIZE_DIFFERS);
	other.disk = INC;
	assert_int_equal(decide(large, other, &no_policy).action, BSR_HS_SOURCE_BITMAP);
	other = (struct side){.disk = BSR_DISK_DISKLESS + 1};
	assert_int_equal(decide(large, other, &no_policy).size_bytes, 100);
}

static void node_ids_are_checked(void **state)
{
	(void)state;
	static const uint32_t ids[][2] = {{0, 0}, {0, 32}, {32, 0}, {UINT32_MAX, 1}};
	const struct bsr_msg_hs_volume v = {.disk = UTD, .current = {G1}, .capacity_bytes = 1};
	for (size_t i = 0; i < 4; i++) {
		const struct bsr_hs_side local = {.node_id = ids[i][0], .volume = &v};
		const struct bsr_hs_side peer = {.node_id = ids[i][1], .volume = &v};
		struct bsr_hs_decision d;
		bsr_handshake_decide(&local, &peer, &no_policy, &d);
		assert_int_equal(d.action, BSR_HS_REFUSED);
		assert_int_equal(d.reason, BSR_HS_REASON_BAD_IDENTITY);
	}
}

/* ------------------------------------------------------------------ properties */

/* A prepared case: both records, and what the oracle needs in short. */
struct prepared {
	struct side s;
	struct bsr_msg_hs_volume v;
};

static const struct prepared *case_a; /* for the message when a property fails */
static const struct prepared *case_b;
static const struct bsr_hs_policy *case_policy;

static void print_side(const struct side *s)
{
	print_error("  cur %llx slot %llx third %llx hist %llx %llx disk %u role %u flags %x bits %llu "
		    "discard %d size %llu/%llu\n",
		(unsigned long long)s->cur, (unsigned long long)s->slot, (unsigned long long)s->third,
		(unsigned long long)s->hist[0], (unsigned long long)s->hist[1], s->disk, s->role,
		s->flags, (unsigned long long)s->bits, s->discard, (unsigned long long)s->size,
		(unsigned long long)s->capacity);
}

static void must(bool ok, const char *what, const struct bsr_hs_decision *d)
{
	if (ok) {
		return;
	}
	print_error("%s: action %d reason %u\n", what, (int)d->action, d->reason);
	print_side(&case_a->s);
	print_side(&case_b->s);
	print_error("  policy %d %d %d rr %d always %d\n", (int)case_policy->after_sb_0pri,
		(int)case_policy->after_sb_1pri, (int)case_policy->after_sb_2pri,
		(int)case_policy->rr_conflict, case_policy->always_asbp);
	fail_msg("%s", what);
}

static uint64_t real(uint64_t gi)
{
	gi &= BSR_GI_MASK;
	return gi == JC ? 0 : gi;
}

static bool has(const struct side *s)
{
	return s->disk == OUT || s->disk == CON || s->disk == UTD;
}

static bool doubt(const struct side *s)
{
	return s->bits != 0 || (s->flags & BSR_HSF_CRASHED_PRIMARY) != 0;
}

/* With equal generations: one has a slot for a generation that the other has never been in. */
static bool knows_another_disk(const struct side *a, const struct side *b)
{
	const uint64_t slot = real(a->slot);
	return (a->flags & b->flags & BSR_HSF_PAIR) != 0 && slot != 0 && slot != real(b->cur) && slot != real(b->slot) && slot != real(b->third) &&
	       slot != real(b->hist[0]) && slot != real(b->hist[1]);
}

static bool same_disks(const struct side *a, const struct side *b)
{
	return real(a->cur) == real(b->cur) && (knows_another_disk(a, b) == knows_another_disk(b, a));
}

/* The bitmaps of the two cover what differs, by what the records say. */
static bool bitmaps_have_a_base(const struct side *source, const struct side *target)
{
	const uint64_t sc = real(source->cur);
	const uint64_t tc = real(target->cur);
	const uint64_t ss = real(source->slot);
	const uint64_t ts = real(target->slot);
	const bool missed = (source->flags & BSR_HSF_RESYNC_MISSED_END) != 0 && ss != 0 &&
			    (real(target->hist[0]) == ss || real(target->hist[1]) == ss) &&
			    (real(source->hist[0]) == tc || real(source->hist[1]) == tc);
	return sc != 0 && tc != 0 &&
	       (same_disks(source, target) || (sc != tc && ss == tc) || (sc != tc && ts == sc) || missed || (ss == ts && ss != 0));
}

static void check_sync(const struct bsr_hs_decision *d, const struct side *source,
	const struct side *target, const struct bsr_hs_policy *policy, bool bitmap)
{
	must(has(source), "the source has data", d); /* HD-3 */
	must(!(source->role == BSR_ROLE_PRIMARY && target->role == BSR_ROLE_PRIMARY),
		"no two Primaries are connected", d);
	const bool allowed = d->split_brain_resolved ? policy->after_sb_1pri == BSR_ASB_VIOLENTLY
						     : policy->rr_conflict == BSR_RR_VIOLENTLY;
	must(target->role != BSR_ROLE_PRIMARY || target->disk < CON || target->disk == BSR_DISK_UNKNOWN ||
			allowed,
		"a Primary is target only when a policy says so", d);
	must(!source->discard, "who discards is not source", d);
	if (bitmap) {
		must(bitmaps_have_a_base(source, target) ||
				bitmaps_have_a_base(target, source),
			"a bitmap sync has a base", d);
	}
}

static void check_no_sync(
	const struct bsr_hs_decision *d, const struct side *a, const struct side *b)
{
	const bool equal = real(a->cur) == real(b->cur);
	must(!equal || same_disks(a, b) || (!has(a) && !has(b)), "no sync of disks that have taken another's place", d);
	if (has(a) || has(b)) {
		must(equal || d->reason == BSR_HS_REASON_NEW_NO_SOURCE, "no sync of different data", d);
	}
	must(!has(a) == !has(b) || d->reason == BSR_HS_REASON_NEW_NO_SOURCE,
		"no sync where one lacks data", d);
	must(!(has(a) && has(b)) || (!doubt(a) && !doubt(b)), "bits are not ignored", d);
	must(!(a->role == BSR_ROLE_PRIMARY && b->role == BSR_ROLE_PRIMARY),
		"no two Primaries are connected", d);
	must(!d->clear_bits || (equal && !doubt(a) && !doubt(b)), "bits are dropped with proof", d);
}

static bool is_tie(uint16_t reason)
{
	return reason == BSR_HS_REASON_EQUAL_BOTH_CRASHED || reason == BSR_HS_REASON_EQUAL_BITS_BOTH ||
	       reason == BSR_HS_REASON_SB_TIE;
}

static void check_form(const struct bsr_hs_decision *d, const struct side *a, const struct side *b)
{
	const char *sentence;
	const char *remedy;
	bsr_hs_reason_text(d->reason, &sentence, &remedy);
	must(sentence[0] != '\0', "every reason has a sentence", d);
	const bool stops = d->action == BSR_HS_SPLIT_BRAIN || d->action == BSR_HS_UNRELATED ||
			   d->action == BSR_HS_REFUSED;
	must(stops == (d->error != BSR_CONN_ERROR_NONE), "an error for who stays alone", d);
	must(!stops || remedy[0] != '\0', "a remedy for who stays alone", d);
	must(d->action >= BSR_HS_NO_SYNC && d->action <= BSR_HS_NO_DISK &&
			d->action != BSR_HS_RETRY,
		"a decision, and not to try again", d); /* HD-1 */
	must(!d->pri_lost || a->role == BSR_ROLE_PRIMARY, "only a Primary is lost", d);
	must(!stops || d->size_bytes == 0, "no size without a connection", d);
	if (!stops && d->action != BSR_HS_NO_DISK) {
		must(d->size_bytes != 0 && d->size_bytes <= a->capacity &&
				d->size_bytes <= b->capacity,
			"the size fits both", d);
		must((!has(a) || d->size_bytes >= a->size || a->size == 0) &&
				(!has(b) || d->size_bytes >= b->size || b->size == 0),
			"a disk with data does not shrink", d);
	}
}

static uint64_t cases_checked;

static void check_case(
	const struct prepared *a, const struct prepared *b, const struct bsr_hs_policy *policy)
{
	case_a = a;
	case_b = b;
	case_policy = policy;
	const struct bsr_hs_side sa = {
		.node_id = NODE_S, .role = (enum bsr_role)a->s.role, .discard_my_data = a->s.discard, .volume = &a->v};
	const struct bsr_hs_side sb = {
		.node_id = NODE_P, .role = (enum bsr_role)b->s.role, .discard_my_data = b->s.discard, .volume = &b->v};
	struct bsr_hs_policy mirrored = *policy;
	struct bsr_hs_policy flipped = *policy;
	mirrored.resolver = !policy->resolver;
	flipped.resolver = !policy->resolver;
	mirrored.after_sb_0pri = policy->after_sb_0pri == BSR_ASB_DISCARD_LOCAL ? BSR_ASB_DISCARD_REMOTE
				 : policy->after_sb_0pri == BSR_ASB_DISCARD_REMOTE
					 ? BSR_ASB_DISCARD_LOCAL
					 : policy->after_sb_0pri;
	struct bsr_hs_decision d;
	struct bsr_hs_decision other;
	struct bsr_hs_decision swapped;
	bsr_handshake_decide(&sa, &sb, policy, &d);
	bsr_handshake_decide(&sb, &sa, &mirrored, &other);
	bsr_handshake_decide(&sa, &sb, &flipped, &swapped);
	cases_checked++;
	must(other.action == bsr_hs_mirror(d.action), "mirrored", &d); /* HD-2 */
	must(other.reason == d.reason && other.size_bytes == d.size_bytes &&
			other.error == d.error && other.clear_bits == d.clear_bits &&
			other.split_brain_resolved == d.split_brain_resolved,
		"mirrored in everything", &d);
	must(swapped.action == d.action || is_tie(d.reason) || is_tie(swapped.reason) ||
			d.reason == BSR_HS_REASON_SB_NO_SOURCE ||
			swapped.reason == BSR_HS_REASON_SB_NO_SOURCE || d.pri_lost || other.pri_lost ||
			d.reason == BSR_HS_REASON_SB_NO_CONSENSUS ||
			swapped.reason == BSR_HS_REASON_SB_NO_CONSENSUS ||
			swapped.reason == BSR_HS_REASON_SB_PRIMARY_LOST,
		"the order of the two matters in ties only", &d);
	check_form(&d, &a->s, &b->s);
	check_form(&other, &b->s, &a->s);
	switch (d.action) {
	case BSR_HS_SOURCE_BITMAP:
	case BSR_HS_SOURCE_FULL:
		check_sync(&d, &a->s, &b->s, policy, d.action == BSR_HS_SOURCE_BITMAP);
		break;
	case BSR_HS_TARGET_BITMAP:
	case BSR_HS_TARGET_FULL:
		check_sync(&d, &b->s, &a->s, policy, d.action == BSR_HS_TARGET_BITMAP);
		break;
	case BSR_HS_NO_SYNC:
		check_no_sync(&d, &a->s, &b->s);
		break;
	case BSR_HS_SPLIT_BRAIN:
	case BSR_HS_UNRELATED:
	case BSR_HS_REFUSED:
	case BSR_HS_RETRY:
	case BSR_HS_NO_DISK:
		break;
	}
}

/* ------------------------------------------------------------------ the tables */

static const uint64_t generations[] = {0, G1, G2, G3};
static const uint64_t histories[][2] = {
	{0, 0}, {G1, 0}, {G2, 0}, {G3, 0}, {G1, G2}, {G1, G3}, {G2, G3}};
static const uint8_t disks[] = {BSR_DISK_DISKLESS, INC, OUT, CON, UTD};

#define SHAPES (4 * 4 * 4 * 7)
#define MOODS (5 * 2 * 2 * 2 * 2 * 3 * 3 * 2)

static void shape(struct side *s, uint32_t i)
{
	s->cur = i % 4 == 0 ? JC : generations[i % 4];
	s->slot = generations[i / 4 % 4];
	s->third = generations[i / 16 % 4];
	memcpy(s->hist, histories[i / 64], sizeof(s->hist));
}

/* Everything about a side but its generations. */
static void mood(struct side *s, uint32_t i)
{
	static const uint64_t bits[] = {0, 5, 9};
	static const uint64_t sizes[] = {100, 100, 80};
	s->disk = disks[i % 5];
	s->role = i / 5 % 2 ? BSR_ROLE_PRIMARY : BSR_ROLE_SECONDARY;
	s->discard = i / 10 % 2;
	s->flags = (i / 20 % 2 ? BSR_HSF_CRASHED_PRIMARY : 0) | (i / 40 % 2 ? BSR_HSF_RESYNC_MISSED_END : 0) |
		   (i / 720 % 2 ? 0 : BSR_HSF_PAIR) | (i / 7 % 3 == 0 ? BSR_HSF_CHOSEN : 0);
	s->bits = bits[i / 80 % 3];
	s->size = sizes[i / 240 % 3];
	s->capacity = 100;
}

static void random_policy(struct bsr_hs_policy *p, struct test_random *r)
{
	p->after_sb_0pri = (enum bsr_after_sb)test_random_below(r, 11);
	p->after_sb_1pri = (enum bsr_after_sb)test_random_below(r, 11);
	p->after_sb_2pri = (enum bsr_after_sb)test_random_below(r, 11);
	p->rr_conflict = (enum bsr_rr_conflict)test_random_below(r, 3);
	p->always_asbp = test_random_below(r, 2);
	p->resolver = test_random_below(r, 2);
}

static void prepare(struct prepared *c, uint32_t shape_index, uint32_t mood_index, uint32_t other)
{
	shape(&c->s, shape_index);
	mood(&c->s, mood_index);
	c->s.slot |= c->s.slot != 0 && mood_index % 7 < 3 ? BSR_GI_PRIMARY_BIT : 0;
	c->s.cur |= c->s.role == BSR_ROLE_PRIMARY ? BSR_GI_PRIMARY_BIT : 0;
	fill(&c->v, &c->s, other);
}

static void every_pair_of_generation_sets_keeps_the_properties(void **state)
{
	(void)state;
	struct test_random r = {20260101};
	struct prepared a = {.v = {.vnr = 0}};
	struct prepared b = {.v = {.vnr = 0}};
	struct bsr_hs_policy policy = {.resolver = true};
	const uint32_t rounds = long_run ? 128 : 12;
	cases_checked = 0;
	for (uint32_t i = 0; i < SHAPES; i++) {
		for (uint32_t j = 0; j < SHAPES; j++) {
			for (uint32_t round = 0; round < rounds; round++) {
				/*
				 * one round with healthy disks, where the generations decide alone
				 */
				const uint32_t one = round == 0 ? 4
								: (uint32_t)test_random_below(&r, MOODS);
				const uint32_t two = round == 0 ? 4
								: (uint32_t)test_random_below(&r, MOODS);
				prepare(&a, i, one, NODE_P);
				prepare(&b, j, two, NODE_S);
				random_policy(&policy, &r);
				check_case(&a, &b, &policy);
			}
		}
	}
	print_message("%llu cases\n", (unsigned long long)cases_checked);
}

static void every_pair_of_conditions_keeps_the_properties(void **state)
{
	(void)state;
	/* pairs of shapes that reach each rule about generations */
	static const uint32_t pairs[][2] = {{1, 1}, {2 + 4, 1}, {2 + 4, 3 + 4}, {0, 0}, {0, 1},
		{2 + 64, 3 + 64}, {3 + 128, 2 + 64}, {3 + 4 + 128, 2 + 64}, {2 + 16, 1}, {2 + 8, 2 + 4},
		{1, 2}};
	struct test_random r = {20260102};
	struct prepared a = {.v = {.vnr = 0}};
	struct prepared b = {.v = {.vnr = 0}};
	struct bsr_hs_policy policy = {.resolver = true};
	const size_t pair_count = sizeof(pairs) / sizeof(pairs[0]);
	const uint32_t step = long_run ? 1 : 7; /* prime to the number of conditions */
	cases_checked = 0;
	for (size_t k = 0; k < pair_count; k++) {
		for (uint32_t i = 0; i < MOODS; i++) {
			for (uint32_t j = i % step; j < MOODS; j += step) {
				prepare(&a, pairs[k][0], i, NODE_P);
				prepare(&b, pairs[k][1], j, NODE_S);
				random_policy(&policy, &r);
				check_case(&a, &b, &policy);
			}
		}
	}
	print_message("%llu cases\n", (unsigned long long)cases_checked);
}

static void reasons_are_known_and_unknown_ones_are_empty(void **state)
{
	(void)state;
	const char *sentence;
	const char *remedy;
	uint32_t known = 0;
	for (uint32_t i = 0; i <= UINT16_MAX; i++) {
		bsr_hs_reason_text((uint16_t)i, &sentence, &remedy);
		assert_non_null(sentence);
		assert_non_null(remedy);
		known += sentence[0] != '\0';
		assert_true(sentence[0] != '\0' || remedy[0] == '\0');
		assert_true(remedy[0] == '\0' || strstr(remedy, "bsradm") || i == 110);
	}
	assert_true(known > 40);
	for (int action = 1; action <= 10; action++) {
		const enum bsr_hs_action a = (enum bsr_hs_action)action;
		assert_int_equal(bsr_hs_mirror(bsr_hs_mirror(a)), a);
	}
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(documented_pairs_are_judged_as_written),
		cmocka_unit_test(just_created_disks_get_what_the_other_has),
		cmocka_unit_test(equal_generations_are_settled_by_state_then_bits),
		cmocka_unit_test(an_administrator_chooses_between_equals),
		cmocka_unit_test(an_end_of_resync_that_was_missed_costs_little),
		cmocka_unit_test(bits_about_a_disk_that_was_exchanged_count_for_nothing),
		cmocka_unit_test(no_data_no_source),
		cmocka_unit_test(a_primary_is_not_overwritten),
		cmocka_unit_test(discard_my_data_makes_a_target),
		cmocka_unit_test(policies_decide_a_split_brain),
		cmocka_unit_test(sizes_are_agreed_and_never_shrink),
		cmocka_unit_test(node_ids_are_checked),
		cmocka_unit_test(every_pair_of_generation_sets_keeps_the_properties),
		cmocka_unit_test(every_pair_of_conditions_keeps_the_properties),
		cmocka_unit_test(reasons_are_known_and_unknown_ones_are_empty),
	};
	long_run = argc > 1 && strcmp(argv[1], "--long") == 0;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
