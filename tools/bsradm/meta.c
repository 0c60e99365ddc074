// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * meta.c - commands that work on metadata, by bsrmeta alone or when the engine cannot answer
 *
 * Owns:       how many bitmap slots new metadata get.
 * May touch:  back ends, the system's random numbers.
 */
#include "adm.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

static bool has_any_disk(const struct cfg_host *host)
{
	for (const struct cfg_volume *v = host->expanded.first; v != NULL; v = v->next) {
		if (!bsr_config_is_diskless(v)) {
			return true;
		}
	}
	return false;
}

/* One slot for each peer that stores data, and at least one. */
static unsigned int bitmap_slots(const struct cfg_resource *resource)
{
	unsigned int count = 0;

	for (const struct cfg_connection *c = resource->connections.first; c != NULL; c = c->next) {
		if (c->self != NULL && c->peer != NULL && has_any_disk(c->peer)) {
			count++;
		}
	}
	return count > 0 ? count : 1;
}

/* The 16 hex digits in @text, or 0 when it is not such a number. */
static uint64_t parse_uuid(const char *text)
{
	char digits[17];

	if (text == NULL) {
		return 0;
	}
	text += strspn(text, " \t\n");
	if (strncmp(text, "0x", 2) == 0) {
		text += 2;
	}
	if (strspn(text, "0123456789abcdefABCDEF") != 16) {
		return 0;
	}
	memcpy(digits, text, 16);
	digits[16] = '\0';
	return strtoull(digits, NULL, 16);
}

static uint64_t read_device_uuid(struct adm *adm, const struct cfg_volume *volume)
{
	struct adm_call call;
	char *text = NULL;
	size_t size;

	adm_call_meta(&call, adm, volume);
	adm_call_add(&call, "read-dev-uuid");
	call.quiet = true;
	call.silent = true; /* a disk that has no metadata yet is the usual case */
	const int code = adm_call_capture(adm, &call, &text, &size);
	const uint64_t uuid = code == 0 ? parse_uuid(text) : 0;
	free(text);
	return uuid;
}

/* A device keeps its name over new metadata; a new one draws one. */
static int write_device_uuid(struct adm *adm, const struct adm_context *context, uint64_t uuid)
{
	struct adm_call call;

	while (uuid == 0) {
		if (getrandom(&uuid, sizeof(uuid), 0) != (ssize_t)sizeof(uuid)) {
			fprintf(stderr, "bsradm: no random numbers to be had\n");
			return ADM_CANNOT;
		}
	}
	adm_call_meta(&call, adm, context->volume);
	adm_call_add(&call, "write-dev-uuid");
	adm_call_add(&call, "%016" PRIX64, uuid);
	return adm_call_run(adm, &call, context->resource->name);
}

int adm_create_md(struct adm *adm, const struct adm_context *context)
{
	const struct adm_given *peers = adm_given_find(adm, "max-peers");
	struct adm_call call;

	/* new metadata keep the name that older ones gave the device */
	const uint64_t uuid = adm->dry_run ? 0 : read_device_uuid(adm, context->volume);
	adm_call_meta(&call, adm, context->volume);
	adm_call_add(&call, "create-md");
	if (peers != NULL) {
		adm_call_add(&call, "%s", peers->value);
	} else {
		adm_call_add(&call, "%u", bitmap_slots(context->resource));
	}
	for (size_t i = 0; i < adm->given_count; i++) {
		const struct adm_given *given = &adm->given[i];
		if (strcmp(given->name, "max-peers") == 0) {
			continue;
		}
		if (given->value != NULL) {
			adm_call_add(&call, "--%s=%s", given->name, given->value);
		} else {
			adm_call_add(&call, "--%s", given->name);
		}
	}
	call.patience = ADM_FOREVER; /* it may ask a person */
	const int code = adm_call_run(adm, &call, context->resource->name);
	if (code != 0 || adm->dry_run) {
		return code;
	}
	return write_device_uuid(adm, context, uuid);
}

