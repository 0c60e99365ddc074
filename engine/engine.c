// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * engine.c - life of an engine: creation, the step, pools, and what status asks
 *
 * Owns:       the pools of operations, requests and peer requests.
 */
#include "core.h"
#include "measure.h"

#define RECEIVE_RUN 4u /* messages in a row */

/* ------------------------------------------------------------------ pools */

void *bsr_env_alloc(struct bsr_engine *e, size_t bytes, size_t align)
{
	return e->env.alloc(e->env.ctx, bytes, align);
}

void bsr_env_free(struct bsr_engine *e, void *mem, size_t bytes)
{
	if (mem) {
		e->env.free(e->env.ctx, mem, bytes);
	}
}

BSR_IN_PLACE void disk_done(struct bsr_engine *e, const struct bsr_ev_disk_done *d)
{
	BSR_ASSERT(d->op_id < BSR_DISK_OPS_MAX);
	struct bsr_disk_op *op = &e->op[d->op_id];
	const bsr_op_fn done = op->done;
	BSR_ASSERT(done != NULL); /* every operation is answered exactly once */
	op->done = NULL;
	BSR_ASSERT(op->vol->lower_pending > 0);
	op->vol->lower_pending--;
	done(e, op, d->result, d->buf);
	/* only now: whoever was called has looked at it to the end */
	op->next_free = e->op_free;
	e->op_free = d->op_id;
	e->op_free_count++;
}

/* --------------------------------------------------------------- creation */

struct engine_memory {
	struct bsr_engine engine;
	struct bsr_disk_op op[BSR_DISK_OPS_MAX];
	struct bsr_request request[BSR_REQUESTS_MAX];
	struct bsr_peer_request peer_request[BSR_PEER_REQUESTS_MAX];
	struct bsr_log_entry log[BSR_TRANSFER_LOG_MAX];
};

static void init_pools(struct engine_memory *mem)
{
	struct bsr_engine *e = &mem->engine;
	e->op = mem->op;
	e->op_free = BSR_NONE;
	for (uint32_t i = BSR_DISK_OPS_MAX; i-- > 0;) {
		e->op[i].next_free = e->op_free;
		e->op_free = i;
	}
	e->op_free_count = BSR_DISK_OPS_MAX;
	e->request = mem->request;
	bsr_list_init(&e->request_free);
	for (uint32_t i = 0; i < BSR_REQUESTS_MAX; i++) {
		e->request[i].index = i;
		bsr_list_init(&e->request[i].range.link);
		bsr_list_init(&e->request[i].range.wait);
		bsr_list_append(&e->request_free, &e->request[i].link);
	}
	e->peer_request = mem->peer_request;
	for (uint32_t i = BSR_PEER_REQUESTS_MAX; i-- > 0;) {
		bsr_list_init(&e->peer_request[i].link);
		bsr_list_init(&e->peer_request[i].range.link);
		e->peer_request[i].queue.next = e->peer_request_free;
		e->peer_request_free = &e->peer_request[i].queue;
	}
	e->peer_request_free_count = BSR_PEER_REQUESTS_MAX;
	e->log = mem->log;
}

struct bsr_engine *bsr_engine_create(const struct bsr_engine_config *config)
{
	BSR_ASSERT(config->node_id < BSR_NODES_MAX);
	struct engine_memory *mem = config->env.alloc(config->env.ctx, sizeof(*mem), BSR_MD_BLOCK_BYTES);
	if (!mem) {
		return NULL;
	}
	struct bsr_engine *e = &mem->engine;
	e->env = config->env;
	e->node_id = config->node_id;
	bsr_state_begin(e);
	e->deadline_ns = BSR_NEVER;
	e->epoch = 1;
	/* Index 0 would make the first write's sequence number 0, which acknowledgements reserve for "none". */
	e->log_head = 1;
	e->log_tail = 1;
	e->heard_head = 1; /* 0 in a request: not in the ring */
	e->heard_tail = 1;
	e->lost_node = BSR_NONE;
	for (uint32_t i = 0; i < 4; i++) {
		memcpy(&e->rng[i], config->seed + 8 * i, 8);
	}
	e->rng[0] |= 1; /* the generator must not start at all zeroes */
	init_pools(mem);
	for (uint32_t i = 0; i < BSR_INTERVAL_BUCKETS; i++) {
		bsr_list_init(&e->interval_bucket[i]);
	}
	bsr_list_init(&e->interval_large);
	bsr_list_init(&e->interval_waiters);
	bsr_list_init(&e->held);
	bsr_list_init(&e->active);
	bsr_resource_options_defaults(&e->options);
	return e;
}

