// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * status_facts.c - the running configuration for `show`, and why a connection does not replicate
 *
 * Owns:       the form of both answers.
 * May touch:  engine and running configuration, reading only.
 * Format:     docs/control.md, sections 8 and 9
 */
#include "control.h"
#include "json_add.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "option_table.h"

/* ------------------------------------------------------------- configuration */

/* Resource and node options are kept together; `show` has them apart. */
static struct json_object *options_of(struct json_object *given, enum bsr_option_section section)
{
	struct json_object *part = json_object_new_object();
	if (given == NULL) {
		return part;
	}
	json_object_object_foreach(given, name, text)
	{
		if (bsr_option_find(section, name) != NULL) {
			json_object_object_add(part, name, json_object_get(text));
		}
	}
	return part;
}

static struct json_object *config_volume(const struct bsrd_volume *volume)
{
	struct json_object *out = json_object_new_object();
	char index[16];
	add_int(out, "volume", volume->vnr);
	add_int(out, "minor", volume->minor);
	json_object_object_add(out, "diskless", json_object_new_boolean(false));
	if (volume->attached) {
		snprintf(index, sizeof(index), "%u", volume->md_index);
		add_text(out, "disk", volume->disk_path);
		add_text(out, "meta_disk", volume->md_path);
		add_text(out, "meta_index",
			volume->md_kind == BSR_MD_INTERNAL
				? "internal"
				: volume->md_kind == BSR_MD_FLEX_EXTERNAL ? "flexible" : index);
	}
	json_object_object_add(out, "options", options_of(volume->disk_given, BSR_SECTION_DISK));
	return out;
}

static struct json_object *config_peer_volumes(const struct bsrd *d, const struct bsrd_peer *peer)
{
	struct json_object *volumes = json_object_new_array();
	for (uint32_t i = 0; i < BSR_VOLUMES_MAX; i++) {
		if (d->running.volume[i].exists && peer->peer_device_given[i] != NULL) {
			struct json_object *volume = json_object_new_object();
			add_int(volume, "volume", d->running.volume[i].vnr);
			json_object_object_add(volume, "options",
				options_of(peer->peer_device_given[i], BSR_SECTION_PEER_DEVICE));
			json_object_array_add(volumes, volume);
		}
	}
	return volumes;
}

static struct json_object *config_connection(const struct bsrd *d, uint32_t id)
{
	const struct bsrd_peer *peer = &d->running.peer[id];
	struct json_object *out = json_object_new_object();
	struct json_object *paths = json_object_new_array();
	struct bsr_peer_info info;
	bsr_engine_peer_info(d->engine, id, &info);
	add_int(out, "peer", id);
	add_text(out, "name", peer->name);
	json_object_object_add(
		out, "standalone", json_object_new_boolean(!info.exists || info.conn == BSR_CONN_STANDALONE));
	json_object_object_add(out, "options", options_of(peer->net_given, BSR_SECTION_NET));
	for (uint32_t i = 0; i < peer->path_count; i++) {
		struct json_object *path = json_object_new_object();
		add_text(path, "local", peer->path[i].local_text);
		add_text(path, "remote", peer->path[i].remote_text);
		json_object_array_add(paths, path);
	}
	json_object_object_add(out, "paths", paths);
	json_object_object_add(out, "volumes", config_peer_volumes(d, peer));
	return out;
}

struct json_object *status_config(const struct bsrd *d)
{
	struct json_object *out = json_object_new_object();
	struct json_object *volumes = json_object_new_array();
	struct json_object *connections = json_object_new_array();
	add_text(out, "name", d->running.resource);
	add_int(out, "node_id", d->running.node_id);
	json_object_object_add(
		out, "options", options_of(d->running.options_given, BSR_SECTION_RESOURCE));
	json_object_object_add(
		out, "node_options", options_of(d->running.options_given, BSR_SECTION_NODE));
	for (uint32_t i = 0; i < BSR_VOLUMES_MAX; i++) {
		if (d->running.volume[i].exists) {
			json_object_array_add(volumes, config_volume(&d->running.volume[i]));
		}
	}
	for (uint32_t i = 0; i < BSR_NODES_MAX; i++) {
		if (d->running.peer[i].exists) {
			json_object_array_add(connections, config_connection(d, i));
		}
	}
	json_object_object_add(out, "volumes", volumes);
	json_object_object_add(out, "connections", connections);
	return out;
}

/* ----------------------------------------------------------------------- why */

#define REMEDY_BYTES 800u

