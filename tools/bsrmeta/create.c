// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * create.c - create-md, convert-md and wipe-md
 *
 * Owns:       the order of a creation, and the questions before it.
 * May touch:  everything of the metadata area.
 * Invariants:
 *   CRE-1  An old superblock is gone before its bitmap or log is overwritten, the new one is
 * written last: an interrupted creation leaves no metadata. CRE-2  Nothing is written before every
 * question has been answered.
 */
#include <inttypes.h>
#include <string.h>

#include <bsr/assert.h>

#include "bits.h"
#include "meta.h"

static const char *kind_name(const struct bsr_meta_context *ctx)
{
	switch (ctx->kind) {
	case BSR_MD_INTERNAL:
		return "flexible-size internal";
	case BSR_MD_FLEX_EXTERNAL:
		return "flexible-size external";
	case BSR_MD_INDEXED:
		return "indexed external";
	}
	return "";
}

/* A fresh superblock, as create-md leaves it. */
static int fill_new(const struct bsr_meta_context *ctx, uint32_t max_peers, struct bsr_meta_md *md)
{
	const struct bsr_meta_options *opt = &ctx->opt;
	memset(md, 0, sizeof(*md));
	md->format = ctx->format;
	md->stride_bytes = bsr_meta_new_stride(ctx);
	const bool drbd_indexed =
		ctx->kind == BSR_MD_INDEXED && md->stride_bytes == BSR_MD_STRIDE_DRBD_BYTES;
	struct bsr_superblock *sb = &md->sb;
	sb->current_gi.v = BSR_GI_JUST_CREATED;
	sb->flags = BSR_MDF_AL_CLEAN;
	sb->al_extents = META_AL_EXTENTS_CREATED;
	sb->bytes_per_bit = BSR_BITMAP_BLOCK_BYTES;
	sb->peer_max_bio_bytes = opt->peer_max_bio_size > 0 ? (uint32_t)opt->peer_max_bio_size : 0;
	sb->max_peers = max_peers;
	sb->node_id = -1;
	sb->al_stripes = opt->al_stripes != 0 ? opt->al_stripes : 1;
	sb->al_stripe_blocks = opt->al_stripe_blocks != 0 ? opt->al_stripe_blocks
			       : drbd_indexed             ? META_AL_BLOCKS_DRBD_INDEXED
							  : bsr_names()->drbd ? META_AL_BLOCKS_DRBD
								      : META_AL_BLOCKS_DEFAULT;
	for (uint32_t i = 0; i < BSR_NODES_MAX; i++) {
		sb->peer[i].bitmap_index = md->format == 8 && i == 0 ? 0 : -1;
	}
	if (bsr_superblock_problem(sb) != NULL) {
		bsr_meta_error("impossible settings: %s", bsr_superblock_problem(sb));
		return META_BAD;
	}
	return bsr_meta_layout(ctx, md, ctx->size_bytes);
}

static int write_new(const struct bsr_meta_context *ctx, struct bsr_meta_md *md)
{
	int rc = bsr_meta_device_zero(ctx, BSR_MD_BLOCK_BYTES, md->layout.superblock_offset);
	if (rc == META_OK) {
		rc = bsr_meta_device_sync(ctx);
	}
	if (rc != META_OK) {
		return rc;
	}
	printf("initializing activity log\n");
	rc = bsr_meta_al_initialise(ctx, md);
	if (rc != META_OK) {
		return rc;
	}
	/* The line that scripts and manuals know; what really happens is on stderr: stale bits are
	 * never kept. */
	printf("NOT initializing bitmap\n");
	fflush(stdout);
	fprintf(stderr, "initializing bitmap (%" PRIu64 " KB) to all zero\n",
		md->layout.bitmap_bytes / 1024);
	rc = bsr_meta_device_zero(ctx, md->layout.bitmap_bytes, md->layout.bitmap_offset);
	if (rc == META_OK) {
		rc = bsr_meta_device_sync(ctx);
	}
	if (rc != META_OK) {
		return rc;
	}
	printf("Writing meta data...\n");
	fflush(stdout);
	return bsr_meta_write(ctx, md);
}