void bsr_engine_destroy(struct bsr_engine *e)
{
	struct bsr_volume *vol;
	struct bsr_peer *p;
	BSR_FOR_EACH_VOLUME (e, vol) {
		bsr_volume_free_disk(e, vol);
		bsr_env_free(e, vol, sizeof(*vol));
	}
	BSR_FOR_EACH_PEER (e, p) {
		bsr_peer_forget_verifies(e, p);
		bsr_env_free(e, p->hs_volume, sizeof(*p->hs_volume) * BSR_VOLUMES_MAX);
		bsr_env_free(e, p->hs_sent, sizeof(*p->hs_sent) * BSR_VOLUMES_MAX);
		bsr_env_free(e, p, sizeof(*p));
	}
	bsr_measure_free(e);
	bsr_env_free(e, e->heard, sizeof(*e->heard) * BSR_TRANSFER_LOG_MAX);
	struct bsr_env env = e->env;
	env.free(env.ctx, e, sizeof(struct engine_memory));
}

struct bsr_volume *bsr_volume_by_vnr(struct bsr_engine *e, uint32_t vnr)
{
	struct bsr_volume *vol = vnr < BSR_VOLUMES_MAX ? e->volume[vnr] : NULL;
	if (vol && vol->vnr == vnr) {
		return vol; /* most resources number their volumes from 0 on */
	}
	BSR_FOR_EACH_VOLUME (e, vol) {
		if (vol->vnr == vnr) {
			return vol;
		}
	}
	return NULL;
}

/* --------------------------------------------------------------- the step */

/* State machines that wait look again, until nothing moves any more. */
static void progress(struct bsr_engine *e)
{
	struct bsr_volume *vol;
	struct bsr_peer *p;
	for (uint32_t rounds = 0; e->kick; rounds++) {
		BSR_ASSERT(rounds < 1000); /* each round must finish something */
		e->kick = false;
		BSR_FOR_EACH_VOLUME (e, vol) {
			bsr_attach_progress(e, vol);
			bsr_gi_progress(e, vol);
			bsr_receive_record_progress(e, vol);
			if (vol->al_released) {
				vol->al_released = false;
				bsr_request_al_progress(e, vol);
				bsr_heard_al_progress(e, vol);
			}
			bsr_md_progress(e, vol);
		}
		BSR_FOR_EACH_PEER (e, p) {
			bsr_peer_progress(e, p);
		}
		bsr_mesh_progress(e);
		bsr_task_progress(e);
		bsr_request_release_held(e);
	}
}

static void run_timers(struct bsr_engine *e)
{
	struct bsr_volume *vol;
	struct bsr_peer *p;
	if (e->turn_work) {
		e->turn_work = false;
		bsr_mesh_send_acks(e);
		BSR_FOR_EACH_PEER (e, p) {
			bsr_receive_flush_acks(e, p);
			bsr_resync_turn(e, p);
			bsr_verify_turn(e, p);
		}
	}
	if (e->now_ns < e->deadline_ns) {
		return; /* only the end of a turn */
	}
	e->deadline_ns = BSR_NEVER;
	BSR_FOR_EACH_PEER (e, p) {
		bsr_peer_timer(e, p);
		bsr_log_timer(e, p);
	}
	BSR_FOR_EACH_VOLUME (e, vol) {
		bsr_md_timer(e, vol);
	}
	bsr_task_timer(e);
	bsr_mesh_timer(e);
}

static void sent(struct bsr_engine *e, const struct bsr_ev_sent *s)
{
	struct bsr_peer *p = s->peer < BSR_NODES_MAX ? e->peer[s->peer] : NULL;
	if (!p || !p->link_up || p->link != s->link) {
		return;
	}
	p->send_queued_bytes -= s->bytes < p->send_queued_bytes ? s->bytes : p->send_queued_bytes;
	if (!bsr_list_empty(&e->held)) {
		bsr_request_release_held(e);
	}
	struct bsr_volume *vol;
	BSR_FOR_EACH_VOLUME (e, vol) {
		e->kick = e->kick || p->device[vol->index].bm_send_active;
	}
}

static inline void begin_step(struct bsr_engine *e, uint64_t now_ns, struct bsr_fx *fx)
{
	BSR_ASSERT(e->fx == NULL);
	BSR_ASSERT(now_ns >= e->now_ns);
	e->now_ns = now_ns;
	e->fx = fx;
}

static inline void end_step(struct bsr_engine *e)
{
	if (e->kick) {
		progress(e);
	}
#ifdef BSR_SLOW_ASSERTS
	bsr_engine_check(e);
#endif
	e->fx = NULL;
}

inline void bsr_engine_request(struct bsr_engine *e, uint64_t now_ns, const struct bsr_ev_request *request, struct bsr_fx *fx)
{
	begin_step(e, now_ns, fx);
	bsr_request_arrive(e, request);
	end_step(e);
}

