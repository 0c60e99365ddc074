// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * adjust.c - the difference between what runs and what is configured, as calls
 *
 * Owns:       which difference needs which calls.
 * May touch:  bsrsetup, through `show` and the calls.
 * Invariants:
 *   AJ-1  What is equal is left alone: a second adjust makes no call but apply-persist-role.
 *   AJ-2  Nothing is added to a running resource before what is in its way has been removed
 *         (stages).
 *   AJ-3  `up` of what runs makes calls that only add, or none.
 */
#include "adm.h"

#include "names.h"

#include <stdlib.h>
#include <string.h>

struct adjust {
	struct adm *adm;
	struct cfg_resource *wanted;
	struct cfg_resource *running;
	struct adm_context context;
	const struct cfg_connection *only; /* one connection; NULL: all */
	int refused; /* exit code of a difference that must not be applied */
	bool fresh_peer_device; /* the peer device at hand has no option yet */
	bool probing; /* nothing is scheduled: @changes is what is asked */
	bool changes; /* a call would change or remove what runs */
};

static void note(const struct adjust *a, const char *what, const char *detail)
{
	if (a->adm->verbose >= 3) {
		fprintf(stderr, "adjust %s: %s %s\n", a->wanted->name, what, detail);
	}
}

static bool is_compared(const struct bsr_option *def, enum bsr_option_section section)
{
	const unsigned int not_here =
		BSR_OPTION_DRBD_ONLY | BSR_OPTION_AT_CREATION | BSR_OPTION_RESIZES;

	return def->section == section && (def->flags & not_here) == 0;
}

static const char *text_of(const struct cfg_options *options, const struct bsr_option *def)
{
	const struct cfg_option *option = bsr_config_find_option(options, def);

	return option != NULL ? option->value : NULL;
}

/* A name given in the file must be compared as the minor that runs. */
static bool same_resync_after(const struct adjust *a, const char *wanted, const char *running)
{
	const struct bsr_option *def = bsr_option_find(BSR_SECTION_DISK, "resync-after");
	struct bsr_option_value value;
	const char *why;
	char minor[32];

	if (wanted != NULL && bsr_option_parse(def, wanted, &value) == BSR_OPTION_OK &&
		value.is_reference) {
		const struct cfg_volume *after =
			bsr_config_resync_after(a->adm->config, wanted, &why);
		if (after == NULL) {
			return true;
		}
		snprintf(minor, sizeof(minor), "%lld", (long long)after->minor);
		return bsr_option_equal(def, minor, running);
	}
	return bsr_option_equal(def, wanted, running);
}

/*
 * Connections of a running configuration carry their name as an option nowhere: only the names that
 * `show` prints can be compared.
 */
static bool is_shown_name(const struct bsr_option *def)
{
	return strcmp(def->name, "_name") != 0;
}

/* Names that DRBD's tools do not tell: what runs may have them, from bsradm, and keeps them. */
static bool is_untold_name(const struct adm *adm, const struct bsr_option *def)
{
	return adm->drbd && (def->flags & BSR_OPTION_INTERNAL) != 0 && is_shown_name(def);
}

static bool same_options(const struct adjust *a, const struct cfg_options *wanted,
	const struct cfg_options *running, enum bsr_option_section section)
{
	size_t count;
	const struct bsr_option *list = bsr_option_list(section, &count);

	for (size_t i = 0; i < count; i++) {
		const char *w = text_of(wanted, &list[i]);
		const char *r = text_of(running, &list[i]);
		if (!is_compared(&list[i], section) || is_untold_name(a->adm, &list[i]) || (!is_shown_name(&list[i]) && r == NULL)) {
			continue;
		}
		const bool same = list[i].type == BSR_OPTION_RESYNC_AFTER
					  ? same_resync_after(a, w, r)
					  : bsr_option_equal(&list[i], w, r);
		if (!same) {
			note(a, "option differs:", list[i].name);
			return false;
		}
	}
	return true;
}

/* Calls that set options with the thing itself are no addition; the others are one where nothing was set before. */
static bool is_addition(const struct adjust *a, const struct adm_call *call)
{
	static const char *const adding[] = {
		"new-resource", "new-minor", "new-peer", "new-path", "connect", "apply-al", "attach", NULL};
	const char *command = call->is_meta ? "apply-al" : call->word[1];

	for (size_t i = 0; adding[i] != NULL; i++) {
		if (strcmp(adding[i], command) == 0) {
			return true;
		}
	}
	return (strcmp(command, "node-options") == 0 && a->running->me->node_options.first == NULL) ||
	       (strcmp(command, "peer-device-options") == 0 && a->fresh_peer_device);
}

