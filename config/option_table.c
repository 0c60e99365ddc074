// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * option_table.c - the options of the configuration language: names, types, ranges, defaults
 *
 * Owns:       the table made from options.def and the rules for the text of one value.
 * May touch:  nothing else; libc only.
 * Invariants:
 *   OT-1  Options of one section are neighbours in the table (options.def is written that way; a
 *         test proves it).
 *   OT-2  Every default is a legal value of its option.
 */
#include "option_table.h"

#include <bsr/assert.h>

#include <ctype.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

static const struct bsr_option options[] = {
#define BSR_OPTION(section_, name_, type_, unit_, min_, max_, default_, words_, flags_)            \
	{.name = name_,                                                                            \
		.section = BSR_SECTION_##section_,                                                 \
		.type = BSR_OPTION_##type_,                                                        \
		.unit = BSR_UNIT_##unit_,                                                          \
		.min = min_,                                                                       \
		.max = max_,                                                                       \
		.default_text = default_,                                                          \
		.words = words_,                                                                   \
		.flags = flags_},
#include "options.def"
#undef BSR_OPTION
};

#define OPTION_COUNT (sizeof(options) / sizeof(options[0]))

static const struct {
	int64_t bytes; /* what K M G s are divided by */
	const char *letter;
	const char *word;
} units[BSR_UNIT_COUNT] = {
	[BSR_UNIT_NONE] = {1, "", ""},
	[BSR_UNIT_BYTES] = {1, "", "bytes"},
	[BSR_UNIT_SECTORS] = {512, "s", "bytes"},
	[BSR_UNIT_KIB_PER_SECOND] = {1024, "k", "bytes/second"},
	[BSR_UNIT_BLOCKS] = {1, "", "4 KiB blocks"},
	[BSR_UNIT_SECONDS] = {1, "", "seconds"},
	[BSR_UNIT_DECISECONDS] = {1, "", "1/10 seconds"},
	[BSR_UNIT_MILLISECONDS] = {1, "", "milliseconds"},
};

const struct bsr_option *bsr_option_list(enum bsr_option_section section, size_t *count)
{
	size_t first = 0;

	BSR_ASSERT(section < BSR_SECTION_COUNT);
	while (first < OPTION_COUNT && options[first].section != section) {
		first++;
	}
	size_t end = first;
	while (end < OPTION_COUNT && options[end].section == section) {
		end++;
	}
	*count = end - first;
	return &options[first < OPTION_COUNT ? first : 0];
}

const struct bsr_option *bsr_option_find(enum bsr_option_section section, const char *name)
{
	size_t count;
	const struct bsr_option *list = bsr_option_list(section, &count);

	for (size_t i = 0; i < count; i++) {
		if (strcmp(list[i].name, name) == 0) {
			return &list[i];
		}
	}
	return NULL;
}

const char *bsr_option_section_name(enum bsr_option_section section)
{
	static const char *const names[BSR_SECTION_COUNT] = {
		[BSR_SECTION_GLOBAL] = "global",
		[BSR_SECTION_DISK] = "disk",
		[BSR_SECTION_PEER_DEVICE] = "disk",
		[BSR_SECTION_NET] = "net",
		[BSR_SECTION_RESOURCE] = "options",
		[BSR_SECTION_NODE] = "options",
		[BSR_SECTION_STARTUP] = "startup",
		[BSR_SECTION_PROXY] = "proxy",
		[BSR_SECTION_DEVICE] = "device",
		[BSR_SECTION_HANDLERS] = "handlers",
	};
	return section < BSR_SECTION_COUNT ? names[section] : "?";
}

const char *bsr_option_unit_letter(enum bsr_option_unit unit)
{
	return unit < BSR_UNIT_COUNT ? units[unit].letter : "";
}

const char *bsr_option_unit_word(enum bsr_option_unit unit)
{
	return unit < BSR_UNIT_COUNT ? units[unit].word : "";
}

/*
 * Calls of this walk the word list without copying it. Returns the length of word @index, 0 if
 * there is none.
 */
static size_t word_at(const char *words, int64_t index, const char **start)
{
	const char *at = words;

	if (words == NULL || index < 0) {
		return 0;
	}
	while (index > 0 && *at != '\0') {
		at += strcspn(at, " ");
		at += strspn(at, " ");
		index--;
	}
	*start = at;
	return strcspn(at, " ");
}

