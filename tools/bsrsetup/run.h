/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * run.h - what runs the commands; each returns the exit code
 */
#ifndef BSRSETUP_RUN_H
#define BSRSETUP_RUN_H

#include "client.h"
#include "command.h"
#include "report.h"

int bsr_run_request(struct bsr_setup_call *call); /* send, report, done */
int bsr_run_new_resource(struct bsr_setup_call *call);
int bsr_run_new_minor(struct bsr_setup_call *call);
int bsr_run_down(struct bsr_setup_call *call); /* and del-resource */
int bsr_run_check_fs(struct bsr_setup_call *call);

int bsr_run_role(struct bsr_setup_call *call);
int bsr_run_cstate(struct bsr_setup_call *call);
int bsr_run_dstate(struct bsr_setup_call *call);
int bsr_run_status(struct bsr_setup_call *call);
int bsr_run_show(struct bsr_setup_call *call);
int bsr_run_gi(struct bsr_setup_call *call); /* get-gi, show-gi */
int bsr_run_why(struct bsr_setup_call *call);
int bsr_run_events2(struct bsr_setup_call *call);
int bsr_run_wait(struct bsr_setup_call *call);

/** bsr_run_open - connect to call's resource; 0, or an exit code after the reason was told */
int bsr_run_open(struct bsr_setup_call *call, struct bsr_client *client);
/**
 * bsr_run_ask - one request without arguments; *@result is the caller's; 0 or an exit code, told
 */
int bsr_run_ask(struct bsr_setup_call *call, struct bsr_client *client, const char *command,
	struct json_object **result);
/**
 * bsr_run_find_minor - which resource has call->minor: into call->resource; 0 or an exit code, told
 */
int bsr_run_find_minor(struct bsr_setup_call *call);
/** bsr_run_tell_reply - report a refusal; the exit code for @reply */
int bsr_run_tell_reply(const char *object, struct json_object *reply);

/**
 * bsr_open_mark - open_devices.c: adds "open" to the devices of a snapshot: somebody has the volume open
 *
 * Looks once through this system's processes, mounts and swaps, when the first Primary is asked about.
 */
void bsr_open_mark(struct json_object *snapshot);
/**
 * bsr_node_make - node.c: a block device node for a minor that has none, with DRBD's names: scripts look whether it is there
 *
 * Nothing can be read through it. A Primary's volume takes its place as a link. One that cannot be made does no harm.
 */
void bsr_node_make(int64_t minor);
/** bsr_node_remove - of a volume that is gone; anything that is not such a node stays */
void bsr_node_remove(int64_t minor);

#endif