/* Options are left out: one may be the secret. */
static void tell_change(const struct adjust *a, const struct adm_call *call)
{
	fprintf(stderr, "%s: does not run as configured: %s", a->wanted->name, bsr_names()->setup);
	for (size_t i = 1; i < call->count && strncmp(call->word[i], "--", 2) != 0; i++) {
		fprintf(stderr, " %s", call->word[i]);
	}
	fputs(" would change it\n", stderr);
}

static void schedule(struct adjust *a, enum adm_stage stage, struct adm_call *call)
{
	if (!a->probing) {
		adm_schedule(a->adm, stage, a->wanted, call);
		return;
	}
	if (!is_addition(a, call)) {
		tell_change(a, call);
		a->changes = true;
	}
	adm_call_free(call);
}

static void schedule_attach(struct adjust *a, const struct cfg_volume *volume)
{
	if (!a->probing) {
		adm_schedule_attach(a->adm, a->wanted, volume);
	}
}

static void schedule_minor_call(
	struct adjust *a, enum adm_stage stage, const char *command, int64_t minor)
{
	struct adm_call call;

	adm_call_setup(&call, a->adm, command);
	call.patience = ADM_MEDIUM;
	adm_call_add(&call, "%lld", (long long)minor);
	schedule(a, stage, &call);
}

static void schedule_peer_call(
	struct adjust *a, enum adm_stage stage, const char *command, int peer_id)
{
	struct adm_call call;

	adm_call_setup(&call, a->adm, command);
	call.patience = ADM_MEDIUM;
	adm_call_add(&call, "%s", a->wanted->name);
	adm_call_add(&call, "%d", peer_id);
	if (strcmp(command, "connect") == 0) {
		if (adm_given_is_on(a->adm, "discard-my-data")) {
			adm_call_add(&call, "--discard-my-data");
		}
		if (adm_given_is_on(a->adm, "tentative")) {
			adm_call_add(&call, "--tentative");
		}
	}
	schedule(a, stage, &call);
}

static void adjust_resource_options(struct adjust *a)
{
	struct adm_call call;

	if (!same_options(a, &a->wanted->options[BSR_SECTION_RESOURCE],
		    &a->running->options[BSR_SECTION_RESOURCE], BSR_SECTION_RESOURCE)) {
		adm_call_setup(&call, a->adm, "resource-options");
		adm_call_add(&call, "%s", a->wanted->name);
		adm_call_add(&call, "--set-defaults");
		adm_call_add_options(a->adm, &call, &a->wanted->options[BSR_SECTION_RESOURCE],
			BSR_SECTION_RESOURCE);
		schedule(a, ADM_STAGE_OPTIONS, &call);
	}
	if (!same_options(a, &a->wanted->me->node_options, &a->running->me->node_options,
		    BSR_SECTION_NODE)) {
		adm_make_node_options(a->adm, &call, a->wanted, true);
		schedule(a, ADM_STAGE_OPTIONS, &call);
	}
}

static void schedule_new_minor(struct adjust *a, const struct cfg_volume *volume)
{
	struct adm_call call;

	adm_make_new_minor(a->adm, &call, a->wanted, volume);
	schedule(a, ADM_STAGE_MINOR, &call);
	if (!adm_given_is_on(a->adm, "skip-disk")) {
		schedule_attach(a, volume);
	}
}

static bool has_disk(const struct cfg_volume *volume)
{
	return volume->disk != NULL && !bsr_config_is_diskless(volume);
}

static void remove_volume(struct adjust *a, const struct cfg_volume *running)
{
	if (has_disk(running)) {
		schedule_minor_call(a, ADM_STAGE_DETACH, "detach", running->minor);
	}
	schedule_minor_call(a, ADM_STAGE_DETACH, "del-minor", running->minor);
}

/*
 * Whether the lower devices are the same; a difference is refused because the data are elsewhere
 * then.
 */
static bool same_lower_devices(
	struct adjust *a, const struct cfg_volume *wanted, const struct cfg_volume *running)
{
	const bool internal = strcmp(wanted->meta_index, "internal") == 0;
	const char *running_meta = running->meta_disk != NULL ? running->meta_disk : "internal";
	const char *wanted_meta = internal ? "internal" : wanted->meta_disk;

