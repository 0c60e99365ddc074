// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * handler_calls.c - when a handler is called, what it is told, who waits for it; in the engine process
 *
 * The engine calls some handlers itself (BSR_FX_HANDLER); the others follow from what it publishes and logs, or belong to a
 * change of role (flows_role.c). The keeper runs them (handlers.c).
 *
 * Owns:       calls under way and calls that wait.
 * Invariants:
 *   HC-1  At most CALLS_AT_ONCE run; the others follow in their order.
 *   HC-2  What tells that a split brain stays comes after initial-split-brain of the same disks has ended.
 *   HC-3  Every call ends once: without a keeper, with 0, as without a handler.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <bsr/assert.h>
#include <bsr/handshake.h>

#include "control.h"
#include "engine_process.h"

#define CALLS_AT_ONCE 16u /* of the keeper's 32: those of a dead engine process may still run */

struct call {
	struct call *next;
	struct bsrd *d;
	struct bsr_fx_handler handler; /* handler_id 0: not the engine's */
	char cstate[24]; /* disconnected: what the connection became */
	bool running;
	bsrd_handler_fn fn; /* NULL: the engine is told, or nobody */
	void *ctx;
};

struct bsrd_handlers {
	struct bsrd *d;
	struct call *first, **last;
	uint32_t running;
	/* as last published */
	enum bsr_role role;
	enum bsr_disk_state disk[BSR_VOLUMES_MAX];
	enum bsr_disk_state peer_disk[BSR_NODES_MAX][BSR_VOLUMES_MAX];
	enum bsr_conn_state conn[BSR_NODES_MAX];
	bool had_data[BSR_VOLUMES_MAX]; /* Primary, and good data in reach; a forced promotion begins without */
	bool changed;
};

/* ------------------------------------------------------------- environment */

static void add_variable(struct bsrd_message *m, const char *name, const char *value)
{
	char text[BSRD_PATH_MAX + 64];
	snprintf(text, sizeof(text), "%s=%s", name, value);
	if (!bsrd_message_add_text(m, text)) {
		return; /* more volumes than fit: the lists are cut, as documented for handlers */
	}
}

static void add_number(struct bsrd_message *m, const char *name, uint32_t value)
{
	char text[16];
	snprintf(text, sizeof(text), "%u", (unsigned)value);
	add_variable(m, name, text);
}

/* "ipv4:10.0.0.1:7789": family and address, without the port */
static void add_address(struct bsrd_message *m, const char *name, const char *af_name, const char *text)
{
	char copy[BSRD_ADDRESS_TEXT];
	snprintf(copy, sizeof(copy), "%s", text);
	bool v6 = strncmp(copy, "ipv6:", 5) == 0;
	char *address = v6 || strncmp(copy, "ipv4:", 5) == 0 ? copy + 5 : copy;
	char *port = strrchr(address, ':');
	if (port != NULL) {
		*port = '\0';
	}
	if (address[0] == '[' && address[strlen(address) - 1] == ']') {
		address[strlen(address) - 1] = '\0';
		address++;
	}
	add_variable(m, name, address);
	add_variable(m, af_name, v6 ? "ipv6" : "ipv4");
}

static void describe_volumes(const struct bsrd *d, struct bsrd_message *m)
{
	for (uint32_t i = 0; i < BSR_VOLUMES_MAX; i++) {
		const struct bsrd_volume *v = &d->running.volume[i];
		char name[40];
		if (!v->exists) {
			continue;
		}
		snprintf(name, sizeof(name), "BSR_MINOR_%u", (unsigned)v->vnr);
		add_number(m, name, v->minor);
		if (v->attached) {
			snprintf(name, sizeof(name), "BSR_BACKING_DEV_%u", (unsigned)v->vnr);
			add_variable(m, name, v->disk_path);
		}
	}
}

