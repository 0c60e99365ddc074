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


def newest(folder, name):
    files = [f for f in glob.glob(os.path.join(folder, f"callgrind.{name}.*")) if os.path.getsize(f) > 0]
    if not files:
        raise Failure(f"callgrind wrote nothing for {name}")
    return max(files, key=os.path.getmtime)


def checksum_steps():
    """Instructions of a payload's checksum: {best: way, best_steps, counted: way under valgrind, counted_steps}"""
    done = subprocess.run([os.path.join(BUILD, "bench", "checksum_steps")], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise Failure(f"checksum_steps: {done.stderr}")
    return json.loads(done.stdout)


def count(size, seconds=6, area=128 << 20):
    folder = tempfile.mkdtemp(prefix="bsr-count-", dir=os.environ.get("BSR_BENCH_DIR", "/var/tmp"))
    checksum = checksum_steps()
    pair = None
    try:
        pair = Pair(folder, size, os.path.join(BUILD, "bench", "counted", "bsrd"), {"BSR_COUNT_DIR": folder})
        pair.start("C")
        pids = {host: engine_pid(host) for host in pair.cluster.hosts}
        load = Nbd(pair, "counted")
        load.measure("randwrite 4k qd16", 1, area)  # warm: extents hot, tables touched
        for host, pid in pids.items():
            host.run(f"kill -USR1 {pid}")
        result = load.measure("randwrite 4k qd16", seconds, area)
        for host, pid in pids.items():
            host.run(f"kill -USR2 {pid}")
        time.sleep(1)
        sides = []
        for host, side in zip(pair.cluster.hosts, ("Primary", "Secondary")):
            folders, functions = parse(newest(folder, host.name), result["ios"])
            counted = folders["engine"] + folders["host"] + folders["daemon"]
            each = counted + checksum["best_steps"] - checksum["counted_steps"]  # one payload per write
            sides.append({"side": side, "instructions": each, "callgrind": counted,
                          "budget": BUDGET[side], "met": each <= BUDGET[side],
                          "writes": result["ios"], "folders": folders, "functions": functions[:60]})
        return {"sides": sides, "checksum": checksum}
    finally:
        if pair is not None:
            pair.close()
        shutil.rmtree(folder, ignore_errors=True)
