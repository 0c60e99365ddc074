// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * resource_commands.c - running resources: settings to them, lines into their logs, dumps, memory, faults
 */
#include "con.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define ANSWER_MS 5000

static struct json_object *request_of(const char *command)
{
	struct json_object *request = json_object_new_object();
	json_object_object_add(request, "command", json_object_new_string(command));
	return request;
}

/* Its result, the caller's; NULL after it was told why there is none. Takes @request over. */
static struct json_object *ask(const struct con_call *call, const char *resource, struct json_object *request)
{
	struct bsr_client client;
	struct json_object *reply = NULL;
	struct json_object *result = NULL;
	int rc = bsr_client_open(&client, resource);
	if (rc == 0) {
		rc = bsr_client_call(&client, request, &reply, ANSWER_MS);
		bsr_client_close(&client);
	}
	json_object_put(request);
	if (rc != 0) {
		fprintf(stderr, "bsrcon%s%s: resource '%s': %s\n", call != NULL ? " /" : "",
			call != NULL ? call->name : "", resource,
			rc == -ENOENT || rc == -ECONNREFUSED ? "not running" : strerror(-rc));
		return NULL;
	}
	if (bsr_json_bool(reply, "ok")) {
		result = json_object_get(bsr_json_object(reply, "result"));
	} else {
		struct json_object *error = bsr_json_object(reply, "error");
		const char *remedy = bsr_json_string(error, "remedy");
		fprintf(stderr, "bsrcon%s%s: resource '%s': %s%s%s\n", call != NULL ? " /" : "",
			call != NULL ? call->name : "", resource, bsr_json_string(error, "message"),
			remedy[0] != '\0' ? "; " : "", remedy);
	}
	json_object_put(reply);
	return result;
}

/* The named resource, or all that run. */
static struct json_object *names_of(const struct con_call *call, uint32_t index)
{
	if (call->count <= index) {
		return bsr_client_list();
	}
	struct json_object *names = json_object_new_array();
	json_object_array_add(names, json_object_new_string(call->word[index]));
	return names;
}

/* ------------------------------------------------------------------- settings */

static void add_number(struct json_object *options, const char *name, uint64_t value)
{
	char text[24];
	snprintf(text, sizeof(text), "%" PRIu64, value);
	json_object_object_add(options, name, json_object_new_string(text));
}

int con_push(const struct bsr_settings *s)
{
	struct json_object *names = bsr_client_list();
	int code = CON_OK;
	for (size_t i = 0; i < bsr_json_count(names); i++) {
		const char *name = json_object_get_string(bsr_json_at(names, i));
		struct json_object *request = request_of("settings");
		struct json_object *options = json_object_new_object();
		add_number(options, "log-level-sys", s->log_level_sys);
		add_number(options, "log-level-dbg", s->log_level_dbg);
		add_number(options, "log-categories", s->log_categories);
		add_number(options, "log-file-kib", s->log_file_kib);
		add_number(options, "log-file-count", s->log_file_count);
		add_number(options, "handlers", s->handlers);
		add_number(options, "control-gid", s->control_gid);
		json_object_object_add(request, "options", options);
		struct json_object *result = ask(NULL, name, request);
		if (result == NULL) {
			fprintf(stderr,
				"bsrcon: the setting is stored; resource '%s' takes it at its next start\n",
				name);
			code = CON_REFUSED;
		}
		json_object_put(result);
	}
	json_object_put(names);
	return code;
}

/* ------------------------------------------------------------------------ log */

static int copy_into(int to, const char *path)
{
	char buffer[65536];
	ssize_t got;
	const int from = open(path, O_RDONLY | O_CLOEXEC);
	if (from < 0) {
		return -errno;
	}
	while ((got = read(from, buffer, sizeof(buffer))) > 0) {
		for (ssize_t at = 0; at < got;) {
			const ssize_t written = write(to, buffer + at, (size_t)(got - at));
			if (written < 0 && errno != EINTR) {
				const int error = -errno;
				close(from);
				return error;
			}
			at += written > 0 ? written : 0;
		}
	}
	const int error = got < 0 ? -errno : 0;
	close(from);
	return error;
}

static const char *log_directory(char *room, size_t bytes)
{
	struct bsr_settings settings;
	char why[700];
	const char *dir = getenv("BSR_LOG_DIR");
	if (dir != NULL && dir[0] != '\0') {
		return dir;
	}
	(void)bsr_settings_load(
		&settings, why, sizeof(why)); /* what is wrong with it is another command's business */
	snprintf(room, bytes, "%s", settings.log_path[0] != '\0' ? settings.log_path : "/var/log/bsr");
	return room;
}

