// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * al_codec.c - activity-log transactions as bytes, and their replay
 *
 * Owns:       the 4096 bytes of a transaction, the order of the ring, what a ring says after a
 * crash. May touch:  nothing. Invariants: ALC-1  A block counts only when magic and checksum are
 * right: a torn one was never needed, because the data write behind it was not allowed yet. ALC-2
 * Replay applies transactions in the order of their numbers, whatever the ring length and however
 * the 32-bit number wrapped. Format:     docs/format/activity-log.md
 */
#include "activity_log.h"

#include <string.h>

#include <bsr/assert.h>
#include <bsr/bytes.h>
#include <bsr/crc32c.h>
#include <bsr/errors.h>

#define AL_MAGIC 0x69cb65a2u
#define AL_TYPE_UPDATE 0u
#define AL_TYPE_INITIALISED 0xffffu
#define NO_SLOT 0xffffu
#define NO_EXTENT UINT32_MAX

struct al_block_disk {
	bsr_be32 magic;
	bsr_be32 number;
	bsr_be32 crc32c; /* of the whole block with this field as zero; starts at 0, is not inverted
			  */
	bsr_be16 type;
	bsr_be16 update_count;
	bsr_be16 context_size;
	bsr_be16 context_start;
	bsr_be32 reserved[4];
	bsr_be16 update_slot[BSR_AL_UPDATES_PER_TRANSACTION];
	bsr_be32 update_extent[BSR_AL_UPDATES_PER_TRANSACTION];
	bsr_be32 context[BSR_AL_CONTEXT_PER_TRANSACTION];
};
BSR_STATIC_ASSERT(sizeof(struct al_block_disk) == BSR_MD_BLOCK_BYTES, "disk layout is fixed");
BSR_STATIC_ASSERT(offsetof(struct al_block_disk, context) == 420, "disk layout is fixed");

static uint32_t block_crc(const uint8_t *block)
{
	static const uint8_t zero[4];
	const size_t at = offsetof(struct al_block_disk, crc32c);
	uint32_t crc = bsr_crc32c(0, block, at);
	crc = bsr_crc32c(crc, zero, sizeof(zero));
	return bsr_crc32c(crc, block + at + sizeof(zero), BSR_MD_BLOCK_BYTES - at - sizeof(zero));
}

static void encode_slots(struct al_block_disk *disk, const struct bsr_al_transaction *t)
{
	disk->update_count = bsr_be16_make(t->update_count);
	disk->context_size = bsr_be16_make(t->context_size);
	disk->context_start = bsr_be16_make(t->context_start);
	for (uint32_t i = 0; i < BSR_AL_UPDATES_PER_TRANSACTION; i++) {
		const bool used = i < t->update_count;
		disk->update_slot[i] = bsr_be16_make(used ? t->update_slot[i] : (uint16_t)NO_SLOT);
		disk->update_extent[i] = bsr_be32_make(used ? t->update_extent[i] : NO_EXTENT);
	}
	for (uint32_t i = 0; i < BSR_AL_CONTEXT_PER_TRANSACTION; i++) {
		const bool used = (uint32_t)t->context_start + i < t->context_size;
		disk->context[i] = bsr_be32_make(used ? t->context[i] : NO_EXTENT);
	}
}

void bsr_al_transaction_encode(uint8_t *block, const struct bsr_al_transaction *t)
{
	struct al_block_disk disk;
	BSR_ASSERT(t->update_count <= BSR_AL_UPDATES_PER_TRANSACTION);
	BSR_ASSERT(t->context_size <= BSR_AL_EXTENTS_MAX);
	memset(&disk, 0, sizeof(disk));
	disk.magic = bsr_be32_make(AL_MAGIC);
	disk.number = bsr_be32_make(t->number);
	disk.type = bsr_be16_make(t->initialised ? AL_TYPE_INITIALISED : AL_TYPE_UPDATE);
	if (!t->initialised) {
		encode_slots(&disk, t);
	}
	memcpy(block, &disk, sizeof(disk));
	disk.crc32c = bsr_be32_make(block_crc(block));
	memcpy(block, &disk, sizeof(disk));
}

