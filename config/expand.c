// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * expand.c - what follows from a configuration without being written in it: this node, options,
 * volumes
 *
 * Owns:       the `expanded`, `inherited`, `me` and `ignored` members of the model.
 * May touch:  the list of this host's network interfaces.
 * Invariants:
 *   EX-1  An option written in the most specific section wins; two less specific sources that
 *         disagree are an error.
 */
#include "config_internal.h"

#include <bsr/assert.h>

#include <arpa/inet.h>
#include <ctype.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>
#include <string.h>
#include <strings.h>

static void report_ambiguity(
	struct bsr_config *config, const struct cfg_option *one, const struct cfg_option *other)
{
	const char *key = cfg_printf(config, "ambiguity %s:%u:%u %s:%u:%u", one->at.file,
		one->at.line, one->at.column, other->at.file, other->at.line, other->at.column);

	if (cfg_claim_quietly(config, &one->at, key) != NULL) {
		return; /* every volume and peer would repeat it */
	}
	cfg_error(config, &one->at,
		"ambiguous inheritance of option \"%s\": \"%s\" here and \"%s\" at %s:%u:%u; "
		"set it in the most specific section, or only once",
		one->def->name, one->value, other->value, other->at.file, other->at.line,
		other->at.column);
}

void cfg_inherit(
	struct bsr_config *config, struct cfg_options *target, const struct cfg_options *source)
{
	for (const struct cfg_option *option = source->first; option != NULL;
		option = option->next) {
		BSR_ASSERT(option->def != NULL && option->value != NULL);
		const struct cfg_option *present = bsr_config_find_option(target, option->def);
		if (present != NULL) {
			if (present->inherited &&
				!bsr_option_equal(option->def, present->value, option->value)) {
				report_ambiguity(config, option, present);
			}
			continue;
		}
		struct cfg_option *copy = CFG_NEW(config, cfg_option);
		*copy = *option;
		copy->inherited = true;
		copy->next = target->first;
		target->first = copy;
		if (target->last == NULL) {
			target->last = copy;
		}
	}
}

void cfg_inherit_common(struct bsr_config *config, struct cfg_resource *resource)
{
	if (resource->common == NULL && resource->template_file == NULL) {
		resource->common = config->common;
	}
	if (resource->common == NULL) {
		return;
	}
	for (unsigned int i = 0; i < BSR_SECTION_COUNT; i++) {
		cfg_inherit(config, &resource->options[i], &resource->common->options[i]);
	}
}

static void load_local_addresses(struct bsr_config *config)
{
	struct ifaddrs *list;
	char text[INET6_ADDRSTRLEN];

	config->local_addresses_known = true;
	if (getifaddrs(&list) != 0) {
		return;
	}
	for (const struct ifaddrs *i = list; i != NULL; i = i->ifa_next) {
		const void *bytes;
		if (i->ifa_addr == NULL || (i->ifa_flags & IFF_UP) == 0) {
			continue;
		}
		if (i->ifa_addr->sa_family == AF_INET) {
			bytes = &((const struct sockaddr_in *)(const void *)i->ifa_addr)->sin_addr;
		} else if (i->ifa_addr->sa_family == AF_INET6) {
			bytes = &((const struct sockaddr_in6 *)(const void *)i->ifa_addr)
					 ->sin6_addr;
		} else {
			continue;
		}
		if (inet_ntop(i->ifa_addr->sa_family, bytes, text, sizeof(text)) != NULL) {
			struct cfg_name *name = CFG_NEW(config, cfg_name);
			name->text = cfg_strdup(config, text);
			CFG_APPEND(&config->local_addresses, name);
		}
	}
	freeifaddrs(list);
}

bool bsr_config_address_is_local(struct bsr_config *config, const struct cfg_address *address)
{
	char canonical[INET6_ADDRSTRLEN];
	char bare[128];
	struct in6_addr bytes;

	if (!config->local_addresses_known) {
		load_local_addresses(config);
	}
	snprintf(bare, sizeof(bare), "%s", address->host);
	bare[strcspn(bare, "%")] = '\0';
	const int family = strcmp(address->family, "ipv6") == 0 ? AF_INET6 : AF_INET;
	if (inet_pton(family, bare, &bytes) != 1 ||
		inet_ntop(family, &bytes, canonical, sizeof(canonical)) == NULL) {
		return false;
	}
	for (const struct cfg_name *n = config->local_addresses.first; n != NULL; n = n->next) {
		if (strcmp(n->text, canonical) == 0) {
			return true;
		}
	}
	return family == AF_INET && strncmp(canonical, "127.", 4) == 0;
}

