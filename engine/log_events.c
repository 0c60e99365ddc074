// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * log_events.c - what log event numbers mean
 */
#include <stddef.h>

#include <bsr/log.h>

const struct bsr_log_event_info *bsr_log_event_find(uint32_t number)
{
	switch (number) {
#define BSR_LOG_EVENT(num, level, name, text, k0, k1, k2)                                                     \
	case num: {                                                                                           \
		static const struct bsr_log_event_info info = {                                               \
			num, BSR_LOG_##level, #name, text, {k0, k1, k2}};                                     \
		return &info;                                                                                 \
	}
#include <bsr/events.def>
#undef BSR_LOG_EVENT
	}
	return NULL;
}
