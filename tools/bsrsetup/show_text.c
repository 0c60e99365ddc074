// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * show_text.c - the running configuration in the configuration language
 *
 * Owns:       layout of the `show` text: the parser of bsradm reads it back.
 * Invariants: every option of the running configuration that differs from its default is printed.
 */
#include "show_text.h"

#include "names.h"
#include "option_table.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

struct show {
	struct bsr_text *out;
	int depth;
	bool defaults;
};

static void show_line(struct show *show, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

static void show_line(struct show *show, const char *format, ...)
{
	char line[8192];
	va_list args;
	va_start(args, format);
	vsnprintf(line, sizeof(line), format, args);
	va_end(args);
	bsr_text_add(show->out, "%*s%s\n", show->depth * 4, "", line);
}

static void show_open(struct show *show, const char *head)
{
	show_line(show, "%s {", head);
	show->depth++;
}

static void show_close(struct show *show)
{
	show->depth--;
	show_line(show, "}");
}

/* A string of the language: quotes and backslashes are escaped. */
static const char *quoted(char *buffer, size_t room, const char *text)
{
	size_t used = 0;
	buffer[used++] = '"';
	for (; *text != '\0' && used + 3 < room; text++) {
		if (*text == '"' || *text == '\\') {
			buffer[used++] = '\\';
		}
		buffer[used++] = *text;
	}
	buffer[used++] = '"';
	buffer[used] = '\0';
	return buffer;
}

static void show_option(struct show *show, const struct bsr_option *option, const char *text)
{
	char value[512];
	struct bsr_option_value parsed;
	const char *unit = bsr_option_unit_word(option->unit);
	const bool is_default = bsr_option_equal(option, text, NULL);

	if (option->type == BSR_OPTION_STRING || option->type == BSR_OPTION_RATIO) {
		quoted(value, sizeof(value), text);
	} else if (bsr_option_parse(option, text, &parsed) == BSR_OPTION_OK) {
		bsr_option_format(option, &parsed, value, sizeof(value));
	} else {
		quoted(value, sizeof(value), text);
	}
	char comment[96] = "";
	if (unit[0] != '\0') {
		snprintf(comment, sizeof(comment), " # %s", unit);
	}
	if (is_default) {
		size_t used = strlen(comment);
		snprintf(comment + used, sizeof(comment) - used, " # default");
	}
	show_line(show, "%-16s\t%s;%s", option->name, value, comment);
}

/* What of @given belongs into this section; false when there is nothing to show. */
static bool shown_option(struct show *show, const struct bsr_option *option,
	struct json_object *given, const char **text)
{
	const bool drbd_name = bsr_names()->drbd && strcmp(option->name, "_name") == 0;

	if ((option->flags & BSR_OPTION_INTERNAL) != 0 && !drbd_name) {
		return false;
	}
	if (bsr_json_has(given, option->name)) {
		*text = bsr_json_string(given, option->name);
		return show->defaults || !bsr_option_equal(option, *text, NULL);
	}
	*text = option->default_text;
	return show->defaults && *text != NULL && (option->flags & BSR_OPTION_DRBD_ONLY) == 0;
}

static void show_options(struct show *show, const char *head, enum bsr_option_section section,
	struct json_object *given)
{
	size_t count = 0;
	const struct bsr_option *options = bsr_option_list(section, &count);
	bool open = false;
	for (size_t i = 0; i < count; i++) {
		const char *text = NULL;
		if (!shown_option(show, &options[i], given, &text)) {
			continue;
		}
		if (!open) {
			show_open(show, head);
			open = true;
		}
		show_option(show, &options[i], text);
	}
	if (open) {
		show_close(show);
	}
}

static void show_name(struct show *show, const char *label, const char *tabs, const char *name)
{
	char text[300];
	if (name[0] != '\0') {
		show_line(show, "%s%s%s;", label, tabs, quoted(text, sizeof(text), name));
	}
}

static void show_disk(struct show *show, struct json_object *volume)
{
	char text[8192];
	if (!bsr_json_has(volume, "disk")) {
		show_line(show, "disk\t\t\tnone;");
		return;
	}
	show_line(show, "disk\t\t\t%s;",
		quoted(text, sizeof(text), bsr_json_string(volume, "disk")));
	const char *index = bsr_json_string(volume, "meta_index");
	if (strcmp(index, "internal") == 0) {
		show_line(show, "meta-disk\t\t\tinternal;");
		return;
	}
	quoted(text, sizeof(text), bsr_json_string(volume, "meta_disk"));
	if (strcmp(index, "flexible") == 0) {
		show_line(show, "meta-disk\t\t\t%s;", text);
	} else {
		show_line(show, "meta-disk\t\t\t%s [ %s ];", text, index);
	}
}

static void show_this_host(struct show *show, struct json_object *config)
{
	struct json_object *node = bsr_json_object(config, "node_options");
	struct json_object *volumes = bsr_json_array(config, "volumes");
	show_open(show, "_this_host");
	show_line(show, "node-id\t\t\t%" PRId64 ";", bsr_json_int(config, "node_id", -1));
	if (!bsr_names()->drbd) {
		show_name(show, "node-name", "\t\t", bsr_json_string(node, "node-name"));
		show_name(show, "group", "\t\t\t", bsr_json_string(node, "group"));
	}
	for (size_t i = 0; i < bsr_json_count(volumes); i++) {
		struct json_object *volume = bsr_json_at(volumes, i);
		char head[32];
		snprintf(head, sizeof(head), "volume %" PRId64,
			bsr_json_int(volume, "volume", -1));
		show_open(show, head);
		show_line(show, "device\t\t\tminor %" PRId64 ";",
			bsr_json_int(volume, "minor", -1));
		show_disk(show, volume);
		show_options(show, "disk", BSR_SECTION_DISK, bsr_json_object(volume, "options"));
		show_close(show);
	}
	show_options(show, "options", BSR_SECTION_NODE, node);
	show_close(show);
}

/* "ipv4:10.0.0.1:7788" in the socket's form, "ipv4 10.0.0.1:7788" in the language. */
static void show_endpoint(struct show *show, const char *label, const char *text)
{
	const char *colon = strchr(text, ':');
	if (colon == NULL) {
		return;
	}
	show_line(show, "%s %.*s %s;", label, (int)(colon - text), text, colon + 1);
}

static void show_connection(struct show *show, struct json_object *connection)
{
	struct json_object *options = bsr_json_object(connection, "options");
	struct json_object *paths = bsr_json_array(connection, "paths");
	struct json_object *volumes = bsr_json_array(connection, "volumes");
	const char *node_name = bsr_json_string(options, "peer-node-name");

	show_open(show, "connection");
	show_line(show, "_peer_node_id %" PRId64 ";", bsr_json_int(connection, "peer", -1));
	if (!bsr_names()->drbd) {
		show_name(show, "_peer_node_name", "\t",
			node_name[0] != '\0' ? node_name : bsr_json_string(connection, "name"));
		show_name(show, "_peer_node_group", "\t", bsr_json_string(options, "peer-node-group"));
	}
	for (size_t i = 0; i < bsr_json_count(paths); i++) {
		struct json_object *path = bsr_json_at(paths, i);
		show_open(show, "path");
		show_endpoint(show, "_this_host", bsr_json_string(path, "local"));
		show_endpoint(show, "_remote_host", bsr_json_string(path, "remote"));
		show_close(show);
	}
	if (bsr_json_bool(connection, "standalone")) {
		show_line(show, bsr_names()->drbd ? "_cstate StandAlone;" : "_is_standalone;");
	}
	show_options(show, "net", BSR_SECTION_NET, options);
	for (size_t i = 0; i < bsr_json_count(volumes); i++) {
		struct json_object *volume = bsr_json_at(volumes, i);
		struct json_object *given = bsr_json_object(volume, "options");
		size_t before = show->out->length;
		char head[32];
		snprintf(head, sizeof(head), "volume %" PRId64,
			bsr_json_int(volume, "volume", -1));
		show_open(show, head);
		size_t empty = show->out->length;
		show_options(show, "disk", BSR_SECTION_PEER_DEVICE, given);
		if (show->out->length == empty) { /* nothing to show: as if it never began */
			show->depth--;
			show->out->length = before;
			show->out->bytes[before] = '\0';
			continue;
		}
		show_close(show);
	}
	show_close(show);
}

/* Bare words need no quotes; a number would be read as one. */
static bool is_bare_word(const char *name)
{
	const size_t length = strlen(name);
	return length > 0 && length <= 128 &&
		strspn(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789/._-") ==
		length &&
		strspn(name, "0123456789") != length;
}

void bsr_show_text(struct bsr_text *out, struct json_object *config, bool show_defaults)
{
	struct show show = {.out = out, .defaults = show_defaults};
	struct json_object *connections = bsr_json_array(config, "connections");
	const char *name = bsr_json_string(config, "name");
	char quotes[512];
	char head[600];

	snprintf(head, sizeof(head), "resource %s",
		is_bare_word(name) ? name : quoted(quotes, sizeof(quotes), name));
	show_open(&show, head);
	show_options(
		&show, "options", BSR_SECTION_RESOURCE, bsr_json_object(config, "options"));
	show_this_host(&show, config);
	for (size_t i = 0; i < bsr_json_count(connections); i++) {
		show_connection(&show, bsr_json_at(connections, i));
	}
	show_close(&show);
	bsr_text_add(out, "\n");
}