static int64_t find_word(const struct bsr_option *option, const char *text)
{
	const size_t length = strlen(text);
	const char *word;
	size_t word_length;

	for (int64_t i = 0; (word_length = word_at(option->words, i, &word)) != 0; i++) {
		if (word_length != length) {
			continue;
		}
		const bool same = (option->flags & BSR_OPTION_ANY_CASE) != 0
					  ? strncasecmp(word, text, length) == 0
					  : strncmp(word, text, length) == 0;
		if (same) {
			return i;
		}
	}
	return -1;
}

bool bsr_option_word(const struct bsr_option *option, int64_t index, char *buffer, size_t size)
{
	const char *word;
	const size_t length = word_at(option->words, index, &word);

	if (length == 0 || length >= size) {
		return false;
	}
	memcpy(buffer, word, length);
	buffer[length] = '\0';
	return true;
}

/* How many bytes one unit of the suffix is; 0 if the suffix is not known. */
static int64_t suffix_bytes(char suffix)
{
	switch (suffix) {
	case 'k':
	case 'K':
		return INT64_C(1) << 10;
	case 'm':
	case 'M':
		return INT64_C(1) << 20;
	case 'g':
	case 'G':
		return INT64_C(1) << 30;
	case 's':
		return 512;
	default:
		return 0;
	}
}

/*
 * Reads digits; saturates at INT64_MAX and says so through @overflow. Returns where the digits end.
 */
static const char *read_digits(const char *at, int64_t *number, bool *overflow)
{
	*number = 0;
	for (; isdigit((unsigned char)*at); at++) {
		const int64_t digit = *at - '0';
		if (*number > (INT64_MAX - digit) / 10) {
			*overflow = true;
			*number = INT64_MAX / 10 - 1;
		}
		*number = *number * 10 + digit;
	}
	return at;
}

static enum bsr_option_fault parse_number(
	const struct bsr_option *option, const char *text, int64_t *number)
{
	const bool negative = *text == '-' && option->min < 0;
	const char *digits = negative ? text + 1 : text;
	bool overflow = false;
	int64_t n;
	const char *end = read_digits(digits, &n, &overflow);

	if (end == digits) {
		return BSR_OPTION_NOT_A_NUMBER;
	}
	if (*end != '\0') {
		const int64_t bytes = suffix_bytes(*end);
		if (bytes == 0 || end[1] != '\0') {
			return BSR_OPTION_NOT_A_NUMBER;
		}
		const int64_t base = units[option->unit].bytes;
		if (n > (INT64_MAX - base) / bytes) {
			overflow = true;
		} else {
			n = (n * bytes + base - 1) / base;
		}
	}
	if (overflow) {
		return BSR_OPTION_TOO_BIG;
	}
	n = negative ? -n : n;
	if ((option->flags & BSR_OPTION_RANGE_LATER) == 0) {
		if (n < option->min) {
			return BSR_OPTION_TOO_SMALL;
		}
		if (n > option->max) {
			return BSR_OPTION_TOO_BIG;
		}
	}
	*number = n;
	return BSR_OPTION_OK;
}

#define RATIO_CHARS_MAX 11u /* "10000:10000" */

static enum bsr_option_fault parse_ratio(
	const struct bsr_option *option, const char *text, struct bsr_option_value *value)
{
	bool overflow = false;
	int64_t first;
	int64_t second;

	if (strlen(text) > RATIO_CHARS_MAX) {
		return BSR_OPTION_TOO_LONG;
	}
	const char *colon = read_digits(text, &first, &overflow);
	if (colon == text || *colon != ':') {
		return BSR_OPTION_MALFORMED;
	}
	const char *end = read_digits(colon + 1, &second, &overflow);
	if (end == colon + 1 || *end != '\0') {
		return BSR_OPTION_MALFORMED;
	}
	if (first < option->min || second < option->min) {
		return BSR_OPTION_TOO_SMALL;
	}
	if (first > option->max || second > option->max || overflow) {
		return BSR_OPTION_TOO_BIG;
	}
	value->number = first;
	value->second = second;
	return BSR_OPTION_OK;
}

#define REFERENCE_CHARS_MAX 255u

static enum bsr_option_fault parse_resync_after(
	const struct bsr_option *option, const char *text, struct bsr_option_value *value)
{
	const enum bsr_option_fault fault = parse_number(option, text, &value->number);

	if (fault != BSR_OPTION_NOT_A_NUMBER) {
		return fault;
	}
	if (strlen(text) > REFERENCE_CHARS_MAX) {
		return BSR_OPTION_TOO_LONG;
	}
	if (text[0] == '\0' || text[0] == '/' || text[0] == '-') {
		return BSR_OPTION_MALFORMED;
	}
	value->is_reference = true;
	value->second = -1;
	const char *slash = strchr(text, '/');
	if (slash != NULL) {
		bool overflow = false;
		const char *end = read_digits(slash + 1, &value->second, &overflow);
		if (end == slash + 1 || *end != '\0' || overflow) {
			return BSR_OPTION_MALFORMED;
		}
	}
	return BSR_OPTION_OK;
}

