// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * heard.c - writes of a Primary that other peers may lack, seen from a node that has got them
 *
 * Owns:       the ring of such writes, and the pins that they hold in activity logs.
 * Invariants:
 *   HE-1  A write of a peer is in the ring, or a bit toward every third node that may lack it, from its arrival until the
 *         sender says who has it on stable storage. When the sender is lost, what is in the ring becomes bits.
 *   HE-2  It is emitted only while the superblock says that this peer writes here, and its extents are hot in the
 *         activity log: after a crash they are out of sync toward every third node.
 *   HE-3  The superblock says so until the bits of HE-1 are on disk.
 * With two nodes there is no third one, and nothing of this happens.
 */
#include "core.h"

static struct bsr_heard *entry_at(struct bsr_engine *e, uint64_t index)
{
	return &e->heard[index % BSR_TRANSFER_LOG_MAX];
}

static void unpin(struct bsr_engine *e, struct bsr_volume *vol, uint64_t offset, uint32_t length)
{
	if (vol && vol->al) {
		uint32_t first;
		const uint32_t count = bsr_extents_of(offset, length, &first);
		bsr_al_unpin(vol->al, first, count);
		if (!bsr_list_empty(&vol->al_waiting) || !bsr_list_empty(&vol->al_waiting_peers)) {
			vol->al_released = true;
			e->kick = true;
		}
	}
}

static void mark(struct bsr_engine *e, struct bsr_volume *vol, uint32_t nodes, uint64_t offset, uint32_t length)
{
	for (; nodes; nodes &= nodes - 1) {
		bsr_md_set_bits(e, vol, vol->sb.peer[__builtin_ctz(nodes)].bitmap_index, offset, length);
	}
}

/* The oldest entry leaves the ring: whoever is not known to have it gets bits. */
static void settle_oldest(struct bsr_engine *e, uint32_t holders)
{
	BSR_ASSERT(e->heard_head < e->heard_tail);
	struct bsr_heard *h = entry_at(e, e->heard_head++);
	struct bsr_volume *vol = e->volume[h->volume];
	if (!vol) {
		return;
	}
	if (!BSR_MUTATION(61)) {
		mark(e, vol, vol->owners & ~holders & ~bsr_node_bit(h->node), h->offset, h->length);
	}
	if (h->pinned) {
		unpin(e, vol, h->offset, h->length);
	}
}

/* The bits of what is given up stay until the sender says who is in sync. */
static void note_given_up(struct bsr_engine *e)
{
	const struct bsr_heard *h = entry_at(e, e->heard_head);
	if (e->gave_up_id == 0) {
		e->gave_up_ns = e->now_ns + BSR_SECOND_NS;
		bsr_timer(e, e->gave_up_ns);
	}
	e->gave_up_id = h->id;
	e->gave_up_node = h->node;
}

void bsr_heard_add(struct bsr_engine *e, struct bsr_peer_request *pr)
{
	struct bsr_volume *vol = e->volume[pr->volume];
	const uint32_t third = bsr_heard_third(pr->peer, vol);
	if (!third) {
		return;
	}
	if (!e->heard) {
		mark(e, vol, third, pr->offset, pr->length); /* nobody else is configured: absent ones lack it */
		return;
	}
	if (e->heard_tail - e->heard_head == BSR_TRANSFER_LOG_MAX) {
		note_given_up(e);
		settle_oldest(e, 0);
	}
	pr->heard_at = e->heard_tail++;
	*entry_at(e, pr->heard_at) = (struct bsr_heard){.offset = pr->offset,
		.length = pr->length,
		.id = pr->id,
		.volume = pr->volume,
		.node = (uint8_t)pr->peer->node_id};
}

/* ------------------------------------------------------------ activity log */

