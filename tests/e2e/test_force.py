# SPDX-License-Identifier: GPL-2.0-or-later
"""secondary --force: the device is taken away from those who hold it, and nothing of theirs arrives any more."""
import os
import time

import pytest

from hosts import engine_pid, equal_disks, fixture_cluster, fixture_pair, settle  # noqa: F401

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="needs root: namespaces, loop devices, FUSE")

WRITER = r"""
import os, sys, time
fd = os.open("/dev/bsr0", os.O_RDWR | os.O_DIRECT)
import mmap
page = mmap.mmap(-1, 4096)
print("writing", flush=True)
for n in range(1000000):
    page[:8] = n.to_bytes(8, "big")
    try:
        os.pwrite(fd, page, 33554432 + n % 64 * 4096)
    except OSError as failed:
        print("failed", failed.errno, flush=True)
        break
time.sleep(600)
"""


def test_a_mounted_and_a_written_device_are_taken_away(pair):
    alice, bob = pair.hosts
    alice.run("mkfs.ext4 -q -E nodiscard /dev/bsr0 24m && mount /dev/bsr0 /mnt/data && echo kept > /mnt/data/kept && sync -f /mnt/data")
    writer = alice.spawn(["python3", "-u", "-c", WRITER], stdout=-1, text=True)
    assert writer.stdout.readline() == "writing\n"
    refused = alice.run("bsradm secondary r0", check=False)
    assert refused.returncode != 0 and "/mnt/data" in refused.stderr, refused.stderr
    forced = alice.run("bsradm secondary --force r0", timeout=30)
    assert "volume 0 was taken away: I/O on /dev/loop" in forced.stdout + forced.stderr
    assert alice.status()["role"] == "Secondary"
    assert writer.stdout.readline() in ("failed 5\n", "failed 103\n")
    assert not alice.run("ls /dev/bsr0", check=False).stdout
    assert alice.run("echo lost > /mnt/data/lost && sync -f /mnt/data", check=False).returncode != 0
    settle(pair)
    equal_disks(pair)
    bob.run("bsradm primary r0 && mount /dev/bsr0 /mnt/data && grep -q kept /mnt/data/kept && test ! -e /mnt/data/lost")
    bob.run("echo more > /mnt/data/more && umount /mnt/data && fsck.ext4 -n -f /dev/bsr0 && bsradm secondary r0")
    # the old holders are still there; a new promotion is not disturbed by them
    alice.run("bsradm primary r0 && fsck.ext4 -n -f /dev/bsr0 && dd if=/dev/urandom of=/dev/bsr0 bs=64k count=4 oflag=direct status=none",
              timeout=30)
    writer.kill()
    alice.run("umount -l /mnt/data; bsradm secondary r0", timeout=30)
    settle(pair)
    equal_disks(pair)


def test_nbd_clients_and_a_killed_engine(pair):
    alice, _ = pair.hosts
    client = alice.spawn(["fio", "--name=c", "--ioengine=nbd", "--uri=nbd+unix:///0?socket=/run/bsr/r0.nbd", "--rw=read",
                          "--size=1m", "--time_based", "--runtime=300"], stdout=-3, stderr=-3)
    holder = alice.spawn(["bash", "-c", "exec 3< /dev/bsr0; exec sleep 600"])
    time.sleep(1)
    assert client.poll() is None
    alice.run(f"kill -9 {engine_pid(alice)}; sleep 0.2; bsradm secondary --force r0", timeout=30)
    assert alice.status()["role"] == "Secondary"
    assert client.wait(timeout=20) != 0
    holder.kill()
    alice.run("bsradm primary r0 && dd if=/dev/zero of=/dev/bsr0 bs=4k count=1 oflag=direct status=none")
    settle(pair)


def test_force_without_holders_is_a_plain_demotion(pair):
    alice, _ = pair.hosts
    forced = alice.run("bsradm secondary --force r0")
    assert alice.status()["role"] == "Secondary"
    assert alice.run("bsradm secondary --force r0").returncode == 0  # is so already
    assert "taken away" in forced.stdout + forced.stderr or forced.stdout + forced.stderr == ""
    settle(pair)
    equal_disks(pair)
