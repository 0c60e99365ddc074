/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * options.h - what an administrator can set, as numbers the engine uses
 *
 * Names, ranges and defaults are those of the configuration language (docs/config). Units last in
 * the name; "ds" is 0.1 s. The *_defaults() functions fill in what an empty configuration means.
 */
#ifndef BSR_OPTIONS_H
#define BSR_OPTIONS_H

#include <bsr/types.h>

enum bsr_on_io_error {
	BSR_IO_ERROR_PASS_ON,
	BSR_IO_ERROR_CALL_HANDLER,
	BSR_IO_ERROR_DETACH,
	BSR_IO_ERROR_PASSTHROUGH,
};
enum bsr_on_congestion { BSR_CONGESTION_BLOCK, BSR_CONGESTION_PULL_AHEAD, BSR_CONGESTION_DISCONNECT };
enum bsr_fencing { BSR_FENCING_DONT_CARE, BSR_FENCING_RESOURCE_ONLY, BSR_FENCING_RESOURCE_AND_STONITH };
enum bsr_on_no_data { BSR_NO_DATA_IO_ERROR, BSR_NO_DATA_SUSPEND_IO };
enum bsr_after_sb {
	BSR_ASB_DISCONNECT,
	BSR_ASB_DISCARD_YOUNGER_PRIMARY,
	BSR_ASB_DISCARD_OLDER_PRIMARY,
	BSR_ASB_DISCARD_ZERO_CHANGES,
	BSR_ASB_DISCARD_LEAST_CHANGES,
	BSR_ASB_DISCARD_LOCAL,
	BSR_ASB_DISCARD_REMOTE,
	BSR_ASB_CONSENSUS,
	BSR_ASB_DISCARD_SECONDARY,
	BSR_ASB_CALL_PRI_LOST,
	BSR_ASB_VIOLENTLY,
};
enum bsr_rr_conflict { BSR_RR_DISCONNECT, BSR_RR_CALL_PRI_LOST, BSR_RR_VIOLENTLY };

struct bsr_resource_options {
	enum bsr_on_no_data on_no_data;
	uint32_t twopc_timeout_ds;
	uint32_t twopc_retry_timeout_ds;
};

struct bsr_disk_options {
	enum bsr_on_io_error on_io_error;
	uint32_t max_passthrough_count;
	uint32_t al_extents;
	uint32_t disk_timeout_ds; /* 0 = never */
	bool al_updates;
	bool disk_flushes; /* peers' epochs are separated by flushes, not only by waiting */
	bool disk_drain;
	bool md_flushes;
};

struct bsr_net_options {
	enum bsr_protocol protocol;
	uint32_t timeout_ds;
	uint32_t ko_count; /* 0 = a stuck peer is never dropped */
	uint32_t max_epoch_size; /* writes between two checkpoints */
	uint32_t connect_int_s;
	uint32_t ping_int_s;
	uint32_t ping_timeout_ds;
	/* protocol A: bytes that may wait for the network; 0 = the engine's default */
	uint64_t sndbuf_bytes;
	enum bsr_on_congestion on_congestion;
	uint64_t congestion_fill_bytes;
	uint32_t congestion_extents;
	enum bsr_fencing fencing;
	enum bsr_after_sb after_sb_0pri;
	enum bsr_after_sb after_sb_1pri;
	enum bsr_after_sb after_sb_2pri;
	enum bsr_rr_conflict rr_conflict;
	bool always_asbp;
	enum bsr_digest verify_alg; /* NONE: no online verify */
};

struct bsr_peer_device_options {
	uint32_t resync_rate_kib;  /* used when c_plan_ahead_ds is 0 */
	uint32_t c_plan_ahead_ds;
	uint32_t c_delay_target_ds;
	uint32_t c_fill_target_sectors;
	uint32_t c_max_rate_kib; /* 0 = no limit */
	uint32_t c_min_rate_kib;
	/* verify: so many blocks every so many milliseconds; 0 blocks: as fast as a resync */
	uint32_t ov_req_blocks;
	uint32_t ov_req_interval_ms;
};

#define BSR_RATE_UNLIMITED ((uint64_t)UINT32_MAX << 10) /* as bytes a second: times a second in us it still fits 64 bits */

/** bsr_peer_device_rate - bytes a second that a resync asks for at most; BSR_RATE_UNLIMITED = no limit */
uint64_t bsr_peer_device_rate(const struct bsr_peer_device_options *o);

void bsr_resource_options_defaults(struct bsr_resource_options *o);
void bsr_disk_options_defaults(struct bsr_disk_options *o);
void bsr_net_options_defaults(struct bsr_net_options *o);
void bsr_peer_device_options_defaults(struct bsr_peer_device_options *o);

#endif
