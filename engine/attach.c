// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * attach.c - a disk comes: reading its metadata, recovering from a crash, taking part
 *
 * Owns:       the steps of attach, until peers have been asked what they have. How a disk leaves: detach.c.
 * Invariants:
 *   AT-1  After a crash as Primary every extent the log names is out of sync toward every peer, durably, before the
 *         log is initialised and before anything else is done with the disk (I50).
 *   AT-3  A disk that has been read is Negotiating until it has been compared with the disks of all peers that are
 *         connected. On a Primary it stays so until a peer that has everything that applications have seen makes it
 *         its target, or the record proves that the disk has all of that itself: a Primary never goes on with data
 *         older than what it has shown.
 */
#include "core.h"

#define LOAD_BYTES (1u << 20)

static void attach_next(struct bsr_engine *e, struct bsr_volume *vol);

void bsr_volume_free_disk(struct bsr_engine *e, struct bsr_volume *vol)
{
	bsr_env_free(e, vol->sb_mem, BSR_MD_BLOCK_BYTES);
	bsr_env_free(e, vol->al_mem, BSR_MD_BLOCK_BYTES);
	bsr_env_free(e, vol->ring, vol->layout.al_bytes);
	bsr_env_free(e, vol->load_mem, LOAD_BYTES);
	bsr_env_free(e, vol->hot_table, sizeof(uint32_t) * BSR_AL_EXTENTS_MAX);
	for (uint32_t i = 0; i < BSR_MD_WRITERS; i++) {
		bsr_env_free(e, vol->writer[i].mem, (size_t)BSR_MD_WRITER_BLOCKS * BSR_MD_BLOCK_BYTES);
		vol->writer[i] = (struct bsr_md_writer){0};
	}
	bsr_env_free(e, vol->bitmap, vol->bitmap_bytes);
	bsr_env_free(e, vol->al, vol->al_mem_bytes);
	vol->sb_mem = NULL;
	vol->al_mem = NULL;
	vol->ring = NULL;
	vol->load_mem = NULL;
	vol->hot_table = NULL;
	vol->bitmap = NULL;
	vol->coarsened_said = 0;
	vol->al = NULL;
	vol->md_usable = false;
}

static void free_attach_memory(struct bsr_engine *e, struct bsr_volume *vol)
{
	bsr_env_free(e, vol->ring, vol->layout.al_bytes);
	bsr_env_free(e, vol->load_mem, LOAD_BYTES);
	bsr_env_free(e, vol->hot_table, sizeof(uint32_t) * BSR_AL_EXTENTS_MAX);
	vol->ring = NULL;
	vol->load_mem = NULL;
	vol->hot_table = NULL;
}

static bool generation_is_set(const struct bsr_volume *vol)
{
	return (vol->sb.current_gi.v & BSR_GI_MASK) != BSR_GI_JUST_CREATED;
}

static void attach_fail(struct bsr_engine *e, struct bsr_volume *vol, int32_t error)
{
	const uint32_t cmd_id = vol->attach_cmd;
	vol->attach_cmd = BSR_NONE;
	vol->left_from = vol->disk;
	bsr_disk_gone(e, vol);
	bsr_emit_command_done(e, cmd_id, error, BSR_NONE, vol->index);
}

/* ------------------------------------------------------- 1. the superblock */

