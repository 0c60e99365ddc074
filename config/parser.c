// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * parser.c - the frame of the parser: tokens, messages, recovery, blocks of statements
 *
 * Owns:       the token in hand.
 * May touch:  the configuration it fills.
 * Invariants:
 *   PA-1  Nesting costs no stack beyond the depth of the grammar: skipping a block counts braces.
 */
#include "parser.h"

#include <bsr/assert.h>

#include <stdlib.h>
#include <string.h>

void parser_advance(struct parser *p)
{
	lexer_next(&p->lexer, &p->token);
	if (p->config->errors - p->errors_before > CFG_ERRORS_MAX) {
		/*
		 * hopeless, and perhaps hostile: what follows would only repeat the same complaint
		 */
		lexer_stop(&p->lexer);
		p->token.type = TOKEN_END;
		p->token.text[0] = '\0';
	}
}

bool parser_at(const struct parser *p, char punctuation)
{
	return p->token.type == TOKEN_PUNCTUATION && p->token.text[0] == punctuation;
}

bool parser_accept(struct parser *p, char punctuation)
{
	if (!parser_at(p, punctuation)) {
		return false;
	}
	parser_advance(p);
	return true;
}

bool parser_syntax_error(struct parser *p, const char *what)
{
	char found[64];

	p->config->incomplete = true;
	if (p->token.type == TOKEN_BAD) {
		return false; /* the lexer has told */
	}
	token_describe(&p->token, found, sizeof(found));
	cfg_error(p->config, &p->token.at, "expected %s, found %s", what, found);
	return false;
}

bool parser_expect(struct parser *p, char punctuation)
{
	const char what[4] = {'\'', punctuation, '\'', '\0'};

	if (!parser_accept(p, punctuation)) {
		return parser_syntax_error(p, what);
	}
	return true;
}

bool parser_at_word(const struct parser *p, const char *word)
{
	return p->token.type == TOKEN_WORD && strcmp(p->token.text, word) == 0;
}

bool parser_accept_word(struct parser *p, const char *word)
{
	if (!parser_at_word(p, word)) {
		return false;
	}
	parser_advance(p);
	return true;
}

#define LISTED_BYTES 1024u

bool parser_unknown_word(struct parser *p, const char *const *words, size_t count)
{
	char list[LISTED_BYTES];
	size_t used = 0;
	char found[64];

	p->config->incomplete = true;
	if (p->token.type == TOKEN_BAD) {
		return false;
	}
	token_describe(&p->token, found, sizeof(found));
	const char *near = bsr_config_suggest(p->token.text, words, count);
	list[0] = '\0';
	for (size_t i = 0; i < count && used < sizeof(list); i++) {
		const int n = snprintf(
			list + used, sizeof(list) - used, "%s%s", i > 0 ? " | " : "", words[i]);
		used += n > 0 ? (size_t)n : 0;
	}
	if (near != NULL) {
		cfg_error(p->config, &p->token.at,
			"unknown word %s; did you mean '%s'? (expected: %s)", found, near, list);
	} else {
		cfg_error(p->config, &p->token.at, "expected %s; found %s", list, found);
	}
	return false;
}

void parser_recover(struct parser *p)
{
	unsigned long depth = 0;

	while (p->token.type != TOKEN_END) {
		if (parser_at(p, '}')) {
			if (depth == 0) {
				return;
			}
			if (--depth == 0) {
				parser_advance(p);
				return;
			}
		} else if (parser_at(p, '{')) {
			depth++;
		} else if (parser_at(p, ';') && depth == 0) {
			parser_advance(p);
			return;
		}
		parser_advance(p);
	}
}

bool parser_expect_text(struct parser *p, const char *what, const char **text)
{
	char message[96];

	if (p->token.type == TOKEN_WORD || p->token.type == TOKEN_STRING ||
		p->token.type == TOKEN_IPV4) {
		*text = cfg_strdup(p->config, p->token.text);
		parser_advance(p);
		return true;
	}
	if (p->token.type == TOKEN_INTEGER || p->token.type == TOKEN_LONG_INTEGER) {
		snprintf(message, sizeof(message), "%s (a number must be put in double quotes)",
			what);
		return parser_syntax_error(p, message);
	}
	return parser_syntax_error(p, what);
}

