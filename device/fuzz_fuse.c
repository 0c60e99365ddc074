// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * fuzz_fuse.c - whatever comes through a FUSE channel: the owner sees well-formed requests only,
 * and nothing leaks
 *
 * Input: packets, each a u16 (little-endian) length and that many bytes; with bit 15 set the length
 *        field of the FUSE
 * header is made to fit, so that mutations get past it.
 */
#include <stddef.h>
#include <stdint.h>

#include <linux/fuse.h>

#include "device_test_support.h"
#include "../tests/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct fake *f;
	uint8_t packet[32768];
	if (f == NULL) {
		f = malloc(sizeof(*f));
		BSR_ASSERT(f != NULL);
		fake_create(f, 4u << 20);
	}
	f->seen_count = 0;
	const int fd = fake_fuse(f, FAKE_BYTES);
	while (size >= 2) {
		uint32_t bytes = (uint32_t)data[0] | (uint32_t)(data[1] & 0x7f) << 8;
		const int fit = data[1] & 0x80;
		data += 2;
		size -= 2;
		bytes = bytes < size ? bytes : (uint32_t)size;
		memcpy(packet, data, bytes);
		if (fit && bytes >= sizeof(uint32_t)) {
			memcpy(packet, &bytes, sizeof(bytes));
		}
		data += bytes;
		size -= bytes;
		if (bytes == 0 || send(fd, packet, bytes, MSG_NOSIGNAL) < 0) {
			/* an empty packet would be an end of file, which a channel does not have */
			break;
		}
		fake_turns(f, 1);
		while (recv(fd, packet, sizeof(packet), MSG_TRUNC) > 0) {
		}
	}
	fake_turns(f, 2);
	bsr_fuse_stop(f->devices, 0);
	BSR_ASSERT(bsr_pool_in_use(f->pool) == 0 && bsr_devices_pending(f->devices, 0) == 0);
	close(fd);
	return 0;
}

size_t bsr_fuzz_example(uint32_t index, uint8_t *out, size_t room)
{
	static const uint32_t opcodes[] = {FUSE_INIT, FUSE_WRITE, FUSE_READ, FUSE_FALLOCATE, FUSE_SETATTR, FUSE_FSYNC,
		FUSE_GETATTR, FUSE_OPEN, FUSE_STATFS, FUSE_GETXATTR, FUSE_INTERRUPT};
	if (index >= sizeof(opcodes) / sizeof(opcodes[0])) {
		return 0;
	}
	size_t at = 0;
	for (uint32_t i = 0; i <= index; i++) {
		const uint32_t payload = opcodes[i] == FUSE_WRITE ? 1024 : 0;
		const uint32_t bytes = 104 + payload;
		struct fuse_in_header in = {.len = bytes, .opcode = opcodes[i], .unique = 2 + 2 * i};
		struct fuse_write_in body = {.offset = 4096, .size = 1024};
		if (opcodes[i] == FUSE_WRITE) {
			body.size = bytes - 80;
		}
		if (at + 2 + bytes > room) {
			return 0;
		}
		memset(out + at, 0, 2 + bytes);
		out[at] = (uint8_t)bytes;
		out[at + 1] = (uint8_t)(0x80 | bytes >> 8);
		memcpy(out + at + 2, &in, sizeof(in));
		memcpy(out + at + 2 + sizeof(in), &body, sizeof(body));
		at += 2 + bytes;
	}
	return at;
}
