// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * flows_device.c - the application devices of a Primary: made, resized, removed
 *
 * Owns: bsrd_volume.has_device and what belongs to it, channels handed over and not served yet.
 * A device is two halves: the keeper's (FUSE mount, loop device, links) and ours (the served
 * channel). The keeper sends the channel first; serving it lets the keeper's half come up.
 * Invariants:
 *   FD-1  Channels are served only while this node is Primary: a Secondary's device does not exist.
 *   FD-2  Nothing is removed while anything of this resource is held, unless an administrator forces it: then our end is
 *         closed before the keeper's, so that nothing of its holders reaches the volume any more.
 */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <bsr/assert.h>

#include "flows_private.h"

static uint64_t engine_size(const struct bsrd *d, uint32_t volume)
{
	struct bsr_volume_info info;
	bsr_engine_volume_info(d->engine, volume, &info);
	return info.exists ? info.size_bytes : 0;
}

static void volume_message(struct bsrd_message *m, enum bsrd_ipc_type type, uint32_t volume)
{
	bsrd_message_init(m, type);
	m->volume = volume;
	bsrd_message_set_text(m, "");
}

void flow_forget_device(struct bsrd *d, uint32_t volume)
{
	struct bsrd_volume *v = &d->running.volume[volume];
	struct flow_volume *fv = &d->flows->volume[volume];
	bsr_fuse_stop(d->devices, volume);
	bsrd_adopt_channel(d, volume, -1);
	if (fv->channel_fd >= 0) {
		close(fv->channel_fd);
		fv->channel_fd = -1;
	}
	v->has_device = false;
	v->device_bytes = 0;
	v->device_path[0] = '\0';
}

/* ----------------------------------------------------------------- channels */

void flow_serve_channel(struct bsrd *d, uint32_t volume)
{
	struct flow_volume *fv = &d->flows->volume[volume];
	if (fv->channel_fd < 0) {
		return;
	}
	if (fv->channel_resumed && engine_size(d, volume) == 0) {
		/*
		 * Neither a disk nor a peer has said yet how large the volume is: every request would be
		 * out of range. They wait in the kernel; flow_check_devices() comes back with the size.
		 */
		return;
	}
	int fd = fv->channel_fd;
	fv->channel_fd = -1;
	int error = bsr_fuse_serve(d->devices, volume, fd, fv->channel_bytes, fv->channel_resumed);
	if (error != 0) {
		bsr_log(BSR_LOGN_DEVICE_FAILED, "volume=%u what=\"serve FUSE channel\" error=\"%s\"",
			(unsigned)d->running.volume[volume].vnr, strerror(-error));
	}
}

static void keep_channel(struct bsrd *d, const struct bsrd_message *m, struct bsrd_fds *fds, bool resumed)
{
	struct flow_volume *fv = &d->flows->volume[m->volume];
	struct bsrd_volume *v = &d->running.volume[m->volume];
	BSR_ASSERT(fv->channel_fd < 0);
	fv->channel_fd = fds->fd[0];
	bsrd_adopt_channel(d, m->volume, fds->fd[0]);
	fds->count = 0;
	fv->channel_bytes = m->arg[0];
	fv->channel_resumed = resumed;
	v->has_device = true;
	v->device_bytes = m->arg[0];
	snprintf(v->device_path, sizeof(v->device_path), "%.63s", m->text);
}

void bsrd_flows_handed_channel(struct bsrd *d, const struct bsrd_message *m, struct bsrd_fds *fds)
{
	if (m->volume < BSR_VOLUMES_MAX && fds->count == 1) {
		keep_channel(d, m, fds, true);
	}
}

void bsrd_flows_channel(struct bsrd *d, const struct bsrd_message *m, struct bsrd_fds *fds)
{
	if (m->volume >= BSR_VOLUMES_MAX) {
		return;
	}
	if (fds->count == 1) {
		keep_channel(d, m, fds, false);
		flow_serve_channel(d, m->volume);
	} else if (m->error != 0) {
		flow_forget_device(d, m->volume);
		d->flows->check_devices = d->running.role == BSR_ROLE_PRIMARY;
	} else {
		struct bsrd_volume *v = &d->running.volume[m->volume];
		snprintf(v->device_path, sizeof(v->device_path), "%.63s", m->text);
	}
}

/* ----------------------------------------------------------------- creating */

static void create_next(struct flow *f);

