// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * handshake_test_model.c - two nodes as the handshake sees them: a test's model
 *
 * Owns:       what each event does to the two nodes; the real bsr_handshake_decide() says what
 *             happens when they meet.
 * Invariants: MD-1 .. MD-6, listed in handshake_model_test.c.
 */
#include <stdio.h>
#include <string.h>

#include <bsr/assert.h>

#include "handshake_test_model.h"

struct model_world world;
const char *model_violation;
uint16_t model_reason;
uint64_t model_reason_count[1024];

static void must(bool ok, const char *what)
{
	if (!ok && !model_violation) {
		model_violation = what;
	}
}

static uint8_t all_blocks(void)
{
	return (uint8_t)((1u << world.blocks) - 1);
}

/* ------------------------------------------------------------ old and new content */

static bool is_ancestor(const struct state *s, uint8_t older, uint8_t newer)
{
	for (uint8_t v = newer; v != NO_VERSION; v = s->parent[v]) {
		if (v == older) {
			return true;
		}
	}
	return false;
}

/* Would replacing @victim by @winner lose an acknowledged write? */
static bool loses(const struct state *s, uint8_t victim, uint8_t winner)
{
	for (uint8_t v = victim; v != NO_VERSION && !is_ancestor(s, v, winner); v = s->parent[v]) {
		if (s->acked[v]) {
			return true;
		}
	}
	return false;
}

/* ------------------------------------------------------------------- generations */

static uint8_t new_generation(const struct state *s)
{
	bool used[GENERATIONS] = {true};
	for (uint32_t i = 0; i < 2; i++) {
		used[s->n[i].cur] = used[s->n[i].slot] = true;
		for (uint32_t h = 0; h < HIST; h++) {
			used[s->n[i].hist[h]] = true;
		}
	}
	for (uint8_t g = 1; g < GENERATIONS; g++) {
		if (!used[g]) {
			return g;
		}
	}
	bsr_panic(__FILE__, __LINE__, "out of generation names");
}

static void push(struct node *n, uint8_t g)
{
	bool known = g == 0;
	for (uint32_t h = 0; h < HIST; h++) {
		known |= n->hist[h] == g;
	}
	if (!known) {
		memmove(n->hist + 1, n->hist, HIST - 1);
		n->hist[0] = g;
	}
}

static void begin_generation(struct state *s, uint32_t i)
{
	struct node *n = &s->n[i];
	n->wants_generation = 0;
	if (n->slot != 0 && (world.lazy_generation || !n->in_progress)) {
		return; /* the peer has an older one for sure */
	}
	if (!s->connected) {
		/* a resync that still runs ends in the generation that begins here */
		n->in_progress = 0;
	}
	if (n->slot == 0) {
		n->slot = n->cur;
	} else {
		push(n, n->cur);
	}
	n->cur = new_generation(s);
}

/* ---------------------------------------------------------------------- the link */

static void lose_link(struct state *s)
{
	if (!s->connected) {
		return;
	}
	if (s->writer && s->mirrored) {
		s->n[s->writer - 1].bits |= (uint8_t)(1u << s->block);
		s->mirrored = 0;
	}
	for (uint32_t i = 0; i < 2; i++) {
		s->n[i].wants_generation = s->n[i].primary;
	}
	const bool unfinished = s->phase == PH_BEGIN || s->phase == PH_RUN;
	s->last_source = unfinished && !s->resolved ? (uint8_t)(1 + s->source) : 0;
	s->last_full = s->phase == PH_BEGIN ? s->full : 0;
	s->connected = s->phase = s->full = s->resolved = s->source = 0;
}

static void restart(struct state *s, uint32_t i)
{
	struct node *n = &s->n[i];
	lose_link(s);
	if (s->writer == i + 1) {
		s->acked[s->version] = 0; /* protocol A: may be lost with its Primary */
		s->writer = 0;
	}
	n->crashed |= n->primary;
	n->bits = n->disk_bits | (n->primary ? n->hot : 0);
	n->disk_bits = n->bits;
	n->primary = n->hot = n->wants_generation = 0;
	s->last_source = 0;
}

