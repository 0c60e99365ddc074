# SPDX-License-Identifier: GPL-2.0-or-later
"""Online verify on two hosts: bytes that changed behind bsr's back are found, named, and repaired."""
import json
import os
import re
import subprocess
import time

import pytest

from hosts import (bring_up, configure, equal_disks, fixture_cluster, fixture_pair,  # noqa: F401
                   finish_load, settle, verifying_load)

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="needs root: namespaces, loop devices, FUSE")
BLOCK = 4096


def peer_device(host):
    status = json.loads(host.out("bsrsetup status r0 --json"))[0]
    return status["connections"][0]["peer_devices"][0]


def wait_for_repl(host, *states, seconds=60):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        now = peer_device(host)["replication-state"]
        if now in states:
            return now
        time.sleep(0.05)
    raise AssertionError(f"{host.name}: {now}, expected one of {states}")


def out_of_sync(host):
    return peer_device(host)["out-of-sync"] * 1024


def verify(host, *options, seconds=60):
    host.run("bsradm verify " + " ".join(options) + " r0")
    wait_for_repl(host, "Established", seconds=seconds)


def rot(disk, *blocks):
    """Bytes of the backing disk change while nobody looks: past every cache."""
    for block in blocks:
        subprocess.run(["dd", "if=/dev/urandom", f"of={disk}", f"bs={BLOCK}", f"seek={block}", "count=1", "oflag=direct",
                        "conv=notrunc", "status=none"], check=True)


def events(host, number):
    return [line for line in host.out("cat /var/log/bsr/r0.log").splitlines() if f" {number} " in line]


@pytest.fixture(name="verified", params=["crc32c", "sha256"])
def fixture_verified(cluster, request):
    """alice Primary, bob Secondary, in sync, with a verify-alg."""
    yield from with_algorithm(cluster, request.param)


def with_algorithm(cluster, algorithm, disk="c-max-rate 1G;"):
    configure(cluster, disk=disk)
    for host in cluster.hosts:
        text = host.out("cat /etc/bsr.d/r0.res").replace("ping-int 1;", f"ping-int 1; verify-alg {algorithm};", 1)
        host.write_config({"bsr.d/r0.res": text})
    bring_up(cluster)
    yield cluster


def test_what_rots_under_load_is_found_exactly_and_repaired(verified):
    alice, bob = verified.hosts
    load = verifying_load(alice, seconds=6, size="32M")
    rot(bob.disks[0], 9000, 9001, 12345)  # behind the 32 MiB that are being written
    time.sleep(0.5)
    verify(alice)
    finish_load(load)
    for host in verified.hosts:
        assert out_of_sync(host) == 3 * BLOCK
        assert len(events(host, 2022)) == 1, "complete, on both nodes"
    differs = "\n".join(events(alice, 2023))
    assert f"offset_bytes={9000 * BLOCK} length_bytes={2 * BLOCK}" in differs
    assert f"offset_bytes={12345 * BLOCK} length_bytes={BLOCK}" in differs
    time.sleep(6)
    assert out_of_sync(alice) == 3 * BLOCK, "nobody resyncs what only a person can judge"
    assert "a verify has found 12 KiB" in alice.out("bsradm why r0 || true")
    alice.run("bsradm disconnect r0 && bsradm connect r0")
    settle(verified)
    equal_disks(verified)
    verify(bob)  # from the Secondary
    for host in verified.hosts:
        assert out_of_sync(host) == 0
        assert len(events(host, 2022)) == 2
    assert len(events(alice, 2023)) == 2


def test_start_stop_and_auto_sync(cluster):
    for verified in with_algorithm(cluster, "md5"):
        alice, bob = verified.hosts
        rot(bob.disks[0], 100, 5000)
        verify(alice, "--start=16000s", f"--stop={5000 * 8}")
        assert out_of_sync(alice) == 0
        verify(alice, "--start=16000", f"--stop={5000 * 8 + 1}")
        assert out_of_sync(alice) == out_of_sync(bob) == BLOCK
        verify(alice, "--start=0", "--auto-sync")
        settle(verified, 30)
        equal_disks(verified)
        refused = alice.run("bsradm verify --start=99999999 r0", check=False)
        assert refused.returncode != 0 and "2033" in refused.stderr + refused.stdout


