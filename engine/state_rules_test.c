// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * state_rules_test.c - implied changes and legality, tried out on everything that small resources can become
 *
 * From the state of an empty resource every single change, and in the smallest model every pair of changes, is proposed
 * in every state that can be reached. What holds afterwards is written here once more, in other words than the rules'.
 */
#include <bsr/errors.h>

#include "state.h"
#include "test_support.h"

enum kind { ROLE, DISK, RECORDED, CONN, ERROR, PEER_ROLE, REPL, PEER_DISK, PAUSED, STALE };

struct variable {
	enum kind kind;
	uint32_t peer;
	uint32_t volume;
	uint32_t count;
	uint32_t value[10];
};

#define VARIABLES_MAX 20u
struct model {
	uint32_t volumes;
	uint32_t peers;
	bool pairs;
	uint32_t count;
	struct variable variable[VARIABLES_MAX];
};

static uint32_t *word(struct bsr_state *s, const struct variable *x)
{
	switch (x->kind) {
	case ROLE:
		return (uint32_t *)&s->role;
	case DISK:
		return (uint32_t *)&s->volume[x->volume].disk;
	case RECORDED:
		return (uint32_t *)&s->volume[x->volume].recorded;
	case CONN:
		return (uint32_t *)&s->peer[x->peer].conn;
	case ERROR:
		return (uint32_t *)&s->peer[x->peer].error;
	case PEER_ROLE:
		return (uint32_t *)&s->peer[x->peer].role;
	case REPL:
		return (uint32_t *)&s->device[x->peer][x->volume].repl;
	case PEER_DISK:
		return (uint32_t *)&s->device[x->peer][x->volume].disk;
	case PAUSED:
		return &s->device[x->peer][x->volume].paused;
	case STALE:
		break;
	}
	return NULL;
}

static uint32_t get(const struct bsr_state *s, const struct variable *x)
{
	return x->kind == STALE ? s->device[x->peer][x->volume].stale : *word((struct bsr_state *)s, x);
}

static void set(struct bsr_state *s, const struct variable *x, uint32_t value)
{
	if (x->kind == STALE) {
		s->device[x->peer][x->volume].stale = value != 0;
	} else {
		*word(s, x) = value;
	}
}

static void copy(struct bsr_state *to, const struct bsr_state *from, const struct model *m)
{
	to->volumes = from->volumes;
	to->peers = from->peers;
	to->role = from->role;
	to->suspended = from->suspended;
	memcpy(to->volume, from->volume, m->volumes * sizeof(to->volume[0]));
	memcpy(to->peer, from->peer, m->peers * sizeof(to->peer[0]));
	for (uint32_t p = 0; p < m->peers; p++) {
		memcpy(to->device[p], from->device[p], m->volumes * sizeof(to->device[0][0]));
	}
}

/* A state as a number; UINT32_MAX when some value is not of the model. */
static uint32_t key_of(const struct bsr_state *s, const struct model *m)
{
	uint32_t key = 0;
	for (uint32_t i = 0; i < m->count; i++) {
		const struct variable *x = &m->variable[i];
		uint32_t at = 0;
		while (at < x->count && x->value[at] != get(s, x)) {
			at++;
		}
		if (at == x->count) {
			return UINT32_MAX;
		}
		key = key * x->count + at;
	}
	return key;
}

static void state_of(struct bsr_state *s, uint32_t key, const struct model *m)
{
	for (uint32_t i = m->count; i-- > 0;) {
		const struct variable *x = &m->variable[i];
		set(s, x, x->value[key % x->count]);
		key /= x->count;
	}
}

/* ------------------------------------------------------ what must be true */

static void must(bool holds, const char *what, const struct bsr_state *s)
{
	if (!holds) {
		fail_msg("%s: role %u disk %u %u conn %u %u repl %u %u peer disk %u %u", what, s->role, s->volume[0].disk,
			s->volume[1].disk, s->peer[0].conn, s->peer[1].conn, s->device[0][0].repl, s->device[1][0].repl,
			s->device[0][0].disk, s->device[1][0].disk);
	}
}

