/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * loopdev_internal.h - the keeper's record of one loop device, for loopdev.c and holders.c
 */
#ifndef BSR_LOOPDEV_INTERNAL_H
#define BSR_LOOPDEV_INTERNAL_H

#include <stdint.h>

struct bsr_loopdev {
	int fuse_fd;  /* the channel; the engine has a copy */
	int mount_fd; /* detached mount */
	int image_fd; /* its file */
	int loop_fd;  /* -1: not bound */
	int loop_index;
	uint32_t block_bytes;
};

#endif
