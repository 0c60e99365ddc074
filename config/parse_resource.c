// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * parse_resource.c - resource and common sections
 *
 * Owns:       which statements a resource may hold.
 * May touch:  the configuration it fills.
 */
#include "parser.h"

#include <ctype.h>
#include <string.h>

static bool resource_device(struct parser *p, void *object)
{
	struct cfg_resource *resource = object;

	return parse_volume_device(p, implicit_volume(p, &resource->volumes));
}

static bool resource_disk(struct parser *p, void *object)
{
	struct cfg_resource *resource = object;

	if (parser_at(p, '{')) {
		return parse_resource_disk_block(p, resource);
	}
	return parse_volume_disk(p, implicit_volume(p, &resource->volumes));
}

static bool resource_meta_disk(struct parser *p, void *object)
{
	struct cfg_resource *resource = object;

	return parse_volume_meta_disk(p, implicit_volume(p, &resource->volumes));
}

static bool resource_volume(struct parser *p, void *object)
{
	struct cfg_resource *resource = object;

	return parse_volume(p, &resource->volumes);
}

static bool resource_template(struct parser *p, void *object)
{
	struct cfg_resource *resource = object;
	const char *path;

	if (!parser_expect_text(p, "a file name", &path)) {
		return false;
	}
	if (resource->template_file != NULL) {
		cfg_error(p->config, &p->keyword_at,
			"conflicting use of template-file in resource %s", resource->name);
	} else {
		resource->common = parse_template_file(p, &path);
		resource->template_file = path;
	}
	return parser_expect(p, ';');
}

static bool resource_stacked(struct parser *p, void *object)
{
	struct cfg_resource *resource = object;

	if (resource->stacked_text == NULL) {
		cfg_warning(p->config, &p->keyword_at,
			"stacked-on-top-of: stacked resources are not supported: %s is kept, and left out; give the "
			"resource below a third host instead", resource->name);
	}
	resource->stacked_text = "";
	parser_skip_section(p);
	return true;
}

static bool common_disk(struct parser *p, void *object)
{
	if (!parser_at(p, '{')) {
		return parser_syntax_error(p, "'{' (in common, disk is a section of options)");
	}
	return parse_resource_disk_block(p, object);
}

static bool common_host(struct parser *p, void *object)
{
	(void)object;
	cfg_error(p->config, &p->keyword_at,
		"'%s' is not allowed in common: host sections belong to a resource", p->keyword);
	parser_skip_section(p);
	return true;
}

static const struct statement resource_statements[] = {
	{"protocol", parse_protocol}, {"template-file", resource_template},
	{"device", resource_device}, {"disk", resource_disk}, {"meta-disk", resource_meta_disk},
	{"flexible-meta-disk", resource_meta_disk}, {"volume", resource_volume},
	{"net", parse_resource_net}, {"options", parse_resource_options},
	{"startup", parse_startup}, {"handlers", parse_handlers}, {"proxy", parse_proxy},
	{"syncer", parse_syncer}, {"on", parse_host_on}, {"on-linux", parse_host_on},
	{"on-windows", parse_host_on}, {"floating", parse_host_floating},
	{"floating-on-linux", parse_host_floating}, {"floating-on-windows", parse_host_floating},
	{"stacked-on-top-of", resource_stacked}, {"connection", parse_connection},
	{"connection-mesh", parse_mesh},
	{"_this_host", parse_running_host}, /* the last: text of `bsrsetup show` only */
};

static const struct statement common_statements[] = {
	{"protocol", parse_protocol},
	{"disk", common_disk},
	{"net", parse_resource_net},
	{"options", parse_resource_options},
	{"startup", parse_startup},
	{"handlers", parse_handlers},
	{"proxy", parse_proxy},
	{"syncer", parse_syncer},
	{"on", common_host},
	{"on-linux", common_host},
	{"on-windows", common_host},
	{"floating", common_host},
	{"floating-on-linux", common_host},
	{"floating-on-windows", common_host},
	{"stacked-on-top-of", common_host},
};

static struct cfg_resource *new_resource(struct parser *p)
{
	struct cfg_resource *resource = CFG_NEW(p->config, cfg_resource);

	resource->at = p->keyword_at;
	return resource;
}

bool parse_common(struct parser *p, void *object)
{
	struct cfg_resource *common = new_resource(p);
	struct cfg_resource *before = p->config->common;

	(void)object;
	if (before != NULL) {
		(void)parser_once(p, &before->at, "common");
	} else {
		p->config->common = common;
	}
	p->resource = common;
	return parser_block(p, common_statements,
		sizeof(common_statements) / sizeof(common_statements[0]), common);
}

/* A resource's name becomes part of file names and of targets such as RES/VNR. */
static void check_resource_name(struct parser *p, const char *name, const struct cfg_location *at)
{
	if (name[0] == '\0') {
		cfg_error(p->config, at, "a resource needs a name of at least one character");
		return;
	}
	if (strlen(name) >= CFG_NAME_CHARS_MAX) {
		cfg_error(p->config, at, "resource name is too long: at most %u characters",
			CFG_NAME_CHARS_MAX - 1);
	}
	for (const char *c = name; *c != '\0'; c++) {
		if (iscntrl((unsigned char)*c) || *c == '/') {
			cfg_error(p->config, at,
				"resource names may not contain '/' or control characters");
			return;
		}
	}
	if (name[0] == '.' || strcmp(name, "all") == 0) {
		cfg_error(p->config, at, "'%s' cannot be the name of a resource", name);
	}
}

/* A stacked resource is its text and its name. What was read of it is forgotten, so that nothing acts on it. */
static void keep_as_written(struct parser *p, struct cfg_resource *resource, const char *begin)
{
	const int length = p->block_end != NULL ? (int)(p->block_end - begin) : 0;

	if (memchr(begin, '\0', (size_t)length) != NULL) {
		cfg_error(p->config, &resource->at, "resource %s has a zero byte", resource->name);
	}
	*resource = (struct cfg_resource){.next = resource->next,
		.name = resource->name,
		.at = resource->at,
		.ignored = true,
		.stacked_text = cfg_printf(p->config, "%.*s", length, begin)};
}

bool parse_resource(struct parser *p, void *object)
{
	struct cfg_resource *resource = new_resource(p);
	const struct cfg_location name_at = p->token.at;
	size_t count = sizeof(resource_statements) / sizeof(resource_statements[0]);

	(void)object;
	if (!parser_expect_text(p, "the name of a resource", &resource->name)) {
		return false;
	}
	check_resource_name(p, resource->name, &name_at);
	if (cfg_claim(p->config, &resource->at,
		    cfg_printf(p->config, "resource %s", resource->name))) {
		CFG_APPEND(&p->config->resources, resource);
	}
	p->resource = resource;
	count -= p->config->running ? 0 : 1;
	const char *begin = p->lexer.at; /* behind its '{' */
	p->block_end = NULL;
	const bool ok = parser_block(p, resource_statements, count, resource);
	if (resource->stacked_text != NULL) {
		keep_as_written(p, resource, begin);
	}
	return ok;
}
