// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * rate.c - how fast a resync may be, as its options say
 */
#include <bsr/options.h>

uint64_t bsr_peer_device_rate(const struct bsr_peer_device_options *o)
{
	if (o->c_plan_ahead_ds != 0) {
		return o->c_max_rate_kib != 0 ? (uint64_t)o->c_max_rate_kib << 10 : BSR_RATE_UNLIMITED;
	}
	return (uint64_t)(o->resync_rate_kib != 0 ? o->resync_rate_kib : 1) << 10;
}
