// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * run_life.c - commands that begin or end a resource's process
 *
 * Owns:       starting bsrd, waiting until it answers, waiting until it is gone.
 * Invariants: success of new-resource means that the process answers; success of down that it has ended.
 */
#include "run.h"

#include "names.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define START_LIMIT_MS 15000
#define END_LIMIT_MS 15000
#define BSRD_ALREADY_RUNS 3 /* exit code of bsrd */

static void pause_ms(long milliseconds)
{
	struct timespec pause = {milliseconds / 1000, milliseconds % 1000 * 1000000};
	(void)nanosleep(&pause, NULL);
}

/* ---------------------------------------------------------------- starting */

/* A program beside this one, in a build tree, or where packages put it. */
static bool find_program(const char *name, const char *built, char *path, size_t room)
{
	char self[PATH_MAX];
	ssize_t length = readlink("/proc/self/exe", self, sizeof(self) - 1);
	if (length > 0) {
		self[length] = '\0';
		char *slash = strrchr(self, '/');
		if (slash != NULL) {
			*slash = '\0';
		}
		const char *const places[] = {name, built};
		for (size_t i = 0; i < 2; i++) {
			int written = snprintf(path, room, "%s/%s", self, places[i]);
			if (written > 0 && (size_t)written < room && access(path, X_OK) == 0) {
				return true;
			}
		}
	}
	snprintf(path, room, "/usr/sbin/%s", name);
	return access(path, X_OK) == 0;
}

/*
 * bsrd goes to the background by itself; what is wrong it tells on standard error, before it returns. Handlers are run by
 * bsradm, which knows their commands; without it there are none.
 */
static int run_bsrd(struct bsr_setup_call *call, const char *path)
{
	char helper[PATH_MAX + 32];
	const bool helped = find_program("bsradm", "../bsradm/bsradm", helper, sizeof(helper));
	int status = 0;
	pid_t pid = fork();
	if (pid == 0) {
		if (bsr_names()->drbd) {
			setenv(BSR_NAMES_VARIABLE, "drbd", 1);
		}
		if (helped) {
			execl(path, "bsrd", "--helper", helper, call->resource, (char *)NULL);
		} else {
			execl(path, "bsrd", call->resource, (char *)NULL);
		}
		fprintf(stderr, "cannot run %s: %s\n", path, strerror(errno));
		_exit(BSRSETUP_USAGE);
	}
	if (pid < 0 || waitpid(pid, &status, 0) != pid) {
		fprintf(stderr, "%s: cannot start a process: %s\n", call->object, strerror(errno));
		return BSRSETUP_USAGE;
	}
	if (WIFEXITED(status) &&
		(WEXITSTATUS(status) == 0 || WEXITSTATUS(status) == BSRD_ALREADY_RUNS)) {
		return BSRSETUP_OK;
	}
	fprintf(stderr, "%s: the process of the resource did not start (%s %d)\n", call->object,
		WIFEXITED(status) ? "exit code" : "signal",
		WIFEXITED(status) ? WEXITSTATUS(status) : WTERMSIG(status));
	return BSRSETUP_USAGE;
}

static int wait_until_it_answers(struct bsr_setup_call *call)
{
	struct bsr_client client;
	int rc = -ENOENT;
	for (int waited_ms = 0; waited_ms < START_LIMIT_MS; waited_ms += 20) {
		rc = bsr_client_open(&client, call->resource);
		if (rc == 0) {
			bsr_client_close(&client);
			return BSRSETUP_OK;
		}
		if (rc == -EACCES || rc == -EPERM) {
			return bsr_run_open(call, &client); /* tells it */
		}
		pause_ms(20);
	}
	fprintf(stderr, "%s: the process of the resource does not answer: %s\n", call->object,
		strerror(-rc));
	return BSRSETUP_USAGE;
}

static int start_process(struct bsr_setup_call *call)
{
	char path[PATH_MAX + 32];
	if (!find_program("bsrd", "../../daemon/bsrd", path, sizeof(path))) {
		fprintf(stderr, "%s: bsrd is neither beside %s nor in /usr/sbin\n", call->object,
			bsr_names()->setup);
		return BSRSETUP_USAGE;
	}
	int rc = run_bsrd(call, path);
	return rc != BSRSETUP_OK ? rc : wait_until_it_answers(call);
}

static void end_again(struct bsr_setup_call *call)
{
	struct bsr_client client;
	struct json_object *request = json_object_new_object();
	struct json_object *reply = NULL;
	json_object_object_add(request, "command", json_object_new_string("del-resource"));
	if (bsr_client_open(&client, call->resource) == 0) {
		if (bsr_client_call(&client, request, &reply, BSR_CLIENT_GREETING_MS) == 0) {
			json_object_put(reply);
		}
		bsr_client_close(&client);
	}
	json_object_put(request);
}

