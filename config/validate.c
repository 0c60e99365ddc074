// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * validate.c - rules that need more than one statement
 *
 * Owns:       what makes an expanded configuration invalid.
 * May touch:  nothing outside the model.
 */
#include "config_internal.h"

#include <ctype.h>
#include <string.h>

static void check_node_ids(struct bsr_config *config, const struct cfg_resource *resource)
{
	const struct cfg_host *seen[CFG_NODE_ID_MAX + 1] = {NULL};

	for (const struct cfg_host *host = resource->hosts.first; host != NULL; host = host->next) {
		if (host->node_id < 0 && config->incomplete) {
			continue;
		}
		if (host->node_id < 0) {
			cfg_error(config, &host->at,
				"in resource %s, on %s: node-id keyword missing; "
				"give every host its own number from 0 to %d",
				resource->name, host->label, CFG_NODE_ID_MAX);
			continue;
		}
		const struct cfg_host *other = seen[host->node_id];
		if (other == NULL) {
			seen[host->node_id] = host;
			continue;
		}
		const bool same_group = host->group != NULL && other->group != NULL &&
					strcmp(host->group, other->group) == 0;
		if (!same_group) {
			cfg_error(config, &host->node_id_at,
				"in resource %s, on %s: node-id %d duplicated; %s has it at line %u",
				resource->name, host->label, host->node_id, other->label,
				other->node_id_at.line);
		}
	}
}

static bool addresses_agree(const struct cfg_address *a, const struct cfg_address *b)
{
	if (a->host == NULL || b->host == NULL) {
		return true;
	}
	return a->port == b->port && strcmp(a->host, b->host) == 0 &&
	       strcmp(a->family, b->family) == 0;
}

static void check_group_pair(
	struct bsr_config *config, const struct cfg_host *host, const struct cfg_host *other)
{
	if (!addresses_agree(&host->address, &other->address)) {
		cfg_error(config, &host->address.at,
			"address not equal: %s and %s are members of group %s and must share one address",
			other->label, host->label, host->group);
	}
	if (!addresses_agree(&host->public_address, &other->public_address)) {
		cfg_error(config, &host->public_address.at,
			"public-address not equal: %s and %s are members of group %s", other->label,
			host->label, host->group);
	}
	if (host->node_id != other->node_id) {
		cfg_error(config, &host->node_id_at,
			"node-id not equal: %s and %s are members of group %s", other->label,
			host->label, host->group);
	}
}

static void check_groups(struct bsr_config *config, const struct cfg_resource *resource)
{
	for (const struct cfg_host *host = resource->hosts.first; host != NULL; host = host->next) {
		if (host->group == NULL) {
			continue;
		}
		for (const struct cfg_host *other = resource->hosts.first; other != host;
			other = other->next) {
			if (other->group != NULL && strcmp(other->group, host->group) == 0) {
				check_group_pair(config, host, other);
				break;
			}
		}
	}
}

static void check_volume(struct bsr_config *config, const struct cfg_resource *resource,
	const struct cfg_host *host, const struct cfg_volume *volume)
{
	const char *r = resource->name;

	if (config->incomplete) {
		return;
	}
	if (host->platform == CFG_PLATFORM_WINDOWS && volume->device != NULL &&
		volume->disk != NULL && strlen(volume->device) == 1 &&
		!bsr_config_is_diskless(volume) &&
		toupper((unsigned char)volume->disk[0]) != volume->device[0]) {
		cfg_error(config, &volume->disk_at,
			"in resource %s, on %s, volume %u: device %s and disk %s of a Windows host must be the "
			"same drive",
			r, host->label, volume->vnr, volume->device, volume->disk);
	}
	if (volume->device == NULL && volume->minor < 0) {
		cfg_error(config, &volume->at,
			"in resource %s, on %s, volume %u: device keyword missing", r, host->label,
			volume->vnr);
	}
	if (volume->disk == NULL) {
		cfg_error(config, &volume->at,
			"in resource %s, on %s, volume %u: disk keyword missing%s", r, host->label,
			volume->vnr,
			volume->meta_disk != NULL ? " (there is a meta-disk)"
						  : "; write 'disk none;' for a "
						    "diskless host");
	} else if (!bsr_config_is_diskless(volume) && volume->meta_disk == NULL) {
		cfg_error(config, &volume->at,
			"in resource %s, on %s, volume %u: meta-disk keyword missing; "
			"write 'meta-disk internal;' or name a device",
			r, host->label, volume->vnr);
	}
}

