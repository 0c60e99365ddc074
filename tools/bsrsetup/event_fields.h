/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * event_fields.h - which keys and fields the objects of `events2` have, made from the objects of
 * the control socket
 *
 * Keys and fields are JSON objects whose members are strings or integers, in the order in which
 * they are printed. The caller puts what it gets.
 */
#ifndef BSRSETUP_EVENT_FIELDS_H
#define BSRSETUP_EVENT_FIELDS_H

#include "text.h"

/**
 * bsr_event_keys - name, peer-node-id, conn-name, local, peer, volume, minor: those that @from has
 */
struct json_object *bsr_event_keys(const char *resource, struct json_object *from, bool with_minor);

/** struct bsr_event_promotion - what decides on a promotion, as far as this node knows */
struct bsr_event_promotion {
	bool secondary;
	bool peer_is_primary;
	int64_t volumes;
	int64_t local_up_to_date; /* volumes with good data here */
	int64_t peers_up_to_date; /* connected peers that have good data of all volumes */
};
/** bsr_event_add_promotion - may_promote and promotion_score of DRBD's resource lines */
void bsr_event_add_promotion(struct json_object *fields, const struct bsr_event_promotion *p);

struct json_object *bsr_event_resource_fields(struct json_object *resource, bool statistics);
struct json_object *bsr_event_device_fields(struct json_object *device, bool statistics);
struct json_object *bsr_event_connection_fields(struct json_object *connection, bool statistics);
struct json_object *bsr_event_peer_device_fields(struct json_object *peer_device, bool statistics);
struct json_object *bsr_event_path_fields(struct json_object *path);
struct json_object *bsr_event_helper_fields(struct json_object *helper);
/** bsr_event_notice_fields - of io-error and split-brain */
struct json_object *bsr_event_notice_fields(struct json_object *notice);
/** bsr_event_sync_fields - out-of-sync, eta, done; @device may be NULL */
struct json_object *bsr_event_sync_fields(struct json_object *peer_device, struct json_object *device);
struct json_object *bsr_event_node_fields(const char *label, const char *node_name);
/** bsr_event_gi_fields - current, bitmap, history1, history2; NULL when the disk is not attached */
struct json_object *bsr_event_gi_fields(struct json_object *device, struct json_object *peer_device);
/** bsr_event_device_flag_fields - metadata flags as 0 or 1; NULL when unknown */
struct json_object *bsr_event_device_flag_fields(struct json_object *device);
struct json_object *bsr_event_peer_flag_fields(struct json_object *peer_device);

#endif
