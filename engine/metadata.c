// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * metadata.c - superblock, bitmap blocks and activity-log transactions on their way to the disk
 *
 * Owns:       the write of each kind that is under way, and what must be written before what.
 * Invariants:
 *   MD-1  Bits of an extent are in the disk's cache before the transaction that evicts it is issued, and the
 *         transaction flushes first.
 *   MD-2  A bitmap block with cleared bits is written behind a flush of the data (the clearing was for data that had
 *         been written when the block was composed).
 *   MD-3  The superblock is written behind a flush and is durable before anyone who waits for it goes on.
 *   MD-4  Extents that have cooled down leave the log while writes do not need it; otherwise a few of those that have
 *         been idle for long, seldom. No write waits for that.
 */
#include "core.h"

#define AL_TICK_NS BSR_SECOND_NS

enum bsr_al_step { AL_IDLE = 0, AL_BITMAP, AL_TRANSACTION };

/* ------------------------------------------------------------- superblock */

void bsr_md_superblock_dirty(struct bsr_engine *e, struct bsr_volume *vol)
{
	vol->sb_wanted++;
	e->kick = true;
}

bool bsr_md_superblock_clean(const struct bsr_volume *vol)
{
	return vol->sb_durable == vol->sb_wanted;
}

static void superblock_done(struct bsr_engine *e, struct bsr_disk_op *op, int32_t result, bsr_buf_t buf)
{
	struct bsr_volume *vol = op->vol;
	(void)buf;
	vol->sb_busy = false;
	e->kick = true;
	if (result < 0) {
		bsr_md_failed(e, vol);
		return;
	}
	vol->sb_durable = BSR_MUTATION(28) ? vol->sb_wanted : vol->sb_issued;
	bsr_state_publish_disk(e, vol);
}

static void superblock_write(struct bsr_engine *e, struct bsr_volume *vol)
{
	if (vol->sb_busy || bsr_md_superblock_clean(vol)) {
		return;
	}
	vol->sb_busy = true;
	vol->sb_issued = vol->sb_wanted;
	vol->sb.write_sequence++;
	bsr_superblock_encode(vol->sb_mem, &vol->sb);
	bsr_emit_md(e, vol,
		(struct bsr_fx_md){.write = true,
			.flags = BSR_MUTATION(27) ? 0 : BSR_MD_PREFLUSH | BSR_MD_FUA,
			.offset = vol->layout.superblock_offset,
			.length = BSR_MD_BLOCK_BYTES,
			.mem = vol->sb_mem},
		superblock_done, 0);
}

/* ----------------------------------------------------------------- bitmap */

static void blocks_done(struct bsr_engine *e, struct bsr_disk_op *op, int32_t result, bsr_buf_t buf)
{
	struct bsr_volume *vol = op->vol;
	struct bsr_md_writer *w = &vol->writer[op->arg];
	(void)buf;
	BSR_ASSERT(w->busy);
	w->busy = false;
	vol->writers_busy--;
	e->kick = true;
	if (result < 0) {
		for (uint32_t i = 0; i < w->count; i++) {
			bsr_bitmap_mark_dirty(
				vol->bitmap, w->block + i, BSR_BITMAP_DIRTY_SET | BSR_BITMAP_DIRTY_CLEAR);
		}
		bsr_md_failed(e, vol);
	}
}

static struct bsr_md_writer *free_writer(struct bsr_volume *vol)
{
	for (uint32_t i = 0; i < BSR_MD_WRITERS; i++) {
		if (!vol->writer[i].busy) {
			return &vol->writer[i];
		}
	}
	return NULL;
}

/* Two writes of one block must not be under way at once: the disk could keep the older content. */
static bool block_under_way(const struct bsr_volume *vol, uint64_t block)
{
	for (uint32_t i = 0; i < BSR_MD_WRITERS; i++) {
		const struct bsr_md_writer *w = &vol->writer[i];
		if (w->busy && block >= w->block && block < w->block + w->count) {
			return true;
		}
	}
	return false;
}

static void write_blocks(struct bsr_engine *e, struct bsr_volume *vol, struct bsr_md_writer *w, uint64_t first)
{
	uint32_t kinds = 0;
	w->block = first;
	w->count = 0;
	while (w->count < BSR_MD_WRITER_BLOCKS && first + w->count < bsr_bitmap_block_count(vol->bitmap)) {
		const uint64_t block = first + w->count;
		const uint32_t dirty = bsr_bitmap_dirty(vol->bitmap, block);
		if (!dirty || block_under_way(vol, block)) {
			break;
		}
		kinds |= dirty;
		bsr_bitmap_store(vol->bitmap, block, w->mem + (size_t)w->count * BSR_MD_BLOCK_BYTES);
		bsr_bitmap_mark_written(vol->bitmap, block);
		w->count++;
	}
	BSR_ASSERT(w->count > 0);
	w->busy = true;
	vol->writers_busy++;
	vol->bm_writes += w->count;
	bsr_emit_md(e, vol,
		(struct bsr_fx_md){.write = true,
			.flags = (kinds & BSR_BITMAP_DIRTY_CLEAR) && !BSR_MUTATION(26) ? BSR_MD_PREFLUSH : 0, /* MD-2 */
			.offset = vol->layout.bitmap_offset + first * BSR_MD_BLOCK_BYTES,
			.length = w->count * BSR_MD_BLOCK_BYTES,
			.mem = w->mem},
		blocks_done, (uint32_t)(w - vol->writer));
}

