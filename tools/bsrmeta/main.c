// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * main.c - the command line of bsrmeta
 *
 * Owns:       options, the table of commands, what each is allowed to do to the device.
 * May touch:  nothing itself.
 */
#include <getopt.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "meta.h"

#define PEER_MAX_BIO_BYTES_MAX (1u << 20)
#define AL_KIB_MAX 32768u

enum allowed { ALLOW_NODE_ID = 1, ALLOW_AL = 2, ALLOW_BIO_SIZE = 4, ALLOW_STRIDE = 8, ALLOW_JSON = 16 };

struct command {
	const char *name;
	const char *arguments; /* for the usage line */
	const char *help;
	int args_min, args_max;
	bool writes;
	bool no_device;
	unsigned int allowed;
	int (*run)(struct bsr_meta_context *ctx);
};

static const struct command commands[] = {
	{"create-md", "[--al-stripes=N] [--al-stripe-size-kB=N] [--peer-max-bio-size=N] PEERS",
		"make new meta data with bitmap slots for PEERS (1..31) other nodes", 0, 1, true,
		false, ALLOW_AL | ALLOW_BIO_SIZE, bsr_meta_create},
	{"dump-md", "", "print the meta data as text", 0, 0, false, false, ALLOW_JSON, bsr_meta_dump},
	{"hexdump", "", "print superblock and activity log byte by byte", 0, 0, false, false, 0,
		bsr_meta_hexdump},
	{"restore-md", "[--al-stripes=N] [--al-stripe-size-kB=N] FILE",
		"write back what dump-md printed", 1, 1, true, false, ALLOW_AL, bsr_meta_restore},
	{"verify-dump", "FILE", "check the text of a dump, touch nothing", 1, 1, false, true, 0,
		bsr_meta_verify_dump},
	{"apply-al", "", "after a crash: mark in the bitmap what the activity log names", 0, 0,
		true, false, 0, bsr_meta_apply_al},
	{"wipe-md", "", "remove the meta data", 0, 0, true, false, 0, bsr_meta_wipe},
	{"convert-md", "[--node-id=PEER]", "turn v08 meta data into v09, in place", 0, 0, true,
		false, ALLOW_NODE_ID, bsr_meta_convert},
	{"get-gi", "--node-id=PEER", "print the generation identifiers and flags for a peer", 0, 0,
		false, false, ALLOW_NODE_ID | ALLOW_JSON, bsr_meta_get_gi},
	{"show-gi", "--node-id=PEER", "the same with a legend", 0, 0, false, false,
		ALLOW_NODE_ID | ALLOW_JSON,
		bsr_meta_show_gi},
	{"set-gi", "--node-id=PEER LINE",
		"change them; LINE as get-gi prints it, empty fields keep their value", 1, 1, true,
		false, ALLOW_NODE_ID, bsr_meta_set_gi},
	{"dstate", "", "print the state of the disk", 0, 0, false, false, ALLOW_JSON,
		bsr_meta_dstate},
	{"outdate", "", "mark consistent data as Outdated", 0, 0, true, false, 0, bsr_meta_outdate},
	{"invalidate", "", "mark the data as Inconsistent and all of it as out of sync", 0, 0, true,
		false, 0, bsr_meta_invalidate},
	{"check-resize", "", "move internal meta data to the end of a device that has grown", 0, 0,
		true, false, 0, bsr_meta_check_resize},
	{"forget-peer", "--node-id=PEER", "free the bitmap slot of a peer that is gone for good", 0,
		0, true, false, ALLOW_NODE_ID, bsr_meta_forget_peer},
	{"read-dev-uuid", "", "print the id of the backing device", 0, 0, false, false, 0,
		bsr_meta_read_dev_uuid},
	{"write-dev-uuid", "UUID", "set it (16 hex digits)", 1, 1, true, false, 0,
		bsr_meta_write_dev_uuid},
};
#define COMMAND_COUNT (sizeof(commands) / sizeof(commands[0]))

/* Text under the names we were called by. */
static void say(FILE *out, const char *text)
{
	char translated[4096];
	fputs(bsr_names_translate(text, translated, sizeof(translated)), out);
}

