/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * names.h - under which names the tools run: bsr's, or DRBD's when they are called through links
 *
 * The tools are the same programs under both. With DRBD's names they read /etc/drbd.conf, print DRBD's words where
 * scripts look for them, and leave out what only bsr prints. docs/differences.md lists what stays different.
 */
#ifndef BSR_NAMES_H
#define BSR_NAMES_H

#include <stdbool.h>
#include <stddef.h>

/*
 * Environment of what a tool with DRBD's names starts (bsrd, and the helper that bsrd calls): "drbd". They are called by
 * other names of their own.
 */
#define BSR_NAMES_VARIABLE "BSR_NAMES"

struct bsr_names {
	bool drbd;
	const char *product; /* "bsr", "drbd": also of devices, configuration files, links below /dev */
	const char *capital; /* "BSR", "DRBD" */
	const char *admin;
	const char *setup;
	const char *meta;
	const char *node_variable; /* environment: pretend to be this host */
};

/**
 * bsr_names_choose - take the names that @program (argv[0]) belongs to, or that BSR_NAMES_VARIABLE says; bsr's are the
 * default
 */
void bsr_names_choose(const char *program);
/** bsr_names - those that were chosen; static */
const struct bsr_names *bsr_names(void);
/**
 * bsr_names_translate - @text with our tools and devices called by the chosen names
 * @room: at least 2; what does not fit is cut
 *
 * Returns @buffer, or @text itself when nothing has to be changed.
 */
const char *bsr_names_translate(const char *text, char *buffer, size_t room);

#endif
