/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * settings.h - what an administrator sets for a whole host with bsrcon and bsrmon, kept in one small file
 *
 * <directory>/.bsr_settings, lines "name=value". Directory: environment BSR_SETTINGS_DIR, else /etc/bsr.d.
 * Written by bsrcon and bsrmon only, in one piece; a missing file means all defaults.
 */
#ifndef BSR_SETTINGS_H
#define BSR_SETTINGS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define BSR_SETTINGS_TEXT_MAX 256u
#define BSR_SETTINGS_FILE_MAX 16384u

/* Families of log events, by thousand of their number; bit of struct bsr_settings.log_categories. */
enum bsr_log_category {
	BSR_LOG_CATEGORY_ROLE,    /* 1xxx */
	BSR_LOG_CATEGORY_RESYNC,  /* 2xxx */
	BSR_LOG_CATEGORY_DISK,    /* 3xxx */
	BSR_LOG_CATEGORY_LINK,    /* 4xxx */
	BSR_LOG_CATEGORY_DEVICE,  /* 5xxx */
	BSR_LOG_CATEGORY_PROCESS, /* 6xxx */
};
#define BSR_LOG_CATEGORY_COUNT 6u
#define BSR_LOG_CATEGORIES_ALL ((1u << BSR_LOG_CATEGORY_COUNT) - 1)

struct bsr_settings {
	char log_path[BSR_SETTINGS_TEXT_MAX]; /* "": /var/log/bsr */
	uint64_t log_level_sys;               /* 0..7: lines up to this level go to syslog ... */
	uint64_t log_level_dbg;               /* ... and to the log file */
	uint64_t log_categories; /* bits of enum bsr_log_category; errors are logged whatever it says */
	uint64_t log_file_count; /* older log files of a resource that are kept */
	uint64_t log_file_kib;   /* size at which a log file is rolled over */
	uint64_t cli_count_adm;  /* older log files of a tool */
	uint64_t cli_count_setup;
	uint64_t cli_count_meta;
	uint64_t status_commands;                  /* 1: commands that only look are logged, too */
	uint64_t handlers;                         /* 1: handlers are run */
	uint64_t control_gid;                      /* group that may look through control sockets; 0: root alone */
	uint64_t fast_sync;                        /* 1: may use what a file system says is unused */
	uint64_t monitor;                          /* 1: bsrmon start was the last word, not stop */
	char monitor_types[BSR_SETTINGS_TEXT_MAX]; /* separated by commas; "": all */
	uint64_t monitor_period_s;
	char monitor_path[BSR_SETTINGS_TEXT_MAX]; /* "": /var/log/bsr/perfmon */
	uint64_t monitor_total_mib;               /* of one resource's files */
};

void bsr_settings_defaults(struct bsr_settings *s);
/**
 * bsr_settings_parse - the lines of @text over what @s has; from any source
 * @why: what is wrong with the first bad line; room of 200 bytes is enough
 *
 * Returns how many lines are bad; those have no effect.
 */
uint32_t bsr_settings_parse(struct bsr_settings *s, const char *text, size_t bytes, char *why, size_t room);
/**
 * bsr_settings_load - defaults, and the file over them
 * Returns 0 (also without a file), -EINVAL when lines are bad (the others count), else -errno; @why names the
 * file.
 */
int bsr_settings_load(struct bsr_settings *s, char *why, size_t room);
/** bsr_settings_save - the directory is made when it is missing. 0 or -errno; the old file stays then */
int bsr_settings_save(const struct bsr_settings *s);
/** bsr_settings_lock - wait for other programs that change settings; a descriptor to close afterwards, or
 * -errno */
int bsr_settings_lock(void);
/** bsr_settings_path - of the file; static */
const char *bsr_settings_path(void);
/** bsr_settings_range - limits of a number by its name in the file; false for an unknown name */
bool bsr_settings_range(const char *name, uint64_t *min, uint64_t *max);
/** bsr_log_category_word - "role", "resync", ...; "" past the last */
const char *bsr_log_category_word(uint32_t category);

#endif
