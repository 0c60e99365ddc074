// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * expand_connection.c - which connections a resource has, between whom, through which addresses
 *
 * Owns:       implicit connections, the hosts and effective addresses of endpoints, peer devices.
 * May touch:  nothing outside the model.
 */
#include "config_internal.h"

#include <bsr/assert.h>

#include <string.h>

static struct cfg_host *host_of_group(const struct cfg_resource *resource, const char *group)
{
	struct cfg_host *found = NULL;

	for (struct cfg_host *host = resource->hosts.first; host != NULL; host = host->next) {
		if (host->group == NULL || strcmp(host->group, group) != 0) {
			continue;
		}
		if (host->is_me) {
			return host;
		}
		if (found == NULL) {
			found = host;
		}
	}
	return found;
}

static bool same_address(const struct cfg_address *a, const struct cfg_address *b)
{
	return a->host != NULL && b->host != NULL && a->port == b->port &&
	       strcmp(a->family, b->family) == 0 && strcmp(a->host, b->host) == 0;
}

static struct cfg_host *host_of_address(
	const struct cfg_resource *resource, const struct cfg_address *address)
{
	for (struct cfg_host *host = resource->hosts.first; host != NULL; host = host->next) {
		if (same_address(&host->address, address)) {
			return host;
		}
	}
	return NULL;
}

static void suggest_host(struct bsr_config *config, const struct cfg_resource *resource,
	const struct cfg_endpoint *end)
{
	const char *names[64];
	size_t count = 0;

	for (const struct cfg_host *host = resource->hosts.first; host != NULL && count < 64;
		host = host->next) {
		names[count++] = end->kind == CFG_END_GROUP && host->group != NULL ? host->group
										   : host->label;
	}
	const char *near = bsr_config_suggest(end->name, names, count);
	cfg_error(config, &end->at, "unknown %s '%s': resource %s has no section for it%s%s%s",
		end->kind == CFG_END_GROUP ? "group" : "host", end->name, resource->name,
		near != NULL ? "; did you mean '" : "", near != NULL ? near : "",
		near != NULL ? "'?" : "");
}

static void find_endpoint_host(
	struct bsr_config *config, const struct cfg_resource *resource, struct cfg_endpoint *end)
{
	char text[160];

	switch (end->kind) {
	case CFG_END_HOST:
		end->host = bsr_config_find_host(resource, end->name);
		break;
	case CFG_END_GROUP:
		end->host = host_of_group(resource, end->name);
		break;
	case CFG_END_ADDRESS:
		end->host = host_of_address(resource, &end->address);
		if (end->host == NULL) {
			bsr_config_format_address(&end->address, text, sizeof(text));
			cfg_error(config, &end->at,
				"address %s belongs to no host section of resource %s", text,
				resource->name);
		}
		return;
	}
	if (end->host == NULL) {
		suggest_host(config, resource, end);
	}
}

/* Where the host listens, and where its peer finds it; they differ behind address translation. */
static void find_endpoint_addresses(struct cfg_endpoint *end)
{
	const struct cfg_host *host = end->host;

	if (host == NULL) {
		return;
	}
	end->own = end->address.host != NULL ? end->address : host->address;
	if (end->public_address.host != NULL) {
		end->visible = end->public_address;
	} else if (end->address.host != NULL || host->public_address.host == NULL) {
		end->visible = end->own;
	} else {
		end->visible = host->public_address;
	}
	if (end->port != 0) {
		end->own.port = end->port;
		if (end->public_address.host == NULL) {
			end->visible.port = end->port;
		}
	}
}

static void expand_paths(struct bsr_config *config, const struct cfg_resource *resource,
	struct cfg_connection *connection)
{
	for (struct cfg_path *path = connection->paths.first; path != NULL; path = path->next) {
		for (unsigned int i = 0; i < path->end_count; i++) {
			if (path->end[i].host == NULL) {
				find_endpoint_host(config, resource, &path->end[i]);
			}
			find_endpoint_addresses(&path->end[i]);
		}
	}
}

void bsr_config_path_ends(const struct cfg_connection *connection, const struct cfg_path *path,
	const struct cfg_endpoint **own, const struct cfg_endpoint **remote)
{
	BSR_ASSERT(connection->self != NULL && path->end_count == 2);
	const unsigned int index = path->end[0].host == connection->self ? 0 : 1;
	BSR_ASSERT(path->end[index].host == connection->self);

	*own = &path->end[index];
	*remote = &path->end[1 - index];
}

