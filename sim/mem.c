// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * mem.c - memory of a run, given back as a whole
 *
 * Small pieces come from 1 MiB slabs with a free list per size class; large ones are mapped, because engines ask for
 * megabytes of which a run touches little. Addresses never decide anything.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "sim.h"

#define SLAB_BYTES (1u << 20)
#define LARGE_BYTES (64u << 10)
#define CLASS_COUNT 17u

struct slab {
	struct slab *next;
	size_t used;
};

struct large {
	struct large *next;
	struct large *previous;
	size_t bytes; /* mapped, with this header's page */
};

struct free_piece {
	struct free_piece *next;
};

struct sim_mem {
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

static void *alloc_large(struct sim_mem *m, size_t bytes)
{
	const size_t total = bytes + 4096u;
	struct large *l = map_pages(total);
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
	munmap(l, l->bytes);
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
