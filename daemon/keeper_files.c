// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * keeper_files.c - what the keeper has in the file system: run directory, locks, claims, sockets
 *
 * Owns: <run dir>/<resource>.pid (locked: one keeper), .engine (locked while an engine process
 *       lives), .sock, .nbd, .minor-<N>.lock (locked and naming the resource: one resource per
 *       minor).
 * Invariants:
 *   KF-1  Existence of a file means nothing, its lock does: after a crash nothing has to be cleaned
 *         by hand.
 */
#include "keeper.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <bsr/assert.h>

#include "bsrd.h"

static int fail(char *why, size_t room, const char *what, const char *path)
{
	snprintf(why, room, "%s %s: %s", what, path, strerror(errno));
	return BSRD_EXIT_FAILED;
}

bool keeper_file_path(const struct keeper *k, const char *suffix, char *path, size_t room)
{
	int length = snprintf(path, room, "%s/%s%s", k->run_dir, k->resource, suffix);
	return length > 0 && (size_t)length < room;
}

/* Reads the decimal at the beginning of a small file; 0 when there is none. */
static long read_pid(int fd)
{
	char text[32] = "";
	ssize_t bytes = pread(fd, text, sizeof(text) - 1, 0);
	return bytes > 0 ? strtol(text, NULL, 10) : 0;
}

static int write_text(int fd, const char *text)
{
	size_t bytes = strlen(text);
	if (ftruncate(fd, 0) != 0 || pwrite(fd, text, bytes, 0) != (ssize_t)bytes) {
		return -1;
	}
	return 0;
}

static int lock_pid_file(struct keeper *k, char *why, size_t room)
{
	char path[512], pid[32];
	if (!keeper_file_path(k, ".pid", path, sizeof(path))) {
		errno = ENAMETOOLONG;
		return fail(why, room, "cannot name", k->run_dir);
	}
	k->pid_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (k->pid_fd < 0) {
		return fail(why, room, "cannot open", path);
	}
	if (flock(k->pid_fd, LOCK_EX | LOCK_NB) != 0) {
		snprintf(why, room,
			"resource %s is already running (keeper pid %ld); 'bsradm status %s' shows it, 'bsradm down %s' "
			"ends it",
			k->resource, read_pid(k->pid_fd), k->resource, k->resource);
		return BSRD_EXIT_ALREADY_RUNS;
	}
	snprintf(pid, sizeof(pid), "%ld\n", (long)getpid());
	if (write_text(k->pid_fd, pid) != 0) {
		return fail(why, room, "cannot write", path);
	}
	return 0;
}

int keeper_engine_lock(const struct keeper *k)
{
	char path[512];
	if (!keeper_file_path(k, ".engine", path, sizeof(path))) {
		return -1;
	}
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) != 0) {
		close(fd);
		return -1;
	}
	return fd;
}

long keeper_engine_pid(const struct keeper *k)
{
	char path[512];
	long pid = 0;
	if (keeper_file_path(k, ".engine", path, sizeof(path))) {
		int fd = open(path, O_RDONLY | O_CLOEXEC);
		if (fd >= 0) {
			pid = read_pid(fd);
			close(fd);
		}
	}
	return pid;
}

/*
 * An engine process that outlived its keeper becomes ours, or ends by itself once nobody uses its
 * devices.
 * 0: there is none (or it is ours now), else an exit code.
 */
static int check_orphan(struct keeper *k, char *why, size_t room)
{
	for (int i = 0; i < 40; i++) {
		int fd = keeper_engine_lock(k);
		if (fd >= 0) {
			close(fd);
			return 0;
		}
		if (keeper_adopt(k)) {
			return 0;
		}
		usleep(100000);
	}
	snprintf(why, room,
		"resource %s: engine process %ld lives without a keeper and does not accept a new one; it ends by itself "
		"when its device is released: unmount or close it, then start again",
		k->resource, keeper_engine_pid(k));
	return BSRD_EXIT_ALREADY_RUNS;
}

