# SPDX-License-Identifier: GPL-2.0-or-later
"""What the benchmark runs I/O on: the bare disk, other servers, and two hosts with bsr. And how: fio."""
import glob
import json
import os
import re
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "demo"))
from cluster import Cluster, Failure, GLOBAL_CONFIG, connected, in_sync, resource_config, run, wait_until  # noqa: E402

MIB = 1 << 20
JOBS = {  # name -> fio options; the key of every table
    "randwrite 4k qd1": ["--rw=randwrite", "--bs=4k", "--iodepth=1"],
    "randwrite 4k qd16": ["--rw=randwrite", "--bs=4k", "--iodepth=16"],
    "randwrite 4k qd64": ["--rw=randwrite", "--bs=4k", "--iodepth=64"],
    "randread 4k qd16": ["--rw=randread", "--bs=4k", "--iodepth=16"],
    "write 1M qd4": ["--rw=write", "--bs=1M", "--iodepth=4"],
    "read 1M qd4": ["--rw=read", "--bs=1M", "--iodepth=4"],
}
TICK = os.sysconf("SC_CLK_TCK")


def cpu_seconds(pids):
    """User and system time that these processes have used so far, with all their threads."""
    total = 0
    for pid in pids:
        try:
            with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as stat:
                fields = stat.read().rsplit(")", 1)[1].split()
            total += int(fields[11]) + int(fields[12])
        except FileNotFoundError:
            pass
    return total / TICK


def machine_busy_seconds():
    """CPU time of the whole machine that was not idle: with the kernel's threads, and with everybody else's work."""
    with open("/proc/stat", encoding="ascii") as stat:
        ticks = [int(word) for word in stat.readline().split()[1:9]]
    return (sum(ticks) - ticks[3] - ticks[4]) / TICK


def fio(job, seconds, where, size, prefix=()):
    """One fio run; where: options that name the target. Returns iops, bytes_s, latencies, I/O count, fio's CPU."""
    argv = [*prefix, "fio", "--name=b", *where, *JOBS[job], f"--size={size}", "--direct=1", "--time_based",
            f"--runtime={int(seconds * 1000)}ms", "--randrepeat=0", "--norandommap", "--output-format=json",
            "--group_reporting", "--thread"]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=seconds * 4 + 60, check=False, cwd="/")
    if done.returncode != 0 or "{" not in done.stdout:
        raise Failure(f"fio failed: {' '.join(argv)}\n{done.stdout}{done.stderr}")
    result = json.loads(done.stdout[done.stdout.index("{"):])["jobs"][0]
    side = result["read" if "read" in job else "write"]
    percentile = side["clat_ns"].get("percentile", {})
    return {"iops": side["iops"], "bytes_s": side["bw_bytes"], "ios": side["total_ios"],
            "mean_us": side["lat_ns"]["mean"] / 1000, "p50_us": percentile.get("50.000000", 0) / 1000,
            "p99_us": percentile.get("99.000000", 0) / 1000,
            "fio_cpu_s": (result["usr_cpu"] + result["sys_cpu"]) / 100 * result["job_runtime"] / 1000}


class Disk:
    """A file filled with data: no holes, no unwritten extents. Every server works on one like it."""

    def __init__(self, folder, name, size):
        self.path = os.path.join(folder, name)
        run(["dd", "if=/dev/zero", f"of={self.path}", "bs=1M", f"count={size // MIB}", "oflag=direct"])

    def close(self):
        os.unlink(self.path)


class Bare:
    """The disk itself."""
    name = "bare"

    def __init__(self, disk):
        self.disk = disk

    def pids(self):
        return {}

    def measure(self, job, seconds, size):
        return fio(job, seconds, [f"--filename={self.disk.path}", "--ioengine=libaio"], size)


