# SPDX-License-Identifier: GPL-2.0-or-later
"""One bsrd with directories of its own, without namespaces: for tests that look at its processes."""
import os
import pathlib
import signal
import socket
import subprocess
import time

import pytest

from conftest import check, program, run

MIB = 1 << 20


def wait_for(what, seconds=15.0):
    """Value of what() once it is true."""
    end = time.monotonic() + seconds
    while True:
        value = what()
        if value:
            return value
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.02)


def alive(pid):
    """Running, and not just a zombie."""
    try:
        return pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


class Node:
    """One host's directories, and its resource r0."""

    def __init__(self, path, minor, node_id=0):
        self.path = pathlib.Path(path)
        self.minor = minor
        self.node_id = node_id
        self.env = {"BSR_POOL_MIB": "32"}
        for name, variable in (("run", "BSR_RUN_DIR"), ("lock", "BSR_LOCK_DIR"), ("log", "BSR_LOG_DIR"),
                               ("lib", "BSR_LIB_DIR"), ("dev", "BSR_DEV_DIR")):
            (self.path / name).mkdir(parents=True)
            self.env[variable] = str(self.path / name)
        self.disk = self.path / "disk"
        self.mounts = []
        self.pids = []

    def bsrd(self, *words, **kwargs):
        return run(program("bsrd"), *words, env=self.env, timeout=30, **kwargs)

    def setup(self, *words):
        return run(program("bsrsetup"), *words, env=self.env, timeout=60)

    def ok(self, *words):
        result = self.setup(*words)
        assert result.returncode == 0, f"{words}: {result.stdout}{result.stderr}\n{self.log()}"
        return result.stdout

    def start(self, *words):
        result = self.bsrd("-n", str(self.node_id), *words, "r0")
        assert result.returncode == 0, f"{result.stderr}\n{self.log()}"
        self.pids += [self.keeper(), self.engine()]

    def keeper(self):
        return int((self.path / "run/r0.pid").read_text())

    def engine(self):
        return int((self.path / "run/r0.engine").read_text())

    def log(self):
        path = self.path / "log/r0.log"
        return path.read_text() if path.exists() else ""

    def make_disk(self, size=64 * MIB, peers=1):
        with open(self.disk, "wb") as f:
            f.truncate(size)
        check(program("bsrmeta"), "--force", str(self.minor), "v09", self.disk, "internal", "create-md", str(peers),
              env=self.env)

    def up(self, size=64 * MIB):
        """Started and attached."""
        self.make_disk(size)
        self.start()
        self.ok("new-minor", "r0", self.minor, 0)
        self.ok("attach", self.minor, self.disk, self.disk, "internal")

    def primary(self, size=64 * MIB):
        self.up(size)
        self.ok("primary", "r0", "--force")
        assert self.device().is_block_device()

    def device(self):
        return pathlib.Path(os.readlink(self.path / f"dev/bsr{self.minor}"))

    def mount(self):
        target = self.path / "mnt"
        target.mkdir(exist_ok=True)
        check("mount", self.device(), target)
        self.mounts.append(target)
        return target

    def unmount(self):
        check("umount", self.mounts.pop())

    def ready_count(self):
        return self.log().count("engine-ready")

    def kill_engine(self):
        """SIGKILL, and back when the next one is ready."""
        before = self.ready_count()
        old = self.engine()
        os.kill(old, signal.SIGKILL)
        wait_for(lambda: self.ready_count() > before)
        assert self.engine() != old
        self.pids.append(self.engine())

    def stop(self):
        for target in self.mounts:
            run("umount", "-l", target)
        if (self.path / "run/r0.sock").exists():
            try:
                self.setup("down", "r0")
            except subprocess.TimeoutExpired:
                pass
        for pid in self.pids:
            if alive(pid):
                try:
                    os.kill(pid, signal.SIGKILL)
                except ProcessLookupError:
                    pass
        # a device whose server is gone is detached by hand
        link = self.path / f"dev/bsr{self.minor}"
        if link.is_symlink():
            run("losetup", "--detach", os.readlink(link))


@pytest.fixture(name="make_node")
def fixture_make_node(tmp_path):
    """make_node() gives nodes that are stopped at the end."""
    nodes = []

    def make(node_id=0):
        minor = 500000 + os.getpid() % 400000 + len(nodes)
        nodes.append(Node(tmp_path / f"node{len(nodes)}", minor, node_id))
        return nodes[-1]

    yield make
    for node in nodes:
        node.stop()


@pytest.fixture(name="node")
def fixture_node(make_node):
    return make_node()


# ------------------------------------------------------------------ processes


def cpu_ticks(pid):
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return int(fields[11]) + int(fields[12])


def switches(pid):
    text = pathlib.Path(f"/proc/{pid}/status").read_text()
    return sum(int(line.split()[1]) for line in text.splitlines() if "ctxt_switches" in line)


# ------------------------------------------------------------------ two nodes


def free_ports(count):
    sockets = [socket.socket() for _ in range(count)]
    for s in sockets:
        s.bind(("127.0.0.1", 0))
    ports = [s.getsockname()[1] for s in sockets]
    for s in sockets:
        s.close()
    return ports


def connect(nodes, *options):
    ports = free_ports(2)
    for i, n in enumerate(nodes):
        j = 1 - i
        n.ok("new-peer", "r0", nodes[j].node_id, f"--_name=n{j}", *options)
        n.ok("new-path", "r0", nodes[j].node_id, f"ipv4:127.0.0.1:{ports[i]}", f"ipv4:127.0.0.1:{ports[j]}")
        n.ok("connect", "r0", nodes[j].node_id)


def both_up_to_date(n):
    return n.ok("dstate", n.minor).strip() == "UpToDate/UpToDate"
