#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""check_mutants.py - the simulator must catch every planted mistake

Each mistake of mutants.def is switched on alone and seeds are run until an invariant breaks. Seeds that fail without any
mistake do not count. Exit status 1 when a mistake survives all seeds.
"""
import argparse
import concurrent.futures
import glob
import os
import re
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
FAILED = re.compile(r"^FAILED (\S+): (.*)\n  seed (\d+),", re.M)


def run(sim, number, first, last, most, story=None, nodes="2"):
    command = [sim, "--mutant", str(number), "--seeds", f"{first}..{last}", "--fail-max", str(most), "--lines", "0", "--nodes", nodes]
    if story is not None:
        command += ["--scenario", story]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=1200)
    if done.returncode not in (0, 1):
        sys.exit(f"{' '.join(command)}: status {done.returncode}\n{done.stderr[-2000:]}")
    return [(label, int(seed), message) for label, message, seed in FAILED.findall(done.stdout)]


def hunt_mesh(sim, number, limit):
    """mistakes among three nodes: a few seeds of three, which must pass without the mistake, the stories of several nodes, many seeds"""
    for first in range(1, limit, 50):
        if first == 51:
            for story in sorted(glob.glob(os.path.join(HERE, "museum", "*.story"))):
                with open(story, encoding="utf-8") as f:
                    several = "\nset nodes " in f.read()
                for label, seed, message in run(sim, number, 1, 25, 1, story) if several else []:
                    if not run(sim, 0, seed, seed, 1, story):
                        return label, f"{seed} of {os.path.basename(story)[: -len('.story')]}", message
        for label, seed, message in run(sim, number, first, first + 49, 3, nodes="3"):
            if not run(sim, 0, seed, seed, 1, nodes="3"):
                return label, f"{seed} of three nodes", message
    return None


def hunt(sim, number, limit, sick):
    """the first seed that only fails with the mistake; a few seeds, then the museum, then many: an early catch is cheap"""
    for label, seed, message in run(sim, number, 1, min(30, limit), len(sick) + 1):
        if seed not in sick:
            return label, str(seed), message
    for story in sorted(glob.glob(os.path.join(HERE, "museum", "*.story"))):
        name = os.path.basename(story)[: -len(".story")]
        for label, seed, message in run(sim, number, 1, 5, 1, story):
            if not run(sim, 0, seed, seed, 1, story):
                return label, f"{seed} of {name}", message
    first = 31
    while first <= limit:
        last = min(first + 99, limit)
        for label, seed, message in run(sim, number, first, last, len(sick) + 1):
            if seed not in sick:
                return label, str(seed), message
        first = last + 1
    return None


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sim", default=os.path.join(HERE, "..", "build", "sim", "bsr-sim-mutants"))
    parser.add_argument("--limit", type=int, default=600, help="seeds per mistake")
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    parser.add_argument("--only", help="numbers, separated by commas")
    args = parser.parse_args()
    listed = subprocess.run([args.sim, "--list-mutants"], capture_output=True, text=True, check=True).stdout
    mutants = [(int(line.split()[0]), line.split(" ", 1)[1]) for line in listed.splitlines()]
    twice = {number for number, _ in mutants if sum(number == other for other, _ in mutants) > 1}
    if twice:
        sys.exit(f"mutants.def: numbers used twice: {sorted(twice)}")
    if args.only:
        wanted = {int(x) for x in args.only.split(",")}
        mutants = [m for m in mutants if m[0] in wanted]
    sick = {seed for _, seed, _ in run(args.sim, 0, 1, args.limit, 1000000)}
    if sick:
        print(f"{len(sick)} seeds fail without any mistake: {sorted(sick)[:10]}")
    survivors = []
    with concurrent.futures.ThreadPoolExecutor(args.jobs) as pool:
        found = pool.map(lambda m: (m, hunt_mesh(args.sim, m[0], args.limit) if m[1].startswith("mesh-")
                                    else hunt(args.sim, m[0], args.limit, sick)), mutants)
        for (number, story), catch in found:
            if catch is None:
                survivors.append(number)
                print(f"{number:3} SURVIVES {args.limit} seeds   {story}", flush=True)
            else:
                print(f"{number:3} {catch[0]:9} seed {catch[1]:44} {story.split(':')[0]}", flush=True)
    print(f"{len(mutants) - len(survivors)} of {len(mutants)} caught" + (f"; surviving: {survivors}" if survivors else ""))
    return 1 if survivors else 0


if __name__ == "__main__":
    sys.exit(main())
