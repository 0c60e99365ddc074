// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * verify.c - online verify, source: digests of the peer's blocks against those of my own
 *
 * Owns:       the run of a verify on both ends, its requests, their rate, blocks that it has marked.
 * May touch:  the bitmap (marks), replication states.
 * Invariants:
 *   VF-1  Two digests are compared only when both are of the same state of the block: the peer has read behind every write
 *         that I had sent before I asked, I read behind every write that it had sent before it answered, and a write
 *         of mine after I asked, or of its after it answered, makes the comparison void. From my read until the
 *         comparison the range is locked.
 *   VF-2  A block that differs is marked at both ends, and nothing else changes: neither data nor disk states (I42).
 *   VF-3  A verify runs between two UpToDate disks to which nobody but the two nodes writes.
 * Design:     docs/design/verify.md
 */
#include "core.h"
#include "resync.h"

#define BLOCK BSR_BITMAP_BLOCK_BYTES
#define TRIES_MAX 12u
#define RETRY_PAUSE_NS (50 * 1000000ull) /* times the number of tries */
#define MARKS_WRITE_NS (5 * BSR_SECOND_NS)

static bool runs(const struct bsr_verify *v)
{
	return v->step == BSR_VERIFY_SOURCE || v->step == BSR_VERIFY_TARGET;
}

/* ------------------------------------------------------------------- chunks */

static void free_chunk(struct bsr_engine *e, struct bsr_verify *v, struct bsr_verify_chunk *c)
{
	BSR_ASSERT(c->state != BSR_VC_FREE);
	BSR_ASSERT(v->active > 0);
	c->state = BSR_VC_FREE;
	c->generation++; /* its answer, or its read, may still come */
	v->active--;
	e->turn_work = true;
}

static void free_all(struct bsr_engine *e, struct bsr_verify *v)
{
	for (uint32_t i = 0; v->active && i < BSR_VERIFY_REQUESTS_MAX; i++) {
		if (v->chunk[i].state != BSR_VC_FREE) {
			free_chunk(e, v, &v->chunk[i]);
		}
	}
}

static void pause_chunk(struct bsr_engine *e, struct bsr_verify_chunk *c, uint64_t pause_ns)
{
	c->state = BSR_VC_PAUSED;
	c->due_ns = e->now_ns + pause_ns;
	e->turn_work = true;
}

/* The request is done with; the rest of the piece follows. */
static void go_on(struct bsr_engine *e, struct bsr_verify *v, struct bsr_verify_chunk *c)
{
	c->offset = c->next;
	c->tries = 0;
	if (c->offset >= c->end) {
		free_chunk(e, v, c);
		return;
	}
	const uint64_t left = c->end - c->offset;
	c->length = (uint32_t)(c->single && left > BLOCK ? BLOCK : left);
	c->next = c->offset + c->length;
	pause_chunk(e, c, 0);
}

uint64_t bsr_verify_position(const struct bsr_verify *v)
{
	uint64_t at = v->at;
	for (uint32_t i = 0; v->active && i < BSR_VERIFY_REQUESTS_MAX; i++) {
		if (v->chunk[i].state != BSR_VC_FREE && v->chunk[i].offset < at) {
			at = v->chunk[i].offset;
		}
	}
	return at;
}

/* ---------------------------------------------------------- begin and end */

/* Somebody else than the two of us may write to one of the disks (VF-3). */
static bool third_writes(struct bsr_engine *e, const struct bsr_peer *p)
{
	struct bsr_peer *other;
	const uint32_t us = bsr_node_bit(p->node_id) | bsr_node_bit(e->node_id);
	BSR_FOR_EACH_PEER (e, other) {
		if (other != p && (other->role == BSR_ROLE_PRIMARY || !bsr_list_empty(&other->arrived))) {
			return true;
		}
	}
	return (p->primaries & ~us) != 0;
}

