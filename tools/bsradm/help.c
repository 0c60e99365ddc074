// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * help.c - what bsradm tells about itself
 *
 * Owns:       the texts of help and version.
 * May touch:  stdout.
 */
#include "adm.h"

#include "names.h"

#include <stdlib.h>
#include <string.h>

/* As puts(), under the names we were called by. */
static void say(const char *text)
{
	char translated[4096];

	puts(bsr_names_translate(text, translated, sizeof(translated)));
}

static void print_general_options(void)
{
	say("General options:\n"
	     "  -d, --dry-run               print the calls of bsrsetup and bsrmeta, make none\n"
	     "  -v, --verbose               print them and make them; repeat for reasons\n"
	     "  -c, --config-file=FILE      read FILE ('-': standard input) instead of the default\n"
	     "  -t, --config-to-test=FILE   read FILE, too (dump, dump-xml, sh-nop)\n"
	     "  -E, --config-to-exclude=FILE  do not include FILE\n"
	     "  -s, --bsrsetup=FILE         path of bsrsetup\n"
	     "  -m, --bsrmeta=FILE          path of bsrmeta\n"
	     "  -n, --sh-varname=NAME       print NAME=RESOURCE before each call; name of an option for sh-*-option\n"
	     "  -i, --ignore-hostname       also resources without a section for this host\n"
	     "  -W, --setup-option=ARG      pass ARG on to the back end\n"
	     "      --progress              show progress also when the output is not a terminal\n"
	     "  -V, --version\n"
	     "  -h, --help");
}

static void print_names(unsigned int with, unsigned int without)
{
	size_t count;
	const struct adm_command *list = adm_command_list(&count);

	for (size_t i = 0; i < count; i++) {
		if ((list[i].flags & with) == with && (list[i].flags & without) == 0) {
			printf("  %-22s %s\n", list[i].name, list[i].help);
		}
	}
}

static const char *target_words(const struct adm_command *command)
{
	if (command->kind == ADM_NO_TARGET) {
		return (command->flags & ADM_TAKES_WORDS) != 0 ? " RESOURCE" : "";
	}
	if ((command->flags & (ADM_NO_TARGET_OK | ADM_DEFAULT_ALL)) != 0) {
		return " [all | RESOURCE...]";
	}
	if ((command->flags & ADM_OPTIONAL_PEER) != 0) {
		return command->kind == ADM_VOLUME ? " {all | RESOURCE[:PEER][/VOLUME]...}"
						   : " {all | RESOURCE[:PEER[/VOLUME]]...}";
	}
	switch (command->kind) {
	case ADM_VOLUME:
		return " {all | RESOURCE[/VOLUME]... | minor-N...}";
	case ADM_CONNECTION:
		return " {all | RESOURCE[:PEER]...}";
	case ADM_PEER_DEVICE:
		return " {all | RESOURCE[:PEER][/VOLUME]...}";
	case ADM_NO_TARGET:
	case ADM_RESOURCE:
		break;
	}
	return " {all | RESOURCE...}";
}

static void print_section(enum bsr_option_section section)
{
	size_t count;
	const struct bsr_option *list = bsr_option_list(section, &count);

	for (size_t i = 0; i < count; i++) {
		char range[320];
		if ((list[i].flags & (BSR_OPTION_INTERNAL | BSR_OPTION_DRBD_ONLY)) != 0) {
			continue;
		}
		bsr_option_range_text(&list[i], range, sizeof(range));
		printf("  --%s=%s", list[i].name, range);
		if (list[i].default_text != NULL) {
			printf(" (default %s)", list[i].default_text);
		}
		const char *unit = bsr_option_unit_word(list[i].unit);
		printf("%s%s\n", *unit != '\0' ? ", " : "", unit);
	}
}

static void print_extras(const char *extras)
{
	for (const char *at = extras; at != NULL && *at != '\0';) {
		const size_t length = strcspn(at, " ");
		const bool value = at[length - 1] == '=';
		printf("  --%.*s%s\n", (int)length, at, value ? "..." : "");
		at += length;
		at += strspn(at, " ");
	}
}

