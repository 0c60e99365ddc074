/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * gi_text.h - generation identifiers and metadata flags of one peer and volume, as get-gi and
 * show-gi print them
 */
#ifndef BSRSETUP_GI_TEXT_H
#define BSRSETUP_GI_TEXT_H

#include "text.h"

/**
 * bsr_gi_line - the line of get-gi: four identifiers, twelve flags, all separated by colons
 * @device, @peer_device: of the snapshot
 *
 * Returns false, nothing appended, when the device has no metadata.
 */
bool bsr_gi_line(
	struct bsr_text *out, struct json_object *device, struct json_object *peer_device);
/**
 * bsr_gi_legend - the same line between explanations that point to each of its parts, and an empty
 * line
 */
bool bsr_gi_legend(
	struct bsr_text *out, struct json_object *device, struct json_object *peer_device);

#endif
