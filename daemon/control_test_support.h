/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * control_test_support.h - a control socket served in this process, and a client of it
 */
#ifndef BSR_DAEMON_CONTROL_TEST_SUPPORT_H
#define BSR_DAEMON_CONTROL_TEST_SUPPORT_H

#include <sys/un.h>

#include "control_fakes.h"

extern struct bsrd d; /* the resource that is served */
extern char control_test_directory[64];
extern struct sockaddr_un control_test_address;

/** control_test_setup, control_test_teardown - of one test: the socket is listened on; all is freed */
int control_test_setup(void **state);
int control_test_teardown(void **state);
/** control_test_turns - let the server's loop turn @count times */
void control_test_turns(uint32_t count);
/** control_test_dial - a connection; its greeting has not been read */
int control_test_dial(void);
/** control_test_dial_and_greet - a connection whose greeting was right */
int control_test_dial_and_greet(void);
/** control_test_say - send @text, whatever the server does with it */
void control_test_say(int fd, const char *text);
/** control_test_next_line - of the server as an object, the caller's; NULL at the end of the stream */
struct json_object *control_test_next_line(int fd);
/** control_test_get - a member, NULL when there is none */
struct json_object *control_test_get(struct json_object *object, const char *name);
/** control_test_ask - send a line, expect success (0) or the error @code; the reply is the caller's */
struct json_object *control_test_ask(int fd, const char *line, int code);
/** control_test_expect - the same without the reply */
void control_test_expect(int fd, const char *line, int code);
/** control_test_make_resource - one volume with minor 10 and a disk, one peer named bob */
void control_test_make_resource(int fd);

#endif
