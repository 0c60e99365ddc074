// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * link_test_support.c - what the tests of links share
 */
#include <arpa/inet.h>
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <time.h>

#include "link_test_support.h"

static enum bsr_loop_backend backend;
static uint64_t seed = 1;
struct bsr_loop *loop;
struct bsr_pool *pool;
struct bsr_pool *receiver_pool;
struct node node[2];

uint64_t random_u64(void)
{
	uint64_t z = (seed += 0x9e3779b97f4a7c15ull);
	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
	return z ^ (z >> 31);
}

uint64_t now_ns(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000ull + (uint64_t)t.tv_nsec;
}

/* -------------------------------------------------------------------- owner */

void node_dial(struct node *n, uint64_t delay_ns)
{
	bsr_links_dial(n->links, 1 - n->id, ++n->link_number, now_ns() + delay_ns);
}

static void on_up(void *ctx, const struct bsr_ev_link_up *up)
{
	struct node *n = ctx;
	assert_false(n->up);
	assert_int_equal(up->link, n->link_number);
	assert_int_equal(up->peer, 1 - n->id);
	n->up = true;
	n->ups++;
	n->up_event = *up;
	n->last_nonce[0] = n->last_nonce[1] = 0;
}

static void on_down(void *ctx, const struct bsr_ev_link_down *down)
{
	struct node *n = ctx;
	assert_int_equal(down->link, n->link_number);
	assert_int_equal(down->peer, 1 - n->id);
	n->up = false;
	n->downs++;
	n->reason = down->reason;
	if (n->redial && down->reason != BSR_LINK_AUTH && down->reason != BSR_LINK_MISMATCH) {
		node_dial(n, 0);
	}
}

/* Payloads of the tests: byte i is a function of the write's number and i. */
static uint8_t pattern(uint64_t number, uint64_t i)
{
	return (uint8_t)((number * 131) ^ (i * 7) ^ (i >> 9));
}

static void check_write(struct node *n, const struct bsr_ev_message *m)
{
	struct bsr_msg_write w;
	assert_int_equal(bsr_msg_write_decode(&w, m->body, m->body_bytes), 0);
	assert_int_equal(w.length, m->payload_bytes);
	const uint8_t *mem = bsr_pool_mem(n->pool, m->payload);
	n->disordered |= w.write_seq != n->last_nonce[0] + 1;
	n->last_nonce[0] = w.write_seq;
	n->payload_bytes += m->payload_bytes;
	if (n->ignore_content) {
		return;
	}
	for (uint64_t i = 0; i < m->payload_bytes; i += 61) {
		n->damaged |= mem[i] != pattern(w.write_seq, i);
	}
	n->damaged |= mem[m->payload_bytes - 1] != pattern(w.write_seq, m->payload_bytes - 1);
}

static void on_message(void *ctx, const struct bsr_ev_message *m)
{
	struct node *n = ctx;
	assert_true(n->up);
	assert_int_equal(m->link, n->link_number);
	n->messages[m->stream]++;
	if (m->msg_type == BSR_MSG_WRITE) {
		check_write(n, m);
	} else if (m->msg_type == BSR_MSG_PING) {
		struct bsr_msg_ping ping;
		assert_int_equal(bsr_msg_ping_decode(&ping, m->body, m->body_bytes), 0);
		n->disordered |= ping.nonce != n->last_nonce[1] + 1;
		n->last_nonce[1] = ping.nonce;
	}
	if (m->payload != BSR_BUF_NONE) {
		if (n->keep && n->kept_count < KEPT_MAX) {
			n->kept[n->kept_count++] = m->payload;
		} else {
			bsr_pool_put(n->pool, m->payload);
		}
	}
}

static void on_sent(void *ctx, const struct bsr_ev_sent *sent)
{
	struct node *n = ctx;
	assert_int_equal(sent->link, n->link_number);
	n->sent_bytes[sent->stream] += sent->bytes;
}

