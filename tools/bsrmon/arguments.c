// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * arguments.c - the command line of bsrmon: bsr's way (/watch iostat r0) and the usual one (watch iostat r0
 * --json)
 *
 * Owns:       the table of commands and options; help.
 */
#include "mon.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <bsr/assert.h>

struct option {
	char letter; /* of struct mon_command.options */
	const char *slash;
	const char *slash_long;
	const char *dashes;
	const char *value; /* NULL: none */
	const char *help;
};

static const struct option options[] = {
	{'j', "/j", "/json", "--json", NULL, "print JSON"},
	{'t', "/t", "/types", "--types", "TYPES", "types, separated by commas"},
	{'r', "/r", "/resources", "--resources", "NAMES", "resources, separated by commas"},
	{'c', "/c", "/continue", "--continue", NULL, "again every period, until stopped"},
	{'n', "/n", "/count", "--count", "N", "stop after N periods"},
	{'s', NULL, "/scroll", "--scroll", NULL, "let the text scroll"},
	{'l', "/l", "/list", "--list", NULL, "list the files instead"},
	{'f', "/f", "/file", "--file", "FILE", "read this file instead of those that were recorded"},
	{'p', "/p", "/peers", "--peers", "NAMES", "peers, separated by commas"},
	{'d', "/d", "/date", "--date", "DATE", "only this day, YYYY-MM-DD; times without a day belong to it"},
	{'b', "/s", "/start", "--from", "TIME", "from: hh:mm[:ss], YYYY-MM-DD, or both joined by '_'"},
	{'e', "/e", "/end", "--until", "TIME", "until, included"},
};
#define OPTIONS (sizeof(options) / sizeof(options[0]))

/* clang-format off: one entry, one line where it fits */
static const struct mon_command commands[] = {
	{"start", "[TYPES|all]", "", 0, 1, mon_run_start,
		"start the collector, which writes files of measurements",
		"Types are remembered. A running collector goes on with the new types."},
	{"stop", "", "", 0, 0, mon_run_stop, "stop the collector",
		"Collection ends, unless somebody else watches."},
	{"status", "", "j", 0, 0, mon_run_status, "say whether the collector runs",
		"running, stopped (it was started, and ended otherwise) or disabled."},
	{"show", "[RESOURCE [VOLUME]]", "jtrcnp", 0, 2, mon_run_show, "print what happened in one period",
		"Measures for one period (set period), then prints."},
	{"watch", "[TYPE [RESOURCE [VOLUME]]]", "rsnp", 0, 3, mon_run_watch, "look on",
		"Without TYPE: all resources with roles, states, progress, throughput and latency; 'q' ends it.\n"
		"With TYPE: the values of this type, every period. In a pipe: plain text, one block a period."},
	{"histogram", "[RESOURCE [VOLUME]]", "j", 0, 2, mon_run_histogram,
		"print how times are spread, by stage, in one period",
		"Of each stage that had requests: how many took how long. JSON has every bucket."},
	{"report", "TYPE [RESOURCE [VOLUME]]", "jfpdbe", 1, 3, mon_run_report, "sum up what was recorded",
		"Smallest, largest and average over the files of measurements, of all resources or one."},
	{"file", "[TYPES|all]", "jln", 0, 1, mon_run_file, "record in the foreground, or list the files",
		"Writes the same files as the collector, which must not run, until stopped."},
	{"set", "period SECONDS | file_path DIRECTORY | total_size_limit MIB", "", 2, 2, mon_run_set,
		"change a setting",
		"period 1..3600, total_size_limit 1..1048576 MiB of files for each resource."},
	{"get", "[all | period | file_path | total_size_limit | types]", "j", 0, 1, mon_run_get,
		"print settings", ""},
	{"io_delay_test", "FLAG POINT MILLISECONDS", "", 3, 3, mon_run_io_delay,
		"artificial delays: see bsrcon /fault", ""},
	{"debug", "[RESOURCE]", "", 0, 1, mon_run_debug, "print all counters as JSON",
		"As docs/control.md describes them."},
	{NULL, NULL, NULL, 0, 0, NULL, NULL, NULL},
};
/* clang-format on */

const struct mon_command *mon_command_find(const char *name)
{
	name += *name == '/';
	for (size_t i = 0; commands[i].name != NULL; i++) {
		if (strcmp(commands[i].name, name) == 0) {
			return &commands[i];
		}
	}
	return NULL;
}

static struct json_object *split(const char *text)
{
	struct json_object *array = json_object_new_array();
	while (*text != '\0') {
		const size_t length = strcspn(text, ",");
		if (length > 0) {
			json_object_array_add(array, json_object_new_string_len(text, (int)length));
		}
		text += length + (text[length] == ',');
	}
	return array;
}

static bool take(struct mon_call *call, char letter, const char *value, struct bsr_text *why)
{
	switch (letter) {
	case 'j':
		call->json = true;
		break;
	case 't':
		call->types = value;
		break;
	case 'r':
		json_object_put(call->resources);
		call->resources = split(value);
		break;
	case 'c':
		call->continuous = true;
		break;
	case 'n': {
		char *end;
		call->count = strtoll(value, &end, 10);
		if (*end != '\0' || end == value || call->count < 1 || call->count > 1000000000) {
			bsr_text_add(why, "'%s' is not a number of periods, 1..1000000000", value);
			return false;
		}
		break;
	}
	case 's':
		call->scroll = true;
		break;
	case 'l':
		call->list = true;
		break;
	case 'f':
		call->file = value;
		break;
	case 'p':
		json_object_put(call->peers);
		call->peers = split(value);
		break;
	case 'd':
		call->date = value;
		break;
	case 'b':
		call->from = value;
		break;
	default:
		BSR_ASSERT(letter == 'e');
		call->until = value;
		break;
	}
	return true;
}

