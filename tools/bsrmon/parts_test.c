// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * parts_test.c - bsrmon without a socket: values of two readings, lines of files, sums, what is shown
 */
#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include <bsr/assert.h>
#include <bsr/measure.h>

#include "mon.h"
#include "report.h"
#include "screen.h"
#include "view.h"

_Noreturn void bsr_panic(const char *file, int line, const char *what)
{
	fprintf(stderr, "%s:%d: %s\n", file, line, what);
	abort();
}

static struct json_object *json(const char *text)
{
	struct json_object *object = json_tokener_parse(text);
	assert_non_null(object);
	return object;
}

/* --------------------------------------------------------------------- values */

static struct mon_record found[32];
static uint32_t found_count;

static void keep(void *ctx, const struct mon_record *record)
{
	(void)ctx;
	assert_true(found_count < 32);
	found[found_count++] = *record;
}

static int64_t value(const struct mon_record *r, const char *name)
{
	for (uint32_t i = 0; i < r->count; i++) {
		if (strcmp(r->field[i].name, name) == 0) {
			return r->value[i];
		}
	}
	fail_msg("no field %s", name);
	return -1;
}

static void compute(
	const char *before, const char *now, const char *types, int64_t volume, struct json_object *peers)
{
	struct mon_filter filter = {.volume = volume, .peers = peers};
	struct json_object *a = before == NULL ? NULL : json(before);
	struct json_object *b = json(now);
	const struct mon_readings readings = {"r0", a, b};
	char bad[64];
	assert_true(mon_types_parse(types, &filter.types, bad, sizeof(bad)));
	found_count = 0;
	mon_compute(&readings, &filter, keep, NULL);
	json_object_put(a);
	json_object_put(b);
}

#define BEFORE                                                                                                 \
	"{\"clock_ns\":1000000000,\"memory\":{\"cpu_us\":100},\"volumes\":[{\"volume\":0,\"read_bytes\":4096," \
	"\"written_bytes\":0,\"stages\":{\"read\":{\"count\":1,\"sum_ns\":9000,\"buckets\":[[8,1]]}}}],"       \
	"\"peers\":[{\"name\":\"bob\",\"sent\":1024,\"volumes\":[{\"volume\":0,\"sent\":0,\"resynced\":0,\"verified\":0}]}]}"
#define NOW                                                                                                      \
	"{\"clock_ns\":3000000000,\"memory\":{\"cpu_us\":1000100},\"resource\":{\"oldest_request_us\":7,"        \
	"\"suspended\":true},\"volumes\":[{\"volume\":0,\"read_bytes\":2101248,\"written_bytes\":0,"             \
	"\"stages\":{\"read\":{\"count\":101,\"sum_ns\":1009000,\"buckets\":[[8,2],[16,99]]}}},{\"volume\":5}]," \
	"\"peers\":[{\"name\":\"bob\",\"sent\":2098176,\"volumes\":[{\"volume\":0,\"sent\":3145728,"             \
	"\"resynced\":1048576,\"verified\":2097152}]},{\"name\":\"carol\",\"sent\":7}]}"

static void rates_and_counts_are_of_the_period(void **state)
{
	(void)state;
	compute(BEFORE, NOW, "iostat", -1, NULL);
	assert_int_equal(found_count, 2);
	assert_int_equal(found[0].volume, 0);
	assert_int_equal(value(&found[0], "read.iops"), 50);
	assert_int_equal(value(&found[0], "read.iocnt"), 100);
	assert_int_equal(value(&found[0], "read.kbs"), 1024);
	assert_int_equal(value(&found[0], "read.kb"), 2048);
	assert_int_equal(value(&found[0], "write.iops"), 0);
	assert_int_equal(found[1].volume, 5); /* nothing is known of it: zeroes */
	assert_int_equal(value(&found[1], "read.kb"), 0);
	compute(BEFORE, NOW, "memstat", -1, NULL);
	assert_int_equal(value(&found[0], "cpu"), 50);
}

