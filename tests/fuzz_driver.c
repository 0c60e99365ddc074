// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * fuzz_driver.c - runs a libFuzzer target without libFuzzer, so that every build fuzzes a little
 *
 * Usage: fuzz_x [--seconds=N] [--seed=N] [FILE...]
 *        fuzz_x --write-examples=DIRECTORY     the target's own examples as files, for libFuzzer
 * First each file as it is (a crash found earlier, a corpus), then N seconds of mutations of the
 * files, of what the target's own bsr_fuzz_example() gives, and of noise. The input of a crash is
 * written to ./fuzz-crash-<pid>. Same seed and files, same inputs; only how far it gets depends on
 * the machine.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "fuzz.h"

#define INPUT_BYTES_MAX 65536u
#define SEEDS_MAX 1024u

struct seed {
	uint8_t *data;
	size_t bytes;
};

static struct seed seeds[SEEDS_MAX];
static uint32_t seed_count;
static uint64_t random_state = 1;
static uint8_t input[INPUT_BYTES_MAX];
static volatile size_t input_bytes;

static uint64_t random_u64(void)
{
	uint64_t z = (random_state += 0x9e3779b97f4a7c15ull);
	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
	return z ^ (z >> 31);
}

static size_t random_below(size_t limit)
{
	return (size_t)(random_u64() % limit);
}

static void on_crash(int number)
{
	char name[64];
	snprintf(name, sizeof(name), "fuzz-crash-%ld", (long)getpid());
	const int fd = open(name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (fd >= 0 && write(fd, input, input_bytes) == (ssize_t)input_bytes) {
		fprintf(stderr, "input of the crash: %s\n", name);
	}
	signal(number, SIG_DFL);
	raise(number);
}

static void run_one(void)
{
	/*
	 * an allocation of the exact size, so that a sanitizer sees the first byte read behind it
	 */
	uint8_t *copy = malloc(input_bytes + 1);
	if (copy == NULL) {
		abort();
	}
	memcpy(copy, input, input_bytes);
	LLVMFuzzerTestOneInput(copy, input_bytes);
	free(copy);
}

static void add_seed(const uint8_t *data, size_t bytes)
{
	if (seed_count < SEEDS_MAX) {
		struct seed *s = &seeds[seed_count++];
		s->data = malloc(bytes + 1);
		if (s->data == NULL) {
			abort();
		}
		memcpy(s->data, data, bytes);
		s->bytes = bytes;
	}
}

static bool run_file(const char *path)
{
	FILE *f = fopen(path, "rb");
	if (f == NULL) {
		fprintf(stderr, "%s: %s\n", path, strerror(errno));
		return false;
	}
	input_bytes = fread(input, 1, sizeof(input), f);
	fclose(f);
	add_seed(input, input_bytes);
	run_one();
	return true;
}

static void run_examples(void)
{
	for (uint32_t i = 0;; i++) {
		input_bytes = bsr_fuzz_example(i, input, sizeof(input));
		if (input_bytes == 0) {
			return;
		}
		add_seed(input, input_bytes);
		run_one();
	}
}

static bool write_examples(const char *directory)
{
	for (uint32_t i = 0;; i++) {
		const size_t bytes = bsr_fuzz_example(i, input, sizeof(input));
		if (bytes == 0) {
			return true;
		}
		char path[4096];
		snprintf(path, sizeof(path), "%s/example-%u", directory, i);
		FILE *f = fopen(path, "wb");
		const bool written = f != NULL && fwrite(input, 1, bytes, f) == bytes;
		if (f == NULL || fclose(f) != 0 || !written) {
			fprintf(stderr, "%s: %s\n", path, strerror(errno));
			return false;
		}
	}
}

static void mutate_once(void)
{
	static const uint8_t edges[] = {0, 1, 2, 0x7f, 0x80, 0xfe, 0xff, 0x10, 0x20, '\n', '"', '{', '}'};
	const size_t at = input_bytes > 0 ? random_below(input_bytes) : 0;
	switch (random_below(7)) {
	case 0: /* cut */
		input_bytes = at;
		return;
	case 1: /* grow */
		while (input_bytes < sizeof(input) && random_below(8) != 0) {
			input[input_bytes] = (uint8_t)random_u64();
			input_bytes = input_bytes + 1;
		}
		return;
	case 2: /* copy a piece onto another place */
		if (input_bytes > 0) {
			const size_t from = random_below(input_bytes);
			const size_t room = input_bytes - (at > from ? at : from);
			memmove(input + at, input + from, random_below(room + 1));
		}
		return;
	case 3: /* drop a piece */
		if (input_bytes > 0) {
			const size_t bytes = random_below(input_bytes - at) + 1;
			memmove(input + at, input + at + bytes, input_bytes - at - bytes);
			input_bytes -= bytes;
		}
		return;
	case 4:
		input[at] = edges[random_below(sizeof(edges))];
		return;
	case 5:
		input[at] = (uint8_t)random_u64();
		return;
	default:
		input[at] ^= (uint8_t)(1u << random_below(8));
	}
}

static void make_input(void)
{
	if (seed_count == 0 || random_below(16) == 0) {
		input_bytes = random_below(512);
		for (size_t i = 0; i < input_bytes; i++) {
			input[i] = (uint8_t)random_u64();
		}
		return;
	}
	const struct seed *s = &seeds[random_below(seed_count)];
	memcpy(input, s->data, s->bytes);
	input_bytes = s->bytes;
	do {
		mutate_once();
	} while (random_below(3) != 0);
}

static uint64_t run_for(unsigned long seconds)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	const time_t end = now.tv_sec + (time_t)seconds;
	uint64_t runs = 0;
	while (now.tv_sec < end) {
		for (uint32_t i = 0; i < 64; i++, runs++) {
			make_input();
			run_one();
		}
		clock_gettime(CLOCK_MONOTONIC, &now);
	}
	return runs;
}

int main(int argc, char **argv)
{
	unsigned long seconds = 0;
	signal(SIGABRT, on_crash);
	signal(SIGSEGV, on_crash);
	signal(SIGBUS, on_crash);
	for (int i = 1; i < argc; i++) {
		if (strncmp(argv[i], "--seconds=", 10) == 0) {
			seconds = strtoul(argv[i] + 10, NULL, 10);
		} else if (strncmp(argv[i], "--seed=", 7) == 0) {
			random_state = strtoull(argv[i] + 7, NULL, 10);
		} else if (strncmp(argv[i], "--write-examples=", 17) == 0) {
			return write_examples(argv[i] + 17) ? 0 : 2;
		} else if (!run_file(argv[i])) {
			return 2;
		}
	}
	run_examples();
	const uint64_t runs = run_for(seconds);
	printf("%u examples, %llu mutations\n", seed_count, (unsigned long long)runs);
	for (uint32_t i = 0; i < seed_count; i++) {
		free(seeds[i].data);
	}
	return 0;
}
