// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * flows_rebuild.c - a new engine process becomes what its predecessor was
 *
 * Owns: the order: options, volumes, peers, disks, role, devices, connections. Disks come before
 *       the role because a
 * Primary needs data; the role comes before connections because the handshake tells it; devices are
 * served as soon as the role is there, because applications are waiting.
 */
#include <string.h>
#include <unistd.h>

#include <bsr/assert.h>

#include "flows_private.h"

struct phase {
	const char *what;
	uint32_t count;
	/* false: nothing to do for this one */
	bool (*fill)(struct flow *f, uint32_t index);
	enum bsr_cmd cmd;
	void (*after)(struct flow *f, uint32_t index, int error);
};

static bool fill_resource(struct flow *f, uint32_t index)
{
	(void)index;
	f->cmd.u.resource = f->d->running.options;
	return true;
}

static bool fill_volume(struct flow *f, uint32_t index)
{
	const struct bsrd_volume *v = &f->d->running.volume[index];
	f->cmd.volume = index;
	f->cmd.vnr = v->vnr;
	return v->exists;
}

static bool fill_peer(struct flow *f, uint32_t index)
{
	const struct bsrd_peer *p = &f->d->running.peer[index];
	f->cmd.peer = index;
	f->cmd.u.net = p->net;
	return p->exists;
}

static void after_peer(struct flow *f, uint32_t index, int error)
{
	if (error == 0 && flow_set_link(f->d, index) != 0) {
		bsr_log(BSR_LOGN_REBUILD_STEP_FAILED, "what=addresses peer=%u", (unsigned)index);
	}
}

static bool fill_peer_device(struct flow *f, uint32_t index)
{
	uint32_t peer = index / BSR_VOLUMES_MAX;
	uint32_t volume = index % BSR_VOLUMES_MAX;
	const struct bsrd_peer *p = &f->d->running.peer[peer];
	f->cmd.peer = peer;
	f->cmd.volume = volume;
	f->cmd.u.peer_device = p->peer_device[volume];
	return p->exists && p->peer_device_given[volume] != NULL && f->d->running.volume[volume].exists;
}

static void close_handed(struct flow_volume *fv)
{
	if (fv->handed_md_fd != fv->handed_data_fd) {
		close(fv->handed_md_fd);
	}
	close(fv->handed_data_fd);
	fv->handed_data_fd = fv->handed_md_fd = -1;
}

/* A disk whose attach or detach the predecessor did not see through goes back to the keeper. */
static void return_disk(struct bsrd *d, uint32_t volume)
{
	struct bsrd_message m;
	close_handed(&d->flows->volume[volume]);
	bsrd_message_init(&m, BSRD_IPC_CLOSE_DISK);
	m.volume = volume;
	bsrd_ipc_note(d->ipc, &m, NULL);
}

static bool fill_attach(struct flow *f, uint32_t index)
{
	struct bsrd *d = f->d;
	struct bsrd_volume *v = &d->running.volume[index];
	struct flow_volume *fv = &d->flows->volume[index];
	if (fv->handed_data_fd < 0) {
		if (v->exists && v->attached) {
			v->attached = false;
			bsr_log(BSR_LOGN_REBUILD_STEP_FAILED, "what=attach volume=%u why=\"the keeper has no disk for it\"",
				(unsigned)v->vnr);
		}
		return false;
	}
	if (!v->exists || !v->attached) {
		return_disk(d, index);
		return false;
	}
	if (bsrd_disk_use(d, index, fv->handed_data_fd, fv->handed_md_fd) != 0) {
		return_disk(d, index);
		v->attached = false;
		return false;
	}
	fv->handed_data_fd = fv->handed_md_fd = -1;
	flow_fill_attach(f, index);
	return true;
}

static void after_attach(struct flow *f, uint32_t index, int error)
{
	if (error != 0) {
		/* no effect when the engine has said so itself */
		bsrd_flows_disk_gone(f->d, index);
	}
}

static bool fill_primary(struct flow *f, uint32_t index)
{
	(void)index;
	f->cmd.flags = BSR_CMDF_RESUME_PRIMARY;
	return f->d->running.role == BSR_ROLE_PRIMARY;
}