/* Whether @host has the same volumes as the first host, written in the same style. */
static void check_volume_set(
	struct bsr_config *config, const struct cfg_host *first, const struct cfg_host *host)
{
	for (const struct cfg_volume *v = first->expanded.first; v != NULL; v = v->next) {
		const struct cfg_volume *mine = bsr_config_find_volume(&host->expanded, v->vnr);
		if (mine == NULL) {
			cfg_error(config, &host->at, "volume %u is not defined on %s, but on %s",
				v->vnr, host->label, first->label);
		} else if (mine->implicit != v->implicit) {
			cfg_error(config, &host->at,
				"mixing explicit volumes and the implicit volume 0 is not allowed (%s and %s)",
				first->label, host->label);
		}
	}
	for (const struct cfg_volume *v = host->expanded.first; v != NULL; v = v->next) {
		if (bsr_config_find_volume(&first->expanded, v->vnr) == NULL) {
			cfg_error(
				config, &v->at, "volume %u is missing on %s", v->vnr, first->label);
		}
	}
}

static const char *lower_case(struct bsr_config *config, const char *text)
{
	char *copy = cfg_strdup(config, text);

	for (char *c = copy; *c != '\0'; c++) {
		*c = (char)tolower((unsigned char)*c);
	}
	return copy;
}

/*
 * Names under which two sections mean one machine: without its domain, or the address of a floating
 * host.
 */
static const char *machine_name(struct bsr_config *config, const struct cfg_host *host)
{
	if (host->kind == CFG_HOST_FLOATING) {
		return host->address.host;
	}
	char *name = cfg_strdup(config, host->names.first->text);
	name[strcspn(name, ".")] = '\0';
	return lower_case(config, name);
}

static void claim_volume(
	struct bsr_config *config, const char *machine, const struct cfg_volume *volume)
{
	if (volume->minor >= 0 &&
		cfg_claim(config, &volume->device_at,
			cfg_printf(config, "device-minor %lld on %s", (long long)volume->minor,
				machine)) &&
		volume->device != NULL) {
		(void)cfg_claim(config, &volume->device_at,
			cfg_printf(config, "device %s on %s", volume->device, machine));
	}
	if (volume->disk == NULL || bsr_config_is_diskless(volume)) {
		return;
	}
	(void)cfg_claim(config, &volume->disk_at,
		cfg_printf(config, "disk %s on %s", volume->disk, machine));
	if (volume->meta_index == NULL || strcmp(volume->meta_index, "internal") == 0) {
		return;
	}
	if (cfg_is_integer(volume->meta_index)) {
		(void)cfg_claim(config, &volume->meta_disk_at,
			cfg_printf(config, "meta-disk %s [%s] on %s", volume->meta_disk,
				volume->meta_index, machine));
	} else {
		/* a whole device of metadata must not be anybody's data either */
		(void)cfg_claim(config, &volume->meta_disk_at,
			cfg_printf(config, "disk %s on %s", volume->meta_disk, machine));
	}
}

static void check_host(
	struct bsr_config *config, const struct cfg_resource *resource, const struct cfg_host *host)
{
	const char *machine = machine_name(config, host);

	if (host->expanded.first == NULL && !config->incomplete) {
		cfg_error(config, &host->at,
			"in resource %s, on %s: volume keyword missing; a resource needs a device, "
			"a disk and a meta-disk",
			resource->name, host->label);
	}
	if (host->address.host == NULL && resource->connections.first == NULL &&
		!config->incomplete) {
		cfg_error(config, &host->at, "in resource %s, on %s: address keyword missing",
			resource->name, host->label);
	}
	for (const struct cfg_volume *v = host->expanded.first; v != NULL; v = v->next) {
		check_volume(config, resource, host, v);
		claim_volume(config, machine, v);
	}
	check_volume_set(config, resource->hosts.first, host);
}

