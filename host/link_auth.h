/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * link_auth.h - proofs that a peer knows the shared secret, and random numbers nobody can guess
 */
#ifndef BSR_HOST_LINK_AUTH_H
#define BSR_HOST_LINK_AUTH_H

#include "link_wire.h"

struct bsr_link_auth;

/** What both ends were told by their administrator. */
struct bsr_link_key {
	const char *alg;
	const char *secret;
};

/** What both ends said before the proofs; the proofs cover all of it. */
struct bsr_link_transcript {
	const uint8_t *hello[2]; /* dialer's, acceptor's */
	uint32_t hello_bytes[2];
	const uint8_t *challenge[2]; /* BSR_LINK_CHALLENGE_BYTES each */
};

/**
 * bsr_link_auth_create - loads what OpenSSL needs, so that nothing is opened later; NULL when it
 * cannot
 */
struct bsr_link_auth *bsr_link_auth_create(void);
void bsr_link_auth_destroy(struct bsr_link_auth *auth);

/** bsr_link_auth_alg_ok - whether HMAC works with this digest (sha256, sha1, ...) */
bool bsr_link_auth_alg_ok(struct bsr_link_auth *auth, const char *alg);

/**
 * bsr_link_auth_prove - the proof of one direction
 * @proof: BSR_LINK_PROOF_BYTES_MAX bytes
 *
 * Returns its length, or 0 when OpenSSL fails.
 */
uint32_t bsr_link_auth_prove(struct bsr_link_auth *auth, const struct bsr_link_key *key,
	enum bsr_link_direction direction, const struct bsr_link_transcript *said, uint8_t *proof);

/** bsr_link_auth_equal - compares proofs in a time that does not depend on where they differ */
bool bsr_link_auth_equal(const uint8_t *a, uint32_t a_bytes, const uint8_t *b, uint32_t b_bytes);

/**
 * bsr_link_auth_random - fills @mem; false when there is no randomness (nothing can be trusted
 * then)
 */
bool bsr_link_auth_random(void *mem, size_t bytes) BSR_MUST_CHECK;

#endif
