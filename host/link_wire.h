/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * link_wire.h - the messages that bring a link up (docs/protocol.md, section 4)
 *
 * Encoders write the body only and return its length; decoders return 0, -BSR_E_CORRUPT or
 * -BSR_E_RANGE and fill their result only when all is well.
 */
#ifndef BSR_HOST_LINK_WIRE_H
#define BSR_HOST_LINK_WIRE_H

#include <bsr/errors.h>
#include <bsr/types.h>

#define BSR_LINK_BODY_BYTES_MAX 512u /* of any message before LINK_READY */
#define BSR_LINK_COOKIE_BYTES 16u
#define BSR_LINK_CHALLENGE_BYTES 32u
#define BSR_LINK_PROOF_BYTES_MAX 64u
#define BSR_LINK_ALG_BYTES_MAX 63u
#define BSR_LINK_HELLO_BYTES_MAX (64u + BSR_LINK_ALG_BYTES_MAX + BSR_NAME_BYTES_MAX)

enum bsr_link_direction { BSR_LINK_DIALER = 1, BSR_LINK_ACCEPTOR = 2 };

enum bsr_link_refusal {
	BSR_REFUSE_VERSION = 1,
	BSR_REFUSE_RESOURCE = 2,
	BSR_REFUSE_NODE_ID = 3,
	BSR_REFUSE_UNKNOWN_PEER = 4,
	BSR_REFUSE_AUTH = 5,
	BSR_REFUSE_AUTH_CONFIG = 6,
	BSR_REFUSE_NOT_NOW = 7,
	BSR_REFUSE_CROSSED = 8,
};

struct bsr_link_hello {
	uint32_t version_min;
	uint32_t version_max;
	uint64_t features;
	uint32_t node_id; /* of the sender */
	uint32_t wanted_node_id;
	uint8_t stream;	   /* enum bsr_stream */
	uint8_t direction; /* enum bsr_link_direction */
	uint64_t instance; /* of the sender's process */
	uint64_t attempt;  /* the dialer's count */
	uint8_t cookie[BSR_LINK_COOKIE_BYTES];
	char alg[BSR_LINK_ALG_BYTES_MAX + 1]; /* "" = no authentication */
	char resource[BSR_NAME_BYTES_MAX + 1];
};

/** bsr_link_name_ok - 1..@bytes_max printable ASCII characters without spaces */
bool bsr_link_name_ok(const char *name, size_t bytes_max);

/** bsr_link_hello_encode - @body has BSR_LINK_HELLO_BYTES_MAX bytes */
uint32_t bsr_link_hello_encode(uint8_t *body, const struct bsr_link_hello *hello);
int bsr_link_hello_decode(struct bsr_link_hello *hello, const uint8_t *body, uint32_t bytes) BSR_MUST_CHECK;

/** bsr_link_ready_encode - @body has 8 bytes */
uint32_t bsr_link_ready_encode(uint8_t *body, uint64_t attempt);
int bsr_link_ready_decode(uint64_t *attempt, const uint8_t *body, uint32_t bytes) BSR_MUST_CHECK;

/** bsr_link_refused_encode - @body has 8 bytes */
uint32_t bsr_link_refused_encode(uint8_t *body, enum bsr_link_refusal reason);
int bsr_link_refused_decode(enum bsr_link_refusal *reason, const uint8_t *body, uint32_t bytes) BSR_MUST_CHECK;

#endif
