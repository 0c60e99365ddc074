// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * create.c - `bsradm create`: a correct file for a new resource, from the few things only a person
 * knows
 *
 * Owns:       the text of the new file; the files bsr.conf and global_common.conf where there is no
 *             configuration yet.
 * May touch:  the configuration directory; with --size the file that becomes this host's disk.
 * Invariants:
 *   CR-1  Nothing is written before the whole configuration, with the new text, has been found
 *         valid.
 *   CR-2  An existing file is never overwritten.
 */
#include "adm.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#define HOSTS_MAX 32u
#define PORT_FIRST 7788u
#define SECRET_BYTES 24u

struct new_host {
	char name[CFG_NAME_CHARS_MAX + 1];
	char address[64]; /* without port; IPv6 without brackets */
	char disk[256];
	unsigned int port; /* 0: choose */
};

struct new_resource {
	const char *name;
	char disk_directory[256]; /* of --size: below BSR_LIB_DIR, else below /var/lib/bsr */
	const char *protocol;
	char disk[256];
	long long size_bytes; /* 0: not given */
	unsigned int minor;
	unsigned int port;
	size_t host_count;
	struct new_host hosts[HOSTS_MAX];
	char secret[SECRET_BYTES * 2 + 1];
};

static int usage(const char *text)
{
	fprintf(stderr,
		"create: %s\n"
		"  bsradm create RESOURCE --hosts=NAME=ADDRESS[:PORT],NAME=ADDRESS[:PORT]... {--disk=DEVICE | --size=SIZE}\n"
		"  also --disk=NAME=DEVICE,NAME=DEVICE, --protocol=A|B|C, --minor=N, --port=N\n",
		text);
	return ADM_USAGE;
}

/*
 * Copies the part of *@at before @stop or the end, and moves *@at behind it. False if it does not
 * fit or is empty.
 */
static bool take_part(const char **at, char stop, char *out, size_t size)
{
	const char *end = strchr(*at, stop);
	const size_t length = end != NULL ? (size_t)(end - *at) : strlen(*at);

	if (length == 0 || length >= size) {
		return false;
	}
	memcpy(out, *at, length);
	out[length] = '\0';
	*at += length + (end != NULL ? 1 : 0);
	return true;
}

/* "10.0.0.1", "10.0.0.1:7000", "fd01::3", "[fd01::3]:7000" */
static bool parse_host_address(const char *text, struct new_host *host)
{
	const char *port = NULL;
	size_t length = strlen(text);

	if (text[0] == '[') {
		const char *close = strchr(text, ']');
		if (close == NULL || (close[1] != '\0' && close[1] != ':')) {
			return false;
		}
		port = close[1] == ':' ? close + 2 : NULL;
		text++;
		length = (size_t)(close - text);
	} else if (strchr(text, ':') != NULL && strchr(text, ':') == strrchr(text, ':')) {
		length = strcspn(text, ":");
		port = text + length + 1;
	}
	if (length == 0 || length >= sizeof(host->address)) {
		return false;
	}
	memcpy(host->address, text, length);
	host->address[length] = '\0';
	host->port = port != NULL ? (unsigned int)strtoul(port, NULL, 10) : 0;
	return port == NULL || host->port > 0;
}

static int parse_hosts(struct new_resource *r, const char *text)
{
	while (*text != '\0') {
		char entry[256];
		const char *at = entry;
		struct new_host *host = &r->hosts[r->host_count];
		if (r->host_count == HOSTS_MAX) {
			return usage("too many hosts");
		}
		if (!take_part(&text, ',', entry, sizeof(entry)) || strchr(entry, '=') == NULL ||
			!take_part(&at, '=', host->name, sizeof(host->name)) ||
			!parse_host_address(at, host)) {
			return usage("--hosts is NAME=ADDRESS,NAME=ADDRESS");
		}
		r->host_count++;
	}
	return r->host_count >= 2 ? ADM_OK : usage("two hosts at least");
}

