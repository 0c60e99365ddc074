# SPDX-License-Identifier: GPL-2.0-or-later
"""The front ends alone, on a plain file: device_test_server plays keeper and engine without replication."""

import hashlib
import json
import os
import pathlib
import random
import re
import shutil
import signal
import socket
import struct
import subprocess
import threading
import time

import pytest

from conftest import BUILD, check, run

MIB = 1 << 20
SERVER = BUILD / "device" / "device_test_server"

pytestmark = [
    pytest.mark.skipif(os.geteuid() != 0, reason="FUSE mounts and loop devices need root"),
    pytest.mark.skipif(not os.path.exists("/dev/fuse"), reason="no /dev/fuse here"),
]


class Served:
    """A running device_test_server."""

    def __init__(self, folder, size=256 * MIB, backend="", fuse=True, nbd=True, options=()):
        self.image = folder / "image"
        if not self.image.exists():
            with open(self.image, "wb") as file:
                os.posix_fallocate(file.fileno(), 0, size)
        self.socket = folder / "nbd.sock"
        self.uri = f"nbd+unix:///test?socket={self.socket}"
        command = [str(SERVER), "--file", str(self.image), *options]
        command += ["--fuse"] if fuse else []
        command += ["--nbd", str(self.socket)] if nbd else []
        env = dict(os.environ, LC_ALL="C", BSR_LOOP_BACKEND=backend)
        self.log = open(folder / "server.log", "w+", encoding="utf-8")
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.log,
                                        text=True, env=env)
        match = re.fullmatch(r"ready loop=(-?\d+) server=(\d+)\n", self.process.stdout.readline())
        assert match, self.text()
        self.loop = f"/dev/loop{match[1]}"
        self.name = f"loop{match[1]}"

    def text(self):
        self.log.flush()
        self.log.seek(0)
        return self.log.read()

    def command(self, words):
        """(answer, lines of detail)"""
        self.process.stdin.write(words + "\n")
        self.process.stdin.flush()
        details = []
        while True:
            line = self.process.stdout.readline().rstrip("\n")
            assert line, f"the server has ended: {self.text()}"
            if not line.startswith("- "):
                return line, details
            details.append(line[2:])

    def status(self):
        return dict(word.split("=") for word in self.command("status")[0].split()[1:])

    def stop(self):
        if self.process.poll() is None:
            self.process.stdin.close()
        code = self.process.wait(timeout=60)
        self.log.close()
        return code


@pytest.fixture(name="folder")
def folder_fixture():
    """On a disk: the image needs O_DIRECT."""
    path = pathlib.Path(check("mktemp", "-d", os.path.join(os.environ.get("BSR_TEST_DIR", "/var/tmp"),
                                                           "bsr-dev-XXXXXX")).stdout.strip())
    yield path
    shutil.rmtree(path)


@pytest.fixture(name="serve")
def serve_fixture(folder):
    """serve(...) starts a server; all are stopped at the end."""
    running = []

    def start(**kwargs):
        running.append(Served(folder, **kwargs))
        return running[-1]

    start.folder = folder
    yield start
    for server in running:
        code = server.stop() if not server.log.closed else 0
        assert code == 0


@pytest.fixture(name="mounts")
def mounts_fixture(folder):
    """A mount namespace of our own: others that are made meanwhile would otherwise hold copies of our mounts."""
    sleeper = subprocess.Popen(["unshare", "-m", "--propagation", "private", "sleep", "3600"])
    while os.readlink(f"/proc/{sleeper.pid}/ns/mnt") == os.readlink("/proc/self/ns/mnt"):
        time.sleep(0.01)
    (folder / "mnt").mkdir()

    class Mounts:
        point = folder / "mnt"
        path = pathlib.Path(f"/proc/{sleeper.pid}/root{folder}/mnt")
        described = f"mounted on {folder}/mnt in the mount namespace of pid {sleeper.pid} (sleep)"

        @staticmethod
        def run(*words):
            return check("nsenter", "-t", str(sleeper.pid), "-m", *words)

        def mount(self, device):
            self.run("mount", device, self.point)

        def umount(self):
            self.run("umount", self.point)

    yield Mounts()
    sleeper.kill()
    sleeper.wait()


def is_bound(name):
    return os.path.exists(f"/sys/block/{name}/loop/backing_file")


def fio(*options, timeout=240):
    result = check("fio", "--name=t", "--output-format=json", "--group_reporting", "--verify_state_save=0", *options,
                   timeout=timeout)
    job = json.loads(result.stdout[result.stdout.index("{"):])["jobs"][0]
    assert job["error"] == 0, result.stdout
    return job