static struct bsr_gi gi_of(uint8_t g, bool primary)
{
	return (struct bsr_gi){g == 0 ? BSR_GI_JUST_CREATED : ((uint64_t)g << 8) | primary};
}

static void record(struct bsr_msg_hs_volume *v, const struct node *n, uint32_t other)
{
	v->disk = n->disk;
	v->flags = (n->crashed ? BSR_HSF_CRASHED_PRIMARY : 0) | BSR_HSF_RECONNECT | BSR_HSF_PAIR |
		   (n->missed_end && !world.silent_source ? BSR_HSF_RESYNC_MISSED_END : 0);
	v->size_bytes = v->capacity_bytes = 1 << 20;
	v->bits = (uint64_t)__builtin_popcount(n->bits);
	v->current = gi_of(n->cur, n->primary);
	v->bitmap[other] = n->slot == 0 ? (struct bsr_gi){0} : gi_of(n->slot, false);
	for (uint32_t h = 0; h < HIST; h++) {
		v->history[h] = n->hist[h] == 0 ? (struct bsr_gi){0} : gi_of(n->hist[h], false);
	}
}

static struct bsr_hs_decision meet(const struct state *s, uint32_t discard, bool resolver)
{
	static struct bsr_msg_hs_volume v[2];
	record(&v[0], &s->n[0], 1);
	record(&v[1], &s->n[1], 0);
	struct bsr_hs_side side[2];
	for (uint32_t i = 0; i < 2; i++) {
		side[i] = (struct bsr_hs_side){.node_id = i,
			.role = s->n[i].primary ? BSR_ROLE_PRIMARY : BSR_ROLE_SECONDARY,
			.discard_my_data = discard == i + 1,
			.volume = &v[i]};
	}
	struct bsr_hs_policy policy = {.resolver = resolver};
	struct bsr_hs_decision d[2];
	bsr_handshake_decide(&side[0], &side[1], &policy, &d[0]);
	policy.resolver = !resolver;
	bsr_handshake_decide(&side[1], &side[0], &policy, &d[1]);
	must(d[1].action == bsr_hs_mirror(d[0].action) && d[1].reason == d[0].reason, "mirrored");
	return d[0];
}

static void check_direction(
	const struct state *s, const struct bsr_hs_decision *d, uint32_t source, bool full)
{
	for (uint32_t b = 0; b < world.blocks; b++) {
		must(d->split_brain_resolved || d->reason == BSR_HS_REASON_DISCARD_REVERSED ||
				!loses(s, s->n[1 - source].content[b], s->n[source].content[b]),
			"MD-1 acknowledged write would be overwritten");
	}
	/*
	 * a tie may fall differently as long as nothing has been copied: then the target is not
	 * Inconsistent yet
	 */
	const bool tie = d->reason == BSR_HS_REASON_EQUAL_BOTH_CRASHED ||
			 d->reason == BSR_HS_REASON_EQUAL_BITS_BOTH;
	if (s->last_source && !tie && !d->split_brain_resolved &&
		d->reason != BSR_HS_REASON_DISCARD_REVERSED) {
		must(s->last_source == source + 1, "MD-5 direction turned");
		must(!full || s->last_full || world.keeps_slots, "MD-5 bitmap sync became full");
	}
}

static void begin_resync(struct state *s, const struct bsr_hs_decision *d)
{
	const bool full = d->action == BSR_HS_SOURCE_FULL || d->action == BSR_HS_TARGET_FULL;
	s->source = d->action == BSR_HS_TARGET_BITMAP || d->action == BSR_HS_TARGET_FULL;
	check_direction(s, d, s->source, full);
	struct node *source = &s->n[s->source];
	struct node *target = &s->n[1 - s->source];
	s->phase = PH_BEGIN;
	s->full = full;
	s->resolved = d->split_brain_resolved || d->reason == BSR_HS_REASON_DISCARD_REVERSED;
	source->missed_end = source->in_progress = 1;
	if (target->disk > BSR_DISK_OUTDATED) {
		target->disk = BSR_DISK_OUTDATED;
	}
	if (full) {
		source->bits = source->disk_bits = all_blocks();
		push(source, source->slot);
		source->slot = new_generation(s);
	}
}

