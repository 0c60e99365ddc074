// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * wire_test.c - frame header and messages: what goes in comes out, and nothing else is let in
 */
#include "test_support.h"

#include <bsr/crc32c.h>
#include <bsr/engine.h>
#include <bsr/handshake.h>
#include <bsr/wire.h>

#define ROOM (BSR_WIRE_HEADER_BYTES + BSR_WIRE_BODY_BYTES_MAX)
#define ROUNDS 400u

static uint8_t message[ROOM];
static uint8_t words[BSR_BITMAP_BITS_PER_MESSAGE / 8];

union any {
	struct bsr_msg_hs_resource hs_resource;
	struct bsr_msg_hs_volume hs_volume;
	struct bsr_msg_hs_mesh hs_mesh;
	struct bsr_msg_hs_confirm hs_confirm;
	struct bsr_msg_mesh mesh;
	struct bsr_msg_volume_offer volume_offer;
	struct bsr_msg_volume_confirm volume_confirm;
	struct bsr_msg_verify verify;
	struct bsr_msg_verify_reply verify_reply;
	struct bsr_msg_ping ping;
	struct bsr_msg_state state;
	struct bsr_msg_gi gi;
	struct bsr_msg_twopc twopc;
	struct bsr_msg_acks acks;
	struct bsr_msg_checkpoint checkpoint;
	struct bsr_msg_range range;
	struct bsr_msg_resync_done resync_done;
	struct bsr_msg_tear_down tear_down;
	struct bsr_msg_write write;
	struct bsr_msg_bitmap bitmap;
	struct bsr_msg_bitmap_end bitmap_end;
};

static union any sent, got;

/* ---- random content: every legal value has a chance, the edges a large one ---- */

static uint64_t pick(struct test_random *r, uint64_t lowest, uint64_t highest)
{
	switch (test_random_below(r, 4)) {
	case 0:
		return lowest;
	case 1:
		return highest;
	}
	const uint64_t span = highest - lowest;
	return lowest + (span == UINT64_MAX ? test_random_u64(r) : test_random_below(r, span + 1));
}

static bool flip(struct test_random *r)
{
	return test_random_below(r, 2) != 0;
}

static uint8_t pick_disk(struct test_random *r)
{
	const uint8_t disk = (uint8_t)pick(r, 0, BSR_DISK_UP_TO_DATE);
	return disk == BSR_DISK_UNKNOWN ? BSR_DISK_CONSISTENT : disk;
}

static int32_t pick_error(struct test_random *r)
{
	return flip(r) ? 0 : -(int32_t)pick(r, 1, 9999);
}

static void pick_range(struct test_random *r, uint32_t length_max, uint64_t *offset, uint32_t *length)
{
	*length = (uint32_t)pick(r, 1, length_max / 512) * 512;
	*offset = pick(r, 0, (BSR_VOLUME_BYTES_MAX - *length) / 512) * 512;
}

static void make_hs_resource(struct test_random *r, union any *m)
{
	m->hs_resource.node_id = (uint32_t)pick(r, 0, 31);
	m->hs_resource.role = (uint8_t)pick(r, 1, 2);
	m->hs_resource.discard_my_data = flip(r);
	m->hs_resource.tentative = flip(r);
	m->hs_resource.protocol = (uint8_t)pick(r, 1, 3);
	m->hs_resource.volume_count = (uint16_t)pick(r, 0, BSR_VOLUMES_MAX);
	m->hs_resource.dagtag = pick(r, 0, UINT64_MAX);
}

static void make_record(struct test_random *r, struct bsr_msg_hs_volume *v)
{
	v->vnr = (uint32_t)pick(r, 0, BSR_VNR_MAX);
	v->disk = pick_disk(r);
	v->flags = (uint32_t)pick(r, 0, 63) & ~4u;
	v->size_bytes = pick(r, 0, BSR_VOLUME_BYTES_MAX / 512) * 512;
	v->capacity_bytes = pick(r, 0, BSR_VOLUME_BYTES_MAX);
	v->wanted_bytes = pick(r, 0, BSR_VOLUME_BYTES_MAX);
	v->bits = pick(r, 0, BSR_VOLUME_BYTES_MAX / 4096);
	v->current.v = pick(r, 0, UINT64_MAX);
	const uint64_t one_in = pick(r, 1, 6);
	for (uint32_t i = 0; i < BSR_NODES_MAX; i++) {
		v->bitmap[i].v = test_random_below(r, one_in) == 0 ? test_random_u64(r) | 2 : 0;
		v->history[i].v = test_random_below(r, one_in) == 0 ? test_random_u64(r) | 2 : 0;
	}
}

