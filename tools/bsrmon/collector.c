// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * collector.c - the process that writes files of measurements: start, stop, status, and the same in the
 * foreground
 *
 * Owns:       <run dir>/bsrmon.pid; its record lock says that a collector runs, and which process it is.
 * Invariants: one collector on a host; what it cannot write it tells (syslog, `bsrmon status`) and goes on.
 */
#include "mon.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

#include <bsr/assert.h>

#define STOP_LIMIT_MS 5000
#define BOUND_EVERY 60u /* rounds between looks at the size of all files */
#define TROUBLE_EVERY_MS 60000

struct collector {
	struct bsr_settings settings;
	struct mon_filter filter;
	struct mon_sources sources;
	int lock_fd;
	char time[MON_TIME_BYTES];
	char trouble[300];
	int64_t told_ms;
	uint32_t rounds;
	/* lines of one file, gathered: a record and those of its peers */
	struct bsr_text lines;
	struct mon_record about;
};

static volatile sig_atomic_t ending;
static volatile sig_atomic_t reload;

static void on_signal(int number)
{
	if (number == SIGHUP) {
		reload = 1;
	} else {
		ending = 1;
	}
}

/* ------------------------------------------------------------- one at a time */

static void pid_path(char *path, size_t room)
{
	snprintf(path, room, "%s/bsrmon.pid", bsr_client_run_dir());
}

/* Who holds the lock; 0: nobody. @trouble: the second line of the file, "" for none */
static pid_t running_pid(char *trouble, size_t room)
{
	char path[PATH_MAX];
	char text[512] = "";
	struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
	pid_path(path, sizeof(path));
	trouble[0] = '\0';
	const int fd = open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0) {
		return 0;
	}
	const bool held = fcntl(fd, F_GETLK, &lock) == 0 && lock.l_type != F_UNLCK;
	const ssize_t got = held ? pread(fd, text, sizeof(text) - 1, 0) : 0;
	text[got > 0 ? got : 0] = '\0';
	close(fd);
	const char *second = strchr(text, '\n');
	if (second != NULL) {
		snprintf(trouble, room, "%.*s", (int)strcspn(second + 1, "\n"), second + 1);
	}
	return held ? lock.l_pid : 0;
}

/* 0, -EAGAIN when another one runs, or -errno */
static int take_lock(int *fd)
{
	char path[PATH_MAX];
	struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
	if (mkdir(bsr_client_run_dir(), 0755) != 0 && errno != EEXIST) {
		return -errno;
	}
	pid_path(path, sizeof(path));
	*fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0644);
	if (*fd < 0) {
		return -errno;
	}
	if (fcntl(*fd, F_SETLK, &lock) != 0) {
		const int error = errno == EACCES || errno == EAGAIN ? -EAGAIN : -errno;
		close(*fd);
		return error;
	}
	return 0;
}

static void write_state(const struct collector *c)
{
	char text[400];
	const int bytes = snprintf(text, sizeof(text), "%ld\n%s\n", (long)getpid(), c->trouble);
	/* for people: nobody relies on it, and there is nobody to be told that it failed */
	ssize_t ignored = ftruncate(c->lock_fd, 0) == 0 ? pwrite(c->lock_fd, text, (size_t)bytes, 0) : 0;
	(void)ignored;
}

/* ------------------------------------------------------------------- a round */

static void tell_trouble(struct collector *c, int error)
{
	const int64_t now = mon_wall_ms();
	snprintf(c->trouble, sizeof(c->trouble), "cannot write below %.200s: %s", mon_path(&c->settings),
		strerror(-error));
	write_state(c);
	if (now - c->told_ms >= TROUBLE_EVERY_MS) {
		c->told_ms = now;
		syslog(LOG_WARNING, "%s", c->trouble);
	}
}

static void flush_lines(struct collector *c)
{
	if (c->lines.length == 0) {
		return;
	}
	const int error = mon_file_append(mon_path(&c->settings), &c->about, bsr_text_string(&c->lines),
		c->lines.length, c->settings.monitor_total_mib << 20);
	if (error != 0) {
		tell_trouble(c, error);
	}
	bsr_text_clear(&c->lines);
}

