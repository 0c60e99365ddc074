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

/** What an option of a command does; the first row that fits counts, command NULL fits all. */
static const struct {
	const char *command;
	const char *option; /* with '=' if it takes a value, as in the table of commands */
	const char *value;
	const char *help;
} extras_help[] = {
	{"primary", "force", "", "the local data are the good ones, although no peer says so; starts the initial sync"},
	{"secondary", "force", "", "also while the device is open: I/O of those who have it open fails from then on"},
	{"detach", "force", "", "at once, without asking peers or waiting for the disk"},
	{"disconnect", "force", "", "at once, without waiting for what is under way"},
	{"del-peer", "force", "", "also while it is connected"},
	{"dump-md", "force", "", "also of metadata with an activity log that was not applied"},
	{NULL, "force", "", "answer yes to every question"},
	{NULL, "skip-check-fs", "", "do not look at the file system before --force"},
	{NULL, "full-sync-on-fail", "", "if the file system is not clean, go on and copy everything"},
	{NULL, "skip-disk", "", "leave volumes and disks alone"},
	{NULL, "skip-net", "", "leave connections alone"},
	{NULL, "tentative", "", "only report what connecting would do"},
	{NULL, "discard-my-data", "", "after a split brain: give up the local changes"},
	{NULL, "json", "", "for programs"},
	{NULL, "statistics", "", "also counters"},
	{NULL, "color=", "WORD", "always, auto (default) or never"},
	{NULL, "readability", "", "amounts with units"},
	{NULL, "set-defaults", "", "options that are not given get their defaults"},
	{NULL, "reset-bitmap=", "yes|no", "no: copy only what is marked as out of sync, instead of everything"},
	{NULL, "use-current-oos", "", "the same as --reset-bitmap=no"},
	{"resize", "size=", "SIZE", "the new size, else that of the smallest disk"},
	{NULL, "size=", "SIZE", "make disks of this size, as files below /var/lib/bsr/disks"},
	{NULL, "assume-peer-has-space", "", "do not ask the peer for its size"},
	{NULL, "assume-clean", "", "do not resync what is added"},
	{NULL, "al-stripes=", "N", "stripes of the activity log"},
	{NULL, "al-stripe-size-kB=", "N", "size of a stripe"},
	{NULL, "start=", "SECTOR", "begin there"},
	{NULL, "stop=", "SECTOR", "end there"},
	{NULL, "auto-sync", "", "resync what differs"},
	{NULL, "clear-bitmap", "", "the disks are the same: no initial sync"},
	{NULL, "force-resync", "", "initial sync without a Primary: the local new disk is the good one"},
	{NULL, "no-rotate-bitmap", "", "keep the bitmap generation as it is"},
	{NULL, "gi=", "LINE", "the new identifiers, as get-gi prints them"},
	{NULL, "max-peers=", "N", "room for so many peers (1..31), else for those configured"},
	{NULL, "peer-max-bio-size=", "BYTES", "largest request of peers that is noted"},
	{NULL, "hosts=", "NAME=ADDRESS,...", "the hosts and their addresses"},
	{NULL, "disk=", "DEVICE", "the backing disk, the same on all hosts, or NAME=DEVICE,..."},
	{NULL, "protocol=", "A|B|C", "default C"},
	{NULL, "minor=", "N", "default: the next free one"},
	{NULL, "port=", "N", "default: the next free one"},
};

static void print_extra(const char *command, const char *option, size_t length)
{
	char shown[64];

	for (size_t i = 0; i < sizeof(extras_help) / sizeof(extras_help[0]); i++) {
		if (strlen(extras_help[i].option) == length && strncmp(extras_help[i].option, option, length) == 0 &&
			(extras_help[i].command == NULL || strcmp(extras_help[i].command, command) == 0)) {
			snprintf(shown, sizeof(shown), "%.*s%s", (int)length, option, extras_help[i].value);
			printf("  --%-24s  %s\n", shown, extras_help[i].help);
			return;
		}
	}
	printf("  --%.*s\n", (int)length, option); /* a test asks for words for each */
}

static void print_extras(const char *command, const char *extras)
{
	for (const char *at = extras; at != NULL && *at != '\0';) {
		const size_t length = strcspn(at, " ");
		print_extra(command, at, length);
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
		print_extras(command->name, command->extras);
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
