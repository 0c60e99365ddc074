// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * wait.c - waiting for connections, resync and verify, with a progress display
 *
 * Owns:       the lines of the display.
 * May touch:  bsrsetup; stdout.
 */
#include "adm.h"

#include "names.h"

#include <inttypes.h>
#include <json-c/json.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define POLL_MS 1000u

static void make_wait(
	struct adm *adm, struct adm_call *call, const struct adm_context *context, const char *what)
{
	char command[64];
	const char *kind = context->connection == NULL ? "resource"
			   : context->volume_given     ? "volume"
						       : "connection";

	snprintf(command, sizeof(command), "%s-%s", what, kind);
	adm_call_setup(call, adm, command);
	call->patience = ADM_FOREVER; /* bsrsetup has its own time limits */
	adm_call_add(call, "%s", context->resource->name);
	if (context->connection != NULL) {
		adm_call_add(call, "%d", context->connection->peer->node_id);
		if (context->volume_given) {
			adm_call_add(call, "%u", context->volume->vnr);
		}
	}
	adm_call_add_options(
		adm, call, &context->resource->options[BSR_SECTION_STARTUP], BSR_SECTION_STARTUP);
}

int adm_wait_connect(struct adm *adm, const struct adm_context *context)
{
	struct adm_call call;

	make_wait(adm, &call, context, "wait-connect");
	return adm_call_run(adm, &call, context->resource->name);
}

/* What was seen of one peer device a moment ago, for its rate. */
struct seen {
	int peer;
	int volume;
	double kib;
	double at_s;
	double rate; /* KiB/s, smoothed */
	bool used;
};

#define SEEN_MAX 256u

struct progress {
	struct adm *adm;
	const char *resource;
	struct seen seen[SEEN_MAX];
	unsigned int lines; /* drawn on the terminal */
	bool terminal;
};

