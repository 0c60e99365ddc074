// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * fuse.c - server half of the FUSE front end: the kernel's protocol on /dev/fuse, one file that is
 * the volume
 *
 * Owns:       a channel's descriptor and the buffers it reads into.
 * Invariants:
 *   FUSE-1  Whatever has been read from the channel is answered exactly once, or was read by a
 *   process that has died;
 *           then the kernel sends it again (bit 63 of its number), and the answer echoes the number
 *           as it came.
 *   FUSE-2  A request is read only when there is a credit for it.
 * Source:     docs/design/front-ends.md.
 *
 * Reading. One read takes one request, whose size is not known before and may be 1 MiB. The read is
 * scattered: both headers, then 4 KiB, then up to 64 KiB, then up to 1 MiB, each into a buffer of
 *            that class, the two larger ones from
 * the place on where the data would be if it had begun there. So a write of up to 4 KiB lies in its
 * small buffer without being copied; of a larger one, what has landed in the smaller buffers (at
 * most 64 KiB) is copied in front of the rest. A buffer leaves the channel only with data in it,
 * and small writes never pin large ones.
 */
#include "devices_internal.h"
#include "fuse_parse.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fuse.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#define PIECES 3u		   /* buffers of one scattered read */
#define READS_PER_TURN_MAX 128u	   /* then the other descriptors get their turn */
#define MINOR_KNOWN 38u		   /* protocol 7.38 */
#define MINOR_MIN 31u		   /* Linux 5.4 and later */
#define MAX_BACKGROUND 256u	   /* the kernel's 12 would bound direct I/O in flight */
#define MAX_PAGES (BSR_REQUEST_BYTES_MAX / 4096u)
#define ATTR_VALID_S 3600u	   /* only we change them */
#define OFFER_HAS_RESEND (1ull << 39) /* FUSE_HAS_RESEND, Linux 6.9 */

static const uint32_t piece_bytes[PIECES] = {4096, 65536, BSR_REQUEST_BYTES_MAX};

struct fuse_channel {
	struct bsr_devices *devices;
	uint32_t volume;
	struct bsr_watch watch;
	bool reading; /* @piece is being filled */
	bool pumping; /* the owner may answer, and resume, from within a request */
	bool held; /* @ask has been read and waits for a credit or a buffer */
	uint32_t payload_bytes; /* of @ask, in @piece */
	struct fuse_ask ask;
	bsr_buf_t piece[PIECES];
	uint8_t head[FUSE_HEAD_BYTES];
};

/* ----------------------------------------------------------------- answers */

static void answer_iov(struct fuse_channel *ch, uint64_t unique, int error, const void *body, size_t bytes)
{
	struct fuse_out_header out = {.len = (uint32_t)(sizeof(out) + bytes), .error = -error, .unique = unique};
	const struct iovec iov[2] = {
		{.iov_base = &out, .iov_len = sizeof(out)},
		{.iov_base = (void *)(uintptr_t)body, .iov_len = bytes},
	};
	ssize_t written;
	do {
		written = writev(ch->watch.fd, iov, bytes > 0 ? 2 : 1);
	} while (written < 0 && errno == EINTR);
	/* the request is gone, or everything is */
	if (written < 0 && errno != ENOENT && errno != ENODEV) {
		bsr_device_report(ch->devices, BSR_LOGN_FUSE_REPLY_REFUSED,
			"volume %u: the kernel did not take the answer to request %llu (%zu bytes): %s", ch->volume,
			(unsigned long long)unique, bytes, strerror(errno));
	}
}

static inline void answer_error(struct fuse_channel *ch, uint64_t unique, int error)
{
	answer_iov(ch, unique, error, NULL, 0);
}

