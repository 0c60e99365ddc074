// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * gi.c - generation identifiers and flags: show, change, and the commands that change one thing
 *
 * Owns:       the identifier line and its legend.
 * May touch:  the superblock.
 */
#include <inttypes.h>
#include <string.h>

#include <bsr/assert.h>

#include "meta.h"

#define LINE_BYTES 160u
#define FLAGS_MAX 12u

/** One flag of the line: where it is kept, and what it means. */
struct flag {
	bool of_peer;
	uint32_t bit;
	const char *word; /* for programs */
	const char *meaning;
};

static const struct flag v09_flags[FLAGS_MAX] = {
	{false, BSR_MDF_CONSISTENT, "consistent", "the data is consistent"},
	{false, BSR_MDF_WAS_UP_TO_DATE, "was-up-to-date", "the data is or was up to date"},
	{false, BSR_MDF_PRIMARY_IND, "primary-ind", "this node, or a peer connected to it, is or was Primary"},
	{false, BSR_MDF_CRASHED_PRIMARY, "crashed-primary", "crashed as Primary and has not settled that with a peer"},
	{false, BSR_MDF_AL_CLEAN, "al-clean", "the activity log has been applied, the disk can be attached"},
	{false, BSR_MDF_AL_DISABLED, "al-disabled", "the activity log was off, peers are fully out of sync"},
	{true, BSR_MDPF_CONNECTED, "peer-connected", "the peer is or was connected"},
	{true, BSR_MDPF_OUTDATED, "peer-outdate", "the peer's disk is known to be Outdated or Inconsistent"},
	{true, BSR_MDPF_FENCING, "peer-fencing", "a fencing policy other than dont-care was in use"},
	{true, BSR_MDPF_FULL_SYNC, "peer-full-sync", "all blocks are being marked as out of sync"},
	{false, BSR_MDF_LAST_PRIMARY, "last-primary", "this node was the last Primary"},
	{false, BSR_MDF_WAS_PRIMARY, "was-primary", "the Primary role is to be taken up again"},
};

static const struct flag v08_flags[] = {
	{false, BSR_MDF_CONSISTENT, "consistent", "the data is consistent"},
	{false, BSR_MDF_WAS_UP_TO_DATE, "was-up-to-date", "the data is or was up to date"},
	{false, BSR_MDF_PRIMARY_IND, "primary-ind", "this node is or was Primary"},
	{false, META_V08_CONNECTED, "peer-connected", "the peer is or was connected"},
	{false, META_V08_FULL_SYNC, "peer-full-sync", "all blocks are being marked as out of sync"},
	{false, META_V08_PEER_OUTDATED, "peer-outdate", "the peer's disk is known to be Outdated or Inconsistent"},
	{false, BSR_MDF_CRASHED_PRIMARY, "crashed-primary", "crashed as Primary and has not seen its peer since"},
};

static const struct flag *flags_of(const struct bsr_meta_md *md, size_t *count)
{
	*count = md->format == 9 ? FLAGS_MAX : sizeof(v08_flags) / sizeof(v08_flags[0]);
	return md->format == 9 ? v09_flags : v08_flags;
}

static uint32_t peer_of(const struct bsr_meta_context *ctx, const struct bsr_meta_md *md)
{
	return md->format == 9 ? (uint32_t)ctx->opt.node_id : 0;
}

static uint32_t *flag_word(struct bsr_meta_md *md, const struct flag *flag, uint32_t peer)
{
	BSR_ASSERT(peer < BSR_NODES_MAX);
	return flag->of_peer ? &md->sb.peer[peer].flags : &md->sb.flags;
}

