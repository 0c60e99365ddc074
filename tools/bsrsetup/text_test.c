// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * text_test.c - what the formatters write, from recorded snapshots
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "events.h"
#include "gi_text.h"
#include "names.h"
#include "progress.h"
#include "report.h"
#include "show_text.h"
#include "status_json.h"
#include "status_text.h"

#include <bsr/assert.h>

_Noreturn void bsr_panic(const char *file, int line, const char *what)
{
	fprintf(stderr, "%s:%d: %s\n", file, line, what);
	abort();
}

static struct json_object *parse(const char *text)
{
	struct json_object *object = json_tokener_parse(text);
	assert_non_null(object);
	return object;
}

static void expect_status(const char *snapshot, struct bsr_status_style style, const char *expected)
{
	struct bsr_text out = {0};
	struct json_object *object = parse(snapshot);
	bsr_status_text(&out, object, &style);
	assert_string_equal(bsr_text_string(&out), expected);
	bsr_text_free(&out);
	json_object_put(object);
}

/* One volume of 1 GiB, one peer; the format strings fill in what a test is about. */
#define RESOURCE(role)                                                                             \
	"\"resource\":{\"name\":\"r0\",\"node_id\":0,\"node_name\":\"alice\",\"role\":\"" role      \
	"\",\"suspended\":[],\"write_ordering\":\"flush\",\"requests_pending\":0}"
#define DEVICE(disk)                                                                               \
	"\"devices\":[{\"volume\":0,\"minor\":0,\"disk\":\"" disk                                   \
	"\",\"client\":\"no\",\"open\":false,\"attached\":true,\"backing\":\"/dev/sda1\","          \
	"\"size\":1073741824,\"read\":2048000,\"written\":409600000,\"al_writes\":0,"               \
	"\"bm_writes\":0,\"upper_pending\":0,\"lower_pending\":0,\"al_suspended\":false,"           \
	"\"al_pending_changes\":0,\"al_used\":0,\"al_extents\":6001,\"accelbuf_used\":0,"           \
	"\"blocked\":[],\"io_errors\":0,\"current_gi\":\"1122334455667788\","                       \
	"\"history_gi\":[\"0000000000000000\",\"0000000000000000\"],"                               \
	"\"md_flags\":[\"consistent\",\"was-up-to-date\",\"primary-ind\",\"al-clean\"]}]"
#define PEER_DEVICE(replication, disk, oos)                                                        \
	"{\"volume\":0,\"replication\":\"" replication "\",\"peer_disk\":\"" disk                   \
	"\",\"peer_client\":\"no\",\"resync_suspended\":[],\"received\":0,\"sent\":3072000,"        \
	"\"out_of_sync\":" oos ",\"pending\":0,\"unacked\":0,\"bitmap_gi\":\"00000000000000aa\","   \
	"\"peer_md_flags\":[\"peer-connected\",\"peer-outdate\",\"peer-full-sync\"],"               \
	"\"resync\":{\"total\":1073741824,\"left\":268435456,\"rate\":104857600,"                   \
	"\"want\":104857600,\"elapsed_ms\":7300}}"
#define CONNECTION(state, role, peer_device)                                                       \
	"\"connections\":[{\"peer\":1,\"name\":\"bob\",\"connection\":\"" state                     \
	"\",\"role\":\"" role "\",\"congested\":false,\"peer_node_name\":\"bob\","                  \
	"\"paths\":[{\"local\":\"ipv4:10.1.1.31:7000\",\"remote\":\"ipv4:10.1.1.32:7000\","         \
	"\"established\":true}],\"peer_devices\":[" peer_device "]}]"

static const char syncing[] = "{\"seq\":1,\"time_us\":0," RESOURCE("Primary") "," DEVICE(
	"UpToDate") "," CONNECTION("Connected", "Secondary",
	PEER_DEVICE("SyncSource", "Inconsistent", "268435456")) "}";
static const char quiet[] = "{\"seq\":1,\"time_us\":0," RESOURCE("Primary") "," DEVICE(
	"UpToDate") "," CONNECTION("Connected", "Secondary",
	PEER_DEVICE("Established", "UpToDate", "0")) "}";
