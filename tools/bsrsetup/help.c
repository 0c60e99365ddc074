// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * help.c - usage for people and for programs
 *
 * Owns: nothing; everything is read from the tables of commands and options.
 */
#include "command.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

const char *bsr_setup_argument_word(enum bsr_setup_argument argument)
{
	switch (argument) {
	case BSR_ARG_RESOURCE:
		return "RESOURCE";
	case BSR_ARG_RESOURCE_OR_ALL:
		return "[RESOURCE|all]";
	case BSR_ARG_RESOURCE_PEER_VOLUME:
		return "RESOURCE[:PEER[/VOLUME]]";
	case BSR_ARG_NODE_ID:
		return "NODE_ID";
	case BSR_ARG_MINOR:
		return "MINOR";
	case BSR_ARG_VOLUME:
		return "VOLUME";
	case BSR_ARG_PEER:
		return "PEER_NODE_ID";
	case BSR_ARG_DISK:
		return "LOWER_DEVICE";
	case BSR_ARG_META_DISK:
		return "META_DEVICE";
	case BSR_ARG_META_INDEX:
		return "META_INDEX";
	case BSR_ARG_LOCAL:
		return "LOCAL_ADDRESS";
	case BSR_ARG_REMOTE:
		return "REMOTE_ADDRESS";
	case BSR_ARG_VERIFY:
		return "[0|1]";
	case BSR_ARG_END:
		break;
	}
	return "";
}

static void add_usage(struct bsr_text *out, const struct bsr_setup_command *command)
{
	bsr_text_add(out, "%s", command->name);
	for (size_t i = 0; command->arguments[i] != BSR_ARG_END; i++) {
		bsr_text_add(out, " %s", bsr_setup_argument_word(command->arguments[i]));
	}
}

void bsr_setup_help(struct bsr_text *out)
{
	bsr_text_add(out,
		"usage: bsrsetup COMMAND ARGUMENTS [OPTIONS]\n"
		"Talks to the running resources. `bsradm` calls it; `bsrsetup help COMMAND` explains one.\n\n");
	for (size_t i = 0; bsr_setup_command_at(i) != NULL; i++) {
		const struct bsr_setup_command *command = bsr_setup_command_at(i);
		struct bsr_text usage = {0};
		add_usage(&usage, command);
		bsr_text_add(out, "  %-56s %s\n", bsr_text_string(&usage), command->help);
		bsr_text_free(&usage);
	}
	bsr_text_add(out, "  %-56s %s\n", "help [COMMAND]", "this text");
	bsr_text_add(out, "  %-56s %s\n", "xml-help COMMAND", "arguments and options for programs");
	bsr_text_add(out, "  %-56s %s\n", "--version", "print the version");
}

static void add_option_help(struct bsr_text *out, const struct bsr_option *option)
{
	char range[512];
	char left[96];
	bsr_option_range_text(option, range, sizeof(range));
	snprintf(left, sizeof(left), "--%s%s", option->name,
		bsr_option_is_boolean_form(option) ? "[=yes|no]" : "=VALUE");
	bsr_text_add(out, "  %-32s %s", left, range);
	if (bsr_option_unit_word(option->unit)[0] != '\0') {
		bsr_text_add(out, " %s", bsr_option_unit_word(option->unit));
	}
	if (option->default_text != NULL) {
		bsr_text_add(out, " (default %s)", option->default_text);
	}
	bsr_text_add(out, "\n");
}

void bsr_setup_help_command(struct bsr_text *out, const struct bsr_setup_command *command)
{
	bsr_text_add(out, "usage: bsrsetup ");
	add_usage(out, command);
	bsr_text_add(out, "%s\n%s\n", command->sections != 0 || command->flags != NULL ? " [OPTIONS]" : "",
		command->help);
	const struct bsr_setup_flag *flag = command->flags;
	if (flag != NULL || command->sections != 0) {
		bsr_text_add(out, "\noptions:\n");
	}
	for (; flag != NULL && flag->name != NULL; flag++) {
		char left[96];
		const char *value = flag->use == BSR_FLAG_LOCAL_WORD ? "[=WORD]"
			: flag->use == BSR_FLAG_LOCAL_TEXT || flag->use == BSR_FLAG_SENT_INT ? "=VALUE"
											     : "";
		if (flag->letter != 0) {
			snprintf(left, sizeof(left), "-%c, --%s%s", flag->letter, flag->name, value);
		} else {
			snprintf(left, sizeof(left), "--%s%s", flag->name, value);
		}
		bsr_text_add(out, "  %-32s %s\n", left, flag->help);
	}
	for (unsigned int section = 0; section < BSR_SECTION_COUNT; section++) {
		size_t count = 0;
		if ((command->sections & (1u << section)) == 0) {
			continue;
		}
		const struct bsr_option *options =
			bsr_option_list((enum bsr_option_section)section, &count);
		for (size_t i = 0; i < count; i++) {
			add_option_help(out, &options[i]);
		}
	}
}

