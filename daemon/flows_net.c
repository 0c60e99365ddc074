// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * flows_net.c - the resource itself, its peers and the ways to them
 *
 * Owns: running.options, running.peer[], the addresses this process listens on.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <bsr/assert.h>

#include "flows_private.h"
#include "running.h"

static void keep_given(struct json_object **place, struct json_object *given)
{
	json_object_put(*place);
	*place = json_object_get(given);
}

/* ----------------------------------------------------------------- resource */

static void resource_options_set(struct flow *f, int error)
{
	if (error == 0) {
		f->d->running.options = f->o.resource;
		keep_given(&f->d->running.options_given, f->given);
		bsrd_save_running(f->d);
	}
	flow_end(f, error);
}

static void new_resource_start(struct flow *f)
{
	struct bsrd *d = f->d;
	char why[400] = "";
	if (d->running.exists) {
		flow_fail(f, -BSR_E_INVALID_REQUEST, "the resource exists already; bsradm up adds what is missing, bsradm adjust changes what runs");
		return;
	}
	if (f->node_id >= BSR_NODES_MAX) {
		flow_fail(f, -BSR_E_INVALID_REQUEST, "node ids are 0..31");
		return;
	}
	int error = bsr_options_resource(f->given, &f->o.resource, why, sizeof(why));
	if (error != 0) {
		flow_fail(f, error, why);
		return;
	}
	d->running.node_id = f->node_id;
	error = bsrd_create_engine(d);
	if (error != 0) {
		flow_end(f, error);
		return;
	}
	d->running.exists = true;
	f->cmd.u.resource = f->o.resource;
	flow_command(f, BSR_CMD_RESOURCE_OPTIONS, resource_options_set);
}

void bsrd_flow_new_resource(
	struct bsrd *d, uint32_t node_id, struct json_object *options, bsrd_done_fn done, void *ctx)
{
	struct flow *f = flow_new(d, new_resource_start, true, done, ctx);
	f->node_id = node_id;
	f->given = options != NULL ? json_object_get(options) : json_object_new_object();
	flow_submit(f);
}

static void resource_options_start(struct flow *f)
{
	char why[400] = "";
	if (!flow_needs_resource(f)) {
		return;
	}
	int error = bsr_options_resource(f->given, &f->o.resource, why, sizeof(why));
	if (error != 0) {
		flow_fail(f, error, why);
		return;
	}
	f->cmd.u.resource = f->o.resource;
	flow_command(f, BSR_CMD_RESOURCE_OPTIONS, resource_options_set);
}

void bsrd_flow_resource_options(struct bsrd *d, struct json_object *options, bsrd_done_fn done, void *ctx)
{
	struct flow *f = flow_new(d, resource_options_start, true, done, ctx);
	f->given = json_object_get(options);
	flow_submit(f);
}

/* -------------------------------------------------------------------- peers */

/*
 * flow_set_link - the links module learns the peer's addresses and options; without a path there is
 * nothing to tell
 */
int flow_set_link(struct bsrd *d, uint32_t peer)
{
	const struct bsrd_peer *p = &d->running.peer[peer];
	struct bsr_link_path paths[BSRD_PATHS_MAX];
	if (p->path_count == 0) {
		return 0;
	}
	for (uint32_t i = 0; i < p->path_count; i++) {
		paths[i] = p->path[i].path;
	}
	int error = bsr_links_set_peer(d->links, peer, paths, p->path_count, &p->link);
	switch (error) {
	case 0:
		return 0;
	case -ENOTSUP:
		return -BSR_E_AUTH;
	case -ENOMEM:
		return -BSR_E_NO_MEMORY;
	default:
		return -BSR_E_PEER_ADDR;
	}
}

static void peer_added(struct flow *f, int error)
{
	struct bsrd *d = f->d;
	if (error != 0) {
		flow_end(f, error);
		return;
	}
	struct bsrd_peer *p = &d->running.peer[f->peer];
	memset(p, 0, sizeof(*p));
	p->exists = true;
	snprintf(p->name, sizeof(p->name), "%s", f->text1);
	p->net = f->o.peer.net;
	p->link = f->o.peer.link;
	keep_given(&p->net_given, f->given);
	for (uint32_t i = 0; i < BSR_VOLUMES_MAX; i++) {
		bsr_peer_device_options_defaults(&p->peer_device[i]);
	}
	bsrd_save_running(d);
	flow_end(f, 0);
}

