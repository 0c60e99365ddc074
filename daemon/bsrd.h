/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * bsrd.h - the engine process's world: one resource, its engine, its keeper, its running
 * configuration
 *
 * Who does what:
 *   - the process logic (engine_process.c, perform.c, flows.c, running.c) runs the engine, carries
 *     out effects, and owns the sequences that need keeper and engine both ("attach", "primary",
 *     "down" ...): the bsrd_flow_*() calls;
 *   - the control side (control*.c, status*.c, options.c) owns the control socket: it parses
 *     requests, calls a flow, answers in its callback, prints status from the bsr_engine_*_info()
 *     calls and the running configuration, and feeds event streams from the control_on_*() hooks.
 *
 * Everything here belongs to the loop's thread. Nothing blocks. Callbacks never run inside of the
 * call that asked for them, but in a later callback of the loop; exception: none.
 */
#ifndef BSR_DAEMON_BSRD_H
#define BSR_DAEMON_BSRD_H

#include <json-c/json.h>

#include <bsr/engine.h>
#include <bsr/log.h>

#include "settings.h"

#include "../device/device.h"
#include "../host/link.h"
#include "../host/loop.h"
#include "../host/digest.h"
#include "../host/pool.h"
#include "ipc.h"

#define BSRD_PATH_MAX 4096u
#define BSRD_PATHS_MAX BSR_LINK_PATHS_MAX /* address pairs of one peer */
#define BSRD_ADDRESS_TEXT 80u	/* "ipv6:[...]:port" */
#define BSRD_FLOWS_MAX 64u	/* administrator's requests waiting or running */
#define BSRD_COMMANDS_MAX 64u	/* engine commands running */
#define BSRD_ANSWER_TEXT 2048u	/* lines of explanation that come with an answer */
#define BSRD_NOBODY UINT32_MAX

/* Exit codes of the bsrd command. */
#define BSRD_EXIT_USAGE 1
/* this resource has a keeper, or an engine process that outlived its keeper */
#define BSRD_EXIT_ALREADY_RUNS 3
#define BSRD_EXIT_FAILED 20

/* --------------------------------------------------- running configuration */

/*
 * What the administrator has set up and what a restarted engine process needs to carry on. Options
 * are kept twice: as the texts that were given (for `show` and `adjust`; the source of truth) and
 * as the numbers made of them.
 */
struct bsrd_volume {
	bool exists;
	uint32_t vnr;
	uint32_t minor;
	/* the disk; paths are absolute; "" = none was ever attached or it was detached */
	bool attached; /* wanted: stays false after detach and after the disk failed */
	char disk_path[BSRD_PATH_MAX];
	char md_path[BSRD_PATH_MAX]; /* equals disk_path for internal metadata */
	enum bsr_md_kind md_kind;
	uint32_t md_index;	     /* indexed only */
	uint32_t md_stride_mib;	     /* indexed only: 256 of bsr, 128 of DRBD */
	uint64_t size_bytes;	     /* option `size`, 0 = as large as possible */
	bool write_through;
	struct bsr_disk_options disk;
	struct json_object *disk_given; /* {"al-extents":"6001",...}; never NULL while exists */
	/* the application device of a Primary */
	bool has_device;
	uint64_t device_bytes;
	char device_path[64];	/* /dev/loopN; "" while it is being made or none could be made */
	bool nbd_exported;
};

struct bsrd_path {
	struct bsr_link_path path;
	char local_text[BSRD_ADDRESS_TEXT];  /* as given: "ipv4:10.0.0.1:7789" */
	char remote_text[BSRD_ADDRESS_TEXT];
};

struct bsrd_peer {
	bool exists;
	char name[BSR_NAME_BYTES_MAX + 1]; /* connection name (the peer's host name) */
	bool wanted;			   /* connect was asked for and not taken back */
	uint32_t path_count;
	struct bsrd_path path[BSRD_PATHS_MAX];
	struct bsr_net_options net;
	struct bsr_link_options link;
	struct json_object *net_given;
	struct bsr_peer_device_options peer_device[BSR_VOLUMES_MAX]; /* by volume index */
	struct json_object *peer_device_given[BSR_VOLUMES_MAX];
};

