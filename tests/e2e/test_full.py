# SPDX-License-Identifier: GPL-2.0-or-later
"""Places that are full: metadata, data, the run directory, the log directory. What is written stays true, and who has to
make room is told where.

The full place is a small ext4 file system with a sparse file in it, filled behind its back; space comes back by removing
the filling.
"""
import os
import re
import subprocess
import time

import pytest

from hosts import (GLOBAL_CONFIG, NET, SIZE, connected, equal_disks, fixture_cluster, in_sync,  # noqa: F401
                   resource_config, settle)

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="needs root: namespaces, loop devices, FUSE")
# writes @count stamped blocks of 4 KiB at random places; prints, for each acknowledged one, block and stamp
WRITER = r'''
import mmap, os, random, sys
fd = os.open(sys.argv[1], os.O_RDWR | os.O_DIRECT)
blocks, count, rng = int(sys.argv[2]), int(sys.argv[3]), random.Random(int(sys.argv[4]))
page = mmap.mmap(-1, 4096)
for stamp in range(1, count + 1):
    block = rng.randrange(blocks)
    page[:] = (b"%016d" % stamp) * 256
    try:
        os.pwrite(fd, page, block * 4096)
        print(block, stamp, "ok", flush=True)
    except OSError as error:
        print(block, stamp, error.errno, flush=True)
'''


class SmallPlace:
    """A file system of the host (with 1 KiB blocks: most of a log block is a hole), and a sparse file in it."""

    def __init__(self, host, size, holes, mib=24):
        self.host = host
        self.holes = holes  # offset and length of what may be full later
        device = host.add_disk(mib << 20, "small")
        subprocess.run(["mkfs.ext4", "-q", "-F", "-m", "0", "-b", "1024", device], check=True)
        host.run(f"mkdir -p /mnt/small && mount {device} /mnt/small && truncate -s {size} /mnt/small/disk")

    def fill(self):
        """From now on blocks of the file that hold only zeroes cannot be written."""
        self.host.run(f"fallocate --dig-holes -o {self.holes[0]} -l {self.holes[1]} /mnt/small/disk; dd if=/dev/zero of=/mnt/small/a bs=64k; "
                      "dd if=/dev/zero of=/mnt/small/b bs=4k; sync -f /mnt/small", check=False)

    def make_room(self):
        self.host.run("rm /mnt/small/a /mnt/small/b && sync -f /mnt/small")

    def leave(self):
        self.host.run("bsradm down r0; umount -l /mnt/small", check=False)


def prepare(cluster, what, policy="passthrough", full_host=0, size=SIZE):
    """Both hosts up; the disk or the metadata of one of them in a small place, which is not full yet."""
    for host in cluster.hosts:
        host.start()
    host = cluster.hosts[full_host]
    tail = size - (1 << 20)  # internal metadata are behind it
    place = (SmallPlace(host, 4 << 20, (0, 4 << 20)) if what == "meta" else
             SmallPlace(host, size, (0, tail) if what == "data" else (tail, 1 << 20), mib=96))
    disks = {h.name: [h.add_disk(size)] for h in cluster.hosts}
    text = resource_config(cluster, disks, net=NET.format(protocol="C", secret="s"),
                           disk=f"c-max-rate 1G; on-io-error {policy};")
    here = f"disk {disks[host.name][0]};\n            meta-disk internal;"
    assert text.count(here) == 1
    if what != "meta":
        text = text.replace(here, "disk /mnt/small/disk;\n            meta-disk internal;")
    else:
        text = text.replace(here, f"disk {disks[host.name][0]};\n            meta-disk /mnt/small/disk;")
    for h in cluster.hosts:
        h.write_config(dict(GLOBAL_CONFIG, **{"bsr.d/r0.res": text}))
        h.run("bsradm create-md --force r0 && bsradm up r0")
    return place


def promote(cluster):
    alice = cluster.hosts[0]
    alice.wait_for(connected)
    alice.run("bsradm primary --force r0")
    settle(cluster)


