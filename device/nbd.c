// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * nbd.c - NBD server: listeners, exports, and the life of connections
 *
 * Owns:       the table of exports and the list of connections.
 * Invariants:
 *   NBD-1  A connection that has ended is only marked; its memory goes when no frame of its code
 *          can be on the stack (at the end of a turn).
 *   NBD-2  Whatever a client sends harms nobody but its own connection: limits on everything, one
 *          report, one counter.
 */
#include "nbd_internal.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define ACCEPTS_PER_TURN_MAX 16u
#define ACCEPT_PAUSE_NS 1000000000ull

/* ------------------------------------------------------------- connections */

void bsr_nbd_mark_dirty(struct nbd_conn *conn)
{
	if (!conn->dirty) {
		conn->dirty = true;
		conn->dirty_next = conn->server->dirty;
		conn->server->dirty = conn;
	}
}

void bsr_nbd_update_watch(struct nbd_conn *conn)
{
	const bool reads = !conn->paused && conn->state < NBD_CLOSING;
	const uint32_t events = (reads ? (uint32_t)POLLIN : 0u) | (conn->segment_count > 0 ? (uint32_t)POLLOUT : 0u);
	if (bsr_loop_watch_change(conn->server->devices->loop, &conn->watch, events) != 0) {
		bsr_nbd_end(conn);
	}
}

void bsr_nbd_end(struct nbd_conn *conn)
{
	struct nbd_server *server = conn->server;
	struct bsr_devices *devices = server->devices;
	if (conn->state == NBD_DEAD) {
		return;
	}
	conn->state = NBD_DEAD;
	bsr_device_forget(devices, conn);
	bsr_loop_disarm(devices->loop, &conn->handshake_timer);
	bsr_loop_unwatch(devices->loop, &conn->watch);
	(void)close(conn->watch.fd);
	if (conn->current_buf != BSR_BUF_NONE) {
		bsr_pool_put(devices->pool, conn->current_buf);
		conn->current_buf = BSR_BUF_NONE;
	}
	bsr_nbd_forget_guess(conn); /* or, while it is in use, its reader does */
	for (uint32_t i = 0; i < conn->segment_count; i++) {
		if (conn->segment[i].buf != BSR_BUF_NONE) {
			bsr_pool_put(devices->pool, conn->segment[i].buf);
		}
	}
	conn->segment_count = 0;
	if (conn->volume != NBD_NO_VOLUME) {
		BSR_ASSERT(server->export[conn->volume].clients > 0);
		server->export[conn->volume].clients--;
	}
	if (conn->prev != NULL) {
		conn->prev->next = conn->next;
	} else {
		server->conns = conn->next;
	}
	if (conn->next != NULL) {
		conn->next->prev = conn->prev;
	}
	server->conn_count--;
	conn->dead_next = server->dead; /* NBD-1; next stays, for whoever is walking the list */
	server->dead = conn;
	bsr_nbd_mark_dirty(conn); /* so that the end of the turn comes by */
}

void bsr_nbd_drop(struct nbd_conn *conn, const char *format, ...)
{
	char text[DEVICE_REPORT_BYTES_MAX / 2];
	va_list args;
	va_start(args, format);
	(void)vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	for (char *c = text; *c != '\0'; c++) {
		if ((unsigned char)*c < 0x20 || *c == 0x7f) {
			*c = '?'; /* names come from the client */
		}
	}
	conn->server->rejected++;
	bsr_device_report(conn->server->devices, BSR_LOGN_NBD_CLIENT_DROPPED, "%s: %s", conn->peer, text);
	bsr_nbd_end(conn);
}

static void conn_ready(struct bsr_watch *watch, uint32_t events)
{
	struct nbd_conn *conn = (struct nbd_conn *)(void *)((uint8_t *)watch - offsetof(struct nbd_conn, watch));
	if ((events & POLLOUT) != 0) {
		bsr_nbd_send(conn);
	}
	if (conn->state != NBD_DEAD && (events & (POLLIN | POLLERR | POLLHUP)) != 0) {
		if (conn->state == NBD_CLOSING || conn->paused) {
			bsr_nbd_end(conn); /* an error while only waiting to write */
			return;
		}
		bsr_nbd_receive(conn);
	}
}

static void handshake_late(void *ctx)
{
	bsr_nbd_drop(ctx, "no export chosen within 10 seconds");
}

/* ---------------------------------------------------------------- listening */

static void describe_peer(char *text, const struct sockaddr_storage *address, int fd)
{
	char host[INET6_ADDRSTRLEN] = "?";
	struct ucred ucred;
	socklen_t bytes = sizeof(ucred);
	if (address->ss_family == AF_INET) {
		const struct sockaddr_in *in = (const struct sockaddr_in *)(const void *)address;
		(void)inet_ntop(AF_INET, &in->sin_addr, host, sizeof(host));
		(void)snprintf(text, NBD_PEER_TEXT_BYTES, "NBD client %s port %u", host, ntohs(in->sin_port));
	} else if (address->ss_family == AF_INET6) {
		const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)(const void *)address;
		(void)inet_ntop(AF_INET6, &in6->sin6_addr, host, sizeof(host));
		(void)snprintf(text, NBD_PEER_TEXT_BYTES, "NBD client [%s] port %u", host, ntohs(in6->sin6_port));
	} else if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &ucred, &bytes) == 0) {
		(void)snprintf(text, NBD_PEER_TEXT_BYTES, "NBD client pid %d uid %u", (int)ucred.pid, ucred.uid);
	} else {
		(void)snprintf(text, NBD_PEER_TEXT_BYTES, "NBD client");
	}
}