int con_get_log(const struct con_call *call)
{
	char room[BSR_SETTINGS_TEXT_MAX];
	const char *directory = log_directory(room, sizeof(room));
	const bool oos = call->count > 1 && strcmp(call->word[call->count - 1], "oos") == 0;
	struct con_call rest = *call;
	rest.count -= oos ? 1 : 0;
	if (oos) {
		fputs("bsrcon /get_log: note: out-of-sync blocks are not traced in the log; `oos` has no effect\n",
			stderr);
	}
	const int fd = open(call->word[0], O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0640);
	if (fd < 0) {
		fprintf(stderr, "bsrcon /get_log: cannot write '%s': %s\n", call->word[0], strerror(errno));
		return CON_USAGE;
	}
	struct json_object *names = names_of(&rest, 1);
	int code = bsr_json_count(names) > 0 ? CON_OK : CON_REFUSED;
	if (code != CON_OK) {
		fputs("bsrcon /get_log: no resource runs; name one\n", stderr);
	}
	for (size_t i = 0; i < bsr_json_count(names); i++) {
		char path[PATH_MAX];
		const char *name = json_object_get_string(bsr_json_at(names, i));
		snprintf(path, sizeof(path), "%s/%s.log", directory, name);
		const int error = bsr_client_name_ok(name) ? copy_into(fd, path) : -EINVAL;
		if (error != 0) {
			fprintf(stderr, "bsrcon /get_log: cannot copy %s: %s\n", path, strerror(-error));
			code = CON_REFUSED;
		}
	}
	json_object_put(names);
	if (close(fd) != 0) {
		fprintf(stderr, "bsrcon /get_log: cannot write '%s': %s\n", call->word[0], strerror(errno));
		code = CON_REFUSED;
	}
	return code;
}

int con_write_log(const struct con_call *call)
{
	const char *level = call->word[0];
	if (level[0] < '0' || level[0] > '7' || level[1] != '\0') {
		fprintf(stderr, "bsrcon /%s: '%s' is not a level, 0..7\n", call->name, level);
		return CON_USAGE;
	}
	struct json_object *names = bsr_client_list();
	int code = bsr_json_count(names) > 0 ? CON_OK : CON_REFUSED;
	if (code != CON_OK) {
		fprintf(stderr, "bsrcon /%s: no resource runs that could log it\n", call->name);
	}
	for (size_t i = 0; i < bsr_json_count(names); i++) {
		struct json_object *request = request_of("log");
		json_object_object_add(request, "level", json_object_new_string(level));
		json_object_object_add(request, "text", json_object_new_string(call->word[1]));
		struct json_object *result =
			ask(call, json_object_get_string(bsr_json_at(names, i)), request);
		code = result == NULL ? CON_REFUSED : code;
		json_object_put(result);
	}
	json_object_put(names);
	return code;
}

/* ---------------------------------------------------------------------- looking */

int con_debug(const struct con_call *call)
{
	struct json_object *names = names_of(call, 0);
	struct json_object *out = json_object_new_object();
	int code = CON_OK;
	for (size_t i = 0; i < bsr_json_count(names); i++) {
		const char *name = json_object_get_string(bsr_json_at(names, i));
		struct json_object *result = ask(call, name, request_of("debug"));
		if (result == NULL) {
			code = CON_REFUSED;
			continue;
		}
		json_object_object_add(out, name, json_object_get(bsr_json_object(result, "debug")));
		json_object_put(result);
	}
	if (json_object_object_length(out) > 0 || code == CON_OK) {
		puts(json_object_to_json_string_ext(
			out, (call->json ? JSON_C_TO_STRING_PLAIN : JSON_C_TO_STRING_PRETTY) |
				     JSON_C_TO_STRING_NOSLASHESCAPE));
	}
	json_object_put(out);
	json_object_put(names);
	return code;
}

