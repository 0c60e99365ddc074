# SPDX-License-Identifier: GPL-2.0-or-later
"""Instructions that one replicated 4 KiB write costs in user space, on each side, counted by callgrind.

The engine processes are those of bench/counted (the same objects as bsrd, but without the sandbox, which valgrind could
not live in); each runs under callgrind. Counting is switched on for a steady load only.

Valgrind knows no AVX-512, so under it the checksum of a payload takes another way than on a processor that has it. Both
ways are counted by stepping through them on the processor (bench/checksum_steps.c); the difference is taken into account,
and told.
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
BUILD = os.environ.get("BSR_BUILD", os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "build"))


def engine_pid(host):
    """As the host sees it: the process under valgrind."""
    for line in host.out("ps -eo pid,args").splitlines():
        if "bsrd --engine" in line and "valgrind" in line:
            return int(line.split()[0])
    raise Failure(f"{host.name}: no engine process runs under valgrind")


def parse(path, writes):
    """(instructions per write by folder, [(function, instructions per write)]) of one dump, the largest first"""
    with open(path, encoding="utf-8") as dump:
        total = int(re.search(r"^totals: (\d+)", dump.read(), re.MULTILINE)[1])
    done = subprocess.run(["callgrind_annotate", "--threshold=100", path], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise Failure(f"callgrind_annotate {path}: {done.stdout}{done.stderr}")
    functions, folders = {}, dict.fromkeys(("engine", "host", "daemon", "device", "libraries"), 0)
    for line in done.stdout.split("PROGRAM TOTALS", 1)[1].splitlines():
        row = re.match(r"\s*([\d,]+) \([ \d.]+%\)\s+(\S+):(\S+)", line)
        if row:
            each = int(row[1].replace(",", "")) / writes
            functions[row[3]] = functions.get(row[3], 0) + each
            folders[folder_of(row[2])] += each
    folders["libraries"] += total / writes - sum(folders.values())
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


def count_once(pair, pids, load, seconds, area):
    """One dump of both sides: {side: (writes, instructions by folder, functions)}"""
    for host, pid in pids.items():
        host.run(f"kill -USR1 {pid}")
    result = load.measure("randwrite 4k qd16", seconds, area)
    for host, pid in pids.items():
        host.run(f"kill -USR2 {pid}")
    found = {}
    for host, side in zip(pair.cluster.hosts, ("Primary", "Secondary")):
        path = dump_of(pair.env["BSR_COUNT_DIR"], host.name)
        found[side] = (result["ios"], *parse(path, result["ios"]))
        os.unlink(path)
    return found


def own_code(folders):
    """What the budget is about."""
    return folders["engine"] + folders["host"] + folders["daemon"]


def count(size, seconds=3, rounds=5, area=128 << 20):
    folder = tempfile.mkdtemp(prefix="bsr-count-", dir=os.environ.get("BSR_BENCH_DIR", "/var/tmp"))
    checksum = checksum_steps()
    pair = None
    try:
        pair = Pair(folder, size, os.path.join(BUILD, "bench", "counted", "bsrd"), {"BSR_COUNT_DIR": folder})
        pair.start("C")
        pids = {host: engine_pid(host) for host in pair.cluster.hosts}
        load = Nbd(pair, "counted")
        load.measure("randwrite 4k qd16", 1, area)  # warm: extents hot, tables touched
        found = [count_once(pair, pids, load, seconds, area) for _ in range(rounds)]
        sides = []
        for side in BUDGET:
            # how many writes share a turn, and an epoch, depends on what else the machine does: the median
            ranked = sorted((one[side] for one in found), key=lambda one: own_code(one[1]))
            writes, folders, functions = ranked[len(ranked) // 2]
            own_way = checksum["best_steps"] - checksum["counted_steps"]  # of the one payload per write
            each = own_code(folders) + own_way
            sides.append({"side": side, "instructions": each, "callgrind": own_code(folders),
                          "lowest": own_code(ranked[0][1]) + own_way, "highest": own_code(ranked[-1][1]) + own_way,
                          "budget": BUDGET[side], "met": each <= BUDGET[side], "writes": writes,
                          "folders": folders, "functions": functions[:60]})
        return {"sides": sides, "checksum": checksum, "rounds": rounds}
    finally:
        if pair is not None:
            pair.close()
        shutil.rmtree(folder, ignore_errors=True)
