// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * config_test.c - what is read, what follows from it, and what is refused in which words
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "config.h"

static struct bsr_config *read_text(const char *text)
{
	struct bsr_config *config = bsr_config_new();

	assert_non_null(config);
	config->no_includes = true;
	config->hostname = "alice";
	bsr_config_read_buffer(config, "t", text, strlen(text));
	bsr_config_expand(config);
	return config;
}

static char *messages(const struct bsr_config *config)
{
	char *text = NULL;
	size_t size;
	FILE *f = open_memstream(&text, &size);

	assert_non_null(f);
	bsr_config_print_diagnostics(config, f);
	fclose(f);
	return text;
}

static struct bsr_config *read_valid(const char *text)
{
	struct bsr_config *config = read_text(text);

	if (bsr_config_error_count(config) != 0) {
		char *said = messages(config);
		print_message("%s", said);
		free(said);
	}
	assert_int_equal(bsr_config_error_count(config), 0);
	return config;
}

#define HOSTS                                                                                      \
	"on alice { node-id 0; address 10.0.0.1:7000; } on bob { node-id 1; address 10.0.0.2:7000; }"
#define VOLUME "device minor 0; disk /dev/a; meta-disk internal;"

/* Each text is wrong; its message, with line and column, must be among those printed. */
static const struct {
	const char *text;
	const char *message;
} refused[] = {
	{"foo;", "t:1:1: expected global | common | resource | include | skip; found 'foo'"},
	{"resourse r0 { }", "t:1:1: unknown word 'resourse'; did you mean 'resource'?"},
	{"resource r0 {\n  volume 0 {\n    devic minor 0;",
		"t:3:5: unknown word 'devic'; did you mean 'device'?"},
	{"resource { }", "t:1:10: expected the name of a resource, found '{'"},
	{"resource 123 { }",
		"t:1:10: expected the name of a resource (a number must be put in double quotes)"},
	{"resource \"\" { " VOLUME HOSTS " }", "a resource needs a name"},
	{"resource \"a/b\" { " VOLUME HOSTS " }", "resource names may not contain '/'"},
	{"resource all { " VOLUME HOSTS " }", "cannot be the name of a resource"},
	{"resource r0 { net { timeout 5 } }", "t:1:31: expected ';', found '}'"},
	{"resource r0 { net { timeout; } }", "t:1:28: expected a value for timeout, found ';'"},
	{"resource r0 { net { timeout 601; } }",
		"t:1:29: timeout: value '601' is too big; allowed: 1..600"},
	{"resource r0 { net { timeout 0; } }", "timeout: value '0' is too small; allowed: 1..600"},
	{"resource r0 { net { timeout x; } }", "timeout: value 'x' is not a number"},
	{"resource r0 { net { tcp-cork maybe; } }", "tcp-cork: value 'maybe' is not yes or no"},
	{"resource r0 { net { no-tcp-cork yes; } }", "no-tcp-cork takes no value"},
	{"resource r0 { net { after-sb-0pri x; } }",
		"allowed: disconnect | discard-younger-primary"},
	{"resource r0 { net { al-extents 100; } }", "t:1:21: expected"},
	{"resource r0 { net { ping-itn 100; } }",
		"t:1:21: unknown word 'ping-itn'; did you mean 'ping-int'?"},
	{"resource r0 { net { timeout 5; timeout 6; } }", "t:1:32: ambiguous value of timeout"},
	{"resource r0 { net { } net { } }",
		"t:1:23: conflicting use of net section; first used at t:1:15"},
	{"resource r0 { protocol C; protocol C; }", "conflicting use of protocol statement"},
	{"global { } global { }", "t:1:12: conflicting use of global; first used at t:1:1"},
	{"common { } common { }", "conflicting use of common"},
	{"common { on alice { node-id 0; } }", "'on' is not allowed in common"},
	{"resource r { " VOLUME HOSTS "}\nresource r { " VOLUME HOSTS "}",
		"t:2:1: conflicting use of resource r"},
	{"resource r { " VOLUME " on alice { node-id 0; } on ALICE { node-id 1; } }",
		"several host sections"},
	{"resource r { " VOLUME " on a { node-id 0; } on a { node-id 1; } }",
		"conflicting use of host a in resource r"},
	{"resource r { " VOLUME " on a { node-id 0; node-id 1; } }", "conflicting use of node-id"},
	{"resource r { " VOLUME " on a { node-id 32; } }",
		"node-id 32 is out of range: allowed are 0..31"},
	{"resource r { " VOLUME " on a { address 1.2.3.4:1; } }",
		"in resource r, on a: node-id keyword missing"},
	{"resource r { " VOLUME
	 " on a { node-id 3; address 1.2.3.4:1; } on b { node-id 3; address 1.2.3.5:1; } }",
		"node-id 3 duplicated"},
	{"resource r { " VOLUME " }", "host section missing"},
	{"resource r { " VOLUME " on a { node-id 0; address 1.2.3.4:0; } }",
		"port 0 is out of range"},
	{"resource r { " VOLUME " on a { node-id 0; address 1.2.3.4:65536; } }",
		"port 65536 is out of range"},
	{"resource r { " VOLUME " on a { node-id 0; address 1.2.3.256:1; } }",
		"'1.2.3.256' is not an IPv4 address"},
	{"resource r { " VOLUME " on a { node-id 0; address ipv6 [::g]:1; } }",
		"'::g' is not an IPv6 address"},
	{"resource r { " VOLUME " on a { node-id 0; address ipv6 1.2.3.4:1; } }",
		"expected '[' before an IPv6 address"},
	{"resource r { " VOLUME " on a { node-id 0; address ipv5 1.2.3.4:1; } }",
		"did you mean 'ipv4'?"},
	{"resource r { " VOLUME " on a { node-id 0; } on b { node-id 1; } }",
		"address keyword missing"},
	{"resource r { " VOLUME " floating 1.2.3.4:5 { node-id 0; address 1.2.3.4:5; } }",
		"address is not allowed in floating"},
	{"resource r { " HOSTS " }", "volume keyword missing"},
	{"resource r { device minor 0; disk /dev/a; " HOSTS " }", "meta-disk keyword missing"},
	{"resource r { device minor 0; meta-disk internal; " HOSTS " }", "disk keyword missing"},
	{"resource r { disk /dev/a; meta-disk internal; " HOSTS " }", "device keyword missing"},
	{"resource r { " VOLUME " volume 1 { " VOLUME " } " HOSTS " }", "mixing explicit volumes"},
	{"resource r { volume 1 { } volume 1 { } " HOSTS " }", "conflicting use of volume 1"},
	{"resource r { volume 65536 { } " HOSTS " }", "volume number 65536 is out of range"},
	{"resource r { on alice { node-id 0; address 1.1.1.1:1; volume 0 { " VOLUME " } }\n"
	 "on bob { node-id 1; address 1.1.1.2:1; volume 1 { device minor 1; disk /dev/b; meta-disk internal; } } }",
		"volume 0 is not defined on bob"},
	{"resource r { device /dev/sda; disk /dev/a; meta-disk internal; " HOSTS " }",
		"write /dev/bsrN"},
	{"resource r { device /dev/foo3; disk /dev/a; meta-disk internal; " HOSTS " }",
		"did you mean /dev/bsr3?"},
	{"resource r { device /dev/bsr0 minor 1; disk /dev/a; meta-disk internal; " HOSTS " }",
		"does not agree"},
	{"resource r { device /dev/bsr_x; disk /dev/a; meta-disk internal; " HOSTS " }",
		"needs its minor number"},
	{"resource r { device /dev/bsrx minor 1; disk /dev/a; meta-disk internal; " HOSTS " }",
		"follows an underscore"},
	{"resource r { device minor 1048576; disk /dev/a; meta-disk internal; " HOSTS " }",
		"out of range"},
	{"resource r { device minor 1; disk /dev/a; meta-disk /dev/b[256]; " HOSTS " }",
		"meta-disk index 256 is out of range"},
	{"resource r { device minor 1; disk /dev/a; meta-disk /dev/loop1 x; " HOSTS " }",
		"is not the path of a file"},
	{"resource r { " VOLUME " device minor 0; " HOSTS " }", "conflicting use of device"},
	{"resource r { " VOLUME " disk /dev/b; " HOSTS " }", "conflicting use of disk"},
	{"resource r { " VOLUME HOSTS
	 " }\nresource s { device minor 0; disk /dev/b; meta-disk internal;\n"
	 "on alice { node-id 0; address 10.0.0.1:7001; } on bob { node-id 1; address 10.0.0.2:7001; } }",
		"conflicting use of device-minor 0 on alice"},
	{"resource r { " VOLUME HOSTS
	 " }\nresource s { device minor 1; disk /dev/a; meta-disk internal;\n"
	 "on alice { node-id 0; address 10.0.0.1:7001; } on bob { node-id 1; address 10.0.0.2:7001; } }",
		"conflicting use of disk /dev/a on alice"},
	{"resource r { device minor 0; disk /dev/a; meta-disk /dev/a; " HOSTS " }",
		"conflicting use of disk /dev/a"},
	{"resource r { " VOLUME HOSTS
	 " }\nresource s { device minor 1; disk /dev/b; meta-disk internal;" HOSTS " }",
		"address ipv4:10.0.0.1:7000 is also used by the resource at t:1:1"},
	{"resource r { " VOLUME
	 " on alice { node-id 0; address 10.0.0.1:7; } on bob { node-id 1; address 10.0.0.1:7; } }",
		"used for both endpoints"},
	{"resource r { " VOLUME HOSTS " connection { } }",
		"a connection without path is not allowed"},
	{"resource r { " VOLUME HOSTS " connection { host alice; } }",
		"needs two ends, this one has 1"},
	{"resource r { " VOLUME HOSTS " connection { host alice; host bob; host bob; } }",
		"only two ends are allowed"},
	{"resource r { " VOLUME HOSTS " connection { host alice; host bbo; } }",
		"unknown host 'bbo'"},
	{"resource r { " VOLUME HOSTS " connection { host alice; address 9.9.9.9:9; } }",
		"belongs to no host section"},
	{"resource r { " VOLUME HOSTS " connection { host alice; host alice; } }",
		"both ends of this connection are alice"},
	{"resource r { " VOLUME HOSTS
	 " connection { path { host alice; host bob; } host alice; } }",
		"explicit and implicit paths are not allowed together"},
	{"resource r { " VOLUME HOSTS
	 " connection { host alice; host bob; path { host alice; host bob; } } }",
		"explicit and implicit paths are not allowed together"},
	{"resource r { " VOLUME HOSTS " connection { host alice; host bob; volume 7 { } } }",
		"reference to unknown volume 7"},
	{"resource r { " VOLUME HOSTS " connection { host alice; host bob; net { } net { } } }",
		"conflicting use of net"},
	{"resource r { " VOLUME HOSTS " connection-mesh { hosts alice bob carl; } }",
		"unknown host 'carl'"},
	{"resource r { " VOLUME HOSTS
	 " connection { host alice; host bob; } connection { host bob; host alice; } }",
		"conflicting use of connection between alice and bob"},
	{"resource r { " VOLUME HOSTS " disk { resync-after nix; } }",
		"resync-after: 'nix' is not the name of a resource"},
	{"resource r { " VOLUME HOSTS
	 " net { ping-int 3; } connection-mesh { hosts alice bob; net { ping-int 4; } } }",
		"ambiguous inheritance of option \"ping-int\""},
	{"resource r { " VOLUME HOSTS " stacked-on-top-of x { }", "expected '}'"},
	{"resource r { " VOLUME HOSTS " startup { wfc-timeout 300001; } }", "too big"},
	{"resource r { " VOLUME HOSTS " disk { resync-ratio 31; } }", "value '31' is malformed"},
	{"resource r { " VOLUME
	 " on a { node-id 0; address 1.1.1.1:1; group g; } on b { node-id 0; address 1.1.1.2:1; group g; } }",
		"address not equal"},
	{"resource r { " VOLUME
	 " on a { node-id 0; address 1.1.1.1:1; group g; } on b { node-id 1; address 1.1.1.1:1; group g; } }",
		"node-id not equal"},
	{"resource r {\n on \"x\n y\" { } }", "t:2:5: the string that begins here has no closing"},
	{"resource r { on a ! }", "character '!' is not allowed here"},
	{"include \"x\";", "include is not allowed in this text"},
	{"resource r { on a {", "expected '}' for the '{' of line 1, found end of file"},
	{"}", "t:1:1: '}' without a '{'"},
	{"skip resource r { on a { }", "t:1:6: the section after 'skip' does not end"},
	{"resource r { " VOLUME HOSTS " skip net }", "the section after 'skip' does not end"},
	{"skip", "the section after 'skip' does not end"},
	{"resource r { " VOLUME
	 " on alice { node-id 0; address 1.1.1.1:1; } on-windows w { node-id 1; address 1.1.1.2:1;"
	 " device E minor 2; disk F; } }",
		"must be the same drive"},
	{"global { minor-count 256; }", "minor-count: value '256' is too big; allowed: 1..255"},
	{"global { usage-count perhaps; }", "allowed: yes | no | ask"},
	{"global { disable-ip-verification yes; }", "this option takes no value"},
};