int32_t bsr_verify_possible(struct bsr_engine *e, struct bsr_peer *p, struct bsr_volume *vol)
{
	const struct bsr_peer_device *pd = &p->device[vol->index];
	if (!p->link_up || p->hs_stage != BSR_HS_COMPLETE || pd->repl < BSR_REPL_ESTABLISHED) {
		return -BSR_E_NOT_CONNECTED;
	}
	if (!(p->features & BSR_FEATURE_VERIFY)) {
		return -BSR_E_VERIFY_OLD_PEER;
	}
	if (pd->repl != BSR_REPL_ESTABLISHED || pd->sync_step != STEP_NONE) {
		return -BSR_E_RESYNC_RUNNING;
	}
	if (vol->disk != BSR_DISK_UP_TO_DATE || pd->disk != BSR_DISK_UP_TO_DATE || pd->slot < 0) {
		return -BSR_E_VERIFY_DISKS;
	}
	if (pd->live != BSR_LIVE_IDLE || pd->live_wanted || vol->attach_step != BSR_AT_NONE) {
		return -BSR_E_IN_TRANSIENT_STATE;
	}
	return third_writes(e, p) ? -BSR_E_VERIFY_THIRD : 0;
}

static int32_t take_range(struct bsr_verify *v, const struct bsr_volume *vol, const struct bsr_command *cmd)
{
	const bool given = (cmd->flags & BSR_CMDF_START) != 0;
	const uint64_t wanted = cmd->u.verify.stop_bytes;
	const uint64_t start = (given ? cmd->u.verify.start_bytes : v->resume_at) / BLOCK * BLOCK;
	uint64_t stop = vol->size_bytes;
	if (wanted != 0 && wanted < stop) {
		const uint64_t up = bsr_round_up_u64(wanted, BLOCK);
		stop = up < stop ? up : stop;
	}
	if (start >= stop && given) {
		return -BSR_E_VERIFY_RANGE;
	}
	v->start = start < stop ? start : 0; /* the volume has become smaller than where the last one was */
	v->stop = stop;
	return 0;
}

static int32_t ask_peer(struct bsr_engine *e, struct bsr_peer *p, struct bsr_volume *vol, const struct bsr_ev_command *c)
{
	struct bsr_verify *v = &p->device[vol->index].verify;
	if (p->options.verify_alg == BSR_DIGEST_NONE) {
		return -BSR_E_NO_VERIFY_ALG;
	}
	if (v->step != BSR_VERIFY_IDLE) {
		return -BSR_E_RESYNC_RUNNING;
	}
	int32_t ret = bsr_verify_possible(e, p, vol);
	ret = ret < 0 ? ret : take_range(v, vol, c->cmd);
	if (ret < 0) {
		return ret;
	}
	if (!v->chunk) {
		v->chunk = bsr_env_alloc(e, sizeof(*v->chunk) * BSR_VERIFY_REQUESTS_MAX, 64);
	}
	if (!v->chunk) {
		return -BSR_E_NO_MEMORY;
	}
	v->step = BSR_VERIFY_ASKING;
	v->cmd_id = c->cmd_id;
	v->digest = (uint8_t)p->options.verify_alg;
	v->auto_sync = (c->cmd->flags & BSR_CMDF_AUTO_SYNC) != 0;
	v->run = bsr_random(e) | 1;
	v->compared_bytes = v->found_bytes = v->skipped_bytes = 0;
	bsr_verify_say(e, p, vol, BSR_VERIFY_START, 0);
	return 0;
}

void bsr_verify_command(struct bsr_engine *e, struct bsr_peer *p, struct bsr_volume *vol, const struct bsr_ev_command *c)
{
	const int32_t ret = ask_peer(e, p, vol, c);
	if (ret < 0) {
		bsr_emit_command_done(e, c->cmd_id, ret, BSR_NONE, vol->index);
	}
}

int32_t bsr_verify_stop_command(struct bsr_engine *e, struct bsr_peer *p, struct bsr_volume *vol)
{
	const struct bsr_verify *v = &p->device[vol->index].verify;
	if (v->step == BSR_VERIFY_IDLE) {
		return -BSR_E_VERIFY_NOT_RUNNING;
	}
	bsr_verify_finish(e, p, vol, -BSR_E_VERIFY_STOPPED);
	return 0;
}

