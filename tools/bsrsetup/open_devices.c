// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * open_devices.c - which block devices somebody has open
 *
 * Owns: one look through /proc and /sys, kept for the life of the program: status of many resources needs it once.
 *
 * A device counts as open when it is mounted, is used for swap, has another device on top of it, or a process other than
 * bsrd has it open. Mounts of other mount namespaces are seen through their processes' tables only for process 1 and our own.
 */
#include "run.h"

#include <ctype.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#define DEVICES_MAX 8192u

static dev_t open_device[DEVICES_MAX];
static size_t open_count;
static bool looked;

static void note(dev_t device)
{
	if (open_count < DEVICES_MAX) {
		open_device[open_count++] = device;
	}
}

static void note_path(const char *path)
{
	struct stat st;
	if (stat(path, &st) == 0 && S_ISBLK(st.st_mode)) {
		note(st.st_rdev);
	}
}

static void look_at_mounts(const char *table)
{
	char line[8192];
	FILE *file = fopen(table, "re");
	while (file != NULL && fgets(line, sizeof(line), file) != NULL) {
		unsigned int major_number = 0;
		unsigned int minor_number = 0;
		char source[512] = "";
		const char *rest = strstr(line, " - ");
		if (sscanf(line, "%*u %*u %u:%u", &major_number, &minor_number) == 2) {
			note(makedev(major_number, minor_number));
		}
		/* btrfs and others show a number of their own; then the source tells */
		if (rest != NULL && sscanf(rest, " - %*s %511s", source) == 1 && source[0] == '/') {
			note_path(source);
		}
	}
	if (file != NULL) {
		(void)fclose(file);
	}
}

static void look_at_swaps(void)
{
	char line[4096];
	char path[512];
	FILE *file = fopen("/proc/swaps", "re");
	while (file != NULL && fgets(line, sizeof(line), file) != NULL) {
		if (line[0] == '/' && sscanf(line, "%511s", path) == 1) {
			note_path(path);
		}
	}
	if (file != NULL) {
		(void)fclose(file);
	}
}

/* bsrd itself has the devices open that it serves. */
static bool is_bsrd(const char *pid)
{
	char path[300];
	char comm[32] = "";
	(void)snprintf(path, sizeof(path), "/proc/%.20s/comm", pid);
	FILE *file = fopen(path, "re");
	if (file != NULL) {
		if (fgets(comm, sizeof(comm), file) == NULL) {
			comm[0] = '\0';
		}
		(void)fclose(file);
	}
	return strncmp(comm, "bsrd", 4) == 0;
}

static void look_at_process(const char *pid)
{
	char path[300];
	char target[512];
	bool known = false;
	(void)snprintf(path, sizeof(path), "/proc/%.20s/fd", pid);
	DIR *dir = opendir(path);
	for (struct dirent *entry = dir != NULL ? readdir(dir) : NULL; entry != NULL; entry = readdir(dir)) {
		const ssize_t length = readlinkat(dirfd(dir), entry->d_name, target, sizeof(target) - 1);
		if (length < 6 || strncmp(target, "/dev/", 5) != 0) {
			continue;
		}
		struct stat st;
		if (fstatat(dirfd(dir), entry->d_name, &st, 0) != 0 || !S_ISBLK(st.st_mode)) {
			continue;
		}
		if (!known && is_bsrd(pid)) {
			break;
		}
		known = true;
		note(st.st_rdev);
	}
	if (dir != NULL) {
		(void)closedir(dir);
	}
}

static void look(void)
{
	looked = true;
	look_at_mounts("/proc/self/mountinfo");
	look_at_mounts("/proc/1/mountinfo");
	look_at_swaps();
	DIR *dir = opendir("/proc");
	for (struct dirent *entry = dir != NULL ? readdir(dir) : NULL; entry != NULL; entry = readdir(dir)) {
		if (isdigit((unsigned char)entry->d_name[0])) {
			look_at_process(entry->d_name);
		}
	}
	if (dir != NULL) {
		(void)closedir(dir);
	}
}

static bool has_device_on_top(dev_t device)
{
	char path[128];
	(void)snprintf(path, sizeof(path), "/sys/dev/block/%u:%u/holders", major(device), minor(device));
	DIR *dir = opendir(path);
	bool found = false;
	for (struct dirent *entry = dir != NULL ? readdir(dir) : NULL; entry != NULL; entry = readdir(dir)) {
		found = found || entry->d_name[0] != '.';
	}
	if (dir != NULL) {
		(void)closedir(dir);
	}
	return found;
}

static bool is_open(struct json_object *device)
{
	const char *path = bsr_json_string(device, "device");
	struct stat st;
	if (bsr_json_int(device, "nbd_clients", 0) > 0) {
		return true;
	}
	if (path[0] == '\0' || stat(path, &st) != 0 || !S_ISBLK(st.st_mode)) {
		return false;
	}
	if (!looked) {
		look();
	}
	for (size_t i = 0; i < open_count; i++) {
		if (open_device[i] == st.st_rdev) {
			return true;
		}
	}
	return has_device_on_top(st.st_rdev);
}

void bsr_open_mark(struct json_object *snapshot)
{
	struct json_object *devices = bsr_json_array(snapshot, "devices");
	for (size_t i = 0; i < bsr_json_count(devices); i++) {
		struct json_object *device = bsr_json_at(devices, i);
		json_object_object_add(device, "open", json_object_new_boolean(is_open(device)));
	}
}
