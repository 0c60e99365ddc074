# SPDX-License-Identifier: GPL-2.0-or-later
"""bsradm: the configuration it reads, the calls it makes, the codes it returns.

Back ends are scripts that write down how they were called and answer as a test wants, so that every code and every
answer can be had. Where DRBD's drbdadm is installed it is asked the same questions.
"""

import os
import re
import shutil
import subprocess
import time
import xml.etree.ElementTree as ElementTree

import pytest

from conftest import program, run

EXAMPLE = """
global { usage-count no; disable-ip-verification; }
common {
  net { protocol C; ping-int 7; }
  disk { al-extents 1237; c-max-rate 4M; }
  options { quorum majority; persist-role yes; svc-auto-up no; }
  startup { wfc-timeout 10; }
}
resource r0 {
  device minor 0; disk /dev/sda1; meta-disk internal;
  on alice { node-id 0; address 10.1.1.31:7000; }
  on bob { node-id 1; address 10.1.1.32:7000; }
}
"""

FAKE = """#!/bin/sh
name=$(basename "$0")
echo "$name $*" >> "$FAKE_DIR/calls"
echo "$name BSRMETA_ALLOW_FILES=$BSRMETA_ALLOW_FILES" >> "$FAKE_DIR/env"
if [ "$name" = bsrmeta ]; then command=$5; else command=$1; fi
[ -f "$FAKE_DIR/sleep.$command" ] && exec sleep "$(cat "$FAKE_DIR/sleep.$command")"
[ -f "$FAKE_DIR/out.$command" ] && cat "$FAKE_DIR/out.$command"
[ -f "$FAKE_DIR/rc.$command.$2" ] && exit "$(cat "$FAKE_DIR/rc.$command.$2")"
[ -f "$FAKE_DIR/rc.$command" ] && exit "$(cat "$FAKE_DIR/rc.$command")"
exit 0
"""


class Admin:
    """bsradm on a made-up host, with fake back ends in a directory of its own."""

    def __init__(self, directory):
        self.dir = directory
        self.conf = directory / "bsr.conf"
        self.env = {"__BSR_NODE__": "alice", "FAKE_DIR": str(directory), "BSR_RUN_DIR": str(directory / "run"),
                    "BSR_CONF_DIR": str(directory), "BSR_LOG_DIR": str(directory)}
        for name in ("bsrsetup", "bsrmeta"):
            fake = directory / name
            fake.write_text(FAKE)
            fake.chmod(0o755)
        self.write(EXAMPLE)

    def write(self, text, name="bsr.conf"):
        (self.dir / name).write_text(text)

    def answer(self, command, output=None, code=None, sleep=None):
        for kind, value in (("out", output), ("rc", code), ("sleep", sleep)):
            if value is not None:
                (self.dir / f"{kind}.{command}").write_text(str(value))

    def __call__(self, *words, answer="", env=None, timeout=60):
        return run(program("bsradm"), "-s", self.dir / "bsrsetup", "-m", self.dir / "bsrmeta", *words, answer=answer,
                   env=dict(self.env, **(env or {})), timeout=timeout)

    def plain(self, *words, env=None, answer=""):
        """Without -s and -m: back ends are printed by their usual names."""
        return run(program("bsradm"), *words, env=dict(self.env, **(env or {})), answer=answer)

    def dry(self, *words, env=None):
        result = self.plain("-d", *words, env=env)
        assert result.returncode == 0, result.stderr
        return result.stdout

    def calls(self):
        path = self.dir / "calls"
        lines = path.read_text().splitlines() if path.exists() else []
        if path.exists():
            path.unlink()
        return lines


@pytest.fixture
def adm(tmp_path):
    return Admin(tmp_path)


# --- dry runs -------------------------------------------------------------------------------------------------------

UP = """\
bsrsetup new-resource r0 0 --persist-role=yes --quorum=majority 
bsrsetup node-options r0 --set-defaults --svc-auto-up=no --node-name=alice 
bsrsetup new-minor r0 0 0 
bsrsetup new-peer r0 1 --_name=bob --peer-node-name=bob --protocol=C --ping-int=7 
bsrsetup new-path r0 1 ipv4:10.1.1.31:7000 ipv4:10.1.1.32:7000 1 
bsrsetup peer-device-options r0 1 0 --c-max-rate=4M 
bsrmeta 0 v09 /dev/sda1 internal apply-al 
bsrsetup attach 0 /dev/sda1 /dev/sda1 internal --al-extents=1237 
bsrsetup apply-persist-role r0 
bsrsetup connect r0 1 
"""


@pytest.mark.parametrize("words, expected", [
    ("up r0", UP),
    ("up all", UP),
    ("down r0", "bsrsetup down r0 \n"),
    ("primary --force r0", "bsrsetup check-fs 0 \nbsrsetup primary r0 --force \n"),
    ("primary --force --skip-check-fs r0", "bsrsetup primary r0 --force \n"),
    ("primary r0", "bsrsetup primary r0 \n"),
    ("secondary r0", "bsrsetup secondary r0 \n"),
    ("create-md --force --max-peers=5 r0", "bsrmeta 0 v09 /dev/sda1 internal create-md 5 --force \n"),
    ("create-md r0", "bsrmeta 0 v09 /dev/sda1 internal create-md 1 \n"),
    ("wait-connect r0", "bsrsetup wait-connect-resource r0 --wfc-timeout=10 \n"),
    ("wait-connect r0:bob", "bsrsetup wait-connect-connection r0 1 --wfc-timeout=10 \n"),
    ("wait-connect r0:bob/0", "bsrsetup wait-connect-volume r0 1 0 --wfc-timeout=10 \n"),
    ("wait-sync --wfc-timeout 3 r0", "bsrsetup wait-sync-resource r0 --wfc-timeout=3 \n"),
    ("attach r0", "bsrmeta 0 v09 /dev/sda1 internal apply-al \n"
                  "bsrsetup attach 0 /dev/sda1 /dev/sda1 internal --al-extents=1237 \n"),
    ("attach --al-extents=99 r0/0", "bsrmeta 0 v09 /dev/sda1 internal apply-al \n"
                                    "bsrsetup attach 0 /dev/sda1 /dev/sda1 internal --al-extents=99 \n"),
    ("detach --force r0", "bsrsetup detach 0 --force \n"),
    ("connect --discard-my-data r0", "bsrsetup connect r0 1 --discard-my-data \n"),
    ("disconnect --force r0:bob", "bsrsetup disconnect r0 1 --force \n"),
    ("net-options --ping-int=9 r0", "bsrsetup net-options r0 1 --_name=bob --peer-node-name=bob --protocol=C "
                                    "--ping-int=9 \n"),
    ("disk-options --al-extents=99 r0", "bsrsetup disk-options 0 --al-extents=99 \n"),
    ("peer-device-options --c-min-rate=1M r0",
     "bsrsetup peer-device-options r0 1 0 --c-max-rate=4M --c-min-rate=1M \n"),
    ("resource-options --quorum=off r0", "bsrsetup resource-options r0 --quorum=off \n"),
    ("node-options r0", "bsrsetup node-options r0 --svc-auto-up=no --node-name=alice \n"),
    ("new-resource r0", "bsrsetup new-resource r0 0 --persist-role=yes --quorum=majority \n"),
    ("new-minor r0", "bsrsetup new-minor r0 0 0 \n"),
    ("new-path r0", "bsrsetup new-path r0 1 ipv4:10.1.1.31:7000 ipv4:10.1.1.32:7000 1 \n"),
    ("del-path r0", "bsrsetup del-path r0 1 ipv4:10.1.1.31:7000 ipv4:10.1.1.32:7000 \n"),
    ("del-peer r0", "bsrsetup del-peer r0 1 \n"),
    ("del-minor minor-0", "bsrsetup del-minor 0 \n"),
    ("role r0", "bsrsetup role r0 \n"),
    ("status r0", "bsrsetup status r0 \n"),
    ("status", "bsrsetup status \n"),
    ("why r0", "bsrsetup why r0 \n"),
    ("why r0:bob", "bsrsetup why r0:1 \n"),
    ("why r0:bob/0", "bsrsetup why r0:1/0 \n"),
    ("cstate r0", "bsrsetup cstate r0 1 \n"),
    ("dstate r0", "bsrsetup dstate 0 \n"),
    ("show-gi r0", "bsrsetup show-gi r0 1 0 \n"),
    ("get-gi r0:bob/0", "bsrsetup get-gi r0 1 0 \n"),
    ("invalidate r0", "bsrsetup invalidate 0 \n"),
    ("invalidate r0:bob", "bsrsetup invalidate 0 --sync-from-peer-node-id=1 \n"),
    ("invalidate-remote r0:bob", "bsrsetup invalidate-remote r0 1 0 \n"),
    ("pause-sync r0", "bsrsetup pause-sync r0 1 0 \n"),
    ("resume-sync r0", "bsrsetup resume-sync r0 1 0 \n"),
    ("outdate r0", "bsrsetup outdate 0 \n"),
    ("new-current-uuid --clear-bitmap r0/0", "bsrsetup new-current-uuid 0 --clear-bitmap \n"),
    ("apply-al r0", "bsrmeta 0 v09 /dev/sda1 internal apply-al \n"),
    ("wipe-md --force r0", "bsrmeta 0 v09 /dev/sda1 internal wipe-md --force \n"),
    ("dump-md r0", "bsrmeta 0 v09 /dev/sda1 internal dump-md \n"),
    ("-n RES down r0", "RES=r0\nbsrsetup down r0 \n"),
    ("-W --force disconnect r0", "bsrsetup disconnect r0 1 --force \n"),
])
def test_dry_run_prints_exactly_the_calls(adm, words, expected):
    assert adm.dry(*words.split()) == expected


