// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * keeper_jobs.c - requests that may block, each in a thread: disks, and the application device of a
 * Primary
 *
 * Owns: the hand-over between the keeper's thread and job threads.
 * Invariants:
 *   KJ-1  A job works on its own copy of the volume; the keeper's copy is replaced when the job has
 *         come back.
 *   KJ-2  While a volume is busy nothing else touches its disk or device; requests for it wait in
 *         order.
 *   KJ-3  Creating a device waits for the engine process to answer; the keeper's thread stays free,
 *         so that an engine process that dies meanwhile is restarted, gets the channel, and
 *         answers.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <bsr/assert.h>

#include "keeper.h"

static void post(struct keeper_job *job)
{
	/* one pointer is written as a whole; the keeper reads it while it lives */
	ssize_t bytes;
	do {
		bytes = write(job->keeper->job_pipe[1], &job, sizeof(struct keeper_job *));
	} while (bytes < 0 && errno == EINTR);
	BSR_ASSERT(bytes == (ssize_t)sizeof(struct keeper_job *));
}

static void device_failed(struct keeper_job *job, const char *what, int error)
{
	char text[400];
	snprintf(text, sizeof(text), "volume %u: no block device: %s: %s; the NBD socket works without",
		(unsigned)job->volume.vnr, what, strerror(-error));
	bsrd_message_set_text(&job->message, text);
	job->message.error = -BSR_E_UNSUPPORTED;
	bsr_log(BSR_LOGN_DEVICE_FAILED, "volume=%u minor=%u what=\"%s\" error=\"%s\"", (unsigned)job->volume.vnr,
		(unsigned)job->volume.minor, what, strerror(-error));
}

/* The channel was made and given to the engine process before the thread began (create_channel). */
static void device_bind(struct keeper_job *job)
{
	struct keeper_device *device = &job->volume.device;
	char name[BSR_NAME_BYTES_MAX + 16];
	int loop_index;
	snprintf(name, sizeof(name), "%s-%u", job->keeper->resource, (unsigned)job->volume.vnr);
	int error = bsr_loopdev_bind(device->loopdev, name, &loop_index);
	if (error == 0) {
		snprintf(device->path, sizeof(device->path), "/dev/loop%d", loop_index);
		error = bsr_device_link(job->volume.minor, job->keeper->resource, job->volume.vnr, device->path);
		device->linked = error == 0;
	}
	if (error != 0) {
		device_failed(job, device->path[0] == '\0' ? "loop device" : "links in /dev", error);
		bsr_loopdev_destroy(device->loopdev, true);
		close(device->channel_fd);
		*device = (struct keeper_device){.channel_fd = -1};
		return;
	}
	bsrd_message_set_text(&job->message, device->path);
	bsr_log(BSR_LOGN_DEVICE_CREATED, "volume=%u minor=%u device=%s size_bytes=%llu", (unsigned)job->volume.vnr,
		(unsigned)job->volume.minor, device->path, (unsigned long long)device->bytes);
}

/* All ends of the channel are closed: what its holders ask for, now and later, fails; the loop device goes with its last user. */
static int take_away(struct keeper_job *job)
{
	struct keeper_device *device = &job->volume.device;
	char text[120];
	close(device->channel_fd);
	device->channel_fd = -1;
	bsr_loopdev_abandon(device->loopdev);
	snprintf(text, sizeof(text), "I/O on %s fails from now on; unmount or close it", device->path);
	bsrd_message_set_text(&job->message, text);
	return 0;
}

