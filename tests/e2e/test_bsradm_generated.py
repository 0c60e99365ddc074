# SPDX-License-Identifier: GPL-2.0-or-later
"""Generated configurations, read by bsradm and by DRBD's drbdadm: the same calls, or refused by both.

The seed is the name of the test. Only what both languages have in common is generated; where a file is ambiguous, both
have to say so.
"""

import os
import random

import pytest

from bsradm_support import Admin, uncommented
from conftest import program, run
from test_bsradm_drbd import DRBDADM, ask_drbdadm, in_our_words

pytestmark = pytest.mark.skipif(not os.path.exists(DRBDADM), reason="drbdadm is not installed (drbd-utils)")

HOSTS = ("alice", "bob", "carl")
NET = {"timeout": ["50", "61"], "ping-int": ["5", "6"], "ping-timeout": ["5", "7"], "ko-count": ["3", "9"],
       "max-buffers": ["4000", "8K"], "sndbuf-size": ["0", "10M"], "after-sb-0pri": ["disconnect", "discard-local"],
       "use-rle": ["yes", "no"], "tcp-cork": ["yes", "no"], "protocol": ["A", "B", "C"], "verify-alg": ["md5", "crc32c"],
       "csums-alg": ["sha1"], "cram-hmac-alg": ["sha1"], "shared-secret": ['"x y"', '"a;b"'], "connect-int": ["4"]}
DISK = {"on-io-error": ["detach", "pass_on"], "al-extents": ["257", "1237"], "al-updates": ["yes", "no"],
        "disk-timeout": ["10", "20"], "md-flushes": ["yes", "no"], "read-balancing": ["prefer-local", "32K-striping"],
        "rs-discard-granularity": ["65536", "64K"]}
PEER = {"c-max-rate": ["4M", "5000"], "c-min-rate": ["1M", "300"], "c-plan-ahead": ["0", "20"], "resync-rate": ["1M"],
        "c-fill-target": ["100s", "1M"], "c-delay-target": ["9"]}
OPTIONS = {"on-no-data-accessible": ["suspend-io", "io-error"], "cpu-mask": ["3"], "peer-ack-delay": ["90"],
           "quorum": ["off", "majority", "2"], "on-no-quorum": ["io-error"], "twopc-timeout": ["100"]}
STARTUP = {"wfc-timeout": ["10"], "degr-wfc-timeout": ["20"], "wait-after-sb": ["yes"]}


class Generator:
    def __init__(self, seed):
        self.random = random.Random(seed)
        self.minor = 0
        self.port = 7000

    def maybe(self, percent):
        return self.random.randrange(100) < percent

    def options(self, *tables, most=4):
        names = [(table, name) for table in tables for name in table]
        chosen = self.random.sample(names, self.random.randrange(most))
        return "".join(f" {name} {self.random.choice(table[name])};" for table, name in chosen)

    def section(self, name, *tables, percent=50, most=4):
        if not self.maybe(percent):
            return ""
        return f" {name} {{{self.options(*tables, most=most)} }}"

    def common(self):
        return ("common {" + self.section("net", NET) + self.section("disk", DISK, PEER)
                + self.section("options", OPTIONS) + self.section("startup", STARTUP) + " }\n")

    def volumes(self, resource):
        """Volume sections of the resource level; minor and disk may be left to the hosts."""
        numbers = sorted(self.random.sample(range(6), self.random.randrange(1, 4)))
        text = ""
        for vnr in numbers:
            self.minor += 1
            disk = self.section("disk", DISK, PEER, percent=25, most=3)
            meta = self.random.choice(["internal", f"/dev/m{self.minor}", f"/dev/shared[{self.minor % 200}]"])
            text += (f" volume {vnr} {{ device minor {self.minor}; disk /dev/{resource}-{vnr}; meta-disk {meta};"
                     f"{disk} }}\n")
        return numbers, text

    def host(self, index, volumes):
        own = ""
        for vnr in volumes:
            if self.maybe(25):
                what = self.random.choice([f"disk /dev/own{self.minor}-{vnr};",
                                           "disk {" + self.options(DISK, PEER) + " }"])
                own += f" volume {vnr} {{ {what} }}"
        return (f" on {HOSTS[index]} {{ node-id {index}; address 10.0.{self.port % 250}.{index + 1}:{self.port};"
                f"{own} }}\n")

    def connections(self, hosts, volumes):
        if len(hosts) == 2 and self.maybe(50):
            return ""
        if self.maybe(50):
            return f" connection-mesh {{ hosts {' '.join(hosts)};{self.section('net', NET, percent=40)} }}\n"
        text = ""
        for i, one in enumerate(hosts):
            for other in hosts[i + 1:]:
                ends = (one, other) if self.maybe(50) else (other, one)
                volume = ""
                if self.maybe(30):
                    volume = f" volume {self.random.choice(volumes)} {{{self.section('disk', PEER, percent=100)} }}"
                ports = f" port {self.port + 500 + i}" if self.maybe(30) else ""
                text += (f" connection {{ host {ends[0]}{ports}; host {ends[1]}{ports};{self.section('net', NET)}"
                         f"{self.section('disk', PEER, percent=25)}{volume} }}\n")
        return text

    def resource(self, name):
        self.port += 1
        hosts = list(HOSTS[:self.random.randrange(2, 4)])
        volumes, text = self.volumes(name)
        return (f"resource {name} {{\n{text}" + "".join(self.host(HOSTS.index(h), volumes) for h in hosts)
                + self.connections(hosts, volumes) + self.section("net", NET) + self.section("disk", DISK, PEER, percent=30)
                + self.section("options", OPTIONS) + self.section("startup", STARTUP, percent=20) + "\n}\n")

    def file(self):
        text = "global { usage-count no; disable-ip-verification; }\n" + (self.common() if self.maybe(70) else "")
        return text + "".join(self.resource(f"r{i}") for i in range(self.random.randrange(1, 4)))


@pytest.mark.parametrize("seed", range(60))
def test_both_read_it_alike(tmp_path, seed):
    adm = Admin(tmp_path)
    adm.write(Generator(seed).file())
    for host in HOSTS:
        theirs = ask_drbdadm(adm, host, "-d", "up", "all")
        ours = adm.plain("-c", adm.conf, "-d", "up", "all", env={"__BSR_NODE__": host})
        ambiguous = "ambiguous inheritance" in theirs.stderr
        assert ambiguous == ("ambiguous inheritance" in ours.stderr), theirs.stderr + ours.stderr
        if ambiguous:
            assert ours.returncode == 10
            return
        expected = 1 if "no normal resources" in theirs.stderr else 0
        assert (ours.returncode, theirs.returncode) == (expected, expected), ours.stderr + theirs.stderr
        assert in_our_words(ours.stdout) == in_our_words(theirs.stdout)


@pytest.mark.parametrize("seed", range(60))
def test_a_dump_changes_nothing(tmp_path, seed):
    adm = Admin(tmp_path)
    adm.write(Generator(seed).file())
    first = adm.plain("dump")
    if first.returncode == 10:
        assert "ambiguous inheritance" in first.stderr
        return
    adm.write(first.stdout, "again.conf")
    second = run(program("bsradm"), "-c", adm.dir / "again.conf", "dump", env=adm.env)
    assert uncommented(second.stdout) == uncommented(first.stdout)
    assert adm.dry("up", "all") == run(program("bsradm"), "-c", adm.dir / "again.conf", "-d", "up", "all",
                                       env=adm.env).stdout
