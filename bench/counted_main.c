// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * counted_main.c - bsrd for counting instructions: its engine process runs under callgrind and
 * without the sandbox
 *
 * Not installed. The keeper starts /proc/self/exe as the engine process; that is this program,
 * which puts valgrind in between once. Everything else is bsrd's own main() and objects. SIGUSR1
 * begins to count, SIGUSR2 ends it and writes the counts to $BSR_COUNT_DIR/callgrind.HOST.PID.1.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <valgrind/callgrind.h>

#include "engine_process.h"

int bsrd_main(int argc, char **argv);
int main(int argc, char **argv);

static void begin_to_count(int number)
{
	(void)number;
	CALLGRIND_ZERO_STATS;
}

static void end_counting(int number)
{
	(void)number;
	CALLGRIND_DUMP_STATS;
}

/* In place of the sandbox: valgrind opens files, which a sandboxed process may not. */
int bsr_sandbox_enter(void)
{
	return signal(SIGUSR1, begin_to_count) == SIG_ERR || signal(SIGUSR2, end_counting) == SIG_ERR ? -1 : 0;
}

int main(int argc, char **argv)
{
	const char *dir = getenv("BSR_COUNT_DIR");
	const bool is_engine = argc == 4 && strcmp(argv[1], "--engine") == 0;
	if (is_engine && dir != NULL && getenv("BSR_COUNTED") == NULL) {
		char self[4096], out[4200], name[128];
		/*
		 * callgrind counts each byte that "rep movsb" moves as an instruction: copy in wide
		 * registers instead
		 */
		setenv("GLIBC_TUNABLES", "glibc.cpu.x86_rep_movsb_threshold=1073741824", 1);
		const ssize_t bytes = readlink("/proc/self/exe", self, sizeof(self) - 1);
		if (bytes <= 0 || gethostname(name, sizeof(name)) != 0 || setenv("BSR_COUNTED", "1", 1) != 0) {
			return BSRD_EXIT_FAILED;
		}
		self[bytes] = '\0';
		snprintf(out, sizeof(out), "--callgrind-out-file=%s/callgrind.%s.%%p", dir, name);
		execlp("valgrind", "valgrind", "--tool=callgrind", "--vgdb=no", "-q",
			out, self, argv[1], argv[2],
			argv[3], (char *)NULL);
		perror("valgrind");
		return BSRD_EXIT_FAILED;
	}
	return bsrd_main(argc, argv);
}
