// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * fuse_test.c - the FUSE server against a made-up kernel: what it answers, splits, refuses and
 * holds back
 */
#include <errno.h>
#include <linux/falloc.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <linux/fuse.h>

#include <cmocka.h>

#include "device_test_support.h"
#include "fuse_parse.h"

#define RESENT (1ull << 63)

static uint8_t packet[sizeof(struct fuse_in_header) + sizeof(struct fuse_write_in) + BSR_REQUEST_BYTES_MAX];
static uint8_t answer[sizeof(struct fuse_out_header) + BSR_REQUEST_BYTES_MAX];

static void send_raw(int fd, size_t bytes)
{
	assert_int_equal(send(fd, packet, bytes, 0), bytes);
}

static void send_request(int fd, uint32_t opcode, uint64_t unique, const void *body, size_t bytes)
{
	const struct fuse_in_header in = {.len = (uint32_t)(sizeof(in) + bytes), .opcode = opcode, .unique = unique};
	memcpy(packet, &in, sizeof(in));
	if (bytes > 0) {
		memcpy(packet + sizeof(in), body, bytes);
	}
	send_raw(fd, in.len);
}

static void send_write(int fd, uint64_t unique, uint64_t offset, const uint8_t *data, uint32_t bytes)
{
	const struct fuse_in_header in = {
		.len = (uint32_t)(sizeof(in) + sizeof(struct fuse_write_in)) + bytes, .opcode = FUSE_WRITE, .unique = unique};
	const struct fuse_write_in write_in = {.offset = offset, .size = bytes};
	memcpy(packet, &in, sizeof(in));
	memcpy(packet + sizeof(in), &write_in, sizeof(write_in));
	memcpy(packet + FUSE_HEAD_BYTES, data, bytes);
	send_raw(fd, in.len);
}

static void send_read(int fd, uint64_t unique, uint64_t offset, uint32_t bytes)
{
	const struct fuse_read_in in = {.offset = offset, .size = bytes};
	send_request(fd, FUSE_READ, unique, &in, sizeof(in));
}

static void send_fallocate(int fd, uint64_t unique, uint32_t mode, uint64_t offset, uint64_t bytes)
{
	const struct fuse_fallocate_in in = {.offset = offset, .length = bytes, .mode = mode};
	send_request(fd, FUSE_FALLOCATE, unique, &in, sizeof(in));
}

/* The next answer's error; its body is behind the header in answer[]. 1: there is none. */
static int take_answer(struct fake *f, int fd, uint64_t unique, size_t body_bytes)
{
	fake_turns(f, 3);
	const ssize_t bytes = recv(fd, answer, sizeof(answer), 0);
	if (bytes < 0) {
		assert_int_equal(errno, EAGAIN);
		return 1;
	}
	struct fuse_out_header out;
	assert_true(bytes >= (ssize_t)sizeof(out));
	memcpy(&out, answer, sizeof(out));
	assert_int_equal(out.len, bytes);
	assert_int_equal(out.unique, unique);
	assert_int_equal(out.len - sizeof(out), body_bytes);
	return out.error;
}

static int set_up(void **state)
{
	struct fake *f = malloc(sizeof(*f));
	fake_create(f, 8u << 20);
	*state = f;
	return 0;
}

static int tear_down(void **state)
{
	struct fake *f = *state;
	fake_destroy(f);
	free(f);
	return 0;
}

static void init_takes_what_is_offered_and_wanted(void **state)
{
	struct fake *f = *state;
	const int fd = fake_fuse(f, FAKE_BYTES);
	struct fuse_init_in in = {.major = 7, .minor = 45, .flags = 0x73fffffb, .flags2 = 0x5fd};
	struct fuse_init_out out;
	send_request(fd, FUSE_INIT, 2, &in, sizeof(in));
	assert_int_equal(take_answer(f, fd, 2, sizeof(out)), 0);
	memcpy(&out, answer + sizeof(struct fuse_out_header), sizeof(out));
	assert_int_equal(out.major, 7);
	assert_int_equal(out.minor, 38);
	assert_int_equal(out.max_write, 1 << 20);
	assert_int_equal(out.max_pages, 256);
	assert_int_equal(out.max_background, 256);
	assert_int_equal(out.flags & ~in.flags, 0);
	assert_true((out.flags & FUSE_ASYNC_DIO) != 0);
	assert_int_equal(out.flags & FUSE_WRITEBACK_CACHE, 0);
	assert_int_equal(f->report_count, 0);
	close(fd);
}