void bsr_verify_begin(struct bsr_engine *e, struct bsr_peer *p, struct bsr_volume *vol, enum bsr_verify_step step)
{
	struct bsr_peer_device *pd = &p->device[vol->index];
	struct bsr_verify *v = &pd->verify;
	BSR_ASSERT(!runs(v) && v->active == 0);
	v->step = (uint8_t)step;
	v->at = v->start;
	v->found_bytes = v->skipped_bytes = 0;
	vol->verifies++;
	pd->resync_start_ns = pd->rate_mark_ns = pd->rate_refill_ns = e->now_ns;
	pd->rate_mark_bytes = pd->rate_bytes_s = pd->rate_tokens = 0;
	pd->bm_flush_due_ns = e->now_ns + MARKS_WRITE_NS;
	bsr_state_set_repl(e, p, vol, step == BSR_VERIFY_SOURCE ? BSR_REPL_VERIFY_S : BSR_REPL_VERIFY_T);
	bsr_emit_log(e, BSR_LOGN_VERIFY_STARTED, p, vol, pd->repl, v->start, v->stop);
	bsr_timer(e, e->now_ns + BSR_SECOND_NS);
	e->turn_work = true;
}

static void call_handler(struct bsr_engine *e, const struct bsr_peer *p, const struct bsr_volume *vol)
{
	if (bsr_resync_weight(vol, &p->device[vol->index]) != 0) {
		bsr_fx_add(e, BSR_FX_HANDLER)->u.handler = (struct bsr_fx_handler){.handler_id = ++e->next_handler,
			.handler = BSR_HANDLER_OUT_OF_SYNC,
			.peer = p->node_id,
			.volume = vol->index};
	}
}

/* Complete, or not: what there is to say about it. */
static void report(struct bsr_engine *e, struct bsr_peer *p, struct bsr_volume *vol, int32_t error)
{
	const struct bsr_peer_device *pd = &p->device[vol->index];
	const struct bsr_verify *v = &pd->verify;
	if (error < 0) {
		bsr_emit_log(e, BSR_LOGN_VERIFY_INTERRUPTED, p, vol, (uint64_t)-(int64_t)error, bsr_verify_position(v), v->found_bytes);
	} else {
		bsr_emit_log(e, BSR_LOGN_VERIFY_FINISHED, p, vol, v->found_bytes, v->skipped_bytes, e->now_ns - pd->resync_start_ns);
		call_handler(e, p, vol);
	}
}

void bsr_verify_interrupt(struct bsr_engine *e, struct bsr_peer *p, struct bsr_volume *vol, int32_t error)
{
	struct bsr_peer_device *pd = &p->device[vol->index];
	struct bsr_verify *v = &pd->verify;
	if (v->step == BSR_VERIFY_ASKING) {
		v->step = BSR_VERIFY_IDLE;
		bsr_emit_command_done(e, v->cmd_id, error, p->node_id, vol->index);
		return;
	}
	if (!runs(v)) {
		return;
	}
	report(e, p, vol, error);
	if (v->step == BSR_VERIFY_SOURCE) {
		v->resume_at = error < 0 ? bsr_verify_position(v) : 0;
	}
	v->step = BSR_VERIFY_IDLE;
	free_all(e, v);
	BSR_ASSERT(vol->verifies > 0);
	vol->verifies--;
	pd->rate_bytes_s = 0;
	pd->rate_held_ns = 0;
	if (v->found_bytes != 0 && vol->bitmap && vol->disk >= BSR_DISK_INCONSISTENT) {
		bsr_md_sweep(e, vol);
	}
	if (p->link_up && p->hs_stage == BSR_HS_COMPLETE && !v->peer_ended) {
		bsr_verify_say(e, p, vol, BSR_VERIFY_ENDED, error);
	}
}

void bsr_verify_finish(struct bsr_engine *e, struct bsr_peer *p, struct bsr_volume *vol, int32_t error)
{
	struct bsr_verify *v = &p->device[vol->index].verify;
	if (error == 0 && v->auto_sync && v->step == BSR_VERIFY_SOURCE) {
		v->marked_bits = 0; /* like blocks that failed: copied again, with the next comparison of the disks */
	}
	const bool ran = runs(v);
	bsr_verify_interrupt(e, p, vol, error);
	if (ran) {
		bsr_state_set_repl(e, p, vol, BSR_REPL_ESTABLISHED);
		bsr_timer(e, e->now_ns);
	}
	e->kick = true;
}

