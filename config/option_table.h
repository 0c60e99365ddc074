/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * option_table.h - the options of the configuration language: names, types, ranges, defaults
 *
 * Owns:       the table made from options.def and the rules for the text of one value.
 * May touch:  nothing else; libc only. Both the tools and the daemon link it.
 */
#ifndef BSR_OPTION_TABLE_H
#define BSR_OPTION_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum bsr_option_section {
	BSR_SECTION_GLOBAL,
	BSR_SECTION_DISK,        /* disk { } of a volume */
	BSR_SECTION_PEER_DEVICE, /* also written in disk { }, but per peer and volume */
	BSR_SECTION_NET,
	BSR_SECTION_RESOURCE, /* options { } */
	BSR_SECTION_NODE,     /* also written in options { }, but per node */
	BSR_SECTION_STARTUP,
	BSR_SECTION_PROXY,
	BSR_SECTION_DEVICE, /* options of `new-minor`; not part of the language */
	BSR_SECTION_HANDLERS,
	BSR_SECTION_COUNT
};

enum bsr_option_type {
	BSR_OPTION_BOOL,         /* yes | no; in files also NAME; and no-NAME; */
	BSR_OPTION_FLAG,         /* present or not */
	BSR_OPTION_NUMBER,       /* in base units; if it has words, one of those instead */
	BSR_OPTION_ENUM,         /* one of its words */
	BSR_OPTION_STRING,       /* min..max is its length in bytes */
	BSR_OPTION_RATIO,        /* "R:S", both min..max */
	BSR_OPTION_RESYNC_AFTER, /* a minor number (-1: none), or in files RES[/VNR] */
};

enum bsr_option_unit {
	BSR_UNIT_NONE,
	BSR_UNIT_BYTES,
	BSR_UNIT_SECTORS,
	BSR_UNIT_KIB_PER_SECOND,
	BSR_UNIT_BLOCKS, /* of 4 KiB */
	BSR_UNIT_SECONDS,
	BSR_UNIT_DECISECONDS,
	BSR_UNIT_MILLISECONDS,
	BSR_UNIT_COUNT
};

/* bits of struct bsr_option.flags */
enum {
	BSR_OPTION_BSR_ONLY = 1u << 0, /* DRBD does not know it */
	BSR_OPTION_DRBD_ONLY =
		1u << 1, /* checked, kept and dumped, but nothing here acts on it: say so */
	BSR_OPTION_INTERNAL =
		1u << 2, /* derived by bsradm, on command lines; people do not write it */
	BSR_OPTION_RANGE_LATER =
		1u << 3, /* the parser lets any number pass; the engine clamps or refuses */
	BSR_OPTION_ANY_CASE =
		1u << 4, /* words compare without case; the table's spelling is canonical */
	BSR_OPTION_AT_CREATION = 1u << 5, /* new-peer only; a change needs del-peer */
	BSR_OPTION_RESIZES = 1u << 6, /* a change goes through `resize`, not through disk-options */
	BSR_OPTION_SECRET = 1u << 7,  /* never written to a log */
};

struct bsr_option {
	const char *name;
	enum bsr_option_section section;
	enum bsr_option_type type;
	enum bsr_option_unit unit;
	int64_t min; /* in base units; of a string: length in bytes */
	int64_t max;
	const char *default_text; /* NULL: unset */
	const char *words;        /* separated by single blanks, or NULL */
	unsigned int flags;
};

/* What is wrong with the text of a value. */
enum bsr_option_fault {
	BSR_OPTION_OK,
	BSR_OPTION_NOT_A_NUMBER,
	BSR_OPTION_TOO_SMALL,
	BSR_OPTION_TOO_BIG,
	BSR_OPTION_NOT_YES_OR_NO,
	BSR_OPTION_UNKNOWN_WORD,
	BSR_OPTION_TOO_SHORT,
	BSR_OPTION_TOO_LONG,
	BSR_OPTION_MALFORMED, /* ratio without colon, resync-after without a name */
};

struct bsr_option_value {
	/* number in base units; bool 0/1; enum: index of the word; ratio: first part */
	int64_t number;
	int64_t second;    /* ratio: second part; resync-after with a name: volume or -1 */
	bool is_word;      /* NUMBER given as one of its words: number is that word's index */
	bool is_reference; /* RESYNC_AFTER given as RES[/VNR] */
};

/**
 * bsr_option_find - look an option up by name
 *
 * Returns NULL if @section has no option called @name (exact spelling).
 */
const struct bsr_option *bsr_option_find(enum bsr_option_section section, const char *name);

/**
 * bsr_option_list - the options of one section, in table order
 * @count: receives how many follow the returned pointer
 */
const struct bsr_option *bsr_option_list(enum bsr_option_section section, size_t *count);

/**
 * bsr_option_section_name - the word that introduces the section in a file ("disk", "net",
 * "options" ...)
 */
const char *bsr_option_section_name(enum bsr_option_section section);

/**
 * bsr_option_parse - check the text of a value and convert it to base units
 * @value: filled on success only
 *
 * Suffixes K M G s are bytes and are divided by the base unit, rounding up. Never allocates.
 */
enum bsr_option_fault bsr_option_parse(
	const struct bsr_option *option, const char *text, struct bsr_option_value *value);

/**
 * bsr_option_explain - one phrase that says what is wrong with @text and what is allowed
 * @fault: what bsr_option_parse() returned
 */
void bsr_option_explain(const struct bsr_option *option, const char *text,
	enum bsr_option_fault fault, char *buffer, size_t size);

/**
 * bsr_option_equal - whether two texts mean the same value
 *
 * NULL stands for an option that is not written and equals its default.
 */
bool bsr_option_equal(const struct bsr_option *option, const char *a_text, const char *b_text);

/**
 * bsr_option_acts_as - the word that a node really goes by, where @text is one that only DRBD knows
 *
 * Such a word is checked, kept and dumped. Returns NULL if @text means what it says.
 */
const char *bsr_option_acts_as(const struct bsr_option *option, const char *text);

/** bsr_option_default - the default as a value; false if the option has none */
bool bsr_option_default(const struct bsr_option *option, struct bsr_option_value *value);

/**
 * bsr_option_format - canonical text of a value, as `show` prints it: numbers carry their unit's
 * letter
 */
void bsr_option_format(const struct bsr_option *option, const struct bsr_option_value *value,
	char *buffer, size_t size);

/**
 * bsr_option_word - word number @index of an ENUM or of a NUMBER with words, copied; false if there
 * is none
 */
bool bsr_option_word(const struct bsr_option *option, int64_t index, char *buffer, size_t size);

/** bsr_option_unit_letter - "k" or "s" for units that have a letter, else "" */
const char *bsr_option_unit_letter(enum bsr_option_unit unit);

/** bsr_option_unit_word - "bytes", "1/10 seconds" ... for comments and help; "" for plain counts */
const char *bsr_option_unit_word(enum bsr_option_unit unit);

/**
 * bsr_option_range_text - what is allowed, for help and documentation: "1..600", "yes | no", "block
 * | ..."
 */
void bsr_option_range_text(const struct bsr_option *option, char *buffer, size_t size);

/**
 * bsr_option_is_boolean_form - whether a file may write the option without a value
 */
static inline bool bsr_option_is_boolean_form(const struct bsr_option *option)
{
	return option->type == BSR_OPTION_BOOL || option->type == BSR_OPTION_FLAG;
}

#endif
