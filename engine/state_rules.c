// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * state_rules.c - what a proposed state implies, and whether it is legal
 *
 * Owns:       the diagrams of connection, disk and replication; the rules of state_rules.def, one function each.
 * Pure: reads states, writes only the proposed one.
 */
#include <bsr/assert.h>
#include <bsr/errors.h>

#include "state.h"

/* Allowed moves: bit n of entry s: s may become n. To stay is no move. */
#define M(state) (1u << (state))
#define REASONS                                                                                               \
	(M(BSR_CONN_TIMEOUT) | M(BSR_CONN_BROKEN_PIPE) | M(BSR_CONN_NETWORK_FAILURE) |                        \
		M(BSR_CONN_PROTOCOL_ERROR) | M(BSR_CONN_TEAR_DOWN))
static const uint32_t conn_arrows[BSR_CONN_STATE_COUNT] = {
	[BSR_CONN_STANDALONE] = M(BSR_CONN_UNCONNECTED),
	[BSR_CONN_DISCONNECTING] = M(BSR_CONN_STANDALONE),
	[BSR_CONN_UNCONNECTED] = M(BSR_CONN_CONNECTING) | M(BSR_CONN_DISCONNECTING),
	[BSR_CONN_TIMEOUT] = M(BSR_CONN_UNCONNECTED) | M(BSR_CONN_DISCONNECTING),
	[BSR_CONN_BROKEN_PIPE] = M(BSR_CONN_UNCONNECTED) | M(BSR_CONN_DISCONNECTING),
	[BSR_CONN_NETWORK_FAILURE] = M(BSR_CONN_UNCONNECTED) | M(BSR_CONN_DISCONNECTING),
	[BSR_CONN_PROTOCOL_ERROR] = M(BSR_CONN_UNCONNECTED) | M(BSR_CONN_DISCONNECTING),
	[BSR_CONN_TEAR_DOWN] = M(BSR_CONN_UNCONNECTED) | M(BSR_CONN_DISCONNECTING),
	[BSR_CONN_CONNECTING] = REASONS | M(BSR_CONN_CONNECTED) | M(BSR_CONN_DISCONNECTING),
	[BSR_CONN_CONNECTED] = REASONS | M(BSR_CONN_DISCONNECTING),
};

#define GOING (M(BSR_DISK_DETACHING) | M(BSR_DISK_FAILED))
#define DATA                                                                                                  \
	(M(BSR_DISK_INCONSISTENT) | M(BSR_DISK_OUTDATED) | M(BSR_DISK_CONSISTENT) | M(BSR_DISK_UP_TO_DATE))
static const uint32_t disk_arrows[BSR_DISK_UP_TO_DATE + 1] = {
	[BSR_DISK_DISKLESS] = M(BSR_DISK_ATTACHING),
	[BSR_DISK_ATTACHING] = M(BSR_DISK_NEGOTIATING) | M(BSR_DISK_FAILED) | M(BSR_DISK_DISKLESS),
	[BSR_DISK_DETACHING] = M(BSR_DISK_FAILED) | M(BSR_DISK_DISKLESS),
	[BSR_DISK_FAILED] = M(BSR_DISK_DISKLESS),
	[BSR_DISK_NEGOTIATING] = DATA | GOING,
	[BSR_DISK_INCONSISTENT] = DATA | GOING,
	[BSR_DISK_OUTDATED] = DATA | GOING,
	[BSR_DISK_CONSISTENT] = DATA | GOING,
	[BSR_DISK_UP_TO_DATE] = DATA | GOING,
};

#define ENDS (M(BSR_REPL_OFF) | M(BSR_REPL_ESTABLISHED))
static const uint32_t repl_arrows[BSR_REPL_BEHIND + 1] = {
	[BSR_REPL_OFF] = M(BSR_REPL_ESTABLISHED) | M(BSR_REPL_WF_BITMAP_S) | M(BSR_REPL_WF_BITMAP_T),
	[BSR_REPL_ESTABLISHED] = M(BSR_REPL_OFF) | M(BSR_REPL_WF_BITMAP_S) | M(BSR_REPL_WF_BITMAP_T) |
				 M(BSR_REPL_VERIFY_S) | M(BSR_REPL_VERIFY_T),
	[BSR_REPL_WF_BITMAP_S] = ENDS | M(BSR_REPL_SYNC_SOURCE) | M(BSR_REPL_PAUSED_SYNC_S),
	[BSR_REPL_WF_BITMAP_T] = ENDS | M(BSR_REPL_SYNC_TARGET) | M(BSR_REPL_PAUSED_SYNC_T),
	[BSR_REPL_SYNC_SOURCE] = ENDS | M(BSR_REPL_PAUSED_SYNC_S),
	[BSR_REPL_SYNC_TARGET] = ENDS | M(BSR_REPL_PAUSED_SYNC_T),
	[BSR_REPL_VERIFY_S] = ENDS,
	[BSR_REPL_VERIFY_T] = ENDS,
	[BSR_REPL_PAUSED_SYNC_S] = ENDS | M(BSR_REPL_SYNC_SOURCE),
	[BSR_REPL_PAUSED_SYNC_T] = ENDS | M(BSR_REPL_SYNC_TARGET),
};
#undef M

