/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * loop_test_support.h - what the tests of the event loop share: the backend under test, files,
 * operations
 */
#ifndef BSR_LOOP_TEST_SUPPORT_H
#define BSR_LOOP_TEST_SUPPORT_H

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "loop.h"

static enum bsr_loop_backend backend;
static char dir[64];

static inline struct bsr_loop *make_loop(uint32_t depth)
{
	struct bsr_loop *loop = NULL;
	const struct bsr_loop_options options = {.backend = backend, .depth = depth, .lifeline_fd = -1};
	assert_int_equal(bsr_loop_create(&loop, &options), 0);
	assert_string_equal(bsr_loop_backend_word(loop), backend == BSR_LOOP_URING ? "io_uring" : "threads");
	return loop;
}

static inline int make_file(const char *name, off_t bytes, int flags)
{
	char path[128];
	(void)snprintf(path, sizeof(path), "%s/%s", dir, name);
	const int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | flags, 0600);
	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, bytes), 0);
	assert_int_equal(unlink(path), 0);
	return fd;
}

static inline uint8_t *make_memory(size_t bytes)
{
	void *mem = NULL;
	assert_int_equal(posix_memalign(&mem, 4096, bytes), 0);
	memset(mem, 0, bytes);
	return mem;
}

struct op {
	struct bsr_io io; /* first: the callback gets its address */
	int64_t result;
	bool done;
};

static inline void op_done(struct bsr_io *io, int64_t result)
{
	struct op *op = (struct op *)(void *)io;
	assert_false(op->done);
	op->done = true;
	op->result = result;
}

static inline struct op new_op(void)
{
	return (struct op){.io = {.done = op_done}};
}

static inline int64_t finish_op(struct bsr_loop *loop, const struct op *op)
{
	while (!op->done) {
		assert_int_equal(bsr_loop_turn(loop, true), 0);
	}
	return op->result;
}

static inline int64_t do_write(struct bsr_loop *loop, int slot, const void *mem, uint32_t bytes, uint64_t offset, uint8_t flags)
{
	struct op op = new_op();
	bsr_loop_write(loop, &op.io, slot, mem, bytes, offset, flags);
	assert_false(op.done);
	return finish_op(loop, &op);
}

static inline int64_t do_read(struct bsr_loop *loop, int slot, void *mem, uint32_t bytes, uint64_t offset)
{
	struct op op = new_op();
	bsr_loop_read(loop, &op.io, slot, mem, bytes, offset);
	assert_false(op.done);
	return finish_op(loop, &op);
}

static inline int64_t do_zero(struct bsr_loop *loop, int slot, uint64_t offset, uint64_t bytes, bool may_unmap)
{
	struct op op = new_op();
	bsr_loop_zero(loop, &op.io, slot, offset, bytes, may_unmap);
	return finish_op(loop, &op);
}

static inline void turns(struct bsr_loop *loop, int count)
{
	for (int i = 0; i < count; i++) {
		assert_int_equal(bsr_loop_turn(loop, false), 0);
	}
}

/* 0, or the exit code of a program that cannot test here. */
static inline int begin_tests(int argc, char **argv)
{
	const char *word = argc == 2 ? argv[1] : "";
	backend = strcmp(word, "uring") == 0 ? BSR_LOOP_URING : BSR_LOOP_THREADS;
	if (backend == BSR_LOOP_THREADS && strcmp(word, "threads") != 0) {
		(void)fprintf(stderr, "usage: %s uring|threads\n", argv[0]);
		return 2;
	}
	(void)unsetenv("BSR_LOOP_BACKEND");
	struct bsr_loop *probe = NULL;
	const struct bsr_loop_options options = {.backend = backend, .depth = 4, .lifeline_fd = -1};
	if (bsr_loop_create(&probe, &options) != 0) {
		return 77; /* the machine lacks it */
	}
	bsr_loop_destroy(probe);
	const char *base = getenv("BSR_TEST_DIR"); /* on a disk: /tmp may be without O_DIRECT */
	(void)snprintf(dir, sizeof(dir), "%s/bsr-loop-XXXXXX", base != NULL ? base : "/var/tmp");
	if (mkdtemp(dir) == NULL) {
		return 1;
	}
	return 0;
}

static inline int end_tests(int failures)
{
	char command[128];
	(void)snprintf(command, sizeof(command), "rm -rf '%s'", dir);
	return system(command) == 0 ? failures : 1;
}

#endif
