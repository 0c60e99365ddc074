#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""run_seeds.py - many seeds in parallel, resumable, with a summary

Each job is one bsr-sim over a block of seeds. With --state FILE finished blocks are remembered and skipped by the
next call, and their counters are kept, so that a campaign of a million seeds can be stopped and taken up again.
Exit status: 0 nothing was found, 1 a seed failed, 2 it could not run.
"""
import argparse
import collections
import concurrent.futures
import json
import os
import re
import subprocess
import sys
import time

SUMMARY = re.compile(r"runs (\d+) failed (\d+) events (\d+) acknowledged (\d+) reads (\d+) crashes (\d+) links (\d+) "
                     r"comparisons (\d+)")
NAMES = ("runs", "failed", "events", "acknowledged", "reads", "crashes", "links", "comparisons")
FAILED = re.compile(r"^FAILED (\S+): (.*)\n  seed (\d+),", re.M)


def run_block(sim, first, last, extra):
    command = [sim, "--seeds", f"{first}..{last}", "--fail-max", "1000000", "--dump-coverage", *extra]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    match = SUMMARY.search(done.stdout)
    if match is None:
        return first, None, f"{' '.join(command)}: status {done.returncode}\n{done.stdout[-2000:]}{done.stderr[-2000:]}", [], {}
    counts = dict(zip(NAMES, map(int, match.groups())))
    failures = [(label, int(seed), message) for label, message, seed in FAILED.findall(done.stdout)]
    coverage = {}
    for line in done.stdout.splitlines():
        if line.startswith("coverage "):
            coverage = {k: int(v) for k, v in (item.split(":") for item in line.split()[1:])}
    return first, counts, done.stdout, failures, coverage


def load_state(path, key):
    if path and os.path.exists(path):
        with open(path, encoding="utf-8") as f:
            state = json.load(f)
        if state.get("key") != key:
            sys.exit(f"{path} belongs to another campaign ({state.get('key')}); remove it or name another file")
        return state
    return {"key": key, "done": [], "counts": {}, "failures": [], "coverage": {}}


def save_state(path, state):
    if path:
        with open(path + ".new", "w", encoding="utf-8") as f:
            json.dump(state, f)
        os.replace(path + ".new", path)


def add(state, first, counts, failures, coverage):
    state["done"].append(first)
    for name, value in counts.items():
        state["counts"][name] = state["counts"].get(name, 0) + value
    for item, value in coverage.items():
        state["coverage"][item] = state["coverage"].get(item, 0) + value
    state["failures"].extend(failures)


def summary(state, seconds, counts_now):
    c = collections.Counter(state["counts"])
    print("seeds %d, failed %d, events %d, acknowledged writes %d, reads checked %d, crashes %d, links %d, comparisons %d"
          % tuple(c[n] for n in NAMES))
    print("this call: %d seeds in %.1f s, %.1f seeds/s, %.0f events/s"
          % (counts_now["runs"], seconds, counts_now["runs"] / max(seconds, 0.01), counts_now["events"] / max(seconds, 0.01)))
    by_label = collections.defaultdict(list)
    for label, seed, message in state["failures"]:
        by_label[label].append((seed, message))
    for label, found in sorted(by_label.items()):
        print(f"  {label}: {len(found)} seeds, e.g. {found[0][0]}: {found[0][1]}")


def everything_reached(sim, coverage):
    dump = "coverage " + " ".join(f"{item}:{count}" for item, count in coverage.items())
    done = subprocess.run([sim, "--judge-coverage"], input=dump, capture_output=True, text=True, check=False)
    print(done.stdout + done.stderr, end="")
    return done.returncode == 0


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sim", default=os.path.join(os.path.dirname(__file__), "..", "build", "sim", "bsr-sim"))
    parser.add_argument("--seeds", default="1..2000", help="A..B")
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    parser.add_argument("--block", type=int, default=50, help="seeds of one process")
    parser.add_argument("--state", help="file that remembers what is done")
    parser.add_argument("--stories", type=int, default=1, help="failures to print with their transcript")
    parser.add_argument("--judge", action="store_true", help="fail when something that can be reached was not")
    parser.add_argument("extra", nargs="*", help="options for bsr-sim, after --")
    args = parser.parse_args()
    first, last = (int(x) for x in args.seeds.split(".."))
    state = load_state(args.state, f"{args.seeds} block {args.block} {' '.join(args.extra)}")
    blocks = [b for b in range(first, last + 1, args.block) if b not in set(state["done"])]
    began = time.monotonic()
    counts_now = collections.Counter()
    told = 0
    crashed = []
    with concurrent.futures.ThreadPoolExecutor(args.jobs) as pool:
        jobs = [pool.submit(run_block, args.sim, b, min(b + args.block - 1, last), args.extra) for b in blocks]
        for job in concurrent.futures.as_completed(jobs):
            block, counts, text, failures, coverage = job.result()
            if counts is None: # the simulator itself died: nothing of the block counts, the others go on
                print(text[:20000])
                crashed.append(block)
                continue
            counts_now.update(counts)
            if failures and told < args.stories:
                told += 1
                print(text[:20000])
            add(state, block, counts, failures, coverage)
            save_state(args.state, state)
    summary(state, time.monotonic() - began, counts_now)
    if crashed:
        print(f"bsr-sim died in the blocks that begin with {crashed}")
        return 2
    missed = args.judge and not everything_reached(args.sim, state["coverage"])
    return 1 if state["failures"] or missed else 0


if __name__ == "__main__":
    sys.exit(main())
