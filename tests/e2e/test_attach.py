# SPDX-License-Identifier: GPL-2.0-or-later
"""Disks that come while a node is Primary: back after a failure, new ones, those of added volumes; nobody waits for a
new connection, and applications go on."""
import os

import pytest

from hosts import (NET, bring_up, configure, connected, engine_pid, equal_disks, finish_load, fixture_cluster, fixture_pair, in_sync,  # noqa: F401
                   settle, verifying_load)

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="needs root: namespaces, loop devices, FUSE")


def disk_state(host, volume=0):
    return next(d["disk-state"] for d in host.status()["devices"] if d["volume"] == volume)


def log_lines(host, text):
    with open(os.path.join(host.base, "log/bsr/r0.log"), encoding="utf-8", errors="replace") as log:
        return sum(text in line for line in log)


def lose_disk(host):
    host.run("bsradm detach --force r0")
    host.wait_for(lambda s: s["devices"][0]["disk-state"] == "Diskless")


@pytest.mark.parametrize("protocol", ["A", "C"])
def test_a_primary_under_load_gets_its_disk_back(cluster, protocol):
    configure(cluster, protocol=protocol)
    bring_up(cluster)
    alice = cluster.hosts[0]
    changes = log_lines(alice, "conn-changed")
    load = verifying_load(alice, seconds=12)
    for _ in range(3):
        lose_disk(alice)
        alice.run("sleep 0.5; bsradm attach r0")
        alice.wait_for(in_sync, 30)
    finish_load(load)
    assert log_lines(alice, "conn-changed") == changes, "the connection was given up for an attach"
    alice.run("bsradm secondary r0")
    settle(cluster)
    equal_disks(cluster)


def test_a_mounted_file_system_gets_a_new_disk(pair):
    """create-md on an empty disk, attach: everything is copied while the file system stays mounted."""
    alice, bob = pair.hosts
    alice.run("mkfs.ext4 -q /dev/bsr0 && mkdir -p /mnt/data && mount /dev/bsr0 /mnt/data")
    alice.run("dd if=/dev/urandom of=/mnt/data/before bs=1M count=8 conv=fsync status=none")
    lose_disk(alice)
    alice.run("dd if=/dev/urandom of=/mnt/data/without bs=1M count=4 conv=fsync status=none")
    alice.run(f"dd if=/dev/zero of={alice.disks[0]} bs=1M count=63 oflag=direct status=none")
    alice.run("bsradm create-md --force r0")
    alice.run("bsradm attach r0")
    alice.run("dd if=/dev/urandom of=/mnt/data/after bs=1M count=4 conv=fsync status=none")
    truth = alice.out("cat /mnt/data/* | sha256sum")
    settle(pair)
    assert alice.out("echo 3 > /proc/sys/vm/drop_caches; cat /mnt/data/* | sha256sum") == truth
    alice.run("umount /mnt/data && bsradm secondary r0")
    settle(pair)
    equal_disks(pair)
    bob.run("bsradm primary r0 && fsck.ext4 -fn /dev/bsr0")


def test_a_primary_never_goes_back_to_an_older_disk(pair):
    """Written through the peer, the peer gone: the disk that lacks it waits, and says so."""
    alice, bob = pair.hosts
    lose_disk(alice)
    alice.run("dd if=/dev/urandom of=/dev/bsr0 bs=64k count=4 oflag=direct status=none")
    truth = alice.out("dd if=/dev/bsr0 bs=64k count=4 iflag=direct status=none | sha256sum")
    bob.run("bsradm disconnect r0")
    alice.run("bsradm attach r0")
    assert disk_state(alice) == "Negotiating"
    alice.run("bsradm connect r0; true")
    bob.run("bsradm connect r0")
    settle(pair)
    assert alice.out("dd if=/dev/bsr0 bs=64k count=4 iflag=direct status=none | sha256sum") == truth