static void old_kernels_are_named(void **state)
{
	struct fake *f = *state;
	const int fd = fake_fuse(f, FAKE_BYTES);
	struct fuse_init_in in = {.major = 7, .minor = 39, .flags = 0x73fffffb, .flags2 = 0x7d};
	send_request(fd, FUSE_INIT, 2, &in, sizeof(in));
	assert_int_equal(take_answer(f, fd, 2, sizeof(struct fuse_init_out)), 0);
	assert_non_null(strstr(f->report, "before 6.9"));
	in.minor = 30;
	send_request(fd, FUSE_INIT, 4, &in, sizeof(in));
	assert_int_equal(take_answer(f, fd, 4, 0), -EPROTO);
	assert_non_null(strstr(f->report, "too old"));
	close(fd);
}

static void data_of_every_size_arrives_whole(void **state)
{
	struct fake *f = *state;
	static const uint32_t sizes[] = {512, 4096, 4608, 8192, 65024, 65536, 66048, 131072, 1048064, 1048576};
	static uint8_t data[BSR_REQUEST_BYTES_MAX + 16];
	const int fd = fake_fuse(f, FAKE_BYTES);
	for (uint32_t i = 0; i < sizeof(data); i++) {
		data[i] = (uint8_t)(i * 7 + i / 4096 + i / 65536 * 3);
	}
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		const uint64_t offset = 512 * (i + 1);
		const struct bsr_ev_request *seen = &f->seen[2 * i];
		send_write(fd, 2 + 4 * i, offset, data + i, sizes[i]);
		assert_int_equal(take_answer(f, fd, 2 + 4 * i, sizeof(struct fuse_write_out)), 0);
		assert_memory_equal(f->volume + offset, data + i, sizes[i]);
		assert_int_equal(seen->op, BSR_OP_WRITE);
		/* sent again: the answer echoes the mark */
		send_read(fd, (4 + 4 * i) | RESENT, offset, sizes[i]);
		assert_int_equal(take_answer(f, fd, (4 + 4 * i) | RESENT, sizes[i]), 0);
		assert_memory_equal(answer + sizeof(struct fuse_out_header), data + i, sizes[i]);
	}
	assert_int_equal(bsr_devices_pending(f->devices, 0), 0);
	close(fd);
}

static void small_write_takes_a_small_buffer(void **state)
{
	struct fake *f = *state;
	static uint8_t data[4096];
	const int fd = fake_fuse(f, FAKE_BYTES);
	f->hold = true;
	send_write(fd, 2, 0, data, sizeof(data));
	fake_turns(f, 2);
	assert_int_equal(f->seen_count, 1);
	assert_int_equal(bsr_pool_size(f->pool, f->seen[0].buf), 4096);
	fake_answer(f, &f->seen[0]);
	close(fd);
}