@pytest.mark.parametrize("backend", ["uring", "threads"])
@pytest.mark.parametrize("block", [512, 4096])
def test_loop_device_keeps_what_is_written(serve, backend, block):
    server = serve(backend=backend, options=["--block", str(block)], nbd=False)
    queue = pathlib.Path(f"/sys/block/{server.name}/queue")
    assert int((queue / "logical_block_size").read_text()) == block
    assert int(check("blockdev", "--getsize64", server.loop).stdout) == 256 * MIB
    listed = json.loads(check("losetup", "--json", "-l", server.loop).stdout)["loopdevices"][0]
    assert listed["dio"] is True and listed["autoclear"] is True
    common = [f"--filename={server.loop}", "--ioengine=libaio", "--direct=1", "--size=64M", "--verify=crc32c",
              "--verify_fatal=1"]
    fio("--rw=randwrite", "--bs=4k", "--iodepth=32", *common)
    fio(f"--bsrange={block}-1M", "--rw=randwrite", "--iodepth=8", *common)
    fio("--rw=randwrite", "--bs=4k", "--iodepth=8", "--sync=1", "--io_size=4M", *common)
    fio("--rw=randrw", f"--bssplit={block}/20:4k/40:64k/20:68k/10:256k/10", "--iodepth=16", *common)


def test_write_through_device_gets_no_flushes(serve):
    server = serve(options=["--write-through"])
    check("dd", "if=/dev/zero", f"of={server.loop}", "bs=4k", "count=16", "oflag=direct,dsync", "status=none")
    assert int(server.status()["flushes"]) == 0
    # and nothing of it sticks to the loop device, which somebody else will get
    assert pathlib.Path(f"/sys/block/{server.name}/queue/write_cache").read_text().strip() == "write back"


@pytest.mark.parametrize("spoilt", [False, True])
def test_flush_reaches_the_server(serve, spoilt):
    if spoilt:  # a loop device on which somebody has switched flushes off, for good
        first = Served(serve.folder, nbd=False)
        pathlib.Path(f"/sys/block/{first.name}/queue/write_cache").write_text("write through")
        assert first.stop() == 0
    server = serve()
    assert not spoilt or server.loop == first.loop or pytest.skip("got another loop device")
    before = int(server.status()["flushes"])
    check("dd", "if=/dev/zero", f"of={server.loop}", "bs=4k", "count=4", "oflag=direct,dsync", "status=none")
    assert int(server.status()["flushes"]) >= before + 4


def test_file_system_lives_on_it(mounts, serve):
    server = serve()
    check("mkfs.ext4", "-q", "-E", "lazy_itable_init=0", server.loop)
    mounts.mount(server.loop)
    try:
        check("cp", "-r", "/usr/share/doc/fio", mounts.path)
        (mounts.path / "big").write_bytes(random.Random(1).randbytes(20 * MIB))
        assert server.command("holders") == ("ok 1", [mounts.described])
        assert server.command("destroy")[0] == "error Device or resource busy"
        mounts.run("fstrim", mounts.point)
    finally:
        mounts.umount()
    check("fsck.ext4", "-f", "-n", server.loop)
    mounts.mount(server.loop)
    try:
        assert (mounts.path / "big").read_bytes() == random.Random(1).randbytes(20 * MIB)
        check("diff", "-r", "/usr/share/doc/fio", mounts.path / "fio")
    finally:
        mounts.umount()
    assert server.command("holders")[0] == "ok 0"
    assert server.command("destroy")[0] == "ok"
    assert not is_bound(server.name)


@pytest.mark.parametrize("option", [[], ["-z"]])
def test_discarded_ranges_read_back_as_zeroes(serve, option):
    server = serve()
    check("dd", "if=/dev/urandom", f"of={server.image}", "bs=1M", "count=256", "conv=notrunc", "status=none")
    before = server.image.read_bytes()
    check("blkdiscard", *option, "-o", str(4 * MIB + 4096), "-l", str(200 * MIB), server.loop)
    after = server.image.read_bytes()
    begin, end = 4 * MIB + 4096, 204 * MIB + 4096
    assert after[:begin] == before[:begin] and after[end:] == before[end:]
    assert after[begin:end] == bytes(end - begin)
    allocated = os.stat(server.image).st_blocks * 512
    assert allocated < 100 * MIB if not option else allocated >= 256 * MIB


