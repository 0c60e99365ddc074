// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * call.c - command lines of back ends: built, printed, run with a time limit
 *
 * Owns:       the child process that runs at the moment.
 * May touch:  processes it started.
 */
#include "adm.h"

#include "names.h"

#include <bsr/assert.h>

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static _Noreturn void die(const char *text)
{
	fprintf(stderr, "%s: %s\n", bsr_names()->admin, text);
	exit(ADM_CANNOT);
}

void adm_call_add(struct adm_call *call, const char *format, ...)
{
	va_list args;

	BSR_ASSERT(call->word[call->count] == NULL);
	if (call->count >= ADM_WORDS_MAX) {
		die("a command line of a back end has too many words");
	}
	va_start(args, format);
	if (vasprintf(&call->word[call->count], format, args) < 0) {
		die("out of memory");
	}
	va_end(args);
	call->word[++call->count] = NULL;
}

void adm_call_setup(struct adm_call *call, const struct adm *adm, const char *command)
{
	*call = (struct adm_call){.patience = ADM_SHORT};
	adm_call_add(call, "%s", adm->bsrsetup);
	adm_call_add(call, "%s", command);
}

static const char *meta_index_word(const struct cfg_volume *volume)
{
	return strcmp(volume->meta_index, "flexible") == 0 ? "flex-external" : volume->meta_index;
}

bool adm_is_regular_file(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 && S_ISREG(st.st_mode);
}

void adm_call_meta(struct adm_call *call, const struct adm *adm, const struct cfg_volume *volume)
{
	BSR_ASSERT(volume->meta_index != NULL && volume->minor >= 0);
	const bool internal = strcmp(volume->meta_index, "internal") == 0;
	const char *device = internal ? volume->disk : volume->meta_disk;

	*call = (struct adm_call){.patience = ADM_LONG, .is_meta = true};
	call->files_allowed = adm_is_regular_file(device);
	adm_call_add(call, "%s", adm->bsrmeta);
	adm_call_add(call, "%lld", (long long)volume->minor);
	adm_call_add(call, "v09");
	adm_call_add(call, "%s", device);
	adm_call_add(call, "%s", meta_index_word(volume));
}

void adm_call_free(struct adm_call *call)
{
	for (size_t i = 0; i < call->count; i++) {
		free(call->word[i]);
	}
	call->count = 0;
	call->word[0] = NULL;
}

