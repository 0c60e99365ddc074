// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * flows_disk.c - volumes and their disks: new-volume, del-volume, attach, detach, options
 *
 * Owns: running.volume[] but for the devices, the closing of disks.
 * Invariants:
 *   FK-1  A disk is in the running configuration as attached only after the engine has accepted it.
 *   FK-2  Detach and down are done when the keeper has let go of the disk: tools may have it at
 *         once.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <bsr/assert.h>

#include "flows_private.h"
#include "running.h"

/* ------------------------------------------------------------------ volumes */

static void volume_added(struct flow *f, int error)
{
	struct bsrd *d = f->d;
	if (error != 0) {
		/* the claim goes back; its answer does not change ours */
		struct bsrd_message m;
		bsrd_message_init(&m, BSRD_IPC_FREE_MINOR);
		m.volume = f->volume;
		bsrd_ipc_note(d->ipc, &m, NULL);
		flow_end(f, error);
		return;
	}
	struct bsrd_volume *v = &d->running.volume[f->volume];
	memset(v, 0, sizeof(*v));
	v->exists = true;
	v->vnr = f->vnr;
	v->minor = f->minor;
	v->disk_given = json_object_new_object();
	bsr_disk_options_defaults(&v->disk);
	for (uint32_t i = 0; i < BSR_NODES_MAX; i++) {
		bsr_peer_device_options_defaults(&d->running.peer[i].peer_device[f->volume]);
	}
	bsrd_save_running(d);
	flow_end(f, 0);
}

static void minor_claimed(struct flow *f, int error)
{
	if (error != 0) {
		flow_end(f, error);
		return;
	}
	f->cmd.volume = f->volume;
	f->cmd.vnr = f->vnr;
	flow_command(f, BSR_CMD_NEW_VOLUME, volume_added);
}

/* The volume number itself where possible, so that logs and tables read alike. */
static uint32_t free_index(const struct bsrd *d, uint32_t vnr)
{
	if (vnr < BSR_VOLUMES_MAX && !d->running.volume[vnr].exists) {
		return vnr;
	}
	for (uint32_t i = 0; i < BSR_VOLUMES_MAX; i++) {
		if (!d->running.volume[i].exists) {
			return i;
		}
	}
	return BSRD_NOBODY;
}

static void new_volume_start(struct flow *f)
{
	struct bsrd *d = f->d;
	if (!flow_needs_resource(f)) {
		return;
	}
	if (f->vnr > BSR_VNR_MAX) {
		flow_fail(f, -BSR_E_INVALID_REQUEST, "volume numbers are 0..65535");
		return;
	}
	if (bsrd_volume_find(d, f->vnr) >= 0 || bsrd_volume_find_minor(d, f->minor) >= 0) {
		flow_end(f, -BSR_E_MINOR_EXISTS);
		return;
	}
	f->volume = free_index(d, f->vnr);
	if (f->volume == BSRD_NOBODY) {
		flow_fail(f, -BSR_E_NO_SPACE, "a resource has at most 64 volumes");
		return;
	}
	struct bsrd_message m;
	bsrd_message_init(&m, BSRD_IPC_CLAIM_MINOR);
	m.volume = f->volume;
	m.arg[0] = f->minor;
	m.arg[1] = f->vnr;
	flow_keeper(f, &m, minor_claimed);
}

void bsrd_flow_new_volume(struct bsrd *d, uint32_t minor, uint32_t vnr, bsrd_done_fn done, void *ctx)
{
	struct flow *f = flow_new(d, new_volume_start, true, done, ctx);
	f->minor = minor;
	f->vnr = vnr;
	flow_submit(f);
}

static void minor_freed(struct flow *f, int error)
{
	struct bsrd *d = f->d;
	if (error != 0) {
		flow_end(f, error);
		return;
	}
	bsrd_running_clear_volume(&d->running.volume[f->volume]);
	for (uint32_t i = 0; i < BSR_NODES_MAX; i++) {
		json_object_put(d->running.peer[i].peer_device_given[f->volume]);
		d->running.peer[i].peer_device_given[f->volume] = NULL;
	}
	bsrd_save_running(d);
	flow_end(f, 0);
}

