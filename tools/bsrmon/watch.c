// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * watch.c - look on, live: all resources on the whole screen, or the values of one type
 *
 * Owns:       the loop of `bsrmon watch`, and what goes to the terminal.
 * Invariants: standard output that is no terminal gets plain text without a single escape sequence.
 */
#include "mon.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "screen.h"
#include "view.h"

struct watch {
	const struct mon_call *call;
	struct json_object *names; /* NULL: all */
	struct mon_filter filter;  /* of one type */
	bool one_type;
	bool on_screen;
	bool clear; /* one type on a terminal, not scrolling */
	int64_t period_ms;
	size_t top; /* first line that is shown */
	struct mon_sources sources;
	struct mon_view view;
	char when[MON_TIME_BYTES];
};

static bool is_utf8(void)
{
	static const char *const names[] = {"LC_ALL", "LC_CTYPE", "LANG"};
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		const char *value = getenv(names[i]);
		if (value != NULL && value[0] != '\0') {
			return strcasestr(value, "utf-8") != NULL || strcasestr(value, "utf8") != NULL;
		}
	}
	return false;
}

static void print_record(void *ctx, const struct mon_record *record)
{
	mon_print_record(ctx, record);
}

/* ---------------------------------------------------------------- the screen */

static size_t count_lines(const char *text)
{
	size_t lines = 0;
	for (; *text != '\0'; text++) {
		lines += *text == '\n';
	}
	return lines;
}

/* As many lines as fit, from @top on, each clipped; the last row is for the keys. */
static bool draw(struct watch *w)
{
	struct bsr_text text = {0};
	struct bsr_text out = {0};
	uint32_t columns, rows;
	mon_screen_size(&columns, &rows);
	mon_view_print(&w->view, &w->sources, w->when, &text);
	const size_t lines = count_lines(bsr_text_string(&text));
	const size_t room = rows > 1 ? rows - 1 : 1;
	w->top = w->top + room > lines ? (lines > room ? lines - room : 0) : w->top;
	bsr_text_add(&out, "\033[H");
	const char *at = bsr_text_string(&text);
	for (size_t line = 0; line < lines && line < w->top + room; line++) {
		const size_t bytes = strcspn(at, "\n");
		if (line >= w->top) {
			mon_clip(&out, at, bytes, columns);
			bsr_text_add(&out, "\033[K\r\n");
		}
		at += bytes + 1;
	}
	struct bsr_text keys = {0};
	bsr_text_add(&keys, "q ends, arrows scroll%s", w->top + room < lines ? "; more below" : "");
	bsr_text_add(&out, "\033[J\033[%uH", (unsigned)rows);
	mon_clip(&out, bsr_text_string(&keys), keys.length, columns > 0 ? columns - 1 : 0);
	const bool fine = mon_screen_put(bsr_text_string(&out), out.length);
	bsr_text_free(&keys);
	bsr_text_free(&text);
	bsr_text_free(&out);
	return fine;
}

static bool scroll(struct watch *w, enum mon_key key)
{
	uint32_t columns, rows;
	mon_screen_size(&columns, &rows);
	switch (key) {
	case MON_KEY_UP:
		w->top -= w->top > 0;
		break;
	case MON_KEY_DOWN:
		w->top++;
		break;
	case MON_KEY_PAGE_UP:
		w->top -= w->top < rows ? w->top : rows;
		break;
	case MON_KEY_PAGE_DOWN:
		w->top += rows > 2 ? rows - 2 : 1;
		break;
	case MON_KEY_NONE:
	case MON_KEY_QUIT:
		return true;
	case MON_KEY_REDRAW:
		break;
	}
	return draw(w);
}

/* False: it is over. */
static bool wait_on_screen(struct watch *w)
{
	const int64_t until = mon_wall_ms() + w->period_ms;
	for (int64_t left = w->period_ms; left > 0 && left <= w->period_ms; left = until - mon_wall_ms()) {
		const enum mon_key key = mon_screen_wait(left);
		if (mon_screen_ends() || key == MON_KEY_QUIT || !scroll(w, key)) {
			return false;
		}
	}
	return true;
}

/* ------------------------------------------------------------------- the loop */

static void read_now(struct watch *w)
{
	mon_sources_read(&w->sources, w->names, true, !w->one_type);
	mon_time_text(w->when, mon_wall_ms());
	if (!w->one_type) {
		mon_view_round(&w->view, &w->sources);
	}
}

/* Plain text, or one type: one block a period. False: nobody reads any more. */
static bool print_block(struct watch *w)
{
	struct bsr_text text = {0};
	if (w->clear) {
		bsr_text_add(&text, "\033[H\033[J");
	}
	if (w->one_type) {
		bsr_text_add(&text, "%s\n", w->when);
		mon_sources_compute(&w->sources, &w->filter, print_record, &text);
	} else {
		mon_view_print(&w->view, &w->sources, w->when, &text);
		bsr_text_add(&text, "\n");
	}
	const bool fine =
		fwrite(bsr_text_string(&text), 1, text.length, stdout) == text.length && fflush(stdout) == 0;
	bsr_text_free(&text);
	return fine;
}

static int loop(struct watch *w)
{
	const int64_t rounds = w->call->count > 0 ? w->call->count : INT64_MAX;
	read_now(w);
	if (w->on_screen && !draw(w)) {
		return MON_REFUSED;
	}
	for (int64_t i = 0; i < rounds; i++) {
		if (w->on_screen && !wait_on_screen(w)) {
			return MON_OK;
		}
		if (!w->on_screen) {
			mon_pause_ms(w->period_ms);
		}
		read_now(w);
		if (!(w->on_screen ? draw(w) : print_block(w))) {
			return w->on_screen ? MON_REFUSED
					    : MON_OK; /* a pipe that was closed has seen enough */
		}
	}
	return MON_OK;
}

int mon_run_watch(const struct mon_call *call)
{
	static struct watch w;
	struct bsr_settings settings;
	const bool terminal = isatty(STDOUT_FILENO) != 0;
	w.call = call;
	w.one_type = call->word_count > 0;
	if (w.one_type && mon_type_find(call->word[0]) < 0) {
		fprintf(stderr, "bsrmon watch: unknown type '%s'; see `bsrmon help watch`\n", call->word[0]);
		return MON_USAGE;
	}
	if (!mon_filter_of(call, w.one_type ? call->word[0] : "", call->word_count > 2 ? call->word[2] : NULL,
		    &w.filter)) {
		return MON_USAGE;
	}
	w.names = json_object_get(call->resources);
	if (call->word_count > 1) {
		w.names = w.names != NULL ? w.names : json_object_new_array();
		json_object_array_add(w.names, json_object_new_string(call->word[1]));
	}
	mon_load_settings(&settings);
	w.period_ms = (int64_t)settings.monitor_period_s * 1000;
	w.clear = terminal && w.one_type && !call->scroll;
	w.view.color = terminal && getenv("NO_COLOR") == NULL;
	w.view.utf8 = is_utf8();
	if (gethostname(w.view.host, sizeof(w.view.host) - 1) != 0) {
		snprintf(w.view.host, sizeof(w.view.host), "?");
	}
	w.on_screen = !w.one_type && !call->scroll && mon_screen_enter();
	const int rc = loop(&w);
	mon_screen_leave();
	mon_sources_close(&w.sources);
	mon_view_free(&w.view);
	json_object_put(w.names);
	return rc;
}