/* One device for all hosts, or NAME=DEVICE for each. */
static int parse_disks(struct new_resource *r, const char *text)
{
	if (strchr(text, '=') == NULL) {
		if (strlen(text) >= sizeof(r->disk)) {
			return usage("--disk is too long");
		}
		strcpy(r->disk, text);
		for (size_t i = 0; i < r->host_count; i++) {
			strcpy(r->hosts[i].disk, text);
		}
		return ADM_OK;
	}
	while (*text != '\0') {
		char name[CFG_NAME_CHARS_MAX + 1];
		char disk[256];
		size_t i = 0;
		if (!take_part(&text, '=', name, sizeof(name)) ||
			!take_part(&text, ',', disk, sizeof(disk))) {
			return usage("--disk is DEVICE or NAME=DEVICE,NAME=DEVICE");
		}
		while (i < r->host_count && strcmp(r->hosts[i].name, name) != 0) {
			i++;
		}
		if (i == r->host_count) {
			return usage("--disk names a host that --hosts does not");
		}
		strcpy(r->hosts[i].disk, disk);
	}
	for (size_t i = 0; i < r->host_count; i++) {
		if (r->hosts[i].disk[0] == '\0') {
			strcpy(r->hosts[i].disk, "none");
		}
	}
	return ADM_OK;
}

static int parse_size(struct new_resource *r, const char *text)
{
	const struct bsr_option bytes = {.name = "size",
		.type = BSR_OPTION_NUMBER,
		.unit = BSR_UNIT_BYTES,
		.min = 1 << 20,
		.max = INT64_C(1) << 50};
	struct bsr_option_value value;

	if (bsr_option_parse(&bytes, text, &value) != BSR_OPTION_OK) {
		return usage("--size is a number of bytes with K, M or G, 1M at least");
	}
	const char *lib = getenv("BSR_LIB_DIR");
	r->size_bytes = value.number;
	snprintf(r->disk_directory, sizeof(r->disk_directory), "%.100s/disks",
		lib != NULL && *lib != '\0' ? lib : "/var/lib/bsr");
	for (size_t i = 0; i < r->host_count; i++) {
		snprintf(r->hosts[i].disk, sizeof(r->hosts[i].disk), "%.110s/%.128s.img",
			r->disk_directory, r->name);
	}
	return ADM_OK;
}

static bool minor_is_used(const struct bsr_config *config, long long minor)
{
	for (const struct cfg_resource *r = config->resources.first; r != NULL; r = r->next) {
		for (const struct cfg_host *host = r->hosts.first; host != NULL;
			host = host->next) {
			for (const struct cfg_volume *v = host->expanded.first; v != NULL;
				v = v->next) {
				if (v->minor == minor) {
					return true;
				}
			}
		}
	}
	return false;
}

static bool port_is_used(const struct bsr_config *config, unsigned int port)
{
	for (const struct cfg_resource *r = config->resources.first; r != NULL; r = r->next) {
		for (const struct cfg_host *host = r->hosts.first; host != NULL;
			host = host->next) {
			if (host->address.port == port) {
				return true;
			}
		}
	}
	return false;
}

static bool is_number(const char *text)
{
	const size_t length = strlen(text);

	return length > 0 && length < 9 && strspn(text, "0123456789") == length;
}

static int choose_numbers(struct adm *adm, struct new_resource *r)
{
	const struct adm_given *minor = adm_given_find(adm, "minor");
	const struct adm_given *port = adm_given_find(adm, "port");
	unsigned char bytes[SECRET_BYTES];

	if ((minor != NULL && !is_number(minor->value)) ||
		(port != NULL && !is_number(port->value))) {
		return usage("--minor and --port are numbers");
	}
	r->minor = minor != NULL ? (unsigned int)strtoul(minor->value, NULL, 10) : 0;
	while (minor == NULL && minor_is_used(adm->config, r->minor)) {
		r->minor++;
	}
	r->port = port != NULL ? (unsigned int)strtoul(port->value, NULL, 10) : PORT_FIRST;
	while (port == NULL && port_is_used(adm->config, r->port)) {
		r->port++;
	}
	if (getrandom(bytes, sizeof(bytes), 0) != (ssize_t)sizeof(bytes)) {
		fprintf(stderr, "bsradm: no random numbers to be had\n");
		return ADM_CANNOT;
	}
	for (size_t i = 0; i < sizeof(bytes); i++) {
		snprintf(r->secret + 2 * i, 3, "%02x", bytes[i]);
	}
	return ADM_OK;
}

/* A name as a person would write it: in quotes only if it needs them. */
static void put_name(FILE *to, const char *name)
{
	const size_t length = strlen(name);
	const bool letter =
		(name[0] >= 'a' && name[0] <= 'z') || (name[0] >= 'A' && name[0] <= 'Z');
	const bool bare =
		letter && strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				       "0123456789._-") == length;

	fprintf(to, bare ? "%s" : "\"%s\"", name);
}

