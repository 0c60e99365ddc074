/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * rot.h - disks that lie (rot.c), and verifies that find it (verify.c); a part of sim.h
 */
#ifndef SIM_ROT_H
#define SIM_ROT_H

/** sim_rot_clean - what a sector with this word should hold */
uint32_t sim_rot_clean(const struct sim *w, uint32_t stamp);
/** sim_rot_sequence - when it became damaged; 0: it is not */
uint64_t sim_rot_sequence(const struct sim *w, uint32_t stamp);
/** sim_rot_get, sim_rot_read - what a read returns */
uint32_t sim_rot_get(const struct sim_disk *d, uint64_t sector);
void sim_rot_read(const struct sim *w, const struct sim_disk *d, uint64_t sector, uint32_t count, uint32_t *stamps);
/** sim_rot_taken - these are written: damage goes, or comes with them; returns what should be there now */
const uint32_t *sim_rot_taken(
	struct sim *w, struct sim_disk *d, uint64_t sector, uint32_t count, const uint32_t *stamps);
/** sim_rot_after_write - perhaps it was lost, or has landed elsewhere */
void sim_rot_after_write(struct sim *w, uint32_t node, uint32_t volume, uint64_t sector, uint32_t count);
/** sim_rot_some - a few sectors rot */
void sim_rot_some(struct sim *w, uint32_t node, uint32_t volume);
void sim_rot_power_cut(struct sim *w, uint32_t node, uint32_t volume);
/** sim_rot_digests - one digest per block of what a read returns; returns their bytes */
uint32_t sim_rot_digests(
	const struct sim *w, const struct sim_disk *d, uint32_t digest, uint64_t sector, uint32_t count, uint8_t *out);

/** A verify that has begun, the last one of its ends and volume. */
struct sim_verify {
	uint32_t source, target, volume;
	uint64_t sequence; /* of sim_oracle.sequence when it began */
	uint64_t start, stop; /* sectors */
	bool complete;
};
#define SIM_VERIFIES_MAX (SIM_NODES_MAX * SIM_NODES_MAX * SIM_VOLUMES_MAX)

struct sim_rotten {
	uint32_t should_be;
	uint64_t sequence;
};

/** Words that nobody has written; the index is part of the stamp. */
struct sim_rot {
	struct sim_rotten *word;
	uint32_t count, room;
};

void sim_verify_log(struct sim *w, uint32_t node, const struct bsr_fx_log *log);
/** sim_verify_command - which part, by @argument */
void sim_verify_command(const struct sim *w, uint32_t volume, uint32_t argument, struct bsr_command *cmd);
/** sim_verify_at_rest - false: damaged disks are being verified once more, now that everything is at rest */
bool sim_verify_at_rest(struct sim *w);
/** sim_verify_reconnects - bits that a verify has found are still there: a person makes a new connection */
bool sim_verify_reconnects(struct sim *w, uint32_t a, uint32_t b, uint32_t v);
/** sim_verify_compare - VF: at the very end */
void sim_verify_compare(struct sim *w);

#endif
