# SPDX-License-Identifier: GPL-2.0-or-later
"""bsrmeta on real images: golden files, drbdmeta as a second opinion, and everything that must be refused."""

import csv
import fcntl
import gzip
import hashlib
import os
import random
import resource
import shutil
import struct
import subprocess
import sys
import time

import pytest

from conftest import SOURCE, check, program, run

FIXTURES = SOURCE / "tests" / "fixtures" / "metadata"
MANIFEST = {row["name"]: row for row in csv.DictReader(open(FIXTURES / "manifest.tsv"), delimiter="\t")}
MIB = 1 << 20
EMPTY = hashlib.sha256().hexdigest()

needs_drbdmeta = pytest.mark.skipif(shutil.which("drbdmeta") is None,
                                    reason="drbdmeta (package drbd-utils) is missing")


def meta(image, *words, fmt="v09", index="internal", minor="-", force=True, **kwargs):
    options = ["--force"] if force else []
    return run(program("bsrmeta"), *options, minor, fmt, image, index, *words, **kwargs)


def meta_ok(image, *words, **kwargs):
    result = meta(image, *words, **kwargs)
    assert result.returncode == 0, f"{words}: {result.returncode}\n{result.stdout}\n{result.stderr}"
    return result.stdout


def drbdmeta(image, *words, fmt="v09", index="internal"):
    return check("drbdmeta", "--force", "-", fmt, image, index, *words).stdout


def body(dump):
    """A dump without its head, which names host, date and program."""
    return [line for line in dump.split("\n")[3:] if line != "members 0x0000000000000000;"]


def make_image(path, size):
    with open(path, "wb") as f:
        f.truncate(size)
    return path


def fixture_image(name, path):
    row = MANIFEST[name]
    make_image(path, int(row["device_bytes"]))
    area = gzip.open(FIXTURES / f"{name}.md.gz").read()
    assert hashlib.sha256(area).hexdigest() == row["sha256_of_area"]
    with open(path, "r+b") as f:
        f.seek(int(row["area_offset"]))
        f.write(area)
    return path


def read_area(name, path):
    row = MANIFEST[name]
    with open(path, "rb") as f:
        f.seek(int(row["area_offset"]))
        return f.read(int(row["area_bytes"]))


def fixture_dumps(name):
    for suffix in ("dump.txt", "dump-new.txt", "bsr-dump.txt"):
        path = FIXTURES / f"{name}.{suffix}"
        if path.exists():
            yield path


def sha(path):
    """Content and place of every block that is not zero: quick on large, mostly empty images."""
    digest = hashlib.sha256()
    zero = bytes(4096)
    with open(path, "rb") as f:
        end = os.fstat(f.fileno()).st_size
        at = 0
        while at < end:
            try:
                at = os.lseek(f.fileno(), at, os.SEEK_DATA) // 4096 * 4096
                hole = os.lseek(f.fileno(), at, os.SEEK_HOLE)
            except OSError:
                break
            while at < hole:
                block = os.pread(f.fileno(), 4096, at)
                if block != zero[:len(block)]:
                    digest.update(at.to_bytes(8, "big") + block)
                at += 4096
    return digest.hexdigest()


# ---- golden files ----

@pytest.mark.parametrize("name", MANIFEST)
def test_fixture_is_dumped_like_the_old_tools_do(name, tmp_path):
    row = MANIFEST[name]
    image = fixture_image(name, tmp_path / "t.img")
    before = sha(image)
    dump = meta_ok(image, "dump-md", fmt=row["format"], index=row["index"])
    for path in fixture_dumps(name):
        if row["format"] == "v08" and path.name.endswith(".dump.txt"):
            continue  # drbdmeta 9.22 prints the flags of v08 as 0; the new one, and we, print them
        assert body(dump) == body(path.read_text())
    assert dump.startswith("# BSR meta data dump\n# ")
    assert "> bsrmeta --force - " in dump.split("\n")[2]
    assert sha(image) == before


@pytest.mark.parametrize("name", [n for n in MANIFEST if (FIXTURES / f"{n}.after.md.gz").exists()])
def test_apply_al_gives_the_known_image(name, tmp_path):
    row = MANIFEST[name]
    image = fixture_image(name, tmp_path / "t.img")
    listing = FIXTURES / f"{name}.al.txt.gz"
    unclean = meta(image, "dump-md", fmt=row["format"], force=False, env={"BSRMETA_ALLOW_FILES": "1"})
    assert unclean.returncode == 1 and "apply-al" in unclean.stderr and unclean.stdout == ""
    if listing.exists():
        text = meta_ok(image, "dump-md", *["-v"] * 10, fmt=row["format"])
        assert text[text.index("# al {"):] == gzip.open(listing, "rt").read()
    meta_ok(image, "apply-al", fmt=row["format"])
    assert read_area(name, image) == gzip.open(FIXTURES / f"{name}.after.md.gz").read()
    meta_ok(image, "apply-al", fmt=row["format"])  # again: nothing more
    assert read_area(name, image) == gzip.open(FIXTURES / f"{name}.after.md.gz").read()


