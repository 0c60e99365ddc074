// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * disk.c - operations on simulated disks: latency, errors, crashes in the middle
 *
 * Content and cache are in disk_cache.c. An operation takes effect when it is done; one that is under way when its
 * process dies happens, happens in part, or does not.
 */
#include <string.h>

#include <bsr/assert.h>

#include "disk.h"

static struct sim_op *op_new(struct sim *w, uint32_t node, uint32_t volume)
{
	struct sim_disk *d = &w->node[node].disk[volume];
	struct sim_op *op = sim_alloc(w, sizeof(*op));
	op->node = node;
	op->volume = volume;
	op->buf = BSR_BUF_NONE;
	op->next = d->ops;
	if (d->ops != NULL) {
		d->ops->previous = op;
	}
	d->ops = op;
	d->op_count++;
	return op;
}

static void op_unlink(struct sim_disk *d, struct sim_op *op)
{
	if (op->previous != NULL) {
		op->previous->next = op->next;
	} else {
		d->ops = op->next;
	}
	if (op->next != NULL) {
		op->next->previous = op->previous;
	}
	d->op_count--;
}

static void op_free(struct sim *w, struct sim_op *op)
{
	if (op->bytes != NULL) {
		sim_free(w, op->bytes, op->count * 512u);
	}
	sim_free(w, op, sizeof(*op));
}

static void op_schedule(struct sim *w, struct sim_disk *d, struct sim_op *op)
{
	if (d->stuck) {
		return;
	}
	struct sim_rng *r = &w->rng[SIM_RNG_DISK];
	uint64_t ns = sim_rng_range(r, w->cfg.disk_low_ns, w->cfg.disk_high_ns);
	ns += (uint64_t)op->count * 100u;
	if (sim_rng_chance(r, 10)) {
		ns *= 20; /* now and then a slow one: reordering */
	}
	op->scheduled = true;
	sim_schedule(w, w->now_ns + ns * (d->latency_factor != 0 ? d->latency_factor : 1u), SIM_EV_DISK, SIM_NONE, 0, op);
}

static void check_overlap(struct sim *w, const struct sim_disk *d, const struct sim_op *op)
{
	for (const struct sim_op *o = d->ops; o != NULL; o = o->next) {
		if (o != op && !o->metadata && o->op != BSR_OP_READ && o->op != BSR_OP_FLUSH &&
			o->sector < op->sector + op->count && op->sector < o->sector + o->count) {
			sim_fail(w, "D1", "node %u volume %u: writes %llu+%u and %llu+%u overlap on the disk", op->node,
				op->volume, (unsigned long long)o->sector, o->count, (unsigned long long)op->sector,
				op->count);
		}
	}
}

static void mark_flush(struct sim_disk *d, struct sim_op *op)
{
	op->mark[0] = d->device[0].sequence;
	op->mark[1] = d->device[1].sequence;
}

/* Zeroes have no buffer that would tell how old they are; a resync never writes such. */
static bool is_earlier(struct sim *w, uint32_t node, const struct bsr_fx_disk *fx)
{
	const struct sim_published *pub = &w->node[node].pub;
	return pub->disk[fx->volume] == BSR_DISK_UP_TO_DATE || fx->op != BSR_OP_WRITE ||
	       (fx->buf != BSR_BUF_NONE && sim_buf_get(w, node, fx->buf)->born_ns < pub->worse_ns[fx->volume]);
}

