/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * digest.h - digests of data blocks, for online verify
 */
#ifndef BSR_HOST_DIGEST_H
#define BSR_HOST_DIGEST_H

#include <bsr/types.h>

struct bsr_digests;

/** bsr_digests_create - loads what OpenSSL needs, so that nothing is opened later; NULL when there is no memory */
struct bsr_digests *bsr_digests_create(void);
void bsr_digests_destroy(struct bsr_digests *digests);

/**
 * bsr_digests_blocks - one digest of each 4 KiB block, the last one of what is left
 * @digest: enum bsr_digest
 * @bytes: 1..BSR_VERIFY_REQUEST_BYTES_MAX
 * @out: receives them; valid until the next call
 *
 * Returns their length in bytes; 0 when this host does not have the digest (OpenSSL of a FIPS host has no MD5).
 */
uint32_t bsr_digests_blocks(
	struct bsr_digests *digests, uint32_t digest, const void *mem, uint32_t bytes, const uint8_t **out);

#endif
