// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * al.c - the activity log on disk: initialise it, apply it after a crash, list it
 *
 * Owns:       the ring.
 * May touch:  the bitmap, through bits.h; flags of the superblock.
 * Invariants:
 *   APPLY-1  Bits of hot extents are durable before the ring is initialised, and the ring before
 * al-clean is set: a crash in between repeats the work or finds it done. Format:
 * docs/format/activity-log.md
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include <bsr/assert.h>
#include <bsr/bytes.h>
#include <bsr/errors.h>

#include "activity_log.h"
#include "bits.h"
#include "meta.h"

#define OLD_LOG_MAGIC 0x83740267u

static uint32_t be32_at(const uint8_t *p)
{
	bsr_be32 v;
	memcpy(&v, p, sizeof(v));
	return bsr_be32_get(v);
}

int bsr_meta_al_initialise(const struct bsr_meta_context *ctx, const struct bsr_meta_md *md)
{
	static struct bsr_al_transaction empty;
	uint8_t block[BSR_MD_BLOCK_BYTES];
	memset(&empty, 0, sizeof(empty));
	empty.initialised = true;
	bsr_al_transaction_encode(block, &empty);
	uint8_t *ring = malloc((size_t)md->layout.al_bytes);
	if (ring == NULL) {
		bsr_meta_error("out of memory for an activity log of %" PRIu64 " bytes",
			md->layout.al_bytes);
		return META_UNSUPPORTED;
	}
	for (uint64_t at = 0; at < md->layout.al_bytes; at += sizeof(block)) {
		memcpy(ring + at, block, sizeof(block));
	}
	const int rc =
		bsr_meta_device_write(ctx, ring, (size_t)md->layout.al_bytes, md->layout.al_offset);
	free(ring);
	return rc == META_OK ? bsr_meta_device_sync(ctx) : rc;
}

static int read_ring(
	const struct bsr_meta_context *ctx, const struct bsr_meta_md *md, uint8_t **ring)
{
	*ring = malloc((size_t)md->layout.al_bytes);
	if (*ring == NULL) {
		bsr_meta_error("out of memory for an activity log of %" PRIu64 " bytes",
			md->layout.al_bytes);
		return META_UNSUPPORTED;
	}
	const int rc =
		bsr_meta_device_read(ctx, *ring, (size_t)md->layout.al_bytes, md->layout.al_offset);
	if (rc != META_OK) {
		free(*ring);
	}
	return rc;
}

static int compare_extents(const void *a, const void *b)
{
	const uint32_t x = *(const uint32_t *)a;
	const uint32_t y = *(const uint32_t *)b;
	return x < y ? -1 : x > y;
}

/* Sets the bits of the @count hot extents at the front of the sorted @extent, in all slots. */
static int mark_extents(const struct bsr_meta_context *ctx, const struct bsr_meta_md *md,
	const uint32_t *extent, uint32_t count)
{
	struct bsr_meta_bits bits;
	const uint64_t bits_per_extent = BSR_AL_EXTENT_BYTES / md->sb.bytes_per_bit;
	const uint64_t area = bsr_meta_bitmap_bytes(md);
	const uint64_t end_bit = (area / 4 / md->sb.max_peers + 1) * 32;
	uint64_t added = 0;
	uint32_t beyond = 0;
	int rc = bsr_meta_bits_open(&bits, ctx, md, area, false);
	if (rc != META_OK) {
		return rc;
	}
	for (uint32_t i = 0; i < count && rc == META_OK; i++) {
		if (i > 0 && extent[i] == extent[i - 1]) {
			continue;
		}
		const uint64_t first = extent[i] * bits_per_extent;
		if (first >= md->sb.effective_sectors / (md->sb.bytes_per_bit / BSR_SECTOR_BYTES) +
					1 ||
			first >= end_bit) {
			beyond++;
			continue;
		}
		rc = bsr_meta_bits_set(&bits, first, first + bits_per_extent, &added);
	}
	const int closed = bsr_meta_bits_close(&bits);
	rc = rc == META_OK ? closed : rc;
	if (rc == META_OK) {
		rc = bsr_meta_device_sync(ctx);
	}
	if (rc == META_OK && beyond > 0) {
		bsr_meta_note("%" PRIu32
			      " extents of the activity log lie beyond the agreed size; skipped",
			beyond);
	}
	if (rc == META_OK && added > 0) {
		bsr_meta_note("Marked additional %" PRIu64
			      " KB as out-of-sync based on the activity log",
			added * (md->sb.bytes_per_bit / 1024));
	}
	return rc;
}

