# SPDX-License-Identifier: GPL-2.0-or-later
"""Two hosts with a resource r0: what tests of whole clusters share."""
import os
import re
import subprocess
import sys

import pytest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "demo"))
from cluster import Cluster, Failure, GLOBAL_CONFIG, ROOT, connected, in_sync, resource_config, wait_until  # noqa: E402,F401

SIZE = 64 << 20
# What a process says that stops because of a mistake of its own; the keeper starts the next one, and all goes on.
MISTAKES = re.compile(r"assertion failed|Sanitizer|runtime error:|syscall-denied")
NET = ("protocol {protocol};\n        cram-hmac-alg sha256;\n        shared-secret \"{secret}\";\n"
       "        connect-int 1;\n        ping-int 1;\n        ping-timeout 10;")


def configure(cluster, hosts=None, protocol="C", secret="the secret", volumes=1, sizes=None, disk="c-max-rate 1G;"):
    """Disks and configuration on each host; the hosts run afterwards."""
    disks = {}
    for host in cluster.hosts:
        disks[host.name] = host.disks or [host.add_disk((sizes or {}).get(host.name, SIZE), f"disk{v}") for v in range(volumes)]
    for host in hosts or cluster.hosts:
        net = NET.format(protocol=protocol, secret=secret)
        text = resource_config(cluster, disks, net=net, disk=disk, volumes=volumes)
        host.write_config(dict(GLOBAL_CONFIG, **{"bsr.d/r0.res": text}))
        if not host.running():
            host.start()
    return disks


def create(cluster):
    for host in cluster.hosts:
        host.run("bsradm create-md --force r0")
        host.run("bsradm up r0")


def settle(cluster, timeout=60):
    for host in cluster.hosts:
        host.wait_for(in_sync, timeout)


def bring_up(cluster):
    """What is configured: created and up everywhere, the first host Primary, all in sync."""
    create(cluster)
    cluster.hosts[0].wait_for(connected)
    cluster.hosts[0].run("bsradm primary --force r0")
    settle(cluster)


def equal_disks(cluster, volumes=1):
    """The data areas of both hosts' disks are the same bytes (all devices down or quiet)."""
    alice, bob = cluster.hosts
    for volume in range(volumes):
        size = next(d["size"] for d in alice.status()["devices"] if d["volume"] == volume) << 10
        pair = (alice.disks[volume], bob.disks[volume])
        for disk in pair:
            subprocess.run(["blockdev", "--flushbufs", disk], check=True)
        done = subprocess.run(["cmp", f"--bytes={size}", *pair], check=False, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout


@pytest.fixture(name="cluster")
def fixture_cluster():
    with Cluster() as cluster:
        yield cluster
        for host in cluster.hosts:
            for name in ("console.log", "log/bsr/r0.log"):
                path = os.path.join(host.base, name)
                if not os.path.exists(path):
                    continue  # never booted, never up
                with open(path, encoding="utf-8", errors="replace") as log:
                    text = log.read()
                assert not MISTAKES.search(text), f"{host.name}: {text[-8000:]}"


@pytest.fixture(name="pair")
def fixture_pair(cluster):
    """alice Primary, bob Secondary, in sync."""
    configure(cluster)
    bring_up(cluster)
    return cluster


def engine_pid(host):
    """Process id, as the host sees it, of the engine process (the one that runs as nobody); a killed one is replaced in a moment."""
    return int(wait_until(lambda: host.out("pgrep -u nobody -f 'bsrd.*r0' | head -1"), 20, "no engine process"))


def verifying_load(host, device="/dev/bsr0", seconds=6, size="48M", depth=16):
    return host.spawn(["fio", "--name=v", f"--filename={device}", "--rw=randwrite", "--bs=4k", "--direct=1",
                       "--ioengine=libaio", f"--iodepth={depth}", f"--size={size}", "--verify=crc32c", "--verify_async=1",
                       "--loops=50", f"--runtime={seconds}", "--verify_backlog=512", "--verify_fatal=1",
                       "--max_latency=60s"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def finish_load(load):
    out, _ = load.communicate(timeout=120)
    assert load.returncode == 0 and "err= 0" in out, out
    return out