static void times_are_of_the_period(void **state)
{
	(void)state;
	compute(BEFORE, NOW, "ioclat", 0, NULL);
	assert_int_equal(found_count, 1);
	assert_int_equal(value(&found[0], "master.complete_count"), 100);
	assert_int_equal(value(&found[0], "master.avg"), 10);
	assert_int_equal(value(&found[0], "master.min"), (int64_t)bsr_histogram_floor_ns(8) / 1000);
	assert_int_equal(value(&found[0], "master.max"), (int64_t)bsr_histogram_floor_ns(17) / 1000);
	assert_int_equal(value(&found[0], "master.p99"), (int64_t)bsr_histogram_floor_ns(17) / 1000);
	assert_int_equal(value(&found[0], "local.complete_count"), 0);
	assert_int_equal(value(&found[0], "local.max"), 0);
}

static void filters_choose_volumes_and_peers(void **state)
{
	struct json_object *peers = json("[\"carol\"]");
	(void)state;
	compute(BEFORE, NOW, "iostat", 5, NULL);
	assert_int_equal(found_count, 1);
	assert_int_equal(found[0].volume, 5);
	compute(BEFORE, NOW, "network", -1, NULL);
	assert_int_equal(found_count, 2);
	assert_string_equal(found[0].peer, "bob");
	assert_int_equal(value(&found[0], "send"), 1024);
	compute(BEFORE, NOW, "network", -1, peers);
	assert_int_equal(found_count, 1);
	assert_string_equal(found[0].peer, "carol");
	compute(BEFORE, NOW, "resync_ratio", -1, NULL);
	assert_int_equal(value(&found[0], "resync_ratio"), 25);
	assert_int_equal(value(&found[0], "resync"), 512);
	assert_int_equal(value(&found[0], "verify"), 1024);
	json_object_put(peers);
}

static void nonsense_becomes_zero(void **state)
{
	(void)state;
	/* smaller than before, negative, of another type, huge, not there */
	compute(NOW, BEFORE, "iostat,ioclat,network", -1, NULL);
	for (uint32_t i = 0; i < found_count; i++) {
		for (uint32_t f = 0; f < found[i].count; f++) {
			assert_int_equal(found[i].value[f], 0);
		}
	}
	compute(NULL,
		"{\"volumes\":[{\"volume\":0,\"read_bytes\":\"x\",\"stages\":{\"read\":{\"buckets\":"
		"[[1],[-1,5],[500,5],[3,-7],[\"a\",\"b\"],7,[4,9223372036854775807]]}}},{\"volume\":-4},7]}",
		"iostat,ioclat", -1, NULL);
	assert_int_equal(found_count, 2);
	assert_int_equal(value(&found[0], "read.kb"), 0);
	assert_int_equal(value(&found[1], "master.complete_count"), 0);
	compute(NULL, "[]", "all", -1, NULL);
	compute(NULL, "{\"volumes\":{},\"peers\":3}", "all", -1, NULL);
}

static void types_are_named_one_by_one(void **state)
{
	struct bsr_text text = {0};
	uint32_t mask;
	char bad[64];
	(void)state;
	assert_true(mon_types_parse("iostat,network", &mask, bad, sizeof(bad)));
	mon_types_text(&text, mask);
	assert_string_equal(bsr_text_string(&text), "iostat,network");
	assert_false(mon_types_parse("iostat,cpu", &mask, bad, sizeof(bad)));
	assert_string_equal(bad, "cpu");
	assert_true(mon_types_parse("", &mask, bad, sizeof(bad)));
	assert_int_equal(mask, (1u << 11) - 1);
	bsr_text_free(&text);
}

/* ---------------------------------------------------------------------- lines */

#define TIME "2026-11-20_14:06:05.123"

static const char *parse(struct mon_line *line, const char *text)
{
	return mon_line_parse(line, text, strlen(text));
}

