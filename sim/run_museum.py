#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""run_museum.py - every story of sim/museum/ with several seeds; exit status 1 when one does not end as told"""
import argparse
import glob
import os
import subprocess
import sys


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
    with open(os.path.join(here, "museum", "WAITING"), encoding="utf-8") as f:
        waiting = sum(1 for line in f.read().split("\n\n", 1)[1].splitlines() if line.strip())
    print(f"{len(stories) - bad} of {len(stories)} stories end as told; {waiting} lines of WAITING name those without a feature")
    return 1 if bad or not stories else 0


if __name__ == "__main__":
    sys.exit(main())
