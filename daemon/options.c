// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * options.c - options as texts of the configuration language into the numbers that engine and links use
 *
 * Owns:       which option ends in which number, and the rules between options.
 * Invariants: a name or value that is not understood is refused with a sentence; defaults are those of the table.
 */
#include "options.h"

#include <stdio.h>
#include <string.h>

#include <bsr/assert.h>

#include "option_table.h"

struct word_value {
	const char *word;
	int value;
};

/* ------------------------------------------------------------ checking texts */

static const struct bsr_option *find_in(uint32_t sections, const char *name)
{
	for (unsigned int section = 0; section < BSR_SECTION_COUNT; section++) {
		const struct bsr_option *option = (sections & (1u << section)) == 0
			? NULL
			: bsr_option_find((enum bsr_option_section)section, name);
		if (option != NULL) {
			return option;
		}
	}
	return NULL;
}

static int check_one(uint32_t sections, const char *name, struct json_object *text, char *why, size_t room)
{
	struct bsr_option_value value;
	char fault_text[200];
	const struct bsr_option *option = find_in(sections, name);
	if (option == NULL) {
		snprintf(why, room, "unknown option '%.64s'", name);
		return -BSR_E_INVALID_REQUEST;
	}
	if (!json_object_is_type(text, json_type_string)) {
		snprintf(why, room, "option '%s': the value must be a text", name);
		return -BSR_E_INVALID_REQUEST;
	}
	const char *bytes = json_object_get_string(text);
	if (strlen(bytes) != (size_t)json_object_get_string_len(text)) {
		snprintf(why, room, "option '%s': the value has a zero byte", name);
		return -BSR_E_INVALID_REQUEST;
	}
	enum bsr_option_fault fault = bsr_option_parse(option, bytes, &value);
	if (fault != BSR_OPTION_OK) {
		bsr_option_explain(option, (option->flags & BSR_OPTION_SECRET) != 0 ? "..." : bytes, fault,
			fault_text, sizeof(fault_text));
		snprintf(why, room, "option '%s': %s", name, fault_text);
		return -BSR_E_INVALID_REQUEST;
	}
	return 0;
}

static int check_all(uint32_t sections, struct json_object *given, char *why, size_t room)
{
	if (given == NULL) {
		return 0;
	}
	if (!json_object_is_type(given, json_type_object)) {
		snprintf(why, room, "options must be an object");
		return -BSR_E_INVALID_REQUEST;
	}
	json_object_object_foreach(given, name, text)
	{
		int rc = check_one(sections, name, text, why, room);
		if (rc != 0) {
			return rc;
		}
	}
	return 0;
}

/* ----------------------------------------------- values of checked options */

/* The given text, else the default; NULL when there is neither. */
static const char *text_of(const struct bsr_option *option, struct json_object *given)
{
	struct json_object *text = NULL;
	if (given != NULL && json_object_object_get_ex(given, option->name, &text)) {
		return json_object_get_string(text);
	}
	return option->default_text;
}

static int64_t number_of(enum bsr_option_section section, struct json_object *given, const char *name)
{
	const struct bsr_option *option = bsr_option_find(section, name);
	struct bsr_option_value value = {0};
	BSR_ASSERT(option != NULL); /* a name in this file that the table does not know */
	const char *text = text_of(option, given);
	if (text == NULL || bsr_option_parse(option, text, &value) != BSR_OPTION_OK) {
		return 0;
	}
	return value.number;
}

static uint32_t u32_of(enum bsr_option_section section, struct json_object *given, const char *name)
{
	int64_t number = number_of(section, given, name);
	return number < 0 ? 0 : number > UINT32_MAX ? UINT32_MAX : (uint32_t)number;
}

static bool yes(enum bsr_option_section section, struct json_object *given, const char *name)
{
	return number_of(section, given, name) != 0;
}

static int word_of(enum bsr_option_section section, struct json_object *given, const char *name,
	const struct word_value *words)
{
	const struct bsr_option *option = bsr_option_find(section, name);
	char word[64];
	BSR_ASSERT(option != NULL && option->type == BSR_OPTION_ENUM);
	if (!bsr_option_word(option, number_of(section, given, name), word, sizeof(word))) {
		return words[0].value;
	}
	for (size_t i = 0; words[i].word != NULL; i++) {
		if (strcmp(words[i].word, word) == 0) {
			return words[i].value;
		}
	}
	return words[0].value;
}

/* ---------------------------------------------------------------- sections */

