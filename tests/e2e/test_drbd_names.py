# SPDX-License-Identifier: GPL-2.0-or-later
"""The tools under DRBD's names: the same words as drbdadm and drbdmeta, and DRBD's own resource agent on top.

What is meant to differ is written down in docs/differences.md.
"""

import json
import os
import re
import subprocess

import pytest

from conftest import BUILD, program, run
from test_bsradm_cluster import Cluster, wait_for
from test_bsradm_drbd import COMMON_GROUND, DRBDADM, needs_drbdadm
from test_bsradm_generated import HOSTS, Generator
from bsrmeta_support import MIB, make_image, needs_drbdmeta, sha

NAMES = {"drbdadm": "bsradm", "drbdsetup": "bsrsetup", "drbdmeta": "bsrmeta"}
AGENT = "/usr/lib/ocf/resource.d/linbit/drbd"
OCF_FUNCTIONS = "/usr/lib/ocf/lib/heartbeat/ocf-shellfuncs"


@pytest.fixture(name="links", scope="session")
def fixture_links(tmp_path_factory):
    """A directory with the links that `make install` makes on request."""
    directory = tmp_path_factory.mktemp("drbd-names")
    for name, ours in NAMES.items():
        (directory / name).symlink_to(program(ours))
    return directory


# --- drbdadm: the same text, byte by byte -----------------------------------------------------------------------------

COMMANDS = """up;down;adjust;primary;primary --force;secondary;secondary --force;attach;detach;detach --force;connect
disconnect;disconnect --force;create-md;create-md --max-peers=5;dump-md;apply-al;wipe-md;invalidate;invalidate-remote;resize
check-resize;verify;pause-sync;resume-sync;suspend-io;resume-io;cstate;dstate;role;status;show-gi;get-gi;forget-peer;wait-connect
wait-sync;net-options;disk-options;disk-options --al-extents=99;peer-device-options;resource-options
resource-options --quorum=off;new-resource;new-minor;new-peer;new-path;del-path;del-peer;del-minor;adjust --skip-net
adjust --skip-disk;connect --discard-my-data;sh-resource;sh-dev;sh-minor;sh-ll-dev;sh-md-dev;sh-md-idx;sh-ip;fence-peer"""
COMMANDS = [line for text in COMMANDS.split("\n") for line in text.split(";")]


def ask(links, conf, host, *words):
    """(code, output) of drbdadm and of ours under that name."""
    env = dict(os.environ, __DRBD_NODE__=host, BSR_RUN_DIR=str(conf.parent / "run"), LC_ALL="C")
    return [(r.returncode, r.stdout) for r in
            (subprocess.run(["drbdadm", "-c", str(conf), *words], executable=str(tool), env=env, capture_output=True,
                            text=True, timeout=60, check=False) for tool in (DRBDADM, links / "drbdadm"))]


@needs_drbdadm
@pytest.mark.parametrize("host", ["alice", "bob"])
@pytest.mark.parametrize("resource", ["r0", "r1"])
def test_every_command_makes_the_calls_of_drbdadm(links, tmp_path, host, resource):
    conf = tmp_path / "drbd.conf"
    conf.write_text(COMMON_GROUND)
    for command in COMMANDS:
        theirs, ours = ask(links, conf, host, "-d", *command.split(), resource)
        assert ours == theirs, command


@needs_drbdadm
@pytest.mark.parametrize("words", ["sh-resources", "sh-udev minor-11", "sh-udev minor-0", "sh-nop", "sh-mod-parms", "-d status",
                                   "-d new-current-uuid r0/0", "-d adjust r0:bob", "-d connect r0:bob", "-d up all",
                                   "-d invalidate r0:bob", "-d show-gi r1:bob/1"])
def test_other_words_too(links, tmp_path, words):
    conf = tmp_path / "drbd.conf"
    conf.write_text(COMMON_GROUND)
    theirs, ours = ask(links, conf, "alice", *words.split())
    assert ours == theirs


@needs_drbdadm
@pytest.mark.parametrize("seed", range(100, 130))
def test_generated_configurations(links, tmp_path, seed):
    conf = tmp_path / "drbd.conf"
    conf.write_text(Generator(seed).file())
    for host in HOSTS:
        for words in ("-d up all", "-d adjust all", "-d down all", "sh-resources", "sh-dev all", "-d disk-options all"):
            theirs, ours = ask(links, conf, host, *words.split())
            if theirs[0] in (1, 10):  # nothing for this host, or ambiguous: both say so
                assert ours[0] == theirs[0], words
                break
            assert ours == theirs, words


