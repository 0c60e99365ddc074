// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * keeper_disk.c - opening and claiming the backing and metadata device of a volume
 *
 * Owns: the descriptors and claims of struct keeper_disk. Runs in job threads: an open may hang on
 *       a dead device.
 * Invariants:
 *   KD-1  A disk is open at most once on this host: O_EXCL for block devices, flock for files, a
 *         lock of the slot's range for metadata devices that several volumes share; and byte 1 of
 *         <lock dir>/bsr-147-<minor>, which tells bsrmeta that the volume is attached.
 *   KD-2  Only block devices and regular files are opened, always for direct I/O.
 *   KD-3  Which file is opened is said by descriptors that an administrator's program has opened, never
 *         by a path that came through the engine process.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <bsr/assert.h>

#include "keeper.h"
#include "superblock.h"

#define LOCK_TRIES 20
#define LOCK_PAUSE_US 50000 /* 20 times: one second, as all tools wait */
#define LET_GO_TRIES 500
#define LET_GO_PAUSE_US 4000 /* 500 times: two seconds */

struct opened {
	int fd;
	bool is_block;
	dev_t device;
	uint64_t bytes;
	uint64_t slot_bytes; /* metadata device with indexed slots */
};

enum claim { CLAIM_WHOLE, CLAIM_SLOT };

static int refuse(struct keeper_job *job, int error, const char *what, const char *path, const char *why)
{
	char text[5000];
	snprintf(text, sizeof(text), "%s %s: %s", what, path, why);
	bsrd_message_set_text(&job->message, text);
	return error;
}

/*
 * What @path_fd names is opened for real only when it is a disk: no FIFO, no character device. The
 * link in /proc leads to the very file, whatever its path means by now.
 */
static int open_checked(int path_fd, enum claim claim, struct stat *st)
{
	char by_fd[64];
	if (fstat(path_fd, st) != 0) {
		return -errno;
	}
	if (!S_ISBLK(st->st_mode) && !S_ISREG(st->st_mode)) {
		return -ENOTBLK;
	}
	int flags = O_RDWR | O_CLOEXEC | O_DIRECT | O_LARGEFILE;
	if (S_ISBLK(st->st_mode) && claim == CLAIM_WHOLE) {
		flags |= O_EXCL;
	}
	snprintf(by_fd, sizeof(by_fd), "/proc/self/fd/%d", path_fd);
	int fd = open(by_fd, flags);
	return fd < 0 ? -errno : fd;
}

/*
 * A slot is locked as a byte range of the shared metadata device; the rest of it belongs to others.
 */
static int claim_range(int fd, enum claim claim, uint64_t start, uint64_t bytes)
{
	struct flock range = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
	if (claim == CLAIM_SLOT) {
		range.l_start = (off_t)start;
		range.l_len = (off_t)bytes;
	}
	if (flock(fd, (claim == CLAIM_SLOT ? LOCK_SH : LOCK_EX) | LOCK_NB) != 0) {
		return -errno;
	}
	return fcntl(fd, F_OFD_SETLK, &range) != 0 ? -errno : 0;
}

static int size_of(int fd, const struct stat *st, uint64_t *bytes)
{
	if (S_ISBLK(st->st_mode)) {
		return ioctl(fd, BLKGETSIZE64, bytes) != 0 ? -errno : 0;
	}
	*bytes = (uint64_t)st->st_size;
	return 0;
}

static const char *open_reason(int error)
{
	switch (error) {
	case -EBUSY:
	case -EWOULDBLOCK:
	case -EACCES: /* fcntl's other word for a lock held by somebody else */
		return "in use (mounted, or claimed by another resource or program)";
	case -ENOTBLK:
		return "neither a block device nor a regular file";
	case -EINVAL:
		return "does not allow direct I/O (O_DIRECT)";
	default:
		return strerror(-error);
	}
}

/* Why an administrator's program had no descriptor to give: the path, tried again, says it. */
static int refuse_unopened(struct keeper_job *job, const char *path, bool data)
{
	const char *why = "its descriptor did not come with the request";
	int path_fd = path[0] == '/' ? open(path, O_PATH | O_CLOEXEC) : -1;
	if (path[0] != '/') {
		why = "not an absolute path";
	} else if (path_fd < 0) {
		why = strerror(errno);
	} else {
		close(path_fd);
		if (data) {
			return 0; /* then it is the other one */
		}
	}
	return refuse(job, data ? -BSR_E_OPEN_BACKING : -BSR_E_OPEN_MD, data ? "backing device" : "metadata device",
		path, why);
}

/*
 * bsr's slots have 256 MiB, DRBD's 128: the same index is another place. The superblock there says how much it owns; where
 * neither does, bsr's is meant.
 */
