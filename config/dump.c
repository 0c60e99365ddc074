// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * dump.c - the configuration as text in its own language
 *
 * Owns:       order and layout of a dump.
 * May touch:  the stream it writes to.
 * Invariants:
 *   DU-1  Reading a plain dump gives a configuration whose plain dump is the same text.
 */
#include "config_internal.h"

#include <bsr/assert.h>

#include <string.h>

#define INDENT 4
#define NAME_COLUMN 24
#define BARE_VALUE_MAX 80u

struct dumper {
	FILE *to;
	int indent;
	bool expanded;
};

static void open_block(struct dumper *d, const char *text)
{
	fprintf(d->to, "%*s%s {\n", d->indent, "", text);
	d->indent += INDENT;
}

static void close_block(struct dumper *d)
{
	BSR_ASSERT(d->indent >= INDENT);
	d->indent -= INDENT;
	fprintf(d->to, "%*s}\n", d->indent, "");
}

/* Writes @text so that it is read back as the same text: bare if it can be, else quoted. */
static void put_text(FILE *to, const char *text, bool is_value)
{
	bool bare = cfg_is_plain_word(text) && strlen(text) <= BARE_VALUE_MAX;

	if (bare && !is_value && text[strspn(text, "0123456789MKGs")] == '\0' && text[0] >= '0' &&
		text[0] <= '9') {
		bare = false; /* a name made of digits is a number to the reader */
	}
	if (bare) {
		fputs(text, to);
		return;
	}
	fputc('"', to);
	for (; *text != '\0'; text++) {
		if (*text == '"' || *text == '\\') {
			fputc('\\', to);
		}
		fputc(*text, to);
	}
	fputc('"', to);
}

static int name_width(const struct dumper *d)
{
	return d->indent < NAME_COLUMN ? NAME_COLUMN - d->indent : 0;
}

/* "    name             " */
static void put_name(struct dumper *d, const char *name)
{
	fprintf(d->to, "%*s%-*s ", d->indent, "", name_width(d), name);
}

static bool is_shown(const struct dumper *d, const struct cfg_option *option)
{
	return d->expanded || !option->inherited;
}

static bool has_shown(const struct dumper *d, const struct cfg_options *options)
{
	for (const struct cfg_option *o = options->first; o != NULL; o = o->next) {
		if (is_shown(d, o)) {
			return true;
		}
	}
	return false;
}

static void put_options(struct dumper *d, const struct cfg_options *options)
{
	for (const struct cfg_option *o = options->first; o != NULL; o = o->next) {
		if (!is_shown(d, o)) {
			continue;
		}
		put_name(d, o->def->name);
		if (cfg_is_plain_word(o->value) && strlen(o->value) <= BARE_VALUE_MAX) {
			fprintf(d->to, "%3s;\n", o->value);
		} else {
			put_text(d->to, o->value, true);
			fputs(";\n", d->to);
		}
	}
}

/* A section made of one or two groups of options; nothing if none is to be shown. */
static void put_section(struct dumper *d, const char *name, const struct cfg_options *first,
	const struct cfg_options *second)
{
	if (!has_shown(d, first) && (second == NULL || !has_shown(d, second))) {
		return;
	}
	open_block(d, name);
	put_options(d, first);
	if (second != NULL) {
		put_options(d, second);
	}
	close_block(d);
}

static void put_address_text(FILE *to, const struct cfg_address *address)
{
	const bool v6 = strcmp(address->family, "ipv6") == 0;

	fprintf(to, "%s %s%s%s:%u", address->family, v6 ? "[" : "", address->host, v6 ? "]" : "",
		address->port);
}

static void put_address(struct dumper *d, const char *name, const struct cfg_address *address)
{
	if (address->host == NULL) {
		return;
	}
	put_name(d, name);
	put_address_text(d->to, address);
	fputs(";\n", d->to);
}

static void put_names(struct dumper *d, const struct cfg_names *names)
{
	for (const struct cfg_name *name = names->first; name != NULL; name = name->next) {
		fputc(' ', d->to);
		put_text(d->to, name->text, false);
	}
}

