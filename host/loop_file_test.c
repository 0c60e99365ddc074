// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * loop_file_test.c - file I/O through the event loop; run once per backend ("uring", "threads")
 */
#include "loop_test_support.h"

#include <sys/file.h>
#include <sys/mount.h>
#include <sys/stat.h>

/* ------------------------------------------------------------- file I/O */

static void many_more_operations_than_depth_all_arrive(void **state)
{
	(void)state;
	enum { COUNT = 300 };
	static struct op op[COUNT];
	struct bsr_loop *loop = make_loop(8);
	const int fd = make_file("many", COUNT * 4096, O_DIRECT);
	const int slot = bsr_loop_add_file(loop, fd);
	uint8_t *out = make_memory(COUNT * 4096);
	uint8_t *in = make_memory(COUNT * 4096);
	/* writes from registered memory, reads into other */
	bsr_loop_add_memory(loop, out, COUNT * 4096);
	for (int i = 0; i < COUNT; i++) {
		memset(out + i * 4096, i % 255 + 1, 4096);
		op[i] = new_op();
		bsr_loop_write(loop, &op[i].io, slot, out + i * 4096, 4096, (uint64_t)i * 4096,
			i % 7 == 0 ? BSR_IO_DSYNC : 0);
	}
	assert_int_equal(bsr_loop_in_flight(loop), COUNT);
	for (int i = 0; i < COUNT; i++) {
		assert_int_equal(finish_op(loop, &op[i]), 4096);
	}
	assert_int_equal(bsr_loop_in_flight(loop), 0);
	assert_int_equal(do_read(loop, slot, in, COUNT * 4096, 0), COUNT * 4096);
	assert_memory_equal(in, out, COUNT * 4096);
	struct op flush = new_op();
	bsr_loop_flush(loop, &flush.io, slot);
	assert_int_equal(finish_op(loop, &flush), 0);
	bsr_loop_remove_file(loop, slot);
	bsr_loop_destroy(loop);
	close(fd);
	free(in);
	free(out);
}

static void reading_behind_the_end_is_an_error(void **state)
{
	(void)state;
	struct bsr_loop *loop = make_loop(4);
	const int fd = make_file("short", 8192, 0);
	const int slot = bsr_loop_add_file(loop, fd);
	uint8_t *mem = make_memory(16384);
	assert_int_equal(do_read(loop, slot, mem, 8192, 0), 8192);
	assert_int_equal(do_read(loop, slot, mem, 16384, 0), -EIO);
	assert_int_equal(do_read(loop, slot, mem, 4096, 8192), -EIO);
	bsr_loop_destroy(loop);
	close(fd);
	free(mem);
}

static void errors_of_the_file_arrive(void **state)
{
	(void)state;
	struct bsr_loop *loop = make_loop(4);
	uint8_t *mem = make_memory(4096);
	/* nothing is mapped at 0: EIO */
	const int broken = open("/proc/self/mem", O_RDONLY | O_CLOEXEC);
	const int read_only = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	const int full = open("/dev/full", O_RDWR | O_CLOEXEC);
	assert_true(broken >= 0 && read_only >= 0 && full >= 0);
	assert_int_equal(do_read(loop, bsr_loop_add_file(loop, broken), mem, 4096, 0), -EIO);
	const int slot = bsr_loop_add_file(loop, read_only);
	assert_int_equal(do_write(loop, slot, mem, 4096, 0, 0), -EBADF);
	assert_int_equal(do_zero(loop, slot, 0, 4096, true), -EBADF);
	assert_int_equal(do_write(loop, bsr_loop_add_file(loop, full), mem, 4096, 0, 0), -ENOSPC);
	assert_int_equal(bsr_loop_add_file(loop, -1), -EBADF);
	bsr_loop_destroy(loop);
	close(broken);
	close(read_only);
	close(full);
	free(mem);
}

