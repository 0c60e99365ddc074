/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * logging.h - log lines on standard error: "NUMBER level name key=value ... msg="text""
 */
#ifndef BSR_DAEMON_LOGGING_H
#define BSR_DAEMON_LOGGING_H

#include <stdarg.h>
#include <time.h>

#include <bsr/engine.h>
#include <bsr/log.h>

/** bsr_logging_init - @resource is printed in every line; copied. Call once, before threads exist. */
void bsr_logging_init(const char *resource);
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