static bool is_loopback(const struct cfg_address *address)
{
	return strncmp(address->host, "127.", 4) == 0 || strcmp(address->host, "::1") == 0;
}

static void check_path(struct bsr_config *config, const struct cfg_resource *resource,
	const struct cfg_connection *connection, const struct cfg_path *path)
{
	if (path->end_count != 2 && config->incomplete) {
		return;
	}
	if (path->end_count != 2) {
		cfg_error(config, &path->at, "a connection or path needs two ends, this one has %u",
			path->end_count);
		return;
	}
	const struct cfg_endpoint *a = &path->end[0];
	const struct cfg_endpoint *b = &path->end[1];
	if (a->host == NULL || b->host == NULL) {
		return; /* told when it was looked for */
	}
	for (unsigned int i = 0; i < 2; i++) {
		if (path->end[i].own.host == NULL && config->incomplete) {
			return;
		}
		if (path->end[i].own.host == NULL) {
			cfg_error(config, &path->end[i].at,
				"in resource %s, on %s: address keyword missing", resource->name,
				path->end[i].host->label);
			return;
		}
	}
	if (a->host == b->host) {
		cfg_error(config, &b->at, "both ends of this connection are %s", a->host->label);
	} else if (addresses_agree(&a->own, &b->own) && !is_loopback(&a->own)) {
		cfg_error(config, &b->at,
			"address %s:%u is used for both endpoints of a connection", a->own.host,
			a->own.port);
	}
	const struct cfg_path *first = connection->paths.first;
	const bool same_pair = (a->host == first->end[0].host && b->host == first->end[1].host) ||
			       (a->host == first->end[1].host && b->host == first->end[0].host);
	if (path != first && !same_pair) {
		cfg_error(config, &path->at,
			"all paths of a connection lead between the same two hosts");
	}
}

static void check_connection(struct bsr_config *config, const struct cfg_resource *resource,
	const struct cfg_connection *connection)
{
	unsigned int proxied = 0;

	if (connection->paths.first == NULL && config->incomplete) {
		return;
	}
	if (connection->paths.first == NULL) {
		cfg_error(config, &connection->at,
			"a connection without path is not allowed (maybe empty?)");
		return;
	}
	for (const struct cfg_path *path = connection->paths.first; path != NULL;
		path = path->next) {
		check_path(config, resource, connection, path);
		proxied += path->end[0].proxy.at.file != NULL ? 1 : 0;
	}
	if (proxied > 1) {
		cfg_error(config, &connection->at, "several paths with a proxy are not allowed");
	}
	const struct cfg_path *path = connection->paths.first;
	const struct cfg_host *one = path->end[0].host;
	const struct cfg_host *other = path->end[1].host;
	if (path->end_count != 2 || one == NULL || other == NULL || one == other) {
		return;
	}
	if (one->node_id >= 0 && other->node_id >= 0) {
		const bool swapped = one->node_id > other->node_id;
		(void)cfg_claim(config, &connection->at,
			cfg_printf(config, "connection between %s and %s in resource %s",
				swapped ? other->label : one->label,
				swapped ? one->label : other->label, resource->name));
	}
}

/* The resource that "RES" or "RES/VNR" names, NULL if there is none. */
static const struct cfg_resource *referred_resource(
	const struct bsr_config *config, const char *reference)
{
	char name[CFG_STRING_CHARS_MAX + 1];
	const size_t length = strcspn(reference, "/");

	snprintf(name, sizeof(name), "%.*s",
		(int)(length < sizeof(name) ? length : sizeof(name) - 1), reference);
	return bsr_config_find_resource(config, name);
}

/*
 * A resource of other hosts cannot be waited for, and is no mistake in a file that all hosts share.
 */
static bool is_elsewhere(const struct bsr_config *config, const char *reference)
{
	const struct cfg_resource *target = referred_resource(config, reference);

	return target != NULL && target->me == NULL;
}