static void print_usage(FILE *out)
{
	say(out,
		"usage: bsrmeta [OPTIONS] DEVICE FORMAT META_DEV INDEX COMMAND [ARGUMENTS]\n\n"
		"DEVICE    /dev/bsrN or N: its lock is taken; \"-\": no device\n"
		"FORMAT    v09, v08\n"
		"META_DEV  the device (with --force also a file) that holds the meta data\n"
		"INDEX     internal, flex-external, 0..255 on a shared meta-disk, or the path of a\n"
		"          file behind the loop device META_DEV\n\n"
		"COMMANDS\n");
	for (size_t i = 0; i < COMMAND_COUNT; i++) {
		fprintf(out, "  %s %s\n      %s\n", commands[i].name, commands[i].arguments,
			commands[i].help);
	}
	say(out,
		"\nOPTIONS\n"
		"  -f, --force               answer yes to every question; accept a plain file\n"
		"  -v, --verbose             more detail; ten times lists the activity log in a dump\n"
		"      --dry-run             say what would be written, write nothing\n"
		"      --json                dump-md, get-gi, show-gi, dstate: one JSON object\n"
		"      --ignore-sanity-checks  go on where existing data would be destroyed\n"
		"      --node-id=N           node id of the peer, 0..31\n"
		"      --peer-max-bio-size=N bytes, 0..1048576\n"
		"      --al-stripes=N        1..1024 (default 1)\n"
		"      --al-stripe-size-kB=N KiB per stripe (default 320); the log has 32 KiB to 32 MiB in all\n"
		"      --index-stride-mib=N  indexed only: 256 as bsr has it (default), 128 as DRBD\n"
		"  -h, --help [COMMAND], --version\n");
}

static const struct command *find_command(const char *name)
{
	for (size_t i = 0; i < COMMAND_COUNT; i++) {
		if (strcmp(commands[i].name, name) == 0) {
			return &commands[i];
		}
	}
	return NULL;
}

static void print_command_usage(FILE *out, const struct command *command)
{
	fprintf(out, "usage: %s [OPTIONS] DEVICE FORMAT META_DEV INDEX %s %s\n       %s\n",
		bsr_names()->meta, command->name, command->arguments, command->help);
}

enum option_code {
	OPT_SANITY = 256,
	OPT_DRY_RUN,
	OPT_NODE,
	OPT_BIO,
	OPT_STRIPES,
	OPT_STRIPE_SIZE,
	OPT_STRIDE,
	OPT_JSON,
	OPT_VERSION
};

static const struct option long_options[] = {
	{"force", no_argument, NULL, 'f'},
	{"verbose", no_argument, NULL, 'v'},
	{"help", no_argument, NULL, 'h'},
	{"version", no_argument, NULL, OPT_VERSION},
	{"ignore-sanity-checks", no_argument, NULL, OPT_SANITY},
	{"dry-run", no_argument, NULL, OPT_DRY_RUN},
	{"json", no_argument, NULL, OPT_JSON},
	{"node-id", required_argument, NULL, OPT_NODE},
	{"peer-max-bio-size", required_argument, NULL, OPT_BIO},
	{"al-stripes", required_argument, NULL, OPT_STRIPES},
	{"al-stripe-size-kB", required_argument, NULL, OPT_STRIPE_SIZE},
	{"index-stride-mib", required_argument, NULL, OPT_STRIDE},
	{NULL, 0, NULL, 0},
};

static int bad_value(const char *option, const char *wanted)
{
	bsr_meta_error("--%s %s: that is not %s", option, optarg, wanted);
	return META_BAD;
}

static int take_value(struct bsr_meta_options *opt, int code)
{
	uint64_t v;
	switch (code) {
	case OPT_NODE:
		if (!bsr_meta_parse_number(optarg, BSR_NODES_MAX - 1, &v)) {
			return bad_value("node-id", "a node id of 0..31");
		}
		opt->node_id = (int32_t)v;
		return META_OK;
	case OPT_BIO:
		if (!bsr_meta_parse_number(optarg, PEER_MAX_BIO_BYTES_MAX, &v)) {
			return bad_value("peer-max-bio-size", "a number of bytes, 0..1048576");
		}
		opt->peer_max_bio_size = (int64_t)v;
		return META_OK;
	case OPT_STRIPES:
		if (!bsr_meta_parse_number(optarg, META_AL_STRIPES_MAX, &v) || v == 0) {
			return bad_value("al-stripes", "a number of 1..1024");
		}
		opt->al_stripes = (uint32_t)v;
		return META_OK;
	case OPT_STRIPE_SIZE:
		if (!bsr_meta_parse_number(optarg, AL_KIB_MAX, &v) || v == 0 || v % 4 != 0) {
			return bad_value("al-stripe-size-kB", "a multiple of 4, up to 32768");
		}
		opt->al_stripe_blocks = (uint32_t)v / 4;
		return META_OK;
	default:
		if (!bsr_meta_parse_number(optarg, 256, &v) || (v != 128 && v != 256)) {
			return bad_value("index-stride-mib", "128 or 256");
		}
		opt->stride_bytes = v << 20;
		return META_OK;
	}
}

