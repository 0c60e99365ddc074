/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * link_internal.h - what the files of the link module share
 *
 * link.c: configuration, peers, when to dial. link_conn.c: one TCP connection until its far end has
 *         proved itself.
 * link_attempt.c: two of them become a link, and which attempt wins. link_rx.c, link_land.c,
 *                 link_tx.c: streams of a link that stands.
 * link_report.c: lines for people.
 *
 * Life of objects. Callbacks of the owner may close or remove anything; what is no longer in use
 * goes to a graveyard and is freed at the end of bsr_links_flush(), so that whoever is up the stack
 * can still look at ->dead.
 */
#ifndef BSR_HOST_LINK_INTERNAL_H
#define BSR_HOST_LINK_INTERNAL_H

#include <sys/uio.h>

#include "crc32c_hw.h"
#include "link.h"
#include "link_auth.h"
#include "link_wire.h"

/* a few messages of establishment, and a beginning of what follows */
#define CONN_RX_BYTES 2048u
#define STREAM_RX_BYTES (256u << 10)  /* one recvmsg of small messages */
/* up to here copied out of it; larger ones are received in place */
#define PAYLOAD_COPY_BYTES (32u << 10)
#define TX_RING_BYTES_MIN (64u << 10)
#define TX_PIECES_MIN 2048u
#define STEP_LIMIT_MIN_NS 500000000ull
#define STEP_LIMIT_STRANGER_NS 2000000000ull
#define HOLD_LIMIT_NS 1000000000ull  /* a proved attempt waits for bsr_links_dial() */
#define DRAIN_LIMIT_NS 1000000000ull /* bsr_links_close() with drain */
#define END_LIMIT_NS 1000000000ull   /* from the end of one stream to that of the other */
#define ACCEPT_PAUSE_NS 1000000000ull
#define SECOND_NS 1000000000ull

struct peer;
struct link;

enum conn_phase {
	CONN_TCP,	/* dialer: connect() is under way */
	CONN_HELLO,	/* waits for the HELLO of the other end */
	CONN_CHALLENGE, /* ... for its AUTH_CHALLENGE */
	CONN_PROOF,	/* ... for its AUTH_RESPONSE */
	CONN_PROVED,	/* the other end is who it says; waits for LINK_READY */
	CONN_READY,	/* has got LINK_READY; reads no more until the link stands */
};

/** One TCP connection before it is a stream of a link. */
struct conn {
	struct bsr_watch watch; /* first: the loop gives it back */
	struct bsr_links *links;
	struct peer *peer;	 /* NULL until a HELLO has named it */
	struct attempt *attempt; /* dialer: from the start; acceptor: once proved */
	struct conn *next;	 /* strangers, or graveyard */
	bool dead;
	enum conn_phase phase;
	enum bsr_link_direction direction; /* mine */
	uint8_t stream;
	uint64_t deadline_ns;
	struct sockaddr_storage from; /* the other end */
	struct bsr_link_hello his;
	uint8_t hello[2][BSR_LINK_HELLO_BYTES_MAX]; /* as sent: dialer's, acceptor's */
	uint32_t hello_bytes[2];
	uint8_t challenge[2][BSR_LINK_CHALLENGE_BYTES];
	uint64_t his_attempts; /* of LINK_READY */
	uint64_t tx_sequence;
	uint64_t rx_sequence;
	uint32_t rx_bytes;
	uint8_t rx[CONN_RX_BYTES];
};

/** Two connections that may become a link. */
struct attempt {
	struct conn *conn[BSR_STREAM_COUNT];
	bool ready_sent;
};

#define BSR_LAND_SLOTS_MAX 16u
#define BSR_LAND_HEAD_BYTES_MAX 512u

/** Where the next payloads are expected to land; see link_land.c. */
struct landing {
	uint32_t streak; /* messages of this shape in a row */
	uint32_t head_bytes; /* header and body */
	uint32_t payload_bytes;
	uint32_t depth; /* slots to lay out */
	uint32_t count; /* slots that there are */
	uint32_t empty; /* the first of them, whose buffers have gone to the owner */
	bsr_buf_t buf[BSR_LAND_SLOTS_MAX];
	uint8_t *mem[BSR_LAND_SLOTS_MAX];
	bool active;   /* a layout holds bytes that are not taken yet */
	uint32_t next; /* slot to be taken */
	uint32_t full; /* slots that are complete */
	uint32_t rest; /* bytes behind them: in slot @full, or in the tail when there is none */
	/* for recvmsg(): a place for the rest of a payload before it, heads and buffers in turn, the tail */
	struct iovec iov[1 + 2 * BSR_LAND_SLOTS_MAX + 1];
};

