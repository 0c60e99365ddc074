// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * nbd_handshake.c - NBD before transmission: greeting, options, choice of an export
 *
 * Owns: nothing but the connection's state until transmission begins. Every option is answered; an
 *       unknown one is refused
 * and the client may go on. What cannot be a client ends the connection.
 */
#include "nbd_internal.h"

#include <errno.h>
#include <string.h>

#define EXPORT_REPLY_ZEROES 124u
#define FLAGS_BYTES 4u

void bsr_nbd_greet(struct nbd_conn *conn)
{
	uint8_t greeting[18];
	uint8_t *p = nbd_put64(greeting, NBD_GREETING_MAGIC);
	p = nbd_put64(p, NBD_OPTION_MAGIC);
	p = nbd_put16(p, NBD_FLAG_FIXED_NEWSTYLE | NBD_FLAG_NO_ZEROES);
	(void)bsr_nbd_put(conn, greeting, (uint32_t)(p - greeting));
}

static bool answer(struct nbd_conn *conn, uint32_t option, uint32_t type, const uint8_t *data, uint32_t bytes)
{
	uint8_t head[20];
	uint8_t *p = nbd_put64(head, NBD_OPTION_REPLY_MAGIC);
	p = nbd_put32(p, option);
	p = nbd_put32(p, type);
	p = nbd_put32(p, bytes);
	return bsr_nbd_put(conn, head, (uint32_t)(p - head)) && (bytes == 0 || bsr_nbd_put(conn, data, bytes));
}

static bool answer_text(struct nbd_conn *conn, uint32_t option, uint32_t type, const char *text)
{
	return answer(conn, option, type, (const uint8_t *)text, (uint32_t)strlen(text));
}

/* The empty name means the only export, if there is exactly one. */
static uint32_t find_export(const struct nbd_server *server, const struct nbd_choice *choice)
{
	uint32_t found = NBD_NO_VOLUME;
	uint32_t count = 0;
	for (uint32_t i = 0; i < BSR_VOLUMES_MAX; i++) {
		const struct nbd_export *export = &server->export[i];
		if (export->name[0] == '\0') {
			continue;
		}
		if (choice->name[0] == '\0' || strcmp(export->name, choice->name) == 0) {
			found = i;
			count++;
		}
	}
	return choice->name_too_long || count != 1 ? NBD_NO_VOLUME : found;
}

static uint32_t transmission_flags(const struct nbd_conn *conn)
{
	/*
	 * several connections: one engine behind all of them, so a flush on one covers what was
	 * answered on any
	 */
	return NBD_EXPORT_HAS_FLAGS | NBD_EXPORT_FLUSH | NBD_EXPORT_FUA | NBD_EXPORT_TRIM | NBD_EXPORT_WRITE_ZEROES |
		NBD_EXPORT_CAN_MULTI_CONN | (conn->structured ? NBD_EXPORT_DF : 0u);
}

static void begin_transmission(struct nbd_conn *conn, uint32_t volume)
{
	struct bsr_devices *devices = conn->server->devices;
	bsr_loop_disarm(devices->loop, &conn->handshake_timer);
	conn->volume = volume;
	conn->state = NBD_TRANSMIT;
	conn->server->export[volume].clients++;
	bsr_device_report(devices, BSR_LOGN_NBD_CLIENT, "%s uses volume %u as \"%s\"", conn->peer, volume,
		conn->server->export[volume].name);
}

/* ----------------------------------------------------------------- options */

static void do_export_name(struct nbd_conn *conn, const uint8_t *data, uint32_t bytes)
{
	struct nbd_choice choice;
	uint8_t reply[10 + EXPORT_REPLY_ZEROES] = {0};
	bsr_nbd_parse_name(&choice, data, bytes);
	const uint32_t volume = find_export(conn->server, &choice);
	/* the protocol has no other answer to this option than hanging up */
	if (volume == NBD_NO_VOLUME) {
		bsr_nbd_drop(conn, "it asked for \"%s\", which is not exported here", choice.name);
		return;
	}
	(void)nbd_put16(nbd_put64(reply, conn->server->devices->volume[volume].size_bytes), transmission_flags(conn));
	if (bsr_nbd_put(conn, reply, conn->no_zeroes ? 10 : sizeof(reply))) {
		begin_transmission(conn, volume);
	}
}

