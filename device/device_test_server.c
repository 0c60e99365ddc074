// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * device_test_server.c - a plain file served through the front ends, for tests and measurements of
 * them alone
 *
 * A keeper process and a server process, like bsrd but without replication: what is behind the
 * front ends is one file. The server is replaced when it dies, by the protocol of
 * docs/design/restart.md. Commands come on standard input, one per line; each is answered by one
 * line that begins with "ok" or "error" (after lines of detail that begin with "- ").
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <bsr/assert.h>
#include <bsr/errors.h>

#include "device.h"

#define DEPTH 1024u

struct options {
	const char *file;
	const char *nbd_path;
	const char *name;
	bool fuse;
	bool write_through;
	uint32_t block_bytes;
	uint32_t credits;
	uint64_t pool_bytes;
};

/* What both processes see. */
struct shared {
	_Atomic uint64_t size_bytes; /* wanted by the keeper */
	_Atomic uint64_t served_bytes; /* what the server says now */
	_Atomic uint32_t requests_max; /* most that were in flight at once */
	_Atomic uint32_t flushes;
};

static struct options options = {.block_bytes = 512, .credits = DEPTH, .pool_bytes = 64u << 20, .name = "test"};
static struct shared *shared;

static void report(void *ctx, uint32_t log_number, const char *text)
{
	(void)ctx;
	(void)fprintf(stderr, "%u %s\n", log_number, text);
}

/* -------------------------------------------------------------------- server */

struct op {
	struct bsr_io io; /* first */
	struct server *server;
	struct bsr_ev_request request;
	bool flushing;
};

struct server {
	struct bsr_loop *loop;
	struct bsr_pool *pool;
	struct bsr_devices *devices;
	int slot;
	uint32_t in_flight;
	struct op op[BSR_REQUESTS_MAX];
};

static uint32_t credits(void *ctx)
{
	const struct server *s = ctx;
	return options.credits - s->in_flight;
}

static void op_done(struct bsr_io *io, int64_t result)
{
	struct op *op = (struct op *)(void *)io;
	struct server *s = op->server;
	const uint8_t kind = op->request.op;
	const bool ranges = kind == BSR_OP_DISCARD || kind == BSR_OP_ZEROES;
	if (result >= 0 && ranges && (op->request.flags & BSR_REQ_FUA) != 0 && !op->flushing) {
		op->flushing = true;
		bsr_loop_flush(s->loop, io, s->slot);
		return;
	}
	s->in_flight--;
	const int error = result >= 0 ? 0 : result == -ENOSPC ? -BSR_E_NO_SPACE : -BSR_E_IO;
	bsr_devices_complete(s->devices, op->request.tag, error);
	bsr_devices_resume(s->devices);
}

static void take_request(void *ctx, const struct bsr_ev_request *request)
{
	struct server *s = ctx;
	struct op *op = &s->op[request->tag];
	BSR_ASSERT(s->in_flight < options.credits);
	s->in_flight++;
	if (s->in_flight > shared->requests_max) {
		shared->requests_max = s->in_flight;
	}
	op->io.done = op_done;
	op->server = s;
	op->request = *request;
	op->flushing = false;
	switch ((enum bsr_op)request->op) {
	case BSR_OP_READ:
		bsr_loop_read(s->loop, &op->io, s->slot, bsr_pool_mem(s->pool, request->buf), request->length, request->offset);
		break;
	case BSR_OP_WRITE:
		bsr_loop_write(s->loop, &op->io, s->slot, bsr_pool_mem(s->pool, request->buf), request->length,
			request->offset, (request->flags & BSR_REQ_FUA) != 0 ? BSR_IO_DSYNC : 0);
		break;
	case BSR_OP_FLUSH:
		shared->flushes++;
		bsr_loop_flush(s->loop, &op->io, s->slot);
		break;
	case BSR_OP_DISCARD:
	case BSR_OP_ZEROES:
		bsr_loop_zero(s->loop, &op->io, s->slot, request->offset, request->length, request->op == BSR_OP_DISCARD);
		break;
	case BSR_OP_DIGEST:
		break; /* applications do not ask for that */
	}
}

static void end_of_turn(void *ctx)
{
	struct server *s = ctx;
	const uint64_t size_bytes = shared->size_bytes;
	if (size_bytes != shared->served_bytes) {
		bsr_device_resize(s->devices, 0, size_bytes);
		shared->served_bytes = size_bytes;
	}
	bsr_devices_flush(s->devices);
}

static const struct bsr_device_ops device_ops = {.credits = credits, .request = take_request, .report = report};

static void must(int error, const char *what)
{
	if (error < 0) {
		(void)fprintf(stderr, "%s: %s\n", what, strerror(-error));
		exit(1);
	}
}

static void nothing(int number)
{
	(void)number; /* a signal only ends the loop's wait */
}

