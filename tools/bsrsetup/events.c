// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * events.c - what `events2` prints: a model of one resource, fed with snapshots and events
 *
 * Owns:       the last values of all objects of a resource, and the form of the lines.
 * Invariants: a `change` line names only fields whose text has changed; no change, no line.
 */
#include "events.h"

#include "color.h"
#include "event_fields.h"
#include "names.h"
#include "progress.h"

#include <bsr/assert.h>

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

struct object {
	const char *word; /* "peer-device"; static */
	char *identity;	  /* word and keys: equal for the same object */
	struct json_object *keys;
	struct json_object *fields;
	bool seen; /* in the snapshot that is being taken over */
	struct object *next; /* in order of creation */
};

struct bsr_events_model {
	char *name; /* of the resource */
	char instance[32];
	struct object *first;
	struct json_object *devices;	  /* volume as text -> last device object */
	struct json_object *peer_devices; /* "peer/volume" -> last peer-device object */
	struct json_object *connections;  /* node id as text -> last connection object */
	struct json_object *resource;	  /* last resource object, or NULL */
	bool filled;			  /* a snapshot was taken over */
};

/** What happens now: passed down instead of five parameters. */
struct scene {
	struct bsr_events_model *model;
	struct bsr_text *out;
	const struct bsr_events_style *style;
	int64_t time_us;
	int64_t seq;	    /* -1: none */
	const char *action; /* for objects that are new */
};

/* ------------------------------------------------------------------- lines */

static void add_time(struct bsr_text *out, int64_t time_us)
{
	time_t seconds = (time_t)(time_us / 1000000);
	struct tm local;
	char date[40] = "1970-01-01T00:00:00";
	char zone[8] = "+0000";
	if (localtime_r(&seconds, &local) != NULL) {
		(void)strftime(date, sizeof(date), "%Y-%m-%dT%H:%M:%S", &local);
		(void)strftime(zone, sizeof(zone), "%z", &local);
	}
	bsr_text_add(out, "%s.%06d%.3s:%.2s", date, (int)(time_us % 1000000), zone, zone + 3);
}

static const char *field_color(const char *word, const char *name, const char *value)
{
	const bool own = strcmp(word, "resource") == 0;
	if (strcmp(name, "role") == 0) {
		return bsr_color_role(value, !own);
	}
	if (strcmp(name, "disk") == 0 || strcmp(name, "peer-disk") == 0) {
		return bsr_color_disk(value, name[0] == 'p', false);
	}
	if (strcmp(name, "connection") == 0) {
		return bsr_color_connection(value);
	}
	if (strcmp(name, "replication") == 0) {
		return bsr_color_replication(value);
	}
	return strcmp(name, "error") == 0 ? bsr_color_bad(false) : "";
}

static void add_json_pair(struct bsr_text *out, const char *name, struct json_object *value)
{
	bsr_text_add(out, ",\"%s\":%s", name,
		json_object_to_json_string_ext(
			value, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE));
}

static void add_field(const struct scene *scene, const char *word, const char *name,
	struct json_object *value, struct json_object *old)
{
	const char *text = json_object_get_string(value);
	const bool diff = scene->style->diff;
	if (scene->style->json) {
		struct bsr_text both = {0};
		if (diff) {
			bsr_text_add(&both, "%s->%s",
				old == NULL ? "UNKNOWN" : json_object_get_string(old), text);
			struct json_object *pair = json_object_new_string(bsr_text_string(&both));
			add_json_pair(scene->out, name, pair);
			json_object_put(pair);
		} else {
			add_json_pair(scene->out, name, value);
		}
		bsr_text_free(&both);
		return;
	}
	const char *color = scene->style->color ? field_color(word, name, text) : "";
	bsr_text_add(scene->out, " %s:", name);
	if (diff) {
		bsr_text_add(scene->out, "%s->",
			old == NULL ? "UNKNOWN" : json_object_get_string(old));
	}
	bsr_text_add(scene->out, "%s%s%s", color, text, color[0] != '\0' ? BSR_COLOR_END : "");
}

