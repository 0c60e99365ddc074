/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * types.h - what bsrmon can show: types, their fields, and how a field comes from two readings of the
 * counters
 */
#ifndef BSRMON_TYPES_H
#define BSRMON_TYPES_H

#include "../bsrsetup/text.h"

#define MON_FIELDS_MAX 64u
#define MON_NAME_MAX 129u /* resource or peer, with its zero */

/* How a field's value comes from two readings, and how a report sums it up. */
enum mon_kind {
	MON_RATE,     /* difference a second */
	MON_RATE_KIB, /* the same of bytes, in KiB */
	MON_COUNT,    /* difference; a report adds them up */
	MON_COUNT_KIB,
	MON_GAUGE, /* as of the second reading */
	MON_GAUGE_KIB,
	MON_SHARE,   /* percent of the difference in the sum of two, "path|other" */
	MON_PERCENT, /* microseconds of processor time in percent of the time that has passed */
	MON_T_COUNT, /* of a histogram of times, in the period: how many ... */
	MON_T_MIN,   /* ... microseconds */
	MON_T_MAX,
	MON_T_AVG,
	MON_T_P50,
	MON_T_P99,
};

struct mon_field {
	const char *name; /* "read.iops": member iops of read */
	const char *unit;
	enum mon_kind kind;
	/* member of the object it is about, with dots; '^' in front: of all counters; '+' adds another one */
	const char *path;
};

enum mon_scope { MON_VOLUME, MON_RESOURCE, MON_HOST };

struct mon_type {
	const char *name;
	const char *help;
	enum mon_scope scope;
	const struct mon_field *field;      /* ends with a NULL name; NULL: none */
	const struct mon_field *peer_field; /* one record more for each peer */
};

/** What one object did between two readings. */
struct mon_record {
	const struct mon_type *type;
	const struct mon_field *field; /* type's field or peer_field */
	uint32_t count;                /* fields */
	char resource[MON_NAME_MAX];   /* "" for the host */
	int64_t volume;                /* -1: none */
	char peer[MON_NAME_MAX];       /* "": none */
	int64_t value[MON_FIELDS_MAX];
};

/** Two readings of one resource's counters; of the host with resource NULL. */
struct mon_readings {
	const char *resource;
	struct json_object *before; /* the object "counters" of docs/control.md, section 10 */
	struct json_object *now;
};

/** What is wanted; "" and -1: everything. */
struct mon_filter {
	uint32_t types; /* mask over mon_type_at() */
	int64_t volume;
	struct json_object *peers; /* array of names, NULL: all */
};

/** mon_type_at - types in their order; NULL past the last */
const struct mon_type *mon_type_at(uint32_t index);
/** mon_type_find - index of a name, -1 for none */
int mon_type_find(const char *name);
/** mon_types_parse - "iostat,network" or "all" or "" (all) into a mask; false: *@bad is the unknown word */
bool mon_types_parse(const char *text, uint32_t *mask, char *bad, size_t room);
/** mon_types_text - a mask as "iostat,network" */
void mon_types_text(struct bsr_text *out, uint32_t mask);
/** mon_fields_count - fields of a list */
uint32_t mon_fields_count(const struct mon_field *field);

/** mon_compute - every record that @filter wants, in order; @fn may keep nothing of it */
typedef void (*mon_record_fn)(void *ctx, const struct mon_record *record);
void mon_compute(
	const struct mon_readings *readings, const struct mon_filter *filter, mon_record_fn fn, void *ctx);

/** mon_histogram_buckets - the difference of two histogram objects, BSR_HISTOGRAM_BUCKETS numbers; @before
 * may be NULL */
void mon_histogram_buckets(struct json_object *before, struct json_object *now, int64_t *bucket);

#endif
