// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * control_request.c - a line into a request, an answer into a line
 *
 * Owns:       checking of fields; the form of replies and errors.
 * Invariants:
 *   CTL-4  No command sees a field that was not checked for type, range and text.
 *   CTL-5  Every request is answered exactly once.
 * Format:     docs/control.md
 */
#include "control.h"
#include "json_add.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <bsr/assert.h>

#define ID_MAX ((INT64_C(1) << 53) - 1)
#define MINOR_MAX ((1 << 20) - 1)

/* ------------------------------------------------------------------- errors */

static const char *control_error_name(enum bsr_control_error code)
{
	switch (code) {
	case BSR_CTL_BAD_JSON:
		return "BAD_JSON";
	case BSR_CTL_BAD_FIELD:
		return "BAD_FIELD";
	case BSR_CTL_UNKNOWN_COMMAND:
		return "UNKNOWN_COMMAND";
	case BSR_CTL_NOT_SUPPORTED:
		return "NOT_SUPPORTED";
	case BSR_CTL_LINE_TOO_LONG:
		return "LINE_TOO_LONG";
	case BSR_CTL_TOO_MANY:
		return "TOO_MANY";
	case BSR_CTL_PERMISSION:
		return "PERMISSION";
	case BSR_CTL_VERSION:
		return "VERSION";
	case BSR_CTL_BAD_OPTION:
		return "BAD_OPTION";
	case BSR_CTL_NO_RESOURCE:
		return "NO_RESOURCE";
	case BSR_CTL_FAULTS_OFF:
		return "FAULTS_OFF";
	}
	return "?";
}

static struct json_object *reply_begin(int64_t id, bool ok)
{
	struct json_object *reply = json_object_new_object();
	add_int(reply, "id", id);
	json_object_object_add(reply, "ok", json_object_new_boolean(ok));
	return reply;
}

struct json_object *control_make_error(int64_t id, enum bsr_control_error code, const char *message)
{
	struct json_object *reply = reply_begin(id, false);
	struct json_object *error = json_object_new_object();
	add_int(error, "code", (int64_t)code);
	add_text(error, "name", control_error_name(code));
	add_text(error, "message", message);
	json_object_object_add(reply, "error", error);
	return reply;
}

/* Lines of text into an array of strings. */
static struct json_object *lines_of(const char *text)
{
	struct json_object *lines = json_object_new_array();
	while (*text != '\0') {
		const char *end = strchr(text, '\n');
		size_t length = end == NULL ? strlen(text) : (size_t)(end - text);
		if (length > 0) {
			json_object_array_add(lines, json_object_new_string_len(text, (int)length));
		}
		text += length + (end == NULL ? 0 : 1);
	}
	return lines;
}

/** What a person can type, where that is more precise than the general advice of an error. */
static const struct {
	int error;
	const char *before; /* of the resource's name */
	const char *after;
} remedies[] = {
	{BSR_E_TWO_PRIMARIES, "bsradm secondary ", ", on the node that is Primary"},
	{BSR_E_NO_UP_TO_DATE, "connect to a node with UpToDate data; or bsradm primary --force ", ""},
	{BSR_E_MD_INVALID, "bsradm create-md ", ""},
	{BSR_E_MD_UNCLEAN, "bsradm apply-al ", ""},
	{BSR_E_NO_DISK, "bsradm attach ", ""},
	{BSR_E_DISKLESS, "bsradm attach ", ""},
	{BSR_E_DISK_CONFIGURED, "bsradm detach ", ""},
	{BSR_E_DETACH_PRIMARY, "bsradm secondary ", ""},
	{BSR_E_NOT_CONNECTED, "bsradm connect ", ""},
	{BSR_E_CONNECTED, "bsradm disconnect ", ""},
	{BSR_E_RES_IN_USE, "bsradm down ", ""},
	{BSR_E_SUSPENDED, "see bsradm why; or bsradm resume-io ", ""},
	{0, NULL, NULL},
};

static void remedy_command(char *out, size_t room, int error, const char *resource)
{
	out[0] = '\0';
	for (size_t i = 0; remedies[i].before != NULL; i++) {
		if (remedies[i].error == error) {
			snprintf(out, room, "%s%s%s", remedies[i].before, resource, remedies[i].after);
		}
	}
}

