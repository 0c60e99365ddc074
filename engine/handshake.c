// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * handshake.c - what two disks that meet do
 *
 * Owns:       the rules of docs/design/handshake.md, in their order; their numbers are in
 *             handshake_reasons.def.
 * May touch:  nothing: one pure function of its arguments.
 * Invariants:
 *   HD-1  Every input has a decision, and it is never "try again".
 *   HD-2  Both ends decide the mirrored action, for the same reason, with the same size.
 *   HD-3  A side without usable data is never source; two Primaries are never connected.
 *   HD-4  Bits are never declared meaningless while there are any.
 *
 * HD-2 holds by construction: both ends put the two sides into the same order, the one with the
 *      tie-break first,
 * judge the pair once, and translate the verdict. Only pick_target_of_tie() and the translation
 * know who is first.
 */
#include <bsr/assert.h>
#include <bsr/handshake.h>

#include "handshake_judge.h"
#include "mutation.h"


/* ------------------------------------------------------------- the two sides */

static uint64_t generation(struct bsr_gi gi)
{
	const uint64_t v = gi.v & BSR_GI_MASK;
	return v == BSR_GI_JUST_CREATED || v == BSR_GI_MASK ? 0 : v;
}

static uint32_t rank_of(uint8_t disk)
{
	return disk < BSR_DISK_INCONSISTENT || disk == BSR_DISK_UNKNOWN || disk > BSR_DISK_UP_TO_DATE ? 0 : disk;
}

static void party_init(struct party *p, const struct bsr_hs_side *side, uint32_t other_node)
{
	const struct bsr_msg_hs_volume *v = side->volume;
	*p = (struct party){.side = side,
		.v = v,
		.cur = generation(v->current),
		.slot = generation(v->bitmap[other_node]),
		.other_node = other_node,
		.rank = rank_of(v->disk),
		.crashed = (v->flags & BSR_HSF_CRASHED_PRIMARY) != 0,
		.chosen = (v->flags & BSR_HSF_CHOSEN) != 0 && !BSR_MUTATION(160),
		.primary = side->role == BSR_ROLE_PRIMARY};
	p->created = p->cur == 0;
	p->bits = v->bits != 0;
	p->bound = v->size_bytes != 0 && (!p->created || p->rank > BSR_DISK_INCONSISTENT);
}

static bool in_history(const struct party *p, uint64_t gi)
{
	for (uint32_t i = 0; gi != 0 && i < BSR_HISTORY_UUIDS; i++) {
		if (generation(p->v->history[i]) == gi) {
			return true;
		}
	}
	return false;
}

/* Has @p left a third node in generation @gi? */
static bool in_third_slot(const struct party *p, uint64_t gi)
{
	for (uint32_t node = 0; gi != 0 && node < BSR_NODES_MAX; node++) {
		if (node != p->other_node && node != p->side->node_id &&
			generation(p->v->bitmap[node]) == gi) {
			return true;
		}
	}
	return false;
}

static bool knows(const struct party *p, uint64_t gi)
{
	return gi != 0 && (p->slot == gi || in_history(p, gi) || in_third_slot(p, gi));
}

/* Some generation that both went through. */
static bool related(const struct party *a, const struct party *b)
{
	if (knows(b, a->slot)) {
		return true;
	}
	for (uint32_t i = 0; i < BSR_HISTORY_UUIDS; i++) {
		if (knows(b, generation(a->v->history[i])) ||
			(i != a->other_node && i != a->side->node_id && knows(b, generation(a->v->bitmap[i])))) {
			return true;
		}
	}
	return false;
}
BSR_STATIC_ASSERT(BSR_HISTORY_UUIDS == BSR_NODES_MAX, "one loop goes through both");

/* ---------------------------------------------------------------- verdicts */

static struct verdict no_sync(uint16_t reason)
{
	return (struct verdict){.kind = KIND_NO_SYNC, .reason = reason, .loser = NOBODY, .outdated = NOBODY};
}

static struct verdict split_brain(bool usable, uint16_t reason)
{
	return (struct verdict){.kind = KIND_SPLIT_BRAIN,
		.reason = reason,
		.usable = usable,
		.loser = NOBODY,
		.error = BSR_CONN_ERROR_SPLIT_BRAIN};
}

static struct verdict unrelated(uint16_t reason)
{
	return (struct verdict){
		.kind = KIND_UNRELATED, .reason = reason, .loser = NOBODY, .error = BSR_CONN_ERROR_UNRELATED};
}

