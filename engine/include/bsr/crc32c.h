/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * crc32c.h - CRC-32C (Castagnoli), the checksum of everything we store or send
 */
#ifndef BSR_CRC32C_H
#define BSR_CRC32C_H

#include <stddef.h>
#include <stdint.h>

/**
 * bsr_crc32c - running CRC-32C, reflected polynomial 0x82f63b78, portable code
 * @crc: start value: ~0u for the standard checksum (invert the result), 0 for the activity log's
 *   variant
 *
 * No inversion here: callers that want the standard form write ~bsr_crc32c(~0u, p, n).
 */
uint32_t bsr_crc32c(uint32_t crc, const void *data, size_t bytes);

#endif
