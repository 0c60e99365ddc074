// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * fuzz_wire.c - every decoder of the native protocol against arbitrary bytes
 *
 * Input: one byte chooses the decoder, the rest is a body (or a header). What a decoder accepts
 *        must encode to the
 * same bytes again: that finds fields that were not looked at.
 */
#include <stdlib.h>
#include <string.h>

#include <bsr/wire.h>
#include "../tests/fuzz.h"

#define ROOM (BSR_WIRE_HEADER_BYTES + BSR_WIRE_BODY_BYTES_MAX)

static uint8_t again[ROOM];

#define TARGET(name, type)                                                                         \
	static void try_##name(const uint8_t *body, uint32_t bytes)                                \
	{                                                                                          \
		static struct bsr_msg_##name m;                                                    \
		if (bsr_msg_##name##_decode(&m, body, bytes) == 0) {                               \
			const uint32_t out = bsr_msg_##name##_encode(again, ROOM, type, 0, &m);    \
			if (out != BSR_WIRE_HEADER_BYTES + bytes ||                                \
				memcmp(again + BSR_WIRE_HEADER_BYTES, body, bytes) != 0) {         \
				abort();                                                           \
			}                                                                          \
		}                                                                                  \
	}
#define TARGETS                                                                                    \
	TARGET(hs_resource, BSR_MSG_HS_RESOURCE)                                                   \
	TARGET(hs_volume, BSR_MSG_HS_VOLUME)                                                       \
	TARGET(hs_confirm, BSR_MSG_HS_CONFIRM)                                                     \
	TARGET(ping, BSR_MSG_PING)                                                                 \
	TARGET(state, BSR_MSG_STATE)                                                               \
	TARGET(gi, BSR_MSG_GI)                                                                     \
	TARGET(twopc, BSR_MSG_TWOPC)                                                               \
	TARGET(acks, BSR_MSG_ACKS)                                                                 \
	TARGET(checkpoint, BSR_MSG_CHECKPOINT)                                                     \
	TARGET(range, BSR_MSG_RESYNC_REQUEST)                                                      \
	TARGET(resync_done, BSR_MSG_RESYNC_DONE)                                                   \
	TARGET(tear_down, BSR_MSG_TEAR_DOWN)                                                       \
	TARGET(write, BSR_MSG_WRITE)                                                               \
	TARGET(bitmap, BSR_MSG_BITMAP)                                                             \
	TARGET(bitmap_end, BSR_MSG_BITMAP_END)                                                     \
	TARGET(hs_mesh, BSR_MSG_HS_MESH)                                                           \
	TARGET(mesh, BSR_MSG_MESH)                                                                 \
	TARGET(volume_offer, BSR_MSG_VOLUME_OFFER)                                                 \
	TARGET(volume_confirm, BSR_MSG_VOLUME_CONFIRM)                                             \
	TARGET(verify, BSR_MSG_VERIFY)                                                             \
	TARGET(verify_reply, BSR_MSG_VERIFY_REPLY)
TARGETS
#undef TARGET

static uint32_t any_checksum(uint32_t crc, const void *data, size_t bytes)
{
	(void)crc;
	(void)bytes;
	/* whatever the header says is right, or nothing would get past the checksum */
	uint32_t stored;
	memcpy(&stored, (const uint8_t *)data + BSR_WIRE_HEADER_BYTES - 4, sizeof(stored));
	return ~__builtin_bswap32(stored);
}

static void try_header(const uint8_t *body, uint32_t bytes)
{
	struct bsr_wire_header h;
	if (bytes < BSR_WIRE_HEADER_BYTES || bsr_wire_header_decode_with(&h, body, any_checksum) != 0) {
		return;
	}
	if (h.body_bytes > BSR_WIRE_BODY_BYTES_MAX || h.payload_bytes > BSR_REQUEST_BYTES_MAX ||
		bsr_msg_word(h.type) == NULL || bsr_msg_stream(h.type) > 1) {
		abort();
	}
	bsr_wire_header_encode(again, &h);
	if (memcmp(again, body, 16) != 0 && h.version == BSR_WIRE_VERSION_MIN) {
		abort();
	}
}

typedef void target_fn(const uint8_t *body, uint32_t bytes);
#define TARGET(name, type) try_##name,
static target_fn *const targets[] = {TARGETS try_header};
#define TARGET_COUNT (sizeof(targets) / sizeof(targets[0]))

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size > 0 && size <= ROOM) {
		targets[data[0] % TARGET_COUNT](data + 1, (uint32_t)size - 1);
	}
	return 0;
}