/* "what is wrong; what helps" as it stands in errors.def */
static void add_message(struct json_object *error, const struct control_request *request, int number)
{
	const char *text = bsr_error_text(number);
	const char *advice = strstr(text, "; ");
	char precise[256];
	remedy_command(precise, sizeof(precise), number, request->control->d->running.resource);
	if (advice == NULL) {
		add_text(error, "message", text);
	} else {
		json_object_object_add(
			error, "message", json_object_new_string_len(text, (int)(advice - text)));
	}
	if (precise[0] != '\0') {
		add_text(error, "remedy", precise);
	} else if (advice != NULL) {
		add_text(error, "remedy", advice + 2);
	}
}

/* What this refusal adds to the general text; one line "what is wrong; what helps" is more precise than that text. */
static void add_info(struct json_object *error, const char *text)
{
	const char *advice = strchr(text, '\n') == NULL ? strstr(text, "; ") : NULL;
	struct json_object *lines = advice == NULL ? lines_of(text) : json_object_new_array();
	if (advice != NULL) {
		json_object_array_add(lines, json_object_new_string_len(text, (int)(advice - text)));
		json_object_object_del(error, "remedy");
		add_text(error, "remedy", advice + 2);
	}
	json_object_object_add(error, "info", lines);
}

static struct json_object *error_of_answer(
	const struct control_request *request, const struct bsrd_answer *answer)
{
	struct bsrd *d = request->control->d;
	struct json_object *error = json_object_new_object();
	const int number = answer->error < 0 ? -answer->error : answer->error;
	add_int(error, "code", number);
	add_text(error, "name", bsr_error_name(number));
	add_message(error, request, number);
	if (answer->text != NULL && answer->text[0] != '\0') {
		add_info(error, answer->text);
	}
	if (answer->peer < BSR_NODES_MAX) {
		add_int(error, "peer", answer->peer);
		add_text(error, "peer_name", status_peer_name(d, answer->peer));
	}
	if (answer->volume < BSR_VOLUMES_MAX && d->running.volume[answer->volume].exists) {
		add_int(error, "volume", d->running.volume[answer->volume].vnr);
	}
	return error;
}

/* ------------------------------------------------------------------ replies */

struct control_client *control_find_client(const struct control_request *request)
{
	struct control_client *client = &request->control->client[request->client];
	return client->used && client->serial == request->serial ? client : NULL;
}

/* Sends (takes @reply over) and frees the request. */
static void finish(struct control_request *request, struct json_object *reply)
{
	struct bsr_control *control = request->control;
	struct control_client *client = control_find_client(request);
	if (client != NULL) {
		BSR_ASSERT(client->running > 0);
		client->running--;
		(void)control_send(client, reply);
	}
	control->marks_dirty = true;
	if (request->changes_options) {
		BSR_ASSERT(control->options_running > 0);
		control->options_running--;
	}
	json_object_put(reply);
	json_object_put(request->fields);
	json_object_put(request->notes);
	free(request);
	control_resume(control);
}

void control_finish_ok(struct control_request *request, struct json_object *result)
{
	struct json_object *reply = reply_begin(request->id, true);
	if (result == NULL) {
		result = json_object_new_object();
	}
	if (request->notes != NULL && json_object_array_length(request->notes) > 0) {
		json_object_object_add(result, "info", json_object_get(request->notes));
	}
	json_object_object_add(reply, "result", result);
	finish(request, reply);
}

void control_finish_error(struct control_request *request, enum bsr_control_error code, const char *format, ...)
{
	char message[512];
	va_list args;
	va_start(args, format);
	vsnprintf(message, sizeof(message), format, args);
	va_end(args);
	request->control->rejected++;
	finish(request, control_make_error(request->id, code, message));
}

void control_done(void *ctx, const struct bsrd_answer *answer)
{
	struct control_request *request = ctx;
	if (answer->error != 0) {
		struct json_object *reply = reply_begin(request->id, false);
		json_object_object_add(reply, "error", error_of_answer(request, answer));
		finish(request, reply);
		return;
	}
	if (answer->text != NULL && answer->text[0] != '\0') {
		struct json_object *lines = lines_of(answer->text);
		if (request->notes == NULL) {
			request->notes = json_object_new_array();
		}
		for (size_t i = 0; i < json_object_array_length(lines); i++) {
			json_object_array_add(
				request->notes, json_object_get(json_object_array_get_idx(lines, i)));
		}
		json_object_put(lines);
	}
	control_finish_ok(request, NULL);
}

