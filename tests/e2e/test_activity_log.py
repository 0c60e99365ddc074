# SPDX-License-Identifier: GPL-2.0-or-later
"""The activity log of a running bsrd: what a crash finds in it, and drbdmeta's opinion."""
import os
import re
import shutil
import signal
import time

import pytest

from conftest import check, program, run
from node import MIB, alive, both_up_to_date, connect, fixture_make_node, fixture_node, wait_for  # noqa: F401

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="needs root")

EXTENT = 4 * MIB


def al_used(node):
    return int(re.search(r"al-used:(\d+)", node.ok("status", "r0", "--verbose", "--statistics")).group(1))


def write(node, extent, at=0):
    with open(node.device(), "r+b", buffering=0) as device:
        os.pwrite(device.fileno(), os.urandom(4096), extent * EXTENT + at)
        os.fsync(device.fileno())


def power_off(node):
    """Both processes die at once; the image as it is then."""
    pids = [node.keeper(), node.engine()]
    for pid in pids:
        os.kill(pid, signal.SIGKILL)
    wait_for(lambda: not any(alive(pid) for pid in pids))
    return node.disk


def meta(node, image, *words):
    return check(program("bsrmeta"), "--force", str(node.minor), "v09", image, "internal", *words, env=node.env).stdout


def bits_set(node, image):
    """Bits of the first slot in dump-md, by counting those in its words."""
    text = meta(node, image, "dump-md")
    bitmap = text.split("bitmap[0] {")[1].split("}")[0]
    bits = 0
    for line in bitmap.splitlines():
        line = line.split("#")[0]
        for times, word in re.findall(r"(?:(\d+) times )?0x([0-9a-fA-F]{16})", line):
            bits += int(times or 1) * bin(int(word, 16)).count("1")
    return bits


def wait_until_cold(node, used=0):
    wait_for(lambda: al_used(node) == used, 20)


def test_extents_cool_down_on_a_quiet_device(node):
    node.primary()
    for extent in range(10):
        write(node, extent)
    assert al_used(node) == 10
    wait_until_cold(node)
    writes = int(re.search(r"al-writes:(\d+)", node.ok("status", "r0", "--verbose", "--statistics")).group(1))
    time.sleep(3)
    assert f"al-writes:{writes} " in node.ok("status", "r0", "--verbose", "--statistics"), "a cold log is left alone"
    write(node, 3)
    assert al_used(node) == 1


def test_a_crash_after_a_quiet_time_resyncs_little(make_node):
    nodes = [make_node(0), make_node(1)]
    for node in nodes:
        node.up()
    connect(nodes, "--protocol=C")
    nodes[0].ok("primary", "r0", "--force")
    wait_for(lambda: both_up_to_date(nodes[0]), 30)
    for extent in range(12):
        write(nodes[0], extent)
    wait_until_cold(nodes[0])
    write(nodes[0], 5)
    image = shutil.copy(power_off(nodes[0]), nodes[0].path / "image")
    meta(nodes[0], image, "apply-al")
    assert bits_set(nodes[0], image) == EXTENT // 4096


@pytest.mark.skipif(shutil.which("drbdmeta") is None, reason="drbdmeta (package drbd-utils) is missing")
def test_drbdmeta_reads_a_log_with_slots_that_became_free(node):
    node.primary()
    for extent in range(10):
        write(node, extent)
    wait_until_cold(node)
    for extent in (2, 7):
        write(node, extent)
    ours = shutil.copy(power_off(node), node.path / "ours")
    theirs = shutil.copy(ours, node.path / "theirs")
    meta(node, ours, "apply-al")
    check("drbdmeta", "--force", "-", "v09", theirs, "internal", "apply-al")
    assert bits_set(node, ours) == bits_set(node, theirs) == 2 * EXTENT // 4096


def test_old_extents_leave_a_busy_device(node):
    """Somebody writes one block for ever: what was written once leaves all the same."""
    node.primary()
    for extent in range(8):
        write(node, extent)
    end = time.monotonic() + 25
    while al_used(node) > 1:
        assert time.monotonic() < end, f"{al_used(node)} extents are still hot"
        for _ in range(5):
            write(node, 9)
            time.sleep(0.1)


def test_a_bitmap_that_outgrows_its_memory_is_rounded_up_and_said(node):
    """31 slots and 300 hot extents, each in a region of its own, need more than the 8192 regions that fit."""
    node.make_disk(40 << 30, peers=31)
    node.start()
    node.ok("new-minor", "r0", node.minor, 0)
    node.ok("attach", node.minor, node.disk, node.disk, "internal")
    node.ok("primary", "r0", "--force")
    for region in range(300):
        write(node, region * 32)
    assert "3006" not in node.log()
    node.kill_engine()
    wait_for(lambda: "3006 warn bitmap-coarsened" in node.log())