void sim_disk_submit_data(struct sim *w, uint32_t node, const struct bsr_fx_disk *fx)
{
	if (fx->volume >= w->cfg.volume_count) {
		sim_fail(w, "RANGE", "node %u: disk effect for volume %u", node, fx->volume);
	}
	struct sim_disk *d = &w->node[node].disk[fx->volume];
	struct sim_op *op = op_new(w, node, fx->volume);
	op->op_id = fx->op_id;
	op->op = fx->op == BSR_OP_DIGEST ? BSR_OP_READ : fx->op;
	op->digest = fx->op == BSR_OP_DIGEST ? fx->flags : 0;
	op->flags = fx->op == BSR_OP_DIGEST ? 0 : fx->flags;
	op->sector = fx->offset / 512;
	op->count = fx->length / 512;
	op->earlier = is_earlier(w, node, fx);
	SIM_TRACE(w, "n%u disk v%u op=%u %s%llu+%u id=%u%s", node, fx->volume, fx->op,
		fx->op == BSR_OP_FLUSH ? "flush " : "", (unsigned long long)op->sector, op->count, fx->op_id,
		(fx->flags & BSR_REQ_FUA) != 0 ? " fua" : "");
	if (fx->op == BSR_OP_FLUSH) {
		mark_flush(d, op);
		op_schedule(w, d, op);
		return;
	}
	if (fx->offset % 512 != 0 || fx->length % 512 != 0 || fx->length == 0 ||
		fx->offset + fx->length > d->layout.data_bytes) {
		sim_fail(w, "RANGE", "node %u volume %u: disk operation %u at %llu+%u, data area has %llu bytes", node,
			fx->volume, fx->op, (unsigned long long)fx->offset, fx->length,
			(unsigned long long)d->layout.data_bytes);
	}
	if (fx->buf != BSR_BUF_NONE) {
		sim_buf_use(w, node, fx->buf, fx->buf_offset, fx->length);
		sim_buf_ref(w, node, fx->buf);
		op->buf = fx->buf;
		op->buf_sector = fx->buf_offset / 512;
		if ((fx->flags & BSR_DISK_GIVES_BUFFER) != 0) {
			sim_buf_engine_put(w, node, fx->buf);
		}
	} else if (fx->op == BSR_OP_WRITE) {
		sim_fail(w, "BUF", "node %u: disk write without a buffer", node);
	}
	if (op->op != BSR_OP_READ) {
		check_overlap(w, d, op);
	}
	op_schedule(w, d, op);
}

static bool md_in_area(const struct sim_disk *d, uint64_t offset, uint32_t length)
{
	return offset >= d->md_first && offset % 4096 == 0 && length % 4096 == 0 && length != 0 &&
	       (offset - d->md_first + length) / 4096 <= d->md_blocks;
}

void sim_disk_submit_md(struct sim *w, uint32_t node, const struct bsr_fx_md *fx)
{
	if (fx->volume >= w->cfg.volume_count) {
		sim_fail(w, "RANGE", "node %u: metadata effect for volume %u", node, fx->volume);
	}
	struct sim_disk *d = &w->node[node].disk[fx->volume];
	if (!md_in_area(d, fx->offset, fx->length)) {
		sim_fail(w, "RANGE", "node %u volume %u: metadata operation at %llu+%u is outside of the metadata", node,
			fx->volume, (unsigned long long)fx->offset, fx->length);
	}
	struct sim_op *op = op_new(w, node, fx->volume);
	op->metadata = true;
	op->op_id = fx->op_id;
	op->op = fx->write ? BSR_OP_WRITE : BSR_OP_READ;
	op->flags = fx->flags;
	op->sector = fx->offset / 512;
	op->count = fx->length / 512;
	op->mem = fx->mem;
	mark_flush(d, op);
	if (fx->write) {
		op->bytes = sim_alloc(w, fx->length);
		memcpy(op->bytes, fx->mem, fx->length);
	}
	SIM_TRACE(w, "n%u md v%u %s %llu+%u id=%u flags=%u", node, fx->volume, fx->write ? "write" : "read",
		(unsigned long long)fx->offset, fx->length, fx->op_id, fx->flags);
	op_schedule(w, d, op);
}

static void apply_write(struct sim *w, struct sim_op *op, bool partly)
{
	struct sim_rng *r = &w->rng[SIM_RNG_DISK];
	const bool fua = (op->flags & BSR_REQ_FUA) != 0;
	const uint32_t *stamps = NULL;
	if (op->op == BSR_OP_WRITE) {
		stamps = sim_buf_get(w, op->node, op->buf)->stamps + op->buf_sector;
	}
	if (!op->earlier) {
		sim_oracle_target_write(w, op->node, op->volume);
	}
	if (!partly) {
		sim_cache_data(w, op->node, op->volume, op->sector, op->count, stamps, fua);
		sim_rot_after_write(w, op->node, op->volume, op->sector, op->count);
		return;
	}
	for (uint32_t i = 0; i < op->count; i++) {
		if (sim_rng_chance(r, 500)) {
			sim_cache_data(w, op->node, op->volume, op->sector + i, 1, stamps != NULL ? stamps + i : NULL,
				false);
		}
	}
}

