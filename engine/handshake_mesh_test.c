// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * handshake_mesh_test.c - three nodes, every order of events: do the decisions and the rules for third nodes keep the data?
 *
 * All reachable states of a small world, breadth first, as many as there is room for (--long: more): one block, a few writes and
 * generations. The real bsr_handshake_decide() says what happens when two nodes meet; the rules of docs/design/mesh.md are played
 * here. After every event:
 *   MM-1  Both ends decide the mirrored action, and nothing that was together is called unrelated.
 *   MM-2  A resync overwrites no write of an UpToDate disk that was acknowledged in a generation of that disk and that its source
 *         lacks.
 *   MM-3  Two disks that differ are known to (I5): a bit, an unconfirmed write, or generations that lead to a full copy or to a person.
 *   MM-4  No two Primaries are connected, directly or through a third node.
 *   MM-5  An acknowledged write is on every UpToDate disk that is in the Primary's generation (I16).
 */
#include <bsr/handshake.h>

#include "test_support.h"

#define NODES 3u
#define NOBODY 255
#define GENERATIONS 7
#define VERSIONS 5
#define BIT(n) ((uint8_t)(1u << (n)))

struct node {
	uint8_t primary, disk, crashed, torso, wants, heard;
	uint8_t cur, slot[NODES], hist; /* hist: mask of generations */
	uint8_t bits, may;		/* masks of nodes */
	uint8_t target_of, done;	/* resync: my source; my record is changed, the source has not heard */
	uint8_t content;
};

struct state {
	struct node n[NODES];
	uint8_t conn[NODES]; /* masks */
	uint8_t gens, versions, acked, parent[VERSIONS + 1];
	uint8_t acked_in[VERSIONS + 1]; /* generation */
	uint8_t writer, version, mirrored, delivered;
};

struct entry {
	struct state s;
	uint32_t from;
	uint16_t op;
};

static struct entry *entries;
static uint32_t entry_count, entries_max, *table, table_size;
static const char *violation;
static bool long_run;
/* Rules that are broken on purpose. */
static bool lax;    /* who is in sync is said without the other's word (MS-3) */
static bool silent; /* who may have a generation is told at connect only (MS-2) */

static void must(bool ok, const char *what)
{
	if (!ok && !violation) {
		violation = what;
	}
}

/* --------------------------------------------------------------- questions */

static bool ancestor(const struct state *s, uint8_t older, uint8_t v)
{
	for (; v != older; v = s->parent[v]) {
		if (v == 0) {
			return false;
		}
	}
	return true;
}

/* Acknowledged in a generation that the disk is in, or has gone through: another disk's acknowledgement is that one's business. */
static bool loses(const struct state *s, const struct node *victim, uint8_t winner)
{
	for (uint8_t v = victim->content; v != 0 && !ancestor(s, v, winner); v = s->parent[v]) {
		const uint8_t g = s->acked_in[v];
		if ((s->acked & BIT(v)) && (g == victim->cur || (victim->hist & BIT(g)))) {
			return true;
		}
	}
	return false;
}

static uint8_t primaries_seen(const struct state *s, uint32_t i)
{
	uint8_t mask = 0;
	for (uint32_t k = 0; k < NODES; k++) {
		mask |= (s->conn[i] & BIT(k)) && s->n[k].primary ? BIT(k) : 0;
	}
	return mask;
}

static bool syncing(const struct state *s, uint32_t i, uint32_t j)
{
	return s->n[i].target_of == j || s->n[j].target_of == i;
}

static bool in_step(const struct state *s, uint32_t i, uint32_t j)
{
	return (s->conn[i] & BIT(j)) && s->n[j].disk == BSR_DISK_UP_TO_DATE && !syncing(s, i, j) && s->n[j].cur == s->n[i].cur;
}

static bool may_have(const struct node *n, uint32_t k)
{
	return n->slot[k] == 0 || (n->may & BIT(k)) != 0;
}