static int check_superblock(struct bsr_engine *e, struct bsr_volume *vol)
{
	const struct bsr_attach *a = &vol->attach;
	struct bsr_superblock *sb = &vol->sb;
	const struct bsr_md_geometry geometry = {.kind = a->md_kind,
		.md_device_bytes = a->md_bytes,
		.data_device_bytes = a->data_bytes,
		.index = a->md_index,
		.index_stride_bytes = a->md_index_stride_bytes,
		.max_peers = sb->max_peers,
		.al_stripes = sb->al_stripes,
		.al_stripe_blocks = sb->al_stripe_blocks,
		.bytes_per_bit = sb->bytes_per_bit};
	int ret = bsr_md_layout_compute(&vol->layout, &geometry);
	if (ret < 0) {
		return ret;
	}
	ret = bsr_superblock_check_layout(sb, &vol->layout);
	if (ret < 0) {
		return ret;
	}
	if (sb->bytes_per_bit != BSR_BITMAP_BLOCK_BYTES) {
		return -BSR_E_UNSUPPORTED;
	}
	if (sb->node_id != -1 && sb->node_id != (int32_t)e->node_id) {
		return -BSR_E_NODE_ID_MISMATCH;
	}
	if (sb->peer[e->node_id].bitmap_index >= 0) {
		return -BSR_E_NODE_ID_MISMATCH;
	}
	vol->capacity_bytes = vol->layout.data_bytes & ~(uint64_t)(BSR_SECTOR_BYTES - 1);
	if (sb->effective_sectors > vol->capacity_bytes / BSR_SECTOR_BYTES) {
		return -BSR_E_DISK_TOO_SMALL;
	}
	if (a->size_bytes > vol->capacity_bytes) {
		return -BSR_E_DISK_TOO_SMALL;
	}
	if (e->role != BSR_ROLE_PRIMARY || vol->size_bytes == 0) {
		vol->size_bytes = sb->effective_sectors * BSR_SECTOR_BYTES;
	}
	/* a device in use keeps its size: this disk must hold it */
	return vol->size_bytes <= vol->capacity_bytes ? 0 : -BSR_E_DISK_TOO_SMALL;
}

static int give_slots(struct bsr_engine *e, struct bsr_volume *vol)
{
	struct bsr_peer *p;
	BSR_FOR_EACH_PEER (e, p) {
		struct bsr_peer_device *pd = &p->device[vol->index];
		if (!pd->exists) {
			continue;
		}
		pd->slot = bsr_superblock_slot(&vol->sb, p->node_id);
		if (pd->slot < 0) {
			return -BSR_E_NO_BITMAP_SLOT;
		}
	}
	return 0;
}

static int allocate(struct bsr_engine *e, struct bsr_volume *vol)
{
	const uint64_t bits = bsr_div_ceil_u64(vol->capacity_bytes, BSR_BITMAP_BLOCK_BYTES);
	const uint32_t pages = bsr_bitmap_pool_pages(bits, vol->sb.max_peers);
	const uint32_t ring_blocks = (uint32_t)(vol->layout.al_bytes / BSR_MD_BLOCK_BYTES);
	uint32_t slots = vol->options.al_extents;
	const uint32_t most = ring_blocks > 72 ? BSR_AL_EXTENTS_MAX : (ring_blocks - 1) * BSR_AL_CONTEXT_PER_TRANSACTION;
	slots = slots > most ? most : slots;
	slots = slots < BSR_AL_EXTENTS_MIN ? BSR_AL_EXTENTS_MIN : slots;
	vol->bitmap_bytes = bsr_bitmap_memory(bits, vol->sb.max_peers, pages);
	vol->al_mem_bytes = bsr_al_memory(slots);
	void *bitmap = bsr_env_alloc(e, vol->bitmap_bytes, BSR_MD_BLOCK_BYTES);
	void *al = bsr_env_alloc(e, vol->al_mem_bytes, BSR_MD_BLOCK_BYTES);
	vol->bitmap = bitmap;
	vol->al = al;
	vol->al_mem = bsr_env_alloc(e, BSR_MD_BLOCK_BYTES, BSR_MD_BLOCK_BYTES);
	vol->ring = bsr_env_alloc(e, vol->layout.al_bytes, BSR_MD_BLOCK_BYTES);
	vol->load_mem = bsr_env_alloc(e, LOAD_BYTES, BSR_MD_BLOCK_BYTES);
	vol->hot_table = bsr_env_alloc(e, sizeof(uint32_t) * BSR_AL_EXTENTS_MAX, BSR_MD_BLOCK_BYTES);
	bool ok = bitmap && al && vol->al_mem && vol->ring && vol->load_mem && vol->hot_table;
	for (uint32_t i = 0; i < BSR_MD_WRITERS; i++) {
		vol->writer[i].mem =
			bsr_env_alloc(e, (size_t)BSR_MD_WRITER_BLOCKS * BSR_MD_BLOCK_BYTES, BSR_MD_BLOCK_BYTES);
		ok = ok && vol->writer[i].mem;
	}
	if (!ok) {
		return -BSR_E_NO_MEMORY;
	}
	vol->bitmap = bsr_bitmap_init(bitmap, bits, vol->sb.max_peers, pages);
	vol->al = bsr_al_init(al, slots, ring_blocks, vol->sb.al_stripes, 0);
	vol->sb.al_extents = slots;
	return bsr_bitmap_block_count(vol->bitmap) * BSR_MD_BLOCK_BYTES <= vol->layout.bitmap_bytes
		       ? 0
		       : -BSR_E_MD_INVALID;
}