/** What the facts are about. */
struct subject {
	struct bsrd *d;
	struct json_object *facts;
	uint32_t peer;
	uint32_t volume; /* index, UINT32_MAX: the connection */
};

static void add_fact(const struct subject *about, uint16_t reason, const char *remedy, const char *format, ...)
	__attribute__((format(printf, 4, 5)));

static void add_fact(const struct subject *about, uint16_t reason, const char *remedy, const char *format, ...)
{
	char sentence[512];
	va_list args;
	struct json_object *fact = json_object_new_object();
	va_start(args, format);
	vsnprintf(sentence, sizeof(sentence), format, args);
	va_end(args);
	if (about->peer < BSR_NODES_MAX) {
		add_int(fact, "peer", about->peer);
		add_text(fact, "name", status_peer_name(about->d, about->peer));
	}
	if (about->volume < BSR_VOLUMES_MAX) {
		add_int(fact, "volume", about->d->running.volume[about->volume].vnr);
	}
	add_text(fact, "fact", sentence);
	if (reason != 0) {
		add_int(fact, "reason", reason);
	}
	if (remedy[0] != '\0') {
		add_text(fact, "remedy", remedy);
	}
	json_object_array_add(about->facts, fact);
}

/* Commands in static texts say <resource>; what is printed can be typed. */
static const char *with_resource(const struct subject *about, const char *text, char *out, size_t room)
{
	static const char place[] = "<resource>";
	size_t used = 0;
	out[0] = '\0';
	for (const char *at = text; *at != '\0' && used < room - 1;) {
		const bool here = strncmp(at, place, sizeof(place) - 1) == 0;
		const int written = here ? snprintf(out + used, room - used, "%s", about->d->running.resource)
					 : snprintf(out + used, room - used, "%c", *at);
		used += written > 0 ? (size_t)written : 0;
		at += here ? sizeof(place) - 1 : 1;
	}
	return out;
}

static void explain_rule(const struct subject *about, uint16_t reason)
{
	char typed[REMEDY_BYTES];
	const char *sentence = "";
	const char *remedy = "";
	if (reason != 0) {
		bsr_engine_explain(reason, &sentence, &remedy);
		remedy = with_resource(about, remedy, typed, sizeof(typed));
		add_fact(about, reason, remedy, "the last handshake decided: %s",
			sentence[0] == '\0' ? "no sentence for this rule" : sentence);
	}
}

/* A disk that is not current, and nothing is being done about it. */
static void explain_stale_disk(const struct subject *about, enum bsr_disk_state mine)
{
	char remedy[REMEDY_BYTES];
	struct bsr_peer_info info;
	const char *resource = about->d->running.resource;
	if (mine == BSR_DISK_NEGOTIATING) {
		snprintf(remedy, sizeof(remedy), "connect that node; if there is none: bsradm resume-io %s (what waits fails), close the "
			"device, bsradm secondary %s: then this disk counts again", resource, resource);
		add_fact(about, 0, remedy, "this node's disk waits (Negotiating) for a node that has all that applications have seen: it may "
			"lack some of it");
		return;
	}
	bsr_engine_peer_info(about->d->engine, about->peer, &info);
	snprintf(remedy, sizeof(remedy),
		"connect to a node that has the current data; if there is none any more, and what is here is to be used: "
		"bsradm primary --force %s", resource);
	add_fact(about, 0, info.exists && info.conn == BSR_CONN_CONNECTED ? "" : remedy, "this node's disk is %s",
		bsr_disk_state_word(mine));
}

static void explain_own_disk(const struct subject *about, enum bsr_disk_state mine)
{
	char remedy[REMEDY_BYTES];
	if (mine <= BSR_DISK_FAILED) {
		snprintf(remedy, sizeof(remedy), "bsradm attach %s/%u", about->d->running.resource,
			(unsigned)about->d->running.volume[about->volume].vnr);
		add_fact(about, 0, remedy, "this node has no disk for the volume (%s)", bsr_disk_state_word(mine));
	} else if (mine < BSR_DISK_UP_TO_DATE) {
		explain_stale_disk(about, mine);
	}
}

static void explain_disks(const struct subject *about, enum bsr_disk_state mine, enum bsr_disk_state peers)
{
	char remedy[REMEDY_BYTES];
	const char *resource = about->d->running.resource;
	const int vnr = (int)about->d->running.volume[about->volume].vnr;
	explain_own_disk(about, mine);
	if (peers <= BSR_DISK_FAILED) {
		snprintf(remedy, sizeof(remedy), "on %s: bsradm attach %s/%d", status_peer_name(about->d, about->peer),
			resource, vnr);
		add_fact(about, 0, remedy, "the peer has no disk for the volume (%s)", bsr_disk_state_word(peers));
	} else if (peers < BSR_DISK_UP_TO_DATE && peers != BSR_DISK_UNKNOWN) {
		add_fact(about, 0, "", "the peer's disk is %s", bsr_disk_state_word(peers));
	}
}

