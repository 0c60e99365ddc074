/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * handshake_test_model.h - two nodes as the handshake sees them: a test's model
 *
 * A node has one or two blocks, a generation record, bits, an activity log and the flags that a
 * handshake record carries. It keeps the promises of docs/design/handshake.md, unless the world
 * says otherwise. A written value knows its predecessor and whether it was acknowledged, so older
 * and newer content can be told apart, and what may be lost.
 */
#ifndef BSR_ENGINE_HANDSHAKE_TEST_MODEL_H
#define BSR_ENGINE_HANDSHAKE_TEST_MODEL_H

#include <bsr/handshake.h>

#define BLOCKS_MAX 2
#define HIST 5
#define VERSIONS 16
#define NO_VERSION 255
#define GENERATIONS 16 /* 0: just created */

enum phase { PH_NONE, PH_BEGIN, PH_RUN, PH_DONE };

struct node {
	uint8_t primary, disk;
	uint8_t cur, slot, hist[HIST];
	uint8_t bits;	 /* in memory */
	uint8_t disk_bits; /* what a crash leaves of them */
	uint8_t hot;	 /* activity log */
	uint8_t crashed, wants_generation, missed_end;
	/* the peer may have finished a resync in this generation without my knowing */
	uint8_t in_progress;
	uint8_t content[BLOCKS_MAX];
};

struct state {
	struct node n[2];
	uint8_t parent[VERSIONS];
	uint8_t acked[VERSIONS];
	uint8_t connected, phase, source, full, resolved;
	/* 1 + source of the resync that was interrupted last, while nothing else happened */
	uint8_t last_source;
	uint8_t last_full;
	/* the write in flight */
	uint8_t writer; /* 1 + node, 0 = none */
	uint8_t block, version, at_local, at_remote, mirrored;
};

/* What is varied from run to run. */
struct model_world {
	uint32_t blocks;
	bool protocol_a;	  /* acknowledged before the peer has it */
	bool lazy_generation;	  /* breaks promise 1: no new generation when the slot is taken */
	bool crashes;
	bool persons;		  /* who outdate disks and discard data */
	bool silent_source;	  /* does not say that it missed the end of a resync */
	bool keeps_slots;	  /* with equal generations, too (promise 7) */
};
extern struct model_world world;

/* Events; nodes, blocks and the like are added to the number. */
enum op {
	OP_PROMOTE, /* +node */
	OP_DEMOTE = 2,
	OP_FORCE = 4,
	OP_RESTART = 6,
	OP_FLUSH = 8,
	OP_EVICT = 10,
	OP_GENERATION = 12,
	OP_WRITE = 14, /* +node + 2 * block */
	OP_LOCAL = 18,
	OP_REMOTE,
	OP_ACK,
	OP_FORGET, /* protocol A: the peer has confirmed */
	OP_CUT,
	OP_BEGIN_RUN,
	OP_COPY, /* +block */
	OP_SOURCE_CLEARS = OP_COPY + 2,
	OP_TARGET_DONE = OP_SOURCE_CLEARS + 2,
	OP_SOURCE_DONE,
	OP_CONNECT, /* +discard + 3 * resolver */
	OP_OUTDATE = OP_CONNECT + 6,
	OP_COUNT = OP_OUTDATE + 2,
};


/** model_fresh - two disks that have just been created */
struct state model_fresh(void);
/** model_apply - one event; false when it is impossible in this state */
bool model_apply(struct state *s, uint32_t op);
/**
 * model_normalise - the same state in the names of generations and writes that all its equals have
 */
void model_normalise(struct state *s);
/** model_check - what must hold in every state (MD-2, MD-3, MD-4) */
void model_check(const struct state *s);
void model_print(const struct state *s);
const char *model_op_name(uint32_t op);

extern const char *model_violation;	 /* first property that did not hold */
extern uint16_t model_reason;		 /* of the last handshake */
extern uint64_t model_reason_count[1024]; /* handshakes by reason */

#endif
