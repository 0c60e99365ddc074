// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * options.c - settings of bsrmon: set, get, and what they mean
 */
#include "mon.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

int64_t mon_wall_ms(void)
{
	struct timespec now;
	(void)clock_gettime(CLOCK_REALTIME, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

void mon_pause_ms(int64_t ms)
{
	const struct timespec pause = {ms / 1000, ms % 1000 * 1000000};
	(void)nanosleep(&pause, NULL); /* a signal ends it early, which is what signals are for */
}

void mon_load_settings(struct bsr_settings *settings)
{
	char why[700];
	if (bsr_settings_load(settings, why, sizeof(why)) != 0) {
		fprintf(stderr, "bsrmon: %s; that has no effect\n", why);
	}
}

const char *mon_path(const struct bsr_settings *settings)
{
	return settings->monitor_path[0] != '\0' ? settings->monitor_path : "/var/log/bsr/perfmon";
}

bool mon_filter_of(
	const struct mon_call *call, const char *types, const char *volume_word, struct mon_filter *filter)
{
	char bad[64];
	char *end;
	*filter = (struct mon_filter){.volume = -1, .peers = call->peers};
	if (!mon_types_parse(types, &filter->types, bad, sizeof(bad))) {
		fprintf(stderr, "bsrmon %s: unknown type '%s'; see `bsrmon help %s`\n", call->command, bad,
			call->command);
		return false;
	}
	if (volume_word == NULL) {
		return true;
	}
	filter->volume = strtoll(volume_word, &end, 10);
	if (end == volume_word || *end != '\0' || filter->volume < 0 || filter->volume > 65535) {
		fprintf(stderr, "bsrmon %s: '%s' is not a volume number, 0..65535\n", call->command,
			volume_word);
		return false;
	}
	return true;
}

/* ------------------------------------------------------------------- set, get */

static bool number(const char *text, const char *name, uint64_t *value)
{
	uint64_t min = 0, max = 0;
	char *end;
	errno = 0;
	const unsigned long long parsed = strtoull(text, &end, 10);
	if (!bsr_settings_range(name, &min, &max) || end == text || *end != '\0' || text[0] == '-' ||
		errno != 0 || parsed < min || parsed > max) {
		fprintf(stderr, "bsrmon set: '%s' is not %" PRIu64 "..%" PRIu64 "\n", text, min, max);
		return false;
	}
	*value = parsed;
	return true;
}

static bool directory_ok(const char *text)
{
	struct stat st;
	const char *wrong = NULL;
	if (text[0] != '/') {
		wrong = "it must begin with '/'";
	} else if (strlen(text) >= 200) {
		wrong = "it is too long";
	} else if (strcspn(text, "\n\r\t") != strlen(text)) {
		wrong = "it has control characters";
	} else if (mkdir(text, 0755) != 0 && errno != EEXIST) {
		wrong = strerror(errno);
	} else if (stat(text, &st) != 0 || !S_ISDIR(st.st_mode)) {
		wrong = "it is no directory";
	}
	if (wrong != NULL) {
		fprintf(stderr, "bsrmon set: cannot use directory '%s': %s\n", text, wrong);
	}
	return wrong == NULL;
}

static bool change(struct bsr_settings *settings, const char *name, const char *value)
{
	if (strcmp(name, "period") == 0) {
		return number(value, "monitor-period", &settings->monitor_period_s);
	}
	if (strcmp(name, "total_size_limit") == 0) {
		return number(value, "monitor-total-mib", &settings->monitor_total_mib);
	}
	if (strcmp(name, "file_path") == 0) {
		if (directory_ok(value)) {
			snprintf(settings->monitor_path, sizeof(settings->monitor_path), "%s", value);
			return true;
		}
		return false;
	}
	fprintf(stderr, "bsrmon set: unknown setting '%s': period, file_path or total_size_limit\n", name);
	return false;
}

int mon_run_set(const struct mon_call *call)
{
	struct bsr_settings settings;
	const int lock = bsr_settings_lock();
	mon_load_settings(&settings);
	if (!change(&settings, call->word[0], call->word[1])) {
		if (lock >= 0) {
			close(lock);
		}
		return MON_USAGE;
	}
	const int error = lock < 0 ? lock : bsr_settings_save(&settings);
	if (lock >= 0) {
		close(lock);
	}
	if (error != 0) {
		fprintf(stderr, "bsrmon set: cannot write %s: %s\n", bsr_settings_path(), strerror(-error));
		return MON_USAGE;
	}
	mon_collector_reload();
	return MON_OK;
}

static struct json_object *value_of(const struct bsr_settings *settings, const char *name)
{
	struct bsr_text text = {0};
	uint32_t mask;
	char bad[64];
	if (strcmp(name, "period") == 0) {
		return json_object_new_int64((int64_t)settings->monitor_period_s);
	}
	if (strcmp(name, "total_size_limit") == 0) {
		return json_object_new_int64((int64_t)settings->monitor_total_mib);
	}
	if (strcmp(name, "file_path") == 0) {
		return json_object_new_string(mon_path(settings));
	}
	if (!mon_types_parse(settings->monitor_types, &mask, bad, sizeof(bad))) {
		mon_types_parse("all", &mask, bad, sizeof(bad));
	}
	mon_types_text(&text, mask);
	struct json_object *out = json_object_new_string(bsr_text_string(&text));
	bsr_text_free(&text);
	return out;
}

int mon_run_get(const struct mon_call *call)
{
	static const char *const names[] = {"period", "file_path", "total_size_limit", "types"};
	struct bsr_settings settings;
	struct json_object *out = json_object_new_object();
	const char *wanted = call->word_count > 0 ? call->word[0] : "all";
	mon_load_settings(&settings);
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (strcmp(wanted, "all") == 0 || strcmp(wanted, names[i]) == 0) {
			json_object_object_add(out, names[i], value_of(&settings, names[i]));
		}
	}
	const bool found = json_object_object_length(out) > 0;
	if (!found) {
		fprintf(stderr,
			"bsrmon get: unknown setting '%s': all, period, file_path, total_size_limit or types\n",
			wanted);
	} else if (call->json) {
		puts(json_object_to_json_string_ext(
			out, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE));
	} else {
		json_object_object_foreach(out, name, value)
		{
			printf("%s : %s\n", name, json_object_get_string(value));
		}
	}
	json_object_put(out);
	return found ? MON_OK : MON_USAGE;
}

int mon_run_io_delay(const struct mon_call *call)
{
	(void)call;
	fputs("bsrmon io_delay_test: the points of the kernel driver do not exist here; delays of disks and network are made with "
	      "`bsrcon /fault`\n",
		stderr);
	return MON_USAGE;
}
