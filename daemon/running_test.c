// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * running_test.c - what one engine process writes down, the next one reads, and nothing else is
 * believed
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "running.h"

static struct bsrd_running *fresh(void)
{
	struct bsrd_running *r = malloc(sizeof(*r));
	assert_non_null(r);
	bsrd_running_init(r, "r0");
	return r;
}

static void drop(struct bsrd_running *r)
{
	bsrd_running_clear(r);
	json_object_put(r->options_given);
	free(r);
}

static struct bsrd_running *example(void)
{
	struct bsrd_running *r = fresh();
	r->exists = true;
	r->node_id = 3;
	r->role = BSR_ROLE_PRIMARY;
	struct bsrd_volume *v = &r->volume[5];
	v->exists = true;
	v->vnr = 500;
	v->minor = 77;
	v->attached = true;
	v->md_stride_mib = 128;
	snprintf(v->disk_path, sizeof(v->disk_path), "/dev/disk \"with\" odd\\name");
	snprintf(v->md_path, sizeof(v->md_path), "/dev/md");
	v->md_kind = BSR_MD_INDEXED;
	v->md_index = 9;
	v->disk_given = json_object_new_object();
	json_object_object_add(v->disk_given, "al-extents", json_object_new_string("1237"));
	struct bsrd_peer *p = &r->peer[1];
	p->exists = true;
	p->wanted = true;
	snprintf(p->name, sizeof(p->name), "bob");
	p->net_given = json_object_new_object();
	json_object_object_add(p->net_given, "protocol", json_object_new_string("A"));
	json_object_object_add(p->net_given, "shared-secret", json_object_new_string("s3cret"));
	json_object_object_add(p->net_given, "cram-hmac-alg", json_object_new_string("sha256"));
	p->path_count = 1;
	snprintf(p->path[0].local_text, sizeof(p->path[0].local_text), "ipv4:10.0.0.1:7789");
	snprintf(p->path[0].remote_text, sizeof(p->path[0].remote_text), "ipv6:[fd00::2]:7790");
	p->peer_device_given[5] = json_object_new_object();
	json_object_object_add(p->peer_device_given[5], "c-max-rate", json_object_new_string("4M"));
	return r;
}

static void a_configuration_survives_the_way_through_a_memfd(void **state)
{
	struct bsrd_running *a = example(), *b = fresh();
	char why[300] = "";
	uint64_t bytes = 0;
	(void)state;
	int fd = bsrd_running_to_memfd(a, &bytes);
	assert_true(fd >= 0);
	/* nobody can change it on the way */
	assert_int_equal(write(fd, "x", 1), -1);
	assert_int_equal(ftruncate(fd, 0), -1);
	assert_int_equal(bsrd_running_from_memfd(b, fd, why, sizeof(why)), 0);
	struct json_object *x = bsrd_running_to_json(a), *y = bsrd_running_to_json(b);
	assert_string_equal(json_object_to_json_string(x), json_object_to_json_string(y));
	assert_int_equal(b->role, BSR_ROLE_PRIMARY);
	assert_int_equal(b->volume[5].disk.al_extents, 1237);
	assert_int_equal(b->peer[1].net.protocol, BSR_PROTOCOL_A);
	assert_string_equal(b->peer[1].link.shared_secret, "s3cret");
	assert_int_equal(b->peer[1].path[0].path.remote.ss_family, AF_INET6);
	assert_int_equal(b->peer[1].peer_device[5].c_max_rate_kib, 4096);
	json_object_put(x);
	json_object_put(y);
	close(fd);
	drop(a);
	drop(b);
}

static void an_empty_memfd_is_an_empty_configuration(void **state)
{
	struct bsrd_running *r = fresh();
	char why[300] = "";
	(void)state;
	int fd = memfd_create("t", 0);
	assert_int_equal(bsrd_running_from_memfd(r, fd, why, sizeof(why)), 0);
	assert_false(r->exists);
	close(fd);
	drop(r);
}

static void refused(const char *text)
{
	struct bsrd_running *r = fresh();
	char why[300] = "";
	struct json_object *json = json_tokener_parse(text);
	assert_non_null(json);
	if (bsrd_running_from_json(r, json, why, sizeof(why)) == 0) {
		fail_msg("accepted: %s", text);
	}
	assert_true(strlen(why) > 0);
	json_object_put(json);
	drop(r);
}

#define RESOURCE "\"resource\":{\"name\":\"r0\",\"exists\":true,\"node_id\":0,\"role\":\"Primary\",\"options\":{}}"
#define VOLUME(rest)                                                                                            \
	"{" RESOURCE ",\"peers\":[],\"volumes\":[{\"index\":0,\"vnr\":0,\"minor\":0,\"attached\":true,"          \
	"\"disk\":\"/d\",\"meta_disk\":\"/d\",\"meta_kind\":0,\"meta_index\":0,\"disk_options\":{}" rest "}]}"

static void damaged_configurations_are_refused_with_a_reason(void **state)
{
	(void)state;
	refused("{}");
	refused("[]");
	refused("{\"resource\":3}");
	refused("{\"resource\":{\"name\":\"other\",\"node_id\":0,\"role\":\"Primary\"},\"volumes\":[],\"peers\":[]}");
	refused("{\"resource\":{\"name\":\"r0\",\"node_id\":32,\"role\":\"Primary\"},\"volumes\":[],\"peers\":[]}");
	refused("{\"resource\":{\"name\":\"r0\",\"node_id\":-1,\"role\":\"Primary\"},\"volumes\":[],\"peers\":[]}");
	refused("{" RESOURCE "}");
	refused("{" RESOURCE ",\"volumes\":{},\"peers\":[]}");
	refused("{" RESOURCE ",\"volumes\":[],\"peers\":[7]}");
	refused(VOLUME(",\"index\":64"));
	refused(VOLUME(",\"vnr\":65536"));
	refused(VOLUME(",\"meta_kind\":3"));
	refused(VOLUME(",\"disk\":7"));
	refused(VOLUME(",\"disk_options\":{\"no-such-option\":\"1\"}"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_configuration_survives_the_way_through_a_memfd),
		cmocka_unit_test(an_empty_memfd_is_an_empty_configuration),
		cmocka_unit_test(damaged_configurations_are_refused_with_a_reason),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
