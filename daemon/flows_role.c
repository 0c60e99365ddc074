// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * flows_role.c - primary, secondary, down; and the role of a restarted engine process
 *
 * Owns: running.role.
 * Invariants:
 *   FR-1  The role is in the running configuration before a device exists and until none exists any
 *         more: an engine process that dies in between is followed by one that takes the role up
 *               again.
 */
#include <stdio.h>
#include <string.h>

#include <bsr/assert.h>

#include "flows_private.h"

#define RETRY_NS 1000000000ull

static void set_role(struct bsrd *d, enum bsr_role role)
{
	d->running.role = role;
	bsrd_save_running(d);
}

/* ----------------------------------------------------------------- handlers */

static void nobody_waits(void *ctx, int status)
{
	(void)ctx;
	(void)status;
}

static void handler_answered(void *ctx, int status)
{
	struct flow *f = ctx;
	char text[160];
	if (status != 0) {
		snprintf(text, sizeof(text), "handler %s ended with %d", bsr_handler_word((enum bsr_handler)f->phase), status);
		flow_add_text(f, text);
	}
	f->next_fn(f, status == 0 ? 0 : -BSR_E_HANDLER_REFUSED);
}

/* @next gets 0 when the handler is content. */
static void flow_ask(struct flow *f, enum bsr_handler handler, flow_next_fn next)
{
	f->next_fn = next;
	f->phase = (uint32_t)handler;
	bsrd_handler_ask(f->d, handler, handler_answered, f);
}

/* ------------------------------------------------------------------ primary */

static void primary_has_devices(struct flow *f)
{
	if (f->changes_role) {
		bsrd_handler_ask(f->d, BSR_HANDLER_AFTER_PROMOTE, nobody_waits, NULL);
	}
	flow_end(f, 0); /* what could not be made stands in the text */
}

static void promoted(struct flow *f, int error)
{
	if (error != 0) {
		flow_end(f, error);
		return;
	}
	set_role(f->d, BSR_ROLE_PRIMARY);
	flow_create_devices(f, primary_has_devices);
}

static void promotion_allowed(struct flow *f, int error)
{
	if (error != 0) {
		flow_end(f, error);
		return;
	}
	f->cmd.flags = f->flags;
	flow_command(f, BSR_CMD_PRIMARY, promoted);
}

static void primary_start(struct flow *f)
{
	if (!flow_needs_resource(f)) {
		return;
	}
	if (f->d->keeper_gone) {
		char text[2 * BSR_NAME_BYTES_MAX + 128];
		const char *name = f->d->running.resource;
		snprintf(text, sizeof(text),
			"the keeper process of this resource has died; systemctl start bsr@%s, or by hand: bsrd %s", name, name);
		flow_fail(f, -BSR_E_SHUTTING_DOWN, text);
		return;
	}
	f->changes_role = f->d->running.role != BSR_ROLE_PRIMARY;
	if (f->changes_role) {
		flow_ask(f, BSR_HANDLER_BEFORE_PROMOTE, promotion_allowed);
	} else {
		promotion_allowed(f, 0);
	}
}

void bsrd_flow_primary(struct bsrd *d, uint32_t flags, bsrd_done_fn done, void *ctx)
{
	struct flow *f = flow_new(d, primary_start, true, done, ctx);
	f->flags = flags;
	flow_submit(f);
}

/* ---------------------------------------------------------------- secondary */

/* What a device still has to write out when it goes would wait with the requests that are held back. */
static bool may_go(struct flow *f)
{
	struct bsr_resource_info info;
	bsr_engine_resource_info(f->d->engine, &info);
	if (info.role != BSR_ROLE_PRIMARY || info.suspended == 0) {
		return true;
	}
	flow_end(f, -BSR_E_SUSPENDED);
	return false;
}

static void still_primary(struct flow *f)
{
	flow_end(f, f->pending_error);
}

static void demoted(struct flow *f, int error)
{
	if (error != 0) {
		f->pending_error = error;
		flow_create_devices(f, still_primary);
		return;
	}
	f->d->flows->resume_wanted = false;
	set_role(f->d, BSR_ROLE_SECONDARY);
	if (f->changes_role) {
		bsrd_handler_ask(f->d, BSR_HANDLER_AFTER_DEMOTE, nobody_waits, NULL);
	}
	flow_end(f, 0);
}

static void secondary_undeviced(struct flow *f)
{
	flow_command(f, BSR_CMD_SECONDARY, demoted);
}

