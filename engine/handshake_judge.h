/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * handshake_judge.h - what handshake.c and handshake_split_brain.c share: the pair and the verdict on it
 */
#ifndef BSR_ENGINE_HANDSHAKE_JUDGE_H
#define BSR_ENGINE_HANDSHAKE_JUDGE_H

#include <bsr/assert.h>
#include <bsr/handshake.h>

#define TIE_BREAKER 0u /* place in the pair of the side with the tie-break */

/* One of the two, as the rules see it. */
struct party {
	const struct bsr_hs_side *side;
	const struct bsr_msg_hs_volume *v;
	uint64_t cur;
	uint64_t slot; /* for the other; 0 = none */
	uint32_t other_node;
	uint32_t rank; /* enum bsr_disk_state, Inconsistent..UpToDate; 0 = no disk */
	bool created;
	bool bits; /* some */
	bool crashed;
	bool chosen; /* by an administrator */
	bool primary;
	bool bound; /* its agreed size is binding */
};

struct pair {
	struct party p[2];
	/* discard-local is about the first, discard-remote about the second */
	struct bsr_hs_policy policy;
	uint64_t size;
};

enum kind { KIND_NO_SYNC, KIND_SYNC, KIND_SPLIT_BRAIN, KIND_UNRELATED, KIND_REFUSED, KIND_NO_DISK };

#define NOBODY 2u

struct verdict {
	enum kind kind;
	uint16_t reason;
	uint8_t source; /* KIND_SYNC */
	bool full;	/* KIND_SYNC */
	bool usable;	/* KIND_SPLIT_BRAIN: bits of both start at the same generation */
	bool no_policy; /* KIND_SPLIT_BRAIN: only a person may decide */
	bool resolved;	/* KIND_SYNC: was a split brain */
	bool clear;
	uint8_t outdated; /* KIND_NO_SYNC: who missed a generation, or NOBODY */
	uint8_t loser; /* Primary to be told that it has lost, or NOBODY */
	enum bsr_conn_error error;
};

static inline bool has_data(const struct party *p)
{
	return p->rank >= BSR_DISK_OUTDATED;
}

/* The one of the two for whom a condition holds; NOBODY when it holds for both or none. */
static inline uint32_t only_one(bool first, bool second)
{
	return first == second ? NOBODY : first ? 0u : 1u;
}

static inline uint32_t pick_target_of_tie(void)
{
	return TIE_BREAKER;
}

static inline struct verdict sync_from(uint32_t source, bool full, uint16_t reason)
{
	BSR_ASSERT(source < 2);
	return (struct verdict){.kind = KIND_SYNC,
		.reason = reason,
		.source = (uint8_t)source,
		.full = full,
		.loser = NOBODY};
}

static inline struct verdict refused(uint16_t reason, enum bsr_conn_error error)
{
	return (struct verdict){.kind = KIND_REFUSED, .reason = reason, .loser = NOBODY, .error = error};
}

/* A split brain that stays: for @reason instead, when there is a better one to name. */
static inline struct verdict undecided(struct verdict v, uint16_t reason, uint32_t loser)
{
	v.reason = reason;
	v.loser = (uint8_t)loser;
	return v;
}

/** bsr_handshake_resolve - who wins the split brain @v: discard-my-data, then the policies */
struct verdict bsr_handshake_resolve(const struct pair *pr, struct verdict v);

#endif
