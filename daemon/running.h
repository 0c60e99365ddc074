/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * running.h - the running configuration: as struct, as JSON text, in a memfd
 */
#ifndef BSR_DAEMON_RUNNING_H
#define BSR_DAEMON_RUNNING_H

#include "bsrd.h"

/** bsrd_running_init - empty, for @resource */
void bsrd_running_init(struct bsrd_running *running, const char *resource);
void bsrd_running_clear_volume(struct bsrd_volume *volume);
void bsrd_running_clear_peer(struct bsrd_peer *peer);
/** bsrd_running_clear - gives the JSON objects back; empty afterwards, resource name stays */
void bsrd_running_clear(struct bsrd_running *running);
/**
 * bsrd_running_from_json - fill an empty @running; -EINVAL with a sentence in @why (running is then
 * half filled)
 */
int bsrd_running_from_json(struct bsrd_running *running, struct json_object *json, char *why, size_t room);
/** bsrd_running_to_memfd - JSON text in a new, sealed memfd; the descriptor or -errno */
int bsrd_running_to_memfd(const struct bsrd_running *running, uint64_t *bytes);
/** bsrd_running_from_memfd - an empty file leaves @running empty */
int bsrd_running_from_memfd(struct bsrd_running *running, int fd, char *why, size_t room);

#endif
