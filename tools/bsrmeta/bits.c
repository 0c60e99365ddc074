// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * bits.c - the raw bitmap area, a window at a time
 *
 * Owns:       one window of the area in memory, written back when dirty.
 * May touch:  the bitmap area of the device, through device.c.
 * Format:     docs/format/bitmap.md
 */
#include "bits.h"

#include <stdlib.h>
#include <string.h>

#include <bsr/assert.h>

enum { SUMMARY_UNKNOWN = 0, SUMMARY_ZERO, SUMMARY_ONES, SUMMARY_MIXED };

static uint64_t chunk_area_words(const struct bsr_meta_bits *bits)
{
	return (uint64_t)META_BITS_CHUNK_WORDS * bits->slots;
}

static uint64_t chunk_offset(const struct bsr_meta_bits *bits, uint64_t chunk)
{
	return bits->offset + chunk * chunk_area_words(bits) * 4;
}

/* The last window may be shorter; the area is a multiple of 4 KiB. */
static size_t chunk_bytes(const struct bsr_meta_bits *bits, uint64_t chunk)
{
	const uint64_t first = chunk * chunk_area_words(bits);
	BSR_ASSERT(first < bits->words);
	const uint64_t rest = bits->words - first;
	return (size_t)(rest < chunk_area_words(bits) ? rest : chunk_area_words(bits)) * 4;
}

int bsr_meta_bits_open(struct bsr_meta_bits *bits, const struct bsr_meta_context *ctx,
	const struct bsr_meta_md *md, uint64_t bytes, bool reader)
{
	BSR_ASSERT(bytes % BSR_MD_BLOCK_BYTES == 0 && bytes <= md->layout.bitmap_bytes);
	*bits = (struct bsr_meta_bits){.ctx = ctx,
		.offset = md->layout.bitmap_offset,
		.words = bytes / 4,
		.slots = md->sb.max_peers,
		.window_chunk = UINT64_MAX};
	bits->chunk_count = (bits->words + chunk_area_words(bits) - 1) / chunk_area_words(bits);
	bits->window = malloc((size_t)chunk_area_words(bits) * 4);
	bits->chunk = malloc((size_t)META_BITS_CHUNK_WORDS * 4);
	if (reader) {
		bits->summary = calloc((size_t)(bits->chunk_count + 1), bits->slots);
	}
	if (bits->window == NULL || bits->chunk == NULL || (reader && bits->summary == NULL)) {
		bsr_meta_error("out of memory for the bitmap of %s", ctx->path);
		free(bits->window);
		free(bits->chunk);
		free(bits->summary);
		return META_UNSUPPORTED;
	}
	return META_OK;
}

static int write_back(struct bsr_meta_bits *bits)
{
	if (!bits->dirty) {
		return META_OK;
	}
	bits->dirty = false;
	return bsr_meta_device_write(bits->ctx, bits->window, chunk_bytes(bits, bits->window_chunk),
		chunk_offset(bits, bits->window_chunk));
}

int bsr_meta_bits_close(struct bsr_meta_bits *bits)
{
	const int rc = write_back(bits);
	free(bits->window);
	free(bits->chunk);
	free(bits->summary);
	*bits = (struct bsr_meta_bits){0};
	return rc;
}

uint64_t bsr_meta_bits_slot_words(const struct bsr_meta_bits *bits, uint32_t slot)
{
	BSR_ASSERT(slot < bits->slots);
	return bits->words > slot ? (bits->words - slot + bits->slots - 1) / bits->slots : 0;
}

static uint32_t get_word(const struct bsr_meta_bits *bits, uint64_t index)
{
	const uint8_t *p = bits->window + index * 4;
	return (uint32_t)p[0] | ((uint32_t)p[1] << 8) | ((uint32_t)p[2] << 16) |
	       ((uint32_t)p[3] << 24);
}

static void put_word(struct bsr_meta_bits *bits, uint64_t index, uint32_t value)
{
	uint8_t *p = bits->window + index * 4;
	p[0] = (uint8_t)value;
	p[1] = (uint8_t)(value >> 8);
	p[2] = (uint8_t)(value >> 16);
	p[3] = (uint8_t)(value >> 24);
	bits->dirty = true;
}

