# SPDX-License-Identifier: GPL-2.0-or-later
"""bsrsetup against real bsrd processes: two nodes of one resource on this host, each with its own directories."""

import contextlib
import json
import os
import re
import select
import signal
import socket
import subprocess
import time

import pytest

from conftest import check, program, run

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="bsrd and loop devices need root")

SIZE_MIB = 64


def free_port():
    """A TCP port nobody uses now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Node:
    """One host: directories, a backing disk, and the words of its configuration."""

    def __init__(self, base, name, node_id, minor, loop):
        self.name, self.node_id, self.minor = name, node_id, minor
        self.base = base / name
        self.env = {}
        for variable in ("run", "lock", "log", "dev"):
            (self.base / variable).mkdir(parents=True)
            self.env[f"BSR_{variable.upper()}_DIR"] = str(self.base / variable)
        self.file = self.base / "disk"
        with open(self.file, "wb") as disk:
            disk.truncate(SIZE_MIB << 20)
        self.disk = loop(self.file)
        self.port = free_port()
        self.create_md()

    def create_md(self):
        check(program("bsrmeta"), "-", "v09", self.disk, "internal", "create-md", 3, "--force", env=self.env)

    def setup(self, *words, **kwargs):
        """bsrsetup on this node, whatever comes."""
        return run(program("bsrsetup"), *words, env=self.env, **kwargs)

    def ok(self, *words, **kwargs):
        return check(program("bsrsetup"), *words, env=self.env, **kwargs).stdout

    def fails(self, code, *words, **kwargs):
        result = self.setup(*words, **kwargs)
        assert result.returncode == code, f"{words}: {result.returncode}, not {code}\n{result.stderr}"
        return result.stderr

    def up(self, peer, connect=True, net=("--ping-int=2", "--connect-int=1")):
        self.ok("new-resource", "r0", self.node_id)
        self.ok("node-options", "r0", "--set-defaults", f"--node-name={self.name}")
        self.ok("new-minor", "r0", self.minor, 0)
        self.ok("new-peer", "r0", peer.node_id, f"--_name={peer.name}", f"--peer-node-name={peer.name}", *net)
        self.ok("new-path", "r0", peer.node_id, f"ipv4:127.0.0.1:{self.port}", f"ipv4:127.0.0.1:{peer.port}", 1)
        self.ok("peer-device-options", "r0", peer.node_id, 0, "--c-max-rate=1G")
        self.ok("attach", self.minor, self.disk, self.disk, "internal", "--al-extents=1237")
        self.ok("apply-persist-role", "r0")
        if connect:
            self.ok("connect", "r0", peer.node_id)

    def snapshot(self):
        return json.loads(self.ok("status", "r0", "--json"))[0]

    def pids(self):
        """Process ids of keeper and engine process of this node."""
        found = []
        for directory in os.listdir("/proc"):
            if directory.isdigit():
                with contextlib.suppress(OSError):
                    with open(f"/proc/{directory}/environ", "rb") as env, open(f"/proc/{directory}/comm") as comm:
                        mine = f"BSR_RUN_DIR={self.env['BSR_RUN_DIR']}".encode() in env.read().split(b"\0")
                        if mine and comm.read().strip().startswith("bsrd"):
                            found.append(int(directory))
        return found

    def end(self):
        self.setup("down", "r0", timeout=60)
        for pid in self.pids():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


def wait_for(what, seconds=30):
    """Until what() is true; the last value is in the failure."""
    deadline = time.monotonic() + seconds
    value = what()
    while not value and time.monotonic() < deadline:
        time.sleep(0.1)
        value = what()
    assert value
    return value


@pytest.fixture
def nodes(tmp_path, loop):
    """alice and bob, down, with fresh metadata."""
    minor = 600 + os.getpid() % 10000 * 2
    pair = (Node(tmp_path, "alice", 0, minor, loop), Node(tmp_path, "bob", 1, minor + 1, loop))
    yield pair
    for node in pair:
        node.end()


@pytest.fixture
def connected(nodes):
    alice, bob = nodes
    alice.up(bob)
    bob.up(alice)
    alice.ok("wait-connect-resource", "r0", "--wfc-timeout=20")
    bob.ok("wait-connect-resource", "r0", "--wfc-timeout=20")
    return nodes


@pytest.fixture
def synced(connected):
    """Initial sync done, alice Primary."""
    alice, bob = connected
    alice.ok("primary", "r0", "--force")
    alice.ok("wait-sync-resource", "r0", "--wfc-timeout=60")
    bob.ok("wait-sync-resource", "r0", "--wfc-timeout=60")
    return alice, bob


def test_status_after_up_is_as_documented(connected):
    alice, bob = connected
    for me, peer in ((alice, bob), (bob, alice)):
        assert me.ok("status", "r0") == ("r0 role:Secondary\n"
                                         "  disk:Inconsistent\n"
                                         f"  {peer.name} role:Secondary\n"
                                         "    peer-disk:Inconsistent\n\n")
        assert me.ok("role", "r0") == "Secondary\n"
        assert me.ok("cstate", "r0", peer.node_id) == "Connected\n"
        assert me.ok("dstate", me.minor) == "Inconsistent/Inconsistent\n"


def test_nothing_configured_and_unknown_names(nodes):
    alice, _ = nodes
    assert alice.ok("status").startswith("# No currently configured")
    assert json.loads(alice.ok("status", "--json")) == []
    assert alice.ok("events2", "--now") == "exists -\n"
    assert "not running" in alice.fails(10, "status", "r0")
    assert "what helps: bsradm up r0" in alice.fails(10, "primary", "r0")
    alice.fails(10, "dstate", 99999)
    alice.ok("down", "r0")
    alice.fails(20, "fly", "r0")
    alice.fails(20, "primary")
    alice.fails(20, "primary", "r0", "--fast")
    alice.fails(20, "attach", 0, "/a", "/b", "middle")


def test_first_promotion_syncs_and_secondary_takes_over(synced):
    alice, bob = synced
    assert alice.ok("status", "r0") == ("r0 role:Primary\n"
                                        "  disk:UpToDate\n"
                                        "  bob role:Secondary\n"
                                        "    peer-disk:UpToDate\n\n")
    error = bob.fails(11, "primary", "r0")
    assert "(-1)" in error and "bsradm secondary r0" in error
    alice.ok("secondary", "r0")
    bob.ok("primary", "r0")
    assert bob.ok("role", "r0") == "Primary\n"
    assert alice.ok("dstate", alice.minor) == "UpToDate/UpToDate\n"


def test_held_device_names_the_holder(synced):
    alice, _ = synced
    device = os.path.join(alice.env["BSR_DEV_DIR"], f"bsr{alice.minor}")
    with subprocess.Popen(["sleep", "300"], stdin=open(os.path.realpath(device), "rb")) as holder:
        try:
            error = alice.fails(11, "secondary", "r0")
            assert "(-12)" in error
            assert str(holder.pid) in error and "sleep" in error
            assert alice.ok("role", "r0") == "Primary\n"
        finally:
            holder.kill()
    wait_for(lambda: alice.setup("secondary", "r0").returncode == 0)


def test_statistics_json_and_identifiers(synced):
    alice, bob = synced
    text = alice.ok("status", "r0", "--verbose", "--statistics")
    assert re.search(r"^r0 node-id:0 role:Primary suspended:no\n    write-ordering:\w+ req-pending:\d+$", text, re.M)
    assert re.search(rf"^  volume:0 minor:{alice.minor} disk:UpToDate\n      size:\d+ read:\d+ written:\d+", text, re.M)
    assert re.search(r"^    volume:0 replication:Established peer-disk:UpToDate resync-suspended:no\n"
                     r"        received:\d+ sent:\d+ out-of-sync:0 pending:0 unacked:0$", text, re.M)
    assert all(len(line) <= 80 for line in text.splitlines())
    state = alice.snapshot()
    device, peer = state["devices"][0], state["connections"][0]["peer_devices"][0]
    assert (state["name"], state["node-id"], state["role"]) == ("r0", 0, "Primary")
    assert device["disk-state"] == "UpToDate" and 0 < device["size"] < SIZE_MIB * 1024
    assert peer["replication-state"] == "Established" and peer["out-of-sync"] == 0
    assert peer["sent"] >= device["size"]
    line = alice.ok("get-gi", "r0", 1, 0)
    assert re.fullmatch(r"([0-9A-F]{16}:){4}([01]:){11}[01]\n", line)
    assert line.strip() in alice.ok("show-gi", "r0", 1, 0)
    # same generation on both sides; bit 0 says which one is Primary
    assert int(line[:16], 16) & ~1 == int(bob.ok("get-gi", "r0", 0, 0)[:16], 16) & ~1


def test_show_is_what_was_configured(connected):
    alice, bob = connected
    text = alice.ok("show", "r0")
    for expected in ("resource r0 {", "node-id\t\t\t0;", 'node-name\t\t"alice";', f"device\t\t\tminor {alice.minor};",
                     f'disk\t\t\t"{alice.disk}";', "meta-disk\t\t\tinternal;", "al-extents      \t1237;",
                     "_peer_node_id 1;", '_peer_node_name\t"bob";', f"_this_host ipv4 127.0.0.1:{alice.port};",
                     f"_remote_host ipv4 127.0.0.1:{bob.port};", "ping-int        \t2;", "c-max-rate      \t1048576k;"):
        assert expected in text
    assert "_is_standalone" not in text
    assert "ko-count" not in text and "ko-count" in alice.ok("show", "r0", "--show-defaults")
    alice.ok("net-options", "r0", 1, "--ko-count=3")
    assert "ko-count        \t3;" in alice.ok("show") and "ping-int        \t2;" in alice.ok("show")
    alice.ok("net-options", "r0", 1, "--set-defaults", "--ko-count=4")
    assert "ping-int" not in alice.ok("show")
    alice.fails(20, "net-options", "r0", 1, "--ko-count=201")


class Events:
    """events2 running beside the test."""

    def __init__(self, node, *options):
        self.process = subprocess.Popen([program("bsrsetup"), "events2", *options], stdout=subprocess.PIPE,
                                        env=dict(os.environ, **node.env))
        self.lines = []
        self.rest = b""

    def until(self, pattern, seconds=20):
        """Reads until a line matches; returns the match."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            line, end, rest = self.rest.partition(b"\n")
            if end:
                self.rest = rest
                self.lines.append(line.decode())
                found = re.search(pattern, self.lines[-1])
                if found:
                    return found
            elif select.select([self.process.stdout], [], [], 0.5)[0]:
                more = os.read(self.process.stdout.fileno(), 65536)
                if more == b"":
                    break
                self.rest += more
        raise AssertionError(f"no line {pattern!r} in\n" + "\n".join(self.lines))

    def close(self):
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()