/* The lock files say that nobody listens on an old socket file, so it may go. */
static int listen_unix(const char *path, int type, char *why, size_t room)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	if (strlen(path) >= sizeof(address.sun_path)) {
		snprintf(why, room, "socket path %s is longer than %zu bytes; use a shorter run directory or name",
			path, sizeof(address.sun_path) - 1);
		return -1;
	}
	memcpy(address.sun_path, path, strlen(path) + 1);
	int fd = socket(AF_UNIX, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0) {
		fail(why, room, "cannot make a socket for", path);
		return -1;
	}
	unlink(path);
	mode_t old = umask(0177); /* 0600 from its first moment */
	int error = bind(fd, (struct sockaddr *)&address, sizeof(address));
	umask(old);
	if (error != 0 || listen(fd, 64) != 0) {
		fail(why, room, "cannot listen on", path);
		close(fd);
		return -1;
	}
	return fd;
}

static int make_run_dir(struct keeper *k, char *why, size_t room)
{
	const char *dir = getenv("BSR_RUN_DIR");
	if (dir == NULL || dir[0] == '\0') {
		dir = "/run/bsr";
	}
	if (strlen(dir) >= sizeof(k->run_dir)) {
		errno = ENAMETOOLONG;
		return fail(why, room, "BSR_RUN_DIR", dir);
	}
	memcpy(k->run_dir, dir, strlen(dir) + 1);
	if (mkdir(k->run_dir, 0700) != 0 && errno != EEXIST) {
		return fail(why, room, "cannot make run directory", k->run_dir);
	}
	return 0;
}

/*
 * The file's mode keeps everybody else away; what the group may do, the engine process decides (control.c). The directory is
 * opened for looking when it is ours alone, and stays open: no other file in it is.
 */
void keeper_control_access(struct keeper *k)
{
	char path[512];
	struct stat st;
	const gid_t gid = (gid_t)k->settings.control_gid;
	if (!keeper_file_path(k, ".sock", path, sizeof(path))) {
		return;
	}
	const bool private = gid != 0 && stat(k->run_dir, &st) == 0 && (st.st_mode & (S_IROTH | S_IXOTH)) == 0;
	const bool dir_ok = !private || (chown(k->run_dir, (uid_t)-1, gid) == 0 && chmod(k->run_dir, 0750) == 0);
	/* nobody is let in between the two */
	if (chmod(path, 0600) != 0 || chown(path, 0, gid) != 0 || (gid != 0 && chmod(path, 0660) != 0) || !dir_ok) {
		bsr_log(BSR_LOGN_KEEPER_FAILED, "what=control-group error=\"%s\"", strerror(errno));
	}
}

int keeper_files_open(struct keeper *k, char *why, size_t room)
{
	const struct {
		const char *suffix;
		int type;
		int *fd;
	} sockets[] = {{".sock", SOCK_STREAM, &k->control_fd},
		{".nbd", SOCK_STREAM, &k->nbd_fd},
		{".adopt", SOCK_SEQPACKET, &k->adopt_fd}};
	char path[512];
	int code = make_run_dir(k, why, room);
	if (code == 0) {
		code = lock_pid_file(k, why, room);
	}
	if (code == 0) {
		code = check_orphan(k, why, room);
	}
	for (size_t i = 0; i < sizeof(sockets) / sizeof(sockets[0]) && code == 0 && !k->adopted; i++) {
		if (!keeper_file_path(k, sockets[i].suffix, path, sizeof(path)) ||
			(*sockets[i].fd = listen_unix(path, sockets[i].type, why, room)) < 0) {
			code = BSRD_EXIT_FAILED;
		}
	}
	if (code == 0) {
		keeper_control_access(k);
	}
	return code;
}

void keeper_files_remove(struct keeper *k)
{
	static const char *const suffixes[] = {".sock", ".nbd", ".adopt"};
	char path[512];
	for (size_t i = 0; i < sizeof(suffixes) / sizeof(suffixes[0]); i++) {
		if (keeper_file_path(k, suffixes[i], path, sizeof(path))) {
			unlink(path);
		}
	}
	/*
	 * Lock files stay, empty: whoever has one open already must find the same lock as who opens
	 * it later.
	 */
	if (ftruncate(k->pid_fd, 0) != 0) {
		bsr_log(BSR_LOGN_KEEPER_FAILED, "what=truncate-pid-file error=\"%s\"", strerror(errno));
	}
}

