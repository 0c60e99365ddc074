# SPDX-License-Identifier: GPL-2.0-or-later
"""Instructions that one replicated 4 KiB write costs in user space, on each side, counted by callgrind.

The engine processes are those of bench/counted (the same objects as bsrd, but without the sandbox, which valgrind could
not live in); each runs under callgrind. Counting is switched on for a steady load only.

Valgrind knows no AVX-512, so under it the checksum of a payload takes another way than on a processor that has it. Both
ways are counted by stepping through them on the processor (bench/checksum_steps.c); the difference is taken into account,
and told.

How many writes a turn of the loop and an epoch hold, and so what each of them costs, depends on what else the machine
does. For comparing one version of the code with another, writes are also sent in bursts of a given number.
"""
import glob
import json
import os
import re
import shutil
import subprocess
import tempfile
import time

from targets import Failure, Nbd, Pair

BUDGET = {"Primary": 2000, "Secondary": 1500}
BURSTS = (1, 4, 16)
BUILD = os.environ.get("BSR_BUILD", os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "build"))


def engine_pid(host):
    """As the host sees it: the process under valgrind."""
    for line in host.out("ps -eo pid,args").splitlines():
        if "bsrd --engine" in line and "valgrind" in line:
            return int(line.split()[0])
    raise Failure(f"{host.name}: no engine process runs under valgrind")


def parse(path, writes):
    """(instructions per write by folder, [(function, instructions per write)]) of one dump, the largest first"""
    names = {}  # callgrind gives a name once, and its number from then on
    functions, folders = {}, dict.fromkeys(("engine", "host", "daemon", "device", "libraries"), 0)
    function, folder, of_callee = "?", "libraries", False
    with open(path, encoding="utf-8", errors="replace") as dump:
        for line in dump:
            spec = re.match(r"(fl|fi|fe|fn|cfi|cfl|cfn|cob|ob)=\((\d+)\)(?: (.*))?$", line)
            if spec:
                kind = {"n": "function", "b": "object"}.get(spec[1][-1], "file")
                name = names[kind, spec[2]] = spec[3] or names.get((kind, spec[2]), "?")
                if spec[1] == "fn":
                    function = name
                elif spec[1] in ("fl", "fi", "fe"):
                    folder = folder_of(name)
            elif line.startswith("calls="):
                of_callee = True  # the next line is what the call cost, and is counted there
            elif of_callee:
                of_callee = False
            elif re.match(r"[\d+*-]", line):
                each = int(line.split()[-1]) / writes
                functions[function] = functions.get(function, 0) + each
                folders[folder] += each
    return folders, sorted(functions.items(), key=lambda item: -item[1])


def folder_of(path):
    """Which part a source file belongs to; what the compiler's and liburing's headers bring is host code here."""
    for folder in ("engine", "host", "daemon", "device"):
        if f"/{folder}/" in path:
            return folder
    return "host" if path.endswith(("mmintrin.h", "liburing.h")) else "libraries"


def dump_of(folder, name):
    """The counts that a process was asked for, when they are all there; removed by the caller."""
    for _ in range(100):
        for path in glob.glob(os.path.join(folder, f"callgrind.{name}.*")):
            with open(path, encoding="utf-8") as dump:
                if "\ntotals: " in dump.read():
                    return path
        time.sleep(0.2)
    raise Failure(f"callgrind wrote nothing for {name}")