static void op_connect(struct state *s, uint32_t discard, bool resolver)
{
	const struct bsr_hs_decision d = meet(s, discard, resolver);
	model_reason = d.reason;
	model_reason_count[d.reason & 1023]++;
	must(d.action != BSR_HS_UNRELATED, "MD-4 unrelated");
	if (d.action == BSR_HS_SPLIT_BRAIN || d.action == BSR_HS_REFUSED) {
		must(d.action == BSR_HS_SPLIT_BRAIN || discard || s->n[0].primary || s->n[1].primary,
			"MD-6 refused");
		return;
	}
	must(!s->n[0].primary || !s->n[1].primary, "MD-4 two Primaries");
	s->connected = 1;
	const bool equal = s->n[0].cur == s->n[1].cur && s->n[0].cur != 0;
	for (uint32_t i = 0; equal && (d.clear_bits || !world.keeps_slots) && i < 2; i++) {
		push(&s->n[i], s->n[i].slot); /* the other has this generation: promise 7 */
		s->n[i].slot = s->n[i].missed_end = s->n[i].in_progress = 0;
	}
	if (d.action != BSR_HS_NO_SYNC) {
		begin_resync(s, &d);
		s->last_source = 0;
		return;
	}
	s->last_source = 0;
	s->n[0].wants_generation = s->n[1].wants_generation = 0;
	for (uint32_t i = 0; d.clear_bits && i < 2; i++) {
		s->n[i].bits = s->n[i].disk_bits = 0;
	}
}

/* -------------------------------------------------------------------- the resync */

/* A split brain was declared decided: what only the target had has been given up. */
static void give_up(struct state *s, const struct node *target, const struct node *source)
{
	for (uint32_t b = 0; b < world.blocks; b++) {
		for (uint8_t v = target->content[b]; !is_ancestor(s, v, source->content[b]);
			v = s->parent[v]) {
			s->acked[v] = 0;
		}
	}
}

static void op_begin_run(struct state *s)
{
	struct node *source = &s->n[s->source];
	struct node *target = &s->n[1 - s->source];
	if (s->resolved) {
		give_up(s, target, source);
	}
	if (s->full) {
		push(target, target->cur);
		target->cur = source->slot;
		target->bits = all_blocks();
	}
	source->bits |= target->bits;
	target->bits = source->bits;
	target->disk = BSR_DISK_INCONSISTENT;
	s->phase = PH_RUN;
	s->full = 0;
}

static void op_copy(struct state *s, uint32_t block)
{
	struct node *target = &s->n[1 - s->source];
	target->content[block] = s->n[s->source].content[block];
	target->bits &= (uint8_t)~(1u << block);
}

static void op_target_done(struct state *s)
{
	const struct node *source = &s->n[s->source];
	struct node *target = &s->n[1 - s->source];
	push(target, target->slot);
	push(target, target->cur);
	target->cur = source->cur;
	target->slot = target->crashed = target->missed_end = target->in_progress = 0;
	target->disk_bits = 0;
	target->disk = source->disk;
	s->phase = PH_DONE;
}

static void op_source_done(struct state *s)
{
	struct node *source = &s->n[s->source];
	push(source, source->slot);
	source->slot = source->bits = source->crashed = 0;
	source->missed_end = source->in_progress = 0;
	source->wants_generation = 0;
	s->phase = PH_NONE;
	s->resolved = s->source = 0;
}

/* --------------------------------------------------------------------- the writes */

