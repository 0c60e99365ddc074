# SPDX-License-Identifier: GPL-2.0-or-later
"""bsradm on real resources: two hosts' worth of processes on this machine, brought up, changed and taken down."""

import json
import os
import re
import shlex
import signal
import socket
import time

import pytest

from conftest import program, run
from node import free_ports

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="needs root")

CREATE_MD = """\
initializing activity log
NOT initializing bitmap
Writing meta data...
New bsr meta data block successfully created.
"""
MIB = 1 << 20
PATHS = ("daemon", "tools/bsradm", "tools/bsrsetup", "tools/bsrmeta")


class Host:
    def __init__(self, base, name):
        self.name = name
        self.dir = base / name
        self.env = {"__BSR_NODE__": name, "BSR_CONF_DIR": str(base), "BSR_POOL_MIB": "32"}
        for part, variable in (("run", "BSR_RUN_DIR"), ("lock", "BSR_LOCK_DIR"), ("log", "BSR_LOG_DIR"),
                               ("lib", "BSR_LIB_DIR"), ("dev", "BSR_DEV_DIR")):
            (self.dir / part).mkdir(parents=True)
            self.env[variable] = str(self.dir / part)

    def disk(self, name, size=16 * MIB):
        path = self.dir / name
        if not path.exists():
            with open(path, "wb") as f:
                f.truncate(size)
        return path

    def __call__(self, *words, timeout=90):
        return run(program("bsradm"), *words, env=self.env, timeout=timeout)

    def ok(self, *words):
        result = self(*words)
        log = self.dir / "log" / "r0.log"
        assert result.returncode == 0, f"{self.name}: bsradm {' '.join(words)}: {result.returncode}\n{result.stdout}" \
                                       f"{result.stderr}\n{log.read_text()[-3000:] if log.exists() else ''}"
        return result.stdout


class Cluster:
    def __init__(self, base):
        self.base = base
        self.ports = free_ports(4)
        self.minor = 3000 + os.getpid() % 50000 * 8
        self.alice, self.bob = Host(base, "alice"), Host(base, "bob")
        self.hosts = (self.alice, self.bob)
        self.configure()

    def configure(self, net="", disk="c-max-rate 1G; c-min-rate 0;", volumes=1, ports=None):
        ports = ports or self.ports[:2]
        sections = []
        for node_id, host in enumerate(self.hosts):
            parts = "".join(f" volume {v} {{ device minor {self.minor + 2 * v + node_id}; disk {host.disk(f'disk{v}')};"
                            " meta-disk internal; }\n" for v in range(volumes))
            sections.append(f" on {host.name} {{ node-id {node_id}; address 127.0.0.1:{ports[node_id]};\n{parts} }}\n")
        (self.base / "bsr.conf").write_text(
            "global { usage-count no; disable-ip-verification; }\n"
            f"common {{ net {{ cram-hmac-alg sha256; shared-secret \"a b\\\"c\"; {net} }} disk {{ {disk} }} }}\n"
            "resource r0 {\n" + "".join(sections) + "}\n")

    def stop(self):
        for host in self.hosts:
            host("down", "r0", timeout=30)
            for name in ("r0.pid", "r0.engine"):
                path = host.dir / "run" / name
                if path.exists():
                    try:
                        os.kill(int(path.read_text()), signal.SIGKILL)
                    except (ProcessLookupError, ValueError):
                        pass


@pytest.fixture
def cluster(tmp_path):
    made = Cluster(tmp_path)
    yield made
    made.stop()


def wait_for(what, seconds=20):
    end = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.1)


def start(cluster):
    for host in cluster.hosts:
        assert host.ok("create-md", "r0") == CREATE_MD
    for host in cluster.hosts:
        host.ok("up", "r0")
    for host in cluster.hosts:
        host.ok("wait-connect", "r0")
    wait_for(lambda: cluster.alice.ok("cstate", "r0") == "Connected\n")


def settled(host):
    """adjust would change nothing."""
    return host.ok("-d", "adjust", "r0") == "bsrsetup apply-persist-role r0 \n"