def write(host, count=600, seed=1, blocks=4000):
    """block -> stamp of its last acknowledged write, and what the others failed with."""
    done = host.run(f"python3 -c '{WRITER}' /dev/bsr0 {blocks} {count} {seed}", timeout=120)
    held, failed = {}, {}
    for line in done.stdout.splitlines():
        block, stamp, how = line.split()
        if how == "ok":
            held[int(block)] = int(stamp)
            failed.pop(int(block), None)
        else:
            failed[int(block)] = int(how)
    assert len(done.stdout.splitlines()) == count
    return held, failed


def verify(host, held, failed):
    """Every acknowledged write is there; of a failed one any state may be."""
    script = r'''
import sys
device = open("/dev/bsr0", "rb", buffering=0)
for line in sys.stdin:
    block, stamp = map(int, line.split())
    device.seek(block * 4096)
    if device.read(4096) != (b"%016d" % stamp) * 256:
        print("lost", block, stamp)
'''
    text = "".join(f"{b} {s}\n" for b, s in held.items() if b not in failed)
    host.run("blockdev --flushbufs /dev/bsr0")
    assert host.run(f"python3 -c '{script}'", stdin=text, timeout=120).stdout == ""


def log_lines(host, number):
    return [line for line in host.out("cat /var/log/bsr/r0.log").splitlines() if re.search(rf"Z {number} ", line)]


# ------------------------------------------------------------------ metadata

@pytest.mark.parametrize("what, policy", [("meta", "passthrough"), ("meta", "detach"), ("internal", "passthrough")])
def test_full_metadata_device_of_a_primary(cluster, what, policy):
    """Metadata cannot be written: the disk is given up, the peer's serves on, and no application notices."""
    place = prepare(cluster, what, policy)
    alice, bob = cluster.hosts
    promote(cluster)
    place.fill()
    held, failed = write(alice)
    assert failed == {}
    assert alice.disk_state() == "Diskless" and bob.disk_state() == "UpToDate"
    lines = log_lines(alice, 3002)
    assert len(lines) == 1 and "No space left on device" in lines[0] and "/mnt/small/disk" in lines[0], lines
    why = alice.out("bsradm why r0")
    assert "No space left" in why and "/mnt/small/disk" in why and "make room" in why and "bsradm attach r0/0" in why, why
    verify(alice, held, failed)
    # the remedy, as it was said: the disk comes back with what it missed
    place.make_room()
    alice.run("bsradm secondary r0 && bsradm attach r0/0")
    settle(cluster)
    assert "nothing is wrong" in alice.out("bsradm why r0")
    alice.run("bsradm primary r0")
    verify(alice, held, failed)
    place.leave()


def test_full_metadata_device_without_a_peer(cluster):
    """Nobody else has the data: applications get errors, never a false success, and what was acknowledged stays."""
    place = prepare(cluster, "meta")
    alice, _ = cluster.hosts
    promote(cluster)
    before, _ = write(alice, count=50, seed=2, blocks=1000)
    alice.run("bsradm disconnect r0")
    place.fill()
    held, failed = write(alice, seed=3, blocks=16000)  # also where the activity log has no extents yet
    assert failed and set(failed.values()) <= {5, 28}, failed
    assert alice.disk_state() == "Diskless"
    assert log_lines(alice, 3002)
    alice.run("bsradm secondary r0")
    place.make_room()
    alice.run("bsradm attach r0/0 && bsradm primary r0")
    touched = set(held) | set(failed)
    verify(alice, {**{b: s for b, s in before.items() if b not in touched}, **held}, failed)
    place.leave()