def test_dry_run_runs_nothing(adm):
    assert adm("-d", "up", "r0").returncode == 0
    assert adm.calls() == []


PLACES = """
resource slot { device minor 10; disk /dev/sdb1; meta-disk /dev/sdm [0];
  on alice { node-id 0; address ipv6 [fd01::3]:7001; } on bob { node-id 1; address ipv6 [fd01::4]:7001; } }
resource flex { device minor 11; disk /dev/sdb2; meta-disk /dev/sdm2;
  on alice { node-id 0; address 10.1.1.1:7002; } on bob { node-id 1; address 10.1.1.2:7002; } }
resource loop { device minor 12; disk /dev/sdb3; meta-disk /dev/loop3 /etc/bsr.d/meta/a;
  on alice { node-id 0; address 10.1.1.1:7003; } on bob { node-id 1; address 10.1.1.2:7003; } }
resource none { device minor 13; meta-disk internal;
  on alice { node-id 0; address 10.1.1.1:7004; disk none; } on bob { node-id 1; address 10.1.1.2:7004; disk /dev/x; } }
"""


@pytest.mark.parametrize("words, expected", [
    ("attach slot", "bsrmeta 10 v09 /dev/sdm 0 apply-al \nbsrsetup attach 10 /dev/sdb1 /dev/sdm 0 \n"),
    ("attach flex", "bsrmeta 11 v09 /dev/sdm2 flex-external apply-al \n"
                    "bsrsetup attach 11 /dev/sdb2 /dev/sdm2 flexible \n"),
    ("apply-al loop", "bsrmeta 12 v09 /dev/loop3 /etc/bsr.d/meta/a apply-al \n"),
    ("new-path slot", "bsrsetup new-path slot 1 ipv6:\\[fd01::3\\]:7001 ipv6:\\[fd01::4\\]:7001 0 \n"),
    ("new-minor none", "bsrsetup new-minor none 13 0 --diskless \n"),
    ("attach none", ""),
])
def test_places_of_metadata_and_addresses(adm, words, expected):
    adm.write(PLACES)
    assert adm.dry(*words.split()) == expected


def test_a_diskless_volume_named_for_a_disk_command_is_refused(adm):
    adm.write(PLACES)
    result = adm.plain("-d", "attach", "none/0")
    assert result.returncode == 10 and "requires a local disk" in result.stderr


GROUPS = """
global { disable-ip-verification; }
resource fl { device minor 5; disk /dev/a; meta-disk internal;
  floating 127.0.0.1:7000 { node-id 0; } floating ipv6 [fd01::9]:7000 { node-id 1; } }
resource gr { device minor 6; disk /dev/b; meta-disk internal; net { ping-int 4; }
  on alice { node-id 0; address 10.0.0.1:7001; group ga; options { target-only; } }
  on anna { node-id 0; address 10.0.0.1:7001; group ga; } on bob { node-id 1; address 10.0.0.2:7001; } }
resource nat { device minor 7; disk /dev/c; meta-disk internal;
  on alice { node-id 0; address 10.0.0.1:7002; public-address 1.1.1.1:9; }
  on bob { node-id 1; address 10.0.0.2:7002; public-address 4.4.4.4:8; } }
"""


@pytest.mark.parametrize("host, words, expected", [
    ("alice", "node-options gr", "bsrsetup node-options gr --target-only=yes --node-name=alice --group=ga \n"),
    ("bob", "new-peer gr",
     "bsrsetup new-peer gr 0 --_name=ga --peer-node-name=ga --peer-node-group=ga --ping-int=4 \n"),
    ("bob", "connect gr:ga", "bsrsetup connect gr 0 \n"),
    ("bob", "connect gr:anna", None),
    ("anna", "up gr", None),
    ("alice", "new-path nat", "bsrsetup new-path nat 1 ipv4:10.0.0.1:7002 ipv4:4.4.4.4:8 1 \n"),
    ("127.0.0.1", "new-path fl", "bsrsetup new-path fl 1 ipv4:127.0.0.1:7000 ipv6:\\[fd01::9\\]:7000 1 \n"),
    ("fd01::9", "new-peer fl", None),
])
def test_groups_floating_hosts_and_public_addresses(adm, host, words, expected):
    adm.write(GROUPS)
    result = adm.plain("-d", *words.split(), env={"__BSR_NODE__": host})
    if expected is not None:
        assert (result.returncode, result.stdout) == (0, expected), result.stderr
    elif words == "connect gr:anna":
        assert result.returncode == 1  # bob's peer is the group, represented by alice
    elif words == "up gr":
        assert "--node-name=anna --group=ga" in result.stdout and "connect gr 1" in result.stdout
    else:
        assert result.returncode == 10 and "several host sections" in result.stderr  # 127.0.0.1 is here, too


def test_no_command_stumbles_over_diskless_volumes(adm):
    adm.write(PLACES)
    names = re.findall(r"^  ([a-z][a-z0-9-]+) ", run(program("bsradm"), "help").stdout
                       + run(program("bsradm"), "hidden-commands").stdout, re.M)
    for name in set(names) - {"create", "wait-con-int"}:
        for words in ([name, "none"], [name, "none:bob/0", "--gi=1:2:3:4"]):
            result = adm.plain("-d", *words)
            assert result.returncode in (0, 1, 10), (words, result.returncode, result.stderr)
            assert "assertion" not in result.stderr
        assert adm.plain("-i", "-d", name, "all", env={"__BSR_NODE__": "zoe"}).returncode in (0, 1, 10), name


# --- running back ends ----------------------------------------------------------------------------------------------

def test_up_makes_the_calls_of_the_dry_run_and_registers(adm):
    dry = [" ".join(line.split()) for line in adm.dry("up", "r0").splitlines()]
    assert adm("up", "r0").returncode == 0
    assert adm.calls() == dry
    assert os.readlink(adm.dir / "run" / "bsr-resource-r0.conf") == str(adm.conf)
    assert os.readlink(adm.dir / "run" / "bsr-minor-0.conf") == str(adm.conf)
    assert adm("down", "r0").returncode == 0
    assert os.listdir(adm.dir / "run") == []


TWO = EXAMPLE + """
resource r1 { device minor 1; disk /dev/sdb1; meta-disk internal;
  on alice { node-id 0; address 10.1.1.31:7001; } on bob { node-id 1; address 10.1.1.32:7001; } }
"""


def test_a_failed_resource_does_not_stop_the_others(adm):
    adm.write(TWO)
    (adm.dir / "rc.new-resource.r0").write_text("10")
    result = adm("up", "all")
    calls = adm.calls()
    assert result.returncode == 1
    assert "new-resource r0" in result.stderr and "exit code 10" in result.stderr
    assert [c for c in calls if " r0 " in c or c.endswith(" r0")] == [calls[0]]
    assert calls[-1] == "bsrsetup connect r1 1"