DISKLESS = """global { disable-ip-verification; }
resource r0 { options { auto-promote no; } net { allow-remote-read no; } device /dev/drbd0; disk /dev/sda1; meta-disk internal;
  on alice { node-id 0; address 10.1.1.31:7000; } on bob { node-id 1; address 10.1.1.32:7000; }
  on carl { node-id 2; address 10.1.1.33:7000; disk none; } connection-mesh { hosts alice bob carl; } }
"""


@needs_drbdadm
@pytest.mark.parametrize("host", ["alice", "carl"])
def test_options_that_only_drbd_has_are_passed_on(links, tmp_path, host):
    conf = tmp_path / "drbd.conf"
    conf.write_text(DISKLESS)
    theirs, ours = ask(links, conf, host, "-d", "up", "r0")
    assert ours == theirs


def test_the_default_file_and_version(links, tmp_path):
    env = {"BSR_CONF_DIR": str(tmp_path), "__DRBD_NODE__": "alice"}
    (tmp_path / "bsr.conf").write_text(COMMON_GROUND.replace("resource r0", "resource wrong"))
    (tmp_path / "drbd.conf").write_text(COMMON_GROUND)
    assert run(links / "drbdadm", "sh-resources", env=env).stdout == "r0\nr1\nr2\n"
    version = dict(line.split("=") for line in run(links / "drbdadm", "--version").stdout.splitlines())
    assert int(version["DRBD_KERNEL_VERSION_CODE"], 16) >= 0x090000 and version["DRBDADM_BUILDTAG"].startswith("bsr-")


@pytest.mark.parametrize("tool", sorted(NAMES))
def test_help_speaks_of_drbd(links, tool):
    shown = run(links / tool, "--help").stdout
    assert tool in shown and not re.search(r"\bbsr(adm|setup|meta)\b", shown)


# --- drbdmeta ---------------------------------------------------------------------------------------------------------

@needs_drbdmeta
@pytest.mark.parametrize("options", [[], ["--al-stripes=2", "--al-stripe-size-kB=64"]])
def test_metadata_are_those_of_drbdmeta(links, tmp_path, options):
    """Without a word about the log, too: under this name it has DRBD's size."""
    images = [make_image(tmp_path / name, 32 * MIB) for name in ("theirs", "ours")]
    dumps = []
    for image, tool in zip(images, ("drbdmeta", links / "drbdmeta")):
        made = run(tool, "--force", *options, "-", "v09", image, "internal", "create-md", "3")
        assert made.returncode == 0 and "New drbd meta data block successfully created." in made.stdout, made.stderr
        dumps.append(run(tool, "--force", "-", "v09", image, "internal", "dump-md").stdout.splitlines())
    assert sha(images[0]) == sha(images[1])
    assert dumps[0][0] == dumps[1][0] == "# DRBD meta data dump"
    assert [d for d in dumps[0][3:] if "members" not in d] == dumps[1][3:]


# --- running resources ------------------------------------------------------------------------------------------------

class DrbdHost:
    """One host whose administrator knows only DRBD's tools."""

    def __init__(self, host, links, conf):
        self.host, self.links, self.conf = host, links, conf
        self.env = dict(host.env, __DRBD_NODE__=host.name)
        del self.env["__BSR_NODE__"], self.env["BSR_DEV_DIR"]

    def __call__(self, tool, *words, env=None):
        return run(self.links / tool, *words, env=dict(self.env, **(env or {})), timeout=90)

    def ok(self, tool, *words):
        result = self(tool, *words)
        assert result.returncode == 0, f"{self.host.name}: {tool} {words}: {result.stdout}{result.stderr}"
        return result.stdout


class DrbdCluster(Cluster):
    def __init__(self, base, links):
        super().__init__(base)
        text = (base / "bsr.conf").read_text()
        (base / "drbd.conf").write_text(text)
        self.both = [DrbdHost(h, links, base / "drbd.conf") for h in self.hosts]

    def device(self, number):
        return f"/dev/drbd{self.minor + number}"

    def stop(self):
        for host in self.both:
            host("drbdadm", "down", "r0")
        super().stop()


