// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * control.c - connections of the control socket: who may connect, lines in, bounded output out
 *
 * Owns:       struct bsr_control, its connections and their queues.
 * May touch:  the listening descriptor from the keeper, the loop.
 * Invariants:
 *   CTL-1  Nothing here waits for a client: every descriptor is non-blocking, every queue has a
 *          limit.
 *   CTL-2  A client that is neither root nor of the group that may look gets one line and nothing of what it sends is
 *          looked at; one of that group gets at commands that only look.
 *   CTL-3  A slot is reused under another serial: a late reply never reaches the wrong client.
 * Format:     docs/control.md
 */
#include "control.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>

#include <bsr/assert.h>

#include "ipc.h"

#define OUT_ROOM_FIRST 4096u
#define ACCEPTS_PER_TURN 16
#define LINES_PER_TURN 16u
/* below the patience of tools; a rebuild that hangs must be helped by commands */
#define HOLD_NS 4000000000ull
#define ACCEPT_PAUSE_NS 1000000000ull /* when there is no descriptor left */

/* ------------------------------------------------------------------ output */

static size_t unread(const struct control_client *client)
{
	return client->out_used - client->out_sent;
}

static void client_close(struct control_client *client)
{
	struct bsr_control *control = client->control;
	if (!client->used) {
		return;
	}
	bsr_loop_unwatch(control->d->loop, &client->watch);
	close(client->watch.fd);
	bsrd_fds_close(&client->fds);
	free(client->in);
	free(client->out);
	control_measure_forget(client);
	if (client->subscribed) {
		BSR_ASSERT(control->subscribers > 0);
		control->subscribers--;
	}
	memset(client, 0, sizeof(*client));
	client->control = control;
}

static bool queue(struct control_client *client, const char *bytes, size_t count)
{
	if (client->out_sent == client->out_used) {
		client->out_sent = client->out_used = 0;
	}
	if (client->out_used + count > client->out_room && client->out_sent > 0) {
		memmove(client->out, client->out + client->out_sent, unread(client));
		client->out_used -= client->out_sent;
		client->out_sent = 0;
	}
	size_t room = client->out_room == 0 ? OUT_ROOM_FIRST : client->out_room;
	while (room < client->out_used + count) {
		room *= 2;
	}
	if (room > client->out_room) {
		char *bigger = realloc(client->out, room);
		if (bigger == NULL) {
			return false;
		}
		client->out = bigger;
		client->out_room = room;
	}
	memcpy(client->out + client->out_used, bytes, count);
	client->out_used += count;
	client->control->dirty = true;
	return true;
}

bool control_send(struct control_client *client, struct json_object *line)
{
	size_t length = 0;
	const char *text = json_object_to_json_string_length(
		line, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE, &length);
	if (!client->used) {
		return false;
	}
	if (text == NULL || !queue(client, text, length) || !queue(client, "\n", 1)) {
		client_close(client); /* out of memory: half a line must not be read as one */
		return false;
	}
	return true;
}

void control_close_after(struct control_client *client)
{
	client->closing = true;
	client->in_used = 0;
	client->control->dirty = true;
	if (client->subscribed) {
		client->subscribed = false;
		client->control->subscribers--;
	}
}

void control_send_event(struct control_client *client, const char *line, size_t bytes, uint64_t seq)
{
	char last[128];
	if (!client->used || client->closing) {
		return;
	}
	if (unread(client) + bytes <= BSR_CONTROL_UNREAD_EVENTS_MAX) {
		if (!queue(client, line, bytes)) {
			client_close(client);
		}
		return;
	}
	int length = snprintf(last, sizeof(last),
		"{\"seq\":%" PRIu64 ",\"time_us\":%" PRId64 ",\"event\":\"lagged\",\"skipped\":1}\n", seq,
		status_wall_us());
	if (length < 0 || !queue(client, last, (size_t)length)) {
		client_close(client);
		return;
	}
	client->control->rejected++;
	control_close_after(client);
}