/* One well-formed body per decoder: made of small numbers, which all of them take. */
static uint32_t example_body(uint32_t index, uint8_t *out)
{
	static const uint8_t words[64];
	switch (index) {
	case 0:
		return bsr_msg_hs_resource_encode(out, ROOM, BSR_MSG_HS_RESOURCE, 0,
			&(struct bsr_msg_hs_resource){.role = 1, .protocol = 3, .volume_count = 1});
	case 1:
		return bsr_msg_hs_volume_encode(out, ROOM, BSR_MSG_HS_VOLUME, 0,
			&(struct bsr_msg_hs_volume){.disk = 9, .size_bytes = 4096, .bitmap = {{0}, {7}}, .history = {{9}}});
	case 2:
		return bsr_msg_hs_confirm_encode(out, ROOM, BSR_MSG_HS_CONFIRM, 0,
			&(struct bsr_msg_hs_confirm){.count = 2, .volume = {{0, 1, 2, 512}, {1, 5, 6, 512}}});
	case 3:
		return bsr_msg_ping_encode(out, ROOM, BSR_MSG_PING, 0, &(struct bsr_msg_ping){1});
	case 4:
		return bsr_msg_state_encode(out, ROOM, BSR_MSG_STATE, 0, &(struct bsr_msg_state){1, 0, 9, 10, 1});
	case 5:
		return bsr_msg_gi_encode(out, ROOM, BSR_MSG_GI, 0, &(struct bsr_msg_gi){1, 1, {5}, {6}});
	case 6:
		return bsr_msg_twopc_encode(out, ROOM, BSR_MSG_TWOPC, 0,
			&(struct bsr_msg_twopc){.step = 3, .kind = 1, .tid = 5, .vnr = UINT32_MAX, .error = -1001});
	case 7:
		return bsr_msg_acks_encode(out, ROOM, BSR_MSG_ACKS, 0,
			&(struct bsr_msg_acks){.count = 3, .ack = {{1, 1}, {2, 2}, {3, 3}}});
	case 8:
		return bsr_msg_checkpoint_encode(
			out, ROOM, BSR_MSG_CHECKPOINT, 0, &(struct bsr_msg_checkpoint){1, true, 0});
	case 9:
		return bsr_msg_range_encode(out, ROOM, BSR_MSG_RESYNC_REQUEST, 0,
			&(struct bsr_msg_range){.vnr = 1, .id = 2, .offset = 512, .length = 512});
	case 10:
		return bsr_msg_resync_done_encode(
			out, ROOM, BSR_MSG_RESYNC_DONE, 0, &(struct bsr_msg_resync_done){1, true, 512, {4}});
	case 11:
		return bsr_msg_tear_down_encode(out, ROOM, BSR_MSG_TEAR_DOWN, 0, &(struct bsr_msg_tear_down){5, 0});
	case 12:
		return bsr_msg_write_encode(out, ROOM, BSR_MSG_WRITE, 0,
			&(struct bsr_msg_write){.write_seq = 1, .length = 512, .op = BSR_OP_WRITE});
	case 13:
		return bsr_msg_bitmap_encode(out, ROOM, BSR_MSG_BITMAP, 0,
			&(struct bsr_msg_bitmap){.bit_count = 512, .encoding = BSR_BITMAP_PLAIN, .words = words});
	case 14:
		return bsr_msg_bitmap_end_encode(out, ROOM, BSR_MSG_BITMAP_END, 0, &(struct bsr_msg_bitmap_end){1, 2});
	case 15:
		return bsr_msg_hs_mesh_encode(out, ROOM, BSR_MSG_HS_MESH, 0,
			&(struct bsr_msg_hs_mesh){.primaries = 2, .lost_node = 1, .lost_dagtag = 3, .count = 1, .volume = {{1, 6, 3}}});
	case 16:
		return bsr_msg_mesh_encode(out, ROOM, BSR_MSG_MESH, 0, &(struct bsr_msg_mesh){1, BSR_MESH_IN_SYNC, 6, 5});
	case 17:
		return bsr_msg_volume_offer_encode(out, ROOM, BSR_MSG_VOLUME_OFFER, 0,
			&(struct bsr_msg_volume_offer){.number = 1, .role = 1, .record = {.disk = 9, .history = {{9}}}});
	case 18:
		return bsr_msg_volume_confirm_encode(out, ROOM, BSR_MSG_VOLUME_CONFIRM, 0,
			&(struct bsr_msg_volume_confirm){.decision = 1, .mine = 1, .theirs = 2, .size_bytes = 512});
	case 19:
		return bsr_msg_verify_encode(out, ROOM, BSR_MSG_VERIFY, 0,
			&(struct bsr_msg_verify){.say = BSR_VERIFY_REFUSED, .digest = 1, .run = 7, .stop = 512, .error = -1008});
	case 20:
		return bsr_msg_verify_reply_encode(out, ROOM, BSR_MSG_VERIFY_REPLY, 0,
			&(struct bsr_msg_verify_reply){.id = 1, .length = 8192, .digest_bytes = 4, .digests = words});
	}
	return 0;
}

size_t bsr_fuzz_example(uint32_t index, uint8_t *out, size_t room)
{
	static uint8_t message[ROOM];
	const uint32_t bytes = example_body(index, message);
	if (bytes == 0 || bytes > room) {
		return 0;
	}
	out[0] = (uint8_t)index;
	memcpy(out + 1, message + BSR_WIRE_HEADER_BYTES, bytes - BSR_WIRE_HEADER_BYTES);
	return 1 + bytes - BSR_WIRE_HEADER_BYTES;
}