static void print_memory(const char *name, struct json_object *counters)
{
	struct json_object *memory = bsr_json_object(counters, "memory");
	struct json_object *volumes = bsr_json_array(counters, "volumes");
	struct json_object *resource = bsr_json_object(counters, "resource");
	printf("%s\n", name);
	printf("  payload buffers      %" PRId64 " in use, %" PRId64 " KiB in all\n",
		bsr_json_int(memory, "buffers", 0), bsr_json_int(memory, "buffer_bytes", 0) >> 10);
	printf("  engine tables        %" PRId64 " KiB\n", bsr_json_int(memory, "engine_bytes", 0) >> 10);
	printf("  engine process       %" PRId64 " KiB resident at most\n",
		bsr_json_int(memory, "resident_max_bytes", 0) >> 10);
	printf("  peers' requests      %" PRId64 "\n", bsr_json_int(resource, "peer_requests", 0));
	printf("  disk operations      %" PRId64 "\n", bsr_json_int(resource, "disk_operations", 0));
	printf("  transfer log         %" PRId64 "\n", bsr_json_int(resource, "transfer_log_used", 0));
	for (size_t i = 0; i < bsr_json_count(volumes); i++) {
		struct json_object *v = bsr_json_at(volumes, i);
		printf("  volume %-5" PRId64 "         bitmap %" PRId64 " KiB, activity log %" PRId64
		       " of %" PRId64 " extents\n",
			bsr_json_int(v, "volume", -1), bsr_json_int(v, "bitmap_bytes", 0) >> 10,
			bsr_json_int(v, "al_used", 0), bsr_json_int(v, "al_extents", 0));
	}
}

int con_memory(const struct con_call *call)
{
	struct json_object *names = names_of(call, 0);
	struct json_object *out = json_object_new_object();
	int code = CON_OK;
	for (size_t i = 0; i < bsr_json_count(names); i++) {
		const char *name = json_object_get_string(bsr_json_at(names, i));
		struct json_object *result = ask(call, name, request_of("counters"));
		struct json_object *counters = bsr_json_object(result, "counters");
		if (result == NULL) {
			code = CON_REFUSED;
		} else if (call->json) {
			json_object_object_add(
				out, name, json_object_get(bsr_json_object(counters, "memory")));
		} else {
			print_memory(name, counters);
		}
		json_object_put(result);
	}
	if (call->json && code == CON_OK) {
		con_print_json(json_object_get(out));
	}
	json_object_put(out);
	json_object_put(names);
	return code;
}

/* ---------------------------------------------------------------------- faults */

static void print_faults(const struct con_call *call, struct json_object *result)
{
	struct json_object *faults = bsr_json_array(result, "faults");
	if (call->json) {
		con_print_json(json_object_get(result));
		return;
	}
	printf("fault injection : %s\n",
		bsr_json_bool(result, "allowed") ? "allowed" : "refused (bsrd --allow-faults)");
	for (size_t i = 0; i < bsr_json_count(faults); i++) {
		struct json_object *f = bsr_json_at(faults, i);
		json_object_object_foreach(f, name, value)
		{
			printf("%s%s=%s", strcmp(name, "kind") == 0 ? "" : " ", name,
				json_object_get_string(value));
		}
		puts("");
	}
}

/* KIND and KEY=VALUE words as options; false after the bad one was told */
static bool fault_options(const struct con_call *call, struct json_object *options)
{
	json_object_object_add(options, "kind", json_object_new_string(call->word[1]));
	for (uint32_t i = 2; i < call->count; i++) {
		const char *equals = strchr(call->word[i], '=');
		char name[32];
		if (equals == NULL || (size_t)(equals - call->word[i]) >= sizeof(name)) {
			fprintf(stderr, "bsrcon /fault: '%s' is not KEY=VALUE\n", call->word[i]);
			return false;
		}
		snprintf(name, sizeof(name), "%.*s", (int)(equals - call->word[i]), call->word[i]);
		json_object_object_add(options, name, json_object_new_string(equals + 1));
	}
	return true;
}

int con_fault(const struct con_call *call)
{
	struct json_object *request = request_of("fault");
	if (call->count > 1 && strcmp(call->word[1], "clear") == 0) {
		json_object_object_add(request, "clear", json_object_new_boolean(true));
	} else if (call->count > 1) {
		struct json_object *options = json_object_new_object();
		json_object_object_add(request, "options", options);
		if (!fault_options(call, options)) {
			json_object_put(request);
			return CON_USAGE;
		}
	}
	struct json_object *result = ask(call, call->word[0], request);
	if (result == NULL) {
		return CON_REFUSED;
	}
	if (call->count == 1) {
		print_faults(call, result);
	}
	json_object_put(result);
	return CON_OK;
}
