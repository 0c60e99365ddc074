// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * options.c - options on our command line that are meant for a back end
 *
 * Owns:       which of them a command takes, and how they mix with configured ones: a given one
 *             replaces the configured one and stands last.
 * May touch:  stderr.
 */
#include "adm.h"

#include "names.h"

#include <stdlib.h>
#include <string.h>

static const struct {
	char letter;
	enum bsr_option_section section;
} sections[] = {
	{'d', BSR_SECTION_DISK},
	{'p', BSR_SECTION_PEER_DEVICE},
	{'n', BSR_SECTION_NET},
	{'r', BSR_SECTION_RESOURCE},
	{'o', BSR_SECTION_NODE},
	{'s', BSR_SECTION_STARTUP},
	{'m', BSR_SECTION_DEVICE},
};

#define SECTION_LETTERS (sizeof(sections) / sizeof(sections[0]))

/* Finds @name among the blank-separated @extras. */
static bool find_extra(const char *extras, const char *name, size_t length, bool *takes_value)
{
	for (const char *at = extras; at != NULL && *at != '\0';) {
		const size_t word = strcspn(at, " ");
		const bool value = word > 0 && at[word - 1] == '=';
		if (word - (value ? 1 : 0) == length && strncmp(at, name, length) == 0) {
			*takes_value = value;
			return true;
		}
		at += word;
		at += strspn(at, " ");
	}
	return false;
}

/*
 * Whether any command has an option of this name that needs a value, so that "--name value" can be
 * read.
 */
static bool wants_value(const char *name)
{
	size_t count;
	const struct adm_command *commands = adm_command_list(&count);
	bool takes_value = false;

	for (size_t i = 0; i < SECTION_LETTERS; i++) {
		const struct bsr_option *def = bsr_option_find(sections[i].section, name);
		if (def != NULL) {
			return !bsr_option_is_boolean_form(def);
		}
	}
	for (size_t i = 0; i < count; i++) {
		if (find_extra(commands[i].extras, name, strlen(name), &takes_value)) {
			return takes_value;
		}
	}
	return false;
}

int adm_given_add(struct adm *adm, const char *text, const char *next, bool *took_next)
{
	*took_next = false;
	if (adm->given_count >= ADM_GIVEN_MAX) {
		fprintf(stderr, "%s: too many options\n", bsr_names()->admin);
		return ADM_USAGE;
	}
	struct adm_given *given = &adm->given[adm->given_count++];
	char *name = strdup(text + 2);
	if (name == NULL) {
		return ADM_CANNOT;
	}
	char *equals = strchr(name, '=');
	if (equals != NULL) {
		*equals = '\0';
		given->value = equals + 1;
	}
	given->name = name;
	if (equals == NULL && next != NULL && wants_value(name)) {
		given->value = next;
		*took_next = true;
	}
	return ADM_OK;
}

static void unrecognized(const struct adm *adm, const struct adm_given *given)
{
	const char *names[256];
	size_t used = 0;

	for (size_t i = 0; i < SECTION_LETTERS; i++) {
		size_t count;
		const struct bsr_option *list = bsr_option_list(sections[i].section, &count);
		if (adm->command->sections == NULL ||
			strchr(adm->command->sections, sections[i].letter) == NULL) {
			continue;
		}
		for (size_t j = 0; j < count && used < 256; j++) {
			names[used++] = list[j].name;
		}
	}
	const char *near = bsr_config_suggest(given->name, names, used);
	fprintf(stderr, "%s: unrecognized option '--%s'%s%s%s\n", adm->command->name, given->name,
		near != NULL ? "; did you mean '--" : "", near != NULL ? near : "",
		near != NULL ? "'?" : "");
	fprintf(stderr, "try '%s help %s'\n", bsr_names()->admin, adm->command->name);
}

static int check_value(struct adm_given *given)
{
	struct bsr_option_value value;
	char why[512];

	if (given->value == NULL) {
		if (!bsr_option_is_boolean_form(given->def)) {
			fprintf(stderr, "option '--%s' requires a value\n", given->name);
			return ADM_USAGE;
		}
		return ADM_OK;
	}
	const enum bsr_option_fault fault = bsr_option_parse(given->def, given->value, &value);
	if (fault != BSR_OPTION_OK) {
		bsr_option_explain(given->def, given->value, fault, why, sizeof(why));
		fprintf(stderr, "--%s\n", why);
		return ADM_USAGE;
	}
	return ADM_OK;
}