static void apply_md_write(struct sim *w, struct sim_op *op, bool partly)
{
	struct sim_disk *d = &w->node[op->node].disk[op->volume];
	const bool fua = (op->flags & BSR_MD_FUA) != 0;
	const uint32_t first = (uint32_t)((op->sector * 512u - d->md_first) / 4096u);
	for (uint32_t i = 0; i < op->count / 8u; i++) {
		uint8_t keep = 0xff;
		if (partly) {
			keep = (uint8_t)sim_rng_u64(&w->rng[SIM_RNG_DISK]);
			if (sim_cache_block_atomic(d, first + i)) {
				keep = keep > 127 ? 0xff : 0;
			}
		}
		if (keep != 0) {
			sim_cache_md(w, op->node, op->volume, first + i, op->bytes + i * 4096u, keep, fua && !partly);
		}
	}
}

static bool fails(struct sim *w, const struct sim_disk *d, const struct sim_op *op)
{
	uint32_t pm = op->op == BSR_OP_READ ? d->read_error_pm : d->write_error_pm;
	if (op->op == BSR_OP_FLUSH) {
		pm = d->flush_error_pm;
	}
	if (op->metadata) {
		pm = d->md_error_pm;
	}
	return d->dead || (pm != 0 && sim_rng_chance(&w->rng[SIM_RNG_DISK], pm));
}

static void do_flush(struct sim *w, struct sim_op *op)
{
	struct sim_disk *d = &w->node[op->node].disk[op->volume];
	sim_cache_flush(w, op->node, op->volume, &d->device[0], op->mark[0]);
	if (op->metadata && d->external_md) {
		sim_cache_flush(w, op->node, op->volume, &d->device[1], op->mark[1]);
	}
}

/* Whoever writes behind a flush does not begin before the flush has ended: what has landed proves it. */
void sim_disk_flush_before(struct sim *w, struct sim_op *op)
{
	if ((op->flags & BSR_MD_PREFLUSH) != 0) {
		do_flush(w, op);
	}
}

static void do_md(struct sim *w, struct sim_op *op)
{
	struct sim_disk *d = &w->node[op->node].disk[op->volume];
	sim_disk_flush_before(w, op);
	if (op->op == BSR_OP_WRITE) {
		if (memcmp(op->bytes, op->mem, op->count * 512u) != 0) {
			sim_fail(w, "MD-STABLE", "node %u volume %u: metadata at sector %llu changed while it was being written",
				op->node, op->volume, (unsigned long long)op->sector);
		}
		apply_md_write(w, op, false);
		return;
	}
	const uint32_t first = (uint32_t)((op->sector * 512u - d->md_first) / 4096u);
	for (uint32_t i = 0; i < op->count / 8u; i++) {
		uint8_t *to = (uint8_t *)op->mem + i * 4096u;
		if (d->md_now[first + i] != NULL) {
			memcpy(to, d->md_now[first + i], 4096);
		} else {
			memset(to, 0, 4096);
		}
	}
}

static bsr_buf_t do_read(struct sim *w, struct sim_op *op)
{
	struct sim_disk *d = &w->node[op->node].disk[op->volume];
	if (op->buf != BSR_BUF_NONE) {
		struct sim_buf *buf = sim_buf_get(w, op->node, op->buf);
		sim_rot_read(w, d, op->sector, op->count, buf->stamps + op->buf_sector);
		return BSR_BUF_NONE;
	}
	const bsr_buf_t id = sim_buf_new(w, op->node, op->count, NULL);
	struct sim_buf *buf = sim_buf_get(w, op->node, id);
	buf->engine_owned = true;
	sim_rot_read(w, d, op->sector, op->count, buf->stamps);
	return id;
}

static bsr_buf_t carry_out(struct sim *w, struct sim_op *op, bool failed)
{
	if (failed) {
		w->node[op->node].disk[op->volume].write_errors += op->op != BSR_OP_READ;
		w->node[op->node].disk[op->volume].md_errors += op->metadata;
		w->node[op->node].disk[op->volume].passed_errors += !op->metadata;
		if (op->op != BSR_OP_READ && op->op != BSR_OP_FLUSH && op->metadata) {
			sim_disk_flush_before(w, op);
			apply_md_write(w, op, true);
		} else if (op->op != BSR_OP_READ && op->op != BSR_OP_FLUSH) {
			apply_write(w, op, true);
		}
		return BSR_BUF_NONE;
	}
	if (op->metadata) {
		do_md(w, op);
	} else if (op->op == BSR_OP_READ) {
		return op->digest != 0 ? BSR_BUF_NONE : do_read(w, op);
	} else if (op->op == BSR_OP_FLUSH) {
		do_flush(w, op);
	} else {
		apply_write(w, op, false);
	}
	return BSR_BUF_NONE;
}