static bool confirm_overwrite(const struct bsr_meta_context *ctx,
	const struct bsr_meta_found *found, const struct bsr_meta_md *old)
{
	const bool same = (found->what == META_PROBE_V09 && ctx->format == 9) ||
			  (found->what == META_PROBE_V08 && ctx->format == 8);
	bsr_meta_note(
		"You want me to create a v%02" PRIu32 " style %s meta data block.\n"
		"There appears to be a %s meta data block already in place on %s at byte offset %" PRIu64
		".",
		ctx->format, kind_name(ctx), bsr_meta_probe_name(found->what), ctx->path,
		found->superblock_offset);
	if (found->what == META_PROBE_DAMAGED) {
		bsr_meta_note("It cannot be used: %s.", found->problem);
	} else if (found->what != META_PROBE_V07 && !bsr_meta_is_clean(old)) {
		bsr_meta_note(
			"It was not detached cleanly: its activity log still names changed blocks.");
	}
	if (found->what == META_PROBE_V08 && ctx->format == 9) {
		bsr_meta_note("To keep its identifiers and bitmap answer no, and use convert-md.");
	}
	return bsr_meta_confirm(
		ctx, same ? "Do you really want to overwrite the existing meta-data?"
			  : "Do you want to replace it by newly initialized meta data?");
}

/* Metadata that is there already, here or where the device used to end. *@done: a move was chosen,
 * all is done. */
static int handle_existing(struct bsr_meta_context *ctx, bool *there, bool *done)
{
	struct bsr_meta_found found;
	struct bsr_meta_md old;
	int rc = bsr_meta_probe(ctx, ctx->size_bytes, &found, &old);
	*done = false;
	*there = false;
	if (rc != META_OK) {
		return rc;
	}
	*there = found.what != META_PROBE_NONE;
	if (*there) {
		if (ctx->kind == BSR_MD_INDEXED && ctx->opt.stride_bytes == 0) {
			ctx->opt.stride_bytes =
				old.stride_bytes; /* stay with whoever made the neighbours */
		}
		if (!confirm_overwrite(ctx, &found, &old)) {
			bsr_meta_note("Operation cancelled.");
			return META_DECLINED;
		}
		if (found.v07_fixed_place) {
			rc = bsr_meta_device_zero(ctx, BSR_MD_BLOCK_BYTES, found.superblock_offset);
		}
		return rc;
	}
	if (bsr_meta_find_moved(ctx, &old) == META_OK) {
		bsr_meta_note("There is meta data on %s for the size it used to have, %" PRIu64
			      " bytes.",
			ctx->path, old.device_bytes);
		if (bsr_meta_confirm(ctx, "Move it to the present end instead of making new?")) {
			*done = true;
			return bsr_meta_move(ctx, &old);
		}
	}
	return META_OK;
}

static int parse_slots(const struct bsr_meta_context *ctx, uint32_t *max_peers)
{
	uint64_t slots = 1;
	if (ctx->format == 8) {
		if (ctx->arg_count != 0) {
			bsr_meta_error("create-md for v08 takes no number of peers: v08 has one");
			return META_USAGE;
		}
	} else if (ctx->arg_count != 1 ||
		   !bsr_meta_parse_number(ctx->args[0], BSR_PEERS_MAX, &slots) || slots == 0) {
		bsr_meta_error("create-md needs the number of peers, 1..%u", BSR_PEERS_MAX);
		return META_USAGE;
	}
	*max_peers = (uint32_t)slots;
	return META_OK;
}

int bsr_meta_create(struct bsr_meta_context *ctx)
{
	struct bsr_meta_md md;
	uint32_t max_peers;
	bool there = false;
	bool done = false;
	int rc = parse_slots(ctx, &max_peers);
	if (rc == META_OK) {
		rc = fill_new(ctx, max_peers, &md); /* says early that it does not fit */
	}
	if (rc == META_OK) {
		rc = handle_existing(ctx, &there, &done);
	}
	if (rc != META_OK || done) {
		return rc;
	}
	rc = fill_new(ctx, max_peers, &md);
	if (rc == META_OK && (!there || ctx->kind == BSR_MD_INTERNAL)) {
		rc = bsr_meta_check_existing_data(ctx, md.layout.superblock_offset,
			ctx->kind == BSR_MD_INTERNAL ? md.layout.data_bytes : 0);
		if (rc == META_DECLINED) {
			bsr_meta_note("Operation cancelled.");
		}
	}
	if (rc == META_OK) {
		rc = write_new(ctx, &md);
	}
	if (rc == META_OK) {
		rc = bsr_meta_last_known_write(ctx, 0);
	}
	if (rc == META_OK) {
		printf("New %s meta data block successfully created.\n", bsr_names()->product);
	}
	return rc;
}

/* ---- v08 to v09, in place: the layout of bitmap and log is the same ---- */

