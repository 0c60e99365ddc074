// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * activity_log.c - which extents may differ between replicas after a crash
 */
#include "activity_log.h"
