// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * loopdev.c - keeper half of the FUSE front end: invisible one-file mount, loop device on it
 *
 * Owns:       the FUSE connection, the detached mount, the image file and the loop device of one
 *             volume.
 * Invariants:
 *   LDEV-1  The keeper's descriptor of the channel keeps the connection alive while engine
 *   processes come and go.
 *   LDEV-2  The loop device is set to detach itself at its last close, so a killed keeper leaves
 *   nothing behind.
 * Source:     docs/design/front-ends.md, docs/design/restart.md.
 *
 * The mount is never attached to a directory tree: nobody else can open or unmount it.
 */
#include "device.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fuse.h>
#include <linux/loop.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <time.h>
#include <unistd.h>

#include <bsr/assert.h>

#include "loopdev_internal.h"

#define NOTIFY_RESEND 7 /* FUSE_NOTIFY_RESEND, Linux 6.9 */
#define LOOP_MAJOR_NUMBER 7u
#define CONFIGURE_ATTEMPTS_MAX 100 /* others may take the free device first */
#define DETACH_WAIT_MS 10000
#define PATH_BYTES 96u

static void close_if_open(int *fd)
{
	if (*fd >= 0) {
		(void)close(*fd);
		*fd = -1;
	}
}

static int write_text(const char *path, const char *text)
{
	const int fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0) {
		return -errno;
	}
	const ssize_t written = write(fd, text, strlen(text));
	const int error = written < 0 ? -errno : 0;
	(void)close(fd);
	return error;
}

/* ------------------------------------------------------------------- create */

static bool kernel_limits_request_time(void)
{
	static const char *const path[] = {
		"/proc/sys/fs/fuse/default_request_timeout",
		"/proc/sys/fs/fuse/max_request_timeout",
	};
	bool limited = false;
	for (size_t i = 0; i < sizeof(path) / sizeof(path[0]); i++) {
		unsigned long seconds = 0;
		FILE *file = fopen(path[i], "re");
		if (file == NULL) {
			continue; /* a kernel without the limit */
		}
		if (fscanf(file, "%lu", &seconds) == 1 && seconds != 0) {
			limited = true;
		}
		(void)fclose(file);
	}
	return limited;
}

static int configure_mount(int fs_fd, int fuse_fd)
{
	char fd_text[16];
	(void)snprintf(fd_text, sizeof(fd_text), "%d", fuse_fd);
	const struct {
		const char *key, *value;
	} option[] = {{"source", "bsr"}, {"fd", fd_text}, {"rootmode", "100600"}, {"user_id", "0"}, {"group_id", "0"}};
	for (size_t i = 0; i < sizeof(option) / sizeof(option[0]); i++) {
		if (fsconfig(fs_fd, FSCONFIG_SET_STRING, option[i].key, option[i].value, 0) != 0) {
			return -errno;
		}
	}
	return fsconfig(fs_fd, FSCONFIG_CMD_CREATE, NULL, NULL, 0) == 0 ? 0 : -errno;
}

static int make_mount(struct bsr_loopdev *dev)
{
	const int fs_fd = fsopen("fuse", FSOPEN_CLOEXEC);
	if (fs_fd < 0) {
		return -errno;
	}
	int error = configure_mount(fs_fd, dev->fuse_fd);
	if (error == 0) {
		dev->mount_fd = fsmount(fs_fd, FSMOUNT_CLOEXEC, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC);
		error = dev->mount_fd < 0 ? -errno : 0;
	}
	(void)close(fs_fd);
	return error;
}

int bsr_loopdev_create(struct bsr_loopdev **dev, int *fuse_fd)
{
	if (kernel_limits_request_time()) {
		return -EPROTO;
	}
	struct bsr_loopdev *d = calloc(1, sizeof(*d));
	if (d == NULL) {
		return -ENOMEM;
	}
	*d = (struct bsr_loopdev){.fuse_fd = -1, .mount_fd = -1, .image_fd = -1, .loop_fd = -1, .block_bytes = 512};
	d->fuse_fd = open("/dev/fuse", O_RDWR | O_CLOEXEC | O_NONBLOCK);
	const int error = d->fuse_fd < 0 ? -errno : make_mount(d);
	if (error != 0) {
		bsr_loopdev_abandon(d);
		return error;
	}
	*dev = d;
	*fuse_fd = d->fuse_fd;
	return 0;
}

void bsr_loopdev_block_size(struct bsr_loopdev *dev, uint32_t block_bytes)
{
	BSR_ASSERT(block_bytes == 512 || block_bytes == 4096);
	dev->block_bytes = block_bytes;
}

/* --------------------------------------------------------------------- bind */