static struct bsr_gi gi_of(uint8_t g)
{
	return (struct bsr_gi){g == 0 ? BSR_GI_JUST_CREATED : (uint64_t)g << 8};
}

static void record(struct bsr_msg_hs_volume *v, const struct node *n, uint32_t other, bool with_bits)
{
	memset(v, 0, sizeof(*v));
	v->disk = n->disk;
	v->flags = n->crashed ? BSR_HSF_CRASHED_PRIMARY : 0;
	v->size_bytes = v->capacity_bytes = 1 << 20;
	v->bits = with_bits && (n->bits & BIT(other)) ? 1 : 0;
	v->current = gi_of(n->cur);
	for (uint32_t k = 0; k < NODES; k++) {
		v->bitmap[k] = n->slot[k] ? gi_of(n->slot[k]) : (struct bsr_gi){0};
	}
	uint32_t at = 0;
	for (uint8_t g = 1; g < 8; g++) {
		if (n->hist & BIT(g)) {
			v->history[at++] = gi_of(g);
		}
	}
}

static struct bsr_hs_decision meet(const struct state *s, uint32_t i, uint32_t j, bool with_bits)
{
	static struct bsr_msg_hs_volume v[2];
	const uint32_t id[2] = {i, j};
	struct bsr_hs_side side[2];
	for (uint32_t k = 0; k < 2; k++) {
		const struct node *n = &s->n[id[k]];
		record(&v[k], n, id[1 - k], with_bits);
		side[k] = (struct bsr_hs_side){.node_id = id[k],
			.role = n->primary ? BSR_ROLE_PRIMARY : BSR_ROLE_SECONDARY,
			.volume = &v[k],
			.primaries = with_bits ? primaries_seen(s, id[k]) : 0,
			.lost_node = UINT32_MAX,
			.is_target = with_bits && n->target_of != NOBODY,
			.sync_base = n->torso != 0};
	}
	struct bsr_hs_decision d[2];
	struct bsr_hs_policy policy = {.resolver = true};
	bsr_handshake_decide(&side[0], &side[1], &policy, &d[0]);
	policy.resolver = false;
	bsr_handshake_decide(&side[1], &side[0], &policy, &d[1]);
	must(d[1].action == bsr_hs_mirror(d[0].action) && d[1].reason == d[0].reason, "MM-1 not mirrored");
	return d[0];
}

/* ---------------------------------------------------------------- the rules */

static void retire(struct node *n, uint32_t k)
{
	n->hist |= n->slot[k] ? BIT(n->slot[k]) : 0;
	n->slot[k] = 0;
	n->may &= (uint8_t)~BIT(k);
}

/* MS-2 */
static void change_generation(struct state *s, uint32_t i, uint8_t next, uint32_t except)
{
	struct node *n = &s->n[i];
	const uint8_t old = n->cur;
	if (old == next) {
		return;
	}
	for (uint32_t k = 0; k < NODES; k++) {
		if (k == i || k == except) {
			continue;
		}
		n->slot[k] = n->slot[k] == 0 && !n->torso ? old : n->slot[k];
		n->may |= n->slot[k] ? BIT(k) : 0;
	}
	n->hist |= old && !n->torso ? BIT(old) : 0;
	n->hist &= (uint8_t)~BIT(next);
	n->cur = next;
}

static void hear_no_more(struct state *s, uint32_t x, uint32_t except)
{
	if (s->n[x].heard) {
		s->n[x].heard = 0;
		s->n[x].bits |= (uint8_t)(7u & ~BIT(x) & ~BIT(except));
	}
}

static void stop_sync(struct state *s, uint32_t t)
{
	s->n[t].target_of = NOBODY;
	s->n[t].done = 0;
}

