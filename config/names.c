// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * names.c - under which names the tools run
 *
 * Owns:       the choice, made once at the start of a program.
 */
#include "names.h"

#include <stdlib.h>
#include <string.h>

static const struct bsr_names of_bsr = {
	false, "bsr", "BSR", "bsradm", "bsrsetup", "bsrmeta", "__BSR_NODE__"};
static const struct bsr_names of_drbd = {
	true, "drbd", "DRBD", "drbdadm", "drbdsetup", "drbdmeta", "__DRBD_NODE__"};

static const struct bsr_names *chosen = &of_bsr;

void bsr_names_choose(const char *program)
{
	const char *slash = program != NULL ? strrchr(program, '/') : NULL;
	const char *base = slash != NULL ? slash + 1 : program;
	const char *wanted = getenv(BSR_NAMES_VARIABLE);
	const bool drbd = (base != NULL && strncmp(base, "drbd", 4) == 0) ||
			  (wanted != NULL && strcmp(wanted, "drbd") == 0);

	chosen = drbd ? &of_drbd : &of_bsr;
}

const struct bsr_names *bsr_names(void)
{
	return chosen;
}

/* What is replaced by a word of the same place in struct bsr_names. */
static const char *replacement(const char *at, size_t *length)
{
	static const struct {
		const char *ours;
		const char *theirs;
	} words[] = {{"bsradm", "drbdadm"}, {"bsrsetup", "drbdsetup"}, {"bsrmeta", "drbdmeta"},
		{"/dev/bsr", "/dev/drbd"}};

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		*length = strlen(words[i].ours);
		if (strncmp(at, words[i].ours, *length) == 0) {
			return words[i].theirs;
		}
	}
	return NULL;
}

const char *bsr_names_translate(const char *text, char *buffer, size_t room)
{
	size_t used = 0;

	if (!chosen->drbd) {
		return text;
	}
	while (*text != '\0' && used + 1 < room) {
		size_t length = 0;
		const char *word = replacement(text, &length);
		if (word == NULL) {
			buffer[used++] = *text++;
			continue;
		}
		if (used + strlen(word) + 1 > room) {
			break;
		}
		memcpy(buffer + used, word, strlen(word));
		used += strlen(word);
		text += length;
	}
	buffer[used] = '\0';
	return buffer;
}
