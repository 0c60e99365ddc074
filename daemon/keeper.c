// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * keeper.c - the keeper: starts the engine process, watches it, and starts the next one when it
 * dies
 *
 * Owns: the engine process's life, the keeper's wait.
 * Invariants:
 *   KP-1  Two engine processes never have I/O under way at the same time: a dead one is reaped,
 *         then end of file on its lifeline says that its ring is quiet, then unanswered requests
 *         are resent, then the next one starts.
 *   KP-2  While a device exists the keeper never gives up restarting.
 *   KP-3  The keeper's thread never waits for a disk, for the engine process or for a handler.
 * Design: docs/design/processes.md
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <bsr/assert.h>

#include "bsrd.h"
#include "keeper.h"

#define NS_PER_MS 1000000ull
/* a line this often while waiting for a dead process's I/O */
#define QUIET_REPORT_NS (3000 * NS_PER_MS)
#define LONG_LIFE_NS (10000 * NS_PER_MS)   /* who lived longer did not die of its start */
#define QUICK_DEATHS_FREE 3u		   /* restarts at once before the pauses begin */
#define QUICK_DEATHS_MAX 20u		   /* then the keeper gives up, unless a device exists */
#define PAUSE_FIRST_NS (100 * NS_PER_MS)
#define PAUSE_MAX_NS (5000 * NS_PER_MS)

/* By descriptor: the number of one that was adopted could belong to somebody else by now. */
static void kill_engine(const struct keeper *k)
{
	syscall(SYS_pidfd_send_signal, k->engine_pidfd, SIGKILL, NULL, 0);
}

uint64_t keeper_now_ns(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000ull + (uint64_t)now.tv_nsec;
}

void keeper_report(struct keeper *k, int exit_code, const char *text)
{
	if (k->report_fd < 0) {
		return;
	}
	char line[2100];
	int bytes = snprintf(line, sizeof(line), "%c%s", (char)exit_code, text);
	/* the starter may have been killed; then nobody is left to be told */
	ssize_t ignored = write(k->report_fd, line, bytes < (int)sizeof(line) ? (size_t)bytes : sizeof(line) - 1);
	(void)ignored;
	close(k->report_fd);
	k->report_fd = -1;
}

void keeper_answer(struct keeper *k, const struct bsrd_message *m, const struct bsrd_fds *fds)
{
	if (k->phase != KEEPER_RUNNING) {
		return;
	}
	int error = bsrd_ipc_send(k->engine_sock, m, fds);
	if (error == -EAGAIN) {
		/*
		 * it has not read for BSRD_IPC_SEND_TIMEOUT_S: it hangs, and an answer lost would
		 * hang it for ever
		 */
		bsr_log(BSR_LOGN_REQUEST_REFUSED, "why=\"engine process does not read its answers; it is stopped\"");
		kill_engine(k);
	}
}

/* ------------------------------------------------------------ start and end */

_Noreturn static void exec_engine(const struct keeper *k, int sock)
{
	char number[16];
	sigset_t none;
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	fcntl(sock, F_SETFD, 0);
	snprintf(number, sizeof(number), "%d", sock);
	/*
	 * A replaced program file is the next version; if it does not start, every second try is
	 * with the keeper's own.
	 */
	if (k->unready_deaths % 2 == 0) {
		execl(k->program, "bsrd", "--engine", number, k->resource, (char *)NULL);
	}
	execl("/proc/self/exe", "bsrd", "--engine", number, k->resource, (char *)NULL);
	_exit(BSRD_EXIT_FAILED);
}

int keeper_pidfd(pid_t pid)
{
	return (int)syscall(SYS_pidfd_open, pid, 0);
}

/* The pid goes into the lock file for people; nobody relies on it. */
static void note_engine_pid(int lock_fd, pid_t pid)
{
	char text[32];
	/* of a fixed width, in one write: a reader sees the old number or the new one */
	int bytes = snprintf(text, sizeof(text), "%-10ld\n", (long)pid);
	if (pwrite(lock_fd, text, (size_t)bytes, 0) != bytes) {
		bsr_log(BSR_LOGN_KEEPER_FAILED, "what=write-engine-pid error=\"%s\"", strerror(errno));
	}
}

