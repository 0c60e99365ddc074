// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * fuzz_dump_parse.c - any text as a dump
 *
 * What parses must be usable as a superblock, and parse the same way a second time.
 */
#include <stdlib.h>
#include <string.h>

#include <bsr/assert.h>

#include "dump_parse.h"
#include "../../tests/fuzz.h"

static int count_words(void *arg, uint32_t slot, uint64_t first, uint64_t count, uint64_t value)
{
	uint64_t *words = arg;
	BSR_ASSERT(slot < BSR_BITMAP_SLOTS_MAX);
	BSR_ASSERT(first == words[slot]);
	words[slot] = count < UINT64_MAX / 2 - first ? first + count : UINT64_MAX / 2;
	return value == 0xfeedull ? 10
				  : 0; /* a sink that fails ends the parse with its own result */
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct bsr_meta_dump_text dump;
	static struct bsr_meta_dump_text again;
	if (size == 0) {
		return 0;
	}
	FILE *f = fmemopen((void *)(uintptr_t)data, size, "r");
	BSR_ASSERT(f != NULL);
	const int rc = bsr_meta_dump_parse(&dump, f, NULL);
	BSR_ASSERT(rc != 0 || dump.error[0] == '\0');
	BSR_ASSERT(rc == 0 || strncmp(dump.error, "line ", 5) == 0);
	BSR_ASSERT(memchr(dump.error, '\0', sizeof(dump.error)) != NULL);
	rewind(f);
	uint64_t words[BSR_BITMAP_SLOTS_MAX] = {0};
	const struct bsr_meta_dump_sink sink = {.words = count_words, .arg = words};
	const int second = bsr_meta_dump_parse(&again, f, &sink);
	BSR_ASSERT(second == rc || second == 10);
	if (rc == 0 && second == 0) {
		BSR_ASSERT(again.crc == dump.crc && memcmp(words, dump.words, sizeof(words)) == 0);
		dump.sb.effective_sectors = 0; /* cut to the device by the caller */
		BSR_ASSERT(bsr_superblock_problem(&dump.sb) == NULL);
	}
	fclose(f);
	return 0;
}

static void put_text(FILE *f, uint32_t index)
{
	fprintf(f, "# comment\nversion \"%s\";\n", index == 0 ? "v08" : "v09");
	if (index == 0) {
		fprintf(f, "uuid { 0x0000000000000001; 0x0000000000000002; 0x0000000000000003; "
			   "0x0000000000000004; flags 0x00000080; }\n");
	} else {
		fprintf(f,
			"max-peers %u;\nnode-id -1;\ncurrent-uuid 0x0000000000000004;\nflags 0x00000080;\n",
			index);
		for (unsigned int i = 0; i < BSR_NODES_MAX; i++) {
			fprintf(f,
				"peer[%u] { bitmap-index %d; bitmap-uuid 0x00000000000000%02X; "
				"bitmap-dagtag 0x0000000000000000; flags 0x00000000; }\n",
				i, i < index ? (int)i : -1, i);
		}
		fprintf(f, "history-uuids {");
		for (unsigned int i = 0; i < BSR_HISTORY_UUIDS; i++) {
			fprintf(f, " 0x%016X;", i);
		}
		fprintf(f, " }\n");
	}
	fprintf(f, "la-size-sect 130992;\nbm-byte-per-bit 4096;\ndevice-uuid 0x00C0FFEE00000008;\n"
		   "la-peer-max-bio-size 0;\nal-stripes 1;\nal-stripe-size-4k 8;\n");
	for (unsigned int i = 0; i < (index == 0 ? 1 : index); i++) {
		if (index == 0) {
			fprintf(f, "bm {\n");
		} else {
			fprintf(f, "bitmap[%u] {\n", i);
		}
		fprintf(f,
			"   # at 0kB\n    0x00000000000000F1; 248 times 0x0000000000000000; 0xFFFFFFFF00000000;\n}\n");
	}
}

size_t bsr_fuzz_example(uint32_t index, uint8_t *out, size_t room)
{
	if (index >= 4) {
		return 0;
	}
	FILE *f = fmemopen(out, room, "w");
	BSR_ASSERT(f != NULL);
	put_text(f, index);
	const long length = ftell(f);
	fclose(f);
	return length > 0 ? (size_t)length : 0;
}
