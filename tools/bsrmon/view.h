/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * view.h - what `bsrmon watch` shows of all resources, as lines of text
 */
#ifndef BSRMON_VIEW_H
#define BSRMON_VIEW_H

#include "source.h"

#define MON_HISTORY 30u /* periods of a sparkline */

/** What one volume, or one volume with one peer, did lately. */
struct mon_lane {
	char resource[MON_NAME_MAX];
	char peer[MON_NAME_MAX]; /* "": the volume itself */
	int64_t volume;
	bool fresh;               /* seen in the last round */
	uint32_t count;           /* periods that are remembered, the newest last */
	int64_t kib[MON_HISTORY]; /* KiB a second, read and written; of a peer: sent */
	int64_t p99_us[MON_HISTORY];
	int64_t read_iops, read_kib, write_iops, write_kib;
	int64_t network_p99_us, disk_p99_us;
};

struct mon_view {
	struct mon_lane *lane;
	size_t count;
	size_t room;
	bool color;
	bool utf8;
	char host[64];
};

/** mon_view_round - remember one more period */
void mon_view_round(struct mon_view *view, const struct mon_sources *sources);
/** mon_view_print - all lines, each ended by a line feed; @when for the title */
void mon_view_print(const struct mon_view *view, const struct mon_sources *sources, const char *when,
	struct bsr_text *out);
void mon_view_free(struct mon_view *view);

/** mon_spark - @count values as a row of little bars, the largest at full height */
void mon_spark(struct bsr_text *out, const int64_t *value, uint32_t count, bool utf8);
/** mon_bar - "[====>     ]" of @width cells for hundredths of a percent */
void mon_bar(struct bsr_text *out, uint32_t done, uint32_t width);
/** mon_amount - KiB as "5.0M", four or five characters */
void mon_amount(struct bsr_text *out, int64_t kib);
/** mon_duration - microseconds as "850us", "1.2ms", "3.4s"; "-" for 0 */
void mon_duration(struct bsr_text *out, int64_t us);
/**
 * mon_clip - @bytes of one line, cut off at @columns cells; colours end with it
 *
 * Escape sequences take no cell, a character of several bytes takes one.
 */
void mon_clip(struct bsr_text *out, const char *line, size_t bytes, uint32_t columns);

#endif
