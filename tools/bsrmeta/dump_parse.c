// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * dump_parse.c - the text of dump-md, read back
 *
 * Owns:       the scanner and the grammar.
 * May touch:  nothing; bitmap words go to a sink.
 * Invariants:
 *   DUMP-1  Nothing is believed before it met its limit; a text of any size needs the same memory.
 * Format:     docs/format/dump.md
 */
#include "dump_parse.h"

#include <inttypes.h>
#include <stdarg.h>
#include <string.h>

#include <bsr/crc32c.h>
#include <bsr/errors.h>

#define TOKEN_BYTES_MAX 64u
#define STRING_BYTES_MAX 20u
#define NUMBER_DIGITS_MAX 19u

enum token {
	TOKEN_END,
	TOKEN_WORD,
	TOKEN_STRING,
	TOKEN_NUMBER,
	TOKEN_U32,
	TOKEN_U64,
	TOKEN_MARK,
	TOKEN_BAD
};

struct scan {
	FILE *file;
	struct bsr_meta_dump_text *dump;
	const struct bsr_meta_dump_sink *sink;
	enum token token; /* the present one */
	char text[TOKEN_BYTES_MAX];
	uint64_t value;
	bool negative;
	uint32_t line;
	uint32_t crc;
	int sink_rc;
};

static int next_char(struct scan *s)
{
	const int c = getc(s->file);
	if (c != EOF) {
		const uint8_t byte = (uint8_t)c;
		s->crc = bsr_crc32c(s->crc, &byte, 1);
		s->line += c == '\n';
	}
	return c;
}

static int peek_char(struct scan *s)
{
	const int c = getc(s->file);
	if (c != EOF) {
		ungetc(c, s->file);
	}
	return c;
}

static int fail(struct scan *s, const char *format, ...) __attribute__((format(printf, 2, 3)));

static int fail(struct scan *s, const char *format, ...)
{
	va_list args;
	const int at =
		snprintf(s->dump->error, META_DUMP_ERROR_BYTES, "line %" PRIu32 ": ", s->line);
	va_start(args, format);
	vsnprintf(s->dump->error + at, META_DUMP_ERROR_BYTES - (size_t)at, format, args);
	va_end(args);
	return -BSR_E_RANGE;
}

static int skip_space(struct scan *s)
{
	for (;;) {
		int c = next_char(s);
		if (c == '#') {
			while (c != '\n' && c != EOF) {
				c = next_char(s);
			}
		}
		if (c != ' ' && c != '\t' && c != '\n' && c != '\r') {
			return c;
		}
	}
}

static bool is_word_char(int c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       c == '-' || c == '_';
}