bool parser_expect_number(struct parser *p, const char *what, unsigned int min, unsigned int max,
	unsigned int *number)
{
	char message[96];

	snprintf(message, sizeof(message), "%s (a number from %u to %u)", what, min, max);
	if (p->token.type != TOKEN_INTEGER || !cfg_is_integer(p->token.text)) {
		return parser_syntax_error(p, message);
	}
	const unsigned long value = strtoul(p->token.text, NULL, 10);
	if (value < min || value > max) {
		cfg_error(p->config, &p->token.at, "%s %lu is out of range: allowed are %u..%u",
			what, value, min, max);
	}
	*number = value > max ? max : value < min ? min : (unsigned int)value;
	parser_advance(p);
	return true;
}

bool parser_expect_names(struct parser *p, const char *what, struct cfg_names *names)
{
	do {
		struct cfg_name *name = CFG_NEW(p->config, cfg_name);
		name->at = p->token.at;
		if (!parser_expect_text(p, what, &name->text)) {
			return false;
		}
		CFG_APPEND(names, name);
	} while (!parser_at(p, ';') && !parser_at(p, '{'));
	return true;
}

bool parser_once(struct parser *p, struct cfg_location *seen, const char *what)
{
	if (seen->file != NULL) {
		cfg_error(p->config, &p->keyword_at,
			"conflicting use of %s; first used at %s:%u:%u", what, seen->file,
			seen->line, seen->column);
		return false;
	}
	*seen = p->keyword_at;
	return true;
}

void parser_skip_section(struct parser *p)
{
	const struct cfg_location at = p->token.at;
	unsigned long depth = 0;

	p->lexer.quiet = true;
	while (p->token.type != TOKEN_END) {
		if (parser_at(p, '{')) {
			depth++;
		} else if (parser_at(p, '}') && depth == 0) {
			break; /* of the section around it */
		} else if (parser_at(p, '}')) {
			depth--;
		}
		if (depth == 0 && (parser_at(p, '}') || parser_at(p, ';'))) {
			p->lexer.quiet = false;
			parser_advance(p);
			return;
		}
		parser_advance(p);
	}
	p->lexer.quiet = false;
	p->config->incomplete = true;
	cfg_error(p->config, &at, "the section after 'skip' does not end: a '{' lacks its '}', or it has none");
}

#define BLOCK_WORDS_MAX 32u

static void parse_statement(
	struct parser *p, const struct statement *statements, size_t count, void *object)
{
	const char *words[BLOCK_WORDS_MAX];

	BSR_ASSERT(count > 0 && count <= BLOCK_WORDS_MAX);
	if (p->token.type == TOKEN_WORD) {
		if (parser_accept_word(p, "skip")) {
			parser_skip_section(p);
			return;
		}
		for (size_t i = 0; i < count; i++) {
			if (strcmp(p->token.text, statements[i].word) != 0) {
				continue;
			}
			p->keyword = statements[i].word;
			p->keyword_at = p->token.at;
			parser_advance(p);
			if (!statements[i].parse(p, object)) {
				parser_recover(p);
			}
			return;
		}
	}
	for (size_t i = 0; i < count && i < BLOCK_WORDS_MAX; i++) {
		words[i] = statements[i].word;
	}
	parser_unknown_word(p, words, count < BLOCK_WORDS_MAX ? count : BLOCK_WORDS_MAX);
	parser_recover(p);
}

bool parser_block(struct parser *p, const struct statement *statements, size_t count, void *object)
{
	const struct cfg_location opened_at = p->token.at;

	if (!parser_expect(p, '{')) {
		return false;
	}
	while (!parser_at(p, '}')) {
		if (p->token.type == TOKEN_END) {
			if (p->config->errors - p->errors_before <= CFG_ERRORS_MAX) {
				cfg_error(p->config, &p->token.at,
					"expected '}' for the '{' of line %u, found end of file",
					opened_at.line);
			}
			return true;
		}
		if (parser_accept(p, ';')) {
			continue; /* bsr writes empty statements into its own dumps */
		}
		parse_statement(p, statements, count, object);
	}
	p->block_end = p->lexer.at;
	parser_advance(p);
	return true;
}
