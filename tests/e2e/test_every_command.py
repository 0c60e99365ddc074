# SPDX-License-Identifier: GPL-2.0-or-later
"""Every command of every tool and every option of a running resource, from the tools' own tables.

A command that is added is tested from then on: usage errors, refusals, and limits of each option are asked of all.
"""

import os
import re
import xml.etree.ElementTree as ElementTree

import pytest

from bsradm_support import EXAMPLE, uncommented
from conftest import program, run
from test_bsradm_cluster import Cluster


def listed(text):
    """Names of commands in a help text."""
    return sorted(set(re.findall(r"^  ([a-z][a-z0-9-]+) ", text, re.M)) - {"help", "xml-help"})


SETUP = listed(run(program("bsrsetup"), "help").stdout)
ADM = listed(run(program("bsradm"), "help").stdout + run(program("bsradm"), "hidden-commands").stdout)
META = listed(run(program("bsrmeta"), "--help").stdout)
ARGUMENTS = {"resource": "r0", "node_id": "0", "peer_node_id": "1", "minor": "7", "volume": "0", "lower_dev": "/dev/null",
             "meta_data_dev": "/dev/null", "meta_data_index": "internal", "local-addr": "ipv4:127.0.0.1:7",
             "remote-addr": "ipv4:127.0.0.1:8", "disable-ip-verification": "0"}


def described(command):
    return ElementTree.fromstring(run(program("bsrsetup"), "xml-help", command).stdout)


def arguments_of(command):
    return [ARGUMENTS[a.text] for a in described(command).findall("argument")]


def test_the_lists_are_complete():
    assert len(SETUP) > 45 and len(ADM) > 70 and len(META) > 12


# --- bsrsetup -------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("command", SETUP)
def test_setup_usage(command, tmp_path):
    env = {"BSR_RUN_DIR": str(tmp_path)}
    words = arguments_of(command)
    optional = command in ("down", "show", "status", "events2")
    for wrong, what in ((words + ["surplus", "more"], None), (words + ["--no-such-option"], "unrecognized option"),
                        ([] if not optional else ["--no-such-option"], None)):
        result = run(program("bsrsetup"), command, *wrong, env=env)
        assert result.returncode == 20 and result.stderr.startswith("bsrsetup " + command + ": "), (wrong, result)
        assert what is None or what in result.stderr
    shown = run(program("bsrsetup"), command, "--help").stdout
    assert shown.startswith("usage: bsrsetup " + command)
    for number in range(len(words) if command not in ("down", "events2") else 0):  # each argument has its rules: what is hostile is named
        kind = described(command).findall("argument")[number].text
        if kind in ("lower_dev", "meta_data_dev"):
            continue
        for hostile in ("", "a\nb", "-", "x" * 300) + (("9" * 21,) if kind != "resource" else ("..", "a/b")):
            result = run(program("bsrsetup"), command, *words[:number], hostile, *words[number + 1:], env=env, timeout=20)
            assert result.returncode != 0 and result.stderr, (hostile, number)


@pytest.mark.parametrize("command", [c for c in SETUP if c not in ("new-resource", "down", "show", "status", "events2")])
def test_setup_without_a_resource(command, tmp_path):
    """Nothing runs: every command says so, and none waits for it."""
    result = run(program("bsrsetup"), command, *arguments_of(command), env={"BSR_RUN_DIR": str(tmp_path)}, timeout=20)
    assert result.returncode in (5, 10, 20), result
    assert "not running" in result.stderr or "no running resource has minor 7" in result.stderr


@pytest.mark.parametrize("words, out", [(["down", "r0"], ""), (["down", "all"], ""), (["status"], "# No currently"),
                                        (["show"], "# No currently"), (["status", "--json"], "[\n]\n"),
                                        (["show", "--json"], "[]\n"), (["events2", "--now"], "exists -\n")])
def test_setup_of_nothing(words, out, tmp_path):
    result = run(program("bsrsetup"), *words, env={"BSR_RUN_DIR": str(tmp_path)})
    assert result.returncode == 0 and result.stdout.startswith(out)


# --- bsradm ---------------------------------------------------------------------------------------------------------

NO_TARGET = {"sh-nop", "sh-resources", "sh-resources-list", "sh-mod-parms", "hidden-commands", "wait-con-int", "create"}


@pytest.mark.parametrize("command", ADM)
def test_adm_usage(adm, command):
    for words, what in (([command, "--no-such-option", "r0"], "unrecognized option"), ([command, "nobody"], None)):
        result = adm.plain(*words, answer="")
        assert result.returncode in (1, 10), (words, result)
        assert result.stderr and (what is None or what in result.stderr or command in NO_TARGET), result.stderr
    assert adm.plain("help", command).returncode == 0 and f"bsradm {command}" in adm.plain("help", command).stdout
    if command not in NO_TARGET | {"status", "dump", "dump-xml", "check"}:
        assert adm.plain(command).returncode == 1
        assert adm.plain(command, "r0", "r0").returncode == 1  # named twice
        assert adm.plain("-d", command, "r0/9").returncode == 1  # no such volume, or none is taken
    adm.write(EXAMPLE.replace("al-extents 1237;", "al-extents x;"))
    assert adm.plain("-d", command, "r0").returncode in ((10,) if command not in NO_TARGET | {"help"} else (0, 1, 10))


