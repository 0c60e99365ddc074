// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * arguments.c - the words of a command line into a request
 *
 * Owns:       struct bsr_setup_call.
 * Invariants: a word that is not understood ends with a message; nothing is ignored.
 */
#include "client.h"
#include "command.h"

#include <bsr/assert.h>

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MINOR_MAX ((1 << 20) - 1)

/* ------------------------------------------------------------- plain values */

static bool parse_number(const char *text, int64_t max, int64_t *number)
{
	char *end = NULL;
	if (!isdigit((unsigned char)text[0])) {
		return false;
	}
	errno = 0;
	long long value = strtoll(text, &end, 10);
	if (errno != 0 || *end != '\0' || value > max) {
		return false;
	}
	*number = value;
	return true;
}

int64_t bsr_setup_minor(const char *text)
{
	int64_t minor = -1;
	char target[PATH_MAX];
	if (parse_number(text, MINOR_MAX, &minor)) {
		return minor;
	}
	const char *base = strrchr(text, '/');
	base = base == NULL ? text : base + 1;
	if (strncmp(base, "bsr", 3) == 0 && parse_number(base + 3, MINOR_MAX, &minor)) {
		return minor;
	}
	if (strncmp(base, "minor-", 6) == 0 && parse_number(base + 6, MINOR_MAX, &minor)) {
		return minor;
	}
	ssize_t length = readlink(text, target, sizeof(target) - 1);
	if (length <= 0) {
		return -1;
	}
	target[length] = '\0';
	base = strrchr(target, '/');
	base = base == NULL ? target : base + 1;
	if (strncmp(base, "bsr", 3) == 0 && parse_number(base + 3, MINOR_MAX, &minor)) {
		return minor;
	}
	return -1;
}

/* Where the address of "[ADDR]:PORT" or "ADDR:PORT" ends; NULL when brackets do not match. */
static const char *address_end(const char *address)
{
	if (address[0] == '[') {
		const char *close = strchr(address, ']');
		return close == NULL ? NULL : close + 1;
	}
	const char *colon = strchr(address, ':');
	return colon == NULL ? address + strlen(address) : colon;
}

bool bsr_setup_address(struct bsr_text *out, const char *text, bool of_peer)
{
	static const char *const families[] = {"ipv4", "ipv6", "sdp", "ssocks", NULL};
	const char *family = "ipv4";
	int64_t port = 7788;

	if (strncmp(text, "local:", 6) == 0) {
		text += 6;
	} else if (strncmp(text, "peer:", 5) == 0) {
		text += 5;
	}
	for (size_t i = 0; families[i] != NULL; i++) {
		const size_t length = strlen(families[i]);
		if (strncmp(text, families[i], length) == 0 && text[length] == ':') {
			family = families[i];
			text += length + 1;
			break;
		}
	}
	const char *end = address_end(text);
	if (end == NULL || end == text ||
		(*end != '\0' && (*end != ':' || !parse_number(end + 1, 65535, &port) || port == 0))) {
		return false;
	}
	int length = (int)(end - text);
	const char *scope = memchr(text, '%', (size_t)length);
	if (scope != NULL && of_peer) { /* an interface of ours says nothing about the peer */
		bsr_text_add(out, "%s:%.*s]:%" PRId64, family, (int)(scope - text), text, port);
	} else {
		bsr_text_add(out, "%s:%.*s:%" PRId64, family, length, text, port);
	}
	return true;
}

static void send_string(struct bsr_setup_call *call, const char *field, const char *value)
{
	json_object_object_add(call->request, field, json_object_new_string(value));
}

static void send_int(struct bsr_setup_call *call, const char *field, int64_t value)
{
	json_object_object_add(call->request, field, json_object_new_int64(value));
}

/* --------------------------------------------------------------- arguments */

static int fail_argument(struct bsr_text *why, const char *word, const char *what)
{
	bsr_text_add(why, "'%s' is not %s", word, what);
	return -EINVAL;
}

static int take_resource(struct bsr_setup_call *call, const char *word, struct bsr_text *why)
{
	if (!bsr_client_name_ok(word)) {
		return fail_argument(why, word, "a name of a resource");
	}
	memcpy(call->resource, word, strlen(word) + 1); /* it fits: the name is ok */
	return 0;
}

static int take_number(struct bsr_setup_call *call, const char *field, const char *word, int64_t max,
	int64_t *number, struct bsr_text *why)
{
	char what[64];
	if (!parse_number(word, max, number)) {
		snprintf(what, sizeof(what), "a %s (0..%" PRId64 ")",
			strcmp(field, "node_id") == 0 ? "node id" : field, max);
		return fail_argument(why, word, what);
	}
	send_int(call, field, *number);
	return 0;
}

