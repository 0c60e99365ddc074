// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * run_query.c - commands that only ask and print
 *
 * Owns: how many resources are asked and what is done when there is none.
 */
#include "run.h"

#include "names.h"

#include "gi_text.h"
#include "query_json.h"
#include "show_text.h"
#include "status_json.h"
#include "status_text.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

static void print_nothing(void)
{
	printf("# No currently configured %s resource found.\n",
		bsr_names()->drbd ? bsr_names()->capital : bsr_names()->product);
}

/* Opens, asks, closes. */
static int ask_once(struct bsr_setup_call *call, const char *command, struct json_object **result)
{
	struct bsr_client client;
	int rc = bsr_run_open(call, &client);
	if (rc == BSRSETUP_OK) {
		rc = bsr_run_ask(call, &client, command, result);
		bsr_client_close(&client);
	}
	return rc;
}

static bool wants_json(const struct bsr_setup_call *call)
{
	return bsr_setup_flag(call, "json");
}

static void print_and_free(struct bsr_text *text)
{
	fputs(bsr_text_string(text), stdout);
	bsr_text_free(text);
}

static int ask_snapshot(struct bsr_setup_call *call, struct json_object **snapshot)
{
	struct json_object *result = NULL;
	int rc = ask_once(call, "status", &result);
	if (rc == BSRSETUP_OK) {
		*snapshot = json_object_get(bsr_json_object(result, "snapshot"));
		json_object_put(result);
	}
	return rc;
}

/* ------------------------------------------------------------- single words */

int bsr_run_role(struct bsr_setup_call *call)
{
	struct json_object *snapshot = NULL;
	struct bsr_text text = {0};
	int rc = ask_snapshot(call, &snapshot);
	if (rc == BSRSETUP_OK && wants_json(call)) {
		bsr_query_json_role(&text, snapshot);
	} else if (rc == BSRSETUP_OK) {
		bsr_text_add(&text, "%s\n",
			bsr_json_string(bsr_json_object(snapshot, "resource"), "role"));
	}
	json_object_put(snapshot);
	print_and_free(&text);
	return rc;
}

static struct json_object *find_peer(struct json_object *snapshot, int64_t peer)
{
	struct json_object *connections = bsr_json_array(snapshot, "connections");
	for (size_t i = 0; i < bsr_json_count(connections); i++) {
		if (bsr_json_int(bsr_json_at(connections, i), "peer", -1) == peer) {
			return bsr_json_at(connections, i);
		}
	}
	return NULL;
}

static int no_such_peer(const struct bsr_setup_call *call)
{
	fprintf(stderr, "%s: Failure: (171) no peer with node id %" PRId64 "\n  what helps: %s status %s shows the peers\n",
		call->object, call->peer, bsr_names()->setup, call->resource);
	return BSRSETUP_REFUSED;
}

int bsr_run_cstate(struct bsr_setup_call *call)
{
	struct json_object *snapshot = NULL;
	int rc = ask_snapshot(call, &snapshot);
	if (rc != BSRSETUP_OK) {
		return rc;
	}
	struct json_object *connection = find_peer(snapshot, call->peer);
	struct bsr_text text = {0};
	if (connection != NULL && wants_json(call)) {
		bsr_query_json_connection(&text, snapshot, connection);
		print_and_free(&text);
	} else if (connection != NULL) {
		printf("%s\n", bsr_json_string(connection, "connection"));
	} else {
		rc = no_such_peer(call);
	}
	json_object_put(snapshot);
	return rc;
}

static struct json_object *find_minor(struct json_object *devices, int64_t minor)
{
	for (size_t i = 0; i < bsr_json_count(devices); i++) {
		if (bsr_json_int(bsr_json_at(devices, i), "minor", -1) == minor) {
			return bsr_json_at(devices, i);
		}
	}
	return NULL;
}

