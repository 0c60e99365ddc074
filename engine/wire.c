// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * wire.c - frame header of the native protocol
 */
#include <bsr/wire.h>