	const bool same_place =
		running->meta_index != NULL && strcmp(wanted->meta_index, running->meta_index) == 0;

	if (strcmp(wanted->disk, running->disk) == 0 && strcmp(wanted_meta, running_meta) == 0 &&
		same_place) {
		return true;
	}
	fprintf(stderr,
		"%s:%u:%u: volume %u of resource %s runs on disk %s with meta-disk %s (%s), configured are %s and "
		"%s (%s); detach it first: %s detach %s/%u\n",
		wanted->disk_at.file, wanted->disk_at.line, wanted->disk_at.column, wanted->vnr,
		a->wanted->name, running->disk, running_meta,
		running->meta_index != NULL ? running->meta_index : "?", wanted->disk, wanted_meta,
		wanted->meta_index, bsr_names()->admin, a->wanted->name, wanted->vnr);
	a->refused = ADM_INVALID;
	return false;
}

static void adjust_disk_options(
	struct adjust *a, const struct cfg_volume *wanted, const struct cfg_volume *running)
{
	const struct bsr_option *size = bsr_option_find(BSR_SECTION_DISK, "size");
	struct adm_call call;

	if (!bsr_option_equal(size, text_of(&wanted->disk_options, size),
		    text_of(&running->disk_options, size))) {
		const char *text = text_of(&wanted->disk_options, size);
		adm_call_setup(&call, a->adm, "resize");
		call.patience = ADM_MEDIUM;
		adm_call_add(&call, "%lld", (long long)wanted->minor);
		if (text != NULL) {
			adm_call_add(&call, "--size=%s", text);
		}
		schedule(a, ADM_STAGE_ATTACH, &call);
	}
	if (same_options(a, &wanted->disk_options, &running->disk_options, BSR_SECTION_DISK)) {
		return;
	}
	adm_call_setup(&call, a->adm, "disk-options");
	adm_call_add(&call, "%lld", (long long)wanted->minor);
	adm_call_add(&call, "--set-defaults");
	adm_call_add_options_without(
		a->adm, &call, &wanted->disk_options, BSR_SECTION_DISK, BSR_OPTION_RESIZES);
	schedule(a, ADM_STAGE_ATTACH, &call);
}

static void adjust_volume(struct adjust *a, const struct cfg_volume *wanted)
{
	const struct cfg_volume *running =
		bsr_config_find_volume(&a->running->me->expanded, wanted->vnr);

	if (running == NULL) {
		note(a, "volume is missing", "");
		schedule_new_minor(a, wanted);
		return;
	}
	if (running->minor != wanted->minor) {
		note(a, "minor differs", "");
		remove_volume(a, running);
		schedule_new_minor(a, wanted);
		return;
	}
	if (!has_disk(running)) {
		schedule_attach(a, wanted);
	} else if (!has_disk(wanted)) {
		schedule_minor_call(a, ADM_STAGE_DETACH, "detach", running->minor);
	} else if (same_lower_devices(a, wanted, running)) {
		adjust_disk_options(a, wanted, running);
	}
}

static void adjust_volumes(struct adjust *a)
{
	const struct cfg_volume *only = a->context.volume_given ? a->context.volume : NULL;

	for (const struct cfg_volume *r = a->running->me->expanded.first; r != NULL && only == NULL;
		r = r->next) {
		if (bsr_config_find_volume(&a->wanted->me->expanded, r->vnr) == NULL) {
			note(a, "volume is not configured any more", "");
			remove_volume(a, r);
		}
	}
	for (const struct cfg_volume *w = a->wanted->me->expanded.first; w != NULL; w = w->next) {
		if (only == NULL || w->vnr == only->vnr) {
			adjust_volume(a, w);
		}
	}
}

static struct cfg_connection *running_connection(const struct adjust *a, int peer_node_id)
{
	for (struct cfg_connection *c = a->running->connections.first; c != NULL; c = c->next) {
		if (c->peer_node_id == peer_node_id) {
			return c;
		}
	}
	return NULL;
}

static struct cfg_connection *wanted_connection(const struct adjust *a, int peer_node_id)
{
	for (struct cfg_connection *c = a->wanted->connections.first; c != NULL; c = c->next) {
		if (c->self != NULL && c->peer->node_id == peer_node_id) {
			return c;
		}
	}
	return NULL;
}