static void superblock_read(struct bsr_engine *e, struct bsr_disk_op *op, int32_t result, bsr_buf_t buf)
{
	struct bsr_volume *vol = op->vol;
	(void)buf;
	int ret = result < 0 ? -BSR_E_MD_IO : bsr_superblock_decode(&vol->sb, vol->sb_mem);
	ret = ret == -BSR_E_NOT_OURS || ret == -BSR_E_CORRUPT || ret == -BSR_E_RANGE ? -BSR_E_MD_INVALID : ret;
	ret = ret < 0 ? ret : check_superblock(e, vol);
	ret = ret < 0 ? ret : give_slots(e, vol);
	ret = ret < 0 ? ret : allocate(e, vol);
	if (ret < 0) {
		attach_fail(e, vol, ret);
		return;
	}
	vol->attach_step = BSR_AT_LOG;
	vol->load_at = 0;
	attach_next(e, vol);
}

void bsr_attach_begin(struct bsr_engine *e, struct bsr_volume *vol, const struct bsr_attach *attach, uint32_t cmd_id)
{
	uint64_t offset;
	vol->attach = *attach;
	vol->options = attach->options;
	vol->wanted_bytes = attach->size_bytes;
	vol->write_through = attach->write_through;
	vol->unflushed = true; /* an engine process before this one may have left writes in the cache */
	vol->flushes_active = 0;
	vol->old_io_errors = vol->io_errors; /* a new disk, or one that was repaired, has none yet */
	vol->attach_cmd = cmd_id;
	vol->sb_mem = bsr_env_alloc(e, BSR_MD_BLOCK_BYTES, BSR_MD_BLOCK_BYTES);
	bsr_state_set_disk(e, vol, BSR_DISK_ATTACHING);
	int ret = bsr_md_superblock_offset(
		&offset, attach->md_kind, attach->md_bytes, attach->md_index, attach->md_index_stride_bytes);
	if (ret < 0 || !vol->sb_mem) {
		attach_fail(e, vol, ret < 0 ? ret : -BSR_E_NO_MEMORY);
		return;
	}
	vol->attach_step = BSR_AT_SUPERBLOCK;
	bsr_emit_md(e, vol, (struct bsr_fx_md){.offset = offset, .length = BSR_MD_BLOCK_BYTES, .mem = vol->sb_mem},
		superblock_read, 0);
}

/* ----------------------------------------- 2. activity log, then the bitmap */