static void device_remove(struct keeper_job *job)
{
	struct keeper_device *device = &job->volume.device;
	char holders[BSRD_IPC_TEXT_MAX / 4];
	if (device->loopdev == NULL) {
		return;
	}
	const bool force = job->message.arg[0] != 0;
	/* its server is gone when it is forced: looking at it may wait for ever */
	if (!force && bsr_loopdev_holders(device->loopdev, holders, sizeof(holders)) > 0) {
		bsrd_message_set_text(&job->message, holders);
		job->message.error = -BSR_E_DEVICE_OPEN;
		return;
	}
	int error = force ? take_away(job) : bsr_loopdev_destroy(device->loopdev, false);
	if (error == -EBUSY) {
		/* somebody has opened it since; name them if they can be seen */
		if (bsr_loopdev_holders(device->loopdev, holders, sizeof(holders)) <= 0) {
			snprintf(holders, sizeof(holders), "%s: %s", device->path, strerror(-error));
		}
		bsrd_message_set_text(&job->message, holders);
		job->message.error = -BSR_E_DEVICE_OPEN;
		return;
	}
	if (device->linked) {
		bsr_device_unlink(job->volume.minor, job->keeper->resource, job->volume.vnr);
	}
	bsr_log(BSR_LOGN_DEVICE_REMOVED, "volume=%u minor=%u device=%s%s%s", (unsigned)job->volume.vnr,
		(unsigned)job->volume.minor, device->path, error != 0 ? " error=" : "",
		error != 0 ? strerror(-error) : "");
	if (device->channel_fd >= 0) {
		close(device->channel_fd);
	}
	*device = (struct keeper_device){.channel_fd = -1};
}

static void device_resize(struct keeper_job *job)
{
	struct keeper_device *device = &job->volume.device;
	if (device->loopdev == NULL) {
		return;
	}
	int error = bsr_loopdev_resize(device->loopdev, job->message.arg[0]);
	if (error != 0) {
		device_failed(job, "new size", error);
		return;
	}
	device->bytes = job->message.arg[0];
}

static void device_holders(struct keeper_job *job)
{
	char holders[BSRD_IPC_TEXT_MAX / 4] = "";
	if (job->volume.device.loopdev != NULL) {
		bsr_loopdev_holders(job->volume.device.loopdev, holders, sizeof(holders));
	}
	bsrd_message_set_text(&job->message, holders);
}

static void *job_main(void *arg)
{
	struct keeper_job *job = arg;
	switch (job->message.type) {
	case BSRD_IPC_OPEN_DISK:
		keeper_disk_open(job);
		break;
	case BSRD_IPC_CLOSE_DISK:
		bsr_log(BSR_LOGN_DISK_RELEASED, "volume=%u minor=%u", (unsigned)job->volume.vnr,
			(unsigned)job->volume.minor);
		keeper_disk_close(&job->volume.disk);
		break;
	case BSRD_IPC_CREATE_DEVICE:
		device_bind(job);
		break;
	case BSRD_IPC_REMOVE_DEVICE:
		device_remove(job);
		break;
	case BSRD_IPC_RESIZE_DEVICE:
		device_resize(job);
		break;
	case BSRD_IPC_HOLDERS:
		device_holders(job);
		break;
	default:
		/* keeper_dispatch() lets no other through */
		BSR_ASSERT(job->message.type == BSRD_IPC_OPEN_DISK);
	}
	post(job);
	return NULL;
}

/*
 * When a process ends, its files are let go of in the reverse order of their numbers. Letting go of
 * the loop device waits for its I/O; with nobody left to serve it, only the end of the channel ends that I/O.
 * So the channel has to go first: else a killed keeper hangs for ever, and every sync(2) of the host with it.
 */
int keeper_channel_copy(int fd)
{
	static const int numbers[] = {32768, 896, 3}; /* as high as the limit of open files allows */
	int copy = -EMFILE;
	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]) && copy < 0; i++) {
		copy = fcntl(fd, F_DUPFD_CLOEXEC, numbers[i]);
		copy = copy < 0 ? -errno : copy;
	}
	return copy;
}

/*
 * The engine process must serve the channel before bind opens the image, so this half runs before
 * the thread.
 */