static void check_device(const struct bsr_state *s, const struct bsr_device_state *d, enum bsr_disk_state mine, bool connected)
{
	const bool source = d->repl == BSR_REPL_WF_BITMAP_S || d->repl == BSR_REPL_SYNC_SOURCE || d->repl == BSR_REPL_PAUSED_SYNC_S;
	const bool target = d->repl == BSR_REPL_WF_BITMAP_T || d->repl == BSR_REPL_SYNC_TARGET || d->repl == BSR_REPL_PAUSED_SYNC_T;
	must(connected || d->repl == BSR_REPL_OFF, "ST-1: no replication without a connection", s);
	must(connected || d->disk == BSR_DISK_OUTDATED || d->disk == BSR_DISK_UNKNOWN, "ST-1: no disk without a connection", s);
	must(connected || !(d->paused & BSR_PAUSE_PEER), "a pause of a peer that is not there", s);
	must(!target || mine >= BSR_DISK_INCONSISTENT, "ST-2: a target has a disk", s);
	must(!source || mine >= BSR_DISK_OUTDATED, "ST-2: a source has data", s);
	must(d->repl != BSR_REPL_SYNC_SOURCE || d->disk <= BSR_DISK_INCONSISTENT, "ST-5: the target of a resync is Inconsistent", s);
	must(!source || d->disk != BSR_DISK_UP_TO_DATE, "ST-5: a target is not UpToDate", s);
	must((d->repl != BSR_REPL_SYNC_SOURCE && d->repl != BSR_REPL_SYNC_TARGET) || d->paused == 0, "a pause that does not hold", s);
	must((d->repl != BSR_REPL_PAUSED_SYNC_S && d->repl != BSR_REPL_PAUSED_SYNC_T) || d->paused != 0, "held for nothing", s);
	must(!d->stale || d->disk <= BSR_DISK_OUTDATED, "stale data are Outdated", s);
}

static void check_state(const struct bsr_state *s, const struct model *m)
{
	for (uint32_t p = 0; p < m->peers; p++) {
		const bool connected = s->peer[p].conn == BSR_CONN_CONNECTED;
		must(connected || s->peer[p].role == BSR_ROLE_UNKNOWN, "ST-1: no role without a connection", s);
		must(s->role != BSR_ROLE_PRIMARY || s->peer[p].role != BSR_ROLE_PRIMARY, "one Primary", s);
		must(s->peer[p].error == 0 || !connected, "an error of a connection that stands", s);
		for (uint32_t v = 0; v < m->volumes; v++) {
			check_device(s, &s->device[p][v], s->volume[v].disk, connected);
		}
	}
}

/* -------------------------------------------------------------- exploration */

struct search {
	const struct model *model;
	uint8_t *seen;
	uint32_t *queue;
	uint32_t reached;
	uint64_t proposals;
	uint64_t broken[64]; /* per rule */
	uint64_t implied;
};

/* @next is @now with somebody's edits. */
static void propose(struct search *x, const struct bsr_state *now, struct bsr_state *next)
{
	static struct bsr_state edited;
	static struct bsr_state again;
	struct bsr_refusal why;
	copy(&edited, next, x->model);
	bsr_state_imply(next);
	copy(&again, next, x->model);
	bsr_state_imply(&again);
	must(bsr_state_equal(next, &again), "to add what is implied twice is to add it once", next);
	x->implied += !bsr_state_equal(next, &edited);
	x->proposals++;
	if (!bsr_state_is_legal(now, next, false, &why)) {
		assert_true(why.rule < 64 && why.error < 0 && why.sentence != NULL);
		x->broken[why.rule]++;
		must(!bsr_state_is_legal(now, next, true, &why), "what nobody may do an administrator may not do", next);
		return;
	}
	if (!bsr_state_is_legal(now, next, true, &why)) {
		assert_true(why.rule >= 20 && why.rule < 64); /* of the kind ADMIN */
		x->broken[why.rule]++;
	}
	check_state(next, x->model);
	const uint32_t key = key_of(next, x->model);
	must(key != UINT32_MAX, "a value out of nowhere", next);
	if (!x->seen[key]) {
		x->seen[key] = 1;
		x->queue[x->reached++] = key;
	}
}

