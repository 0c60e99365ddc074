// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * fuzz_al_codec.c - any bytes as an activity-log ring
 *
 * Byte 0 chooses the stripes, byte 1 which blocks get a right checksum (or nothing would get past
 * it).
 */
#include <string.h>

#include <bsr/assert.h>
#include <bsr/bytes.h>
#include <bsr/crc32c.h>

#include "activity_log.h"
#include "../tests/fuzz.h"

#define BLOCKS_MAX 15u

static void repair(uint8_t *block)
{
	const bsr_be32 magic = bsr_be32_make(0x69cb65a2u);
	const bsr_be32 zero = bsr_be32_make(0);
	memcpy(block, &magic, sizeof(magic));
	memcpy(block + 8, &zero, sizeof(zero));
	const bsr_be32 crc = bsr_be32_make(bsr_crc32c(0, block, BSR_MD_BLOCK_BYTES));
	memcpy(block + 8, &crc, sizeof(crc));
}

static void check_block(const uint8_t *block)
{
	static struct bsr_al_transaction t;
	static struct bsr_al_transaction back;
	uint8_t again[BSR_MD_BLOCK_BYTES];
	if (bsr_al_transaction_decode(&t, block) != 0 || t.context_size > BSR_AL_EXTENTS_MAX) {
		return;
	}
	bsr_al_transaction_encode(again, &t);
	BSR_ASSERT(bsr_al_transaction_decode(&back, again) == 0);
	BSR_ASSERT(back.update_count == t.update_count &&
		   back.number == t.number);
	for (uint32_t i = 0; i < t.update_count; i++) {
		BSR_ASSERT(back.update_slot[i] == t.update_slot[i]);
		BSR_ASSERT(back.update_extent[i] == t.update_extent[i]);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static uint8_t ring[BLOCKS_MAX * BSR_MD_BLOCK_BYTES];
	static uint32_t table[BSR_AL_EXTENTS_MAX];
	if (size < 2) {
		return 0;
	}
	const size_t bytes = size - 2 < sizeof(ring) ? size - 2 : sizeof(ring);
	memset(ring, 0, sizeof(ring));
	memcpy(ring, data + 2, bytes);
	for (uint32_t i = 0; i < BLOCKS_MAX; i++) {
		if ((data[1] & (1u << i % 8)) != 0) {
			repair(ring + i * BSR_MD_BLOCK_BYTES);
		}
		check_block(ring + i * BSR_MD_BLOCK_BYTES);
	}
	const uint32_t stripes = 1 + data[0] % 5;
	uint32_t hot = 0;
	uint32_t corrupt = 0;
	uint32_t next = 0;
	const int rc =
		bsr_al_replay(ring, stripes, BLOCKS_MAX / stripes, table, &hot, &corrupt, &next);
	BSR_ASSERT(corrupt <= BLOCKS_MAX);
	uint32_t counted = 0;
	for (uint32_t i = 0; i < BSR_AL_EXTENTS_MAX; i++) {
		counted += table[i] != UINT32_MAX;
	}
	BSR_ASSERT(counted == hot && (rc == 0 || hot == 0));
	return 0;
}

size_t bsr_fuzz_example(uint32_t index, uint8_t *out, size_t room)
{
	static struct bsr_al_transaction t;
	const uint32_t blocks = 8;
	if (index >= 6 || room < 2 + blocks * BSR_MD_BLOCK_BYTES) {
		return 0;
	}
	out[0] = (uint8_t)index;
	out[1] = (uint8_t)(index % 2 == 0 ? 0xff : 0x5a);
	for (uint32_t i = 0; i < blocks; i++) {
		memset(&t, 0, sizeof(t));
		t.initialised = i > 5 && index > 2;
		t.number = index == 1 ? UINT32_MAX - 3 + i : i;
		t.update_count = (uint16_t)(i * 9);
		t.context_size = 1237;
		t.context_start = i % 2 == 0 ? 0 : 919;
		bsr_al_transaction_encode(out + 2 + (size_t)i * BSR_MD_BLOCK_BYTES, &t);
	}
	return 2 + (size_t)blocks * BSR_MD_BLOCK_BYTES;
}