static void a_line_is_read_as_it_was_written(void **state)
{
	struct bsr_text text = {0};
	struct mon_line line;
	(void)state;
	compute(BEFORE, NOW, "network", -1, NULL);
	mon_line_print(&text, &found[0], TIME);
	assert_null(mon_line_parse(&line, bsr_text_string(&text), text.length - 1));
	assert_string_equal(line.time, TIME);
	assert_string_equal(line.peer, "bob");
	assert_int_equal(line.count, 2);
	assert_string_equal(line.field[0].name, "send");
	assert_int_equal(line.field[0].value, 1024);
	bsr_text_free(&text);
}

static void bad_lines_are_refused(void **state)
{
	static const char *const bad[] = {"", "2026", "2026-11-20 14:06:05.123 a=1", TIME, TIME "a=1",
		TIME "  a=1", TIME " a", TIME " =1", TIME " a=", TIME " a=1x", TIME " a=1 ", TIME " A=1",
		TIME " a=--1", TIME " a=1234567890123456789", TIME " a=1 peer=bob", TIME " peer= a=1",
		TIME " peer=a peer=b a=1", TIME " a\033=1", TIME " peer=a\001 a=1"};
	struct mon_line line;
	char huge[MON_LINE_MAX + 1];
	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		assert_non_null(parse(&line, bad[i]));
	}
	memset(huge, '1', sizeof(huge));
	memcpy(huge, TIME " a=", 26);
	assert_non_null(mon_line_parse(&line, huge, sizeof(huge)));
	assert_null(parse(&line, TIME " a=-123456789012345678"));
	assert_true(line.field[0].value == -123456789012345678);
}

static void fields_of_a_line_have_a_limit(void **state)
{
	struct bsr_text text = {0};
	struct mon_line line;
	(void)state;
	bsr_text_add(&text, TIME);
	for (uint32_t i = 0; i < MON_FIELDS_MAX; i++) {
		bsr_text_add(&text, " a=%u", (unsigned)i);
	}
	assert_null(parse(&line, bsr_text_string(&text)));
	assert_int_equal(line.count, MON_FIELDS_MAX);
	bsr_text_add(&text, " a=1");
	assert_non_null(parse(&line, bsr_text_string(&text)));
	bsr_text_free(&text);
}

/* --------------------------------------------------------------------- report */

static struct mon_report report;
static struct mon_filter filter = {.volume = -1};

static void feed(const char *text)
{
	mon_report_line(&report, text, strlen(text), "file", 3);
}

static void begin(const char *type, const char *from, const char *until)
{
	memset(&report, 0, sizeof(report));
	report.type = mon_type_at((uint32_t)mon_type_find(type));
	report.filter = &filter;
	report.from = from;
	report.until = until;
}

static void a_report_weighs_times_by_requests(void **state)
{
	struct bsr_text text = {0};
	(void)state;
	begin("ioclat", "", "");
	feed("2026-11-20_14:00:00.000 local.complete_count=10 local.min=5 local.max=50 local.avg=10");
	feed("2026-11-20_14:00:01.000 local.complete_count=90 local.min=7 local.max=40 local.avg=20");
	feed("2026-11-20_14:00:02.000 local.complete_count=0 local.min=0 local.max=0 local.avg=0 later=5");
	feed("nonsense");
	assert_int_equal(report.peer_count, 1);
	assert_int_equal(report.peer[0].lines, 3);
	assert_int_equal(report.bad_lines, 1);
	assert_string_equal(report.first_bad, "file line 3: it does not begin with a time");
	mon_report_text(&report, "r0 vnr 0", &text);
	assert_non_null(strstr(bsr_text_string(&text), "complete_count   sum 100, max 90 a period\n"));
	assert_non_null(strstr(bsr_text_string(&text), "\t\tmin              min 5, max 7, avg 6.8; # us\n"));
	assert_non_null(
		strstr(bsr_text_string(&text), "\t\tavg              min 10, max 20, avg 19.0; # us\n"));
	assert_non_null(strstr(bsr_text_string(&text), "\t\tp99              -\n"));
	bsr_text_free(&text);
}