_Noreturn static void serve(int fuse_fd, int listen_fd, int lifeline_fd, bool resumed)
{
	static struct server server;
	struct server *s = &server;
	bool locked;
	void *mem;
	size_t bytes;
	const struct sigaction action = {.sa_handler = nothing};
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	(void)sigaction(SIGUSR1, &action, NULL);
	const struct bsr_loop_options loop_options = {.depth = DEPTH, .lifeline_fd = lifeline_fd};
	must(bsr_loop_create(&s->loop, &loop_options), "loop");
	must(bsr_pool_create(&s->pool, options.pool_bytes, &locked), "pool");
	bsr_pool_region(s->pool, &mem, &bytes);
	bsr_loop_add_memory(s->loop, mem, bytes);
	const int file_fd = open(options.file, O_RDWR | O_DIRECT | O_CLOEXEC);
	must(file_fd < 0 ? -errno : 0, options.file);
	s->slot = bsr_loop_add_file(s->loop, file_fd);
	const struct bsr_devices_config config = {.loop = s->loop, .pool = s->pool, .ops = &device_ops, .ctx = s};
	must(bsr_devices_create(&s->devices, &config), "devices");
	bsr_device_block_size(s->devices, 0, options.block_bytes);
	if (options.write_through) {
		bsr_device_write_through(s->devices, 0);
	}
	shared->served_bytes = shared->size_bytes;
	if (listen_fd >= 0) {
		must(bsr_nbd_export(s->devices, 0, options.name, shared->size_bytes), "export");
		must(bsr_nbd_listen(s->devices, listen_fd), "listen");
	}
	if (fuse_fd >= 0) {
		must(bsr_fuse_serve(s->devices, 0, fuse_fd, shared->size_bytes, resumed), "fuse");
	}
	bsr_loop_on_turn(s->loop, end_of_turn, s);
	must(bsr_loop_run(s->loop), "run");
	exit(0);
}

/* -------------------------------------------------------------------- keeper */

static int fuse_fd = -1;
static int listen_fd = -1;
static struct bsr_loopdev *loopdev;
static _Atomic pid_t server_pid;
static _Atomic bool leaving;
static _Atomic bool nurse_done;
static _Atomic uint32_t generation;

static int start_server(bool resumed)
{
	int ends[2];
	must(pipe2(ends, O_CLOEXEC) == 0 ? 0 : -errno, "pipe");
	/* not all streams: the main thread sits in fgets() and holds the lock of stdin */
	(void)fflush(stdout);
	const pid_t pid = fork();
	must(pid < 0 ? -errno : 0, "fork");
	if (pid == 0) {
		(void)close(ends[0]);
		/* the child has the channel, but neither mount nor loop device */
		if (loopdev != NULL) {
			const int copy = fcntl(fuse_fd, F_DUPFD_CLOEXEC, 100);
			for (int fd = 3; fd < 100; fd++) {
				if (fd != listen_fd && fd != ends[1]) {
					(void)close(fd);
				}
			}
			fuse_fd = copy;
		}
		serve(fuse_fd, listen_fd, ends[1], resumed);
	}
	(void)close(ends[1]);
	server_pid = pid;
	return ends[0];
}

/*
 * Replaces a dead server: reap, wait until its I/O is over, have unanswered requests sent again,
 * start the next.
 */
static void *nurse_main(void *arg)
{
	int lifeline_fd = *(int *)arg;
	for (;;) {
		int status;
		if (waitpid(server_pid, &status, 0) < 0 || leaving) {
			nurse_done = true;
			return NULL;
		}
		struct pollfd end = {.fd = lifeline_fd, .events = POLLIN};
		while (poll(&end, 1, -1) < 0 && errno == EINTR) {
		}
		(void)close(lifeline_fd);
		if (WIFEXITED(status) && WEXITSTATUS(status) != 0) {
			(void)fprintf(stderr, "the server has given up\n");
			_exit(1);
		}
		if (loopdev != NULL) {
			const int error = bsr_loopdev_resend(loopdev);
			if (error != 0) {
				(void)fprintf(stderr, "resend: %s\n", strerror(-error));
			}
		}
		lifeline_fd = start_server(true);
		generation++;
	}
}

static int listen_on(const char *path)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	(void)snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
	(void)unlink(path);
	const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	must(fd < 0 ? -errno : 0, "socket");
	must(bind(fd, (const struct sockaddr *)&address, sizeof(address)) == 0 ? 0 : -errno, path);
	must(listen(fd, 64) == 0 ? 0 : -errno, path);
	return fd;
}

static void stop_server(void)
{
	leaving = true;
	do { /* the nurse may just be starting another one */
		(void)kill(server_pid, SIGKILL);
		(void)usleep(10000);
	} while (!nurse_done);
}

static void print_details(char *text)
{
	char *rest = NULL;
	for (char *line = strtok_r(text, "\n", &rest); line != NULL; line = strtok_r(NULL, "\n", &rest)) {
		printf("- %s\n", line);
	}
}