def test_holders_are_named(serve, folder):
    server = serve()
    with open(server.loop, "rb"):
        answer, details = server.command("holders")
        assert answer == "ok 1"
        assert re.fullmatch(rf"open by .+ \(pid {os.getpid()}\)", details[0])
        assert server.command("destroy")[0] == "error Device or resource busy"
    check("mkswap", server.loop)
    if run("swapon", server.loop).returncode == 0:
        answer, details = server.command("holders")
        check("swapoff", server.loop)
        assert details == ["swap"]
    check("mkfs.ext4", "-q", "-F", server.loop)
    mount = folder / "a b"
    mount.mkdir()
    check("mount", server.loop, mount)
    try:
        assert f"mounted on {mount}" in server.command("holders")[1]
    finally:
        check("umount", mount)


def test_grows_while_mounted(mounts, serve):
    server = serve(size=320 * MIB)
    check("mkfs.xfs", "-q", server.loop)
    mounts.mount(server.loop)
    try:
        assert server.command(f"grow {512 * MIB}")[0] == "ok"
        assert int(check("blockdev", "--getsize64", server.loop).stdout) == 512 * MIB
        mounts.run("xfs_growfs", mounts.point)
        (mounts.path / "big").write_bytes(b"x" * (350 * MIB))
    finally:
        mounts.umount()
    check("xfs_repair", "-n", server.loop)
    assert json.loads(check("nbdinfo", "--json", server.uri).stdout)["exports"][0]["export-size"] == 512 * MIB


def kill_now_and_then(server, stop, kills, seed):
    choose = random.Random(seed)
    while not stop.is_set():
        time.sleep(choose.uniform(0.1, 0.3))
        if stop.is_set():
            return
        status = server.status()
        os.kill(int(status["server"]), signal.SIGKILL)
        kills.append(time.monotonic())
        while server.status()["generation"] == status["generation"]:
            time.sleep(0.005)


@pytest.mark.parametrize("backend", ["uring", "threads"])
def test_killed_server_is_replaced_without_an_error(mounts, serve, backend):
    """Kill -9 under a verifying load and under a mounted file system; nothing may fail, nothing may be lost."""
    server = serve(backend=backend, size=512 * MIB, nbd=False)
    check("mkfs.ext4", "-q", server.loop)
    mounts.mount(server.loop)
    stop, kills = threading.Event(), []
    killer = threading.Thread(target=kill_now_and_then, args=(server, stop, kills, 7))
    killer.start()
    try:
        fio(f"--directory={mounts.path}", "--ioengine=libaio", "--direct=1", "--rw=randwrite", "--bs=4k", "--iodepth=32",
            "--size=48M", "--numjobs=2", "--verify=crc32c", "--verify_fatal=1", "--fsync=64", "--loops=3")
        for i in range(40):
            (mounts.path / f"f{i}").write_bytes(random.Random(i).randbytes(100000 + i))
        os.sync()
    finally:
        stop.set()
        killer.join()
        mounts.umount()
    assert len(kills) >= 5
    assert int(server.status()["generation"]) == len(kills), server.text()  # none of them died by itself
    assert "assertion" not in server.text()
    check("fsck.ext4", "-f", "-n", server.loop)
    mounts.mount(server.loop)
    try:
        for i in range(40):
            assert (mounts.path / f"f{i}").read_bytes() == random.Random(i).randbytes(100000 + i)
    finally:
        mounts.umount()


def test_forced_end_fails_what_is_mounted(mounts, serve):
    server = serve(nbd=False)
    check("mkfs.ext4", "-q", server.loop)
    mounts.mount(server.loop)
    assert server.command("destroy")[0] == "error Device or resource busy"
    assert server.command("force")[0] == "ok"
    with pytest.raises(OSError):
        (mounts.path / "file").write_bytes(b"lost")
        os.sync()
        fd = os.open(mounts.path / "file", os.O_RDONLY)
        try:
            os.fsync(fd)
        finally:
            os.close(fd)
    mounts.umount()


def test_abandoned_device_fails_instead_of_hanging(serve):
    """The last resort when no server can be started any more: what waits for an answer gets an error."""
    server = serve(nbd=False)
    os.kill(int(server.status()["server"]), signal.SIGSTOP)
    reader = subprocess.Popen(["dd", f"if={server.loop}", "of=/dev/null", "bs=4k", "count=1", "iflag=direct"],
                              stderr=subprocess.PIPE, text=True)
    with pytest.raises(subprocess.TimeoutExpired):
        reader.wait(timeout=0.5)
    assert server.command("abandon")[0] == "ok"
    assert reader.wait(timeout=20) != 0
    assert "Input/output error" in reader.stderr.read()


