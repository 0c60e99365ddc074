// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * main.c - the bsrd command: arguments, becoming a daemon, keeper or engine process
 *
 * Owns: the command line, privileges of the whole process tree that must be set before the engine
 *       process exists.
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <bsr/assert.h>

#include "bsrd.h"
#include "engine_process.h"
#include "keeper.h"

#ifndef PR_SET_IO_FLUSHER
#define PR_SET_IO_FLUSHER 57 /* since Linux 5.6; absent from older headers */
#endif

static const char usage_text[] =
	"usage: bsrd [-f] [-n NODE_ID] [-H HELPER] [--allow-faults] RESOURCE\n"
	"Runs one replicated resource: a keeper process (root) and an engine process (no privileges).\n"
	"  -f, --foreground       stay in the foreground, log to standard error\n"
	"  -n, --node-id NODE_ID  create the resource at once (0..31); else new-resource does, on the control socket\n"
	"  -H, --helper PROGRAM   run 'PROGRAM HANDLER RESOURCE' for handlers (default: no handler is run)\n"
	"      --allow-faults     accept fault injection (bsrcon /fault): for tests only\n"
	"  -V, --version\n"
	"  -h, --help\n"
	"Environment: BSR_RUN_DIR (/run/bsr), BSR_LOCK_DIR (/var/lock), BSR_LOG_DIR (/var/log/bsr), BSR_DEV_DIR (/dev),\n"
	"BSR_POOL_MIB (64), BSR_LOOP_BACKEND (uring, threads), BSR_ALLOW_FAULTS (1: as --allow-faults), BSR_SYSLOG (/dev/log),\n"
	"BSR_SETTINGS_DIR (/etc/bsr.d). See bsrd(8).\n";

struct arguments {
	bool foreground;
	uint32_t node_id;
	const char *helper;
	bool faults;
	const char *engine_fd;
	const char *resource;
};

static int usage_error(const char *what, const char *arg)
{
	fprintf(stderr, "bsrd: %s%s%s\n%s", what, arg != NULL ? ": " : "", arg != NULL ? arg : "", usage_text);
	return BSRD_EXIT_USAGE;
}

static bool resource_name_ok(const char *name)
{
	size_t length = strlen(name);
	if (length == 0 || length > BSR_NAME_BYTES_MAX || name[0] == '.' || name[0] == '-') {
		return false;
	}
	return strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.+-") == length;
}

static bool parse_node_id(const char *text, uint32_t *node_id)
{
	char *end;
	errno = 0;
	unsigned long value = strtoul(text, &end, 10);
	if (errno != 0 || end == text || *end != '\0' || text[0] == '-' || value >= BSR_NODES_MAX) {
		return false;
	}
	*node_id = (uint32_t)value;
	return true;
}

/* 0: go on; else what main returns, plus one */
static int parse(int argc, char **argv, struct arguments *a)
{
	static const struct option options[] = {
		{"foreground", no_argument, NULL, 'f'},
		{"node-id", required_argument, NULL, 'n'},
		{"helper", required_argument, NULL, 'H'},
		{"engine", required_argument, NULL, 'E'},
		{"allow-faults", no_argument, NULL, 'F'},
		{"version", no_argument, NULL, 'V'},
		{"help", no_argument, NULL, 'h'},
		{NULL, 0, NULL, 0},
	};
	int c;
	while ((c = getopt_long(argc, argv, "fn:H:Vh", options, NULL)) != -1) {
		switch (c) {
		case 'f':
			a->foreground = true;
			break;
		case 'n':
			if (!parse_node_id(optarg, &a->node_id)) {
				return 1 + usage_error("node id must be a number 0..31", optarg);
			}
			break;
		case 'H':
			a->helper = optarg;
			break;
		case 'E':
			a->engine_fd = optarg;
			break;
		case 'F':
			a->faults = true;
			break;
		case 'V':
			printf("bsrd %s\n", BSR_VERSION);
			return 1;
		case 'h':
			fputs(usage_text, stdout);
			return 1;
		default:
			return 1 + usage_error("bad option", NULL);
		}
	}
	if (optind != argc - 1) {
		return 1 + usage_error("exactly one resource is needed", NULL);
	}
	a->resource = argv[optind];
	if (!resource_name_ok(a->resource)) {
		return 1 + usage_error("not a resource name (letters, digits and _.+- up to 128 bytes)", a->resource);
	}
	return 0;
}

/* ------------------------------------------------------- becoming a daemon */

/* The starter waits for the first byte: the exit code; then comes the text. */
static int wait_for_report(int fd)
{
	char report[2100];
	size_t used = 0;
	ssize_t bytes;
	while (used < sizeof(report) - 1 &&
		((bytes = read(fd, report + used, sizeof(report) - 1 - used)) > 0 || (bytes < 0 && errno == EINTR))) {
		used += bytes > 0 ? (size_t)bytes : 0;
	}
	if (used == 0) {
		fprintf(stderr, "bsrd: the keeper died while it started; its log may say why\n");
		return BSRD_EXIT_FAILED;
	}
	report[used] = '\0';
	if (report[0] != 0) {
		fprintf(stderr, "bsrd: %s\n", report + 1);
	}
	return (unsigned char)report[0];
}

