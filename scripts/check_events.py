#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""docs/ops/events.md tells what to do about every event from WARN up, under its number and name; each event and each error
is used somewhere."""
import glob
import os
import re
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
EVENT = re.compile(r"^BSR_LOG_EVENT\((\d+), (\w+), (\w+),", re.M)
ROW = re.compile(r"^\| (\d{4}) \| ([a-z0-9-]+) \| (.*?) \| (.*?) \|$", re.M)
ERROR = re.compile(r'^BSR_ERR\((\d+), (\w+),\s+"(.*)"\)$', re.M)
FOLDERS = ("engine", "host", "device", "daemon", "tools", "config")
NEEDS_ADVICE = {"WARN", "ERROR"}


def read(path):
    with open(os.path.join(ROOT, path), encoding="utf-8") as text:
        return text.read()


def problems(events, rows):
    """One line for each event without advice and each row without event."""
    known = {number: (level, name.lower().replace("_", "-")) for number, level, name in events}
    listed = {number: (name, meaning, advice) for number, name, meaning, advice in rows}
    for number, (level, name) in known.items():
        if level in NEEDS_ADVICE and number not in listed:
            yield f"{number} {name} ({level.lower()}) has no row"
    for number, (name, meaning, advice) in listed.items():
        if number not in known:
            yield f"{number} {name} is not in events.def"
        elif known[number][1] != name:
            yield f"{number} is called {known[number][1]}, not {name}"
        if not meaning.strip() or not advice.strip():
            yield f"{number} {name}: says nothing"
    numbers = [row[0] for row in rows]
    for number in sorted(set(n for n in numbers if numbers.count(n) > 1)):
        yield f"{number} has more than one row"


def used_names():
    """Names of events and errors that the sources, not their tests, mention."""
    names = set()
    for folder in FOLDERS:
        for path in glob.glob(os.path.join(ROOT, folder, "**", "*.[ch]"), recursive=True):
            if not re.search(r"(_test|_test_\w+)\.c$", path):
                names.update(re.findall(r"\bBSR_(?:LOGN|E)_(\w+)", read(path)))
        for path in glob.glob(os.path.join(ROOT, folder, "**", "*.def"), recursive=True):
            names.update(re.findall(r"BSR_STATE_RULE\(\d+, \w+, \w+, \w+, (\w+),", read(path)))
    return names


def unused(definitions, used):
    """One line for each event or error that nobody emits."""
    for number, name in definitions:
        if name not in used:
            yield f"{number} {name} is never used: emit it, or remove it"


def without_advice(errors):
    """One line for each error that does not go on, after a semicolon, with what helps."""
    for number, name, text in errors:
        if not text.partition("; ")[2].strip():
            yield f"errors.def: {number} {name} does not say what helps"


def self_test():
    """The check finds what it is for."""
    events = [("1", "WARN", "A_B"), ("2", "INFO", "C")]
    assert not list(problems(events, [("1", "a-b", "x", "y")]))
    assert len(list(problems(events, []))) == 1
    assert len(list(problems(events, [("1", "a-c", "x", "y")]))) == 1
    assert len(list(problems(events, [("1", "a-b", "x", " "), ("3", "z", "x", "y")]))) == 2
    assert list(unused([("1", "A_B"), ("2", "C")], {"C", "D"})) == ["1 A_B is never used: emit it, or remove it"]
    assert list(without_advice([("1", "A", "no; do this"), ("2", "B", "no")])) == ["errors.def: 2 B does not say what helps"]


def main():
    self_test()
    events = EVENT.findall(read("engine/include/bsr/events.def"))
    if len(events) != read("engine/include/bsr/events.def").count("\nBSR_LOG_EVENT("):
        print("events.def has a line that this check cannot read")
        return 1
    found = list(problems(events, ROW.findall(read("docs/ops/events.md"))))
    for line in found:
        print(f"docs/ops/events.md: {line}")
    errors = ERROR.findall(read("engine/include/bsr/errors.def"))
    if len(errors) != read("engine/include/bsr/errors.def").count("\nBSR_ERR("):
        print("errors.def has a line that this check cannot read")
        return 1
    idle = list(unused([(number, name) for number, _, name in events] + [error[:2] for error in errors], used_names()))
    idle += without_advice(errors)
    for line in idle:
        print(line)
    if not found and not idle:
        print(f"{len(events)} events, each from warning up with advice, and {len(errors)} errors; all of them are used")
    return 1 if found or idle else 0


if __name__ == "__main__":
    sys.exit(main())
