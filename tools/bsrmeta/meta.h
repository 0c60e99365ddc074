/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * meta.h - what the parts of bsrmeta share: options, the opened device, one form for v08 and v09
 * metadata
 */
#ifndef BSR_TOOLS_META_H
#define BSR_TOOLS_META_H

#include "names.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "superblock.h"

/* Exit codes, as scripts know them. */
enum bsr_meta_exit {
	META_OK = 0,
	META_DECLINED = 1,     /* the user said no, or apply-al found no usable log at all */
	META_AL_UNUSABLE = 2,  /* apply-al: damaged log without any transaction */
	META_INCONSISTENT = 5, /* outdate of data that is not consistent */
	META_BAD = 10,	       /* bad value, unusable dump, input/output error, device too small */
	META_USAGE = 20,       /* usage, cannot open, locked, device in use */
	META_UNSUPPORTED = 30,
	META_REFUSED = 40, /* would destroy data */
	META_NOT_FOUND = 255,
};

#define META_DEVICE_BYTES_MIN (68u << 10) /* what the test for existing data looks at */
#define META_AL_BLOCKS_DEFAULT 80u	  /* one stripe of 320 KiB */
#define META_AL_BLOCKS_DRBD 8u		  /* 32 KiB, what drbdmeta makes unless told */
/* all that fits before the bitmap of DRBD's indexed layout */
#define META_AL_BLOCKS_DRBD_INDEXED 8u
#define META_AL_STRIPES_MAX 1024u
/* every tool stores this at creation; the engine stores its own */
#define META_AL_EXTENTS_CREATED 257u
#define META_PATH_BYTES_MAX 4096u
#define BSR_META_MINOR_MAX 1048575u

struct bsr_meta_options {
	bool force;
	bool ignore_sanity_checks;
	bool dry_run;
	bool json; /* commands that print facts: as JSON */
	uint32_t verbose;
	int32_t node_id;	   /* -1 = not given */
	int64_t peer_max_bio_size; /* bytes, -1 = not given */
	uint32_t al_stripes;	   /* 0 = not given */
	uint32_t al_stripe_blocks; /* 0 = not given */
	uint64_t stride_bytes;	   /* indexed layout; 0 = not given */
};

/** What the command line names, opened. */
struct bsr_meta_context {
	struct bsr_meta_options opt;
	char **argv;
	char **typed; /* argv in the order of the command line, for the head of a dump */
	int argc;
	int32_t minor; /* -1 for "-": no lock, no last known size */
	uint32_t format; /* 7, 8 or 9 */
	const char *path;
	enum bsr_md_kind kind;
	uint32_t index;
	const char *loop_file; /* external metadata in a file behind a loop device, else NULL */
	const char *command;
	char **args; /* of the command */
	int arg_count;
	int fd;
	bool is_block;
	uint64_t size_bytes;
	int lock_fd;
	bool attached; /* somebody holds the minor's lock, and the command only reads */
};

/**
 * Metadata as found: v08 is kept in the same structure, as one peer (0) in slot 0 and two history
 * entries.
 */
struct bsr_meta_md {
	uint32_t format; /* 8 or 9 */
	struct bsr_superblock sb; /* v08: device flags as v08 has them, in sb.flags */
	bool v08_in_use; /* v08: the magic of a device that is or was attached */
	uint64_t v08_reserved;
	uint64_t stride_bytes;
	/* for which @layout was computed; differs from the device's after a resize */
	uint64_t device_bytes;
	struct bsr_md_layout layout;
};

/* v08 device flags that v09 keeps per peer */
#define META_V08_CONNECTED 0x04u
#define META_V08_FULL_SYNC 0x08u
#define META_V08_PEER_OUTDATED 0x20u

enum bsr_meta_probe {
	META_PROBE_NONE,
	META_PROBE_V07, /* v06 or v07: known by its magic only */
	META_PROBE_V08,
	META_PROBE_V09,
	/* the magic of v08 or v09, and something impossible; @problem says what */
	META_PROBE_DAMAGED,
};

struct bsr_meta_found {
	enum bsr_meta_probe what;
	uint64_t superblock_offset;
	const char *problem;
	bool v07_fixed_place;
};