/* Returns in the child with the descriptor to report to; the parent exits with what is reported. */
static int daemonise(struct keeper *k)
{
	int report[2];
	int log_fd = keeper_log_open(k);
	int null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
	if (log_fd < 0 || null_fd < 0 || pipe2(report, O_CLOEXEC) != 0) {
		exit(BSRD_EXIT_FAILED);
	}
	pid_t pid = fork();
	if (pid < 0) {
		fprintf(stderr, "bsrd: cannot fork: %s\n", strerror(errno));
		exit(BSRD_EXIT_FAILED);
	}
	if (pid > 0) {
		close(report[1]);
		exit(wait_for_report(report[0]));
	}
	close(report[0]);
	setsid();
	if (chdir("/") != 0) {
		exit(BSRD_EXIT_FAILED);
	}
	dup2(null_fd, STDIN_FILENO);
	dup2(null_fd, STDOUT_FILENO);
	dup2(log_fd, STDERR_FILENO);
	return report[1];
}

/* ------------------------------------------- rights that children inherit */

static void raise_limit(int resource)
{
	struct rlimit limit = {.rlim_cur = RLIM_INFINITY, .rlim_max = RLIM_INFINITY};
	if (setrlimit((__rlimit_resource_t)resource, &limit) == 0 ||
		getrlimit((__rlimit_resource_t)resource, &limit) != 0) {
		return;
	}
	limit.rlim_cur = limit.rlim_max;
	/* as far as it goes; the engine process checks what it has */
	setrlimit((__rlimit_resource_t)resource, &limit);
}

static void prepare_rights(void)
{
	raise_limit(RLIMIT_MEMLOCK);
	raise_limit(RLIMIT_NOFILE);
	if (prctl(PR_SET_IO_FLUSHER, 1, 0, 0, 0) != 0) {
		bsr_log(BSR_LOGN_IO_FLUSHER_REFUSED, "error=\"%s\" needs=CAP_SYS_RESOURCE", strerror(errno));
	}
	int fd = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);
	if (fd < 0 || write(fd, "-900", 4) != 4) {
		bsr_log(BSR_LOGN_OOM_SCORE_REFUSED, "error=\"%s\" needs=CAP_SYS_RESOURCE", strerror(errno));
	}
	if (fd >= 0) {
		close(fd);
	}
}

static void find_program(struct keeper *k)
{
	ssize_t bytes = readlink("/proc/self/exe", k->program, sizeof(k->program) - 1);
	k->program[bytes > 0 ? bytes : 0] = '\0';
}

static void keeper_init(struct keeper *k, const struct arguments *a)
{
	memcpy(k->resource, a->resource, strlen(a->resource) + 1);
	k->helper = a->helper;
	k->faults_allowed = a->faults;
	k->node_id_arg = a->node_id;
	k->control_fd = k->nbd_fd = k->adopt_fd = k->config_fd = k->pid_fd = k->report_fd = -1;
	k->engine_sock = k->engine_pidfd = k->lifeline_fd = -1;
	k->wake_ns = UINT64_MAX;
	for (uint32_t i = 0; i < BSR_VOLUMES_MAX; i++) {
		k->volume[i].disk = (struct keeper_disk){.data_fd = -1, .md_fd = -1, .lock_fd = -1};
		k->volume[i].device.channel_fd = -1;
	}
	find_program(k);
}

static int keeper_main(const struct arguments *a)
{
	static struct keeper k; /* large */
	char why[600];
	if (geteuid() != 0) {
		fprintf(stderr, "bsrd: the keeper must be started by root\n");
		return BSRD_EXIT_FAILED;
	}
	keeper_init(&k, a);
	keeper_log_load(&k);
	if (!a->foreground) {
		k.report_fd = daemonise(&k);
	}
	bsr_logging_init(a->resource);
	keeper_log_began(&k);
	prepare_rights();
	int code = keeper_files_open(&k, why, sizeof(why));
	if (code != 0) {
		if (a->foreground) {
			fprintf(stderr, "bsrd: %s\n", why);
		}
		keeper_report(&k, code, why);
		return code;
	}
	return bsr_keeper_run(&k);
}

/* Descriptors 0..2 must exist, or a disk could become standard error. */
static void fill_standard_fds(void)
{
	int fd;
	do {
		fd = open("/dev/null", O_RDWR);
	} while (fd >= 0 && fd <= STDERR_FILENO);
	if (fd >= 0) {
		close(fd);
	}
}

int main(int argc, char **argv)
{
	struct arguments a = {.node_id = UINT32_MAX};
	const char *faults = getenv("BSR_ALLOW_FAULTS");
	a.faults = faults != NULL && strcmp(faults, "1") == 0;
	fill_standard_fds();
	int code = parse(argc, argv, &a);
	if (code != 0) {
		return code - 1;
	}
	if (a.engine_fd != NULL) {
		return bsr_engine_process_main(atoi(a.engine_fd), a.resource);
	}
	return keeper_main(&a);
}