static int add_conn(struct nbd_server *server, int fd, const struct sockaddr_storage *address)
{
	struct bsr_devices *devices = server->devices;
	struct nbd_conn *conn = calloc(1, sizeof(*conn));
	if (conn == NULL) {
		return -ENOMEM;
	}
	if (address->ss_family == AF_INET || address->ss_family == AF_INET6) {
		const int one = 1;
		/* only slower without */
		(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	}
	conn->server = server;
	conn->volume = NBD_NO_VOLUME;
	conn->current_buf = BSR_BUF_NONE;
	conn->handshake_timer = (struct bsr_timer){.fn = handshake_late, .ctx = conn};
	conn->watch = (struct bsr_watch){.fd = fd, .events = POLLIN, .ready = conn_ready};
	describe_peer(conn->peer, address, fd);
	const int error = bsr_loop_watch(devices->loop, &conn->watch);
	if (error != 0) {
		free(conn);
		return error;
	}
	bsr_loop_arm(devices->loop, &conn->handshake_timer, bsr_loop_now_ns(devices->loop) + NBD_HANDSHAKE_NS);
	conn->next = server->conns;
	if (server->conns != NULL) {
		server->conns->prev = conn;
	}
	server->conns = conn;
	server->conn_count++;
	bsr_nbd_greet(conn);
	bsr_nbd_send(conn);
	return 0;
}

static void turn_away(struct nbd_server *server, int fd, const struct sockaddr_storage *address, const char *why)
{
	char peer[NBD_PEER_TEXT_BYTES];
	describe_peer(peer, address, fd);
	server->rejected++;
	bsr_device_report(server->devices, BSR_LOGN_NBD_CLIENT_REFUSED, "%s: %s", peer, why);
	(void)close(fd);
}

static void listen_again(void *ctx)
{
	struct nbd_listener *listener = ctx;
	(void)bsr_loop_watch_change(listener->server->devices->loop, &listener->watch, POLLIN);
}

static void listener_ready(struct bsr_watch *watch, uint32_t events)
{
	struct nbd_listener *listener =
		(struct nbd_listener *)(void *)((uint8_t *)watch - offsetof(struct nbd_listener, watch));
	struct nbd_server *server = listener->server;
	struct bsr_loop *loop = server->devices->loop;
	(void)events;
	for (uint32_t i = 0; i < ACCEPTS_PER_TURN_MAX; i++) {
		struct sockaddr_storage address = {0};
		socklen_t bytes = sizeof(address);
		const int fd = accept4(watch->fd, (struct sockaddr *)&address, &bytes, SOCK_NONBLOCK | SOCK_CLOEXEC);
		if (fd < 0 && (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM)) {
			bsr_device_report(server->devices, BSR_LOGN_NBD_CLIENT_REFUSED,
				"NBD clients wait: %s; raise the limit of open files", strerror(errno));
			/* it would report again at once */
			(void)bsr_loop_watch_change(loop, watch, 0);
			bsr_loop_arm(loop, &listener->retry, bsr_loop_now_ns(loop) + ACCEPT_PAUSE_NS);
			return;
		}
		if (fd < 0) {
			return; /* nobody there any more */
		}
		if (server->conn_count == BSR_NBD_CLIENTS_MAX) {
			turn_away(server, fd, &address, "too many connections already (BSR_NBD_CLIENTS_MAX)");
			continue;
		}
		const int error = add_conn(server, fd, &address);
		if (error != 0) {
			turn_away(server, fd, &address, strerror(-error));
		}
	}
}

static struct nbd_server *server_of(struct bsr_devices *devices)
{
	if (devices->nbd == NULL) {
		devices->nbd = calloc(1, sizeof(*devices->nbd));
		if (devices->nbd != NULL) {
			devices->nbd->devices = devices;
		}
	}
	return devices->nbd;
}

int bsr_nbd_listen(struct bsr_devices *devices, int listen_fd)
{
	struct nbd_server *server = server_of(devices);
	int error = server == NULL ? -ENOMEM : 0;
	if (error == 0 && server->listener_count == BSR_NBD_LISTENERS_MAX) {
		error = -ENOSPC;
	}
	if (error == 0) {
		struct nbd_listener *listener = &server->listener[server->listener_count];
		listener->server = server;
		listener->retry = (struct bsr_timer){.fn = listen_again, .ctx = listener};
		listener->watch = (struct bsr_watch){.fd = listen_fd, .events = POLLIN, .ready = listener_ready};
		error = bsr_loop_watch(devices->loop, &listener->watch);
	}
	if (error != 0) {
		(void)close(listen_fd);
		return error;
	}
	server->listener_count++;
	return 0;
}

/* ------------------------------------------------------------------ exports */

int bsr_nbd_export(struct bsr_devices *devices, uint32_t volume, const char *name, uint64_t size_bytes)
{
	BSR_ASSERT(volume < BSR_VOLUMES_MAX);
	struct nbd_server *server = server_of(devices);
	if (server == NULL) {
		return -ENOMEM;
	}
	if (name[0] == '\0' || strlen(name) > BSR_NAME_BYTES_MAX || size_bytes > BSR_VOLUME_BYTES_MAX) {
		return -EINVAL;
	}
	for (uint32_t i = 0; i < BSR_VOLUMES_MAX; i++) {
		if (strcmp(server->export[i].name, name) == 0 || (i == volume && server->export[i].name[0] != '\0')) {
			return -EEXIST;
		}
	}
	(void)snprintf(server->export[volume].name, sizeof(server->export[volume].name), "%s", name);
	bsr_device_resize(devices, volume, size_bytes);
	return 0;
}

void bsr_nbd_unexport(struct bsr_devices *devices, uint32_t volume)
{
	BSR_ASSERT(volume < BSR_VOLUMES_MAX);
	struct nbd_server *server = devices->nbd;
	if (server == NULL) {
		return;
	}
	for (struct nbd_conn *conn = server->conns; conn != NULL; conn = conn->next) {
		if (conn->volume == volume) {
			bsr_nbd_end(conn);
		}
	}
	BSR_ASSERT(server->export[volume].clients == 0);
	server->export[volume].name[0] = '\0';
}

uint32_t bsr_nbd_clients(const struct bsr_devices *devices, uint32_t volume)
{
	BSR_ASSERT(volume < BSR_VOLUMES_MAX);
	return devices->nbd != NULL ? devices->nbd->export[volume].clients : 0;
}

uint64_t bsr_nbd_rejected(const struct bsr_devices *devices)
{
	return devices->nbd != NULL ? devices->nbd->rejected : 0;
}

/* -------------------------------------------------------------------- turns */

void bsr_nbd_pump(struct nbd_server *server)
{
	for (struct nbd_conn *conn = server->conns; conn != NULL; conn = conn->next) {
		if (conn->state == NBD_DEAD || !conn->paused) {
			continue;
		}
		conn->paused = false;
		bsr_nbd_transmit(conn);
		if (conn->state != NBD_DEAD && !conn->paused) {
			bsr_nbd_receive(conn);
		} else if (conn->state != NBD_DEAD) {
			bsr_nbd_update_watch(conn);
		}
	}
}

void bsr_nbd_lend(struct nbd_server *server)
{
	for (struct nbd_conn *conn = server->conns; conn != NULL; conn = conn->next) {
		bsr_nbd_forget_guess(conn);
	}
}

void bsr_nbd_drop_stalled(struct nbd_server *server)
{
	const uint64_t now_ns = bsr_loop_now_ns(server->devices->loop);
	for (struct nbd_conn *conn = server->conns; conn != NULL; conn = conn->next) {
		const bool incomplete = conn->current_buf != BSR_BUF_NONE && conn->current_got < conn->current.length;
		if (conn->state == NBD_TRANSMIT && incomplete && now_ns - conn->read_ns > NBD_STALL_NS) {
			bsr_nbd_drop(conn, "silent in the middle of a write while others need memory");
		}
	}
}

static void free_dead(struct nbd_server *server)
{
	while (server->dead != NULL) {
		struct nbd_conn *conn = server->dead;
		server->dead = conn->dead_next;
		free(conn);
	}
}

static __attribute__((noinline)) void flush(struct nbd_server *server)
{
	struct nbd_conn *conn = server->dirty;
	server->dirty = NULL;
	while (conn != NULL) {
		struct nbd_conn *next = conn->dirty_next;
		conn->dirty = false;
		if (conn->state != NBD_DEAD) {
			bsr_nbd_send(conn);
		}
		conn = next;
	}
	if (server->dead != NULL) {
		server->dirty = NULL; /* only connections that ended just now are on it */
		free_dead(server);
	}
}

inline bool bsr_nbd_flush(struct nbd_server *server)
{
	if (server->dirty == NULL && server->dead == NULL) {
		return false;
	}
	flush(server);
	return true;
}

void bsr_nbd_destroy(struct nbd_server *server)
{
	if (server == NULL) {
		return;
	}
	while (server->conns != NULL) {
		bsr_nbd_end(server->conns);
	}
	free_dead(server);
	for (uint32_t i = 0; i < server->listener_count; i++) {
		struct bsr_loop *loop = server->devices->loop;
		bsr_loop_unwatch(loop, &server->listener[i].watch);
		bsr_loop_disarm(loop, &server->listener[i].retry);
		(void)close(server->listener[i].watch.fd);
	}
	server->devices->nbd = NULL;
	free(server);
}
