// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * disk_cache.c - the volatile write cache of a simulated device
 *
 * Owns: the two versions of everything, `now` (what a read returns) and `stable` (what a power cut leaves at least),
 * and the list of writes between them.
 */
#include <string.h>

#include <bsr/assert.h>

#include "disk.h"

#define CACHED_MAX 256u

struct sim_device *sim_disk_device(struct sim_disk *d, bool metadata)
{
	return &d->device[metadata && d->external_md ? 1 : 0];
}

/* A torn superblock is a disk that breaks its promise for 4 KiB blocks; the v09 format has no second copy. */
bool sim_cache_block_atomic(const struct sim_disk *d, uint32_t block)
{
	return d->md_first + (uint64_t)block * 4096 == d->layout.superblock_offset;
}

static void set_md(struct sim *w, uint8_t **slot, const uint8_t *bytes, uint8_t keep)
{
	if (*slot == NULL) {
		*slot = sim_alloc(w, 4096);
	}
	for (uint32_t i = 0; i < 8; i++) {
		if (((uint32_t)keep >> i & 1u) != 0) {
			memcpy(*slot + i * 512u, bytes + i * 512u, 512);
		}
	}
}

static void make_stable(struct sim *w, uint32_t node, uint32_t volume, const struct sim_cached *c, uint8_t keep)
{
	struct sim_disk *d = &w->node[node].disk[volume];
	if (c->metadata) {
		set_md(w, &d->md_stable[c->sector], c->bytes, keep);
		d->md_version[c->sector]++;
		sim_oracle_md_stable(w, node, volume, (uint32_t)c->sector, d->md_stable[c->sector]);
	} else {
		sim_store_write(w, &d->stable, c->sector, c->count, c->stamps);
	}
}

static void free_cached(struct sim *w, struct sim_cached *c)
{
	if (c->stamps != NULL) {
		sim_free(w, c->stamps, c->count * sizeof(uint32_t));
	}
	if (c->bytes != NULL) {
		sim_free(w, c->bytes, 4096);
	}
	sim_free(w, c, sizeof(*c));
}

static void destage_first(struct sim *w, uint32_t node, uint32_t volume, struct sim_device *dev)
{
	struct sim_cached *c = dev->first;
	BSR_ASSERT(c != NULL);
	make_stable(w, node, volume, c, 0xff);
	dev->first = c->next;
	if (dev->first == NULL) {
		dev->last = NULL;
	}
	dev->cached_count--;
	free_cached(w, c);
}

void sim_cache_flush(struct sim *w, uint32_t node, uint32_t volume, struct sim_device *dev, uint64_t mark)
{
	while (dev->first != NULL && dev->first->sequence <= mark) {
		destage_first(w, node, volume, dev);
	}
}

/* Before a write goes through, older cached ones of the same place must not come after it. */
static void destage_overlapping(struct sim *w, uint32_t node, uint32_t volume, struct sim_device *dev, bool metadata,
	uint64_t sector, uint32_t count)
{
	uint64_t mark = 0;
	for (const struct sim_cached *c = dev->first; c != NULL; c = c->next) {
		const uint32_t n = c->metadata ? 1 : c->count;
		if (c->metadata == metadata && c->sector < sector + count && sector < c->sector + n) {
			mark = c->sequence;
		}
	}
	if (mark != 0) {
		sim_cache_flush(w, node, volume, dev, mark);
	}
}

static void append(struct sim *w, uint32_t node, uint32_t volume, struct sim_device *dev, struct sim_cached *c)
{
	c->sequence = ++dev->sequence;
	if (dev->last != NULL) {
		dev->last->next = c;
	} else {
		dev->first = c;
	}
	dev->last = c;
	dev->cached_count++;
	if (dev->cached_count > CACHED_MAX) {
		destage_first(w, node, volume, dev);
	}
}

