/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * control.h - what the files of the control side need of each other
 *
 * control.c          connections: accept, credentials, lines in, bounded output out
 * control_request.c  a line into a request: fields, types, ranges; replies and errors
 * control_commands.c the commands
 * control_events.c   events to subscribers
 * control_settings.c settings of the host, lines for the log, faults
 * control_counters.c collection and counters; control_debug.c: the engine's insides
 * status.c           snapshots; status_facts.c: running configuration and "why"
 */
#ifndef BSR_DAEMON_CONTROL_H
#define BSR_DAEMON_CONTROL_H

#include "bsrd.h"

#define BSR_CONTROL_VERSION 1
#define BSR_CONTROL_CLIENTS_MAX 64u
#define BSR_CONTROL_READERS_MAX 16u /* of these; the rest is root's */
#define BSR_CONTROL_GROUPS_MAX 1024u /* of a caller, that are looked at */
#define BSR_CONTROL_LINE_BYTES_MAX 65536u
#define BSR_CONTROL_NESTING_MAX 8
#define BSR_CONTROL_RUNNING_MAX 64u		     /* commands of one connection under way */
#define BSR_CONTROL_UNREAD_BYTES_MAX (256u << 10)    /* then reading of requests pauses */
#define BSR_CONTROL_UNREAD_EVENTS_MAX (4u << 20)     /* then a subscriber is dropped */
#define BSR_CONTROL_TEXT_BYTES_MAX 4096u
#define BSR_CONTROL_OPTIONS_MAX 64u
#define BSR_CONTROL_INSTANCE_DIGITS 16u
#define BSR_CONTROL_QUEUED_MAX 1024u /* state changes of one turn; more are told at once */

/* Errors of the protocol; docs/control.md section 3. Their numbers are permanent. */
enum bsr_control_error {
	BSR_CTL_BAD_JSON = 3001,
	BSR_CTL_BAD_FIELD = 3002,
	BSR_CTL_UNKNOWN_COMMAND = 3003,
	BSR_CTL_NOT_SUPPORTED = 3004,
	BSR_CTL_LINE_TOO_LONG = 3005,
	BSR_CTL_TOO_MANY = 3006,
	BSR_CTL_PERMISSION = 3007,
	BSR_CTL_VERSION = 3008,
	BSR_CTL_BAD_OPTION = 3009,
	BSR_CTL_NO_RESOURCE = 3010,
	BSR_CTL_FAULTS_OFF = 3011,
};

/** One connection. */
struct control_client {
	struct bsr_watch watch;
	struct bsr_control *control;
	bool used;
	bool end_of_input; /* the client has sent everything it wants to send */
	/* what is queued goes out, then it is closed; nothing is read any more */
	bool closing;
	bool more;	   /* complete lines are left for the next turn */
	bool waits;	   /* a line waits until another command has ended */
	bool subscribed;
	bool statistics;
	bool measures; /* asked for collection of latencies */
	bool reader; /* not root: one of the group that may look */
	uint64_t after_seq; /* its snapshot contains the events up to this one */
	uint64_t serial; /* of this use of the slot: replies find their connection by it */
	uint32_t running; /* commands under way */
	char *in;
	size_t in_used;
	struct bsrd_fds fds; /* came with a line that has not been taken yet ... */
	size_t fds_at;	     /* ... which ends here in @in, or later */
	bool line_has_fds;   /* the line that is being taken is that one */
	char *out;
	size_t out_used; /* bytes queued, of which ... */
	size_t out_sent; /* ... these have left */
	size_t out_room;
};

