// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * nbd_test.c - what NBD clients send, decoded; and the server's limits against a made-up owner
 *
 * Whole conversations with real clients are in tests/e2e/test_devices.py.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "device_test_support.h"
#include "nbd_proto.h"

static void request_is_decoded(void **state)
{
	(void)state;
	uint8_t bytes[NBD_REQUEST_BYTES] = {0x25, 0x60, 0x95, 0x13, 0, 1, 0, 1, 1, 2, 3, 4, 5, 6, 7, 8,
		0, 0, 0, 1, 0, 0, 0x10, 0, 0, 0, 0x20, 0};
	struct nbd_request request;
	assert_int_equal(bsr_nbd_parse_request(&request, bytes), 0);
	assert_int_equal(request.flags, NBD_CMDF_FUA);
	assert_int_equal(request.type, NBD_CMD_WRITE);
	assert_int_equal(request.cookie, 0x0102030405060708ull);
	assert_int_equal(request.offset, 0x100001000ull);
	assert_int_equal(request.length, 0x2000);
	bytes[3] ^= 1;
	assert_int_equal(bsr_nbd_parse_request(&request, bytes), -EPROTO);
}

static void commands_mean_what_they_promise(void **state)
{
	(void)state;
	static const struct {
		uint16_t type, flags;
		int error;
		uint8_t op, req_flags;
	} cases[] = {
		{NBD_CMD_READ, 0, 0, BSR_OP_READ, 0},
		{NBD_CMD_READ, NBD_CMDF_DF | NBD_CMDF_FUA, 0, BSR_OP_READ, 0},
		{NBD_CMD_WRITE, NBD_CMDF_FUA, 0, BSR_OP_WRITE, BSR_REQ_FUA},
		{NBD_CMD_WRITE, NBD_CMDF_NO_HOLE, EINVAL, 0, 0},
		{NBD_CMD_FLUSH, 0, 0, BSR_OP_FLUSH, 0},
		{NBD_CMD_TRIM, NBD_CMDF_FUA, 0, BSR_OP_DISCARD, BSR_REQ_FUA},
		{NBD_CMD_WRITE_ZEROES, 0, 0, BSR_OP_DISCARD, 0},
		{NBD_CMD_WRITE_ZEROES, NBD_CMDF_NO_HOLE | NBD_CMDF_FUA, 0, BSR_OP_ZEROES, BSR_REQ_FUA},
		{NBD_CMD_WRITE_ZEROES, 16, EINVAL, 0, 0}, /* "fast" was not offered */
		{5, 0, EINVAL, 0, 0},
		{7, 0, EINVAL, 0, 0},
		{65535, 0, EINVAL, 0, 0},
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct nbd_meaning meaning = {0};
		const struct nbd_request request = {.type = cases[i].type, .flags = cases[i].flags};
		bsr_nbd_understand(&meaning, &request);
		assert_int_equal(meaning.error, cases[i].error);
		if (meaning.error == 0) {
			assert_int_equal(meaning.op, cases[i].op);
			assert_int_equal(meaning.flags, cases[i].req_flags);
		}
	}
}

static void lengths_in_options_have_to_add_up(void **state)
{
	(void)state;
	static const uint8_t good[] = {0, 0, 0, 2, 'r', '0', 0, 2, 0, 3, 0, 1};
	static const uint8_t meta[] = {0, 0, 0, 1, 'r', 0, 0, 0, 1, 0, 0, 0, 2, 'a', 'b'};
	uint8_t bytes[sizeof(meta) + 1];
	struct nbd_choice choice;
	assert_int_equal(bsr_nbd_parse_choice(&choice, good, sizeof(good)), 0);
	assert_string_equal(choice.name, "r0");
	assert_true(choice.wants_block_size && choice.wants_name);
	for (size_t n = 0; n < sizeof(good); n++) {
		assert_int_equal(bsr_nbd_parse_choice(&choice, good, n), -EINVAL);
	}
	assert_int_equal(bsr_nbd_parse_meta(&choice, meta, sizeof(meta)), 0);
	for (size_t n = 0; n < sizeof(meta); n++) {
		assert_int_equal(bsr_nbd_parse_meta(&choice, meta, n), -EINVAL);
	}
	memcpy(bytes, meta, sizeof(meta));
	assert_int_equal(bsr_nbd_parse_meta(&choice, bytes, sizeof(meta) + 1), -EINVAL);
	memset(bytes, 0xff, 4);
	assert_int_equal(bsr_nbd_parse_meta(&choice, bytes, sizeof(meta)), -EINVAL);
	assert_int_equal(bsr_nbd_parse_choice(&choice, bytes, sizeof(meta)), -EINVAL);
}