static void second_edits(struct search *x, const struct bsr_state *now, const struct bsr_state *once, uint32_t first)
{
	static struct bsr_state next;
	for (uint32_t i = first + 1; x->model->pairs && i < x->model->count; i++) {
		for (uint32_t v = 0; v < x->model->variable[i].count; v++) {
			copy(&next, once, x->model);
			set(&next, &x->model->variable[i], x->model->variable[i].value[v]);
			propose(x, now, &next);
		}
	}
}

static void every_edit(struct search *x, const struct bsr_state *now)
{
	static struct bsr_state once;
	static struct bsr_state next;
	struct bsr_refusal why;
	copy(&next, now, x->model);
	bsr_state_imply(&next);
	must(bsr_state_equal(&next, now), "a state in force implies nothing more", now);
	must(bsr_state_is_legal(now, &next, true, &why), "to change nothing is legal", now);
	for (uint32_t i = 0; i < x->model->count; i++) {
		for (uint32_t v = 0; v < x->model->variable[i].count; v++) {
			copy(&once, now, x->model);
			set(&once, &x->model->variable[i], x->model->variable[i].value[v]);
			copy(&next, &once, x->model);
			propose(x, now, &next);
			second_edits(x, now, &once, i);
		}
	}
}

static void begin(struct bsr_state *s, const struct model *m)
{
	memset(s, 0, sizeof(*s));
	s->volumes = (1ull << m->volumes) - 1;
	s->peers = (1u << m->peers) - 1;
	s->role = BSR_ROLE_SECONDARY;
	for (uint32_t p = 0; p < m->peers; p++) {
		for (uint32_t v = 0; v < m->volumes; v++) {
			s->device[p][v].repl = BSR_REPL_OFF;
			s->device[p][v].disk = BSR_DISK_UNKNOWN;
		}
	}
}

static void explore(struct search *x, const struct model *m)
{
	static struct bsr_state now;
	uint32_t keys = 1;
	for (uint32_t i = 0; i < m->count; i++) {
		keys *= m->variable[i].count;
	}
	memset(x, 0, sizeof(*x));
	x->model = m;
	x->seen = test_memory(keys);
	x->queue = test_memory((size_t)keys * sizeof(*x->queue));
	begin(&now, m);
	x->queue[x->reached++] = key_of(&now, m);
	x->seen[x->queue[0]] = 1;
	for (uint32_t at = 0; at < x->reached; at++) {
		state_of(&now, x->queue[at], m);
		every_edit(x, &now);
	}
	free(x->seen);
	free(x->queue);
	print_message("%u states, %llu proposals, %llu with implied changes\n", x->reached, (unsigned long long)x->proposals,
		(unsigned long long)x->implied);
}

static void add(struct model *m, enum kind kind, uint32_t peer, uint32_t volume, uint32_t count, const uint32_t *value)
{
	struct variable *x = &m->variable[m->count++];
	assert_true(m->count <= VARIABLES_MAX && count <= 10);
	*x = (struct variable){.kind = kind, .peer = peer, .volume = volume, .count = count};
	memcpy(x->value, value, count * sizeof(*value));
}
#define ADD(m, kind, peer, volume, ...)                                                                               \
	do {                                                                                                          \
		const uint32_t value_[] = {__VA_ARGS__};                                                              \
		add(m, kind, peer, volume, sizeof(value_) / sizeof(value_[0]), value_);                               \
	} while (0)