static void make_hs_mesh(struct test_random *r, union any *m)
{
	m->hs_mesh.primaries = (uint32_t)pick(r, 0, UINT32_MAX);
	m->hs_mesh.lost_node = flip(r) ? UINT32_MAX : (uint32_t)pick(r, 0, 31);
	m->hs_mesh.lost_dagtag = pick(r, 0, UINT64_MAX);
	m->hs_mesh.count = (uint16_t)pick(r, 0, BSR_VOLUMES_MAX);
	for (uint32_t i = 0; i < m->hs_mesh.count; i++) {
		m->hs_mesh.volume[i].vnr = (uint32_t)pick(r, 0, BSR_VNR_MAX);
		m->hs_mesh.volume[i].holders = (uint32_t)pick(r, 0, UINT32_MAX);
		m->hs_mesh.volume[i].flags = (uint32_t)pick(r, 0, 3);
	}
}

static void make_mesh(struct test_random *r, union any *m)
{
	m->mesh.kind = (uint8_t)pick(r, BSR_MESH_PEER_ACK, BSR_MESH_HOLDERS);
	const bool resource = m->mesh.kind == BSR_MESH_PEER_ACK || m->mesh.kind == BSR_MESH_PRIMARIES || m->mesh.kind == BSR_MESH_TELL_AGAIN;
	m->mesh.vnr = resource ? UINT32_MAX : (uint32_t)pick(r, 0, BSR_VNR_MAX);
	m->mesh.mask = (uint32_t)pick(r, 0, UINT32_MAX);
	m->mesh.value = pick(r, 0, UINT64_MAX);
}

static void make_hs_volume(struct test_random *r, union any *m)
{
	make_record(r, &m->hs_volume);
}

static void make_volume_offer(struct test_random *r, union any *m)
{
	m->volume_offer.number = pick(r, 1, UINT64_MAX);
	m->volume_offer.role = (uint8_t)pick(r, 1, 2);
	make_record(r, &m->volume_offer.record);
}

static void make_volume_confirm(struct test_random *r, union any *m)
{
	m->volume_confirm.vnr = (uint32_t)pick(r, 0, BSR_VNR_MAX);
	m->volume_confirm.decision = (uint8_t)pick(r, BSR_HS_NO_SYNC, BSR_HS_NO_DISK);
	m->volume_confirm.reason = (uint16_t)pick(r, 0, UINT16_MAX);
	m->volume_confirm.mine = pick(r, 0, UINT64_MAX);
	m->volume_confirm.theirs = pick(r, 0, UINT64_MAX);
	m->volume_confirm.size_bytes = pick(r, 0, BSR_VOLUME_BYTES_MAX / 512) * 512;
}

static void make_verify(struct test_random *r, union any *m)
{
	m->verify.vnr = (uint32_t)pick(r, 0, BSR_VNR_MAX);
	m->verify.say = (uint8_t)pick(r, BSR_VERIFY_START, BSR_VERIFY_ENDED);
	m->verify.digest = (uint8_t)pick(r, 0, 255);
	m->verify.run = pick(r, 1, UINT64_MAX);
	m->verify.start = pick(r, 0, BSR_VOLUME_BYTES_MAX / 512) * 512;
	m->verify.stop = pick(r, 0, BSR_VOLUME_BYTES_MAX / 512) * 512;
	m->verify.found = pick(r, 0, BSR_VOLUME_BYTES_MAX / 512) * 512;
	m->verify.skipped = pick(r, 0, BSR_VOLUME_BYTES_MAX / 512) * 512;
	if (m->verify.say == BSR_VERIFY_REFUSED || (m->verify.say == BSR_VERIFY_ENDED && flip(r))) {
		m->verify.error = -(int32_t)pick(r, 1, 9999);
	}
}

static void make_verify_reply(struct test_random *r, union any *m)
{
	static uint8_t digests[BSR_VERIFY_BLOCKS_MAX * BSR_DIGEST_BYTES_MAX];
	for (uint32_t i = 0; i < sizeof(digests); i++) {
		digests[i] = (uint8_t)test_random_u64(r);
	}
	m->verify_reply.vnr = (uint32_t)pick(r, 0, BSR_VNR_MAX);
	m->verify_reply.id = pick(r, 0, UINT64_MAX);
	pick_range(r, BSR_VERIFY_REQUEST_BYTES_MAX, &m->verify_reply.offset, &m->verify_reply.length);
	m->verify_reply.error = pick_error(r);
	m->verify_reply.digest_bytes = m->verify_reply.error != 0 ? 0 : (uint16_t)pick(r, 1, BSR_DIGEST_BYTES_MAX);
	m->verify_reply.digests = digests;
}

static void make_hs_confirm(struct test_random *r, union any *m)
{
	m->hs_confirm.count = (uint16_t)pick(r, 0, BSR_VOLUMES_MAX);
	for (uint32_t i = 0; i < m->hs_confirm.count; i++) {
		m->hs_confirm.volume[i].vnr = (uint32_t)pick(r, 0, BSR_VNR_MAX);
		m->hs_confirm.volume[i].decision = (uint8_t)pick(r, BSR_HS_NO_SYNC, BSR_HS_NO_DISK);
		m->hs_confirm.volume[i].reason = (uint16_t)pick(r, 0, UINT16_MAX);
		m->hs_confirm.volume[i].size_bytes = pick(r, 0, BSR_VOLUME_BYTES_MAX / 512) * 512;
	}
}