/* Everything, in all slots: the log does not tell what may differ. */
static int mark_all(const struct bsr_meta_context *ctx, const struct bsr_meta_md *md)
{
	struct bsr_meta_bits bits;
	const uint64_t sectors_per_bit = md->sb.bytes_per_bit / BSR_SECTOR_BYTES;
	uint64_t added = 0;
	int rc = bsr_meta_bits_open(&bits, ctx, md, bsr_meta_bitmap_bytes(md), false);
	if (rc != META_OK) {
		return rc;
	}
	rc = bsr_meta_bits_set(
		&bits, 0, bsr_div_ceil_u64(md->sb.effective_sectors, sectors_per_bit), &added);
	const int closed = bsr_meta_bits_close(&bits);
	rc = rc == META_OK ? closed : rc;
	return rc == META_OK ? bsr_meta_device_sync(ctx) : rc;
}

static bool is_old_log(const uint8_t *ring)
{
	return be32_at(ring) == OLD_LOG_MAGIC || be32_at(ring + BSR_SECTOR_BYTES) == OLD_LOG_MAGIC;
}

static int report_unusable(
	const struct bsr_meta_context *ctx, const struct bsr_meta_md *md, uint32_t corrupt)
{
	const uint32_t blocks = (uint32_t)(md->layout.al_bytes / BSR_MD_BLOCK_BYTES);
	bsr_meta_error(
		"the activity log on %s is not usable: %" PRIu32 " of %" PRIu32
		" blocks are damaged. This node "
		"was Primary, so blocks written last may differ from the peer's and nobody knows which: "
		"\"invalidate\" this disk and let the peer resync it, or run a full resync from it",
		ctx->path, corrupt, blocks);
	return corrupt == blocks ? META_DECLINED : META_AL_UNUSABLE;
}

/* What the log of a crashed Primary cannot tell counts as out of sync. */
static int mark_unknown(const struct bsr_meta_context *ctx, const struct bsr_meta_md *md,
	const uint8_t *ring, uint32_t corrupt)
{
	if ((md->sb.flags & BSR_MDF_AL_DISABLED) != 0) {
		bsr_meta_note(
			"The activity log was switched off: all blocks are marked as out of sync");
		return mark_all(ctx, md);
	}
	if (!bsr_al_replay_is_complete(ring, md->sb.al_stripes, md->sb.al_stripe_blocks)) {
		bsr_meta_note(
			"%" PRIu32
			" corrupt AL transactions found, and nothing repeats what they said: all blocks are "
			"marked as out of sync",
			corrupt);
		return mark_all(ctx, md);
	}
	if (corrupt > 0) {
		bsr_meta_note("%" PRIu32
			      " corrupt AL transactions found; the others say all that matters",
			corrupt);
	}
	return META_OK;
}

/* Replays the ring into the bitmap; @rewrite tells whether the ring must be initialised. */
static int replay(const struct bsr_meta_context *ctx, const struct bsr_meta_md *md,
	const uint8_t *ring, bool *rewrite)
{
	uint32_t *table = malloc(BSR_AL_EXTENTS_MAX * sizeof(*table));
	uint32_t hot;
	uint32_t corrupt;
	uint32_t next;
	const bool was_primary = (md->sb.flags & BSR_MDF_PRIMARY_IND) != 0;
	if (table == NULL) {
		bsr_meta_error("out of memory for the activity log's extents");
		return META_UNSUPPORTED;
	}
	int rc = bsr_al_replay(
		ring, md->sb.al_stripes, md->sb.al_stripe_blocks, table, &hot, &corrupt, &next);
	*rewrite = true;
	if (rc != 0 && was_primary) {
		free(table);
		return report_unusable(ctx, md, corrupt);
	}
	if (rc == 0 && next == 0 && hot == 0 && corrupt == 0) {
		*rewrite = false; /* freshly initialised */
	}
	rc = META_OK;
	if (was_primary && hot > 0) {
		/* Free slots sort last. */
		qsort(table, BSR_AL_EXTENTS_MAX, sizeof(*table), compare_extents);
		rc = mark_extents(ctx, md, table, hot);
	}
	if (rc == META_OK && was_primary) {
		rc = mark_unknown(ctx, md, ring, corrupt);
	}
	free(table);
	return rc;
}

/* The log of a node that crashed as Secondary of a Primary, with third nodes: only some slots get bits, at attach. */
static bool is_secondarys_log(const struct bsr_meta_md *md)
{
	bool writes_here = false;
	for (uint32_t node = 0; node < BSR_NODES_MAX; node++) {
		writes_here = writes_here || (md->sb.peer[node].flags & BSR_MDPF_WRITES_HERE) != 0;
	}
	return md->format == 9 && writes_here && (md->sb.flags & BSR_MDF_PRIMARY_IND) == 0;
}

