// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * engine_adopt.c - an engine process whose keeper was killed gets a new one
 *
 * Owns: copies of the descriptors that a keeper needs and that other modules use up, the socket
 *       where a new keeper knocks. The hand-over is that of a start, in the other direction
 *       (ipc.h).
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <bsr/assert.h>

#include "engine_process.h"
#include "flows_private.h"
#include "running.h"

struct bsrd_adopt {
	struct bsrd *d;
	struct bsr_watch watch; /* of the listening socket; armed while there is no keeper */
	int lifeline_read_fd;
	int control_fd;
	int nbd_fd;
	uint32_t listener_count;
	int listener_fd[FLOWS_LISTENERS_MAX];
	struct sockaddr_storage listener[FLOWS_LISTENERS_MAX];
	int channel_fd[BSR_VOLUMES_MAX]; /* -1 for none */
};

static int copy_of(int fd)
{
	int copy = fcntl(fd, F_DUPFD_CLOEXEC, 3);
	BSR_ASSERT(copy >= 0);
	return copy;
}

void bsrd_adopt_listener(struct bsrd *d, const struct sockaddr_storage *address, int fd)
{
	struct bsrd_adopt *a = d->adopt;
	BSR_ASSERT(a->listener_count < FLOWS_LISTENERS_MAX);
	a->listener[a->listener_count] = *address;
	a->listener_fd[a->listener_count++] = copy_of(fd);
}

void bsrd_adopt_no_listener(struct bsrd *d, const struct sockaddr_storage *address)
{
	struct bsrd_adopt *a = d->adopt;
	for (uint32_t i = 0; i < a->listener_count; i++) {
		if (memcmp(&a->listener[i], address, sizeof(*address)) == 0) {
			close(a->listener_fd[i]);
			a->listener_fd[i] = a->listener_fd[--a->listener_count];
			a->listener[i] = a->listener[a->listener_count];
			return;
		}
	}
}

void bsrd_adopt_channel(struct bsrd *d, uint32_t volume, int fd)
{
	int *place = &d->adopt->channel_fd[volume];
	if (*place >= 0) {
		close(*place);
	}
	*place = fd >= 0 ? copy_of(fd) : -1;
}

/* ----------------------------------------------------------------- hand-over */

static int give_hello(struct bsrd_adopt *a, int sock, struct bsrd_message *m)
{
	uint64_t bytes;
	int config_fd = bsrd_running_to_memfd(&a->d->running, &bytes);
	if (config_fd < 0) {
		return config_fd;
	}
	struct bsrd_fds fds = {.count = BSRD_ADOPT_FDS,
		.fd = {[BSRD_FD_LIFELINE_READ] = a->lifeline_read_fd,
			[BSRD_FD_CONTROL] = a->control_fd,
			[BSRD_FD_NBD] = a->nbd_fd,
			[BSRD_FD_CONFIG] = config_fd,
			[BSRD_FD_ADOPT] = a->watch.fd}};
	bsrd_message_init(m, BSRD_IPC_HELLO);
	m->arg[0] = a->d->generation;
	bsrd_message_set_text(m, a->d->running.resource);
	int error = bsrd_ipc_send(sock, m, &fds);
	close(config_fd);
	return error;
}

static int give_disk(struct bsrd *d, int sock, struct bsrd_message *m, uint32_t volume)
{
	const struct flow_volume *fv = &d->flows->volume[volume];
	struct bsrd_fds fds = {.count = 0};
	if (!bsrd_disk_fds(d, volume, &fds)) {
		return 0;
	}
	bsrd_message_init(m, BSRD_IPC_DISK);
	m->volume = volume;
	m->arg[0] = fv->data_bytes;
	m->arg[1] = fv->md_bytes;
	m->arg[2] = d->running.volume[volume].write_through;
	m->arg[3] = d->running.volume[volume].md_kind == BSR_MD_INDEXED;
	return bsrd_ipc_send(sock, m, &fds);
}

static int give_channel(struct bsrd_adopt *a, int sock, struct bsrd_message *m, uint32_t volume)
{
	const struct bsrd_volume *v = &a->d->running.volume[volume];
	struct bsrd_fds fds = {.count = 1, .fd = {a->channel_fd[volume]}};
	if (!v->has_device || a->channel_fd[volume] < 0) {
		return 0;
	}
	bsrd_message_init(m, BSRD_IPC_CHANNEL);
	m->volume = volume;
	m->arg[0] = v->device_bytes;
	bsrd_message_set_text(m, v->device_path);
	return bsrd_ipc_send(sock, m, &fds);
}

