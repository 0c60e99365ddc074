// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * nbd_parse.c - what NBD clients send, decoded and checked
 *
 * Owns: nothing.
 */
#include "nbd_proto.h"

#include <errno.h>

#include <bsr/types.h>

static uint16_t get16(const uint8_t *p)
{
	return bsr_be16_get((bsr_be16){{p[0], p[1]}});
}

static uint32_t get32(const uint8_t *p)
{
	bsr_be32 v;
	memcpy(v.b, p, sizeof(v));
	return bsr_be32_get(v);
}

static uint64_t get64(const uint8_t *p)
{
	bsr_be64 v;
	memcpy(v.b, p, sizeof(v));
	return bsr_be64_get(v);
}

int bsr_nbd_parse_request(struct nbd_request *request, const uint8_t *in)
{
	if (get32(in) != NBD_REQUEST_MAGIC) {
		return -EPROTO;
	}
	request->flags = get16(in + 4);
	request->type = get16(in + 6);
	request->cookie = get64(in + 8);
	request->offset = get64(in + 16);
	request->length = get32(in + 24);
	return 0;
}

void bsr_nbd_understand(struct nbd_meaning *meaning, const struct nbd_request *request)
{
	uint32_t allowed = NBD_CMDF_FUA; /* clients may set it on anything */
	meaning->error = 0;
	meaning->flags = (request->flags & NBD_CMDF_FUA) != 0 ? BSR_REQ_FUA : 0;
	switch (request->type) {
	case NBD_CMD_READ:
		allowed |= NBD_CMDF_DF; /* one reply, one piece: always so */
		meaning->op = BSR_OP_READ;
		meaning->flags = 0;
		break;
	case NBD_CMD_WRITE:
		meaning->op = BSR_OP_WRITE;
		break;
	case NBD_CMD_FLUSH:
		meaning->op = BSR_OP_FLUSH;
		meaning->flags = 0;
		break;
	case NBD_CMD_TRIM:
		meaning->op = BSR_OP_DISCARD;
		break;
	case NBD_CMD_WRITE_ZEROES:
		allowed |= NBD_CMDF_NO_HOLE;
		meaning->op = (request->flags & NBD_CMDF_NO_HOLE) != 0 ? BSR_OP_ZEROES : BSR_OP_DISCARD;
		break;
	default:
		meaning->error = EINVAL;
		return;
	}
	if ((request->flags & ~allowed) != 0) {
		meaning->error = EINVAL;
	}
}

void bsr_nbd_parse_name(struct nbd_choice *choice, const uint8_t *data, size_t bytes)
{
	*choice = (struct nbd_choice){0};
	if (bytes > BSR_NAME_BYTES_MAX || memchr(data, 0, bytes) != NULL) {
		choice->name_too_long = true;
		return;
	}
	memcpy(choice->name, data, bytes);
}

/* u32 length, name: the bytes that are used, 0 when there are not enough */
static size_t parse_counted_name(struct nbd_choice *choice, const uint8_t *data, size_t bytes)
{
	if (bytes < 4 || get32(data) > bytes - 4) {
		return 0;
	}
	const size_t name_bytes = get32(data);
	bsr_nbd_parse_name(choice, data + 4, name_bytes);
	return 4 + name_bytes;
}

int bsr_nbd_parse_choice(struct nbd_choice *choice, const uint8_t *data, size_t bytes)
{
	const size_t used = parse_counted_name(choice, data, bytes);
	if (used == 0 || bytes - used < 2) {
		return -EINVAL;
	}
	const uint8_t *item = data + used + 2;
	const size_t count = get16(data + used);
	if (bytes - used - 2 != count * 2) {
		return -EINVAL;
	}
	for (size_t i = 0; i < count; i++) {
		choice->wants_name |= get16(item + 2 * i) == NBD_INFO_NAME;
		choice->wants_block_size |= get16(item + 2 * i) == NBD_INFO_BLOCK_SIZE;
	}
	return 0;
}

int bsr_nbd_parse_meta(struct nbd_choice *choice, const uint8_t *data, size_t bytes)
{
	size_t used = parse_counted_name(choice, data, bytes);
	if (used == 0 || bytes - used < 4) {
		return -EINVAL;
	}
	uint32_t queries = get32(data + used);
	used += 4;
	while (queries-- > 0) {
		if (bytes - used < 4 || get32(data + used) > bytes - used - 4) {
			return -EINVAL;
		}
		used += 4 + get32(data + used);
	}
	return used == bytes ? 0 : -EINVAL;
}

uint32_t bsr_nbd_wire_errno(int positive_errno)
{
	switch (positive_errno) {
	case 0:
		return 0;
	case EPERM:
	case EROFS:
	case EACCES:
		return 1;
	case ENOMEM:
		return 12;
	case EINVAL:
		return 22;
	case ENOSPC:
		return 28;
	case EOVERFLOW:
		return 75;
	case EOPNOTSUPP:
		return 95;
	case ESHUTDOWN:
		return 108;
	default:
		return 5;
	}
}
