// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * control_fakes.c - engine and flows that only pretend, to test the control side alone
 *
 * Owns: what is pretended. Flows change the running configuration as the real ones do and end in the next turn.
 */
#include "control_fakes.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <bsr/assert.h>
#include <bsr/debug.h>
#include <bsr/measure.h>

#include "options.h"

struct fakes fakes;

#define PENDING_MAX 8192u
static struct pending {
	bsrd_done_fn done;
	void *ctx;
	int error;
	const char *text;
	uint32_t peer;
	bool ends;
} pending[PENDING_MAX];
static uint32_t pending_count;

static void later(const char *name, bsrd_done_fn done, void *ctx)
{
	BSR_ASSERT(pending_count < PENDING_MAX);
	pending[pending_count++] = (struct pending){.done = done,
		.ctx = ctx,
		.error = fakes.refuse,
		.text = fakes.refuse_text == NULL ? "" : fakes.refuse_text,
		.peer = fakes.refuse_peer,
		.ends = strcmp(name, "down") == 0 && fakes.refuse == 0};
	snprintf(fakes.last, sizeof(fakes.last), "%s", name);
	fakes.refuse = 0;
	fakes.refuse_text = NULL;
	fakes.refuse_peer = BSRD_NOBODY;
}

static void keep_options(struct json_object *options)
{
	json_object_put(fakes.last_options);
	fakes.last_options = json_object_get(options);
}

static void set_options(struct json_object **place, struct json_object *options)
{
	keep_options(options);
	if (fakes.refuse == 0) {
		json_object_put(*place);
		*place = json_object_get(options);
	}
}

void fakes_setup(struct bsrd *d)
{
	memset(&fakes, 0, sizeof(fakes));
	fakes.refuse_peer = BSRD_NOBODY;
	pending_count = 0;
	memset(d, 0, sizeof(*d));
	snprintf(d->running.resource, sizeof(d->running.resource), "r0");
	struct bsr_loop_options options = {.backend = BSR_LOOP_AUTO, .depth = 8, .lifeline_fd = -1};
	int rc = bsr_loop_create(&d->loop, &options);
	BSR_ASSERT(rc == 0);
}

void fakes_turn(struct bsrd *d)
{
	static struct pending now[PENDING_MAX];
	uint32_t count = pending_count;
	memcpy(now, pending, sizeof(now[0]) * count);
	pending_count = 0;
	for (uint32_t i = 0; i < count; i++) {
		struct bsrd_answer answer = {
			.error = now[i].error, .text = now[i].text, .peer = now[i].peer, .volume = BSRD_NOBODY};
		now[i].done(now[i].ctx, &answer);
		if (now[i].ends) {
			fakes.ended++;
		}
	}
	if (d->control != NULL) {
		bsr_control_flush(d->control);
	}
}

void fakes_teardown(struct bsrd *d)
{
	pending_count = 0;
	for (uint32_t i = 0; i < BSR_VOLUMES_MAX; i++) {
		json_object_put(d->running.volume[i].disk_given);
	}
	for (uint32_t i = 0; i < BSR_NODES_MAX; i++) {
		json_object_put(d->running.peer[i].net_given);
		for (uint32_t v = 0; v < BSR_VOLUMES_MAX; v++) {
			json_object_put(d->running.peer[i].peer_device_given[v]);
		}
	}
	json_object_put(d->running.options_given);
	json_object_put(fakes.last_options);
	fakes.last_options = NULL;
	memset(&d->running, 0, sizeof(d->running));
	snprintf(d->running.resource, sizeof(d->running.resource), "r0");
}

/* -------------------------------------------------------------------- engine */

void bsr_engine_resource_info(const struct bsr_engine *e, struct bsr_resource_info *info)
{
	(void)e;
	*info = fakes.resource;
}

void bsr_engine_volume_info(const struct bsr_engine *e, uint32_t volume, struct bsr_volume_info *info)
{
	(void)e;
	*info = fakes.volume[volume];
}

void bsr_engine_peer_info(const struct bsr_engine *e, uint32_t peer, struct bsr_peer_info *info)
{
	(void)e;
	*info = fakes.peer[peer];
}

