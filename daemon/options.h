/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * options.h - more of options.c than bsrd.h promises
 */
#ifndef BSR_DAEMON_OPTIONS_H
#define BSR_DAEMON_OPTIONS_H

#include "bsrd.h"

/**
 * bsr_options_notes - a sentence for each given option that is valid but has no effect
 * @sections: bit set of enum bsr_option_section, to look the names up in
 * @notes: JSON array, appended to
 */
void bsr_options_notes(uint32_t sections, struct json_object *given, struct json_object *notes);

#endif
