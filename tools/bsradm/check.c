// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * check.c - `bsradm check`: is everything there that the configuration needs, and what to do if not
 *
 * Owns:       the list of checks.
 * May touch:  disks (stat), sockets (a bind and a connect), never data.
 */
#include "adm.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <json-c/json.h>
#include <netinet/in.h>
#include <poll.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#define REACH_MS 1000

struct findings {
	unsigned int bad;
	unsigned int doubtful;
	struct json_object *json; /* array of findings, for programs; NULL: text is printed */
	const struct cfg_resource *running; /* the resource as it runs; NULL: it does not */
};

/* Is it the resource itself that has the disk, and the port, in use? */
static bool runs_on_disk(const struct findings *f, const char *path)
{
	const struct cfg_resource *r = f->running;

	for (const struct cfg_volume *v = r == NULL || r->me == NULL ? NULL : r->me->expanded.first; v != NULL; v = v->next) {
		if ((v->disk != NULL && strcmp(v->disk, path) == 0) ||
			(v->meta_disk != NULL && strcmp(v->meta_disk, path) == 0)) {
			return true;
		}
	}
	return false;
}

static bool runs_on_address(const struct findings *f, const struct cfg_address *address)
{
	const struct cfg_connection *c = f->running == NULL ? NULL : f->running->connections.first;

	for (; c != NULL; c = c->next) {
		for (const struct cfg_path *path = c->paths.first; path != NULL; path = path->next) {
			const struct cfg_address *own = &path->end[0].address; /* as `show` prints it */
			if (own->port == address->port && own->host != NULL && strcmp(own->host, address->host) == 0) {
				return true;
			}
		}
	}
	return false;
}

static void report_json(struct findings *f, bool fatal, const struct cfg_location *at, const char *text)
{
	struct json_object *one = json_object_new_object();

	json_object_object_add(one, "severity", json_object_new_string(fatal ? "bad" : "doubtful"));
	if (at != NULL && at->file != NULL) {
		json_object_object_add(one, "file", json_object_new_string(at->file));
		json_object_object_add(one, "line", json_object_new_int64(at->line));
	}
	json_object_object_add(one, "text", json_object_new_string(text));
	json_object_array_add(f->json, one);
}

static void report(struct findings *f, bool fatal, const struct cfg_location *at,
	const char *resource, const char *text)
{
	*(fatal ? &f->bad : &f->doubtful) += 1;
	if (f->json != NULL) {
		report_json(f, fatal, at, text);
		return;
	}
	printf("%s: %s: ", resource, fatal ? "BAD" : "doubtful");
	if (at != NULL && at->file != NULL) {
		printf("%s:%u: ", at->file, at->line);
	}
	printf("%s\n", text);
}

static void check_disk(struct findings *f, const struct cfg_resource *r, const char *path,
	const struct cfg_location *at)
{
	char line[640];
	struct stat st;

	if (stat(path, &st) != 0) {
		snprintf(line, sizeof(line), "disk %s: %s; create it or correct the name", path,
			strerror(errno));
		report(f, true, at, r->name, line);
		return;
	}
	if (!S_ISBLK(st.st_mode) && !S_ISREG(st.st_mode)) {
		snprintf(line, sizeof(line), "disk %s is neither a block device nor a file", path);
		report(f, true, at, r->name, line);
		return;
	}
	if (S_ISREG(st.st_mode)) {
		snprintf(line, sizeof(line),
			"disk %s is a regular file: fine for trying things out", path);
		report(f, false, at, r->name, line);
	}
	const int fd = open(path, O_RDWR | O_CLOEXEC | (S_ISBLK(st.st_mode) ? O_EXCL : 0));
	if (fd < 0 && errno == EBUSY && runs_on_disk(f, path)) {
		return;
	}
	if (fd < 0) {
		snprintf(line, sizeof(line), "disk %s cannot be opened for us alone: %s%s", path,
			strerror(errno),
			errno == EBUSY ? "; it is mounted, or used by something else (lsblk, fuser): end that first" : "");
		report(f, errno != EBUSY, at, r->name, line);
	} else {
		close(fd);
	}
}