class Nbdkit:
    """nbdkit's file plug-in on a file like the others, over a unix socket. It goes through the page cache."""
    name = "nbdkit file, NBD"
    options = ()

    def plugin(self, disk, _size):
        return ["file", disk.path, *self.options]

    def __init__(self, folder, disk, size):
        self.socket = os.path.join(folder, f"{type(self).__name__}.sock")
        self.process = subprocess.Popen(["nbdkit", "--foreground", "--unix", self.socket, *self.plugin(disk, size)])
        wait_until(lambda: os.path.exists(self.socket), 10, "nbdkit does not start")

    def pids(self):
        return {"server": [self.process.pid]}

    def measure(self, job, seconds, size):
        return fio(job, seconds, ["--ioengine=nbd", f"--uri=nbd+unix:///?socket={self.socket}"], size)

    def close(self):
        self.process.terminate()
        self.process.wait(timeout=30)


class NbdkitUncached(Nbdkit):
    """The same, asked not to keep data in the page cache: what it writes goes to the disk, as with O_DIRECT."""
    name = "nbdkit file cache=none, NBD"
    options = ("cache=none",)


class NbdkitNull(Nbdkit):
    """A server that keeps nothing at all: what client and socket leave of this machine, the ceiling for any server."""
    name = "nbdkit null, NBD"

    def plugin(self, _disk, size):
        return ["null", f"size={size}"]


class NbdkitMemory(Nbdkit):
    """A server that keeps its data in its own memory."""
    name = "nbdkit memory, NBD"

    def plugin(self, _disk, size):
        return ["memory", f"size={size}"]


class NbdFuse:
    """nbdkit + nbdfuse + loop: what is at hand for a block device without a kernel module."""
    name = "nbdkit + nbdfuse + loop"

    def __init__(self, folder, nbdkit):
        self.file = os.path.join(folder, "nbdfuse")
        self.nbdkit = nbdkit
        with open(self.file, "wb"):
            pass
        self.process = subprocess.Popen(["nbdfuse", self.file, "--unix", nbdkit.socket])
        wait_until(lambda: os.path.getsize(self.file) > 0, 10, "nbdfuse does not start")
        self.device = run(["losetup", "--find", "--show", "--direct-io=on", self.file]).strip()

    def pids(self):
        return {"server": [self.nbdkit.process.pid], "fuse": [self.process.pid]}

    def measure(self, job, seconds, size):
        return fio(job, seconds, [f"--filename={self.device}", "--ioengine=libaio"], size)

    def close(self):
        subprocess.run(["losetup", "--detach", self.device], check=False)
        subprocess.run(["fusermount3", "-u", self.file], check=False, capture_output=True)
        subprocess.run(["umount", self.file], check=False, capture_output=True)
        try:
            self.process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