bool bsr_heard_must_wait(
	const struct bsr_engine *e, const struct bsr_peer *p, const struct bsr_volume *vol, uint8_t write_flags)
{
	const struct bsr_superblock_peer *sp = &vol->sb.peer[p->node_id];
	const uint64_t current = vol->sb.current_gi.v & BSR_GI_MASK;
	if (vol->sb_durable < vol->heard_sb) {
		return true; /* HE-2 */
	}
	/* its disk has this generation and will not get this write: first the next one begins, without it */
	return bsr_mesh_on(e) && (write_flags & BSR_WRITEF_NO_LOCAL) != 0 && sp->bitmap_index >= 0 &&
	       sp->bitmap_gi.v == BSR_GI_NONE && current != BSR_GI_NONE && current != BSR_GI_JUST_CREATED &&
	       vol->disk >= BSR_DISK_INCONSISTENT;
}

/* Gives up the oldest writes until one of them has released a pin here. */
static bool make_room(struct bsr_engine *e, const struct bsr_volume *vol)
{
	while (e->heard_head < e->heard_tail) {
		const struct bsr_heard *h = entry_at(e, e->heard_head);
		const bool helps = h->pinned && h->volume == vol->index;
		note_given_up(e);
		settle_oldest(e, 0);
		if (helps) {
			return true;
		}
	}
	return false;
}

bool bsr_heard_pin(struct bsr_engine *e, struct bsr_peer_request *pr)
{
	struct bsr_volume *vol = e->volume[pr->volume];
	if (!bsr_heard_third(pr->peer, vol) || !vol->al || !vol->options.al_updates || BSR_MUTATION(64)) {
		return true;
	}
	uint32_t first;
	const uint32_t count = bsr_extents_of(pr->offset, pr->length, &first);
	enum bsr_al_answer answer = BSR_AL_FULL;
	if (pr->pinned) {
		answer = bsr_al_ready(vol->al, first, count) ? BSR_AL_GO : BSR_AL_WAIT;
	} else {
		answer = bsr_al_pin(vol->al, first, count);
		while (answer == BSR_AL_FULL && make_room(e, vol)) {
			answer = bsr_al_pin(vol->al, first, count);
		}
		pr->pinned = answer != BSR_AL_FULL;
	}
	if (answer == BSR_AL_GO) {
		return true;
	}
	bsr_list_append(&vol->al_waiting_peers, &pr->queue);
	e->kick = true;
	return false;
}

void bsr_heard_al_progress(struct bsr_engine *e, struct bsr_volume *vol)
{
	struct bsr_list again;
	bsr_list_init(&again);
	bsr_list_move_all(&again, &vol->al_waiting_peers);
	while (!bsr_list_empty(&again)) {
		struct bsr_peer_request *pr = BSR_CONTAINER(again.next, struct bsr_peer_request, queue);
		bsr_list_remove(&pr->queue);
		pr->range.go(e, &pr->range); /* looks at the log again */
	}
}

void bsr_heard_finished(struct bsr_engine *e, struct bsr_peer_request *pr)
{
	if (!pr->pinned) {
		return;
	}
	pr->pinned = false;
	if (!e->volume[pr->volume]->al) {
		return; /* the disk has gone, and its log with it */
	}
	if (pr->heard_at >= e->heard_head && pr->heard_at != 0) {
		entry_at(e, pr->heard_at)->pinned = true;
	} else {
		unpin(e, e->volume[pr->volume], pr->offset, pr->length);
	}
}

/* ------------------------------------------------------- who else has them */

static bool heard_from(struct bsr_engine *e, const struct bsr_peer *p)
{
	for (uint64_t i = e->heard_tail; i > e->heard_head; i--) { /* its own are the newest, if there are any */
		if (entry_at(e, i - 1)->node == p->node_id) {
			return true;
		}
	}
	return false;
}

