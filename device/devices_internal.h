/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * devices_internal.h - what the front ends share; nobody outside of device/ includes it
 */
#ifndef BSR_DEVICES_INTERNAL_H
#define BSR_DEVICES_INTERNAL_H

#include "device.h"

#include <bsr/assert.h>
#include <bsr/errors.h>
#include <bsr/log.h>

#define DEVICE_REPORT_BYTES_MAX 512u

enum device_front { DEVICE_FUSE, DEVICE_NBD };

struct fuse_channel;
struct nbd_server;
struct nbd_conn;

/* One request of a client. Discards and zeroes may be longer than what the owner takes at once. */
struct device_ask {
	enum device_front front;
	uint8_t op;    /* enum bsr_op */
	uint8_t flags; /* BSR_REQ_* */
	uint16_t volume;
	uint64_t cookie; /* what the client calls it */
	uint64_t offset;
	uint64_t length;
	bsr_buf_t buf; /* the reference passes to the slot */
	void *client;  /* struct fuse_channel or struct nbd_conn */
};

/* A request with the owner; its index is the tag. */
struct device_slot {
	struct device_ask ask; /* client NULL: gone, nobody is answered */
	uint64_t done_bytes;   /* of a range that is handed over in pieces */
	uint32_t piece_bytes;
	uint32_t next;	       /* free list, or the queue of pieces that wait for a credit */
	bool in_use;
};

struct device_volume {
	uint64_t size_bytes;
	uint32_t block_bytes;
	bool write_through;
	uint32_t pending;
	struct fuse_channel *fuse;
};

struct bsr_devices {
	struct bsr_loop *loop;
	struct bsr_pool *pool;
	const struct bsr_device_ops *ops;
	void *ctx;
	struct nbd_server *nbd;
	bool starved; /* somebody waits for credits */
	uint32_t granted; /* credits of this turn that bsr_device_take_credit() has taken in advance */
	struct bsr_timer retry; /* buffers are there again: go on in the next turn */
	uint32_t free_slot;
	uint32_t free_count;
	uint32_t waiting_first, waiting_last; /* pieces without a credit */
	struct device_volume volume[BSR_VOLUMES_MAX];
	struct device_slot slot[BSR_REQUESTS_MAX];
};

#define DEVICE_NO_SLOT UINT32_MAX

/** bsr_device_submit - hand a request over; the caller has made sure of a credit */
void bsr_device_submit(struct bsr_devices *devices, const struct device_ask *ask);
/** bsr_device_forget - @client is going: nobody is answered any more */
void bsr_device_forget(struct bsr_devices *devices, const void *client);
/**
 * bsr_device_budget - requests that may be handed over now; with none the front ends will be pumped
 * again
 */
uint32_t bsr_device_budget(struct bsr_devices *devices);
/** bsr_device_take_credit - one request may be handed over in this turn; false: not now, as bsr_device_budget() 0 */
bool bsr_device_take_credit(struct bsr_devices *devices);
/**
 * bsr_device_get_buffer - from the pool, or from those who only keep some; with none the front ends
 * are pumped later
 */
bsr_buf_t bsr_device_get_buffer(struct bsr_devices *devices, uint32_t bytes);
void bsr_device_report(struct bsr_devices *devices, uint32_t log_number, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
/** bsr_device_errno - a positive errno for a negative BSR_E_* */
int bsr_device_errno(int error);
/**
 * bsr_device_range_errno - 0, or the positive errno for a range outside of the volume or off its
 * blocks
 */
int bsr_device_range_errno(const struct device_volume *volume, uint64_t offset, uint64_t length);

void bsr_fuse_answer(struct fuse_channel *channel, const struct device_slot *slot, int error);
void bsr_fuse_pump(struct fuse_channel *channel);
void bsr_nbd_answer(struct nbd_conn *conn, struct device_slot *slot, int error);
void bsr_nbd_pump(struct nbd_server *server);
bool bsr_nbd_flush(struct nbd_server *server);
/** bsr_fuse_lend - an idle channel gives the buffers back that it keeps for its next read */
void bsr_fuse_lend(struct fuse_channel *channel);
/** bsr_nbd_lend - connections give the buffers back that they keep for their next read */
void bsr_nbd_lend(struct nbd_server *server);
/**
 * bsr_nbd_drop_stalled - end connections that sit on a buffer without sending what belongs into it
 */
void bsr_nbd_drop_stalled(struct nbd_server *server);
void bsr_nbd_destroy(struct nbd_server *server);

#endif
