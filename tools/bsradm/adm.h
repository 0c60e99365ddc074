/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * adm.h - what the files of bsradm share
 *
 * bsradm turns a configuration and a command of a person into calls of bsrsetup and bsrmeta. It
 * holds no state: what runs is asked from bsrsetup, what should run stands in the configuration.
 */
#ifndef BSR_ADM_H
#define BSR_ADM_H

#include "config.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/types.h>

/* Exit codes that scripts rely on. Codes of back ends are passed through. */
enum {
	ADM_OK = 0,
	ADM_USAGE = 1, /* also: a stage of up or adjust failed */
	ADM_INVALID = 10,
	ADM_CANNOT = 20, /* a back end could not be run or did not end in time */
};

#define ADM_WORDS_MAX 192u
#define ADM_GIVEN_MAX 64u

/* One command line of a back end. */
struct adm_call {
	char *word[ADM_WORDS_MAX + 1]; /* owned; the last one is NULL */
	size_t count;
	bool is_meta; /* word[0] is bsrmeta, else bsrsetup */
	enum adm_patience { ADM_SHORT, ADM_MEDIUM, ADM_LONG, ADM_FOREVER } patience;
	bool quiet;         /* a failure is expected: say nothing about it */
	bool silent;        /* its stderr is thrown away */
	bool files_allowed; /* metadata in a regular file, as configured */
};

/* An option of a back end that stands on our command line. */
struct adm_given {
	char *name;                   /* owned */
	const char *value;            /* NULL: none; maybe inside name's memory */
	const struct bsr_option *def; /* NULL: one of the command's own */
	bool used;
};

struct adm {
	struct bsr_config *config;
	const char *config_file; /* as given or found */
	char *found_file;        /* owned; NULL: it was given */
	const char *test_file;
	const char *exclude_file;
	const char *bsrsetup; /* as shown */
	const char *bsrmeta;
	char *bsrsetup_path; /* as run */
	char *bsrmeta_path;
	const char *sh_varname;
	const char *run_dir;
	unsigned int verbose;
	bool drbd; /* called by DRBD's names */
	bool dry_run;
	bool stacked;
	bool ignore_hostname;
	bool progress;
	bool many_targets;
	bool handler_ran; /* the command is a handler, and there is one */
	struct bsr_config *running; /* of all resources, read once when there are many targets */
	struct adm_given given[ADM_GIVEN_MAX];
	size_t given_count;
	const struct adm_command *command;
	char **arguments; /* words after the command, of commands that take no targets */
	size_t argument_count;
	struct adm_action *actions; /* deferred, by stage */
	struct adm_action **actions_end;
};

enum adm_target_kind {
	ADM_NO_TARGET,
	ADM_RESOURCE,
	ADM_VOLUME,
	ADM_CONNECTION,
	ADM_PEER_DEVICE,
};

/* What one run of a command is about. Members that do not apply are NULL. */
struct adm_context {
	struct cfg_resource *resource;
	struct cfg_volume *volume;
	struct cfg_connection *connection;
	struct cfg_volume *peer_device;
	bool volume_given;
};

/* bits of struct adm_command.flags */
enum {
	ADM_DEFAULT_ALL = 1u << 0, /* works without a target */
	ADM_CHECK_IP = 1u << 1,    /* refuses if our own address is not configured on this host */
	ADM_NEEDS_DISK = 1u << 2,  /* refused for a diskless volume */
	ADM_ALL_VOLUMES = 1u << 3, /* goes on with the next volume after a failure */
	ADM_DEFERRED = 1u << 4,    /* run() only collects actions */
	ADM_HIDDEN = 1u << 5,      /* for scripts: `hidden-commands` lists it */
	ADM_HANDLER = 1u << 6,     /* called by the engine when something happens */
	ADM_NO_CONFIG = 1u << 7,
	ADM_MUST_GIVE_VOLUME = 1u << 8,
	ADM_IGNORED_TOO = 1u << 9,  /* fine for a resource without a section for this host */
	ADM_INVALID_TOO = 1u << 10, /* runs although the configuration has errors */
	ADM_OPTIONAL_PEER =
		1u << 11, /* without a peer in the target it runs once for the resource */
	ADM_NO_TARGET_OK = 1u << 12,   /* without a target it runs once, about everything */
	ADM_WHOLE_RESOURCE = 1u << 13, /* of kind ADM_VOLUME, but without a volume it runs once */
	ADM_NEW_CONFIG = 1u << 15,     /* works where no configuration exists yet */
	ADM_TAKES_WORDS = 1u << 16,    /* its words are not targets */
	ADM_PEER_TOO = 1u << 17,       /* of kind ADM_VOLUME, and takes one peer as well */
	ADM_REGISTRY =
		1u << 14, /* the configuration is found through the registry of running things */
};

