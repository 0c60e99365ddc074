// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * resync_bitmap.c - both ends of a resync tell each other what they know to differ
 *
 * Owns:       the bitmap exchange: what has been sent and received; ranges whose bits no acknowledgement clears.
 * Invariants:
 *   RS-5  After the exchange each end's slot holds its own bits and the other's: nothing is lost
 *         when it is cut in the middle and repeated (I8).
 */
#include "mutation.h"
#include "resync.h"

#define BITMAP_QUEUE_BYTES (256u << 10)

uint64_t bsr_resync_weight(const struct bsr_volume *vol, const struct bsr_peer_device *pd)
{
	return pd->slot >= 0 && vol->bitmap ? bsr_bitmap_weight(vol->bitmap, (uint32_t)pd->slot) : 0;
}

void bsr_resync_exchange_begin(struct bsr_engine *e, struct bsr_peer_device *pd)
{
	pd->sync_step = STEP_EXCHANGE;
	pd->bm_send_active = true;
	pd->bm_next_bit = 0;
	e->kick = true;
}

/* ---------------------------------------------------------- bitmap exchange */

static void send_all_set(struct bsr_engine *e, struct bsr_peer *p, struct bsr_volume *vol, uint64_t run)
{
	struct bsr_peer_device *pd = &p->device[vol->index];
	struct bsr_msg_bitmap m = {.vnr = vol->vnr,
		.first_bit = pd->bm_next_bit,
		.bit_count = (uint32_t)(run & ~63ull),
		.encoding = BSR_BITMAP_ALL_SET};
	BSR_SEND(e, p, BSR_STREAM_DATA, bitmap, BSR_MSG_BITMAP, &m);
	pd->bm_next_bit += m.bit_count;
}

static void send_plain(struct bsr_engine *e, struct bsr_peer *p, struct bsr_volume *vol)
{
	struct bsr_peer_device *pd = &p->device[vol->index];
	uint8_t words[BSR_BITMAP_BITS_PER_MESSAGE / 8];
	const uint64_t all = bsr_round_up_u64(bsr_volume_bits(vol), 64);
	const uint64_t left = all - pd->bm_next_bit;
	const uint32_t count = left < BSR_BITMAP_BITS_PER_MESSAGE ? (uint32_t)left : BSR_BITMAP_BITS_PER_MESSAGE;
	bsr_bitmap_words(vol->bitmap, (uint32_t)pd->slot, pd->bm_next_bit, count, words);
	struct bsr_msg_bitmap m = {.vnr = vol->vnr,
		.first_bit = pd->bm_next_bit,
		.bit_count = count,
		.encoding = BSR_BITMAP_PLAIN,
		.words = words};
	BSR_SEND(e, p, BSR_STREAM_DATA, bitmap, BSR_MSG_BITMAP, &m);
	pd->bm_next_bit += count;
}

void bsr_resync_send_bitmap(struct bsr_engine *e, struct bsr_peer *p, struct bsr_volume *vol)
{
	struct bsr_peer_device *pd = &p->device[vol->index];
	for (uint32_t messages = 0; messages < 4; messages++) {
		if (p->send_queued_bytes > BITMAP_QUEUE_BYTES) {
			return; /* goes on when something has left */
		}
		const uint64_t bit = bsr_bitmap_next(vol->bitmap, (uint32_t)pd->slot, pd->bm_next_bit);
		if (bit == BSR_BITMAP_NO_BIT || bit >= bsr_volume_bits(vol)) {
			struct bsr_msg_bitmap_end m = {.vnr = vol->vnr, .bits_set = bsr_resync_weight(vol, pd)};
			BSR_SEND(e, p, BSR_STREAM_DATA, bitmap_end, BSR_MSG_BITMAP_END, &m);
			pd->bm_send_active = false;
			pd->bm_sent = true;
			e->kick = true;
			return;
		}
		pd->bm_next_bit = bit & ~63ull;
		const uint64_t run = bsr_bitmap_run(vol->bitmap, (uint32_t)pd->slot, pd->bm_next_bit, 1u << 31);
		if (run >= BSR_BITMAP_BITS_PER_MESSAGE) {
			send_all_set(e, p, vol, run);
		} else {
			send_plain(e, p, vol);
		}
	}
	e->kick = e->kick || p->send_queued_bytes <= BITMAP_QUEUE_BYTES;
}

static struct bsr_volume *exchange_volume(struct bsr_engine *e, struct bsr_peer *p, uint32_t vnr)
{
	struct bsr_volume *vol = bsr_volume_by_vnr(e, vnr);
	if (!vol || !vol->bitmap || p->device[vol->index].slot < 0) {
		return NULL;
	}
	const enum bsr_repl_state repl = p->device[vol->index].repl;
	if (!p->device[vol->index].data_fence) {
		return NULL; /* LV-3: of an exchange that has been given up */
	}
	return repl == BSR_REPL_WF_BITMAP_S || repl == BSR_REPL_WF_BITMAP_T ? vol : NULL;
}