static uint32_t on_may_receive(void *ctx, uint32_t peer, enum bsr_stream stream)
{
	struct node *n = ctx;
	(void)peer;
	return n->deaf[stream] ? 0 : 1;
}

static void on_report(void *ctx, uint32_t number, uint32_t peer, const char *text)
{
	struct node *n = ctx;
	n->reports++;
	n->report_number = number;
	snprintf(n->report, sizeof(n->report), "%s", text);
	assert_true(peer == NONE || peer == 1 - n->id);
	assert_null(strchr(text, '\n'));
}

static const struct bsr_links_ops ops = {on_up, on_down, on_message, on_sent, on_may_receive, on_report};

/* --------------------------------------------------------------------- turns */

static void on_timer(void *ctx)
{
	(void)ctx;
}

static void on_turn(void *ctx)
{
	(void)ctx;
	for (int i = 0; i < 2; i++) {
		if (node[i].links != NULL) {
			if (bsr_links_deadline(node[i].links) <= bsr_loop_now_ns(loop)) {
				bsr_links_tick(node[i].links);
			}
			bsr_links_flush(node[i].links);
		}
	}
}

void turn_until(uint64_t end_ns)
{
	on_turn(NULL); /* what the test itself has done since the last turn */
	for (int i = 0; i < 2; i++) {
		if (node[i].links != NULL && bsr_links_deadline(node[i].links) < end_ns) {
			end_ns = bsr_links_deadline(node[i].links);
		}
	}
	bsr_loop_set_timer(loop, end_ns, on_timer, NULL);
	assert_int_equal(bsr_loop_turn(loop, true), 0);
}

bool run_turns(uint64_t limit_ms, bool (*done)(void))
{
	const uint64_t end_ns = now_ns() + limit_ms * MS;
	while (now_ns() < end_ns) {
		if (done != NULL && done()) {
			return true;
		}
		turn_until(end_ns);
	}
	return done != NULL && done();
}

bool both_up(void)
{
	return node[0].up && node[1].up;
}

bool both_down(void)
{
	return !node[0].up && !node[1].up;
}

bool some_down(void)
{
	return node[0].downs + node[1].downs > 0;
}

bool both_gave_up(void)
{
	return node[0].downs > 0 && node[1].downs > 0;
}

/* --------------------------------------------------------------------- set-up */

struct sockaddr_storage address_of(int family, uint16_t port)
{
	struct sockaddr_storage a = {0};
	if (family == AF_INET6) {
		struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)&a;
		in6->sin6_family = AF_INET6;
		in6->sin6_addr = in6addr_loopback;
		in6->sin6_port = htons(port);
	} else {
		struct sockaddr_in *in = (struct sockaddr_in *)&a;
		in->sin_family = AF_INET;
		in->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
		in->sin_port = htons(port);
	}
	return a;
}

/* Below the ephemeral ports, or a dialing socket might connect to itself while nobody listens. */
int listen_somewhere(int family, uint16_t *port)
{
	for (int tries = 0; tries < 200; tries++) {
		*port = (uint16_t)(10000 + random_u64() % 20000);
		const int fd = socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
		const struct sockaddr_storage a = address_of(family, *port);
		assert_true(fd >= 0);
		if (bind(fd, (const struct sockaddr *)&a, family == AF_INET6 ? sizeof(struct sockaddr_in6)
									     : sizeof(struct sockaddr_in)) == 0 &&
			listen(fd, 64) == 0) {
			return fd;
		}
		close(fd);
	}
	fail_msg("no free port");
	return -1;
}

struct bsr_link_options options_of(const char *alg, const char *secret)
{
	struct bsr_link_options o = {.data_checksums = true, .connect_int_s = 1, .ping_timeout_ds = 5};
	snprintf(o.cram_hmac_alg, sizeof(o.cram_hmac_alg), "%s", alg);
	snprintf(o.shared_secret, sizeof(o.shared_secret), "%s", secret);
	return o;
}

