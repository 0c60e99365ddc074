/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * config.h - the configuration of all resources: reading, checking, writing
 *
 * Owns:       the model that a configuration file is read into. Everything in it lives in one arena
 *             and is freed by bsr_config_free(); nothing in it is freed alone.
 * May touch:  the files it is told to read, the host's name and its network interfaces.
 * Invariants:
 *   CF-1  What was written in a file and what was derived from it can be told apart (`inherited`,
 *         `implicit`,
 *         `expanded`), so that a plain dump prints the one and `-v` the other.
 *   CF-2  A configuration with errors is never acted upon: bsr_config_error_count() decides.
 */
#ifndef BSR_CONFIG_H
#define BSR_CONFIG_H

#include "option_table.h"

#include <stdio.h>

#define CFG_NAME_CHARS_MAX 128u   /* a bare word: resource, host and connection names */
#define CFG_STRING_CHARS_MAX 255u /* a quoted string */
#define CFG_ERRORS_MAX 64u        /* more are counted, not told */
#define CFG_FILE_BYTES_MAX (16u << 20)
#define CFG_FILES_MAX 10000u
#define CFG_INCLUDE_DEPTH_MAX 16u
#define CFG_NODE_ID_MAX 31
#define CFG_VNR_MAX 65535u
#define CFG_MINOR_MAX ((1u << 20) - 1)

struct cfg_location {
	const char *file; /* NULL: nowhere */
	unsigned int line;
	unsigned int column;
};

#define CFG_LIST(type)                                                                             \
	struct {                                                                                   \
		struct type *first;                                                                \
		struct type *last;                                                                 \
	}

#define CFG_APPEND(list, item)                                                                     \
	do {                                                                                       \
		if ((list)->last != NULL) {                                                        \
			(list)->last->next = (item);                                               \
		} else {                                                                           \
			(list)->first = (item);                                                    \
		}                                                                                  \
		(list)->last = (item);                                                             \
	} while (0)

struct cfg_option {
	struct cfg_option *next;
	const struct bsr_option *def;
	const char *value;
	struct cfg_location at;
	bool inherited; /* came from another section: `dump -v` shows it, `dump` does not */
};

struct cfg_options {
	struct cfg_option *first;
	struct cfg_option *last;
};

struct cfg_name {
	struct cfg_name *next;
	const char *text;
	struct cfg_location at;
};

struct cfg_names {
	struct cfg_name *first;
	struct cfg_name *last;
};

struct cfg_address {
	const char *family; /* ipv4, ipv6, sdp, ssocks */
	const char *host;   /* digits, without brackets; NULL: not set */
	unsigned int port;
	struct cfg_location at;
};

struct cfg_proxy {
	struct cfg_location at; /* file NULL: there is none */
	struct cfg_names hosts;
	struct cfg_address inside;
	struct cfg_address outside;
	struct cfg_address public_inside;
	struct cfg_address public_outside;
	struct cfg_options options;
	struct cfg_names plugins; /* one line each */
};

struct cfg_volume {
	struct cfg_volume *next;
	struct cfg_location at;
	unsigned int vnr;
	bool implicit;      /* volume 0 made of statements outside any `volume` section */
	const char *device; /* "/dev/bsr0"; NULL: not set */
	struct cfg_location device_at;
	int64_t minor;    /* -1: not set */
	const char *disk; /* "none": diskless */
	struct cfg_location disk_at;
	const char *meta_disk; /* "internal" or a device */
	const char *
		/* "internal", "flexible", a slot number, or the file behind a loop device */
		meta_index;
	struct cfg_location meta_disk_at;
	struct cfg_options disk_options;
	struct cfg_options peer_options;
};

struct cfg_volumes {
	struct cfg_volume *first;
	struct cfg_volume *last;
};

enum cfg_host_kind { CFG_HOST_ON, CFG_HOST_FLOATING };
enum cfg_platform { CFG_PLATFORM_ANY, CFG_PLATFORM_LINUX, CFG_PLATFORM_WINDOWS };

struct cfg_host {
	struct cfg_host *next;
	struct cfg_location at;
	enum cfg_host_kind kind;
	enum cfg_platform platform;
	struct cfg_names names;
	const char *label; /* names joined by '_', or ADDR:PORT of a floating host */
	int node_id;       /* -1: not set */
	struct cfg_location node_id_at;
	struct cfg_address address;
	struct cfg_address public_address;
	const char *group;
	struct cfg_location group_at;
	struct cfg_volumes volumes;
	struct cfg_volumes expanded; /* volumes with everything inherited, by vnr */
	struct cfg_options node_options;
	struct cfg_proxy proxy;
	bool is_me;
};