static int take_minor(struct bsr_setup_call *call, const char *word, struct bsr_text *why)
{
	call->minor = bsr_setup_minor(word);
	if (call->minor < 0) {
		return fail_argument(why, word, "a minor number or a device /dev/bsrN");
	}
	send_int(call, "minor", call->minor);
	return 0;
}

static int take_path(
	struct bsr_setup_call *call, const char *field, const char *word, struct bsr_text *why)
{
	char directory[PATH_MAX];
	struct bsr_text path = {0};
	if (word[0] == '\0') {
		return fail_argument(why, word, "a path");
	}
	if (word[0] != '/' && getcwd(directory, sizeof(directory)) != NULL) {
		bsr_text_add(&path, "%s/", directory);
	}
	bsr_text_add(&path, "%s", word);
	send_string(call, field, bsr_text_string(&path));
	bsr_text_free(&path);
	return 0;
}

static int take_index(struct bsr_setup_call *call, const char *word, struct bsr_text *why)
{
	int64_t index = 0;
	if (strchr(word, '/') != NULL || strcmp(word, "flex-external") == 0) {
		word = "flexible"; /* a file behind a loop device has no slots */
	}
	if (strcmp(word, "internal") != 0 && strcmp(word, "flexible") != 0 &&
		!parse_number(word, 255, &index)) {
		return fail_argument(why, word, "an index: internal, flexible or 0..255");
	}
	send_string(call, "meta_index", word);
	return 0;
}

static int take_address(struct bsr_setup_call *call, const char *field, const char *word, bool of_peer,
	struct bsr_text *why)
{
	struct bsr_text address = {0};
	int rc = 0;
	if (bsr_setup_address(&address, word, of_peer)) {
		send_string(call, field, bsr_text_string(&address));
	} else {
		rc = fail_argument(why, word, "an address: [ipv4:|ipv6:]ADDRESS[:PORT]");
	}
	bsr_text_free(&address);
	return rc;
}

/* RES[:PEER[/VNR]]; the peer's name is looked up by the command */
static int take_triple(struct bsr_setup_call *call, const char *word, struct bsr_text *why)
{
	char copy[512];
	snprintf(copy, sizeof(copy), "%s", word);
	char *peer = strchr(copy, ':');
	if (peer != NULL) {
		*peer++ = '\0';
		char *volume = strrchr(peer, '/');
		if (volume != NULL) {
			*volume++ = '\0';
			if (!parse_number(volume, BSR_VNR_MAX, &call->volume)) {
				return fail_argument(why, volume, "a volume (0..65535)");
			}
		}
		json_object_object_add(call->flags, "peer", json_object_new_string(peer));
	}
	return take_resource(call, copy, why);
}

static int take_argument(struct bsr_setup_call *call, enum bsr_setup_argument argument,
	const char *word, struct bsr_text *why)
{
	int64_t ignored = 0;
	switch (argument) {
	case BSR_ARG_RESOURCE:
		return take_resource(call, word, why);
	case BSR_ARG_RESOURCE_OR_ALL:
		return strcmp(word, "all") == 0 ? 0 : take_resource(call, word, why);
	case BSR_ARG_RESOURCE_PEER_VOLUME:
		return take_triple(call, word, why);
	case BSR_ARG_NODE_ID:
		return take_number(call, "node_id", word, BSR_NODES_MAX - 1, &ignored, why);
	case BSR_ARG_MINOR:
		return take_minor(call, word, why);
	case BSR_ARG_VOLUME:
		return take_number(call, "volume", word, BSR_VNR_MAX, &call->volume, why);
	case BSR_ARG_PEER:
		return take_number(call, "peer", word, BSR_NODES_MAX - 1, &call->peer, why);
	case BSR_ARG_DISK:
		return take_path(call, "disk", word, why);
	case BSR_ARG_META_DISK:
		return take_path(call, "meta_disk", word, why);
	case BSR_ARG_META_INDEX:
		return take_index(call, word, why);
	case BSR_ARG_LOCAL:
		return take_address(call, "local", word, false, why);
	case BSR_ARG_REMOTE:
		return take_address(call, "remote", word, true, why);
	case BSR_ARG_VERIFY:
		return strcmp(word, "0") == 0 || strcmp(word, "1") == 0
			? 0
			: fail_argument(why, word, "0 or 1");
	case BSR_ARG_END:
		break;
	}
	bsr_text_add(why, "excess argument '%s'", word);
	return -EINVAL;
}