static void make_ping(struct test_random *r, union any *m)
{
	m->ping.nonce = pick(r, 0, UINT64_MAX);
}

static void make_state(struct test_random *r, union any *m)
{
	m->state.role = (uint8_t)pick(r, 1, 2);
	m->state.vnr = test_random_below(r, 4) == 0 ? UINT32_MAX : (uint32_t)pick(r, 0, BSR_VNR_MAX);
	if (m->state.vnr != UINT32_MAX) {
		m->state.disk = pick_disk(r);
		m->state.repl = (uint8_t)pick(r, BSR_REPL_OFF, BSR_REPL_BEHIND);
		m->state.paused = (flip(r) ? BSR_PAUSE_USER : 0) | (flip(r) ? BSR_PAUSE_DEPENDENCY : 0);
	}
}

static void make_gi(struct test_random *r, union any *m)
{
	m->gi.vnr = (uint32_t)pick(r, 0, BSR_VNR_MAX);
	m->gi.flags = (uint32_t)pick(r, 0, 7);
	m->gi.current.v = pick(r, 0, UINT64_MAX);
	m->gi.bitmap.v = pick(r, 0, UINT64_MAX);
}

static void make_twopc(struct test_random *r, union any *m)
{
	m->twopc.step = (uint8_t)pick(r, BSR_TWOPC_PREPARE, BSR_TWOPC_ABORT);
	m->twopc.kind = (uint8_t)pick(r, BSR_TWOPC_PROMOTE, BSR_TWOPC_INVALIDATE_REMOTE);
	m->twopc.tid = (uint32_t)pick(r, 1, UINT32_MAX);
	m->twopc.initiator = (uint32_t)pick(r, 0, 31);
	m->twopc.vnr = flip(r) ? UINT32_MAX : (uint32_t)pick(r, 0, BSR_VNR_MAX);
	m->twopc.flags = (uint32_t)pick(r, 0, 1);
	m->twopc.error = m->twopc.step == BSR_TWOPC_NO ? -(int32_t)pick(r, 1, 9999) : 0;
}

static void make_acks(struct test_random *r, union any *m)
{
	m->acks.count = (uint16_t)pick(r, 1, BSR_WIRE_ACKS_MAX);
	for (uint32_t i = 0; i < m->acks.count; i++) {
		m->acks.ack[i].kind = (uint8_t)pick(r, BSR_ACK_RECEIVED, BSR_ACK_TOOK);
		m->acks.ack[i].write_seq = pick(r, 1, BSR_WIRE_WRITE_SEQ_MAX);
	}
}

static void make_checkpoint(struct test_random *r, union any *m)
{
	m->checkpoint.number = pick(r, 0, UINT64_MAX);
	m->checkpoint.barrier = flip(r);
	m->checkpoint.error = pick_error(r);
}

static void make_range(struct test_random *r, union any *m)
{
	m->range.vnr = (uint32_t)pick(r, 0, BSR_VNR_MAX);
	m->range.id = pick(r, 0, UINT64_MAX);
	pick_range(r, BSR_RANGE_BYTES_MAX, &m->range.offset, &m->range.length);
	m->range.error = pick_error(r);
	m->range.zeroes = m->range.error == 0 && flip(r);
}

static void make_resync_done(struct test_random *r, union any *m)
{
	m->resync_done.vnr = (uint32_t)pick(r, 0, BSR_VNR_MAX);
	m->resync_done.answer = flip(r);
	m->resync_done.failed_bytes = pick(r, 0, BSR_VOLUME_BYTES_MAX);
	m->resync_done.current.v = pick(r, 0, UINT64_MAX);
}

static void make_tear_down(struct test_random *r, union any *m)
{
	m->tear_down.reason = (uint8_t)pick(r, 0, BSR_LINK_REFUSED);
	m->tear_down.error = pick_error(r);
}

static void make_write(struct test_random *r, union any *m)
{
	static const uint8_t ops[] = {BSR_OP_WRITE, BSR_OP_DISCARD, BSR_OP_ZEROES};
	struct bsr_msg_write *w = &m->write;
	w->vnr = (uint32_t)pick(r, 0, BSR_VNR_MAX);
	w->write_seq = pick(r, 1, BSR_WIRE_WRITE_SEQ_MAX);
	w->epoch = pick(r, 0, UINT64_MAX);
	w->dagtag = pick(r, 0, UINT64_MAX);
	w->op = ops[test_random_below(r, 3)];
	w->flags = (uint8_t)pick(r, 0, 3);
	pick_range(r, w->op == BSR_OP_WRITE ? BSR_REQUEST_BYTES_MAX : BSR_RANGE_BYTES_MAX, &w->offset, &w->length);
}

