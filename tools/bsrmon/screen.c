// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * screen.c - the terminal as a full-screen view, and back, whatever happens
 *
 * Owns:       modes of the terminal, signals that matter for it.
 * Invariants:
 *   SC-1  The terminal is given back in every way that this program can end but SIGKILL; also while it is
 * stopped.
 */
#include "screen.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#define ENTER "\033[?1049h\033[?25l" /* the other screen, no cursor */
#define LEAVE "\033[0m\033[?25h\033[?1049l"

static struct termios before;
static bool has_keys; /* standard input is the terminal */
static volatile sig_atomic_t entered;
static volatile sig_atomic_t ending;
static volatile sig_atomic_t resized;

/* Only what may be called from a signal handler. */
static void put(const char *text)
{
	ssize_t ignored = write(STDOUT_FILENO, text, strlen(text));
	(void)ignored;
}

static void raw(void)
{
	struct termios mode = before;
	mode.c_lflag &= ~(tcflag_t)(ICANON | ECHO);
	mode.c_cc[VMIN] = 0;
	mode.c_cc[VTIME] = 0;
	if (has_keys) {
		tcsetattr(STDIN_FILENO, TCSANOW, &mode);
	}
}

static void give_back(void)
{
	if (entered) {
		entered = 0;
		if (has_keys) {
			tcsetattr(STDIN_FILENO, TCSANOW, &before);
		}
		put(LEAVE);
	}
}

static void take_over(void)
{
	raw();
	put(ENTER);
	entered = 1;
}

static void on_end(int number)
{
	(void)number;
	ending = 1;
}

static void on_resize(int number)
{
	(void)number;
	resized = 1;
}

/* A mistake of ours: the handler is reset, so the signal comes again and does what it does. */
static void on_crash(int number)
{
	give_back();
	raise(number);
}

static void on_stop(int number)
{
	const int saved = errno;
	(void)number;
	give_back();
	raise(SIGSTOP);
	errno = saved;
}

static void on_continue(int number)
{
	const int saved = errno;
	(void)number;
	if (!entered && !ending) {
		take_over();
	}
	resized = 1;
	errno = saved;
}

static void handle(int number, void (*handler)(int), int flags)
{
	struct sigaction action = {.sa_handler = handler, .sa_flags = flags};
	sigfillset(&action.sa_mask);
	sigaction(number, &action, NULL);
}

bool mon_screen_enter(void)
{
	static const int ends[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT};
	static const int crashes[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT};
	if (isatty(STDOUT_FILENO) == 0) {
		return false;
	}
	has_keys = isatty(STDIN_FILENO) != 0 && tcgetattr(STDIN_FILENO, &before) == 0;
	for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
		handle(ends[i], on_end, 0);
	}
	for (size_t i = 0; i < sizeof(crashes) / sizeof(crashes[0]); i++) {
		handle(crashes[i], on_crash, (int)SA_RESETHAND | SA_NODEFER);
	}
	handle(SIGWINCH, on_resize, 0);
	handle(SIGTSTP, on_stop, 0);
	handle(SIGCONT, on_continue, 0);
	signal(SIGPIPE, SIG_IGN);
	atexit(give_back);
	take_over();
	return true;
}

void mon_screen_leave(void)
{
	give_back();
}

void mon_screen_size(uint32_t *columns, uint32_t *rows)
{
	struct winsize size;
	*columns = 80;
	*rows = 24;
	if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 && size.ws_row > 0) {
		*columns = size.ws_col;
		*rows = size.ws_row;
	}
}

bool mon_screen_ends(void)
{
	return ending != 0;
}

enum mon_key mon_screen_keys(const char *bytes, size_t count)
{
	static const struct {
		const char *text;
		enum mon_key key;
	} keys[] = {{"\033[A", MON_KEY_UP}, {"\033OA", MON_KEY_UP}, {"\033[B", MON_KEY_DOWN},
		{"\033OB", MON_KEY_DOWN}, {"\033[5~", MON_KEY_PAGE_UP}, {"\033[6~", MON_KEY_PAGE_DOWN},
		{" ", MON_KEY_PAGE_DOWN}, {"k", MON_KEY_UP}, {"j", MON_KEY_DOWN}, {"q", MON_KEY_QUIT},
		{"Q", MON_KEY_QUIT}, {"\014", MON_KEY_REDRAW}};
	enum mon_key found = MON_KEY_NONE;
	for (size_t at = 0; at < count;) {
		size_t used = 1;
		for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
			const size_t length = strlen(keys[i].text);
			if (length <= count - at && memcmp(bytes + at, keys[i].text, length) == 0) {
				found = found == MON_KEY_QUIT ? found : keys[i].key;
				used = length;
				break;
			}
		}
		at += used;
	}
	return found;
}

enum mon_key mon_screen_wait(int64_t timeout_ms)
{
	char bytes[64];
	struct pollfd p = {.fd = has_keys ? STDIN_FILENO : -1, .events = POLLIN};
	const int ready = poll(&p, 1, timeout_ms > 0 ? (int)timeout_ms : 0);
	if (resized) {
		resized = 0;
		return MON_KEY_REDRAW;
	}
	if (ready <= 0) {
		return MON_KEY_NONE;
	}
	const ssize_t got = read(STDIN_FILENO, bytes, sizeof(bytes));
	if (got <= 0) {
		ending = ending || got == 0 || errno != EINTR; /* the terminal is gone */
		return MON_KEY_NONE;
	}
	return mon_screen_keys(bytes, (size_t)got);
}

bool mon_screen_put(const char *bytes, size_t count)
{
	while (count > 0) {
		const ssize_t written = write(STDOUT_FILENO, bytes, count);
		if (written < 0 && errno == EINTR && !ending) {
			continue;
		}
		if (written <= 0) {
			return false;
		}
		bytes += written;
		count -= (size_t)written;
	}
	return true;
}
