// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * options.c - what an empty configuration means
 */
#include <bsr/options.h>

void bsr_resource_options_defaults(struct bsr_resource_options *o)
{
	*o = (struct bsr_resource_options){
		.on_no_data = BSR_NO_DATA_IO_ERROR, .twopc_timeout_ds = 50, .twopc_retry_timeout_ds = 1};
}

void bsr_disk_options_defaults(struct bsr_disk_options *o)
{
	*o = (struct bsr_disk_options){.on_io_error = BSR_IO_ERROR_PASSTHROUGH,
		.max_passthrough_count = 100,
		.al_extents = BSR_AL_EXTENTS_DEFAULT,
		.al_updates = true,
		.disk_drain = true,
		.md_flushes = true};
}

void bsr_net_options_defaults(struct bsr_net_options *o)
{
	*o = (struct bsr_net_options){.protocol = BSR_PROTOCOL_C,
		.timeout_ds = 60,
		.ko_count = 5,
		.max_epoch_size = 16000,
		.connect_int_s = 3,
		.ping_int_s = 3,
		.ping_timeout_ds = 30,
		.on_congestion = BSR_CONGESTION_BLOCK,
		.congestion_extents = BSR_AL_EXTENTS_DEFAULT,
		.fencing = BSR_FENCING_DONT_CARE};
}

void bsr_peer_device_options_defaults(struct bsr_peer_device_options *o)
{
	*o = (struct bsr_peer_device_options){.resync_rate_kib = 250,
		.c_plan_ahead_ds = 20,
		.c_delay_target_ds = 10,
		.c_fill_target_sectors = 100,
		.c_max_rate_kib = 5120,
		.c_min_rate_kib = 250,
		.ov_req_interval_ms = 100};
}
