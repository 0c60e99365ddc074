# SPDX-License-Identifier: GPL-2.0-or-later
"""docs/control.md says what the control socket says: commands, errors and members, compared both ways."""
import json
import os
import re

from hosts import ROOT, fixture_cluster, fixture_pair  # noqa: F401

ASK = r"""
import json, socket, sys
s = socket.socket(socket.AF_UNIX); s.connect("/run/bsr/r0.sock"); f = s.makefile("rw")
lines = [json.loads(f.readline())]
for request in json.load(sys.stdin):
    f.write(json.dumps(request) + "\n"); f.flush()
    lines.append(json.loads(f.readline()))
json.dump(lines, sys.stdout)
"""


def ask(host, *requests):
    """The greeting, and the reply to each request."""
    done = host.run(f"/usr/bin/python3 -c '{ASK}'", stdin=json.dumps([dict(r, id=i) for i, r in enumerate(requests)]))
    return json.loads(done.stdout)


def page():
    with open(os.path.join(ROOT, "docs", "control.md"), encoding="utf-8") as text:
        return text.read()


def examples():
    """The JSON objects of the page's examples, in their order."""
    decoder = json.JSONDecoder()
    for block in re.findall(r"^```\n(.*?)^```", page(), re.M | re.S):
        text = block.replace("{…}", "{}").replace("[…]", "[]")
        at = text.find("{")
        while at >= 0:
            value, end = decoder.raw_decode(text, at)
            yield value
            at = text.find("{", end)


def members(value, at=""):
    """Every path of members, those of an array's objects under one name."""
    found = set()
    if isinstance(value, dict):
        for name, inner in value.items():
            found |= {f"{at}.{name}"} | members(inner, f"{at}.{name}")
    elif isinstance(value, list):
        for inner in value:
            found |= members(inner, at)
    return found


def test_commands_and_errors_are_those_of_the_page(pair):
    alice = pair.hosts[0]
    written = set()
    section = page().split("## 5. Commands")[1].split("## 6.")[0]
    for row in re.findall(r"^\| (`[a-z].*?) \|", section, re.M):
        written |= set(re.findall(r"`([a-z-]+)`", row))
    with open(os.path.join(ROOT, "daemon", "control_commands.c"), encoding="utf-8") as code:
        table = code.read()
    assert written == set(re.findall(r'^\t\{"([a-z][a-z-]*)",', table, re.M))
    replies = ask(alice, *({"command": name, "no_such_field": 1} for name in sorted(written)))[1:]
    assert {r["error"]["name"] for r in replies} == {"BAD_FIELD"}  # known, each of them
    bad = ask(alice, {"command": "nonsense"}, {"command": "ping", "version": 99}, {"command": "fault", "clear": True})[1:]
    assert [r["error"]["code"] for r in bad] == [3003, 3008, 3011]
    for reply in bad:
        assert f"| {reply['error']['code']} | `{reply['error']['name']}` |" in page()


def test_members_are_those_of_the_page(pair):
    """Examples may leave out what does not apply at the moment; nothing real may be missing from them."""
    alice, bob = pair.hosts
    bob.run("bsradm disconnect r0")
    alice.run("dd if=/dev/urandom of=/dev/bsr0 bs=1M count=8 oflag=direct status=none")
    bob.run("bsradm pause-sync r0 && bsradm connect r0")
    bob.wait_for(lambda s: s["connections"][0]["peer_devices"][0]["replication-state"] == "PausedSyncT")
    alice.run("bsradm net-options --max-epoch-size=100 r0 && bsradm disk-options --al-extents=1237 r0")
    greeting, _, status, show, counters = ask(alice, {"command": "measure", "on": True}, {"command": "status"},
                                              {"command": "show"}, {"command": "counters"})
    texts = list(examples())
    snapshot = next(e for e in texts if "devices" in e and "seq" in e)
    config = next(e["config"] for e in texts if "config" in e)
    counted = next(e for e in texts if "clock_ns" in e)
    assert members(greeting) == members(next(e for e in texts if "hello" in e))
    for example, real in ((snapshot, status["result"]["snapshot"]), (config, show["result"]["config"]),
                          (counted, counters["result"]["counters"])):
        said, is_so = members(example), members(real)
        optional = {m for m in said if re.search(r"\.(stages|options|node_options)\.|\.(error|reason)$|meta_|since_ns", m)}
        own = {m for m in is_so if re.search(r"\.(stages|options|node_options)\.", m)}
        assert is_so - own - said == set(), "real, not on the page"
        assert said - is_so - optional == set(), "on the page, not real"
    refusal = ask(alice, {"command": "new-resource", "node_id": 1})[1]["error"]
    assert set(refusal) == {"code", "name", "message", "remedy", "info"}
