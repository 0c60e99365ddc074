// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * main.c - bsradm: command line, configuration, one command
 *
 * Owns:       the order of these steps.
 * May touch:  environment BSR_CONF_DIR (default /etc) and BSR_RUN_DIR (default /var/run/bsr).
 */
#include "adm.h"

#include "names.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct general_option {
	char letter;
	const char *name;
	bool takes_value;
};

static const struct general_option general_options[] = {
	{'d', "dry-run", false},
	{'v', "verbose", false},
	{'n', "sh-varname", true},
	{'c', "config-file", true},
	{'t', "config-to-test", true},
	{'E', "config-to-exclude", true},
	{'s', "bsrsetup", true},
	{'m', "bsrmeta", true},
	{'p', "bsr-proxy-ctl", true},
	{'S', "stacked", false},
	{'i', "ignore-hostname", false},
	{'T', "log-level-trace", false},
	{'P', "peer", true},
	{'W', "setup-option", true},
	{'V', "version", false},
	{'h', "help", false},
	{1, "progress", false},
	{'s', "drbdsetup", true}, /* what it is called in scripts written for DRBD */
	{'m', "drbdmeta", true},
};

struct words {
	char **word;
	size_t count;
	bool help;
	bool version;
};

static int apply_general(struct adm *adm, struct words *words, char letter, const char *value)
{
	bool ignored;

	switch (letter) {
	case 'd':
		adm->dry_run = true;
		break;
	case 'v':
		adm->verbose++;
		break;
	case 'n':
		adm->sh_varname = value;
		break;
	case 'c':
		adm->config_file = value;
		break;
	case 't':
		adm->test_file = value;
		break;
	case 'E':
		adm->exclude_file = value;
		break;
	case 's':
		adm->bsrsetup = value;
		break;
	case 'm':
		adm->bsrmeta = value;
		break;
	case 'S':
		adm->stacked = true;
		break;
	case 'i':
		adm->ignore_hostname = true;
		break;
	case 1:
		adm->progress = true;
		break;
	case 'W':
		if (strncmp(value, "--", 2) != 0) {
			fprintf(stderr, "-W: '%s' does not begin with '--'\n", value);
			return ADM_USAGE;
		}
		return adm_given_add(adm, value, NULL, &ignored);
	case 'V':
		words->version = true;
		break;
	case 'h':
		words->help = true;
		break;
	default: /* accepted and without meaning here: -p, -P, -T */
		break;
	}
	return ADM_OK;
}

static const struct general_option *find_general(const char *name, size_t length)
{
	for (size_t i = 0; i < sizeof(general_options) / sizeof(general_options[0]); i++) {
		if (strlen(general_options[i].name) == length &&
			strncmp(general_options[i].name, name, length) == 0) {
			return &general_options[i];
		}
	}
	return NULL;
}

/* "--name", "--name=value", "--name value"; *@used counts the words taken after this one. */
static int parse_long(struct adm *adm, struct words *words, char **argv, int *used)
{
	const char *name = argv[0] + 2;
	const size_t length = strcspn(name, "=");
	const struct general_option *general = find_general(name, length);
	bool took_next = false;

	if (general == NULL) {
		const int code = adm_given_add(adm, argv[0], argv[1], &took_next);
		*used = took_next ? 1 : 0;
		return code;
	}
	const char *value = name[length] == '=' ? name + length + 1 : NULL;
	if (general->takes_value && value == NULL) {
		value = argv[1];
		*used = 1;
	}
	if (general->takes_value && value == NULL) {
		fprintf(stderr, "option '--%s' requires a value\n", general->name);
		return ADM_USAGE;
	}
	if (!general->takes_value && value != NULL) {
		fprintf(stderr, "option '--%s' takes no value\n", general->name);
		return ADM_USAGE;
	}
	return apply_general(adm, words, general->letter, value);
}

/* "-dv", "-cFILE", "-c FILE" */
static int parse_short(struct adm *adm, struct words *words, char **argv, int *used)
{
	for (const char *c = argv[0] + 1; *c != '\0'; c++) {
		const struct general_option *general = NULL;
		for (size_t i = 0; i < sizeof(general_options) / sizeof(general_options[0]); i++) {
			if (general_options[i].letter == *c) {
				general = &general_options[i];
				break;
			}
		}
		if (general == NULL) {
			fprintf(stderr, "unrecognized option '-%c'; try '%s help'\n", *c,
				bsr_names()->admin);
			return ADM_USAGE;
		}
		const char *value = NULL;
		if (general->takes_value) {
			value = c[1] != '\0' ? c + 1 : argv[1];
			*used = c[1] != '\0' ? 0 : 1;
			if (value == NULL) {
				fprintf(stderr, "option '-%c' requires a value\n", *c);
				return ADM_USAGE;
			}
		}
		const int code = apply_general(adm, words, general->letter, value);
		if (code != ADM_OK || general->takes_value) {
			return code;
		}
	}
	return ADM_OK;
}