static void on_record(void *ctx, const struct mon_record *r)
{
	struct collector *c = ctx;
	if (r->type != c->about.type || r->volume != c->about.volume ||
		strcmp(r->resource, c->about.resource) != 0) {
		flush_lines(c);
		c->about = *r;
	}
	mon_line_print(&c->lines, r, c->time);
}

static void bound_files(struct collector *c)
{
	for (size_t i = 0; i < c->sources.count; i++) {
		mon_files_bound(
			mon_path(&c->settings), c->sources.at[i].name, c->settings.monitor_total_mib << 20);
	}
	mon_files_bound(mon_path(&c->settings), NULL, c->settings.monitor_total_mib << 20);
}

static void run_round(struct collector *c)
{
	const bool troubled = c->trouble[0] != '\0';
	mon_sources_read(&c->sources, NULL, true, false);
	mon_time_text(c->time, mon_wall_ms());
	c->trouble[0] = '\0';
	mon_sources_compute(&c->sources, &c->filter, on_record, c);
	flush_lines(c);
	if (troubled && c->trouble[0] == '\0') {
		write_state(c);
	}
	if (++c->rounds % BOUND_EVERY == 0) {
		bound_files(c);
	}
}

static void take_settings(struct collector *c)
{
	char bad[64];
	mon_load_settings(&c->settings);
	c->filter = (struct mon_filter){.volume = -1};
	if (!mon_types_parse(c->settings.monitor_types, &c->filter.types, bad, sizeof(bad))) {
		mon_types_parse("all", &c->filter.types, bad, sizeof(bad));
	}
}

static void pause_until(int64_t *next_ms, int64_t period_ms)
{
	const int64_t now = mon_wall_ms();
	*next_ms = now > *next_ms + period_ms || now < *next_ms - period_ms ? now + period_ms
									    : *next_ms + period_ms;
	while (!ending && !reload && mon_wall_ms() < *next_ms) {
		const int64_t left = *next_ms - mon_wall_ms();
		mon_pause_ms(left > 0 ? left : 0);
	}
}

static void collect(struct collector *c, int64_t rounds)
{
	struct sigaction action = {.sa_handler = on_signal};
	sigaction(SIGTERM, &action, NULL);
	sigaction(SIGINT, &action, NULL);
	sigaction(SIGUSR1, &action, NULL);
	sigaction(SIGHUP, &action, NULL);
	signal(SIGPIPE, SIG_IGN);
	int64_t next_ms = mon_wall_ms();
	take_settings(c);
	write_state(c);
	mon_sources_read(&c->sources, NULL, true, false);
	while (!ending && (rounds == 0 || c->rounds < rounds)) {
		pause_until(&next_ms, (int64_t)c->settings.monitor_period_s * 1000);
		if (reload) {
			reload = 0;
			take_settings(c);
		} else if (!ending) {
			run_round(c);
		}
	}
	bound_files(c);
	mon_sources_close(&c->sources);
	bsr_text_free(&c->lines);
}

/* A connection for each resource; the usual limit of 1,024 is too low for a thousand of them. */
static void raise_limit(void)
{
	struct rlimit limit;
	if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
		limit.rlim_cur = limit.rlim_max;
		setrlimit(RLIMIT_NOFILE,
			&limit); /* what is missing shows as resources that cannot be reached */
	}
}

/* ------------------------------------------------------------------ commands */

static int store(const struct mon_call *call, bool on)
{
	struct bsr_settings settings;
	uint32_t mask;
	char bad[64];
	if (call->word_count > 0 && !mon_types_parse(call->word[0], &mask, bad, sizeof(bad))) {
		fprintf(stderr, "bsrmon %s: unknown type '%s'; see `bsrmon help show`\n", call->command, bad);
		return MON_USAGE;
	}
	const int lock = bsr_settings_lock();
	mon_load_settings(&settings);
	settings.monitor = on;
	if (call->word_count > 0) {
		struct bsr_text text = {0};
		mon_types_text(&text, mask);
		snprintf(
			settings.monitor_types, sizeof(settings.monitor_types), "%s", bsr_text_string(&text));
		bsr_text_free(&text);
	}
	const int error = lock < 0 ? lock : bsr_settings_save(&settings);
	if (lock >= 0) {
		close(lock);
	}
	if (error != 0) {
		fprintf(stderr, "bsrmon: cannot write %s: %s\n", bsr_settings_path(), strerror(-error));
		return MON_USAGE;
	}
	return MON_OK;
}

