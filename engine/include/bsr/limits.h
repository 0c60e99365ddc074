/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * limits.h - every limit of the engine, with its unit and its reason
 *
 * A limit that is not in this file does not exist. Whoever adds a table or a queue adds its size
 * here.
 */
#ifndef BSR_LIMITS_H
#define BSR_LIMITS_H

#define BSR_SECTOR_BYTES 512u
#define BSR_MD_BLOCK_BYTES 4096u /* unit of all metadata I/O */

#define BSR_NODES_MAX 32u	/* node ids 0..31: peers[32] of the v09 superblock */
#define BSR_PEERS_MAX 31u	/* bitmap slots, and everybody but me */
#define BSR_VOLUMES_MAX 64u	/* volumes of one resource held by one engine */
#define BSR_VNR_MAX 65535u	/* highest volume number the formats can name */
#define BSR_HISTORY_UUIDS 32u	/* history_uuids[32] of the v09 superblock */
#define BSR_NAME_BYTES_MAX 128u /* resource, host and connection names, without the final zero */

#define BSR_VOLUME_BYTES_MAX (1ull << 50)	/* 1 PiB: 2^41 sectors */
/* payload of one read or write; longer ones are split by adapters */
#define BSR_REQUEST_BYTES_MAX (1u << 20)
/* one discard or write-zeroes: 128 MiB, half of an AL transaction */
#define BSR_RANGE_BYTES_MAX (1u << 27)

#define BSR_REQUESTS_MAX 1024u		/* application requests in flight per resource */
#define BSR_PEER_REQUESTS_MAX 4096u	/* requests that peers have in flight here, per resource */
/* writes remembered until every peer has them on stable storage */
#define BSR_TRANSFER_LOG_MAX 65536u
#define BSR_DISK_OPS_MAX 8192u		/* disk and metadata operations in flight per resource */
#define BSR_EFFECTS_MAX 16384u		/* effects of one step */
#define BSR_SEND_ARENA_BYTES (256u << 10) /* message heads and bodies of one step */

#define BSR_BITMAP_BLOCK_BYTES 4096u	/* bytes of data behind one bit */
/* in-memory bitmap pages of one volume, 4 KiB each: 32 MiB */
#define BSR_BITMAP_POOL_PAGES 8192u

#define BSR_AL_EXTENT_BYTES (4u << 20)
#define BSR_AL_EXTENT_SHIFT 22u
#define BSR_AL_EXTENTS_MIN 67u
#define BSR_AL_EXTENTS_MAX 65534u
#define BSR_AL_EXTENTS_DEFAULT 6001u
/*
 * Seconds without an unconfirmed write after which an extent may leave the log by itself. While writes do not need the log
 * (all their extents are hot): at most so many transactions a second, 256 extents or 1 GiB; no limit while there are no
 * writes. While they do, extents leave after a longer time, 64 in ten seconds: at most 6.4 a second may have to come back.
 */
#define BSR_AL_COOL_TICKS 5u
#define BSR_AL_COOL_BATCHES 4u
#define BSR_AL_COOL_BUSY_TICKS 30u
#define BSR_AL_COOL_BUSY_EVERY 10u
#define BSR_AL_UPDATES_PER_TRANSACTION 64u
#define BSR_AL_CONTEXT_PER_TRANSACTION 919u
/* 32 MiB: the longest log any tool creates; replay holds it in memory */
#define BSR_AL_RING_BLOCKS_MAX 8192u
#define BSR_REQUEST_EXTENTS_MAX 33u	/* 128 MiB range, not aligned to an extent */

#define BSR_RESYNC_CHUNK_BYTES_MAX (1u << 20) /* one resync request */
#define BSR_RESYNC_REQUESTS_MAX 64u	      /* resync requests in flight per peer and volume */

/* one verify request: so many blocks, each with a digest in the answer's body */
#define BSR_VERIFY_BLOCKS_MAX 128u
#define BSR_VERIFY_REQUEST_BYTES_MAX (BSR_VERIFY_BLOCKS_MAX * BSR_BITMAP_BLOCK_BYTES)
#define BSR_VERIFY_REQUESTS_MAX 16u /* in flight per peer and volume */
#define BSR_DIGEST_BYTES_MAX 64u

#define BSR_WIRE_BODY_BYTES_MAX 16384u	/* body of any message; payloads come on top */
#define BSR_WIRE_ACKS_MAX 1024u		/* acknowledgements in one message */
#define BSR_WIRE_VERSION_MIN 1u
#define BSR_WIRE_VERSION_MAX 1u

#define BSR_SECRET_BYTES_MAX 64u

#endif