static void area_read(struct bsr_engine *e, struct bsr_disk_op *op, int32_t result, bsr_buf_t buf)
{
	struct bsr_volume *vol = op->vol;
	(void)buf;
	if (result < 0) {
		attach_fail(e, vol, -BSR_E_MD_IO);
		return;
	}
	if (vol->attach_step == BSR_AT_BITMAP) {
		for (uint32_t i = 0; i < op->arg / BSR_MD_BLOCK_BYTES; i++) {
			bsr_bitmap_load(vol->bitmap, vol->load_at / BSR_MD_BLOCK_BYTES + i,
				vol->load_mem + (size_t)i * BSR_MD_BLOCK_BYTES);
		}
	}
	vol->load_at += op->arg;
	attach_next(e, vol);
}

static void area_write(struct bsr_engine *e, struct bsr_disk_op *op, int32_t result, bsr_buf_t buf)
{
	struct bsr_volume *vol = op->vol;
	(void)buf;
	if (result < 0) {
		attach_fail(e, vol, -BSR_E_MD_IO);
		return;
	}
	vol->load_at += op->arg;
	attach_next(e, vol);
}

/* Reads or writes the next piece of an area; false when all of it is done. */
static bool area_step(struct bsr_engine *e, struct bsr_volume *vol, bool write, uint64_t offset, uint64_t bytes)
{
	if (vol->load_at >= bytes) {
		return false;
	}
	const uint64_t left = bytes - vol->load_at;
	const uint32_t piece = left < LOAD_BYTES ? (uint32_t)left : LOAD_BYTES;
	uint8_t *mem = vol->attach_step == BSR_AT_BITMAP ? vol->load_mem : vol->ring + vol->load_at;
	bsr_emit_md(e, vol,
		(struct bsr_fx_md){.write = write,
			.flags = write ? BSR_MD_PREFLUSH | BSR_MD_FUA : 0,
			.offset = offset + vol->load_at,
			.length = piece,
			.mem = mem},
		write ? area_write : area_read, piece);
	return true;
}

/* --------------------------------------------------- 3. what the crash left */

static void set_all(struct bsr_volume *vol, uint32_t slot)
{
	bsr_bitmap_set(vol->bitmap, slot, 0, bsr_bitmap_bit_count(vol->bitmap));
}

/* HE-2: slots in which extents of the log count when only peers were Primary; not the slot of the one that was. */
static uint32_t slots_of_thirds(const struct bsr_volume *vol)
{
	uint32_t writers = 0;
	uint32_t slots = 0;
	for (uint32_t node = 0; node < BSR_NODES_MAX; node++) {
		writers |= (vol->sb.peer[node].flags & BSR_MDPF_WRITES_HERE) ? bsr_node_bit(node) : 0;
	}
	for (uint32_t node = 0; writers != 0 && node < BSR_NODES_MAX; node++) {
		/* the only writer has its own books; unless it wrote without a disk */
		const bool knows = writers == bsr_node_bit(node) && vol->sb.peer[node].bitmap_gi.v == BSR_GI_NONE;
		if (vol->sb.peer[node].bitmap_index >= 0 && !knows) {
			slots |= 1u << vol->sb.peer[node].bitmap_index;
		}
	}
	return slots;
}

/* AT-1: as Primary in all slots, also those that nobody owns yet. */
static void apply_log(struct bsr_engine *e, struct bsr_volume *vol, uint32_t slots)
{
	uint32_t hot = 0;
	uint32_t corrupt = 0;
	uint32_t next_number = 0;
	const uint64_t bits = bsr_bitmap_bit_count(vol->bitmap);
	const uint64_t per_extent = BSR_AL_EXTENT_BYTES / BSR_BITMAP_BLOCK_BYTES;
	const int ret = bsr_al_replay(vol->ring, vol->sb.al_stripes, vol->sb.al_stripe_blocks, vol->hot_table, &hot,
		&corrupt, &next_number);
	const bool complete =
		ret == 0 && bsr_al_replay_is_complete(vol->ring, vol->sb.al_stripes, vol->sb.al_stripe_blocks);
	if (!complete || (vol->sb.flags & BSR_MDF_AL_DISABLED)) {
		bsr_emit_log(e, BSR_LOGN_AL_UNUSABLE, NULL, vol, corrupt, 0, 0);
		for (uint32_t slot = 0; slot < vol->sb.max_peers; slot++) {
			if (slots >> slot & 1u) {
				set_all(vol, slot);
			}
		}
		return;
	}
	for (uint32_t i = 0; i < BSR_AL_EXTENTS_MAX; i++) {
		const uint64_t first = vol->hot_table[i] * per_extent;
		if (vol->hot_table[i] == UINT32_MAX || first >= bits) {
			continue;
		}
		const uint64_t count = bits - first < per_extent ? bits - first : per_extent;
		for (uint32_t slot = 0; slot < vol->sb.max_peers; slot++) {
			if (slots >> slot & 1u) {
				bsr_bitmap_set(vol->bitmap, slot, first, count);
			}
		}
	}
	bsr_emit_log(e, BSR_LOGN_CRASH_RECOVERED, NULL, vol, hot, corrupt, 0);
}

