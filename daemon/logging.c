// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * logging.c - log events as lines on standard error, which is the log file, and to syslog
 *
 * Owns: the format, a token bucket per event number, the panic of an assertion that failed.
 * A line that cannot be written at once (reader of the pipe stopped) is dropped and counted: logging never holds up
 * I/O. Under systemd (JOURNAL_STREAM) each line carries its priority as <n>; in a file it begins with the time, which
 * nobody else adds there.
 */
#include "logging.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include <bsr/assert.h>
#include <bsr/handshake.h>
#include <bsr/wire.h>

#define LINE_BYTES 2048u
#define BURST 20u		      /* lines of one number at once */
#define REFILL_NS 1000000000ull	      /* one more per second */
#define SYSLOG_DAEMON 24u	      /* facility "daemon" */

struct bucket {
	uint32_t number;
	uint32_t tokens;
	uint64_t filled_ns;
	uint64_t suppressed;
};

static struct bucket buckets[] = {
#define BSR_LOG_EVENT(number, level, name, text, k0, k1, k2) {number, BURST, 0, 0},
#include <bsr/events.def>
#undef BSR_LOG_EVENT
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* the keeper has job threads */
static char resource_name[BSR_NAME_BYTES_MAX + 1] = "-";
static bool with_priority;
static bool with_time;	/* standard error is a file */
static bool may_block; /* standard error is a pipe or socket that somebody else must read */
static int sys_fd = -1; /* syslog; -1: none here, or the journal reads standard error already */
static struct sockaddr_un sys_address;
static struct bsr_logging_rules rules = {.file_level = BSR_LOG_INFO, .sys_level = BSR_LOG_ERROR, .categories = UINT32_MAX};
static bool full;

/* Before the sandbox: a datagram socket to /dev/log. It stays usable when syslog is started anew (send_to_syslog). */
static void open_syslog(void)
{
	const char *path = getenv("BSR_SYSLOG");
	sys_address = (struct sockaddr_un){.sun_family = AF_UNIX};
	snprintf(sys_address.sun_path, sizeof(sys_address.sun_path), "%s", path != NULL && path[0] != '\0' ? path : "/dev/log");
	if (sys_fd >= 0) {
		close(sys_fd);
		sys_fd = -1;
	}
	if (!with_priority) {
		sys_fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	}
}

void bsr_logging_set(const struct bsr_logging_rules *wanted)
{
	pthread_mutex_lock(&lock);
	rules = *wanted;
	pthread_mutex_unlock(&lock);
}

bool bsr_logging_full(void)
{
	return full;
}

int bsr_logging_reopen(int fd)
{
	if (dup2(fd, STDERR_FILENO) < 0) {
		return -errno;
	}
	full = false;
	return 0;
}

void bsr_logging_init(const char *resource)
{
	struct stat st;
	snprintf(resource_name, sizeof(resource_name), "%s", resource);
	with_priority = getenv("JOURNAL_STREAM") != NULL;
	const bool known = fstat(STDERR_FILENO, &st) == 0;
	may_block = known && (S_ISFIFO(st.st_mode) || S_ISSOCK(st.st_mode));
	with_time = known && S_ISREG(st.st_mode);
	open_syslog();
	char text[BSR_LOGGING_TIME_BYTES];
	bsr_logging_time(text, sizeof(text), &(struct timespec){0}); /* the C library reads what it needs before the sandbox */
}

size_t bsr_logging_time(char *text, size_t room, const struct timespec *now)
{
	struct tm utc;
	BSR_ASSERT(room >= BSR_LOGGING_TIME_BYTES);
	if (gmtime_r(&now->tv_sec, &utc) == NULL) {
		text[0] = '\0';
		return 0;
	}
	size_t bytes = strftime(text, room, "%Y-%m-%dT%H:%M:%S", &utc);
	return bytes + (size_t)snprintf(text + bytes, room - bytes, ".%06ldZ ", now->tv_nsec / 1000);
}

static const char *level_word(enum bsr_log_level level)
{
	switch (level) {
	case BSR_LOG_ERROR:
		return "error";
	case BSR_LOG_WARN:
		return "warn";
	case BSR_LOG_NOTICE:
		return "notice";
	case BSR_LOG_INFO:
		return "info";
	case BSR_LOG_DEBUG:
		return "debug";
	}
	return "?";
}

/* RESYNC_STALLED as resync-stalled */
static void name_word(char *out, size_t room, const char *name)
{
	size_t i = 0;
	for (; name[i] != '\0' && i + 1 < room; i++) {
		char c = name[i];
		out[i] = c == '_' ? '-' : (char)(c >= 'A' && c <= 'Z' ? c + ('a' - 'A') : c);
	}
	out[i] = '\0';
}

bool bsr_logging_admit(uint32_t number, uint64_t now_ns, uint64_t *suppressed)
{
	*suppressed = 0;
	for (size_t i = 0; i < sizeof(buckets) / sizeof(buckets[0]); i++) {
		struct bucket *b = &buckets[i];
		if (b->number != number) {
			continue;
		}
		uint64_t more = (now_ns - b->filled_ns) / REFILL_NS;
		if (more > 0) {
			b->tokens = more >= BURST - b->tokens ? BURST : b->tokens + (uint32_t)more;
			b->filled_ns = now_ns;
		}
		if (b->tokens == 0) {
			b->suppressed++;
			return false;
		}
		b->tokens--;
		*suppressed = b->suppressed;
		b->suppressed = 0;
		return true;
	}
	return true;
}

size_t bsr_logging_text(char *line, size_t room, uint32_t number, uint64_t suppressed, const char *pairs)
{
	const struct bsr_log_event_info *info = bsr_log_event_find(number);
	enum bsr_log_level level = info != NULL ? info->level : BSR_LOG_ERROR;
	char name[64], priority[8] = "", count[40] = "";
	BSR_ASSERT(room >= 256);
	name_word(name, sizeof(name), info != NULL ? info->name : "UNKNOWN_EVENT");
	if (with_priority) {
		snprintf(priority, sizeof(priority), "<%u>", (unsigned)level & 7u);
	}
	if (suppressed > 0) {
		snprintf(count, sizeof(count), " suppressed=%llu", (unsigned long long)suppressed);
	}
	/* line breaks would let a text pass for another line */
	int used = snprintf(line, room - 1, "%s%u %s %s resource=%s%s%s%s msg=\"%s\"", priority, (unsigned)number,
		level_word(level), name, resource_name, pairs[0] != '\0' ? " " : "", pairs, count,
		info != NULL ? info->text : "");
	size_t bytes = used < 0 ? 0 : (size_t)used < room - 2 ? (size_t)used : room - 2;
	for (size_t i = 0; i < bytes; i++) {
		if ((unsigned char)line[i] < 0x20) {
			line[i] = ';';
		}
	}
	line[bytes++] = '\n';
	line[bytes] = '\0';
	return bytes;
}

static bool writable_now(void)
{
	struct pollfd p = {.fd = STDERR_FILENO, .events = POLLOUT};
	return !may_block || poll(&p, 1, 0) == 1;
}

static bool in_categories(uint32_t number, enum bsr_log_level level)
{
	const uint32_t family = number / 1000;
	return level <= BSR_LOG_ERROR || family == 0 || family > 32 || (rules.categories >> (family - 1) & 1u) != 0;
}

/* Nobody may be there, and what is there may not read: then the line is in the log file alone. */
static void send_to_syslog(enum bsr_log_level level, const char *text, size_t bytes)
{
	char line[LINE_BYTES + 64];
	const int used = snprintf(line, sizeof(line), "<%u>bsrd[%ld]: %.*s", SYSLOG_DAEMON | ((unsigned)level & 7u), (long)getpid(),
		(int)(bytes > 0 ? bytes - 1 : 0), text);
	const size_t length = used > 0 && (size_t)used < sizeof(line) ? (size_t)used : sizeof(line) - 1;
	ssize_t ignored = sendto(sys_fd, line, length, MSG_DONTWAIT | MSG_NOSIGNAL, (const struct sockaddr *)&sys_address,
		sizeof(sys_address));
	(void)ignored;
}

static void send_to_file(const char *line, size_t bytes)
{
	if (!writable_now()) {
		return;
	}
	/* one write per line, so that lines of keeper and engine process never mix; a log that
	 * cannot be written has nowhere to be reported */
	ssize_t ignored = write(STDERR_FILENO, line, bytes);
	(void)ignored;
	if (with_time && rules.file_bytes != 0) {
		const off_t end = lseek(STDERR_FILENO, 0, SEEK_CUR); /* behind what was appended */
		full = end > 0 && (uint64_t)end >= rules.file_bytes;
	}
}

static void put_line(uint32_t number, const char *pairs)
{
	const struct bsr_log_event_info *info = bsr_log_event_find(number);
	const enum bsr_log_level level = info != NULL ? info->level : BSR_LOG_ERROR;
	char line[LINE_BYTES + BSR_LOGGING_TIME_BYTES];
	struct timespec now, date;
	uint64_t suppressed;
	size_t bytes = 0;
	clock_gettime(CLOCK_MONOTONIC, &now);
	pthread_mutex_lock(&lock);
	const bool wanted = in_categories(number, level);
	const bool to_file = wanted && (uint32_t)level <= rules.file_level;
	const bool to_sys = wanted && (uint32_t)level <= rules.sys_level && sys_fd >= 0;
	if ((to_file || to_sys) && bsr_logging_admit(
		    number, (uint64_t)now.tv_sec * 1000000000ull + (uint64_t)now.tv_nsec, &suppressed)) {
		if (with_time) {
			clock_gettime(CLOCK_REALTIME, &date);
			bytes = bsr_logging_time(line, BSR_LOGGING_TIME_BYTES, &date);
		}
		const size_t date_bytes = bytes;
		bytes += bsr_logging_text(line + bytes, LINE_BYTES, number, suppressed, pairs);
		if (to_file) {
			send_to_file(line, bytes);
		}
		if (to_sys) {
			send_to_syslog(level, line + date_bytes, bytes - date_bytes);
		}
	}
	pthread_mutex_unlock(&lock);
}

void bsr_log(enum bsr_log_number number, const char *format, ...)
{
	char pairs[LINE_BYTES - 320];
	va_list args;
	va_start(args, format);
	vsnprintf(pairs, sizeof(pairs), format, args);
	va_end(args);
	put_line((uint32_t)number, pairs);
}

/* Names of states and the like; NULL where there are none. What a key means follows from the family of the event. */
static const char *word_of(uint32_t number, const char *key, uint64_t value)
{
	const bool moves = strcmp(key, "from") == 0 || strcmp(key, "to") == 0;
	const bool sides = strcmp(key, "mine") == 0 || strcmp(key, "theirs") == 0;
	if (strcmp(key, "role") == 0 || strcmp(key, "peer_role") == 0) {
		return bsr_role_word((enum bsr_role)value);
	}
	if (strcmp(key, "repl_state") == 0) {
		return bsr_repl_state_word((enum bsr_repl_state)value);
	}
	if (strcmp(key, "disk_state") == 0 || (moves && number / 1000 == 3)) {
		return bsr_disk_state_word((enum bsr_disk_state)value);
	}
	if (strcmp(key, "conn_state") == 0 || (moves && number / 1000 == 4)) {
		return bsr_conn_state_word((enum bsr_conn_state)value);
	}
	if (strcmp(key, "error") == 0) {
		const int64_t error = (int64_t)value;
		return bsr_error_name((int)(error < 0 ? -error : error));
	}
	if (strcmp(key, "action") == 0 || (sides && number == BSR_LOGN_HANDSHAKE_NOT_MIRRORED)) {
		return bsr_hs_action_word((enum bsr_hs_action)value);
	}
	if (sides && number == BSR_LOGN_CONFIG_MISMATCH) {
		return value == BSR_PROTOCOL_A ? "A" : value == BSR_PROTOCOL_B ? "B" : value == BSR_PROTOCOL_C ? "C" : "?";
	}
	if (strcmp(key, "message_type") == 0) {
		return bsr_msg_word((uint16_t)value);
	}
	return NULL;
}

static int print_arg(char *out, size_t room, uint32_t number, const char *key, uint64_t value)
{
	const char *word = word_of(number, key, value);
	if (word != NULL) {
		return snprintf(out, room, " %s=%s", key, word);
	}
	if (strcmp(key, "reason") == 0 && number / 1000 == 2) {
		char rule[64];
		name_word(rule, sizeof(rule), bsr_hs_reason_name((uint16_t)value));
		return snprintf(out, room, " reason=%llu rule=%s", (unsigned long long)value, rule);
	}
	size_t length = strlen(key);
	if (length >= 2 && strcmp(key + length - 2, "gi") == 0) {
		return snprintf(out, room, " %s=%016llX", key, (unsigned long long)value);
	}
	return snprintf(out, room, " %s=%llu", key, (unsigned long long)value);
}

void bsr_log_effect(const struct bsr_fx_log *log, uint32_t vnr, const char *more)
{
	const struct bsr_log_event_info *info = bsr_log_event_find(log->number);
	char pairs[LINE_BYTES - 320];
	size_t used = 0;
	pairs[0] = '\0';
	if (log->peer != UINT32_MAX) {
		used += (size_t)snprintf(pairs + used, sizeof(pairs) - used, " peer=%u", (unsigned)log->peer);
	}
	if (log->volume != UINT32_MAX) {
		used += (size_t)snprintf(pairs + used, sizeof(pairs) - used, " volume=%u", (unsigned)vnr);
	}
	for (int i = 0; info != NULL && i < 3; i++) {
		if (info->key[i][0] != '\0' && used < sizeof(pairs) - 1) {
			int bytes = print_arg(
				pairs + used, sizeof(pairs) - used, log->number, info->key[i], log->arg[i]);
			used += bytes > 0 ? (size_t)bytes : 0;
		}
	}
	if (used < sizeof(pairs) - 1) {
		snprintf(pairs + used, sizeof(pairs) - used, "%s", more);
	}
	put_line(log->number, pairs[0] == ' ' ? pairs + 1 : pairs);
}

_Noreturn void bsr_panic(const char *file, int line, const char *what)
{
	char pairs[512];
	snprintf(pairs, sizeof(pairs), "file=%s line=%d condition=\"%s\"", file, line, what);
	char text[LINE_BYTES];
	/* no lock and no bucket: whoever holds them may be the one that failed */
	size_t bytes = bsr_logging_text(text, sizeof(text), BSR_LOGN_ASSERTION_FAILED, 0, pairs);
	ssize_t ignored = write(STDERR_FILENO, text, bytes);
	(void)ignored;
	abort();
}