struct stream {
	struct bsr_watch watch; /* first */
	struct link *link;
	struct stream *next_dirty;
	uint8_t number;
	bool dirty;	/* in links->dirty */
	bool blocked;	/* the network takes no more: waits for POLLOUT */
	bool waiting;	/* not reading: owner or pool says so */
	bool ended;	/* nothing more will come */
	bool tx_broken; /* nothing can be sent any more; what has arrived is still read */
	bool shut;	/* draining: everything has left, and the other end has been told */

	/* receiving: bytes start..end of rx are not taken yet */
	uint8_t *rx;
	uint32_t rx_start;
	uint32_t rx_end;
	uint64_t rx_sequence;
	uint32_t may_receive; /* messages that the owner takes before it is asked again */
	/* a payload of its own is being filled: rx_head, rx_body, rx_buf, rx_got, rx_crc */
	bool rx_large;
	struct bsr_wire_header rx_head;
	bsr_buf_t rx_buf;
	uint8_t *rx_mem;
	uint32_t rx_got;
	uint32_t rx_crc;
	uint8_t *rx_body;
	struct landing landing;

	/* sending: ring positions count bytes since the beginning */
	uint8_t *ring;
	uint32_t ring_bytes; /* power of two */
	uint64_t ring_tail;  /* sent up to here */
	uint64_t ring_head;
	/* pieces first..end - 1 as sendmsg() wants them: heads in the ring, and payloads */
	struct iovec *piece;
	bsr_buf_t *piece_buf; /* of each: BSR_BUF_NONE for heads; behind the last place of piece[] */
	uint32_t piece_count; /* places */
	uint32_t piece_first;
	uint32_t piece_end;
	uint64_t queued_bytes;
	uint64_t tx_sequence;
};

/** A link that stands, or drains after bsr_links_close(). */
struct link {
	struct bsr_links *links;
	struct peer *peer; /* NULL once detached */
	struct link *next; /* draining, or graveyard */
	uint32_t peer_id;
	uint32_t number; /* the owner's */
	bool dead;
	bool draining;
	bool overflow; /* to be closed by the next flush */
	bool checksums;
	uint64_t features; /* agreed */
	uint8_t version;
	bool broken;	      /* some stream has ended with an error */
	uint64_t deadline_ns; /* of draining, or of the second stream's end; 0: none */
	uint64_t instance;    /* of the other end's process */
	uint64_t attempt_floor; /* what the other end had begun when the link came up */
	struct sockaddr_storage from;
	struct stream *by_number[BSR_STREAM_COUNT]; /* the streams: a pointer that is loaded is not computed again and again */
	struct stream stream[BSR_STREAM_COUNT];
};

/** bsr_link_is_over - nothing of it may be told to the owner any more */
static inline bool bsr_link_is_over(const struct link *link)
{
	return link->dead || link->draining;
}

#define BSR_LINK_SAID_BYTES 256u

struct peer {
	struct bsr_links *links;
	struct peer *next; /* graveyard */
	bool dead;
	uint32_t id;
	uint32_t path_count;
	struct bsr_link_path path[BSR_LINK_PATHS_MAX];
	struct bsr_link_options options;
	bool wanted; /* between bsr_links_dial() and up, down or close */
	bool told_unreachable; /* one line per bsr_links_dial() */
	uint32_t wanted_link;
	uint32_t path_next;
	uint64_t dial_ns; /* when my next attempt begins; counts only while none is under way */
	uint64_t not_before_ns; /* of bsr_links_dial() */
	uint64_t attempt_ns; /* when the last one began */
	uint64_t attempt_count;
	uint64_t rejected;
	char said[BSR_LINK_SAID_BYTES]; /* why no link stands, for people; empty while one does */
	uint64_t sent_bytes; /* over all its links */
	uint64_t received_bytes;
	struct attempt own;
	struct attempt incoming;
	struct attempt *chosen; /* by the decider */
	struct link *link;	/* that stands */
};

struct listener {
	struct bsr_watch watch; /* first */
	struct bsr_links *links;
};

