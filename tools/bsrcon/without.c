// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * without.c - commands that mean nothing without a kernel driver: known, and refused in one clear line
 */
#include "con.h"

#include <string.h>

int con_no_driver(const struct con_call *call)
{
	static const char *const instead[][2] = {
		{"disk_error", "; here: bsrcon /fault RESOURCE disk error=yes count=N"},
		{"write_log", "; here: bsrcon /write_kernel_log LEVEL TEXT"},
		{"handler_timeout", "; a handler is waited for until it ends"},
		{"status", "; here: bsradm status"},
		{"info", "; here: bsrcon /debug"},
		{"proc/bsr", "; here: bsrcon /debug"},
		{"get_volume_size", "; here: bsradm status --verbose --statistics"},
	};
	const char *hint = "";
	for (size_t i = 0; i < sizeof(instead) / sizeof(instead[0]); i++) {
		hint = strcmp(instead[i][0], call->name) == 0 ? instead[i][1] : hint;
	}
	fprintf(stderr,
		"bsrcon /%s: this concerns the kernel driver of other bsr versions; there is none here%s\n",
		call->name, hint);
	return CON_USAGE;
}

int con_no_trace(const struct con_call *call)
{
	fprintf(stderr,
		"bsrcon /%s: out-of-sync blocks are not traced in the log; `bsrmeta dump-md` lists them\n",
		call->name);
	return CON_USAGE;
}