@pytest.mark.parametrize("code", [0, 1, 5, 10, 11, 16, 17, 20, 30, 255])
def test_codes_of_back_ends_are_passed_through(adm, code):
    adm.answer("secondary", code=code)
    result = adm("secondary", "r0")
    assert result.returncode == code
    assert ("terminated with exit code" in result.stderr) == (code >= 10)


def test_the_highest_code_counts_and_20_stops(adm):
    adm.write(TWO)
    (adm.dir / "rc.secondary.r0").write_text("11")
    (adm.dir / "rc.secondary.r1").write_text("5")
    assert adm("secondary", "all").returncode == 11
    assert len(adm.calls()) == 2
    (adm.dir / "rc.secondary.r0").write_text("20")
    assert adm("secondary", "all").returncode == 20
    assert len(adm.calls()) == 1


def test_a_back_end_that_hangs_is_ended(adm):
    adm.write(EXAMPLE.replace("usage-count no;", "usage-count no; cmd-timeout-short 1;"))
    adm.answer("role", sleep=30)
    start = time.monotonic()
    result = adm("role", "r0")
    assert result.returncode == 20 and "did not terminate" in result.stderr
    assert 1.5 < time.monotonic() - start < 10


def test_a_missing_back_end(adm):
    (adm.dir / "bsrsetup").unlink()
    result = adm("role", "r0")
    assert result.returncode == 20 and "cannot run" in result.stderr


def test_primary_force_looks_at_the_file_system_first(adm):
    adm.answer("check-fs", code=10)
    result = adm("primary", "--force", "r0")
    assert result.returncode == 10 and "--skip-check-fs" in result.stderr
    assert adm.calls() == ["bsrsetup check-fs 0"]
    assert adm("primary", "--force", "--full-sync-on-fail", "r0").returncode == 0
    assert adm.calls()[-1] == "bsrsetup primary r0 --force --full-sync"


def test_attach_tries_every_volume(adm):
    adm.write("""resource r0 { volume 0 { device minor 0; disk /dev/a; meta-disk internal; }
      volume 1 { device minor 1; disk /dev/b; meta-disk internal; }
      on alice { node-id 0; address 10.1.1.1:7; } on bob { node-id 1; address 10.1.1.2:7; } }""")
    (adm.dir / "rc.attach.0").write_text("10")
    assert adm("attach", "r0").returncode == 10
    assert [c.split()[2] for c in adm.calls() if " attach " in c] == ["0", "1"]
    (adm.dir / "rc.detach.0").write_text("11")
    assert adm("detach", "r0").returncode == 11
    assert adm.calls() == ["bsrsetup detach 0"]


def test_create_md_allows_a_configured_file_and_names_the_device(adm):
    disk = adm.dir / "disk"
    disk.write_bytes(b"")
    adm.write(EXAMPLE.replace("/dev/sda1", str(disk)))
    assert adm("create-md", "r0").returncode == 0
    calls = adm.calls()
    assert calls[1] == f"bsrmeta 0 v09 {disk} internal create-md 1"
    assert re.fullmatch(r"bsrmeta 0 v09 \S+ internal write-dev-uuid [0-9A-F]{16}", calls[2])
    assert "bsrmeta BSRMETA_ALLOW_FILES=1" in (adm.dir / "env").read_text()


def test_create_md_keeps_an_old_device_name(adm):
    adm.answer("read-dev-uuid", output="00000000DEADBEEF\n")
    assert adm("create-md", "r0").returncode == 0
    assert adm.calls()[-1].endswith("write-dev-uuid 00000000DEADBEEF")
    assert "BSRMETA_ALLOW_FILES=1" not in (adm.dir / "env").read_text()


def test_create_md_refused_by_the_person(adm):
    adm.answer("create-md", code=1)
    assert adm("create-md", "r0").returncode == 1
    assert not any("write-dev-uuid" in call for call in adm.calls())


@pytest.mark.parametrize("command", ["show-gi", "get-gi"])
def test_identifiers_come_from_metadata_when_nothing_runs(adm, command):
    adm.answer(command, code=1)
    adm("show-gi" if command == "show-gi" else "get-gi", "r0")
    assert adm.calls() == [f"bsrsetup {command} r0 1 0", f"bsrmeta 0 v09 /dev/sda1 internal --node-id=1 {command}"]


def test_outdate_falls_back_to_metadata_but_not_for_17(adm):
    adm.answer("outdate", code=5)
    adm("outdate", "r0")
    assert adm.calls()[-1] == "bsrmeta 0 v09 /dev/sda1 internal outdate"
    adm.answer("outdate", code=17)
    assert adm("outdate", "r0").returncode == 17
    assert len(adm.calls()) == 1


def test_dstate_of_a_detached_disk_is_read_from_metadata(adm):
    adm.answer("dstate", output="Diskless/DUnknown\n")
    adm("dstate", "r0")
    assert len(adm.calls()) == 2
    adm.answer("dstate", output="UpToDate/UpToDate\n")
    result = adm("dstate", "r0")
    assert result.stdout == "UpToDate/UpToDate\n" and len(adm.calls()) == 1


def test_verbose_prints_and_runs(adm):
    result = adm("-v", "down", "r0")
    assert result.stdout.endswith("bsrsetup down r0 \n") and adm.calls() == ["bsrsetup down r0"]


def test_wait_sync_shows_progress(adm):
    status = """[{"name":"r0","devices":[{"volume":0,"size":1048576}],"connections":[{"peer-node-id":1,"name":"bob",
      "peer_devices":[{"volume":0,"replication-state":"SyncSource","out-of-sync":262144,"resync-done":75.00}]}]}]"""
    adm.answer("status", output=status)
    adm.answer("wait-sync-resource", sleep=1.5)
    result = adm("--progress", "wait-sync", "r0")
    assert result.returncode == 0
    assert "r0/0 SyncSource bob: 75.00% done, 256.0 MiB to go" in result.stdout
    assert result.stdout.endswith("r0: no resync is running\n")
    adm.calls()
    adm("wait-sync", "r0")
    assert adm.calls() == ["bsrsetup wait-sync-resource r0 --wfc-timeout=10"]  # no terminal: no display


def test_wait_sync_redraws_on_a_terminal(adm):
    status = """[{"name":"r0","devices":[{"volume":0,"size":1024}],"connections":[{"peer-node-id":1,"name":"bob",
      "peer_devices":[{"volume":0,"replication-state":"SyncTarget","out-of-sync":512}]}]}]"""
    adm.answer("status", output=status)
    adm.answer("wait-sync-resource", sleep=1.2)
    command = f"{program('bsradm')} -s {adm.dir}/bsrsetup -m {adm.dir}/bsrmeta wait-sync r0"
    result = run("script", "-qec", command, "/dev/null", env=adm.env)
    assert result.returncode == 0
    assert "50.00% done" in result.stdout and "\033[1A" in result.stdout and "\033[K" in result.stdout


def test_waiting_at_boot_ends_when_peers_are_there(adm):
    adm.write(TWO)
    assert adm.dry("wait-con-int") == ("bsrsetup wait-connect-resource r0 --wfc-timeout=10 \n"
                                       "bsrsetup wait-connect-resource r1 --wfc-timeout=10 \n")
    adm.answer("wait-connect-resource", sleep=1)
    start = time.monotonic()
    assert adm("wait-con-int").returncode == 0
    assert sorted(adm.calls()) == [f"bsrsetup wait-connect-resource r{i} --wfc-timeout=10" for i in (0, 1)]
    assert time.monotonic() - start < 8  # both at once


def test_waiting_at_boot_ends_when_a_person_says_yes(adm):
    adm.answer("wait-connect-resource", sleep=60)
    start = time.monotonic()
    assert adm("wait-con-int", answer="yes\n").returncode == 0
    assert time.monotonic() - start < 10


def test_forget_peer_falls_back_to_metadata(adm):
    adm.answer("forget-peer", code=10)
    (adm.dir / "rc.forget-peer.v09").write_text("0")
    adm("forget-peer", "r0")
    assert adm.calls() == ["bsrsetup forget-peer r0 1", "bsrmeta 0 v09 /dev/sda1 internal --node-id=1 forget-peer"]
    adm.answer("forget-peer", code=0)
    adm("forget-peer", "r0:bob")
    assert len(adm.calls()) == 1


