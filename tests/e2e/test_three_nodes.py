# SPDX-License-Identifier: GPL-2.0-or-later
"""Three hosts with real daemons, disks, devices and links: failover in a full mesh."""
import os
import random
import subprocess
import time

import pytest

from hosts import (GLOBAL_CONFIG, NET, SIZE, Cluster, MISTAKES, finish_load, in_sync, connected,  # noqa: F401
                   create, resource_config, settle, verifying_load)

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="needs root: namespaces, loop devices, FUSE")

MESH = "    connection-mesh {\n        hosts alice bob carol;\n    }\n"


@pytest.fixture(name="trio")
def fixture_trio():
    """alice Primary, bob and carol Secondary, all in sync."""
    with Cluster(names=("alice", "bob", "carol")) as cluster:
        disks = {host.name: [host.add_disk(SIZE)] for host in cluster.hosts}
        net = NET.format(protocol="C", secret="the secret")
        text = resource_config(cluster, disks, net=net, disk="c-max-rate 1G;", extra=MESH)
        for host in cluster.hosts:
            host.write_config(dict(GLOBAL_CONFIG, **{"bsr.d/r0.res": text}))
            host.start()
        for host in cluster.hosts:
            host.run("bsradm create-md --force --max-peers 7 r0")
            host.run("bsradm up r0")
        cluster.hosts[0].wait_for(connected)
        cluster.hosts[0].run("bsradm primary --force r0")
        settle(cluster)
        yield cluster
        for host in cluster.hosts:
            path = os.path.join(host.base, "console.log")
            with open(path, encoding="utf-8", errors="replace") as log:
                text = log.read()
            assert not MISTAKES.search(text), f"{host.name}: {text[-8000:]}"


def all_disks_equal(cluster):
    first = cluster.hosts[0]
    size = first.status()["devices"][0]["size"] << 10
    for host in cluster.hosts:
        subprocess.run(["blockdev", "--flushbufs", host.disks[0]], check=True)
    for host in cluster.hosts[1:]:
        done = subprocess.run(["cmp", f"--bytes={size}", first.disks[0], host.disks[0]], check=False,
                              capture_output=True, text=True)
        assert done.returncode == 0, f"{first.name} and {host.name}: {done.stdout}"


def promote(host, timeout=30):
    """As a cluster manager does: again until it works."""
    end = time.monotonic() + timeout
    while True:
        done = host.run("bsradm primary r0", check=False)
        if done.returncode == 0:
            return
        assert time.monotonic() < end, done.stdout + done.stderr
        time.sleep(0.3)


