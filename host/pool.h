/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * pool.h - payload buffers: preallocated, locked, aligned to 4096, counted references
 *
 * Size classes from 4 KiB to 1 MiB in one region, so that a small request does not pin a large buffer.
 * Nothing is allocated after creation; an empty pool answers BSR_BUF_NONE and the caller waits for
 * bsr_pool_on_free(). Belongs to the loop's thread.
 */
#ifndef BSR_HOST_POOL_H
#define BSR_HOST_POOL_H

#include <stddef.h>

#include <bsr/types.h>

struct bsr_pool;

/** bsr_pool_create - @bytes of payload in all; 0 or -errno. *@locked tells whether mlock was granted. */
int bsr_pool_create(struct bsr_pool **pool, size_t bytes, bool *locked);
void bsr_pool_destroy(struct bsr_pool *pool);
/** bsr_pool_get - a buffer of at least @bytes (1..BSR_REQUEST_BYTES_MAX) with one reference, or BSR_BUF_NONE */
bsr_buf_t bsr_pool_get(struct bsr_pool *pool, uint32_t bytes);
void bsr_pool_ref(struct bsr_pool *pool, bsr_buf_t buf);
/** bsr_pool_put - drop one reference; the last one frees it */
void bsr_pool_put(struct bsr_pool *pool, bsr_buf_t buf);
uint8_t *bsr_pool_mem(struct bsr_pool *pool, bsr_buf_t buf);
uint32_t bsr_pool_size(const struct bsr_pool *pool, bsr_buf_t buf);
/** bsr_pool_region - the whole memory, for registration */
void bsr_pool_region(const struct bsr_pool *pool, void **mem, size_t *bytes);
/** bsr_pool_on_free - @fn runs (once per registration) when something was freed after bsr_pool_get() had failed */
void bsr_pool_on_free(struct bsr_pool *pool, void (*fn)(void *ctx), void *ctx);
/** bsr_pool_in_use - buffers out; for tests and leak checks */
uint32_t bsr_pool_in_use(const struct bsr_pool *pool);

#endif