static void a_report_has_a_beginning_and_an_end(void **state)
{
	(void)state;
	begin("iostat", "2026-11-20_14:00", "2026-11-20_14:01");
	feed("2026-11-20_13:59:59.999 read.iops=1");
	feed("2026-11-20_14:00:00.000 read.iops=2");
	feed("2026-11-20_14:01:59.999 read.iops=3");
	feed("2026-11-20_14:02:00.000 read.iops=4");
	assert_int_equal(report.peer[0].lines, 2);
	assert_int_equal(report.peer[0].sum[0].min, 2);
	assert_int_equal(report.peer[0].sum[0].max, 3);
	feed("2026-11-20_14:01:00.000 peer=bob read.iops=3"); /* this type has no peers */
	assert_int_equal(report.bad_lines, 1);
}

static void moments_are_days_and_times(void **state)
{
	char out[MON_TIME_BYTES];
	(void)state;
	assert_true(mon_moment(out, sizeof(out), "14:06", "2026-11-20"));
	assert_string_equal(out, "2026-11-20_14:06");
	assert_true(mon_moment(out, sizeof(out), "14:06:05", "2026-11-20"));
	assert_true(mon_moment(out, sizeof(out), "2026-11-19_14:06:05", "2026-11-20"));
	assert_string_equal(out, "2026-11-19_14:06:05");
	assert_true(mon_moment(out, sizeof(out), "2026-11-19", ""));
	assert_false(mon_moment(out, sizeof(out), "yesterday", ""));
	assert_false(mon_moment(out, sizeof(out), "14:6", ""));
	assert_false(mon_moment(out, sizeof(out), "2026-11-19 14:06", ""));
	assert_false(mon_date_ok("2026-11-1"));
}

static void a_file_of_anything_is_read(void **state)
{
	char path[] = "/tmp/bsrmon-test-XXXXXX";
	char garbage[200000];
	const int fd = mkstemp(path);
	(void)state;
	memset(garbage, 'x', sizeof(garbage));
	garbage[150000] = '\n';
	assert_true(write(fd, "2026-11-20_14:00:00.000 read.iops=2\n", 36) == 36);
	assert_true(write(fd, garbage, sizeof(garbage)) == (ssize_t)sizeof(garbage));
	assert_true(write(fd, "\n2026-11-20_14:00:01.000 read.iops=4", 36) == 36); /* cut off */
	close(fd);
	begin("iostat", "", "");
	assert_int_equal(mon_report_file(&report, path), 0);
	assert_int_equal(report.peer[0].lines, 2);
	assert_int_equal(report.peer[0].sum[0].max, 4);
	assert_int_equal(report.bad_lines, 2);
	assert_true(mon_report_file(&report, "/nonexistent/file") < 0);
	unlink(path);
}

/* ---------------------------------------------------------------------- files */

static uint64_t bytes_below(const char *path, uint32_t *files)
{
	uint64_t bytes = 0;
	DIR *dir = opendir(path);
	*files = 0;
	assert_non_null(dir);
	for (struct dirent *entry = readdir(dir); entry != NULL; entry = readdir(dir)) {
		struct stat st;
		if (fstatat(dirfd(dir), entry->d_name, &st, 0) == 0 && S_ISREG(st.st_mode)) {
			bytes += (uint64_t)st.st_size;
			(*files)++;
		}
	}
	closedir(dir);
	return bytes;
}