void make_node(uint32_t id, const char *resource, uint32_t node_id, int family)
{
	struct node *n = &node[id];
	memset(n, 0, sizeof(*n));
	n->id = id;
	n->pool = id == 1 && receiver_pool != NULL ? receiver_pool : pool;
	const struct bsr_links_config config = {
		.resource = resource, .node_id = node_id, .loop = loop, .pool = n->pool, .ops = &ops, .ctx = n};
	assert_int_equal(bsr_links_create(&n->links, &config), 0);
	assert_int_equal(bsr_links_add_listener(n->links, listen_somewhere(family, &n->port)), 0);
}

void point_node(uint32_t from, uint16_t to_port, int family, const struct bsr_link_options *o)
{
	const struct bsr_link_path path = {address_of(family, 0), address_of(family, to_port)};
	assert_int_equal(bsr_links_set_peer(node[from].links, 1 - from, &path, 1, o), 0);
}

void make_pair(int family, const struct bsr_link_options *a, const struct bsr_link_options *b)
{
	make_node(0, "r0", 0, family);
	make_node(1, "r0", 1, family);
	point_node(0, node[1].port, family, a);
	point_node(1, node[0].port, family, b);
}

void make_default_pair(void)
{
	const struct bsr_link_options o = options_of("sha256", "geheim");
	make_pair(AF_INET, &o, &o);
}

void connect_pair(void)
{
	node_dial(&node[0], 0);
	node_dial(&node[1], 0);
	assert_true(run_turns(3000, both_up));
}

void release_kept(struct node *n)
{
	while (n->kept_count > 0) {
		bsr_pool_put(n->pool, n->kept[--n->kept_count]);
	}
}

void end_pair(void)
{
	for (int i = 0; i < 2; i++) {
		release_kept(&node[i]);
		bsr_links_destroy(node[i].links);
		node[i].links = NULL;
	}
	assert_int_equal(bsr_pool_in_use(pool), 0);
}

int link_test_start(void **state)
{
	(void)state;
	bool locked;
	const struct bsr_loop_options options = {.backend = backend, .depth = 16, .lifeline_fd = -1};
	assert_int_equal(bsr_loop_create(&loop, &options), 0);
	assert_int_equal(bsr_pool_create(&pool, POOL_BYTES, &locked), 0);
	bsr_loop_on_turn(loop, on_turn, NULL);
	return 0;
}

int link_test_stop(void **state)
{
	(void)state;
	for (int i = 0; i < 2; i++) {
		bsr_links_destroy(node[i].links); /* NULL after a test that went well */
		node[i].links = NULL;
	}
	bsr_pool_destroy(pool);
	bsr_loop_destroy(loop);
	return 0;
}

/* -------------------------------------------------------------------- sending */

void send_ping(struct node *n, uint64_t nonce)
{
	uint8_t head[64];
	const struct bsr_msg_ping ping = {nonce};
	const struct bsr_fx_send send = {
		.peer = 1 - n->id,
		.link = n->link_number,
		.stream = BSR_STREAM_CONTROL,
		.head_bytes = bsr_msg_ping_encode(head, sizeof(head), BSR_MSG_PING, 0, &ping),
		.buf = BSR_BUF_NONE,
	};
	bsr_links_send(n->links, &send, head);
}

/* false: the pool is empty */
bool send_write(struct node *n, uint64_t number, uint32_t bytes)
{
	uint8_t head[128];
	const bsr_buf_t buf = bsr_pool_get(pool, bytes);
	if (buf == BSR_BUF_NONE) {
		return false;
	}
	uint8_t *mem = bsr_pool_mem(pool, buf);
	for (uint64_t i = 0; i < bytes; i++) {
		mem[i] = pattern(number, i);
	}
	const struct bsr_msg_write w = {.write_seq = number, .length = bytes, .op = BSR_OP_WRITE};
	const struct bsr_fx_send send = {
		.peer = 1 - n->id,
		.link = n->link_number,
		.stream = BSR_STREAM_DATA,
		.head_bytes = bsr_msg_write_encode(head, sizeof(head), BSR_MSG_WRITE, bytes, &w),
		.buf = buf,
		.payload_bytes = bytes,
	};
	bsr_links_send(n->links, &send, head);
	bsr_pool_put(pool, buf); /* the queue has its own reference */
	return true;
}

