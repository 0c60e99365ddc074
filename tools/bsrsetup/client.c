// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * client.c - the tools' end of the control socket
 *
 * Owns:       connections to sockets in the run directory, lines that were read and not yet taken.
 * Invariants: a line of the server is bounded; a server that floods or sends garbage ends with
 *             -EPROTO.
 */
#include "client.h"

#include <bsr/assert.h>
#include <bsr/limits.h>

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define LINE_BYTES_MAX (16u << 20) /* a snapshot of 31 peers with 64 volumes each has some 2 MiB */
#define STASHED_MAX 4096u

const char *bsr_client_run_dir(void)
{
	const char *dir = getenv("BSR_RUN_DIR");
	return dir != NULL && dir[0] != '\0' ? dir : "/run/bsr";
}

bool bsr_client_name_ok(const char *resource)
{
	const size_t length = strlen(resource);
	if (length == 0 || length > BSR_NAME_BYTES_MAX || resource[0] == '.' ||
		strcmp(resource, "all") == 0) {
		return false;
	}
	for (size_t i = 0; i < length; i++) {
		if (resource[i] == '/' || iscntrl((unsigned char)resource[i])) {
			return false;
		}
	}
	return true;
}

static int64_t now_ms(void)
{
	struct timespec now;
	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static int connect_to(const char *resource)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int length = snprintf(address.sun_path, sizeof(address.sun_path), "%s/%s.sock",
		bsr_client_run_dir(), resource);
	if (length < 0 || (size_t)length >= sizeof(address.sun_path)) {
		return -ENAMETOOLONG;
	}
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0) {
		return -errno;
	}
	if (connect(fd, (const struct sockaddr *)&address, sizeof(address)) != 0) {
		int error = -errno;
		close(fd);
		return error;
	}
	return fd;
}

static int check_greeting(struct bsr_client *client)
{
	struct json_object *greeting = NULL;
	int rc = bsr_client_read(client, &greeting, BSR_CLIENT_GREETING_MS);
	if (rc != 0) {
		return rc;
	}
	if (strcmp(bsr_json_string(greeting, "hello"), "bsr-control") != 0) {
		const char *name =
			bsr_json_string(bsr_json_object(greeting, "error"), "name");
		rc = strcmp(name, "PERMISSION") == 0 ? -EACCES
			: strcmp(name, "TOO_MANY") == 0 ? -EBUSY
							: -EPROTO;
	} else {
		snprintf(client->instance, sizeof(client->instance), "%s",
			bsr_json_string(greeting, "instance"));
	}
	json_object_put(greeting);
	return rc;
}

int bsr_client_open(struct bsr_client *client, const char *resource)
{
	*client = (struct bsr_client){.fd = -1, .next_id = 1};
	int fd = connect_to(resource);
	if (fd < 0) {
		return fd;
	}
	client->fd = fd;
	client->stashed = json_object_new_array();
	int rc = check_greeting(client);
	if (rc != 0) {
		bsr_client_close(client);
	}
	return rc;
}

void bsr_client_close(struct bsr_client *client)
{
	if (client->fd >= 0) {
		close(client->fd);
	}
	free(client->pending);
	json_object_put(client->stashed);
	*client = (struct bsr_client){.fd = -1};
}

static int send_all(int fd, const char *bytes, size_t count)
{
	while (count > 0) {
		ssize_t sent = send(fd, bytes, count, MSG_NOSIGNAL);
		if (sent < 0 && errno == EINTR) {
			continue;
		}
		if (sent < 0) {
			return -errno;
		}
		bytes += sent;
		count -= (size_t)sent;
	}
	return 0;
}

/* As much of the line as the socket takes at once, and the descriptors with it. Bytes, or -errno. */
static ssize_t send_with_fds(const struct bsr_client *client, const char *bytes, size_t count)
{
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(sizeof(client->pass_fd))];
	} ancillary;
	struct iovec iov = {.iov_base = (void *)(uintptr_t)bytes, .iov_len = count};
	struct msghdr msg = {.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = ancillary.bytes,
		.msg_controllen = sizeof(ancillary.bytes)};
	memset(&ancillary, 0, sizeof(ancillary));
	struct cmsghdr *head = CMSG_FIRSTHDR(&msg);
	head->cmsg_level = SOL_SOCKET;
	head->cmsg_type = SCM_RIGHTS;
	head->cmsg_len = CMSG_LEN(sizeof(client->pass_fd));
	memcpy(CMSG_DATA(head), client->pass_fd, sizeof(client->pass_fd));
	ssize_t sent;
	do {
		sent = sendmsg(client->fd, &msg, MSG_NOSIGNAL);
	} while (sent < 0 && errno == EINTR);
	return sent < 0 ? -errno : sent;
}

int64_t bsr_client_send(struct bsr_client *client, struct json_object *request)
{
	int64_t id = client->next_id++;
	json_object_object_add(request, "id", json_object_new_int64(id));
	size_t length = 0;
	const char *text = json_object_to_json_string_length(request, JSON_C_TO_STRING_PLAIN, &length);
	ssize_t sent = client->pass ? send_with_fds(client, text, length) : 0;
	int rc = sent < 0 ? (int)sent : send_all(client->fd, text + sent, length - (size_t)sent);
	if (rc == 0) {
		rc = send_all(client->fd, "\n", 1);
	}
	return rc == 0 ? id : rc;
}