void bsr_engine_peer_device_info(
	const struct bsr_engine *e, uint32_t peer, uint32_t volume, struct bsr_peer_device_info *info)
{
	(void)e;
	*info = fakes.peer_device[peer][volume];
}

bool bsr_engine_measures(const struct bsr_engine *e)
{
	(void)e;
	return fakes.measures;
}

uint64_t bsr_engine_measured_since_ns(const struct bsr_engine *e)
{
	(void)e;
	return fakes.measures ? 1 : 0;
}

const struct bsr_measured_volume *bsr_engine_measured_volume(const struct bsr_engine *e, uint32_t volume)
{
	static const struct bsr_measured_volume some = {
		.al_hits = 3, .stage[BSR_STAGE_WRITE] = {.sum_ns = 5000, .bucket = {[2] = 1, [191] = 4}}};
	(void)e;
	return fakes.measures && fakes.volume[volume].exists ? &some : NULL;
}

const struct bsr_measured_peer_device *bsr_engine_measured_peer_device(
	const struct bsr_engine *e, uint32_t peer, uint32_t volume)
{
	static const struct bsr_measured_peer_device some = {.stage[BSR_REMOTE_DISK] = {.sum_ns = 7, .bucket[0] = 1}};
	(void)e;
	return fakes.measures && fakes.peer_device[peer][volume].exists ? &some : NULL;
}

void bsr_engine_debug_resource(const struct bsr_engine *e, struct bsr_debug_resource *info)
{
	(void)e;
	*info = (struct bsr_debug_resource){.requests = 2,
		.has_oldest = true,
		.oldest_stage = "held",
		.oldest_age_ns = 1234000,
		.oldest_peers = 1u << 1,
		.deadline_ns = UINT64_MAX};
}

void bsr_engine_debug_volume(const struct bsr_engine *e, uint32_t volume, struct bsr_debug_volume *info)
{
	(void)e;
	*info = (struct bsr_debug_volume){.exists = fakes.volume[volume].exists, .al_pinned = 9};
}

void bsr_engine_debug_peer(const struct bsr_engine *e, uint32_t peer, struct bsr_debug_peer *info)
{
	(void)e;
	*info = (struct bsr_debug_peer){.exists = fakes.peer[peer].exists, .handshake_stage = 3};
}

void bsr_engine_debug_peer_device(
	const struct bsr_engine *e, uint32_t peer, uint32_t volume, struct bsr_debug_peer_device *info)
{
	(void)e;
	*info = (struct bsr_debug_peer_device){.exists = fakes.peer_device[peer][volume].exists, .slot = -1};
}

void bsr_engine_explain(uint16_t reason, const char **sentence, const char **remedy)
{
	*sentence = reason == 7 ? "both nodes wrote while they were apart" : "";
	*remedy = reason == 7   ? "bsradm connect --discard-my-data"
		  : reason == 8 ? "bsradm adjust <resource>; bsradm connect <resource>"
				: "";
}

/* -------------------------------------------------------- log, settings, faults */

void bsr_log(enum bsr_log_number number, const char *format, ...)
{
	va_list args;
	fakes.logged = number;
	va_start(args, format);
	vsnprintf(fakes.logged_text, sizeof(fakes.logged_text), format, args);
	va_end(args);
}

void bsrd_settings_changed(struct bsrd *d)
{
	(void)d;
	fakes.settings_changed++;
}

int bsrd_faults_set(struct bsrd *d, const struct bsrd_fault *rule)
{
	(void)d;
	if (fakes.fault_count == BSRD_FAULTS_MAX) {
		return -BSR_E_NO_SPACE;
	}
	fakes.fault[fakes.fault_count++] = *rule;
	return 0;
}

void bsrd_faults_clear(struct bsrd *d)
{
	(void)d;
	fakes.fault_count = 0;
}

const struct bsrd_fault *bsrd_faults_at(const struct bsrd *d, uint32_t index)
{
	(void)d;
	return index < fakes.fault_count ? &fakes.fault[index] : NULL;
}

/* --------------------------------------------------------------------- flows */

