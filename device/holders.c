// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * holders.c - who holds a block device: mounts of all namespaces, swap, stacked devices, plain
 * openers
 *
 * Owns: nothing. Looks only; what it finds may be over before its caller reads it.
 */
#include "device.h"
#include "loopdev_internal.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

/* mount namespaces looked into once each; beyond that, some more than once */
#define NAMESPACES_MAX 1024u
#define COMM_BYTES 32u

struct search {
	char name[24]; /* the kernel's, of the device */
	dev_t device;
	char *text;
	size_t room, used;
	int count;
	ino_t own_namespace;
	ino_t seen[NAMESPACES_MAX];
	size_t seen_count;
};

__attribute__((format(printf, 2, 3))) static void found(struct search *s, const char *format, ...)
{
	s->count++;
	if (s->used >= s->room) {
		return;
	}
	va_list args;
	va_start(args, format);
	const int length = vsnprintf(s->text + s->used, s->room - s->used, format, args);
	va_end(args);
	if (length > 0) {
		s->used += (size_t)length;
	}
	if (s->used + 1 < s->room) {
		s->text[s->used++] = '\n';
		s->text[s->used] = '\0';
	}
}

static void read_comm(const char *pid, char *comm)
{
	char path[300];
	(void)snprintf(path, sizeof(path), "/proc/%s/comm", pid);
	(void)snprintf(comm, COMM_BYTES, "?");
	FILE *file = fopen(path, "re");
	if (file != NULL) {
		if (fgets(comm, COMM_BYTES, file) != NULL) {
			comm[strcspn(comm, "\n")] = '\0';
		}
		(void)fclose(file);
	}
}

static bool is_device(const char *path, dev_t device)
{
	struct stat st;
	return stat(path, &st) == 0 && S_ISBLK(st.st_mode) && st.st_rdev == device;
}

/* Spaces and such are written as \040 in mountinfo and swaps. */
static void unescape(char *text)
{
	char *to = text;
	for (const char *from = text; *from != '\0'; from++) {
		if (from[0] == '\\' && from[1] >= '0' && from[1] <= '3' && from[2] >= '0' && from[2] <= '7' &&
			from[3] >= '0' && from[3] <= '7') {
			*to++ = (char)((from[1] - '0') * 64 + (from[2] - '0') * 8 + (from[3] - '0'));
			from += 3;
		} else {
			*to++ = *from;
		}
	}
	*to = '\0';
}

/* ------------------------------------------------------------------- mounts */

/* A line: id parent major:minor root mountpoint options [fields] - type source superoptions */
static bool mount_matches(const struct search *s, char *line, char **mount_point)
{
	unsigned major_number, minor_number;
	int at = 0;
	if (sscanf(line, "%*u %*u %u:%u %*s %n", &major_number, &minor_number, &at) != 2 || at == 0) {
		return false;
	}
	char *rest = strstr(line + at, " - ");
	char source[512] = "";
	if (rest != NULL) {
		(void)sscanf(rest, " - %*s %511s", source);
	}
	*mount_point = line + at;
	line[at + (int)strcspn(line + at, " ")] = '\0';
	unescape(*mount_point);
	unescape(source);
	/* btrfs and others show a number of their own; then the source tells */
	return makedev(major_number, minor_number) == s->device ||
		(major_number == 0 && source[0] == '/' && is_device(source, s->device));
}

static bool namespace_is_new(struct search *s, const char *pid, ino_t *inode)
{
	char path[300];
	struct stat st;
	(void)snprintf(path, sizeof(path), "/proc/%s/ns/mnt", pid);
	if (stat(path, &st) != 0) {
		return false;
	}
	*inode = st.st_ino;
	for (size_t i = 0; i < s->seen_count; i++) {
		if (s->seen[i] == st.st_ino) {
			return false;
		}
	}
	if (s->seen_count < NAMESPACES_MAX) {
		s->seen[s->seen_count++] = st.st_ino;
	}
	return true;
}

