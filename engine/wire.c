// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * wire.c - frame header of the native protocol, and what is known of each message type
 *
 * Owns:       layout and checksums of the 40 header bytes; the table of types.
 * Invariants:
 *   WIRE-1  A header is believed only after its checksum: a flipped bit never becomes a length.
 *   WIRE-2  A type travels on one stream only (confirmations: on both; RESYNC_REQUEST and STATE: on either).
 * Format:     docs/protocol.md, sections 2 and 5
 */
#include <bsr/assert.h>
#include <bsr/crc32c.h>
#include <bsr/wire.h>

#include "wire_bytes.h"

enum {
	AT_MAGIC = 0,
	AT_VERSION = 4,
	AT_ZERO8 = 5,
	AT_TYPE = 6,
	AT_BODY_BYTES = 8,
	AT_PAYLOAD_BYTES = 12,
	AT_SEQUENCE = 16,
	AT_CONTENT_CRC = 24,
	AT_ZERO64 = 28,
	AT_HEADER_CRC = 36,
};
BSR_STATIC_ASSERT(AT_HEADER_CRC + 4 == BSR_WIRE_HEADER_BYTES, "header layout is fixed");

#define STREAM_BOTH (-1)

struct type_info {
	const char *word; /* NULL: not known */
	int8_t stream;
	uint8_t streams; /* mask of those that it may travel on; 0: not known */
};

