// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * control_counters_test.c - collection lasts as long as somebody wants it; counters and dump have their form;
 * settings, lines for the log and faults are checked
 */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "control_test_support.h"

#define ON "{\"id\":20,\"command\":\"measure\",\"on\":true}"
#define OFF "{\"id\":21,\"command\":\"measure\",\"on\":false}"

static void collection_ends_with_the_last_who_wants_it(void **state)
{
	int first = control_test_dial_and_greet();
	int second = control_test_dial_and_greet();
	(void)state;
	control_test_expect(first, ON, 3010);
	control_test_make_resource(first);
	assert_false(fakes.measures);
	control_test_expect(first, ON, 0);
	control_test_expect(first, ON, 0); /* twice is once */
	control_test_expect(second, ON, 0);
	assert_true(fakes.measures);
	assert_int_equal(d.control->measurers, 2);
	control_test_expect(first, OFF, 0);
	control_test_turns(3);
	assert_true(fakes.measures);
	close(second); /* CC-1: without a word */
	control_test_turns(5);
	assert_false(fakes.measures);
	assert_int_equal(d.control->measurers, 0);
	control_test_expect(first, OFF, 0); /* nobody wants it: fine */
	control_test_expect(first, ON, 0);
	assert_true(fakes.measures);
	close(first);
	control_test_turns(5);
	assert_false(fakes.measures);
}

static void a_refusal_leaves_it_off(void **state)
{
	int fd = control_test_dial_and_greet();
	(void)state;
	control_test_make_resource(fd);
	control_test_expect(fd, "{\"id\":1,\"command\":\"measure\"}", 3002);
	control_test_expect(fd, "{\"id\":1,\"command\":\"measure\",\"on\":\"yes\"}", 3002);
	fakes.refuse = -BSR_E_NO_MEMORY;
	struct json_object *reply = control_test_ask(fd, ON, BSR_E_NO_MEMORY);
	json_object_put(reply);
	assert_int_equal(d.control->measurers, 0);
	close(fd);
}

static struct json_object *member_at(struct json_object *object, const char *array, size_t index)
{
	struct json_object *found = control_test_get(object, array);
	return found == NULL ? NULL : json_object_array_get_idx(found, index);
}

static void counters_have_histograms_only_while_it_is_on(void **state)
{
	int fd = control_test_dial_and_greet();
	(void)state;
	control_test_make_resource(fd);
	fakes.peer_device[1][0].exists = true;
	struct json_object *reply = control_test_ask(fd, "{\"id\":1,\"command\":\"counters\"}", 0);
	struct json_object *counters = control_test_get(control_test_get(reply, "result"), "counters");
	assert_false(json_object_get_boolean(control_test_get(counters, "measures")));
	assert_null(control_test_get(member_at(counters, "volumes", 0), "stages"));
	json_object_put(reply);

	control_test_expect(fd, ON, 0);
	reply = control_test_ask(fd, "{\"id\":1,\"command\":\"counters\"}", 0);
	counters = control_test_get(control_test_get(reply, "result"), "counters");
	struct json_object *volume = member_at(counters, "volumes", 0);
	struct json_object *write = control_test_get(control_test_get(volume, "stages"), "write");
	assert_int_equal(json_object_get_int64(control_test_get(write, "count")), 5);
	assert_int_equal(json_object_get_int64(control_test_get(write, "sum_ns")), 5000);
	assert_string_equal(
		json_object_to_json_string_ext(control_test_get(write, "buckets"), JSON_C_TO_STRING_PLAIN),
		"[[2,1],[191,4]]");
	assert_int_equal(json_object_get_int(control_test_get(volume, "al_hits")), 3);
	struct json_object *peer = member_at(counters, "peers", 0);
	assert_string_equal(json_object_get_string(control_test_get(peer, "name")), "bob");
	struct json_object *there = control_test_get(member_at(peer, "volumes", 0), "stages");
	assert_int_equal(json_object_get_int(control_test_get(control_test_get(there, "disk"), "count")), 1);
	json_object_put(reply);
	close(fd);
}

static void the_dump_names_the_oldest_request(void **state)
{
	int fd = control_test_dial_and_greet();
	(void)state;
	control_test_make_resource(fd);
	struct json_object *reply = control_test_ask(fd, "{\"id\":1,\"command\":\"debug\"}", 0);
	struct json_object *debug = control_test_get(control_test_get(reply, "result"), "debug");
	struct json_object *resource = control_test_get(debug, "resource");
	struct json_object *oldest = control_test_get(resource, "oldest_request");
	assert_int_equal(json_object_get_int(control_test_get(oldest, "age_us")), 1234);
	assert_string_equal(json_object_get_string(control_test_get(oldest, "stage")), "held");
	assert_string_equal(json_object_to_json_string_ext(
				    control_test_get(oldest, "waits_for_peers"), JSON_C_TO_STRING_PLAIN),
		"[1]");
	assert_string_equal(json_object_get_string(control_test_get(resource, "deadline_ns")), "never");
	assert_int_equal(
		json_object_get_int(control_test_get(member_at(debug, "volumes", 0), "al_pinned")), 9);
	assert_string_equal(
		json_object_get_string(control_test_get(member_at(debug, "peers", 0), "handshake")),
		"complete");
	json_object_put(reply);
	close(fd);
}