static bool host_is_me(struct bsr_config *config, const struct cfg_host *host)
{
	if (host->kind == CFG_HOST_FLOATING) {
		if (config->pretended != NULL &&
			strcmp(config->pretended, host->address.host) == 0) {
			return true;
		}
		return bsr_config_address_is_local(config, &host->address);
	}
	for (const struct cfg_name *name = host->names.first; name != NULL; name = name->next) {
		if (bsr_config_same_host(name->text, config->hostname)) {
			return true;
		}
	}
	return false;
}

static void find_me(struct bsr_config *config, struct cfg_resource *resource)
{
	for (struct cfg_host *host = resource->hosts.first; host != NULL; host = host->next) {
		host->is_me = host_is_me(config, host);
		if (!host->is_me) {
			continue;
		}
		if (resource->me != NULL) {
			cfg_error(config, &host->at,
				"resource %s has several host sections for this node (%s); the other one is at line %u",
				resource->name, config->hostname, resource->me->at.line);
			continue;
		}
		resource->me = host;
	}
	resource->ignored = resource->me == NULL;
}

static void copy_options(
	struct bsr_config *config, struct cfg_options *to, const struct cfg_options *from)
{
	for (const struct cfg_option *option = from->first; option != NULL; option = option->next) {
		struct cfg_option *copy = CFG_NEW(config, cfg_option);
		*copy = *option;
		copy->next = NULL;
		CFG_APPEND(to, copy);
	}
}

/* Fills what the host's own volume section leaves open from the resource's. */
static void inherit_volume_fields(struct cfg_volume *to, const struct cfg_volume *from)
{
	if (to->device_at.file == NULL) {
		to->device = from->device;
		to->minor = from->minor;
		to->device_at = from->device_at;
	}
	if (to->disk == NULL) {
		to->disk = from->disk;
		to->disk_at = from->disk_at;
	}
	if (to->meta_disk == NULL) {
		to->meta_disk = from->meta_disk;
		to->meta_index = from->meta_index;
		to->meta_disk_at = from->meta_disk_at;
	}
}

/* Puts @volume into the list at its place by number. */
static void insert_volume(struct cfg_volumes *volumes, struct cfg_volume *volume)
{
	struct cfg_volume **at = &volumes->first;

	BSR_ASSERT(volume->next == NULL);
	while (*at != NULL && (*at)->vnr < volume->vnr) {
		at = &(*at)->next;
	}
	volume->next = *at;
	*at = volume;
	if (volume->next == NULL) {
		volumes->last = volume;
	}
}

static bool is_drive_letter(const char *text)
{
	return text != NULL && isalpha((unsigned char)text[0]) &&
	       (text[1] == '\0' || strcmp(text + 1, ":") == 0);
}

static void expand_volume(struct bsr_config *config, struct cfg_resource *resource,
	struct cfg_host *host, const struct cfg_volume *own, const struct cfg_volume *shared)
{
	const struct cfg_volume *base = own != NULL ? own : shared;
	struct cfg_volume *volume = CFG_NEW(config, cfg_volume);

	volume->at = base->at;
	volume->vnr = base->vnr;
	volume->implicit = base->implicit;
	volume->minor = -1;
	if (own != NULL) {
		inherit_volume_fields(volume, own);
		copy_options(config, &volume->disk_options, &own->disk_options);
		copy_options(config, &volume->peer_options, &own->peer_options);
	}
	cfg_inherit(config, &volume->disk_options, &resource->options[BSR_SECTION_DISK]);
	cfg_inherit(config, &volume->peer_options, &resource->options[BSR_SECTION_PEER_DEVICE]);
	if (shared != NULL) {
		inherit_volume_fields(volume, shared);
		cfg_inherit(config, &volume->disk_options, &shared->disk_options);
		cfg_inherit(config, &volume->peer_options, &shared->peer_options);
	}
	if (host->platform == CFG_PLATFORM_WINDOWS && volume->device_at.file == NULL &&
		is_drive_letter(volume->disk)) {
		/* on Windows the drive is the device, too */
		volume->device = cfg_printf(config, "%c", toupper((unsigned char)volume->disk[0]));
		volume->minor = volume->device[0] - 'C';
		volume->device_at = volume->disk_at;
	}
	if (volume->device == NULL && volume->minor >= 0) {
		volume->device = cfg_printf(
			config, "/dev/%s%lld", bsr_names()->product, (long long)volume->minor);
	}
	if (bsr_config_is_diskless(volume)) {
		volume->meta_disk = NULL;
		volume->meta_index = NULL;
	}
	insert_volume(&host->expanded, volume);
}