static bool create_channel(struct keeper *k, struct keeper_job *job)
{
	struct keeper_device *device = &job->volume.device;
	int fuse_fd = -1;
	int error = bsr_loopdev_create(&device->loopdev, &fuse_fd);
	if (error != 0) {
		device->loopdev = NULL;
		device_failed(job, "FUSE channel", error);
		return false;
	}
	device->channel_fd = keeper_channel_copy(fuse_fd);
	BSR_ASSERT(device->channel_fd >= 0);
	device->bytes = job->message.arg[0];
	struct keeper_volume *volume = &k->volume[job->message.volume];
	volume->device = *device; /* a restart meanwhile hands it to the next engine process */
	struct bsrd_message m;
	struct bsrd_fds fds = {.count = 1, .fd = {device->channel_fd}};
	bsrd_message_init(&m, BSRD_IPC_CHANNEL);
	m.volume = job->message.volume;
	m.arg[0] = device->bytes;
	bsrd_message_set_text(&m, "");
	keeper_answer(k, &m, &fds);
	return true;
}

/* Who asked is dead. The next one was told at its start what there was; this changes it. */
static void tell_successor(struct keeper *k, struct keeper_job *job)
{
	struct keeper_volume *volume = &k->volume[job->message.volume];
	struct bsrd_message m;
	if (job->message.type == BSRD_IPC_OPEN_DISK) {
		keeper_disk_close(&volume->disk);
		return;
	}
	if (job->message.type != BSRD_IPC_CREATE_DEVICE && job->message.type != BSRD_IPC_REMOVE_DEVICE) {
		return;
	}
	bsrd_message_init(&m, BSRD_IPC_CHANNEL);
	m.volume = job->message.volume;
	m.error = volume->device.loopdev == NULL ? -BSR_E_UNSUPPORTED : 0;
	m.arg[0] = volume->device.bytes;
	bsrd_message_set_text(&m, volume->device.path);
	keeper_answer(k, &m, NULL);
}

static void answer_job(struct keeper *k, struct keeper_job *job)
{
	struct bsrd_fds fds = {.count = 0};
	const struct keeper_disk *disk = &job->volume.disk;
	if (job->generation != k->generation) {
		tell_successor(k, job);
		return;
	}
	if (job->message.type == BSRD_IPC_OPEN_DISK && job->message.error == 0) {
		job->message.arg[0] = disk->data_bytes;
		job->message.arg[1] = disk->md_bytes;
		job->message.arg[2] = disk->write_through;
		job->message.arg[3] = disk->slot_bytes >> 20;
		fds.fd[fds.count++] = disk->data_fd;
		if (disk->md_fd != disk->data_fd) {
			fds.fd[fds.count++] = disk->md_fd;
		}
		bsrd_message_set_text(&job->message, "");
	}
	job->message.type = BSRD_IPC_ANSWER;
	keeper_answer(k, &job->message, &fds);
}

static void job_free(struct keeper_job *job)
{
	bsrd_fds_close(&job->fds);
	free(job);
}

static void refuse_start(struct keeper *k, struct keeper_job *job, int error, const char *text)
{
	job->message.error = error;
	if (text != NULL) {
		bsrd_message_set_text(&job->message, text);
	}
	job->message.type = BSRD_IPC_ANSWER;
	keeper_answer(k, &job->message, NULL);
	job_free(job);
}

static bool start_thread(struct keeper_job *job)
{
	pthread_t thread;
	pthread_attr_t attr;
	sigset_t all, old;
	sigfillset(&all);
	pthread_attr_init(&attr);
	pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	pthread_attr_setstacksize(&attr, 256u << 10);
	pthread_sigmask(SIG_SETMASK, &all, &old); /* signals belong to the keeper's signalfd */
	int error = pthread_create(&thread, &attr, job_main, job);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	pthread_attr_destroy(&attr);
	return error == 0;
}