/* Characters that a shell leaves alone. */
static bool is_plain(char c)
{
	const bool letter =
		(c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');

	return letter || (c != '\0' && strchr("-_./:=%@+", c) != NULL);
}

static void print_escaped(const char *word, FILE *to)
{
	if (*word == '\0') {
		fputs("''", to);
	}
	for (; *word != '\0'; word++) {
		if (!is_plain(*word) && (unsigned char)*word < 0x80) {
			fputc('\\', to);
		}
		fputc(*word, to);
	}
}

void adm_call_print(const struct adm *adm, const struct adm_call *call, FILE *to)
{
	for (size_t i = 0; i < call->count; i++) {
		print_escaped(call->word[i], to);
		if (i + 1 < call->count || !adm->drbd) {
			fputc(' ', to); /* of bsr also behind the last word */
		}
	}
	fputc('\n', to);
}

/* Seconds that a back end may take; 0: for ever. */
static unsigned int time_limit(const struct adm *adm, enum adm_patience patience)
{
	static const char *const names[] = {
		"cmd-timeout-short", "cmd-timeout-medium", "cmd-timeout-long"};

	if (patience == ADM_FOREVER) {
		return 0;
	}
	const char *text = adm->config == NULL ? NULL
					       : bsr_config_option_text(&adm->config->global,
							 BSR_SECTION_GLOBAL, names[patience]);
	const unsigned int seconds = text != NULL ? (unsigned int)strtoul(text, NULL, 10) : 121;
	return patience == ADM_SHORT ? seconds * 2 : seconds;
}

static _Noreturn void exec_child(const struct adm *adm, const struct adm_call *call, int output_fd)
{
	const char *path = call->is_meta ? adm->bsrmeta_path : adm->bsrsetup_path;

	if (output_fd >= 0) {
		dup2(output_fd, STDOUT_FILENO);
	}
	if (call->silent) {
		const int null = open("/dev/null", O_WRONLY | O_CLOEXEC);
		if (null >= 0) {
			dup2(null, STDERR_FILENO);
		}
	}
	if (call->files_allowed) {
		setenv("BSRMETA_ALLOW_FILES", "1", 1);
	}
	execvp(path, call->word);
	fprintf(stderr, "%s: cannot run %s: %s\n", bsr_names()->admin, path, strerror(errno));
	_exit(ADM_CANNOT);
}

static int64_t now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

/* Waits for @pid until @deadline_ms (0: for ever). False if it still runs then. */
static bool wait_until(pid_t pid, int64_t deadline_ms, int *status)
{
	const int pidfd = (int)syscall(SYS_pidfd_open, pid, 0);

	for (;;) {
		const pid_t done = waitpid(pid, status, deadline_ms == 0 ? 0 : WNOHANG);
		if (done == pid || (done < 0 && errno != EINTR)) {
			break;
		}
		const int64_t left = deadline_ms - now_ms();
		if (deadline_ms != 0 && left <= 0) {
			if (pidfd >= 0) {
				close(pidfd);
			}
			return false;
		}
		struct pollfd pfd = {.fd = pidfd, .events = POLLIN};
		/* without pidfd the same loop looks twice in 50 ms */
		(void)poll(
			pidfd >= 0 ? &pfd : NULL, pidfd >= 0 ? 1 : 0, pidfd >= 0 ? (int)left : 25);
	}
	if (pidfd >= 0) {
		close(pidfd);
	}
	return true;
}

static void print_failed(const struct adm_call *call, const char *what)
{
	fputs("Command '", stderr);
	for (size_t i = 0; i < call->count; i++) {
		if (i > 0) {
			fputc(' ', stderr);
		}
		if (strncmp(call->word[i], "--shared-secret=", 16) == 0) {
			fputs("--shared-secret=(hidden)", stderr);
		} else {
			print_escaped(call->word[i], stderr);
		}
	}
	fprintf(stderr, "' %s\n", what);
}

static int finish(struct adm *adm, const struct adm_call *call, pid_t pid)
{
	const unsigned int limit = time_limit(adm, call->patience);
	const int64_t deadline = limit == 0 ? 0 : now_ms() + (int64_t)limit * 1000;
	char what[64];
	int status = 0;

	if (!wait_until(pid, deadline, &status)) {
		kill(pid, SIGKILL);
		(void)waitpid(pid, &status, 0);
		snprintf(what, sizeof(what), "did not terminate within %u seconds", limit);
		print_failed(call, what);
		return ADM_CANNOT;
	}
	if (WIFSIGNALED(status)) {
		snprintf(what, sizeof(what), "was killed by signal %d", WTERMSIG(status));
		print_failed(call, what);
		return ADM_CANNOT;
	}
	const int code = WEXITSTATUS(status);
	if (code >= 10 && !call->quiet) {
		snprintf(what, sizeof(what), "terminated with exit code %d", code);
		print_failed(call, what);
	}
	return code;
}

pid_t adm_call_start(struct adm *adm, const struct adm_call *call)
{
	fflush(NULL);
	const pid_t pid = fork();
	if (pid == 0) {
		exec_child(adm, call, -1);
	}
	return pid;
}

bool adm_call_wait(pid_t pid, unsigned int milliseconds, int *code)
{
	int status = 0;

	if (!wait_until(pid, now_ms() + milliseconds, &status)) {
		return false;
	}
	*code = WIFEXITED(status) ? WEXITSTATUS(status) : ADM_CANNOT;
	return true;
}

int adm_call_run(struct adm *adm, struct adm_call *call, const char *resource)
{
	int code = 0;

	if (adm->dry_run || adm->verbose > 0) {
		if (adm->sh_varname != NULL && resource != NULL) {
			printf("%s=", adm->sh_varname);
			print_escaped(resource, stdout);
			putchar('\n');
		}
		adm_call_print(adm, call, stdout);
	}
	fflush(NULL);
	if (!adm->dry_run) {
		const pid_t pid = fork();
		if (pid == 0) {
			exec_child(adm, call, -1);
		}
		code = pid > 0 ? finish(adm, call, pid) : ADM_CANNOT;
	}
	adm_call_free(call);
	return code;
}

#define CAPTURE_BYTES_MAX (64u << 20)

/* Waits for something to read from @fd; false when @deadline_ms (0: none) has passed. */
static bool wait_readable(int fd, int64_t deadline_ms)
{
	struct pollfd pfd = {.fd = fd, .events = POLLIN};
	const int64_t left = deadline_ms - now_ms();

	if (deadline_ms != 0 && left <= 0) {
		return false;
	}
	return poll(&pfd, 1, deadline_ms != 0 ? (int)left : -1) != 0;
}

static char *read_pipe(int fd, int64_t deadline_ms, size_t *size)
{
	size_t room = 16384;
	char *text = malloc(room);

	*size = 0;
	while (text != NULL) {
		const bool ready = wait_readable(fd, deadline_ms);
		const ssize_t n = ready ? read(fd, text + *size, room - *size - 1) : 0;
		if (n < 0 && errno == EINTR) {
			continue;
		}
		if (n <= 0 || *size > CAPTURE_BYTES_MAX) {
			text[*size] = '\0';
			return text;
		}
		*size += (size_t)n;
		if (room - *size < 2) {
			char *more = realloc(text, room * 2);
			if (more == NULL) {
				free(text);
				die("out of memory");
			}
			text = more;
			room *= 2;
		}
	}
	die("out of memory");
}

int adm_call_capture(struct adm *adm, struct adm_call *call, char **output, size_t *size)
{
	int ends[2];

	*output = NULL;
	*size = 0;
	if (pipe(ends) != 0) {
		adm_call_free(call);
		return ADM_CANNOT;
	}
	fflush(NULL);
	const pid_t pid = fork();
	if (pid == 0) {
		close(ends[0]);
		exec_child(adm, call, ends[1]);
	}
	close(ends[1]);
	int code = ADM_CANNOT;
	if (pid > 0) {
		const unsigned int limit = time_limit(adm, call->patience);
		*output =
			read_pipe(ends[0], limit == 0 ? 0 : now_ms() + (int64_t)limit * 1000, size);
		code = finish(adm, call, pid);
	}
	close(ends[0]);
	adm_call_free(call);
	return code;
}