static void offer_nbd(struct flow *f, uint32_t volume, uint64_t bytes)
{
	struct bsrd_volume *v = &f->d->running.volume[volume];
	char name[16];
	if (v->nbd_exported) {
		return;
	}
	snprintf(name, sizeof(name), "%u", (unsigned)v->vnr);
	int error = bsr_nbd_export(f->d->devices, volume, name, bytes);
	v->nbd_exported = error == 0;
	if (error != 0) {
		flow_add_text(f, "the NBD export could not be made");
	}
}

static void created(struct flow *f, int error)
{
	struct bsrd *d = f->d;
	if (error != 0) {
		flow_forget_device(d, f->at);
	}
	f->at++;
	create_next(f);
}

static void created_answer(void *ctx, const struct bsrd_message *answer, struct bsrd_fds *fds)
{
	struct flow *f = ctx;
	(void)fds;
	if (answer->error != 0) {
		flow_add_text(f, answer->text);
	} else {
		struct bsrd_volume *v = &f->d->running.volume[f->at];
		snprintf(v->device_path, sizeof(v->device_path), "%.63s", answer->text);
	}
	created(f, answer->error);
}

static void create_next(struct flow *f)
{
	struct bsrd *d = f->d;
	for (; f->at < BSR_VOLUMES_MAX; f->at++) {
		struct bsrd_volume *v = &d->running.volume[f->at];
		uint64_t bytes = v->exists ? engine_size(d, f->at) : 0;
		if (bytes == 0) {
			continue;
		}
		offer_nbd(f, f->at, bytes);
		if (v->has_device || d->keeper_gone) {
			continue;
		}
		struct bsrd_message m;
		volume_message(&m, BSRD_IPC_CREATE_DEVICE, f->at);
		m.arg[0] = bytes;
		bsrd_ipc_request(d->ipc, &m, created_answer, f);
		return;
	}
	f->devices_done(f);
}

void flow_create_devices(struct flow *f, flow_fn done)
{
	f->devices_done = done;
	f->at = 0;
	create_next(f);
}

/* ------------------------------------------------------------------ holders */

static void holders_next(struct flow *f);

static void held(struct flow *f, const char *text)
{
	char lines[BSRD_ANSWER_TEXT];
	snprintf(lines, sizeof(lines), "volume %u: %.1800s", (unsigned)f->d->running.volume[f->at].vnr, text);
	flow_add_text(f, lines);
	if (f->bad_volume == BSRD_NOBODY) {
		f->bad_volume = f->at;
	}
}

static void holders_answer(void *ctx, const struct bsrd_message *answer, struct bsrd_fds *fds)
{
	struct flow *f = ctx;
	(void)fds;
	if (answer->text[0] != '\0') {
		held(f, answer->text);
	}
	f->at++;
	holders_next(f);
}

static void holders_next(struct flow *f)
{
	struct bsrd *d = f->d;
	for (; f->at < BSR_VOLUMES_MAX; f->at++) {
		const struct bsrd_volume *v = &d->running.volume[f->at];
		uint32_t clients = v->exists ? bsr_nbd_clients(d->devices, f->at) : 0;
		if (clients > 0) {
			char text[80];
			snprintf(text, sizeof(text), "open by %u NBD client%s", (unsigned)clients,
				clients == 1 ? "" : "s");
			held(f, text);
		}
		if (v->exists && v->has_device && (!d->keeper_gone || bsr_fuse_serving(d->devices, f->at))) {
			struct bsrd_message m;
			volume_message(&m, BSRD_IPC_HOLDERS, f->at);
			flow_serve_channel(d, f->at); /* looking at a device may read from it */
			bsrd_ipc_request(d->ipc, &m, holders_answer, f);
			return;
		}
	}
	if (f->text[0] != '\0') {
		flow_end(f, -BSR_E_DEVICE_OPEN);
		return;
	}
	f->devices_done(f);
}

void flow_check_holders(struct flow *f, flow_fn done)
{
	f->devices_done = done;
	f->at = 0;
	holders_next(f);
}

static void nobody_holds(struct flow *f)
{
	flow_end(f, 0);
}

static void holders_wanted(struct flow *f)
{
	flow_check_holders(f, nobody_holds);
}

static void holders_told(void *ctx, const struct bsrd_answer *answer)
{
	struct flow *outer = ctx;
	flow_add_text(outer, answer->text);
	flow_end(outer, 0);
}

static void holders_start(struct flow *f)
{
	struct flow *inner = flow_new(f->d, holders_wanted, false, holders_told, f);
	flow_submit(inner);
}

