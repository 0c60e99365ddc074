// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * link_wire_test.c - messages that bring a link up, and proofs
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "link_auth.h"
#include "link_wire.h"

static const struct bsr_link_hello good = {
	.version_min = 1,
	.version_max = 3,
	.features = 0x8000000000000001ull,
	.node_id = 4,
	.wanted_node_id = 31,
	.stream = 1,
	.direction = BSR_LINK_ACCEPTOR,
	.instance = 0x1122334455667788ull,
	.attempt = 9,
	.cookie = "0123456789abcde",
	.alg = "sha256",
	.resource = "r0",
};

static uint8_t body[BSR_LINK_HELLO_BYTES_MAX];

static int decode_changed(size_t at, uint8_t value)
{
	struct bsr_link_hello got;
	const uint32_t bytes = bsr_link_hello_encode(body, &good);
	body[at] = value;
	return bsr_link_hello_decode(&got, body, bytes);
}

static void hello_survives_the_way(void **state)
{
	(void)state;
	struct bsr_link_hello got;
	struct bsr_link_hello longest = good;
	memset(longest.alg, 'a', BSR_LINK_ALG_BYTES_MAX);
	memset(longest.resource, 'r', BSR_NAME_BYTES_MAX);
	const struct bsr_link_hello *cases[] = {&good, &longest};
	for (size_t i = 0; i < 2; i++) {
		const uint32_t bytes = bsr_link_hello_encode(body, cases[i]);
		assert_int_equal(bsr_link_hello_decode(&got, body, bytes), 0);
		assert_string_equal(got.alg, cases[i]->alg);
		assert_string_equal(got.resource, cases[i]->resource);
		assert_int_equal(got.version_max, 3);
		assert_true(got.features == good.features && got.instance == good.instance && got.attempt == 9);
		assert_int_equal(got.node_id, 4);
		assert_int_equal(got.wanted_node_id, 31);
		assert_int_equal(got.stream, 1);
		assert_int_equal(got.direction, BSR_LINK_ACCEPTOR);
		assert_memory_equal(got.cookie, good.cookie, sizeof(got.cookie));
		for (uint32_t length = 0; length < bytes; length++) {
			uint8_t *copy = malloc(length + 1);
			assert_non_null(copy);
			memcpy(copy, body, length);
			assert_int_not_equal(bsr_link_hello_decode(&got, copy, length), 0);
			free(copy);
		}
	}
}

static void hello_outside_of_the_limits_is_refused(void **state)
{
	(void)state;
	assert_int_equal(decode_changed(24, 1), 0);
	assert_int_not_equal(decode_changed(3, 0), 0);	  /* version 0 */
	assert_int_not_equal(decode_changed(3, 4), 0);	  /* lowest above highest */
	assert_int_not_equal(decode_changed(19, 32), 0);  /* node id */
	assert_int_not_equal(decode_changed(19, 31), 0);  /* talks to itself */
	assert_int_not_equal(decode_changed(23, 32), 0);  /* wanted node id */
	assert_int_not_equal(decode_changed(24, 2), 0);	  /* stream */
	assert_int_not_equal(decode_changed(25, 0), 0);	  /* direction */
	assert_int_not_equal(decode_changed(25, 3), 0);
	assert_int_not_equal(decode_changed(26, 0), 0);	  /* a name without authentication */
	assert_int_not_equal(decode_changed(26, 2), 0);
	assert_int_not_equal(decode_changed(27, 64), 0);  /* too long a name */
	assert_int_not_equal(decode_changed(27, 5), 0);	  /* lengths do not add up */
	assert_int_not_equal(decode_changed(31, 0), 0);	  /* no resource */
	assert_int_not_equal(decode_changed(30, 1), 0);
	assert_int_not_equal(decode_changed(64, '\0'), 0); /* what a name may not hold */
	assert_int_not_equal(decode_changed(64, '\n'), 0);
	assert_int_not_equal(decode_changed(70, 0x9b), 0);
}

static void small_messages_survive_the_way(void **state)
{
	(void)state;
	uint64_t attempt;
	enum bsr_link_refusal reason;
	assert_int_equal(bsr_link_ready_encode(body, 77), 8);
	assert_int_equal(bsr_link_ready_decode(&attempt, body, 8), 0);
	assert_int_equal(attempt, 77);
	assert_int_not_equal(bsr_link_ready_decode(&attempt, body, 7), 0);
	assert_int_not_equal(bsr_link_ready_decode(&attempt, body, 9), 0);
	for (uint32_t r = 0; r < 10; r++) {
		assert_int_equal(bsr_link_refused_encode(body, (enum bsr_link_refusal)r), 8);
		const int result = bsr_link_refused_decode(&reason, body, 8);
		assert_int_equal(result == 0, r >= 1 && r <= 8);
	}
	bsr_link_refused_encode(body, BSR_REFUSE_AUTH);
	body[7] = 1;
	assert_int_not_equal(bsr_link_refused_decode(&reason, body, 8), 0);
}