/* ----------------------------------------------------------- 2: just created */

static struct verdict judge_created(const struct pair *pr)
{
	const uint32_t created = pr->p[0].created ? 0 : 1;
	const struct party *fresh = &pr->p[created];
	const struct party *other = &pr->p[1 - created];
	if (has_data(other)) {
		return sync_from(1 - created, true, BSR_HS_REASON_ONE_NEW);
	}
	return has_data(fresh) ? unrelated(BSR_HS_REASON_NEW_CLAIMS_DATA)
			       : no_sync(BSR_HS_REASON_NEW_NO_SOURCE);
}

/* ------------------------------------------------------ 3: equal generations */

/* Both were Secondaries of the same Primary: who has got more of its stream? */
static uint32_t heard_more(const struct party *a, const struct party *b)
{
	const uint64_t x = a->side->lost_dagtag;
	const uint64_t y = b->side->lost_dagtag;
	return x == 0 || y == 0 || a->side->lost_node != b->side->lost_node ? NOBODY : only_one(x > y, y > x);
}

static struct verdict judge_equal_bits(const struct pair *pr, bool full)
{
	const struct party *a = &pr->p[0];
	const struct party *b = &pr->p[1];
	const uint32_t source = only_one(a->bits, b->bits);
	if (source != NOBODY) {
		return sync_from(source, full, BSR_HS_REASON_EQUAL_BITS);
	}
	return sync_from(1 - pick_target_of_tie(), full, BSR_HS_REASON_EQUAL_BITS_BOTH);
}

/* Both have data; something may differ. */
static struct verdict judge_equal_doubt(const struct pair *pr, bool full)
{
	const struct party *a = &pr->p[0];
	const struct party *b = &pr->p[1];
	uint32_t source = only_one(a->primary, b->primary);
	if (source != NOBODY) {
		return sync_from(source, full, BSR_HS_REASON_EQUAL_PRIMARY);
	}
	source = only_one(a->rank > b->rank, b->rank > a->rank);
	if (source != NOBODY) {
		return sync_from(source, full, BSR_HS_REASON_EQUAL_BETTER);
	}
	source = only_one(a->chosen, b->chosen);
	if (source != NOBODY) {
		return sync_from(source, full, BSR_HS_REASON_EQUAL_CHOSEN);
	}
	source = only_one(a->crashed, b->crashed);
	if (source != NOBODY) {
		return sync_from(source, full, BSR_HS_REASON_EQUAL_CRASHED);
	}
	if (a->crashed) {
		return sync_from(1 - pick_target_of_tie(), full, BSR_HS_REASON_EQUAL_BOTH_CRASHED);
	}
	source = heard_more(a, b);
	if (source != NOBODY) {
		return sync_from(source, full, BSR_HS_REASON_EQUAL_HEARD_MORE);
	}
	return judge_equal_bits(pr, full);
}

/*
 * A slot names the generation in which the other disk was left. If that one has the present generation, it has gone through
 * the slot's on its way; when it has not, the slot and its bits are about another disk, which had its place meanwhile.
 * With third nodes it may have come here by one of these, and the slot may name the base of a full sync that never began.
 */
static bool notes_of_another_disk(const struct party *p, const struct party *other)
{
	const bool pair = (p->v->flags & other->v->flags & BSR_HSF_PAIR) != 0;
	return pair && p->slot != 0 && p->slot != other->cur && !knows(other, p->slot) && !BSR_MUTATION(92);
}

/* Whoever has such notes was its source in this generation, and has been it since. */
static struct verdict judge_other_disk(const struct pair *pr, uint32_t keeper)
{
	const struct party *k = &pr->p[keeper];
	const struct party *other = &pr->p[1 - keeper];
	return has_data(k) && k->rank >= other->rank ? sync_from(keeper, true, BSR_HS_REASON_EQUAL_OTHER_DISK)
						     : split_brain(false, BSR_HS_REASON_SB_CONTRADICTION);
}