def test_set_gi_needs_its_value(adm):
    assert adm("set-gi", "r0:bob/0").returncode == 1
    assert adm("set-gi", "--gi=1:2:3:4", "--force", "r0:bob/0").returncode == 0
    assert adm.calls() == ["bsrmeta 0 v09 /dev/sda1 internal --node-id=1 set-gi 1:2:3:4 --force"]


def test_resize_takes_the_configured_size(adm):
    adm.write(EXAMPLE.replace("al-extents 1237;", "size 1G;"))
    assert adm.dry("resize", "r0") == "bsrsetup resize 0 --size=1G \nbsrsetup check-resize 0 \n"
    assert adm.dry("resize", "--size=2G", "r0/0").startswith("bsrsetup resize 0 --size=2G \n")


# --- adjust ---------------------------------------------------------------------------------------------------------

RUNNING = """resource r0 {
    options {
        quorum          \tmajority;
        persist-role    \tyes;
    }
    _this_host {
        node-id\t\t\t0;
        node-name\t\t"alice";
        volume 0 {
            device\t\t\tminor 0;
            disk\t\t\t"/dev/sda1";
            meta-disk\t\t\tinternal;
            disk {
                al-extents      \t1237;
            }
        }
        options {
            svc-auto-up     \tno;
        }
    }
    connection {
        _peer_node_id 1;
        _peer_node_name\t"bob";
        path {
            _this_host ipv4 10.1.1.31:7000;
            _remote_host ipv4 10.1.1.32:7000;
        }
        net {
            ping-int        \t7; # seconds
        }
        volume 0 {
            disk {
                c-max-rate      \t4096k; # bytes/second
            }
        }
    }
}

"""
LAST = "bsrsetup apply-persist-role r0"
SECOND_PEER = """    connection {
        _peer_node_id 2;
        _peer_node_name\t"carl";
    }
}
"""


def adjust(adm, running, *options):
    adm.answer("show", output=running)
    result = adm("adjust", *options, "r0")
    calls = adm.calls()
    assert calls[0] == "bsrsetup show r0"
    return result, calls[1:]


def test_adjust_of_what_is_equal_changes_nothing(adm):
    result, calls = adjust(adm, RUNNING)
    assert result.returncode == 0, result.stderr
    assert calls == [LAST]


def test_adjust_starts_what_does_not_run(adm):
    result, calls = adjust(adm, "# No currently configured bsr found.\n")
    assert result.returncode == 0
    expected = [" ".join(line.split()) for line in UP.splitlines()]
    expected[5] = "bsrsetup peer-device-options r0 1 0 --set-defaults --c-max-rate=4M"
    assert calls == expected


@pytest.mark.parametrize("old, new, expected", [
    ("majority;", "all;", ["bsrsetup resource-options r0 --set-defaults --persist-role=yes --quorum=majority", LAST]),
    ('"alice"', '"alicia"', ["bsrsetup node-options r0 --set-defaults --svc-auto-up=no --node-name=alice", LAST]),
    ("svc-auto-up     \tno", "svc-auto-up     \tyes",
     ["bsrsetup node-options r0 --set-defaults --svc-auto-up=no --node-name=alice", LAST]),
    ("1237", "1238", ["bsrsetup disk-options 0 --set-defaults --al-extents=1237", LAST]),
    ("al-extents      \t1237;", "al-extents 1237; size 2048s;", ["bsrsetup resize 0", LAST]),
    ("ping-int        \t7;", "ping-int 8;", ["bsrsetup net-options r0 1 --set-defaults --_name=bob "
                                             "--peer-node-name=bob --protocol=C --ping-int=7", LAST]),
    ("ping-int        \t7;", "ping-int 7; use-rle no;",
     ["bsrsetup net-options r0 1 --set-defaults --_name=bob --peer-node-name=bob --protocol=C --ping-int=7", LAST]),
    ("4096k", "4097k", ["bsrsetup peer-device-options r0 1 0 --set-defaults --c-max-rate=4M", LAST]),
    ("        net {", "        _is_standalone;\n        net {", [LAST, "bsrsetup connect r0 1"]),
    ("_remote_host ipv4 10.1.1.32:7000", "_remote_host ipv4 10.1.1.33:7000",
     ["bsrsetup disconnect r0 1", "bsrsetup del-path r0 1 ipv4:10.1.1.31:7000 ipv4:10.1.1.33:7000",
      "bsrsetup new-path r0 1 ipv4:10.1.1.31:7000 ipv4:10.1.1.32:7000 1", LAST, "bsrsetup connect r0 1"]),
    ("        path {", "        path { _this_host ipv4 10.9.9.1:7; _remote_host ipv4 10.9.9.2:7; }\n        path {",
     ["bsrsetup del-path r0 1 ipv4:10.9.9.1:7 ipv4:10.9.9.2:7", LAST]),
    ("minor 0;", "minor 5;",
     ["bsrsetup detach 5", "bsrsetup del-minor 5", "bsrsetup new-minor r0 0 0",
      "bsrmeta 0 v09 /dev/sda1 internal apply-al", "bsrsetup attach 0 /dev/sda1 /dev/sda1 internal --al-extents=1237",
      LAST]),
    ('"/dev/sda1";\n            meta-disk\t\t\tinternal', "none",
     ["bsrmeta 0 v09 /dev/sda1 internal apply-al", "bsrsetup attach 0 /dev/sda1 /dev/sda1 internal --al-extents=1237",
      LAST]),
    ("        volume 0 {\n            device",
     "        volume 7 { device minor 9; disk \"/dev/z\"; meta-disk internal; }\n        volume 0 {\n            device",
     ["bsrsetup detach 9", "bsrsetup del-minor 9", LAST]),
    ("}\n\n", SECOND_PEER, ["bsrsetup del-peer r0 2", LAST]),
    ("ping-int        \t7;", "ping-int 7; transport rdma;",
     ["bsrsetup del-peer r0 1", "bsrsetup new-peer r0 1 --_name=bob --peer-node-name=bob --protocol=C --ping-int=7",
      "bsrsetup new-path r0 1 ipv4:10.1.1.31:7000 ipv4:10.1.1.32:7000 1",
      "bsrsetup peer-device-options r0 1 0 --set-defaults --c-max-rate=4M", LAST, "bsrsetup connect r0 1"]),
])
def test_adjust_makes_the_calls_of_a_difference(adm, old, new, expected):
    assert old in RUNNING
    result, calls = adjust(adm, RUNNING.replace(old, new, 1))
    assert result.returncode == 0, result.stderr
    assert calls == expected


def test_adjust_creates_a_missing_peer(adm):
    start = RUNNING.index("    connection {")
    result, calls = adjust(adm, RUNNING[:start] + "}\n")
    assert result.returncode == 0
    assert calls == ["bsrsetup new-peer r0 1 --_name=bob --peer-node-name=bob --protocol=C --ping-int=7",
                     "bsrsetup new-path r0 1 ipv4:10.1.1.31:7000 ipv4:10.1.1.32:7000 1",
                     "bsrsetup peer-device-options r0 1 0 --set-defaults --c-max-rate=4M", LAST,
                     "bsrsetup connect r0 1"]


def test_adjust_refuses_another_disk(adm):
    result, calls = adjust(adm, RUNNING.replace("/dev/sda1", "/dev/sdz"))
    assert result.returncode == 10 and calls == []
    assert re.search(r"bsr.conf:\d+:\d+: volume 0 of resource r0 runs on disk /dev/sdz", result.stderr)
    assert "bsradm detach r0/0" in result.stderr


def test_adjust_of_several_asks_once(adm):
    adm.write(TWO)
    adm.answer("show", output=RUNNING)
    assert adm("adjust", "all").returncode == 0
    calls = adm.calls()
    assert [c for c in calls if " show" in c] == ["bsrsetup show"]
    assert calls[1].startswith("bsrsetup new-resource r1") and LAST in calls


def test_adjust_of_one_volume_leaves_the_rest_alone(adm):
    adm.answer("show", output=RUNNING.replace("majority", "all").replace("1237", "1300"))
    assert adm("adjust", "r0/0").returncode == 0
    assert adm.calls()[1:] == ["bsrsetup disk-options 0 --set-defaults --al-extents=1237"]


