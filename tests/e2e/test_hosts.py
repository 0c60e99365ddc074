# SPDX-License-Identifier: GPL-2.0-or-later
"""Two hosts: IPv6, names in /dev, an idle resource, memory that is locked, who may control it, how it logs."""
import json
import os
import re
import subprocess
import time

import pytest

from hosts import (GLOBAL_CONFIG, NET, SIZE, connected, equal_disks, fixture_cluster, fixture_pair,  # noqa: F401
                   finish_load, in_sync, resource_config, settle, verifying_load)

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="needs root: namespaces, loop devices, FUSE")
CAP_SYS_RESOURCE = 24


def processes(host):
    return [int(host.out("cat /run/bsr/r0.pid")), int(host.out("cat /run/bsr/r0.engine"))]


@pytest.mark.parametrize("secret", ["with", "without"])
def test_ipv6_from_end_to_end(cluster, secret):
    """Authentication, a cut line under a load, reconnection, switch-over: all over IPv6."""
    alice, bob = cluster.hosts
    disks = {h.name: [h.add_disk(SIZE)] for h in cluster.hosts}
    net = NET.format(protocol="C", secret="s")
    if secret == "without":
        net = re.sub(r"cram-hmac-alg sha256;\s*shared-secret \"s\";", "", net)
    text = resource_config(cluster, disks, net=net, disk="c-max-rate 1G;")
    for index, host in enumerate(cluster.hosts):
        address = f"fd00:b5::{index + 1}"
        subprocess.run(["ip", "-n", host.netns, "addr", "add", f"{address}/64", "dev", "eth0", "nodad"], check=True)
        text = text.replace(f"address {host.address}:7789", f"address ipv6 [{address}]:7789")
    assert text.count("ipv6 [fd00:b5::") == 2
    for host in cluster.hosts:
        host.write_config(dict(GLOBAL_CONFIG, **{"bsr.d/r0.res": text}))
        host.start()
        host.run("bsradm check r0; bsradm create-md --force r0 && bsradm up r0")
    alice.wait_for(connected)
    assert "fd00:b5::2" in alice.out("ss -Htn state established")
    assert "fd00:b5::1" in alice.out("bsrsetup show r0")
    alice.run("bsradm primary --force r0")
    settle(cluster)
    load = verifying_load(alice, seconds=6)
    time.sleep(1)
    cluster.cut(bob)
    alice.wait_for(lambda s: not connected(s), 20)
    cluster.join(bob)
    finish_load(load)
    settle(cluster)
    alice.run("bsradm secondary r0")
    bob.run("bsradm primary r0")
    settle(cluster)
    equal_disks(cluster)
    bob.run(f"bash -c 'echo garbage > /dev/tcp/fd00:b5::1/7789'", check=False)
    time.sleep(0.5)
    assert re.search(r"4101 .*fd00:b5::2", alice.out("cat /var/log/bsr/r0.log"))


def test_names_of_a_device(pair):
    """/dev/bsr<minor> and by-res/<resource>/<volume> lead to one block device, on the Primary only."""
    alice, bob = pair.hosts
    shown = alice.out("readlink -f /dev/bsr0 /dev/bsr/by-res/r0/0").split()
    assert len(set(shown)) == 1 and len(shown) == 2 and alice.run(f"test -b {shown[0]}").returncode == 0
    assert bob.run("test -e /dev/bsr0 -o -e /dev/bsr/by-res/r0/0", check=False).returncode != 0
    alice.run("bsradm secondary r0")
    assert alice.run("test -e /dev/bsr0 -o -e /dev/bsr/by-res/r0", check=False).returncode != 0
    bob.run("bsradm primary r0 && test -b /dev/bsr/by-res/r0/0")


def test_a_connected_idle_resource_uses_no_cpu(pair):
    """Primary and Secondary, mounted, nothing going on: pings, and nothing else."""
    alice, bob = pair.hosts
    alice.run("mkfs.ext4 -q -E nodiscard /dev/bsr0 && mount /dev/bsr0 /mnt/data && sync -f /mnt/data")
    time.sleep(3)

    def ticks(host, pid):
        fields = host.out(f"cat /proc/{pid}/stat").rsplit(")", 1)[1].split()
        return int(fields[11]) + int(fields[12])

    pids = [(host, pid) for host in (alice, bob) for pid in processes(host)]
    assert len(pids) == 4
    before = [ticks(*p) for p in pids]
    time.sleep(8)
    used = [ticks(*p) - b for p, b in zip(pids, before)]
    assert max(used) <= 2, used  # of 800; the pings of every second


