// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * lifecycle.c - bringing resources up and down: the calls, and the stages in which they are made
 *
 * Owns:       the order of calls of `up` and `adjust`.
 * May touch:  back ends.
 * Invariants:
 *   LC-1  Stages run in order, each for all resources before the next one begins.
 *   LC-2  A resource that could not be created gets no further calls; the others go on.
 *   LC-3  A volume whose disk cannot be attached keeps nothing else from being done: its peers' disks can serve.
 */
#include "adm.h"

#include "names.h"

#include <bsr/assert.h>

#include <stdlib.h>
#include <string.h>

static struct adm_action *schedule(
	struct adm *adm, enum adm_stage stage, struct cfg_resource *resource, struct adm_call *call)
{
	struct adm_action *action = calloc(1, sizeof(*action));

	BSR_ASSERT(stage < ADM_STAGE_COUNT && call->count > 0);
	if (action == NULL) {
		fprintf(stderr, "%s: out of memory\n", bsr_names()->admin);
		exit(ADM_CANNOT);
	}
	action->stage = stage;
	action->resource = resource;
	action->minor = -1;
	action->call = *call; /* the words change hands */
	if (adm->actions_end == NULL) {
		adm->actions_end = &adm->actions;
	}
	*adm->actions_end = action;
	adm->actions_end = &action->next;
	return action;
}

void adm_schedule(
	struct adm *adm, enum adm_stage stage, struct cfg_resource *resource, struct adm_call *call)
{
	(void)schedule(adm, stage, resource, call);
}

void adm_schedule_attach(struct adm *adm, struct cfg_resource *resource, const struct cfg_volume *volume)
{
	struct adm_call call;

	if (bsr_config_is_diskless(volume)) {
		return;
	}
	for (unsigned int step = 0; step < 2; step++) {
		if (step == 0) {
			adm_call_meta(&call, adm, volume);
			adm_call_add(&call, "apply-al");
		} else {
			adm_make_attach(adm, &call, volume);
		}
		struct adm_action *action = schedule(adm, ADM_STAGE_ATTACH, resource, &call);
		action->minor = volume->minor;
		action->disk = true;
	}
}

/* What went wrong, and for whom nothing more is to be done. */
struct failed {
	struct failed *next;
	const struct cfg_resource *resource;
	int64_t minor; /* -1: the whole resource */
};

static bool has_failed(const struct failed *list, const struct adm_action *action)
{
	for (; list != NULL; list = list->next) {
		if (list->resource == action->resource &&
			(list->minor < 0 || list->minor == action->minor)) {
			return true;
		}
	}
	return false;
}

static void tell_part(const struct failed *failure)
{
	fprintf(stderr, "%s: minor %lld has no disk now; all else went on\n", failure->resource->name,
		(long long)failure->minor);
}

static void free_failures(struct failed *failures)
{
	while (failures != NULL) {
		struct failed *next = failures->next;
		free(failures);
		failures = next;
	}
}

/* From the stage of disks on each step stands for itself: what was done stays useful. */
static bool add_failure(struct failed **failures, const struct adm_action *action)
{
	const bool of_one = action->stage >= ADM_STAGE_ATTACH;

	if (of_one && action->minor < 0) {
		return true;
	}
	struct failed *failure = calloc(1, sizeof(*failure));
	if (failure == NULL) {
		return false;
	}
	*failure = (struct failed){.next = *failures,
		.resource = action->resource,
		.minor = of_one ? action->minor : -1};
	*failures = failure;
	if (of_one && action->disk) {
		tell_part(failure);
	}
	return true;
}

#define META_NONE 255 /* bsrmeta found no valid metadata */

void adm_tell_about_metadata(int code, const char *resource)
{
	if (code == META_NONE) {
		fprintf(stderr,
			"  what helps: if the disk is new, '%s create-md %s'; if it held this resource before, check "
			"'disk' and 'meta-disk' first\n",
			bsr_names()->admin, resource);
	}
}

/*
 * Real success of `new-resource` and `new-minor` is remembered for handlers, which know a minor or
 * a name only.
 */
static bool is_creation(const struct adm_call *call)
{
	return !call->is_meta && (strcmp(call->word[1], "new-resource") == 0 ||
					 strcmp(call->word[1], "new-minor") == 0);
}

static bool run_action(struct adm *adm, struct adm_action *action)
{
	const bool creates = is_creation(&action->call);
	const bool is_apply_al = action->call.is_meta;
	const int code = adm_call_run(adm, &action->call, action->resource->name);

	if (is_apply_al) {
		adm_tell_about_metadata(code, action->resource->name);
	}
	if (code != 0 && is_apply_al && code != ADM_CANNOT && code < 10) {
		/* attach refuses by itself, and with better words, if the log is not usable */
		return true;
	}
	if (code == 0 && creates && !adm->dry_run) {
		adm_register_resource(adm, action->resource);
	}
	return code == 0;
}

