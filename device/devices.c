// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * devices.c - what all front ends share: tags, pieces of long ranges, back-pressure
 *
 * Owns:       the table of requests that are with the owner, and the volumes' sizes as clients see
 *             them.
 * Invariants:
 *   DEV-1  A slot is in use from bsr_device_submit() until its client has been answered or is known
 *          to be gone.
 *   DEV-2  A request is handed over only for a credit; without one the front ends stop reading.
 *
 * A discard or write-zeroes may be much longer than what the owner takes at once. It is handed over
 * piece by piece under one tag, the next piece when the one before is done, and answered once: long
 * ranges take turns with everything else.
 */
#include "devices_internal.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <bsr/bytes.h>

#define CREDITS_AT_ONCE 8u
#define RETRY_NS 1000000000ull /* somebody who sits on buffers may have become droppable */

static void retry_now(void *ctx)
{
	struct bsr_devices *devices = ctx;
	devices->starved = true;
	bsr_devices_resume(devices);
}

/* Runs inside bsr_pool_put(), so it only asks for a turn. */
static void buffers_are_back(void *ctx)
{
	struct bsr_devices *devices = ctx;
	bsr_loop_arm(devices->loop, &devices->retry, 0);
}

int bsr_devices_create(struct bsr_devices **devices, const struct bsr_devices_config *config)
{
	struct bsr_devices *d = calloc(1, sizeof(*d));
	if (d == NULL) {
		return -ENOMEM;
	}
	d->loop = config->loop;
	d->pool = config->pool;
	d->ops = config->ops;
	d->ctx = config->ctx;
	d->retry = (struct bsr_timer){.fn = retry_now, .ctx = d};
	d->waiting_first = DEVICE_NO_SLOT;
	d->free_slot = DEVICE_NO_SLOT;
	for (uint32_t tag = BSR_REQUESTS_MAX; tag-- > 0;) {
		d->slot[tag].next = d->free_slot;
		d->free_slot = tag;
	}
	d->free_count = BSR_REQUESTS_MAX;
	for (uint32_t i = 0; i < BSR_VOLUMES_MAX; i++) {
		d->volume[i].block_bytes = BSR_SECTOR_BYTES;
	}
	*devices = d;
	return 0;
}

void bsr_devices_destroy(struct bsr_devices *devices)
{
	if (devices == NULL) {
		return;
	}
	for (uint32_t i = 0; i < BSR_VOLUMES_MAX; i++) {
		bsr_fuse_stop(devices, i);
	}
	bsr_nbd_destroy(devices->nbd);
	for (uint32_t tag = 0; tag < BSR_REQUESTS_MAX; tag++) {
		if (devices->slot[tag].in_use && devices->slot[tag].ask.buf != BSR_BUF_NONE) {
			bsr_pool_put(devices->pool, devices->slot[tag].ask.buf);
		}
	}
	bsr_loop_disarm(devices->loop, &devices->retry);
	free(devices);
}

/* -------------------------------------------------------------- requests */

static void hand_over(struct bsr_devices *devices, uint32_t tag)
{
	struct device_slot *slot = &devices->slot[tag];
	const uint64_t left = slot->ask.length - slot->done_bytes;
	slot->piece_bytes = left < BSR_RANGE_BYTES_MAX ? (uint32_t)left : BSR_RANGE_BYTES_MAX;
	const struct bsr_ev_request request = {
		.tag = tag,
		.op = slot->ask.op,
		.flags = slot->ask.flags,
		.volume = slot->ask.volume,
		.offset = slot->ask.offset + slot->done_bytes,
		.length = slot->piece_bytes,
		.buf = slot->ask.buf,
	};
	devices->ops->request(devices->ctx, &request);
}

void bsr_device_submit(struct bsr_devices *devices, const struct device_ask *ask)
{
	const uint32_t tag = devices->free_slot;
	BSR_ASSERT(tag != DEVICE_NO_SLOT); /* DEV-2: bsr_device_budget() counts the table too */
	BSR_ASSERT(ask->volume < BSR_VOLUMES_MAX);
	struct device_slot *slot = &devices->slot[tag];
	BSR_ASSERT(!slot->in_use);
	devices->free_slot = slot->next;
	devices->free_count--;
	slot->ask = *ask;
	slot->done_bytes = 0;
	slot->in_use = true;
	devices->volume[ask->volume].pending++;
	hand_over(devices, tag);
}