/* ------------------------------------------------------------------ proofs */

struct said {
	struct bsr_link_transcript t;
	uint8_t bytes[4][80];
};

static void say(struct said *s)
{
	for (size_t i = 0; i < 4; i++) {
		memset(s->bytes[i], (int)i + 1, sizeof(s->bytes[i]));
	}
	s->t = (struct bsr_link_transcript){
		.hello = {s->bytes[0], s->bytes[1]},
		.hello_bytes = {70, 80},
		.challenge = {s->bytes[2], s->bytes[3]},
	};
}

static void a_proof_covers_everything(void **state)
{
	(void)state;
	struct bsr_link_auth *auth = bsr_link_auth_create();
	assert_non_null(auth);
	struct said s;
	uint8_t first[64], other[64];
	say(&s);
	const struct bsr_link_key key = {"sha256", "secret"};
	const struct bsr_link_key wrong = {"sha256", "secres"};
	assert_int_equal(bsr_link_auth_prove(auth, &key, BSR_LINK_DIALER, &s.t, first), 32);
	assert_int_equal(bsr_link_auth_prove(auth, &key, BSR_LINK_DIALER, &s.t, other), 32);
	assert_true(bsr_link_auth_equal(first, 32, other, 32));
	assert_false(bsr_link_auth_equal(first, 32, other, 31));
	assert_false(bsr_link_auth_equal(first, 0, other, 0)); /* a failed digest proves nothing */
	/* reflection: the acceptor's proof of the same conversation is another one */
	assert_int_equal(bsr_link_auth_prove(auth, &key, BSR_LINK_ACCEPTOR, &s.t, other), 32);
	assert_false(bsr_link_auth_equal(first, 32, other, 32));
	assert_int_equal(bsr_link_auth_prove(auth, &wrong, BSR_LINK_DIALER, &s.t, other), 32);
	assert_false(bsr_link_auth_equal(first, 32, other, 32));
	static const size_t said_bytes[] = {70, 80, 32, 32};
	for (size_t i = 0; i < 4; i++) {
		for (size_t at = 0; at < said_bytes[i]; at++) {
			s.bytes[i][at] ^= 1;
			assert_int_equal(bsr_link_auth_prove(auth, &key, BSR_LINK_DIALER, &s.t, other), 32);
			assert_false(bsr_link_auth_equal(first, 32, other, 32));
			s.bytes[i][at] ^= 1;
		}
	}
	bsr_link_auth_destroy(auth);
}

/*
 * Computed by Python's hmac module from docs/protocol.md:
 * p = lambda b: struct.pack(">I", len(b)) + b; hmac.new(b"secret", b"bsr link 1" + bytes([1]) +
 * p(b"\x01" * 70) + p(b"\x02" * 80) + p(b"\x03" * 32) + p(b"\x04" * 32), hashlib.sha256)
 */
static void a_proof_is_the_one_of_the_specification(void **state)
{
	(void)state;
	static const char expected[] = "9b0ce9d3580889efaaa84d255b1bdbec11349b6ea3c0a15c212405c6cba7c229";
	struct bsr_link_auth *auth = bsr_link_auth_create();
	struct said s;
	uint8_t proof[64];
	char hex[65];
	say(&s);
	const struct bsr_link_key key = {"sha256", "secret"};
	assert_int_equal(bsr_link_auth_prove(auth, &key, BSR_LINK_DIALER, &s.t, proof), 32);
	for (size_t i = 0; i < 32; i++) {
		snprintf(hex + 2 * i, 3, "%02x", proof[i]);
	}
	assert_string_equal(hex, expected);
	bsr_link_auth_destroy(auth);
}

static void algorithms_are_those_openssl_knows(void **state)
{
	(void)state;
	struct bsr_link_auth *auth = bsr_link_auth_create();
	assert_true(bsr_link_auth_alg_ok(auth, "sha256"));
	assert_true(bsr_link_auth_alg_ok(auth, "sha1"));
	assert_true(bsr_link_auth_alg_ok(auth, "sha512"));
	assert_true(bsr_link_auth_alg_ok(auth, "SHA3-256"));
	assert_false(bsr_link_auth_alg_ok(auth, "rot13"));
	bsr_link_auth_destroy(auth);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(hello_survives_the_way),
		cmocka_unit_test(hello_outside_of_the_limits_is_refused),
		cmocka_unit_test(small_messages_survive_the_way),
		cmocka_unit_test(a_proof_covers_everything),
		cmocka_unit_test(a_proof_is_the_one_of_the_specification),
		cmocka_unit_test(algorithms_are_those_openssl_knows),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