static int parse_command_line(struct adm *adm, struct words *words, int argc, char **argv)
{
	bool only_words = false;

	for (int i = 1; i < argc; i++) {
		int used = 0;
		int code = ADM_OK;
		if (!only_words && strcmp(argv[i], "--") == 0) {
			only_words = true;
		} else if (!only_words && strncmp(argv[i], "--", 2) == 0) {
			code = parse_long(adm, words, &argv[i], &used);
		} else if (!only_words && argv[i][0] == '-' && argv[i][1] != '\0') {
			code = parse_short(adm, words, &argv[i], &used);
		} else {
			words->word[words->count++] = argv[i];
		}
		if (code != ADM_OK) {
			return code;
		}
		i += used;
	}
	return ADM_OK;
}

/*
 * Where @name is: next to this program, else left to PATH. A link's name is only what the back end is called
 * (word 0 of its command line): the program behind it is next to us under our own name for it.
 */
static char *find_back_end(const char *name)
{
	char self[PATH_MAX];
	char *path = NULL;
	const ssize_t length = readlink("/proc/self/exe", self, sizeof(self) - 1);

	if (strcmp(name, bsr_names()->setup) == 0) {
		name = "bsrsetup";
	} else if (strcmp(name, bsr_names()->meta) == 0) {
		name = "bsrmeta";
	}
	if (length > 0 && strchr(name, '/') == NULL) {
		self[length] = '\0';
		*strrchr(self, '/') = '\0';
		if (asprintf(&path, "%s/%s", self, name) >= 0) {
			if (access(path, X_OK) == 0) {
				return path;
			}
			free(path);
		}
		/* in a build tree each tool has a directory of its own */
		if (asprintf(&path, "%s/../%s/%s", self, name, name) >= 0) {
			if (access(path, X_OK) == 0) {
				return path;
			}
			free(path);
		}
	}
	return strdup(name);
}

static char *default_config_file(void)
{
	static const char *const versions[] = {"-90", "-84", "-83", "-82", "-08", ""};
	const char *directory = getenv("BSR_CONF_DIR");
	char *path = NULL;

	directory = directory != NULL && *directory != '\0' ? directory : "/etc";
	for (size_t i = 0; i < sizeof(versions) / sizeof(versions[0]); i++) {
		free(path);
		if (asprintf(&path, "%s/%s%s.conf", directory, bsr_names()->product, versions[i]) < 0) {
			return NULL;
		}
		if (access(path, R_OK) == 0) {
			return path;
		}
	}
	return path; /* the last one: opening it will say what is wrong */
}

static void choose_config_file(struct adm *adm, const struct words *words)
{
	if (adm->config_file == NULL && (adm->command->flags & ADM_REGISTRY) != 0 &&
		words->count > 1) {
		adm->found_file = adm_registry_file(adm, words->word[1]);
	} else if (adm->config_file == NULL) {
		adm->found_file = default_config_file();
	}
	if (adm->config_file == NULL && adm->found_file == NULL) {
		adm->found_file = default_config_file();
	}
	if (adm->config_file == NULL) {
		adm->config_file = adm->found_file;
	}
}

/* Commands that do not make the configuration run: what in it has no effect was told by those that did. */
static bool needs_no_notes(const struct adm_command *command)
{
	static const char *const names[] = {"status", "role", "state", "cstate", "dstate", "why", "show-gi", "get-gi",
		"wait-connect", "wait-sync", "wait-con-int", "primary", "secondary", "down", "verify", "verify-stop",
		"pause-sync", "resume-sync", "suspend-io", "resume-io"};

	if ((command->flags & ADM_HANDLER) != 0 || (strncmp(command->name, "sh-", 3) == 0 && strcmp(command->name, "sh-nop") != 0)) {
		return true;
	}
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (strcmp(names[i], command->name) == 0) {
			return true;
		}
	}
	return false;
}

static int read_config(struct adm *adm, const struct words *words)
{
	choose_config_file(adm, words);
	adm->config = bsr_config_new();
	if (adm->config == NULL || adm->config_file == NULL) {
		fprintf(stderr, "%s: out of memory\n", bsr_names()->admin);
		return ADM_CANNOT;
	}
	adm->config->ignore_hostname = adm->ignore_hostname;
	if (adm->config->pretended != NULL) {
		fprintf(stderr, "%s is set: this host acts as %s\n", bsr_names()->node_variable,
			adm->config->pretended);
	}
	if (adm->exclude_file != NULL) {
		bsr_config_exclude_file(adm->config, adm->exclude_file);
	}
	if ((adm->command->flags & ADM_NEW_CONFIG) != 0 && access(adm->config_file, F_OK) != 0) {
		return ADM_OK;
	}
	int rc = bsr_config_read_file(adm->config, adm->config_file);
	if (rc != 0) {
		fprintf(stderr, "cannot open %s: %s\n", adm->config_file, strerror(-rc));
		return ADM_INVALID;
	}
	if (adm->test_file != NULL) {
		rc = bsr_config_read_file(adm->config, adm->test_file);
		if (rc != 0) {
			fprintf(stderr, "cannot open %s: %s\n", adm->test_file, strerror(-rc));
			return ADM_INVALID;
		}
	}
	bsr_config_expand(adm->config);
	if (bsr_config_error_count(adm->config) > 0 || !needs_no_notes(adm->command)) {
		bsr_config_print_diagnostics(adm->config, stderr);
	}
	if (bsr_config_error_count(adm->config) > 0 &&
		(adm->command->flags & ADM_INVALID_TOO) == 0) {
		return ADM_INVALID;
	}
	return ADM_OK;
}