static void make_bitmap(struct test_random *r, union any *m)
{
	struct bsr_msg_bitmap *b = &m->bitmap;
	b->vnr = (uint32_t)pick(r, 0, BSR_VNR_MAX);
	b->encoding = (uint8_t)pick(r, BSR_BITMAP_PLAIN, BSR_BITMAP_ALL_SET);
	b->bit_count = (uint32_t)pick(r, 1, (b->encoding == BSR_BITMAP_PLAIN ? 65536 : 1u << 31) / 64) * 64;
	b->first_bit = pick(r, 0, (BSR_VOLUME_BYTES_MAX / 4096 - b->bit_count) / 64) * 64;
	b->words = b->encoding == BSR_BITMAP_PLAIN ? words : NULL;
	for (uint32_t i = 0; i < sizeof(words); i++) {
		words[i] = (uint8_t)test_random_u64(r);
	}
}

static void make_bitmap_end(struct test_random *r, union any *m)
{
	m->bitmap_end.vnr = (uint32_t)pick(r, 0, BSR_VNR_MAX);
	m->bitmap_end.bits_set = pick(r, 0, BSR_VOLUME_BYTES_MAX / 4096);
}

/* ---- field by field, because padding may differ ---- */

#define SAME(field)                                                                                \
	if (a->field != b->field) {                                                                \
		return false;                                                                      \
	}
#define EQUAL(name, ...)                                                                           \
	static bool equal_##name(const union any *x, const union any *y)                           \
	{                                                                                          \
		const struct bsr_msg_##name *a = &x->name, *b = &y->name;                          \
		__VA_ARGS__ return true;                                                           \
	}

EQUAL(hs_resource, SAME(node_id) SAME(role) SAME(discard_my_data) SAME(tentative) SAME(protocol)
	SAME(volume_count) SAME(dagtag))
EQUAL(hs_volume, SAME(vnr) SAME(disk) SAME(flags) SAME(size_bytes) SAME(capacity_bytes) SAME(wanted_bytes)
	SAME(bits) SAME(current.v) for (uint32_t i = 0; i < 32; i++) { SAME(bitmap[i].v) SAME(history[i].v) })
EQUAL(hs_mesh, SAME(primaries) SAME(lost_node) SAME(lost_dagtag) SAME(count) for (uint32_t i = 0; i < a->count; i++) {
	SAME(volume[i].vnr) SAME(volume[i].holders) SAME(volume[i].flags)
})
EQUAL(mesh, SAME(vnr) SAME(kind) SAME(mask) SAME(value))
EQUAL(hs_confirm, SAME(count) for (uint32_t i = 0; i < a->count; i++) {
	SAME(volume[i].vnr) SAME(volume[i].decision) SAME(volume[i].reason) SAME(volume[i].size_bytes)
})
EQUAL(volume_offer, SAME(number) SAME(role) SAME(record.vnr) SAME(record.disk) SAME(record.flags)
	SAME(record.size_bytes) SAME(record.capacity_bytes) SAME(record.wanted_bytes) SAME(record.bits)
	SAME(record.current.v)
	for (uint32_t i = 0; i < 32; i++) { SAME(record.bitmap[i].v) SAME(record.history[i].v) })
EQUAL(volume_confirm, SAME(vnr) SAME(decision) SAME(reason) SAME(mine) SAME(theirs) SAME(size_bytes))
EQUAL(verify, SAME(vnr) SAME(say) SAME(digest) SAME(run) SAME(start) SAME(stop) SAME(found) SAME(skipped) SAME(error))
EQUAL(verify_reply, SAME(vnr) SAME(id) SAME(offset) SAME(length) SAME(error) SAME(digest_bytes)
	if (memcmp(a->digests, b->digests, (a->length + 4095) / 4096 * a->digest_bytes) != 0) { return false; })
EQUAL(ping, SAME(nonce))
EQUAL(state, SAME(role) SAME(vnr) SAME(disk) SAME(repl) SAME(paused))
EQUAL(gi, SAME(vnr) SAME(flags) SAME(current.v) SAME(bitmap.v))
EQUAL(twopc, SAME(step) SAME(kind) SAME(tid) SAME(initiator) SAME(vnr) SAME(flags) SAME(error))
EQUAL(acks, SAME(count) for (uint32_t i = 0; i < a->count; i++) { SAME(ack[i].kind) SAME(ack[i].write_seq) })
EQUAL(checkpoint, SAME(number) SAME(barrier) SAME(error))
EQUAL(range, SAME(vnr) SAME(id) SAME(offset) SAME(length) SAME(error) SAME(zeroes))
EQUAL(resync_done, SAME(vnr) SAME(answer) SAME(failed_bytes) SAME(current.v))
EQUAL(tear_down, SAME(reason) SAME(error))
EQUAL(write, SAME(vnr) SAME(write_seq) SAME(epoch) SAME(dagtag) SAME(offset) SAME(length) SAME(op) SAME(flags))
EQUAL(bitmap, SAME(vnr) SAME(first_bit) SAME(bit_count) SAME(encoding)
	if (a->encoding == BSR_BITMAP_PLAIN && memcmp(a->words, b->words, a->bit_count / 8) != 0) { return false; })
EQUAL(bitmap_end, SAME(vnr) SAME(bits_set))