static void search_mounts(struct search *s, const char *pid)
{
	char path[300];
	ino_t inode = 0;
	if (!namespace_is_new(s, pid, &inode)) {
		return;
	}
	(void)snprintf(path, sizeof(path), "/proc/%s/mountinfo", pid);
	FILE *file = fopen(path, "re");
	if (file == NULL) {
		return; /* it has just ended */
	}
	char *line = NULL;
	size_t room = 0;
	while (getline(&line, &room, file) > 0) {
		char *mount_point;
		char comm[COMM_BYTES];
		if (!mount_matches(s, line, &mount_point)) {
			continue;
		}
		if (inode == s->own_namespace) {
			found(s, "mounted on %s", mount_point);
		} else {
			read_comm(pid, comm);
			found(s, "mounted on %s in the mount namespace of pid %s (%s)", mount_point, pid, comm);
		}
	}
	free(line);
	(void)fclose(file);
}

/* ------------------------------------------------------ swap, stacked devices */

static void search_swap(struct search *s)
{
	char line[512];
	FILE *file = fopen("/proc/swaps", "re");
	if (file == NULL) {
		return;
	}
	while (fgets(line, sizeof(line), file) != NULL) {
		line[strcspn(line, " \t\n")] = '\0';
		unescape(line);
		if (line[0] == '/' && is_device(line, s->device)) {
			found(s, "swap");
		}
	}
	(void)fclose(file);
}

static void search_stacked(struct search *s, int loop_index)
{
	char path[512];
	(void)snprintf(path, sizeof(path), "/sys/block/loop%d/holders", loop_index);
	DIR *dir = opendir(path);
	if (dir == NULL) {
		return;
	}
	for (const struct dirent *entry = readdir(dir); entry != NULL; entry = readdir(dir)) {
		char name[128] = "";
		if (entry->d_name[0] == '.') {
			continue;
		}
		(void)snprintf(path, sizeof(path), "/sys/block/%s/dm/name", entry->d_name);
		FILE *file = fopen(path, "re");
		if (file != NULL) {
			if (fgets(name, sizeof(name), file) != NULL) {
				name[strcspn(name, "\n")] = '\0';
			}
			(void)fclose(file);
		}
		if (name[0] != '\0') {
			found(s, "used by %s (%s)", entry->d_name, name);
		} else {
			found(s, "used by %s", entry->d_name);
		}
	}
	(void)closedir(dir);
}

/* ------------------------------------------------------------------- openers */

/*
 * Could @target be a name of the device? By its name, because looking at a file on a dead network file
 * system could take for ever: anything in a directory /dev, and the kernel's name anywhere (chroots and
 * containers have device nodes of their own).
 */
static bool may_be_it(const struct search *s, const char *target)
{
	const char *last = strrchr(target, '/');
	return last != NULL && (strstr(target, "/dev/") != NULL || strcmp(last + 1, s->name) == 0);
}

static bool has_it_open(const struct search *s, const char *pid)
{
	char path[600];
	(void)snprintf(path, sizeof(path), "/proc/%s/fd", pid);
	DIR *dir = opendir(path);
	bool open_here = false;
	if (dir == NULL) {
		return false;
	}
	for (const struct dirent *entry = readdir(dir); entry != NULL && !open_here; entry = readdir(dir)) {
		char target[4096];
		(void)snprintf(path, sizeof(path), "/proc/%s/fd/%s", pid, entry->d_name);
		const ssize_t length = readlink(path, target, sizeof(target) - 1);
		if (length > 0) {
			target[length] = '\0';
			open_here = may_be_it(s, target) && is_device(path, s->device);
		}
	}
	(void)closedir(dir);
	return open_here;
}

/* ---------------------------------------------- a file system without a mount */

/* Does the link lead into a file system on the device? Asks nobody: a dead network file system would never answer. */
static bool leads_into(const struct search *s, const char *link)
{
	struct statx st;
	return statx(AT_FDCWD, link, AT_STATX_DONT_SYNC, STATX_TYPE, &st) == 0 &&
		makedev(st.stx_dev_major, st.stx_dev_minor) == s->device;
}

