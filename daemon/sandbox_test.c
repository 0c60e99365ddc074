// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * sandbox_test.c - what the engine process can no longer do; each try in a process of its own
 */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "engine_process.h"

#define DENIED (128 + SIGSYS)

/* Exit code of @fn in a sandboxed child; what it wrote to standard error goes to @text. */
static int in_sandbox(int (*fn)(void), char *text, size_t room)
{
	int fds[2], status;
	assert_int_equal(pipe(fds), 0);
	pid_t pid = fork();
	if (pid == 0) {
		dup2(fds[1], STDERR_FILENO);
		close(fds[0]);
		if (bsr_sandbox_enter() != 0) {
			_exit(99);
		}
		_exit(fn());
	}
	close(fds[1]);
	size_t used = 0;
	ssize_t bytes;
	while (used < room - 1 && (bytes = read(fds[0], text + used, room - 1 - used)) > 0) {
		used += (size_t)bytes;
	}
	text[used] = '\0';
	close(fds[0]);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static int try_open(void)
{
	return open("/etc/passwd", O_RDONLY) < 0 && errno == EACCES ? 0 : 1;
}

static int try_work(void)
{
	char c = 'x';
	void *mem = malloc(10u << 20);
	bool got_memory = mem != NULL;
	free(mem);
	/* what it lives on still works: sockets it gets or makes, memory, time */
	int sock = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (!got_memory || sock < 0 || write(STDERR_FILENO, &c, 1) != 1 || getuid() != 65534 || getgid() != 65534) {
		return 1;
	}
	return 0;
}

static int try_fork(void)
{
	return fork() >= 0 ? 1 : 2;
}

static int try_exec(void)
{
	execl("/bin/true", "true", (char *)NULL);
	return 1;
}

static int try_kill(void)
{
	return kill(1, 0) == 0 ? 1 : 2;
}

static int try_mount(void)
{
	return mount("none", "/tmp", "tmpfs", 0, NULL) == 0 ? 1 : 2;
}

static int try_setuid(void)
{
	return setuid(0) == 0 ? 1 : 2;
}

static int try_unshare(void)
{
	return unshare(CLONE_NEWUSER) == 0 ? 1 : 2;
}

static int try_local_socket(void)
{
	return socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0) >= 0 ? 1 : 2;
}

static int try_netlink(void)
{
	return socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, 0) >= 0 ? 1 : 2;
}

static int try_code(void)
{
	void *mem = mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	return mem != MAP_FAILED ? 1 : 2;
}

static int try_code_later(void)
{
	void *mem = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	return mem != MAP_FAILED && mprotect(mem, 4096, PROT_READ | PROT_EXEC) == 0 ? 1 : 2;
}

static void it_can_work(void **state)
{
	char text[256];
	(void)state;
	assert_int_equal(in_sandbox(try_work, text, sizeof(text)), 0);
	assert_int_equal(in_sandbox(try_open, text, sizeof(text)), 0);
}

static void anything_else_ends_it_with_a_line(void **state)
{
	int (*const tries[])(void) = {try_fork, try_exec, try_kill, try_mount, try_setuid, try_unshare,
		try_local_socket, try_netlink, try_code, try_code_later};
	(void)state;
	for (size_t i = 0; i < sizeof(tries) / sizeof(tries[0]); i++) {
		char text[256];
		assert_int_equal(in_sandbox(tries[i], text, sizeof(text)), DENIED);
		assert_non_null(strstr(text, "6012 error syscall-denied syscall="));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(it_can_work),
		cmocka_unit_test(anything_else_ends_it_with_a_line),
	};
	if (geteuid() != 0) {
		return 77;
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
