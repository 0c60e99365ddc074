// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * link_wire.c - bodies of HELLO, LINK_READY and LINK_REFUSED
 *
 * Owns:       their layouts. Challenges and proofs are plain bytes and need no codec.
 * Format:     docs/protocol.md, section 4
 */
#include <string.h>

#include <bsr/assert.h>
#include <bsr/bytes.h>

#include "link_wire.h"

struct hello_bytes {
	bsr_be32 version_min;
	bsr_be32 version_max;
	bsr_be64 features;
	bsr_be32 node_id;
	bsr_be32 wanted_node_id;
	uint8_t stream;
	uint8_t direction;
	uint8_t auth;
	uint8_t alg_bytes;
	bsr_be32 resource_bytes;
	bsr_be64 instance;
	bsr_be64 attempt;
	uint8_t cookie[BSR_LINK_COOKIE_BYTES];
};
BSR_STATIC_ASSERT(sizeof(struct hello_bytes) == 64, "wire layout is fixed");
BSR_STATIC_ASSERT(BSR_LINK_HELLO_BYTES_MAX <= BSR_LINK_BODY_BYTES_MAX, "the largest HELLO is a legal body");

bool bsr_link_name_ok(const char *name, size_t bytes_max)
{
	const size_t bytes = strnlen(name, bytes_max + 1);
	for (size_t i = 0; i < bytes; i++) {
		if (name[i] <= ' ' || name[i] > '~') {
			return false;
		}
	}
	return bytes >= 1 && bytes <= bytes_max;
}

uint32_t bsr_link_hello_encode(uint8_t *body, const struct bsr_link_hello *hello)
{
	const size_t alg_bytes = strlen(hello->alg);
	const size_t resource_bytes = strlen(hello->resource);
	BSR_ASSERT(alg_bytes <= BSR_LINK_ALG_BYTES_MAX);
	BSR_ASSERT(resource_bytes >= 1 && resource_bytes <= BSR_NAME_BYTES_MAX);
	struct hello_bytes b = {
		.version_min = bsr_be32_make(hello->version_min),
		.version_max = bsr_be32_make(hello->version_max),
		.features = bsr_be64_make(hello->features),
		.node_id = bsr_be32_make(hello->node_id),
		.wanted_node_id = bsr_be32_make(hello->wanted_node_id),
		.stream = hello->stream,
		.direction = hello->direction,
		.auth = alg_bytes > 0,
		.alg_bytes = (uint8_t)alg_bytes,
		.resource_bytes = bsr_be32_make((uint32_t)resource_bytes),
		.instance = bsr_be64_make(hello->instance),
		.attempt = bsr_be64_make(hello->attempt),
	};
	memcpy(b.cookie, hello->cookie, sizeof(b.cookie));
	memcpy(body, &b, sizeof(b));
	memcpy(body + sizeof(b), hello->alg, alg_bytes);
	memcpy(body + sizeof(b) + alg_bytes, hello->resource, resource_bytes);
	return (uint32_t)(sizeof(b) + alg_bytes + resource_bytes);
}

static bool hello_numbers_ok(const struct bsr_link_hello *h)
{
	return h->version_min >= 1 && h->version_max >= h->version_min && h->node_id < BSR_NODES_MAX &&
		h->wanted_node_id < BSR_NODES_MAX && h->node_id != h->wanted_node_id &&
		h->stream < BSR_STREAM_COUNT &&
		(h->direction == BSR_LINK_DIALER || h->direction == BSR_LINK_ACCEPTOR) && h->instance != 0 &&
		h->attempt != 0;
}

static bool take_name(char *name, size_t bytes_max, const uint8_t *at, size_t bytes)
{
	memcpy(name, at, bytes);
	name[bytes] = '\0';
	return strlen(name) == bytes && bsr_link_name_ok(name, bytes_max);
}

int bsr_link_hello_decode(struct bsr_link_hello *hello, const uint8_t *body, uint32_t bytes)
{
	struct hello_bytes b;
	if (bytes < sizeof(b)) {
		return -BSR_E_CORRUPT;
	}
	memcpy(&b, body, sizeof(b));
	const uint32_t resource_bytes = bsr_be32_get(b.resource_bytes);
	if (b.alg_bytes > BSR_LINK_ALG_BYTES_MAX || b.auth != (b.alg_bytes > 0) || resource_bytes < 1 ||
		resource_bytes > BSR_NAME_BYTES_MAX) {
		return -BSR_E_RANGE;
	}
	if (bytes != sizeof(b) + b.alg_bytes + resource_bytes) {
		return -BSR_E_CORRUPT;
	}
	struct bsr_link_hello h = {
		.version_min = bsr_be32_get(b.version_min),
		.version_max = bsr_be32_get(b.version_max),
		.features = bsr_be64_get(b.features),
		.node_id = bsr_be32_get(b.node_id),
		.wanted_node_id = bsr_be32_get(b.wanted_node_id),
		.stream = b.stream,
		.direction = b.direction,
		.instance = bsr_be64_get(b.instance),
		.attempt = bsr_be64_get(b.attempt),
	};
	memcpy(h.cookie, b.cookie, sizeof(h.cookie));
	const uint8_t *names = body + sizeof(b);
	if (!hello_numbers_ok(&h) ||
		(b.alg_bytes > 0 && !take_name(h.alg, BSR_LINK_ALG_BYTES_MAX, names, b.alg_bytes)) ||
		!take_name(h.resource, BSR_NAME_BYTES_MAX, names + b.alg_bytes, resource_bytes)) {
		return -BSR_E_RANGE;
	}
	*hello = h;
	return 0;
}

uint32_t bsr_link_ready_encode(uint8_t *body, uint64_t attempt)
{
	const bsr_be64 b = bsr_be64_make(attempt);
	memcpy(body, &b, sizeof(b));
	return sizeof(b);
}

int bsr_link_ready_decode(uint64_t *attempt, const uint8_t *body, uint32_t bytes)
{
	bsr_be64 b;
	if (bytes != sizeof(b)) {
		return -BSR_E_CORRUPT;
	}
	memcpy(&b, body, sizeof(b));
	*attempt = bsr_be64_get(b);
	return 0;
}

uint32_t bsr_link_refused_encode(uint8_t *body, enum bsr_link_refusal reason)
{
	const bsr_be32 b[2] = {bsr_be32_make((uint32_t)reason), bsr_be32_make(0)};
	memcpy(body, b, sizeof(b));
	return sizeof(b);
}

int bsr_link_refused_decode(enum bsr_link_refusal *reason, const uint8_t *body, uint32_t bytes)
{
	bsr_be32 b[2];
	if (bytes != sizeof(b)) {
		return -BSR_E_CORRUPT;
	}
	memcpy(b, body, sizeof(b));
	const uint32_t number = bsr_be32_get(b[0]);
	if (bsr_be32_get(b[1]) != 0) {
		return -BSR_E_CORRUPT;
	}
	if (number < BSR_REFUSE_VERSION || number > BSR_REFUSE_CROSSED) {
		return -BSR_E_RANGE;
	}
	*reason = (enum bsr_link_refusal)number;
	return 0;
}
