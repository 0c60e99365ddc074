// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * commands.c - the table of commands
 *
 * Owns:       names, targets, options and one-line help of all commands.
 * May touch:  nothing.
 */
#include "adm.h"

#include "names.h"

#include <string.h>

#define HANDLER(name_)                                                                             \
	{                                                                                          \
		name_, ADM_VOLUME, adm_handler,                                                    \
			ADM_HANDLER | ADM_HIDDEN | ADM_REGISTRY | ADM_WHOLE_RESOURCE, NULL, NULL,  \
			"run the handler of that event"                                            \
	}

static const struct adm_command commands[] = {
	{"up", ADM_RESOURCE, adm_up, ADM_DEFERRED, NULL, NULL,
		"create, attach and connect a resource"},
	{"down", ADM_RESOURCE, adm_down, ADM_IGNORED_TOO, NULL, NULL,
		"demote, disconnect, detach and release a resource, in that order"},
	{"adjust", ADM_VOLUME, adm_adjust, ADM_DEFERRED | ADM_WHOLE_RESOURCE | ADM_PEER_TOO, NULL,
		"skip-disk skip-net tentative discard-my-data",
		"apply changes of the configuration to what runs"},
	{"adjust-with-progress", ADM_RESOURCE, adm_adjust, ADM_DEFERRED, NULL,
		"skip-disk skip-net tentative discard-my-data", "adjust, for boot scripts"},
	{"primary", ADM_RESOURCE, adm_primary, 0, NULL, "force skip-check-fs full-sync-on-fail",
		"promote: its devices can be used on this host"},
	{"secondary", ADM_RESOURCE, adm_plain_resource, 0, NULL, "force", "demote"},
	{"role", ADM_RESOURCE, adm_status, 0, NULL, "json", "print the role of this host"},
	{"state", ADM_RESOURCE, adm_status, ADM_HIDDEN, NULL, NULL, "old name of role"},
	{"status", ADM_RESOURCE, adm_status, ADM_NO_TARGET_OK, NULL,
		"json statistics color= readability", "print states of resources, disks and peers"},
	{"attach", ADM_VOLUME, adm_attach, ADM_NEEDS_DISK | ADM_ALL_VOLUMES, "d", NULL,
		"make the local disk usable"},
	{"detach", ADM_VOLUME, adm_plain_volume, 0, NULL, "force", "let go of the local disk"},
	{"disk-options", ADM_VOLUME, adm_disk_options, ADM_NEEDS_DISK, "d", "set-defaults",
		"change options of an attached disk"},
	{"connect", ADM_CONNECTION, adm_plain_connection, ADM_CHECK_IP, NULL,
		"tentative discard-my-data", "begin to look for a peer"},
	{"disconnect", ADM_CONNECTION, adm_plain_connection, 0, NULL, "force",
		"end a connection, and stay alone"},
	{"new-peer", ADM_CONNECTION, adm_new_peer, ADM_CHECK_IP, "n", NULL, "make a peer known"},
	{"del-peer", ADM_CONNECTION, adm_plain_connection, 0, NULL, "force",
		"forget a running connection"},
	{"new-path", ADM_CONNECTION, adm_new_path, ADM_CHECK_IP, NULL, NULL,
		"add the paths of a connection"},
	{"del-path", ADM_CONNECTION, adm_del_path, ADM_CHECK_IP, NULL, NULL,
		"remove the paths of a connection"},
	{"net-options", ADM_CONNECTION, adm_net_options, ADM_CHECK_IP, "n", "set-defaults",
		"change options of a connection"},
	{"peer-device-options", ADM_PEER_DEVICE, adm_peer_device_options, 0, "p", "set-defaults",
		"change options of a volume towards a peer"},
	{"resource-options", ADM_RESOURCE, adm_plain_resource, 0, "r", "set-defaults",
		"change options of a resource"},
	{"node-options", ADM_RESOURCE, adm_node_options, 0, "o", "set-defaults",
		"change options of this node"},
	{"new-resource", ADM_RESOURCE, adm_new_resource, 0, "r", NULL, "create a resource, empty"},
	{"new-minor", ADM_VOLUME, adm_new_minor, 0, "m", NULL, "create a volume, without disk"},
	{"del-minor", ADM_VOLUME, adm_plain_volume, 0, NULL, NULL, "remove a detached volume"},
	{"del-resource", ADM_RESOURCE, adm_plain_resource, ADM_IGNORED_TOO, NULL, NULL,
		"remove an empty resource"},
	{"apply-persist-role", ADM_RESOURCE, adm_plain_resource, 0, NULL, NULL,
		"promote if persist-role is set and this host was Primary"},
	{"invalidate", ADM_VOLUME, adm_invalidate, ADM_OPTIONAL_PEER, NULL,
		"reset-bitmap=", "replace the local data by a peer's"},
	{"invalidate-remote", ADM_PEER_DEVICE, adm_plain_peer_device, 0, NULL, "use-current-oos reset-bitmap=",
		"replace a peer's data by the local data"},
	{"outdate", ADM_VOLUME, adm_outdate, ADM_NEEDS_DISK, NULL, NULL,
		"mark the local data as outdated"},
	{"resize", ADM_VOLUME, adm_resize, 0, NULL,
		"size= assume-peer-has-space assume-clean al-stripes= al-stripe-size-kB=",
		"adopt a new size"},
	{"check-resize", ADM_VOLUME, adm_check_resize, ADM_HIDDEN, NULL, NULL,
		"take note of a new size"},
	{"verify", ADM_PEER_DEVICE, adm_plain_peer_device, 0, NULL, "start= stop= auto-sync",
		"compare the data with a peer's"},
	{"verify-stop", ADM_PEER_DEVICE, adm_plain_peer_device, 0, NULL, NULL, "stop comparing"},
	{"pause-sync", ADM_PEER_DEVICE, adm_plain_peer_device, 0, NULL, NULL, "suspend resync"},
	{"resume-sync", ADM_PEER_DEVICE, adm_plain_peer_device, 0, NULL, NULL, "go on with resync"},
	{"suspend-io", ADM_VOLUME, adm_plain_volume, ADM_HIDDEN, NULL, NULL,
		"let applications wait"},
	{"resume-io", ADM_VOLUME, adm_plain_volume, ADM_HIDDEN, NULL, NULL,
		"let applications go on"},
	{"new-current-uuid", ADM_VOLUME, adm_plain_volume, ADM_MUST_GIVE_VOLUME | ADM_HIDDEN, NULL,
		"clear-bitmap force-resync no-rotate-bitmap", "begin a new generation of data"},
	{"cstate", ADM_CONNECTION, adm_plain_connection, 0, NULL, "json",
		"print the state of connections"},
	{"dstate", ADM_VOLUME, adm_dstate, 0, NULL, "json", "print the state of disks"},
	{"why", ADM_RESOURCE, adm_why, ADM_OPTIONAL_PEER, NULL, "json",
		"explain why a peer is not replicated to, and what helps"},
	{"show-gi", ADM_PEER_DEVICE, adm_show_gi, 0, NULL, "json",
		"print generation identifiers, explained"},
	{"get-gi", ADM_PEER_DEVICE, adm_show_gi, 0, NULL, "json", "print generation identifiers"},
	{"set-gi", ADM_PEER_DEVICE, adm_set_gi, ADM_MUST_GIVE_VOLUME | ADM_HIDDEN, NULL,
		"gi= force", "set generation identifiers (dangerous)"},
	{"forget-peer", ADM_CONNECTION, adm_forget_peer, 0, NULL, NULL,
		"free the bitmap slot of a peer"},
	{"create-md", ADM_VOLUME, adm_create_md, ADM_NEEDS_DISK, NULL,
		"force max-peers= peer-max-bio-size= al-stripes= al-stripe-size-kB=",
		"write new metadata"},
	{"wipe-md", ADM_VOLUME, adm_meta, ADM_NEEDS_DISK, NULL, "force", "erase metadata"},
	{"apply-al", ADM_VOLUME, adm_meta, ADM_NEEDS_DISK, NULL, NULL,
		"apply the activity log to the bitmap"},
	{"dump-md", ADM_VOLUME, adm_meta, ADM_NEEDS_DISK, NULL, "force json", "print metadata as text"},
	{"wait-connect", ADM_RESOURCE, adm_wait_connect, ADM_OPTIONAL_PEER | ADM_CHECK_IP, "s",
		NULL, "wait until peers are connected"},
	{"wait-sync", ADM_RESOURCE, adm_wait_sync, ADM_OPTIONAL_PEER | ADM_CHECK_IP, "s", NULL,
		"wait until resync is done, and show how far it is"},
	{"wait-con-int", ADM_NO_TARGET, adm_wait_interactive, 0, NULL, NULL,
		"wait for all peers at boot; a person may end it"},
	{"dump", ADM_RESOURCE, adm_dump, ADM_NO_TARGET_OK | ADM_IGNORED_TOO, NULL, "json",
		"print the configuration; -v with everything derived"},
	{"dump-xml", ADM_RESOURCE, adm_dump_xml, ADM_NO_TARGET_OK | ADM_IGNORED_TOO, NULL, NULL,
		"print the configuration as XML"},
	{"check", ADM_RESOURCE, adm_check, ADM_DEFAULT_ALL, NULL, "json",
		"look for disks, addresses, secrets and peers, with remedies"},
	{"create", ADM_NO_TARGET, adm_create, ADM_NEW_CONFIG | ADM_TAKES_WORDS, NULL,
		"hosts= disk= size= protocol= minor= port=",
		"write the configuration of a new resource"},
	{"help", ADM_NO_TARGET, adm_help_command, ADM_NO_CONFIG, NULL, NULL,
		"print help on a command"},
	{"hidden-commands", ADM_NO_TARGET, adm_hidden_commands, ADM_NO_CONFIG, NULL, NULL,
		"list commands for scripts, handlers and experts"},
	{"sh-nop", ADM_NO_TARGET, adm_sh_nop, ADM_HIDDEN | ADM_INVALID_TOO, NULL, NULL,
		"exit code 10 if the configuration is invalid"},
	{"sh-resources", ADM_NO_TARGET, adm_sh_resources, ADM_HIDDEN, NULL, NULL,
		"names of this host's resources"},
	{"sh-resources-list", ADM_NO_TARGET, adm_sh_resources, ADM_HIDDEN, NULL, NULL,
		"the same; -i: all hosts'"},
	{"sh-resource", ADM_RESOURCE, adm_sh_resource, ADM_HIDDEN | ADM_IGNORED_TOO, NULL, NULL,
		"name of the resource"},
	{"sh-dev", ADM_VOLUME, adm_sh_volume, ADM_HIDDEN, NULL, NULL, "device"},
	{"sh-dev-vnr", ADM_VOLUME, adm_sh_volume, ADM_HIDDEN, NULL, NULL, "volume number"},
	{"sh-minor", ADM_VOLUME, adm_sh_volume, ADM_HIDDEN, NULL, NULL, "minor number"},
	{"sh-ll-dev", ADM_VOLUME, adm_sh_volume, ADM_HIDDEN, NULL, NULL, "lower device"},
	{"sh-md-dev", ADM_VOLUME, adm_sh_volume, ADM_HIDDEN, NULL, NULL, "device of the metadata"},
	{"sh-md-idx", ADM_VOLUME, adm_sh_volume, ADM_HIDDEN, NULL, NULL, "place of the metadata"},
	{"sh-ip", ADM_VOLUME, adm_sh_ip, ADM_HIDDEN, NULL, NULL, "own address"},
	{"sh-peer-node-id", ADM_CONNECTION, adm_sh_peer, ADM_HIDDEN, NULL, NULL,
		"node ids of peers"},
	{"sh-peer-node-name", ADM_CONNECTION, adm_sh_peer, ADM_HIDDEN, NULL, NULL,
		"names of peers"},
	{"sh-peer-nodes", ADM_CONNECTION, adm_sh_peer, ADM_HIDDEN, NULL, NULL,
		"node ids and names of peers"},
	{"sh-resource-option", ADM_RESOURCE, adm_sh_option, ADM_HIDDEN, NULL, NULL,
		"value of the option -n names"},
	{"sh-node-option", ADM_RESOURCE, adm_sh_option, ADM_HIDDEN | ADM_IGNORED_TOO, NULL, NULL,
		"value of the option -n names"},
	{"sh-udev", ADM_VOLUME, adm_sh_udev, ADM_HIDDEN | ADM_REGISTRY, NULL, NULL,
		"links for udev"},
	{"sh-lr-of", ADM_RESOURCE, adm_unsupported, ADM_HIDDEN | ADM_IGNORED_TOO, NULL, NULL,
		"lower resource of a stacked one: there are none"},
	{"proxy-up", ADM_RESOURCE, adm_unsupported, ADM_HIDDEN, NULL, NULL, "there is no proxy"},
	{"proxy-down", ADM_RESOURCE, adm_unsupported, ADM_HIDDEN, NULL, NULL, "there is no proxy"},
	{"minor-mount-path", ADM_RESOURCE, adm_unsupported, ADM_HIDDEN, NULL, NULL,
		"not needed: the mount is looked up when it matters"},
	{"sh-mod-parms", ADM_NO_TARGET, adm_sh_mod_parms, ADM_HIDDEN, NULL, NULL, "minor_count=N"},
	HANDLER("fence-peer"),
	HANDLER("unfence-peer"),
	HANDLER("before-resync-target"),
	HANDLER("after-resync-target"),
	HANDLER("before-resync-source"),
	HANDLER("out-of-sync"),
	HANDLER("initial-split-brain"),
	HANDLER("split-brain"),
	HANDLER("pri-lost"),
	HANDLER("pri-lost-after-sb"),
	HANDLER("pri-on-incon-degr"),
	HANDLER("local-io-error"),
	HANDLER("quorum-lost"),
	HANDLER("before-promote"),
	HANDLER("after-promote"),
	HANDLER("before-demote"),
	HANDLER("after-demote"),
	HANDLER("outdate-peer"),
	HANDLER("disconnected"),
};

#define COMMAND_COUNT (sizeof(commands) / sizeof(commands[0]))

const struct adm_command *adm_command_list(size_t *count)
{
	*count = COMMAND_COUNT;
	return commands;
}

const struct adm_command *adm_command_find(const char *name)
{
	for (size_t i = 0; i < COMMAND_COUNT; i++) {
		if (strcmp(commands[i].name, name) == 0) {
			return &commands[i];
		}
	}
	return NULL;
}

void adm_command_suggest(const char *name)
{
	const char *names[COMMAND_COUNT];

	for (size_t i = 0; i < COMMAND_COUNT; i++) {
		names[i] = commands[i].name;
	}
	const char *near = bsr_config_suggest(name, names, COMMAND_COUNT);
	fprintf(stderr, "unknown command '%s'%s%s%s\n", name,
		near != NULL ? "; did you mean '" : "", near != NULL ? near : "",
		near != NULL ? "'?" : "");
	fprintf(stderr, "try '%s help'\n", bsr_names()->admin);
}