static void decode_slots(struct bsr_al_transaction *t, const struct al_block_disk *disk)
{
	t->context_size = bsr_be16_get(disk->context_size);
	t->context_start = bsr_be16_get(disk->context_start);
	for (uint32_t i = 0; i < BSR_AL_UPDATES_PER_TRANSACTION; i++) {
		t->update_slot[i] = bsr_be16_get(disk->update_slot[i]);
		t->update_extent[i] = bsr_be32_get(disk->update_extent[i]);
	}
	for (uint32_t i = 0; i < BSR_AL_CONTEXT_PER_TRANSACTION; i++) {
		t->context[i] = bsr_be32_get(disk->context[i]);
	}
}

static int check_block(const uint8_t *block)
{
	struct al_block_disk head;
	memcpy(&head, block, offsetof(struct al_block_disk, update_slot));
	if (bsr_be32_get(head.magic) != AL_MAGIC) {
		return -BSR_E_NOT_OURS;
	}
	if (bsr_be32_get(head.crc32c) != block_crc(block)) {
		return -BSR_E_CORRUPT;
	}
	const uint16_t type = bsr_be16_get(head.type);
	if (type != AL_TYPE_UPDATE && type != AL_TYPE_INITIALISED) {
		return -BSR_E_RANGE;
	}
	if (bsr_be16_get(head.update_count) > BSR_AL_UPDATES_PER_TRANSACTION) {
		return -BSR_E_RANGE;
	}
	return 0;
}

/* The block passed check_block(). */
static void decode_checked(struct bsr_al_transaction *t, const uint8_t *block)
{
	struct al_block_disk disk;
	memcpy(&disk, block, sizeof(disk));
	memset(t, 0xff, sizeof(*t)); /* slots and extents that are not there read as "none" */
	t->number = bsr_be32_get(disk.number);
	t->initialised = bsr_be16_get(disk.type) == AL_TYPE_INITIALISED;
	t->update_count = t->initialised ? 0 : bsr_be16_get(disk.update_count);
	t->context_size = 0;
	t->context_start = 0;
	if (!t->initialised) { /* an initialised block holds zeroes, which must not be taken for
				  extent 0 */
		decode_slots(t, &disk);
	}
	BSR_ASSERT(t->update_count <= BSR_AL_UPDATES_PER_TRANSACTION);
}

int bsr_al_transaction_decode(struct bsr_al_transaction *t, const uint8_t *block)
{
	const int rc = check_block(block);
	if (rc != 0) {
		return rc;
	}
	decode_checked(t, block);
	return 0;
}

uint32_t bsr_al_ring_place(uint32_t number, uint32_t stripes, uint32_t stripe_blocks)
{
	BSR_ASSERT(stripes >= 1 && stripe_blocks >= 1);
	BSR_ASSERT(stripes <= BSR_AL_RING_BLOCKS_MAX && stripe_blocks <= BSR_AL_RING_BLOCKS_MAX);
	const uint32_t turn = number % (stripes * stripe_blocks);
	const uint32_t place = turn % stripes * stripe_blocks + turn / stripes;
	BSR_ASSERT(place < stripes * stripe_blocks);
	return place;
}

/* ---- replay ---- */

struct replay {
	const uint8_t *ring;
	uint32_t stripes;
	uint32_t stripe_blocks;
	uint32_t ring_blocks;
	uint8_t update[BSR_AL_RING_BLOCKS_MAX /
		       8]; /* by turn of the ring: holds a usable update transaction */
	uint32_t bad_count;
	uint32_t first_bad;
	uint32_t update_count;
	uint32_t oldest;
	uint32_t span; /* newest - oldest */
};

static const uint8_t *turn_block(const struct replay *r, uint32_t turn)
{
	BSR_ASSERT(turn < r->ring_blocks);
	return r->ring +
	       (size_t)bsr_al_ring_place(turn, r->stripes, r->stripe_blocks) * BSR_MD_BLOCK_BYTES;
}

