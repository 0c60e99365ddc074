// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * main.c - bsrcon: commands from left to right
 *
 * Owns: which words belong to which command.
 */
#include "con.h"

#include <stdlib.h>
#include <string.h>

#include <bsr/assert.h>

_Noreturn void bsr_panic(const char *file, int line, const char *what)
{
	fprintf(stderr, "bsrcon: %s:%d: does not hold: %s\n", file, line, what);
	abort();
}

void con_print_json(struct json_object *object)
{
	puts(json_object_to_json_string_ext(object, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE));
	json_object_put(object);
}

/* The words a command must have may begin with a slash (paths do); those it can have may not. */
static uint32_t words_of(const struct con_command *command, int argc, char **argv)
{
	uint32_t count = 0;
	while (count < (uint32_t)argc && count < command->words_max &&
		(count < command->words_min || argv[count][0] != '/')) {
		count++;
	}
	return count;
}

static int run_one(const struct con_command *command, int argc, char **argv, bool json, uint32_t *used)
{
	*used = words_of(command, argc, argv);
	if (*used < command->words_min) {
		con_usage_of(stderr, command);
		return CON_USAGE;
	}
	const struct con_call call = {.name = command->name, .count = *used, .word = argv, .json = json};
	return command->run(&call);
}

/* --json anywhere; taken out */
static bool take_json(int *argc, char **argv)
{
	bool found = false;
	int kept = 0;
	for (int i = 0; i < *argc; i++) {
		if (i > 0 && (strcmp(argv[i], "--json") == 0 || strcmp(argv[i], "/json") == 0)) {
			found = true;
		} else {
			argv[kept++] = argv[i];
		}
	}
	*argc = kept;
	return found;
}

static int run_all(int argc, char **argv, bool json)
{
	int code = CON_OK;
	for (int i = 1; i < argc;) {
		const struct con_command *command = con_command_find(argv[i]);
		uint32_t used = 0;
		if (strcmp(argv[i], "/all_usage") == 0 || strcmp(argv[i], "all_usage") == 0) {
			con_usage(stdout, true);
		} else if (command == NULL) {
			printf("bsrcon: unknown argument '%s', left out; see `bsrcon --help`\n", argv[i]);
		} else {
			const int rc = run_one(command, argc - i - 1, argv + i + 1, json, &used);
			code = code == CON_OK ? rc : code;
			if (rc == CON_USAGE) {
				return code; /* what its words would have been is unclear */
			}
		}
		i += 1 + (int)used;
	}
	return code;
}

static const struct con_command *asked_for_help(int argc, char **argv)
{
	for (int i = 2; i < argc; i++) {
		if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0) {
			return con_command_find(argv[1]);
		}
	}
	return argc > 2 && strcmp(argv[1], "help") == 0 ? con_command_find(argv[2]) : NULL;
}

int main(int argc, char **argv)
{
	const bool json = take_json(&argc, argv);
	if (argc < 2) {
		con_usage(stderr, false);
		return CON_USAGE;
	}
	if (strcmp(argv[1], "--version") == 0 || strcmp(argv[1], "-V") == 0) {
		printf("bsrcon %s\n", BSR_VERSION);
		return CON_OK;
	}
	const struct con_command *about = asked_for_help(argc, argv);
	if (about != NULL) {
		con_usage_of(stdout, about);
		return CON_OK;
	}
	if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0 || strcmp(argv[1], "help") == 0) {
		con_usage(stdout, false);
		return CON_OK;
	}
	const int code = run_all(argc, argv, json);
	if (fflush(stdout) != 0 && code == CON_OK) {
		perror("bsrcon: standard output");
		return CON_REFUSED;
	}
	return code;
}