static uint64_t slot_bytes(int fd, uint64_t index)
{
	static const uint64_t known[] = {BSR_MD_STRIDE_BSR_BYTES, BSR_MD_STRIDE_DRBD_BYTES};
	_Alignas(BSR_MD_BLOCK_BYTES) uint8_t block[BSR_MD_BLOCK_BYTES];
	struct bsr_superblock sb;
	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
		if (pread(fd, block, sizeof(block), (off_t)(index * known[i])) == (ssize_t)sizeof(block) &&
			bsr_superblock_decode_unchecked(&sb, block) == 0 && sb.md_sectors == known[i] / BSR_SECTOR_BYTES) {
			return known[i];
		}
	}
	return BSR_MD_STRIDE_BSR_BYTES;
}

/* 0 or -BSR_E_*, text set. @data: the disk itself, else its metadata device. */
static int open_one(struct keeper_job *job, const char *path, bool data, enum claim claim, struct opened *out)
{
	struct stat st = {0};
	int fd = open_checked(job->fds.fd[data ? 0 : 1], claim, &st);
	int error = fd < 0 ? fd : size_of(fd, &st, &out->bytes);
	const uint64_t index = job->message.arg[1];
	const uint64_t stride = claim == CLAIM_SLOT && error == 0 ? slot_bytes(fd, index) : BSR_MD_STRIDE_BSR_BYTES;
	out->slot_bytes = stride;
	if (error == 0 && (!S_ISBLK(st.st_mode) || claim == CLAIM_SLOT)) {
		error = claim_range(fd, claim, index * stride, stride);
	}
	if (error != 0) {
		bool claimed = error == -EBUSY || error == -EWOULDBLOCK || (fd >= 0 && error == -EACCES);
		if (fd >= 0) {
			close(fd);
		}
		int code = claimed ? (data ? BSR_E_DISK_CLAIMED : BSR_E_MD_CLAIMED) :
				     (data ? BSR_E_OPEN_BACKING : BSR_E_OPEN_MD);
		const char *reason = error == -EACCES && fd < 0 ? strerror(EACCES) : open_reason(error);
		return refuse(job, -code, data ? "backing device" : "metadata device", path, reason);
	}
	out->fd = fd;
	out->is_block = S_ISBLK(st.st_mode);
	out->device = st.st_rdev;
	return 0;
}

/* A disk that keeps nothing in a volatile cache says "write through"; of files nothing is known. */
static bool is_write_through(const struct opened *disk)
{
	static const char *const places[] = {"queue", "../queue"}; /* whole disk, partition */
	if (!disk->is_block) {
		return false;
	}
	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
		char path[128], word[32] = "";
		snprintf(path, sizeof(path), "/sys/dev/block/%u:%u/%s/write_cache", major(disk->device),
			minor(disk->device), places[i]);
		int fd = open(path, O_RDONLY | O_CLOEXEC);
		if (fd < 0) {
			continue;
		}
		ssize_t bytes = read(fd, word, sizeof(word) - 1);
		close(fd);
		return bytes > 0 && strncmp(word, "write through", 13) == 0;
	}
	return false;
}

/*
 * bsrmeta looks at this byte before it changes metadata. A descriptor, or -errno (-EAGAIN: a tool
 * works on it).
 */
int keeper_lock_attached(uint32_t minor_number)
{
	char path[300];
	const char *dir = getenv("BSR_LOCK_DIR");
	struct flock byte = {
		.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = KEEPER_LOCK_BYTE_ATTACHED, .l_len = 1};
	snprintf(path, sizeof(path), "%s/bsr-147-%u", dir != NULL && dir[0] != '\0' ? dir : "/var/lock",
		(unsigned)minor_number);
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0) {
		return -errno;
	}
	/*
	 * a lock of the process, not of the descriptor: only such a one tells a tool the keeper's
	 * pid
	 */
	for (int i = 0; i < LOCK_TRIES; i++) {
		if (fcntl(fd, F_SETLK, &byte) == 0) {
			return fd;
		}
		usleep(LOCK_PAUSE_US);
	}
	close(fd);
	return -EAGAIN;
}

static bool same_file(int a_fd, int b_fd)
{
	struct stat a, b;
	if (fstat(a_fd, &a) != 0 || fstat(b_fd, &b) != 0) {
		return false;
	}
	return S_ISBLK(a.st_mode) && S_ISBLK(b.st_mode) ? a.st_rdev == b.st_rdev :
							  a.st_dev == b.st_dev && a.st_ino == b.st_ino;
}