def test_the_first_day_of_a_resource(cluster):
    alice, bob = cluster.hosts
    start(cluster)
    wait_for(lambda: alice.ok("status", "r0") ==
             "r0 role:Secondary\n  disk:Inconsistent\n  bob role:Secondary\n    peer-disk:Inconsistent\n\n")
    assert all(settled(host) for host in cluster.hosts)
    alice.ok("primary", "--force", "r0")
    assert alice.ok("role", "r0") == "Primary\n"
    shown = alice.ok("--progress", "wait-sync", "r0")
    assert shown.endswith("r0: no resync is running\n")
    bob.ok("wait-sync", "r0")
    assert alice.ok("dstate", "r0") == "UpToDate/UpToDate\n" and bob.ok("dstate", "r0") == "UpToDate/UpToDate\n"
    generations = [int(host.ok("get-gi", "r0").split(":")[0], 16) | 1 for host in cluster.hosts]
    assert generations[0] == generations[1]  # but for the lowest bit, which says Primary
    refused = alice("detach", "r0")
    assert refused.returncode == 11 and "bsradm secondary r0" in refused.stderr
    alice.ok("secondary", "r0")
    bob.ok("primary", "r0")
    assert bob.ok("role", "r0") == "Primary\n"
    for host in (bob, alice):
        host.ok("down", "r0")
        host.ok("down", "r0")  # what is down stays down
    for host in cluster.hosts:
        wait_for(lambda: not (host.dir / "run" / "r0.sock").exists())
        assert not [name for name in os.listdir(host.dir / "run") if name.endswith(".conf")]


def test_metadata_speak_for_a_resource_that_does_not_run(cluster):
    start(cluster)
    cluster.alice.ok("primary", "--force", "r0")
    cluster.alice.ok("wait-sync", "r0")
    running = cluster.alice.ok("get-gi", "r0").strip().split(":")
    cluster.bob.ok("down", "r0")
    cluster.alice.ok("down", "r0")
    stopped = cluster.alice.ok("get-gi", "r0").strip().split(":")
    assert stopped[2:4] == running[2:4] and len(stopped[0]) == 16
    assert cluster.bob.ok("dstate", "r0") in ("UpToDate\n", "Consistent\n")
    cluster.bob.ok("apply-al", "r0")
    assert 'version "v09";' in cluster.bob.ok("dump-md", "r0")
    cluster.bob.ok("outdate", "r0")
    assert cluster.bob.ok("dstate", "r0") == "Outdated\n"
    cluster.bob.ok("wipe-md", "--force", "r0")
    assert cluster.bob("dump-md", "r0").returncode == 255


@pytest.mark.parametrize("change", [
    {"net": "ping-int 9; timeout 55; max-epoch-size 100;"},
    {"net": "protocol A; on-congestion pull-ahead; congestion-fill 1M;"},
    {"disk": "c-max-rate 500M; c-plan-ahead 0; resync-rate 100M;"},
    {"disk": "c-max-rate 1G; c-min-rate 0; al-extents 257; on-io-error detach; disk-timeout 100;"},
])
def test_adjust_applies_changed_options_and_nothing_else(cluster, change):
    start(cluster)
    for configuration in (change, {}):
        cluster.configure(**configuration)
        assert not any(settled(host) for host in cluster.hosts)
        # while only one side has a new protocol the two may part; the second round connects them again
        for host in cluster.hosts * 2:
            host.ok("adjust", "r0")
        for host in cluster.hosts:
            host.ok("wait-connect", "--wfc-timeout=20", "r0")
        wait_for(lambda: all(settled(host) for host in cluster.hosts))
        assert cluster.alice.ok("cstate", "r0") == "Connected\n"


def test_adjust_adds_and_removes_a_volume(cluster):
    start(cluster)
    cluster.configure(volumes=2)
    for host in cluster.hosts:
        host.ok("create-md", "r0/1")
        host.ok("adjust", "r0")
        assert settled(host)
    for host in cluster.hosts:
        assert len(host.ok("dstate", "r0").splitlines()) == 2
    cluster.configure(volumes=1)
    for host in cluster.hosts:
        host.ok("adjust", "r0")
        assert settled(host)
        assert len(host.ok("dstate", "r0").splitlines()) == 1


def test_adjust_moves_a_connection_to_other_addresses(cluster):
    start(cluster)
    cluster.configure(ports=cluster.ports[2:])
    for host in cluster.hosts:
        host.ok("adjust", "r0")
    for host in cluster.hosts:
        host.ok("wait-connect", "--wfc-timeout=20", "r0")
        assert settled(host)
    shown = run(program("bsrsetup"), "show", "r0", env=cluster.alice.env).stdout
    assert str(cluster.ports[2]) in shown and str(cluster.ports[0]) not in shown
    for old in cluster.ports[:2]:  # free for others, and nobody comes in by it
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", old), 5).close()


def test_adjust_starts_and_reconnects(cluster):
    for host in cluster.hosts:
        host.ok("create-md", "r0")
        host.ok("adjust", "r0")
    cluster.alice.ok("wait-connect", "r0")
    cluster.alice.ok("disconnect", "r0")
    assert cluster.alice.ok("cstate", "r0") == "StandAlone\n"
    cluster.alice.ok("adjust", "r0")
    cluster.alice.ok("wait-connect", "r0")
    cluster.alice.ok("detach", "r0")
    assert cluster.alice.ok("status", "r0").count("disk:Diskless") == 1
    cluster.alice.ok("adjust", "r0")
    assert settled(cluster.alice)