static const char fresh[] = "{\"seq\":1,\"time_us\":0," RESOURCE("Secondary") "," DEVICE(
	"Inconsistent") "," CONNECTION("Connected", "Secondary",
	PEER_DEVICE("Established", "Inconsistent", "1073741824")) "}";
static const char split[] =
	"{\"resource\":{\"name\":\"r0\",\"node_id\":0,\"role\":\"Primary\",\"suspended\":[]},"
	"\"devices\":[{\"volume\":0,\"minor\":0,\"disk\":\"UpToDate\",\"client\":\"no\"}],"
	"\"connections\":[{\"peer\":1,\"name\":\"bob\",\"connection\":\"StandAlone\","
	"\"error\":\"split-brain\",\"role\":\"Unknown\",\"congested\":false,\"peer_devices\":["
	"{\"volume\":0,\"replication\":\"Off\",\"peer_disk\":\"DUnknown\"}]}]}";

static void status_shows_only_what_is_not_normal(void **state)
{
	(void)state;
	expect_status(syncing, (struct bsr_status_style){.width = 80},
		"r0 role:Primary\n"
		"  disk:UpToDate\n"
		"  bob role:Secondary\n"
		"    replication:SyncSource peer-disk:Inconsistent done:75.00\n"
		"\n");
	expect_status(split, (struct bsr_status_style){.width = 80},
		"r0 role:Primary\n"
		"  disk:UpToDate\n"
		"  bob connection:StandAlone error:split-brain\n"
		"\n");
	expect_status(fresh, (struct bsr_status_style){.width = 80},
		"r0 role:Secondary\n"
		"  disk:Inconsistent\n"
		"  bob role:Secondary\n"
		"    peer-disk:Inconsistent\n"
		"\n");
}

static void status_verbose_with_statistics_wraps_at_80(void **state)
{
	(void)state;
	expect_status(quiet,
		(struct bsr_status_style){.width = 80, .verbose = true, .statistics = true},
		"r0 node-id:0 role:Primary suspended:no\n"
		"    write-ordering:flush req-pending:0\n"
		"  volume:0 minor:0 disk:UpToDate\n"
		"      size:1048576 read:2000 written:400000 al-writes:0 bm-writes:0\n"
		"      upper-pending:0 lower-pending:0 al-suspended:no al-pending-changes:0\n"
		"      al-used:0 accelbuf-used:0 blocked:no\n"
		"  bob node-id:1 connection:Connected role:Secondary congested:no\n"
		"    volume:0 replication:Established peer-disk:UpToDate resync-suspended:no\n"
		"        received:0 sent:3000 out-of-sync:0 pending:0 unacked:0\n"
		"\n");
}

static void status_numbers_volumes_when_there_are_several(void **state)
{
	(void)state;
	expect_status(
		"{\"resource\":{\"name\":\"r1\",\"node_id\":2,\"role\":\"Primary\",\"suspended\":[\"no-data\",\"quorum\"]},"
		"\"devices\":[{\"volume\":0,\"minor\":4,\"disk\":\"UpToDate\",\"client\":\"no\",\"io_errors\":3,"
		"\"blocked\":[\"upper\"]},"
		"{\"volume\":7,\"minor\":5,\"disk\":\"Diskless\",\"client\":\"no\",\"blocked\":[\"upper\",\"lower\"]}],"
		"\"connections\":[{\"peer\":0,\"name\":\"alice\",\"connection\":\"Connected\",\"role\":\"Secondary\","
		"\"congested\":true,\"peer_devices\":[{\"volume\":0,\"replication\":\"PausedSyncT\","
		"\"peer_disk\":\"UpToDate\",\"resync_suspended\":[\"user\",\"peer\"],"
		"\"resync\":{\"total\":3000,\"left\":1000}},"
		"{\"volume\":7,\"replication\":\"Established\",\"peer_disk\":\"UpToDate\",\"resync_suspended\":[]}]},"
		"{\"peer\":3,\"name\":\"\",\"connection\":\"Connecting\",\"role\":\"Unknown\",\"peer_devices\":[]}]}",
		(struct bsr_status_style){.width = 80},
		"r1 role:Primary suspended:no-data,quorum\n"
		"  volume:0 disk:UpToDate io-error:3 blocked:upper\n"
		"  volume:7 disk:Diskless blocked:upper,lower\n"
		"  alice role:Secondary congested:yes\n"
		"    volume:0 replication:PausedSyncT peer-disk:UpToDate done:66.66\n"
		"        resync-suspended:user,peer\n"
		"    volume:7 peer-disk:UpToDate\n"
		"  node-id:3 connection:Connecting\n"
		"\n");
}