static void cut(struct state *s, uint32_t i, uint32_t j)
{
	if (!(s->conn[i] & BIT(j))) {
		return;
	}
	for (uint32_t k = 0; k < 2; k++, (void)(i ^= j, j ^= i, i ^= j)) {
		if (s->n[i].target_of == j) {
			stop_sync(s, i);
		}
		if (s->writer == i && (s->mirrored & BIT(j))) {
			s->mirrored &= (uint8_t)~BIT(j);
			s->n[i].bits |= BIT(j);
		}
		if (s->n[i].primary) {
			s->n[i].wants = 1;
			hear_no_more(s, j, i);
		}
	}
	s->conn[i] &= (uint8_t)~BIT(j);
	s->conn[j] &= (uint8_t)~BIT(i);
}

/* A Primary in sight ends what two Secondaries do. */
static void leave_to_primary(struct state *s)
{
	for (uint32_t t = 0; t < NODES; t++) {
		const uint32_t src = s->n[t].target_of;
		if (src != NOBODY && !s->n[t].primary && !s->n[src].primary && (primaries_seen(s, t) | primaries_seen(s, src))) {
			stop_sync(s, t);
		}
	}
}

static void learn(struct state *s, uint32_t i, uint32_t j)
{
	const uint32_t k = 3 - i - j;
	if (s->n[i].cur == s->n[j].cur && s->n[i].cur != 0 && may_have(&s->n[j], k) && !may_have(&s->n[i], k)) {
		s->n[i].may |= BIT(k);
		s->n[i].wants |= s->n[i].primary;
	}
}

/* Who may have a generation is told to all in it, as soon as somebody knows. */
static void tell_holders(struct state *s)
{
	for (uint32_t round = 0; !silent && round < 2; round++) {
		for (uint32_t i = 0; i < NODES; i++) {
			for (uint32_t j = 0; j < NODES; j++) {
				if (i != j && (s->conn[i] & BIT(j))) {
					learn(s, i, j);
				}
			}
		}
	}
}

static void begin_sync(struct state *s, uint32_t src, uint32_t t, bool full)
{
	struct node *source = &s->n[src];
	struct node *target = &s->n[t];
	must(target->disk < BSR_DISK_CONSISTENT || !loses(s, target, source->content), "MM-2 acknowledged write would be overwritten");
	for (uint32_t k = 0; k < NODES; k++) {
		if (s->n[k].target_of == t) {
			stop_sync(s, k);
		}
	}
	target->target_of = (uint8_t)src;
	target->done = 0;
	if (full) {
		source->hist |= source->slot[t] ? BIT(source->slot[t]) : 0;
		source->slot[t] = ++s->gens;
		change_generation(s, t, s->gens, src);
		target->torso = 1;
		source->bits |= BIT(t);
	}
	source->may |= BIT(t);
	if ((source->bits & BIT(t)) || (target->bits & BIT(src))) {
		source->bits |= BIT(t);
		target->bits = (uint8_t)(7u & ~BIT(t)); /* MS-1 */
		target->disk = BSR_DISK_INCONSISTENT;
	} else if (target->disk > BSR_DISK_OUTDATED) {
		target->disk = BSR_DISK_OUTDATED;
	}
}

static bool op_connect(struct state *s, uint32_t i, uint32_t j)
{
	if ((s->conn[i] & BIT(j)) || s->gens >= GENERATIONS) {
		return false;
	}
	const struct bsr_hs_decision d = meet(s, i, j, true);
	must(d.action != BSR_HS_UNRELATED, "MM-1 unrelated");
	if (d.action == BSR_HS_SPLIT_BRAIN || d.action == BSR_HS_REFUSED || violation) {
		return violation != NULL;
	}
	s->conn[i] |= BIT(j);
	s->conn[j] |= BIT(i);
	if (d.action == BSR_HS_NO_SYNC) {
		for (uint32_t k = 0; d.clear_bits && k < 2; k++) {
			retire(&s->n[k ? i : j], k ? j : i);
		}
		if (d.outdate && s->n[i].disk > BSR_DISK_OUTDATED) {
			s->n[i].disk = BSR_DISK_OUTDATED;
		}
		const struct bsr_hs_decision other = meet(s, j, i, true); /* the mirrored end's view */
		(void)other;
	} else {
		const bool mine = d.action == BSR_HS_SOURCE_BITMAP || d.action == BSR_HS_SOURCE_FULL;
		begin_sync(s, mine ? i : j, mine ? j : i, d.action == BSR_HS_SOURCE_FULL || d.action == BSR_HS_TARGET_FULL);
	}
	learn(s, i, j);
	learn(s, j, i);
	tell_holders(s);
	leave_to_primary(s);
	return true;
}

