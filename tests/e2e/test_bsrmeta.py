# SPDX-License-Identifier: GPL-2.0-or-later
"""bsrmeta on real images: golden files, drbdmeta as a second opinion, and everything that must be refused."""

import gzip
import os
import random
import struct
import resource
import subprocess

import pytest

from bsrmeta_support import (FIXTURES, MANIFEST, MIB, EMPTY, meta, meta_ok, body, make_image, fixture_image, read_area, fixture_dumps, sha, mkfs)
from conftest import check, program, run


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


def test_a_hexdump_shows_the_bytes_of_the_disk(tmp_path):
    image = make_image(tmp_path / "image", 64 * MIB)
    empty = meta_ok(image, "hexdump")
    assert "no meta data is recognised here" in empty and empty.count("\n") == 3
    meta_ok(image, "create-md", "--al-stripe-size-kB=32", "1")
    shown = meta_ok(image, "hexdump")
    assert shown.startswith("# superblock: v09\n") and "# activity log: 8 blocks\n" in shown
    content = image.read_bytes()
    for line in shown.splitlines():
        if not line.startswith(("#", "*")):
            at = int(line[:12], 16)
            assert bytes.fromhex(line[13:63].replace(" ", "")) == content[at:at + 16], line
    with open(image, "r+b") as f:  # and of a superblock that nobody else can read
        f.seek(64 * MIB - 4096 + 100)
        f.write(b"\xff" * 8)
    assert meta(image, "dump-md").returncode != 0
    assert "ff ff ff ff" in meta_ok(image, "hexdump")
