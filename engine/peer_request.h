/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * peer_request.h - a request that came from a peer, or a read of mine that takes its turn among them; a part of core.h
 */
#ifndef BSR_ENGINE_PEER_REQUEST_H
#define BSR_ENGINE_PEER_REQUEST_H

enum bsr_peer_request_kind {
	BSR_PR_FREE = 0,
	BSR_PR_WRITE,
	BSR_PR_CHECKPOINT,
	BSR_PR_READ,	     /* the peer reads from my disk */
	BSR_PR_RESYNC_READ,  /* I am source */
	BSR_PR_RESYNC_WRITE, /* I am target: one run of a chunk */
	BSR_PR_VERIFY_READ,  /* verify: digests for the peer */
	BSR_PR_VERIFY_COMPARE, /* verify: my own digests, for a comparison with the peer's */
};

/** A request that came from a peer. */
struct bsr_peer_request {
	struct bsr_list link;  /* arrival order of writes and checkpoints of the peer; else peer.reads */
	struct bsr_list queue; /* waiting for its epoch, or free list */
	struct bsr_interval range;
	struct bsr_peer *peer;
	uint64_t offset;
	uint64_t id;	/* write sequence, request id, checkpoint number */
	uint64_t epoch;
	uint32_t link_id; /* incarnation it belongs to */
	uint64_t arrival; /* place in the peer's stream of writes and checkpoints */
	uint64_t arrived_ns;
	uint32_t length;
	uint32_t flush_pending; /* checkpoints: flushes under way */
	bsr_buf_t buf;
	uint32_t buf_offset;
	uint32_t chunk; /* resync writes, verify: index in the peer device's chunk table */
	int32_t result;
	uint16_t volume;
	uint8_t op;
	uint8_t kind;
	uint8_t flags;
	bool submitted;
	bool barrier;
	bool pinned;	   /* writes: holds its extents in the activity log */
	uint64_t heard_at; /* writes: entry in engine.heard, 0 = none */
	bool overtaken; /* resync writes: dropped, an application wrote there meanwhile */
};

#endif
