# SPDX-License-Identifier: GPL-2.0-or-later
"""Completion of all five tools: what the tables in the code know is offered, so that the completion cannot fall behind.

How readline cuts words is in test_bsradm_usage.py, on a terminal.
"""

import os
import re
import shlex
import socket
import sys

import pytest

from conftest import program, run

ROOT = __file__.rsplit("/tests/", 1)[0]
sys.path.insert(0, os.path.join(ROOT, "scripts"))
import make_status  # noqa: E402  (it reads the same tables)

TOOLS = ("bsradm", "bsrsetup", "bsrmeta", "bsrmon", "bsrcon")
META = "bsrmeta - v09 /dev/x internal "
SECTIONS = {"d": ["DISK"], "p": ["PEER_DEVICE"], "n": ["NET"], "r": ["RESOURCE"], "o": ["NODE"], "m": ["DEVICE"]}


@pytest.fixture(name="complete")
def fixture_complete(adm, tmp_path):
    """complete(lines) -> for each line the set of what is offered at its end; r0 runs, with minor 7."""
    run_dir = tmp_path / "run"
    os.makedirs(run_dir, exist_ok=True)
    (run_dir / "minor-7").symlink_to("nowhere")
    path = ":".join(os.path.dirname(program(tool)) for tool in TOOLS)

    def complete(lines):
        calls = "".join(f"ask _{line.split()[0]} {line.split()[0]} {shlex.quote(line)}\n" for line in lines)
        script = (f"PATH={path}:$PATH; . {ROOT}/tools/bsradm/bsradm.bash; COMP_WORDBREAKS=' '\n"
                  "ask() { COMP_LINE=$3; COMP_POINT=${#3}; $1 $2; echo \"${COMPREPLY[*]}\"; }\n" + calls)
        done = run("bash", "-c", script, env=adm.env)
        offered = [set(line.split()) for line in done.stdout.splitlines()]
        assert len(offered) == len(lines), done.stderr
        return offered

    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(run_dir / "r0.sock"))
        yield complete


def option_names(section):
    return {"--" + name for where, name, flags in make_status.options()
            if where == section and "INTERNAL" not in flags and "DRBD_ONLY" not in flags}


def adm_rows():
    """command -> options of its own and of its sections, as the table of bsradm has them"""
    table = make_status.one(r"commands\[\] = \{(.*?)\n\};", make_status.read("tools/bsradm/commands.c"), "commands")
    rows = re.findall(r'\{"([^"]+)",\s*ADM_\w+,\s*\w+,\s*[^",{}]*?,\s*(NULL|"[a-z]*"),\s*((?:NULL|"[^"]*"|\s)+),', table)
    found = {}
    for name, letters, extras in rows:
        options = {"--" + word.rstrip("=") for word in make_status.c_string(extras).split()}
        for letter in letters.strip('"') if letters != "NULL" else "":
            options |= set().union(*(option_names(section) for section in SECTIONS.get(letter, [])))
        found[name] = options
    return found


def setup_rows():
    """command -> options, of bsrsetup"""
    text = make_status.read("tools/bsrsetup/commands.c")
    flags = {name: {"--" + word for word in re.findall(r'\{"([^"]+)", ', body)}
             for name, body in re.findall(r"struct bsr_setup_flag (\w+)\[\] = \{(.*?)\n\};", text, re.S)}
    found = {}
    for name, sections, flag in re.findall(r'\n\t\{"([^"]+)", \{[^}]*\}, ([^,]*),\s*(\w+),', text):
        found[name] = set(flags.get(flag, ()))
        for section in re.findall(r"\w+", sections):
            found[name] |= option_names(section) if section in ("NET", "DISK", "PEER_DEVICE", "RESOURCE", "NODE") else set()
    return found


def meta_rows():
    """command -> options, of bsrmeta"""
    table = make_status.one(r"commands\[\] = \{(.*?)\n\};", make_status.read("tools/bsrmeta/main.c"), "commands")
    return {name: set(re.findall(r"--[\w-]+", arguments)) for name, arguments in re.findall(r'\{"([^"]+)", "([^"]*)",', table)}


