/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * device.h - front ends: what applications open
 *
 * Split by privilege. The keeper half (root) creates and destroys kernel objects: FUSE connection, loop device, links
 * under /dev; it does no I/O. The server half (engine process, no privileges) reads requests from descriptors and
 * answers them. Facts and pitfalls: docs/design/front-ends.md.
 */
#ifndef BSR_DEVICE_H
#define BSR_DEVICE_H

#include <bsr/types.h>

#include "../host/loop.h"
#include "../host/pool.h"

/* --------------------------------------------------------- server half */

/** A request as front ends hand it to their owner; the owner answers with bsr_device_complete(). */
struct bsr_device_request {
	uint32_t tag; /* of the owner's table, 0..BSR_REQUESTS_MAX-1 */
	uint8_t op;   /* enum bsr_op */
	uint8_t flags; /* BSR_REQ_* */
	uint16_t volume;
	uint64_t offset;
	uint32_t length;
	bsr_buf_t buf; /* one reference passes to the owner; put when answered */
};

struct bsr_device_ops {
	/* how many requests may be handed over now; at 0 front ends stop reading until bsr_devices_resume() */
	uint32_t (*credits)(void *ctx);
	/* a request has been read */
	void (*request)(void *ctx, const struct bsr_device_request *request);
	void (*report)(void *ctx, uint32_t log_number, const char *text);
};

struct bsr_devices; /* all front ends of one engine process; owns the tags */

struct bsr_devices_config {
	struct bsr_loop *loop;
	struct bsr_pool *pool;
	const struct bsr_device_ops *ops;
	void *ctx;
};

int bsr_devices_create(struct bsr_devices **devices, const struct bsr_devices_config *config);
void bsr_devices_destroy(struct bsr_devices *devices);
/** bsr_devices_complete - answer a request; read data is in its buffer. @error: 0 or a negative BSR_E_* */
void bsr_devices_complete(struct bsr_devices *devices, uint32_t tag, int error);
/** bsr_devices_resume - credits or buffers are there again */
void bsr_devices_resume(struct bsr_devices *devices);
/** bsr_devices_flush - end of turn: replies that were collected go out */
void bsr_devices_flush(struct bsr_devices *devices);
/** bsr_devices_pending - requests of a volume handed over and not answered */
uint32_t bsr_devices_pending(const struct bsr_devices *devices, uint32_t volume);

/** bsr_fuse_serve - serve a FUSE channel (taken over); @resend: descriptor had another server before. 0 or -errno */
int bsr_fuse_serve(struct bsr_devices *devices, uint32_t volume, int fuse_fd, uint64_t size_bytes, bool resumed);
/** bsr_nbd_listen - serve NBD on a listening socket (taken over); exports are added per volume */
int bsr_nbd_listen(struct bsr_devices *devices, int listen_fd);
/** bsr_nbd_export - offer a volume as @name; bsr_nbd_unexport() ends its connections */
int bsr_nbd_export(struct bsr_devices *devices, uint32_t volume, const char *name, uint64_t size_bytes);
void bsr_nbd_unexport(struct bsr_devices *devices, uint32_t volume);
/** bsr_nbd_clients - connections in transmission phase on a volume's export (they hold the device) */
uint32_t bsr_nbd_clients(const struct bsr_devices *devices, uint32_t volume);
void bsr_device_resize(struct bsr_devices *devices, uint32_t volume, uint64_t size_bytes);

/* --------------------------------------------------------- keeper half */

struct bsr_loopdev; /* FUSE connection + image file + loop device of one volume */

/**
 * bsr_loopdev_open_channel - new /dev/fuse connection; give a copy of the descriptor to the engine process
 * (bsr_fuse_serve) before bsr_loopdev_bind(), which opens the image and would wait for its answer.
 */
int bsr_loopdev_create(struct bsr_loopdev **dev, int *fuse_fd);
/** bsr_loopdev_bind - image + loop device; blocks until the server answers. *@loop_index receives N of /dev/loopN */
int bsr_loopdev_bind(struct bsr_loopdev *dev, const char *name, bool write_through, int *loop_index);
/** bsr_loopdev_resend - a new server takes over: unanswered requests come again (after the old one is quiet) */
int bsr_loopdev_resend(struct bsr_loopdev *dev);
/** bsr_loopdev_resize - the volume has grown; the server already knows the size */
int bsr_loopdev_resize(struct bsr_loopdev *dev, uint64_t size_bytes);
/** bsr_loopdev_holders - who holds it, one per line ("mounted on /mnt (pid 12, host)", "open by sqlite3 (pid 7)"); 0 = nobody */
int bsr_loopdev_holders(const struct bsr_loopdev *dev, char *text, size_t room);
/** bsr_loopdev_destroy - detach in the safe order; -EBUSY (nothing changed) while held, unless @force */
int bsr_loopdev_destroy(struct bsr_loopdev *dev, bool force);

/** bsr_device_links - make or remove <dev dir>/bsr<minor> and <dev dir>/bsr/by-res/<resource>/<vnr>; dev dir: BSR_DEV_DIR or /dev */
int bsr_device_link(uint32_t minor, const char *resource, uint32_t vnr, const char *target);
int bsr_device_unlink(uint32_t minor, const char *resource, uint32_t vnr);

#endif
