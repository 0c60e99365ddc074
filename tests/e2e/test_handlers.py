# SPDX-License-Identifier: GPL-2.0-or-later
"""Handlers: which is called when, what it is told, and where its exit code counts."""
import os
import time

import pytest

from hosts import (GLOBAL_CONFIG, NET, bring_up, connected, create, fixture_cluster, in_sync, resource_config,  # noqa: F401
                   settle, wait_until)

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="needs root: namespaces, loop devices, FUSE")
SIZE = 32 << 20
TOLD = "/var/log/told"
NOTED = ["before-resync-target", "after-resync-target", "before-resync-source", "initial-split-brain", "split-brain",
         "pri-on-incon-degr", "before-promote", "after-promote", "before-demote", "after-demote", "disconnected"]


def configure(cluster, special=None):
    """Every handler notes its name and what it knows; @special: handler to shell command that decides its exit code."""
    handlers = ""
    for name in NOTED:
        command = f"echo {name} $BSR_RESOURCE $BSR_VOLUME peer=$BSR_PEER_NODE_ID $BSR_CSTATE >> {TOLD}"
        if name in (special or {}):
            command = f"{special[name]} && {command}"
        handlers += f'        {name} "{command}";\n'
    disks = {host.name: host.disks or [host.add_disk(SIZE, "disk0")] for host in cluster.hosts}
    text = resource_config(cluster, disks, net=NET.format(protocol="C", secret="s"), disk="c-max-rate 1G;",
                           extra="    handlers {\n" + handlers + "    }\n")
    for host in cluster.hosts:
        host.write_config(dict(GLOBAL_CONFIG, **{"bsr.d/r0.res": text}))
        if not host.running():
            host.start()


def told(host):
    return host.run(f"cat {TOLD}", check=False).stdout.splitlines()


def wait_told(host, line, count=1):
    wait_until(lambda: [t.strip() for t in told(host)].count(line) >= count, 20, f"{host.name} was not told '{line}': {told(host)}")


def test_each_event_calls_its_handler(cluster):
    configure(cluster)
    bring_up(cluster)
    alice, bob = cluster.hosts
    wait_told(alice, "before-promote r0 0 peer=")
    wait_told(alice, "after-promote r0 0 peer=")
    wait_told(alice, "before-resync-source r0 0 peer=1")
    wait_told(bob, "before-resync-target r0 0 peer=0")
    wait_told(bob, "after-resync-target r0 0 peer=0")
    names = [line.split()[0] for line in told(alice)]
    assert names.index("before-promote") < names.index("after-promote") and "pri-on-incon-degr" not in names
    alice.run("bsradm primary r0")  # changes nothing
    bob.run("bsradm disconnect r0")
    wait_told(bob, "disconnected r0 0 peer=0 Disconnecting")
    wait_until(lambda: any(t.startswith("disconnected r0 0 peer=1 ") for t in told(alice)), 10, "alice does not know that bob left")
    alice.run("bsradm detach --force r0")
    wait_told(alice, "pri-on-incon-degr r0 0 peer=")
    alice.run("bsradm secondary r0")
    wait_told(alice, "before-demote r0 0 peer=")
    wait_told(alice, "after-demote r0 0 peer=")
    names = [line.split()[0] for line in told(alice)]
    assert names.count("before-promote") == 1 and names.count("pri-on-incon-degr") == 1


def test_down_of_a_primary_is_a_demotion(cluster):
    configure(cluster)
    bring_up(cluster)
    alice, _ = cluster.hosts
    alice.run("bsradm down r0")
    names = [line.split()[0] for line in told(alice)]
    assert names.index("before-demote") < names.index("after-demote")


def test_split_brain_is_told_at_its_beginning_and_when_it_stays(cluster):
    configure(cluster, {"initial-split-brain": "sleep 1"})
    bring_up(cluster)
    alice, bob = cluster.hosts
    alice.run("bsradm secondary r0")
    cluster.cut(alice)
    for host in (alice, bob):
        host.wait_for(lambda s: not connected(s), 30)
        host.run("bsradm primary r0 && dd if=/dev/urandom of=/dev/bsr0 bs=64k count=1 oflag=direct && bsradm secondary r0")
    cluster.join(alice)
    for host, peer in ((alice, 1), (bob, 0)):
        wait_told(host, f"split-brain r0 0 peer={peer}")
        names = [line.split()[0] for line in told(host)]
        assert names.index("initial-split-brain") < names.index("split-brain"), names