static struct verdict judge_equal(const struct pair *pr)
{
	const struct party *a = &pr->p[0];
	const struct party *b = &pr->p[1];
	const uint32_t keeper = only_one(notes_of_another_disk(a, b), notes_of_another_disk(b, a));
	if (keeper != NOBODY && (has_data(a) || has_data(b))) {
		return judge_other_disk(pr, keeper);
	}
	/* bits of disks that were just created are relative to nothing */
	const bool full = a->created;
	if (!has_data(a) && !has_data(b)) {
		return no_sync(full ? BSR_HS_REASON_BOTH_NEW : BSR_HS_REASON_EQUAL_NO_SOURCE);
	}
	uint32_t source = only_one(has_data(a), has_data(b));
	if (source != NOBODY) {
		return sync_from(source, full, BSR_HS_REASON_EQUAL_INCONSISTENT);
	}
	source = only_one(a->rank > BSR_DISK_OUTDATED, b->rank > BSR_DISK_OUTDATED);
	if (source != NOBODY) {
		return sync_from(source, full, BSR_HS_REASON_EQUAL_OUTDATED);
	}
	if (!BSR_MUTATION(52) && (a->bits || b->bits || a->crashed || b->crashed)) {
		return judge_equal_doubt(pr, full);
	}
	struct verdict v = no_sync(
		a->rank == BSR_DISK_OUTDATED ? BSR_HS_REASON_EQUAL_BOTH_OUTDATED : BSR_HS_REASON_EQUAL);
	v.clear = true; /* HD-4 */
	return v;
}

/* ------------------------------------------- 4 and 5: different generations */

/* What says that one party is an ancestor of the other. */
struct evidence {
	bool slot;
	bool history;
	bool third;
	bool missed_end;
};

static struct evidence evidence_of(const struct party *older, const struct party *newer)
{
	struct evidence e = {.slot = newer->slot == older->cur,
		.history = in_history(newer, older->cur),
		.third = in_third_slot(newer, older->cur)};
	e.missed_end = e.history && (newer->v->flags & BSR_HSF_RESYNC_MISSED_END) != 0 &&
		       in_history(older, newer->slot);
	return e;
}

static bool any(const struct evidence *e)
{
	return e->slot || e->history || e->third;
}

static struct verdict judge_ancestor(const struct pair *pr, uint32_t older_at, const struct evidence *e)
{
	const struct party *older = &pr->p[older_at];
	const struct party *newer = &pr->p[1 - older_at];
	if (!has_data(newer)) {
		if (!has_data(older)) {
			return no_sync(BSR_HS_REASON_DIFFERENT_NO_SOURCE);
		}
		struct verdict v = split_brain(e->slot || e->missed_end, BSR_HS_REASON_NEWER_INCONSISTENT);
		v.no_policy = true;
		return v;
	}
	if (e->slot && older->slot != 0 && older->bits && !older->crashed &&
		older->rank >= BSR_DISK_CONSISTENT) {
		return split_brain(true, BSR_HS_REASON_ANCESTOR_WROTE);
	}
	if (e->slot) {
		return sync_from(1 - older_at, false, BSR_HS_REASON_ANCESTOR_SLOT);
	}
	if (e->missed_end) {
		return sync_from(1 - older_at, false, BSR_HS_REASON_ANCESTOR_MISSED_END);
	}
	return sync_from(1 - older_at, true,
		e->third ? BSR_HS_REASON_ANCESTOR_THIRD : BSR_HS_REASON_ANCESTOR_HISTORY);
}

/* A full sync by somebody else has been interrupted: nothing in it is worth a question. */
static bool is_torso(const struct party *p)
{
	return p->side->sync_base && p->rank == BSR_DISK_INCONSISTENT;
}

static struct verdict judge_torso(const struct pair *pr)
{
	const uint32_t source = only_one(has_data(&pr->p[0]), has_data(&pr->p[1]));
	return source == NOBODY ? no_sync(BSR_HS_REASON_DIFFERENT_NO_SOURCE)
				: sync_from(source, true, BSR_HS_REASON_TORSO);
}

static struct verdict judge_different(const struct pair *pr)
{
	const struct party *a = &pr->p[0];
	const struct party *b = &pr->p[1];
	const struct evidence e[2] = {evidence_of(a, b), evidence_of(b, a)};
	if ((is_torso(a) || is_torso(b)) && !e[0].slot && !e[1].slot) {
		return judge_torso(pr);
	}
	const uint32_t older = only_one(any(&e[0]), any(&e[1]));
	if (older != NOBODY) {
		return judge_ancestor(pr, older, &e[older]);
	}
	const bool contradiction = any(&e[0]);
	const bool same_base = a->slot != 0 && a->slot == b->slot;
	if (!contradiction && !same_base && !related(a, b)) {
		return unrelated(BSR_HS_REASON_UNRELATED);
	}
	if (!has_data(a) && !has_data(b)) {
		return no_sync(BSR_HS_REASON_DIFFERENT_NO_SOURCE);
	}
	if (contradiction) {
		return split_brain(false, BSR_HS_REASON_SB_CONTRADICTION);
	}
	return split_brain(same_base, same_base ? BSR_HS_REASON_SB_BITMAPS : BSR_HS_REASON_SB_HISTORY);
}

