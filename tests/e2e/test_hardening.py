# SPDX-License-Identifier: GPL-2.0-or-later
"""What somebody can do who has taken over the engine process: as little as docs/design/processes.md says."""
import json
import os
import pathlib
import shutil
import signal
import socket
import stat
import subprocess
import time

import pytest

from conftest import check, program
from node import MIB, alive, fixture_make_node, fixture_node, wait_for  # noqa: F401

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="needs root")

# Stands in for the engine process: it tells the keeper what it is told to, and writes down the answers.
IMPOSTOR = '''#!/usr/bin/python3
import json, os, socket, struct, sys
sock = socket.socket(fileno=int(sys.argv[2]))
HEAD = struct.Struct("IIIiII8Q")
ANSWER, OPEN_DISK, CLOSE_DISK, START, READY = 7, 11, 12, 5, 20

def receive():
    data, fds, _, _ = socket.recv_fds(sock, 16384, 16)
    if not data:
        sys.exit(0)
    fields = HEAD.unpack_from(data)
    return fields, data[HEAD.size:].split(b"\\0")[0].decode(), fds

def ask(kind, texts, fds=()):
    text = b"".join(t.encode() + b"\\0" for t in texts)
    message = HEAD.pack(1, kind, 77, 0, 0, len(text), *([0] * 8)) + text
    socket.send_fds(sock, [message], list(fds))
    while True:
        fields, said, got = receive()
        if fields[1] == ANSWER and fields[2] == 77:
            for fd in got:
                os.close(fd)
            return {"error": fields[3], "text": said, "fds": len(got)}

held = []
while True:
    fields, _, fds = receive()
    held += fds
    if fields[1] == START:
        break
sock.send(HEAD.pack(1, READY, 0, 0, 0, 1, *([0] * 8)) + b"\\0")
plan = json.load(open(PLAN))
answers = []
for step in plan:
    fds = [os.open(p, os.O_PATH) for p in step.get("open", ())] + [held[i] for i in step.get("held", ())]
    answers.append(ask(step.get("kind", OPEN_DISK), step["texts"], fds))
    for fd in fds[:len(step.get("open", ()))]:
        os.close(fd)
json.dump(answers, open(PLAN + ".new", "w"))
os.rename(PLAN + ".new", PLAN + ".answers")
while True:
    receive()
'''


def taken_over(node, plan):
    """What the keeper answers to an engine process that follows @plan instead of its program."""
    own = node.path / "bsrd"
    shutil.copy(program("bsrd"), own)
    started = check(own, "-n", "0", "r0", env=node.env)
    assert started.returncode == 0
    node.pids += [node.keeper(), node.engine()]
    node.ok("new-minor", "r0", node.minor, 0)
    plan_file = node.path / "plan"
    plan_file.write_text(json.dumps(plan))
    fresh = node.path / "impostor"
    fresh.write_text(IMPOSTOR.replace("PLAN", repr(str(plan_file))))
    fresh.chmod(0o755)
    os.replace(fresh, own)
    os.kill(node.keeper(), signal.SIGHUP)
    answers = pathlib.Path(str(plan_file) + ".answers")
    wait_for(answers.exists, 20)
    node.pids.append(node.engine())
    return json.loads(answers.read_text())


def test_a_taken_over_engine_process_cannot_choose_a_disk(node, loop):
    """It names the path of a disk that nobody has claimed; only a descriptor from an administrator opens one."""
    image = node.path / "victim"
    with open(image, "wb") as f:
        f.truncate(16 * MIB)
    victim = loop(image)
    own = node.path / "own"
    with open(own, "wb") as f:
        f.truncate(16 * MIB)
    path = [victim, victim]
    answers = taken_over(node, [
        {"texts": path},                               # nothing but the name
        {"texts": path, "held": [0]},                  # half of what is needed
        {"texts": path, "held": [1, 2]},               # descriptors that it has: sockets
        {"texts": path, "open": ["/dev/null", "/"]},
        {"texts": path, "open": [str(own), str(own)]}, # the name does not count: what is opened is what was given
        {"texts": ["", ""], "kind": 12},
    ])
    for answer in answers[:4]:
        assert answer["error"] < 0 and answer["fds"] == 0, answers
    assert "did not come with the request" in answers[0]["text"], answers
    assert answers[4]["error"] == 0 and answers[4]["fds"] >= 1, answers
    assert "request-refused" in node.log() and "disk-refused" in node.log()
    os.close(os.open(victim, os.O_RDWR | os.O_EXCL))  # nobody has it
    assert image.read_bytes() == bytes(16 * MIB)


def test_a_request_without_descriptors_is_refused_with_the_reason(node):
    """Who talks to the control socket directly has to pass the disks, and is told so."""
    node.make_disk()
    node.start()
    node.ok("new-minor", "r0", node.minor, 0)

    def attach(fds):
        client = socket.socket(socket.AF_UNIX)
        client.connect(str(node.path / "run/r0.sock"))
        lines = client.makefile()
        lines.readline()
        line = json.dumps({"id": 1, "command": "attach", "minor": node.minor, "disk": str(node.disk),
                           "meta_disk": str(node.disk), "meta_index": "internal"}) + "\n"
        socket.send_fds(client, [line.encode()], fds)
        answer = json.loads(lines.readline())
        client.close()
        return answer

    refused = attach([])
    assert not refused["ok"] and "descriptor" in " ".join(refused["error"]["info"]), refused
    fd = os.open(node.disk, os.O_PATH)
    assert attach([fd, fd])["ok"]
    os.close(fd)
    node.ok("detach", node.minor)


def test_both_processes_killed_while_a_read_waits(node):
    """Nobody is left to answer the device: it fails, and no process hangs for ever (and with it sync(2))."""
    node.primary()
    device = node.device()
    keeper, engine = node.keeper(), node.engine()
    os.kill(engine, signal.SIGSTOP)
    reader = subprocess.Popen(["dd", f"if={device}", "of=/dev/null", "bs=64k", "skip=37", "count=1"], stderr=subprocess.DEVNULL)
    time.sleep(0.5)
    assert reader.poll() is None
    for pid in (keeper, engine, reader.pid):
        os.kill(pid, signal.SIGKILL)
    reader.wait(timeout=20)
    wait_for(lambda: not alive(keeper) and not alive(engine), 20)


def test_what_the_engine_process_holds(node):
    """Its own disk, devices and sockets; no directory, and no file that it could run."""
    node.primary()
    kinds = set()
    for entry in pathlib.Path(f"/proc/{node.engine()}/fd").iterdir():
        try:
            name, mode = os.readlink(entry), os.stat(entry).st_mode
        except FileNotFoundError:
            continue
        assert not stat.S_ISDIR(mode), name
        if stat.S_ISREG(mode) and not name.startswith("/memfd:"):
            kinds.add(name)
    allowed = {str(node.disk), str(node.path / "log/r0.log"), str(node.path / "run/r0.engine")}
    assert kinds <= allowed, kinds - allowed
