/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * control_fakes.h - engine and flows that only pretend, to test the control side alone
 */
#ifndef BSR_DAEMON_CONTROL_FAKES_H
#define BSR_DAEMON_CONTROL_FAKES_H

#include "control.h"
#include "faults.h"

/** What the pretended engine says; set by tests. */
struct fakes {
	struct bsr_resource_info resource;
	struct bsr_volume_info volume[BSR_VOLUMES_MAX];
	struct bsr_peer_info peer[BSR_NODES_MAX];
	struct bsr_peer_device_info peer_device[BSR_NODES_MAX][BSR_VOLUMES_MAX];
	int refuse;		 /* the next flow ends with this error */
	const char *refuse_text; /* and these lines */
	uint32_t refuse_peer;
	char last[64]; /* name of the last flow or engine command */
	struct json_object *last_options;
	struct bsr_command last_command;
	uint32_t attach_fds; /* descriptors that came with the last attach */
	enum bsr_log_number logged; /* the last line */
	char logged_text[2048];
	uint32_t settings_changed;
	uint32_t fault_count;
	struct bsrd_fault fault[BSRD_FAULTS_MAX];
	bool measures; /* collection is on */
	uint32_t ended; /* bsrd_flow_down() was done */
};
extern struct fakes fakes;

/** fakes_setup - @d as a resource r0 on a real loop, without anything configured */
void fakes_setup(struct bsrd *d);
/** fakes_turn - end of a loop turn: flows that were asked for end now */
void fakes_turn(struct bsrd *d);
void fakes_teardown(struct bsrd *d);

#endif
