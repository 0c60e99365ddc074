// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * simple.c - commands that are one call of bsrsetup, or nearly
 *
 * Owns:       which arguments each of them needs.
 * May touch:  back ends.
 */
#include "adm.h"

#include <stdlib.h>
#include <string.h>

/* A command of older products that has no object here: named, never silently done. */
int adm_unsupported(struct adm *adm, const struct adm_context *context)
{
	fprintf(stderr, "%s %s cannot be done: %s\n", adm->command->name, context->resource->name,
		adm->command->help);
	return ADM_USAGE;
}

static enum adm_patience patience_of(const char *command)
{
	static const char *const slow[] = {"primary", "secondary", "detach", "disconnect",
		"del-peer", "down", "invalidate", "invalidate-remote", "resize", "outdate",
		"suspend-io", "del-minor"};

	for (size_t i = 0; i < sizeof(slow) / sizeof(slow[0]); i++) {
		if (strcmp(slow[i], command) == 0) {
			return ADM_MEDIUM;
		}
	}
	return ADM_SHORT;
}

static void start(struct adm_call *call, const struct adm *adm)
{
	adm_call_setup(call, adm, adm->command->name);
	call->patience = patience_of(adm->command->name);
}

int adm_plain_resource(struct adm *adm, const struct adm_context *context)
{
	struct adm_call call;

	start(&call, adm);
	adm_call_add(&call, "%s", context->resource->name);
	adm_call_add_given(adm, &call);
	return adm_call_run(adm, &call, context->resource->name);
}

int adm_plain_volume(struct adm *adm, const struct adm_context *context)
{
	struct adm_call call;

	start(&call, adm);
	adm_call_add(&call, "%lld", (long long)context->volume->minor);
	adm_call_add_given(adm, &call);
	return adm_call_run(adm, &call, context->resource->name);
}

/* bsradm passes on what was given; drbdadm all that is configured. */
int adm_disk_options(struct adm *adm, const struct adm_context *context)
{
	struct adm_call call;

	if (!adm->drbd) {
		return adm_plain_volume(adm, context);
	}
	start(&call, adm);
	adm_call_add(&call, "%lld", (long long)context->volume->minor);
	if (adm_given_is_on(adm, "set-defaults")) {
		adm_call_add(&call, "--set-defaults");
	}
	adm_call_add_options_without(
		adm, &call, &context->volume->disk_options, BSR_SECTION_DISK, BSR_OPTION_RESIZES);
	return adm_call_run(adm, &call, context->resource->name);
}

int adm_plain_connection(struct adm *adm, const struct adm_context *context)
{
	struct adm_call call;

	start(&call, adm);
	adm_call_add(&call, "%s", context->resource->name);
	adm_call_add(&call, "%d", context->connection->peer->node_id);
	adm_call_add_given(adm, &call);
	return adm_call_run(adm, &call, context->resource->name);
}

int adm_plain_peer_device(struct adm *adm, const struct adm_context *context)
{
	struct adm_call call;

	start(&call, adm);
	adm_call_add(&call, "%s", context->resource->name);
	adm_call_add(&call, "%d", context->connection->peer->node_id);
	adm_call_add(&call, "%u", context->peer_device->vnr);
	adm_call_add_given(adm, &call);
	return adm_call_run(adm, &call, context->resource->name);
}

/* role and status print; `state` is what role was called once. */
int adm_status(struct adm *adm, const struct adm_context *context)
{
	struct adm_call call;

	if (strcmp(adm->command->name, "state") == 0) {
		fprintf(stderr, "'state' is deprecated: say 'role'\n");
		adm_call_setup(&call, adm, "role");
	} else {
		adm_call_setup(&call, adm, adm->command->name);
	}
	if (context->resource != NULL) {
		adm_call_add(&call, "%s", context->resource->name);
	}
	adm_call_add_given(adm, &call);
	return adm_call_run(adm, &call, context->resource != NULL ? context->resource->name : NULL);
}

/* RES, RES:PEER or RES:PEER/VOLUME, with the peer as a node id. */
int adm_why(struct adm *adm, const struct adm_context *context)
{
	struct adm_call call;

	adm_call_setup(&call, adm, "why");
	if (context->connection == NULL) {
		adm_call_add(&call, "%s", context->resource->name);
	} else if (!context->volume_given) {
		adm_call_add(&call, "%s:%d", context->resource->name, context->connection->peer->node_id);
	} else {
		adm_call_add(&call, "%s:%d/%u", context->resource->name,
			context->connection->peer->node_id, context->volume->vnr);
	}
	adm_call_add_given(adm, &call);
	return adm_call_run(adm, &call, context->resource->name);
}

static bool is_ours(const struct adm_given *given)
{
	return strcmp(given->name, "skip-check-fs") == 0 ||
	       strcmp(given->name, "full-sync-on-fail") == 0;
}

/* Before data is declared good by force, the file systems on it are looked at. */
static int check_file_systems(struct adm *adm, const struct cfg_resource *resource)
{
	for (const struct cfg_volume *v = resource->me->expanded.first; v != NULL; v = v->next) {
		struct adm_call call;
		adm_call_setup(&call, adm, "check-fs");
		call.patience = ADM_LONG;
		adm_call_add(&call, "%lld", (long long)v->minor);
		const int code = adm_call_run(adm, &call, resource->name);
		if (code != 0) {
			return code;
		}
	}
	return ADM_OK;
}

