/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * sim.h - one simulated cluster: what its parts share
 *
 * A run is a function of its configuration, which is a function of the seed: one thread, no clock, no real I/O.
 * Memory of a run comes from mem.c and is given back as a whole, because a failed check leaves by longjmp.
 */
#ifndef SIM_SIM_H
#define SIM_SIM_H

#include <setjmp.h>
#include <stdio.h>

#include <bsr/assert.h>
#include <bsr/engine.h>
#include <bsr/wire.h>

#include "net.h"
#include "rng.h"
#include "superblock.h"

#define SIM_NODES_MAX 31u
#define SIM_NODES_USUAL 5u /* more only in a few runs: small ones */
#define SIM_VOLUMES_MAX 4u
#define SIM_NONE UINT32_MAX
#define SIM_US 1000ull
#define SIM_MS 1000000ull
#define SIM_S 1000000000ull

struct sim;
struct sim_scenario;

/* ------------------------------------------------------------------ memory */

struct sim_mem;
/** sim_alloc - zeroed memory of the run; panics when the machine has none left */
void *sim_alloc(struct sim *w, size_t bytes);
void sim_free(struct sim *w, void *mem, size_t bytes);
/** sim_mem_reset - everything that was allocated is gone */
void sim_mem_reset(struct sim *w);

/* ------------------------------------------------------------ event queue */

enum sim_ev_kind {
	SIM_EV_TIMER,	   /* a: node */
	SIM_EV_DISK,	   /* p: struct sim_op */
	SIM_EV_PIPE,	   /* p: struct sim_pipe: the head of the wire may have arrived */
	SIM_EV_SENT,	   /* p: struct sim_pipe */
	SIM_EV_CONNECT,	   /* a, b: nodes */
	SIM_EV_LINK_UP,	   /* p: struct sim_link, a: side */
	SIM_EV_LINK_DOWN,  /* p: struct sim_link, a: side, b: reason */
	SIM_EV_APP,	   /* a: node: the application may issue more */
	SIM_EV_ACTION,	   /* a: index into the plan */
	SIM_EV_BOOT,	   /* a: node */
	SIM_EV_SCRIPT,	   /* a: node: issue the next command */
	SIM_EV_HANDLER,	   /* a: node, b: handler id */
	SIM_EV_THAW,	   /* a: node */
	SIM_EV_QUIET,	   /* look whether the cluster has settled */
	SIM_EV_AUDIT,	   /* compare contents when nothing is under way */
	SIM_EV_KIND_COUNT,
};

struct sim_ev {
	uint64_t at_ns;
	uint64_t order; /* random, then sequence: simultaneous events come in an order that the seed decides */
	void *p;
	uint32_t kind;
	uint32_t a;
	uint32_t b;
	uint32_t incarnation; /* of node @a for node events */
};

void sim_schedule(struct sim *w, uint64_t at_ns, enum sim_ev_kind kind, uint32_t a, uint32_t b, void *p);

/* ----------------------------------------------------------------- content */

/** Sectors of a volume: each holds the id of the write that produced it, 0 = zeroes. Sparse. */
#define SIM_CHUNK_SECTORS 128u
struct sim_store {
	uint64_t sector_count;
	uint32_t chunk_count;
	uint32_t **chunk;
	uint64_t *chunk_sum; /* of each chunk's content, kept up to date; NULL: not kept */
	uint64_t sum;	     /* of all of them: equal sums, equal content */
};
/** sim_store_keep_sums - from the beginning; so that contents can be compared at the cost of a number */
void sim_store_keep_sums(struct sim *w, struct sim_store *st);
void sim_store_init(struct sim *w, struct sim_store *st, uint64_t sector_count);
/** sim_store_write - @stamps NULL: zeroes */
void sim_store_write(struct sim *w, struct sim_store *st, uint64_t sector, uint32_t count, const uint32_t *stamps);
void sim_store_read(const struct sim_store *st, uint64_t sector, uint32_t count, uint32_t *stamps);
/** sim_store_get - 0 beyond the end: disks may have different sizes */
static inline uint32_t sim_store_get(const struct sim_store *st, uint64_t sector)
{
	const uint32_t *c = sector < st->sector_count ? st->chunk[sector / SIM_CHUNK_SECTORS] : NULL;
	return c != NULL ? c[sector % SIM_CHUNK_SECTORS] : 0;
}

/* ------------------------------------------------------------------- disks */

struct sim_op;	 /* disk.c: an operation under way */
struct sim_copy; /* swap.c */

/** A finished write that a power cut may still undo. */
struct sim_cached {
	struct sim_cached *next;
	uint64_t sequence;
	uint64_t sector; /* data sector, or metadata block index */
	uint32_t count;	 /* sectors of data; 8 for metadata */
	bool metadata;
	uint32_t *stamps; /* data; NULL = zeroes */
	uint8_t *bytes;	  /* metadata, 4096 */
};

