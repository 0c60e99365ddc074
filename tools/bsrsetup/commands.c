// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * commands.c - the table of commands
 *
 * Owns: names, arguments and options of every command.
 */
#include "command.h"
#include "run.h"

#include <string.h>

#define SECTION(name) (1u << BSR_SECTION_##name)

static const struct bsr_setup_flag set_defaults[] = {
	{"set-defaults", 0, BSR_FLAG_SENT, "set_defaults", "options not given go back to their defaults"},
	{0},
};
static const struct bsr_setup_flag force[] = {
	{"force", 0, BSR_FLAG_SENT, "force", "do it although data or peers may be lost"},
	{0},
};
static const struct bsr_setup_flag connect_flags[] = {
	{"discard-my-data", 0, BSR_FLAG_SENT, "discard_my_data",
		"split brain: what was written here alone is given up"},
	{"tentative", 0, BSR_FLAG_SENT, "tentative", "report what would happen, then disconnect"},
	{"dry-run", 0, BSR_FLAG_SENT, "tentative", "the same"},
	{0},
};
static const struct bsr_setup_flag primary_flags[] = {
	{"force", 0, BSR_FLAG_SENT, "force", "also without UpToDate data; starts the initial sync"},
	{"overwrite-data-of-peer", 0, BSR_FLAG_SENT, "force", "the same"},
	{"full-sync", 0, BSR_FLAG_SENT, "full_sync", "initial sync copies everything"},
	{0},
};
static const struct bsr_setup_flag secondary_flags[] = {
	{"force", 0, BSR_FLAG_SENT, "force", "also while the device is open: I/O of those who have it open fails"},
	{0},
};
static const struct bsr_setup_flag invalidate_flags[] = {
	{"sync-from-peer-node-id", 0, BSR_FLAG_SENT_INT, "from_peer", "the peer to copy from"},
	{"reset-bitmap", 0, BSR_FLAG_SENT_NOT, "keep_bitmap", "no: copy only what is marked as out of sync, not everything"},
	{0},
};
static const struct bsr_setup_flag invalidate_remote_flags[] = {
	{"reset-bitmap", 0, BSR_FLAG_SENT_NOT, "keep_bitmap", "no: copy only what is marked as out of sync, not everything"},
	{"use-current-oos", 0, BSR_FLAG_SENT, "keep_bitmap", "the same as --reset-bitmap=no"},
	{0},
};
static const struct bsr_setup_flag new_uuid_flags[] = {
	{"clear-bitmap", 0, BSR_FLAG_SENT, "clear_bitmap",
		"skip the initial sync: both disks are known to be equal"},
	{"force-resync", 0, BSR_FLAG_SENT, "force_resync",
		"initial sync without a Primary: this new disk is the good one, peers get all of it"},
	{0},
};
static const struct bsr_setup_flag status_flags[] = {
	{"verbose", 'v', BSR_FLAG_LOCAL, "verbose", "also what is normal"},
	{"statistics", 's', BSR_FLAG_LOCAL, "statistics", "also counters"},
	{"color", 'c', BSR_FLAG_LOCAL_WORD, "color", "always, auto (default) or never"},
	{"json", 'j', BSR_FLAG_LOCAL, "json", "for programs"},
	{"readability", 'r', BSR_FLAG_LOCAL, "readability", "amounts with units"},
	{0},
};
static const struct bsr_setup_flag verify_flags[] = {
	{"start", 's', BSR_FLAG_SENT_SECTORS, "start",
		"sector (of 512 bytes) to begin with; without it: where the last verify was interrupted, else 0"},
	{"stop", 'S', BSR_FLAG_SENT_SECTORS, "stop", "sector to stop before; without it: the end of the volume"},
	{"auto-sync", 0, BSR_FLAG_SENT, "auto_sync", "resync what was found when the verify is complete"},
	{0},
};
static const struct bsr_setup_flag json_flags[] = {
	{"json", 'j', BSR_FLAG_LOCAL, "json", "for programs: one JSON object on one line"},
	{0},
};
static const struct bsr_setup_flag show_flags[] = {
	{"json", 'j', BSR_FLAG_LOCAL, "json", "for programs"},
	{"show-defaults", 'D', BSR_FLAG_LOCAL, "show-defaults", "also options that have their default"},
	{0},
};
static const struct bsr_setup_flag events_flags[] = {
	{"timestamps", 'T', BSR_FLAG_LOCAL, "timestamps", "each line begins with date and time"},
	{"statistics", 's', BSR_FLAG_LOCAL, "statistics", "also counters"},
	{"now", 'n', BSR_FLAG_LOCAL, "now", "stop after the present state"},
	{"poll", 'p', BSR_FLAG_LOCAL, "poll",
		"on each n from standard input ask again: all with --now, else what has changed"},
	{"color", 'c', BSR_FLAG_LOCAL_WORD, "color", "always, auto (default) or never"},
	{"diff", 'd', BSR_FLAG_LOCAL, "diff", "old->new"},
	{"sync", 'S', BSR_FLAG_LOCAL, "sync", "also progress of resyncs"},
	{"interval", 'i', BSR_FLAG_LOCAL_TEXT, "interval", "1..60: only each n-th line of progress"},
	{"cursor", 0, BSR_FLAG_LOCAL, "cursor", "with --json: each line says where it is in the stream"},
	{"resume", 0, BSR_FLAG_LOCAL_TEXT, "resume", "CURSOR: go on there, and say how many events were missed"},
	{"full", 'f', BSR_FLAG_LOCAL, "full", "every change with all fields of its object, and counters"},
	{"json", 'j', BSR_FLAG_LOCAL, "json", "one JSON object a line"},
	{0},
};
static const struct bsr_setup_flag wait_flags[] = {
	{"wfc-timeout", 't', BSR_FLAG_LOCAL_TEXT, "wfc-timeout", "seconds, 0 = for ever"},
	{"degr-wfc-timeout", 'd', BSR_FLAG_LOCAL_TEXT, "degr-wfc-timeout",
		"for peers that were away already when this node stopped"},
	{"outdated-wfc-timeout", 'o', BSR_FLAG_LOCAL_TEXT, "outdated-wfc-timeout",
		"for peers that are outdated"},
	{"wait-after-sb", 'w', BSR_FLAG_LOCAL, "wait-after-sb",
		"go on waiting when a connection is StandAlone"},
	{0},
};

