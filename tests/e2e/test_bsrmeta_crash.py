# SPDX-License-Identifier: GPL-2.0-or-later
"""bsrmeta dies, or the power fails, at every moment: what is left must be the old state, the new one, or safe."""

import os
import random
import re
import shutil

import pytest

from conftest import program, run
from bsrmeta_support import (FIXTURES, MIB, MANIFEST, body, directories, fixture_image, make_image, meta, meta_ok, sha)

pytestmark = pytest.mark.skipif(shutil.which("strace") is None, reason="strace is missing")


def traced(env):
    """A leak checker cannot work in a process that is being traced."""
    return dict(env or {}, ASAN_OPTIONS="detect_leaks=0")


def killed_at(syscall, number, image, *words, minor="-", env=None):
    """True while there was a number-th such call to be killed at."""
    result = run("strace", "-qq", "-o", "/dev/null", "-e", f"trace={syscall}",
                 "-e", f"inject={syscall}:signal=SIGKILL:when={number}",
                 program("bsrmeta"), "--force", minor, "v09", image, "internal", *words, env=traced(env))
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


# ---- power loss: any part of what was not yet synced may be missing ----

WRITE = re.compile(r'^(pwrite64|fallocate|fsync)\(\d+<([^>]*)>(?:, (.*))?\) += \d+$')


def recorded(image, *words, minor="-", env=None):
    """What bsrmeta did to the image, in order: ("write", offset, bytes) and ("sync",)."""
    trace = run("strace", "-qq", "-y", "-xx", "-s", "16777216", "-e", "trace=pwrite64,fallocate,fsync",
                program("bsrmeta"), "--force", minor, "v09", image, "internal", *words, env=traced(env))
    assert trace.returncode == 0, trace.stderr[-1000:]
    for line in trace.stderr.split("\n"):
        match = WRITE.match(line)
        name = match and match.group(2).encode().decode("unicode_escape")
        if not match or name != str(image):
            continue
        if match.group(1) == "fsync":
            yield ("sync",)
        elif match.group(1) == "fallocate":
            assert "ZERO_RANGE" in match.group(3)
            _, offset, length = match.group(3).split(", ")
            yield ("write", int(offset), bytes(int(length)))
        else:
            text, length, offset = match.group(3).rsplit(", ", 2)
            data = bytes.fromhex(text.strip('"').replace("\\x", ""))
            assert len(data) == int(length)
            yield ("write", int(offset), data)


def after_power_loss(make, operations, rng, count):
    """Images as a disk may hold them when the power fails: all that was synced, any blocks of the rest."""
    assert operations.count(("sync",)) >= 2 and len(operations) >= 5
    for _ in range(count):
        stop = rng.randrange(len(operations) + 1)
        last_sync = max([i for i in range(stop) if operations[i][0] == "sync"], default=-1)
        image = make()
        with open(image, "r+b") as f:
            for i, operation in enumerate(operations[:stop]):
                if operation[0] == "sync":
                    continue
                _, offset, data = operation
                keep = rng.choice([0.0, 0.5, 1.0])
                for at in range(0, len(data), 4096):
                    if i < last_sync or rng.random() < keep:
                        f.seek(offset + at)
                        f.write(data[at:at + 4096])
        yield image


@pytest.mark.parametrize("words", [["create-md", "5"],
                                   ["restore-md", str(FIXTURES / "v09-int-256m-p3-stripes.dump.txt")]])
def test_power_loss_during_creation_and_restore(words, tmp_path):
    def make():
        return fixture_image("v09-int-256m-p3-state", tmp_path / "t.img")

    old = sha(make())
    operations = list(recorded(make(), *words))
    new = sha(tmp_path / "t.img")
    seen = set()
    for image in after_power_loss(make, operations, random.Random(1), 150):
        state = {old: "old", new: "new"}.get(sha(image), "none")
        seen.add(state)
        assert state != "none" or meta(image, "dump-md").returncode == 255
    assert seen == {"old", "new", "none"}


def test_power_loss_while_the_log_is_applied(tmp_path):
    name = "v09-al-dirty-1g-p3"

    def make():
        return fixture_image(name, tmp_path / "t.img")

    operations = list(recorded(make(), "apply-al"))
    for image in after_power_loss(make, operations, random.Random(2), 120):
        meta_ok(image, "apply-al")
        # A half initialised ring makes the log say less, or "all"; never less than what was hot.
        assert_covers(image, FIXTURES / f"{name}.after.dump.txt")


def assert_covers(image, dump):
    """Every bit of the dump is set in the image's."""
    def slots(text):
        result = []
        for line in text.split("\n"):
            if line.startswith("bitmap["):
                result.append([])
            elif result and " times " in line:
                result[-1] += [int(line.split("0x")[1][:16], 16)] * int(line.split()[0])
            elif result and line.startswith("    0x"):
                result[-1] += [int(word[2:18], 16) for word in line.split()]
        return result

    wanted = slots(dump.read_text())
    got = slots(meta_ok(image, "dump-md"))
    assert len(wanted) == len(got) == 3
    for want, have in zip(wanted, got):
        assert len(want) == len(have)
        assert all(w & ~h == 0 for w, h in zip(want, have))


@pytest.mark.parametrize("grow", [8192, 40 * 1024, 3 * MIB])
def test_power_loss_during_a_move(grow, tmp_path):
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
    operations = list(recorded(make(), "check-resize", minor="3", env=env))
    for image in after_power_loss(make, operations, random.Random(grow), 80):
        if meta(image, "dump-md").returncode != 0:
            meta_ok(image, "check-resize", minor="3", env=env)
            assert content(image) == expected
        elif content(image) != expected:
            assert meta_ok(image, "dump-md").count("full-sync") == 32
