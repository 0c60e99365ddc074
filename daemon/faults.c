// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * faults.c - delays and errors on purpose, for tests
 *
 * Owns:       the rules; effects that are held back.
 * Invariants:
 *   FI-1  Messages of one stream keep their order, also over the end of a rule.
 *   FI-2  What is held back is carried out or answered exactly once; its buffer has a reference of ours until
 * then. FI-3  Every rule and every error is logged: nobody takes one for a defect.
 */
#include "faults.h"

#include <stdlib.h>
#include <string.h>

#include <bsr/assert.h>

#include "engine_process.h"

#define NS_PER_MS 1000000ull

struct held {
	struct held *next;
	uint64_t due_ns;
	bool error;
	struct bsr_effect effect;
	uint8_t head[]; /* of a message */
};

struct bsrd_faults {
	uint32_t count;
	struct bsrd_fault rule[BSRD_FAULTS_MAX];
	struct held *first; /* in order of arrival */
	struct held **last;
	uint64_t deadline_ns;
	/* of each stream: how many messages are held back, and until when the last one is */
	uint32_t waiting[BSR_NODES_MAX][BSR_STREAM_COUNT];
	uint64_t until_ns[BSR_NODES_MAX][BSR_STREAM_COUNT];
};

static const char *kind_word(enum bsrd_fault_kind kind)
{
	switch (kind) {
	case BSRD_FAULT_DISK:
		return "disk";
	case BSRD_FAULT_META:
		return "meta";
	case BSRD_FAULT_NETWORK:
		return "network";
	}
	return "?";
}

int bsrd_faults_set(struct bsrd *d, const struct bsrd_fault *rule)
{
	BSR_ASSERT(d->faults_allowed);
	if (d->faults == NULL) {
		d->faults = calloc(1, sizeof(*d->faults));
		if (d->faults == NULL) {
			return -BSR_E_NO_MEMORY;
		}
		d->faults->last = &d->faults->first;
		d->faults->deadline_ns = UINT64_MAX;
	}
	if (d->faults->count == BSRD_FAULTS_MAX) {
		return -BSR_E_NO_SPACE;
	}
	d->faults->rule[d->faults->count++] = *rule;
	bsr_log(BSR_LOGN_FAULT_SET, "kind=%s delay_ms=%u error=%s count=%llu", kind_word(rule->kind),
		(unsigned)rule->delay_ms, rule->error ? "yes" : "no", (unsigned long long)rule->count);
	return 0;
}

static void free_if_idle(struct bsrd *d)
{
	if (d->faults != NULL && d->faults->count == 0 && d->faults->first == NULL) {
		free(d->faults);
		d->faults = NULL;
	}
}

void bsrd_faults_clear(struct bsrd *d)
{
	if (d->faults != NULL) {
		bsr_log(BSR_LOGN_FAULTS_CLEARED, "rules=%u", (unsigned)d->faults->count);
		d->faults->count = 0;
		free_if_idle(d);
	}
}

const struct bsrd_fault *bsrd_faults_at(const struct bsrd *d, uint32_t index)
{
	return d->faults != NULL && index < d->faults->count ? &d->faults->rule[index] : NULL;
}

/* -------------------------------------------------------------------- matching */

static uint32_t op_bit(enum bsr_op op)
{
	return op == BSR_OP_READ || op == BSR_OP_DIGEST ? BSRD_FAULT_READ : op == BSR_OP_FLUSH ? BSRD_FAULT_FLUSH : BSRD_FAULT_WRITE;
}

static bool concerns(const struct bsrd_fault *rule, const struct bsr_effect *e)
{
	if (rule->count != 0 && rule->done >= rule->count) {
		return false;
	}
	if (e->type == BSR_FX_SEND) {
		return rule->kind == BSRD_FAULT_NETWORK &&
		       (rule->peer == BSRD_NOBODY || rule->peer == e->u.send.peer);
	}
	const bool md = e->type == BSR_FX_MD;
	const uint32_t volume = md ? e->u.md.volume : e->u.disk.volume;
	const uint32_t op =
		md ? (e->u.md.write ? BSRD_FAULT_WRITE : BSRD_FAULT_READ) : op_bit((enum bsr_op)e->u.disk.op);
	return rule->kind == (md ? BSRD_FAULT_META : BSRD_FAULT_DISK) &&
	       (rule->volume == BSRD_NOBODY || rule->volume == volume) &&
	       (rule->ops == 0 || (rule->ops & op) != 0);
}

static struct held *make_held(const struct bsr_effect *e, const uint8_t *arena)
{
	const size_t head = e->type == BSR_FX_SEND ? e->u.send.head_bytes : 0;
	struct held *h = malloc(sizeof(*h) + head);
	BSR_ASSERT(h != NULL); /* a test without memory is over */
	*h = (struct held){.effect = *e};
	if (head > 0) {
		memcpy(h->head, arena + e->u.send.head_offset, head);
	}
	return h;
}