static uint32_t turn_number(const struct replay *r, uint32_t turn)
{
	bsr_be32 number;
	memcpy(&number, turn_block(r, turn) + offsetof(struct al_block_disk, number),
		sizeof(number));
	return bsr_be32_get(number);
}

static bool turn_is_update(const struct replay *r, uint32_t turn)
{
	return (r->update[turn / 8] & (1u << turn % 8)) != 0;
}

static void survey(struct replay *r)
{
	for (uint32_t turn = 0; turn < r->ring_blocks; turn++) {
		const uint8_t *block = turn_block(r, turn);
		if (check_block(block) != 0) {
			r->first_bad = r->bad_count == 0 ? turn : r->first_bad;
			r->bad_count++;
			continue;
		}
		bsr_be16 type;
		memcpy(&type, block + offsetof(struct al_block_disk, type), sizeof(type));
		if (bsr_be16_get(type) == AL_TYPE_INITIALISED) {
			continue;
		}
		const uint32_t number = turn_number(r, turn);
		if (r->update_count == 0 || (int32_t)(number - r->oldest) < 0) {
			r->oldest = number;
		}
		r->update[turn / 8] |= (uint8_t)(1u << turn % 8);
		r->update_count++;
	}
}

static void apply_transaction(uint32_t *table, const struct bsr_al_transaction *t)
{
	for (uint32_t i = 0; i < BSR_AL_CONTEXT_PER_TRANSACTION; i++) {
		const uint32_t slot = (uint32_t)t->context_start + i;
		if (slot < BSR_AL_EXTENTS_MAX &&
			(t->context[i] != NO_EXTENT || slot < t->context_size)) {
			table[slot] = t->context[i];
		}
	}
	for (uint32_t i = 0; i < BSR_AL_UPDATES_PER_TRANSACTION; i++) {
		if (t->update_slot[i] < BSR_AL_EXTENTS_MAX) {
			table[t->update_slot[i]] = t->update_extent[i];
		}
	}
}

/*
 * The turn of the update transaction that comes after @number, which sits at @turn. Nearly always
 * the next one in the ring; after a gap, or where the number wrapped in a ring whose length is no
 * power of two, look at all.
 */
static uint32_t next_turn(const struct replay *r, uint32_t turn, uint32_t number)
{
	const uint32_t next = (turn + 1) % r->ring_blocks;
	if (turn_is_update(r, next) && turn_number(r, next) == number + 1) {
		return next;
	}
	uint32_t best = turn;
	uint32_t best_age = UINT32_MAX;
	for (uint32_t i = 0; i < r->ring_blocks; i++) {
		const uint32_t age = turn_number(r, i) - r->oldest;
		if (turn_is_update(r, i) && age > number - r->oldest && age <= best_age) {
			best = i;
			best_age = age;
		}
	}
	return best;
}

static uint32_t first_turn(const struct replay *r)
{
	for (uint32_t turn = 0; turn < r->ring_blocks; turn++) {
		if (turn_is_update(r, turn) && turn_number(r, turn) == r->oldest) {
			return turn;
		}
	}
	BSR_ASSERT(false); /* survey() took the number from one of them */
	return 0;
}

static void apply_all(struct replay *r, uint32_t *table)
{
	struct bsr_al_transaction t;
	uint32_t turn = first_turn(r);
	for (uint32_t done = 0; done < r->update_count; done++) {
		decode_checked(&t, turn_block(r, turn));
		apply_transaction(table, &t);
		r->span = t.number - r->oldest;
		const uint32_t next = next_turn(r, turn, t.number);
		if (next == turn) {
			break; /* that was the newest; a number that occurs twice counts once */
		}
		turn = next;
	}
}

static void start_survey(
	struct replay *r, const uint8_t *ring, uint32_t stripes, uint32_t stripe_blocks)
{
	BSR_ASSERT(stripes >= 1 && stripes <= BSR_AL_RING_BLOCKS_MAX);
	BSR_ASSERT(stripe_blocks >= 1 && stripe_blocks <= BSR_AL_RING_BLOCKS_MAX / stripes);
	memset(r, 0, sizeof(*r));
	r->ring = ring;
	r->stripes = stripes;
	r->stripe_blocks = stripe_blocks;
	r->ring_blocks = stripes * stripe_blocks;
	survey(r);
}