/* The volume is free: the thread begins, or the request is answered at once. */
static void job_begin(struct keeper *k, struct keeper_job *job)
{
	struct keeper_volume *volume = &k->volume[job->message.volume];
	BSR_ASSERT(!volume->busy);
	job->generation = k->generation;
	job->volume = *volume;
	if (job->message.type == BSRD_IPC_OPEN_DISK && volume->disk.open) {
		refuse_start(k, job, -BSR_E_DISK_CONFIGURED, "a disk is open for this volume already");
		return;
	}
	if (job->message.type == BSRD_IPC_CREATE_DEVICE) {
		if (volume->device.loopdev != NULL) {
			refuse_start(k, job, -BSR_E_MINOR_EXISTS, "the device is there already");
			return;
		}
		if (!create_channel(k, job)) {
			refuse_start(k, job, job->message.error, NULL);
			return;
		}
	}
	if (!start_thread(job)) {
		refuse_start(k, job, -BSR_E_NO_MEMORY, "no thread could be started");
		return;
	}
	volume->busy = true;
}

bool keeper_job_start(struct keeper *k, const struct bsrd_message *request, struct bsrd_fds *fds)
{
	struct keeper_volume *volume = &k->volume[request->volume];
	if (volume->busy && volume->waiting_count == KEEPER_WAITING_MAX) {
		return false;
	}
	struct keeper_job *job = calloc(1, sizeof(*job));
	BSR_ASSERT(job != NULL);
	job->keeper = k;
	memcpy(&job->message, request, sizeof(job->message));
	if (fds != NULL) {
		job->fds = *fds;
		fds->count = 0;
	}
	if (volume->busy) {
		volume->waiting[volume->waiting_count++] = job;
	} else {
		job_begin(k, job);
	}
	return true;
}

static void start_next(struct keeper *k, struct keeper_volume *volume)
{
	while (volume->waiting_count > 0 && !volume->busy) {
		struct keeper_job *next = volume->waiting[0];
		volume->waiting_count--;
		memmove(volume->waiting, volume->waiting + 1, volume->waiting_count * sizeof(struct keeper_job *));
		job_begin(k, next);
	}
}

void keeper_job_done(struct keeper *k)
{
	struct keeper_job *job;
	while (read(k->job_pipe[0], &job, sizeof(job)) == (ssize_t)sizeof(job)) {
		struct keeper_volume *volume = &k->volume[job->message.volume];
		BSR_ASSERT(volume->busy);
		volume->busy = false;
		volume->disk = job->volume.disk;
		volume->device = job->volume.device;
		answer_job(k, job);
		job_free(job);
		start_next(k, volume);
	}
}

/*
 * keeper_resend - requests that the dead engine process has read and not answered come again to the
 * next one. Written to the keeper's own copy of the channel, because a job thread may be using (or
 * ending) the device right now.
 */
bool keeper_resend(struct keeper *k)
{
	static const struct {
		uint32_t length;
		int32_t code;
		uint64_t unique;
	} resend = {16, 7, 0}; /* FUSE_NOTIFY_RESEND; absent from headers before 7.40 */
	bool all = true;
	for (uint32_t i = 0; i < BSR_VOLUMES_MAX; i++) {
		const struct keeper_device *device = &k->volume[i].device;
		if (device->loopdev == NULL || write(device->channel_fd, &resend, sizeof(resend)) >= 0) {
			continue;
		}
		if (errno == ENODEV || errno == EPERM || errno == ENOTCONN) {
			continue; /* not mounted yet, or gone: there is nothing to resend */
		}
		bsr_log(BSR_LOGN_RESEND_REFUSED, "volume=%u error=\"%s\"", (unsigned)k->volume[i].vnr, strerror(errno));
		all = false;
	}
	return all;
}

/* keeper_jobs_forget - requests of a dead engine process that have not begun */
void keeper_jobs_forget(struct keeper *k)
{
	for (uint32_t i = 0; i < BSR_VOLUMES_MAX; i++) {
		struct keeper_volume *volume = &k->volume[i];
		while (volume->waiting_count > 0) {
			job_free(volume->waiting[--volume->waiting_count]);
		}
	}
}

bool keeper_device_bound(const struct keeper *k)
{
	for (uint32_t i = 0; i < BSR_VOLUMES_MAX; i++) {
		if (k->volume[i].device.loopdev != NULL) {
			return true;
		}
	}
	return false;
}
