# SPDX-License-Identifier: GPL-2.0-or-later
"""Where DRBD's drbdadm is installed it is asked the same questions as bsradm."""

import os
import random
import re
import shutil
import subprocess

import pytest


# --- DRBD's own reader as a judge -----------------------------------------------------------------------------------

DRBDADM = shutil.which("drbdadm") or "/usr/sbin/drbdadm"
needs_drbdadm = pytest.mark.skipif(not os.path.exists(DRBDADM), reason="drbdadm is not installed (drbd-utils)")

COMMON_GROUND = """
global { usage-count no; disable-ip-verification; }
common { net { protocol C; ping-int 7; } disk { c-max-rate 4M; c-min-rate 1M; disk-timeout 5; on-io-error detach; }
  options { quorum majority; on-no-data-accessible suspend-io; } startup { wfc-timeout 10; }
  handlers { split-brain "/bin/true a b"; } }
resource r0 { device /dev/drbd0; disk /dev/sda1; meta-disk internal;
  net { timeout 50; use-rle; no-tcp-cork; shared-secret "a b\\"c$x!~`(){}[]*?<>|;&#\\\\%^@+,"; }
  options { max-io-depth 100; } disk { al-extents 1237; al-updates no; }
  on alice { node-id 0; address 10.1.1.31:7000; } on bob { node-id 1; address 10.1.1.32:7000; } }
resource r1 { volume 0 { device minor 10; disk /dev/sdb1; meta-disk /dev/sdm[0]; disk { resync-after r0; } }
  volume 1 { device /dev/drbd11; disk /dev/sdb2; meta-disk /dev/sdm2; disk { al-extents 400; } }
  on alice { node-id 0; address ipv6 [fd01::3]:7001; volume 0 { disk /dev/sdx; } }
  on bob { node-id 1; address ipv6 [fd01::4]:7001; volume 1 { disk { al-updates no; } } }
  on "carl" { node-id 2; address 10.1.1.33:7001; }
  connection { host alice port 7010; host bob port 7010; net { ping-timeout 3; protocol B; }
    volume 1 { disk { c-min-rate 3M; c-plan-ahead 3; } } }
  connection { path { host alice address 10.9.9.1:7020; host carl address 10.9.9.2:7020; }
    path { host alice address 10.9.8.1:7020; host carl address 10.9.8.2:7020; } disk { c-delay-target 11; } } }
resource r2 { device minor 20; disk /dev/sdc1; flexible-meta-disk /dev/sdc2;
  on alice { node-id 4; address 10.1.1.31:7002; } on bob { node-id 5; address 10.1.1.32:7002; }
  on carl { node-id 6; address 10.1.1.33:7002; }
  connection-mesh { hosts alice bob carl; net { ko-count 9; after-sb-0pri discard-zero-changes; } } }
"""


def ask_drbdadm(adm, host, *words):
    env = dict(os.environ, __DRBD_NODE__=host)
    return subprocess.run([DRBDADM, "-c", str(adm.conf), *words], env=env, capture_output=True, text=True, timeout=60)


def in_our_words(text):
    """What both tools print alike: DRBD's names replaced, the words that only bsr has left out."""
    text = re.sub(r"(/usr/sbin/)?drbd(setup|meta)", r"bsr\2", text).replace("/dev/drbd", "/dev/bsr")
    text = re.sub(r"DEVICE=drbd", "DEVICE=bsr", text).replace("drbd/by-", "bsr/by-")
    text = re.sub(r"^bsrsetup (node-options|apply-persist-role) .*\n", "", text, flags=re.M)
    text = re.sub(r" --peer-node-name=\S+", "", text)
    text = re.sub(r"^(bsrsetup new-path .*) 1 ?$", r"\1", text, flags=re.M)
    text = re.sub(r" +options \{\n +node-name .*\n +\}\n", "", text)
    return re.sub(r" $", "", text, flags=re.M)


