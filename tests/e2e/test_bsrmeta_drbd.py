# SPDX-License-Identifier: GPL-2.0-or-later
"""drbdmeta as a judge of bsrmeta: images created, dumped, restored and brought up to date by both."""

import gzip
import os
import random
import shutil
import struct

import pytest

from bsrmeta_support import FIXTURES, MIB, needs_drbdmeta, meta, meta_ok, drbdmeta, body, make_image, read_area, sha


# ---- drbdmeta as a judge ----

def geometries(count):
    rng = random.Random(20260101)
    for i in range(count):
        kind = ("internal", "internal", "internal", "flex-external", "1")[i % 5]
        size = rng.choice([rng.randrange(2 * MIB, 900 * MIB), rng.randrange(2, 900) * MIB]) // 512 * 512
        slots = rng.choice([1, 2, 3, 5, 7, 16, 31])
        stripes, kib = rng.choice([(1, 32), (1, 32), (1, 320), (4, 64), (3, 36), (1, 1024)])
        if kind == "1":
            size, stripes, kib = 256 * MIB + rng.randrange(0, 9) * 4096, 1, 32
        yield pytest.param(kind, size, slots, stripes, kib, i, id=f"{i}-{kind}-{size}-p{slots}-al{stripes}x{kib}")


def random_words(rng, bits):
    """Bitmap of one slot as 64-bit words: runs of clear and set bits, and noise."""
    count = (bits + 63) // 64
    words = []
    while len(words) < count:
        length = rng.choice([1, 3, 8, 17, 64, 300])
        value = rng.choice([0, 0, 0, (1 << 64) - 1, None])
        for _ in range(length):
            words.append(rng.getrandbits(64) if value is None else value)
    words = words[:count]
    if words and bits % 64:
        words[-1] &= (1 << bits % 64) - 1
    return words


def dump_text(rng, slots, sectors, stripes, blocks):
    """A dump written independently of the tools, with random content."""
    bits = (sectors + 7) // 8
    peers = rng.sample(range(32), slots)
    lines = ['version "v09";', f"max-peers {slots};", "node-id -1;",
             f"current-uuid 0x{rng.getrandbits(64):016X};", f"flags 0x{0x80 | rng.getrandbits(5):08X};"]
    for node in range(32):
        slot = peers.index(node) if node in peers else -1
        lines.append(f"peer[{node}] {{ bitmap-index {slot}; bitmap-uuid 0x{rng.getrandbits(64):016X}; "
                     f"bitmap-dagtag 0x{rng.getrandbits(40):016X}; flags 0x{rng.getrandbits(5):08x}; }}")
    lines.append("history-uuids {" + "".join(f" 0x{rng.getrandbits(64):016X};" for _ in range(32)) + "}")
    lines += [f"la-size-sect {sectors};", "bm-byte-per-bit 4096;", f"device-uuid 0x{rng.getrandbits(64):016X};",
              f"la-peer-max-bio-size {rng.choice([0, 4096, 1048576])};", f"al-stripes {stripes};",
              f"al-stripe-size-4k {blocks};"]
    for slot in range(slots):
        lines.append(f"bitmap[{slot}] {{")
        lines += [f" 0x{w:016X};" for w in random_words(rng, bits)]
        lines.append("}")
    return "\n".join(lines) + "\n"