static void format_line(struct bsr_meta_md *md, uint32_t peer, char *line)
{
	size_t count;
	const struct flag *flags = flags_of(md, &count);
	int at = snprintf(line, LINE_BYTES,
		"%016" PRIX64 ":%016" PRIX64 ":%016" PRIX64 ":%016" PRIX64, md->sb.current_gi.v,
		md->sb.peer[peer].bitmap_gi.v, md->sb.history[0].v, md->sb.history[1].v);
	for (size_t i = 0; i < count; i++) {
		const bool set = (*flag_word(md, &flags[i], peer) & flags[i].bit) != 0;
		at += snprintf(line + at, LINE_BYTES - (size_t)at, ":%d", set ? 1 : 0);
	}
	BSR_ASSERT(at > 0 && (size_t)at < LINE_BYTES);
}

/* v09 has identifiers per peer; a command that needs one says so. */
static int read_for_peer(const struct bsr_meta_context *ctx, struct bsr_meta_md *md, uint32_t *peer)
{
	if (ctx->format == 9 && ctx->opt.node_id < 0) {
		bsr_meta_error(
			"%s needs --node-id=N, the node id of the peer (0..31)", ctx->command);
		return META_USAGE;
	}
	const int rc = bsr_meta_read(ctx, md);
	*peer = rc == META_OK ? peer_of(ctx, md) : 0;
	return rc;
}

static void print_json(const struct bsr_meta_context *ctx, struct bsr_meta_md *md, uint32_t peer)
{
	size_t count;
	const struct flag *flags = flags_of(md, &count);

	bsr_meta_json_begin(ctx);
	printf(",\"peer-node-id\":%" PRIu32 ",\"current\":\"%016" PRIX64 "\",\"bitmap\":\"%016" PRIX64
	       "\",\"history1\":\"%016" PRIX64 "\",\"history2\":\"%016" PRIX64 "\",\"flags\":{",
		peer, md->sb.current_gi.v, md->sb.peer[peer].bitmap_gi.v, md->sb.history[0].v,
		md->sb.history[1].v);
	for (size_t i = 0; i < count; i++) {
		const bool set = (*flag_word(md, &flags[i], peer) & flags[i].bit) != 0;
		printf("%s\"%s\":%d", i == 0 ? "" : ",", flags[i].word, set ? 1 : 0);
	}
	printf("}}\n");
}

int bsr_meta_get_gi(struct bsr_meta_context *ctx)
{
	struct bsr_meta_md md;
	uint32_t peer;
	char line[LINE_BYTES];
	const int rc = read_for_peer(ctx, &md, &peer);
	if (rc == META_OK && ctx->opt.json) {
		print_json(ctx, &md, peer);
	} else if (rc == META_OK) {
		format_line(&md, peer, line);
		printf("%s\n", line);
	}
	return rc;
}

static void print_legend_above(void)
{
	printf("\n"
	       "       +--<  current generation\n"
	       "       |               +--<  generation the peer's bitmap starts from\n"
	       "       |               |                 +--<  generation before\n"
	       "       |               |                 |                 +--<  and the one before that\n"
	       "       V               V                 V                 V\n");
}

static void print_legend_below(const struct flag *flags, size_t count)
{
	const size_t first_column = 68; /* 4 x 16 digits and 4 colons */
	printf("%*s", (int)first_column, "");
	for (size_t i = 0; i < count; i++) {
		printf("%s", i + 1 < count ? "^ " : "^\n");
	}
	for (size_t i = 0; i < count; i++) {
		const int width = (int)(first_column + 2 * i) - (int)sizeof("  >--") + 1;
		printf("%*s  >--+", width, flags[i].meaning);
		for (size_t rest = i + 1; rest < count; rest++) {
			printf(" |");
		}
		printf("\n");
	}
	printf("\n");
}