int bsr_run_dstate(struct bsr_setup_call *call)
{
	struct json_object *snapshot = NULL;
	int rc = bsr_run_find_minor(call);
	if (rc == BSRSETUP_OK) {
		rc = ask_snapshot(call, &snapshot);
	}
	if (rc != BSRSETUP_OK) {
		return rc;
	}
	struct json_object *device = find_minor(bsr_json_array(snapshot, "devices"), call->minor);
	struct json_object *connections = bsr_json_array(snapshot, "connections");
	if (device == NULL) {
		json_object_put(snapshot);
		return BSRSETUP_REFUSED;
	}
	if (wants_json(call)) {
		struct bsr_text text = {0};
		bsr_query_json_device(&text, snapshot, device);
		print_and_free(&text);
		json_object_put(snapshot);
		return BSRSETUP_OK;
	}
	int64_t volume = bsr_json_int(device, "volume", -1);
	printf("%s", bsr_json_string(device, "disk"));
	for (size_t i = 0; i < bsr_json_count(connections); i++) {
		struct json_object *peer_device = bsr_json_find_volume(
			bsr_json_array(bsr_json_at(connections, i), "peer_devices"), volume);
		if (peer_device != NULL) {
			printf("/%s", bsr_json_string(peer_device, "peer_disk"));
		}
	}
	printf("\n");
	json_object_put(snapshot);
	return BSRSETUP_OK;
}

int bsr_run_gi(struct bsr_setup_call *call)
{
	struct json_object *snapshot = NULL;
	struct bsr_text text = {0};
	int rc = ask_snapshot(call, &snapshot);
	if (rc != BSRSETUP_OK) {
		return rc;
	}
	struct json_object *device =
		bsr_json_find_volume(bsr_json_array(snapshot, "devices"), call->volume);
	struct json_object *connection = find_peer(snapshot, call->peer);
	struct json_object *peer_device =
		bsr_json_find_volume(bsr_json_array(connection, "peer_devices"), call->volume);
	if (connection == NULL) {
		rc = no_such_peer(call);
	} else if (device == NULL || peer_device == NULL) {
		fprintf(stderr, "%s: Failure: (127) no volume %" PRId64 "\n", call->object,
			call->volume);
		rc = BSRSETUP_UNCONFIGURED;
	} else {
		const bool legend = strcmp(call->command->name, "show-gi") == 0;
		const bool known = wants_json(call)
			? bsr_query_json_gi(&text, snapshot, connection, call->volume)
			: (legend ? bsr_gi_legend(&text, device, peer_device)
				  : bsr_gi_line(&text, device, peer_device));
		fputs(bsr_text_string(&text), stdout);
		if (!known) {
			fprintf(stderr, "%s: volume %" PRId64 " has no disk attached\n",
				call->object, call->volume);
			rc = BSRSETUP_UNCONFIGURED;
		}
	}
	bsr_text_free(&text);
	json_object_put(snapshot);
	return rc;
}

/* ---------------------------------------------------------- status and show */

static uint32_t terminal_width(void)
{
	struct winsize size = {0};
	if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_col == 0) {
		return 80;
	}
	return size.ws_col;
}

static int want_color(const struct bsr_setup_call *call, bool *color)
{
	*color = isatty(STDOUT_FILENO) != 0;
	if (!bsr_json_has(call->flags, "color")) {
		return BSRSETUP_OK;
	}
	const char *word = bsr_json_string(call->flags, "color");
	if (word[0] == '\0' || strcmp(word, "always") == 0) {
		*color = true;
	} else if (strcmp(word, "never") == 0) {
		*color = false;
	} else if (strcmp(word, "auto") != 0) {
		fprintf(stderr, "%s: --color: '%s' is not always, auto or never\n", bsr_names()->setup,
			word);
		return BSRSETUP_USAGE;
	}
	return BSRSETUP_OK;
}

/* The resources a command is about: one, or all that are running. */
static struct json_object *targets(const struct bsr_setup_call *call)
{
	if (call->resource[0] == '\0') {
		return bsr_client_list();
	}
	struct json_object *names = json_object_new_array();
	json_object_array_add(names, json_object_new_string(call->resource));
	return names;
}

