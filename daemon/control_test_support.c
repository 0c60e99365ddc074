// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * control_test_support.c - a control socket served in this process, and a client of it
 */
#include "control_test_support.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

struct bsrd d;
char control_test_directory[64];
struct sockaddr_un control_test_address;

/* ------------------------------------------------------------------ harness */

static uint32_t turns_left;

static void on_turn(void *ctx)
{
	(void)ctx;
	fakes_turn(&d);
	bsr_loop_again(d.loop);
	if (turns_left > 0 && --turns_left == 0) {
		bsr_loop_stop(d.loop);
	}
}

void control_test_turns(uint32_t count)
{
	turns_left = count;
	bsr_loop_again(d.loop);
	assert_int_equal(bsr_loop_run(d.loop), 0);
}

int control_test_setup(void **state)
{
	(void)state;
	fakes_setup(&d);
	bsr_loop_on_turn(d.loop, on_turn, NULL);
	snprintf(control_test_directory, sizeof(control_test_directory), "/tmp/bsr-control-test-XXXXXX");
	assert_non_null(mkdtemp(control_test_directory));
	control_test_address = (struct sockaddr_un){.sun_family = AF_UNIX};
	snprintf(control_test_address.sun_path, sizeof(control_test_address.sun_path), "%s/r0.sock", control_test_directory);
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	assert_return_code(bind(fd, (struct sockaddr *)&control_test_address, sizeof(control_test_address)), errno);
	assert_return_code(listen(fd, 128), errno);
	assert_return_code(bsr_control_create(&d.control, &d, fd), 0);
	return 0;
}

int control_test_teardown(void **state)
{
	(void)state;
	for (uint32_t i = 0; i < BSR_CONTROL_CLIENTS_MAX; i++) {
		struct control_client *client = &d.control->client[i];
		if (client->used) {
			bsr_loop_unwatch(d.loop, &client->watch);
			close(client->watch.fd);
			free(client->in);
			free(client->out);
		}
	}
	bsr_loop_unwatch(d.loop, &d.control->listen);
	close(d.control->listen.fd);
	fakes_turn(&d); /* requests under way are freed by their end */
	fakes_teardown(&d);
	free(d.control);
	bsr_loop_destroy(d.loop);
	unlink(control_test_address.sun_path);
	rmdir(control_test_directory);
	return 0;
}

int control_test_dial(void)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct timeval limit = {.tv_sec = 10};
	assert_return_code(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit)), errno);
	assert_return_code(connect(fd, (struct sockaddr *)&control_test_address, sizeof(control_test_address)), errno);
	control_test_turns(3);
	return fd;
}

/* One line of the server as an object; NULL at the end of the stream. */
struct json_object *control_test_next_line(int fd)
{
	static char line[8u << 20];
	size_t used = 0;
	while (used < sizeof(line) - 1) {
		ssize_t got = recv(fd, line + used, 1, MSG_DONTWAIT);
		if (got < 0 && errno == EAGAIN) {
			control_test_turns(2);
			got = recv(fd, line + used, 1, 0);
		}
		if (got <= 0) {
			return NULL;
		}
		if (line[used] == '\n') {
			line[used] = '\0';
			struct json_object *object = json_tokener_parse(line);
			assert_non_null(object);
			return object;
		}
		used++;
	}
	fail_msg("a line without end");
	return NULL;
}

int control_test_dial_and_greet(void)
{
	int fd = control_test_dial();
	struct json_object *hello = control_test_next_line(fd);
	struct json_object *word = NULL;
	assert_true(json_object_object_get_ex(hello, "hello", &word));
	assert_string_equal(json_object_get_string(word), "bsr-control");
	json_object_put(hello);
	return fd;
}

void control_test_say(int fd, const char *text)
{
	size_t left = strlen(text);
	while (left > 0) {
		ssize_t sent = send(fd, text, left, MSG_NOSIGNAL | MSG_DONTWAIT);
		if (sent < 0 && errno == EAGAIN) {
			control_test_turns(2);
			continue;
		}
		if (sent < 0) {
			return; /* closed by the server: the test looks at what it said */
		}
		text += sent;
		left -= (size_t)sent;
	}
	control_test_turns(4);
}

struct json_object *control_test_get(struct json_object *object, const char *name)
{
	struct json_object *value = NULL;
	return object != NULL && json_object_object_get_ex(object, name, &value) ? value : NULL;
}

/* Sends a line, expects code 0 for success or the code of the error; the reply is the caller's. */
struct json_object *control_test_ask(int fd, const char *line, int code)
{
	control_test_say(fd, line);
	control_test_say(fd, "\n");
	struct json_object *reply = control_test_next_line(fd);
	assert_non_null(reply);
	int64_t got = json_object_get_int64(control_test_get(control_test_get(reply, "error"), "code"));
	if (got != code) {
		fail_msg("%s -> %s", line, json_object_to_json_string(reply));
	}
	assert_int_equal(json_object_get_boolean(control_test_get(reply, "ok")), code == 0);
	return reply;
}

void control_test_expect(int fd, const char *line, int code)
{
	json_object_put(control_test_ask(fd, line, code));
}

void control_test_make_resource(int fd)
{
	control_test_expect(fd, "{\"id\":1,\"command\":\"new-resource\",\"node_id\":0,\"options\":{\"quorum\":\"off\"}}", 0);
	control_test_expect(fd, "{\"id\":2,\"command\":\"node-options\",\"options\":{\"node-name\":\"alice\"}}", 0);
	control_test_expect(fd, "{\"id\":3,\"command\":\"new-minor\",\"minor\":10,\"volume\":0}", 0);
	control_test_expect(fd,
		"{\"id\":4,\"command\":\"new-peer\",\"peer\":1,\"options\":{\"_name\":\"bob\",\"ping-int\":\"7\"}}", 0);
	control_test_expect(fd,
		"{\"id\":5,\"command\":\"new-path\",\"peer\":1,\"local\":\"ipv4:10.0.0.1:7000\","
		"\"remote\":\"ipv4:10.0.0.2:7000\"}", 0);
	control_test_expect(fd,
		"{\"id\":6,\"command\":\"attach\",\"minor\":10,\"disk\":\"/dev/x\",\"meta_disk\":\"/dev/x\","
		"\"meta_index\":\"internal\",\"options\":{\"al-extents\":\"1237\"}}", 0);
}
