# SPDX-License-Identifier: GPL-2.0-or-later
"""bsrd: keeper and engine process, on real disks, devices and file systems; who dies when, and what is left then."""

import hashlib
import os
import pathlib
import random
import signal
import subprocess
import time

import pytest

from conftest import check, program, run
from node import (MIB, alive, both_up_to_date, connect, cpu_ticks, fixture_make_node, fixture_node,  # noqa: F401
                  switches, wait_for)

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="needs root")


# ------------------------------------------------------------------- starting


def test_start_drops_all_privileges(node):
    node.start()
    status = dict(line.split(":\t", 1) for line in
                  pathlib.Path(f"/proc/{node.engine()}/status").read_text().splitlines() if ":\t" in line)
    assert status["Uid"].split() == ["65534"] * 4
    assert status["Gid"].split() == ["65534"] * 4
    assert status["Groups"].strip() == ""
    for name in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"):
        assert int(status[name], 16) == 0, name
    assert status["NoNewPrivs"] == "1"
    assert status["Seccomp"] == "2"
    # not dumpable: its files in /proc belong to root although it runs as nobody
    assert os.stat(f"/proc/{node.engine()}/mem").st_uid == 0
    assert node.ok("role", "r0").strip() == "Secondary"


def test_second_start_is_refused_and_harms_nobody(node):
    node.start()
    keeper, engine = node.keeper(), node.engine()
    for words in (("r0",), ("-f", "r0")):
        again = node.bsrd(*words)
        assert again.returncode == 3
        assert "already running" in again.stderr and str(keeper) in again.stderr
    assert node.keeper() == keeper and node.engine() == engine and alive(keeper) and alive(engine)
    assert node.ok("role", "r0").strip() == "Secondary"


@pytest.mark.parametrize("words, complaint", [
    ((), "exactly one resource"),
    (("a", "b"), "exactly one resource"),
    (("../r0",), "not a resource name"),
    ((".r0",), "not a resource name"),
    (("r" * 129,), "not a resource name"),
    (("-n", "32", "r0"), "0..31"),
    (("-n", "x", "r0"), "0..31"),
    (("--no-such-option", "r0"), "bad option"),
])
def test_bad_command_lines(node, words, complaint):
    result = node.bsrd(*words)
    assert result.returncode == 1
    assert complaint in result.stderr


def test_socket_path_too_long_is_named(node):
    deep = node.path / ("x" * 60) / ("y" * 60)
    deep.mkdir(parents=True)
    node.env["BSR_RUN_DIR"] = str(deep)
    result = node.bsrd("r0")
    assert result.returncode == 20 and "shorter run directory" in result.stderr


def test_sockets_are_for_root_only(node):
    node.start()
    for name in ("r0.sock", "r0.nbd"):
        assert (node.path / "run" / name).stat().st_mode & 0o777 == 0o600


def test_down_ends_both_processes(node):
    node.up()
    keeper, engine = node.keeper(), node.engine()
    node.ok("down", "r0")
    wait_for(lambda: not alive(keeper) and not alive(engine))
    assert not (node.path / "run/r0.sock").exists()
    # everything is free again: tools may change the metadata, and a new start finds nothing in its way
    check(program("bsrmeta"), "--force", str(node.minor), "v09", node.disk, "internal", "dump-md", env=node.env)
    node.start()


def test_sigterm_is_an_orderly_down(node):
    node.primary()
    keeper, engine = node.keeper(), node.engine()
    os.kill(keeper, signal.SIGTERM)
    wait_for(lambda: not alive(keeper) and not alive(engine))
    assert "6025 notice stopped" in node.log()
    dump = check(program("bsrmeta"), "--force", str(node.minor), "v09", node.disk, "internal", "dump-md", env=node.env).stdout
    assert "al-extents" in dump


def test_sigterm_is_refused_while_mounted_and_names_the_mount(node):
    node.primary()
    check("mkfs.ext4", "-q", node.device())
    target = node.mount()
    os.kill(node.keeper(), signal.SIGTERM)
    line = wait_for(lambda: [x for x in node.log().splitlines() if "stop-refused" in x])[0]
    assert str(target) in line
    (target / "still").write_text("works")
    node.unmount()
    keeper = node.keeper()
    os.kill(keeper, signal.SIGTERM)
    wait_for(lambda: not alive(keeper))