static bool op_finish(struct state *s, uint32_t t)
{
	struct node *target = &s->n[t];
	if (target->target_of == NOBODY) {
		return false;
	}
	const uint32_t src = target->target_of;
	struct node *source = &s->n[src];
	if (target->done) { /* the source hears of it, and says its generation */
		source->bits &= (uint8_t)~BIT(t);
		retire(source, t);
		change_generation(s, t, source->cur, src);
		stop_sync(s, t);
		return true;
	}
	if (s->writer != NOBODY && (s->mirrored & BIT(t)) && !(s->delivered & BIT(t))) {
		return false;
	}
	target->content = source->content;
	change_generation(s, t, source->cur, src);
	target->hist |= (uint8_t)(source->hist & ~BIT(target->cur)); /* what it has gone through is in what I have now */
	retire(target, src);
	target->bits &= (uint8_t)~BIT(src);
	target->torso = target->crashed = 0;
	target->disk = source->disk;
	target->done = 1;
	return true;
}

/* MS-3 */
static bool op_in_sync(struct state *s, uint32_t i)
{
	uint8_t members = 0;
	if (s->n[i].disk != BSR_DISK_UP_TO_DATE || s->writer != NOBODY || (!s->n[i].primary && primaries_seen(s, i))) {
		return false;
	}
	for (uint32_t j = 0; j < NODES; j++) {
		const bool says = lax || !(s->n[j].bits & BIT(i));
		if (j != i && in_step(s, i, j) && !(s->n[i].bits & BIT(j)) && says && (s->n[i].primary || !primaries_seen(s, j))) {
			members |= BIT(j);
		}
	}
	const struct state before = *s;
	for (uint32_t r = 0; r < NODES; r++) {
		for (uint32_t x = 0; x < NODES; x++) {
			const bool both = (members & BIT(r)) && (members & BIT(x)) && x != r;
			if (both && !(s->n[r].bits & BIT(i)) && !syncing(s, r, x)) {
				s->n[r].bits &= (uint8_t)~BIT(x);
				retire(&s->n[r], x);
			}
		}
	}
	return memcmp(&before, s, sizeof(before)) != 0;
}

static bool op_generation(struct state *s, uint32_t i)
{
	struct node *n = &s->n[i];
	uint8_t members = 0;
	bool rotated = false;
	if (!n->primary || !n->wants || s->gens >= GENERATIONS) {
		return false;
	}
	n->wants = 0;
	for (uint32_t k = 0; k < NODES; k++) {
		members |= k != i && in_step(s, i, k) ? BIT(k) : 0;
	}
	for (uint32_t k = 0; k < NODES; k++) {
		if ((members & BIT(k)) && n->slot[k] != 0) {
			n->may |= BIT(k); /* it takes part, whatever its slot still names */
		}
		if (k == i || (members & BIT(k)) || !may_have(n, k)) {
			continue;
		}
		rotated = true;
		n->slot[k] = n->slot[k] ? n->slot[k] : n->cur;
		n->may = (s->conn[i] & BIT(k)) ? n->may : (uint8_t)(n->may & ~BIT(k));
	}
	if (!rotated) {
		return true;
	}
	n->hist |= BIT(n->cur);
	n->cur = ++s->gens;
	for (uint32_t m = 0; m < NODES; m++) {
		if (!(members & BIT(m))) {
			continue;
		}
		change_generation(s, m, n->cur, i);
		for (uint32_t k = 0; k < NODES; k++) {
			const bool told = k != i && k != m && (s->conn[m] & BIT(k)) && !(members & BIT(k));
			if (told && !s->n[k].primary && !primaries_seen(s, k) && s->n[k].disk > BSR_DISK_OUTDATED) {
				s->n[k].disk = BSR_DISK_OUTDATED;
			}
		}
	}
	return true;
}