void bsrd_holders(struct bsrd *d, bsrd_done_fn done, void *ctx)
{
	flow_submit(flow_new(d, holders_start, false, done, ctx));
}

/* ----------------------------------------------------------------- removing */

static void remove_next(struct flow *f);

static void put_back(struct flow *f)
{
	flow_end(f, f->pending_error);
}

static void remove_answer(void *ctx, const struct bsrd_message *answer, struct bsrd_fds *fds)
{
	struct flow *f = ctx;
	struct bsrd *d = f->d;
	(void)fds;
	if (answer->error != 0 && !d->keeper_gone) {
		held(f, answer->text);
		f->pending_error = answer->error;
		flow_create_devices(f, put_back);
		return;
	}
	if (answer->text[0] != '\0' && !d->keeper_gone) { /* forced */
		char lines[BSRD_ANSWER_TEXT];
		snprintf(lines, sizeof(lines), "volume %u was taken away: %.1800s", (unsigned)d->running.volume[f->at].vnr, answer->text);
		flow_add_text(f, lines);
	}
	flow_forget_device(d, f->at);
	f->at++;
	remove_next(f);
}

static void take_away(struct flow *f)
{
	struct bsrd *d = f->d;
	struct bsrd_message m;
	volume_message(&m, BSRD_IPC_REMOVE_DEVICE, f->at);
	m.arg[0] = 1;
	if (d->flows->volume[f->at].channel_fd >= 0) {
		close(d->flows->volume[f->at].channel_fd);
		d->flows->volume[f->at].channel_fd = -1;
	}
	bsrd_adopt_channel(d, f->at, -1);
	bsr_fuse_stop(d->devices, f->at);
	bsrd_ipc_request(d->ipc, &m, remove_answer, f);
}

static void remove_next(struct flow *f)
{
	struct bsrd *d = f->d;
	for (; f->at < BSR_VOLUMES_MAX; f->at++) {
		struct bsrd_volume *v = &d->running.volume[f->at];
		const bool force = (f->flags & BSR_CMDF_FORCE) != 0;
		if (v->exists && v->nbd_exported) {
			bsr_nbd_unexport(d->devices, f->at);
			v->nbd_exported = false;
		}
		if (v->exists && v->has_device && force) {
			take_away(f);
			return;
		}
		if (v->exists && v->has_device) {
			struct bsrd_message m;
			volume_message(&m, BSRD_IPC_REMOVE_DEVICE, f->at);
			flow_serve_channel(d, f->at); /* its end is answered by us */
			bsrd_ipc_request(d->ipc, &m, remove_answer, f);
			return;
		}
	}
	f->devices_done(f);
}

void flow_remove_devices(struct flow *f, flow_fn done)
{
	f->devices_done = done;
	f->at = 0;
	remove_next(f);
}

/* ----------------------------------------------- sizes and late volumes */

static void resize_next(struct flow *f, int error)
{
	struct bsrd *d = f->d;
	if (error != 0) {
		bsr_log(BSR_LOGN_DEVICE_FAILED, "what=resize text=\"%s\"", f->text);
		flow_end(f, 0);
		return;
	}
	for (; f->at < BSR_VOLUMES_MAX; f->at++) {
		struct bsrd_volume *v = &d->running.volume[f->at];
		uint64_t bytes = v->exists ? engine_size(d, f->at) : 0;
		if (bytes == 0 || !v->has_device || bytes <= v->device_bytes) {
			continue; /* a device never shrinks under its users */
		}
		struct bsrd_message m;
		bsr_device_resize(d->devices, f->at, bytes);
		v->device_bytes = bytes;
		volume_message(&m, BSRD_IPC_RESIZE_DEVICE, f->at);
		m.arg[0] = bytes;
		flow_keeper(f, &m, resize_next);
		return;
	}
	flow_end(f, 0);
}

static void late_created(struct flow *f)
{
	f->at = 0;
	resize_next(f, 0);
}

void flow_check_devices(struct flow *f)
{
	f->d->flows->check_queued = false;
	if (f->d->running.role != BSR_ROLE_PRIMARY || f->d->flows->resume_wanted || f->d->engine == NULL) {
		flow_end(f, 0);
		return;
	}
	for (uint32_t i = 0; i < BSR_VOLUMES_MAX; i++) {
		flow_serve_channel(f->d, i);
	}
	flow_create_devices(f, late_created);
}
