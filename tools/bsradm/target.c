// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * target.c - from the words of a person (all, RES, RES/VNR, RES:PEER, RES:PEER/VNR, minor-N) to
 * runs of a command
 *
 * Owns:       what a target may be for which command, and how exit codes add up.
 * May touch:  stderr.
 */
#include "adm.h"

#include "names.h"

#include <ctype.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

struct target {
	char text[512];
	struct cfg_resource *resource;
	const char *peer; /* points into text; NULL: not given */
	int64_t vnr;      /* -1: not given */
};

/* A resource whose file is gone can still be there. */
static bool it_runs(const struct adm *adm, const char *name)
{
	char path[PATH_MAX];
	struct stat st;

	return strchr(name, '/') == NULL &&
	       snprintf(path, sizeof(path), "%s/%s.sock", adm->run_dir, name) < (int)sizeof(path) &&
	       stat(path, &st) == 0;
}

static int unknown_resource(const struct adm *adm, const char *name)
{
	const char *names[256] = {NULL};
	size_t count = 0;

	for (const struct cfg_resource *r = adm->config->resources.first; r != NULL && count < 256;
		r = r->next) {
		names[count++] = r->name;
	}
	const char *near = bsr_config_suggest(name, names, count);
	fprintf(stderr, "'%s' not defined in your config (for this host)", name);
	if (near != NULL) {
		fprintf(stderr, "; did you mean '%s'?", near);
	} else if (it_runs(adm, name)) {
		fprintf(stderr, "; but it runs: `%s status %s`, and `%s down %s` ends it", bsr_names()->setup, name,
			bsr_names()->setup, name);
	} else {
		fprintf(stderr, "; %s", count == 0 ? "no resource is: `create` writes one" : "`sh-resources` lists what is");
	}
	fputs("\n", stderr);
	return ADM_USAGE;
}

static bool find_minor(struct adm *adm, long minor, struct target *target)
{
	for (struct cfg_resource *r = adm->config->resources.first; r != NULL; r = r->next) {
		if (r->me == NULL) {
			continue;
		}
		for (const struct cfg_volume *v = r->me->expanded.first; v != NULL; v = v->next) {
			if (v->minor == minor) {
				target->resource = r;
				target->vnr = v->vnr;
				return true;
			}
		}
	}
	return false;
}

/* Cuts "/VNR" off the end of @text. */
static bool cut_volume(char *text, struct target *target)
{
	char *slash = strrchr(text, '/');
	char *end;

	if (slash == NULL) {
		return true;
	}
	const long vnr = strtol(slash + 1, &end, 10);
	if (!isdigit((unsigned char)slash[1]) || *end != '\0' || vnr > (long)CFG_VNR_MAX) {
		return false;
	}
	target->vnr = vnr;
	*slash = '\0';
	return true;
}

static int parse_target(struct adm *adm, const char *word, struct target *target)
{
	*target = (struct target){.vnr = -1};
	if (strlen(word) >= sizeof(target->text)) {
		fprintf(stderr, "the target is too long\n");
		return ADM_USAGE;
	}
	strcpy(target->text, word);
	if (strncmp(word, "minor-", 6) == 0 && isdigit((unsigned char)word[6])) {
		if (find_minor(adm, strtol(word + 6, NULL, 10), target)) {
			return ADM_OK;
		}
	}
	target->resource = bsr_config_find_resource(adm->config, word);
	if (target->resource != NULL) {
		return ADM_OK;
	}
	if (!cut_volume(target->text, target)) {
		fprintf(stderr, "'%s': a number of a volume must follow '/'\n", word);
		return ADM_USAGE;
	}
	target->resource = bsr_config_find_resource(adm->config, target->text);
	if (target->resource == NULL) {
		char *colon = strchr(target->text, ':');
		if (colon == NULL) {
			return unknown_resource(adm, target->text);
		}
		*colon = '\0';
		target->peer = colon + 1;
		target->resource = bsr_config_find_resource(adm->config, target->text);
	}
	return target->resource != NULL ? ADM_OK : unknown_resource(adm, target->text);
}

