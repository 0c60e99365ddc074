// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * json.c - metadata as JSON, for programs: one object, on one line
 *
 * Owns:       names of the members. 64-bit values that are no counts are text of 16 hex digits: many readers of JSON lose the last
 *             digits of large numbers.
 * May touch:  stdout.
 */
#include <inttypes.h>

#include <bsr/assert.h>

#include "bits.h"
#include "meta.h"

static void put_text(const char *text)
{
	putchar('"');
	for (; *text != '\0'; text++) {
		const unsigned char c = (unsigned char)*text;
		if (c == '"' || c == '\\') {
			printf("\\%c", c);
		} else if (c < ' ') {
			printf("\\u%04x", c);
		} else {
			putchar(c);
		}
	}
	putchar('"');
}

void bsr_meta_json_begin(const struct bsr_meta_context *ctx)
{
	printf("{\"meta-disk\":");
	put_text(ctx->path);
	printf(",\"format\":\"v%02" PRIu32 "\"", ctx->format);
	if (ctx->minor >= 0) {
		printf(",\"minor\":%" PRId32, ctx->minor);
	}
	if (ctx->attached) {
		printf(",\"attached\":true"); /* what follows may be old */
	}
}

static void put_words(struct bsr_meta_bits *bits, uint32_t slot, int *rc)
{
	const uint64_t words = bsr_meta_bits_slot_words(bits, slot);
	uint64_t run = 0;
	uint32_t last = 0;
	bool first = true;

	/* runs of equal 32-bit words: [value, count] */
	for (uint64_t chunk = 0; chunk * META_BITS_CHUNK_WORDS < words && *rc == META_OK; chunk++) {
		uint32_t count = 0;
		*rc = bsr_meta_bits_load(bits, slot, chunk, &count);
		for (uint32_t i = 0; i < count && *rc == META_OK; i++) {
			if (run > 0 && bits->chunk[i] == last) {
				run++;
				continue;
			}
			if (run > 0) {
				printf("%s[\"%08" PRIx32 "\",%" PRIu64 "]", first ? "" : ",", last, run);
				first = false;
			}
			last = bits->chunk[i];
			run = 1;
		}
	}
	if (run > 0) {
		printf("%s[\"%08" PRIx32 "\",%" PRIu64 "]", first ? "" : ",", last, run);
	}
}

static int put_bitmaps(const struct bsr_meta_context *ctx, const struct bsr_meta_md *md)
{
	struct bsr_meta_bits bits;
	int rc = bsr_meta_bits_open(&bits, ctx, md, bsr_meta_bitmap_bytes(md), true);

	printf(",\"bitmaps\":[");
	for (uint32_t slot = 0; rc == META_OK && slot < md->sb.max_peers; slot++) {
		printf("%s{\"slot\":%" PRIu32 ",\"words\":[", slot == 0 ? "" : ",", slot);
		put_words(&bits, slot, &rc);
		printf("]}");
	}
	printf("]");
	if (rc == META_OK) {
		bsr_meta_bits_close(&bits);
	}
	return rc;
}

static void put_peers(const struct bsr_superblock *sb)
{
	bool first = true;

	printf(",\"peers\":[");
	for (uint32_t i = 0; i < BSR_NODES_MAX; i++) {
		const struct bsr_superblock_peer *peer = &sb->peer[i];
		if (peer->bitmap_index < 0 && peer->bitmap_gi.v == 0 && peer->flags == 0) {
			continue;
		}
		printf("%s{\"node-id\":%" PRIu32 ",\"bitmap-index\":%" PRId32 ",\"bitmap-uuid\":\"%016" PRIX64
		       "\",\"bitmap-dagtag\":%" PRIu64 ",\"flags\":%" PRIu32 "}",
			first ? "" : ",", i, peer->bitmap_index, peer->bitmap_gi.v, peer->bitmap_dagtag,
			peer->flags);
		first = false;
	}
	printf("]");
}

int bsr_meta_json_dump(const struct bsr_meta_context *ctx, const struct bsr_meta_md *md)
{
	const struct bsr_superblock *sb = &md->sb;
	const uint32_t history = md->format == 9 ? BSR_HISTORY_UUIDS : 2;

	bsr_meta_json_begin(ctx);
	printf(",\"clean\":%s,\"max-peers\":%" PRIu32 ",\"md-size-sect\":%" PRIu32 ",\"md-offset\":%" PRIu64
	       ",\"al-offset\":%" PRIu64 ",\"bm-offset\":%" PRIu64,
		bsr_meta_is_clean(md) ? "true" : "false", sb->max_peers, sb->md_sectors,
		md->layout.superblock_offset, md->layout.al_offset, md->layout.bitmap_offset);
	printf(",\"node-id\":%" PRId32 ",\"current-uuid\":\"%016" PRIX64 "\",\"flags\":%" PRIu32, sb->node_id,
		sb->current_gi.v, sb->flags);
	put_peers(sb);
	printf(",\"history-uuids\":[");
	for (uint32_t i = 0; i < history; i++) {
		printf("%s\"%016" PRIX64 "\"", i == 0 ? "" : ",", sb->history[i].v);
	}
	printf("],\"la-size-sect\":%" PRIu64 ",\"bm-byte-per-bit\":%" PRIu32 ",\"device-uuid\":\"%016" PRIX64
	       "\",\"la-peer-max-bio-size\":%" PRIu32 ",\"al-stripes\":%" PRIu32 ",\"al-stripe-size-4k\":%" PRIu32,
		sb->effective_sectors, sb->bytes_per_bit, sb->device_uuid, sb->peer_max_bio_bytes, sb->al_stripes,
		sb->al_stripe_blocks);
	const int rc = put_bitmaps(ctx, md);
	printf("}\n");
	return rc;
}