static void volume_removed(struct flow *f, int error)
{
	if (error != 0) {
		flow_end(f, error);
		return;
	}
	struct bsrd_message m;
	bsrd_message_init(&m, BSRD_IPC_FREE_MINOR);
	m.volume = f->volume;
	flow_keeper(f, &m, minor_freed);
}

static void del_volume_start(struct flow *f)
{
	if (!flow_needs_volume(f)) {
		return;
	}
	const struct bsrd_volume *v = &f->d->running.volume[f->volume];
	if (v->has_device || bsrd_disk_in_use(f->d, f->volume) || f->d->flows->volume[f->volume].closing) {
		flow_end(f, -BSR_E_MINOR_CONFIGURED);
		return;
	}
	f->cmd.volume = f->volume;
	flow_command(f, BSR_CMD_DEL_VOLUME, volume_removed);
}

void bsrd_flow_del_volume(struct bsrd *d, uint32_t volume, bsrd_done_fn done, void *ctx)
{
	struct flow *f = flow_new(d, del_volume_start, true, done, ctx);
	f->volume = volume;
	flow_submit(f);
}

/* ------------------------------------------------------------------ closing */

static void keeper_closed(void *ctx, const struct bsrd_message *answer, struct bsrd_fds *fds)
{
	struct bsrd *d = ctx;
	struct bsrd_flows *flows = d->flows;
	(void)fds;
	flows->volume[answer->volume].closing = false;
	if (flows->waiter != NULL) {
		struct flow *f = flows->waiter;
		flows->waiter = NULL;
		flow_wait_closed(f, f->next_fn);
	}
}

static void ask_keeper_to_close(struct bsrd *d, uint32_t volume)
{
	struct bsrd_message m;
	bsrd_message_init(&m, BSRD_IPC_CLOSE_DISK);
	m.volume = volume;
	bsrd_ipc_request(d->ipc, &m, keeper_closed, d);
}

struct closing {
	struct bsrd *d;
	uint32_t volume;
};

static void released(void *ctx)
{
	struct closing *c = ctx;
	ask_keeper_to_close(c->d, c->volume);
	free(c);
}

static void close_disk(struct bsrd *d, uint32_t volume)
{
	struct closing *c = malloc(sizeof(*c));
	BSR_ASSERT(c != NULL);
	*c = (struct closing){.d = d, .volume = volume};
	d->flows->volume[volume].closing = true;
	bsrd_disk_release(d, volume, released, c);
}

/*
 * Goes on when every disk that is not attached any more has been let go of, by us and by the
 * keeper.
 */
void flow_wait_closed(struct flow *f, flow_next_fn next)
{
	struct bsrd *d = f->d;
	f->next_fn = next;
	for (uint32_t i = 0; i < BSR_VOLUMES_MAX; i++) {
		bool wanted = f->volume == BSRD_NOBODY || f->volume == i;
		if (wanted && (d->flows->volume[i].closing || bsrd_disk_in_use(d, i))) {
			BSR_ASSERT(d->flows->waiter == NULL);
			d->flows->waiter = f;
			return;
		}
	}
	next(f, 0);
}

/*
 * From the moment that a disk begins to leave, writes may go on without it. Leaving can take as long as a disk hangs, and
 * the process may die meanwhile: the next one must not take the disk for what it was.
 */
void bsrd_flows_disk_leaves(struct bsrd *d, uint32_t volume)
{
	BSR_ASSERT(volume < BSR_VOLUMES_MAX);
	if (d->running.volume[volume].attached && !d->going_down) {
		d->running.volume[volume].attached = false;
		bsrd_save_running(d);
	}
}

void bsrd_flows_disk_gone(struct bsrd *d, uint32_t volume)
{
	BSR_ASSERT(volume < BSR_VOLUMES_MAX);
	if (!bsrd_disk_in_use(d, volume) || d->flows->volume[volume].closing) {
		return;
	}
	bsrd_flows_disk_leaves(d, volume);
	close_disk(d, volume);
}

/* ------------------------------------------------------------------- attach */

static void attach_failed(struct flow *f, int ignored)
{
	BSR_ASSERT(ignored == 0);
	flow_end(f, f->pending_error);
}

