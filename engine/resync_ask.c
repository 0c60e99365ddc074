// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * resync_ask.c - the administrator's handlers are asked before a resync touches data
 *
 * Owns:       the question, and what its answer does.
 * Invariants:
 *   RA-1  While a handler is asked, its end neither gives its bitmap away (source) nor overwrites anything (target): a
 *         snapshot that before-resync-target takes is of the disk as it was.
 * Without a handler the host answers 0 at once.
 */
#include "core.h"
#include "resync.h"

/* What before-resync-source may answer besides 0: the field's scripts say so when they leave the decision to others. */
#define SOURCE_DOES_NOT_MIND 3

void bsr_resync_ask(struct bsr_engine *e, struct bsr_peer *p, struct bsr_volume *vol, bool source)
{
	struct bsr_peer_device *pd = &p->device[vol->index];
	BSR_ASSERT(pd->ask == 0);
	e->next_handler = e->next_handler == UINT32_MAX ? 1 : e->next_handler + 1; /* 0 means nobody */
	pd->ask = e->next_handler;
	bsr_fx_add(e, BSR_FX_HANDLER)->u.handler = (struct bsr_fx_handler){.handler_id = pd->ask,
		.handler = source ? BSR_HANDLER_BEFORE_RESYNC_SOURCE : BSR_HANDLER_BEFORE_RESYNC_TARGET,
		.peer = p->node_id,
		.volume = vol->index};
}

static void answered(struct bsr_engine *e, struct bsr_peer *p, struct bsr_volume *vol, int32_t status)
{
	struct bsr_peer_device *pd = &p->device[vol->index];
	const bool source = !bsr_repl_is_target(pd->repl);
	pd->ask = 0;
	if (status != 0 && !(source && status == SOURCE_DOES_NOT_MIND)) {
		bsr_emit_log(e, BSR_LOGN_RESYNC_HANDLER_REFUSED, p, vol, (uint64_t)(int64_t)status, pd->repl, 0);
		bsr_peer_leave(e, p, BSR_CONN_ERROR_HANDLER);
		return;
	}
	e->kick = true;
}

void bsr_resync_answered(struct bsr_engine *e, const struct bsr_ev_handler_exit *exit)
{
	struct bsr_peer *p;
	struct bsr_volume *vol;
	BSR_FOR_EACH_PEER (e, p) {
		BSR_FOR_EACH_VOLUME (e, vol) {
			if (exit->handler_id != 0 && p->device[vol->index].ask == exit->handler_id) {
				answered(e, p, vol, exit->status);
				return;
			}
		}
	}
}
