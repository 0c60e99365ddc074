// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * print.c - a record as text and as JSON
 *
 * Owns:       the form of `bsrmon show` and `bsrmon watch TYPE`.
 */
#include "mon.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static size_t group_length(const char *name)
{
	const char *dot = strchr(name, '.');
	return dot != NULL ? (size_t)(dot - name) : 0;
}

static bool same_group(const struct mon_record *r, uint32_t a, uint32_t b)
{
	const size_t length = group_length(r->field[a].name);
	return length > 0 && length == group_length(r->field[b].name) &&
	       strncmp(r->field[a].name, r->field[b].name, length) == 0;
}

void mon_print_record(struct bsr_text *out, const struct mon_record *r)
{
	if (r->resource[0] != '\0') {
		bsr_text_add(out, "%s ", r->resource);
	}
	if (r->volume >= 0) {
		bsr_text_add(out, "vnr %" PRId64 " ", r->volume);
	}
	if (r->peer[0] != '\0') {
		bsr_text_add(out, "peer %s ", r->peer);
	}
	bsr_text_add(out, "%s {\n", r->type->name);
	for (uint32_t i = 0; i < r->count; i++) {
		const struct mon_field *f = &r->field[i];
		const size_t group = group_length(f->name);
		if (group > 0 && (i == 0 || !same_group(r, i - 1, i))) {
			bsr_text_add(out, "\t%.*s {\n", (int)group, f->name);
		}
		bsr_text_add(out, "%s%s\t%" PRId64 ";%s%s\n", group > 0 ? "\t\t" : "\t",
			f->name + group + (group > 0), r->value[i], f->unit[0] != '\0' ? " # " : "", f->unit);
		if (group > 0 && (i + 1 == r->count || !same_group(r, i, i + 1))) {
			bsr_text_add(out, "\t}\n");
		}
	}
	bsr_text_add(out, "}\n");
}

/* ---------------------------------------------------------------------- JSON */

static struct json_object *object_in(struct json_object *parent, const char *name)
{
	struct json_object *found = bsr_json_object(parent, name);
	if (found == NULL) {
		found = json_object_new_object();
		json_object_object_add(parent, name, found);
	}
	return found;
}

/* The entry of array @array in @parent whose @key is @text or @number; made when it is missing. */
static struct json_object *entry_in(
	struct json_object *parent, const char *array, const char *key, const char *text, int64_t number)
{
	struct json_object *list = bsr_json_array(parent, array);
	if (list == NULL) {
		list = json_object_new_array();
		json_object_object_add(parent, array, list);
	}
	for (size_t i = 0; i < bsr_json_count(list); i++) {
		struct json_object *one = bsr_json_at(list, i);
		if (text != NULL ? strcmp(bsr_json_string(one, key), text) == 0
				 : bsr_json_int(one, key, -1) == number) {
			return one;
		}
	}
	struct json_object *made = json_object_new_object();
	json_object_object_add(
		made, key, text != NULL ? json_object_new_string(text) : json_object_new_int64(number));
	json_object_array_add(list, made);
	return made;
}

void mon_json_record(struct json_object *root, const struct mon_record *r)
{
	struct json_object *at = root;
	if (r->resource[0] != '\0') {
		at = entry_in(root, "resource", "name", r->resource, 0);
	}
	if (r->volume >= 0) {
		at = entry_in(at, "devices", "vnr", NULL, r->volume);
	}
	at = object_in(at, r->type->name);
	if (r->peer[0] != '\0') {
		at = entry_in(at, "peers", "name", r->peer, 0);
	}
	for (uint32_t i = 0; i < r->count; i++) {
		const char *name = r->field[i].name;
		const size_t group = group_length(name);
		struct json_object *into = at;
		if (group > 0) {
			char word[48];
			snprintf(word, sizeof(word), "%.*s", (int)group, name);
			into = object_in(at, word);
			name += group + 1;
		}
		json_object_object_add(into, name, json_object_new_int64(r->value[i]));
	}
}
