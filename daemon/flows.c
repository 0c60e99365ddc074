// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * flows.c - administrators' requests that need keeper and engine both: how they queue, step and end
 *
 * Owns: the queue, the clock of things to be tried again, what happens when the keeper dies or is
 *       told to stop.
 * Invariants:
 *   FL-1  Every flow ends once, and its callback never runs inside of the call that asked for it.
 *   FL-2  At most one serial flow runs; serial flows run in the order in which they were asked for.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <bsr/assert.h>

#include "flows_private.h"

#define TICK_NS 1000000000ull
#define GRACE_NS 3000000000ull /* a service manager may start a new keeper, which takes over */

struct flow *flow_new(struct bsrd *d, flow_fn start, bool serial, bsrd_done_fn done, void *ctx)
{
	struct flow *f = calloc(1, sizeof(*f));
	BSR_ASSERT(f != NULL);
	f->d = d;
	f->start = start;
	f->serial = serial;
	f->done = done;
	f->ctx = ctx;
	f->volume = f->peer = f->node_id = BSRD_NOBODY;
	f->bad_peer = f->bad_volume = BSRD_NOBODY;
	return f;
}

void flow_submit(struct flow *f)
{
	struct bsrd_flows *flows = f->d->flows;
	*flows->last = f;
	flows->last = &f->next;
	bsr_loop_again(f->d->loop);
}

void flow_end(struct flow *f, int error)
{
	struct bsrd *d = f->d;
	struct bsrd_flows *flows = d->flows;
	struct bsrd_answer answer = {
		.error = error, .peer = f->bad_peer, .volume = f->bad_volume, .text = f->text};
	BSR_ASSERT(error <= 0 && flows->running > 0);
	flows->running--;
	if (f->serial) {
		BSR_ASSERT(flows->serial == f);
		flows->serial = NULL;
	}
	if (f->done != NULL) {
		f->done(f->ctx, &answer);
	}
	json_object_put(f->given);
	free(f->text1);
	free(f->text2);
	bsrd_fds_close(&f->disk_fds);
	explicit_bzero(f, sizeof(*f)); /* options carry a secret */
	free(f);
	bsr_loop_again(d->loop);
}

void flow_add_text(struct flow *f, const char *text)
{
	size_t used = strlen(f->text);
	if (text[0] != '\0' && used < sizeof(f->text) - 1) {
		snprintf(f->text + used, sizeof(f->text) - used, "%s%s", used > 0 ? "\n" : "", text);
	}
}

void flow_fail(struct flow *f, int error, const char *text)
{
	flow_add_text(f, text);
	flow_end(f, error);
}

static void command_done(void *ctx, const struct bsr_fx_command_done *done)
{
	struct flow *f = ctx;
	if (done->result != 0) {
		f->bad_peer = done->peer;
		f->bad_volume = done->volume;
	}
	f->next_fn(f, done->result);
}

void flow_command(struct flow *f, enum bsr_cmd type, flow_next_fn next)
{
	f->cmd.type = type;
	f->next_fn = next;
	bsrd_run_command(f->d, &f->cmd, command_done, f);
}

static void keeper_answered(void *ctx, const struct bsrd_message *answer, struct bsrd_fds *fds)
{
	struct flow *f = ctx;
	(void)fds;
	flow_add_text(f, answer->error != 0 ? answer->text : "");
	f->next_fn(f, answer->error);
}

void flow_keeper(struct flow *f, struct bsrd_message *m, flow_next_fn next)
{
	f->next_fn = next;
	bsrd_ipc_request(f->d->ipc, m, keeper_answered, f);
}

bool flow_needs_resource(struct flow *f)
{
	if (!f->d->running.exists) {
		flow_fail(f, -BSR_E_RES_UNKNOWN, "the resource has not been created yet; new-resource does");
		return false;
	}
	return true;
}

bool flow_needs_volume(struct flow *f)
{
	if (!flow_needs_resource(f)) {
		return false;
	}
	if (f->volume >= BSR_VOLUMES_MAX || !f->d->running.volume[f->volume].exists) {
		flow_end(f, -BSR_E_MINOR_INVALID);
		return false;
	}
	return true;
}

bool flow_needs_peer(struct flow *f)
{
	if (!flow_needs_resource(f)) {
		return false;
	}
	if (f->peer >= BSR_NODES_MAX || !f->d->running.peer[f->peer].exists) {
		flow_fail(f, -BSR_E_PEER_ID, "no such peer; new-peer makes it known");
		return false;
	}
	return true;
}

/* ------------------------------------------------------------------ queue */

static struct flow *take_startable(struct bsrd_flows *flows)
{
	bool serial_waits = flows->serial != NULL;
	for (struct flow **at = &flows->first; *at != NULL; at = &(*at)->next) {
		struct flow *f = *at;
		if (f->serial && serial_waits) {
			continue;
		}
		*at = f->next;
		if (*at == NULL) {
			flows->last = at;
		}
		f->next = NULL;
		return f;
	}
	return NULL;
}