static void status_wraps_at_the_width_of_the_terminal(void **state)
{
	(void)state;
	expect_status(quiet, (struct bsr_status_style){.width = 40, .verbose = true},
		"r0 node-id:0 role:Primary suspended:no\n"
		"  volume:0 minor:0 disk:UpToDate\n"
		"      blocked:no\n"
		"  bob node-id:1 connection:Connected\n"
		"      role:Secondary congested:no\n"
		"    volume:0 replication:Established\n"
		"        peer-disk:UpToDate\n"
		"        resync-suspended:no\n"
		"\n");
	expect_status(fresh, (struct bsr_status_style){.width = 1},
		"r0\n    role:Secondary\n  disk:Inconsistent\n  bob\n      role:Secondary\n"
		"    peer-disk:Inconsistent\n\n");
}

static void status_statistics_show_speed_and_time_left(void **state)
{
	(void)state;
	expect_status(syncing, (struct bsr_status_style){.width = 80, .statistics = true},
		"r0 role:Primary\n"
		"  disk:UpToDate\n"
		"      read:2000 written:400000\n"
		"  bob role:Secondary\n"
		"    replication:SyncSource peer-disk:Inconsistent done:75.00\n"
		"        received:0 sent:3000 out-of-sync:262144 speed:102400 want:102400\n"
		"        eta:0:00:03\n"
		"\n");
}

static void status_for_a_person_says_how_long_a_resync_takes(void **state)
{
	(void)state;
	expect_status(syncing, (struct bsr_status_style){.width = 80, .progress = true},
		"r0 role:Primary\n"
		"  disk:UpToDate\n"
		"  bob role:Secondary\n"
		"    replication:SyncSource peer-disk:Inconsistent done:75.00 speed:102400\n"
		"        want:102400 eta:0:00:03\n"
		"\n");
}

static void status_says_what_keeps_a_resync_from_being_faster(void **state)
{
	(void)state;
	char limited[2048];
	const char *at = strstr(syncing, "\"elapsed_ms\"");
	assert_non_null(at);
	snprintf(limited, sizeof(limited), "%.*s\"limited_by\":\"c-max-rate\",%s", (int)(at - syncing), syncing, at);
	const struct bsr_status_style style = {.width = 120, .progress = true};
	expect_status(limited, style,
		"r0 role:Primary\n"
		"  disk:UpToDate\n"
		"  bob role:Secondary\n"
		"    replication:SyncSource peer-disk:Inconsistent done:75.00 speed:102400 want:102400 eta:0:00:03 "
		"limited-by:c-max-rate\n"
		"\n");
	bsr_names_choose("/usr/sbin/drbdsetup");
	struct bsr_text out = {0};
	struct json_object *snapshot = parse(limited);
	bsr_status_text(&out, snapshot, &style);
	assert_null(strstr(bsr_text_string(&out), "limited-by"));
	bsr_names_choose("bsrsetup");
	bsr_text_free(&out);
	json_object_put(snapshot);
}