/* ------------------------------------------------- 7: forbidden directions */

static struct verdict apply_discard(const struct pair *pr, struct verdict v)
{
	const bool a = pr->p[0].side->discard_my_data;
	const bool b = pr->p[1].side->discard_my_data;
	if (a && b) {
		return refused(BSR_HS_REASON_DISCARD_BOTH, BSR_CONN_ERROR_DISCARD_REFUSED);
	}
	const struct party *source = &pr->p[v.source];
	const struct party *target = &pr->p[1 - v.source];
	if (!source->side->discard_my_data) {
		return v;
	}
	if (source->primary) {
		return refused(BSR_HS_REASON_DISCARD_PRIMARY, BSR_CONN_ERROR_DISCARD_REFUSED);
	}
	if (!has_data(target) || target->created) {
		return refused(BSR_HS_REASON_DISCARD_NO_SOURCE, BSR_CONN_ERROR_DISCARD_REFUSED);
	}
	v.source = (uint8_t)(1 - v.source);
	v.reason = BSR_HS_REASON_DISCARD_REVERSED;
	return v;
}

static struct verdict protect_primary(const struct pair *pr, struct verdict v)
{
	const uint32_t at = 1u - v.source;
	const struct party *target = &pr->p[at];
	if (v.resolved || !target->primary || target->rank < BSR_DISK_CONSISTENT) {
		return v;
	}
	if (pr->policy.rr_conflict == BSR_RR_VIOLENTLY) {
		v.reason = BSR_HS_REASON_PRIMARY_OVERWRITTEN;
		return v;
	}
	const bool tell = pr->policy.rr_conflict == BSR_RR_CALL_PRI_LOST;
	return undecided(refused(BSR_HS_REASON_TARGET_PRIMARY, BSR_CONN_ERROR_SYNC_TARGET_PRIMARY),
		tell ? BSR_HS_REASON_TARGET_PRIMARY_LOST : BSR_HS_REASON_TARGET_PRIMARY,
		tell ? at : NOBODY);
}

/* The side with the larger of two agreed sizes that differ; NOBODY when they do not. */
static uint32_t larger_of(const struct pair *pr)
{
	const struct party *a = &pr->p[0];
	const struct party *b = &pr->p[1];
	return !a->bound || !b->bound ? NOBODY
				      : only_one(a->v->size_bytes > b->v->size_bytes,
						b->v->size_bytes > a->v->size_bytes);
}

/* Equal data, but what one side has grown by is unknown to the other. */
static struct verdict fill_growth(const struct pair *pr, struct verdict v)
{
	const uint32_t larger = larger_of(pr);
	if (larger == NOBODY || !has_data(&pr->p[0]) || !has_data(&pr->p[1])) {
		return v;
	}
	return pr->p[1 - larger].primary ? refused(BSR_HS_REASON_SIZE_DIFFERS, BSR_CONN_ERROR_SIZE)
					 : sync_from(larger, pr->p[0].created,
						   BSR_HS_REASON_EQUAL_GREW);
}

static struct verdict forbid_shrinking(const struct pair *pr, struct verdict v)
{
	const uint32_t larger = larger_of(pr);
	return larger == NOBODY || v.source == larger
		       ? v
		       : refused(BSR_HS_REASON_SIZE_DIFFERS, BSR_CONN_ERROR_SIZE);
}

/* --------------------------------------------------- 8: what third nodes do */

/* The Primary that a side is, or sees. */
static uint32_t primary_of(const struct party *p)
{
	return p->primary ? 1u << p->side->node_id : p->side->primaries;
}

/* Two Primaries, directly or through one of the two. */
static bool two_primaries_meet(const struct pair *pr)
{
	const uint32_t a = primary_of(&pr->p[0]);
	const uint32_t b = primary_of(&pr->p[1]);
	return a != 0 && b != 0 && a != b;
}

