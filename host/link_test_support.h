/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * link_test_support.h - two ends of links in one process, over real sockets on the loopback
 * interface
 *
 * Both ends share one loop and one pool; their owner writes down what it is told. A proxy that
 * damages, cuts or freezes what passes is a child process.
 */
#ifndef BSR_HOST_LINK_TEST_SUPPORT_H
#define BSR_HOST_LINK_TEST_SUPPORT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <errno.h>
#include <sys/types.h>
#include <unistd.h>

#include "link.h"

#define MS 1000000ull
#define NONE UINT32_MAX
#define POOL_BYTES (16u << 20)
#define KEPT_MAX 64u
#define AN_HOUR (3600 * 1000 * MS)

struct node {
	uint32_t id;
	struct bsr_pool *pool; /* of what it receives */
	struct bsr_links *links;
	uint16_t port;
	uint32_t link_number; /* of the last bsr_links_dial() */
	bool up;
	uint32_t ups, downs;
	enum bsr_link_reason reason; /* of the last down */
	struct bsr_ev_link_up up_event;
	bool deaf[2];		/* may_receive() says no */
	bool redial;		/* dial again when a link goes down */
	bool keep;		/* keep payload buffers */
	bsr_buf_t kept[KEPT_MAX];
	uint32_t kept_count;
	uint64_t messages[2];
	uint64_t payload_bytes;
	uint64_t last_nonce[2];
	bool ignore_content; /* payloads do not have the pattern of send_write() */
	bool disordered, damaged;
	uint64_t sent_bytes[2];
	uint32_t reports;
	uint32_t report_number;
	char report[600];
};

extern struct node node[2];
extern struct bsr_loop *loop;
extern struct bsr_pool *pool;
extern struct bsr_pool *receiver_pool; /* NULL, or what node 1 gets when it is made */

struct proxy {
	pid_t pid;
	uint16_t port;
	int control; /* one byte: 'f' freeze, 'c' cut */
};

struct proxy_plan {
	/*
	 * bit 3 of the byte at this place of dialer-to-acceptor bytes, counted over each connection
	 */
	uint64_t flip_at;
	uint64_t cut_at;
	size_t piece_max; /* 0: whatever comes is passed on as it came */
};

uint64_t random_u64(void);
uint64_t now_ns(void);
void node_dial(struct node *n, uint64_t delay_ns);
void turn_until(uint64_t end_ns);
bool run_turns(uint64_t limit_ms, bool (*done)(void));
bool both_up(void);
bool both_down(void);
bool some_down(void);
bool both_gave_up(void);
struct sockaddr_storage address_of(int family, uint16_t port);
int listen_somewhere(int family, uint16_t *port);
struct bsr_link_options options_of(const char *alg, const char *secret);
void make_node(uint32_t id, const char *resource, uint32_t node_id, int family);
void point_node(uint32_t from, uint16_t to_port, int family, const struct bsr_link_options *o);
void make_pair(int family, const struct bsr_link_options *a, const struct bsr_link_options *b);
void make_default_pair(void);
void connect_pair(void);
void release_kept(struct node *n);
void end_pair(void);
int link_test_start(void **state);
int link_test_stop(void **state);
void send_ping(struct node *n, uint64_t nonce);
bool send_write(struct node *n, uint64_t number, uint32_t bytes);
bool all_arrived(void);
void send_checkpoint(struct node *n, uint64_t number);
void assert_talks(void);
void stop_proxy(struct proxy *proxy);
struct proxy start_proxy(uint16_t to_port, const struct proxy_plan *plan);
struct proxy make_proxied_pair(const struct proxy_plan *plan, const struct bsr_link_options *o);

/** link_test_begin - reads the command line; 0 or the exit code with which to end at once */
int link_test_begin(int argc, char **argv);

#define LINK_TEST(f) cmocka_unit_test_setup_teardown(f, link_test_start, link_test_stop)

#endif
