// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * measure_test.c - buckets of times, and the tables that come and go with collection
 */
#include "test_support.h"

#include <bsr/debug.h>

#include "measure.h"

/* ------------------------------------------------------------------ buckets */

static void a_time_lies_between_the_bounds_of_its_bucket(void **state)
{
	struct test_random r = {.state = 7};
	(void)state;
	for (uint32_t i = 0; i < 200000; i++) {
		const uint64_t ns = test_random_u64(&r) >> (28 + test_random_below(&r, 36));
		const uint32_t index = bsr_histogram_index(ns);
		assert_true(index < BSR_HISTOGRAM_BUCKETS);
		assert_true(bsr_histogram_floor_ns(index) <= ns);
		assert_true(ns < bsr_histogram_floor_ns(index + 1) || index == BSR_HISTOGRAM_BUCKETS - 1);
	}
}

static void bounds_grow_by_an_eighth_at_most(void **state)
{
	(void)state;
	for (uint32_t i = 0; i < BSR_HISTOGRAM_BUCKETS; i++) {
		const uint64_t from = bsr_histogram_floor_ns(i);
		const uint64_t width = bsr_histogram_floor_ns(i + 1) - from;
		assert_true(width >= 1024);
		assert_true(i < 8 || width * 8 <= from);
		assert_int_equal(bsr_histogram_index(from), i);
	}
	assert_true(bsr_histogram_floor_ns(BSR_HISTOGRAM_BUCKETS) > 60ull * 1000000000ull);
}

static void the_longest_time_is_in_the_last_bucket(void **state)
{
	(void)state;
	assert_int_equal(bsr_histogram_index(0), 0);
	assert_int_equal(bsr_histogram_index(UINT64_MAX), BSR_HISTOGRAM_BUCKETS - 1);
	const uint64_t end = bsr_histogram_floor_ns(BSR_HISTOGRAM_BUCKETS);
	assert_int_equal(bsr_histogram_index(end - 1), BSR_HISTOGRAM_BUCKETS - 1);
	assert_int_equal(bsr_histogram_index(end), BSR_HISTOGRAM_BUCKETS - 1);
}

/* ------------------------------------------------------------------- tables */

static uint64_t bytes_held;
static uint32_t allocations_left;

static void *counted_alloc(void *ctx, size_t bytes, size_t align)
{
	(void)ctx;
	(void)align;
	if (allocations_left == 0) {
		return NULL;
	}
	allocations_left--;
	bytes_held += bytes;
	return test_memory(bytes);
}

static void counted_free(void *ctx, void *mem, size_t bytes)
{
	(void)ctx;
	if (mem) {
		bytes_held -= bytes;
		free(mem);
	}
}

static struct bsr_fx fx;

static struct bsr_engine *new_engine(void)
{
	const struct bsr_engine_config config = {
		.node_id = 0, .seed = {1}, .env = {.alloc = counted_alloc, .free = counted_free}};
	bytes_held = 0;
	allocations_left = UINT32_MAX;
	struct bsr_engine *e = bsr_engine_create(&config);
	assert_non_null(e);
	return e;
}

static int32_t command(struct bsr_engine *e, const struct bsr_command *cmd)
{
	const struct bsr_event ev = {
		.now_ns = 5000, .type = BSR_EV_COMMAND, .u.command = {.cmd_id = 1, .cmd = cmd}};
	fx.count = 0;
	fx.arena_used = 0;
	bsr_engine_step(e, &ev, &fx);
	for (uint32_t i = 0; i < fx.count; i++) {
		if (fx.effect[i].type == BSR_FX_COMMAND_DONE) {
			return fx.effect[i].u.command_done.result;
		}
	}
	fail_msg("the command was not answered");
	return -1;
}

static int32_t switch_to(struct bsr_engine *e, bool on)
{
	return command(e, &(struct bsr_command){.type = BSR_CMD_MEASURE, .flags = on ? BSR_CMDF_ON : 0});
}

static void add_peer(struct bsr_engine *e, uint32_t peer)
{
	struct bsr_command cmd = {.type = BSR_CMD_NEW_PEER, .peer = peer};
	bsr_net_options_defaults(&cmd.u.net);
	assert_int_equal(command(e, &cmd), 0);
}

static void collection_is_off_until_it_is_switched_on(void **state)
{
	struct bsr_engine *e = new_engine();
	(void)state;
	assert_int_equal(command(e, &(struct bsr_command){.type = BSR_CMD_NEW_VOLUME}), 0);
	assert_false(bsr_engine_measures(e));
	assert_null(bsr_engine_measured_volume(e, 0));
	assert_int_equal(bsr_engine_measured_since_ns(e), 0);
	assert_int_equal(switch_to(e, true), 0);
	assert_true(bsr_engine_measures(e));
	assert_non_null(bsr_engine_measured_volume(e, 0));
	assert_int_equal(bsr_engine_measured_since_ns(e), 5000);
	bsr_engine_destroy(e);
	assert_int_equal(bytes_held, 0);
}

