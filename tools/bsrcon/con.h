/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * con.h - what the parts of bsrcon share; every command returns an exit code
 */
#ifndef BSRCON_CON_H
#define BSRCON_CON_H

#include <stdio.h>

#include "../bsrsetup/client.h"
#include "settings.h"

#define CON_OK 0
#define CON_USAGE 1
#define CON_REFUSED                                                                                          \
	10 /* stored, but a running resource does not take it; not running; refused by a resource */

struct con_call {
	const char *name; /* as typed, without slash */
	uint32_t count;
	char *const *word;
	bool json;
};

struct con_command {
	const char *name;
	const char *arguments;
	uint32_t words_min;
	uint32_t words_max;
	bool hidden; /* only in /all_usage */
	int (*run)(const struct con_call *call);
	const char *help;
};

/* commands.c */
const struct con_command *con_command_find(const char *name);
void con_usage(FILE *out, bool all);
void con_usage_of(FILE *out, const struct con_command *command);

/* settings_commands.c: log and switches */
int con_get_log_path(const struct con_call *call);
int con_set_log_path(const struct con_call *call);
int con_minlog_lv(const struct con_call *call);
int con_maxlogfile_cnt(const struct con_call *call);
int con_maxlogfile_size(const struct con_call *call);
int con_climaxlogfile_cnt(const struct con_call *call);
int con_dbglog_ctgr(const struct con_call *call);
int con_get_log_info(const struct con_call *call);
int con_statuscmd_logging(const struct con_call *call);
int con_handler_use(const struct con_call *call);
int con_get_handler_info(const struct con_call *call);
int con_set_control_group(const struct con_call *call);
int con_get_control_group(const struct con_call *call);
int con_set_fast_sync(const struct con_call *call);
int con_get_fast_sync(const struct con_call *call);

/* resource_commands.c: running resources */
int con_get_log(const struct con_call *call);
int con_write_log(const struct con_call *call);
int con_fault(const struct con_call *call);
int con_debug(const struct con_call *call);
int con_memory(const struct con_call *call);
/** con_push - what is set to every running resource; CON_OK, or CON_REFUSED after it was told which did not
 * take it */
int con_push(const struct bsr_settings *settings);

/* without.c: what does not apply without a kernel driver */
int con_no_driver(const struct con_call *call);
int con_no_trace(const struct con_call *call);

/** con_print_json - one line; takes @object over */
void con_print_json(struct json_object *object);

#endif