/* A Primary's handler may refuse; a Secondary only goes on. */
static void ask_before_demotion(struct flow *f, flow_next_fn next)
{
	f->changes_role = f->d->running.role == BSR_ROLE_PRIMARY;
	if (f->changes_role) {
		flow_ask(f, BSR_HANDLER_BEFORE_DEMOTE, next);
	} else {
		next(f, 0);
	}
}

static void demotion_allowed(struct flow *f, int error)
{
	if (error != 0) {
		flow_end(f, error);
		return;
	}
	flow_remove_devices(f, secondary_undeviced);
}

static void secondary_unheld(struct flow *f)
{
	ask_before_demotion(f, demotion_allowed);
}

static void secondary_start(struct flow *f)
{
	if (!flow_needs_resource(f) || !may_go(f)) {
		return;
	}
	if ((f->flags & BSR_CMDF_FORCE) != 0) {
		secondary_unheld(f);
	} else {
		flow_check_holders(f, secondary_unheld);
	}
}

void bsrd_flow_secondary(struct bsrd *d, uint32_t flags, bsrd_done_fn done, void *ctx)
{
	struct flow *f = flow_new(d, secondary_start, true, done, ctx);
	f->flags = flags;
	flow_submit(f);
}

/* --------------------------------------------------------------------- down */

static void down_closed(struct flow *f, int error)
{
	struct bsrd *d = f->d;
	BSR_ASSERT(error == 0);
	d->running.exists = false;
	bsrd_save_running(d); /* dying from here on must not bring it back */
	flow_end(f, 0);
	bsrd_leave(d);
}

static void demoted_for_good(void *ctx, int status)
{
	(void)status;
	flow_wait_closed(ctx, down_closed);
}

static void down_done(struct flow *f, int error)
{
	if (error != 0) {
		f->d->going_down = false;
		f->pending_error = error;
		if (f->d->running.role == BSR_ROLE_PRIMARY) {
			flow_create_devices(f, still_primary);
		} else {
			flow_end(f, error);
		}
		return;
	}
	f->d->running.role = BSR_ROLE_SECONDARY;
	if (f->changes_role) { /* waited for: nobody is here afterwards who could run it */
		bsrd_handler_ask(f->d, BSR_HANDLER_AFTER_DEMOTE, demoted_for_good, f);
	} else {
		flow_wait_closed(f, down_closed);
	}
}

static void down_undeviced(struct flow *f)
{
	f->d->going_down = true;
	flow_command(f, BSR_CMD_DOWN, down_done);
}

static void down_allowed(struct flow *f, int error)
{
	if (error != 0) {
		flow_end(f, error);
		return;
	}
	flow_remove_devices(f, down_undeviced);
}

static void down_unheld(struct flow *f)
{
	ask_before_demotion(f, down_allowed);
}

static void down_start(struct flow *f)
{
	struct bsrd *d = f->d;
	if (d->engine == NULL) {
		flow_end(f, 0); /* @f is gone */
		bsrd_leave(d);
		return;
	}
	if (may_go(f)) {
		flow_check_holders(f, down_unheld);
	}
}

void bsrd_flow_down(struct bsrd *d, bsrd_done_fn done, void *ctx)
{
	flow_submit(flow_new(d, down_start, true, done, ctx));
}

/* ------------------------------------------------------------------- resume */

static void resumed_devices(struct flow *f)
{
	flow_end(f, 0);
}

static void resumed(struct flow *f, int error)
{
	struct bsrd *d = f->d;
	if (error != 0) {
		bsr_log(BSR_LOGN_RESUME_FAILED, "role=Primary error=%s why=\"%s\"", bsr_error_name(error),
			bsr_error_text(error));
		d->flows->deadline_ns = bsrd_now_ns(d) + RETRY_NS;
		flow_end(f, 0);
		return;
	}
	d->flows->resume_wanted = false;
	for (uint32_t i = 0; i < BSR_VOLUMES_MAX; i++) {
		flow_serve_channel(d, i);
	}
	flow_create_devices(f, resumed_devices);
}

void flow_resume(struct flow *f)
{
	struct bsrd *d = f->d;
	d->flows->resume_queued = false;
	if (!d->flows->resume_wanted) {
		flow_end(f, 0);
		return;
	}
	f->cmd.flags = BSR_CMDF_RESUME_PRIMARY;
	flow_command(f, BSR_CMD_PRIMARY, resumed);
}