bool mon_collector_reload(void)
{
	char trouble[300];
	const pid_t pid = running_pid(trouble, sizeof(trouble));
	return pid > 0 && kill(pid, SIGHUP) == 0;
}

_Noreturn static void run_child(int report)
{
	static struct collector c;
	int error = take_lock(&c.lock_fd);
	const int null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
	if (error == 0 && null_fd < 0) {
		error = -errno;
	}
	ssize_t ignored = write(report, &error, sizeof(error));
	(void)ignored;
	close(report);
	if (error != 0) {
		_exit(MON_REFUSED);
	}
	dup2(null_fd, STDIN_FILENO);
	dup2(null_fd, STDOUT_FILENO);
	dup2(null_fd, STDERR_FILENO);
	if (chdir("/") != 0) {
		_exit(MON_REFUSED);
	}
	openlog("bsrmon", LOG_PID, LOG_DAEMON);
	collect(&c, 0);
	_exit(MON_OK);
}

/* 0, -EAGAIN when another one was faster, or -errno */
static int spawn(void)
{
	int report[2];
	int error = -EIO;
	if (pipe2(report, O_CLOEXEC) != 0) {
		return -errno;
	}
	const pid_t pid = fork();
	if (pid == 0) {
		close(report[0]);
		setsid();
		run_child(report[1]);
	}
	close(report[1]);
	if (pid < 0 || read(report[0], &error, sizeof(error)) != (ssize_t)sizeof(error)) {
		error = pid < 0 ? -EAGAIN : -EIO;
	}
	close(report[0]);
	return error;
}

int mon_run_start(const struct mon_call *call)
{
	int rc = store(call, true);
	if (rc != MON_OK) {
		return rc;
	}
	raise_limit();
	int error = mon_collector_reload() ? 0 : spawn();
	if (error == -EAGAIN && mon_collector_reload()) {
		error = 0;
	}
	if (error != 0) {
		fprintf(stderr, "bsrmon start: the collector did not start: %s\n", strerror(-error));
		return MON_REFUSED;
	}
	return mon_run_status(call);
}

int mon_run_stop(const struct mon_call *call)
{
	char trouble[300];
	int rc = store(call, false);
	if (rc != MON_OK) {
		return rc;
	}
	pid_t pid = running_pid(trouble, sizeof(trouble));
	if (pid > 0) {
		kill(pid, SIGTERM);
	}
	for (int waited = 0; pid > 0 && waited < STOP_LIMIT_MS; waited += 20) {
		mon_pause_ms(20);
		pid = running_pid(trouble, sizeof(trouble));
	}
	if (pid > 0) {
		fprintf(stderr,
			"bsrmon stop: the collector (pid %ld) does not end; it may be waiting for a disk\n",
			(long)pid);
		return MON_REFUSED;
	}
	puts("bsrmon : disabled");
	return MON_OK;
}

int mon_run_status(const struct mon_call *call)
{
	struct bsr_settings settings;
	struct bsr_text types = {0};
	uint32_t mask;
	char trouble[300], bad[64];
	mon_load_settings(&settings);
	pid_t pid = running_pid(trouble, sizeof(trouble));
	if (!mon_types_parse(settings.monitor_types, &mask, bad, sizeof(bad))) {
		mon_types_parse("all", &mask, bad, sizeof(bad));
	}
	mon_types_text(&types, mask);
	const char *word = pid > 0 ? "running" : settings.monitor ? "stopped" : "disabled";
	if (call->json) {
		struct json_object *out = json_object_new_object();
		json_object_object_add(out, "status", json_object_new_string(word));
		if (pid > 0) {
			json_object_object_add(out, "pid", json_object_new_int64(pid));
		}
		json_object_object_add(out, "types", json_object_new_string(bsr_text_string(&types)));
		json_object_object_add(out, "trouble", json_object_new_string(trouble));
		puts(json_object_to_json_string_ext(
			out, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE));
		json_object_put(out);
	} else if (pid > 0) {
		printf("bsrmon : running (pid %ld)\ntypes : %s\n", (long)pid, bsr_text_string(&types));
		if (trouble[0] != '\0') {
			printf("trouble : %s\n", trouble);
		}
	} else {
		printf("bsrmon : %s\n", word);
	}
	bsr_text_free(&types);
	return pid > 0 ? MON_OK : MON_REFUSED;
}

