// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * event_fields.c - which keys and fields the objects of `events2` have
 *
 * Owns:       names and order of keys and fields.
 * Invariants: names are never changed: scripts read them.
 */
#include "event_fields.h"

#include "names.h"
#include "progress.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static void add_string(struct json_object *fields, const char *name, const char *value)
{
	json_object_object_add(fields, name, json_object_new_string(value));
}

static void add_int(struct json_object *fields, const char *name, int64_t value)
{
	json_object_object_add(fields, name, json_object_new_int64(value));
}

static void add_kib(struct json_object *fields, const char *name, struct json_object *from,
	const char *member)
{
	add_int(fields, name, bsr_json_int(from, member, 0) / 1024);
}

static void add_set(struct json_object *fields, const char *name, struct json_object *set)
{
	struct bsr_text text = {0};
	bsr_json_set_text(&text, set);
	add_string(fields, name, bsr_text_string(&text));
	bsr_text_free(&text);
}

struct json_object *bsr_event_keys(const char *resource, struct json_object *from, bool with_minor)
{
	struct json_object *keys = json_object_new_object();
	add_string(keys, "name", resource);
	if (bsr_json_has(from, "peer")) {
		add_int(keys, "peer-node-id", bsr_json_int(from, "peer", -1));
		add_string(keys, "conn-name", bsr_json_string(from, "name"));
	}
	if (bsr_json_has(from, "local")) {
		add_string(keys, "local", bsr_json_string(from, "local"));
		add_string(keys, "peer", bsr_json_string(from, "remote"));
	}
	if (bsr_json_has(from, "volume")) {
		add_int(keys, "volume", bsr_json_int(from, "volume", -1));
	}
	if (with_minor && bsr_json_has(from, "minor")) {
		add_int(keys, "minor", bsr_json_int(from, "minor", -1));
	}
	return keys;
}

struct json_object *bsr_event_resource_fields(struct json_object *resource, bool statistics)
{
	struct json_object *fields = json_object_new_object();
	add_string(fields, "role", bsr_json_string(resource, "role"));
	add_set(fields, "suspended", bsr_json_array(resource, "suspended"));
	if (bsr_names()->drbd) {
		add_string(fields, "force-io-failures", "no");
	}
	if (statistics) {
		add_string(fields, "write-ordering", bsr_json_string(resource, "write_ordering"));
		if (!bsr_names()->drbd) {
			add_int(fields, "req-pending", bsr_json_int(resource, "requests_pending", 0));
		}
	}
	return fields;
}

#define SCORE_OF_LOCAL_DATA 10100 /* DRBD's scale: more than any count of nodes */

/*
 * What follows from everything else, for those who decide where to promote: may it be tried, and how good a place is this? A
 * node with good data of all its volumes counts more than one that would have to use a peer's; each further node with good
 * data counts a little.
 */
void bsr_event_add_promotion(struct json_object *fields, const struct bsr_event_promotion *p)
{
	int64_t score = 0;

	if (p->volumes > 0 && p->volumes == p->local_up_to_date) {
		score = SCORE_OF_LOCAL_DATA + 1 + p->peers_up_to_date;
	} else if (p->peers_up_to_date > 0) {
		score = p->peers_up_to_date;
	}
	add_string(fields, "may_promote",
		score >= SCORE_OF_LOCAL_DATA && p->secondary && !p->peer_is_primary ? "yes" : "no");
	add_int(fields, "promotion_score", score);
}

