/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * debug.h - what is going on inside of an engine: queues, ages, positions; for people who look for a cause
 *
 * Copies of the moment. Nothing here is a promise: what exists and what it means follows the engine's
 * insides.
 */
#ifndef BSR_DEBUG_H
#define BSR_DEBUG_H

#include <stdbool.h>
#include <stdint.h>

struct bsr_engine;

struct bsr_debug_resource {
	uint64_t now_ns;
	uint64_t deadline_ns;     /* UINT64_MAX: none */
	uint32_t requests;        /* of applications, in any stage */
	uint32_t requests_held;   /* not admitted yet */
	uint32_t requests_active; /* submitted */
	bool has_oldest;
	uint64_t oldest_age_ns;   /* of the application request that arrived first */
	const char *oldest_stage; /* held, overlap, activity-log, active, generation */
	uint32_t oldest_volume;   /* index */
	uint8_t oldest_op;        /* enum bsr_op */
	uint64_t oldest_offset;
	uint32_t oldest_length;
	uint32_t oldest_peers; /* mask of nodes whose answer it waits for */
	bool oldest_local;     /* it waits for the local disk */
	uint32_t credits;
	uint32_t peer_requests; /* in use */
	uint32_t disk_ops;      /* in use */
	uint64_t log_head;      /* transfer log */
	uint64_t log_tail;
	uint64_t epoch;
	uint64_t dagtag;
	uint32_t tasks; /* commands that take more than one step, under way */
	bool promoting;
	bool demoting;
	uint32_t disconnecting; /* mask of nodes */
};

struct bsr_debug_volume {
	bool exists;
	uint32_t attach_step; /* enum bsr_attach_step of core.h; 0: nothing under way */
	uint32_t requests;
	uint32_t disk_ops;
	uint32_t waiting_al;         /* writes that wait for the activity log */
	uint32_t waiting_generation; /* writes done but for a new generation */
	bool gi_wanted;
	bool gi_busy;
	uint64_t superblock_wanted; /* changes; durable when the third is equal */
	uint64_t superblock_issued;
	uint64_t superblock_durable;
	uint32_t metadata_writers; /* in use */
	bool sweeping;
	uint32_t mirror_mask;
	uint32_t oos_slots;
	bool unflushed;
	uint32_t flushes;
	uint32_t al_extents;
	uint32_t al_used;
	uint32_t al_pinned;
	uint64_t bitmap_bytes; /* memory */
	uint64_t bitmap_coarsened;
};

struct bsr_debug_peer {
	bool exists;
	uint32_t link;
	bool link_active;
	bool link_up;
	uint32_t handshake_stage; /* 0 idle, 1 exchanging, 2 confirming, 3 complete */
	uint64_t features;
	uint64_t silent_ns; /* since the last message; 0 without link */
	bool ping_outstanding;
	uint64_t send_queued_bytes;
	uint64_t log_from;    /* UINT64_MAX: it has nothing of the transfer log */
	uint32_t checkpoints; /* sent, not answered */
	uint64_t checkpoint_due_ns;
	uint64_t epoch; /* of its writes here */
	uint32_t epoch_active;
	uint32_t epoch_flushes;
	uint32_t arrived; /* its writes and checkpoints here, not done */
	uint32_t queued;  /* of them, waiting for their turn */
	uint32_t reads;
	uint32_t holds;
	bool barrier;
};

struct bsr_debug_peer_device {
	bool exists;
	int32_t slot;
	bool mirrored;
	uint64_t bits;
	uint32_t sync_step;
	uint64_t scan_bit;
	uint32_t chunks;
	bool holds_writes;
	bool bitmap_sending;
	uint32_t heal_tries;
	uint64_t resynced_bytes; /* by the resync under way, or by the last one */
	uint64_t compared_bytes; /* of the verify alike */
	uint32_t pending;
	uint32_t unacked;
};

void bsr_engine_debug_resource(const struct bsr_engine *e, struct bsr_debug_resource *info);
/** The others set exists = false for what is not there; @volume and @peer may be any number. */
void bsr_engine_debug_volume(const struct bsr_engine *e, uint32_t volume, struct bsr_debug_volume *info);
void bsr_engine_debug_peer(const struct bsr_engine *e, uint32_t peer, struct bsr_debug_peer *info);
void bsr_engine_debug_peer_device(
	const struct bsr_engine *e, uint32_t peer, uint32_t volume, struct bsr_debug_peer_device *info);

#endif
