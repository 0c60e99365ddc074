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

static uint32_t *chunk_for_write(struct sim *w, struct sim_store *st, uint64_t sector)
{
	uint32_t **c = &st->chunk[sector / SIM_CHUNK_SECTORS];
	if (*c == NULL) {
		*c = sim_alloc(w, SIM_CHUNK_SECTORS * sizeof(uint32_t));
	}
	return *c;
}

void sim_store_write(struct sim *w, struct sim_store *st, uint64_t sector, uint32_t count, const uint32_t *stamps)
{
	BSR_ASSERT(sector + count <= st->sector_count);
	while (count > 0) {
		const uint32_t at = (uint32_t)(sector % SIM_CHUNK_SECTORS);
		const uint32_t n = count < SIM_CHUNK_SECTORS - at ? count : SIM_CHUNK_SECTORS - at;
		if (stamps != NULL) {
			memcpy(chunk_for_write(w, st, sector) + at, stamps, n * sizeof(uint32_t));
			stamps += n;
		} else if (st->chunk[sector / SIM_CHUNK_SECTORS] != NULL) {
			memset(st->chunk[sector / SIM_CHUNK_SECTORS] + at, 0, n * sizeof(uint32_t));
		}
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

uint32_t sim_store_get(const struct sim_store *st, uint64_t sector)
{
	BSR_ASSERT(sector < st->sector_count);
	const uint32_t *c = st->chunk[sector / SIM_CHUNK_SECTORS];
	return c != NULL ? c[sector % SIM_CHUNK_SECTORS] : 0;
}