static void recover(struct bsr_engine *e, struct bsr_volume *vol)
{
	const uint32_t flags = vol->sb.flags;
	vol->md_usable = true;
	bsr_state_propose(e)->volume[vol->index].crashed_primary =
		(flags & (BSR_MDF_PRIMARY_IND | BSR_MDF_CRASHED_PRIMARY)) != 0;
	bsr_state_change(e);
	const uint32_t slots = (flags & BSR_MDF_PRIMARY_IND) ? ~0u : BSR_MUTATION(117) ? 0 : slots_of_thirds(vol);
	if (slots != 0 && !(flags & BSR_MDF_AL_CLEAN) && !BSR_MUTATION(20)) {
		apply_log(e, vol, slots);
	}
	for (uint32_t node = 0; node < BSR_NODES_MAX; node++) {
		struct bsr_superblock_peer *sp = &vol->sb.peer[node];
		if ((sp->flags & BSR_MDPF_FULL_SYNC) && sp->bitmap_index >= 0) {
			set_all(vol, (uint32_t)sp->bitmap_index);
		}
	}
	if (vol->size_bytes != 0 && vol->sb.effective_sectors * BSR_SECTOR_BYTES == vol->size_bytes) {
		bsr_volume_set_size(e, vol, vol->size_bytes); /* drops padding bits */
	}
	vol->attach_ticket = bsr_md_sweep(e, vol);
	vol->attach_step = BSR_AT_WRITE_BITMAP;
}

enum bsr_disk_state bsr_attach_state(const struct bsr_volume *vol)
{
	if (!(vol->sb.flags & BSR_MDF_CONSISTENT)) {
		return BSR_DISK_INCONSISTENT;
	}
	return (vol->sb.flags & BSR_MDF_WAS_UP_TO_DATE) && !vol->left_behind ? BSR_DISK_UP_TO_DATE : BSR_DISK_OUTDATED;
}

static void write_first_superblock(struct bsr_engine *e, struct bsr_volume *vol)
{
	for (uint32_t node = 0; node < BSR_NODES_MAX; node++) {
		vol->sb.peer[node].flags &= ~(BSR_MDPF_FULL_SYNC | BSR_MDPF_WRITES_HERE);
	}
	vol->sb.flags &= ~(BSR_MDF_AL_CLEAN | BSR_MDF_AL_DISABLED);
	vol->sb.flags |= vol->crashed_primary ? BSR_MDF_CRASHED_PRIMARY : 0;
	vol->sb.node_id = (int32_t)e->node_id;
	vol->sb.current_gi.v &= e->role == BSR_ROLE_PRIMARY ? ~0ull : BSR_GI_MASK;
	if (bsr_attach_state(vol) == BSR_DISK_OUTDATED && !BSR_MUTATION(86)) {
		vol->sb.flags &= ~BSR_MDF_WAS_UP_TO_DATE; /* durable: what knows it now may die while the disk waits */
	}
	bsr_md_superblock_dirty(e, vol);
	vol->attach_step = BSR_AT_WRITE_SUPERBLOCK;
}