static int open_small_tmpfs(const char *size)
{
	char path[128];
	(void)snprintf(path, sizeof(path), "%s/tmpfs", dir);
	if ((mkdir(path, 0700) != 0 && errno != EEXIST) || mount("none", path, "tmpfs", 0, size) != 0) {
		return -1;
	}
	(void)snprintf(path, sizeof(path), "%s/tmpfs/file", dir);
	const int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	(void)snprintf(path, sizeof(path), "%s/tmpfs", dir);
	(void)umount2(path, MNT_DETACH); /* lives as long as the descriptor */
	return fd;
}

static void full_disk_is_reported_after_a_short_write_went_on(void **state)
{
	(void)state;
	const int fd = open_small_tmpfs("size=1m");
	if (fd < 0) {
		skip(); /* needs the right to mount */
	}
	struct bsr_loop *loop = make_loop(4);
	const int slot = bsr_loop_add_file(loop, fd);
	uint8_t *mem = make_memory(4u << 20);
	assert_int_equal(do_write(loop, slot, mem, 4u << 20, 0, 0), -ENOSPC);
	struct stat st;
	assert_int_equal(fstat(fd, &st), 0);
	/* the first step was short, the second one failed */
	assert_in_range(st.st_size, 512 << 10, 1 << 20);
	bsr_loop_destroy(loop);
	close(fd);
	free(mem);
}

static bool all_zero(const uint8_t *mem, size_t bytes)
{
	return mem[0] == 0 && memcmp(mem, mem + 1, bytes - 1) == 0;
}

/*
 * Writes 0xaa over @bytes, zeroes the middle, checks both edges and the middle. Returns allocated
 * bytes at the end.
 */
static int64_t check_zero(int fd, uint32_t bytes, bool may_unmap)
{
	struct bsr_loop *loop = make_loop(4);
	const int slot = bsr_loop_add_file(loop, fd);
	uint8_t *mem = make_memory(bytes);
	memset(mem, 0xaa, bytes);
	/* the second one uses what the first one learned */
	for (int round = 0; round < 2; round++) {
		assert_int_equal(do_write(loop, slot, mem, bytes, 0, 0), bytes);
		assert_int_equal(do_zero(loop, slot, 8192, bytes - 16384, may_unmap), 0);
	}
	uint8_t *in = make_memory(bytes);
	assert_int_equal(do_read(loop, slot, in, bytes, 0), bytes);
	assert_memory_equal(in, mem, 8192);
	assert_true(all_zero(in + 8192, bytes - 16384));
	assert_memory_equal(in + bytes - 8192, mem, 8192);
	struct stat st;
	assert_int_equal(fstat(fd, &st), 0);
	bsr_loop_destroy(loop);
	free(mem);
	free(in);
	return (int64_t)st.st_blocks * 512;
}

static void zeroed_ranges_of_files_read_back_as_zeroes(void **state)
{
	(void)state;
	const int fd = make_file("zero", 2 << 20, O_DIRECT);
	assert_true(check_zero(fd, 2 << 20, false) >= 2 << 20); /* stays allocated */
	assert_true(check_zero(fd, 2 << 20, true) < 1 << 20);	/* given back */
	close(fd);
	const int tmpfs = open_small_tmpfs("size=8m"); /* knows no ZERO_RANGE: zeroes are written */
	if (tmpfs >= 0) {
		assert_true(check_zero(tmpfs, 2 << 20, true) < 1 << 20);
		assert_int_equal(check_zero(tmpfs, 2 << 20, false), 2 << 20);
		close(tmpfs);
	}
}

static int make_loop_device(char *name, size_t room, const char *options)
{
	char command[256];
	(void)snprintf(command, sizeof(command), "truncate -s 4M %s/disk && losetup %s -f --show %s/disk", dir, options, dir);
	FILE *pipe = popen(command, "r");
	assert_non_null(pipe);
	const bool read = fgets(name, (int)room, pipe) != NULL;
	if (pclose(pipe) != 0 || !read) {
		return -1;
	}
	name[strcspn(name, "\n")] = '\0';
	return open(name, O_RDWR | O_DIRECT | O_EXCL | O_CLOEXEC);
}

