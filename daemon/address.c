// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * address.c - addresses of paths: "ipv4:10.0.0.1:7789", "ipv6:[fd00::1%eth0]:7789"
 */
#include "bsrd.h"

#include <arpa/inet.h>
#include <errno.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>

#define DEFAULT_PORT 7788u

static int refuse(char *why, size_t room, const char *text, const char *what)
{
	snprintf(why, room, "address '%s': %s", text, what);
	return -EINVAL;
}

/* Decimal 1..65535 and nothing behind it. */
static bool parse_port(const char *text, uint16_t *port)
{
	uint32_t value = 0;
	size_t digits = 0;
	for (; text[digits] >= '0' && text[digits] <= '9' && digits < 6; digits++) {
		value = value * 10 + (uint32_t)(text[digits] - '0');
	}
	if (digits == 0 || text[digits] != '\0' || value == 0 || value > UINT16_MAX) {
		return false;
	}
	*port = (uint16_t)value;
	return true;
}

static int parse_v4(const char *rest, struct sockaddr_storage *address, uint16_t port)
{
	struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_port = htons(port)};
	if (inet_pton(AF_INET, rest, &v4.sin_addr) != 1) {
		return -EINVAL;
	}
	memcpy(address, &v4, sizeof(v4));
	return 0;
}

static int parse_v6(char *rest, struct sockaddr_storage *address, uint16_t port)
{
	struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_port = htons(port)};
	char *scope = strchr(rest, '%');
	if (scope != NULL) {
		*scope++ = '\0';
		v6.sin6_scope_id = if_nametoindex(scope);
		if (v6.sin6_scope_id == 0) {
			return -ENODEV;
		}
	}
	if (inet_pton(AF_INET6, rest, &v6.sin6_addr) != 1) {
		return -EINVAL;
	}
	memcpy(address, &v6, sizeof(v6));
	return 0;
}

/* Splits "[host]:port" or "host:port" in place; *port_text stays NULL when there is none. */
static bool split_port(char *text, char **host, char **port_text)
{
	*port_text = NULL;
	*host = text;
	if (text[0] == '[') {
		char *end = strchr(text, ']');
		if (end == NULL || (end[1] != '\0' && end[1] != ':')) {
			return false;
		}
		*host = text + 1;
		*port_text = end[1] == ':' ? end + 2 : NULL;
		*end = '\0';
		return true;
	}
	char *colon = strrchr(text, ':');
	/* more than one: an IPv6 address without brackets */
	if (colon != NULL && strchr(text, ':') == colon) {
		*colon = '\0';
		*port_text = colon + 1;
	}
	return true;
}

int bsrd_address_parse(const char *text, struct sockaddr_storage *address, char *why, size_t room)
{
	char copy[BSRD_ADDRESS_TEXT];
	char *host, *port_text, *rest = copy;
	uint16_t port = DEFAULT_PORT;
	if (strlen(text) >= sizeof(copy)) {
		return refuse(why, room, text, "too long");
	}
	memcpy(copy, text, strlen(text) + 1);
	bool v6 = strncmp(rest, "ipv6:", 5) == 0;
	if (v6 || strncmp(rest, "ipv4:", 5) == 0) {
		rest += 5;
	}
	if (!split_port(rest, &host, &port_text)) {
		return refuse(why, room, text, "a ']' is missing or something stands behind it");
	}
	if (port_text != NULL && !parse_port(port_text, &port)) {
		return refuse(why, room, text, "the port must be a number 1..65535");
	}
	memset(address, 0, sizeof(*address));
	int error = v6 ? parse_v6(host, address, port) : parse_v4(host, address, port);
	if (error == -ENODEV) {
		return refuse(why, room, text, "this host has no network interface of that name");
	}
	if (error != 0) {
		return refuse(why, room, text,
			v6 ? "not an IPv6 address; expected ipv6:[ADDRESS]:PORT" :
			     "not an IPv4 address; expected ipv4:ADDRESS:PORT or ipv6:[ADDRESS]:PORT");
	}
	return 0;
}