bool bsr_attach_acceptable(const struct bsr_engine *e, const struct bsr_volume *vol)
{
	if (e->role != BSR_ROLE_PRIMARY) {
		return true;
	}
	if (vol->exposed_unknown) {
		return false;
	}
	return vol->exposed_gi.v == BSR_GI_NONE ||
	       (vol->left_clean && vol->settle_disk == BSR_DISK_UP_TO_DATE &&
		       bsr_gi_equal(vol->sb.current_gi, vol->exposed_gi));
}

/* The record is durable and free of what the crash left: now peers are asked what they have. */
static void begin_negotiation(struct bsr_engine *e, struct bsr_volume *vol)
{
	struct bsr_peer *p;
	free_attach_memory(e, vol);
	vol->attach_step = BSR_AT_NONE;
	vol->settle_disk = bsr_attach_state(vol);
	vol->left_behind = false;
	bsr_state_set_disk(e, vol, BSR_DISK_NEGOTIATING);
	BSR_FOR_EACH_PEER (e, p) {
		p->device[vol->index].reconnected = false;
		p->device[vol->index].served_primary = false;
		(void)bsr_live_want(e, p, vol);
	}
}

void bsr_attach_take(struct bsr_engine *e, struct bsr_volume *vol, enum bsr_disk_state next)
{
	BSR_ASSERT(vol->disk == BSR_DISK_NEGOTIATING && next >= BSR_DISK_INCONSISTENT);
	if (e->role == BSR_ROLE_PRIMARY) {
		vol->sb.flags |= BSR_MDF_LAST_PRIMARY | BSR_MDF_WAS_PRIMARY;
		if (next == BSR_DISK_UP_TO_DATE) {
			vol->sb.current_gi.v |= generation_is_set(vol) ? BSR_GI_PRIMARY_BIT : 0;
			vol->exposed_gi = vol->sb.current_gi;
			vol->exposed_unknown = false;
		}
		bsr_md_superblock_dirty(e, vol);
	}
	bsr_state_set_disk(e, vol, next);
	if (next == BSR_DISK_UP_TO_DATE) {
		bsr_gi_want_for_absent(e, vol); /* whoever is away misses what is written from now on */
	}
}

/* Peers of older versions, which cannot compare one volume alone. */
static void meet_again(struct bsr_engine *e)
{
	struct bsr_peer *p;
	BSR_FOR_EACH_PEER (e, p) {
		if (p->hs_stage == BSR_HS_COMPLETE && (bsr_mesh_on(e) || !bsr_live_possible(p))) {
			bsr_peer_drop(e, p, BSR_LINK_RENEGOTIATE);
		}
	}
}

static void answer_attach(struct bsr_engine *e, struct bsr_volume *vol, int32_t result)
{
	const uint32_t cmd_id = vol->attach_cmd;
	vol->attach_cmd = BSR_NONE;
	bsr_emit_command_done(e, cmd_id, result, BSR_NONE, vol->index);
}

/* Peers that were told of no disk hear of it now that it takes part. */
static void compare_what_was_kept_out(struct bsr_engine *e, struct bsr_volume *vol)
{
	struct bsr_peer *p;
	BSR_FOR_EACH_PEER (e, p) {
		if (p->hs_sent[vol->index].disk < BSR_DISK_INCONSISTENT) {
			(void)bsr_live_want(e, p, vol);
		}
	}
}

