// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * swap.c - disks that come back as others: blank ones, old copies, damaged metadata
 *
 * All of it happens while the host has no power. What must follow: the handshake or the attach notices, and a full resync,
 * a split brain or a refusal comes of it; never data that are silently wrong. An old copy of the generation that the
 * disk still has, or in which it left the others, cannot be told from the disk itself, by this or any system of this kind;
 * such a swap is left out.
 */
#include <string.h>

#include <bsr/assert.h>

#include "activity_log.h"
#include "disk.h"

/** A disk as a power cut would have left it. */
struct sim_copy {
	uint32_t **chunk;
	uint8_t **md;
};

void sim_disk_take_copy(struct sim *w, uint32_t node, uint32_t volume)
{
	struct sim_disk *d = &w->node[node].disk[volume];
	if (d->copy != NULL) {
		return;
	}
	struct sim_copy *c = sim_alloc(w, sizeof(*c));
	c->chunk = sim_alloc(w, d->stable.chunk_count * sizeof(*c->chunk));
	c->md = sim_alloc(w, d->md_blocks * sizeof(*c->md));
	for (uint32_t i = 0; i < d->stable.chunk_count; i++) {
		if (d->stable.chunk[i] != NULL) {
			c->chunk[i] = sim_alloc(w, SIM_CHUNK_SECTORS * sizeof(uint32_t));
			memcpy(c->chunk[i], d->stable.chunk[i], SIM_CHUNK_SECTORS * sizeof(uint32_t));
		}
	}
	for (uint32_t i = 0; i < d->md_blocks; i++) {
		if (d->md_stable[i] != NULL) {
			c->md[i] = sim_alloc(w, 4096);
			memcpy(c->md[i], d->md_stable[i], 4096);
		}
	}
	d->copy = c;
}

static void set_sector_range(struct sim *w, struct sim_disk *d, uint64_t sector, uint32_t count, const uint32_t *stamps)
{
	sim_store_write(w, &d->now, sector, count, stamps);
	sim_store_write(w, &d->stable, sector, count, stamps);
	sim_store_write(w, &d->rot, sector, count, NULL);
}

static void set_content(struct sim *w, struct sim_disk *d, const struct sim_copy *c)
{
	for (uint32_t i = 0; i < d->now.chunk_count; i++) {
		const uint64_t first = (uint64_t)i * SIM_CHUNK_SECTORS;
		const uint64_t left = d->now.sector_count - first;
		const uint32_t count = left < SIM_CHUNK_SECTORS ? (uint32_t)left : SIM_CHUNK_SECTORS;
		if (d->now.chunk[i] != NULL || d->stable.chunk[i] != NULL || (c != NULL && c->chunk[i] != NULL)) {
			set_sector_range(w, d, first, count, c != NULL ? c->chunk[i] : NULL);
		}
	}
}

static void set_metadata(struct sim *w, struct sim_disk *d, const struct sim_copy *c)
{
	for (uint32_t i = 0; i < d->md_blocks; i++) {
		uint8_t **version[2] = {&d->md_now[i], &d->md_stable[i]};
		for (uint32_t k = 0; k < 2; k++) {
			if (*version[k] == NULL) {
				*version[k] = sim_alloc(w, 4096);
			}
			if (c != NULL && c->md[i] != NULL) {
				memcpy(*version[k], c->md[i], 4096);
			} else {
				memset(*version[k], 0, 4096);
			}
		}
		d->md_version[i]++;
	}
}

/* The superblock on a copy; NULL when it cannot be read. */
static const struct bsr_superblock *superblock_of(const struct sim_disk *d, const struct sim_copy *c)
{
	static struct bsr_superblock sb;
	const uint8_t *bytes = c->md[(d->layout.superblock_offset - d->md_first) / 4096u];
	return bytes != NULL && bsr_superblock_decode(&sb, bytes) == 0 ? &sb : NULL;
}

static bool went_through(const struct bsr_superblock *sb, uint64_t gi)
{
	for (uint32_t i = 0; i < BSR_HISTORY_UUIDS; i++) {
		if (sb->history[i].v == gi) {
			return true;
		}
	}
	return false;
}

/*
 * Is the copy of a generation that this other node has, or in which it thinks that @node left off? Having the same one it
 * can tell, if there are only these two, when it has resynced another disk in this place since (rule 315).
 */
static bool left_in(const struct sim *w, const struct bsr_superblock *other, uint32_t node, const struct bsr_superblock *copy)
{
	const uint64_t gi = copy->current_gi.v & BSR_GI_MASK;
	const uint64_t slot = other->peer[node].bitmap_gi.v & BSR_GI_MASK;
	const bool told = w->cfg.node_count == 2 && (w->node[0].features & w->node[1].features & BSR_FEATURE_ORDERED_STATES) != 0;
	const bool another = told && slot != 0 && !went_through(copy, slot);
	return slot == gi || ((other->current_gi.v & BSR_GI_MASK) == gi && !another);
}

