/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * link.h - links to peers: dialing, listening, authentication, framing, transmit queues
 *
 * A link is two TCP streams to one peer's engine. This module brings them up (both ends dial and
 * listen; crossing attempts are resolved), proves who the peer is, agrees on version and features,
 * frames incoming bytes, verifies checksums, places payloads into pool buffers, and sends what the
 * engine emits. Protocol: docs/protocol.md. Belongs to the loop's thread.
 *
 * A turn of the daemon: loop callbacks (which may call the ops below), bsr_links_tick() when
 * bsr_links_deadline() has passed, engine steps and their effects, bsr_links_flush() last. The ops
 * may call anything here but bsr_links_destroy(), bsr_links_tick() and bsr_links_flush().
 *
 * Sandbox. bsr_links_create() does all that a system-call filter forbids later (OpenSSL reads no
 * files afterwards).
 * Needed then: socket bind connect accept4 getsockopt setsockopt getsockname getpeername recvmsg
 *              recvfrom sendmsg sendto
 * shutdown close getrandom, and what the C library's allocator uses.
 */
#ifndef BSR_HOST_LINK_H
#define BSR_HOST_LINK_H

#include <netinet/in.h>
#include <sys/socket.h>

#include <bsr/engine.h>
#include <bsr/wire.h>

#include "loop.h"
#include "pool.h"

struct bsr_links;

#define BSR_LINK_PATHS_MAX 4u		       /* of one peer */
#define BSR_LINK_LISTENERS_MAX 32u
/* accepted connections whose peer has not proved itself */
#define BSR_LINK_STRANGERS_MAX 32u
#define BSR_LINK_QUEUE_BYTES_MAX (64u << 20)   /* heads waiting on one stream */

/**
 * What the links tell their owner (the daemon, which turns them into engine events). Called from a
 * loop turn, bsr_links_tick() or bsr_links_flush(); never from inside any other call.
 */
struct bsr_links_ops {
	void (*up)(void *ctx, const struct bsr_ev_link_up *up);
	void (*down)(void *ctx, const struct bsr_ev_link_down *down);
	/*
	 * body and payload as in struct bsr_ev_message; the payload reference passes to the owner
	 */
	void (*message)(void *ctx, const struct bsr_ev_message *message);
	/* at most once per stream and turn */
	void (*sent)(void *ctx, const struct bsr_ev_sent *sent);
	/*
	 * how many messages of a stream may be handed over in a row before it is asked again; 0 pauses
	 * reading until bsr_links_resume()
	 */
	uint32_t (*may_receive)(void *ctx, uint32_t peer, enum bsr_stream stream);
	/* one line for people: who, what, remedy (peer UINT32_MAX: not proved who); at most a few per second,
	   a line says how many were left out before it. @log_number: BSR_LOGN_LINK_* */
	void (*report)(void *ctx, uint32_t log_number, uint32_t peer, const char *text);
};

struct bsr_links_config {
	const char *resource;
	uint32_t node_id;
	struct bsr_loop *loop;
	struct bsr_pool *pool;
	const struct bsr_links_ops *ops;
	void *ctx;
};

struct bsr_link_path {
	struct sockaddr_storage local; /* bound when listening and dialing */
	struct sockaddr_storage remote;
};

struct bsr_link_options {
	/* "" = no authentication; any name OpenSSL knows (sha256, sha1, ...) */
	char cram_hmac_alg[64];
	char shared_secret[BSR_SECRET_BYTES_MAX + 1];
	bool data_checksums; /* checksum over payloads; agreed at connect, on by default */
	uint32_t connect_int_s;
	uint32_t ping_timeout_ds; /* also limits each step of link establishment */
	uint32_t tcp_user_timeout_s; /* 0 = off */
	uint32_t rcvbuf_bytes;	  /* 0 = automatic */
	/* accepted, without effect: a stream's bytes of a turn leave in one call anyway */
	bool tcp_cork;
};

/**
 * bsr_links_create - 0 or -errno; strings of @config are copied, @ops and what it points to must
 * outlive the links
 */
int bsr_links_create(struct bsr_links **links, const struct bsr_links_config *config);
/** bsr_links_destroy - closes everything at once, calls nobody; NULL is fine */
void bsr_links_destroy(struct bsr_links *links);

/**
 * bsr_links_add_listener - a bound, listening, non-blocking socket (from the keeper); taken over,
 * even on -errno
 */