/* ------------------------------------------------------------ roles and writes */

static bool op_promote(struct state *s, uint32_t i)
{
	struct node *n = &s->n[i];
	if (n->primary || n->disk != BSR_DISK_UP_TO_DATE || primaries_seen(s, i) || n->target_of != NOBODY) {
		return false;
	}
	for (uint32_t k = 0; k < NODES; k++) {
		if (k == i || !(s->conn[i] & BIT(k))) {
			continue;
		}
		const bool owed = s->n[k].disk == BSR_DISK_UP_TO_DATE && !syncing(s, i, k) &&
				  ((n->bits & BIT(k)) || (s->n[k].bits & BIT(i)) || s->n[k].cur != n->cur);
		if (primaries_seen(s, k) || owed) {
			return false;
		}
	}
	n->primary = 1;
	for (uint32_t k = 0; k < NODES; k++) {
		if (k != i && !in_step(s, i, k)) {
			n->may |= (s->conn[i] & BIT(k)) ? BIT(k) : 0;
			n->wants |= may_have(n, k);
		}
	}
	leave_to_primary(s);
	return true;
}

static bool op_crash(struct state *s, uint32_t i)
{
	struct node *n = &s->n[i];
	for (uint32_t k = 0; k < NODES; k++) {
		if (k != i) {
			hear_no_more(s, i, s->writer == NOBODY ? i : s->writer);
			cut(s, i, k);
		}
	}
	if (n->primary) {
		n->crashed = 1;
		n->bits = (uint8_t)(7u & ~BIT(i)); /* the activity log */
	}
	n->primary = n->wants = 0;
	if (s->writer == i) {
		s->writer = NOBODY;
		s->version = s->mirrored = s->delivered = 0;
	}
	return true;
}

static bool op_write(struct state *s, uint32_t i)
{
	struct node *n = &s->n[i];
	if (!n->primary || n->wants || s->writer != NOBODY || s->versions >= VERSIONS || n->disk != BSR_DISK_UP_TO_DATE) {
		return false;
	}
	s->version = ++s->versions;
	s->parent[s->version] = n->content;
	n->content = s->version;
	s->writer = (uint8_t)i;
	s->delivered = s->mirrored = 0;
	for (uint32_t k = 0; k < NODES; k++) {
		if (k == i) {
			continue;
		}
		const bool target = s->n[k].target_of == i;
		const bool gets = (s->conn[i] & BIT(k)) && (target || (!syncing(s, i, k) && s->n[k].disk == BSR_DISK_UP_TO_DATE &&
									     s->n[k].cur == n->cur));
		s->mirrored |= gets ? BIT(k) : 0;
		n->bits |= gets ? 0 : BIT(k);
	}
	return true;
}

static bool op_deliver(struct state *s, uint32_t x)
{
	if (s->writer == NOBODY || !(s->mirrored & BIT(x)) || (s->delivered & BIT(x))) {
		return false;
	}
	s->n[x].content = s->version;
	s->n[x].heard = 1;
	s->delivered |= BIT(x);
	return true;
}

static void check_acknowledged(const struct state *s)
{
	const struct node *w = &s->n[s->writer];
	for (uint32_t k = 0; k < NODES; k++) {
		const struct node *n = &s->n[k];
		must(n->disk != BSR_DISK_UP_TO_DATE || n->cur != w->cur || ancestor(s, s->version, n->content) || n->crashed ||
				(w->bits & BIT(k) && (s->conn[s->writer] & BIT(k)) && n->target_of != NOBODY),
			"MM-5 acknowledged, and a disk in this generation lacks it");
	}
}

static bool op_acknowledge(struct state *s)
{
	if (s->writer == NOBODY || s->delivered != s->mirrored || s->n[s->writer].wants || (s->acked & BIT(s->version))) {
		return false;
	}
	s->acked |= BIT(s->version);
	s->acked_in[s->version] = s->n[s->writer].cur;
	check_acknowledged(s);
	return true;
}