def test_adjust_refuses_another_place_of_metadata(adm):
    adm.write(EXAMPLE.replace("meta-disk internal", "meta-disk /dev/m [1]"))
    other = RUNNING.replace("meta-disk\t\t\tinternal", "meta-disk \"/dev/m\" [ 2 ]")
    result, calls = adjust(adm, other)
    assert result.returncode == 10 and calls == [] and "/dev/m (1)" in result.stderr
    result, calls = adjust(adm, other.replace("[ 2 ]", "[ 1 ]"))
    assert result.returncode == 0 and calls == [LAST]
    adm.write(EXAMPLE.replace("meta-disk internal", "meta-disk /dev/loop7 /etc/m"))
    result, calls = adjust(adm, other.replace("/dev/m", "/dev/loop7").replace("[ 2 ]", "[ /etc/m ]"))
    assert result.returncode == 0 and calls == [LAST], result.stderr


def test_adjust_skips_on_request(adm):
    changed = RUNNING.replace("1237", "1300").replace("ping-int        \t7", "ping-int 8")
    assert not any("disk-options 0" in c for c in adjust(adm, changed, "--skip-disk")[1])
    assert not any("net-options" in c for c in adjust(adm, changed, "--skip-net")[1])


def test_adjust_does_not_guess_what_it_cannot_read(adm):
    result, calls = adjust(adm, "resource r0 { gibberish; }")
    assert result.returncode == 20 and calls == []
    assert "cannot be understood" in result.stderr


# --- dump -----------------------------------------------------------------------------------------------------------

RICH = """
global { usage-count no; disable-ip-verification; minor-count 64; cmd-timeout-long 700; }
common { net { protocol C; shared-secret "a b\\"c\\\\d"; } disk { c-max-rate 4M; disk-timeout 5; }
  options { quorum majority; svc-auto-up no; } startup { wfc-timeout 10; } handlers { split-brain "/bin/true a b"; } }
resource "a b" { device bsr0; disk "/dev/s d'a1"; meta-disk internal; net { timeout 50; use-rle; no-tcp-cork; }
  options { max-io-depth 100; target-only; } disk { al-extents 1237; al-updates no; }
  on alice al.example.org { node-id 0; address 10.1.1.31:7000; options { svc-auto-down no; } }
  on-linux bob { node-id 1; address 10.1.1.32:7000; public-address 4.4.4.4:4; } }
resource r1 { volume 0 { device minor 10; disk /dev/sdb1; meta-disk /dev/sdm[0]; }
  volume 1 { device /dev/drbd11; disk /dev/sdb2; flexible-meta-disk /dev/sdm2; disk { al-extents 400; } }
  volume 2 { device /dev/bsr_x minor 12; disk /dev/sdb3; meta-disk /dev/loop3 /etc/m; }
  on alice { node-id 0; address ipv6 [fd01::3]:7001; volume 0 { disk /dev/sdx; } }
  on bob { node-id 1; address ipv6 [fd01::4]:7001; volume 1 { disk { al-updates no; } } }
  floating 10.7.7.7:7001 { node-id 2; volume 0 { disk none; } }
  connection { host alice port 7010; host bob port 7011; net { ping-timeout 3; protocol B; }
    volume 1 { disk { c-min-rate 3M; c-plan-ahead 3; } } }
  connection con3 { path { host alice address 10.9.9.1:7020; address 10.7.7.7:7001; }
    path { host alice address 10.9.8.1:7020; address 10.7.7.7:7001; } disk { c-min-rate 2M; } } }
resource r2 { device minor 20; disk /dev/sdc1; meta-disk internal;
  on alice { node-id 0; address 10.1.1.1:7003; } on bob { node-id 1; address 10.1.1.2:7003; }
  on carl { node-id 2; address 10.1.1.3:7003; group g; } on dan { node-id 2; address 10.1.1.3:7003; group g; }
  connection-mesh { hosts alice bob; groups g; net { ko-count 9; } } }
"""


def uncommented(text):
    return "".join(line for line in text.splitlines(keepends=True) if not line.startswith("#"))


@pytest.mark.parametrize("text", [EXAMPLE, TWO, PLACES, RICH])
@pytest.mark.parametrize("options", [(), ("-v",)])
def test_a_dump_is_a_fixed_point(adm, text, options):
    adm.write(text)
    first = adm.plain(*options, "dump")
    assert first.returncode == 0, first.stderr
    adm.write(first.stdout, "again.conf")
    second = adm.plain(*options, "-c", adm.dir / "again.conf", "dump")
    assert second.returncode == 0, second.stderr
    assert uncommented(first.stdout) == uncommented(second.stdout)
    from_stdin = adm.plain(*options, "-c", "-", "dump", answer=first.stdout)
    assert uncommented(from_stdin.stdout) == uncommented(first.stdout)
    assert from_stdin.stdout.startswith("# STDIN\n")


@pytest.mark.parametrize("text", [EXAMPLE, TWO, PLACES, RICH])
def test_a_dump_means_the_same(adm, text):
    adm.write(text)
    before = adm.dry("up", "all")
    adm.write(adm.plain("dump").stdout)
    assert adm.dry("up", "all") == before


def test_dump_of_one_resource(adm):
    adm.write(TWO)
    text = adm.plain("dump", "r1").stdout
    assert "resource r1 {" in text and "resource r0" not in text and "common" not in text


def test_dump_golden(adm):
    adm.write("""resource r1 { device minor 1; disk /dev/sdb1; meta-disk internal; net { shared-secret "a;b"; ping-int 5; }
      on alice { node-id 0; address 10.1.1.1:7; } on bob { node-id 1; address ipv6 [fd01::2]:7; } }""")
    assert adm.plain("dump").stdout == f"""# {adm.conf}
# resource r1 on alice: not ignored, not stacked
# defined at {adm.conf}:1
resource r1 {{
    device               minor 1;
    disk                 /dev/sdb1;
    meta-disk            internal;
    on alice {{
        node-id 0;
        options {{
            node-name    alice;
        }}
        address          ipv4 10.1.1.1:7;
    }}
    on bob {{
        node-id 1;
        address          ipv6 [fd01::2]:7;
    }}
    net {{
        shared-secret    "a;b";
        ping-int           5;
    }}
}}

"""


def test_dump_xml_is_xml(adm):
    adm.write(RICH)
    root = ElementTree.fromstring(adm.plain("dump-xml").stdout)
    assert [r.get("name") for r in root.findall("resource")] == ["a b", "r1", "r2"]
    secret = root.find("common/section[@name='net']/option[@name='shared-secret']")
    assert secret.get("value") == 'a b"c\\d'
    volume = root.find("resource[@name='r1']/host[@name='alice']/volume[@vnr='0']")
    assert volume.find("disk").text == "/dev/sdx" and volume.find("meta-disk").get("index") == "0"


# --- files ----------------------------------------------------------------------------------------------------------

def test_includes_are_relative_to_their_file_and_read_once(adm):
    (adm.dir / "bsr.d").mkdir()
    adm.write('include "bsr.d/global_common.conf"; include "bsr.d/*.res"; include "bsr.d/*.none"; include "bsr.conf";')
    adm.write(EXAMPLE[:EXAMPLE.index("resource")], "bsr.d/global_common.conf")
    adm.write("include \"*.res\"; " + EXAMPLE[EXAMPLE.index("resource"):], "bsr.d/r0.res")
    result = adm.plain("sh-resources")
    assert (result.returncode, result.stdout) == (0, "r0\n"), result.stderr
    result = adm.plain("-E", adm.dir / "bsr.d" / "r0.res", "sh-resources")
    assert (result.returncode, result.stdout) == (0, "")


def test_a_missing_include_is_an_error_where_it_stands(adm):
    adm.write('\n include "nothing.here";\n')
    result = adm.plain("dump")
    assert result.returncode == 10
    assert f"{adm.conf}:2:10: failed to open include file" in result.stderr


def test_no_configuration(adm):
    adm.conf.unlink()
    result = adm.plain("dump")
    assert result.returncode == 10 and f"cannot open {adm.conf}" in result.stderr


