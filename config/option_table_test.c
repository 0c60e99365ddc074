// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * option_table_test.c - every row of the table: its limits, its default, its words, its suffixes
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "option_table.h"

typedef void (*row_test)(const struct bsr_option *option);

static void for_each_option(row_test test)
{
	unsigned int rows = 0;

	for (int section = 0; section < BSR_SECTION_COUNT; section++) {
		size_t count;
		const struct bsr_option *list =
			bsr_option_list((enum bsr_option_section)section, &count);
		for (size_t i = 0; i < count; i++, rows++) {
			test(&list[i]);
		}
	}
	assert_true(rows > 130); /* a test that visits nothing proves nothing */
}

static enum bsr_option_fault parse_text(const struct bsr_option *option, const char *text)
{
	struct bsr_option_value ignored;

	return bsr_option_parse(option, text, &ignored);
}

static enum bsr_option_fault parse_integer(const struct bsr_option *option, int64_t number)
{
	char text[32];

	snprintf(text, sizeof(text), "%lld", (long long)number);
	return parse_text(option, text);
}

static void row_is_found_by_name(const struct bsr_option *option)
{
	assert_ptr_equal(bsr_option_find(option->section, option->name), option);
}

static void every_option_is_found_once(void **state)
{
	(void)state;
	for_each_option(row_is_found_by_name);
	assert_null(bsr_option_find(BSR_SECTION_NET, "al-extents"));
	assert_null(bsr_option_find(BSR_SECTION_DISK, ""));
}

static void sections_are_contiguous(void **state)
{
	size_t total = 0;

	(void)state;
	for (int section = 0; section < BSR_SECTION_COUNT; section++) {
		size_t count;
		const struct bsr_option *list =
			bsr_option_list((enum bsr_option_section)section, &count);
		assert_true(count > 0);
		total += count;
		/* the row behind a section's last one belongs to another section, for good */
		for (size_t i = 0; i < count; i++) {
			assert_int_equal(list[i].section, section);
		}
	}
	static const unsigned int rows = 0
#define BSR_OPTION(...) +1
#include "options.def"
#undef BSR_OPTION
		;
	assert_int_equal(total, rows);
}

static void row_default_is_legal(const struct bsr_option *option)
{
	struct bsr_option_value value;

	if (option->default_text == NULL) {
		return;
	}
	assert_true(bsr_option_default(option, &value));
	assert_true(bsr_option_equal(option, option->default_text, NULL));
	if (option->type == BSR_OPTION_NUMBER && !value.is_word &&
		(option->flags & BSR_OPTION_RANGE_LATER) == 0) {
		assert_true(value.number >= option->min && value.number <= option->max);
	}
}

static void every_default_is_legal(void **state)
{
	(void)state;
	for_each_option(row_default_is_legal);
}

static void row_number_limits(const struct bsr_option *option)
{
	if (option->type != BSR_OPTION_NUMBER && option->type != BSR_OPTION_RESYNC_AFTER) {
		return;
	}
	assert_int_equal(parse_integer(option, option->min), BSR_OPTION_OK);
	assert_int_equal(parse_integer(option, option->max), BSR_OPTION_OK);
	assert_int_equal(parse_text(option, ""),
		option->type == BSR_OPTION_NUMBER ? BSR_OPTION_NOT_A_NUMBER : BSR_OPTION_MALFORMED);
	assert_int_equal(parse_text(option, "99999999999999999999999"), BSR_OPTION_TOO_BIG);
	assert_int_equal(parse_text(option, "99999999999999999999G"), BSR_OPTION_TOO_BIG);
	if (option->type == BSR_OPTION_NUMBER) {
		assert_int_equal(parse_text(option, "12x"), BSR_OPTION_NOT_A_NUMBER);
		assert_int_equal(parse_text(option, "0x10"), BSR_OPTION_NOT_A_NUMBER);
		assert_int_equal(parse_text(option, "1 "), BSR_OPTION_NOT_A_NUMBER);
		assert_int_equal(parse_text(option, "1KK"), BSR_OPTION_NOT_A_NUMBER);
		assert_int_equal(parse_text(option, "1T"), BSR_OPTION_NOT_A_NUMBER);
		assert_int_equal(parse_text(option, "-1"), BSR_OPTION_NOT_A_NUMBER);
	}
	if ((option->flags & BSR_OPTION_RANGE_LATER) != 0) {
		assert_int_equal(parse_integer(option, option->max + 1), BSR_OPTION_OK);
		return;
	}
	if (option->min > 0) {
		assert_int_equal(parse_integer(option, option->min - 1), BSR_OPTION_TOO_SMALL);
	}
	if (option->max < INT64_MAX) {
		assert_int_equal(parse_integer(option, option->max + 1), BSR_OPTION_TOO_BIG);
	}
}

static void numbers_respect_their_limits(void **state)
{
	(void)state;
	for_each_option(row_number_limits);
}