@pytest.fixture(name="pair")
def fixture_pair(tmp_path, links):
    if os.geteuid() != 0:
        pytest.skip("needs root")
    made = DrbdCluster(tmp_path, links)
    for host in made.both:
        host.ok("drbdadm", "create-md", "--force", "r0")
    yield made
    made.stop()


def test_a_resource_lives_under_drbds_names(pair):
    alice, bob = pair.both
    for host in pair.both:
        host.ok("drbdadm", "up", "r0")
    wait_for(lambda: alice.ok("drbdadm", "cstate", "r0") == "Connected\n")
    assert alice.ok("drbdadm", "status", "r0") == ("r0 role:Secondary\n  disk:Inconsistent open:no\n"
                                                   "  bob role:Secondary\n    peer-disk:Inconsistent\n\n")
    for number in (0, 1):  # scripts look for the device of a Secondary, too; nobody can open it
        assert os.stat(pair.device(number)).st_rdev == os.makedev(147, pair.minor + number)
        with pytest.raises(OSError):
            os.open(pair.device(number), os.O_RDONLY)
    alice.ok("drbdadm", "primary", "--force", "r0")
    wait_for(lambda: alice.ok("drbdadm", "dstate", "r0") == "UpToDate/UpToDate\n")
    assert alice.ok("drbdadm", "-d", "adjust", "r0") == ""
    with open(pair.device(0), "r+b") as device:
        device.write(b"written by way of /dev/drbdN")
        assert "disk:UpToDate open:yes" in alice.ok("drbdadm", "status", "r0")
        refused = alice("drbdadm", "secondary", "r0")
        assert refused.returncode == 11 and "(-12)" in refused.stderr
    resource = json.loads(alice.ok("drbdsetup", "status", "r0", "--json"))[0]
    assert resource["force-io-failures"] is False and resource["devices"][0]["client"] is False
    assert resource["devices"][0]["open"] is False and resource["connections"][0]["paths"][0]["established"] is True
    refused = bob("drbdadm", "primary", "r0")
    assert refused.returncode == 11 and "drbdadm secondary r0" in refused.stderr and "bsradm" not in refused.stderr
    for host in pair.both:
        host.ok("drbdadm", "down", "r0")
    assert not os.path.lexists(pair.device(0)) and not os.path.lexists(pair.device(1))


def test_events_have_drbds_form(pair):
    alice, bob = pair.both
    for host in pair.both:
        host.ok("drbdadm", "up", "r0")
    wait_for(lambda: alice.ok("drbdadm", "cstate", "r0") == "Connected\n")
    full = dict(os.environ, LC_ALL="C", **bob.env)
    with subprocess.Popen([str(bob.links / "drbdsetup"), "events2", "r0"], env=full, stdout=subprocess.PIPE, text=True) as follow:
        lines = []
        while not lines or lines[-1] != "exists -":
            lines.append(follow.stdout.readline().rstrip("\n"))
        assert lines[0] == ("exists resource name:r0 role:Secondary suspended:no force-io-failures:no may_promote:no "
                            "promotion_score:0")
        assert [line.split()[1] for line in lines] == ["resource", "connection", "path", "device", "peer-device", "-"]
        assert lines[3].endswith(f"backing_dev:{bob.host.dir / 'disk0'} disk:Inconsistent client:no quorum:yes")
        alice.ok("drbdadm", "primary", "--force", "r0")
        seen = []
        while not any("may_promote:no promotion_score:10102" in line or "promotion_score:10102" in line for line in seen):
            seen.append(follow.stdout.readline().rstrip("\n"))
        assert any(line.startswith("change connection name:r0 peer-node-id:0 conn-name:alice role:Primary") for line in seen)
        alice.ok("drbdadm", "secondary", "r0")
        while "may_promote:yes" not in seen[-1]:
            seen.append(follow.stdout.readline().rstrip("\n"))
        assert not any(re.match(r"\w+ (node|gi-|peer-node )", line) for line in lines + seen)
        follow.kill()


@pytest.mark.skipif(not os.path.exists(AGENT) or not os.path.exists(OCF_FUNCTIONS),
                    reason="the agent linbit:drbd or its shell functions are not installed (drbd-utils, resource-agents)")