static int hex_digit(int c)
{
	if (c >= '0' && c <= '9') {
		return c - '0';
	}
	if (c >= 'a' && c <= 'f') {
		return c - 'a' + 10;
	}
	return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

static enum token classify_hex(struct scan *s, size_t length)
{
	s->value = 0;
	for (size_t i = 2; i < length; i++) {
		const int digit = hex_digit(s->text[i]);
		if (digit < 0) {
			return TOKEN_BAD;
		}
		s->value = (s->value << 4) | (uint64_t)digit;
	}
	return length == 10 ? TOKEN_U32 : length == 18 ? TOKEN_U64 : TOKEN_BAD;
}

static enum token classify(struct scan *s, size_t length)
{
	const char *p = s->text;
	if (length > 2 && p[0] == '0' && p[1] == 'x') {
		return classify_hex(s, length);
	}
	s->negative = p[0] == '-';
	const size_t first = s->negative ? 1 : 0;
	if (length == first || p[first] < '0' || p[first] > '9') {
		return TOKEN_WORD;
	}
	s->value = 0;
	for (size_t i = first; i < length; i++) {
		if (p[i] < '0' || p[i] > '9' || length - first > NUMBER_DIGITS_MAX) {
			return TOKEN_BAD;
		}
		s->value = s->value * 10 + (uint64_t)(p[i] - '0'); /* 19 digits fit 64 bits */
	}
	return TOKEN_NUMBER;
}

static enum token scan_string(struct scan *s)
{
	size_t length = 0;
	for (int c = next_char(s); c != '"'; c = next_char(s)) {
		if (c == EOF || c == '\n' || length == STRING_BYTES_MAX) {
			return TOKEN_BAD;
		}
		s->text[length++] = (char)c;
	}
	s->text[length] = '\0';
	return length > 0 ? TOKEN_STRING : TOKEN_BAD;
}

static void advance(struct scan *s)
{
	const int c = skip_space(s);
	size_t length = 0;
	s->text[0] = '\0';
	if (c == EOF) {
		s->token = TOKEN_END;
		return;
	}
	if (c == '"') {
		s->token = scan_string(s);
		return;
	}
	s->text[length++] = (char)c;
	if (!is_word_char(c)) {
		s->text[length] = '\0';
		s->token = strchr("{}[];", c) != NULL && c != '\0' ? TOKEN_MARK : TOKEN_BAD;
		return;
	}
	while (is_word_char(peek_char(s))) {
		if (length == TOKEN_BYTES_MAX - 1) {
			s->token = TOKEN_BAD;
			s->text[length] = '\0';
			return;
		}
		s->text[length++] = (char)next_char(s);
	}
	s->text[length] = '\0';
	s->token = classify(s, length);
}

static int unexpected(struct scan *s, const char *wanted)
{
	if (s->token == TOKEN_END) {
		return fail(s, "the text ends where %s is expected", wanted);
	}
	return fail(s, "%s expected, found \"%.40s\"", wanted, s->text);
}

static bool at_word(const struct scan *s, const char *word)
{
	return s->token == TOKEN_WORD && strcmp(s->text, word) == 0;
}

static int expect_word(struct scan *s, const char *word)
{
	if (!at_word(s, word)) {
		return unexpected(s, word);
	}
	advance(s);
	return 0;
}

static int expect_mark(struct scan *s, char mark)
{
	const char wanted[4] = {'"', mark, '"', '\0'};
	if (s->token != TOKEN_MARK || s->text[0] != mark) {
		return unexpected(s, wanted);
	}
	advance(s);
	return 0;
}

/* One "keyword value ;": what kind of value, its limit, and where it goes. */
static int parse_field(
	struct scan *s, const char *word, enum token kind, uint64_t max, uint64_t *value)
{
	int rc = expect_word(s, word);
	if (rc != 0) {
		return rc;
	}
	if (s->token != kind) {
		return unexpected(s, kind == TOKEN_NUMBER ? "a decimal number"
				     : kind == TOKEN_U32  ? "0x and 8 hex digits"
							  : "0x and 16 hex digits");
	}
	if (kind == TOKEN_NUMBER && s->negative && max == INT32_MAX && s->value == 1) {
		s->value = UINT64_MAX; /* the only negative number there is: -1 for "none" */
	} else if ((kind == TOKEN_NUMBER && s->negative) || s->value > max) {
		return fail(s, "%s %.40s is out of range", word, s->text);
	}
	*value = s->value;
	advance(s);
	return expect_mark(s, ';');
}

static int parse_u32(struct scan *s, const char *word, uint32_t *value)
{
	uint64_t v = 0;
	const int rc = parse_field(s, word, TOKEN_U32, UINT32_MAX, &v);
	if (rc == 0) {
		*value = (uint32_t)v;
	}
	return rc;
}

static int parse_number(struct scan *s, const char *word, uint64_t max, uint32_t *value)
{
	uint64_t v = 0;
	const int rc = parse_field(s, word, TOKEN_NUMBER, max, &v);
	if (rc == 0) {
		*value = (uint32_t)v;
	}
	return rc;
}

static int parse_index(struct scan *s, uint32_t limit, uint32_t *index)
{
	int rc = expect_mark(s, '[');
	if (rc != 0) {
		return rc;
	}
	if (s->token != TOKEN_NUMBER || s->negative || s->value >= limit) {
		return fail(s, "an index of 0..%" PRIu32 " expected, found \"%.40s\"", limit - 1,
			s->text);
	}
	*index = (uint32_t)s->value;
	advance(s);
	return expect_mark(s, ']');
}

/* "0x0123456789ABCDEF ;" @count times */
static int parse_u64_list(struct scan *s, struct bsr_gi *list, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++) {
		if (s->token != TOKEN_U64) {
			return unexpected(s, "0x and 16 hex digits");
		}
		list[i].v = s->value;
		advance(s);
		const int rc = expect_mark(s, ';');
		if (rc != 0) {
			return rc;
		}
	}
	return 0;
}

