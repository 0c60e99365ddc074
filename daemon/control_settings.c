// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * control_settings.c - host-wide settings for a running resource, an administrator's line in its log, faults
 * on purpose
 *
 * Owns:       the words of these commands.
 * May touch:  settings and faults of the process.
 * Format:     docs/control.md, section 5
 */
#include "control.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "faults.h"

/* Those that a process of a resource needs; the rest are the tools'. */
static const char *const ours[] = {
	"log-level-sys", "log-level-dbg", "log-categories", "log-file-kib", "log-file-count", "handlers", "control-gid"};

static bool is_ours(const char *name)
{
	for (size_t i = 0; i < sizeof(ours) / sizeof(ours[0]); i++) {
		if (strcmp(ours[i], name) == 0) {
			return true;
		}
	}
	return false;
}

static struct json_object *settings_now(const struct bsr_settings *s)
{
	struct json_object *out = json_object_new_object();
	json_object_object_add(out, "log-level-sys", json_object_new_int64((int64_t)s->log_level_sys));
	json_object_object_add(out, "log-level-dbg", json_object_new_int64((int64_t)s->log_level_dbg));
	json_object_object_add(out, "log-categories", json_object_new_int64((int64_t)s->log_categories));
	json_object_object_add(out, "log-file-kib", json_object_new_int64((int64_t)s->log_file_kib));
	json_object_object_add(out, "log-file-count", json_object_new_int64((int64_t)s->log_file_count));
	json_object_object_add(out, "handlers", json_object_new_int64((int64_t)s->handlers));
	json_object_object_add(out, "control-gid", json_object_new_int64((int64_t)s->control_gid));
	return out;
}

void control_run_settings(struct control_request *request)
{
	struct bsrd *d = request->control->d;
	struct json_object *given = control_options(request);
	struct bsr_settings wanted = d->settings;
	if (given == NULL) {
		struct json_object *result = json_object_new_object();
		json_object_object_add(result, "settings", settings_now(&d->settings));
		control_finish_ok(request, result);
		return;
	}
	json_object_object_foreach(given, name, value)
	{
		char line[400], why[200];
		const int bytes = snprintf(line, sizeof(line), "%s=%s", name, json_object_get_string(value));
		if (!is_ours(name) || bytes >= (int)sizeof(line) ||
			bsr_settings_parse(&wanted, line, (size_t)bytes, why, sizeof(why)) != 0) {
			control_finish_error(request, BSR_CTL_BAD_OPTION,
				"setting '%.64s' is unknown or its value is out of range", name);
			return;
		}
	}
	const bool other_group = d->settings.control_gid != wanted.control_gid;
	d->settings = wanted;
	bsrd_settings_changed(d);
	if (other_group) {
		control_readers_changed(request->control);
	}
	control_finish_ok(request, NULL);
}

/* ------------------------------------------------------------------------ log */

void control_run_log(struct control_request *request)
{
	static const enum bsr_log_number number[] = {BSR_LOGN_NOTE_ERROR, BSR_LOGN_NOTE_ERROR,
		BSR_LOGN_NOTE_ERROR, BSR_LOGN_NOTE_ERROR, BSR_LOGN_NOTE_WARN, BSR_LOGN_NOTE_NOTICE,
		BSR_LOGN_NOTE_INFO, BSR_LOGN_NOTE_INFO};
	const char *level = control_text(request, "level");
	char text[1024];
	if (level[0] < '0' || level[0] > '7' || level[1] != '\0') {
		control_finish_error(request, BSR_CTL_BAD_FIELD, "field 'level' is not 0..7");
		return;
	}
	snprintf(text, sizeof(text), "%.1000s", control_text(request, "text"));
	for (char *c = text; *c != '\0'; c++) {
		*c = *c == '"' || *c == '\\' ? '\'' : *c; /* it must not end the quotes around it */
	}
	bsr_log(number[level[0] - '0'], "text=\"%s\"", text);
	control_finish_ok(request, NULL);
}

/* --------------------------------------------------------------------- faults */

static const char *const kind_words[] = {"disk", "meta", "network"};

static struct json_object *fault_json(const struct bsrd *d, const struct bsrd_fault *f)
{
	struct json_object *out = json_object_new_object();
	json_object_object_add(out, "kind", json_object_new_string(kind_words[f->kind]));
	if (f->volume != BSRD_NOBODY) {
		json_object_object_add(
			out, "volume", json_object_new_int64(d->running.volume[f->volume].vnr));
	}
	if (f->peer != BSRD_NOBODY) {
		json_object_object_add(out, "peer", json_object_new_string(status_peer_name(d, f->peer)));
	}
	if (f->ops != 0) {
		json_object_object_add(out, "op",
			json_object_new_string(f->ops == BSRD_FAULT_READ    ? "read"
					       : f->ops == BSRD_FAULT_WRITE ? "write"
									    : "flush"));
	}
	json_object_object_add(out, "delay", json_object_new_int64(f->delay_ms));
	json_object_object_add(out, "error", json_object_new_string(f->error ? "yes" : "no"));
	json_object_object_add(out, "count", json_object_new_int64((int64_t)f->count));
	json_object_object_add(out, "done", json_object_new_int64((int64_t)f->done));
	return out;
}