static struct verdict leave_to_thirds(const struct pair *pr, struct verdict v)
{
	const struct party *a = &pr->p[0];
	const struct party *b = &pr->p[1];
	if (two_primaries_meet(pr)) {
		return v; /* refused, or a split brain */
	}
	if (!a->primary && !b->primary && (a->side->primaries | b->side->primaries) != 0) {
		/* the Primary is the only source for those who see it, and the others wait for it */
		struct verdict wait = no_sync(BSR_HS_REASON_PRIMARY_ELSEWHERE);
		if (v.kind == KIND_SYNC && pr->p[1 - v.source].side->primaries == 0) {
			wait.outdated = (uint8_t)(1 - v.source);
		}
		return v.kind == KIND_SYNC || v.kind == KIND_SPLIT_BRAIN ? wait : v;
	}
	const bool asks = (v.kind == KIND_SPLIT_BRAIN || v.kind == KIND_UNRELATED) && !a->primary && !b->primary;
	const bool differ = v.kind == KIND_SYNC || asks;
	if (differ && (a->side->is_target || b->side->is_target)) {
		const bool from_primary =
			v.kind == KIND_SYNC && pr->p[v.source].primary && !pr->p[v.source].side->is_target;
		return from_primary ? v : no_sync(BSR_HS_REASON_RESYNC_ELSEWHERE);
	}
	return v;
}

/* ------------------------------------------------------- 1: can be compared */