# ---------------------------------------------------------------------- disks


def test_disks_that_cannot_be_used_are_named(node, loop):
    node.start()
    node.ok("new-minor", "r0", node.minor, 0)
    missing = node.path / "missing"
    for disk, complaint in ((missing, "No such file"), ("/dev/null", "neither a block device nor"),
                            (node.path, "neither a block device nor")):
        result = node.setup("attach", node.minor, disk, disk, "internal")
        assert result.returncode == 10
        assert complaint in result.stderr and str(disk) in result.stderr
    # a mounted one
    image = node.path / "image"
    with open(image, "wb") as f:
        f.truncate(32 * MIB)
    device = loop(image)
    check("mkfs.ext4", "-q", device)
    (node.path / "mnt").mkdir()
    check("mount", device, node.path / "mnt")
    node.mounts.append(node.path / "mnt")
    result = node.setup("attach", node.minor, device, device, "internal")
    assert result.returncode == 10 and "in use" in result.stderr
    node.unmount()
    # one without metadata
    result = node.setup("attach", node.minor, device, device, "internal")
    assert result.returncode == 10 and "create-md" in result.stderr
    # and nothing is left claimed by all these attempts
    fd = os.open(device, os.O_RDWR | os.O_EXCL)
    os.close(fd)


def test_a_disk_is_claimed_once(make_node):
    first, second = make_node(), make_node()
    first.up()
    second.disk = first.disk
    second.start()
    second.ok("new-minor", "r0", second.minor, 0)
    result = second.setup("attach", second.minor, first.disk, first.disk, "internal")
    assert result.returncode == 10 and "in use" in result.stderr
    # detached means free at once
    first.ok("detach", first.minor)
    second.ok("attach", second.minor, first.disk, first.disk, "internal")


def test_tools_see_that_a_minor_is_attached(node):
    node.up()
    result = run(program("bsrmeta"), "--force", str(node.minor), "v09", node.disk, "internal", "wipe-md", env=node.env)
    assert result.returncode == 20
    node.ok("detach", node.minor)
    check(program("bsrmeta"), "--force", str(node.minor), "v09", node.disk, "internal", "dump-md", env=node.env)


def test_block_device_is_claimed_and_let_go(node, loop):
    with open(node.disk, "wb") as f:
        f.truncate(64 * MIB)
    device = loop(node.disk)
    check(program("bsrmeta"), "--force", str(node.minor), "v09", device, "internal", "create-md", "1", env=node.env)
    node.start()
    node.ok("new-minor", "r0", node.minor, 0)
    for _ in range(3):
        node.ok("attach", node.minor, device, device, "internal")
        with pytest.raises(OSError):
            os.open(device, os.O_RDWR | os.O_EXCL)
        node.ok("detach", node.minor)
        os.close(os.open(device, os.O_RDWR | os.O_EXCL))


def test_a_minor_belongs_to_one_resource(node):
    node.start()
    node.ok("new-minor", "r0", node.minor, 0)
    other = node.bsrd("-n", "0", "r1")
    assert other.returncode == 0
    try:
        result = node.setup("new-minor", "r1", node.minor, 0)
        assert result.returncode == 10 and "r0" in result.stderr
        node.ok("del-minor", node.minor)
        node.ok("new-minor", "r1", node.minor, 0)
    finally:
        node.ok("down", "r1")


# -------------------------------------------------------------------- devices


def test_device_exists_only_on_a_primary(node):
    node.up()
    link = node.path / f"dev/bsr{node.minor}"
    assert not link.exists()
    node.ok("primary", "r0", "--force")
    assert node.device().is_block_device()
    assert os.readlink(node.path / "dev/bsr/by-res/r0/0") == str(node.device())
    node.ok("secondary", "r0")
    assert not link.is_symlink()
    node.ok("primary", "r0")
    assert link.is_symlink()


def test_secondary_is_refused_while_mounted_and_names_it(node):
    node.primary()
    check("mkfs.ext4", "-q", node.device())
    target = node.mount()
    (target / "file").write_text("data")
    result = node.setup("secondary", "r0")
    assert result.returncode == 11
    assert str(target) in result.stderr
    assert (target / "file").read_text() == "data"
    result = node.setup("down", "r0")
    assert result.returncode != 0 and str(target) in result.stderr
    node.unmount()
    node.ok("secondary", "r0")
    assert node.ok("role", "r0").strip() == "Secondary"