static int usage_error(void)
{
	fprintf(stderr, "%s --help lists commands and options\n", bsr_names()->meta);
	return META_USAGE;
}

static int parse_options(struct bsr_meta_context *ctx, bool *help)
{
	struct bsr_meta_options *opt = &ctx->opt;
	int code;
	*opt = (struct bsr_meta_options){.node_id = -1, .peer_max_bio_size = -1};
	while ((code = getopt_long(ctx->argc, ctx->argv, "fvh", long_options, NULL)) != -1) {
		int rc = META_OK;
		if (code == '?') {
			return usage_error();
		}
		if (code == 'f') {
			opt->force = true;
		} else if (code == 'v') {
			opt->verbose++;
		} else if (code == 'h') {
			*help = true;
		} else if (code == OPT_VERSION) {
			printf("%s %s%s\n", bsr_names()->meta, bsr_names()->drbd ? "bsr-" : "", BSR_VERSION);
			exit(META_OK);
		} else if (code == OPT_SANITY) {
			opt->ignore_sanity_checks = true;
		} else if (code == OPT_DRY_RUN) {
			opt->dry_run = true;
		} else if (code == OPT_JSON) {
			opt->json = true;
		} else {
			rc = take_value(opt, code);
		}
		if (rc != META_OK) {
			return rc;
		}
	}
	return META_OK;
}

static int parse_device(struct bsr_meta_context *ctx, const char *text)
{
	uint64_t minor;
	ctx->minor = -1;
	if (strcmp(text, "-") == 0) {
		return META_OK;
	}
	const char *digits = strncmp(text, "/dev/bsr", 8) == 0	  ? text + 8
			     : strncmp(text, "/dev/drbd", 9) == 0 ? text + 9
								  : text;
	if (!bsr_meta_parse_number(digits, BSR_META_MINOR_MAX, &minor)) {
		bsr_meta_error("\"%s\" is not a device: /dev/%sN, a minor number, or \"-\"", text,
			bsr_names()->product);
		return META_USAGE;
	}
	ctx->minor = (int32_t)minor;
	return META_OK;
}

static int parse_format(struct bsr_meta_context *ctx, const char *text)
{
	if (strcmp(text, "v09") == 0) {
		ctx->format = 9;
	} else if (strcmp(text, "v08") == 0) {
		ctx->format = 8;
	} else if (strcmp(text, "v07") == 0 || strcmp(text, "v06") == 0) {
		bsr_meta_error(
			"format %s is older than this tool reads; bring it to v08 with the tools that made it",
			text);
		return META_USAGE;
	} else {
		bsr_meta_error("unknown format \"%s\": v09 or v08", text);
		return META_USAGE;
	}
	return META_OK;
}

static int parse_index(struct bsr_meta_context *ctx, const char *text)
{
	uint64_t index;
	if (strcmp(text, "internal") == 0 || strcmp(text, "flex-internal") == 0) {
		ctx->kind = BSR_MD_INTERNAL;
	} else if (strcmp(text, "flex-external") == 0) {
		ctx->kind = BSR_MD_FLEX_EXTERNAL;
	} else if (bsr_meta_parse_number(text, BSR_MD_INDEX_MAX, &index)) {
		ctx->kind = BSR_MD_INDEXED;
		ctx->index = (uint32_t)index;
	} else if (text[0] == '/') {
		ctx->kind = BSR_MD_FLEX_EXTERNAL;
		ctx->loop_file = text;
	} else {
		bsr_meta_error(
			"\"%s\" is not a valid index: internal, flex-external, 0..255, or the path of a file "
			"behind the loop device",
			text);
		return META_USAGE;
	}
	return META_OK;
}

