// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * config.c - the configuration of a run, drawn from its seed ("swarm": each run uses some of the faults only)
 */
#include "scenario.h"

#define PASSES_ON_PM 150u /* of 1000 runs */

static uint64_t pick(struct sim_rng *r, const uint64_t *from, uint32_t count)
{
	return from[sim_rng_below(r, count)];
}

static void draw_volumes(struct sim_config *c, struct sim_rng *r)
{
	const uint64_t shape = sim_rng_below(r, 20);
	c->volume_count = sim_rng_chance(r, 600) ? 1 : (uint32_t)sim_rng_range(r, 2, SIM_VOLUMES_MAX);
	for (uint32_t v = 0; v < SIM_VOLUMES_MAX; v++) {
		uint64_t mib = sim_rng_range(r, 1, 12);
		if (shape == 0) {
			mib = sim_rng_range(r, 290, 400); /* more extents than the smallest activity log has slots */
		} else if (shape < 4) {
			mib = sim_rng_range(r, 20, 90);
		}
		c->volume_bytes[v] = (mib << 20) + sim_rng_below(r, 64) * 4096u;
	}
	for (uint32_t i = 0; i < SIM_NODES_MAX; i++) { /* the smallest disk decides the size */
		c->more_bytes[i] = 0;
	}
	if (sim_rng_chance(r, 200)) {
		c->more_bytes[sim_rng_below(r, SIM_NODES_USUAL)] = sim_rng_range(r, 1, 600) * 4096u;
	}
	c->external_md = sim_rng_chance(r, 250);
}

static void draw_timing(struct sim_config *c, struct sim_rng *r)
{
	static const uint64_t disk[] = {20u * SIM_US, 100u * SIM_US, 500u * SIM_US, 4u * SIM_MS};
	static const uint64_t net[] = {20u * SIM_US, 100u * SIM_US, SIM_MS, 20u * SIM_MS};
	static const uint64_t bandwidth[] = {0, 0, 1000, 10000, 100000};
	static const uint64_t socket[] = {16u << 10, 128u << 10, 1u << 20, 4u << 20};
	c->disk_low_ns = 5u * SIM_US;
	c->disk_high_ns = pick(r, disk, 4);
	c->latency_low_ns = 5u * SIM_US;
	c->latency_high_ns = pick(r, net, 4);
	c->ns_per_kib = pick(r, bandwidth, 5);
	c->socket_bytes = pick(r, socket, 4);
}

static void draw_options(struct sim_config *c, struct sim_rng *r)
{
	static const uint64_t epoch[] = {20, 100, 2048, 16000};
	static const uint64_t resync[] = {1u << 10, 8u << 10, 4u << 20, 4u << 20};
	static const uint64_t sndbuf[] = {0, 64u << 10, 1u << 20};
	const uint64_t p = sim_rng_below(r, 10);
	c->protocol = p < 6 ? BSR_PROTOCOL_C : p < 8 ? BSR_PROTOCOL_B : BSR_PROTOCOL_A;
	c->al_extents = sim_rng_chance(r, 700) ? BSR_AL_EXTENTS_MIN : 1237;
	c->max_epoch_size = (uint32_t)pick(r, epoch, 4);
	c->ping_int_s = (uint32_t)sim_rng_range(r, 1, 3);
	c->timeout_ds = (uint32_t)sim_rng_range(r, 10, 60);
	c->sndbuf_bytes = pick(r, sndbuf, 3);
	c->resync_kib = (uint32_t)pick(r, resync, 4);
	if (c->volume_bytes[0] > 100u << 20) {
		c->resync_kib = 4u << 20;
	}
	c->verify_alg = (enum bsr_digest)(BSR_DIGEST_MD5 + c->seed % (BSR_DIGEST_COUNT - BSR_DIGEST_MD5));
	c->disk_flushes = sim_rng_chance(r, 700);
	c->on_io_error = sim_rng_chance(r, 500) ? BSR_IO_ERROR_DETACH : BSR_IO_ERROR_PASSTHROUGH;
	c->full_initial_sync = sim_rng_chance(r, 400);
	for (uint32_t i = 0; i < SIM_NODES_MAX; i++) {
		c->write_through[i] = i < SIM_NODES_USUAL ? sim_rng_chance(r, 250) : c->write_through[i - SIM_NODES_USUAL];
	}
}

