/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * engine_process.h - the engine process from the inside: what its files need of each other
 */
#ifndef BSR_DAEMON_ENGINE_PROCESS_H
#define BSR_DAEMON_ENGINE_PROCESS_H

#include "bsrd.h"
#include "ipc.h"
#include "logging.h"

/* ---- engine_process.c */

/** bsr_engine_process_main - runs until the resource is down; the exit code */
int bsr_engine_process_main(int keeper_fd, const char *resource);
/** bsrd_create_engine - engine and links for running.node_id; 0 or -BSR_E_* */
int bsrd_create_engine(struct bsrd *d);
/** bsrd_leave - the loop ends with this turn; the keeper is told that the resource is down */
void bsrd_leave(struct bsrd *d);

/** bsrd_take_settings - of the host, from the keeper: HELLO or LOG */
void bsrd_take_settings(struct bsrd *d, const struct bsrd_message *m);
/** bsrd_apply_settings - d->settings to the log of this process */
void bsrd_apply_settings(const struct bsrd *d);

/* ---- sandbox.c */

/**
 * bsr_sandbox_enter - no privileges, no new ones, system calls by list; 0 or -errno (then the
 * process must not go on)
 */
int bsr_sandbox_enter(void);

/* ---- engine_ipc.c: requests to the keeper */

/**
 * Runs later, once. @fds are the callee's to keep (it sets their count to 0) or are closed after
 * it.
 */
typedef void (*bsrd_answer_fn)(void *ctx, const struct bsrd_message *answer, struct bsrd_fds *fds);

int bsrd_ipc_create(struct bsrd_ipc **ipc, struct bsrd *d, int sock);
/** bsrd_ipc_request - @m is copied, its request number chosen here */
void bsrd_ipc_request(struct bsrd_ipc *ipc, struct bsrd_message *m, bsrd_answer_fn fn, void *ctx);
/** bsrd_ipc_request_with - the same with descriptors, which stay the caller's; @fds may be NULL */
void bsrd_ipc_request_with(struct bsrd_ipc *ipc, struct bsrd_message *m, const struct bsrd_fds *fds,
	bsrd_answer_fn fn, void *ctx);
/** bsrd_ipc_note - a message without an answer; @fds stay the caller's */
void bsrd_ipc_note(struct bsrd_ipc *ipc, const struct bsrd_message *m, const struct bsrd_fds *fds);
/** bsrd_ipc_turn - end of a turn: answers for requests that nobody is left to answer */
void bsrd_ipc_turn(struct bsrd_ipc *ipc);
/** bsrd_save_running - the keeper gets the running configuration as it is now */
void bsrd_save_running(struct bsrd *d);

/** bsrd_ipc_resume - a new keeper at the other end of @sock (taken over); 0 or -errno */
int bsrd_ipc_resume(struct bsrd_ipc *ipc, int sock);

/* ---- engine_adopt.c: a new keeper after the old one was killed */

int bsrd_adopt_create(struct bsrd *d, const struct bsrd_fds *hello);
/** bsrd_adopt_wait - from now on a new keeper may come */
void bsrd_adopt_wait(struct bsrd *d);
void bsrd_adopt_listener(struct bsrd *d, const struct sockaddr_storage *address, int fd);
/** bsrd_adopt_no_listener - the address is listened on no longer */
void bsrd_adopt_no_listener(struct bsrd *d, const struct sockaddr_storage *address);
/** bsrd_adopt_channel - remember a copy of a volume's FUSE channel; @fd -1: it has ended */
void bsrd_adopt_channel(struct bsrd *d, uint32_t volume, int fd);

/* ---- perform.c: effects */

int bsrd_perform_create(struct bsrd_perform **perform, struct bsrd *d);
/**
 * bsrd_step - one event into the engine, its effects carried out; never from inside of an effect
 */
void bsrd_step(struct bsrd *d, struct bsr_event *event);
/**
 * bsrd_run_command - BSR_EV_COMMAND; @fn runs when it is done. -BSR_E_BUSY through @fn when there
 * is no room
 */
typedef void (*bsrd_command_fn)(void *ctx, const struct bsr_fx_command_done *done);
void bsrd_run_command(struct bsrd *d, const struct bsr_command *cmd, bsrd_command_fn fn, void *ctx);
/**
 * bsrd_disk_use - descriptors of a volume for the effects to come; 0 or -errno (nothing kept then)
 */
