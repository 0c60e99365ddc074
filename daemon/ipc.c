// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * ipc.c - messages between keeper and engine process on a SOCK_SEQPACKET pair
 *
 * Owns: framing, checks of lengths, descriptors in flight (never leaked, always close-on-exec).
 */
#include "ipc.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include <bsr/assert.h>

#include "settings.h"

#define HEAD_BYTES offsetof(struct bsrd_message, text)

void bsrd_message_init(struct bsrd_message *m, enum bsrd_ipc_type type)
{
	memset(m, 0, HEAD_BYTES);
	m->text[0] = '\0';
	m->version = BSRD_IPC_VERSION;
	m->type = type;
}

void bsrd_message_set_text(struct bsrd_message *m, const char *text)
{
	size_t bytes = strlen(text) + 1;
	if (bytes > BSRD_IPC_TEXT_MAX) {
		bytes = BSRD_IPC_TEXT_MAX;
	}
	memcpy(m->text, text, bytes - 1);
	m->text[bytes - 1] = '\0';
	m->text_bytes = (uint32_t)bytes;
}

bool bsrd_message_add_text(struct bsrd_message *m, const char *text)
{
	size_t bytes = strlen(text) + 1;
	if (bytes > BSRD_IPC_TEXT_MAX - m->text_bytes) {
		return false;
	}
	memcpy(m->text + m->text_bytes, text, bytes);
	m->text_bytes += (uint32_t)bytes;
	return true;
}

void bsrd_message_add_settings(struct bsrd_message *m, const struct bsr_settings *settings, uint64_t flags)
{
	m->arg[BSRD_SET_FLAGS] = flags | (settings->handlers != 0 ? BSRD_SETF_HANDLERS : 0) | settings->control_gid << 32;
	m->arg[BSRD_SET_LEVEL_DBG] = settings->log_level_dbg;
	m->arg[BSRD_SET_LEVEL_SYS] = settings->log_level_sys;
	m->arg[BSRD_SET_CATEGORIES] = settings->log_categories;
	m->arg[BSRD_SET_FILE_KIB] = settings->log_file_kib;
	m->arg[BSRD_SET_FILE_COUNT] = settings->log_file_count;
}

void bsrd_message_take_settings(const struct bsrd_message *m, struct bsr_settings *settings)
{
	settings->handlers = (m->arg[BSRD_SET_FLAGS] & BSRD_SETF_HANDLERS) != 0;
	settings->control_gid = m->arg[BSRD_SET_FLAGS] >> 32;
	settings->log_level_dbg = m->arg[BSRD_SET_LEVEL_DBG];
	settings->log_level_sys = m->arg[BSRD_SET_LEVEL_SYS];
	settings->log_categories = m->arg[BSRD_SET_CATEGORIES];
	settings->log_file_kib = m->arg[BSRD_SET_FILE_KIB];
	settings->log_file_count = m->arg[BSRD_SET_FILE_COUNT];
}

int bsrd_ipc_send(int sock, const struct bsrd_message *m, const struct bsrd_fds *fds)
{
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(sizeof(int) * BSRD_IPC_FDS_MAX)];
	} control;
	struct iovec iov = {.iov_base = (void *)(uintptr_t)m, .iov_len = HEAD_BYTES + m->text_bytes};
	struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1};
	BSR_ASSERT(m->text_bytes <= BSRD_IPC_TEXT_MAX);
	if (fds != NULL && fds->count > 0) {
		BSR_ASSERT(fds->count <= BSRD_IPC_FDS_MAX);
		memset(&control, 0, sizeof(control));
		msg.msg_control = control.bytes;
		msg.msg_controllen = CMSG_SPACE(sizeof(int) * fds->count);
		struct cmsghdr *head = CMSG_FIRSTHDR(&msg);
		head->cmsg_level = SOL_SOCKET;
		head->cmsg_type = SCM_RIGHTS;
		head->cmsg_len = CMSG_LEN(sizeof(int) * fds->count);
		memcpy(CMSG_DATA(head), fds->fd, sizeof(int) * fds->count);
	}
	ssize_t sent;
	do {
		sent = sendmsg(sock, &msg, MSG_NOSIGNAL);
	} while (sent < 0 && errno == EINTR);
	return sent < 0 ? -errno : 0;
}

void bsrd_fds_close(struct bsrd_fds *fds)
{
	for (uint32_t i = 0; i < fds->count; i++) {
		close(fds->fd[i]);
	}
	fds->count = 0;
}

/* Takes over every descriptor that came; closes what is more than anybody may send. */
static void collect_fds(struct msghdr *msg, struct bsrd_fds *fds)
{
	for (struct cmsghdr *c = CMSG_FIRSTHDR(msg); c != NULL; c = CMSG_NXTHDR(msg, c)) {
		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS) {
			continue;
		}
		size_t count = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		for (size_t i = 0; i < count; i++) {
			int fd;
			memcpy(&fd, CMSG_DATA(c) + i * sizeof(int), sizeof(fd));
			if (fds->count < BSRD_IPC_FDS_MAX) {
				fds->fd[fds->count++] = fd;
			} else {
				close(fd);
			}
		}
	}
}

static bool well_formed(const struct bsrd_message *m, size_t bytes, int flags)
{
	return bytes >= HEAD_BYTES && m->version == BSRD_IPC_VERSION && m->text_bytes <= BSRD_IPC_TEXT_MAX &&
		bytes == HEAD_BYTES + m->text_bytes && (flags & (MSG_TRUNC | MSG_CTRUNC)) == 0 &&
		m->type >= BSRD_IPC_HELLO && m->type < BSRD_IPC_TYPE_COUNT;
}

int bsrd_ipc_receive(int sock, struct bsrd_message *m, struct bsrd_fds *fds, bool wait)
{
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(sizeof(int) * BSRD_IPC_FDS_MAX)];
	} control;
	struct iovec iov = {.iov_base = m, .iov_len = HEAD_BYTES + BSRD_IPC_TEXT_MAX};
	struct msghdr msg = {.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control.bytes,
		.msg_controllen = sizeof(control.bytes)};
	ssize_t bytes;
	fds->count = 0;
	do {
		bytes = recvmsg(sock, &msg, MSG_CMSG_CLOEXEC | (wait ? 0 : MSG_DONTWAIT));
	} while (bytes < 0 && errno == EINTR);
	if (bytes < 0) {
		return errno == ECONNRESET ? 0 : -errno;
	}
	if (bytes == 0) {
		return 0;
	}
	collect_fds(&msg, fds);
	if (!well_formed(m, (size_t)bytes, msg.msg_flags)) {
		bsrd_fds_close(fds);
		return -EPROTO;
	}
	m->text[m->text_bytes] = '\0';
	return 1;
}