int keeper_minor_claim(const struct keeper *k, uint32_t minor, char *why, size_t room)
{
	char path[512], owner[BSR_NAME_BYTES_MAX + 2];
	snprintf(path, sizeof(path), "%s/.minor-%u.lock", k->run_dir, (unsigned)minor);
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0) {
		fail(why, room, "cannot open", path);
		return -BSR_E_MINOR_EXISTS;
	}
	if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
		ssize_t bytes = pread(fd, owner, sizeof(owner) - 1, 0);
		owner[bytes > 0 ? bytes : 0] = '\0';
		owner[strcspn(owner, "\n")] = '\0';
		snprintf(why, room, "minor %u belongs to resource %s", (unsigned)minor, owner);
		close(fd);
		return -BSR_E_MINOR_EXISTS;
	}
	snprintf(owner, sizeof(owner), "%s\n", k->resource);
	if (write_text(fd, owner) != 0) {
		fail(why, room, "cannot write", path);
		close(fd);
		return -BSR_E_MINOR_EXISTS;
	}
	return fd;
}

void keeper_minor_free(uint32_t minor, int claim_fd)
{
	/* the file stays for the same reason as in keeper_files_remove() */
	if (ftruncate(claim_fd, 0) != 0) {
		bsr_log(BSR_LOGN_KEEPER_FAILED, "what=truncate-claim minor=%u error=\"%s\"", (unsigned)minor,
			strerror(errno));
	}
	close(claim_fd);
}

static int open_listener(const struct sockaddr_storage *address, socklen_t bytes)
{
	int on = 1;
	int fd = socket(address->ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0) {
		return -errno;
	}
	/*
	 * an address may belong to an interface that is not up yet: links come and go, listening
	 * stays
	 */
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	setsockopt(fd, IPPROTO_IP, IP_FREEBIND, &on, sizeof(on));
	if (address->ss_family == AF_INET6) {
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on));
	}
	if (bind(fd, (const struct sockaddr *)address, bytes) != 0 || listen(fd, 64) != 0) {
		int error = -errno;
		close(fd);
		return error;
	}
	return fd;
}

void keeper_unlisten(struct keeper *k, const struct sockaddr_storage *address)
{
	for (uint32_t i = 0; i < k->listener_count; i++) {
		if (memcmp(&k->listener[i].address, address, sizeof(*address)) == 0) {
			close(k->listener[i].fd);
			k->listener[i] = k->listener[--k->listener_count];
			return;
		}
	}
}

int keeper_listen(struct keeper *k, const struct sockaddr_storage *address, char *why, size_t room)
{
	socklen_t bytes = address->ss_family == AF_INET6 ? sizeof(struct sockaddr_in6) : sizeof(struct sockaddr_in);
	for (uint32_t i = 0; i < k->listener_count; i++) {
		if (k->listener[i].address_bytes == bytes && memcmp(&k->listener[i].address, address, bytes) == 0) {
			return k->listener[i].fd;
		}
	}
	if ((address->ss_family != AF_INET && address->ss_family != AF_INET6) ||
		k->listener_count == KEEPER_LISTENERS_MAX) {
		snprintf(why, room, "unknown address family, or more than %u addresses to listen on",
			KEEPER_LISTENERS_MAX);
		return -BSR_E_LOCAL_ADDR;
	}
	int fd = open_listener(address, bytes);
	if (fd < 0) {
		snprintf(why, room, "cannot listen on the local address: %s", strerror(-fd));
		return -BSR_E_LOCAL_ADDR;
	}
	struct keeper_listener *l = &k->listener[k->listener_count++];
	l->fd = fd;
	l->address_bytes = bytes;
	memcpy(&l->address, address, sizeof(l->address));
	return fd;
}
