// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * control_test.c - the control socket on real sockets and a real loop, with engine and flows that pretend
 */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "control_test_support.h"

/* -------------------------------------------------------------------- tests */

static void commands_reach_the_flows(void **state)
{
	(void)state;
	int fd = control_test_dial_and_greet();
	control_test_expect(fd, "{\"id\":1,\"command\":\"status\"}", 3010);
	control_test_expect(fd, "{\"id\":1,\"command\":\"ping\"}", 0);
	control_test_make_resource(fd);
	assert_string_equal(fakes.last, "attach");
	assert_string_equal(d.running.peer[1].name, "bob");
	control_test_expect(fd, "{\"id\":7,\"command\":\"primary\",\"force\":true,\"full_sync\":false}", 0);
	assert_string_equal(fakes.last, "primary --force");
	control_test_expect(fd, "{\"id\":8,\"command\":\"pause-sync\",\"peer\":1,\"volume\":0}", 0);
	assert_int_equal(fakes.last_command.type, BSR_CMD_PAUSE_SYNC);
	assert_int_equal(fakes.last_command.peer, 1);
	control_test_expect(fd, "{\"id\":9,\"command\":\"new-current-uuid\",\"minor\":10,\"clear_bitmap\":true}", 0);
	assert_int_equal(fakes.last_command.flags, BSR_CMDF_CLEAR_BITMAP);
	control_test_expect(fd, "{\"id\":9,\"command\":\"disconnect\",\"peer\":1}", 0);
	assert_string_equal(fakes.last, "disconnect");
	control_test_expect(fd, "{\"id\":10,\"command\":\"forget-peer\",\"peer\":5}", 0);
	assert_int_equal(fakes.last_command.type, BSR_CMD_FORGET_PEER);
	assert_int_equal(fakes.last_command.peer, 5);
	control_test_expect(fd, "{\"id\":11,\"command\":\"del-resource\"}", 159);
	close(fd);
}

static void refusals_say_who_and_what_helps(void **state)
{
	(void)state;
	int fd = control_test_dial_and_greet();
	control_test_make_resource(fd);
	fakes.refuse = -BSR_E_DEVICE_OPEN;
	fakes.refuse_text = "mounted on /mnt (pid 12, host)\nopen by sqlite3 (pid 7)\n";
	struct json_object *reply = control_test_ask(fd, "{\"id\":7,\"command\":\"secondary\"}", 1012);
	struct json_object *error = control_test_get(reply, "error");
	assert_string_equal(json_object_get_string(control_test_get(error, "name")), "DEVICE_OPEN");
	assert_string_equal(json_object_get_string(control_test_get(error, "message")), "device is held open");
	assert_string_equal(json_object_get_string(control_test_get(error, "remedy")), "close or unmount it");
	assert_int_equal(json_object_array_length(control_test_get(error, "info")), 2);
	json_object_put(reply);
	fakes.refuse = -BSR_E_DEVICE_OPEN;
	fakes.refuse_text = "no such peer; new-peer makes it known"; /* one line: what helps after the semicolon */
	reply = control_test_ask(fd, "{\"id\":7,\"command\":\"secondary\"}", 1012);
	error = control_test_get(reply, "error");
	assert_string_equal(json_object_get_string(control_test_get(error, "remedy")), "new-peer makes it known");
	assert_string_equal(
		json_object_get_string(json_object_array_get_idx(control_test_get(error, "info"), 0)), "no such peer");
	json_object_put(reply);
	fakes.refuse = -BSR_E_TWO_PRIMARIES;
	fakes.refuse_peer = 1;
	reply = control_test_ask(fd, "{\"id\":8,\"command\":\"primary\"}", 1001);
	error = control_test_get(reply, "error");
	assert_string_equal(json_object_get_string(control_test_get(error, "peer_name")), "bob");
	assert_string_equal(json_object_get_string(control_test_get(error, "remedy")),
		"bsradm secondary r0, on the node that is Primary");
	json_object_put(reply);
	close(fd);
}