static void wait_for_credit(struct bsr_devices *devices, uint32_t tag)
{
	devices->slot[tag].next = DEVICE_NO_SLOT;
	if (devices->waiting_first == DEVICE_NO_SLOT) {
		devices->waiting_first = tag;
	} else {
		devices->slot[devices->waiting_last].next = tag;
	}
	devices->waiting_last = tag;
}

static void release(struct bsr_devices *devices, uint32_t tag)
{
	struct device_slot *slot = &devices->slot[tag];
	struct device_volume *volume = &devices->volume[slot->ask.volume];
	BSR_ASSERT(volume->pending > 0);
	volume->pending--;
	if (slot->ask.buf != BSR_BUF_NONE) {
		bsr_pool_put(devices->pool, slot->ask.buf);
	}
	slot->in_use = false;
	slot->next = devices->free_slot;
	devices->free_slot = tag;
	devices->free_count++;
}

void bsr_devices_fill(struct bsr_devices *devices, uint32_t tag, bsr_buf_t data)
{
	BSR_ASSERT(tag < BSR_REQUESTS_MAX);
	const struct device_slot *slot = &devices->slot[tag];
	BSR_ASSERT(slot->in_use && slot->ask.op == BSR_OP_READ && slot->done_bytes == 0);
	BSR_ASSERT(bsr_pool_size(devices->pool, data) >= slot->piece_bytes);
	BSR_ASSERT(bsr_pool_size(devices->pool, slot->ask.buf) >= slot->piece_bytes);
	memcpy(bsr_pool_mem(devices->pool, slot->ask.buf), bsr_pool_mem(devices->pool, data), slot->piece_bytes);
}

void bsr_devices_complete(struct bsr_devices *devices, uint32_t tag, int error)
{
	BSR_ASSERT(tag < BSR_REQUESTS_MAX);
	struct device_slot *slot = &devices->slot[tag];
	BSR_ASSERT(slot->in_use); /* DEV-1 */
	slot->done_bytes += slot->piece_bytes;
	if (slot->done_bytes < slot->ask.length && error == 0 && slot->ask.client != NULL) {
		if (devices->ops->credits(devices->ctx) > 0) {
			hand_over(devices, tag);
		} else {
			wait_for_credit(devices, tag);
			devices->starved = true;
		}
		return;
	}
	if (slot->ask.client != NULL && slot->ask.front == DEVICE_FUSE) {
		bsr_fuse_answer(slot->ask.client, slot, error);
	} else if (slot->ask.client != NULL) {
		bsr_nbd_answer(slot->ask.client, slot, error);
	}
	release(devices, tag);
}

void bsr_device_forget(struct bsr_devices *devices, const void *client)
{
	for (uint32_t tag = 0; tag < BSR_REQUESTS_MAX; tag++) {
		struct device_slot *slot = &devices->slot[tag];
		if (slot->in_use && slot->ask.client == client) {
			slot->ask.client = NULL;
		}
	}
}

/* ---------------------------------------------------------- back-pressure */

uint32_t bsr_device_budget(struct bsr_devices *devices)
{
	const uint32_t credits = devices->ops->credits(devices->ctx);
	const uint32_t free = credits < devices->free_count ? credits : devices->free_count;
	const uint32_t budget = free > devices->granted ? free - devices->granted : 0;
	if (budget == 0) {
		devices->starved = true;
	}
	return budget;
}

/*
 * A few at a time: nobody but front ends uses credits up, and what peers take meanwhile comes out of the owner's reserve. At
 * the end of the turn they are forgotten.
 */
bool bsr_device_take_credit(struct bsr_devices *devices)
{
	if (devices->granted == 0) {
		const uint32_t budget = bsr_device_budget(devices);
		devices->granted = budget < CREDITS_AT_ONCE ? budget : CREDITS_AT_ONCE;
	}
	if (devices->granted == 0) {
		return false;
	}
	devices->granted--;
	return true;
}

/* Memory is short: whoever keeps some without using it gives it back. */
static bsr_buf_t get_lent_buffer(struct bsr_devices *devices, uint32_t bytes)
{
	for (uint32_t i = 0; i < BSR_VOLUMES_MAX; i++) {
		if (devices->volume[i].fuse != NULL) {
			bsr_fuse_lend(devices->volume[i].fuse);
		}
	}
	if (devices->nbd != NULL) {
		bsr_nbd_lend(devices->nbd);
		bsr_nbd_drop_stalled(devices->nbd);
	}
	return bsr_pool_get(devices->pool, bytes);
}