@needs_drbdadm
@pytest.mark.parametrize("host", ["alice", "bob", "carl"])
@pytest.mark.parametrize("words", [
    "-d up all", "-d attach all", "-d connect all", "-d new-path all", "-d new-peer all", "-d net-options all",
    "-d disconnect all", "-d create-md all", "-d new-resource all", "-d new-minor all", "-d down all",
    "-d primary all", "-d peer-device-options all", "-d wait-connect r2", "-d dump-md all", "-d apply-al all",
    "-d pause-sync all", "-d cstate all", "-d show-gi r2:bob", "sh-resources", "sh-dev all", "sh-minor all",
    "sh-ll-dev all", "sh-md-dev all", "sh-md-idx all", "sh-udev minor-11", "sh-nop", "dump"])
def test_drbdadm_says_the_same(adm, host, words):
    adm.write(COMMON_GROUND)
    if host == "bob" and words == "-d show-gi r2:bob":
        words = "-d show-gi r2:alice"
    theirs = ask_drbdadm(adm, host, *words.split())
    ours = adm.plain("-c", adm.conf, *words.split(), env={"__BSR_NODE__": host})
    assert ours.returncode == theirs.returncode, theirs.stderr + ours.stderr
    expected = in_our_words(theirs.stdout)
    if "show-gi" in words:  # drbdadm prints its fallback in a dry run, too
        expected = expected.splitlines(keepends=True)[0]
    if words == "dump":
        # order inside `global`, blanks between words, and a disk that drbdadm repeats from the resource level
        bare = [sorted(" ".join(line.split()) for line in text.splitlines())
                for text in (in_our_words(ours.stdout), expected)]
        bare[1].remove("disk /dev/sdb2;")
        assert bare[0] == bare[1]
        return
    assert in_our_words(ours.stdout) == expected


@needs_drbdadm
@pytest.mark.parametrize("seed", range(12))
def test_hosts_of_8_4_get_the_numbers_that_drbdadm_gives_them(adm, seed):
    """Neither has a node-id: the addresses decide."""
    dice = random.Random(f"8.4 {seed}")
    ends = [f"ipv6 [fd01::{dice.randrange(1, 65536):x}]" if seed % 4 == 3 else
            "10." + ".".join(str(dice.randrange(1, 250)) for _ in range(3)) for _ in range(2)]
    text = "resource r { device /dev/drbd1; disk /dev/sda1; meta-disk internal;" + "".join(
        f" on {host} {{ address {end}:{dice.randrange(1000, 9999)}; }}" for host, end in zip(("alice", "bob"), ends)) + " }"
    adm.write(text, "drbd.conf")
    ours = adm.plain("-c", adm.dir / "drbd.conf", "dump", "r").stdout
    adm.write(text)
    theirs = ask_drbdadm(adm, "alice", "dump", "r").stdout
    numbers = re.findall(r"node-id\s+(\d);", theirs)
    assert sorted(numbers) == ["0", "1"] and re.findall(r"node-id\s+(\d);", ours) == numbers
    # bsr.conf: said or refused
    assert "node-id keyword missing" in adm.plain("dump", "r").stderr


@needs_drbdadm
@pytest.mark.parametrize("text", [
    "resource r { net { timeout 5 } }",
    "resource r { net { timeout 0; } }",
    "resource r { foo; }",
    "resource r { device minor 0; disk /dev/a; meta-disk internal; on a { node-id 0; address 1.2.3.4:0; } }",
    "resource r { device minor 0; disk /dev/a; meta-disk internal; on a { node-id 0; address 1.2.3.4:1; node-id 1; } }",
    "resource 12 { }", "global { } global { }", "common { on a { } }", "resource r { device /dev/sda; }",
    "resource r { volume 0 { device minor 0; } device minor 1; }", "include \"/no/such/file\";", "}",
])
def test_drbdadm_refuses_it_too(adm, text):
    adm.write(text)
    assert ask_drbdadm(adm, "alice", "sh-nop").returncode == 10
    assert adm.plain("sh-nop").returncode == 10