struct bsrd_running {
	bool exists; /* new-resource has been done */
	char resource[BSR_NAME_BYTES_MAX + 1]; /* known from the start */
	uint32_t node_id;
	enum bsr_role role; /* what the administrator asked for last; SECONDARY at first */
	struct bsr_resource_options options;
	struct json_object *options_given;
	struct bsrd_volume volume[BSR_VOLUMES_MAX]; /* by the index that the engine uses */
	struct bsrd_peer peer[BSR_NODES_MAX];	    /* by node id */
};

/* ------------------------------------------------------- the engine process */

struct bsrd_perform;
struct bsrd_ipc;
struct bsrd_flows;
struct bsrd_adopt;
struct bsrd_handlers;
struct bsrd_faults;
struct bsr_control; /* the control side's own state, defined in control.c */

/** What the host knows of errors of a volume's disks since it was attached; the engine knows only that. */
struct bsrd_trouble {
	uint64_t count;
	int last_errno; /* positive */
	bool of_md;	/* the last one was of the metadata device */
};

struct bsrd {
	struct bsr_loop *loop;
	struct bsr_pool *pool;
	struct bsr_digests *digests; /* of data blocks, for verify */
	struct bsr_links *links;     /* NULL until new-resource */
	struct bsr_devices *devices;
	struct bsr_engine *engine;   /* NULL until new-resource */
	struct bsrd_running running; /* read freely; changed by flows only */
	struct bsrd_perform *perform;
	struct bsrd_ipc *ipc;
	struct bsrd_flows *flows;
	struct bsrd_adopt *adopt;
	struct bsrd_handlers *handlers;
	struct bsr_control *control;
	struct bsr_settings settings; /* of the host, what this process needs of them */
	bool log_full_told; /* the keeper knows that the log file is full */
	bool faults_allowed; /* --allow-faults */
	struct bsrd_faults *faults; /* NULL: none set (faults.c) */
	uint64_t engine_bytes; /* memory that the engine has taken */
	uint64_t generation; /* 1 for the first engine process of this keeper, +1 per restart */
	/*
	 * keeper was killed: serves on, but cannot open, create or run anything until a new one
	 * comes
	 */
	bool keeper_gone;
	bool going_down;
	/* a restarted engine process is not yet what its predecessor was: the control side waits */
	bool rebuilding;
	struct bsrd_trouble trouble[BSR_VOLUMES_MAX];
};

/** bsrd_now_ns - monotonic, as the engine sees it (read once per loop turn) */
static inline uint64_t bsrd_now_ns(const struct bsrd *d)
{
	return bsr_loop_now_ns(d->loop);
}

/** bsrd_trouble_note - the result of an operation on a disk: 0 or more, or a negative errno */
void bsrd_trouble_note(struct bsrd *d, uint32_t volume, bool of_md, int64_t result);
/** bsrd_trouble_text - what to add to a log line about an error of a disk; "" for other lines */
void bsrd_trouble_text(const struct bsrd *d, const struct bsr_fx_log *log, char *text, size_t room);
/** bsrd_volume_find - index of the volume with this @vnr, -1 for none */
int bsrd_volume_find(const struct bsrd *d, uint32_t vnr);
/** bsrd_volume_find_minor - index of the volume with this minor, -1 for none */
int bsrd_volume_find_minor(const struct bsrd *d, uint32_t minor);
/**
 * bsrd_running_to_json - the running configuration as one JSON object; the caller puts it. Secrets
 * are included.
 */
struct json_object *bsrd_running_to_json(const struct bsrd_running *running);

/**
 * bsrd_address_parse - "ipv4:1.2.3.4:7789", "ipv6:[fd00::1]:7789"; without family ipv4, without
 * port 7788 Returns 0 or -EINVAL with a sentence in @why.
 */
int bsrd_address_parse(const char *text, struct sockaddr_storage *address, char *why, size_t room);

/* ------------------------------------------------------------------- flows */