static void tables_follow_volumes_and_peers(void **state)
{
	struct bsr_engine *e = new_engine();
	(void)state;
	assert_int_equal(switch_to(e, true), 0);
	assert_null(bsr_engine_measured_volume(e, 3));
	assert_int_equal(
		command(e, &(struct bsr_command){.type = BSR_CMD_NEW_VOLUME, .volume = 3, .vnr = 9}), 0);
	assert_non_null(bsr_engine_measured_volume(e, 3));
	assert_null(bsr_engine_measured_peer_device(e, 1, 3));
	add_peer(e, 1);
	assert_non_null(bsr_engine_measured_peer_device(e, 1, 3));
	assert_int_equal(command(e, &(struct bsr_command){.type = BSR_CMD_DEL_PEER, .peer = 1}), 0);
	assert_null(bsr_engine_measured_peer_device(e, 1, 3));
	assert_int_equal(command(e, &(struct bsr_command){.type = BSR_CMD_DEL_VOLUME, .volume = 3}), 0);
	assert_null(bsr_engine_measured_volume(e, 3));
	assert_null(bsr_engine_measured_volume(e, BSR_VOLUMES_MAX));
	assert_null(bsr_engine_measured_peer_device(e, BSR_NODES_MAX, 0));
	bsr_engine_destroy(e);
	assert_int_equal(bytes_held, 0);
}

static void switching_off_gives_the_memory_back(void **state)
{
	struct bsr_engine *e = new_engine();
	(void)state;
	assert_int_equal(command(e, &(struct bsr_command){.type = BSR_CMD_NEW_VOLUME}), 0);
	add_peer(e, 1);
	const uint64_t before = bytes_held;
	assert_int_equal(switch_to(e, true), 0);
	assert_true(bytes_held > before);
	assert_int_equal(switch_to(e, true), 0); /* twice is once */
	assert_int_equal(switch_to(e, false), 0);
	assert_int_equal(bytes_held, before);
	assert_false(bsr_engine_measures(e));
	bsr_engine_destroy(e);
}

static void without_memory_it_stays_off_or_leaves_things_out(void **state)
{
	struct bsr_engine *e = new_engine();
	(void)state;
	assert_int_equal(command(e, &(struct bsr_command){.type = BSR_CMD_NEW_VOLUME}), 0);
	allocations_left = 0;
	assert_int_equal(switch_to(e, true), -BSR_E_NO_MEMORY);
	assert_false(bsr_engine_measures(e));
	allocations_left = 1;
	assert_int_equal(switch_to(e, true), 0);
	assert_true(bsr_engine_measures(e));
	assert_null(bsr_engine_measured_volume(e, 0)); /* ME-1: not measured, nothing worse */
	allocations_left = UINT32_MAX;
	bsr_engine_destroy(e);
	assert_int_equal(bytes_held, 0);
}

static void debug_tells_what_is_not_there(void **state)
{
	struct bsr_engine *e = new_engine();
	struct bsr_debug_resource resource;
	struct bsr_debug_volume volume;
	struct bsr_debug_peer peer;
	struct bsr_debug_peer_device device;
	(void)state;
	bsr_engine_debug_resource(e, &resource);
	assert_false(resource.has_oldest);
	assert_int_equal(resource.requests, 0);
	assert_int_equal(resource.disk_ops, 0);
	assert_true(resource.credits > 0);
	bsr_engine_debug_volume(e, 0, &volume);
	bsr_engine_debug_peer(e, UINT32_MAX, &peer);
	bsr_engine_debug_peer_device(e, 0, UINT32_MAX, &device);
	assert_false(volume.exists || peer.exists || device.exists);
	assert_int_equal(command(e, &(struct bsr_command){.type = BSR_CMD_NEW_VOLUME}), 0);
	add_peer(e, 1);
	bsr_engine_debug_volume(e, 0, &volume);
	bsr_engine_debug_peer(e, 1, &peer);
	bsr_engine_debug_peer_device(e, 1, 0, &device);
	assert_true(volume.exists && peer.exists && device.exists);
	assert_int_equal(device.slot, -1);
	bsr_engine_destroy(e);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_time_lies_between_the_bounds_of_its_bucket),
		cmocka_unit_test(bounds_grow_by_an_eighth_at_most),
		cmocka_unit_test(the_longest_time_is_in_the_last_bucket),
		cmocka_unit_test(collection_is_off_until_it_is_switched_on),
		cmocka_unit_test(tables_follow_volumes_and_peers),
		cmocka_unit_test(switching_off_gives_the_memory_back),
		cmocka_unit_test(without_memory_it_stays_off_or_leaves_things_out),
		cmocka_unit_test(debug_tells_what_is_not_there),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
