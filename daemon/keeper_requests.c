// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * keeper_requests.c - what the engine process asks for, checked as if it came from an enemy, and
 * what it begins with
 *
 * Owns: the checks. A request that does not pass them is answered with an error and logged; it
 *       never stops the keeper.
 */
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <bsr/assert.h>
#include <bsr/bytes.h>

#include "keeper.h"

#define CONFIG_BYTES_MAX (16u << 20)

static void answer(struct keeper *k, const struct bsrd_message *request, int error, const char *text)
{
	struct bsrd_message m;
	bsrd_message_init(&m, BSRD_IPC_ANSWER);
	m.request = request->request;
	m.volume = request->volume;
	m.error = error;
	bsrd_message_set_text(&m, text);
	keeper_answer(k, &m, NULL);
}

static void refuse(struct keeper *k, const struct bsrd_message *request, const char *why)
{
	bsr_log(BSR_LOGN_REQUEST_REFUSED, "type=%u volume=%u why=\"%s\"", (unsigned)request->type,
		(unsigned)request->volume, why);
	answer(k, request, -BSR_E_INVALID_REQUEST, why);
}

static void claim_minor(struct keeper *k, const struct bsrd_message *m)
{
	struct keeper_volume *volume = &k->volume[m->volume];
	char why[400] = "";
	if (m->arg[0] >= (1u << 20) || m->arg[1] > BSR_VNR_MAX || volume->claimed) {
		refuse(k, m, "minor or volume number out of range, or volume in use");
		return;
	}
	int fd = keeper_minor_claim(k, (uint32_t)m->arg[0], why, sizeof(why));
	if (fd >= 0) {
		volume->claimed = true;
		volume->claim_fd = fd;
		volume->minor = (uint32_t)m->arg[0];
		volume->vnr = (uint32_t)m->arg[1];
	}
	answer(k, m, fd >= 0 ? 0 : fd, why);
}

static void free_minor(struct keeper *k, const struct bsrd_message *m)
{
	struct keeper_volume *volume = &k->volume[m->volume];
	if (!volume->claimed || volume->busy || volume->disk.open || volume->device.loopdev != NULL) {
		refuse(k, m, "the volume is in use");
		return;
	}
	keeper_minor_free(volume->minor, volume->claim_fd);
	volume->claimed = false;
	answer(k, m, 0, "");
}

/* Two strings, each ended by a zero, and nothing behind. */
static bool two_paths(const struct bsrd_message *m)
{
	size_t first = strnlen(m->text, m->text_bytes);
	if (first == m->text_bytes) {
		return false;
	}
	size_t second = strnlen(m->text + first + 1, m->text_bytes - first - 1);
	return first + second + 2 == m->text_bytes && first <= 4095 && second <= 4095;
}

/*
 * Which disk it is, is in the descriptors: the administrator's program opened them by name only
 * (O_PATH) and the engine process, which cannot open anything, has handed them on. The paths are
 * for messages.
 */
static void open_disk(struct keeper *k, const struct bsrd_message *m, struct bsrd_fds *fds)
{
	if (!two_paths(m) || (fds->count != 0 && fds->count != BSRD_DISK_FDS) || m->arg[0] > BSR_MD_INDEXED ||
		m->arg[1] > UINT8_MAX) {
		refuse(k, m, "bad description of a disk");
		return;
	}
	if (!keeper_job_start(k, m, fds)) {
		refuse(k, m, "too many requests wait for this volume");
	}
}

static void device_job(struct keeper *k, const struct bsrd_message *m)
{
	bool sized = m->type == BSRD_IPC_CREATE_DEVICE || m->type == BSRD_IPC_RESIZE_DEVICE;
	if (sized && (m->arg[0] == 0 || m->arg[0] > BSR_VOLUME_BYTES_MAX || m->arg[0] % BSR_SECTOR_BYTES != 0)) {
		refuse(k, m, "bad size of a device");
	} else if (!keeper_job_start(k, m, NULL)) {
		refuse(k, m, "too many requests wait for this volume");
	}
}

