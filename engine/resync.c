// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * resync.c - bringing two disks to the same content: source and target
 *
 * Owns:       the steps of a resync on both sides, its requests, their rate.
 * Invariants:
 *   RS-1  Before the first block is asked for, the target's disk is durably Inconsistent and its
 *         merged bitmap is on
 *         disk: from then on the target's own bits are enough to continue.
 *   RS-2  A bit is cleared only when the block was written on the target's disk; the target's
 *         cleared bits reach its disk behind a flush of the data (MD-2), so the source may forget
 *         its own at once (I7).
 *   RS-3  A block that an application write reached after it was asked for is not overwritten by
 *         the answer.
 *   RS-4  The target's record changes to the source's generation, UpToDate, slot clear, in one
 *         superblock write (I26).
 * The target drives: it knows what it has. The source answers requests and counts.
 */
#include "core.h"
#include "resync.h"

#define IN_FLIGHT_BYTES (16ull << 20)
#define FAILED_PASS_PAUSE_NS (10 * BSR_SECOND_NS)
#define CLEARED_WRITE_NS (5 * BSR_SECOND_NS)

void bsr_resync_free_chunk(struct bsr_engine *e, struct bsr_peer_device *pd, struct bsr_chunk *c)
{
	BSR_ASSERT(c->state != BSR_CHUNK_FREE && c->writes == 0);
	BSR_ASSERT(pd->chunks_active > 0);
	bsr_emit_buf_put(e, c->buf);
	const uint32_t generation = c->generation + 1;
	memset(c, 0, sizeof(*c));
	c->buf = BSR_BUF_NONE;
	c->generation = generation;
	pd->chunks_active--;
}

/* RQ-7: a Primary's writes wait while the marks of what its disk missed until now become durable. */
static void hold_submission(struct bsr_peer_device *pd, struct bsr_volume *vol)
{
	if (!pd->submit_hold) {
		pd->submit_hold = true;
		vol->submit_holds++;
	}
}

static void release_submission(struct bsr_engine *e, struct bsr_peer_device *pd, struct bsr_volume *vol)
{
	if (pd->submit_hold) {
		BSR_ASSERT(vol->submit_holds > 0);
		pd->submit_hold = false;
		vol->submit_holds--;
		vol->al_released = true; /* looked at again when the states are what they will be */
		e->kick = true;
	}
}

/* The disk has become what the source's is: applications may read from it, peers that are away miss what comes. */
static void show_result(struct bsr_engine *e, struct bsr_volume *vol)
{
	if (e->role == BSR_ROLE_PRIMARY && vol->disk == BSR_DISK_UP_TO_DATE) {
		vol->exposed_gi = vol->sb.current_gi;
		bsr_gi_want_for_absent(e, vol);
	}
}

void bsr_resync_stop(struct bsr_engine *e, struct bsr_peer *p, struct bsr_volume *vol)
{
	struct bsr_peer_device *pd = &p->device[vol->index];
	bsr_verify_interrupt(e, p, vol, p->link_up ? -BSR_E_RESYNC_RUNNING : -BSR_E_NOT_CONNECTED);
	for (uint32_t i = 0; i < BSR_RESYNC_REQUESTS_MAX; i++) {
		if (pd->chunk[i].state == BSR_CHUNK_ASKED) {
			bsr_resync_free_chunk(e, pd, &pd->chunk[i]);
		}
	}
	const bool recorded = pd->sync_step == STEP_TARGET_FINISH || pd->sync_step == STEP_TARGET_ANSWER;
	pd->ask = 0; /* whoever answers now answers nobody */
	pd->sync_step = STEP_NONE; /* what follows may change states: this end is not to be begun again */
	bsr_receive_release(e, p, vol, false);
	release_submission(e, pd, vol);
	pd->bm_send_active = pd->bm_sent = pd->bm_received = pd->sync_base_received = false;
	pd->resync_total_bits = 0;
	pd->unsure_count = 0;
	pd->drain_mark = 0;
	pd->rate_bytes_s = 0;
	pd->rate_held_ns = 0;
	if (recorded && vol->sync_result) {
		/*
		 * Everything is here and the record says so, or is about to; only the source may
		 * not have heard.
		 */
		struct bsr_volume_state *s = &bsr_state_propose(e)->volume[vol->index];
		if (vol->disk == BSR_DISK_INCONSISTENT || vol->disk == BSR_DISK_OUTDATED) {
			s->disk = s->recorded;
		}
		s->recorded = BSR_DISK_DISKLESS;
		bsr_state_change(e);
		show_result(e, vol);
	}
}

static void set_all_bits(struct bsr_volume *vol, const struct bsr_peer_device *pd)
{
	if (pd->slot >= 0 && bsr_volume_bits(vol) > 0) {
		bsr_bitmap_set(vol->bitmap, (uint32_t)pd->slot, 0, bsr_volume_bits(vol));
	}
}