/* "violently" is missing: it lets a Primary go back in time, which nothing here would tell from a mistake. */
static void draw_policies(struct sim_config *c, struct sim_rng *r)
{
	static const enum bsr_after_sb none[] = {BSR_ASB_DISCARD_YOUNGER_PRIMARY, BSR_ASB_DISCARD_OLDER_PRIMARY,
		BSR_ASB_DISCARD_ZERO_CHANGES, BSR_ASB_DISCARD_LEAST_CHANGES, BSR_ASB_DISCONNECT};
	static const enum bsr_after_sb one[] = {BSR_ASB_CONSENSUS, BSR_ASB_DISCARD_SECONDARY, BSR_ASB_CALL_PRI_LOST, BSR_ASB_DISCONNECT};
	static const enum bsr_after_sb named[] = {BSR_ASB_DISCARD_LOCAL, BSR_ASB_DISCARD_REMOTE};
	static const enum bsr_after_sb two[] = {BSR_ASB_CALL_PRI_LOST, BSR_ASB_DISCONNECT};
	const bool any = sim_rng_chance(r, 250);
	const uint64_t pick0 = sim_rng_below(r, 6);
	const uint64_t pick1 = sim_rng_below(r, 4);
	const uint64_t pick2 = sim_rng_below(r, 2);
	const bool tell = sim_rng_chance(r, 500);
	c->after_sb[0] = !any ? BSR_ASB_DISCONNECT : pick0 < 5 ? none[pick0] : named[sim_rng_below(r, 2)];
	c->after_sb[1] = any ? one[pick1] : BSR_ASB_DISCONNECT;
	c->after_sb[2] = any ? two[pick2] : BSR_ASB_DISCONNECT;
	c->rr_conflict = any && tell ? BSR_RR_CALL_PRI_LOST : BSR_RR_DISCONNECT;
}

static void draw_application(struct sim_config *c, struct sim_rng *r)
{
	static const uint64_t depth[] = {1, 4, 16, 64};
	static const uint64_t spots[] = {0, 1, 4, 80};
	c->app_depth = (uint32_t)pick(r, depth, 4);
	c->app_read_pm = (uint32_t)sim_rng_range(r, 0, 400);
	c->app_flush_pm = sim_rng_chance(r, 500) ? (uint32_t)sim_rng_range(r, 1, 200) : 0;
	c->app_fua_pm = sim_rng_chance(r, 400) ? (uint32_t)sim_rng_range(r, 1, 300) : 0;
	c->app_zero_pm = sim_rng_chance(r, 300) ? (uint32_t)sim_rng_range(r, 1, 100) : 0;
	c->app_large_pm = sim_rng_chance(r, 400) ? (uint32_t)sim_rng_range(r, 1, 100) : 0;
	c->app_spots = (uint32_t)pick(r, spots, 4);
	c->requests_max = (uint32_t)sim_rng_range(r, 50, 1200);
	c->fault_ns = sim_rng_range(r, 500u * SIM_MS, 25u * SIM_S);
	c->app_think_ns = c->fault_ns * 2u / c->requests_max;
}

/* From the seed itself, so that the other choices stay as they are. */
static void choose_patterns(struct sim_config *c)
{
	uint64_t x = c->seed ^ 0x6a6f75726e616cull;
	const uint64_t dice = sim_rng_mix(&x);
	c->app_journal = dice % 5u == 0;
	c->net_tail = dice / 5u % 4u == 0;
}

/* Seeds in a row go through all pairs of kinds of fault. */
static void pair_of_seed(struct sim_config *c)
{
	const uint32_t pairs = SIM_ACT_COUNT * (SIM_ACT_COUNT - 1u) / 2u;
	uint32_t left = (uint32_t)(c->seed % pairs);
	uint32_t a = 0;
	while (left >= SIM_ACT_COUNT - 1u - a) {
		left -= SIM_ACT_COUNT - 1u - a;
		a++;
	}
	c->must[0] = (enum sim_act)a;
	c->must[1] = (enum sim_act)(a + 1u + left);
	c->acts |= 1ull << c->must[0] | 1ull << c->must[1];
}