static void explain_volume(const struct subject *about)
{
	struct bsr_peer_device_info info;
	struct bsr_volume_info volume;
	char remedy[REMEDY_BYTES];
	const char *resource = about->d->running.resource;
	bsr_engine_peer_device_info(about->d->engine, about->peer, about->volume, &info);
	bsr_engine_volume_info(about->d->engine, about->volume, &volume);
	const bool verify = info.repl == BSR_REPL_VERIFY_S || info.repl == BSR_REPL_VERIFY_T;
	if (info.exists && info.verify_marked_bytes != 0 && !verify) {
		snprintf(remedy, sizeof(remedy), "find out which disk is wrong; then bsradm disconnect %s; bsradm connect %s "
			"copies what differs, from the Primary", resource, resource);
		add_fact(about, 0, remedy, "a verify has found %llu KiB that differ from the peer's",
			(unsigned long long)info.verify_marked_bytes / 1024);
	}
	if (!info.exists || ((info.repl == BSR_REPL_ESTABLISHED || verify) && volume.disk == BSR_DISK_UP_TO_DATE &&
				    info.disk == BSR_DISK_UP_TO_DATE)) {
		return;
	}
	explain_disks(about, volume.disk, info.repl == BSR_REPL_OFF ? BSR_DISK_UNKNOWN : info.disk);
	if ((info.paused & BSR_PAUSE_USER) != 0) {
		snprintf(remedy, sizeof(remedy), "bsradm resume-sync %s", resource);
		add_fact(about, 0, remedy, "the resync is paused by the user of this node");
	}
	if ((info.paused & BSR_PAUSE_PEER) != 0) {
		snprintf(remedy, sizeof(remedy), "on %s: bsradm why %s; if it was paused by hand: bsradm resume-sync %s",
			status_peer_name(about->d, about->peer), resource, resource);
		add_fact(about, 0, remedy, "the resync is paused by the peer");
	}
	if ((info.paused & (BSR_PAUSE_DEPENDENCY | BSR_PAUSE_OTHER_CONNECTION)) != 0) {
		add_fact(about, 0, "nothing to do: it begins when that one is done", "the resync waits for another one");
	}
	if (info.repl > BSR_REPL_ESTABLISHED) {
		const bool copies = info.repl == BSR_REPL_SYNC_SOURCE || info.repl == BSR_REPL_SYNC_TARGET;
		snprintf(remedy, sizeof(remedy), "nothing to do: bsradm wait-sync -v %s says how long it takes; faster: c-max-rate in the disk "
			"section of the target", resource);
		add_fact(about, 0, copies ? remedy : "", "the volume is in state %s, %" PRIu64 " KiB are out of sync",
			bsr_repl_state_word(info.repl), info.out_of_sync_bytes / 1024);
	}
	explain_rule(about, info.handshake_reason);
}

/** What a recorded error means, and what a person does; the resource's and the peer's name follow where they belong. */
static const struct {
	enum bsr_conn_error error;
	const char *meaning;
	const char *remedy;
} conn_errors[] = {
	{BSR_CONN_ERROR_SPLIT_BRAIN, "both nodes have data that the other one lacks",
		"on the node whose changes may be lost: bsradm secondary <resource>, bsradm connect --discard-my-data "
		"<resource>; on the other one: bsradm connect <resource>"},
	{BSR_CONN_ERROR_SYNC_TARGET_PRIMARY, "the data of a Primary would be overwritten",
		"on that node: bsradm secondary <resource>; then on both: bsradm connect <resource>"},
	{BSR_CONN_ERROR_DISCARD_REFUSED, "discard-my-data was asked for where it cannot be done",
		"bsradm connect <resource>, without --discard-my-data; or bsradm secondary <resource> first"},
	{BSR_CONN_ERROR_UNRELATED, "the disks have no history in common",
		"check that these are the right disks; the wrong one needs bsradm create-md <resource>"},
	{BSR_CONN_ERROR_TWO_PRIMARIES, "both nodes are Primary",
		"on the one whose changes can be spared: bsradm secondary <resource>; then on both: bsradm connect <resource>"},
	{BSR_CONN_ERROR_SIZE, "the disks differ in size in a way that would lose data",
		"make the smaller disk as large as the agreed size, then bsradm connect <resource>"},
	{BSR_CONN_ERROR_HANDLER, "the handler before-resync-source or before-resync-target of this node refused the resync",
		"make the handler content, then bsradm connect <resource>"},
	{BSR_CONN_ERROR_CONFIG,
		"resource name, node id, shared secret or volumes of both nodes do not fit; the log says which",
		"make both configurations fit; then on both: bsradm adjust <resource>, bsradm connect <resource>"},
};