int bsr_meta_al_apply(const struct bsr_meta_context *ctx, struct bsr_meta_md *md)
{
	uint8_t *ring;
	bool rewrite = false;
	if (is_secondarys_log(md)) {
		bsr_meta_note("This node was Secondary when it stopped: its activity log is applied when the disk is attached");
		return META_OK;
	}
	int rc = read_ring(ctx, md, &ring);
	if (rc != META_OK) {
		return rc;
	}
	if (md->format == 8 && is_old_log(ring)) {
		bsr_meta_error(
			"the activity log on %s is in the form of DRBD 8.3; apply it with drbdmeta first",
			ctx->path);
		free(ring);
		return META_UNSUPPORTED;
	}
	rc = replay(ctx, md, ring, &rewrite);
	free(ring);
	if (rc == META_OK && rewrite) {
		rc = bsr_meta_al_initialise(ctx, md);
	}
	if (rc != META_OK) {
		return rc;
	}
	const bool unchanged = md->format == 8 && bsr_meta_is_clean(md) && !rewrite;
	md->sb.flags |= BSR_MDF_AL_CLEAN;
	md->v08_in_use = false;
	return unchanged ? META_OK : bsr_meta_write(ctx, md);
}

int bsr_meta_apply_al(struct bsr_meta_context *ctx)
{
	struct bsr_meta_md md;
	const int rc = bsr_meta_read(ctx, &md);
	return rc == META_OK ? bsr_meta_al_apply(ctx, &md) : rc;
}

/* ---- listing, for dump-md with ten -v ---- */

/* The listing that tools have always printed; @max_slot receives the highest slot number seen. */
static void print_slots(const struct bsr_al_transaction *t, uint32_t *max_slot)
{
	printf("# \ttr: %10" PRIu32 "\n", t->number);
	printf("# \tactive set size: %u\n", t->context_size);
	for (uint32_t i = 0; i < BSR_AL_CONTEXT_PER_TRANSACTION; i++) {
		const uint32_t slot = (uint32_t)t->context_start + i;
		if (slot < t->context_size) {
			printf("# \t%2" PRIu32 ": %10" PRIu32 " %10" PRIu32 "\n", i, slot,
				t->context[i]);
			*max_slot = slot > *max_slot ? slot : *max_slot;
		}
	}
	printf("# \tupdates: %u\n", t->update_count);
	for (uint32_t i = 0; i < t->update_count; i++) {
		const uint32_t slot = t->update_slot[i];
		printf("# \t%2" PRIu32 ": %10" PRIu32 " %10" PRIu32 "\n", i, slot,
			t->update_extent[i]);
		*max_slot = slot > *max_slot ? slot : *max_slot;
	}
}

static void print_block(uint64_t number, const uint8_t *block, uint32_t *max_slot)
{
	static struct bsr_al_transaction t;
	const int rc = bsr_al_transaction_decode(&t, block);
	if (rc == 0 && t.initialised) {
		printf("#     block %2" PRIu64 " { INITIALIZED }\n", number);
		return;
	}
	printf("#     block %2" PRIu64 " {\n", number);
	printf("# \tmagic: 0x%08" PRIx32 "\n", be32_at(block));
	printf("# \ttype: 0x%04" PRIx32 "\n", be32_at(block + 12) >> 16);
	if (rc != 0) {
		printf("# \tnot usable: %s\n", bsr_error_text(rc));
	} else {
		print_slots(&t, max_slot);
	}
	printf("# \tcrc32c: 0x%08" PRIx32 "\n#     }\n", be32_at(block + 8));
}

int bsr_meta_al_print(const struct bsr_meta_context *ctx, const struct bsr_meta_md *md)
{
	uint8_t *ring;
	uint32_t max_slot = 0;
	const int rc = read_ring(ctx, md, &ring);
	if (rc != META_OK) {
		return rc;
	}
	printf("# al {\n");
	for (uint64_t block = 0; block < md->layout.al_bytes / BSR_MD_BLOCK_BYTES; block++) {
		print_block(block, ring + block * BSR_MD_BLOCK_BYTES, &max_slot);
	}
	if (max_slot >= md->sb.al_extents) {
		printf("### CAUTION: maximum slot number found in AL: %" PRIu32 "\n"
		       "### CAUTION: but 'super-block' al-extents is: %" PRIu32 "\n",
			max_slot, md->sb.al_extents);
	}
	printf("# }\n");
	free(ring);
	return META_OK;
}