def test_the_newest_default_name_wins(adm):
    adm.write(EXAMPLE.replace("resource r0", "resource newer"), "bsr-90.conf")
    assert adm.plain("sh-resources").stdout == "newer\n"


def test_a_second_file_is_tested_together_with_the_first(adm):
    adm.write(EXAMPLE[EXAMPLE.index("resource"):], "test.res")
    result = adm.plain("-t", adm.dir / "test.res", "sh-nop")
    assert result.returncode == 10 and "conflicting use of resource r0" in result.stderr
    assert adm.plain("-t", adm.dir / "test.res", "up", "r0").returncode == 1


def test_a_template_replaces_common(adm):
    adm.write("common { net { ping-int 9; } }", "template.conf")
    adm.write(EXAMPLE.replace("resource r0 {", "resource r0 { template-file \"template.conf\";"))
    assert "--protocol" not in adm.dry("new-peer", "r0")
    assert "--ping-int=9" in adm.dry("new-peer", "r0")


def test_errors_of_included_files_name_them(adm):
    adm.write('include "bad.res";')
    adm.write("resource r0 {\n  volum 0 { }\n}\n", "bad.res")
    result = adm.plain("dump")
    assert result.returncode == 10
    assert f"{adm.dir}/bad.res:2:3: unknown word 'volum'; did you mean 'volume'?" in result.stderr


@pytest.mark.parametrize("content", [b"\0" * 4096, os.urandom(65536), b"{" * 1000000, b'"' * 1000000,
                                     b"include \"*\";" * 10000, b"a" * 5000000],
                         ids=["nul", "noise", "braces", "quotes", "includes", "letters"])
def test_hostile_files_are_refused_quickly(adm, content):
    adm.conf.write_bytes(content)
    start = time.monotonic()
    result = adm.plain("sh-nop")
    assert result.returncode == 10 and result.stderr.count("\n") < 200
    assert time.monotonic() - start < 5


def test_a_directory_is_no_configuration(adm):
    result = adm.plain("-c", adm.dir, "dump")
    assert result.returncode == 10 and "cannot open" in result.stderr


# --- targets and usage ----------------------------------------------------------------------------------------------

@pytest.mark.parametrize("words, code, message", [
    ("up", 1, "which resource"),
    ("up nix", 1, "'nix' not defined"),
    ("up r0/0", 1, "does not work on a single volume"),
    ("up r0:bob", 1, "does not work on a single peer"),
    ("down r0 r0", 1, "named twice"),
    ("attach r0/7", 1, "has no volume 7"),
    ("connect r0:nix", 1, "'nix' is not a peer"),
    ("connect r0:alice", 1, "'alice' is this host"),
    ("attach r0/x", 1, "number of a volume"),
    ("new-current-uuid r0", 1, "works on one volume"),
    ("prmary r0", 1, "did you mean 'primary'?"),
    ("connect --nix r0", 1, "unrecognized option '--nix'"),
    ("net-options --ping-itn=3 r0", 1, "did you mean '--ping-int'?"),
    ("net-options --ping-int=0 r0", 1, "too small"),
    ("connect --ping-int=3 r0", 1, "unrecognized option"),
    ("-z up r0", 1, "unrecognized option '-z'"),
    ("--config-file", 1, "requires a value"),
    ("sh-resources r0", 1, "takes no argument"),
    ("-S up r0", 1, "stacked resources are not supported"),
    ("", 1, ""),
])
def test_usage_errors(adm, words, code, message):
    result = adm(*words.split())
    assert result.returncode == code
    assert message in result.stderr
    assert adm.calls() == []


def test_a_resource_of_other_hosts(adm):
    env = {"__BSR_NODE__": "zoe"}
    result = adm("up", "r0", env=env)
    assert result.returncode == 1 and "ignored" in result.stderr and "zoe" in result.stderr
    assert adm("down", "r0", env=env).returncode == 0  # it may still run here
    assert adm.calls() == ["bsrsetup down r0"]
    assert adm.plain("sh-resources", env=env).stdout == ""
    assert adm.plain("-i", "sh-resources-list", env=env).stdout == "r0\n"


def test_own_address_must_be_configured(adm):
    adm.write(EXAMPLE.replace("disable-ip-verification;", ""))
    result = adm("connect", "r0")
    assert result.returncode == 10 and "IP 10.1.1.31 not found on this host" in result.stderr
    assert re.search(r"bsr.conf:\d+:\d+: ", result.stderr)
    assert adm.dry("connect", "r0") == "bsrsetup connect r0 1 \n"


def test_help_for_every_command(adm):
    general = run(program("bsradm"), "help")
    hidden = run(program("bsradm"), "hidden-commands")
    assert general.returncode == 0 and hidden.returncode == 0
    names = re.findall(r"^  ([a-z][a-z0-9-]+) ", general.stdout + hidden.stdout, re.M)
    assert len(names) > 80 and len(names) == len(set(names))
    for name in set(names) - {"help"}:
        by_command = run(program("bsradm"), "help", name)
        by_option = run(program("bsradm"), name, "--help")
        assert by_command.returncode == 0 and by_command.stdout == by_option.stdout
        assert by_command.stdout.startswith(f"bsradm {name} ")
    assert "--ping-int=1..120 (default 3), seconds" in run(program("bsradm"), "help", "net-options").stdout


def test_version_is_shell(adm):
    result = run("sh", "-c", f'eval "$({program("bsradm")} -V)" && echo $BSRADM_API_VERSION $BSRADM_VERSION')
    assert re.fullmatch(r"2 \d+\.\d+\.\d+\n", result.stdout)


# --- for scripts ----------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("words, expected", [
    ("sh-nop", ""),
    ("sh-resources", "a b\nr1\nr2\n"),
    ("sh-resource r1", "r1\n"),
    ("sh-dev r1", "/dev/bsr10\n/dev/bsr11\n/dev/bsr_x\n"),
    ("sh-minor r1", "10\n11\n12\n"),
    ("sh-ll-dev r1", "/dev/sdx\n/dev/sdb2\n/dev/sdb3\n"),
    ("sh-md-dev r1", "/dev/sdm\n/dev/sdm2\n/dev/loop3\n"),
    ("sh-md-idx r1", "0\nflexible\n/etc/m\n"),
    ("sh-dev-vnr r1", "0\n1\n2\n"),
    ("sh-ip r2", "10.1.1.1\n"),
    ("sh-peer-node-id r2", "1\n2\n"),
    ("sh-peer-node-name r2", "bob\ncarl\n"),
    ("sh-peer-nodes r2", "1 bob\n2 g\n"),
    ("-n svc_auto_up sh-node-option r2", "no\n\n"),
    ("-n svc_auto_down sh-node-option r2", "NULL\n"),
    ("-n quorum sh-resource-option r2", "majority\n\n"),
    ("sh-mod-parms", "minor_count=64\n"),
    ("sh-udev minor-11", "DEVICE=bsr11\nSYMLINK=bsr/by-res/r1/1\nSYMLINK_BY_RES=bsr/by-res/r1/1\n"
                         "SYMLINK_BY_DISK=bsr/by-disk/sdb2\n"),
    ("sh-udev minor-20", "DEVICE=bsr20\nSYMLINK=bsr/by-res/r2\nSYMLINK_BY_RES=bsr/by-res/r2\n"
                         "SYMLINK_BY_DISK=bsr/by-disk/sdc1\n"),
])
def test_facts_for_scripts(adm, words, expected):
    adm.write(RICH)
    result = adm.plain(*words.split())
    assert result.returncode == 0, result.stderr
    assert result.stdout == expected


def test_handlers_run_with_their_environment(adm):
    adm.write(EXAMPLE.replace("startup {", "handlers { split-brain \"env | grep ^BSR_ | sort; exit 3\"; } startup {"))
    result = adm("split-brain", "r0")
    assert result.returncode == 3
    for line in ("BSR_RESOURCE=r0", "BSR_NODE_ID_0=alice", "BSR_NODE_ID_1=bob", "BSR_MY_NODE_ID=0", "BSR_MINOR=0",
                 "BSR_VOLUME=0", "BSR_LL_DISK=/dev/sda1", f"BSR_CONF={adm.conf}"):
        assert line in result.stdout.splitlines()
    assert adm("pri-lost", "r0").returncode == 0  # none configured