struct kind {
	const char *name;
	enum bsr_msg_type type;
	void (*make)(struct test_random *r, union any *m);
	bool (*equal)(const union any *x, const union any *y);
	uint32_t (*encode)(uint8_t *out, uint32_t room, uint32_t payload_bytes, const union any *m);
	int (*decode)(union any *m, const uint8_t *body, uint32_t body_bytes);
};

#define KIND(name, type)                                                                           \
	static uint32_t encode_##name(uint8_t *out, uint32_t room, uint32_t payload, const union any *m) \
	{                                                                                          \
		return bsr_msg_##name##_encode(out, room, type, payload, &m->name);                \
	}                                                                                          \
	static int decode_##name(union any *m, const uint8_t *body, uint32_t body_bytes)           \
	{                                                                                          \
		return bsr_msg_##name##_decode(&m->name, body, body_bytes);                        \
	}
#define KINDS                                                                                      \
	KIND(hs_resource, BSR_MSG_HS_RESOURCE)                                                     \
	KIND(hs_volume, BSR_MSG_HS_VOLUME)                                                         \
	KIND(hs_confirm, BSR_MSG_HS_CONFIRM)                                                       \
	KIND(volume_offer, BSR_MSG_VOLUME_OFFER)                                                   \
	KIND(volume_confirm, BSR_MSG_VOLUME_CONFIRM)                                               \
	KIND(verify, BSR_MSG_VERIFY)                                                               \
	KIND(verify_reply, BSR_MSG_VERIFY_REPLY)                                                   \
	KIND(ping, BSR_MSG_PING)                                                                   \
	KIND(state, BSR_MSG_STATE)                                                                 \
	KIND(gi, BSR_MSG_GI)                                                                       \
	KIND(twopc, BSR_MSG_TWOPC)                                                                 \
	KIND(acks, BSR_MSG_ACKS)                                                                   \
	KIND(checkpoint, BSR_MSG_CHECKPOINT)                                                       \
	KIND(range, BSR_MSG_RESYNC_REQUEST)                                                        \
	KIND(resync_done, BSR_MSG_RESYNC_DONE)                                                     \
	KIND(tear_down, BSR_MSG_TEAR_DOWN)                                                         \
	KIND(write, BSR_MSG_WRITE)                                                                 \
	KIND(bitmap, BSR_MSG_BITMAP)                                                               \
	KIND(bitmap_end, BSR_MSG_BITMAP_END)                                                       \
	KIND(hs_mesh, BSR_MSG_HS_MESH)                                                             \
	KIND(mesh, BSR_MSG_MESH)
KINDS
#undef KIND
#define KIND(name, type) {#name, type, make_##name, equal_##name, encode_##name, decode_##name},
static const struct kind kinds[] = {KINDS};
#define KIND_COUNT (sizeof(kinds) / sizeof(kinds[0]))

static uint32_t make_message(const struct kind *kind, struct test_random *r)
{
	memset(&sent, 0, sizeof(sent));
	kind->make(r, &sent);
	memset(message, 0xee, sizeof(message));
	return kind->encode(message, sizeof(message), 4096, &sent) - BSR_WIRE_HEADER_BYTES;
}

static void every_message_survives_the_way(void **state)
{
	(void)state;
	for (size_t k = 0; k < KIND_COUNT; k++) {
		struct test_random r = {1000 + k};
		for (uint32_t round = 0; round < ROUNDS; round++) {
			const uint32_t body_bytes = make_message(&kinds[k], &r);
			bsr_wire_seal(message, round + 1, 77);
			struct bsr_wire_header h;
			assert_int_equal(bsr_wire_header_decode(&h, message), 0);
			assert_int_equal(h.type, kinds[k].type);
			assert_int_equal(h.body_bytes, body_bytes);
			assert_int_equal(h.payload_bytes, 4096);
			assert_int_equal(h.sequence, round + 1);
			assert_int_equal(h.content_crc, 77);
			memset(&got, 0xa5, sizeof(got));
			const int result = kinds[k].decode(&got, message + BSR_WIRE_HEADER_BYTES, body_bytes);
			if (result != 0 || !kinds[k].equal(&sent, &got)) {
				fail_msg("%s, round %u: decoded with %d", kinds[k].name, round, result);
			}
		}
	}
}

static void no_message_is_taken_at_another_length(void **state)
{
	(void)state;
	for (size_t k = 0; k < KIND_COUNT; k++) {
		struct test_random r = {2000 + k};
		for (uint32_t round = 0; round < 8; round++) {
			const uint32_t body_bytes = make_message(&kinds[k], &r);
			/*
			 * an own allocation per length, so that a sanitizer sees each byte read too
			 * many
			 */
			for (uint32_t length = 0; length <= body_bytes + 9; length++) {
				uint8_t *body = malloc(length + 1);
				assert_non_null(body);
				memcpy(body, message + BSR_WIRE_HEADER_BYTES, length);
				const int result = kinds[k].decode(&got, body, length);
				free(body);
				if (length == body_bytes ? result != 0 : result >= 0) {
					fail_msg("%s of %u bytes: %d at length %u", kinds[k].name, body_bytes,
						result, length);
				}
			}
		}
	}
}