/* ------------------------------------------------------------------- begin */

/*
 * The target may finish as soon as it has my bitmap: that it is under way must be on disk before.
 */
static void begin_source(struct bsr_engine *e, struct bsr_peer *p, struct bsr_volume *vol)
{
	struct bsr_peer_device *pd = &p->device[vol->index];
	vol->sb.peer[p->node_id].flags |= BSR_MDPF_IN_PROGRESS_SYNC | BSR_MDPF_MISSED_END;
	bsr_md_superblock_dirty(e, vol);
	const bool guarded = (vol->sb.peer[p->node_id].flags & BSR_MDPF_FULL_SYNC) != 0;
	/* the ticket, until the exchange begins */
	pd->bm_flush_due_ns = guarded ? bsr_md_sweep(e, vol) : 0;
	pd->sync_step = STEP_SOURCE_PREPARE;
}

static void begin_full_source(struct bsr_engine *e, struct bsr_peer *p, struct bsr_volume *vol)
{
	struct bsr_peer_device *pd = &p->device[vol->index];
	struct bsr_superblock_peer *sp = &vol->sb.peer[p->node_id];
	const struct bsr_gi old = sp->bitmap_gi;
	begin_source(e, p, vol);
	set_all_bits(vol, pd);
	pd->sync_base = bsr_gi_random(e);
	sp->bitmap_gi = pd->sync_base;
	/* a crash while the bitmap is being written sets all bits at attach */
	sp->flags |= BSR_MDPF_FULL_SYNC;
	bsr_superblock_push_history(&vol->sb, old);
	pd->bm_flush_due_ns = bsr_md_sweep(e, vol); /* the ticket, until the exchange begins */
}

void bsr_resync_begin(struct bsr_engine *e, struct bsr_peer *p, struct bsr_volume *vol, enum bsr_hs_action action)
{
	struct bsr_peer_device *pd = &p->device[vol->index];
	const bool source = (action == BSR_HS_SOURCE_BITMAP || action == BSR_HS_SOURCE_FULL) != BSR_MUTATION(38);
	BSR_ASSERT(pd->slot >= 0 && vol->bitmap != NULL);
	bsr_resync_stop(e, p, vol);
	if (!source) {
		bsr_mesh_target_begins(e, p, vol);
	}
	pd->full_sync = action == BSR_HS_SOURCE_FULL || action == BSR_HS_TARGET_FULL;
	pd->served = false;
	pd->verify.marked_bits = 0;
	pd->failed_bytes = 0;
	pd->resynced_bytes = 0;
	pd->resync_start_ns = e->now_ns;
	bsr_state_set_repl(e, p, vol, source ? BSR_REPL_WF_BITMAP_S : BSR_REPL_WF_BITMAP_T);
	bsr_resync_ask(e, p, vol, source);
	if (!source) {
		if (!BSR_MUTATION(34)) {
			bsr_receive_hold(p, vol);
		}
		if (vol->disk > BSR_DISK_OUTDATED) {
			bsr_state_set_disk(e, vol, BSR_DISK_OUTDATED);
		}
		if (pd->full_sync) {
			set_all_bits(vol, pd);
		}
		bsr_resync_exchange_begin(e, pd);
	} else if (pd->full_sync) {
		begin_full_source(e, p, vol);
	} else {
		begin_source(e, p, vol);
	}
}

/* ------------------------------------------------------------------ target */

static void refill_tokens(struct bsr_engine *e, struct bsr_peer_device *pd)
{
	const uint64_t rate = bsr_peer_device_rate(&pd->options);
	const uint64_t elapsed_us = (e->now_ns - pd->rate_refill_ns) / 1000;
	const uint64_t most = rate / 4 > BSR_RESYNC_CHUNK_BYTES_MAX ? rate / 4 : BSR_RESYNC_CHUNK_BYTES_MAX;
	uint64_t earned = elapsed_us > 1000000 ? rate : rate * elapsed_us / 1000000;
	pd->rate_refill_ns += elapsed_us * 1000;
	pd->rate_tokens = pd->rate_tokens + earned > most ? most : pd->rate_tokens + earned;
}

static struct bsr_chunk *free_chunk(struct bsr_peer_device *pd)
{
	for (uint32_t i = 0; i < BSR_RESYNC_REQUESTS_MAX; i++) {
		if (pd->chunk[i].state == BSR_CHUNK_FREE) {
			return &pd->chunk[i];
		}
	}
	return NULL;
}

/* Peers of older versions are asked on the control stream only, where requests overtake writes. */
static bool takes_requests_behind_writes(const struct bsr_peer *p)
{
	return (p->features & BSR_FEATURE_LIVE_VOLUMES) != 0;
}