static int open_image(struct bsr_loopdev *dev)
{
	char path[PATH_BYTES];
	(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", dev->mount_fd);
	dev->image_fd = open(path, O_RDWR | O_CLOEXEC);
	return dev->image_fd < 0 ? -errno : 0;
}

static int open_loop_node(int index, int flags)
{
	char path[PATH_BYTES];
	(void)snprintf(path, sizeof(path), "/dev/loop%d", index);
	int fd = open(path, flags | O_CLOEXEC);
	if (fd < 0 && errno == ENOENT && /* no udev here, as in containers */
		mknod(path, S_IFBLK | 0660, makedev(LOOP_MAJOR_NUMBER, (unsigned)index)) == 0) {
		fd = open(path, flags | O_CLOEXEC);
	}
	return fd < 0 ? -errno : fd;
}

/* One try to take a free loop device: 0, -EBUSY (somebody was faster), or another -errno. */
static int configure_loop(struct bsr_loopdev *dev, int control_fd, const char *name)
{
	const int index = ioctl(control_fd, LOOP_CTL_GET_FREE);
	if (index < 0) {
		return -errno;
	}
	const int fd = open_loop_node(index, O_RDWR);
	if (fd < 0) {
		return fd;
	}
	struct loop_config config = {
		.fd = (uint32_t)dev->image_fd,
		.block_size = dev->block_bytes,
		.info.lo_flags = LO_FLAGS_DIRECT_IO | LO_FLAGS_AUTOCLEAR, /* LDEV-2 */
	};
	(void)snprintf((char *)config.info.lo_file_name, sizeof(config.info.lo_file_name), "%s", name);
	if (ioctl(fd, LOOP_CONFIGURE, &config) != 0) {
		const int error = -errno;
		(void)close(fd);
		return error;
	}
	dev->loop_fd = fd;
	dev->loop_index = index;
	return 0;
}

static int take_loop(struct bsr_loopdev *dev, const char *name)
{
	const int control_fd = open("/dev/loop-control", O_RDWR | O_CLOEXEC);
	if (control_fd < 0) {
		return -errno;
	}
	int error = -EBUSY;
	for (int attempt = 0; attempt < CONFIGURE_ATTEMPTS_MAX && error == -EBUSY; attempt++) {
		error = configure_loop(dev, control_fd, name);
	}
	(void)close(control_fd);
	return error;
}

static void set_queue(const struct bsr_loopdev *dev, const char *attribute, const char *value)
{
	char path[PATH_BYTES];
	(void)snprintf(path, sizeof(path), "/sys/block/loop%d/queue/%s", dev->loop_index, attribute);
	(void)write_text(path, value); /* a read-only /sys costs some speed, nothing else */
}

/*
 * A loop device keeps "write through" from an earlier user who wrote that into its
 * queue/write_cache, also across
 * detaching: then the kernel would drop every flush without a word.
 */
static int make_sure_of_flushes(const struct bsr_loopdev *dev)
{
	char path[PATH_BYTES];
	for (int attempt = 0; attempt < 2; attempt++) {
		char text[32] = "";
		(void)snprintf(path, sizeof(path), "/sys/block/loop%d/queue/write_cache", dev->loop_index);
		const int fd = open(path, O_RDONLY | O_CLOEXEC);
		if (fd < 0) {
			return 0; /* no /sys here, so nobody has changed it here either */
		}
		const ssize_t bytes = read(fd, text, sizeof(text) - 1);
		(void)close(fd);
		if (bytes <= 0 || strncmp(text, "write back", 10) == 0) {
			return 0;
		}
		set_queue(dev, "write_cache", "write back");
	}
	return -EROFS;
}

static int check_binding(const struct bsr_loopdev *dev)
{
	struct loop_info64 info;
	if (ioctl(dev->loop_fd, LOOP_GET_STATUS64, &info) != 0) {
		return -errno;
	}
	if ((info.lo_flags & LO_FLAGS_DIRECT_IO) == 0) {
		return -EOPNOTSUPP; /* buffered, it could deadlock under memory pressure */
	}
	return make_sure_of_flushes(dev);
}

int bsr_loopdev_bind(struct bsr_loopdev *dev, const char *name, int *loop_index)
{
	BSR_ASSERT(dev->loop_fd < 0);
	int error = dev->image_fd < 0 ? open_image(dev) : 0;
	if (error == 0) {
		error = take_loop(dev, name);
	}
	if (error != 0) {
		return error;
	}
	error = check_binding(dev);
	if (error != 0) {
		(void)ioctl(dev->loop_fd, LOOP_CLR_FD);
		close_if_open(&dev->loop_fd);
		return error;
	}
	/* one request of the block layer is one of ours */
	set_queue(dev, "max_sectors_kb", "1024");
	*loop_index = dev->loop_index;
	return 0;
}

/* By the name that bsr_loopdev_bind() gave it: the number may belong to somebody else by now. */
static bool is_ours(int loop_fd, const char *name)
{
	struct loop_info64 info;
	return ioctl(loop_fd, LOOP_GET_STATUS64, &info) == 0 && (info.lo_flags & LO_FLAGS_AUTOCLEAR) != 0 &&
		strncmp((const char *)info.lo_file_name, name, sizeof(info.lo_file_name) - 1) == 0;
}

int bsr_loopdev_adopt(struct bsr_loopdev **dev, int fuse_fd, const char *name, int loop_index)
{
	const int loop_fd = open_loop_node(loop_index, O_RDWR);
	if (loop_fd < 0) {
		return loop_fd;
	}
	struct bsr_loopdev *d = is_ours(loop_fd, name) ? calloc(1, sizeof(*d)) : NULL;
	if (d == NULL) {
		(void)close(loop_fd);
		return -ENODEV;
	}
	*d = (struct bsr_loopdev){.fuse_fd = fuse_fd,
		.mount_fd = -1,
		.image_fd = -1,
		.loop_fd = loop_fd,
		.loop_index = loop_index,
		.block_bytes = 512};
	*dev = d;
	return 0;
}

int bsr_loopdev_resend(struct bsr_loopdev *dev)
{
	const struct fuse_out_header notification = {.len = sizeof(notification), .error = NOTIFY_RESEND, .unique = 0};
	ssize_t written;
	do {
		written = write(dev->fuse_fd, &notification, sizeof(notification));
	} while (written < 0 && errno == EINTR);
	if (written == (ssize_t)sizeof(notification)) {
		return 0;
	}
	return errno == EINVAL ? -EOPNOTSUPP : -errno;
}

int bsr_loopdev_resize(struct bsr_loopdev *dev, uint64_t size_bytes)
{
	if (dev->loop_fd < 0) {
		return -ENODEV;
	}
	if (dev->image_fd < 0) {
		return -EOPNOTSUPP; /* adopted: the image was the dead keeper's */
	}
	if (ftruncate(dev->image_fd, (off_t)size_bytes) != 0 || ioctl(dev->loop_fd, LOOP_SET_CAPACITY) != 0) {
		return -errno;
	}
	return 0;
}

/* ------------------------------------------------------------------ destroy */

/* The last close detaches, but something (udev, blkid) may just be looking at the device. */
static int wait_until_detached(int loop_index)
{
	const struct timespec pause = {.tv_nsec = 2000000};
	for (int ms = 0; ms < DETACH_WAIT_MS; ms += 2) {
		struct loop_info64 info;
		const int fd = open_loop_node(loop_index, O_RDONLY);
		if (fd < 0) {
			return fd == -ENOENT || fd == -ENXIO ? 0 : fd;
		}
		const bool bound = ioctl(fd, LOOP_GET_STATUS64, &info) == 0 || errno != ENXIO;
		(void)close(fd);
		if (!bound) {
			return 0;
		}
		(void)nanosleep(&pause, NULL);
	}
	return -ETIMEDOUT;
}

static int detach_loop(struct bsr_loopdev *dev, bool force)
{
	if (dev->loop_fd < 0) {
		return 0;
	}
	int claim_fd = -1;
	if (!force) {
		char text[256];
		if (bsr_loopdev_holders(dev, text, sizeof(text)) > 0) {
			return -EBUSY;
		}
		/* nobody mounts it from here on */
		claim_fd = open_loop_node(dev->loop_index, O_RDONLY | O_EXCL);
		if (claim_fd < 0) {
			return -EBUSY;
		}
	}
	/* what plain writers left in the cache */
	const int error = fsync(dev->loop_fd) == 0 ? 0 : -errno;
	(void)ioctl(dev->loop_fd, LOOP_CLR_FD); /* while others have it open: only marks it */
	close_if_open(&dev->loop_fd);
	close_if_open(&claim_fd);
	const int waited = force ? 0 : wait_until_detached(dev->loop_index);
	return waited != 0 ? waited : error;
}

int bsr_loopdev_destroy(struct bsr_loopdev *dev, bool force)
{
	const int error = detach_loop(dev, force);
	if (error == -EBUSY && dev->loop_fd >= 0) {
		return error;
	}
	close_if_open(&dev->image_fd);
	close_if_open(&dev->mount_fd);
	close_if_open(&dev->fuse_fd);
	free(dev);
	return error;
}

void bsr_loopdev_abandon(struct bsr_loopdev *dev)
{
	/* first: with the last one of these, whatever waits for an answer fails */
	close_if_open(&dev->fuse_fd);
	if (dev->loop_fd >= 0) {
		(void)ioctl(dev->loop_fd, LOOP_CLR_FD);
	}
	close_if_open(&dev->loop_fd);
	close_if_open(&dev->image_fd);
	close_if_open(&dev->mount_fd);
	free(dev);
}
