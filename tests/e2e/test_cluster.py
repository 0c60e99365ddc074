# SPDX-License-Identifier: GPL-2.0-or-later
"""Two hosts with real daemons, disks, devices and links: what administrators do, and what goes wrong."""
import os
import random
import re
import subprocess
import time

import pytest

from hosts import (GLOBAL_CONFIG, NET, ROOT, SIZE, configure, connected, create, engine_pid, equal_disks,  # noqa: F401
                   finish_load, fixture_cluster, fixture_pair, in_sync, resource_config, settle, verifying_load,
                   wait_until)

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="needs root: namespaces, loop devices, FUSE")


# ------------------------------------------------------------------ the main job

def test_demo():
    """The demo of the README holds from beginning to end."""
    done = subprocess.run([os.path.join(ROOT, "demo", "run")], capture_output=True, text=True, timeout=240, check=False)
    assert done.returncode == 0 and "Everything held." in done.stdout, done.stdout[-6000:]


@pytest.mark.parametrize("protocol", ["A", "B", "C"])
def test_each_protocol_replicates(cluster, protocol):
    configure(cluster, protocol=protocol, volumes=2)
    create(cluster)
    alice, bob = cluster.hosts
    alice.wait_for(connected)
    alice.run("bsradm primary --force r0")
    settle(cluster)
    for volume in (0, 1):
        alice.run(f"fio --name=w --filename=/dev/bsr{volume} --rw=randwrite --bs=4k --direct=1 --ioengine=libaio "
                  f"--iodepth=16 --size=32M --io_size=8M --fsync=64")
    alice.run("blkdiscard -o 1048576 -l 4194304 /dev/bsr0 && blkdiscard -z -o 8388608 -l 4194304 /dev/bsr1")
    alice.run("bsradm secondary r0")
    settle(cluster)
    equal_disks(cluster, 2)
    bob.run("bsradm primary r0")
    assert bob.status()["role"] == "Primary"


# ------------------------------------------------------------------ processes die

@pytest.mark.parametrize("victim", ["primary", "secondary"])
def test_engine_killed_under_verifying_load(pair, victim):
    """kill -9 of the engine process at random moments: the application sees a pause and no error."""
    alice, bob = pair.hosts
    host = alice if victim == "primary" else bob
    load = verifying_load(alice)
    for _ in range(6):
        time.sleep(random.uniform(0.2, 1.0))
        before = engine_pid(host)
        host.run(f"kill -9 {before}")
        wait_until(lambda: host.run("pgrep -u nobody -f 'bsrd.*r0'", check=False).stdout.strip()
                   not in ("", str(before)), 20, "no new engine process")
    finish_load(load)
    settle(pair)
    alice.run("bsradm secondary r0")
    settle(pair)
    equal_disks(pair)


def test_mounted_file_system_survives_engine_kills(pair):
    alice, _ = pair.hosts
    alice.run("mkfs.ext4 -q /dev/bsr0 && mount /dev/bsr0 /mnt/data")
    copy = alice.spawn(["bash", "-c", "for i in 1 2 3; do cp -r /usr/share/doc/libc6 /usr/share/doc/bash /mnt/data/$i.d 2>/dev/null "
                        "|| mkdir -p /mnt/data/$i.d && cp -r /usr/share/doc/libc6 /mnt/data/$i.d/; sync -f /mnt/data; done"])
    for _ in range(4):
        time.sleep(0.3)
        alice.run(f"kill -9 {engine_pid(alice)}", check=False)
        time.sleep(0.3)
    assert copy.wait(timeout=60) == 0
    alice.run("diff -r /usr/share/doc/libc6 /mnt/data/1.d/libc6 && umount /mnt/data && fsck.ext4 -n -f /dev/bsr0")