void bsr_fuse_answer(struct fuse_channel *channel, const struct device_slot *slot, int error)
{
	const struct device_ask *ask = &slot->ask;
	if (error != 0) {
		answer_error(channel, ask->cookie, bsr_device_errno(error));
	} else if (ask->op == BSR_OP_READ) {
		answer_iov(channel, ask->cookie, 0, bsr_pool_mem(channel->devices->pool, ask->buf), ask->length);
	} else if (ask->op == BSR_OP_WRITE) {
		const struct fuse_write_out out = {.size = (uint32_t)ask->length};
		answer_iov(channel, ask->cookie, 0, &out, sizeof(out));
	} else {
		answer_error(channel, ask->cookie, 0);
	}
}

static void answer_init(struct fuse_channel *ch)
{
	const uint64_t wanted = FUSE_ASYNC_READ | FUSE_ASYNC_DIO | FUSE_BIG_WRITES | FUSE_MAX_PAGES | FUSE_INIT_EXT |
		FUSE_PARALLEL_DIROPS | FUSE_HANDLE_KILLPRIV;
	const struct fuse_ask *ask = &ch->ask;
	struct fuse_init_out out = {
		.major = 7,
		.minor = ask->minor < MINOR_KNOWN ? ask->minor : MINOR_KNOWN,
		.flags = (uint32_t)(ask->flags & wanted),
		.max_background = MAX_BACKGROUND,
		.congestion_threshold = MAX_BACKGROUND / 4 * 3,
		.max_write = BSR_REQUEST_BYTES_MAX,
		.time_gran = 1,
		.max_pages = MAX_PAGES,
	};
	if (ask->major < 7 || (ask->major == 7 && ask->minor < MINOR_MIN)) {
		bsr_device_report(ch->devices, BSR_LOGN_FUSE_BAD_REQUEST,
			"volume %u: this kernel speaks FUSE %u.%u, too old; use the NBD front end, or Linux 5.4 or later",
			ch->volume, ask->major, ask->minor);
		answer_error(ch, ask->unique, EPROTO);
		return;
	}
	if ((ask->flags & OFFER_HAS_RESEND) == 0) {
		bsr_device_report(ch->devices, BSR_LOGN_FUSE_NO_RESEND,
			"volume %u: this kernel (FUSE 7.%u, Linux before 6.9) cannot hand unanswered requests to a new "
			"engine process; if the engine dies, they hang until the device is removed by force",
			ch->volume, ask->minor);
	}
	/* a kernel with a newer major asks again with ours */
	answer_iov(ch, ask->unique, 0, &out, sizeof(out));
}

static void answer_attr(struct fuse_channel *ch)
{
	const uint64_t size_bytes = ch->devices->volume[ch->volume].size_bytes;
	const struct fuse_attr_out out = {
		.attr_valid = ATTR_VALID_S,
		.attr = {
			.ino = FUSE_ROOT_ID,
			.size = size_bytes,
			.blocks = size_bytes / 512,
			.mode = S_IFREG | 0600,
			.nlink = 1,
			.blksize = 4096,
		},
	};
	answer_iov(ch, ch->ask.unique, 0, &out, sizeof(out));
}

/* The only change is the keeper telling the kernel a size that we already have. */
static void answer_setattr(struct fuse_channel *ch)
{
	if (ch->ask.size != UINT64_MAX && ch->ask.size != ch->devices->volume[ch->volume].size_bytes) {
		answer_error(ch, ch->ask.unique, EINVAL);
		return;
	}
	answer_attr(ch);
}

static void answer_open(struct fuse_channel *ch)
{
	const struct fuse_open_out out = {
		.open_flags = FOPEN_DIRECT_IO | FOPEN_PARALLEL_DIRECT_WRITES | FOPEN_NOFLUSH,
	};
	answer_iov(ch, ch->ask.unique, 0, &out, sizeof(out));
}

static void answer_statfs(struct fuse_channel *ch)
{
	const struct fuse_statfs_out out = {
		.st = {
			.blocks = ch->devices->volume[ch->volume].size_bytes / 4096,
			.bsize = 4096, /* becomes the discard granularity */
			.frsize = 4096,
			.namelen = 255,
			.files = 1,
		},
	};
	answer_iov(ch, ch->ask.unique, 0, &out, sizeof(out));
}

