/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * config_internal.h - what the files of config/ share among themselves
 */
#ifndef BSR_CONFIG_INTERNAL_H
#define BSR_CONFIG_INTERNAL_H

#include "config.h"
#include "names.h"

/*
 * Zeroed memory that lives as long as the configuration. Ends the program when memory is exhausted.
 */
void *cfg_alloc(struct bsr_config *config, size_t size);
char *cfg_strdup(struct bsr_config *config, const char *text);
char *cfg_printf(struct bsr_config *config, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

#define CFG_NEW(config, type) ((struct type *)cfg_alloc((config), sizeof(struct type)))

void cfg_error(struct bsr_config *config, const struct cfg_location *at, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
void cfg_warning(struct bsr_config *config, const struct cfg_location *at, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/*
 * Claims @key (a name in some space of names, such as "minor 3 on alice") for @at. If it was
 * claimed before, an error "conflicting use of ..." naming both places is recorded and false
 * returned.
 */
bool cfg_claim(struct bsr_config *config, const struct cfg_location *at, const char *key);

/*
 * As cfg_claim(), but silent: returns where @key was claimed before, NULL if it was free (and is
 * @at's now).
 */
const struct cfg_location *cfg_claim_quietly(
	struct bsr_config *config, const struct cfg_location *at, const char *key);

/* Adds an option that is written in a file. Reports a second, different value. */
void cfg_options_add(
	struct bsr_config *config, struct cfg_options *options, const struct cfg_option *option);

/* Adds or replaces without asking; at the end. */
void cfg_options_set(struct bsr_config *config, struct cfg_options *options,
	const struct bsr_option *def, const char *value);

bool cfg_is_plain_word(const char *text);
bool cfg_is_integer(const char *text);

/*
 * Copies what @target lacks from @source, in front of what it has, last first. Two sources that
 * give one option different values are an error that names both places.
 */
void cfg_inherit(
	struct bsr_config *config, struct cfg_options *target, const struct cfg_options *source);

/* The order in which bsr_config_expand() goes over one resource. */
void cfg_inherit_common(struct bsr_config *config, struct cfg_resource *resource);
void cfg_expand_hosts(struct bsr_config *config, struct cfg_resource *resource);
void cfg_expand_connections(struct bsr_config *config, struct cfg_resource *resource);
void cfg_validate_resource(struct bsr_config *config, struct cfg_resource *resource);
void cfg_validate_addresses(struct bsr_config *config, struct cfg_resource *resource);

#endif