static void bad_fields_are_named(void **state)
{
	(void)state;
	int fd = control_test_dial_and_greet();
	control_test_make_resource(fd);
	static const struct {
		const char *line;
		int code;
	} bad[] = {
		{"{\"id\":1}", 3002},
		{"{\"command\":\"ping\"}", 3002},
		{"{\"id\":-1,\"command\":\"ping\"}", 3002},
		{"{\"id\":9007199254740992,\"command\":\"ping\"}", 3002},
		{"{\"id\":\"1\",\"command\":\"ping\"}", 3002},
		{"{\"id\":1,\"command\":7}", 3002},
		{"{\"id\":1,\"command\":\"fly\"}", 3003},
		{"{\"id\":1,\"command\":\"ping\",\"version\":2}", 3008},
		{"{\"id\":1,\"command\":\"ping\",\"x\":1}", 3002},
		{"{\"id\":1,\"command\":\"primary\",\"force\":\"yes\"}", 3002},
		{"{\"id\":1,\"command\":\"connect\"}", 3002},
		{"{\"id\":1,\"command\":\"connect\",\"peer\":32}", 3002},
		{"{\"id\":1,\"command\":\"connect\",\"peer\":-1}", 3002},
		{"{\"id\":1,\"command\":\"connect\",\"peer\":1.5}", 3002},
		{"{\"id\":1,\"command\":\"detach\",\"minor\":11}", 127},
		{"{\"id\":1,\"command\":\"detach\",\"minor\":1048576}", 3002},
		{"{\"id\":1,\"command\":\"pause-sync\",\"peer\":1,\"volume\":7}", 127},
		{"{\"id\":1,\"command\":\"new-minor\",\"minor\":11,\"volume\":65536}", 3002},
		{"{\"id\":1,\"command\":\"new-minor\",\"minor\":11,\"volume\":1,\"diskless\":true}", 3004},
		{"{\"id\":1,\"command\":\"attach\",\"minor\":10,\"disk\":\"x\",\"meta_disk\":\"x\","
		 "\"meta_index\":\"internal\"}", 3002},
		{"{\"id\":1,\"command\":\"attach\",\"minor\":10,\"disk\":\"/x\",\"meta_disk\":\"/y\","
		 "\"meta_index\":\"internal\"}", 3002},
		{"{\"id\":1,\"command\":\"attach\",\"minor\":10,\"disk\":\"/x\",\"meta_disk\":\"/y\","
		 "\"meta_index\":\"256\"}", 3002},
		{"{\"id\":1,\"command\":\"attach\",\"minor\":10,\"disk\":\"/x\\u0000y\",\"meta_disk\":\"/y\","
		 "\"meta_index\":\"1\"}", 3002},
		{"{\"id\":1,\"command\":\"new-path\",\"peer\":1,\"local\":\"ipv4:1.2.3\",\"remote\":\"x\"}", 3002},
		{"{\"id\":1,\"command\":\"net-options\",\"peer\":1,\"options\":{\"ping-int\":\"0\"}}", 3009},
		{"{\"id\":1,\"command\":\"net-options\",\"peer\":1,\"options\":{\"ping-int\":5}}", 3009},
		{"{\"id\":1,\"command\":\"net-options\",\"peer\":1,\"options\":{\"nonsense\":\"5\"}}", 3009},
		{"{\"id\":1,\"command\":\"net-options\",\"peer\":1,\"options\":[]}", 3002},
		{"{\"id\":1,\"command\":\"net-options\",\"peer\":1,\"options\":{\"on-congestion\":\"pull-ahead\"}}", 155},
		{"{\"id\":1,\"command\":\"net-options\",\"peer\":1,\"options\":{\"sndbuf-size\":\"1M\"}}", 174},
		{"{\"id\":1,\"command\":\"net-options\",\"peer\":1,\"options\":{\"tls\":\"yes\"}}", 2004},
		{"{\"id\":1,\"command\":\"resource-options\",\"options\":{\"node-name\":\"x\"}}", 3009},
	};
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		control_test_expect(fd, bad[i].line, bad[i].code);
	}
	control_test_expect(fd, "{\"id\":1,\"command\":\"ping\",\"version\":1}\r", 0);
	close(fd);
}

