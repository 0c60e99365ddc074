// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * lexer.c - tokens of the configuration language
 *
 * Owns:       position in one text.
 * May touch:  the diagnostics of the configuration it reads for.
 * Invariants:
 *   LX-1  Every call of lexer_next() before the end consumes at least one byte, so any text ends.
 */
#include "lexer.h"

#include "config_internal.h"

#include <bsr/assert.h>

#include <ctype.h>
#include <stdarg.h>
#include <string.h>

void lexer_init(struct lexer *lexer, struct bsr_config *config, const char *file, const char *text,
	size_t size)
{
	*lexer = (struct lexer){.config = config,
		.file = file,
		.at = text,
		.end = text + size,
		.line_start = text,
		.line = 1};
}

void lexer_stop(struct lexer *lexer)
{
	lexer->at = lexer->end;
}

static struct cfg_location here(const struct lexer *lexer)
{
	return (struct cfg_location){.file = lexer->file,
		.line = lexer->line,
		.column = (unsigned int)(lexer->at - lexer->line_start) + 1};
}

static void lexer_error(struct lexer *lexer, const struct cfg_location *at, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

static void lexer_error(struct lexer *lexer, const struct cfg_location *at, const char *format, ...)
{
	char text[160];
	va_list args;

	if (lexer->quiet) {
		return;
	}
	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	cfg_error(lexer->config, at, "%s", text);
}

static void skip_blanks(struct lexer *lexer)
{
	while (lexer->at < lexer->end) {
		const char c = *lexer->at;
		if (c == '\n') {
			lexer->line++;
			lexer->line_start = lexer->at + 1;
		} else if (c == '#') {
			while (lexer->at < lexer->end && *lexer->at != '\n') {
				lexer->at++;
			}
			continue;
		} else if (c != ' ' && c != '\t' && c != '\r') {
			return;
		}
		lexer->at++;
	}
}

static bool is_word_char(char c)
{
	return isalnum((unsigned char)c) || c == '/' || c == '.' || c == '_' || c == '-';
}

/* d.d.d.d with one to three digits each */
static bool looks_like_ipv4(const char *text)
{
	for (unsigned int part = 0; part < 4; part++) {
		const size_t digits = strspn(text, "0123456789");
		if (digits < 1 || digits > 3) {
			return false;
		}
		text += digits;
		if (part < 3 && *text++ != '.') {
			return false;
		}
	}
	return *text == '\0';
}

#define INTEGER_DIGITS_MAX 8u

static enum token_type classify_word(const char *text, size_t length)
{
	const size_t digits = strspn(text, "0123456789");

	if (digits > INTEGER_DIGITS_MAX && digits == length) {
		return TOKEN_LONG_INTEGER;
	}
	if (digits >= 1 && digits <= INTEGER_DIGITS_MAX) {
		if (digits == length) {
			return TOKEN_INTEGER;
		}
		if (digits + 1 == length && strchr("MKGs", text[digits]) != NULL) {
			return TOKEN_INTEGER;
		}
	}
	return looks_like_ipv4(text) ? TOKEN_IPV4 : TOKEN_WORD;
}

#define LONG_TOKEN_SHOWN 20

static void read_word(struct lexer *lexer, struct token *token)
{
	const char *start = lexer->at;

	while (lexer->at < lexer->end && is_word_char(*lexer->at)) {
		lexer->at++;
	}
	const size_t length = (size_t)(lexer->at - start);
	if (length > CFG_NAME_CHARS_MAX) {
		lexer_error(lexer, &token->at,
			"token too long: '%.*s...' has %zu characters, at most %u are allowed",
			LONG_TOKEN_SHOWN, start, length, CFG_NAME_CHARS_MAX);
		token->type = TOKEN_BAD;
		return;
	}
	memcpy(token->text, start, length);
	token->text[length] = '\0';
	token->type = classify_word(token->text, length);
}

/* Whether another quote follows on this line: then a backslash quotes the one before it. */
static bool quote_follows(const struct lexer *lexer, const char *from)
{
	for (const char *c = from; c < lexer->end && *c != '\n'; c++) {
		if (*c == '"') {
			return true;
		}
	}
	return false;
}

/* Whether the backslash just read quotes the character that follows. */
static bool backslash_quotes(const struct lexer *lexer)
{
	const char next = *lexer->at;

	if (next == '"') {
		return quote_follows(lexer, lexer->at + 1);
	}
	return next == '\\' || !lexer->windows;
}

static void read_string(struct lexer *lexer, struct token *token)
{
	size_t length = 0;
	bool too_long = false;

	lexer->at++;
	while (lexer->at < lexer->end && *lexer->at != '"' && *lexer->at != '\n' &&
		*lexer->at != '\0') {
		char c = *lexer->at++;
		if (c == '\\' && lexer->at < lexer->end && *lexer->at != '\n' &&
			*lexer->at != '\0') {
			/* "C:\" is a drive of a Windows host, not an open string */
			if (backslash_quotes(lexer)) {
				c = *lexer->at++;
			}
		}
		if (length < CFG_STRING_CHARS_MAX) {
			token->text[length++] = c;
		} else {
			too_long = true;
		}
	}
	token->text[length] = '\0';
	token->type = TOKEN_BAD;
	if (lexer->at >= lexer->end || *lexer->at != '"') {
		lexer_error(lexer, &token->at,
			"the string that begins here has no closing '\"' on its line");
		return;
	}
	lexer->at++;
	if (too_long) {
		lexer_error(lexer, &token->at,
			"token too long: \"%.*s...\" may have at most %u characters",
			LONG_TOKEN_SHOWN, token->text, CFG_STRING_CHARS_MAX);
		return;
	}
	token->type = TOKEN_STRING;
}

static void read_stray(struct lexer *lexer, struct token *token)
{
	const unsigned char c = (unsigned char)*lexer->at;

	token->type = TOKEN_BAD;
	token->text[0] = '\0';
	if (c == '\0') {
		lexer_error(
			lexer, &token->at, "the file contains a NUL byte: this is not a text file");
		lexer_stop(lexer);
		return;
	}
	while (lexer->at < lexer->end && (unsigned char)*lexer->at == c) {
		lexer->at++;
	}
	if (isprint(c)) {
		lexer_error(lexer, &token->at,
			"character '%c' is not allowed here; put the word in double quotes", c);
	} else {
		lexer_error(lexer, &token->at,
			"character 0x%02x is not allowed here; put the word in double quotes", c);
	}
}

void lexer_next(struct lexer *lexer, struct token *token)
{
	skip_blanks(lexer);
	token->at = here(lexer);
	token->text[0] = '\0';
	if (lexer->at >= lexer->end) {
		token->type = TOKEN_END;
		return;
	}
	const char *before = lexer->at;
	const char c = *before;
	if (c != '\0' && strchr("{};[]:", c) != NULL) {
		token->type = TOKEN_PUNCTUATION;
		token->text[0] = c;
		token->text[1] = '\0';
		lexer->at++;
	} else if (c == '"') {
		read_string(lexer, token);
	} else if (is_word_char(c)) {
		read_word(lexer, token);
	} else {
		read_stray(lexer, token);
	}
	BSR_ASSERT(lexer->at > before); /* LX-1 */
	BSR_ASSERT(lexer->at <= lexer->end);
}

bool lexer_read_bracket(struct lexer *lexer, char *buffer, size_t size)
{
	const struct cfg_location at = here(lexer);
	size_t length = 0;

	while (lexer->at + length < lexer->end && strchr("]\n;{}", lexer->at[length]) == NULL) {
		length++;
	}
	if (lexer->at + length >= lexer->end || lexer->at[length] != ']' || length >= size) {
		lexer_error(lexer, &at, "expected an IPv6 address and ']'");
		return false;
	}
	memcpy(buffer, lexer->at, length);
	buffer[length] = '\0';
	lexer->at += length + 1;
	return true;
}

#define DESCRIBED_CHARS 40

void token_describe(const struct token *token, char *buffer, size_t size)
{
	char shown[DESCRIBED_CHARS + 1];
	size_t length = 0;

	if (token->type == TOKEN_END) {
		snprintf(buffer, size, "end of file");
		return;
	}
	for (const char *c = token->text; *c != '\0' && length < DESCRIBED_CHARS; c++) {
		shown[length++] = isprint((unsigned char)*c) ? *c : '?';
	}
	shown[length] = '\0';
	snprintf(buffer, size, token->type == TOKEN_STRING ? "\"%s\"" : "'%s'", shown);
}