static void free_actions(struct adm *adm)
{
	while (adm->actions != NULL) {
		struct adm_action *next = adm->actions->next;
		adm_call_free(&adm->actions->call);
		free(adm->actions);
		adm->actions = next;
	}
	adm->actions_end = &adm->actions;
}

int adm_run_actions(struct adm *adm)
{
	struct failed *failures = NULL;
	int code = ADM_OK;

	for (int stage = 0; stage < ADM_STAGE_COUNT; stage++) {
		for (struct adm_action *action = adm->actions; action != NULL;
			action = action->next) {
			if ((int)action->stage != stage || has_failed(failures, action)) {
				continue;
			}
			if (run_action(adm, action)) {
				continue;
			}
			code = ADM_USAGE;
			if (!add_failure(&failures, action)) {
				code = ADM_CANNOT;
			}
		}
	}
	free_failures(failures);
	free_actions(adm);
	return code;
}

void adm_make_new_resource(
	struct adm *adm, struct adm_call *call, const struct cfg_resource *resource)
{
	BSR_ASSERT(resource->me != NULL && resource->me->node_id >= 0);
	adm_call_setup(call, adm, "new-resource");
	adm_call_add(call, "%s", resource->name);
	adm_call_add(call, "%d", resource->me->node_id);
	adm_call_add_options(
		adm, call, &resource->options[BSR_SECTION_RESOURCE], BSR_SECTION_RESOURCE);
}

void adm_make_node_options(struct adm *adm, struct adm_call *call,
	const struct cfg_resource *resource, bool set_defaults)
{
	adm_call_setup(call, adm, "node-options");
	adm_call_add(call, "%s", resource->name);
	if (set_defaults) {
		adm_call_add(call, "--set-defaults");
	}
	adm_call_add_options(adm, call, &resource->me->node_options, BSR_SECTION_NODE);
}

void adm_make_new_minor(struct adm *adm, struct adm_call *call, const struct cfg_resource *resource,
	const struct cfg_volume *volume)
{
	adm_call_setup(call, adm, "new-minor");
	adm_call_add(call, "%s", resource->name);
	adm_call_add(call, "%lld", (long long)volume->minor);
	adm_call_add(call, "%u", volume->vnr);
	if (bsr_config_is_diskless(volume)) {
		adm_call_add(call, "--diskless");
	}
}

void adm_make_new_peer(struct adm *adm, struct adm_call *call, const struct cfg_resource *resource,
	const struct cfg_connection *connection)
{
	adm_call_setup(call, adm, "new-peer");
	adm_call_add(call, "%s", resource->name);
	adm_call_add(call, "%d", connection->peer->node_id);
	adm_call_add_options(adm, call, &connection->net, BSR_SECTION_NET);
}

void adm_make_path(struct adm *adm, struct adm_call *call, const struct adm_context *context,
	const struct cfg_path *path, const char *command)
{
	const struct cfg_endpoint *own;
	const struct cfg_endpoint *remote;
	char text[192];

	bsr_config_path_ends(context->connection, path, &own, &remote);
	adm_call_setup(call, adm, command);
	adm_call_add(call, "%s", context->resource->name);
	adm_call_add(call, "%d", context->connection->peer->node_id);
	bsr_config_format_address(&own->own, text, sizeof(text));
	adm_call_add(call, "%s", text);
	bsr_config_format_address(&remote->visible, text, sizeof(text));
	adm_call_add(call, "%s", text);
	if (strcmp(command, "new-path") == 0 && !adm->drbd) {
		adm_call_add(call, "%d",
			bsr_config_global_flag(adm->config, "disable-ip-verification") ? 1 : 0);
	}
}

void adm_make_peer_device_options(struct adm *adm, struct adm_call *call,
	const struct adm_context *context, bool set_defaults)
{
	adm_call_setup(call, adm, "peer-device-options");
	adm_call_add(call, "%s", context->resource->name);
	adm_call_add(call, "%d", context->connection->peer->node_id);
	adm_call_add(call, "%u", context->peer_device->vnr);
	if (set_defaults) {
		adm_call_add(call, "--set-defaults");
	}
	adm_call_add_options(
		adm, call, &context->peer_device->peer_options, BSR_SECTION_PEER_DEVICE);
}

void adm_make_attach(struct adm *adm, struct adm_call *call, const struct cfg_volume *volume)
{
	const bool internal = strcmp(volume->meta_index, "internal") == 0;

	adm_call_setup(call, adm, "attach");
	call->patience = ADM_LONG;
	adm_call_add(call, "%lld", (long long)volume->minor);
	adm_call_add(call, "%s", volume->disk);
	adm_call_add(call, "%s", internal ? volume->disk : volume->meta_disk);
	adm_call_add(call, "%s", volume->meta_index);
	adm_call_add_options(adm, call, &volume->disk_options, BSR_SECTION_DISK);
}

