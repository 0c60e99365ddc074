// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * faults_test.c - delays and errors on purpose: order, exactly once, references; with a loop, pool and engine
 * that pretend
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <bsr/assert.h>

#include "engine_process.h"
#include "faults.h"

_Noreturn void bsr_panic(const char *file, int line, const char *what)
{
	fprintf(stderr, "%s:%d: %s\n", file, line, what);
	abort();
}

/* ------------------------------------------------------------- what pretends */

static uint64_t now_ns;
static int references;
static char done[4096]; /* what was carried out, in order */
static char logged[200];

uint64_t bsr_loop_now_ns(const struct bsr_loop *loop)
{
	(void)loop;
	return now_ns;
}

void bsr_pool_ref(struct bsr_pool *pool, bsr_buf_t buf)
{
	(void)pool;
	(void)buf;
	references++;
}

void bsr_pool_put(struct bsr_pool *pool, bsr_buf_t buf)
{
	(void)pool;
	(void)buf;
	references--;
}

static void note(const char *format, ...) __attribute__((format(printf, 1, 2)));
static void note(const char *format, ...)
{
	va_list args;
	const size_t used = strlen(done);
	va_start(args, format);
	vsnprintf(done + used, sizeof(done) - used, format, args);
	va_end(args);
}

void bsrd_step(struct bsrd *d, struct bsr_event *event)
{
	(void)d;
	assert_int_equal(event->type, BSR_EV_DISK_DONE);
	note("fail%u:%d ", event->u.disk_done.op_id, event->u.disk_done.result);
}

void bsrd_perform_late(struct bsrd *d, const struct bsr_effect *e, const uint8_t *head)
{
	(void)d;
	if (e->type == BSR_FX_SEND) {
		note("send%c ", (char)head[0]);
	} else {
		note("%s%u ", e->type == BSR_FX_MD ? "md" : "disk",
			e->type == BSR_FX_MD ? e->u.md.op_id : e->u.disk.op_id);
	}
}

void bsr_log(enum bsr_log_number number, const char *format, ...)
{
	va_list args;
	(void)number;
	va_start(args, format);
	vsnprintf(logged, sizeof(logged), format, args);
	va_end(args);
}

static struct bsrd d;

static int setup(void **state)
{
	(void)state;
	memset(&d, 0, sizeof(d));
	d.faults_allowed = true;
	now_ns = 1000000000;
	references = 0;
	done[0] = '\0';
	return 0;
}

static void set(struct bsrd_fault rule)
{
	assert_int_equal(bsrd_faults_set(&d, &rule), 0);
}

/* True: held back */
static bool disk(uint32_t op_id, enum bsr_op op, uint16_t volume)
{
	const struct bsr_effect e = {.type = BSR_FX_DISK,
		.u.disk = {.op_id = op_id, .op = (uint8_t)op, .volume = volume, .buf = 7}};
	return d.faults != NULL && bsrd_faults_take(&d, &e, NULL);
}

static bool message(char letter, uint32_t peer, uint8_t stream)
{
	const uint8_t arena[] = {'x', (uint8_t)letter};
	const struct bsr_effect e = {.type = BSR_FX_SEND,
		.u.send = {.peer = peer,
			.stream = stream,
			.head_offset = 1,
			.head_bytes = 1,
			.buf = BSR_BUF_NONE}};
	return d.faults != NULL && bsrd_faults_take(&d, &e, arena);
}

static void pass_ms(uint32_t ms)
{
	now_ns += ms * 1000000ull;
	bsrd_faults_tick(&d);
}

/* ---------------------------------------------------------------------- tests */

static void an_operation_is_carried_out_when_its_time_has_come(void **state)
{
	(void)state;
	assert_false(disk(1, BSR_OP_WRITE, 0));
	set((struct bsrd_fault){.kind = BSRD_FAULT_DISK,
		.volume = 0,
		.peer = BSRD_NOBODY,
		.ops = BSRD_FAULT_WRITE,
		.delay_ms = 10});
	assert_true(disk(1, BSR_OP_WRITE, 0));
	assert_true(disk(2, BSR_OP_DISCARD, 0));
	assert_false(disk(3, BSR_OP_READ, 0));
	assert_false(disk(4, BSR_OP_FLUSH, 0));
	assert_false(disk(5, BSR_OP_WRITE, 1));
	assert_int_equal(references, 2); /* FI-2 */
	assert_int_equal(bsrd_faults_deadline(&d), now_ns + 10000000);
	pass_ms(9);
	assert_string_equal(done, "");
	pass_ms(1);
	assert_string_equal(done, "disk1 disk2 ");
	assert_int_equal(references, 0);
	assert_int_equal(bsrd_faults_deadline(&d), UINT64_MAX);
	bsrd_faults_clear(&d);
	assert_null(d.faults);
}

