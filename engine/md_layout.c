// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * md_layout.c - where metadata lies on a device
 */
#include "superblock.h"