static void expand_volumes(
	struct bsr_config *config, struct cfg_resource *resource, struct cfg_host *host)
{
	for (const struct cfg_volume *own = host->volumes.first; own != NULL; own = own->next) {
		expand_volume(config, resource, host, own,
			bsr_config_find_volume(&resource->volumes, own->vnr));
	}
	for (const struct cfg_volume *shared = resource->volumes.first; shared != NULL;
		shared = shared->next) {
		if (bsr_config_find_volume(&host->volumes, shared->vnr) == NULL) {
			expand_volume(config, resource, host, NULL, shared);
		}
	}
}

bool bsr_config_is_diskless(const struct cfg_volume *volume)
{
	return volume->disk != NULL && strcmp(volume->disk, "none") == 0;
}

/* The daemon shows peers the name this node goes by in the configuration. */
static void name_this_node(struct bsr_config *config, struct cfg_host *host)
{
	if (!bsr_names()->drbd) { /* DRBD's tools do not know the option */
		cfg_options_set(config, &host->node_options,
			bsr_option_find(BSR_SECTION_NODE, "node-name"), host->label);
	}
	if (host->group != NULL) {
		cfg_options_set(config, &host->node_options,
			bsr_option_find(BSR_SECTION_NODE, "group"), host->group);
	}
}

static bool is_drbd_file(const char *path)
{
	const char *slash = path == NULL ? NULL : strrchr(path, '/');
	const char *name = slash != NULL ? slash + 1 : path;

	return path != NULL && (strncmp(name, "drbd", 4) == 0 || strstr(path, "/drbd.d/") != NULL);
}

/* CRC32C without the usual complements, as DRBD 9 takes it of the address that 8.4 wrote. */
static int32_t checksum_of_address(const char *address)
{
	uint32_t crc = 0x1a656f21u;

	for (const char *c = address; *c != '\0'; c++) {
		crc ^= (unsigned char)*c;
		for (int bit = 0; bit < 8; bit++) {
			crc = crc >> 1 ^ ((crc & 1u) != 0 ? 0x82f63b78u : 0);
		}
	}
	return (int32_t)crc;
}

/* DRBD 8.4 knew no node ids. Its two hosts get those that drbdadm 9 gives them: what stands in metadata says the same. */
static void number_hosts_of_8_4(const struct cfg_resource *resource)
{
	struct cfg_host *one = resource->hosts.first;
	struct cfg_host *other = one != NULL ? one->next : NULL;

	if (other == NULL || other->next != NULL || one->node_id >= 0 || other->node_id >= 0 || one->address.host == NULL ||
		other->address.host == NULL || strcmp(one->address.host, other->address.host) == 0 ||
		!(bsr_names()->drbd || is_drbd_file(resource->at.file))) {
		return;
	}
	one->node_id = checksum_of_address(one->address.host) > checksum_of_address(other->address.host) ? 0 : 1;
	other->node_id = 1 - one->node_id;
}

void cfg_expand_hosts(struct bsr_config *config, struct cfg_resource *resource)
{
	number_hosts_of_8_4(resource);
	find_me(config, resource);
	for (struct cfg_host *host = resource->hosts.first; host != NULL; host = host->next) {
		expand_volumes(config, resource, host);
		cfg_inherit(config, &host->node_options, &resource->options[BSR_SECTION_NODE]);
		if (host == resource->me) {
			name_this_node(config, host);
		}
	}
}

/*
 * A running configuration is complete as it is; its volumes only need to be found where the others
 * are.
 */
static void expand_running(struct bsr_config *config, struct cfg_resource *resource)
{
	if (resource->me != NULL) {
		expand_volumes(config, resource, resource->me);
	}
	for (struct cfg_connection *c = resource->connections.first; c != NULL; c = c->next) {
		c->peer_devices = c->volumes;
		c->self = resource->me;
	}
}

void bsr_config_expand(struct bsr_config *config)
{
	for (struct cfg_resource *r = config->resources.first; r != NULL; r = r->next) {
		if (config->running) {
			expand_running(config, r);
			continue;
		}
		if (r->stacked_text != NULL) {
			continue;
		}
		cfg_inherit_common(config, r);
		cfg_expand_hosts(config, r);
		cfg_expand_connections(config, r);
		cfg_validate_resource(config, r);
	}
	for (struct cfg_resource *r = config->resources.first; r != NULL && !config->running;
		r = r->next) {
		cfg_validate_addresses(config, r);
	}
}