/* What the last attempt to reach the peer ended with, "" if nothing is known. */
static const char *links_said(const struct subject *about)
{
	return about->d->links == NULL ? "" : bsr_links_said(about->d->links, about->peer);
}

static void explain_conn_error(const struct subject *about, enum bsr_conn_error error, enum bsr_conn_state conn)
{
	const char *meaning = "the log says more";
	const char *remedy = "bsradm connect <resource>, when the cause is gone";
	for (size_t i = 0; i < sizeof(conn_errors) / sizeof(conn_errors[0]); i++) {
		if (conn_errors[i].error == error) {
			meaning = conn_errors[i].meaning;
			remedy = conn_errors[i].remedy;
		}
	}
	char typed[REMEDY_BYTES];
	if (error == BSR_CONN_ERROR_CONFIG && conn != BSR_CONN_STANDALONE) {
		add_fact(about, 0, with_resource(about, "on the node that has not been adjusted: bsradm adjust <resource>", typed,
				sizeof(typed)),
			"the peer has another protocol (error %s); the connection comes back by itself when both have the same",
			bsr_conn_error_word(error));
		return;
	}
	const char *said = error == BSR_CONN_ERROR_CONFIG ? links_said(about) : "";
	add_fact(about, 0, with_resource(about, remedy, typed, sizeof(typed)),
		"the connection was given up with the error %s: %s", bsr_conn_error_word(error),
		said[0] != '\0' ? said : meaning);
}

/* Bytes and messages that made no sense; an attempt that was refused is told of otherwise. */
static void explain_rejected(const struct subject *about, uint64_t messages)
{
	if (messages > 0) {
		add_fact(about, 0, "the log says which (event 4002); if it goes on, install the same version on both nodes",
			"%" PRIu64 " message%s of this peer made no sense since the resource was started", messages,
			messages == 1 ? "" : "s");
	}
}

static void explain_search(const struct subject *about, const struct bsr_peer_info *info)
{
	const struct bsrd_peer *running = &about->d->running.peer[about->peer];
	const char *resource = about->d->running.resource;
	const char *said = links_said(about);
	char remedy[REMEDY_BYTES];
	snprintf(remedy, sizeof(remedy),
		"on %s: bsradm status %s; bsradm up %s if it is not up, bsradm connect %s if it is StandAlone; else check "
		"addresses and firewalls", status_peer_name(about->d, about->peer), resource, resource, resource);
	add_fact(about, 0, remedy, "the peer is looked for at %s (state %s)%s%s", running->path[0].remote_text,
		bsr_conn_state_word(info->conn), said[0] != '\0' ? "; the last attempt: " : "", said);
}

static void explain_connection(const struct subject *about)
{
	const struct bsrd_peer *running = &about->d->running.peer[about->peer];
	struct bsr_peer_info info;
	char remedy[400];
	bsr_engine_peer_info(about->d->engine, about->peer, &info);
	if (info.exists && info.conn == BSR_CONN_CONNECTED) {
		return;
	}
	snprintf(remedy, sizeof(remedy), "bsradm connect %s:%s", about->d->running.resource, running->name);
	if (info.error != BSR_CONN_ERROR_NONE) {
		explain_conn_error(about, info.error, info.conn);
	} else if (!running->wanted) {
		add_fact(about, 0, remedy, "nobody has asked for this connection, or it was disconnected");
	} else if (running->path_count == 0) {
		add_fact(about, 0, "add the addresses of both hosts to the configuration, then bsradm adjust",
			"the connection has no address");
	} else if (info.conn == BSR_CONN_STANDALONE) {
		add_fact(about, 0, remedy, "the connection was given up; the log says more");
	} else {
		explain_search(about, &info);
	}
	explain_rejected(about, info.messages_rejected);
}

