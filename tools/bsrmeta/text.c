// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * text.c - messages, questions and numbers of bsrmeta
 *
 * Owns:       stderr and stdin.
 * May touch:  nothing else.
 */
#include <inttypes.h>
#include <stdarg.h>
#include <string.h>

#include "meta.h"

static void say(const char *prefix, const char *format, va_list args)
	__attribute__((format(printf, 2, 0)));

static void say(const char *prefix, const char *format, va_list args)
{
	fflush(stdout); /* both streams often end in the same place, and the order tells the story
			 */
	fputs(prefix, stderr);
	vfprintf(stderr, format, args);
	fputc('\n', stderr);
}

void bsr_meta_error(const char *format, ...)
{
	va_list args;
	char prefix[32];
	snprintf(prefix, sizeof(prefix), "%s: ", bsr_names()->meta);
	va_start(args, format);
	say(prefix, format, args);
	va_end(args);
}

void bsr_meta_note(const char *format, ...)
{
	va_list args;
	va_start(args, format);
	say("", format, args);
	va_end(args);
}

bool bsr_meta_confirm(const struct bsr_meta_context *ctx, const char *question)
{
	char answer[16];
	fflush(stdout);
	fprintf(stderr, "\n%s\n", question);
	if (ctx->opt.force) {
		fprintf(stderr, "*** confirmed by --force ***\n");
		return true;
	}
	fprintf(stderr, "[type \"yes\" to confirm] ");
	fflush(stderr);
	if (fgets(answer, sizeof(answer), stdin) == NULL) {
		fputc('\n', stderr);
		return false;
	}
	return strcmp(answer, "yes\n") == 0;
}

const char *bsr_meta_size_text(char *out, uint64_t bytes)
{
	static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB", "PiB"};
	size_t unit = 0;
	uint64_t tenths = bytes * 10;
	if (bytes > UINT64_MAX / 10) {
		tenths = UINT64_MAX;
	}
	while (tenths >= 10240 && unit + 1 < sizeof(units) / sizeof(units[0])) {
		tenths /= 1024;
		unit++;
	}
	if (tenths % 10 == 0) {
		snprintf(out, 32, "%" PRIu64 " %s", tenths / 10, units[unit]);
	} else {
		snprintf(out, 32, "%" PRIu64 ".%" PRIu64 " %s", tenths / 10, tenths % 10,
			units[unit]);
	}
	return out;
}

bool bsr_meta_parse_hex(const char *text, uint64_t *value)
{
	uint64_t v = 0;
	const size_t length = strlen(text);
	if (length == 0 || length > 16) {
		return false;
	}
	for (size_t i = 0; i < length; i++) {
		const char c = text[i];
		const int digit = c >= '0' && c <= '9'   ? c - '0'
				  : c >= 'a' && c <= 'f' ? c - 'a' + 10
				  : c >= 'A' && c <= 'F' ? c - 'A' + 10
							 : -1;
		if (digit < 0) {
			return false;
		}
		v = (v << 4) | (uint64_t)digit;
	}
	*value = v;
	return true;
}

bool bsr_meta_parse_number(const char *text, uint64_t max, uint64_t *value)
{
	uint64_t v = 0;
	if (text[0] == '\0') {
		return false;
	}
	for (const char *c = text; *c != '\0'; c++) {
		if (*c < '0' || *c > '9' || v > UINT64_MAX / 10 - 1) {
			return false;
		}
		v = v * 10 + (uint64_t)(*c - '0');
	}
	if (v > max) {
		return false;
	}
	*value = v;
	return true;
}