/** A device with a volatile write cache. */
struct sim_device {
	bool write_through;
	uint64_t sequence;
	uint32_t cached_count;
	struct sim_cached *first;
	struct sim_cached *last;
};

struct sim_disk {
	bool external_md;
	uint64_t device_bytes; /* backing device */
	uint64_t md_device_bytes;
	struct bsr_md_layout layout;
	uint64_t md_first; /* byte where the metadata area begins */
	uint32_t md_blocks;
	uint8_t **md_now;    /* what a read returns; NULL = zeroes */
	uint8_t **md_stable; /* what a power cut leaves */
	uint32_t *md_version; /* +1 per change of the stable content */
	struct sim_store now;
	struct sim_store stable;
	struct sim_store rot; /* what a read returns instead; 0: nothing (rot.c) */
	struct sim_device device[2]; /* 0 data, 1 metadata when external */
	struct sim_op *ops; /* under way */
	uint32_t op_count;
	/* faults */
	bool stuck;
	uint32_t latency_factor;
	uint32_t read_error_pm;
	uint32_t write_error_pm;
	uint32_t flush_error_pm;
	uint32_t md_error_pm;
	bool dead; /* every operation fails */
	uint64_t write_errors; /* so far */
	uint64_t md_errors; /* and reads of metadata */
	uint64_t passed_errors; /* of data, since it was attached */
	uint32_t lost_pm, misdirect_pm; /* writes that are reported done and are not, or land elsewhere */
	bool tear;    /* the next superblock write is torn, and the host loses power in it */
	bool damaged; /* the superblock cannot be read: a person has to make a new one */
	uint64_t made_anew;    /* when somebody exchanged it: of sim_oracle.sequence */
	uint64_t cut_sequence; /* when its cache lost power last */
	struct sim_copy *copy; /* as it was some time ago */
};

/** sim_disk_take_copy - remember the disk as it is, for sim_disk_put_copy() */
void sim_disk_take_copy(struct sim *w, uint32_t node, uint32_t volume);
/** sim_disk_put_copy - the copy takes the disk's place, if its generation tells it from the disk */
void sim_disk_put_copy(struct sim *w, uint32_t node, uint32_t volume);
void sim_disk_blank(struct sim *w, uint32_t node, uint32_t volume);
/** sim_disk_create_md - new metadata; the content stays and is worth nothing */
void sim_disk_create_md(struct sim *w, uint32_t node, uint32_t volume);
/** sim_disk_damage_md - a bit of the superblock or of the activity log is wrong */
void sim_disk_damage_md(struct sim *w, uint32_t node, uint32_t volume, uint32_t dice);
/** sim_disk_tears - the power goes in the middle of this operation; true when it does */
bool sim_disk_tears(struct sim *w, struct sim_op *op);

void sim_disk_create(struct sim *w, uint32_t node, uint32_t volume);
/** sim_disk_submit - carry out a data or metadata effect */
void sim_disk_submit_data(struct sim *w, uint32_t node, const struct bsr_fx_disk *fx);
void sim_disk_submit_md(struct sim *w, uint32_t node, const struct bsr_fx_md *fx);
void sim_disk_done(struct sim *w, struct sim_op *op);
/** sim_disk_crash - the process is gone: operations under way happen, happen partly, or don't */
void sim_disk_crash(struct sim *w, uint32_t node, uint32_t volume);
/** sim_disk_power_cut - then, the volatile cache keeps any subset, torn at sectors */
void sim_disk_power_cut(struct sim *w, uint32_t node, uint32_t volume);
void sim_disk_unstick(struct sim *w, uint32_t node, uint32_t volume);
struct sim_device *sim_disk_device(struct sim_disk *d, bool metadata);
void sim_md_format(struct sim *w, uint32_t node, uint32_t volume);

/* ----------------------------------------------------------------- buffers */

struct sim_buf {
	uint32_t refs; /* engine or application, plus one per operation or message of the host */
	uint32_t count; /* sectors */
	uint32_t *stamps;
	uint64_t born_ns; /* of what a peer sent: when it arrived */
	bool engine_owned;
	bool request_owned;
	uint32_t next_free;
};

struct sim_bufs {
	struct sim_buf *buf;
	uint32_t count;
	uint32_t room;
	uint32_t first_free;
	uint32_t in_use;
};

