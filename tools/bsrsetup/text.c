// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * text.c - text that grows, and reading members of JSON objects that may be missing
 *
 * Owns:      memory of struct bsr_text.
 * May touch: json-c objects, reading only.
 */
#include "text.h"

#include "names.h"

#include <bsr/assert.h>

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void text_reserve(struct bsr_text *text, size_t more)
{
	if (text->length + more + 1 <= text->room) {
		return;
	}
	size_t room = text->room == 0 ? 256 : text->room;
	while (room < text->length + more + 1) {
		room *= 2;
	}
	char *bytes = realloc(text->bytes, room);
	if (bytes == NULL) {
		fputs("out of memory\n", stderr);
		exit(20);
	}
	text->bytes = bytes;
	text->room = room;
}

void bsr_text_add_bytes(struct bsr_text *text, const char *bytes, size_t count)
{
	text_reserve(text, count);
	memcpy(text->bytes + text->length, bytes, count);
	text->length += count;
	text->bytes[text->length] = '\0';
}

void bsr_text_add(struct bsr_text *text, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	int count = vsnprintf(NULL, 0, format, args);
	va_end(args);
	BSR_ASSERT(count >= 0);
	text_reserve(text, (size_t)count);
	va_start(args, format);
	int written = vsnprintf(text->bytes + text->length, (size_t)count + 1, format, args);
	va_end(args);
	BSR_ASSERT(written == count);
	text->length += (size_t)count;
}

const char *bsr_text_string(const struct bsr_text *text)
{
	return text->bytes == NULL ? "" : text->bytes;
}

void bsr_text_clear(struct bsr_text *text)
{
	text->length = 0;
	if (text->bytes != NULL) {
		text->bytes[0] = '\0';
	}
}

void bsr_text_free(struct bsr_text *text)
{
	free(text->bytes);
	*text = (struct bsr_text){0};
}

static struct json_object *member(struct json_object *object, const char *name, json_type type)
{
	struct json_object *found = NULL;
	if (object == NULL || !json_object_is_type(object, json_type_object) ||
		!json_object_object_get_ex(object, name, &found) ||
		!json_object_is_type(found, type)) {
		return NULL;
	}
	return found;
}

const char *bsr_json_string(struct json_object *object, const char *name)
{
	struct json_object *found = member(object, name, json_type_string);
	return found == NULL ? "" : json_object_get_string(found);
}

int64_t bsr_json_int(struct json_object *object, const char *name, int64_t otherwise)
{
	struct json_object *found = member(object, name, json_type_int);
	return found == NULL ? otherwise : json_object_get_int64(found);
}

bool bsr_json_bool(struct json_object *object, const char *name)
{
	struct json_object *found = member(object, name, json_type_boolean);
	return found != NULL && json_object_get_boolean(found);
}

bool bsr_json_has(struct json_object *object, const char *name)
{
	return object != NULL && json_object_is_type(object, json_type_object) &&
		json_object_object_get_ex(object, name, NULL);
}

struct json_object *bsr_json_array(struct json_object *object, const char *name)
{
	return member(object, name, json_type_array);
}

struct json_object *bsr_json_object(struct json_object *object, const char *name)
{
	return member(object, name, json_type_object);
}

size_t bsr_json_count(struct json_object *array)
{
	return array == NULL ? 0 : json_object_array_length(array);
}

struct json_object *bsr_json_at(struct json_object *array, size_t index)
{
	BSR_ASSERT(index < bsr_json_count(array));
	return json_object_array_get_idx(array, index);
}

void bsr_json_set_text(struct bsr_text *out, struct json_object *array)
{
	if (bsr_json_count(array) == 0) {
		bsr_text_add(out, "no");
	}
	for (size_t i = 0; i < bsr_json_count(array); i++) {
		bsr_text_add(out, "%s%s", i == 0 ? "" : ",",
			json_object_get_string(bsr_json_at(array, i)));
	}
}

bool bsr_json_set_has(struct json_object *array, const char *word)
{
	for (size_t i = 0; i < bsr_json_count(array); i++) {
		const char *have = json_object_get_string(bsr_json_at(array, i));
		if (have != NULL && strcmp(have, word) == 0) {
			return true;
		}
	}
	return false;
}

struct json_object *bsr_json_find_volume(struct json_object *array, int64_t volume)
{
	for (size_t i = 0; i < bsr_json_count(array); i++) {
		if (bsr_json_int(bsr_json_at(array, i), "volume", -1) == volume) {
			return bsr_json_at(array, i);
		}
	}
	return NULL;
}

void bsr_print_translated(const char *text, FILE *to)
{
	if (!bsr_names()->drbd) {
		fputs(text, to);
		return;
	}
	const size_t room = 2 * strlen(text) + 2; /* no name grows more than that */
	char *buffer = malloc(room);
	fputs(buffer != NULL ? bsr_names_translate(text, buffer, room) : text, to);
	free(buffer);
}