uint32_t bsr_state_arrows(enum bsr_state_diagram diagram, uint32_t from)
{
	switch (diagram) {
	case BSR_DIAGRAM_CONNECTION:
		return from < BSR_CONN_STATE_COUNT ? conn_arrows[from] : 0;
	case BSR_DIAGRAM_REPLICATION:
		return from <= BSR_REPL_BEHIND ? repl_arrows[from] : 0;
	case BSR_DIAGRAM_DISK:
		return from <= BSR_DISK_UP_TO_DATE ? disk_arrows[from] : 0;
	}
	return 0;
}

bool bsr_repl_is_target(enum bsr_repl_state repl)
{
	return repl == BSR_REPL_WF_BITMAP_T || repl == BSR_REPL_SYNC_TARGET || repl == BSR_REPL_PAUSED_SYNC_T;
}

bool bsr_repl_is_source(enum bsr_repl_state repl)
{
	return repl == BSR_REPL_WF_BITMAP_S || repl == BSR_REPL_SYNC_SOURCE || repl == BSR_REPL_PAUSED_SYNC_S;
}

bool bsr_repl_is_verify(enum bsr_repl_state repl)
{
	return repl == BSR_REPL_VERIFY_S || repl == BSR_REPL_VERIFY_T;
}

bool bsr_repl_is_steady(enum bsr_repl_state repl)
{
	return repl == BSR_REPL_ESTABLISHED || bsr_repl_is_verify(repl);
}

/* --------------------------------------------------------- what is implied */

#define NOWHERE UINT32_MAX

/* Where a rule is looked at; NOWHERE: not of its scope. */
struct place {
	uint32_t peer;
	uint32_t volume;
};

static void stale_is_outdated(struct bsr_state *next, struct place at)
{
	struct bsr_device_state *d = &next->device[at.peer][at.volume];
	if (d->stale && d->disk > BSR_DISK_OUTDATED) {
		d->disk = BSR_DISK_OUTDATED;
	}
}

static void no_connection(struct bsr_state *next, struct place at)
{
	if (next->peer[at.peer].conn == BSR_CONN_CONNECTED) {
		return;
	}
	next->peer[at.peer].role = BSR_ROLE_UNKNOWN;
	for (uint64_t left = next->volumes; left; left &= left - 1) {
		struct bsr_device_state *d = &next->device[at.peer][__builtin_ctzll(left)];
		d->repl = BSR_REPL_OFF;
		d->disk = d->disk == BSR_DISK_OUTDATED ? BSR_DISK_OUTDATED : BSR_DISK_UNKNOWN;
		d->paused &= ~BSR_PAUSE_PEER;
		d->stale = false;
	}
}

static void resync_needs_disk(struct bsr_state *next, struct place at)
{
	struct bsr_device_state *d = &next->device[at.peer][at.volume];
	const enum bsr_disk_state disk = next->volume[at.volume].disk;
	if ((bsr_repl_is_target(d->repl) && disk < BSR_DISK_INCONSISTENT) ||
		(bsr_repl_is_source(d->repl) && disk < BSR_DISK_OUTDATED)) {
		d->repl = BSR_REPL_ESTABLISHED;
	}
}

static void verify_needs_both(struct bsr_state *next, struct place at)
{
	struct bsr_device_state *d = &next->device[at.peer][at.volume];
	const bool both = next->volume[at.volume].disk == BSR_DISK_UP_TO_DATE && d->disk == BSR_DISK_UP_TO_DATE;
	if (bsr_repl_is_verify(d->repl) && !both) {
		d->repl = BSR_REPL_ESTABLISHED;
	}
}

static void pause_holds_resync(struct bsr_state *next, struct place at)
{
	struct bsr_device_state *d = &next->device[at.peer][at.volume];
	const bool paused = d->paused != 0;
	if (d->repl == BSR_REPL_SYNC_SOURCE || d->repl == BSR_REPL_PAUSED_SYNC_S) {
		d->repl = paused ? BSR_REPL_PAUSED_SYNC_S : BSR_REPL_SYNC_SOURCE;
	} else if (d->repl == BSR_REPL_SYNC_TARGET || d->repl == BSR_REPL_PAUSED_SYNC_T) {
		d->repl = paused ? BSR_REPL_PAUSED_SYNC_T : BSR_REPL_SYNC_TARGET;
	}
}