int adm_given_check(struct adm *adm)
{
	for (size_t i = 0; i < adm->given_count; i++) {
		struct adm_given *given = &adm->given[i];
		bool takes_value = false;

		for (size_t s = 0; s < SECTION_LETTERS && given->def == NULL; s++) {
			if (adm->command->sections != NULL &&
				strchr(adm->command->sections, sections[s].letter) != NULL) {
				given->def = bsr_option_find(sections[s].section, given->name);
			}
		}
		if (given->def != NULL) {
			const int code = check_value(given);
			if (code != ADM_OK) {
				return code;
			}
			continue;
		}
		if (!find_extra(
			    adm->command->extras, given->name, strlen(given->name), &takes_value)) {
			unrecognized(adm, given);
			return ADM_USAGE;
		}
		if (takes_value && given->value == NULL) {
			fprintf(stderr, "option '--%s' requires a value\n", given->name);
			return ADM_USAGE;
		}
	}
	return ADM_OK;
}

const struct adm_given *adm_given_find(const struct adm *adm, const char *name)
{
	for (size_t i = adm->given_count; i > 0; i--) {
		if (strcmp(adm->given[i - 1].name, name) == 0) {
			return &adm->given[i - 1];
		}
	}
	return NULL;
}

bool adm_given_is_on(const struct adm *adm, const char *name)
{
	const struct adm_given *given = adm_given_find(adm, name);

	return given != NULL && (given->value == NULL || strcmp(given->value, "no") != 0);
}

static void add_one_given(struct adm_call *call, const struct adm_given *given)
{
	if (given->value != NULL) {
		adm_call_add(call, "--%s=%s", given->name, given->value);
	} else {
		adm_call_add(call, "--%s", given->name);
	}
}

void adm_call_add_given(struct adm *adm, struct adm_call *call)
{
	for (size_t i = 0; i < adm->given_count; i++) {
		add_one_given(call, &adm->given[i]);
	}
}

/* A back end does not know other resources: it gets the minor. */
static void add_resync_after(
	struct adm *adm, struct adm_call *call, const struct cfg_option *option)
{
	struct bsr_option_value value;
	const char *why;

	if (bsr_option_parse(option->def, option->value, &value) == BSR_OPTION_OK &&
		value.is_reference) {
		const struct cfg_volume *after =
			bsr_config_resync_after(adm->config, option->value, &why);
		if (after != NULL) {
			adm_call_add(call, "--%s=%lld", option->def->name, (long long)after->minor);
		}
		return;
	}
	adm_call_add(call, "--%s=%s", option->def->name, option->value);
}

/* One pass over the configured options: derived names, or all others. */
static void add_configured(struct adm *adm, struct adm_call *call,
	const struct cfg_options *options, unsigned int but_flags, bool names)
{
	const unsigned int foreign = adm->drbd ? 0 : BSR_OPTION_DRBD_ONLY;

	for (const struct cfg_option *o = options->first; o != NULL; o = o->next) {
		const bool is_name = o->def->section == BSR_SECTION_NET &&
				     (o->def->flags & BSR_OPTION_INTERNAL) != 0;

		if (is_name != names || (o->def->flags & (but_flags | foreign)) != 0 ||
			adm_given_find(adm, o->def->name) != NULL) {
			continue;
		}
		if (o->def->type == BSR_OPTION_RESYNC_AFTER) {
			add_resync_after(adm, call, o);
		} else {
			adm_call_add(call, "--%s=%s", o->def->name, o->value);
		}
	}
}

void adm_call_add_options_without(struct adm *adm, struct adm_call *call,
	const struct cfg_options *options, enum bsr_option_section section, unsigned int but_flags)
{
	/* derived names first: they are what a person looks for in a long line */
	add_configured(adm, call, options, but_flags, true);
	add_configured(adm, call, options, but_flags, false);
	for (size_t i = 0; i < adm->given_count; i++) {
		if (adm->given[i].def != NULL && adm->given[i].def->section == section) {
			add_one_given(call, &adm->given[i]);
		}
	}
}

void adm_call_add_options(struct adm *adm, struct adm_call *call, const struct cfg_options *options,
	enum bsr_option_section section)
{
	adm_call_add_options_without(adm, call, options, section, 0);
}
