// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * handshake_model_test.c - two nodes, every order of events: do the decisions keep the data?
 *
 * All reachable states of the model, breadth first, as many as there is room for (--long: more; the
 * smallest world is complete). States that differ only in names of generations and writes are one.
 *
 *   MD-1  A resync without a declared split brain overwrites no acknowledged write that its source
 *         lacks.
 *   MD-2  What differs between two connected disks is covered by bits, or by the write in flight.
 *   MD-3  Connected disks that are both UpToDate, without resync, have the same content.
 *   MD-4  No two Primaries are connected; disks that were together are never called unrelated.
 *   MD-5  An interrupted resync goes on in the same direction, and never becomes a full one.
 *   MD-6  Two Secondaries are refused each other only for a split brain, or because a person said
 *         so.
 */
#include "handshake_test_model.h"
#include "test_support.h"

struct entry {
	struct state s;
	uint32_t from; /* the state before */
	uint16_t op;
	uint16_t reason;
};

static struct entry *entries;
static uint32_t entry_count;
static uint32_t entries_max;
static uint32_t *table; /* open addressing, indices of entries */
static uint32_t table_size;
static bool long_run;
static bool quiet; /* a violation is what the test wants */

static void print_step(uint32_t op, uint16_t reason)
{
	print_message("-> %s", model_op_name(op));
	if (reason != 0) {
		print_message(" (reason %u)", reason);
	}
	print_message("\n");
}

/* The way to an entry, from the beginning. */
static void print_trace(uint32_t at)
{
	if (entries[at].from != at) {
		print_trace(entries[at].from);
		print_step(entries[at].op, entries[at].reason);
	}
	model_print(&entries[at].s);
}

static uint64_t hash_state(const struct state *s)
{
	const uint8_t *p = (const uint8_t *)s;
	uint64_t h = 0xcbf29ce484222325ull;
	for (size_t i = 0; i < sizeof(*s); i++) {
		h = (h ^ p[i]) * 0x100000001b3ull;
	}
	return h ^ (h >> 29);
}

/* False when there is no room left; a state that is known already needs none. */
static bool add(const struct state *s, uint32_t from, uint32_t op)
{
	uint64_t at = hash_state(s) & (table_size - 1);
	while (table[at] != UINT32_MAX) {
		if (memcmp(&entries[table[at]].s, s, sizeof(*s)) == 0) {
			return true;
		}
		at = (at + 1) & (table_size - 1);
	}
	if (entry_count == entries_max) {
		return false;
	}
	table[at] = entry_count;
	entries[entry_count] = (struct entry){*s, from, (uint16_t)op, model_reason};
	entry_count++;
	return true;
}

static void make_room(uint32_t max)
{
	entries_max = max;
	table_size = 1;
	while (table_size < 2 * max) {
		table_size *= 2;
	}
	entries = malloc((size_t)max * sizeof(*entries));
	table = malloc((size_t)table_size * sizeof(*table));
	assert_non_null(entries);
	assert_non_null(table);
	memset(table, 0xff, (size_t)table_size * sizeof(*table));
	entry_count = 0;
}

/* Every event in one state; false when a property does not hold afterwards. */
static bool expand(uint32_t at, bool *complete)
{
	for (uint32_t op = 0; op < OP_COUNT; op++) {
		struct state s = entries[at].s;
		model_reason = 0;
		if (!model_apply(&s, op)) {
			continue;
		}
		model_check(&s);
		if (model_violation != NULL && !quiet) {
			print_trace(at);
			print_step(op, model_reason);
			model_print(&s);
		}
		model_normalise(&s);
		*complete &= add(&s, at, op);
		if (model_violation != NULL) {
			return false;
		}
	}
	return true;
}

/* Returns the first violation, NULL when there is none; prints the shortest way to it. */
static const char *explore(uint32_t max, bool *complete)
{
	make_room(max);
	memset(model_reason_count, 0, sizeof(model_reason_count));
	model_violation = NULL;
	struct state s = model_fresh();
	model_normalise(&s);
	*complete = add(&s, 0, 0);
	for (uint32_t at = 0; at < entry_count && expand(at, complete); at++) {
	}
	free(entries);
	free(table);
	return model_violation;
}

static void describe_world(uint32_t states, bool complete)
{
	print_message("%u block(s)%s%s%s%s%s: %u states%s; handshakes by reason:", world.blocks,
		world.protocol_a ? ", protocol A" : "", world.crashes ? ", crashes" : "",
		world.persons ? ", persons" : "", world.silent_source ? ", silent source" : "",
		world.keeps_slots ? ", keeps slots" : "", states, complete ? ", all" : "");
	for (uint32_t i = 0; i < 1024; i++) {
		if (model_reason_count[i] != 0) {
			print_message(" %u:%llu", i, (unsigned long long)model_reason_count[i]);
		}
	}
	print_message("\n");
}

static void run(uint32_t room)
{
	bool complete;
	const char *what = explore(room, &complete);
	describe_world(entry_count, complete);
	if (what != NULL) {
		fail_msg("%s", what);
	}
}

static void run_worlds(bool protocol_a, bool silent_source, bool keeps_slots, uint32_t room)
{
	for (uint32_t variant = 0; variant < 8; variant++) {
		world = (struct model_world){.blocks = 1 + variant / 4,
			.crashes = variant % 2 != 0,
			.persons = variant / 2 % 2 != 0,
			.protocol_a = protocol_a,
			.silent_source = silent_source,
			.keeps_slots = keeps_slots};
		run(room);
	}
}

static void protocol_c_keeps_every_acknowledged_write(void **state)
{
	(void)state;
	run_worlds(false, false, false, long_run ? 6000000 : 150000);
}

static void protocol_a_loses_writes_only_with_their_primary(void **state)
{
	(void)state;
	run_worlds(true, false, false, long_run ? 2000000 : 50000);
}

static void a_source_that_says_nothing_costs_time_only(void **state)
{
	(void)state;
	run_worlds(false, true, false, long_run ? 2000000 : 50000);
}

static void slots_that_are_kept_cost_time_only(void **state)
{
	(void)state;
	run_worlds(false, true, true, long_run ? 2000000 : 50000);
}

static void the_smallest_world_is_searched_to_its_end(void **state)
{
	(void)state;
	bool complete;
	if (!long_run) {
		skip();
	}
	world = (struct model_world){.blocks = 1};
	assert_null(explore(2000000, &complete));
	describe_world(entry_count, complete);
	assert_true(complete);
}

/* The search does find what a broken promise leads to. */
static void without_a_new_generation_writes_are_lost(void **state)
{
	(void)state;
	bool complete;
	world = (struct model_world){.blocks = 1, .lazy_generation = true};
	quiet = true;
	const char *what = explore(150000, &complete);
	quiet = false;
	assert_non_null(what);
	assert_non_null(strstr(what, "MD-1"));
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(protocol_c_keeps_every_acknowledged_write),
		cmocka_unit_test(protocol_a_loses_writes_only_with_their_primary),
		cmocka_unit_test(a_source_that_says_nothing_costs_time_only),
		cmocka_unit_test(slots_that_are_kept_cost_time_only),
		cmocka_unit_test(the_smallest_world_is_searched_to_its_end),
		cmocka_unit_test(without_a_new_generation_writes_are_lost),
	};
	long_run = argc > 1 && strcmp(argv[1], "--long") == 0;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