struct adm_command {
	const char *name;
	enum adm_target_kind kind;
	int (*run)(struct adm *adm, const struct adm_context *context);
	unsigned int flags;
	const char *sections; /* letters of option sections: d p n r o(node) s m(device) */
	const char *extras;   /* own options, separated by blanks; "=" at the end: takes a value */
	const char *help;
};

/* commands.c */
const struct adm_command *adm_command_find(const char *name);
const struct adm_command *adm_command_list(size_t *count);
void adm_command_suggest(const char *name);

/* options.c */
int adm_given_add(struct adm *adm, const char *text, const char *next, bool *took_next);
int adm_given_check(struct adm *adm);
const struct adm_given *adm_given_find(const struct adm *adm, const char *name);
bool adm_given_is_on(const struct adm *adm, const char *name);

/*
 * Appends --NAME=VALUE for every option of @options that the user did not give, then the given ones
 * of @section.
 */
void adm_call_add_options(struct adm *adm, struct adm_call *call, const struct cfg_options *options,
	enum bsr_option_section section);
/* The same, but not those that have a bit of @but_flags. */
void adm_call_add_options_without(struct adm *adm, struct adm_call *call,
	const struct cfg_options *options, enum bsr_option_section section, unsigned int but_flags);
/* Only the given ones. */
void adm_call_add_given(struct adm *adm, struct adm_call *call);

