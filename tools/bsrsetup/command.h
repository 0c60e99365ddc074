/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * command.h - the commands of bsrsetup: arguments, options, what runs them
 */
#ifndef BSRSETUP_COMMAND_H
#define BSRSETUP_COMMAND_H

#include "option_table.h"
#include "text.h"

#include <bsr/limits.h>

/** One positional argument. */
enum bsr_setup_argument {
	BSR_ARG_END,
	BSR_ARG_RESOURCE,
	BSR_ARG_RESOURCE_OR_ALL, /* may be left out: all */
	BSR_ARG_RESOURCE_PEER_VOLUME, /* RES[:PEER[/VNR]], for why */
	BSR_ARG_NODE_ID,
	BSR_ARG_MINOR,
	BSR_ARG_VOLUME,
	BSR_ARG_PEER,
	BSR_ARG_DISK,
	BSR_ARG_META_DISK,
	BSR_ARG_META_INDEX,
	BSR_ARG_LOCAL,
	BSR_ARG_REMOTE,
	BSR_ARG_VERIFY, /* 0 or 1, may be left out: whether bsradm checked the address */
};
#define BSR_SETUP_ARGUMENTS_MAX 5

enum bsr_setup_flag_use {
	BSR_FLAG_SENT,	     /* --x[=yes|no], a boolean of the request */
	BSR_FLAG_SENT_NOT,   /* the same, but the request has its contrary */
	BSR_FLAG_SENT_INT,   /* --x=N, an integer of the request */
	BSR_FLAG_SENT_SECTORS, /* --x=N or --x=Ns, the same, a number of sectors */
	BSR_FLAG_LOCAL,	     /* --x[=yes|no], for this program */
	BSR_FLAG_LOCAL_TEXT, /* --x=TEXT, for this program */
	BSR_FLAG_LOCAL_WORD, /* --x[=TEXT], for this program */
};

/** An option that is not one of the configuration language. */
struct bsr_setup_flag {
	const char *name;
	char letter; /* 0 = none */
	enum bsr_setup_flag_use use;
	const char *field; /* of the request, or name in struct bsr_setup_call.flags */
	const char *help;
};

struct bsr_setup_call;

struct bsr_setup_command {
	const char *name;
	enum bsr_setup_argument arguments[BSR_SETUP_ARGUMENTS_MAX + 1];
	uint32_t sections; /* bit set of enum bsr_option_section: options of these are taken */
	const struct bsr_setup_flag *flags; /* ends with a NULL name; NULL for none */
	int (*run)(struct bsr_setup_call *call); /* returns the exit code */
	const char *help;
};

/** A command line, understood. */
struct bsr_setup_call {
	const struct bsr_setup_command *command;
	char resource[BSR_NAME_BYTES_MAX + 1]; /* "" = all; of minor commands: found out by run */
	const char *object;		       /* what messages are about: the first argument */
	int64_t minor;			       /* -1 = no such argument */
	int64_t peer;
	int64_t volume;
	struct json_object *request; /* ready to be sent */
	struct json_object *flags;   /* local ones: name to text, "yes" and "no" for booleans */
};

/** bsr_setup_command_find - by name; NULL when there is none */
const struct bsr_setup_command *bsr_setup_command_find(const char *name);
/** bsr_setup_command_at - the commands in the order of help; NULL after the last */
const struct bsr_setup_command *bsr_setup_command_at(size_t index);

/**
 * bsr_setup_parse - the words after the command's name into @call
 * @why: receives one line for people on failure
 *
 * Returns 0, or -EINVAL. bsr_setup_call_free() in both cases.
 */
int bsr_setup_parse(struct bsr_setup_call *call, const struct bsr_setup_command *command, int count,
	char **words, struct bsr_text *why);
void bsr_setup_call_free(struct bsr_setup_call *call);
/** bsr_setup_flag - is a local boolean set to yes */
bool bsr_setup_flag(const struct bsr_setup_call *call, const char *name);
/**
 * bsr_setup_address - "[local:|peer:][AF:]ADDR[:PORT]" as "AF:ADDR:PORT"; false when it has no such
 * form
 */
bool bsr_setup_address(struct bsr_text *out, const char *text, bool of_peer);
/** bsr_setup_minor - N, bsrN, /dev/bsrN, or a link to one; -1 when it is none of these */
int64_t bsr_setup_minor(const char *text);

/** help.c: usage of everything, of one command, and machine-readable */
void bsr_setup_help(struct bsr_text *out);
void bsr_setup_help_command(struct bsr_text *out, const struct bsr_setup_command *command);
void bsr_setup_xml_help(struct bsr_text *out, const struct bsr_setup_command *command);
/** bsr_setup_argument_word - RES, MINOR ...; for help */
const char *bsr_setup_argument_word(enum bsr_setup_argument argument);

#endif
