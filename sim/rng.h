/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * rng.h - random numbers of the simulator: one generator per purpose, all from one seed
 *
 * Streams are separate so that taking one fault out of a run (the shrinker does) leaves the choices of the other
 * actors alone as far as possible.
 */
#ifndef SIM_RNG_H
#define SIM_RNG_H

#include <stdbool.h>
#include <stdint.h>

struct sim_rng {
	uint64_t s[2];
};

static inline uint64_t sim_rng_mix(uint64_t *x)
{
	uint64_t z = (*x += 0x9e3779b97f4a7c15ull);
	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
	return z ^ (z >> 31);
}

static inline void sim_rng_seed(struct sim_rng *r, uint64_t seed, uint64_t stream)
{
	uint64_t x = seed ^ (stream * 0xd1342543de82ef95ull);
	r->s[0] = sim_rng_mix(&x);
	r->s[1] = sim_rng_mix(&x) | 1u;
}

static inline uint64_t sim_rng_u64(struct sim_rng *r)
{
	uint64_t a = r->s[0];
	const uint64_t b = r->s[1];
	const uint64_t result = a + b;
	r->s[0] = b;
	a ^= a << 23;
	r->s[1] = a ^ b ^ (a >> 18) ^ (b >> 5);
	return result;
}

/** sim_rng_below - 0..n-1; n is not 0 */
static inline uint64_t sim_rng_below(struct sim_rng *r, uint64_t n)
{
	return (sim_rng_u64(r) >> 11) % n;
}

/** sim_rng_range - low..high, both included */
static inline uint64_t sim_rng_range(struct sim_rng *r, uint64_t low, uint64_t high)
{
	return low + sim_rng_below(r, high - low + 1);
}

/** sim_rng_chance - true in @per_mille of 1000 cases */
static inline bool sim_rng_chance(struct sim_rng *r, uint32_t per_mille)
{
	return sim_rng_below(r, 1000) < per_mille;
}

#endif