int bsr_meta_show_gi(struct bsr_meta_context *ctx)
{
	if (ctx->opt.json) {
		return bsr_meta_get_gi(ctx);
	}
	struct bsr_meta_md md;
	uint32_t peer;
	char line[LINE_BYTES];
	char size[32];
	size_t count;
	const int rc = read_for_peer(ctx, &md, &peer);
	if (rc != META_OK) {
		return rc;
	}
	const struct flag *flags = flags_of(&md, &count);
	format_line(&md, peer, line);
	print_legend_above();
	printf("%s\n", line);
	print_legend_below(flags, count);
	if (md.sb.effective_sectors == 0) {
		printf("zero size device -- never seen a peer yet?\n");
	} else {
		printf("last agreed size: %s (%" PRIu64 " sectors)\n",
			bsr_meta_size_text(size, md.sb.effective_sectors * BSR_SECTOR_BYTES),
			md.sb.effective_sectors);
	}
	if (md.sb.peer_max_bio_bytes != 0) {
		printf("last agreed max bio size: %" PRIu32 " bytes\n", md.sb.peer_max_bio_bytes);
	}
	return META_OK;
}

/* Field @index of the line; empty keeps what is there. */
static int set_field(struct bsr_meta_md *md, uint32_t peer, size_t index, const char *text)
{
	size_t count;
	const struct flag *flags = flags_of(md, &count);
	uint64_t value;
	if (text[0] == '\0') {
		return META_OK;
	}
	if (index < 4) {
		uint64_t *const place[4] = {&md->sb.current_gi.v, &md->sb.peer[peer].bitmap_gi.v,
			&md->sb.history[0].v, &md->sb.history[1].v};
		if (!bsr_meta_parse_hex(text, &value)) {
			bsr_meta_error("\"%s\" is not an identifier of up to 16 hex digits", text);
			return META_BAD;
		}
		*place[index] = value;
		return META_OK;
	}
	if (index - 4 >= count || (strcmp(text, "0") != 0 && strcmp(text, "1") != 0)) {
		bsr_meta_error("\"%s\" as field %zu: flags are 0 or 1, and there are %zu of them",
			text, index + 1, count);
		return META_BAD;
	}
	uint32_t *word = flag_word(md, &flags[index - 4], peer);
	*word = text[0] == '1' ? *word | flags[index - 4].bit : *word & ~flags[index - 4].bit;
	return META_OK;
}

static int set_fields(struct bsr_meta_md *md, uint32_t peer, const char *text)
{
	char copy[512];
	if (strlen(text) >= sizeof(copy)) {
		bsr_meta_error("the identifier line is too long");
		return META_BAD;
	}
	snprintf(copy, sizeof(copy), "%s", text);
	char *field = copy;
	for (size_t index = 0; field != NULL; index++) {
		char *colon = strchr(field, ':');
		if (colon != NULL) {
			*colon++ = '\0';
		}
		const int rc = set_field(md, peer, index, field);
		if (rc != META_OK) {
			return rc;
		}
		field = colon;
	}
	return META_OK;
}

int bsr_meta_set_gi(struct bsr_meta_context *ctx)
{
	struct bsr_meta_md md;
	uint32_t peer;
	char line[LINE_BYTES];
	int rc = read_for_peer(ctx, &md, &peer);
	if (rc != META_OK) {
		return rc;
	}
	format_line(&md, peer, line);
	printf("previously %s\n", line);
	rc = set_fields(&md, peer, ctx->args[0]);
	if (rc != META_OK) {
		return rc;
	}
	format_line(&md, peer, line);
	printf("set GI to  %s\n", line);
	fflush(stdout);
	if (!bsr_meta_confirm(ctx, "Write the new identifiers to disk?")) {
		bsr_meta_note("nothing was changed");
		return META_OK;
	}
	return bsr_meta_write(ctx, &md);
}

/* The peers cannot hold newer data when each one that has a slot is marked as Outdated or worse. */
static bool peers_are_outdated(const struct bsr_meta_md *md)
{
	bool any = false;
	if (md->format == 8) {
		return (md->sb.flags & META_V08_PEER_OUTDATED) != 0;
	}
	for (uint32_t i = 0; i < BSR_NODES_MAX; i++) {
		if (md->sb.peer[i].bitmap_index != -1) {
			any = true;
			if ((md->sb.peer[i].flags & BSR_MDPF_OUTDATED) == 0) {
				return false;
			}
		}
	}
	return any;
}

