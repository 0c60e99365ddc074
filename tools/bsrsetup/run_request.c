// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * run_request.c - commands that are one request, and what all commands need: finding, asking,
 * telling
 *
 * Owns:       which process serves a minor; repeating of requests that meet a passing state.
 * May touch:  links <run dir>/minor-N, a cache that is checked before it is believed.
 */
#include "run.h"

#include "names.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define IN_TRANSIENT_STATE 1018
#define TRANSIENT_LIMIT_MS 60000

/* ----------------------------------------------------------------- telling */

static void tell_no_connection(const char *object, const char *resource, int error)
{
	switch (-error) {
	case ENOENT:
	case ECONNREFUSED:
		fprintf(stderr, "%s: Failure: (158) unknown resource: '%s' is not running\n", object,
			resource);
		fprintf(stderr, "  what helps: %s up %s\n", bsr_names()->admin, resource);
		break;
	case EACCES:
	case EPERM:
		fprintf(stderr, "%s: not allowed to talk to resource '%s': be root\n", object, resource);
		break;
	case ETIMEDOUT:
		fprintf(stderr, "%s: the process of resource '%s' does not answer\n", object, resource);
		break;
	case EBUSY:
		fprintf(stderr, "%s: too many programs talk to resource '%s'\n", object, resource);
		break;
	case ECONNRESET:
		fprintf(stderr, "%s: the process of resource '%s' ended\n", object, resource);
		break;
	default:
		fprintf(stderr, "%s: cannot talk to resource '%s': %s\n", object, resource,
			strerror(-error));
		break;
	}
}

static int exit_code_of(int error)
{
	return error == -ENOENT || error == -ECONNREFUSED ? BSRSETUP_REFUSED : BSRSETUP_USAGE;
}

int bsr_run_tell_reply(const char *object, struct json_object *reply)
{
	if (bsr_json_bool(reply, "ok")) {
		return BSRSETUP_OK;
	}
	struct bsr_text text = {0};
	struct json_object *error = bsr_json_object(reply, "error");
	bsr_report_error(&text, object, error);
	bsr_print_translated(bsr_text_string(&text), stderr);
	bsr_text_free(&text);
	int code = bsr_report_exit_code(bsr_json_int(error, "code", -1));
	return code == BSRSETUP_OK ? BSRSETUP_USAGE : code;
}

/* What the engine did, but not completely: success that comes with lines for people. */
static void tell_notes(const char *object, struct json_object *reply)
{
	struct json_object *info = bsr_json_array(bsr_json_object(reply, "result"), "info");
	for (size_t i = 0; i < bsr_json_count(info); i++) {
		fprintf(stderr, "%s: %s\n", object, json_object_get_string(bsr_json_at(info, i)));
	}
}

/* ------------------------------------------------------------------ asking */

int bsr_run_open(struct bsr_setup_call *call, struct bsr_client *client)
{
	int rc = bsr_client_open(client, call->resource);
	if (rc == 0) {
		return BSRSETUP_OK;
	}
	tell_no_connection(call->object, call->resource, rc);
	return exit_code_of(rc);
}

int bsr_run_ask(struct bsr_setup_call *call, struct bsr_client *client, const char *command,
	struct json_object **result)
{
	struct json_object *request = json_object_new_object();
	struct json_object *reply = NULL;
	json_object_object_add(request, "command", json_object_new_string(command));
	int rc = bsr_client_call(client, request, &reply, BSR_CLIENT_GREETING_MS);
	json_object_put(request);
	if (rc != 0) {
		tell_no_connection(call->object, call->resource, rc);
		return BSRSETUP_USAGE;
	}
	int code = bsr_run_tell_reply(call->object, reply);
	if (code == BSRSETUP_OK) {
		*result = json_object_get(bsr_json_object(reply, "result"));
	}
	json_object_put(reply);
	return code;
}

static bool is_transient(struct json_object *reply)
{
	return bsr_json_int(bsr_json_object(reply, "error"), "code", 0) == IN_TRANSIENT_STATE;
}

/* Sends call->request until the answer is not "try again", with growing pauses. */
static int call_patiently(
	struct bsr_setup_call *call, struct bsr_client *client, struct json_object **reply)
{
	int64_t pause_ms = 62;
	for (int64_t waited_ms = 0;; waited_ms += pause_ms) {
		int rc = bsr_client_call(client, call->request, reply, BSR_CLIENT_ANSWER_MS);
		if (rc != 0) {
			tell_no_connection(call->object, call->resource, rc);
			return BSRSETUP_USAGE;
		}
		if (!is_transient(*reply) || waited_ms >= TRANSIENT_LIMIT_MS) {
			return BSRSETUP_OK;
		}
		json_object_put(*reply);
		*reply = NULL;
		struct timespec pause = {pause_ms / 1000, (long)(pause_ms % 1000) * 1000000};
		(void)nanosleep(&pause, NULL);
		pause_ms = pause_ms * 2 > 1000 ? 1000 : pause_ms * 2;
	}
}

/* ------------------------------------------------------- which resource has it */

static bool resource_has_minor(const char *resource, int64_t minor)
{
	struct bsr_client client;
	struct json_object *request = json_object_new_object();
	struct json_object *reply = NULL;
	bool found = false;
	json_object_object_add(request, "command", json_object_new_string("status"));
	if (bsr_client_open(&client, resource) == 0) {
		if (bsr_client_call(&client, request, &reply, BSR_CLIENT_GREETING_MS) == 0) {
			struct json_object *snapshot =
				bsr_json_object(bsr_json_object(reply, "result"), "snapshot");
			struct json_object *devices = bsr_json_array(snapshot, "devices");
			for (size_t i = 0; i < bsr_json_count(devices); i++) {
				found = found ||
					bsr_json_int(bsr_json_at(devices, i), "minor", -1) == minor;
			}
			json_object_put(reply);
		}
		bsr_client_close(&client);
	}
	json_object_put(request);
	return found;
}