uint64_t bsr_md_sweep(struct bsr_engine *e, struct bsr_volume *vol)
{
	/* A sweep under way may have passed a block that is dirty now: the next one counts. */
	const uint64_t ticket = vol->sweeps_done + (vol->sweeping ? 2 : 1);
	if (vol->sweeps_wanted < ticket) {
		vol->sweeps_wanted = ticket;
	}
	e->kick = true;
	return ticket;
}

bool bsr_md_swept(const struct bsr_volume *vol, uint64_t ticket)
{
	return vol->sweeps_done >= ticket;
}

static void sweep(struct bsr_engine *e, struct bsr_volume *vol)
{
	const uint32_t any = BSR_BITMAP_DIRTY_SET | BSR_BITMAP_DIRTY_CLEAR;
	if (!vol->sweeping) {
		if (vol->sweeps_done >= vol->sweeps_wanted) {
			return;
		}
		vol->sweeping = true;
		vol->sweep_pos = 0;
	}
	struct bsr_md_writer *w;
	while (vol->sweep_pos != BSR_BITMAP_NO_BIT && (w = free_writer(vol)) != NULL) {
		const uint64_t block = bsr_bitmap_next_dirty(vol->bitmap, vol->sweep_pos, any);
		if (block == BSR_BITMAP_NO_BIT) {
			vol->sweep_pos = BSR_BITMAP_NO_BIT;
			break;
		}
		if (block_under_way(vol, block)) {
			vol->sweep_pos = block;
			return; /* its writer's end kicks */
		}
		write_blocks(e, vol, w, block);
		vol->sweep_pos = block + w->count;
	}
	if (vol->sweep_pos == BSR_BITMAP_NO_BIT && vol->writers_busy == 0) {
		vol->sweeping = false;
		vol->sweeps_done++;
		e->kick = true;
	}
}

void bsr_md_set_bits(struct bsr_engine *e, struct bsr_volume *vol, int32_t slot, uint64_t offset, uint64_t length)
{
	(void)e;
	if (!vol->bitmap || slot < 0 || length == 0) {
		return;
	}
	const uint64_t first = offset / BSR_BITMAP_BLOCK_BYTES;
	const uint64_t end = bsr_div_ceil_u64(offset + (BSR_MUTATION(15) ? 0 : length), BSR_BITMAP_BLOCK_BYTES);
	if (end > first) {
		bsr_bitmap_set(vol->bitmap, (uint32_t)slot, first, end - first);
	}
}

bool bsr_md_any_bits(const struct bsr_volume *vol, int32_t slot, uint64_t offset, uint64_t length)
{
	const uint64_t first = offset / BSR_BITMAP_BLOCK_BYTES;
	const uint64_t end = bsr_div_ceil_u64(offset + length, BSR_BITMAP_BLOCK_BYTES);
	return slot >= 0 && bsr_bitmap_any(vol->bitmap, (uint32_t)slot, first, end - first);
}

void bsr_md_clear_bits(struct bsr_engine *e, struct bsr_volume *vol, int32_t slot, uint64_t offset, uint64_t length)
{
	(void)e;
	if (!vol->bitmap || slot < 0) {
		return;
	}
	const uint64_t first = BSR_MUTATION(14) ? offset / BSR_BITMAP_BLOCK_BYTES
						: bsr_div_ceil_u64(offset, BSR_BITMAP_BLOCK_BYTES);
	const uint64_t end = offset + length >= vol->size_bytes
				     ? bsr_div_ceil_u64(vol->size_bytes, BSR_BITMAP_BLOCK_BYTES)
				     : (offset + length) / BSR_BITMAP_BLOCK_BYTES;
	if (end > first) {
		bsr_bitmap_clear(vol->bitmap, (uint32_t)slot, first, end - first);
	}
}

/* ----------------------------------------------------------- activity log */

static void transaction_done(struct bsr_engine *e, struct bsr_disk_op *op, int32_t result, bsr_buf_t buf)
{
	struct bsr_volume *vol = op->vol;
	(void)buf;
	vol->al_step = AL_IDLE;
	vol->al_writes++;
	bsr_al_transaction_done(vol->al, result >= 0);
	e->kick = true;
	if (vol->al_tick_ns == 0) {
		vol->al_tick_ns = e->now_ns + AL_TICK_NS;
		bsr_timer(e, vol->al_tick_ns);
	}
	if (result < 0) {
		bsr_md_failed(e, vol);
		return;
	}
	bsr_request_al_progress(e, vol);
	bsr_heard_al_progress(e, vol);
}

