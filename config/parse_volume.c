// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * parse_volume.c - device, disk, meta-disk: what one volume is made of
 *
 * Owns:       the forms in which devices are named.
 * May touch:  the configuration it fills.
 */
#include "parser.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

static struct cfg_volume *new_volume(
	struct parser *p, struct cfg_volumes *volumes, unsigned int vnr)
{
	struct cfg_volume *volume = CFG_NEW(p->config, cfg_volume);

	volume->at = p->keyword_at;
	volume->vnr = vnr;
	volume->minor = -1;
	CFG_APPEND(volumes, volume);
	return volume;
}

struct cfg_volume *implicit_volume(struct parser *p, struct cfg_volumes *volumes)
{
	struct cfg_volume *volume = volumes->first;

	if (volume == NULL) {
		volume = new_volume(p, volumes, 0);
		volume->implicit = true;
		return volume;
	}
	if (!volume->implicit) {
		cfg_error(p->config, &p->keyword_at,
			"'%s' outside of a volume section: mixing explicit volumes and the implicit volume 0 is not allowed",
			p->keyword);
	}
	return volume;
}

/* Digits only and not longer than an integer may be; else -1. */
static int64_t minor_of(const char *digits)
{
	if (!cfg_is_integer(digits) || strlen(digits) > 8) {
		return -1;
	}
	return strtol(digits, NULL, 10);
}

static bool bad_device_name(struct parser *p, const char *text, const struct cfg_location *at)
{
	const size_t letters = strcspn(text, "0123456789");
	const char *name = bsr_names()->product;

	p->config->incomplete = true;
	if (text[letters] != '\0' && cfg_is_integer(text + letters)) {
		cfg_error(p->config, at,
			"device name '%s' does not begin with /dev/%s; did you mean /dev/%s%s?",
			text, name, name, text + letters);
	} else {
		cfg_error(p->config, at,
			"device name '%s' does not begin with /dev/%s; write /dev/%sN, or /dev/%s_NAME minor N",
			text, name, name, name);
	}
	return true;
}

/* Understands /dev/bsrN, bsrN, /dev/bsr_NAME, bsr_NAME and the same with drbd. */
static bool set_device_name(struct parser *p, struct cfg_volume *volume, const char *text,
	const struct cfg_location *at)
{
	const char *base = strncmp(text, "/dev/", 5) == 0 ? text + 5 : text;
	const char *rest = NULL;

	if (p->windows && isalpha((unsigned char)text[0]) &&
		(text[1] == '\0' || strcmp(text + 1, ":") == 0)) {
		volume->device = cfg_printf(p->config, "%c", toupper((unsigned char)text[0]));
		volume->minor = toupper((unsigned char)text[0]) - 'C';
		return true;
	}
	if (p->windows) {
		cfg_error(p->config, at, "the device of a Windows host is a drive letter, not '%s'",
			text);
		return true;
	}
	if (strncmp(base, "bsr", 3) == 0) {
		rest = base + 3;
	} else if (strncmp(base, "drbd", 4) == 0) {
		rest = base + 4;
	} else {
		return bad_device_name(p, text, at);
	}
	volume->minor = minor_of(rest);
	if (volume->minor < 0 && (rest[0] != '_' || strchr(rest, '/') != NULL || rest[1] == '\0')) {
		cfg_error(p->config, at,
			"device name '%s': a free name follows an underscore: /dev/%s_NAME minor N",
			text, bsr_names()->product);
		return true;
	}
	volume->device = cfg_printf(p->config, "/dev/%s%s", bsr_names()->product, rest);
	return true;
}

/* The rest of "device NAME minor N;" */
static bool parse_minor(struct parser *p, struct cfg_volume *volume)
{
	unsigned int minor;
	const struct cfg_location at = p->token.at;

	if (!parser_expect_number(p, "minor", 0, CFG_MINOR_MAX, &minor)) {
		return false;
	}
	if (volume->minor >= 0 && volume->minor != (int64_t)minor) {
		cfg_error(p->config, &at, "minor %u does not agree with the device name %s", minor,
			volume->device != NULL ? volume->device : "?");
	}
	volume->minor = minor;
	return true;
}