static void attached(struct flow *f, int error)
{
	struct bsrd *d = f->d;
	struct bsrd_volume *v = &d->running.volume[f->volume];
	if (error != 0) {
		f->pending_error = error;
		if (bsrd_disk_in_use(d, f->volume) && !d->flows->volume[f->volume].closing) {
			close_disk(d, f->volume);
		}
		flow_wait_closed(f, attach_failed);
		return;
	}
	v->attached = bsrd_disk_in_use(d, f->volume); /* it may have failed already */
	snprintf(v->disk_path, sizeof(v->disk_path), "%s", f->text1);
	snprintf(v->md_path, sizeof(v->md_path), "%s", f->text2);
	v->md_kind = f->md_kind;
	v->md_index = f->md_index;
	v->md_stride_mib = f->md_stride_mib;
	v->size_bytes = f->size_bytes;
	v->disk = f->o.disk;
	json_object_put(v->disk_given);
	v->disk_given = json_object_get(f->given);
	bsrd_save_running(d);
	flow_end(f, 0);
}

static void disk_opened(void *ctx, const struct bsrd_message *answer, struct bsrd_fds *fds)
{
	struct flow *f = ctx;
	struct bsrd *d = f->d;
	if (answer->error != 0 || fds->count == 0) {
		flow_fail(f, answer->error != 0 ? answer->error : -BSR_E_OPEN_BACKING, answer->text);
		return;
	}
	int md_fd = fds->count == 2 ? fds->fd[1] : fds->fd[0];
	if (bsrd_disk_use(d, f->volume, fds->fd[0], md_fd) != 0) {
		ask_keeper_to_close(d, f->volume);
		flow_fail(f, -BSR_E_NO_SPACE, "no slot for the descriptor");
		return;
	}
	fds->count = 0;
	d->flows->volume[f->volume].data_bytes = answer->arg[0];
	d->flows->volume[f->volume].md_bytes = answer->arg[1];
	d->running.volume[f->volume].write_through = answer->arg[2] != 0;
	f->md_stride_mib = answer->arg[3] == 128 ? 128 : 256;
	f->cmd.volume = f->volume;
	f->cmd.u.attach = (struct bsr_attach){.data_bytes = answer->arg[0],
		.md_bytes = answer->arg[1],
		.md_kind = f->md_kind,
		.md_index = f->md_index,
		.md_index_stride_bytes = (uint64_t)f->md_stride_mib << 20,
		.size_bytes = f->size_bytes,
		.write_through = answer->arg[2] != 0,
		.options = f->o.disk};
	flow_command(f, BSR_CMD_ATTACH, attached);
}

static void attach_start(struct flow *f)
{
	struct bsrd *d = f->d;
	char why[400] = "";
	if (!flow_needs_volume(f)) {
		return;
	}
	int error = bsr_options_disk(f->given, &f->o.disk, &f->size_bytes, why, sizeof(why));
	if (error != 0) {
		flow_fail(f, error, why);
		return;
	}
	if (bsrd_disk_in_use(d, f->volume) || d->flows->volume[f->volume].closing) {
		flow_end(f, -BSR_E_DISK_CONFIGURED);
		return;
	}
	struct bsrd_message m;
	bsrd_message_init(&m, BSRD_IPC_OPEN_DISK);
	m.volume = f->volume;
	m.arg[0] = (uint64_t)f->md_kind;
	m.arg[1] = f->md_index;
	if (!bsrd_message_add_text(&m, f->text1) || !bsrd_message_add_text(&m, f->text2)) {
		flow_fail(f, -BSR_E_OPEN_BACKING, "the path is too long");
		return;
	}
	bsrd_ipc_request_with(d->ipc, &m, &f->disk_fds, disk_opened, f);
}

void bsrd_flow_attach(struct bsrd *d, const struct bsrd_attach_args *args, bsrd_done_fn done, void *ctx)
{
	struct flow *f = flow_new(d, attach_start, true, done, ctx);
	f->volume = args->volume;
	f->text1 = strndup(args->disk_path, BSRD_PATH_MAX - 1);
	f->text2 = strndup(args->md_path, BSRD_PATH_MAX - 1);
	BSR_ASSERT(f->text1 != NULL && f->text2 != NULL);
	f->md_kind = args->md_kind;
	f->md_index = args->md_index;
	f->disk_fds = args->fds;
	f->given = json_object_get(args->options);
	flow_submit(f);
}

