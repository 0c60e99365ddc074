# SPDX-License-Identifier: GPL-2.0-or-later
"""bsradm: the calls it makes, and what it does with their exit codes.

Back ends are scripts that write down how they were called and answer as a test wants, so that every code and every
answer can be had.
"""

import os
import re
import time

import pytest

from bsradm_support import EXAMPLE, PLACES, TWO, UP
from conftest import program, run


# --- dry runs -------------------------------------------------------------------------------------------------------

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


def test_dry_run_asks_and_does_nothing(adm):
    assert adm("-d", "up", "r0").returncode == 0
    assert adm.calls() == ["bsrsetup show r0"]
    assert adm("-d", "down", "r0").returncode == 0
    assert adm.calls() == []


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
    assert adm.calls() == ["bsrsetup show r0"] + dry
    assert os.readlink(adm.dir / "run" / "bsr-resource-r0.conf") == str(adm.conf)
    assert os.readlink(adm.dir / "run" / "bsr-minor-0.conf") == str(adm.conf)
    assert adm("down", "r0").returncode == 0
    assert os.listdir(adm.dir / "run") == []


def test_a_failed_resource_does_not_stop_the_others(adm):
    adm.write(TWO)
    (adm.dir / "rc.new-resource.r0").write_text("10")
    result = adm("up", "all")
    asked, *calls = adm.calls()
    assert asked == "bsrsetup show" and result.returncode == 1
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
    adm.answer("role", code=10)
    (adm.dir / "rc.forget-peer.v09").write_text("0")
    adm("forget-peer", "r0")
    assert adm.calls() == ["bsrsetup role r0", "bsrsetup forget-peer r0 1",
                           "bsrmeta 0 v09 /dev/sda1 internal --node-id=1 forget-peer"]
    adm.answer("forget-peer", code=0)
    adm.answer("role", code=0)
    adm("forget-peer", "r0:bob")
    assert adm.calls() == ["bsrsetup role r0", "bsrsetup forget-peer r0 1"]
    adm.answer("forget-peer", code=10)
    assert adm("forget-peer", "r0:bob").returncode == 10  # it runs, and refuses
    assert len(adm.calls()) == 2


def test_set_gi_needs_its_value(adm):
    assert adm("set-gi", "r0:bob/0").returncode == 1
    assert adm("set-gi", "--gi=1:2:3:4", "--force", "r0:bob/0").returncode == 0
    assert adm.calls() == ["bsrmeta 0 v09 /dev/sda1 internal --node-id=1 set-gi 1:2:3:4 --force"]


def test_resize_takes_the_configured_size(adm):
    adm.write(EXAMPLE.replace("al-extents 1237;", "size 1G;"))
    assert adm.dry("resize", "r0") == "bsrsetup resize 0 --size=1G \nbsrsetup check-resize 0 \n"
    assert adm.dry("resize", "--size=2G", "r0/0").startswith("bsrsetup resize 0 --size=2G \n")


def test_a_disk_that_cannot_be_attached_stops_only_itself(adm):
    adm.write(TWO.replace("device minor 0; disk /dev/sda1; meta-disk internal;",
                          "volume 0 { device minor 0; disk /dev/sda1; meta-disk internal; }"
                          "volume 1 { device minor 5; disk /dev/sda2; meta-disk internal; }"))
    (adm.dir / "rc.attach.0").write_text("10")
    result = adm("up", "r0")
    calls = adm.calls()
    assert result.returncode == 1 and "minor 0 has no disk now; all else went on" in result.stderr
    assert "bsrsetup attach 5 /dev/sda2 /dev/sda2 internal --al-extents=1237" in calls
    assert calls[-2:] == ["bsrsetup apply-persist-role r0", "bsrsetup connect r0 1"]


def test_a_disk_without_metadata_is_not_attached(adm):
    adm.answer("apply-al", code=255)
    result = adm("up", "r0")
    calls = adm.calls()
    assert result.returncode == 1 and "create-md r0" in result.stderr
    assert not [c for c in calls if " attach " in c] and calls[-1] == "bsrsetup connect r0 1"


@pytest.mark.parametrize("words, expected", [
    ("adjust --skip-disk r0", "attach"), ("adjust --skip-net r0", "new-peer"), ("adjust --skip-net r0", "connect"),
    ("adjust --skip-disk r0", "apply-al")])
def test_adjust_of_what_does_not_run_skips_on_request(adm, words, expected):
    adm.answer("show", code=10)
    assert adm(*words.split()).returncode == 0
    calls = adm.calls()
    assert any("new-minor" in c for c in calls) and not any(f" {expected}" in c for c in calls)


def test_adjust_of_one_peer_leaves_the_others_alone(adm):
    adm.write(TWO.replace("on bob { node-id 1; address 10.1.1.32:7000; }",
                          "on bob { node-id 1; address 10.1.1.32:7000; } on carl { node-id 2; address 10.1.1.33:7000; }"
                          " connection-mesh { hosts alice bob carl; }"))
    adm.answer("show", code=10)
    assert adm("adjust", "r0:carl").returncode == 0
    calls = adm.calls()
    assert "bsrsetup connect r0 2" in calls and not [c for c in calls if c.startswith("bsrsetup connect r0 1")]


def test_invalidate_of_what_does_not_run_changes_the_metadata(adm):
    (adm.dir / "rc.invalidate.0").write_text("10")
    assert adm("invalidate", "r0").returncode == 10  # it runs, and refuses
    assert adm.calls() == ["bsrsetup invalidate 0", "bsrsetup role r0"]
    adm.answer("role", code=10)
    assert adm("invalidate", "r0").returncode == 0
    assert adm.calls()[2:] == ["bsrmeta 0 v09 /dev/sda1 internal invalidate"]


def test_check_resize_falls_back_to_metadata(adm):
    (adm.dir / "rc.check-resize.0").write_text("20")
    assert adm("check-resize", "r0").returncode == 0
    assert adm.calls() == ["bsrsetup check-resize 0", "bsrmeta 0 v09 /dev/sda1 internal check-resize"]