/* --------------------------------------------------------------------- tests */

static void one_volume_one_peer_every_pair_of_changes(void **state)
{
	(void)state;
	struct model m = {.volumes = 1, .peers = 1, .pairs = true};
	struct search x;
	ADD(&m, ROLE, 0, 0, 1, 2);
	ADD(&m, DISK, 0, 0, 0, 1, 2, 3, 4, 5, 6, 8, 9);
	ADD(&m, CONN, 0, 0, 0, 1, 2, 3, 5, 7, 8, 9);
	ADD(&m, ERROR, 0, 0, 0, 5);
	ADD(&m, PEER_ROLE, 0, 0, 0, 1, 2);
	ADD(&m, REPL, 0, 0, 9, 10, 13, 14, 16, 17, 20, 21);
	ADD(&m, PEER_DISK, 0, 0, 0, 3, 5, 6, 7, 8, 9);
	ADD(&m, PAUSED, 0, 0, 0, BSR_PAUSE_USER, BSR_PAUSE_PEER, BSR_PAUSE_USER | BSR_PAUSE_PEER);
	ADD(&m, STALE, 0, 0, 0, 1);
	explore(&x, &m);
	assert_true(x.reached > 5000);
	const uint32_t breakable[] = {2, 3, 4, 5, 20, 21, 22, 23}; /* 1 takes values that are not of this model */
	for (uint32_t i = 0; i < sizeof(breakable) / sizeof(breakable[0]); i++) {
		if (x.broken[breakable[i]] == 0) {
			fail_msg("nothing breaks rule %u", breakable[i]);
		}
	}
}

static void one_volume_two_peers(void **state)
{
	(void)state;
	struct model m = {.volumes = 1, .peers = 2};
	struct search x;
	ADD(&m, ROLE, 0, 0, 1, 2);
	ADD(&m, DISK, 0, 0, 0, 1, 3, 4, 5, 6, 9);
	for (uint32_t p = 0; p < 2; p++) {
		ADD(&m, CONN, p, 0, 0, 2, 5, 8, 9);
		ADD(&m, PEER_ROLE, p, 0, 0, 1, 2);
		ADD(&m, REPL, p, 0, 9, 10, 13, 14, 16, 17, 20, 21);
		ADD(&m, PEER_DISK, p, 0, 0, 5, 6, 7, 8, 9);
	}
	ADD(&m, PAUSED, 0, 0, 0, BSR_PAUSE_USER);
	explore(&x, &m);
	assert_true(x.reached > 20000);
}

static void two_volumes_one_peer(void **state)
{
	(void)state;
	struct model m = {.volumes = 2, .peers = 1};
	struct search x;
	ADD(&m, ROLE, 0, 0, 1, 2);
	ADD(&m, CONN, 0, 0, 0, 2, 5, 8, 9);
	ADD(&m, PEER_ROLE, 0, 0, 0, 1, 2);
	for (uint32_t v = 0; v < 2; v++) {
		ADD(&m, DISK, 0, v, 0, 1, 3, 4, 5, 6, 9);
		ADD(&m, REPL, 0, v, 9, 10, 13, 14, 16, 17);
		ADD(&m, PEER_DISK, 0, v, 0, 5, 6, 7, 8, 9);
	}
	explore(&x, &m);
	assert_true(x.reached > 20000);
}

static void a_refusal_names_rule_peer_and_volume(void **state)
{
	(void)state;
	static struct bsr_state now;
	static struct bsr_state next;
	struct bsr_refusal why;
	const struct model m = {.volumes = 2, .peers = 2};
	begin(&now, &m);
	copy(&next, &now, &m);
	next.volume[1].disk = BSR_DISK_UP_TO_DATE;
	assert_false(bsr_state_is_legal(&now, &next, false, &why));
	assert_int_equal(why.rule, 3);
	assert_int_equal(why.error, -BSR_E_IN_TRANSIENT_STATE);
	assert_int_equal(why.volume, 1);
	assert_int_equal(why.peer, UINT32_MAX);
	copy(&next, &now, &m);
	next.peer[1].conn = BSR_CONN_CONNECTED;
	assert_false(bsr_state_is_legal(&now, &next, false, &why));
	assert_int_equal(why.rule, 2);
	assert_int_equal(why.peer, 1);
}