bsr_buf_t sim_buf_new(struct sim *w, uint32_t node, uint32_t count, const uint32_t *stamps);
/** sim_buf_use - the buffer the engine names; fails the run when it may not name it any more */
struct sim_buf *sim_buf_use(struct sim *w, uint32_t node, bsr_buf_t buf, uint32_t offset, uint32_t bytes);
struct sim_buf *sim_buf_get(struct sim *w, uint32_t node, bsr_buf_t buf);
void sim_buf_ref(struct sim *w, uint32_t node, bsr_buf_t buf);
void sim_buf_unref(struct sim *w, uint32_t node, bsr_buf_t buf);
void sim_buf_engine_put(struct sim *w, uint32_t node, bsr_buf_t buf);
void sim_buf_drop_all(struct sim *w, uint32_t node);

/* -------------------------------------------------------------- application */

enum sim_req_state { SIM_REQ_FREE, SIM_REQ_WAITING, SIM_REQ_ISSUED };

struct sim_req {
	enum sim_req_state state;
	uint8_t op;
	uint8_t flags;
	uint16_t volume;
	uint64_t sector;
	uint32_t count;
	uint32_t write_id;
	uint32_t tag;
	uint64_t issue_sequence;
	bsr_buf_t buf;
	uint32_t *floor;  /* of a read: what it must not be older than */
	uint64_t issued_ns;
};

#define SIM_REQS_MAX 128u
struct sim_app {
	bool running; /* holds the device open: the node is Primary */
	bool stopping;
	bool armed;
	uint32_t session;
	uint32_t in_flight;
	uint64_t flush_mark; /* writes that were done before are promised to be stable */
	uint32_t issued; /* in this run */
	uint32_t next_tag;
	struct sim_req req[SIM_REQS_MAX];
};

void sim_app_start(struct sim *w, uint32_t node, bool resumed);
/** sim_app_stop - no more requests; when the last is answered the device is closed (and the node demoted if wanted) */
void sim_app_stop(struct sim *w, uint32_t node);
void sim_app_wake(struct sim *w, uint32_t node);
/** sim_app_lost - the host lost power: nobody waits for its requests any more */
void sim_app_lost(struct sim *w, uint32_t node);
void sim_app_turn(struct sim *w, uint32_t node);
void sim_app_complete(struct sim *w, uint32_t node, const struct bsr_fx_complete *fx);
/** sim_app_reissue - a new engine process: everything that was not answered is asked again */
void sim_app_reissue(struct sim *w, uint32_t node);
/* -------------------------------------------------------------------- nodes */

enum sim_node_state { SIM_NODE_DOWN, SIM_NODE_UP };

struct sim_script_entry {
	struct bsr_command cmd;
	uint32_t retries;
	bool keep_going; /* its failure is not the end of the script */
};
#define SIM_SCRIPT_MAX 160u

struct sim_pending_cmd {
	bool used;
	uint32_t id;
	enum bsr_cmd type;
	uint32_t flags;
	uint32_t peer;
	uint32_t volume;
	uint64_t issued_ns;
	bool was_primary; /* when it was asked for */
	uint32_t bad_disks; /* primary: volumes Inconsistent or Outdated when it was asked for */
	bool scripted;
};
#define SIM_CMDS_MAX 64u

struct sim_published { /* what FX_STATE said last */
	enum bsr_role role;
	enum bsr_disk_state disk[SIM_VOLUMES_MAX];
	uint64_t worse_ns[SIM_VOLUMES_MAX]; /* when it was UpToDate last */
	enum bsr_conn_state conn[SIM_NODES_MAX];
	enum bsr_role peer_role[SIM_NODES_MAX];
	enum bsr_repl_state repl[SIM_NODES_MAX][SIM_VOLUMES_MAX];
	enum bsr_disk_state peer_disk[SIM_NODES_MAX][SIM_VOLUMES_MAX];
};

struct sim_engine_mem {
	struct sim_engine_mem *next;
	struct sim_engine_mem *previous;
	void *mem;
	size_t bytes;
};

struct sim_al_view { /* the activity log as it is on disk */
	uint32_t slot_count;
	uint32_t used_slots;
	uint32_t *slot;	      /* extent per slot */
	uint16_t *extent_uses; /* slots that hold an extent */
	bool stale; /* to be read from the disk before it is used */
	bool numbered; /* @number is known */
	bool incomplete; /* blocks of it have rotted: attach takes every extent for a hot one */
	uint32_t number; /* of the newest transaction */
	uint32_t extent_count;
};

