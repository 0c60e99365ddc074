#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Arrows point one way: which folder may include headers of which (docs/architecture.md)."""
import os
import re
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
MAY_USE = {
    "engine": {"engine"},
    "config": {"config"},
    "host": {"host", "engine"},
    "device": {"device", "host", "engine"},
    "daemon": {"daemon", "device", "host", "engine", "config"},
    "tools": {"tools", "config", "engine", "host"},
    "sim": {"sim", "engine"},
    "fsmap": {"fsmap"},
}
INCLUDE = re.compile(r'^\s*#\s*include\s+"([^"]+)"')
FREESTANDING = {"stddef.h", "stdint.h", "stdbool.h", "string.h", "stdalign.h", "limits.h"}
SYSTEM = re.compile(r"^\s*#\s*include\s+<([^>]+)>")


def owner_of(path, include):
    """Folder of the project that an include names, None when it is not one of ours."""
    for base in (os.path.dirname(path), "", "engine", "engine/include"):
        candidate = os.path.normpath(os.path.join(base, include))
        if os.path.exists(os.path.join(ROOT, candidate)):
            return candidate.split(os.sep)[0]
    for folder in MAY_USE:
        if os.path.exists(os.path.join(ROOT, folder, include)):
            return folder
    return None


def main():
    listed = subprocess.run(["git", "ls-files", "*.c", "*.h"], cwd=ROOT, check=True, capture_output=True, text=True)
    problems = []
    for path in listed.stdout.split():
        folder = path.split("/")[0]
        full = os.path.join(ROOT, path)
        if folder not in MAY_USE or not os.path.exists(full):
            continue
        test = re.search(r"(_test\.c|/fuzz_|test_support\.h|_test_)", path)
        for number, line in enumerate(open(full, encoding="utf-8"), 1):
            match = INCLUDE.match(line)
            used = owner_of(path, match.group(1)) if match else None
            if used and used not in MAY_USE[folder] and used in MAY_USE and not test:
                problems.append(f"{path}:{number}: {folder}/ may not use {used}/")
            match = SYSTEM.match(line)
            if match and folder == "engine" and not test:
                name = match.group(1)
                if name not in FREESTANDING and not name.startswith("bsr/"):
                    problems.append(f"{path}:{number}: the engine may not include <{name}>")
    print("\n".join(problems) or "includes point the right way")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