static void zeroed_ranges_of_block_devices_read_back_as_zeroes(void **state)
{
	(void)state;
	static const char *const options[] = {"", "-b 4096"};
	for (size_t i = 0; i < sizeof(options) / sizeof(options[0]); i++) {
		char name[64];
		char command[128];
		const int fd = make_loop_device(name, sizeof(name), options[i]);
		if (fd < 0) {
			skip(); /* no loop devices here */
		}
		(void)snprintf(command, sizeof(command), "losetup -d %s", name);
		(void)check_zero(fd, 2 << 20, true);
		(void)check_zero(fd, 2 << 20, false);
		close(fd);
		assert_int_equal(system(command), 0);
	}
}

static void removed_file_is_let_go(void **state)
{
	(void)state;
	char path[128];
	(void)snprintf(path, sizeof(path), "%s/locked", dir);
	struct bsr_loop *loop = make_loop(4);
	uint8_t *mem = make_memory(4096);
	for (int i = 0; i < 600; i++) { /* more often than there are slots */
		const int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
		assert_true(fd >= 0);
		/* fails while the last one is still open */
		bool locked = flock(fd, LOCK_EX | LOCK_NB) == 0;
		for (int ms = 0; ms < 500 && !locked; ms++) {
			(void)usleep(1000);
			turns(loop, 1);
			locked = flock(fd, LOCK_EX | LOCK_NB) == 0;
		}
		assert_true(locked);
		const int slot = bsr_loop_add_file(loop, fd);
		assert_true(slot >= 0);
		if (i % 3 != 0) {
			assert_int_equal(do_write(loop, slot, mem, 4096, 0, 0), 4096);
		}
		bsr_loop_remove_file(loop, slot);
		close(fd);
		assert_int_equal(bsr_loop_turn(loop, false), 0);
	}
	bsr_loop_destroy(loop);
	(void)unlink(path);
	free(mem);
}

static void table_of_files_is_bounded(void **state)
{
	(void)state;
	struct bsr_loop *loop = make_loop(4);
	const int fd = make_file("bound", 4096, 0);
	for (uint32_t i = 0; i < BSR_LOOP_FILES_MAX; i++) {
		assert_int_equal(bsr_loop_add_file(loop, fd), (int)i);
		assert_int_equal(bsr_loop_turn(loop, false), 0);
	}
	assert_int_equal(bsr_loop_add_file(loop, fd), -ENOSPC);
	bsr_loop_destroy(loop);
	close(fd);
}

static void destroy_waits_for_what_is_in_flight(void **state)
{
	(void)state;
	static struct op op[64];
	struct bsr_loop *loop = make_loop(16);
	const int fd = make_file("flight", 64 * 4096, O_DIRECT);
	const int slot = bsr_loop_add_file(loop, fd);
	uint8_t *mem = make_memory(4096);
	memset(mem, 7, 4096);
	for (uint32_t i = 0; i < 64; i++) {
		op[i] = new_op();
		bsr_loop_write(loop, &op[i].io, slot, mem, 4096, i * 4096ul, 0);
	}
	bsr_loop_destroy(loop);
	for (uint32_t i = 0; i < 64; i++) {
		assert_false(op[i].done);
		uint8_t *in = make_memory(4096);
		assert_int_equal(pread(fd, in, 4096, (off_t)i * 4096), 4096);
		assert_int_equal(in[4095], 7);
		free(in);
	}
	close(fd);
	free(mem);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(many_more_operations_than_depth_all_arrive),
		cmocka_unit_test(reading_behind_the_end_is_an_error),
		cmocka_unit_test(errors_of_the_file_arrive),
		cmocka_unit_test(full_disk_is_reported_after_a_short_write_went_on),
		cmocka_unit_test(zeroed_ranges_of_files_read_back_as_zeroes),
		cmocka_unit_test(zeroed_ranges_of_block_devices_read_back_as_zeroes),
		cmocka_unit_test(removed_file_is_let_go),
		cmocka_unit_test(table_of_files_is_bounded),
		cmocka_unit_test(destroy_waits_for_what_is_in_flight),
	};
	const int code = begin_tests(argc, argv);
	return code != 0 ? code : end_tests(cmocka_run_group_tests(tests, NULL, NULL));
}