static void put_plugins(struct dumper *d, const struct cfg_proxy *proxy)
{
	if (proxy->plugins.first == NULL) {
		return;
	}
	open_block(d, "plugin");
	for (const struct cfg_name *line = proxy->plugins.first; line != NULL; line = line->next) {
		fprintf(d->to, "%*s", d->indent, "");
		/* words of a line are separated by blanks; each is quoted where it must be */
		const char *at = line->text + strspn(line->text, " ");
		while (*at != '\0') {
			char word[CFG_STRING_CHARS_MAX + 1];
			size_t length = strcspn(at, " ");
			length = length < CFG_STRING_CHARS_MAX ? length : CFG_STRING_CHARS_MAX;
			memcpy(word, at, length);
			word[length] = '\0';
			at += length + strspn(at + length, " ");
			put_text(d->to, word, true);
			fputs(*at != '\0' ? " " : ";\n", d->to);
		}
	}
	close_block(d);
}

static void put_proxy_on(struct dumper *d, const struct cfg_proxy *proxy)
{
	if (proxy->at.file == NULL) {
		return;
	}
	fprintf(d->to, "%*sproxy on", d->indent, "");
	put_names(d, &proxy->hosts);
	fputs(" {\n", d->to);
	d->indent += INDENT;
	put_address(d, "inside", &proxy->inside);
	put_address(d, "public-inside", &proxy->public_inside);
	put_address(d, "outside", &proxy->outside);
	put_address(d, "public-outside", &proxy->public_outside);
	if (has_shown(d, &proxy->options) || proxy->plugins.first != NULL) {
		open_block(d, "options");
		put_options(d, &proxy->options);
		put_plugins(d, proxy);
		close_block(d);
	}
	close_block(d);
}

static void put_device(struct dumper *d, const struct cfg_volume *volume)
{
	if (volume->device_at.file == NULL) {
		return;
	}
	put_name(d, "device");
	if (volume->device != NULL) {
		put_text(d->to, volume->device, false);
		fputc(' ', d->to);
	}
	fprintf(d->to, "minor %lld;\n", (long long)volume->minor);
}

static void put_meta_disk(struct dumper *d, const struct cfg_volume *volume)
{
	if (volume->meta_disk == NULL) {
		return;
	}
	put_name(d, "meta-disk");
	put_text(d->to, volume->meta_disk, false);
	if (cfg_is_integer(volume->meta_index)) {
		fprintf(d->to, " [%s]", volume->meta_index);
	} else if (strchr(volume->meta_index, '/') != NULL ||
		   strchr(volume->meta_index, '.') != NULL) {
		fputc(' ', d->to);
		put_text(d->to, volume->meta_index, false);
	}
	fputs(";\n", d->to);
}

static void put_volume_content(struct dumper *d, const struct cfg_volume *volume)
{
	put_section(d, "disk", &volume->disk_options, &volume->peer_options);
	put_device(d, volume);
	if (volume->disk != NULL) {
		put_name(d, "disk");
		put_text(d->to, volume->disk, false);
		fputs(";\n", d->to);
	}
	put_meta_disk(d, volume);
}

static void put_volumes(struct dumper *d, const struct cfg_volumes *volumes)
{
	char title[32];

	for (const struct cfg_volume *v = volumes->first; v != NULL; v = v->next) {
		if (v->implicit) {
			put_volume_content(d, v);
			continue;
		}
		snprintf(title, sizeof(title), "volume %u", v->vnr);
		open_block(d, title);
		put_volume_content(d, v);
		close_block(d);
	}
}

static const char *host_keyword(const struct cfg_host *host)
{
	static const char *const words[2][3] = {
		{"on", "on-linux", "on-windows"},
		{"floating", "floating-on-linux", "floating-on-windows"},
	};
	return words[host->kind == CFG_HOST_FLOATING][host->platform];
}

