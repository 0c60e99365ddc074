/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * report.h - how a refusal is told: text, who refused, what helps, exit code
 */
#ifndef BSRSETUP_REPORT_H
#define BSRSETUP_REPORT_H

#include "text.h"

/* Exit codes that scripts know. */
#define BSRSETUP_OK 0
#define BSRSETUP_UNCONFIGURED 1 /* show-gi, get-gi */
#define BSRSETUP_TIMEOUT 5	/* wait commands */
#define BSRSETUP_REFUSED 10
#define BSRSETUP_STATE 11 /* a refused change of state without a code of its own */
#define BSRSETUP_USAGE 20 /* usage, no process, communication */

/** bsr_report_exit_code - exit code for an error number of docs/control.md; 0 for 0 */
int bsr_report_exit_code(int64_t code);
/**
 * bsr_report_error - append the lines for an error object; @object: what the command was about
 * ("r0", "0")
 */
void bsr_report_error(struct bsr_text *out, const char *object, struct json_object *error);

#endif