def test_primary_dies_under_a_mounted_file_system(trio):
    """The Primary is killed while files are written; the second takes over, the third follows, the first returns."""
    alice, bob, carol = trio.hosts
    alice.run("mkfs.ext4 -q /dev/bsr0 && mount /dev/bsr0 /mnt/data && mkdir /mnt/data/safe && "
              "cp -r /usr/share/doc/libc6 /mnt/data/safe/ && sync -f /mnt/data")
    alice.spawn(["bash", "-c", "for i in $(seq 1000); do head -c 200000 /dev/urandom > /mnt/data/f$((i % 40)); done"],
                stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    time.sleep(random.uniform(1, 2))
    alice.power_off()
    promote(bob)
    bob.run("mount /dev/bsr0 /mnt/data && diff -r /usr/share/doc/libc6 /mnt/data/safe/libc6")
    carol.wait_for(lambda s: s["devices"][0]["disk-state"] == "UpToDate" and any(
        c["peer-role"] == "Primary" for c in s["connections"]), 30)
    bob.run("echo bob was here > /mnt/data/note && sync -f /mnt/data")
    alice.start()
    alice.run("bsradm up r0")
    settle(trio)
    bob.run("umount /mnt/data && fsck.ext4 -n -f /dev/bsr0 && bsradm secondary r0")
    settle(trio)
    all_disks_equal(trio)
    promote(carol)
    carol.run("mount /dev/bsr0 /mnt/data && grep -q 'bob was here' /mnt/data/note && umount /mnt/data")


def test_primary_dies_and_the_others_equalise(trio):
    """Nobody takes over: what only one of the Secondaries got reaches the other; then the Primary comes back."""
    alice, bob, carol = trio.hosts
    load = verifying_load(alice, seconds=20)
    time.sleep(random.uniform(1, 2))
    alice.power_off()
    load.communicate(timeout=30)
    for host, other in ((bob, carol), (carol, bob)):
        host.wait_for(lambda s, other=other: s["devices"][0]["disk-state"] == "UpToDate" and any(
            c["name"] == other.name and c["peer_devices"][0]["replication-state"] == "Established"
            and c["peer_devices"][0]["out-of-sync"] == 0 for c in s["connections"]), 30)
    subprocess.run(["cmp", f"--bytes={bob.status()['devices'][0]['size'] << 10}", bob.disks[0], carol.disks[0]], check=True)
    alice.start()
    alice.run("bsradm up r0")
    settle(trio)
    all_disks_equal(trio)


def test_one_secondary_after_the_other_is_away(trio):
    """Each misses writes that the other gets; both are complete in the end, and nobody asks for a full copy."""
    alice, bob, carol = trio.hosts
    load = verifying_load(alice, seconds=10)
    for host in (bob, carol):
        time.sleep(0.5)
        trio.cut(host)
        time.sleep(1.5)
        trio.join(host)
        host.wait_for(in_sync, 30)
    finish_load(load)
    settle(trio)
    alice.run("bsradm secondary r0")
    settle(trio)
    all_disks_equal(trio)


def received_from(host, peer):
    return next(c["peer_devices"][0]["received"] for c in host.status()["connections"] if c["name"] == peer)


def test_invalidate_gets_its_data_from_the_named_peer(trio):
    """DRBD's --sync-from-peer-node-id: the other UpToDate node stays out of it; while there is a Primary that is the only one to name."""
    alice, bob, carol = trio.hosts
    refused = bob.run("bsradm invalidate r0:carol", check=False)
    assert refused.returncode != 0 and "another node is Primary" in refused.stderr
    alice.run("bsradm secondary r0")
    settle(trio)
    for source, other in ((carol, alice), (alice, carol)):
        before = {host.name: received_from(bob, host.name) for host in (source, other)}
        bob.run(f"bsradm invalidate r0:{source.name}")
        settle(trio)
        assert received_from(bob, source.name) - before[source.name] >= SIZE >> 11
        assert received_from(bob, other.name) == before[other.name]
    unknown = bob.run("bsrsetup invalidate 0 --sync-from-peer-node-id=9", check=False)
    assert unknown.returncode != 0 and "invalid peer node id" in unknown.stderr
    all_disks_equal(trio)


def test_a_node_that_is_gone_is_forgotten_while_the_others_run(trio):
    """Refused while it is configured, and on a Secondary that nobody told of its being left behind; later it gets a full copy."""
    alice, bob, carol = trio.hosts
    refused = alice.run("bsradm forget-peer r0:carol", check=False)
    assert refused.returncode != 0 and "this peer is configured" in refused.stderr
    load = verifying_load(alice, seconds=8)
    carol.run("bsradm down r0")
    for host in (bob, alice):
        host.run("bsradm disconnect r0:carol && bsradm del-peer r0:carol")
    alice.run("bsradm forget-peer r0:carol")
    bob.run("bsradm forget-peer r0:carol")
    again = alice.run("bsradm forget-peer r0:carol", check=False)
    assert again.returncode != 0 and "no bitmap slot" in again.stderr
    finish_load(load)
    for host in (alice, bob):
        assert [c["name"] for c in host.status()["connections"]] == [{"alice": "bob", "bob": "alice"}[host.name]]
    before = alice.status()["connections"][0]["peer_devices"][0]["sent"]
    carol.run("bsradm up r0")
    for host in (alice, bob):
        host.run("bsradm adjust r0")
    settle(trio)
    sent = next(c["peer_devices"][0]["sent"] for c in alice.status()["connections"] if c["name"] == "carol")
    assert sent >= SIZE >> 11, f"a full copy: {sent} after {before}"
    alice.run("bsradm secondary r0")
    settle(trio)
    all_disks_equal(trio)


def test_two_secondaries_do_not_forget_who_may_have_all_data(trio):
    alice, bob, carol = trio.hosts
    alice.run("bsradm secondary r0")
    carol.run("bsradm down r0")
    for host in (bob, alice):
        host.run("bsradm disconnect r0:carol && bsradm del-peer r0:carol")
        refused = host.run("bsradm forget-peer r0:carol", check=False)
        assert refused.returncode != 0 and "promote a node" in refused.stderr
    alice.run("bsradm primary r0 && bsradm forget-peer r0:carol && bsradm secondary r0")
    bob.run("bsradm forget-peer r0:carol")
