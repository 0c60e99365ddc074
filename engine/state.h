/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * state.h - the states of a resource as one value, and the rules over it
 *
 * state_rules.c knows nothing of the engine: a state and a proposed one go in, the implied changes or a verdict come out.
 */
#ifndef BSR_ENGINE_STATE_H
#define BSR_ENGINE_STATE_H

#include <bsr/limits.h>
#include <bsr/types.h>

struct bsr_volume_state {
	enum bsr_disk_state disk;
	/* the end of a resync is on disk already, the source has not confirmed it: what the record says; Diskless = none */
	enum bsr_disk_state recorded;
	bool crashed_primary; /* a crash as Primary is not settled yet */
};

struct bsr_peer_state {
	enum bsr_conn_state conn;
	enum bsr_conn_error error; /* why it is StandAlone, or was given up the last time */
	enum bsr_role role;
};

/** One volume towards one peer. */
struct bsr_device_state {
	enum bsr_repl_state repl;
	enum bsr_disk_state disk; /* the peer's */
	uint32_t paused;	  /* BSR_PAUSE_* */
	bool stale;		  /* the peer's data is not what I, a Primary without a disk, have exposed */
};

/** Everything that is a state of one resource on one node. Entries of what does not exist mean nothing. */
struct bsr_state {
	uint64_t volumes; /* masks of what exists */
	uint32_t peers;
	enum bsr_role role;
	uint32_t suspended; /* BSR_SUSPEND_* */
	struct bsr_volume_state volume[BSR_VOLUMES_MAX];
	struct bsr_peer_state peer[BSR_NODES_MAX];
	struct bsr_device_state device[BSR_NODES_MAX][BSR_VOLUMES_MAX];
};

/** A broken rule, and where. */
struct bsr_refusal {
	uint32_t rule;	      /* number in state_rules.def */
	int32_t error;	      /* negative BSR_E_* */
	const char *sentence; /* static */
	uint32_t peer;	      /* node id, or UINT32_MAX */
	uint32_t volume;      /* index, or UINT32_MAX */
};

/** bsr_state_imply - adds to @next what follows from it; doing it again changes nothing */
void bsr_state_imply(struct bsr_state *next);

/**
 * bsr_state_is_legal - may @now become @next
 * @now: a state that is in force
 * @next: proposed, with everything that it implies
 * @admin: an administrator asks: rules of the kind ADMIN count, too
 * @why: filled in when the answer is no
 */
bool bsr_state_is_legal(
	const struct bsr_state *now, const struct bsr_state *next, bool admin, struct bsr_refusal *why);

/** bsr_state_equal - nothing differs among what exists; both have the same volumes and peers */
bool bsr_state_equal(const struct bsr_state *a, const struct bsr_state *b);

bool bsr_repl_is_target(enum bsr_repl_state repl);
bool bsr_repl_is_source(enum bsr_repl_state repl);
bool bsr_repl_is_verify(enum bsr_repl_state repl);
/** bsr_repl_is_steady - Established, also while it is being verified: every write goes to both, nothing is resynced */
bool bsr_repl_is_steady(enum bsr_repl_state repl);

/* The diagrams: what may become what. */
enum bsr_state_diagram { BSR_DIAGRAM_CONNECTION, BSR_DIAGRAM_REPLICATION, BSR_DIAGRAM_DISK };

/** bsr_state_arrows - states that @from may become, as a mask; 0 for a number that is no state */
uint32_t bsr_state_arrows(enum bsr_state_diagram diagram, uint32_t from);

#endif
