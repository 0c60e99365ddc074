// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * mem.c - memory of a run, given back as a whole
 *
 * Small pieces come from 1 MiB slabs with a free list per size class; large ones are mapped, because engines ask for
 * megabytes of which a run touches little; those of moderate size are kept, because page faults cost more than clearing. Addresses never decide anything.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "sim.h"

#define SLAB_BYTES (1u << 20)
#define LARGE_BYTES (64u << 10)
#define CLASS_COUNT 17u
#define KEPT_BYTES_MAX (3u << 19) /* larger pieces are touched only here and there: new pages are cheaper than clearing */
#define KEPT_SIZES 32u
#define KEPT_MAX 64u /* pieces of one size */

struct slab {
	struct slab *next;
	size_t used;
};

struct large {
	struct large *next;
	struct large *previous;
	size_t bytes; /* mapped, with this header's page */
};

#define FREED 0xdd

struct free_piece {
	struct free_piece *next;
};

/* Mappings of one size that wait for their next use. */
struct kept {
	struct large *first;
	size_t bytes;
	uint32_t count;
};

struct sim_mem {
	struct kept kept[KEPT_SIZES];
	struct slab *slabs;  /* in use, newest first */
	struct slab *spare;  /* kept for the next run */
	struct large *large;
	struct free_piece *free_list[CLASS_COUNT];
};

static void *map_pages(size_t bytes)
{
	void *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (p == MAP_FAILED) {
		fputs("bsr-sim: out of memory\n", stderr);
		abort();
	}
	return p;
}

static uint32_t class_of(size_t bytes)
{
	uint32_t c = 4;
	while (((size_t)1 << c) < bytes) {
		c++;
	}
	return c;
}

static struct sim_mem *mem_of(struct sim *w)
{
	if (w->mem == NULL) {
		w->mem = calloc(1, sizeof(*w->mem));
		if (w->mem == NULL) {
			abort();
		}
	}
	return w->mem;
}

static struct kept *kept_of(struct sim_mem *m, size_t total)
{
	for (uint32_t i = 0; total <= KEPT_BYTES_MAX && i < KEPT_SIZES; i++) {
		if (m->kept[i].bytes == total || m->kept[i].bytes == 0) {
			m->kept[i].bytes = total;
			return &m->kept[i];
		}
	}
	return NULL;
}

static struct large *new_large(struct sim_mem *m, size_t total)
{
	struct kept *k = kept_of(m, total);
	if (k == NULL || k->first == NULL) {
		return map_pages(total);
	}
	struct large *l = k->first;
	k->first = l->next;
	k->count--;
	memset((uint8_t *)l + 4096, 0, total - 4096);
	return l;
}

static void *alloc_large(struct sim_mem *m, size_t bytes)
{
	const size_t total = (bytes + 4096u + 4095u) / 4096u * 4096u;
	struct large *l = new_large(m, total);
	l->bytes = total;
	l->next = m->large;
	l->previous = NULL;
	if (m->large != NULL) {
		m->large->previous = l;
	}
	m->large = l;
	return (uint8_t *)l + 4096;
}

static void free_large(struct sim_mem *m, void *mem)
{
	struct large *l = (struct large *)(void *)((uint8_t *)mem - 4096);
	if (l->previous != NULL) {
		l->previous->next = l->next;
	} else {
		m->large = l->next;
	}
	if (l->next != NULL) {
		l->next->previous = l->previous;
	}
	struct kept *k = kept_of(m, l->bytes);
	if (k == NULL || k->count >= KEPT_MAX) {
		munmap(l, l->bytes);
		return;
	}
	memset(mem, FREED, 4096); /* whoever still looks there shall notice */
	l->next = k->first;
	k->first = l;
	k->count++;
}

static void *carve(struct sim_mem *m, size_t bytes)
{
	if (m->slabs == NULL || m->slabs->used + bytes > SLAB_BYTES) {
		struct slab *s = m->spare;
		if (s != NULL) {
			m->spare = s->next;
		} else {
			s = map_pages(SLAB_BYTES);
		}
		s->used = 64;
		s->next = m->slabs;
		m->slabs = s;
	}
	void *p = (uint8_t *)m->slabs + m->slabs->used;
	m->slabs->used += bytes;
	return p;
}

void *sim_alloc(struct sim *w, size_t bytes)
{
	struct sim_mem *m = mem_of(w);
	if (bytes > LARGE_BYTES) {
		return alloc_large(m, bytes);
	}
	const uint32_t c = class_of(bytes);
	void *p = m->free_list[c];
	if (p != NULL) {
		m->free_list[c] = m->free_list[c]->next;
	} else {
		p = carve(m, (size_t)1 << c);
	}
	memset(p, 0, bytes);
	return p;
}

void sim_free(struct sim *w, void *mem, size_t bytes)
{
	if (mem == NULL) {
		return;
	}
	struct sim_mem *m = mem_of(w);
	if (bytes > LARGE_BYTES) {
		free_large(m, mem);
		return;
	}
	memset(mem, FREED, bytes);
	struct free_piece *f = mem;
	const uint32_t c = class_of(bytes);
	f->next = m->free_list[c];
	m->free_list[c] = f;
}

void sim_mem_reset(struct sim *w)
{
	struct sim_mem *m = mem_of(w);
	while (m->large != NULL) {
		free_large(m, (uint8_t *)m->large + 4096);
	}
	while (m->slabs != NULL) {
		struct slab *s = m->slabs;
		m->slabs = s->next;
		s->next = m->spare;
		m->spare = s;
	}
	memset(m->free_list, 0, sizeof(m->free_list));
}
