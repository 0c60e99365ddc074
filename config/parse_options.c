// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * parse_options.c - sections that hold options: global, net, disk, options, startup, handlers,
 * syncer
 *
 * Owns:       the forms in which a value may be written.
 * May touch:  the configuration it fills.
 */
#include "parser.h"

#include <string.h>

#define TARGETS_MAX 3u
#define OPTION_WORDS_MAX 128u

static const struct bsr_option *find_in(const struct option_target *targets, size_t count,
	const char *name, struct cfg_options **options)
{
	for (size_t i = 0; i < count; i++) {
		const struct bsr_option *def = bsr_option_find(targets[i].section, name);
		if (def != NULL) {
			*options = targets[i].options;
			return def;
		}
	}
	return NULL;
}

static bool unknown_option(struct parser *p, const struct option_target *targets, size_t count)
{
	const char *words[OPTION_WORDS_MAX];
	size_t used = 0;

	for (size_t i = 0; i < count; i++) {
		size_t listed;
		const struct bsr_option *list = bsr_option_list(targets[i].section, &listed);
		for (size_t j = 0; j < listed && used < OPTION_WORDS_MAX; j++) {
			if ((list[j].flags & (BSR_OPTION_INTERNAL | BSR_OPTION_DRBD_ONLY)) == 0) {
				words[used++] = list[j].name;
			}
		}
	}
	return parser_unknown_word(p, words, used);
}

static bool is_value_token(const struct token *token)
{
	return token->type == TOKEN_WORD || token->type == TOKEN_STRING ||
	       token->type == TOKEN_INTEGER || token->type == TOKEN_LONG_INTEGER ||
	       token->type == TOKEN_IPV4;
}

/* Checks the text of @option against the table; tells what is wrong with it. */
static void check_value(
	struct parser *p, const struct cfg_option *option, const struct cfg_location *value_at)
{
	struct bsr_option_value value;
	char why[512];
	const enum bsr_option_fault fault = bsr_option_parse(option->def, option->value, &value);

	if (fault != BSR_OPTION_OK) {
		bsr_option_explain(option->def, option->value, fault, why, sizeof(why));
		cfg_error(p->config, value_at, "%s", why);
		return;
	}
	const char *acts_as = bsr_option_acts_as(option->def, option->value);
	if (acts_as != NULL) {
		cfg_warning(p->config, &option->at, "%s %s is kept, but acts as %s here (it is DRBD's)",
			option->def->name, option->value, acts_as);
	}
	if ((option->def->flags & BSR_OPTION_DRBD_ONLY) != 0) {
		cfg_warning(p->config, &option->at,
			"option %s is kept, but has no effect here (it is DRBD's)",
			option->def->name);
	}
}

/* Reads what follows the name: nothing (boolean forms) or one value. */
static bool parse_value(struct parser *p, struct cfg_option *option, bool negated)
{
	const struct cfg_location value_at = p->token.at;
	char what[160];

	if (bsr_option_is_boolean_form(option->def) && parser_at(p, ';')) {
		option->value = negated ? "no" : "yes";
		parser_advance(p);
		check_value(p, option, &option->at);
		return true;
	}
	if (negated) {
		snprintf(what, sizeof(what), "';' (no-%s takes no value; write %s yes or %s no)",
			option->def->name, option->def->name, option->def->name);
		return parser_syntax_error(p, what);
	}
	if (option->def->type == BSR_OPTION_FLAG) {
		return parser_syntax_error(p, "';' (this option takes no value)");
	}
	if (!is_value_token(&p->token)) {
		snprintf(what, sizeof(what), "a value for %s", option->def->name);
		return parser_syntax_error(p, what);
	}
	option->value = cfg_strdup(p->config, p->token.text);
	parser_advance(p);
	check_value(p, option, &value_at);
	return parser_expect(p, ';');
}

bool parse_option_statement(struct parser *p, const struct option_target *targets, size_t count)
{
	struct cfg_options *options = NULL;
	struct cfg_option option = {.at = p->token.at};
	bool negated = false;

	if (p->token.type != TOKEN_WORD) {
		return unknown_option(p, targets, count);
	}
	option.def = find_in(targets, count, p->token.text, &options);
	if (option.def == NULL && strncmp(p->token.text, "no-", 3) == 0) {
		option.def = find_in(targets, count, p->token.text + 3, &options);
		negated = option.def != NULL && option.def->type == BSR_OPTION_BOOL;
		option.def = negated ? option.def : NULL;
	}
	if (option.def == NULL) {
		return unknown_option(p, targets, count);
	}
	parser_advance(p);
	if (!parse_value(p, &option, negated)) {
		return false;
	}
	cfg_options_add(p->config, options, &option);
	return true;
}

bool parse_option_block(struct parser *p, const struct option_target *targets, size_t count)
{
	if (!parser_expect(p, '{')) {
		return false;
	}
	while (!parser_at(p, '}')) {
		if (p->token.type == TOKEN_END) {
			return parser_syntax_error(p, "an option or '}'");
		}
		if (!parse_option_statement(p, targets, count)) {
			parser_recover(p);
		}
	}
	parser_advance(p);
	return true;
}

