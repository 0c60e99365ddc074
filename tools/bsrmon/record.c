// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * record.c - files of measurements: lines, rolling over, bounds
 *
 * Owns:       the directory of measurements and the form of its files.
 * Invariants:
 *   RC-1  A resource's files never have more bytes than allowed for longer than until the next look.
 *   RC-2  A line that was read is checked character by character: whoever can write there must not get
 * anything but numbers and a name into a report.
 */
#include "record.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <bsr/assert.h>

#define ROLL_SHARE 32u /* a file is rolled over at this part of what all may have */
#define ROLL_BYTES_MIN 8192u
#define STAMP_BYTES 18u /* "_YYYY-MM-DDThhmmss" */

/* --------------------------------------------------------------------- lines */

void mon_time_text(char *text, int64_t ms)
{
	const time_t seconds = (time_t)(ms / 1000);
	struct tm local;
	if (localtime_r(&seconds, &local) == NULL) {
		memset(&local, 0, sizeof(local));
	}
	const size_t used = strftime(text, MON_TIME_BYTES, "%Y-%m-%d_%H:%M:%S", &local);
	snprintf(text + used, MON_TIME_BYTES - used, ".%03u", (unsigned)(ms % 1000));
}

void mon_line_print(struct bsr_text *out, const struct mon_record *record, const char *time)
{
	bsr_text_add(out, "%s", time);
	if (record->peer[0] != '\0') {
		bsr_text_add(out, " peer=%s", record->peer);
	}
	for (uint32_t i = 0; i < record->count; i++) {
		bsr_text_add(out, " %s=%" PRId64, record->field[i].name, record->value[i]);
	}
	bsr_text_add(out, "\n");
}

static bool time_ok(const char *text)
{
	static const char form[] = "dddd-dd-dd_dd:dd:dd.ddd";
	for (size_t i = 0; form[i] != '\0'; i++) {
		const bool digit = text[i] >= '0' && text[i] <= '9';
		if (form[i] == 'd' ? !digit : text[i] != form[i]) {
			return false;
		}
	}
	return true;
}

static bool name_ok(const char *name, size_t length)
{
	for (size_t i = 0; i < length; i++) {
		const char c = name[i];
		if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' || c == '.')) {
			return false;
		}
	}
	return length > 0;
}

static bool value_ok(const char *text, size_t length, int64_t *value)
{
	const size_t sign = length > 0 && text[0] == '-';
	uint64_t number = 0;
	if (length - sign == 0 || length - sign > 18) {
		return false;
	}
	for (size_t i = sign; i < length; i++) {
		if (text[i] < '0' || text[i] > '9') {
			return false;
		}
		number = number * 10 + (uint64_t)(text[i] - '0');
	}
	*value = sign ? -(int64_t)number : (int64_t)number;
	return true;
}

static bool peer_ok(const char *text, size_t length)
{
	for (size_t i = 0; i < length; i++) {
		if ((unsigned char)text[i] <= ' ' || text[i] == 0x7f) {
			return false;
		}
	}
	return length > 0 && length < MON_NAME_MAX;
}

static const char *take_word(struct mon_line *line, const char *word, size_t length)
{
	const char *equals = memchr(word, '=', length);
	const size_t name = equals != NULL ? (size_t)(equals - word) : 0;
	if (equals == NULL || name == 0) {
		return "a word without '='";
	}
	const size_t rest = length - name - 1;
	if (name == 4 && memcmp(word, "peer", 4) == 0) {
		if (line->count > 0 || line->peer[0] != '\0' || !peer_ok(equals + 1, rest)) {
			return "no name of a peer";
		}
		memcpy(line->peer, equals + 1, rest);
		line->peer[rest] = '\0';
		return NULL;
	}
	if (line->count == MON_FIELDS_MAX) {
		return "too many fields";
	}
	if (name >= sizeof(line->field[0].name) || !name_ok(word, name)) {
		return "no name of a field";
	}
	if (!value_ok(equals + 1, rest, &line->field[line->count].value)) {
		return "no number";
	}
	memcpy(line->field[line->count].name, word, name);
	line->field[line->count++].name[name] = '\0';
	return NULL;
}

const char *mon_line_parse(struct mon_line *line, const char *text, size_t bytes)
{
	line->count = 0;
	line->peer[0] = '\0';
	if (bytes < MON_TIME_BYTES - 1 || bytes >= MON_LINE_MAX || !time_ok(text)) {
		return "it does not begin with a time";
	}
	memcpy(line->time, text, MON_TIME_BYTES - 1);
	line->time[MON_TIME_BYTES - 1] = '\0';
	text += MON_TIME_BYTES - 1;
	bytes -= MON_TIME_BYTES - 1;
	while (bytes > 0) {
		if (*text != ' ') {
			return "words are not separated by one blank";
		}
		text++;
		bytes--;
		const char *blank = memchr(text, ' ', bytes);
		const size_t length = blank != NULL ? (size_t)(blank - text) : bytes;
		const char *wrong = take_word(line, text, length);
		if (wrong != NULL) {
			return wrong;
		}
		text += length;
		bytes -= length;
	}
	return line->count > 0 ? NULL : "no field";
}