static void names_are_bounded(void **state)
{
	(void)state;
	uint8_t name[BSR_NAME_BYTES_MAX + 1];
	struct nbd_choice choice;
	memset(name, 'n', sizeof(name));
	bsr_nbd_parse_name(&choice, name, BSR_NAME_BYTES_MAX);
	assert_false(choice.name_too_long);
	assert_int_equal(strlen(choice.name), BSR_NAME_BYTES_MAX);
	bsr_nbd_parse_name(&choice, name, BSR_NAME_BYTES_MAX + 1);
	assert_true(choice.name_too_long);
	bsr_nbd_parse_name(&choice, (const uint8_t *)"a\0b", 3);
	assert_true(choice.name_too_long); /* or it would be taken for "a" */
}

static void exports_are_unique(void **state)
{
	(void)state;
	static struct fake f;
	fake_create(&f, 4u << 20);
	char name[BSR_NAME_BYTES_MAX + 2];
	memset(name, 'x', sizeof(name));
	name[sizeof(name) - 1] = '\0';
	assert_int_equal(bsr_nbd_export(f.devices, 0, "a", FAKE_BYTES), 0);
	assert_int_equal(bsr_nbd_export(f.devices, 1, "a", FAKE_BYTES), -EEXIST);
	assert_int_equal(bsr_nbd_export(f.devices, 0, "b", FAKE_BYTES), -EEXIST);
	assert_int_equal(bsr_nbd_export(f.devices, 1, "", FAKE_BYTES), -EINVAL);
	assert_int_equal(bsr_nbd_export(f.devices, 1, name, FAKE_BYTES), -EINVAL);
	assert_int_equal(bsr_nbd_export(f.devices, 1, "b", BSR_VOLUME_BYTES_MAX + 1), -EINVAL);
	assert_int_equal(bsr_nbd_export(f.devices, 1, "b", BSR_VOLUME_BYTES_MAX), 0);
	bsr_nbd_unexport(f.devices, 0);
	assert_int_equal(bsr_nbd_export(f.devices, 2, "a", FAKE_BYTES), 0);
	fake_destroy(&f);
}

static int connect_and_choose(struct fake *f)
{
	static const uint8_t hello[] = {0, 0, 0, 3, 'I', 'H', 'A', 'V', 'E', 'O', 'P', 'T', 0, 0, 0, 1, 0, 0, 0, 1, 'v'};
	struct sockaddr_un address;
	socklen_t bytes;
	uint8_t sink[64];
	assert_int_equal(bsr_nbd_export(f->devices, 0, "v", FAKE_BYTES), 0);
	fake_listen(f, &address, &bytes);
	const int fd = fake_connect(f, &address, bytes);
	assert_int_equal(send(fd, hello, sizeof(hello), 0), sizeof(hello));
	fake_turns(f, 3);
	assert_int_equal(recv(fd, sink, sizeof(sink), 0), 18 + 10);
	assert_int_equal(bsr_nbd_clients(f->devices, 0), 1);
	return fd;
}

