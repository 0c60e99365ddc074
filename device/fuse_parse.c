// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * fuse_parse.c - one request of the FUSE channel, checked
 *
 * Owns: nothing. What the requests mean for a block volume: docs/design/front-ends.md.
 */
#include "fuse_parse.h"

#include <errno.h>
#include <linux/falloc.h>
#include <linux/fuse.h>
#include <string.h>

#include <bsr/types.h>

BSR_STATIC_ASSERT(sizeof(struct fuse_in_header) + sizeof(struct fuse_write_in) == FUSE_HEAD_BYTES,
	"a write's data begins right behind the head");

static void refuse(struct fuse_ask *ask, int error)
{
	ask->kind = FUSE_ASK_REFUSE;
	ask->error = error;
}

static void parse_init(struct fuse_ask *ask, const uint8_t *body, size_t bytes)
{
	struct fuse_init_in in = {0};
	/* the words that matter, and more */
	const size_t in_head = FUSE_HEAD_BYTES - sizeof(struct fuse_in_header);
	memcpy(&in, body, bytes < in_head ? bytes : in_head);
	ask->kind = FUSE_ASK_INIT;
	ask->major = in.major;
	ask->minor = in.minor;
	ask->flags = in.flags;
	if ((in.flags & FUSE_INIT_EXT) != 0) {
		ask->flags |= (uint64_t)in.flags2 << 32;
	}
}

static void parse_setattr(struct fuse_ask *ask, const uint8_t *body)
{
	struct fuse_setattr_in in;
	/* size and what precedes it */
	memcpy(&in, body, FUSE_HEAD_BYTES - sizeof(struct fuse_in_header));
	ask->kind = FUSE_ASK_SETATTR;
	ask->size = (in.valid & FATTR_SIZE) != 0 ? in.size : UINT64_MAX;
}

static void parse_read(struct fuse_ask *ask, const uint8_t *body)
{
	struct fuse_read_in in;
	memcpy(&in, body, sizeof(in));
	ask->op = BSR_OP_READ;
	ask->offset = in.offset;
	ask->length = in.size;
}

static void parse_write(struct fuse_ask *ask, const uint8_t *body, size_t bytes)
{
	struct fuse_write_in in;
	memcpy(&in, body, sizeof(in));
	ask->op = BSR_OP_WRITE;
	ask->offset = in.offset;
	ask->length = in.size;
	if (in.size != bytes - sizeof(in)) {
		refuse(ask, EINVAL);
	}
}

/*
 * The kernel uses mode 3 for discards and for zeroes that may be unmapped alike, so it always has
 * to read back as zeroes: that is what BSR_OP_DISCARD promises.
 */
static void parse_fallocate(struct fuse_ask *ask, const uint8_t *body)
{
	struct fuse_fallocate_in in;
	memcpy(&in, body, sizeof(in));
	ask->offset = in.offset;
	ask->length = in.length;
	if (in.mode == (FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE)) {
		ask->op = BSR_OP_DISCARD;
	} else if (in.mode == (FALLOC_FL_ZERO_RANGE | FALLOC_FL_KEEP_SIZE)) {
		ask->op = BSR_OP_ZEROES;
	} else {
		refuse(ask, EOPNOTSUPP);
	}
}

/* Bytes behind the header without which the body cannot be decoded. */
static size_t body_bytes_min(uint32_t opcode)
{
	switch (opcode) {
	case FUSE_INIT:
		return 16;
	case FUSE_SETATTR:
		return sizeof(struct fuse_setattr_in);
	case FUSE_READ:
		return sizeof(struct fuse_read_in);
	case FUSE_WRITE:
		return sizeof(struct fuse_write_in);
	case FUSE_FALLOCATE:
		return sizeof(struct fuse_fallocate_in);
	default:
		return 0;
	}
}

static void parse_body(struct fuse_ask *ask, const uint8_t *body, size_t bytes)
{
	switch (ask->opcode) {
	case FUSE_INIT:
		parse_init(ask, body, bytes);
		break;
	case FUSE_READ:
		parse_read(ask, body);
		break;
	case FUSE_WRITE:
		parse_write(ask, body, bytes);
		break;
	case FUSE_FSYNC:
		ask->op = BSR_OP_FLUSH;
		break;
	case FUSE_FALLOCATE:
		parse_fallocate(ask, body);
		break;
	case FUSE_GETATTR:
		ask->kind = FUSE_ASK_GETATTR;
		break;
	case FUSE_SETATTR:
		parse_setattr(ask, body);
		break;
	case FUSE_OPEN:
		ask->kind = FUSE_ASK_OPEN;
		break;
	case FUSE_STATFS:
		ask->kind = FUSE_ASK_STATFS;
		break;
	case FUSE_RELEASE:
	case FUSE_DESTROY:
		ask->kind = FUSE_ASK_OK;
		break;
	case FUSE_FORGET:
	case FUSE_BATCH_FORGET:
		ask->kind = FUSE_ASK_NOTHING;
		break;
	default:
		/* GETXATTR, INTERRUPT and all the rest: the kernel does not ask again */
		refuse(ask, ENOSYS);
		break;
	}
}

int bsr_fuse_parse(struct fuse_ask *ask, const uint8_t *head, size_t bytes)
{
	struct fuse_in_header in;
	if (bytes < sizeof(in)) {
		return -EPROTO;
	}
	memcpy(&in, head, sizeof(in));
	if (in.len != bytes || bytes - sizeof(in) < body_bytes_min(in.opcode)) {
		return -EPROTO;
	}
	*ask = (struct fuse_ask){.kind = FUSE_ASK_IO, .opcode = in.opcode, .unique = in.unique};
	parse_body(ask, head + sizeof(in), bytes - sizeof(in));
	return 0;
}