/* Reads once; 0, or -errno. */
static int fill(struct bsr_client *client, int timeout_ms)
{
	struct pollfd ready = {.fd = client->fd, .events = POLLIN};
	int count = poll(&ready, 1, timeout_ms);
	if (count < 0) {
		return errno == EINTR ? 0 : -errno;
	}
	if (count == 0) {
		return -ETIMEDOUT;
	}
	if (client->pending_room - client->pending_bytes < 4096) {
		size_t room = client->pending_room == 0 ? 65536 : client->pending_room * 2;
		if (room > LINE_BYTES_MAX) {
			return -EPROTO;
		}
		char *bigger = realloc(client->pending, room);
		if (bigger == NULL) {
			return -ENOMEM;
		}
		client->pending = bigger;
		client->pending_room = room;
	}
	ssize_t got = read(client->fd, client->pending + client->pending_bytes,
		client->pending_room - client->pending_bytes);
	if (got < 0) {
		return errno == EINTR || errno == EAGAIN ? 0 : -errno;
	}
	if (got == 0) {
		return -ECONNRESET;
	}
	client->pending_bytes += (size_t)got;
	return 0;
}

static char *line_end(const struct bsr_client *client)
{
	if (client->pending_bytes == client->scanned) {
		return NULL;
	}
	return memchr(
		client->pending + client->scanned, '\n', client->pending_bytes - client->scanned);
}

bool bsr_client_has_line(const struct bsr_client *client)
{
	return bsr_json_count(client->stashed) > 0 || line_end(client) != NULL;
}

static int take_line(struct bsr_client *client, char *end, struct json_object **line)
{
	*end = '\0';
	struct json_object *object = json_tokener_parse(client->pending);
	size_t used = (size_t)(end - client->pending) + 1;
	client->pending_bytes -= used;
	memmove(client->pending, client->pending + used, client->pending_bytes);
	client->scanned = 0;
	if (object == NULL || !json_object_is_type(object, json_type_object)) {
		json_object_put(object);
		return -EPROTO;
	}
	*line = object;
	return 0;
}

static int read_fresh(struct bsr_client *client, struct json_object **line, int timeout_ms)
{
	int64_t deadline = now_ms() + timeout_ms;
	for (;;) {
		char *end = line_end(client);
		if (end != NULL) {
			return take_line(client, end, line);
		}
		client->scanned = client->pending_bytes;
		int64_t left = deadline - now_ms();
		int rc = fill(client, left < 0 ? 0 : (int)left);
		if (rc != 0) {
			return rc;
		}
	}
}

int bsr_client_read(struct bsr_client *client, struct json_object **line, int timeout_ms)
{
	if (bsr_json_count(client->stashed) > 0) {
		*line = json_object_get(bsr_json_at(client->stashed, 0));
		json_object_array_del_idx(client->stashed, 0, 1);
		return 0;
	}
	return read_fresh(client, line, timeout_ms);
}

int bsr_client_call(struct bsr_client *client, struct json_object *request,
	struct json_object **reply, int timeout_ms)
{
	int64_t deadline = now_ms() + timeout_ms;
	int64_t id = bsr_client_send(client, request);
	if (id < 0) {
		return (int)id;
	}
	for (;;) {
		struct json_object *line = NULL;
		int64_t left = deadline - now_ms();
		int rc = read_fresh(client, &line, left < 0 ? 0 : (int)left);
		if (rc != 0) {
			return rc;
		}
		if (bsr_json_int(line, "id", -2) == id) {
			*reply = line;
			return 0;
		}
		if (!bsr_json_has(line, "event")) { /* a reply nobody waits for any more */
			json_object_put(line);
		} else if (bsr_json_count(client->stashed) < STASHED_MAX) {
			json_object_array_add(client->stashed, line);
		} else {
			json_object_put(line);
			return -EPROTO;
		}
	}
}

static int by_name(const void *a, const void *b)
{
	struct json_object *const *left = a;
	struct json_object *const *right = b;
	return strcmp(json_object_get_string(*left), json_object_get_string(*right));
}

struct json_object *bsr_client_list(void)
{
	struct json_object *names = json_object_new_array();
	DIR *dir = opendir(bsr_client_run_dir());
	if (dir == NULL) {
		return names;
	}
	for (struct dirent *entry = readdir(dir); entry != NULL; entry = readdir(dir)) {
		const size_t length = strlen(entry->d_name);
		if (length <= 5 || strcmp(entry->d_name + length - 5, ".sock") != 0) {
			continue;
		}
		struct json_object *name =
			json_object_new_string_len(entry->d_name, (int)length - 5);
		if (bsr_client_name_ok(json_object_get_string(name))) {
			json_object_array_add(names, name);
		} else {
			json_object_put(name);
		}
	}
	closedir(dir);
	json_object_array_sort(names, by_name);
	return names;
}
