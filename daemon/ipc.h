/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ipc.h - what keeper and engine process say to each other, and the descriptors that go with it
 *
 * One SOCK_SEQPACKET pair per engine generation. The keeper trusts nothing that comes from the
 * engine process: every field is checked before use (keeper_requests.c). Both ends are always the
 *                 same build of bsrd or refuse each other.
 */
#ifndef BSR_DAEMON_IPC_H
#define BSR_DAEMON_IPC_H

#include <stdbool.h>
#include <stdint.h>

#include <bsr/limits.h>

struct bsr_settings;

#define BSRD_IPC_VERSION 1u
#define BSRD_IPC_ARGS 8u
#define BSRD_IPC_TEXT_MAX 12288u /* two paths, or a screenful for people */
#define BSRD_IPC_FDS_MAX 7u
#define BSRD_DISK_FDS 2u /* of OPEN_DISK: disk, metadata device */
#define BSRD_IPC_SEND_TIMEOUT_S 5

enum bsrd_ipc_type {
	/* keeper to engine, before START: what this generation begins with */
	/* arg0 generation; arg1 node id; arg2..: enum bsrd_setting; text resource; fds: enum bsrd_hello_fd */
	BSRD_IPC_HELLO = 1,
	/* text: struct sockaddr_storage; fd. Also the answer's twin of LISTEN */
	BSRD_IPC_LISTENER,
	BSRD_IPC_DISK,	    /* an open disk: as the answer to OPEN_DISK */
	BSRD_IPC_CHANNEL,   /* a FUSE channel: volume, arg0 size; text device path or ""; fd. Later without fd: the
			       path is known now, or, with error set, the device is gone */
	BSRD_IPC_START,
	/*
	 * The same from the engine process to a new keeper, when the old one was killed
	 * (keeper_adopt.c); and before the disk and channel of a volume:
	 */
	BSRD_IPC_VOLUME, /* volume; arg0 minor, arg1 vnr */
	/* keeper to engine, later */
	BSRD_IPC_ANSWER, /* request, error (-BSR_E_*), text for people, args and fds as the request says */
	BSRD_IPC_STOP,	 /* SIGTERM: go down if nobody holds a device */
	/* engine to keeper, answered */
	BSRD_IPC_CLAIM_MINOR, /* volume; arg0 minor, arg1 vnr */
	BSRD_IPC_FREE_MINOR,  /* volume */
	BSRD_IPC_OPEN_DISK,   /* volume; arg0 md kind, arg1 md index; text disk path \0 md path \0 (for
				 messages only); fds: what the administrator's program opened (O_PATH): disk,
				 metadata device; none when it could not. Answer: arg0 data bytes, arg1 md
				 bytes, arg2 write-through, arg3 MiB of an indexed slot; fds data[, md] */
	BSRD_IPC_CLOSE_DISK,  /* volume */
	/* volume; arg0 bytes. CHANNEL comes first; answer: text device path */
	BSRD_IPC_CREATE_DEVICE,
	/* volume; arg0: 1 = take it away from holders, text names them; else DEVICE_OPEN and the holders as text when held */
	BSRD_IPC_REMOVE_DEVICE,
	BSRD_IPC_RESIZE_DEVICE, /* volume; arg0 bytes */
	BSRD_IPC_HOLDERS,	/* volume; answer: text, "" for nobody */
	BSRD_IPC_LISTEN,	/* text: struct sockaddr_storage; answer: fd */
	/*
	 * arg0 enum bsr_handler; text KEY=VALUE\0...; answer: arg0 exit status, UINT64_MAX not run
	 */
	BSRD_IPC_HANDLER,
	/* engine to keeper, not answered */
	/* arg0 bytes; fd: a memfd with the running configuration; the keeper keeps the newest */
	BSRD_IPC_CONFIG,
	BSRD_IPC_READY,	 /* rebuilt; error and text when the start failed for good */
	BSRD_IPC_GONE,	 /* down is complete; the engine process exits 0 now */
	BSRD_IPC_LOG_FULL, /* the log file should be rolled over */
	BSRD_IPC_SETTINGS, /* an administrator changed enum bsrd_setting: arg2.. as in HELLO */
	/* keeper to engine: what is logged, arg2.. as in HELLO; fd: a new log file, or none */
	BSRD_IPC_LOG,
	/* engine to keeper, not answered: text: struct sockaddr_storage of LISTEN; close that socket */
	BSRD_IPC_UNLISTEN,
};
#define BSRD_IPC_TYPE_COUNT 26u /* first number that is none */