static void every_mistake_is_named_with_its_place(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
		struct bsr_config *config = read_text(refused[i].text);
		char *said = messages(config);
		if (bsr_config_error_count(config) == 0 ||
			strstr(said, refused[i].message) == NULL) {
			print_message("text: %s\nwanted: %s\nsaid: %s", refused[i].text,
				refused[i].message, said);
			fail();
		}
		free(said);
		bsr_config_free(config);
	}
}

static void all_mistakes_of_a_file_are_reported(void **state)
{
	struct bsr_config *config =
		read_text("resource r0 {\n foo;\n net { timeout 0;\n bar 1; ping-int x; }\n"
			  " disk { baz; }\n on alice { node-id 77; } }\nresourc r1 { a { b; } }\n");
	char *said = messages(config);

	(void)state;
	assert_non_null(strstr(said, "t:2:2:"));
	assert_non_null(strstr(said, "t:3:16:"));
	assert_non_null(strstr(said, "t:4:2:"));
	assert_non_null(strstr(said, "t:4:18:"));
	assert_non_null(strstr(said, "t:5:9:"));
	assert_non_null(strstr(said, "t:6:21:"));
	assert_non_null(strstr(said, "t:7:1:"));
	assert_int_equal(bsr_config_error_count(config), 7);
	free(said);
	bsr_config_free(config);
}