static void ask(struct bsr_engine *e, struct bsr_peer *p, struct bsr_volume *vol, uint64_t bit, uint64_t bits)
{
	struct bsr_peer_device *pd = &p->device[vol->index];
	struct bsr_chunk *c = free_chunk(pd);
	BSR_ASSERT(c != NULL);
	const uint64_t end = (bit + bits) * BSR_BITMAP_BLOCK_BYTES;
	c->offset = bit * BSR_BITMAP_BLOCK_BYTES;
	c->length = (uint32_t)((end < vol->size_bytes ? end : vol->size_bytes) - c->offset);
	c->buf = BSR_BUF_NONE;
	c->state = BSR_CHUNK_ASKED;
	pd->chunks_active++;
	pd->rate_tokens -= pd->rate_tokens < c->length ? pd->rate_tokens : c->length;
	struct bsr_msg_range m = {.vnr = vol->vnr,
		.id = ((uint64_t)c->generation << 8) | (uint64_t)(c - pd->chunk),
		.offset = c->offset,
		.length = c->length};
	/* a Primary's own writes come first: what is read for it must not be older than what it has written since */
	BSR_SEND(e, p, e->role == BSR_ROLE_PRIMARY && takes_requests_behind_writes(p) ? BSR_STREAM_DATA : BSR_STREAM_CONTROL, range, BSR_MSG_RESYNC_REQUEST, &m);
}

static void ask_more(struct bsr_engine *e, struct bsr_peer *p, struct bsr_volume *vol)
{
	struct bsr_peer_device *pd = &p->device[vol->index];
	const uint64_t rate = bsr_peer_device_rate(&pd->options);
	const uint64_t chunk_bytes = rate >= (32ull << 20) ? BSR_RESYNC_CHUNK_BYTES_MAX : 128u << 10;
	const uint32_t window = (uint32_t)(IN_FLIGHT_BYTES / BSR_RESYNC_CHUNK_BYTES_MAX);
	if (pd->rate_refill_ns > e->now_ns) {
		bsr_timer(e, pd->rate_refill_ns); /* a pause after a pass with failures */
		return;
	}
	refill_tokens(e, pd);
	while (pd->chunks_active < window && pd->scan_bit != BSR_BITMAP_NO_BIT) {
		const uint64_t bit = bsr_bitmap_next(vol->bitmap, (uint32_t)pd->slot, pd->scan_bit);
		if (bit == BSR_BITMAP_NO_BIT) {
			pd->scan_bit = BSR_BITMAP_NO_BIT;
			break;
		}
		if (pd->rate_tokens < chunk_bytes) {
			pd->rate_held_ns = e->now_ns;
			bsr_timer(e, e->now_ns + (chunk_bytes - pd->rate_tokens) * BSR_SECOND_NS / rate + 1000000);
			return;
		}
		/*
		 * chunks stay within aligned pieces: large requests, and no piece is asked for
		 * twice in a pass
		 */
		const uint64_t piece = chunk_bytes / BSR_BITMAP_BLOCK_BYTES;
		const uint64_t limit = piece - bit % piece;
		const uint64_t run = bsr_bitmap_run(vol->bitmap, (uint32_t)pd->slot, bit, limit);
		ask(e, p, vol, bit, run);
		pd->scan_bit = bit + run;
	}
}

static void finish_record(struct bsr_engine *e, struct bsr_peer *p, struct bsr_volume *vol)
{
	struct bsr_peer_device *pd = &p->device[vol->index];
	struct bsr_superblock *sb = &vol->sb;
	const struct bsr_gi old_current = sb->current_gi;
	sb->current_gi.v = pd->peer_current.v & BSR_GI_MASK;
	sb->current_gi.v |= e->role == BSR_ROLE_PRIMARY ? BSR_GI_PRIMARY_BIT : 0;
	bsr_mesh_keep_bases(e, vol, old_current, bsr_node_bit(p->node_id));
	sb->flags &= ~BSR_MDF_SYNC_BASE;
	if (p->role != BSR_ROLE_PRIMARY && p->hs_mesh_have) {
		e->lost_node = p->hs_mesh.lost_node;
		e->lost_dagtag = p->hs_mesh.lost_dagtag;
	}
	bsr_superblock_retire_base(sb, p->node_id);
	bsr_mesh_take_history(e, p, vol);
	bsr_superblock_push_history(sb, old_current);
	/* not better than the source: a copy of an Outdated disk is Outdated */
	const bool like_source = pd->disk == BSR_DISK_OUTDATED || pd->disk == BSR_DISK_CONSISTENT;
	struct bsr_volume_state *s = &bsr_state_propose(e)->volume[vol->index];
	s->recorded = like_source ? pd->disk : BSR_DISK_UP_TO_DATE;
	s->crashed_primary = false;
	sb->flags &= ~BSR_MDF_IO_ERROR;
	bsr_state_change(e);
	bsr_md_superblock_dirty(e, vol);
	vol->sync_result_sb = vol->sb_wanted;
}