/** Arguments of HELLO, LOG and SETTINGS that are settings of the host. */
enum bsrd_setting {
	BSRD_SET_FLAGS = 2, /* BSRD_SETF_*; in the upper 32 bits the group that may look, 0: none */
	BSRD_SET_LEVEL_DBG,
	BSRD_SET_LEVEL_SYS,
	BSRD_SET_CATEGORIES,
	BSRD_SET_FILE_KIB,
	BSRD_SET_FILE_COUNT,
};
#define BSRD_SETF_HANDLERS 1u /* handlers are run */
#define BSRD_SETF_FAULTS 2u   /* faults may be injected; what bsrd was started with, never changed */

/** Descriptors of HELLO, in this order. */
enum bsrd_hello_fd {
	BSRD_FD_LIFELINE_READ, /* for a keeper to come: its end of the pipe */
	BSRD_FD_CONTROL,
	BSRD_FD_NBD,
	BSRD_FD_CONFIG,
	BSRD_FD_ADOPT,	   /* where a new keeper knocks */
	BSRD_FD_LIFELINE,  /* from here on only from keeper to engine */
	BSRD_FD_ENGINE_LOCK,
};
#define BSRD_HELLO_FDS 7u
#define BSRD_ADOPT_FDS 5u

struct bsrd_message {
	uint32_t version;
	uint32_t type; /* enum bsrd_ipc_type */
	uint32_t request;
	int32_t error;
	uint32_t volume;
	uint32_t text_bytes; /* of text[] in use; what is received always has a zero behind it */
	uint64_t arg[BSRD_IPC_ARGS];
	char text[BSRD_IPC_TEXT_MAX + 1];
};

struct bsrd_fds {
	uint32_t count;
	int fd[BSRD_IPC_FDS_MAX];
};

/** bsrd_message_init - everything zero but version and type */
void bsrd_message_init(struct bsrd_message *m, enum bsrd_ipc_type type);
/** bsrd_message_set_text - a zero-terminated text, cut where it does not fit */
void bsrd_message_set_text(struct bsrd_message *m, const char *text);
/**
 * bsrd_message_add_text - another zero-terminated string behind the first ones; false when it does
 * not fit
 */
bool bsrd_message_add_text(struct bsrd_message *m, const char *text);
/** bsrd_message_add_settings - the same settings into BSRD_SET_* of @m, with more flags */
void bsrd_message_add_settings(struct bsrd_message *m, const struct bsr_settings *settings, uint64_t flags);
/** bsrd_message_take_settings - what BSRD_SET_* of @m say; the caller has checked the ranges; other settings stay */
void bsrd_message_take_settings(const struct bsrd_message *m, struct bsr_settings *settings);

/** bsrd_ipc_send - @fds may be NULL; they stay the caller's. 0 or -errno (-EAGAIN: full) */
int bsrd_ipc_send(int sock, const struct bsrd_message *m, const struct bsrd_fds *fds);
/**
 * bsrd_ipc_receive - one message; descriptors are close-on-exec and the caller's
 * Returns 1, 0 at the end of the stream, -EAGAIN, -EPROTO for something malformed (nothing is left
 * open), -errno.
 */
int bsrd_ipc_receive(int sock, struct bsrd_message *m, struct bsrd_fds *fds, bool wait);
void bsrd_fds_close(struct bsrd_fds *fds);

#endif
