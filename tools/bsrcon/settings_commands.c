// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * settings_commands.c - log levels, categories, files, and switches: stored, then given to running resources
 *
 * Owns:       changing the file of settings.
 */
#include "con.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char *const level_words[] = {
	"emerg", "alert", "criti", "err", "warning", "notice", "info", "debug"};

static void load(struct bsr_settings *settings)
{
	char why[700];
	if (bsr_settings_load(settings, why, sizeof(why)) != 0) {
		fprintf(stderr, "bsrcon: %s; that has no effect\n", why);
	}
}

static bool flag(const char *name, const char *text, uint64_t *value)
{
	if (strcmp(text, "0") != 0 && strcmp(text, "1") != 0) {
		fprintf(stderr, "bsrcon /%s: '%s' is neither 1 nor 0\n", name, text);
		return false;
	}
	*value = text[0] == '1';
	return true;
}

static bool number(const char *name, const char *text, const char *setting, uint64_t *value)
{
	uint64_t min = 0, max = 0;
	char *end;
	errno = 0;
	const unsigned long long parsed = strtoull(text, &end, 10);
	if (!bsr_settings_range(setting, &min, &max) || text[0] < '0' || text[0] > '9' || *end != '\0' ||
		errno != 0 || parsed < min || parsed > max) {
		fprintf(stderr, "bsrcon /%s: '%s' is not %" PRIu64 "..%" PRIu64 "\n", name, text, min, max);
		return false;
	}
	*value = parsed;
	return true;
}

static bool level(const char *text, uint64_t *value)
{
	for (uint64_t i = 0; i < 8; i++) {
		if (strcmp(text, level_words[i]) == 0) {
			*value = i;
			return true;
		}
	}
	return number("minlog_lv", text, "log-level-sys", value);
}

/* @change returns false after it told what is wrong. */
static int change(const struct con_call *call,
	bool (*apply)(const struct con_call *call, struct bsr_settings *s), bool push)
{
	struct bsr_settings settings;
	const int lock = bsr_settings_lock();
	int error = lock < 0 ? lock : 0;
	load(&settings);
	if (!apply(call, &settings)) {
		if (lock >= 0) {
			close(lock);
		}
		return CON_USAGE;
	}
	error = error != 0 ? error : bsr_settings_save(&settings);
	if (lock >= 0) {
		close(lock);
	}
	if (error != 0) {
		fprintf(stderr, "bsrcon /%s: cannot write %s: %s\n", call->name, bsr_settings_path(),
			strerror(-error));
		return CON_USAGE;
	}
	return push ? con_push(&settings) : CON_OK;
}

/* ------------------------------------------------------------------------ log */

static const char *log_path(const struct bsr_settings *settings)
{
	const char *dir = getenv("BSR_LOG_DIR");
	if (dir != NULL && dir[0] != '\0') {
		return dir;
	}
	return settings->log_path[0] != '\0' ? settings->log_path : "/var/log/bsr";
}

int con_get_log_path(const struct con_call *call)
{
	struct bsr_settings settings;
	load(&settings);
	if (call->json) {
		struct json_object *out = json_object_new_object();
		json_object_object_add(out, "log_path", json_object_new_string(log_path(&settings)));
		con_print_json(out);
	} else {
		puts(log_path(&settings));
	}
	return CON_OK;
}

static bool apply_log_path(const struct con_call *call, struct bsr_settings *s)
{
	const char *path = call->word[0];
	struct stat st;
	const char *wrong = NULL;
	if (path[0] != '/') {
		wrong = "it must begin with '/'";
	} else if (strlen(path) >= BSR_SETTINGS_TEXT_MAX || strcspn(path, "\n\r\t") != strlen(path)) {
		wrong = "it is too long or has control characters";
	} else if (mkdir(path, 0755) != 0 && errno != EEXIST) {
		wrong = strerror(errno);
	} else if (stat(path, &st) != 0 || !S_ISDIR(st.st_mode)) {
		wrong = "it is no directory";
	}
	if (wrong != NULL) {
		fprintf(stderr, "bsrcon /set_log_path: cannot use '%s': %s\n", path, wrong);
		return false;
	}
	snprintf(s->log_path, sizeof(s->log_path), "%s", path);
	return true;
}

int con_set_log_path(const struct con_call *call)
{
	return change(call, apply_log_path, false);
}