const struct cfg_volume *bsr_config_resync_after(
	const struct bsr_config *config, const char *reference, const char **why)
{
	const char *slash = strchr(reference, '/');
	const struct cfg_resource *target = referred_resource(config, reference);

	if (target == NULL || target->me == NULL) {
		*why = target == NULL ? "is not the name of a resource"
				      : "has no section for this host";
		return NULL;
	}
	const struct cfg_volume *first = target->me->expanded.first;
	if (slash == NULL) {
		*why = "has several volumes: name one as RESOURCE/VOLUME";
		return first != NULL && first->next == NULL ? first : NULL;
	}
	unsigned int vnr = 0;
	for (const char *c = slash + 1; isdigit((unsigned char)*c) && vnr <= CFG_VNR_MAX; c++) {
		vnr = vnr * 10 + (unsigned int)(*c - '0');
	}
	*why = "has no such volume";
	return bsr_config_find_volume(&target->me->expanded, vnr);
}

static void check_resync_after(struct bsr_config *config, const struct cfg_options *options)
{
	const struct cfg_option *option =
		bsr_config_find_option(options, bsr_option_find(BSR_SECTION_DISK, "resync-after"));
	struct bsr_option_value value;
	const char *why = "";

	if (option == NULL ||
		bsr_option_parse(option->def, option->value, &value) != BSR_OPTION_OK ||
		!value.is_reference) {
		return;
	}
	const char *key = cfg_printf(config, "resync-after %s:%u:%u", option->at.file,
		option->at.line, option->at.column);
	const bool elsewhere = is_elsewhere(config, option->value);
	if (bsr_config_resync_after(config, option->value, &why) != NULL ||
		cfg_claim_quietly(config, &option->at, key) != NULL) {
		return;
	}
	if (elsewhere) {
		cfg_warning(config, &option->at, "resync-after: '%s' %s; the option is left out",
			option->value, why);
	} else {
		cfg_error(config, &option->at, "resync-after: '%s' %s", option->value, why);
	}
}

void cfg_validate_resource(struct bsr_config *config, struct cfg_resource *resource)
{
	if (resource->hosts.first == NULL && config->incomplete) {
		return;
	}
	if (resource->hosts.first == NULL) {
		cfg_error(config, &resource->at,
			"in resource %s: host section missing; add 'on HOST { ... }'",
			resource->name);
		return;
	}
	check_node_ids(config, resource);
	check_groups(config, resource);
	for (const struct cfg_host *host = resource->hosts.first; host != NULL; host = host->next) {
		check_host(config, resource, host);
	}
	for (const struct cfg_connection *c = resource->connections.first; c != NULL; c = c->next) {
		check_connection(config, resource, c);
	}
}

/* The same address and port cannot belong to two resources: only one of them could listen there. */
static void claim_address(struct bsr_config *config, const struct cfg_resource *resource,
	const struct cfg_address *address)
{
	char text[160];

	if (address->host == NULL || is_loopback(address)) {
		return;
	}
	bsr_config_format_address(address, text, sizeof(text));
	const struct cfg_location *before =
		cfg_claim_quietly(config, &resource->at, cfg_printf(config, "address %s", text));
	if (before == NULL ||
		(before->file == resource->at.file && before->line == resource->at.line &&
			before->column == resource->at.column)) {
		return;
	}
	const char *key = cfg_printf(config, "address %s told %s", text, resource->name);
	if (cfg_claim_quietly(config, &resource->at, key) == NULL) {
		cfg_error(config, &address->at,
			"address %s is also used by the resource at %s:%u:%u; give it another port",
			text, before->file, before->line, before->column);
	}
}

void cfg_validate_addresses(struct bsr_config *config, struct cfg_resource *resource)
{
	if (resource->me != NULL) {
		for (const struct cfg_volume *v = resource->me->expanded.first; v != NULL;
			v = v->next) {
			check_resync_after(config, &v->disk_options);
		}
	}
	if (bsr_config_global_flag(config, "disable-ip-verification")) {
		return;
	}
	for (const struct cfg_host *host = resource->hosts.first; host != NULL; host = host->next) {
		claim_address(config, resource, &host->address);
	}
	for (const struct cfg_connection *c = resource->connections.first; c != NULL; c = c->next) {
		for (const struct cfg_path *path = c->paths.first; path != NULL;
			path = path->next) {
			for (unsigned int i = 0; i < path->end_count; i++) {
				claim_address(config, resource, &path->end[i].own);
			}
		}
	}
}
