/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * json_add.h - one member of a JSON object in one line
 *
 * The object takes the value over; texts are copied. Where memory is short json-c leaves the member out.
 */
#ifndef BSRD_JSON_ADD_H
#define BSRD_JSON_ADD_H

#include <json-c/json.h>
#include <stdbool.h>
#include <stdint.h>

static inline void add_text(struct json_object *object, const char *name, const char *text)
{
	json_object_object_add(object, name, json_object_new_string(text));
}

static inline void add_int(struct json_object *object, const char *name, int64_t value)
{
	json_object_object_add(object, name, json_object_new_int64(value));
}

/* JSON readers take numbers for signed: what is above that is the largest they know. */
static inline void add_u64(struct json_object *object, const char *name, uint64_t value)
{
	add_int(object, name, value > INT64_MAX ? INT64_MAX : (int64_t)value);
}

static inline void add_bool(struct json_object *object, const char *name, bool value)
{
	json_object_object_add(object, name, json_object_new_boolean(value));
}

#endif