enum cfg_endpoint_kind { CFG_END_HOST, CFG_END_ADDRESS, CFG_END_GROUP };

struct cfg_endpoint {
	enum cfg_endpoint_kind kind;
	const char *name; /* of the host or group; NULL for CFG_END_ADDRESS */
	struct cfg_location at;
	unsigned int port; /* 0: not given */
	struct cfg_address address;
	struct cfg_address public_address;
	struct cfg_proxy proxy;
	struct cfg_host *host;      /* expanded; NULL if it could not be found */
	struct cfg_address own;     /* expanded: the address the host itself binds to */
	struct cfg_address visible; /* expanded: the address its peer connects to */
};

struct cfg_path {
	struct cfg_path *next;
	struct cfg_location at;
	bool implicit; /* endpoints stand in the connection itself */
	struct cfg_endpoint end[2];
	unsigned int end_count;
};

struct cfg_connection {
	struct cfg_connection *next;
	struct cfg_location at;
	const char *name; /* NULL: not named */
	bool implicit;    /* derived from two hosts or from a mesh */
	CFG_LIST(cfg_path) paths;
	struct cfg_options net;
	struct cfg_location net_at;
	struct cfg_options peer_options;
	struct cfg_location disk_at;
	struct cfg_volumes volumes;      /* as written */
	struct cfg_volumes peer_devices; /* expanded: one per volume, in order of mention */
	struct cfg_host *self;           /* expanded; NULL if this host is not part of it */
	struct cfg_host *peer;
	unsigned int self_end; /* which end of every path is this host's */
	const char *label;     /* expanded: value of _name */
	bool standalone;       /* `_is_standalone;` of a running configuration */
	int peer_node_id;      /* of a running configuration; else -1 */
};

struct cfg_mesh {
	struct cfg_mesh *next;
	struct cfg_location at;
	struct cfg_names hosts;
	struct cfg_names groups;
	struct cfg_options net;
	struct cfg_location net_at;
};

struct cfg_resource {
	struct cfg_resource *next;
	const char *name; /* NULL: a `common` section */
	struct cfg_location at;
	struct cfg_options options[BSR_SECTION_COUNT];
	struct cfg_location section_at[BSR_SECTION_COUNT]; /* where the section was opened */
	const char *template_file;
	struct cfg_resource *common; /* the template's, else the global one, else NULL */
	struct cfg_volumes volumes;
	CFG_LIST(cfg_host) hosts;
	CFG_LIST(cfg_connection) connections;
	CFG_LIST(cfg_mesh) meshes;
	struct cfg_proxy proxy;
	struct cfg_host *me;             /* expanded; NULL: not for this node */
	bool ignored;                    /* this node has no host section in it, or it is stacked */
	const char *stacked_text; /* of a stacked resource: all of it, as it was written; nothing else is known */
	struct cfg_location protocol_at; /* of the legacy statement */
};

struct cfg_arena_block;
struct cfg_claim;
struct cfg_diagnostic;

enum cfg_severity { CFG_ERROR, CFG_WARNING };

struct bsr_config {
	struct cfg_arena_block *arena;
	const char *file; /* top file as reported; "STDIN" for standard input */
	struct cfg_location global_at;
	struct cfg_options global;
	struct cfg_resource *common;
	CFG_LIST(cfg_resource) resources;
	const char *module_versions; /* DRBD's require-drbd-module-version-* statements, a line each; NULL: none */
	const char *hostname;  /* who this node is */
	const char *pretended; /* value of __BSR_NODE__, NULL if unset */
	bool ignore_hostname;  /* -i: resources without a section for this host are kept */
	bool running;          /* text of `bsrsetup show`: underscore statements are allowed */
	bool no_includes;      /* buffers from elsewhere must not open files */
	CFG_LIST(cfg_diagnostic) diagnostics;
	unsigned int errors;
	unsigned int warnings;
	/* statements were not understood: what seems to be missing may be among them */
	bool incomplete;
	struct cfg_claim **claims; /* hash of things that may be used once */
	size_t claim_buckets;
	unsigned int files_read;
	struct cfg_names
		local_addresses; /* of interfaces that are up; filled when first asked for */
	bool local_addresses_known;
};

/** bsr_config_new - an empty configuration; NULL if memory is exhausted. bsr_config_free() it. */
struct bsr_config *bsr_config_new(void);
void bsr_config_free(struct bsr_config *config);