/* ------------------------------------------------------------------- fields */

bool control_bool(const struct control_request *request, const char *name)
{
	struct json_object *value = NULL;
	return json_object_object_get_ex(request->fields, name, &value) && json_object_get_boolean(value);
}

bool control_sectors(const struct control_request *request, const char *name, uint64_t *bytes)
{
	struct json_object *value = NULL;
	if (!json_object_object_get_ex(request->fields, name, &value)) {
		return false;
	}
	*bytes = (uint64_t)json_object_get_int64(value) * BSR_SECTOR_BYTES;
	return true;
}

const char *control_text(const struct control_request *request, const char *name)
{
	struct json_object *value = NULL;
	return json_object_object_get_ex(request->fields, name, &value) ? json_object_get_string(value) : NULL;
}

struct json_object *control_options(const struct control_request *request)
{
	struct json_object *value = NULL;
	return json_object_object_get_ex(request->fields, "options", &value) ? value : NULL;
}

/* Sets @why and returns false when the text is none that may be used as path, address or name. */
static bool text_ok(struct json_object *value, const char *name, char *why, size_t room)
{
	if (!json_object_is_type(value, json_type_string)) {
		snprintf(why, room, "field '%s' must be a text", name);
		return false;
	}
	const char *text = json_object_get_string(value);
	const int length = json_object_get_string_len(value);
	if (length < 1 || length > (int)BSR_CONTROL_TEXT_BYTES_MAX) {
		snprintf(why, room, "field '%s' must have 1..%u bytes", name, BSR_CONTROL_TEXT_BYTES_MAX);
		return false;
	}
	for (int i = 0; i < length; i++) {
		if ((unsigned char)text[i] < 0x20 || text[i] == 0x7f) {
			snprintf(why, room, "field '%s' has a control character", name);
			return false;
		}
	}
	return true;
}

static bool number_ok(
	struct json_object *value, const char *name, int64_t max, uint32_t *number, char *why, size_t room)
{
	if (!json_object_is_type(value, json_type_int)) {
		snprintf(why, room, "field '%s' must be an integer", name);
		return false;
	}
	int64_t given = json_object_get_int64(value);
	if (given < 0 || given > max) {
		snprintf(why, room, "field '%s' must be 0..%" PRId64, name, max);
		return false;
	}
	*number = (uint32_t)given;
	return true;
}

static bool options_ok(struct json_object *value, char *why, size_t room)
{
	if (!json_object_is_type(value, json_type_object)) {
		snprintf(why, room, "field 'options' must be an object");
		return false;
	}
	if (json_object_object_length(value) > (int)BSR_CONTROL_OPTIONS_MAX) {
		snprintf(why, room, "more than %u options", BSR_CONTROL_OPTIONS_MAX);
		return false;
	}
	return true;
}