static void line_begin(const struct scene *scene, const char *action, const char *word,
	struct json_object *keys)
{
	if (scene->style->json) {
		bsr_text_add(scene->out, "{\"timestamp\":\"");
		add_time(scene->out, scene->time_us);
		bsr_text_add(scene->out, "\",\"action\":\"%s\",\"object\":\"%s\"", action, word);
	} else {
		if (scene->style->timestamps) {
			add_time(scene->out, scene->time_us);
			bsr_text_add(scene->out, " ");
		}
		const bool red = scene->style->color && strcmp(word, "io-error") == 0;
		bsr_text_add(scene->out, "%s %s%s%s", action, red ? bsr_color_bad(false) : "", word,
			red ? BSR_COLOR_END : "");
	}
	if (keys == NULL) {
		return;
	}
	json_object_object_foreach(keys, name, value)
	{
		if (scene->style->json) {
			add_json_pair(scene->out, name, value);
		} else {
			bsr_text_add(
				scene->out, " %s:%s", name, json_object_get_string(value));
		}
	}
}

static void line_end(const struct scene *scene)
{
	if (scene->style->json && scene->style->cursor && scene->model != NULL && scene->seq >= 0) {
		bsr_text_add(scene->out, ",\"cursor\":\"%s:%" PRId64 "\"", scene->model->instance, scene->seq);
	}
	bsr_text_add(scene->out, "%s\n", scene->style->json ? "}" : "");
}

static bool same_text(struct json_object *a, struct json_object *b)
{
	return a != NULL && b != NULL &&
		strcmp(json_object_get_string(a), json_object_get_string(b)) == 0;
}

static void print_new(const struct scene *scene, const char *action, const char *word,
	struct json_object *keys, struct json_object *fields)
{
	line_begin(scene, action, word, keys);
	if (fields != NULL) {
		json_object_object_foreach(fields, name, value)
		{
			add_field(scene, word, name, value, NULL);
		}
	}
	line_end(scene);
}

static bool has_changed(const struct object *object, struct json_object *fields)
{
	json_object_object_foreach(fields, name, value)
	{
		struct json_object *old = NULL;
		(void)json_object_object_get_ex(object->fields, name, &old);
		if (!same_text(old, value)) {
			return true;
		}
	}
	return false;
}

static void print_change(
	const struct scene *scene, const struct object *object, struct json_object *fields)
{
	const bool changed = has_changed(object, fields);
	bool begun = false;
	json_object_object_foreach(fields, name, value)
	{
		struct json_object *old = NULL;
		(void)json_object_object_get_ex(object->fields, name, &old);
		if (same_text(old, value) && !(changed && scene->style->full)) {
			continue;
		}
		if (!begun) {
			line_begin(scene, "change", object->word, object->keys);
			begun = true;
		}
		add_field(scene, object->word, name, value, old);
	}
	if (begun) {
		line_end(scene);
	}
}

/* ------------------------------------------------------------------- model */

struct bsr_events_model *bsr_events_model_create(const char *resource, bool is_new)
{
	struct bsr_events_model *model = calloc(1, sizeof(*model));
	if (model == NULL || (model->name = strdup(resource)) == NULL) {
		fputs("out of memory\n", stderr);
		exit(20);
	}
	model->devices = json_object_new_object();
	model->peer_devices = json_object_new_object();
	model->connections = json_object_new_object();
	model->filled = is_new;
	return model;
}

static void object_free(struct object *object)
{
	json_object_put(object->keys);
	json_object_put(object->fields);
	free(object->identity);
	free(object);
}

static void forget_everything(struct bsr_events_model *model)
{
	while (model->first != NULL) {
		struct object *object = model->first;
		model->first = object->next;
		object_free(object);
	}
	json_object_put(model->devices);
	json_object_put(model->peer_devices);
	json_object_put(model->connections);
	json_object_put(model->resource);
	model->devices = json_object_new_object();
	model->peer_devices = json_object_new_object();
	model->connections = json_object_new_object();
	model->resource = NULL;
	model->filled = false;
}