def test_a_disk_that_hangs_while_it_is_given_up_does_not_come_back_with_the_next_process(cluster):
    """Written through the peer while the forced detach waits for the disk; then the engine process dies."""
    configure(cluster)
    alice, bob = cluster.hosts
    for host in cluster.hosts:
        host.run("bsradm create-md --force r0")
        host.run("bsradm up r0", env={"BSR_ALLOW_FAULTS": "1"})
    alice.wait_for(connected)
    alice.run("bsradm primary --force r0")
    settle(cluster)
    alice.run("bsrcon /fault r0 disk op=write delay=60000 count=1")
    hung = alice.spawn(["dd", "if=/dev/zero", "of=/dev/bsr0", "bs=4k", "count=1", "seek=4096", "oflag=direct", "status=none"])
    alice.run("sleep 0.5")
    leaves = alice.spawn(["bsradm", "detach", "--force", "r0"])
    alice.wait_for(lambda s: s["devices"][0]["disk-state"] == "Detaching")
    alice.run("dd if=/dev/urandom of=/dev/bsr0 bs=64k count=4 oflag=direct status=none")
    truth = alice.out("dd if=/dev/bsr0 bs=64k count=4 iflag=direct status=none | sha256sum")
    assert disk_state(alice) == "Detaching"
    bob.run("bsradm disconnect --force r0")
    died = engine_pid(alice)
    alice.run(f"kill -9 {died}")
    leaves.wait(60)
    alice.wait_for(lambda s: s["devices"][0]["disk-state"] == "Diskless" and engine_pid(alice) != died)
    bob.run("bsradm connect r0")
    assert alice.out("dd if=/dev/bsr0 bs=64k count=4 iflag=direct status=none | sha256sum") == truth
    assert hung.wait(60) == 0
    alice.run("bsradm attach r0")
    settle(cluster)
    assert alice.out("dd if=/dev/bsr0 bs=64k count=4 iflag=direct status=none | sha256sum") == truth


def test_a_volume_is_added_to_a_primary_under_load(pair):
    alice, bob = pair.hosts
    load = verifying_load(alice, seconds=10)
    changes = log_lines(alice, "conn-changed")
    for host in pair.hosts:
        host.add_disk(64 << 20, "disk1")
    configure(pair, volumes=2)
    for host in pair.hosts:
        host.run("bsradm create-md --force r0/1 && bsradm adjust r0")
    alice.wait_for(lambda s: len(s["devices"]) == 2 and s["devices"][1]["disk-state"] == "Inconsistent")
    alice.run("bsradm primary --force r0")
    settle(pair)
    finish_load(verifying_load(alice, "/dev/bsr1", seconds=3))
    finish_load(load)
    assert log_lines(alice, "conn-changed") == changes, "the connection was given up for a new volume"
    alice.run("bsradm secondary r0")
    settle(pair)
    equal_disks(pair, 2)
    bob.run("bsradm primary r0")


def test_invalidate_remote_of_all_volumes(cluster):
    configure(cluster, volumes=3)
    bring_up(cluster)
    alice = cluster.hosts[0]
    alice.run("bsradm invalidate-remote r0")
    settle(cluster)
    assert log_lines(alice, "resync-started") >= 6
    alice.run("bsradm secondary r0")
    equal_disks(cluster, 3)


def test_a_new_disk_is_declared_good_without_a_primary(cluster):
    """new-current-uuid --force-resync: its content goes to the peer, whole, and both stay Secondary."""
    configure(cluster)
    alice, bob = cluster.hosts
    alice.run(f"dd if=/dev/urandom of={alice.disks[0]} bs=1M count=32 oflag=direct status=none")
    for host in cluster.hosts:
        host.run("bsradm create-md --force r0 && bsradm up r0")
    alice.wait_for(connected)
    alice.run("bsradm new-current-uuid --force-resync r0/0")
    settle(cluster)
    assert alice.status()["role"] == bob.status()["role"] == "Secondary"
    equal_disks(cluster)
    assert "has data already" in alice.run("bsradm new-current-uuid --force-resync r0/0", check=False).stderr
    bob.run("bsradm primary r0")