static struct cfg_connection *find_connection(const struct cfg_resource *resource, const char *peer)
{
	for (struct cfg_connection *c = resource->connections.first; c != NULL; c = c->next) {
		if (c->self == NULL || c->peer == NULL) {
			continue;
		}
		if ((c->label != NULL && strcmp(c->label, peer) == 0) ||
			(c->peer->group != NULL && strcmp(c->peer->group, peer) == 0) ||
			bsr_config_find_host(resource, peer) == c->peer) {
			return c;
		}
	}
	return NULL;
}

int adm_check_local_address(struct adm *adm, const struct adm_context *context)
{
	const struct cfg_resource *r = context->resource;

	if (adm->dry_run || bsr_config_global_flag(adm->config, "disable-ip-verification")) {
		return ADM_OK;
	}
	for (const struct cfg_connection *c = r->connections.first; c != NULL; c = c->next) {
		if (c->self == NULL || (context->connection != NULL && c != context->connection)) {
			continue;
		}
		for (const struct cfg_path *path = c->paths.first; path != NULL;
			path = path->next) {
			const struct cfg_endpoint *own;
			const struct cfg_endpoint *remote;
			bsr_config_path_ends(c, path, &own, &remote);
			if (own->own.host == NULL ||
				bsr_config_address_is_local(adm->config, &own->own)) {
				continue;
			}
			fprintf(stderr,
				"%s:%u:%u: in resource %s: IP %s not found on this host; configure it, or set "
				"disable-ip-verification in global\n",
				own->own.at.file, own->own.at.line, own->own.at.column, r->name,
				own->own.host);
			return ADM_INVALID;
		}
	}
	return ADM_OK;
}

static int higher(int a, int b)
{
	return b > a ? b : a;
}

static int run_volumes(struct adm *adm, struct adm_context *context, const struct target *target)
{
	const struct cfg_resource *r = context->resource;
	int highest = ADM_OK;
	bool found = false;

	for (struct cfg_volume *v = r->me != NULL ? r->me->expanded.first : NULL; v != NULL;
		v = v->next) {
		if (target->vnr >= 0 && v->vnr != target->vnr) {
			continue;
		}
		found = true;
		if ((adm->command->flags & ADM_NEEDS_DISK) != 0 && bsr_config_is_diskless(v)) {
			if (target->vnr < 0) {
				/* of several volumes those without a disk have nothing to do */
				continue;
			}
			fprintf(stderr,
				"%s: volume %u of resource %s requires a local disk, and has none\n",
				adm->command->name, v->vnr, r->name);
			return ADM_INVALID;
		}
		context->volume = v;
		const int code = adm->command->run(adm, context);
		highest = higher(highest, code);
		if (code != ADM_OK && (adm->command->flags & ADM_ALL_VOLUMES) == 0) {
			return highest;
		}
	}
	if (!found && target->vnr >= 0) {
		fprintf(stderr, "resource %s has no volume %lld\n", r->name,
			(long long)target->vnr);
		return ADM_USAGE;
	}
	return highest;
}

/* Volume by volume, each towards all peers that are meant. */
static int run_peer_devices(
	struct adm *adm, struct adm_context *context, const struct target *target)
{
	const struct cfg_resource *r = context->resource;
	const struct cfg_connection *only = context->connection;
	bool found = false;

	for (struct cfg_volume *v = r->me->expanded.first; v != NULL; v = v->next) {
		if (target->vnr >= 0 && v->vnr != target->vnr) {
			continue;
		}
		found = true;
		context->volume = v;
		for (struct cfg_connection *c = r->connections.first; c != NULL; c = c->next) {
			if (c->self == NULL || (only != NULL && c != only)) {
				continue;
			}
			context->connection = c;
			context->peer_device = bsr_config_find_volume(&c->peer_devices, v->vnr);
			const int code = context->peer_device != NULL
						 ? adm->command->run(adm, context)
						 : ADM_OK;
			if (code != ADM_OK) {
				return code;
			}
		}
	}
	if (!found) {
		fprintf(stderr, "resource %s has no volume %lld\n", r->name,
			(long long)target->vnr);
		return ADM_USAGE;
	}
	return ADM_OK;
}

