// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * arguments_test.c - command lines into requests
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "client.h"
#include "command.h"

#include <bsr/assert.h>

_Noreturn void bsr_panic(const char *file, int line, const char *what)
{
	fprintf(stderr, "%s:%d: %s\n", file, line, what);
	abort();
}

#define WORDS_MAX 32

/* Splits @line at blanks and parses it; "" in @why on success. */
static int parse(struct bsr_setup_call *call, char *copy, const char *line, struct bsr_text *why)
{
	char *words[WORDS_MAX];
	int count = 0;
	strcpy(copy, line);
	for (char *word = strtok(copy, " "); word != NULL; word = strtok(NULL, " ")) {
		assert_in_range(count, 0, WORDS_MAX - 1);
		words[count++] = word;
	}
	const struct bsr_setup_command *command = bsr_setup_command_find(words[0]);
	assert_non_null(command);
	return bsr_setup_parse(call, command, count - 1, words + 1, why);
}

static void expect_request(const char *line, const char *resource, const char *request)
{
	struct bsr_setup_call call;
	struct bsr_text why = {0};
	char copy[1024];
	if (parse(&call, copy, line, &why) != 0) {
		fail_msg("%s: %s", line, bsr_text_string(&why));
	}
	assert_string_equal(call.resource, resource);
	assert_string_equal(
		json_object_to_json_string_ext(
			call.request, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE),
		request);
	bsr_setup_call_free(&call);
	bsr_text_free(&why);
}

static void expect_refusal(const char *line, const char *reason)
{
	struct bsr_setup_call call;
	struct bsr_text why = {0};
	char copy[1024];
	if (parse(&call, copy, line, &why) == 0) {
		fail_msg("accepted: %s", line);
	}
	if (strstr(bsr_text_string(&why), reason) == NULL) {
		fail_msg("%s: %s", line, bsr_text_string(&why));
	}
	bsr_setup_call_free(&call);
	bsr_text_free(&why);
}

static void documented_command_lines_become_requests(void **state)
{
	(void)state;
	expect_request("new-resource r0 0 --persist-role=yes --quorum=majority", "r0",
		"{\"command\":\"new-resource\",\"node_id\":0,"
		"\"options\":{\"persist-role\":\"yes\",\"quorum\":\"majority\"}}");
	expect_request("node-options r0 --set-defaults --svc-auto-up=no --node-name=alice", "r0",
		"{\"command\":\"node-options\",\"set_defaults\":true,"
		"\"options\":{\"svc-auto-up\":\"no\",\"node-name\":\"alice\"}}");
	expect_request("new-minor r0 7 3", "r0", "{\"command\":\"new-minor\",\"minor\":7,\"volume\":3}");
	expect_request("new-peer r0 1 --_name=bob --peer-node-name=bob --protocol=C --ping-int=7", "r0",
		"{\"command\":\"new-peer\",\"peer\":1,\"options\":{\"_name\":\"bob\",\"peer-node-name\":\"bob\","
		"\"protocol\":\"C\",\"ping-int\":\"7\"}}");
	expect_request("new-path r0 1 ipv4:10.1.1.31:7000 ipv4:10.1.1.32:7000 1", "r0",
		"{\"command\":\"new-path\",\"peer\":1,\"local\":\"ipv4:10.1.1.31:7000\","
		"\"remote\":\"ipv4:10.1.1.32:7000\"}");
	expect_request("peer-device-options r0 1 0 --c-max-rate=4M", "r0",
		"{\"command\":\"peer-device-options\",\"peer\":1,\"volume\":0,\"options\":{\"c-max-rate\":\"4M\"}}");
	expect_request("attach 0 /dev/sda1 /dev/sda1 internal --al-extents=1237", "",
		"{\"command\":\"attach\",\"minor\":0,\"disk\":\"/dev/sda1\",\"meta_disk\":\"/dev/sda1\","
		"\"meta_index\":\"internal\",\"options\":{\"al-extents\":\"1237\"}}");
	expect_request("attach 0 /dev/sda1 /dev/loop3 /etc/bsr.d/meta/a", "",
		"{\"command\":\"attach\",\"minor\":0,\"disk\":\"/dev/sda1\",\"meta_disk\":\"/dev/loop3\","
		"\"meta_index\":\"flexible\"}");
	expect_request("primary r0 --overwrite-data-of-peer --full-sync=no", "r0",
		"{\"command\":\"primary\",\"force\":true,\"full_sync\":false}");
	expect_request("invalidate /dev/bsr12 --sync-from-peer-node-id 3", "",
		"{\"command\":\"invalidate\",\"minor\":12,\"from_peer\":3}");
	expect_request("verify r0 1 2 --start=16s --stop 4096 --auto-sync", "r0",
		"{\"command\":\"verify\",\"peer\":1,\"volume\":2,\"start\":16,\"stop\":4096,\"auto_sync\":true}");
	expect_request("connect --dry-run r0 1", "r0", "{\"command\":\"connect\",\"tentative\":true,\"peer\":1}");
	expect_request("disk-options 0 --md-flushes --al-updates=no", "",
		"{\"command\":\"disk-options\",\"minor\":0,\"options\":{\"md-flushes\":\"yes\",\"al-updates\":\"no\"}}");
	expect_request("down all", "", "{\"command\":\"down\"}");
	expect_request("down", "", "{\"command\":\"down\"}");
	expect_request("down -- r0", "r0", "{\"command\":\"down\"}");
}

