// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * settings_test.c - the file of host-wide settings: defaults, ranges, bad lines, atomic replacement
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "settings.h"

static char why[300];

static uint32_t parse(struct bsr_settings *s, const char *text)
{
	bsr_settings_defaults(s);
	why[0] = '\0';
	return bsr_settings_parse(s, text, strlen(text), why, sizeof(why));
}

static void defaults_are_those_of_the_manual(void **state)
{
	struct bsr_settings s;
	(void)state;
	bsr_settings_defaults(&s);
	assert_int_equal(s.log_level_sys, 3);
	assert_int_equal(s.log_level_dbg, 6);
	assert_int_equal(s.log_file_count, 16);
	assert_int_equal(s.cli_count_adm, 2);
	assert_int_equal(s.status_commands, 0);
	assert_int_equal(s.handlers, 1);
	assert_int_equal(s.fast_sync, 1);
	assert_int_equal(s.monitor_period_s, 1);
	assert_int_equal(s.monitor_total_mib, 2002);
	assert_string_equal(s.log_path, "");
}

static void numbers_have_ranges(void **state)
{
	struct bsr_settings s;
	uint64_t min, max;
	(void)state;
	assert_true(bsr_settings_range("monitor-period", &min, &max));
	assert_int_equal(min, 1);
	assert_int_equal(max, 3600);
	assert_false(bsr_settings_range("log-path", &min, &max));
	assert_false(bsr_settings_range("x", &min, &max));
	assert_int_equal(parse(&s, "monitor-period=1\n"), 0);
	assert_int_equal(parse(&s, "monitor-period=3600\n"), 0);
	assert_int_equal(s.monitor_period_s, 3600);
	assert_int_equal(parse(&s, "monitor-period=0\n"), 1);
	assert_int_equal(parse(&s, "monitor-period=3601\n"), 1);
	assert_int_equal(s.monitor_period_s, 1);
	assert_string_equal(why, "line 1: out of range");
}

static void bad_lines_are_told_and_have_no_effect(void **state)
{
	struct bsr_settings s;
	(void)state;
	assert_int_equal(
		parse(&s, "# a comment\n\nlog-level-sys=five\nlog-level-dbg=5\nnonsense\nlog-color=1\n"), 3);
	assert_string_equal(why, "line 3: not a number");
	assert_int_equal(s.log_level_sys, 3);
	assert_int_equal(s.log_level_dbg, 5);
	assert_int_equal(parse(&s, "log-path=/a\tb\n"), 1);
	assert_int_equal(parse(&s, "handlers=-1"), 1);
	assert_int_equal(parse(&s, "handlers=1x"), 1);
	assert_int_equal(parse(&s, "handlers=99999999999999999999999"), 1);
	assert_int_equal(parse(&s, "handlers=0"), 0); /* also without a line end */
	assert_int_equal(s.handlers, 0);
}

static void texts_have_a_limit(void **state)
{
	struct bsr_settings s;
	char line[400];
	(void)state;
	for (size_t length = BSR_SETTINGS_TEXT_MAX - 1; length <= BSR_SETTINGS_TEXT_MAX + 1; length++) {
		int used = snprintf(line, sizeof(line), "log-path=");
		memset(line + used, 'x', length);
		line[(size_t)used + length] = '\0';
		assert_int_equal(parse(&s, line), length >= BSR_SETTINGS_TEXT_MAX ? 1 : 0);
	}
}

static void what_is_saved_is_loaded(void **state)
{
	struct bsr_settings s, again;
	char directory[] = "/tmp/bsr-settings-XXXXXX";
	char name[128];
	(void)state;
	assert_non_null(mkdtemp(directory));
	snprintf(name, sizeof(name), "%s/made", directory);
	setenv("BSR_SETTINGS_DIR", name, 1);
	assert_int_equal(bsr_settings_load(&s, why, sizeof(why)), 0); /* not there: defaults */
	s.log_level_dbg = 7;
	s.log_categories = 5;
	snprintf(s.monitor_path, sizeof(s.monitor_path), "/somewhere/else");
	assert_int_equal(bsr_settings_save(&s), 0);
	assert_int_equal(bsr_settings_load(&again, why, sizeof(why)), 0);
	assert_memory_equal(&s, &again, sizeof(s));
	int lock = bsr_settings_lock();
	assert_true(lock >= 0);
	close(lock);

	FILE *f = fopen(bsr_settings_path(), "a");
	fputs("garbage\n", f);
	fclose(f);
	assert_int_equal(bsr_settings_load(&again, why, sizeof(why)), -EINVAL);
	assert_non_null(strstr(why, ".bsr_settings: line "));
	assert_int_equal(again.log_level_dbg, 7); /* the other lines count */

	assert_int_equal(truncate(bsr_settings_path(), BSR_SETTINGS_FILE_MAX + 1), 0);
	assert_int_equal(bsr_settings_load(&again, why, sizeof(why)), -EINVAL);
	unlink(bsr_settings_path());
	assert_int_equal(symlink("/etc/passwd", bsr_settings_path()), 0);
	assert_int_equal(bsr_settings_load(&again, why, sizeof(why)), -ELOOP);
	unlink(bsr_settings_path());
	snprintf(name, sizeof(name), "rm -r %s", directory);
	assert_int_equal(system(name), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(defaults_are_those_of_the_manual),
		cmocka_unit_test(numbers_have_ranges),
		cmocka_unit_test(bad_lines_are_told_and_have_no_effect),
		cmocka_unit_test(texts_have_a_limit),
		cmocka_unit_test(what_is_saved_is_loaded),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