def test_killed_keeper_leaves_nothing_behind(folder):
    server = Served(folder, nbd=False)
    os.kill(server.process.pid, signal.SIGKILL)
    server.process.wait()
    server.log.close()
    for _ in range(200):
        if not is_bound(server.name):
            break
        time.sleep(0.05)
    assert not is_bound(server.name)


# ----------------------------------------------------------------------- NBD


def test_nbdinfo_shows_the_export(serve):
    server = serve(fuse=False)
    export = json.loads(check("nbdinfo", "--json", server.uri).stdout)["exports"][0]
    assert export["export-size"] == 256 * MIB
    for can in ("can_flush", "can_fua", "can_trim", "can_zero", "can_multi_conn"):
        assert export[can] is True
    assert export["block_size_minimum"] == 512 and export["block_size_maximum"] == MIB
    listed = json.loads(check("nbdinfo", "--list", "--json", f"nbd+unix:///?socket={server.socket}").stdout)
    assert [e["export-name"] for e in listed["exports"]] == ["test"]
    check("nbdinfo", "--size", f"nbd+unix:///?socket={server.socket}")  # the only export needs no name
    refused = run("nbdinfo", f"nbd+unix:///other?socket={server.socket}")
    assert refused.returncode != 0 and "other" in refused.stderr


@pytest.mark.parametrize("backend", ["uring", "threads"])
def test_nbd_keeps_what_is_written(serve, backend):
    server = serve(backend=backend, fuse=False)
    common = ["--ioengine=nbd", f"--uri={server.uri}", "--size=64M", "--verify=crc32c", "--verify_fatal=1"]
    fio("--rw=randwrite", "--bs=4k", "--iodepth=32", *common)
    fio("--rw=randwrite", "--bsrange=512-1M", "--iodepth=8", *common)
    fio("--rw=randrw", "--bssplit=512/20:4k/40:64k/20:68k/10:256k/10", "--iodepth=64", *common)


def test_nbdcopy_there_and_back(serve, folder):
    server = serve(fuse=False, size=64 * MIB)
    source = folder / "source"
    content = bytearray(random.Random(3).randbytes(64 * MIB))
    content[8 * MIB:40 * MIB] = bytes(32 * MIB)
    source.write_bytes(content)
    check("nbdcopy", "--flush", source, server.uri)
    assert server.image.read_bytes() == content
    check("nbdcopy", server.uri, folder / "back")
    assert (folder / "back").read_bytes() == content
    check("qemu-img", "compare", "-f", "raw", "-F", "raw", source, server.uri)


def test_qemu_io_commands(serve):
    server = serve(fuse=False)
    commands = ["write -P 0xaa 0 1M", "write -f -P 0xbb 64k 4k", "discard 128k 64k", "write -z -u 256k 64k",
                "write -z 512k 64k", "aio_write -P 0xcc 700k 40k", "aio_flush", "flush", "read -P 0xaa 0 64k",
                "read -P 0xbb 64k 4k", "read -P 0 128k 64k", "read -P 0 256k 64k", "read -P 0 512k 64k",
                "read -P 0xcc 700k 40k", "write -P 0xdd 2M 8M", "read -P 0xdd 2M 8M"]
    result = check("qemu-io", "-f", "raw", *[w for c in commands for w in ("-c", c)], server.uri)
    assert "failed" not in (result.stdout + result.stderr).lower()
    image = server.image.read_bytes()
    assert image[700 * 1024:740 * 1024] == b"\xcc" * (40 * 1024)


@pytest.mark.parametrize("credits", [1, 3, 200])
def test_few_credits_and_a_small_pool_only_slow_down(serve, credits):
    server = serve(options=["--credits", str(credits), "--pool", str(3 * MIB)])
    common = ["--size=16M", "--verify=crc32c", "--verify_fatal=1", "--bssplit=4k/60:128k/30:1M/10", "--rw=randwrite"]
    jobs = [threading.Thread(target=fio, args=("--ioengine=nbd", f"--uri={server.uri}", "--iodepth=64", *common)),
            threading.Thread(target=fio, args=("--ioengine=libaio", "--direct=1", f"--filename={server.loop}",
                                               "--offset=128M", "--iodepth=16", *common))]
    for job in jobs:
        job.start()
    for job in jobs:
        job.join(timeout=60)
        assert not job.is_alive()
    assert int(server.status()["requests_max"]) <= credits
    check("blkdiscard", "-o", "0", "-l", str(128 * MIB), server.loop)


