// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * parse_file.c - files: the top level of the language, include, template-file
 *
 * Owns:       which files have been read.
 * May touch:  the file system, for reading.
 * Invariants:
 *   PF-1  A file is read once, whatever names lead to it, so includes cannot run in circles.
 *   PF-2  Depth and number of files and their size are limited.
 */
#include "parser.h"

#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const struct statement top_statements[] = {
	{"global", parse_global},
	{"common", parse_common},
	{"resource", parse_resource},
	{"include", parse_include},
};

#define MODULE_VERSION "require-drbd-module-version-"

/* DRBD's statement on the kernel module that a file is for. Here is none: it is kept, and said. */
static bool parse_module_version(struct parser *p)
{
	static const char *const operators[] = {"eq", "ne", "gt", "ge", "lt", "le"};
	const char *statement = cfg_strdup(p->config, p->token.text);
	const struct cfg_location at = p->token.at;
	const char *version;
	unsigned int number[3];
	int end = -1;
	bool known = false;

	for (size_t i = 0; i < sizeof(operators) / sizeof(operators[0]); i++) {
		known = known || strcmp(statement + strlen(MODULE_VERSION), operators[i]) == 0;
	}
	if (!known) {
		return parser_syntax_error(p, MODULE_VERSION "{eq,ne,gt,ge,lt,le}");
	}
	parser_advance(p);
	const struct cfg_location version_at = p->token.at;
	if (!parser_expect_text(p, "a version like 9.1.0", &version) || !parser_expect(p, ';')) {
		return false;
	}
	if (sscanf(version, "%3u.%3u.%3u%n", &number[0], &number[1], &number[2], &end) != 3 || version[end] != '\0') {
		cfg_error(p->config, &version_at, "'%.32s' is not a version; a version has three numbers, as 9.1.0", version);
		return true;
	}
	cfg_warning(p->config, &at, "%s is kept, and taken as fulfilled: there is no kernel module here", statement);
	p->config->module_versions = cfg_printf(p->config, "%s%s %s;\n",
		p->config->module_versions != NULL ? p->config->module_versions : "", statement, version);
	return true;
}

static void parse_top_level(struct parser *p)
{
	while (p->token.type != TOKEN_END) {
		const struct token before = p->token;
		const char *words[] = {"global", "common", "resource", "include", "skip"};
		size_t i = 0;

		if (parser_at(p, '}')) {
			cfg_error(p->config, &p->token.at, "'}' without a '{'");
			parser_advance(p);
			continue;
		}
		if (parser_accept(p, ';')) {
			continue;
		}
		if (parser_accept_word(p, "skip")) {
			parser_skip_section(p);
			continue;
		}
		if (p->token.type == TOKEN_WORD && strncmp(p->token.text, MODULE_VERSION, strlen(MODULE_VERSION)) == 0) {
			if (!parse_module_version(p)) {
				parser_recover(p);
			}
			continue;
		}
		while (i < 4 && !parser_at_word(p, top_statements[i].word)) {
			i++;
		}
		if (i == 4) {
			parser_unknown_word(p, words, 5);
			parser_recover(p);
		} else {
			p->keyword = top_statements[i].word;
			p->keyword_at = before.at;
			parser_advance(p);
			if (!top_statements[i].parse(p, NULL)) {
				parser_recover(p);
			}
		}
	}
}

/* Reads all of @fd. Returns the bytes, which the caller frees, or NULL with errno set. */
static char *read_all(int fd, size_t *size)
{
	size_t room = 64u << 10;
	char *text = malloc(room);

	*size = 0;
	while (text != NULL) {
		const ssize_t n = read(fd, text + *size, room - *size);
		if (n == 0) {
			return text;
		}
		if (n < 0 && errno == EINTR) {
			continue;
		}
		if (n < 0 || *size > CFG_FILE_BYTES_MAX) {
			const int cause = n < 0 ? errno : EFBIG;
			free(text);
			errno = cause;
			return NULL;
		}
		*size += (size_t)n;
		if (*size == room) {
			char *more = realloc(text, room * 2);
			if (more == NULL) {
				free(text);
				errno = ENOMEM;
				return NULL;
			}
			text = more;
			room *= 2;
		}
	}
	return NULL;
}

/* Claims the file behind @path; false if it has been read already. */
static bool claim_file(struct bsr_config *config, const char *path)
{
	char real[PATH_MAX];
	const struct cfg_location nowhere = {.file = path};
	const char *key = realpath(path, real) != NULL ? real : path;

	return cfg_claim_quietly(config, &nowhere, cfg_printf(config, "file %s", key)) == NULL;
}

static const char *directory_of(struct bsr_config *config, const char *path)
{
	char real[PATH_MAX];

	if (realpath(path, real) == NULL) {
		return ".";
	}
	char *slash = strrchr(real, '/');
	if (slash == NULL) {
		return ".";
	}
	*slash = '\0';
	return real[0] == '\0' ? "/" : cfg_strdup(config, real);
}

struct source {
	const char *name; /* for messages */
	const char *directory;
	const char *text;
	size_t size;
	unsigned int depth;
};

static void parser_start(struct parser *p, struct bsr_config *config, const struct source *source)
{
	*p = (struct parser){.config = config,
		.directory = source->directory,
		.depth = source->depth,
		.errors_before = config->errors};
	lexer_init(&p->lexer, config, cfg_strdup(config, source->name), source->text, source->size);
	parser_advance(p);
}