static int parse_peer(struct scan *s, uint32_t *seen)
{
	uint32_t node = 0;
	uint32_t slot = 0;
	uint64_t gi = 0;
	uint64_t dagtag = 0;
	uint32_t flags = 0;
	int rc = expect_word(s, "peer");
	if (rc == 0) {
		rc = parse_index(s, BSR_NODES_MAX, &node);
	}
	if (rc != 0) {
		return rc;
	}
	if ((*seen & (1u << node)) != 0) {
		return fail(s, "peer[%" PRIu32 "] is there twice", node);
	}
	*seen |= 1u << node;
	if ((rc = expect_mark(s, '{')) != 0 ||
		(rc = parse_number(s, "bitmap-index", INT32_MAX, &slot)) != 0 ||
		(rc = parse_field(s, "bitmap-uuid", TOKEN_U64, UINT64_MAX, &gi)) != 0 ||
		(rc = parse_field(s, "bitmap-dagtag", TOKEN_U64, UINT64_MAX, &dagtag)) != 0 ||
		(rc = parse_u32(s, "flags", &flags)) != 0) {
		return rc;
	}
	s->dump->sb.peer[node] = (struct bsr_superblock_peer){.bitmap_gi.v = gi,
		.bitmap_dagtag = dagtag,
		.flags = flags,
		.bitmap_index = (int32_t)slot};
	return expect_mark(s, '}');
}

static int parse_v09_head(struct scan *s)
{
	struct bsr_superblock *sb = &s->dump->sb;
	uint32_t node_id = 0;
	uint32_t seen = 0;
	int rc = parse_number(s, "max-peers", BSR_BITMAP_SLOTS_MAX, &sb->max_peers);
	if (rc != 0 || (rc = parse_number(s, "node-id", INT32_MAX, &node_id)) != 0 ||
		(rc = parse_field(s, "current-uuid", TOKEN_U64, UINT64_MAX, &sb->current_gi.v)) !=
			0 ||
		(rc = parse_u32(s, "flags", &sb->flags)) != 0) {
		return rc;
	}
	sb->node_id = (int32_t)node_id;
	if (at_word(s, "members")) {
		rc = parse_field(s, "members", TOKEN_U64, UINT64_MAX, &sb->members);
	}
	for (uint32_t i = 0; i < BSR_NODES_MAX && rc == 0; i++) {
		rc = parse_peer(s, &seen);
	}
	if (rc != 0 || (rc = expect_word(s, "history-uuids")) != 0 ||
		(rc = expect_mark(s, '{')) != 0 ||
		(rc = parse_u64_list(s, sb->history, BSR_HISTORY_UUIDS)) != 0) {
		return rc;
	}
	return expect_mark(s, '}');
}

static int parse_v08_head(struct scan *s)
{
	struct bsr_superblock *sb = &s->dump->sb;
	struct bsr_gi list[4];
	int rc;
	sb->max_peers = 1;
	sb->node_id = -1;
	for (uint32_t i = 0; i < BSR_NODES_MAX; i++) {
		sb->peer[i].bitmap_index = i == 0 ? 0 : -1;
	}
	if ((rc = expect_word(s, "uuid")) != 0 || (rc = expect_mark(s, '{')) != 0 ||
		(rc = parse_u64_list(s, list, 4)) != 0 ||
		(rc = parse_u32(s, "flags", &sb->flags)) != 0) {
		return rc;
	}
	sb->current_gi = list[0];
	sb->peer[0].bitmap_gi = list[1];
	sb->history[0] = list[2];
	sb->history[1] = list[3];
	return expect_mark(s, '}');
}

static int parse_common(struct scan *s)
{
	struct bsr_superblock *sb = &s->dump->sb;
	uint32_t stripes = 0;
	uint32_t stripe_blocks = 0;
	int rc;
	if ((rc = parse_field(
		     s, "la-size-sect", TOKEN_NUMBER, INT64_MAX, &sb->effective_sectors)) != 0 ||
		(rc = parse_number(s, "bm-byte-per-bit", UINT32_MAX, &sb->bytes_per_bit)) != 0 ||
		(rc = parse_field(s, "device-uuid", TOKEN_U64, UINT64_MAX, &sb->device_uuid)) !=
			0 ||
		(rc = parse_number(
			 s, "la-peer-max-bio-size", UINT32_MAX, &sb->peer_max_bio_bytes)) != 0 ||
		(rc = parse_number(s, "al-stripes", UINT32_MAX, &stripes)) != 0 ||
		(rc = parse_number(s, "al-stripe-size-4k", UINT32_MAX, &stripe_blocks)) != 0) {
		return rc;
	}
	sb->al_stripes = stripes;
	sb->al_stripe_blocks = stripe_blocks;
	/* A size beyond what the device holds is cut by restore-md; one beyond any device is a
	 * mistake in the text. */
	const uint64_t size = sb->effective_sectors;
	sb->effective_sectors = 0;
	const char *problem = bsr_superblock_problem(sb);
	sb->effective_sectors = size;
	return problem != NULL ? fail(s, "%s", problem) : 0;
}

