// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * keeper_adopt.c - a new keeper takes over an engine process whose keeper was killed
 *
 * Owns: the hand-over in this direction: the engine process gives back copies of what it was given,
 *       and what it has got since. It is not trusted more than usual: each descriptor is checked
 *       for what it should be.
 * Invariants:
 *   KA-1  The process that is watched is the one that holds the engine lock; its number comes from
 *         root's file.
 *   KA-2  A loop device is adopted only if it carries the name that only this resource's keeper
 *         gives.
 */
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <bsr/assert.h>

#include "keeper.h"

#define HANDOVER_TIMEOUT_S 5

static int connect_to_engine(const struct keeper *k)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	struct timeval limit = {.tv_sec = HANDOVER_TIMEOUT_S};
	char path[512];
	if (!keeper_file_path(k, ".adopt", path, sizeof(path)) || strlen(path) >= sizeof(address.sun_path)) {
		return -1;
	}
	memcpy(address.sun_path, path, strlen(path) + 1);
	int sock = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	if (sock < 0) {
		return -1;
	}
	setsockopt(sock, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	setsockopt(sock, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
	if (connect(sock, (struct sockaddr *)&address, sizeof(address)) != 0) {
		close(sock);
		return -1;
	}
	return sock;
}

static mode_t type_of(int fd)
{
	struct stat st;
	return fstat(fd, &st) == 0 ? st.st_mode & S_IFMT : 0;
}

static bool take_hello(struct keeper *k, const struct bsrd_message *m, struct bsrd_fds *fds)
{
	if (m->type != BSRD_IPC_HELLO || fds->count != BSRD_ADOPT_FDS || strcmp(m->text, k->resource) != 0 ||
		type_of(fds->fd[BSRD_FD_LIFELINE_READ]) != S_IFIFO ||
		type_of(fds->fd[BSRD_FD_CONTROL]) != S_IFSOCK || type_of(fds->fd[BSRD_FD_NBD]) != S_IFSOCK ||
		type_of(fds->fd[BSRD_FD_CONFIG]) != S_IFREG || type_of(fds->fd[BSRD_FD_ADOPT]) != S_IFSOCK) {
		return false;
	}
	k->generation = m->arg[0];
	k->lifeline_fd = fds->fd[BSRD_FD_LIFELINE_READ];
	k->control_fd = fds->fd[BSRD_FD_CONTROL];
	k->nbd_fd = fds->fd[BSRD_FD_NBD];
	k->config_fd = fds->fd[BSRD_FD_CONFIG];
	k->adopt_fd = fds->fd[BSRD_FD_ADOPT];
	fds->count = 0;
	return true;
}

static void take_volume(struct keeper *k, const struct bsrd_message *m)
{
	struct keeper_volume *volume = &k->volume[m->volume];
	char why[300];
	if (volume->claimed || m->arg[0] >= (1u << 20) || m->arg[1] > BSR_VNR_MAX) {
		return;
	}
	int fd = keeper_minor_claim(k, (uint32_t)m->arg[0], why, sizeof(why));
	if (fd < 0) {
		bsr_log(BSR_LOGN_KEEPER_FAILED, "what=adopt-minor minor=%u why=\"%s\"", (unsigned)m->arg[0], why);
		return;
	}
	volume->claimed = true;
	volume->claim_fd = fd;
	volume->minor = (uint32_t)m->arg[0];
	volume->vnr = (uint32_t)m->arg[1];
}

/*
 * The claim lives in the descriptor itself; only the lock that tools look at was the dead keeper's.
 */
static void take_disk(struct keeper *k, const struct bsrd_message *m, struct bsrd_fds *fds)
{
	struct keeper_volume *volume = &k->volume[m->volume];
	if (volume->disk.open || fds->count == 0 || fds->count > 2) {
		return;
	}
	int lock_fd = keeper_lock_attached(volume->minor);
	if (lock_fd < 0) {
		bsr_log(BSR_LOGN_KEEPER_FAILED, "what=adopt-lock minor=%u error=\"%s\"", (unsigned)volume->minor,
			strerror(-lock_fd));
	}
	volume->disk = (struct keeper_disk){.open = true,
		.write_through = m->arg[2] != 0,
		.md_shared = m->arg[3] != 0,
		.data_fd = fds->fd[0],
		.md_fd = fds->count == 2 ? fds->fd[1] : fds->fd[0],
		.lock_fd = lock_fd,
		.data_bytes = m->arg[0],
		.md_bytes = m->arg[1]};
	fds->count = 0;
}

static void take_channel(struct keeper *k, const struct bsrd_message *m, struct bsrd_fds *fds)
{
	struct keeper_volume *volume = &k->volume[m->volume];
	struct keeper_device *device = &volume->device;
	char name[BSR_NAME_BYTES_MAX + 16];
	unsigned index = 0;
	if (device->loopdev != NULL || fds->count != 1 || type_of(fds->fd[0]) != S_IFCHR ||
		sscanf(m->text, "/dev/loop%u", &index) != 1) {
		return;
	}
	snprintf(name, sizeof(name), "%s-%u", k->resource, (unsigned)volume->vnr);
	int copy = keeper_channel_copy(fds->fd[0]);
	int error = copy < 0 ? copy : bsr_loopdev_adopt(&device->loopdev, fds->fd[0], name, (int)index);
	if (error != 0) {
		device->loopdev = NULL;
		volume->device_lost = true;
		bsr_log(BSR_LOGN_DEVICE_FAILED, "volume=%u what=adopt device=%s error=\"%s\"", (unsigned)volume->vnr,
			m->text, strerror(-error));
		if (copy >= 0) {
			close(copy);
		}
		return;
	}
	fds->count = 0;
	device->channel_fd = copy;
	device->bytes = m->arg[0];
	device->linked = true;
	snprintf(device->path, sizeof(device->path), "/dev/loop%u", index);
}

static void take_listener(struct keeper *k, const struct bsrd_message *m, struct bsrd_fds *fds)
{
	if (k->listener_count == KEEPER_LISTENERS_MAX || fds->count != 1 ||
		m->text_bytes != sizeof(struct sockaddr_storage) || type_of(fds->fd[0]) != S_IFSOCK) {
		return;
	}
	struct keeper_listener *l = &k->listener[k->listener_count++];
	memcpy(&l->address, m->text, sizeof(l->address));
	l->address_bytes = l->address.ss_family == AF_INET6 ? sizeof(struct sockaddr_in6) : sizeof(struct sockaddr_in);
	l->fd = fds->fd[0];
	fds->count = 0;
}

static bool take(struct keeper *k, const struct bsrd_message *m, struct bsrd_fds *fds)
{
	if (m->volume >= BSR_VOLUMES_MAX) {
		return false;
	}
	bool known = m->type == BSRD_IPC_VOLUME || k->volume[m->volume].claimed;
	if (m->type == BSRD_IPC_VOLUME) {
		take_volume(k, m);
	} else if (m->type == BSRD_IPC_DISK && known) {
		take_disk(k, m, fds);
	} else if (m->type == BSRD_IPC_CHANNEL && known) {
		take_channel(k, m, fds);
	} else if (m->type == BSRD_IPC_LISTENER) {
		take_listener(k, m, fds);
	} else {
		return false;
	}
	bsrd_fds_close(fds);
	return true;
}

static bool receive_all(struct keeper *k, int sock)
{
	static struct bsrd_message m; /* large */
	struct bsrd_fds fds;
	if (bsrd_ipc_receive(sock, &m, &fds, true) != 1) {
		return false;
	}
	if (!take_hello(k, &m, &fds)) {
		bsrd_fds_close(&fds);
		return false;
	}
	while (bsrd_ipc_receive(sock, &m, &fds, true) == 1) {
		if (m.type == BSRD_IPC_START) {
			bsrd_fds_close(&fds);
			return true;
		}
		if (!take(k, &m, &fds)) {
			bsrd_fds_close(&fds);
			bsr_log(BSR_LOGN_REQUEST_REFUSED, "why=\"unusable hand-over\" type=%u", (unsigned)m.type);
		}
	}
	return false;
}

static void close_and_forget(int *fd)
{
	if (*fd >= 0) {
		close(*fd);
		*fd = -1;
	}
}

/*
 * A hand-over that broke off: nothing of it may be left, above all no claim, when the next try or a
 * plain start follows.
 */
static void undo(struct keeper *k)
{
	int *const fds[] = {&k->lifeline_fd, &k->control_fd, &k->nbd_fd, &k->config_fd, &k->adopt_fd, &k->engine_pidfd};
	for (size_t i = 0; i < sizeof(fds) / sizeof(fds[0]); i++) {
		close_and_forget(fds[i]);
	}
	while (k->listener_count > 0) {
		close(k->listener[--k->listener_count].fd);
	}
	for (uint32_t i = 0; i < BSR_VOLUMES_MAX; i++) {
		struct keeper_volume *volume = &k->volume[i];
		keeper_disk_close(&volume->disk);
		if (volume->device.loopdev != NULL) {
			/*
			 * the device itself belongs to who uses it; what we hold of it goes with
			 * this process
			 */
			close_and_forget(&volume->device.channel_fd);
			volume->device = (struct keeper_device){.channel_fd = -1};
		}
		if (volume->claimed) {
			keeper_minor_free(volume->minor, volume->claim_fd);
			volume->claimed = false;
		}
		volume->device_lost = false;
	}
	k->generation = 0;
}

/* Devices that have ended meanwhile: the engine process makes them anew. */
static void tell_lost(struct keeper *k)
{
	for (uint32_t i = 0; i < BSR_VOLUMES_MAX; i++) {
		struct bsrd_message m;
		if (!k->volume[i].device_lost) {
			continue;
		}
		k->volume[i].device_lost = false;
		bsrd_message_init(&m, BSRD_IPC_CHANNEL);
		m.volume = i;
		m.error = -BSR_E_UNSUPPORTED;
		bsrd_message_set_text(&m, "");
		keeper_answer(k, &m, NULL);
	}
}

bool keeper_adopt(struct keeper *k)
{
	int sock = connect_to_engine(k);
	if (sock < 0) {
		return false;
	}
	k->engine_pid = (pid_t)keeper_engine_pid(k);
	k->engine_pidfd = k->engine_pid > 1 ? keeper_pidfd(k->engine_pid) : -1;
	int lock_fd = keeper_engine_lock(k);
	if (lock_fd >= 0 || k->engine_pidfd < 0 || !receive_all(k, sock)) {
		/* it has ended meanwhile, or ends now: it sees that nobody listens any more */
		close(sock);
		close_and_forget(&lock_fd);
		undo(k);
		return false;
	}
	k->engine_sock = sock;
	k->adopted = true;
	k->ready = true;
	k->phase = KEEPER_RUNNING;
	k->started_ns = keeper_now_ns();
	bsr_log(BSR_LOGN_ENGINE_ADOPTED, "generation=%llu pid=%ld", (unsigned long long)k->generation,
		(long)k->engine_pid);
	const int log_fd = k->log_path[0] != '\0' ? dup(STDERR_FILENO) : -1;
	keeper_log_send(k, log_fd); /* ours, not the dead keeper's */
	close_and_forget(&(int){log_fd});
	tell_lost(k);
	return true;
}