struct bsr_links {
	char resource[BSR_NAME_BYTES_MAX + 1];
	uint32_t node_id;
	struct bsr_loop *loop;
	struct bsr_pool *pool;
	const struct bsr_links_ops *ops;
	void *ctx;
	struct bsr_link_auth *auth;
	uint64_t instance;
	uint64_t random_state; /* jitter */
	uint64_t due_ns;
	bool resume; /* some waiting stream may go on */
	uint32_t listener_count; /* slots; one without socket has fd -1 */
	struct listener listener[BSR_LINK_LISTENERS_MAX];
	uint64_t accept_again_ns; /* listeners are silent until then; UINT64_MAX: they are not */
	uint32_t stranger_count;
	struct conn *strangers; /* oldest first */
	struct peer *peer[BSR_NODES_MAX];
	struct stream *dirty;
	struct link *draining;
	/* memory of links to come: one per peer, so that none is needed when one comes up */
	struct link *spare;
	uint32_t spare_count;
	uint32_t peer_count;
	struct conn *dead_conns;
	struct peer *dead_peers;
	struct link *dead_links;
	uint64_t rejected; /* from strangers */
	uint32_t report_tokens;
	uint64_t report_refill_ns;
	uint64_t report_suppressed;
};

/* link.c */
/** bsr_links_touch - bsr_links_tick() is due at @when_ns at the latest */
void bsr_links_touch(struct bsr_links *links, uint64_t when_ns);
uint64_t bsr_links_step_limit(const struct peer *peer);
/**
 * bsr_links_give_up - my own attempt has shown that this cannot work: tell the owner, stop trying
 */
void bsr_links_give_up(struct peer *peer, enum bsr_link_reason reason);

/* link_conn.c */
/**
 * bsr_conn_dial - begin a connection for stream @stream of @peer's own attempt; -errno when that
 * fails at once
 */
int bsr_conn_dial(struct peer *peer, const struct bsr_link_path *path, uint8_t stream, const uint8_t *cookie);
/** bsr_conn_accept - take over a fresh socket from somebody unknown */
void bsr_conn_accept(struct bsr_links *links, int fd, const struct sockaddr_storage *from);
/** bsr_conn_close - close and bury; @fd is kept when @keep_fd */
void bsr_conn_close(struct conn *conn, bool keep_fd);
void bsr_conn_refuse(struct conn *conn, enum bsr_link_refusal reason);
/** bsr_conn_send - one message of establishment; false: could not be sent (the caller closes) */
bool bsr_conn_send(struct conn *conn, enum bsr_msg_type type, const uint8_t *body, uint32_t bytes);
/** bsr_conn_expired - its time limit has passed */
void bsr_conn_expired(struct conn *conn);
/** bsr_conn_unlist - no stranger any more */
void bsr_conn_unlist(struct conn *conn);
void bsr_conn_tune(int fd, const struct peer *peer);

/* link_attempt.c */
/** bsr_attempt_start - dial both streams on the next path */
void bsr_attempt_start(struct peer *peer);
/** bsr_attempt_drop - close what there is of it, without a word */
void bsr_attempt_drop(struct peer *peer, struct attempt *attempt);
void bsr_attempt_refuse(struct peer *peer, struct attempt *attempt, enum bsr_link_refusal reason);
/** bsr_attempt_is_empty - nothing of it is under way */
static inline bool bsr_attempt_is_empty(const struct attempt *attempt)
{
	return attempt->conn[BSR_STREAM_DATA] == NULL && attempt->conn[BSR_STREAM_CONTROL] == NULL;
}
/**
 * bsr_attempt_failed - a connection of it is gone; @why for people, NULL when there is nothing to
 * say
 */
void bsr_attempt_failed(struct peer *peer, struct attempt *attempt, const char *why);
/** bsr_attempt_expired - it did not become a link in time */
void bsr_attempt_expired(struct peer *peer, struct attempt *attempt);
/** bsr_attempt_proved - @conn has just proved itself */
void bsr_attempt_proved(struct conn *conn);
/** bsr_attempt_ready - @conn has received LINK_READY */
void bsr_attempt_ready(struct conn *conn);
/** bsr_attempt_consider - see whether some attempt can become the link now */
void bsr_attempt_consider(struct peer *peer);

/* link_rx.c */
/** bsr_stream_ready - loop callback */
void bsr_stream_ready(struct bsr_watch *watch, uint32_t events);
/** bsr_stream_feed - bytes that came before the link stood; fits, as CONN_RX_BYTES is small */
void bsr_stream_feed(struct stream *stream, const uint8_t *data, uint32_t bytes);
/** bsr_stream_parse - take every complete message; may find the link dead afterwards */
void bsr_stream_parse(struct stream *stream);
/** bsr_stream_rewatch - listen for what matters now */
void bsr_stream_rewatch(struct stream *stream);