@pytest.mark.parametrize("handler, command", [("before-promote", "primary"), ("before-demote", "secondary"), ("before-demote", "down")])
def test_a_refused_change_of_role_changes_nothing(cluster, handler, command):
    configure(cluster, {handler: "test ! -e /run/refuse || exit 7"})
    bring_up(cluster)
    alice, bob = cluster.hosts
    if command == "primary":
        alice.run("bsradm secondary r0")
    before = alice.status()["role"]
    alice.run("touch /run/refuse")
    refused = alice.run(f"bsradm {command} r0", check=False)
    assert refused.returncode != 0 and "a handler that was asked first refused" in refused.stderr
    assert f"handler {handler} ended with 7" in refused.stderr
    assert alice.status()["role"] == before
    settle(cluster)  # bsr 1.7 would have disconnected
    if before == "Primary":
        alice.run("dd if=/dev/zero of=/dev/bsr0 bs=4k count=1 oflag=direct status=none")
    alice.run(f"rm /run/refuse && bsradm {command} r0")


def test_a_configuration_that_is_being_edited_refuses_nobody(cluster):
    configure(cluster, {"before-promote": "exit 1"})
    create(cluster)
    alice, _ = cluster.hosts
    alice.wait_for(connected)
    assert alice.run("bsradm primary --force r0", check=False).returncode != 0
    alice.run("sed -i 's/protocol C/protocoll C/' /etc/bsr.d/r0.res")
    alice.run("bsrsetup primary --force r0")
    settle(cluster)


@pytest.mark.parametrize("asked", ["before-resync-source", "before-resync-target"])
def test_a_refused_resync_gives_the_connection_up_and_overwrites_nothing(cluster, asked):
    configure(cluster, {asked: "test ! -e /run/refuse || exit 1"})
    bring_up(cluster)
    alice, bob = cluster.hosts
    refuses, other = (alice, bob) if asked.endswith("source") else (bob, alice)
    cluster.cut(bob)
    for host in (alice, bob):
        host.wait_for(lambda s: not connected(s), 30)
    alice.run("dd if=/dev/urandom of=/dev/bsr0 bs=64k count=16 oflag=direct status=none")
    refuses.run("touch /run/refuse")
    data = f"dd if={bob.disks[0]} bs=1M count=16 iflag=direct status=none | sha256sum"
    before = bob.out(data)
    cluster.join(bob)
    refuses.wait_for(lambda s: s["connections"][0]["connection-state"] == "StandAlone", 30)
    assert "error:handler-refused" in refuses.out("bsradm status r0")
    assert asked in refuses.out("bsradm why r0") and "bsradm connect r0" in refuses.out("bsradm why r0")
    assert "2008 error resync-handler-refused" in refuses.out("cat /var/log/bsr/r0.log")
    other.wait_for(lambda s: s["connections"][0]["connection-state"] == "Connecting", 30)
    assert bob.out(data) == before and "Inconsistent" not in bob.out("bsradm status r0")
    refuses.run("rm /run/refuse && bsradm connect r0")
    settle(cluster)
    assert bob.out(data) != before


def test_a_resync_waits_for_its_handler_and_the_old_data_are_there_for_a_snapshot(cluster):
    """before-resync-target sees the disk as it was, whatever is written meanwhile."""
    configure(cluster)
    bring_up(cluster)
    alice, bob = cluster.hosts
    alice.run("dd if=/dev/zero of=/dev/bsr0 bs=1M count=1 oflag=direct status=none")
    settle(cluster)
    disk = bob.disks[0]
    configure(cluster, {"before-resync-target":
                        f"sleep 2; dd if={disk} of=/run/snapshot bs=1M count=1 iflag=direct 2>/dev/null"})
    cluster.cut(bob)
    for host in (alice, bob):
        host.wait_for(lambda s: not connected(s), 30)
    alice.run("tr '\\0' x < /dev/zero | dd of=/dev/bsr0 bs=1M count=1 iflag=fullblock oflag=direct status=none")
    cluster.join(bob)
    bob.wait_for(lambda s: s["connections"][0]["peer_devices"][0]["replication-state"] == "WFBitMapT", 30)
    begun = time.monotonic()
    alice.run("tr '\\0' y < /dev/zero | dd of=/dev/bsr0 bs=4k count=1 iflag=fullblock oflag=direct status=none")
    assert time.monotonic() - begun < 20
    settle(cluster)
    assert bob.run("cmp -n 1048576 /run/snapshot /dev/zero").returncode == 0
    alice.run("bsradm secondary r0")
    assert bob.run(f"cmp -n 4096 {disk} <(tr '\\0' y < /dev/zero)").returncode == 0


def test_a_killed_engine_process_asks_again(cluster):
    configure(cluster, {"before-resync-target": "sleep 2"})
    create(cluster)
    alice, bob = cluster.hosts
    alice.wait_for(connected)
    alice.run("bsradm primary --force r0")
    bob.wait_for(lambda s: s["connections"][0]["peer_devices"][0]["replication-state"] == "WFBitMapT", 30)
    bob.run("kill -9 $(pgrep -u nobody -f 'bsrd.*r0' | head -1)")
    settle(cluster)
    wait_told(bob, "after-resync-target r0 0 peer=0")