@pytest.mark.parametrize("prefix, rows", [("bsradm ", adm_rows), ("bsrsetup ", setup_rows), (META, meta_rows)])
def test_every_command_and_each_of_its_options(complete, prefix, rows):
    table = rows()
    assert len(table) > 15 and {"--start", "--stop", "--auto-sync"} <= adm_rows()["verify"]
    for name, offered in zip(table, complete([prefix + name for name in table])):
        assert name in offered, f"{prefix}: {name} is not offered"
    names = [name for name in table if table[name]]
    for name, offered in zip(names, complete([f"{prefix}{name} --" for name in names])):
        assert table[name] <= offered, f"{prefix}{name}: {table[name] - offered} are not offered"


@pytest.mark.parametrize("tool", ["bsradm", "bsrsetup", "bsrmon"])
def test_help_offers_the_commands(complete, tool):
    plain, after_help = complete([f"{tool} ", f"{tool} help "])
    assert len(plain) > 10 and plain - {"help"} <= after_help


def test_commands_of_bsradm_are_the_table(complete):
    everyday, scripts = complete(["bsradm ", "bsradm sh-"])
    table = make_status.commands()
    assert everyday == {name for name, _, hidden in table if not hidden}
    assert scripts == {name for name, _, _ in table if name.startswith("sh-")}


def test_bsrmon_knows_its_table(complete):
    table = make_status.monitor_commands()
    words = [name for name, _, _ in table]
    plain, slashes, types = complete(["bsrmon ", "bsrmon /", "bsrmon report "])
    assert plain == set(words) | {"help"} and slashes == {"/" + name for name in words}
    assert types == set(re.findall(r'\n\t\{"(\w+)", "[^"]*",\s*MON_(?:VOLUME|RESOURCE|HOST),', make_status.read("tools/bsrmon/types.c")))
    for name, arguments, _ in table:
        offered = complete([f"bsrmon {name} ", f"bsrmon {name} x ", f"bsrmon {name} --"])
        for place, word in enumerate(re.findall(r"[A-Z|a-z_]+", arguments)[:2]):
            if word == "RESOURCE":
                assert offered[place] == {"r0"}, (name, place)
            elif word.startswith("TYPE"):
                assert offered[place] == types | ({"all"} if "|all" in word else set()), (name, place)
        helped = run(program("bsrmon"), "help", name).stdout
        assert offered[2] == set(re.findall(r"--\w+", helped))
    assert complete(["bsrmon set ", "bsrmon get ", "bsrmon show --types=io", "bsrmon watch --resources="]) == [
        {"period", "file_path", "total_size_limit"}, {"all", "period", "file_path", "total_size_limit", "types"},
        {"--types=iostat", "--types=ioclat", "--types=io_pending"}, {"--resources=r0"}]


def test_bsrcon_knows_its_table(complete):
    table = make_status.console_commands()
    assert complete(["bsrcon ", "bsrcon /handler_use 1 /"]) == [{"/" + name for name, _, _, _ in table}] * 2
    for name, arguments, _, applies in table:
        words = re.findall(r"[^ \[\]]+", arguments)
        offered = complete(["bsrcon /" + " ".join([name] + ["x"] * place) + " " for place in range(len(words))])
        for word, found in zip(words, offered):
            if word == "RESOURCE" and applies:
                assert found == {"r0"}, name
            elif re.fullmatch(r"[a-z0-9|]+", word) and "|" in word and name != "fault":
                assert found == set(word.split("|")), (name, word)
    levels = set(re.findall(r'"(\w+)"', make_status.one(r'("emerg".*?)\}', make_status.read("tools/bsrcon/settings_commands.c"), "levels")))
    categories = set(re.findall(r'"(\w+)"', make_status.one(r'("role", "resync".*?)\}', make_status.read("config/settings.c"), "categories")))
    assert len(categories) > 4
    assert complete(["bsrcon /minlog_lv sys ", "bsrcon /dbglog_ctgr enable ", "bsrcon /dbglog_ctgr disable role ",
                     "bsrcon /fault r0 ", "bsrcon /fault r0 disk op="]) == [
        levels, categories | {"all"}, categories | {"all"}, {"clear", "disk", "meta", "network"}, {"op=read", "op=write", "op=flush"}]