struct json_object *bsr_event_device_fields(struct json_object *device, bool statistics)
{
	struct json_object *fields = json_object_new_object();
	const char *backing = bsr_json_string(device, "backing");
	if (bsr_names()->drbd) {
		add_string(fields, "backing_dev", backing[0] != '\0' ? backing : "none");
	}
	add_string(fields, "disk", bsr_json_string(device, "disk"));
	add_string(fields, "client", bsr_json_string(device, "client"));
	if (bsr_names()->drbd) {
		add_string(fields, "quorum", "yes");
	}
	if (statistics) {
		add_kib(fields, "size", device, "size");
		add_kib(fields, "read", device, "read");
		add_kib(fields, "written", device, "written");
		add_int(fields, "al-writes", bsr_json_int(device, "al_writes", 0));
		add_int(fields, "bm-writes", bsr_json_int(device, "bm_writes", 0));
		add_int(fields, "upper-pending", bsr_json_int(device, "upper_pending", 0));
		add_int(fields, "lower-pending", bsr_json_int(device, "lower_pending", 0));
		add_string(
			fields, "al-suspended", bsr_json_bool(device, "al_suspended") ? "yes" : "no");
		if (!bsr_names()->drbd) {
			add_int(fields, "al-pending-changes",
				bsr_json_int(device, "al_pending_changes", 0));
			add_int(fields, "al-used", bsr_json_int(device, "al_used", 0));
			add_kib(fields, "accelbuf-used", device, "accelbuf_used");
		}
		add_set(fields, "blocked", bsr_json_array(device, "blocked"));
	}
	return fields;
}

struct json_object *bsr_event_connection_fields(struct json_object *connection, bool statistics)
{
	struct json_object *fields = json_object_new_object();
	const char *state = bsr_json_string(connection, "connection");
	const char *error = bsr_json_string(connection, "error");
	add_string(fields, "connection", state);
	if (strcmp(state, "Connected") != 0 && error[0] != '\0' && !bsr_names()->drbd) {
		add_string(fields, "error", error);
	}
	add_string(fields, "role", bsr_json_string(connection, "role"));
	if (statistics) {
		add_string(
			fields, "congested", bsr_json_bool(connection, "congested") ? "yes" : "no");
	}
	if (statistics && bsr_names()->drbd) {
		add_int(fields, "ap-in-flight", bsr_json_int(connection, "send_queued", 0) / 512);
		add_int(fields, "rs-in-flight", 0);
	}
	return fields;
}

static void add_eta(struct json_object *fields, struct json_object *peer_device)
{
	struct bsr_text eta = {0};
	bsr_progress_add_eta(&eta, peer_device);
	add_string(fields, "eta", bsr_text_string(&eta));
	bsr_text_free(&eta);
}

struct json_object *bsr_event_peer_device_fields(struct json_object *peer_device, bool statistics)
{
	struct json_object *fields = json_object_new_object();
	add_string(fields, "replication", bsr_json_string(peer_device, "replication"));
	add_string(fields, "peer-disk", bsr_json_string(peer_device, "peer_disk"));
	add_string(fields, "peer-client", bsr_json_string(peer_device, "peer_client"));
	add_set(fields, "resync-suspended", bsr_json_array(peer_device, "resync_suspended"));
	if (statistics) {
		add_kib(fields, "received", peer_device, "received");
		add_kib(fields, "sent", peer_device, "sent");
		add_kib(fields, "out-of-sync", peer_device, "out_of_sync");
		add_int(fields, "pending", bsr_json_int(peer_device, "pending", 0));
		add_int(fields, "unacked", bsr_json_int(peer_device, "unacked", 0));
		if (!bsr_names()->drbd &&
			bsr_progress_runs(bsr_json_string(peer_device, "replication"))) {
			struct json_object *resync = bsr_json_object(peer_device, "resync");
			add_int(fields, "speed", (int64_t)(bsr_progress_rate(peer_device) / 1024));
			add_kib(fields, "want", resync, "want");
			add_eta(fields, peer_device);
			if (bsr_progress_limited_by(peer_device)[0] != '\0') {
				add_string(fields, "limited-by", bsr_progress_limited_by(peer_device));
			}
		}
	}
	return fields;
}

struct json_object *bsr_event_path_fields(struct json_object *path)
{
	struct json_object *fields = json_object_new_object();
	add_string(fields, "established", bsr_json_bool(path, "established") ? "yes" : "no");
	return fields;
}