/* A line with @count descriptors beside its first byte. */
static void say_with_fds(int fd, const char *text, uint32_t count)
{
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(sizeof(int) * 4)];
	} ancillary = {0};
	struct iovec iov = {.iov_base = (void *)(uintptr_t)text, .iov_len = strlen(text)};
	struct msghdr msg = {.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = ancillary.bytes,
		.msg_controllen = CMSG_SPACE(sizeof(int) * count)};
	struct cmsghdr *head = CMSG_FIRSTHDR(&msg);
	head->cmsg_level = SOL_SOCKET;
	head->cmsg_type = SCM_RIGHTS;
	head->cmsg_len = CMSG_LEN(sizeof(int) * count);
	for (uint32_t i = 0; i < count; i++) {
		memcpy(CMSG_DATA(head) + i * sizeof(int), &fd, sizeof(fd));
	}
	assert_int_equal(sendmsg(fd, &msg, MSG_NOSIGNAL), iov.iov_len);
}

static int64_t next_code(int fd)
{
	struct json_object *reply = control_test_next_line(fd);
	assert_non_null(reply);
	int64_t code = json_object_get_int64(control_test_get(control_test_get(reply, "error"), "code"));
	json_object_put(reply);
	return code;
}

static int open_descriptors(void)
{
	int count = 0;
	for (int fd = 0; fd < 1024; fd++) {
		count += fcntl(fd, F_GETFD) >= 0;
	}
	return count;
}

#define ATTACH(index)                                                                                   \
	"{\"id\":1,\"command\":\"attach\",\"minor\":10,\"disk\":\"/x\",\"meta_disk\":\"/x\"," \
	"\"meta_index\":\"" index "\"}\n"

static void descriptors_belong_to_the_line_they_came_with(void **state)
{
	(void)state;
	int fd = control_test_dial_and_greet();
	control_test_make_resource(fd);
	int before = open_descriptors();
	assert_int_equal(fakes.attach_fds, 0); /* the one of control_test_make_resource() had none */
	say_with_fds(fd, ATTACH("internal"), 2);
	assert_int_equal(next_code(fd), 0);
	assert_int_equal(fakes.attach_fds, 2);
	/* behind another line, and in two pieces */
	control_test_say(fd, "{\"id\":1,\"command\":\"ping\"}\n");
	say_with_fds(fd, "{\"id\":1,\"command\":\"attach\",", 2);
	control_test_say(fd, "\"minor\":10,\"disk\":\"/x\",\"meta_disk\":\"/x\",\"meta_index\":\"internal\"}\n");
	assert_int_equal(next_code(fd), 0);
	assert_int_equal(next_code(fd), 0);
	assert_int_equal(fakes.attach_fds, 2);
	/* those of a refused line are never taken for the next one's */
	say_with_fds(fd, ATTACH("256"), 2);
	control_test_say(fd, ATTACH("internal"));
	assert_int_equal(next_code(fd), 3002);
	assert_int_equal(next_code(fd), 0);
	assert_int_equal(fakes.attach_fds, 0);
	/* two lines under way, each with its own */
	say_with_fds(fd, ATTACH("internal"), 2);
	say_with_fds(fd, ATTACH("internal"), 2);
	assert_int_equal(next_code(fd), 0);
	fakes.attach_fds = 0;
	assert_int_equal(next_code(fd), 0);
	assert_int_equal(open_descriptors(), before);
	/* more than a line may have */
	say_with_fds(fd, ATTACH("internal"), 3);
	assert_int_equal(next_code(fd), 3002);
	assert_null(control_test_next_line(fd));
	assert_true(d.control->rejected > 0);
	close(fd);
	control_test_turns(4);
	assert_int_equal(open_descriptors(), before - 2); /* both ends of this connection */
}