static void settings_are_checked_and_taken(void **state)
{
	int fd = control_test_dial_and_greet();
	(void)state;
	bsr_settings_defaults(&d.settings);
	control_test_expect(
		fd, "{\"id\":1,\"command\":\"settings\",\"options\":{\"log-level-dbg\":\"8\"}}", 3009);
	control_test_expect(
		fd, "{\"id\":1,\"command\":\"settings\",\"options\":{\"log-path\":\"/etc\"}}", 3009);
	control_test_expect(
		fd, "{\"id\":1,\"command\":\"settings\",\"options\":{\"handlers\":\"0\",\"x\":\"1\"}}", 3009);
	assert_int_equal(fakes.settings_changed, 0);
	assert_int_equal(d.settings.handlers, 1); /* all or nothing */
	control_test_expect(fd,
		"{\"id\":1,\"command\":\"settings\",\"options\":{\"log-level-dbg\":\"7\",\"handlers\":\"0\"}}",
		0);
	assert_int_equal(fakes.settings_changed, 1);
	struct json_object *reply = control_test_ask(fd, "{\"id\":1,\"command\":\"settings\"}", 0);
	struct json_object *now = control_test_get(control_test_get(reply, "result"), "settings");
	assert_int_equal(json_object_get_int(control_test_get(now, "log-level-dbg")), 7);
	assert_int_equal(json_object_get_int(control_test_get(now, "handlers")), 0);
	json_object_put(reply);
	close(fd);
}

static void a_line_for_the_log_stays_in_its_quotes(void **state)
{
	int fd = control_test_dial_and_greet();
	(void)state;
	control_test_expect(fd, "{\"id\":1,\"command\":\"log\",\"level\":\"8\",\"text\":\"x\"}", 3002);
	control_test_expect(fd, "{\"id\":1,\"command\":\"log\",\"level\":\"5\"}", 3002);
	control_test_expect(
		fd, "{\"id\":1,\"command\":\"log\",\"level\":\"4\",\"text\":\"a \\\"b\\\" c\\\\\"}", 0);
	assert_int_equal(fakes.logged, BSR_LOGN_NOTE_WARN);
	assert_string_equal(fakes.logged_text, "text=\"a 'b' c'\"");
	close(fd);
}

#define FAULT(options) "{\"id\":1,\"command\":\"fault\",\"options\":{" options "}}"

static void faults_are_refused_unless_allowed(void **state)
{
	int fd = control_test_dial_and_greet();
	(void)state;
	control_test_make_resource(fd);
	d.faults_allowed = false;
	control_test_expect(fd, FAULT("\"kind\":\"disk\",\"delay\":\"5\""), 3011);
	control_test_expect(fd, "{\"id\":1,\"command\":\"fault\",\"clear\":true}", 3011);
	control_test_expect(fd, "{\"id\":1,\"command\":\"fault\"}", 0);
	d.faults_allowed = true;
	control_test_expect(fd, FAULT(""), 3009);
	control_test_expect(fd, FAULT("\"kind\":\"disk\""), 3009);
	control_test_expect(fd, FAULT("\"kind\":\"disk\",\"delay\":\"60001\""), 3009);
	control_test_expect(
		fd, FAULT("\"kind\":\"disk\",\"delay\":\"60000\",\"count\":\"1000000001\""), 3009);
	control_test_expect(fd, FAULT("\"kind\":\"disk\",\"volume\":\"9\",\"delay\":\"1\""), 3009);
	control_test_expect(fd, FAULT("\"kind\":\"network\",\"error\":\"yes\""), 3009);
	control_test_expect(fd, FAULT("\"kind\":\"disk\",\"peer\":\"bob\",\"error\":\"yes\""), 3009);
	assert_int_equal(fakes.fault_count, 0);
	control_test_expect(fd,
		FAULT("\"kind\":\"meta\",\"op\":\"read\",\"delay\":\"60000\",\"count\":\"2\",\"volume\":\"0\""),
		0);
	control_test_expect(fd, FAULT("\"kind\":\"network\",\"peer\":\"bob\",\"delay\":\"1\""), 0);
	assert_int_equal(fakes.fault_count, 2);
	assert_int_equal(fakes.fault[0].ops, BSRD_FAULT_READ);
	assert_int_equal(fakes.fault[1].peer, 1);
	struct json_object *reply = control_test_ask(fd, "{\"id\":1,\"command\":\"fault\"}", 0);
	assert_string_equal(
		json_object_to_json_string_ext(
			member_at(control_test_get(reply, "result"), "faults", 0), JSON_C_TO_STRING_PLAIN),
		"{\"kind\":\"meta\",\"volume\":0,\"op\":\"read\",\"delay\":60000,\"error\":\"no\",\"count\":2,\"done\":0}");
	json_object_put(reply);
	control_test_expect(fd, "{\"id\":1,\"command\":\"fault\",\"clear\":true}", 0);
	assert_int_equal(fakes.fault_count, 0);
	close(fd);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, control_test_setup, control_test_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(collection_ends_with_the_last_who_wants_it),
		TEST(a_refusal_leaves_it_off),
		TEST(counters_have_histograms_only_while_it_is_on),
		TEST(the_dump_names_the_oldest_request),
		TEST(settings_are_checked_and_taken),
		TEST(a_line_for_the_log_stays_in_its_quotes),
		TEST(faults_are_refused_unless_allowed),
	};
	signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