#define NO_RESOURCE 3010 /* docs/control.md: the process runs, nothing is set up */

/* One of all resources: what is just beginning or ending is passed over. */
static int ask_one_of_all(struct bsr_setup_call *one, const char *command, struct json_object **result)
{
	struct bsr_client client;
	struct json_object *reply = NULL;
	int rc = bsr_client_open(&client, one->resource);
	if (rc == -ENOENT || rc == -ECONNREFUSED) {
		return BSRSETUP_OK; /* a socket without a process is what a crash left */
	}
	if (rc != 0) {
		return bsr_run_open(one, &client); /* tells it */
	}
	struct json_object *request = json_object_new_object();
	json_object_object_add(request, "command", json_object_new_string(command));
	rc = bsr_client_call(&client, request, &reply, BSR_CLIENT_GREETING_MS);
	bsr_client_close(&client);
	json_object_put(request);
	if (rc != 0) {
		fprintf(stderr, "%s: the process of the resource does not answer: %s\n", one->resource,
			strerror(-rc));
		return BSRSETUP_USAGE;
	}
	rc = BSRSETUP_OK;
	if (bsr_json_int(bsr_json_object(reply, "error"), "code", 0) != NO_RESOURCE) {
		rc = bsr_run_tell_reply(one->object, reply);
		*result = json_object_get(bsr_json_object(reply, "result"));
	}
	json_object_put(reply);
	return rc;
}

/* NULL result: nothing to print of it. */
static int ask_target(struct bsr_setup_call *call, const char *name, const char *command,
	struct json_object **result)
{
	const bool named = call->resource[0] != '\0';
	struct bsr_setup_call one = *call;
	snprintf(one.resource, sizeof(one.resource), "%s", name);
	one.object = name;
	return named ? ask_once(&one, command, result) : ask_one_of_all(&one, command, result);
}

int bsr_run_status(struct bsr_setup_call *call)
{
	struct bsr_status_style style = {.verbose = bsr_setup_flag(call, "verbose"),
		.statistics = bsr_setup_flag(call, "statistics"),
		.readable = bsr_setup_flag(call, "readability"),
		.progress = isatty(STDOUT_FILENO) != 0,
		.width = terminal_width()};
	const bool json = bsr_setup_flag(call, "json");
	if (want_color(call, &style.color) != BSRSETUP_OK) {
		return BSRSETUP_USAGE;
	}
	struct json_object *names = targets(call);
	struct bsr_text text = {0};
	int worst = BSRSETUP_OK;
	size_t shown = 0;
	for (size_t i = 0; i < bsr_json_count(names); i++) {
		struct json_object *result = NULL;
		int rc = ask_target(
			call, json_object_get_string(bsr_json_at(names, i)), "status", &result);
		worst = rc > worst ? rc : worst;
		struct json_object *snapshot = bsr_json_object(result, "snapshot");
		bsr_open_mark(snapshot);
		if (snapshot != NULL && json) {
			bsr_status_json(&text, snapshot, shown++ == 0);
		} else if (snapshot != NULL) {
			bsr_status_text(&text, snapshot, &style);
			shown++;
		}
		json_object_put(result);
	}
	if (json) {
		printf("[\n%s]\n", bsr_text_string(&text));
	} else if (shown == 0 && worst == BSRSETUP_OK) {
		print_nothing();
	} else {
		fputs(bsr_text_string(&text), stdout);
	}
	bsr_text_free(&text);
	json_object_put(names);
	return worst;
}