static void status_has_other_words_under_drbds_names(void **state)
{
	(void)state;
	bsr_names_choose("/usr/sbin/drbdsetup");
	expect_status(quiet, (struct bsr_status_style){.width = 80, .verbose = true, .statistics = true},
		"r0 node-id:0 role:Primary suspended:no force-io-failures:no\n"
		"    write-ordering:flush\n"
		"  volume:0 minor:0 disk:UpToDate backing_dev:/dev/sda1 quorum:yes open:no\n"
		"      size:1048576 read:2000 written:400000 al-writes:0 bm-writes:0\n"
		"      upper-pending:0 lower-pending:0 al-suspended:no blocked:no\n"
		"  bob node-id:1 connection:Connected role:Secondary tls:no congested:no\n"
		"      ap-in-flight:0 rs-in-flight:0\n"
		"    volume:0 replication:Established peer-disk:UpToDate resync-suspended:no\n"
		"        received:0 sent:3000 out-of-sync:0 pending:0 unacked:0\n"
		"\n");
	bsr_names_choose("bsrsetup");
}

static void status_is_readable_on_demand(void **state)
{
	(void)state;
	struct bsr_text out = {0};
	bsr_progress_add_amount(&out, 1536, true);
	bsr_text_add(&out, " ");
	bsr_progress_add_amount(&out, 1073741824, true);
	bsr_text_add(&out, " ");
	bsr_progress_add_amount(&out, 1ull << 50, true);
	assert_string_equal(bsr_text_string(&out), "1.500K 1.000G 1024.000T");
	bsr_text_free(&out);
}

static void status_colors_own_bright_and_peer_plain(void **state)
{
	(void)state;
	expect_status(syncing, (struct bsr_status_style){.width = 80, .color = true},
		"r0 role:\033[1;36mPrimary\033[0m\n"
		"  disk:\033[1;32mUpToDate\033[0m\n"
		"  bob role:Secondary\n"
		"    replication:\033[31mSyncSource\033[0m peer-disk:\033[31mInconsistent\033[0m "
		"done:75.00\n\n");
	expect_status(split, (struct bsr_status_style){.width = 80, .color = true},
		"r0 role:\033[1;36mPrimary\033[0m\n"
		"  disk:\033[1;32mUpToDate\033[0m\n"
		"  bob connection:\033[1;31mStandAlone\033[0m error:\033[1;31msplit-brain\033[0m\n\n");
}

static void progress_is_truncated_and_never_overflows(void **state)
{
	(void)state;
	struct json_object *device = parse("{\"size\":1125899906842624}");
	struct json_object *one_left =
		parse("{\"replication\":\"SyncTarget\",\"out_of_sync\":4096}");
	struct json_object *all_left =
		parse("{\"replication\":\"SyncTarget\",\"out_of_sync\":1125899906842624}");
	struct json_object *none_left = parse("{\"replication\":\"SyncTarget\",\"out_of_sync\":0}");
	assert_int_equal(bsr_progress_done(one_left, device), 9999);
	assert_int_equal(bsr_progress_done(all_left, device), 0);
	assert_int_equal(bsr_progress_done(none_left, device), 10000);
	assert_int_equal(bsr_progress_done(none_left, NULL), 0);
	struct json_object *young = parse(
		"{\"resync\":{\"total\":1000000,\"left\":600000,\"rate\":0,\"elapsed_ms\":200}}");
	struct json_object *stalled = parse(
		"{\"resync\":{\"total\":1000000,\"left\":600000,\"rate\":0,\"elapsed_ms\":20000}}");
	assert_int_equal(bsr_progress_rate(young), 2000000);
	assert_int_equal(bsr_progress_rate(stalled), 0);
	json_object_put(young);
	json_object_put(stalled);
	json_object_put(device);
	json_object_put(one_left);
	json_object_put(all_left);
	json_object_put(none_left);
}