/* Rows where the suffixed value fits the range. */
static void row_suffixes(const struct bsr_option *option)
{
	static const struct {
		const char *suffix;
		int64_t bytes;
	} suffixes[] = {{"K", 1024}, {"k", 1024}, {"M", 1 << 20}, {"m", 1 << 20}, {"G", 1 << 30},
		{"s", 512}};
	int64_t base = 1;

	if (option->type != BSR_OPTION_NUMBER) {
		return;
	}
	if (option->unit == BSR_UNIT_SECTORS) {
		base = 512;
	} else if (option->unit == BSR_UNIT_KIB_PER_SECOND) {
		base = 1024;
	}
	for (size_t i = 0; i < sizeof(suffixes) / sizeof(suffixes[0]); i++) {
		struct bsr_option_value value;
		char text[16];
		const int64_t expected = (3 * suffixes[i].bytes + base - 1) / base;
		snprintf(text, sizeof(text), "3%s", suffixes[i].suffix);
		const enum bsr_option_fault fault = bsr_option_parse(option, text, &value);
		if ((option->flags & BSR_OPTION_RANGE_LATER) == 0 && expected > option->max) {
			assert_int_equal(fault, BSR_OPTION_TOO_BIG);
		} else if ((option->flags & BSR_OPTION_RANGE_LATER) == 0 &&
			   expected < option->min) {
			assert_int_equal(fault, BSR_OPTION_TOO_SMALL);
		} else {
			assert_int_equal(fault, BSR_OPTION_OK);
			assert_int_equal(value.number, expected);
		}
	}
}

static void suffixes_convert_to_base_units_rounding_up(void **state)
{
	struct bsr_option_value value;
	const struct bsr_option *rate = bsr_option_find(BSR_SECTION_PEER_DEVICE, "c-max-rate");

	(void)state;
	for_each_option(row_suffixes);
	assert_int_equal(bsr_option_parse(rate, "4M", &value), BSR_OPTION_OK);
	assert_int_equal(value.number, 4096);
	assert_int_equal(bsr_option_parse(rate, "1001s", &value), BSR_OPTION_OK);
	assert_int_equal(value.number, 501); /* 500.5 KiB */
}

static void row_words(const struct bsr_option *option)
{
	char word[64];
	int64_t index = 0;

	if (option->words == NULL) {
		return;
	}
	for (; bsr_option_word(option, index, word, sizeof(word)); index++) {
		struct bsr_option_value value;
		char again[64];
		assert_int_equal(bsr_option_parse(option, word, &value), BSR_OPTION_OK);
		assert_true(value.is_word);
		assert_int_equal(value.number, index);
		bsr_option_format(option, &value, again, sizeof(again));
		assert_string_equal(again, word);
	}
	assert_true(index >= 2);
	assert_int_equal(parse_text(option, "no-such-word"), option->type == BSR_OPTION_ENUM
								     ? BSR_OPTION_UNKNOWN_WORD
								     : BSR_OPTION_NOT_A_NUMBER);
	assert_int_not_equal(parse_text(option, ""), BSR_OPTION_OK);
	assert_int_not_equal(parse_text(option, option->words), BSR_OPTION_OK);
}

static void words_are_read_and_written_alike(void **state)
{
	struct bsr_option_value value;
	const struct bsr_option *protocol = bsr_option_find(BSR_SECTION_NET, "protocol");

	(void)state;
	for_each_option(row_words);
	assert_int_equal(bsr_option_parse(protocol, "c", &value), BSR_OPTION_OK);
	assert_int_equal(value.number, 2);
	assert_int_equal(parse_text(bsr_option_find(BSR_SECTION_NET, "fencing"), "DONT-CARE"),
		BSR_OPTION_UNKNOWN_WORD);
}

static void words_of_drbd_alone_say_what_they_act_as(void **state)
{
	const struct bsr_option *conflict = bsr_option_find(BSR_SECTION_NET, "rr-conflict");

	(void)state;
	assert_string_equal(bsr_option_acts_as(conflict, "retry-connect"), "disconnect");
	assert_string_equal(bsr_option_acts_as(conflict, "auto-discard"), "disconnect");
	assert_null(bsr_option_acts_as(conflict, "violently"));
	assert_int_equal(parse_text(conflict, "auto-discard"), BSR_OPTION_OK);
}

static void row_boolean(const struct bsr_option *option)
{
	if (!bsr_option_is_boolean_form(option)) {
		return;
	}
	assert_int_equal(parse_text(option, "yes"), BSR_OPTION_OK);
	assert_int_equal(parse_text(option, "no"), BSR_OPTION_OK);
	assert_int_equal(parse_text(option, "true"), BSR_OPTION_NOT_YES_OR_NO);
	assert_int_equal(parse_text(option, "1"), BSR_OPTION_NOT_YES_OR_NO);
	assert_int_equal(parse_text(option, "YES"), BSR_OPTION_NOT_YES_OR_NO);
}

static void booleans_are_yes_or_no(void **state)
{
	(void)state;
	for_each_option(row_boolean);
}