static void long_range_is_handed_over_in_pieces_and_answered_once(void **state)
{
	struct fake *f = *state;
	const uint64_t size_bytes = 1ull << 40;
	const uint64_t length = (1ull << 32) - 512;
	const int fd = fake_fuse(f, size_bytes);
	send_fallocate(fd, 2, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 512, length);
	assert_int_equal(take_answer(f, fd, 2, 0), 0);
	uint64_t at = 512;
	for (uint32_t i = 0; i < f->seen_count; i++) {
		assert_int_equal(f->seen[i].op, BSR_OP_DISCARD);
		assert_int_equal(f->seen[i].offset, at);
		at += f->seen[i].length;
	}
	assert_int_equal(f->seen_count, 32);
	assert_int_equal(at, 512 + length);
	send_fallocate(fd, 4, FALLOC_FL_ZERO_RANGE | FALLOC_FL_KEEP_SIZE, 0, 4096);
	assert_int_equal(take_answer(f, fd, 4, 0), 0);
	assert_int_equal(f->seen[32].op, BSR_OP_ZEROES);
	f->error = -BSR_E_NO_SPACE;
	send_fallocate(fd, 6, FALLOC_FL_ZERO_RANGE | FALLOC_FL_KEEP_SIZE, 0, length);
	assert_int_equal(take_answer(f, fd, 6, 0), -ENOSPC);
	assert_int_equal(f->seen_count, 34); /* nothing after the piece that failed */
	close(fd);
}

static void pieces_wait_for_credits_too(void **state)
{
	struct fake *f = *state;
	const int fd = fake_fuse(f, 1ull << 40);
	f->hold = true;
	f->credits = 1;
	send_fallocate(fd, 2, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, 3ull << 27);
	send_read(fd, 4, 0, 4096);
	for (uint32_t i = 0; i < 4; i++) {
		fake_turns(f, 3);
		assert_int_equal(f->seen_count, i + 1);
		assert_int_equal(f->seen[i].op, i < 3 ? BSR_OP_DISCARD : BSR_OP_READ);
		if (i == 1) { /* the credit goes elsewhere between two pieces */
			f->in_flight--;
			f->credits = 0;
			bsr_devices_complete(f->devices, f->seen[i].tag, 0);
			fake_turns(f, 3);
			assert_int_equal(f->seen_count, i + 1);
			f->credits = 1;
			bsr_devices_resume(f->devices);
		} else {
			fake_answer(f, &f->seen[i]);
		}
	}
	assert_int_equal(take_answer(f, fd, 2, 0), 0);
	assert_int_equal(take_answer(f, fd, 4, 4096), 0);
	close(fd);
}

static void errors_become_errnos(void **state)
{
	struct fake *f = *state;
	static const struct {
		int error, expected;
	} cases[] = {{BSR_E_IO, EIO}, {BSR_E_NO_SPACE, ENOSPC}, {BSR_E_UNSUPPORTED, EOPNOTSUPP}, {BSR_E_RANGE, EINVAL},
		{BSR_E_NO_UP_TO_DATE, EIO}, {BSR_E_SHUTTING_DOWN, ESHUTDOWN}};
	const int fd = fake_fuse(f, FAKE_BYTES);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		f->error = -cases[i].error;
		send_read(fd, 2 + 2 * i, 0, 4096);
		assert_int_equal(take_answer(f, fd, 2 + 2 * i, 0), -cases[i].expected);
	}
	close(fd);
}

static void ranges_are_checked(void **state)
{
	struct fake *f = *state;
	static uint8_t data[BSR_REQUEST_BYTES_MAX];
	const int fd = fake_fuse(f, FAKE_BYTES);
	send_read(fd, 2, FAKE_BYTES, 512);
	assert_int_equal(take_answer(f, fd, 2, 0), -EINVAL);
	send_read(fd, 2, FAKE_BYTES - 512, 512);
	assert_int_equal(take_answer(f, fd, 2, 512), 0);
	send_read(fd, 2, UINT64_MAX - 511, 1024);
	assert_int_equal(take_answer(f, fd, 2, 0), -EINVAL);
	send_read(fd, 2, 0, BSR_REQUEST_BYTES_MAX + 512);
	assert_int_equal(take_answer(f, fd, 2, 0), -EINVAL);
	send_read(fd, 2, 1, 512);
	assert_int_equal(take_answer(f, fd, 2, 0), -EINVAL);
	send_read(fd, 2, 0, 0);
	assert_int_equal(take_answer(f, fd, 2, 0), -EINVAL);
	send_write(fd, 2, FAKE_BYTES - 512, data, 1024);
	assert_int_equal(take_answer(f, fd, 2, 0), -ENOSPC);
	send_fallocate(fd, 2, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, UINT64_MAX - 511);
	assert_int_equal(take_answer(f, fd, 2, 0), -ENOSPC);
	send_fallocate(fd, 2, 0, 0, 4096);
	assert_int_equal(take_answer(f, fd, 2, 0), -EOPNOTSUPP);
	assert_int_equal(f->seen_count, 1);
	close(fd);
}