def test_uninitialised_metadata_are_refused_in_clear_words(cluster):
    for host in cluster.hosts:
        host.disk("disk0")
    result = cluster.alice("up", "r0")
    assert result.returncode == 1
    assert re.search(r"create-md", result.stderr), result.stderr


def test_another_secret_is_never_connected(cluster):
    start(cluster)
    cluster.bob.ok("disconnect", "r0")
    text = (cluster.base / "bsr.conf").read_text()
    (cluster.base / "bsr.conf").write_text(text.replace('a b\\"c', "other"))
    cluster.bob.ok("adjust", "r0")
    time.sleep(2)
    assert cluster.bob.ok("cstate", "r0") != "Connected\n"


def test_another_protocol_needs_no_hand_after_adjust(cluster):
    """Each host is adjusted when its administrator comes by; the link comes back when both have been."""
    alice, bob = cluster.hosts
    start(cluster)
    alice.ok("primary", "--force", "r0")
    alice.ok("wait-sync", "r0")
    cluster.configure(net="protocol A; connect-int 1;")
    told = alice("adjust", "r0")
    assert told.returncode == 0 and "the protocol changes" in told.stderr and "bob has" not in told.stderr
    wait_for(lambda: "connection:Connecting error:configuration-mismatch" in alice.ok("status", "r0"))
    why = alice.ok("why", "r0")
    assert "another protocol" in why and "bsradm adjust r0" in why
    time.sleep(3)  # several attempts
    assert "error:configuration-mismatch" in bob.ok("status", "r0")
    bob.ok("adjust", "r0")
    for host in cluster.hosts:
        wait_for(lambda host=host: host.ok("cstate", "r0") == "Connected\n", seconds=10)
        assert settled(host) and "error" not in host.ok("status", "r0")


def test_up_goes_on_after_every_step_of_an_interrupted_up(cluster):
    alice, bob = cluster.hosts
    start(cluster)
    alice.ok("down", "r0")
    calls = alice.ok("-d", "up", "r0").splitlines()
    assert len(calls) > 7
    for steps in range(1, len(calls) + 1):
        for call in calls[:steps]:
            tool, *words = shlex.split(call)
            result = run(program(tool), *words, env=dict(alice.env, BSRMETA_ALLOW_FILES="1"))
            assert result.returncode == 0, (call, result.stderr)
        alice.ok("up", "r0")
        wait_for(lambda: alice.ok("cstate", "r0") == "Connected\n", seconds=10)
        assert alice.ok("adjust", "-d", "r0").splitlines() == ["bsrsetup apply-persist-role r0 "]
        alice.ok("up", "r0")
        alice.ok("down", "r0")


def test_up_connects_also_without_a_disk_and_says_so(cluster):
    alice, bob = cluster.hosts
    for host in cluster.hosts:
        host.ok("create-md", "r0")
    os.rename(alice.disk("disk0"), alice.dir / "away")
    bob.ok("up", "r0")
    result = alice("up", "r0")
    assert result.returncode == 1 and "has no disk now; all else went on" in result.stderr
    wait_for(lambda: alice.ok("cstate", "r0") == "Connected\n")
    assert "disk:Diskless" in alice.ok("status", "r0")
    os.rename(alice.dir / "away", alice.disk("disk0"))
    alice.ok("attach", "r0")
    wait_for(lambda: alice.ok("dstate", "r0").startswith("Inconsistent/"))


def test_open_devices_and_used_paths_are_shown(cluster):
    alice = cluster.alice
    start(cluster)
    alice.ok("primary", "--force", "r0")

    def shown():
        return json.loads(run(program("bsrsetup"), "status", "r0", "--json", env=alice.env).stdout)[0]

    assert shown()["devices"][0]["open"] is False
    with open(alice.dir / "dev" / f"bsr{cluster.minor}", "rb"):
        assert shown()["devices"][0]["open"] is True
    assert [path["established"] for path in shown()["connections"][0]["paths"]] == [True]
    # a second path that is not used
    other = [f"ipv4:127.0.0.1:{port}" for port in cluster.ports[2:4]]
    assert run(program("bsrsetup"), "new-path", "r0", "1", *other, env=alice.env).returncode == 0
    states = {path["this_host"]["port"]: path["established"] for path in shown()["connections"][0]["paths"]}
    assert states == {cluster.ports[0]: True, cluster.ports[2]: False}
