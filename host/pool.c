// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * pool.c - payload buffers: one locked region, cut into chunks of 1 MiB, each chunk cut into one
 * size
 *
 * Owns:       the region, the reference counts, the lists of chunks.
 * Invariants:
 *   POOL-1  A chunk is on the free list (no buffer out), on its class's partial list (some out,
 *   some left), or on none
 *           (all out).
 *   POOL-2  A buffer has references exactly while somebody has it.
 *   POOL-3  A few buffers of the smallest size that come back are kept at hand; to their chunks they are out. They
 *   go back to the chunks before anybody is told that there is no memory, or gets more than he asked for.
 *
 * A chunk takes a size when its first buffer goes out and loses it when the last one comes back, so
 * memory moves between sizes without copying or searching. Buffers that were never out since then
 * are counted, not listed ("carved"): giving a chunk a size costs nothing. When no chunk is free, a
 * larger size serves.
 */
#include "pool.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include <bsr/assert.h>

#define CHUNK_BYTES BSR_REQUEST_BYTES_MAX
#define CHUNK_SHIFT 20u
#define UNIT_SHIFT 12u
#define UNITS_PER_CHUNK (CHUNK_BYTES / BSR_POOL_UNIT_BYTES)
#define CLASS_COUNT 9u /* 4 KiB << 0..8 */
#define NO_CHUNK UINT32_MAX
#define NO_UNIT UINT16_MAX
#define HUGE_PAGE_BYTES (2u << 20)
#define KEPT_MAX 64u

BSR_STATIC_ASSERT(CHUNK_BYTES == 1u << CHUNK_SHIFT, "a chunk holds the largest buffer");
BSR_STATIC_ASSERT(BSR_POOL_UNIT_BYTES << (CLASS_COUNT - 1) == CHUNK_BYTES, "the last class fills a chunk");
BSR_STATIC_ASSERT(BSR_POOL_BYTES_MAX / BSR_POOL_UNIT_BYTES < BSR_BUF_NONE, "a buffer id is a unit number");

struct chunk {
	uint32_t prev, next; /* on the free list or on its class's partial list */
	/* first of the returned buffers, NO_UNIT for none; unit number within the chunk */
	uint16_t free_unit;
	uint16_t carved;     /* buffers that have been out since the chunk got its size */
	uint16_t out;	     /* buffers in use */
	uint8_t class;
};

struct unit {
	uint32_t references; /* of the buffer that begins here */
	uint16_t next_free;
};

struct waiter {
	void (*fn)(void *ctx);
	void *ctx;
};

struct bsr_pool {
	uint8_t *mem;
	size_t bytes;
	size_t mapped_bytes; /* @mem and the tables behind it */
	struct chunk *chunk;
	struct unit *unit;
	uint32_t chunk_count;
	uint32_t unit_count;
	uint32_t in_use;
	uint32_t free_chunk;
	uint32_t partial[CLASS_COUNT];
	uint32_t kept_count; /* POOL-3 */
	bsr_buf_t kept[KEPT_MAX];
	uint32_t waiter_count;
	struct waiter waiter[BSR_POOL_WAITERS_MAX];
};

static void list_push(struct bsr_pool *pool, uint32_t *head, uint32_t index)
{
	struct chunk *c = &pool->chunk[index];
	c->prev = NO_CHUNK;
	c->next = *head;
	if (*head != NO_CHUNK) {
		pool->chunk[*head].prev = index;
	}
	*head = index;
}

static void list_remove(struct bsr_pool *pool, uint32_t *head, uint32_t index)
{
	const struct chunk *c = &pool->chunk[index];
	if (c->prev != NO_CHUNK) {
		pool->chunk[c->prev].next = c->next;
	} else {
		BSR_ASSERT(*head == index);
		*head = c->next;
	}
	if (c->next != NO_CHUNK) {
		pool->chunk[c->next].prev = c->prev;
	}
}

static inline uint32_t class_of(uint32_t bytes)
{
	if (bytes <= BSR_POOL_UNIT_BYTES) {
		return 0;
	}
	return 32u - (uint32_t)__builtin_clz((bytes - 1) >> UNIT_SHIFT);
}

static inline uint32_t buffers_per_chunk(uint32_t class)
{
	return UNITS_PER_CHUNK >> class;
}

