// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * fuzz_mon.c - anything as a file of measurements, as counters, as the file of settings
 */
#include <stdlib.h>
#include <string.h>

#include "mon.h"
#include "report.h"
#include "view.h"
#include "../../tests/fuzz.h"

static const char *const examples[] = {
	"2026-11-20_14:06:05.123 local.complete_count=10 local.min=1 local.avg=2 local.max=3 local.p50=2 local.p99=3\n",
	"2026-11-20_14:06:05.123 peer=bob acked.complete_count=10 acked.min=1 acked.avg=2 acked.max=3\n2026-11-20_14:06:06.123 a=1\n",
	"{\"clock_ns\":3000000000,\"memory\":{\"cpu_us\":1000100},\"volumes\":[{\"volume\":0,\"read_bytes\":2101248,"
	"\"stages\":{\"read\":{\"count\":101,\"sum_ns\":1009000,\"buckets\":[[8,2],[16,99]]}}}],\"peers\":[{\"name\":\"bob\","
	"\"sent\":2098176,\"volumes\":[{\"volume\":0,\"sent\":3145728,\"stages\":{\"disk\":{\"buckets\":[[1,2]]}}}]}]}",
	"log-level-sys=3\nlog-path=/x\n# c\nmonitor-types=iostat\nmonitor-period=60\n",
	"MemTotal:       24684092 kB\nMemFree: 1 kB\n",
};

size_t bsr_fuzz_example(uint32_t index, uint8_t *out, size_t room)
{
	return fuzz_example_text(examples, sizeof(examples) / sizeof(examples[0]), index, out, room);
}

static void use(void *ctx, const struct mon_record *record)
{
	struct bsr_text line = {0};
	struct mon_line again;
	mon_print_record(ctx, record);
	if (record->peer[0] == '\0') { /* names of peers are checked where they are configured */
		mon_line_print(&line, record, "2026-11-20_14:06:05.123");
		if (mon_line_parse(&again, bsr_text_string(&line), line.length - 1) != NULL) {
			abort(); /* what we write we can read */
		}
	}
	bsr_text_free(&line);
}

static void as_counters(const char *text)
{
	struct json_object *object = json_tokener_parse(text);
	struct mon_filter filter = {.types = UINT32_MAX, .volume = -1};
	struct bsr_text out = {0};
	if (object != NULL && json_object_is_type(object, json_type_object)) {
		const struct mon_readings readings[] = {
			{"r0", NULL, object}, {"r0", object, object}, {NULL, object, object}};
		for (size_t i = 0; i < 3; i++) {
			mon_compute(&readings[i], &filter, use, &out);
		}
	}
	json_object_put(object);
	bsr_text_free(&out);
}

static void as_file(const char *text, size_t size)
{
	static struct mon_report report;
	static const char *const types[] = {"reqstat", "ioclat", "network"};
	struct mon_filter filter = {.volume = -1};
	for (size_t i = 0; i < 3; i++) {
		struct bsr_text out = {0};
		memset(&report, 0, sizeof(report));
		report.type = mon_type_at((uint32_t)mon_type_find(types[i]));
		report.filter = &filter;
		report.from = report.until = "";
		for (size_t at = 0; at < size;) {
			const char *end = memchr(text + at, '\n', size - at);
			const size_t length = end != NULL ? (size_t)(end - text) - at : size - at;
			mon_report_line(&report, text + at, length, "f", 1);
			at += length + 1;
		}
		mon_report_text(&report, "x", &out);
		json_object_put(mon_report_json(&report));
		bsr_text_free(&out);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct bsr_settings settings;
	struct bsr_text out = {0};
	char why[200];
	char *text = malloc(size + 1);
	if (text == NULL) {
		return 0;
	}
	memcpy(text, data, size);
	text[size] = '\0';
	as_file(text, size);
	as_counters(text);
	bsr_settings_defaults(&settings);
	bsr_settings_parse(&settings, text, size, why, sizeof(why));
	json_object_put(mon_host_parse(text));
	mon_clip(&out, text, size, 20);
	bsr_text_free(&out);
	free(text);
	return 0;
}
