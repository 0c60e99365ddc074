/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * events.h - what `events2` prints: a model of one resource, fed with snapshots and events
 *
 * The model remembers the last value of every field, so that a change prints only what has changed,
 * and so that a resource whose engine process was replaced goes on without repeating itself.
 */
#ifndef BSRSETUP_EVENTS_H
#define BSRSETUP_EVENTS_H

#include "text.h"

struct bsr_events_style {
	bool timestamps;
	bool statistics;
	bool full; /* a change names all fields of its object */
	bool diff; /* old->new */
	bool json; /* one object a line */
	bool cursor; /* json: with the place in the stream, for --resume */
	bool color;
};

struct bsr_events_model;

/**
 * bsr_events_model_create - a resource nothing is known of yet; freed with bsr_events_model_free()
 * @is_new: it began after the initial dump: its objects are `create`d, they did not `exist`
 */
struct bsr_events_model *bsr_events_model_create(const char *resource, bool is_new);
void bsr_events_model_free(struct bsr_events_model *model);

/** bsr_events_model_instance - which process the events that follow are numbered by; for cursors */
void bsr_events_model_instance(struct bsr_events_model *model, const char *instance);
/**
 * bsr_events_known - take over a snapshot that the reader has seen already: nothing is printed
 */
void bsr_events_known(struct bsr_events_model *model, struct json_object *snapshot);
/**
 * bsr_events_snapshot - take over a snapshot; appends lines
 *
 * The first one prints every object as `exists`; a later one (after a reconnection) what differs.
 */
void bsr_events_snapshot(struct bsr_events_model *model, struct bsr_text *out,
	const struct bsr_events_style *style, struct json_object *snapshot);
/** bsr_events_event - take over an event of the stream; appends its lines, possibly none */
void bsr_events_event(struct bsr_events_model *model, struct bsr_text *out,
	const struct bsr_events_style *style, struct json_object *event);
/** bsr_events_gone - the resource was taken down: `destroy` for what is left, last created first */
void bsr_events_gone(struct bsr_events_model *model, struct bsr_text *out,
	const struct bsr_events_style *style, int64_t time_us);
/**
 * bsr_events_sync - a `sync` line for each peer device of @snapshot whose resync runs; returns how
 * many
 */
uint32_t bsr_events_sync(struct bsr_events_model *model, struct bsr_text *out,
	const struct bsr_events_style *style, struct json_object *snapshot);
/** bsr_events_dump_end - the line that ends the initial dump */
void bsr_events_dump_end(
	struct bsr_text *out, const struct bsr_events_style *style, int64_t time_us);
/** bsr_events_skipped - the line for events that were lost; @count -1: nobody knows how many */
void bsr_events_skipped(
	struct bsr_text *out, const struct bsr_events_style *style, int64_t time_us, int64_t count);

#endif