@needs_drbdmeta
@pytest.mark.parametrize("kind,size,slots,stripes,kib,seed", geometries(40))
def test_drbdmeta_agrees(kind, size, slots, stripes, kib, seed, tmp_path):
    """Created by both: the same bytes. Dumped by the other: the same text. Restored by both: the same again."""
    ours = make_image(tmp_path / "ours.img", size)
    theirs = make_image(tmp_path / "theirs.img", size)
    al = [f"--al-stripes={stripes}", f"--al-stripe-size-kB={kib}"]
    stride = ["--index-stride-mib=128"] if kind == "1" else []
    meta_ok(ours, *stride, "create-md", *al, slots, index=kind)
    drbdmeta(theirs, "create-md", *al, slots, index=kind)
    assert sha(ours) == sha(theirs)
    fresh = drbdmeta(ours, "dump-md", index=kind)
    assert body(meta_ok(theirs, "dump-md", index=kind)) == body(fresh)

    offset = {line.split()[1]: int(line.split()[2]) for line in fresh.split("\n") if line.startswith("# bm_offset")}
    if kind == "internal":
        sectors = offset["bm_offset"] // 512
    else:
        sectors = random.Random(seed).randrange(8, 40000) * 8
    rng = random.Random(seed)
    text = tmp_path / "dump.txt"
    text.write_text(dump_text(rng, slots, sectors - rng.choice([0, 0, 1, 8, 64]), stripes, kib // 4))
    meta_ok(ours, "restore-md", text, index=kind)
    drbdmeta(theirs, "restore-md", text, index=kind)
    assert body(meta_ok(ours, "dump-md", index=kind)) == body(drbdmeta(ours, "dump-md", index=kind))
    assert body(meta_ok(theirs, "dump-md", index=kind)) == body(drbdmeta(ours, "dump-md", index=kind))
    assert sha(ours) == sha(theirs)


@needs_drbdmeta
@pytest.mark.parametrize("seed", range(12))
def test_apply_al_marks_what_drbdmeta_marks(seed, tmp_path):
    """Random logs: torn blocks, wrapped numbers, several stripes, extents up to and beyond the end."""
    rng = random.Random(seed)
    size = rng.choice([64, 100, 256]) * MIB + rng.randrange(0, 16) * 4096
    slots, stripes, blocks = rng.choice([1, 2, 3]), rng.choice([1, 2, 4]), rng.choice([8, 16])
    ours = make_image(tmp_path / "ours.img", size)
    meta_ok(ours, "create-md", f"--al-stripes={stripes}", f"--al-stripe-size-kB={4 * blocks}", slots)
    dump = meta_ok(ours, "dump-md")
    bitmap_at = int([x for x in dump.split("\n") if x.startswith("# bm_offset")][0].split()[2])
    al_at = int([x for x in dump.split("\n") if x.startswith("# al_offset")][0].split()[2])
    text = tmp_path / "dump.txt"
    text.write_text(dump_text(rng, slots, bitmap_at // 512, stripes, blocks))
    meta_ok(ours, "restore-md", text)
    meta_ok(ours, "--node-id=1", "set-gi", "::::1:1:1:1:0")
    write_log(ours, al_at, rng, stripes, blocks, (bitmap_at - 512) // (4 * MIB))
    theirs = shutil.copy(ours, tmp_path / "theirs.img")
    meta_ok(ours, "apply-al")
    drbdmeta(theirs, "apply-al")
    assert sha(ours) == sha(theirs)


def crc32c(data):
    crc = 0
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = (crc >> 1) ^ (0x82f63b78 if crc & 1 else 0)
    return crc


def write_log(image, al_at, rng, stripes, blocks, last_extent):
    """A log as a driver leaves it behind, written from the format's description.

    Extents are on the device or beyond the whole bitmap: what lies behind the device but within the padding of its
    bitmap is marked by drbdmeta, and not by us.
    """
    ring = stripes * blocks
    table = {}
    size = rng.choice([67, 919, 1237])
    start = rng.choice([0, 5, 0xfffffff8])
    with open(image, "r+b") as f:
        context_at = 0
        for number in range(start, start + rng.randrange(2, 2 * ring)):
            context = [table.get(s, 0xffffffff) if s < size else 0xffffffff
                       for s in range(context_at, context_at + 919)]
            updates = []
            for slot in rng.sample(range(size), rng.randrange(1, 5)):
                free = 0xffffffff  # an extent that has cooled down leaves its slot
                extent = rng.choice([rng.randrange(last_extent + 1), last_extent, last_extent + 70, free])
                updates.append((slot, extent))
                table[slot] = extent
            slots = [u[0] for u in updates] + [0xffff] * (64 - len(updates))
            names = [u[1] for u in updates] + [0xffffffff] * (64 - len(updates))
            rest = struct.pack(">HHHH16x64H64I919I", 0, len(updates), size, context_at, *slots, *names, *context)
            head = struct.pack(">II", 0x69cb65a2, number & 0xffffffff)
            crc = crc32c(head + bytes(4) + rest)
            turn = (number & 0xffffffff) % ring
            f.seek(al_at + (turn % stripes * blocks + turn // stripes) * 4096)
            block = head + struct.pack(">I", crc) + rest
            f.write(block)
            context_at = context_at + 919 if context_at + 919 < size else 0
        if rng.random() < 0.4:
            f.seek(-3000, os.SEEK_CUR)
            f.write(bytes(1000))


@needs_drbdmeta
def test_default_log_of_ours_is_read_by_drbdmeta(tmp_path):
    image = make_image(tmp_path / "t.img", 64 * MIB)
    result = meta(image, "create-md", 3)
    assert result.returncode == 0
    assert result.stdout == ("initializing activity log\nNOT initializing bitmap\nWriting meta data...\n"
                             "New bsr meta data block successfully created.\n")
    assert result.stderr.rstrip().endswith("initializing bitmap (8 KB) to all zero")
    assert body(drbdmeta(image, "dump-md")) == body((FIXTURES / "v09-bsr-int-64m-p3.dump.txt").read_text())
    assert read_area("v09-bsr-int-64m-p3", image) == gzip.open(FIXTURES / "v09-bsr-int-64m-p3.md.gz").read()