/** bsr_stream_expects - whether the header fits to this place of this stream */
static inline bool bsr_stream_expects(const struct stream *stream, const struct bsr_wire_header *h)
{
	return h->version == stream->link->version && h->sequence == stream->rx_sequence + 1 &&
		h->type >= BSR_MSG_HS_CONFIRM && bsr_msg_fits_stream(h->type, stream->number);
}
bool bsr_stream_ask_again(struct stream *stream);
/** bsr_stream_may_receive - false: the owner wants no message now, and the stream waits */
static inline bool bsr_stream_may_receive(struct stream *stream)
{
	return stream->may_receive > 0 || bsr_stream_ask_again(stream);
}
void bsr_stream_hand_over(
	struct stream *stream, const struct bsr_wire_header *h, const uint8_t *body, bsr_buf_t payload);
/** bsr_stream_begin_large - fill @buf with the payload of @h from now on; @body is copied */
void bsr_stream_begin_large(
	struct stream *stream, const struct bsr_wire_header *h, const uint8_t *body, bsr_buf_t buf);
/** bsr_stream_grow_large - @bytes more of it are in place */
void bsr_stream_grow_large(struct stream *stream, uint32_t bytes);

/* link_land.c */
/** bsr_land_learn - a message with this header was taken */
void bsr_land_learn(struct stream *stream, const struct bsr_wire_header *h);
/**
 * bsr_land_lay_out - make landing.iov[1..] ready; returns how many elements, 0 when nothing is expected
 * @room: receives their bytes
 */
size_t bsr_land_lay_out(struct stream *stream, size_t *room);
/** bsr_land_settle - @bytes have arrived in the layout */
void bsr_land_settle(struct stream *stream, uint32_t bytes);
/** bsr_land_take - one step of an active layout; false: none can be made now */
bool bsr_land_take(struct stream *stream);
/** bsr_land_forget - give the slots back */
void bsr_land_forget(struct stream *stream);

/* link_tx.c */
#define BSR_PIECE_BYTES (sizeof(struct iovec) + sizeof(bsr_buf_t)) /* memory for one of stream.piece */
/** bsr_stream_use_pieces - @mem has room for @count pieces */
void bsr_stream_use_pieces(struct stream *stream, struct iovec *mem, uint32_t count);
/** bsr_stream_queue - false: too much waits */
bool bsr_stream_queue(struct stream *stream, const struct bsr_fx_send *send, const uint8_t *head);
/** bsr_stream_transmit - one sendmsg, or a few when very much waits; returns bytes that left */
uint64_t bsr_stream_transmit(struct stream *stream);
void bsr_stream_mark_dirty(struct stream *stream);
/** bsr_stream_drop_queue - forget what was not sent */
void bsr_stream_drop_queue(struct stream *stream);

/* link_up.c */
/**
 * bsr_link_create - from two proved connections, which it takes over; NULL without memory (nothing
 * taken)
 */
struct link *bsr_link_create(struct peer *peer, struct attempt *attempt);
/** bsr_link_bury - close both streams at once */
void bsr_link_bury(struct link *link);
/** bsr_link_fail - bury, and tell the owner */
void bsr_link_fail(struct link *link, enum bsr_link_reason reason);
/** bsr_link_drain - what is queued still goes out */
void bsr_link_drain(struct link *link);
/** bsr_link_drain_tick - has it gone out, or taken too long? Then it is dead. */
void bsr_link_drain_tick(struct link *link);
/** bsr_link_free - a buried link: its memory is kept for the next one, or given back */
void bsr_link_free(struct link *link);
/** bsr_link_reserve - have memory for at least @count links; 0 or -ENOMEM */
int bsr_link_reserve(struct bsr_links *links, uint32_t count);
/** bsr_link_trim - have memory for at most @count links */
void bsr_link_trim(struct bsr_links *links, uint32_t count);

/* link_report.c */
#define BSR_LINK_ADDRESS_BYTES 64u
/** bsr_link_address - "192.0.2.1:7788", "[2001:db8::1]:7788" */
const char *bsr_link_address(const struct sockaddr_storage *address, char *text);
/** bsr_peer_say - keep a sentence for bsr_links_said() */
__attribute__((format(printf, 2, 3))) void bsr_peer_say(struct peer *peer, const char *format, ...);
/** bsr_links_report - a line for people; @peer NULL: not known who */
void bsr_links_report(struct bsr_links *links, uint32_t log_number, const struct peer *peer, const char *format, ...)
	__attribute__((format(printf, 4, 5)));

/** bsr_link_features - what this end offers */
static inline uint64_t bsr_link_features(const struct peer *peer)
{
	return (peer->options.data_checksums ? BSR_FEATURE_DATA_CHECKSUMS : 0) | BSR_FEATURE_MESH | BSR_FEATURE_ACK_TIMES |
	       BSR_FEATURES_OF_ENGINE;
}

#endif