static socklen_t to_socket_address(const struct cfg_address *address, struct sockaddr_storage *out)
{
	char bare[128];

	memset(out, 0, sizeof(*out));
	snprintf(bare, sizeof(bare), "%s", address->host);
	bare[strcspn(bare, "%")] = '\0';
	if (strcmp(address->family, "ipv6") == 0) {
		struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)(void *)out;
		v6->sin6_family = AF_INET6;
		v6->sin6_port = htons((uint16_t)address->port);
		return inet_pton(AF_INET6, bare, &v6->sin6_addr) == 1 ? sizeof(*v6) : 0;
	}
	struct sockaddr_in *v4 = (struct sockaddr_in *)(void *)out;
	v4->sin_family = AF_INET;
	v4->sin_port = htons((uint16_t)address->port);
	return inet_pton(AF_INET, bare, &v4->sin_addr) == 1 ? sizeof(*v4) : 0;
}

static void check_own_address(struct adm *adm, struct findings *f, const struct cfg_resource *r,
	const struct cfg_address *address)
{
	struct sockaddr_storage sa;
	char line[320];
	const socklen_t length = to_socket_address(address, &sa);
	const int on = 1;

	if (!bsr_config_address_is_local(adm->config, address)) {
		snprintf(line, sizeof(line), "own address %s is not configured on this host",
			address->host);
		report(f, true, &address->at, r->name, line);
		return;
	}
	const int fd = socket(sa.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || length == 0) {
		return;
	}
	(void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (!runs_on_address(f, address) && bind(fd, (struct sockaddr *)(void *)&sa, length) != 0) {
		snprintf(line, sizeof(line),
			"port %u of %s: %s; see who has it (ss -ltnp), or configure another port on all hosts",
			address->port, address->host, strerror(errno));
		report(f, false, &address->at, r->name, line);
	}
	close(fd);
}

/* A peer that refuses the connection is reachable; it only has not started. */
static void check_peer_address(
	struct findings *f, const struct cfg_resource *r, const struct cfg_address *address)
{
	struct sockaddr_storage sa;
	char line[320];
	const socklen_t length = to_socket_address(address, &sa);
	const int fd = socket(sa.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	int cause = 0;
	socklen_t cause_length = sizeof(cause);

	if (fd < 0 || length == 0) {
		return;
	}
	if (connect(fd, (struct sockaddr *)(void *)&sa, length) != 0) {
		struct pollfd pfd = {.fd = fd, .events = POLLOUT};
		cause = errno;
		if (cause == EINPROGRESS) {
			cause = poll(&pfd, 1, REACH_MS) == 1 ? 0 : ETIMEDOUT;
			if (cause == 0) {
				(void)getsockopt(fd, SOL_SOCKET, SO_ERROR, &cause, &cause_length);
			}
		}
	}
	close(fd);
	if (cause != 0) {
		snprintf(line, sizeof(line), "peer at %s port %u: %s%s", address->host,
			address->port, strerror(cause),
			cause == ECONNREFUSED ? " (reachable, but the resource is not up there)"
					      : "; check network, firewall and the peer");
		report(f, false, &address->at, r->name, line);
	}
}

static void check_secret(
	struct findings *f, const struct cfg_resource *r, const struct cfg_connection *c)
{
	const char *secret = bsr_config_option_text(&c->net, BSR_SECTION_NET, "shared-secret");
	const char *algorithm = bsr_config_option_text(&c->net, BSR_SECTION_NET, "cram-hmac-alg");
	char line[320];

	if (secret == NULL && algorithm != NULL) {
		snprintf(line, sizeof(line),
			"cram-hmac-alg without shared-secret for peer %s: add one to net",
			c->label);
		report(f, true, &c->at, r->name, line);
	} else if (secret == NULL) {
		snprintf(line, sizeof(line),
			"no shared-secret for peer %s: anybody who reaches the port is believed",
			c->label);
		report(f, false, &c->at, r->name, line);
	}
}

static bool is_set_to(const struct cfg_connection *c, const char *option, const char *word)
{
	const char *text = bsr_config_option_text(&c->net, BSR_SECTION_NET, option);

	return text != NULL && strcasecmp(text, word) == 0;
}

/* Combinations that the engine refuses when they are set: better known before. */
static void check_combinations(
	struct findings *f, const struct cfg_resource *r, const struct cfg_connection *c)
{
	const struct bsr_option *sndbuf = bsr_option_find(BSR_SECTION_NET, "sndbuf-size");
	const char *size = bsr_config_option_text(&c->net, BSR_SECTION_NET, "sndbuf-size");
	struct bsr_option_value value;

	if (!is_set_to(c, "on-congestion", "block") && !is_set_to(c, "protocol", "A")) {
		report(f, true, &c->at, r->name, "on-congestion other than block needs protocol A");
	}
	if (is_set_to(c, "fencing", "resource-and-stonith") && is_set_to(c, "protocol", "A")) {
		report(f, true, &c->at, r->name, "fencing resource-and-stonith needs protocol B or C");
	}
	if (is_set_to(c, "allow-two-primaries", "yes") && !is_set_to(c, "protocol", "C")) {
		report(f, true, &c->at, r->name, "allow-two-primaries needs protocol C");
	}
	if (bsr_option_parse(sndbuf, size, &value) == BSR_OPTION_OK && value.number != 0 &&
		(value.number < sndbuf->min || value.number > sndbuf->max)) {
		report(f, true, &c->at, r->name, "sndbuf-size is 0 or at least 10M");
	}
}

static void check_connection(struct adm *adm, struct findings *f, const struct cfg_resource *r,
	const struct cfg_connection *c)
{
	check_secret(f, r, c);
	check_combinations(f, r, c);
	for (const struct cfg_path *path = c->paths.first; path != NULL; path = path->next) {
		const struct cfg_endpoint *own;
		const struct cfg_endpoint *remote;
		bsr_config_path_ends(c, path, &own, &remote);
		check_own_address(adm, f, r, &own->own);
		check_peer_address(f, r, &remote->visible);
	}
}

static void print_json(const struct cfg_resource *r, const struct findings *f)
{
	struct json_object *out = json_object_new_object();

	json_object_object_add(out, "name", json_object_new_string(r->name));
	json_object_object_add(out, "ready", json_object_new_boolean(f->bad == 0));
	json_object_object_add(out, "findings", f->json); /* changes hands */
	printf("%s\n",
		json_object_to_json_string_ext(out, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE));
	json_object_put(out);
}

int adm_check(struct adm *adm, const struct adm_context *context)
{
	const struct cfg_resource *r = context->resource;
	struct findings f = {.json = adm_given_is_on(adm, "json") ? json_object_new_array() : NULL};

	struct cfg_resource *running;

	if (adm_find_running(adm, r->name, &running) == ADM_OK) {
		f.running = running;
	}
	for (const struct cfg_volume *v = r->me->expanded.first; v != NULL; v = v->next) {
		if (bsr_config_is_diskless(v)) {
			continue;
		}
		check_disk(&f, r, v->disk, &v->disk_at);
		if (strcmp(v->meta_index, "internal") != 0) {
			check_disk(&f, r, v->meta_disk, &v->meta_disk_at);
		}
	}
	for (const struct cfg_connection *c = r->connections.first; c != NULL; c = c->next) {
		if (c->self != NULL) {
			check_connection(adm, &f, r, c);
		}
	}
	if (f.json != NULL) {
		print_json(r, &f);
	} else if (f.bad == 0) {
		printf("%s: ready%s\n", r->name, f.doubtful > 0 ? ", with the doubts above" : "");
	}
	return f.bad > 0 ? ADM_INVALID : ADM_OK;
}
