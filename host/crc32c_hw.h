/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * crc32c_hw.h - bsr_crc32c() by the processor's own instruction where it has one
 */
#ifndef BSR_HOST_CRC32C_HW_H
#define BSR_HOST_CRC32C_HW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/**
 * bsr_crc32c_hw - same results as bsr_crc32c(), fast
 * @crc: running value, ~0u at the beginning; not inverted here
 *
 * Looks once whether the processor can; falls back to the portable code.
 */
uint32_t bsr_crc32c_hw(uint32_t crc, const void *data, size_t bytes);

/** bsr_crc32c_hw_available - whether bsr_crc32c_hw() is more than the portable code */
bool bsr_crc32c_hw_available(void);

#endif