static void size_changes_only_through_the_owner(void **state)
{
	struct fake *f = *state;
	struct fuse_attr_out out;
	struct fuse_setattr_in in = {.valid = FATTR_SIZE, .size = FAKE_BYTES + 4096};
	const int fd = fake_fuse(f, FAKE_BYTES);
	send_request(fd, FUSE_SETATTR, 2, &in, sizeof(in));
	assert_int_equal(take_answer(f, fd, 2, 0), -EINVAL);
	bsr_device_resize(f->devices, 0, FAKE_BYTES + 4096);
	send_request(fd, FUSE_SETATTR, 4, &in, sizeof(in));
	assert_int_equal(take_answer(f, fd, 4, sizeof(out)), 0);
	memcpy(&out, answer + sizeof(struct fuse_out_header), sizeof(out));
	assert_int_equal(out.attr.size, FAKE_BYTES + 4096);
	send_request(fd, FUSE_GETATTR, 6, NULL, 0);
	assert_int_equal(take_answer(f, fd, 6, sizeof(out)), 0);
	close(fd);
}

static void other_requests_have_their_answers(void **state)
{
	struct fake *f = *state;
	const int fd = fake_fuse(f, FAKE_BYTES);
	send_request(fd, FUSE_OPEN, 2, NULL, 0);
	assert_int_equal(take_answer(f, fd, 2, sizeof(struct fuse_open_out)), 0);
	send_request(fd, FUSE_STATFS, 2, NULL, 0);
	assert_int_equal(take_answer(f, fd, 2, sizeof(struct fuse_statfs_out)), 0);
	send_request(fd, FUSE_RELEASE, 2, NULL, 0);
	assert_int_equal(take_answer(f, fd, 2, 0), 0);
	send_request(fd, FUSE_GETXATTR, 2, NULL, 0);
	assert_int_equal(take_answer(f, fd, 2, 0), -ENOSYS);
	send_request(fd, FUSE_FORGET, 2, NULL, 0);
	assert_int_equal(take_answer(f, fd, 2, 0), 1);
	send_request(fd, FUSE_FSYNC, 4, NULL, 0);
	assert_int_equal(take_answer(f, fd, 4, 0), 0);
	assert_int_equal(f->seen[0].op, BSR_OP_FLUSH);
	close(fd);
}

static void flushes_of_a_write_through_volume_are_called_off(void **state)
{
	struct fake *f = *state;
	bsr_device_write_through(f->devices, 0);
	const int fd = fake_fuse(f, FAKE_BYTES);
	send_request(fd, FUSE_FSYNC, 4, NULL, 0);
	assert_int_equal(take_answer(f, fd, 4, 0), -ENOSYS);
	assert_int_equal(f->seen_count, 0);
	close(fd);
}

static void nothing_is_read_without_a_credit(void **state)
{
	struct fake *f = *state;
	const int fd = fake_fuse(f, FAKE_BYTES);
	f->hold = true;
	f->credits = 3;
	for (uint64_t i = 0; i < 10; i++) {
		send_read(fd, 2 * i, 4096 * i, 4096);
	}
	fake_turns(f, 5);
	assert_int_equal(f->seen_count, 3);
	for (uint32_t i = 0; i < 10; i++) {
		fake_answer(f, &f->seen[i]);
		assert_int_equal(take_answer(f, fd, 2 * i, 4096), 0);
		assert_int_equal(f->seen_count, i + 4 < 10 ? i + 4 : 10);
	}
	close(fd);
}