static void find_self_and_peer(
	const struct cfg_resource *resource, struct cfg_connection *connection)
{
	const struct cfg_path *path = connection->paths.first;

	if (path == NULL || path->end_count != 2 || resource->me == NULL) {
		return;
	}
	for (unsigned int i = 0; i < 2; i++) {
		if (path->end[i].host == resource->me) {
			connection->self = resource->me;
			connection->peer = path->end[1 - i].host;
			return;
		}
	}
}

static void set_internal(
	struct bsr_config *config, struct cfg_options *net, const char *name, const char *value)
{
	const struct bsr_option *def = bsr_option_find(BSR_SECTION_NET, name);

	cfg_options_set(config, net, def, value);
	bsr_config_find_option(net, def)->inherited = true; /* derived: not part of a plain dump */
}

static void name_connection(struct bsr_config *config, struct cfg_connection *connection)
{
	const struct cfg_host *peer = connection->peer;

	if (peer == NULL) {
		return;
	}
	const char *node = peer->group != NULL ? peer->group : peer->label;
	connection->label = connection->name != NULL ? connection->name : node;
	set_internal(config, &connection->net, "_name", connection->label);
	if (!bsr_names()->drbd) { /* DRBD's tools do not know the option */
		set_internal(config, &connection->net, "peer-node-name", node);
	}
	if (peer->group != NULL) {
		set_internal(config, &connection->net, "peer-node-group", peer->group);
	}
}

/*
 * The peer device of volume @vnr: options of the connection's own volume section, then what it
 * inherits.
 */
/*
 * DRBD's tools say it: towards a peer without a disk of its own there is nothing to note in a bitmap. (bsr's bsrsetup has no
 * such option.)
 */
static void mark_diskless_peer(
	struct bsr_config *config, const struct cfg_connection *connection, struct cfg_volume *device)
{
	const struct cfg_volume *own =
		connection->self != NULL ? bsr_config_find_volume(&connection->self->expanded, device->vnr) : NULL;
	const struct cfg_volume *theirs =
		connection->peer != NULL ? bsr_config_find_volume(&connection->peer->expanded, device->vnr) : NULL;

	if (bsr_names()->drbd && own != NULL && theirs != NULL && !bsr_config_is_diskless(own) &&
		bsr_config_is_diskless(theirs)) {
		cfg_options_set(config, &device->peer_options,
			bsr_option_find(BSR_SECTION_PEER_DEVICE, "bitmap"), "no");
	}
}

static void expand_peer_device(struct bsr_config *config, struct cfg_connection *connection,
	const struct cfg_volume *written, unsigned int vnr)
{
	struct cfg_volume *device = CFG_NEW(config, cfg_volume);
	const struct cfg_path *path = connection->paths.first;

	device->vnr = vnr;
	device->minor = -1;
	device->implicit = written == NULL;
	device->at = written != NULL ? written->at : connection->at;
	if (written != NULL) {
		for (const struct cfg_option *o = written->peer_options.first; o != NULL;
			o = o->next) {
			cfg_options_add(config, &device->peer_options, o);
		}
	}
	cfg_inherit(config, &device->peer_options, &connection->peer_options);
	for (unsigned int i = 0; path != NULL && i < path->end_count; i++) {
		const struct cfg_host *host = path->end[i].host;
		const struct cfg_volume *volume =
			host != NULL ? bsr_config_find_volume(&host->expanded, vnr) : NULL;
		if (volume != NULL) {
			cfg_inherit(config, &device->peer_options, &volume->peer_options);
		}
	}
	mark_diskless_peer(config, connection, device);
	CFG_APPEND(&connection->peer_devices, device);
}

static void expand_peer_devices(struct bsr_config *config, struct cfg_connection *connection)
{
	const struct cfg_path *path = connection->paths.first;

	if (path == NULL || path->end_count == 0 || path->end[0].host == NULL) {
		return;
	}
	const struct cfg_volumes *volumes = &path->end[0].host->expanded;
	for (const struct cfg_volume *written = connection->volumes.first; written != NULL;
		written = written->next) {
		if (bsr_config_find_volume(volumes, written->vnr) == NULL) {
			cfg_error(config, &written->at,
				"reference to unknown volume %u: no host has it", written->vnr);
			continue;
		}
		expand_peer_device(config, connection, written, written->vnr);
	}
	for (const struct cfg_volume *volume = volumes->first; volume != NULL;
		volume = volume->next) {
		if (bsr_config_find_volume(&connection->volumes, volume->vnr) == NULL) {
			expand_peer_device(config, connection, NULL, volume->vnr);
		}
	}
}