static bool same_end(const struct cfg_address *a, const struct cfg_address *b)
{
	/* a scope is the name of an interface of the host that wrote it */
	const size_t a_length = strcspn(a->host, "%");
	const size_t b_length = strcspn(b->host, "%");

	return a->port == b->port && strcmp(a->family, b->family) == 0 && a_length == b_length &&
	       strncmp(a->host, b->host, a_length) == 0;
}

static bool same_path(
	const struct cfg_connection *wanted, const struct cfg_path *w, const struct cfg_path *r)
{
	const struct cfg_endpoint *own;
	const struct cfg_endpoint *remote;

	bsr_config_path_ends(wanted, w, &own, &remote);
	return r->end[0].address.host != NULL && r->end[1].address.host != NULL &&
	       same_end(&own->own, &r->end[0].address) &&
	       same_end(&remote->visible, &r->end[1].address);
}

static void schedule_del_path(struct adjust *a, int peer_id, const struct cfg_path *path)
{
	struct adm_call call;
	char text[192];

	adm_call_setup(&call, a->adm, "del-path");
	adm_call_add(&call, "%s", a->wanted->name);
	adm_call_add(&call, "%d", peer_id);
	for (unsigned int i = 0; i < 2; i++) {
		bsr_config_format_address(&path->end[i].address, text, sizeof(text));
		adm_call_add(&call, "%s", text);
	}
	schedule(a, ADM_STAGE_DEL_PEER, &call);
}

/* Returns whether the connection must be made again. */
static bool adjust_paths(
	struct adjust *a, struct cfg_connection *wanted, const struct cfg_connection *running)
{
	const int peer_id = wanted->peer->node_id;
	unsigned int kept = 0;
	unsigned int surplus = 0;

	for (const struct cfg_path *r = running->paths.first; r != NULL; r = r->next) {
		bool found = false;
		for (const struct cfg_path *w = wanted->paths.first; w != NULL; w = w->next) {
			found = found || same_path(wanted, w, r);
		}
		kept += found ? 1 : 0;
		surplus += found ? 0 : 1;
	}
	const bool last_goes = surplus > 0 && kept == 0;
	if (last_goes && !running->standalone) {
		schedule_peer_call(a, ADM_STAGE_DISCONNECT, "disconnect", peer_id);
	}
	for (const struct cfg_path *r = running->paths.first; r != NULL; r = r->next) {
		bool found = false;
		for (const struct cfg_path *w = wanted->paths.first; w != NULL; w = w->next) {
			found = found || same_path(wanted, w, r);
		}
		if (!found && r->end[0].address.host != NULL && r->end[1].address.host != NULL) {
			schedule_del_path(a, peer_id, r);
		}
	}
	for (const struct cfg_path *w = wanted->paths.first; w != NULL; w = w->next) {
		bool found = false;
		for (const struct cfg_path *r = running->paths.first; r != NULL; r = r->next) {
			found = found || same_path(wanted, w, r);
		}
		if (!found) {
			struct adm_call call;
			adm_make_path(a->adm, &call, &a->context, w, "new-path");
			schedule(a, ADM_STAGE_PATH, &call);
		}
	}
	return last_goes;
}

static void schedule_peer_device(
	struct adjust *a, struct cfg_volume *wanted, const struct cfg_connection *running)
{
	struct adm_call call;

	a->fresh_peer_device = true;
	if (running == NULL) { /* a new one: what is configured is said, also where it is the default */
		if (!adm_has_options(a->adm, &wanted->peer_options, BSR_SECTION_PEER_DEVICE)) {
			return;
		}
	} else {
		static const struct cfg_options nothing = {NULL, NULL};
		const struct cfg_volume *r = bsr_config_find_volume(&running->peer_devices, wanted->vnr);
		if (same_options(a, &wanted->peer_options, r != NULL ? &r->peer_options : &nothing,
			    BSR_SECTION_PEER_DEVICE)) {
			return;
		}
		a->fresh_peer_device = r == NULL || r->peer_options.first == NULL;
	}
	a->context.peer_device = wanted;
	adm_make_peer_device_options(a->adm, &call, &a->context, true);
	schedule(a, ADM_STAGE_PEER_DEVICE, &call);
}