/* The peer ack: who has it. */
static bool op_confirm(struct state *s)
{
	if (s->writer == NOBODY || !(s->acked & BIT(s->version))) {
		return false;
	}
	for (uint32_t x = 0; x < NODES; x++) {
		if (s->mirrored & BIT(x)) {
			s->n[x].heard = 0;
			s->n[x].bits |= (uint8_t)(7u & ~s->mirrored & ~BIT(x) & ~BIT(s->writer));
		}
	}
	s->writer = NOBODY;
	s->version = s->mirrored = s->delivered = 0;
	return true;
}

enum { OP_CONNECT = 0, OP_CUT = 3, OP_CRASH = 6, OP_PROMOTE = 9, OP_DEMOTE = 12, OP_FINISH = 15, OP_IN_SYNC = 18, OP_GENERATION = 21,
	OP_WRITE = 24, OP_DELIVER = 27, OP_ACK = 30, OP_CONFIRM = 31, OP_COUNT = 32 };
static const char *const names[] = {"connect", "cut", "crash", "promote", "demote", "resync ends at", "in sync, says", "new generation at",
	"write at", "deliver to", "acknowledge/confirm"};

static bool apply(struct state *s, uint32_t op)
{
	const uint32_t i = op % 3;
	const uint32_t a = i == 2 ? 1 : 0; /* pairs: 01 02 12 */
	const uint32_t b = i == 0 ? 1 : 2;
	switch (op / 3 * 3) {
	case OP_CONNECT:
		return op_connect(s, a, b);
	case OP_CUT:
		if (!(s->conn[a] & BIT(b))) {
			return false;
		}
		cut(s, a, b);
		return true;
	case OP_CRASH:
		return op_crash(s, i);
	case OP_PROMOTE:
		return op_promote(s, i);
	case OP_DEMOTE:
		if (!s->n[i].primary || s->writer == i) {
			return false;
		}
		s->n[i].primary = s->n[i].wants = 0;
		return true;
	case OP_FINISH:
		return op_finish(s, i);
	case OP_IN_SYNC:
		return op_in_sync(s, i);
	case OP_GENERATION:
		return op_generation(s, i);
	case OP_WRITE:
		return op_write(s, i);
	case OP_DELIVER:
		return op_deliver(s, i);
	default:
		return op == OP_ACK ? op_acknowledge(s) : op_confirm(s);
	}
}

/* ------------------------------------------------------------------- checks */

static bool known(const struct state *s, uint32_t i, uint32_t j)
{
	const struct node *a = &s->n[i];
	const struct node *b = &s->n[j];
	if ((a->bits & BIT(j)) || (b->bits & BIT(i)) || a->heard || b->heard || a->cur == 0 || b->cur == 0 || s->writer != NOBODY) {
		return true;
	}
	const struct bsr_hs_decision d = meet(s, i, j, false);
	return d.action != BSR_HS_NO_SYNC && d.action != BSR_HS_SOURCE_BITMAP && d.action != BSR_HS_TARGET_BITMAP;
}

static void check(const struct state *s)
{
	for (uint32_t i = 0; i < NODES; i++) {
		const uint8_t seen = primaries_seen(s, i);
		must(!(seen & (seen - 1)) && !(s->n[i].primary && seen), "MM-4 two Primaries");
		for (uint32_t j = i + 1; j < NODES; j++) {
			must(s->n[i].content == s->n[j].content || known(s, i, j), "MM-3 a difference that nobody knows of");
		}
	}
}

/* ------------------------------------------------------------------- search */

static void print_state(const struct state *s)
{
	for (uint32_t i = 0; i < NODES; i++) {
		const struct node *n = &s->n[i];
		print_message("   %c %s disk %u cur %u slots %u %u %u hist %x bits %x may %x wants %u heard %u torso %u target of %u%s conn %x content %u\n",
			"ABC"[i], n->primary ? "Pri" : "Sec", n->disk, n->cur, n->slot[0], n->slot[1], n->slot[2], n->hist, n->bits, n->may,
			n->wants, n->heard, n->torso, n->target_of, n->done ? " done" : "", s->conn[i], n->content);
	}
}