static void options_merge_and_reset(void **state)
{
	(void)state;
	int fd = control_test_dial_and_greet();
	control_test_make_resource(fd);
	control_test_expect(fd, "{\"id\":1,\"command\":\"net-options\",\"peer\":1,\"options\":{\"timeout\":\"50\"}}", 0);
	assert_string_equal(json_object_get_string(control_test_get(fakes.last_options, "ping-int")), "7");
	assert_string_equal(json_object_get_string(control_test_get(fakes.last_options, "timeout")), "50");
	control_test_expect(fd,
		"{\"id\":1,\"command\":\"net-options\",\"peer\":1,\"set_defaults\":true,"
		"\"options\":{\"ko-count\":\"3\"}}", 0);
	assert_null(control_test_get(fakes.last_options, "ping-int"));
	assert_string_equal(json_object_get_string(control_test_get(fakes.last_options, "ko-count")), "3");
	assert_string_equal(json_object_get_string(control_test_get(fakes.last_options, "_name")), "bob");
	/* options of the resource and of the node are kept together, and reset apart */
	control_test_expect(fd, "{\"id\":1,\"command\":\"resource-options\",\"set_defaults\":true}", 0);
	assert_string_equal(json_object_get_string(control_test_get(fakes.last_options, "node-name")), "alice");
	struct json_object *reply =
		control_test_ask(fd, "{\"id\":1,\"command\":\"resource-options\",\"options\":{\"quorum\":\"majority\"}}", 0);
	assert_string_equal(
		json_object_get_string(json_object_array_get_idx(control_test_get(control_test_get(reply, "result"), "info"), 0)),
		"option 'quorum' has no effect in this version");
	json_object_put(reply);
	close(fd);
}

static void option_commands_take_turns(void **state)
{
	(void)state;
	int a = control_test_dial_and_greet();
	int b = control_test_dial_and_greet();
	control_test_make_resource(a);
	/* both lines are there before the first is done: the second must see what the first has set */
	static const char one[] =
		"{\"id\":1,\"command\":\"net-options\",\"peer\":1,\"options\":{\"timeout\":\"50\"}}\n";
	static const char two[] =
		"{\"id\":1,\"command\":\"net-options\",\"peer\":1,\"options\":{\"ko-count\":\"3\"}}\n";
	assert_int_equal(send(a, one, strlen(one), 0), strlen(one));
	assert_int_equal(send(b, two, strlen(two), 0), strlen(two));
	json_object_put(control_test_next_line(a));
	json_object_put(control_test_next_line(b));
	assert_string_equal(json_object_get_string(control_test_get(fakes.last_options, "timeout")), "50");
	assert_string_equal(json_object_get_string(control_test_get(fakes.last_options, "ko-count")), "3");
	close(a);
	close(b);
}

static void replies_match_ids_when_pipelined(void **state)
{
	(void)state;
	int fd = control_test_dial_and_greet();
	control_test_make_resource(fd);
	char lines[200 * 48];
	size_t used = 0;
	for (int i = 0; i < 200; i++) {
		used += (size_t)snprintf(lines + used, sizeof(lines) - used, "{\"id\":%d,\"command\":\"%s\"}\n", i,
			i % 2 == 0 ? "ping" : "secondary");
	}
	control_test_say(fd, lines);
	bool seen[200] = {false};
	for (int i = 0; i < 200; i++) {
		struct json_object *reply = control_test_next_line(fd);
		int64_t id = json_object_get_int64(control_test_get(reply, "id"));
		assert_in_range(id, 0, 199);
		assert_false(seen[id]);
		seen[id] = true;
		json_object_put(reply);
	}
	close(fd);
}

static void garbage_ends_the_connection_with_a_reason(void **state)
{
	(void)state;
	static const char *const garbage[] = {"hello\n", "[]\n", "{\"id\":1}{\n", "\xff\xfe\n", "{\n",
		"{\"id\":1,\"a\":{\"b\":{\"c\":{\"d\":{\"e\":{\"f\":{\"g\":{\"h\":{}}}}}}}}}\n", "\n"};
	for (size_t i = 0; i < sizeof(garbage) / sizeof(garbage[0]); i++) {
		int fd = control_test_dial_and_greet();
		control_test_say(fd, garbage[i]);
		struct json_object *reply = control_test_next_line(fd);
		assert_int_equal(json_object_get_int64(control_test_get(control_test_get(reply, "error"), "code")), 3001);
		json_object_put(reply);
		assert_null(control_test_next_line(fd));
		close(fd);
	}
	assert_int_equal(d.control->rejected, sizeof(garbage) / sizeof(garbage[0]));
}