void bsr_events_model_free(struct bsr_events_model *model)
{
	forget_everything(model);
	json_object_put(model->devices);
	json_object_put(model->peer_devices);
	json_object_put(model->connections);
	free(model->name);
	free(model);
}

static char *identity_of(const char *word, struct json_object *keys)
{
	struct bsr_text text = {0};
	bsr_text_add(&text, "%s %s", word,
		json_object_to_json_string_ext(keys, JSON_C_TO_STRING_PLAIN));
	return text.bytes;
}

static struct object **object_find(struct bsr_events_model *model, const char *identity)
{
	struct object **at = &model->first;
	while (*at != NULL && strcmp((*at)->identity, identity) != 0) {
		at = &(*at)->next;
	}
	return at;
}

/* Objects that DRBD's lines do not know. */
static bool only_bsr_has(const char *word)
{
	return strncmp(word, "gi-", 3) == 0 || strstr(word, "node") != NULL;
}

/* Takes keys and fields over; fields NULL: nothing known, nothing said. */
static void object_put(
	const struct scene *scene, const char *word, struct json_object *keys, struct json_object *fields)
{
	if (fields == NULL || (bsr_names()->drbd && only_bsr_has(word))) {
		json_object_put(keys);
		json_object_put(fields);
		return;
	}
	char *identity = identity_of(word, keys);
	struct object **at = object_find(scene->model, identity);
	if (*at != NULL) {
		print_change(scene, *at, fields);
		json_object_put((*at)->fields);
		(*at)->fields = fields;
		(*at)->seen = true;
		json_object_put(keys);
		free(identity);
		return;
	}
	struct object *object = calloc(1, sizeof(*object));
	if (object == NULL) {
		fputs("out of memory\n", stderr);
		exit(20);
	}
	*object = (struct object){
		.word = word, .identity = identity, .keys = keys, .fields = fields, .seen = true};
	*at = object; /* at the end: object_find() stopped there */
	print_new(scene, scene->action, word, keys, fields);
}

static void object_destroy(const struct scene *scene, struct object **at)
{
	struct object *object = *at;
	*at = object->next;
	/* what hangs on a disk or a name has no life of its own */
	if (!only_bsr_has(object->word)) {
		line_begin(scene, "destroy", object->word, object->keys);
		line_end(scene);
	}
	object_free(object);
}

/* --------------------------------------------- objects of the control socket */

static struct json_object *keys_of(const struct scene *scene, struct json_object *from, bool minor)
{
	return bsr_event_keys(scene->model->name, from, minor);
}

static void remember(struct json_object *store, struct json_object *object, bool with_peer)
{
	char key[48];
	if (with_peer) {
		snprintf(key, sizeof(key), "%" PRId64 "/%" PRId64, bsr_json_int(object, "peer", -1),
			bsr_json_int(object, "volume", -1));
	} else {
		snprintf(key, sizeof(key), "%" PRId64, bsr_json_int(object, "volume", -1));
	}
	json_object_object_add(store, key, json_object_get(object));
}

static struct json_object *device_of(struct bsr_events_model *model, int64_t volume)
{
	char key[24];
	struct json_object *device = NULL;
	snprintf(key, sizeof(key), "%" PRId64, volume);
	(void)json_object_object_get_ex(model->devices, key, &device);
	return device;
}

/* A peer that has good data of every volume that we have. */
static bool peer_is_up_to_date(struct bsr_events_model *model, int64_t peer)
{
	size_t good = 0;
	json_object_object_foreach(model->peer_devices, key, peer_device)
	{
		(void)key;
		if (bsr_json_int(peer_device, "peer", -1) == peer &&
			strcmp(bsr_json_string(peer_device, "peer_disk"), "UpToDate") == 0) {
			good++;
		}
	}
	return good > 0 && good == (size_t)json_object_object_length(model->devices);
}