static void target_lacks_blocks(struct bsr_state *next, struct place at)
{
	struct bsr_device_state *d = &next->device[at.peer][at.volume];
	if (d->repl == BSR_REPL_SYNC_SOURCE && d->disk > BSR_DISK_INCONSISTENT) {
		d->disk = BSR_DISK_INCONSISTENT;
	} else if (bsr_repl_is_source(d->repl) && d->disk == BSR_DISK_UP_TO_DATE) {
		d->disk = BSR_DISK_CONSISTENT;
	}
}

static void error_is_of_the_past(struct bsr_state *next, struct place at)
{
	if (next->peer[at.peer].conn == BSR_CONN_CONNECTED) {
		next->peer[at.peer].error = BSR_CONN_ERROR_NONE;
	}
}

/* ------------------------------------------------------------ what is legal */

/* Each answers: is the rule broken? */
static bool value_of_its_kind(const struct bsr_state *now, const struct bsr_state *next, struct place at)
{
	(void)now;
	(void)at;
	bool broken = next->role != BSR_ROLE_PRIMARY && next->role != BSR_ROLE_SECONDARY;
	for (uint64_t left = next->volumes; left; left &= left - 1) {
		const enum bsr_disk_state disk = next->volume[__builtin_ctzll(left)].disk;
		broken = broken || disk > BSR_DISK_UP_TO_DATE || disk == BSR_DISK_UNKNOWN;
	}
	return broken;
}

static bool no_arrow(const uint32_t *arrows, uint32_t count, uint32_t from, uint32_t to)
{
	return from != to && (from >= count || to >= 32 || (arrows[from] & (1u << to)) == 0);
}

static bool conn_moves(const struct bsr_state *now, const struct bsr_state *next, struct place at)
{
	return no_arrow(conn_arrows, BSR_CONN_STATE_COUNT, now->peer[at.peer].conn, next->peer[at.peer].conn);
}

static bool disk_moves(const struct bsr_state *now, const struct bsr_state *next, struct place at)
{
	return no_arrow(disk_arrows, BSR_DISK_UP_TO_DATE + 1, now->volume[at.volume].disk, next->volume[at.volume].disk);
}

static bool repl_moves(const struct bsr_state *now, const struct bsr_state *next, struct place at)
{
	return no_arrow(repl_arrows, BSR_REPL_BEHIND + 1, now->device[at.peer][at.volume].repl,
		next->device[at.peer][at.volume].repl);
}

static bool one_primary(const struct bsr_state *now, const struct bsr_state *next, struct place at)
{
	(void)now;
	return next->role == BSR_ROLE_PRIMARY && next->peer[at.peer].role == BSR_ROLE_PRIMARY;
}

static bool becomes_outdated(const struct bsr_state *now, const struct bsr_state *next, uint32_t volume)
{
	return now->volume[volume].disk != BSR_DISK_OUTDATED && next->volume[volume].disk == BSR_DISK_OUTDATED;
}

static bool outdate_needs_disk(const struct bsr_state *now, const struct bsr_state *next, struct place at)
{
	return becomes_outdated(now, next, at.volume) && now->volume[at.volume].disk < BSR_DISK_INCONSISTENT;
}

static bool outdate_needs_image(const struct bsr_state *now, const struct bsr_state *next, struct place at)
{
	return becomes_outdated(now, next, at.volume) && now->volume[at.volume].disk == BSR_DISK_INCONSISTENT;
}

static bool outdate_not_with_primary(const struct bsr_state *now, const struct bsr_state *next, struct place at)
{
	return becomes_outdated(now, next, at.volume) && next->peer[at.peer].role == BSR_ROLE_PRIMARY;
}

static bool primary_keeps_data(const struct bsr_state *now, const struct bsr_state *next, struct place at)
{
	const enum bsr_disk_state disk = next->volume[at.volume].disk;
	return next->role == BSR_ROLE_PRIMARY && disk < now->volume[at.volume].disk && disk >= BSR_DISK_INCONSISTENT &&
	       disk <= BSR_DISK_OUTDATED;
}

/* --------------------------------------------------------------- evaluation */

enum scope { RESOURCE, VOLUME, PEER, DEVICE };
enum who { ALWAYS, ADMIN };

struct implication {
	enum scope scope;
	void (*apply)(struct bsr_state *next, struct place at);
};

static const struct implication implications[] = {
#define BSR_STATE_IMPLIES(number, name, scope, sentence) {scope, name},
#include "state_rules.def"
};

