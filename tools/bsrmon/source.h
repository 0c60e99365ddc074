/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * source.h - running resources and their last two readings
 */
#ifndef BSRMON_SOURCE_H
#define BSRMON_SOURCE_H

#include "../bsrsetup/client.h"
#include "types.h"

struct mon_source {
	char name[MON_NAME_MAX];
	struct bsr_client client;
	bool open;
	bool measures;              /* collection was asked for on this connection */
	bool listed;                /* has a socket, as of the last look */
	char instance[32];          /* of the engine process that @now is from */
	struct json_object *before; /* NULL: no second reading of the same process yet */
	struct json_object *now;
	struct json_object *snapshot; /* of `status`, when asked for */
	char trouble[160];            /* "": it answers */
	int64_t again_ms;             /* it hangs: not asked before this time of the monotonic clock */
	int64_t patience_ms;          /* how long it is left alone; grows while it hangs */
};

struct mon_sources {
	struct mon_source *at; /* by name */
	size_t count;
	size_t room;
	struct json_object *host_before; /* of /proc/meminfo */
	struct json_object *host_now;
};

/**
 * mon_sources_read - one more reading of every resource
 * @names: array of the ones that are wanted, NULL: all that run
 * @measure: ask for collection; @snapshot: also ask for status
 */
void mon_sources_read(struct mon_sources *sources, struct json_object *names, bool measure, bool snapshot);
/** mon_sources_compute - records of the host and of every source that has two readings */
void mon_sources_compute(
	const struct mon_sources *sources, const struct mon_filter *filter, mon_record_fn fn, void *ctx);
void mon_sources_close(struct mon_sources *sources);
/** mon_host_read - memory of the host in KiB, {"MemTotal":...,"used":...}; the caller's */
struct json_object *mon_host_read(void);
/** mon_host_parse - the same of a text like /proc/meminfo */
struct json_object *mon_host_parse(const char *text);

#endif
