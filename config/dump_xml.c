// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * dump_xml.c - the expanded configuration as XML, for programs
 *
 * Owns:       the elements and their order.
 * May touch:  the stream it writes to.
 */
#include "config_internal.h"

#include <string.h>

struct xml {
	FILE *to;
	int indent;
};

static void put_escaped(FILE *to, const char *text)
{
	for (; *text != '\0'; text++) {
		switch (*text) {
		case '<':
			fputs("&lt;", to);
			break;
		case '>':
			fputs("&gt;", to);
			break;
		case '&':
			fputs("&amp;", to);
			break;
		case '"':
			fputs("&quot;", to);
			break;
		default:
			fputc(*text, to);
		}
	}
}

static void put_attribute(FILE *to, const char *name, const char *value)
{
	fprintf(to, " %s=\"", name);
	put_escaped(to, value);
	fputc('"', to);
}

static void indent(const struct xml *x)
{
	fprintf(x->to, "%*s", x->indent, "");
}

static void put_close(struct xml *x, const char *element)
{
	x->indent -= 4;
	indent(x);
	fprintf(x->to, "</%s>\n", element);
}

static void put_element(struct xml *x, const char *element, const char *text)
{
	indent(x);
	fprintf(x->to, "<%s>", element);
	put_escaped(x->to, text);
	fprintf(x->to, "</%s>\n", element);
}

static void put_options(struct xml *x, const struct cfg_options *options)
{
	for (const struct cfg_option *o = options->first; o != NULL; o = o->next) {
		if (o->inherited) {
			continue;
		}
		indent(x);
		fputs("<option", x->to);
		put_attribute(x->to, "name", o->def->name);
		put_attribute(x->to, "value", o->value);
		fputs("/>\n", x->to);
	}
}

static bool has_written(const struct cfg_options *options)
{
	for (const struct cfg_option *o = options->first; o != NULL; o = o->next) {
		if (!o->inherited) {
			return true;
		}
	}
	return false;
}

/* A section as it was written; what it inherits stands where it comes from. */
static void put_section(struct xml *x, const char *name, const struct cfg_options *first,
	const struct cfg_options *second)
{
	if (!has_written(first) && (second == NULL || !has_written(second))) {
		return;
	}
	indent(x);
	fprintf(x->to, "<section name=\"%s\">\n", name);
	x->indent += 4;
	put_options(x, first);
	if (second != NULL) {
		put_options(x, second);
	}
	put_close(x, "section");
}

static void put_address(struct xml *x, const char *element, const struct cfg_address *address)
{
	fprintf(x->to, "<%s", element);
	put_attribute(x->to, "family", address->family);
	fprintf(x->to, " port=\"%u\">", address->port);
	put_escaped(x->to, address->host);
	fprintf(x->to, "</%s>", element);
}

static void put_address_line(struct xml *x, const char *element, const struct cfg_address *address)
{
	if (address->host == NULL) {
		return;
	}
	indent(x);
	put_address(x, element, address);
	fputc('\n', x->to);
}

static void put_volume(struct xml *x, const struct cfg_volume *v)
{
	indent(x);
	fprintf(x->to, "<volume vnr=\"%u\">\n", v->vnr);
	x->indent += 4;
	put_section(x, "disk", &v->disk_options, &v->peer_options);
	indent(x);
	fprintf(x->to, "<device minor=\"%lld\">", (long long)v->minor);
	put_escaped(x->to, v->device != NULL ? v->device : "");
	fputs("</device>\n", x->to);
	if (v->disk != NULL) {
		put_element(x, "disk", v->disk);
	}
	if (v->meta_disk != NULL) {
		indent(x);
		fputs("<meta-disk", x->to);
		if (strcmp(v->meta_index, "internal") != 0 &&
			strcmp(v->meta_index, "flexible") != 0) {
			put_attribute(x->to, "index", v->meta_index);
		}
		fputc('>', x->to);
		put_escaped(x->to, v->meta_disk);
		fputs("</meta-disk>\n", x->to);
	}
	put_close(x, "volume");
}

static void put_host(struct xml *x, const struct cfg_host *host)
{
	static const char *const platforms[] = {NULL, "linux", "windows"};

	indent(x);
	fputs("<host", x->to);
	if (host->kind == CFG_HOST_FLOATING) {
		put_attribute(x->to, "floating", "1");
	} else {
		put_attribute(x->to, "name", host->label);
	}
	if (platforms[host->platform] != NULL) {
		put_attribute(x->to, "platform", platforms[host->platform]);
	}
	fputs(">\n", x->to);
	x->indent += 4;
	if (host->group != NULL) {
		put_element(x, "group", host->group);
	}
	put_section(x, "options", &host->node_options, NULL);
	for (const struct cfg_volume *v = host->expanded.first; v != NULL; v = v->next) {
		put_volume(x, v);
	}
	put_address_line(x, "address", &host->address);
	put_address_line(x, "public-address", &host->public_address);
	put_close(x, "host");
}