static int run_connections(
	struct adm *adm, struct adm_context *context, const struct target *target)
{
	const struct cfg_resource *r = context->resource;
	const struct cfg_connection *only = context->connection;

	if (adm->command->kind == ADM_PEER_DEVICE) {
		return run_peer_devices(adm, context, target);
	}
	for (struct cfg_connection *c = r->connections.first; c != NULL; c = c->next) {
		if (c->self == NULL || (only != NULL && c != only)) {
			continue;
		}
		context->connection = c;
		const int code = adm->command->run(adm, context);
		if (code != ADM_OK) {
			return code;
		}
	}
	return ADM_OK;
}

/* Puts the connection to the peer that the target names into the context. */
static int find_peer(struct adm_context *context, const struct target *target)
{
	const struct cfg_resource *r = context->resource;

	if (target->peer == NULL) {
		return ADM_OK;
	}
	context->connection = find_connection(r, target->peer);
	if (context->connection != NULL) {
		return ADM_OK;
	}
	const struct cfg_host *host = bsr_config_find_host(r, target->peer);
	if (host != NULL && host == r->me) {
		fprintf(stderr, "'%s' is this host, not a peer of resource %s\n", target->peer,
			r->name);
	} else {
		fprintf(stderr, "'%s' is not a peer of resource %s; `sh-peer-node-name %s` lists them\n", target->peer, r->name,
			r->name);
	}
	return ADM_USAGE;
}

static int check_shape(const struct adm *adm, const struct target *target)
{
	const enum adm_target_kind kind = adm->command->kind;
	const bool optional = (adm->command->flags & ADM_OPTIONAL_PEER) != 0;
	const bool volume_ok = kind == ADM_VOLUME || kind == ADM_PEER_DEVICE || optional;
	const bool peer_ok = kind == ADM_CONNECTION || kind == ADM_PEER_DEVICE || optional ||
		(adm->command->flags & ADM_PEER_TOO) != 0;

	if (target->vnr >= 0 && !volume_ok) {
		fprintf(stderr, "%s does not work on a single volume: name the resource %s\n",
			adm->command->name, target->resource->name);
		return ADM_USAGE;
	}
	if (target->peer != NULL && !peer_ok) {
		fprintf(stderr, "%s does not work on a single peer: name the resource %s\n",
			adm->command->name, target->resource->name);
		return ADM_USAGE;
	}
	if ((adm->command->flags & ADM_MUST_GIVE_VOLUME) != 0 && target->vnr < 0) {
		fprintf(stderr, "%s works on one volume: name it as %s/VOLUME\n",
			adm->command->name, target->resource->name);
		return ADM_USAGE;
	}
	return ADM_OK;
}

/*
 * Commands that take a peer, or leave it out: one run; the peer and volume are in the context if
 * given.
 */
static int run_optional(struct adm *adm, struct adm_context *context, const struct target *target)
{
	if (adm->command->kind == ADM_VOLUME) {
		return run_volumes(adm, context, target);
	}
	if (target->vnr >= 0) {
		context->volume = bsr_config_find_volume(
			&context->resource->me->expanded, (unsigned int)target->vnr);
		if (context->volume == NULL) {
			fprintf(stderr, "resource %s has no volume %lld\n", context->resource->name,
				(long long)target->vnr);
			return ADM_USAGE;
		}
	}
	return adm->command->run(adm, context);
}