static bool parse_net(struct flow *f)
{
	char why[400] = "";
	int error = bsr_options_net(f->given, &f->o.peer.net, &f->o.peer.link, why, sizeof(why));
	if (error != 0) {
		flow_fail(f, error, why);
	}
	return error == 0;
}

static void new_peer_start(struct flow *f)
{
	struct bsrd *d = f->d;
	if (!flow_needs_resource(f)) {
		return;
	}
	if (f->peer >= BSR_NODES_MAX || f->peer == d->running.node_id) {
		flow_fail(f, -BSR_E_PEER_ID, "a peer's node id is 0..31 and not the own one");
		return;
	}
	if (d->running.peer[f->peer].exists) {
		flow_end(f, -BSR_E_NET_CONFIGURED);
		return;
	}
	if (!parse_net(f)) {
		return;
	}
	f->cmd.peer = f->peer;
	f->cmd.u.net = f->o.peer.net;
	flow_command(f, BSR_CMD_NEW_PEER, peer_added);
}

void bsrd_flow_new_peer(struct bsrd *d, uint32_t peer, const char *name, struct json_object *options,
	bsrd_done_fn done, void *ctx)
{
	struct flow *f = flow_new(d, new_peer_start, true, done, ctx);
	f->peer = peer;
	f->text1 = strndup(name, BSR_NAME_BYTES_MAX);
	BSR_ASSERT(f->text1 != NULL);
	f->given = json_object_get(options);
	flow_submit(f);
}

static bool is_local_address(const struct bsrd *d, const struct sockaddr_storage *address)
{
	for (uint32_t i = 0; i < BSR_NODES_MAX; i++) {
		const struct bsrd_peer *p = &d->running.peer[i];
		for (uint32_t path = 0; p->exists && path < p->path_count; path++) {
			if (memcmp(&p->path[path].path.local, address, sizeof(*address)) == 0) {
				return true;
			}
		}
	}
	return false;
}

/* An address that no path has any more is not ours: its port is free for others, and nobody comes in by it. */
static void close_idle_listeners(struct bsrd *d)
{
	struct bsrd_flows *flows = d->flows;
	for (uint32_t i = flows->listening_count; i-- > 0;) {
		struct bsrd_message m;
		if (is_local_address(d, &flows->listening[i])) {
			continue;
		}
		bsrd_message_init(&m, BSRD_IPC_UNLISTEN);
		memcpy(m.text, &flows->listening[i], sizeof(flows->listening[i]));
		m.text_bytes = sizeof(flows->listening[i]);
		bsrd_ipc_note(d->ipc, &m, NULL);
		bsr_links_remove_listener(d->links, flows->listening_fd[i]);
		bsrd_adopt_no_listener(d, &flows->listening[i]);
		flows->listening_count--;
		flows->listening[i] = flows->listening[flows->listening_count];
		flows->listening_fd[i] = flows->listening_fd[flows->listening_count];
	}
}

static void peer_removed(struct flow *f, int error)
{
	struct bsrd *d = f->d;
	if (error == 0) {
		bsr_links_remove_peer(d->links, f->peer);
		bsrd_running_clear_peer(&d->running.peer[f->peer]);
		bsrd_save_running(d);
		close_idle_listeners(d);
	}
	flow_end(f, error);
}

static void del_peer_disconnected(struct flow *f, int error)
{
	if (error != 0 && error != -BSR_E_ALREADY_STANDALONE) {
		flow_end(f, error);
		return;
	}
	flow_command(f, BSR_CMD_DEL_PEER, peer_removed);
}

static void del_peer_start(struct flow *f)
{
	if (!flow_needs_peer(f)) {
		return;
	}
	f->cmd.peer = f->peer;
	f->cmd.flags = f->flags;
	flow_command(f, BSR_CMD_DISCONNECT, del_peer_disconnected);
}