static void a_secret_is_never_printed(void **state)
{
	char text[400];
	char secret[101];

	(void)state;
	memset(secret, 'q', 100);
	secret[100] = '\0';
	snprintf(text, sizeof(text), "resource r { net { shared-secret \"%s\"; } }", secret);
	struct bsr_config *config = read_text(text);
	char *said = messages(config);
	assert_non_null(strstr(said, "shared-secret"));
	assert_null(strstr(said, "qqqq"));
	free(said);
	bsr_config_free(config);
}

static const char *option_of(
	const struct cfg_options *options, enum bsr_option_section section, const char *name)
{
	const struct cfg_option *option =
		bsr_config_find_option(options, bsr_option_find(section, name));

	return option != NULL ? option->value : NULL;
}

/* A legal value of @option that is not its default. */
static const char *other_value(const struct bsr_option *option, char *buffer, size_t size)
{
	switch (option->type) {
	case BSR_OPTION_BOOL:
	case BSR_OPTION_FLAG:
		return strcmp(option->default_text, "yes") == 0 ? "no" : "yes";
	case BSR_OPTION_ENUM:
		for (int64_t i = 0; bsr_option_word(option, i, buffer, size); i++) {
			if (strcmp(buffer, option->default_text) != 0) {
				return buffer;
			}
		}
		return NULL;
	case BSR_OPTION_NUMBER:
		snprintf(buffer, size, "%lld", (long long)option->max);
		return buffer;
	case BSR_OPTION_RATIO:
		return "3:1";
	case BSR_OPTION_RESYNC_AFTER:
		return "7";
	case BSR_OPTION_STRING:
		return "word";
	}
	return NULL;
}

