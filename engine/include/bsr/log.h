/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * log.h - numbers of events.def; a number used twice does not compile (see bsr_log_event_find)
 */
#ifndef BSR_LOG_H
#define BSR_LOG_H

#include <stdint.h>

enum bsr_log_level { BSR_LOG_ERROR = 3, BSR_LOG_WARN = 4, BSR_LOG_NOTICE = 5, BSR_LOG_INFO = 6, BSR_LOG_DEBUG = 7 };

enum bsr_log_number {
	BSR_LOG_NONE = 0,
#define BSR_LOG_EVENT(number, level, name, text, k0, k1, k2) BSR_LOGN_##name = number,
#include <bsr/events.def>
#undef BSR_LOG_EVENT
};

struct bsr_log_event_info {
	uint32_t number;
	enum bsr_log_level level;
	const char *name;   /* RESYNC_STARTED */
	const char *text;   /* for people */
	const char *key[3]; /* "" = argument unused */
};

/** bsr_log_event_find - what a number means; NULL for an unknown one */
const struct bsr_log_event_info *bsr_log_event_find(uint32_t number);

#endif
