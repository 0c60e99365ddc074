// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * progress.c - how far a long write is, for a person at a terminal (or with --verbose): share, rate, time left
 *
 * Owns:       the line on standard error that is redrawn.
 */
#include <inttypes.h>
#include <time.h>
#include <unistd.h>

#include "meta.h"

#define REDRAW_MS 500

static int64_t now_ms(void)
{
	struct timespec ts;
	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

void bsr_meta_progress_begin(struct bsr_meta_progress *p, const struct bsr_meta_context *ctx, uint64_t bytes)
{
	*p = (struct bsr_meta_progress){.total = bytes, .began_ms = now_ms()};
	p->terminal = isatty(STDERR_FILENO) != 0;
	p->on = bytes > 0 && (p->terminal || ctx->opt.verbose > 0);
	p->drawn_ms = p->began_ms;
}

static void draw(struct bsr_meta_progress *p, uint64_t done, int64_t now)
{
	const uint64_t elapsed_ms = (uint64_t)(now - p->began_ms) + 1;
	const uint64_t rate = done / elapsed_ms * 1000 + 1;
	const uint64_t left_s = (p->total - done) / rate;

	fprintf(stderr, "%szeroing: %u%% of %" PRIu64 " MiB, %" PRIu64 " MiB/s, %" PRIu64 ":%02u:%02u left%s",
		p->terminal ? "\r" : "", (unsigned)(done / (p->total / 100 + 1)), p->total >> 20, rate >> 20,
		left_s / 3600, (unsigned)(left_s / 60 % 60), (unsigned)(left_s % 60), p->terminal ? "  " : "\n");
	p->drawn = true;
}

void bsr_meta_progress_show(struct bsr_meta_progress *p, uint64_t done)
{
	const int64_t now = p->on ? now_ms() : 0;
	if (p->on && now - p->drawn_ms >= REDRAW_MS) {
		draw(p, done, now);
		p->drawn_ms = now;
	}
}

void bsr_meta_progress_end(struct bsr_meta_progress *p)
{
	if (p->drawn && p->terminal) {
		fprintf(stderr, "\r%70s\r", "");
	}
}