static void json_is_json_with_the_documented_members(void **state)
{
	(void)state;
	struct bsr_text out = {0};
	struct json_object *snapshot = parse(syncing);
	bsr_status_json_begin(&out);
	bsr_status_json(&out, snapshot, true);
	bsr_status_json(&out, snapshot, false);
	bsr_status_json_end(&out);
	assert_non_null(strstr(bsr_text_string(&out), "}\n,\n{\n"));
	assert_non_null(strstr(bsr_text_string(&out), "\"connection-state\": \"Connected\" ,\n"));
	struct json_object *array = parse(bsr_text_string(&out));
	assert_int_equal(bsr_json_count(array), 2);
	struct json_object *resource = bsr_json_at(array, 1);
	assert_string_equal(bsr_json_string(resource, "name"), "r0");
	struct json_object *device = bsr_json_at(bsr_json_array(resource, "devices"), 0);
	assert_int_equal(bsr_json_int(device, "size", 0), 1048576);
	assert_string_equal(bsr_json_string(device, "client"), "no");
	struct json_object *connection = bsr_json_at(bsr_json_array(resource, "connections"), 0);
	assert_string_equal(bsr_json_string(connection, "peer-role"), "Secondary");
	struct json_object *path = bsr_json_at(bsr_json_array(connection, "paths"), 0);
	struct json_object *host = bsr_json_object(path, "this_host");
	assert_string_equal(bsr_json_string(host, "address"), "10.1.1.31");
	assert_int_equal(bsr_json_int(host, "port", 0), 7000);
	struct json_object *peer_device =
		bsr_json_at(bsr_json_array(connection, "peer_devices"), 0);
	assert_int_equal(bsr_json_int(peer_device, "out-of-sync", 0), 262144);
	assert_non_null(strstr(bsr_text_string(&out), "\"resync-done\": 75.00"));
	json_object_put(array);
	json_object_put(snapshot);
	bsr_text_free(&out);
}

static void expect_event(struct bsr_events_model *model, const struct bsr_events_style *style,
	const char *event, const char *expected)
{
	struct bsr_text out = {0};
	struct json_object *object = parse(event);
	bsr_events_event(model, &out, style, object);
	assert_string_equal(bsr_text_string(&out), expected);
	bsr_text_free(&out);
	json_object_put(object);
}

static const char starting[] =
	"{\"resource\":{\"name\":\"r0\",\"node_id\":0,\"role\":\"Secondary\",\"suspended\":[]},"
	"\"devices\":[{\"volume\":0,\"minor\":0,\"disk\":\"Inconsistent\",\"client\":\"no\"}],"
	"\"connections\":[{\"peer\":1,\"name\":\"bob\",\"connection\":\"Connecting\","
	"\"role\":\"Unknown\",\"congested\":false,\"peer_devices\":["
	"{\"volume\":0,\"replication\":\"Off\",\"peer_disk\":\"DUnknown\",\"peer_client\":\"no\","
	"\"resync_suspended\":[]}]}]}";
static const char connected[] =
	"{\"event\":\"change\",\"object\":\"connection\",\"peer\":1,\"name\":\"bob\","
	"\"connection\":\"Connected\",\"role\":\"Secondary\",\"congested\":false}";

static void events_dump_and_change_are_as_documented(void **state)
{
	(void)state;
	const struct bsr_events_style style = {0};
	struct bsr_text out = {0};
	struct json_object *snapshot = parse(starting);
	struct bsr_events_model *model = bsr_events_model_create("r0", false);
	bsr_events_snapshot(model, &out, &style, snapshot);
	bsr_events_dump_end(&out, &style, 0);
	assert_string_equal(bsr_text_string(&out),
		"exists resource name:r0 role:Secondary suspended:no\n"
		"exists connection name:r0 peer-node-id:1 conn-name:bob connection:Connecting "
		"role:Unknown\n"
		"exists device name:r0 volume:0 minor:0 disk:Inconsistent client:no\n"
		"exists peer-device name:r0 peer-node-id:1 conn-name:bob volume:0 replication:Off "
		"peer-disk:DUnknown peer-client:no resync-suspended:no\n"
		"exists -\n");
	expect_event(model, &style, connected,
		"change connection name:r0 peer-node-id:1 conn-name:bob connection:Connected "
		"role:Secondary\n");
	expect_event(model, &style, connected, "");
	bsr_text_clear(&out);
	bsr_events_gone(model, &out, &style, 0);
	assert_string_equal(bsr_text_string(&out),
		"destroy peer-device name:r0 peer-node-id:1 conn-name:bob volume:0\n"
		"destroy device name:r0 volume:0 minor:0\n"
		"destroy connection name:r0 peer-node-id:1 conn-name:bob\n"
		"destroy resource name:r0\n");
	bsr_events_model_free(model);
	json_object_put(snapshot);
	bsr_text_free(&out);
}