static void list_faults(struct control_request *request)
{
	const struct bsrd *d = request->control->d;
	struct json_object *result = json_object_new_object();
	struct json_object *list = json_object_new_array();
	for (uint32_t i = 0; bsrd_faults_at(d, i) != NULL; i++) {
		json_object_array_add(list, fault_json(d, bsrd_faults_at(d, i)));
	}
	json_object_object_add(result, "allowed", json_object_new_boolean(d->faults_allowed));
	json_object_object_add(result, "faults", list);
	control_finish_ok(request, result);
}

static bool number(const char *text, uint64_t most, uint64_t *value)
{
	const size_t digits = strspn(text, "0123456789");
	if (digits == 0 || digits > 18 || text[digits] != '\0') {
		return false;
	}
	*value = strtoull(text, NULL, 10);
	return *value <= most;
}

static bool take_peer(const struct bsrd *d, const char *text, struct bsrd_fault *f)
{
	for (uint32_t peer = 0; peer < BSR_NODES_MAX; peer++) {
		if (d->running.peer[peer].exists && strcmp(d->running.peer[peer].name, text) == 0) {
			f->peer = peer;
			return true;
		}
	}
	return false;
}

static bool take_op(const char *text, struct bsrd_fault *f)
{
	f->ops = strcmp(text, "read") == 0    ? BSRD_FAULT_READ
		 : strcmp(text, "write") == 0 ? BSRD_FAULT_WRITE
					      : BSRD_FAULT_FLUSH;
	return f->ops != BSRD_FAULT_FLUSH || strcmp(text, "flush") == 0;
}

static bool take_kind(const char *text, struct bsrd_fault *f)
{
	for (uint32_t i = 0; i < sizeof(kind_words) / sizeof(kind_words[0]); i++) {
		if (strcmp(kind_words[i], text) == 0) {
			f->kind = (enum bsrd_fault_kind)i;
			return true;
		}
	}
	return false;
}

/* One option of a rule; false: unknown, or its value is none */
static bool take(const struct bsrd *d, const char *name, const char *text, struct bsrd_fault *f)
{
	uint64_t value = 0;
	if (strcmp(name, "kind") == 0) {
		return take_kind(text, f);
	}
	if (strcmp(name, "op") == 0) {
		return take_op(text, f);
	}
	if (strcmp(name, "peer") == 0) {
		return take_peer(d, text, f);
	}
	if (strcmp(name, "error") == 0) {
		f->error = strcmp(text, "yes") == 0;
		return f->error || strcmp(text, "no") == 0;
	}
	if (strcmp(name, "volume") == 0 && number(text, BSR_VNR_MAX, &value)) {
		const int index = bsrd_volume_find(d, (uint32_t)value);
		f->volume = (uint32_t)index;
		return index >= 0;
	}
	if (strcmp(name, "delay") == 0 && number(text, BSRD_FAULT_DELAY_MS_MAX, &value)) {
		f->delay_ms = (uint32_t)value;
		return true;
	}
	return strcmp(name, "count") == 0 && number(text, 1000000000, &f->count);
}

static const char *wrong_together(const struct bsrd_fault *f, bool has_kind)
{
	if (!has_kind) {
		return "option 'kind' is missing: disk, meta or network";
	}
	if (f->delay_ms == 0 && !f->error) {
		return "neither 'delay' nor 'error' is given";
	}
	if (f->kind == BSRD_FAULT_NETWORK && (f->error || f->ops != 0 || f->volume != BSRD_NOBODY)) {
		return "the network has neither 'error', 'op' nor 'volume'";
	}
	if (f->kind != BSRD_FAULT_NETWORK && f->peer != BSRD_NOBODY) {
		return "only the network has 'peer'";
	}
	return NULL;
}

static void set_fault(struct control_request *request, struct json_object *given)
{
	struct bsrd *d = request->control->d;
	struct bsrd_fault f = {.volume = BSRD_NOBODY, .peer = BSRD_NOBODY};
	json_object_object_foreach(given, name, value)
	{
		if (!take(d, name, json_object_get_string(value), &f)) {
			control_finish_error(request, BSR_CTL_BAD_OPTION,
				"option '%.32s' of a fault is unknown, or '%.64s' is no value of it", name,
				json_object_get_string(value));
			return;
		}
	}
	const char *wrong = wrong_together(&f, json_object_object_get(given, "kind") != NULL);
	if (wrong != NULL) {
		control_finish_error(request, BSR_CTL_BAD_OPTION, "%s", wrong);
		return;
	}
	const int error = bsrd_faults_set(d, &f);
	control_done(
		request, &(struct bsrd_answer){
				 .error = error, .peer = BSRD_NOBODY, .volume = BSRD_NOBODY, .text = ""});
}

void control_run_fault(struct control_request *request)
{
	struct bsrd *d = request->control->d;
	struct json_object *given = control_options(request);
	const bool clear = control_bool(request, "clear");
	if (given == NULL && !clear) {
		list_faults(request);
	} else if (!d->faults_allowed) {
		control_finish_error(request, BSR_CTL_FAULTS_OFF,
			"this process refuses fault injection; for tests, start bsrd with --allow-faults or BSR_ALLOW_FAULTS=1");
	} else if (clear) {
		bsrd_faults_clear(d);
		control_finish_ok(request, NULL);
	} else {
		set_fault(request, given);
	}
}