static int spawn(struct keeper *k, int *lifeline_write, int *lock_fd)
{
	int pair[2], lifeline[2];
	struct timeval limit = {.tv_sec = BSRD_IPC_SEND_TIMEOUT_S};
	*lock_fd = keeper_engine_lock(k);
	if (*lock_fd < 0 || socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) != 0) {
		return -errno;
	}
	if (pipe2(lifeline, O_CLOEXEC) != 0) {
		return -errno;
	}
	setsockopt(pair[0], SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
	pid_t pid = fork();
	if (pid < 0) {
		return -errno;
	}
	if (pid == 0) {
		exec_engine(k, pair[1]);
	}
	close(pair[1]);
	k->engine_sock = pair[0];
	k->engine_pid = pid;
	k->engine_pidfd = keeper_pidfd(pid);
	k->lifeline_fd = lifeline[0];
	*lifeline_write = lifeline[1];
	note_engine_pid(*lock_fd, pid);
	return k->engine_pidfd < 0 ? -errno : 0;
}

/* Failing here is as good as a death at once: the caller's next wait notices. */
static int start_engine(struct keeper *k)
{
	int lifeline_write = -1, lock_fd = -1;
	k->generation++;
	k->ready = false;
	k->started_ns = keeper_now_ns();
	int error = spawn(k, &lifeline_write, &lock_fd);
	if (error != 0) {
		bsr_log(BSR_LOGN_KEEPER_FAILED, "what=start-engine-process error=\"%s\"", strerror(-error));
		return error;
	}
	k->adopted = false;
	k->phase = KEEPER_RUNNING;
	k->wake_ns = UINT64_MAX;
	bsr_log(BSR_LOGN_ENGINE_STARTED, "generation=%llu pid=%ld", (unsigned long long)k->generation,
		(long)k->engine_pid);
	error = keeper_send_start(k, lifeline_write, lock_fd);
	if (error != 0) {
		kill_engine(k); /* it has died already, or does not read */
	}
	close(lifeline_write);
	close(lock_fd);
	return 0;
}

static void drain_requests(struct keeper *k)
{
	static struct bsrd_message m; /* large; the keeper has one thread that reads */
	struct bsrd_fds fds;
	for (;;) {
		int got = bsrd_ipc_receive(k->engine_sock, &m, &fds, false);
		if (got == 1) {
			keeper_dispatch(k, &m, &fds);
		} else if (got == -EPROTO) {
			bsr_log(BSR_LOGN_REQUEST_REFUSED, "why=\"malformed message\"");
		} else {
			return; /* nothing more, or end: the pidfd tells */
		}
	}
}

static void log_death(const struct keeper *k, int status)
{
	if (k->gone && WIFEXITED(status) && WEXITSTATUS(status) == 0) {
		return;
	}
	if (k->adopted) {
		bsr_log(BSR_LOGN_ENGINE_DIED, "generation=%llu pid=%ld signal=unknown",
			(unsigned long long)k->generation, (long)k->engine_pid);
		return;
	}
	if (WIFSIGNALED(status)) {
		bsr_log(BSR_LOGN_ENGINE_DIED, "generation=%llu pid=%ld signal=%s%s", (unsigned long long)k->generation,
			(long)k->engine_pid, sigabbrev_np(WTERMSIG(status)), WCOREDUMP(status) ? " core=yes" : "");
	} else {
		bsr_log(BSR_LOGN_ENGINE_DIED, "generation=%llu pid=%ld exit_code=%d", (unsigned long long)k->generation,
			(long)k->engine_pid, WEXITSTATUS(status));
	}
}

static void engine_died(struct keeper *k)
{
	int status = 0;
	/*
	 * one that was adopted is reaped by init; the pidfd says as surely that none of its threads
	 * runs any more
	 */
	if (!k->adopted && waitpid(k->engine_pid, &status, WNOHANG) != k->engine_pid) {
		return;
	}
	drain_requests(k); /* its last words: a configuration, GONE */
	log_death(k, status);
	close(k->engine_sock);
	close(k->engine_pidfd);
	k->engine_sock = -1;
	k->engine_pidfd = -1;
	keeper_jobs_forget(k);
	k->died_ns = keeper_now_ns();
	/*
	 * a SIGKILL after READY is somebody's wish (or memory pressure), not a defect that a pause
	 * could help
	 */
	bool killed = WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL;
	bool healthy = k->ready && (killed || k->died_ns - k->started_ns > LONG_LIFE_NS);
	k->quick_deaths = healthy ? 0 : k->quick_deaths + 1;
	k->unready_deaths = k->ready ? 0 : k->unready_deaths + 1;
	k->phase = KEEPER_QUIETING;
	k->wake_ns = k->died_ns + QUIET_REPORT_NS;
}