/* MD-1: true when no block of the evicted extents is dirty or being written any more. */
static bool evicted_bits_written(struct bsr_engine *e, struct bsr_volume *vol)
{
	for (uint32_t i = 0; i < vol->al_evicted_count && !BSR_MUTATION(24); i++) {
		uint64_t first;
		uint64_t count;
		bsr_bitmap_extent_blocks(vol->bitmap, vol->al_evicted[i], &first, &count);
		for (uint64_t block = first; block < first + count; block++) {
			if (!bsr_bitmap_dirty(vol->bitmap, block)) {
				continue;
			}
			struct bsr_md_writer *w = free_writer(vol);
			if (!w || block_under_way(vol, block)) {
				return false;
			}
			write_blocks(e, vol, w, block);
		}
	}
	return vol->writers_busy == 0;
}

static void begin_transaction(struct bsr_volume *vol)
{
	const bool demanded = bsr_al_in_demand(vol->al);
	vol->al_evicted_count = bsr_al_begin_transaction(vol->al, vol->al_mem, &vol->al_ring_block, vol->al_evicted);
	vol->al_step = AL_BITMAP;
	if (demanded) {
		vol->al_demanded = true;
		return;
	}
	if (vol->requests != 0 && vol->al_cool_batches > BSR_AL_COOL_BATCHES) {
		vol->al_cool_batches = BSR_AL_COOL_BATCHES; /* not quiet any more */
	}
	vol->al_cool_batches -= vol->al_cool_batches > 0;
	if (vol->al_cool_batches == 0) {
		bsr_al_cool(vol->al, BSR_AL_STAY);
	}
}

static void activity_log(struct bsr_engine *e, struct bsr_volume *vol)
{
	if (vol->al_step == AL_IDLE) {
		if (!bsr_al_transaction_wanted(vol->al)) {
			return;
		}
		begin_transaction(vol);
	}
	if (vol->al_step == AL_BITMAP && evicted_bits_written(e, vol)) {
		vol->al_step = AL_TRANSACTION;
		bsr_emit_md(e, vol,
			(struct bsr_fx_md){.write = true,
				.flags = (uint8_t)((BSR_MUTATION(25) ? 0 : BSR_MD_FUA) |
						   (vol->al_evicted_count ? BSR_MD_PREFLUSH : 0)),
				.offset = vol->layout.al_offset + (uint64_t)vol->al_ring_block * BSR_MD_BLOCK_BYTES,
				.length = BSR_MD_BLOCK_BYTES,
				.mem = vol->al_mem},
			transaction_done, 0);
	}
}

/* MD-4: which extents may leave by themselves during the next second, in how many transactions. */
static void cool(struct bsr_volume *vol)
{
	const bool quiet = vol->requests == 0 && vol->al_tick_written == vol->written_bytes;
	const bool turn = vol->al_ticks++ % BSR_AL_COOL_BUSY_EVERY == 0;
	bsr_al_tick(vol->al);
	if (vol->al_demanded) {
		vol->al_cool_batches = turn ? 1 : 0;
		bsr_al_cool(vol->al, turn ? BSR_AL_COOL_BUSY_TICKS : BSR_AL_STAY);
	} else {
		vol->al_cool_batches = quiet ? BSR_AL_EXTENTS_MAX : BSR_AL_COOL_BATCHES;
		bsr_al_cool(vol->al, BSR_AL_COOL_TICKS);
	}
	vol->al_demanded = false;
	vol->al_tick_written = vol->written_bytes;
}

/* Ticks go on until the log is empty: an idle resource has no timer. */
void bsr_md_timer(struct bsr_engine *e, struct bsr_volume *vol)
{
	if (!vol->al || bsr_al_used(vol->al) == 0) {
		vol->al_tick_ns = 0;
		return;
	}
	if (vol->al_tick_ns == 0) {
		return;
	}
	if (vol->al_tick_ns <= e->now_ns) {
		vol->al_tick_ns = e->now_ns + AL_TICK_NS;
		cool(vol);
		e->kick = true;
	}
	bsr_timer(e, vol->al_tick_ns);
}

/* ----------------------------------------------------------------- all of it */

/* At the first, and each time their number has doubled. */
static void report_coarsening(struct bsr_engine *e, struct bsr_volume *vol)
{
	const uint64_t now = bsr_bitmap_coarsened(vol->bitmap);
	if (now != 0 && now >= 2 * vol->coarsened_said && now != vol->coarsened_said) {
		bsr_emit_log(e, BSR_LOGN_BITMAP_COARSENED, NULL, vol, now, 0, 0);
		vol->coarsened_said = now;
	}
}

void bsr_md_progress(struct bsr_engine *e, struct bsr_volume *vol)
{
	if (!vol->md_usable || vol->attach_step == BSR_AT_FAILING) {
		return;
	}
	if (vol->al && vol->attach_step == BSR_AT_NONE) {
		activity_log(e, vol);
	}
	if (vol->bitmap) {
		report_coarsening(e, vol);
		sweep(e, vol);
	}
	superblock_write(e, vol);
}