void bsr_verify_forget(struct bsr_engine *e, struct bsr_verify *v)
{
	bsr_env_free(e, v->chunk, sizeof(*v->chunk) * BSR_VERIFY_REQUESTS_MAX);
	v->chunk = NULL;
}

void bsr_verify_progress(struct bsr_engine *e, struct bsr_peer *p, struct bsr_volume *vol)
{
	if (third_writes(e, p) && runs(&p->device[vol->index].verify)) {
		bsr_verify_finish(e, p, vol, -BSR_E_VERIFY_THIRD);
	}
}

/* -------------------------------------------------------------- what differs */

void bsr_verify_mark(struct bsr_engine *e, struct bsr_peer *p, struct bsr_volume *vol, uint64_t offset, uint64_t length)
{
	struct bsr_peer_device *pd = &p->device[vol->index];
	const uint64_t before = bsr_resync_weight(vol, pd);
	bsr_md_set_bits(e, vol, pd->slot, offset, length);
	pd->verify.marked_bits += bsr_resync_weight(vol, pd) - before;
	pd->verify.found_bytes += length;
}

bool bsr_verify_unexplained(const struct bsr_volume *vol, const struct bsr_peer *p)
{
	const struct bsr_peer_device *pd = &p->device[vol->index];
	const uint64_t weight = bsr_resync_weight(vol, pd);
	return weight > pd->verify.marked_bits || (weight != 0 && pd->refused);
}

static void differs(
	struct bsr_engine *e, struct bsr_peer *p, struct bsr_volume *vol, uint64_t offset, uint32_t length, bool unreadable)
{
	const struct bsr_msg_range m = {.vnr = vol->vnr, .offset = offset, .length = length};
	bsr_verify_mark(e, p, vol, offset, length);
	bsr_emit_log(e, BSR_LOGN_VERIFY_DIFFERS, p, vol, offset, length, unreadable);
	if (!BSR_MUTATION(123)) {
		BSR_SEND(e, p, BSR_STREAM_CONTROL, range, BSR_MSG_VERIFY_RESULT, &m); /* VF-2 */
	}
}

static uint32_t block_count(const struct bsr_verify_chunk *c)
{
	return (c->length + BLOCK - 1) / BLOCK;
}

static bool is_busy(const struct bsr_verify_chunk *c, uint32_t block)
{
	return (c->busy[block / 64] >> (block % 64)) & 1;
}

static void make_busy(struct bsr_verify_chunk *c, uint64_t offset, uint64_t end)
{
	const uint64_t from = offset > c->offset ? offset - c->offset : 0;
	const uint64_t to = end < c->offset + c->length ? end - c->offset : c->length;
	for (uint64_t block = from / BLOCK; block * BLOCK < to; block++) {
		c->busy[block / 64] |= 1ull << (block % 64);
	}
}

/* Bytes of the request from block @first up to, not including, block @end. */
static uint32_t bytes_of(const struct bsr_verify_chunk *c, uint32_t first, uint32_t end)
{
	const uint32_t to = end * BLOCK < c->length ? end * BLOCK : c->length;
	return to - first * BLOCK;
}

static void compare(
	struct bsr_engine *e, struct bsr_peer *p, struct bsr_volume *vol, struct bsr_verify_chunk *c, const uint8_t *mine)
{
	const uint32_t size = bsr_digest_bytes(p->device[vol->index].verify.digest);
	const uint32_t compared = BSR_MUTATION(122) ? size / 4 : size;
	const uint32_t blocks = block_count(c);
	for (uint32_t block = 0; block < blocks;) {
		uint32_t end = block;
		while (end < blocks && !is_busy(c, end) &&
			memcmp(mine + (size_t)end * size, c->digest + (size_t)end * size, compared) != 0) {
			end++;
		}
		if (end == block) {
			block++;
			continue;
		}
		differs(e, p, vol, c->offset + (uint64_t)block * BLOCK, bytes_of(c, block, end), false);
		block = end;
	}
}

