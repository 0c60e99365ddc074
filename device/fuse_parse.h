/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * fuse_parse.h - one request of the FUSE channel, checked; pure, so that it can be fuzzed
 */
#ifndef BSR_FUSE_PARSE_H
#define BSR_FUSE_PARSE_H

#include <stddef.h>
#include <stdint.h>

#define FUSE_HEAD_BYTES 80u /* both headers of a WRITE; all of every other request but names */

enum fuse_kind {
	FUSE_ASK_IO,	  /* read, write, flush, discard, zeroes */
	FUSE_ASK_INIT,
	FUSE_ASK_GETATTR,
	FUSE_ASK_SETATTR,
	FUSE_ASK_OPEN,
	FUSE_ASK_STATFS,
	FUSE_ASK_OK,	  /* answered with success and nothing else */
	FUSE_ASK_NOTHING, /* not answered at all */
	FUSE_ASK_REFUSE,  /* answered with @error */
};

struct fuse_ask {
	enum fuse_kind kind;
	int error;	 /* positive errno of FUSE_ASK_REFUSE */
	uint32_t opcode;
	uint64_t unique; /* echoed in the answer, bit 63 (sent again) included */
	uint8_t op;	 /* enum bsr_op of FUSE_ASK_IO */
	uint64_t offset;
	uint64_t length;
	uint64_t size;	 /* FUSE_ASK_SETATTR: size wanted, UINT64_MAX for none */
	uint32_t major, minor;
	uint64_t flags;	 /* FUSE_ASK_INIT: both words of what the kernel offers */
};

/**
 * bsr_fuse_parse - decode what was read from the channel
 * @head: the first FUSE_HEAD_BYTES of it
 * @bytes: all that was read, payload included
 *
 * Returns 0, or -EPROTO when it cannot be a request at all (@ask untouched).
 */
int bsr_fuse_parse(struct fuse_ask *ask, const uint8_t *head, size_t bytes);

#endif
