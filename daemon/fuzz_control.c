// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * fuzz_control.c - anything as lines on the control socket
 *
 * The first lines of every run set up a resource, so that what follows gets past the first checks.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "control_fakes.h"
#include "../tests/fuzz.h"

static const char *const opening[] = {
	"{\"id\":1,\"command\":\"new-resource\",\"node_id\":0,\"options\":{}}",
	"{\"id\":2,\"command\":\"new-minor\",\"minor\":1,\"volume\":0}",
	"{\"id\":3,\"command\":\"new-peer\",\"peer\":1,\"options\":{\"_name\":\"bob\"}}",
	"{\"id\":4,\"command\":\"subscribe\",\"statistics\":true}",
};

static const char *const examples[] = {
	"{\"id\":1,\"command\":\"net-options\",\"peer\":1,\"options\":{\"timeout\":\"60\",\"protocol\":\"A\"},"
	"\"set_defaults\":true}\n",
	"{\"id\":2,\"command\":\"attach\",\"minor\":1,\"disk\":\"/dev/x\",\"meta_disk\":\"/dev/x\","
	"\"meta_index\":\"internal\",\"options\":{\"al-extents\":\"1237\",\"size\":\"100M\"}}\n",
	"{\"id\":3,\"command\":\"new-path\",\"peer\":1,\"local\":\"ipv4:10.0.0.1:7000\","
	"\"remote\":\"ipv6:[fd00::1]:7000\"}\n",
	"{\"id\":4,\"command\":\"peer-device-options\",\"peer\":1,\"volume\":0,\"options\":{\"c-max-rate\":\"4M\"}}\n",
	"{\"id\":5,\"command\":\"status\"}\n{\"id\":6,\"command\":\"show\"}\n{\"id\":7,\"command\":\"why\"}\n",
	"{\"id\":8,\"command\":\"new-current-uuid\",\"minor\":1,\"clear_bitmap\":true}\n",
	"{\"id\":8,\"command\":\"settings\",\"options\":{\"log-level-dbg\":\"7\",\"handlers\":\"0\"}}\n",
	"{\"id\":8,\"command\":\"fault\",\"options\":{\"kind\":\"disk\",\"volume\":\"0\",\"op\":\"write\",\"delay\":\"5\",\"count\":\"3\"}}\n"
	"{\"id\":8,\"command\":\"fault\"}\n{\"id\":8,\"command\":\"log\",\"level\":\"5\",\"text\":\"x\"}\n",
	"{\"id\":8,\"command\":\"measure\",\"on\":true}\n{\"id\":8,\"command\":\"counters\"}\n{\"id\":8,\"command\":\"debug\"}\n",
	"{\"command\":\"primary\",\"force\":true}\n{\"command\":\"secondary\"}\n{\"command\":\"down\"}\n{\"command\":\"del-resource\"}\n",
	"{\"command\":\"connect\",\"peer\":1,\"discard_my_data\":true}\n{\"command\":\"disconnect\",\"peer\":1}\n"
	"{\"command\":\"del-path\",\"peer\":1,\"local\":\"ipv4:10.0.0.1:7000\",\"remote\":\"ipv4:10.0.0.2:7000\"}\n"
	"{\"command\":\"del-peer\",\"peer\":1}\n{\"command\":\"forget-peer\",\"peer\":1}\n",
	"{\"command\":\"new-minor\",\"minor\":2,\"volume\":1}\n{\"command\":\"disk-options\",\"minor\":2,\"options\":{\"on-io-error\":"
	"\"detach\"}}\n{\"command\":\"detach\",\"minor\":2}\n{\"command\":\"del-minor\",\"minor\":2}\n",
	"{\"command\":\"invalidate\",\"minor\":1,\"from_peer\":1}\n{\"command\":\"pause-sync\",\"peer\":1,\"volume\":0}\n"
	"{\"command\":\"verify\",\"peer\":1,\"volume\":0,\"start\":0,\"stop\":2048}\n{\"command\":\"verify-stop\",\"peer\":1,\"volume\":0}\n"
	"{\"command\":\"suspend-io\",\"minor\":1}\n{\"command\":\"unsubscribe\"}\n{\"command\":\"ping\"}\n",
	"{\"id\":9,\"command\":\"resource-options\",\"options\":{\"quorum\":\"majority\"}}\n",
};

size_t bsr_fuzz_example(uint32_t index, uint8_t *out, size_t room)
{
	return fuzz_example_text(examples, sizeof(examples) / sizeof(examples[0]), index, out, room);
}

static void never_ready(struct bsr_watch *watch, uint32_t events)
{
	(void)watch; /* the loop does not run here */
	(void)events;
}

static struct bsrd d;
static int listener[2] = {-1, -1};

static void prepare(void)
{
	if (d.loop == NULL) {
		fakes_setup(&d);
	}
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, listener) != 0 ||
		bsr_control_create(&d.control, &d, listener[0]) != 0) {
		abort();
	}
}

static void clean_up(void)
{
	struct control_client *client = &d.control->client[0];
	fakes_turn(&d);
	fakes_turn(&d); /* what the end of the first ones began: collection is switched off */
	if (client->used) {
		bsr_loop_unwatch(d.loop, &client->watch);
		close(client->watch.fd);
		free(client->in);
		free(client->out);
	}
	bsr_loop_unwatch(d.loop, &d.control->listen);
	close(listener[0]);
	close(listener[1]);
	free(d.control);
	d.control = NULL;
	d.engine = NULL;
	fakes_teardown(&d);
	struct bsr_loop *loop = d.loop;
	memset(&fakes, 0, sizeof(fakes));
	fakes.refuse_peer = BSRD_NOBODY;
	d.loop = loop;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	int pair[2];
	prepare();
	struct control_client *client = &d.control->client[0];
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair) != 0) {
		abort();
	}
	*client = (struct control_client){.control = d.control, .used = true, .serial = 1};
	client->in = malloc(BSR_CONTROL_LINE_BYTES_MAX);
	client->watch = (struct bsr_watch){.fd = pair[0], .ready = never_ready};
	if (client->in == NULL || bsr_loop_watch(d.loop, &client->watch) != 0) {
		abort();
	}
	for (size_t i = 0; i < sizeof(opening) / sizeof(opening[0]); i++) {
		(void)control_take_line(client, opening[i], strlen(opening[i]));
		fakes_turn(&d);
	}
	while (size > 0 && client->used && !client->closing) {
		const uint8_t *end = memchr(data, '\n', size);
		size_t length = end == NULL ? size : (size_t)(end - data);
		if (length < BSR_CONTROL_LINE_BYTES_MAX && !control_take_line(client, (const char *)data, length)) {
			fakes_turn(&d);
			continue;
		}
		size_t used = length + (end == NULL ? 0 : 1);
		data += used;
		size -= used;
		if (fakes.ended != 0) {
			break;
		}
	}
	char sink[4096];
	while (recv(pair[1], sink, sizeof(sink), 0) > 0) {
	}
	clean_up();
	close(pair[1]);
	return 0;
}
