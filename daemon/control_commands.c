// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * control_commands.c - the commands of the control socket
 *
 * Owns:       the table of commands; merging of given options with those that are set.
 * May touch:  flows and engine commands of the daemon; nothing is changed here.
 * Format:     docs/control.md, section 5
 */
#include "control.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <bsr/assert.h>

#include "option_table.h"
#include "options.h"
#include "superblock.h"

#define SECTION(name) (1u << BSR_SECTION_##name)

/* ---------------------------------------------------------------- options */

/* True after a refusal was answered. */
static bool refused_options(struct control_request *request, int rc, const char *why)
{
	if (rc == 0) {
		return false;
	}
	if (rc == -BSR_E_INVALID_REQUEST) {
		control_finish_error(request, BSR_CTL_BAD_OPTION, "%s", why);
	} else {
		control_done(request,
			&(struct bsrd_answer){
				.error = rc, .peer = BSRD_NOBODY, .volume = BSRD_NOBODY, .text = why});
	}
	return true;
}

static void note_options(struct control_request *request, uint32_t sections)
{
	request->notes = json_object_new_array();
	bsr_options_notes(sections, control_options(request), request->notes);
}

/*
 * Options that are only added by their own section: with defaults asked for, those of other
 * sections stay.
 */
static bool survives(const char *name, bool set_defaults, uint32_t sections)
{
	for (unsigned int section = 0; section < BSR_SECTION_COUNT; section++) {
		const struct bsr_option *option = (sections & (1u << section)) == 0
			? NULL
			: bsr_option_find((enum bsr_option_section)section, name);
		if (option != NULL) {
			return !set_defaults || (option->flags & (BSR_OPTION_INTERNAL | BSR_OPTION_RESIZES |
									 BSR_OPTION_AT_CREATION)) != 0;
		}
	}
	return true;
}

/* What is set now with what is given on top; the caller puts it. */
static struct json_object *merge(
	const struct control_request *request, struct json_object *set, uint32_t sections)
{
	struct json_object *merged = json_object_new_object();
	struct json_object *given = control_options(request);
	if (set != NULL) {
		json_object_object_foreach(set, name, text)
		{
			if (survives(name, request->set_defaults, sections)) {
				json_object_object_add(merged, name, json_object_get(text));
			}
		}
	}
	if (given != NULL) {
		json_object_object_foreach(given, new_name, new_text)
		{
			json_object_object_add(merged, new_name, json_object_get(new_text));
		}
	}
	return merged;
}

/* The names of @given are all of these sections; false after a refusal was answered. */
static bool only_of(struct control_request *request, uint32_t sections)
{
	struct json_object *given = control_options(request);
	if (given == NULL) {
		return true;
	}
	json_object_object_foreach(given, name, text)
	{
		(void)text;
		bool found = false;
		for (unsigned int section = 0; section < BSR_SECTION_COUNT; section++) {
			found = found ||
				((sections & (1u << section)) != 0 &&
					bsr_option_find((enum bsr_option_section)section, name) != NULL);
		}
		if (!found) {
			control_finish_error(request, BSR_CTL_BAD_OPTION, "command '%s' has no option '%.64s'",
				request->command->name, name);
			return false;
		}
	}
	return true;
}

static struct json_object *given_or_empty(const struct control_request *request)
{
	struct json_object *given = control_options(request);
	return given != NULL ? json_object_get(given) : json_object_new_object();
}

static void run_resource_options(struct control_request *request)
{
	struct bsrd *d = request->control->d;
	struct bsr_resource_options checked;
	char why[256];
	const bool node = strcmp(request->command->name, "node-options") == 0;
	const uint32_t sections = node ? SECTION(NODE) : SECTION(RESOURCE);
	if (!only_of(request, sections)) {
		return;
	}
	struct json_object *merged = merge(request, d->running.options_given, sections);
	if (!refused_options(request, bsr_options_resource(merged, &checked, why, sizeof(why)), why)) {
		note_options(request, sections);
		bsrd_flow_resource_options(d, merged, control_done, request);
	}
	json_object_put(merged);
}

static void run_disk_options(struct control_request *request)
{
	struct bsrd *d = request->control->d;
	struct bsr_disk_options checked;
	uint64_t size = 0;
	char why[256];
	struct json_object *merged =
		merge(request, d->running.volume[request->volume].disk_given, SECTION(DISK));
	if (!refused_options(request, bsr_options_disk(merged, &checked, &size, why, sizeof(why)), why)) {
		note_options(request, SECTION(DISK));
		bsrd_flow_disk_options(d, request->volume, merged, control_done, request);
	}
	json_object_put(merged);
}

