// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * run_wait.c - wait until peers replicate, or until neither resync nor verify runs
 *
 * Owns:       which peer devices count, when they are done, which time limit belongs to which peer.
 * Invariants: exit code 0 only when every peer device that counts is done, was given up by its own
 *             time limit while another one got there, or fell to a state that no waiting helps.
 */
#include "run.h"

#include "names.h"
#include "progress.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define WAIT_SECONDS_MAX 300000
#define LOST_LIMIT_MS 20000 /* an engine process that is replaced answers again within this */

struct wait {
	struct bsr_setup_call *call;
	bool sync;     /* until neither resync nor verify runs */
	bool after_sb; /* StandAlone does not end it */
	int64_t wfc_s; /* 0 = for ever */
	int64_t degraded_s;
	int64_t outdated_s;
	int64_t begun_ms;
	bool progress; /* on a terminal */
};

/** What one look at a snapshot found. */
struct tally {
	uint32_t waiting; /* not done, time left */
	uint32_t expired;
	uint32_t done;
	bool hopeless; /* a connection that a person has to repair */
};

static int64_t now_ms(void)
{
	struct timespec now;
	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static int seconds(const struct wait *wait, const char *name, int64_t *value)
{
	const char *text = bsr_json_string(wait->call->flags, name);
	char *end = NULL;
	if (text[0] == '\0') {
		return BSRSETUP_OK;
	}
	*value = strtoll(text, &end, 10);
	if (*end != '\0' || *value < 0 || *value > WAIT_SECONDS_MAX) {
		fprintf(stderr, "%s: --%s: '%s' is not 0..%d seconds\n",
			wait->call->command->name, name, text, WAIT_SECONDS_MAX);
		return BSRSETUP_USAGE;
	}
	return BSRSETUP_OK;
}

/* 0 is for ever and so the longest. */
static void lower(int64_t *value, const char *name, int64_t limit, const char *limit_name)
{
	if (limit != 0 && (*value == 0 || *value > limit)) {
		if (*value != 0) {
			fprintf(stderr, "%s has to be shorter than %s: using %" PRId64 " s\n", name,
				limit_name, limit);
		}
		*value = limit;
	}
}

static int parse(struct wait *wait)
{
	wait->sync = strncmp(wait->call->command->name, "wait-sync", 9) == 0;
	wait->after_sb = bsr_setup_flag(wait->call, "wait-after-sb");
	wait->progress = wait->sync && isatty(STDOUT_FILENO) != 0;
	wait->begun_ms = now_ms();
	if (seconds(wait, "wfc-timeout", &wait->wfc_s) != BSRSETUP_OK ||
		seconds(wait, "degr-wfc-timeout", &wait->degraded_s) != BSRSETUP_OK ||
		seconds(wait, "outdated-wfc-timeout", &wait->outdated_s) != BSRSETUP_OK) {
		return BSRSETUP_USAGE;
	}
	lower(&wait->degraded_s, "degr-wfc-timeout", wait->wfc_s, "wfc-timeout");
	lower(&wait->outdated_s, "outdated-wfc-timeout", wait->degraded_s, "degr-wfc-timeout");
	return BSRSETUP_OK;
}

static int64_t limit_of(const struct wait *wait, struct json_object *peer_device)
{
	struct json_object *flags = bsr_json_array(peer_device, "peer_md_flags");
	if (bsr_json_set_has(flags, "peer-outdate")) {
		return wait->outdated_s;
	}
	/* metadata that knew the peer, and knew it away, when this node stopped */
	if (flags != NULL && !bsr_json_set_has(flags, "peer-connected") &&
		strtoull(bsr_json_string(peer_device, "bitmap_gi"), NULL, 16) != 0) {
		return wait->degraded_s;
	}
	return wait->wfc_s;
}

static bool is_done(const struct wait *wait, const char *replication)
{
	if (strcmp(replication, "Established") == 0) {
		return true;
	}
	if (!wait->sync) {
		return strcmp(replication, "Off") != 0;
	}
	/* DRBD waits until the peer's disk is good, which it is during a verify */
	return bsr_names()->drbd && strncmp(replication, "Verify", 6) == 0;
}

static void count_peer_device(const struct wait *wait, struct json_object *peer_device,
	bool hopeless, struct tally *tally)
{
	int64_t limit = limit_of(wait, peer_device);
	if (is_done(wait, bsr_json_string(peer_device, "replication"))) {
		tally->done++;
	} else if (hopeless) {
		tally->hopeless = true;
	} else if (limit != 0 && now_ms() - wait->begun_ms >= limit * 1000) {
		tally->expired++;
	} else {
		tally->waiting++;
	}
}

static void count_all(const struct wait *wait, struct json_object *snapshot, struct tally *tally)
{
	struct json_object *connections = bsr_json_array(snapshot, "connections");
	*tally = (struct tally){0};
	for (size_t i = 0; i < bsr_json_count(connections); i++) {
		struct json_object *connection = bsr_json_at(connections, i);
		struct json_object *peer_devices = bsr_json_array(connection, "peer_devices");
		const char *state = bsr_json_string(connection, "connection");
		const bool hopeless = !wait->after_sb &&
			(strcmp(state, "StandAlone") == 0 || strcmp(state, "Disconnecting") == 0);
		if (wait->call->peer >= 0 && wait->call->peer != bsr_json_int(connection, "peer", -1)) {
			continue;
		}
		for (size_t j = 0; j < bsr_json_count(peer_devices); j++) {
			struct json_object *peer_device = bsr_json_at(peer_devices, j);
			int64_t volume = bsr_json_int(peer_device, "volume", -1);
			if (wait->call->volume < 0 || wait->call->volume == volume) {
				count_peer_device(wait, peer_device, hopeless, tally);
			}
		}
	}
}

/* One line on the terminal, overwritten by the next. */
static void show_progress(const struct wait *wait, struct json_object *snapshot)
{
	struct json_object *connections = bsr_json_array(snapshot, "connections");
	struct json_object *devices = bsr_json_array(snapshot, "devices");
	struct bsr_text text = {0};
	for (size_t i = 0; i < bsr_json_count(connections); i++) {
		struct json_object *connection = bsr_json_at(connections, i);
		struct json_object *peer_devices = bsr_json_array(connection, "peer_devices");
		for (size_t j = 0; j < bsr_json_count(peer_devices); j++) {
			struct json_object *peer_device = bsr_json_at(peer_devices, j);
			if (!bsr_progress_runs(bsr_json_string(peer_device, "replication"))) {
				continue;
			}
			int64_t volume = bsr_json_int(peer_device, "volume", -1);
			uint32_t done = bsr_progress_done(
				peer_device, bsr_json_find_volume(devices, volume));
			bsr_text_add(&text, "%s%s/%" PRId64 " %u.%02u%% ",
				text.length == 0 ? "" : ", ", bsr_json_string(connection, "name"),
				volume, done / 100, done % 100);
			bsr_progress_add_amount(&text, bsr_progress_rate(peer_device), true);
			bsr_text_add(&text, "/s ");
			bsr_progress_add_eta(&text, peer_device);
			if (bsr_progress_limited_by(peer_device)[0] != '\0') {
				bsr_text_add(&text, " (limited by %s)", bsr_progress_limited_by(peer_device));
			}
		}
	}
	if (wait->progress) {
		printf("\r\033[K%s", bsr_text_string(&text));
		(void)fflush(stdout);
	}
	bsr_text_free(&text);
}

/* An end without success is not silent. */
static void tell_end(const struct wait *wait, const char *what)
{
	if (wait->progress) {
		printf("\n");
		(void)fflush(stdout);
	}
	fprintf(stderr, "%s: %s; see: %s why %s\n", wait->call->object, what, bsr_names()->admin, wait->call->resource);
}

/* -1 = go on; else the exit code. */
static int judge(const struct wait *wait, struct json_object *snapshot)
{
	struct tally tally;
	count_all(wait, snapshot, &tally);
	show_progress(wait, snapshot);
	if (tally.hopeless) {
		tell_end(wait, "not waited for any longer: a connection is StandAlone");
		return BSRSETUP_OK;
	}
	if (tally.waiting != 0) {
		return -1;
	}
	if (tally.expired != 0) {
		tell_end(wait, wait->sync ? "time is up, and not every peer is in sync" : "time is up, and not every peer is connected");
	}
	return tally.expired != 0 && tally.done == 0 ? BSRSETUP_TIMEOUT : BSRSETUP_OK;
}

static struct json_object *request_for(const char *command)
{
	struct json_object *request = json_object_new_object();
	json_object_object_add(request, "command", json_object_new_string(command));
	return request;
}

/* Waits for an event, at most a second: time limits and progress want to be looked at. */
static int wait_for_news(struct bsr_client *client)
{
	struct json_object *line = NULL;
	int rc = bsr_client_read(client, &line, 1000);
	json_object_put(line);
	while (rc == 0 && bsr_client_has_line(client)) {
		rc = bsr_client_read(client, &line, 0);
		json_object_put(line);
	}
	return rc == -ETIMEDOUT ? 0 : rc;
}

/* Follows one connection to the process: -1 = it was lost; else the exit code. */
static int follow(struct wait *wait, struct bsr_client *client)
{
	struct json_object *status = request_for("status");
	struct json_object *subscribe = request_for("subscribe");
	struct json_object *reply = NULL;
	int code = -1;
	int rc = bsr_client_call(client, subscribe, &reply, BSR_CLIENT_GREETING_MS);
	while (rc == 0) {
		if (!bsr_json_bool(reply, "ok")) {
			code = bsr_run_tell_reply(wait->call->object, reply);
			break;
		}
		code = judge(wait, bsr_json_object(bsr_json_object(reply, "result"), "snapshot"));
		if (code >= 0) {
			break;
		}
		rc = wait_for_news(client);
		if (rc == 0) {
			json_object_put(reply);
			reply = NULL;
			rc = bsr_client_call(client, status, &reply, BSR_CLIENT_GREETING_MS);
		}
	}
	json_object_put(reply);
	json_object_put(status);
	json_object_put(subscribe);
	return code;
}

int bsr_run_wait(struct bsr_setup_call *call)
{
	struct wait wait = {.call = call};
	struct bsr_client client;
	if (parse(&wait) != BSRSETUP_OK) {
		return BSRSETUP_USAGE;
	}
	int code = bsr_run_open(call, &client);
	if (code != BSRSETUP_OK) {
		return code;
	}
	code = follow(&wait, &client);
	bsr_client_close(&client);
	/* the engine process may be replaced meanwhile */
	for (int64_t lost_ms = now_ms(); code < 0 && now_ms() - lost_ms < LOST_LIMIT_MS;) {
		int rc = bsr_client_open(&client, call->resource);
		if (rc == -ENOENT || rc == -ECONNREFUSED) {
			break;
		}
		if (rc == 0) {
			code = follow(&wait, &client);
			bsr_client_close(&client);
			lost_ms = now_ms();
		}
		struct timespec pause = {0, 100000000};
		(void)nanosleep(&pause, NULL);
	}
	if (wait.progress) {
		printf("\n");
	}
	if (code < 0) {
		fprintf(stderr, "%s: the resource was taken down\n", call->object);
		return BSRSETUP_REFUSED;
	}
	return code;
}