static void listen_request(struct keeper *k, const struct bsrd_message *m)
{
	struct sockaddr_storage address;
	char why[300] = "";
	if (m->text_bytes != sizeof(address)) {
		refuse(k, m, "bad address");
		return;
	}
	memcpy(&address, m->text, sizeof(address));
	int fd = keeper_listen(k, &address, why, sizeof(why));
	if (fd < 0) {
		bsr_log(BSR_LOGN_LISTEN_REFUSED, "why=\"%s\"", why);
		answer(k, m, fd, why);
		return;
	}
	struct bsrd_message ok;
	struct bsrd_fds fds = {.count = 1, .fd = {fd}};
	bsrd_message_init(&ok, BSRD_IPC_ANSWER);
	ok.request = m->request;
	bsrd_message_set_text(&ok, "");
	keeper_answer(k, &ok, &fds);
}

static void unlisten(struct keeper *k, const struct bsrd_message *m)
{
	struct sockaddr_storage address;
	if (m->text_bytes != sizeof(address)) {
		refuse(k, m, "bad address");
		return;
	}
	memcpy(&address, m->text, sizeof(address));
	keeper_unlisten(k, &address);
}

static void new_config(struct keeper *k, struct bsrd_fds *fds)
{
	struct stat st;
	if (fds->count != 1 || fstat(fds->fd[0], &st) != 0 || !S_ISREG(st.st_mode) ||
		st.st_size > (off_t)CONFIG_BYTES_MAX) {
		bsr_log(BSR_LOGN_REQUEST_REFUSED, "type=config why=\"not a small memfd\"");
		return;
	}
	close(k->config_fd);
	k->config_fd = fds->fd[0];
	fds->count = 0;
}

static void engine_ready(struct keeper *k, const struct bsrd_message *m)
{
	k->ready = true;
	bsr_log(BSR_LOGN_ENGINE_READY, "generation=%llu pid=%ld pause_ms=%llu", (unsigned long long)k->generation,
		(long)k->engine_pid,
		(unsigned long long)(k->died_ns == 0 ? 0 : (keeper_now_ns() - k->died_ns) / 1000000u));
	if (m->error == 0) {
		keeper_report(k, 0, "");
	}
	if (k->stop_wanted) {
		struct bsrd_message stop;
		bsrd_message_init(&stop, BSRD_IPC_STOP);
		keeper_answer(k, &stop, NULL);
		k->stop_wanted = false;
	}
}

static void dispatch_checked(struct keeper *k, struct bsrd_message *m, struct bsrd_fds *fds)
{
	switch ((enum bsrd_ipc_type)m->type) {
	case BSRD_IPC_CLAIM_MINOR:
		claim_minor(k, m);
		break;
	case BSRD_IPC_FREE_MINOR:
		free_minor(k, m);
		break;
	case BSRD_IPC_OPEN_DISK:
		open_disk(k, m, fds);
		break;
	case BSRD_IPC_CLOSE_DISK:
	case BSRD_IPC_CREATE_DEVICE:
	case BSRD_IPC_REMOVE_DEVICE:
	case BSRD_IPC_RESIZE_DEVICE:
	case BSRD_IPC_HOLDERS:
		device_job(k, m);
		break;
	case BSRD_IPC_LISTEN:
		listen_request(k, m);
		break;
	case BSRD_IPC_UNLISTEN:
		unlisten(k, m);
		break;
	case BSRD_IPC_HANDLER:
		keeper_handler_start(k, m);
		break;
	case BSRD_IPC_CONFIG:
		new_config(k, fds);
		break;
	case BSRD_IPC_READY:
		engine_ready(k, m);
		break;
	case BSRD_IPC_GONE:
		k->gone = true;
		break;
	case BSRD_IPC_LOG_FULL:
		k->log_full = true; /* keeper_log_turn() */
		break;
	case BSRD_IPC_SETTINGS:
		if (!keeper_log_settings(k, m)) {
			refuse(k, m, "settings out of range");
		}
		break;
	case BSRD_IPC_LOG:
	case BSRD_IPC_HELLO:
	case BSRD_IPC_LISTENER:
	case BSRD_IPC_DISK:
	case BSRD_IPC_CHANNEL:
	case BSRD_IPC_START:
	case BSRD_IPC_VOLUME:
	case BSRD_IPC_ANSWER:
	case BSRD_IPC_STOP:
		refuse(k, m, "not a request");
		break;
	}
}