int bsr_options_resource(struct json_object *given, struct bsr_resource_options *out, char *why, size_t room)
{
	static const struct word_value no_data[] = {
		{"io-error", BSR_NO_DATA_IO_ERROR}, {"suspend-io", BSR_NO_DATA_SUSPEND_IO}, {NULL, 0}};
	/* options of the node are kept with those of the resource: no name is in both */
	int rc = check_all((1u << BSR_SECTION_RESOURCE) | (1u << BSR_SECTION_NODE), given, why, room);
	if (rc != 0) {
		return rc;
	}
	bsr_resource_options_defaults(out);
	out->on_no_data = (enum bsr_on_no_data)word_of(
		BSR_SECTION_RESOURCE, given, "on-no-data-accessible", no_data);
	out->twopc_timeout_ds = u32_of(BSR_SECTION_RESOURCE, given, "twopc-timeout");
	out->twopc_retry_timeout_ds = u32_of(BSR_SECTION_RESOURCE, given, "twopc-retry-timeout");
	return 0;
}

static uint32_t clamp(uint32_t value, uint32_t low, uint32_t high)
{
	return value < low ? low : value > high ? high : value;
}

int bsr_options_disk(struct json_object *given, struct bsr_disk_options *out, uint64_t *size_bytes, char *why,
	size_t room)
{
	static const struct word_value io_error[] = {{"passthrough", BSR_IO_ERROR_PASSTHROUGH},
		{"pass_on", BSR_IO_ERROR_PASS_ON}, {"call-local-io-error", BSR_IO_ERROR_CALL_HANDLER},
		{"detach", BSR_IO_ERROR_DETACH}, {NULL, 0}};
	const enum bsr_option_section disk = BSR_SECTION_DISK;
	int rc = check_all(1u << BSR_SECTION_DISK, given, why, room);
	if (rc != 0) {
		return rc;
	}
	bsr_disk_options_defaults(out);
	out->on_io_error = (enum bsr_on_io_error)word_of(disk, given, "on-io-error", io_error);
	out->max_passthrough_count = u32_of(disk, given, "max-passthrough-count");
	out->al_extents = clamp(u32_of(disk, given, "al-extents"), BSR_AL_EXTENTS_MIN, BSR_AL_EXTENTS_MAX);
	out->disk_timeout_ds = u32_of(disk, given, "disk-timeout");
	out->al_updates = yes(disk, given, "al-updates");
	/* a barrier is a flush that also orders: flushing does what both words promise */
	out->disk_flushes = yes(disk, given, "disk-flushes") || yes(disk, given, "disk-barrier");
	out->disk_drain = yes(disk, given, "disk-drain");
	out->md_flushes = yes(disk, given, "md-flushes");
	*size_bytes = (uint64_t)number_of(disk, given, "size") * BSR_SECTOR_BYTES;
	return 0;
}

static void net_conflict_policies(struct json_object *given, struct bsr_net_options *net)
{
	static const struct word_value sb[] = {{"disconnect", BSR_ASB_DISCONNECT},
		{"discard-younger-primary", BSR_ASB_DISCARD_YOUNGER_PRIMARY},
		{"discard-older-primary", BSR_ASB_DISCARD_OLDER_PRIMARY},
		{"discard-zero-changes", BSR_ASB_DISCARD_ZERO_CHANGES},
		{"discard-least-changes", BSR_ASB_DISCARD_LEAST_CHANGES},
		{"discard-local", BSR_ASB_DISCARD_LOCAL}, {"discard-remote", BSR_ASB_DISCARD_REMOTE},
		{"consensus", BSR_ASB_CONSENSUS}, {"discard-secondary", BSR_ASB_DISCARD_SECONDARY},
		{"call-pri-lost-after-sb", BSR_ASB_CALL_PRI_LOST}, {"violently-as0p", BSR_ASB_VIOLENTLY},
		{NULL, 0}};
	static const struct word_value rr[] = {{"disconnect", BSR_RR_DISCONNECT},
		{"call-pri-lost", BSR_RR_CALL_PRI_LOST}, {"violently", BSR_RR_VIOLENTLY}, {NULL, 0}};
	const enum bsr_option_section section = BSR_SECTION_NET;

	net->after_sb_0pri = (enum bsr_after_sb)word_of(section, given, "after-sb-0pri", sb);
	net->after_sb_1pri = (enum bsr_after_sb)word_of(section, given, "after-sb-1pri", sb);
	net->after_sb_2pri = (enum bsr_after_sb)word_of(section, given, "after-sb-2pri", sb);
	net->rr_conflict = (enum bsr_rr_conflict)word_of(section, given, "rr-conflict", rr);
	net->always_asbp = yes(section, given, "always-asbp");
}