int bsrd_volume_find(const struct bsrd *d, uint32_t vnr)
{
	for (int i = 0; i < (int)BSR_VOLUMES_MAX; i++) {
		if (d->running.volume[i].exists && d->running.volume[i].vnr == vnr) {
			return i;
		}
	}
	return -1;
}

int bsrd_volume_find_minor(const struct bsrd *d, uint32_t minor)
{
	for (int i = 0; i < (int)BSR_VOLUMES_MAX; i++) {
		if (d->running.volume[i].exists && d->running.volume[i].minor == minor) {
			return i;
		}
	}
	return -1;
}

const char *bsr_handler_word(enum bsr_handler handler)
{
	return handler == BSR_HANDLER_FENCE_PEER ? "fence-peer" : "?";
}

void bsrd_flow_new_resource(
	struct bsrd *d, uint32_t node_id, struct json_object *options, bsrd_done_fn done, void *ctx)
{
	fakes.refuse = d->running.exists ? -BSR_E_INVALID_REQUEST : fakes.refuse;
	if (fakes.refuse == 0) {
		d->running.exists = true;
		d->running.node_id = fakes.resource.node_id = node_id;
		d->engine = (struct bsr_engine *)(void *)d; /* only compared with NULL */
		fakes.resource.role = BSR_ROLE_SECONDARY;
	}
	set_options(&d->running.options_given, options);
	later("new-resource", done, ctx);
}

void bsrd_flow_resource_options(struct bsrd *d, struct json_object *options, bsrd_done_fn done, void *ctx)
{
	set_options(&d->running.options_given, options);
	later("resource-options", done, ctx);
}

void bsrd_flow_new_volume(struct bsrd *d, uint32_t minor, uint32_t vnr, bsrd_done_fn done, void *ctx)
{
	uint32_t index = 0;
	while (index < BSR_VOLUMES_MAX && d->running.volume[index].exists) {
		index++;
	}
	if (bsrd_volume_find(d, vnr) >= 0 || bsrd_volume_find_minor(d, minor) >= 0) {
		fakes.refuse = -BSR_E_MINOR_EXISTS;
	} else if (index == BSR_VOLUMES_MAX) {
		fakes.refuse = -BSR_E_NO_SPACE;
	}
	if (fakes.refuse == 0) {
		d->running.volume[index].exists = true;
		d->running.volume[index].minor = minor;
		d->running.volume[index].vnr = vnr;
		d->running.volume[index].disk_given = json_object_new_object();
		fakes.volume[index].exists = true;
		fakes.volume[index].vnr = vnr;
	}
	later("new-volume", done, ctx);
}

void bsrd_flow_del_volume(struct bsrd *d, uint32_t volume, bsrd_done_fn done, void *ctx)
{
	if (fakes.refuse == 0) {
		json_object_put(d->running.volume[volume].disk_given);
		memset(&d->running.volume[volume], 0, sizeof(d->running.volume[volume]));
		memset(&fakes.volume[volume], 0, sizeof(fakes.volume[volume]));
	}
	later("del-volume", done, ctx);
}

void bsrd_flow_attach(struct bsrd *d, const struct bsrd_attach_args *args, bsrd_done_fn done, void *ctx)
{
	struct bsrd_volume *volume = &d->running.volume[args->volume];
	if (fakes.refuse == 0) {
		volume->attached = true;
		volume->md_kind = args->md_kind;
		volume->md_index = args->md_index;
		snprintf(volume->disk_path, sizeof(volume->disk_path), "%s", args->disk_path);
		snprintf(volume->md_path, sizeof(volume->md_path), "%s", args->md_path);
		fakes.volume[args->volume].disk = BSR_DISK_INCONSISTENT;
	}
	set_options(&volume->disk_given, args->options);
	struct bsrd_fds fds = args->fds;
	fakes.attach_fds = fds.count;
	bsrd_fds_close(&fds);
	later("attach", done, ctx);
}

void bsrd_flow_detach(struct bsrd *d, uint32_t volume, uint32_t flags, bsrd_done_fn done, void *ctx)
{
	d->running.volume[volume].attached = false;
	later((flags & BSR_CMDF_FORCE) != 0 ? "detach --force" : "detach", done, ctx);
}