static void op_write(struct state *s, uint32_t i, uint32_t block)
{
	uint8_t v = 0;
	bool used[VERSIONS] = {false};
	for (uint32_t k = 0; k < 2; k++) {
		for (uint32_t b = 0; b < world.blocks; b++) {
			for (uint8_t at = s->n[k].content[b]; at != NO_VERSION; at = s->parent[at]) {
				used[at] = true;
			}
		}
	}
	while (used[v]) {
		v++;
	}
	s->parent[v] = s->n[i].content[block];
	s->acked[v] = 0;
	s->writer = (uint8_t)(i + 1);
	s->block = (uint8_t)block;
	s->version = v;
	s->at_local = s->at_remote = 0;
	s->mirrored = s->connected;
	s->n[i].hot |= (uint8_t)(1u << block);
	if (!s->connected) {
		s->n[i].bits |= (uint8_t)(1u << block);
	}
}

static bool may_acknowledge(const struct state *s)
{
	const struct node *n = &s->n[s->writer - 1];
	if (!s->at_local) {
		return false;
	}
	return s->mirrored ? s->at_remote || world.protocol_a : !n->wants_generation;
}

/*
 * Protocol A: acknowledged, and still on its way to the peer; promise 1 makes its loss a new
 * generation.
 */
static bool acknowledged_early(const struct state *s)
{
	return s->writer && s->acked[s->version];
}

/* ----------------------------------------------------------------- one state, one name */

static void rename_generations(struct state *s)
{
	uint8_t *place[2 * (2 + HIST)];
	uint32_t count = 0;
	for (uint32_t i = 0; i < 2; i++) {
		place[count++] = &s->n[i].cur;
		place[count++] = &s->n[i].slot;
	}
	for (uint32_t i = 0; i < 2; i++) {
		struct node *n = &s->n[i];
		const struct node *o = &s->n[1 - i];
		uint8_t kept[HIST] = {0};
		uint32_t kept_count = 0;
		for (uint32_t h = 0; h < HIST; h++) {
			bool matters = n->hist[h] == n->slot || n->hist[h] == n->cur ||
				       n->hist[h] == o->cur || n->hist[h] == o->slot;
			for (uint32_t k = 0; k < HIST; k++) {
				matters |= n->hist[h] == o->hist[k];
			}
			if (n->hist[h] != 0 && matters) {
				kept[kept_count++] = n->hist[h];
			}
		}
		memcpy(n->hist, kept, HIST);
		for (uint32_t h = 0; h < HIST; h++) {
			place[count++] = &n->hist[h];
		}
	}
	uint8_t name[GENERATIONS] = {0};
	uint8_t next = 1;
	for (uint32_t i = 0; i < count; i++) {
		if (*place[i] != 0 && name[*place[i]] == 0) {
			name[*place[i]] = next++;
		}
		*place[i] = name[*place[i]];
	}
}

/* What is known of one block: who holds what, and the last version that all of it comes from. */
struct lineage {
	uint8_t held[3];
	uint8_t root;
	uint8_t name[VERSIONS];
};

static uint8_t last_common(const struct state *s, uint8_t a, uint8_t b)
{
	while (!is_ancestor(s, a, b)) {
		a = s->parent[a];
	}
	return a;
}

/* Somebody's content, or where two of them part: has to keep a name of its own. */
static bool has_own_name(const struct state *s, const struct lineage *l, uint8_t v)
{
	for (uint32_t x = 0; x < 3; x++) {
		for (uint32_t y = 0; y <= x; y++) {
			if (last_common(s, l->held[x], l->held[y]) == v) {
				return true;
			}
		}
	}
	return false;
}

/* One holder's way back to the root; what nobody holds is joined to its successor. */
static void rename_path(
	const struct state *s, struct state *out, struct lineage *l, uint32_t holder, uint8_t *next)
{
	uint8_t child = NO_VERSION;
	for (uint8_t v = l->held[holder]; v != l->root; v = s->parent[v]) {
		if (!has_own_name(s, l, v)) {
			out->acked[child] |= s->acked[v];
			continue;
		}
		if (l->name[v] == NO_VERSION) {
			l->name[v] = (*next)++;
		}
		out->acked[l->name[v]] |= s->acked[v];
		if (child != NO_VERSION) {
			out->parent[child] = l->name[v];
		}
		child = l->name[v];
	}
	if (child != NO_VERSION) {
		out->parent[child] = l->name[l->root];
	}
}