def test_the_resource_agent_of_drbd_runs(pair, tmp_path):
    """Unmodified, under the wrapper that is installed as ocf:bsr:drbd; the cluster manager's programs are stubs."""
    stubs = tmp_path / "bin"
    stubs.mkdir()
    for name in ("crm_master", "crm_attribute", "crm_resource", "cibadmin", "crm_node"):
        (stubs / name).write_text(f"#!/bin/sh\necho \"$0 $*\" >> {tmp_path}/crm.log\n")
        (stubs / name).chmod(0o755)

    def agent(host, action):
        env = {"BSR_DRBD_NAMES": str(host.links), "OCF_ROOT": "/usr/lib/ocf", "HA_SBIN_DIR": str(stubs), "HA_LOGD": "no",
               "HA_LOGFILE": str(tmp_path / "ha.log"), "HA_debug": "0", "OCF_RESOURCE_INSTANCE": "drbd:0",
               "OCF_RESOURCE_TYPE": "drbd", "OCF_RESKEY_drbd_resource": "r0", "OCF_RESKEY_drbdconf": str(host.conf),
               "OCF_RESKEY_CRM_meta_clone_max": "2", "OCF_RESKEY_CRM_meta_clone_node_max": "1",
               "OCF_RESKEY_CRM_meta_master_max": "1", "OCF_RESKEY_CRM_meta_master_node_max": "1",
               "OCF_RESKEY_CRM_meta_notify": "true", "OCF_RESKEY_CRM_meta_interval": "0", "__OCF_ACTION": action,
               "PATH": f"{stubs}:{os.environ['PATH']}"}
        return run("bash", BUILD / "packaging" / "ocf" / "drbd", action, env=dict(host.env, **env), timeout=60).returncode

    alice, bob = pair.both
    not_running, master = 7, 8
    assert agent(alice, "validate-all") == 0
    assert agent(alice, "monitor") == not_running
    assert (agent(alice, "start"), agent(bob, "start")) == (0, 0)
    wait_for(lambda: alice.ok("drbdadm", "cstate", "r0") == "Connected\n")
    alice.ok("drbdadm", "primary", "--force", "r0")
    wait_for(lambda: alice.ok("drbdadm", "dstate", "r0") == "UpToDate/UpToDate\n")
    alice.ok("drbdadm", "secondary", "r0")
    assert agent(alice, "promote") == 0
    assert (agent(alice, "monitor"), agent(bob, "monitor")) == (master, 0)
    assert "crm_master -Q -l reboot -v 10000" in (tmp_path / "crm.log").read_text()
    assert (agent(alice, "demote"), agent(bob, "promote"), agent(bob, "monitor")) == (0, 0, master)
    assert (agent(bob, "stop"), agent(alice, "stop")) == (0, 0)
    assert agent(bob, "monitor") == not_running


def test_handlers_get_drbds_variables(pair, tmp_path):
    alice = pair.both[0]
    told = tmp_path / "told"
    text = (tmp_path / "drbd.conf").read_text().replace(
        "resource r0 {", f"resource r0 {{ handlers {{ split-brain \"env > {told}.$DRBD_MY_NODE_ID\"; }}")
    (tmp_path / "drbd.conf").write_text(text)
    result = alice("drbdadm", "split-brain", "r0", env={"BSR_PEER_NODE_ID": "1"})
    assert result.returncode == 0, result.stderr
    seen = dict(line.split("=", 1) for line in (tmp_path / "told.0").read_text().splitlines() if "=" in line)
    assert seen["DRBD_RESOURCE"] == seen["BSR_RESOURCE"] == "r0" and seen["DRBD_PEER_NODE_ID"] == "1"
    assert seen["DRBD_NODE_ID_1"] == "bob" and seen["DRBD_LL_DISK"] == str(alice.host.dir / "disk0")
    assert "BSR_NAMES" not in seen
    # and bsrd, started by drbdsetup, calls its helper under DRBD's names: the link in the run directory is drbd's
    alice.ok("drbdadm", "up", "r0")
    assert os.path.islink(alice.host.dir / "run" / "drbd-resource-r0.conf")
    with open(f"/proc/{(alice.host.dir / 'run' / 'r0.pid').read_text().strip()}/environ", "rb") as environ:
        assert b"BSR_NAMES=drbd\0" in environ.read()
