// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * dump.c - metadata as text
 *
 * Owns:       the text that dump-md prints; the same, from line 4 on, as drbdmeta and bsrmeta 1.7
 * print. May touch:  nothing; it reads. Format:     docs/format/dump.md
 */
#include <inttypes.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <bsr/assert.h>

#include "bits.h"
#include "meta.h"

#define WORDS_PER_LINE 8u /* 32-bit ones: four values of 64 bits */

static void print_head(const struct bsr_meta_context *ctx)
{
	char host[256] = "localhost";
	char when[64] = "";
	struct tm tm;
	const time_t now = time(NULL);
	gethostname(host, sizeof(host) - 1);
	if (localtime_r(&now, &tm) != NULL) {
		strftime(when, sizeof(when), "%Y-%m-%d %H:%M:%S %z", &tm);
	}
	printf("# %s meta data dump\n# %s [%lld]\n# %s> %s", bsr_names()->capital, when, (long long)now,
		host, bsr_names()->meta);
	for (int i = 1; i < ctx->argc; i++) {
		printf(" ");
		for (const char *c = ctx->typed[i]; *c != '\0'; c++) {
			putchar((unsigned char)*c < ' ' ? '?'
							: *c); /* it must stay one comment line */
		}
	}
	printf("\n#\n\nversion \"v%02" PRIu32 "\";\n\n", ctx->format);
}

static void print_places(const struct bsr_meta_md *md)
{
	printf("# md_size_sect %" PRIu32 "\n# md_offset %" PRIu64 "\n# al_offset %" PRIu64
	       "\n# bm_offset %" PRIu64 "\n\n",
		md->sb.md_sectors, md->layout.superblock_offset, md->layout.al_offset,
		md->layout.bitmap_offset);
}

static void print_peer_flags(uint32_t flags)
{
	static const struct {
		uint32_t bit;
		const char *name;
	} names[] = {{BSR_MDPF_CONNECTED, "connected"}, {BSR_MDPF_OUTDATED, "<=outdated"},
		{BSR_MDPF_FENCING, "fencing"}, {BSR_MDPF_FULL_SYNC, "full-sync"},
		{BSR_MDPF_DEVICE_SEEN, "seen"}, {BSR_MDPF_NODE_EXISTS, "exists"}};
	const char *separator = " # ";
	printf("    flags 0x%08" PRIX32 ";", flags);
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if ((flags & names[i].bit) != 0) {
			printf("%s%s", separator, names[i].name);
			separator = " | ";
			flags &= ~names[i].bit;
		}
	}
	if (flags != 0) {
		printf("%s0x%" PRIx32 "=?", separator, flags);
	}
	printf("\n");
}

static void print_v09(const struct bsr_superblock *sb)
{
	printf("node-id %" PRId32 ";\ncurrent-uuid 0x%016" PRIX64 ";\nflags 0x%08" PRIX32 ";\n",
		sb->node_id, sb->current_gi.v, sb->flags);
	if (sb->members !=
		0) { /* older tools refuse the line, so it is there only when it says something */
		printf("members 0x%016" PRIX64 ";\n", sb->members);
	}
	for (uint32_t i = 0; i < BSR_NODES_MAX; i++) {
		const struct bsr_superblock_peer *peer = &sb->peer[i];
		printf("peer[%" PRIu32 "] {\n    bitmap-index %" PRId32
		       ";\n    bitmap-uuid 0x%016" PRIX64 ";\n    bitmap-dagtag 0x%016" PRIX64
		       ";\n",
			i, peer->bitmap_index, peer->bitmap_gi.v, peer->bitmap_dagtag);
		print_peer_flags(peer->flags);
		printf("}\n");
	}
	printf("history-uuids {\n");
	for (uint32_t i = 0; i < BSR_HISTORY_UUIDS; i++) {
		printf("%s 0x%016" PRIX64 ";%s", i % 4 == 0 ? "       " : "", sb->history[i].v,
			i % 4 == 3 ? "\n" : "");
	}
	printf("}\n");
}

static void print_v08(const struct bsr_superblock *sb)
{
	printf("uuid {\n    0x%016" PRIX64 "; 0x%016" PRIX64 "; 0x%016" PRIX64 "; 0x%016" PRIX64
	       ";\n    flags 0x%08" PRIX32 ";\n}\n",
		sb->current_gi.v, sb->peer[0].bitmap_gi.v, sb->history[0].v, sb->history[1].v,
		sb->flags);
}

static void print_common(const struct bsr_superblock *sb, uint64_t bitmap_bytes)
{
	printf("# al-extents %" PRIu32 ";\nla-size-sect %" PRIu64 ";\nbm-byte-per-bit %" PRIu32
	       ";\ndevice-uuid 0x%016" PRIX64 ";\nla-peer-max-bio-size %" PRIu32
	       ";\nal-stripes %" PRIu32 ";\nal-stripe-size-4k %" PRIu32 ";\n# bm-bytes %" PRIu64
	       ";\n",
		sb->al_extents, sb->effective_sectors, sb->bytes_per_bit, sb->device_uuid,
		sb->peer_max_bio_bytes, sb->al_stripes, sb->al_stripe_blocks, bitmap_bytes);
}

/* ---- bitmap ---- */

/** Reads one slot's words in order. */
struct cursor {
	struct bsr_meta_bits *bits;
	uint32_t slot;
	uint64_t chunk; /* loaded one, UINT64_MAX: none */
	uint32_t count; /* words in it */
	uint64_t words; /* of the slot, in all */
};