void bsrd_flow_del_peer(struct bsrd *d, uint32_t peer, uint32_t flags, bsrd_done_fn done, void *ctx)
{
	struct flow *f = flow_new(d, del_peer_start, (flags & BSR_CMDF_FORCE) == 0, done, ctx);
	f->peer = peer;
	f->flags = flags;
	flow_submit(f);
}

static void net_options_set(struct flow *f, int error)
{
	struct bsrd_peer *p = &f->d->running.peer[f->peer];
	if (error == 0) {
		struct bsr_link_options before = p->link;
		p->link = f->o.peer.link;
		error = flow_set_link(f->d, f->peer);
		if (error != 0) {
			p->link = before;
		}
	}
	if (error == 0) {
		p->net = f->o.peer.net;
		keep_given(&p->net_given, f->given);
		bsrd_save_running(f->d);
	}
	flow_end(f, error);
}

static void net_options_start(struct flow *f)
{
	if (!flow_needs_peer(f) || !parse_net(f)) {
		return;
	}
	f->cmd.peer = f->peer;
	f->cmd.u.net = f->o.peer.net;
	flow_command(f, BSR_CMD_NET_OPTIONS, net_options_set);
}

void bsrd_flow_net_options(
	struct bsrd *d, uint32_t peer, struct json_object *options, bsrd_done_fn done, void *ctx)
{
	struct flow *f = flow_new(d, net_options_start, true, done, ctx);
	f->peer = peer;
	f->given = json_object_get(options);
	flow_submit(f);
}

static void peer_device_options_set(struct flow *f, int error)
{
	if (error == 0) {
		struct bsrd_peer *p = &f->d->running.peer[f->peer];
		p->peer_device[f->volume] = f->o.peer_device;
		keep_given(&p->peer_device_given[f->volume], f->given);
		bsrd_save_running(f->d);
	}
	flow_end(f, error);
}

static void peer_device_options_start(struct flow *f)
{
	char why[400] = "";
	if (!flow_needs_peer(f) || !flow_needs_volume(f)) {
		return;
	}
	int error = bsr_options_peer_device(f->given, &f->o.peer_device, why, sizeof(why));
	if (error != 0) {
		flow_fail(f, error, why);
		return;
	}
	f->cmd.peer = f->peer;
	f->cmd.volume = f->volume;
	f->cmd.u.peer_device = f->o.peer_device;
	flow_command(f, BSR_CMD_PEER_DEVICE_OPTIONS, peer_device_options_set);
}

void bsrd_flow_peer_device_options(struct bsrd *d, uint32_t peer, uint32_t volume, struct json_object *options,
	bsrd_done_fn done, void *ctx)
{
	struct flow *f = flow_new(d, peer_device_options_start, true, done, ctx);
	f->peer = peer;
	f->volume = volume;
	f->given = json_object_get(options);
	flow_submit(f);
}

/* -------------------------------------------------------------------- paths */

static bool listening_on(const struct bsrd_flows *flows, const struct sockaddr_storage *address)
{
	for (uint32_t i = 0; i < flows->listening_count; i++) {
		if (memcmp(&flows->listening[i], address, sizeof(*address)) == 0) {
			return true;
		}
	}
	return false;
}

int bsrd_flows_listener(struct bsrd *d, const struct bsrd_message *m, struct bsrd_fds *fds)
{
	struct bsrd_flows *flows = d->flows;
	if (m->text_bytes != sizeof(struct sockaddr_storage) || fds->count != 1 || d->links == NULL ||
		flows->listening_count == FLOWS_LISTENERS_MAX) {
		return -EINVAL;
	}
	int fd = fds->fd[0];
	fds->count = 0;
	struct sockaddr_storage *address = &flows->listening[flows->listening_count];
	memcpy(address, m->text, sizeof(*address));
	const int error = bsr_links_add_listener(d->links, fd);
	if (error == 0) {
		flows->listening_fd[flows->listening_count++] = fd;
		bsrd_adopt_listener(d, address, fd);
	}
	return error;
}