/*
 * Requests are taken only while their replies have room, and not of a process that is still half
 * itself.
 */
static bool may_take(const struct control_client *client)
{
	return client->used && client->control->hold_until_ns == 0 && !client->closing && unread(client) <= BSR_CONTROL_UNREAD_BYTES_MAX &&
		client->running < BSR_CONTROL_RUNNING_MAX;
}

/* Nothing comes behind descriptors before the line that they belong to is taken. */
static bool may_read(const struct control_client *client)
{
	return may_take(client) &&
		(client->fds.count == 0 || memchr(client->in, '\n', client->in_used) == NULL);
}

static void watch_again(struct control_client *client)
{
	uint32_t events = 0;
	if (may_read(client) && !client->end_of_input && client->in_used < BSR_CONTROL_LINE_BYTES_MAX) {
		events |= POLLIN;
	}
	/* a writable socket brings us back for the next lines */
	if (unread(client) > 0 || client->more) {
		events |= POLLOUT;
	}
	if (bsr_loop_watch_change(client->control->d->loop, &client->watch, events) != 0) {
		client_close(client);
	}
}

void control_write(struct control_client *client)
{
	while (client->used && unread(client) > 0) {
		ssize_t sent = send(client->watch.fd, client->out + client->out_sent, unread(client),
			MSG_NOSIGNAL | MSG_DONTWAIT);
		if (sent < 0 && errno == EINTR) {
			continue;
		}
		if (sent < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) {
			break;
		}
		if (sent <= 0) {
			client_close(client);
			return;
		}
		client->out_sent += (size_t)sent;
	}
	if (!client->used) {
		return;
	}
	const bool finished = client->closing ||
		(client->end_of_input && client->running == 0 && !client->more && !client->waits);
	if (finished && unread(client) == 0) {
		client_close(client);
		return;
	}
	watch_again(client);
}

/* ------------------------------------------------------------------- input */

/* A line that never ends cannot be answered by id, and what follows it cannot be trusted. */
static void refuse(struct control_client *client, enum bsr_control_error code, const char *message)
{
	struct json_object *line = control_make_error(-1, code, message);
	client->control->rejected++;
	control_send(client, line);
	json_object_put(line);
	if (client->used) {
		control_close_after(client);
	}
}

/* One line, with the descriptors that came with it; those that it did not want are closed. */
static bool take_line(struct control_client *client, const char *start, size_t bytes)
{
	const size_t end = (size_t)(start - client->in) + bytes + 1;
	client->line_has_fds = client->fds.count > 0 && end >= client->fds_at;
	bool taken = control_take_line(client, start, bytes);
	if (taken && client->line_has_fds) {
		bsrd_fds_close(&client->fds);
	}
	client->line_has_fds = false;
	return taken;
}

/* Takes lines as long as replies can be queued and commands started, a few per turn. */
static void client_process(struct control_client *client)
{
	size_t taken = 0;
	uint32_t lines = 0;
	client->more = client->waits = false;
	while (may_take(client)) {
		char *start = client->in + taken;
		char *end = memchr(start, '\n', client->in_used - taken);
		if (end == NULL) {
			if (client->in_used - taken >= BSR_CONTROL_LINE_BYTES_MAX) {
				refuse(client, BSR_CTL_LINE_TOO_LONG, "a request line is longer than 65,536 bytes");
			}
			break;
		}
		if (lines == LINES_PER_TURN) {
			client->more = true;
			break;
		}
		if (!take_line(client, start, (size_t)(end - start))) {
			client->waits = true; /* for another command; control_resume() comes back */
			break;
		}
		taken += (size_t)(end - start) + 1;
		lines++;
	}
	if (client->used && !client->closing && taken > 0) {
		client->in_used -= taken;
		client->fds_at -= client->fds_at < taken ? client->fds_at : taken;
		memmove(client->in, client->in + taken, client->in_used);
	}
}

