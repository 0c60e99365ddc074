/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * keeper.h - the keeper process from the inside
 *
 * One thread that never blocks runs keeper.c and keeper_requests.c; whatever may block on a disk,
 * on the kernel or on the engine process runs in job threads (keeper_jobs.c), one at a time per
 * volume.
 */
#ifndef BSR_DAEMON_KEEPER_H
#define BSR_DAEMON_KEEPER_H

#include <sys/socket.h>
#include <sys/types.h>

#include "../device/device.h"
#include "ipc.h"
#include "logging.h"
#include "settings.h"

#define KEEPER_LISTENERS_MAX 64u
#define KEEPER_HANDLERS_MAX 32u
#define KEEPER_WAITING_MAX 8u /* requests waiting behind the job of a volume */
/* of <lock dir>/bsr-147-<minor>; tools that change metadata lock the whole file */
#define KEEPER_LOCK_BYTE_ATTACHED 1

struct keeper_disk {
	bool open;
	bool write_through;
	int data_fd;
	int md_fd; /* equals data_fd for metadata on the same device */
	bool md_shared; /* an indexed slot: others use the rest of the device */
	uint64_t slot_bytes; /* of it; 0 when not known here (adopted) */
	int lock_fd;
	uint64_t data_bytes;
	uint64_t md_bytes;
};

struct keeper_job;

struct keeper_device {
	struct bsr_loopdev *loopdev; /* NULL: none */
	int channel_fd;		     /* a copy for engine processes to come, and for resending */
	uint64_t bytes;
	char path[64]; /* /dev/loopN, "" until bound */
	bool linked;
};

struct keeper_volume {
	bool claimed; /* minor and vnr are set, the claim is held */
	int claim_fd;
	uint32_t minor;
	uint32_t vnr;
	struct keeper_disk disk;
	struct keeper_device device;
	bool device_lost; /* while adopting: it had ended */
	/* at most one job; others wait, and are answered in order */
	bool busy;
	uint32_t waiting_count;
	struct keeper_job *waiting[KEEPER_WAITING_MAX];
};

struct keeper_listener {
	int fd;
	socklen_t address_bytes;
	struct sockaddr_storage address;
};

struct keeper_handler {
	pid_t pid; /* 0 = free */
	uint32_t request;
	uint64_t generation;
};

/**
 * A request that runs in a thread of its own; the thread owns it until it comes back through the
 * pipe.
 */
struct keeper_job {
	struct keeper *keeper;
	struct bsrd_message message; /* the request, then the answer */
	/* as of the start; the thread's own copy, disk and device are its results */
	struct keeper_volume volume;
	struct bsrd_fds fds; /* open disk: what the administrator's program opened; closed with the job */
	uint64_t generation;
};

enum keeper_phase {
	KEEPER_RUNNING,	 /* an engine process lives */
	KEEPER_QUIETING, /* it died; its I/O may still run */
	KEEPER_PAUSING,	 /* it died too often: wait */
	KEEPER_DONE,
};

struct keeper {
	char resource[BSR_NAME_BYTES_MAX + 1];
	struct bsr_settings settings; /* of the host; what processes of resources need */
	bool settings_bad;
	char settings_why[700];
	bool faults_allowed; /* --allow-faults */
	char log_path[600]; /* "": in the foreground */
	bool log_full;	    /* the engine process says so */
	uint64_t log_retry_ns;
	const char *helper; /* program for handlers, NULL: none is run */
	/* of the engine process: this binary's path, so that an upgraded file takes over */
	char program[4096];
	char run_dir[256];
	int pid_fd; /* locked file: one keeper per resource */
	int control_fd;
	int nbd_fd;
	/* where the next keeper finds the engine process, should this one be killed */
	int adopt_fd;
	int config_fd; /* memfd with the running configuration */
	int signal_fd;
	int job_pipe[2];
	int report_fd; /* tells the waiting starter how it went; -1 = nobody waits */
	struct keeper_volume volume[BSR_VOLUMES_MAX];
	struct keeper_listener listener[KEEPER_LISTENERS_MAX];
	uint32_t listener_count;
	struct keeper_handler handler[KEEPER_HANDLERS_MAX];
	uint32_t node_id_arg; /* --node-id, UINT32_MAX for none */
	/* the engine process */
	enum keeper_phase phase;
	uint64_t generation;
	pid_t engine_pid;
	int engine_sock;
	int engine_pidfd;
	int lifeline_fd; /* read end: end of file = all its I/O is over */
	bool ready;	 /* this generation has reported READY */
	bool gone;	 /* ... and that it is down for good */
	bool adopted;	 /* it is not our child: another keeper's, that was killed */
	uint64_t started_ns;
	uint64_t died_ns;
	uint64_t wake_ns; /* next thing to do by the clock, UINT64_MAX for none */
	uint32_t quick_deaths;
	/* in a row, before READY: perhaps the program file does not suit this keeper */
	uint32_t unready_deaths;
	bool stop_wanted;
	int exit_code;
};