struct sim_node {
	enum sim_node_state state;
	uint32_t incarnation;
	struct bsr_engine *engine;
	uint64_t timer_at_ns; /* of the SIM_EV_TIMER under way; UINT64_MAX = none */
	uint64_t clock_base_ns; /* this host's clock minus the world's */
	uint64_t frozen_until_ns;
	uint64_t spin_at_ns; /* timer events at one instant: a loop that never waits */
	uint32_t spin_count;
	uint32_t crash_armed; /* in the middle of the next step: 1 the process dies, 2 the host loses power */
	bool demote_wanted;   /* when the application has closed the device */
	uint32_t promote_next; /* who becomes Primary afterwards */
	bool was_primary;   /* of the process that died: to be resumed */
	bool host_alive;    /* false after a power cut: the application died, too */
	bool boot_armed;
	uint32_t next_cmd;
	struct sim_pending_cmd cmd[SIM_CMDS_MAX];
	struct sim_script_entry script[SIM_SCRIPT_MAX];
	uint32_t script_first, script_count;
	bool script_waiting;
	struct sim_dial dial[SIM_NODES_MAX];
	struct sim_disk disk[SIM_VOLUMES_MAX];
	struct sim_al_view al[SIM_VOLUMES_MAX];
	struct bsr_superblock sb[SIM_VOLUMES_MAX]; /* as a power cut would leave it */
	struct sim_store floor[SIM_VOLUMES_MAX]; /* newest content that the Primary here has shown or confirmed */
	struct sim_bufs bufs;
	struct sim_app app;
	struct sim_published pub;
	struct sim_engine_mem *engine_mem; /* what the engine has allocated */
	uint32_t handlers; /* that have been called and have not answered yet */
	uint32_t links_up;  /* since faults stopped */
	uint32_t decisions; /* of handshakes, since faults stopped */
	uint64_t alive_since; /* of sim_oracle.sequence: its process and its disks have been there all the time */
	uint32_t variant;  /* of its configuration: +1 per change */
	uint64_t features; /* that it offers */
	uint32_t given_up; /* volumes whose disk was given up: not attached again by a restarted daemon */
	uint32_t refused; /* volumes whose disk a Primary has given back: it does not fit what was shown */
	uint32_t volumes;  /* that its configuration names */
	uint32_t no_peers; /* that were taken out of it */
	uint32_t forgotten; /* that somebody told it to forget, at some time */
	uint64_t volume_since_ns[SIM_VOLUMES_MAX]; /* when it was added */
};

void sim_node_boot(struct sim *w, uint32_t node);
void sim_node_crash(struct sim *w, uint32_t node, bool power_cut);
/** sim_node_remove - an orderly end of the process: all memory must be given back */
void sim_node_remove(struct sim *w, uint32_t node);
void sim_node_event(struct sim *w, uint32_t node, struct bsr_event *ev);
void sim_node_on_timer(struct sim *w, uint32_t node);
/** sim_node_command - issue now; false when too many are under way */
bool sim_node_command(struct sim *w, uint32_t node, const struct bsr_command *cmd, bool scripted);
void sim_node_script_add(struct sim *w, uint32_t node, const struct bsr_command *cmd, uint32_t retries);
void sim_node_script_turn(struct sim *w, uint32_t node);
bool sim_node_idle(const struct sim *w, uint32_t node);
bool sim_node_frozen(const struct sim *w, uint32_t node);
/** sim_node_add_peer - script: a peer and the options of its devices */
void sim_node_add_peer(struct sim *w, uint32_t node, uint32_t peer);
/** sim_node_peer_devices - script: options of the peers' devices of a volume that has come */
void sim_node_peer_devices(struct sim *w, uint32_t node, uint32_t volume);
/** sim_node_reconfigure - other options, at once and for good */
void sim_node_reconfigure(struct sim *w, uint32_t node);
void sim_node_attach_command(const struct sim *w, uint32_t node, uint32_t volume, struct bsr_command *cmd);
const char *sim_cmd_word(enum bsr_cmd cmd);
/** sim_volume_wanted - the cluster has it, or had it once: everybody gets it back in the end */
bool sim_volume_wanted(const struct sim *w, uint32_t v);
bool sim_node_has_peer(const struct sim *w, uint32_t node, uint32_t peer);
void sim_node_command_done(struct sim *w, uint32_t node, const struct bsr_fx_command_done *done);
void sim_node_commands_lost(struct sim *w, uint32_t node);
void sim_node_boot_script(struct sim *w, uint32_t node);
/** sim_msg_detail - the interesting numbers of a message for the transcript; static storage */
const char *sim_msg_detail(uint16_t type, const uint8_t *head);

/* ------------------------------------------------------- faults, people, plan */