def checksum_steps():
    """Instructions of a payload's checksum: {best: way, best_steps, counted: way under valgrind, counted_steps}"""
    done = subprocess.run([os.path.join(BUILD, "bench", "checksum_steps")], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise Failure(f"checksum_steps: {done.stderr}")
    return json.loads(done.stdout)


class Bursts:
    """A load whose writes come so many at a time, whatever else the machine does (bursts.py)."""

    def __init__(self, pair, burst):
        self.pair = pair
        self.burst = burst

    def measure(self, writes, area):
        script = os.path.join(os.path.dirname(os.path.abspath(__file__)), "bursts.py")
        self.pair.alice.run(f"/usr/bin/python3 {script} /run/bsr/r0.nbd 0 {self.burst} {writes} {area}", timeout=300)
        return writes


class Steady:
    """What the budget is about: random writes at depth 16, as they come."""

    def __init__(self, pair):
        self.load = Nbd(pair, "counted")

    def measure(self, seconds, area):
        return self.load.measure("randwrite 4k qd16", seconds, area)["ios"]


def count_once(pair, pids, load, amount, area):
    """One dump of both sides: {side: (writes, instructions by folder, functions)}"""
    for host, pid in pids.items():
        host.run(f"kill -USR1 {pid}")
    writes = load.measure(amount, area)
    for host, pid in pids.items():
        host.run(f"kill -USR2 {pid}")
    found = {}
    for host, side in zip(pair.cluster.hosts, BUDGET):
        path = dump_of(pair.env["BSR_COUNT_DIR"], host.name)
        found[side] = (writes, *parse(path, writes))
        os.unlink(path)
    return found


def own_code(folders):
    """What the budget is about."""
    return folders["engine"] + folders["host"] + folders["daemon"]


def median_sides(found, own_way):
    """[what bench.json tells of a side] of several count_once(); @own_way: the processor's own way to a checksum, less"""
    sides = []
    for side in BUDGET:
        ranked = sorted((one[side] for one in found), key=lambda one: own_code(one[1]))
        writes, folders, functions = ranked[len(ranked) // 2]
        each = own_code(folders) + own_way  # of the one payload per write
        sides.append({"side": side, "instructions": each, "callgrind": own_code(folders),
                      "lowest": own_code(ranked[0][1]) + own_way, "highest": own_code(ranked[-1][1]) + own_way,
                      "budget": BUDGET[side], "met": each <= BUDGET[side], "writes": writes,
                      "folders": folders, "functions": functions[:60]})
    return sides


def count(size, seconds=3, rounds=5, area=128 << 20, bursts=BURSTS):
    """Both sides under a steady load, and in bursts: {sides, checksum, rounds, bursts: {burst: sides}}"""
    folder = tempfile.mkdtemp(prefix="bsr-count-", dir=os.environ.get("BSR_BENCH_DIR", "/var/tmp"))
    checksum = checksum_steps()
    own_way = checksum["best_steps"] - checksum["counted_steps"]
    pair = None
    try:
        pair = Pair(folder, size, os.path.join(BUILD, "bench", "counted", "bsrd"), {"BSR_COUNT_DIR": folder})
        pair.start("C")
        pids = {host: engine_pid(host) for host in pair.cluster.hosts}
        steady = Steady(pair)
        steady.measure(1, area)  # warm: extents hot, tables touched
        # how many writes share a turn, and an epoch, depends on what else the machine does: the median
        found = [count_once(pair, pids, steady, seconds, area) for _ in range(rounds)]
        in_bursts = {burst: median_sides([count_once(pair, pids, Bursts(pair, burst), 400 * burst, area)
                                          for _ in range(rounds)], own_way) for burst in bursts}
        return {"sides": median_sides(found, own_way), "checksum": checksum, "rounds": rounds, "bursts": in_bursts}
    finally:
        if pair is not None:
            pair.close()
        shutil.rmtree(folder, ignore_errors=True)


def main():
    counts = count(256 << 20)
    for name, sides in [("depth 16", counts["sides"]), *((f"bursts of {n}", s) for n, s in counts["bursts"].items())]:
        for side in sides:
            print(f"{name:14} {side['side']:10} {side['instructions']:6.0f} ({side['lowest']:.0f} to {side['highest']:.0f}); "
                  + ", ".join(f"{folder} {each:.0f}" for folder, each in side["folders"].items()))


if __name__ == "__main__":
    main()
