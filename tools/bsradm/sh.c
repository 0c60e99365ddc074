// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * sh.c - facts of the configuration for scripts, one line each; and dumps
 *
 * Owns:       the form of these lines: scripts rely on it.
 * May touch:  stdout.
 */
#include "adm.h"

#include "names.h"

#include <stdlib.h>
#include <string.h>

int adm_sh_nop(struct adm *adm, const struct adm_context *context)
{
	(void)context;
	return bsr_config_error_count(adm->config) > 0 ? ADM_INVALID : ADM_OK;
}

int adm_sh_resource(struct adm *adm, const struct adm_context *context)
{
	(void)adm;
	printf("%s\n", context->resource->name);
	return ADM_OK;
}

int adm_sh_resources(struct adm *adm, const struct adm_context *context)
{
	(void)context;
	for (const struct cfg_resource *r = adm->config->resources.first; r != NULL; r = r->next) {
		if (!r->ignored || adm->ignore_hostname) {
			printf("%s\n", r->name);
		}
	}
	return ADM_OK;
}

int adm_sh_volume(struct adm *adm, const struct adm_context *context)
{
	const struct cfg_volume *v = context->volume;
	const char *what = adm->command->name + 3;
	const bool internal = v->meta_index != NULL && strcmp(v->meta_index, "internal") == 0;

	if (strcmp(what, "dev") == 0) {
		printf("%s\n", v->device != NULL ? v->device : "");
	} else if (strcmp(what, "minor") == 0) {
		printf("%lld\n", (long long)v->minor);
	} else if (strcmp(what, "ll-dev") == 0) {
		printf("%s\n", v->disk != NULL ? v->disk : "none");
	} else if (strcmp(what, "md-dev") == 0) {
		printf("%s\n", internal || v->meta_disk == NULL ? v->disk : v->meta_disk);
	} else if (strcmp(what, "md-idx") == 0) {
		printf("%s\n", v->meta_index != NULL ? v->meta_index : "none");
	} else {
		printf("%u\n", v->vnr);
	}
	return ADM_OK;
}

/* drbdadm prints the address of each path; false: there is none. */
static bool print_path_addresses(const struct cfg_resource *resource)
{
	bool found = false;

	for (const struct cfg_connection *c = resource->connections.first; c != NULL; c = c->next) {
		for (const struct cfg_path *path = c->self != NULL ? c->paths.first : NULL; path != NULL;
			path = path->next) {
			const struct cfg_endpoint *own;
			const struct cfg_endpoint *remote;
			bsr_config_path_ends(c, path, &own, &remote);
			if (own->own.host != NULL) {
				printf("%s\n", own->own.host);
				found = true;
			}
		}
	}
	return found;
}

int adm_sh_ip(struct adm *adm, const struct adm_context *context)
{
	const struct cfg_host *me = context->resource->me;

	if (adm->drbd && print_path_addresses(context->resource)) {
		return ADM_OK;
	}
	if (me != NULL && me->address.host != NULL) {
		printf("%s\n", me->address.host);
	}
	return ADM_OK;
}

int adm_sh_peer(struct adm *adm, const struct adm_context *context)
{
	const struct cfg_host *peer = context->connection->peer;
	const char *name = peer->names.first != NULL ? peer->names.first->text : peer->label;

	if (strcmp(adm->command->name, "sh-peer-node-id") == 0) {
		printf("%d\n", peer->node_id);
	} else if (strcmp(adm->command->name, "sh-peer-node-name") == 0) {
		printf("%s\n", name);
	} else {
		printf("%d %s\n", peer->node_id, peer->group != NULL ? peer->group : name);
	}
	return ADM_OK;
}

/*
 * sh-resource-option, sh-node-option: the option that -n names, underscores for dashes as in shell
 * variables
 */
int adm_sh_option(struct adm *adm, const struct adm_context *context)
{
	const bool node = strcmp(adm->command->name, "sh-node-option") == 0;
	const struct cfg_resource *r = context->resource;
	char name[128];

	if (adm->sh_varname == NULL || strlen(adm->sh_varname) >= sizeof(name)) {
		fprintf(stderr, "%s: name the option with -n\n", adm->command->name);
		return ADM_USAGE;
	}
	strcpy(name, adm->sh_varname);
	for (char *c = name; *c != '\0'; c++) {
		*c = *c == '_' ? '-' : *c;
	}
	const struct bsr_option *def =
		bsr_option_find(node ? BSR_SECTION_NODE : BSR_SECTION_RESOURCE, name);
	const struct cfg_options *options = node && r->me != NULL ? &r->me->node_options
					    : node                ? &r->options[BSR_SECTION_NODE]
						   : &r->options[BSR_SECTION_RESOURCE];
	const struct cfg_option *option = def != NULL ? bsr_config_find_option(options, def) : NULL;
	printf(option != NULL ? "%s\n\n" : "NULL\n", option != NULL ? option->value : "");
	return ADM_OK;
}

int adm_sh_udev(struct adm *adm, const struct adm_context *context)
{
	const struct cfg_volume *v = context->volume;
	const bool with_vnr =
		!v->implicit || bsr_config_global_flag(adm->config, "udev-always-use-vnr");
	char place[512];

	if (v->device != NULL) {
		printf("DEVICE=%s\n",
			strncmp(v->device, "/dev/", 5) == 0 ? v->device + 5 : v->device);
	}
	if (with_vnr) {
		snprintf(place, sizeof(place), "%s/by-res/%s/%u", bsr_names()->product,
			context->resource->name, v->vnr);
	} else {
		snprintf(place, sizeof(place), "%s/by-res/%s", bsr_names()->product,
			context->resource->name);
	}
	printf("SYMLINK=%s\nSYMLINK_BY_RES=%s\n", place, place);
	if (v->disk != NULL && !bsr_config_is_diskless(v)) {
		printf("SYMLINK_BY_DISK=%s/by-disk/%s\n", bsr_names()->product,
			strncmp(v->disk, "/dev/", 5) == 0 ? v->disk + 5
							  : v->disk + (v->disk[0] == '/' ? 1 : 0));
	}
	return ADM_OK;
}

#define MINORS_SPARE 3
#define MINORS_MIN 32
#define MINORS_MAX 255

int adm_sh_mod_parms(struct adm *adm, const struct adm_context *context)
{
	const char *configured =
		bsr_config_option_text(&adm->config->global, BSR_SECTION_GLOBAL, "minor-count");
	long count = MINORS_SPARE;

	(void)context;
	for (const struct cfg_resource *r = adm->config->resources.first; r != NULL; r = r->next) {
		for (const struct cfg_volume *v = r->me != NULL ? r->me->expanded.first : NULL;
			v != NULL; v = v->next) {
			count++;
		}
	}
	count = count < MINORS_MIN ? MINORS_MIN : count > MINORS_MAX ? MINORS_MAX : count;
	printf("minor_count=%ld\n", configured != NULL ? strtol(configured, NULL, 10) : count);
	return ADM_OK;
}

/* Without a target all of it, with one that resource. */
int adm_dump(struct adm *adm, const struct adm_context *context)
{
	if (adm_given_is_on(adm, "json")) {
		bsr_config_dump_json(adm->config, context->resource, stdout);
		return ADM_OK;
	}
	const struct cfg_dump_options how = {
		.expanded = adm->verbose > 0, .only = context->resource};

	bsr_config_dump(adm->config, &how, stdout);
	return ADM_OK;
}

int adm_dump_xml(struct adm *adm, const struct adm_context *context)
{
	bsr_config_dump_xml(adm->config, context->resource, stdout);
	return ADM_OK;
}