struct bsr_control {
	struct bsrd *d;
	struct bsr_watch listen;
	struct control_client client[BSR_CONTROL_CLIENTS_MAX];
	uint64_t serial;
	uint64_t seq; /* of the last event */
	uint32_t subscribers;
	uint32_t measurers; /* connections that asked for collection */
	bool measuring;	    /* it is on, as far as known */
	bool measure_ending; /* it is being switched off */
	uint32_t options_running; /* option commands under way: they merge, so they take turns */
	bool processing;	  /* lines of some client are being taken: no recursion */
	uint64_t accept_again_ns; /* 0 = accepting */
	/* requests wait for the end of a rebuild, at most until then; 0 = not (any more) */
	uint64_t hold_until_ns;
	char instance[BSR_CONTROL_INSTANCE_DIGITS + 1];
	uint64_t rejected; /* lines, connections: bad input counted */
	bool dirty;	    /* output is queued, or a client is to be closed */
	bool marks_dirty;   /* something happened that may have changed the marks */
	uint64_t marks_ns;  /* when they are looked at anyway */
	int64_t time_us;    /* of the events of this turn; 0 = none yet */
	/*
	 * state changes of this turn: they are told at its end, when the running configuration has
	 * the names
	 */
	struct {
		uint64_t seq;
		struct bsr_fx_state state;
	} queued[BSR_CONTROL_QUEUED_MAX];
	uint32_t queued_count;
	/* what events about objects that are gone already still have to say */
	struct {
		uint32_t vnr;
		uint32_t minor;
	} volume_shadow[BSR_VOLUMES_MAX];
	char peer_shadow[BSR_NODES_MAX][BSR_NAME_BYTES_MAX + 1];
	/*
	 * generation identifiers and flags as last published, to see changes that are no state
	 * change
	 */
	uint64_t volume_mark[BSR_VOLUMES_MAX];
	uint64_t peer_mark[BSR_NODES_MAX][BSR_VOLUMES_MAX];
};

/** One command under way. */
struct control_request {
	struct bsr_control *control;
	uint32_t client; /* slot ... */
	uint64_t serial; /* ... and use of it */
	int64_t id;
	const struct control_command *command;
	struct json_object *fields; /* the whole line */
	uint32_t volume; /* index; UINT32_MAX = not given */
	uint32_t peer;	 /* node id; UINT32_MAX = not given */
	uint32_t number; /* minor of new-minor, node_id, from_peer; UINT32_MAX = not given */
	uint32_t vnr;
	bool set_defaults;
	bool changes_options; /* counted in options_running */
	struct json_object *notes; /* sentences that come with success; NULL = none */
};

/* What a field is. */
enum control_field_type {
	CONTROL_BOOL,
	CONTROL_TEXT,
	CONTROL_OPTIONS,
	CONTROL_NODE_ID,   /* into request.number */
	CONTROL_PEER,	   /* into request.peer */
	CONTROL_MINOR,	   /* of an existing volume: into request.volume */
	CONTROL_NEW_MINOR, /* into request.number */
	CONTROL_VOLUME,	   /* of an existing volume: into request.volume */
	CONTROL_NEW_VOLUME, /* into request.vnr */
	CONTROL_SECTORS, /* a position in a volume; control_sectors() */
};

struct control_field {
	const char *name;
	enum control_field_type type;
	bool required;
};
#define CONTROL_FIELDS_MAX 6

#define CONTROL_BEFORE 1u /* works before new-resource */
#define CONTROL_LOOKS 2u  /* changes nothing and shows no secret: for members of the control group, too */

struct control_command {
	const char *name;
	struct control_field fields[CONTROL_FIELDS_MAX + 1]; /* ends with a NULL name */
	uint32_t flags; /* CONTROL_BEFORE, CONTROL_LOOKS */
	void (*run)(struct control_request *request); /* takes @request over */
};

/* ---- control.c */

/** control_send - queue one line for a client; false when it was closed because it does not read */
bool control_send(struct control_client *client, struct json_object *line);
/**
 * control_send_event - the same with the limit for events; drops a subscriber that lags, with a
 * final line
 */
void control_send_event(struct control_client *client, const char *line, size_t bytes, uint64_t seq);
/** control_write - write out what is queued for one client now */
void control_write(struct control_client *client);
/** control_close_after - nothing is read any more; closed when the queue is empty */
void control_close_after(struct control_client *client);
/** control_take_fds - into @fds, the caller's then, what came with the line that is being taken */
void control_take_fds(struct control_client *client, struct bsrd_fds *fds);
/** control_resume - a command has ended: go on with what waits for that */
void control_resume(struct bsr_control *control);