void bsr_heard_peer_ack(struct bsr_engine *e, struct bsr_peer *p, uint64_t upto, uint32_t holders)
{
	while (e->heard_head < e->heard_tail) {
		const struct bsr_heard *h = entry_at(e, e->heard_head);
		/* what its successor as Primary has written since is not its business */
		if (h->node == p->node_id ? h->id > upto : !heard_from(e, p)) {
			break;
		}
		settle_oldest(e, h->node == p->node_id ? holders : 0);
	}
	e->kick = true;
}

bool bsr_heard_unconfirmed(
	const struct bsr_engine *e, const struct bsr_peer *p, const struct bsr_volume *vol, uint64_t offset, uint64_t length)
{
	for (uint64_t i = e->heard_head; i < e->heard_tail; i++) {
		const struct bsr_heard *h = &e->heard[i % BSR_TRANSFER_LOG_MAX];
		if (h->node != p->node_id && h->volume == vol->index && h->offset < offset + length &&
			offset < h->offset + h->length) {
			return true;
		}
	}
	return false;
}

void bsr_heard_peer_lost(struct bsr_engine *e, struct bsr_peer *p)
{
	struct bsr_volume *vol;
	while (heard_from(e, p)) {
		settle_oldest(e, 0);
	}
	BSR_FOR_EACH_VOLUME (e, vol) {
		struct bsr_peer_device *pd = &p->device[vol->index];
		if (pd->writes_here && vol->bitmap) {
			pd->heard_ticket = bsr_md_sweep(e, vol);
		}
	}
}

void bsr_heard_volume_leaves(struct bsr_engine *e, struct bsr_volume *vol)
{
	struct bsr_peer *p;
	for (uint64_t i = e->heard_head; i < e->heard_tail; i++) {
		struct bsr_heard *h = entry_at(e, i);
		if (h->volume == vol->index) {
			mark(e, vol, vol->owners & ~bsr_node_bit(h->node), h->offset, h->length);
			if (h->pinned) {
				unpin(e, vol, h->offset, h->length);
				h->pinned = false;
			}
		}
	}
	BSR_FOR_EACH_PEER (e, p) {
		struct bsr_peer_device *pd = &p->device[vol->index];
		if (pd->writes_here && vol->bitmap && pd->heard_ticket == 0) {
			pd->heard_ticket = bsr_md_sweep(e, vol);
		}
	}
}

static void note(struct bsr_engine *e, struct bsr_peer *p, struct bsr_volume *vol, bool writes_here)
{
	struct bsr_peer_device *pd = &p->device[vol->index];
	uint32_t *flags = &vol->sb.peer[p->node_id].flags;
	pd->writes_here = writes_here;
	pd->heard_ticket = 0;
	*flags = writes_here ? *flags | BSR_MDPF_WRITES_HERE : *flags & ~BSR_MDPF_WRITES_HERE;
	bsr_md_superblock_dirty(e, vol);
	if (writes_here) {
		vol->heard_sb = vol->sb_wanted;
	}
}

void bsr_heard_progress(struct bsr_engine *e, struct bsr_peer *p, struct bsr_volume *vol)
{
	struct bsr_peer_device *pd = &p->device[vol->index];
	if (!vol->md_usable || !vol->bitmap || vol->attach_step == BSR_AT_FAILING) {
		return;
	}
	const bool writes = bsr_peer_connected(p) && p->role == BSR_ROLE_PRIMARY && pd->repl >= BSR_REPL_ESTABLISHED &&
			    vol->disk >= BSR_DISK_INCONSISTENT && bsr_heard_third(p, vol) != 0;
	if (writes && (!pd->writes_here || pd->heard_ticket != 0)) {
		note(e, p, vol, true);
	} else if (!writes && pd->writes_here && pd->heard_ticket != 0) {
		if (bsr_md_swept(vol, pd->heard_ticket)) {
			note(e, p, vol, false); /* HE-3 */
		}
	} else if (!writes && pd->writes_here && !heard_from(e, p)) {
		pd->heard_ticket = bsr_md_sweep(e, vol);
	}
}