static bool told_apart(const struct sim *w, uint32_t node, uint32_t volume)
{
	const struct sim_disk *d = &w->node[node].disk[volume];
	const struct bsr_superblock *copy = superblock_of(d, d->copy);
	for (uint32_t m = 0; copy != NULL && m < w->cfg.node_count; m++) {
		if (m != node && left_in(w, &w->node[m].sb[volume], node, copy)) {
			return false;
		}
	}
	const uint64_t old = copy != NULL ? copy->current_gi.v & BSR_GI_MASK : 0;
	return old != 0 && old != (w->node[node].sb[volume].current_gi.v & BSR_GI_MASK) && old != BSR_GI_JUST_CREATED;
}

void sim_disk_put_copy(struct sim *w, uint32_t node, uint32_t volume)
{
	struct sim_disk *d = &w->node[node].disk[volume];
	BSR_ASSERT(w->node[node].state == SIM_NODE_DOWN);
	BSR_ASSERT(d->device[0].first == NULL);
	if (d->copy == NULL || d->damaged || !told_apart(w, node, volume)) {
		return;
	}
	SIM_TRACE(w, "n%u volume %u: an old copy of the disk takes its place", node, volume);
	sim_oracle_excuse_only_here(w, node, volume);
	set_content(w, d, d->copy);
	set_metadata(w, d, d->copy);
	w->swapped = true;
	sim_oracle_al_reload(w, node, volume);
}

void sim_disk_blank(struct sim *w, uint32_t node, uint32_t volume)
{
	struct sim_disk *d = &w->node[node].disk[volume];
	BSR_ASSERT(d->device[0].first == NULL && d->device[1].first == NULL);
	SIM_TRACE(w, "n%u volume %u: a blank disk takes its place", node, volume);
	sim_oracle_excuse_only_here(w, node, volume);
	set_content(w, d, NULL);
	sim_disk_create_md(w, node, volume);
}

void sim_disk_create_md(struct sim *w, uint32_t node, uint32_t volume)
{
	struct sim_disk *d = &w->node[node].disk[volume];
	SIM_TRACE(w, "n%u volume %u: create-md", node, volume);
	sim_oracle_excuse_only_here(w, node, volume);
	set_metadata(w, d, NULL);
	sim_md_format(w, node, volume);
	d->damaged = false;
	w->swapped = true;
	sim_oracle_al_reload(w, node, volume);
}

/* A block of the activity log, but not the newest: that cannot be told from one which the crash tore. */
static uint64_t log_block(const struct sim_disk *d, uint32_t dice)
{
	static struct bsr_al_transaction t;
	const uint32_t blocks = (uint32_t)(d->layout.al_bytes / 4096u);
	const uint32_t first = (uint32_t)((d->layout.al_offset - d->md_first) / 4096u);
	uint32_t newest = 0;
	uint32_t number = 0;
	for (uint32_t i = 0; i < blocks; i++) {
		const uint8_t *bytes = d->md_stable[first + i];
		if (bytes != NULL && bsr_al_transaction_decode(&t, bytes) == 0 && !t.initialised && t.number >= number) {
			number = t.number;
			newest = i;
		}
	}
	return d->layout.al_offset + (newest + 1u + dice % (blocks - 1u)) % blocks * 4096u;
}

void sim_disk_damage_md(struct sim *w, uint32_t node, uint32_t volume, uint32_t dice)
{
	struct sim_disk *d = &w->node[node].disk[volume];
	const uint64_t offset = (dice & 1u) != 0 ? d->layout.superblock_offset : log_block(d, dice / 2u);
	const uint32_t block = (uint32_t)((offset - d->md_first) / 4096u);
	const uint32_t at = (dice >> 8) % 4096u;
	if (d->md_stable[block] == NULL || d->md_now[block] == NULL || w->node[node].sb[volume].write_sequence == 0) {
		return; /* what create-md writes has no checksum, as other systems' superblocks: nobody could notice */
	}
	SIM_TRACE(w, "n%u volume %u: byte %u of metadata block %u rots", node, volume, at, block);
	d->md_stable[block][at] ^= (uint8_t)(1u << (dice >> 20) % 8u);
	memcpy(d->md_now[block], d->md_stable[block], 4096);
	d->md_version[block]++;
	sim_oracle_al_reload(w, node, volume);
}

bool sim_disk_tears(struct sim *w, struct sim_op *op)
{
	struct sim_disk *d = &w->node[op->node].disk[op->volume];
	const uint32_t block = (uint32_t)((op->sector * 512u - d->md_first) / 4096u);
	if (!d->tear || !op->metadata || op->op != BSR_OP_WRITE || w->node[op->node].boot_armed ||
		d->md_first + block * 4096u != d->layout.superblock_offset) {
		return false;
	}
	const uint8_t keep = (uint8_t)sim_rng_u64(&w->rng[SIM_RNG_DISK]);
	SIM_TRACE(w, "n%u volume %u: the power goes in the middle of the superblock, sectors %02x are written", op->node, op->volume,
		keep);
	d->tear = false;
	sim_disk_flush_before(w, op);
	sim_cache_md(w, op->node, op->volume, block, op->bytes, keep, true);
	return true;
}
