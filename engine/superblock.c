// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * superblock.c - the v09 superblock as bytes
 */
#include "superblock.h"
