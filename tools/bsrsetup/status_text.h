/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * status_text.h - a snapshot as the text that `status` prints
 */
#ifndef BSRSETUP_STATUS_TEXT_H
#define BSRSETUP_STATUS_TEXT_H

#include "text.h"

struct bsr_status_style {
	bool verbose;
	bool statistics;
	bool color;
	bool progress; /* a person looks: also without statistics how fast a resync is, and how long still */
	bool readable; /* amounts with a unit for people */
	uint32_t width; /* columns of the terminal; lines are wrapped there */
};

/**
 * bsr_status_text - append one resource, as docs/control.md section 6 describes it, and an empty
 * line
 */
void bsr_status_text(
	struct bsr_text *out, struct json_object *snapshot, const struct bsr_status_style *style);

#endif