/*
 * A decoder that accepts changed bytes must have understood all of them: encoding again gives the
 * same bytes.
 */
static void what_is_accepted_is_understood_completely(void **state)
{
	(void)state;
	static uint8_t again[ROOM];
	for (size_t k = 0; k < KIND_COUNT; k++) {
		struct test_random r = {3000 + k};
		uint32_t refused = 0;
		for (uint32_t round = 0; round < 4000; round++) {
			const uint32_t body_bytes = make_message(&kinds[k], &r);
			uint8_t *body = message + BSR_WIRE_HEADER_BYTES;
			const uint32_t near = body_bytes < 80 ? body_bytes : 80;
			body[test_random_below(&r, near)] ^= (uint8_t)(1u << test_random_below(&r, 8));
			if (kinds[k].decode(&got, body, body_bytes) != 0) {
				refused++;
				continue;
			}
			assert_int_equal(kinds[k].encode(again, sizeof(again), 4096, &got),
				BSR_WIRE_HEADER_BYTES + body_bytes);
			assert_memory_equal(again + BSR_WIRE_HEADER_BYTES, body, body_bytes);
		}
		if (strcmp(kinds[k].name, "ping") != 0) { /* the one with nothing to refuse */
			assert_int_not_equal(refused, 0);
		}
	}
}

static void a_flipped_bit_in_the_header_is_caught(void **state)
{
	(void)state;
	struct test_random r = {4};
	make_message(&kinds[3], &r);
	bsr_wire_seal(message, 0x0102030405060708ull, 0xdeadbeef);
	struct bsr_wire_header h;
	for (uint32_t bit = 0; bit < 8 * BSR_WIRE_HEADER_BYTES; bit++) {
		message[bit / 8] ^= (uint8_t)(1u << bit % 8);
		assert_int_equal(bsr_wire_header_decode(&h, message), bit < 32 ? -BSR_E_NOT_OURS : -BSR_E_CORRUPT);
		message[bit / 8] ^= (uint8_t)(1u << bit % 8);
	}
	assert_int_equal(bsr_wire_header_decode(&h, message), 0);
}

/* Puts @value into @bytes bytes of a header, and a checksum that fits. */
static void forge(uint32_t at, uint32_t bytes, uint64_t value)
{
	struct test_random r = {5};
	make_message(&kinds[3], &r);
	bsr_wire_seal(message, 1, 2);
	for (uint32_t i = 0; i < bytes; i++) {
		message[at + i] = (uint8_t)(value >> (8 * (bytes - 1 - i)));
	}
	const uint32_t crc = ~bsr_crc32c(~0u, message, 36);
	for (uint32_t i = 0; i < 4; i++) {
		message[36 + i] = (uint8_t)(crc >> (24 - 8 * i));
	}
}

static void header_limits_hold(void **state)
{
	(void)state;
	struct bsr_wire_header h;
	static const struct {
		uint32_t at, bytes;
		uint64_t value;
		int result;
	} cases[] = {
		{4, 1, BSR_WIRE_VERSION_MIN, 0},
		{4, 1, 0, -BSR_E_VERSION},
		{4, 1, BSR_WIRE_VERSION_MAX + 1, -BSR_E_VERSION},
		{5, 1, 1, -BSR_E_CORRUPT},
		{8, 4, BSR_WIRE_BODY_BYTES_MAX, 0},
		{8, 4, BSR_WIRE_BODY_BYTES_MAX + 1, -BSR_E_RANGE},
		{8, 4, UINT32_MAX, -BSR_E_RANGE},
		{12, 4, BSR_REQUEST_BYTES_MAX, 0},
		{12, 4, BSR_REQUEST_BYTES_MAX + 1, -BSR_E_RANGE},
		{28, 8, 1, -BSR_E_CORRUPT},
		{28, 8, 1ull << 63, -BSR_E_CORRUPT},
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		forge(cases[i].at, cases[i].bytes, cases[i].value);
		assert_int_equal(bsr_wire_header_decode(&h, message), cases[i].result);
	}
}

static void header_bytes_are_those_of_the_specification(void **state)
{
	(void)state;
	const struct bsr_msg_ping ping = {0x1122334455667788ull};
	static const uint8_t expected[] = {0x62, 0x73, 0x72, 0x31, 1, 0, 0, 33, 0, 0, 0, 8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
		9, 0xaa, 0xbb, 0xcc, 0xdd, 0, 0, 0, 0, 0, 0, 0, 0};
	assert_int_equal(bsr_msg_ping_encode(message, 48, BSR_MSG_PING, 0, &ping), 48);
	bsr_wire_seal(message, 9, 0xaabbccdd);
	assert_memory_equal(message, expected, sizeof(expected));
	assert_int_equal(message[40], 0x11);
	assert_int_equal(message[47], 0x88);
	/* CRC32C of the 36 bytes above, computed by an independent bitwise implementation here */
	uint32_t crc = ~0u;
	for (uint32_t i = 0; i < 36; i++) {
		crc ^= message[i];
		for (uint32_t bit = 0; bit < 8; bit++) {
			crc = (crc >> 1) ^ (0x82f63b78u & (0u - (crc & 1)));
		}
	}
	crc = ~crc;
	const uint8_t crc_bytes[4] = {(uint8_t)(crc >> 24), (uint8_t)(crc >> 16), (uint8_t)(crc >> 8), (uint8_t)crc};
	assert_memory_equal(message + 36, crc_bytes, 4);
}