static const struct type_info types[] = {
#define TYPE(name, stream)                                                                         \
	[BSR_MSG_##name] = {#name, stream, (stream) == STREAM_BOTH ? 3u : 1u << ((stream) & 1)},
	TYPE(HELLO, STREAM_BOTH)
	TYPE(AUTH_CHALLENGE, STREAM_BOTH)
	TYPE(AUTH_RESPONSE, STREAM_BOTH)
	TYPE(LINK_READY, STREAM_BOTH)
	TYPE(LINK_REFUSED, STREAM_BOTH)
	TYPE(HS_CONFIRM, STREAM_BOTH)
	TYPE(PING, BSR_STREAM_CONTROL)
	TYPE(PONG, BSR_STREAM_CONTROL)
	TYPE(HS_RESOURCE, BSR_STREAM_CONTROL)
	TYPE(HS_VOLUME, BSR_STREAM_CONTROL)
	TYPE(STATE, STREAM_BOTH)
	TYPE(GI, BSR_STREAM_CONTROL)
	TYPE(TWOPC, BSR_STREAM_CONTROL)
	TYPE(ACKS, BSR_STREAM_CONTROL)
	TYPE(CHECKPOINT_ACK, BSR_STREAM_CONTROL)
	TYPE(READ_REQUEST, BSR_STREAM_DATA)
	TYPE(RESYNC_REQUEST, STREAM_BOTH)
	TYPE(RESYNC_ACK, BSR_STREAM_CONTROL)
	TYPE(RESYNC_DONE, BSR_STREAM_CONTROL)
	TYPE(TEAR_DOWN, BSR_STREAM_CONTROL)
	TYPE(VERIFY_REQUEST, BSR_STREAM_DATA)
	TYPE(VERIFY_RESULT, BSR_STREAM_CONTROL)
	TYPE(HS_MESH, BSR_STREAM_CONTROL)
	TYPE(MESH, BSR_STREAM_CONTROL)
	TYPE(VOLUME_OFFER, BSR_STREAM_CONTROL)
	TYPE(VOLUME_CONFIRM, STREAM_BOTH)
	TYPE(VERIFY, BSR_STREAM_CONTROL)
	TYPE(WRITE, BSR_STREAM_DATA)
	TYPE(CHECKPOINT, BSR_STREAM_DATA)
	TYPE(OUT_OF_SYNC, BSR_STREAM_DATA)
	TYPE(RESYNC_DATA, BSR_STREAM_DATA)
	TYPE(READ_REPLY, BSR_STREAM_DATA)
	TYPE(BITMAP, BSR_STREAM_DATA)
	TYPE(BITMAP_END, BSR_STREAM_DATA)
	TYPE(VERIFY_REPLY, BSR_STREAM_DATA)
#undef TYPE
};

bool bsr_msg_known(uint16_t type)
{
	return type < sizeof(types) / sizeof(types[0]) && types[type].word != NULL;
}

bool bsr_msg_fits_stream(uint16_t type, uint8_t stream)
{
	BSR_ASSERT(stream < BSR_STREAM_COUNT);
	return type < sizeof(types) / sizeof(types[0]) && (types[type].streams >> stream & 1) != 0;
}

int bsr_msg_stream(uint16_t type)
{
	return bsr_msg_known(type) ? types[type].stream : STREAM_BOTH;
}

const char *bsr_msg_word(uint16_t type)
{
	return bsr_msg_known(type) ? types[type].word : "?";
}

void bsr_wire_header_encode(uint8_t *out, const struct bsr_wire_header *h)
{
	BSR_ASSERT(h->body_bytes <= BSR_WIRE_BODY_BYTES_MAX);
	BSR_ASSERT(h->payload_bytes <= BSR_REQUEST_BYTES_MAX);
	bsr_wire_put32(out + AT_MAGIC, BSR_WIRE_MAGIC);
	out[AT_VERSION] = h->version;
	out[AT_ZERO8] = 0;
	bsr_wire_put16(out + AT_TYPE, h->type);
	bsr_wire_put32(out + AT_BODY_BYTES, h->body_bytes);
	bsr_wire_put32(out + AT_PAYLOAD_BYTES, h->payload_bytes);
	bsr_wire_put64(out + AT_SEQUENCE, 0);
	bsr_wire_put64(out + AT_CONTENT_CRC, 0);
	bsr_wire_put64(out + AT_ZERO64 + 4, 0);
}

void bsr_wire_seal_with(
	uint8_t *header, uint64_t sequence, uint32_t content_crc, bsr_crc32c_fn *crc)
{
	BSR_ASSERT(sequence != 0);
	bsr_wire_put64(header + AT_SEQUENCE, sequence);
	bsr_wire_put32(header + AT_CONTENT_CRC, content_crc);
	bsr_wire_put32(header + AT_HEADER_CRC, ~crc(~0u, header, AT_HEADER_CRC));
}

void bsr_wire_seal(uint8_t *header, uint64_t sequence, uint32_t content_crc)
{
	bsr_wire_seal_with(header, sequence, content_crc, bsr_crc32c);
}

int bsr_wire_header_decode_with(struct bsr_wire_header *h, const uint8_t *in, bsr_crc32c_fn *crc)
{
	if (bsr_wire_get32(in + AT_MAGIC) != BSR_WIRE_MAGIC) {
		return -BSR_E_NOT_OURS;
	}
	if (bsr_wire_get32(in + AT_HEADER_CRC) != ~crc(~0u, in, AT_HEADER_CRC)) {
		return -BSR_E_CORRUPT;
	}
	const uint32_t body_bytes = bsr_wire_get32(in + AT_BODY_BYTES);
	const uint32_t payload_bytes = bsr_wire_get32(in + AT_PAYLOAD_BYTES);
	const uint8_t version = in[AT_VERSION];
	if (version < BSR_WIRE_VERSION_MIN || version > BSR_WIRE_VERSION_MAX) {
		return -BSR_E_VERSION;
	}
	if (body_bytes > BSR_WIRE_BODY_BYTES_MAX || payload_bytes > BSR_REQUEST_BYTES_MAX) {
		return -BSR_E_RANGE;
	}
	if (in[AT_ZERO8] != 0 || bsr_wire_get64(in + AT_ZERO64) != 0) {
		return -BSR_E_CORRUPT;
	}
	h->version = version;
	h->type = bsr_wire_get16(in + AT_TYPE);
	h->body_bytes = body_bytes;
	h->payload_bytes = payload_bytes;
	h->sequence = bsr_wire_get64(in + AT_SEQUENCE);
	h->content_crc = bsr_wire_get32(in + AT_CONTENT_CRC);
	return 0;
}

int bsr_wire_header_decode(struct bsr_wire_header *h, const uint8_t *in)
{
	return bsr_wire_header_decode_with(h, in, bsr_crc32c);
}
