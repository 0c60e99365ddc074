// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * run_events.c - events2: follow one or all resources, also those that begin later
 *
 * Owns:       connections to the followed resources, their models, the moment a resource counts as
 *             gone.
 * Invariants: a resource whose engine process is replaced is followed on without a line of its own;
 *             one whose process is gone is destroyed line by line.
 */
#include "run.h"

#include "events.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <time.h>
#include <unistd.h>

#define SOURCES_MAX 4096u
#define TICK_MS 1000

struct source {
	char name[BSR_NAME_BYTES_MAX + 1];
	struct bsr_client client;
	bool open;
	struct bsr_events_model *model;
	int64_t status_id; /* of the request for progress; 0 = none */
	int64_t again_id;  /* of the request for everything */
};

struct follow {
	struct bsr_setup_call *call;
	struct bsr_events_style style;
	struct bsr_text out;
	struct source *source[SOURCES_MAX];
	size_t count;
	int watch; /* inotify on the run directory, -1 until that exists */
	bool dumped; /* the initial dump is over */
	bool sync;
	bool poll; /* without --now: each n on standard input asks again */
	bool over;
	const char *resume; /* a cursor, until it has been used */
	int64_t interval;
	uint64_t ticks;
};

static int64_t wall_us(void)
{
	struct timespec now;
	(void)clock_gettime(CLOCK_REALTIME, &now);
	return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

static void print_out(struct follow *follow)
{
	if (follow->out.length == 0) {
		return;
	}
	fputs(bsr_text_string(&follow->out), stdout);
	bsr_text_clear(&follow->out);
	if (fflush(stdout) != 0) {
		exit(BSRSETUP_OK); /* nobody reads any more */
	}
}

/* ----------------------------------------------------------------- sources */

static struct source *source_find(struct follow *follow, const char *name)
{
	for (size_t i = 0; i < follow->count; i++) {
		if (strcmp(follow->source[i]->name, name) == 0) {
			return follow->source[i];
		}
	}
	return NULL;
}

static struct source *source_add(struct follow *follow, const char *name)
{
	if (follow->count == SOURCES_MAX) {
		return NULL;
	}
	struct source *source = calloc(1, sizeof(*source));
	if (source == NULL) {
		return NULL;
	}
	snprintf(source->name, sizeof(source->name), "%s", name);
	source->client.fd = -1;
	source->model = bsr_events_model_create(name, follow->dumped);
	follow->source[follow->count++] = source;
	return source;
}

static void source_remove(struct follow *follow, struct source *source)
{
	for (size_t i = 0; i < follow->count; i++) {
		if (follow->source[i] == source) {
			follow->source[i] = follow->source[--follow->count];
			break;
		}
	}
	if (source->open) {
		bsr_client_close(&source->client);
	}
	bsr_events_model_free(source->model);
	free(source);
}

static void source_gone(struct follow *follow, struct source *source)
{
	bsr_events_gone(source->model, &follow->out, &follow->style, wall_us());
	source_remove(follow, source);
}

/*
 * The reader was here before: nothing has happened since, or it is told how much it has missed, and gets everything as it
 * is now. Numbers of another process of the resource have nothing to do with those of the present one.
 */
static void take_snapshot(struct follow *follow, struct source *source, struct json_object *snapshot)
{
	const char *resume = follow->resume;
	follow->resume = NULL;
	if (resume != NULL) {
		const size_t length = strlen(source->client.instance);
		const bool same = strncmp(resume, source->client.instance, length) == 0 && resume[length] == ':';
		const int64_t missed =
			same ? bsr_json_int(snapshot, "seq", 0) - strtoll(resume + length + 1, NULL, 10) : -1;
		if (missed == 0) {
			bsr_events_known(source->model, snapshot);
			return;
		}
		bsr_events_skipped(
			&follow->out, &follow->style, bsr_json_int(snapshot, "time_us", 0), missed);
	}
	bsr_events_snapshot(source->model, &follow->out, &follow->style, snapshot);
}

/* Connects and subscribes; 0 or -errno. What the snapshot has is printed. */
static int source_subscribe(struct follow *follow, struct source *source)
{
	struct json_object *request = json_object_new_object();
	struct json_object *reply = NULL;
	int rc = bsr_client_open(&source->client, source->name);
	if (rc == 0) {
		json_object_object_add(request, "command", json_object_new_string("subscribe"));
		json_object_object_add(
			request, "statistics", json_object_new_boolean(follow->style.statistics));
		rc = bsr_client_call(&source->client, request, &reply, BSR_CLIENT_GREETING_MS);
		if (rc == 0 && !bsr_json_bool(reply, "ok")) {
			rc = -EAGAIN; /* runs, but has no resource yet */
		}
		if (rc == 0) {
			source->open = true;
			source->status_id = 0;
			source->again_id = 0;
			bsr_events_model_instance(source->model, source->client.instance);
			take_snapshot(follow, source,
				bsr_json_object(bsr_json_object(reply, "result"), "snapshot"));
		} else {
			bsr_client_close(&source->client);
		}
	}
	json_object_put(reply);
	json_object_put(request);
	return rc;
}

static void source_lost(struct follow *follow, struct source *source)
{
	bsr_client_close(&source->client);
	source->open = false;
	int rc = source_subscribe(follow, source);
	if (rc == -ENOENT || rc == -ECONNREFUSED) {
		source_gone(follow, source);
	} /* otherwise its engine process is being replaced: the next tick tries again */
}

/* Looks for resources that nobody follows yet, and for those that were lost. */
static void look_around(struct follow *follow)
{
	struct json_object *names = json_object_new_array();
	if (follow->call->resource[0] != '\0') {
		json_object_array_add(names, json_object_new_string(follow->call->resource));
	} else {
		json_object_put(names);
		names = bsr_client_list();
	}
	for (size_t i = 0; i < bsr_json_count(names); i++) {
		const char *name = json_object_get_string(bsr_json_at(names, i));
		struct source *source = source_find(follow, name);
		if (source != NULL && source->open) {
			continue;
		}
		const bool fresh = source == NULL;
		source = fresh ? source_add(follow, name) : source;
		if (source == NULL) {
			continue;
		}
		int rc = source_subscribe(follow, source);
		if (rc == 0) {
			continue;
		}
		if (rc == -EACCES || rc == -EPERM) {
			fprintf(stderr, "events2: not allowed to talk to '%s': be root\n", name);
		}
		if (fresh) {
			source_remove(follow, source);
		} else if (rc == -ENOENT || rc == -ECONNREFUSED) {
			source_gone(follow, source);
		}
	}
	json_object_put(names);
}

/* ------------------------------------------------------------------- lines */

static int64_t ask_status(struct source *source)
{
	struct json_object *request = json_object_new_object();
	json_object_object_add(request, "command", json_object_new_string("status"));
	int64_t id = bsr_client_send(&source->client, request);
	json_object_put(request);
	return id > 0 ? id : 0;
}

/* False when the source is gone or was replaced: the caller must not use it any more. */
static bool take_line(struct follow *follow, struct source *source, struct json_object *line)
{
	const char *event = bsr_json_string(line, "event");
	if (event[0] == '\0') {
		if (source->status_id != 0 && bsr_json_int(line, "id", -2) == source->status_id) {
			source->status_id = 0;
			bsr_events_sync(source->model, &follow->out, &follow->style,
				bsr_json_object(bsr_json_object(line, "result"), "snapshot"));
		} else if (source->again_id != 0 && bsr_json_int(line, "id", -2) == source->again_id &&
			   bsr_json_bool(line, "ok")) {
			source->again_id = 0;
			bsr_events_snapshot(source->model, &follow->out, &follow->style,
				bsr_json_object(bsr_json_object(line, "result"), "snapshot"));
		}
		return true;
	}
	if (strcmp(event, "end") == 0) {
		source_gone(follow, source);
		return false;
	}
	if (strcmp(event, "lagged") == 0) {
		bsr_events_skipped(&follow->out, &follow->style,
			bsr_json_int(line, "time_us", wall_us()), bsr_json_int(line, "skipped", 0));
		source_lost(follow, source);
		return false;
	}
	bsr_events_event(source->model, &follow->out, &follow->style, line);
	return true;
}

static void read_source(struct follow *follow, struct source *source)
{
	int timeout_ms = 0;
	do {
		struct json_object *line = NULL;
		int rc = bsr_client_read(&source->client, &line, timeout_ms);
		if (rc == -ETIMEDOUT) {
			return;
		}
		if (rc != 0) {
			source_lost(follow, source);
			return;
		}
		const bool alive = take_line(follow, source, line);
		json_object_put(line);
		if (!alive) {
			return;
		}
	} while (bsr_client_has_line(&source->client));
}

/* -------------------------------------------------------------------- loop */

static void watch_run_dir(struct follow *follow)
{
	if (follow->watch >= 0) {
		return;
	}
	follow->watch = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
	if (follow->watch >= 0 &&
		inotify_add_watch(follow->watch, bsr_client_run_dir(), IN_CREATE | IN_MOVED_TO) < 0) {
		close(follow->watch);
		follow->watch = -1;
	}
}

static void tick(struct follow *follow)
{
	watch_run_dir(follow);
	look_around(follow);
	follow->ticks++;
	if (!follow->sync || follow->ticks % (uint64_t)follow->interval != 0) {
		return;
	}
	for (size_t i = 0; i < follow->count; i++) {
		if (follow->source[i]->open && follow->source[i]->status_id == 0) {
			follow->source[i]->status_id = ask_status(follow->source[i]);
		}
	}
}

static void drain_watch(struct follow *follow)
{
	char buffer[4096];
	while (read(follow->watch, buffer, sizeof(buffer)) > 0) {
	}
	/*
	 * the socket is there a moment before it listens; the next tick repairs a loss of this race
	 */
	look_around(follow);
}

/* n: what has changed without an event (counters) is printed; a line end is nothing; anything else ends it. */
static void take_orders(struct follow *follow)
{
	char orders[64];
	const ssize_t count = read(STDIN_FILENO, orders, sizeof(orders));
	follow->over = count <= 0;
	for (ssize_t i = 0; i < count && !follow->over; i++) {
		for (size_t j = 0; orders[i] == 'n' && j < follow->count; j++) {
			if (follow->source[j]->open && follow->source[j]->again_id == 0) {
				follow->source[j]->again_id = ask_status(follow->source[j]);
			}
		}
		follow->over = orders[i] != 'n' && orders[i] != '\n';
	}
}

#define FIXED 3u /* standard output, the run directory, standard input */

static void one_turn(struct follow *follow, int timeout_ms)
{
	static struct pollfd ready[SOURCES_MAX + FIXED];
	static struct source *of[SOURCES_MAX];
	nfds_t count = 0;
	ready[count++] = (struct pollfd){.fd = STDOUT_FILENO, .events = 0};
	ready[count++] = (struct pollfd){.fd = follow->watch, .events = POLLIN};
	ready[count++] = (struct pollfd){.fd = follow->poll ? STDIN_FILENO : -1, .events = POLLIN};
	for (size_t i = 0; i < follow->count; i++) {
		if (follow->source[i]->open) {
			of[count - FIXED] = follow->source[i];
			ready[count++] = (struct pollfd){
				.fd = follow->source[i]->client.fd, .events = POLLIN};
		}
	}
	if (poll(ready, count, timeout_ms) <= 0) {
		return;
	}
	if ((ready[0].revents & (POLLERR | POLLHUP)) != 0) {
		exit(BSRSETUP_OK); /* nobody reads any more */
	}
	for (nfds_t i = FIXED; i < count; i++) {
		if (ready[i].revents != 0) {
			read_source(follow, of[i - FIXED]);
		}
	}
	if (ready[2].revents != 0) {
		take_orders(follow);
	}
	if (ready[1].revents != 0) {
		drain_watch(follow);
	}
}

static int64_t now_ms(void)
{
	struct timespec now;
	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void follow_on(struct follow *follow)
{
	int64_t next_tick = now_ms() + TICK_MS;
	while (!follow->over) {
		print_out(follow);
		for (size_t i = 0; i < follow->count; i++) { /* what came with a reply */
			if (follow->source[i]->open &&
				bsr_client_has_line(&follow->source[i]->client)) {
				read_source(follow, follow->source[i]);
			}
		}
		print_out(follow);
		int64_t left = next_tick - now_ms();
		if (left <= 0) {
			tick(follow);
			next_tick = now_ms() + TICK_MS;
			continue;
		}
		one_turn(follow, (int)left);
	}
}

static void dump(struct follow *follow)
{
	while (follow->count > 0) {
		source_remove(follow, follow->source[0]);
	}
	follow->dumped = false;
	look_around(follow);
	follow->dumped = true;
	bsr_events_dump_end(&follow->out, &follow->style, wall_us());
	print_out(follow);
}

static int parse_style(struct follow *follow)
{
	struct bsr_setup_call *call = follow->call;
	const char *color = bsr_json_string(call->flags, "color");
	const char *interval = bsr_json_string(call->flags, "interval");
	char *end = NULL;

	follow->style = (struct bsr_events_style){.timestamps = bsr_setup_flag(call, "timestamps"),
		.statistics = bsr_setup_flag(call, "statistics") || bsr_setup_flag(call, "full"),
		.full = bsr_setup_flag(call, "full"),
		.diff = bsr_setup_flag(call, "diff"),
		.json = bsr_setup_flag(call, "json"),
		.cursor = bsr_setup_flag(call, "cursor"),
		.color = isatty(STDOUT_FILENO) != 0};
	if (bsr_json_has(call->flags, "color") && strcmp(color, "auto") != 0) {
		follow->style.color = strcmp(color, "never") != 0;
	}
	follow->sync = bsr_setup_flag(call, "sync");
	follow->poll = bsr_setup_flag(call, "poll") && !bsr_setup_flag(call, "now");
	if (bsr_json_has(call->flags, "resume")) {
		follow->resume = bsr_json_string(call->flags, "resume");
		if (call->resource[0] == '\0' || strchr(follow->resume, ':') == NULL) {
			fprintf(stderr, "events2: --resume: name one resource, and a cursor of it (of --json --cursor)\n");
			return BSRSETUP_USAGE;
		}
	}
	follow->interval = 1;
	if (interval[0] != '\0') {
		follow->interval = strtol(interval, &end, 10);
		if (*end != '\0' || follow->interval < 1 || follow->interval > 60) {
			fprintf(stderr, "events2: --interval: '%s' is not 1..60\n", interval);
			return BSRSETUP_USAGE;
		}
	}
	return BSRSETUP_OK;
}

int bsr_run_events2(struct bsr_setup_call *call)
{
	static struct follow follow;
	follow = (struct follow){.call = call, .watch = -1};
	if (parse_style(&follow) != BSRSETUP_OK) {
		return BSRSETUP_USAGE;
	}
	const bool now = bsr_setup_flag(call, "now");
	if (now && call->resource[0] != '\0') {
		struct bsr_client client;
		int rc = bsr_run_open(call, &client);
		if (rc != BSRSETUP_OK) {
			return rc;
		}
		bsr_client_close(&client);
	}
	watch_run_dir(&follow);
	dump(&follow);
	if (!now) {
		follow_on(&follow);
	}
	while (now && bsr_setup_flag(call, "poll")) {
		char order = 0;
		if (read(STDIN_FILENO, &order, 1) != 1 || (order != 'n' && order != '\n')) {
			break;
		}
		if (order == 'n') {
			dump(&follow);
		}
	}
	while (follow.count > 0) {
		source_remove(&follow, follow.source[0]);
	}
	bsr_text_free(&follow.out);
	return BSRSETUP_OK;
}