/* Payload first, so that it begins on a page (and usually on a huge page); the tables follow. */
static int map_region(struct bsr_pool *pool)
{
	const size_t chunk_bytes = pool->chunk_count * sizeof(struct chunk);
	const size_t unit_bytes = pool->unit_count * sizeof(struct unit);
	const size_t wanted = pool->bytes + chunk_bytes + unit_bytes;
	uint8_t *mem = mmap(NULL, wanted + HUGE_PAGE_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (mem == MAP_FAILED) {
		return -errno;
	}
	const size_t skip = (HUGE_PAGE_BYTES - (uintptr_t)mem % HUGE_PAGE_BYTES) % HUGE_PAGE_BYTES;
	if (skip > 0) {
		(void)munmap(mem, skip); /* only address space is at stake */
	}
	pool->mem = mem + skip;
	pool->mapped_bytes = wanted + HUGE_PAGE_BYTES - skip;
	/* advice: fewer TLB misses, cheaper pinning */
	(void)madvise(pool->mem, pool->bytes, MADV_HUGEPAGE);
	/* a child must never copy payload pages */
	(void)madvise(pool->mem, pool->bytes, MADV_DONTFORK);
	pool->chunk = (struct chunk *)(void *)(pool->mem + pool->bytes);
	pool->unit = (struct unit *)(void *)(pool->mem + pool->bytes + chunk_bytes);
	return 0;
}

int bsr_pool_create(struct bsr_pool **pool, size_t bytes, bool *locked)
{
	if (bytes == 0 || bytes > BSR_POOL_BYTES_MAX) {
		return -EINVAL;
	}
	struct bsr_pool *p = calloc(1, sizeof(*p));
	if (p == NULL) {
		return -ENOMEM;
	}
	p->chunk_count = (uint32_t)((bytes + CHUNK_BYTES - 1) >> CHUNK_SHIFT);
	p->unit_count = p->chunk_count * UNITS_PER_CHUNK;
	p->bytes = (size_t)p->chunk_count << CHUNK_SHIFT;
	const int error = map_region(p);
	if (error != 0) {
		free(p);
		return error;
	}
	*locked = mlock(p->mem, p->mapped_bytes) == 0;
	if (!*locked) {
		/* not locked, but at least there before the first request */
		memset(p->mem, 0, p->mapped_bytes);
	}
	p->free_chunk = NO_CHUNK;
	for (uint32_t i = 0; i < CLASS_COUNT; i++) {
		p->partial[i] = NO_CHUNK;
	}
	for (uint32_t i = p->chunk_count; i-- > 0;) {
		list_push(p, &p->free_chunk, i);
	}
	*pool = p;
	return 0;
}

void bsr_pool_destroy(struct bsr_pool *pool)
{
	if (pool == NULL) {
		return;
	}
	(void)munmap(pool->mem, pool->mapped_bytes);
	free(pool);
}

/*
 * A chunk of @class with a buffer left, made from a free chunk if need be; NO_CHUNK when there is
 * neither.
 */
static uint32_t chunk_for(struct bsr_pool *pool, uint32_t class)
{
	if (pool->partial[class] != NO_CHUNK) {
		return pool->partial[class];
	}
	const uint32_t index = pool->free_chunk;
	if (index == NO_CHUNK) {
		return NO_CHUNK;
	}
	list_remove(pool, &pool->free_chunk, index);
	struct chunk *c = &pool->chunk[index];
	BSR_ASSERT(c->out == 0);
	c->class = (uint8_t)class;
	c->carved = 0;
	c->free_unit = NO_UNIT;
	list_push(pool, &pool->partial[class], index);
	return index;
}

static void take_back(struct bsr_pool *pool, bsr_buf_t buf);

static void give_kept_back(struct bsr_pool *pool)
{
	while (pool->kept_count > 0) {
		take_back(pool, pool->kept[--pool->kept_count]);
	}
}

static bsr_buf_t get_from_chunk(struct bsr_pool *pool, uint32_t class, uint32_t index)
{
	struct chunk *c = &pool->chunk[index];
	struct unit *units = &pool->unit[index * UNITS_PER_CHUNK];
	uint32_t at = c->free_unit;
	if (at != NO_UNIT) {
		c->free_unit = units[at].next_free;
	} else {
		at = (uint32_t)c->carved++ << class;
	}
	if (++c->out == buffers_per_chunk(class)) {
		list_remove(pool, &pool->partial[class], index);
	}
	BSR_ASSERT(units[at].references == 0); /* POOL-2 */
	units[at].references = 1;
	pool->in_use++;
	return index * UNITS_PER_CHUNK + at;
}

static __attribute__((noinline)) bsr_buf_t get_other(struct bsr_pool *pool, uint32_t bytes)
{
	BSR_ASSERT(bytes > 0 && bytes <= BSR_REQUEST_BYTES_MAX);
	uint32_t class = class_of(bytes);
	uint32_t index = chunk_for(pool, class);
	if (index == NO_CHUNK && pool->kept_count > 0) {
		give_kept_back(pool);
		index = chunk_for(pool, class);
	}
	while (index == NO_CHUNK) {
		if (++class == CLASS_COUNT) {
			return BSR_BUF_NONE;
		}
		index = pool->partial[class];
	}
	return get_from_chunk(pool, class, index);
}

bsr_buf_t bsr_pool_get(struct bsr_pool *pool, uint32_t bytes)
{
	if (bytes - 1 >= BSR_POOL_UNIT_BYTES || pool->kept_count == 0) {
		return get_other(pool, bytes);
	}
	const bsr_buf_t buf = pool->kept[--pool->kept_count];
	BSR_ASSERT(pool->unit[buf].references == 0); /* POOL-2 */
	pool->unit[buf].references = 1;
	pool->in_use++;
	return buf;
}

bsr_buf_t bsr_pool_take(struct bsr_pool *pool, uint32_t bytes, uint8_t **mem)
{
	const bsr_buf_t buf = bsr_pool_get(pool, bytes);
	if (buf != BSR_BUF_NONE) {
		*mem = pool->mem + ((size_t)buf << UNIT_SHIFT);
	}
	return buf;
}

static inline struct unit *unit_in_use(const struct bsr_pool *pool, bsr_buf_t buf)
{
	BSR_ASSERT(buf < pool->unit_count);
	struct unit *u = &pool->unit[buf];
	BSR_ASSERT(u->references != 0); /* POOL-2 */
	return u;
}

inline uint8_t *bsr_pool_borrow(struct bsr_pool *pool, bsr_buf_t buf)
{
	struct unit *u = unit_in_use(pool, buf);
	BSR_ASSERT(u->references < BSR_POOL_REFERENCES_MAX);
	u->references++;
	return pool->mem + ((size_t)buf << UNIT_SHIFT);
}

inline uint8_t *bsr_pool_borrow_part(struct bsr_pool *pool, bsr_buf_t buf, uint32_t offset, uint32_t bytes)
{
	uint8_t *mem = bsr_pool_borrow(pool, buf);
	BSR_ASSERT((uint64_t)offset + bytes <= BSR_POOL_UNIT_BYTES << pool->chunk[buf / UNITS_PER_CHUNK].class);
	return mem + offset;
}

void bsr_pool_ref(struct bsr_pool *pool, bsr_buf_t buf)
{
	(void)bsr_pool_borrow(pool, buf);
}

static void wake_waiters(struct bsr_pool *pool)
{
	const uint32_t count = pool->waiter_count;
	pool->waiter_count = 0;
	for (uint32_t i = 0; i < count; i++) {
		pool->waiter[i].fn(pool->waiter[i].ctx);
	}
	BSR_ASSERT(pool->waiter_count == 0); /* they only take a note */
}

/* To its chunk. */
static void take_back(struct bsr_pool *pool, bsr_buf_t buf)
{
	struct unit *u = &pool->unit[buf];
	const uint32_t index = buf / UNITS_PER_CHUNK;
	struct chunk *c = &pool->chunk[index];
	BSR_ASSERT(c->out > 0);
	if (c->out == buffers_per_chunk(c->class)) {
		list_push(pool, &pool->partial[c->class], index);
	}
	u->next_free = c->free_unit;
	c->free_unit = (uint16_t)(buf % UNITS_PER_CHUNK);
	if (--c->out == 0) {
		list_remove(pool, &pool->partial[c->class], index);
		list_push(pool, &pool->free_chunk, index);
	}
}

static __attribute__((noinline)) void free_other(struct bsr_pool *pool, bsr_buf_t buf)
{
	if (pool->kept_count < KEPT_MAX && pool->chunk[buf / UNITS_PER_CHUNK].class == 0) {
		pool->kept[pool->kept_count++] = buf;
	} else {
		take_back(pool, buf);
	}
	if (pool->waiter_count > 0) {
		wake_waiters(pool);
	}
}

/* Nobody holds it any more. */
static inline void free_buffer(struct bsr_pool *pool, bsr_buf_t buf)
{
	pool->in_use--;
	if (pool->kept_count < KEPT_MAX && pool->waiter_count == 0 && pool->chunk[buf / UNITS_PER_CHUNK].class == 0) {
		pool->kept[pool->kept_count++] = buf;
	} else {
		free_other(pool, buf);
	}
}

inline void bsr_pool_put(struct bsr_pool *pool, bsr_buf_t buf)
{
	struct unit *u = unit_in_use(pool, buf);
	if (--u->references == 0) {
		free_buffer(pool, buf);
	}
}

inline uint8_t *bsr_pool_mem(struct bsr_pool *pool, bsr_buf_t buf)
{
	(void)unit_in_use(pool, buf);
	return pool->mem + ((size_t)buf << UNIT_SHIFT);
}

uint32_t bsr_pool_size(const struct bsr_pool *pool, bsr_buf_t buf)
{
	(void)unit_in_use(pool, buf);
	return BSR_POOL_UNIT_BYTES << pool->chunk[buf / UNITS_PER_CHUNK].class;
}

uint32_t bsr_pool_references(const struct bsr_pool *pool, bsr_buf_t buf)
{
	return unit_in_use(pool, buf)->references;
}

void bsr_pool_region(const struct bsr_pool *pool, void **mem, size_t *bytes)
{
	*mem = pool->mem;
	*bytes = pool->bytes;
}

void bsr_pool_on_free(struct bsr_pool *pool, void (*fn)(void *ctx), void *ctx)
{
	for (uint32_t i = 0; i < pool->waiter_count; i++) {
		if (pool->waiter[i].fn == fn && pool->waiter[i].ctx == ctx) {
			return;
		}
	}
	BSR_ASSERT(pool->waiter_count < BSR_POOL_WAITERS_MAX);
	pool->waiter[pool->waiter_count++] = (struct waiter){.fn = fn, .ctx = ctx};
}

uint32_t bsr_pool_in_use(const struct bsr_pool *pool)
{
	return pool->in_use;
}