/* In the order of volumes. */
static void schedule_peer_devices(struct adjust *a, const struct cfg_connection *running)
{
	for (const struct cfg_volume *v = a->wanted->me->expanded.first; v != NULL; v = v->next) {
		struct cfg_volume *device =
			bsr_config_find_volume(&a->context.connection->peer_devices, v->vnr);
		if (device != NULL && (!a->context.volume_given || a->context.volume->vnr == v->vnr)) {
			schedule_peer_device(a, device, running);
		}
	}
}

static void new_connection(struct adjust *a, struct cfg_connection *wanted)
{
	struct adm_call call;

	adm_make_new_peer(a->adm, &call, a->wanted, wanted);
	schedule(a, ADM_STAGE_PEER, &call);
	for (const struct cfg_path *path = wanted->paths.first; path != NULL; path = path->next) {
		adm_make_path(a->adm, &call, &a->context, path, "new-path");
		schedule(a, ADM_STAGE_PATH, &call);
	}
	schedule_peer_devices(a, NULL);
	schedule_peer_call(a, ADM_STAGE_CONNECT, "connect", wanted->peer->node_id);
}

/* The one option that the two ends must have alike: what happens until the other one has it. */
static void tell_about_protocol(
	const struct adjust *a, const struct cfg_connection *wanted, const struct cfg_connection *running)
{
	const struct bsr_option *def = bsr_option_find(BSR_SECTION_NET, "protocol");

	if (running->standalone || a->probing ||
		bsr_option_equal(def, text_of(&wanted->net, def), text_of(&running->net, def))) {
		return;
	}
	fprintf(stderr,
		"%s: the protocol changes: without a connection to %s until that host has been adjusted, too "
		"(then they connect by themselves)\n",
		a->wanted->name, wanted->label);
}

static void adjust_net_options(
	struct adjust *a, struct cfg_connection *wanted, const struct cfg_connection *running)
{
	struct adm_call call;

	if (same_options(a, &wanted->net, &running->net, BSR_SECTION_NET)) {
		return;
	}
	tell_about_protocol(a, wanted, running);
	adm_call_setup(&call, a->adm, "net-options");
	adm_call_add(&call, "%s", a->wanted->name);
	adm_call_add(&call, "%d", wanted->peer->node_id);
	adm_call_add(&call, "--set-defaults");
	adm_call_add_options_without(
		a->adm, &call, &wanted->net, BSR_SECTION_NET, BSR_OPTION_AT_CREATION);
	schedule(a, ADM_STAGE_NET_OPTIONS, &call);
}

static void adjust_connection(struct adjust *a, struct cfg_connection *wanted)
{
	const struct bsr_option *transport = bsr_option_find(BSR_SECTION_NET, "transport");
	const int peer_id = wanted->peer->node_id;
	const struct cfg_connection *running = running_connection(a, peer_id);

	a->context.connection = wanted;
	if (running != NULL && !bsr_option_equal(transport, text_of(&wanted->net, transport),
				       text_of(&running->net, transport))) {
		note(a, "transport differs", "");
		schedule_peer_call(a, ADM_STAGE_DEL_PEER, "del-peer", peer_id);
		running = NULL;
	}
	if (running == NULL) {
		new_connection(a, wanted);
		return;
	}
	const bool reconnect = adjust_paths(a, wanted, running);
	adjust_net_options(a, wanted, running);
	schedule_peer_devices(a, running);
	if (running->standalone || reconnect) {
		schedule_peer_call(a, ADM_STAGE_CONNECT, "connect", peer_id);
	}
}

static void adjust_connections(struct adjust *a)
{
	if (a->context.volume_given) {
		/* one volume: only what its peer devices have */
		for (struct cfg_connection *w = a->wanted->connections.first; w != NULL;
			w = w->next) {
			const struct cfg_connection *r =
				w->self != NULL ? running_connection(a, w->peer->node_id) : NULL;
			a->context.connection = w;
			if (r != NULL) {
				schedule_peer_devices(a, r);
			}
		}
		return;
	}
	for (const struct cfg_connection *r = a->running->connections.first; r != NULL;
		r = r->next) {
		if (a->only == NULL && wanted_connection(a, r->peer_node_id) == NULL) {
			note(a, "peer is not configured any more", "");
			schedule_peer_call(a, ADM_STAGE_DEL_PEER, "del-peer", r->peer_node_id);
		}
	}
	for (struct cfg_connection *w = a->wanted->connections.first; w != NULL; w = w->next) {
		if (w->self != NULL && (a->only == NULL || w == a->only)) {
			adjust_connection(a, w);
		}
	}
}