/* A command that nobody can guess from the names of its options. */
static void print_example(const char *name)
{
	if (strcmp(name, "create") == 0) {
		say("  bsradm create r0 --hosts=alice=192.0.2.1,bob=192.0.2.2 --disk=/dev/sdb1\n"
		     "  bsradm create r0 --hosts=alice=192.0.2.1,bob=192.0.2.2 --disk=alice=/dev/sdb1,bob=/dev/sdc1\n"
		     "  bsradm create r0 --hosts=alice=192.0.2.1,bob=192.0.2.2 --size=1G     # a file below /var/lib/bsr/disks\n"
		     "\n  Names are those of `hostname`. -d shows the file and writes nothing.\n");
	}
}

static void print_command(const struct adm_command *command)
{
	static const struct {
		char letter;
		enum bsr_option_section section;
	} sections[] = {{'d', BSR_SECTION_DISK}, {'p', BSR_SECTION_PEER_DEVICE},
		{'n', BSR_SECTION_NET}, {'r', BSR_SECTION_RESOURCE}, {'o', BSR_SECTION_NODE},
		{'s', BSR_SECTION_STARTUP}, {'m', BSR_SECTION_DEVICE}};

	printf("%s %s [OPTION...]%s\n\n  %s\n\n", bsr_names()->admin, command->name, target_words(command),
		command->help);
	print_example(command->name);
	if (command->sections != NULL || command->extras != NULL) {
		printf("Options of %s:\n", command->name);
		print_extras(command->extras);
		for (size_t i = 0; i < sizeof(sections) / sizeof(sections[0]); i++) {
			if (command->sections != NULL &&
				strchr(command->sections, sections[i].letter) != NULL) {
				print_section(sections[i].section);
			}
		}
		putchar('\n');
	}
	print_general_options();
}

int adm_help(const char *name)
{
	if (name != NULL) {
		const struct adm_command *command = adm_command_find(name);
		if (command == NULL) {
			adm_command_suggest(name);
			return ADM_USAGE;
		}
		print_command(command);
		return ADM_OK;
	}
	say("bsradm COMMAND [OPTION...] {all | RESOURCE[:PEER][/VOLUME]...}\n\nCommands:");
	print_names(0, ADM_HIDDEN);
	putchar('\n');
	print_general_options();
	say("\n'bsradm help COMMAND' tells more; see also bsradm(8) and bsr.conf(5).");
	return ADM_OK;
}

int adm_help_command(struct adm *adm, const struct adm_context *context)
{
	(void)adm;
	(void)context;
	return adm_help(NULL);
}

int adm_hidden_commands(struct adm *adm, const struct adm_context *context)
{
	(void)adm;
	(void)context;
	puts("For scripts and experts:");
	print_names(ADM_HIDDEN, ADM_HANDLER);
	puts("\nCalled when something happens; each runs the command that handlers { } names:");
	print_names(ADM_HANDLER, 0);
	return ADM_OK;
}

/*
 * Scripts for DRBD look at these numbers to learn which commands and formats there are: the versions of DRBD whose
 * interface this is. Who asks for the build learns what really runs.
 */
static void print_drbd_version(void)
{
	printf("DRBDADM_BUILDTAG=bsr-%s\nDRBDADM_API_VERSION=2\n", BSR_VERSION);
	puts("DRBD_KERNEL_VERSION_CODE=0x090200\nDRBD_KERNEL_VERSION=9.2.0\n"
	     "DRBDADM_VERSION_CODE=0x091600\nDRBDADM_VERSION=9.22.0");
}

void adm_print_version(void)
{
	unsigned int part[3] = {0, 0, 0};

	if (bsr_names()->drbd) {
		print_drbd_version();
		return;
	}

	(void)sscanf(BSR_VERSION, "%u.%u.%u", &part[0], &part[1], &part[2]);
	const unsigned int code = part[0] << 16 | part[1] << 8 | part[2];
	printf("BSRADM_BUILDTAG=bsr-%s\nBSRADM_API_VERSION=2\n", BSR_VERSION);
	/* there is no kernel module: the engine is of the same version as the tools */
	printf("BSR_KERNEL_VERSION_CODE=0x%06x\nBSR_KERNEL_VERSION=%s\n", code, BSR_VERSION);
	printf("BSRADM_VERSION_CODE=0x%06x\nBSRADM_VERSION=%s\n", code, BSR_VERSION);
}