/* ---------------------------------------------------------------------- file */

static void list_files(const char *directory, const char *below, struct json_object *list)
{
	char path[PATH_MAX];
	snprintf(path, sizeof(path), "%s%s%s", directory, below[0] != '\0' ? "/" : "", below);
	DIR *dir = opendir(path);
	for (struct dirent *entry = dir != NULL ? readdir(dir) : NULL; entry != NULL; entry = readdir(dir)) {
		struct stat st;
		if (entry->d_name[0] == '.' ||
			fstatat(dirfd(dir), entry->d_name, &st, AT_SYMLINK_NOFOLLOW) != 0) {
			continue;
		}
		if (S_ISDIR(st.st_mode) && below[0] == '\0') {
			list_files(directory, entry->d_name, list);
		} else if (S_ISREG(st.st_mode)) {
			char name[PATH_MAX + 300];
			char written[MON_TIME_BYTES];
			struct json_object *one = json_object_new_object();
			snprintf(name, sizeof(name), "%s%s%s", below, below[0] != '\0' ? "/" : "",
				entry->d_name);
			mon_time_text(written, (int64_t)st.st_mtim.tv_sec * 1000);
			json_object_object_add(one, "file", json_object_new_string(name));
			json_object_object_add(one, "bytes", json_object_new_int64(st.st_size));
			json_object_object_add(one, "written", json_object_new_string(written));
			json_object_array_add(list, one);
		}
	}
	if (dir != NULL) {
		closedir(dir);
	}
}

static int by_file(const void *a, const void *b)
{
	struct json_object *const *left = a;
	struct json_object *const *right = b;
	return strcmp(bsr_json_string(*left, "file"), bsr_json_string(*right, "file"));
}

static int print_list(const struct mon_call *call)
{
	struct bsr_settings settings;
	struct json_object *list = json_object_new_array();
	mon_load_settings(&settings);
	list_files(mon_path(&settings), "", list);
	json_object_array_sort(list, by_file);
	if (call->json) {
		puts(json_object_to_json_string_ext(
			list, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE));
	}
	for (size_t i = 0; !call->json && i < bsr_json_count(list); i++) {
		struct json_object *one = bsr_json_at(list, i);
		printf("%12" PRId64 "  %.19s  %s\n", bsr_json_int(one, "bytes", 0),
			bsr_json_string(one, "written"), bsr_json_string(one, "file"));
	}
	json_object_put(list);
	return MON_OK;
}

int mon_run_file(const struct mon_call *call)
{
	static struct collector c;
	char trouble[300];
	if (call->list) {
		return print_list(call);
	}
	if (call->word_count > 0) {
		int rc = store(call, false);
		if (rc != MON_OK) {
			return rc;
		}
	}
	raise_limit();
	const int error = take_lock(&c.lock_fd);
	if (error == -EAGAIN) {
		fprintf(stderr, "bsrmon file: the collector runs already (pid %ld): bsrmon stop\n",
			(long)running_pid(trouble, sizeof(trouble)));
		return MON_REFUSED;
	}
	if (error != 0) {
		fprintf(stderr, "bsrmon file: cannot lock %s/bsrmon.pid: %s\n", bsr_client_run_dir(),
			strerror(-error));
		return MON_REFUSED;
	}
	collect(&c, call->count);
	if (c.trouble[0] != '\0') {
		fprintf(stderr, "bsrmon file: %s\n", c.trouble);
		return MON_REFUSED;
	}
	return MON_OK;
}