int bsr_meta_dstate(struct bsr_meta_context *ctx)
{
	struct bsr_meta_md md;
	const int rc = bsr_meta_read(ctx, &md);
	if (rc != META_OK) {
		return rc;
	}
	const char *word = "Consistent";
	if ((md.sb.flags & BSR_MDF_CONSISTENT) == 0) {
		word = "Inconsistent";
	} else if ((md.sb.flags & BSR_MDF_WAS_UP_TO_DATE) == 0) {
		word = "Outdated";
	} else if (peers_are_outdated(&md)) {
		word = "UpToDate";
	}
	if (ctx->opt.json) {
		bsr_meta_json_begin(ctx);
		printf(",\"disk-state\":\"%s\"}\n", word);
	} else {
		printf("%s\n", word);
	}
	return META_OK;
}

int bsr_meta_outdate(struct bsr_meta_context *ctx)
{
	struct bsr_meta_md md;
	const int rc = bsr_meta_read(ctx, &md);
	if (rc != META_OK) {
		return rc;
	}
	if ((md.sb.flags & BSR_MDF_CONSISTENT) == 0) {
		bsr_meta_error(
			"the data on %s is Inconsistent, which is less than Outdated; nothing was changed",
			ctx->path);
		return META_INCONSISTENT;
	}
	md.sb.flags &= ~BSR_MDF_WAS_UP_TO_DATE;
	return bsr_meta_write(ctx, &md);
}

int bsr_meta_invalidate(struct bsr_meta_context *ctx)
{
	struct bsr_meta_md md;
	const int rc = bsr_meta_read(ctx, &md);
	if (rc != META_OK) {
		return rc;
	}
	md.sb.flags &= ~(BSR_MDF_CONSISTENT | BSR_MDF_WAS_UP_TO_DATE);
	if (md.format == 8) {
		md.sb.flags |= META_V08_FULL_SYNC;
	}
	for (uint32_t i = 0; md.format == 9 && i < BSR_NODES_MAX; i++) {
		md.sb.peer[i].flags |= BSR_MDPF_FULL_SYNC;
	}
	return bsr_meta_write(ctx, &md);
}

int bsr_meta_forget_peer(struct bsr_meta_context *ctx)
{
	struct bsr_meta_md md;
	uint32_t peer;
	int rc = read_for_peer(ctx, &md, &peer);
	if (rc != META_OK) {
		return rc;
	}
	if (md.format != 9) {
		bsr_meta_error("forget-peer needs v09 meta data: v08 has one peer only");
		return META_UNSUPPORTED;
	}
	struct bsr_superblock_peer *entry = &md.sb.peer[peer];
	if (entry->bitmap_index == -1 && entry->bitmap_gi.v == 0 && entry->flags == 0) {
		bsr_meta_note("node %" PRIu32 " has no bitmap slot here; nothing to forget", peer);
		return META_OK;
	}
	bsr_superblock_forget(&md.sb, peer);
	return bsr_meta_write(ctx, &md);
}

int bsr_meta_read_dev_uuid(struct bsr_meta_context *ctx)
{
	struct bsr_meta_md md;
	const int rc = bsr_meta_read(ctx, &md);
	if (rc == META_OK) {
		printf("%016" PRIX64 "\n", md.sb.device_uuid);
	}
	return rc;
}

int bsr_meta_write_dev_uuid(struct bsr_meta_context *ctx)
{
	struct bsr_meta_md md;
	uint64_t uuid;
	if (strlen(ctx->args[0]) != 16 || !bsr_meta_parse_hex(ctx->args[0], &uuid)) {
		bsr_meta_error("\"%s\" is not a device UUID of 16 hex digits", ctx->args[0]);
		return META_BAD;
	}
	int rc = bsr_meta_read(ctx, &md);
	if (rc != META_OK) {
		return rc;
	}
	md.sb.device_uuid = uuid;
	rc = bsr_meta_write(ctx, &md);
	return rc == META_OK ? bsr_meta_last_known_write(ctx, uuid) : rc;
}
