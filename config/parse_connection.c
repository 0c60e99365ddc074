// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * parse_connection.c - connection, path and connection-mesh
 *
 * Owns:       which statements a connection may hold and how its two ends are written.
 * May touch:  the configuration it fills.
 */
#include "parser.h"

#include <stdlib.h>
#include <string.h>

static struct cfg_path *new_path(struct parser *p, struct cfg_connection *connection)
{
	struct cfg_path *path = CFG_NEW(p->config, cfg_path);

	path->at = p->keyword_at;
	CFG_APPEND(&connection->paths, path);
	return path;
}

/*
 * What may follow the name of a host, a group or the address of one; ends with ';' or with a proxy
 * section.
 */
static bool parse_endpoint_tail(struct parser *p, struct cfg_endpoint *end)
{
	while (!parser_accept(p, ';')) {
		bool ok;
		if (end->kind == CFG_END_HOST && parser_accept_word(p, "port")) {
			ok = parser_expect_number(p, "port", 1, 65535, &end->port);
		} else if (end->kind != CFG_END_ADDRESS && parser_accept_word(p, "address")) {
			ok = parse_address(p, &end->address);
		} else if (parser_accept_word(p, "public-address")) {
			ok = parse_address(p, &end->public_address);
		} else if (parser_accept_word(p, "via")) {
			if (!parser_accept_word(p, "proxy")) {
				return parser_syntax_error(p, "'proxy'");
			}
			return parse_proxy_on(p, &end->proxy);
		} else {
			return parser_syntax_error(
				p, "'port', 'address', 'public-address', 'via' or ';'");
		}
		if (!ok) {
			return false;
		}
	}
	return true;
}

static bool parse_endpoint(struct parser *p, struct cfg_path *path)
{
	struct cfg_endpoint parsed = {.at = p->keyword_at};

	if (strcmp(p->keyword, "host") == 0 || strcmp(p->keyword, "group") == 0) {
		parsed.kind = p->keyword[0] == 'h' ? CFG_END_HOST : CFG_END_GROUP;
		if (!parser_expect_text(p, "a name", &parsed.name)) {
			return false;
		}
	} else {
		parsed.kind = CFG_END_ADDRESS;
		if (!parse_address(p, &parsed.address)) {
			return false;
		}
	}
	if (!parse_endpoint_tail(p, &parsed)) {
		return false;
	}
	if (path->end_count >= 2) {
		cfg_error(
			p->config, &parsed.at, "only two ends are allowed in a connection or path");
		return true;
	}
	path->end[path->end_count++] = parsed;
	return true;
}

static bool path_endpoint(struct parser *p, void *object)
{
	return parse_endpoint(p, object);
}

static bool connection_endpoint(struct parser *p, void *object)
{
	struct cfg_connection *connection = object;
	struct cfg_path *path = connection->paths.first;

	if (path == NULL) {
		path = new_path(p, connection);
		path->implicit = true;
	} else if (!path->implicit) {
		cfg_error(p->config, &p->keyword_at,
			"explicit and implicit paths are not allowed together");
	}
	return parse_endpoint(p, path);
}

/* `_this_host ADDRESS;` and `_remote_host ADDRESS;` of a running configuration */
static bool path_running_end(struct parser *p, void *object)
{
	struct cfg_path *path = object;
	const unsigned int index = strcmp(p->keyword, "_this_host") == 0 ? 0 : 1;
	struct cfg_endpoint *end = &path->end[index];

	end->kind = CFG_END_ADDRESS;
	end->at = p->keyword_at;
	if (!parse_address(p, &end->address)) {
		return false;
	}
	end->own = end->address;
	end->visible = end->address;
	path->end_count = 2;
	return parser_expect(p, ';');
}

static const struct statement path_statements[] = {
	{"host", path_endpoint},
	{"address", path_endpoint},
	{"group", path_endpoint},
};

static const struct statement running_path_statements[] = {
	{"_this_host", path_running_end},
	{"_remote_host", path_running_end},
};

static bool connection_path(struct parser *p, void *object)
{
	struct cfg_connection *connection = object;

	if (connection->paths.first != NULL && connection->paths.first->implicit) {
		cfg_error(p->config, &p->keyword_at,
			"explicit and implicit paths are not allowed together");
	}
	struct cfg_path *path = new_path(p, connection);
	return p->config->running ? parser_block(p, running_path_statements, 2, path)
				  : parser_block(p, path_statements, 3, path);
}

static bool connection_net(struct parser *p, void *object)
{
	struct cfg_connection *connection = object;
	const struct option_target target = {BSR_SECTION_NET, &connection->net};

	(void)parser_once(p, &connection->net_at, "net section");
	return parse_option_block(p, &target, 1);
}

static bool connection_disk(struct parser *p, void *object)
{
	struct cfg_connection *connection = object;
	const struct option_target target = {BSR_SECTION_PEER_DEVICE, &connection->peer_options};

	(void)parser_once(p, &connection->disk_at, "disk section");
	return parse_option_block(p, &target, 1);
}