static void put_endpoint(struct xml *x, const struct cfg_endpoint *end)
{
	indent(x);
	fputs("<host", x->to);
	put_attribute(x->to, "name",
		end->host != NULL   ? end->host->label
		: end->name != NULL ? end->name
				    : "");
	fputc('>', x->to);
	if (end->own.host != NULL) {
		put_address(x, "address", &end->own);
	}
	fputs("</host>\n", x->to);
}

static void put_connection(struct xml *x, const struct cfg_connection *c)
{
	indent(x);
	fputs("<connection", x->to);
	if (c->name != NULL) {
		put_attribute(x->to, "name", c->name);
	}
	fputs(">\n", x->to);
	x->indent += 4;
	for (const struct cfg_path *path = c->paths.first; path != NULL; path = path->next) {
		if (!path->implicit) {
			indent(x);
			fputs("<path>\n", x->to);
			x->indent += 4;
		}
		for (unsigned int i = 0; i < path->end_count; i++) {
			put_endpoint(x, &path->end[i]);
		}
		if (!path->implicit) {
			put_close(x, "path");
		}
	}
	put_section(x, "net", &c->net, NULL);
	put_section(x, "disk", &c->peer_options, NULL);
	for (const struct cfg_volume *v = c->volumes.first; v != NULL; v = v->next) {
		indent(x);
		fprintf(x->to, "<volume vnr=\"%u\">\n", v->vnr);
		x->indent += 4;
		put_section(x, "disk", &v->peer_options, NULL);
		put_close(x, "volume");
	}
	put_close(x, "connection");
}

static void put_sections(struct xml *x, const struct cfg_resource *r)
{
	put_section(x, "options", &r->options[BSR_SECTION_RESOURCE], &r->options[BSR_SECTION_NODE]);
	put_section(x, "net", &r->options[BSR_SECTION_NET], NULL);
	put_section(x, "disk", &r->options[BSR_SECTION_DISK], &r->options[BSR_SECTION_PEER_DEVICE]);
	put_section(x, "startup", &r->options[BSR_SECTION_STARTUP], NULL);
	put_section(x, "proxy", &r->proxy.options, NULL);
	put_section(x, "handlers", &r->options[BSR_SECTION_HANDLERS], NULL);
}

static void put_resource(struct xml *x, const struct cfg_resource *r)
{
	char place[512];

	snprintf(place, sizeof(place), "%s:%u", r->at.file, r->at.line);
	indent(x);
	fputs("<resource", x->to);
	put_attribute(x->to, "name", r->name);
	put_attribute(x->to, "conf-file-line", place);
	fputs(">\n", x->to);
	x->indent += 4;
	for (const struct cfg_host *host = r->hosts.first; host != NULL; host = host->next) {
		put_host(x, host);
	}
	for (const struct cfg_connection *c = r->connections.first; c != NULL; c = c->next) {
		put_connection(x, c);
	}
	put_sections(x, r);
	put_close(x, "resource");
}

static void put_global(struct xml *x, const struct bsr_config *config)
{
	size_t count;
	const struct bsr_option *list = bsr_option_list(BSR_SECTION_GLOBAL, &count);

	indent(x);
	fputs("<global>\n", x->to);
	x->indent += 4;
	for (size_t i = 0; i < count; i++) {
		const struct cfg_option *o = bsr_config_find_option(&config->global, &list[i]);
		if (o == NULL || bsr_option_equal(&list[i], o->value, NULL)) {
			continue;
		}
		indent(x);
		fprintf(x->to, "<%s", list[i].name);
		if (list[i].type != BSR_OPTION_FLAG) {
			put_attribute(x->to, "val", o->value);
		}
		fputs("/>\n", x->to);
	}
	put_close(x, "global");
}

void bsr_config_dump_xml(const struct bsr_config *config, const struct cfg_resource *only, FILE *to)
{
	struct xml x = {.to = to, .indent = 4};

	if (only != NULL) {
		x.indent = 0;
		put_resource(&x, only);
		return;
	}
	fputs("<config", to);
	put_attribute(to, "file", config->file != NULL ? config->file : "?");
	fputs(">\n", to);
	put_global(&x, config);
	if (config->common != NULL) {
		indent(&x);
		fputs("<common>\n", to);
		x.indent += 4;
		put_sections(&x, config->common);
		put_close(&x, "common");
	}
	for (const struct cfg_resource *r = config->resources.first; r != NULL; r = r->next) {
		put_resource(&x, r);
	}
	fputs("</config>\n", to);
}