static bool apply_level(const struct con_call *call, struct bsr_settings *s)
{
	const bool sys = strcmp(call->word[0], "sys") == 0;
	if (!sys && strcmp(call->word[0], "dbg") != 0) {
		fprintf(stderr, "bsrcon /minlog_lv: '%s' is neither sys nor dbg\n", call->word[0]);
		return false;
	}
	return level(call->word[1], sys ? &s->log_level_sys : &s->log_level_dbg);
}

int con_minlog_lv(const struct con_call *call)
{
	return change(call, apply_level, true);
}

static bool apply_count(const struct con_call *call, struct bsr_settings *s)
{
	return number(call->name, call->word[0], "log-file-count", &s->log_file_count);
}

int con_maxlogfile_cnt(const struct con_call *call)
{
	return change(call, apply_count, true);
}

static bool apply_size(const struct con_call *call, struct bsr_settings *s)
{
	return number(call->name, call->word[0], "log-file-kib", &s->log_file_kib);
}

int con_maxlogfile_size(const struct con_call *call)
{
	return change(call, apply_size, true);
}

static bool apply_cli_count(const struct con_call *call, struct bsr_settings *s)
{
	const char *tool = call->word[0];
	uint64_t *value = strcmp(tool, "adm") == 0     ? &s->cli_count_adm
			  : strcmp(tool, "setup") == 0 ? &s->cli_count_setup
			  : strcmp(tool, "meta") == 0  ? &s->cli_count_meta
						       : NULL;
	if (value == NULL) {
		fprintf(stderr, "bsrcon /climaxlogfile_cnt: '%s' is neither adm, setup nor meta\n", tool);
		return false;
	}
	if (!number(call->name, call->word[1], "cli-log-files-adm", value)) {
		return false;
	}
	if (value == &s->cli_count_setup) {
		fputs("bsrcon /climaxlogfile_cnt: note: bsrsetup keeps no log of its own; bsradm logs for it\n", stderr);
	}
	return true;
}

int con_climaxlogfile_cnt(const struct con_call *call)
{
	return change(call, apply_cli_count, false);
}

/* Bits of a category's name; 0 after it was told that there is none. */
static uint64_t category_bits(const char *name)
{
	if (strcmp(name, "all") == 0) {
		return BSR_LOG_CATEGORIES_ALL;
	}
	for (uint32_t i = 0; i < BSR_LOG_CATEGORY_COUNT; i++) {
		if (strcasecmp(name, bsr_log_category_word(i)) == 0) {
			return 1u << i;
		}
	}
	fprintf(stderr, "bsrcon /dbglog_ctgr: unknown category '%s'; there are", name);
	for (uint32_t i = 0; i < BSR_LOG_CATEGORY_COUNT; i++) {
		fprintf(stderr, " %s", bsr_log_category_word(i));
	}
	fputs(" and all\n", stderr);
	return 0;
}

static bool apply_categories(const struct con_call *call, struct bsr_settings *s)
{
	const bool enable = strcmp(call->word[0], "enable") == 0;
	if (!enable && strcmp(call->word[0], "disable") != 0) {
		fprintf(stderr, "bsrcon /dbglog_ctgr: '%s' is neither enable nor disable\n", call->word[0]);
		return false;
	}
	for (uint32_t i = 1; i < call->count; i++) {
		const uint64_t bits = category_bits(call->word[i]);
		if (bits == 0) {
			return false;
		}
		s->log_categories = enable ? s->log_categories | bits : s->log_categories & ~bits;
	}
	return true;
}

int con_dbglog_ctgr(const struct con_call *call)
{
	return change(call, apply_categories, true);
}

static struct json_object *categories_of(const struct bsr_settings *s, bool enabled)
{
	struct json_object *out = json_object_new_array();
	for (uint32_t i = 0; i < BSR_LOG_CATEGORY_COUNT; i++) {
		if (((s->log_categories >> i & 1u) != 0) == enabled) {
			json_object_array_add(out, json_object_new_string(bsr_log_category_word(i)));
		}
	}
	return out;
}