/* ----------------------------------------------------------------- options */

static const struct bsr_option *option_find(const struct bsr_setup_command *command, const char *name)
{
	for (unsigned int section = 0; section < BSR_SECTION_COUNT; section++) {
		if ((command->sections & (1u << section)) == 0) {
			continue;
		}
		const struct bsr_option *option =
			bsr_option_find((enum bsr_option_section)section, name);
		if (option != NULL) {
			return option;
		}
	}
	return NULL;
}

static const struct bsr_setup_flag *flag_find(
	const struct bsr_setup_command *command, const char *name, char letter)
{
	const struct bsr_setup_flag *flag = command->flags;
	for (; flag != NULL && flag->name != NULL; flag++) {
		if (name != NULL ? strcmp(flag->name, name) == 0 : flag->letter == letter) {
			return flag;
		}
	}
	return NULL;
}

static int take_option(struct bsr_setup_call *call, const struct bsr_option *option,
	const char *text, struct bsr_text *why)
{
	struct bsr_option_value value;
	char fault_text[256];
	struct json_object *options = NULL;
	enum bsr_option_fault fault = bsr_option_parse(option, text, &value);

	if (fault != BSR_OPTION_OK) {
		const bool secret = (option->flags & BSR_OPTION_SECRET) != 0;
		bsr_option_explain(option, secret ? "..." : text, fault, fault_text, sizeof(fault_text));
		bsr_text_add(why, "--%s: %s", option->name, fault_text);
		return -EINVAL;
	}
	if (value.is_reference) { /* names of resources are the configuration's: bsradm says the minor */
		bsr_text_add(why, "--%s: '%s' is not a minor number", option->name, text);
		return -EINVAL;
	}
	if (!json_object_object_get_ex(call->request, "options", &options)) {
		options = json_object_new_object();
		json_object_object_add(call->request, "options", options);
	}
	json_object_object_add(options, option->name, json_object_new_string(text));
	return 0;
}

static int take_yes_no(const char *name, const char *text, bool *yes, struct bsr_text *why)
{
	*yes = text == NULL || strcmp(text, "yes") == 0;
	if (!*yes && strcmp(text, "no") != 0) {
		bsr_text_add(why, "--%s: '%s' is not yes or no", name, text);
		return -EINVAL;
	}
	return 0;
}

/* "N" or, as elsewhere in the field, "Ns" */
static int take_sectors(struct bsr_setup_call *call, const char *field, const char *text, struct bsr_text *why)
{
	char digits[24];
	int64_t number = 0;
	const size_t length = strlen(text);
	const size_t count = length > 1 && text[length - 1] == 's' ? length - 1 : length;
	if (count >= sizeof(digits)) {
		return fail_argument(why, text, "a number of sectors");
	}
	memcpy(digits, text, count);
	digits[count] = 0;
	if (!parse_number(digits, BSR_VOLUME_BYTES_MAX / BSR_SECTOR_BYTES, &number)) {
		return fail_argument(why, text, "a number of sectors");
	}
	send_int(call, field, number);
	return 0;
}

static int take_flag(struct bsr_setup_call *call, const struct bsr_setup_flag *flag,
	const char *text, struct bsr_text *why)
{
	bool yes = false;
	int64_t number = 0;
	switch (flag->use) {
	case BSR_FLAG_SENT:
	case BSR_FLAG_SENT_NOT:
		if (take_yes_no(flag->name, text, &yes, why) != 0) {
			return -EINVAL;
		}
		json_object_object_add(
			call->request, flag->field, json_object_new_boolean(yes == (flag->use == BSR_FLAG_SENT)));
		return 0;
	case BSR_FLAG_SENT_INT:
		return take_number(call, flag->field, text, BSR_NODES_MAX - 1, &number, why);
	case BSR_FLAG_SENT_SECTORS:
		return take_sectors(call, flag->field, text, why);
	case BSR_FLAG_LOCAL:
		if (take_yes_no(flag->name, text, &yes, why) != 0) {
			return -EINVAL;
		}
		text = yes ? "yes" : "no";
		break;
	case BSR_FLAG_LOCAL_TEXT:
	case BSR_FLAG_LOCAL_WORD:
		break;
	}
	json_object_object_add(
		call->flags, flag->field, json_object_new_string(text == NULL ? "" : text));
	return 0;
}

/** Where we are in the words of the command line. */
struct words {
	char **word;
	int count;
	int next;
};

static bool flag_wants_text(const struct bsr_setup_flag *flag)
{
	return flag->use == BSR_FLAG_SENT_INT || flag->use == BSR_FLAG_SENT_SECTORS || flag->use == BSR_FLAG_LOCAL_TEXT;
}