/* Opens, reads and hands over to @parse. Returns 0 or -errno of opening and reading. */
static int with_file(struct bsr_config *config, const char *path, unsigned int depth,
	void (*parse)(struct parser *p))
{
	struct parser p;
	struct stat st;
	size_t size = 0;
	const bool is_stdin = strcmp(path, "-") == 0;
	const int fd =
		is_stdin ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);

	if (fd < 0) {
		return -errno;
	}
	int rc = 0;
	char *text = NULL;
	if (fstat(fd, &st) != 0) {
		rc = -errno;
	} else if (!is_stdin && !S_ISREG(st.st_mode) && !S_ISFIFO(st.st_mode) &&
		   !S_ISCHR(st.st_mode)) {
		rc = S_ISDIR(st.st_mode) ? -EISDIR : -EINVAL;
	} else {
		if (!S_ISREG(st.st_mode)) {
			(void)fcntl(
				fd, F_SETFL, 0); /* a pipe (process substitution) is waited for */
		}
		text = read_all(fd, &size);
		rc = text == NULL ? -errno : 0;
	}
	if (!is_stdin) {
		close(fd);
	}
	if (rc != 0) {
		return rc;
	}
	const struct source source = {.name = is_stdin ? "STDIN" : path,
		.directory = is_stdin ? "." : directory_of(config, path),
		.text = text,
		.size = size,
		.depth = depth};
	parser_start(&p, config, &source);
	parse(&p);
	free(text);
	return 0;
}

int bsr_config_read_file(struct bsr_config *config, const char *path)
{
	if (config->file == NULL) {
		config->file = strcmp(path, "-") == 0 ? "STDIN" : cfg_strdup(config, path);
	}
	if (strcmp(path, "-") != 0) {
		(void)claim_file(config, path); /* the top file is read even if -E excludes it */
	}
	config->files_read++;
	return with_file(config, path, 0, parse_top_level);
}

void bsr_config_read_buffer(
	struct bsr_config *config, const char *name, const char *text, size_t size)
{
	struct parser p;
	const struct source source = {.name = name, .directory = ".", .text = text, .size = size};

	if (config->file == NULL) {
		config->file = cfg_strdup(config, name);
	}
	parser_start(&p, config, &source);
	parse_top_level(&p);
}

void bsr_config_exclude_file(struct bsr_config *config, const char *path)
{
	(void)claim_file(config, path);
}

/* @at is where the include stands. */
static void include_one(struct parser *p, const char *path, const struct cfg_location *at)
{
	struct bsr_config *config = p->config;

	if (!claim_file(config, path)) {
		return;
	}
	if (config->files_read++ >= CFG_FILES_MAX) {
		cfg_error(config, at, "too many files are included: at most %u are read",
			CFG_FILES_MAX);
		return;
	}
	const int rc = with_file(config, cfg_strdup(config, path), p->depth + 1, parse_top_level);
	if (rc != 0) {
		cfg_error(config, at, "failed to open include file '%s': %s", path, strerror(-rc));
	}
}

static void include_pattern(struct parser *p, const char *pattern, const struct cfg_location *at)
{
	glob_t found;
	const char *path =
		pattern[0] == '/' ? pattern : cfg_printf(p->config, "%s/%s", p->directory, pattern);
	const int rc = glob(path, 0, NULL, &found);

	if (rc == 0) {
		for (size_t i = 0; i < found.gl_pathc; i++) {
			include_one(p, found.gl_pathv[i], at);
		}
		globfree(&found);
		return;
	}
	if (rc == GLOB_NOMATCH && strpbrk(pattern, "*?[") != NULL) {
		return;
	}
	cfg_error(p->config, at, "failed to open include file '%s': %s", path,
		rc == GLOB_NOMATCH ? "no such file" : "cannot be read");
}

bool parse_include(struct parser *p, void *object)
{
	const char *pattern;
	const struct cfg_location at = p->token.at;

	(void)object;
	if (!parser_expect_text(p, "a file name or pattern", &pattern) || !parser_expect(p, ';')) {
		return false;
	}
	if (p->config->no_includes) {
		cfg_error(p->config, &at, "include is not allowed in this text");
	} else if (p->depth >= CFG_INCLUDE_DEPTH_MAX) {
		cfg_error(p->config, &at, "includes are nested too deeply: at most %u levels",
			CFG_INCLUDE_DEPTH_MAX);
	} else {
		include_pattern(p, pattern, &at);
	}
	return true;
}

/* A template holds exactly one `common`; it lands in config->common of a moment. */
static void parse_template(struct parser *p)
{
	const struct cfg_location at = p->token.at;

	if (!parser_accept_word(p, "common")) {
		parser_syntax_error(
			p, "'common' (a template-file holds one common section and nothing else)");
		return;
	}
	p->keyword_at = at;
	if (parse_common(p, NULL) && p->token.type != TOKEN_END) {
		parser_syntax_error(p, "the end of the template-file");
	}
}

struct cfg_resource *parse_template_file(struct parser *p, const char **path)
{
	struct bsr_config *config = p->config;
	struct cfg_resource *global_common = config->common;
	const char *full = *path;

	if (full[0] != '/') {
		full = cfg_printf(config, "%s/%s", p->directory, *path);
		*path = full;
	}
	if (config->no_includes) {
		cfg_error(config, &p->keyword_at, "template-file is not allowed in this text");
		return NULL;
	}
	config->common = NULL;
	const int rc = with_file(config, full, p->depth + 1, parse_template);
	struct cfg_resource *result = config->common;
	config->common = global_common;
	if (rc != 0) {
		cfg_error(config, &p->keyword_at, "failed to open template-file '%s': %s", full,
			strerror(-rc));
	}
	return result;
}
