// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * registry.c - links from running minors and resources to the configuration they came from
 *
 * Owns:       <run dir>/bsr-minor-N.conf and bsr-resource-NAME.conf (of DRBD's names: drbd-...). Made after
 *             creation, removed by `down`.
 * May touch:  the run directory.
 */
#include "adm.h"

#include "names.h"

#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Replaces the link at one stroke: a reader sees the old one or the new one. */
static void set_link(const char *link, const char *file)
{
	char present[PATH_MAX];
	char *fresh = NULL;
	const ssize_t length = readlink(link, present, sizeof(present) - 1);

	if (length > 0) {
		present[length] = '\0';
		if (strcmp(present, file) == 0) {
			return;
		}
	}
	if (asprintf(&fresh, "%s.%ld", link, (long)getpid()) < 0) {
		return;
	}
	if (symlink(file, fresh) != 0 || rename(fresh, link) != 0) {
		fprintf(stderr,
			"warning: cannot register %s as %s: %s; handlers will look for the default file\n",
			file, link, strerror(errno));
		unlink(fresh);
	}
	free(fresh);
}

void adm_register_resource(struct adm *adm, const struct cfg_resource *resource)
{
	char file[PATH_MAX];
	char run[PATH_MAX];
	char *link = NULL;

	if (adm->config_file == NULL || strcmp(adm->config_file, "-") == 0 ||
		realpath(adm->config_file, file) == NULL) {
		return;
	}
	if (mkdir(adm->run_dir, 0700) != 0 && errno != EEXIST) {
		fprintf(stderr, "warning: cannot create %s: %s\n", adm->run_dir, strerror(errno));
		return;
	}
	if (realpath(adm->run_dir, run) == NULL ||
		(strncmp(file, run, strlen(run)) == 0 && file[strlen(run)] == '/')) {
		return; /* found through the registry: it would point to itself */
	}
	if (asprintf(&link, "%s/%s-resource-%s.conf", adm->run_dir,
		    bsr_names()->product, resource->name) >= 0) {
		set_link(link, file);
		free(link);
	}
	for (const struct cfg_volume *v = resource->me->expanded.first; v != NULL; v = v->next) {
		if (asprintf(&link, "%s/%s-minor-%lld.conf", adm->run_dir, bsr_names()->product,
			    (long long)v->minor) >= 0) {
			set_link(link, file);
			free(link);
		}
	}
}

/* Removes a link if it is one: nothing else in the run directory is ours. */
static void remove_link(const char *link)
{
	char ignored[PATH_MAX];

	if (readlink(link, ignored, sizeof(ignored)) >= 0) {
		unlink(link);
	}
}

void adm_unregister_resource(struct adm *adm, const struct cfg_resource *resource)
{
	char *link = NULL;

	if (asprintf(&link, "%s/%s-resource-%s.conf", adm->run_dir,
		    bsr_names()->product, resource->name) >= 0) {
		remove_link(link);
		free(link);
	}
	for (const struct cfg_volume *v = resource->me != NULL ? resource->me->expanded.first
							       : NULL;
		v != NULL; v = v->next) {
		if (asprintf(&link, "%s/%s-minor-%lld.conf", adm->run_dir, bsr_names()->product,
			    (long long)v->minor) >= 0) {
			remove_link(link);
			free(link);
		}
	}
}

char *adm_registry_file(const struct adm *adm, const char *target)
{
	char *link = NULL;
	char name[256];

	if (strlen(target) >= sizeof(name)) {
		return NULL;
	}
	strcpy(name, target);
	name[strcspn(name, ":/")] = '\0';
	const bool is_minor = strncmp(name, "minor-", 6) == 0 && isdigit((unsigned char)name[6]);
	const int n = asprintf(
		&link, "%s/%s-%s%s.conf", adm->run_dir, bsr_names()->product,
		is_minor ? "" : "resource-", name);
	if (n < 0) {
		return NULL;
	}
	if (access(link, R_OK) != 0) {
		free(link);
		return NULL;
	}
	return link;
}