# --- bsrmeta --------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("command", META)
def test_meta_usage(command, tmp_path):
    image = tmp_path / "image"
    image.write_bytes(b"\0" * (1 << 20))
    place = ["-", "v09", image, "internal"]
    before = image.read_bytes()
    for words in (["--force", *place, command, "a", "b", "c", "d"], ["--force", "--no-such", *place, command],
                  ["-", "v99", image, "internal", command], ["-", "v09", image, "external?", command],
                  ["-", "v09", tmp_path / "absent", "internal", command]):
        result = run(program("bsrmeta"), *words, answer="yes\n")
        assert result.returncode in (10, 20) and result.stderr, (words, result)
    assert image.read_bytes() == before
    assert run(program("bsrmeta"), "--help", command).stdout.startswith("usage: bsrmeta")


# --- options of what runs -------------------------------------------------------------------------------------------

OPTION_COMMANDS = ("resource-options", "node-options", "disk-options", "net-options", "peer-device-options")
# what depends on other options, or is refused by this version, with its reason
REFUSED = {"allow-two-primaries=yes": "one Primary", "tls=yes": "encrypt", "on-congestion=pull-ahead": "needs protocol A",
           "on-congestion=disconnect": "needs protocol A"}


@pytest.fixture(name="alone", scope="module")
def fixture_alone(tmp_path_factory):
    """A resource that runs on one host only, so that no option changes a connection."""
    if os.geteuid() != 0:
        pytest.skip("needs root")
    cluster = Cluster(tmp_path_factory.mktemp("alone"))
    cluster.alice.ok("create-md", "r0")
    cluster.alice.ok("up", "r0")
    yield cluster
    cluster.stop()


def settable():
    for command in OPTION_COMMANDS:
        for option in described(command).findall("option"):
            if option.get("name") != "set-defaults":
                yield pytest.param(command, option.get("name"), id=f"{command}-{option.get('name')}")


def values_of(option):
    """(legal values, illegal ones)."""
    kind = option.get("type")
    if kind == "boolean":
        return ["yes", "no"], ["maybe", ""]
    words = [h.text for h in option.findall("handler")]
    if option.find("min") is not None:
        low, high = int(option.find("min").text), int(option.find("max").text)
        if option.get("name") in ("al-extents", "sndbuf-size"):  # any number is taken; the engine uses what it can
            return [str(low), str(high)], ["x"]
        legal = [str(low), str(high), str((low + high) // 2)]
        illegal = [str(high + 1), "x", "1T", "99999999999999999999"] + ([str(low - 1)] if low > 0 else ["-2"])
        return legal + words, illegal
    if words:
        return words, ["no-such-word", ""]
    return None, None


@pytest.mark.parametrize("command, name", settable())
def test_every_option_at_its_limits(alone, command, name):
    option = next(o for o in described(command).findall("option") if o.get("name") == name)
    legal, illegal = values_of(option)
    if legal is None:
        pytest.skip("text: has tests of its own")
    place = {"disk-options": [str(alone.minor)], "net-options": ["r0", "1"], "peer-device-options": ["r0", "1", "0"]}.get(
        command, ["r0"])

    def give(value):
        return run(program("bsrsetup"), command, *place, f"--{name}={value}", env=alone.alice.env)

    for value in illegal:
        result = give(value)
        assert result.returncode == 20 and f"--{name}" in result.stderr, (value, result)
    for value in legal:
        result = give(value)
        reason = REFUSED.get(f"{name}={value}")
        if reason is not None:
            assert result.returncode in (10, 20) and reason in result.stderr, (value, result)
            continue
        if name == "sndbuf-size" and result.returncode == 10:
            assert "(174)" in result.stderr or "(176)" in result.stderr
            continue
        assert result.returncode == 0, (value, result.stderr)
        shown = run(program("bsrsetup"), "show", "r0", "--show-defaults", env=alone.alice.env).stdout
        assert re.search(rf"^\s+{name}\s", shown, re.M), shown
    back = run(program("bsrsetup"), command, *place, "--set-defaults", env=alone.alice.env)
    assert back.returncode == 0, back.stderr


def far_value(option):
    """A legal value that is not the default."""
    if option.get("type") == "boolean":
        return "no" if option.findtext("default") == "yes" else "yes"
    if option.find("handler") is not None:
        return option.findall("handler")[-1].text
    if option.find("max") is not None:
        value = option.findtext("max")
        return f'"{value}"' if len(value) > 8 else value
    return '"3:1"' if option.get("name") == "resync-ratio" else '"a b\\"c"'


@pytest.mark.parametrize("expanded", [[], ["-v"]])
def test_a_dump_of_every_option_is_a_fixed_point(adm, expanded):
    texts = {}
    for command in OPTION_COMMANDS:
        options = [o for o in described(command).findall("option")
                   if o.get("name") not in ("set-defaults", "resync-after", "transport")]
        texts[command] = "".join(f" {o.get('name')} {far_value(o)};" for o in options)
    adm.write(f"""global {{ usage-count no; disable-ip-verification; }}
resource r0 {{ options {{{texts['resource-options']}{texts['node-options']} }} net {{{texts['net-options']} }}
  disk {{{texts['disk-options']}{texts['peer-device-options']} }} device minor 0; disk /dev/a; meta-disk internal;
  on alice {{ node-id 0; address 10.0.0.1:7000; }} on bob {{ node-id 1; address 10.0.0.2:7000; }} }}""")
    first = adm.plain(*expanded, "dump")
    assert first.returncode == 0, first.stderr
    calls = adm.dry("up", "all")
    adm.write(first.stdout)
    second = adm.plain(*expanded, "dump")
    assert uncommented(second.stdout) == uncommented(first.stdout)
    assert adm.dry("up", "all") == calls and calls.count("--") > 60