/* --------------------------------------------------------------------- files */

bool mon_file_name(char *path, size_t room, const char *directory, const char *resource, int64_t volume,
	const char *type)
{
	int bytes;
	if (resource == NULL || resource[0] == '\0') {
		bytes = snprintf(path, room, "%s/%s", directory, type);
	} else if (volume >= 0) {
		bytes = snprintf(path, room, "%s/%s/vnr%" PRId64 "_%s", directory, resource, volume, type);
	} else {
		bytes = snprintf(path, room, "%s/%s/%s", directory, resource, type);
	}
	return bytes > 0 && (size_t)bytes < room;
}

bool mon_file_is_older(const char *name, const char *base)
{
	static const char form[] = "_dddd-dd-ddTdddddd";
	const size_t length = strlen(base);
	if (strncmp(name, base, length) != 0 || strlen(name) < length + STAMP_BYTES) {
		return false;
	}
	for (size_t i = 0; form[i] != '\0'; i++) {
		const char c = name[length + i];
		if (form[i] == 'd' ? c < '0' || c > '9' : c != form[i]) {
			return false;
		}
	}
	/* a second one of the same second has ".1" and so on behind it */
	return name[length + STAMP_BYTES] == '\0' || name[length + STAMP_BYTES] == '.';
}

static int make_directories(const char *path)
{
	char part[PATH_MAX];
	snprintf(part, sizeof(part), "%s", path);
	for (char *slash = strchr(part + 1, '/'); slash != NULL; slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		if (mkdir(part, 0755) != 0 && errno != EEXIST) {
			return -errno;
		}
		*slash = '/';
	}
	return 0;
}

static int roll_over(const char *path)
{
	char renamed[PATH_MAX];
	char stamp[STAMP_BYTES + 1];
	const time_t now = time(NULL);
	struct tm local;
	if (localtime_r(&now, &local) == NULL) {
		return -EINVAL;
	}
	strftime(stamp, sizeof(stamp), "_%Y-%m-%dT%H%M%S", &local);
	for (unsigned int again = 0; again < 100; again++) {
		int bytes = again == 0 ? snprintf(renamed, sizeof(renamed), "%s%s", path, stamp)
				       : snprintf(renamed, sizeof(renamed), "%s%s.%02u", path, stamp, again);
		if (bytes < 0 || (size_t)bytes >= sizeof(renamed)) {
			return -ENAMETOOLONG;
		}
		if (access(renamed, F_OK) != 0) {
			return rename(path, renamed) != 0 ? -errno : 0;
		}
	}
	return -EEXIST;
}

static uint64_t roll_at(uint64_t total_bytes)
{
	const uint64_t share = total_bytes / ROLL_SHARE;
	const uint64_t bytes = share < MON_ROLL_BYTES_MAX ? share : MON_ROLL_BYTES_MAX;
	return bytes > ROLL_BYTES_MIN ? bytes : ROLL_BYTES_MIN;
}

static int write_all(int fd, const char *bytes, size_t count)
{
	while (count > 0) {
		const ssize_t written = write(fd, bytes, count);
		if (written < 0 && errno == EINTR) {
			continue;
		}
		if (written <= 0) {
			return written < 0 ? -errno : -EIO;
		}
		bytes += written;
		count -= (size_t)written;
	}
	return 0;
}

static int open_for_append(const char *path)
{
	const int flags = O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW;
	int fd = open(path, flags, 0644);
	if (fd < 0 && errno == ENOENT) {
		const int error = make_directories(path);
		fd = error != 0 ? -1 : open(path, flags, 0644);
	}
	return fd < 0 ? -errno : fd;
}

int mon_file_append(const char *directory, const struct mon_record *about, const char *lines, size_t bytes,
	uint64_t total_bytes)
{
	char path[PATH_MAX];
	struct stat st;
	if (!mon_file_name(
		    path, sizeof(path), directory, about->resource, about->volume, about->type->name)) {
		return -ENAMETOOLONG;
	}
	if (stat(path, &st) == 0 && (uint64_t)st.st_size + bytes > roll_at(total_bytes)) {
		int error = roll_over(path);
		if (error == 0) {
			error = mon_files_bound(directory, about->resource, total_bytes);
		}
		if (error != 0) {
			return error;
		}
	}
	const int fd = open_for_append(path);
	if (fd < 0) {
		return fd;
	}
	int error = write_all(fd, lines, bytes);
	if (close(fd) != 0 && error == 0) {
		error = -errno;
	}
	return error;
}

