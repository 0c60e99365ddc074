/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * status_json.h - a snapshot as `status --json` prints it
 */
#ifndef BSRSETUP_STATUS_JSON_H
#define BSRSETUP_STATUS_JSON_H

#include "text.h"

/** bsr_status_json_begin - before the first resource */
void bsr_status_json_begin(struct bsr_text *out);
/** bsr_status_json - one resource; @first: no comma line before it */
void bsr_status_json(struct bsr_text *out, struct json_object *snapshot, bool first);
void bsr_status_json_end(struct bsr_text *out);

#endif
