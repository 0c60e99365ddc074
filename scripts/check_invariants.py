#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""check_invariants.py - docs/design/simulator-invariants.md and the labels in sim/*.c say the same"""
import glob
import os
import re
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
PAGE = "docs/design/simulator-invariants.md"


def main():
    code = "".join(open(path, encoding="utf-8").read() for path in glob.glob(os.path.join(ROOT, "sim", "*.c")))
    used = set(re.findall(r'sim_fail\(w,\s*"([A-Z0-9-]+)"', code))
    wrong, rows = [], {}
    for line in open(os.path.join(ROOT, PAGE), encoding="utf-8"):
        cells = [cell.strip() for cell in line.strip().strip("|").split("|")]
        if len(cells) != 3 or not re.fullmatch(r"[A-Z][A-Z0-9-]*", cells[0]):
            continue
        if cells[0] in rows:
            wrong.append(f"{PAGE}: {cells[0]} twice")
        rows[cells[0]] = cells[2]
    for label, where in rows.items():
        named = re.match(r"checked as ([A-Z0-9-]+)", where)
        says = named.group(1) if named else label if where.startswith("checked") else None
        if says is not None and says not in used:
            wrong.append(f"{PAGE}: {label} is said to be checked, and no code in sim/ fails with {says}")
    wrong += [f"{PAGE}: no row for {label}, which sim/ checks" for label in sorted(used - set(rows))]
    numbers = [f"I{i}" for i in range(1, 51)] + [f"L{i}" for i in range(1, 11)] + [f"E{i}" for i in range(1, 7)]
    wrong += [f"{PAGE}: no row for {label}" for label in numbers if label not in rows]
    print("\n".join(wrong) if wrong else f"{len(rows)} invariants, {len(used)} labels in the code")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
