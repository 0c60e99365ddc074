# SPDX-License-Identifier: GPL-2.0-or-later
"""Bad input of every kind, at real processes: one clear line, a count, no crash, and no byte of data changed."""
import os
import random
import re
import socket
import struct
import subprocess
import sys
import time

import pytest

from hosts import (GLOBAL_CONFIG, NET, SIZE, configure, connected, create, equal_disks, fixture_cluster,  # noqa: F401
                   fixture_pair, finish_load, in_sync, resource_config, settle, verifying_load, wait_until)

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="needs root: namespaces, loop devices, FUSE")
HERE = os.path.dirname(os.path.abspath(__file__))


def log(host):
    return host.run("cat /var/log/bsr/r0.log", check=False).stdout


def events(host, number):
    return [line for line in log(host).splitlines() if re.search(rf"Z {number} ", line)]


def unharmed(host):
    """No process of the host died, and its keeper was never asked for anything odd."""
    text = log(host)
    for word in ("engine-died", "assertion-failed", "request-refused", "syscall-denied", "crash-loop"):
        assert word not in text, text[-3000:]


# ------------------------------------------------------------------ on the wire

class BadLine:
    """Every byte between the two hosts goes through bad_proxy.py, in the namespace of the bridge."""

    def __init__(self, cluster, seed):
        alice, bob = cluster.hosts
        self.address = f"10.111.{cluster.network}.250"
        subprocess.run(["ip", "-n", cluster.bridge, "addr", "add", f"{self.address}/24", "dev", "br0"], check=True)
        self.process = subprocess.Popen(
            ["ip", "netns", "exec", cluster.bridge, sys.executable, os.path.join(HERE, "bad_proxy.py"), str(seed),
             f"{self.address}:7001={alice.address}:7789", f"{self.address}:7002={bob.address}:7789"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert self.process.stdout.readline() == "ready\n"

    def mode(self, text):
        """Switch; returns how often harm was done since the last time."""
        self.process.stdin.write(text + "\n")
        self.process.stdin.flush()
        return int(self.process.stdout.readline().split()[1])

    def close(self):
        self.process.stdin.close()
        self.process.wait(timeout=10)


@pytest.fixture(name="line")
def fixture_line(cluster):
    """A pair in sync whose only line is a BadLine; clean so far."""
    seed = random.randrange(1 << 32)
    print(f"seed {seed}")  # shown with a failure
    configure(cluster)
    alice, bob = cluster.hosts
    bad = BadLine(cluster, seed)
    for host, other, port in ((alice, bob, 7002), (bob, alice, 7001)):
        text = resource_config(cluster, {h.name: h.disks for h in cluster.hosts},
                               net=NET.format(protocol="C", secret="s"), disk="c-max-rate 1G;")
        text = text.replace(f"address {other.address}:7789", f"address {bad.address}:{port}")
        host.write_config(dict(GLOBAL_CONFIG, **{"bsr.d/r0.res": text}))
    create(cluster)
    alice.wait_for(connected)
    alice.run("bsradm primary --force r0")
    settle(cluster)
    yield bad
    bad.close()


@pytest.mark.parametrize("harm", ["flip", "drop", "insert", "repeat", "cut"])
def test_a_line_that_does_harm(cluster, line, harm):
    """Replication stumbles and goes on; both copies are right in the end, and the log says what came over the line."""
    alice, bob = cluster.hosts
    load = verifying_load(alice, seconds=10)
    done = 0
    for every in (2000000, 200000, 20000):
        line.mode(f"{harm} {every}")
        time.sleep(2.5)
        done += line.mode("clean")
        time.sleep(0.5)
    finish_load(load)
    for host in (alice, bob):
        if host.status()["connections"][0]["connection-state"] == "StandAlone":
            print(host.out("bsradm why r0"), log(host)[-3000:])
        assert host.status()["connections"][0]["connection-state"] != "StandAlone", "a damaged line is no reason to give up"
    settle(cluster)
    alice.run("bsradm secondary r0")
    equal_disks(cluster)
    assert done >= 3
    for host in (alice, bob):
        unharmed(host)
    if harm != "cut":
        lines = events(alice, 4104) + events(bob, 4104) + events(alice, 4101) + events(bob, 4101)
        assert lines and all("peer" in text for text in lines), lines
        counted = [h.run("bsrsetup status r0 --json --verbose --statistics").stdout for h in (alice, bob)]
        assert any(int(n) > 0 for text in counted for n in re.findall(r'"messages-rejected": (\d+)', text)), counted[0]


# ------------------------------------------------------------------ at the ports and sockets

def crc32c(data):
    table = []
    for i in range(256):
        for _ in range(8):
            i = (i >> 1) ^ (0x82f63b78 if i & 1 else 0)
        table.append(i)
    value = 0xffffffff
    for byte in data:
        value = table[(value ^ byte) & 0xff] ^ (value >> 8)
    return value ^ 0xffffffff


def frame(kind, body, payload_bytes=0, sequence=1, version=1):
    head = struct.pack(">IBBHIIQIQ", 0x62737231, version, 0, kind, len(body), payload_bytes, sequence, crc32c(body), 0)
    return head + struct.pack(">I", crc32c(head)) + body


def hello(sender=1, wanted=0, stream=0, resource=b"r0", algorithm=b"sha256", versions=(1, 1)):
    body = struct.pack(">IIQIIBBBBIQQ16s", *versions, 1, sender, wanted, stream, 1, 1 if algorithm else 0, len(algorithm),
                       len(resource), 77, 1, b"c" * 16)
    return frame(1, body + algorithm + resource)


def wire_garbage(rng):
    """What a port scanner, a browser, an old cluster, a broken program and an enemy would send."""
    good = hello()
    yield b""
    yield b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"
    yield b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + rng.randbytes(500)        # TLS
    yield b"\x83\x74\x02\x67\x00\xfe\x00\x08" + b"\0" * 80                            # the other product's first packet
    for size in (1, 39, 40, 41, 4096, 300000):
        yield rng.randbytes(size)
    for cut in (1, 20, 39, 40, len(good) - 1):
        yield good[:cut]
    for _ in range(30):
        at = rng.randrange(len(good) * 8)
        yield good[:at // 8] + bytes([good[at // 8] ^ (1 << (at % 8))]) + good[at // 8 + 1:]
    yield frame(1, b"\0" * 512)
    yield frame(1, b"")
    yield frame(99, b"x" * 16)
    yield frame(1, b"x" * 512, payload_bytes=0xffffffff)
    yield hello(sender=31)
    yield hello(wanted=1)
    yield hello(resource=b"another")
    yield hello(resource=b"x" * 128)
    yield hello(versions=(7, 9))
    yield hello(versions=(2, 1))
    yield hello(stream=15)
    yield hello(algorithm=b"")
    yield hello(algorithm=b"md5")
    yield good + frame(2, rng.randbytes(32), sequence=2) + frame(3, rng.randbytes(32), sequence=3)
    yield good + frame(16, rng.randbytes(64), sequence=2)
    yield good + good


def send_all(host, pieces):
    """Each as a connection of its own to the host's replication port, from the other host."""
    script = "import socket,sys\n" \
             "for line in sys.stdin:\n" \
             "    s = socket.create_connection((sys.argv[1], 7789), timeout=5)\n" \
             "    s.settimeout(0.2)\n" \
             "    try:\n" \
             "        s.sendall(bytes.fromhex(line.strip()))\n" \
             "        s.recv(4096)\n" \
             "    except OSError:\n" \
             "        pass\n" \
             "    s.close()\n"
    other = next(h for h in host.cluster.hosts if h is not host)
    other.run(f"python3 -c '{script}' {host.address}", stdin="".join(p.hex() + "\n" for p in pieces), timeout=120)


def test_garbage_at_the_replication_port(pair):
    """Under a load that is verified, against Primary and Secondary: it is told and counted, and nothing else happens."""
    alice, bob = pair.hosts
    seed = random.randrange(1 << 32)
    rng = random.Random(seed)
    load = verifying_load(alice, seconds=8)
    for host in (alice, bob):
        send_all(host, list(wire_garbage(rng)))
    finish_load(load)
    for host in (alice, bob):
        assert in_sync(host.status()), f"seed {seed}"
        lines = events(host, 4101) + events(host, 4102) + events(host, 4103)
        assert lines, f"seed {seed}"
        assert all("10.111." in text and "; " in text for text in lines), lines  # who, and what to do
        unharmed(host)
    alice.run("bsradm secondary r0")
    equal_disks(pair)


def test_strangers_that_only_connect(pair):
    """Two hundred silent connections: they are pushed out or time out, and a peer that comes back gets in."""
    alice, bob = pair.hosts
    script = "import socket,sys,time\n" \
             "s=[socket.create_connection((sys.argv[1], 7789), timeout=5) for _ in range(200)]\n" \
             "print(1, flush=True)\n" \
             "time.sleep(30)\n"
    holder = bob.spawn(["python3", "-c", script, alice.address], stdout=subprocess.PIPE, text=True)
    assert holder.stdout.readline() == "1\n"
    pair.cut(bob)
    alice.wait_for(lambda s: not connected(s), 20)
    pair.join(bob)
    settle(pair, 25)
    holder.kill()
    holder.wait()
    unharmed(alice)


def socket_garbage(rng):
    yield b"\0" * 100
    yield b"{}\n" * 50
    yield b'{"id":1,"command":"primary","force":"maybe"}\n'
    yield b'{"id":1,"command":"down"' + b" " * 70000
    yield b"[" * 5000 + b"\n"
    yield b'{"id":1,"command":"attach","minor":0,"disk":"/dev/null","meta_disk":"/dev/null","meta_index":"internal"}\n'
    yield b"NBDMAGICIHAVEOPT" + rng.randbytes(200)
    for size in (1, 16, 28, 300, 70000):
        yield rng.randbytes(size)


def test_garbage_at_the_sockets(pair):
    """Control, NBD and adoption socket of the Primary, while applications work."""
    alice, _ = pair.hosts
    rng = random.Random(random.randrange(1 << 32))
    load = verifying_load(alice, seconds=6)
    script = "import socket,sys\n" \
             "for line in sys.stdin:\n" \
             "    path, data = line.split()\n" \
             "    s = socket.socket(socket.AF_UNIX)\n" \
             "    s.settimeout(0.3)\n" \
             "    try:\n" \
             "        s.connect(path)\n" \
             "        s.sendall(bytes.fromhex(data))\n" \
             "        s.recv(65536)\n" \
             "    except OSError:\n" \
             "        pass\n" \
             "    s.close()\n"
    lines = "".join(f"/run/bsr/r0.{name} {data.hex()}\n" for name in ("sock", "nbd", "adopt") for data in socket_garbage(rng))
    alice.run(f"python3 -c '{script}'", stdin=lines, timeout=120)
    finish_load(load)
    assert in_sync(alice.status()) and alice.status()["role"] == "Primary"
    assert events(alice, 5011) or events(alice, 5012)
    unharmed(alice)


# ------------------------------------------------------------------ configurations that do not fit

def up_with(cluster, change):
    """Both hosts up, bob with a changed configuration."""
    alice, bob = cluster.hosts
    configure(cluster)
    text = resource_config(cluster, {h.name: h.disks for h in cluster.hosts},
                           net=NET.format(protocol="C", secret="s"), disk="c-max-rate 1G;")
    for host in cluster.hosts:
        host.write_config(dict(GLOBAL_CONFIG, **{"bsr.d/r0.res": text if host is alice else change(text)}))
    alice.run("bsradm create-md --force r0 && bsradm up r0")
    name = re.search(r"resource (\w+)", change(text)).group(1)
    bob.run(f"bsradm create-md --force {name} && bsradm up {name}")
    return name


def test_another_resource_at_the_address(cluster):
    alice, bob = cluster.hosts
    up_with(cluster, lambda text: text.replace("resource r0", "resource other"))
    wait_until(lambda: events(alice, 4103) or "4103" in bob.run("cat /var/log/bsr/other.log", check=False).stdout, 20,
               "nobody says that the resources differ")
    said = "\n".join(events(alice, 4103)) + bob.out("grep ' 4103 ' /var/log/bsr/other.log; true")
    assert "r0" in said and "other" in said, said
    for host, name in ((alice, "r0"), (bob, "other")):
        assert not connected(host.status(name))
    unharmed(alice)


def test_node_ids_that_do_not_fit(cluster):
    alice, bob = cluster.hosts
    up_with(cluster, lambda text: text.replace("node-id 0;", "node-id 7;"))
    wait_until(lambda: events(alice, 4103) or events(bob, 4103), 20, "nobody says that the node ids differ")
    said = "\n".join(events(alice, 4103) + events(bob, 4103))
    assert "node id" in said and "7" in said, said
    assert any(h.status()["connections"][0]["connection-state"] != "Connected" for h in (alice, bob))
    assert any("configuration" in h.out("bsradm why r0") for h in (alice, bob))


@pytest.mark.parametrize("old, new, word", [
    ('shared-secret "s";', 'shared-secret "t";', "shared-secret"),
    ("cram-hmac-alg sha256;", "cram-hmac-alg sha512;", "cram-hmac-alg"),
    ('cram-hmac-alg sha256;\n        shared-secret "s";', "", "secret"),
])
def test_another_secret(cluster, old, new, word):
    alice, bob = cluster.hosts
    up_with(cluster, lambda text: text.replace(old, new))
    wait_until(lambda: events(alice, 4102) or events(bob, 4102), 20, "nobody says that the secrets differ")
    said = "\n".join(events(alice, 4102) + events(bob, 4102))
    assert word in said and '"s"' not in said and '"t"' not in said, said
    time.sleep(1)
    for host in (alice, bob):
        assert not connected(host.status())
    standing = [h for h in (alice, bob) if h.status()["connections"][0]["connection-state"] == "StandAlone"]
    assert standing and all("configuration" in h.out("bsradm why r0") for h in standing)
    assert all("bsradm adjust r0" in h.out("bsradm why r0") for h in standing)


def test_another_protocol(cluster):
    alice, bob = cluster.hosts
    up_with(cluster, lambda text: text.replace("protocol C", "protocol A"))
    wait_until(lambda: events(alice, 4004) or events(bob, 4004), 20, "nobody says that the protocols differ")
    assert any("protocol" in h.out("bsradm why r0") for h in (alice, bob))


def test_a_disk_that_became_smaller_than_agreed(pair):
    """The replacement of a disk is too small: it is not connected, and both say by how much."""
    alice, bob = pair.hosts
    bob.run("bsradm down r0")
    image = os.path.join(bob.base, "disk0.img")
    with open(image, "r+b") as f:
        f.truncate(SIZE // 2)
    subprocess.run(["losetup", "--set-capacity", bob.disks[0]], check=True)
    bob.run("bsradm create-md --force r0 && bsradm up r0")
    time.sleep(3)
    assert alice.status()["role"] == "Primary" and alice.disk_state() == "UpToDate"
    assert int(alice.out("blockdev --getsize64 /dev/bsr0")) > SIZE // 2
    why = alice.out("bsradm why r0") + bob.out("bsradm why r0")
    assert "size" in why, why
    alice.run("dd if=/dev/urandom of=/dev/bsr0 bs=4k count=10 oflag=direct status=none")


# ------------------------------------------------------------------ metadata

def test_flipped_bits_in_the_metadata(pair):
    """Superblock and activity log with random damage: attached with what is sure, or refused; never a crash."""
    alice, bob = pair.hosts
    bob.run("bsradm down r0")
    disk = os.path.join(bob.base, "disk0.img")
    seed = random.randrange(1 << 32)
    rng = random.Random(seed)
    with open(disk, "rb") as f:
        f.seek(SIZE - (64 << 10))
        tail = f.read()
    refused = 0
    for _ in range(12):
        spoilt = bytearray(tail)
        area = rng.choice([(len(tail) - 4096, 1024), (len(tail) - 36864, 32768)])
        for _ in range(rng.choice([1, 1, 3, 100])):
            at = (area[0] + rng.randrange(area[1])) * 8 + rng.randrange(8)
            spoilt[at // 8] ^= 1 << (at % 8)
        with open(disk, "r+b") as f:
            f.seek(SIZE - (64 << 10))
            f.write(spoilt)
        subprocess.run(["blockdev", "--flushbufs", bob.disks[0]], check=True)
        done = bob.run("bsradm up r0", check=False)
        if done.returncode != 0:
            refused += 1
            said = done.stdout + done.stderr
            assert bob.disks[0] in said or "volume" in said or "meta" in said, f"seed {seed}: {said}"
        bob.run("bsradm down r0", check=False)
        bob.run("test ! -e /run/bsr/r0.sock")
    for host in (alice, bob):
        unharmed(host)
    assert alice.disk_state() == "UpToDate", f"seed {seed}"
    with open(disk, "r+b") as f:
        f.seek(SIZE - (64 << 10))
        f.write(tail)
    subprocess.run(["blockdev", "--flushbufs", bob.disks[0]], check=True)
    bob.run("bsradm create-md --force r0 && bsradm up r0")
    settle(pair)


def test_metadata_of_the_older_version(cluster):
    """v08 is named, with the command that converts it."""
    configure(cluster)
    alice, _ = cluster.hosts
    alice.run(f"drbdmeta --force 0 v08 {alice.disks[0]} internal create-md")
    done = alice.run("bsradm up r0", check=False)
    said = done.stdout + done.stderr
    assert done.returncode != 0 and "v08" in said and "create-md" in said, said


def test_a_disk_that_grew_behind_its_metadata(pair):
    """The metadata are no longer at its end: said, with the command that moves them; nothing is changed by the attempt."""
    alice, bob = pair.hosts
    bob.run("bsradm down r0")
    image = os.path.join(bob.base, "disk0.img")
    before = subprocess.run(["sha256sum", image], capture_output=True, text=True, check=True).stdout
    with open(image, "r+b") as f:
        f.truncate(SIZE + (8 << 20))
    subprocess.run(["losetup", "--set-capacity", bob.disks[0]], check=True)
    done = bob.run("bsradm up r0", check=False)
    said = done.stdout + done.stderr
    assert done.returncode != 0 and bob.disks[0] in said and ("create-md" in said or "resize" in said), said
    bob.run("bsradm down r0", check=False)
    with open(image, "r+b") as f:
        f.truncate(SIZE)
    assert subprocess.run(["sha256sum", image], capture_output=True, text=True, check=True).stdout == before
    subprocess.run(["losetup", "--set-capacity", bob.disks[0]], check=True)
    bob.run("bsradm up r0")
    settle(pair)
