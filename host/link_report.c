// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * link_report.c - what links tell people: bounded, so that a flood of garbage does not become a
 * flood of lines
 *
 * Owns:       the token bucket of reports.
 */
#include <arpa/inet.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <bsr/log.h>

#include "link_internal.h"

#define TOKENS_MAX 10u /* lines in a burst; one more per second */

const char *bsr_link_address(const struct sockaddr_storage *address, char *text)
{
	char host[INET6_ADDRSTRLEN] = "?";
	if (address->ss_family == AF_INET) {
		struct sockaddr_in in;
		memcpy(&in, address, sizeof(in));
		(void)inet_ntop(AF_INET, &in.sin_addr, host, sizeof(host));
		(void)snprintf(text, BSR_LINK_ADDRESS_BYTES, "%s:%u", host, ntohs(in.sin_port));
	} else if (address->ss_family == AF_INET6) {
		struct sockaddr_in6 in6;
		memcpy(&in6, address, sizeof(in6));
		(void)inet_ntop(AF_INET6, &in6.sin6_addr, host, sizeof(host));
		(void)snprintf(text, BSR_LINK_ADDRESS_BYTES, "[%s]:%u", host, ntohs(in6.sin6_port));
	} else {
		(void)snprintf(text, BSR_LINK_ADDRESS_BYTES, "unknown address");
	}
	return text;
}

void bsr_peer_say(struct peer *peer, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	(void)vsnprintf(peer->said, sizeof(peer->said), format, args);
	va_end(args);
}

static bool take_token(struct bsr_links *links)
{
	const uint64_t now_ns = bsr_loop_now_ns(links->loop);
	const uint64_t seconds = now_ns > links->report_refill_ns ? (now_ns - links->report_refill_ns) / SECOND_NS : 0;
	if (seconds > 0) {
		links->report_refill_ns += seconds * SECOND_NS;
		links->report_tokens =
			seconds >= TOKENS_MAX - links->report_tokens ? TOKENS_MAX : links->report_tokens + (uint32_t)seconds;
	}
	if (links->report_tokens == 0) {
		links->report_suppressed++;
		return false;
	}
	links->report_tokens--;
	return true;
}

void bsr_links_report(struct bsr_links *links, uint32_t log_number, const struct peer *peer, const char *format, ...)
{
	/* What takes a peer to StandAlone is said once by its nature, and always. */
	const bool must = log_number == BSR_LOGN_LINK_AUTH || log_number == BSR_LOGN_LINK_MISMATCH;
	if (!(must && peer != NULL) && !take_token(links)) {
		return;
	}
	char line[512];
	va_list args;
	va_start(args, format);
	int used = vsnprintf(line, sizeof(line), format, args);
	va_end(args);
	if (links->report_suppressed > 0 && used > 0 && (size_t)used < sizeof(line)) {
		(void)snprintf(line + used, sizeof(line) - (size_t)used, " (%llu lines left out before)",
			(unsigned long long)links->report_suppressed);
		links->report_suppressed = 0;
	}
	links->ops->report(links->ctx, log_number, peer != NULL ? peer->id : UINT32_MAX, line);
}