/* Asks what runs: @name, or everything if it is NULL. */
static int read_running(struct adm *adm, const char *name, struct bsr_config **running)
{
	struct adm_call call;
	char *text = NULL;
	size_t size = 0;

	adm_call_setup(&call, adm, "show");
	if (name != NULL) {
		adm_call_add(&call, "%s", name);
	}
	call.quiet = true;
	call.silent = adm->verbose < 3; /* "not configured" is an answer, not a failure */
	const int code = adm_call_capture(adm, &call, &text, &size);
	*running = bsr_config_new();
	if (*running == NULL) {
		free(text);
		return ADM_CANNOT;
	}
	(*running)->running = true;
	(*running)->no_includes = true;
	if (code == 0) {
		bsr_config_read_buffer(*running, "bsrsetup show", text, size);
		bsr_config_expand(*running);
	}
	free(text);
	if (bsr_config_error_count(*running) > 0) {
		fprintf(stderr, "the answer of '%s show%s%s' cannot be understood:\n",
			bsr_names()->setup, name != NULL ? " " : "", name != NULL ? name : "");
		bsr_config_print_diagnostics(*running, stderr);
		return ADM_CANNOT;
	}
	return ADM_OK;
}

int adm_find_running(struct adm *adm, const char *name, struct cfg_resource **running)
{
	int code = ADM_OK;

	*running = NULL;
	if (adm->running == NULL) {
		code = read_running(adm, adm->many_targets ? NULL : name, &adm->running);
	}
	if (code != ADM_OK) {
		return code;
	}
	*running = bsr_config_find_resource(adm->running, name);
	if (*running != NULL && (*running)->me == NULL) {
		*running = NULL;
	}
	return ADM_OK;
}

/* A resource that does not run: as up, but with every peer-device option stated. */
static void start_resource(struct adjust *a)
{
	struct adm_call call;

	adm_make_new_resource(a->adm, &call, a->wanted);
	schedule(a, ADM_STAGE_RESOURCE, &call);
	if (adm_wants_node_options(a->adm, a->wanted)) {
		adm_make_node_options(a->adm, &call, a->wanted, true);
		schedule(a, ADM_STAGE_OPTIONS, &call);
	}
	for (const struct cfg_volume *v = a->wanted->me->expanded.first; v != NULL; v = v->next) {
		schedule_new_minor(a, v);
	}
	for (struct cfg_connection *c = a->wanted->connections.first; c != NULL; c = c->next) {
		if (c->self != NULL && (a->only == NULL || c == a->only) &&
			!adm_given_is_on(a->adm, "skip-net")) {
			a->context.connection = c;
			new_connection(a, c);
		}
	}
}

static void adjust_running(struct adjust *a)
{
	if (!a->context.volume_given) {
		adjust_resource_options(a);
	}
	if (!adm_given_is_on(a->adm, "skip-disk")) {
		adjust_volumes(a);
	}
	if (!adm_given_is_on(a->adm, "skip-net")) {
		adjust_connections(a);
	}
}

int adm_adjust(struct adm *adm, const struct adm_context *context)
{
	struct adjust a = {.adm = adm,
		.wanted = context->resource,
		.context = *context,
		.only = context->connection};
	const int code = adm_find_running(adm, context->resource->name, &a.running);

	if (code == ADM_OK && a.running == NULL) {
		start_resource(&a);
	} else if (code == ADM_OK) {
		adjust_running(&a);
	}
	if (code == ADM_OK && a.refused == ADM_OK && !context->volume_given) {
		adm_schedule_persist_role(adm, context->resource);
	}
	return code != ADM_OK ? code : a.refused;
}

int adm_complete(struct adm *adm, const struct adm_context *context, struct cfg_resource *running)
{
	struct adjust a = {.adm = adm, .wanted = context->resource, .running = running, .context = *context, .probing = true};

	adjust_running(&a);
	if (a.changes || a.refused != ADM_OK) {
		fprintf(stderr, "%s: up adds what is missing and changes nothing; what helps: %s adjust %s\n",
			context->resource->name, bsr_names()->admin, context->resource->name);
		return a.refused != ADM_OK ? a.refused : ADM_USAGE;
	}
	a.probing = false;
	adjust_running(&a);
	adm_schedule_persist_role(adm, context->resource);
	if (!adm->dry_run) {
		adm_register_resource(adm, context->resource);
	}
	return ADM_OK;
}