/* ---- values just outside of each limit ---- */

#define GOOD_WRITE                                                                                 \
	{                                                                                          \
		.vnr = 1, .write_seq = 1, .offset = 512, .length = 512, .op = BSR_OP_WRITE         \
	}

static int write_result(const struct bsr_msg_write *m, uint32_t at, uint32_t bytes, uint64_t value)
{
	bsr_msg_write_encode(message, sizeof(message), BSR_MSG_WRITE, m->length, m);
	for (uint32_t i = 0; i < bytes; i++) {
		message[BSR_WIRE_HEADER_BYTES + at + i] = (uint8_t)(value >> (8 * (bytes - 1 - i)));
	}
	return bsr_msg_write_decode(&got.write, message + BSR_WIRE_HEADER_BYTES, 48);
}

static void writes_outside_of_the_limits_are_refused(void **state)
{
	(void)state;
	const struct bsr_msg_write good = GOOD_WRITE;
	struct bsr_msg_write discard = GOOD_WRITE;
	discard.op = BSR_OP_DISCARD;
	assert_int_equal(write_result(&good, 0, 4, 65535), 0);
	assert_int_equal(write_result(&good, 0, 4, 65536), -BSR_E_RANGE);
	assert_int_equal(write_result(&good, 0, 4, UINT32_MAX), -BSR_E_RANGE);
	assert_int_equal(write_result(&good, 4, 4, 0), -BSR_E_RANGE);
	assert_int_equal(write_result(&good, 4, 4, 511), -BSR_E_RANGE);
	assert_int_equal(write_result(&good, 4, 4, BSR_REQUEST_BYTES_MAX), 0);
	assert_int_equal(write_result(&good, 4, 4, BSR_REQUEST_BYTES_MAX + 512), -BSR_E_RANGE);
	assert_int_equal(write_result(&discard, 4, 4, BSR_RANGE_BYTES_MAX), 0);
	assert_int_equal(write_result(&discard, 4, 4, BSR_RANGE_BYTES_MAX + 512), -BSR_E_RANGE);
	assert_int_equal(write_result(&good, 8, 8, 0), -BSR_E_RANGE);
	assert_int_equal(write_result(&good, 8, 8, BSR_WIRE_WRITE_SEQ_MAX), 0);
	assert_int_equal(write_result(&good, 8, 8, BSR_WIRE_WRITE_SEQ_MAX + 1), -BSR_E_RANGE);
	assert_int_equal(write_result(&good, 32, 8, BSR_VOLUME_BYTES_MAX - 512), 0);
	assert_int_equal(write_result(&good, 32, 8, BSR_VOLUME_BYTES_MAX), -BSR_E_RANGE);
	/* end wraps around */
	assert_int_equal(write_result(&good, 32, 8, UINT64_MAX - 511), -BSR_E_RANGE);
	assert_int_equal(write_result(&good, 32, 8, 100), -BSR_E_RANGE);
	assert_int_equal(write_result(&good, 40, 1, BSR_OP_READ), -BSR_E_RANGE);
	assert_int_equal(write_result(&good, 40, 1, BSR_OP_FLUSH), -BSR_E_RANGE);
	assert_int_equal(write_result(&good, 40, 1, 5), -BSR_E_RANGE);
	assert_int_equal(write_result(&good, 41, 1, BSR_WRITEF_FUA | BSR_WRITEF_WANT_RECEIVED | BSR_WRITEF_NO_LOCAL), 0);
	assert_int_equal(write_result(&good, 41, 1, BSR_WRITEF_TIMED << 1), -BSR_E_RANGE);
	assert_int_equal(write_result(&good, 47, 1, 1), -BSR_E_CORRUPT);
}

static int ack_result(uint64_t word)
{
	const struct bsr_msg_acks one = {.count = 1, .ack = {{BSR_ACK_WRITTEN, 1}}};
	bsr_msg_acks_encode(message, sizeof(message), BSR_MSG_ACKS, 0, &one);
	for (uint32_t i = 0; i < 8; i++) {
		message[BSR_WIRE_HEADER_BYTES + 8 + i] = (uint8_t)(word >> (56 - 8 * i));
	}
	return bsr_msg_acks_decode(&got.acks, message + BSR_WIRE_HEADER_BYTES, 16);
}

