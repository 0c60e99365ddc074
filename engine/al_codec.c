// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * al_codec.c - activity-log transactions as bytes, and their replay
 */
#include "activity_log.h"