static int check_allowed(const struct bsr_meta_context *ctx, const struct command *command)
{
	const struct bsr_meta_options *opt = &ctx->opt;
	const char *wrong = NULL;
	if (opt->node_id >= 0 && (command->allowed & ALLOW_NODE_ID) == 0) {
		wrong = "node-id";
	} else if ((opt->al_stripes != 0 || opt->al_stripe_blocks != 0) &&
		   (command->allowed & ALLOW_AL) == 0) {
		wrong = "al-stripes and --al-stripe-size-kB";
	} else if (opt->json && (command->allowed & ALLOW_JSON) == 0) {
		wrong = "json";
	} else if (opt->peer_max_bio_size >= 0 && (command->allowed & ALLOW_BIO_SIZE) == 0) {
		wrong = "peer-max-bio-size";
	}
	if (wrong != NULL) {
		bsr_meta_error("%s does not take --%s", command->name, wrong);
		return META_BAD;
	}
	if (ctx->arg_count < command->args_min || ctx->arg_count > command->args_max) {
		bsr_meta_error("%s: wrong number of arguments", command->name);
		print_command_usage(stderr, command);
		return META_USAGE;
	}
	return META_OK;
}

static int parse_words(
	struct bsr_meta_context *ctx, int count, char **words, const struct command **command)
{
	if (count < 5) {
		bsr_meta_error(
			"too few arguments: DEVICE FORMAT META_DEV INDEX COMMAND are needed");
		return usage_error();
	}
	*command = find_command(words[4]);
	if (*command == NULL) {
		bsr_meta_error("unknown command \"%s\"", words[4]);
		return usage_error();
	}
	ctx->path = words[2];
	ctx->command = words[4];
	ctx->args = words + 5;
	ctx->arg_count = count - 5;
	int rc = parse_device(ctx, words[0]);
	if (rc == META_OK) {
		rc = parse_format(ctx, words[1]);
	}
	if (rc == META_OK) {
		rc = parse_index(ctx, words[3]);
	}
	return rc == META_OK ? check_allowed(ctx, *command) : rc;
}

static int run(struct bsr_meta_context *ctx, const struct command *command)
{
	if (command->no_device) {
		return command->run(ctx);
	}
	int rc = bsr_meta_lock(ctx, !command->writes);
	if (rc == META_OK) {
		rc = bsr_meta_loop_file_bind(ctx);
	}
	if (rc == META_OK) {
		/* A shared meta-disk is open for its other volumes. */
		rc = bsr_meta_device_open(
			ctx, command->writes, command->writes && ctx->kind != BSR_MD_INDEXED);
	}
	if (rc == META_OK) {
		rc = command->run(ctx);
	}
	if (rc == META_OK && ctx->attached) {
		bsr_meta_note("# Minor %" PRId32
			      " is attached: what is on disk may be older than what is true",
			ctx->minor);
	}
	bsr_meta_device_close(ctx);
	return rc;
}

static int print_help(int argc, char **argv)
{
	const struct command *command = NULL;
	for (int i = optind; i < argc && command == NULL; i++) {
		command = find_command(argv[i]);
	}
	if (command != NULL) {
		print_command_usage(stdout, command);
	} else {
		print_usage(stdout);
	}
	return META_OK;
}

static int parse_and_run(struct bsr_meta_context *ctx)
{
	const struct command *command = NULL;
	bool help = false;
	int rc = parse_options(ctx, &help);
	if (rc != META_OK) {
		return rc;
	}
	if (help) {
		return print_help(ctx->argc, ctx->argv);
	}
	rc = parse_words(ctx, ctx->argc - optind, ctx->argv + optind, &command);
	if (rc != META_OK) {
		return rc;
	}
	rc = run(ctx, command);
	bsr_meta_journal(ctx, command->writes && !ctx->opt.dry_run, rc);
	return rc;
}

int main(int argc, char **argv)
{
	struct bsr_meta_context ctx = {
		.argc = argc, .argv = argv, .fd = -1, .lock_fd = -1, .minor = -1};
	bsr_names_choose(argc > 0 ? argv[0] : NULL);
	ctx.typed = calloc((size_t)argc + 1, sizeof(*ctx.typed));
	if (ctx.typed == NULL) {
		bsr_meta_error("out of memory");
		return META_UNSUPPORTED;
	}
	memcpy(ctx.typed, argv, (size_t)argc * sizeof(*argv)); /* getopt sorts argv */
	int rc = parse_and_run(&ctx);
	free(ctx.typed);
	if (fflush(stdout) != 0 && rc == META_OK) {
		bsr_meta_error("cannot write to standard output");
		rc = META_BAD;
	}
	return rc;
}