/* ----------------------------------------------------------------- requests */

/* The payload as one buffer, taken out of the channel's: see the top of this file. */
static bsr_buf_t take_payload(struct fuse_channel *ch)
{
	uint32_t last = 0;
	while (piece_bytes[last] < ch->payload_bytes) {
		last++;
		BSR_ASSERT(last < PIECES);
	}
	uint8_t *whole = bsr_pool_mem(ch->devices->pool, ch->piece[last]);
	uint32_t begin = 0;
	for (uint32_t i = 0; i < last; i++) {
		memcpy(whole + begin, bsr_pool_mem(ch->devices->pool, ch->piece[i]) + begin, piece_bytes[i] - begin);
		begin = piece_bytes[i];
	}
	const bsr_buf_t buf = ch->piece[last];
	ch->piece[last] = BSR_BUF_NONE;
	return buf;
}

static int io_errno(const struct fuse_channel *ch)
{
	const struct fuse_ask *ask = &ch->ask;
	if (ask->op == BSR_OP_FLUSH) {
		/* "no such thing": from now on the kernel answers flushes itself */
		return ch->devices->volume[ch->volume].write_through ? ENOSYS : 0;
	}
	const bool moves = ask->op == BSR_OP_READ || ask->op == BSR_OP_WRITE;
	if (moves && ask->length > BSR_REQUEST_BYTES_MAX) {
		return EINVAL;
	}
	const int error = bsr_device_range_errno(&ch->devices->volume[ch->volume], ask->offset, ask->length);
	return error == ENOSPC && ask->op == BSR_OP_READ ? EINVAL : error;
}

/* True when the held request has left: handed over or refused. */
static bool hand_over(struct fuse_channel *ch)
{
	const struct fuse_ask *ask = &ch->ask;
	const int error = io_errno(ch);
	if (error != 0) {
		answer_error(ch, ask->unique, error);
		return true;
	}
	bsr_buf_t buf = BSR_BUF_NONE;
	if (ask->op == BSR_OP_WRITE) {
		buf = take_payload(ch);
	} else if (ask->op == BSR_OP_READ) {
		buf = bsr_device_get_buffer(ch->devices, (uint32_t)ask->length);
		if (buf == BSR_BUF_NONE) {
			return false;
		}
	}
	const struct device_ask request = {
		.front = DEVICE_FUSE,
		.op = ask->op,
		.volume = (uint16_t)ch->volume,
		.cookie = ask->unique,
		.offset = ask->op == BSR_OP_FLUSH ? 0 : ask->offset,
		.length = ask->op == BSR_OP_FLUSH ? 0 : ask->length,
		.buf = buf,
		.client = ch,
	};
	bsr_device_submit(ch->devices, &request);
	return true;
}

/* True when the request has left; false: it is held until a buffer is there. */
static bool serve(struct fuse_channel *ch)
{
	switch (ch->ask.kind) {
	case FUSE_ASK_IO:
		return hand_over(ch);
	case FUSE_ASK_INIT:
		answer_init(ch);
		break;
	case FUSE_ASK_GETATTR:
		answer_attr(ch);
		break;
	case FUSE_ASK_SETATTR:
		answer_setattr(ch);
		break;
	case FUSE_ASK_OPEN:
		answer_open(ch);
		break;
	case FUSE_ASK_STATFS:
		answer_statfs(ch);
		break;
	case FUSE_ASK_OK:
		answer_error(ch, ch->ask.unique, 0);
		break;
	case FUSE_ASK_NOTHING:
		break;
	case FUSE_ASK_REFUSE:
		answer_error(ch, ch->ask.unique, ch->ask.error);
		break;
	}
	return true;
}

/* ------------------------------------------------------------------ reading */

static bool fill_pieces(struct fuse_channel *ch)
{
	bool full = true;
	ch->reading = true;
	for (uint32_t i = 0; i < PIECES && full; i++) {
		if (ch->piece[i] == BSR_BUF_NONE) {
			ch->piece[i] = bsr_device_get_buffer(ch->devices, piece_bytes[i]);
		}
		full = ch->piece[i] != BSR_BUF_NONE;
	}
	ch->reading = false;
	return full;
}