static int open_both(struct keeper_job *job, struct opened *data, struct opened *md)
{
	size_t first = strlen(job->message.text) + 1;
	enum claim claim = job->message.arg[0] == BSR_MD_INDEXED ? CLAIM_SLOT : CLAIM_WHOLE;
	char data_copy[4096], md_copy[4096]; /* the text is overwritten when something is refused */
	BSR_ASSERT(first <= sizeof(data_copy) && job->message.text_bytes - first <= sizeof(md_copy));
	memcpy(data_copy, job->message.text, first);
	memcpy(md_copy, job->message.text + first, job->message.text_bytes - first);
	if (job->fds.count != BSRD_DISK_FDS) {
		int missing = refuse_unopened(job, data_copy, true);
		return missing != 0 ? missing : refuse_unopened(job, md_copy, false);
	}
	int error = open_one(job, data_copy, true, CLAIM_WHOLE, data);
	if (error != 0) {
		return error;
	}
	*md = *data;
	if (strcmp(data_copy, md_copy) != 0 || !same_file(job->fds.fd[0], job->fds.fd[1])) {
		error = open_one(job, md_copy, false, claim, md);
		if (error != 0) {
			close(data->fd);
		}
	}
	return error;
}

void keeper_disk_open(struct keeper_job *job)
{
	struct keeper_disk *disk = &job->volume.disk;
	struct opened data = {.fd = -1}, md = {.fd = -1};
	BSR_ASSERT(!disk->open);
	int lock_fd = keeper_lock_attached(job->volume.minor);
	if (lock_fd < 0) {
		job->message.error = refuse(job, -BSR_E_DISK_CLAIMED, "minor's lock file of", job->message.text,
			lock_fd == -EAGAIN ? "a tool is working on the metadata; try again" : strerror(-lock_fd));
		return;
	}
	int error = open_both(job, &data, &md);
	job->message.error = error;
	if (error != 0) {
		close(lock_fd);
		bsr_log(BSR_LOGN_DISK_REFUSED, "volume=%u minor=%u why=\"%s\"", (unsigned)job->volume.vnr,
			(unsigned)job->volume.minor, job->message.text);
		return;
	}
	*disk = (struct keeper_disk){.open = true,
		.write_through = is_write_through(&data) && (md.fd == data.fd || is_write_through(&md)),
		.data_fd = data.fd,
		.md_fd = md.fd,
		.md_shared = job->message.arg[0] == BSR_MD_INDEXED,
		.slot_bytes = md.slot_bytes,
		.lock_fd = lock_fd,
		.data_bytes = data.bytes,
		.md_bytes = md.bytes};
	bsr_log(BSR_LOGN_DISK_OPENED, "volume=%u minor=%u disk=%s data_bytes=%llu write_through=%s",
		(unsigned)job->volume.vnr, (unsigned)job->volume.minor, job->message.text,
		(unsigned long long)data.bytes, disk->write_through ? "yes" : "no");
}

/* True when the claim of the closed descriptor is gone, tried by taking it for a moment. */
static bool claim_is_free(const char *by_fd, const struct stat *st, bool shared)
{
	bool block = S_ISBLK(st->st_mode);
	int fd = open(by_fd, O_RDONLY | O_CLOEXEC | (block && !shared ? O_EXCL : 0));
	if (fd < 0) {
		return errno != EBUSY;
	}
	bool is_free = block || flock(fd, (shared ? LOCK_SH : LOCK_EX) | LOCK_NB) == 0;
	close(fd);
	return is_free;
}

/*
 * The ring of the engine process lets go of a descriptor some milliseconds after it was told to,
 * and until then the
 * claim stands: without this wait, whoever is told "detached" could be refused the disk.
 */
static void close_claimed(int fd, bool shared)
{
	char by_fd[64];
	struct stat st;
	snprintf(by_fd, sizeof(by_fd), "/proc/self/fd/%d", fd);
	int path_fd = open(by_fd, O_PATH | O_CLOEXEC);
	close(fd);
	if (path_fd < 0) {
		return;
	}
	snprintf(by_fd, sizeof(by_fd), "/proc/self/fd/%d", path_fd);
	if (fstat(path_fd, &st) == 0) {
		for (int i = 0; i < LET_GO_TRIES && !claim_is_free(by_fd, &st, shared); i++) {
			usleep(LET_GO_PAUSE_US);
		}
	}
	close(path_fd);
}

void keeper_disk_close(struct keeper_disk *disk)
{
	if (!disk->open) {
		return;
	}
	if (disk->md_fd != disk->data_fd) {
		close_claimed(disk->md_fd, disk->md_shared);
	}
	close_claimed(disk->data_fd, false);
	if (disk->lock_fd >= 0) {
		close(disk->lock_fd); /* last: who gets the lock may open the disk */
	}
	*disk = (struct keeper_disk){.data_fd = -1, .md_fd = -1, .lock_fd = -1};
}
