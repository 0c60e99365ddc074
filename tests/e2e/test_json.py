# SPDX-License-Identifier: GPL-2.0-or-later
"""--json of every command that prints facts: it parses, and says what the text says."""

import json
import os
import re
import shutil
import subprocess

import pytest

from bsradm_support import PLACES, RICH
from bsrmeta_support import MIB, make_image, meta, meta_ok
from conftest import program, run
from test_bsradm_cluster import Cluster, start, wait_for


def test_a_configuration(adm):
    adm.write(RICH)
    result = adm.plain("dump", "--json")
    assert result.returncode == 0 and result.stdout.count("\n") == 1
    config = json.loads(result.stdout)
    resource = config["resources"][0]
    assert (config["host"], resource["name"], resource["ignored"]) == ("alice", "a b", False)
    assert resource["options"]["quorum"] == "majority" and resource["connections"][0]["net"]["shared-secret"] == 'a b"c\\d'
    assert resource["hosts"][0]["volumes"][0]["disk"] == "/dev/s d'a1"
    assert resource["connections"][0]["net"]["timeout"] == "50"  # what is inherited holds, too
    assert [r["name"] for r in json.loads(adm.plain("dump", "--json", "r1").stdout)["resources"]] == ["r1"]
    # the same resources, minors and disks as in the text for scripts
    minors = [v["minor"] for r in config["resources"] if not r["ignored"] for h in r["hosts"] if h["this-host"]
              for v in h["volumes"]]
    assert [str(m) for m in minors] == adm.plain("sh-minor", "all").stdout.split()
    adm.write(PLACES)
    places = json.loads(adm.plain("dump", "--json").stdout)["resources"]
    assert [v["meta-index"] for v in places[0]["hosts"][0]["volumes"]] == ["0"]


def test_what_check_finds(adm):
    text = adm.plain("check", "r0")
    found = json.loads(adm.plain("check", "--json", "r0").stdout)
    assert found["name"] == "r0" and found["ready"] is False
    assert len(found["findings"]) == len(text.stdout.splitlines())
    worst = next(f for f in found["findings"] if f["severity"] == "bad")
    assert worst["text"] in text.stdout and worst["line"] > 0 and worst["file"] == str(adm.conf)


@pytest.mark.parametrize("fmt", ["v09", "v08"])
def test_metadata(tmp_path, fmt):
    image = make_image(tmp_path / "image", 64 * MIB)
    slots = ["3"] if fmt == "v09" else []
    if fmt == "v08":
        if not os.path.exists("/usr/sbin/drbdmeta"):
            pytest.skip("only drbdmeta makes v08 metadata")
        run("drbdmeta", "--force", "-", "v08", image, "internal", "create-md")
    else:
        meta_ok(image, "create-md", *slots)
    dump = json.loads(meta_ok(image, "--json", "dump-md", fmt=fmt))
    text = meta_ok(image, "dump-md", fmt=fmt)
    assert dump["format"] == fmt and f"# md_offset {dump['md-offset']}\n" in text
    assert f"0x{dump['current-uuid']};" in text and dump["clean"] is True
    assert len(dump["bitmaps"]) == (3 if fmt == "v09" else 1)
    bits = sum(bin(int(word, 16)).count("1") * count for word, count in dump["bitmaps"][-1]["words"])
    assert f"# bits-set {bits};" in text
    node = ["--node-id=1"] if fmt == "v09" else []
    gi = json.loads(meta_ok(image, "--json", *node, "get-gi", fmt=fmt))
    line = meta_ok(image, *node, "get-gi", fmt=fmt).strip().split(":")
    assert [gi["current"], gi["bitmap"], gi["history1"], gi["history2"]] == line[:4]
    assert [str(v) for v in gi["flags"].values()] == line[4:]
    assert json.loads(meta_ok(image, "--json", *node, "show-gi", fmt=fmt)) == gi
    state = json.loads(meta_ok(image, "--json", "dstate", fmt=fmt))
    assert state["disk-state"] == meta_ok(image, "dstate", fmt=fmt).strip()


def test_json_where_there_are_no_facts_is_refused(tmp_path):
    image = make_image(tmp_path / "image", 64 * MIB)
    result = meta(image, "--json", "create-md", "1")
    assert result.returncode == 10 and "does not take --json" in result.stderr


def test_changes_of_metadata_are_noted(tmp_path):
    image = make_image(tmp_path / "image", 64 * MIB)
    env = {"BSR_LOG_DIR": str(tmp_path)}
    assert meta(image, "create-md", "1", env=env).returncode == 0
    assert meta(image, "dump-md", env=env).returncode == 0  # only looks
    assert meta(image, "restore-md", "/no/such/file", env=env).returncode != 0
    noted = (tmp_path / "bsrmeta.log").read_text().splitlines()
    assert len(noted) == 2 and " create-md 1 -> 0" in noted[0] and "bsr_info" in noted[0]
    assert "restore-md /no/such/file -> " in noted[1] and "bsr_erro" in noted[1]


@pytest.mark.skipif(shutil.which("strace") is None, reason="strace is missing")
def test_zeroing_a_large_bitmap_shows_how_long(tmp_path):
    """In pieces, with rate and time left; strace makes each of them slow."""
    image = make_image(tmp_path / "image", 256 << 30)
    result = run("strace", "-qq", "-o", "/dev/null", "-e", "inject=fallocate:delay_enter=600000", program("bsrmeta"), "--force",
                 "--verbose", "-", "v09", image, "internal", "create-md", "31")
    assert result.returncode == 0, result.stderr
    shown = re.findall(r"zeroing: (\d+)% of 248 MiB, \d+ MiB/s, (\d+):(\d\d):(\d\d) left", result.stderr)
    assert len(shown) >= 2 and [int(s[0]) for s in shown] == sorted(int(s[0]) for s in shown), result.stderr


