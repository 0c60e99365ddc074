// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * parse_host.c - host sections: on, floating, and _this_host of a running configuration
 *
 * Owns:       which statements a host may hold.
 * May touch:  the configuration it fills.
 */
#include "parser.h"

#include <string.h>

static bool host_node_id(struct parser *p, void *object)
{
	struct cfg_host *host = object;
	unsigned int node_id;

	(void)parser_once(p, &host->node_id_at, "node-id");
	if (!parser_expect_number(p, "node-id", 0, CFG_NODE_ID_MAX, &node_id)) {
		return false;
	}
	host->node_id = (int)node_id;
	return parser_expect(p, ';');
}

static bool host_address(struct parser *p, void *object)
{
	struct cfg_host *host = object;

	if (host->kind == CFG_HOST_FLOATING) {
		cfg_error(p->config, &p->keyword_at,
			"address is not allowed in floating: its address is its name");
		return false;
	}
	return parse_address_statement(p, &host->address, "address");
}

static bool host_public_address(struct parser *p, void *object)
{
	struct cfg_host *host = object;

	return parse_address_statement(p, &host->public_address, "public-address");
}

static bool host_group(struct parser *p, void *object)
{
	struct cfg_host *host = object;

	(void)parser_once(p, &host->group_at, "group");
	return parser_expect_text(p, "the name of a group", &host->group) && parser_expect(p, ';');
}

static bool host_volume(struct parser *p, void *object)
{
	struct cfg_host *host = object;

	return parse_volume(p, &host->volumes);
}

static bool host_device(struct parser *p, void *object)
{
	struct cfg_host *host = object;

	return parse_volume_device(p, implicit_volume(p, &host->volumes));
}

static bool host_disk(struct parser *p, void *object)
{
	struct cfg_host *host = object;

	return parse_volume_disk(p, implicit_volume(p, &host->volumes));
}

static bool host_meta_disk(struct parser *p, void *object)
{
	struct cfg_host *host = object;

	return parse_volume_meta_disk(p, implicit_volume(p, &host->volumes));
}

static bool host_options(struct parser *p, void *object)
{
	struct cfg_host *host = object;
	const struct option_target target = {BSR_SECTION_NODE, &host->node_options};

	return parse_option_block(p, &target, 1);
}

static bool host_proxy(struct parser *p, void *object)
{
	struct cfg_host *host = object;

	if (host->proxy.at.file != NULL) {
		cfg_error(p->config, &p->keyword_at,
			"conflicting use of proxy; first used at line %u", host->proxy.at.line);
	}
	return parse_proxy_on(p, &host->proxy);
}

/* `node-name "alice";` of a running configuration is an option in our model. */
static bool host_node_name(struct parser *p, void *object)
{
	struct cfg_host *host = object;
	const char *name;

	if (!parser_expect_text(p, "the name of a node", &name)) {
		return false;
	}
	cfg_options_set(p->config, &host->node_options,
		bsr_option_find(BSR_SECTION_NODE, "node-name"), name);
	return parser_expect(p, ';');
}

static const struct statement host_statements[] = {
	{"node-id", host_node_id}, {"address", host_address},
	{"public-address", host_public_address}, {"group", host_group}, {"volume", host_volume},
	{"device", host_device}, {"disk", host_disk}, {"meta-disk", host_meta_disk},
	{"flexible-meta-disk", host_meta_disk}, {"options", host_options}, {"proxy", host_proxy},
	{"node-name", host_node_name}, /* the last: text of `bsrsetup show` only */
};

#define HOST_STATEMENTS (sizeof(host_statements) / sizeof(host_statements[0]))

static struct cfg_host *new_host(struct parser *p)
{
	struct cfg_host *host = CFG_NEW(p->config, cfg_host);

	host->at = p->keyword_at;
	host->node_id = -1;
	host->platform = CFG_PLATFORM_ANY;
	if (strstr(p->keyword, "-windows") != NULL) {
		host->platform = CFG_PLATFORM_WINDOWS;
	} else if (strstr(p->keyword, "-linux") != NULL) {
		host->platform = CFG_PLATFORM_LINUX;
	}
	return host;
}

static bool host_block(struct parser *p, struct cfg_host *host)
{
	p->windows = host->platform == CFG_PLATFORM_WINDOWS;
	p->lexer.windows = p->windows;
	const bool ok = parser_block(
		p, host_statements, HOST_STATEMENTS - (p->config->running ? 0 : 1), host);
	p->windows = false;
	p->lexer.windows = false;
	return ok;
}

bool parse_host_on(struct parser *p, void *object)
{
	struct cfg_resource *resource = object;
	struct cfg_host *host = new_host(p);

	if (!parser_expect_names(p, "the name of a host", &host->names)) {
		return false;
	}
	host->label = "";
	for (const struct cfg_name *name = host->names.first; name != NULL; name = name->next) {
		host->label = cfg_printf(p->config, "%s%s%s", host->label,
			host->label[0] != '\0' ? "_" : "", name->text);
		if (name->text[0] == '\0') {
			cfg_error(p->config, &name->at, "the name of a host may not be empty");
		}
		(void)cfg_claim(p->config, &name->at,
			cfg_printf(
				p->config, "host %s in resource %s", name->text, resource->name));
	}
	CFG_APPEND(&resource->hosts, host);
	return host_block(p, host);
}

bool parse_host_floating(struct parser *p, void *object)
{
	struct cfg_resource *resource = object;
	struct cfg_host *host = new_host(p);

	host->kind = CFG_HOST_FLOATING;
	if (!parse_address(p, &host->address)) {
		return false;
	}
	host->label = cfg_printf(p->config, "%s:%u", host->address.host, host->address.port);
	(void)cfg_claim(p->config, &host->at,
		cfg_printf(p->config, "floating %s in resource %s", host->label, resource->name));
	CFG_APPEND(&resource->hosts, host);
	if (parser_accept(p, ';')) {
		return true;
	}
	return host_block(p, host);
}

bool parse_running_host(struct parser *p, void *object)
{
	struct cfg_resource *resource = object;
	struct cfg_host *host = new_host(p);

	host->label = "_this_host";
	host->is_me = true;
	resource->me = host;
	CFG_APPEND(&resource->hosts, host);
	return host_block(p, host);
}