static void net_numbers(struct json_object *given, struct bsr_net_options *net)
{
	static const struct word_value protocols[] = {
		{"C", BSR_PROTOCOL_C}, {"B", BSR_PROTOCOL_B}, {"A", BSR_PROTOCOL_A}, {NULL, 0}};
	static const struct word_value congestion[] = {{"block", BSR_CONGESTION_BLOCK},
		{"pull-ahead", BSR_CONGESTION_PULL_AHEAD}, {"disconnect", BSR_CONGESTION_DISCONNECT}, {NULL, 0}};
	static const struct word_value fencing[] = {{"dont-care", BSR_FENCING_DONT_CARE},
		{"resource-only", BSR_FENCING_RESOURCE_ONLY},
		{"resource-and-stonith", BSR_FENCING_RESOURCE_AND_STONITH}, {NULL, 0}};
	const enum bsr_option_section section = BSR_SECTION_NET;

	net->protocol = (enum bsr_protocol)word_of(section, given, "protocol", protocols);
	net->timeout_ds = u32_of(section, given, "timeout");
	net->ko_count = u32_of(section, given, "ko-count");
	net->max_epoch_size = u32_of(section, given, "max-epoch-size");
	net->connect_int_s = u32_of(section, given, "connect-int");
	net->ping_int_s = u32_of(section, given, "ping-int");
	net->ping_timeout_ds = u32_of(section, given, "ping-timeout");
	net->sndbuf_bytes = (uint64_t)number_of(section, given, "sndbuf-size");
	net->on_congestion = (enum bsr_on_congestion)word_of(section, given, "on-congestion", congestion);
	net->congestion_fill_bytes = (uint64_t)number_of(section, given, "congestion-fill");
	net->congestion_extents = u32_of(section, given, "congestion-extents");
	const char *verify_alg = text_of(bsr_option_find(section, "verify-alg"), given);
	net->verify_alg = bsr_digest_by_word(verify_alg != NULL ? verify_alg : "");
	net->fencing = (enum bsr_fencing)word_of(section, given, "fencing", fencing);
}

static int net_rules(struct json_object *given, const struct bsr_net_options *net, char *why, size_t room)
{
	const enum bsr_option_section section = BSR_SECTION_NET;
	const struct bsr_option *sndbuf = bsr_option_find(section, "sndbuf-size");
	BSR_ASSERT(sndbuf != NULL);
	if (net->on_congestion != BSR_CONGESTION_BLOCK && net->protocol != BSR_PROTOCOL_A) {
		snprintf(why, room, "on-congestion other than block needs protocol A");
		return -BSR_E_CONGESTION_NOT_A;
	}
	if (net->fencing == BSR_FENCING_RESOURCE_AND_STONITH && net->protocol == BSR_PROTOCOL_A) {
		snprintf(why, room, "fencing resource-and-stonith needs protocol B or C");
		return -BSR_E_STONITH_AND_A;
	}
	const char *verify_alg = text_of(bsr_option_find(section, "verify-alg"), given);
	if (verify_alg != NULL && verify_alg[0] != 0 && net->verify_alg == BSR_DIGEST_NONE) {
		snprintf(why, room, "verify-alg '%.64s' is not known; known are crc32c, md5, sha1, sha256, sha512", verify_alg);
		return -BSR_E_VERIFY_ALG;
	}
	if (net->sndbuf_bytes != 0 && net->sndbuf_bytes < (uint64_t)sndbuf->min) {
		snprintf(why, room, "sndbuf-size must be 0 or at least 10M");
		return -BSR_E_SNDBUF_SIZE;
	}
	if (yes(section, given, "allow-two-primaries")) {
		snprintf(why, room, "allow-two-primaries: a resource has one Primary here; remove the option");
		return -BSR_E_UNSUPPORTED;
	}
	if (yes(section, given, "tls")) {
		snprintf(why, room, "tls: this version does not encrypt; remove the option");
		return -BSR_E_UNSUPPORTED;
	}
	return 0;
}

static void copy_text(char *out, size_t room, struct json_object *given, const char *name)
{
	const struct bsr_option *option = bsr_option_find(BSR_SECTION_NET, name);
	BSR_ASSERT(option != NULL && (size_t)option->max < room);
	const char *text = text_of(option, given);
	snprintf(out, room, "%s", text == NULL ? "" : text);
}

