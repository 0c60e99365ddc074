// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * engine_process.c - the engine process: from a bare child of the keeper to a running engine
 * without rights
 *
 * Owns: the order of its start, struct bsrd, the turn.
 * Start: receive what the keeper hands over; make loop, pool and tables while still root (memory is
 *        locked and
 * registered then); give up all rights; only now parse anything: the running configuration, the
 * control socket, peers.
 */
#include "engine_process.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include <bsr/assert.h>

#include "running.h"

#define POOL_MIB_DEFAULT 64u
#define POOL_MIB_MAX 16384u
/* allocations from this on get pages of their own, given back when freed */
#if defined(__SANITIZE_ADDRESS__)
#define BIG_BYTES SIZE_MAX /* all from malloc: overruns and leaks are seen */
#else
#define BIG_BYTES (1u << 20)
#endif
#define STACK_BYTES (1u << 20) /* far more than any call chain here needs */
#define HANDED_MAX (2u * BSR_VOLUMES_MAX + 70u)

/** What came before START; kept until there is something to give it to. */
struct handed {
	struct bsrd_message *message[HANDED_MAX];
	struct bsrd_fds fds[HANDED_MAX];
	uint32_t count;
	struct bsrd_fds hello; /* enum bsrd_hello_fd */
	uint32_t node_id; /* --node-id, UINT32_MAX for none */
};

/* --------------------------------------------------------- engine's memory */

static void *env_alloc(void *ctx, size_t bytes, size_t align)
{
	struct bsrd *d = ctx;
	void *mem = NULL;
	if (bytes >= BIG_BYTES && align <= 4096) {
		mem = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		if (mem == MAP_FAILED) {
			return NULL;
		}
	} else if (posix_memalign(&mem, align < sizeof(void *) ? sizeof(void *) : align, bytes) == 0) {
		memset(mem, 0, bytes);
	} else {
		return NULL;
	}
	d->engine_bytes += bytes;
	return mem;
}

static void env_free(void *ctx, void *mem, size_t bytes)
{
	struct bsrd *d = ctx;
	if (mem == NULL) {
		return;
	}
	d->engine_bytes -= bytes;
	if (bytes >= BIG_BYTES) {
		munmap(mem, bytes);
	} else {
		free(mem);
	}
}

void bsrd_apply_settings(const struct bsrd *d)
{
	const struct bsr_settings *s = &d->settings;
	bsr_logging_set(&(struct bsr_logging_rules){.file_level = (uint32_t)s->log_level_dbg,
		.sys_level = (uint32_t)s->log_level_sys,
		.categories = (uint32_t)s->log_categories,
		.file_bytes = s->log_file_kib << 10});
}

void bsrd_take_settings(struct bsrd *d, const struct bsrd_message *m)
{
	if (m->arg[BSRD_SET_FILE_KIB] == 0) {
		return; /* from a keeper that is older than these settings */
	}
	bsrd_message_take_settings(m, &d->settings);
	d->faults_allowed = (m->arg[BSRD_SET_FLAGS] & BSRD_SETF_FAULTS) != 0;
	bsrd_apply_settings(d);
}

void bsrd_settings_changed(struct bsrd *d)
{
	const struct bsr_settings *s = &d->settings;
	struct bsrd_message m;
	bsrd_message_init(&m, BSRD_IPC_SETTINGS);
	bsrd_message_set_text(&m, "");
	bsrd_message_add_settings(&m, s, 0);
	bsrd_ipc_note(d->ipc, &m, NULL);
	bsrd_apply_settings(d);
	bsr_log(BSR_LOGN_LOG_SETTINGS, "file_level=%u syslog_level=%u categories=%u file_kib=%u files=%u handlers=%s control_gid=%u",
		(unsigned)s->log_level_dbg, (unsigned)s->log_level_sys, (unsigned)s->log_categories, (unsigned)s->log_file_kib,
		(unsigned)s->log_file_count, s->handlers != 0 ? "yes" : "no", (unsigned)s->control_gid);
}

/* The keeper, which may open files, rolls it over. */
static __attribute__((noinline)) void log_is_full(struct bsrd *d)
{
	struct bsrd_message m;
	if (d->log_full_told) {
		return;
	}
	d->log_full_told = true;
	bsrd_message_init(&m, BSRD_IPC_LOG_FULL);
	bsrd_message_set_text(&m, "");
	bsrd_ipc_note(d->ipc, &m, NULL);
}