static void files_are_rolled_over_and_bounded(void **state)
{
	char directory[] = "/tmp/bsrmon-test-XXXXXX";
	char path[200], command[64], line[1000];
	struct mon_record about = {.type = mon_type_at(0), .volume = 3, .resource = "r0"};
	uint32_t files;
	(void)state;
	assert_non_null(mkdtemp(directory));
	memset(line, 'x', sizeof(line));
	line[999] = '\n';
	const uint64_t limit = 64 << 10;
	for (uint32_t i = 0; i < 300; i++) {
		assert_int_equal(mon_file_append(directory, &about, line, sizeof(line), limit), 0);
	}
	snprintf(path, sizeof(path), "%s/r0", directory);
	const uint64_t bytes = bytes_below(path, &files);
	assert_true(files > 2);
	assert_true(bytes <= limit + sizeof(line) * 8 + 8192);
	assert_true(mon_file_name(path, sizeof(path), directory, "r0", 3, "iostat"));
	struct json_object *list = mon_files_of(path);
	assert_int_equal(bsr_json_count(list), files);
	assert_string_equal(
		json_object_get_string(bsr_json_at(list, files - 1)), path); /* the current one is the last */
	json_object_put(list);

	snprintf(path, sizeof(path), "%s/r0/somebody-elses", directory);
	FILE *f = fopen(path, "w");
	fclose(f);
	assert_int_equal(mon_files_bound(directory, "r0", 0), 0);
	snprintf(path, sizeof(path), "%s/r0", directory);
	bytes_below(path, &files);
	assert_int_equal(files, 1); /* what is not ours stays */
	snprintf(command, sizeof(command), "rm -r %s", directory);
	assert_int_equal(system(command), 0);
}

static void names_of_older_files(void **state)
{
	(void)state;
	assert_true(mon_file_is_older("vnr0_iostat_2026-11-20T140605", "vnr0_iostat"));
	assert_true(mon_file_is_older("vnr0_iostat_2026-11-20T140605.01", "vnr0_iostat"));
	assert_false(mon_file_is_older("vnr0_iostat", "vnr0_iostat"));
	assert_false(mon_file_is_older("vnr0_iostat_2026-11-20T14060x", "vnr0_iostat"));
	assert_false(mon_file_is_older("vnr0_iostat_2026-11-20T140605x", "vnr0_iostat"));
	assert_false(mon_file_is_older("vnr1_iostat_2026-11-20T140605", "vnr0_iostat"));
}

/* ----------------------------------------------------------------------- view */

static struct bsr_text out;

static const char *shown(void)
{
	static char copy[8192];
	snprintf(copy, sizeof(copy), "%s", bsr_text_string(&out));
	bsr_text_clear(&out);
	return copy;
}

static void amounts_and_durations_are_short(void **state)
{
	(void)state;
	mon_amount(&out, 0);
	assert_string_equal(shown(), "0K");
	mon_amount(&out, 999);
	assert_string_equal(shown(), "999K");
	mon_amount(&out, 5120);
	assert_string_equal(shown(), "5.0M");
	mon_amount(&out, INT64_MAX);
	assert_true(strlen(shown()) < 12);
	mon_duration(&out, 0);
	assert_string_equal(shown(), "-");
	mon_duration(&out, 850);
	assert_string_equal(shown(), "850us");
	mon_duration(&out, 1234);
	assert_string_equal(shown(), "1.2ms");
	mon_duration(&out, 3400000);
	assert_string_equal(shown(), "3.4s");
	mon_bar(&out, 0, 4);
	assert_string_equal(shown(), "[>   ]");
	mon_bar(&out, 5000, 4);
	assert_string_equal(shown(), "[==> ]");
	mon_bar(&out, 99999, 4);
	assert_string_equal(shown(), "[====]");
	mon_spark(&out, (const int64_t[]){0, 5, 10, -3}, 4, false);
	assert_string_equal(shown(), "_=#_");
	mon_spark(&out, (const int64_t[]){0, 10}, 2, true);
	assert_string_equal(shown(), "\u2581\u2588");
}

