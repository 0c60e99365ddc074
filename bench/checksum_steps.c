// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * checksum_steps.c - how many instructions the checksum of a 4 KiB write takes on this processor
 *
 * For bench/count.py: valgrind knows no AVX-512, so under it bsrd takes the second best way to a
 * CRC32C. Here the same object code runs step by step on the processor itself, with the way that
 * valgrind sees and with the best one. Prints both, as JSON.
 */
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

#include "crc32c_hw.h"

#define PAYLOAD_BYTES 4096u
#define BODY_BYTES 48u /* of a WRITE; it is counted in both ways and makes no difference */

static uint8_t payload[PAYLOAD_BYTES];
static uint8_t body[BODY_BYTES];

static void begin_and_end(uint32_t bytes)
{
	static volatile uint32_t sink;
	(void)raise(SIGUSR1); /* the tracer begins to count */
	if (bytes > 0) {
		sink = bsr_crc32c_hw_content(body, BODY_BYTES, payload, bytes);
	}
	(void)raise(SIGUSR2);
	(void)sink;
}

static void run(enum bsr_crc32c_way way, uint32_t bytes)
{
	bsr_crc32c_hw_use(way);
	(void)bsr_crc32c_hw_content(body, BODY_BYTES, payload, PAYLOAD_BYTES); /* nothing happens for the first time any more */
	(void)ptrace(PTRACE_TRACEME, 0, NULL, NULL);
	begin_and_end(bytes);
	_exit(0);
}

static int next_stop(pid_t child, enum __ptrace_request request)
{
	int status;
	if (ptrace(request, child, NULL, NULL) != 0 || waitpid(child, &status, 0) != child || !WIFSTOPPED(status)) {
		return -1;
	}
	return WSTOPSIG(status);
}

/* Instructions between the two signals, raise() included. */
static long steps_between(enum bsr_crc32c_way way, uint32_t bytes)
{
	(void)fflush(NULL);
	const pid_t child = fork();
	if (child == 0) {
		run(way, bytes);
	}
	int status;
	if (child < 0 || waitpid(child, &status, 0) != child || !WIFSTOPPED(status) || WSTOPSIG(status) != SIGUSR1) {
		return -1;
	}
	long steps = 0;
	int stop = SIGTRAP;
	while (stop == SIGTRAP) {
		stop = next_stop(child, PTRACE_SINGLESTEP);
		steps++;
	}
	(void)kill(child, SIGKILL);
	(void)waitpid(child, &status, 0);
	return stop == SIGUSR2 ? steps : -1;
}

/* What the signals and the call itself take is the same with nothing to sum up. */
static long steps_of(enum bsr_crc32c_way way)
{
	const long with = steps_between(way, PAYLOAD_BYTES);
	const long without = steps_between(way, 0);
	return with < 0 || without < 0 ? -1 : with - without;
}

int main(void)
{
	static const char *const words[] = {"table", "instruction", "folding"};
	const enum bsr_crc32c_way best = bsr_crc32c_hw_best();
	const enum bsr_crc32c_way second = best > BSR_CRC32C_INSTRUCTION ? BSR_CRC32C_INSTRUCTION : best;
	const long best_steps = steps_of(best);
	const long second_steps = steps_of(second);
	if (best_steps < 0 || second_steps < 0) {
		(void)fprintf(stderr, "checksum_steps: cannot step through a process of mine\n");
		return EXIT_FAILURE;
	}
	printf("{\"best\": \"%s\", \"best_steps\": %ld, \"counted\": \"%s\", \"counted_steps\": %ld}\n", words[best],
		best_steps, words[second], second_steps);
	return EXIT_SUCCESS;
}
