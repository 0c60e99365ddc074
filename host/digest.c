// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * digest.c - digests of data blocks, for online verify
 *
 * Owns:       OpenSSL's digests, and the memory of one answer.
 * CRC32C is that of the wire (crc32c_hw.c); the others are OpenSSL's.
 */
#include "digest.h"

#include <stdlib.h>
#include <string.h>

#include <openssl/crypto.h>
#include <openssl/evp.h>

#include <bsr/assert.h>
#include <bsr/bytes.h>

#include "crc32c_hw.h"

struct bsr_digests {
	EVP_MD *md[BSR_DIGEST_COUNT];
	EVP_MD_CTX *ctx;
	uint8_t out[BSR_VERIFY_BLOCKS_MAX * BSR_DIGEST_BYTES_MAX];
};

struct bsr_digests *bsr_digests_create(void)
{
	static const char *const names[BSR_DIGEST_COUNT] = {[BSR_DIGEST_MD5] = "MD5",
		[BSR_DIGEST_SHA1] = "SHA1",
		[BSR_DIGEST_SHA256] = "SHA256",
		[BSR_DIGEST_SHA512] = "SHA512"};
	struct bsr_digests *digests = calloc(1, sizeof(*digests));
	/* no configuration file: a sandboxed process could not read it */
	if (digests == NULL || OPENSSL_init_crypto(OPENSSL_INIT_NO_LOAD_CONFIG, NULL) != 1) {
		free(digests);
		return NULL;
	}
	digests->ctx = EVP_MD_CTX_new();
	if (digests->ctx == NULL) {
		free(digests);
		return NULL;
	}
	for (uint32_t i = 0; i < BSR_DIGEST_COUNT; i++) {
		digests->md[i] = names[i] != NULL ? EVP_MD_fetch(NULL, names[i], NULL) : NULL;
		BSR_ASSERT(digests->md[i] == NULL || (uint32_t)EVP_MD_get_size(digests->md[i]) == bsr_digest_bytes(i));
	}
	return digests;
}

void bsr_digests_destroy(struct bsr_digests *digests)
{
	if (digests == NULL) {
		return;
	}
	for (uint32_t i = 0; i < BSR_DIGEST_COUNT; i++) {
		EVP_MD_free(digests->md[i]);
	}
	EVP_MD_CTX_free(digests->ctx);
	free(digests);
}

static bool one_block(struct bsr_digests *digests, uint32_t digest, const uint8_t *mem, uint32_t bytes, uint8_t *out)
{
	if (digest == BSR_DIGEST_CRC32C) {
		const bsr_be32 crc = bsr_be32_make(~bsr_crc32c_hw(~0u, mem, bytes));
		memcpy(out, crc.b, sizeof(crc.b));
		return true;
	}
	return digests->md[digest] != NULL && EVP_DigestInit_ex2(digests->ctx, digests->md[digest], NULL) == 1 &&
	       EVP_DigestUpdate(digests->ctx, mem, bytes) == 1 && EVP_DigestFinal_ex(digests->ctx, out, NULL) == 1;
}

uint32_t bsr_digests_blocks(
	struct bsr_digests *digests, uint32_t digest, const void *mem, uint32_t bytes, const uint8_t **out)
{
	const uint32_t each = bsr_digest_bytes(digest);
	const uint8_t *at = mem;
	uint32_t done = 0;
	BSR_ASSERT(bytes > 0 && bytes <= BSR_VERIFY_REQUEST_BYTES_MAX);
	while (each != 0 && bytes > 0) {
		const uint32_t block = bytes < BSR_BITMAP_BLOCK_BYTES ? bytes : BSR_BITMAP_BLOCK_BYTES;
		if (!one_block(digests, digest, at, block, digests->out + done)) {
			return 0;
		}
		done += each;
		at += block;
		bytes -= block;
	}
	*out = digests->out;
	return done;
}