static double now_s(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static struct json_object *member(struct json_object *object, const char *name)
{
	struct json_object *value = NULL;

	return object != NULL && json_object_object_get_ex(object, name, &value) ? value : NULL;
}

static double number(struct json_object *object, const char *name)
{
	struct json_object *value = member(object, name);

	return value != NULL ? json_object_get_double(value) : 0;
}

static const char *text(struct json_object *object, const char *name)
{
	struct json_object *value = member(object, name);
	const char *string = value != NULL ? json_object_get_string(value) : NULL;

	return string != NULL ? string : "?";
}

/* An amount of KiB for people. */
static void format_amount(double kib, char *buffer, size_t size)
{
	static const char *const units[] = {"KiB", "MiB", "GiB", "TiB"};
	unsigned int unit = 0;

	while (kib >= 1024 && unit < 3) {
		kib /= 1024;
		unit++;
	}
	snprintf(buffer, size, "%.1f %s", kib, units[unit]);
}

static struct seen *find_seen(struct progress *p, int peer, int volume)
{
	for (size_t i = 0; i < SEEN_MAX; i++) {
		struct seen *s = &p->seen[i];
		if (!s->used) {
			*s = (struct seen){.peer = peer, .volume = volume, .kib = -1, .used = true};
		}
		if (s->peer == peer && s->volume == volume) {
			return s;
		}
	}
	return NULL;
}

/* KiB per second since the last look, smoothed over a few of them. */
static double update_rate(struct seen *s, double left_kib)
{
	const double now = now_s();

	if (s->kib >= 0 && now > s->at_s) {
		const double momentary =
			left_kib < s->kib ? (s->kib - left_kib) / (now - s->at_s) : 0;
		s->rate = s->rate > 0 ? s->rate * 0.7 + momentary * 0.3 : momentary;
	}
	s->kib = left_kib;
	s->at_s = now;
	return s->rate;
}

static bool is_syncing(const char *state)
{
	return strncmp(state, "Sync", 4) == 0 || strncmp(state, "PausedSync", 10) == 0 || strncmp(state, "Verify", 6) == 0;
}

static double device_size(struct json_object *resource, int volume)
{
	struct json_object *devices = member(resource, "devices");

	for (size_t i = 0; devices != NULL && i < json_object_array_length(devices); i++) {
		struct json_object *device = json_object_array_get_idx(devices, i);
		if ((int)number(device, "volume") == volume) {
			return number(device, "size");
		}
	}
	return 0;
}

static void draw_line(struct progress *p, struct json_object *resource,
	struct json_object *connection, struct json_object *device)
{
	const int volume = (int)number(device, "volume");
	const char *state = text(device, "replication-state");
	const double left = number(device, member(device, "resync-left") != NULL ? "resync-left" : "out-of-sync");
	const double size = device_size(resource, volume);
	const double done = member(device, "resync-done") != NULL ? number(device, "resync-done")
			    : size > 0                            ? 100 * (1 - left / size)
								  : 0;
	struct seen *s = find_seen(p, (int)number(connection, "peer-node-id"), volume);
	const double rate = s != NULL ? update_rate(s, left) : 0;
	char amount[32];
	char speed[32];

	format_amount(left, amount, sizeof(amount));
	format_amount(rate, speed, sizeof(speed));
	printf("%s%s/%d %s %s: %.2f%% done, %s to go, %s/s", p->terminal ? "\033[K" : "",
		p->resource, volume, state, text(connection, "name"), done, amount, speed);
	if (rate > 0) {
		const unsigned long seconds = (unsigned long)(left / rate);
		printf(", %lu:%02lu:%02lu left", seconds / 3600, seconds / 60 % 60, seconds % 60);
	}
	if (member(device, "resync-limited-by") != NULL) {
		printf(" (limited by %s)", text(device, "resync-limited-by"));
	}
	putchar('\n');
	p->lines++;
}

static void draw_resource(struct progress *p, struct json_object *resource)
{
	struct json_object *connections = member(resource, "connections");

	if (strcmp(text(resource, "name"), p->resource) != 0 || connections == NULL) {
		return;
	}
	for (size_t i = 0; i < json_object_array_length(connections); i++) {
		struct json_object *connection = json_object_array_get_idx(connections, i);
		struct json_object *devices = member(connection, "peer_devices");
		for (size_t j = 0; devices != NULL && j < json_object_array_length(devices); j++) {
			struct json_object *device = json_object_array_get_idx(devices, j);
			if (is_syncing(text(device, "replication-state"))) {
				draw_line(p, resource, connection, device);
			}
		}
	}
}

static void draw(struct progress *p)
{
	struct adm_call call;
	char *answer = NULL;
	size_t size = 0;

	adm_call_setup(&call, p->adm, "status");
	adm_call_add(&call, "%s", p->resource);
	adm_call_add(&call, "--json");
	adm_call_add(&call, "--statistics");
	call.quiet = true;
	call.silent = true;
	const int code = adm_call_capture(p->adm, &call, &answer, &size);
	struct json_object *list = code == 0 ? json_tokener_parse(answer) : NULL;
	if (p->terminal && p->lines > 0) {
		printf("\033[%uA", p->lines);
	}
	p->lines = 0;
	if (json_object_is_type(list, json_type_array)) {
		for (size_t i = 0; i < json_object_array_length(list); i++) {
			draw_resource(p, json_object_array_get_idx(list, i));
		}
	}
	if (p->terminal) {
		printf("\033[J"); /* lines of peers that have finished */
	}
	fflush(stdout);
	json_object_put(list);
	free(answer);
}

static int wait_with_progress(struct adm *adm, struct adm_call *call, const char *resource)
{
	struct progress *p = calloc(1, sizeof(*p));
	int code = ADM_CANNOT;

	if (p == NULL) {
		return ADM_CANNOT;
	}
	p->adm = adm;
	p->resource = resource;
	p->terminal = isatty(STDOUT_FILENO) != 0;
	const pid_t pid = adm_call_start(adm, call);
	if (pid > 0) {
		do {
			draw(p);
		} while (!adm_call_wait(pid, POLL_MS, &code));
		draw(p);
	}
	free(p);
	if (code == ADM_OK) {
		printf("%s: no resync is running\n", resource);
	}
	return code;
}

int adm_wait_sync(struct adm *adm, const struct adm_context *context)
{
	struct adm_call call;

	make_wait(adm, &call, context, "wait-sync");
	if (adm->dry_run || (!adm->progress && adm->verbose == 0 && !isatty(STDOUT_FILENO))) {
		return adm_call_run(adm, &call, context->resource->name);
	}
	const int code = wait_with_progress(adm, &call, context->resource->name);
	adm_call_free(&call);
	return code;
}

#define INTERACTIVE_RESOURCES_MAX 1024u
#define BANNER_AFTER_MS 10000u

/* True once the person has typed "yes" or closed the input. */
static bool asked_to_stop(unsigned int milliseconds)
{
	struct pollfd pfd = {.fd = STDIN_FILENO, .events = POLLIN};
	char line[64] = "";

	if (poll(&pfd, 1, (int)milliseconds) <= 0) {
		return false;
	}
	const ssize_t n = read(STDIN_FILENO, line, sizeof(line) - 1);
	if (n <= 0) {
		(void)poll(NULL, 0, (int)milliseconds); /* no person there: only wait */
		return false;
	}
	line[strcspn(line, "\r\n")] = '\0';
	return strcmp(line, "yes") == 0;
}

static void print_banner(void)
{
	fprintf(stderr,
		"%s is waiting for its peers before the boot goes on: the node that failed last may have\n"
		"newer data. To go on without them, type 'yes' and ENTER.\n",
		bsr_names()->product);
}

int adm_wait_interactive(struct adm *adm, const struct adm_context *context)
{
	static pid_t pids[INTERACTIVE_RESOURCES_MAX];
	size_t count = 0;
	unsigned int waited_ms = 0;
	bool stop = false;

	(void)context;
	for (struct cfg_resource *r = adm->config->resources.first; r != NULL; r = r->next) {
		const struct adm_context one = {.resource = r};
		struct adm_call call;
		if (r->ignored || count >= INTERACTIVE_RESOURCES_MAX) {
			continue;
		}
		make_wait(adm, &call, &one, "wait-connect");
		if (adm->dry_run) {
			(void)adm_call_run(adm, &call, r->name);
			continue;
		}
		pids[count] = adm_call_start(adm, &call);
		count += pids[count] > 0 ? 1 : 0;
		adm_call_free(&call);
	}
	while (count > 0 && !stop) {
		int code;
		if (adm_call_wait(pids[count - 1], 1, &code)) {
			count--;
			continue;
		}
		stop = asked_to_stop(POLL_MS);
		waited_ms += POLL_MS;
		if (waited_ms == BANNER_AFTER_MS) {
			print_banner();
		}
	}
	for (size_t i = 0; i < count; i++) {
		kill(pids[i], SIGTERM);
		(void)waitpid(pids[i], NULL, 0);
	}
	return ADM_OK;
}
