# SPDX-License-Identifier: GPL-2.0-or-later
"""bsrmeta and drbdmeta on images: calling them, fixtures, comparing content."""

import csv
import gzip
import hashlib
import os
import shutil

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


def directories(tmp_path):
    for name in ("lock", "lib"):
        (tmp_path / name).mkdir(exist_ok=True)
    return {"BSR_LOCK_DIR": str(tmp_path / "lock"), "BSR_LIB_DIR": str(tmp_path / "lib")}


def mkfs(tmp_path, *words, size=64 * MIB):
    image = make_image(tmp_path / "fs.img", size)
    check(*words, image)
    return image
