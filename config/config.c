// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * config.c - life of a configuration: memory, messages, names that may be used once, look-ups
 *
 * Owns:       the arena, the list of diagnostics, the table of claims.
 * May touch:  nothing outside the process.
 */
#include "config_internal.h"

#include <bsr/assert.h>

#include <ctype.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#define ARENA_BLOCK_BYTES (64u << 10)

struct cfg_arena_block {
	struct cfg_arena_block *next;
	size_t used;
	size_t size;
	_Alignas(max_align_t) unsigned char bytes[];
};

struct cfg_claim {
	struct cfg_claim *next;
	const char *key;
	struct cfg_location at;
};

struct cfg_diagnostic {
	struct cfg_diagnostic *next;
	struct cfg_location at;
	enum cfg_severity severity;
	const char *text;
};

static _Noreturn void out_of_memory(void)
{
	fputs("out of memory while reading the configuration\n", stderr);
	exit(20);
}

void *cfg_alloc(struct bsr_config *config, size_t size)
{
	const size_t rounded = (size + _Alignof(max_align_t) - 1) & ~(_Alignof(max_align_t) - 1);
	struct cfg_arena_block *block = config->arena;

	if (block == NULL || block->size - block->used < rounded) {
		const size_t room = rounded > ARENA_BLOCK_BYTES ? rounded : ARENA_BLOCK_BYTES;
		block = calloc(1, sizeof(*block) + room);
		if (block == NULL) {
			out_of_memory();
		}
		block->size = room;
		block->next = config->arena;
		config->arena = block;
	}
	BSR_ASSERT(block->used + rounded <= block->size);
	void *memory = block->bytes + block->used;
	block->used += rounded;
	return memory;
}

char *cfg_strdup(struct bsr_config *config, const char *text)
{
	const size_t size = strlen(text) + 1;
	char *copy = cfg_alloc(config, size);

	memcpy(copy, text, size);
	return copy;
}

static char *format_text(struct bsr_config *config, const char *format, va_list args)
	__attribute__((format(printf, 2, 0)));

static char *format_text(struct bsr_config *config, const char *format, va_list args)
{
	va_list again;

	va_copy(again, args);
	const int length = vsnprintf(NULL, 0, format, again);
	va_end(again);
	if (length < 0) {
		out_of_memory();
	}
	char *text = cfg_alloc(config, (size_t)length + 1);
	vsnprintf(text, (size_t)length + 1, format, args);
	return text;
}

char *cfg_printf(struct bsr_config *config, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	char *text = format_text(config, format, args);
	va_end(args);
	return text;
}

#define CLAIM_BUCKETS 4096u

struct bsr_config *bsr_config_new(void)
{
	struct bsr_config *config = calloc(1, sizeof(*config));

	if (config == NULL) {
		return NULL;
	}
	config->claim_buckets = CLAIM_BUCKETS;
	config->claims = calloc(CLAIM_BUCKETS, sizeof(*config->claims));
	if (config->claims == NULL) {
		free(config);
		return NULL;
	}
	const char *pretended = getenv(bsr_names()->node_variable);
	char name[256] = "";
	if (pretended != NULL && *pretended != '\0') {
		config->pretended = cfg_strdup(config, pretended);
		config->hostname = config->pretended;
	} else {
		if (gethostname(name, sizeof(name) - 1) != 0) {
			strcpy(name, "localhost");
		}
		config->hostname = cfg_strdup(config, name);
	}
	return config;
}

void bsr_config_free(struct bsr_config *config)
{
	if (config == NULL) {
		return;
	}
	struct cfg_arena_block *block = config->arena;
	while (block != NULL) {
		struct cfg_arena_block *next = block->next;
		free(block);
		block = next;
	}
	free(config->claims);
	free(config);
}

static void add_diagnostic(struct bsr_config *config, enum cfg_severity severity,
	const struct cfg_location *at, const char *format, va_list args)
	__attribute__((format(printf, 4, 0)));

static void add_diagnostic(struct bsr_config *config, enum cfg_severity severity,
	const struct cfg_location *at, const char *format, va_list args)
{
	BSR_ASSERT(severity == CFG_ERROR || severity == CFG_WARNING);
	unsigned int *counter = severity == CFG_ERROR ? &config->errors : &config->warnings;

	(*counter)++;
	if (*counter > CFG_ERRORS_MAX) {
		return;
	}
	struct cfg_diagnostic *diagnostic = CFG_NEW(config, cfg_diagnostic);
	diagnostic->severity = severity;
	if (at != NULL) {
		diagnostic->at = *at;
	}
	diagnostic->text = format_text(config, format, args);
	CFG_APPEND(&config->diagnostics, diagnostic);
}

