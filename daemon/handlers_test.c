// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * handlers_test.c - which program runs for a handler, with which environment, and what it answers
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "bsrd.h"
#include "keeper.h"

static struct keeper k;
static int engine_end;
static char dir[64], helper[128], output[128];

static int setup(void **state)
{
	int pair[2];
	(void)state;
	memset(&k, 0, sizeof(k));
	snprintf(dir, sizeof(dir), "/tmp/bsr-handlers-XXXXXX");
	if (mkdtemp(dir) == NULL || socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) != 0) {
		return -1;
	}
	snprintf(helper, sizeof(helper), "%s/helper", dir);
	snprintf(output, sizeof(output), "%s/output", dir);
	FILE *f = fopen(helper, "w");
	fprintf(f, "#!/bin/sh\n{ echo \"args $*\"; env; } > %s\nexit 4\n", output);
	fclose(f);
	chmod(helper, 0755);
	snprintf(k.resource, sizeof(k.resource), "r0");
	k.phase = KEEPER_RUNNING;
	k.generation = 1;
	k.report_fd = -1;
	k.settings.handlers = 1;
	k.engine_sock = pair[0];
	engine_end = pair[1];
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	unlink(helper);
	unlink(output);
	rmdir(dir);
	close(k.engine_sock);
	close(engine_end);
	return 0;
}

static uint64_t ask(struct bsrd_message *m)
{
	static struct bsrd_message answer;
	struct bsrd_fds fds;
	const struct timespec pause = {.tv_nsec = 5000000};
	m->request = 42;
	keeper_handler_start(&k, m);
	for (int i = 0; i < 2000; i++) {
		keeper_handlers_reap(&k);
		if (bsrd_ipc_receive(engine_end, &answer, &fds, false) == 1) {
			assert_int_equal(answer.request, 42);
			return answer.arg[0];
		}
		nanosleep(&pause, NULL);
	}
	fail_msg("no answer");
	return 0;
}

static void read_output(char *text, size_t room)
{
	FILE *f = fopen(output, "r");
	assert_non_null(f);
	text[fread(text, 1, room - 1, f)] = '\0';
	fclose(f);
}

static void a_handler_gets_name_resource_and_situation(void **state)
{
	static struct bsrd_message m;
	char text[4096];
	(void)state;
	k.helper = helper;
	bsrd_message_init(&m, BSRD_IPC_HANDLER);
	m.arg[0] = BSR_HANDLER_FENCE_PEER;
	bsrd_message_add_text(&m, "BSR_PEER_NODE_ID=1");
	bsrd_message_add_text(&m, "UP_TO_DATE_NODES=0x00000001");
	assert_int_equal(ask(&m), 4);
	read_output(text, sizeof(text));
	assert_non_null(strstr(text, "args fence-peer r0\n"));
	assert_non_null(strstr(text, "\nBSR_PEER_NODE_ID=1\n"));
	assert_non_null(strstr(text, "\nUP_TO_DATE_NODES=0x00000001\n"));
	assert_non_null(strstr(text, "PATH=/sbin:/usr/sbin:/bin:/usr/bin\n"));
}

static void what_a_script_could_stumble_over_is_left_out(void **state)
{
	static struct bsrd_message m;
	char text[4096];
	(void)state;
	k.helper = helper;
	bsrd_message_init(&m, BSRD_IPC_HANDLER);
	m.arg[0] = BSR_HANDLER_SPLIT_BRAIN;
	bsrd_message_add_text(&m, "LD_PRELOAD=/tmp/evil.so");
	bsrd_message_add_text(&m, "BSR_A=$(touch /tmp/evil)");
	bsrd_message_add_text(&m, "BSR_B=a\nPATH=/tmp");
	bsrd_message_add_text(&m, "BSR_NO_VALUE");
	bsrd_message_add_text(&m, "BSR_GOOD=yes");
	memcpy(m.text + m.text_bytes, "BSR_OPEN=end", 12); /* not ended by a zero */
	m.text_bytes += 12;
	assert_int_equal(ask(&m), 4);
	read_output(text, sizeof(text));
	assert_null(strstr(text, "evil"));
	assert_null(strstr(text, "BSR_A"));
	assert_null(strstr(text, "BSR_B"));
	assert_null(strstr(text, "PATH=/tmp"));
	assert_null(strstr(text, "BSR_OPEN"));
	assert_non_null(strstr(text, "BSR_GOOD=yes"));
}

static void without_a_helper_nothing_is_run_and_the_answer_is_0(void **state)
{
	static struct bsrd_message m;
	(void)state;
	k.helper = NULL;
	bsrd_message_init(&m, BSRD_IPC_HANDLER);
	assert_int_equal(ask(&m), 0);
	assert_int_not_equal(access(output, F_OK), 0);
}

static void unknown_handlers_and_missing_programs_are_not_run(void **state)
{
	static struct bsrd_message m;
	(void)state;
	k.helper = helper;
	bsrd_message_init(&m, BSRD_IPC_HANDLER);
	m.arg[0] = BSR_HANDLER_COUNT;
	assert_int_equal(ask(&m), UINT64_MAX);
	k.helper = "/nonexistent/helper";
	m.arg[0] = BSR_HANDLER_FENCE_PEER;
	assert_int_equal(ask(&m), 0); /* as without a handler */
	assert_int_not_equal(access(output, F_OK), 0);
}

static void an_answer_for_a_dead_generation_is_dropped(void **state)
{
	static struct bsrd_message m;
	struct bsrd_fds fds;
	const struct timespec pause = {.tv_nsec = 5000000};
	(void)state;
	k.helper = helper;
	bsrd_message_init(&m, BSRD_IPC_HANDLER);
	keeper_handler_start(&k, &m);
	k.generation++;
	for (int i = 0; i < 2000 && k.handler[0].pid != 0; i++) {
		keeper_handlers_reap(&k);
		nanosleep(&pause, NULL);
	}
	assert_int_equal(k.handler[0].pid, 0);
	assert_true(bsrd_ipc_receive(engine_end, &m, &fds, false) < 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_handler_gets_name_resource_and_situation, setup, teardown),
		cmocka_unit_test_setup_teardown(what_a_script_could_stumble_over_is_left_out, setup, teardown),
		cmocka_unit_test_setup_teardown(without_a_helper_nothing_is_run_and_the_answer_is_0, setup, teardown),
		cmocka_unit_test_setup_teardown(unknown_handlers_and_missing_programs_are_not_run, setup, teardown),
		cmocka_unit_test_setup_teardown(an_answer_for_a_dead_generation_is_dropped, setup, teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