static void do_list(struct nbd_conn *conn, uint32_t bytes)
{
	if (bytes != 0) {
		(void)answer_text(conn, NBD_OPT_LIST, NBD_REP_ERR_INVALID, "LIST has no data");
		return;
	}
	for (uint32_t i = 0; i < BSR_VOLUMES_MAX; i++) {
		const char *name = conn->server->export[i].name;
		uint8_t data[4 + BSR_NAME_BYTES_MAX];
		const uint32_t name_bytes = (uint32_t)strlen(name);
		if (name_bytes == 0) {
			continue;
		}
		memcpy(nbd_put32(data, name_bytes), name, name_bytes);
		if (!answer(conn, NBD_OPT_LIST, NBD_REP_SERVER, data, 4 + name_bytes)) {
			return;
		}
	}
	(void)answer(conn, NBD_OPT_LIST, NBD_REP_ACK, NULL, 0);
}

static bool answer_infos(struct nbd_conn *conn, uint32_t option, const struct nbd_choice *choice, uint32_t volume)
{
	const struct device_volume *v = &conn->server->devices->volume[volume];
	const char *name = conn->server->export[volume].name;
	uint8_t data[2 + BSR_NAME_BYTES_MAX];
	uint8_t *p = nbd_put16(data, NBD_INFO_EXPORT);
	p = nbd_put16(nbd_put64(p, v->size_bytes), transmission_flags(conn));
	if (!answer(conn, option, NBD_REP_INFO, data, (uint32_t)(p - data))) {
		return false;
	}
	if (choice->wants_name) {
		p = nbd_put16(data, NBD_INFO_NAME);
		memcpy(p, name, strlen(name));
		if (!answer(conn, option, NBD_REP_INFO, data, 2 + (uint32_t)strlen(name))) {
			return false;
		}
	}
	/* asked for or not: who keeps to it is served best */
	p = nbd_put16(data, NBD_INFO_BLOCK_SIZE);
	p = nbd_put32(p, v->block_bytes);
	p = nbd_put32(p, 4096);
	p = nbd_put32(p, BSR_REQUEST_BYTES_MAX);
	return answer(conn, option, NBD_REP_INFO, data, (uint32_t)(p - data));
}

static void do_go(struct nbd_conn *conn, uint32_t option, const uint8_t *data, uint32_t bytes)
{
	struct nbd_choice choice;
	if (bsr_nbd_parse_choice(&choice, data, bytes) != 0) {
		(void)answer_text(conn, option, NBD_REP_ERR_INVALID, "malformed");
		return;
	}
	const uint32_t volume = find_export(conn->server, &choice);
	if (volume == NBD_NO_VOLUME) {
		(void)answer_text(conn, option, NBD_REP_ERR_UNKNOWN, "not exported here; a volume is while its node is Primary");
		return;
	}
	if (answer_infos(conn, option, &choice, volume) && answer(conn, option, NBD_REP_ACK, NULL, 0) &&
		option == NBD_OPT_GO) {
		begin_transmission(conn, volume);
	}
}

/* No metadata contexts are offered: an empty list, which every client takes. */
static void do_meta(struct nbd_conn *conn, uint32_t option, const uint8_t *data, uint32_t bytes)
{
	struct nbd_choice choice;
	if (bsr_nbd_parse_meta(&choice, data, bytes) != 0 || !conn->structured) {
		(void)answer_text(conn, option, NBD_REP_ERR_INVALID, "malformed, or before STRUCTURED_REPLY");
	} else if (find_export(conn->server, &choice) == NBD_NO_VOLUME) {
		(void)answer_text(conn, option, NBD_REP_ERR_UNKNOWN, "not exported here");
	} else {
		(void)answer(conn, option, NBD_REP_ACK, NULL, 0);
	}
}