def test_handlers_find_the_configuration_through_the_registry(adm):
    other = adm.dir / "other"
    other.mkdir()
    adm.write(EXAMPLE.replace("startup {", "handlers { pri-lost \"exit 7\"; } startup {"), "other/x.conf")
    assert adm("-c", other / "x.conf", "up", "r0").returncode == 0
    assert adm("pri-lost", "r0").returncode == 7
    assert adm("pri-lost", "minor-0").returncode == 7


def test_check_names_what_is_missing(adm):
    disk = adm.dir / "disk"
    disk.write_bytes(b"\0" * 4096)
    adm.write(EXAMPLE.replace("/dev/sda1", str(disk)).replace("10.1.1.31", "127.0.0.1").replace("10.1.1.32", "127.0.0.2"))
    result = adm("check", "r0")
    assert result.returncode == 0 and "r0: ready" in result.stdout, result.stdout
    assert "no shared-secret" in result.stdout and "reachable, but the resource is not up there" in result.stdout
    disk.unlink()
    result = adm("check")
    assert result.returncode == 10 and "BAD" in result.stdout and str(disk) in result.stdout


def test_create_writes_a_valid_file_and_the_frame_around_it(adm):
    adm.conf.unlink()
    hosts = "--hosts=alice=10.0.0.1,bob=10.0.0.2"
    result = adm("create", "r0", hosts, "--disk", "/dev/vg/x")
    assert result.returncode == 0, result.stderr
    written = adm.dir / "bsr.d" / "r0.res"
    assert result.stdout.startswith(written.read_text())
    assert written.stat().st_mode & 0o777 == 0o600
    assert "bsradm create-md r0 && bsradm up r0" in result.stdout
    assert adm("create", "r1", hosts + ",carl=[fd01::3]:7000", "--disk=alice=/dev/vg/y,bob=/dev/vg/z",
               "--protocol=A").returncode == 0
    assert adm.plain("sh-resources").stdout == "r0\nr1\n"
    assert adm.plain("sh-minor", "all").stdout == "0\n1\n"
    assert adm.dry("new-path", "r1").splitlines()[1].split()[3:6] == ["2", "ipv4:10.0.0.1:7789",
                                                                      "ipv6:\\[fd01::3\\]:7000"]
    assert re.search(r"--shared-secret=[0-9a-f]{48} ", adm.dry("new-peer", "r0"))


def test_create_makes_a_disk_of_a_size(adm):
    lib = {"BSR_LIB_DIR": str(adm.dir / "lib")}
    words = ("create", "n", "--hosts=alice=10.0.0.1,bob=10.0.0.2", "--size", "8M")
    result = adm(*words, env=lib)
    assert result.returncode == 0, result.stderr
    disk = adm.dir / "lib" / "disks" / "n.img"
    assert disk.stat().st_size == 8 << 20 and f"truncate -s {8 << 20} {disk}" in result.stdout
    (adm.dir / "bsr.d" / "n.res").unlink()
    assert adm(*words, env=lib).returncode == 20  # a disk that exists is never touched
    assert not (adm.dir / "bsr.d" / "n.res").exists()


@pytest.mark.parametrize("words, code, message", [
    ("r0 --hosts=a=10.0.0.1,b=10.0.0.2 --disk=/dev/x", 10, "conflicting use of resource r0"),
    ("n --hosts=alice=10.0.0.1,bob=10.0.0.2 --disk=/dev/sda1", 10, "conflicting use of disk /dev/sda1"),
    ("n --hosts=alice=10.0.0.1,bob=10.0.0.2 --disk=/dev/x --minor=0", 10, "conflicting use of device-minor 0"),
    ("n --hosts=alice=10.0.0.1,bob=10.0.0.2 --disk=/dev/x --minor=x", 1, "are numbers"),
    ("n --hosts=alice=10.0.0.1,bob=10.0.0.2 --disk=/dev/x --protocol=D", 10, "value 'D' is not valid"),
    ("n --hosts=alice=10.0.0.1 --disk=/dev/x", 1, "two hosts at least"),
    ("n --hosts=alice,bob --disk=/dev/x", 1, "NAME=ADDRESS"),
    ("n --hosts=alice=10.0.0.1,bob=10.0.0.2", 1, "one of --disk and --size"),
    ("n --hosts=alice=10.0.0.1,bob=10.0.0.2 --disk=zoe=/dev/x", 1, "names a host"),
    ("n --hosts=alice=host.name,bob=10.0.0.2 --disk=/dev/x", 10, "expected"),
    ("a/b --hosts=alice=10.0.0.1,bob=10.0.0.2 --disk=/dev/x", 10, "may not contain '/'"),
    ("--hosts=alice=10.0.0.1,bob=10.0.0.2 --disk=/dev/x", 1, "one name"),
])
def test_create_refuses_and_writes_nothing(adm, words, code, message):
    result = adm("create", *words.split())
    assert (result.returncode, message in result.stderr) == (code, True), result.stderr
    assert not (adm.dir / "bsr.d").exists()


@pytest.mark.parametrize("net, message", [
    ("on-congestion pull-ahead;", "needs protocol A"),
    ("protocol A; fencing resource-and-stonith;", "needs protocol B or C"),
    ("protocol B; allow-two-primaries;", "needs protocol C"),
    ("sndbuf-size 1M;", "at least 10M"),
    ("cram-hmac-alg sha256;", "without shared-secret"),
])
def test_check_names_what_the_engine_would_refuse(adm, net, message):
    adm.write(EXAMPLE.replace("meta-disk internal;", "meta-disk internal; net { " + net + " }"))
    result = adm("check", "r0")
    assert result.returncode == 10 and message in result.stdout


def test_what_cannot_be_done_is_named(adm):
    for command in ("proxy-up", "proxy-down", "sh-lr-of", "minor-mount-path"):
        result = adm(command, "r0")
        assert result.returncode == 1 and f"{command} r0 cannot be done" in result.stderr


def test_a_pipe_is_a_configuration(adm):
    result = run("bash", "-c", f"{program('bsradm')} -c <(cat {adm.conf}) sh-resources", env=adm.env)
    assert result.stdout == "r0\n", result.stderr


# --- DRBD's own reader as a judge -----------------------------------------------------------------------------------

DRBDADM = shutil.which("drbdadm") or "/usr/sbin/drbdadm"
needs_drbdadm = pytest.mark.skipif(not os.path.exists(DRBDADM), reason="drbdadm is not installed (drbd-utils)")

COMMON_GROUND = """
global { usage-count no; disable-ip-verification; }
common { net { protocol C; ping-int 7; } disk { c-max-rate 4M; c-min-rate 1M; disk-timeout 5; on-io-error detach; }
  options { quorum majority; on-no-data-accessible suspend-io; } startup { wfc-timeout 10; }
  handlers { split-brain "/bin/true a b"; } }
resource r0 { device /dev/drbd0; disk /dev/sda1; meta-disk internal;
  net { timeout 50; use-rle; no-tcp-cork; shared-secret "a b\\"c$x!~`(){}[]*?<>|;&#\\\\%^@+,"; }
  options { max-io-depth 100; } disk { al-extents 1237; al-updates no; }
  on alice { node-id 0; address 10.1.1.31:7000; } on bob { node-id 1; address 10.1.1.32:7000; } }
resource r1 { volume 0 { device minor 10; disk /dev/sdb1; meta-disk /dev/sdm[0]; disk { resync-after r0; } }
  volume 1 { device /dev/drbd11; disk /dev/sdb2; meta-disk /dev/sdm2; disk { al-extents 400; } }
  on alice { node-id 0; address ipv6 [fd01::3]:7001; volume 0 { disk /dev/sdx; } }
  on bob { node-id 1; address ipv6 [fd01::4]:7001; volume 1 { disk { al-updates no; } } }
  on "carl" { node-id 2; address 10.1.1.33:7001; }
  connection { host alice port 7010; host bob port 7010; net { ping-timeout 3; protocol B; }
    volume 1 { disk { c-min-rate 3M; c-plan-ahead 3; } } }
  connection { path { host alice address 10.9.9.1:7020; host carl address 10.9.9.2:7020; }
    path { host alice address 10.9.8.1:7020; host carl address 10.9.8.2:7020; } disk { c-delay-target 11; } } }
resource r2 { device minor 20; disk /dev/sdc1; flexible-meta-disk /dev/sdc2;
  on alice { node-id 4; address 10.1.1.31:7002; } on bob { node-id 5; address 10.1.1.32:7002; }
  on carl { node-id 6; address 10.1.1.33:7002; }
  connection-mesh { hosts alice bob carl; net { ko-count 9; after-sb-0pri discard-zero-changes; } } }
"""