static void rename_versions(struct state *s)
{
	struct state out = *s;
	uint8_t next = 0;
	memset(out.parent, NO_VERSION, sizeof(out.parent));
	memset(out.acked, 0, sizeof(out.acked));
	for (uint32_t b = 0; b < world.blocks; b++) {
		const bool flying = s->writer && s->block == b;
		struct lineage l = {.held = {s->n[0].content[b], s->n[1].content[b],
					    flying ? s->version : s->n[0].content[b]}};
		l.root = last_common(s, last_common(s, l.held[0], l.held[1]), l.held[2]);
		memset(l.name, NO_VERSION, sizeof(l.name));
		l.name[l.root] = next++;
		for (uint32_t k = 0; k < 3; k++) {
			rename_path(s, &out, &l, k, &next);
		}
		out.n[0].content[b] = l.name[l.held[0]];
		out.n[1].content[b] = l.name[l.held[1]];
		if (flying) {
			out.version = l.name[l.held[2]];
		}
	}
	*s = out;
}

void model_normalise(struct state *s)
{
	if (!s->writer) {
		s->block = s->version = s->at_local = s->at_remote = s->mirrored = 0;
	}
	rename_generations(s);
	rename_versions(s);
}

/* ------------------------------------------------------------------------ checks */

void model_check(const struct state *s)
{
	const struct node *a = &s->n[0];
	const struct node *b = &s->n[1];
	if (!s->connected) {
		return;
	}
	must(!a->primary || !b->primary, "MD-4 two Primaries");
	const uint32_t flying = s->writer ? 1u << s->block : 0;
	const uint32_t covered = flying | a->bits | b->bits;
	for (uint32_t k = 0; k < world.blocks; k++) {
		const bool differs = a->content[k] != b->content[k];
		const uint8_t bit = (uint8_t)(1u << k);
		if (s->phase == PH_RUN) {
			const uint8_t bits = s->n[1 - s->source].bits;
			must(!differs || ((bits | flying) & bit), "MD-2 difference without a bit at the target");
		} else if (s->phase == PH_NONE && a->disk == BSR_DISK_UP_TO_DATE &&
			   b->disk == BSR_DISK_UP_TO_DATE) {
			must(!differs || (flying & bit), "MD-3 connected, and different");
		} else if (s->phase == PH_BEGIN && !s->full) {
			must(!differs || (covered & bit), "MD-2 difference without a bit");
		}
	}
}

/* ----------------------------------------------------------------------- events */

const char *model_op_name(uint32_t op)
{
	static const char *const names[OP_COUNT] = {[OP_PROMOTE] = "promote", [OP_DEMOTE] = "demote",
		[OP_FORCE] = "force", [OP_RESTART] = "crash", [OP_FLUSH] = "flush bits",
		[OP_EVICT] = "evict", [OP_GENERATION] = "new generation", [OP_WRITE] = "write",
		[OP_LOCAL] = "local done", [OP_REMOTE] = "remote done", [OP_ACK] = "acknowledge",
		[OP_FORGET] = "confirmed", [OP_CUT] = "cut", [OP_BEGIN_RUN] = "run",
		[OP_COPY] = "copy", [OP_SOURCE_CLEARS] = "source clears",
		[OP_TARGET_DONE] = "target done", [OP_SOURCE_DONE] = "source done",
		[OP_CONNECT] = "connect", [OP_OUTDATE] = "outdate"};
	uint32_t base = op;
	while (!names[base]) {
		base--;
	}
	static char op_text[64];
	(void)snprintf(op_text, sizeof(op_text), "%s %u", names[base], op - base);
	return op_text;
}