static void after_primary(struct flow *f, uint32_t index, int error)
{
	struct bsrd *d = f->d;
	(void)index;
	f->cmd.flags = 0;
	if (error != 0) {
		bsr_log(BSR_LOGN_RESUME_FAILED, "role=Primary error=%s why=\"%s\"", bsr_error_name(error),
			bsr_error_text(error));
		d->flows->resume_wanted = true;
		d->flows->deadline_ns = bsrd_now_ns(d) + 1000000000ull;
		return;
	}
	for (uint32_t i = 0; i < BSR_VOLUMES_MAX; i++) {
		flow_serve_channel(d, i);
	}
}

static bool fill_connect(struct flow *f, uint32_t index)
{
	const struct bsrd_peer *p = &f->d->running.peer[index];
	f->cmd.peer = index;
	return p->exists && p->wanted && p->path_count > 0;
}

static const struct phase phases[] = {
	{"resource", 1, fill_resource, BSR_CMD_RESOURCE_OPTIONS, NULL},
	{"volume", BSR_VOLUMES_MAX, fill_volume, BSR_CMD_NEW_VOLUME, NULL},
	{"peer", BSR_NODES_MAX, fill_peer, BSR_CMD_NEW_PEER, after_peer},
	{"peer-device", BSR_NODES_MAX * BSR_VOLUMES_MAX, fill_peer_device, BSR_CMD_PEER_DEVICE_OPTIONS, NULL},
	{"attach", BSR_VOLUMES_MAX, fill_attach, BSR_CMD_ATTACH, after_attach},
	{"primary", 1, fill_primary, BSR_CMD_PRIMARY, after_primary},
	{"connect", BSR_NODES_MAX, fill_connect, BSR_CMD_CONNECT, NULL},
};
#define PHASE_COUNT (uint32_t)(sizeof(phases) / sizeof(phases[0]))

static void rebuild_next(struct flow *f);

static void rebuild_step_done(struct flow *f, int error)
{
	const struct phase *phase = &phases[f->phase];
	if (error != 0) {
		bsr_log(BSR_LOGN_REBUILD_STEP_FAILED, "what=%s index=%u error=%s why=\"%s\"", phase->what,
			(unsigned)f->at, bsr_error_name(error), bsr_error_text(error));
	}
	if (phase->after != NULL) {
		phase->after(f, f->at, error);
	}
	f->at++;
	rebuild_next(f);
}

static void send_ready(struct bsrd *d)
{
	struct bsrd_message m;
	bsrd_message_init(&m, BSRD_IPC_READY);
	bsrd_message_set_text(&m, "");
	bsrd_ipc_note(d->ipc, &m, NULL);
}

static void undevice_done(struct flow *f)
{
	flow_end(f, 0);
}

/*
 * Devices that a Secondary has left over (the predecessor died while it removed them) go; a
 * Primary's missing ones come.
 */
static void rebuilt(struct flow *f)
{
	struct bsrd *d = f->d;
	d->rebuilding = false;
	bsrd_save_running(d);
	send_ready(d);
	if (d->running.role == BSR_ROLE_PRIMARY) {
		d->flows->check_devices = true;
		flow_end(f, 0);
		return;
	}
	flow_remove_devices(f, undevice_done);
}

static void rebuild_next(struct flow *f)
{
	for (; f->phase < PHASE_COUNT; f->phase++, f->at = 0) {
		const struct phase *phase = &phases[f->phase];
		for (; f->at < phase->count; f->at++) {
			memset(&f->cmd, 0, sizeof(f->cmd));
			if (phase->fill(f, f->at)) {
				flow_command(f, phase->cmd, rebuild_step_done);
				return;
			}
		}
	}
	rebuilt(f);
}

static void first_ready(void *ctx, const struct bsrd_answer *answer)
{
	struct bsrd *d = ctx;
	if (answer->error != 0) {
		bsr_log(BSR_LOGN_KEEPER_FAILED, "what=new-resource error=%s text=\"%s\"",
			bsr_error_name(answer->error), answer->text);
		_exit(BSRD_EXIT_FAILED);
	}
	send_ready(d);
}

void bsrd_flows_rebuild(struct bsrd *d, uint32_t node_id)
{
	if (d->running.exists) {
		d->rebuilding = true;
		flow_submit(flow_new(d, rebuild_next, true, NULL, NULL));
	} else if (node_id != BSRD_NOBODY && d->generation == 1) {
		bsrd_flow_new_resource(d, node_id, NULL, first_ready, d);
	} else {
		send_ready(d);
	}
}