CLEAN = [n for n in MANIFEST if (n + ".after") not in MANIFEST]


@pytest.mark.parametrize("name", CLEAN)
def test_restored_dump_gives_the_same_bytes(name, tmp_path):
    """What the old tools printed, restored by ours on an empty device."""
    row = MANIFEST[name]
    for path in fixture_dumps(name):
        image = make_image(tmp_path / "t.img", int(row["device_bytes"]))
        stride = ["--index-stride-mib=128"] if row["index"] == "1" else []
        meta_ok(image, *stride, "restore-md", path, fmt=row["format"], index=row["index"])
        expected = bytearray(gzip.open(FIXTURES / f"{name}.md.gz").read())
        got = bytearray(read_area(name, image))
        at = 0 if row["index"] in ("flex-external", "1") else len(expected) // 4096 * 4096 - 4096
        if name == "v09-int-odd-p2":
            at = 67108864 - int(row["area_offset"])
        if row["format"] == "v08" and path.name.endswith(".dump.txt"):
            got[at + 56:at + 60] = expected[at + 56:at + 60]  # 9.22 printed 0
        got[at + 72:at + 76] = expected[at + 72:at + 76]  # al-extents is only a comment in a dump
        assert got == expected, path.name


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


# ---- activity log, what is not in the fixtures ----

def damage_log(image, name, places, content=b"\0" * 4096):
    row = MANIFEST[name]
    al_at = int(row["area_offset"]) + int(row["area_bytes"]) - 4096 - 32768
    with open(image, "r+b") as f:
        for place in places:
            f.seek(al_at + place * 4096)
            f.write(content)


def test_a_lost_log_of_a_primary_is_refused(tmp_path):
    image = fixture_image("v09-al-dirty-1g-p3", tmp_path / "t.img")
    damage_log(image, "v09-al-dirty-1g-p3", range(8))
    before = sha(image)
    result = meta(image, "apply-al")
    assert result.returncode == 1
    assert "invalidate" in result.stderr
    assert sha(image) == before


def test_a_log_with_a_hole_marks_everything(tmp_path):
    """drbdmeta would go on with what is left, and extents that only the lost blocks named would stay clean."""
    for places, everything in (((3,), False), ((4, 5), True), ((3, 4), True), ((2,), False), ((6,), False)):
        image = fixture_image("v09-al-dirty-1g-p3", tmp_path / "t.img")
        damage_log(image, "v09-al-dirty-1g-p3", places)
        meta_ok(image, "apply-al")
        all_bits = (2096888 + 7) // 8
        assert meta_ok(image, "dump-md").rstrip().endswith(f"# bits-set {all_bits};") == everything, places


def test_a_switched_off_log_marks_everything(tmp_path):
    image = fixture_image("v09-al-dirty-1g-p3", tmp_path / "t.img")
    meta_ok(image, "--node-id=0", "set-gi", ":::::::::1")
    meta_ok(image, "apply-al")
    assert meta_ok(image, "dump-md").rstrip().endswith(f"# bits-set {(2096888 + 7) // 8};")


def test_a_lost_log_of_a_secondary_is_rebuilt(tmp_path):
    image = fixture_image("v09-int-64m-p1", tmp_path / "t.img")
    damage_log(image, "v09-int-64m-p1", range(8), b"x" * 4096)
    meta_ok(image, "apply-al")
    assert read_area("v09-int-64m-p1", image) == gzip.open(FIXTURES / "v09-int-64m-p1.md.gz").read()


def test_a_full_log_of_a_secondary_marks_nothing(tmp_path):
    image = fixture_image("v09-al-dirty-1g-p3", tmp_path / "t.img")
    meta_ok(image, "--node-id=0", "set-gi", "::::::0")
    meta_ok(image, "apply-al")
    assert meta_ok(image, "dump-md").rstrip().endswith("# bits-set 0;")


def test_an_initialised_log_with_a_bad_block(tmp_path):
    for place, code in ((0, 0), (3, 2)):
        image = fixture_image("v09-int-64m-p1", tmp_path / "t.img")
        meta_ok(image, "--node-id=0", "set-gi", "::::::1")
        damage_log(image, "v09-int-64m-p1", [place])
        assert meta(image, "apply-al").returncode == code


# ---- questions and refusals ----