static bool role_op(struct state *s, uint32_t op, uint32_t i)
{
	struct node *n = &s->n[i];
	const struct node *o = &s->n[1 - i];
	switch (op) {
	case OP_PROMOTE:
		if (n->primary || n->disk != BSR_DISK_UP_TO_DATE || (s->connected && o->primary)) {
			return false;
		}
		n->primary = 1;
		n->wants_generation = !s->connected;
		return true;
	case OP_DEMOTE:
		if (!n->primary || s->writer == i + 1) {
			return false;
		}
		n->primary = n->wants_generation = 0;
		n->disk_bits |= n->bits;
		n->hot = 0;
		return true;
	case OP_FORCE: /* the first of two fresh disks; any other force is a declaration */
		if (n->cur != 0 || o->cur != 0 || s->connected) {
			return false;
		}
		n->disk = BSR_DISK_UP_TO_DATE;
		n->primary = 1;
		n->cur = new_generation(s);
		n->wants_generation = 1;
		return true;
	case OP_GENERATION:
		if (!n->wants_generation || (s->connected && s->phase == PH_NONE)) {
			return false;
		}
		begin_generation(s, i);
		return true;
	case OP_OUTDATE:
		if (!world.persons || s->connected || n->primary || n->disk != BSR_DISK_UP_TO_DATE) {
			return false;
		}
		n->disk = BSR_DISK_OUTDATED;
		return true;
	default:
		return false;
	}
}

/* What leaves the two sides' claims as they are: an interrupted resync must go on afterwards. */
static bool disk_op(struct state *s, uint32_t op, uint32_t i)
{
	struct node *n = &s->n[i];
	const uint32_t flying = s->writer == i + 1 ? 1u << s->block : 0;
	switch (op) {
	case OP_RESTART:
		if (world.crashes) {
			restart(s, i);
		}
		return world.crashes;
	case OP_FLUSH:
		if (n->disk_bits == n->bits) {
			return false;
		}
		n->disk_bits = n->bits;
		return true;
	case OP_EVICT:
		if (!n->primary || n->hot == flying) {
			return false;
		}
		n->disk_bits |= n->bits;
		n->hot = (uint8_t)flying;
		return true;
	default:
		return false;
	}
}

static bool node_op(struct state *s, uint32_t op, uint32_t i)
{
	if (op == OP_RESTART || op == OP_FLUSH || op == OP_EVICT) {
		return disk_op(s, op, i);
	}
	if (!role_op(s, op, i)) {
		return false;
	}
	s->last_source = 0;
	return true;
}

static bool begin_write(struct state *s, uint32_t i, uint32_t block)
{
	if (block >= world.blocks || s->writer || !s->n[i].primary || s->phase == PH_BEGIN ||
		s->n[i].disk != BSR_DISK_UP_TO_DATE) {
		return false;
	}
	op_write(s, i, block);
	s->last_source = 0;
	return true;
}

static bool write_op(struct state *s, uint32_t op)
{
	if (!s->writer) {
		return false;
	}
	const uint32_t i = s->writer - 1u;
	switch (op) {
	case OP_LOCAL:
		if (s->at_local) {
			return false;
		}
		s->n[i].content[s->block] = s->version;
		s->at_local = 1;
		return true;
	case OP_REMOTE:
		if (s->at_remote || !s->mirrored) {
			return false;
		}
		s->n[1 - i].content[s->block] = s->version;
		s->at_remote = 1;
		return true;
	case OP_ACK:
		if (!may_acknowledge(s) || acknowledged_early(s)) {
			return false;
		}
		s->acked[s->version] = 1;
		if (!world.protocol_a || !s->mirrored || s->at_remote) {
			s->writer = 0;
		}
		return true;
	case OP_FORGET:
		if (!acknowledged_early(s) || (s->mirrored ? !s->at_remote : s->n[i].wants_generation)) {
			return false;
		}
		s->writer = 0;
		return true;
	default:
		return false;
	}
}

