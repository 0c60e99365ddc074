// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * detail.c - messages as a person wants to read them in a transcript
 */
#include <stdio.h>

#include "sim.h"

static char text[160];

static const char *range(const uint8_t *body, uint32_t bytes)
{
	static struct bsr_msg_range m;
	if (bsr_msg_range_decode(&m, body, bytes) == 0) {
		snprintf(text, sizeof(text), " vnr=%u id=%llu sector %llu+%u error=%d%s", m.vnr, (unsigned long long)m.id,
			(unsigned long long)m.offset / 512u, m.length / 512u, m.error, m.zeroes ? " zeroes" : "");
	}
	return text;
}

static const char *verify_detail(const uint8_t *body, uint32_t bytes)
{
	static const char *const say[] = {"?", "start", "agreed", "refused", "ended"};
	static struct bsr_msg_verify m;
	if (bsr_msg_verify_decode(&m, body, bytes) == 0) {
		snprintf(text, sizeof(text), " vnr=%u %s %llu..%llu error=%d found=%llu skipped=%llu", m.vnr, say[m.say],
			(unsigned long long)m.start, (unsigned long long)m.stop, m.error, (unsigned long long)m.found,
			(unsigned long long)m.skipped);
	}
	return text;
}

static const char *verify_reply(const uint8_t *body, uint32_t bytes)
{
	static struct bsr_msg_verify_reply m;
	if (bsr_msg_verify_reply_decode(&m, body, bytes) == 0) {
		snprintf(text, sizeof(text), " vnr=%u id=%llu sector %llu+%u error=%d", m.vnr, (unsigned long long)m.id,
			(unsigned long long)m.offset / 512u, m.length / 512u, m.error);
	}
	return text;
}

static const char *write_detail(const uint8_t *body, uint32_t bytes)
{
	static struct bsr_msg_write m;
	if (bsr_msg_write_decode(&m, body, bytes) == 0) {
		snprintf(text, sizeof(text), " vnr=%u seq=%llu epoch=%llu op=%u sector %llu+%u flags=%u", m.vnr,
			(unsigned long long)m.write_seq, (unsigned long long)m.epoch, m.op,
			(unsigned long long)m.offset / 512u, m.length / 512u, m.flags);
	}
	return text;
}

static const char *acks(const uint8_t *body, uint32_t bytes)
{
	static struct bsr_msg_acks m;
	if (bsr_msg_acks_decode(&m, body, bytes) == 0) {
		snprintf(text, sizeof(text), " %u from seq=%llu kind=%u", m.count, (unsigned long long)m.ack[0].write_seq,
			m.ack[0].kind);
	}
	return text;
}

#define PAST_SHOWN 8u

static const char *hs_volume(const uint8_t *body, uint32_t bytes)
{
	static struct bsr_msg_hs_volume m;
	if (bsr_msg_hs_volume_decode(&m, body, bytes) != 0) {
		return text;
	}
	int at = snprintf(text, sizeof(text), " vnr=%u %s flags=%x bits=%llu current=%016llx", m.vnr,
		bsr_disk_state_word((enum bsr_disk_state)m.disk), m.flags, (unsigned long long)m.bits,
		(unsigned long long)m.current.v);
	for (uint32_t node = 0; node < BSR_NODES_MAX && at < (int)sizeof(text) / 2; node++) {
		if (m.bitmap[node].v != BSR_GI_NONE) {
			at += snprintf(text + at, sizeof(text) - (size_t)at, " bitmap%u=%016llx", node, (unsigned long long)m.bitmap[node].v);
		}
	}
	at += snprintf(text + at, sizeof(text) - (size_t)at, " past");
	for (uint32_t i = 0; i < PAST_SHOWN && m.history[i].v != BSR_GI_NONE; i++) {
		at += snprintf(text + at, sizeof(text) - (size_t)at, "%c%04llx", i == 0 ? '=' : ',', (unsigned long long)(m.history[i].v >> 48));
	}
	return text;
}

static const char *hs_confirm(const uint8_t *body, uint32_t bytes)
{
	static struct bsr_msg_hs_confirm m;
	if (bsr_msg_hs_confirm_decode(&m, body, bytes) == 0 && m.count > 0) {
		snprintf(text, sizeof(text), " %u volumes, first: decision=%u reason=%u", m.count, m.volume[0].decision,
			m.volume[0].reason);
	}
	return text;
}