int bsr_al_replay(const uint8_t *ring, uint32_t stripes, uint32_t stripe_blocks, uint32_t *table,
	uint32_t *hot_count, uint32_t *corrupt_count, uint32_t *next_number)
{
	struct replay r;
	memset(table, 0xff, BSR_AL_EXTENTS_MAX * sizeof(*table));
	*hot_count = 0;
	*next_number = 0;
	start_survey(&r, ring, stripes, stripe_blocks);
	*corrupt_count = r.bad_count;
	if (r.update_count == 0) {
		/* A torn very first transaction leaves just turn 0 bad: nothing had been written
		 * yet. */
		const bool usable = r.bad_count == 0 || (r.bad_count == 1 && r.first_bad == 0);
		return usable ? 0 : -BSR_E_AL_UNUSABLE;
	}
	apply_all(&r, table);
	*next_number = r.oldest + r.span + 1;
	for (uint32_t slot = 0; slot < BSR_AL_EXTENTS_MAX; slot++) {
		*hot_count += table[slot] != NO_EXTENT;
	}
	return 0;
}

static uint32_t newest_number(const struct replay *r)
{
	uint32_t age = 0;
	for (uint32_t turn = 0; turn < r->ring_blocks; turn++) {
		if (turn_is_update(r, turn) && turn_number(r, turn) - r->oldest > age) {
			age = turn_number(r, turn) - r->oldest;
		}
	}
	return r->oldest + age;
}

#define PARTS_MAX (BSR_AL_EXTENTS_MAX / BSR_AL_CONTEXT_PER_TRANSACTION + 1)

/* Notes which part of the slots @t's context describes; true when that was the last one missing. */
static bool note_context(bool *seen, uint32_t *seen_count, const struct bsr_al_transaction *t)
{
	const uint32_t parts = (t->context_size + BSR_AL_CONTEXT_PER_TRANSACTION - 1u) /
			       BSR_AL_CONTEXT_PER_TRANSACTION;
	const uint32_t part = t->context_start / BSR_AL_CONTEXT_PER_TRANSACTION;
	if (t->context_start % BSR_AL_CONTEXT_PER_TRANSACTION != 0 || part >= PARTS_MAX) {
		return false;
	}
	*seen_count += !seen[part];
	seen[part] = true;
	return *seen_count >= parts;
}

/* The newest transactions without a gap, backwards: do they describe every slot, or reach the very
 * first one? */
static bool newest_say_all(const struct replay *r, uint32_t newest)
{
	bool seen[PARTS_MAX] = {false};
	uint32_t seen_count = 0;
	struct bsr_al_transaction t;
	uint16_t context_size = 0;
	for (uint32_t i = 0; i < r->ring_blocks; i++) {
		const uint32_t turn = (newest - i) % r->ring_blocks;
		if (check_block(turn_block(r, turn)) != 0) {
			return false;
		}
		decode_checked(&t, turn_block(r, turn));
		if (t.initialised) {
			return true; /* nothing was written before */
		}
		if (t.number != newest - i || (i > 0 && t.context_size != context_size)) {
			return false;
		}
		context_size = t.context_size;
		if (note_context(seen, &seen_count, &t)) {
			return true;
		}
	}
	return false;
}

bool bsr_al_replay_is_complete(const uint8_t *ring, uint32_t stripes, uint32_t stripe_blocks)
{
	struct replay r;
	start_survey(&r, ring, stripes, stripe_blocks);
	if (r.bad_count == 0) {
		return true;
	}
	if (r.update_count == 0) {
		return r.bad_count == 1 && r.first_bad == 0;
	}
	const uint32_t newest = newest_number(&r);
	/* Transactions are written one after the other: if two of them are damaged, the first had
	 * been durable. */
	const uint32_t after_next = (newest + 2) % r.ring_blocks;
	if (r.ring_blocks > 2 && check_block(turn_block(&r, after_next)) != 0) {
		return false;
	}
	return newest_say_all(&r, newest);
}