static void lines_have_a_limit(void **state)
{
	(void)state;
	static char line[BSR_CONTROL_LINE_BYTES_MAX + 2];
	int fd = control_test_dial_and_greet();
	/* the longest line that is taken: 65,535 bytes and its end */
	memset(line, ' ', sizeof(line));
	memcpy(line, "{\"id\":1,\"command\":\"ping\"}", 25);
	line[BSR_CONTROL_LINE_BYTES_MAX - 1] = '\0';
	control_test_expect(fd, line, 0);
	line[BSR_CONTROL_LINE_BYTES_MAX - 1] = ' ';
	line[BSR_CONTROL_LINE_BYTES_MAX] = '\0';
	control_test_say(fd, line);
	struct json_object *reply = control_test_next_line(fd);
	assert_int_equal(json_object_get_int64(control_test_get(control_test_get(reply, "error"), "code")), 3005);
	json_object_put(reply);
	assert_null(control_test_next_line(fd));
	close(fd);
}

static void connections_have_a_limit(void **state)
{
	(void)state;
	int fds[BSR_CONTROL_CLIENTS_MAX + 1];
	for (uint32_t i = 0; i < BSR_CONTROL_CLIENTS_MAX; i++) {
		fds[i] = control_test_dial_and_greet();
	}
	fds[BSR_CONTROL_CLIENTS_MAX] = control_test_dial();
	struct json_object *line = control_test_next_line(fds[BSR_CONTROL_CLIENTS_MAX]);
	assert_int_equal(json_object_get_int64(control_test_get(control_test_get(line, "error"), "code")), 3006);
	json_object_put(line);
	for (uint32_t i = 0; i <= BSR_CONTROL_CLIENTS_MAX; i++) {
		close(fds[i]);
	}
	control_test_turns(3);
	close(control_test_dial_and_greet());
}

static void strangers_are_turned_away(void **state)
{
	(void)state;
	if (geteuid() != 0) {
		skip();
	}
	assert_return_code(chmod(control_test_directory, 0755), errno);
	assert_return_code(chmod(control_test_address.sun_path, 0777), errno);
	pid_t pid = fork();
	if (pid == 0) {
		char line[256] = "";
		int fd = socket(AF_UNIX, SOCK_STREAM, 0);
		if (setgid(65534) != 0 || setuid(65534) != 0 ||
			connect(fd, (struct sockaddr *)&control_test_address, sizeof(control_test_address)) != 0) {
			_exit(2);
		}
		ssize_t got = recv(fd, line, sizeof(line) - 1, 0);
		_exit(got > 0 && strstr(line, "\"PERMISSION\"") != NULL ? 0 : 1);
	}
	int status = -1;
	for (int i = 0; i < 2000 && waitpid(pid, &status, WNOHANG) != pid; i++) {
		control_test_turns(2);
		usleep(5000);
	}
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
}

static void publish_connection(enum bsr_conn_state conn)
{
	fakes.peer[1].conn = conn;
	control_on_state(d.control,
		&(struct bsr_fx_state){.object = BSR_OBJ_PEER,
			.action = BSR_ACT_CHANGE,
			.peer = 1,
			.volume = UINT32_MAX,
			.u.peer = {.conn = conn, .error = BSR_CONN_ERROR_NONE, .role = BSR_ROLE_SECONDARY}});
}

static void snapshot_and_events_join_without_a_gap(void **state)
{
	(void)state;
	int fd = control_test_dial_and_greet();
	control_test_make_resource(fd);
	publish_connection(BSR_CONN_CONNECTING);
	struct json_object *reply = control_test_ask(fd, "{\"id\":1,\"command\":\"subscribe\"}", 0);
	struct json_object *snapshot = control_test_get(control_test_get(reply, "result"), "snapshot");
	int64_t seq = json_object_get_int64(control_test_get(snapshot, "seq"));
	struct json_object *connection = json_object_array_get_idx(control_test_get(snapshot, "connections"), 0);
	assert_string_equal(json_object_get_string(control_test_get(connection, "connection")), "Connecting");
	json_object_put(reply);
	publish_connection(BSR_CONN_CONNECTED);
	struct json_object *event = control_test_next_line(fd);
	assert_int_equal(json_object_get_int64(control_test_get(event, "seq")), seq + 1);
	assert_string_equal(json_object_get_string(control_test_get(event, "connection")), "Connected");
	assert_null(control_test_get(event, "send_queued"));
	json_object_put(event);
	event = control_test_next_line(fd); /* its path */
	assert_int_equal(json_object_get_int64(control_test_get(event, "seq")), seq + 2);
	assert_true(json_object_get_boolean(control_test_get(event, "established")));
	json_object_put(event);
	control_test_expect(fd, "{\"id\":2,\"command\":\"unsubscribe\"}", 0);
	publish_connection(BSR_CONN_STANDALONE);
	control_test_expect(fd, "{\"id\":3,\"command\":\"ping\"}", 0);
	close(fd);
}

