/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * list.h - doubly linked list, links embedded in what is listed
 */
#ifndef BSR_ENGINE_LIST_H
#define BSR_ENGINE_LIST_H

#include <stdbool.h>
#include <stddef.h>

struct bsr_list {
	struct bsr_list *next;
	struct bsr_list *prev;
};

#define BSR_CONTAINER(ptr, type, member) ((type *)(void *)((char *)(ptr)-offsetof(type, member)))

static inline void bsr_list_init(struct bsr_list *l)
{
	l->next = l;
	l->prev = l;
}

static inline bool bsr_list_empty(const struct bsr_list *l)
{
	return l->next == l;
}

static inline void bsr_list_append(struct bsr_list *list, struct bsr_list *item)
{
	struct bsr_list *last = list->prev;
	item->prev = last;
	item->next = list;
	last->next = item;
	list->prev = item;
}

/** bsr_list_remove - take out of whatever list it is in; afterwards it is an empty list itself */
static inline void bsr_list_remove(struct bsr_list *item)
{
	struct bsr_list *prev = item->prev;
	struct bsr_list *next = item->next;
	prev->next = next;
	next->prev = prev;
	bsr_list_init(item);
}

/** bsr_list_move_all - append everything of @from to @to in order; @from is empty afterwards */
static inline void bsr_list_move_all(struct bsr_list *to, struct bsr_list *from)
{
	if (bsr_list_empty(from)) {
		return;
	}
	from->next->prev = to->prev;
	to->prev->next = from->next;
	from->prev->next = to;
	to->prev = from->prev;
	bsr_list_init(from);
}

#endif