static void what_is_not_understood_is_named(void **state)
{
	(void)state;
	expect_refusal("primary", "missing argument RESOURCE");
	expect_refusal("primary r0 r1", "excess argument 'r1'");
	expect_refusal("primary r0 --fast", "unrecognized option '--fast'");
	expect_refusal("primary r0 --force=maybe", "'maybe' is not yes or no");
	expect_refusal("status -x", "unrecognized option '-x'");
	expect_refusal("primary all", "'all' is not a name of a resource");
	expect_refusal("primary ../../etc/passwd", "is not a name of a resource");
	expect_refusal("cstate r0 32", "'32' is not a peer (0..31)");
	expect_refusal("verify r0 1 0 --start=s", "is not a number of sectors");
	expect_refusal("verify r0 1 0 --stop=1k", "is not a number of sectors");
	expect_refusal("verify r0 1 0 --stop=2199023255553", "is not a number of sectors");
	expect_refusal("cstate r0 -1", "unrecognized option '-1'");
	expect_refusal("new-resource r0 99999999999999999999", "is not a node id (0..31)");
	expect_refusal("new-minor r0 1048576 0", "is not a minor number");
	expect_refusal("new-minor r0 0 65536", "is not a volume (0..65535)");
	expect_refusal("attach 0 /a /b middle", "is not an index");
	expect_refusal("attach 0 /a /b 256", "is not an index");
	expect_refusal("attach 0 /a /b internal --on-io-error=explode", "--on-io-error: ");
	expect_refusal("attach 0 /a /b internal --disk-timeout", "option '--disk-timeout' needs a value");
	expect_refusal("net-options r0 1 --ping-int=0", "--ping-int: ");
	expect_refusal("net-options r0 1 --al-extents=100", "unrecognized option '--al-extents'");
	expect_refusal("new-path r0 1 1.2.3.4:0 1.2.3.4", "is not an address");
	expect_refusal("new-path r0 1 1.2.3.4 1.2.3.4:65536", "is not an address");
	expect_refusal("new-path r0 1 ipv6:[fd00::1 1.2.3.4", "is not an address");
	expect_refusal("new-path r0 1 1.2.3.4 1.2.3.5 2", "is not 0 or 1");
}

static void addresses_are_completed(void **state)
{
	(void)state;
	static const struct {
		const char *given;
		bool of_peer;
		const char *made;
	} addresses[] = {
		{"10.0.0.1", false, "ipv4:10.0.0.1:7788"},
		{"local:ipv4:10.0.0.1:1", false, "ipv4:10.0.0.1:1"},
		{"peer:10.0.0.1:65535", true, "ipv4:10.0.0.1:65535"},
		{"ipv6:[fd01::3]:7001", false, "ipv6:[fd01::3]:7001"},
		{"ipv6:[fe80::1%eth0]", false, "ipv6:[fe80::1%eth0]:7788"},
		{"ipv6:[fe80::1%eth0]:5", true, "ipv6:[fe80::1]:5"},
	};
	for (size_t i = 0; i < sizeof(addresses) / sizeof(addresses[0]); i++) {
		struct bsr_text made = {0};
		assert_true(bsr_setup_address(&made, addresses[i].given, addresses[i].of_peer));
		assert_string_equal(bsr_text_string(&made), addresses[i].made);
		bsr_text_free(&made);
	}
}

