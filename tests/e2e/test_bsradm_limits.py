# SPDX-License-Identifier: GPL-2.0-or-later
"""What a configuration of DRBD may legitimately say is read, kept and dumped: every option with every value at its limits.

The limits are those that the installed drbdsetup tells (`xml-help`); the installed drbdadm takes them all, so must bsradm.
"""

import os
import subprocess
import xml.etree.ElementTree as xml

import pytest

from bsradm_support import Admin, uncommented
from test_bsradm_drbd import DRBDADM, ask_drbdadm

DRBDSETUP = DRBDADM.replace("drbdadm", "drbdsetup")
pytestmark = pytest.mark.skipif(not os.path.exists(DRBDSETUP), reason="drbdsetup is not installed (drbd-utils)")

SECTIONS = (("attach", "disk"), ("peer-device-options", "disk"), ("net-options", "net"), ("resource-options", "options"))
EXAMPLE_FILE = "/usr/share/doc/drbd-utils/examples/drbd.conf.example"
NOT_COMPARED = ("set-defaults", "_name", "resync-after")  # of the last one files have names of resources


def values_of(option):
    """Every value of one option that DRBD's own description calls legal, as texts of a file; None: the bare name."""
    found = {kind: [e.text for e in option.findall(kind)] for kind in ("handler", "symbol", "min", "max", "default")}
    if option.get("type") == "boolean":
        return ["yes", "no", None]
    if option.get("type") == "string":
        return ['""', '"x"', f'"{"x" * 31}"']
    low, high = (int(found[limit][0]) for limit in ("min", "max")) if found["min"] else (0, -1)
    numbers = sorted({n for n in (low, low + 1, 0, 1, high - 1, high) if low <= n <= high})
    return found["handler"] + found["symbol"] + [f'"{n}"' if n < 0 else str(n) for n in numbers]


def legal_statements():
    for command, section in SECTIONS:
        text = subprocess.run([DRBDSETUP, "xml-help", command], capture_output=True, text=True, check=True).stdout
        for option in xml.fromstring(text).iter("option"):
            if option.get("name") not in NOT_COMPARED:
                for value in values_of(option):
                    yield section, option.get("name") + ("" if value is None else f" {value}")


def configuration(statements):
    text = "global { usage-count no; disable-ip-verification; }\n"
    for i, (section, statement) in enumerate(statements):
        text += (f"resource r{i} {{ device minor {i}; disk /dev/d{i}; meta-disk internal; {section} {{ {statement}; }}\n"
                 f"  on alice {{ node-id 0; address 10.1.1.1:{10000 + i}; }}\n"
                 f"  on bob {{ node-id 1; address 10.1.1.2:{10000 + i}; }} }}\n")
    return text


def test_every_legal_value_of_drbd_is_kept(tmp_path):
    adm = Admin(tmp_path)
    statements = list(legal_statements())
    assert len(statements) > 200
    adm.write(configuration(statements))
    theirs = ask_drbdadm(adm, "alice", "dump")
    assert theirs.returncode == 0, theirs.stderr
    ours = adm.plain("dump")
    assert ours.returncode == 0, ours.stderr
    adm.write(ours.stdout, "again.conf")
    again = adm.plain("-c", adm.dir / "again.conf", "dump")
    assert uncommented(again.stdout) == uncommented(ours.stdout)
    adm.write(theirs.stdout, "theirs.conf")
    of_theirs = adm.plain("-c", adm.dir / "theirs.conf", "-d", "up", "all")
    assert of_theirs.returncode == 0 and of_theirs.stdout == adm.dry("up", "all")


@pytest.mark.parametrize("word", ["retry-connect", "auto-discard"])
def test_a_word_of_drbd_that_acts_as_another_is_told_and_kept(adm, word):
    adm.write(configuration([("net", f"rr-conflict {word}")]))
    result = adm.plain("dump")
    assert result.returncode == 0 and f" {word};" in result.stdout
    assert f"{adm.conf}:2:71: warning: rr-conflict {word} is kept, but acts as disconnect here (it is DRBD's)" in result.stderr
    assert f" --rr-conflict={word} " in adm.dry("up", "all")


@pytest.mark.parametrize("operator", ["eq", "ne", "gt", "ge", "lt", "le"])
def test_a_wanted_version_of_drbds_module_is_kept_and_told(adm, operator):
    statement = f"require-drbd-module-version-{operator} 9.1.23;\n"
    adm.write(statement + configuration([("net", "timeout 50")]))
    result = adm.plain("dump")
    assert result.returncode == 0 and f"\n{statement}" in result.stdout
    assert f"{adm.conf}:1:1: warning: {statement.split()[0]} is kept, and taken as fulfilled" in result.stderr
    adm.write(result.stdout, "again.conf")
    assert uncommented(adm.plain("-c", adm.dir / "again.conf", "dump").stdout) == uncommented(result.stdout)


@pytest.mark.parametrize("statement, told", [
    ("require-drbd-module-version-ge 9.1;", ":1:32: '9.1' is not a version"),
    ("require-drbd-module-version-ge 9.1.0.2;", "is not a version"),
    ("require-drbd-module-version-ge;", "expected a version like 9.1.0"),
    ("require-drbd-module-version-is 9.1.0;", "expected require-drbd-module-version-{eq,ne,gt,ge,lt,le}"),
])
def test_a_wrong_version_statement_is_refused_where_it_stands(adm, statement, told):
    adm.write(f"{statement}\n" + configuration([("net", "timeout 50")]))
    result = adm.plain("dump")
    assert result.returncode == 10 and told in result.stderr, result.stderr


STACKED = """resource "r0-U" { net { protocol A; }
  stacked-on-top-of r0 { node-id 0; device /dev/drbd10; address 192.168.42.1:7788; } # on whichever is Primary
  on carl { node-id 1; device /dev/drbd10; disk /dev/hda6; address 192.168.42.2:7788; meta-disk internal; } }
"""


@pytest.mark.parametrize("host", ["alice", "bob", "carl"])
def test_a_stacked_resource_is_kept_and_told_and_the_others_run(adm, host):
    adm.write(configuration([("net", "timeout 50")]) + STACKED)
    assert ask_drbdadm(adm, host, "sh-nop").returncode == 0
    env = {"__BSR_NODE__": host}
    result = adm.plain("dump", env=env)
    assert result.returncode == 0 and STACKED.split(" {", 1)[1] in result.stdout
    assert "stacked resources are not supported: r0-U is kept, and left out" in result.stderr
    adm.write(result.stdout, "again.conf")
    assert uncommented(adm.plain("-c", adm.dir / "again.conf", "dump", env=env).stdout) == uncommented(result.stdout)
    assert adm.plain("sh-resources", env=env).stdout == ("" if host == "carl" else "r0\n")
    refused = adm.plain("-d", "up", "r0-U", env=env)
    assert refused.returncode == 1 and "'r0-U' ignored: stacked resources are not supported" in refused.stderr


@pytest.mark.skipif(not os.path.exists(EXAMPLE_FILE), reason="drbd-utils has no example here")
@pytest.mark.parametrize("host", ["alice", "undertest-1"])
def test_the_example_file_of_drbd_is_read(adm, host):
    env = {"__BSR_NODE__": host}
    result = adm.plain("-c", EXAMPLE_FILE, "dump", env=env)
    assert result.returncode == 0, result.stderr
    assert all(": warning: " in line for line in result.stderr.splitlines()[1:])
    adm.write(result.stdout, "again.conf")
    assert uncommented(adm.plain("-c", adm.dir / "again.conf", "dump", env=env).stdout) == uncommented(result.stdout)
