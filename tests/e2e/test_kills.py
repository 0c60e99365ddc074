# SPDX-License-Identifier: GPL-2.0-or-later
"""kill -9 of every process of both hosts at random moments, under a load that knows what it was told.

The writer stamps each block it writes and notes the stamp when it is acknowledged. In the end each acknowledged stamp, or
one that was written later and not acknowledged, is in the block, on both hosts; and both disks are the same.
"""
import os
import random
import re
import signal
import subprocess
import time

import pytest

from hosts import bring_up, configure, connected, equal_disks, fixture_cluster, settle, wait_until  # noqa: F401

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="needs root: namespaces, loop devices, FUSE")
BLOCKS = 8000  # of 4 KiB

# Four threads, each with blocks of its own; writes, reads back, flushes now and then. Ends at the end of stdin.
WRITER = r'''
import mmap, os, random, struct, sys, threading, time
target, blocks, seed = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
stop = threading.Event()
lock = threading.Lock()
acked, begun, errors, counts = {}, {}, [], [0, 0, 0]

class Device:
    def __init__(self):
        self.fd = os.open(target, os.O_RDWR | os.O_DIRECT)
    def write(self, offset, page):
        return os.pwrite(self.fd, page, offset)
    def read(self, offset):
        page = mmap.mmap(-1, 4096)
        os.preadv(self.fd, [page], offset)
        return bytes(page)
    def flush(self):
        os.fdatasync(self.fd)

class Nbd:
    """Just enough of a client; it connects again when the server is replaced, and repeats what was not answered."""
    def __init__(self):
        self.connect()
    def connect(self):
        import socket
        end = time.monotonic() + 60
        while True:
            try:
                s = socket.socket(socket.AF_UNIX)
                s.settimeout(60)
                s.connect(target)
                self.s = s
                self.get(16)
                flags, = struct.unpack(">H", self.get(2))
                s.sendall(struct.pack(">I", 3))
                s.sendall(struct.pack(">8sIIIsH", b"IHAVEOPT", 7, 7, 1, b"0", 0))
                while True:
                    _, option, kind, length = struct.unpack(">QIII", self.get(20))
                    self.get(length)
                    if kind & 0x80000000:
                        raise OSError("refused")
                    if kind == 1:
                        return
            except OSError:
                s.close()
                if time.monotonic() > end:
                    raise
                time.sleep(0.05)
    def get(self, count):
        data = b""
        while len(data) < count:
            more = self.s.recv(count - len(data))
            if not more:
                raise ConnectionError
            data += more
        return data
    def ask(self, kind, offset, length, data=b""):
        while True:
            try:
                self.s.sendall(struct.pack(">IHHQQI", 0x25609513, 0, kind, 99, offset, length) + bytes(data))
                magic, error, handle = struct.unpack(">IIQ", self.get(16))
                if error:
                    raise ValueError(f"error {error}")
                return self.get(length) if kind == 0 else b""
            except ValueError as bad:
                raise OSError(str(bad))
            except OSError:
                self.s.close()
                self.connect()
    def write(self, offset, page):
        self.ask(1, offset, 4096, page)
        return 4096
    def read(self, offset):
        return self.ask(0, offset, 4096)
    def flush(self):
        self.ask(3, 0, 0)

def work(me):
    rng = random.Random(seed * 10 + me)
    page = mmap.mmap(-1, 4096)
    try:
        io = Nbd() if target.endswith(".nbd") else Device()
        stamp = 0
        while not stop.is_set():
            block = rng.randrange(blocks // 4) * 4 + me
            what = rng.random()
            if what < 0.7:
                stamp += 1
                page[:] = struct.pack(">QQ", block, stamp) * 256
                begun[block] = stamp
                if io.write(block * 4096, page) != 4096:
                    raise OSError("short write")
                acked[block] = stamp
                counts[0] += 1
            elif what < 0.98:
                if block in acked:
                    got = struct.unpack_from(">QQ", io.read(block * 4096))
                    if got != (block, acked[block]):
                        raise OSError(f"block {block}: {got}, acknowledged {acked[block]}")
                    counts[1] += 1
            else:
                io.flush()
                counts[2] += 1
    except BaseException as bad:
        errors.append(f"{type(bad).__name__}: {bad}")
        stop.set()

threads = [threading.Thread(target=work, args=(i,)) for i in range(4)]
for t in threads:
    t.start()
print("started", flush=True)
sys.stdin.readline()
stop.set()
for t in threads:
    t.join()
print("counts", *counts)
for e in errors:
    print("error", e)
for block in begun:
    print("block", block, acked.get(block, 0), begun[block])
'''


