/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * pool.h - payload buffers: preallocated, locked, aligned to 4096, counted references
 *
 * Size classes are the powers of two from 4 KiB to 1 MiB in one region, so that a small request
 * does not pin a large buffer. Nothing is allocated after creation; an empty pool answers
 * BSR_BUF_NONE and the caller waits for bsr_pool_on_free(). Belongs to the loop's thread. Get, ref
 * and put are O(1).
 */
#ifndef BSR_HOST_POOL_H
#define BSR_HOST_POOL_H

#include <stddef.h>

#include <bsr/types.h>

struct bsr_pool;

#define BSR_POOL_UNIT_BYTES 4096u	   /* smallest buffer, and the alignment of all of them */
/* 16 GiB: buffer ids are 4 KiB units in 32 bits with room to spare */
#define BSR_POOL_BYTES_MAX (1ull << 34)
#define BSR_POOL_WAITERS_MAX 32u	   /* who may wait in bsr_pool_on_free() at once */
#define BSR_POOL_REFERENCES_MAX 1000000u   /* of one buffer; more is a leak */

/**
 * bsr_pool_create - all the payload memory there will ever be, touched and, if permitted, locked
 * @pool: set on success
 * @bytes: of payload in all, 1 MiB..BSR_POOL_BYTES_MAX, rounded up to a multiple of 1 MiB
 * @locked: tells whether mlock was granted
 *
 * Returns 0 or -errno.
 */
int bsr_pool_create(struct bsr_pool **pool, size_t bytes, bool *locked);
/** bsr_pool_destroy - give the memory back; nobody may use a buffer any more. NULL is fine. */
void bsr_pool_destroy(struct bsr_pool *pool);
/**
 * bsr_pool_get - a buffer of at least @bytes (1..BSR_REQUEST_BYTES_MAX) with one reference, or
 * BSR_BUF_NONE
 */
bsr_buf_t bsr_pool_get(struct bsr_pool *pool, uint32_t bytes);
/** bsr_pool_take - the same, and where its bytes are; @mem is not touched when there is none */
bsr_buf_t bsr_pool_take(struct bsr_pool *pool, uint32_t bytes, uint8_t **mem);
/** bsr_pool_ref - one more reference to a buffer that is in use */
void bsr_pool_ref(struct bsr_pool *pool, bsr_buf_t buf);
/** bsr_pool_borrow - one more reference to a buffer that is in use, and where its bytes are */
uint8_t *bsr_pool_borrow(struct bsr_pool *pool, bsr_buf_t buf);
/** bsr_pool_borrow_part - the same for @bytes at @offset, which lie inside of it */
uint8_t *bsr_pool_borrow_part(struct bsr_pool *pool, bsr_buf_t buf, uint32_t offset, uint32_t bytes);
/** bsr_pool_put - drop one reference; the last one frees it */
void bsr_pool_put(struct bsr_pool *pool, bsr_buf_t buf);
/** bsr_pool_mem - where the bytes of a buffer in use are; fixed while it is in use */
uint8_t *bsr_pool_mem(struct bsr_pool *pool, bsr_buf_t buf);
/** bsr_pool_size - bytes of its size class: a power of two, at least what was asked for */
uint32_t bsr_pool_size(const struct bsr_pool *pool, bsr_buf_t buf);
/** bsr_pool_references - how many hold it; 1 means that nobody but the caller does */
uint32_t bsr_pool_references(const struct bsr_pool *pool, bsr_buf_t buf);
/** bsr_pool_region - the whole payload memory, for registration */
void bsr_pool_region(const struct bsr_pool *pool, void **mem, size_t *bytes);
/**
 * bsr_pool_on_free - be told when something was freed after bsr_pool_get() had failed
 *
 * @fn runs once per registration, from inside bsr_pool_put(): it only takes a note (or asks for a
 * turn) and does not call the pool. The same @fn and @ctx are kept once.
 */
void bsr_pool_on_free(struct bsr_pool *pool, void (*fn)(void *ctx), void *ctx);
/** bsr_pool_in_use - buffers out; for tests and leak checks */
uint32_t bsr_pool_in_use(const struct bsr_pool *pool);

#endif