class Raw:
    """An NBD client that can misbehave."""

    def __init__(self, server):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(20)
        self.sock.connect(str(server.socket))
        assert self.take(18) == b"NBDMAGICIHAVEOPT" + struct.pack(">H", 3)

    def take(self, count):
        data = b""
        while len(data) < count:
            piece = self.sock.recv(count - len(data))
            if not piece:
                raise EOFError
            data += piece
        return data

    def send(self, *parts):
        self.sock.sendall(b"".join(parts))
        return self

    def option(self, number, data=b""):
        return self.send(b"IHAVEOPT", struct.pack(">II", number, len(data)), data)

    def answer(self):
        magic, option, kind, length = struct.unpack(">QIII", self.take(20))
        assert magic == 0x3E889045565A9
        return option, kind, self.take(length)

    def go(self, name=b"test"):
        self.send(struct.pack(">I", 3)).option(7, struct.pack(">I", len(name)) + name + struct.pack(">H", 0))
        while True:
            _, kind, _ = self.answer()
            if kind != 3:
                assert kind == 1
                return self

    def request(self, kind, offset, length, data=b"", flags=0, cookie=77):
        return self.send(struct.pack(">IHHQQI", 0x25609513, flags, kind, cookie, offset, length), data)

    def reply(self):
        magic, error, cookie = struct.unpack(">IIQ", self.take(16))
        assert magic == 0x67446698
        return error, cookie

    def is_dropped(self):
        try:
            while self.sock.recv(65536):
                pass
        except ConnectionResetError:
            pass
        return True


def test_hostile_clients_harm_only_themselves(serve):
    server = serve(fuse=False)
    good = Raw(server).go()
    bad = {
        "client flags": Raw(server).send(b"\xff" * 4),
        "no option": Raw(server).send(struct.pack(">I", 3), b"GET / HTTP/1.1\r\n\r\n"),
        "an option with": Raw(server).send(struct.pack(">I", 3), b"IHAVEOPT", struct.pack(">II", 7, 1 << 31)),
        "not exported": Raw(server).send(struct.pack(">I", 3)).option(1, b"no\nsuch"),
        "no request": Raw(server).go().send(b"\x00" * 28),
        "a write of 4294967040 bytes": Raw(server).go().request(1, 0, 0xFFFFFF00),
        "more than": Raw(server).send(struct.pack(">I", 3)).option(99),
        "does not read": Raw(server).send(struct.pack(">I", 3)),
    }
    for _ in range(200):
        try:
            bad["more than"].option(99)
            bad["more than"].answer()
        except (BrokenPipeError, ConnectionResetError, EOFError):
            break
    try:
        for _ in range(100000):
            bad["does not read"].option(3)
    except (BrokenPipeError, ConnectionResetError, socket.timeout):
        pass
    for client in bad.values():
        assert client.is_dropped()
    assert good.request(1, 4096, 4096, b"g" * 4096).reply() == (0, 77)
    for word in bad:
        if word != "does not read":  # it may run into the limit of options first
            assert word in server.text(), word
    assert all(32 <= ord(c) < 127 or c == "\n" for c in server.text())


def test_refused_requests_leave_the_stream_in_step(serve):
    server = serve(fuse=False)
    client = Raw(server).go()
    size = 256 * MIB
    cases = [
        ((1, 1, 512, b"x" * 512), 22),               # off its block
        ((1, 0, 100, b"x" * 100), 22),
        ((1, size, 4096, b"x" * 4096), 28),          # behind the end
        ((1, size - 512, 4096, b"x" * 4096), 28),
        ((1, (1 << 64) - 4096, 8192, b"x" * 8192), 28),
        ((1, 0, 2 * MIB, b"x" * (2 * MIB)), 22),     # longer than announced
        ((0, size, 512), 22),
        ((0, 0, 2 * MIB), 22),
        ((4, size, 4096), 22),
        ((6, size, 4096), 28),
        ((5, 0, 4096), 22),                          # CACHE was not offered
        ((7, 0, 4096), 22),
        ((200, 0, 4096), 22),
        ((1, 0, 0), 22),
    ]
    for number, (request, error) in enumerate(cases):
        assert client.request(*request, cookie=number).reply() == (error, number), request
    assert client.request(1, 0, 512, b"y" * 512, flags=128).reply() == (22, 77)
    assert client.request(1, 0, 512, b"y" * 512, flags=1).reply() == (0, 77)
    assert client.request(3, 0, 0).reply() == (0, 77)
    assert client.request(4, 0, 128 * MIB).reply() == (0, 77)
    assert client.request(0, 0, 512).reply() == (0, 77)
    assert client.take(512) == bytes(512)
    client.request(2, 0, 0)
    assert client.is_dropped()