def test_a_slow_verify_is_stopped_interrupted_and_goes_on(cluster):
    for verified in with_algorithm(cluster, "sha1", disk="c-max-rate 1G; ov-req-num 64; ov-req-interval 50;"):
        alice, bob = verified.hosts
        rot(bob.disks[0], 10)
        alice.run("bsradm verify r0")
        assert wait_for_repl(bob, "VerifyT") == "VerifyT"
        shown = alice.out("bsrsetup status r0 --verbose --statistics")
        assert "replication:VerifyS" in shown and "done:" in shown
        again = alice.run("bsradm verify r0", check=False)
        assert again.returncode != 0 and "(-8)" in again.stderr + again.stdout
        changed = alice.run("bsrsetup net-options r0 1 --verify-alg=md5", check=False)
        assert changed.returncode != 0 and "149" in changed.stderr + changed.stdout
        figures = json.loads(alice.out("bsrmon show --types=resync_ratio --json r0"))["resource"][0]["devices"][0]
        assert figures["resync_ratio"]["peers"][0]["verify"] > 0 and figures["resync_ratio"]["peers"][0]["resync"] == 0
        assert re.search(r"VerifyS .*\n +\[=*[> ] *\] +\d+\.\d\d%  .*limited by ov-req-interval  differs 4K\n",
                         alice.out("bsrmon watch --count=1"))
        assert peer_device(alice)["resync-limited-by"] == "ov-req-interval"
        watched = alice.run("timeout 2 bsradm wait-sync -v r0", check=False)
        assert watched.returncode == 124, "it waits for the verify"
        assert re.search(r"^r0/0 VerifyS bob: \d+\.\d\d% done, .* to go, .*/s, .* left \(limited by ov-req-interval\)$", watched.stdout, re.M)
        bob.run("bsradm verify-stop r0")
        wait_for_repl(alice, "Established")
        position = int(events(alice, 2024)[-1].split("position_bytes=")[1].split()[0])
        assert 0 < position < 40 << 20
        assert out_of_sync(alice) == out_of_sync(bob) == BLOCK
        stopped = alice.run("bsradm verify-stop r0", check=False)
        assert stopped.returncode != 0 and "177" in stopped.stderr + stopped.stdout
        alice.run("bsradm verify r0")
        wait_for_repl(alice, "VerifyS")
        assert f"start_bytes={position // BLOCK * BLOCK} " in events(alice, 2021)[-1], "it goes on where it was"
        bob.run("kill -9 $(pgrep -u nobody -f 'bsrd.*r0' | head -1)")
        wait_for_repl(alice, "Established", "Off", "SyncSource", seconds=30)
        settle(verified)
        verify(alice, "--start=0")
        assert out_of_sync(alice) == 0


def test_what_cannot_be_verified_is_refused(pair):
    alice, _ = pair.hosts
    refused = alice.run("bsradm verify r0", check=False)
    assert refused.returncode != 0 and "(-14)" in refused.stderr + refused.stdout
    unknown = alice.run("bsrsetup net-options r0 1 --verify-alg=rot13", check=False)
    said = unknown.stderr + unknown.stdout
    assert unknown.returncode != 0 and "rot13" in said and "crc32c, md5, sha1, sha256, sha512" in said
    alice.run("bsrsetup net-options r0 1 --verify-alg=sha512")
    alice.run("bsradm disconnect r0")
    apart = alice.run("bsradm verify r0", check=False)
    assert apart.returncode != 0 and "(-15)" in apart.stderr + apart.stdout


def block_of(host, block):
    return subprocess.run(["dd", f"if={host.disks[0]}", f"bs={BLOCK}", f"skip={block}", "count=1", "iflag=direct", "status=none"],
                          check=True, capture_output=True).stdout


def test_invalidate_remote_of_two_secondaries_takes_the_side_that_said_so(cluster):
    """Both have bits toward the other: not the tie-break decides, but whoever was told."""
    for verified in with_algorithm(cluster, "crc32c"):
        alice, bob = verified.hosts
        alice.run("bsradm secondary r0")
        settle(verified)
        for good, bad in ((alice, bob), (bob, alice)):
            for options in ("--use-current-oos", ""):
                rot(good.disks[0], 100)
                rot(bad.disks[0], 5000)
                verify(alice, "--start=0")
                assert out_of_sync(alice) == out_of_sync(bob) == 2 * BLOCK
                right = [block_of(good, block) for block in (100, 5000)]
                good.run(f"bsradm invalidate-remote {options} r0")
                settle(verified)
                equal_disks(verified)
                assert [block_of(bad, block) for block in (100, 5000)] == right