static void minors_are_numbers_names_or_links(void **state)
{
	(void)state;
	char link[] = "/tmp/bsr-arguments-test-XXXXXX";
	assert_int_equal(bsr_setup_minor("0"), 0);
	assert_int_equal(bsr_setup_minor("1048575"), 1048575);
	assert_int_equal(bsr_setup_minor("/dev/bsr3"), 3);
	assert_int_equal(bsr_setup_minor("minor-4"), 4);
	assert_int_equal(bsr_setup_minor("1048576"), -1);
	assert_int_equal(bsr_setup_minor("bsr"), -1);
	assert_int_equal(bsr_setup_minor("3x"), -1);
	assert_int_equal(bsr_setup_minor(""), -1);
	assert_int_equal(bsr_setup_minor("/dev/null"), -1);
	assert_non_null(mkdtemp(link));
	assert_int_equal(rmdir(link), 0);
	assert_int_equal(symlink("../bsr17", link), 0);
	assert_int_equal(bsr_setup_minor(link), 17);
	assert_int_equal(unlink(link), 0);
}

static void local_flags_stay_here(void **state)
{
	(void)state;
	struct bsr_setup_call call;
	struct bsr_text why = {0};
	char copy[256];
	assert_int_equal(parse(&call, copy, "status -vs --color=always --json=no r0", &why), 0);
	assert_true(bsr_setup_flag(&call, "verbose"));
	assert_true(bsr_setup_flag(&call, "statistics"));
	assert_false(bsr_setup_flag(&call, "json"));
	assert_string_equal(bsr_json_string(call.flags, "color"), "always");
	assert_string_equal(json_object_to_json_string_ext(call.request, JSON_C_TO_STRING_PLAIN),
		"{\"command\":\"status\"}");
	bsr_setup_call_free(&call);
	assert_int_equal(parse(&call, copy, "wait-connect-volume r0 1 2 -t 30 -w", &why), 0);
	assert_string_equal(bsr_json_string(call.flags, "wfc-timeout"), "30");
	assert_true(bsr_setup_flag(&call, "wait-after-sb"));
	assert_int_equal(call.peer, 1);
	assert_int_equal(call.volume, 2);
	bsr_setup_call_free(&call);
	assert_int_equal(parse(&call, copy, "why r0:bob/3", &why), 0);
	assert_string_equal(call.resource, "r0");
	assert_string_equal(bsr_json_string(call.flags, "peer"), "bob");
	assert_int_equal(call.volume, 3);
	bsr_setup_call_free(&call);
	bsr_text_free(&why);
}

static void names_that_would_leave_the_directory_are_refused(void **state)
{
	(void)state;
	char longest[BSR_NAME_BYTES_MAX + 2];
	memset(longest, 'x', sizeof(longest));
	longest[BSR_NAME_BYTES_MAX] = '\0';
	assert_true(bsr_client_name_ok(longest));
	longest[BSR_NAME_BYTES_MAX] = 'x';
	longest[BSR_NAME_BYTES_MAX + 1] = '\0';
	assert_false(bsr_client_name_ok(longest));
	assert_true(bsr_client_name_ok("r0"));
	assert_false(bsr_client_name_ok(""));
	assert_false(bsr_client_name_ok(".."));
	assert_false(bsr_client_name_ok("a/b"));
	assert_false(bsr_client_name_ok("a\nb"));
	assert_false(bsr_client_name_ok("all"));
}

static void every_command_has_help(void **state)
{
	(void)state;
	for (size_t i = 0; bsr_setup_command_at(i) != NULL; i++) {
		const struct bsr_setup_command *command = bsr_setup_command_at(i);
		struct bsr_text text = {0};
		assert_ptr_equal(bsr_setup_command_find(command->name), command);
		assert_non_null(command->run);
		bsr_setup_help_command(&text, command);
		bsr_setup_xml_help(&text, command);
		assert_non_null(strstr(bsr_text_string(&text), command->help));
		bsr_text_free(&text);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(documented_command_lines_become_requests),
		cmocka_unit_test(what_is_not_understood_is_named),
		cmocka_unit_test(addresses_are_completed),
		cmocka_unit_test(minors_are_numbers_names_or_links),
		cmocka_unit_test(local_flags_stay_here),
		cmocka_unit_test(names_that_would_leave_the_directory_are_refused),
		cmocka_unit_test(every_command_has_help),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