static const struct cfg_options *destination(
	const struct bsr_config *config, enum bsr_option_section section)
{
	const struct cfg_resource *r = config->resources.first;

	switch (section) {
	case BSR_SECTION_DISK:
		return &r->me->expanded.first->disk_options;
	case BSR_SECTION_PEER_DEVICE:
		return &r->connections.first->peer_devices.first->peer_options;
	case BSR_SECTION_NET:
		return &r->connections.first->net;
	case BSR_SECTION_NODE:
		return &r->me->node_options;
	case BSR_SECTION_RESOURCE:
	case BSR_SECTION_STARTUP:
	case BSR_SECTION_HANDLERS:
		return &r->options[section];
	case BSR_SECTION_GLOBAL:
	case BSR_SECTION_PROXY:
	case BSR_SECTION_DEVICE:
	case BSR_SECTION_COUNT:
		break;
	}
	return NULL;
}

/*
 * The same option from common, from the resource, and from both: it arrives where the command lines
 * take it from.
 */
static void inherit_one(const struct bsr_option *option)
{
	char buffer[64];
	char text[1024];
	const char *value = other_value(option, buffer, sizeof(buffer));
	const char *section = bsr_option_section_name(option->section);

	assert_non_null(value);
	for (unsigned int from = 1; from < 4; from++) {
		const char *in_common = (from & 2) == 0 ? value : option->default_text;
		if ((option->flags & BSR_OPTION_RANGE_LATER) != 0 && from == 3) {
			continue; /* its default may lie outside of its range */
		}
		if (from == 3 && in_common == NULL) {
			in_common = "other";
		}
		if (option->type == BSR_OPTION_RATIO && from == 3) {
			in_common = "1:1";
		}
		snprintf(text, sizeof(text),
			"common { %s { %s%s%s%s } }\nresource r { " VOLUME HOSTS
			" %s { %s%s%s%s } }",
			section, from != 2 ? option->name : "", from != 2 ? " \"" : "",
			from == 1   ? value
			: from == 3 ? in_common
				    : "",
			from != 2 ? "\";" : "", section, from != 1 ? option->name : "",
			from != 1 ? " \"" : "", from != 1 ? value : "", from != 1 ? "\";" : "");
		struct bsr_config *config = read_valid(text);
		const struct cfg_options *options = destination(config, option->section);
		assert_non_null(options);
		assert_string_equal(option_of(options, option->section, option->name), value);
		bsr_config_free(config);
	}
}