/* Blocks that were written while they were under way: once more, soon. */
static void again(struct bsr_engine *e, struct bsr_verify *v, struct bsr_verify_chunk *c)
{
	const uint32_t blocks = block_count(c);
	uint32_t first = blocks;
	uint32_t end = 0;
	uint64_t bytes = 0;
	for (uint32_t block = 0; block < blocks; block++) {
		if (is_busy(c, block)) {
			first = first < block ? first : block;
			end = block + 1;
			bytes += bytes_of(c, block, block + 1);
		}
	}
	if (first >= end) {
		go_on(e, v, c);
		return;
	}
	if (++c->tries >= TRIES_MAX) {
		v->skipped_bytes += bytes;
		go_on(e, v, c);
		return;
	}
	const uint32_t length = bytes_of(c, first, end);
	c->offset += (uint64_t)first * BLOCK;
	c->length = length;
	pause_chunk(e, c, c->tries * RETRY_PAUSE_NS);
}

/* My disk or the peer's could not read the request. */
static void unreadable(struct bsr_engine *e, struct bsr_peer *p, struct bsr_volume *vol, struct bsr_verify_chunk *c)
{
	struct bsr_verify *v = &p->device[vol->index].verify;
	if (c->length > BLOCK) {
		c->single = true;
		c->next = c->offset;
	} else {
		differs(e, p, vol, c->offset, c->length, true);
	}
	go_on(e, v, c);
}

/* ------------------------------------------------------------ my own digests */

static struct bsr_verify_chunk *chunk_of(const struct bsr_peer_request *pr)
{
	struct bsr_verify *v = &pr->peer->device[pr->volume].verify;
	struct bsr_verify_chunk *c = v->step == BSR_VERIFY_SOURCE ? &v->chunk[pr->chunk] : NULL;
	return c && c->state >= BSR_VC_HAVE && c->generation == pr->id ? c : NULL;
}

static void put(struct bsr_engine *e, struct bsr_peer_request *pr)
{
	struct bsr_peer *p = pr->peer;
	bsr_interval_remove(e, &pr->range);
	bsr_peer_request_put(e, pr);
	if (bsr_receive_idle(p)) {
		e->kick = true;
	}
}

static void digested(struct bsr_engine *e, struct bsr_disk_op *op, int32_t result, bsr_buf_t buf)
{
	struct bsr_peer_request *pr = op->owner;
	struct bsr_peer *p = pr->peer;
	struct bsr_volume *vol = op->vol;
	(void)buf;
	if (result == -BSR_E_UNSUPPORTED && chunk_of(pr)) {
		bsr_verify_finish(e, p, vol, -BSR_E_VERIFY_ALG);
	} else if (result < 0) {
		bsr_disk_error(e, vol, false, pr->offset, pr->length); /* may end the verify */
	}
	struct bsr_verify_chunk *c = chunk_of(pr);
	if (c) {
		struct bsr_verify *v = &p->device[vol->index].verify;
		BSR_ASSERT(result < 0 || e->digest_bytes == block_count(c) * bsr_digest_bytes(v->digest));
		v->compared_bytes += c->length;
		if (result < 0) {
			unreadable(e, p, vol, c);
		} else {
			compare(e, p, vol, c, e->digests);
			again(e, v, c);
		}
	}
	put(e, pr);
}

static void read_turn(struct bsr_engine *e, struct bsr_interval *i)
{
	struct bsr_peer_request *pr = BSR_CONTAINER(i, struct bsr_peer_request, range);
	struct bsr_volume *vol = e->volume[pr->volume];
	struct bsr_verify_chunk *c = chunk_of(pr);
	if (!c || vol->disk != BSR_DISK_UP_TO_DATE) {
		put(e, pr);
		return;
	}
	c->state = BSR_VC_READING;
	vol->read_bytes += pr->length;
	bsr_emit_disk(e, vol,
		(struct bsr_fx_disk){.op = BSR_OP_DIGEST,
			.flags = pr->peer->device[pr->volume].verify.digest,
			.offset = pr->offset,
			.length = pr->length,
			.buf = BSR_BUF_NONE},
		pr, digested);
}