static void put_host(FILE *to, const struct new_resource *r, unsigned int node_id)
{
	const struct new_host *host = &r->hosts[node_id];
	const bool v6 = strchr(host->address, ':') != NULL;

	fprintf(to, "    on ");
	put_name(to, host->name);
	fprintf(to, " {\n        node-id   %u;\n", node_id);
	fprintf(to,
		strcmp(host->disk, "none") == 0 ? "        disk      %s;\n"
						: "        disk      \"%s\";\n",
		host->disk);
	fprintf(to, "        address   %s%s%s:%u;\n    }\n", v6 ? "ipv6 [" : "", host->address,
		v6 ? "]" : "", host->port != 0 ? host->port : r->port);
}

/* The text of the file; the caller frees it. */
static char *make_text(const struct new_resource *r)
{
	char *text = NULL;
	size_t size;
	FILE *to = open_memstream(&text, &size);

	if (to == NULL) {
		return NULL;
	}
	fprintf(to, "resource ");
	put_name(to, r->name);
	fprintf(to, " {\n    device    minor %u;\n    meta-disk internal;\n", r->minor);
	fprintf(to, "    net {\n        protocol      %s;\n        cram-hmac-alg sha256;\n",
		r->protocol);
	fprintf(to, "        shared-secret \"%s\";\n    }\n", r->secret);
	for (unsigned int i = 0; i < r->host_count; i++) {
		put_host(to, r, i);
	}
	if (r->host_count > 2) {
		fprintf(to, "    connection-mesh {\n        hosts");
		for (size_t i = 0; i < r->host_count; i++) {
			fputc(' ', to);
			put_name(to, r->hosts[i].name);
		}
		fprintf(to, ";\n    }\n");
	}
	fprintf(to, "}\n");
	fclose(to);
	return text;
}

/*
 * Writes a new file in one piece; -EEXIST if there is one. It may hold a secret: only root reads
 * it.
 */
static int write_new_file(const char *path, const char *text)
{
	const size_t size = strlen(text);
	const int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

	if (fd < 0) {
		return -errno;
	}
	int rc = 0;
	for (size_t done = 0; done < size && rc == 0;) {
		const ssize_t written = write(fd, text + done, size - done);
		if (written > 0) {
			done += (size_t)written;
		} else if (written == 0 || errno != EINTR) {
			rc = written < 0 ? -errno : -EIO;
		}
	}
	if (rc == 0 && fsync(fd) != 0) {
		rc = -errno;
	}
	close(fd);
	if (rc != 0) {
		unlink(path);
	}
	return rc;
}

static int report_file(const char *path, int rc)
{
	if (rc != 0) {
		fprintf(stderr, "create: cannot write %s: %s\n", path, strerror(-rc));
		return ADM_CANNOT;
	}
	return ADM_OK;
}

/* Where there is no configuration at all, the usual frame is made. */
static int make_frame(const struct adm *adm, const char *directory)
{
	char path[PATH_MAX];

	if (access(adm->config_file, F_OK) == 0) {
		return ADM_OK;
	}
	snprintf(path, sizeof(path), "%.4000s/bsr.d/global_common.conf", directory);
	int rc = write_new_file(path, "global {\n    usage-count no;\n}\n\ncommon {\n}\n");
	if (rc != 0 && rc != -EEXIST) {
		return report_file(path, rc);
	}
	return report_file(adm->config_file,
		write_new_file(adm->config_file,
			"include \"bsr.d/global_common.conf\";\ninclude \"bsr.d/*.res\";\n"));
}

/* The configuration with the new text must be valid before anything is written. */
static bool is_valid_with(struct adm *adm, const char *path, const char *text)
{
	struct bsr_config *config = bsr_config_new();

	if (config == NULL) {
		return false;
	}
	if (access(adm->config_file, F_OK) == 0) {
		(void)bsr_config_read_file(config, adm->config_file);
	}
	bsr_config_read_buffer(config, path, text, strlen(text));
	bsr_config_expand(config);
	const bool valid = bsr_config_error_count(config) == 0;
	if (!valid) {
		bsr_config_print_diagnostics(config, stderr);
	}
	bsr_config_free(config);
	return valid;
}