int adm_primary(struct adm *adm, const struct adm_context *context)
{
	const struct cfg_resource *resource = context->resource;
	struct adm_call call;
	bool full_sync = false;

	if (adm_given_is_on(adm, "force") && !adm_given_is_on(adm, "skip-check-fs") && !adm->drbd) {
		const int code = check_file_systems(adm, resource);
		if (code != 0 && !adm_given_is_on(adm, "full-sync-on-fail")) {
			fprintf(stderr,
				"the file system check of resource %s failed; repair it, or use --skip-check-fs, or "
				"--full-sync-on-fail\n",
				resource->name);
			return code;
		}
		full_sync = code != 0;
	}
	adm_call_setup(&call, adm, "primary");
	call.patience = ADM_MEDIUM;
	adm_call_add(&call, "%s", resource->name);
	for (size_t i = 0; i < adm->given_count; i++) {
		if (!is_ours(&adm->given[i])) {
			adm_call_add(&call, "--%s", adm->given[i].name);
		}
	}
	if (full_sync) {
		adm_call_add(&call, "--full-sync");
	}
	return adm_call_run(adm, &call, resource->name);
}

int adm_attach(struct adm *adm, const struct adm_context *context)
{
	struct adm_call call;

	adm_call_meta(&call, adm, context->volume);
	adm_call_add(&call, "apply-al");
	const int code = adm_call_run(adm, &call, context->resource->name);
	if (code >= 10) {
		adm_tell_about_metadata(code, context->resource->name);
		return code;
	}
	adm_make_attach(adm, &call, context->volume);
	return adm_call_run(adm, &call, context->resource->name);
}

int adm_new_resource(struct adm *adm, const struct adm_context *context)
{
	struct adm_call call;

	adm_make_new_resource(adm, &call, context->resource);
	const int code = adm_call_run(adm, &call, context->resource->name);
	if (code == 0 && !adm->dry_run) {
		adm_register_resource(adm, context->resource);
	}
	return code;
}

int adm_node_options(struct adm *adm, const struct adm_context *context)
{
	struct adm_call call;

	adm_make_node_options(adm, &call, context->resource, adm_given_is_on(adm, "set-defaults"));
	return adm_call_run(adm, &call, context->resource->name);
}

int adm_new_minor(struct adm *adm, const struct adm_context *context)
{
	struct adm_call call;

	adm_make_new_minor(adm, &call, context->resource, context->volume);
	const int code = adm_call_run(adm, &call, context->resource->name);
	if (code == 0 && !adm->dry_run) {
		adm_register_resource(adm, context->resource);
	}
	return code;
}

int adm_new_peer(struct adm *adm, const struct adm_context *context)
{
	struct adm_call call;

	adm_make_new_peer(adm, &call, context->resource, context->connection);
	return adm_call_run(adm, &call, context->resource->name);
}

/* All net options of a connection but those that only new-peer can set. */
int adm_net_options(struct adm *adm, const struct adm_context *context)
{
	struct adm_call call;

	adm_call_setup(&call, adm, "net-options");
	adm_call_add(&call, "%s", context->resource->name);
	adm_call_add(&call, "%d", context->connection->peer->node_id);
	if (adm_given_is_on(adm, "set-defaults")) {
		adm_call_add(&call, "--set-defaults");
	}
	adm_call_add_options_without(
		adm, &call, &context->connection->net, BSR_SECTION_NET, BSR_OPTION_AT_CREATION);
	return adm_call_run(adm, &call, context->resource->name);
}

static int for_each_path(struct adm *adm, const struct adm_context *context, const char *command)
{
	for (const struct cfg_path *path = context->connection->paths.first; path != NULL;
		path = path->next) {
		struct adm_call call;
		adm_make_path(adm, &call, context, path, command);
		const int code = adm_call_run(adm, &call, context->resource->name);
		if (code != 0) {
			return code;
		}
	}
	return ADM_OK;
}

int adm_new_path(struct adm *adm, const struct adm_context *context)
{
	return for_each_path(adm, context, "new-path");
}

int adm_del_path(struct adm *adm, const struct adm_context *context)
{
	return for_each_path(adm, context, "del-path");
}

int adm_peer_device_options(struct adm *adm, const struct adm_context *context)
{
	struct adm_call call;

	adm_make_peer_device_options(adm, &call, context, adm_given_is_on(adm, "set-defaults"));
	return adm_call_run(adm, &call, context->resource->name);
}

int adm_resize(struct adm *adm, const struct adm_context *context)
{
	struct adm_call call;

	adm_call_setup(&call, adm, "resize");
	call.patience = ADM_MEDIUM;
	adm_call_add(&call, "%lld", (long long)context->volume->minor);
	const struct cfg_option *size = bsr_config_find_option(
		&context->volume->disk_options, bsr_option_find(BSR_SECTION_DISK, "size"));
	if (size != NULL && adm_given_find(adm, "size") == NULL) {
		adm_call_add(&call, "--size=%s", size->value);
	}
	adm_call_add_given(adm, &call);
	const int code = adm_call_run(adm, &call, context->resource->name);
	if (code != 0) {
		return code;
	}
	adm_call_setup(&call, adm, "check-resize");
	adm_call_add(&call, "%lld", (long long)context->volume->minor);
	return adm_call_run(adm, &call, context->resource->name);
}
