// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * fuzz_config.c - any bytes as a configuration: no crash, and what is valid survives its own dump
 */
#include "config.h"
#include "../tests/fuzz.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

static struct bsr_config *parse(const char *text, size_t size, bool running)
{
	struct bsr_config *config = bsr_config_new();

	if (config == NULL) {
		abort();
	}
	config->no_includes = true;
	config->running = running;
	config->hostname = "alice";
	bsr_config_read_buffer(config, "fuzz", text, size);
	bsr_config_expand(config);
	return config;
}

/* The dump without its comments: they name lines of the file that was read. */
static char *dump(const struct bsr_config *config, bool expanded, size_t *size)
{
	const struct cfg_dump_options how = {.expanded = expanded};
	char *text = NULL;
	FILE *f = open_memstream(&text, size);

	if (f == NULL) {
		abort();
	}
	bsr_config_dump(config, &how, f);
	fclose(f);
	char *to = text;
	for (const char *line = text; *line != '\0';) {
		const size_t length = strcspn(line, "\n") + 1;
		if (*line != '#') {
			memmove(to, line, length);
			to += length;
		}
		line += length;
	}
	*to = '\0';
	*size = (size_t)(to - text);
	return text;
}

static void throw_away(const struct bsr_config *config, bool xml)
{
	size_t size;
	char *text = NULL;
	FILE *f = open_memstream(&text, &size);

	if (f == NULL) {
		abort();
	}
	if (xml) {
		bsr_config_dump_xml(config, NULL, f);
	}
	bsr_config_print_diagnostics(config, f);
	fclose(f);
	free(text);
}

static void check_fixed_point(const struct bsr_config *config)
{
	size_t first_size;
	size_t second_size;
	char *first = dump(config, false, &first_size);
	struct bsr_config *again = parse(first, first_size, false);

	if (bsr_config_error_count(again) != 0) {
		bsr_config_print_diagnostics(again, stderr);
		fputs(first, stderr);
		abort();
	}
	char *second = dump(again, false, &second_size);
	if (first_size != second_size || memcmp(first, second, first_size) != 0) {
		fprintf(stderr, "--- first\n%s--- second\n%s", first, second);
		abort();
	}
	bsr_config_free(again);
	free(first);
	free(second);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct bsr_config *config = parse((const char *)data, size, false);
	const bool valid = bsr_config_error_count(config) == 0;

	throw_away(config, valid);
	if (valid) {
		size_t ignored;
		free(dump(config, true, &ignored));
		check_fixed_point(config);
	}
	bsr_config_free(config);

	config = parse((const char *)data, size, true);
	throw_away(config, false);
	bsr_config_free(config);
	return 0;
}

static const char *const examples[] = {
	"global { usage-count no; disable-ip-verification; minor-count 64; dialog-refresh 5; }\n"
	"common { net { protocol C; ping-int 7; shared-secret \"a b\\\"c\"; } disk { c-max-rate 4M; no-al-updates; }\n"
	" options { quorum majority; svc-auto-up no; } startup { wfc-timeout 10; stacked-timeouts; }\n"
	" handlers { split-brain \"/bin/true a b\"; } proxy { memlimit 1M; plugin { zlib level 9; } } }\n"
	"resource r0 { device /dev/drbd0; disk /dev/sda1; meta-disk internal; net { use-rle; }\n"
	" on alice al { node-id 0; address 10.1.1.31:7000; options { target-only yes; } }\n"
	" on-linux bob { node-id 1; address ipv6 [fd01::3]:7000; disk none; } }\n",
	"resource \"1\" { volume 0 { device minor 10; disk /dev/sdb1; meta-disk /dev/sdm[0]; disk { resync-after a; } }\n"
	" volume 1 { device /dev/bsr_x minor 11; disk /dev/sdb2; flexible-meta-disk /dev/sdm2; }\n"
	" volume 2 { device minor 12; disk \"/dev/s b\"; meta-disk /dev/loop3 /etc/x; }\n"
	" on alice { node-id 0; address 10.1.1.1:7001; volume 0 { disk /dev/sdx; disk { al-extents 99; } } }\n"
	" on bob { node-id 1; address 10.1.1.2:7001; group g; public-address 1.2.3.4:7; }\n"
	" on carl { node-id 1; address 10.1.1.2:7001; group g; public-address 1.2.3.4:7; }\n"
	" on dan { node-id 3; address 10.1.1.3:7001; }\n"
	" connection-mesh { hosts alice dan; groups g; net { ko-count 9; } } }\n"
	"resource a { device minor 1; disk /dev/a; meta-disk internal; on alice { node-id 0; address 1.1.1.1:1; }\n"
	" floating ipv4 1.1.1.2:1 { node-id 2; }\n"
	" connection c1 { path { host alice address 9.9.9.9:9; address 1.1.1.2:1; } net { timeout 50; }\n"
	"  disk { c-min-rate 1M; } volume 0 { disk { c-plan-ahead 3; } } } skip on x { junk; } }\n",
	"resource p { device minor 8; disk /dev/d; meta-disk internal;\n"
	" on alice { node-id 0; address 10.0.0.1:3; proxy on alice { inside 127.0.0.1:1; outside 10.0.0.1:2;\n"
	"  options { read-loops 2; plugin { zlib level 9; } } } }\n"
	" on bob { node-id 1; address 10.0.0.2:3; group g; }\n"
	" connection { host alice port 7 via proxy on alice { inside 1.1.1.1:1; outside 1.1.1.2:2; }\n"
	"  group g address 10.0.0.2:3 public-address 4.4.4.4:4; } }\n"
	"resource w { volume 0 { device minor 9; disk /dev/e; meta-disk internal; }\n"
	" on-linux alice { node-id 0; address 10.0.0.1:4; }\n"
	" on-windows wolf { node-id 1; address 10.0.0.3:4; volume 0 { device E minor 2; disk E; meta-disk G \"C:\\x.vhd\"; } } }\n",
	"resource r0 {\n options {\n\tquorum majority;\n }\n _this_host {\n node-id 0; node-name \"alice\";\n"
	" volume 0 { device minor 0; disk \"/dev/sda1\"; meta-disk internal; disk { al-extents 1237; size 0s; # bytes\n }\n"
	" } options { svc-auto-up no; } }\n connection { _peer_node_id 1; _peer_node_name \"bob\";\n"
	" path { _this_host ipv4 10.1.1.31:7000; _remote_host ipv6 [fd01::1%eth0]:7000; } _is_standalone;\n"
	" net { protocol C; } volume 0 { disk { c-max-rate 4096k; } } } }\n",
	"require-drbd-module-version-ge 9.1.0;\n"
	"resource u { net { rr-conflict retry-connect; } stacked-on-top-of r0 { node-id 0; # {\n }\n"
	" on carl { node-id 1; device minor 3; disk \"/dev/}\"; address 1.2.3.4:5; meta-disk internal; } }\n",
};

size_t bsr_fuzz_example(uint32_t index, uint8_t *out, size_t room)
{
	return fuzz_example_text(examples, sizeof(examples) / sizeof(examples[0]), index, out, room);
}
