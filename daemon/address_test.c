// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * address_test.c - what is an address of a path and what is not
 */
#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "bsrd.h"

static void expect(const char *text, const char *host, unsigned port)
{
	struct sockaddr_storage a;
	char why[200] = "", shown[INET6_ADDRSTRLEN];
	assert_int_equal(bsrd_address_parse(text, &a, why, sizeof(why)), 0);
	if (a.ss_family == AF_INET) {
		const struct sockaddr_in *v4 = (const struct sockaddr_in *)&a;
		assert_int_equal(ntohs(v4->sin_port), port);
		inet_ntop(AF_INET, &v4->sin_addr, shown, sizeof(shown));
	} else {
		const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)&a;
		assert_int_equal(ntohs(v6->sin6_port), port);
		inet_ntop(AF_INET6, &v6->sin6_addr, shown, sizeof(shown));
	}
	assert_string_equal(shown, host);
}

static void addresses_of_both_families_are_understood(void **state)
{
	(void)state;
	expect("ipv4:10.0.0.1:7789", "10.0.0.1", 7789);
	expect("10.0.0.1:7789", "10.0.0.1", 7789);
	expect("10.0.0.1", "10.0.0.1", 7788);
	expect("ipv6:[fd00::1]:7789", "fd00::1", 7789);
	expect("ipv6:[fd00::1]", "fd00::1", 7788);
	expect("ipv6:fd00::1", "fd00::1", 7788);
	expect("ipv4:10.0.0.1:65535", "10.0.0.1", 65535);
	expect("ipv6:[::1%lo]:1", "::1", 1);
}

static void bad_addresses_are_refused_and_named(void **state)
{
	static const char *const bad[] = {"", ":", "ipv4:", "ipv4:10.0.0.1:0", "ipv4:10.0.0.1:65536", "10.0.0.1:",
		"10.0.0.1:77x", "10.0.0:1", "300.0.0.1:1", "ipv6:[fd00::1", "ipv6:[fd00::1]x", "ipv6:[fd00::g]:1",
		"ipv6:[fe80::1%nosuchif]:1", "host.example:7789", "ipv4:10.0.0.1:-1", "ipv4:[10.0.0.1:7789",
		"ipv4:10.0.0.1:00000000000000000000000000000000000000000000000000000000000000000000000007789"};
	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct sockaddr_storage a;
		char why[200] = "";
		if (bsrd_address_parse(bad[i], &a, why, sizeof(why)) == 0) {
			fail_msg("'%s' was accepted", bad[i]);
		}
		assert_non_null(strstr(why, "address"));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(addresses_of_both_families_are_understood),
		cmocka_unit_test(bad_addresses_are_refused_and_named),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