/* keeper.c */
int bsr_keeper_run(struct keeper *k);
/** keeper_answer - to the engine process that asked; silently not, when that one is dead */
void keeper_answer(struct keeper *k, const struct bsrd_message *answer, const struct bsrd_fds *fds);
/** keeper_report - the first start has ended, well (0) or not; once */
void keeper_report(struct keeper *k, int exit_code, const char *text);
uint64_t keeper_now_ns(void);
int keeper_pidfd(pid_t pid);

/* keeper_files.c: run directory, locks, sockets. 0, or an exit code with a sentence in @why */
int keeper_files_open(struct keeper *k, char *why, size_t room);
void keeper_files_remove(struct keeper *k);
bool keeper_file_path(const struct keeper *k, const char *suffix, char *path, size_t room);
/** keeper_control_access - who may open the control socket: root, and the group of the settings */
void keeper_control_access(struct keeper *k);
/** keeper_engine_pid - from the lock file; 0 when there is none */
long keeper_engine_pid(const struct keeper *k);
/**
 * keeper_engine_lock - a fresh locked descriptor that lives as long as the engine process; -1 when
 * it is held
 */
int keeper_engine_lock(const struct keeper *k);
/** keeper_minor_claim - one resource per minor on this host; descriptor or -BSR_E_* with text */
int keeper_minor_claim(const struct keeper *k, uint32_t minor, char *why, size_t room);
void keeper_minor_free(uint32_t minor, int claim_fd);
int keeper_listen(struct keeper *k, const struct sockaddr_storage *address, char *why, size_t room);
/** keeper_unlisten - close the socket of an address; none is fine */
void keeper_unlisten(struct keeper *k, const struct sockaddr_storage *address);

/* keeper_disk.c: run in job threads */
void keeper_disk_open(struct keeper_job *job);
void keeper_disk_close(struct keeper_disk *disk);
int keeper_lock_attached(uint32_t minor_number);

/* keeper_jobs.c: devices, and the threads themselves */
/** keeper_channel_copy - of a FUSE channel, numbered behind everything else; -errno */
int keeper_channel_copy(int fd);
/**
 * keeper_job_start - run a request in a thread, or let it wait behind the one that runs
 * @fds: taken over; NULL for none. False: too many wait.
 */
bool keeper_job_start(struct keeper *k, const struct bsrd_message *request, struct bsrd_fds *fds);
void keeper_job_done(struct keeper *k);
void keeper_jobs_forget(struct keeper *k);
bool keeper_resend(struct keeper *k);
bool keeper_device_bound(const struct keeper *k);

/* keeper_log.c */
/** keeper_log_load - host-wide settings from their file; before anything is logged */
void keeper_log_load(struct keeper *k);
/** keeper_log_open - the log file of a keeper in the background; -1 after it was told */
int keeper_log_open(struct keeper *k);
/** keeper_log_began - the first lines, when there is somewhere to write them */
void keeper_log_began(struct keeper *k);
/** keeper_log_turn - roll the file over if it is full */
void keeper_log_turn(struct keeper *k);
/** keeper_log_fill - enum bsrd_setting into a message */
void keeper_log_fill(const struct keeper *k, struct bsrd_message *m);
/** keeper_log_send - settings to the engine process, and a new log file (-1: none; stays the caller's) */
void keeper_log_send(struct keeper *k, int fd);
/** keeper_log_settings - an administrator changed them; false: out of range, nothing changed */
bool keeper_log_settings(struct keeper *k, const struct bsrd_message *m);

/* keeper_requests.c */
void keeper_dispatch(struct keeper *k, struct bsrd_message *m, struct bsrd_fds *fds);
int keeper_send_start(struct keeper *k, int lifeline_write_fd, int engine_lock_fd);

/* keeper_adopt.c */
/**
 * keeper_adopt - an engine process that lives without a keeper gets this one; false: there is none
 * that could
 */
bool keeper_adopt(struct keeper *k);

/* handlers.c */
void keeper_handler_start(struct keeper *k, const struct bsrd_message *request);
void keeper_handlers_reap(struct keeper *k);

#endif
