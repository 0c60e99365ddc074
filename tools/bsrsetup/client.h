/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * client.h - the tools' end of the control socket (docs/control.md)
 */
#ifndef BSRSETUP_CLIENT_H
#define BSRSETUP_CLIENT_H

#include "text.h"

#define BSR_CLIENT_ANSWER_MS 610000 /* longer than any command of bsradm waits */
#define BSR_CLIENT_GREETING_MS 5000

struct bsr_client {
	int fd;
	int64_t next_id;
	char instance[32];
	char *pending; /* bytes read and not yet returned as a line */
	size_t pending_bytes;
	size_t pending_room;
	size_t scanned;			  /* of @pending: no line end in there */
	struct json_object *stashed; /* events that came while a reply was awaited */
	int pass_fd[2]; /* go with every request when @pass is set; the caller's */
	bool pass;
};

/** bsr_client_run_dir - BSR_RUN_DIR or /run/bsr; static */
const char *bsr_client_run_dir(void);
/**
 * bsr_client_name_ok - may a resource be called so: 1..128 bytes, no slash, no control character,
 * not "all"
 */
bool bsr_client_name_ok(const char *resource);

/**
 * bsr_client_open - connect to a resource and read the greeting
 *
 * Returns 0; -ENOENT or -ECONNREFUSED when no process serves it; another -errno: -EPROTO for a
 * greeting that is none,
 * -EACCES when the caller was refused, -ETIMEDOUT.
 */
int bsr_client_open(struct bsr_client *client, const char *resource);
void bsr_client_close(struct bsr_client *client);

/** bsr_client_send - number @request and send it; takes no reference. Returns its id, or -errno */
int64_t bsr_client_send(struct bsr_client *client, struct json_object *request);
/**
 * bsr_client_read - next line of the server, *@line is the caller's
 * Returns 0; -ETIMEDOUT; -ECONNRESET when the server closed; -EPROTO for a line that is no object
 */
int bsr_client_read(struct bsr_client *client, struct json_object **line, int timeout_ms);
/** bsr_client_has_line - bsr_client_read() would return without waiting */
bool bsr_client_has_line(const struct bsr_client *client);
/**
 * bsr_client_call - send, then wait for the reply; events that come before it are kept for
 * bsr_client_read()
 */
int bsr_client_call(struct bsr_client *client, struct json_object *request,
	struct json_object **reply, int timeout_ms);

/**
 * bsr_client_list - names of the resources that have a socket, sorted; a JSON array, the caller
 * puts it
 */
struct json_object *bsr_client_list(void);

#endif