/* The text of an option that must have one: behind "=" or the next word. */
static const char *text_of(struct words *words, const char *behind, const char *name,
	struct bsr_text *why)
{
	if (behind != NULL) {
		return behind;
	}
	if (words->next < words->count) {
		return words->word[words->next++];
	}
	bsr_text_add(why, "option '--%s' needs a value", name);
	return NULL;
}

static int take_long(
	struct bsr_setup_call *call, struct words *words, const char *word, struct bsr_text *why)
{
	char name[64];
	const char *equals = strchr(word, '=');
	const size_t length = equals == NULL ? strlen(word) : (size_t)(equals - word);
	const char *text = equals == NULL ? NULL : equals + 1;

	snprintf(name, sizeof(name), "%.*s", length < sizeof(name) ? (int)length : 63, word);
	const struct bsr_setup_flag *flag = flag_find(call->command, name, 0);
	if (flag != NULL) {
		if (flag_wants_text(flag) && (text = text_of(words, text, name, why)) == NULL) {
			return -EINVAL;
		}
		return take_flag(call, flag, text, why);
	}
	const struct bsr_option *option = option_find(call->command, name);
	if (option == NULL) {
		bsr_text_add(why, "unrecognized option '--%s'", name);
		return -EINVAL;
	}
	if (text == NULL && bsr_option_is_boolean_form(option)) {
		text = "yes";
	}
	text = text_of(words, text, name, why);
	return text == NULL ? -EINVAL : take_option(call, option, text, why);
}

static int take_letters(
	struct bsr_setup_call *call, struct words *words, const char *word, struct bsr_text *why)
{
	for (; *word != '\0'; word++) {
		const struct bsr_setup_flag *flag = flag_find(call->command, NULL, *word);
		if (flag == NULL) {
			bsr_text_add(why, "unrecognized option '-%c'", *word);
			return -EINVAL;
		}
		const char *text = NULL;
		const bool ends = flag_wants_text(flag) || word[1] == '=';
		if (ends) {
			const char *behind = word[1] == '=' ? word + 2
				: word[1] != '\0'	    ? word + 1
							    : NULL;
			text = text_of(words, behind, flag->name, why);
			if (text == NULL) {
				return -EINVAL;
			}
		}
		if (take_flag(call, flag, text, why) != 0) {
			return -EINVAL;
		}
		if (ends) {
			break;
		}
	}
	return 0;
}

static bool may_be_left_out(enum bsr_setup_argument argument)
{
	return argument == BSR_ARG_END || argument == BSR_ARG_RESOURCE_OR_ALL ||
		argument == BSR_ARG_VERIFY;
}

int bsr_setup_parse(struct bsr_setup_call *call, const struct bsr_setup_command *command, int count,
	char **all_words, struct bsr_text *why)
{
	struct words words = {.word = all_words, .count = count};
	size_t position = 0;
	bool only_arguments = false;

	*call = (struct bsr_setup_call){
		.command = command, .object = "all", .minor = -1, .peer = -1, .volume = -1};
	call->request = json_object_new_object();
	call->flags = json_object_new_object();
	send_string(call, "command", command->name);
	while (words.next < words.count) {
		const char *word = words.word[words.next++];
		int rc = 0;
		if (!only_arguments && strcmp(word, "--") == 0) {
			only_arguments = true;
		} else if (!only_arguments && strncmp(word, "--", 2) == 0) {
			rc = take_long(call, &words, word + 2, why);
		} else if (!only_arguments && word[0] == '-' && word[1] != '\0') {
			rc = take_letters(call, &words, word + 1, why);
		} else {
			BSR_ASSERT(position <= BSR_SETUP_ARGUMENTS_MAX);
			call->object = position == 0 ? word : call->object;
			rc = take_argument(call, command->arguments[position], word, why);
			position++;
		}
		if (rc != 0) {
			return rc;
		}
	}
	if (!may_be_left_out(command->arguments[position])) {
		bsr_text_add(why, "missing argument %s",
			bsr_setup_argument_word(command->arguments[position]));
		return -EINVAL;
	}
	return 0;
}

void bsr_setup_call_free(struct bsr_setup_call *call)
{
	json_object_put(call->request);
	json_object_put(call->flags);
	call->request = NULL;
	call->flags = NULL;
}

bool bsr_setup_flag(const struct bsr_setup_call *call, const char *name)
{
	return strcmp(bsr_json_string(call->flags, name), "yes") == 0;
}