static void empty_pool_holds_a_read_back(void **state)
{
	struct fake *f = *state;
	bsr_buf_t taken[16];
	uint32_t count = 0;
	const int fd = fake_fuse(f, FAKE_BYTES);
	send_request(fd, FUSE_STATFS, 2, NULL, 0);
	assert_int_equal(take_answer(f, fd, 2, sizeof(struct fuse_statfs_out)), 0);
	for (bsr_buf_t b = bsr_pool_get(f->pool, 1 << 20); b != BSR_BUF_NONE; b = bsr_pool_get(f->pool, 1 << 20)) {
		taken[count++] = b;
	}
	send_read(fd, 4, 0, 1 << 20);
	send_read(fd, 6, 0, 1 << 20);
	/* from what the channel had kept for itself */
	assert_int_equal(take_answer(f, fd, 4, 1 << 20), 0);
	for (uint32_t i = 0; i < count; i++) {
		bsr_pool_put(f->pool, taken[i]);
	}
	assert_int_equal(take_answer(f, fd, 6, 1 << 20), 0);
	close(fd);
}

static void garbage_ends_the_channel_with_one_report(void **state)
{
	struct fake *f = *state;
	for (size_t bytes = 1; bytes < 40; bytes += 13) {
		const int fd = fake_fuse(f, FAKE_BYTES);
		memset(packet, 0xff, bytes);
		f->report_count = 0;
		send_raw(fd, bytes);
		fake_turns(f, 2);
		assert_false(bsr_fuse_serving(f->devices, 0));
		assert_int_equal(f->report_count, 2); /* what it was, and that it has ended */
		close(fd);
	}
}

static void stopped_channel_is_answered_into_the_void(void **state)
{
	struct fake *f = *state;
	static uint8_t data[4096];
	const int fd = fake_fuse(f, FAKE_BYTES);
	f->hold = true;
	send_write(fd, 2, 0, data, sizeof(data));
	send_read(fd, 4, 0, 4096);
	send_fallocate(fd, 6, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, 4096);
	fake_turns(f, 4);
	assert_int_equal(f->seen_count, 3);
	bsr_fuse_stop(f->devices, 0);
	assert_int_equal(bsr_devices_pending(f->devices, 0), 3);
	for (uint32_t i = 0; i < 3; i++) {
		fake_answer(f, &f->seen[i]);
	}
	assert_int_equal(bsr_devices_pending(f->devices, 0), 0);
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(init_takes_what_is_offered_and_wanted, set_up, tear_down),
		cmocka_unit_test_setup_teardown(old_kernels_are_named, set_up, tear_down),
		cmocka_unit_test_setup_teardown(data_of_every_size_arrives_whole, set_up, tear_down),
		cmocka_unit_test_setup_teardown(small_write_takes_a_small_buffer, set_up, tear_down),
		cmocka_unit_test_setup_teardown(long_range_is_handed_over_in_pieces_and_answered_once, set_up, tear_down),
		cmocka_unit_test_setup_teardown(pieces_wait_for_credits_too, set_up, tear_down),
		cmocka_unit_test_setup_teardown(errors_become_errnos, set_up, tear_down),
		cmocka_unit_test_setup_teardown(ranges_are_checked, set_up, tear_down),
		cmocka_unit_test_setup_teardown(size_changes_only_through_the_owner, set_up, tear_down),
		cmocka_unit_test_setup_teardown(other_requests_have_their_answers, set_up, tear_down),
		cmocka_unit_test_setup_teardown(flushes_of_a_write_through_volume_are_called_off, set_up, tear_down),
		cmocka_unit_test_setup_teardown(nothing_is_read_without_a_credit, set_up, tear_down),
		cmocka_unit_test_setup_teardown(empty_pool_holds_a_read_back, set_up, tear_down),
		cmocka_unit_test_setup_teardown(garbage_ends_the_channel_with_one_report, set_up, tear_down),
		cmocka_unit_test_setup_teardown(stopped_channel_is_answered_into_the_void, set_up, tear_down),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