static void changed_identifiers_are_published(void **state)
{
	(void)state;
	int fd = control_test_dial_and_greet();
	control_test_make_resource(fd);
	fakes.volume[0].md_usable = true;
	fakes.volume[0].current_gi.v = BSR_GI_JUST_CREATED;
	control_test_expect(fd, "{\"id\":1,\"command\":\"subscribe\",\"statistics\":true}", 0);
	fakes.volume[0].current_gi.v = 0xabcd;
	control_test_expect(fd, "{\"id\":2,\"command\":\"ping\"}", 0);
	struct json_object *event = control_test_next_line(fd);
	assert_string_equal(json_object_get_string(control_test_get(event, "object")), "device");
	assert_string_equal(json_object_get_string(control_test_get(event, "current_gi")), "000000000000abcd");
	assert_non_null(control_test_get(event, "size"));
	json_object_put(event);
	close(fd);
}

static void slow_readers_are_told_and_dropped(void **state)
{
	(void)state;
	int slow = control_test_dial_and_greet();
	int quick = control_test_dial_and_greet();
	control_test_make_resource(quick);
	control_test_expect(slow, "{\"id\":1,\"command\":\"subscribe\"}", 0);
	for (int i = 0; i < 40000; i++) {
		publish_connection(i % 2 == 0 ? BSR_CONN_CONNECTED : BSR_CONN_CONNECTING);
		if (i % 1000 == 0) {
			control_test_turns(1);
		}
	}
	control_test_expect(quick, "{\"id\":2,\"command\":\"ping\"}", 0);
	struct json_object *last = NULL;
	int64_t seq = -1;
	for (struct json_object *line = control_test_next_line(slow); line != NULL; line = control_test_next_line(slow)) {
		json_object_put(last);
		last = line;
		int64_t now = json_object_get_int64(control_test_get(line, "seq"));
		assert_true(now > seq || strcmp(json_object_get_string(control_test_get(line, "event")), "lagged") == 0);
		seq = now;
	}
	assert_string_equal(json_object_get_string(control_test_get(last, "event")), "lagged");
	json_object_put(last);
	close(slow);
	close(quick);
}

static void a_client_that_leaves_loses_only_its_reply(void **state)
{
	(void)state;
	int fd = control_test_dial_and_greet();
	control_test_make_resource(fd);
	static const char line[] = "{\"id\":7,\"command\":\"secondary\"}\n";
	assert_int_equal(send(fd, line, strlen(line), 0), strlen(line));
	close(fd);
	control_test_turns(5);
	assert_string_equal(fakes.last, "secondary");
	fd = control_test_dial_and_greet(); /* takes the same slot */
	control_test_expect(fd, "{\"id\":8,\"command\":\"ping\"}", 0);
	close(fd);
}

static void half_closed_clients_get_their_answers(void **state)
{
	(void)state;
	int fd = control_test_dial_and_greet();
	control_test_make_resource(fd);
	static const char lines[] = "{\"id\":7,\"command\":\"secondary\"}\n{\"id\":8,\"command\":\"ping\"}\n";
	assert_int_equal(send(fd, lines, strlen(lines), 0), strlen(lines));
	assert_return_code(shutdown(fd, SHUT_WR), errno);
	struct json_object *one = control_test_next_line(fd);
	struct json_object *two = control_test_next_line(fd);
	assert_non_null(one);
	assert_non_null(two);
	assert_null(control_test_next_line(fd));
	json_object_put(one);
	json_object_put(two);
	close(fd);
}

