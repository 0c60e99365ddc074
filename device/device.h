/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * device.h - front ends: what applications open
 *
 * Split by privilege. The keeper half (root) creates and destroys kernel objects: FUSE connection,
 * loop device, links under /dev; it does no I/O. The server half (engine process, no privileges)
 * reads requests from descriptors and answers them. Facts and pitfalls: docs/design/front-ends.md.
 */
#ifndef BSR_DEVICE_H
#define BSR_DEVICE_H

#include <bsr/engine.h>

#include "../host/loop.h"
#include "../host/pool.h"

/* --------------------------------------------------------- server half */

/*
 * Front ends hand requests over as the engine takes them (struct bsr_ev_request); the owner answers with
 * bsr_devices_complete(). The tag is 0..BSR_REQUESTS_MAX-1 and free again when answered. Reads and writes have
 * 512..BSR_REQUEST_BYTES_MAX bytes. The buffer of a read or write: the front end puts its reference when the request is
 * answered, so the owner takes one of its own for whatever it does later.
 */

/** Called from a loop turn, or from bsr_devices_resume(). */
struct bsr_device_ops {
	/*
	 * how many requests may be handed over now; at 0 front ends stop reading until
	 * bsr_devices_resume()
	 */
	uint32_t (*credits)(void *ctx);
	/* a request has been read; may be answered at once */
	void (*request)(void *ctx, const struct bsr_ev_request *request);
	/* one line for people: who, what, remedy; @log_number of events.def (5xxx) */
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
/**
 * bsr_devices_destroy - closes everything; requests that are with the owner may not be answered any
 * more
 */
void bsr_devices_destroy(struct bsr_devices *devices);
/**
 * bsr_devices_complete - answer a request; read data is in its buffer. @error: 0 or a negative
 * BSR_E_*
 */
void bsr_devices_complete(struct bsr_devices *devices, uint32_t tag, int error);
/**
 * bsr_devices_fill - the data of a read are in another buffer, @data: copy them into the request's
 * own, before bsr_devices_complete()
 */
void bsr_devices_fill(struct bsr_devices *devices, uint32_t tag, bsr_buf_t data);
/**
 * bsr_devices_resume - credits are there again (freed buffers are noticed without it). Cheap when
 * nobody waits.
 */
void bsr_devices_resume(struct bsr_devices *devices);
/**
 * bsr_devices_flush - at the end of each turn, from the loop's hook: replies that were collected go
 * out; false: there was nothing to do
 */
bool bsr_devices_flush(struct bsr_devices *devices);
/** bsr_devices_pending - requests of a volume handed over and not answered */
uint32_t bsr_devices_pending(const struct bsr_devices *devices, uint32_t volume);
/** bsr_device_block_size - of a volume: 512 (unless told) or 4096; before it is served */
void bsr_device_block_size(struct bsr_devices *devices, uint32_t volume, uint32_t block_bytes);

/**
 * bsr_device_write_through - every write of a volume is stable when it is answered; before it is
 * served
 *
 * Then the kernel is told, at its first flush, that it need not send any: a flush stops a whole
 * loop device. It cannot be told otherwise later, so say it only of a volume for which it stays
 * true.
 */
void bsr_device_write_through(struct bsr_devices *devices, uint32_t volume);

/**
 * bsr_fuse_serve - serve a FUSE channel (taken over, also on failure)
 * @resumed: the channel had another server before; what that one left unanswered comes first
 *   (bsr_loopdev_resend())
 *
 * Serves until the keeper destroys the device (then the channel ends by itself) or bsr_fuse_stop().
 * 0 or -errno.
 */
int bsr_fuse_serve(struct bsr_devices *devices, uint32_t volume, int fuse_fd, uint64_t size_bytes, bool resumed);
/**
 * bsr_fuse_stop - close this process's end; requests with the owner are answered into the void. Not
 * served: no effect
 */
void bsr_fuse_stop(struct bsr_devices *devices, uint32_t volume);
/** bsr_fuse_serving - the channel of a volume is open here */
bool bsr_fuse_serving(const struct bsr_devices *devices, uint32_t volume);

#define BSR_NBD_CLIENTS_MAX 128u /* connections of one engine process; more are turned away */
#define BSR_NBD_LISTENERS_MAX 8u

/**
 * bsr_nbd_listen - serve NBD on a listening socket (taken over, also on failure); exports are added
 * per volume
 */
int bsr_nbd_listen(struct bsr_devices *devices, int listen_fd);
/**
 * bsr_nbd_export - offer a volume as @name (1..BSR_NAME_BYTES_MAX bytes, copied). 0, -EINVAL,
 * -EEXIST
 */
int bsr_nbd_export(struct bsr_devices *devices, uint32_t volume, const char *name, uint64_t size_bytes);
/** bsr_nbd_unexport - ends its connections; requests with the owner are answered into the void */
void bsr_nbd_unexport(struct bsr_devices *devices, uint32_t volume);
/**
 * bsr_nbd_clients - connections in transmission phase on a volume's export (they hold the device)
 */
uint32_t bsr_nbd_clients(const struct bsr_devices *devices, uint32_t volume);
/** bsr_nbd_rejected - bad input counted: connections dropped or turned away */
uint64_t bsr_nbd_rejected(const struct bsr_devices *devices);
/** bsr_device_resize - the volume is larger now; NBD clients see it when they connect again */
void bsr_device_resize(struct bsr_devices *devices, uint32_t volume, uint64_t size_bytes);

/* --------------------------------------------------------- keeper half */

/*
 * Functions that say "blocks" wait for answers of the server: call them from a thread other than
 * the one that restarts the engine. Functions of one device are not called at the same time, with
 * the exception of bsr_loopdev_resend() and bsr_loopdev_holders().
 */
struct bsr_loopdev; /* FUSE connection + image file + loop device of one volume */

/**
 * bsr_loopdev_create - new, invisible FUSE mount of one file
 * @fuse_fd: its channel; stays @dev's. Give a copy to the engine process (bsr_fuse_serve) before
 *   bsr_loopdev_bind()
 *
 * Does not block. 0 or -errno; -EPROTO when the kernel is set to abort slow FUSE requests
 * (fs.fuse.*_request_timeout).
 */
int bsr_loopdev_create(struct bsr_loopdev **dev, int *fuse_fd);
/**
 * bsr_loopdev_block_size - of the loop device: 512 (unless told) or 4096; before bsr_loopdev_bind()
 */
void bsr_loopdev_block_size(struct bsr_loopdev *dev, uint32_t block_bytes);
/**
 * bsr_loopdev_bind - image + loop device; blocks
 * @name: what losetup shows where it shows such a name, for people
 * @loop_index: receives N of /dev/loopN
 *
 * 0 or -errno; -EOPNOTSUPP: no direct I/O on it; -EROFS: this loop device drops flushes (a user
 * before has set queue/write_cache) and /sys does not let us change that.
 */
int bsr_loopdev_bind(struct bsr_loopdev *dev, const char *name, int *loop_index);
/**
 * bsr_loopdev_adopt - go on with a device whose keeper was killed
 * @fuse_fd: its channel, from the engine process; the device's on success, the caller's otherwise
 * @name: as given to bsr_loopdev_bind(); a loop device of another name is not touched (-ENODEV)
 *
 * Works while somebody holds the device (else it has detached itself). It cannot be resized until
 * it is made anew.
 */
int bsr_loopdev_adopt(struct bsr_loopdev **dev, int fuse_fd, const char *name, int loop_index);
/**
 * bsr_loopdev_resend - a new server takes over: unanswered requests come again
 *
 * Call it when the old process has been reaped and its lifeline has ended, before the new one
 * starts. Does not block.
 * -EOPNOTSUPP: this kernel cannot (before 6.9); requests that the old process had read will never
 * be answered.
 */
int bsr_loopdev_resend(struct bsr_loopdev *dev);
/** bsr_loopdev_resize - the volume has grown and the server knows it; blocks */
int bsr_loopdev_resize(struct bsr_loopdev *dev, uint64_t size_bytes);
/**
 * bsr_loopdev_holders - who holds it
 * @text: one per line: "mounted on /mnt", "mounted on /data in the mount namespace of pid 12
 *   (postgres)", "swap",
 * "used by dm-0 (vg-lv)", "open by sqlite3 (pid 7)"; cut at @room
 *
 * Returns how many, 0 for nobody; in doubt (an exclusive holder that cannot be named) 1 with a line
 * that says so.
 */
int bsr_loopdev_holders(const struct bsr_loopdev *dev, char *text, size_t room);
/**
 * bsr_loopdev_destroy - detach in the safe order; blocks
 *
 * -EBUSY, nothing changed, while it is held, unless @force. Otherwise @dev is gone: 0, -EIO (a last
 * flush failed),
 * -ETIMEDOUT (somebody still looks at the loop device; it detaches when they close it).
 */
int bsr_loopdev_destroy(struct bsr_loopdev *dev, bool force);
/**
 * bsr_loopdev_abandon - close everything without waiting for a server: unanswered and later I/O
 * fails
 */
void bsr_loopdev_abandon(struct bsr_loopdev *dev);

#define BSR_DRBD_MAJOR 147u /* block devices of DRBD; without its module nothing answers */

/**
 * bsr_device_link - make <dev dir>/bsr<minor> and <dev dir>/bsr/by-res/<resource>/<vnr>, links to
 * @target
 *
 * dev dir: BSR_DEV_DIR or /dev. Links that exist are replaced, anything else that is in the way is
 *          refused (-EEXIST).
 */
int bsr_device_link(uint32_t minor, const char *resource, uint32_t vnr, const char *target);
/** bsr_device_unlink - remove both; those that are not there are fine */
int bsr_device_unlink(uint32_t minor, const char *resource, uint32_t vnr);

#endif