static bool peer_volume_disk(struct parser *p, void *object)
{
	struct cfg_volume *volume = object;
	const struct option_target target = {BSR_SECTION_PEER_DEVICE, &volume->peer_options};

	return parse_option_block(p, &target, 1);
}

static bool connection_volume(struct parser *p, void *object)
{
	static const struct statement statements[] = {{"disk", peer_volume_disk}};
	struct cfg_connection *connection = object;
	struct cfg_volume *volume = CFG_NEW(p->config, cfg_volume);

	volume->at = p->keyword_at;
	volume->minor = -1;
	if (!parser_expect_number(p, "volume number", 0, CFG_VNR_MAX, &volume->vnr)) {
		return false;
	}
	if (bsr_config_find_volume(&connection->volumes, volume->vnr) != NULL) {
		cfg_error(p->config, &volume->at, "conflicting use of volume %u in this connection",
			volume->vnr);
	}
	CFG_APPEND(&connection->volumes, volume);
	return parser_block(p, statements, 1, volume);
}

static bool running_peer_id(struct parser *p, void *object)
{
	struct cfg_connection *connection = object;
	unsigned int id;

	if (!parser_expect_number(p, "_peer_node_id", 0, CFG_NODE_ID_MAX, &id)) {
		return false;
	}
	connection->peer_node_id = (int)id;
	return parser_expect(p, ';');
}

/* A statement whose value is the internal net option of the same meaning. */
static bool running_name(struct parser *p, void *object)
{
	struct cfg_connection *connection = object;
	const char *option =
		strcmp(p->keyword, "_peer_node_name") == 0 ? "peer-node-name" : "peer-node-group";
	const char *text;

	if (!parser_expect_text(p, "a name", &text)) {
		return false;
	}
	cfg_options_set(
		p->config, &connection->net, bsr_option_find(BSR_SECTION_NET, option), text);
	return parser_expect(p, ';');
}

static bool running_standalone(struct parser *p, void *object)
{
	struct cfg_connection *connection = object;

	connection->standalone = true;
	return parser_expect(p, ';');
}

static bool running_state(struct parser *p, void *object)
{
	struct cfg_connection *connection = object;
	const char *word;

	if (!parser_expect_text(p, "a connection state", &word)) {
		return false;
	}
	connection->standalone = strcmp(word, "StandAlone") == 0;
	return parser_expect(p, ';');
}

static const struct statement connection_statements[] = {
	{"host", connection_endpoint},
	{"address", connection_endpoint},
	{"group", connection_endpoint},
	{"path", connection_path},
	{"net", connection_net},
	{"disk", connection_disk},
	{"volume", connection_volume},
	/* text of `bsrsetup show` only */
	{"_peer_node_id", running_peer_id},
	{"_peer_node_name", running_name},
	{"_peer_node_group", running_name},
	{"_is_standalone", running_standalone},
	{"_cstate", running_state},
};

#define RUNNING_STATEMENTS 5u

bool parse_connection(struct parser *p, void *object)
{
	struct cfg_resource *resource = object;
	struct cfg_connection *connection = CFG_NEW(p->config, cfg_connection);
	size_t count = sizeof(connection_statements) / sizeof(connection_statements[0]);

	connection->at = p->keyword_at;
	connection->peer_node_id = -1;
	CFG_APPEND(&resource->connections, connection);
	if (!parser_at(p, '{') &&
		!parser_expect_text(p, "'{' or the name of the connection", &connection->name)) {
		return false;
	}
	count -= p->config->running ? 0 : RUNNING_STATEMENTS;
	return parser_block(p, connection_statements, count, connection);
}

static bool mesh_hosts(struct parser *p, void *object)
{
	struct cfg_mesh *mesh = object;

	return parser_expect_names(p, "the name of a host", &mesh->hosts) && parser_expect(p, ';');
}

static bool mesh_groups(struct parser *p, void *object)
{
	struct cfg_mesh *mesh = object;

	return parser_expect_names(p, "the name of a group", &mesh->groups) &&
	       parser_expect(p, ';');
}

static bool mesh_net(struct parser *p, void *object)
{
	struct cfg_mesh *mesh = object;
	const struct option_target target = {BSR_SECTION_NET, &mesh->net};

	(void)parser_once(p, &mesh->net_at, "net section");
	return parse_option_block(p, &target, 1);
}

bool parse_mesh(struct parser *p, void *object)
{
	static const struct statement statements[] = {
		{"hosts", mesh_hosts},
		{"groups", mesh_groups},
		{"net", mesh_net},
	};
	struct cfg_resource *resource = object;
	struct cfg_mesh *mesh = CFG_NEW(p->config, cfg_mesh);

	mesh->at = p->keyword_at;
	CFG_APPEND(&resource->meshes, mesh);
	return parser_block(p, statements, 3, mesh);
}