static void add_promotion(struct bsr_events_model *model, struct json_object *fields)
{
	struct bsr_event_promotion p = {
		.secondary = strcmp(bsr_json_string(model->resource, "role"), "Secondary") == 0};

	json_object_object_foreach(model->devices, volume, device)
	{
		(void)volume;
		p.volumes++;
		p.local_up_to_date += strcmp(bsr_json_string(device, "disk"), "UpToDate") == 0 ? 1 : 0;
	}
	json_object_object_foreach(model->connections, id, connection)
	{
		(void)id;
		p.peer_is_primary = p.peer_is_primary ||
			strcmp(bsr_json_string(connection, "role"), "Primary") == 0;
		p.peers_up_to_date +=
			peer_is_up_to_date(model, bsr_json_int(connection, "peer", -1)) ? 1 : 0;
	}
	bsr_event_add_promotion(fields, &p);
}

/* Takes a reference to what is remembered. */
static void put_resource(const struct scene *scene, struct json_object *resource)
{
	struct bsr_events_model *model = scene->model;
	struct json_object *fields = bsr_event_resource_fields(resource, scene->style->statistics);

	if (resource != model->resource) {
		json_object_put(model->resource);
		model->resource = json_object_get(resource);
	}
	if (bsr_names()->drbd) {
		add_promotion(model, fields);
	}
	object_put(scene, "resource", keys_of(scene, NULL, false), fields);
	const char *node = bsr_json_string(resource, "node_name");
	if (node[0] != '\0') {
		object_put(scene, "node", keys_of(scene, NULL, false),
			bsr_event_node_fields("node-name", node));
	}
}

static void remember_connection(const struct scene *scene, struct json_object *connection)
{
	char id[24];
	snprintf(id, sizeof(id), "%" PRId64, bsr_json_int(connection, "peer", -1));
	json_object_object_add(scene->model->connections, id, json_object_get(connection));
}

static void put_connection(const struct scene *scene, struct json_object *connection)
{
	remember_connection(scene, connection);
	object_put(scene, "connection", keys_of(scene, connection, false),
		bsr_event_connection_fields(connection, scene->style->statistics));
}

static void put_peer_node(const struct scene *scene, struct json_object *connection)
{
	const char *node = bsr_json_string(connection, "peer_node_name");
	if (node[0] != '\0') {
		object_put(scene, "peer-node", keys_of(scene, connection, false),
			bsr_event_node_fields("peer-node-name", node));
	}
}

static void put_gi(const struct scene *scene, struct json_object *peer_device)
{
	struct json_object *device =
		device_of(scene->model, bsr_json_int(peer_device, "volume", -1));
	object_put(scene, "gi-uuid", keys_of(scene, peer_device, false),
		bsr_event_gi_fields(device, peer_device));
}

static void put_device(const struct scene *scene, struct json_object *device)
{
	remember(scene->model->devices, device, false);
	object_put(scene, "device", keys_of(scene, device, true),
		bsr_event_device_fields(device, scene->style->statistics));
}

static void put_device_flags(const struct scene *scene, struct json_object *device)
{
	object_put(scene, "gi-device-mdf-flag", keys_of(scene, device, true),
		bsr_event_device_flag_fields(device));
}

static void put_peer_device(const struct scene *scene, struct json_object *peer_device)
{
	remember(scene->model->peer_devices, peer_device, true);
	object_put(scene, "peer-device", keys_of(scene, peer_device, false),
		bsr_event_peer_device_fields(peer_device, scene->style->statistics));
}

static void put_peer_flags(const struct scene *scene, struct json_object *peer_device)
{
	object_put(scene, "gi-peer-device-mdf-flag", keys_of(scene, peer_device, false),
		bsr_event_peer_flag_fields(peer_device));
}

static void put_path(const struct scene *scene, struct json_object *path)
{
	object_put(scene, "path", keys_of(scene, path, false), bsr_event_path_fields(path));
}

typedef void (*put_fn)(const struct scene *scene, struct json_object *object);

static void put_each(const struct scene *scene, struct json_object *array, put_fn put)
{
	for (size_t i = 0; i < bsr_json_count(array); i++) {
		put(scene, bsr_json_at(array, i));
	}
}