static enum bsr_option_fault parse_bool(const char *text, int64_t *number)
{
	if (strcmp(text, "yes") == 0) {
		*number = 1;
	} else if (strcmp(text, "no") == 0) {
		*number = 0;
	} else {
		return BSR_OPTION_NOT_YES_OR_NO;
	}
	return BSR_OPTION_OK;
}

static enum bsr_option_fault parse_string(const struct bsr_option *option, const char *text)
{
	const size_t length = strlen(text);

	if (length < (size_t)option->min) {
		return BSR_OPTION_TOO_SHORT;
	}
	return length > (size_t)option->max ? BSR_OPTION_TOO_LONG : BSR_OPTION_OK;
}

static enum bsr_option_fault parse_word(
	const struct bsr_option *option, const char *text, struct bsr_option_value *value)
{
	value->number = find_word(option, text);
	value->is_word = value->number >= 0;
	return value->is_word ? BSR_OPTION_OK : BSR_OPTION_UNKNOWN_WORD;
}

enum bsr_option_fault bsr_option_parse(
	const struct bsr_option *option, const char *text, struct bsr_option_value *value)
{
	struct bsr_option_value v = {.number = 0};
	enum bsr_option_fault fault = BSR_OPTION_MALFORMED;

	switch (option->type) {
	case BSR_OPTION_BOOL:
	case BSR_OPTION_FLAG:
		fault = parse_bool(text, &v.number);
		break;
	case BSR_OPTION_NUMBER:
		fault = parse_word(option, text, &v);
		if (fault != BSR_OPTION_OK) {
			fault = parse_number(option, text, &v.number);
		}
		break;
	case BSR_OPTION_ENUM:
		fault = parse_word(option, text, &v);
		break;
	case BSR_OPTION_STRING:
		fault = parse_string(option, text);
		break;
	case BSR_OPTION_RATIO:
		fault = parse_ratio(option, text, &v);
		break;
	case BSR_OPTION_RESYNC_AFTER:
		fault = parse_resync_after(option, text, &v);
		break;
	}
	if (fault == BSR_OPTION_OK) {
		BSR_ASSERT(!v.is_word || option->words != NULL);
		*value = v;
	}
	return fault;
}

const char *bsr_option_acts_as(const struct bsr_option *option, const char *text)
{
	static const struct {
		const char *option;
		const char *word;
		const char *acts_as;
	} foreign_words[] = {
		{"rr-conflict", "retry-connect", "disconnect"},
		{"rr-conflict", "auto-discard", "disconnect"},
	};
	for (size_t i = 0; i < sizeof(foreign_words) / sizeof(foreign_words[0]); i++) {
		if (strcmp(foreign_words[i].option, option->name) == 0 && strcmp(foreign_words[i].word, text) == 0) {
			return foreign_words[i].acts_as;
		}
	}
	return NULL;
}

bool bsr_option_default(const struct bsr_option *option, struct bsr_option_value *value)
{
	if (option->default_text == NULL) {
		return false;
	}
	const struct bsr_option unchecked = {.name = option->name,
		.section = option->section,
		.type = option->type,
		.unit = option->unit,
		.min = option->min,
		.max = option->max,
		.words = option->words,
		/*
		 * 0 is the default of sndbuf-size although no smaller value than 10 MiB may be
		 * written
		 */
		.flags = option->flags | BSR_OPTION_RANGE_LATER};
	return bsr_option_parse(&unchecked, option->default_text, value) == BSR_OPTION_OK;
}

static bool same_value(const struct bsr_option_value *a, const struct bsr_option_value *b)
{
	return a->number == b->number && a->second == b->second && a->is_word == b->is_word &&
	       !a->is_reference && !b->is_reference;
}

