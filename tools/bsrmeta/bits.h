/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * bits.h - the raw bitmap area, a window at a time
 *
 * A slot's bits are 32-bit little-endian words, interleaved with those of the other slots: word p
 * of slot s is word p * slots + s of the area. Bitmaps larger than memory are normal here. Format:
 * docs/format/bitmap.md.
 */
#ifndef BSR_TOOLS_BITS_H
#define BSR_TOOLS_BITS_H

#include "meta.h"

#define META_BITS_CHUNK_WORDS 16384u /* of each slot, in one window: 64 KiB times slots */

struct bsr_meta_bits {
	const struct bsr_meta_context *ctx;
	uint64_t offset; /* of the area, bytes */
	uint64_t words;	 /* 32-bit words of the area, all slots */
	uint32_t slots;
	uint64_t chunk_count;
	uint8_t *window; /* one chunk of all slots as on disk */
	uint64_t window_chunk; /* UINT64_MAX: none */
	bool dirty;
	uint8_t *summary; /* chunk_count x slots: what a reader knows already; NULL for a writer */
	uint32_t *chunk;  /* words of one slot in the present chunk */
};

/**
 * bsr_meta_bits_open - @bytes of the area are used; @reader: keep a summary so that uniform chunks
 * are read once
 */
int bsr_meta_bits_open(struct bsr_meta_bits *bits, const struct bsr_meta_context *ctx, const struct bsr_meta_md *md,
	uint64_t bytes, bool reader);
/** bsr_meta_bits_close - writes the window back when dirty */
int bsr_meta_bits_close(struct bsr_meta_bits *bits);
/** bsr_meta_bits_slot_words - 32-bit words that @slot has in the area */
uint64_t bsr_meta_bits_slot_words(const struct bsr_meta_bits *bits, uint32_t slot);
/** bsr_meta_bits_load - words of @slot in @chunk into bits->chunk; @count receives how many */
int bsr_meta_bits_load(struct bsr_meta_bits *bits, uint32_t slot, uint64_t chunk, uint32_t *count);
/**
 * bsr_meta_bits_put - store @count times the 64-bit @value from 64-bit word @first of @slot; beyond
 * the area: ignored
 */
int bsr_meta_bits_put(struct bsr_meta_bits *bits, uint32_t slot, uint64_t first, uint64_t count, uint64_t value);
/**
 * bsr_meta_bits_set - set bits [first_bit, end_bit) of every slot; @added receives how many of slot
 * 0 were clear
 */
int bsr_meta_bits_set(struct bsr_meta_bits *bits, uint64_t first_bit, uint64_t end_bit, uint64_t *added);

#endif