static void clipping_counts_cells(void **state)
{
	static const char colored[] = "\033[1;32mgreen\033[0m and more";
	static const char bars[] = "\u2581\u2582\u2583";
	(void)state;
	mon_clip(&out, "abcdef", 6, 3);
	assert_string_equal(shown(), "abc");
	mon_clip(&out, "abc", 3, 3);
	assert_string_equal(shown(), "abc");
	mon_clip(&out, colored, sizeof(colored) - 1, 3);
	assert_string_equal(shown(), "\033[1;32mgre\033[0m");
	mon_clip(&out, bars, sizeof(bars) - 1, 2);
	assert_string_equal(shown(), "\u2581\u2582");
	mon_clip(&out, "\033", 1, 5);
	assert_string_equal(shown(), "\033\033[0m");
	mon_clip(&out, "abc", 3, 0);
	assert_string_equal(shown(), "");
}

static void keys_are_recognised(void **state)
{
	(void)state;
	assert_int_equal(mon_screen_keys("q", 1), MON_KEY_QUIT);
	assert_int_equal(mon_screen_keys("\033[A", 3), MON_KEY_UP);
	assert_int_equal(mon_screen_keys("\033[6~", 4), MON_KEY_PAGE_DOWN);
	assert_int_equal(mon_screen_keys("xyz\033[", 5), MON_KEY_NONE);
	assert_int_equal(mon_screen_keys("qj", 2), MON_KEY_QUIT);
}

static void a_view_shows_roles_states_progress(void **state)
{
	struct mon_source source = {.name = "r0"};
	struct mon_sources sources = {.at = &source, .count = 1};
	struct mon_view view = {.host = "alice"};
	(void)state;
	source.before = json(BEFORE);
	source.now = json(NOW);
	source.snapshot = json(
		"{\"resource\":{\"name\":\"r0\",\"role\":\"Primary\",\"suspended\":[\"user\"]},\"devices\":[{"
		"\"volume\":0,\"minor\":7,\"disk\":\"UpToDate\",\"size\":1073741824}],\"connections\":[{"
		"\"name\":\"bob\",\"connection\":\"Connected\",\"role\":\"Secondary\",\"peer_devices\":[{"
		"\"volume\":0,\"replication\":\"SyncSource\",\"peer_disk\":\"Inconsistent\",\"out_of_sync\":268435456,"
		"\"resync\":{\"total\":1073741824,\"left\":268435456,\"rate\":104857600}}]}]}");
	mon_view_round(&view, &sources);
	mon_view_print(&view, &sources, TIME, &out);
	const char *text = shown();
	assert_non_null(strstr(text, "bsrmon alice  2026-11-20_14:06:05  1 resource, 1 not well\n"));
	assert_non_null(strstr(text, "r0 Primary  suspended: user\n"));
	assert_non_null(strstr(text, "  vol 0 bsr7 UpToDate 1.0G  r 50/s 1.0M/s  w 0/s 0K/s #  p99 "));
	assert_non_null(strstr(text, "bob        Connected Secondary Inconsistent SyncSource  out 2.0M/s"));
	assert_non_null(strstr(text, "out of sync 256M\n"));
	assert_non_null(strstr(text, "[==================>     ]  75.00%  100M/s  left 256M, 0:00:03\n"));
	assert_null(strchr(text, '\033'));
	json_object_put(source.snapshot);
	source.snapshot = json(
		"{\"resource\":{\"name\":\"r0\",\"role\":\"Primary\"},\"devices\":[{\"volume\":0,\"minor\":7,"
		"\"disk\":\"UpToDate\",\"size\":1073741824}],\"connections\":[{\"name\":\"bob\","
		"\"connection\":\"Connected\",\"role\":\"Secondary\",\"peer_devices\":[{\"volume\":0,"
		"\"replication\":\"VerifyS\",\"peer_disk\":\"UpToDate\",\"out_of_sync\":8192,\"resync\":{\"total\":"
		"1073741824,\"left\":536870912,\"rate\":104857600,\"limited_by\":\"c-max-rate\",\"found\":8192}}]}]}");
	mon_view_print(&view, &sources, TIME, &out);
	assert_non_null(strstr(shown(), "50.00%  100M/s  left 512M, 0:00:06  limited by c-max-rate  differs 8K\n"));
	view.color = true;
	mon_view_print(&view, &sources, TIME, &out);
	assert_non_null(strstr(shown(), "\033[1;36mPrimary\033[0m"));

	snprintf(source.trouble, sizeof(source.trouble), "no answer: timed out");
	view.color = false;
	mon_view_print(&view, &sources, TIME, &out);
	assert_non_null(strstr(shown(), "r0 no answer: timed out\n"));
	sources.count = 0;
	mon_view_round(&view, &sources);
	assert_int_equal(view.count, 0);
	mon_view_print(&view, &sources, TIME, &out);
	assert_non_null(strstr(shown(), "no resource runs\n"));
	mon_view_free(&view);
	json_object_put(source.before);
	json_object_put(source.now);
	json_object_put(source.snapshot);
	bsr_text_free(&out);
	memset(&out, 0, sizeof(out));
}