static int run_target(struct adm *adm, const struct target *target)
{
	struct adm_context context = {
		.resource = target->resource, .volume_given = target->vnr >= 0};
	int code = check_shape(adm, target);

	if (code != ADM_OK) {
		return code;
	}
	if (target->resource->stacked_text != NULL && (adm->command->flags & ADM_IGNORED_TOO) == 0) {
		fprintf(stderr, "'%s' ignored: stacked resources are not supported\n", target->resource->name);
		return ADM_USAGE;
	}
	if (target->resource->ignored && (adm->command->flags & ADM_IGNORED_TOO) == 0) {
		fprintf(stderr,
			"'%s' ignored: none of its host sections is for this host (%s); check the 'on' keywords\n",
			target->resource->name, adm->config->hostname);
		return ADM_USAGE;
	}
	code = find_peer(&context, target);
	if (code == ADM_OK && (adm->command->flags & ADM_CHECK_IP) != 0) {
		code = adm_check_local_address(adm, &context);
	}
	if (code != ADM_OK) {
		return code;
	}
	if ((adm->command->flags & ADM_OPTIONAL_PEER) != 0) {
		return run_optional(adm, &context, target);
	}
	switch (adm->command->kind) {
	case ADM_VOLUME:
		if ((adm->command->flags & ADM_WHOLE_RESOURCE) != 0 && target->vnr < 0) {
			break;
		}
		return run_volumes(adm, &context, target);
	case ADM_CONNECTION:
	case ADM_PEER_DEVICE:
		return run_connections(adm, &context, target);
	case ADM_NO_TARGET:
	case ADM_RESOURCE:
		break;
	}
	return adm->command->run(adm, &context);
}

static int run_all(struct adm *adm)
{
	int highest = ADM_OK;
	unsigned int seen = 0;

	for (struct cfg_resource *r = adm->config->resources.first; r != NULL; r = r->next) {
		const struct target target = {.resource = r, .vnr = -1};
		if (r->ignored &&
			(!adm->ignore_hostname || (adm->command->flags & ADM_IGNORED_TOO) == 0)) {
			continue;
		}
		seen++;
		const int code = run_target(adm, &target);
		highest = higher(highest, code);
		if (code >= ADM_CANNOT) {
			return highest;
		}
	}
	if (seen == 0) {
		fprintf(stderr, "warning: no resources defined for this host (%s)%s\n",
			adm->config->hostname,
			adm->config->resources.first != NULL
				? "; is the local name misspelled in an 'on' keyword?"
				: "");
		return ADM_USAGE;
	}
	return highest;
}

/* The same connection twice would be done twice: refused, as always. */
static int check_duplicates(const struct target *targets, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		for (size_t j = 0; j < i; j++) {
			const bool same_peer = targets[i].peer == NULL || targets[j].peer == NULL ||
					       strcmp(targets[i].peer, targets[j].peer) == 0;
			const bool same_volume = targets[i].vnr < 0 || targets[j].vnr < 0 ||
						 targets[i].vnr == targets[j].vnr;
			if (targets[i].resource == targets[j].resource && same_peer &&
				same_volume) {
				fprintf(stderr, "resource %s is named twice\n",
					targets[i].resource->name);
				return ADM_USAGE;
			}
		}
	}
	return ADM_OK;
}

int adm_targets_run(struct adm *adm, char **words, size_t count)
{
	int highest = ADM_OK;

	adm->many_targets = count != 1 || strcmp(words[0], "all") == 0;
	if (count == 0 && (adm->command->flags & ADM_NO_TARGET_OK) != 0) {
		const struct adm_context everything = {.resource = NULL};
		return adm->command->run(adm, &everything);
	}
	if ((count == 1 && strcmp(words[0], "all") == 0) ||
		(count == 0 && (adm->command->flags & ADM_DEFAULT_ALL) != 0)) {
		return run_all(adm);
	}
	if (count == 0) {
		fprintf(stderr, "%s: which resource? Name one, or 'all'\n", adm->command->name);
		return ADM_USAGE;
	}
	struct target *targets = calloc(count, sizeof(*targets));
	if (targets == NULL) {
		return ADM_CANNOT;
	}
	for (size_t i = 0; i < count && highest == ADM_OK; i++) {
		highest = parse_target(adm, words[i], &targets[i]);
	}
	if (highest == ADM_OK) {
		highest = check_duplicates(targets, count);
	}
	const bool ready = highest == ADM_OK;
	for (size_t i = 0; i < count && ready; i++) {
		const int code = run_target(adm, &targets[i]);
		highest = higher(highest, code);
		if (code >= ADM_CANNOT) {
			break;
		}
	}
	free(targets);
	return highest;
}
