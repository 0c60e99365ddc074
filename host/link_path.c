// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * link_path.c - which path a link stands on
 *
 * Owns: nothing. Either end may have dialed: then the port of that end is a passing one, and only the other end's tells
 *       paths apart that share their addresses.
 */
#include "link_internal.h"

#include <bsr/assert.h>

#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>

static bool same_host(const struct sockaddr_storage *a, const struct sockaddr_storage *b)
{
	if (a->ss_family != b->ss_family) {
		return false;
	}
	if (a->ss_family == AF_INET) {
		const struct sockaddr_in *left = (const struct sockaddr_in *)a;
		const struct sockaddr_in *right = (const struct sockaddr_in *)b;
		return left->sin_addr.s_addr == right->sin_addr.s_addr;
	}
	const struct sockaddr_in6 *left = (const struct sockaddr_in6 *)a;
	const struct sockaddr_in6 *right = (const struct sockaddr_in6 *)b;
	return a->ss_family == AF_INET6 && memcmp(&left->sin6_addr, &right->sin6_addr, sizeof(left->sin6_addr)) == 0;
}

static in_port_t port_of(const struct sockaddr_storage *address)
{
	return address->ss_family == AF_INET ? ((const struct sockaddr_in *)address)->sin_port
					     : ((const struct sockaddr_in6 *)address)->sin6_port;
}

/* 0: another path; 1: same hosts; 2: one end has the configured port, too */
static int likeness(const struct bsr_link_path *path, const struct sockaddr_storage *own,
	const struct sockaddr_storage *remote)
{
	if (!same_host(&path->local, own) || !same_host(&path->remote, remote)) {
		return 0;
	}
	return port_of(&path->local) == port_of(own) || port_of(&path->remote) == port_of(remote) ? 2 : 1;
}

int bsr_links_path(const struct bsr_links *links, uint32_t id)
{
	const struct peer *peer = id < BSR_NODES_MAX ? links->peer[id] : NULL;
	struct sockaddr_storage own = {0};
	struct sockaddr_storage remote = {0};
	socklen_t bytes = sizeof(own);
	int best = 0;
	int found = -1;

	if (peer == NULL || peer->link == NULL) {
		return -1;
	}
	BSR_ASSERT(peer->path_count <= BSR_LINK_PATHS_MAX);
	const int fd = peer->link->stream[BSR_STREAM_CONTROL].watch.fd;
	if (getsockname(fd, (struct sockaddr *)&own, &bytes) != 0) {
		return -1;
	}
	bytes = sizeof(remote);
	if (getpeername(fd, (struct sockaddr *)&remote, &bytes) != 0) {
		return -1;
	}
	for (uint32_t i = 0; i < peer->path_count; i++) {
		const int like = likeness(&peer->path[i], &own, &remote);
		if (like > best) {
			best = like;
			found = (int)i;
		}
	}
	return found;
}