int bsr_links_add_listener(struct bsr_links *links, int fd);
/** bsr_links_remove_listener - close a socket of bsr_links_add_listener(); links that came by it stay */
void bsr_links_remove_listener(struct bsr_links *links, int fd);
/**
 * bsr_links_set_peer - configure or reconfigure a peer; used by the next attempt
 * @paths: 1..BSR_LINK_PATHS_MAX ways to it, dialed in turn. @paths and @options are copied.
 *
 * Returns 0, -EINVAL (node id, number or family of addresses, resource's own node id), -ENOTSUP
 * (OpenSSL knows no such cram_hmac_alg, or it is set without a shared secret) or -ENOMEM; the old
 * configuration stays then.
 */
int bsr_links_set_peer(struct bsr_links *links, uint32_t peer, const struct bsr_link_path *paths, uint32_t path_count,
	const struct bsr_link_options *options);
/** bsr_links_remove_peer - closes its link without a callback and forgets it; unknown: no effect */
void bsr_links_remove_peer(struct bsr_links *links, uint32_t peer);

/**
 * bsr_links_dial - BSR_FX_LISTEN_DIAL: try until it stands (ops->up), must be given up (ops->down
 * with BSR_LINK_AUTH or BSR_LINK_MISMATCH) or bsr_links_close()
 *
 * @peer is configured and has no other @link under way (a link ends with ops->down or
 * bsr_links_close()). The peer's attempts are accepted from now on, @not_before_ns holds for
 * dialing only.
 */
void bsr_links_dial(struct bsr_links *links, uint32_t peer, uint32_t link, uint64_t not_before_ns);
/**
 * bsr_links_close - BSR_FX_CLOSE: no callback for @link afterwards; with @drain queued bytes go out
 * first (<= 1 s)
 */
void bsr_links_close(struct bsr_links *links, uint32_t peer, uint32_t link, bool drain);
/**
 * bsr_links_send - BSR_FX_SEND: queue a message; head is copied, payload referenced until it has
 * left
 *
 * Without effect when @send->link does not stand any more. A queue over BSR_LINK_QUEUE_BYTES_MAX
 * (heads alone) ends
 * the link: the engine bounds what it has under way by BSR_EV_SENT and should never get there.
 */
void bsr_links_send(struct bsr_links *links, const struct bsr_fx_send *send, const uint8_t *head);
/**
 * bsr_links_flush - end of turn: go on with streams that waited for a buffer or for
 * bsr_links_resume(), then write out what is queued, one system call per stream; false: there was nothing to do
 */
bool bsr_links_flush(struct bsr_links *links);
/**
 * bsr_links_resume - may_receive() may answer differently now; cheap. The next bsr_links_flush()
 * goes on reading.
 */
void bsr_links_resume(struct bsr_links *links);
/**
 * bsr_links_deadline - when bsr_links_tick() is due, UINT64_MAX for never; may change with every
 * call and callback
 */
uint64_t bsr_links_deadline(const struct bsr_links *links);
/** bsr_links_tick - retries, time limits; harmless when nothing is due */
void bsr_links_tick(struct bsr_links *links);
/** bsr_links_queued_bytes - not yet taken by the network, both streams */
uint64_t bsr_links_queued_bytes(const struct bsr_links *links, uint32_t peer);
/** What went over a peer's links since it was configured; both streams, but what waits. */
struct bsr_link_traffic {
	uint64_t sent_bytes;
	uint64_t received_bytes;
	uint64_t queued_bytes[BSR_STREAM_COUNT]; /* not yet taken by the network */
};
/** bsr_links_traffic - zeroes for an unknown peer */
void bsr_links_traffic(const struct bsr_links *links, uint32_t peer, struct bsr_link_traffic *traffic);
/**
 * bsr_links_path - which of the peer's paths its link stands on, by the addresses of its control stream
 *
 * Returns its number; -1 when no link stands, or none of the present paths has these addresses.
 */
int bsr_links_path(const struct bsr_links *links, uint32_t peer);
/**
 * bsr_links_said - what the last attempt to reach the peer ended with, a sentence for people that names address and cause
 *
 * Returns "" while a link stands, before the first attempt, and for an unknown peer. Valid until the next call into @links.
 */
const char *bsr_links_said(const struct bsr_links *links, uint32_t peer);
/** bsr_links_rejected - bad input counted on this peer's links; UINT32_MAX: from strangers */
uint64_t bsr_links_rejected(const struct bsr_links *links, uint32_t peer);

#endif