static bool block_op(struct state *s, bool target, uint32_t block)
{
	const uint32_t flying = s->writer ? 1u << s->block : 0;
	const uint8_t bit = (uint8_t)(1u << block);
	if (s->phase != PH_RUN || (flying & bit)) {
		return false;
	}
	const uint8_t bits = s->n[1 - s->source].bits;
	if (target && (bits & bit)) {
		op_copy(s, block);
		return true;
	}
	if (!target && !(bits & bit) && (s->n[s->source].bits & bit)) {
		s->n[s->source].bits &= (uint8_t)~bit;
		return true;
	}
	return false;
}

static bool resync_op(struct state *s, uint32_t op)
{
	switch (op) {
	case OP_CUT:
		if (!s->connected) {
			return false;
		}
		lose_link(s);
		return true;
	case OP_BEGIN_RUN:
		if (s->phase != PH_BEGIN || (s->writer && s->mirrored)) {
			return false;
		}
		op_begin_run(s);
		return true;
	case OP_TARGET_DONE:
		if (s->phase != PH_RUN || s->n[1 - s->source].bits) {
			return false;
		}
		op_target_done(s);
		return true;
	case OP_SOURCE_DONE:
		if (s->phase != PH_DONE) {
			return false;
		}
		op_source_done(s);
		return true;
	default:
		return op < OP_SOURCE_CLEARS ? block_op(s, true, op - OP_COPY)
					     : block_op(s, false, op - OP_SOURCE_CLEARS);
	}
}

static bool connect_op(struct state *s, uint32_t variant)
{
	const uint32_t discard = variant % 3;
	if (s->connected || (discard != 0 && !world.persons)) {
		return false;
	}
	op_connect(s, discard, variant / 3 != 0);
	return true;
}

bool model_apply(struct state *s, uint32_t op)
{
	if (op < OP_WRITE || op >= OP_OUTDATE) {
		return node_op(s, op & ~1u, op & 1);
	}
	if (op < OP_LOCAL) {
		return begin_write(s, (op - OP_WRITE) % 2, (op - OP_WRITE) / 2);
	}
	if (op < OP_CUT) {
		return write_op(s, op);
	}
	return op < OP_CONNECT ? resync_op(s, op) : connect_op(s, op - OP_CONNECT);
}
BSR_STATIC_ASSERT(OP_OUTDATE % 2 == 0, "node operations come in pairs");

/* What is on a fresh disk is of no value, and on each another thing. */
struct state model_fresh(void)
{
	struct state s;
	uint8_t next = 0;
	memset(&s, 0, sizeof(s));
	memset(s.parent, NO_VERSION, sizeof(s.parent));
	for (uint32_t b = 0; b < world.blocks; b++) {
		const uint8_t root = next++;
		for (uint32_t i = 0; i < 2; i++) {
			s.n[i].disk = BSR_DISK_INCONSISTENT;
			s.parent[next] = root;
			s.n[i].content[b] = next++;
		}
	}
	return s;
}

void model_print(const struct state *s)
{
	for (uint32_t i = 0; i < 2; i++) {
		const struct node *n = &s->n[i];
		(void)printf("   %c %s disk %u cur %u slot %u hist %u %u %u bits %x/%x hot %x crash %u want %u "
			      "missed %u content %u(%d) %u\n",
			"AB"[i], n->primary ? "Pri" : "Sec", n->disk, n->cur, n->slot, n->hist[0],
			n->hist[1], n->hist[2], n->bits, n->disk_bits, n->hot, n->crashed,
			n->wants_generation, n->missed_end, n->content[0],
			s->acked[n->content[0]], n->content[1]);
	}
	(void)printf("   connected %u phase %u source %u full %u writer %u block %u version %u local %u "
		      "remote %u mirrored %u\n",
		s->connected, s->phase, s->source, s->full, s->writer, s->block, s->version,
		s->at_local, s->at_remote, s->mirrored);
}

