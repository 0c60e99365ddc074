// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * resize.c - internal metadata follows the end of a device that has grown
 *
 * Owns:       the move.
 * May touch:  the old and the new metadata area.
 * Invariants:
 *   MOVE-1  The bitmap keeps its start: bit n means the same block before and after.
 *   MOVE-2  The superblock at the new end asks for a full sync until the move is complete, and is
 * durable before anything of the old area is overwritten: an interrupted move costs a full sync,
 * never a block.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include <bsr/assert.h>
#include <bsr/bytes.h>

#include "meta.h"

#define COPY_STEP_BYTES (1u << 20)

int bsr_meta_find_moved(const struct bsr_meta_context *ctx, struct bsr_meta_md *md)
{
	struct bsr_meta_last_known known;
	struct bsr_meta_found found;
	if (!bsr_meta_last_known_read(ctx, &known) || known.bytes == ctx->size_bytes ||
		known.bytes > ctx->size_bytes || known.bytes < META_DEVICE_BYTES_MIN) {
		return META_NOT_FOUND;
	}
	if (bsr_meta_probe(ctx, known.bytes, &found, md) != META_OK) {
		return META_BAD;
	}
	const bool wanted = (found.what == META_PROBE_V09 && ctx->format == 9) ||
			    (found.what == META_PROBE_V08 && ctx->format == 8);
	return wanted ? META_OK : META_NOT_FOUND;
}

/* Backwards, because the new place lies behind the old one and may overlap it. */
static int copy_up(const struct bsr_meta_context *ctx, uint64_t from, uint64_t to, uint64_t bytes)
{
	BSR_ASSERT(to >= from);
	int rc = META_OK;
	uint8_t *buffer = malloc(COPY_STEP_BYTES);
	if (buffer == NULL) {
		bsr_meta_error("out of memory");
		return META_UNSUPPORTED;
	}
	while (bytes > 0 && rc == META_OK) {
		const size_t step = bytes < COPY_STEP_BYTES ? (size_t)bytes : COPY_STEP_BYTES;
		bytes -= step;
		rc = bsr_meta_device_read(ctx, buffer, step, from + bytes);
		if (rc == META_OK) {
			rc = bsr_meta_device_write(ctx, buffer, step, to + bytes);
		}
	}
	free(buffer);
	return rc;
}

static int write_guarded(const struct bsr_meta_context *ctx, const struct bsr_meta_md *md)
{
	struct bsr_meta_md guard = *md;
	for (uint32_t i = 0; i < BSR_NODES_MAX; i++) {
		guard.sb.peer[i].flags |= BSR_MDPF_FULL_SYNC;
	}
	guard.sb.flags |= guard.format == 8 ? META_V08_FULL_SYNC : 0;
	return bsr_meta_write(ctx, &guard);
}

static int fill_new_place(const struct bsr_meta_context *ctx, const struct bsr_md_layout *old,
	const struct bsr_md_layout *new)
{
	const uint64_t keep =
		old->bitmap_bytes < new->bitmap_bytes ? old->bitmap_bytes : new->bitmap_bytes;
	int rc = copy_up(ctx, old->bitmap_offset, new->bitmap_offset, keep);
	if (rc == META_OK) {
		rc = bsr_meta_device_zero(ctx, new->bitmap_bytes - keep, new->bitmap_offset + keep);
	}
	return rc == META_OK ? bsr_meta_device_sync(ctx) : rc;
}

/* The old area becomes data: nothing in it may look like metadata later. */
static int wipe_old_place(const struct bsr_meta_context *ctx, const struct bsr_md_layout *old,
	const struct bsr_md_layout *new)
{
	const uint64_t end = old->superblock_offset + BSR_MD_BLOCK_BYTES;
	const uint64_t stop = end < new->bitmap_offset ? end : new->bitmap_offset;
	if (stop <= old->bitmap_offset) {
		return META_OK;
	}
	const int rc = bsr_meta_device_zero(ctx, stop - old->bitmap_offset, old->bitmap_offset);
	return rc == META_OK ? bsr_meta_device_sync(ctx) : rc;
}

int bsr_meta_move(const struct bsr_meta_context *ctx, struct bsr_meta_md *md)
{
	int rc = META_OK;
	if (!bsr_meta_is_clean(md)) {
		rc = bsr_meta_al_apply(ctx, md); /* at the old place: the log does not move */
	}
	if (rc != META_OK) {
		return rc;
	}
	const struct bsr_md_layout old = md->layout;
	rc = bsr_meta_layout(ctx, md, ctx->size_bytes);
	if (rc != META_OK) {
		return rc;
	}
	if (md->layout.bitmap_offset < old.bitmap_offset) {
		/* A much larger bitmap begins before the old one: data would have to give way. */
		bsr_meta_error(
			"the meta data for the new size of %s would need space that data uses; grow the device "
			"further, or dump-md and restore-md to fewer bitmap slots",
			ctx->path);
		return META_UNSUPPORTED;
	}
	if ((rc = write_guarded(ctx, md)) != META_OK ||
		(rc = fill_new_place(ctx, &old, &md->layout)) != META_OK ||
		(rc = bsr_meta_al_initialise(ctx, md)) != META_OK ||
		(rc = bsr_meta_write(ctx, md)) != META_OK ||
		(rc = wipe_old_place(ctx, &old, &md->layout)) != META_OK) {
		return rc;
	}
	bsr_meta_note("Moved the meta data of %s from byte %" PRIu64 " to byte %" PRIu64, ctx->path,
		old.superblock_offset, md->layout.superblock_offset);
	return bsr_meta_last_known_write(ctx, md->sb.device_uuid);
}

int bsr_meta_check_resize(struct bsr_meta_context *ctx)
{
	struct bsr_meta_last_known known;
	struct bsr_meta_found found;
	struct bsr_meta_md md;
	if (ctx->kind != BSR_MD_INTERNAL) {
		return META_OK; /* external metadata stays where it is */
	}
	int rc = bsr_meta_probe(ctx, ctx->size_bytes, &found, &md);
	if (rc != META_OK) {
		return rc;
	}
	if (found.what == (ctx->format == 9 ? META_PROBE_V09 : META_PROBE_V08)) {
		return bsr_meta_last_known_write(ctx, md.sb.device_uuid);
	}
	if (!bsr_meta_last_known_read(ctx, &known)) {
		bsr_meta_error(
			"No valid meta data found on %s, and its last known size is not recorded",
			ctx->path);
		return META_NOT_FOUND;
	}
	if (known.bytes > ctx->size_bytes) {
		bsr_meta_error(
			"%s shrank from %" PRIu64 " to %" PRIu64
			" bytes: its meta data was in the part that is "
			"gone. Give it the old size again, shrink the volume first, then the device",
			ctx->path, known.bytes, ctx->size_bytes);
		return META_NOT_FOUND;
	}
	if (bsr_meta_find_moved(ctx, &md) != META_OK) {
		bsr_meta_error(
			"No valid meta data found on %s, neither at its end nor where it ended before (%" PRIu64
			" bytes)",
			ctx->path, known.bytes);
		return META_NOT_FOUND;
	}
	return bsr_meta_move(ctx, &md);
}
