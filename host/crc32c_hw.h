/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * crc32c_hw.h - bsr_crc32c() by what the processor has for it
 */
#ifndef BSR_HOST_CRC32C_HW_H
#define BSR_HOST_CRC32C_HW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** Ways to a checksum, each faster than the one before; all give the same results. */
enum bsr_crc32c_way {
	BSR_CRC32C_TABLE,
	BSR_CRC32C_INSTRUCTION, /* SSE4.2, ARMv8 CRC */
	BSR_CRC32C_FOLDING,	/* the same, and AVX-512 with VPCLMULQDQ for payloads */
};

/**
 * bsr_crc32c_hw - same results as bsr_crc32c(), fast
 * @crc: running value, ~0u at the beginning; not inverted here
 *
 * Looks once what the processor can do and takes the fastest way.
 */
uint32_t bsr_crc32c_hw(uint32_t crc, const void *data, size_t bytes);

/**
 * bsr_crc32c_hw_content - what a header says of its message: the checksum of body and payload, inverted
 * @payload: anything when there are no bytes of it
 */
uint32_t bsr_crc32c_hw_content(const void *body, size_t body_bytes, const void *payload, size_t payload_bytes);

/** bsr_crc32c_hw_36 - the same for exactly 36 bytes, which a message header has */
uint32_t bsr_crc32c_hw_36(uint32_t crc, const void *data, size_t bytes);

/** bsr_crc32c_hw_best - the fastest way that this processor has */
enum bsr_crc32c_way bsr_crc32c_hw_best(void);
/** bsr_crc32c_hw_use - take another one from now on; for tests. @way: at most the best */
void bsr_crc32c_hw_use(enum bsr_crc32c_way way);

#endif
