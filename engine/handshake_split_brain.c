// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * handshake_split_brain.c - who wins a split brain
 *
 * Owns:       section 6 of docs/design/handshake.md. Pure, like handshake.c, whose invariants hold here.
 */
#include "handshake_judge.h"

/* Who is target, and by which rule; NOBODY when the policy has no answer. */
struct answer {
	uint32_t target;
	uint16_t reason;
};

static struct answer least_changes(const struct pair *pr)
{
	const uint64_t a = pr->p[0].v->bits;
	const uint64_t b = pr->p[1].v->bits;
	if (a == b) {
		return (struct answer){pick_target_of_tie(), BSR_HS_REASON_SB_TIE};
	}
	return (struct answer){a < b ? 0 : 1, BSR_HS_REASON_SB_LEAST_CHANGES};
}

/*
 * The one that went on as Primary has the primary bit in its slot generation; the younger one does
 * not.
 */
static struct answer by_age(const struct pair *pr, bool discard_younger)
{
	const struct party *a = &pr->p[0];
	const struct party *b = &pr->p[1];
	const uint32_t older = only_one((a->v->bitmap[a->other_node].v & BSR_GI_PRIMARY_BIT) != 0,
		(b->v->bitmap[b->other_node].v & BSR_GI_PRIMARY_BIT) != 0);
	if (older == NOBODY) {
		return least_changes(pr);
	}
	return discard_younger ? (struct answer){1 - older, BSR_HS_REASON_SB_YOUNGER}
			       : (struct answer){older, BSR_HS_REASON_SB_OLDER};
}

static struct answer zero_changes(const struct pair *pr)
{
	const bool a = !pr->p[0].bits;
	const bool b = !pr->p[1].bits;
	if (a && b) {
		return (struct answer){pick_target_of_tie(), BSR_HS_REASON_SB_TIE};
	}
	return (struct answer){only_one(a, b), BSR_HS_REASON_SB_ZERO_CHANGES};
}

static struct answer answer_0pri(const struct pair *pr)
{
	switch (pr->policy.after_sb_0pri) {
	case BSR_ASB_DISCARD_YOUNGER_PRIMARY:
		return by_age(pr, true);
	case BSR_ASB_DISCARD_OLDER_PRIMARY:
		return by_age(pr, false);
	case BSR_ASB_DISCARD_ZERO_CHANGES:
		return zero_changes(pr);
	case BSR_ASB_DISCARD_LEAST_CHANGES:
		return least_changes(pr);
	case BSR_ASB_DISCARD_LOCAL:
		return (struct answer){0, BSR_HS_REASON_SB_CONFIGURED};
	case BSR_ASB_DISCARD_REMOTE:
		return (struct answer){1, BSR_HS_REASON_SB_CONFIGURED};
	case BSR_ASB_DISCONNECT:
	case BSR_ASB_CONSENSUS:
	case BSR_ASB_DISCARD_SECONDARY:
	case BSR_ASB_CALL_PRI_LOST:
	case BSR_ASB_VIOLENTLY:
		break;
	}
	return (struct answer){NOBODY, 0};
}

static struct verdict resolve(struct verdict v, uint32_t target, uint16_t reason)
{
	struct verdict resolved = sync_from(1 - target, !v.usable, reason);
	resolved.resolved = true;
	return resolved;
}

static struct verdict resolve_by_policy(const struct pair *pr, struct verdict v, struct answer answer)
{
	if (answer.target == NOBODY) {
		return v;
	}
	const struct party *target = &pr->p[answer.target];
	const struct party *source = &pr->p[1 - answer.target];
	if (!has_data(source) ||
		(source->rank == BSR_DISK_OUTDATED && target->rank > BSR_DISK_OUTDATED)) {
		return undecided(v, BSR_HS_REASON_SB_NO_SOURCE, NOBODY);
	}
	return resolve(v, answer.target, answer.reason);
}

static struct verdict resolve_1pri(const struct pair *pr, struct verdict v)
{
	const uint32_t primary = pr->p[0].primary ? 0 : 1;
	const struct answer answer = answer_0pri(pr);
	switch (pr->policy.after_sb_1pri) {
	case BSR_ASB_DISCARD_SECONDARY:
		return resolve_by_policy(
			pr, v, (struct answer){1 - primary, BSR_HS_REASON_SB_SECONDARY});
	case BSR_ASB_CONSENSUS:
		return answer.target == primary ? undecided(v, BSR_HS_REASON_SB_NO_CONSENSUS, NOBODY)
						: resolve_by_policy(pr, v, answer);
	case BSR_ASB_CALL_PRI_LOST:
		return answer.target == primary ? undecided(v, BSR_HS_REASON_SB_PRIMARY_LOST, primary)
						: resolve_by_policy(pr, v, answer);
	case BSR_ASB_VIOLENTLY:
		return resolve_by_policy(pr, v, answer);
	case BSR_ASB_DISCONNECT:
	case BSR_ASB_DISCARD_YOUNGER_PRIMARY:
	case BSR_ASB_DISCARD_OLDER_PRIMARY:
	case BSR_ASB_DISCARD_ZERO_CHANGES:
	case BSR_ASB_DISCARD_LEAST_CHANGES:
	case BSR_ASB_DISCARD_LOCAL:
	case BSR_ASB_DISCARD_REMOTE:
		break;
	}
	return v;
}

static struct verdict resolve_2pri(const struct pair *pr, struct verdict v)
{
	const bool tell = pr->policy.after_sb_2pri == BSR_ASB_CALL_PRI_LOST ||
			  pr->policy.after_sb_2pri == BSR_ASB_VIOLENTLY;
	return undecided(
		v, BSR_HS_REASON_SB_TWO_PRIMARIES, tell ? answer_0pri(pr).target : NOBODY);
}

struct verdict bsr_handshake_resolve(const struct pair *pr, struct verdict v)
{
	const bool a = pr->p[0].side->discard_my_data;
	const bool b = pr->p[1].side->discard_my_data;
	if (a && b) {
		return refused(BSR_HS_REASON_DISCARD_BOTH, BSR_CONN_ERROR_DISCARD_REFUSED);
	}
	if (a || b) {
		const uint32_t target = a ? 0 : 1;
		if (pr->p[target].primary) {
			return refused(BSR_HS_REASON_DISCARD_PRIMARY, BSR_CONN_ERROR_DISCARD_REFUSED);
		}
		if (!has_data(&pr->p[1 - target])) {
			return refused(BSR_HS_REASON_DISCARD_NO_SOURCE, BSR_CONN_ERROR_DISCARD_REFUSED);
		}
		return resolve(v, target, BSR_HS_REASON_SB_DISCARD);
	}
	if (pr->p[0].primary && pr->p[1].primary) {
		return resolve_2pri(pr, v);
	}
	if (v.no_policy || (!v.usable && !pr->policy.always_asbp)) {
		return v;
	}
	if (pr->p[0].primary || pr->p[1].primary) {
		return resolve_1pri(pr, v);
	}
	return resolve_by_policy(pr, v, answer_0pri(pr));
}