enum sim_act {
	SIM_ACT_PROCESS_CRASH,
	SIM_ACT_POWER_CUT,
	SIM_ACT_POWER_CUT_ALL,
	SIM_ACT_FREEZE,
	SIM_ACT_LINK_RESET,
	SIM_ACT_CUT_BOTH,
	SIM_ACT_CUT_ONE_WAY,
	SIM_ACT_PARTITION, /* argument: who is on which side */
	SIM_ACT_ISOLATE,
	SIM_ACT_CUT_STREAM,
	SIM_ACT_CORRUPT,
	SIM_ACT_SLOW_DISK,
	SIM_ACT_STUCK_DISK,
	SIM_ACT_READ_ERRORS,
	SIM_ACT_WRITE_ERRORS,
	SIM_ACT_FLUSH_ERRORS,
	SIM_ACT_MD_ERRORS,
	SIM_ACT_DEAD_DISK,
	SIM_ACT_SLOW_LINK,
	SIM_ACT_SWITCH_OVER,
	SIM_ACT_PROMOTE,
	SIM_ACT_PROMOTE_FORCE,
	SIM_ACT_DEMOTE,
	SIM_ACT_DISCONNECT,
	SIM_ACT_DISCONNECT_FORCE,
	SIM_ACT_CONNECT,
	SIM_ACT_DETACH,
	SIM_ACT_DETACH_FORCE,
	SIM_ACT_ATTACH,
	SIM_ACT_INVALIDATE,
	SIM_ACT_INVALIDATE_REMOTE,
	SIM_ACT_PAUSE_SYNC,
	SIM_ACT_RESUME_SYNC,
	SIM_ACT_NEW_UUID,
	SIM_ACT_SUSPEND_IO,
	SIM_ACT_RESUME_IO,
	SIM_ACT_OUTDATE,
	SIM_ACT_DOWN,
	SIM_ACT_FAILOVER, /* the Primary's host dies, and a cluster manager promotes another node */
	SIM_ACT_RECONFIGURE,
	SIM_ACT_CLOCK_JUMP,
	SIM_ACT_CONNECT_DISCARD,
	SIM_ACT_ADD_VOLUME,
	SIM_ACT_DEL_VOLUME,
	SIM_ACT_DEL_PEER,
	SIM_ACT_BLANK_DISK,
	SIM_ACT_OLD_DISK,
	SIM_ACT_MD_DAMAGE,
	SIM_ACT_TORN_SUPERBLOCK,
	SIM_ACT_ROT,
	SIM_ACT_LOST_WRITES,
	SIM_ACT_MISDIRECTED_WRITES,
	SIM_ACT_VERIFY,
	SIM_ACT_VERIFY_STOP,
	SIM_ACT_COUNT,
};
const char *sim_act_word(enum sim_act act);

struct sim_action {
	uint64_t at_ns;
	enum sim_act act;
	uint32_t node;
	uint32_t volume;
	uint64_t duration_ns;
	uint32_t argument;
	uint32_t peer; /* SIM_NONE: from the argument */
	bool dropped; /* by the shrinker */
	bool undone;  /* the fault's end, scheduled by itself */
};
#define SIM_PLAN_MAX 96u

void sim_plan_make(struct sim *w);
void sim_plan_run(struct sim *w, uint32_t index);
void sim_plan_heal(struct sim *w); /* every fault ends */

/* grow.c: volumes and peers that come and go */
void sim_grow_volume(struct sim *w, uint32_t node, uint32_t v);
void sim_grow_peer(struct sim *w, uint32_t node, uint32_t peer);
void sim_grow_add_volume(struct sim *w, struct sim_action *a, bool begin);
void sim_grow_del_volume(struct sim *w, const struct sim_action *a, bool begin);
void sim_grow_del_peer(struct sim *w, const struct sim_action *a, uint32_t peer, bool begin);
/** sim_grow_done - what a command has changed in the node's configuration */
void sim_grow_done(struct sim *w, uint32_t node, const struct sim_pending_cmd *c, int32_t result);
/** sim_grow_heal - the person: everything that the cluster has is on this node, too */
void sim_grow_heal(struct sim *w, uint32_t node);

/* ------------------------------------------------------------ configuration */

enum sim_rng_stream { SIM_RNG_CONFIG, SIM_RNG_TIE, SIM_RNG_NET, SIM_RNG_DISK, SIM_RNG_APP, SIM_RNG_PLAN, SIM_RNG_ENGINE,
	SIM_RNG_NODES, SIM_RNG_CHECK, SIM_RNG_COUNT };

