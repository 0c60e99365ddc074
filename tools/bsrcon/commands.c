// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * commands.c - the table of commands of bsrcon, and help
 */
#include "con.h"

#include <string.h>

/* clang-format off: one entry, one line where it fits */
static const struct con_command commands[] = {
	{"get_log_path", "", 0, 0, false, con_get_log_path, "print the directory of log files"},
	{"set_log_path", "DIRECTORY", 1, 1, false, con_set_log_path,
		"log into another directory, from the next start of a resource"},
	{"minlog_lv", "sys|dbg LEVEL", 2, 2, false, con_minlog_lv,
		"log up to LEVEL (0..7, or a word) to syslog or to the log files"},
	{"maxlogfile_cnt", "NUMBER", 1, 1, false, con_maxlogfile_cnt,
		"how many older log files of a resource are kept"},
	{"maxlogfile_size", "KIB", 1, 1, false, con_maxlogfile_size,
		"size at which a log file is rolled over"},
	{"climaxlogfile_cnt", "adm|setup|meta NUMBER", 2, 2, false, con_climaxlogfile_cnt,
		"how many older log files of a tool are kept"},
	{"dbglog_ctgr", "enable|disable NAME...|all", 2, 20, false, con_dbglog_ctgr,
		"log or leave out categories of events"},
	{"get_log_info", "", 0, 0, false, con_get_log_info, "print everything about logging"},
	{"statuscmd_logging", "1|0", 1, 1, false, con_statuscmd_logging,
		"bsradm and bsrmeta log commands that only look, or not"},
	{"handler_use", "1|0", 1, 1, false, con_handler_use, "run handlers, or not"},
	{"get_handler_info", "", 0, 0, false, con_get_handler_info, "print whether handlers are run"},
	{"set_control_group", "GROUP|none", 1, 1, false, con_set_control_group,
		"members of this group may look at resources (bsrsetup status, events2, show), and do nothing else"},
	{"get_control_group", "", 0, 0, false, con_get_control_group, "print that group"},
	{"set_fast_sync", "1|0", 1, 1, false, con_set_fast_sync,
		"may the initial sync leave out what a file system says is unused"},
	{"get_fast_sync", "", 0, 0, false, con_get_fast_sync, "print that"},
	{"get_log", "FILE [RESOURCE] [oos]", 1, 3, false, con_get_log,
		"copy the log of all resources, or of one, to FILE"},
	{"write_kernel_log", "LEVEL TEXT", 2, 2, false, con_write_log,
		"write a line into the log of every running resource"},
	{"debug", "[RESOURCE]", 0, 1, false, con_debug,
		"print queues, ages and positions inside of the engine, as JSON"},
	{"memory", "[RESOURCE]", 0, 1, false, con_memory, "print memory and buffers of running resources"},
	{"fault", "RESOURCE [clear | KIND KEY=VALUE...]", 1, 8, true, con_fault,
		"delays and errors on purpose, for tests (bsrd --allow-faults): KIND disk, meta or network; volume=N, peer=NAME, "
		"op=read|write|flush, delay=MILLISECONDS, error=yes, count=N"},
	{"search_oos_log", "PATH SECTOR", 2, 2, true, con_no_trace, "search out-of-sync traces"},
	{"hold_state", "TYPE STATE", 2, 2, true, con_no_driver, "test aid of the driver"},
	{"fake_al_used", "NUMBER", 1, 1, true, con_no_driver, "test aid of the driver"},
	{"bsr_panic", "ENABLE TIME", 2, 2, true, con_no_driver, "let the host crash on errors"},
	{"forced_panic", "", 0, 0, true, con_no_driver, "let the host crash"},
	{"handler_timeout", "MILLISECONDS", 1, 1, true, con_no_driver, "Windows"},
	{"bsrlock_use", "1|0", 1, 1, true, con_no_driver, "Windows"},
	{"bsrlock_status", "", 0, 0, true, con_no_driver, "Windows"},
	{"delaydack_enable", "ADDRESS", 1, 1, true, con_no_driver, "Windows"},
	{"nodelayedack", "ADDRESS", 1, 1, true, con_no_driver, "Windows"},
	{"letter", "LETTER", 0, 1, true, con_no_driver, "Windows"},
	{"status", "", 0, 0, true, con_no_driver, "Windows"},
	{"proc/bsr", "", 0, 0, true, con_no_driver, "Windows"},
	{"info", "", 0, 0, true, con_no_driver, "Windows"},
	{"dismount", "LETTER", 1, 1, true, con_no_driver, "Windows"},
	{"release_vol", "RESOURCE LETTER", 2, 2, true, con_no_driver, "Windows"},
	{"release_readonly", "MINOR", 1, 1, true, con_no_driver, "Windows"},
	{"get_volume_size", "", 0, 1, true, con_no_driver, "Windows"},
	{"disk_error", "FLAG TYPE COUNT", 3, 3, true, con_no_driver,
		"Windows; here: /fault RESOURCE disk error=yes count=N"},
	{"driver_install", "INF", 1, 1, true, con_no_driver, "Windows"},
	{"driver_uninstall", "INF", 1, 1, true, con_no_driver, "Windows"},
	{"md5", "FILE", 1, 1, true, con_no_driver, "Windows"},
	{"write_log", "TEXT", 1, 2, true, con_no_driver, "Windows; here: /write_kernel_log"},
	{NULL, NULL, 0, 0, false, NULL, NULL},
};
/* clang-format on */

const struct con_command *con_command_find(const char *name)
{
	name += *name == '/';
	for (size_t i = 0; commands[i].name != NULL; i++) {
		if (strcmp(commands[i].name, name) == 0) {
			return &commands[i];
		}
	}
	return NULL;
}

void con_usage_of(FILE *out, const struct con_command *command)
{
	fprintf(out, "usage: bsrcon /%s%s%s\n\n%s.\n", command->name,
		command->arguments[0] != '\0' ? " " : "", command->arguments, command->help);
}

void con_usage(FILE *out, bool all)
{
	fputs("usage: bsrcon /COMMAND [ARGUMENTS] [/COMMAND [ARGUMENTS] ...] [--json]\n"
	      "Settings of this host that resources and tools share; looking into running resources.\n\n"
	      "Commands, run from left to right:\n",
		out);
	for (size_t i = 0; commands[i].name != NULL; i++) {
		if (all || !commands[i].hidden) {
			char text[80];
			snprintf(text, sizeof(text), "/%s %s", commands[i].name, commands[i].arguments);
			fprintf(out, "  %-38s %s\n", text, commands[i].help);
		}
	}
	fputs(all ? ""
		  : "\n/all_usage lists those for tests and those of other systems, too; --help, --version. See bsrcon(8).\n",
		out);
}