/* With --size the disk of this host is a file; it must not exist yet. */
static int make_disk(const struct new_resource *r)
{
	const char *path = r->hosts[0].disk;

	char parent[256];
	strcpy(parent, r->disk_directory);
	*strrchr(parent, '/') = '\0';
	if (mkdir(parent, 0755) != 0 && errno != EEXIST) {
		return report_file(parent, -errno);
	}
	if (mkdir(r->disk_directory, 0700) != 0 && errno != EEXIST) {
		return report_file(r->disk_directory, -errno);
	}
	const int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0) {
		return report_file(path, -errno);
	}
	const int rc = ftruncate(fd, r->size_bytes) == 0 ? 0 : -errno;
	close(fd);
	return report_file(path, rc);
}

static void print_next_steps(const struct new_resource *r, const char *path)
{
	printf("\nWritten to %s. Next:\n  copy the file to the same place on ", path);
	for (size_t i = 1; i < r->host_count; i++) {
		printf("%s%s", i > 1 ? ", " : "", r->hosts[i].name);
	}
	printf(" (it holds the secret: mode 0600)\n");
	if (r->size_bytes > 0) {
		printf("  on the others:      mkdir -p %s && truncate -s %lld %s\n",
			r->disk_directory, r->size_bytes, r->hosts[0].disk);
	}
	printf("  on every host:      bsradm check %s\n", r->name);
	printf("  on every host:      bsradm create-md %s && bsradm up %s\n", r->name, r->name);
	printf("  on one, once:       bsradm primary --force %s\n", r->name);
	printf("  then there:         mkfs and mount /dev/bsr%u\n", r->minor);
}

static int parse_request(struct adm *adm, struct new_resource *r)
{
	const struct adm_given *hosts = adm_given_find(adm, "hosts");
	const struct adm_given *disk = adm_given_find(adm, "disk");
	const struct adm_given *size = adm_given_find(adm, "size");
	const struct adm_given *protocol = adm_given_find(adm, "protocol");

	if (hosts == NULL) {
		return usage("--hosts is missing");
	}
	if ((disk == NULL) == (size == NULL)) {
		return usage("one of --disk and --size is needed");
	}
	r->protocol = protocol != NULL ? protocol->value : "C";
	int code = parse_hosts(r, hosts->value);
	if (code == ADM_OK) {
		code = disk != NULL ? parse_disks(r, disk->value) : parse_size(r, size->value);
	}
	return code == ADM_OK ? choose_numbers(adm, r) : code;
}

static bool exists_already(const struct adm *adm, const char *name)
{
	const struct cfg_resource *resource = bsr_config_find_resource(adm->config, name);

	if (resource == NULL) {
		return false;
	}
	fprintf(stderr, "resource %s exists already: %s:%u; change that file and `bsradm adjust %s`, or choose another name\n",
		name, resource->at.file, resource->at.line, name);
	return true;
}

static int write_resource(struct adm *adm, const struct new_resource *r, const char *text)
{
	char directory[PATH_MAX];
	char path[PATH_MAX];

	snprintf(directory, sizeof(directory), "%.3000s", adm->config_file);
	char *slash = strrchr(directory, '/');
	if (slash == NULL) {
		strcpy(directory, ".");
	} else {
		*slash = '\0';
	}
	snprintf(path, sizeof(path), "%.3000s/bsr.d/%.128s.res", directory, r->name);
	if (!is_valid_with(adm, path, text)) {
		return ADM_INVALID;
	}
	fputs(text, stdout);
	if (adm->dry_run) {
		return ADM_OK;
	}
	snprintf(directory + strlen(directory), sizeof(directory) - strlen(directory), "/bsr.d");
	if (mkdir(directory, 0755) != 0 && errno != EEXIST) {
		return report_file(directory, -errno);
	}
	*strrchr(directory, '/') = '\0';
	int code = r->size_bytes > 0 ? make_disk(r) : ADM_OK;
	if (code == ADM_OK) {
		code = report_file(path, write_new_file(path, text));
	}
	if (code == ADM_OK) {
		code = make_frame(adm, directory);
	}
	if (code == ADM_OK) {
		print_next_steps(r, path);
	}
	return code;
}

int adm_create(struct adm *adm, const struct adm_context *context)
{
	struct new_resource *r = calloc(1, sizeof(*r));
	int code;

	(void)context;
	if (r == NULL) {
		return ADM_CANNOT;
	}
	if (adm->argument_count != 1) {
		code = usage("one name of a resource is needed");
	} else {
		r->name = adm->arguments[0];
		code = exists_already(adm, r->name) ? ADM_INVALID : parse_request(adm, r);
	}
	if (code == ADM_OK) {
		char *text = make_text(r);
		code = text != NULL ? write_resource(adm, r, text) : ADM_CANNOT;
		free(text);
	}
	free(r);
	return code;
}
