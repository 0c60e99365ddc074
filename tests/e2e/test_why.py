# SPDX-License-Identifier: GPL-2.0-or-later
"""Why is it stuck? In each situation `bsradm why` names the cause and a command that helps, and the command helps."""
import re

import pytest

from hosts import create, configure, connected, fixture_cluster, fixture_pair, in_sync, settle, wait_until  # noqa: F401


def why(host, *words, resource="r0"):
    """The answer, once all words stand in it."""
    def look():
        return all(word in host.run(f"bsradm why {resource}", check=False).stdout for word in words)
    wait_until(look, 20, lambda: f"{host.name}: no {words} in\n" + host.run(f"bsradm why {resource}", check=False).stdout)
    text = host.out(f"bsradm why {resource}")
    assert not re.search(r"[\[{}\]]|<\w+>|bad messages", text), text
    return text


def edit(host, old, new):
    path = f"/proc/{host.init}/root/etc/bsr.d/r0.res"
    with open(path, encoding="utf-8") as config:
        text = config.read()
    assert old in text
    with open(path, "w", encoding="utf-8") as config:
        config.write(text.replace(old, new))


def test_a_peer_that_is_down_or_unreachable(pair):
    alice, bob = pair.hosts
    assert alice.out("bsradm check r0") == "r0: ready\n"  # its own disk and port are no doubts
    bob.run("bsradm down r0")
    why(alice, "the peer is looked for at", "Connection refused", "on bob: bsradm status r0; bsradm up r0")
    done = alice.run("bsradm wait-connect --wfc-timeout=1 r0", check=False)
    assert done.returncode == 5 and "time is up, and not every peer is connected; see: bsradm why r0" in done.stderr, done.stderr
    alice.run("ip link set eth0 down")
    why(alice, "Network is unreachable")
    alice.run("ip link set eth0 up")
    bob.run("bsradm up r0")
    settle(pair)
    assert alice.out("bsradm why r0") == "r0: nothing is wrong: every connection replicates\n"


def test_a_peer_that_was_disconnected(pair):
    alice, bob = pair.hosts
    bob.run("bsradm disconnect r0")
    why(bob, "nobody has asked for this connection, or it was disconnected", "bsradm connect r0:alice")
    why(alice, "is not connecting at the moment", "bsradm connect r0 if it is StandAlone")
    done = bob.run("bsradm wait-connect r0")
    assert "a connection is StandAlone; see: bsradm why r0" in done.stderr, done.stderr
    bob.run("bsradm connect r0:alice")
    settle(pair)


def test_another_secret(pair):
    alice, bob = pair.hosts
    bob.run("bsradm down r0")
    edit(bob, "the secret", "another one")
    bob.run("bsradm up r0")
    for host in pair.hosts:
        host.wait_for(lambda s: s["connections"][0]["connection-state"] == "StandAlone")
        why(host, "shared-secret", "differ", "configuration-mismatch", "bsradm adjust r0")
    edit(bob, "another one", "the secret")
    for host in (bob, alice):
        host.run("bsradm adjust r0; bsradm connect r0")
    settle(pair)
    why(alice, "nothing is wrong")


def test_another_node_id(pair):
    alice, bob = pair.hosts
    bob.run("bsradm down r0")
    edit(bob, "node-id 0;", "node-id 3;")
    bob.run("bsradm up r0", check=False)
    why(bob, "it has not the node id 3", "bsradm adjust r0")
    done = bob.run("bsradm attach r0", check=False)
    assert done.returncode != 0 and "check its node-id" in done.stderr, done.stderr
    bob.run("bsradm down r0")
    edit(bob, "node-id 3;", "node-id 0;")
    bob.run("bsradm up r0")
    alice.run("bsradm connect r0", check=False)
    settle(pair)


def test_a_slow_resync(pair):
    alice, bob = pair.hosts
    bob.run("bsradm peer-device-options --c-max-rate=250 r0 && bsradm disconnect r0")
    alice.run("dd if=/dev/urandom of=/dev/bsr0 bs=1M count=4 oflag=direct status=none")
    bob.run("bsradm connect r0")
    why(bob, "state SyncTarget", "nothing to do: bsradm wait-sync -v r0", "c-max-rate")
    bob.wait_for(lambda s: s["connections"][0]["peer_devices"][0].get("resync-limited-by") == "c-max-rate")
    assert " limited-by:c-max-rate" in bob.out("bsrsetup status --statistics r0")
    bob.run("bsradm peer-device-options --c-plan-ahead=0 --resync-rate=300 r0")
    bob.wait_for(lambda s: s["connections"][0]["peer_devices"][0].get("resync-limited-by") == "resync-rate")
    watching = bob.run("timeout 3 bsradm wait-sync -v r0", check=False)
    assert "(limited by resync-rate)" in watching.stdout, watching.stdout
    bob.run("bsradm peer-device-options --c-plan-ahead=20 --c-max-rate=0 r0")  # no limit
    settle(pair)


def test_a_paused_resync(pair):
    alice, bob = pair.hosts
    bob.run("bsradm disconnect r0")
    alice.run("dd if=/dev/urandom of=/dev/bsr0 bs=1M count=1 oflag=direct status=none")
    bob.run("bsradm pause-sync r0 && bsradm connect r0")
    why(bob, "the resync is paused by the user of this node", "what helps: bsradm resume-sync r0")
    why(alice, "the resync is paused by the peer", "on bob: bsradm why r0", "bsradm resume-sync r0")
    bob.run("bsradm resume-sync r0")
    settle(pair)