/* apply-al, wipe-md, dump-md ... */
int adm_meta(struct adm *adm, const struct adm_context *context)
{
	struct adm_call call;

	adm_call_meta(&call, adm, context->volume);
	adm_call_add(&call, "%s", adm->command->name);
	adm_call_add_given(adm, &call);
	call.patience = ADM_FOREVER;
	return adm_call_run(adm, &call, context->resource->name);
}

/* A dry run of drbdadm shows also the call that is made when the first one has failed. */
static bool shows_both(const struct adm *adm)
{
	return adm->dry_run && adm->drbd;
}

static bool runs(struct adm *adm, const char *resource)
{
	struct adm_call call;
	char *text = NULL;
	size_t size = 0;

	adm_call_setup(&call, adm, "role");
	adm_call_add(&call, "%s", resource);
	call.quiet = true;
	call.silent = true;
	const int code = adm->dry_run ? 0 : adm_call_capture(adm, &call, &text, &size);
	free(text);
	return code == 0;
}

/* A resource that does not run: its metadata can be invalidated all the same. */
int adm_invalidate(struct adm *adm, const struct adm_context *context)
{
	struct adm_call call;

	adm_call_setup(&call, adm, "invalidate");
	call.patience = ADM_MEDIUM;
	adm_call_add(&call, "%lld", (long long)context->volume->minor);
	if (context->connection != NULL) {
		adm_call_add(
			&call, "--sync-from-peer-node-id=%d", context->connection->peer->node_id);
	}
	adm_call_add_given(adm, &call);
	call.quiet = true;
	const int code = adm_call_run(adm, &call, context->resource->name);
	const bool done = code == 0 || runs(adm, context->resource->name);
	if ((done && !shows_both(adm)) || bsr_config_is_diskless(context->volume)) {
		return code;
	}
	adm_call_meta(&call, adm, context->volume);
	adm_call_add(&call, "invalidate");
	call.patience = ADM_FOREVER; /* asks */
	fprintf(stderr, "%s does not run: its metadata are changed\n", context->resource->name);
	return adm_call_run(adm, &call, context->resource->name);
}

/*
 * Moves metadata at the end of a disk that has got another size while the resource was down; a running one looks at its
 * disk again.
 */
int adm_check_resize(struct adm *adm, const struct adm_context *context)
{
	struct adm_call call;
	int code = ADM_OK;

	for (unsigned int step = adm->drbd ? 0 : 1; step < 2 && code == ADM_OK; step++) {
		adm_call_setup(&call, adm, step == 0 ? "resize" : "check-resize");
		adm_call_add(&call, "%lld", (long long)context->volume->minor);
		call.quiet = true;
		call.silent = true;
		code = adm_call_run(adm, &call, context->resource->name);
	}
	if (code == ADM_OK || bsr_config_is_diskless(context->volume)) {
		return ADM_OK;
	}
	adm_call_meta(&call, adm, context->volume);
	adm_call_add(&call, "check-resize");
	return adm_call_run(adm, &call, context->resource->name);
}

int adm_outdate(struct adm *adm, const struct adm_context *context)
{
	struct adm_call call;

	adm_call_setup(&call, adm, "outdate");
	adm_call_add(&call, "%lld", (long long)context->volume->minor);
	call.quiet = true;
	const int code = adm_call_run(adm, &call, context->resource->name);
	if ((code == 0 && !shows_both(adm)) || code == 17) {
		return code;
	}
	adm_call_meta(&call, adm, context->volume);
	adm_call_add(&call, "outdate");
	return adm_call_run(adm, &call, context->resource->name);
}