static bsr_buf_t buffer_of(const struct bsr_effect *e)
{
	return e->type == BSR_FX_SEND ? e->u.send.buf : e->type == BSR_FX_DISK ? e->u.disk.buf : BSR_BUF_NONE;
}

/* Whoever carries it out has the buffer's reference already. */
static bool gives_buffer(const struct bsr_effect *e)
{
	return e->type == BSR_FX_DISK && (e->u.disk.flags & BSR_DISK_GIVES_BUFFER) != 0;
}

static void hold(
	struct bsrd *d, const struct bsr_effect *e, const uint8_t *arena, uint32_t delay_ms, bool error)
{
	struct bsrd_faults *f = d->faults;
	struct held *h = make_held(e, arena);
	const bsr_buf_t buf = buffer_of(e);
	if (buf != BSR_BUF_NONE && !gives_buffer(e)) {
		bsr_pool_ref(d->pool, buf); /* FI-2 */
	}
	h->error = error;
	h->due_ns = bsrd_now_ns(d) + delay_ms * NS_PER_MS;
	if (e->type == BSR_FX_SEND) { /* FI-1 */
		uint64_t *until = &f->until_ns[e->u.send.peer][e->u.send.stream];
		h->due_ns = h->due_ns < *until ? *until : h->due_ns;
		*until = h->due_ns;
		f->waiting[e->u.send.peer][e->u.send.stream]++;
	}
	f->deadline_ns = h->due_ns < f->deadline_ns ? h->due_ns : f->deadline_ns;
	*f->last = h;
	f->last = &h->next;
}

bool bsrd_faults_take(struct bsrd *d, const struct bsr_effect *e, const uint8_t *arena)
{
	struct bsrd_faults *f = d->faults;
	uint32_t delay_ms = 0;
	bool found = false, error = false;
	BSR_ASSERT(f != NULL);
	if (e->type != BSR_FX_SEND && e->type != BSR_FX_DISK && e->type != BSR_FX_MD) {
		return false;
	}
	for (uint32_t i = 0; i < f->count; i++) {
		struct bsrd_fault *rule = &f->rule[i];
		if (concerns(rule, e)) {
			rule->done++;
			found = true;
			error = error || rule->error;
			delay_ms = rule->delay_ms > delay_ms ? rule->delay_ms : delay_ms;
		}
	}
	found = found || (e->type == BSR_FX_SEND && f->waiting[e->u.send.peer][e->u.send.stream] > 0);
	if (found) {
		hold(d, e, arena, delay_ms, error);
	}
	return found;
}

/* ------------------------------------------------------------------- later */

uint64_t bsrd_faults_deadline(const struct bsrd *d)
{
	return d->faults != NULL ? d->faults->deadline_ns : UINT64_MAX;
}

static void fail(struct bsrd *d, const struct bsr_effect *e)
{
	const bool md = e->type == BSR_FX_MD;
	struct bsr_event event = {.type = BSR_EV_DISK_DONE,
		.u.disk_done = {.op_id = md ? e->u.md.op_id : e->u.disk.op_id,
			.result = -BSR_E_IO,
			.buf = BSR_BUF_NONE}};
	bsr_log(BSR_LOGN_FAULT_INJECTED, "kind=%s volume=%u offset=%llu", md ? "meta" : "disk",
		(unsigned)d->running.volume[md ? e->u.md.volume : e->u.disk.volume].vnr,
		(unsigned long long)(md ? e->u.md.offset : e->u.disk.offset));
	bsrd_step(d, &event);
}

static void release(struct bsrd *d, struct held *h)
{
	const bsr_buf_t buf = buffer_of(&h->effect);
	if (h->effect.type == BSR_FX_SEND) {
		d->faults->waiting[h->effect.u.send.peer][h->effect.u.send.stream]--;
	}
	if (h->error) {
		fail(d, &h->effect);
	} else {
		bsrd_perform_late(d, &h->effect, h->head);
	}
	if (buf != BSR_BUF_NONE && (h->error || !gives_buffer(&h->effect))) {
		bsr_pool_put(d->pool, buf);
	}
	free(h);
}

/* Takes the due ones out first: carrying them out adds more. */
static struct held *take_due(struct bsrd_faults *f, uint64_t now)
{
	struct held *due = NULL;
	struct held **due_last = &due;
	struct held **at = &f->first;
	f->deadline_ns = UINT64_MAX;
	while (*at != NULL) {
		struct held *h = *at;
		if (h->due_ns <= now) {
			*at = h->next;
			h->next = NULL;
			*due_last = h;
			due_last = &h->next;
		} else {
			f->deadline_ns = h->due_ns < f->deadline_ns ? h->due_ns : f->deadline_ns;
			at = &h->next;
		}
	}
	f->last = at;
	return due;
}

void bsrd_faults_tick(struct bsrd *d)
{
	if (d->faults == NULL || bsrd_now_ns(d) < d->faults->deadline_ns) {
		return;
	}
	struct held *due = take_due(d->faults, bsrd_now_ns(d));
	while (due != NULL) {
		struct held *h = due;
		due = due->next;
		release(d, h);
	}
	free_if_idle(d);
}