int bsr_run_new_resource(struct bsr_setup_call *call)
{
	struct bsr_client client;
	bool started = false;
	int rc = bsr_client_open(&client, call->resource);
	if (rc == 0) {
		bsr_client_close(&client);
	} else if (rc == -ENOENT || rc == -ECONNREFUSED) {
		rc = start_process(call);
		if (rc != BSRSETUP_OK) {
			return rc;
		}
		started = true;
	}
	rc = bsr_run_request(call);
	if (rc != BSRSETUP_OK && started) {
		end_again(call);
	}
	return rc;
}

/* ------------------------------------------------------------------ ending */

/* The reply came; now the process goes. */
static int wait_until_it_is_gone(struct bsr_setup_call *call, struct bsr_client *client)
{
	struct json_object *line = NULL;
	int rc = 0;
	while ((rc = bsr_client_read(client, &line, END_LIMIT_MS)) == 0) {
		json_object_put(line);
	}
	for (int waited_ms = 0; rc != -ETIMEDOUT && waited_ms < END_LIMIT_MS; waited_ms += 20) {
		struct bsr_client probe;
		int error = bsr_client_open(&probe, call->resource);
		if (error == -ENOENT || error == -ECONNREFUSED) {
			return BSRSETUP_OK;
		}
		if (error == 0) {
			bsr_client_close(&probe);
		}
		pause_ms(20);
	}
	fprintf(stderr, "%s: everything is released, but the process did not end within %d s\n",
		call->object, END_LIMIT_MS / 1000);
	return BSRSETUP_USAGE;
}

static void forget_minors(struct json_object *snapshot)
{
	struct json_object *devices = bsr_json_array(snapshot, "devices");
	for (size_t i = 0; i < bsr_json_count(devices); i++) {
		char path[4096];
		snprintf(path, sizeof(path), "%s/minor-%" PRId64, bsr_client_run_dir(),
			bsr_json_int(bsr_json_at(devices, i), "minor", -1));
		(void)unlink(path);
		bsr_node_remove(bsr_json_int(bsr_json_at(devices, i), "minor", -1));
	}
}

static int down_one(struct bsr_setup_call *call)
{
	struct bsr_client client;
	struct json_object *reply = NULL;
	struct json_object *before = NULL;
	int rc = bsr_client_open(&client, call->resource);
	if (rc == -ENOENT || rc == -ECONNREFUSED) {
		if (strcmp(call->command->name, "down") == 0) {
			return BSRSETUP_OK; /* it is down */
		}
		return bsr_run_open(call, &client);
	}
	if (rc != 0) {
		return bsr_run_open(call, &client);
	}
	struct json_object *status = json_object_new_object();
	json_object_object_add(status, "command", json_object_new_string("status"));
	(void)bsr_client_call(&client, status, &before, BSR_CLIENT_GREETING_MS);
	json_object_put(status);
	rc = bsr_client_call(&client, call->request, &reply, BSR_CLIENT_ANSWER_MS);
	if (rc != 0) {
		fprintf(stderr, "%s: no answer to '%s': %s\n", call->object, call->command->name,
			strerror(-rc));
		rc = BSRSETUP_USAGE;
	} else {
		rc = bsr_run_tell_reply(call->object, reply);
		if (rc == BSRSETUP_OK) {
			rc = wait_until_it_is_gone(call, &client);
			forget_minors(bsr_json_object(bsr_json_object(before, "result"), "snapshot"));
		}
	}
	json_object_put(before);
	json_object_put(reply);
	bsr_client_close(&client);
	return rc;
}

int bsr_run_down(struct bsr_setup_call *call)
{
	if (call->resource[0] != '\0') {
		return down_one(call);
	}
	struct json_object *names = bsr_client_list();
	int worst = BSRSETUP_OK;
	for (size_t i = 0; i < bsr_json_count(names); i++) {
		const char *name = json_object_get_string(bsr_json_at(names, i));
		snprintf(call->resource, sizeof(call->resource), "%s", name);
		call->object = name;
		int rc = down_one(call);
		worst = rc > worst ? rc : worst;
	}
	json_object_put(names);
	return worst;
}

/*
 * A file system has to be sound when only its used blocks are copied at first. Our first sync copies every block, so
 * whatever is on the disk, there is nothing that this could go wrong with.
 */
int bsr_run_check_fs(struct bsr_setup_call *call)
{
	return bsr_run_find_minor(call);
}
