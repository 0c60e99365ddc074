/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * parser.h - what the files of the parser share
 *
 * A statement function is called with its keyword consumed. It returns false after it has reported
 * a syntax error and has not consumed the token that was wrong; its caller then skips to the end of
 * the statement and goes on.
 */
#ifndef BSR_CONFIG_PARSER_H
#define BSR_CONFIG_PARSER_H

#include "config_internal.h"
#include "lexer.h"

struct parser {
	struct bsr_config *config;
	struct lexer lexer;
	struct token token;             /* the next one, not consumed yet */
	struct cfg_location keyword_at; /* of the statement that is being parsed */
	const char *keyword;
	const char *directory;         /* relative includes start here */
	unsigned int depth;            /* of includes */
	unsigned int errors_before;    /* of this file */
	struct cfg_resource *resource; /* being parsed */
	const char *block_end;         /* behind the '}' of the block that was parsed last */
	bool windows;                  /* inside the section of a Windows host */
};

struct statement {
	const char *word;
	bool (*parse)(struct parser *p, void *object);
};

void parser_advance(struct parser *p);
bool parser_at(const struct parser *p, char punctuation);
bool parser_accept(struct parser *p, char punctuation);
bool parser_expect(struct parser *p, char punctuation);
bool parser_at_word(const struct parser *p, const char *word);
bool parser_accept_word(struct parser *p, const char *word);

/* "expected WHAT, found TOKEN"; returns false */
bool parser_syntax_error(struct parser *p, const char *what);

/* The same with a list of words, and the nearest of them if the token looks like a misspelling. */
bool parser_unknown_word(struct parser *p, const char *const *words, size_t count);

/*
 * Skips to the end of the statement: past ';' or past a balanced block, but not past the '}' around
 * it.
 */
void parser_recover(struct parser *p);

/*
 * `skip` in front of a section hides it, whatever is inside: swallows up to the brace that closes
 * it.
 */
void parser_skip_section(struct parser *p);

/* A name or other text: bare word or string. @what is for the message. */
bool parser_expect_text(struct parser *p, const char *what, const char **text);

/* A decimal number from @min to @max; a number outside is reported but the statement goes on. */
bool parser_expect_number(struct parser *p, const char *what, unsigned int min, unsigned int max,
	unsigned int *number);

/* Words up to ';' or '{', at least one; neither is consumed. */
bool parser_expect_names(struct parser *p, const char *what, struct cfg_names *names);

/* "{ statement... }" */
bool parser_block(struct parser *p, const struct statement *statements, size_t count, void *object);

/* Where a thing may stand only once: records it and returns true, or reports the second one. */
bool parser_once(struct parser *p, struct cfg_location *seen, const char *what);

/* parse_options.c */
struct option_target {
	enum bsr_option_section section;
	struct cfg_options *options;
};
bool parse_option_block(struct parser *p, const struct option_target *targets, size_t count);
bool parse_option_statement(struct parser *p, const struct option_target *targets, size_t count);
bool parse_global(struct parser *p, void *object);
bool parse_startup(struct parser *p, void *resource);
bool parse_handlers(struct parser *p, void *resource);
bool parse_syncer(struct parser *p, void *resource);
bool parse_resource_net(struct parser *p, void *resource);
bool parse_resource_options(struct parser *p, void *resource);
bool parse_resource_disk_block(struct parser *p, struct cfg_resource *resource);
bool parse_protocol(struct parser *p, void *resource);

/* parse_resource.c */
bool parse_resource(struct parser *p, void *object);
bool parse_common(struct parser *p, void *object);

/* parse_host.c */
bool parse_host_on(struct parser *p, void *resource);
bool parse_host_floating(struct parser *p, void *resource);
bool parse_running_host(struct parser *p, void *resource);

/*
 * parse_volume.c: the statements of one volume, and volume 0 where no `volume` section is written
 */
struct cfg_volume *implicit_volume(struct parser *p, struct cfg_volumes *volumes);
bool parse_volume(struct parser *p, struct cfg_volumes *volumes);
bool parse_volume_device(struct parser *p, void *volume);
bool parse_volume_disk(struct parser *p, void *volume);
bool parse_volume_meta_disk(struct parser *p, void *volume);

/* parse_connection.c */
bool parse_connection(struct parser *p, void *resource);
bool parse_mesh(struct parser *p, void *resource);

/* parse_address.c */
bool parse_address(struct parser *p, struct cfg_address *address);
bool parse_address_statement(struct parser *p, struct cfg_address *address, const char *what);
bool parse_proxy(struct parser *p, void *resource);
bool parse_proxy_on(struct parser *p, struct cfg_proxy *proxy);

/* parse_file.c */
bool parse_include(struct parser *p, void *object);
/* Reads the `common` of a template; @path becomes absolute, so that a dump works from anywhere. */
struct cfg_resource *parse_template_file(struct parser *p, const char **path);

#endif