/* -------------------------------------------------------------------- bounds */

struct found {
	char name[NAME_MAX + 1];
	uint64_t bytes;
	struct timespec written;
	bool older;
};

/* Rolled-over ones first, then by age: what goes first is first. */
static int by_use(const void *a, const void *b)
{
	const struct found *left = a;
	const struct found *right = b;
	if (left->older != right->older) {
		return left->older ? -1 : 1;
	}
	if (left->written.tv_sec != right->written.tv_sec) {
		return left->written.tv_sec < right->written.tv_sec ? -1 : 1;
	}
	if (left->written.tv_nsec != right->written.tv_nsec) {
		return left->written.tv_nsec < right->written.tv_nsec ? -1 : 1;
	}
	return strcmp(left->name, right->name);
}

static bool is_ours(const char *name, bool *older)
{
	char base[NAME_MAX + 1];
	*older = false;
	for (uint32_t i = 0; mon_type_at(i) != NULL; i++) {
		const char *type = mon_type_at(i)->name;
		const size_t digits = strncmp(name, "vnr", 3) == 0 ? strspn(name + 3, "0123456789") : 0;
		const bool numbered = digits > 0 && digits < 6 && name[3 + digits] == '_';
		snprintf(base, sizeof(base), "%.*s%s", numbered ? (int)digits + 4 : 0, name, type);
		*older = mon_file_is_older(name, base);
		if (*older || strcmp(name, base) == 0) {
			return true;
		}
	}
	return false;
}

static int list_directory(const char *path, struct found **files, size_t *count)
{
	DIR *dir = opendir(path);
	size_t room = 0;
	*files = NULL;
	*count = 0;
	if (dir == NULL) {
		return errno == ENOENT ? 0 : -errno;
	}
	for (struct dirent *entry = readdir(dir); entry != NULL; entry = readdir(dir)) {
		struct stat st;
		bool older;
		if (!is_ours(entry->d_name, &older) ||
			fstatat(dirfd(dir), entry->d_name, &st, AT_SYMLINK_NOFOLLOW) != 0 ||
			!S_ISREG(st.st_mode)) {
			continue;
		}
		if (*count == room) {
			room = room == 0 ? 64 : room * 2;
			struct found *more = realloc(*files, room * sizeof(**files));
			if (more == NULL) {
				closedir(dir);
				return -ENOMEM;
			}
			*files = more;
		}
		struct found *f = &(*files)[(*count)++];
		snprintf(f->name, sizeof(f->name), "%s", entry->d_name);
		f->bytes = (uint64_t)st.st_size;
		f->written = st.st_mtim;
		f->older = older;
	}
	closedir(dir);
	if (*count > 1) {
		qsort(*files, *count, sizeof(**files), by_use);
	}
	return 0;
}

int mon_files_bound(const char *directory, const char *resource, uint64_t total_bytes)
{
	char path[PATH_MAX];
	char name[PATH_MAX + NAME_MAX + 2];
	struct found *files;
	size_t count;
	uint64_t bytes = 0;
	const bool of_host = resource == NULL || resource[0] == '\0';
	snprintf(path, sizeof(path), "%s%s%s", directory, of_host ? "" : "/", of_host ? "" : resource);
	int error = list_directory(path, &files, &count);
	for (size_t i = 0; i < count; i++) {
		bytes += files[i].bytes;
	}
	for (size_t i = 0; i < count && bytes > total_bytes && error == 0; i++) {
		snprintf(name, sizeof(name), "%s/%s", path, files[i].name);
		error = unlink(name) != 0 && errno != ENOENT ? -errno : 0;
		bytes -= files[i].bytes;
	}
	free(files);
	return error;
}

static int by_text(const void *a, const void *b)
{
	struct json_object *const *left = a;
	struct json_object *const *right = b;
	return strcmp(json_object_get_string(*left), json_object_get_string(*right));
}

struct json_object *mon_files_of(const char *path)
{
	struct json_object *paths = json_object_new_array();
	char directory[PATH_MAX];
	const char *slash = strrchr(path, '/');
	BSR_ASSERT(slash != NULL);
	snprintf(directory, sizeof(directory), "%.*s", (int)(slash - path), path);
	DIR *dir = opendir(directory);
	for (struct dirent *entry = dir != NULL ? readdir(dir) : NULL; entry != NULL; entry = readdir(dir)) {
		if (mon_file_is_older(entry->d_name, slash + 1)) {
			char name[PATH_MAX + NAME_MAX + 2];
			snprintf(name, sizeof(name), "%s/%s", directory, entry->d_name);
			json_object_array_add(paths, json_object_new_string(name));
		}
	}
	if (dir != NULL) {
		closedir(dir);
	}
	json_object_array_sort(paths, by_text);
	if (access(path, F_OK) == 0) {
		json_object_array_add(paths, json_object_new_string(path));
	}
	return paths;
}