int bsr_run_show(struct bsr_setup_call *call)
{
	struct json_object *names = targets(call);
	struct bsr_text text = {0};
	int worst = BSRSETUP_OK;
	for (size_t i = 0; i < bsr_json_count(names); i++) {
		struct json_object *result = NULL;
		int rc = ask_target(
			call, json_object_get_string(bsr_json_at(names, i)), "show", &result);
		worst = rc > worst ? rc : worst;
		if (bsr_json_has(result, "config") && wants_json(call)) {
			bsr_text_add(&text, "%s", text.length == 0 ? "[\n" : ",\n");
			bsr_show_json(&text, bsr_json_object(result, "config"),
				bsr_setup_flag(call, "show-defaults"));
		} else if (bsr_json_has(result, "config")) {
			bsr_show_text(&text, bsr_json_object(result, "config"),
				bsr_setup_flag(call, "show-defaults"));
		}
		json_object_put(result);
	}
	if (wants_json(call)) {
		bsr_text_add(&text, "%s", text.length == 0 ? "[]\n" : "\n]\n");
	} else if (text.length == 0 && worst == BSRSETUP_OK) {
		print_nothing();
	}
	print_and_free(&text);
	json_object_put(names);
	return worst;
}

/* --------------------------------------------------------------------- why */

static bool fact_is_about(const struct bsr_setup_call *call, struct json_object *fact)
{
	const char *peer = bsr_json_string(call->flags, "peer");
	char id[24];
	snprintf(id, sizeof(id), "%" PRId64, bsr_json_int(fact, "peer", -1));
	if (peer[0] != '\0' && bsr_json_has(fact, "peer") &&
		strcmp(peer, bsr_json_string(fact, "name")) != 0 && strcmp(peer, id) != 0) {
		return false;
	}
	return call->volume < 0 || !bsr_json_has(fact, "volume") ||
		bsr_json_int(fact, "volume", -1) == call->volume;
}

static void print_fact(const struct bsr_setup_call *call, struct json_object *fact)
{
	printf("%s", call->resource);
	if (bsr_json_has(fact, "peer")) {
		printf(":%s", bsr_json_string(fact, "name"));
	}
	if (bsr_json_has(fact, "volume")) {
		printf("/%" PRId64, bsr_json_int(fact, "volume", -1));
	}
	printf(": %s", bsr_json_string(fact, "fact"));
	if (bsr_json_has(fact, "reason")) {
		printf(" (rule %" PRId64 ")", bsr_json_int(fact, "reason", 0));
	}
	printf("\n");
	if (bsr_json_string(fact, "remedy")[0] != '\0') {
		fputs("    what helps: ", stdout);
		bsr_print_translated(bsr_json_string(fact, "remedy"), stdout);
		putchar('\n');
	}
}

static void print_facts_json(const struct bsr_setup_call *call, struct json_object *facts)
{
	struct json_object *out = json_object_new_object();
	struct json_object *chosen = json_object_new_array();

	json_object_object_add(out, "name", json_object_new_string(call->resource));
	for (size_t i = 0; i < bsr_json_count(facts); i++) {
		if (fact_is_about(call, bsr_json_at(facts, i))) {
			json_object_array_add(chosen, json_object_get(bsr_json_at(facts, i)));
		}
	}
	json_object_object_add(out, "facts", chosen);
	bsr_print_translated(json_object_to_json_string_ext(
				     out, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE),
		stdout);
	putchar('\n');
	json_object_put(out);
}

int bsr_run_why(struct bsr_setup_call *call)
{
	struct json_object *result = NULL;
	size_t shown = 0;
	int rc = ask_once(call, "why", &result);
	if (rc != BSRSETUP_OK) {
		return rc;
	}
	struct json_object *facts = bsr_json_array(result, "facts");
	if (wants_json(call)) {
		print_facts_json(call, facts);
		json_object_put(result);
		return BSRSETUP_OK;
	}
	for (size_t i = 0; i < bsr_json_count(facts); i++) {
		if (fact_is_about(call, bsr_json_at(facts, i))) {
			print_fact(call, bsr_json_at(facts, i));
			shown++;
		}
	}
	if (shown == 0) {
		printf("%s: nothing is wrong: every connection replicates\n", call->resource);
	}
	json_object_put(result);
	return BSRSETUP_OK;
}
