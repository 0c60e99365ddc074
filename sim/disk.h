/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * disk.h - what disk.c and disk_cache.c share
 */
#ifndef SIM_DISK_H
#define SIM_DISK_H

#include "sim.h"

struct sim_op {
	struct sim_op *next;
	struct sim_op *previous;
	uint32_t node;
	uint32_t volume;
	uint32_t op_id;
	uint32_t buf_sector;
	bsr_buf_t buf;
	uint32_t count; /* sectors */
	uint64_t sector; /* of data; of metadata: absolute sector on its device */
	uint64_t mark[2]; /* flush: cached writes up to here are covered, per device */
	uint8_t *bytes;	  /* metadata write: content when it was issued */
	void *mem;	  /* metadata: the engine's memory */
	uint8_t op;
	uint8_t flags;
	uint8_t digest; /* a read that returns digests: enum bsr_digest */
	bool metadata;
	bool earlier; /* a write that was there while the disk was UpToDate: of no resync that has begun since */
	bool scheduled;
	bool cancelled;
};

/** sim_cache_data - content reaches the device: into the cache, or through it when @stable */
void sim_cache_data(struct sim *w, uint32_t node, uint32_t volume, uint64_t sector, uint32_t count,
	const uint32_t *stamps, bool stable);
/** sim_cache_md - the same for one metadata block; @keep: which of its 8 sectors are written */
void sim_cache_md(struct sim *w, uint32_t node, uint32_t volume, uint32_t block, const uint8_t *bytes, uint8_t keep,
	bool stable);
/** sim_cache_flush - what entered the cache up to @mark is stable now */
void sim_cache_flush(struct sim *w, uint32_t node, uint32_t volume, struct sim_device *dev, uint64_t mark);
/** sim_cache_power_cut - any subset of the cached writes survives */
void sim_cache_power_cut(struct sim *w, uint32_t node, uint32_t volume, struct sim_device *dev);
/** sim_disk_flush_before - what a metadata write says is to be flushed first */
void sim_disk_flush_before(struct sim *w, struct sim_op *op);
bool sim_cache_block_atomic(const struct sim_disk *d, uint32_t block);

#endif