static void values_are_of_their_kind(void **state)
{
	(void)state;
	static struct bsr_state now;
	static struct bsr_state next;
	struct bsr_refusal why;
	const struct model m = {.volumes = 2, .peers = 1};
	begin(&now, &m);
	copy(&next, &now, &m);
	next.role = BSR_ROLE_UNKNOWN;
	assert_false(bsr_state_is_legal(&now, &next, false, &why));
	assert_int_equal(why.rule, 1);
	copy(&next, &now, &m);
	next.volume[1].disk = BSR_DISK_UNKNOWN;
	assert_false(bsr_state_is_legal(&now, &next, false, &why));
	assert_int_equal(why.rule, 1);
	assert_false(bsr_state_equal(&now, &next));
}

/* An administrator wants a disk Outdated; 0, or the error. */
static int32_t outdate(struct bsr_state *now, enum bsr_role role, enum bsr_disk_state disk, enum bsr_role peer_role)
{
	static struct bsr_state next;
	const struct model m = {.volumes = 2, .peers = 2};
	struct bsr_refusal why = {0};
	begin(now, &m);
	now->role = role;
	now->volume[1].disk = disk;
	now->peer[1].conn = BSR_CONN_CONNECTED;
	now->peer[1].role = peer_role;
	copy(&next, now, &m);
	next.volume[1].disk = BSR_DISK_OUTDATED;
	bsr_state_imply(&next);
	const bool legal = bsr_state_is_legal(now, &next, true, &why);
	assert_true(legal || why.volume == 1);
	return legal ? 0 : why.error;
}

static void an_administrator_is_told_what_forbids_it(void **state)
{
	(void)state;
	static struct bsr_state now;
	assert_int_equal(outdate(&now, BSR_ROLE_SECONDARY, BSR_DISK_UP_TO_DATE, BSR_ROLE_SECONDARY), 0);
	assert_int_equal(outdate(&now, BSR_ROLE_SECONDARY, BSR_DISK_OUTDATED, BSR_ROLE_PRIMARY), 0); /* it is already */
	assert_int_equal(outdate(&now, BSR_ROLE_SECONDARY, BSR_DISK_DISKLESS, BSR_ROLE_SECONDARY), -BSR_E_NO_DISK);
	assert_int_equal(outdate(&now, BSR_ROLE_SECONDARY, BSR_DISK_FAILED, BSR_ROLE_PRIMARY), -BSR_E_NO_DISK);
	assert_int_equal(
		outdate(&now, BSR_ROLE_SECONDARY, BSR_DISK_INCONSISTENT, BSR_ROLE_SECONDARY), -BSR_E_DISK_BELOW_OUTDATED);
	assert_int_equal(outdate(&now, BSR_ROLE_SECONDARY, BSR_DISK_UP_TO_DATE, BSR_ROLE_PRIMARY), -BSR_E_OUTDATE_CONNECTED);
	assert_int_equal(outdate(&now, BSR_ROLE_PRIMARY, BSR_DISK_UP_TO_DATE, BSR_ROLE_SECONDARY), -BSR_E_NO_UP_TO_DATE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_volume_one_peer_every_pair_of_changes),
		cmocka_unit_test(one_volume_two_peers),
		cmocka_unit_test(two_volumes_one_peer),
		cmocka_unit_test(an_administrator_is_told_what_forbids_it),
		cmocka_unit_test(values_are_of_their_kind),
		cmocka_unit_test(a_refusal_names_rule_peer_and_volume),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
