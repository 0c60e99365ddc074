# SPDX-License-Identifier: GPL-2.0-or-later
"""A disk that fails under a running Primary or Secondary: what was acknowledged is never replaced by something older, and status says how it stands."""
import os
import subprocess
import time

import pytest

from hosts import configure, connected, engine_pid, equal_disks, fixture_cluster, in_sync, settle, wait_until  # noqa: F401

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="needs root: namespaces, loop devices, FUSE")


def up(cluster, protocol, policy):
    """alice Primary, bob Secondary, in sync; their processes accept faults."""
    configure(cluster, protocol=protocol, disk=f"c-max-rate 1G; on-io-error {policy};")
    for host in cluster.hosts:
        text = host.out("cat /etc/bsr.d/r0.res").replace("ping-timeout 10;", "ping-timeout 100;")
        host.write_config({"bsr.d/r0.res": text})  # messages that are held back are no reason to call a peer dead
        host.run("bsradm create-md --force r0")
        host.run("bsradm up r0", env={"BSR_ALLOW_FAULTS": "1"})
    alice, bob = cluster.hosts
    alice.wait_for(connected)
    alice.run("bsradm primary --force r0")
    settle(cluster)
    return alice, bob


def writing(letter, block):
    return (f"head -c 4096 /dev/zero | tr '\\0' {letter} | "
            f"dd of=/dev/bsr0 bs=4096 seek={block} oflag=direct conv=notrunc status=none")


def read(host, block):
    return host.out(f"dd if=/dev/bsr0 bs=4096 skip={block} count=1 iflag=direct status=none | tr -d '\\0' | head -c 1")


def test_protocol_a_disk_lost_and_process_killed(cluster):
    """What the application was told is done is on the lost disk alone: the peer, which lacks it, is not believed; requests wait, and
    status says why. When the disk comes back all of it is there."""
    alice, bob = up(cluster, "A", "detach")
    alice.run(writing("a", 10))
    pid = engine_pid(alice)
    said = alice.out(f"bsrcon /fault r0 network delay=4000 peer=bob; {writing('b', 10)} && echo acknowledged; "
                     f"bsrcon /fault r0 disk op=write error=yes")
    assert said == "acknowledged\n"
    late = alice.spawn(["bash", "-c", writing("c", 12)])  # finds the disk dead
    wait_until(lambda: alice.disk_state() != "UpToDate", 20, lambda: alice.out("bsradm status r0"))
    alice.run(f"kill -9 {pid}")
    alice.wait_for(connected, 30)
    peer = bob.status()["devices"][0]["disk-state"]
    state = alice.out("bsrsetup status r0 --verbose")
    why = alice.run("bsradm why r0", check=False).stdout
    assert "suspended:no-data" in state and "peer-disk:Outdated" in state, state
    assert "no node with UpToDate data can be reached" in why and "bsradm attach r0/0" in why, why
    assert late.poll() is None, "nobody has what it builds on: it waits"
    refused = bob.run("bsradm primary r0", check=False)
    assert refused.returncode != 0, f"{refused.stdout} while alice is Primary; its own disk is {peer}"
    alice.run("bsradm attach r0")
    settle(cluster)
    assert late.wait(timeout=60) == 0
    assert (read(alice, 10), read(alice, 12)) == ("b", "c")
    alice.run("bsradm secondary r0")
    settle(cluster)
    equal_disks(cluster)


@pytest.mark.parametrize("failing", [0, 1], ids=["primary", "secondary"])
def test_pass_on_write_error(cluster, failing):
    """No application notices; the disk that failed is Inconsistent until the other one has filled it, and nothing older comes back."""
    alice, _ = up(cluster, "C", "pass_on")
    host = cluster.hosts[failing]
    alice.run(writing("a", 10))
    before = host.out("grep -c ' 3[0-9]* ' /var/log/bsr/r0.log || true")
    host.run("bsrcon /fault r0 disk op=write error=yes count=1")
    alice.run(writing("b", 10))
    assert read(alice, 10) == "b"
    wait_until(lambda: "Inconsistent" in host.out("cat /var/log/bsr/r0.log"), 20, lambda: before)
    alice.run(writing("c", 11))
    settle(cluster)
    assert (read(alice, 10), read(alice, 11)) == ("b", "c")
    alice.run("bsradm secondary r0")
    settle(cluster)
    equal_disks(cluster)
    cluster.hosts[1].run("bsradm primary r0")
    assert read(cluster.hosts[1], 10) == "b"
