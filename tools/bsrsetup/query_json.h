/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * query_json.h - what the commands that only ask print with --json
 *
 * Each appends one JSON object and a line end. @snapshot and what is in it stay the caller's.
 */
#ifndef BSRSETUP_QUERY_JSON_H
#define BSRSETUP_QUERY_JSON_H

#include "text.h"

void bsr_query_json_role(struct bsr_text *text, struct json_object *snapshot);
void bsr_query_json_connection(
	struct bsr_text *text, struct json_object *snapshot, struct json_object *connection);
void bsr_query_json_device(struct bsr_text *text, struct json_object *snapshot, struct json_object *device);
/** bsr_query_json_gi - identifiers and flags towards a peer; false, nothing appended, when there are none */
bool bsr_query_json_gi(struct bsr_text *text, struct json_object *snapshot, struct json_object *connection,
	int64_t volume);

#endif