static void acks_outside_of_the_limits_are_refused(void **state)
{
	(void)state;
	assert_int_equal(ack_result(4ull << 56 | 5), 0);
	assert_int_equal(ack_result(0ull << 56 | 5), -BSR_E_RANGE);
	assert_int_equal(ack_result(5ull << 56 | 5), -BSR_E_RANGE);
	assert_int_equal(ack_result(255ull << 56 | 5), -BSR_E_RANGE);
	assert_int_equal(ack_result(1ull << 56), -BSR_E_RANGE);
	static const uint8_t none[8];
	assert_int_equal(bsr_msg_acks_decode(&got.acks, none, 8), -BSR_E_RANGE);
	static uint8_t many[8 + 8 * (BSR_WIRE_ACKS_MAX + 1)];
	memset(many + 8, 1, sizeof(many) - 8);
	many[0] = (uint8_t)((BSR_WIRE_ACKS_MAX + 1) >> 8);
	many[1] = (uint8_t)(BSR_WIRE_ACKS_MAX + 1);
	assert_int_equal(bsr_msg_acks_decode(&got.acks, many, sizeof(many)), -BSR_E_RANGE);
}

static void bitmaps_stay_inside_of_the_largest_volume(void **state)
{
	(void)state;
	struct bsr_msg_bitmap b = {.encoding = BSR_BITMAP_ALL_SET, .bit_count = 64, .first_bit = (1ull << 38) - 64};
	bsr_msg_bitmap_encode(message, sizeof(message), BSR_MSG_BITMAP, 0, &b);
	uint8_t *body = message + BSR_WIRE_HEADER_BYTES;
	assert_int_equal(bsr_msg_bitmap_decode(&got.bitmap, body, 24), 0);
	body[7] = 128; /* bits: twice as many */
	assert_int_equal(bsr_msg_bitmap_decode(&got.bitmap, body, 24), -BSR_E_RANGE);
	body[7] = 65;
	assert_int_equal(bsr_msg_bitmap_decode(&got.bitmap, body, 24), -BSR_E_RANGE);
	body[7] = 64;
	body[15] = 1; /* first bit: not at a word */
	assert_int_equal(bsr_msg_bitmap_decode(&got.bitmap, body, 24), -BSR_E_RANGE);
	b.encoding = BSR_BITMAP_PLAIN;
	b.bit_count = BSR_BITMAP_BITS_PER_MESSAGE + 64;
	b.first_bit = 0;
	b.words = words;
	EXPECT_PANIC(bsr_msg_bitmap_encode(message, sizeof(message), BSR_MSG_BITMAP, 0, &b));
}

static void expect_no_room(const struct kind *kind, uint32_t room)
{
	EXPECT_PANIC(kind->encode(message, room, 0, &sent));
}

static void encoders_stop_where_there_is_no_room(void **state)
{
	(void)state;
	for (size_t k = 0; k < KIND_COUNT; k++) {
		struct test_random r = {6000 + k};
		const uint32_t bytes = make_message(&kinds[k], &r) + BSR_WIRE_HEADER_BYTES;
		assert_int_equal(kinds[k].encode(message, bytes, 0, &sent), bytes);
		expect_no_room(&kinds[k], bytes - 1);
		expect_no_room(&kinds[k], 0);
	}
}

static void every_type_has_a_stream_and_a_word(void **state)
{
	(void)state;
	assert_int_equal(bsr_msg_stream(BSR_MSG_WRITE), BSR_STREAM_DATA);
	assert_int_equal(bsr_msg_stream(BSR_MSG_ACKS), BSR_STREAM_CONTROL);
	assert_int_equal(bsr_msg_stream(BSR_MSG_HS_CONFIRM), -1);
	assert_int_equal(bsr_msg_stream(BSR_MSG_STATE), -1);
	assert_int_equal(bsr_msg_stream(9999), -1);
	assert_string_equal(bsr_msg_word(BSR_MSG_RESYNC_DATA), "RESYNC_DATA");
	assert_string_equal(bsr_msg_word(0), "?");
	assert_true(bsr_msg_known(BSR_MSG_HS_CONFIRM));
	assert_false(bsr_msg_known(0));
	assert_false(bsr_msg_known(47)); /* reserved */
	for (size_t k = 0; k < KIND_COUNT; k++) {
		assert_true(bsr_msg_known((uint16_t)kinds[k].type));
		assert_int_not_equal(bsr_msg_word((uint16_t)kinds[k].type)[0], '?');
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_message_survives_the_way),
		cmocka_unit_test(no_message_is_taken_at_another_length),
		cmocka_unit_test(what_is_accepted_is_understood_completely),
		cmocka_unit_test(a_flipped_bit_in_the_header_is_caught),
		cmocka_unit_test(header_limits_hold),
		cmocka_unit_test(header_bytes_are_those_of_the_specification),
		cmocka_unit_test(writes_outside_of_the_limits_are_refused),
		cmocka_unit_test(acks_outside_of_the_limits_are_refused),
		cmocka_unit_test(bitmaps_stay_inside_of_the_largest_volume),
		cmocka_unit_test(encoders_stop_where_there_is_no_room),
		cmocka_unit_test(every_type_has_a_stream_and_a_word),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