struct rule {
	uint32_t number;
	enum scope scope;
	enum who who;
	int32_t error;
	bool (*broken)(const struct bsr_state *now, const struct bsr_state *next, struct place at);
	const char *sentence;
};

static const struct rule rules[] = {
#define BSR_STATE_RULE(number, name, scope, who, error, sentence) {number, scope, who, -BSR_E_##error, name, sentence},
#include "state_rules.def"
};

/* Two rules of one number would be two labels of one name. */
enum {
#define BSR_STATE_RULE(number, name, scope, who, error, sentence) RULE_##number,
#include "state_rules.def"
#define BSR_STATE_IMPLIES(number, name, scope, sentence) IMPLICATION_##number,
#include "state_rules.def"
};

static bool next_volume(const struct bsr_state *s, struct place *at)
{
	const uint32_t from = at->volume == NOWHERE ? 0 : at->volume + 1;
	const uint64_t left = from < BSR_VOLUMES_MAX ? s->volumes >> from : 0;
	at->volume = left ? from + (uint32_t)__builtin_ctzll(left) : NOWHERE;
	return left != 0;
}

static bool next_peer(const struct bsr_state *s, struct place *at)
{
	const uint32_t from = at->peer == NOWHERE ? 0 : at->peer + 1;
	const uint32_t left = from < BSR_NODES_MAX ? s->peers >> from : 0;
	at->peer = left ? from + (uint32_t)__builtin_ctz(left) : NOWHERE;
	return left != 0;
}

/* The places of a scope one after the other, beginning behind @at = nowhere; false behind the last one. */
static bool next_place(const struct bsr_state *s, enum scope scope, struct place *at, bool first)
{
	switch (scope) {
	case RESOURCE:
		return first;
	case VOLUME:
		return next_volume(s, at);
	case PEER:
		return next_peer(s, at);
	case DEVICE:
		if (!first && next_volume(s, at)) {
			return true;
		}
		return next_peer(s, at) && next_volume(s, at);
	}
	return false;
}

void bsr_state_imply(struct bsr_state *next)
{
	for (size_t i = 0; i < sizeof(implications) / sizeof(implications[0]); i++) {
		struct place at = {NOWHERE, NOWHERE};
		for (bool first = true; next_place(next, implications[i].scope, &at, first); first = false) {
			implications[i].apply(next, at);
		}
	}
}

bool bsr_state_is_legal(
	const struct bsr_state *now, const struct bsr_state *next, bool admin, struct bsr_refusal *why)
{
	for (size_t i = 0; i < sizeof(rules) / sizeof(rules[0]); i++) {
		const struct rule *rule = &rules[i];
		struct place at = {NOWHERE, NOWHERE};
		if (rule->who == ADMIN && !admin) {
			continue;
		}
		for (bool first = true; next_place(next, rule->scope, &at, first); first = false) {
			if (rule->broken(now, next, at)) {
				*why = (struct bsr_refusal){.rule = rule->number,
					.error = rule->error,
					.sentence = rule->sentence,
					.peer = at.peer,
					.volume = at.volume};
				return false;
			}
		}
	}
	return true;
}

static bool same_device(const struct bsr_device_state *a, const struct bsr_device_state *b)
{
	return a->repl == b->repl && a->disk == b->disk && a->paused == b->paused && a->stale == b->stale;
}

static bool same_peer(const struct bsr_state *a, const struct bsr_state *b, uint32_t peer)
{
	const struct bsr_peer_state *pa = &a->peer[peer];
	const struct bsr_peer_state *pb = &b->peer[peer];
	if (pa->conn != pb->conn || pa->error != pb->error || pa->role != pb->role) {
		return false;
	}
	for (uint64_t left = a->volumes; left; left &= left - 1) {
		const uint32_t v = (uint32_t)__builtin_ctzll(left);
		if (!same_device(&a->device[peer][v], &b->device[peer][v])) {
			return false;
		}
	}
	return true;
}

bool bsr_state_equal(const struct bsr_state *a, const struct bsr_state *b)
{
	BSR_ASSERT(a->volumes == b->volumes && a->peers == b->peers);
	if (a->role != b->role || a->suspended != b->suspended) {
		return false;
	}
	for (uint64_t left = a->volumes; left; left &= left - 1) {
		const struct bsr_volume_state *va = &a->volume[__builtin_ctzll(left)];
		const struct bsr_volume_state *vb = &b->volume[__builtin_ctzll(left)];
		if (va->disk != vb->disk || va->recorded != vb->recorded || va->crashed_primary != vb->crashed_primary) {
			return false;
		}
	}
	for (uint32_t left = a->peers; left; left &= left - 1) {
		if (!same_peer(a, b, (uint32_t)__builtin_ctz(left))) {
			return false;
		}
	}
	return true;
}