static void read_own(struct bsr_engine *e, struct bsr_peer *p, struct bsr_volume *vol, struct bsr_verify_chunk *c)
{
	struct bsr_peer_request *pr = bsr_peer_request_get(e, p, BSR_PR_VERIFY_COMPARE);
	if (!pr) {
		pause_chunk(e, c, RETRY_PAUSE_NS);
		return;
	}
	c->state = BSR_VC_HAVE;
	pr->id = c->generation;
	pr->chunk = (uint32_t)(c - p->device[vol->index].verify.chunk);
	pr->offset = c->offset;
	pr->length = c->length;
	pr->range.go = read_turn;
	pr->arrival = BSR_MUTATION(124) ? 0 : p->arrivals; /* VF-1 */
	bsr_receive_queue_read(e, pr, vol);
}

void bsr_verify_reply(struct bsr_engine *e, struct bsr_peer *p, const struct bsr_msg_verify_reply *m)
{
	struct bsr_volume *vol = bsr_volume_by_vnr(e, m->vnr);
	struct bsr_verify *v = vol ? &p->device[vol->index].verify : NULL;
	const uint32_t index = (uint32_t)(m->id & 0xff);
	struct bsr_verify_chunk *c =
		v && v->step == BSR_VERIFY_SOURCE && index < BSR_VERIFY_REQUESTS_MAX ? &v->chunk[index] : NULL;
	if (!c || c->state != BSR_VC_ASKED || c->generation != m->id >> 8) {
		return; /* the verify it was for has ended */
	}
	if (m->offset != c->offset || m->length != c->length ||
		(m->error == 0 && m->digest_bytes != bsr_digest_bytes(v->digest))) {
		bsr_peer_reject(e, p, BSR_MSG_VERIFY_REPLY);
		return;
	}
	if (m->error == -BSR_E_IO) {
		unreadable(e, p, vol, c);
		return;
	}
	if (m->error < 0) {
		make_busy(c, c->offset, c->offset + c->length); /* not now */
		again(e, v, c);
		return;
	}
	memcpy(c->digest, m->digests, (size_t)block_count(c) * m->digest_bytes);
	read_own(e, p, vol, c);
}

/* ------------------------------------------------------- writes meanwhile */

void bsr_verify_written(
	struct bsr_engine *e, const struct bsr_peer *writer, struct bsr_volume *vol, uint64_t offset, uint64_t length)
{
	struct bsr_peer *p;
	BSR_FOR_EACH_PEER (e, p) {
		struct bsr_verify *v = &p->device[vol->index].verify;
		if (runs(v) && writer && writer != p) {
			bsr_verify_finish(e, p, vol, -BSR_E_VERIFY_THIRD); /* VF-3 */
			continue;
		}
		for (uint32_t i = 0; v->active && i < BSR_VERIFY_REQUESTS_MAX; i++) {
			struct bsr_verify_chunk *c = &v->chunk[i];
			/* before the peer answers, its own writes are part of what it answers */
			const bool void_now = c->state == BSR_VC_HAVE || (c->state == BSR_VC_ASKED && !writer);
			if (void_now && offset < c->offset + c->length && c->offset < offset + length && !BSR_MUTATION(121)) {
				make_busy(c, offset, offset + length); /* VF-1 */
			}
		}
	}
}

/* ----------------------------------------------------------------- requests */

static uint64_t rate_of(const struct bsr_peer_device *pd)
{
	const struct bsr_peer_device_options *o = &pd->options;
	if (o->ov_req_blocks != 0 && o->ov_req_interval_ms != 0) {
		return (uint64_t)o->ov_req_blocks * BLOCK * 1000 / o->ov_req_interval_ms + 1;
	}
	return bsr_peer_device_rate(o);
}

static uint32_t piece_bytes(const struct bsr_peer_device *pd)
{
	const uint32_t wanted = pd->options.ov_req_blocks;
	return (wanted != 0 && wanted < BSR_VERIFY_BLOCKS_MAX ? wanted : BSR_VERIFY_BLOCKS_MAX) * BLOCK;
}

static void refill(struct bsr_engine *e, struct bsr_peer_device *pd, uint64_t rate)
{
	const uint64_t elapsed_us = (e->now_ns - pd->rate_refill_ns) / 1000;
	const uint64_t most = rate / 4 > piece_bytes(pd) ? rate / 4 : piece_bytes(pd);
	const uint64_t earned = elapsed_us > 1000000 ? rate : rate * elapsed_us / 1000000;
	pd->rate_refill_ns += elapsed_us * 1000;
	pd->rate_tokens = pd->rate_tokens + earned > most ? most : pd->rate_tokens + earned;
}

