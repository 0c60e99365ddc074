// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * ipc_test.c - messages arrive whole, with their descriptors, or not at all
 */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "ipc.h"

struct fixture {
	int pair[2];
	struct bsrd_message sent, got;
	struct bsrd_fds fds;
};

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));
	*state = f;
	return f == NULL ? -1 : socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, f->pair);
}

static int teardown(void **state)
{
	struct fixture *f = *state;
	close(f->pair[0]);
	close(f->pair[1]);
	free(f);
	return 0;
}

/* Descriptors that are open; a leak shows as one more. */
static int open_count(void)
{
	int count = 0;
	for (int fd = 0; fd < 256; fd++) {
		count += fcntl(fd, F_GETFD) >= 0;
	}
	return count;
}

static void a_message_arrives_with_text_and_descriptors(void **state)
{
	struct fixture *f = *state;
	int pipe_fds[2];
	char c = 0;
	assert_int_equal(pipe(pipe_fds), 0);
	bsrd_message_init(&f->sent, BSRD_IPC_OPEN_DISK);
	f->sent.volume = 7;
	f->sent.arg[3] = 1ull << 50;
	assert_true(bsrd_message_add_text(&f->sent, "/dev/a"));
	assert_true(bsrd_message_add_text(&f->sent, "/dev/b"));
	struct bsrd_fds out = {.count = 1, .fd = {pipe_fds[1]}};
	assert_int_equal(bsrd_ipc_send(f->pair[0], &f->sent, &out), 0);
	assert_int_equal(bsrd_ipc_receive(f->pair[1], &f->got, &f->fds, true), 1);
	assert_int_equal(f->got.volume, 7);
	assert_int_equal(f->got.arg[3], 1ull << 50);
	assert_int_equal(f->got.text_bytes, 14);
	assert_string_equal(f->got.text + 7, "/dev/b");
	assert_int_equal(f->fds.count, 1);
	assert_int_equal(fcntl(f->fds.fd[0], F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
	assert_int_equal(write(f->fds.fd[0], "x", 1), 1);
	assert_int_equal(read(pipe_fds[0], &c, 1), 1);
	assert_int_equal(c, 'x');
	bsrd_fds_close(&f->fds);
	close(pipe_fds[0]);
	close(pipe_fds[1]);
}

static void nothing_to_read_and_the_end_are_told_apart(void **state)
{
	struct fixture *f = *state;
	assert_int_equal(bsrd_ipc_receive(f->pair[1], &f->got, &f->fds, false), -EAGAIN);
	shutdown(f->pair[0], SHUT_RDWR);
	assert_int_equal(bsrd_ipc_receive(f->pair[1], &f->got, &f->fds, false), 0);
}

static void malformed_messages_are_refused_and_leak_nothing(void **state)
{
	struct fixture *f = *state;
	size_t head = offsetof(struct bsrd_message, text);
	struct bsrd_fds out = {.count = 2, .fd = {f->pair[0], f->pair[1]}};
	int before = open_count();
	/* too short, wrong version, wrong type, a text length that lies */
	assert_int_equal(send(f->pair[0], "abc", 3, 0), 3);
	bsrd_message_init(&f->sent, BSRD_IPC_START);
	f->sent.version = BSRD_IPC_VERSION + 1;
	assert_int_equal(bsrd_ipc_send(f->pair[0], &f->sent, &out), 0);
	bsrd_message_init(&f->sent, BSRD_IPC_START);
	f->sent.type = BSRD_IPC_TYPE_COUNT;
	assert_int_equal(bsrd_ipc_send(f->pair[0], &f->sent, &out), 0);
	bsrd_message_init(&f->sent, BSRD_IPC_START);
	f->sent.text_bytes = 100;
	assert_int_equal(send(f->pair[0], &f->sent, head + 50, 0), head + 50);
	for (int i = 0; i < 4; i++) {
		assert_int_equal(bsrd_ipc_receive(f->pair[1], &f->got, &f->fds, true), -EPROTO);
		assert_int_equal(f->fds.count, 0);
	}
	assert_int_equal(open_count(), before);
}

static void the_largest_text_fits_and_one_byte_more_does_not(void **state)
{
	struct fixture *f = *state;
	static char text[BSRD_IPC_TEXT_MAX + 1];
	memset(text, 'a', sizeof(text) - 1);
	bsrd_message_init(&f->sent, BSRD_IPC_ANSWER);
	assert_false(bsrd_message_add_text(&f->sent, text));
	text[BSRD_IPC_TEXT_MAX - 1] = '\0';
	assert_true(bsrd_message_add_text(&f->sent, text));
	assert_false(bsrd_message_add_text(&f->sent, ""));
	assert_int_equal(bsrd_ipc_send(f->pair[0], &f->sent, NULL), 0);
	assert_int_equal(bsrd_ipc_receive(f->pair[1], &f->got, &f->fds, true), 1);
	assert_int_equal(f->got.text_bytes, BSRD_IPC_TEXT_MAX);
	assert_int_equal(strlen(f->got.text), BSRD_IPC_TEXT_MAX - 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_message_arrives_with_text_and_descriptors, setup, teardown),
		cmocka_unit_test_setup_teardown(nothing_to_read_and_the_end_are_told_apart, setup, teardown),
		cmocka_unit_test_setup_teardown(malformed_messages_are_refused_and_leak_nothing, setup, teardown),
		cmocka_unit_test_setup_teardown(the_largest_text_fits_and_one_byte_more_does_not, setup, teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