def test_no_is_no(tmp_path):
    image = make_image(tmp_path / "t.img", 64 * MIB)
    meta_ok(image, "create-md", 3)
    before = sha(image)
    files = {"BSRMETA_ALLOW_FILES": "1"}
    for answer in ("", "no\n", "y\n", "yes", "yes \n", "YES\n"):
        for words in (["create-md", "3"], ["wipe-md"], ["restore-md", str(FIXTURES / "v09-int-64m-p1.dump.txt")]):
            result = meta(image, *words, force=False, answer=answer, env=files)
            assert result.returncode == 1, (answer, words, result.stderr)
        result = meta(image, "--node-id=1", "set-gi", "1122334455667788", force=False, answer=answer, env=files)
        assert result.returncode == 0
        assert sha(image) == before
    assert meta(image, "create-md", "5", force=False, answer="yes\n", env=files).returncode == 0
    assert "max-peers 5;" in meta_ok(image, "dump-md")


def test_plain_files_need_force_or_the_environment(tmp_path):
    image = make_image(tmp_path / "t.img", 64 * MIB)
    result = meta(image, "create-md", "1", force=False)
    assert result.returncode == 20 and "--force" in result.stderr
    assert meta(image, "create-md", "1", force=False, env={"BSRMETA_ALLOW_FILES": "1"}).returncode == 0


@pytest.mark.parametrize("words,code", [
    (["create-md"], 20), (["create-md", "0"], 20), (["create-md", "32"], 20), (["create-md", "x"], 20),
    (["create-md", "1", "2"], 20), (["frobnicate"], 20), (["restore-md"], 20), (["dump-md", "x"], 20),
    (["--nonsense", "dump-md"], 20), (["get-gi"], 20), (["--node-id=32", "get-gi"], 10),
    (["--node-id=1", "dstate"], 10), (["--al-stripes=2", "dump-md"], 10), (["--peer-max-bio-size=1", "dump-md"], 10),
    (["--al-stripe-size-kB=5", "create-md", "1"], 10), (["--al-stripe-size-kB=28", "create-md", "1"], 10),
    (["--al-stripes=1024", "--al-stripe-size-kB=64", "create-md", "1"], 10),
    (["--peer-max-bio-size=1048577", "create-md", "1"], 10), (["dump-md"], 255), (["apply-al"], 255),
    (["--node-id=1", "set-gi", "0"], 255), (["write-dev-uuid", "12"], 10), (["wipe-md"], 0),
    (["verify-dump", "/nonexistent"], 10), (["restore-md", "/nonexistent"], 10), (["restore-md", "/"], 10),
])
def test_exit_codes(words, code, tmp_path):
    image = make_image(tmp_path / "t.img", 64 * MIB)
    result = meta(image, *words)
    assert result.returncode == code, result.stderr
    assert code == 0 or result.stderr.strip() != ""
    assert sha(image) == EMPTY


@pytest.mark.parametrize("words", [
    ["x", "v09", "IMG", "internal"], ["-", "v10", "IMG", "internal"], ["-", "v07", "IMG", "internal"],
    ["-", "v09", "IMG", "256"], ["-", "v09", "IMG", "/a/file"], ["-", "v09", "IMG", "a/file"], ["-", "v09", "/nonexistent", "internal"],
    ["-", "v09", "/dev/null", "internal"], ["-", "v09", "/", "internal"], ["-", "v09", "IMG"], []])
def test_bad_words_before_the_command(words, tmp_path):
    image = make_image(tmp_path / "t.img", 64 * MIB)
    words = [str(image) if w == "IMG" else w for w in words]
    result = run(program("bsrmeta"), "--force", *words, "dump-md")
    assert result.returncode == 20 and result.stderr.strip() != ""


def test_small_devices_are_refused(tmp_path):
    for size, code in ((0, 10), (4096, 10), (68 * 1024 - 512, 10), (68 * 1024, 10), (344 * 1024, 0)):
        image = make_image(tmp_path / "t.img", size)
        assert meta(image, "create-md", "1").returncode == code, size
    image = make_image(tmp_path / "t.img", 68 * 1024)
    assert meta(image, "--al-stripe-size-kB=32", "create-md", "1").returncode == 0


def mkfs(tmp_path, *words, size=64 * MIB):
    image = make_image(tmp_path / "fs.img", size)
    check(*words, image)
    return image


def test_a_file_system_that_reaches_the_end_is_refused(tmp_path):
    for mkfs_words in (["mkfs.ext4", "-q", "-F"], ["mkfs.xfs", "-q", "-f"]):
        image = mkfs(tmp_path, *mkfs_words, size=320 * MIB)
        before = sha(image)
        result = meta(image, "create-md", "1")
        assert result.returncode == 40, result.stderr
        assert sha(image) == before
        os.unlink(image)


def test_a_file_system_that_leaves_room_is_asked_about(tmp_path):
    image = mkfs(tmp_path, "mkfs.ext4", "-q", "-F", "-b", "4096")
    os.truncate(image, 65 * MIB)
    files = {"BSRMETA_ALLOW_FILES": "1"}
    assert meta(image, "create-md", "1", force=False, env=files).returncode == 1
    result = meta(image, "create-md", "1", force=False, answer="yes\n", env=files)
    assert result.returncode == 0
    assert "65536 kB data area apparently used" in result.stderr
    check("e2fsck", "-fn", image)