static void ask(struct bsr_engine *e, struct bsr_peer *p, struct bsr_volume *vol, struct bsr_verify_chunk *c)
{
	const struct bsr_verify *v = &p->device[vol->index].verify;
	c->state = BSR_VC_ASKED;
	c->generation++;
	memset(c->busy, 0, sizeof(c->busy));
	const struct bsr_msg_range m = {.vnr = vol->vnr,
		.id = ((uint64_t)c->generation << 8) | (uint64_t)(c - v->chunk),
		.offset = c->offset,
		.length = c->length};
	/* behind my writes, which it carries out first (VF-1) */
	BSR_SEND(e, p, BSR_STREAM_DATA, range, BSR_MSG_VERIFY_REQUEST, &m);
}

/* False: not enough has been earned for it; the timer is set. */
static bool afford(struct bsr_engine *e, struct bsr_peer_device *pd, uint64_t rate, uint64_t bytes)
{
	if (pd->rate_tokens < bytes) {
		pd->rate_held_ns = e->now_ns;
		bsr_timer(e, e->now_ns + (bytes - pd->rate_tokens) * BSR_SECOND_NS / rate + 1000000);
		return false;
	}
	pd->rate_tokens -= bytes;
	return true;
}

static void ask_again(struct bsr_engine *e, struct bsr_peer *p, struct bsr_volume *vol)
{
	struct bsr_verify *v = &p->device[vol->index].verify;
	for (uint32_t i = 0; v->active && i < BSR_VERIFY_REQUESTS_MAX; i++) {
		struct bsr_verify_chunk *c = &v->chunk[i];
		if (c->state == BSR_VC_PAUSED && c->due_ns <= e->now_ns) {
			ask(e, p, vol, c);
		} else if (c->state == BSR_VC_PAUSED) {
			bsr_timer(e, c->due_ns);
		}
	}
}

static void run_source(struct bsr_engine *e, struct bsr_peer *p, struct bsr_volume *vol)
{
	struct bsr_peer_device *pd = &p->device[vol->index];
	struct bsr_verify *v = &pd->verify;
	const uint64_t rate = rate_of(pd);
	refill(e, pd, rate);
	ask_again(e, p, vol);
	for (uint32_t i = 0; v->at < v->stop && i < BSR_VERIFY_REQUESTS_MAX; i++) {
		struct bsr_verify_chunk *c = &v->chunk[i];
		const uint64_t left = v->stop - v->at;
		const uint64_t piece = piece_bytes(pd);
		const uint64_t bytes = left < piece ? left : piece;
		if (c->state != BSR_VC_FREE) {
			continue;
		}
		if (!afford(e, pd, rate, bytes)) {
			return;
		}
		c->offset = v->at;
		c->length = (uint32_t)bytes;
		c->next = c->end = v->at + bytes;
		c->tries = 0;
		c->single = false;
		v->active++;
		v->at += bytes;
		ask(e, p, vol, c);
	}
	if (v->at >= v->stop && v->active == 0) {
		bsr_verify_finish(e, p, vol, 0);
	}
}

void bsr_verify_turn(struct bsr_engine *e, struct bsr_peer *p)
{
	struct bsr_volume *vol;
	BSR_FOR_EACH_VOLUME (e, vol) {
		if (p->device[vol->index].verify.step == BSR_VERIFY_SOURCE) {
			run_source(e, p, vol);
		}
	}
}

void bsr_verify_timer(struct bsr_engine *e, struct bsr_peer *p, struct bsr_volume *vol)
{
	struct bsr_peer_device *pd = &p->device[vol->index];
	if (!runs(&pd->verify)) {
		return;
	}
	bsr_resync_measure_rate(e, pd, pd->verify.compared_bytes);
	if (e->now_ns >= pd->bm_flush_due_ns) {
		if (pd->verify.found_bytes != 0) {
			bsr_md_sweep(e, vol); /* a crash does not forget what was found long ago */
		}
		pd->bm_flush_due_ns = e->now_ns + MARKS_WRITE_NS;
	}
	if (pd->verify.step == BSR_VERIFY_SOURCE) {
		run_source(e, p, vol);
	}
}
