/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * flows_private.h - a flow from the inside, for flows*.c
 *
 * A flow is an administrator's request that takes several steps: keeper requests and engine
 * commands, one at a time, each going on in a callback. It ends with flow_end(), exactly once.
 */
#ifndef BSR_DAEMON_FLOWS_PRIVATE_H
#define BSR_DAEMON_FLOWS_PRIVATE_H

#include "engine_process.h"

#define FLOWS_RUNNING_MAX 60u /* below BSRD_COMMANDS_MAX: each has at most one command under way */
#define FLOWS_LISTENERS_MAX 64u

struct flow;
typedef void (*flow_fn)(struct flow *f);
/** Goes on after a step: 0 or a negative BSR_E_*. */
typedef void (*flow_next_fn)(struct flow *f, int error);

struct flow {
	struct flow *next;
	struct bsrd *d;
	bool serial; /* one of these at a time, in order */
	flow_fn start;
	bsrd_done_fn done; /* NULL: nobody asked, an internal flow */
	void *ctx;
	/* what was asked for */
	uint32_t volume, peer, flags, minor, vnr, node_id;
	struct json_object *given;
	char *text1, *text2; /* paths, addresses, a name */
	struct bsrd_fds disk_fds; /* attach: what these paths named, opened by who asked */
	enum bsr_md_kind md_kind;
	uint32_t md_index;
	uint32_t md_stride_mib; /* as found on the device */
	struct bsr_command cmd;
	/* where it is */
	uint32_t phase, at;
	bool changes_role; /* handlers of promotion and demotion are called */
	int32_t pending_error; /* result, while devices are put back */
	uint64_t size_bytes;
	flow_next_fn next_fn;  /* after the current step */
	flow_fn devices_done;  /* after a walk over the devices */
	/* the answer */
	uint32_t bad_peer, bad_volume;
	char text[BSRD_ANSWER_TEXT];
	/* option values, parsed */
	union {
		struct bsr_resource_options resource;
		struct bsr_disk_options disk;
		struct {
			struct bsr_net_options net;
			struct bsr_link_options link;
		} peer;
		struct bsr_peer_device_options peer_device;
	} o;
};

struct flow_volume {
	bool closing;	      /* the keeper is closing the disk */
	int channel_fd;	      /* handed over, not served yet; -1 for none */
	bool channel_resumed; /* it had another server before */
	uint64_t channel_bytes;
	int handed_data_fd, handed_md_fd; /* disk from the keeper at the start; -1 for none */
	uint64_t data_bytes, md_bytes;
};

struct bsrd_flows {
	struct bsrd *d;
	struct flow *first, **last; /* waiting */
	uint32_t running;
	struct flow *serial;  /* the serial one that runs */
	struct flow *waiter;  /* waits until nothing is closing */
	bool check_devices;   /* sizes have changed, or volumes are there without a device */
	bool check_queued;
	bool resume_wanted;   /* the role could not be taken up again yet */
	bool resume_queued;
	bool leave_queued;
	uint64_t deadline_ns;
	struct flow_volume volume[BSR_VOLUMES_MAX];
	struct sockaddr_storage listening[FLOWS_LISTENERS_MAX];
	int listening_fd[FLOWS_LISTENERS_MAX];
	uint32_t listening_count;
};

/** flow_new - zeroed, with BSRD_NOBODY where it belongs; enqueued by flow_submit() */
struct flow *flow_new(struct bsrd *d, flow_fn start, bool serial, bsrd_done_fn done, void *ctx);
void flow_submit(struct flow *f);
void flow_end(struct flow *f, int error);
/** flow_fail - end with a sentence */
void flow_fail(struct flow *f, int error, const char *text);
void flow_add_text(struct flow *f, const char *text);
/** flow_command - run f->cmd, then @next */
void flow_command(struct flow *f, enum bsr_cmd type, flow_next_fn next);
/** flow_keeper - ask the keeper; its text joins the flow's answer when it refuses; then @next */
void flow_keeper(struct flow *f, struct bsrd_message *m, flow_next_fn next);
/** flow_needs_resource - false and ended when there is no resource yet */
bool flow_needs_resource(struct flow *f);
bool flow_needs_volume(struct flow *f);
bool flow_needs_peer(struct flow *f);

/* flows_device.c */
/**
 * flow_create_devices - for each volume that has a size and no device; failures are text, not
 * errors
 */
void flow_create_devices(struct flow *f, flow_fn done);
/**
 * flow_check_holders - *text when somebody holds a device: ends the flow with DEVICE_OPEN; else
 * @done
 */
void flow_check_holders(struct flow *f, flow_fn done);
/**
 * flow_remove_devices - all of them; if one is held, those removed come back and the flow ends with
 * DEVICE_OPEN
 */
void flow_remove_devices(struct flow *f, flow_fn done);
/** flow_forget_device - this process's half of a device, when the keeper's is gone */
void flow_forget_device(struct bsrd *d, uint32_t volume);
void flow_serve_channel(struct bsrd *d, uint32_t volume);
void flow_check_devices(struct flow *f);

/* flows_disk.c */
void flow_wait_closed(struct flow *f, flow_next_fn next);
void flow_fill_attach(struct flow *f, uint32_t volume);
/* flows_net.c */
int flow_set_link(struct bsrd *d, uint32_t peer);
/* flows_role.c */
void flow_resume(struct flow *f);

#endif
