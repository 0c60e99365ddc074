// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * parse_address.c - addresses, and the proxy sections that hold some
 *
 * Owns:       how an address is written: [FAMILY] ADDRESS:PORT.
 * May touch:  the configuration it fills.
 */
#include "parser.h"

#include <arpa/inet.h>
#include <string.h>

static const char *const families[] = {"ipv4", "ipv6", "sdp", "ssocks", "sci"};

static bool parse_ipv6(struct parser *p, struct cfg_address *address)
{
	char text[128];
	char bare[128];
	struct in6_addr ignored;
	const struct cfg_location at = p->token.at;

	if (!parser_at(p, '[')) {
		return parser_syntax_error(p, "'[' before an IPv6 address");
	}
	const bool found = lexer_read_bracket(&p->lexer, text, sizeof(text));
	parser_advance(p);
	if (!found) {
		return false;
	}
	strcpy(bare, text);
	bare[strcspn(bare, "%")] = '\0'; /* the scope is the name of an interface */
	if (inet_pton(AF_INET6, bare, &ignored) != 1) {
		cfg_error(p->config, &at, "'%s' is not an IPv6 address", text);
	}
	address->host = cfg_strdup(p->config, text);
	return true;
}

static bool parse_ipv4(struct parser *p, struct cfg_address *address)
{
	struct in_addr ignored;

	if (p->token.type != TOKEN_IPV4) {
		if (p->token.type == TOKEN_PUNCTUATION && p->token.text[0] == '[') {
			return parser_syntax_error(
				p, "an IPv4 address (or 'ipv6' before one in brackets)");
		}
		return parser_syntax_error(p, "an IPv4 address");
	}
	char canonical[INET_ADDRSTRLEN];
	if (inet_pton(AF_INET, p->token.text, &ignored) != 1) {
		cfg_error(p->config, &p->token.at,
			"'%s' is not an IPv4 address: four numbers from 0 to 255", p->token.text);
		address->host = cfg_strdup(p->config, p->token.text);
	} else {
		inet_ntop(AF_INET, &ignored, canonical, sizeof(canonical));
		address->host = cfg_strdup(p->config, canonical);
	}
	parser_advance(p);
	return true;
}

bool parse_address(struct parser *p, struct cfg_address *address)
{
	*address = (struct cfg_address){.family = "ipv4", .at = p->token.at};
	if (p->token.type == TOKEN_WORD) {
		size_t i = 0;
		while (i < sizeof(families) / sizeof(families[0]) &&
			strcmp(p->token.text, families[i]) != 0) {
			i++;
		}
		if (i == sizeof(families) / sizeof(families[0])) {
			return parser_unknown_word(
				p, families, sizeof(families) / sizeof(families[0]));
		}
		address->family = strcmp(families[i], "sci") == 0 ? "ssocks" : families[i];
		parser_advance(p);
	}
	const bool ok = strcmp(address->family, "ipv6") == 0 ? parse_ipv6(p, address)
							     : parse_ipv4(p, address);
	return ok && parser_expect(p, ':') &&
	       parser_expect_number(p, "port", 1, 65535, &address->port);
}

bool parse_address_statement(struct parser *p, struct cfg_address *address, const char *what)
{
	struct cfg_address parsed;
	const struct cfg_location at = p->keyword_at;

	if (!parse_address(p, &parsed)) {
		return false;
	}
	if (address->host != NULL) {
		cfg_error(p->config, &at, "conflicting use of %s; first used at line %u", what,
			address->at.line);
	} else {
		*address = parsed;
	}
	return parser_expect(p, ';');
}

static bool proxy_inside(struct parser *p, void *object)
{
	return parse_address_statement(p, &((struct cfg_proxy *)object)->inside, "inside");
}

static bool proxy_outside(struct parser *p, void *object)
{
	return parse_address_statement(p, &((struct cfg_proxy *)object)->outside, "outside");
}