void sim_cache_data(struct sim *w, uint32_t node, uint32_t volume, uint64_t sector, uint32_t count,
	const uint32_t *stamps, bool stable)
{
	struct sim_disk *d = &w->node[node].disk[volume];
	struct sim_device *dev = sim_disk_device(d, false);
	stamps = sim_rot_taken(w, d, sector, count, stamps);
	sim_oracle_disk_write(w, node, volume, sector, count, stamps);
	sim_store_write(w, &d->now, sector, count, stamps);
	if (stable || dev->write_through) {
		destage_overlapping(w, node, volume, dev, false, sector, count);
		sim_store_write(w, &d->stable, sector, count, stamps);
		return;
	}
	struct sim_cached *c = sim_alloc(w, sizeof(*c));
	c->sector = sector;
	c->count = count;
	if (stamps != NULL) {
		c->stamps = sim_alloc(w, count * sizeof(uint32_t));
		memcpy(c->stamps, stamps, count * sizeof(uint32_t));
	}
	append(w, node, volume, dev, c);
}

void sim_cache_md(struct sim *w, uint32_t node, uint32_t volume, uint32_t block, const uint8_t *bytes, uint8_t keep,
	bool stable)
{
	struct sim_disk *d = &w->node[node].disk[volume];
	struct sim_device *dev = sim_disk_device(d, true);
	BSR_ASSERT(block < d->md_blocks);
	set_md(w, &d->md_now[block], bytes, keep);
	if (stable || dev->write_through) {
		destage_overlapping(w, node, volume, dev, true, block, 1);
		set_md(w, &d->md_stable[block], bytes, keep);
		d->md_version[block]++;
		sim_oracle_md_stable(w, node, volume, block, d->md_stable[block]);
		return;
	}
	struct sim_cached *c = sim_alloc(w, sizeof(*c));
	c->sector = block;
	c->count = 8;
	c->metadata = true;
	c->bytes = sim_alloc(w, 4096);
	memcpy(c->bytes, d->md_now[block], 4096);
	append(w, node, volume, dev, c);
}

/* One cached write at the moment the power goes: all of it, nothing, or some of its sectors. */
static void survive(struct sim *w, uint32_t node, uint32_t volume, struct sim_cached *c, uint32_t keep_pm)
{
	struct sim_rng *r = &w->rng[SIM_RNG_DISK];
	struct sim_disk *d = &w->node[node].disk[volume];
	const bool torn = sim_rng_chance(r, 250);
	if (c->metadata) {
		uint8_t keep = sim_rng_chance(r, keep_pm) ? 0xff : 0;
		if (torn && !sim_cache_block_atomic(d, (uint32_t)c->sector)) {
			keep = (uint8_t)sim_rng_u64(r);
		}
		if (keep != 0) {
			make_stable(w, node, volume, c, keep);
		}
		return;
	}
	if (!torn) {
		if (sim_rng_chance(r, keep_pm)) {
			make_stable(w, node, volume, c, 0xff);
		}
		return;
	}
	for (uint32_t i = 0; i < c->count; i++) {
		if (sim_rng_chance(r, keep_pm)) {
			sim_store_write(w, &d->stable, c->sector + i, 1, c->stamps != NULL ? c->stamps + i : NULL);
		}
	}
}

static void reveal_loss(struct sim *w, uint32_t node, uint32_t volume, const struct sim_cached *c)
{
	struct sim_disk *d = &w->node[node].disk[volume];
	if (c->metadata) {
		if (d->md_stable[c->sector] == NULL) {
			memset(d->md_now[c->sector], 0, 4096);
		} else {
			memcpy(d->md_now[c->sector], d->md_stable[c->sector], 4096);
		}
		return;
	}
	for (uint32_t i = 0; i < c->count; i++) {
		const uint32_t was = sim_store_get(&d->now, c->sector + i);
		const uint32_t left = sim_store_get(&d->stable, c->sector + i);
		if (was != left) {
			sim_oracle_sector_lost(w, volume, c->sector + i, left);
			sim_store_write(w, &d->now, c->sector + i, 1, &left);
		}
	}
}

void sim_cache_power_cut(struct sim *w, uint32_t node, uint32_t volume, struct sim_device *dev)
{
	static const uint32_t keep[4] = {0, 300, 500, 950};
	const uint32_t keep_pm = keep[sim_rng_below(&w->rng[SIM_RNG_DISK], 4)];
	for (struct sim_cached *c = dev->first; c != NULL; c = c->next) {
		survive(w, node, volume, c, keep_pm);
	}
	while (dev->first != NULL) {
		struct sim_cached *c = dev->first;
		dev->first = c->next;
		reveal_loss(w, node, volume, c);
		free_cached(w, c);
	}
	dev->last = NULL;
	dev->cached_count = 0;
}
