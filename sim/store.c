// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * store.c - content of a disk: which write each sector holds
 */
#include <string.h>

#include <bsr/assert.h>

#include "sim.h"

void sim_store_init(struct sim *w, struct sim_store *st, uint64_t sector_count)
{
	st->sector_count = sector_count;
	st->chunk_count = (uint32_t)((sector_count + SIM_CHUNK_SECTORS - 1) / SIM_CHUNK_SECTORS);
	st->chunk = sim_alloc(w, st->chunk_count * sizeof(*st->chunk));
}

void sim_store_keep_sums(struct sim *w, struct sim_store *st)
{
	st->chunk_sum = sim_alloc(w, st->chunk_count * sizeof(*st->chunk_sum));
}

/* Zeroes count nothing, so that a chunk that was never written equals one that was zeroed. */
static uint64_t sector_sum(uint64_t sector, uint32_t stamp)
{
	uint64_t x = stamp * 0x9e3779b97f4a7c15ull ^ sector * 0xd1342543de82ef95ull;
	x = (x ^ (x >> 29)) * 0xbf58476d1ce4e5b9ull;
	return stamp != 0 ? x ^ (x >> 32) : 0;
}

/* The part of @chunk's sum that @count sectors make up. */
static uint64_t part_sum(const uint32_t *chunk, uint64_t sector, uint32_t count)
{
	const uint32_t at = (uint32_t)(sector % SIM_CHUNK_SECTORS);
	uint64_t sum = 0;
	for (uint32_t i = 0; i < count; i++) {
		sum += sector_sum(sector + i, chunk[at + i]);
	}
	return sum;
}

static uint32_t *chunk_for_write(struct sim *w, struct sim_store *st, uint64_t sector)
{
	uint32_t **c = &st->chunk[sector / SIM_CHUNK_SECTORS];
	if (*c == NULL) {
		*c = sim_alloc(w, SIM_CHUNK_SECTORS * sizeof(uint32_t));
	}
	return *c;
}

static void put(struct sim_store *st, uint32_t *chunk, uint64_t sector, uint32_t count, const uint32_t *stamps)
{
	const uint32_t at = (uint32_t)(sector % SIM_CHUNK_SECTORS);
	const uint64_t was = st->chunk_sum != NULL ? part_sum(chunk, sector, count) : 0;
	if (stamps != NULL) {
		memcpy(chunk + at, stamps, count * sizeof(uint32_t));
	} else {
		memset(chunk + at, 0, count * sizeof(uint32_t));
	}
	if (st->chunk_sum != NULL) {
		const uint64_t change = part_sum(chunk, sector, count) - was;
		st->chunk_sum[sector / SIM_CHUNK_SECTORS] += change;
		st->sum += change;
	}
}

void sim_store_write(struct sim *w, struct sim_store *st, uint64_t sector, uint32_t count, const uint32_t *stamps)
{
	BSR_ASSERT(sector + count <= st->sector_count);
	while (count > 0) {
		const uint32_t left = SIM_CHUNK_SECTORS - (uint32_t)(sector % SIM_CHUNK_SECTORS);
		const uint32_t n = count < left ? count : left;
		uint32_t *c = stamps != NULL ? chunk_for_write(w, st, sector) : st->chunk[sector / SIM_CHUNK_SECTORS];
		if (c != NULL) {
			put(st, c, sector, n, stamps);
		}
		stamps = stamps != NULL ? stamps + n : NULL;
		sector += n;
		count -= n;
	}
}

void sim_store_read(const struct sim_store *st, uint64_t sector, uint32_t count, uint32_t *stamps)
{
	BSR_ASSERT(sector + count <= st->sector_count);
	while (count > 0) {
		const uint32_t at = (uint32_t)(sector % SIM_CHUNK_SECTORS);
		const uint32_t n = count < SIM_CHUNK_SECTORS - at ? count : SIM_CHUNK_SECTORS - at;
		const uint32_t *c = st->chunk[sector / SIM_CHUNK_SECTORS];
		if (c != NULL) {
			memcpy(stamps, c + at, n * sizeof(uint32_t));
		} else {
			memset(stamps, 0, n * sizeof(uint32_t));
		}
		stamps += n;
		sector += n;
		count -= n;
	}
}