def test_power_cut_of_the_secondary(pair):
    alice, bob = pair.hosts
    load = verifying_load(alice, seconds=8)
    time.sleep(1)
    bob.power_off()
    time.sleep(2)
    bob.start()
    bob.run("bsradm up r0")
    finish_load(load)
    settle(pair)
    alice.run("bsradm secondary r0")
    settle(pair)
    equal_disks(pair)


# ------------------------------------------------------------------ the link

def test_link_cut_and_restored(pair):
    alice, bob = pair.hosts
    load = verifying_load(alice, seconds=8)
    time.sleep(1)
    pair.cut(bob)
    alice.wait_for(lambda s: not connected(s), 20)
    time.sleep(1)
    pair.join(bob)
    finish_load(load)
    settle(pair)
    alice.run("bsradm secondary r0")
    settle(pair)
    equal_disks(pair)


def test_split_brain_is_reported_on_both_ends(pair):
    alice, bob = pair.hosts
    pair.cut(bob)
    for host in (alice, bob):
        host.wait_for(lambda s: not connected(s), 20)
    alice.run("dd if=/dev/urandom of=/dev/bsr0 bs=4k count=10 oflag=direct status=none")
    bob.run("bsradm primary r0")
    bob.run("dd if=/dev/urandom of=/dev/bsr0 bs=4k count=10 seek=100 oflag=direct status=none")
    bob.run("bsradm secondary r0")
    pair.join(bob)
    for host in (alice, bob):
        host.wait_for(lambda s: s["connections"][0]["connection-state"] == "StandAlone", 30)
        assert "error:split-brain" in host.out("bsradm status r0")
    bob.run("bsradm connect --discard-my-data r0")
    alice.run("bsradm connect r0")
    settle(pair)
    alice.run("bsradm secondary r0")
    equal_disks(pair)


def test_wrong_secret_and_garbage_do_no_harm(cluster):
    configure(cluster)
    alice, bob = cluster.hosts
    configure(cluster, hosts=[bob], secret="another secret")
    create(cluster)
    time.sleep(3)
    for host in (alice, bob):
        assert not connected(host.status())
    for size in (1, 40, 4096, 100000):
        bob.run(f"head -c {size} /dev/urandom > /dev/tcp/{alice.address}/7789", check=False)
    assert alice.status()["role"] == "Secondary"
    configure(cluster, hosts=[bob])
    bob.run("bsradm adjust r0")
    for host in (alice, bob):
        if host.status()["connections"][0]["connection-state"] == "StandAlone":
            host.run("bsradm connect r0")
    alice.wait_for(connected, 30)


# ------------------------------------------------------------------ refusals

def test_uninitialised_disk_is_refused_clearly(cluster):
    configure(cluster)
    alice, _ = cluster.hosts
    done = alice.run("bsradm up r0", check=False)
    assert done.returncode != 0
    assert "create-md" in done.stdout + done.stderr


