// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * handler.c - the commands that a configuration names for events
 *
 * Owns:       the environment a handler runs in.
 * May touch:  the processes it starts.
 */
#include "adm.h"

#include "names.h"

#include <bsr/assert.h>

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static void set_number(const char *name, long long number)
{
	char text[32];

	snprintf(text, sizeof(text), "%lld", number);
	setenv(name, text, 1);
}

static void append(char **list, const char *word)
{
	char *longer = NULL;
	const bool first = (*list)[0] == '\0';

	if (asprintf(&longer, "%s%s%s", *list, first ? "" : " ", word) >= 0) {
		free(*list);
		*list = longer;
	}
}

static void set_volume_lists(const struct adm_context *context)
{
	char *minors = strdup("");
	char *volumes = strdup("");
	char *disks = strdup("");
	char text[32];

	if (minors == NULL || volumes == NULL || disks == NULL) {
		exit(ADM_CANNOT);
	}
	for (const struct cfg_volume *v = context->resource->me->expanded.first; v != NULL;
		v = v->next) {
		if (context->volume != NULL && v != context->volume) {
			continue;
		}
		snprintf(text, sizeof(text), "%lld", (long long)v->minor);
		append(&minors, text);
		snprintf(text, sizeof(text), "%u", v->vnr);
		append(&volumes, text);
		append(&disks, v->disk != NULL ? v->disk : "none");
	}
	setenv("BSR_MINOR", minors, 1);
	setenv("BSR_VOLUME", volumes, 1);
	setenv("BSR_LL_DISK", disks, 1);
	free(minors);
	free(volumes);
	free(disks);
}

static void set_environment(const struct adm *adm, const struct adm_context *context)
{
	const struct cfg_resource *resource = context->resource;
	char name[32];

	if (adm->config_file != NULL) {
		setenv("BSR_CONF", adm->config_file, 1);
	}
	setenv("BSR_RESOURCE", resource->name, 1);
	for (const struct cfg_host *host = resource->hosts.first; host != NULL; host = host->next) {
		snprintf(name, sizeof(name), "BSR_NODE_ID_%d", host->node_id);
		setenv(name, host->label, 1);
	}
	if (resource->me != NULL) {
		set_number("BSR_MY_NODE_ID", resource->me->node_id);
		set_volume_lists(context);
	}
}

#define COPIES_MAX 256
#define HANDLER_LIMIT_S 600u

/* Scripts written for DRBD look for the same variables under another prefix: they get both. */
static void set_drbd_environment(void)
{
	char *copies[COPIES_MAX];
	size_t count = 0;

	for (char **at = environ; *at != NULL && count < COPIES_MAX; at++) {
		if (strncmp(*at, "BSR_", 4) == 0 && asprintf(&copies[count], "DRBD_%s", *at + 4) >= 0) {
			count++;
		}
	}
	for (size_t i = 0; i < count; i++) { /* setenv moves what environ points to */
		char *equals = strchr(copies[i], '=');
		BSR_ASSERT(equals != NULL);
		*equals = '\0';
		setenv(copies[i], equals + 1, 1);
		free(copies[i]);
	}
}

static void wake_up(int number)
{
	(void)number; /* waitpid() returns */
}

/* A handler that hangs holds a promotion or a resync: after ten minutes it and what it started are ended. */
static bool wait_for_handler(pid_t pid, const char *name, int *status)
{
	const char *limit = getenv("BSR_HANDLER_LIMIT_S");
	const struct sigaction wake = {.sa_handler = wake_up}; /* without SA_RESTART */
	const long seconds = limit != NULL ? strtol(limit, NULL, 10) : HANDLER_LIMIT_S;

	sigaction(SIGALRM, &wake, NULL);
	alarm((unsigned int)(seconds < 1 || seconds > HANDLER_LIMIT_S ? HANDLER_LIMIT_S : seconds));
	for (int rounds = 0; waitpid(pid, status, 0) != pid; rounds++) {
		if (errno != EINTR) {
			return false;
		}
		if (rounds == 0) {
			fprintf(stderr, "handler %s has not ended in time: it is ended\n", name);
		}
		kill(-pid, rounds == 0 ? SIGTERM : SIGKILL);
		alarm(5);
	}
	alarm(0);
	return true;
}

int adm_handler(struct adm *adm, const struct adm_context *context)
{
	const struct bsr_option *def = bsr_option_find(BSR_SECTION_HANDLERS, adm->command->name);
	const struct cfg_option *handler =
		bsr_config_find_option(&context->resource->options[BSR_SECTION_HANDLERS], def);
	int status;

	if (handler == NULL) {
		return ADM_OK;
	}
	if (adm->dry_run || adm->verbose > 0) {
		printf("%s\n", handler->value);
	}
	if (adm->dry_run) {
		return ADM_OK;
	}
	fflush(NULL);
	adm->handler_ran = true;
	const pid_t pid = fork();
	if (pid == 0) {
		setpgid(0, 0);
		unsetenv("BSR_CALLED_BY"); /* of this call, not of what the script may call */
		set_environment(adm, context);
		set_drbd_environment();
		unsetenv(BSR_NAMES_VARIABLE); /* a script says by name whom it calls */
		execl("/bin/sh", "sh", "-c", handler->value, (char *)NULL);
		_exit(127);
	}
	if (pid < 0 || !wait_for_handler(pid, adm->command->name, &status)) {
		return ADM_CANNOT;
	}
	return WIFEXITED(status) ? WEXITSTATUS(status) : ADM_CANNOT;
}
