#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""A thousand resources: how long do the commands take that an administrator types most?

The resources' processes are bsrd-pretend: the real control socket with nothing behind it. What is measured is the tools', the
configuration's and the socket's share. Each number is the best of three runs, in seconds; the goal is one.
"""
import argparse
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time

BUILD = os.environ.get("BSR_BUILD", os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "build"))
GOAL_S = 1.0


def write_configuration(folder, count):
    os.makedirs(f"{folder}/bsr.d")
    with open(f"{folder}/bsr.conf", "w", encoding="utf-8") as top:
        top.write('include "bsr.d/*.res";\n')
    with open(f"{folder}/bsr.d/common.res", "w", encoding="utf-8") as common:
        common.write("global { usage-count no; disable-ip-verification; }\n"
                     "common { net { cram-hmac-alg sha256; shared-secret \"secret\"; ping-int 7; } disk { c-max-rate 400M; } }\n")
    for i in range(count):
        with open(f"{folder}/bsr.d/r{i:04}.res", "w", encoding="utf-8") as res:
            res.write(f"resource r{i:04} {{ device minor {i}; disk /dev/vg/r{i}; meta-disk internal;\n"
                      f"  on alice {{ node-id 0; address 10.1.1.31:{7000 + i}; }}\n"
                      f"  on bob {{ node-id 1; address 10.1.1.32:{7000 + i}; }} }}\n")


def configure(folder, i):
    """What `bsradm up` asks for, over one connection."""
    net = {"_name": "bob", "peer-node-name": "bob", "cram-hmac-alg": "sha256", "shared-secret": "secret", "ping-int": "7"}
    asked = [{"command": "new-resource", "node_id": 0},
             {"command": "node-options", "set_defaults": True, "options": {"node-name": "alice"}},
             {"command": "new-minor", "minor": i, "volume": 0},
             {"command": "new-peer", "peer": 1, "options": net},
             {"command": "new-path", "peer": 1, "local": f"ipv4:10.1.1.31:{7000 + i}", "remote": f"ipv4:10.1.1.32:{7000 + i}"},
             {"command": "peer-device-options", "peer": 1, "volume": 0, "options": {"c-max-rate": "400M"}},
             {"command": "attach", "minor": i, "disk": f"/dev/vg/r{i}", "meta_disk": f"/dev/vg/r{i}", "meta_index": "internal"}]
    with socket.socket(socket.AF_UNIX) as s:
        s.connect(f"{folder}/run/r{i:04}.sock")
        lines = s.makefile("r")
        lines.readline()  # the greeting
        for number, request in enumerate(asked):
            s.sendall((json.dumps(dict(request, id=number)) + "\n").encode())
            reply = json.loads(lines.readline())
            if not reply["ok"]:
                raise RuntimeError(f"{request}: {reply}")


def start(folder, count, processes):
    env = dict(os.environ, BSR_RUN_DIR=f"{folder}/run")
    os.makedirs(f"{folder}/run")
    for i in range(count):
        processes.append(subprocess.Popen([f"{BUILD}/daemon/bsrd-pretend", f"r{i:04}"], env=env))
    for i in range(count):
        while not os.path.exists(f"{folder}/run/r{i:04}.sock"):
            time.sleep(0.01)
        for attempt in range(100):
            try:
                configure(folder, i)
                break
            except ConnectionRefusedError:
                time.sleep(0.01 * attempt)


def measure(folder, words):
    env = dict(os.environ, __BSR_NODE__="alice", BSR_CONF_DIR=folder, BSR_RUN_DIR=f"{folder}/run")
    tool = f"{BUILD}/tools/{words[0]}/{words[0]}"
    best, size = None, 0
    for _ in range(3):
        began = time.monotonic()
        result = subprocess.run([tool, *words[1:]], env=env, capture_output=True, check=False)
        seconds = time.monotonic() - began
        if result.returncode != 0:
            raise RuntimeError(f"{words}: {result.returncode} {result.stderr.decode()[-500:]}")
        best, size = min(best or seconds, seconds), len(result.stdout)
    return best, size


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--resources", type=int, default=1000)
    options = parser.parse_args()
    folder = tempfile.mkdtemp(prefix="bsr-thousand-")
    processes = []
    slow = 0
    try:
        write_configuration(folder, options.resources)
        start(folder, options.resources, processes)
        print(f"{options.resources} resources")
        for words in ("bsradm status", "bsrsetup status --json", "bsrsetup show", "bsradm adjust all --dry-run", "bsradm dump",
                      "bsradm -v dump", "bsradm dump --json", "bsradm -d up all", "bsradm sh-nop", "bsrsetup events2 --now"):
            seconds, size = measure(folder, words.split())
            slow += seconds > GOAL_S
            print(f"{words:32} {seconds:6.3f} s {size:10} bytes{'   over the goal of 1 s' if seconds > GOAL_S else ''}", flush=True)
    finally:
        for process in processes:
            process.terminate()
        for process in processes:
            process.wait()
        shutil.rmtree(folder, ignore_errors=True)
    return 1 if slow else 0


if __name__ == "__main__":
    sys.exit(main())
