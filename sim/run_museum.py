#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""run_museum.py - every story of sim/museum/ with several seeds; exit status 1 when one does not end as told"""
import argparse
import glob
import os
import subprocess
import sys


def read_index(here, stories):
    """what is wrong with museum/INDEX, and the names that wait"""
    wrong, waiting = [], []
    with open(os.path.join(here, "museum", "INDEX"), encoding="utf-8") as f:
        lines = f.read().split("\n\n", 1)[1].splitlines()
    for line in filter(None, lines):
        name, *words = line.split()
        if not words:
            wrong.append(f"INDEX: {name} has no story, test or reason")
        elif words[0] == "waits:":
            waiting.append(name)
        elif words[0] != "no:":
            at = words.index("test") if "test" in words else len(words)
            wrong += [f"INDEX: {name}: no story {word}" for word in words[:at] if word not in stories]
            wrong += [f"INDEX: {name}: no file {word}" for word in words[at + 1:] if not os.path.exists(os.path.join(here, "..", word))]
    return wrong, waiting


def main():
    here = os.path.dirname(os.path.abspath(__file__))
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sim", default=os.path.join(here, "..", "build", "sim", "bsr-sim"))
    parser.add_argument("--seeds", default="1..10")
    args = parser.parse_args()
    stories = sorted(glob.glob(os.path.join(here, "museum", "*.story")))
    bad = 0
    for story in stories:
        done = subprocess.run([args.sim, "--scenario", story, "--seeds", args.seeds], capture_output=True, text=True,
                              check=False, timeout=300)
        print(f"{'ok  ' if done.returncode == 0 else 'FAIL'} {os.path.basename(story)[:-len('.story')]}", flush=True)
        if done.returncode != 0:
            bad += 1
            print(done.stdout[-8000:] + done.stderr)
    found, waiting = read_index(here, {os.path.basename(story)[:-len(".story")] for story in stories})
    bad += len(found)
    print("\n".join(found), end="\n" if found else "")
    print(f"{len(stories) - bad} of {len(stories)} stories end as told; waiting for a feature: {', '.join(waiting)}")
    return 1 if bad or not stories else 0


if __name__ == "__main__":
    sys.exit(main())