static bool has_payload(const struct fuse_channel *ch)
{
	return ch->held && ch->payload_bytes > 0;
}

void bsr_fuse_lend(struct fuse_channel *channel)
{
	if (channel->reading || has_payload(channel)) {
		return;
	}
	for (uint32_t i = 0; i < PIECES; i++) {
		if (channel->piece[i] != BSR_BUF_NONE) {
			bsr_pool_put(channel->devices->pool, channel->piece[i]);
			channel->piece[i] = BSR_BUF_NONE;
		}
	}
}

static void end_channel(struct fuse_channel *ch, const char *why)
{
	bsr_device_report(ch->devices, BSR_LOGN_FUSE_ENDED, "volume %u: %s", ch->volume, why);
	bsr_fuse_stop(ch->devices, ch->volume);
}

enum read_outcome { READ_REQUEST, READ_NOTHING, READ_ENDED };

static enum read_outcome read_request(struct fuse_channel *ch)
{
	struct bsr_pool *pool = ch->devices->pool;
	const struct iovec iov[1 + PIECES] = {
		{.iov_base = ch->head, .iov_len = sizeof(ch->head)},
		{.iov_base = bsr_pool_mem(pool, ch->piece[0]), .iov_len = piece_bytes[0]},
		{.iov_base = bsr_pool_mem(pool, ch->piece[1]) + piece_bytes[0], .iov_len = piece_bytes[1] - piece_bytes[0]},
		{.iov_base = bsr_pool_mem(pool, ch->piece[2]) + piece_bytes[1], .iov_len = piece_bytes[2] - piece_bytes[1]},
	};
	ssize_t bytes;
	do {
		bytes = readv(ch->watch.fd, iov, 1 + PIECES);
	} while (bytes < 0 && (errno == EINTR || errno == ENOENT)); /* ENOENT: it vanished while being read */
	if (bytes < 0 && errno == EAGAIN) {
		return READ_NOTHING;
	}
	if (bytes < 0) {
		end_channel(ch, errno == ENODEV ? "the kernel's end is gone (unmounted)" : strerror(errno));
		return READ_ENDED;
	}
	if (bsr_fuse_parse(&ch->ask, ch->head, (size_t)bytes) != 0) {
		bsr_device_report(ch->devices, BSR_LOGN_FUSE_BAD_REQUEST,
			"volume %u: %zd bytes that are no request; giving the channel up", ch->volume, bytes);
		end_channel(ch, "unusable input");
		return READ_ENDED;
	}
	ch->payload_bytes = ch->ask.kind == FUSE_ASK_IO && ch->ask.op == BSR_OP_WRITE ? (uint32_t)ch->ask.length : 0;
	return READ_REQUEST;
}

static void pause_reading(struct fuse_channel *ch, bool pause)
{
	const int error = bsr_loop_watch_change(ch->devices->loop, &ch->watch, pause ? 0 : POLLIN);
	if (error != 0) {
		end_channel(ch, strerror(-error));
	}
}

/* What one turn of bsr_fuse_pump() has come to. */
enum pump_outcome { PUMP_ON, PUMP_DONE, PUMP_PAUSED, PUMP_ENDED };

static enum pump_outcome pump_one(struct fuse_channel *ch)
{
	struct bsr_devices *devices = ch->devices;
	const uint32_t volume = ch->volume;
	if (!ch->held) {
		if (!fill_pieces(ch)) {
			return PUMP_PAUSED;
		}
		const enum read_outcome outcome = read_request(ch);
		if (outcome != READ_REQUEST) {
			return outcome == READ_ENDED ? PUMP_ENDED : PUMP_DONE;
		}
	}
	const bool alone = devices->volume[volume].pending == 0;
	const bool left = serve(ch);
	if (devices->volume[volume].fuse != ch) {
		return PUMP_ENDED; /* the owner has stopped it */
	}
	ch->held = !left;
	return !left ? PUMP_PAUSED : alone ? PUMP_DONE : PUMP_ON;
}