/* The word at @p; 0 and *@rc on failure. */
static uint32_t word_at(struct cursor *c, uint64_t p, int *rc)
{
	BSR_ASSERT(p < c->words);
	if (p / META_BITS_CHUNK_WORDS != c->chunk) {
		c->chunk = p / META_BITS_CHUNK_WORDS;
		*rc = bsr_meta_bits_load(c->bits, c->slot, c->chunk, &c->count);
		if (*rc != META_OK) {
			c->chunk = UINT64_MAX;
			return 0;
		}
	}
	return c->bits->chunk[p % META_BITS_CHUNK_WORDS];
}

/* Words that equal the one at @p, from there on, a multiple of a line. */
static uint64_t run_length(struct cursor *c, uint64_t p, int *rc)
{
	const uint32_t first = word_at(c, p, rc);
	uint64_t end = p + 1;
	while (*rc == META_OK && end < c->words && word_at(c, end, rc) == first) {
		end++;
	}
	return (end - p) / WORDS_PER_LINE * WORDS_PER_LINE;
}

static uint64_t count_bits(uint32_t word, uint64_t times)
{
	return (uint64_t)__builtin_popcount(word) * times;
}

/* A line of up to four 64-bit values; a last half value is padding and not printed. */
static void print_line(struct cursor *c, uint64_t p, uint64_t *bits_set, int *rc)
{
	printf("   ");
	for (uint64_t i = p; i + 1 < c->words && i < p + WORDS_PER_LINE; i += 2) {
		const uint32_t low = word_at(c, i, rc);
		const uint32_t high = word_at(c, i + 1, rc);
		*bits_set += count_bits(low, 1) + count_bits(high, 1);
		printf(" 0x%08" PRIX32 "%08" PRIX32 ";", high, low);
	}
	printf("\n");
}

static int print_slot(struct bsr_meta_bits *bits, uint32_t slot, uint64_t *bits_set)
{
	struct cursor c = {.bits = bits,
		.slot = slot,
		.chunk = UINT64_MAX,
		.words = bsr_meta_bits_slot_words(bits, slot)};
	int rc = META_OK;
	*bits_set = 0;
	for (uint64_t p = 0; p < c.words && rc == META_OK;) {
		if (p * bits->slots % 64 == 0) {
			printf("   # at %" PRIu64 "kB\n", 128 * p * bits->slots);
		}
		const uint64_t run = run_length(&c, p, &rc);
		if (run > WORDS_PER_LINE) {
			const uint32_t word = word_at(&c, p, &rc);
			*bits_set += count_bits(word, run);
			printf("    %" PRIu64 " times 0x%08" PRIX32 "%08" PRIX32 ";\n", run / 2,
				word, word);
			p += run;
		} else {
			print_line(&c, p, bits_set, &rc);
			p += WORDS_PER_LINE;
		}
	}
	return rc;
}

static int print_bitmap(const struct bsr_meta_context *ctx, const struct bsr_meta_md *md)
{
	struct bsr_meta_bits bits;
	uint64_t bits_set = 0;
	int rc = bsr_meta_bits_open(&bits, ctx, md, bsr_meta_bitmap_bytes(md), true);
	if (rc != META_OK) {
		return rc;
	}
	for (uint32_t slot = 0; slot < md->sb.max_peers && rc == META_OK; slot++) {
		if (md->format == 8) {
			printf("bm {\n");
		} else {
			printf("bitmap[%" PRIu32 "] {\n", slot);
		}
		rc = print_slot(&bits, slot, &bits_set);
		printf("}\n");
	}
	printf("# bits-set %" PRIu64 ";\n", bits_set); /* of the last slot, as all tools have it */
	bsr_meta_bits_close(&bits);
	return rc;
}

static int dump(const struct bsr_meta_context *ctx, const struct bsr_meta_md *md)
{
	struct bsr_meta_last_known known;
	if (ctx->opt.json) {
		return bsr_meta_json_dump(ctx, md);
	}
	print_head(ctx);
	if (!bsr_meta_is_clean(md)) {
		/* Bare words: this text must not be restored. */
		printf("This_is_an_unclean_meta_data_dump._Don't_trust_the_bitmap.\n"
		       "# You should \"apply-al\" first, if you plan to restore this.\n\n");
	}
	if (md->format == 9) {
		printf("max-peers %" PRIu32 ";\n", md->sb.max_peers);
	}
	print_places(md);
	if (bsr_meta_last_known_read(ctx, &known) && known.bytes != ctx->size_bytes) {
		printf("# size of %s: now %" PRIu64 " bytes, last known %" PRIu64 " bytes\n\n",
			ctx->path, ctx->size_bytes, known.bytes);
	}
	if (md->format == 9) {
		print_v09(&md->sb);
	} else {
		print_v08(&md->sb);
	}
	print_common(&md->sb, bsr_meta_bitmap_bytes(md));
	int rc = print_bitmap(ctx, md);
	if (rc == META_OK && ctx->opt.verbose >= 10) {
		rc = bsr_meta_al_print(ctx, md);
	}
	if (ctx->attached) {
		printf("# The device is attached: what this says may be old.\n");
	}
	return rc;
}

int bsr_meta_dump(struct bsr_meta_context *ctx)
{
	struct bsr_meta_md md;
	int rc = bsr_meta_read(ctx, &md);
	if (rc != META_OK) {
		return rc;
	}
	if (!bsr_meta_is_clean(&md) && !ctx->opt.force) {
		bsr_meta_error(
			"Found meta data is \"unclean\", please apply-al first; the bitmap on disk lacks what the "
			"activity log still holds (--force prints it as it is)");
		return META_DECLINED;
	}
	rc = dump(ctx, &md);
	if (fflush(stdout) != 0 || ferror(stdout)) {
		bsr_meta_error("cannot write the dump");
		return META_BAD;
	}
	return rc;
}
