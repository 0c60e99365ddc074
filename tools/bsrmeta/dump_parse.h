/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * dump_parse.h - the text of dump-md, read back
 */
#ifndef BSR_TOOLS_DUMP_PARSE_H
#define BSR_TOOLS_DUMP_PARSE_H

#include <stdio.h>

#include "superblock.h"

#define META_DUMP_ERROR_BYTES 200u

/**
 * What a dump says. Offsets, al_extents and what else depends on the device are not in it (zero).
 */
struct bsr_meta_dump_text {
	uint32_t format; /* 8 or 9 */
	/* v08: peer 0, slot 0, history 0 and 1, device flags in sb.flags */
	struct bsr_superblock sb;
	uint64_t words[BSR_BITMAP_SLOTS_MAX]; /* 64-bit words given for each slot; saturates */
	uint32_t lines;
	uint32_t crc; /* of the whole text: two passes must have read the same */
	char error[META_DUMP_ERROR_BYTES]; /* what is wrong, when the result is not 0 */
};

/**
 * Receives @count times @value for the 64-bit words of @slot from @first on; anything but 0 ends
 * the parse.
 */
struct bsr_meta_dump_sink {
	int (*words)(void *arg, uint32_t slot, uint64_t first, uint64_t count, uint64_t value);
	void *arg;
};

/**
 * bsr_meta_dump_parse - read a whole dump, up to its end
 * @sink: NULL to check the text only
 * Returns 0, -BSR_E_RANGE with @dump->error set, or what the sink returned. Rules:
 * docs/format/dump.md.
 */
int bsr_meta_dump_parse(struct bsr_meta_dump_text *dump, FILE *file, const struct bsr_meta_dump_sink *sink)
	BSR_MUST_CHECK;

#endif