int bsrd_create_engine(struct bsrd *d)
{
	struct bsr_engine_config config = {
		.node_id = d->running.node_id, .env = {.ctx = d, .alloc = env_alloc, .free = env_free}};
	struct bsr_links_config links = {.resource = d->running.resource,
		.node_id = d->running.node_id,
		.loop = d->loop,
		.pool = d->pool,
		.ops = &bsrd_links_ops,
		.ctx = d};
	BSR_ASSERT(d->engine == NULL);
	if (getrandom(config.seed, sizeof(config.seed), 0) != (ssize_t)sizeof(config.seed)) {
		return -BSR_E_NO_MEMORY;
	}
	if (bsr_links_create(&d->links, &links) != 0) {
		return -BSR_E_NO_MEMORY;
	}
	d->engine = bsr_engine_create(&config);
	if (d->engine == NULL) {
		bsr_links_destroy(d->links);
		d->links = NULL;
		return -BSR_E_NO_MEMORY;
	}
	return 0;
}

/* ------------------------------------------------------------ the start */

static bool receive_hello(int sock, struct bsrd_message *m, struct handed *h, struct bsrd *d, const char *resource)
{
	if (bsrd_ipc_receive(sock, m, &h->hello, true) != 1 || m->type != BSRD_IPC_HELLO || h->hello.count != BSRD_HELLO_FDS ||
		strcmp(m->text, resource) != 0) {
		return false;
	}
	d->generation = m->arg[0];
	h->node_id = (uint32_t)m->arg[1];
	bsrd_take_settings(d, m);
	return true;
}

static bool receive_start(int sock, struct handed *h, struct bsrd *d, const char *resource)
{
	struct bsrd_message *m = malloc(sizeof(*m));
	if (m == NULL || !receive_hello(sock, m, h, d, resource)) {
		free(m);
		return false;
	}
	for (;;) {
		struct bsrd_fds fds;
		if (bsrd_ipc_receive(sock, m, &fds, true) != 1) {
			free(m);
			return false;
		}
		if (m->type == BSRD_IPC_START || h->count == HANDED_MAX) {
			break;
		}
		h->message[h->count] = malloc(sizeof(*m));
		if (h->message[h->count] == NULL) {
			free(m);
			return false;
		}
		memcpy(h->message[h->count], m, sizeof(*m));
		h->fds[h->count++] = fds;
	}
	bool started = m->type == BSRD_IPC_START;
	free(m);
	return started;
}

static size_t pool_bytes(void)
{
	const char *text = getenv("BSR_POOL_MIB");
	unsigned long mib = text != NULL ? strtoul(text, NULL, 10) : 0;
	if (mib < 2 || mib > POOL_MIB_MAX) {
		mib = POOL_MIB_DEFAULT;
	}
	return (size_t)mib << 20;
}

/*
 * Without CAP_SYS_RESOURCE the limit on locked memory stays what it was, and locking what is to
 * come would make later
 * allocations fail: then only what exists now is locked, which is the pool and all tables.
 */
static void lock_memory(bool pool_locked)
{
	struct rlimit limit;
	bool future = getrlimit(RLIMIT_MEMLOCK, &limit) == 0 && limit.rlim_cur == RLIM_INFINITY;
	int flags = MCL_CURRENT | MCL_ONFAULT | (future ? MCL_FUTURE : 0);
	int error = mlockall(flags) != 0 ? errno : 0;
	if (error != 0 || !future || !pool_locked) {
		bsr_log(BSR_LOGN_MEMORY_UNLOCKED, "pool=%s tables=%s later=%s", pool_locked ? "locked" : "unlocked",
			error == 0 ? "locked" : "unlocked", future && error == 0 ? "locked" : "unlocked");
	}
}

/*
 * A locked stack that has to grow is charged against the limit and the process is killed when that
 * is full: it grows now, while the process may.
 */
static void grow_stack(void)
{
	volatile char stack[STACK_BYTES];
	for (size_t i = 0; i < sizeof(stack); i += 4096) {
		stack[i] = 0;
	}
	stack[STACK_BYTES - 1] = stack[0];
}

/* What libraries read from files or allocate once is done before files are out of reach. */
static void warm_up(struct bsrd *d)
{
	struct bsr_links *links = NULL;
	struct bsr_links_config config = {.resource = d->running.resource,
		.loop = d->loop,
		.pool = d->pool,
		.ops = &bsrd_links_ops,
		.ctx = d};
	if (bsr_links_create(&links, &config) == 0) { /* OpenSSL reads its configuration */
		bsr_links_destroy(links);
	}
	d->digests = bsr_digests_create();
	struct json_object *o = json_object_new_object();
	json_object_object_add(o, "warm", json_object_new_int(1)); /* seeds its hash function */
	json_object_put(o);
	tzset();
}