static void every_option_is_inherited(void **state)
{
	static const enum bsr_option_section sections[] = {BSR_SECTION_DISK,
		BSR_SECTION_PEER_DEVICE, BSR_SECTION_NET, BSR_SECTION_RESOURCE, BSR_SECTION_NODE,
		BSR_SECTION_STARTUP, BSR_SECTION_HANDLERS};

	(void)state;
	for (size_t s = 0; s < sizeof(sections) / sizeof(sections[0]); s++) {
		size_t count;
		const struct bsr_option *list = bsr_option_list(sections[s], &count);
		for (size_t i = 0; i < count; i++) {
			if ((list[i].flags & BSR_OPTION_INTERNAL) == 0) {
				inherit_one(&list[i]);
			}
		}
	}
}

static void booleans_have_three_spellings(void **state)
{
	struct bsr_config *config = read_valid(
		"resource r { " VOLUME HOSTS " net { use-rle; no-tcp-cork; always-asbp yes; } }");
	const struct cfg_options *net = &config->resources.first->options[BSR_SECTION_NET];

	(void)state;
	assert_string_equal(option_of(net, BSR_SECTION_NET, "use-rle"), "yes");
	assert_string_equal(option_of(net, BSR_SECTION_NET, "tcp-cork"), "no");
	assert_string_equal(option_of(net, BSR_SECTION_NET, "always-asbp"), "yes");
	bsr_config_free(config);
}

static void host_names_compare_like_people_write_them(void **state)
{
	(void)state;
	assert_true(bsr_config_same_host("alice", "ALICE"));
	assert_true(bsr_config_same_host("alice", "alice.example.org"));
	assert_true(bsr_config_same_host("alice.example.org", "alice"));
	assert_false(bsr_config_same_host("alice.example.org", "alice.example.com"));
	assert_false(bsr_config_same_host("alice", "alic"));
}