static int find_path(const struct bsrd_peer *p, const struct bsr_link_path *path)
{
	for (uint32_t i = 0; i < p->path_count; i++) {
		if (memcmp(&p->path[i].path.local, &path->local, sizeof(path->local)) == 0 &&
			memcmp(&p->path[i].path.remote, &path->remote, sizeof(path->remote)) == 0) {
			return (int)i;
		}
	}
	return -1;
}

static bool parse_path(struct flow *f, struct bsr_link_path *path)
{
	char why[300] = "";
	memset(path, 0, sizeof(*path));
	if (bsrd_address_parse(f->text1, &path->local, why, sizeof(why)) != 0 ||
		bsrd_address_parse(f->text2, &path->remote, why, sizeof(why)) != 0) {
		flow_fail(f, -BSR_E_INVALID_REQUEST, why);
		return false;
	}
	if (path->local.ss_family != path->remote.ss_family) {
		flow_fail(f, -BSR_E_INVALID_REQUEST, "both addresses of a path must be of one family");
		return false;
	}
	return true;
}

static void add_path(struct flow *f, const struct bsr_link_path *path)
{
	struct bsrd_peer *p = &f->d->running.peer[f->peer];
	struct bsrd_path *new = &p->path[p->path_count++];
	new->path = *path;
	snprintf(new->local_text, sizeof(new->local_text), "%s", f->text1);
	snprintf(new->remote_text, sizeof(new->remote_text), "%s", f->text2);
	int error = flow_set_link(f->d, f->peer);
	if (error != 0) {
		p->path_count--;
	} else {
		bsrd_save_running(f->d);
	}
	flow_end(f, error);
}

static void path_listens(void *ctx, const struct bsrd_message *answer, struct bsrd_fds *fds)
{
	struct flow *f = ctx;
	struct bsr_link_path path;
	if (answer->error != 0) {
		flow_fail(f, answer->error, answer->text);
		return;
	}
	if (!parse_path(f, &path)) {
		return;
	}
	struct bsrd_message m;
	bsrd_message_init(&m, BSRD_IPC_LISTENER);
	memcpy(m.text, &path.local, sizeof(path.local));
	m.text_bytes = sizeof(path.local);
	if (bsrd_flows_listener(f->d, &m, fds) != 0) {
		flow_fail(f, -BSR_E_LOCAL_ADDR, "too many addresses to listen on");
		return;
	}
	add_path(f, &path);
}

static void new_path_start(struct flow *f)
{
	struct bsrd *d = f->d;
	struct bsr_link_path path;
	if (!flow_needs_peer(f) || !parse_path(f, &path)) {
		return;
	}
	struct bsrd_peer *p = &d->running.peer[f->peer];
	if (find_path(p, &path) >= 0) {
		flow_fail(f, -BSR_E_NET_CONFIGURED, "this path exists already");
		return;
	}
	if (p->path_count == BSRD_PATHS_MAX) {
		flow_fail(f, -BSR_E_NO_SPACE, "a peer has at most 4 paths");
		return;
	}
	if (listening_on(d->flows, &path.local)) {
		add_path(f, &path);
		return;
	}
	struct bsrd_message m;
	bsrd_message_init(&m, BSRD_IPC_LISTEN);
	memcpy(m.text, &path.local, sizeof(path.local));
	m.text_bytes = sizeof(path.local);
	bsrd_ipc_request(d->ipc, &m, path_listens, f);
}

static struct flow *path_flow(struct bsrd *d, flow_fn start, uint32_t peer, const char *local, const char *remote,
	bsrd_done_fn done, void *ctx)
{
	struct flow *f = flow_new(d, start, true, done, ctx);
	f->peer = peer;
	f->text1 = strndup(local, BSRD_ADDRESS_TEXT);
	f->text2 = strndup(remote, BSRD_ADDRESS_TEXT);
	BSR_ASSERT(f->text1 != NULL && f->text2 != NULL);
	return f;
}