static void put_host(struct dumper *d, const struct cfg_host *host)
{
	fprintf(d->to, "%*s%s", d->indent, "", host_keyword(host));
	if (host->kind == CFG_HOST_FLOATING) {
		fputc(' ', d->to);
		put_address_text(d->to, &host->address);
	} else {
		put_names(d, &host->names);
	}
	fputs(" {\n", d->to);
	d->indent += INDENT;
	if (host->node_id >= 0) {
		fprintf(d->to, "%*snode-id %d;\n", d->indent, "", host->node_id);
	}
	if (host->group != NULL) {
		put_name(d, "group");
		put_text(d->to, host->group, false);
		fputs(";\n", d->to);
	}
	put_section(d, "options", &host->node_options, NULL);
	put_volumes(d, d->expanded ? &host->expanded : &host->volumes);
	if (host->kind == CFG_HOST_ON) {
		put_address(d, "address", &host->address);
	}
	put_address(d, "public-address", &host->public_address);
	put_proxy_on(d, &host->proxy);
	close_block(d);
}

static void put_endpoint(struct dumper *d, const struct cfg_endpoint *end)
{
	const struct cfg_address *address = d->expanded ? &end->own : &end->address;

	if (end->kind == CFG_END_ADDRESS) {
		fprintf(d->to, "%*saddress ", d->indent, "");
		put_address_text(d->to, &end->address);
	} else {
		fprintf(d->to, "%*s%s ", d->indent, "",
			end->kind == CFG_END_GROUP ? "group" : "host");
		put_text(d->to, end->name, false);
		if (address->host != NULL) {
			fputs(" address ", d->to);
			put_address_text(d->to, address);
		} else if (end->port != 0) {
			fprintf(d->to, " port %u", end->port);
		}
	}
	if (end->public_address.host != NULL) {
		fputs(" public-address ", d->to);
		put_address_text(d->to, &end->public_address);
	}
	if (end->proxy.at.file == NULL) {
		fputs(";\n", d->to);
		return;
	}
	fputs(" via\n", d->to);
	d->indent += INDENT;
	put_proxy_on(d, &end->proxy);
	d->indent -= INDENT;
}

static void put_paths(struct dumper *d, const struct cfg_connection *connection)
{
	for (const struct cfg_path *path = connection->paths.first; path != NULL;
		path = path->next) {
		const bool block = !path->implicit || d->expanded;
		if (block) {
			open_block(d, "path");
		}
		for (unsigned int i = 0; i < path->end_count; i++) {
			put_endpoint(d, &path->end[i]);
		}
		if (block) {
			close_block(d);
		}
	}
}

static void put_connection(struct dumper *d, const struct cfg_connection *connection)
{
	const struct cfg_volumes *volumes =
		d->expanded ? &connection->peer_devices : &connection->volumes;

	fprintf(d->to, "%*sconnection ", d->indent, "");
	if (connection->name != NULL) {
		put_text(d->to, connection->name, false);
		fputc(' ', d->to);
	}
	fputs("{\n", d->to);
	d->indent += INDENT;
	put_paths(d, connection);
	put_section(d, "net", &connection->net, NULL);
	if (!d->expanded) {
		put_section(d, "disk", &connection->peer_options, NULL);
	}
	for (const struct cfg_volume *v = volumes->first; v != NULL; v = v->next) {
		char title[32];
		if (d->expanded && !has_shown(d, &v->peer_options)) {
			continue;
		}
		snprintf(title, sizeof(title), "volume %u", v->vnr);
		open_block(d, title);
		put_section(d, "disk", &v->peer_options, NULL);
		close_block(d);
	}
	close_block(d);
}

static void put_mesh(struct dumper *d, const struct cfg_mesh *mesh)
{
	open_block(d, "connection-mesh");
	for (unsigned int groups = 0; groups < 2; groups++) {
		const struct cfg_names *names = groups == 0 ? &mesh->hosts : &mesh->groups;
		if (names->first != NULL) {
			fprintf(d->to, "%*s%s", d->indent, "", groups == 0 ? "hosts" : "groups");
			put_names(d, names);
			fputs(";\n", d->to);
		}
	}
	put_section(d, "net", &mesh->net, NULL);
	close_block(d);
}

