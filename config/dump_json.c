// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * dump_json.c - the expanded configuration as JSON, for programs
 *
 * Owns:       names of the members and their order. Every option is in it with the value that holds, wherever it was written;
 *             values are the text of the configuration.
 * May touch:  the stream it writes to.
 */
#include "config_internal.h"

#include <string.h>

struct json {
	FILE *to;
	bool first; /* no comma before what comes next */
};

static void put_text(FILE *to, const char *text)
{
	fputc('"', to);
	for (; *text != '\0'; text++) {
		const unsigned char c = (unsigned char)*text;
		if (c == '"' || c == '\\') {
			fprintf(to, "\\%c", c);
		} else if (c < ' ' || c == 0x7f) {
			fprintf(to, "\\u%04x", c);
		} else {
			fputc(c, to);
		}
	}
	fputc('"', to);
}

static void next(struct json *j)
{
	fputs(j->first ? "" : ",", j->to);
	j->first = false;
}

static void put_name(struct json *j, const char *name)
{
	next(j);
	put_text(j->to, name);
	fputc(':', j->to);
}

static void put_string(struct json *j, const char *name, const char *value)
{
	if (value != NULL) {
		put_name(j, name);
		put_text(j->to, value);
	}
}

static void put_number(struct json *j, const char *name, long long value)
{
	put_name(j, name);
	fprintf(j->to, "%lld", value);
}

/* @name NULL: an element of an array. */
static void put_open(struct json *j, const char *name, char bracket)
{
	if (name != NULL) {
		put_name(j, name);
	} else {
		next(j);
	}
	fputc(bracket, j->to);
	j->first = true;
}

static void put_close(struct json *j, char bracket)
{
	fputc(bracket, j->to);
	j->first = false;
}

static void put_options(struct json *j, const char *name, const struct cfg_options *options)
{
	if (options->first == NULL) {
		return;
	}
	put_open(j, name, '{');
	for (const struct cfg_option *o = options->first; o != NULL; o = o->next) {
		put_string(j, o->def->name, o->value);
	}
	put_close(j, '}');
}

static void put_address(struct json *j, const char *name, const struct cfg_address *address)
{
	if (address->host == NULL) {
		return;
	}
	put_open(j, name, '{');
	put_string(j, "family", address->family);
	put_string(j, "address", address->host);
	put_number(j, "port", address->port);
	put_close(j, '}');
}

static void put_volume(struct json *j, const struct cfg_volume *v)
{
	put_open(j, NULL, '{');
	put_number(j, "volume", v->vnr);
	put_number(j, "minor", v->minor);
	put_string(j, "device", v->device);
	put_string(j, "disk", v->disk);
	put_string(j, "meta-disk", v->meta_disk);
	put_string(j, "meta-index", v->meta_index);
	put_options(j, "disk-options", &v->disk_options);
	put_close(j, '}');
}

static void put_host(struct json *j, const struct cfg_host *host)
{
	put_open(j, NULL, '{');
	put_string(j, "name", host->label);
	put_number(j, "node-id", host->node_id);
	put_name(j, "this-host");
	fputs(host->is_me ? "true" : "false", j->to);
	put_string(j, "group", host->group);
	put_address(j, "address", &host->address);
	put_address(j, "public-address", &host->public_address);
	put_options(j, "node-options", &host->node_options);
	put_open(j, "volumes", '[');
	for (const struct cfg_volume *v = host->expanded.first; v != NULL; v = v->next) {
		put_volume(j, v);
	}
	put_close(j, ']');
	put_close(j, '}');
}

static void put_endpoint(struct json *j, const struct cfg_endpoint *end)
{
	put_open(j, NULL, '{');
	put_string(j, "host", end->host != NULL ? end->host->label : end->name);
	put_address(j, "address", &end->own);
	put_close(j, '}');
}

static void put_connection(struct json *j, const struct cfg_connection *c)
{
	put_open(j, NULL, '{');
	put_string(j, "name", c->label != NULL ? c->label : c->name);
	if (c->peer != NULL) {
		put_number(j, "peer-node-id", c->peer->node_id);
	}
	put_open(j, "paths", '[');
	for (const struct cfg_path *path = c->paths.first; path != NULL; path = path->next) {
		put_open(j, NULL, '[');
		for (unsigned int i = 0; i < path->end_count; i++) {
			put_endpoint(j, &path->end[i]);
		}
		put_close(j, ']');
	}
	put_close(j, ']');
	put_options(j, "net", &c->net);
	put_open(j, "peer-devices", '[');
	for (const struct cfg_volume *v = c->peer_devices.first; v != NULL; v = v->next) {
		put_open(j, NULL, '{');
		put_number(j, "volume", v->vnr);
		put_options(j, "peer-device-options", &v->peer_options);
		put_close(j, '}');
	}
	put_close(j, ']');
	put_close(j, '}');
}

static void put_resource(struct json *j, const struct cfg_resource *r)
{
	put_open(j, NULL, '{');
	put_string(j, "name", r->name);
	put_string(j, "file", r->at.file);
	put_number(j, "line", r->at.line);
	put_name(j, "ignored");
	fputs(r->ignored ? "true" : "false", j->to);
	put_name(j, "stacked");
	fputs(r->stacked_text != NULL ? "true" : "false", j->to);
	put_options(j, "options", &r->options[BSR_SECTION_RESOURCE]);
	put_options(j, "startup", &r->options[BSR_SECTION_STARTUP]);
	put_options(j, "handlers", &r->options[BSR_SECTION_HANDLERS]);
	put_open(j, "hosts", '[');
	for (const struct cfg_host *host = r->hosts.first; host != NULL; host = host->next) {
		put_host(j, host);
	}
	put_close(j, ']');
	put_open(j, "connections", '[');
	for (const struct cfg_connection *c = r->connections.first; c != NULL; c = c->next) {
		put_connection(j, c);
	}
	put_close(j, ']');
	put_close(j, '}');
}

void bsr_config_dump_json(const struct bsr_config *config, const struct cfg_resource *only, FILE *to)
{
	struct json j = {.to = to, .first = true};

	put_open(&j, NULL, '{');
	put_string(&j, "file", config->file);
	put_string(&j, "host", config->hostname);
	put_options(&j, "global", &config->global);
	put_open(&j, "resources", '[');
	for (const struct cfg_resource *r = config->resources.first; r != NULL; r = r->next) {
		if (only == NULL || r == only) {
			put_resource(&j, r);
		}
	}
	put_close(&j, ']');
	put_close(&j, '}');
	fputc('\n', to);
}