def test_swap_and_unknown_data(tmp_path):
    image = mkfs(tmp_path, "mkswap", "-q")
    assert meta(image, "create-md", "1").returncode == 40
    assert meta(image, "--ignore-sanity-checks", "create-md", "1").returncode == 0
    image = make_image(tmp_path / "t.img", 64 * MIB)
    with open(image, "r+b") as f:
        f.seek(60000)
        f.write(b"something")
    files = {"BSRMETA_ALLOW_FILES": "1"}
    assert meta(image, "create-md", "1", force=False, env=files).returncode == 1
    assert meta(image, "create-md", "1", force=False, answer="yes\n", env=files).returncode == 0


def test_an_external_meta_disk_with_data_is_refused(tmp_path):
    image = mkfs(tmp_path, "mkfs.ext4", "-q", "-F")
    before = sha(image)
    assert meta(image, "create-md", "1", index="flex-external").returncode == 40
    assert sha(image) == before
    image = make_image(tmp_path / "t.img", 64 * MIB)
    meta_ok(image, "create-md", "1", index="flex-external")
    meta_ok(image, "create-md", "2", index="flex-external")  # metadata is not "data"


def test_dry_run_writes_nothing(tmp_path):
    image = make_image(tmp_path / "t.img", 64 * MIB)
    result = meta(image, "--dry-run", "create-md", "3")
    assert result.returncode == 0 and "would" in result.stderr
    assert sha(image) == EMPTY


def test_stale_bits_do_not_survive_create(tmp_path):
    """The bitmap area is really zeroed, whatever line one is used to."""
    image = make_image(tmp_path / "t.img", 64 * MIB)
    with open(image, "r+b") as f:
        f.seek(60 * MIB)
        f.write(b"\xff" * (4 * MIB))
    meta_ok(image, "create-md", "7")
    with open(image, "rb") as f:
        f.seek(67104768 - 327680 - 16384)
        assert f.read(16384) == bytes(16384)


# ---- restore ----

def test_a_bad_dump_changes_nothing(tmp_path):
    """Cut anywhere, or with rubbish anywhere: refused with a line number before the first write."""
    image = fixture_image("v09-int-256m-p3-state", tmp_path / "t.img")
    before = sha(image)
    text = (FIXTURES / "v09-int-256m-p3-state.dump.txt").read_text()
    bad = tmp_path / "bad.txt"
    rng = random.Random(7)
    lines = text.split("\n")
    cases = ["\n".join(lines[:n]) for n in range(4, len(lines) - 2, 9)]
    cases += [text + "trailing", text.replace("bitmap[2]", "bitmap[1]"), text.replace("peer[9]", "peer[8]"),
              text.replace("peer[9]", "peer[32]"), text.replace('"v09"', '"v08"'), text.replace('"v09"', '"v07"'),
              text.replace("max-peers 3", "max-peers 33"), text.replace("max-peers 3", "max-peers 0"),
              text.replace("bm-byte-per-bit 4096", "bm-byte-per-bit 5000"),
              text.replace("al-stripes 1", "al-stripes 4294967295"), text.replace("bitmap-index 2", "bitmap-index 1"),
              text.replace("bitmap-index 2", "bitmap-index 3"), text.replace("node-id 0", "node-id 5"),
              text.replace("times", "tunes"), text.replace("0xA9876543210FEDCC", "0xA9876543210FEDC"),
              text.replace("1000 times", "99999999999999999999 times"), "", "\0" * 100, "x" * 100000]
    for _ in range(60):
        at = rng.randrange(text.index("version"), len(text) - 20)
        if text.rfind("#", text.rfind("\n", 0, at) + 1, at) < 0 and text[at] not in " \n#":
            cases.append(text[:at] + "?" + text[at + 1:])
    for case in cases:
        bad.write_text(case)
        result = meta(image, "restore-md", bad)
        assert result.returncode == 10, case[-200:]
        assert "line " in result.stderr or "asked for" in result.stderr
        assert sha(image) == before
        assert meta(image, "verify-dump", bad).returncode == 10
    assert "parsed ok" in meta_ok(image, "verify-dump", FIXTURES / "v09-int-256m-p3-state.dump.txt")


def test_a_dump_comes_through_a_pipe_too(tmp_path):
    image = make_image(tmp_path / "t.img", 256 * MIB)
    text = (FIXTURES / "v09-int-256m-p3-state.dump.txt").read_text()
    meta_ok(image, "restore-md", "/dev/stdin", answer=text)
    assert read_area("v09-int-256m-p3-state", image) == gzip.open(FIXTURES / "v09-int-256m-p3-state.md.gz").read()