@contextlib.contextmanager
def events(node, *options):
    """events2 that ends with the block."""
    stream = Events(node, *options)
    try:
        yield stream
    finally:
        stream.close()


def test_events_follow_a_resource_from_its_beginning_to_its_end(nodes):
    alice, bob = nodes
    with events(alice) as stream:
        stream.until(r"^exists -$")
        alice.up(bob)
        stream.until(r"^create resource name:r0 role:Secondary suspended:no$")
        stream.until(rf"device name:r0 volume:0 minor:{alice.minor} disk:Inconsistent")
        bob.up(alice)
        stream.until(r"^change connection name:r0 peer-node-id:1 conn-name:bob .*role:Secondary$")
        stream.until(r"^change peer-device name:r0 peer-node-id:1 conn-name:bob volume:0 replication:Established")
        alice.ok("primary", "r0", "--force")
        stream.until(r"^change resource name:r0 role:Primary$")
        stream.until(r"^change peer-device .*replication:SyncSource")
        stream.until(r"^change peer-device .*replication:Established.*")
        alice.ok("secondary", "r0")
        stream.until(r"^change resource name:r0 role:Secondary$")
        alice.ok("down", "r0")
        stream.until(r"^destroy resource name:r0$")
        alice.up(bob)
        stream.until(r"^create resource name:r0")