static void two_spellings_of_one_value_do_not_conflict(void **state)
{
	struct bsr_config *config =
		read_valid("resource r { " VOLUME HOSTS " disk { c-max-rate 4M; }"
			   " connection { host alice; host bob; disk { c-max-rate 4096; } }"
			   " net { timeout 60; timeout 60; } }");

	(void)state;
	bsr_config_free(config);
}

static void global_hostname_says_who_we_are(void **state)
{
	struct bsr_config *config =
		read_valid("global { hostname bob; } resource r { " VOLUME HOSTS " }");

	(void)state;
	assert_string_equal(config->resources.first->me->label, "bob");
	assert_string_equal(config->resources.first->connections.first->label, "alice");
	bsr_config_free(config);
}

static void two_hosts_need_no_connection_section(void **state)
{
	struct bsr_config *config = read_valid("resource r { " VOLUME HOSTS " }");
	const struct cfg_connection *c = config->resources.first->connections.first;

	(void)state;
	assert_non_null(c);
	assert_null(c->next);
	assert_string_equal(c->label, "bob");
	assert_int_equal(c->peer->node_id, 1);
	bsr_config_free(config);
}

static void three_hosts_need_one(void **state)
{
	struct bsr_config *config = read_valid(
		"resource r { " VOLUME HOSTS " on carl { node-id 2; address 10.0.0.3:7000; } }");
	char *said = messages(config);

	(void)state;
	assert_null(config->resources.first->connections.first);
	assert_non_null(strstr(said, "connection-mesh"));
	free(said);
	bsr_config_free(config);
}

static void a_mesh_connects_every_pair(void **state)
{
	struct bsr_config *config = read_valid(
		"resource r { " VOLUME HOSTS " on carl { node-id 2; address 10.0.0.3:7000; }"
		" connection-mesh { hosts alice bob carl; net { ping-int 9; } } }");
	unsigned int ours = 0;
	unsigned int all = 0;

	(void)state;
	for (const struct cfg_connection *c = config->resources.first->connections.first; c != NULL;
		c = c->next) {
		all++;
		ours += c->self != NULL ? 1 : 0;
		assert_string_equal(option_of(&c->net, BSR_SECTION_NET, "ping-int"), "9");
	}
	assert_int_equal(all, 3);
	assert_int_equal(ours, 2);
	bsr_config_free(config);
}

static void peers_are_reached_at_their_public_address(void **state)
{
	struct bsr_config *config =
		read_valid("resource r { " VOLUME " on alice { node-id 0; address 10.0.0.1:7; }"
			   " on bob { node-id 1; address 10.0.0.2:7; public-address 4.4.4.4:8; }"
			   " connection { host alice; host bob; } }");
	const struct cfg_connection *c = config->resources.first->connections.first;
	const struct cfg_endpoint *own;
	const struct cfg_endpoint *remote;

	(void)state;
	bsr_config_path_ends(c, c->paths.first, &own, &remote);
	assert_string_equal(own->own.host, "10.0.0.1");
	assert_string_equal(remote->visible.host, "4.4.4.4");
	assert_int_equal(remote->visible.port, 8);
	bsr_config_free(config);
}

static void skip_hides_anything(void **state)
{
	struct bsr_config *config =
		read_valid("skip resource x { \x01 !! { } \"open\n }\nresource r { " VOLUME HOSTS
			   " skip net { nonsense { deep { } } } }");

	(void)state;
	assert_string_equal(config->resources.first->name, "r");
	assert_null(config->resources.first->next);
	bsr_config_free(config);
}

static void hostile_text_ends_quickly(void **state)
{
	const size_t size = 4u << 20;
	char *text = malloc(size + 1);

	(void)state;
	assert_non_null(text);
	static const char fillers[] = {'{', '}', '"', 'a', ';', '\0', '\\', '[', '#', '\n'};
	for (size_t i = 0; i < sizeof(fillers); i++) {
		memset(text, fillers[i], size);
		memcpy(text, "resource r { net { ", 19);
		struct bsr_config *config = bsr_config_new();
		assert_non_null(config);
		config->no_includes = true;
		bsr_config_read_buffer(config, "t", text, size);
		bsr_config_expand(config);
		assert_true(bsr_config_error_count(config) > 0);
		bsr_config_free(config);
	}
	free(text);
}