static void run_net_options(struct control_request *request)
{
	struct bsrd *d = request->control->d;
	struct bsr_net_options checked;
	struct bsr_link_options link;
	char why[256];
	struct json_object *merged =
		merge(request, d->running.peer[request->peer].net_given, SECTION(NET));
	if (!refused_options(request, bsr_options_net(merged, &checked, &link, why, sizeof(why)), why)) {
		note_options(request, SECTION(NET));
		bsrd_flow_net_options(d, request->peer, merged, control_done, request);
	}
	explicit_bzero(&link, sizeof(link));
	json_object_put(merged);
}

static void run_peer_device_options(struct control_request *request)
{
	struct bsrd *d = request->control->d;
	struct bsr_peer_device_options checked;
	char why[256];
	struct json_object *merged = merge(request,
		d->running.peer[request->peer].peer_device_given[request->volume], SECTION(PEER_DEVICE));
	if (!refused_options(request, bsr_options_peer_device(merged, &checked, why, sizeof(why)), why)) {
		note_options(request, SECTION(PEER_DEVICE));
		bsrd_flow_peer_device_options(
			d, request->peer, request->volume, merged, control_done, request);
	}
	json_object_put(merged);
}

/* ---------------------------------------------------------- resource, volumes */

static void run_new_resource(struct control_request *request)
{
	struct bsrd *d = request->control->d;
	struct bsr_resource_options checked;
	char why[256];
	struct json_object *given = given_or_empty(request);
	if (!refused_options(request, bsr_options_resource(given, &checked, why, sizeof(why)), why)) {
		note_options(request, SECTION(RESOURCE) | SECTION(NODE));
		bsrd_flow_new_resource(d, request->number, given, control_done, request);
	}
	json_object_put(given);
}

static void run_new_minor(struct control_request *request)
{
	struct json_object *given = control_options(request);
	struct json_object *diskless = NULL;
	if (!only_of(request, SECTION(DEVICE))) {
		return;
	}
	if (control_bool(request, "diskless") ||
		(given != NULL && json_object_object_get_ex(given, "diskless", &diskless) &&
			strcmp(json_object_get_string(diskless), "no") != 0)) {
		control_finish_error(request, BSR_CTL_NOT_SUPPORTED,
			"new-minor --diskless: this version has no nodes without a disk of their own");
		return;
	}
	bsrd_flow_new_volume(request->control->d, request->number, request->vnr, control_done, request);
}

static void run_del_minor(struct control_request *request)
{
	bsrd_flow_del_volume(request->control->d, request->volume, control_done, request);
}

/* Where the metadata are; false after a refusal was answered. */
static bool read_meta_index(struct control_request *request, struct bsrd_attach_args *args)
{
	const char *index = control_text(request, "meta_index");
	char *end = NULL;
	args->md_path = control_text(request, "meta_disk");
	if (strcmp(index, "internal") == 0) {
		args->md_kind = BSR_MD_INTERNAL;
		if (strcmp(args->md_path, args->disk_path) != 0) {
			control_finish_error(request, BSR_CTL_BAD_FIELD,
				"internal metadata are on the disk itself: meta_disk must equal disk");
			return false;
		}
		return true;
	}
	if (strcmp(index, "flexible") == 0) {
		args->md_kind = BSR_MD_FLEX_EXTERNAL;
		return true;
	}
	args->md_kind = BSR_MD_INDEXED;
	unsigned long number = strtoul(index, &end, 10);
	if (index[0] < '0' || index[0] > '9' || *end != '\0' || number > 255) {
		control_finish_error(
			request, BSR_CTL_BAD_FIELD, "meta_index must be internal, flexible or 0..255");
		return false;
	}
	args->md_index = (uint32_t)number;
	return true;
}