static void print_trace(uint32_t at)
{
	if (entries[at].from != at) {
		print_trace(entries[at].from);
		print_message("-> %s %u\n", names[entries[at].op / 3], entries[at].op % 3);
	}
	print_state(&entries[at].s);
}

static bool add(const struct state *s, uint32_t from, uint32_t op)
{
	uint64_t h = 0xcbf29ce484222325ull;
	for (size_t i = 0; i < sizeof(*s); i++) {
		h = (h ^ ((const uint8_t *)s)[i]) * 0x100000001b3ull;
	}
	for (uint64_t at = h & (table_size - 1);; at = (at + 1) & (table_size - 1)) {
		if (table[at] == UINT32_MAX) {
			if (entry_count == entries_max) {
				return false;
			}
			table[at] = entry_count;
			entries[entry_count++] = (struct entry){*s, from, (uint16_t)op};
			return true;
		}
		if (memcmp(&entries[table[at]].s, s, sizeof(*s)) == 0) {
			return true;
		}
	}
}

static struct state beginning(void)
{
	struct state s;
	memset(&s, 0, sizeof(s));
	s.writer = NOBODY;
	for (uint32_t i = 0; i < NODES; i++) {
		s.n[i].disk = BSR_DISK_UP_TO_DATE;
		s.n[i].cur = 1;
		s.n[i].target_of = NOBODY;
		s.conn[i] = (uint8_t)(7u & ~BIT(i));
	}
	s.gens = 1;
	return s;
}

static const char *explore(uint32_t max, bool quiet)
{
	entries_max = max;
	for (table_size = 1; table_size < 2 * max; table_size *= 2) {
	}
	entries = malloc((size_t)max * sizeof(*entries));
	table = malloc((size_t)table_size * sizeof(*table));
	assert_non_null(entries);
	assert_non_null(table);
	memset(table, 0xff, (size_t)table_size * sizeof(*table));
	entry_count = 0;
	violation = NULL;
	const struct state first = beginning();
	add(&first, 0, 0);
	for (uint32_t at = 0; at < entry_count && !violation; at++) {
		for (uint32_t op = 0; op < OP_COUNT && !violation; op++) {
			struct state s = entries[at].s;
			if (!apply(&s, op)) {
				continue;
			}
			check(&s);
			if (violation && !quiet) {
				print_trace(at);
				print_message("-> %s %u\n", names[op / 3], op % 3);
				print_state(&s);
			}
			add(&s, at, op);
		}
	}
	print_message("%u states\n", entry_count);
	free(entries);
	free(table);
	return violation;
}

static void three_nodes_keep_every_acknowledged_write(void **state)
{
	(void)state;
	const char *what = explore(long_run ? 8000000 : 600000, false);
	if (what) {
		fail_msg("%s", what);
	}
}

/* The search does find what broken rules lead to. */
static void without_telling_holders_a_write_is_missing_in_its_generation(void **state)
{
	(void)state;
	silent = true;
	const char *what = explore(600000, true);
	silent = false;
	assert_non_null(what);
	assert_non_null(strstr(what, "MM-5"));
}

static void without_the_others_word_a_difference_is_forgotten(void **state)
{
	(void)state;
	if (!long_run) {
		skip(); /* six million states */
	}
	lax = true;
	const char *what = explore(8000000, true);
	lax = false;
	assert_non_null(what);
	assert_non_null(strstr(what, "MM-3"));
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(three_nodes_keep_every_acknowledged_write),
		cmocka_unit_test(without_telling_holders_a_write_is_missing_in_its_generation),
		cmocka_unit_test(without_the_others_word_a_difference_is_forgotten),
	};
	long_run = argc > 1 && strcmp(argv[1], "--long") == 0;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