static void run_target(struct bsr_engine *e, struct bsr_peer *p, struct bsr_volume *vol)
{
	struct bsr_peer_device *pd = &p->device[vol->index];
	if (pd->repl != BSR_REPL_SYNC_TARGET) {
		return; /* paused */
	}
	if (!bsr_receive_done_until(p, pd->decided_arrival) && !BSR_MUTATION(85)) {
		return; /* LV-4: what the source has only there is not overwritten by what it sent before */
	}
	if (e->role != BSR_ROLE_PRIMARY || pd->pending == 0 || takes_requests_behind_writes(p)) {
		ask_more(e, p, vol);
	}
	if (pd->chunks_active != 0 || pd->scan_bit != BSR_BITMAP_NO_BIT) {
		return;
	}
	if (bsr_resync_weight(vol, pd) == 0) {
		/*
		 * Queued writes are older than the last blocks that came: done with them, the disk
		 * is a prefix again.
		 */
		pd->drain_mark = pd->drain_mark ? pd->drain_mark : p->arrivals;
		if (!bsr_receive_done_until(p, pd->drain_mark) && !BSR_MUTATION(39)) {
			return;
		}
		pd->drain_mark = 0;
		pd->sync_step = STEP_TARGET_FLUSH;
		pd->bm_flush_due_ns = bsr_md_sweep(e, vol);
		return;
	}
	pd->drain_mark = 0;
	pd->scan_bit = 0; /* blocks that were overtaken, or failed */
	if (pd->failed_bytes != 0) {
		bsr_emit_log(e, BSR_LOGN_RESYNC_FAILED_BLOCKS, p, vol, pd->failed_bytes, 0, 0);
		pd->failed_bytes = 0;
		pd->rate_tokens = 0;
		pd->rate_refill_ns = e->now_ns + FAILED_PASS_PAUSE_NS;
		bsr_timer(e, pd->rate_refill_ns);
		return;
	}
	e->kick = true;
}

static void target_record(struct bsr_engine *e, struct bsr_peer *p, struct bsr_volume *vol)
{
	struct bsr_peer_device *pd = &p->device[vol->index];
	vol->sb.peer[p->node_id].flags &= ~BSR_MDPF_FULL_SYNC; /* the bits are on disk now */
	if (pd->full_sync) {
		const struct bsr_gi old = vol->sb.current_gi;
		vol->sb.current_gi = pd->sync_base;
		bsr_mesh_keep_bases(e, vol, old, bsr_node_bit(p->node_id));
		vol->sb.flags |= BSR_MDF_SYNC_BASE;
		bsr_superblock_push_history(&vol->sb, old);
	}
	if (bsr_resync_weight(vol, pd) != 0) {
		bsr_state_set_disk(e, vol, BSR_DISK_INCONSISTENT);
	}
	bsr_md_superblock_dirty(e, vol);
	pd->sync_step = STEP_TARGET_RECORD;
}

static void start_running(struct bsr_engine *e, struct bsr_peer *p, struct bsr_volume *vol, bool target)
{
	struct bsr_peer_device *pd = &p->device[vol->index];
	pd->sync_step = STEP_RUN;
	pd->scan_bit = 0;
	pd->sync_from = e->log_tail;
	release_submission(e, pd, vol);
	bsr_receive_release(e, p, vol, true);
	pd->resync_total_bits = bsr_resync_weight(vol, pd);
	pd->rate_refill_ns = e->now_ns;
	pd->rate_tokens = bsr_peer_device_rate(&pd->options) / 4;
	pd->rate_mark_ns = e->now_ns;
	pd->rate_mark_bytes = 0;
	pd->bm_flush_due_ns = e->now_ns + CLEARED_WRITE_NS;
	bsr_state_set_repl(e, p, vol, target ? BSR_REPL_SYNC_TARGET : BSR_REPL_SYNC_SOURCE); /* or paused */
	bsr_emit_log(e, BSR_LOGN_RESYNC_STARTED, p, vol, pd->repl, pd->resync_total_bits * BSR_BITMAP_BLOCK_BYTES, 0);
	e->kick = true;
}

static void send_base(struct bsr_engine *e, struct bsr_peer *p, struct bsr_volume *vol)
{
	struct bsr_msg_gi m = {
		.vnr = vol->vnr, .flags = BSR_GIF_SYNC_BASE, .current = p->device[vol->index].sync_base};
	BSR_SEND(e, p, BSR_STREAM_CONTROL, gi, BSR_MSG_GI, &m);
}