bool parse_volume_device(struct parser *p, void *object)
{
	struct cfg_volume *volume = object;
	const struct cfg_location at = p->token.at;
	const char *name;

	(void)parser_once(p, &volume->device_at, "device");
	volume->minor = -1;
	if (!parser_at_word(p, "minor")) {
		if (!parser_expect_text(p, "'minor' or a device name", &name) ||
			!set_device_name(p, volume, name, &at)) {
			return false;
		}
	}
	if (parser_accept_word(p, "minor")) {
		if (!parse_minor(p, volume)) {
			return false;
		}
	} else if (volume->device != NULL && volume->minor < 0) {
		cfg_error(p->config, &at, "device %s needs its minor number: device %s minor N;",
			volume->device, volume->device);
	}
	if (volume->minor > (int64_t)CFG_MINOR_MAX) {
		cfg_error(p->config, &at, "minor %lld is out of range: allowed are 0..%u",
			(long long)volume->minor, CFG_MINOR_MAX);
	}
	return parser_expect(p, ';');
}

static bool parse_volume_disk_block(struct parser *p, struct cfg_volume *volume)
{
	const struct option_target targets[] = {
		{BSR_SECTION_DISK, &volume->disk_options},
		{BSR_SECTION_PEER_DEVICE, &volume->peer_options},
	};

	return parse_option_block(p, targets, 2);
}

bool parse_volume_disk(struct parser *p, void *object)
{
	struct cfg_volume *volume = object;

	if (parser_at(p, '{')) {
		return parse_volume_disk_block(p, volume);
	}
	(void)parser_once(p, &volume->disk_at, "disk");
	if (!parser_expect_text(p, "a device or 'none'", &volume->disk)) {
		return false;
	}
	if (volume->disk[0] == '\0') {
		cfg_error(p->config, &volume->disk_at,
			"the name of a disk may not be empty; write none for no disk");
	}
	return parser_expect(p, ';');
}

#define SLOT_MAX 255u

/* "[I]" of "meta-disk DEV [I];" */
static bool parse_slot(struct parser *p, struct cfg_volume *volume)
{
	unsigned int slot;

	if (p->config->running && p->token.type != TOKEN_INTEGER) {
		/* `bsrsetup show` puts whatever stands for the place into the brackets */
		return parser_expect_text(p, "a place of metadata", &volume->meta_index) &&
		       parser_expect(p, ']');
	}
	if (!parser_expect_number(p, "meta-disk index", 0, SLOT_MAX, &slot)) {
		return false;
	}
	volume->meta_index = cfg_printf(p->config, "%u", slot);
	return parser_expect(p, ']');
}

bool parse_volume_meta_disk(struct parser *p, void *object)
{
	struct cfg_volume *volume = object;
	const bool flexible = strcmp(p->keyword, "flexible-meta-disk") == 0;

	(void)parser_once(p, &volume->meta_disk_at, "meta-disk");
	if (!parser_expect_text(p, "a device or 'internal'", &volume->meta_disk)) {
		return false;
	}
	volume->meta_index = "flexible";
	if (strcmp(volume->meta_disk, "internal") == 0) {
		volume->meta_index = "internal";
	} else if (!flexible && parser_accept(p, '[')) {
		if (!parse_slot(p, volume)) {
			return false;
		}
	} else if (!flexible && !parser_at(p, ';')) {
		const struct cfg_location at = p->token.at;
		if (!parser_expect_text(
			    p, "';', '[' or the file of a loop device", &volume->meta_index)) {
			return false;
		}
		if (!p->windows && strchr(volume->meta_index, '/') == NULL) {
			cfg_error(p->config, &at,
				"'%s' is not the path of a file; a loop device is written "
				"meta-disk /dev/loopN /PATH/TO/FILE;",
				volume->meta_index);
		}
	}
	return parser_expect(p, ';');
}

static const struct statement volume_statements[] = {
	{"device", parse_volume_device},
	{"disk", parse_volume_disk},
	{"meta-disk", parse_volume_meta_disk},
	{"flexible-meta-disk", parse_volume_meta_disk},
};

bool parse_volume(struct parser *p, struct cfg_volumes *volumes)
{
	unsigned int vnr;
	const struct cfg_location at = p->keyword_at;

	if (!parser_expect_number(p, "volume number", 0, CFG_VNR_MAX, &vnr)) {
		return false;
	}
	const struct cfg_volume *first = volumes->first;
	const struct cfg_volume *before = bsr_config_find_volume(volumes, vnr);
	if (first != NULL && first->implicit) {
		cfg_error(p->config, &at,
			"volume %u: mixing explicit volumes and the implicit volume 0 is not allowed",
			vnr);
	} else if (before != NULL) {
		cfg_error(p->config, &at, "conflicting use of volume %u; first used at %s:%u:%u",
			vnr, before->at.file, before->at.line, before->at.column);
	}
	struct cfg_volume *volume = new_volume(p, volumes, vnr);
	return parser_block(p, volume_statements,
		sizeof(volume_statements) / sizeof(volume_statements[0]), volume);
}