/* Nested objects do not repeat the keys of their connection: add them. */
static void put_nested(
	const struct scene *scene, struct json_object *connections, const char *name, put_fn put)
{
	for (size_t i = 0; i < bsr_json_count(connections); i++) {
		struct json_object *connection = bsr_json_at(connections, i);
		struct json_object *array = bsr_json_array(connection, name);
		for (size_t j = 0; j < bsr_json_count(array); j++) {
			struct json_object *nested = bsr_json_at(array, j);
			json_object_object_add(nested, "peer",
				json_object_new_int64(bsr_json_int(connection, "peer", -1)));
			json_object_object_add(nested, "name",
				json_object_new_string(bsr_json_string(connection, "name")));
			put(scene, nested);
		}
	}
}

static void remember_device(const struct scene *scene, struct json_object *device)
{
	remember(scene->model->devices, device, false);
}

static void remember_peer_device(const struct scene *scene, struct json_object *peer_device)
{
	remember(scene->model->peer_devices, peer_device, true);
}

static void remember_everything(const struct scene *scene, struct json_object *snapshot)
{
	struct bsr_events_model *model = scene->model;
	struct json_object *connections = bsr_json_array(snapshot, "connections");

	json_object_put(model->connections);
	json_object_put(model->devices);
	json_object_put(model->peer_devices);
	model->connections = json_object_new_object();
	model->devices = json_object_new_object();
	model->peer_devices = json_object_new_object();
	json_object_put(model->resource);
	model->resource = json_object_get(bsr_json_object(snapshot, "resource"));
	put_each(scene, connections, remember_connection);
	put_each(scene, bsr_json_array(snapshot, "devices"), remember_device);
	put_nested(scene, connections, "peer_devices", remember_peer_device);
}

static void destroy_unseen(const struct scene *scene)
{
	struct object **at = &scene->model->first;
	while (*at != NULL) {
		if ((*at)->seen) {
			at = &(*at)->next;
		} else {
			object_destroy(scene, at);
		}
	}
}

void bsr_events_snapshot(struct bsr_events_model *model, struct bsr_text *out,
	const struct bsr_events_style *style, struct json_object *snapshot)
{
	struct scene scene = {.model = model,
		.out = out,
		.style = style,
		.time_us = bsr_json_int(snapshot, "time_us", 0),
		.seq = bsr_json_int(snapshot, "seq", -1),
		.action = model->filled ? "create" : "exists"};
	struct json_object *devices = bsr_json_array(snapshot, "devices");
	struct json_object *connections = bsr_json_array(snapshot, "connections");

	for (struct object *object = model->first; object != NULL; object = object->next) {
		object->seen = false;
	}
	if (bsr_names()->drbd) {
		remember_everything(&scene, snapshot); /* the first line tells what follows from all others */
	}
	put_resource(&scene, bsr_json_object(snapshot, "resource"));
	put_each(&scene, connections, put_connection);
	put_each(&scene, connections, put_peer_node);
	put_nested(&scene, connections, "paths", put_path);
	put_each(&scene, devices, put_device);
	put_nested(&scene, connections, "peer_devices", put_gi);
	put_each(&scene, devices, put_device_flags);
	put_nested(&scene, connections, "peer_devices", put_peer_device);
	put_nested(&scene, connections, "peer_devices", put_peer_flags);
	destroy_unseen(&scene);
	model->filled = true;
}

void bsr_events_model_instance(struct bsr_events_model *model, const char *instance)
{
	snprintf(model->instance, sizeof(model->instance), "%s", instance);
}

void bsr_events_known(struct bsr_events_model *model, struct json_object *snapshot)
{
	static const struct bsr_events_style silent;
	struct bsr_text nowhere = {0};
	bsr_events_snapshot(model, &nowhere, &silent, snapshot);
	bsr_text_free(&nowhere);
}

/* ------------------------------------------------------------------ events */