/* Errors that the backing disk has reported: a full file system needs another hand than a broken disk. */
static void explain_trouble(const struct subject *about)
{
	const struct bsrd_volume *v = &about->d->running.volume[about->volume];
	const struct bsrd_trouble *trouble = &about->d->trouble[about->volume];
	const char *path = trouble->of_md ? v->md_path : v->disk_path;
	char remedy[REMEDY_BYTES];
	struct bsr_volume_info info;
	if (trouble->count == 0) {
		return;
	}
	bsr_engine_volume_info(about->d->engine, about->volume, &info);
	char attach[BSR_NAME_BYTES_MAX + 64] = "";
	if (info.disk <= BSR_DISK_FAILED) {
		snprintf(attach, sizeof(attach), "; then bsradm attach %s/%u", about->d->running.resource, (unsigned)v->vnr);
	}
	const bool full = trouble->last_errno == ENOSPC || trouble->last_errno == EDQUOT;
	snprintf(remedy, sizeof(remedy), "%s%s", full ? "make room where that file or volume lives (df, lvs)" :
		"look at the disk (dmesg, smartctl) and replace it if it is failing", attach);
	add_fact(about, 0, remedy, "the %s of volume %u, %s, has reported errors since it was attached (%" PRIu64 "); the last one: %s",
		trouble->of_md ? "metadata device" : "backing device", (unsigned)v->vnr, path[0] != '\0' ? path : "which could not be attached",
		trouble->count, strerror(trouble->last_errno));
}

/* Why requests of applications wait. */
static void explain_suspended(const struct subject *about, uint32_t suspended)
{
	static const struct {
		uint32_t bit;
		const char *fact;
		const char *remedy;
	} causes[] = {
		{BSR_SUSPEND_USER, "by bsradm suspend-io", "bsradm resume-io <resource>"},
		{BSR_SUSPEND_NO_DATA, "no node with UpToDate data can be reached (on-no-data-accessible suspend-io, or a process that "
				      "was replaced and does not know what its applications have seen)",
			"connect a node that has the data; to let them fail: bsradm resume-io <resource>"},
		{BSR_SUSPEND_FENCING, "until a lost peer is known to be fenced",
			"fence the peer, or bring it back; without that, at your own risk: bsradm resume-io <resource>"},
		{BSR_SUSPEND_QUORUM, "too few nodes can be reached for a quorum",
			"bring back the nodes that are away; to let requests fail: bsradm resume-io <resource>"},
	};
	char typed[REMEDY_BYTES];
	for (size_t i = 0; i < sizeof(causes) / sizeof(causes[0]); i++) {
		if ((suspended & causes[i].bit) != 0) {
			add_fact(about, 0, with_resource(about, causes[i].remedy, typed, sizeof(typed)),
				"requests of applications are held back: %s", causes[i].fact);
		}
	}
}

static bool has_peers(const struct bsrd *d)
{
	for (uint32_t i = 0; i < BSR_NODES_MAX; i++) {
		if (d->running.peer[i].exists) {
			return true;
		}
	}
	return false;
}

struct json_object *status_why(struct bsrd *d, uint32_t peer, uint32_t volume)
{
	struct subject about = {.d = d, .facts = json_object_new_array(), .volume = UINT32_MAX};
	struct bsr_resource_info resource;
	bsr_engine_resource_info(d->engine, &resource);
	about.peer = UINT32_MAX;
	if (d->keeper_gone) {
		char remedy[REMEDY_BYTES];
		snprintf(remedy, sizeof(remedy), "systemctl start bsr@%s, or by hand: bsrd %s", d->running.resource, d->running.resource);
		add_fact(&about, 0, remedy, "the keeper process of this resource has died; what is open is served on, but no disk or "
			"device can be opened or closed");
	}
	explain_suspended(&about, resource.suspended);
	for (uint32_t v = 0; v < BSR_VOLUMES_MAX; v++) {
		if (d->running.volume[v].exists && (volume == UINT32_MAX || volume == v)) {
			struct bsr_volume_info info;
			bsr_engine_volume_info(d->engine, v, &info);
			about.volume = v;
			explain_trouble(&about);
			if (!has_peers(d)) { /* else it is told with each of them */
				explain_own_disk(&about, info.disk);
			}
		}
	}
	for (uint32_t i = 0; i < BSR_NODES_MAX; i++) {
		if (!d->running.peer[i].exists || (peer != UINT32_MAX && peer != i)) {
			continue;
		}
		about.peer = i;
		about.volume = UINT32_MAX;
		explain_connection(&about);
		for (uint32_t v = 0; v < BSR_VOLUMES_MAX; v++) {
			if (d->running.volume[v].exists && (volume == UINT32_MAX || volume == v)) {
				about.volume = v;
				explain_volume(&about);
			}
		}
	}
	return about.facts;
}
