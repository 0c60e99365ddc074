/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * handshake.h - what two disks that meet do: one pure, total function
 *
 * Both ends call it with the two records that were exchanged, each from its own side, and must come
 * to mirrored decisions; HS_CONFIRM carries them and a link whose ends disagree is dropped and
 * reported. Rules, their order and their sources: docs/design/handshake.md.
 */
#ifndef BSR_HANDSHAKE_H
#define BSR_HANDSHAKE_H

#include <bsr/options.h>
#include <bsr/types.h>
#include <bsr/wire.h>

enum bsr_hs_action {
	BSR_HS_NO_SYNC = 1,	   /* replicate at once */
	BSR_HS_SOURCE_BITMAP = 2,  /* I am source, the merged bitmaps say what differs */
	BSR_HS_TARGET_BITMAP = 3,
	BSR_HS_SOURCE_FULL = 4,	   /* everything (used) is copied */
	BSR_HS_TARGET_FULL = 5,
	/* both wrote apart and no policy decides: StandAlone, a person decides */
	BSR_HS_SPLIT_BRAIN = 6,
	BSR_HS_UNRELATED = 7,	   /* no common history: StandAlone */
	/* direction forbidden (Primary would be overwritten, sizes, ...): StandAlone */
	BSR_HS_REFUSED = 8,
	/* a passing state on one side: connect again after connect-int */
	BSR_HS_RETRY = 9,
	/* one side has no disk in this volume: connected, nothing to compare */
	BSR_HS_NO_DISK = 10,
};

/** One side, as its HS_RESOURCE and HS_VOLUME describe it. */
struct bsr_hs_side {
	uint32_t node_id;
	enum bsr_role role;
	bool discard_my_data;
	const struct bsr_msg_hs_volume *volume;
	/* of third nodes */
	uint32_t primaries; /* those it is connected to that are Primary */
	uint32_t lost_node; /* the Primary that it lost last ... */
	uint64_t lost_dagtag; /* ... and how much of that one's stream it has; 0: none */
	bool is_target; /* a third node resyncs its disk now */
	bool sync_base; /* a full sync of its disk has not finished: what it holds is of no value */
};

struct bsr_hs_policy {
	enum bsr_after_sb after_sb_0pri;
	enum bsr_after_sb after_sb_1pri;
	enum bsr_after_sb after_sb_2pri;
	enum bsr_rr_conflict rr_conflict;
	bool always_asbp;
	bool resolver; /* the tie-break: true on exactly one side */
};

struct bsr_hs_decision {
	enum bsr_hs_action action;
	/* number of the rule that decided; permanent, see bsr_hs_reason_text() */
	uint16_t reason;
	enum bsr_conn_error error; /* for SPLIT_BRAIN, UNRELATED, REFUSED */
	uint64_t size_bytes;	 /* size both use from now on (0 when no disk has one) */
	bool split_brain_resolved; /* there was one, and a policy or discard-my-data decided it */
	/*
	 * only with NO_SYNC: both have the same generation and no bits; what is left, the slot
	 * generation, may go
	 */
	bool clear_bits;
	bool outdate; /* only with NO_SYNC: a Primary that I do not see has gone on without me */
	/*
	 * I am Primary and lose: run pri-lost (action REFUSED) or pri-lost-after-sb (action
	 * SPLIT_BRAIN)
	 */
	bool pri_lost;
};

/** bsr_hs_action_word - for logs; "?" outside of the enum */
const char *bsr_hs_action_word(enum bsr_hs_action action);
/** bsr_hs_reason_name - the name of a rule as in handshake_reasons.def; "?" when it has none */
const char *bsr_hs_reason_name(uint16_t reason);

/** Numbers of the rules, from handshake_reasons.def: BSR_HS_REASON_*. */
enum bsr_hs_reason {
#define BSR_HS_REASON(number, name, sentence, remedy) BSR_HS_REASON_##name = number,
#include <bsr/handshake_reasons.def>
#undef BSR_HS_REASON
};

/**
 * bsr_handshake_decide - total: every record gives a decision, and both ends of a link the mirrored
 * one
 * @local: my side; what was sent to the peer, not what has become of it since
 * @peer: the other side, as received; nothing in it is trusted
 * @policy: of this end; discard-local here has to be discard-remote there
 * @decision: receives the result; action is never BSR_HS_RETRY
 */
void bsr_handshake_decide(const struct bsr_hs_side *local, const struct bsr_hs_side *peer,
	const struct bsr_hs_policy *policy, struct bsr_hs_decision *decision);

/** bsr_hs_mirror - what the other end must have decided when I decided @action */
enum bsr_hs_action bsr_hs_mirror(enum bsr_hs_action action);

/**
 * bsr_hs_reason_text - the sentence for a reason, and the command that helps a person ("" when none
 * is needed)
 *
 * Both are "" for a number that no rule has; static storage. @remedy has "<resource>" where its
 * name goes.
 */
void bsr_hs_reason_text(uint16_t reason, const char **sentence, const char **remedy);

#endif