/* False when more came than any line may have; what is kept is closed with the connection. */
static bool keep_fds(struct control_client *client, struct msghdr *msg)
{
	bool fits = (msg->msg_flags & MSG_CTRUNC) == 0;
	for (struct cmsghdr *c = CMSG_FIRSTHDR(msg); c != NULL; c = CMSG_NXTHDR(msg, c)) {
		size_t count = c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS ?
			(c->cmsg_len - CMSG_LEN(0)) / sizeof(int) : 0;
		for (size_t i = 0; i < count; i++) {
			int fd;
			memcpy(&fd, CMSG_DATA(c) + i * sizeof(int), sizeof(fd));
			if (client->fds.count < BSRD_DISK_FDS) {
				client->fds.fd[client->fds.count++] = fd;
			} else {
				close(fd);
				fits = false;
			}
		}
		/* the kernel ends a read behind descriptors: they are of the line that is the last now */
		client->fds_at = client->in_used;
	}
	return fits;
}

void control_take_fds(struct control_client *client, struct bsrd_fds *fds)
{
	*fds = (struct bsrd_fds){.count = 0};
	if (client->line_has_fds) {
		*fds = client->fds;
		client->fds.count = 0;
	}
}

static void client_read(struct control_client *client)
{
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(sizeof(int) * BSRD_IPC_FDS_MAX)];
	} ancillary;
	BSR_ASSERT(client->in_used <= BSR_CONTROL_LINE_BYTES_MAX);
	const size_t room = BSR_CONTROL_LINE_BYTES_MAX - client->in_used;
	if (room == 0) {
		return;
	}
	struct iovec iov = {.iov_base = client->in + client->in_used, .iov_len = room};
	struct msghdr msg = {.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = ancillary.bytes,
		.msg_controllen = sizeof(ancillary.bytes)};
	ssize_t got = recvmsg(client->watch.fd, &msg, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	if (got < 0) {
		if (errno != EAGAIN && errno != EINTR) {
			client_close(client);
		}
		return;
	}
	if (got == 0) {
		client->end_of_input = true; /* what it asked for is still answered */
	}
	client->in_used += (size_t)got;
	if (!keep_fds(client, &msg)) {
		refuse(client, BSR_CTL_BAD_FIELD, "too many descriptors: two come with each attach, none with others");
	}
}

void control_resume(struct bsr_control *control)
{
	if (control->processing) {
		return;
	}
	control->processing = true;
	for (uint32_t i = 0; i < BSR_CONTROL_CLIENTS_MAX; i++) {
		struct control_client *client = &control->client[i];
		if (client->used && !client->closing && client->in_used > 0) {
			client_process(client);
		}
	}
	control->processing = false;
}

static void on_client_ready(struct bsr_watch *watch, uint32_t events)
{
	struct control_client *client = (struct control_client *)watch; /* its first member */
	struct bsr_control *control = client->control;
	if ((events & (POLLERR | POLLHUP | POLLNVAL)) != 0 && (events & POLLIN) == 0) {
		client_close(client);
		return;
	}
	if ((events & POLLOUT) != 0) {
		control_write(client);
	}
	if (client->used && (events & POLLIN) != 0 && may_read(client)) {
		client_read(client);
	}
	if (client->used && client->in_used > 0) {
		control->processing = true;
		client_process(client);
		control->processing = false;
	}
	if (client->used) {
		control_write(client);
	}
}

/* ------------------------------------------------------------- connections */

static struct control_client *free_slot(struct bsr_control *control)
{
	struct control_client *lagging = NULL;
	for (uint32_t i = 0; i < BSR_CONTROL_CLIENTS_MAX; i++) {
		struct control_client *client = &control->client[i];
		if (!client->used) {
			return client;
		}
		if (client->closing) {
			lagging = client;
		}
	}
	if (lagging != NULL) { /* it was told already; it does not read */
		client_close(lagging);
	}
	return lagging;
}