static void an_error_is_answered_and_counted(void **state)
{
	(void)state;
	set((struct bsrd_fault){.kind = BSRD_FAULT_DISK,
		.volume = BSRD_NOBODY,
		.peer = BSRD_NOBODY,
		.error = true,
		.count = 2});
	assert_true(disk(1, BSR_OP_READ, 3));
	assert_true(disk(2, BSR_OP_FLUSH, 0));
	assert_false(disk(3, BSR_OP_WRITE, 0)); /* used up */
	assert_string_equal(done, "");          /* never from inside of a step */
	pass_ms(0);
	char expected[64];
	snprintf(expected, sizeof(expected), "fail1:%d fail2:%d ", -BSR_E_IO, -BSR_E_IO);
	assert_string_equal(done, expected);
	assert_int_equal(references, 0);
	assert_non_null(strstr(logged, "kind=disk")); /* FI-3 */
	assert_int_equal(bsrd_faults_at(&d, 0)->done, 2);
	assert_null(bsrd_faults_at(&d, 1));
	bsrd_faults_clear(&d);
}

static void messages_of_a_stream_never_overtake(void **state)
{
	(void)state;
	set((struct bsrd_fault){
		.kind = BSRD_FAULT_NETWORK, .volume = BSRD_NOBODY, .peer = 1, .delay_ms = 50, .count = 2});
	assert_true(message('a', 1, 0));
	assert_true(message('b', 1, 0));
	assert_true(message('c', 1, 0));  /* FI-1: the rule is used up, but a and b wait */
	assert_false(message('d', 1, 1)); /* the other stream */
	assert_false(message('e', 2, 0)); /* another peer */
	bsrd_faults_clear(&d);
	assert_true(message('f', 1, 0)); /* cleared, and they still wait */
	pass_ms(49);
	assert_string_equal(done, "");
	pass_ms(1);
	assert_string_equal(done, "senda sendb sendc sendf ");
	assert_null(d.faults);
	assert_false(message('g', 1, 0));
}

static void the_longest_of_several_delays_counts(void **state)
{
	(void)state;
	const struct bsrd_fault rule = {
		.kind = BSRD_FAULT_META, .volume = BSRD_NOBODY, .peer = BSRD_NOBODY, .delay_ms = 5};
	const struct bsr_effect write = {.type = BSR_FX_MD, .u.md = {.op_id = 4, .write = true}};
	const struct bsr_effect read = {.type = BSR_FX_MD, .u.md = {.op_id = 5}};
	set(rule);
	set((struct bsrd_fault){.kind = BSRD_FAULT_META,
		.volume = BSRD_NOBODY,
		.peer = BSRD_NOBODY,
		.ops = BSRD_FAULT_WRITE,
		.delay_ms = 20});
	assert_true(bsrd_faults_take(&d, &write, NULL));
	assert_true(bsrd_faults_take(&d, &read, NULL));
	pass_ms(5);
	assert_string_equal(done, "md5 ");
	pass_ms(15);
	assert_string_equal(done, "md5 md4 ");
	bsrd_faults_clear(&d);
}

static void rules_have_a_limit(void **state)
{
	const struct bsrd_fault rule = {.kind = BSRD_FAULT_DISK, .delay_ms = 1};
	(void)state;
	for (uint32_t i = 0; i < BSRD_FAULTS_MAX; i++) {
		set(rule);
	}
	assert_int_equal(bsrd_faults_set(&d, &rule), -BSR_E_NO_SPACE);
	bsrd_faults_clear(&d);
	assert_null(bsrd_faults_at(&d, 0));
	bsrd_faults_clear(&d); /* twice is once */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(an_operation_is_carried_out_when_its_time_has_come, setup),
		cmocka_unit_test_setup(an_error_is_answered_and_counted, setup),
		cmocka_unit_test_setup(messages_of_a_stream_never_overtake, setup),
		cmocka_unit_test_setup(the_longest_of_several_delays_counts, setup),
		cmocka_unit_test_setup(rules_have_a_limit, setup),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