def ask_drbdadm(adm, host, *words):
    env = dict(os.environ, __DRBD_NODE__=host)
    return subprocess.run([DRBDADM, "-c", str(adm.conf), *words], env=env, capture_output=True, text=True, timeout=60)


def in_our_words(text):
    """What both tools print alike: DRBD's names replaced, the words that only bsr has left out."""
    text = re.sub(r"(/usr/sbin/)?drbd(setup|meta)", r"bsr\2", text).replace("/dev/drbd", "/dev/bsr")
    text = re.sub(r"DEVICE=drbd", "DEVICE=bsr", text).replace("drbd/by-", "bsr/by-")
    text = re.sub(r"^bsrsetup (node-options|apply-persist-role) .*\n", "", text, flags=re.M)
    text = re.sub(r" --peer-node-name=\S+", "", text)
    text = re.sub(r"^(bsrsetup new-path .*) 1 ?$", r"\1", text, flags=re.M)
    text = re.sub(r" +options \{\n +node-name .*\n +\}\n", "", text)
    return re.sub(r" $", "", text, flags=re.M)


@needs_drbdadm
@pytest.mark.parametrize("host", ["alice", "bob", "carl"])
@pytest.mark.parametrize("words", [
    "-d up all", "-d attach all", "-d connect all", "-d new-path all", "-d new-peer all", "-d net-options all",
    "-d disconnect all", "-d create-md all", "-d new-resource all", "-d new-minor all", "-d down all",
    "-d primary all", "-d peer-device-options all", "-d wait-connect r2", "-d dump-md all", "-d apply-al all",
    "-d pause-sync all", "-d cstate all", "-d show-gi r2:bob", "sh-resources", "sh-dev all", "sh-minor all",
    "sh-ll-dev all", "sh-md-dev all", "sh-md-idx all", "sh-udev minor-11", "sh-nop", "dump"])
def test_drbdadm_says_the_same(adm, host, words):
    adm.write(COMMON_GROUND)
    if host == "bob" and words == "-d show-gi r2:bob":
        words = "-d show-gi r2:alice"
    theirs = ask_drbdadm(adm, host, *words.split())
    ours = adm.plain("-c", adm.conf, *words.split(), env={"__BSR_NODE__": host})
    assert ours.returncode == theirs.returncode, theirs.stderr + ours.stderr
    expected = in_our_words(theirs.stdout)
    if "show-gi" in words:  # drbdadm prints its fallback in a dry run, too
        expected = expected.splitlines(keepends=True)[0]
    if words == "dump":
        # order inside `global`, blanks between words, and a disk that drbdadm repeats from the resource level
        bare = [sorted(" ".join(line.split()) for line in text.splitlines())
                for text in (in_our_words(ours.stdout), expected)]
        bare[1].remove("disk /dev/sdb2;")
        assert bare[0] == bare[1]
        return
    assert in_our_words(ours.stdout) == expected


@needs_drbdadm
@pytest.mark.parametrize("text", [
    "resource r { net { timeout 5 } }",
    "resource r { net { timeout 0; } }",
    "resource r { foo; }",
    "resource r { device minor 0; disk /dev/a; meta-disk internal; on a { node-id 0; address 1.2.3.4:0; } }",
    "resource r { device minor 0; disk /dev/a; meta-disk internal; on a { node-id 0; address 1.2.3.4:1; node-id 1; } }",
    "resource 12 { }", "global { } global { }", "common { on a { } }", "resource r { device /dev/sda; }",
    "resource r { volume 0 { device minor 0; } device minor 1; }", "include \"/no/such/file\";", "}",
])
def test_drbdadm_refuses_it_too(adm, text):
    adm.write(text)
    assert ask_drbdadm(adm, "alice", "sh-nop").returncode == 10
    assert adm.plain("sh-nop").returncode == 10


# --- documentation --------------------------------------------------------------------------------------------------

def test_every_option_is_documented_with_its_default(adm):
    root = __file__.rsplit("/tests/", 1)[0]
    with open(f"{root}/config/options.def", encoding="utf-8") as table:
        rows = re.findall(r'BSR_OPTION\((\w+), "([^"]+)", \w+, \w+,(.*?)\)\n', table.read(), re.S)
    with open(f"{root}/docs/configuration.md", encoding="utf-8") as page:
        documented = page.read()
    with open(f"{root}/docs/man/bsr.conf.5.scd", encoding="utf-8") as page:
        manual = page.read()
    assert len(rows) > 130
    for section, name, rest in rows:
        if "INTERNAL" in rest:
            continue
        row = re.search(rf"^\| `{re.escape(name)}` \|.*$", documented, re.M)
        assert row, f"docs/configuration.md does not name {name}"
        if section not in ("PROXY", "DEVICE"):
            escaped = name.replace("_", "\\_")
            assert f"*{escaped}*" in manual, f"bsr.conf(5) does not name {name}"
        default = re.search(r', ("[^"]*"|NULL), (?:NULL|"|\s)', " " + rest.replace("\n", " "))
        if section not in ("HANDLERS", "PROXY") and default and default.group(1) != "NULL":
            value = default.group(1).strip('"')
            assert f"| {value} |" in row.group(0), f"{name}: default {value} is not in {row.group(0)}"


def test_every_command_is_in_the_manual(adm):
    root = __file__.rsplit("/tests/", 1)[0]
    with open(f"{root}/docs/man/bsradm.8.scd", encoding="utf-8") as page:
        manual = page.read()
    for name in re.findall(r"^  ([a-z][a-z0-9-]+) ", run(program("bsradm"), "help").stdout, re.M):
        assert f"*{name}*" in manual or name in ("adjust-with-progress", "help", "hidden-commands"), name


def test_commands_are_noted_with_their_end(adm):
    adm.answer("secondary", code=11)
    adm("up", "r0")
    adm("status")
    adm("secondary", "r0")
    adm("net-options", "--shared-secret=very", "r0")
    adm("net-options", "--shared-secret", "secret", "r0")
    lines = (adm.dir / "bsradm.log").read_text().splitlines()
    assert len(lines) == 4
    assert re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d bsr_info \[.*:\d+\] \d+ bsradm -s .* up r0 -> 0", lines[0])
    assert "bsr_erro" in lines[1] and lines[1].endswith("secondary r0 -> 11")
    assert "very" not in lines[2] and "secret r0" not in lines[3] and "(hidden)" in lines[3]


def test_a_full_journal_is_put_aside(adm):
    for name in ("bsradm.log", "bsradm.log_2020-01-01T000000", "bsradm.log_2021-01-01T000000"):
        with open(adm.dir / name, "wb") as f:
            f.truncate(5 << 20)
    adm("up", "r0")
    names = sorted(n for n in os.listdir(adm.dir) if n.startswith("bsradm.log"))
    assert len(names) == 3 and names[0] == "bsradm.log" and names[1] == "bsradm.log_2021-01-01T000000"
    assert (adm.dir / "bsradm.log").read_text().count("\n") == 1


# --- completion -----------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("words, expected", [
    (["bsradm", "pri"], {"primary"}),
    (["bsradm", "attach", "r0"], {"r0", "r0/0", "r0:bob"}),
    (["bsradm", "net-options", "--ping-"], {"--ping-int", "--ping-timeout"}),
    (["bsradm", "up", "a"], {"all"}),
])
def test_completion_knows_commands_options_and_targets(adm, words, expected):
    root = __file__.rsplit("/tests/", 1)[0]
    script = (f"export PATH={os.path.dirname(program('bsradm'))}:$PATH; . {root}/tools/bsradm/bsradm.bash\n"
              f"COMP_WORDS=({' '.join(words)}); COMP_CWORD={len(words) - 1}; _bsradm; echo \"${{COMPREPLY[@]}}\"")
    result = run("bash", "-c", script, env=adm.env)
    assert set(result.stdout.split()) == expected, result.stderr