int adm_dstate(struct adm *adm, const struct adm_context *context)
{
	struct adm_call call;
	char *text = NULL;
	size_t size = 0;

	adm_call_setup(&call, adm, "dstate");
	adm_call_add(&call, "%lld", (long long)context->volume->minor);
	adm_call_add_given(adm, &call);
	if (adm->dry_run) {
		(void)adm_call_run(adm, &call, context->resource->name);
		if (shows_both(adm) && !bsr_config_is_diskless(context->volume)) {
			adm_call_meta(&call, adm, context->volume);
			adm_call_add(&call, "dstate");
			(void)adm_call_run(adm, &call, context->resource->name);
		}
		return ADM_OK;
	}
	call.quiet = true;
	const int code = adm_call_capture(adm, &call, &text, &size);
	const bool attached = code == 0 && strncmp(text, "Diskless", 8) != 0 &&
		strstr(text, "\"disk-state\":\"Diskless\"") == NULL;
	if (attached || bsr_config_is_diskless(context->volume)) {
		fwrite(text, 1, size, stdout);
		free(text);
		return code;
	}
	free(text);
	adm_call_meta(&call, adm, context->volume);
	adm_call_add(&call, "dstate");
	adm_call_add_given(adm, &call);
	return adm_call_run(adm, &call, context->resource->name);
}

int adm_show_gi(struct adm *adm, const struct adm_context *context)
{
	struct adm_call call;

	adm_call_setup(&call, adm, adm->command->name);
	adm_call_add(&call, "%s", context->resource->name);
	adm_call_add(&call, "%d", context->connection->peer->node_id);
	adm_call_add(&call, "%u", context->peer_device->vnr);
	adm_call_add_given(adm, &call);
	const bool diskless = context->volume == NULL || bsr_config_is_diskless(context->volume);
	call.quiet = !diskless;
	call.silent = !diskless; /* not running is normal: the metadata are asked then */
	const int code = adm_call_run(adm, &call, context->resource->name);
	if ((code == 0 && !shows_both(adm)) || diskless) {
		return code;
	}
	adm_call_meta(&call, adm, context->volume);
	adm_call_add(&call, "--node-id=%d", context->connection->peer->node_id);
	adm_call_add(&call, "%s", adm->command->name);
	adm_call_add_given(adm, &call);
	return adm_call_run(adm, &call, context->resource->name);
}

int adm_set_gi(struct adm *adm, const struct adm_context *context)
{
	const struct adm_given *value = adm_given_find(adm, "gi");
	struct adm_call call;

	if (value == NULL) {
		fprintf(stderr,
			"set-gi: give the new identifiers as --gi=CURRENT:BITMAP:HISTORY1:HISTORY2:FLAGS...\n");
		return ADM_USAGE;
	}
	if (bsr_config_is_diskless(context->volume)) {
		fprintf(stderr, "set-gi: volume %u requires a local disk, and has none\n",
			context->volume->vnr);
		return ADM_INVALID;
	}
	adm_call_meta(&call, adm, context->volume);
	adm_call_add(&call, "--node-id=%d", context->connection->peer->node_id);
	adm_call_add(&call, "set-gi");
	adm_call_add(&call, "%s", value->value);
	if (adm_given_is_on(adm, "force")) {
		adm_call_add(&call, "--force");
	}
	call.patience = ADM_FOREVER;
	return adm_call_run(adm, &call, context->resource->name);
}

int adm_forget_peer(struct adm *adm, const struct adm_context *context)
{
	struct adm_call call;
	int highest = ADM_OK;

	adm_call_setup(&call, adm, "forget-peer");
	adm_call_add(&call, "%s", context->resource->name);
	adm_call_add(&call, "%d", context->connection->peer->node_id);
	call.quiet = true;
	call.silent = !runs(adm, context->resource->name); /* not running is normal here: the metadata are asked then */
	const int code = adm_call_run(adm, &call, context->resource->name);
	if ((code == 0 || !call.silent) && !shows_both(adm)) {
		return code;
	}
	for (const struct cfg_volume *v = context->resource->me->expanded.first; v != NULL;
		v = v->next) {
		if (bsr_config_is_diskless(v)) {
			continue;
		}
		adm_call_meta(&call, adm, v);
		adm_call_add(&call, "--node-id=%d", context->connection->peer->node_id);
		adm_call_add(&call, "forget-peer");
		const int said = adm_call_run(adm, &call, context->resource->name);
		highest = said > highest ? said : highest;
	}
	return highest;
}