/* ---- messages (main.c) ---- */
void bsr_meta_error(const char *format, ...) __attribute__((format(printf, 1, 2)));
void bsr_meta_note(const char *format, ...) __attribute__((format(printf, 1, 2)));
/** bsr_meta_confirm - ask on stderr; true for exactly "yes", or with --force, which is then said */
bool bsr_meta_confirm(const struct bsr_meta_context *ctx, const char *question);
/** bsr_meta_size_text - "64 MiB" and the like into @out (32 bytes) */
const char *bsr_meta_size_text(char *out, uint64_t bytes);
/** bsr_meta_parse_hex - 1..16 hex digits and nothing else */
bool bsr_meta_parse_hex(const char *text, uint64_t *value);
/** bsr_meta_parse_number - decimal digits, at most @max */
bool bsr_meta_parse_number(const char *text, uint64_t max, uint64_t *value);

/*
 * ---- device.c: all input and output; every function says itself what went wrong and returns 0 or
 * META_* ----
 */
int bsr_meta_device_open(struct bsr_meta_context *ctx, bool writable, bool exclusive);
void bsr_meta_device_close(struct bsr_meta_context *ctx);
int bsr_meta_device_read(const struct bsr_meta_context *ctx, void *buffer, size_t bytes, uint64_t offset);
int bsr_meta_device_write(const struct bsr_meta_context *ctx, const void *buffer, size_t bytes, uint64_t offset);
int bsr_meta_device_zero(const struct bsr_meta_context *ctx, uint64_t bytes, uint64_t offset);
int bsr_meta_device_sync(const struct bsr_meta_context *ctx);

/* ---- loop_file.c ---- */
/**
 * bsr_meta_loop_file_bind - make sure that the loop device shows ctx->loop_file; nothing to do
 * without one
 */
int bsr_meta_loop_file_bind(const struct bsr_meta_context *ctx);

/* ---- minor.c: the minor's lock and the last known size of its backing device ---- */
/** bsr_meta_lock - wait at most a second; a reader goes on without it and sets ctx->attached */
int bsr_meta_lock(struct bsr_meta_context *ctx, bool reader);
struct bsr_meta_last_known {
	uint64_t bytes;
	uint64_t uuid; /* 0 = not recorded */
	char name[META_PATH_BYTES_MAX];
};
bool bsr_meta_last_known_read(const struct bsr_meta_context *ctx, struct bsr_meta_last_known *known);
int bsr_meta_last_known_write(const struct bsr_meta_context *ctx, uint64_t uuid);
int bsr_meta_last_known_remove(const struct bsr_meta_context *ctx);

/* ---- format.c: find, read and write superblocks ---- */
int bsr_meta_v08_decode(struct bsr_meta_md *md, const uint8_t *block) BSR_MUST_CHECK;
void bsr_meta_v08_encode(uint8_t *block, const struct bsr_meta_md *md);
/**
 * bsr_meta_layout - placement for these settings on a device of @device_bytes; says what is wrong
 */
int bsr_meta_layout(const struct bsr_meta_context *ctx, struct bsr_meta_md *md, uint64_t device_bytes);
/** bsr_meta_new_stride - bytes of an indexed slot that is made now: as told, else as the product of this name has it */
uint64_t bsr_meta_new_stride(const struct bsr_meta_context *ctx);
/** bsr_meta_probe - look at the place where metadata belongs on a device of @device_bytes */
int bsr_meta_probe(const struct bsr_meta_context *ctx, uint64_t device_bytes, struct bsr_meta_found *found,
	struct bsr_meta_md *md);
/** bsr_meta_read - the metadata in the wanted format, or a message and META_NOT_FOUND */
int bsr_meta_read(const struct bsr_meta_context *ctx, struct bsr_meta_md *md);
/** bsr_meta_write - superblock to its place, durable */
int bsr_meta_write(const struct bsr_meta_context *ctx, struct bsr_meta_md *md);
/** bsr_meta_is_clean - no activity-log replay is owed */
bool bsr_meta_is_clean(const struct bsr_meta_md *md);
/** bsr_meta_bitmap_bytes - bitmap bytes that describe the agreed size */
uint64_t bsr_meta_bitmap_bytes(const struct bsr_meta_md *md);
const char *bsr_meta_probe_name(enum bsr_meta_probe what);

