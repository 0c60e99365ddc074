// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * handshake_reasons.c - sentences and remedies of handshake decisions
 */
#include <bsr/handshake.h>
