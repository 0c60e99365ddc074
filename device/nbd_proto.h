/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * nbd_proto.h - numbers of the NBD protocol (fixed newstyle), and its requests decoded; pure, so
 * that it can be fuzzed
 *
 * Source: the protocol's public specification; docs/design/front-ends.md says which part is served.
 */
#ifndef BSR_NBD_PROTO_H
#define BSR_NBD_PROTO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <bsr/bytes.h>
#include <bsr/limits.h>

#define NBD_GREETING_MAGIC 0x4e42444d41474943ull /* NBDMAGIC */
#define NBD_OPTION_MAGIC 0x49484156454f5054ull	 /* IHAVEOPT */
#define NBD_OPTION_REPLY_MAGIC 0x0003e889045565a9ull
#define NBD_REQUEST_MAGIC 0x25609513u
#define NBD_SIMPLE_REPLY_MAGIC 0x67446698u
#define NBD_CHUNK_MAGIC 0x668e33efu

#define NBD_FLAG_FIXED_NEWSTYLE 1u
#define NBD_FLAG_NO_ZEROES 2u

enum nbd_option {
	NBD_OPT_EXPORT_NAME = 1,
	NBD_OPT_ABORT = 2,
	NBD_OPT_LIST = 3,
	NBD_OPT_INFO = 6,
	NBD_OPT_GO = 7,
	NBD_OPT_STRUCTURED_REPLY = 8,
	NBD_OPT_LIST_META_CONTEXT = 9,
	NBD_OPT_SET_META_CONTEXT = 10,
};

#define NBD_REP_ACK 1u
#define NBD_REP_SERVER 2u
#define NBD_REP_INFO 3u
#define NBD_REP_ERR_UNSUP 0x80000001u
#define NBD_REP_ERR_INVALID 0x80000003u
#define NBD_REP_ERR_UNKNOWN 0x80000006u

#define NBD_INFO_EXPORT 0u
#define NBD_INFO_NAME 1u
#define NBD_INFO_DESCRIPTION 2u
#define NBD_INFO_BLOCK_SIZE 3u

#define NBD_EXPORT_HAS_FLAGS 1u
#define NBD_EXPORT_FLUSH 4u
#define NBD_EXPORT_FUA 8u
#define NBD_EXPORT_TRIM 32u
#define NBD_EXPORT_WRITE_ZEROES 64u
#define NBD_EXPORT_DF 128u
#define NBD_EXPORT_CAN_MULTI_CONN 256u

enum nbd_command {
	NBD_CMD_READ = 0,
	NBD_CMD_WRITE = 1,
	NBD_CMD_DISC = 2,
	NBD_CMD_FLUSH = 3,
	NBD_CMD_TRIM = 4,
	NBD_CMD_WRITE_ZEROES = 6,
};

#define NBD_CMDF_FUA 1u
#define NBD_CMDF_NO_HOLE 2u
#define NBD_CMDF_DF 4u

#define NBD_CHUNK_DONE 1u
#define NBD_CHUNK_OFFSET_DATA 1u
#define NBD_CHUNK_ERROR 32769u

#define NBD_OPTION_HEAD_BYTES 16u
#define NBD_REQUEST_BYTES 28u
#define NBD_SIMPLE_REPLY_BYTES 16u
#define NBD_CHUNK_HEAD_BYTES 20u
#define NBD_READ_CHUNK_HEAD_BYTES 28u  /* chunk head and the data's offset */
#define NBD_ERROR_CHUNK_BYTES 26u      /* chunk head, errno, empty text */
#define NBD_REPLY_HEAD_BYTES_MAX 28u

#define NBD_OPTION_BYTES_MAX 8192u     /* data of one option; a name has at most 4096 */
/* payload of a refused write that is read and thrown away */
#define NBD_IGNORED_BYTES_MAX (32u << 20)

struct nbd_request {
	uint16_t flags;
	uint16_t type;
	uint64_t cookie;
	uint64_t offset;
	uint32_t length;
};

/** bsr_nbd_parse_request - NBD_REQUEST_BYTES at @in; -EPROTO without the magic number */
int bsr_nbd_parse_request(struct nbd_request *request, const uint8_t *in);

/** What a request asks of a volume. */
struct nbd_meaning {
	int error;     /* positive errno: refuse, and nothing else is set */
	uint8_t op;    /* enum bsr_op */
	uint8_t flags; /* BSR_REQ_* */
};

/**
 * bsr_nbd_understand - command and its flags, without looking at the range
 * @meaning: error 0, EINVAL; NBD_CMD_DISC is not for this function
 */
void bsr_nbd_understand(struct nbd_meaning *meaning, const struct nbd_request *request);

/**
 * Data of INFO and GO, or of LIST_META_CONTEXT and SET_META_CONTEXT as far as the export's name.
 */
struct nbd_choice {
	char name[BSR_NAME_BYTES_MAX + 1]; /* "" when empty or longer than any of ours */
	bool name_too_long;
	bool wants_name, wants_block_size;
};

/** bsr_nbd_parse_choice - data of INFO or GO; -EINVAL when its lengths do not add up */
int bsr_nbd_parse_choice(struct nbd_choice *choice, const uint8_t *data, size_t bytes);
/**
 * bsr_nbd_parse_meta - data of LIST_META_CONTEXT or SET_META_CONTEXT; -EINVAL when its lengths do
 * not add up
 */
int bsr_nbd_parse_meta(struct nbd_choice *choice, const uint8_t *data, size_t bytes);
/** bsr_nbd_parse_name - data of EXPORT_NAME */
void bsr_nbd_parse_name(struct nbd_choice *choice, const uint8_t *data, size_t bytes);

/** bsr_nbd_wire_errno - one of the numbers that the protocol knows */
uint32_t bsr_nbd_wire_errno(int positive_errno);

static inline uint8_t *nbd_put16(uint8_t *p, uint32_t v)
{
	const bsr_be16 big = bsr_be16_make((uint16_t)v);
	memcpy(p, big.b, sizeof(big));
	return p + sizeof(big);
}

static inline uint8_t *nbd_put32(uint8_t *p, uint32_t v)
{
	const bsr_be32 big = bsr_be32_make(v);
	memcpy(p, big.b, sizeof(big));
	return p + sizeof(big);
}

static inline uint8_t *nbd_put64(uint8_t *p, uint64_t v)
{
	const bsr_be64 big = bsr_be64_make(v);
	memcpy(p, big.b, sizeof(big));
	return p + sizeof(big);
}

#endif