static void events_go_on_after_a_new_engine_process(void **state)
{
	(void)state;
	const struct bsr_events_style style = {.diff = true};
	struct bsr_text out = {0};
	struct json_object *before = parse(starting);
	struct json_object *after = parse(split);
	struct bsr_events_model *model = bsr_events_model_create("r0", false);
	bsr_events_snapshot(model, &out, &style, before);
	assert_non_null(strstr(bsr_text_string(&out), "role:UNKNOWN->Secondary"));
	bsr_text_clear(&out);
	bsr_events_snapshot(model, &out, &style, before);
	assert_string_equal(bsr_text_string(&out), "");
	bsr_events_snapshot(model, &out, &style, after);
	assert_string_equal(bsr_text_string(&out),
		"change resource name:r0 role:Secondary->Primary\n"
		"change connection name:r0 peer-node-id:1 conn-name:bob "
		"connection:Connecting->StandAlone error:UNKNOWN->split-brain\n"
		"change device name:r0 volume:0 minor:0 disk:Inconsistent->UpToDate\n"
		"change peer-device name:r0 peer-node-id:1 conn-name:bob volume:0 peer-client:no->\n");
	bsr_events_model_free(model);
	json_object_put(before);
	json_object_put(after);
	bsr_text_free(&out);
}

static void events_as_json_parse_line_by_line(void **state)
{
	(void)state;
	const struct bsr_events_style style = {.json = true};
	struct bsr_text out = {0};
	struct json_object *snapshot = parse(syncing);
	struct bsr_events_model *model = bsr_events_model_create("r0", false);
	setenv("TZ", "UTC", 1);
	bsr_events_snapshot(model, &out, &style, snapshot);
	assert_int_equal(bsr_events_sync(model, &out, &style, snapshot), 1);
	bsr_events_dump_end(&out, &style, 1795171800123456);
	char *copy = strdup(bsr_text_string(&out));
	size_t lines = 0;
	for (char *line = strtok(copy, "\n"); line != NULL; line = strtok(NULL, "\n"), lines++) {
		struct json_object *object = parse(line);
		assert_true(bsr_json_has(object, "action"));
		json_object_put(object);
	}
	/*
	 * resource, node, connection, peer-node, path, device, gi-uuid, flags, peer-device, flags;
	 * sync; end
	 */
	assert_int_equal(lines, 12);
	assert_non_null(strstr(bsr_text_string(&out), "\"done\":75.00"));
	assert_non_null(strstr(bsr_text_string(&out),
		"{\"timestamp\":\"2026-11-20T10:50:00.123456+00:00\",\"action\":\"exists\",\"object\":\"-\"}"));
	free(copy);
	bsr_events_model_free(model);
	json_object_put(snapshot);
	bsr_text_free(&out);
}

static void things_that_happen_are_told_once(void **state)
{
	(void)state;
	const struct bsr_events_style style = {0};
	struct bsr_events_model *model = bsr_events_model_create("r0", false);
	expect_event(model, &style,
		"{\"event\":\"call\",\"object\":\"helper\",\"peer\":1,\"name\":\"bob\","
		"\"helper\":\"fence-peer\"}",
		"call helper name:r0 peer-node-id:1 conn-name:bob helper:fence-peer\n");
	expect_event(model, &style,
		"{\"event\":\"response\",\"object\":\"helper\",\"peer\":1,\"name\":\"bob\","
		"\"helper\":\"fence-peer\",\"status\":1024}",
		"response helper name:r0 peer-node-id:1 conn-name:bob helper:fence-peer status:1024\n");
	expect_event(model, &style,
		"{\"event\":\"notify\",\"object\":\"io-error\",\"volume\":0,\"minor\":3,\"disk\":\"data\","
		"\"io\":\"write\",\"sector\":2048,\"size\":4096}",
		"notify io-error name:r0 volume:0 minor:3 disk:data io:write error-code:0x00000005 sector:2048s "
		"size:4096\n");
	expect_event(model, &style,
		"{\"event\":\"detect\",\"object\":\"split-brain\",\"peer\":1,\"name\":\"bob\",\"volume\":0,"
		"\"recover\":\"manually\"}",
		"detect split-brain name:r0 peer-node-id:1 conn-name:bob volume:0 recover:manually\n");
	expect_event(model, &style, "{\"event\":\"tomorrow\",\"object\":\"unknown\"}", "");
	bsr_events_model_free(model);
}

