/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * nbd_internal.h - the NBD server's tables, for its own files only
 */
#ifndef BSR_NBD_INTERNAL_H
#define BSR_NBD_INTERNAL_H

#include "devices_internal.h"
#include "nbd_proto.h"

/* of one connection: with the owner, or answered and not yet sent */
#define NBD_CONN_REQUESTS_MAX 256u
#define NBD_OUT_BYTES 16384u	   /* reply heads, or answers to options: a list of 64 volumes */
#define NBD_SCATTER_BYTES 65536u   /* read directly into predicted places */
#define NBD_TAIL_BYTES 16384u	   /* and behind them */
#define NBD_IN_BYTES (NBD_SCATTER_BYTES + NBD_TAIL_BYTES)
#define NBD_SMALL_BYTES 16384u	   /* writes up to this are read several at a time */
#define NBD_PREDICTED_MAX 15u
#define NBD_OPTIONS_MAX 128u	   /* before transmission */
#define NBD_HANDSHAKE_NS 10000000000ull
/* without a byte of a write's payload, while others need memory */
#define NBD_STALL_NS 5000000000ull
#define NBD_PEER_TEXT_BYTES 96u
#define NBD_NO_VOLUME UINT32_MAX

enum nbd_state {
	NBD_FLAGS,    /* greeted, waiting for the client's flags */
	NBD_OPTIONS,
	NBD_TRANSMIT,
	NBD_CLOSING,  /* reads no more; ends when everything is answered */
	NBD_DEAD,     /* descriptor closed, memory waits for a safe moment */
};

/* What is to be sent: bytes of out[], or a buffer. */
struct nbd_segment {
	bsr_buf_t buf; /* BSR_BUF_NONE: out[] from @begin */
	uint32_t begin;
	uint32_t bytes;
};

/*
 * Where the next read of a client that writes small blocks of one size goes: heads and payload
 * buffers in turn, then the tail of in[]. Kept from read to read; only buffers that were used are
 * replaced.
 */
struct nbd_guess {
	uint32_t count;		/* of buf[]: with a buffer, or BSR_BUF_NONE */
	uint32_t wanted;	/* pairs that would be good to have, 1.. */
	uint32_t laid_out;	/* pairs of the last read */
	uint32_t too_large;	/* reads in a row that used less than half of it */
	uint32_t payload_bytes; /* of each; 0: no guess */
	bool busy;		/* buffers hold what has just been read */
	bsr_buf_t buf[NBD_PREDICTED_MAX];
	uint8_t *mem[NBD_PREDICTED_MAX]; /* of these */
	uint8_t head[NBD_PREDICTED_MAX][NBD_REQUEST_BYTES];
};

struct nbd_conn {
	struct nbd_server *server;
	struct bsr_watch watch;
	struct bsr_timer handshake_timer;
	struct nbd_conn *prev, *next;
	struct nbd_conn *dirty_next;
	struct nbd_conn *dead_next;
	bool dirty;
	bool paused; /* has input, but no credit, buffer or room for it */
	bool structured;
	bool no_zeroes;
	enum nbd_state state;
	uint32_t volume; /* NBD_NO_VOLUME before transmission */
	uint32_t option_count;
	char peer[NBD_PEER_TEXT_BYTES];

	/* input: what has been read and not used is in[begin..end) */
	uint32_t in_begin, in_end;
	/* decoded; its payload is still coming, or it waits for a credit */
	struct nbd_request current;
	/* of @current; with an error it is refused once its payload has been thrown away */
	struct nbd_meaning meaning;
	bool has_current;
	bsr_buf_t current_buf;
	uint32_t current_got;	 /* payload bytes that have come */
	uint64_t read_ns;	 /* when anything came last */
	uint32_t last_write_bytes; /* length of the last request if it was a write, otherwise 0 */
	struct nbd_guess guess;

	/* output */
	uint32_t in_flight; /* requests with the owner */
	uint32_t unsent;    /* replies in the segments */
	uint32_t out_bytes;
	uint32_t segment_count;
	struct nbd_segment segment[2 * NBD_CONN_REQUESTS_MAX + 1];
	uint8_t out[NBD_OUT_BYTES];
	uint8_t in[NBD_IN_BYTES];
};

struct nbd_export {
	char name[BSR_NAME_BYTES_MAX + 1]; /* "": none */
	uint32_t clients;
};

struct nbd_listener {
	struct nbd_server *server;
	struct bsr_watch watch;
	struct bsr_timer retry; /* after running out of descriptors */
};

struct nbd_server {
	struct bsr_devices *devices;
	struct nbd_conn *conns;
	struct nbd_conn *dirty;
	struct nbd_conn *dead;
	uint32_t conn_count;
	uint64_t rejected;
	uint32_t listener_count;
	struct nbd_listener listener[BSR_NBD_LISTENERS_MAX];
	struct nbd_export export[BSR_VOLUMES_MAX];
};

/* nbd.c */
/** bsr_nbd_drop - end a connection because of what its client did: counted and reported */
void bsr_nbd_drop(struct nbd_conn *conn, const char *format, ...) __attribute__((format(printf, 2, 3)));
/** bsr_nbd_end - close; @conn is NBD_DEAD afterwards and stays readable until the next flush */
void bsr_nbd_end(struct nbd_conn *conn);
/** bsr_nbd_mark_dirty - there is something to send */
void bsr_nbd_mark_dirty(struct nbd_conn *conn);
/** bsr_nbd_update_watch - read unless paused or closing, write while something is left over */
void bsr_nbd_update_watch(struct nbd_conn *conn);

/* nbd_handshake.c */
/** bsr_nbd_greet - first bytes to a new client */
void bsr_nbd_greet(struct nbd_conn *conn);
/** bsr_nbd_negotiate - use input until there is not enough, or transmission begins */
void bsr_nbd_negotiate(struct nbd_conn *conn);

/* nbd_transmit.c */
/** bsr_nbd_transmit - use input until there is not enough, or something is missing (paused) */
void bsr_nbd_transmit(struct nbd_conn *conn);
/**
 * bsr_nbd_begin - conn->current has been decoded: check it; false when the connection reads no more
 */
bool bsr_nbd_begin(struct nbd_conn *conn);
/**
 * bsr_nbd_submit - the current request is complete: hand it over or refuse it; false when it waits
 * (paused)
 */
bool bsr_nbd_submit(struct nbd_conn *conn);

/* nbd_input.c */
/** bsr_nbd_receive - read, and use it */
void bsr_nbd_receive(struct nbd_conn *conn);
/** bsr_nbd_forget_guess - give the buffers of the guess back unless they are in use */
void bsr_nbd_forget_guess(struct nbd_conn *conn);

/* nbd_output.c */
/** bsr_nbd_put - bytes to send; false (and dropped) when the client does not take its answers */
bool bsr_nbd_put(struct nbd_conn *conn, const void *bytes, uint32_t count);
/** bsr_nbd_reply - answer a request; @data: read data, the reference passes */
void bsr_nbd_reply(struct nbd_conn *conn, const struct nbd_request *request, int positive_errno, bsr_buf_t data);
/** bsr_nbd_send - send what is there; the rest waits for the socket */
void bsr_nbd_send(struct nbd_conn *conn);

#endif