static void queue_internal(struct bsrd_flows *flows)
{
	if (flows->check_devices && !flows->check_queued) {
		flows->check_devices = false;
		flows->check_queued = true;
		flow_submit(flow_new(flows->d, flow_check_devices, true, NULL, NULL));
	}
}

static __attribute__((noinline)) void start_flows(struct bsrd_flows *flows)
{
	queue_internal(flows);
	while (flows->running < FLOWS_RUNNING_MAX) {
		struct flow *f = take_startable(flows);
		if (f == NULL) {
			return;
		}
		flows->running++;
		if (f->serial) {
			flows->serial = f;
		}
		f->start(f);
	}
}

void bsrd_flows_turn(struct bsrd_flows *flows)
{
	if (flows->first != NULL || flows->check_devices) { /* rarely */
		start_flows(flows);
	}
}

int bsrd_flows_create(struct bsrd_flows **out, struct bsrd *d)
{
	struct bsrd_flows *flows = calloc(1, sizeof(*flows));
	if (flows == NULL) {
		return -ENOMEM;
	}
	flows->d = d;
	flows->last = &flows->first;
	flows->deadline_ns = UINT64_MAX;
	for (uint32_t i = 0; i < BSR_VOLUMES_MAX; i++) {
		flows->volume[i].channel_fd = -1;
		flows->volume[i].handed_data_fd = -1;
		flows->volume[i].handed_md_fd = -1;
	}
	*out = flows;
	return 0;
}

/* -------------------------------------------------------- clock, keeper gone */

uint64_t bsrd_flows_deadline(const struct bsrd_flows *flows)
{
	return flows->deadline_ns;
}

static void left(void *ctx, const struct bsrd_answer *answer)
{
	struct bsrd *d = ctx;
	d->flows->leave_queued = false;
	if (answer->error != 0) {
		bsr_log(BSR_LOGN_STOP_REFUSED, "error=%s text=\"%s\"", bsr_error_name(answer->error), answer->text);
	}
}

static bool device_used(const struct bsrd *d)
{
	for (uint32_t i = 0; i < BSR_VOLUMES_MAX; i++) {
		if (bsr_fuse_serving(d->devices, i) || bsr_nbd_clients(d->devices, i) > 0 ||
			d->flows->volume[i].channel_fd >= 0) {
			return true;
		}
	}
	return false;
}

void bsrd_flows_tick(struct bsrd_flows *flows)
{
	struct bsrd *d = flows->d;
	flows->deadline_ns = UINT64_MAX;
	if (flows->resume_wanted && !flows->resume_queued) {
		flows->resume_queued = true;
		flow_submit(flow_new(d, flow_resume, true, NULL, NULL));
	}
	if (d->keeper_gone && !flows->leave_queued && !device_used(d)) {
		flows->leave_queued = true;
		bsrd_flow_down(d, left, d);
	}
	if (flows->resume_wanted || d->keeper_gone) {
		flows->deadline_ns = bsrd_now_ns(d) + TICK_NS;
	}
}

void bsrd_flows_keeper_gone(struct bsrd *d)
{
	bsr_log(BSR_LOGN_KEEPER_GONE, "pid_of_engine=self devices=%s", device_used(d) ? "in-use" : "none");
	bsrd_adopt_wait(d);
	/* the loop closes devices that nobody holds by itself; look soon */
	d->flows->deadline_ns = bsrd_now_ns(d) + GRACE_NS;
	bsr_loop_again(d->loop);
}

static void stopped(void *ctx, const struct bsrd_answer *answer)
{
	(void)ctx;
	if (answer->error != 0) {
		bsr_log(BSR_LOGN_STOP_REFUSED, "error=%s holders=\"%s\"", bsr_error_name(answer->error), answer->text);
	}
}

void bsrd_flows_stop(struct bsrd *d)
{
	bsrd_flow_down(d, stopped, d);
}

void bsrd_flows_state(struct bsrd *d, const struct bsr_fx_state *state)
{
	if (state->object != BSR_OBJ_VOLUME || d->going_down) {
		return;
	}
	d->flows->check_devices |= d->running.role == BSR_ROLE_PRIMARY;
	if (state->u.volume.disk == BSR_DISK_DETACHING || state->u.volume.disk == BSR_DISK_FAILED) {
		bsrd_flows_disk_leaves(d, state->volume);
	}
	const enum bsr_disk_state disk = state->u.volume.disk;
	if (state->object == BSR_OBJ_VOLUME && d->running.role == BSR_ROLE_PRIMARY && !d->going_down &&
		(disk == BSR_DISK_FAILED || disk == BSR_DISK_DETACHING) && d->running.volume[state->volume].attached) {
		/* from now on peers may have what this disk lacks: a successor must not begin with it, should I die before it is gone */
		d->running.volume[state->volume].attached = false;
		bsrd_save_running(d);
	}
}