/* 0, or the error to answer with; the sentence is in @why. */
static int check_field(struct control_request *request, const struct control_field *field,
	struct json_object *value, char *why, size_t room)
{
	struct bsrd *d = request->control->d;
	uint32_t number = 0;
	int volume = 0;
	bool ok = true;
	switch (field->type) {
	case CONTROL_BOOL:
		ok = json_object_is_type(value, json_type_boolean);
		snprintf(why, room, "field '%s' must be true or false", field->name);
		break;
	case CONTROL_TEXT:
		ok = text_ok(value, field->name, why, room);
		break;
	case CONTROL_OPTIONS:
		ok = options_ok(value, why, room);
		break;
	case CONTROL_NODE_ID:
		ok = number_ok(value, field->name, BSR_NODES_MAX - 1, &request->number, why, room);
		break;
	case CONTROL_PEER:
		ok = number_ok(value, field->name, BSR_NODES_MAX - 1, &request->peer, why, room);
		break;
	case CONTROL_NEW_MINOR:
		ok = number_ok(value, field->name, MINOR_MAX, &request->number, why, room);
		break;
	case CONTROL_NEW_VOLUME:
		ok = number_ok(value, field->name, BSR_VNR_MAX, &request->vnr, why, room);
		break;
	case CONTROL_SECTORS:
		ok = json_object_is_type(value, json_type_int) && json_object_get_int64(value) >= 0 &&
		     json_object_get_int64(value) <= (int64_t)(BSR_VOLUME_BYTES_MAX / BSR_SECTOR_BYTES);
		snprintf(why, room, "field '%s' must be a number of sectors, 0..%llu", field->name,
			(unsigned long long)(BSR_VOLUME_BYTES_MAX / BSR_SECTOR_BYTES));
		break;
	case CONTROL_MINOR:
	case CONTROL_VOLUME:
		ok = number_ok(value, field->name, field->type == CONTROL_MINOR ? MINOR_MAX : BSR_VNR_MAX,
			&number, why, room);
		if (!ok) {
			break;
		}
		volume = field->type == CONTROL_MINOR ? bsrd_volume_find_minor(d, number)
						      : bsrd_volume_find(d, number);
		if (volume < 0) {
			snprintf(why, room, "no %s %u in this resource", field->name, number);
			return BSR_E_MINOR_INVALID;
		}
		request->volume = (uint32_t)volume;
		break;
	}
	return ok ? 0 : (int)BSR_CTL_BAD_FIELD;
}

static const struct control_field *field_find(const struct control_command *command, const char *name)
{
	for (size_t i = 0; command->fields[i].name != NULL; i++) {
		if (strcmp(command->fields[i].name, name) == 0) {
			return &command->fields[i];
		}
	}
	return NULL;
}

static int check_fields(struct control_request *request, char *why, size_t room)
{
	const struct control_command *command = request->command;
	json_object_object_foreach(request->fields, name, value)
	{
		if (strcmp(name, "id") == 0 || strcmp(name, "command") == 0 || strcmp(name, "version") == 0) {
			continue;
		}
		const struct control_field *field = field_find(command, name);
		if (field == NULL) {
			snprintf(why, room, "command '%s' has no field '%.64s'", command->name, name);
			return BSR_CTL_BAD_FIELD;
		}
		int rc = check_field(request, field, value, why, room);
		if (rc != 0) {
			return rc;
		}
	}
	for (size_t i = 0; command->fields[i].name != NULL; i++) {
		if (command->fields[i].required &&
			!json_object_object_get_ex(request->fields, command->fields[i].name, NULL)) {
			snprintf(why, room, "command '%s' needs the field '%s'", command->name,
				command->fields[i].name);
			return BSR_CTL_BAD_FIELD;
		}
	}
	return 0;
}

/* -------------------------------------------------------------------- lines */

static void answer_error(
	struct control_client *client, int64_t id, enum bsr_control_error code, const char *message)
{
	struct json_object *reply = control_make_error(id, code, message);
	client->control->rejected++;
	(void)control_send(client, reply);
	json_object_put(reply);
}

/* A line into an object; NULL after the answer was given. */
static struct json_object *parse_line(struct control_client *client, const char *line, size_t bytes)
{
	struct json_tokener *tokener = json_tokener_new_ex(BSR_CONTROL_NESTING_MAX);
	struct json_object *object = NULL;
	const char *problem = "not a JSON object";
	if (tokener != NULL) {
		json_tokener_set_flags(tokener, JSON_TOKENER_STRICT | JSON_TOKENER_VALIDATE_UTF8);
		object = json_tokener_parse_ex(tokener, line, (int)bytes);
		enum json_tokener_error error = json_tokener_get_error(tokener);
		if (error == json_tokener_error_depth) {
			problem = "nested too deep";
		}
		if (error != json_tokener_success || json_tokener_get_parse_end(tokener) != bytes) {
			json_object_put(object);
			object = NULL;
		}
		json_tokener_free(tokener);
	}
	if (object == NULL || !json_object_is_type(object, json_type_object)) {
		char message[96];
		json_object_put(object);
		snprintf(message, sizeof(message), "the line is %s", problem);
		answer_error(client, -1, BSR_CTL_BAD_JSON, message);
		if (client->used) { /* what follows cannot be trusted */
			control_close_after(client);
		}
		return NULL;
	}
	return object;
}