static int bitmap_is_zero(
	const struct bsr_meta_context *ctx, const struct bsr_meta_md *md, bool *zero)
{
	struct bsr_meta_bits bits;
	uint32_t count;
	int rc = bsr_meta_bits_open(&bits, ctx, md, bsr_meta_bitmap_bytes(md), true);
	if (rc != META_OK) {
		return rc;
	}
	*zero = true;
	for (uint64_t chunk = 0; chunk < bits.chunk_count && rc == META_OK && *zero; chunk++) {
		rc = bsr_meta_bits_load(&bits, 0, chunk, &count);
		for (uint32_t i = 0; rc == META_OK && i < count && *zero; i++) {
			*zero = bits.chunk[i] == 0;
		}
	}
	bsr_meta_bits_close(&bits);
	return rc;
}

/* The v08 flags that v09 keeps per peer. */
static void split_flags(struct bsr_superblock *sb, uint32_t peer)
{
	static const struct {
		uint32_t v08, v09;
	} pairs[] = {{META_V08_CONNECTED, BSR_MDPF_CONNECTED},
		{META_V08_FULL_SYNC, BSR_MDPF_FULL_SYNC},
		{META_V08_PEER_OUTDATED, BSR_MDPF_OUTDATED}};
	for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
		if ((sb->flags & pairs[i].v08) != 0) {
			sb->flags &= ~pairs[i].v08;
			sb->peer[peer].flags |= pairs[i].v09;
		}
	}
}

static int check_convertible(const struct bsr_meta_context *ctx, const struct bsr_meta_md *md)
{
	bool zero;
	if (!bsr_meta_is_clean(md)) {
		bsr_meta_error("the meta data is not clean: run apply-al with format v08 first");
		return META_DECLINED;
	}
	const int rc = bitmap_is_zero(ctx, md, &zero);
	if (rc != META_OK) {
		return rc;
	}
	if (ctx->opt.node_id < 0 && (!zero || md->sb.peer[0].bitmap_gi.v != 0)) {
		bsr_meta_error(
			"blocks are out of sync with the peer, or were when it was last seen; say with "
			"--node-id=N which node that is, so that its bitmap stays its own");
		return META_USAGE;
	}
	return META_OK;
}

int bsr_meta_convert(struct bsr_meta_context *ctx)
{
	struct bsr_meta_md md;
	if (ctx->format != 9) {
		bsr_meta_error("convert-md converts v08 to v09: give v09 as the format");
		return META_USAGE;
	}
	ctx->format = 8; /* what is to be read */
	int rc = bsr_meta_read(ctx, &md);
	if (rc == META_OK) {
		rc = check_convertible(ctx, &md);
	}
	if (rc != META_OK) {
		return rc;
	}
	if (!bsr_meta_confirm(
		    ctx, "Convert the v08 meta data to v09? It will have one bitmap slot.")) {
		return META_DECLINED;
	}
	const struct bsr_gi bitmap_gi = md.sb.peer[0].bitmap_gi;
	const uint32_t peer = ctx->opt.node_id < 0 ? 0 : (uint32_t)ctx->opt.node_id;
	md.format = 9;
	md.sb.peer[0] = (struct bsr_superblock_peer){.bitmap_index = -1};
	if (ctx->opt.node_id >= 0) {
		md.sb.peer[peer].bitmap_index = 0;
		md.sb.peer[peer].bitmap_gi = bitmap_gi;
	}
	split_flags(&md.sb, peer);
	rc = bsr_meta_write(ctx, &md);
	if (rc == META_OK) {
		printf("Converted to v09 meta data with 1 bitmap slot.\n");
	}
	return rc;
}

int bsr_meta_wipe(struct bsr_meta_context *ctx)
{
	struct bsr_meta_found found;
	struct bsr_meta_md md;
	int rc = bsr_meta_probe(ctx, ctx->size_bytes, &found, &md);
	if (rc != META_OK) {
		return rc;
	}
	if (found.what == META_PROBE_NONE) {
		bsr_meta_note("There is no meta data on %s to wipe.", ctx->path);
		return META_OK;
	}
	char question[80];
	snprintf(question, sizeof(question), "Do you really want to wipe out the %s meta data?",
		bsr_names()->capital);
	if (!bsr_meta_confirm(ctx, question)) {
		return META_DECLINED;
	}
	printf("Wiping meta data...\n");
	fflush(stdout);
	rc = bsr_meta_device_zero(ctx, BSR_MD_BLOCK_BYTES, found.superblock_offset);
	if (rc == META_OK) {
		rc = bsr_meta_device_sync(ctx);
	}
	if (rc == META_OK) {
		rc = bsr_meta_last_known_remove(ctx);
	}
	if (rc == META_OK) {
		printf("%s meta data block successfully wiped out.\n", bsr_names()->capital);
	}
	return rc;
}