static void source_prepared(struct bsr_engine *e, struct bsr_peer *p, struct bsr_volume *vol)
{
	struct bsr_peer_device *pd = &p->device[vol->index];
	struct bsr_superblock_peer *sp = &vol->sb.peer[p->node_id];
	if (pd->full_sync) {
		send_base(e, p, vol);
	}
	if (sp->flags & BSR_MDPF_FULL_SYNC) {
		sp->flags &= ~BSR_MDPF_FULL_SYNC; /* the bits are on disk */
		bsr_md_superblock_dirty(e, vol);
	}
	bsr_resync_exchange_begin(e, pd);
}

static void exchange(struct bsr_engine *e, struct bsr_peer *p, struct bsr_volume *vol)
{
	struct bsr_peer_device *pd = &p->device[vol->index];
	if (pd->bm_send_active) {
		bsr_resync_send_bitmap(e, p, vol);
	}
	if (!pd->bm_sent || (!pd->bm_received && !BSR_MUTATION(41))) {
		return;
	}
	if (!bsr_repl_is_target(pd->repl)) {
		start_running(e, p, vol, false);
	} else if (pd->ask == 0 && (!pd->full_sync || pd->sync_base_received) && bsr_md_superblock_clean(vol)) {
		/* Outdated is on disk: merged bits may follow */
		bsr_mesh_mark_thirds(e, p, vol);
		hold_submission(pd, vol);
		pd->sync_step = STEP_TARGET_BITMAP;
		pd->bm_flush_due_ns = bsr_md_sweep(e, vol);
	}
}

void bsr_resync_progress(struct bsr_engine *e, struct bsr_peer *p, struct bsr_volume *vol)
{
	struct bsr_peer_device *pd = &p->device[vol->index];
	if (pd->sync_step == STEP_NONE || !p->link_up || p->hs_stage != BSR_HS_COMPLETE) {
		return;
	}
	const bool target = bsr_repl_is_target(pd->repl);
	switch ((enum sync_step)pd->sync_step) {
	case STEP_NONE:
	case STEP_TARGET_ANSWER:
		break;
	case STEP_SOURCE_PREPARE:
		if (pd->ask == 0 && pd->data_fence && bsr_md_swept(vol, pd->bm_flush_due_ns) && bsr_md_superblock_clean(vol)) {
			source_prepared(e, p, vol); /* LV-3 */
		}
		break;
	case STEP_EXCHANGE:
		exchange(e, p, vol);
		break;
	case STEP_TARGET_BITMAP:
		if (bsr_md_swept(vol, pd->bm_flush_due_ns)) {
			target_record(e, p, vol);
		}
		break;
	case STEP_TARGET_RECORD:
		/*
		 * The source has my bitmap when it says that it is one: my acknowledgements must
		 * not overtake it.
		 */
		if ((bsr_md_superblock_clean(vol) || BSR_MUTATION(42)) &&
			(pd->peer_repl == BSR_REPL_SYNC_SOURCE || pd->peer_repl == BSR_REPL_PAUSED_SYNC_S)) {
			start_running(e, p, vol, true); /* RS-1 */
		}
		break;
	case STEP_RUN:
		if (target) {
			run_target(e, p, vol);
		}
		break;
	case STEP_TARGET_FLUSH:
		if (bsr_resync_weight(vol, pd) != 0) {
			pd->sync_step = STEP_RUN; /* a write failed here meanwhile */
			e->kick = true;
		} else if (bsr_md_swept(vol, pd->bm_flush_due_ns)) {
			finish_record(e, p, vol);
			pd->sync_step = STEP_TARGET_FINISH;
		}
		break;
	case STEP_TARGET_FINISH:
		if (bsr_md_superblock_clean(vol)) {
			struct bsr_msg_resync_done m = {.vnr = vol->vnr, .current = vol->sb.current_gi};
			bsr_receive_flush_acks(e, p);
			BSR_SEND(e, p, BSR_STREAM_CONTROL, resync_done, BSR_MSG_RESYNC_DONE, &m);
			pd->sync_step = STEP_TARGET_ANSWER;
		}
		break;
	}
}

void bsr_resync_turn(struct bsr_engine *e, struct bsr_peer *p)
{
	struct bsr_volume *vol;
	BSR_FOR_EACH_VOLUME (e, vol) {
		if (p->device[vol->index].sync_step == STEP_RUN) {
			bsr_resync_progress(e, p, vol);
		}
	}
}

/* ------------------------------------------------------------ blocks arrive */