static void summarise(struct bsr_meta_bits *bits, uint64_t chunk)
{
	const size_t words = chunk_bytes(bits, chunk) / 4;
	for (uint32_t slot = 0; slot < bits->slots; slot++) {
		bool zero = true;
		bool ones = true;
		for (size_t i = slot; i < words; i += bits->slots) {
			const uint32_t word = get_word(bits, i);
			zero = zero && word == 0;
			ones = ones && word == UINT32_MAX;
		}
		bits->summary[chunk * bits->slots + slot] = zero   ? SUMMARY_ZERO
							    : ones ? SUMMARY_ONES
								   : SUMMARY_MIXED;
	}
}

static int move_window(struct bsr_meta_bits *bits, uint64_t chunk)
{
	if (bits->window_chunk == chunk) {
		return META_OK;
	}
	int rc = write_back(bits);
	if (rc == META_OK) {
		rc = bsr_meta_device_read(bits->ctx, bits->window, chunk_bytes(bits, chunk),
			chunk_offset(bits, chunk));
	}
	if (rc != META_OK) {
		bits->window_chunk = UINT64_MAX;
		return rc;
	}
	bits->window_chunk = chunk;
	if (bits->summary != NULL && bits->summary[chunk * bits->slots] == SUMMARY_UNKNOWN) {
		summarise(bits, chunk);
	}
	return META_OK;
}

int bsr_meta_bits_load(struct bsr_meta_bits *bits, uint32_t slot, uint64_t chunk, uint32_t *count)
{
	BSR_ASSERT(bits->summary != NULL && chunk < bits->chunk_count);
	const uint64_t first = chunk * META_BITS_CHUNK_WORDS;
	const uint64_t all = bsr_meta_bits_slot_words(bits, slot);
	*count = all <= first
			 ? 0
			 : (uint32_t)(all - first < META_BITS_CHUNK_WORDS ? all - first
									  : META_BITS_CHUNK_WORDS);
	const uint8_t known = bits->summary[chunk * bits->slots + slot];
	if (known == SUMMARY_ZERO || known == SUMMARY_ONES) {
		memset(bits->chunk, known == SUMMARY_ZERO ? 0 : 0xff, (size_t)*count * 4);
		return META_OK;
	}
	const int rc = move_window(bits, chunk);
	for (uint32_t i = 0; rc == META_OK && i < *count; i++) {
		bits->chunk[i] = get_word(bits, (uint64_t)i * bits->slots + slot);
	}
	return rc;
}

int bsr_meta_bits_put(
	struct bsr_meta_bits *bits, uint32_t slot, uint64_t first, uint64_t count, uint64_t value)
{
	const uint64_t limit = bsr_meta_bits_slot_words(bits, slot);
	const uint64_t pairs = (limit + 1) / 2;
	if (first >= pairs) {
		return META_OK;
	}
	const uint64_t end = 2 * (count < pairs - first ? first + count : pairs);
	for (uint64_t p = 2 * first; p < end && p < limit; p++) {
		const int rc = move_window(bits, p / META_BITS_CHUNK_WORDS);
		if (rc != META_OK) {
			return rc;
		}
		const uint32_t word = (uint32_t)(p % 2 == 0 ? value : value >> 32);
		put_word(bits, p % META_BITS_CHUNK_WORDS * bits->slots + slot, word);
	}
	return META_OK;
}

int bsr_meta_bits_set(
	struct bsr_meta_bits *bits, uint64_t first_bit, uint64_t end_bit, uint64_t *added)
{
	for (uint64_t bit = first_bit; bit < end_bit;) {
		const uint64_t word = bit / 32;
		const uint64_t next = (word + 1) * 32 < end_bit ? (word + 1) * 32 : end_bit;
		const uint32_t upto =
			next - word * 32 == 32 ? UINT32_MAX : (1u << (next - word * 32)) - 1;
		const uint32_t mask = upto & ~((1u << bit % 32) - 1);
		for (uint32_t slot = 0;
			slot < bits->slots && word < bsr_meta_bits_slot_words(bits, slot); slot++) {
			const int rc = move_window(bits, word / META_BITS_CHUNK_WORDS);
			if (rc != META_OK) {
				return rc;
			}
			const uint64_t index = word % META_BITS_CHUNK_WORDS * bits->slots + slot;
			const uint32_t old = get_word(bits, index);
			*added += slot == 0 ? (uint64_t)__builtin_popcount(mask & ~old) : 0;
			if ((old | mask) != old) {
				put_word(bits, index, old | mask);
			}
		}
		bit = next;
	}
	return META_OK;
}
