// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * main.c - bsrmon: measurements of running resources
 *
 * Owns: choosing the command; nothing else.
 */
#include "mon.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <bsr/assert.h>

_Noreturn void bsr_panic(const char *file, int line, const char *what)
{
	fprintf(stderr, "bsrmon: %s:%d: does not hold: %s\n", file, line, what);
	abort();
}

static int print_help(const struct mon_command *command, FILE *out)
{
	struct bsr_text text = {0};
	if (command != NULL) {
		mon_help_command(&text, command);
	} else {
		mon_help(&text);
	}
	fputs(bsr_text_string(&text), out);
	bsr_text_free(&text);
	return out == stdout ? MON_OK : MON_USAGE;
}

static bool asks_for_help(int argc, char **argv)
{
	for (int i = 2; i < argc; i++) {
		if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0) {
			return true;
		}
	}
	return false;
}

static int unknown(const char *name)
{
	fprintf(stderr, "bsrmon: unknown command '%s'; see `bsrmon help`\n", name);
	return MON_USAGE;
}

static int run(const struct mon_command *command, int argc, char **argv)
{
	struct mon_call call;
	struct bsr_text why = {0};
	int rc = MON_USAGE;
	if (mon_parse(&call, command, argc - 2, argv + 2, &why)) {
		rc = command->run(&call);
	} else {
		fprintf(stderr, "bsrmon %s: %s; see `bsrmon help %s`\n", command->name, bsr_text_string(&why),
			command->name);
	}
	mon_call_free(&call);
	bsr_text_free(&why);
	if (fflush(stdout) != 0 && rc == MON_OK && errno != EPIPE) {
		perror("bsrmon: standard output");
		rc = MON_REFUSED;
	}
	return rc;
}

int main(int argc, char **argv)
{
	if (argc < 2) {
		return print_help(NULL, stderr);
	}
	if (strcmp(argv[1], "--version") == 0 || strcmp(argv[1], "-V") == 0) {
		printf("bsrmon %s\n", BSR_VERSION);
		return MON_OK;
	}
	if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0 || strcmp(argv[1], "help") == 0) {
		const struct mon_command *about = argc > 2 ? mon_command_find(argv[2]) : NULL;
		return argc > 2 && about == NULL ? unknown(argv[2]) : print_help(about, stdout);
	}
	const struct mon_command *command = mon_command_find(argv[1]);
	if (command == NULL) {
		return unknown(argv[1]);
	}
	if (asks_for_help(argc, argv)) {
		return print_help(command, stdout);
	}
	return run(command, argc, argv);
}