void bsr_resync_write_overtook(
	struct bsr_engine *e, struct bsr_peer *p, struct bsr_volume *vol, uint64_t offset, uint64_t length)
{
	struct bsr_peer_device *pd = &p->device[vol->index];
	(void)e;
	for (uint32_t i = 0; pd->chunks_active && i < BSR_RESYNC_REQUESTS_MAX; i++) {
		struct bsr_chunk *c = &pd->chunk[i];
		if (c->state == BSR_CHUNK_FREE || offset >= c->offset + c->length || offset + length <= c->offset) {
			continue;
		}
		const uint64_t from = offset > c->offset ? offset - c->offset : 0;
		const uint64_t to = offset + length < c->offset + c->length ? offset + length - c->offset : c->length;
		for (uint64_t b = from / BSR_BITMAP_BLOCK_BYTES; b < bsr_div_ceil_u64(to, BSR_BITMAP_BLOCK_BYTES); b++) {
			c->dropped[b / 64] |= 1ull << (b % 64); /* RS-3 */
		}
	}
}

static void run_done(struct bsr_engine *e, struct bsr_disk_op *op, int32_t result, bsr_buf_t buf)
{
	(void)buf;
	struct bsr_peer_request *pr = op->owner;
	pr->result = result;
	if (result < 0) {
		bsr_disk_error(e, op->vol, true, pr->offset, pr->length);
	} else if (!op->vol->write_through) {
		op->vol->unflushed = true;
	}
	bsr_resync_write_done(e, pr);
}

void bsr_resync_write_done(struct bsr_engine *e, struct bsr_peer_request *pr)
{
	struct bsr_peer *p = pr->peer;
	struct bsr_volume *vol = e->volume[pr->volume];
	struct bsr_peer_device *pd = &p->device[pr->volume];
	struct bsr_chunk *c = &pd->chunk[pr->chunk];
	const bool live = p->link_up && p->link == pr->link_id && pd->sync_step == STEP_RUN;
	bsr_interval_remove(e, &pr->range);
	if (pr->overtaken) {
		e->turn_work = true; /* asked for again in the next pass */
	} else if (pr->result < 0) {
		pd->failed_bytes += pr->length;
	} else if (live) {
		struct bsr_msg_range m = {.vnr = vol->vnr, .offset = pr->offset, .length = pr->length};
		bsr_md_clear_bits(e, vol, pd->slot, pr->offset,
			BSR_MUTATION(51) ? vol->size_bytes - pr->offset : pr->length); /* RS-2 */
		BSR_SEND(e, p, BSR_STREAM_CONTROL, range, BSR_MSG_RESYNC_ACK, &m);
		pd->resynced_bytes += pr->length;
	}
	BSR_ASSERT(c->writes > 0);
	if (--c->writes == 0) {
		bsr_resync_free_chunk(e, pd, c);
	}
	bsr_peer_request_put(e, pr);
	e->turn_work = true;
	if (pd->chunks_active == 0 || bsr_receive_idle(p)) {
		e->kick = true;
	}
}

static bool dropped(const struct bsr_chunk *c, uint32_t block)
{
	return (c->dropped[block / 64] >> (block % 64)) & 1;
}

static bool overtaken(const struct bsr_chunk *c, const struct bsr_peer_request *pr)
{
	const uint32_t first = pr->buf_offset / BSR_BITMAP_BLOCK_BYTES;
	const uint32_t end = (uint32_t)bsr_div_ceil_u64(pr->buf_offset + pr->length, BSR_BITMAP_BLOCK_BYTES);
	for (uint32_t block = first; block < end; block++) {
		if (dropped(c, block)) {
			return true;
		}
	}
	return false;
}

static void run_turn(struct bsr_engine *e, struct bsr_interval *i)
{
	struct bsr_peer_request *pr = BSR_CONTAINER(i, struct bsr_peer_request, range);
	struct bsr_volume *vol = e->volume[pr->volume];
	if (vol->disk < BSR_DISK_INCONSISTENT) {
		pr->result = -BSR_E_NO_DISK;
		bsr_resync_write_done(e, pr);
		return;
	}
	const struct bsr_chunk *c = &pr->peer->device[pr->volume].chunk[pr->chunk];
	if (overtaken(c, pr)) {
		pr->overtaken = true; /* RS-3: a write that waited before this run has been sent meanwhile */
		bsr_resync_write_done(e, pr);
		return;
	}
	bsr_emit_disk(e, vol,
		(struct bsr_fx_disk){.op = BSR_OP_WRITE,
			.offset = pr->offset,
			.length = pr->length,
			.buf = c->buf,
			.buf_offset = pr->buf_offset},
		pr, run_done);
}