void cfg_error(struct bsr_config *config, const struct cfg_location *at, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	add_diagnostic(config, CFG_ERROR, at, format, args);
	va_end(args);
}

void cfg_warning(struct bsr_config *config, const struct cfg_location *at, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	add_diagnostic(config, CFG_WARNING, at, format, args);
	va_end(args);
}

unsigned int bsr_config_error_count(const struct bsr_config *config)
{
	return config->errors;
}

void bsr_config_print_diagnostics(const struct bsr_config *config, FILE *to)
{
	for (const struct cfg_diagnostic *d = config->diagnostics.first; d != NULL; d = d->next) {
		if (d->at.file != NULL) {
			fprintf(to, "%s:%u:%u: ", d->at.file, d->at.line, d->at.column);
		}
		fprintf(to, "%s%s\n", d->severity == CFG_WARNING ? "warning: " : "", d->text);
	}
	if (config->errors > CFG_ERRORS_MAX) {
		fprintf(to, "%u more errors are not shown\n", config->errors - CFG_ERRORS_MAX);
	}
}

static size_t hash_text(const char *text)
{
	uint64_t hash = UINT64_C(1469598103934665603);

	for (; *text != '\0'; text++) {
		hash = (hash ^ (unsigned char)*text) * UINT64_C(1099511628211);
	}
	return (size_t)(hash ^ (hash >> 32));
}

const struct cfg_location *cfg_claim_quietly(
	struct bsr_config *config, const struct cfg_location *at, const char *key)
{
	struct cfg_claim **bucket = &config->claims[hash_text(key) % config->claim_buckets];

	for (const struct cfg_claim *claim = *bucket; claim != NULL; claim = claim->next) {
		if (strcmp(claim->key, key) == 0) {
			return &claim->at;
		}
	}
	struct cfg_claim *claim = CFG_NEW(config, cfg_claim);
	claim->key = cfg_strdup(config, key);
	claim->at = *at;
	claim->next = *bucket;
	*bucket = claim;
	return NULL;
}

bool cfg_claim(struct bsr_config *config, const struct cfg_location *at, const char *key)
{
	const struct cfg_location *before = cfg_claim_quietly(config, at, key);

	if (before == NULL) {
		return true;
	}
	cfg_error(config, at, "conflicting use of %s; first used at %s:%u:%u", key,
		before->file != NULL ? before->file : "?", before->line, before->column);
	return false;
}

struct cfg_option *bsr_config_find_option(
	const struct cfg_options *options, const struct bsr_option *def)
{
	for (struct cfg_option *option = options->first; option != NULL; option = option->next) {
		if (option->def == def) {
			return option;
		}
	}
	return NULL;
}

const char *bsr_config_option_text(
	const struct cfg_options *options, enum bsr_option_section section, const char *name)
{
	const struct bsr_option *def = bsr_option_find(section, name);

	if (def == NULL) {
		return NULL;
	}
	const struct cfg_option *option = bsr_config_find_option(options, def);
	return option != NULL ? option->value : def->default_text;
}

bool bsr_config_global_flag(const struct bsr_config *config, const char *name)
{
	const char *text = bsr_config_option_text(&config->global, BSR_SECTION_GLOBAL, name);

	return text != NULL && strcmp(text, "yes") == 0;
}

void cfg_options_add(
	struct bsr_config *config, struct cfg_options *options, const struct cfg_option *option)
{
	const struct cfg_option *before = bsr_config_find_option(options, option->def);

	if (before != NULL) {
		if (!bsr_option_equal(option->def, before->value, option->value)) {
			cfg_error(config, &option->at,
				"ambiguous value of %s: \"%s\" here, \"%s\" at line %u; keep one of them",
				option->def->name, option->value, before->value, before->at.line);
		}
		return;
	}
	struct cfg_option *copy = CFG_NEW(config, cfg_option);
	*copy = *option;
	copy->next = NULL;
	CFG_APPEND(options, copy);
}

static void remove_option(struct cfg_options *options, const struct bsr_option *def)
{
	struct cfg_option *before = NULL;

	for (struct cfg_option *option = options->first; option != NULL; option = option->next) {
		if (option->def != def) {
			before = option;
			continue;
		}
		if (before != NULL) {
			before->next = option->next;
		} else {
			options->first = option->next;
		}
		if (options->last == option) {
			options->last = before;
		}
		return;
	}
}

