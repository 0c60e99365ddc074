/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * color.h - which states are good, bad or passing, as terminal codes
 *
 * Every function returns the code that begins the colour, "" for none; BSR_COLOR_END ends it.
 * @peer: the value belongs to a peer (plain) and not to this node (bright).
 */
#ifndef BSRSETUP_COLOR_H
#define BSRSETUP_COLOR_H

#include <stdbool.h>

#define BSR_COLOR_END "\033[0m"

const char *bsr_color_role(const char *role, bool peer);
const char *bsr_color_disk(const char *disk, bool peer, bool intentional_diskless);
const char *bsr_color_connection(const char *state);
const char *bsr_color_replication(const char *state);
const char *bsr_color_bad(bool peer);

#endif
