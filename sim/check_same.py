#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""check_same.py - the same seed takes the same course (E1): in two runs, and in builds by other compilers

`check_same.py BUILD` compares two runs. With --compilers it also builds with gcc and clang at -O0 and -O2 (in a
temporary directory) and compares the hashes of all of them.
"""
import argparse
import itertools
import os
import subprocess
import sys
import tempfile


def hashes(sim, seeds):
    done = subprocess.run([sim, "--seeds", seeds, "--hash", "--fail-max", "1000000"], capture_output=True, text=True, check=False,
                          timeout=1200)
    lines = [line for line in done.stdout.splitlines() if not line.startswith("runs ")]
    if not lines:
        sys.exit(f"{sim}: no hashes\n{done.stderr}")
    return lines


def build(root, where, compiler, level):
    env = dict(os.environ, CC=compiler)
    subprocess.run(["meson", "setup", where, root, f"-Doptimization={level}", "-Dwerror_dev=false"], env=env, check=True,
                   stdout=subprocess.DEVNULL)
    subprocess.run(["ninja", "-C", where, "sim/bsr-sim"], check=True, stdout=subprocess.DEVNULL)
    return os.path.join(where, "sim", "bsr-sim")


def compare(name, expected, found):
    for a, b in itertools.zip_longest(expected, found):
        if a != b:
            print(f"{name}: expected {a}, found {b}")
            return False
    print(f"{name}: {len(found)} seeds, the same")
    return True


def main():
    root = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sim", default=os.path.join(root, "build", "sim", "bsr-sim"))
    parser.add_argument("--seeds", default="1..60")
    parser.add_argument("--compilers", action="store_true")
    args = parser.parse_args()
    expected = hashes(args.sim, args.seeds)
    ok = compare("second run", expected, hashes(args.sim, args.seeds))
    if args.compilers:
        with tempfile.TemporaryDirectory() as scratch:
            for compiler, level in itertools.product(("gcc", "clang"), ("0", "2")):
                sim = build(root, os.path.join(scratch, compiler + level), compiler, level)
                ok = compare(f"{compiler} -O{level}", expected, hashes(sim, args.seeds)) and ok
    return 0 if ok else 1


if __name__ == "__main__":
    sys.exit(main())