def test_any_cut_of_the_stream_means_the_same(serve):
    """Random reads and writes in one byte stream that arrives in random pieces; checked against a model."""
    server = serve(fuse=False, size=16 * MIB)
    choose = random.Random(11)
    model = bytearray(16 * MIB)
    client = Raw(server).go()
    client.request(6, 0, 16 * MIB).reply()
    for _ in range(60):
        stream, expect, busy = b"", {}, []
        same = choose.random() < 0.5
        for cookie in range(choose.randrange(1, 60)):
            blocks = 8 if same and choose.random() < 0.95 else choose.choice([1, 2, 8, 8, 16, 128, 300])
            offset = choose.randrange(0, 16 * MIB // 512 - blocks) * 512
            length = blocks * 512
            if any(offset < b + n and b < offset + length for b, n in busy):
                continue
            busy.append((offset, length))
            if same or choose.random() < 0.6:
                data = choose.randbytes(512) * blocks
                model[offset:offset + length] = data
                stream += struct.pack(">IHHQQI", 0x25609513, 0, 1, cookie, offset, length) + data
                expect[cookie] = None
            else:
                stream += struct.pack(">IHHQQI", 0x25609513, 0, 0, cookie, offset, length)
                expect[cookie] = bytes(model[offset:offset + length])
        sender = threading.Thread(target=send_in_pieces, args=(client.sock, stream, choose.random()))
        sender.start()
        while expect:
            error, cookie = client.reply()
            assert error == 0
            wanted = expect.pop(cookie)
            if wanted is not None:
                assert client.take(len(wanted)) == wanted
        sender.join()
    client.request(3, 0, 0).reply()
    assert hashlib.sha256(server.image.read_bytes()).digest() == hashlib.sha256(model).digest()


def send_in_pieces(sock, stream, seed):
    choose = random.Random(seed)
    at = 0
    while at < len(stream):
        count = choose.choice([1, 27, 28, 29, 4096, 4124, 5000, 65536, 1 << 20])
        sock.sendall(stream[at:at + count])
        at += count
        if choose.random() < 0.05:
            time.sleep(0.0005)


def test_clients_that_sit_on_memory_are_dropped(serve):
    server = serve(fuse=False, options=["--pool", str(4 * MIB)])
    sitters = [Raw(server).go().request(1, 0, MIB, b"s" * 100000) for _ in range(4)]
    good = Raw(server).go()
    assert good.request(1, 0, MIB, b"g" * MIB).reply() == (0, 77)
    assert "silent in the middle of a write" in server.text()
    assert all(sitter.is_dropped() for sitter in sitters[:1])


def test_too_many_connections_are_turned_away(serve):
    server = serve(fuse=False)
    clients = [Raw(server).go() for _ in range(128)]
    extra = socket.socket(socket.AF_UNIX)
    extra.settimeout(20)
    extra.connect(str(server.socket))
    assert extra.recv(100) == b""
    assert "too many connections" in server.text()
    assert clients[0].request(1, 0, 512, b"z" * 512).reply() == (0, 77)
    clients.pop().sock.close()
    for _ in range(100):
        try:
            Raw(server).go()
            break
        except (AssertionError, EOFError, ConnectionResetError, BrokenPipeError):
            time.sleep(0.02)
    else:
        pytest.fail("a place that has become free is not used")


def test_client_that_vanishes_with_requests_under_way(serve):
    server = serve(fuse=False)
    for _ in range(30):
        client = Raw(server).go()
        for i in range(100):
            client.request(1, i * 4096, 4096, b"v" * 4096, cookie=i)
        client.sock.close()
    good = Raw(server).go()
    assert good.request(0, 0, 4096).reply() == (0, 77)
    assert good.take(4096) == b"v" * 4096


def test_idle_server_uses_no_cpu(serve):
    server = serve()
    client = Raw(server).go()
    assert client.request(3, 0, 0).reply() == (0, 77)
    pid = server.status()["server"]

    def ticks():
        fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
        return int(fields[11]) + int(fields[12])

    time.sleep(0.3)
    before = ticks()
    time.sleep(2)
    assert ticks() - before <= 1