static int check_usage(const struct adm *adm)
{
	const char *name = adm->command->name;

	if (adm->stacked) {
		fprintf(stderr, "stacked resources are not supported\n");
		return ADM_USAGE;
	}
	if (adm->test_file != NULL && strcmp(name, "dump") != 0 && strcmp(name, "dump-xml") != 0 &&
		strcmp(name, "sh-nop") != 0) {
		fprintf(stderr, "--config-to-test works with dump, dump-xml and sh-nop only\n");
		return ADM_USAGE;
	}
	return ADM_OK;
}

static int run_command(struct adm *adm, const struct words *words)
{
	const struct adm_context nothing = {.resource = NULL};
	char **targets = words->word + 1;
	const size_t count = words->count - 1;

	if (adm->command->kind == ADM_NO_TARGET) {
		adm->arguments = targets;
		adm->argument_count = count;
		if (count > 0 && (adm->command->flags & ADM_TAKES_WORDS) == 0) {
			fprintf(stderr, "%s takes no argument\n", adm->command->name);
			return ADM_USAGE;
		}
		return adm->command->run(adm, &nothing);
	}
	const int code = adm_targets_run(adm, targets, count);
	if ((adm->command->flags & ADM_DEFERRED) == 0) {
		return code;
	}
	const int later = adm_run_actions(adm);
	return code > later ? code : later;
}

static int choose_command(struct adm *adm, const struct words *words)
{
	if (words->count == 0) {
		adm_help(NULL);
		return ADM_USAGE;
	}
	adm->command = adm_command_find(words->word[0]);
	if (adm->command == NULL) {
		adm_command_suggest(words->word[0]);
		return ADM_USAGE;
	}
	return ADM_OK;
}

static int run(struct adm *adm, struct words *words, int argc, char **argv)
{
	int code = parse_command_line(adm, words, argc, argv);

	if (code != ADM_OK) {
		return code;
	}
	if (words->version) {
		adm_print_version();
		return ADM_OK;
	}
	if (words->help || (words->count > 0 && strcmp(words->word[0], "help") == 0)) {
		const bool named = strcmp(words->count > 0 ? words->word[0] : "help", "help") != 0;
		const char *about = named              ? words->word[0]
				    : words->count > 1 ? words->word[1]
						       : NULL;
		return adm_help(about);
	}
	code = choose_command(adm, words);
	if (code == ADM_OK) {
		code = check_usage(adm);
	}
	if (code == ADM_OK) {
		code = adm_given_check(adm);
	}
	if (code != ADM_OK) {
		return code;
	}
	if ((adm->command->flags & ADM_NO_CONFIG) == 0) {
		code = read_config(adm, words);
	}
	adm->bsrsetup_path = find_back_end(adm->bsrsetup);
	adm->bsrmeta_path = find_back_end(adm->bsrmeta);
	return code == ADM_OK ? run_command(adm, words) : code;
}

/*
 * A running resource asks for a handler, and it cannot be looked up: the configuration is being edited, or the resource is in
 * none. Nobody's promotion or resync is refused for that.
 */
static int handler_code(const struct adm *adm, int code)
{
	const char *caller = getenv("BSR_CALLED_BY");

	if (adm->command == NULL || (adm->command->flags & ADM_HANDLER) == 0 || adm->handler_ran || code == ADM_OK ||
		caller == NULL || strcmp(caller, "bsrd") != 0) {
		return code;
	}
	fprintf(stderr, "handler %s: not looked up (%d), as if there were none\n", adm->command->name, code);
	return ADM_OK;
}

int main(int argc, char **argv)
{
	bsr_names_choose(argv[0]);
	static struct adm adm; /* what it points to is in use to the end */
	adm = (struct adm){.bsrsetup = bsr_names()->setup, .bsrmeta = bsr_names()->meta, .drbd = bsr_names()->drbd};
	struct words words = {.word = calloc((size_t)argc + 1, sizeof(char *))};
	const char *run_dir = getenv("BSR_RUN_DIR");

	if (words.word == NULL) {
		return ADM_CANNOT;
	}
	adm.run_dir = run_dir != NULL && *run_dir != '\0' ? run_dir : "/var/run/bsr";
	const int code = handler_code(&adm, run(&adm, &words, argc, argv));
	adm_journal(&adm, argc, argv, code);
	bsr_config_free(adm.config);
	bsr_config_free(adm.running);
	for (size_t i = 0; i < adm.given_count; i++) {
		free(adm.given[i].name);
	}
	free(adm.found_file);
	free(adm.bsrsetup_path);
	free(adm.bsrmeta_path);
	free(words.word);
	if (fflush(stdout) != 0) {
		fprintf(stderr, "%s: cannot write the output: %s\n", bsr_names()->admin,
			strerror(errno));
		return ADM_CANNOT;
	}
	return code;
}