struct sim_config {
	uint64_t seed;
	uint32_t node_count;
	uint32_t volume_count;
	uint32_t later_volumes; /* of these, that are not there when the run begins */
	uint64_t volume_bytes[SIM_VOLUMES_MAX];
	uint64_t more_bytes[SIM_NODES_MAX]; /* that this node's disks are larger */
	enum bsr_protocol protocol;
	bool external_md;
	bool write_through[SIM_NODES_MAX];
	bool disk_flushes;
	bool handlers_take_time; /* ... and sometimes refuse, while faults happen */
	bool full_initial_sync;
	uint32_t al_extents;
	uint32_t max_epoch_size;
	uint32_t ping_int_s;
	uint32_t timeout_ds;
	uint64_t sndbuf_bytes;
	uint32_t resync_kib; /* per second */
	enum bsr_digest verify_alg;
	uint64_t socket_bytes;
	enum bsr_on_io_error on_io_error;
	bool passes_on; /* pass_on instead of it */
	enum bsr_after_sb after_sb[3]; /* by number of Primaries */
	enum bsr_rr_conflict rr_conflict;
	uint64_t latency_low_ns, latency_high_ns;
	uint64_t ns_per_kib; /* 0 = unlimited bandwidth */
	uint64_t disk_low_ns, disk_high_ns;
	uint32_t app_depth;
	uint32_t app_read_pm, app_flush_pm, app_fua_pm, app_zero_pm;
	uint32_t app_large_pm;
	uint64_t app_think_ns;
	uint32_t app_spots; /* hot places; 0 = anywhere */
	bool app_journal; /* as file systems and databases do: some writes, all done, a flush, a commit record with FUA */
	bool net_tail;	  /* of a hundred messages one takes twenty times as long */
	uint32_t requests_max;
	uint64_t fault_ns; /* length of the phase with faults */
	uint64_t acts; /* bit per enum sim_act that the plan may use */
	uint32_t plan_max;
	enum sim_act must[2]; /* kinds of fault that surely meet in this run */
};

#define SIM_NODES_MIX 1000u
/** What the command line forces on a run. */
struct sim_override {
	uint64_t acts_mask;
	uint64_t acts_always;
	uint32_t protocol; /* 0 = by seed */
	uint32_t volumes;  /* 0 = by seed */
	uint32_t nodes;	   /* 0 = two; SIM_NODES_MIX = by seed */
	uint32_t requests_max;
	uint32_t plan_max;
	uint32_t drop[SIM_PLAN_MAX];
	uint32_t drop_count;
	uint32_t mutant;
	const struct sim_scenario *scenario; /* NULL: everything by seed */
	const char *ignore; /* labels of checks that are off, separated by commas; NULL: none */
	bool trace;
	bool print_all; /* the transcript goes to standard output as it grows */
	bool slow_check;
};

void sim_config_make(struct sim *w, uint64_t seed);

/* ------------------------------------------------------------------ oracle */

struct sim_write {
	uint8_t node;
	uint8_t volume;
	uint8_t op;
	uint8_t flags;
	bool done;
	bool acked;
	bool failed; /* the application was told so */
	bool excused; /* may vanish: lost with a volatile cache, or given up by a person */
	uint32_t excused_cut; /* the power cut that took it; 0: no cut */
	bool weak;    /* acknowledged by protocol A or B before every peer had it on disk */
	uint32_t taken_by; /* protocol B: nodes that had it in memory when it was acknowledged */
	uint32_t count;
	uint32_t session;
	uint64_t sector;
	uint64_t issue_sequence;
	uint64_t done_sequence;
};

struct sim_oracle {
	struct sim_write *write; /* by id; 0 unused */
	uint32_t write_count;
	uint32_t write_room;
	uint32_t *zero_id; /* ids of zeroing writes */
	uint32_t zero_count;
	uint32_t zero_room;
	uint64_t sequence; /* orders issues and completions */
	uint64_t *generation; /* that somebody has created */
	uint32_t generation_count;
	uint32_t generation_room;
	uint32_t session;
	uint64_t audits;
};

#include "rot.h"

uint32_t sim_oracle_issue(struct sim *w, uint32_t node, const struct sim_req *r);
void sim_oracle_complete(struct sim *w, uint32_t node, struct sim_req *r, int32_t result, const uint32_t *stamps);
void sim_oracle_read_floor(struct sim *w, uint32_t node, struct sim_req *r);
/** sim_oracle_target_write - a write that began when the disk was no longer UpToDate reaches it (I26) */
void sim_oracle_target_write(struct sim *w, uint32_t node, uint32_t volume);
/** sim_oracle_disk_write - content of a disk is about to become @stamps (NULL: zeroes) */
void sim_oracle_disk_write(struct sim *w, uint32_t node, uint32_t volume, uint64_t sector, uint32_t count,
	const uint32_t *stamps);
