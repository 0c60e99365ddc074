// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * handlers.c - running the administrator's handlers, in the keeper
 *
 * Owns: handler processes, from fork to reaping, and their environment.
 * The engine process names a handler and describes the situation; which command that is, it cannot
 * say: the keeper runs "<helper> HANDLER RESOURCE" with the helper given to bsrd at its start
 *      (bsradm, which looks the command up in the
 * configuration). Without a helper no handler is run and the answer is 0, which is the default of
 * the field. Invariants:
 *   HN-1  Nothing that came from the network reaches a shell: values are filtered, names are from a
 *         fixed list.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <bsr/assert.h>

#include "bsrd.h"
#include "keeper.h"

#define ENVIRONMENT_MAX 256u

const char *bsr_handler_word(enum bsr_handler handler)
{
	switch (handler) {
	case BSR_HANDLER_FENCE_PEER:
		return "fence-peer";
	case BSR_HANDLER_UNFENCE_PEER:
		return "unfence-peer";
	case BSR_HANDLER_BEFORE_RESYNC_TARGET:
		return "before-resync-target";
	case BSR_HANDLER_AFTER_RESYNC_TARGET:
		return "after-resync-target";
	case BSR_HANDLER_BEFORE_RESYNC_SOURCE:
		return "before-resync-source";
	case BSR_HANDLER_OUT_OF_SYNC:
		return "out-of-sync";
	case BSR_HANDLER_INITIAL_SPLIT_BRAIN:
		return "initial-split-brain";
	case BSR_HANDLER_SPLIT_BRAIN:
		return "split-brain";
	case BSR_HANDLER_PRI_LOST:
		return "pri-lost";
	case BSR_HANDLER_PRI_LOST_AFTER_SB:
		return "pri-lost-after-sb";
	case BSR_HANDLER_PRI_ON_INCON_DEGR:
		return "pri-on-incon-degr";
	case BSR_HANDLER_LOCAL_IO_ERROR:
		return "local-io-error";
	case BSR_HANDLER_QUORUM_LOST:
		return "quorum-lost";
	case BSR_HANDLER_BEFORE_PROMOTE:
		return "before-promote";
	case BSR_HANDLER_AFTER_PROMOTE:
		return "after-promote";
	case BSR_HANDLER_BEFORE_DEMOTE:
		return "before-demote";
	case BSR_HANDLER_AFTER_DEMOTE:
		return "after-demote";
	case BSR_HANDLER_DISCONNECTED:
		return "disconnected";
	}
	return "?";
}

static bool harmless(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
		strchr("._:/@%+,=[]- ", c) != NULL;
}

/*
 * "BSR_...=value" or "UP_TO_DATE_NODES=value" without anything that a careless script could stumble
 * over.
 */
static bool variable_ok(const char *text)
{
	if (strncmp(text, "BSR_", 4) != 0 && strncmp(text, "UP_TO_DATE_NODES=", 17) != 0) {
		return false;
	}
	const char *equals = strchr(text, '=');
	if (equals == NULL) {
		return false;
	}
	for (const char *c = text; *c != '\0'; c++) {
		if (!harmless(*c)) {
			return false;
		}
	}
	return true;
}

/* @environment receives pointers into @m and into static text; returns their number. */
static uint32_t build_environment(const struct bsrd_message *m, const char **environment)
{
	static const char *const always[] = {"HOME=/", "TERM=linux", "PATH=/sbin:/usr/sbin:/bin:/usr/bin", "BSR_CALLED_BY=bsrd"};
	uint32_t count = 0;
	for (; count < sizeof(always) / sizeof(always[0]); count++) {
		environment[count] = always[count];
	}
	const char *names = getenv("BSR_NAMES");
	if (names != NULL && strcmp(names, "drbd") == 0) {
		environment[count++] = "BSR_NAMES=drbd"; /* started by drbdsetup: so is the helper called */
	}
	uint32_t at = 0;
	while (at < m->text_bytes && count < ENVIRONMENT_MAX - 1) {
		const char *text = m->text + at;
		size_t length = strnlen(text, m->text_bytes - at);
		if (length == m->text_bytes - at) {
			break; /* not ended by a zero */
		}
		if (variable_ok(text)) {
			environment[count++] = text;
		}
		at += (uint32_t)length + 1;
	}
	environment[count] = NULL;
	return count;
}

static void answer_status(struct keeper *k, uint32_t request, uint64_t status)
{
	struct bsrd_message m;
	bsrd_message_init(&m, BSRD_IPC_ANSWER);
	m.request = request;
	m.arg[0] = status;
	bsrd_message_set_text(&m, "");
	keeper_answer(k, &m, NULL);
}

static struct keeper_handler *free_slot(struct keeper *k)
{
	for (uint32_t i = 0; i < KEEPER_HANDLERS_MAX; i++) {
		if (k->handler[i].pid == 0) {
			return &k->handler[i];
		}
	}
	return NULL;
}

/* It may be missing while packages are replaced: that is no reason to refuse a promotion. */
static bool helper_is_there(const char *helper)
{
	if (access(helper, X_OK) == 0) {
		return true;
	}
	bsr_log(BSR_LOGN_HANDLER_NOT_RUN, "helper=%s error=\"%s\"", helper, strerror(errno));
	return false;
}

_Noreturn static void run_child(const struct keeper *k, const char *word, const char *const *environment)
{
	char command[4096 + 300];
	sigset_t none;
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	int null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
	if (null_fd >= 0) {
		dup2(null_fd, STDIN_FILENO);
	}
	setpgid(0, 0);
	snprintf(command, sizeof(command), "exec \"$0\" %s %s", word, k->resource);
	execle("/bin/sh", "sh", "-c", command, k->helper, (char *)NULL, (char *const *)(uintptr_t)environment);
	_exit(127);
}

void keeper_handler_start(struct keeper *k, const struct bsrd_message *request)
{
	const char *environment[ENVIRONMENT_MAX];
	if (request->arg[0] >= BSR_HANDLER_COUNT) {
		answer_status(k, request->request, UINT64_MAX);
		return;
	}
	const char *word = bsr_handler_word((enum bsr_handler)request->arg[0]);
	if (k->helper == NULL || k->settings.handlers == 0 || !helper_is_there(k->helper)) {
		answer_status(k, request->request, 0);
		return;
	}
	struct keeper_handler *slot = free_slot(k);
	build_environment(request, environment);
	pid_t pid = slot != NULL ? fork() : -1;
	if (pid == 0) {
		run_child(k, word, environment);
	}
	bsr_log(BSR_LOGN_HANDLER_CALLED, "handler=%s pid=%ld", word, (long)pid);
	if (pid < 0) {
		answer_status(k, request->request, UINT64_MAX);
		return;
	}
	slot->pid = pid;
	slot->request = request->request;
	slot->generation = k->generation;
}

void keeper_handlers_reap(struct keeper *k)
{
	for (uint32_t i = 0; i < KEEPER_HANDLERS_MAX; i++) {
		struct keeper_handler *h = &k->handler[i];
		int status;
		if (h->pid == 0 || waitpid(h->pid, &status, WNOHANG) != h->pid) {
			continue;
		}
		uint64_t code = WIFEXITED(status) ? (uint64_t)WEXITSTATUS(status) : UINT64_MAX;
		bsr_log(BSR_LOGN_HANDLER_ANSWERED, "pid=%ld status=%d", (long)h->pid,
			WIFEXITED(status) ? WEXITSTATUS(status) : -1);
		if (h->generation == k->generation) {
			answer_status(k, h->request, code);
		}
		h->pid = 0;
	}
}