def test_suspended_requests(pair):
    alice = pair.hosts[0]
    alice.run("bsradm suspend-io r0")
    why(alice, "requests of applications are held back: by bsradm suspend-io", "what helps: bsradm resume-io r0")
    for command in ("secondary", "down"):
        done = alice.run(f"bsradm {command} r0", check=False, timeout=10)  # would wait with the requests
        assert done.returncode == 10, done.stderr
        assert "held back" in done.stderr and "what helps: see bsradm why; or bsradm resume-io r0" in done.stderr, done.stderr
    assert alice.status()["role"] == "Primary"
    alice.run("bsradm resume-io r0 && bsradm secondary r0")


def test_a_primary_that_lost_the_only_current_disk(pair):
    """The disk itself may lack what its cache had: nobody goes on with it before a person says so, and why says how."""
    alice, bob = pair.hosts
    alice.run("bsradm resource-options --on-no-data-accessible=suspend-io r0")
    bob.run("bsradm down r0")
    alice.run("dd if=/dev/urandom of=/dev/bsr0 bs=4k count=1 oflag=direct status=none")
    alice.run("bsradm detach --force r0")
    reader = alice.spawn(["dd", "if=/dev/bsr0", "of=/dev/null", "bs=4k", "count=1", "iflag=direct", "skip=77", "status=none"])
    why(alice, "no node with UpToDate data can be reached", "bsradm resume-io r0", "this node has no disk for the volume")
    bob.run("bsradm up r0")
    alice.run("bsradm attach r0")
    why(alice, "this node's disk waits (Negotiating)", "bsradm resume-io r0 (what waits fails), close the device, bsradm secondary r0")
    alice.run("bsradm resume-io r0")
    reader.wait(timeout=20)
    assert reader.returncode != 0
    alice.run("bsradm secondary r0")
    settle(pair)
    alice.run("bsradm primary r0")


def test_a_keeper_that_died(pair):
    alice = pair.hosts[0]
    alice.run("bsradm secondary r0; kill -9 $(cat /run/bsr/r0.pid)")
    why(alice, "the keeper process of this resource has died", "bsrd r0")
    refused = alice.run("bsradm primary r0", check=False)
    assert refused.returncode != 0 and "or by hand: bsrd r0" in refused.stderr, refused.stderr
    alice.run("bsrd r0")
    why(alice, "nothing is wrong")
    alice.run("bsradm primary r0")


def test_a_resource_whose_file_is_gone(pair):
    bob = pair.hosts[1]
    bob.run("mv /etc/bsr.d/r0.res /etc/bsr.d/r0.gone")
    refused = bob.run("bsradm down r0", check=False)
    assert refused.returncode == 1 and "but it runs" in refused.stderr and "`bsrsetup down r0` ends it" in refused.stderr
    bob.run("bsrsetup down r0")
    assert "but it runs" not in bob.run("bsradm down r0", check=False).stderr


def test_no_disk_here_and_there(pair):
    alice, bob = pair.hosts
    bob.run("bsradm detach r0")
    why(alice, "the peer has no disk for the volume (Diskless)", "on bob: bsradm attach r0/0")
    why(bob, "this node has no disk for the volume (Diskless)", "what helps: bsradm attach r0/0")
    bob.run("bsradm attach r0/0")
    settle(pair)


def test_a_node_that_boots_alone_with_an_old_disk(pair):
    alice, bob = pair.hosts
    bob.run("bsradm down r0")
    alice.run("dd if=/dev/urandom of=/dev/bsr0 bs=1M count=1 oflag=direct status=none")
    alice.run("bsradm secondary r0 && bsradm down r0")
    bob.run("bsradm outdate r0 && bsradm up r0")
    why(bob, "Connection refused", "this node's disk is Outdated", "connect to a node that has the current data",
        "bsradm primary --force r0")
    done = bob.run("bsradm primary r0", check=False)
    assert done.returncode == 17 and "primary --force r0" in done.stderr
    alice.run("bsradm up r0")
    settle(pair)


@pytest.mark.parametrize("written", [True, False])
def test_two_histories(pair, written):
    """Both were Primary without each other; whether the first one has written decides what it is called."""
    alice, bob = pair.hosts
    alice.run("bsradm disconnect r0")
    bob.run("bsradm primary r0")  # the device's first flush begins a generation, as a write does
    if written:
        for host in (alice, bob):
            host.run("dd if=/dev/urandom of=/dev/bsr0 bs=4k count=1 seek=9 oflag=direct status=none")
    alice.run("bsradm connect r0")
    text = why(alice, "split-brain" if written else "two-primaries", "bsradm secondary r0")
    assert ("--discard-my-data r0" in text) == written
    bob.run("bsradm secondary r0")
    if not written:  # bob's generation is the newer one, and a Primary does not become its target
        alice.run("bsradm secondary r0")
    bob.run("bsradm connect --discard-my-data r0" if written else "bsradm connect r0")
    alice.run("bsradm connect r0")
    settle(pair)
    why(bob, "nothing is wrong")
    alice.run("bsradm primary r0")