def test_full_metadata_device_of_a_secondary(cluster):
    """The Primary and its applications go on; the Secondary gives its disk up, and catches up when there is room."""
    place = prepare(cluster, "meta", full_host=1)
    alice, bob = cluster.hosts
    promote(cluster)
    place.fill()
    held, failed = write(alice)
    assert failed == {}
    alice.run("bsradm disconnect r0")
    write(alice, count=20, seed=5, blocks=1)
    alice.run("bsradm connect r0")  # a new generation is to be noted there
    bob.wait_for(lambda s: s["devices"][0]["disk-state"] == "Diskless", 30)
    more, failed = write(alice, seed=4)
    assert failed == {} and log_lines(bob, 3002)
    place.make_room()
    bob.run("bsradm attach r0/0")
    settle(cluster)
    alice.run("bsradm secondary r0")
    bob.run("bsradm primary r0")
    verify(bob, {**held, **more}, {})
    place.leave()


def test_full_metadata_device_at_attach(cluster):
    place = prepare(cluster, "meta")
    alice, _ = cluster.hosts
    promote(cluster)
    held, _ = write(alice, count=50)
    alice.run("bsradm secondary r0 && bsradm detach r0")
    place.fill()
    refused = alice.run("bsradm attach r0", check=False)
    # an attach has to write metadata; either there was room for it, or it is refused with the cause
    if refused.returncode != 0:
        text = refused.stdout + refused.stderr
        assert "/mnt/small/disk" in text and "No space left" in text and "make room" in text, text
    place.make_room()
    alice.run("bsradm adjust r0")
    settle(cluster)
    alice.run("bsradm primary r0")
    verify(alice, held, {})
    place.leave()


def test_metadata_cannot_be_created_on_a_full_device(cluster):
    place = prepare(cluster, "meta")
    alice, _ = cluster.hosts
    alice.run("bsradm down r0")
    place.fill()
    done = alice.run("bsradm create-md --force r0", check=False)
    assert done.returncode != 0 and "/mnt/small/disk" in done.stderr and "No space left" in done.stderr, done.stderr
    assert "make room" in done.stderr
    place.leave()


# ------------------------------------------------------------------ data

@pytest.mark.parametrize("policy", ["passthrough", "detach"])
def test_full_data_device_of_a_primary(cluster, policy):
    place = prepare(cluster, "data", policy)
    alice, bob = cluster.hosts
    promote(cluster)
    place.fill()
    # fewer than max-passthrough-count, or the disk is given up with every policy
    held, failed = write(alice, count=600 if policy == "detach" else 60)
    lines = log_lines(alice, 3005)
    assert lines and "No space left on device" in lines[0] and "/mnt/small/disk" in lines[0], lines
    if policy == "detach":
        assert failed == {} and alice.disk_state() == "Diskless"
    else:
        assert failed and set(failed.values()) == {28} and alice.disk_state() == "UpToDate"
        assert alice.status()["devices"][0].get("io-error", len(failed)) >= 1
    why = alice.out("bsradm why r0")
    assert "No space left" in why and "make room" in why, why
    verify(alice, held, failed)
    place.make_room()
    alice.run("bsradm secondary r0")
    if policy == "detach":
        alice.run("bsradm attach r0/0")
    settle(cluster)
    bob.run("bsradm primary r0")
    verify(bob, held, failed)
    place.leave()


def test_full_data_device_of_a_secondary(cluster):
    """Whatever its policy: a replica that cannot be written is not counted as one."""
    place = prepare(cluster, "data", "detach", full_host=1)
    alice, bob = cluster.hosts
    promote(cluster)
    place.fill()
    held, failed = write(alice)
    assert failed == {}
    bob.wait_for(lambda s: s["devices"][0]["disk-state"] == "Diskless", 20)
    assert "No space left" in log_lines(bob, 3005)[0]
    refused = bob.run("bsradm primary r0", check=False)
    assert refused.returncode != 0
    place.make_room()
    bob.run("bsradm attach r0/0")
    settle(cluster)
    alice.run("bsradm secondary r0")
    bob.run("bsradm primary r0")
    verify(bob, held, {})
    place.leave()