static int64_t read_id(struct json_object *object)
{
	struct json_object *id = NULL;
	if (!json_object_object_get_ex(object, "id", &id) || !json_object_is_type(id, json_type_int) ||
		json_object_get_int64(id) < 0 || json_object_get_int64(id) > ID_MAX) {
		return -1;
	}
	return json_object_get_int64(id);
}

/* id, version and command of a line; NULL after the answer was given. */
static const struct control_command *read_command(
	struct control_client *client, struct json_object *object, int64_t id)
{
	struct json_object *name = NULL;
	struct json_object *version = NULL;
	char message[160];
	if (id < 0) {
		answer_error(client, -1, BSR_CTL_BAD_FIELD, "field 'id' must be an integer 0..2^53-1");
		return NULL;
	}
	if (json_object_object_get_ex(object, "version", &version) &&
		(!json_object_is_type(version, json_type_int) ||
			json_object_get_int64(version) > BSR_CONTROL_VERSION)) {
		snprintf(message, sizeof(message), "protocol version %d is spoken here", BSR_CONTROL_VERSION);
		answer_error(client, id, BSR_CTL_VERSION, message);
		return NULL;
	}
	if (!json_object_object_get_ex(object, "command", &name) ||
		!json_object_is_type(name, json_type_string)) {
		answer_error(client, id, BSR_CTL_BAD_FIELD, "field 'command' must be a text");
		return NULL;
	}
	const struct control_command *command = control_command_find(json_object_get_string(name));
	if (command == NULL) {
		snprintf(message, sizeof(message), "unknown command '%.64s'", json_object_get_string(name));
		answer_error(client, id, BSR_CTL_UNKNOWN_COMMAND, message);
	}
	return command;
}

static void start(struct control_request *request)
{
	struct bsrd *d = request->control->d;
	char why[256] = "";
	if (!d->running.exists && !(request->command->flags & CONTROL_BEFORE)) {
		control_finish_error(request, BSR_CTL_NO_RESOURCE,
			"resource '%s' is not set up yet; new-resource comes first", d->running.resource);
		return;
	}
	if (d->going_down) {
		control_done(request,
			&(struct bsrd_answer){.error = -BSR_E_SHUTTING_DOWN,
				.peer = BSRD_NOBODY,
				.volume = BSRD_NOBODY,
				.text = ""});
		return;
	}
	int rc = check_fields(request, why, sizeof(why));
	if (rc == BSR_E_MINOR_INVALID) {
		control_done(request,
			&(struct bsrd_answer){
				.error = -rc, .peer = BSRD_NOBODY, .volume = BSRD_NOBODY, .text = why});
	} else if (rc != 0) {
		control_finish_error(request, (enum bsr_control_error)rc, "%s", why);
	} else {
		request->set_defaults = control_bool(request, "set_defaults");
		request->command->run(request);
	}
}

bool control_take_line(struct control_client *client, const char *line, size_t bytes)
{
	struct bsr_control *control = client->control;
	if (bytes > 0 && line[bytes - 1] == '\r') {
		bytes--;
	}
	struct json_object *object = parse_line(client, line, bytes);
	if (object == NULL) {
		return true;
	}
	int64_t id = read_id(object);
	const struct control_command *command = read_command(client, object, id);
	if (command == NULL) {
		json_object_put(object);
		return true;
	}
	if (client->reader && !(command->flags & CONTROL_LOOKS)) {
		answer_error(client, id, BSR_CTL_PERMISSION, "only root may give this command; the control group may look");
		json_object_put(object);
		return true;
	}
	const bool options = field_find(command, "set_defaults") != NULL;
	if (options && control->options_running > 0) {
		json_object_put(object);
		return false;
	}
	struct control_request *request = calloc(1, sizeof(*request));
	if (request == NULL) {
		json_object_put(object);
		control_close_after(client);
		return true;
	}
	*request = (struct control_request){.control = control,
		.client = (uint32_t)(client - control->client),
		.serial = client->serial,
		.id = id,
		.command = command,
		.fields = object,
		.volume = UINT32_MAX,
		.peer = UINT32_MAX,
		.number = UINT32_MAX,
		.vnr = UINT32_MAX,
		.changes_options = options};
	client->running++;
	control->options_running += options ? 1 : 0;
	start(request);
	return true;
}