@pytest.fixture(name="cluster")
def fixture_cluster(tmp_path):
    if os.geteuid() != 0:
        pytest.skip("needs root")
    made = Cluster(tmp_path)
    yield made
    made.stop()


def test_a_running_resource(cluster):
    alice = cluster.alice
    start(cluster)
    alice.ok("primary", "--force", "r0")
    wait_for(lambda: alice.ok("dstate", "r0") == "UpToDate/UpToDate\n")

    def asked(*words):
        return json.loads(alice.ok(*words))

    assert asked("role", "--json", "r0") == {"name": "r0", "role": "Primary"}
    assert asked("cstate", "--json", "r0") == {"name": "r0", "peer-node-id": 1, "conn-name": "bob",
                                               "connection-state": "Connected"}
    assert asked("dstate", "--json", "r0") == {
        "name": "r0", "volume": 0, "minor": cluster.minor, "disk-state": "UpToDate",
        "peers": [{"peer-node-id": 1, "conn-name": "bob", "peer-disk-state": "UpToDate"}]}
    gi = asked("get-gi", "--json", "r0")
    line = alice.ok("get-gi", "r0").strip().split(":")
    assert [gi["current"], gi["bitmap"], gi["history1"], gi["history2"]] == line[:4]
    assert str(gi["flags"]["primary-ind"]) == line[6] and asked("show-gi", "--json", "r0") == gi
    assert asked("why", "--json", "r0")["facts"] == []
    shown = json.loads(run(program("bsrsetup"), "show", "--json", env=alice.env).stdout)
    assert shown[0]["resource"] == "r0" and shown[0]["_this_host"]["volumes"][0]["device_minor"] == cluster.minor
    assert shown[0]["connections"][0]["net"]["_name"] == "bob"
    assert shown[0]["connections"][0]["volumes"][0]["disk"] == {"c-max-rate": "1G", "c-min-rate": "0"}
    everything = json.loads(run(program("bsrsetup"), "show", "--json", "--show-defaults", env=alice.env).stdout)
    assert everything[0]["connections"][0]["net"]["ping-timeout"] == "30"
    cluster.bob.ok("down", "r0")
    wait_for(lambda: asked("cstate", "--json", "r0")["connection-state"] == "Connecting")
    fact = asked("why", "--json", "r0")["facts"][0]
    assert fact["name"] == "bob" and fact["remedy"] in alice.ok("why", "r0")
    alice.ok("secondary", "r0")
    alice.ok("down", "r0")
    assert asked("dstate", "--json", "r0")["disk-state"] in ("UpToDate", "Consistent")  # of the metadata
    assert len(asked("get-gi", "--json", "r0")["current"]) == 16


class Lines:
    """events2 in the background, line by line."""

    def __init__(self, host, *words):
        env = dict(os.environ, LC_ALL="C", **host.env)
        self.process = subprocess.Popen([program("bsrsetup"), "events2", "r0", "--json", *words], env=env, text=True,
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def until(self, wanted):
        seen = []
        while not seen or not wanted(seen[-1]):
            line = self.process.stdout.readline()
            assert line, "events2 ended"
            seen.append(json.loads(line))
        return seen

    def end(self):
        self.process.kill()
        self.process.wait()
        self.process.stdin.close()
        self.process.stdout.close()


def dumped(line):
    return line["action"] == "exists" and line["object"] == "-"


def test_events_go_on_where_a_reader_stopped(cluster):
    alice, bob = cluster.hosts
    start(cluster)
    first = Lines(alice, "--cursor")
    cursor = first.until(dumped)[0]["cursor"]
    first.end()
    again = Lines(alice, "--cursor", f"--resume={cursor}")
    assert len(again.until(dumped)) == 1  # nothing has happened: nothing is repeated
    alice.ok("primary", "--force", "r0")
    seen = again.until(lambda line: line["object"] == "resource" and line.get("role") == "Primary")
    cursor = seen[-1]["cursor"]
    again.end()
    bob.ok("disconnect", "r0")
    wait_for(lambda: alice.ok("cstate", "r0") != "Connected\n")
    late = Lines(alice, f"--resume={cursor}")
    told = late.until(dumped)
    late.end()
    assert told[0]["action"] == "skipped" and told[0]["count"] > 0
    assert told[1]["action"] == "exists" and told[1]["object"] == "resource"
    other = Lines(alice, "--resume=0123456789abcdef:5")  # of a process that is gone
    assert other.until(dumped)[0]["count"] == -1
    other.end()
    refused = run(program("bsrsetup"), "events2", "--resume=x:1", env=alice.env)
    assert refused.returncode == 20 and "one resource" in refused.stderr


def test_events_ask_again_on_demand(cluster):
    """Counters change without an event; --full shows all fields of what has changed."""
    alice = cluster.alice
    start(cluster)
    alice.ok("primary", "--force", "r0")
    wait_for(lambda: alice.ok("dstate", "r0") == "UpToDate/UpToDate\n")
    follow = Lines(alice, "--poll", "--full")
    follow.until(dumped)
    with open(alice.dir / "dev" / f"bsr{cluster.minor}", "r+b", buffering=0) as device:
        os.pwrite(device.fileno(), b"x" * 65536, 1 << 20)
        os.fsync(device.fileno())
    follow.process.stdin.write("\nn")
    follow.process.stdin.flush()
    change = follow.until(lambda line: line["object"] == "device" and line.get("written", 0) >= 64)[-1]
    assert change["action"] == "change" and change["disk"] == "UpToDate" and "al-writes" in change
    follow.process.stdin.write("q")
    follow.process.stdin.flush()
    assert follow.process.wait(10) == 0
    follow.end()