static bool uses_a_file_of_it(const struct search *s, const char *pid)
{
	static const char *const links[] = {"cwd", "root", "exe"};
	char path[600];
	for (size_t i = 0; i < sizeof(links) / sizeof(links[0]); i++) {
		(void)snprintf(path, sizeof(path), "/proc/%s/%s", pid, links[i]);
		if (leads_into(s, path)) {
			return true;
		}
	}
	(void)snprintf(path, sizeof(path), "/proc/%s/fd", pid);
	DIR *dir = opendir(path);
	bool uses = false;
	if (dir == NULL) {
		return false;
	}
	for (const struct dirent *entry = readdir(dir); entry != NULL && !uses; entry = readdir(dir)) {
		(void)snprintf(path, sizeof(path), "/proc/%s/fd/%s", pid, entry->d_name);
		uses = entry->d_name[0] != '.' && leads_into(s, path);
	}
	(void)closedir(dir);
	return uses;
}

/* After `umount -l` no mount is to be seen; the file system lives on with the files in it that are open. */
static void search_detached_mount(struct search *s)
{
	DIR *dir = opendir("/proc");
	if (dir == NULL) {
		return;
	}
	for (const struct dirent *entry = readdir(dir); entry != NULL; entry = readdir(dir)) {
		char comm[COMM_BYTES];
		if (isdigit((unsigned char)entry->d_name[0]) && uses_a_file_of_it(s, entry->d_name)) {
			read_comm(entry->d_name, comm);
			found(s, "its file system was detached (umount -l) and is still used by %s (pid %s)", comm, entry->d_name);
		}
	}
	(void)closedir(dir);
}

static void search_processes(struct search *s)
{
	DIR *dir = opendir("/proc");
	if (dir == NULL) {
		return;
	}
	char self[16];
	(void)snprintf(self, sizeof(self), "%d", (int)getpid());
	search_mounts(s, "self"); /* so that our own namespace is described as such */
	for (const struct dirent *entry = readdir(dir); entry != NULL; entry = readdir(dir)) {
		char comm[COMM_BYTES];
		if (!isdigit((unsigned char)entry->d_name[0])) {
			continue;
		}
		search_mounts(s, entry->d_name);
		if (strcmp(entry->d_name, self) != 0 && has_it_open(s, entry->d_name)) {
			read_comm(entry->d_name, comm);
			found(s, "open by %s (pid %s)", comm, entry->d_name);
		}
	}
	(void)closedir(dir);
}

int bsr_loopdev_holders(const struct bsr_loopdev *dev, char *text, size_t room)
{
	struct stat st;
	if (room > 0) {
		text[0] = '\0';
	}
	if (dev->loop_fd < 0 || fstat(dev->loop_fd, &st) != 0) {
		return 0;
	}
	struct search *s = calloc(1, sizeof(*s));
	if (s == NULL) {
		return 1; /* in doubt it is held */
	}
	s->device = st.st_rdev;
	(void)snprintf(s->name, sizeof(s->name), "loop%d", dev->loop_index);
	s->text = text;
	s->room = room;
	struct stat own;
	s->own_namespace = stat("/proc/self/ns/mnt", &own) == 0 ? own.st_ino : 0;
	search_processes(s);
	search_swap(s);
	search_stacked(s, dev->loop_index);
	if (s->count == 0) {
		char path[64];
		(void)snprintf(path, sizeof(path), "/dev/loop%d", dev->loop_index);
		const int fd = open(path, O_RDONLY | O_EXCL | O_CLOEXEC);
		const bool claimed = fd < 0 && errno == EBUSY;
		if (fd >= 0) {
			(void)close(fd);
		}
		if (claimed) {
			search_detached_mount(s);
		}
		if (claimed && s->count == 0) {
			found(s, "claimed by something that does not show itself (a mount kept by the kernel, a stopping process)");
		}
	}
	const int count = s->count;
	free(s);
	return count;
}