static void run_attach(struct control_request *request)
{
	struct bsrd *d = request->control->d;
	struct bsr_disk_options checked;
	uint64_t size = 0;
	char why[256];
	struct bsrd_attach_args args = {
		.volume = request->volume, .disk_path = control_text(request, "disk")};
	if (!read_meta_index(request, &args)) {
		return;
	}
	if (args.disk_path[0] != '/' || args.md_path[0] != '/') {
		control_finish_error(request, BSR_CTL_BAD_FIELD, "disk and meta_disk must be absolute paths");
		return;
	}
	args.options = given_or_empty(request);
	if (!refused_options(request, bsr_options_disk(args.options, &checked, &size, why, sizeof(why)), why)) {
		struct control_client *client = control_find_client(request);
		note_options(request, SECTION(DISK));
		if (client != NULL) {
			control_take_fds(client, &args.fds);
		}
		bsrd_flow_attach(d, &args, control_done, request);
	}
	json_object_put(args.options);
}

static uint32_t force_flag(const struct control_request *request)
{
	return control_bool(request, "force") ? BSR_CMDF_FORCE : 0;
}

static void run_detach(struct control_request *request)
{
	bsrd_flow_detach(
		request->control->d, request->volume, force_flag(request), control_done, request);
}

/* -------------------------------------------------------------------- peers */

static void run_new_peer(struct control_request *request)
{
	struct bsrd *d = request->control->d;
	struct bsr_net_options checked;
	struct bsr_link_options link;
	struct json_object *name = NULL;
	char why[256];
	char number[16];
	struct json_object *given = given_or_empty(request);
	snprintf(number, sizeof(number), "%u", request->peer);
	if (!json_object_object_get_ex(given, "_name", &name)) {
		(void)json_object_object_get_ex(given, "peer-node-name", &name);
	}
	const char *text = name == NULL ? number : json_object_get_string(name);
	if (!refused_options(request, bsr_options_net(given, &checked, &link, why, sizeof(why)), why)) {
		note_options(request, SECTION(NET));
		bsrd_flow_new_peer(d, request->peer, text, given, control_done, request);
	}
	explicit_bzero(&link, sizeof(link));
	json_object_put(given);
}

static void run_del_peer(struct control_request *request)
{
	bsrd_flow_del_peer(request->control->d, request->peer, force_flag(request), control_done, request);
}

static bool address_ok(struct control_request *request, const char *field)
{
	struct sockaddr_storage address;
	char why[200] = "";
	const char *text = control_text(request, field);
	if (strlen(text) < BSRD_ADDRESS_TEXT && bsrd_address_parse(text, &address, why, sizeof(why)) == 0) {
		return true;
	}
	control_finish_error(request, BSR_CTL_BAD_FIELD, "field '%s': %s", field,
		why[0] == '\0' ? "the address is too long" : why);
	return false;
}

static void path_done(void *ctx, const struct bsrd_answer *answer)
{
	struct control_request *request = ctx;
	if (answer->error == 0) {
		const bool new = strcmp(request->command->name, "new-path") == 0;
		control_publish_path(request->control, new ? BSR_ACT_CREATE : BSR_ACT_DESTROY, request->peer,
			control_text(request, "local"), control_text(request, "remote"));
	}
	control_done(request, answer);
}

static void run_path(struct control_request *request)
{
	struct bsrd *d = request->control->d;
	if (!address_ok(request, "local") || !address_ok(request, "remote")) {
		return;
	}
	const char *local = control_text(request, "local");
	const char *remote = control_text(request, "remote");
	if (strcmp(request->command->name, "new-path") == 0) {
		bsrd_flow_new_path(d, request->peer, local, remote, path_done, request);
	} else {
		bsrd_flow_del_path(d, request->peer, local, remote, path_done, request);
	}
}

static void run_connect(struct control_request *request)
{
	uint32_t flags = control_bool(request, "discard_my_data") ? BSR_CMDF_DISCARD_MY_DATA : 0;
	flags |= control_bool(request, "tentative") ? BSR_CMDF_TENTATIVE : 0;
	bsrd_flow_connect(request->control->d, request->peer, flags, control_done, request);
}

static void run_disconnect(struct control_request *request)
{
	bsrd_flow_disconnect(
		request->control->d, request->peer, force_flag(request), control_done, request);
}

/* --------------------------------------------------------------------- role */

static void run_primary(struct control_request *request)
{
	/* full_sync: the first resync copies everything anyway */
	bsrd_flow_primary(request->control->d, force_flag(request), control_done, request);
}

static void run_secondary(struct control_request *request)
{
	bsrd_flow_secondary(request->control->d, force_flag(request), control_done, request);
}

