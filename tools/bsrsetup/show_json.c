// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * show_json.c - the running configuration as JSON
 *
 * Owns:       names and nesting of the members: those of DRBD's `show --json`, but for two of its names that occur twice in one
 *             object: options of a disk are "disk-options", several paths are "paths" (the first is "path", too).
 * Invariants: the values are text that the configuration language and the command lines take.
 */
#include "show_text.h"

#include "option_table.h"

#include <string.h>

static struct json_object *options_of(
	struct json_object *given, enum bsr_option_section section, bool show_defaults)
{
	struct json_object *out = json_object_new_object();
	size_t count = 0;
	const struct bsr_option *options = bsr_option_list(section, &count);

	for (size_t i = 0; i < count; i++) {
		const struct bsr_option *option = &options[i];
		const bool is_given = bsr_json_has(given, option->name);
		const char *text = is_given ? bsr_json_string(given, option->name) : option->default_text;
		if ((option->flags & BSR_OPTION_INTERNAL) != 0 && !is_given) {
			continue;
		}
		if (text == NULL || (!show_defaults && (!is_given || bsr_option_equal(option, text, NULL)))) {
			continue;
		}
		if (!is_given && (option->flags & BSR_OPTION_DRBD_ONLY) != 0) {
			continue;
		}
		json_object_object_add(out, option->name, json_object_new_string(text));
	}
	return out;
}

static void add_text(struct json_object *out, const char *name, const char *text)
{
	json_object_object_add(out, name, json_object_new_string(text));
}

static struct json_object *volume_of(struct json_object *volume, bool show_defaults)
{
	struct json_object *out = json_object_new_object();
	json_object_object_add(out, "volume_nr", json_object_new_int64(bsr_json_int(volume, "volume", -1)));
	json_object_object_add(out, "device_minor", json_object_new_int64(bsr_json_int(volume, "minor", -1)));
	if (bsr_json_has(volume, "disk")) {
		const char *index = bsr_json_string(volume, "meta_index");
		const bool internal = strcmp(index, "internal") == 0;
		add_text(out, "disk", bsr_json_string(volume, "disk"));
		add_text(out, "meta-disk", internal ? index : bsr_json_string(volume, "meta_disk"));
		if (!internal) {
			add_text(out, "meta-index", index);
		}
	} else {
		add_text(out, "disk", "none");
	}
	json_object_object_add(out, "disk-options",
		options_of(bsr_json_object(volume, "options"), BSR_SECTION_DISK, show_defaults));
	return out;
}

static struct json_object *path_of(struct json_object *path)
{
	static const char *const names[][2] = {{"_this_host", "local"}, {"_remote_host", "remote"}};
	struct json_object *out = json_object_new_object();
	for (size_t i = 0; i < 2; i++) {
		struct bsr_text text = {0};
		const char *address = bsr_json_string(path, names[i][1]);
		const char *colon = strchr(address, ':');
		if (colon != NULL) { /* "ipv4:10.0.0.1:7788" in the socket's form */
			bsr_text_add(&text, "%.*s %s", (int)(colon - address), address, colon + 1);
		}
		add_text(out, names[i][0], bsr_text_string(&text));
		bsr_text_free(&text);
	}
	return out;
}

static struct json_object *connection_of(struct json_object *connection, bool show_defaults)
{
	struct json_object *out = json_object_new_object();
	struct json_object *paths = json_object_new_array();
	struct json_object *volumes = json_object_new_array();
	struct json_object *from = bsr_json_array(connection, "paths");

	json_object_object_add(
		out, "_peer_node_id", json_object_new_int64(bsr_json_int(connection, "peer", -1)));
	for (size_t i = 0; i < bsr_json_count(from); i++) {
		json_object_array_add(paths, path_of(bsr_json_at(from, i)));
	}
	if (json_object_array_length(paths) > 0) {
		json_object_object_add(out, "path", json_object_get(json_object_array_get_idx(paths, 0)));
	}
	json_object_object_add(out, "paths", paths);
	json_object_object_add(out, "standalone", json_object_new_boolean(bsr_json_bool(connection, "standalone")));
	struct json_object *net =
		options_of(bsr_json_object(connection, "options"), BSR_SECTION_NET, show_defaults);
	if (!bsr_json_has(net, "_name")) {
		add_text(net, "_name", bsr_json_string(connection, "name"));
	}
	json_object_object_add(out, "net", net);
	from = bsr_json_array(connection, "volumes");
	for (size_t i = 0; i < bsr_json_count(from); i++) {
		struct json_object *volume = json_object_new_object();
		json_object_object_add(volume, "volume_nr",
			json_object_new_int64(bsr_json_int(bsr_json_at(from, i), "volume", -1)));
		json_object_object_add(volume, "disk",
			options_of(bsr_json_object(bsr_json_at(from, i), "options"), BSR_SECTION_PEER_DEVICE,
				show_defaults));
		json_object_array_add(volumes, volume);
	}
	json_object_object_add(out, "volumes", volumes);
	return out;
}

void bsr_show_json(struct bsr_text *out, struct json_object *config, bool show_defaults)
{
	struct json_object *top = json_object_new_object();
	struct json_object *host = json_object_new_object();
	struct json_object *volumes = json_object_new_array();
	struct json_object *connections = json_object_new_array();
	struct json_object *from = bsr_json_array(config, "volumes");

	add_text(top, "resource", bsr_json_string(config, "name"));
	json_object_object_add(top, "options",
		options_of(bsr_json_object(config, "options"), BSR_SECTION_RESOURCE, show_defaults));
	json_object_object_add(host, "node-id", json_object_new_int64(bsr_json_int(config, "node_id", -1)));
	for (size_t i = 0; i < bsr_json_count(from); i++) {
		json_object_array_add(volumes, volume_of(bsr_json_at(from, i), show_defaults));
	}
	json_object_object_add(host, "volumes", volumes);
	json_object_object_add(host, "options",
		options_of(bsr_json_object(config, "node_options"), BSR_SECTION_NODE, show_defaults));
	json_object_object_add(top, "_this_host", host);
	from = bsr_json_array(config, "connections");
	for (size_t i = 0; i < bsr_json_count(from); i++) {
		json_object_array_add(connections, connection_of(bsr_json_at(from, i), show_defaults));
	}
	json_object_object_add(top, "connections", connections);
	bsr_text_add(out, "%s",
		json_object_to_json_string_ext(top, JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_NOSLASHESCAPE));
	json_object_put(top);
}