def test_secondary_is_refused_while_an_nbd_client_is_connected(node):
    node.primary()
    uri = f"nbd+unix:///0?socket={node.path}/run/r0.nbd"
    check("nbdinfo", uri)
    client = subprocess.Popen(["qemu-io", "-f", "raw", uri], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    try:
        client.stdin.write(b"read 0 4096\n")
        client.stdin.flush()
        wait_for(lambda: b"read 4096" in client.stdout.readline())
        result = node.setup("secondary", "r0")
        assert result.returncode == 11 and "NBD client" in result.stderr
    finally:
        client.kill()
        client.wait()
    wait_for(lambda: node.setup("secondary", "r0").returncode == 0)


def test_discard_longer_than_a_request_and_zeroes_read_back(node):
    size = 300 * MIB
    node.primary(size)
    device = node.device()
    with open(device, "r+b", buffering=0) as f:
        f.write(b"\xaa" * MIB)
    check("blkdiscard", device)
    with open(device, "rb", buffering=0) as f:
        assert f.read(MIB) == bytes(MIB)


# ----------------------------------------------------------------- who dies


def test_engine_killed_while_idle_under_a_mounted_file_system(node):
    node.primary()
    check("mkfs.ext4", "-q", node.device())
    target = node.mount()
    (target / "before").write_text("written before")
    os.sync()
    for i in range(3):
        node.kill_engine()
        assert (target / "before").read_text() == "written before"
        (target / f"after{i}").write_text("written after")
    assert node.ok("role", "r0").strip() == "Primary"
    node.unmount()
    check("fsck.ext4", "-fn", node.device())


def test_engine_killed_under_load_loses_nothing(node):
    node.primary(128 * MIB)
    device = node.device()
    load = subprocess.Popen(
        ["fio", "--name=v", f"--filename={device}", "--direct=1", "--ioengine=libaio", "--iodepth=16", "--bs=4k",
         "--rw=randwrite", "--size=96m", "--verify=crc32c", "--verify_fatal=1", "--verify_state_save=0", "--verify_dump=0", "--output-format=terse"],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    seed = random.randrange(1 << 32)
    rng = random.Random(seed)
    kills = 0
    while load.poll() is None and kills < 10:
        time.sleep(rng.uniform(0.05, 0.3))
        if load.poll() is None:
            node.kill_engine()
            kills += 1
    out, _ = load.communicate(timeout=120)
    assert load.returncode == 0, f"seed {seed}, {kills} kills: {out}\n{node.log()[-3000:]}"
    assert kills >= 2, "the load was over too soon to prove anything"
    # the disk holds what the device shows, after an orderly end
    shown = subprocess.run(["sha256sum", str(device)], capture_output=True, text=True, check=True).stdout.split()[0]
    size = int(check("blockdev", "--getsize64", device).stdout)
    node.ok("down", "r0")
    with open(node.disk, "rb") as f:
        assert hashlib.sha256(f.read(size)).hexdigest() == shown


def test_engine_killed_in_a_file_system_at_work(node):
    node.primary(128 * MIB)
    check("mkfs.ext4", "-q", node.device())
    target = node.mount()
    source = pathlib.Path("/usr/include")
    load = subprocess.Popen(["sh", "-c", f"for i in 1 2 3; do cp -r {source}/linux {target}/t$i && sync; done"])
    rng = random.Random(7)
    for _ in range(12):
        time.sleep(rng.uniform(0.1, 0.4))
        node.kill_engine()
    assert load.wait(timeout=120) == 0
    for i in (1, 2, 3):
        check("diff", "-r", source / "linux", target / f"t{i}")
    node.unmount()
    check("fsck.ext4", "-fn", node.device())


@pytest.fixture
def slow_device(tmp_path, loop):
    """slow_device(file, seconds): a loop device over a file, each write of which takes that long."""
    servers = []

    def make(path, seconds):
        target = tmp_path / "slow"
        target.write_bytes(b"")
        servers.append(subprocess.Popen(["nbdfuse", target, "--command", "nbdkit", "-s", "--filter=delay", "file", path,
                                         f"wdelay={int(seconds * 1000)}ms"]))
        wait_for(lambda: target.stat().st_size > 0)
        return check("losetup", "--direct-io=on", "--find", "--show", target).stdout.strip(), target

    devices = []

    def tracked(path, seconds):
        device, target = make(path, seconds)
        devices.append((device, target))
        return device

    yield tracked
    for device, target in devices:
        run("losetup", "--detach", device)
        run("umount", "-l", target)
    for server in servers:
        try:
            server.wait(timeout=5)
        except subprocess.TimeoutExpired:
            server.kill()


def test_no_engine_starts_before_the_writes_of_a_dead_one_are_over(slow_device, node):
    node.make_disk()
    device = slow_device(node.disk, 0.5)
    node.start()
    node.ok("new-minor", "r0", node.minor, 0)
    node.ok("attach", node.minor, device, device, "internal")
    node.ok("primary", "r0", "--force")
    shown = node.device()
    check("dd", "if=/dev/zero", f"of={shown}", "bs=4k", "count=1", "oflag=direct")  # its extent is hot now
    for letter in b"ABC":
        writer = subprocess.Popen(["dd", f"of={shown}", "bs=4k", "count=1", "oflag=direct", "iflag=fullblock", "status=none"],
                                  stdin=subprocess.PIPE)
        writer.stdin.write(bytes([letter]) * 4096)
        writer.stdin.close()
        time.sleep(0.15)  # the write is in the backing disk now, and stays there for a good while
        old, ready = node.engine(), node.ready_count()
        killed = time.monotonic()
        os.kill(old, signal.SIGKILL)
        wait_for(lambda: node.engine() != old, 20)
        assert time.monotonic() - killed >= 0.2, "the next engine process was started over a write under way"
        wait_for(lambda: node.ready_count() > ready, 30)
        assert writer.wait(timeout=30) == 0
        with open(shown, "rb", buffering=0) as f:
            assert f.read(4096) == bytes([letter]) * 4096


def test_engine_that_keeps_its_configuration(node):
    node.up()
    node.ok("disk-options", node.minor, "--al-extents=1237")
    node.ok("new-peer", "r0", 1, "--_name=other", "--ping-int=7")
    node.ok("new-path", "r0", 1, "ipv4:127.0.0.1:17789", "ipv4:127.0.0.1:17790")
    node.ok("connect", "r0", 1)
    before = node.ok("show", "r0")
    node.kill_engine()
    assert node.ok("show", "r0") == before
    wait_for(lambda: node.ok("cstate", "r0", 1).strip() in ("Connecting", "Unconnected"))


def test_engine_killed_in_the_middle_of_every_role_change(node):
    node.primary()
    seed = random.randrange(1 << 32)
    rng = random.Random(seed)
    link = node.path / f"dev/bsr{node.minor}"
    for i in range(16):
        word = ("secondary", "primary")[i % 2]
        change = subprocess.Popen([program("bsrsetup"), word, "r0"], env=dict(os.environ, **node.env),
                                  stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        time.sleep(rng.uniform(0, 0.08))
        node.kill_engine()
        change.wait(timeout=60)
        # whatever the dead one had come to: the same command again leads to where it should
        wait_for(lambda: node.setup(word, "r0").returncode == 0)
        assert node.ok("role", "r0").strip().lower() == word, f"seed {seed}"
        if word == "primary":
            wait_for(link.is_symlink)
            with open(node.device(), "r+b", buffering=0) as f:
                f.write(bytes([i]) * 4096)
                f.seek(0)
                assert f.read(4096) == bytes([i]) * 4096
        else:
            assert not link.is_symlink(), f"seed {seed}: a Secondary has a device"


def test_engine_killed_in_the_middle_of_attach_and_detach(node):
    node.up()
    seed = random.randrange(1 << 32)
    rng = random.Random(seed)
    attach = ("attach", str(node.minor), str(node.disk), str(node.disk), "internal")
    for i in range(12):
        words = (("detach", str(node.minor)), attach)[i % 2]
        change = subprocess.Popen([program("bsrsetup"), *words], env=dict(os.environ, **node.env),
                                  stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        time.sleep(rng.uniform(0, 0.04))
        node.kill_engine()
        change.wait(timeout=60)

        def done():
            result = node.setup(*words)
            return result.returncode == 0 or "(124)" in result.stderr

        wait_for(done)
        state = node.ok("dstate", node.minor).strip()
        assert (state == "Diskless") == (words[0] == "detach"), f"seed {seed}: {state}"
        # tools see the same: metadata of an attached disk are not for them
        wipe = run(program("bsrmeta"), "--force", "--dry-run" if state == "Diskless" else "--force", str(node.minor), "v09",
                   node.disk, "internal", "wipe-md", env=node.env)
        assert wipe.returncode == (0 if state == "Diskless" else 20), f"seed {seed}: {wipe}"


def test_keeper_killed_while_nothing_is_held(node):
    node.primary()
    keeper, engine = node.keeper(), node.engine()
    os.kill(keeper, signal.SIGKILL)
    # nobody holds the device, so it detaches by itself and the engine process follows
    wait_for(lambda: not alive(engine))
    node.start()
    node.ok("new-minor", "r0", node.minor, 0)
    node.ok("attach", node.minor, node.disk, node.disk, "internal")
    node.ok("primary", "r0")
    assert node.device().is_block_device()


def test_keeper_killed_under_a_mounted_file_system(node):
    node.primary()
    check("mkfs.ext4", "-q", node.device())
    target = node.mount()
    engine = node.engine()
    os.kill(node.keeper(), signal.SIGKILL)
    wait_for(lambda: "keeper-gone" in node.log())
    (target / "file").write_text("written without a keeper")
    os.sync()
    time.sleep(4)  # longer than it waits for a keeper when nobody needs it
    assert alive(engine) and (target / "file").read_text() == "written without a keeper"
    result = node.setup("secondary", "r0")
    assert result.returncode != 0
    # nobody comes: it ends when the device is released, and a later start finds everything in order
    node.unmount()
    wait_for(lambda: not alive(engine))
    node.start()
    node.ok("new-minor", "r0", node.minor, 0)
    node.ok("attach", node.minor, node.disk, node.disk, "internal")
    node.ok("primary", "r0")
    check("fsck.ext4", "-fn", node.device())
    assert (node.mount() / "file").read_text() == "written without a keeper"


def test_a_new_keeper_takes_over(node):
    node.primary()
    node.ok("new-peer", "r0", 1, "--_name=other")
    node.ok("new-path", "r0", 1, "ipv4:127.0.0.1:17791", "ipv4:127.0.0.1:17792")
    node.ok("connect", "r0", 1)
    check("mkfs.ext4", "-q", node.device())
    target = node.mount()
    before, engine = node.ok("show", "r0"), node.engine()
    for round_number in range(3):
        old = node.keeper()
        os.kill(old, signal.SIGKILL)
        wait_for(lambda: node.log().count("keeper-gone") > round_number)
        (target / f"between{round_number}").write_text("served without a keeper")
        node.start()
        assert node.engine() == engine and alive(engine) and node.keeper() != old
        assert node.ok("show", "r0") == before
        # the new one can do what a keeper can: see holders, refuse, restart the engine process
        result = node.setup("secondary", "r0")
        assert result.returncode == 11 and str(target) in result.stderr
        again = node.bsrd("r0")
        assert again.returncode == 3 and str(node.keeper()) in again.stderr
        node.kill_engine()
        engine = node.engine()
        assert (target / f"between{round_number}").read_text() == "served without a keeper"
    result = run(program("bsrmeta"), "--force", str(node.minor), "v09", node.disk, "internal", "wipe-md", env=node.env)
    assert result.returncode == 20, "the minor counts as attached again"
    node.unmount()
    check("fsck.ext4", "-fn", node.device())
    keeper, engine = node.keeper(), node.engine()
    node.ok("down", "r0")
    wait_for(lambda: not alive(keeper) and not alive(engine))
    check(program("bsrmeta"), "--force", str(node.minor), "v09", node.disk, "internal", "dump-md", env=node.env)


def test_a_new_keeper_makes_the_device_that_nobody_held(node):
    node.primary()
    engine = node.engine()
    os.kill(node.keeper(), signal.SIGKILL)
    wait_for(lambda: "keeper-gone" in node.log())
    node.start()
    assert node.engine() == engine
    wait_for(lambda: node.log().count("device-created") == 2)
    check("mkfs.ext4", "-q", node.device())


def test_sighup_starts_the_program_as_it_is_now(node):
    node.primary()
    check("mkfs.ext4", "-q", node.device())
    target = node.mount()
    before, count = node.engine(), node.ready_count()
    os.kill(node.keeper(), signal.SIGHUP)
    wait_for(lambda: node.ready_count() > count)
    assert node.engine() != before
    (target / "x").write_text("y")


# ------------------------------------------------------------------ two nodes


def test_engines_of_both_nodes_killed_under_a_replicated_load(make_node):
    nodes = [make_node(0), make_node(1)]
    for n in nodes:
        n.up()
    connect(nodes)
    wait_for(lambda: nodes[0].ok("cstate", "r0", 1).strip() == "Connected")
    nodes[0].ok("primary", "r0", "--force")
    wait_for(lambda: both_up_to_date(nodes[0]), 60)
    device = nodes[0].device()
    load = subprocess.Popen(
        ["fio", "--name=v", f"--filename={device}", "--direct=1", "--ioengine=libaio", "--iodepth=8", "--bs=4k",
         "--rw=randwrite", "--size=48m", "--verify=crc32c", "--verify_fatal=1", "--verify_state_save=0", "--output-format=terse"],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    rng = random.Random(3)
    for i in range(6):
        time.sleep(rng.uniform(0.2, 0.6))
        nodes[i % 2].kill_engine()
    out, _ = load.communicate(timeout=120)
    assert load.returncode == 0, out
    wait_for(lambda: both_up_to_date(nodes[0]), 60)
    size = int(check("blockdev", "--getsize64", device).stdout)
    for n in nodes:
        n.ok("down", "r0")
    with open(nodes[0].disk, "rb") as a, open(nodes[1].disk, "rb") as b:
        assert a.read(size) == b.read(size), "the two disks differ"


@pytest.mark.parametrize("protocol", ["A", "C"])
def test_random_deaths_of_every_process_on_both_nodes(make_node, protocol):
    nodes = [make_node(0), make_node(1)]
    for n in nodes:
        n.up()
    connect(nodes, f"--protocol={protocol}")
    for n in nodes:
        n.ok("peer-device-options", "r0", 1 - n.node_id, 0, "--c-plan-ahead=0", "--resync-rate=4G")
    wait_for(lambda: nodes[0].ok("cstate", "r0", 1).strip() == "Connected")
    nodes[0].ok("primary", "r0", "--force")
    wait_for(lambda: both_up_to_date(nodes[0]), 60)
    device = nodes[0].device()
    load = subprocess.Popen(
        ["fio", "--name=v", f"--filename={device}", "--direct=1", "--ioengine=libaio", "--iodepth=8", "--bs=4k",
         "--rw=randwrite", "--size=48m", "--verify=crc32c", "--verify_fatal=1", "--verify_state_save=0", "--fsync=64",
         "--loops=2", "--output-format=terse"],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    seed = random.randrange(1 << 32)
    rng = random.Random(seed)
    # open all the time: without a keeper the device ends when nobody holds it, and fio closes it between its loops
    with open(device, "rb", buffering=0):
        for _ in range(12):
            time.sleep(rng.uniform(0.2, 0.8))
            victim = rng.choice(nodes)
            if rng.random() < 0.7:
                victim.kill_engine()
            else:
                gone = victim.log().count("keeper-gone")
                os.kill(victim.keeper(), signal.SIGKILL)
                wait_for(lambda: victim.log().count("keeper-gone") > gone)
                victim.start()
        out, _ = load.communicate(timeout=180)
    assert load.returncode == 0, f"seed {seed}: {out}"
    wait_for(lambda: both_up_to_date(nodes[0]), 60)
    size = int(check("blockdev", "--getsize64", device).stdout)
    for n in nodes:
        wait_for(lambda: n.setup("down", "r0").returncode == 0, 30)
    with open(nodes[0].disk, "rb") as a, open(nodes[1].disk, "rb") as b:
        assert a.read(size) == b.read(size), f"seed {seed}: the two disks differ"


# ----------------------------------------------------------------------- idle


def test_an_idle_primary_uses_no_cpu(node):
    node.primary()
    time.sleep(1.5)
    pids = node.keeper(), node.engine()
    before = [(cpu_ticks(p), switches(p)) for p in pids]
    time.sleep(5)
    for p, (ticks, count) in zip(pids, before):
        assert cpu_ticks(p) - ticks <= 1
        assert switches(p) - count <= 10, "it wakes up although nothing happens"