static void put_sections(struct dumper *d, const struct cfg_resource *r)
{
	put_section(d, "options", &r->options[BSR_SECTION_RESOURCE], &r->options[BSR_SECTION_NODE]);
	put_section(d, "net", &r->options[BSR_SECTION_NET], NULL);
	put_section(d, "disk", &r->options[BSR_SECTION_DISK], &r->options[BSR_SECTION_PEER_DEVICE]);
	put_section(d, "startup", &r->options[BSR_SECTION_STARTUP], NULL);
	if (r->proxy.at.file != NULL) {
		open_block(d, "proxy");
		put_options(d, &r->proxy.options);
		put_plugins(d, &r->proxy);
		close_block(d);
	}
	put_section(d, "handlers", &r->options[BSR_SECTION_HANDLERS], NULL);
}

static void put_resource(
	struct dumper *d, const struct bsr_config *config, const struct cfg_resource *r)
{
	fprintf(d->to, "# resource %s on %s: %s, %s\n", r->name, config->hostname,
		r->ignored ? "ignored" : "not ignored", r->stacked_text != NULL ? "stacked" : "not stacked");
	fprintf(d->to, "# defined at %s:%u\n", r->at.file, r->at.line);
	fputs("resource ", d->to);
	put_text(d->to, r->name, false);
	if (r->stacked_text != NULL) {
		fprintf(d->to, " {%s\n\n", r->stacked_text);
		return;
	}
	fputs(" {\n", d->to);
	d->indent += INDENT;
	if (r->template_file != NULL) {
		put_name(d, "template-file");
		put_text(d->to, r->template_file, false);
		fputs(";\n", d->to);
	}
	if (!d->expanded) {
		put_volumes(d, &r->volumes);
	}
	for (const struct cfg_host *host = r->hosts.first; host != NULL; host = host->next) {
		put_host(d, host);
	}
	for (const struct cfg_connection *c = r->connections.first; c != NULL; c = c->next) {
		if (d->expanded || !c->implicit) {
			put_connection(d, c);
		}
	}
	for (const struct cfg_mesh *m = r->meshes.first; m != NULL && !d->expanded; m = m->next) {
		put_mesh(d, m);
	}
	put_sections(d, r);
	close_block(d);
	fputc('\n', d->to);
}

/* Options of `global` that say something; with -v all that have a value. */
static void put_global(struct dumper *d, const struct bsr_config *config)
{
	size_t count;
	const struct bsr_option *list = bsr_option_list(BSR_SECTION_GLOBAL, &count);
	bool opened = false;

	for (size_t i = 0; i < count; i++) {
		const struct cfg_option *o = bsr_config_find_option(&config->global, &list[i]);
		const char *value = o != NULL ? o->value : list[i].default_text;
		const bool differs = o != NULL && !bsr_option_equal(&list[i], o->value, NULL);
		if (value == NULL || (!differs && !d->expanded) ||
			(list[i].type == BSR_OPTION_FLAG && strcmp(value, "yes") != 0)) {
			continue;
		}
		if (!opened) {
			open_block(d, "global");
			opened = true;
		}
		fprintf(d->to, "%*s%s", d->indent, "", list[i].name);
		if (list[i].type != BSR_OPTION_FLAG) {
			fputc(' ', d->to);
			put_text(d->to, value, true);
		}
		fputs(";\n", d->to);
	}
	if (opened) {
		close_block(d);
		fputc('\n', d->to);
	}
}

void bsr_config_dump(const struct bsr_config *config, const struct cfg_dump_options *how, FILE *to)
{
	struct dumper d = {.to = to, .expanded = how->expanded};

	if (how->only != NULL) {
		put_resource(&d, config, how->only);
		return;
	}
	fprintf(to, "# %s\n", config->file != NULL ? config->file : "?");
	fputs(config->module_versions != NULL ? config->module_versions : "", to);
	put_global(&d, config);
	if (config->common != NULL) {
		open_block(&d, "common");
		put_sections(&d, config->common);
		close_block(&d);
		fputc('\n', to);
	}
	for (const struct cfg_resource *r = config->resources.first; r != NULL; r = r->next) {
		put_resource(&d, config, r);
	}
}