int bsrd_disk_use(struct bsrd *d, uint32_t volume, int data_fd, int md_fd);
/**
 * bsrd_disk_release - close them when nothing is in flight any more, then @fn (may be NULL); no
 * disk: at once
 */
void bsrd_disk_release(struct bsrd *d, uint32_t volume, void (*fn)(void *ctx), void *ctx);
/** bsrd_disk_fds - its descriptors (one or two, not copied); false when there is no disk */
bool bsrd_disk_fds(const struct bsrd *d, uint32_t volume, struct bsrd_fds *fds);
bool bsrd_disk_in_use(const struct bsrd *d, uint32_t volume);
/** bsrd_perform_turn - end of a turn: deadlines, resumed readers, everything collected goes out */
void bsrd_perform_turn(struct bsrd *d);
/** bsrd_perform_late - an effect that was held back (faults.c); @head of a message, else unused */
void bsrd_perform_late(struct bsrd *d, const struct bsr_effect *effect, const uint8_t *head);
extern const struct bsr_device_ops bsrd_device_ops;
extern const struct bsr_links_ops bsrd_links_ops;

/* ---- flows*.c */

int bsrd_flows_create(struct bsrd_flows **flows, struct bsrd *d);
/** bsrd_flows_turn - end of a turn: start what waits */
void bsrd_flows_turn(struct bsrd_flows *flows);
/**
 * bsrd_flows_rebuild - everything as the running configuration says (or new-resource when @node_id
 * is one), then READY
 */
void bsrd_flows_rebuild(struct bsrd *d, uint32_t node_id);
/** bsrd_flows_handed - what the keeper gave this generation at its start */
void bsrd_flows_handed_disk(struct bsrd *d, const struct bsrd_message *m, struct bsrd_fds *fds);
void bsrd_flows_handed_channel(struct bsrd *d, const struct bsrd_message *m, struct bsrd_fds *fds);
/**
 * bsrd_flows_listener - a listening socket from the keeper, at the start or as an answer:
 * LISTENER's text is the address
 */
int bsrd_flows_listener(struct bsrd *d, const struct bsrd_message *m, struct bsrd_fds *fds);
/** bsrd_flows_channel - CHANNEL from the keeper while running */
void bsrd_flows_channel(struct bsrd *d, const struct bsrd_message *m, struct bsrd_fds *fds);
void bsrd_flows_stop(struct bsrd *d);
/** bsrd_flows_disk_leaves - the disk of @volume begins to leave: a next process goes on without it */
void bsrd_flows_disk_leaves(struct bsrd *d, uint32_t volume);

/** bsrd_flows_disk_gone - BSR_FX_DISK_GONE */
void bsrd_flows_disk_gone(struct bsrd *d, uint32_t volume);
/** bsrd_flows_state - a state effect, before the control side sees it */
void bsrd_flows_state(struct bsrd *d, const struct bsr_fx_state *state);
/** bsrd_flows_deadline - when bsrd_flows_tick() is due */
uint64_t bsrd_flows_deadline(const struct bsrd_flows *flows);
void bsrd_flows_tick(struct bsrd_flows *flows);
void bsrd_flows_keeper_gone(struct bsrd *d);
int bsrd_handlers_create(struct bsrd_handlers **handlers, struct bsrd *d);
/** bsrd_handler_run - BSR_FX_HANDLER */
void bsrd_handler_run(struct bsrd *d, const struct bsr_fx_handler *handler);
/** @status: the handler's exit code, 0 without one; -1 when it could not be run or was killed */
typedef void (*bsrd_handler_fn)(void *ctx, int status);
/** bsrd_handler_ask - call a handler of the whole resource; @fn later, once */
void bsrd_handler_ask(struct bsrd *d, enum bsr_handler handler, bsrd_handler_fn fn, void *ctx);
/** bsrd_handlers_state, bsrd_handlers_log - what the engine says: some of it calls a handler */
void bsrd_handlers_state(struct bsrd *d, const struct bsr_fx_state *state);
void bsrd_handlers_log(struct bsrd *d, const struct bsr_fx_log *log);
/** bsrd_handlers_turn - once a turn of the loop: calls that were collected begin */
void bsrd_handlers_turn(struct bsrd *d);

#endif