static void what_runs_is_read_back(void **state)
{
	static const char text[] =
		"# comment\nresource r0 {\n options {\n\tquorum\t\tmajority;\n }\n _this_host {\n"
		"  node-id\t\t\t0;\n  node-name\t\t\"alice\";\n  volume 0 {\n   device\t\t\tminor 3;\n"
		"   disk\t\t\t\"/dev/a\";\n   meta-disk\t\t\t\"/dev/m\" [ 2 ];\n   disk {\n    size 8s; # bytes\n   }\n"
		"  }\n }\n connection {\n  _peer_node_id 1;\n  _peer_node_name\t\"bob\";\n  path {\n"
		"   _this_host ipv4 10.0.0.1:7;\n   _remote_host ipv6 [fd01::1]:7;\n  }\n  _is_standalone;\n"
		"  net {\n   protocol C;\n  }\n  volume 0 {\n   disk {\n    c-max-rate 4096k;\n   }\n  }\n }\n}\n";
	struct bsr_config *config = bsr_config_new();

	(void)state;
	config->running = true;
	bsr_config_read_buffer(config, "show", text, strlen(text));
	bsr_config_expand(config);
	assert_int_equal(bsr_config_error_count(config), 0);
	const struct cfg_resource *r = config->resources.first;
	assert_int_equal(r->me->node_id, 0);
	assert_int_equal(r->me->expanded.first->minor, 3);
	assert_string_equal(r->me->expanded.first->meta_index, "2");
	assert_int_equal(r->connections.first->peer_node_id, 1);
	assert_true(r->connections.first->standalone);
	assert_string_equal(r->connections.first->paths.first->end[1].address.host, "fd01::1");
	bsr_config_free(config);
}

static void windows_hosts_have_drives(void **state)
{
	struct bsr_config *config =
		read_valid("resource r { " VOLUME " on alice { node-id 0; address 1.1.1.1:1; }"
			   " on-windows w { node-id 1; address 1.1.1.2:1; device E minor 2; disk E;"
			   " meta-disk G \"C:\\x\\\\y.vhd\"; } }");
	const struct cfg_volume *v = config->resources.first->hosts.last->expanded.first;

	(void)state;
	assert_string_equal(v->device, "E");
	assert_int_equal(v->minor, 2);
	assert_string_equal(v->meta_index, "C:\\x\\y.vhd");
	bsr_config_free(config);
}

static void suggestions_are_near_or_absent(void **state)
{
	static const char *const words[] = {"protocol", "ping-int", "timeout"};

	(void)state;
	assert_string_equal(bsr_config_suggest("protocl", words, 3), "protocol");
	assert_string_equal(bsr_config_suggest("pign-int", words, 3), "ping-int");
	assert_null(bsr_config_suggest("elephant", words, 3));
	assert_null(bsr_config_suggest("", words, 3));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_mistake_is_named_with_its_place),
		cmocka_unit_test(all_mistakes_of_a_file_are_reported),
		cmocka_unit_test(a_secret_is_never_printed),
		cmocka_unit_test(every_option_is_inherited),
		cmocka_unit_test(booleans_have_three_spellings),
		cmocka_unit_test(host_names_compare_like_people_write_them),
		cmocka_unit_test(two_spellings_of_one_value_do_not_conflict),
		cmocka_unit_test(global_hostname_says_who_we_are),
		cmocka_unit_test(two_hosts_need_no_connection_section),
		cmocka_unit_test(three_hosts_need_one),
		cmocka_unit_test(a_mesh_connects_every_pair),
		cmocka_unit_test(peers_are_reached_at_their_public_address),
		cmocka_unit_test(skip_hides_anything),
		cmocka_unit_test(hostile_text_ends_quickly),
		cmocka_unit_test(what_runs_is_read_back),
		cmocka_unit_test(windows_hosts_have_drives),
		cmocka_unit_test(suggestions_are_near_or_absent),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