/**
 * bsr_config_read_file - parse @path and what it includes
 * @path: "-" reads standard input
 *
 * Returns 0 when the file could be opened (whatever it says: see bsr_config_error_count()), else
 * -errno.
 */
int bsr_config_read_file(struct bsr_config *config, const char *path);

/**
 * bsr_config_read_buffer - parse @size bytes reported as file @name; relative includes start at "."
 */
void bsr_config_read_buffer(
	struct bsr_config *config, const char *name, const char *text, size_t size);

/** bsr_config_exclude_file - treat @path as already read, so that includes skip it (option -E) */
void bsr_config_exclude_file(struct bsr_config *config, const char *path);

/**
 * bsr_config_expand - derive what the files leave out, and check the result
 *
 * Finds this node's sections, inherits options, volumes and addresses, makes implicit connections
 * and peer devices, then applies every rule that needs more than one statement. Errors are
 * collected.
 */
void bsr_config_expand(struct bsr_config *config);

/** bsr_config_error_count - how many errors reading and expanding found */
unsigned int bsr_config_error_count(const struct bsr_config *config);

/**
 * bsr_config_print_diagnostics - write all messages, in file order of their discovery, as
 * FILE:LINE:COLUMN: text
 */
void bsr_config_print_diagnostics(const struct bsr_config *config, FILE *to);

struct cfg_resource *bsr_config_find_resource(const struct bsr_config *config, const char *name);
struct cfg_host *bsr_config_find_host(const struct cfg_resource *resource, const char *name);
struct cfg_volume *bsr_config_find_volume(const struct cfg_volumes *volumes, unsigned int vnr);
struct cfg_option *bsr_config_find_option(
	const struct cfg_options *options, const struct bsr_option *def);

/**
 * bsr_config_option_text - the value of option @name in @section if it is set, else its default,
 * else NULL
 */
const char *bsr_config_option_text(
	const struct cfg_options *options, enum bsr_option_section section, const char *name);

/** bsr_config_global_flag - whether a yes/no option of `global` is on */
bool bsr_config_global_flag(const struct bsr_config *config, const char *name);

/**
 * bsr_config_same_host - host names compare without case, and without domain if one of them has
 * none
 */
bool bsr_config_same_host(const char *a, const char *b);

/**
 * bsr_config_path_ends - which end of @path is this host's and which is the peer's
 * @connection: expanded, with self not NULL
 */
void bsr_config_path_ends(const struct cfg_connection *connection, const struct cfg_path *path,
	const struct cfg_endpoint **own, const struct cfg_endpoint **remote);

/**
 * bsr_config_address_is_local - whether @address is configured on an interface of this host that is
 * up
 */
bool bsr_config_address_is_local(struct bsr_config *config, const struct cfg_address *address);

/** bsr_config_is_diskless - whether @volume has no local disk (`disk none;`) */
bool bsr_config_is_diskless(const struct cfg_volume *volume);

/**
 * bsr_config_resync_after - the volume an option `resync-after RES[/VNR]` means
 *
 * Returns NULL if there is no such resource, host or volume here, or if it has several volumes and
 * none is named;
 * @why then receives a phrase that says so.
 */
const struct cfg_volume *bsr_config_resync_after(
	const struct bsr_config *config, const char *reference, const char **why);

struct cfg_dump_options {
	bool expanded;                   /* -v: what was derived, too */
	const struct cfg_resource *only; /* NULL: everything */
};

/**
 * bsr_config_dump - write the configuration in its own language; reading that back gives the same
 * text
 */
void bsr_config_dump(const struct bsr_config *config, const struct cfg_dump_options *how, FILE *to);

/** bsr_config_dump_xml - write the expanded configuration as XML */
void bsr_config_dump_xml(
	const struct bsr_config *config, const struct cfg_resource *only, FILE *to);

/**
 * bsr_config_dump_json - write the expanded configuration as one JSON object on one line: all options with the values that hold,
 * as text
 */
void bsr_config_dump_json(
	const struct bsr_config *config, const struct cfg_resource *only, FILE *to);

/** bsr_config_format_address - "ipv4:10.0.0.1:7000", "ipv6:[fd01::3]:7001" */
void bsr_config_format_address(const struct cfg_address *address, char *buffer, size_t size);

/**
 * bsr_config_suggest - the candidate nearest to @word if it is near enough to be meant, else NULL
 */
const char *bsr_config_suggest(const char *word, const char *const *candidates, size_t count);

#endif