bool all_arrived(void)
{
	return bsr_links_queued_bytes(node[0].links, 1) == 0 && node[1].payload_bytes == node[0].payload_bytes;
}

void send_checkpoint(struct node *n, uint64_t number)
{
	uint8_t head[64];
	const struct bsr_msg_checkpoint checkpoint = {.number = number};
	const struct bsr_fx_send send = {
		.peer = 1 - n->id,
		.link = n->link_number,
		.stream = BSR_STREAM_DATA,
		.head_bytes = bsr_msg_checkpoint_encode(head, sizeof(head), BSR_MSG_CHECKPOINT, 0, &checkpoint),
		.buf = BSR_BUF_NONE,
	};
	bsr_links_send(n->links, &send, head);
}

/* Numbered pings both ways and a few writes: the two ends must be on the same link. */
void assert_talks(void)
{
	const uint64_t pings[2] = {node[0].messages[1], node[1].messages[1]};
	const uint64_t writes = node[1].messages[0];
	for (uint64_t i = 1; i <= 5; i++) {
		send_ping(&node[0], node[1].last_nonce[1] + i);
		send_ping(&node[1], node[0].last_nonce[1] + i);
		assert_true(send_write(&node[0], node[1].last_nonce[0] + i, (uint32_t)(512 * i)));
	}
	const uint64_t end_ns = now_ns() + 2000 * MS;
	while (now_ns() < end_ns && (node[0].messages[1] < pings[0] + 5 || node[1].messages[1] < pings[1] + 5 ||
					    node[1].messages[0] < writes + 5)) {
		turn_until(end_ns);
	}
	for (int i = 0; i < 2; i++) {
		assert_int_equal(node[i].messages[1], pings[i] + 5);
		assert_false(node[i].disordered);
		assert_false(node[i].damaged);
	}
	assert_int_equal(node[1].messages[0], writes + 5);
}

/* ----------------------------------------------------------------------- proxy */

struct proxy_wire {
	int from, to;
	uint64_t passed;
};

static void proxy_pump(struct proxy_wire *w, const struct proxy_plan *plan)
{
	uint8_t data[65536];
	const size_t most = plan->piece_max > 0 ? 1 + random_u64() % plan->piece_max : sizeof(data);
	const ssize_t got = recv(w->from, data, most, MSG_DONTWAIT);
	if (got < 0) {
		return;
	}
	if (got == 0) {
		_exit(0);
	}
	const uint64_t first = w->passed, last = w->passed + (uint64_t)got;
	if (plan->flip_at >= first && plan->flip_at < last) {
		data[plan->flip_at - first] ^= 8;
	}
	size_t bytes = (size_t)got;
	if (plan->cut_at < last) {
		bytes = plan->cut_at > first ? (size_t)(plan->cut_at - first) : 0;
	}
	for (size_t at = 0; at < bytes;) {
		const ssize_t put = send(w->to, data + at, bytes - at, MSG_NOSIGNAL);
		if (put <= 0) {
			_exit(0);
		}
		at += (size_t)put;
	}
	w->passed = last;
	if (plan->cut_at < last) {
		_exit(0);
	}
}

