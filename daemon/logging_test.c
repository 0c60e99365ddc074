// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * logging_test.c - lines that scripts can read, and not too many of them
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include <bsr/handshake.h>
#include <bsr/wire.h>

#include "logging.h"

static void a_line_has_number_level_name_and_pairs(void **state)
{
	char line[512];
	(void)state;
	unsetenv("JOURNAL_STREAM");
	bsr_logging_init("r0");
	bsr_logging_text(line, sizeof(line), BSR_LOGN_ENGINE_DIED, 0, "pid=12 signal=KILL");
	assert_string_equal(line,
		"6003 error engine-died resource=r0 pid=12 signal=KILL msg=\"engine process died; it is restarted\"\n");
	bsr_logging_text(line, sizeof(line), BSR_LOGN_ENGINE_DIED, 14, "");
	assert_non_null(strstr(line, " suppressed=14 "));
}

static void the_time_is_utc_with_microseconds(void **state)
{
	char text[BSR_LOGGING_TIME_BYTES];
	(void)state;
	assert_int_equal(bsr_logging_time(text, sizeof(text), &(struct timespec){1795171800, 123456789}), 28);
	assert_string_equal(text, "2026-11-20T10:50:00.123456Z ");
}

static void in_a_file_each_line_begins_with_the_time(void **state)
{
	char line[512];
	FILE *file = tmpfile();
	const int terminal = dup(STDERR_FILENO);
	(void)state;
	assert_non_null(file);
	unsetenv("JOURNAL_STREAM");
	dup2(fileno(file), STDERR_FILENO);
	bsr_logging_init("r0");
	bsr_log(BSR_LOGN_STOPPED, "x=%d", 1);
	dup2(terminal, STDERR_FILENO);
	close(terminal);
	bsr_logging_init("r0");
	rewind(file);
	assert_non_null(fgets(line, sizeof(line), file));
	fclose(file);
	assert_memory_equal(line, "20", 2);
	assert_memory_equal(line + 26, "Z 6025 notice stopped resource=r0 x=1 ", 38);
}

static long lines_with(const struct bsr_logging_rules *rules)
{
	FILE *file = tmpfile();
	const int terminal = dup(STDERR_FILENO);
	assert_non_null(file);
	unsetenv("JOURNAL_STREAM");
	setenv("BSR_SYSLOG", "/nonexistent/log", 1);
	dup2(fileno(file), STDERR_FILENO);
	bsr_logging_init("r0");
	bsr_logging_set(rules);
	bsr_log(BSR_LOGN_NOTE_ERROR, "x=1");   /* process */
	bsr_log(BSR_LOGN_NOTE_INFO, "x=2");    /* process */
	bsr_log(BSR_LOGN_LINK_UNREACHABLE, "x=3"); /* notice, link */
	dup2(terminal, STDERR_FILENO);
	close(terminal);
	bsr_logging_init("r0");
	rewind(file);
	long lines = 0;
	for (int c = fgetc(file); c != EOF; c = fgetc(file)) {
		lines += c == '\n';
	}
	fclose(file);
	return lines;
}

static void levels_and_categories_choose_lines(void **state)
{
	struct bsr_logging_rules rules = {.file_level = 7, .sys_level = 7, .categories = UINT32_MAX};
	(void)state;
	assert_int_equal(lines_with(&rules), 3);
	rules.file_level = 5;
	assert_int_equal(lines_with(&rules), 2);
	rules.file_level = 3;
	assert_int_equal(lines_with(&rules), 1);
	rules = (struct bsr_logging_rules){.file_level = 7, .categories = 1u << 3}; /* links */
	assert_int_equal(lines_with(&rules), 2); /* errors always */
	rules.categories = 0;
	assert_int_equal(lines_with(&rules), 1);
	rules.file_level = 2;
	assert_int_equal(lines_with(&rules), 0);
}

static void a_full_file_is_noticed(void **state)
{
	struct bsr_logging_rules rules = {.file_level = 7, .categories = UINT32_MAX, .file_bytes = 1u << 20};
	(void)state;
	lines_with(&rules);
	assert_false(bsr_logging_full());
	rules.file_bytes = 100;
	lines_with(&rules);
	assert_true(bsr_logging_full());
	assert_int_equal(bsr_logging_reopen(STDERR_FILENO), 0);
	assert_false(bsr_logging_full());
	assert_true(bsr_logging_reopen(-1) < 0);
	bsr_logging_set(&(struct bsr_logging_rules){.file_level = 7, .categories = UINT32_MAX});
}

static void under_systemd_a_line_carries_its_priority(void **state)
{
	char line[512];
	(void)state;
	setenv("JOURNAL_STREAM", "8:1", 1);
	bsr_logging_init("r0");
	bsr_logging_text(line, sizeof(line), BSR_LOGN_ENGINE_DIED, 0, "");
	assert_memory_equal(line, "<3>6003 error", 13);
	unsetenv("JOURNAL_STREAM");
	bsr_logging_init("r0");
}

