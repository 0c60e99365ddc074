# SPDX-License-Identifier: GPL-2.0-or-later
"""bsrmeta is killed before each of its writes in turn: what is left must be the old state, the new one, or safe."""

import os
import shutil

import pytest

from conftest import program, run
from test_bsrmeta import (FIXTURES, MIB, MANIFEST, body, directories, fixture_image, make_image, meta, meta_ok, sha)

pytestmark = pytest.mark.skipif(shutil.which("strace") is None, reason="strace is missing")


def killed_at(syscall, number, image, *words, minor="-", env=None):
    """True while there was a number-th such call to be killed at."""
    result = run("strace", "-qq", "-o", "/dev/null", "-e", f"trace={syscall}",
                 "-e", f"inject={syscall}:signal=SIGKILL:when={number}",
                 program("bsrmeta"), "--force", minor, "v09", image, "internal", *words, env=env)
    assert result.returncode in (0, -9, 137), result.stderr
    return result.returncode != 0


def every_death(make, *words, minor="-", env=None):
    """Yields an image after each possible death; make() gives a fresh one."""
    deaths = 0
    for syscall in ("pwrite64", "fallocate", "fsync"):
        for number in range(1, 200):
            image = make()
            if not killed_at(syscall, number, image, *words, minor=minor, env=env):
                break
            deaths += 1
            yield image
    assert deaths >= 3


@pytest.mark.parametrize("words", [["create-md", "5"],
                                   ["restore-md", str(FIXTURES / "v09-int-256m-p3-stripes.dump.txt")]])
def test_creation_and_restore_leave_old_new_or_none(words, tmp_path):
    def make():
        return fixture_image("v09-int-256m-p3-state", tmp_path / "t.img")

    old = sha(make())
    meta_ok(make(), *words)
    new = sha(tmp_path / "t.img")
    none = 0
    for image in every_death(make, *words):
        if sha(image) not in (old, new):
            assert meta(image, "dump-md").returncode == 255
            none += 1
    assert none > 0


def test_the_log_can_be_applied_again(tmp_path):
    name = "v09-al-dirty-1g-p3"
    for image in every_death(lambda: fixture_image(name, tmp_path / "t.img"), "apply-al"):
        meta_ok(image, "apply-al")
        dump = meta_ok(image, "dump-md")
        assert body(dump) == body((FIXTURES / f"{name}.after.dump.txt").read_text())


@pytest.mark.parametrize("grow", [8192, 40 * 1024, 3 * MIB])
def test_a_move_loses_no_bits(grow, tmp_path):
    """Found at the old place, or complete at the new one, or asking for a full sync of every peer."""
    name = "v09-int-256m-p3-state"
    env = directories(tmp_path)

    def make():
        image = fixture_image(name, tmp_path / "t.img")
        (tmp_path / "lib" / "bsr-minor-3.lkbd").write_text(f"{MANIFEST[name]['device_bytes']}\t{image}\n")
        os.truncate(image, int(MANIFEST[name]["device_bytes"]) + grow)
        return image

    def content(image):
        return [line for line in body(meta_ok(image, "dump-md")) if not line.startswith("# ")]

    expected = [line for line in body((FIXTURES / f"{name}.dump.txt").read_text()) if not line.startswith("# ")]
    guarded = 0
    for image in every_death(make, "check-resize", minor="3", env=env):
        if meta(image, "dump-md").returncode != 0:
            meta_ok(image, "check-resize", minor="3", env=env)
            assert content(image) == expected
        elif content(image) != expected:
            assert meta_ok(image, "dump-md").count("full-sync") == 32
            guarded += 1
    assert guarded > 0


def test_a_plain_run_under_strace_succeeds(tmp_path):
    """Or the tests above would prove nothing."""
    image = make_image(tmp_path / "t.img", 64 * MIB)
    assert not killed_at("pwrite64", 199, image, "create-md", "1")
    assert meta_ok(image, "dstate") == "Inconsistent\n"
