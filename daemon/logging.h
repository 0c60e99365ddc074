/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * logging.h - log lines on standard error: "NUMBER level name key=value ... msg="text""
 */
#ifndef BSR_DAEMON_LOGGING_H
#define BSR_DAEMON_LOGGING_H

#include <stdarg.h>
#include <stdbool.h>
#include <time.h>

#include <bsr/engine.h>
#include <bsr/log.h>

/** bsr_logging_init - @resource is printed in every line; copied. Call once, before threads exist. */
void bsr_logging_init(const char *resource);
/** What is written where; levels are those of syslog, 0..7. */
struct bsr_logging_rules {
	uint32_t file_level;   /* standard error, which is the log file: up to this level */
	uint32_t sys_level;    /* syslog */
	uint32_t categories;   /* bit n: events n+1 thousand; errors are written whatever it says */
	uint64_t file_bytes;   /* a log file as large is full; 0: never */
};
/** bsr_logging_set - from now on; also before bsr_logging_init() */
void bsr_logging_set(const struct bsr_logging_rules *rules);
/** bsr_logging_full - the log file was full when the last line was written */
bool bsr_logging_full(void);
/** bsr_logging_reopen - standard error becomes @fd (copied); 0 or -errno */
int bsr_logging_reopen(int fd);

/** bsr_log - see bsrd.h */
void bsr_log(enum bsr_log_number number, const char *format, ...) __attribute__((format(printf, 2, 3)));
/**
 * bsr_log_effect - a line for a log effect of the engine
 * @vnr: of its volume, UINT32_MAX for none
 * @more: what the host knows besides, " key=value" each; "" for nothing
 */
void bsr_log_effect(const struct bsr_fx_log *log, uint32_t vnr, const char *more);
/** bsr_logging_text - one formatted line with newline into @line; returns its bytes (tests use it directly) */
size_t bsr_logging_text(char *line, size_t room, uint32_t number, uint64_t suppressed, const char *pairs);
#define BSR_LOGGING_TIME_BYTES 48u
/** bsr_logging_time - @now as UTC, microseconds and a blank, into @text of at least BSR_LOGGING_TIME_BYTES; returns its bytes */
size_t bsr_logging_time(char *text, size_t room, const struct timespec *now);
/** bsr_logging_admit - token bucket of @number at @now_ns; true: print, *@suppressed lines were dropped before it */
bool bsr_logging_admit(uint32_t number, uint64_t now_ns, uint64_t *suppressed);

#endif