static void describe(const struct call *c, struct bsrd_message *m)
{
	const struct bsrd *d = c->d;
	const struct bsr_fx_handler *h = &c->handler;
	add_variable(m, "BSR_RESOURCE", d->running.resource);
	add_number(m, "BSR_MY_NODE_ID", d->running.node_id);
	if (h->volume < BSR_VOLUMES_MAX) {
		const struct bsrd_volume *v = &d->running.volume[h->volume];
		add_number(m, "BSR_MINOR", v->minor);
		add_number(m, "BSR_VOLUME", v->vnr);
		if (v->attached) {
			add_variable(m, "BSR_BACKING_DEV", v->disk_path);
		}
	} else {
		describe_volumes(d, m);
	}
	if (h->peer < BSR_NODES_MAX) {
		const struct bsrd_peer *p = &d->running.peer[h->peer];
		add_number(m, "BSR_PEER_NODE_ID", h->peer);
		if (p->path_count > 0) {
			add_address(m, "BSR_MY_ADDRESS", "BSR_MY_AF", p->path[0].local_text);
			add_address(m, "BSR_PEER_ADDRESS", "BSR_PEER_AF", p->path[0].remote_text);
		}
	}
	if (c->cstate[0] != '\0') {
		add_variable(m, "BSR_CSTATE", c->cstate);
	}
}

/* ------------------------------------------------------------------- calls */

static void end_call(struct call *c, int status)
{
	struct bsrd *d = c->d;
	const struct bsr_fx_handler handler = c->handler;
	const bsrd_handler_fn fn = c->fn;
	void *ctx = c->ctx;
	control_on_helper(d->control, &handler, true, status);
	free(c);
	if (fn != NULL) {
		fn(ctx, status);
	} else if (handler.handler_id != 0) {
		struct bsr_event event = {.type = BSR_EV_HANDLER_EXIT,
			.u.handler_exit = {.handler_id = handler.handler_id, .status = status}};
		bsrd_step(d, &event);
	}
}

static void answered(void *ctx, const struct bsrd_message *answer, struct bsrd_fds *fds)
{
	struct call *c = ctx;
	struct bsrd_handlers *h = c->d->handlers;
	int status = answer->arg[0] > 255 ? -1 : (int)answer->arg[0];
	(void)fds;
	if (answer->error != 0) {
		status = 0; /* HC-3 */
	}
	struct call **at = &h->first;
	while (*at != c) {
		BSR_ASSERT(*at != NULL);
		at = &(*at)->next;
	}
	*at = c->next;
	if (*at == NULL) {
		h->last = at;
	}
	BSR_ASSERT(h->running > 0);
	h->running--;
	h->changed = true; /* others may begin */
	bsr_loop_again(c->d->loop);
	end_call(c, status);
}

static void begin_call(struct call *c)
{
	struct bsrd_message m;
	c->running = true;
	c->d->handlers->running++;
	bsrd_message_init(&m, BSRD_IPC_HANDLER);
	m.arg[0] = (uint64_t)c->handler.handler;
	describe(c, &m);
	control_on_helper(c->d->control, &c->handler, false, -1);
	bsrd_ipc_request(c->d->ipc, &m, answered, c);
}

static bool must_wait(const struct bsrd_handlers *h, const struct call *c)
{
	if (c->handler.handler != BSR_HANDLER_SPLIT_BRAIN && c->handler.handler != BSR_HANDLER_PRI_LOST_AFTER_SB) {
		return false;
	}
	for (const struct call *older = h->first; older != c; older = older->next) {
		if (older->handler.handler == BSR_HANDLER_INITIAL_SPLIT_BRAIN && older->handler.peer == c->handler.peer &&
			older->handler.volume == c->handler.volume) {
			return true; /* HC-2 */
		}
	}
	return false;
}

static struct call *add_call(struct bsrd *d, const struct bsr_fx_handler *handler)
{
	struct bsrd_handlers *h = d->handlers;
	struct call *c = calloc(1, sizeof(*c));
	BSR_ASSERT(c != NULL);
	c->d = d;
	c->handler = *handler;
	*h->last = c;
	h->last = &c->next;
	h->changed = true;
	bsr_loop_again(d->loop);
	return c;
}

static struct call *add_own_call(struct bsrd *d, enum bsr_handler handler, uint32_t peer, uint32_t volume)
{
	const struct bsr_fx_handler fx = {.handler = handler, .peer = peer, .volume = volume};
	return add_call(d, &fx);
}

void bsrd_handler_run(struct bsrd *d, const struct bsr_fx_handler *handler)
{
	(void)add_call(d, handler);
}

void bsrd_handler_ask(struct bsrd *d, enum bsr_handler handler, bsrd_handler_fn fn, void *ctx)
{
	struct call *c = add_own_call(d, handler, UINT32_MAX, UINT32_MAX);
	c->fn = fn;
	c->ctx = ctx;
}

/* ------------------------------------------------------ what follows from states */