/** sim_oracle_sector_lost - a power cut took newer content away and left @left */
void sim_oracle_sector_lost(struct sim *w, uint32_t volume, uint64_t sector, uint32_t left);
void sim_oracle_excuse_missing(struct sim *w, uint32_t keeper);
/** sim_oracle_excuse_only_here - what no other disk than this one holds is gone with it */
void sim_oracle_excuse_only_here(struct sim *w, uint32_t node, uint32_t volume);
/** sim_oracle_older - content @a of a sector is certainly older than write @b */
bool sim_oracle_older(const struct sim *w, uint32_t volume, uint64_t sector, uint32_t a, uint32_t b);
void sim_oracle_compare(struct sim *w, uint32_t a, uint32_t b, uint32_t volume, const char *when);
void sim_oracle_epochs(struct sim *w, uint32_t node, bool stable, const char *when);
void sim_oracle_app_lost(struct sim *w, uint32_t write_id);
/** sim_oracle_received - I2: the node has what it had taken into its memory, and lived */
void sim_oracle_received(struct sim *w, uint32_t node);
/** sim_oracle_views - I36, I37: at rest both ends of each link see the same */
void sim_oracle_views(struct sim *w);
void sim_oracle_states(struct sim *w, uint32_t node);
void sim_oracle_publish(struct sim *w, uint32_t node, const struct bsr_fx_state *fx);
void sim_oracle_command(struct sim *w, uint32_t node, const struct sim_pending_cmd *c, const struct bsr_fx_command_done *d);
/** sim_oracle_log - a policy that decides a split brain gives up what only the loser has */
void sim_oracle_log(struct sim *w, uint32_t node, const struct bsr_fx_log *log);
void sim_oracle_audit(struct sim *w);
/* metadata */
void sim_oracle_md_stable(struct sim *w, uint32_t node, uint32_t volume, uint32_t block, const uint8_t *bytes);
/** sim_oracle_al_reload - what the metadata say now: superblock at once, activity log when it is asked about */
void sim_oracle_al_reload(struct sim *w, uint32_t node, uint32_t volume);
void sim_oracle_al_check(struct sim *w, uint32_t node, const struct bsr_fx_disk *fx);
/** sim_oracle_extent_logged - the activity log on the disk names @extent */
bool sim_oracle_extent_logged(struct sim *w, uint32_t node, uint32_t volume, uint32_t extent);
/** sim_oracle_log_incomplete - rotten blocks may hide extents: attach marks everything */
bool sim_oracle_log_incomplete(struct sim *w, uint32_t node, uint32_t volume);
/** sim_oracle_bits - I5 now, for all pairs of disks */
void sim_oracle_bits(struct sim *w, const char *when);
void sim_oracle_bits_now_and_then(struct sim *w);
void sim_oracle_sb_reload(struct sim *w, uint32_t node, uint32_t volume);
void sim_oracle_solo(struct sim *w, uint32_t node, uint32_t write_id);
void sim_oracle_flush_solo(struct sim *w, uint32_t node, uint32_t volume, uint64_t issue_sequence);
/** sim_oracle_counted - the node @m counts as an UpToDate mirror in the eyes of @node */
bool sim_oracle_counted(struct sim *w, uint32_t node, uint32_t m, uint32_t volume);

/* ----------------------------------------------------------------- coverage */

enum sim_cov {
	SIM_COV_ROLE,
	SIM_COV_CONN,
	SIM_COV_REPL,
	SIM_COV_DISK,
	SIM_COV_PEER_DISK,
	SIM_COV_MESSAGE,
	SIM_COV_REASON,
	SIM_COV_ACT,
	SIM_COV_COMMAND,
	SIM_COV_RESULT,
	SIM_COV_EFFECT,
	SIM_COV_EVENT,
	SIM_COV_LINK_REASON,
	SIM_COV_DAMAGED, /* messages by type that bytes of were damaged */
	SIM_COV_KIND_COUNT,
};
#define SIM_COV_ITEMS 320u
struct sim_coverage {
	uint64_t count[SIM_COV_KIND_COUNT][SIM_COV_ITEMS];
	uint64_t move[4][24][24]; /* conn, repl, disk, peer disk: from, to */
	uint64_t pair[SIM_ACT_COUNT][SIM_ACT_COUNT]; /* fault kinds that met in one run */
	uint64_t result[BSR_CMD_COUNT][3]; /* done, refused, lost in a crash */
};
void sim_cov_hit(struct sim *w, enum sim_cov kind, uint32_t item);
void sim_cov_move(struct sim *w, uint32_t kind, uint32_t from, uint32_t to);
void sim_cov_merge(struct sim_coverage *into, const struct sim_coverage *from);
void sim_cov_print(const struct sim_coverage *c, FILE *out);
/** sim_cov_judge - add what sim_cov_dump() wrote to @in; false when something that can be reached was not */
bool sim_cov_judge(FILE *in, FILE *out);
/** sim_cov_word - the name of a counter; NULL when there is no such thing to reach */
const char *sim_cov_word(enum sim_cov kind, uint32_t item);
const char *sim_cov_kind_word(enum sim_cov kind);
/** sim_cov_move_word - a state of kind 0 connection, 1 replication, 2 disk, 3 peer disk */
const char *sim_cov_move_word(uint32_t kind, uint32_t state);
/** sim_cov_dump - one line per non-zero counter, for run_seeds.py to add up */
void sim_cov_dump(const struct sim_coverage *c, FILE *out);