static const char *small(uint16_t type, const uint8_t *body, uint32_t bytes)
{
	struct bsr_msg_state s;
	struct bsr_msg_twopc t;
	struct bsr_msg_checkpoint c;
	struct bsr_msg_gi g;
	struct bsr_msg_resync_done d;
	if (type == BSR_MSG_STATE && bsr_msg_state_decode(&s, body, bytes) == 0) {
		snprintf(text, sizeof(text), " vnr=%d role=%u disk=%u repl=%u paused=%u", (int)s.vnr, s.role, s.disk, s.repl, s.paused);
	} else if (type == BSR_MSG_TWOPC && bsr_msg_twopc_decode(&t, body, bytes) == 0) {
		snprintf(text, sizeof(text), " step=%u kind=%u tid=%08x initiator=%u error=%d", t.step, t.kind, t.tid, t.initiator,
			t.error);
	} else if ((type == BSR_MSG_CHECKPOINT || type == BSR_MSG_CHECKPOINT_ACK) &&
		   bsr_msg_checkpoint_decode(&c, body, bytes) == 0) {
		snprintf(text, sizeof(text), " number=%llu barrier=%d error=%d", (unsigned long long)c.number, c.barrier, c.error);
	} else if (type == BSR_MSG_GI && bsr_msg_gi_decode(&g, body, bytes) == 0) {
		snprintf(text, sizeof(text), " vnr=%u flags=%u current=%016llx bitmap=%016llx", g.vnr, g.flags,
			(unsigned long long)g.current.v, (unsigned long long)g.bitmap.v);
	} else if (type == BSR_MSG_RESYNC_DONE && bsr_msg_resync_done_decode(&d, body, bytes) == 0) {
		snprintf(text, sizeof(text), " vnr=%u answer=%d failed=%llu current=%016llx", d.vnr, d.answer,
			(unsigned long long)d.failed_bytes, (unsigned long long)d.current.v);
	}
	return text;
}

static const char *mesh(uint16_t type, const uint8_t *body, uint32_t bytes)
{
	static const char *const kinds[] = {"", "peer-ack", "in-sync", "new-generation", "adopted", "follows", "primaries", "tell-again",
		"holders"};
	struct bsr_msg_mesh m;
	struct bsr_msg_hs_mesh h;
	if (type == BSR_MSG_MESH && bsr_msg_mesh_decode(&m, body, bytes) == 0) {
		snprintf(text, sizeof(text), " %s vnr=%d nodes=%x value=%llx", kinds[m.kind], (int)m.vnr, m.mask,
			(unsigned long long)m.value);
	} else if (type == BSR_MSG_HS_MESH && bsr_msg_hs_mesh_decode(&h, body, bytes) == 0) {
		int at = snprintf(text, sizeof(text), " primaries=%x lost=%d dagtag=%llu", h.primaries, (int)h.lost_node,
			(unsigned long long)h.lost_dagtag);
		for (uint32_t i = 0; i < h.count && at > 0 && (size_t)at < sizeof(text); i++) {
			at += snprintf(text + at, sizeof(text) - (size_t)at, " vnr=%u holders=%x flags=%x", h.volume[i].vnr,
				h.volume[i].holders, h.volume[i].flags);
		}
	}
	return text;
}

const char *sim_msg_detail(uint16_t type, const uint8_t *head)
{
	struct bsr_wire_header h;
	text[0] = 0;
	if (bsr_wire_header_decode(&h, head) != 0) {
		return text;
	}
	const uint8_t *body = head + BSR_WIRE_HEADER_BYTES;
	switch (type) {
	case BSR_MSG_WRITE:
		return write_detail(body, h.body_bytes);
	case BSR_MSG_ACKS:
		return acks(body, h.body_bytes);
	case BSR_MSG_HS_VOLUME:
		return hs_volume(body, h.body_bytes);
	case BSR_MSG_HS_CONFIRM:
		return hs_confirm(body, h.body_bytes);
	case BSR_MSG_MESH:
	case BSR_MSG_HS_MESH:
		return mesh(h.type, body, h.body_bytes);
	case BSR_MSG_READ_REQUEST:
	case BSR_MSG_VERIFY:
		return verify_detail(body, h.body_bytes);
	case BSR_MSG_VERIFY_REPLY:
		return verify_reply(body, h.body_bytes);
	case BSR_MSG_VERIFY_REQUEST:
	case BSR_MSG_VERIFY_RESULT:
	case BSR_MSG_RESYNC_REQUEST:
	case BSR_MSG_RESYNC_ACK:
	case BSR_MSG_OUT_OF_SYNC:
	case BSR_MSG_RESYNC_DATA:
	case BSR_MSG_READ_REPLY:
		return range(body, h.body_bytes);
	default:
		return small(type, body, h.body_bytes);
	}
}