static void down_answers_and_ends_the_events(void **state)
{
	(void)state;
	int fd = control_test_dial_and_greet();
	control_test_make_resource(fd);
	int watcher = control_test_dial_and_greet();
	control_test_expect(watcher, "{\"id\":1,\"command\":\"subscribe\"}", 0);
	control_test_expect(fd, "{\"id\":2,\"command\":\"down\"}", 0);
	assert_int_equal(fakes.ended, 1);
	struct json_object *event = control_test_next_line(watcher);
	assert_string_equal(json_object_get_string(control_test_get(event, "event")), "end");
	json_object_put(event);
	assert_null(control_test_next_line(watcher));
	close(watcher);
	close(fd);
}

static void a_process_that_rebuilds_answers_afterwards(void **state)
{
	(void)state;
	d.rebuilding = true;
	d.control->hold_until_ns = UINT64_MAX;
	int fd = control_test_dial_and_greet();
	static const char line[] = "{\"id\":7,\"command\":\"ping\"}\n";
	assert_int_equal(send(fd, line, strlen(line), 0), strlen(line));
	control_test_turns(20);
	char byte;
	assert_int_equal(recv(fd, &byte, 1, MSG_DONTWAIT), -1);
	assert_int_equal(errno, EAGAIN);
	d.rebuilding = false;
	control_test_turns(5);
	struct json_object *reply = control_test_next_line(fd);
	assert_int_equal(json_object_get_int64(control_test_get(reply, "id")), 7);
	json_object_put(reply);
	/* and when the rebuild hangs, commands are taken all the same */
	d.rebuilding = true;
	d.control->hold_until_ns = 1;
	control_test_expect(fd, "{\"id\":8,\"command\":\"ping\"}", 0);
	close(fd);
}

static void show_and_why_tell_what_is(void **state)
{
	(void)state;
	int fd = control_test_dial_and_greet();
	control_test_make_resource(fd);
	struct json_object *reply = control_test_ask(fd, "{\"id\":1,\"command\":\"show\"}", 0);
	struct json_object *config = control_test_get(control_test_get(reply, "result"), "config");
	assert_string_equal(json_object_get_string(control_test_get(control_test_get(config, "node_options"), "node-name")), "alice");
	assert_null(control_test_get(control_test_get(config, "options"), "node-name"));
	struct json_object *volume = json_object_array_get_idx(control_test_get(config, "volumes"), 0);
	assert_string_equal(json_object_get_string(control_test_get(volume, "meta_index")), "internal");
	assert_string_equal(json_object_get_string(control_test_get(control_test_get(volume, "options"), "al-extents")), "1237");
	json_object_put(reply);
	fakes.peer[1].error = BSR_CONN_ERROR_SPLIT_BRAIN;
	fakes.peer_device[1][0] =
		(struct bsr_peer_device_info){.exists = true, .repl = BSR_REPL_OFF, .handshake_reason = 7};
	reply = control_test_ask(fd, "{\"id\":1,\"command\":\"why\",\"peer\":1,\"volume\":0}", 0);
	struct json_object *facts = control_test_get(control_test_get(reply, "result"), "facts");
	const char *text = json_object_to_json_string(facts);
	assert_non_null(strstr(text, "split-brain"));
	assert_non_null(strstr(text, "both nodes wrote while they were apart"));
	assert_non_null(strstr(text, "bsradm connect --discard-my-data"));
	json_object_put(reply);
	close(fd);
}

static void why_names_a_missing_disk_and_commands_that_can_be_typed(void **state)
{
	(void)state;
	int fd = control_test_dial_and_greet();
	control_test_make_resource(fd);
	fakes.peer[1] = (struct bsr_peer_info){.exists = true, .conn = BSR_CONN_CONNECTED};
	fakes.volume[0].disk = BSR_DISK_UP_TO_DATE;
	fakes.peer_device[1][0] = (struct bsr_peer_device_info){
		.exists = true, .repl = BSR_REPL_ESTABLISHED, .disk = BSR_DISK_UP_TO_DATE};
	struct json_object *reply = control_test_ask(fd, "{\"id\":1,\"command\":\"why\"}", 0);
	assert_int_equal(json_object_array_length(control_test_get(control_test_get(reply, "result"), "facts")), 0);
	json_object_put(reply);
	fakes.peer_device[1][0].disk = BSR_DISK_DISKLESS;
	fakes.peer_device[1][0].handshake_reason = 8;
	reply = control_test_ask(fd, "{\"id\":2,\"command\":\"why\"}", 0);
	const char *text = json_object_to_json_string_ext(control_test_get(control_test_get(reply, "result"), "facts"), JSON_C_TO_STRING_NOSLASHESCAPE);
	assert_non_null(strstr(text, "the peer has no disk for the volume (Diskless)"));
	assert_non_null(strstr(text, "bsradm attach r0/0"));
	assert_non_null(strstr(text, "\"bsradm adjust r0; bsradm connect r0\""));
	json_object_put(reply);
	close(fd);
}

