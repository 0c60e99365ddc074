# SPDX-License-Identifier: GPL-2.0-or-later
"""bsradm adjust: the calls that a difference between what runs and what is configured makes."""

import re

import pytest

from bsradm_support import EXAMPLE, TWO, UP


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


# --- up of what runs ------------------------------------------------------------------------------------------------

NO_DISK = RUNNING.replace('disk\t\t\t"/dev/sda1";\n            meta-disk\t\t\tinternal;', "disk none;")
NO_PEER = RUNNING[:RUNNING.index("    connection {")] + "}\n"
NO_OPTIONS = RUNNING.replace("options {\n            svc-auto-up     \tno;\n        }", "").replace('node-name\t\t"alice";', "")
STANDALONE = RUNNING.replace('_peer_node_name\t"bob";', '_peer_node_name\t"bob";\n        _is_standalone;')
ATTACH = ["bsrmeta 0 v09 /dev/sda1 internal apply-al", "bsrsetup attach 0 /dev/sda1 /dev/sda1 internal --al-extents=1237"]
PEER = [" ".join(line.split()) for line in UP.splitlines()[3:5]]


@pytest.mark.parametrize("running, expected", [
    (RUNNING, [LAST]),
    (NO_DISK, ATTACH + [LAST]),
    (NO_PEER, PEER + ["bsrsetup peer-device-options r0 1 0 --set-defaults --c-max-rate=4M", LAST, "bsrsetup connect r0 1"]),
    (NO_OPTIONS, ["bsrsetup node-options r0 --set-defaults --svc-auto-up=no --node-name=alice", LAST]),
    (STANDALONE, [LAST, "bsrsetup connect r0 1"]),
    (RUNNING.replace("c-max-rate      \t4096k;", ""),
     ["bsrsetup peer-device-options r0 1 0 --set-defaults --c-max-rate=4M", LAST]),
], ids=["nothing is missing", "disk", "peer", "node-options", "connect", "peer-device-options"])
def test_up_goes_on_where_it_was_interrupted(adm, running, expected):
    adm.answer("show", output=running)
    result = adm("up", "r0")
    assert result.returncode == 0 and "r0" not in result.stderr
    assert adm.calls() == ["bsrsetup show r0"] + expected
    assert (adm.dir / "run" / "bsr-resource-r0.conf").exists()
    dry = adm("-d", "up", "r0")
    assert [" ".join(line.removeprefix(f"{adm.dir}/").split()) for line in dry.stdout.splitlines()] == expected
    assert adm.calls() == ["bsrsetup show r0"]


@pytest.mark.parametrize("old, new, told", [
    ("ping-int        \t7;", "ping-int 8; shared-secret x;", "bsrsetup net-options r0 1 would change it"),
    ("majority;", "all;", "bsrsetup resource-options r0 would change it"),
    ("c-max-rate      \t4096k;", "c-max-rate 5M;", "bsrsetup peer-device-options r0 1 0 would change it"),
    ("svc-auto-up     \tno", "svc-auto-down     \tno", "bsrsetup node-options r0 would change it"),
    ("volume 0 {", "volume 7 { device minor 7; disk none; }\n volume 0 {", "bsrsetup del-minor 7 would change it"),
    ("10.1.1.32:7000", "10.1.1.32:7001", "bsrsetup del-path r0 1 ipv4:10.1.1.31:7000 ipv4:10.1.1.32:7001 would change it"),
    ("_peer_node_id 1;", "_peer_node_id 2;", "bsrsetup del-peer r0 2 would change it"),
])
def test_up_changes_nothing_that_runs(adm, old, new, told):
    adm.answer("show", output=RUNNING.replace(old, new, 1))
    result = adm("up", "r0")
    assert result.returncode == 1 and f"r0: does not run as configured: {told}\n" in result.stderr, result.stderr
    assert "what helps: bsradm adjust r0" in result.stderr and "secret" not in result.stderr
    assert adm.calls() == ["bsrsetup show r0"]


def test_up_of_another_disk_is_refused(adm):
    adm.answer("show", output=RUNNING.replace("/dev/sda1", "/dev/sdz1"))
    result = adm("up", "r0")
    assert result.returncode == 10 and "runs on disk /dev/sdz1" in result.stderr
    assert adm.calls() == ["bsrsetup show r0"]


# --- adjust of what runs --------------------------------------------------------------------------------------------

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
