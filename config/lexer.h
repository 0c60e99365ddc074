/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * lexer.h - tokens of the configuration language
 *
 * Owns:       position in one text. The text belongs to the caller and outlives the lexer.
 * May touch:  the diagnostics of the configuration it reads for.
 */
#ifndef BSR_CONFIG_LEXER_H
#define BSR_CONFIG_LEXER_H

#include "config.h"

enum token_type {
	TOKEN_END,
	TOKEN_WORD,
	TOKEN_STRING,
	TOKEN_INTEGER,      /* 1..8 digits and perhaps one of M K G s */
	TOKEN_LONG_INTEGER, /* more digits: fine as the value of an option only */
	TOKEN_IPV4,         /* by its shape; the range of its numbers is the parser's business */
	TOKEN_PUNCTUATION,  /* text is that one character */
	TOKEN_BAD,          /* reported already */
};

struct token {
	enum token_type type;
	struct cfg_location at;
	char text[CFG_STRING_CHARS_MAX + 1];
};

struct lexer {
	struct bsr_config *config;
	const char *file;
	const char *at;
	const char *end;
	const char *line_start;
	unsigned int line;
	/* paths of a Windows host: a backslash quotes nothing but quotes and itself */
	bool windows;
	bool quiet;   /* inside a skipped section nothing is wrong */
};

void lexer_init(struct lexer *lexer, struct bsr_config *config, const char *file, const char *text,
	size_t size);

/* Reads the next token. At the end of the text it returns TOKEN_END for ever. */
void lexer_next(struct lexer *lexer, struct token *token);

/*
 * Reads raw text up to, and over, a closing bracket on the same line: the inside of an IPv6
 * address, whose scope may hold any character. False (reported) if there is none or the text is too
 * long for @buffer.
 */
bool lexer_read_bracket(struct lexer *lexer, char *buffer, size_t size);

/* Makes the rest of the text invisible. */
void lexer_stop(struct lexer *lexer);

/* "'word'", "end of file" ... for messages: short, printable */
void token_describe(const struct token *token, char *buffer, size_t size);

#endif
