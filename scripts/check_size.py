#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Size budgets of C code: files up to 800 lines, functions up to 70.

A longer function is allowed when the line above it holds a comment beginning with "Long:" that says why.
"""
import os
import re
import subprocess
import sys

FILE_LINES = 800
FUNCTION_LINES = 70
ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
HEAD = re.compile(r"^[A-Za-z_].*[^;]$")


def functions(lines):
    """(first line, name, length) of each function: a column-0 line up to '{' and its closing '}' in column 0."""
    head = None
    for number, line in enumerate(lines):
        if HEAD.match(line) and not line.startswith(("#", "struct ", "enum ", "union ", "typedef ", "static const ")):
            head = number if head is None or lines[number - 1].startswith("}") or not lines[number - 1].strip() else head
        if head is not None and line.endswith(";"):
            head = None  # a declaration over several lines, not a function
        if line == "{" and head is not None:
            end = next((n for n in range(number, len(lines)) if lines[n].startswith("}")), len(lines))
            name = re.search(r"(\w+)\s*\(", " ".join(lines[head:number]))
            yield head, name.group(1) if name else "?", end - head + 1
            head = None


def main():
    listed = subprocess.run(["git", "ls-files", "*.c", "*.h"], cwd=ROOT, check=True, capture_output=True, text=True)
    problems = []
    for path in listed.stdout.split():
        full = os.path.join(ROOT, path)
        if not os.path.exists(full):
            continue
        with open(full, encoding="utf-8") as source:
            lines = source.read().split("\n")
        if len(lines) > FILE_LINES:
            problems.append(f"{path}: {len(lines)} lines, limit {FILE_LINES}: split it")
        for first, name, length in functions(lines):
            excused = first > 0 and "Long:" in "".join(lines[max(0, first - 6):first])
            if length > FUNCTION_LINES and not excused:
                problems.append(f"{path}:{first + 1}: {name} has {length} lines, limit {FUNCTION_LINES}")
    print("\n".join(problems) or "all within budget")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