/* call.c */
void adm_call_setup(struct adm_call *call, const struct adm *adm, const char *command);
void adm_call_meta(struct adm_call *call, const struct adm *adm, const struct cfg_volume *volume);
void adm_call_add(struct adm_call *call, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
void adm_call_free(struct adm_call *call);
void adm_call_print(const struct adm *adm, const struct adm_call *call, FILE *to);
/* Runs, or prints in a dry run. Frees @call. Returns an exit code. */
int adm_call_run(struct adm *adm, struct adm_call *call, const char *resource);
/*
 * Runs also in a dry run; *@output is what it wrote, to be freed. Frees @call. Returns an exit
 * code.
 */
int adm_call_capture(struct adm *adm, struct adm_call *call, char **output, size_t *size);
/*
 * How a resource runs (adjust.c); *@running is NULL if it does not. For one resource it is asked alone, for several all
 * of them at once. Returns an exit code.
 */
int adm_find_running(struct adm *adm, const char *name, struct cfg_resource **running);
/* Starts it and returns at once; -1 if that fails. @call stays the caller's. */
pid_t adm_call_start(struct adm *adm, const struct adm_call *call);
/* Waits so long for its end; true and its exit code if it came. */
bool adm_call_wait(pid_t pid, unsigned int milliseconds, int *code);
bool adm_is_regular_file(const char *path);

/* target.c */
int adm_targets_run(struct adm *adm, char **targets, size_t count);
int adm_check_local_address(struct adm *adm, const struct adm_context *context);

/* lifecycle.c: stages of up and adjust */
enum adm_stage {
	ADM_STAGE_RESOURCE,
	ADM_STAGE_OPTIONS,
	ADM_STAGE_DETACH,
	ADM_STAGE_MINOR,
	ADM_STAGE_DISCONNECT,
	ADM_STAGE_DEL_PEER,
	ADM_STAGE_PEER,
	ADM_STAGE_PATH,
	ADM_STAGE_NET_OPTIONS,
	ADM_STAGE_PEER_DEVICE,
	ADM_STAGE_ATTACH,
	ADM_STAGE_CONNECT,
	ADM_STAGE_COUNT
};

struct adm_action {
	struct adm_action *next;
	enum adm_stage stage;
	struct cfg_resource *resource;
	int64_t minor; /* of the volume that it is about alone; -1: not of one */
	bool disk;     /* makes its disk usable */
	struct adm_call call;
};

void adm_schedule(struct adm *adm, enum adm_stage stage, struct cfg_resource *resource,
	struct adm_call *call);
/* apply-al and attach, if the volume has a disk. */
void adm_schedule_attach(
	struct adm *adm, struct cfg_resource *resource, const struct cfg_volume *volume);
int adm_run_actions(struct adm *adm);
/* After apply-al: says what to do if the disk has no metadata. */
void adm_tell_about_metadata(int code, const char *resource);

/* What a call needs to know; each fills a command line. */
void adm_make_new_resource(
	struct adm *adm, struct adm_call *call, const struct cfg_resource *resource);
void adm_make_node_options(struct adm *adm, struct adm_call *call,
	const struct cfg_resource *resource, bool set_defaults);
void adm_make_new_minor(struct adm *adm, struct adm_call *call, const struct cfg_resource *resource,
	const struct cfg_volume *volume);
void adm_make_new_peer(struct adm *adm, struct adm_call *call, const struct cfg_resource *resource,
	const struct cfg_connection *connection);
void adm_make_path(struct adm *adm, struct adm_call *call, const struct adm_context *context,
	const struct cfg_path *path, const char *command);
void adm_make_peer_device_options(struct adm *adm, struct adm_call *call,
	const struct adm_context *context, bool set_defaults);
void adm_make_attach(struct adm *adm, struct adm_call *call, const struct cfg_volume *volume);

/* Whether there is a node option to be told. */
bool adm_wants_node_options(const struct adm *adm, const struct cfg_resource *resource);
void adm_schedule_persist_role(struct adm *adm, struct cfg_resource *resource);
/* Whether any of @options of @section is passed on to a back end. */
bool adm_has_options(
	const struct adm *adm, const struct cfg_options *options, enum bsr_option_section section);
int adm_up(struct adm *adm, const struct adm_context *context);
int adm_adjust(struct adm *adm, const struct adm_context *context);
/* `up` of what runs: what is missing is added (adjust.c); refused, without any call, if something would have to change. */
int adm_complete(struct adm *adm, const struct adm_context *context, struct cfg_resource *running);

/* registry.c */
void adm_register_resource(struct adm *adm, const struct cfg_resource *resource);
void adm_unregister_resource(struct adm *adm, const struct cfg_resource *resource);
char *adm_registry_file(const struct adm *adm, const char *target);

/* wait.c */
int adm_wait_connect(struct adm *adm, const struct adm_context *context);
int adm_wait_sync(struct adm *adm, const struct adm_context *context);
int adm_wait_interactive(struct adm *adm, const struct adm_context *context);

/* simple.c, meta.c, sh.c, handler.c, dump.c: one function per command */
int adm_down(struct adm *adm, const struct adm_context *context);
int adm_plain_resource(struct adm *adm, const struct adm_context *context);
int adm_plain_volume(struct adm *adm, const struct adm_context *context);
int adm_plain_connection(struct adm *adm, const struct adm_context *context);
int adm_plain_peer_device(struct adm *adm, const struct adm_context *context);
int adm_status(struct adm *adm, const struct adm_context *context);
int adm_why(struct adm *adm, const struct adm_context *context);
int adm_primary(struct adm *adm, const struct adm_context *context);
int adm_attach(struct adm *adm, const struct adm_context *context);
int adm_disk_options(struct adm *adm, const struct adm_context *context);
int adm_new_resource(struct adm *adm, const struct adm_context *context);
int adm_node_options(struct adm *adm, const struct adm_context *context);
int adm_new_minor(struct adm *adm, const struct adm_context *context);
int adm_new_peer(struct adm *adm, const struct adm_context *context);
int adm_net_options(struct adm *adm, const struct adm_context *context);
int adm_new_path(struct adm *adm, const struct adm_context *context);
int adm_del_path(struct adm *adm, const struct adm_context *context);
int adm_peer_device_options(struct adm *adm, const struct adm_context *context);
int adm_check_resize(struct adm *adm, const struct adm_context *context);
int adm_invalidate(struct adm *adm, const struct adm_context *context);
int adm_outdate(struct adm *adm, const struct adm_context *context);
int adm_resize(struct adm *adm, const struct adm_context *context);
int adm_dstate(struct adm *adm, const struct adm_context *context);
int adm_show_gi(struct adm *adm, const struct adm_context *context);
int adm_forget_peer(struct adm *adm, const struct adm_context *context);
int adm_create_md(struct adm *adm, const struct adm_context *context);
int adm_meta(struct adm *adm, const struct adm_context *context);
int adm_set_gi(struct adm *adm, const struct adm_context *context);
int adm_dump(struct adm *adm, const struct adm_context *context);
int adm_dump_xml(struct adm *adm, const struct adm_context *context);
int adm_sh_nop(struct adm *adm, const struct adm_context *context);
int adm_sh_resource(struct adm *adm, const struct adm_context *context);
int adm_sh_resources(struct adm *adm, const struct adm_context *context);
int adm_sh_volume(struct adm *adm, const struct adm_context *context);
int adm_sh_ip(struct adm *adm, const struct adm_context *context);
int adm_sh_peer(struct adm *adm, const struct adm_context *context);
int adm_sh_option(struct adm *adm, const struct adm_context *context);
int adm_sh_udev(struct adm *adm, const struct adm_context *context);
int adm_sh_mod_parms(struct adm *adm, const struct adm_context *context);
int adm_handler(struct adm *adm, const struct adm_context *context);
int adm_create(struct adm *adm, const struct adm_context *context);
int adm_check(struct adm *adm, const struct adm_context *context);
int adm_unsupported(struct adm *adm, const struct adm_context *context);
int adm_hidden_commands(struct adm *adm, const struct adm_context *context);

/* journal.c: notes a command that was given and how it ended */
void adm_journal(const struct adm *adm, int argc, char **argv, int code);

/* help.c */
int adm_help(const char *command);
int adm_help_command(struct adm *adm, const struct adm_context *context);
void adm_print_version(void);

#endif