static void text_from_outside_cannot_make_a_line_of_its_own(void **state)
{
	char line[512];
	(void)state;
	size_t bytes = bsr_logging_text(line, sizeof(line), BSR_LOGN_ENGINE_DIED, 0, "a\n6011 error x\x1b[31m");
	for (size_t i = 0; i + 1 < bytes; i++) {
		assert_true((unsigned char)line[i] >= 0x20);
	}
	assert_int_equal(line[bytes - 1], '\n');
}

static void a_long_text_is_cut(void **state)
{
	char line[256], pairs[1000];
	(void)state;
	memset(pairs, 'x', sizeof(pairs) - 1);
	pairs[sizeof(pairs) - 1] = '\0';
	size_t bytes = bsr_logging_text(line, sizeof(line), BSR_LOGN_ENGINE_DIED, 0, pairs);
	assert_true(bytes < sizeof(line));
	assert_int_equal(line[bytes - 1], '\n');
}

static void a_flood_is_cut_and_counted(void **state)
{
	uint64_t now = 1000000000000ull, suppressed;
	int printed = 0;
	(void)state;
	for (int i = 0; i < 1000; i++) {
		printed += bsr_logging_admit(BSR_LOGN_LISTEN_REFUSED, now, &suppressed);
	}
	assert_in_range(printed, 1, 50);
	assert_true(bsr_logging_admit(BSR_LOGN_LISTEN_REFUSED, now + 2000000000ull, &suppressed));
	assert_int_equal(suppressed, 1000 - printed);
	assert_true(bsr_logging_admit(BSR_LOGN_LISTEN_REFUSED, now + 3000000000ull, &suppressed));
	assert_int_equal(suppressed, 0);
	/* other numbers are not affected */
	assert_true(bsr_logging_admit(BSR_LOGN_STOPPED, now, &suppressed));
}

/* What is logged for an effect contains @expected. */
static void expect_line(const struct bsr_fx_log *log, const char *more, const char *expected)
{
	char line[512] = "";
	int fds[2];
	assert_int_equal(pipe(fds), 0);
	int saved = dup(STDERR_FILENO);
	dup2(fds[1], STDERR_FILENO);
	bsr_log_effect(log, 5, more);
	dup2(saved, STDERR_FILENO);
	assert_true(read(fds[0], line, sizeof(line) - 1) > 0);
	if (strstr(line, expected) == NULL) {
		fail_msg("'%s' is not in '%s'", expected, line);
	}
	close(fds[0]);
	close(fds[1]);
	close(saved);
}

static void an_effect_shows_words_not_numbers(void **state)
{
	(void)state;
	expect_line(&(struct bsr_fx_log){.number = BSR_LOGN_DISK_CHANGED,
			    .peer = UINT32_MAX,
			    .volume = 3,
			    .arg = {BSR_DISK_ATTACHING, BSR_DISK_UP_TO_DATE}},
		" disk=/dev/x",
		"3001 notice disk-changed resource=r0 volume=5 from=Attaching to=UpToDate disk=/dev/x");
	expect_line(&(struct bsr_fx_log){.number = BSR_LOGN_HANDSHAKE_DECIDED,
			    .peer = 1,
			    .volume = 3,
			    .arg = {BSR_HS_REASON_BOTH_NEW, BSR_HS_TARGET_FULL, 7}},
		"", "peer=1 volume=5 reason=201 rule=both-new action=target-full bits_set=7");
	expect_line(&(struct bsr_fx_log){.number = BSR_LOGN_HANDSHAKE_NOT_MIRRORED,
			    .peer = 1,
			    .volume = 3,
			    .arg = {BSR_HS_NO_SYNC, 99, 65000}},
		"", "mine=no-sync theirs=? reason=65000 rule=?");
	expect_line(&(struct bsr_fx_log){.number = BSR_LOGN_CONFIG_MISMATCH,
			    .peer = 1,
			    .volume = UINT32_MAX,
			    .arg = {BSR_PROTOCOL_A, BSR_PROTOCOL_C}},
		"", "peer=1 mine=A theirs=C");
	expect_line(&(struct bsr_fx_log){.number = BSR_LOGN_MESSAGE_REJECTED,
			    .peer = 1,
			    .volume = UINT32_MAX,
			    .arg = {BSR_MSG_RESYNC_DATA, 3}},
		"", "peer=1 message_type=RESYNC_DATA count=3");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_line_has_number_level_name_and_pairs),
		cmocka_unit_test(the_time_is_utc_with_microseconds),
		cmocka_unit_test(in_a_file_each_line_begins_with_the_time),
		cmocka_unit_test(levels_and_categories_choose_lines),
		cmocka_unit_test(a_full_file_is_noticed),
		cmocka_unit_test(under_systemd_a_line_carries_its_priority),
		cmocka_unit_test(text_from_outside_cannot_make_a_line_of_its_own),
		cmocka_unit_test(a_long_text_is_cut),
		cmocka_unit_test(a_flood_is_cut_and_counted),
		cmocka_unit_test(an_effect_shows_words_not_numbers),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