/* AT-3 */
static void settle(struct bsr_engine *e, struct bsr_volume *vol)
{
	struct bsr_peer *p;
	if (vol->disk == BSR_DISK_NEGOTIATING) {
		BSR_FOR_EACH_PEER (e, p) {
			if (bsr_live_under_way(e, p, vol)) {
				return;
			}
		}
		if (!bsr_md_superblock_clean(vol)) {
			return;
		}
		if (bsr_attach_acceptable(e, vol)) {
			bsr_attach_take(e, vol, vol->settle_disk);
			compare_what_was_kept_out(e, vol);
			if (vol->attach_cmd == BSR_NONE) {
				meet_again(e); /* the command was answered when the disk began to wait */
			}
		} else if (vol->attach_cmd != BSR_NONE) {
			bsr_emit_log(e, BSR_LOGN_DISK_WAITS, NULL, vol, vol->exposed_gi.v, vol->sb.current_gi.v, 0);
			answer_attach(e, vol, 0);
		}
	}
	if (vol->attach_cmd != BSR_NONE && vol->disk >= BSR_DISK_INCONSISTENT && vol->reported_disk == vol->disk) {
		answer_attach(e, vol, 0);
		meet_again(e);
	}
}

void bsr_attach_refuse(struct bsr_engine *e, struct bsr_volume *vol)
{
	if (vol->attach_cmd != BSR_NONE) {
		answer_attach(e, vol, -BSR_E_DISK_NOT_JOINED);
	}
	bsr_disk_leaves(e, vol, BSR_AT_FAILING, BSR_DISK_DETACHING);
}

/* ------------------------------------------------------------- step by step */

static void attach_next(struct bsr_engine *e, struct bsr_volume *vol)
{
	if (vol->attach_step == BSR_AT_LOG) {
		if (area_step(e, vol, false, vol->layout.al_offset, vol->layout.al_bytes)) {
			return;
		}
		vol->attach_step = BSR_AT_BITMAP;
		vol->load_at = 0;
	}
	if (vol->attach_step == BSR_AT_BITMAP) {
		const uint64_t bytes = bsr_bitmap_block_count(vol->bitmap) * BSR_MD_BLOCK_BYTES;
		if (area_step(e, vol, false, vol->layout.bitmap_offset, bytes)) {
			return;
		}
		recover(e, vol);
	}
	if (vol->attach_step == BSR_AT_WRITE_LOG) {
		if (area_step(e, vol, true, vol->layout.al_offset, vol->layout.al_bytes)) {
			return;
		}
		write_first_superblock(e, vol);
	}
	e->kick = true;
}

static void begin_log_write(struct bsr_volume *vol)
{
	struct bsr_al_transaction *none = (void *)vol->hot_table; /* big enough, and not needed any more */
	BSR_STATIC_ASSERT(sizeof(*none) <= sizeof(uint32_t) * BSR_AL_EXTENTS_MAX, "working memory");
	memset(none, 0, sizeof(*none));
	none->initialised = true;
	for (uint64_t at = 0; at < vol->layout.al_bytes; at += BSR_MD_BLOCK_BYTES) {
		bsr_al_transaction_encode(vol->ring + at, none);
	}
	vol->attach_step = BSR_AT_WRITE_LOG;
	vol->load_at = (vol->sb.flags & BSR_MDF_AL_CLEAN) ? vol->layout.al_bytes : 0;
}

void bsr_attach_progress(struct bsr_engine *e, struct bsr_volume *vol)
{
	switch (vol->attach_step) {
	case BSR_AT_WRITE_BITMAP:
		if (bsr_md_swept(vol, vol->attach_ticket)) {
			begin_log_write(vol);
			attach_next(e, vol);
		}
		break;
	case BSR_AT_WRITE_SUPERBLOCK:
		if (bsr_md_superblock_clean(vol)) {
			begin_negotiation(e, vol);
		}
		break;
	case BSR_AT_DETACHING:
	case BSR_AT_FAILING:
		bsr_detach_progress(e, vol);
		break;
	case BSR_AT_NONE:
		settle(e, vol);
		bsr_detach_when_confirmed(e, vol);
		break;
	case BSR_AT_SUPERBLOCK:
	case BSR_AT_LOG:
	case BSR_AT_BITMAP:
	case BSR_AT_WRITE_LOG:
		break;
	}
}