int con_get_log_info(const struct con_call *call)
{
	struct bsr_settings s;
	struct json_object *out = json_object_new_object();
	load(&s);
	json_object_object_add(out, "log_path", json_object_new_string(log_path(&s)));
	json_object_object_add(out, "minlog_lv_sys", json_object_new_string(level_words[s.log_level_sys]));
	json_object_object_add(out, "minlog_lv_dbg", json_object_new_string(level_words[s.log_level_dbg]));
	json_object_object_add(out, "maxlogfile_size_kib", json_object_new_int64((int64_t)s.log_file_kib));
	json_object_object_add(out, "maxlogfile_cnt", json_object_new_int64((int64_t)s.log_file_count));
	json_object_object_add(out, "climaxlogfile_cnt_adm", json_object_new_int64((int64_t)s.cli_count_adm));
	json_object_object_add(
		out, "climaxlogfile_cnt_setup", json_object_new_int64((int64_t)s.cli_count_setup));
	json_object_object_add(
		out, "climaxlogfile_cnt_meta", json_object_new_int64((int64_t)s.cli_count_meta));
	json_object_object_add(out, "categories_enabled", categories_of(&s, true));
	json_object_object_add(out, "categories_disabled", categories_of(&s, false));
	json_object_object_add(out, "statuscmd_logging", json_object_new_int64((int64_t)s.status_commands));
	if (call->json) {
		con_print_json(out);
		return CON_OK;
	}
	json_object_object_foreach(out, name, value)
	{
		if (json_object_is_type(value, json_type_array)) {
			struct bsr_text text = {0};
			bsr_json_set_text(&text, value);
			printf("%s : %s\n", name,
				json_object_array_length(value) > 0 ? bsr_text_string(&text) : "-");
			bsr_text_free(&text);
		} else {
			printf("%s : %s\n", name, json_object_get_string(value));
		}
	}
	json_object_put(out);
	return CON_OK;
}

/* -------------------------------------------------------------------- switches */

static bool apply_status_logging(const struct con_call *call, struct bsr_settings *s)
{
	return flag(call->name, call->word[0], &s->status_commands);
}

int con_statuscmd_logging(const struct con_call *call)
{
	return change(call, apply_status_logging, false);
}

static bool apply_handlers(const struct con_call *call, struct bsr_settings *s)
{
	return flag(call->name, call->word[0], &s->handlers);
}

int con_handler_use(const struct con_call *call)
{
	return change(call, apply_handlers, true);
}

/* By name, or by number for a group of somewhere else. */
static bool apply_control_group(const struct con_call *call, struct bsr_settings *s)
{
	const char *name = call->word[0];
	const struct group *group = getgrnam(name);
	uint64_t gid = 0;
	if (strcmp(name, "none") == 0) {
		s->control_gid = 0;
		return true;
	}
	if (group == NULL && (name[0] < '0' || name[0] > '9')) {
		fprintf(stderr, "bsrcon /%s: there is no group '%s'\n", call->name, name);
		return false;
	}
	if (group == NULL && !number(call->name, name, "control-gid", &gid)) {
		return false;
	}
	gid = group != NULL ? group->gr_gid : gid;
	if (gid == 0) {
		fprintf(stderr, "bsrcon /%s: root's group needs no permission; 'none' takes it from others\n", call->name);
		return false;
	}
	s->control_gid = gid;
	return true;
}

int con_set_control_group(const struct con_call *call)
{
	return change(call, apply_control_group, true);
}

int con_get_control_group(const struct con_call *call)
{
	struct bsr_settings s;
	load(&s);
	const struct group *group = s.control_gid != 0 ? getgrgid((gid_t)s.control_gid) : NULL;
	if (call->json) {
		struct json_object *out = json_object_new_object();
		json_object_object_add(out, "control_gid", json_object_new_int64((int64_t)s.control_gid));
		con_print_json(out);
	} else if (s.control_gid == 0) {
		puts("control group : none");
	} else {
		printf("control group : %s (%" PRIu64 ")\n", group != NULL ? group->gr_name : "?", s.control_gid);
	}
	return CON_OK;
}

static bool apply_fast_sync(const struct con_call *call, struct bsr_settings *s)
{
	return flag(call->name, call->word[0], &s->fast_sync);
}

int con_set_fast_sync(const struct con_call *call)
{
	const int rc = change(call, apply_fast_sync, false);
	if (rc == CON_OK) {
		fputs("bsrcon /set_fast_sync: note: stored; this version always copies everything at an initial sync\n",
			stderr);
	}
	return rc;
}

static int print_switch(const struct con_call *call, const char *name, uint64_t value, const char *text)
{
	if (call->json) {
		struct json_object *out = json_object_new_object();
		json_object_object_add(out, name, json_object_new_int64((int64_t)value));
		con_print_json(out);
	} else {
		printf("%s : %s\n", text, value != 0 ? "enabled" : "disabled");
	}
	return CON_OK;
}

int con_get_handler_info(const struct con_call *call)
{
	struct bsr_settings s;
	load(&s);
	return print_switch(call, "handler_use", s.handlers, "handler");
}

int con_get_fast_sync(const struct con_call *call)
{
	struct bsr_settings s;
	load(&s);
	return print_switch(call, "fast_sync", s.fast_sync, "fast_sync");
}