static void row_string(const struct bsr_option *option)
{
	char text[512];

	if (option->type != BSR_OPTION_STRING) {
		return;
	}
	memset(text, 'x', sizeof(text));
	text[option->max] = '\0';
	assert_int_equal(parse_text(option, text), BSR_OPTION_OK);
	text[option->max] = 'x';
	text[option->max + 1] = '\0';
	assert_int_equal(parse_text(option, text), BSR_OPTION_TOO_LONG);
	assert_int_equal(
		parse_text(option, ""), option->min > 0 ? BSR_OPTION_TOO_SHORT : BSR_OPTION_OK);
}

static void strings_have_a_longest_length(void **state)
{
	(void)state;
	for_each_option(row_string);
}

static void ratio_needs_two_numbers(void **state)
{
	const struct bsr_option *ratio = bsr_option_find(BSR_SECTION_PEER_DEVICE, "resync-ratio");
	struct bsr_option_value value;

	(void)state;
	assert_int_equal(bsr_option_parse(ratio, "3:1", &value), BSR_OPTION_OK);
	assert_int_equal(value.number, 3);
	assert_int_equal(value.second, 1);
	assert_int_equal(parse_text(ratio, "10000:10000"), BSR_OPTION_OK);
	assert_int_equal(parse_text(ratio, "10001:1"), BSR_OPTION_TOO_BIG);
	assert_int_equal(parse_text(ratio, "0:1"), BSR_OPTION_TOO_SMALL);
	assert_int_equal(parse_text(ratio, "31"), BSR_OPTION_MALFORMED);
	assert_int_equal(parse_text(ratio, "3:"), BSR_OPTION_MALFORMED);
	assert_int_equal(parse_text(ratio, ":3"), BSR_OPTION_MALFORMED);
	assert_int_equal(parse_text(ratio, "3:1x"), BSR_OPTION_MALFORMED);
	assert_int_equal(parse_text(ratio, "100000:10000"), BSR_OPTION_TOO_LONG);
}

static void resync_after_is_a_minor_or_a_name(void **state)
{
	const struct bsr_option *after = bsr_option_find(BSR_SECTION_DISK, "resync-after");
	struct bsr_option_value value;

	(void)state;
	assert_int_equal(bsr_option_parse(after, "-1", &value), BSR_OPTION_OK);
	assert_int_equal(value.number, -1);
	assert_false(value.is_reference);
	assert_int_equal(bsr_option_parse(after, "r1/3", &value), BSR_OPTION_OK);
	assert_true(value.is_reference);
	assert_int_equal(value.second, 3);
	assert_int_equal(parse_text(after, "r1/"), BSR_OPTION_MALFORMED);
	assert_int_equal(parse_text(after, "/3"), BSR_OPTION_MALFORMED);
	assert_int_equal(parse_text(after, "-2"), BSR_OPTION_TOO_SMALL);
}

static void equality_is_of_values_not_of_texts(void **state)
{
	const struct bsr_option *rate = bsr_option_find(BSR_SECTION_PEER_DEVICE, "c-max-rate");
	const struct bsr_option *secret = bsr_option_find(BSR_SECTION_NET, "shared-secret");
	const struct bsr_option *quorum = bsr_option_find(BSR_SECTION_RESOURCE, "quorum");

	(void)state;
	assert_true(bsr_option_equal(rate, "4M", "4096k"));
	assert_true(bsr_option_equal(rate, "5120", NULL));
	assert_false(bsr_option_equal(rate, "4M", NULL));
	assert_true(bsr_option_equal(secret, NULL, NULL));
	assert_true(bsr_option_equal(secret, "", NULL));
	assert_false(bsr_option_equal(secret, "a", NULL));
	assert_false(bsr_option_equal(secret, "a", "A"));
	assert_true(bsr_option_equal(quorum, "off", NULL));
	assert_false(bsr_option_equal(quorum, "1", "majority")); /* index of the word is 1, too */
}

static void row_explains(const struct bsr_option *option)
{
	char text[400];

	bsr_option_explain(option, "bad value", BSR_OPTION_TOO_BIG, text, sizeof(text));
	assert_non_null(strstr(text, option->name));
	assert_non_null(strstr(text, "too big"));
	assert_int_equal(
		strstr(text, "bad value") == NULL, (option->flags & BSR_OPTION_SECRET) != 0);
}

static void refusals_name_option_value_and_range(void **state)
{
	(void)state;
	for_each_option(row_explains);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_option_is_found_once),
		cmocka_unit_test(sections_are_contiguous),
		cmocka_unit_test(every_default_is_legal),
		cmocka_unit_test(numbers_respect_their_limits),
		cmocka_unit_test(suffixes_convert_to_base_units_rounding_up),
		cmocka_unit_test(words_are_read_and_written_alike),
		cmocka_unit_test(words_of_drbd_alone_say_what_they_act_as),
		cmocka_unit_test(booleans_are_yes_or_no),
		cmocka_unit_test(strings_have_a_longest_length),
		cmocka_unit_test(ratio_needs_two_numbers),
		cmocka_unit_test(resync_after_is_a_minor_or_a_name),
		cmocka_unit_test(equality_is_of_values_not_of_texts),
		cmocka_unit_test(refusals_name_option_value_and_range),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