static bool option_is_yes(struct json_object *given, const char *name)
{
	struct json_object *text = NULL;
	return given != NULL && json_object_object_get_ex(given, name, &text) &&
		strcmp(json_object_get_string(text), "yes") == 0;
}

static void run_apply_persist_role(struct control_request *request)
{
	struct bsrd *d = request->control->d;
	struct bsr_volume_info info;
	bool was_primary = false;
	for (uint32_t i = 0; i < BSR_VOLUMES_MAX; i++) {
		bsr_engine_volume_info(d->engine, i, &info);
		was_primary = was_primary ||
			(info.exists && info.md_usable && (info.md_flags & BSR_MDF_WAS_PRIMARY) != 0);
	}
	struct bsr_resource_info resource;
	bsr_engine_resource_info(d->engine, &resource);
	if (!option_is_yes(d->running.options_given, "persist-role") || !was_primary ||
		resource.role == BSR_ROLE_PRIMARY) {
		control_finish_ok(request, NULL);
		return;
	}
	bsrd_flow_primary(d, 0, control_done, request);
}

/* -------------------------------------------------- plain commands of the engine */

struct plain {
	const char *name;
	enum bsr_cmd type;
};

static void run_plain(struct control_request *request)
{
	static const struct plain plain[] = {
		{"invalidate", BSR_CMD_INVALIDATE},
		{"invalidate-remote", BSR_CMD_INVALIDATE_REMOTE},
		{"outdate", BSR_CMD_OUTDATE},
		{"pause-sync", BSR_CMD_PAUSE_SYNC},
		{"resume-sync", BSR_CMD_RESUME_SYNC},
		{"suspend-io", BSR_CMD_SUSPEND_IO},
		{"resume-io", BSR_CMD_RESUME_IO},
		{"new-current-uuid", BSR_CMD_NEW_CURRENT_UUID},
		{"verify-stop", BSR_CMD_VERIFY_STOP},
	};
	struct bsr_command cmd = {.volume = request->volume, .peer = request->peer};
	bool found = false;
	for (size_t i = 0; i < sizeof(plain) / sizeof(plain[0]); i++) {
		if (strcmp(plain[i].name, request->command->name) == 0) {
			cmd.type = plain[i].type;
			found = true;
		}
	}
	BSR_ASSERT(found);
	if (cmd.type == BSR_CMD_INVALIDATE) {
		cmd.peer = request->number; /* UINT32_MAX: any peer that can */
	}
	cmd.flags = control_bool(request, "clear_bitmap") ? BSR_CMDF_CLEAR_BITMAP : 0;
	cmd.flags |= control_bool(request, "force_resync") ? BSR_CMDF_FORCE_RESYNC : 0;
	cmd.flags |= control_bool(request, "keep_bitmap") ? BSR_CMDF_KEEP_BITMAP : 0;
	if (cmd.volume < BSR_VOLUMES_MAX) {
		cmd.vnr = request->control->d->running.volume[cmd.volume].vnr;
	}
	bsrd_command(request->control->d, &cmd, control_done, request);
}

static void run_verify(struct control_request *request)
{
	struct bsr_command cmd = {.type = BSR_CMD_VERIFY, .volume = request->volume, .peer = request->peer};
	cmd.flags = control_sectors(request, "start", &cmd.u.verify.start_bytes) ? BSR_CMDF_START : 0;
	cmd.flags |= control_bool(request, "auto_sync") ? BSR_CMDF_AUTO_SYNC : 0;
	if (!control_sectors(request, "stop", &cmd.u.verify.stop_bytes)) {
		cmd.u.verify.stop_bytes = 0; /* the volume's end */
	}
	bsrd_command(request->control->d, &cmd, control_done, request);
}

static void run_forget_peer(struct control_request *request)
{
	const struct bsr_command cmd = {.type = BSR_CMD_FORGET_PEER, .peer = request->number};
	bsrd_command(request->control->d, &cmd, control_done, request);
}

/* ----------------------------------------------------------------------- end */

static void down_done(void *ctx, const struct bsrd_answer *answer)
{
	struct control_request *request = ctx;
	struct bsr_control *control = request->control;
	const bool ends = answer->error == 0;
	control_done(request, answer);
	if (ends) { /* this is the last turn of the process */
		control_end_events(control);
		bsr_control_flush(control);
	}
}

static void run_down(struct control_request *request)
{
	bsrd_flow_down(request->control->d, down_done, request);
}