static int take_words(struct scan *s, uint32_t slot, uint64_t count, uint64_t value)
{
	uint64_t *given = &s->dump->words[slot];
	if (s->sink != NULL) {
		s->sink_rc = s->sink->words(s->sink->arg, slot, *given, count, value);
	}
	*given = count < UINT64_MAX / 2 - *given ? *given + count : UINT64_MAX / 2;
	return s->sink_rc;
}

static int parse_bits(struct scan *s, uint32_t slot)
{
	int rc = expect_mark(s, '{');
	while (rc == 0 && (s->token == TOKEN_NUMBER || s->token == TOKEN_U64)) {
		uint64_t count = 1;
		if (s->token == TOKEN_NUMBER) {
			count = s->value;
			if (s->negative) {
				return fail(s, "a count cannot be negative");
			}
			advance(s);
			rc = expect_word(s, "times");
		}
		if (rc == 0 && s->token != TOKEN_U64) {
			rc = unexpected(s, "0x and 16 hex digits");
		}
		if (rc == 0) {
			rc = take_words(s, slot, count, s->value);
		}
		if (rc == 0) {
			advance(s);
			rc = expect_mark(s, ';');
		}
	}
	return rc == 0 ? expect_mark(s, '}') : rc;
}

static int parse_slots(struct scan *s)
{
	int rc = 0;
	if (s->dump->format == 8) {
		rc = expect_word(s, "bm");
		return rc == 0 ? parse_bits(s, 0) : rc;
	}
	for (uint32_t slot = 0; slot < s->dump->sb.max_peers && rc == 0; slot++) {
		uint32_t index = 0;
		rc = expect_word(s, "bitmap");
		if (rc == 0) {
			rc = parse_index(s, BSR_BITMAP_SLOTS_MAX, &index);
		}
		if (rc == 0 && index != slot) {
			rc = fail(s, "bitmap[%" PRIu32 "] expected, found bitmap[%" PRIu32 "]",
				slot, index);
		}
		if (rc == 0) {
			rc = parse_bits(s, slot);
		}
	}
	return rc;
}

static int parse_version(struct scan *s)
{
	int rc = expect_word(s, "version");
	if (rc != 0) {
		return rc;
	}
	if (s->token != TOKEN_STRING) {
		return unexpected(s, "\"v09\" or \"v08\"");
	}
	if (strcmp(s->text, "v09") == 0) {
		s->dump->format = 9;
	} else if (strcmp(s->text, "v08") == 0) {
		s->dump->format = 8;
	} else {
		return fail(
			s, "version \"%s\" is not one that can be restored (v09, v08)", s->text);
	}
	advance(s);
	return expect_mark(s, ';');
}

int bsr_meta_dump_parse(
	struct bsr_meta_dump_text *dump, FILE *file, const struct bsr_meta_dump_sink *sink)
{
	struct scan s = {.file = file, .dump = dump, .sink = sink, .line = 1};
	memset(dump, 0, sizeof(*dump));
	advance(&s);
	int rc = parse_version(&s);
	if (rc == 0) {
		rc = dump->format == 9 ? parse_v09_head(&s) : parse_v08_head(&s);
	}
	if (rc == 0) {
		rc = parse_common(&s);
	}
	if (rc == 0) {
		rc = parse_slots(&s);
	}
	if (rc == 0 && s.token != TOKEN_END) {
		rc = unexpected(&s, "the end of the text");
	}
	if (rc == 0 && ferror(file)) {
		rc = fail(&s, "cannot read on");
	}
	dump->lines = s.line;
	dump->crc = s.crc;
	return s.sink_rc != 0 ? s.sink_rc : rc;
}