/* The link that new-minor left; only a hint. */
static bool minor_hint(int64_t minor, char *resource, size_t room)
{
	char path[4096];
	char target[512];
	snprintf(path, sizeof(path), "%s/minor-%" PRId64, bsr_client_run_dir(), minor);
	ssize_t length = readlink(path, target, sizeof(target) - 1);
	if (length <= 5) {
		return false;
	}
	target[length] = '\0';
	if (strcmp(target + length - 5, ".sock") != 0) {
		return false;
	}
	target[length - 5] = '\0';
	if (!bsr_client_name_ok(target) || strlen(target) >= room) {
		return false;
	}
	memcpy(resource, target, strlen(target) + 1);
	return true;
}

static bool minor_search(int64_t minor, char *resource, size_t room)
{
	if (minor_hint(minor, resource, room) && resource_has_minor(resource, minor)) {
		return true;
	}
	struct json_object *names = bsr_client_list();
	bool found = false;
	for (size_t i = 0; i < bsr_json_count(names) && !found; i++) {
		const char *name = json_object_get_string(bsr_json_at(names, i));
		if (resource_has_minor(name, minor)) {
			snprintf(resource, room, "%s", name);
			found = true;
		}
	}
	json_object_put(names);
	return found;
}

int bsr_run_find_minor(struct bsr_setup_call *call)
{
	static char object[BSR_NAME_BYTES_MAX + 32];

	if (minor_search(call->minor, call->resource, sizeof(call->resource))) {
		if (!bsr_names()->drbd) { /* a bare number says little; DRBD's scripts know it so */
			snprintf(object, sizeof(object), "%s (minor %" PRId64 ")", call->resource,
				call->minor);
			call->object = object;
		}
		return BSRSETUP_OK;
	}
	if (!bsr_names()->drbd) {
		snprintf(object, sizeof(object), "minor %" PRId64, call->minor);
		call->object = object;
	}
	fprintf(stderr, "%s: Failure: (127) unknown minor: no running resource has minor %" PRId64 "\n"
		"  what helps: %s status --verbose shows what runs\n", call->object, call->minor, bsr_names()->setup);
	return BSRSETUP_REFUSED;
}

/* ---------------------------------------------------------------- commands */

/*
 * Which disks are meant is said by descriptors that name them (docs/control.md): the process that
 * reads requests is not believed when it says a path. What cannot be opened is left out; who would
 * have to open it says why.
 */
static void open_disks(const struct bsr_setup_call *call, struct bsr_client *client)
{
	static const char *const fields[] = {"disk", "meta_disk"};
	for (size_t i = 0; i < 2; i++) {
		client->pass_fd[i] = open(bsr_json_string(call->request, fields[i]), O_PATH | O_CLOEXEC);
	}
	client->pass = client->pass_fd[0] >= 0 && client->pass_fd[1] >= 0;
}

static void close_disks(struct bsr_client *client)
{
	for (size_t i = 0; i < 2; i++) {
		if (client->pass_fd[i] >= 0) {
			close(client->pass_fd[i]);
		}
	}
	client->pass = false;
}

int bsr_run_request(struct bsr_setup_call *call)
{
	struct bsr_client client;
	struct json_object *reply = NULL;

	if (call->resource[0] == '\0' && call->minor >= 0) {
		int rc = bsr_run_find_minor(call);
		if (rc != BSRSETUP_OK) {
			return rc;
		}
	}
	int rc = bsr_run_open(call, &client);
	if (rc != BSRSETUP_OK) {
		return rc;
	}
	const bool names_disks = strcmp(call->command->name, "attach") == 0;
	if (names_disks) {
		open_disks(call, &client);
	}
	rc = call_patiently(call, &client, &reply);
	if (names_disks) {
		close_disks(&client);
	}
	if (rc == BSRSETUP_OK) {
		rc = bsr_run_tell_reply(call->object, reply);
		tell_notes(call->object, reply);
		json_object_put(reply);
	}
	bsr_client_close(&client);
	if (rc == BSRSETUP_OK && strcmp(call->command->name, "del-minor") == 0) {
		char path[4096];
		snprintf(path, sizeof(path), "%s/minor-%" PRId64, bsr_client_run_dir(), call->minor);
		(void)unlink(path);
		bsr_node_remove(call->minor);
	}
	return rc;
}

/* The engine cannot take a device away from those who have it open: whoever asked for that is told. */
int bsr_run_new_minor(struct bsr_setup_call *call)
{
	char owner[BSR_NAME_BYTES_MAX + 1];
	char path[4096];
	char target[BSR_NAME_BYTES_MAX + 8];

	int rc = bsr_run_request(call);
	if (rc == BSRSETUP_REFUSED && minor_search(call->minor, owner, sizeof(owner))) {
		fprintf(stderr, "  minor %" PRId64 " belongs to resource '%s'\n", call->minor, owner);
	}
	if (rc == BSRSETUP_OK && bsr_names()->drbd) {
		bsr_node_make(call->minor);
	}
	if (rc == BSRSETUP_OK) { /* a hint for those who look for this minor; none is no harm */
		snprintf(path, sizeof(path), "%s/minor-%" PRId64, bsr_client_run_dir(), call->minor);
		snprintf(target, sizeof(target), "%s.sock", call->resource);
		(void)unlink(path);
		if (symlink(target, path) != 0) {
			return rc;
		}
	}
	return rc;
}
