// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * report.c - how a refusal is told: text, who refused, what helps, exit code
 *
 * Owns:       the mapping of error numbers to exit codes.
 * Invariants: numbers and exit codes are those that scripts know.
 */
#include "report.h"

#include <inttypes.h>

#define STATE_CHANGE_FIRST 1000
#define STATE_CHANGE_LAST 1099
#define PROTOCOL_FIRST 3001
#define NOT_SUPPORTED 3004
#define NO_RESOURCE 3010

static bool is_state_change(int64_t code)
{
	return code > STATE_CHANGE_FIRST && code <= STATE_CHANGE_LAST;
}

int bsr_report_exit_code(int64_t code)
{
	switch (code) {
	case 0:
		return BSRSETUP_OK;
	case 1002:
		return 17; /* no access to UpToDate data */
	case 1004:
		return 16; /* no local disk for the resync */
	case 1016:
		return 5; /* disk lower than Outdated */
	case 1030:
		return 30; /* writes not acknowledged in time at demotion */
	case NOT_SUPPORTED:
	case NO_RESOURCE:
		return BSRSETUP_REFUSED;
	default:
		break;
	}
	if (is_state_change(code)) {
		return BSRSETUP_STATE;
	}
	return code >= PROTOCOL_FIRST || code <= 100 ? BSRSETUP_USAGE : BSRSETUP_REFUSED;
}

void bsr_report_error(struct bsr_text *out, const char *object, struct json_object *error)
{
	int64_t code = bsr_json_int(error, "code", -1);
	struct json_object *info = bsr_json_array(error, "info");
	const char *remedy = bsr_json_string(error, "remedy");

	if (is_state_change(code)) {
		bsr_text_add(out, "%s: State change failed: (%" PRId64 ") %s\n", object,
			STATE_CHANGE_FIRST - code, bsr_json_string(error, "message"));
	} else {
		bsr_text_add(out, "%s: Failure: (%" PRId64 ") %s\n", object, code,
			bsr_json_string(error, "message"));
	}
	if (bsr_json_has(error, "volume")) {
		bsr_text_add(out, "  cause: volume %" PRId64 "\n", bsr_json_int(error, "volume", -1));
	}
	if (bsr_json_has(error, "peer")) {
		bsr_text_add(out, "  refused by: %s (node id %" PRId64 ")\n",
			bsr_json_string(error, "peer_name"), bsr_json_int(error, "peer", -1));
	}
	for (size_t i = 0; i < bsr_json_count(info); i++) {
		bsr_text_add(out, "  %s\n", json_object_get_string(bsr_json_at(info, i)));
	}
	if (remedy[0] != '\0') {
		bsr_text_add(out, "  what helps: %s\n", remedy);
	}
}