/* ------------------------------------------------------------------ restart */

static void finish(struct keeper *k, int exit_code)
{
	k->phase = KEEPER_DONE;
	k->exit_code = exit_code;
}

static uint64_t pause_before_start(const struct keeper *k)
{
	uint64_t pause = PAUSE_FIRST_NS;
	if (k->quick_deaths <= QUICK_DEATHS_FREE) {
		return 0;
	}
	for (uint32_t i = QUICK_DEATHS_FREE + 1; i < k->quick_deaths && pause < PAUSE_MAX_NS; i++) {
		pause *= 2;
	}
	return pause < PAUSE_MAX_NS ? pause : PAUSE_MAX_NS;
}

static void restart(struct keeper *k)
{
	keeper_resend(k);
	if (start_engine(k) != 0) {
		k->quick_deaths++;
		k->phase = KEEPER_PAUSING;
		k->wake_ns = keeper_now_ns() + PAUSE_MAX_NS;
	}
}

static void engine_quiet(struct keeper *k)
{
	close(k->lifeline_fd);
	k->lifeline_fd = -1;
	if (k->gone) {
		finish(k, 0);
		return;
	}
	if (k->generation == 1 && !k->ready) {
		bsr_log(BSR_LOGN_KEEPER_FAILED, "what=first-start");
		keeper_report(k, BSRD_EXIT_FAILED, "the engine process could not start; its log says why");
		finish(k, BSRD_EXIT_FAILED);
		return;
	}
	if (k->quick_deaths > QUICK_DEATHS_MAX && !keeper_device_bound(k)) {
		bsr_log(BSR_LOGN_KEEPER_FAILED, "what=crash-loop deaths=%u", (unsigned)k->quick_deaths);
		finish(k, BSRD_EXIT_FAILED);
		return;
	}
	uint64_t pause = pause_before_start(k);
	if (pause == 0) {
		restart(k);
		return;
	}
	bsr_log(BSR_LOGN_CRASH_LOOP, "deaths=%u pause_ms=%llu", (unsigned)k->quick_deaths,
		(unsigned long long)(pause / NS_PER_MS));
	k->phase = KEEPER_PAUSING;
	k->wake_ns = keeper_now_ns() + pause;
}

static void on_clock(struct keeper *k)
{
	uint64_t now = keeper_now_ns();
	if (now < k->wake_ns) {
		return;
	}
	if (k->phase == KEEPER_QUIETING) {
		bsr_log(BSR_LOGN_ENGINE_NOT_QUIET, "generation=%llu waited_ms=%llu", (unsigned long long)k->generation,
			(unsigned long long)((now - k->died_ns) / NS_PER_MS));
		k->wake_ns = now + QUIET_REPORT_NS;
	} else if (k->phase == KEEPER_PAUSING) {
		restart(k);
	} else {
		k->wake_ns = UINT64_MAX;
	}
}

/* ------------------------------------------------------------------ signals */

static void stop(struct keeper *k)
{
	struct bsrd_message m;
	if (k->phase != KEEPER_RUNNING || !k->ready) {
		k->stop_wanted = true; /* asked again when an engine process is ready */
		return;
	}
	bsrd_message_init(&m, BSRD_IPC_STOP);
	bsrd_message_set_text(&m, "");
	keeper_answer(k, &m, NULL);
}

static void on_signal(struct keeper *k)
{
	struct signalfd_siginfo info;
	while (read(k->signal_fd, &info, sizeof(info)) == (ssize_t)sizeof(info)) {
		switch (info.ssi_signo) {
		case SIGTERM:
		case SIGINT:
			stop(k);
			break;
		case SIGHUP:
			/*
			 * the next engine process is started from the program file as it is now: an
			 * upgrade
			 */
			if (k->phase == KEEPER_RUNNING && k->ready) {
				kill_engine(k);
			}
			break;
		default: /* SIGCHLD: handlers; the engine process has its pidfd */
			keeper_handlers_reap(k);
			break;
		}
	}
}

