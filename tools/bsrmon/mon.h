/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * mon.h - what the commands of bsrmon share; each returns the exit code
 */
#ifndef BSRMON_MON_H
#define BSRMON_MON_H

#include "record.h"
#include "settings.h"
#include "source.h"

#define MON_OK 0
#define MON_USAGE 1    /* bad words, a setting that cannot be stored */
#define MON_REFUSED 10 /* nothing there, not running, refused */

/** A command line, taken apart (arguments.c). */
struct mon_call {
	const char *command;
	uint32_t word_count; /* without command and options */
	const char *word[4];
	bool json;
	bool continuous;
	bool scroll;
	bool list;
	bool once;
	int64_t count;     /* rounds, 0: until stopped */
	const char *types; /* "": not given */
	const char *file;
	const char *date;
	const char *from;
	const char *until;
	struct json_object *resources; /* array, NULL: all */
	struct json_object *peers;     /* array, NULL: all */
};

struct mon_command {
	const char *name;
	const char *arguments; /* for help */
	const char *options;   /* letters of those it takes, see arguments.c */
	uint32_t words_min;
	uint32_t words_max;
	int (*run)(const struct mon_call *call);
	const char *summary;
	const char *details; /* lines, or "" */
};

/* arguments.c */
const struct mon_command *mon_command_find(const char *name);
/** mon_parse - false with a sentence in @why; free afterwards in any case */
bool mon_parse(struct mon_call *call, const struct mon_command *command, int argc, char **argv,
	struct bsr_text *why);
void mon_call_free(struct mon_call *call);
void mon_help(struct bsr_text *out);
void mon_help_command(struct bsr_text *out, const struct mon_command *command);

/* settings */
/** mon_load_settings - tells what is wrong with the file, and goes on with what is right */
void mon_load_settings(struct bsr_settings *settings);
/** mon_path - where files are kept */
const char *mon_path(const struct bsr_settings *settings);
/** mon_filter_of - false after the unknown type or volume was told; @volume_word NULL: all */
bool mon_filter_of(
	const struct mon_call *call, const char *types, const char *volume_word, struct mon_filter *filter);
int64_t mon_wall_ms(void);
void mon_pause_ms(int64_t ms);

/* collector.c */
int mon_run_start(const struct mon_call *call);
int mon_run_stop(const struct mon_call *call);
int mon_run_status(const struct mon_call *call);
int mon_run_file(const struct mon_call *call);
/** mon_collector_reload - a running collector takes the settings as they are now; false: none runs */
bool mon_collector_reload(void);

/* query.c */
int mon_run_show(const struct mon_call *call);
int mon_run_report(const struct mon_call *call);
int mon_run_debug(const struct mon_call *call);
/** mon_all_there - false after it was told which named resource does not answer, or that the volume is
 * nowhere */
bool mon_all_there(
	const struct mon_sources *sources, struct json_object *names, const struct mon_filter *filter);

/* histogram.c */
int mon_run_histogram(const struct mon_call *call);
/** mon_print_histogram - rows of one power of two each; nothing without requests */
void mon_print_histogram(struct bsr_text *out, const char *title, const int64_t *bucket);
struct json_object *mon_json_histogram(const int64_t *bucket);

/* options.c */
int mon_run_set(const struct mon_call *call);
int mon_run_get(const struct mon_call *call);
int mon_run_io_delay(const struct mon_call *call);

/* watch.c */
int mon_run_watch(const struct mon_call *call);

/* print.c */
/** mon_print_record - a block of text; for one type of one object */
void mon_print_record(struct bsr_text *out, const struct mon_record *record);
/** mon_json_record - put it where it belongs in the object that `show --json` prints */
void mon_json_record(struct json_object *root, const struct mon_record *record);

#endif