static void turn_away(struct bsr_control *control, int fd, enum bsr_control_error code, const char *message)
{
	struct json_object *line = control_make_error(-1, code, message);
	size_t length = 0;
	const char *text = json_object_to_json_string_length(line, JSON_C_TO_STRING_PLAIN, &length);
	/* a fresh socket has room for one line; if not, the close says enough */
	if (send(fd, text, length, MSG_NOSIGNAL | MSG_DONTWAIT) == (ssize_t)length) {
		ssize_t ignored = send(fd, "\n", 1, MSG_NOSIGNAL | MSG_DONTWAIT);
		(void)ignored;
	}
	json_object_put(line);
	close(fd);
	control->rejected++;
}

static void greet(struct control_client *client)
{
	struct bsr_control *control = client->control;
	struct json_object *hello = json_object_new_object();
	json_object_object_add(hello, "hello", json_object_new_string("bsr-control"));
	json_object_object_add(hello, "version", json_object_new_int(BSR_CONTROL_VERSION));
	json_object_object_add(hello, "resource", json_object_new_string(control->d->running.resource));
	json_object_object_add(hello, "instance", json_object_new_string(control->instance));
	json_object_object_add(hello, "software", json_object_new_string(BSR_VERSION));
	control_send(client, hello);
	json_object_put(hello);
	if (client->used) {
		control_write(client);
	}
}

/* As the caller was when it connected: its own group, or one of its others. */
static bool is_member(int fd, const struct ucred *who, gid_t gid)
{
	gid_t groups[BSR_CONTROL_GROUPS_MAX];
	socklen_t length = sizeof(groups);
	if (gid == 0) {
		return false;
	}
	if (who->gid == gid) {
		return true;
	}
	if (getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, groups, &length) != 0) {
		return false;
	}
	for (size_t i = 0; i < length / sizeof(groups[0]); i++) {
		if (groups[i] == gid) {
			return true;
		}
	}
	return false;
}

static uint32_t readers(const struct bsr_control *control)
{
	uint32_t count = 0;
	for (uint32_t i = 0; i < BSR_CONTROL_CLIENTS_MAX; i++) {
		count += control->client[i].used && control->client[i].reader ? 1 : 0;
	}
	return count;
}

void control_readers_changed(struct bsr_control *control)
{
	for (uint32_t i = 0; i < BSR_CONTROL_CLIENTS_MAX; i++) {
		if (control->client[i].used && control->client[i].reader) {
			refuse(&control->client[i], BSR_CTL_PERMISSION, "another group may look now");
		}
	}
}

static void take_connection(struct bsr_control *control, int fd)
{
	struct ucred who = {.uid = (uid_t)-1};
	socklen_t length = sizeof(who);
	const bool known = getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &length) == 0;
	const bool reader = known && who.uid != 0 && is_member(fd, &who, (gid_t)control->d->settings.control_gid);
	if (!known || (who.uid != 0 && !reader)) {
		turn_away(control, fd, BSR_CTL_PERMISSION, "only root may control a resource");
		return;
	}
	if (reader && readers(control) >= BSR_CONTROL_READERS_MAX) {
		turn_away(control, fd, BSR_CTL_TOO_MANY, "too many connections of the control group to this resource; close some");
		return;
	}
	struct control_client *client = free_slot(control);
	char *in = client == NULL ? NULL : malloc(BSR_CONTROL_LINE_BYTES_MAX);
	if (in == NULL) {
		turn_away(control, fd, BSR_CTL_TOO_MANY, "too many connections to this resource; close some");
		return;
	}
	*client = (struct control_client){
		.control = control, .used = true, .reader = reader, .in = in, .serial = ++control->serial};
	client->watch = (struct bsr_watch){.fd = fd, .events = POLLIN, .ready = on_client_ready};
	if (bsr_loop_watch(control->d->loop, &client->watch) != 0) {
		free(in);
		memset(client, 0, sizeof(*client));
		client->control = control;
		close(fd);
		return;
	}
	greet(client);
}