struct json_object *bsr_event_helper_fields(struct json_object *helper)
{
	struct json_object *fields = json_object_new_object();
	add_string(fields, "helper", bsr_json_string(helper, "helper"));
	if (bsr_json_has(helper, "status")) {
		add_int(fields, "status", bsr_json_int(helper, "status", 0));
	}
	return fields;
}

struct json_object *bsr_event_notice_fields(struct json_object *notice)
{
	static const char *const texts[] = {"disk", "io", "recover", NULL};
	struct json_object *fields = json_object_new_object();
	char sector[32];
	for (size_t i = 0; texts[i] != NULL; i++) {
		if (bsr_json_has(notice, texts[i])) {
			add_string(fields, texts[i], bsr_json_string(notice, texts[i]));
		}
	}
	if (bsr_json_has(notice, "sector")) {
		snprintf(sector, sizeof(sector), "%" PRId64 "s", bsr_json_int(notice, "sector", 0));
		add_string(fields, "error-code", "0x00000005"); /* EIO: a disk tells no more */
		add_string(fields, "sector", sector);
		add_int(fields, "size", bsr_json_int(notice, "size", 0));
	}
	return fields;
}

struct json_object *bsr_event_sync_fields(struct json_object *peer_device, struct json_object *device)
{
	struct json_object *fields = json_object_new_object();
	char done[16];
	uint32_t share = bsr_progress_done(peer_device, device);
	snprintf(done, sizeof(done), "%u.%02u", share / 100, share % 100);
	add_kib(fields, "out-of-sync", peer_device, "out_of_sync");
	add_eta(fields, peer_device);
	json_object_object_add(
		fields, "done", json_object_new_double_s((double)share / 100, done));
	return fields;
}

struct json_object *bsr_event_node_fields(const char *label, const char *node_name)
{
	struct json_object *fields = json_object_new_object();
	add_string(fields, "type", "host");
	add_string(fields, label, node_name);
	return fields;
}

static void add_gi(struct json_object *fields, const char *name, const char *value)
{
	char upper[17] = "0000000000000000";
	for (size_t i = 0; i < 16 && value[i] != '\0'; i++) {
		upper[i] = (char)toupper((unsigned char)value[i]);
	}
	add_string(fields, name, upper);
}

static const char *history_at(struct json_object *device, size_t index)
{
	struct json_object *history = bsr_json_array(device, "history_gi");
	if (index >= bsr_json_count(history)) {
		return "";
	}
	const char *text = json_object_get_string(bsr_json_at(history, index));
	return text == NULL ? "" : text;
}

struct json_object *bsr_event_gi_fields(struct json_object *device, struct json_object *peer_device)
{
	if (!bsr_json_has(device, "current_gi") || !bsr_json_has(peer_device, "bitmap_gi")) {
		return NULL;
	}
	struct json_object *fields = json_object_new_object();
	add_gi(fields, "current", bsr_json_string(device, "current_gi"));
	add_gi(fields, "bitmap", bsr_json_string(peer_device, "bitmap_gi"));
	add_gi(fields, "history1", history_at(device, 0));
	add_gi(fields, "history2", history_at(device, 1));
	return fields;
}

static struct json_object *flag_fields(struct json_object *set, const char *const *words)
{
	if (set == NULL) {
		return NULL;
	}
	struct json_object *fields = json_object_new_object();
	for (size_t i = 0; words[i] != NULL; i++) {
		add_int(fields, words[i], bsr_json_set_has(set, words[i]) ? 1 : 0);
	}
	return fields;
}

struct json_object *bsr_event_device_flag_fields(struct json_object *device)
{
	static const char *const words[] = {"consistent", "was-up-to-date", "primary-ind",
		"crashed-primary", "al-clean", "al-disabled", "last-primary", NULL};
	return flag_fields(bsr_json_array(device, "md_flags"), words);
}

struct json_object *bsr_event_peer_flag_fields(struct json_object *peer_device)
{
	static const char *const words[] = {
		"peer-connected", "peer-outdate", "peer-fencing", "peer-full-sync", NULL};
	return flag_fields(bsr_json_array(peer_device, "peer_md_flags"), words);
}
