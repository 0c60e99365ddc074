// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * links_test.c - names under /dev come, follow their volume, and go without taking anything else
 * along
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "device.h"

static char dir[64];

static const char *target_of(const char *name)
{
	static char target[128];
	char path[256];
	(void)snprintf(path, sizeof(path), "%s/%s", dir, name);
	const ssize_t bytes = readlink(path, target, sizeof(target) - 1);
	if (bytes < 0) {
		return NULL;
	}
	target[bytes] = '\0';
	return target;
}

static void links_come_change_and_go(void **state)
{
	(void)state;
	assert_int_equal(bsr_device_link(3, "r0", 0, "/dev/loop7"), 0);
	assert_int_equal(bsr_device_link(4, "r0", 1, "/dev/loop8"), 0);
	assert_string_equal(target_of("bsr3"), "/dev/loop7");
	assert_string_equal(target_of("bsr/by-res/r0/0"), "/dev/loop7");
	assert_int_equal(bsr_device_link(3, "r0", 0, "/dev/loop9"), 0);
	assert_string_equal(target_of("bsr3"), "/dev/loop9");
	assert_string_equal(target_of("bsr/by-res/r0/0"), "/dev/loop9");
	assert_int_equal(bsr_device_unlink(3, "r0", 0), 0);
	assert_int_equal(bsr_device_unlink(3, "r0", 0), 0);
	assert_null(target_of("bsr3"));
	assert_string_equal(target_of("bsr/by-res/r0/1"), "/dev/loop8");
	assert_int_equal(bsr_device_unlink(4, "r0", 1), 0);
	char path[128];
	(void)snprintf(path, sizeof(path), "%s/bsr/by-res/r0", dir);
	assert_int_equal(access(path, F_OK), -1);
}

static void what_is_not_a_link_is_not_touched(void **state)
{
	(void)state;
	char path[128];
	(void)snprintf(path, sizeof(path), "%s/bsr5", dir);
	FILE *file = fopen(path, "w");
	assert_non_null(file);
	assert_int_equal(fclose(file), 0);
	assert_int_equal(bsr_device_link(5, "r0", 0, "/dev/loop7"), -EEXIST);
	assert_int_equal(bsr_device_unlink(5, "r0", 0), -EEXIST);
	assert_int_equal(access(path, F_OK), 0);
	assert_int_equal(unlink(path), 0);
}

static void names_stay_below_the_directory(void **state)
{
	(void)state;
	assert_int_equal(bsr_device_link(6, "../r0", 0, "/dev/loop7"), -EINVAL);
	assert_int_equal(bsr_device_link(6, "..", 0, "/dev/loop7"), -EINVAL);
	assert_int_equal(bsr_device_link(6, "", 0, "/dev/loop7"), -EINVAL);
	assert_int_equal(bsr_device_unlink(6, "a/b", 0), -EINVAL);
	assert_null(target_of("bsr6"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(links_come_change_and_go),
		cmocka_unit_test(what_is_not_a_link_is_not_touched),
		cmocka_unit_test(names_stay_below_the_directory),
	};
	char command[128];
	(void)snprintf(dir, sizeof(dir), "/tmp/bsr-links-XXXXXX");
	if (mkdtemp(dir) == NULL || setenv("BSR_DEV_DIR", dir, 1) != 0) {
		return 1;
	}
	const int failures = cmocka_run_group_tests(tests, NULL, NULL);
	(void)snprintf(command, sizeof(command), "rm -rf '%s'", dir);
	return system(command) == 0 ? failures : 1;
}
