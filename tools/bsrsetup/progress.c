// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * progress.c - how far a resync is: share done, time left, amounts for people
 *
 * Owns:       nothing.
 * Invariants: never shows 100.00 while a byte is missing: everything is truncated.
 */
#include "progress.h"

#include <inttypes.h>
#include <string.h>

#define FIRST_RATE_MS 4000

bool bsr_progress_runs(const char *replication)
{
	static const char *const running[] = {"SyncSource", "SyncTarget", "PausedSyncS",
		"PausedSyncT", "VerifyS", "VerifyT", NULL};
	for (size_t i = 0; running[i] != NULL; i++) {
		if (strcmp(replication, running[i]) == 0) {
			return true;
		}
	}
	return false;
}

uint64_t bsr_progress_left(struct json_object *peer_device)
{
	struct json_object *resync = bsr_json_object(peer_device, "resync");
	int64_t left = resync != NULL ? bsr_json_int(resync, "left", 0)
				      : bsr_json_int(peer_device, "out_of_sync", 0);
	return left < 0 ? 0 : (uint64_t)left;
}

uint32_t bsr_progress_done(struct json_object *peer_device, struct json_object *device)
{
	struct json_object *resync = bsr_json_object(peer_device, "resync");
	int64_t whole = bsr_json_int(device, "size", 0);
	int64_t missing = bsr_json_int(peer_device, "out_of_sync", 0);
	if (strncmp(bsr_json_string(peer_device, "replication"), "Verify", 6) == 0 || whole <= 0) {
		whole = bsr_json_int(resync, "total", 0);
		missing = bsr_json_int(resync, "left", 0);
	}
	if (whole <= 0 || missing <= 0) {
		return whole > 0 ? 10000 : 0;
	}
	if (missing >= whole) {
		return 0;
	}
	/* a PiB times 10,000 does not fit 64 bits; losing the last bits of both keeps truncation */
	uint64_t in_sync = (uint64_t)(whole - missing);
	uint64_t total = (uint64_t)whole;
	while (in_sync > UINT64_MAX / 10000) {
		in_sync >>= 1;
		total = (total >> 1) + (total & 1);
	}
	return (uint32_t)(in_sync * 10000 / total);
}

uint64_t bsr_progress_rate(struct json_object *peer_device)
{
	struct json_object *resync = bsr_json_object(peer_device, "resync");
	int64_t rate = bsr_json_int(resync, "rate", 0);
	int64_t elapsed_ms = bsr_json_int(resync, "elapsed_ms", 0);
	int64_t moved = bsr_json_int(resync, "total", 0) - bsr_json_int(resync, "left", 0);
	if (rate == 0 && elapsed_ms > 0 && elapsed_ms < FIRST_RATE_MS && moved > 0) {
		/* not measured yet: since it began */
		return (uint64_t)moved / (uint64_t)elapsed_ms * 1000;
	}
	return rate < 0 ? 0 : (uint64_t)rate;
}

const char *bsr_progress_limited_by(struct json_object *peer_device)
{
	return bsr_json_string(bsr_json_object(peer_device, "resync"), "limited_by");
}

uint64_t bsr_progress_found(struct json_object *peer_device)
{
	const int64_t found = bsr_json_int(bsr_json_object(peer_device, "resync"), "found", 0);
	return found < 0 ? 0 : (uint64_t)found;
}

void bsr_progress_add_eta(struct bsr_text *out, struct json_object *peer_device)
{
	uint64_t rate = bsr_progress_rate(peer_device);
	uint64_t left = bsr_progress_left(peer_device);
	if (rate == 0) {
		bsr_text_add(out, left == 0 ? "0:00:00" : "infinite");
		return;
	}
	uint64_t seconds = left / rate + (left % rate != 0);
	bsr_text_add(out, "%" PRIu64 ":%02u:%02u", seconds / 3600, (unsigned)(seconds / 60 % 60),
		(unsigned)(seconds % 60));
}

void bsr_progress_add_amount(struct bsr_text *out, uint64_t bytes, bool readable)
{
	if (!readable) {
		bsr_text_add(out, "%" PRIu64, bytes >> 10);
		return;
	}
	static const char units[] = "KMGT";
	size_t unit = 0;
	uint64_t scale = 1024;
	while (bytes / scale >= 1024 && units[unit + 1] != '\0') {
		scale *= 1024;
		unit++;
	}
	uint64_t rest = bytes % scale; /* below 2^40, so times 1000 fits */
	bsr_text_add(out, "%" PRIu64 ".%03u%c", bytes / scale, (unsigned)(rest * 1000 / scale),
		units[unit]);
}