void bsrd_flow_disk_options(
	struct bsrd *d, uint32_t volume, struct json_object *options, bsrd_done_fn done, void *ctx)
{
	set_options(&d->running.volume[volume].disk_given, options);
	later("disk-options", done, ctx);
}

void bsrd_flow_new_peer(struct bsrd *d, uint32_t peer, const char *name, struct json_object *options,
	bsrd_done_fn done, void *ctx)
{
	if (fakes.refuse == 0) {
		d->running.peer[peer].exists = true;
		snprintf(d->running.peer[peer].name, sizeof(d->running.peer[peer].name), "%s", name);
		fakes.peer[peer].exists = true;
	}
	set_options(&d->running.peer[peer].net_given, options);
	later("new-peer", done, ctx);
}

void bsrd_flow_del_peer(struct bsrd *d, uint32_t peer, uint32_t flags, bsrd_done_fn done, void *ctx)
{
	(void)flags;
	d->running.peer[peer].exists = false;
	later("del-peer", done, ctx);
}

void bsrd_flow_net_options(
	struct bsrd *d, uint32_t peer, struct json_object *options, bsrd_done_fn done, void *ctx)
{
	set_options(&d->running.peer[peer].net_given, options);
	later("net-options", done, ctx);
}

void bsrd_flow_peer_device_options(struct bsrd *d, uint32_t peer, uint32_t volume, struct json_object *options,
	bsrd_done_fn done, void *ctx)
{
	set_options(&d->running.peer[peer].peer_device_given[volume], options);
	later("peer-device-options", done, ctx);
}

void bsrd_flow_new_path(
	struct bsrd *d, uint32_t peer, const char *local, const char *remote, bsrd_done_fn done, void *ctx)
{
	struct bsrd_peer *p = &d->running.peer[peer];
	if (p->path_count < BSRD_PATHS_MAX) {
		snprintf(p->path[p->path_count].local_text, BSRD_ADDRESS_TEXT, "%s", local);
		snprintf(p->path[p->path_count].remote_text, BSRD_ADDRESS_TEXT, "%s", remote);
		p->path_count++;
	}
	later("new-path", done, ctx);
}

void bsrd_flow_del_path(
	struct bsrd *d, uint32_t peer, const char *local, const char *remote, bsrd_done_fn done, void *ctx)
{
	(void)local;
	(void)remote;
	d->running.peer[peer].path_count = 0;
	later("del-path", done, ctx);
}

void bsrd_flow_connect(struct bsrd *d, uint32_t peer, uint32_t flags, bsrd_done_fn done, void *ctx)
{
	(void)flags;
	d->running.peer[peer].wanted = true;
	later("connect", done, ctx);
}

void bsrd_flow_disconnect(struct bsrd *d, uint32_t peer, uint32_t flags, bsrd_done_fn done, void *ctx)
{
	d->running.peer[peer].wanted = false;
	later((flags & BSR_CMDF_FORCE) != 0 ? "disconnect --force" : "disconnect", done, ctx);
}

void bsrd_flow_primary(struct bsrd *d, uint32_t flags, bsrd_done_fn done, void *ctx)
{
	(void)d;
	later((flags & BSR_CMDF_FORCE) != 0 ? "primary --force" : "primary", done, ctx);
}

void bsrd_flow_secondary(struct bsrd *d, uint32_t flags, bsrd_done_fn done, void *ctx)
{
	(void)d;
	later((flags & BSR_CMDF_FORCE) != 0 ? "secondary --force" : "secondary", done, ctx);
}

void bsrd_flow_down(struct bsrd *d, bsrd_done_fn done, void *ctx)
{
	(void)d;
	later("down", done, ctx);
}

void bsrd_command(struct bsrd *d, const struct bsr_command *cmd, bsrd_done_fn done, void *ctx)
{
	(void)d;
	fakes.last_command = *cmd;
	if (cmd->type == BSR_CMD_MEASURE) {
		fakes.measures = (cmd->flags & BSR_CMDF_ON) != 0;
	}
	later("command", done, ctx);
}

uint32_t bsr_nbd_clients(const struct bsr_devices *devices, uint32_t volume)
{
	(void)devices;
	(void)volume;
	return 0;
}