inline void bsr_engine_disk_done(struct bsr_engine *e, uint64_t now_ns, const struct bsr_ev_disk_done *done, struct bsr_fx *fx)
{
	begin_step(e, now_ns, fx);
	disk_done(e, done);
	end_step(e);
}

inline void bsr_engine_message(struct bsr_engine *e, uint64_t now_ns, const struct bsr_ev_message *message, struct bsr_fx *fx)
{
	begin_step(e, now_ns, fx);
	bsr_peer_message(e, message);
	end_step(e);
}

void bsr_engine_sent(struct bsr_engine *e, uint64_t now_ns, const struct bsr_ev_sent *s, struct bsr_fx *fx)
{
	begin_step(e, now_ns, fx);
	sent(e, s);
	end_step(e);
}

void bsr_engine_time(struct bsr_engine *e, uint64_t now_ns, struct bsr_fx *fx)
{
	begin_step(e, now_ns, fx);
	run_timers(e);
	end_step(e);
}

BSR_APART void digest_done(struct bsr_engine *e, const struct bsr_ev_digest_done *d)
{
	const struct bsr_ev_disk_done done = {.op_id = d->op_id, .result = d->result, .buf = BSR_BUF_NONE};
	e->digests = d->digests;
	e->digest_bytes = d->bytes;
	disk_done(e, &done);
	e->digests = NULL;
	e->digest_bytes = 0;
}

/* The events that are rare enough to be told apart here. */
static void other_event(struct bsr_engine *e, const struct bsr_event *ev)
{
	switch (ev->type) {
	case BSR_EV_LINK_UP:
		bsr_peer_link_up(e, &ev->u.link_up);
		break;
	case BSR_EV_LINK_DOWN:
		bsr_peer_link_down(e, &ev->u.link_down);
		break;
	case BSR_EV_COMMAND:
		bsr_command(e, &ev->u.command);
		break;
	case BSR_EV_DIGEST_DONE:
		digest_done(e, &ev->u.digest_done);
		break;
	case BSR_EV_HANDLER_EXIT:
		bsr_resync_answered(e, &ev->u.handler_exit);
		break;
	case BSR_EV_TIME:
	case BSR_EV_REQUEST:
	case BSR_EV_DISK_DONE:
	case BSR_EV_MESSAGE:
	case BSR_EV_SENT:
		break; /* have functions of their own */
	}
}

void bsr_engine_step(struct bsr_engine *e, const struct bsr_event *ev, struct bsr_fx *fx)
{
	if (ev->type == BSR_EV_REQUEST) {
		bsr_engine_request(e, ev->now_ns, &ev->u.request, fx);
	} else if (ev->type == BSR_EV_DISK_DONE) {
		bsr_engine_disk_done(e, ev->now_ns, &ev->u.disk_done, fx);
	} else if (ev->type == BSR_EV_MESSAGE) {
		bsr_engine_message(e, ev->now_ns, &ev->u.message, fx);
	} else if (ev->type == BSR_EV_SENT) {
		bsr_engine_sent(e, ev->now_ns, &ev->u.sent, fx);
	} else if (ev->type == BSR_EV_TIME) {
		bsr_engine_time(e, ev->now_ns, fx);
	} else {
		begin_step(e, ev->now_ns, fx);
		other_event(e, ev);
		end_step(e);
	}
}

uint64_t bsr_engine_deadline(const struct bsr_engine *e)
{
	return e->turn_work ? e->now_ns : e->deadline_ns;
}

uint32_t bsr_engine_credits(const struct bsr_engine *e)
{
	const uint32_t free_requests = BSR_REQUESTS_MAX - e->request_count;
	/* one operation each, and a reserve for peers, resync and metadata */
	const uint32_t reserve = BSR_DISK_OPS_MAX / 4;
	const uint32_t free_ops = e->op_free_count > reserve ? e->op_free_count - reserve : 0;
	return free_requests < free_ops ? free_requests : free_ops;
}

uint32_t bsr_engine_may_receive(const struct bsr_engine *e, uint32_t peer, enum bsr_stream stream)
{
	const struct bsr_peer *p = peer < BSR_NODES_MAX ? e->peer[peer] : NULL;
	if (!p) {
		return 0;
	}
	/* A message costs at most one peer request and, for a chunk with holes, a few hundred runs. */
	if (e->peer_request_free_count < 512 || e->op_free_count < 512 + RECEIVE_RUN * 256) {
		return stream == BSR_STREAM_CONTROL && e->peer_request_free_count >= 128 && e->op_free_count >= 512 ? 1 : 0;
	}
	if (p->hs_stage == BSR_HS_COMPLETE) {
		return RECEIVE_RUN;
	}
	return stream == BSR_STREAM_CONTROL || !p->hs_confirm_have ? 1 : 0;
}
