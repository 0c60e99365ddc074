// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * bitmap.c - which blocks differ, in memory
 */
#include "bitmap.h"
