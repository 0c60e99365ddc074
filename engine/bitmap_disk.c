// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * bitmap_disk.c - which blocks differ, as disk blocks
 */
#include "bitmap.h"