/* -------------------------------------------------------------------- world */

enum sim_phase { SIM_PHASE_SETUP, SIM_PHASE_FAULTS, SIM_PHASE_QUIET, SIM_PHASE_DONE };

#define SIM_TRACE_LINES 200u
#define SIM_TRACE_BYTES 200u

struct sim {
	uint64_t now_ns;
	enum sim_phase phase;
	uint64_t phase_began_ns;
	uint64_t quiet_app_stop_ns;
	uint64_t rest_since_ns;
	uint32_t setup_stage;
	uint64_t events;
	uint64_t hash;
	struct sim_ev *heap;
	uint32_t heap_count, heap_room;
	uint32_t ev_sequence;
	struct sim_mem *mem;
	struct sim_rng rng[SIM_RNG_COUNT];
	struct sim_config cfg;
	struct sim_override over;
	struct sim_node node[SIM_NODES_MAX]; /* followed by links: see forget_last_run() */
	struct sim_link *links;
	bool blocked[SIM_NODES_MAX][SIM_NODES_MAX];
	uint32_t corrupt_pm;
	uint64_t corrupt_next; /* types (modulo 64) whose next message is damaged */
	bool damages; /* an action of the plan damages bytes on their way: only then contents need checksums */
	uint64_t slow_factor;
	struct sim_action plan[SIM_PLAN_MAX];
	uint32_t plan_count;
	uint32_t plan_ran[SIM_ACT_COUNT];
	struct sim_oracle oracle;
	struct sim_coverage cov;
	struct bsr_fx fx;
	bool in_step;
	/* ending */
	jmp_buf end;
	bool failed;
	char label[32];
	char message[512];
	char trace[SIM_TRACE_LINES][SIM_TRACE_BYTES];
	uint64_t trace_count;
	uint32_t bits_in; /* events until I5 is looked at again */
	uint64_t bits_checked;
	uint64_t acked, reads_checked, crashes, cuts, resyncs, compares, links_made;
	uint32_t power_cuts;
	uint32_t cut_off[SIM_VOLUMES_MAX]; /* nodes that may have missed newer data: a disk could not be attached since */
	uint32_t came; /* volumes that were added to the running cluster */
	uint32_t begun[SIM_VOLUMES_MAX]; /* how often somebody began a history of a new volume */
	bool swapped; /* a disk is an old copy, or was made anew: histories may be unrelated */
	uint64_t resync_bytes; /* after set-up */
	uint32_t sources; /* nodes that have been source of a resync, after set-up */
	uint32_t split_brains;
	struct sim_rot rot;
	struct sim_verify verify[SIM_VERIFIES_MAX];
	uint32_t verify_count;
	uint64_t verify_found, last_verify; /* differences; sequence when the last one was asked for, 0: not yet */
	uint32_t other_victim; /* choices of who discards that were refused */
};

/** sim_fail - invariant @label is broken: the run ends here */
_Noreturn void sim_fail(struct sim *w, const char *label, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
/** sim_ignored - the check @label is switched off on the command line */
bool sim_ignored(const struct sim *w, const char *label);
/** sim_trace - a line of the transcript; formatting costs, so only when tracing */
void sim_trace(struct sim *w, const char *format, ...) __attribute__((format(printf, 2, 3)));
#define SIM_TRACE(w, ...)                                                                                     \
	do {                                                                                                  \
		if ((w)->over.trace) {                                                                        \
			sim_trace((w), __VA_ARGS__);                                                          \
		}                                                                                             \
	} while (0)
void sim_hash(struct sim *w, uint64_t value);
/** sim_run - one seed from beginning to end; true when nothing was found */
bool sim_run(struct sim *w, uint64_t seed, const struct sim_override *over);
void sim_quiet_begin(struct sim *w);
void sim_quiet_turn(struct sim *w);
void sim_quiet_leaks(struct sim *w);
struct bsr_volume_info sim_volume_info(struct sim *w, uint32_t node, uint32_t v);
struct bsr_peer_info sim_peer_info(struct sim *w, uint32_t node, uint32_t p);
struct bsr_peer_device_info sim_peer_device_info(struct sim *w, uint32_t node, uint32_t p, uint32_t v);
/** sim_person_look_after - what needs a person at node @a: split brain, a detached disk, a paused resync */
void sim_person_look_after(struct sim *w, uint32_t a);
/** sim_person_choose_data - everybody is connected and nobody has good data: choose where to go on */
void sim_person_choose_data(struct sim *w);
/** sim_quiet_unsettled - what keeps the cluster from being at rest; NULL when nothing does */
const char *sim_quiet_unsettled(struct sim *w, bool want_data, uint32_t *where);

#endif