static uint64_t smaller(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

static uint64_t offered(const struct party *p)
{
	const uint64_t wanted = p->v->wanted_bytes;
	return wanted != 0 ? smaller(wanted, p->v->capacity_bytes) : p->v->capacity_bytes;
}

/* The size both will use; false with a verdict when there is none. */
static bool agree_on_size(struct pair *pr, struct verdict *v)
{
	const struct party *a = &pr->p[0];
	const struct party *b = &pr->p[1];
	const uint64_t bound_a = a->bound ? a->v->size_bytes : 0;
	const uint64_t bound_b = b->bound ? b->v->size_bytes : 0;
	pr->size = bound_a > bound_b ? bound_a : bound_b;
	if (pr->size == 0) {
		pr->size = smaller(offered(a), offered(b));
		*v = refused(BSR_HS_REASON_SIZE_ZERO, BSR_CONN_ERROR_SIZE);
		return pr->size != 0;
	}
	*v = refused(BSR_HS_REASON_SIZE_TOO_SMALL, BSR_CONN_ERROR_SIZE);
	return a->v->capacity_bytes >= pr->size && b->v->capacity_bytes >= pr->size;
}

static uint64_t size_alone(const struct party *p)
{
	if (p->rank == 0) {
		return 0;
	}
	return p->bound ? p->v->size_bytes : offered(p);
}

/* -------------------------------------------------------------- the verdict */

static struct verdict judge_generations(const struct pair *pr)
{
	if (pr->p[0].cur == pr->p[1].cur) {
		return judge_equal(pr);
	}
	if (pr->p[0].created || pr->p[1].created) {
		return judge_created(pr);
	}
	return judge_different(pr);
}

static struct verdict judge(struct pair *pr)
{
	const struct verdict two_primaries =
		refused(BSR_HS_REASON_TWO_PRIMARIES, BSR_CONN_ERROR_TWO_PRIMARIES);
	const bool both_primary = two_primaries_meet(pr);
	if (pr->p[0].rank == 0 || pr->p[1].rank == 0) {
		pr->size = size_alone(&pr->p[0]) + size_alone(&pr->p[1]); /* one of them is 0 */
		return both_primary ? two_primaries
				    : (struct verdict){.kind = KIND_NO_DISK,
					      .reason = BSR_HS_REASON_NO_DISK,
					      .loser = NOBODY};
	}
	struct verdict v;
	if (!agree_on_size(pr, &v)) {
		return v;
	}
	v = judge_generations(pr);
	if (v.kind == KIND_SPLIT_BRAIN) {
		v = bsr_handshake_resolve(pr, v);
	}
	if (v.kind == KIND_NO_SYNC) {
		v = fill_growth(pr, v);
	}
	if (v.kind == KIND_SYNC && !v.resolved) {
		v = apply_discard(pr, v);
	}
	if ((v.kind == KIND_SYNC || v.kind == KIND_NO_SYNC) && both_primary) {
		return two_primaries; /* HD-3 */
	}
	if (v.kind == KIND_SYNC) {
		v = protect_primary(pr, v);
	}
	if (v.kind == KIND_SYNC) {
		v = forbid_shrinking(pr, v);
	}
	v = leave_to_thirds(pr, v);
	BSR_ASSERT(v.kind != KIND_SYNC || has_data(&pr->p[v.source])); /* HD-3 */
	return v;
}

/* --------------------------------------------------------------- both ends */

static void pair_init(struct pair *pr, const struct bsr_hs_side *local, const struct bsr_hs_side *peer,
	const struct bsr_hs_policy *policy)
{
	const uint32_t me = policy->resolver ? TIE_BREAKER : 1 - TIE_BREAKER;
	party_init(&pr->p[me], local, peer->node_id);
	party_init(&pr->p[1 - me], peer, local->node_id);
	pr->policy = *policy;
	pr->size = 0;
	if (me == 1 && policy->after_sb_0pri == BSR_ASB_DISCARD_LOCAL) {
		pr->policy.after_sb_0pri = BSR_ASB_DISCARD_REMOTE;
	} else if (me == 1 && policy->after_sb_0pri == BSR_ASB_DISCARD_REMOTE) {
		pr->policy.after_sb_0pri = BSR_ASB_DISCARD_LOCAL;
	}
}

static enum bsr_hs_action action_of(const struct verdict *v, uint32_t me)
{
	switch (v->kind) {
	case KIND_NO_SYNC:
		return BSR_HS_NO_SYNC;
	case KIND_SYNC:
		if (v->source == me) {
			return v->full ? BSR_HS_SOURCE_FULL : BSR_HS_SOURCE_BITMAP;
		}
		return v->full ? BSR_HS_TARGET_FULL : BSR_HS_TARGET_BITMAP;
	case KIND_SPLIT_BRAIN:
		return BSR_HS_SPLIT_BRAIN;
	case KIND_UNRELATED:
		return BSR_HS_UNRELATED;
	case KIND_REFUSED:
		return BSR_HS_REFUSED;
	case KIND_NO_DISK:
		return BSR_HS_NO_DISK;
	}
	bsr_panic(__FILE__, __LINE__, "verdict without an action");
}

void bsr_handshake_decide(const struct bsr_hs_side *local, const struct bsr_hs_side *peer,
	const struct bsr_hs_policy *policy, struct bsr_hs_decision *decision)
{
	BSR_ASSERT(local->volume != NULL && peer->volume != NULL);
	const uint32_t me = policy->resolver ? TIE_BREAKER : 1 - TIE_BREAKER;
	struct pair pr = {.size = 0};
	struct verdict v;
	if (local->node_id >= BSR_NODES_MAX || peer->node_id >= BSR_NODES_MAX ||
		local->node_id == peer->node_id) {
		v = refused(BSR_HS_REASON_BAD_IDENTITY, BSR_CONN_ERROR_CONFIG);
	} else {
		pair_init(&pr, local, peer, policy);
		v = judge(&pr);
	}
	const bool connects = v.error == BSR_CONN_ERROR_NONE;
	*decision = (struct bsr_hs_decision){.action = action_of(&v, me),
		.reason = v.reason,
		.error = v.error,
		.size_bytes = connects ? pr.size : 0,
		.split_brain_resolved = v.resolved,
		.clear_bits = v.clear && v.kind == KIND_NO_SYNC,
		.outdate = v.kind == KIND_NO_SYNC && v.outdated == me,
		.pri_lost = v.loser == me};
}

enum bsr_hs_action bsr_hs_mirror(enum bsr_hs_action action)
{
	switch (action) {
	case BSR_HS_SOURCE_BITMAP:
		return BSR_HS_TARGET_BITMAP;
	case BSR_HS_TARGET_BITMAP:
		return BSR_HS_SOURCE_BITMAP;
	case BSR_HS_SOURCE_FULL:
		return BSR_HS_TARGET_FULL;
	case BSR_HS_TARGET_FULL:
		return BSR_HS_SOURCE_FULL;
	case BSR_HS_NO_SYNC:
	case BSR_HS_SPLIT_BRAIN:
	case BSR_HS_UNRELATED:
	case BSR_HS_REFUSED:
	case BSR_HS_RETRY:
	case BSR_HS_NO_DISK:
		break;
	}
	return action;
}