static void run_del_resource(struct control_request *request)
{
	const struct bsrd_running *running = &request->control->d->running;
	char text[128];
	for (uint32_t i = 0; i < BSR_VOLUMES_MAX; i++) {
		if (running->volume[i].exists) {
			snprintf(text, sizeof(text), "volume %u is configured", running->volume[i].vnr);
			control_done(request,
				&(struct bsrd_answer){.error = -BSR_E_RES_IN_USE,
					.peer = BSRD_NOBODY,
					.volume = i,
					.text = text});
			return;
		}
	}
	for (uint32_t i = 0; i < BSR_NODES_MAX; i++) {
		if (running->peer[i].exists) {
			snprintf(text, sizeof(text), "peer with node id %u is configured", i);
			control_done(request,
				&(struct bsrd_answer){.error = -BSR_E_RES_IN_USE,
					.peer = i,
					.volume = BSRD_NOBODY,
					.text = text});
			return;
		}
	}
	run_down(request);
}

/* ------------------------------------------------------------------ questions */

static void run_ping(struct control_request *request)
{
	control_finish_ok(request, NULL);
}

static void run_status(struct control_request *request)
{
	struct bsr_control *control = request->control;
	struct json_object *result = json_object_new_object();
	json_object_object_add(result, "snapshot", status_snapshot(control->d, control->seq));
	control_finish_ok(request, result);
}

/* What proves a host to its peers is for root. */
static void leave_out_secrets(struct json_object *config)
{
	struct json_object *connections = NULL;
	json_object_object_get_ex(config, "connections", &connections);
	for (size_t i = 0; connections != NULL && i < json_object_array_length(connections); i++) {
		struct json_object *options = NULL;
		if (json_object_object_get_ex(json_object_array_get_idx(connections, i), "options", &options)) {
			json_object_object_del(options, "shared-secret");
		}
	}
}

static void run_show(struct control_request *request)
{
	struct json_object *result = json_object_new_object();
	struct json_object *config = status_config(request->control->d);
	if (control_find_client(request)->reader) {
		leave_out_secrets(config);
	}
	json_object_object_add(result, "config", config);
	control_finish_ok(request, result);
}

static void run_why(struct control_request *request)
{
	struct json_object *result = json_object_new_object();
	json_object_object_add(
		result, "facts", status_why(request->control->d, request->peer, request->volume));
	control_finish_ok(request, result);
}

static void run_subscribe(struct control_request *request)
{
	struct bsr_control *control = request->control;
	struct control_client *client = control_find_client(request);
	struct json_object *result = json_object_new_object();
	control_check_marks(control); /* changes that were not told yet are in the snapshot */
	json_object_object_add(result, "snapshot", status_snapshot(control->d, control->seq));
	if (client != NULL && !client->closing) {
		client->statistics = control_bool(request, "statistics");
		control->subscribers += client->subscribed ? 0 : 1;
		client->subscribed = true;
		client->after_seq = control->seq;
	}
	control_finish_ok(request, result);
}

static void run_unsubscribe(struct control_request *request)
{
	struct control_client *client = control_find_client(request);
	if (client != NULL && client->subscribed) {
		client->subscribed = false;
		request->control->subscribers--;
	}
	control_finish_ok(request, NULL);
}

/* -------------------------------------------------------------------- table */

#define MINOR {"minor", CONTROL_MINOR, true}
#define PEER {"peer", CONTROL_PEER, true}
#define VOLUME {"volume", CONTROL_VOLUME, true}
#define OPTIONS {"options", CONTROL_OPTIONS, false}
#define DEFAULTS {"set_defaults", CONTROL_BOOL, false}
#define FORCE {"force", CONTROL_BOOL, false}
#define TEXT(name) {name, CONTROL_TEXT, true}
#define FLAG(name) {name, CONTROL_BOOL, false}

