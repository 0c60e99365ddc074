// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * verify_target.c - online verify: what both ends agree on, and the end that answers with digests
 *
 * Owns:       VERIFY messages; digests for the peer.
 * Invariants: VF-1, VF-2, VF-3 (verify.c). The answer leaves while the range is still locked: writes of mine behind it on the
 *             data stream are not part of what it says.
 */
#include "core.h"
#include "resync.h"

/* --------------------------------------------------------------- agreement */

void bsr_verify_say(struct bsr_engine *e, struct bsr_peer *p, struct bsr_volume *vol, enum bsr_verify_say say, int32_t error)
{
	const struct bsr_verify *v = &p->device[vol->index].verify;
	const struct bsr_msg_verify m = {.vnr = vol->vnr,
		.say = (uint8_t)say,
		.digest = v->digest,
		.run = v->run,
		.start = v->start,
		.stop = v->stop,
		.found = say == BSR_VERIFY_ENDED ? v->found_bytes : 0,
		.skipped = say == BSR_VERIFY_ENDED ? v->skipped_bytes : 0,
		.error = error};
	BSR_SEND(e, p, BSR_STREAM_CONTROL, verify, BSR_MSG_VERIFY, &m);
}

static int32_t judge_start(struct bsr_engine *e, struct bsr_peer *p, struct bsr_volume *vol, const struct bsr_msg_verify *m)
{
	struct bsr_verify *v = &p->device[vol->index].verify;
	if (bsr_digest_bytes(m->digest) == 0) {
		return -BSR_E_VERIFY_PEER_ALG;
	}
	if (v->step == BSR_VERIFY_ASKING && p->resolver) {
		return -BSR_E_RESYNC_RUNNING; /* both asked at once: mine counts */
	}
	const int32_t ret = bsr_verify_possible(e, p, vol);
	const bool fits = m->start < m->stop && m->stop <= vol->size_bytes && m->start % BSR_BITMAP_BLOCK_BYTES == 0;
	return ret < 0 ? ret : fits ? 0 : -BSR_E_VERIFY_RANGE;
}

static void start_received(struct bsr_engine *e, struct bsr_peer *p, struct bsr_volume *vol, const struct bsr_msg_verify *m)
{
	struct bsr_verify *v = &p->device[vol->index].verify;
	const int32_t ret = judge_start(e, p, vol, m);
	if (ret < 0) {
		struct bsr_msg_verify no = *m;
		no.say = BSR_VERIFY_REFUSED;
		no.found = no.skipped = 0;
		no.error = ret;
		BSR_SEND(e, p, BSR_STREAM_CONTROL, verify, BSR_MSG_VERIFY, &no);
		return;
	}
	bsr_verify_interrupt(e, p, vol, -BSR_E_RESYNC_RUNNING); /* my own wish, if I have one */
	v->run = m->run;
	v->digest = m->digest;
	v->start = m->start;
	v->stop = m->stop;
	bsr_verify_say(e, p, vol, BSR_VERIFY_AGREED, 0);
	bsr_verify_begin(e, p, vol, BSR_VERIFY_TARGET);
}

static void agreed(struct bsr_engine *e, struct bsr_peer *p, struct bsr_volume *vol, const struct bsr_msg_verify *m)
{
	struct bsr_verify *v = &p->device[vol->index].verify;
	if (v->step != BSR_VERIFY_ASKING || v->run != m->run) {
		/* given up here meanwhile */
		struct bsr_msg_verify end = *m;
		end.say = BSR_VERIFY_ENDED;
		end.error = -BSR_E_VERIFY_STOPPED;
		BSR_SEND(e, p, BSR_STREAM_CONTROL, verify, BSR_MSG_VERIFY, &end);
		return;
	}
	const int32_t ret = bsr_verify_possible(e, p, vol);
	if (ret < 0) {
		bsr_verify_interrupt(e, p, vol, ret);
		bsr_verify_say(e, p, vol, BSR_VERIFY_ENDED, ret);
		return;
	}
	bsr_emit_command_done(e, v->cmd_id, 0, BSR_NONE, BSR_NONE);
	bsr_verify_begin(e, p, vol, BSR_VERIFY_SOURCE);
}

static void ended(struct bsr_engine *e, struct bsr_peer *p, struct bsr_volume *vol, const struct bsr_msg_verify *m)
{
	struct bsr_verify *v = &p->device[vol->index].verify;
	if (v->run != m->run || (v->step != BSR_VERIFY_SOURCE && v->step != BSR_VERIFY_TARGET)) {
		return;
	}
	if (v->step == BSR_VERIFY_TARGET) {
		v->found_bytes = m->found;
		v->skipped_bytes = m->skipped;
		v->at = m->error == 0 ? v->stop : v->at;
	}
	v->peer_ended = true;
	/* what is not complete at the source is not complete, whatever a target says */
	const bool complete = m->error == 0 && v->step == BSR_VERIFY_TARGET;
	bsr_verify_finish(e, p, vol, complete ? 0 : m->error < 0 ? m->error : -BSR_E_VERIFY_STOPPED);
	v->peer_ended = false;
}

void bsr_verify_receive(struct bsr_engine *e, struct bsr_peer *p, const struct bsr_msg_verify *m)
{
	struct bsr_volume *vol = bsr_volume_by_vnr(e, m->vnr);
	if (!(p->features & BSR_FEATURE_VERIFY)) {
		bsr_peer_reject(e, p, BSR_MSG_VERIFY);
		return;
	}
	if (!vol || !p->device[vol->index].exists) {
		return; /* removed meanwhile: the link is about to go, too */
	}
	switch ((enum bsr_verify_say)m->say) {
	case BSR_VERIFY_START:
		start_received(e, p, vol, m);
		break;
	case BSR_VERIFY_AGREED:
		agreed(e, p, vol, m);
		break;
	case BSR_VERIFY_REFUSED:
		if (p->device[vol->index].verify.step == BSR_VERIFY_ASKING && p->device[vol->index].verify.run == m->run) {
			bsr_verify_interrupt(e, p, vol, m->error);
		}
		break;
	case BSR_VERIFY_ENDED:
		ended(e, p, vol, m);
		break;
	}
}