static void on_listen_ready(struct bsr_watch *watch, uint32_t events)
{
	struct bsr_control *control =
		(struct bsr_control *)(void *)((char *)watch - offsetof(struct bsr_control, listen));
	(void)events;
	for (int i = 0; i < ACCEPTS_PER_TURN; i++) {
		int fd = accept4(watch->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
		if (fd < 0 && (errno == EMFILE || errno == ENFILE || errno == ENOMEM || errno == ENOBUFS)) {
			/*
			 * the caller stays in the queue; being called again and again for it would
			 * burn a core
			 */
			control->accept_again_ns = bsrd_now_ns(control->d) + ACCEPT_PAUSE_NS;
			(void)bsr_loop_watch_change(control->d->loop, watch, 0);
			return;
		}
		if (fd < 0) {
			return; /* nobody more */
		}
		take_connection(control, fd);
	}
}

static void draw_instance(struct bsr_control *control)
{
	uint64_t random = 0;
	if (getrandom(&random, sizeof(random), GRND_NONBLOCK) != (ssize_t)sizeof(random)) {
		random = (uint64_t)status_wall_us() ^ ((uint64_t)getpid() << 48);
	}
	snprintf(control->instance, sizeof(control->instance), "%016" PRIx64, random);
}

int bsr_control_create(struct bsr_control **control, struct bsrd *d, int listen_fd)
{
	struct bsr_control *made = calloc(1, sizeof(*made));
	if (made == NULL) {
		close(listen_fd);
		return -ENOMEM;
	}
	made->d = d;
	made->hold_until_ns = bsrd_now_ns(d) + HOLD_NS;
	for (uint32_t i = 0; i < BSR_CONTROL_CLIENTS_MAX; i++) {
		made->client[i].control = made;
	}
	draw_instance(made);
	made->listen = (struct bsr_watch){.fd = listen_fd, .events = POLLIN, .ready = on_listen_ready};
	int rc = bsr_loop_watch(d->loop, &made->listen);
	if (rc != 0) {
		close(listen_fd);
		free(made);
		return rc;
	}
	*control = made;
	return 0;
}

/* The rebuild is over, or takes too long: what waits is taken. */
static void look_at_hold(struct bsr_control *control)
{
	if (control->d->rebuilding && bsrd_now_ns(control->d) < control->hold_until_ns) {
		return;
	}
	control->hold_until_ns = 0;
	control->dirty = true; /* every client is looked at, its watch armed again */
	control_resume(control);
}

static __attribute__((noinline)) void flush(struct bsr_control *control)
{
	if (control->subscribers > 0 && (control->marks_dirty || bsrd_now_ns(control->d) >= control->marks_ns)) {
		control_check_marks(control);
	}
	if (control->accept_again_ns != 0 && bsrd_now_ns(control->d) >= control->accept_again_ns) {
		control->accept_again_ns = 0;
		(void)bsr_loop_watch_change(control->d->loop, &control->listen, POLLIN);
	}
	if (control->hold_until_ns != 0) {
		look_at_hold(control);
	}
	if (control->measuring && control->measurers == 0) {
		control_measure_turn(control);
	}
	if (!control->dirty) {
		return;
	}
	control_publish_queued(control);
	control->dirty = false;
	control->time_us = 0;
	for (uint32_t i = 0; i < BSR_CONTROL_CLIENTS_MAX; i++) {
		if (control->client[i].used) {
			control_write(&control->client[i]);
		}
	}
}

void bsr_control_flush(struct bsr_control *control)
{
	/* called every turn of the loop: nearly always there is nothing to do */
	if ((control->subscribers | control->accept_again_ns | control->hold_until_ns | control->measuring | control->dirty) != 0) {
		flush(control);
	}
}