static int open_world(struct bsrd *d, struct handed *h)
{
	struct bsr_loop_options options = {
		.backend = BSR_LOOP_AUTO, .depth = BSR_LOOP_DEPTH_MAX, .lifeline_fd = h->hello.fd[BSRD_FD_LIFELINE]};
	bool locked = false;
	void *region;
	size_t bytes;
	int error = bsr_loop_create(&d->loop, &options);
	if (error == 0) {
		error = bsr_pool_create(&d->pool, pool_bytes(), &locked);
	}
	if (error == 0) {
		bsr_pool_region(d->pool, &region, &bytes);
		bsr_loop_add_memory(d->loop, region, bytes);
		error = bsrd_perform_create(&d->perform, d);
	}
	if (error == 0) {
		struct bsr_devices_config config = {
			.loop = d->loop, .pool = d->pool, .ops = &bsrd_device_ops, .ctx = d};
		error = bsr_devices_create(&d->devices, &config);
	}
	if (error == 0) {
		warm_up(d);
		grow_stack();
		lock_memory(locked);
		bsr_log(BSR_LOGN_HOST_CHOICES, "loop=%s pool_bytes=%zu", bsr_loop_backend_word(d->loop), bytes);
		error = bsr_sandbox_enter();
	}
	return error;
}

static void hand_over(struct bsrd *d, struct handed *h)
{
	for (uint32_t i = 0; i < h->count; i++) {
		struct bsrd_message *m = h->message[i];
		if (m->type == BSRD_IPC_DISK) {
			bsrd_flows_handed_disk(d, m, &h->fds[i]);
		} else if (m->type == BSRD_IPC_CHANNEL) {
			bsrd_flows_handed_channel(d, m, &h->fds[i]);
		} else if (m->type == BSRD_IPC_LISTENER) {
			bsrd_flows_listener(d, m, &h->fds[i]);
		}
		bsrd_fds_close(&h->fds[i]);
		free(m);
	}
}

static void on_turn(void *ctx)
{
	struct bsrd *d = ctx;
	bsrd_ipc_turn(d->ipc);
	bsrd_flows_turn(d->flows);
	bsrd_handlers_turn(d);
	bsrd_perform_turn(d);
	bsr_control_flush(d->control);
	if (bsr_logging_full()) {
		log_is_full(d);
	}
}

static int begin(struct bsrd *d, struct handed *h, int keeper_fd)
{
	char why[256] = "";
	int error = bsrd_ipc_create(&d->ipc, d, keeper_fd);
	if (error == 0) {
		error = bsrd_adopt_create(d, &h->hello);
	}
	if (error == 0) {
		error = bsrd_flows_create(&d->flows, d);
	}
	if (error == 0) {
		error = bsrd_handlers_create(&d->handlers, d);
	}
	if (error == 0) {
		error = bsr_control_create(&d->control, d, h->hello.fd[BSRD_FD_CONTROL]);
	}
	if (error == 0) {
		error = bsr_nbd_listen(d->devices, h->hello.fd[BSRD_FD_NBD]);
	}
	if (error != 0) {
		return error;
	}
	if (bsrd_running_from_memfd(&d->running, h->hello.fd[BSRD_FD_CONFIG], why, sizeof(why)) != 0) {
		bsr_log(BSR_LOGN_REBUILD_STEP_FAILED, "why=\"%s\"", why);
		return -EINVAL;
	}
	close(h->hello.fd[BSRD_FD_CONFIG]);
	bsr_loop_on_turn(d->loop, on_turn, d);
	if (d->running.exists && bsrd_create_engine(d) != 0) {
		return -ENOMEM;
	}
	hand_over(d, h);
	bsrd_flows_rebuild(d, h->node_id);
	bsr_loop_again(d->loop);
	return 0;
}

void bsrd_leave(struct bsrd *d)
{
	struct bsrd_message m;
	bsrd_message_init(&m, BSRD_IPC_GONE);
	bsrd_ipc_note(d->ipc, &m, NULL);
	bsr_loop_stop(d->loop);
}

int bsr_engine_process_main(int keeper_fd, const char *resource)
{
	static struct bsrd d; /* large */
	static struct handed h;
	/* The keeper decides about stopping; a terminal or systemd may signal the whole group. */
	signal(SIGINT, SIG_IGN);
	signal(SIGTERM, SIG_IGN);
	signal(SIGHUP, SIG_IGN);
	signal(SIGPIPE, SIG_IGN);
	prctl(PR_SET_NAME, "bsrd-engine", 0, 0, 0);
	bsr_logging_init(resource);
	bsr_settings_defaults(&d.settings);
	bsrd_running_init(&d.running, resource);
	if (!receive_start(keeper_fd, &h, &d, resource)) {
		bsr_log(BSR_LOGN_KEEPER_FAILED, "what=handover pid=%ld", (long)getpid());
		return BSRD_EXIT_FAILED;
	}
	int error = open_world(&d, &h);
	if (error == 0) {
		error = begin(&d, &h, keeper_fd);
	}
	if (error != 0) {
		bsr_log(BSR_LOGN_KEEPER_FAILED, "what=engine-process-start error=\"%s\"", strerror(-error));
		return BSRD_EXIT_FAILED;
	}
	error = bsr_loop_run(d.loop);
	if (error != 0) {
		bsr_log(BSR_LOGN_KEEPER_FAILED, "what=loop error=\"%s\"", strerror(-error));
		return BSRD_EXIT_FAILED;
	}
	return 0;
}