static void digest(struct sim *w, const struct sim_op *op, int32_t result, struct bsr_event *ev)
{
	static uint8_t digests[BSR_VERIFY_BLOCKS_MAX * BSR_DIGEST_BYTES_MAX];
	const struct sim_disk *d = &w->node[op->node].disk[op->volume];
	ev->type = BSR_EV_DIGEST_DONE;
	ev->u.digest_done = (struct bsr_ev_digest_done){.op_id = op->op_id, .result = result};
	if (result == 0) {
		ev->u.digest_done.digests = digests;
		ev->u.digest_done.bytes = sim_rot_digests(w, d, op->digest, op->sector, op->count, digests);
	}
}

void sim_disk_done(struct sim *w, struct sim_op *op)
{
	if (op->cancelled) {
		op_free(w, op);
		return;
	}
	struct sim_node *n = &w->node[op->node];
	struct sim_disk *d = &n->disk[op->volume];
	if (d->stuck) {
		op->scheduled = false;
		return;
	}
	if (sim_node_frozen(w, op->node)) {
		sim_schedule(w, n->frozen_until_ns, SIM_EV_DISK, SIM_NONE, 0, op);
		return;
	}
	if (sim_disk_tears(w, op)) {
		sim_node_crash(w, op->node, true);
		n->boot_armed = true;
		sim_schedule(w, w->now_ns + 300u * SIM_MS, SIM_EV_BOOT, op->node, 0, NULL);
		op_free(w, op); /* it was cancelled */
		return;
	}
	const bool failed = fails(w, d, op);
	const int32_t result = failed ? -BSR_E_IO : 0;
	struct bsr_event ev = {.type = BSR_EV_DISK_DONE};
	ev.u.disk_done =
		(struct bsr_ev_disk_done){.op_id = op->op_id, .result = result, .buf = carry_out(w, op, failed)};
	if (op->digest != 0) {
		digest(w, op, result, &ev);
	}
	const uint32_t node = op->node;
	if (op->buf != BSR_BUF_NONE) {
		sim_buf_unref(w, node, op->buf);
	}
	SIM_TRACE(w, "n%u disk-done v%u id=%u%s%s", node, op->volume, op->op_id, op->metadata ? " md" : "",
		failed ? " ERROR" : "");
	op_unlink(d, op);
	op_free(w, op);
	sim_node_event(w, node, &ev);
}

void sim_disk_crash(struct sim *w, uint32_t node, uint32_t volume)
{
	struct sim_disk *d = &w->node[node].disk[volume];
	struct sim_rng *r = &w->rng[SIM_RNG_DISK];
	const uint32_t mode = (uint32_t)sim_rng_below(r, 4);
	while (d->ops != NULL) {
		struct sim_op *op = d->ops;
		const uint64_t fate = mode < 3 ? mode : sim_rng_below(r, 3);
		const bool write = op->op != BSR_OP_READ && op->op != BSR_OP_FLUSH;
		if (write && fate != 0 && !d->dead) {
			if (op->metadata) {
				sim_disk_flush_before(w, op);
				apply_md_write(w, op, fate == 1);
			} else {
				apply_write(w, op, fate == 1);
			}
		}
		if (op->buf != BSR_BUF_NONE) {
			sim_buf_unref(w, node, op->buf);
		}
		op_unlink(d, op);
		if (op->scheduled) {
			op->cancelled = true;
		} else {
			op_free(w, op);
		}
	}
}

void sim_disk_power_cut(struct sim *w, uint32_t node, uint32_t volume)
{
	struct sim_disk *d = &w->node[node].disk[volume];
	d->cut_sequence = ++w->oracle.sequence;
	sim_cache_power_cut(w, node, volume, &d->device[0]);
	if (d->external_md) {
		sim_cache_power_cut(w, node, volume, &d->device[1]);
	}
	sim_rot_power_cut(w, node, volume);
	sim_oracle_al_reload(w, node, volume);
}

void sim_disk_unstick(struct sim *w, uint32_t node, uint32_t volume)
{
	struct sim_disk *d = &w->node[node].disk[volume];
	d->stuck = false;
	for (struct sim_op *op = d->ops; op != NULL; op = op->next) {
		if (!op->scheduled) {
			op_schedule(w, d, op);
		}
	}
}