static bool proxy_public_inside(struct parser *p, void *object)
{
	return parse_address_statement(
		p, &((struct cfg_proxy *)object)->public_inside, "public-inside");
}

static bool proxy_public_outside(struct parser *p, void *object)
{
	return parse_address_statement(
		p, &((struct cfg_proxy *)object)->public_outside, "public-outside");
}

/* One line of words and numbers, kept as it is. */
static bool parse_plugin_line(struct parser *p, struct cfg_proxy *proxy)
{
	struct cfg_name *line = CFG_NEW(p->config, cfg_name);

	line->at = p->token.at;
	line->text = "";
	do {
		if (p->token.type == TOKEN_END || p->token.type == TOKEN_PUNCTUATION ||
			p->token.type == TOKEN_BAD) {
			return parser_syntax_error(p, "a word of a plugin line");
		}
		if (p->token.text[0] != '\0') {
			line->text = cfg_printf(p->config, "%s%s%s", line->text,
				line->text[0] != '\0' ? " " : "", p->token.text);
		}
		parser_advance(p);
	} while (!parser_at(p, ';'));
	if (line->text[strspn(line->text, " ")] != '\0') {
		CFG_APPEND(&proxy->plugins, line);
	}
	return parser_expect(p, ';');
}

static bool parse_plugin(struct parser *p, struct cfg_proxy *proxy)
{
	if (!parser_expect(p, '{')) {
		return false;
	}
	while (!parser_at(p, '}')) {
		if (p->token.type == TOKEN_END) {
			return parser_syntax_error(p, "a plugin line or '}'");
		}
		if (!parse_plugin_line(p, proxy)) {
			parser_recover(p);
		}
	}
	parser_advance(p);
	return true;
}

/* "{ proxy options, plugin { } }" */
static bool parse_proxy_options(struct parser *p, void *object)
{
	struct cfg_proxy *proxy = object;
	const struct option_target target = {BSR_SECTION_PROXY, &proxy->options};

	if (!parser_expect(p, '{')) {
		return false;
	}
	while (!parser_at(p, '}')) {
		bool ok;
		if (p->token.type == TOKEN_END) {
			return parser_syntax_error(p, "a proxy option or '}'");
		}
		if (parser_accept_word(p, "plugin")) {
			ok = parse_plugin(p, proxy);
		} else {
			ok = parse_option_statement(p, &target, 1);
		}
		if (!ok) {
			parser_recover(p);
		}
	}
	parser_advance(p);
	return true;
}

static const struct statement proxy_statements[] = {
	{"inside", proxy_inside},
	{"outside", proxy_outside},
	{"public-inside", proxy_public_inside},
	{"public-outside", proxy_public_outside},
	{"options", parse_proxy_options},
};

static void note_proxy(struct parser *p)
{
	cfg_warning(p->config, &p->keyword_at,
		"proxy is kept, but no proxy is part of this system: connections go directly to the peer");
}

bool parse_proxy(struct parser *p, void *object)
{
	struct cfg_resource *resource = object;

	(void)parser_once(p, &resource->proxy.at, "proxy section");
	note_proxy(p);
	return parse_proxy_options(p, &resource->proxy);
}

bool parse_proxy_on(struct parser *p, struct cfg_proxy *proxy)
{
	proxy->at = p->keyword_at;
	note_proxy(p);
	if (!parser_accept_word(p, "on")) {
		return parser_syntax_error(p, "'on'");
	}
	if (!parser_expect_names(p, "the name of a host", &proxy->hosts) ||
		!parser_block(p, proxy_statements,
			sizeof(proxy_statements) / sizeof(proxy_statements[0]), proxy)) {
		return false;
	}
	if (proxy->inside.host == NULL || proxy->outside.host == NULL) {
		cfg_error(p->config, &proxy->at, "proxy needs both addresses, inside and outside");
	}
	return true;
}