/* ------------------------------------------------------------------- detach */

static void detach_closed(struct flow *f, int error)
{
	BSR_ASSERT(error == 0);
	flow_end(f, 0);
}

static void detached(struct flow *f, int error)
{
	if (error != 0) {
		flow_end(f, error);
		return;
	}
	if (f->d->flows->waiter != NULL) {
		flow_end(f, 0); /* a forced detach beside one that waits for the same disk */
		return;
	}
	flow_wait_closed(f, detach_closed);
}

static void detach_start(struct flow *f)
{
	if (!flow_needs_volume(f)) {
		return;
	}
	f->cmd.volume = f->volume;
	f->cmd.flags = f->flags;
	flow_command(f, BSR_CMD_DETACH, detached);
}

void bsrd_flow_detach(struct bsrd *d, uint32_t volume, uint32_t flags, bsrd_done_fn done, void *ctx)
{
	/* A forced one may overtake: it is what helps when the other hangs on its disk. */
	struct flow *f = flow_new(d, detach_start, (flags & BSR_CMDF_FORCE) == 0, done, ctx);
	f->volume = volume;
	f->flags = flags;
	flow_submit(f);
}

/* ------------------------------------------------------------------ options */

static void disk_options_set(struct flow *f, int error)
{
	if (error == 0) {
		struct bsrd_volume *v = &f->d->running.volume[f->volume];
		v->disk = f->o.disk;
		v->size_bytes = f->size_bytes;
		json_object_put(v->disk_given);
		v->disk_given = json_object_get(f->given);
		bsrd_save_running(f->d);
	}
	flow_end(f, error);
}

static void disk_options_start(struct flow *f)
{
	char why[400] = "";
	if (!flow_needs_volume(f)) {
		return;
	}
	int error = bsr_options_disk(f->given, &f->o.disk, &f->size_bytes, why, sizeof(why));
	if (error != 0) {
		flow_fail(f, error, why);
		return;
	}
	f->cmd.volume = f->volume;
	f->cmd.u.disk = f->o.disk;
	flow_command(f, BSR_CMD_DISK_OPTIONS, disk_options_set);
}

void bsrd_flow_disk_options(
	struct bsrd *d, uint32_t volume, struct json_object *options, bsrd_done_fn done, void *ctx)
{
	struct flow *f = flow_new(d, disk_options_start, true, done, ctx);
	f->volume = volume;
	f->given = json_object_get(options);
	flow_submit(f);
}

/* ------------------------------------------------------------------ restart */

void bsrd_flows_handed_disk(struct bsrd *d, const struct bsrd_message *m, struct bsrd_fds *fds)
{
	if (m->volume >= BSR_VOLUMES_MAX || fds->count == 0) {
		return;
	}
	struct flow_volume *fv = &d->flows->volume[m->volume];
	fv->handed_data_fd = fds->fd[0];
	fv->handed_md_fd = fds->count == 2 ? fds->fd[1] : fds->fd[0];
	fv->data_bytes = m->arg[0];
	fv->md_bytes = m->arg[1];
	d->running.volume[m->volume].write_through = m->arg[2] != 0;
	fds->count = 0;
}

/*
 * The attach command of a volume whose disk was handed over; its descriptors are in use from now
 * on.
 */
void flow_fill_attach(struct flow *f, uint32_t volume)
{
	const struct bsrd_volume *v = &f->d->running.volume[volume];
	const struct flow_volume *fv = &f->d->flows->volume[volume];
	f->cmd.volume = volume;
	f->cmd.u.attach = (struct bsr_attach){.data_bytes = fv->data_bytes,
		.md_bytes = fv->md_bytes,
		.md_kind = v->md_kind,
		.md_index = v->md_index,
		.md_index_stride_bytes = (uint64_t)v->md_stride_mib << 20,
		.size_bytes = v->size_bytes,
		.write_through = v->write_through,
		.options = v->disk};
}