def test_memory_is_locked_and_what_is_refused_is_said(pair):
    """The engine process's pool cannot be swapped out; each right that is missing is one line with the remedy."""
    alice, _ = pair.hosts
    keeper, engine = processes(alice)
    status = alice.out(f"cat /proc/{engine}/status")
    locked = int(re.search(r"VmLck:\s+(\d+) kB", status).group(1))
    assert locked >= 64 << 10, "the payload pool alone has 64 MiB"
    caps = int(re.search(r"CapEff:\s+(\w+)", alice.out(f"cat /proc/{keeper}/status")).group(1), 16)
    text = alice.out("cat /var/log/bsr/r0.log")
    may = bool(caps >> CAP_SYS_RESOURCE & 1)
    for number in (6009, 6010):
        lines = [line for line in text.splitlines() if f"Z {number} " in line]
        assert len(lines) == (0 if may else 1), lines
        assert all("needs=CAP_SYS_RESOURCE" in line for line in lines)
    assert (" 6008 " in text) != may or "later=unlocked" in text


def test_a_process_that_holds_the_device_is_named(pair):
    alice, _ = pair.hosts
    holder = alice.spawn(["python3", "-c", "import os, time; f = open('/dev/bsr0', 'rb'); print(os.getpid(), flush=True); "
                          "time.sleep(60)"], stdout=subprocess.PIPE, text=True)
    pid = int(holder.stdout.readline())
    for command in ("bsradm secondary r0", "bsradm down r0"):
        refused = alice.run(command, check=False)
        said = refused.stdout + refused.stderr
        assert refused.returncode != 0 and "python3" in said and f"pid {pid}" in said, said
    alice.run(f"kill -9 {pid}")
    holder.wait()
    alice.run("bsradm secondary r0")


def test_who_keeps_a_detached_mount_is_named(pair):
    """After umount -l no mount is to be seen, and the file system lives on until the last file in it is closed."""
    alice, _ = pair.hosts
    alice.run("mkfs.ext4 -q -F /dev/bsr0 && mount /dev/bsr0 /mnt/data")
    for held in ("exec 9> /mnt/data/file", "cd /mnt/data"):
        holder = alice.spawn(["bash", "-c", f"{held}; echo $$; sleep 60"], stdout=subprocess.PIPE, text=True)
        pid = int(holder.stdout.readline())
        alice.run("umount -l /mnt/data")
        refused = alice.run("bsradm secondary r0", check=False)
        assert refused.returncode == 11 and f"(pid {pid})" in refused.stderr, refused.stderr
        assert "umount -l" in refused.stderr, refused.stderr
        alice.run(f"kill -9 {pid}")
        holder.wait()
        alice.run("mount /dev/bsr0 /mnt/data")
    alice.run("umount /mnt/data && bsradm secondary r0")


def test_under_systemd_lines_go_to_stderr_with_their_level(pair):
    """What the journal gets: a priority, the permanent number, no time of its own."""
    alice, _ = pair.hosts
    alice.run("bsradm secondary r0; bsradm down r0")
    # systemd tells a service by this variable that its stderr is the journal
    service = alice.spawn(["env", "JOURNAL_STREAM=1:2", "bsrd", "--foreground", "r0"], stderr=subprocess.PIPE, text=True)
    time.sleep(1)
    alice.run("kill $(cat /run/bsr/r0.pid)")  # a stop before anything was configured
    _, said = service.communicate(timeout=20)
    assert service.returncode == 0 and "engine-died" not in said, said
    lines = said.splitlines()
    assert lines and all(re.match(r"<[3-7]>\d{4} \w+ [a-z-]+ resource=r0", line) for line in lines), lines
    assert any("6001 notice keeper-started" in line for line in lines)


def test_every_event_from_warning_up_has_a_remedy():
    """The page for operators names each number; the third and fourth column are not empty."""
    root = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
    with open(os.path.join(root, "engine/include/bsr/events.def"), encoding="utf-8") as f:
        wanted = set(re.findall(r"BSR_LOG_EVENT\((\d+), (?:WARN|ERROR)", f.read()))
    rows = {}
    with open(os.path.join(root, "docs/ops/events.md"), encoding="utf-8") as f:
        for line in f:
            cells = [c.strip() for c in line.strip().strip("|").split(" | ")]
            if re.fullmatch(r"\d{4}", cells[0]):
                rows[cells[0]] = cells
    assert wanted <= set(rows), wanted - set(rows)
    assert all(len(rows[n]) >= 4 and len(rows[n][3]) > 10 for n in wanted)


def test_status_is_json_for_programs(pair):
    alice, _ = pair.hosts
    assert in_sync(json.loads(alice.out("bsrsetup status r0 --json"))[0])