static const struct control_command commands[] = {
	{"new-resource", {{"node_id", CONTROL_NODE_ID, true}, OPTIONS}, CONTROL_BEFORE, run_new_resource},
	{"resource-options", {OPTIONS, DEFAULTS}, 0, run_resource_options},
	{"node-options", {OPTIONS, DEFAULTS}, 0, run_resource_options},
	{"new-minor",
		{{"minor", CONTROL_NEW_MINOR, true}, {"volume", CONTROL_NEW_VOLUME, true}, FLAG("diskless"), OPTIONS},
		0, run_new_minor},
	{"del-minor", {MINOR}, 0, run_del_minor},
	{"attach", {MINOR, TEXT("disk"), TEXT("meta_disk"), TEXT("meta_index"), OPTIONS}, 0, run_attach},
	{"disk-options", {MINOR, OPTIONS, DEFAULTS}, 0, run_disk_options},
	{"detach", {MINOR, FORCE}, 0, run_detach},
	{"new-peer", {PEER, OPTIONS}, 0, run_new_peer},
	{"del-peer", {PEER, FORCE}, 0, run_del_peer},
	{"new-path", {PEER, TEXT("local"), TEXT("remote")}, 0, run_path},
	{"del-path", {PEER, TEXT("local"), TEXT("remote")}, 0, run_path},
	{"connect", {PEER, FLAG("discard_my_data"), FLAG("tentative")}, 0, run_connect},
	{"disconnect", {PEER, FORCE}, 0, run_disconnect},
	{"net-options", {PEER, OPTIONS, DEFAULTS}, 0, run_net_options},
	{"peer-device-options", {PEER, VOLUME, OPTIONS, DEFAULTS}, 0, run_peer_device_options},
	{"primary", {FORCE, FLAG("full_sync")}, 0, run_primary},
	{"secondary", {{"force", CONTROL_BOOL, false}}, 0, run_secondary},
	{"apply-persist-role", {{NULL, CONTROL_BOOL, false}}, 0, run_apply_persist_role},
	{"invalidate", {MINOR, {"from_peer", CONTROL_NODE_ID, false}, FLAG("keep_bitmap")}, 0, run_plain},
	{"invalidate-remote", {PEER, VOLUME, FLAG("keep_bitmap")}, 0, run_plain},
	{"outdate", {MINOR}, 0, run_plain},
	{"verify", {PEER, VOLUME, {"start", CONTROL_SECTORS, false}, {"stop", CONTROL_SECTORS, false}, FLAG("auto_sync")},
		0, run_verify},
	{"verify-stop", {PEER, VOLUME}, 0, run_plain},
	{"pause-sync", {PEER, VOLUME}, 0, run_plain},
	{"resume-sync", {PEER, VOLUME}, 0, run_plain},
	{"suspend-io", {MINOR}, 0, run_plain},
	{"resume-io", {MINOR}, 0, run_plain},
	{"new-current-uuid", {MINOR, FLAG("clear_bitmap"), FLAG("force_resync")}, 0, run_plain},
	{"forget-peer", {{"peer", CONTROL_NODE_ID, true}}, 0, run_forget_peer},
	{"down", {{NULL, CONTROL_BOOL, false}}, CONTROL_BEFORE, run_down},
	{"del-resource", {{NULL, CONTROL_BOOL, false}}, CONTROL_BEFORE, run_del_resource},
	{"ping", {{NULL, CONTROL_BOOL, false}}, CONTROL_BEFORE | CONTROL_LOOKS, run_ping},
	{"status", {{NULL, CONTROL_BOOL, false}}, CONTROL_LOOKS, run_status},
	{"show", {{NULL, CONTROL_BOOL, false}}, CONTROL_LOOKS, run_show},
	{"why", {{"peer", CONTROL_PEER, false}, {"volume", CONTROL_VOLUME, false}}, CONTROL_LOOKS, run_why},
	{"settings", {OPTIONS}, CONTROL_BEFORE, control_run_settings},
	{"log", {TEXT("level"), TEXT("text")}, CONTROL_BEFORE, control_run_log},
	{"fault", {OPTIONS, FLAG("clear")}, CONTROL_BEFORE, control_run_fault},
	{"measure", {{"on", CONTROL_BOOL, true}}, 0, control_run_measure},
	{"counters", {{NULL, CONTROL_BOOL, false}}, CONTROL_LOOKS, control_run_counters},
	{"debug", {{NULL, CONTROL_BOOL, false}}, CONTROL_LOOKS, control_run_debug},
	{"subscribe", {FLAG("statistics")}, CONTROL_LOOKS, run_subscribe},
	{"unsubscribe", {{NULL, CONTROL_BOOL, false}}, CONTROL_BEFORE | CONTROL_LOOKS, run_unsubscribe},
};

const struct control_command *control_command_find(const char *name)
{
	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
		if (strcmp(commands[i].name, name) == 0) {
			return &commands[i];
		}
	}
	return NULL;
}