void bsr_resync_bitmap(struct bsr_engine *e, struct bsr_peer *p, const struct bsr_msg_bitmap *m)
{
	struct bsr_volume *vol = exchange_volume(e, p, m->vnr);
	if (!vol) {
		return; /* given up here meanwhile; the peer hears of it by my state */
	}
	struct bsr_peer_device *pd = &p->device[vol->index];
	const uint64_t bits = bsr_volume_bits(vol);
	if (m->first_bit >= bits || m->bit_count > bsr_round_up_u64(bits, 64) - m->first_bit) {
		bsr_peer_reject(e, p, BSR_MSG_BITMAP);
		return;
	}
	if (BSR_MUTATION(40)) {
		return;
	}
	if (m->encoding == BSR_BITMAP_ALL_SET) {
		const uint64_t left = bits - m->first_bit;
		bsr_bitmap_set(vol->bitmap, (uint32_t)pd->slot, m->first_bit, m->bit_count < left ? m->bit_count : left);
	} else {
		bsr_bitmap_merge_words(vol->bitmap, (uint32_t)pd->slot, m->first_bit, m->bit_count, m->words);
	}
}

void bsr_resync_bitmap_end(struct bsr_engine *e, struct bsr_peer *p, const struct bsr_msg_bitmap_end *m)
{
	struct bsr_volume *vol = exchange_volume(e, p, m->vnr);
	if (vol) {
		p->device[vol->index].bm_received = true;
		/* drops bits of the last word beyond the end */
		bsr_volume_set_size(e, vol, vol->size_bytes);
		e->kick = true;
	}
}

void bsr_resync_sync_base(struct bsr_engine *e, struct bsr_peer *p, struct bsr_volume *vol, struct bsr_gi base)
{
	struct bsr_peer_device *pd = &p->device[vol->index];
	if (pd->repl == BSR_REPL_WF_BITMAP_T && pd->full_sync) {
		pd->sync_base = base;
		pd->sync_base_received = true;
		e->kick = true;
	}
}

/* --------------------------------- bits that acknowledgements do not clear */

/* The first range in [offset, end) that is not believed; NULL when there is none. */
static const struct bsr_span *first_unsure(const struct bsr_peer_device *pd, uint64_t offset, uint64_t end)
{
	const struct bsr_span *first = NULL;
	for (uint32_t i = 0; i < pd->unsure_count; i++) {
		const struct bsr_span *u = &pd->unsure[i];
		if (u->start < end && u->end > offset && (!first || u->start < first->start)) {
			first = u;
		}
	}
	return first;
}

/* Calls @clear for each part of the range that is believed. */
static void each_sure_part(struct bsr_engine *e, struct bsr_peer *p, struct bsr_volume *vol, uint64_t offset, uint64_t length,
	void (*clear)(struct bsr_engine *, struct bsr_peer *, struct bsr_volume *, uint64_t, uint64_t))
{
	const struct bsr_peer_device *pd = &p->device[vol->index];
	const uint64_t end = offset + length;
	const struct bsr_span *u;
	while (offset < end && (u = first_unsure(pd, offset, end)) != NULL) {
		if (u->start > offset) {
			clear(e, p, vol, offset, u->start - offset);
		}
		offset = u->end;
	}
	if (offset < end) {
		clear(e, p, vol, offset, end - offset);
	}
}

static void clear_here(struct bsr_engine *e, struct bsr_peer *p, struct bsr_volume *vol, uint64_t offset, uint64_t length)
{
	bsr_md_clear_bits(e, vol, p->device[vol->index].slot, offset, length);
}

void bsr_resync_clear_bits(struct bsr_engine *e, struct bsr_peer *p, struct bsr_volume *vol, uint64_t offset, uint64_t length)
{
	each_sure_part(e, p, vol, offset, length, clear_here);
}

static void clear_here_and_there(struct bsr_engine *e, struct bsr_peer *p, struct bsr_volume *vol, uint64_t offset, uint64_t length)
{
	const struct bsr_msg_range m = {.vnr = vol->vnr, .offset = offset, .length = (uint32_t)length};
	clear_here(e, p, vol, offset, length);
	BSR_SEND(e, p, BSR_STREAM_CONTROL, range, BSR_MSG_RESYNC_ACK, &m);
}

void bsr_resync_write_in_step(
	struct bsr_engine *e, struct bsr_peer *p, struct bsr_volume *vol, uint64_t offset, uint32_t length)
{
	each_sure_part(e, p, vol, offset, length, clear_here_and_there);
}

void bsr_resync_unsure(struct bsr_peer_device *pd, uint64_t offset, uint64_t length)
{
	if (pd->repl <= BSR_REPL_ESTABLISHED) {
		return;
	}
	if (pd->unsure_count < BSR_UNSURE_MAX) {
		pd->unsure[pd->unsure_count++] = (struct bsr_span){offset, offset + length};
		return;
	}
	/* the last one takes in what has no place: bits too many are only copied once more */
	struct bsr_span *last = &pd->unsure[BSR_UNSURE_MAX - 1];
	last->start = offset < last->start ? offset : last->start;
	last->end = offset + length > last->end ? offset + length : last->end;
}