bsr_buf_t bsr_device_get_buffer(struct bsr_devices *devices, uint32_t bytes)
{
	bsr_buf_t buf = bsr_pool_get(devices->pool, bytes);
	if (buf == BSR_BUF_NONE) {
		buf = get_lent_buffer(devices, bytes);
	}
	if (buf == BSR_BUF_NONE) {
		bsr_pool_on_free(devices->pool, buffers_are_back, devices);
		bsr_loop_arm(devices->loop, &devices->retry, bsr_loop_now_ns(devices->loop) + RETRY_NS);
	}
	return buf;
}

/* Pieces of ranges go first: they have been waiting longest, and their number does not grow. */
static void continue_pieces(struct bsr_devices *devices)
{
	while (devices->waiting_first != DEVICE_NO_SLOT && devices->ops->credits(devices->ctx) > 0) {
		const uint32_t tag = devices->waiting_first;
		devices->waiting_first = devices->slot[tag].next;
		if (devices->slot[tag].ask.client == NULL) {
			release(devices, tag);
		} else {
			hand_over(devices, tag);
		}
	}
	if (devices->waiting_first != DEVICE_NO_SLOT) {
		devices->starved = true;
	}
}

void bsr_devices_resume(struct bsr_devices *devices)
{
	if (!devices->starved || devices->ops->credits(devices->ctx) == 0) {
		return;
	}
	devices->starved = false;
	continue_pieces(devices);
	for (uint32_t i = 0; i < BSR_VOLUMES_MAX; i++) {
		if (devices->volume[i].fuse != NULL) {
			bsr_fuse_pump(devices->volume[i].fuse);
		}
	}
	if (devices->nbd != NULL) {
		bsr_nbd_pump(devices->nbd);
	}
}

bool bsr_devices_flush(struct bsr_devices *devices)
{
	devices->granted = 0;
	return devices->nbd != NULL && bsr_nbd_flush(devices->nbd);
}

/* ---------------------------------------------------------------- volumes */

uint32_t bsr_devices_pending(const struct bsr_devices *devices, uint32_t volume)
{
	BSR_ASSERT(volume < BSR_VOLUMES_MAX);
	return devices->volume[volume].pending;
}

void bsr_device_block_size(struct bsr_devices *devices, uint32_t volume, uint32_t block_bytes)
{
	BSR_ASSERT(volume < BSR_VOLUMES_MAX);
	BSR_ASSERT(block_bytes == 512 || block_bytes == 4096);
	devices->volume[volume].block_bytes = block_bytes;
}

void bsr_device_write_through(struct bsr_devices *devices, uint32_t volume)
{
	BSR_ASSERT(volume < BSR_VOLUMES_MAX);
	devices->volume[volume].write_through = true;
}

void bsr_device_resize(struct bsr_devices *devices, uint32_t volume, uint64_t size_bytes)
{
	BSR_ASSERT(volume < BSR_VOLUMES_MAX);
	BSR_ASSERT(size_bytes <= BSR_VOLUME_BYTES_MAX);
	devices->volume[volume].size_bytes = size_bytes;
}

int bsr_device_range_errno(const struct device_volume *volume, uint64_t offset, uint64_t length)
{
	uint64_t end;
	if (!bsr_add_u64(offset, length, &end) || end > volume->size_bytes) {
		return ENOSPC;
	}
	if (length == 0 || (offset | length) % volume->block_bytes != 0) {
		return EINVAL;
	}
	return 0;
}

int bsr_device_errno(int error)
{
	switch (-error) {
	case BSR_E_OK:
		return 0;
	case BSR_E_NO_SPACE:
		return ENOSPC;
	case BSR_E_UNSUPPORTED:
		return EOPNOTSUPP;
	case BSR_E_RANGE:
	case BSR_E_INVALID_REQUEST:
		return EINVAL;
	case BSR_E_NO_MEMORY:
		return ENOMEM;
	case BSR_E_SHUTTING_DOWN:
		return ESHUTDOWN;
	default:
		return EIO;
	}
}

void bsr_device_report(struct bsr_devices *devices, uint32_t log_number, const char *format, ...)
{
	char text[DEVICE_REPORT_BYTES_MAX];
	va_list args;
	va_start(args, format);
	(void)vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	devices->ops->report(devices->ctx, log_number, text);
}
