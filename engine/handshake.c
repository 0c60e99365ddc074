// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * handshake.c - what two disks that meet do
 */
#include <bsr/handshake.h>