static void defaults_are_those_of_the_engine(void **state)
{
	(void)state;
	struct bsr_resource_options resource, resource_default;
	struct bsr_disk_options disk, disk_default;
	struct bsr_net_options net, net_default;
	struct bsr_link_options link;
	struct bsr_peer_device_options peer_device, peer_device_default;
	uint64_t size = 1;
	char why[200];
	memset(&resource, 0, sizeof(resource));
	memset(&disk, 0, sizeof(disk));
	memset(&net, 0, sizeof(net));
	memset(&peer_device, 0, sizeof(peer_device));
	bsr_resource_options_defaults(&resource_default);
	bsr_disk_options_defaults(&disk_default);
	bsr_net_options_defaults(&net_default);
	bsr_peer_device_options_defaults(&peer_device_default);
	assert_int_equal(bsr_options_resource(NULL, &resource, why, sizeof(why)), 0);
	assert_int_equal(bsr_options_disk(NULL, &disk, &size, why, sizeof(why)), 0);
	assert_int_equal(bsr_options_net(NULL, &net, &link, why, sizeof(why)), 0);
	assert_int_equal(bsr_options_peer_device(NULL, &peer_device, why, sizeof(why)), 0);
	assert_int_equal(size, 0);
	assert_int_equal(resource.on_no_data, resource_default.on_no_data);
	assert_int_equal(resource.twopc_timeout_ds, resource_default.twopc_timeout_ds);
	assert_int_equal(disk.on_io_error, disk_default.on_io_error);
	assert_int_equal(disk.al_extents, disk_default.al_extents);
	assert_int_equal(disk.disk_flushes, disk_default.disk_flushes);
	assert_int_equal(disk.disk_drain, disk_default.disk_drain);
	assert_int_equal(disk.md_flushes, disk_default.md_flushes);
	assert_int_equal(disk.al_updates, disk_default.al_updates);
	assert_int_equal(net.protocol, net_default.protocol);
	assert_int_equal(net.timeout_ds, net_default.timeout_ds);
	assert_int_equal(net.ko_count, net_default.ko_count);
	assert_int_equal(net.max_epoch_size, net_default.max_epoch_size);
	assert_int_equal(net.congestion_extents, net_default.congestion_extents);
	assert_memory_equal(&peer_device, &peer_device_default, sizeof(peer_device));
	assert_int_equal(link.tcp_user_timeout_s, 5);
	assert_true(link.data_checksums);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, control_test_setup, control_test_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(commands_reach_the_flows),
		TEST(refusals_say_who_and_what_helps),
		TEST(bad_fields_are_named),
		TEST(descriptors_belong_to_the_line_they_came_with),
		TEST(options_merge_and_reset),
		TEST(option_commands_take_turns),
		TEST(replies_match_ids_when_pipelined),
		TEST(garbage_ends_the_connection_with_a_reason),
		TEST(lines_have_a_limit),
		TEST(connections_have_a_limit),
		TEST(strangers_are_turned_away),
		TEST(snapshot_and_events_join_without_a_gap),
		TEST(changed_identifiers_are_published),
		TEST(slow_readers_are_told_and_dropped),
		TEST(a_client_that_leaves_loses_only_its_reply),
		TEST(half_closed_clients_get_their_answers),
		TEST(down_answers_and_ends_the_events),
		TEST(a_process_that_rebuilds_answers_afterwards),
		TEST(show_and_why_tell_what_is),
		TEST(why_names_a_missing_disk_and_commands_that_can_be_typed),
		cmocka_unit_test(defaults_are_those_of_the_engine),
	};
	signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