/** control_readers_changed - another group may look: connections of the former one end */
void control_readers_changed(struct bsr_control *control);

/* ---- control_request.c */

/**
 * control_take_line - one line of a client, without its end; false: try again when a command has
 * ended
 */
bool control_take_line(struct control_client *client, const char *line, size_t bytes);
/** control_find_client - the client that asked; NULL when it has gone */
struct control_client *control_find_client(const struct control_request *request);
/** control_finish_ok - reply with @result (taken over; NULL = {}) and the notes, free @request */
void control_finish_ok(struct control_request *request, struct json_object *result);
/** control_finish_error - reply with an error of the protocol, free @request */
void control_finish_error(struct control_request *request, enum bsr_control_error code, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
/** control_done - a bsrd_done_fn whose ctx is the request: reply and free */
void control_done(void *request, const struct bsrd_answer *answer);
/**
 * control_make_error - {"id":..,"ok":false,"error":{..}} for errors of the protocol; the caller
 * puts it
 */
struct json_object *control_make_error(int64_t id, enum bsr_control_error code, const char *message);
bool control_bool(const struct control_request *request, const char *name);
/** control_sectors - a field of type CONTROL_SECTORS in bytes; false when not given */
bool control_sectors(const struct control_request *request, const char *name, uint64_t *bytes);
/** control_text - a text field, NULL when not given */
const char *control_text(const struct control_request *request, const char *name);
/** control_options - the options field; NULL when not given */
struct json_object *control_options(const struct control_request *request);

/* ---- control_commands.c */

const struct control_command *control_command_find(const char *name);

/* ---- control_settings.c */

void control_run_settings(struct control_request *request);
void control_run_log(struct control_request *request);
void control_run_fault(struct control_request *request);

/* ---- control_counters.c, control_debug.c */

void control_run_measure(struct control_request *request);
void control_run_counters(struct control_request *request);
void control_run_debug(struct control_request *request);
/** control_measure_forget - this connection does not want collection (any more) */
void control_measure_forget(struct control_client *client);
/** control_measure_turn - end of a turn: nobody wants collection any more */
void control_measure_turn(struct bsr_control *control);

/* ---- control_events.c */

/** control_publish_queued - tell the state changes of this turn */
void control_publish_queued(struct bsr_control *control);
/** control_publish_path - a path was added (CREATE) or removed (DESTROY) */
void control_publish_path(struct bsr_control *control, enum bsr_action action, uint32_t peer, const char *local,
	const char *remote);
/**
 * control_check_marks - publish volumes and peer devices whose identifiers or flags changed without
 * a state change
 */
void control_check_marks(struct bsr_control *control);
/** control_end_events - the last line of every subscriber */
void control_end_events(struct bsr_control *control);

/* ---- status.c; all objects are the caller's to put */

struct json_object *status_snapshot(struct bsrd *d, uint64_t seq);
/* Members are added to @out. With @statistics also counters. */
void status_add_resource(struct bsrd *d, struct json_object *out, bool statistics);
void status_add_device(struct bsrd *d, uint32_t volume, struct json_object *out, bool statistics);
void status_add_connection(struct bsrd *d, uint32_t peer, struct json_object *out, bool statistics);
void status_add_peer_device(
	struct bsrd *d, uint32_t peer, uint32_t volume, struct json_object *out, bool statistics);
void status_add_path(struct bsrd *d, uint32_t peer, uint32_t path, struct json_object *out);
/** status_peer_name - connection name; "" for an unknown peer */
const char *status_peer_name(const struct bsrd *d, uint32_t peer);
int64_t status_wall_us(void);
/** status_suspended_words, status_paused_words - a set of bits as an array of words */
struct json_object *status_suspended_words(uint32_t suspended);
struct json_object *status_paused_words(uint32_t paused);

/* ---- status_facts.c */

/** status_config - the running configuration for `show` */
struct json_object *status_config(const struct bsrd *d);
/** status_why - array of facts; UINT32_MAX for every peer, every volume (index) */
struct json_object *status_why(struct bsrd *d, uint32_t peer, uint32_t volume);

#endif
