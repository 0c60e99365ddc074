// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * control_pretend.c - a resource's control socket with nothing behind it, to test tools against
 *
 * Usage: bsrd-pretend RESOURCE; serves $BSR_RUN_DIR/RESOURCE.sock in the foreground until `down`.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "control_fakes.h"

static struct bsrd d;

static void on_turn(void *ctx)
{
	(void)ctx;
	fakes_turn(&d);
	if (fakes.ended != 0) {
		bsr_loop_stop(d.loop);
	}
}

int main(int argc, char **argv)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	const char *dir = getenv("BSR_RUN_DIR");
	if (argc != 2 || dir == NULL || strlen(argv[1]) > BSR_NAME_BYTES_MAX ||
		snprintf(address.sun_path, sizeof(address.sun_path), "%s/%s.sock", dir, argv[1]) >=
			(int)sizeof(address.sun_path)) {
		fprintf(stderr, "usage: BSR_RUN_DIR=DIR %s RESOURCE\n", argv[0]);
		return 1;
	}
	fakes_setup(&d);
	memcpy(d.running.resource, argv[1], strlen(argv[1]) + 1);
	bsr_loop_on_turn(d.loop, on_turn, NULL);
	unlink(address.sun_path);
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof(address)) != 0 || listen(fd, 64) != 0 ||
		bsr_control_create(&d.control, &d, fd) != 0) {
		perror(address.sun_path);
		return 1;
	}
	int rc = bsr_loop_run(d.loop);
	unlink(address.sun_path);
	return rc == 0 ? 0 : 1;
}