static void text_and_json_have_the_same_shape(void **state)
{
	struct json_object *root = json_object_new_object();
	(void)state;
	compute(BEFORE, NOW, "iostat,network", 0, NULL);
	for (uint32_t i = 0; i < found_count; i++) {
		mon_print_record(&out, &found[i]);
		mon_json_record(root, &found[i]);
	}
	const char *text = shown();
	assert_non_null(strstr(text, "r0 vnr 0 iostat {\n\tread {\n\t\tiops\t50; # 1/s\n"));
	assert_non_null(strstr(text, "r0 peer bob network {\n\tsend\t1024; # KiB/s\n"));
	assert_string_equal(json_object_to_json_string_ext(root, JSON_C_TO_STRING_PLAIN),
		"{\"resource\":[{\"name\":\"r0\",\"devices\":[{\"vnr\":0,\"iostat\":{\"read\":{\"iops\":50,\"iocnt\":100,"
		"\"kbs\":1024,\"kb\":2048},\"write\":{\"iops\":0,\"iocnt\":0,\"kbs\":0,\"kb\":0}}}],\"network\":{\"peers\":["
		"{\"name\":\"bob\",\"send\":1024,\"recv\":0},{\"name\":\"carol\",\"send\":0,\"recv\":0}]}}]}");
	json_object_put(root);
	bsr_text_free(&out);
	memset(&out, 0, sizeof(out));
}

static void memory_of_the_host(void **state)
{
	struct json_object *host = mon_host_parse(
		"MemTotal: 1000 kB\nMemFree:  300 kB\nBuffers: 100 kB\nCached: 50 kB\nx\n:\nA: b\n");
	(void)state;
	assert_int_equal(bsr_json_int(host, "used", 0), 550);
	assert_int_equal(bsr_json_int(host, "MemFree", 0), 300);
	json_object_put(host);
	host = mon_host_parse("");
	assert_int_equal(bsr_json_int(host, "used", -1), 0);
	json_object_put(host);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rates_and_counts_are_of_the_period),
		cmocka_unit_test(times_are_of_the_period),
		cmocka_unit_test(filters_choose_volumes_and_peers),
		cmocka_unit_test(nonsense_becomes_zero),
		cmocka_unit_test(types_are_named_one_by_one),
		cmocka_unit_test(a_line_is_read_as_it_was_written),
		cmocka_unit_test(bad_lines_are_refused),
		cmocka_unit_test(fields_of_a_line_have_a_limit),
		cmocka_unit_test(a_report_weighs_times_by_requests),
		cmocka_unit_test(a_report_has_a_beginning_and_an_end),
		cmocka_unit_test(moments_are_days_and_times),
		cmocka_unit_test(a_file_of_anything_is_read),
		cmocka_unit_test(files_are_rolled_over_and_bounded),
		cmocka_unit_test(names_of_older_files),
		cmocka_unit_test(amounts_and_durations_are_short),
		cmocka_unit_test(clipping_counts_cells),
		cmocka_unit_test(keys_are_recognised),
		cmocka_unit_test(a_view_shows_roles_states_progress),
		cmocka_unit_test(text_and_json_have_the_same_shape),
		cmocka_unit_test(memory_of_the_host),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