static int open_plumbing(struct keeper *k)
{
	sigset_t set;
	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGHUP);
	sigaddset(&set, SIGCHLD);
	sigprocmask(SIG_BLOCK, &set, NULL);
	signal(SIGPIPE, SIG_IGN);
	k->signal_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (k->config_fd < 0) {
		k->config_fd = memfd_create("bsr-running", MFD_CLOEXEC);
	}
	if (k->signal_fd < 0 || k->config_fd < 0 || pipe2(k->job_pipe, O_CLOEXEC) != 0 ||
		fcntl(k->job_pipe[0], F_SETFL, O_NONBLOCK) != 0) {
		return -errno;
	}
	return 0;
}

/* --------------------------------------------------------------- main loop */

static int wait_ms(const struct keeper *k)
{
	if (k->wake_ns == UINT64_MAX) {
		return -1;
	}
	uint64_t now = keeper_now_ns();
	return now >= k->wake_ns ? 0 : (int)((k->wake_ns - now) / NS_PER_MS + 1);
}

static void turn(struct keeper *k)
{
	bool running = k->phase == KEEPER_RUNNING;
	struct pollfd p[] = {
		{.fd = k->signal_fd, .events = POLLIN},
		{.fd = k->job_pipe[0], .events = POLLIN},
		{.fd = running ? k->engine_sock : -1, .events = POLLIN},
		{.fd = running ? k->engine_pidfd : -1, .events = POLLIN},
		{.fd = k->phase == KEEPER_QUIETING ? k->lifeline_fd : -1, .events = POLLIN},
	};
	if (poll(p, sizeof(p) / sizeof(p[0]), wait_ms(k)) < 0 && errno != EINTR) {
		bsr_log(BSR_LOGN_KEEPER_FAILED, "what=poll error=\"%s\"", strerror(errno));
		usleep(100000); /* out of memory, perhaps; the engine process goes on meanwhile */
		return;
	}
	if ((p[0].revents & POLLIN) != 0) {
		on_signal(k);
	}
	if ((p[1].revents & POLLIN) != 0) {
		keeper_job_done(k);
	}
	if ((p[2].revents & POLLIN) != 0) {
		drain_requests(k);
	}
	/*
	 * After a hang-up the socket stays readable for ever; the pidfd follows within the
	 * process's exit.
	 */
	if ((p[2].revents & POLLHUP) != 0 && (p[3].revents & POLLIN) == 0) {
		usleep(1000);
	}
	if ((p[3].revents & POLLIN) != 0) {
		engine_died(k);
	}
	if ((p[4].revents & (POLLIN | POLLHUP)) != 0) {
		engine_quiet(k);
	}
	on_clock(k);
	keeper_log_turn(k);
}

static bool jobs_run(const struct keeper *k)
{
	for (uint32_t i = 0; i < BSR_VOLUMES_MAX; i++) {
		if (k->volume[i].busy) {
			return true;
		}
	}
	return false;
}

int bsr_keeper_run(struct keeper *k)
{
	int error = open_plumbing(k);
	if (error == 0) {
		bsr_log(BSR_LOGN_KEEPER_STARTED, "version=%s pid=%ld", BSR_VERSION, (long)getpid());
		if (!k->adopted) {
			error = start_engine(k);
		} else {
			keeper_report(k, 0, "");
		}
	}
	if (error != 0) {
		keeper_report(k, BSRD_EXIT_FAILED, strerror(-error));
		return BSRD_EXIT_FAILED;
	}
	while (k->phase != KEEPER_DONE || jobs_run(k)) {
		turn(k);
	}
	for (uint32_t i = 0; i < BSR_VOLUMES_MAX; i++) {
		keeper_disk_close(&k->volume[i].disk);
	}
	keeper_files_remove(k);
	if (k->exit_code == 0) {
		bsr_log(BSR_LOGN_STOPPED, "pid=%ld", (long)getpid());
	}
	return k->exit_code;
}
