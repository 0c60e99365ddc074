// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * oracle_bits.c - I5: nothing differs without somebody knowing it
 *
 * A block that differs between two disks is covered by at least one of
 *   - a bit at either end: in memory of an engine that has the disk attached, else on the disk;
 *   - the activity log on the disk of a node that is, or was when it died, Primary, or Secondary of one with third nodes;
 *   - a write that a Secondary has got and the Primary has not confirmed to be everywhere;
 *   - a write to it that has not been answered;
 *   - generations that lead to a full resync, or to a person, when the two meet.
 * Looked at now and then, and always when something has died: the sums of chunks make it cheap.
 */
#include <string.h>

#include <bsr/assert.h>
#include <bsr/handshake.h>

#include "sim.h"

#define BLOCK_SECTORS (BSR_BITMAP_BLOCK_BYTES / 512u)
#define EVERY_EVENTS 60u

struct pair {
	uint32_t a, b, volume;
	bool asked;	   /* @by_generation is known */
	bool by_generation; /* meeting each other they copy everything, or ask a person */
};

static bool bit_on_disk(const struct sim_node *n, uint32_t peer, uint32_t volume, uint64_t block)
{
	const struct sim_disk *d = &n->disk[volume];
	const struct bsr_superblock *sb = &n->sb[volume];
	const int32_t slot = peer < BSR_NODES_MAX ? sb->peer[peer].bitmap_index : -1;
	if (slot < 0) {
		return false;
	}
	const uint64_t bit = block / 32u * 32u * sb->max_peers + (uint64_t)slot * 32u + block % 32u;
	const uint64_t byte = d->layout.bitmap_offset - d->md_first + bit / 8u;
	const uint8_t *md = byte / 4096u < d->md_blocks ? d->md_now[byte / 4096u] : NULL;
	return md != NULL && (md[byte % 4096u] >> (bit % 8u) & 1u) != 0;
}

static bool has_bit(struct sim *w, uint32_t node, uint32_t peer, uint32_t volume, uint64_t block)
{
	const struct sim_node *n = &w->node[node];
	if ((n->forgotten >> peer & 1u) != 0) {
		const bool configured = n->state == SIM_NODE_UP && sim_peer_info(w, node, peer).exists;
		if (n->sb[volume].peer[peer].bitmap_index < 0 || (!configured && bit_on_disk(n, peer, volume, block))) {
			return true; /* meeting it again it takes a slot in which every bit is set, and that is on disk before it is freed */
		}
	}
	if (n->state == SIM_NODE_UP && bsr_engine_has_bitmap(n->engine, volume)) {
		return bsr_engine_out_of_sync(n->engine, peer, volume, block * BSR_BITMAP_BLOCK_BYTES, BSR_BITMAP_BLOCK_BYTES);
	}
	return bit_on_disk(n, peer, volume, block) ||
	       (n->sb[volume].peer[peer].flags & BSR_MDPF_FULL_SYNC) != 0;
}

static bool in_log(struct sim *w, uint32_t node, uint32_t volume, uint64_t block)
{
	const struct bsr_superblock *sb = &w->node[node].sb[volume];
	bool counts = (sb->flags & (BSR_MDF_PRIMARY_IND | BSR_MDF_CRASHED_PRIMARY)) != 0;
	for (uint32_t m = 0; m < w->cfg.node_count; m++) {
		counts = counts || (sb->peer[m].flags & BSR_MDPF_WRITES_HERE) != 0; /* a Secondary's, toward third nodes */
	}
	return counts && (sim_oracle_log_incomplete(w, node, volume) || sim_oracle_extent_logged(w, node, volume, (uint32_t)(block * BSR_BITMAP_BLOCK_BYTES / BSR_AL_EXTENT_BYTES)));
}

/* Also of a third node: coming back it resyncs what its log names to both. */
static bool in_any_log(struct sim *w, uint32_t volume, uint64_t block)
{
	for (uint32_t m = 0; m < w->cfg.node_count; m++) {
		if (in_log(w, m, volume, block)) {
			return true;
		}
	}
	return false;
}

static bool in_flight(const struct sim *w, uint32_t volume, uint64_t block)
{
	const uint64_t first = block * BLOCK_SECTORS;
	for (uint32_t m = 0; m < w->cfg.node_count; m++) {
		const struct sim_app *a = &w->node[m].app;
		for (uint32_t i = 0; a->in_flight != 0 && i < SIM_REQS_MAX; i++) {
			const struct sim_req *r = &a->req[i];
			if (r->state != SIM_REQ_FREE && r->write_id != 0 && r->volume == volume && r->sector < first + BLOCK_SECTORS &&
				first < r->sector + r->count) {
				return true;
			}
		}
	}
	return false;
}

/* What the application was told has failed may be anything afterwards. */
static bool failed_write(const struct sim *w, const struct pair *p, uint64_t block)
{
	for (uint32_t i = 0; i < BLOCK_SECTORS; i++) {
		const uint64_t sector = block * BLOCK_SECTORS + i;
		const uint32_t x = sim_store_get(&w->node[p->a].disk[p->volume].now, sector);
		const uint32_t y = sim_store_get(&w->node[p->b].disk[p->volume].now, sector);
		if (x != y && !w->oracle.write[x].failed && !w->oracle.write[y].failed) {
			return false;
		}
	}
	return true;
}

