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

/* ------------------------------------------------------------------ primary */

static void primary_has_devices(struct flow *f)
{
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

static void primary_start(struct flow *f)
{
	if (!flow_needs_resource(f)) {
		return;
	}
	if (f->d->keeper_gone) {
		flow_fail(f, -BSR_E_SHUTTING_DOWN, "the keeper process of this resource has died; start it again first");
		return;
	}
	f->cmd.flags = f->flags;
	flow_command(f, BSR_CMD_PRIMARY, promoted);
}

void bsrd_flow_primary(struct bsrd *d, uint32_t flags, bsrd_done_fn done, void *ctx)
{
	struct flow *f = flow_new(d, primary_start, true, done, ctx);
	f->flags = flags;
	flow_submit(f);
}

/* ---------------------------------------------------------------- secondary */

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
	flow_end(f, 0);
}

static void secondary_undeviced(struct flow *f)
{
	flow_command(f, BSR_CMD_SECONDARY, demoted);
}

static void secondary_unheld(struct flow *f)
{
	flow_remove_devices(f, secondary_undeviced);
}

static void secondary_start(struct flow *f)
{
	if (flow_needs_resource(f)) {
		flow_check_holders(f, secondary_unheld);
	}
}

void bsrd_flow_secondary(struct bsrd *d, bsrd_done_fn done, void *ctx)
{
	flow_submit(flow_new(d, secondary_start, true, done, ctx));
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
	flow_wait_closed(f, down_closed);
}

static void down_undeviced(struct flow *f)
{
	f->d->going_down = true;
	flow_command(f, BSR_CMD_DOWN, down_done);
}

static void down_unheld(struct flow *f)
{
	flow_remove_devices(f, down_undeviced);
}

static void down_start(struct flow *f)
{
	struct bsrd *d = f->d;
	if (d->engine == NULL) {
		flow_end(f, 0); /* @f is gone */
		bsrd_leave(d);
		return;
	}
	flow_check_holders(f, down_unheld);
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