int bsr_options_net(struct json_object *given, struct bsr_net_options *net, struct bsr_link_options *link, char *why,
	size_t room)
{
	const enum bsr_option_section section = BSR_SECTION_NET;
	int rc = check_all(1u << BSR_SECTION_NET, given, why, room);
	if (rc != 0) {
		return rc;
	}
	struct bsr_net_options made;
	bsr_net_options_defaults(&made);
	net_numbers(given, &made);
	net_conflict_policies(given, &made);
	rc = net_rules(given, &made, why, room);
	if (rc != 0) {
		return rc;
	}
	*net = made;
	memset(link, 0, sizeof(*link));
	copy_text(link->cram_hmac_alg, sizeof(link->cram_hmac_alg), given, "cram-hmac-alg");
	copy_text(link->shared_secret, sizeof(link->shared_secret), given, "shared-secret");
	link->data_checksums = true;
	link->connect_int_s = made.connect_int_s;
	link->ping_timeout_ds = made.ping_timeout_ds;
	link->tcp_user_timeout_s = u32_of(section, given, "tcp_ack_timeout");
	link->rcvbuf_bytes = u32_of(section, given, "rcvbuf-size");
	link->tcp_cork = yes(section, given, "tcp-cork");
	return 0;
}

static bool is_given(struct json_object *given, const char *name)
{
	return given != NULL && json_object_object_get_ex(given, name, NULL);
}

int bsr_options_peer_device(
	struct json_object *given, struct bsr_peer_device_options *out, char *why, size_t room)
{
	const enum bsr_option_section section = BSR_SECTION_PEER_DEVICE;
	int rc = check_all(1u << BSR_SECTION_PEER_DEVICE, given, why, room);
	if (rc != 0) {
		return rc;
	}
	bsr_peer_device_options_defaults(out);
	out->resync_rate_kib = u32_of(section, given, "resync-rate");
	out->c_plan_ahead_ds = u32_of(section, given, "c-plan-ahead");
	out->c_delay_target_ds = u32_of(section, given, "c-delay-target");
	out->c_fill_target_sectors = u32_of(section, given, "c-fill-target");
	out->c_max_rate_kib = u32_of(section, given, "c-max-rate");
	out->c_min_rate_kib = u32_of(section, given, "c-min-rate");
	/* without either of them a verify is as fast as a resync */
	const bool paced = is_given(given, "ov-req-num") || is_given(given, "ov-req-interval");
	out->ov_req_blocks = paced ? u32_of(section, given, "ov-req-num") : 0;
	out->ov_req_interval_ms = u32_of(section, given, "ov-req-interval");
	return 0;
}

/* ------------------------------------------------- what has no effect (yet) */

/* Options that change what a process does; all others are checked, kept and shown. */
static const char *const acted_on[] = {"on-no-data-accessible", "twopc-timeout", "persist-role", "size", "on-io-error",
	"max-passthrough-count", "al-extents", "al-updates", "disk-flushes", "disk-barrier", "protocol", "timeout",
	"ko-count", "max-epoch-size", "connect-int", "ping-int", "ping-timeout", "sndbuf-size", "rcvbuf-size",
	"tcp_ack_timeout", "cram-hmac-alg", "shared-secret", "after-sb-0pri", "after-sb-1pri", "after-sb-2pri",
	"always-asbp", "rr-conflict", "resync-rate", "c-plan-ahead", "c-max-rate", "verify-alg", "ov-req-num", "ov-req-interval",
	/* true without them: payloads carry checksums, bitmaps are compact */
	"data-integrity-alg", "use-rle", NULL};

static bool has_effect(const struct bsr_option *option)
{
	if ((option->flags & BSR_OPTION_INTERNAL) != 0) {
		return true;
	}
	for (size_t i = 0; acted_on[i] != NULL; i++) {
		if (strcmp(acted_on[i], option->name) == 0) {
			return true;
		}
	}
	return false;
}

/* The note on an option that does not do what its text says; false: it does. */
static bool write_note(const struct bsr_option *option, const char *text, char *note, size_t room)
{
	const char *acts_as = bsr_option_acts_as(option, text);
	if (acts_as != NULL) {
		snprintf(note, room, "option '%s': '%s' acts as '%s' in this version", option->name, text, acts_as);
		return true;
	}
	if (!has_effect(option) && !bsr_option_equal(option, text, NULL)) {
		snprintf(note, room, "option '%s' has no effect in this version", option->name);
		return true;
	}
	return false;
}

void bsr_options_notes(uint32_t sections, struct json_object *given, struct json_object *notes)
{
	char note[200];
	if (given == NULL || !json_object_is_type(given, json_type_object)) {
		return;
	}
	json_object_object_foreach(given, name, text)
	{
		const struct bsr_option *option = find_in(sections, name);
		if (option != NULL && json_object_is_type(text, json_type_string) &&
			write_note(option, json_object_get_string(text), note, sizeof(note))) {
			json_object_array_add(notes, json_object_new_string(note));
		}
	}
}
