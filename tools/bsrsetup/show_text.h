/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * show_text.h - the running configuration in the configuration language, as `show` prints it and
 * `adjust` reads it
 */
#ifndef BSRSETUP_SHOW_TEXT_H
#define BSRSETUP_SHOW_TEXT_H

#include "text.h"

/** bsr_show_text - append one resource (docs/control.md section 8) and an empty line */
void bsr_show_text(struct bsr_text *out, struct json_object *config, bool show_defaults);
/** bsr_show_json - show_json.c: the same as a JSON object, without a line end */
void bsr_show_json(struct bsr_text *out, struct json_object *config, bool show_defaults);

#endif
