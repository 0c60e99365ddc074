// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * sandbox.c - the engine process gives up all rights that it does not need
 *
 * Owns: user and group, capabilities, no_new_privs, dumpability, the system-call filter.
 * The process that parses bytes from the network ends here as nobody, without capabilities, unable
 * to open files, to start programs or to signal anybody. What it works on are descriptors that the
 * keeper gave it.
 */
#include <errno.h>
#include <grp.h>
#include <seccomp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <linux/capability.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

#include "engine_process.h"

#define NOBODY 65534u

/*
 * In steady state plus what attaching, dialing and logging need; the numbers of the libraries' own
 * needs included.
 */
static const int allowed[] = {
	/* the loop, both kinds */
	SCMP_SYS(io_uring_enter), SCMP_SYS(io_uring_register), SCMP_SYS(epoll_wait), SCMP_SYS(epoll_pwait),
	SCMP_SYS(epoll_pwait2), SCMP_SYS(epoll_ctl), SCMP_SYS(ppoll), SCMP_SYS(poll), SCMP_SYS(futex),
	SCMP_SYS(clock_gettime), SCMP_SYS(clock_nanosleep), SCMP_SYS(nanosleep), SCMP_SYS(gettimeofday),
	SCMP_SYS(timerfd_settime), SCMP_SYS(eventfd2), SCMP_SYS(rseq), SCMP_SYS(set_robust_list), SCMP_SYS(sched_yield),
	/* files */
	SCMP_SYS(read), SCMP_SYS(write), SCMP_SYS(readv), SCMP_SYS(writev), SCMP_SYS(pread64), SCMP_SYS(pwrite64),
	SCMP_SYS(preadv), SCMP_SYS(pwritev), SCMP_SYS(preadv2), SCMP_SYS(pwritev2), SCMP_SYS(fdatasync),
	SCMP_SYS(fsync), SCMP_SYS(fallocate), SCMP_SYS(close), SCMP_SYS(fstat), SCMP_SYS(newfstatat),
	SCMP_SYS(lseek), SCMP_SYS(fcntl), SCMP_SYS(memfd_create), SCMP_SYS(ftruncate), SCMP_SYS(dup),
	/* network */
	SCMP_SYS(bind), SCMP_SYS(connect), SCMP_SYS(accept), SCMP_SYS(accept4),
	SCMP_SYS(getsockopt), SCMP_SYS(setsockopt), SCMP_SYS(getsockname), SCMP_SYS(getpeername), SCMP_SYS(recvmsg),
	SCMP_SYS(recvfrom), SCMP_SYS(sendmsg), SCMP_SYS(sendto), SCMP_SYS(shutdown),
	/* memory */
	SCMP_SYS(munmap), SCMP_SYS(mremap), SCMP_SYS(madvise), SCMP_SYS(brk),
	/* the process itself */
	SCMP_SYS(getrandom), SCMP_SYS(getpid), SCMP_SYS(gettid), SCMP_SYS(tgkill), SCMP_SYS(rt_sigreturn),
	SCMP_SYS(rt_sigprocmask), SCMP_SYS(rt_sigaction), SCMP_SYS(sigaltstack), SCMP_SYS(restart_syscall),
	SCMP_SYS(exit), SCMP_SYS(exit_group), SCMP_SYS(getuid), SCMP_SYS(geteuid), SCMP_SYS(getgid), SCMP_SYS(getegid),
	SCMP_SYS(getppid), SCMP_SYS(getrusage), SCMP_SYS(clock_getres), SCMP_SYS(sysinfo),
};

/* Libraries ask for these and manage without: a refusal is enough. */
static const int refused[] = {
	SCMP_SYS(openat), SCMP_SYS(open), SCMP_SYS(readlink), SCMP_SYS(readlinkat), SCMP_SYS(access),
	SCMP_SYS(faccessat), SCMP_SYS(faccessat2), SCMP_SYS(uname), SCMP_SYS(prlimit64), SCMP_SYS(mlock),
	SCMP_SYS(mlock2), SCMP_SYS(munlock), SCMP_SYS(sched_getaffinity), SCMP_SYS(statx),
};

/* Sockets to peers, not to the services of this host (D-Bus, the journal); memory, but no new code. */
static int allow_sockets_and_memory(scmp_filter_ctx filter)
{
	static const int families[] = {AF_INET, AF_INET6};
	static const int mappings[] = {SCMP_SYS(mmap), SCMP_SYS(mprotect)};
	int error = 0;
	for (size_t i = 0; i < 2 && error == 0; i++) {
		error = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(socket), 1,
			SCMP_A0(SCMP_CMP_EQ, (scmp_datum_t)families[i], 0));
	}
	for (size_t i = 0; i < 2 && error == 0; i++) {
		error = seccomp_rule_add(
			filter, SCMP_ACT_ALLOW, mappings[i], 1, SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0));
	}
	return error;
}