/* Writes one run of blocks that nobody overtook; returns the block behind it. */
static uint32_t write_run(
	struct bsr_engine *e, struct bsr_peer *p, struct bsr_volume *vol, struct bsr_chunk *c, uint32_t first)
{
	const uint32_t blocks = (uint32_t)bsr_div_ceil_u64(c->length, BSR_BITMAP_BLOCK_BYTES);
	uint32_t end = first;
	while (end < blocks && !dropped(c, end)) {
		end++;
	}
	struct bsr_peer_request *pr = bsr_peer_request_get(e, p, BSR_PR_RESYNC_WRITE);
	BSR_ASSERT(pr != NULL);
	const uint32_t last = end * BSR_BITMAP_BLOCK_BYTES < c->length ? end * BSR_BITMAP_BLOCK_BYTES : c->length;
	pr->buf_offset = first * BSR_BITMAP_BLOCK_BYTES;
	pr->offset = c->offset + pr->buf_offset;
	pr->length = last - pr->buf_offset;
	pr->volume = (uint16_t)vol->index;
	pr->chunk = (uint32_t)(c - p->device[vol->index].chunk);
	pr->overtaken = false;
	pr->range = (struct bsr_interval){
		.start = pr->offset, .end = pr->offset + pr->length, .volume = pr->volume, .write = true, .go = run_turn};
	if (BSR_MUTATION(37)) {
		bsr_md_clear_bits(e, vol, p->device[vol->index].slot, pr->offset, pr->length);
		bsr_md_sweep(e, vol);
	}
	bsr_list_init(&pr->range.link);
	bsr_list_append(&p->reads, &pr->link);
	if (bsr_interval_add(e, &pr->range)) {
		pr->range.go(e, &pr->range);
	}
	return end;
}

void bsr_resync_data(
	struct bsr_engine *e, struct bsr_peer *p, const struct bsr_msg_range *m, const struct bsr_ev_message *ev)
{
	struct bsr_volume *vol = bsr_volume_by_vnr(e, m->vnr);
	struct bsr_peer_device *pd = vol ? &p->device[vol->index] : NULL;
	const uint32_t index = (uint32_t)(m->id & 0xff);
	struct bsr_chunk *c = pd && index < BSR_RESYNC_REQUESTS_MAX ? &pd->chunk[index] : NULL;
	if (!c || c->state != BSR_CHUNK_ASKED || c->generation != m->id >> 8) {
		bsr_emit_buf_put(e, ev->payload); /* the resync it was for has been stopped */
		return;
	}
	if (m->offset != c->offset || m->length != c->length || (m->error == 0 && ev->payload_bytes != c->length)) {
		bsr_emit_buf_put(e, ev->payload);
		bsr_peer_reject(e, p, BSR_MSG_RESYNC_DATA);
		return;
	}
	e->turn_work = true;
	if (m->error < 0) {
		bsr_emit_buf_put(e, ev->payload);
		pd->failed_bytes += c->length;
		bsr_resync_free_chunk(e, pd, c);
		return;
	}
	c->state = BSR_CHUNK_WRITING;
	c->buf = ev->payload;
	pd->received_bytes += c->length;
	const uint32_t blocks = (uint32_t)bsr_div_ceil_u64(c->length, BSR_BITMAP_BLOCK_BYTES);
	c->writes = 1; /* held while runs are issued */
	for (uint32_t block = 0; block < blocks;) {
		if (dropped(c, block)) {
			block++;
			continue;
		}
		c->writes++;
		block = write_run(e, p, vol, c, block);
	}
	if (--c->writes == 0) {
		bsr_resync_free_chunk(e, pd, c);
	}
}

/* ------------------------------------------------------------------ source */

void bsr_resync_ack(struct bsr_engine *e, struct bsr_peer *p, const struct bsr_msg_range *m)
{
	struct bsr_volume *vol = bsr_volume_by_vnr(e, m->vnr);
	struct bsr_peer_device *pd = vol ? &p->device[vol->index] : NULL;
	if (!pd || !(pd->repl == BSR_REPL_SYNC_SOURCE || pd->repl == BSR_REPL_PAUSED_SYNC_S)) {
		return;
	}
	bsr_resync_clear_bits(e, p, vol, m->offset, m->length);
	pd->resynced_bytes += m->length;
}

static bool still_target(struct bsr_engine *e, const struct bsr_peer *p)
{
	struct bsr_volume *vol;
	BSR_FOR_EACH_VOLUME (e, vol) {
		if (bsr_repl_is_target(p->device[vol->index].repl)) {
			return true;
		}
	}
	return false;
}

static void ended(struct bsr_engine *e, struct bsr_peer *p, struct bsr_volume *vol)
{
	struct bsr_peer_device *pd = &p->device[vol->index];
	bsr_emit_log(
		e, BSR_LOGN_RESYNC_FINISHED, p, vol, pd->repl, pd->resynced_bytes, e->now_ns - pd->resync_start_ns);
	bsr_resync_stop(e, p, vol);
	pd->chosen = false;
	bsr_state_set_repl(e, p, vol, BSR_REPL_ESTABLISHED);
	e->kick = true;
	p->discard_my_data = p->discard_my_data && still_target(e, p);
}