static void peer_changed(struct bsrd_handlers *h, const struct bsr_fx_state *s)
{
	const enum bsr_conn_state next = s->action == BSR_ACT_DESTROY ? BSR_CONN_STANDALONE : s->u.peer.conn;
	if (h->conn[s->peer] == BSR_CONN_CONNECTED && next != BSR_CONN_CONNECTED) {
		struct call *c = add_own_call(h->d, BSR_HANDLER_DISCONNECTED, s->peer, UINT32_MAX);
		snprintf(c->cstate, sizeof(c->cstate), "%s", bsr_conn_state_word(next));
	}
	h->conn[s->peer] = next;
}

void bsrd_handlers_state(struct bsrd *d, const struct bsr_fx_state *s)
{
	struct bsrd_handlers *h = d->handlers;
	const bool gone = s->action == BSR_ACT_DESTROY;
	switch (s->object) {
	case BSR_OBJ_RESOURCE:
		h->role = s->u.resource.role;
		break;
	case BSR_OBJ_VOLUME:
		h->disk[s->volume] = gone ? BSR_DISK_DISKLESS : s->u.volume.disk;
		break;
	case BSR_OBJ_PEER:
		peer_changed(h, s);
		break;
	case BSR_OBJ_PEER_DEVICE:
		h->peer_disk[s->peer][s->volume] = gone ? BSR_DISK_UNKNOWN : s->u.peer_device.disk;
		break;
	}
	h->changed = true;
}

void bsrd_handlers_log(struct bsrd *d, const struct bsr_fx_log *log)
{
	const bool stays = log->number == BSR_LOGN_HANDSHAKE_STANDALONE && log->arg[1] == BSR_HS_SPLIT_BRAIN;
	const bool solved = log->number == BSR_LOGN_HANDSHAKE_DECIDED && log->arg[0] >= BSR_HS_REASON_SB_DISCARD &&
			    log->arg[0] < BSR_HS_REASON_SB_NO_SOURCE;
	if (stays || solved) {
		(void)add_own_call(d, BSR_HANDLER_INITIAL_SPLIT_BRAIN, log->peer, log->volume);
	} else if (log->number == BSR_LOGN_RESYNC_FINISHED &&
		   (log->arg[0] == BSR_REPL_SYNC_TARGET || log->arg[0] == BSR_REPL_PAUSED_SYNC_T)) {
		(void)add_own_call(d, BSR_HANDLER_AFTER_RESYNC_TARGET, log->peer, log->volume);
	}
}

static bool has_good_data(const struct bsrd_handlers *h, uint32_t volume)
{
	bool good = h->disk[volume] == BSR_DISK_UP_TO_DATE;
	for (uint32_t peer = 0; peer < BSR_NODES_MAX && !good; peer++) {
		good = h->conn[peer] == BSR_CONN_CONNECTED && h->peer_disk[peer][volume] == BSR_DISK_UP_TO_DATE;
	}
	return good;
}

/* At the end of a turn: states of one change are published one by one. */
static void look_for_data(struct bsrd_handlers *h)
{
	for (uint32_t i = 0; i < BSR_VOLUMES_MAX; i++) {
		const bool asked = h->role == BSR_ROLE_PRIMARY && h->d->running.volume[i].exists;
		const bool has = asked && has_good_data(h, i);
		if (asked && !has && h->had_data[i]) {
			(void)add_own_call(h->d, BSR_HANDLER_PRI_ON_INCON_DEGR, UINT32_MAX, i);
		}
		h->had_data[i] = has;
	}
}

static __attribute__((noinline)) void begin_calls(struct bsrd *d, struct bsrd_handlers *h)
{
	h->changed = false;
	if (!d->rebuilding && !d->going_down) {
		look_for_data(h);
	}
	for (struct call *c = h->first; c != NULL && h->running < CALLS_AT_ONCE; c = c->next) {
		if (!c->running && !must_wait(h, c)) {
			begin_call(c); /* answered later, never in here */
		}
	}
}

void bsrd_handlers_turn(struct bsrd *d)
{
	if (d->handlers->changed) {
		begin_calls(d, d->handlers);
	}
}

int bsrd_handlers_create(struct bsrd_handlers **out, struct bsrd *d)
{
	struct bsrd_handlers *h = calloc(1, sizeof(*h));
	if (h == NULL) {
		return -ENOMEM;
	}
	h->d = d;
	h->last = &h->first;
	*out = h;
	return 0;
}