static void gi_line_has_four_identifiers_and_twelve_flags(void **state)
{
	(void)state;
	struct bsr_text out = {0};
	struct json_object *snapshot = parse(quiet);
	struct json_object *device = bsr_json_at(bsr_json_array(snapshot, "devices"), 0);
	struct json_object *connection = bsr_json_at(bsr_json_array(snapshot, "connections"), 0);
	struct json_object *peer_device =
		bsr_json_at(bsr_json_array(connection, "peer_devices"), 0);
	assert_true(bsr_gi_line(&out, device, peer_device));
	assert_string_equal(bsr_text_string(&out),
		"1122334455667788:00000000000000AA:0000000000000000:0000000000000000:"
		"1:1:1:0:1:0:1:1:0:1:0:0\n");
	bsr_text_clear(&out);
	assert_true(bsr_gi_legend(&out, device, peer_device));
	assert_non_null(strstr(bsr_text_string(&out), "data are consistent --+ | | | | | | | | | | |\n"));
	assert_non_null(strstr(bsr_text_string(&out), "node was Primary when it stopped --+\n"));
	bsr_text_clear(&out);
	assert_false(bsr_gi_line(&out, NULL, peer_device));
	assert_string_equal(bsr_text_string(&out), "");
	bsr_text_free(&out);
	json_object_put(snapshot);
}

static void show_is_the_configuration_language(void **state)
{
	(void)state;
	struct bsr_text out = {0};
	struct json_object *config = parse(
		"{\"name\":\"r0\",\"node_id\":0,\"options\":{\"quorum\":\"majority\"},"
		"\"node_options\":{\"node-name\":\"alice\",\"svc-auto-up\":\"no\"},"
		"\"volumes\":[{\"volume\":0,\"minor\":0,\"disk\":\"/dev/sda1\",\"meta_disk\":\"/dev/sdb\","
		"\"meta_index\":\"3\",\"options\":{\"al-extents\":\"1237\",\"al-updates\":\"yes\"}}],"
		"\"connections\":[{\"peer\":1,\"name\":\"bob\",\"standalone\":true,"
		"\"options\":{\"_name\":\"bob\",\"ping-int\":\"7\",\"shared-secret\":\"a\\\"b\"},"
		"\"paths\":[{\"local\":\"ipv4:10.1.1.31:7000\",\"remote\":\"ipv6:[fd01::3]:7000\"}],"
		"\"volumes\":[{\"volume\":0,\"options\":{\"c-max-rate\":\"4M\"}},"
		"{\"volume\":1,\"options\":{}}]}]}");
	bsr_show_text(&out, config, false);
	assert_string_equal(bsr_text_string(&out),
		"resource r0 {\n"
		"    options {\n"
		"        quorum          \tmajority;\n"
		"    }\n"
		"    _this_host {\n"
		"        node-id\t\t\t0;\n"
		"        node-name\t\t\"alice\";\n"
		"        volume 0 {\n"
		"            device\t\t\tminor 0;\n"
		"            disk\t\t\t\"/dev/sda1\";\n"
		"            meta-disk\t\t\t\"/dev/sdb\" [ 3 ];\n"
		"            disk {\n"
		"                al-extents      \t1237;\n"
		"            }\n"
		"        }\n"
		"        options {\n"
		"            svc-auto-up     \tno;\n"
		"        }\n"
		"    }\n"
		"    connection {\n"
		"        _peer_node_id 1;\n"
		"        _peer_node_name\t\"bob\";\n"
		"        path {\n"
		"            _this_host ipv4 10.1.1.31:7000;\n"
		"            _remote_host ipv6 [fd01::3]:7000;\n"
		"        }\n"
		"        _is_standalone;\n"
		"        net {\n"
		"            ping-int        \t7; # seconds\n"
		"            shared-secret   \t\"a\\\"b\";\n"
		"        }\n"
		"        volume 0 {\n"
		"            disk {\n"
		"                c-max-rate      \t4096k; # bytes/second\n"
		"            }\n"
		"        }\n"
		"    }\n"
		"}\n\n");
	bsr_text_clear(&out);
	bsr_show_text(&out, config, true);
	assert_non_null(strstr(bsr_text_string(&out), "al-updates      \tyes; # default\n"));
	assert_non_null(strstr(bsr_text_string(&out), "protocol        \tC; # default\n"));
	json_object_put(config);
	bsr_text_free(&out);
}