void keeper_dispatch(struct keeper *k, struct bsrd_message *m, struct bsrd_fds *fds)
{
	bool of_volume = m->type >= BSRD_IPC_CLAIM_MINOR && m->type <= BSRD_IPC_HOLDERS;
	if (of_volume && m->volume >= BSR_VOLUMES_MAX) {
		refuse(k, m, "no such volume");
	} else if (of_volume && m->type != BSRD_IPC_CLAIM_MINOR && !k->volume[m->volume].claimed) {
		refuse(k, m, "the volume has no minor");
	} else {
		dispatch_checked(k, m, fds);
	}
	bsrd_fds_close(fds);
}

/* ------------------------------------------------- the start of a generation */

static int send_disk(struct keeper *k, uint32_t index)
{
	const struct keeper_disk *disk = &k->volume[index].disk;
	struct bsrd_message m;
	struct bsrd_fds fds = {.count = 1, .fd = {disk->data_fd}};
	bsrd_message_init(&m, BSRD_IPC_DISK);
	m.volume = index;
	m.arg[0] = disk->data_bytes;
	m.arg[1] = disk->md_bytes;
	m.arg[2] = disk->write_through;
	if (disk->md_fd != disk->data_fd) {
		fds.fd[fds.count++] = disk->md_fd;
	}
	return bsrd_ipc_send(k->engine_sock, &m, &fds);
}

static int send_channel(struct keeper *k, uint32_t index)
{
	const struct keeper_device *device = &k->volume[index].device;
	struct bsrd_message m;
	struct bsrd_fds fds = {.count = 1, .fd = {device->channel_fd}};
	bsrd_message_init(&m, BSRD_IPC_CHANNEL);
	m.volume = index;
	m.arg[0] = device->bytes;
	bsrd_message_set_text(&m, device->path);
	return bsrd_ipc_send(k->engine_sock, &m, &fds);
}

static int send_listener(struct keeper *k, const struct keeper_listener *l)
{
	struct bsrd_message m;
	struct bsrd_fds fds = {.count = 1, .fd = {l->fd}};
	bsrd_message_init(&m, BSRD_IPC_LISTENER);
	memcpy(m.text, &l->address, sizeof(l->address));
	m.text_bytes = sizeof(l->address);
	return bsrd_ipc_send(k->engine_sock, &m, &fds);
}

static int send_hello(struct keeper *k, int lifeline_write_fd, int engine_lock_fd)
{
	struct bsrd_message m;
	struct bsrd_fds fds = {.count = BSRD_HELLO_FDS,
		.fd = {[BSRD_FD_LIFELINE_READ] = k->lifeline_fd,
			[BSRD_FD_CONTROL] = k->control_fd,
			[BSRD_FD_NBD] = k->nbd_fd,
			[BSRD_FD_CONFIG] = k->config_fd,
			[BSRD_FD_ADOPT] = k->adopt_fd,
			[BSRD_FD_LIFELINE] = lifeline_write_fd,
			[BSRD_FD_ENGINE_LOCK] = engine_lock_fd}};
	bsrd_message_init(&m, BSRD_IPC_HELLO);
	m.arg[0] = k->generation;
	m.arg[1] = k->node_id_arg;
	keeper_log_fill(k, &m);
	bsrd_message_set_text(&m, k->resource);
	return bsrd_ipc_send(k->engine_sock, &m, &fds);
}

int keeper_send_start(struct keeper *k, int lifeline_write_fd, int engine_lock_fd)
{
	int error = send_hello(k, lifeline_write_fd, engine_lock_fd);
	for (uint32_t i = 0; i < k->listener_count && error == 0; i++) {
		error = send_listener(k, &k->listener[i]);
	}
	for (uint32_t i = 0; i < BSR_VOLUMES_MAX && error == 0; i++) {
		struct keeper_volume *volume = &k->volume[i];
		/*
		 * the result of an open that is under way has nobody waiting for it: it is closed
		 * (keeper_jobs.c)
		 */
		if (volume->disk.open) {
			error = send_disk(k, i);
		}
		if (error == 0 && volume->device.loopdev != NULL) {
			error = send_channel(k, i);
		}
	}
	if (error == 0) {
		struct bsrd_message m;
		bsrd_message_init(&m, BSRD_IPC_START);
		error = bsrd_ipc_send(k->engine_sock, &m, NULL);
	}
	return error;
}