/* ---- al.c ---- */
int bsr_meta_al_initialise(const struct bsr_meta_context *ctx, const struct bsr_meta_md *md);
/** bsr_meta_al_apply - mark what was hot, new ring, al-clean; writes the superblock */
int bsr_meta_al_apply(const struct bsr_meta_context *ctx, struct bsr_meta_md *md);
int bsr_meta_al_print(const struct bsr_meta_context *ctx, const struct bsr_meta_md *md);

/* ---- commands: exit codes ---- */
int bsr_meta_create(struct bsr_meta_context *ctx);
int bsr_meta_convert(struct bsr_meta_context *ctx);
int bsr_meta_wipe(struct bsr_meta_context *ctx);
int bsr_meta_dump(struct bsr_meta_context *ctx);
int bsr_meta_restore(struct bsr_meta_context *ctx);
int bsr_meta_verify_dump(struct bsr_meta_context *ctx);
int bsr_meta_apply_al(struct bsr_meta_context *ctx);
int bsr_meta_get_gi(struct bsr_meta_context *ctx);
int bsr_meta_show_gi(struct bsr_meta_context *ctx);
int bsr_meta_set_gi(struct bsr_meta_context *ctx);
int bsr_meta_dstate(struct bsr_meta_context *ctx);
int bsr_meta_outdate(struct bsr_meta_context *ctx);
int bsr_meta_invalidate(struct bsr_meta_context *ctx);
int bsr_meta_forget_peer(struct bsr_meta_context *ctx);
int bsr_meta_read_dev_uuid(struct bsr_meta_context *ctx);
int bsr_meta_write_dev_uuid(struct bsr_meta_context *ctx);
int bsr_meta_check_resize(struct bsr_meta_context *ctx);

/* ---- existing.c ---- */
/**
 * bsr_meta_check_existing_data - is there something that new metadata would destroy?
 * @usable_bytes: what is left for data (internal), 0 for external metadata
 * Returns 0 to go on, META_DECLINED, META_REFUSED or META_BAD.
 */
int bsr_meta_check_existing_data(const struct bsr_meta_context *ctx, uint64_t offset, uint64_t usable_bytes);

/* ---- resize.c ---- */
/**
 * bsr_meta_find_moved - metadata at the end of the device as it was last known; 0 when there,
 * META_NOT_FOUND
 */
int bsr_meta_find_moved(const struct bsr_meta_context *ctx, struct bsr_meta_md *md);
/** bsr_meta_move - move internal metadata, found for another size, to the device's present end */
int bsr_meta_move(const struct bsr_meta_context *ctx, struct bsr_meta_md *md);

/* json.c */
/** bsr_meta_json_begin - the begin of an object: which device; the caller ends it */
void bsr_meta_json_begin(const struct bsr_meta_context *ctx);
/** bsr_meta_json_dump - all metadata as one object; an exit code */
int bsr_meta_json_dump(const struct bsr_meta_context *ctx, const struct bsr_meta_md *md);

/* journal.c */
/** bsr_meta_journal - note a command that was given and how it ended; @modifies: it is not one that only looks */
void bsr_meta_journal(const struct bsr_meta_context *ctx, bool modifies, int code);

/** How far a long write is. */
struct bsr_meta_progress {
	uint64_t total;
	int64_t began_ms;
	int64_t drawn_ms;
	bool on;
	bool terminal;
	bool drawn;
};

/* progress.c */
void bsr_meta_progress_begin(struct bsr_meta_progress *p, const struct bsr_meta_context *ctx, uint64_t bytes);
/** bsr_meta_progress_show - @done bytes of all are written; draws at most twice a second */
void bsr_meta_progress_show(struct bsr_meta_progress *p, uint64_t done);
void bsr_meta_progress_end(struct bsr_meta_progress *p);

/* hexdump.c */
int bsr_meta_hexdump(struct bsr_meta_context *ctx);

#endif
