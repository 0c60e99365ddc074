// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * gi_text.c - generation identifiers and metadata flags, as get-gi and show-gi print them
 *
 * Owns:       order of the flags: `set-gi` of bsrmeta reads the same line.
 */
#include "gi_text.h"

#include "event_fields.h"

#include <string.h>

#define FLAG_COLUMN 68 /* four times 16 digits and a colon */
#define FLAG_COUNT 12

struct gi_flag {
	const char *word;
	bool of_peer;
	const char *meaning;
};

static const struct gi_flag flags[FLAG_COUNT] = {
	{"consistent", false, "data are consistent"},
	{"was-up-to-date", false, "data were UpToDate"},
	{"primary-ind", false, "node is or was Primary"},
	{"crashed-primary", false, "node crashed as Primary"},
	{"al-clean", false, "activity log is clean"},
	{"al-disabled", false, "activity log is switched off"},
	{"peer-connected", true, "peer was connected"},
	{"peer-outdate", true, "peer is Outdated or worse"},
	{"peer-fencing", true, "peer has to be fenced"},
	{"peer-full-sync", true, "peer needs a full resync"},
	{"last-primary", false, "node was Primary last"},
	{"was-primary", false, "node was Primary when it stopped"},
};

bool bsr_gi_line(
	struct bsr_text *out, struct json_object *device, struct json_object *peer_device)
{
	struct json_object *gi = bsr_event_gi_fields(device, peer_device);
	if (gi == NULL) {
		return false;
	}
	json_object_object_foreach(gi, name, value)
	{
		(void)name;
		bsr_text_add(out, "%s:", json_object_get_string(value));
	}
	json_object_put(gi);
	for (size_t i = 0; i < FLAG_COUNT; i++) {
		struct json_object *set = flags[i].of_peer
			? bsr_json_array(peer_device, "peer_md_flags")
			: bsr_json_array(device, "md_flags");
		bsr_text_add(out, "%s%d", i == 0 ? "" : ":",
			bsr_json_set_has(set, flags[i].word) ? 1 : 0);
	}
	bsr_text_add(out, "\n");
	return true;
}

/* One line of the upper legend: arrows of the parts before, then this part's name. */
static void add_upper(struct bsr_text *out, size_t part)
{
	static const int columns[] = {8, 24, 42, 60};
	static const char *const names[] = {"current generation", "bitmap: generation the peer has",
		"history, youngest", "history, second"};
	int column = 0;
	for (size_t i = 0; i <= part && i < 4; i++) {
		bsr_text_add(out, "%*s%s", columns[i] - column, "",
			part == 4 ? "V" : (i == part ? "+-- " : "|"));
		column = columns[i] + 1;
	}
	if (part == 4) {
		bsr_text_add(out, "\n");
	} else {
		bsr_text_add(out, "%s\n", names[part]);
	}
}

bool bsr_gi_legend(
	struct bsr_text *out, struct json_object *device, struct json_object *peer_device)
{
	struct bsr_text line = {0};
	if (!bsr_gi_line(&line, device, peer_device)) {
		return false;
	}
	bsr_text_add(out, "\n");
	for (size_t part = 0; part <= 4; part++) {
		add_upper(out, part);
	}
	bsr_text_add(out, "%s", bsr_text_string(&line));
	bsr_text_free(&line);
	bsr_text_add(out, "%*s", FLAG_COLUMN, "");
	for (size_t i = 0; i < FLAG_COUNT; i++) {
		bsr_text_add(out, "%s^", i == 0 ? "" : " ");
	}
	bsr_text_add(out, "\n");
	for (size_t i = 0; i < FLAG_COUNT; i++) {
		const int before = FLAG_COLUMN + 2 * (int)i - 3;
		bsr_text_add(out, "%*s --+", before, flags[i].meaning);
		for (size_t j = i + 1; j < FLAG_COUNT; j++) {
			bsr_text_add(out, " |");
		}
		bsr_text_add(out, "\n");
	}
	bsr_text_add(out, "\n");
	return true;
}