def test_missing_words_count_as_out_of_sync(tmp_path):
    image = make_image(tmp_path / "t.img", 64 * MIB)
    text = (FIXTURES / "v09-int-64m-p7-bits.dump.txt").read_text()
    start = text.index("bitmap[6] {")
    short = tmp_path / "short.txt"
    short.write_text(text[:start] + "bitmap[6] { 2 times 0x0000000000000000; }\n")
    result = meta(image, "restore-md", short)
    assert result.returncode == 0 and "bitmap[6]" in result.stderr
    dump = meta_ok(image, "dump-md")
    assert body(dump)[:-20] == body(text)[:len(body(dump)) - 20]
    bits = (130968 // 8 + 63) // 64 * 64  # as many as there are words
    assert dump.rstrip().endswith(f"# bits-set {bits - 128};")


def test_more_slots_by_way_of_a_dump(tmp_path):
    """The documented way: dump, raise max-peers, add a bitmap, restore."""
    image = fixture_image("v08-state-64m", tmp_path / "t.img")
    meta_ok(image, "--node-id=4", "convert-md")
    text = meta_ok(image, "dump-md")
    text = text.replace("max-peers 1;", "max-peers 2;").replace("# bits-set", "bitmap[1] {\n}\n# bits-set")
    text = text.replace("la-size-sect 130992", "la-size-sect 130000")
    new = tmp_path / "new.txt"
    new.write_text(text)
    meta_ok(image, "restore-md", new)
    dump = meta_ok(image, "dump-md")
    assert "max-peers 2;" in dump and "0x00000000000000F1;" in dump


def test_too_large_a_size_is_cut(tmp_path):
    image = make_image(tmp_path / "t.img", 64 * MIB)
    text = (FIXTURES / "v09-int-256m-p3-state.dump.txt").read_text()
    big = tmp_path / "big.txt"
    big.write_text(text)
    result = meta(image, "restore-md", big)
    assert result.returncode == 0 and "truncated" in result.stderr
    dump = meta_ok(image, "dump-md")
    assert "la-size-sect 130992;" in dump or "la-size-sect 130984;" in dump


# ---- v08 ----

def test_conversion_keeps_identifiers_and_bits(tmp_path):
    image = fixture_image("v08-state-64m", tmp_path / "t.img")
    assert meta(image, "convert-md").returncode == 20  # whose bits are these?
    meta_ok(image, "--node-id=2", "convert-md")
    dump = meta_ok(image, "dump-md")
    expected = (FIXTURES / "v09-converted-64m.dump.txt").read_text()
    # drbdmeta forgets whose bitmap it is and which generation it starts from; the rest is the same.
    none = "bitmap-uuid 0x0000000000000000;"
    ours = body(dump)
    theirs = body(expected)
    peer0 = theirs.index("peer[0] {")
    peer2 = ours.index("peer[2] {")
    assert "    flags 0x0000000B; # connected | <=outdated | full-sync" == theirs[peer0 + 4] == ours[peer2 + 4]
    assert ours[peer2 + 1:peer2 + 3] == ["    bitmap-index 0;", "    bitmap-uuid 0x1111222233334444;"]
    theirs[peer0 + 4] = "    flags 0x00000000;"
    ours[peer2 + 1:peer2 + 5] = theirs[peer2 + 1:peer2 + 5]
    assert ours == theirs and none in expected


def test_unclean_v08_is_not_converted(tmp_path):
    image = fixture_image("v08-al-dirty-1g", tmp_path / "t.img")
    before = sha(image)
    result = meta(image, "--node-id=2", "convert-md")
    assert result.returncode == 1 and "apply-al" in result.stderr
    assert sha(image) == before
    meta_ok(image, "apply-al", fmt="v08")
    meta_ok(image, "--node-id=2", "convert-md")


def test_the_other_format_is_named(tmp_path):
    image = fixture_image("v08-state-64m", tmp_path / "t.img")
    result = meta(image, "dump-md")
    assert result.returncode == 255 and "v08" in result.stderr
    image = fixture_image("v09-int-64m-p1", tmp_path / "t.img")
    result = meta(image, "dump-md", fmt="v08")
    assert result.returncode == 255 and "v09" in result.stderr


# ---- identifiers and flags ----

def test_identifiers(tmp_path):
    image = make_image(tmp_path / "t.img", 64 * MIB)
    meta_ok(image, "create-md", 3)
    line = "A9876543210FEDCC:A1A1A1A1A1A1A1A0:1111111111111110:2222222222222222:1:1:0:1:1:0:1:1:0:1:1:1"
    out = meta_ok(image, "--node-id=1", "set-gi", line)
    assert "set GI to  " + line in out
    assert meta_ok(image, "--node-id=1", "get-gi") == line + "\n"
    assert line in meta_ok(image, "--node-id=1", "show-gi")
    assert meta_ok(image, "--node-id=2", "get-gi").split(":")[1] == "0" * 16
    meta_ok(image, "--node-id=1", "set-gi", ":0::::0")  # keeps what is empty, may stop early
    assert meta_ok(image, "--node-id=1", "get-gi") == line.replace("A1A1A1A1A1A1A1A0", "0" * 16).replace(
        "2:1:1:", "2:1:0:") + "\n"
    for bad in ("x", "1:2:3:4:2", "11223344556677889", "1:2:3:4:" + "1:" * 12 + "1", "1:2:3:4:" + "0" * 600):
        assert meta(image, "--node-id=1", "set-gi", bad).returncode == 10
    assert meta_ok(image, "dstate") == "Outdated\n"
    assert meta(image, "outdate").returncode == 0
    meta_ok(image, "invalidate")
    assert meta_ok(image, "dstate") == "Inconsistent\n"
    assert meta(image, "outdate").returncode == 5
    assert meta_ok(image, "dump-md").count("full-sync") == 32
    meta_ok(image, "write-dev-uuid", "00c0ffee12345678")
    assert meta_ok(image, "read-dev-uuid") == "00C0FFEE12345678\n"


def test_dstate_claims_up_to_date_only_when_the_peers_cannot_be(tmp_path):
    image = fixture_image("v09-int-256m-p3-state", tmp_path / "t.img")
    assert meta_ok(image, "dstate") == "Consistent\n"
    for node in (1, 2, 5):
        meta_ok(image, f"--node-id={node}", "set-gi", "::::::::::::1")
        meta_ok(image, f"--node-id={node}", "set-gi", ":::::::::::1")
    assert meta_ok(image, "dstate") == "UpToDate\n"


def test_forget_peer_frees_the_slot(tmp_path):
    image = fixture_image("v09-int-256m-p3-state", tmp_path / "t.img")
    meta_ok(image, "--node-id=2", "forget-peer")
    dump = meta_ok(image, "dump-md")
    at = body(dump).index("peer[2] {")
    assert body(dump)[at:at + 6] == ["peer[2] {", "    bitmap-index -1;", "    bitmap-uuid 0x0000000000000000;",
                                    "    bitmap-dagtag 0x0000000000000000;", "    flags 0x00000000;", "}"]


# ---- damaged superblocks ----

def test_impossible_superblocks_are_named(tmp_path):
    for at, value, word in ((88, 0, "max-peers"), (88, 40, "max-peers"), (92, 99, "node id"), (80, 5000, "bit"),
                            (96, 0x10000000, "stripes"), (76, 12, "offsets"), (0, 1, "agreed size")):
        image = fixture_image("v09-int-64m-p1", tmp_path / "t.img")
        with open(image, "r+b") as f:
            f.seek(67104768 + at)
            f.write(struct.pack(">I", value))
        before = sha(image)
        for command in ("dump-md", "apply-al", "outdate"):
            result = meta(image, command)
            assert result.returncode == 255 and word in result.stderr, result.stderr
        assert sha(image) == before
        assert meta(image, "create-md", "1").returncode == 0


# ---- minors, locks, block devices ----

def directories(tmp_path):
    for name in ("lock", "lib"):
        (tmp_path / name).mkdir(exist_ok=True)
    return {"BSR_LOCK_DIR": str(tmp_path / "lock"), "BSR_LIB_DIR": str(tmp_path / "lib")}


def test_an_attached_minor_is_only_read(tmp_path):
    env = directories(tmp_path)
    image = make_image(tmp_path / "t.img", 64 * MIB)
    meta_ok(image, "create-md", 1, minor="/dev/bsr7", env=env)
    before = sha(image)
    holder = subprocess.Popen(
        [sys.executable, "-c", "import fcntl,sys,time; f=open(sys.argv[1],'r+'); fcntl.lockf(f,fcntl.LOCK_EX);"
         "print('held',flush=True); time.sleep(60)", tmp_path / "lock" / "bsr-147-7"], stdout=subprocess.PIPE)
    try:
        assert holder.stdout.readline() == b"held\n"
        start = time.monotonic()
        for words in (["create-md", "1"], ["wipe-md"], ["apply-al"], ["outdate"]):
            result = meta(image, *words, minor="7", env=env)
            assert result.returncode == 20 and f"pid {holder.pid}" in result.stderr, result.stderr
        assert 3.5 < time.monotonic() - start < 20  # a second each
        result = meta(image, "dump-md", minor="7", env=env)
        assert result.returncode == 0 and "attached" in result.stderr
        assert meta(image, "dump-md", minor="8", env=env).stderr == ""
        assert sha(image) == before
    finally:
        holder.kill()
        holder.wait()
    assert meta(image, "outdate", minor="7", env=env).returncode == 5


def test_block_devices_in_use_are_refused(tmp_path, loop):
    image = make_image(tmp_path / "t.img", 64 * MIB)
    device = loop(image)
    meta_ok(device, "create-md", "1", force=False)
    fd = os.open(device, os.O_RDONLY | os.O_EXCL)
    try:
        result = meta(device, "apply-al")
        assert result.returncode == 20 and "in use" in result.stderr
        assert meta(device, "dump-md").returncode == 0
    finally:
        os.close(fd)
    assert meta(device, "apply-al", force=False).returncode == 0


def test_files_in_use_are_refused(tmp_path):
    image = make_image(tmp_path / "t.img", 64 * MIB)
    meta_ok(image, "create-md", "1")
    with open(image, "r+b") as f:
        fcntl.flock(f, fcntl.LOCK_EX)
        result = meta(image, "create-md", "2")
        assert result.returncode == 20 and "in use" in result.stderr
        assert "max-peers 1;" in meta_ok(image, "dump-md")


def test_a_mounted_device_is_named(tmp_path, loop):
    image = mkfs(tmp_path, "mkfs.ext4", "-q", "-F", "-b", "4096")
    os.truncate(image, 65 * MIB)
    device = loop(image)
    point = tmp_path / "mnt"
    point.mkdir()
    check("mount", device, point)
    try:
        result = meta(device, "create-md", "1")
        assert result.returncode == 20 and str(point) in result.stderr
    finally:
        check("umount", point)


def test_a_file_behind_a_loop_device(tmp_path, loop):
    image = make_image(tmp_path / "meta", 8 * MIB)
    other = make_image(tmp_path / "other", 8 * MIB)
    device = loop(image)
    check("losetup", "--detach", device)
    assert meta(device, "create-md", "2", index=image, force=False).returncode == 0  # binds it
    assert str(image) in check("losetup", "--list", "--noheadings", "--output", "BACK-FILE", device).stdout
    assert "max-peers 2;" in meta_ok(device, "dump-md", index=image, force=False)
    assert "max-peers 2;" in meta_ok(image, "dump-md", index="flex-external")
    result = meta(device, "dump-md", index=other, force=False)
    assert result.returncode == 20 and "another file" in result.stderr
    assert meta(device, "dump-md", index=tmp_path / "none").returncode == 20
    assert meta(image, "dump-md", index=image).returncode == 20


def test_v08_flags(tmp_path):
    image = fixture_image("v08-state-64m", tmp_path / "t.img")
    line = "AAAABBBBCCCCDDDE:1111222233334444:5555666677778888:9999AAAABBBBCCCC:1:1:0:1:1:1:1"
    assert meta_ok(image, "get-gi", fmt="v08") == line + "\n"
    assert meta_ok(image, "dstate", fmt="v08") == "UpToDate\n"
    meta_ok(image, "set-gi", ":::1:::::::0", fmt="v08")
    assert meta_ok(image, "get-gi", fmt="v08").endswith(":0000000000000001:1:1:0:1:1:1:0\n")
    meta_ok(image, "outdate", fmt="v08")
    assert meta_ok(image, "dstate", fmt="v08") == "Outdated\n"
    meta_ok(image, "invalidate", fmt="v08")
    assert meta_ok(image, "get-gi", fmt="v08").endswith(":0:0:0:1:1:1:0\n")
    assert meta(image, "--node-id=1", "forget-peer", fmt="v08").returncode == 30
    meta_ok(image, "create-md", fmt="v08")
    assert "flags 0x00000080;" in meta_ok(image, "dump-md", fmt="v08")


def test_metadata_follows_a_grown_device(tmp_path):
    """Bits stay with their blocks (an old tool lost them), data stays untouched, nothing old is left behind."""
    env = directories(tmp_path)
    for grow in (4096, 8192, 200 * 1024, 3 * MIB, 200 * MIB + 4096 + 512):
        image = fixture_image("v09-int-256m-p3-state", tmp_path / "t.img")
        with open(image, "r+b") as f:
            f.write(b"data" * 1000)
        data_end = int(MANIFEST["v09-int-256m-p3-state"]["area_offset"])
        meta_ok(image, "check-resize", minor="3", env=env)  # records the size
        assert (tmp_path / "lib" / "bsr-minor-3.lkbd").read_text() == \
            f"{256 * MIB}\t{image}\nuuid:\t00C0FFEE12345678\n"
        before = meta_ok(image, "dump-md", minor="3", env=env)
        old_data = hashlib.sha256(open(image, "rb").read(data_end)).hexdigest()
        os.truncate(image, 256 * MIB + grow)
        result = meta(image, "dump-md", minor="3", env=env)
        assert result.returncode == 255 and "check-resize" in result.stderr
        meta_ok(image, "check-resize", minor="3", env=env)
        after = meta_ok(image, "dump-md", minor="3", env=env)
        strip = [x for x in body(before) if not x.startswith("# ")]
        assert [x for x in body(after) if not x.startswith("# ")] == strip
        assert hashlib.sha256(open(image, "rb").read(data_end)).hexdigest() == old_data
        bitmap_at = int([x for x in after.split("\n") if x.startswith("# bm_offset")][0].split()[2])
        with open(image, "rb") as f:
            f.seek(data_end)
            assert f.read(bitmap_at - data_end).strip(b"\0") == b""
        if shutil.which("drbdmeta"):
            assert body(drbdmeta(image, "dump-md")) == body(after)


def test_unclean_metadata_is_applied_before_it_moves(tmp_path):
    env = directories(tmp_path)
    image = fixture_image("v09-al-dirty-1g-p3", tmp_path / "t.img")
    (tmp_path / "lib" / "bsr-minor-4.lkbd").write_text(f"{1 << 30}\t{image}\n")
    os.truncate(image, (1 << 30) + 5 * MIB)
    meta_ok(image, "check-resize", minor="4", env=env)
    after = (FIXTURES / "v09-al-dirty-1g-p3.after.dump.txt").read_text()
    assert body(meta_ok(image, "dump-md"))[9:] == body(after)[9:]


def test_a_shrunken_device_is_explained(tmp_path):
    env = directories(tmp_path)
    image = make_image(tmp_path / "t.img", 64 * MIB)
    meta_ok(image, "create-md", 1, minor="5", env=env)
    os.truncate(image, 60 * MIB)
    result = meta(image, "check-resize", minor="5", env=env)
    assert result.returncode == 255 and "shrank" in result.stderr
    os.truncate(image, 64 * MIB)


def test_create_offers_to_move(tmp_path):
    env = dict(directories(tmp_path), BSRMETA_ALLOW_FILES="1")
    for answers, moved in (("yes\n", True), ("no\nyes\n", False)):
        image = make_image(tmp_path / "t.img", 64 * MIB)
        meta_ok(image, "create-md", 3, minor="6", env=env)
        meta_ok(image, "write-dev-uuid", "1234567812345678", minor="6", env=env)
        os.truncate(image, 70 * MIB)
        result = meta(image, "create-md", "2", minor="6", env=env, force=False, answer=answers)
        assert result.returncode == 0, result.stderr
        assert ("max-peers 3;" in meta_ok(image, "dump-md")) == moved


def test_wipe_removes_the_record_of_the_size(tmp_path):
    env = directories(tmp_path)
    image = make_image(tmp_path / "t.img", 64 * MIB)
    meta_ok(image, "create-md", 1, minor="9", env=env)
    assert (tmp_path / "lib" / "bsr-minor-9.lkbd").exists()
    meta_ok(image, "wipe-md", minor="9", env=env)
    assert not (tmp_path / "lib" / "bsr-minor-9.lkbd").exists()
    assert meta(image, "dump-md", minor="9", env=env).returncode == 255


# ---- indexed ----

def test_both_kinds_of_indexed_blocks_are_found(tmp_path):
    image = make_image(tmp_path / "t.img", 600 * MIB)
    meta_ok(image, "create-md", 1, index="1")
    assert "# md_offset 268435456" in meta_ok(image, "dump-md", index="1")
    meta_ok(image, "--index-stride-mib=128", "create-md", 2, index="1")
    assert "# md_offset 134217728" in meta_ok(image, "--index-stride-mib=128", "dump-md", index="1")
    assert "max-peers 1;" in meta_ok(image, "dump-md", index="1")
    # DRBD's block 2 lies where bsr's block 1 lies; its size tells whose it is.
    assert meta(image, "--index-stride-mib=128", "dump-md", index="2").returncode == 255


# ---- size ----

def test_memory_does_not_depend_on_the_size_of_the_bitmap(tmp_path):
    """A 256 GiB device with 31 slots has 248 MiB of bitmap; 64 MiB of address space must do."""
    image = make_image(tmp_path / "t.img", 256 << 30)

    def limited(*words):
        return subprocess.run([program("bsrmeta"), "--force", "-", "v09", image, "internal", *words],
                              capture_output=True, text=True, timeout=300,
                              preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (64 * MIB, 64 * MIB)))

    assert limited("create-md", "31").returncode == 0
    text = meta_ok(image, "dump-md").replace("la-size-sect 0;", f"la-size-sect {(255 << 30) // 512};")
    words = (255 << 30) // 4096 // 64
    for slot in range(31):
        text = text.replace(f"bitmap[{slot}] {{\n", f"bitmap[{slot}] {{\n {words - 1} times 0x0000000000000000; "
                            f"0x{slot:016X};\n")
    big = tmp_path / "big.txt"
    big.write_text(text)
    result = limited("restore-md", str(big))
    assert result.returncode == 0, result.stderr
    result = limited("dump-md")
    assert result.returncode == 0, result.stderr
    assert result.stdout.rstrip().endswith("# bits-set 4;")
    assert "0x000000000000001E;" in result.stdout


def test_help_and_version():
    result = check(program("bsrmeta"), "--help")
    for word in ("create-md", "restore-md", "convert-md", "--al-stripe-size-kB"):
        assert word in result.stdout
    assert check(program("bsrmeta"), "--version").stdout.startswith("bsrmeta ")
    assert "restore-md" in check(program("bsrmeta"), "restore-md", "--help").stdout