/* Which option @word is; *@value is set behind '=' */
static const struct option *option_of(const char *word, const char **value)
{
	*value = NULL;
	for (size_t i = 0; i < OPTIONS; i++) {
		const struct option *o = &options[i];
		const size_t length = strlen(o->dashes);
		if ((o->slash != NULL && strcmp(word, o->slash) == 0) || strcmp(word, o->slash_long) == 0) {
			return o;
		}
		if (strncmp(word, o->dashes, length) == 0 && (word[length] == '\0' || word[length] == '=')) {
			*value = word[length] == '=' ? word + length + 1 : NULL;
			return o;
		}
	}
	return NULL;
}

static bool take_option(struct mon_call *call, const struct mon_command *command, int argc, char **argv,
	int *at, struct bsr_text *why)
{
	const char *value;
	const struct option *o = option_of(argv[*at], &value);
	if (o == NULL || strchr(command->options, o->letter) == NULL) {
		bsr_text_add(why, "it has no option '%s'", argv[*at]);
		return false;
	}
	if (o->value == NULL && value != NULL) {
		bsr_text_add(why, "'%s' takes no value", o->dashes);
		return false;
	}
	if (o->value != NULL && value == NULL) {
		if (*at + 1 >= argc) {
			bsr_text_add(why, "'%s' needs a value: %s", argv[*at], o->value);
			return false;
		}
		value = argv[++*at];
	}
	return take(call, o->letter, value, why);
}

/* A path is a word, too: only what looks like an option of ours is one. */
static bool is_option(const char *word)
{
	const char *value;
	return (word[0] == '-' && word[1] != '\0') ||
	       (word[0] == '/' && (option_of(word, &value) != NULL || strchr(word + 1, '/') == NULL));
}

bool mon_parse(
	struct mon_call *call, const struct mon_command *command, int argc, char **argv, struct bsr_text *why)
{
	*call = (struct mon_call){
		.command = command->name, .types = "", .file = "", .date = "", .from = "", .until = ""};
	const bool has_options = command->options[0] != '\0';
	for (int i = 0; i < argc; i++) {
		if (is_option(argv[i]) && (has_options || argv[i][0] == '-')) {
			if (!take_option(call, command, argc, argv, &i, why)) {
				return false;
			}
		} else if (call->word_count == command->words_max) {
			bsr_text_add(why, "'%s' is one word too many", argv[i]);
			return false;
		} else {
			call->word[call->word_count++] = argv[i];
		}
	}
	if (call->word_count < command->words_min) {
		bsr_text_add(why, "it needs: %s", command->arguments);
		return false;
	}
	return true;
}

void mon_call_free(struct mon_call *call)
{
	json_object_put(call->resources);
	json_object_put(call->peers);
}

/* ---------------------------------------------------------------------- help */

void mon_help_command(struct bsr_text *out, const struct mon_command *command)
{
	bsr_text_add(out, "usage: bsrmon %s%s%s%s\n\n%s.\n", command->name,
		command->arguments[0] != '\0' ? " " : "", command->arguments,
		command->options[0] != '\0' ? " [OPTIONS]" : "", command->summary);
	if (command->details[0] != '\0') {
		bsr_text_add(out, "%s\n", command->details);
	}
	for (size_t i = 0, first = 1; i < OPTIONS; i++) {
		if (strchr(command->options, options[i].letter) != NULL) {
			char name[40];
			snprintf(name, sizeof(name), "%s%s%s", options[i].dashes,
				options[i].value != NULL ? "=" : "",
				options[i].value != NULL ? options[i].value : "");
			bsr_text_add(out, "%s  %-20s %-8s %s\n", first ? "\nOptions:\n" : "", name,
				options[i].slash != NULL ? options[i].slash : options[i].slash_long,
				options[i].help);
			first = 0;
		}
	}
	if (strstr(command->arguments, "TYPE") != NULL) {
		bsr_text_add(out, "\nTypes:\n");
		for (uint32_t i = 0; mon_type_at(i) != NULL; i++) {
			bsr_text_add(out, "  %-14s %s\n", mon_type_at(i)->name, mon_type_at(i)->help);
		}
	}
}

void mon_help(struct bsr_text *out)
{
	bsr_text_add(out,
		"usage: bsrmon COMMAND [ARGUMENTS] [OPTIONS]\n"
		"Measures running resources: requests, latency by stage, activity log, network, buffers, memory.\n\n"
		"Commands (bsr's spelling with a slash, /start, is understood as well):\n");
	for (size_t i = 0; commands[i].name != NULL; i++) {
		bsr_text_add(out, "  %-14s %s\n", commands[i].name, commands[i].summary);
	}
	bsr_text_add(out, "\nbsrmon help COMMAND says more; bsrmon --version. See bsrmon(8).\n");
}
