# SPDX-License-Identifier: GPL-2.0-or-later
"""bsrmeta on devices: minors and locks, loop devices, sizes that change."""

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
import time

from bsrmeta_support import (FIXTURES, MANIFEST, MIB, meta, meta_ok, drbdmeta, body, make_image, fixture_image, sha, directories, mkfs)
from conftest import check


# ---- minors, locks, block devices ----


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
