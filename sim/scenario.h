/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * scenario.h - named stories
 */
#ifndef SIM_SCENARIO_H
#define SIM_SCENARIO_H

#include "sim.h"

struct sim_scenario {
	char story[256];
	char path[256];
	uint32_t nodes, volumes, later, mib, requests, depth, read_pm, flush_pm, zero_pm, spots, protocol, resync_kib;
	uint32_t write_through; /* 0: both nodes have a volatile cache; 1: by seed */
	bool full_sync;
	bool no_flushes; /* disk-flushes no */
	uint32_t older;	 /* 0: by seed, 1: all engines have all features, 2: all but one lack the newer ones */
	bool journal;	 /* the application's writes are transactions */
	uint32_t larger_node; /* SIM_NONE, or whose disks are larger than the others' */
	uint32_t after_sb[3]; /* 0: by seed; else 1 + enum bsr_after_sb */
	uint32_t on_io_error; /* 0: by seed; else 1 + enum bsr_on_io_error */
	uint64_t fault_ns;
	uint32_t action_count;
	struct sim_action action[SIM_PLAN_MAX];
	bool expect_split_brain, any_split_brain;
	bool expect_found; /* a verify finds something */
	uint32_t expect_primary;
	uint32_t expect_source; /* of every resync; SIM_NONE: any */
	uint32_t expect_refused, expect_done; /* bit per command */
	uint64_t acked_least; /* writes */
	uint64_t resync_least_bytes, resync_most_bytes;
};

/** sim_scenario_load - false after a message with file and line */
bool sim_scenario_load(struct sim_scenario *s, const char *path);
void sim_scenario_configure(struct sim *w);
void sim_scenario_plan(struct sim *w);
/** sim_scenario_check - at rest: what the story must end with */
void sim_scenario_check(struct sim *w);

#endif