/* ------------------------------------------------------------------ answers */

static void answer(struct bsr_engine *e, struct bsr_peer_request *pr, int32_t result)
{
	struct bsr_peer *p = pr->peer;
	struct bsr_volume *vol = e->volume[pr->volume];
	struct bsr_peer_device *pd = &p->device[pr->volume];
	if (p->link_up && p->link == pr->link_id && pd->verify.step == BSR_VERIFY_TARGET) {
		const struct bsr_msg_verify_reply m = {.vnr = vol->vnr,
			.id = pr->id,
			.offset = pr->offset,
			.length = pr->length,
			.error = result,
			.digest_bytes = result < 0 ? 0 : (uint16_t)bsr_digest_bytes(pr->flags),
			.digests = e->digests};
		BSR_ASSERT(result < 0 || e->digest_bytes != 0);
		BSR_SEND(e, p, BSR_STREAM_DATA, verify_reply, BSR_MSG_VERIFY_REPLY, &m);
		pd->verify.compared_bytes += pr->length;
	}
	pd->unacked -= pd->unacked > 0;
	bsr_interval_remove(e, &pr->range); /* VF-1: behind the answer */
	bsr_peer_request_put(e, pr);
	if (bsr_receive_idle(p)) {
		e->kick = true;
	}
}

static void digested(struct bsr_engine *e, struct bsr_disk_op *op, int32_t result, bsr_buf_t buf)
{
	struct bsr_peer_request *pr = op->owner;
	(void)buf;
	if (result == -BSR_E_UNSUPPORTED && pr->peer->device[pr->volume].verify.step == BSR_VERIFY_TARGET) {
		bsr_verify_finish(e, pr->peer, op->vol, -BSR_E_VERIFY_PEER_ALG);
	} else if (result < 0) {
		bsr_disk_error(e, op->vol, false, pr->offset, pr->length);
	}
	answer(e, pr, result);
}

static void read_turn(struct bsr_engine *e, struct bsr_interval *i)
{
	struct bsr_peer_request *pr = BSR_CONTAINER(i, struct bsr_peer_request, range);
	struct bsr_volume *vol = e->volume[pr->volume];
	if (vol->disk != BSR_DISK_UP_TO_DATE || pr->peer->device[pr->volume].verify.step != BSR_VERIFY_TARGET) {
		answer(e, pr, -BSR_E_NO_UP_TO_DATE);
		return;
	}
	vol->read_bytes += pr->length;
	bsr_emit_disk(e, vol,
		(struct bsr_fx_disk){.op = BSR_OP_DIGEST,
			.flags = pr->flags,
			.offset = pr->offset,
			.length = pr->length,
			.buf = BSR_BUF_NONE},
		pr, digested);
}

static bool range_fits(const struct bsr_volume *vol, const struct bsr_msg_range *m)
{
	return m->length <= BSR_VERIFY_REQUEST_BYTES_MAX && m->length <= vol->size_bytes &&
	       m->offset <= vol->size_bytes - m->length && m->offset % BSR_BITMAP_BLOCK_BYTES == 0;
}

void bsr_verify_request(struct bsr_engine *e, struct bsr_peer *p, const struct bsr_msg_range *m)
{
	struct bsr_volume *vol = bsr_volume_by_vnr(e, m->vnr);
	if (!vol || !p->device[vol->index].exists || !range_fits(vol, m)) {
		bsr_peer_reject(e, p, BSR_MSG_VERIFY_REQUEST);
		return;
	}
	struct bsr_peer_device *pd = &p->device[vol->index];
	if (pd->verify.step != BSR_VERIFY_TARGET) {
		return; /* it has ended here; the peer hears of it */
	}
	struct bsr_peer_request *pr = bsr_peer_request_get(e, p, BSR_PR_VERIFY_READ);
	if (!pr) {
		bsr_peer_reject(e, p, BSR_MSG_VERIFY_REQUEST);
		return; /* far more requests than any window of ours allows */
	}
	const uint64_t end = m->offset + m->length;
	pd->verify.at = end > pd->verify.at && end <= pd->verify.stop ? end : pd->verify.at;
	pd->unacked++;
	pr->id = m->id;
	pr->offset = m->offset;
	pr->length = m->length;
	pr->flags = pd->verify.digest;
	pr->range.go = read_turn;
	pr->arrival = BSR_MUTATION(125) ? 0 : p->arrivals; /* VF-1 */
	bsr_receive_queue_read(e, pr, vol);
}

void bsr_verify_result(struct bsr_engine *e, struct bsr_peer *p, const struct bsr_msg_range *m)
{
	struct bsr_volume *vol = bsr_volume_by_vnr(e, m->vnr);
	if (!vol || !p->device[vol->index].exists || m->length > vol->size_bytes || m->offset > vol->size_bytes - m->length) {
		bsr_peer_reject(e, p, BSR_MSG_VERIFY_RESULT);
		return;
	}
	if (vol->bitmap && p->device[vol->index].slot >= 0) {
		bsr_verify_mark(e, p, vol, m->offset, m->length);
		bsr_emit_log(e, BSR_LOGN_VERIFY_DIFFERS, p, vol, m->offset, m->length, m->error < 0);
	}
}