class Pair:
    """Two hosts with one resource of bsr; alice is Primary."""

    def __init__(self, folder, size, daemon=None, env=None):
        self.cluster = Cluster(("alice", "bob"))
        self.alice, self.bob = self.cluster.hosts
        self.daemon = daemon  # of another bsrd than the installed one
        self.env = env or {}
        self.files = [Disk(folder, f"{host.name}.img", size) for host in self.cluster.hosts]
        self.disks = {host.name: [file.path] for host, file in zip(self.cluster.hosts, self.files)}
        for host in self.cluster.hosts:
            host.log = os.path.join(host.base, "log")
        self.protocol = None

    def close(self):
        self.cluster.close()
        for file in self.files:
            file.close()

    def configure(self, protocol, flushes="no"):
        text = resource_config(self.cluster, self.disks, disk=f"c-max-rate 4G;\n        disk-flushes {flushes};",
                               net=f"protocol {protocol};\n        cram-hmac-alg sha256;\n"
                                   "        shared-secret \"the secret of the benchmark\";\n        connect-int 1;")
        for host in self.cluster.hosts:
            host.write_config(dict(GLOBAL_CONFIG, **{"bsr.d/r0.res": text}))
        self.protocol = protocol

    def start(self, protocol="C"):
        self.configure(protocol)
        for host in self.cluster.hosts:
            host.start()
            host.run("bsradm create-md --force r0")
            env = dict(self.env, BSR_LOG_DIR=host.log)
            if self.daemon:
                host.run(f"{self.daemon} r0", env=env)  # `up` finds it running
            host.run("bsradm up r0", env=env, timeout=120)
        self.alice.wait_for(connected, 30)
        self.alice.run("bsradm primary --force r0")
        self.settle()

    def settle(self):
        for host in self.cluster.hosts:
            host.wait_for(in_sync, 180)

    def unconnect(self):
        self.alice.run("bsradm disconnect r0")

    def connect(self, protocol, flushes="no"):
        """Connected with another protocol, and in sync; flushes: does the Secondary flush its disk between epochs?"""
        self.alice.run("bsradm disconnect r0", check=False)
        self.configure(protocol, flushes)
        for host in (self.bob, self.alice):
            host.run("bsradm adjust r0")
        self.alice.run("bsradm connect r0", check=False)
        self.settle()

    def pids(self):
        return {host.name: daemons(host) for host in self.cluster.hosts}

    def full_resync(self):
        """Seconds and bytes of a resync of the whole disk, as the target's log tells them."""
        seen = len(self.resyncs())
        self.bob.run("bsradm invalidate r0")
        wait_until(lambda: len(self.resyncs()) > seen, 300, "the resync does not end", interval=0.2)
        self.settle()
        return self.resyncs()[-1]

    def resyncs(self):
        found = []
        for path in glob.glob(os.path.join(self.bob.log, "*.log")):
            with open(path, encoding="utf-8", errors="replace") as log:
                found += [(int(m[2]) / 1e9, int(m[1])) for m in
                          re.finditer(r"resync-finished .*?bytes=(\d+) duration_ns=(\d+)", log.read())]
        return found


class Nbd:
    """bsr through its NBD socket."""

    def __init__(self, pair, name):
        self.pair = pair
        self.name = name
        self.pids = pair.pids

    def measure(self, job, seconds, size):
        prefix = self.pair.alice.command([])
        return fio(job, seconds, ["--ioengine=nbd", "--uri=nbd+unix:///0?socket=/run/bsr/r0.nbd"], size, prefix)


class Device:
    """bsr through its block device: FUSE + loop."""

    def __init__(self, pair, name):
        self.pair = pair
        self.name = name
        self.pids = pair.pids

    def measure(self, job, seconds, size):
        prefix = self.pair.alice.command([])
        return fio(job, seconds, ["--filename=/dev/bsr0", "--ioengine=libaio"], size, prefix)


def daemons(host):
    """Process ids of the host's bsrds, as seen from here."""
    ours = os.readlink(f"/proc/{host.init}/ns/pid")
    found = []
    for path in glob.glob("/proc/[0-9]*/comm"):
        pid = path.split("/")[2]
        try:
            with open(path, encoding="utf-8", errors="replace") as comm:
                if comm.read().startswith("bsrd") and os.readlink(f"/proc/{pid}/ns/pid") == ours:
                    found.append(int(pid))
        except (FileNotFoundError, ProcessLookupError):
            pass
    return found


def plain_copy(pair, source, target, size):
    """Seconds that an O_DIRECT copy of @size bytes takes over the hosts' network, with stable data at its end."""
    script = os.path.join(os.path.dirname(os.path.abspath(__file__)), "copy.py")
    receiver = pair.bob.spawn(["/usr/bin/python3", script, "receive", target.path, str(size), "7999"],
                              stdout=subprocess.PIPE, text=True)
    receiver.stdout.readline()
    began = time.monotonic()
    pair.alice.run(f"/usr/bin/python3 {script} send {source.path} {size} 7999 {pair.bob.address}", timeout=300)
    line = receiver.stdout.readline()
    if receiver.wait(timeout=60) != 0 or not line:
        raise Failure("the plain copy failed")
    return float(line) if line else time.monotonic() - began
