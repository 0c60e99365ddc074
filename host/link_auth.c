// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * link_auth.c - HMAC over what two nodes said to each other
 *
 * Owns:       the input of the HMAC (docs/protocol.md, AUTH_RESPONSE) and the OpenSSL objects.
 * Invariants:
 *   AUTH-1  Every field that was negotiated is under the proof.
 *   AUTH-2  The two directions have different inputs: a proof cannot be sent back to its maker.
 */
#include <stdlib.h>
#include <string.h>

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <sys/random.h>

#include <bsr/assert.h>
#include <bsr/bytes.h>

#include "link_auth.h"

struct bsr_link_auth {
	EVP_MAC *hmac;
};

struct bsr_link_auth *bsr_link_auth_create(void)
{
	struct bsr_link_auth *auth = calloc(1, sizeof(*auth));
	if (auth == NULL) {
		return NULL;
	}
	/*
	 * No configuration file: a sandboxed process could not read it, and one that could must not
	 * differ.
	 */
	if (OPENSSL_init_crypto(OPENSSL_INIT_NO_LOAD_CONFIG, NULL) == 1) {
		auth->hmac = EVP_MAC_fetch(NULL, "HMAC", NULL);
	}
	if (auth->hmac == NULL) {
		free(auth);
		return NULL;
	}
	return auth;
}

void bsr_link_auth_destroy(struct bsr_link_auth *auth)
{
	if (auth != NULL) {
		EVP_MAC_free(auth->hmac);
		free(auth);
	}
}

static EVP_MAC_CTX *begin(struct bsr_link_auth *auth, const char *alg, const void *key, size_t key_bytes)
{
	char name[BSR_LINK_ALG_BYTES_MAX + 1];
	BSR_ASSERT(strlen(alg) <= BSR_LINK_ALG_BYTES_MAX);
	memcpy(name, alg, strlen(alg) + 1); /* OSSL_PARAM wants it writable */
	const OSSL_PARAM params[] = {
		OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, name, 0),
		OSSL_PARAM_construct_end(),
	};
	EVP_MAC_CTX *ctx = EVP_MAC_CTX_new(auth->hmac);
	if (ctx != NULL && EVP_MAC_init(ctx, key, key_bytes, params) != 1) {
		EVP_MAC_CTX_free(ctx);
		ctx = NULL;
	}
	return ctx;
}

bool bsr_link_auth_alg_ok(struct bsr_link_auth *auth, const char *alg)
{
	EVP_MAC_CTX *ctx = begin(auth, alg, "key", 3);
	const bool ok = ctx != NULL && EVP_MAC_CTX_get_mac_size(ctx) <= BSR_LINK_PROOF_BYTES_MAX;
	EVP_MAC_CTX_free(ctx);
	return ok;
}

static bool add_counted(EVP_MAC_CTX *ctx, const uint8_t *data, uint32_t bytes)
{
	const bsr_be32 count = bsr_be32_make(bytes);
	return EVP_MAC_update(ctx, count.b, sizeof(count.b)) == 1 && EVP_MAC_update(ctx, data, bytes) == 1;
}

static bool add_all(EVP_MAC_CTX *ctx, enum bsr_link_direction direction, const struct bsr_link_transcript *said)
{
	static const char label[] = "bsr link 1";
	const uint8_t whose = (uint8_t)direction;
	return EVP_MAC_update(ctx, (const uint8_t *)label, sizeof(label) - 1) == 1 &&
		EVP_MAC_update(ctx, &whose, 1) == 1 && add_counted(ctx, said->hello[0], said->hello_bytes[0]) &&
		add_counted(ctx, said->hello[1], said->hello_bytes[1]) &&
		add_counted(ctx, said->challenge[0], BSR_LINK_CHALLENGE_BYTES) &&
		add_counted(ctx, said->challenge[1], BSR_LINK_CHALLENGE_BYTES);
}

uint32_t bsr_link_auth_prove(struct bsr_link_auth *auth, const struct bsr_link_key *key,
	enum bsr_link_direction direction, const struct bsr_link_transcript *said, uint8_t *proof)
{
	size_t bytes = 0;
	EVP_MAC_CTX *ctx = begin(auth, key->alg, key->secret, strlen(key->secret));
	if (ctx == NULL || !add_all(ctx, direction, said) ||
		EVP_MAC_final(ctx, proof, &bytes, BSR_LINK_PROOF_BYTES_MAX) != 1) {
		bytes = 0;
	}
	EVP_MAC_CTX_free(ctx);
	return (uint32_t)bytes;
}

bool bsr_link_auth_equal(const uint8_t *a, uint32_t a_bytes, const uint8_t *b, uint32_t b_bytes)
{
	return a_bytes == b_bytes && a_bytes > 0 && CRYPTO_memcmp(a, b, a_bytes) == 0;
}

bool bsr_link_auth_random(void *mem, size_t bytes)
{
	BSR_ASSERT(bytes <= 256); /* getrandom() is never short up to there */
	return getrandom(mem, bytes, 0) == (ssize_t)bytes;
}