/* Calls that have arguments that are safe and others that are not. */
static int allow_some(scmp_filter_ctx filter)
{
	static const unsigned long safe[] = {
		0x1277,	    /* BLKDISCARD */
		0x127f,	    /* BLKZEROOUT */
		0x80081272, /* BLKGETSIZE64 */
		0x541b,	    /* FIONREAD */
		0x5411,	    /* SIOCOUTQ */
	};
	int error = 0;
	for (size_t i = 0; i < sizeof(safe) / sizeof(safe[0]) && error == 0; i++) {
		error = seccomp_rule_add(
			filter, SCMP_ACT_ALLOW, SCMP_SYS(ioctl), 1, SCMP_A1(SCMP_CMP_EQ, (scmp_datum_t)safe[i], 0));
	}
	/* a new log file takes the place of standard error, and nothing else of anything */
	const struct scmp_arg_cmp of_stderr = SCMP_A1(SCMP_CMP_EQ, STDERR_FILENO, 0);
	if (error == 0) {
		error = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(dup2), 1, of_stderr);
	}
	return error != 0 ? error : seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(dup3), 1, of_stderr);
}

static scmp_filter_ctx build_filter(int *error)
{
	scmp_filter_ctx filter = seccomp_init(SCMP_ACT_TRAP);
	if (filter == NULL) {
		*error = -ENOMEM;
		return NULL;
	}
	/* threads of the fallback loop, too */
	*error = seccomp_attr_set(filter, SCMP_FLTATR_CTL_TSYNC, 1);
	for (size_t i = 0; i < sizeof(allowed) / sizeof(allowed[0]) && *error == 0; i++) {
		*error = seccomp_rule_add(filter, SCMP_ACT_ALLOW, allowed[i], 0);
	}
	for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]) && *error == 0; i++) {
		*error = seccomp_rule_add(filter, SCMP_ACT_ERRNO(EACCES), refused[i], 0);
	}
	if (*error == 0) {
		*error = allow_some(filter);
	}
	if (*error == 0) {
		*error = allow_sockets_and_memory(filter);
	}
	return filter;
}

/* Names the call before the end: the kernel's own record needs an audit daemon to be seen. */
static void on_denied(int signal_number, siginfo_t *info, void *context)
{
	char line[128];
	(void)signal_number;
	(void)context;
	/* snprintf with integers only: does not allocate */
	int bytes = snprintf(line, sizeof(line), "%u error syscall-denied syscall=%d msg=\"not in the filter\"\n",
		(unsigned)BSR_LOGN_SYSCALL_DENIED, info->si_syscall);
	ssize_t ignored = write(STDERR_FILENO, line, (size_t)bytes);
	(void)ignored;
	signal(SIGABRT, SIG_DFL);
	_exit(128 + SIGSYS);
}

static int drop_capabilities(void)
{
	struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3, .pid = 0};
	struct __user_cap_data_struct none[2];
	memset(none, 0, sizeof(none));
	if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) != 0 && errno != EINVAL) {
		return -errno;
	}
	return syscall(SYS_capset, &head, none) != 0 ? -errno : 0;
}

static int drop_user(void)
{
	for (int cap = 0; prctl(PR_CAPBSET_READ, cap, 0, 0, 0) >= 0; cap++) {
		/* what is missing cannot be regained; the end result is checked */
		prctl(PR_CAPBSET_DROP, cap, 0, 0, 0);
	}
	if (setgroups(0, NULL) != 0 || setresgid(NOBODY, NOBODY, NOBODY) != 0 ||
		setresuid(NOBODY, NOBODY, NOBODY) != 0) {
		return -errno;
	}
	return drop_capabilities();
}

#if defined(__SANITIZE_ADDRESS__)
/*
 * Only in a build for tests: what looks for leaks at the end is a thread that traces the process
 * and reads its maps, which is just what the filter and dumpability forbid.
 */
static bool leaks_are_looked_for(void)
{
	return getenv("BSR_LEAK_CHECK") != NULL && prctl(PR_SET_DUMPABLE, 1, 0, 0, 0) == 0;
}
#else
static bool leaks_are_looked_for(void)
{
	return false;
}
#endif

int bsr_sandbox_enter(void)
{
	struct sigaction action = {.sa_sigaction = on_denied, .sa_flags = SA_SIGINFO};
	int error = geteuid() == 0 ? drop_user() : -EPERM;
	if (error != 0) {
		return error;
	}
	if (setuid(0) == 0 || geteuid() != NOBODY) {
		return -EPERM; /* the way back must be closed */
	}
	if (leaks_are_looked_for()) {
		return 0;
	}
	if (sigaction(SIGSYS, &action, NULL) != 0 || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
		prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0) {
		return -errno;
	}
	scmp_filter_ctx filter = build_filter(&error);
	if (error == 0) {
		error = seccomp_load(filter);
	}
	seccomp_release(filter);
	return error;
}