static void done_at_source(struct bsr_engine *e, struct bsr_peer *p, struct bsr_volume *vol)
{
	struct bsr_peer_device *pd = &p->device[vol->index];
	struct bsr_superblock_peer *sp = &vol->sb.peer[p->node_id];
	struct bsr_msg_resync_done m = {.vnr = vol->vnr, .answer = true, .current = vol->sb.current_gi};
	pd->refused = pd->refused && bsr_resync_weight(vol, pd) != 0;
	/* I25: otherwise the slot keeps saying what the bits are relative to */
	if (bsr_resync_weight(vol, pd) == 0) {
		sp->flags &= ~(BSR_MDPF_FULL_SYNC | BSR_MDPF_IN_PROGRESS_SYNC);
		bsr_superblock_retire_base(&vol->sb, p->node_id);
		/* what could not be written here once is the same there now: nobody has anything better */
		vol->sb.flags &= bsr_mesh_on(e) ? ~0u : ~BSR_MDF_IO_ERROR;
		bsr_md_superblock_dirty(e, vol);
	}
	pd->peer_current = m.current;
	BSR_SEND(e, p, BSR_STREAM_CONTROL, resync_done, BSR_MSG_RESYNC_DONE, &m);
	bsr_md_sweep(e, vol); /* or a crash would find the old bits and copy everything again */
	ended(e, p, vol);
	struct bsr_device_state *s = &bsr_state_propose(e)->device[p->node_id][vol->index];
	s->disk = vol->disk;
	s->stale = false; /* it has what I have */
	bsr_state_change(e);
}

void bsr_resync_done(struct bsr_engine *e, struct bsr_peer *p, const struct bsr_msg_resync_done *m)
{
	struct bsr_volume *vol = bsr_volume_by_vnr(e, m->vnr);
	if (!vol || !vol->md_usable || !p->device[vol->index].exists) {
		return;
	}
	struct bsr_peer_device *pd = &p->device[vol->index];
	if (!m->answer) {
		if (pd->repl == BSR_REPL_SYNC_SOURCE || pd->repl == BSR_REPL_PAUSED_SYNC_S) {
			done_at_source(e, p, vol);
		}
		return;
	}
	if (pd->sync_step != STEP_TARGET_ANSWER) {
		return;
	}
	pd->peer_current = m->current;
	const bool moved_on = bsr_gi_equal(m->current, vol->sb.peer[p->node_id].bitmap_gi);
	if (!moved_on && !bsr_gi_equal(m->current, vol->sb.current_gi)) {
		/* the Primary moved on while I finished; when I did, because its disk failed, its answer names what is past */
		const struct bsr_gi old = vol->sb.current_gi;
		vol->sb.current_gi.v = m->current.v & BSR_GI_MASK;
		bsr_mesh_keep_bases(e, vol, old, bsr_node_bit(p->node_id));
		bsr_superblock_push_history(&vol->sb, old);
		vol->sb.current_gi.v |= e->role == BSR_ROLE_PRIMARY ? BSR_GI_PRIMARY_BIT : 0;
		bsr_md_superblock_dirty(e, vol);
	}
	pd->refused = false; /* whatever it once refused, it has been my source */
	ended(e, p, vol);
}

/* ------------------------------------------------------------------- timers */

void bsr_resync_measure_rate(struct bsr_engine *e, struct bsr_peer_device *pd, uint64_t done_bytes)
{
	if (e->now_ns - pd->rate_mark_ns >= BSR_SECOND_NS) {
		const uint64_t ms = (e->now_ns - pd->rate_mark_ns) / 1000000;
		pd->rate_bytes_s = (done_bytes - pd->rate_mark_bytes) * 1000 / ms;
		pd->rate_mark_ns = e->now_ns;
		pd->rate_mark_bytes = done_bytes;
	}
	bsr_timer(e, pd->rate_mark_ns + BSR_SECOND_NS);
}

void bsr_resync_timer(struct bsr_engine *e, struct bsr_peer *p, struct bsr_volume *vol)
{
	struct bsr_peer_device *pd = &p->device[vol->index];
	if (pd->sync_step != STEP_RUN) {
		return;
	}
	bsr_resync_measure_rate(e, pd, pd->resynced_bytes);
	if (e->now_ns >= pd->bm_flush_due_ns) {
		/* an interrupted resync continues near where it was, whoever is interrupted */
		bsr_md_sweep(e, vol);
		pd->bm_flush_due_ns = e->now_ns + CLEARED_WRITE_NS;
	}
	if (bsr_repl_is_target(pd->repl)) {
		if (pd->rate_refill_ns <= e->now_ns) {
			run_target(e, p, vol);
		} else {
			bsr_timer(e, pd->rate_refill_ns);
		}
	}
}