void bsrd_flow_new_path(
	struct bsrd *d, uint32_t peer, const char *local, const char *remote, bsrd_done_fn done, void *ctx)
{
	flow_submit(path_flow(d, new_path_start, peer, local, remote, done, ctx));
}

static void del_path_start(struct flow *f)
{
	struct bsrd *d = f->d;
	struct bsr_link_path path;
	if (!flow_needs_peer(f) || !parse_path(f, &path)) {
		return;
	}
	struct bsrd_peer *p = &d->running.peer[f->peer];
	int at = find_path(p, &path);
	if (at < 0) {
		flow_fail(f, -BSR_E_INVALID_REQUEST, "no such path");
		return;
	}
	if (p->path_count == 1 && p->wanted) {
		flow_fail(f, -BSR_E_CONNECTED, "the last path of a connection; disconnect first");
		return;
	}
	p->path_count--;
	memmove(&p->path[at], &p->path[at + 1], (p->path_count - (uint32_t)at) * sizeof(p->path[0]));
	memset(&p->path[p->path_count], 0, sizeof(p->path[0]));
	bsrd_save_running(d);
	close_idle_listeners(d);
	flow_end(f, flow_set_link(d, f->peer));
}

void bsrd_flow_del_path(
	struct bsrd *d, uint32_t peer, const char *local, const char *remote, bsrd_done_fn done, void *ctx)
{
	flow_submit(path_flow(d, del_path_start, peer, local, remote, done, ctx));
}

/* --------------------------------------------------------- connect, disconnect */

static void connected(struct flow *f, int error)
{
	if (error == 0 && (f->flags & BSR_CMDF_TENTATIVE) == 0) {
		f->d->running.peer[f->peer].wanted = true;
		bsrd_save_running(f->d);
	}
	flow_end(f, error);
}

static void connect_start(struct flow *f)
{
	if (!flow_needs_peer(f)) {
		return;
	}
	if (f->d->running.peer[f->peer].path_count == 0) {
		flow_fail(f, -BSR_E_INVALID_REQUEST, "the peer has no address yet; new-path gives it one");
		return;
	}
	f->cmd.peer = f->peer;
	f->cmd.flags = f->flags;
	flow_command(f, BSR_CMD_CONNECT, connected);
}

void bsrd_flow_connect(struct bsrd *d, uint32_t peer, uint32_t flags, bsrd_done_fn done, void *ctx)
{
	struct flow *f = flow_new(d, connect_start, true, done, ctx);
	f->peer = peer;
	f->flags = flags;
	flow_submit(f);
}

static void disconnected(struct flow *f, int error)
{
	struct bsrd_peer *p = &f->d->running.peer[f->peer];
	if ((error == 0 || error == -BSR_E_ALREADY_STANDALONE) && p->exists && p->wanted) {
		p->wanted = false;
		bsrd_save_running(f->d);
	}
	flow_end(f, error);
}

static void disconnect_start(struct flow *f)
{
	if (!flow_needs_peer(f)) {
		return;
	}
	f->cmd.peer = f->peer;
	f->cmd.flags = f->flags;
	flow_command(f, BSR_CMD_DISCONNECT, disconnected);
}

void bsrd_flow_disconnect(struct bsrd *d, uint32_t peer, uint32_t flags, bsrd_done_fn done, void *ctx)
{
	/* A forced one may overtake one that drains towards a peer that does not take it. */
	struct flow *f = flow_new(d, disconnect_start, (flags & BSR_CMDF_FORCE) == 0, done, ctx);
	f->peer = peer;
	f->flags = flags;
	flow_submit(f);
}

/* ------------------------------------------------------------ other commands */

static void command_ended(struct flow *f, int error)
{
	flow_end(f, error);
}

static void command_start(struct flow *f)
{
	if (flow_needs_resource(f)) {
		flow_command(f, f->cmd.type, command_ended);
	}
}

void bsrd_command(struct bsrd *d, const struct bsr_command *cmd, bsrd_done_fn done, void *ctx)
{
	struct flow *f = flow_new(d, command_start, false, done, ctx);
	f->cmd = *cmd;
	flow_submit(f);
}