static void do_structured(struct nbd_conn *conn, uint32_t bytes)
{
	if (bytes != 0) {
		(void)answer_text(conn, NBD_OPT_STRUCTURED_REPLY, NBD_REP_ERR_INVALID, "STRUCTURED_REPLY has no data");
		return;
	}
	conn->structured = true;
	(void)answer(conn, NBD_OPT_STRUCTURED_REPLY, NBD_REP_ACK, NULL, 0);
}

static void do_option(struct nbd_conn *conn, uint32_t option, const uint8_t *data, uint32_t bytes)
{
	switch (option) {
	case NBD_OPT_EXPORT_NAME:
		do_export_name(conn, data, bytes);
		break;
	case NBD_OPT_ABORT:
		(void)answer(conn, option, NBD_REP_ACK, NULL, 0);
		if (conn->state != NBD_DEAD) {
			conn->state = NBD_CLOSING;
		}
		break;
	case NBD_OPT_LIST:
		do_list(conn, bytes);
		break;
	case NBD_OPT_INFO:
	case NBD_OPT_GO:
		do_go(conn, option, data, bytes);
		break;
	case NBD_OPT_STRUCTURED_REPLY:
		do_structured(conn, bytes);
		break;
	case NBD_OPT_LIST_META_CONTEXT:
	case NBD_OPT_SET_META_CONTEXT:
		do_meta(conn, option, data, bytes);
		break;
	default:
		(void)answer(conn, option, NBD_REP_ERR_UNSUP, NULL, 0);
		break;
	}
}

static uint32_t get32(const uint8_t *p)
{
	bsr_be32 v;
	memcpy(v.b, p, sizeof(v));
	return bsr_be32_get(v);
}

static void take_flags(struct nbd_conn *conn)
{
	const uint32_t flags = get32(conn->in + conn->in_begin);
	conn->in_begin += FLAGS_BYTES;
	if ((flags & ~(NBD_FLAG_FIXED_NEWSTYLE | NBD_FLAG_NO_ZEROES)) != 0 || (flags & NBD_FLAG_FIXED_NEWSTYLE) == 0) {
		bsr_nbd_drop(conn, "client flags 0x%x: not a client of the fixed newstyle protocol", flags);
		return;
	}
	conn->no_zeroes = (flags & NBD_FLAG_NO_ZEROES) != 0;
	conn->state = NBD_OPTIONS;
}

/* True when a whole option was there and has been answered. */
static bool take_option(struct nbd_conn *conn)
{
	const uint32_t there = conn->in_end - conn->in_begin;
	const uint8_t *in = conn->in + conn->in_begin;
	uint8_t magic[8];
	if (there < NBD_OPTION_HEAD_BYTES) {
		return false;
	}
	(void)nbd_put64(magic, NBD_OPTION_MAGIC);
	const uint32_t bytes = get32(in + 12);
	if (memcmp(in, magic, sizeof(magic)) != 0) {
		bsr_nbd_drop(conn, "bytes that are no option; not an NBD client");
		return false;
	}
	if (bytes > NBD_OPTION_BYTES_MAX) {
		bsr_nbd_drop(conn, "an option with %u bytes of data (%u at most)", bytes, NBD_OPTION_BYTES_MAX);
		return false;
	}
	if (there - NBD_OPTION_HEAD_BYTES < bytes) {
		return false;
	}
	if (++conn->option_count > NBD_OPTIONS_MAX) {
		bsr_nbd_drop(conn, "more than %u options without choosing an export", NBD_OPTIONS_MAX);
		return false;
	}
	conn->in_begin += NBD_OPTION_HEAD_BYTES + bytes;
	do_option(conn, get32(in + 8), in + NBD_OPTION_HEAD_BYTES, bytes);
	return true;
}

void bsr_nbd_negotiate(struct nbd_conn *conn)
{
	if (conn->state == NBD_FLAGS && conn->in_end - conn->in_begin >= FLAGS_BYTES) {
		take_flags(conn);
	}
	while (conn->state == NBD_OPTIONS && take_option(conn)) {
	}
}