def kill_one(host, rng, keeper_too):
    """SIGKILL to the engine process, or to the keeper, which is then started again as a service manager would."""
    if not keeper_too or rng.random() < 0.65:
        host.run("kill -9 $(cat /run/bsr/r0.engine)", check=False)
        return "engine"
    keeper = host.out("cat /run/bsr/r0.pid").strip()
    host.run(f"kill -9 {keeper}", check=False)
    time.sleep(rng.choice([0, 0.05, 0.5]))
    wait_until(lambda: host.run("bsrd r0", check=False, timeout=30).returncode in (0, 3), 30, "no keeper takes over")
    return "keeper"


def kill_tool(host, rng):
    """A tool that dies in the middle of its request harms nobody."""
    words = rng.choice([["bsradm", "adjust", "r0"], ["bsrsetup", "events2", "r0"], ["bsradm", "status", "r0"],
                        ["bsradm", "wait-sync", "r0"], ["bsrsetup", "status", "--json"], ["bsradm", "why", "r0"]])
    tool = host.spawn(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    time.sleep(rng.uniform(0, 0.08))
    tool.send_signal(signal.SIGKILL)
    tool.wait()
    return "tool"


def check_stamps(host, lines):
    """What the writer was told is on the device; returns how many blocks were compared."""
    script = r'''
import struct, sys
device = open("/dev/bsr0", "rb", buffering=0)
for line in sys.stdin:
    block, acked, begun = map(int, line.split())
    device.seek(block * 4096)
    data = device.read(4096)
    who, stamp = struct.unpack_from(">QQ", data)
    whole = data == data[:16] * 256
    if not (whole and who == block and acked <= stamp <= begun) and not (acked == 0 and data == bytes(4096)):
        print("wrong", block, "acknowledged", acked, "begun", begun, "found", who, stamp, "whole", whole)
'''
    host.run("blockdev --flushbufs /dev/bsr0")
    return host.run(f"python3 -c '{script}'", stdin="".join(lines), timeout=120).stdout


@pytest.mark.parametrize("backend, front, protocol", [
    ("uring", "loop", "C"), ("threads", "nbd", "C"), ("threads", "loop", "B"), ("uring", "nbd", "A")])
def test_deaths_at_random_moments(cluster, backend, front, protocol):
    seed = random.randrange(1 << 32)
    rng = random.Random(seed)
    alice, bob = cluster.hosts
    configure(cluster, protocol=protocol)
    for host in (alice, bob):
        host.run(f"bsradm create-md --force r0 && BSR_LOOP_BACKEND={backend} bsradm up r0")
    alice.wait_for(connected)
    alice.run("bsradm primary --force r0")
    settle(cluster)
    chosen = alice.out("grep -o 'loop=[a-z_]*' /var/log/bsr/r0.log | head -1").strip()
    assert chosen == ("loop=io_uring" if backend == "uring" else "loop=threads"), chosen
    target = "/dev/bsr0" if front == "loop" else "/run/bsr/r0.nbd"
    writer = alice.spawn(["python3", "-c", WRITER, target, str(BLOCKS), str(seed)], stdin=subprocess.PIPE,
                         stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    assert writer.stdout.readline() == "started\n"
    killed = []
    for _ in range(14):
        time.sleep(rng.uniform(0.05, 0.9))
        host = rng.choice([alice, bob])
        killed.append(kill_tool(host, rng) if rng.random() < 0.2 else kill_one(host, rng, True))
        if rng.random() < 0.2:  # both at the same time
            killed.append(kill_one(bob if host is alice else alice, rng, False))
    time.sleep(0.5)
    out, _ = writer.communicate("\n", timeout=120)
    about = f"seed {seed}, {killed}: {out[:2000]}"
    assert "error" not in out and writer.returncode == 0, about
    counts = [int(n) for n in re.search(r"counts (\d+) (\d+) (\d+)", out).groups()]
    assert counts[0] > 200 and counts[1] > 20, about
    settle(cluster)
    lines = [line[6:] + "\n" for line in out.splitlines() if line.startswith("block ")]
    assert check_stamps(alice, lines) == "", about
    alice.run("bsradm secondary r0")
    settle(cluster)
    equal_disks(cluster)
    bob.run("bsradm primary r0")
    assert check_stamps(bob, lines) == "", about


def test_the_primary_dies_and_the_other_takes_over_again_and_again(cluster):
    """Power cuts of the Primary in turns, with protocol C: whoever takes over has every acknowledged stamp."""
    seed = random.randrange(1 << 32)
    rng = random.Random(seed)
    configure(cluster)
    bring_up(cluster)
    primary, other = cluster.hosts
    for turn in range(3):
        note = os.path.join(primary.base, "stamps")
        loud = WRITER.replace("acked[block] = stamp", "acked[block] = stamp; print('block', block, stamp, stamp, flush=True)")
        with open(note, "w", encoding="utf-8") as out:
            writer = primary.spawn(["python3", "-c", loud, "/dev/bsr0", str(BLOCKS), str(seed + turn)],
                                   stdin=subprocess.PIPE, stdout=out, stderr=subprocess.STDOUT)
            time.sleep(rng.uniform(0.6, 2.0))
            primary.power_off()
            writer.wait(timeout=20)
        other.wait_for(lambda s: not connected(s), 30)
        other.run("bsradm primary r0")
        last = {}
        with open(note, encoding="utf-8") as said:
            for line in said:
                words = line.split()
                if line.endswith("\n") and len(words) == 4 and words[0] == "block":
                    last[int(words[1])] = int(words[2])
        assert len(last) > 20
        # of a write that was under way, the newer state may be there
        lines = [f"{block} {stamp} {stamp + 1000000}\n" for block, stamp in last.items()]
        assert check_stamps(other, lines) == "", f"seed {seed}, turn {turn}"
        primary.start()
        primary.run("bsradm up r0")
        settle(cluster)
        primary, other = other, primary
    primary.run("bsradm secondary r0")
    settle(cluster)
    equal_disks(cluster)


def test_deaths_in_the_middle_of_administration(cluster):
    """Commands that are interrupted by the death of either process: repeated, they do what they say."""
    seed = random.randrange(1 << 32)
    rng = random.Random(seed)
    configure(cluster)
    bring_up(cluster)
    alice, bob = cluster.hosts
    steps = ["bsradm disconnect r0", "bsradm connect r0", "bsradm detach r0", "bsradm attach r0", "bsradm adjust r0",
             "bsradm invalidate r0", "bsradm down r0", "bsradm up r0"]
    for turn in range(2):
        for step in steps:
            command = bob.spawn(["bash", "-c", step], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
            time.sleep(rng.uniform(0, 0.12))
            if bob.run("test -s /run/bsr/r0.engine", check=False).returncode == 0:
                bob.run("kill -9 $(cat /run/bsr/r0.engine)", check=False)
            said, _ = command.communicate(timeout=90)
            again = []

            def repeated(step=step, again=again):
                # an `up` that came half the way says what helps: adjust
                again.append(bob.run(f"{step} 2>&1 || {{ {step} 2>&1 | grep -q 'adjust changes what runs' && bsradm adjust r0; }}",
                                     check=False, timeout=90))
                return again[-1].returncode == 0 or "adjust" in step

            if command.returncode != 0:
                wait_until(repeated, 40, lambda step=step, said=said, again=again, turn=turn:
                           f"seed {seed}, turn {turn}: `{step}` fails after: {said}repeated: {again[-1].stdout}", interval=0.5)
    bob.run("bsradm adjust r0", check=False)
    bob.run("bsradm up r0", check=False)
    settle(cluster)
    assert alice.status()["role"] == "Primary"
    alice.run("bsradm secondary r0")
    settle(cluster)
    equal_disks(cluster)