static const char *xml_type(const struct bsr_option *option)
{
	switch (option->type) {
	case BSR_OPTION_BOOL:
		return "boolean";
	case BSR_OPTION_FLAG:
		return "flag";
	case BSR_OPTION_NUMBER:
		return option->words != NULL ? "numeric-or-symbol" : "numeric";
	case BSR_OPTION_RESYNC_AFTER:
		return "numeric";
	case BSR_OPTION_ENUM:
		return "handler";
	case BSR_OPTION_STRING:
	case BSR_OPTION_RATIO:
		break;
	}
	return "string";
}

/* One argument as programs know it: a word of its own, or that of help in small letters. */
static void add_xml_argument(struct bsr_text *out, enum bsr_setup_argument argument)
{
	static const struct {
		enum bsr_setup_argument argument;
		const char *word;
	} words[] = {{BSR_ARG_RESOURCE_OR_ALL, "resource"}, {BSR_ARG_RESOURCE_PEER_VOLUME, "resource"},
		{BSR_ARG_DISK, "lower_dev"}, {BSR_ARG_META_DISK, "meta_data_dev"},
		{BSR_ARG_META_INDEX, "meta_data_index"}, {BSR_ARG_LOCAL, "local-addr"},
		{BSR_ARG_REMOTE, "remote-addr"}, {BSR_ARG_VERIFY, "disable-ip-verification"}};
	const char *word = bsr_setup_argument_word(argument);

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		word = words[i].argument == argument ? words[i].word : word;
	}
	bsr_text_add(out, "\t<argument>");
	for (; *word != '\0'; word++) {
		bsr_text_add(out, "%c", *word >= 'A' && *word <= 'Z' ? *word - 'A' + 'a' : *word);
	}
	bsr_text_add(out, "</argument>\n");
}

static void add_xml_escaped(struct bsr_text *out, const char *text)
{
	for (; *text != '\0'; text++) {
		switch (*text) {
		case '<':
			bsr_text_add(out, "&lt;");
			break;
		case '>':
			bsr_text_add(out, "&gt;");
			break;
		case '&':
			bsr_text_add(out, "&amp;");
			break;
		default:
			bsr_text_add(out, "%c", *text);
		}
	}
}

static void add_xml_option(struct bsr_text *out, const struct bsr_option *option)
{
	const bool number = option->type == BSR_OPTION_NUMBER || option->type == BSR_OPTION_RESYNC_AFTER;
	char word[64];

	if ((option->flags & BSR_OPTION_INTERNAL) != 0) {
		return; /* set by bsradm, not by people */
	}
	bsr_text_add(out, "\t<option name=\"%s\" type=\"%s\">\n", option->name, xml_type(option));
	if (number) {
		bsr_text_add(out, "\t\t<min>%" PRId64 "</min>\n\t\t<max>%" PRId64 "</max>\n",
			option->min, option->max);
	}
	for (int64_t i = 0; option->type == BSR_OPTION_ENUM && bsr_option_word(option, i, word, sizeof(word));
		i++) {
		bsr_text_add(out, "\t\t<handler>%s</handler>\n", word);
	}
	if (option->default_text != NULL) {
		bsr_text_add(out, "\t\t<default>%s</default>\n", option->default_text);
	}
	if (number) {
		const char *letter = bsr_option_unit_letter(option->unit);
		bsr_text_add(out, "\t\t<unit_prefix>%s</unit_prefix>\n", letter[0] == '\0' ? "1" : letter);
	}
	if (number && bsr_option_unit_word(option->unit)[0] != '\0') {
		bsr_text_add(out, "\t\t<unit>%s</unit>\n", bsr_option_unit_word(option->unit));
	}
	bsr_text_add(out, "\t</option>\n");
}

static const char *xml_flag_type(const struct bsr_setup_flag *flag)
{
	switch (flag->use) {
	case BSR_FLAG_SENT:
	case BSR_FLAG_SENT_NOT:
		return strcmp(flag->name, "set-defaults") == 0 ? "flag" : "boolean";
	case BSR_FLAG_SENT_INT:
	case BSR_FLAG_SENT_SECTORS:
		return "numeric";
	case BSR_FLAG_LOCAL:
		return "flag";
	case BSR_FLAG_LOCAL_TEXT:
	case BSR_FLAG_LOCAL_WORD:
		break;
	}
	return "string";
}

void bsr_setup_xml_help(struct bsr_text *out, const struct bsr_setup_command *command)
{
	bsr_text_add(out, "<command name=\"%s\">\n\t<summary>", command->name);
	add_xml_escaped(out, command->help);
	bsr_text_add(out, "</summary>\n");
	for (size_t i = 0; command->arguments[i] != BSR_ARG_END; i++) {
		add_xml_argument(out, command->arguments[i]);
	}
	const struct bsr_setup_flag *flag = command->flags;
	for (; flag != NULL && flag->name != NULL; flag++) {
		bsr_text_add(out, "\t<option name=\"%s\" type=\"%s\">\n\t</option>\n", flag->name,
			xml_flag_type(flag));
	}
	for (unsigned int section = 0; section < BSR_SECTION_COUNT; section++) {
		size_t count = 0;
		if ((command->sections & (1u << section)) == 0) {
			continue;
		}
		const struct bsr_option *options =
			bsr_option_list((enum bsr_option_section)section, &count);
		for (size_t i = 0; i < count; i++) {
			add_xml_option(out, &options[i]);
		}
	}
	bsr_text_add(out, "</command>\n");
}