static void record_of(const struct sim_node *n, uint32_t volume, uint32_t peer, bool pair, struct bsr_msg_hs_volume *m)
{
	const struct bsr_superblock *sb = &n->sb[volume];
	memset(m, 0, sizeof(*m));
	m->disk = BSR_DISK_INCONSISTENT;
	if ((sb->flags & BSR_MDF_CONSISTENT) != 0) {
		m->disk = (sb->flags & BSR_MDF_WAS_UP_TO_DATE) != 0 ? BSR_DISK_UP_TO_DATE : BSR_DISK_OUTDATED;
	}
	m->size_bytes = sb->effective_sectors * 512u;
	m->capacity_bytes = n->disk[volume].layout.data_bytes;
	m->current = sb->current_gi;
	m->flags = (sb->peer[peer].flags & BSR_MDPF_MISSED_END) != 0 ? BSR_HSF_RESYNC_MISSED_END : 0;
	m->flags |= pair ? BSR_HSF_PAIR : 0;
	for (uint32_t i = 0; i < BSR_NODES_MAX; i++) {
		m->bitmap[i] = sb->peer[i].bitmap_gi;
	}
	memcpy(m->history, sb->history, sizeof(m->history));
}

/* Both ends are asked what they would do if they met with the records that are on disk now, and without any bit. */
static bool generations_know(struct sim *w, struct pair *p)
{
	static struct bsr_msg_hs_volume record[2];
	if (p->asked) {
		return p->by_generation;
	}
	const bool pair = w->cfg.node_count == 2 && (w->node[0].features & w->node[1].features & BSR_FEATURE_ORDERED_STATES) != 0;
	record_of(&w->node[p->a], p->volume, p->b, pair, &record[0]);
	record_of(&w->node[p->b], p->volume, p->a, pair, &record[1]);
	const struct bsr_hs_side one = {.node_id = p->a, .role = BSR_ROLE_SECONDARY, .volume = &record[0]};
	const struct bsr_hs_side other = {.node_id = p->b, .role = BSR_ROLE_SECONDARY, .volume = &record[1]};
	const struct bsr_hs_policy policy = {.resolver = true};
	struct bsr_hs_decision d;
	bsr_handshake_decide(&one, &other, &policy, &d);
	p->asked = true;
	/* a new disk meets one without good data either: whoever is forced to be good some day is copied as a whole */
	const bool one_new = record[0].current.v == BSR_GI_JUST_CREATED || record[1].current.v == BSR_GI_JUST_CREATED;
	const bool worthless = record[0].disk == BSR_DISK_INCONSISTENT && record[1].disk == BSR_DISK_INCONSISTENT;
	p->by_generation = (one_new && worthless) || (d.action != BSR_HS_NO_SYNC && d.action != BSR_HS_SOURCE_BITMAP &&
					d.action != BSR_HS_TARGET_BITMAP);
	return p->by_generation;
}

static void check_block(struct sim *w, struct pair *p, uint64_t block, const char *when)
{
	if (has_bit(w, p->a, p->b, p->volume, block) || has_bit(w, p->b, p->a, p->volume, block) ||
		in_any_log(w, p->volume, block) || in_flight(w, p->volume, block) || failed_write(w, p, block) || generations_know(w, p) || sim_ignored(w, "I5")) {
		return;
	}
	for (uint32_t i = 0; i < BLOCK_SECTORS; i++) {
		const uint64_t sector = block * BLOCK_SECTORS + i;
		const uint32_t x = sim_store_get(&w->node[p->a].disk[p->volume].now, sector);
		const uint32_t y = sim_store_get(&w->node[p->b].disk[p->volume].now, sector);
		if (x != y) {
			sim_fail(w, "I5", "%s: volume %u sector %llu: node %u has #%u, node %u has #%u, and nothing knows it", when,
				p->volume, (unsigned long long)sector, p->a, x, p->b, y);
		}
	}
}

static bool same_block(const uint32_t *x, const uint32_t *y)
{
	static const uint32_t zeroes[BLOCK_SECTORS];
	return memcmp(x != NULL ? x : zeroes, y != NULL ? y : zeroes, sizeof(zeroes)) == 0;
}

static void check_pair(struct sim *w, struct pair *p, const char *when)
{
	const struct sim_store *sa = &w->node[p->a].disk[p->volume].now;
	const struct sim_store *sb = &w->node[p->b].disk[p->volume].now;
	const uint32_t chunks = sa->chunk_count < sb->chunk_count ? sa->chunk_count : sb->chunk_count;
	const uint64_t sectors = sa->sector_count < sb->sector_count ? sa->sector_count : sb->sector_count;
	for (uint32_t c = 0; c < chunks; c++) {
		if (sa->chunk_sum[c] == sb->chunk_sum[c]) {
			continue;
		}
		const uint64_t left = sectors - (uint64_t)c * SIM_CHUNK_SECTORS;
		for (uint32_t i = 0; i < SIM_CHUNK_SECTORS && i < left; i += BLOCK_SECTORS) {
			if (!same_block(sa->chunk[c] != NULL ? sa->chunk[c] + i : NULL, sb->chunk[c] != NULL ? sb->chunk[c] + i : NULL)) {
				check_block(w, p, ((uint64_t)c * SIM_CHUNK_SECTORS + i) / BLOCK_SECTORS, when);
			}
		}
	}
}

void sim_oracle_bits(struct sim *w, const char *when)
{
	w->bits_checked++;
	for (uint32_t v = 0; v < w->cfg.volume_count; v++) {
		for (uint32_t a = 0; a < w->cfg.node_count; a++) {
			for (uint32_t b = a + 1; b < w->cfg.node_count; b++) {
				struct pair p = {.a = a, .b = b, .volume = v};
				if (w->node[a].disk[v].now.sum != w->node[b].disk[v].now.sum) {
					check_pair(w, &p, when);
				}
			}
		}
	}
}

void sim_oracle_bits_now_and_then(struct sim *w)
{
	if (w->bits_in-- == 0) {
		w->bits_in = (uint32_t)sim_rng_below(&w->rng[SIM_RNG_CHECK], 2ull * EVERY_EVENTS);
		sim_oracle_bits(w, "under way");
	}
}