def test_events_with_all_their_forms(synced):
    alice, _ = synced
    first = alice.ok("events2", "r0", "--now", "--timestamps", "--statistics").splitlines()
    assert all(re.match(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}[+-]\d\d:\d\d (exists|-)", line) for line in first)
    assert first[-1].endswith("exists -")
    assert any("al-writes:" in line for line in first)
    for line in alice.ok("events2", "r0", "--now", "--json").splitlines():
        assert {"timestamp", "action", "object"} <= set(json.loads(line))
    assert "role:UNKNOWN->Primary" in alice.ok("events2", "r0", "--now", "--diff")
    polled = alice.ok("events2", "r0", "--now", "--poll", answer="nnq")
    assert polled.count("exists -\n") == 3


def test_engine_process_is_replaced_under_events_and_status(synced):
    alice, _ = synced
    with events(alice, "r0") as stream:
        stream.until(r"^exists -$")
        engine = max(alice.pids())
        os.kill(engine, signal.SIGKILL)
        assert alice.ok("status", "r0").startswith("r0 role:Primary\n  disk:UpToDate")
        alice.ok("wait-connect-resource", "r0", "--wfc-timeout=30")
        stream.until(r"connection:Connected")
        # only the peer's side of things has changed: role and disk have not
        assert not any(re.search(r"^destroy| resource | device ", line) for line in stream.lines[10:]), stream.lines
        alice.ok("secondary", "r0")
        stream.until(r"^change resource name:r0 role:Secondary$")


def test_disconnected_writes_resync_and_progress_is_shown(synced):
    alice, bob = synced
    alice.ok("disconnect", "r0", 1)
    assert alice.ok("cstate", "r0", 1) == "StandAlone\n"
    assert "bsradm connect r0:bob" in alice.ok("why", "r0")
    assert "_is_standalone;" in alice.ok("show", "r0")
    device = os.path.join(alice.env["BSR_DEV_DIR"], f"bsr{alice.minor}")
    with open(os.path.realpath(device), "r+b", buffering=0) as disk:
        for _ in range(16):
            disk.write(os.urandom(1 << 20))
        os.fsync(disk.fileno())
    oos = alice.snapshot()["connections"][0]["peer_devices"][0]["out-of-sync"]
    assert 16 * 1024 <= oos < 48 * 1024
    alice.ok("connect", "r0", 1)
    bob.ok("connect", "r0", 0)
    alice.ok("wait-connect-resource", "r0", "--wfc-timeout=20")
    alice.ok("wait-sync-resource", "r0", "--wfc-timeout=60")
    assert alice.ok("dstate", alice.minor) == "UpToDate/UpToDate\n"
    assert alice.snapshot()["connections"][0]["peer_devices"][0]["out-of-sync"] == 0
    assert "nothing is wrong" in alice.ok("why", "r0")


def test_paused_sync_says_so(connected):
    alice, bob = connected
    alice.ok("peer-device-options", "r0", 1, 0, "--c-plan-ahead=0", "--resync-rate=2M")
    bob.ok("peer-device-options", "r0", 0, 0, "--c-plan-ahead=0", "--resync-rate=2M")
    alice.ok("primary", "r0", "--force")
    wait_for(lambda: "replication:SyncSource" in alice.ok("status", "r0"))
    text = alice.ok("status", "r0", "--statistics")
    assert re.search(r"replication:SyncSource peer-disk:Inconsistent done:\d+\.\d\d", text)
    assert re.search(r"out-of-sync:\d+ speed:\d+ want:\d+\s+eta:\S+", text)
    alice.ok("pause-sync", "r0", 1, 0)
    wait_for(lambda: "replication:PausedSyncS" in alice.ok("status", "r0"))
    assert "resync-suspended:user" in alice.ok("status", "r0")
    assert "bsradm resume-sync" in alice.ok("why", "r0:bob/0")
    alice.fails(5, "wait-sync-resource", "r0", "--wfc-timeout=1")
    alice.ok("resume-sync", "r0", 1, 0)
    wait_for(lambda: "replication:SyncSource" in alice.ok("status", "r0"))
    with events(alice, "r0", "--sync") as stream:
        stream.until(r"^sync peer-device name:r0 peer-node-id:1 conn-name:bob volume:0 out-of-sync:\d+ eta:\S+ done:\d")
    for node, peer in ((alice, 1), (bob, 0)):
        node.ok("peer-device-options", "r0", peer, 0, "--c-plan-ahead=0", "--resync-rate=1G")
    alice.ok("wait-sync-resource", "r0", "--wfc-timeout=60")


def test_refusals_have_their_exit_codes(connected):
    alice, bob = connected
    assert "(-2)" in alice.fails(17, "primary", "r0")
    assert "161" in alice.fails(10, "new-minor", "r0", alice.minor, 1)
    assert "124" in alice.fails(10, "attach", alice.minor, alice.disk, alice.disk, "internal")
    assert "159" in alice.fails(10, "del-resource", "r0")
    assert "162" in alice.fails(10, "new-resource", "r0", 0)
    alice.fails(5, "outdate", alice.minor)
    alice.ok("disconnect", "r0", 1)
    alice.ok("detach", alice.minor)
    assert alice.ok("dstate", alice.minor).startswith("Diskless")
    alice.fails(1, "get-gi", "r0", 1, 0)
    bob.ok("down", "r0")
    assert bob.pids() == []
    assert bob.ok("status").startswith("# No currently")


def test_disks_that_cannot_be_used_are_refused_clearly(nodes):
    alice, bob = nodes
    check("dd", "if=/dev/zero", f"of={alice.disk}", "bs=1M", f"count={SIZE_MIB}", "status=none")
    alice.ok("new-resource", "r0", 0)
    alice.ok("new-minor", "r0", alice.minor, 0)
    error = alice.fails(10, "attach", alice.minor, alice.disk, alice.disk, "internal")
    assert "(119)" in error and "create-md" in error
    error = alice.fails(10, "attach", alice.minor, "/no/such/disk", "/no/such/disk", "internal")
    assert "(104)" in error and "/no/such/disk" in error
    bob.ok("new-resource", "r0", 1)


def write_blocks(node, offset_mib, count=1):
    """Writes random MiB through the node's device, stable when it returns."""
    device = os.path.realpath(os.path.join(node.env["BSR_DEV_DIR"], f"bsr{node.minor}"))
    with open(device, "r+b", buffering=0) as disk:
        disk.seek(offset_mib << 20)
        for _ in range(count):
            disk.write(os.urandom(1 << 20))
        os.fsync(disk.fileno())


def test_split_brain_is_named_explained_and_resolved(synced):
    alice, bob = synced
    alice.ok("disconnect", "r0", 1)
    bob.ok("disconnect", "r0", 0)
    write_blocks(alice, 3)
    alice.ok("secondary", "r0")
    bob.ok("primary", "r0")
    write_blocks(bob, 9, 2)
    bob.ok("secondary", "r0")
    with events(alice, "r0") as stream:
        stream.until(r"^exists -$")
        for node, peer in ((alice, 1), (bob, 0)):
            node.ok("connect", "r0", peer)
        stream.until(r"^detect split-brain name:r0 peer-node-id:1 conn-name:bob volume:0 recover:manually$")
        stream.until(r"^change connection .*error:split-brain$")
    wait_for(lambda: "connection:StandAlone error:split-brain" in alice.ok("status", "r0"))
    wait_for(lambda: "connection:StandAlone error:split-brain" in bob.ok("status", "r0"))
    assert alice.ok("wait-connect-resource", "r0", "--wfc-timeout=10") == ""
    alice.fails(5, "wait-connect-resource", "r0", "--wfc-timeout=1", "--wait-after-sb")
    why = alice.ok("why", "r0:bob")
    assert "split-brain" in why and "discard-my-data" in why and "rule" in why
    bob.ok("connect", "r0", 0, "--discard-my-data")
    alice.ok("connect", "r0", 1)
    alice.ok("wait-connect-resource", "r0", "--wfc-timeout=20", "--wait-after-sb")
    alice.ok("wait-sync-resource", "r0", "--wfc-timeout=60")
    assert alice.ok("dstate", alice.minor) == "UpToDate/UpToDate\n"
    assert "error:" not in alice.ok("status", "r0")
    bytes_of_data = alice.snapshot()["devices"][0]["size"] * 1024
    alice.ok("down", "r0")
    bob.ok("down", "r0")
    with open(alice.file, "rb") as one, open(bob.file, "rb") as two:
        assert one.read(bytes_of_data) == two.read(bytes_of_data)


def test_other_secret_stays_standalone_with_a_reason(nodes):
    alice, bob = nodes
    secret = ("--cram-hmac-alg=sha256", "--connect-int=1")
    alice.up(bob, net=(*secret, "--shared-secret=one"))
    bob.up(alice, net=(*secret, "--shared-secret=two"))
    wait_for(lambda: alice.ok("cstate", "r0", 1) == "StandAlone\n" or bob.ok("cstate", "r0", 0) == "StandAlone\n")
    node, peer = (alice, bob) if alice.ok("cstate", "r0", 1) == "StandAlone\n" else (bob, alice)
    why = node.ok("why", f"r0:{peer.name}")
    assert "error configuration-mismatch" in why and "shared-secret differs" in why and "bsradm adjust" in why
    assert "secret" in (node.base / "log" / "r0.log").read_text()
    both = ((alice, 1), (bob, 0))
    for one, other in both:  # whoever connects while the other one has the old secret would be given up again
        one.ok("disconnect", "r0", other)
        one.ok("net-options", "r0", other, "--shared-secret=same")
    for one, other in both:
        one.ok("connect", "r0", other)
    alice.ok("wait-connect-resource", "r0", "--wfc-timeout=20", "--wait-after-sb")


def test_commands_on_data_and_their_results(synced):
    alice, bob = synced
    alice.ok("suspend-io", alice.minor)
    assert "suspended:user" in alice.ok("status", "r0")
    assert "blocked:upper" in alice.ok("status", "r0", "--verbose")
    alice.ok("resume-io", alice.minor)
    assert "suspended" not in alice.ok("status", "r0")
    alice.ok("secondary", "r0")
    before = bob.snapshot()["connections"][0]["peer_devices"][0]["received"]
    bob.ok("invalidate", bob.minor)
    bob.ok("wait-sync-resource", "r0", "--wfc-timeout=60")
    wait_for(lambda: bob.ok("dstate", bob.minor) == "UpToDate/UpToDate\n")
    assert bob.snapshot()["connections"][0]["peer_devices"][0]["received"] > before
    bob.ok("invalidate-remote", "r0", 0, 0)
    wait_for(lambda: bob.ok("dstate", bob.minor) == "UpToDate/UpToDate\n")
    # only what is marked, which is nothing: nothing is copied
    before = bob.snapshot()["connections"][0]["peer_devices"][0]["received"]
    bob.ok("invalidate", bob.minor, "--reset-bitmap=no")
    wait_for(lambda: bob.ok("dstate", bob.minor) == "UpToDate/UpToDate\n")
    assert bob.snapshot()["connections"][0]["peer_devices"][0]["received"] == before
    alice.ok("invalidate-remote", "r0", 1, 0, "--use-current-oos")
    wait_for(lambda: bob.ok("dstate", bob.minor) == "UpToDate/UpToDate\n")
    assert bob.snapshot()["connections"][0]["peer_devices"][0]["received"] == before
    assert "has data already" in alice.fails(10, "new-current-uuid", alice.minor, "--force-resync")
    alice.ok("primary", "r0")
    alice.ok("invalidate-remote", "r0", 1, 0, "--reset-bitmap=no")
    wait_for(lambda: bob.ok("dstate", bob.minor) == "UpToDate/UpToDate\n")
    assert bob.snapshot()["connections"][0]["peer_devices"][0]["received"] == before
    assert "(-6)" in bob.fails(11, "outdate", bob.minor)
    alice.ok("secondary", "r0")
    bob.ok("disconnect", "r0", 0)
    bob.ok("outdate", bob.minor)
    assert bob.ok("dstate", bob.minor).startswith("Outdated/")
    assert "(-2)" in bob.fails(17, "primary", "r0")


def test_two_starts_of_one_resource(nodes):
    alice, _ = nodes
    alice.ok("new-resource", "r0", 0)
    before = alice.pids()
    alice.fails(10, "new-resource", "r0", 0)
    assert sorted(alice.pids()) == sorted(before)
    second = run(program("bsrd"), "r0", env=alice.env)
    assert second.returncode == 3, second.stderr
    assert sorted(alice.pids()) == sorted(before)
    alice.ok("del-resource", "r0")
    wait_for(lambda: alice.pids() == [])


def test_hostile_clients_do_not_disturb(synced):
    alice, _ = synced
    path = os.path.join(alice.env["BSR_RUN_DIR"], "r0.sock")
    clients = []
    for _ in range(80):
        client = socket.socket(socket.AF_UNIX)
        client.connect(path)
        client.settimeout(10)
        clients.append(client)
    assert b"TOO_MANY" in b"".join(client.recv(4096) for client in clients[64:])
    for number, client in enumerate(clients[:64]):
        with contextlib.suppress(BrokenPipeError):
            client.sendall([b"\0" * 70000, b"{" * 100 + b"\n", b'{"id":1,"command":"subscribe"}\n' * 50,
                            b'{"id":1,"command":"status"}\n' * 2000][number % 4])
    for client in clients:
        client.close()
    wait_for(lambda: alice.setup("role", "r0").stdout == "Primary\n")
    log = (alice.base / "log" / "r0.log").read_text()
    assert "engine-died" not in log and "assertion" not in log


def test_persistent_role_comes_back_after_a_crash(synced):
    alice, bob = synced
    bob.ok("down", "r0")
    for how in (signal.SIGSTOP, signal.SIGKILL):  # as one: neither sees the other's end
        for pid in alice.pids():
            os.kill(pid, how)
    wait_for(lambda: alice.pids() == [])
    apply_al = (program("bsrmeta"), "-", "v09", alice.disk, "internal", "apply-al")
    wait_for(lambda: run(*apply_al, env=alice.env).returncode == 0)  # the kernel lets go of the disk a little later
    alice.ok("new-resource", "r0", 0)
    alice.ok("new-minor", "r0", alice.minor, 0)
    alice.ok("new-peer", "r0", 1, "--_name=bob")
    alice.ok("attach", alice.minor, alice.disk, alice.disk, "internal")
    alice.ok("apply-persist-role", "r0")
    assert alice.ok("role", "r0") == "Secondary\n"  # the option is off
    alice.ok("resource-options", "r0", "--persist-role=yes")
    alice.ok("apply-persist-role", "r0")
    assert alice.ok("role", "r0") == "Primary\n"
    alice.ok("secondary", "r0")
    alice.ok("apply-persist-role", "r0")
    assert alice.ok("role", "r0") == "Secondary\n"
