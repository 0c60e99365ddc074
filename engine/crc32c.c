// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * crc32c.c - CRC-32C
 */
#include <bsr/crc32c.h>