static struct cfg_connection *add_implicit(struct bsr_config *config, struct cfg_resource *resource,
	const struct cfg_location *at, struct cfg_host *one, struct cfg_host *other)
{
	struct cfg_connection *connection = CFG_NEW(config, cfg_connection);
	struct cfg_path *path = CFG_NEW(config, cfg_path);

	BSR_ASSERT(one != other);

	connection->at = *at;
	connection->implicit = true;
	connection->peer_node_id = -1;
	path->at = *at;
	path->implicit = true;
	path->end_count = 2;
	path->end[0] = (struct cfg_endpoint){
		.kind = CFG_END_HOST, .name = one->label, .at = *at, .host = one};
	path->end[1] = (struct cfg_endpoint){
		.kind = CFG_END_HOST, .name = other->label, .at = *at, .host = other};
	CFG_APPEND(&connection->paths, path);
	CFG_APPEND(&resource->connections, connection);
	return connection;
}

#define MESH_HOSTS_MAX 64u

static size_t mesh_members(struct bsr_config *config, const struct cfg_resource *resource,
	const struct cfg_mesh *mesh, struct cfg_host **members)
{
	size_t count = 0;

	for (unsigned int groups = 0; groups < 2; groups++) {
		const struct cfg_name *name = groups == 0 ? mesh->hosts.first : mesh->groups.first;
		for (; name != NULL; name = name->next) {
			struct cfg_endpoint end = {
				.kind = groups == 0 ? CFG_END_HOST : CFG_END_GROUP,
				.name = name->text,
				.at = name->at};
			find_endpoint_host(config, resource, &end);
			if (count >= MESH_HOSTS_MAX) {
				cfg_error(config, &name->at, "a mesh may have at most %u members",
					MESH_HOSTS_MAX);
				return count;
			}
			if (end.host != NULL) {
				members[count++] = end.host;
			}
		}
	}
	return count;
}

static void expand_mesh(
	struct bsr_config *config, struct cfg_resource *resource, const struct cfg_mesh *mesh)
{
	struct cfg_host *members[MESH_HOSTS_MAX];
	const size_t count = mesh_members(config, resource, mesh, members);

	for (size_t i = 0; i < count; i++) {
		for (size_t j = i + 1; j < count; j++) {
			if (members[i] == members[j]) {
				cfg_error(config, &mesh->at, "host %s is named twice in this mesh",
					members[i]->label);
				continue;
			}
			struct cfg_connection *connection =
				add_implicit(config, resource, &mesh->at, members[i], members[j]);
			cfg_inherit(config, &connection->net, &mesh->net);
		}
	}
}

/* The hosts that stand for themselves, then one host for each group. */
static size_t cluster_members(
	const struct cfg_resource *resource, struct cfg_host **members, size_t room)
{
	size_t count = 0;

	for (unsigned int groups = 0; groups < 2; groups++) {
		for (struct cfg_host *host = resource->hosts.first; host != NULL;
			host = host->next) {
			const bool represents =
				groups == 0 ? host->group == NULL
					    : host->group != NULL &&
						      host_of_group(resource, host->group) == host;
			if (represents) {
				if (count < room) {
					members[count] = host;
				}
				count++;
			}
		}
	}
	return count;
}

static void expand_pair(struct bsr_config *config, struct cfg_resource *resource)
{
	struct cfg_host *members[2];
	const size_t count = cluster_members(resource, members, 2);

	if (count > 2) {
		cfg_warning(config, &resource->at,
			"resource %s has %zu hosts but no connection section: they will not connect; "
			"add 'connection-mesh { hosts ...; }'",
			resource->name, count);
	}
	if (count == 2 && members[0]->address.host != NULL && members[1]->address.host != NULL) {
		(void)add_implicit(config, resource, &resource->at, members[0], members[1]);
	}
}

void cfg_expand_connections(struct bsr_config *config, struct cfg_resource *resource)
{
	if (resource->connections.first == NULL && resource->meshes.first == NULL) {
		expand_pair(config, resource);
	}
	for (const struct cfg_mesh *mesh = resource->meshes.first; mesh != NULL;
		mesh = mesh->next) {
		expand_mesh(config, resource, mesh);
	}
	for (struct cfg_connection *c = resource->connections.first; c != NULL; c = c->next) {
		expand_paths(config, resource, c);
		find_self_and_peer(resource, c);
		cfg_inherit(config, &c->net, &resource->options[BSR_SECTION_NET]);
		name_connection(config, c);
		expand_peer_devices(config, c);
	}
}