static void apply_hostname(struct bsr_config *config)
{
	const char *name = bsr_config_option_text(&config->global, BSR_SECTION_GLOBAL, "hostname");

	if (name != NULL) {
		config->hostname = name;
	}
}

bool parse_global(struct parser *p, void *object)
{
	const struct option_target target = {BSR_SECTION_GLOBAL, &p->config->global};

	(void)object;
	(void)parser_once(p, &p->config->global_at, "global");
	if (p->config->resources.first != NULL) {
		cfg_warning(
			p->config, &p->keyword_at, "global should stand before the first resource");
	}
	const bool ok = parse_option_block(p, &target, 1);
	apply_hostname(p->config);
	return ok;
}

bool parse_resource_net(struct parser *p, void *object)
{
	struct cfg_resource *resource = object;
	const struct option_target target = {BSR_SECTION_NET, &resource->options[BSR_SECTION_NET]};

	(void)parser_once(p, &resource->section_at[BSR_SECTION_NET], "net section");
	return parse_option_block(p, &target, 1);
}

bool parse_resource_options(struct parser *p, void *object)
{
	struct cfg_resource *resource = object;
	const struct option_target targets[] = {
		{BSR_SECTION_RESOURCE, &resource->options[BSR_SECTION_RESOURCE]},
		{BSR_SECTION_NODE, &resource->options[BSR_SECTION_NODE]},
	};

	(void)parser_once(p, &resource->section_at[BSR_SECTION_RESOURCE], "options section");
	return parse_option_block(p, targets, 2);
}

bool parse_resource_disk_block(struct parser *p, struct cfg_resource *resource)
{
	const struct option_target targets[] = {
		{BSR_SECTION_DISK, &resource->options[BSR_SECTION_DISK]},
		{BSR_SECTION_PEER_DEVICE, &resource->options[BSR_SECTION_PEER_DEVICE]},
	};

	(void)parser_once(p, &resource->section_at[BSR_SECTION_DISK], "disk section");
	return parse_option_block(p, targets, 2);
}

bool parse_handlers(struct parser *p, void *object)
{
	struct cfg_resource *resource = object;
	const struct option_target target = {
		BSR_SECTION_HANDLERS, &resource->options[BSR_SECTION_HANDLERS]};

	(void)parser_once(p, &resource->section_at[BSR_SECTION_HANDLERS], "handlers section");
	return parse_option_block(p, &target, 1);
}

/* Two words of startup that older files have and that mean nothing any more. */
static bool parse_startup_legacy(struct parser *p)
{
	if (!parser_at_word(p, "stacked-timeouts") && !parser_at_word(p, "become-primary-on")) {
		return false;
	}
	cfg_warning(p->config, &p->token.at, "%s is accepted and ignored", p->token.text);
	parser_recover(p);
	return true;
}

bool parse_startup(struct parser *p, void *object)
{
	struct cfg_resource *resource = object;
	const struct option_target target = {
		BSR_SECTION_STARTUP, &resource->options[BSR_SECTION_STARTUP]};

	(void)parser_once(p, &resource->section_at[BSR_SECTION_STARTUP], "startup section");
	if (!parser_expect(p, '{')) {
		return false;
	}
	while (!parser_at(p, '}')) {
		if (p->token.type == TOKEN_END) {
			return parser_syntax_error(p, "an option or '}'");
		}
		if (!parse_startup_legacy(p) && !parse_option_statement(p, &target, 1)) {
			parser_recover(p);
		}
	}
	parser_advance(p);
	return true;
}

/* syncer { } of DRBD 8.3: options that have moved to net, disk and options. */
bool parse_syncer(struct parser *p, void *object)
{
	struct cfg_resource *resource = object;
	const struct option_target targets[] = {
		{BSR_SECTION_NET, &resource->options[BSR_SECTION_NET]},
		{BSR_SECTION_DISK, &resource->options[BSR_SECTION_DISK]},
		{BSR_SECTION_RESOURCE, &resource->options[BSR_SECTION_RESOURCE]},
		{BSR_SECTION_PEER_DEVICE, &resource->options[BSR_SECTION_PEER_DEVICE]},
	};

	if (!parser_expect(p, '{')) {
		return false;
	}
	while (!parser_at(p, '}')) {
		if (p->token.type == TOKEN_END) {
			return parser_syntax_error(p, "an option or '}'");
		}
		if (parser_at_word(p, "after")) {
			strcpy(p->token.text, "resync-after");
		} else if (parser_at_word(p, "rate")) {
			strcpy(p->token.text, "resync-rate");
		}
		if (!parse_option_statement(p, targets, 4)) {
			parser_recover(p);
		}
	}
	parser_advance(p);
	return true;
}

/* `protocol C;` outside net is how DRBD 8.3 wrote it. */
bool parse_protocol(struct parser *p, void *object)
{
	struct cfg_resource *resource = object;
	struct cfg_option option = {
		.def = bsr_option_find(BSR_SECTION_NET, "protocol"), .at = p->keyword_at};

	(void)parser_once(p, &resource->protocol_at, "protocol statement");
	if (!parse_value(p, &option, false)) {
		return false;
	}
	cfg_options_add(p->config, &resource->options[BSR_SECTION_NET], &option);
	return true;
}