static void forget_quietly(const struct scene *scene, const char *word, struct json_object *keys)
{
	char *identity = identity_of(word, keys);
	struct object **at = object_find(scene->model, identity);
	if (*at != NULL) {
		struct object *object = *at;
		*at = object->next;
		object_free(object);
	}
	free(identity);
}

/* What is remembered of an object that is gone. */
static void forget_object(struct bsr_events_model *model, const char *word, struct json_object *event)
{
	char key[48];
	const int64_t peer = bsr_json_int(event, "peer", -1);
	const int64_t volume = bsr_json_int(event, "volume", -1);

	if (strcmp(word, "device") == 0) {
		snprintf(key, sizeof(key), "%" PRId64, volume);
		json_object_object_del(model->devices, key);
	} else if (strcmp(word, "peer-device") == 0) {
		snprintf(key, sizeof(key), "%" PRId64 "/%" PRId64, peer, volume);
		json_object_object_del(model->peer_devices, key);
	} else if (strcmp(word, "connection") == 0) {
		snprintf(key, sizeof(key), "%" PRId64, peer);
		json_object_object_del(model->connections, key);
	} else if (strcmp(word, "resource") == 0) {
		json_object_put(model->resource);
		model->resource = NULL;
	}
}

static void take_destroy(const struct scene *scene, const char *word, struct json_object *event)
{
	struct json_object *keys = keys_of(scene, event, strcmp(word, "device") == 0);
	char *identity = identity_of(word, keys);
	struct object **at = object_find(scene->model, identity);
	if (*at != NULL) {
		object_destroy(scene, at);
	}
	forget_object(scene->model, word, event);
	if (strcmp(word, "device") == 0) {
		forget_quietly(scene, "gi-device-mdf-flag", keys);
	} else if (strcmp(word, "peer-device") == 0) {
		forget_quietly(scene, "gi-uuid", keys);
		forget_quietly(scene, "gi-peer-device-mdf-flag", keys);
	} else if (strcmp(word, "connection") == 0) {
		forget_quietly(scene, "peer-node", keys);
	} else if (strcmp(word, "resource") == 0) {
		forget_quietly(scene, "node", keys);
	}
	free(identity);
	json_object_put(keys);
}

/* A volume's generation identifiers have changed: they are part of every peer's gi-uuid line. */
static void put_gi_of_volume(const struct scene *scene, int64_t volume)
{
	json_object_object_foreach(scene->model->peer_devices, key, peer_device)
	{
		(void)key;
		if (bsr_json_int(peer_device, "volume", -1) == volume) {
			put_gi(scene, peer_device);
		}
	}
}

static void take_change(const struct scene *scene, const char *word, struct json_object *event)
{
	if (strcmp(word, "resource") == 0) {
		put_resource(scene, event);
	} else if (strcmp(word, "connection") == 0) {
		put_connection(scene, event);
		put_peer_node(scene, event);
	} else if (strcmp(word, "path") == 0) {
		put_path(scene, event);
	} else if (strcmp(word, "device") == 0) {
		put_device(scene, event);
		put_gi_of_volume(scene, bsr_json_int(event, "volume", -1));
		put_device_flags(scene, event);
	} else if (strcmp(word, "peer-device") == 0) {
		put_peer_device(scene, event);
		put_gi(scene, event);
		put_peer_flags(scene, event);
	}
}

/* Something that happened and has no state: no earlier value to differ from. Takes @fields over. */
static void print_once(const struct scene *scene, struct json_object *event, struct json_object *fields)
{
	const struct bsr_events_style plain = {.timestamps = scene->style->timestamps,
		.json = scene->style->json,
		.cursor = scene->style->cursor,
		.color = scene->style->color};
	struct scene once = *scene;
	struct json_object *keys = keys_of(scene, event, true);
	once.style = &plain;
	print_new(&once, bsr_json_string(event, "event"), bsr_json_string(event, "object"), keys, fields);
	json_object_put(keys);
	json_object_put(fields);
}