/*
 * Each kind of fault is in about a third of the runs, so that each is also missing often. Where a disk is lost for good
 * less can be expected of what remains: these are rarer.
 */
static void draw_acts(struct sim_config *c, struct sim_rng *r)
{
	for (uint32_t a = 0; a < SIM_ACT_COUNT; a++) {
		if (sim_rng_chance(r, a >= SIM_ACT_BLANK_DISK && a <= SIM_ACT_MISDIRECTED_WRITES ? 60 : 300)) {
			c->acts |= 1ull << a;
		}
	}
	c->plan_max = (uint32_t)sim_rng_range(r, 1, 24);
	c->handlers_take_time = c->seed % 4 == 3;
	pair_of_seed(c);
	if ((c->acts >> SIM_ACT_ADD_VOLUME & 1u) != 0) {
		c->volume_count = c->volume_count < 2 ? 2 : c->volume_count;
		c->later_volumes = (uint32_t)sim_rng_range(r, 1, c->volume_count - 1u);
	}
}

/* A stream of its own: the number of nodes leaves the other choices alone. */
static void draw_nodes(struct sim *w, struct sim_config *c)
{
	struct sim_rng *r = &w->rng[SIM_RNG_NODES];
	const uint64_t dice = sim_rng_below(r, 1000);
	c->node_count = w->over.nodes == 0 ? 2 : w->over.nodes;
	c->passes_on = sim_rng_chance(r, PASSES_ON_PM);
	if (w->over.nodes == SIM_NODES_MIX) {
		c->node_count = dice < 450 ? 2 : dice < 800 ? 3 : dice < 900 ? 4 : dice < 998 ? 5 : (uint32_t)sim_rng_range(r, 6, 12);
	}
}

static void shrink_for_many(struct sim_config *c)
{
	c->volume_count = 1;
	c->later_volumes = 0;
	c->volume_bytes[0] = c->volume_bytes[0] % (8u << 20) / 4096u * 4096u + (8u << 20);
	c->requests_max = c->requests_max < 150 ? c->requests_max : 150;
}

void sim_config_make(struct sim *w, uint64_t seed)
{
	struct sim_config *c = &w->cfg;
	struct sim_rng *r = &w->rng[SIM_RNG_CONFIG];
	*c = (struct sim_config){.seed = seed};
	draw_nodes(w, c);
	draw_volumes(c, r);
	draw_timing(c, r);
	draw_options(c, r);
	c->on_io_error = c->passes_on && w->over.scenario == NULL ? BSR_IO_ERROR_PASS_ON : c->on_io_error;
	draw_policies(c, r);
	draw_application(c, r);
	draw_acts(c, r);
	choose_patterns(c);
	if (c->node_count > SIM_NODES_USUAL) {
		shrink_for_many(c);
	}
	if (w->over.scenario != NULL) {
		sim_scenario_configure(w);
	}
	c->acts = (c->acts & w->over.acts_mask) | w->over.acts_always;
	if (c->later_volumes != 0 && w->over.scenario == NULL && (c->acts >> SIM_ACT_ADD_VOLUME & 1u) == 0) {
		c->later_volumes = 0; /* there all the time */
	}
	if (w->over.protocol != 0) {
		c->protocol = (enum bsr_protocol)w->over.protocol;
	}
	if (w->over.volumes != 0) {
		c->volume_count = w->over.volumes;
		c->later_volumes = c->later_volumes < c->volume_count ? c->later_volumes : c->volume_count - 1u;
	}
	if (w->over.requests_max != 0 && w->over.requests_max < c->requests_max) {
		c->requests_max = w->over.requests_max;
	}
	if (w->over.plan_max != SIM_NONE && w->over.plan_max < c->plan_max) {
		c->plan_max = w->over.plan_max;
	}
}