#define RES BSR_ARG_RESOURCE
#define ALL BSR_ARG_RESOURCE_OR_ALL
#define MIN BSR_ARG_MINOR
#define VNR BSR_ARG_VOLUME
#define PID BSR_ARG_PEER
#define PATH BSR_ARG_LOCAL, BSR_ARG_REMOTE
#define NET SECTION(NET)

static const struct bsr_setup_command commands[] = {
	{"new-resource", {RES, BSR_ARG_NODE_ID}, SECTION(RESOURCE), NULL, bsr_run_new_resource,
		"start the resource's process"},
	{"resource-options", {RES}, SECTION(RESOURCE), set_defaults, bsr_run_request, "change options"},
	{"node-options", {RES}, SECTION(NODE), set_defaults, bsr_run_request, "change options"},
	{"new-minor", {RES, MIN, VNR}, SECTION(DEVICE), NULL, bsr_run_new_minor, "add a volume"},
	{"del-minor", {MIN}, 0, NULL, bsr_run_request, "remove a volume"},
	{"del-resource", {RES}, 0, NULL, bsr_run_down, "end the process of an empty resource"},
	{"down", {ALL}, 0, NULL, bsr_run_down, "demote, disconnect, detach, remove, end"},
	{"attach", {MIN, BSR_ARG_DISK, BSR_ARG_META_DISK, BSR_ARG_META_INDEX}, SECTION(DISK), NULL,
		bsr_run_request, "use a local disk"},
	{"disk-options", {MIN}, SECTION(DISK), set_defaults, bsr_run_request, "change options"},
	{"detach", {MIN}, 0, force, bsr_run_request, "release the local disk"},
	{"new-peer", {RES, PID}, NET, NULL, bsr_run_request, "add a peer"},
	{"del-peer", {RES, PID}, 0, force, bsr_run_request, "remove a peer"},
	{"new-path", {RES, PID, PATH, BSR_ARG_VERIFY}, 0, NULL, bsr_run_request, "add an address pair"},
	{"del-path", {RES, PID, PATH}, 0, NULL, bsr_run_request, "remove an address pair"},
	{"connect", {RES, PID}, 0, connect_flags, bsr_run_request, "begin to look for the peer"},
	{"disconnect", {RES, PID}, 0, force, bsr_run_request, "end the connection"},
	{"net-options", {RES, PID}, NET, set_defaults, bsr_run_request, "change options"},
	{"peer-device-options", {RES, PID, VNR}, SECTION(PEER_DEVICE), set_defaults, bsr_run_request,
		"change options"},
	{"primary", {RES}, 0, primary_flags, bsr_run_request, "offer the device to applications"},
	{"secondary", {RES}, 0, secondary_flags, bsr_run_request, "take the device away from applications"},
	{"apply-persist-role", {RES}, 0, NULL, bsr_run_request, "promote if it was Primary before"},
	{"invalidate", {MIN}, 0, invalidate_flags, bsr_run_request, "fetch all data from a peer"},
	{"invalidate-remote", {RES, PID, VNR}, 0, invalidate_remote_flags, bsr_run_request, "send all data to a peer"},
	{"outdate", {MIN}, 0, NULL, bsr_run_request, "mark the local data as outdated"},
	{"verify", {RES, PID, VNR}, 0, verify_flags, bsr_run_request, "compare the data with a peer's, by digests"},
	{"verify-stop", {RES, PID, VNR}, 0, NULL, bsr_run_request, "stop comparing"},
	{"pause-sync", {RES, PID, VNR}, 0, NULL, bsr_run_request, "pause a resync"},
	{"resume-sync", {RES, PID, VNR}, 0, NULL, bsr_run_request, "let a resync go on"},
	{"suspend-io", {MIN}, 0, NULL, bsr_run_request, "hold application requests back"},
	{"resume-io", {MIN}, 0, NULL, bsr_run_request, "let them go on"},
	{"new-current-uuid", {MIN}, 0, new_uuid_flags, bsr_run_request, "begin a new data generation"},
	{"forget-peer", {RES, PID}, 0, NULL, bsr_run_request, "forget a removed peer's bitmap"},
	{"role", {RES}, 0, json_flags, bsr_run_role, "print the role"},
	{"cstate", {RES, PID}, 0, json_flags, bsr_run_cstate, "print a connection's state"},
	{"dstate", {MIN}, 0, json_flags, bsr_run_dstate, "print disk states"},
	{"show", {ALL}, 0, show_flags, bsr_run_show, "print the running configuration"},
	{"status", {ALL}, 0, status_flags, bsr_run_status, "print states"},
	{"events2", {ALL}, 0, events_flags, bsr_run_events2, "print states and every change"},
	{"why", {BSR_ARG_RESOURCE_PEER_VOLUME}, 0, json_flags, bsr_run_why,
		"explain why a peer is not replicated to"},
	{"show-gi", {RES, PID, VNR}, 0, json_flags, bsr_run_gi, "generation identifiers, explained"},
	{"get-gi", {RES, PID, VNR}, 0, json_flags, bsr_run_gi, "generation identifiers"},
	{"wait-connect-volume", {RES, PID, VNR}, 0, wait_flags, bsr_run_wait, "until it replicates"},
	{"wait-connect-connection", {RES, PID}, 0, wait_flags, bsr_run_wait, "until it replicates"},
	{"wait-connect-resource", {RES}, 0, wait_flags, bsr_run_wait, "until it replicates"},
	{"wait-sync-volume", {RES, PID, VNR}, 0, wait_flags, bsr_run_wait, "until no resync and no verify runs"},
	{"wait-sync-connection", {RES, PID}, 0, wait_flags, bsr_run_wait, "until no resync and no verify runs"},
	{"wait-sync-resource", {RES}, 0, wait_flags, bsr_run_wait, "until no resync and no verify runs"},
	{"check-fs", {MIN}, 0, NULL, bsr_run_check_fs, "is the file system fit for a fast first sync"},
};

const struct bsr_setup_command *bsr_setup_command_find(const char *name)
{
	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
		if (strcmp(commands[i].name, name) == 0) {
			return &commands[i];
		}
	}
	return NULL;
}

const struct bsr_setup_command *bsr_setup_command_at(size_t index)
{
	return index < sizeof(commands) / sizeof(commands[0]) ? &commands[index] : NULL;
}