void bsr_events_event(struct bsr_events_model *model, struct bsr_text *out,
	const struct bsr_events_style *style, struct json_object *event)
{
	const char *action = bsr_json_string(event, "event");
	const char *word = bsr_json_string(event, "object");
	struct scene scene = {.model = model,
		.out = out,
		.style = style,
		.time_us = bsr_json_int(event, "time_us", 0),
		.seq = bsr_json_int(event, "seq", -1),
		.action = "create"};

	if (strcmp(action, "create") == 0 || strcmp(action, "change") == 0) {
		take_change(&scene, word, event);
	} else if (strcmp(action, "destroy") == 0) {
		take_destroy(&scene, word, event);
	} else if (strcmp(action, "call") == 0 || strcmp(action, "response") == 0) {
		print_once(&scene, event, bsr_event_helper_fields(event));
	} else if ((strcmp(action, "notify") == 0 || strcmp(action, "detect") == 0) &&
		   !bsr_names()->drbd) {
		print_once(&scene, event, bsr_event_notice_fields(event));
	}
	if (bsr_names()->drbd && model->resource != NULL && strcmp(word, "resource") != 0) {
		put_resource(&scene, model->resource); /* says whether a promotion makes sense now */
	}
}

void bsr_events_gone(struct bsr_events_model *model, struct bsr_text *out,
	const struct bsr_events_style *style, int64_t time_us)
{
	struct scene scene = {.model = model, .out = out, .style = style, .time_us = time_us, .seq = -1};
	while (model->first != NULL) {
		struct object **last = &model->first;
		while ((*last)->next != NULL) {
			last = &(*last)->next;
		}
		object_destroy(&scene, last);
	}
	forget_everything(model);
	model->filled = true; /* what comes now is new, not part of a dump */
}

uint32_t bsr_events_sync(struct bsr_events_model *model, struct bsr_text *out,
	const struct bsr_events_style *style, struct json_object *snapshot)
{
	const struct bsr_events_style plain = {
		.timestamps = style->timestamps, .json = style->json, .color = style->color};
	struct scene scene = {.model = model,
		.out = out,
		.style = &plain,
		.time_us = bsr_json_int(snapshot, "time_us", 0),
		.seq = -1};
	struct json_object *devices = bsr_json_array(snapshot, "devices");
	struct json_object *connections = bsr_json_array(snapshot, "connections");
	uint32_t count = 0;

	for (size_t i = 0; i < bsr_json_count(connections); i++) {
		struct json_object *connection = bsr_json_at(connections, i);
		struct json_object *array = bsr_json_array(connection, "peer_devices");
		for (size_t j = 0; j < bsr_json_count(array); j++) {
			struct json_object *peer_device = bsr_json_at(array, j);
			if (!bsr_progress_runs(bsr_json_string(peer_device, "replication"))) {
				continue;
			}
			int64_t volume = bsr_json_int(peer_device, "volume", -1);
			struct json_object *keys = keys_of(&scene, connection, false);
			json_object_object_add(keys, "volume", json_object_new_int64(volume));
			struct json_object *fields = bsr_event_sync_fields(
				peer_device, bsr_json_find_volume(devices, volume));
			print_new(&scene, "sync", "peer-device", keys, fields);
			json_object_put(keys);
			json_object_put(fields);
			count++;
		}
	}
	return count;
}

void bsr_events_dump_end(
	struct bsr_text *out, const struct bsr_events_style *style, int64_t time_us)
{
	struct scene scene = {.out = out, .style = style, .time_us = time_us};
	line_begin(&scene, "exists", "-", NULL);
	line_end(&scene);
}

void bsr_events_skipped(
	struct bsr_text *out, const struct bsr_events_style *style, int64_t time_us, int64_t count)
{
	struct scene scene = {.out = out, .style = style, .time_us = time_us};
	if (style->json) {
		line_begin(&scene, "skipped", "-", NULL);
		bsr_text_add(out, ",\"count\":%" PRId64, count);
		line_end(&scene);
		return;
	}
	if (count < 0) {
		bsr_text_add(out, "- skipped unknown\n");
	} else {
		bsr_text_add(out, "- skipped %" PRId64 "\n", count);
	}
}
