// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * minor.c - the lock of a minor, and the last known size of its backing device
 *
 * Owns:       <lock dir>/bsr-147-<minor>, <lib dir>/bsr-minor-<minor>.lkbd.
 * May touch:  nothing else.
 */
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

#include "meta.h"

#define LOCK_TRIES 20
#define LOCK_PAUSE_NS 50000000L /* 20 times: one second */

static const char *directory(const char *variable, const char *standard)
{
	const char *value = getenv(variable);
	return value != NULL && value[0] != '\0' ? value : standard;
}

/* Both directories belong to us; the first of us makes them. */
static const char *make_directory(const char *variable, const char *standard)
{
	const char *path = directory(variable, standard);
	if (mkdir(path, 0755) != 0 && errno != EEXIST) {
		bsr_meta_note("cannot make %s: %s", path, strerror(errno));
	}
	return path;
}

static int report_holder(const struct bsr_meta_context *ctx, const char *path)
{
	struct flock who = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
	char name[64] = "another process";
	if (fcntl(ctx->lock_fd, F_GETLK, &who) == 0 && who.l_type != F_UNLCK && who.l_pid > 0) {
		char comm[64];
		snprintf(comm, sizeof(comm), "/proc/%ld/comm", (long)who.l_pid);
		FILE *f = fopen(comm, "re");
		if (f == NULL || fscanf(f, "%63s", name) != 1) {
			snprintf(name, sizeof(name), "process");
		}
		if (f != NULL) {
			fclose(f);
		}
		bsr_meta_error("minor %" PRId32
			       " is in use by %s (pid %ld), which holds %s; detach it first: "
			       "%s detach or %s down",
			ctx->minor, name, (long)who.l_pid, path, bsr_names()->admin,
			bsr_names()->admin);
	} else {
		bsr_meta_error("minor %" PRId32 " is in use: %s is locked; detach it first",
			ctx->minor, path);
	}
	return META_USAGE;
}

int bsr_meta_lock(struct bsr_meta_context *ctx, bool reader)
{
	char path[META_PATH_BYTES_MAX];
	if (ctx->minor < 0) {
		return META_OK;
	}
	snprintf(path, sizeof(path), "%s/bsr-147-%" PRId32,
		make_directory("BSR_LOCK_DIR", "/var/lock"), ctx->minor);
	ctx->lock_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (ctx->lock_fd < 0) {
		bsr_meta_error("cannot open the lock file %s: %s", path, strerror(errno));
		return META_USAGE;
	}
	for (int attempt = 0; attempt < LOCK_TRIES; attempt++) {
		const struct timespec pause = {.tv_nsec = LOCK_PAUSE_NS};
		struct flock want = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
		if (fcntl(ctx->lock_fd, F_SETLK, &want) == 0) {
			return META_OK;
		}
		if (errno != EAGAIN && errno != EACCES && errno != EINTR) {
			bsr_meta_error("cannot lock %s: %s", path, strerror(errno));
			return META_USAGE;
		}
		if (reader) {
			ctx->attached =
				true; /* reading harms nobody, but what is read may be old */
			return META_OK;
		}
		nanosleep(&pause, NULL);
	}
	return report_holder(ctx, path);
}

static void last_known_path(const struct bsr_meta_context *ctx, char *path, const char *suffix)
{
	BSR_ASSERT(ctx->minor >= 0);
	snprintf(path, META_PATH_BYTES_MAX, "%s/bsr-minor-%" PRId32 ".lkbd%s",
		directory("BSR_LIB_DIR", "/var/lib/bsr"), ctx->minor, suffix);
}

bool bsr_meta_last_known_read(const struct bsr_meta_context *ctx, struct bsr_meta_last_known *known)
{
	char path[META_PATH_BYTES_MAX];
	char line[META_PATH_BYTES_MAX + 32];
	if (ctx->minor < 0 || ctx->kind != BSR_MD_INTERNAL) {
		return false;
	}
	last_known_path(ctx, path, "");
	FILE *f = fopen(path, "re");
	if (f == NULL) {
		return false;
	}
	*known = (struct bsr_meta_last_known){0};
	bool ok = false;
	if (fgets(line, sizeof(line), f) != NULL) {
		char *name = strchr(line, '\t');
		line[strcspn(line, "\n")] = '\0';
		if (name != NULL) {
			*name++ = '\0';
			snprintf(known->name, sizeof(known->name), "%s", name);
		}
		ok = bsr_meta_parse_number(line, INT64_MAX, &known->bytes);
	}
	if (ok && fgets(line, sizeof(line), f) != NULL && strncmp(line, "uuid:\t", 6) == 0) {
		line[strcspn(line, "\n")] = '\0';
		ok = bsr_meta_parse_hex(line + 6, &known->uuid);
	}
	fclose(f);
	return ok;
}

int bsr_meta_last_known_write(const struct bsr_meta_context *ctx, uint64_t uuid)
{
	char path[META_PATH_BYTES_MAX];
	char temporary[META_PATH_BYTES_MAX];
	if (ctx->minor < 0 || ctx->kind != BSR_MD_INTERNAL || ctx->opt.dry_run) {
		return META_OK;
	}
	last_known_path(ctx, path, "");
	last_known_path(ctx, temporary, ".new");
	(void)make_directory("BSR_LIB_DIR", "/var/lib/bsr");
	FILE *f = fopen(temporary, "we");
	bool ok = f != NULL;
	if (ok) {
		ok = fprintf(f, "%" PRIu64 "\t%s\nuuid:\t%016" PRIX64 "\n", ctx->size_bytes,
			     ctx->path, uuid) > 0;
		ok = fflush(f) == 0 && fsync(fileno(f)) == 0 && ok;
		ok = fclose(f) == 0 && ok;
	}
	if (!ok || rename(temporary, path) != 0) {
		/* The metadata is fine without it; only a later resize cannot be detected. */
		bsr_meta_note(
			"cannot record the size of %s in %s: %s", ctx->path, path, strerror(errno));
	}
	return META_OK;
}

int bsr_meta_last_known_remove(const struct bsr_meta_context *ctx)
{
	char path[META_PATH_BYTES_MAX];
	if (ctx->minor < 0 || ctx->opt.dry_run) {
		return META_OK;
	}
	last_known_path(ctx, path, "");
	if (unlink(path) != 0 && errno != ENOENT) {
		bsr_meta_error("cannot remove %s: %s", path, strerror(errno));
		return META_BAD;
	}
	return META_OK;
}
