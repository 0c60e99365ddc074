#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Compare bsr with the bare disk and with other servers, in one run on one machine.

Every number is the median of rounds; in a round every target has its turn, so that what else the machine does hits all
of them. Two media: a file on the disk below BSR_BENCH_DIR (/var/tmp), and a file in memory (/dev/shm), where only
the cost of the software is left. docs/benchmarks.md tells how to read the results.
"""
import argparse
import json
import os
import platform
import shutil
import statistics
import sys
import tempfile
import time

import count
import plot
from targets import (JOBS, MIB, Bare, Device, Disk, Failure, Nbd, NbdFuse, Nbdkit, NbdkitMemory, NbdkitNull, NbdkitUncached,
                     Pair, cpu_seconds, machine_busy_seconds, plain_copy)

HERE = os.path.dirname(os.path.abspath(__file__))
BARE, NBDKIT, NBDFUSE = Bare.name, Nbdkit.name, NbdFuse.name
UNCONNECTED_NBD, UNCONNECTED_DEVICE = "bsr unconnected, NBD", "bsr unconnected, device"
C_NBD, C_DEVICE = "bsr C, NBD", "bsr C, device"
C_FLUSH = "bsr C disk-flushes yes, NBD"
W16, W1M = "randwrite 4k qd16", "write 1M qd4"
GOALS = [  # (sentence, job, measured, yardstick, wanted ratio)
    ("protocol C through NBD, against nbdkit file", W16, C_NBD, NBDKIT, 0.8),
    ("unconnected through NBD, against nbdkit file", W16, UNCONNECTED_NBD, NBDKIT, 1.5),
    ("unconnected device, against nbdkit + nbdfuse + loop", W16, UNCONNECTED_DEVICE, NBDFUSE, 1.5),
    ("protocol C device, against nbdkit + nbdfuse + loop", W16, C_DEVICE, NBDFUSE, 0.7),
    ("protocol C through NBD, against the bare file", W1M, C_NBD, BARE, 0.35),
    ("resync, against a plain O_DIRECT copy over the same veth", "resync", "resync", "plain copy", 0.8),
]
CEILINGS = (NbdkitNull, NbdkitMemory)  # servers without a disk, through the same client: what could be reached at most
GOAL_TARGETS = {BARE, NBDKIT, NbdkitUncached.name, NbdkitNull.name, NbdkitMemory.name, C_FLUSH, NBDFUSE, UNCONNECTED_NBD, UNCONNECTED_DEVICE, C_NBD, C_DEVICE}


class Runner:
    """All rounds on one medium; self.samples[target][job] is a list of measurements."""

    def __init__(self, medium, folder, args, jobs, only):
        self.medium = medium
        self.args = args
        self.jobs = jobs
        self.only = only
        self.size = args.size * MIB
        self.area = self.size - 16 * MIB  # what every target has: metadata take some of it
        self.samples = {}
        self.folder = tempfile.mkdtemp(prefix="bsr-bench-", dir=folder)
        self.closing = [lambda: shutil.rmtree(self.folder, ignore_errors=True)]

    def opened(self, thing):
        self.closing.append(thing.close)
        return thing

    def close(self):
        for close in reversed(self.closing):
            close()

    def start(self):
        free = shutil.disk_usage(self.folder).free
        if free < 5 * self.size:
            raise Failure(f"{self.folder} has {free // MIB} MiB left and {5 * self.args.size} MiB are needed: give "
                          "another BSR_BENCH_DIR, a smaller --size, or only one of --media disk,memory")
        self.bare = self.opened(Disk(self.folder, "bare.img", self.size))
        self.other = self.opened(Disk(self.folder, "nbdkit.img", self.size))
        self.nbdkit = self.opened(Nbdkit(self.folder, self.other, self.size))
        self.uncached = self.opened(NbdkitUncached(self.folder, self.other, self.size))
        self.ceilings = [self.opened(kind(self.folder, self.other, self.size)) for kind in CEILINGS]
        self.nbdfuse = self.opened(NbdFuse(self.folder, self.nbdkit))
        self.pair = self.opened(Pair(self.folder, self.size))
        self.pair.start()

    def take(self, target, jobs=None):
        if self.only is not None and target.name not in self.only:
            return
        for job in jobs or self.jobs:
            pids = target.pids()
            if self.args.priority:
                for pid in sum(pids.values(), [os.getpid()]):
                    prefer(pid)
            before = {who: cpu_seconds(found) for who, found in pids.items()}
            busy = machine_busy_seconds()
            result = target.measure(job, self.args.seconds, self.area)
            result["machine_busy_s"] = machine_busy_seconds() - busy
            result["client_us"] = result["fio_cpu_s"] / max(result["ios"], 1) * 1e6
            result["cpu_us"] = {who: (cpu_seconds(found) - before[who]) / max(result["ios"], 1) * 1e6
                                for who, found in pids.items()}
            self.samples.setdefault(target.name, {}).setdefault(job, []).append(result)

    def rate(self, name, seconds, transferred):
        self.samples.setdefault(name, {}).setdefault("resync", []).append({"bytes_s": transferred / seconds})

    def round(self):
        for target in (Bare(self.bare), self.nbdkit, self.nbdfuse):
            self.take(target)
        self.take(self.uncached, [W16, W1M])
        for target in self.ceilings:
            self.take(target, [W16])
        for protocol in "ABC":
            if self.only is None or protocol == "C":
                self.pair.connect(protocol)
                self.take(Nbd(self.pair, f"bsr {protocol}, NBD"))
                self.take(Device(self.pair, f"bsr {protocol}, device"))
        self.pair.connect("C", flushes="yes")
        self.take(Nbd(self.pair, C_FLUSH), [W16])
        self.pair.connect("C")
        self.rate("resync", *self.pair.full_resync())
        self.rate("plain copy", plain_copy(self.pair, self.bare, self.other, self.area), self.area)
        self.pair.unconnect()
        self.take(Nbd(self.pair, UNCONNECTED_NBD))
        self.take(Device(self.pair, UNCONNECTED_DEVICE))

    def run(self, rounds):
        try:
            self.start()
            for index in range(rounds):
                began = time.monotonic()
                self.round()
                print(f"  {self.medium}: round {index + 1} of {rounds}, {time.monotonic() - began:.0f} s", flush=True)
        finally:
            self.close()
        return summary(self.samples)


def prefer(pid):
    """--priority: on a machine that others use, what is measured goes first, all targets alike."""
    for task in os.listdir(f"/proc/{pid}/task"):
        os.setpriority(os.PRIO_PROCESS, int(task), -15)
    try:
        with open(f"/proc/{pid}/autogroup", "w", encoding="ascii") as group:
            group.write("-15")
    except OSError:
        pass  # a kernel without groups


def summary(samples):
    """target -> job -> medians, and the samples they are of"""
    out = {}
    for target, jobs in samples.items():
        for job, runs in jobs.items():
            keys = [key for key in runs[0] if key != "cpu_us"]
            row = {key: statistics.median(run[key] for run in runs) for key in keys}
            row["cpu_us"] = {who: statistics.median(run["cpu_us"][who] for run in runs)
                             for who in runs[0].get("cpu_us", {})}
            row["rounds"] = [run.get("iops", run["bytes_s"]) for run in runs]
            out.setdefault(target, {})[job] = row
    return out


def goals(results):
    rows = []
    for text, job, measured, yardstick, wanted in GOALS:
        key = "bytes_s" if job in ("resync", W1M) else "iops"
        ratio = results[measured][job][key] / results[yardstick][job][key]
        rows.append({"goal": text, "job": job, "wanted": wanted, "ratio": ratio, "met": ratio >= wanted})
    return rows


# ------------------------------------------------------------------ printing

def speed(row, job):
    return f"{row['bytes_s'] / MIB:7.0f} MiB/s" if "1M" in job or job == "resync" else f"{row['iops']:8.0f} IOPS"


def print_table(medium, results):
    print(f"\n== {medium}: medians; in brackets the ratio to the bare file, then the servers' CPU time per I/O")
    for job in JOBS:
        if job not in results[BARE]:
            continue
        print(f"\n{job}")
        base = results[BARE][job]["bytes_s"]
        for target, jobs in results.items():
            if job in jobs:
                row = jobs[job]
                cpu = "  ".join(f"{who} {us:.1f} us" for who, us in row["cpu_us"].items())
                print(f"  {target:26} {speed(row, job):>14}  ({row['bytes_s'] / base:5.2f})  "
                      f"p50 {row['p50_us']:7.0f} us  p99 {row['p99_us']:7.0f} us  {cpu}")
    print("\nwhole-disk copies")
    for name in ("resync", "plain copy"):
        print(f"  {name:26} {speed(results[name]['resync'], 'resync'):>14}")


def print_goals(media):
    print("\n== goals")
    for medium, found in media.items():
        for row in found["goals"]:
            print(f"  {'met   ' if row['met'] else 'NOT MET'} {medium:7} {row['job']:18} {row['goal']}: "
                  f"{row['ratio']:.2f} (wanted {row['wanted']})")


def ceilings(results):
    """[(target, its IOPS to those of nbdkit file, the client's CPU time and the servers' per I/O)] of random writes, depth 16"""
    base = results[NBDKIT][W16]["iops"]
    names = [NBDKIT, *(kind.name for kind in CEILINGS), UNCONNECTED_NBD, C_NBD]
    return [(name, results[name][W16]["iops"] / base, results[name][W16]["client_us"],
             sum(results[name][W16]["cpu_us"].values())) for name in names if name in results]


def print_ceilings(media):
    print(f"\n== {W16} through NBD: what this client leaves on this machine, to nbdkit file")
    for medium, found in media.items():
        for name, ratio, client_us, server_us in ceilings(found["results"]):
            print(f"  {medium:7} {name:26} {ratio:5.2f}   CPU per I/O: client {client_us:.1f} us, servers {server_us:.1f} us")


def print_counts(counts):
    print("\n== instructions in user space per replicated 4 KiB write (callgrind, protocol C, NBD, qd16);")
    print("   the budget is for engine, host and daemon; the front end and libraries come on top")
    checksum = counts["checksum"]
    print(f"   a payload's checksum by {checksum['best']}: {checksum['best_steps']}; valgrind has to take another way "
          f"({checksum['counted']}, {checksum['counted_steps']}), the difference is subtracted")
    for side in counts["sides"]:
        print(f"  {'met   ' if side['met'] else 'NOT MET'} {side['side']:10} {side['instructions']:6.0f} "
              f"(budget {side['budget']}; callgrind {side['callgrind']:.0f}), median of {counts['rounds']} rounds, "
              f"{side['lowest']:.0f} to {side['highest']:.0f}, {side['writes']} writes each; by folder: "
              + ", ".join(f"{name} {each:.0f}" for name, each in side["folders"].items()) + "; the largest functions:")
        for name, share in side["functions"][:12]:
            print(f"          {share:7.1f}  {name}")
    for burst, sides in counts["bursts"].items():
        print(f"  in bursts of {burst}: " + ", ".join(f"{side['side']} {side['instructions']:.0f}" for side in sides))


def write_markdown(path, report):
    """The same tables for docs/benchmarks.md."""
    lines = [f"{report['machine']['cpus']} CPUs ({report['machine']['cpu']}), Linux {report['machine']['kernel']}, load "
             f"{report['machine']['load'][0]:.1f} at the start; {report['rounds']} rounds of {report['seconds']} s", ""]
    for medium, found in report["media"].items():
        results = found["results"]
        jobs = [job for job in JOBS if job in results[BARE]]
        lines += [f"Files in {medium}: IOPS for 4k, MiB/s for 1M; in brackets the ratio to the bare file.", "",
                  "| target | " + " | ".join(jobs) + " |", "| --- |" + " ---: |" * len(jobs)]
        for target in (name for name in results if name not in ("resync", "plain copy")):
            cells = [f"{cell(results[target][job], job)} ({results[target][job]['bytes_s'] / results[BARE][job]['bytes_s']:.2f})"
                     if job in results[target] else "" for job in jobs]
            lines.append(f"| {target} | " + " | ".join(cells) + " |")
        lines += ["", "Servers' CPU time per I/O (us):", "", "| target | " + " | ".join(jobs) + " |",
                  "| --- |" + " ---: |" * len(jobs)]
        for target in (name for name in results if name not in ("resync", "plain copy", BARE)):
            cells = [" + ".join(f"{us:.1f}" for us in results[target][job]["cpu_us"].values())
                     if job in results[target] else "" for job in jobs]
            lines.append(f"| {target} | " + " | ".join(cells) + " |")
        lines += ["", *(f"{name}: {results[name]['resync']['bytes_s'] / MIB:.0f} MiB/s  " for name in ("resync", "plain copy")),
                  ""]
    for medium, found in report["media"].items():
        lines += [f"{W16} through NBD, files in {medium}, CPU time per I/O in us:", "",
                  "| target | to nbdkit file | client | servers |", "| --- | ---: | ---: | ---: |"]
        lines += [f"| {name} | {ratio:.2f} | {client_us:.1f} | {server_us:.1f} |"
                  for name, ratio, client_us, server_us in ceilings(found["results"])] + [""]
    lines += ["| goal | medium | wanted | measured | |", "| --- | --- | ---: | ---: | --- |"]
    for medium, found in report["media"].items():
        lines += [f"| {row['job']}: {row['goal']} | {medium} | {row['wanted']} | {row['ratio']:.2f} | "
                  f"{'met' if row['met'] else 'not met'} |" for row in found["goals"]]
    with open(path, "w", encoding="utf-8") as out:
        out.write("\n".join(lines) + "\n")


def cell(row, job):
    return f"{row['bytes_s'] / MIB:.0f}" if "1M" in job else f"{row['iops']:.0f}"


def machine():
    with open("/proc/cpuinfo", encoding="utf-8") as info:
        model = next((line.split(":", 1)[1].strip() for line in info if line.startswith("model name")), "?")
    return {"cpu": model, "cpus": os.cpu_count(), "kernel": platform.release(), "load": os.getloadavg()}


def parse():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--long", action="store_true", help="five rounds of 3 s per job, all jobs on both media")
    parser.add_argument("--rounds", type=int)
    parser.add_argument("--seconds", type=float, help="of each job in each round")
    parser.add_argument("--size", type=int, default=512, help="MiB of each disk (512); four of them are made")
    parser.add_argument("--media", default="disk,memory")
    parser.add_argument("--goals", action="store_true", help="only the jobs and targets that goals need")
    parser.add_argument("--no-count", action="store_true", help="do not count instructions")
    parser.add_argument("--priority", action="store_true", help="raise the priority of all that is measured")
    parser.add_argument("--results", default=os.path.join(HERE, "results"))
    args = parser.parse_args()
    args.rounds = args.rounds or (5 if args.long else 3)
    args.seconds = args.seconds or (3 if args.long else 0.5)
    return args


def main():
    args = parse()
    if os.geteuid() != 0:
        sys.exit("bench: must be root: it makes namespaces, loop devices and FUSE mounts (sudo make bench)")
    folders = {"disk": os.environ.get("BSR_BENCH_DIR", "/var/tmp"), "memory": "/dev/shm"}
    media = {}
    report = {"machine": machine(), "rounds": args.rounds, "seconds": args.seconds, "media": media}
    try:
        for medium in args.media.split(","):
            few = args.goals or (medium == "memory" and not args.long)
            runner = Runner(medium, folders[medium], args, [W16, W1M] if few else list(JOBS),
                            GOAL_TARGETS if few else None)
            results = runner.run(args.rounds)
            media[medium] = {"results": results, "goals": goals(results)}
        if not args.no_count:
            report["instructions"] = count.count(args.size * MIB)
    except Failure as failure:
        sys.exit(f"bench: {failure}")
    for medium, found in media.items():
        print_table(medium, found["results"])
    if "instructions" in report:
        print_counts(report["instructions"])
    print_goals(media)
    print_ceilings(media)
    os.makedirs(args.results, exist_ok=True)
    with open(os.path.join(args.results, "bench.json"), "w", encoding="utf-8") as out:
        json.dump(report, out, indent=1)
    write_markdown(os.path.join(args.results, "bench.md"), report)
    for medium, found in media.items():
        plot.write(os.path.join(args.results, f"bench-{medium}.svg"), medium, found["results"])
    print(f"\nresults: {args.results}/bench.json, bench.md and bench-*.svg; load of the machine {os.getloadavg()[0]:.1f} on "
          f"{os.cpu_count()} CPUs")


if __name__ == "__main__":
    main()
