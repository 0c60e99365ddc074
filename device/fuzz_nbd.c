// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * fuzz_nbd.c - whatever an NBD client sends: the owner sees well-formed requests only, and nothing
 * leaks or stays behind
 *
 * Input: the client's bytes. A first byte of 1 stands for a finished negotiation, so that mutations
 *        reach transmission.
 * The rest is sent in pieces whose sizes come from the input too, because the server's reading
 * depends on them.
 */
#include <stddef.h>
#include <stdint.h>

#include "device_test_support.h"
#include "nbd_proto.h"
#include "../tests/fuzz.h"

static size_t put_option(uint8_t *out, uint32_t option, const void *data, uint32_t bytes)
{
	uint8_t *p = nbd_put64(out, NBD_OPTION_MAGIC);
	p = nbd_put32(nbd_put32(p, option), bytes);
	memcpy(p, data, bytes);
	return (size_t)(p - out) + bytes;
}

static size_t put_negotiation(uint8_t *out)
{
	static const uint8_t go[] = {0, 0, 0, 1, 'v', 0, 1, 0, 3};
	(void)nbd_put32(out, NBD_FLAG_FIXED_NEWSTYLE | NBD_FLAG_NO_ZEROES);
	const size_t at = 4 + put_option(out + 4, NBD_OPT_STRUCTURED_REPLY, "", 0);
	return at + put_option(out + at, NBD_OPT_GO, go, sizeof(go));
}

static size_t put_request(uint8_t *out, uint32_t type, uint64_t offset, uint32_t bytes)
{
	uint8_t *p = nbd_put32(out, NBD_REQUEST_MAGIC);
	p = nbd_put16(nbd_put16(p, 0), type);
	p = nbd_put64(nbd_put64(p, 0x1122334455667788ull), offset);
	p = nbd_put32(p, bytes);
	if (type == NBD_CMD_WRITE) {
		memset(p, 0x5a, bytes);
		p += bytes;
	}
	return (size_t)(p - out);
}

static void exchange(struct fake *f, int fd, const uint8_t *data, size_t size)
{
	uint8_t sink[65536];
	uint32_t piece = 1;
	while (size > 0) {
		piece = piece * 5 % 8191 + data[0];
		const size_t bytes = piece < size ? piece : size;
		const ssize_t sent = send(fd, data, bytes, MSG_NOSIGNAL);
		fake_turns(f, 1);
		while (recv(fd, sink, sizeof(sink), 0) > 0) {
		}
		if (sent <= 0) {
			return;
		}
		data += sent;
		size -= (size_t)sent;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct fake *f;
	static struct sockaddr_un address;
	static socklen_t address_bytes;
	uint8_t negotiation[256];
	if (f == NULL) {
		f = malloc(sizeof(*f));
		BSR_ASSERT(f != NULL);
		fake_create(f, 4u << 20);
		const int error = bsr_nbd_export(f->devices, 0, "v", FAKE_BYTES);
		BSR_ASSERT(error == 0);
		fake_listen(f, &address, &address_bytes);
	}
	f->seen_count = 0;
	if (size == 0) {
		return 0;
	}
	const int fd = fake_connect(f, &address, address_bytes);
	if (data[0] == 1) {
		exchange(f, fd, negotiation, put_negotiation(negotiation));
	}
	exchange(f, fd, data + 1, size - 1);
	close(fd);
	for (int i = 0; i < 100 && (bsr_nbd_clients(f->devices, 0) > 0 || bsr_pool_in_use(f->pool) > 0); i++) {
		fake_turns(f, 1);
	}
	fake_turns(f, 2);
	BSR_ASSERT(bsr_nbd_clients(f->devices, 0) == 0);
	BSR_ASSERT(bsr_pool_in_use(f->pool) == 0 && bsr_devices_pending(f->devices, 0) == 0);
	return 0;
}

size_t bsr_fuzz_example(uint32_t index, uint8_t *out, size_t room)
{
	static const uint32_t types[] = {NBD_CMD_WRITE, NBD_CMD_WRITE, NBD_CMD_READ, NBD_CMD_FLUSH, NBD_CMD_WRITE,
		NBD_CMD_TRIM, NBD_CMD_WRITE, NBD_CMD_WRITE_ZEROES, NBD_CMD_WRITE, NBD_CMD_DISC};
	static const uint8_t list_meta[] = {0, 0, 0, 1, 'v', 0, 0, 0, 1, 0, 0, 0, 5, 'b', 'a', 's', 'e', ':'};
	if (index > 2 || room < 65536) {
		return 0;
	}
	size_t at = 1;
	out[0] = index < 2 ? 1 : 0;
	if (index == 2) {
		at += put_negotiation(out + at);
		at += put_option(out + at, NBD_OPT_LIST_META_CONTEXT, list_meta, sizeof(list_meta));
		at += put_option(out + at, NBD_OPT_LIST, "", 0);
		at += put_option(out + at, NBD_OPT_EXPORT_NAME, "v", 1);
	}
	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
		at += put_request(out + at, types[i], i * 8192, index == 0 ? 1024 : (uint32_t)(i % 3 + 1) * 4096);
	}
	return at;
}
