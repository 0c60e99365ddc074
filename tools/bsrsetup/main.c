// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * main.c - bsrsetup: one command to a running resource
 *
 * Owns: choosing the command; nothing else.
 */
#include "run.h"

#include "names.h"

#include <bsr/assert.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

_Noreturn void bsr_panic(const char *file, int line, const char *what)
{
	fprintf(stderr, "%s: %s:%d: does not hold: %s\n", bsr_names()->setup, file, line, what);
	abort();
}

/* What the field knows and this version cannot do: named, with what helps. */
static const char *const refused[][2] = {
	{"resize", "a volume keeps its size: take the resource down, recreate its metadata"},
	{"check-resize", "a volume keeps its size"},
	{"rename-resource", "a name is that of a process, its sockets and its log: take the resource down, rename it in the "
		"configuration of all nodes, bring it up; disks carry no name"},
	{"minor-mount-path", "mounts are found without being told"},
	{NULL, NULL},
};

static int refuse(const char *name)
{
	for (size_t i = 0; refused[i][0] != NULL; i++) {
		if (strcmp(refused[i][0], name) == 0) {
			fprintf(stderr, "%s: '%s' cannot be done by this version; %s\n",
				bsr_names()->setup, name, refused[i][1]);
			return BSRSETUP_USAGE;
		}
	}
	fprintf(stderr, "%s: unknown command '%s'; see `%s help`\n", bsr_names()->setup, name,
		bsr_names()->setup);
	return BSRSETUP_USAGE;
}

static int print_and_free(struct bsr_text *text)
{
	bsr_print_translated(bsr_text_string(text), stdout);
	bsr_text_free(text);
	return BSRSETUP_OK;
}

static int run_help(int argc, char **argv)
{
	struct bsr_text text = {0};
	const bool xml = strcmp(argv[1], "xml-help") == 0;
	if (argc < 3 && !xml) {
		bsr_setup_help(&text);
		return print_and_free(&text);
	}
	const struct bsr_setup_command *command =
		argc < 3 ? NULL : bsr_setup_command_find(argv[2]);
	if (command == NULL) {
		return refuse(argc < 3 ? "" : argv[2]);
	}
	if (xml) {
		bsr_setup_xml_help(&text, command);
	} else {
		bsr_setup_help_command(&text, command);
	}
	return print_and_free(&text);
}

static bool asks_for_help(int argc, char **argv)
{
	for (int i = 2; i < argc && strcmp(argv[i], "--") != 0; i++) {
		if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0) {
			return true;
		}
	}
	return false;
}

static int run_command(const struct bsr_setup_command *command, int argc, char **argv)
{
	struct bsr_setup_call call;
	struct bsr_text text = {0};
	if (asks_for_help(argc, argv)) {
		bsr_setup_help_command(&text, command);
		return print_and_free(&text);
	}
	int rc = bsr_setup_parse(&call, command, argc - 2, argv + 2, &text);
	if (rc != 0) {
		fprintf(stderr, "%s %s: %s\n", bsr_names()->setup, command->name,
			bsr_text_string(&text));
		rc = BSRSETUP_USAGE;
	} else {
		rc = command->run(&call);
	}
	bsr_setup_call_free(&call);
	bsr_text_free(&text);
	if (fflush(stdout) != 0 && rc == BSRSETUP_OK) {
		perror(bsr_names()->setup);
		rc = BSRSETUP_USAGE;
	}
	return rc;
}

/* drbdsetup's form: which DRBD's interface this is, then what it really is. */
static void print_version(void)
{
	if (bsr_names()->drbd) {
		printf("Version: 9.22.0 (api:2)\nbsr-%s\n", BSR_VERSION);
	} else {
		printf("bsrsetup %s\n", BSR_VERSION);
	}
}

int main(int argc, char **argv)
{
	struct bsr_text text = {0};
	bsr_names_choose(argv[0]);
	if (argc < 2) {
		bsr_setup_help(&text);
		bsr_print_translated(bsr_text_string(&text), stderr);
		bsr_text_free(&text);
		return BSRSETUP_USAGE;
	}
	if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0) {
		bsr_setup_help(&text);
		return print_and_free(&text);
	}
	if (strcmp(argv[1], "--version") == 0 || strcmp(argv[1], "-V") == 0) {
		print_version();
		return BSRSETUP_OK;
	}
	if (strcmp(argv[1], "help") == 0 || strcmp(argv[1], "xml-help") == 0) {
		return run_help(argc, argv);
	}
	const struct bsr_setup_command *command = bsr_setup_command_find(argv[1]);
	if (command == NULL && argc >= 3 && bsr_setup_command_find(argv[2]) != NULL) {
		char *object = argv[1]; /* old order: OBJECT COMMAND */
		command = bsr_setup_command_find(argv[2]);
		argv[1] = argv[2];
		argv[2] = object;
	}
	if (command == NULL) {
		return refuse(argv[1]);
	}
	return run_command(command, argc, argv);
}