bool bsr_option_equal(const struct bsr_option *option, const char *a_text, const char *b_text)
{
	struct bsr_option_value a;
	struct bsr_option_value b;
	const char *a_or_default = a_text != NULL ? a_text : option->default_text;
	const char *b_or_default = b_text != NULL ? b_text : option->default_text;

	if (a_or_default == NULL || b_or_default == NULL) {
		/* An empty string is how a string option without default is unset. */
		const char *only = a_or_default != NULL ? a_or_default : b_or_default;
		return only == NULL || (option->type == BSR_OPTION_STRING && *only == '\0');
	}
	if (strcmp(a_or_default, b_or_default) == 0) {
		return true;
	}
	if (option->type == BSR_OPTION_STRING) {
		return false;
	}
	return bsr_option_parse(option, a_or_default, &a) == BSR_OPTION_OK &&
	       bsr_option_parse(option, b_or_default, &b) == BSR_OPTION_OK && same_value(&a, &b);
}

void bsr_option_format(const struct bsr_option *option, const struct bsr_option_value *value,
	char *buffer, size_t size)
{
	switch (option->type) {
	case BSR_OPTION_BOOL:
	case BSR_OPTION_FLAG:
		snprintf(buffer, size, "%s", value->number != 0 ? "yes" : "no");
		return;
	case BSR_OPTION_ENUM:
	case BSR_OPTION_NUMBER:
	case BSR_OPTION_RESYNC_AFTER:
		if (value->is_word && bsr_option_word(option, value->number, buffer, size)) {
			return;
		}
		snprintf(buffer, size, "%" PRId64 "%s", value->number, units[option->unit].letter);
		return;
	case BSR_OPTION_RATIO:
		snprintf(buffer, size, "%" PRId64 ":%" PRId64, value->number, value->second);
		return;
	case BSR_OPTION_STRING: /* its text is its value: nothing to convert */
		break;
	}
	if (size > 0) {
		buffer[0] = '\0';
	}
}

/* "a | b | c" from "a b c" */
static void join_words(const char *words, char *buffer, size_t size)
{
	size_t used = 0;

	for (const char *at = words; *at != '\0' && used + 4 < size; at++) {
		if (*at == ' ') {
			memcpy(buffer + used, " | ", 3);
			used += 3;
		} else {
			buffer[used++] = *at;
		}
	}
	buffer[used] = '\0';
}

#define RANGE_TEXT_BYTES 320u

void bsr_option_range_text(const struct bsr_option *option, char *buffer, size_t size)
{
	char words[RANGE_TEXT_BYTES] = "";
	const char *letter = units[option->unit].letter;

	if (option->words != NULL) {
		join_words(option->words, words, sizeof(words));
	}
	switch (option->type) {
	case BSR_OPTION_BOOL:
	case BSR_OPTION_FLAG:
		snprintf(buffer, size, "yes | no");
		return;
	case BSR_OPTION_ENUM:
		snprintf(buffer, size, "%s", words);
		return;
	case BSR_OPTION_NUMBER:
		snprintf(buffer, size, "%s%s%" PRId64 "%s..%" PRId64 "%s", words,
			words[0] != '\0' ? " | " : "", option->min, letter, option->max, letter);
		return;
	case BSR_OPTION_STRING:
		snprintf(buffer, size, "text of %" PRId64 "..%" PRId64 " characters", option->min,
			option->max);
		return;
	case BSR_OPTION_RATIO:
		snprintf(buffer, size, "R:S, each %" PRId64 "..%" PRId64, option->min, option->max);
		return;
	case BSR_OPTION_RESYNC_AFTER:
		snprintf(buffer, size, "a minor number, -1, or RESOURCE[/VOLUME]");
		return;
	}
}

void bsr_option_explain(const struct bsr_option *option, const char *text,
	enum bsr_option_fault fault, char *buffer, size_t size)
{
	static const char *const reasons[] = {
		[BSR_OPTION_OK] = "fine",
		[BSR_OPTION_NOT_A_NUMBER] = "not a number",
		[BSR_OPTION_TOO_SMALL] = "too small",
		[BSR_OPTION_TOO_BIG] = "too big",
		[BSR_OPTION_NOT_YES_OR_NO] = "not yes or no",
		[BSR_OPTION_UNKNOWN_WORD] = "not valid",
		[BSR_OPTION_TOO_SHORT] = "too short",
		[BSR_OPTION_TOO_LONG] = "too long",
		[BSR_OPTION_MALFORMED] = "malformed",
	};
	char range[RANGE_TEXT_BYTES];

	bsr_option_range_text(option, range, sizeof(range));
	const bool secret = (option->flags & BSR_OPTION_SECRET) != 0;
	snprintf(buffer, size, "%s: value '%.64s' is %s; allowed: %s", option->name,
		secret ? "(hidden)" : text, reasons[fault], range);
}