static void proxy_run(int listener, int control, uint16_t to_port, const struct proxy_plan *plan)
{
	struct proxy_wire wire[64];
	size_t count = 0;
	const struct proxy_plan harmless = {.flip_at = UINT64_MAX, .cut_at = UINT64_MAX};
	for (;;) {
		struct pollfd p[66] = {{listener, POLLIN, 0}, {control, POLLIN, 0}};
		for (size_t i = 0; i < count; i++) {
			p[2 + i] = (struct pollfd){wire[i].from, POLLIN, 0};
		}
		if (poll(p, 2 + count, 20000) <= 0 || p[1].revents != 0) {
			char command = 'c';
			if (read(control, &command, 1) == 1 && command == 'f') {
				pause(); /* holds everything open and says nothing */
			}
			_exit(0);
		}
		for (size_t i = 0; i < count; i++) {
			if (p[2 + i].revents != 0) {
				proxy_pump(&wire[i], i % 2 == 0 ? plan : &harmless);
			}
		}
		if (p[0].revents != 0 && count + 2 <= 64) {
			const int in = accept(listener, NULL, NULL);
			const int out = socket(AF_INET, SOCK_STREAM, 0);
			const struct sockaddr_storage a = address_of(AF_INET, to_port);
			if (in < 0 || out < 0 || connect(out, (const struct sockaddr *)&a, sizeof(struct sockaddr_in)) != 0) {
				_exit(1);
			}
			wire[count++] = (struct proxy_wire){in, out, 0};
			wire[count++] = (struct proxy_wire){out, in, 0};
		}
	}
}

struct proxy start_proxy(uint16_t to_port, const struct proxy_plan *plan)
{
	struct proxy proxy;
	int pipe_fds[2];
	assert_int_equal(pipe(pipe_fds), 0);
	const int listener = listen_somewhere(AF_INET, &proxy.port);
	proxy.pid = fork();
	assert_true(proxy.pid >= 0);
	if (proxy.pid == 0) {
		signal(SIGPIPE, SIG_IGN);
		for (int fd = 3; fd < 1024; fd++) {
			if (fd != listener && fd != pipe_fds[0]) {
				close(fd); /* or our own sockets would stay open in here */
			}
		}
		proxy_run(listener, pipe_fds[0], to_port, plan);
	}
	close(listener);
	close(pipe_fds[0]);
	proxy.control = pipe_fds[1];
	return proxy;
}

void stop_proxy(struct proxy *proxy)
{
	close(proxy->control);
	kill(proxy->pid, SIGKILL);
	assert_int_equal(waitpid(proxy->pid, NULL, 0), proxy->pid);
}

/* Node 0 dials node 1 through the proxy, node 1 does not dial. */
struct proxy make_proxied_pair(const struct proxy_plan *plan, const struct bsr_link_options *o)
{
	make_pair(AF_INET, o, o);
	struct proxy proxy = start_proxy(node[1].port, plan);
	point_node(0, proxy.port, AF_INET, o);
	node_dial(&node[0], 0);
	node_dial(&node[1], AN_HOUR);
	return proxy;
}


int link_test_begin(int argc, char **argv)
{
	const char *word = argc >= 2 ? argv[1] : "";
	backend = strcmp(word, "uring") == 0 ? BSR_LOOP_URING : BSR_LOOP_THREADS;
	if (backend == BSR_LOOP_THREADS && strcmp(word, "threads") != 0) {
		(void)fprintf(stderr, "usage: %s uring|threads [PATTERN]\n", argv[0]);
		return 2;
	}
	(void)unsetenv("BSR_LOOP_BACKEND");
	/* to see a failure again, as far as timing allows */
	const char *given = getenv("BSR_TEST_SEED");
	seed = given != NULL ? (uint64_t)strtoull(given, NULL, 10) : (uint64_t)getpid() ^ now_ns();
	printf("seed %llu\n", (unsigned long long)seed);
	struct bsr_loop *probe = NULL;
	const struct bsr_loop_options options = {.backend = backend, .depth = 4, .lifeline_fd = -1};
	if (bsr_loop_create(&probe, &options) != 0) {
		return 77; /* the machine lacks it */
	}
	bsr_loop_destroy(probe);
	if (argc == 3) {
		cmocka_set_test_filter(argv[2]);
	}
	return 0;
}