/*
 * Reads until there is nothing left, but does not ask a second time when nothing else was under
 * way: a lone request needs no extra system call to learn that it was alone, and the watch fires at
 *      once if it was not.
 */
void bsr_fuse_pump(struct fuse_channel *channel)
{
	enum pump_outcome outcome = PUMP_ON;
	if (channel->pumping) {
		return; /* the frame below goes on */
	}
	channel->pumping = true;
	for (uint32_t reads = 0; reads < READS_PER_TURN_MAX && outcome == PUMP_ON; reads++) {
		/*
		 * FUSE-2; asked each time, because whatever is answered meanwhile may let others
		 * use a credit
		 */
		outcome = bsr_device_budget(channel->devices) == 0 ? PUMP_PAUSED : pump_one(channel);
	}
	if (outcome != PUMP_ENDED) {
		channel->pumping = false;
		pause_reading(channel, outcome == PUMP_PAUSED);
	}
}

static void channel_ready(struct bsr_watch *watch, uint32_t events)
{
	struct fuse_channel *ch = (struct fuse_channel *)(void *)((uint8_t *)watch - offsetof(struct fuse_channel, watch));
	if ((events & (POLLERR | POLLNVAL)) != 0) {
		end_channel(ch, "the kernel's end is gone (unmounted or aborted)");
		return;
	}
	bsr_fuse_pump(ch);
}

/* -------------------------------------------------------------- start, stop */

int bsr_fuse_serve(struct bsr_devices *devices, uint32_t volume, int fuse_fd, uint64_t size_bytes, bool resumed)
{
	BSR_ASSERT(volume < BSR_VOLUMES_MAX);
	/* what an earlier server left comes like everything else: answers echo the number */
	(void)resumed;
	int error = 0;
	struct fuse_channel *ch = NULL;
	if (devices->volume[volume].fuse != NULL) {
		error = -EBUSY;
		goto out;
	}
	const int flags = fcntl(fuse_fd, F_GETFL);
	if (flags < 0 || ((flags & O_NONBLOCK) == 0 && fcntl(fuse_fd, F_SETFL, flags | O_NONBLOCK) != 0)) {
		error = -errno;
		goto out;
	}
	ch = calloc(1, sizeof(*ch));
	if (ch == NULL) {
		error = -ENOMEM;
		goto out;
	}
	ch->devices = devices;
	ch->volume = volume;
	for (uint32_t i = 0; i < PIECES; i++) {
		ch->piece[i] = BSR_BUF_NONE;
	}
	ch->watch = (struct bsr_watch){.fd = fuse_fd, .events = POLLIN, .ready = channel_ready};
	error = bsr_loop_watch(devices->loop, &ch->watch);
out:
	if (error != 0) {
		free(ch);
		(void)close(fuse_fd);
		return error;
	}
	devices->volume[volume].fuse = ch;
	bsr_device_resize(devices, volume, size_bytes);
	return 0;
}

void bsr_fuse_stop(struct bsr_devices *devices, uint32_t volume)
{
	BSR_ASSERT(volume < BSR_VOLUMES_MAX);
	struct fuse_channel *ch = devices->volume[volume].fuse;
	if (ch == NULL) {
		return;
	}
	bsr_device_forget(devices, ch);
	bsr_loop_unwatch(devices->loop, &ch->watch);
	(void)close(ch->watch.fd);
	for (uint32_t i = 0; i < PIECES; i++) {
		if (ch->piece[i] != BSR_BUF_NONE) {
			bsr_pool_put(devices->pool, ch->piece[i]);
		}
	}
	devices->volume[volume].fuse = NULL;
	free(ch);
}

bool bsr_fuse_serving(const struct bsr_devices *devices, uint32_t volume)
{
	BSR_ASSERT(volume < BSR_VOLUMES_MAX);
	return devices->volume[volume].fuse != NULL;
}