void cfg_options_set(struct bsr_config *config, struct cfg_options *options,
	const struct bsr_option *def, const char *value)
{
	struct cfg_option *option = CFG_NEW(config, cfg_option);

	remove_option(options, def);
	option->def = def;
	option->value = cfg_strdup(config, value);
	CFG_APPEND(options, option);
}

bool cfg_is_integer(const char *text)
{
	if (*text == '\0') {
		return false;
	}
	return text[strspn(text, "0123456789")] == '\0';
}

bool cfg_is_plain_word(const char *text)
{
	const size_t length = strlen(text);

	if (length == 0 || length > CFG_NAME_CHARS_MAX) {
		return false;
	}
	for (size_t i = 0; i < length; i++) {
		if (!isalnum((unsigned char)text[i]) && strchr("/._-", text[i]) == NULL) {
			return false;
		}
	}
	return true;
}

struct cfg_resource *bsr_config_find_resource(const struct bsr_config *config, const char *name)
{
	for (struct cfg_resource *resource = config->resources.first; resource != NULL;
		resource = resource->next) {
		if (strcmp(resource->name, name) == 0) {
			return resource;
		}
	}
	return NULL;
}

bool bsr_config_same_host(const char *a, const char *b)
{
	const char *a_dot = strchr(a, '.');
	const char *b_dot = strchr(b, '.');

	if (a_dot != NULL && b_dot != NULL) {
		return strcasecmp(a, b) == 0;
	}
	const size_t a_length = a_dot != NULL ? (size_t)(a_dot - a) : strlen(a);
	const size_t b_length = b_dot != NULL ? (size_t)(b_dot - b) : strlen(b);
	return a_length == b_length && strncasecmp(a, b, a_length) == 0;
}

struct cfg_host *bsr_config_find_host(const struct cfg_resource *resource, const char *name)
{
	for (struct cfg_host *host = resource->hosts.first; host != NULL; host = host->next) {
		for (const struct cfg_name *n = host->names.first; n != NULL; n = n->next) {
			if (bsr_config_same_host(n->text, name)) {
				return host;
			}
		}
		if (host->label != NULL && strcmp(host->label, name) == 0) {
			return host;
		}
	}
	return NULL;
}

struct cfg_volume *bsr_config_find_volume(const struct cfg_volumes *volumes, unsigned int vnr)
{
	for (struct cfg_volume *volume = volumes->first; volume != NULL; volume = volume->next) {
		if (volume->vnr == vnr) {
			return volume;
		}
	}
	return NULL;
}

void bsr_config_format_address(const struct cfg_address *address, char *buffer, size_t size)
{
	const bool v6 = strcmp(address->family, "ipv6") == 0;

	snprintf(buffer, size, "%s:%s%s%s:%u", address->family, v6 ? "[" : "", address->host,
		v6 ? "]" : "", address->port);
}

#define SUGGEST_CHARS_MAX 48u

/*
 * Edit distance where swapping two neighbours counts as one edit; words longer than the limit are
 * infinitely far.
 */
static unsigned int edit_distance(const char *a, const char *b)
{
	const size_t a_length = strlen(a);
	const size_t b_length = strlen(b);
	unsigned int rows[3][SUGGEST_CHARS_MAX + 1];

	if (a_length > SUGGEST_CHARS_MAX || b_length > SUGGEST_CHARS_MAX) {
		return UINT32_MAX;
	}
	for (size_t j = 0; j <= b_length; j++) {
		rows[0][j] = (unsigned int)j;
	}
	for (size_t i = 1; i <= a_length; i++) {
		unsigned int *row = rows[i % 3];
		const unsigned int *above = rows[(i + 2) % 3];
		row[0] = (unsigned int)i;
		for (size_t j = 1; j <= b_length; j++) {
			unsigned int best = above[j - 1] + (a[i - 1] != b[j - 1] ? 1 : 0);
			best = above[j] + 1 < best ? above[j] + 1 : best;
			best = row[j - 1] + 1 < best ? row[j - 1] + 1 : best;
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) {
				const unsigned int swap = rows[(i + 1) % 3][j - 2] + 1;
				best = swap < best ? swap : best;
			}
			row[j] = best;
		}
	}
	return rows[a_length % 3][b_length];
}

const char *bsr_config_suggest(const char *word, const char *const *candidates, size_t count)
{
	const size_t length = strlen(word);
	unsigned int best = (unsigned int)(length < 4 ? 1 : length < 8 ? 2 : 3);
	const char *found = NULL;

	for (size_t i = 0; i < count; i++) {
		const unsigned int distance = edit_distance(word, candidates[i]);
		if (distance <= best && (found == NULL || distance < best)) {
			best = distance;
			found = candidates[i];
		}
	}
	return found;
}
