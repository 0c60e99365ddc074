#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The engine is freestanding: its only undefined symbols are four mem* functions and bsr_panic."""
import subprocess
import sys

ALLOWED = {"memcpy", "memmove", "memset", "memcmp", "bsr_panic"}
LINKER = {"_GLOBAL_OFFSET_TABLE_"}


def symbols(archive, *flags):
    text = subprocess.run(["nm", *flags, archive], check=True, capture_output=True, text=True).stdout
    return {line.split()[-1] for line in text.splitlines() if len(line.split()) >= 2 and not line.endswith(":")}


def main():
    archive = sys.argv[1]
    foreign = symbols(archive, "--undefined-only") - symbols(archive, "--defined-only") - ALLOWED - LINKER
    foreign = {name for name in foreign if not name.startswith(("__asan", "__ubsan", "__tsan", "__stack_chk"))}
    for name in sorted(foreign):
        print(f"engine uses {name}: only {', '.join(sorted(ALLOWED))} are allowed")
    return 1 if foreign else 0


if __name__ == "__main__":
    sys.exit(main())
