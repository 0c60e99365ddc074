// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * disk_format.c - new disks with fresh metadata, made by the codecs that create-md uses
 */
#include <string.h>

#include <bsr/assert.h>

#include "activity_log.h"
#include "disk.h"

#define AL_STRIPE_BLOCKS 8u

/* As `create-md --max-peers` does: a few more than there are. */
static uint32_t max_peers(const struct sim *w)
{
	return w->cfg.node_count <= 4 ? 3 : w->cfg.node_count <= 8 ? 7 : BSR_PEERS_MAX;
}

static uint8_t *md_block(struct sim *w, struct sim_disk *d, uint64_t offset)
{
	const uint32_t block = (uint32_t)((offset - d->md_first) / 4096u);
	BSR_ASSERT(block < d->md_blocks);
	if (d->md_now[block] == NULL) {
		d->md_now[block] = sim_alloc(w, 4096);
		d->md_stable[block] = sim_alloc(w, 4096);
	}
	return d->md_now[block];
}

void sim_md_format(struct sim *w, uint32_t node, uint32_t volume)
{
	struct sim_disk *d = &w->node[node].disk[volume];
	const struct bsr_md_layout *l = &d->layout;
	struct bsr_superblock sb = {.current_gi = {BSR_GI_JUST_CREATED},
		.flags = BSR_MDF_AL_CLEAN,
		.md_sectors = (uint32_t)l->md_sectors,
		.al_offset_sectors = (int32_t)(((int64_t)l->al_offset - (int64_t)l->superblock_offset) / 512),
		.al_extents = 257,
		.bm_offset_sectors = (int32_t)(((int64_t)l->bitmap_offset - (int64_t)l->superblock_offset) / 512),
		.bytes_per_bit = 4096,
		.max_peers = max_peers(w),
		.node_id = -1,
		.al_stripes = 1,
		.al_stripe_blocks = AL_STRIPE_BLOCKS};
	for (uint32_t i = 0; i < BSR_NODES_MAX; i++) {
		sb.peer[i].bitmap_index = -1;
	}
	struct bsr_al_transaction t = {.initialised = true};
	for (uint64_t at = l->al_offset; at < l->al_offset + l->al_bytes; at += 4096) {
		bsr_al_transaction_encode(md_block(w, d, at), &t);
	}
	bsr_superblock_encode(md_block(w, d, l->superblock_offset), &sb);
	for (uint32_t i = 0; i < d->md_blocks; i++) {
		if (d->md_now[i] != NULL) {
			memcpy(d->md_stable[i], d->md_now[i], 4096);
		}
	}
}

void sim_disk_create(struct sim *w, uint32_t node, uint32_t volume)
{
	struct sim_disk *d = &w->node[node].disk[volume];
	d->external_md = w->cfg.external_md;
	d->device_bytes = w->cfg.volume_bytes[volume] + w->cfg.more_bytes[node];
	d->md_device_bytes = d->external_md ? (1u << 20) : d->device_bytes;
	const struct bsr_md_geometry g = {.kind = d->external_md ? BSR_MD_FLEX_EXTERNAL : BSR_MD_INTERNAL,
		.md_device_bytes = d->md_device_bytes,
		.data_device_bytes = d->device_bytes,
		.max_peers = max_peers(w),
		.al_stripes = 1,
		.al_stripe_blocks = AL_STRIPE_BLOCKS,
		.bytes_per_bit = 4096};
	const int result = bsr_md_layout_compute(&d->layout, &g);
	if (result != 0) {
		sim_fail(w, "SETUP", "no room for metadata on %llu bytes: %s", (unsigned long long)d->device_bytes,
			bsr_error_name(result));
	}
	const struct bsr_md_layout *l = &d->layout;
	uint64_t first = l->superblock_offset < l->al_offset ? l->superblock_offset : l->al_offset;
	uint64_t end = l->superblock_offset + 4096;
	first = l->bitmap_offset < first ? l->bitmap_offset : first;
	end = l->al_offset + l->al_bytes > end ? l->al_offset + l->al_bytes : end;
	end = l->bitmap_offset + l->bitmap_bytes > end ? l->bitmap_offset + l->bitmap_bytes : end;
	d->md_first = first / 4096 * 4096;
	d->md_blocks = (uint32_t)((end - d->md_first + 4095) / 4096);
	d->md_now = sim_alloc(w, d->md_blocks * sizeof(*d->md_now));
	d->md_stable = sim_alloc(w, d->md_blocks * sizeof(*d->md_stable));
	d->md_version = sim_alloc(w, d->md_blocks * sizeof(*d->md_version));
	sim_store_init(w, &d->now, l->data_bytes / 512);
	sim_store_keep_sums(w, &d->now);
	sim_store_init(w, &d->stable, l->data_bytes / 512);
	sim_store_init(w, &d->rot, l->data_bytes / 512);
	d->device[0].write_through = w->cfg.write_through[node];
	d->device[1].write_through = w->cfg.write_through[node];
	sim_md_format(w, node, volume);
	sim_oracle_al_reload(w, node, volume);
}
