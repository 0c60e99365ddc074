# SPDX-License-Identifier: GPL-2.0-or-later
"""What docs/user-guide.md promises and no other test tries."""
import os
import re
import shutil
import sys
import time

import pytest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "demo"))
from cluster import GLOBAL_CONFIG, Cluster, connected, in_sync, resource_config, wait_until  # noqa: E402

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="needs root: namespaces, loop devices, FUSE")
SIZE = 32 << 20
NET = 'protocol C;\n        connect-int 1;\n        ping-int 1;\n        ping-timeout 10;'
HANDLER = '    handlers { split-brain "env > /var/log/bsr/split-brain.txt"; }\n'


@pytest.fixture(name="cluster")
def two_hosts():
    with Cluster() as cluster:
        for host in cluster.hosts:
            host.add_disk(SIZE, "disk0")
            host.add_disk(SIZE, "disk1")
        yield cluster


def configure(cluster, volumes=1, extra=""):
    disks = {host.name: host.disks for host in cluster.hosts}
    text = resource_config(cluster, disks, net=NET, disk="c-max-rate 1G;", volumes=volumes, extra=extra)
    for host in cluster.hosts:
        host.write_config(dict(GLOBAL_CONFIG, **{"bsr.d/r0.res": text}))
        if not host.running():
            host.start()


def bring_up(cluster):
    alice, bob = cluster.hosts
    for host in (alice, bob):
        host.run("bsradm create-md --force r0 && bsradm up r0")
    alice.wait_for(connected)
    alice.run("bsradm primary --force r0")
    for host in (alice, bob):
        host.wait_for(in_sync)


def test_split_brain_runs_the_handler_and_its_repair_can_be_typed(cluster):
    """Both sides are told by their handler; the commands that `why` prints join them again."""
    configure(cluster, extra=HANDLER)
    bring_up(cluster)
    alice, bob = cluster.hosts
    alice.run("bsradm secondary r0")
    cluster.cut(alice)
    for host in (alice, bob):
        host.wait_for(lambda s: not connected(s), 30)
        host.run("bsradm primary r0 && dd if=/dev/urandom of=/dev/bsr0 bs=64k count=1 oflag=direct")
    alice.run("bsradm secondary r0")
    cluster.join(alice)
    for host in (alice, bob):
        host.wait_for(lambda s: s["connections"][0]["connection-state"] == "StandAlone", 30)
        wait_until(lambda h=host: "BSR_RESOURCE=r0" in h.run("cat /var/log/bsr/split-brain.txt", check=False).stdout, 10,
                   f"no handler ran on {host.name}")
    why = alice.out("bsradm why r0")
    line = re.search(r"changes may be lost: (.*?); on the other one[^:]*: (bsradm connect r0)", why)
    assert line and "<" not in why, why
    alice.run(line.group(1).replace(", ", "; "))
    bob.run(line.group(2))
    for host in (alice, bob):
        host.wait_for(in_sync, 30)


def test_a_log_file_has_times(cluster):
    configure(cluster)
    bring_up(cluster)
    log = cluster.hosts[0].out("cat /var/log/bsr/r0.log").splitlines()
    assert log and all(re.match(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z \d{4} \w+ [a-z-]+ ", line) for line in log), log
    assert log[0][:13] <= time.strftime("%Y-%m-%dT%H", time.gmtime())


def test_a_volume_is_added_and_why_sees_what_is_missing(cluster):
    configure(cluster)
    bring_up(cluster)
    alice, bob = cluster.hosts
    configure(cluster, volumes=2)
    bob.run("bsradm create-md --force r0/1 && bsradm adjust r0")
    alice.run("bsradm create-md --force r0/1 && bsradm adjust r0")
    alice.wait_for(connected)
    alice.run("bsradm primary --force r0")
    for host in (alice, bob):
        host.wait_for(in_sync)
    assert alice.run("test -b /dev/bsr1").returncode == 0
    bob.run("bsradm detach r0/1")
    for host, words in ((alice, "the peer has no disk"), (bob, "this node has no disk")):
        why = host.out("bsradm why r0")
        assert words in why and "bsradm attach r0/1" in why, why


def test_metadata_of_a_resource_that_is_down_are_asked_without_noise(cluster):
    configure(cluster)
    bring_up(cluster)
    alice = cluster.hosts[0]
    refused = alice.run("bsradm forget-peer r0:bob", check=False)
    assert refused.returncode != 0 and "this peer is configured" in refused.stderr, refused.stderr
    assert alice.run("bsradm get-gi r0/0").stderr == ""
    alice.run("bsradm down r0")
    shown = alice.run("bsradm get-gi r0/0")
    assert re.match(r"[0-9A-F]{16}:", shown.stdout) and shown.stderr == "", shown.stderr
    done = alice.run("bsradm apply-al r0 && bsradm forget-peer r0:bob")
    assert done.stderr == "", done.stderr


@pytest.mark.skipif(not shutil.which("drbdmeta", path="/usr/sbin:/sbin"), reason="drbd-utils is not installed")
def test_a_configuration_and_disks_of_drbd_come_along_and_go_back(cluster):
    alice, bob = cluster.hosts
    old = 'global { usage-count no; }\ncommon { options { auto-promote yes; } net { rr-conflict retry-connect; } }\ninclude "moved.d/*.res";\n'
    text = resource_config(cluster, {host.name: host.disks for host in cluster.hosts}, net=NET, disk="c-max-rate 0;")
    for host in cluster.hosts:
        host.write_config({"old.conf": old, "moved.d/r0.res": text.replace("device minor 0", "device /dev/drbd0 minor 0")})
        if not host.running():
            host.start()
        host.run(f"/usr/sbin/drbdmeta --force 0 v09 {host.disks[0]} internal create-md 1")
        host.run("cp /etc/old.conf /etc/bsr.conf")
        told = host.run("bsradm dump").stderr
        assert "/etc/bsr.conf:2:" in told and "auto-promote is kept" in told and "acts as disconnect" in told
        host.run("bsradm check all; bsradm up all")
    alice.wait_for(connected)
    quiet = alice.run("bsradm primary --force r0")
    assert "auto-promote" not in quiet.stderr
    alice.run("bsradm wait-sync r0 && mkfs.ext4 -q /dev/bsr0 && mount /dev/bsr0 /mnt/data && echo here > /mnt/data/x")
    for host in cluster.hosts:
        host.wait_for(in_sync)
    alice.run("umount /mnt/data")
    for host in (alice, bob):
        host.run("bsradm down all && bsradm apply-al all")
        dump = host.out(f"/usr/sbin/drbdmeta 0 v09 {host.disks[0]} internal dump-md")
        assert "bits-set 0" in dump