static void send_read(int fd, uint64_t cookie)
{
	uint8_t bytes[NBD_REQUEST_BYTES];
	uint8_t *p = nbd_put16(nbd_put16(nbd_put32(bytes, NBD_REQUEST_MAGIC), 0), NBD_CMD_READ);
	(void)nbd_put32(nbd_put64(nbd_put64(p, cookie), cookie * 4096 % FAKE_BYTES), 4096);
	assert_int_equal(send(fd, bytes, sizeof(bytes), 0), sizeof(bytes));
}

static void one_connection_has_a_bounded_number_of_requests(void **state)
{
	(void)state;
	static struct fake f;
	static uint8_t sink[1 << 20];
	fake_create(&f, 64u << 20);
	const int fd = connect_and_choose(&f);
	f.hold = true;
	for (uint32_t i = 0; i < 400; i++) {
		send_read(fd, i);
		fake_turns(&f, i % 50 == 0 ? 5 : 0); /* the socket takes fewer than 300 */
	}
	fake_turns(&f, 20);
	assert_int_equal(f.seen_count, 256);
	size_t got = 0;
	for (uint32_t i = 0; i < f.seen_count; i++) { /* grows meanwhile */
		fake_answer(&f, &f.seen[i]);
		fake_turns(&f, 3);
		ssize_t bytes;
		while ((bytes = recv(fd, sink, sizeof(sink), 0)) > 0) {
			got += (size_t)bytes;
		}
	}
	assert_int_equal(f.seen_count, 400);
	assert_int_equal(got, 400 * (NBD_SIMPLE_REPLY_BYTES + 4096));
	close(fd);
	fake_destroy(&f);
}

static void client_that_does_not_read_its_replies_stops_only_itself(void **state)
{
	(void)state;
	static struct fake f;
	static uint8_t sink[1 << 20];
	fake_create(&f, 64u << 20);
	const int fd = connect_and_choose(&f);
	for (uint32_t i = 0; i < 500; i++) {
		send_read(fd, i);
		fake_turns(&f, 1);
	}
	assert_in_range(f.seen_count, 256, 400); /* what fits into the socket, and the limit */
	assert_in_range(bsr_pool_in_use(f.pool), 1, 256);
	size_t got = 0;
	for (int i = 0; i < 2000; i++) {
		const ssize_t bytes = recv(fd, sink, 20000, 0);
		got += bytes > 0 ? (size_t)bytes : 0;
		fake_turns(&f, 1);
	}
	assert_int_equal(f.seen_count, 500);
	assert_int_equal(got, 500 * (NBD_SIMPLE_REPLY_BYTES + 4096));
	close(fd);
	fake_destroy(&f);
}

static void unexport_ends_connections_with_requests_under_way(void **state)
{
	(void)state;
	static struct fake f;
	uint8_t sink[64];
	fake_create(&f, 8u << 20);
	const int fd = connect_and_choose(&f);
	f.hold = true;
	for (uint32_t i = 0; i < 10; i++) {
		send_read(fd, i);
	}
	fake_turns(&f, 3);
	assert_int_equal(bsr_devices_pending(f.devices, 0), 10);
	bsr_nbd_unexport(f.devices, 0);
	assert_int_equal(bsr_nbd_clients(f.devices, 0), 0);
	fake_turns(&f, 2);
	assert_int_equal(recv(fd, sink, sizeof(sink), 0), 0);
	for (uint32_t i = 0; i < 10; i++) {
		fake_answer(&f, &f.seen[i]);
	}
	assert_int_equal(bsr_devices_pending(f.devices, 0), 0);
	close(fd);
	fake_destroy(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(request_is_decoded),
		cmocka_unit_test(commands_mean_what_they_promise),
		cmocka_unit_test(lengths_in_options_have_to_add_up),
		cmocka_unit_test(names_are_bounded),
		cmocka_unit_test(exports_are_unique),
		cmocka_unit_test(one_connection_has_a_bounded_number_of_requests),
		cmocka_unit_test(client_that_does_not_read_its_replies_stops_only_itself),
		cmocka_unit_test(unexport_ends_connections_with_requests_under_way),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
