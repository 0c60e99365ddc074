/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * text.h - text that grows, and reading members of JSON objects that may be missing
 *
 * The formatters write into a struct bsr_text, so that tests can look at what they wrote.
 */
#ifndef BSRSETUP_TEXT_H
#define BSRSETUP_TEXT_H

#include <json-c/json.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

struct bsr_text {
	char *bytes; /* zero-terminated once something was added; NULL before */
	size_t length;
	size_t room;
};

/** bsr_text_add - append formatted text; exits with 20 when memory runs out */
void bsr_text_add(struct bsr_text *text, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
void bsr_text_add_bytes(struct bsr_text *text, const char *bytes, size_t count);
/** bsr_text_string - the text, "" when empty; valid until the next change */
const char *bsr_text_string(const struct bsr_text *text);
void bsr_text_clear(struct bsr_text *text);
void bsr_text_free(struct bsr_text *text);

/** bsr_print_translated - write @text with our tools called by the names that were chosen (names.h) */
void bsr_print_translated(const char *text, FILE *to);

/*
 * Members of @object, which may be NULL; the default ("", 0, false, NULL) when absent or of another
 * type.
 */
const char *bsr_json_string(struct json_object *object, const char *name);
int64_t bsr_json_int(struct json_object *object, const char *name, int64_t otherwise);
bool bsr_json_bool(struct json_object *object, const char *name);
bool bsr_json_has(struct json_object *object, const char *name);
/** bsr_json_array - an array member, NULL when there is none; borrowed */
struct json_object *bsr_json_array(struct json_object *object, const char *name);
struct json_object *bsr_json_object(struct json_object *object, const char *name);
/** bsr_json_count - entries of an array, 0 for NULL */
size_t bsr_json_count(struct json_object *array);
struct json_object *bsr_json_at(struct json_object *array, size_t index);
/**
 * bsr_json_set_text - a set of words as tools print it: "no" when empty, else separated by commas
 */
void bsr_json_set_text(struct bsr_text *out, struct json_object *array);
/** bsr_json_set_has - is @word in the array */
bool bsr_json_set_has(struct json_object *array, const char *word);
/**
 * bsr_json_find_volume - the entry of an array whose "volume" is @volume; NULL when there is none
 */
struct json_object *bsr_json_find_volume(struct json_object *array, int64_t volume);

#endif