static int grow(uint64_t size_bytes)
{
	if (truncate(options.file, (off_t)size_bytes) != 0) {
		return -errno;
	}
	shared->size_bytes = size_bytes;
	while (shared->served_bytes != size_bytes) {
		(void)kill(server_pid, SIGUSR1);
		(void)usleep(1000);
	}
	return loopdev != NULL ? bsr_loopdev_resize(loopdev, size_bytes) : 0;
}

/* False: leave. */
static bool do_command(char *line)
{
	char text[4096];
	int error = 0;
	line[strcspn(line, "\n")] = '\0';
	if (strcmp(line, "holders") == 0) {
		const int count = bsr_loopdev_holders(loopdev, text, sizeof(text));
		print_details(text);
		printf("ok %d\n", count);
	} else if (strncmp(line, "grow ", 5) == 0) {
		error = grow(strtoull(line + 5, NULL, 10));
		printf(error == 0 ? "ok\n" : "error %s\n", strerror(-error));
	} else if (strcmp(line, "destroy") == 0 || strcmp(line, "force") == 0) {
		error = bsr_loopdev_destroy(loopdev, strcmp(line, "force") == 0);
		printf(error == 0 ? "ok\n" : "error %s\n", strerror(-error));
		if (error != -EBUSY) {
			loopdev = NULL;
			return false;
		}
	} else if (strcmp(line, "abandon") == 0) {
		stop_server();
		bsr_loopdev_abandon(loopdev);
		loopdev = NULL;
		printf("ok\n");
		return false;
	} else if (strcmp(line, "status") == 0) {
		printf("ok server=%d generation=%u requests_max=%u flushes=%u\n", (int)server_pid, generation,
			shared->requests_max, shared->flushes);
	} else {
		printf("error unknown command\n");
	}
	return true;
}

static void parse_options(int argc, char **argv)
{
	static const struct option known[] = {
		{"file", required_argument, NULL, 'f'}, {"nbd", required_argument, NULL, 'n'},
		{"fuse", no_argument, NULL, 'F'}, {"block", required_argument, NULL, 'b'},
		{"write-through", no_argument, NULL, 'w'}, {"credits", required_argument, NULL, 'c'},
		{"pool", required_argument, NULL, 'p'}, {0},
	};
	int letter;
	while ((letter = getopt_long(argc, argv, "", known, NULL)) != -1) {
		switch (letter) {
		case 'f':
			options.file = optarg;
			break;
		case 'n':
			options.nbd_path = optarg;
			break;
		case 'F':
			options.fuse = true;
			break;
		case 'b':
			options.block_bytes = (uint32_t)strtoul(optarg, NULL, 10);
			break;
		case 'w':
			options.write_through = true;
			break;
		case 'c':
			options.credits = (uint32_t)strtoul(optarg, NULL, 10);
			break;
		case 'p':
			options.pool_bytes = strtoull(optarg, NULL, 10);
			break;
		default:
			exit(2);
		}
	}
	if (options.file == NULL || options.credits == 0 || options.credits > DEPTH) {
		(void)fprintf(stderr, "usage: device_test_server --file FILE [--nbd SOCKET] [--fuse] ...\n");
		exit(2);
	}
}

int main(int argc, char **argv)
{
	struct stat st;
	char line[256];
	int index = -1;
	parse_options(argc, argv);
	must(stat(options.file, &st) == 0 ? 0 : -errno, options.file);
	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	must(shared == MAP_FAILED ? -errno : 0, "mmap");
	shared->size_bytes = (uint64_t)st.st_size / options.block_bytes * options.block_bytes;
	if (options.nbd_path != NULL) {
		listen_fd = listen_on(options.nbd_path);
	}
	if (options.fuse) {
		must(bsr_loopdev_create(&loopdev, &fuse_fd), "create");
		bsr_loopdev_block_size(loopdev, options.block_bytes);
	}
	int lifeline_fd = start_server(false);
	pthread_t nurse;
	must(-pthread_create(&nurse, NULL, nurse_main, &lifeline_fd), "thread");
	if (options.fuse) {
		must(bsr_loopdev_bind(loopdev, options.name, &index), "bind");
	}
	printf("ready loop=%d server=%d\n", index, (int)server_pid);
	(void)fflush(stdout);
	while (fgets(line, sizeof(line), stdin) != NULL && do_command(line)) {
		(void)fflush(stdout);
	}
	(void)fflush(stdout);
	int error = 0;
	if (loopdev != NULL) {
		error = bsr_loopdev_destroy(loopdev, true);
	}
	stop_server();
	(void)pthread_join(nurse, NULL);
	if (options.nbd_path != NULL) {
		(void)unlink(options.nbd_path);
	}
	return error == 0 ? 0 : 1;
}