def test_resync_to_a_full_disk(cluster):
    """Blocks that cannot be written stay marked; the target is never UpToDate before they are."""
    place = prepare(cluster, "data", full_host=1)
    alice, bob = cluster.hosts
    alice.wait_for(connected)
    alice.run("bsradm disconnect r0 && bsradm primary --force r0")
    held, failed = write(alice)
    assert failed == {}
    place.fill()
    bob.run("bsradm connect r0")
    alice.run("bsradm connect r0")
    bob.wait_for(lambda s: s["devices"][0].get("io-error") or s["devices"][0]["disk-state"] != "Inconsistent"
                 or bool(log_lines(bob, 3005)), 30)
    time.sleep(2)
    assert bob.disk_state() != "UpToDate"
    assert "No space left" in log_lines(bob, 3005)[0] and log_lines(alice, 2007) + log_lines(bob, 2007)
    assert bob.run("bsradm primary r0", check=False).returncode != 0 or alice.status()["role"] == "Primary"
    place.make_room()
    settle(cluster, 60)  # tried again by itself
    alice.run("bsradm secondary r0")
    bob.run("bsradm primary r0")
    verify(bob, held, {})
    place.leave()


# ------------------------------------------------------------------ directories

def tiny(host, where):
    """The directory becomes a file system of 64 KiB that is full."""
    host.run(f"mount -t tmpfs -o size=64k tmpfs {where} && dd if=/dev/zero of={where}/filling bs=4k", check=False)
    assert host.run(f"echo x > {where}/probe", check=False).returncode != 0


def test_full_run_directory(cluster):
    """A start is refused with the file that cannot be written; afterwards nothing is left in the way."""
    alice, _ = cluster.hosts
    for host in cluster.hosts:
        host.add_disk(SIZE)
        host.start()
    text = resource_config(cluster, {h.name: h.disks for h in cluster.hosts}, net=NET.format(protocol="C", secret="s"))
    alice.write_config(dict(GLOBAL_CONFIG, **{"bsr.d/r0.res": text}))
    alice.run("bsradm create-md --force r0")
    tiny(alice, "/run/bsr")
    refused = alice.run("bsradm up r0", check=False)
    said = refused.stdout + refused.stderr
    assert refused.returncode != 0 and "/run/bsr" in said and "No space left" in said, said
    alice.run("umount /run/bsr && bsradm up r0")
    assert alice.disk_state() == "Inconsistent"


def test_full_log_directory_harms_nothing(cluster):
    alice, bob = cluster.hosts
    for host in cluster.hosts:
        host.add_disk(SIZE)
        host.start()
    text = resource_config(cluster, {h.name: h.disks for h in cluster.hosts}, net=NET.format(protocol="C", secret="s"),
                           disk="c-max-rate 1G;")
    alice.run("mkdir -p /var/log/bsr")
    tiny(alice, "/var/log/bsr")
    for host in cluster.hosts:
        host.write_config(dict(GLOBAL_CONFIG, **{"bsr.d/r0.res": text}))
        host.run("bsradm create-md --force r0 && bsradm up r0")
    promote(cluster)
    held, failed = write(alice)
    assert failed == {}
    alice.run(f"kill -9 $(cat /run/bsr/r0.engine)")
    alice.wait_for(in_sync)
    verify(alice, held, {})
    # with room again it goes on by itself
    alice.run("rm /var/log/bsr/filling")
    bob.run("bsradm disconnect r0")
    time.sleep(1)
    assert "4001 notice conn-changed" in alice.out("cat /var/log/bsr/r0.log")
    alice.run("umount -l /var/log/bsr", check=False)


def test_full_configuration_directory(cluster):
    """`create` leaves no half file behind."""
    alice, _ = cluster.hosts
    alice.start()
    tiny(alice, "/etc/bsr.d")
    done = alice.run("bsradm create r0 --hosts=alice=10.0.0.1,bob=10.0.0.2 --disk=/dev/null", check=False)
    said = done.stdout + done.stderr
    assert done.returncode != 0 and "/etc/bsr.d" in said and "No space left" in said, said
    assert alice.run("ls /etc/bsr.d").stdout.split() == ["filling"] or "probe" in alice.out("ls /etc/bsr.d")
    assert "r0" not in alice.out("ls /etc/bsr.d")