/**
 * How a flow ended. @error is 0 or -BSR_E_*; the rest may be there with success, too (a warning).
 */
struct bsrd_answer {
	int32_t error;
	uint32_t peer;	 /* node id of who refused, BSRD_NOBODY */
	uint32_t volume; /* index of the volume that is the cause, BSRD_NOBODY */
	/* "" or more for people: who holds the device, why a disk cannot be opened; lines by \n */
	const char *text;
};
typedef void (*bsrd_done_fn)(void *ctx, const struct bsrd_answer *answer);

/*
 * Each flow calls @done exactly once, later. Flows that touch disks, devices, role or existence run
 * one after the other, in the order in which they were asked for. Texts and JSON objects are copied
 * (json: a reference is taken; it must not be changed afterwards). Given options are the complete
 * new set: the control side merges.
 */
void bsrd_flow_new_resource(
	struct bsrd *d, uint32_t node_id, struct json_object *options, bsrd_done_fn done, void *ctx);
void bsrd_flow_resource_options(struct bsrd *d, struct json_object *options, bsrd_done_fn done, void *ctx);
/**
 * bsrd_flow_new_volume - the index is chosen here: find it with bsrd_volume_find() after success
 */
void bsrd_flow_new_volume(struct bsrd *d, uint32_t minor, uint32_t vnr, bsrd_done_fn done, void *ctx);
void bsrd_flow_del_volume(struct bsrd *d, uint32_t volume, bsrd_done_fn done, void *ctx);

struct bsrd_attach_args {
	uint32_t volume;
	const char *disk_path; /* absolute */
	const char *md_path;   /* absolute; the disk's for internal metadata */
	enum bsr_md_kind md_kind;
	uint32_t md_index;
	struct json_object *options; /* disk options as given, `size` among them */
	/* taken over: disk and metadata device, O_PATH, from who asked; none when they do not exist */
	struct bsrd_fds fds;
};
void bsrd_flow_attach(struct bsrd *d, const struct bsrd_attach_args *args, bsrd_done_fn done, void *ctx);
/** bsrd_flow_detach - done when disk, claim and lock are released. @flags: BSR_CMDF_FORCE */
void bsrd_flow_detach(struct bsrd *d, uint32_t volume, uint32_t flags, bsrd_done_fn done, void *ctx);
void bsrd_flow_disk_options(
	struct bsrd *d, uint32_t volume, struct json_object *options, bsrd_done_fn done, void *ctx);

void bsrd_flow_new_peer(struct bsrd *d, uint32_t peer, const char *name, struct json_object *options,
	bsrd_done_fn done, void *ctx);
void bsrd_flow_del_peer(struct bsrd *d, uint32_t peer, uint32_t flags, bsrd_done_fn done, void *ctx);
void bsrd_flow_net_options(
	struct bsrd *d, uint32_t peer, struct json_object *options, bsrd_done_fn done, void *ctx);
/** bsrd_flow_peer_device_options - kept also for a volume without disk */
void bsrd_flow_peer_device_options(struct bsrd *d, uint32_t peer, uint32_t volume, struct json_object *options,
	bsrd_done_fn done, void *ctx);
/**
 * bsrd_flow_new_path - addresses as text; the listening socket of @local is opened now (once per
 * address)
 */
void bsrd_flow_new_path(
	struct bsrd *d, uint32_t peer, const char *local, const char *remote, bsrd_done_fn done, void *ctx);
void bsrd_flow_del_path(
	struct bsrd *d, uint32_t peer, const char *local, const char *remote, bsrd_done_fn done, void *ctx);
/** bsrd_flow_connect - @flags: BSR_CMDF_DISCARD_MY_DATA, BSR_CMDF_TENTATIVE */
void bsrd_flow_connect(struct bsrd *d, uint32_t peer, uint32_t flags, bsrd_done_fn done, void *ctx);
/** bsrd_flow_disconnect - @flags: BSR_CMDF_FORCE */
void bsrd_flow_disconnect(struct bsrd *d, uint32_t peer, uint32_t flags, bsrd_done_fn done, void *ctx);