static void schedule_volume(
	struct adm *adm, struct cfg_resource *resource, const struct cfg_volume *volume)
{
	struct adm_call call;

	adm_make_new_minor(adm, &call, resource, volume);
	adm_schedule(adm, ADM_STAGE_MINOR, resource, &call);
	adm_schedule_attach(adm, resource, volume);
}

bool adm_has_options(
	const struct adm *adm, const struct cfg_options *options, enum bsr_option_section section)
{
	for (const struct cfg_option *o = options->first; o != NULL; o = o->next) {
		if (o->def->section == section &&
			(adm->drbd || (o->def->flags & BSR_OPTION_DRBD_ONLY) == 0)) {
			return true;
		}
	}
	return false;
}

static void schedule_connection(
	struct adm *adm, struct cfg_resource *resource, struct cfg_connection *connection)
{
	struct adm_context context = {.resource = resource, .connection = connection};
	struct adm_call call;

	adm_make_new_peer(adm, &call, resource, connection);
	adm_schedule(adm, ADM_STAGE_PEER, resource, &call);
	for (const struct cfg_path *path = connection->paths.first; path != NULL;
		path = path->next) {
		adm_make_path(adm, &call, &context, path, "new-path");
		adm_schedule(adm, ADM_STAGE_PATH, resource, &call);
	}
	for (struct cfg_volume *v = connection->peer_devices.first; v != NULL; v = v->next) {
		context.peer_device = v;
		if (adm_has_options(adm, &v->peer_options, BSR_SECTION_PEER_DEVICE)) {
			adm_make_peer_device_options(adm, &call, &context, false);
			adm_schedule(adm, ADM_STAGE_PEER_DEVICE, resource, &call);
		}
	}
	adm_call_setup(&call, adm, "connect");
	adm_call_add(&call, "%s", resource->name);
	adm_call_add(&call, "%d", connection->peer->node_id);
	adm_schedule(adm, ADM_STAGE_CONNECT, resource, &call);
}

bool adm_wants_node_options(const struct adm *adm, const struct cfg_resource *resource)
{
	return !adm->drbd || resource->me->node_options.first != NULL;
}

/* DRBD has no such command: with its names it is called only for who has set our option. */
void adm_schedule_persist_role(struct adm *adm, struct cfg_resource *resource)
{
	const char *set = bsr_config_option_text(
		&resource->options[BSR_SECTION_RESOURCE], BSR_SECTION_RESOURCE, "persist-role");
	struct adm_call call;

	if (adm->drbd && (set == NULL || strcmp(set, "yes") != 0)) {
		return;
	}
	adm_call_setup(&call, adm, "apply-persist-role");
	adm_call_add(&call, "%s", resource->name);
	call.patience = ADM_MEDIUM;
	adm_schedule(adm, ADM_STAGE_ATTACH, resource, &call);
}

int adm_up(struct adm *adm, const struct adm_context *context)
{
	struct cfg_resource *resource = context->resource;
	struct cfg_resource *running;
	struct adm_call call;

	const int code = adm_find_running(adm, resource->name, &running);
	if (code != ADM_OK) {
		return code;
	}
	if (running != NULL) { /* an `up` that was interrupted goes on */
		return adm_complete(adm, context, running);
	}
	adm_make_new_resource(adm, &call, resource);
	adm_schedule(adm, ADM_STAGE_RESOURCE, resource, &call);
	if (adm_wants_node_options(adm, resource)) {
		adm_make_node_options(adm, &call, resource, true);
		adm_schedule(adm, ADM_STAGE_OPTIONS, resource, &call);
	}
	for (const struct cfg_volume *v = resource->me->expanded.first; v != NULL; v = v->next) {
		schedule_volume(adm, resource, v);
	}
	for (struct cfg_connection *c = resource->connections.first; c != NULL; c = c->next) {
		if (c->self != NULL) {
			schedule_connection(adm, resource, c);
		}
	}
	adm_schedule_persist_role(adm, resource);
	return ADM_OK;
}

int adm_down(struct adm *adm, const struct adm_context *context)
{
	struct adm_call call;

	adm_call_setup(&call, adm, "down");
	call.patience = ADM_MEDIUM;
	adm_call_add(&call, "%s", context->resource->name);
	const int code = adm_call_run(adm, &call, context->resource->name);
	if (code == 0 && !adm->dry_run) {
		adm_unregister_resource(adm, context->resource);
	}
	return code;
}