static int give_volume(struct bsrd_adopt *a, int sock, struct bsrd_message *m, uint32_t volume)
{
	const struct bsrd_volume *v = &a->d->running.volume[volume];
	if (!v->exists) {
		return 0;
	}
	bsrd_message_init(m, BSRD_IPC_VOLUME);
	m->volume = volume;
	m->arg[0] = v->minor;
	m->arg[1] = v->vnr;
	int error = bsrd_ipc_send(sock, m, NULL);
	if (error == 0) {
		error = give_disk(a->d, sock, m, volume);
	}
	return error == 0 ? give_channel(a, sock, m, volume) : error;
}

static int give_listener(struct bsrd_adopt *a, int sock, struct bsrd_message *m, uint32_t i)
{
	struct bsrd_fds fds = {.count = 1, .fd = {a->listener_fd[i]}};
	bsrd_message_init(m, BSRD_IPC_LISTENER);
	memcpy(m->text, &a->listener[i], sizeof(a->listener[i]));
	m->text_bytes = sizeof(a->listener[i]);
	return bsrd_ipc_send(sock, m, &fds);
}

static int give_all(struct bsrd_adopt *a, int sock, struct bsrd_message *m)
{
	int error = give_hello(a, sock, m);
	for (uint32_t i = 0; i < BSR_VOLUMES_MAX && error == 0; i++) {
		error = give_volume(a, sock, m, i);
	}
	for (uint32_t i = 0; i < a->listener_count && error == 0; i++) {
		error = give_listener(a, sock, m, i);
	}
	if (error == 0) {
		bsrd_message_init(m, BSRD_IPC_START);
		error = bsrd_ipc_send(sock, m, NULL);
	}
	return error;
}

/* A device that nobody held detached itself when the old keeper died. */
static void forget_ended_devices(struct bsrd *d)
{
	for (uint32_t i = 0; i < BSR_VOLUMES_MAX; i++) {
		if (d->running.volume[i].has_device && !bsr_fuse_serving(d->devices, i) &&
			d->flows->volume[i].channel_fd < 0) {
			flow_forget_device(d, i);
		}
	}
}

static void adopted_by(struct bsrd_adopt *a, int sock)
{
	struct bsrd *d = a->d;
	struct ucred caller;
	socklen_t bytes = sizeof(caller);
	struct timeval limit = {.tv_sec = BSRD_IPC_SEND_TIMEOUT_S};
	struct bsrd_message *m = malloc(sizeof(*m));
	BSR_ASSERT(m != NULL);
	forget_ended_devices(d);
	if (getsockopt(sock, SOL_SOCKET, SO_PEERCRED, &caller, &bytes) != 0 || caller.uid != 0 || d->going_down ||
		setsockopt(sock, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit)) != 0 || give_all(a, sock, m) != 0) {
		close(sock);
	} else if (bsrd_ipc_resume(d->ipc, sock) == 0) {
		bsr_loop_unwatch(d->loop, &a->watch);
		d->flows->check_devices = d->running.role == BSR_ROLE_PRIMARY;
		bsr_loop_again(d->loop);
	}
	free(m);
}

static void knock(struct bsr_watch *watch, uint32_t events)
{
	struct bsrd_adopt *a = (struct bsrd_adopt *)((char *)watch - offsetof(struct bsrd_adopt, watch));
	(void)events;
	int sock = accept4(watch->fd, NULL, NULL, SOCK_CLOEXEC);
	if (sock >= 0) {
		adopted_by(a, sock);
	}
}

void bsrd_adopt_wait(struct bsrd *d)
{
	int error = bsr_loop_watch(d->loop, &d->adopt->watch);
	if (error != 0) {
		bsr_log(BSR_LOGN_KEEPER_FAILED, "what=wait-for-keeper error=\"%s\"", strerror(-error));
	}
}

int bsrd_adopt_create(struct bsrd *d, const struct bsrd_fds *hello)
{
	struct bsrd_adopt *a = calloc(1, sizeof(*a));
	if (a == NULL) {
		return -ENOMEM;
	}
	a->d = d;
	a->watch = (struct bsr_watch){.fd = hello->fd[BSRD_FD_ADOPT], .events = POLLIN, .ready = knock};
	a->lifeline_read_fd = hello->fd[BSRD_FD_LIFELINE_READ];
	a->control_fd = copy_of(hello->fd[BSRD_FD_CONTROL]);
	a->nbd_fd = copy_of(hello->fd[BSRD_FD_NBD]);
	for (uint32_t i = 0; i < BSR_VOLUMES_MAX; i++) {
		a->channel_fd[i] = -1;
	}
	d->adopt = a;
	return 0;
}