/**
 * bsrd_flow_primary - promote, then create the block devices and offer the NBD exports (named by
 * vnr: "0")
 * @flags: BSR_CMDF_FORCE. A device that cannot be made does not undo the promotion: success, with
 *   the cause as text.
 */
void bsrd_flow_primary(struct bsrd *d, uint32_t flags, bsrd_done_fn done, void *ctx);
/**
 * bsrd_flow_secondary - -BSR_E_DEVICE_OPEN with the holders as text (nothing changed), else remove
 * devices, demote
 * @flags: BSR_CMDF_FORCE: devices are taken away from whoever holds them: their I/O fails from then on; success names
 *   them as text
 */
void bsrd_flow_secondary(struct bsrd *d, uint32_t flags, bsrd_done_fn done, void *ctx);
/**
 * bsrd_flow_down - refused like secondary while a device is held; else demote, disconnect, detach,
 * release everything After success both processes end: @done must have written its reply when it
 * returns (the turn is the last one).
 */
void bsrd_flow_down(struct bsrd *d, bsrd_done_fn done, void *ctx);

/**
 * bsrd_command - run any other engine command (invalidate, pause-sync, outdate, new-current-uuid,
 * suspend-io ...)
 * @cmd: copied. More than BSRD_COMMANDS_MAX at once end with -BSR_E_BUSY.
 */
void bsrd_command(struct bsrd *d, const struct bsr_command *cmd, bsrd_done_fn done, void *ctx);
/**
 * bsrd_holders - who holds the devices of this resource, as text; error is 0 with "" when nobody
 * does
 */
void bsrd_holders(struct bsrd *d, bsrd_done_fn done, void *ctx);

/** bsrd_settings_changed - an administrator changed d->settings: apply them, tell the keeper */
void bsrd_settings_changed(struct bsrd *d);

/* ---------------------------------------- what the control side provides */

/**
 * bsr_control_create - begin to accept on @listen_fd (bound by the keeper, 0600, taken over)
 * Called once, before anything is rebuilt; the running configuration is empty then. 0 or -errno.
 */
int bsr_control_create(struct bsr_control **control, struct bsrd *d, int listen_fd);
/** bsr_control_flush - end of a loop turn: replies and events that were collected go out */
void bsr_control_flush(struct bsr_control *control);

/*
 * Called by perform.c when it carries out the effect, and by flows for what the engine does not
 * know.
 */
void control_on_state(struct bsr_control *control, const struct bsr_fx_state *state);
void control_on_log(struct bsr_control *control, const struct bsr_fx_log *log);
/**
 * control_on_helper - a handler is called (@status -1) or has answered (its exit status, 0..255)
 */
void control_on_helper(struct bsr_control *control, const struct bsr_fx_handler *handler, bool response, int status);

/*
 * options.c: given texts to numbers. Each begins with the engine's defaults, knows every option of
 *            the configuration
 * language for its section, accepts with no effect those that need no action here, and refuses
 * unknown names and values out of range: -BSR_E_INVALID_REQUEST (or the number of the rule broken)
 * with a sentence in @why.
 */
int bsr_options_resource(struct json_object *given, struct bsr_resource_options *out, char *why, size_t room);
int bsr_options_disk(struct json_object *given, struct bsr_disk_options *out, uint64_t *size_bytes, char *why,
	size_t room);
int bsr_options_net(struct json_object *given, struct bsr_net_options *net, struct bsr_link_options *link, char *why,
	size_t room);
int bsr_options_peer_device(
	struct json_object *given, struct bsr_peer_device_options *out, char *why, size_t room);

/** bsr_handler_word - "fence-peer" for BSR_HANDLER_FENCE_PEER; static */
const char *bsr_handler_word(enum bsr_handler handler);

/* ----------------------------------------------------------------- logging */

/**
 * bsr_log - one line "NUMBER level name key=value ... text" on stderr, limited per number (token
 * bucket)
 * @number: of events.def. @format: "key=value" pairs, then free text if any; never data, keys or
 *   passphrases.
 */
void bsr_log(enum bsr_log_number number, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
