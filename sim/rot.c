// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * rot.c - disks that lie: sectors that rot, writes that are reported done and are not, writes that land elsewhere
 *
 * A damaged sector keeps what it should hold in `now` and `stable`, so that every other rule goes on judging that; on top
 * of it lies a word that nobody has written, which is what reads and digests get. A resync carries the word to the other disk,
 * where it lies on top of the same content again. A write takes it away.
 */
#include <string.h>

#include <bsr/assert.h>

#include "disk.h"

#define ROTTEN 0x80000000u

static uint32_t new_rot(struct sim *w, uint32_t should_be)
{
	struct sim_rot *r = &w->rot;
	if (r->count == r->room) {
		const uint32_t more = r->room == 0 ? 256 : r->room * 2;
		struct sim_rotten *now = sim_alloc(w, more * sizeof(*now));
		if (r->word != NULL) {
			memcpy(now, r->word, r->count * sizeof(*now));
			sim_free(w, r->word, r->room * sizeof(*now));
		}
		r->word = now;
		r->room = more;
	}
	r->word[r->count] = (struct sim_rotten){.should_be = should_be, .sequence = w->oracle.sequence};
	return ROTTEN | r->count++;
}

uint32_t sim_rot_clean(const struct sim *w, uint32_t stamp)
{
	if ((stamp & ROTTEN) == 0) {
		return stamp;
	}
	BSR_ASSERT((stamp & ~ROTTEN) < w->rot.count);
	return w->rot.word[stamp & ~ROTTEN].should_be;
}

uint64_t sim_rot_sequence(const struct sim *w, uint32_t stamp)
{
	return (stamp & ROTTEN) != 0 ? w->rot.word[stamp & ~ROTTEN].sequence : 0;
}

uint32_t sim_rot_get(const struct sim_disk *d, uint64_t sector)
{
	const uint32_t over = sim_store_get(&d->rot, sector);
	return over != 0 ? over : sim_store_get(&d->now, sector);
}

void sim_rot_read(const struct sim *w, const struct sim_disk *d, uint64_t sector, uint32_t count, uint32_t *stamps)
{
	sim_store_read(&d->now, sector, count, stamps);
	for (uint32_t i = 0; w->rot.count != 0 && i < count; i++) {
		stamps[i] = sim_rot_get(d, sector + i);
	}
}

static void rot_sectors(struct sim *w, struct sim_disk *d, uint64_t sector, uint32_t count)
{
	for (uint32_t i = 0; i < count && sector + i < d->now.sector_count; i++) {
		const uint32_t word = new_rot(w, sim_store_get(&d->now, sector + i));
		sim_store_write(w, &d->rot, sector + i, 1, &word);
	}
}

const uint32_t *sim_rot_taken(
	struct sim *w, struct sim_disk *d, uint64_t sector, uint32_t count, const uint32_t *stamps)
{
	static uint32_t clean[BSR_REQUEST_BYTES_MAX / 512u];
	if (w->rot.count == 0) {
		return stamps;
	}
	if (stamps == NULL) {
		sim_store_write(w, &d->rot, sector, count, NULL);
		return NULL;
	}
	BSR_ASSERT(count <= BSR_REQUEST_BYTES_MAX / 512u);
	for (uint32_t i = 0; i < count; i++) {
		const uint32_t over = (stamps[i] & ROTTEN) != 0 ? stamps[i] : 0;
		clean[i] = sim_rot_clean(w, stamps[i]);
		if (sim_store_get(&d->rot, sector + i) != over) {
			sim_store_write(w, &d->rot, sector + i, 1, &over);
		}
	}
	return clean;
}

void sim_rot_after_write(struct sim *w, uint32_t node, uint32_t volume, uint64_t sector, uint32_t count)
{
	struct sim_disk *d = &w->node[node].disk[volume];
	struct sim_rng *r = &w->rng[SIM_RNG_DISK];
	if (d->lost_pm != 0 && sim_rng_chance(r, d->lost_pm)) {
		SIM_TRACE(w, "n%u volume %u: the write of %llu+%u is lost", node, volume, (unsigned long long)sector, count);
		rot_sectors(w, d, sector, count);
	}
	if (d->misdirect_pm != 0 && count <= 2048u && sim_rng_chance(r, d->misdirect_pm)) {
		const uint64_t other = sim_rng_below(r, d->now.sector_count - count);
		SIM_TRACE(w, "n%u volume %u: the write of %llu+%u lands at %llu", node, volume, (unsigned long long)sector, count,
			(unsigned long long)other);
		rot_sectors(w, d, sector, count);
		rot_sectors(w, d, other, count);
	}
}

void sim_rot_some(struct sim *w, uint32_t node, uint32_t volume)
{
	struct sim_disk *d = &w->node[node].disk[volume];
	struct sim_rng *r = &w->rng[SIM_RNG_DISK];
	const uint64_t places = sim_rng_range(r, 1, 6);
	for (uint64_t i = 0; i < places; i++) {
		const uint64_t sector = sim_rng_below(r, d->now.sector_count);
		const uint32_t count = (uint32_t)sim_rng_range(r, 1, 20);
		SIM_TRACE(w, "n%u volume %u: %llu+%u rots", node, volume, (unsigned long long)sector, count);
		rot_sectors(w, d, sector, count);
	}
}

/* What the power took away was below: the damage belonged to what is gone. */
void sim_rot_power_cut(struct sim *w, uint32_t node, uint32_t volume)
{
	struct sim_disk *d = &w->node[node].disk[volume];
	for (uint32_t c = 0; w->rot.count != 0 && c < d->rot.chunk_count; c++) {
		for (uint32_t i = 0; d->rot.chunk[c] != NULL && i < SIM_CHUNK_SECTORS; i++) {
			const uint32_t over = d->rot.chunk[c][i];
			const uint64_t sector = (uint64_t)c * SIM_CHUNK_SECTORS + i;
			if (over != 0 && sim_rot_clean(w, over) != sim_store_get(&d->now, sector)) {
				d->rot.chunk[c][i] = 0;
			}
		}
	}
}

/*
 * Its last bytes differ for different blocks, its first ones never: whoever compares only a part of it is caught.
 */
static void digest_of(const uint32_t *stamps, uint32_t count, uint8_t *out, uint32_t bytes)
{
	uint64_t x = count;
	for (uint32_t i = 0; i < count; i++) {
		x = (x ^ stamps[i]) * 0x9e3779b97f4a7c15ull;
		x ^= x >> 29;
		x *= 0xbf58476d1ce4e5b9ull;
		x ^= x >> 32;
	}
	memset(out, 0, bytes);
	for (uint32_t i = 0; i < 8; i++) {
		out[bytes - 1u - i] = (uint8_t)(x >> (8u * i));
	}
}

uint32_t sim_rot_digests(
	const struct sim *w, const struct sim_disk *d, uint32_t digest, uint64_t sector, uint32_t count, uint8_t *out)
{
	const uint32_t each = bsr_digest_bytes(digest);
	uint32_t bytes = 0;
	BSR_ASSERT(each >= 16 && count <= BSR_VERIFY_REQUEST_BYTES_MAX / 512u);
	while (count > 0) {
		uint32_t stamps[8];
		const uint32_t n = count < 8 ? count : 8;
		sim_rot_read(w, d, sector, n, stamps);
		digest_of(stamps, n, out + bytes, each);
		bytes += each;
		sector += n;
		count -= n;
	}
	return bytes;
}
