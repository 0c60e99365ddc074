# SPDX-License-Identifier: GPL-2.0-or-later
"""Indexed metadata: slots of 256 MiB as bsr makes them, of 128 MiB as DRBD does; whoever made them, they are attached."""
import os
import shutil

import pytest

from hosts import (GLOBAL_CONFIG, NET, connected, engine_pid, fixture_cluster, resource_config, settle,  # noqa: F401
                   wait_until)

pytestmark = [
    pytest.mark.skipif(os.geteuid() != 0, reason="needs root: namespaces, loop devices, FUSE"),
    pytest.mark.skipif(shutil.which("drbdmeta") is None, reason="drbdmeta (package drbd-utils) is missing"),
]
MIB = 1 << 20


def configure(cluster):
    """Two volumes a host, metadata of both in slots 0 and 2 of a third device."""
    for host in cluster.hosts:
        disks = [host.add_disk(32 * MIB, "disk0"), host.add_disk(32 * MIB, "disk1")]
        host.meta = host.add_disk(768 * MIB, "meta")
        host.data = disks
    text = resource_config(cluster, {h.name: h.data for h in cluster.hosts}, net=NET.format(protocol="C", secret="s"),
                           disk="c-max-rate 1G;", volumes=2)
    for host in cluster.hosts:
        for disk, slot in zip(host.data, (0, 2)):
            text = text.replace(f"disk {disk};\n            meta-disk internal;", f"disk {disk};\n            meta-disk {host.meta}[{slot}];")
    for host in cluster.hosts:
        host.write_config(dict(GLOBAL_CONFIG, **{"bsr.d/r0.res": text}))
        host.start()


def equal(cluster):
    sums = {host.out("cat " + " ".join(host.data) + " | sha256sum") for host in cluster.hosts}
    assert len(sums) == 1


def test_slots_of_both_kinds_replicate(cluster):
    configure(cluster)
    alice, bob = cluster.hosts
    for minor, slot in ((0, 0), (1, 2)):
        alice.run(f"drbdmeta --force {minor} v09 {alice.meta} {slot} create-md 1")
    bob.run("bsradm create-md --force r0")
    for host in (alice, bob):
        host.run("bsradm up r0")
    alice.wait_for(connected)
    alice.run("bsradm primary --force r0")
    settle(cluster)
    for volume in (0, 1):
        alice.run(f"dd if=/dev/urandom of=/dev/bsr{volume} bs=1M count=8 oflag=direct status=none")
    before = engine_pid(alice)
    alice.run(f"kill -9 {before}")
    wait_until(lambda: alice.run("pgrep -u nobody -f 'bsrd.*r0'", check=False).stdout.strip() not in ("", str(before)), 20,
               "no new engine process")
    alice.run("dd if=/dev/urandom of=/dev/bsr1 bs=1M count=2 oflag=direct status=none")
    settle(cluster)
    alice.run("bsradm down r0")
    bob.run("bsradm down r0")
    equal(cluster)
    # what bsr has written into DRBD's slots, DRBD's tool reads; nothing was written where bsr's slots would be
    for minor, slot in ((0, 0), (1, 2)):
        dump = alice.out(f"drbdmeta --force {minor} v09 {alice.meta} {slot} dump-md")
        assert "node-id 0;" in dump and "la-size-sect 65536;" in dump
    assert alice.run(f"cmp -n 4096 -i {512 * MIB}:0 {alice.meta} /dev/zero").returncode == 0
    assert bob.run(f"cmp -n 4096 -i {512 * MIB}:0 {bob.meta} /dev/zero", check=False).returncode == 1
    for host in (bob, alice):
        host.run("bsradm up r0")
    settle(cluster)


def test_a_slot_is_used_once(cluster):
    """Slot 2 of DRBD is slot 1 of bsr: the second one that wants it is refused."""
    configure(cluster)
    alice = cluster.hosts[0]
    alice.run(f"drbdmeta --force 1 v09 {alice.meta} 2 create-md 1")
    alice.run("bsrmeta --force 0 v09 " + f"{alice.meta} 0 create-md 1; bsradm up r0")
    before = alice.out(f"dd if={alice.meta} bs=1M skip=256 count=4 status=none | sha256sum")
    for words in ("--force 10 v09 {} 1 create-md 1", "--force 10 v09 {} 1 wipe-md", "--force 10 v09 {} 2 create-md 1"):
        refused = alice.run("bsrmeta " + words.format(alice.meta), check=False)
        assert refused.returncode != 0 and "belong to the metadata of a running resource" in refused.stderr, (words, refused)
    assert alice.out(f"dd if={alice.meta} bs=1M skip=256 count=4 status=none | sha256sum") == before
    alice.run("bsradm down r0")
    alice.run(f"bsrmeta --force 10 v09 {alice.meta} 1 create-md 1")