static void errors_have_the_exit_codes_that_scripts_know(void **state)
{
	(void)state;
	static const int codes[][2] = {{0, 0}, {119, 10}, {158, 10}, {1001, 11}, {1002, 17},
		{1004, 16}, {1012, 11}, {1016, 5}, {1030, 30}, {2001, 10}, {3002, 20}, {3004, 10}, {-1, 20}};
	for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++) {
		assert_int_equal(bsr_report_exit_code(codes[i][0]), codes[i][1]);
	}
	struct bsr_text out = {0};
	struct json_object *error = parse("{\"code\":1012,\"name\":\"DEVICE_OPEN\",\"message\":\"held\","
		"\"remedy\":\"umount /mnt\",\"info\":[\"pid 1 holds it\"],\"volume\":0}");
	bsr_report_error(&out, "r0", error);
	assert_string_equal(bsr_text_string(&out),
		"r0: State change failed: (-12) held\n"
		"  cause: volume 0\n"
		"  pid 1 holds it\n"
		"  what helps: umount /mnt\n");
	bsr_text_free(&out);
	json_object_put(error);
}

static void text_survives_members_of_a_wrong_type(void **state)
{
	(void)state;
	struct bsr_text out = {0};
	struct json_object *odd = parse("{\"resource\":[],\"devices\":{},\"connections\":[1,\"x\",null,[],{}]}");
	const struct bsr_status_style style = {.width = 80, .verbose = true, .statistics = true};
	bsr_status_text(&out, odd, &style);
	bsr_status_json(&out, odd, true);
	assert_true(out.length > 0);
	bsr_text_free(&out);
	json_object_put(odd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(status_shows_only_what_is_not_normal),
		cmocka_unit_test(status_verbose_with_statistics_wraps_at_80),
		cmocka_unit_test(status_numbers_volumes_when_there_are_several),
		cmocka_unit_test(status_wraps_at_the_width_of_the_terminal),
		cmocka_unit_test(status_statistics_show_speed_and_time_left),
		cmocka_unit_test(status_for_a_person_says_how_long_a_resync_takes),
		cmocka_unit_test(status_says_what_keeps_a_resync_from_being_faster),
		cmocka_unit_test(status_has_other_words_under_drbds_names),
		cmocka_unit_test(status_is_readable_on_demand),
		cmocka_unit_test(status_colors_own_bright_and_peer_plain),
		cmocka_unit_test(progress_is_truncated_and_never_overflows),
		cmocka_unit_test(json_is_json_with_the_documented_members),
		cmocka_unit_test(events_dump_and_change_are_as_documented),
		cmocka_unit_test(events_go_on_after_a_new_engine_process),
		cmocka_unit_test(events_as_json_parse_line_by_line),
		cmocka_unit_test(things_that_happen_are_told_once),
		cmocka_unit_test(gi_line_has_four_identifiers_and_twelve_flags),
		cmocka_unit_test(show_is_the_configuration_language),
		cmocka_unit_test(errors_have_the_exit_codes_that_scripts_know),
		cmocka_unit_test(text_survives_members_of_a_wrong_type),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