def test_mismatching_sizes_use_the_smaller(cluster):
    configure(cluster, sizes={"alice": SIZE, "bob": SIZE // 2})
    create(cluster)
    alice, _ = cluster.hosts
    alice.wait_for(connected)
    alice.run("bsradm primary --force r0")
    settle(cluster)
    sizes = {host.status()["devices"][0]["size"] for host in cluster.hosts}
    assert len(sizes) == 1 and sizes.pop() < SIZE // 2 >> 10
    assert int(alice.out("blockdev --getsize64 /dev/bsr0")) >> 10 == alice.status()["devices"][0]["size"]


def test_busy_device_is_not_demoted_and_the_holder_is_named(pair):
    alice, _ = pair.hosts
    alice.run("mkfs.ext4 -q /dev/bsr0 && mount /dev/bsr0 /mnt/data")
    done = alice.run("bsradm secondary r0", check=False)
    assert done.returncode != 0 and "/mnt/data" in done.stdout + done.stderr
    done = alice.run("bsradm detach r0", check=False)
    assert done.returncode != 0
    alice.run("umount /mnt/data && bsradm secondary r0")


def test_second_primary_is_refused(pair):
    _, bob = pair.hosts
    done = bob.run("bsradm primary r0", check=False)
    assert done.returncode == 11 and re.search("Primary", done.stdout + done.stderr)


def test_secondary_has_no_device(pair):
    _, bob = pair.hosts
    assert bob.run("dd if=/dev/bsr0 of=/dev/null count=1", check=False).returncode != 0


def test_bad_configuration_names_file_and_line(cluster):
    configure(cluster)
    alice, _ = cluster.hosts
    alice.write_config({"bsr.d/r0.res": "resource r0 {\n  net { protocl C; }\n}\n"})
    done = alice.run("bsradm up r0", check=False)
    assert done.returncode == 10 and re.search(r"r0\.res:2", done.stderr + done.stdout)


def test_resource_is_started_once(pair):
    alice, _ = pair.hosts
    done = alice.run("bsrd r0", check=False, timeout=20)
    assert done.returncode != 0
    assert in_sync(alice.status())


# ------------------------------------------------------------------ administration

def test_disconnect_connect_resyncs_what_was_written(pair):
    alice, bob = pair.hosts
    alice.run("bsradm disconnect r0")
    alice.run("dd if=/dev/urandom of=/dev/bsr0 bs=64k count=16 oflag=direct status=none")
    assert alice.status()["connections"][0]["connection-state"] == "StandAlone"
    before = bob.status()["connections"][0]["peer_devices"][0]["received"]
    alice.run("bsradm connect r0")
    settle(pair)
    after = bob.status()["connections"][0]["peer_devices"][0]["received"]
    assert 1024 <= after - before <= 2048
    alice.run("bsradm secondary r0")
    equal_disks(pair)


def test_invalidate_copies_everything_again(pair):
    alice, bob = pair.hosts
    bob.run("bsradm invalidate r0")
    bob.wait_for(in_sync, 60)
    settle(pair)
    received = bob.status()["connections"][0]["peer_devices"][0]["received"]
    assert received >= 2 * alice.status()["devices"][0]["size"]


def test_detach_and_attach_the_secondary(pair):
    alice, bob = pair.hosts
    bob.run("bsradm detach r0")
    assert bob.disk_state() == "Diskless"
    alice.run("dd if=/dev/urandom of=/dev/bsr0 bs=64k count=16 oflag=direct status=none")
    bob.run("bsradm attach r0")
    settle(pair)
    alice.run("bsradm secondary r0")
    equal_disks(pair)


def test_planned_switch_over_needs_no_resync(pair):
    alice, bob = pair.hosts
    for source, target in ((alice, bob), (bob, alice)):
        source.run("dd if=/dev/urandom of=/dev/bsr0 bs=4k count=64 oflag=direct status=none")
        source.run("bsradm secondary r0")
        gi = source.out("bsradm get-gi r0")
        target.run("bsradm primary r0")
        assert in_sync(target.status())
        assert gi.split(":")[0][:15] == target.out("bsradm get-gi r0").split(":")[0][:15]


def test_down_and_up_again(pair):
    alice, bob = pair.hosts
    alice.run("bsradm secondary r0")
    for host in (alice, bob):
        host.run("bsradm down r0")
        assert host.status() is None
    for host in (alice, bob):
        host.run("bsradm up r0")
    settle(pair)


def test_nbd_socket_serves_the_volume(pair):
    alice, _ = pair.hosts
    uri = "nbd+unix:///r0/0?socket=/run/bsr/r0.nbd"
    listed = alice.out("nbdinfo --list 'nbd+unix:///?socket=/run/bsr/r0.nbd'")
    export = re.search(r'export="([^"]+)"', listed).group(1)
    uri = f"nbd+unix:///{export}?socket=/run/bsr/r0.nbd"
    alice.run(f"qemu-io -f raw '{uri}' -c 'write -P 0x5a 1M 256k' -c flush -c 'read -P 0x5a 1M 256k'")
    done = alice.run("bsradm secondary r0", check=False)
    assert done.returncode == 0, done.stderr


# ------------------------------------------------------------------ disks that are not what they were

def test_metadata_of_another_host_is_refused(pair):
    """bob's disk put into alice: its record names another node."""
    alice, bob = pair.hosts
    alice.run("bsradm secondary r0")
    for host in (alice, bob):
        host.run("bsradm down r0")
    subprocess.run(["dd", f"if={bob.disks[0]}", f"of={alice.disks[0]}", "bs=1M", "conv=fsync", "status=none"], check=True)
    done = alice.run("bsradm up r0", check=False)
    assert done.returncode != 0 and "node id" in done.stdout + done.stderr
    assert alice.disk_state() == "Diskless"


def test_shrunken_disk_is_refused(cluster):
    """External metadata agrees on a size that the data device no longer has."""
    disks = {}
    for host in cluster.hosts:
        disks[host.name] = [host.add_disk(SIZE, "data"), host.add_disk(8 << 20, "meta")]
    text = resource_config(cluster, disks, net=NET.format(protocol="C", secret="the secret"), disk="c-max-rate 1G;")
    for host in cluster.hosts:
        data, meta = disks[host.name]
        text = text.replace(f"disk {data};\n            meta-disk internal;", f"disk {data};\n            meta-disk {meta};")
    for host in cluster.hosts:
        host.write_config(dict(GLOBAL_CONFIG, **{"bsr.d/r0.res": text}))
        host.start()
    create(cluster)
    alice, bob = cluster.hosts
    alice.wait_for(connected)
    alice.run("bsradm primary --force r0")
    settle(cluster)
    bob.run("bsradm down r0")
    with open(os.path.join(bob.base, "data.img"), "r+b") as image:
        image.truncate(SIZE // 2)
    subprocess.run(["losetup", "--set-capacity", disks["bob"][0]], check=True)
    done = bob.run("bsradm up r0", check=False)
    assert done.returncode != 0 and "smaller" in done.stdout + done.stderr
    assert in_sync(alice.status()) is False and alice.disk_state() == "UpToDate"


def test_a_primary_without_its_disk_reads_from_the_peer(pair):
    """The right bytes, through both front ends, also under a load."""
    alice, bob = pair.hosts
    alice.run("dd if=/dev/urandom of=/dev/bsr0 bs=1M oflag=direct", check=False)
    truth = alice.out("sha256sum < /dev/bsr0")
    alice.run("bsradm detach --force r0")
    alice.wait_for(lambda s: s["devices"][0]["disk-state"] == "Diskless")
    for block in ("4k", "64k", "1M"):
        assert alice.out(f"dd if=/dev/bsr0 bs={block} iflag=direct status=none | sha256sum", timeout=300) == truth, block
    uri = "nbd+unix:///0?socket=/run/bsr/r0.nbd"
    assert alice.out(f"nbdcopy '{uri}' - | sha256sum") == truth
    finish_load(verifying_load(alice, seconds=3))
    truth = alice.out("dd if=/dev/bsr0 bs=64k iflag=direct status=none | sha256sum")
    alice.run("bsradm secondary r0 && bsradm attach r0")
    settle(pair)
    equal_disks(pair)
    bob.run("bsradm primary r0")
    assert bob.out("dd if=/dev/bsr0 bs=64k iflag=direct status=none | sha256sum") == truth


def test_a_primary_without_its_disk_survives_its_engine(pair):
    alice, _ = pair.hosts
    alice.run("bsradm detach --force r0")
    alice.wait_for(lambda s: s["devices"][0]["disk-state"] == "Diskless")
    alice.run(f"kill -9 {engine_pid(alice)}")
    alice.run("dd if=/dev/bsr0 of=/dev/null bs=4k count=1 iflag=direct", timeout=10)
