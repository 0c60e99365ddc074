# SPDX-License-Identifier: GPL-2.0-or-later
"""bsradm: targets and usage, facts for scripts, handlers, check and create, manuals, the journal, completion."""

import os
import pty
import re
import select
import signal
import time

import pytest

from bsradm_support import EXAMPLE, RICH
from conftest import program, run


# --- targets and usage ----------------------------------------------------------------------------------------------

@pytest.mark.parametrize("words, code, message", [
    ("up", 1, "which resource"),
    ("up nix", 1, "'nix' not defined"),
    ("up r0/0", 1, "does not work on a single volume"),
    ("up r0:bob", 1, "does not work on a single peer"),
    ("down r0 r0", 1, "named twice"),
    ("attach r0/7", 1, "has no volume 7"),
    ("connect r0:nix", 1, "'nix' is not a peer"),
    ("connect r0:alice", 1, "'alice' is this host"),
    ("attach r0/x", 1, "number of a volume"),
    ("new-current-uuid r0", 1, "works on one volume"),
    ("prmary r0", 1, "did you mean 'primary'?"),
    ("connect --nix r0", 1, "unrecognized option '--nix'"),
    ("net-options --ping-itn=3 r0", 1, "did you mean '--ping-int'?"),
    ("net-options --ping-int=0 r0", 1, "too small"),
    ("connect --ping-int=3 r0", 1, "unrecognized option"),
    ("-z up r0", 1, "unrecognized option '-z'"),
    ("--config-file", 1, "requires a value"),
    ("sh-resources r0", 1, "takes no argument"),
    ("-S up r0", 1, "stacked resources are not supported"),
    ("", 1, ""),
])
def test_usage_errors(adm, words, code, message):
    result = adm(*words.split())
    assert result.returncode == code
    assert message in result.stderr
    assert adm.calls() == []


def test_a_resource_of_other_hosts(adm):
    env = {"__BSR_NODE__": "zoe"}
    result = adm("up", "r0", env=env)
    assert result.returncode == 1 and "ignored" in result.stderr and "zoe" in result.stderr
    assert adm("down", "r0", env=env).returncode == 0  # it may still run here
    assert adm.calls() == ["bsrsetup down r0"]
    assert adm.plain("sh-resources", env=env).stdout == ""
    assert adm.plain("-i", "sh-resources-list", env=env).stdout == "r0\n"


def test_own_address_must_be_configured(adm):
    adm.write(EXAMPLE.replace("disable-ip-verification;", ""))
    result = adm("connect", "r0")
    assert result.returncode == 10 and "IP 10.1.1.31 not found on this host" in result.stderr
    assert re.search(r"bsr.conf:\d+:\d+: ", result.stderr)
    assert adm.dry("connect", "r0") == "bsrsetup connect r0 1 \n"


def test_help_for_every_command(adm):
    general = run(program("bsradm"), "help")
    hidden = run(program("bsradm"), "hidden-commands")
    assert general.returncode == 0 and hidden.returncode == 0
    names = re.findall(r"^  ([a-z][a-z0-9-]+) ", general.stdout + hidden.stdout, re.M)
    assert len(names) > 80 and len(names) == len(set(names))
    for name in set(names) - {"help"}:
        by_command = run(program("bsradm"), "help", name)
        by_option = run(program("bsradm"), name, "--help")
        assert by_command.returncode == 0 and by_command.stdout == by_option.stdout
        assert by_command.stdout.startswith(f"bsradm {name} ")
    assert "--ping-int=1..120 (default 3), seconds" in run(program("bsradm"), "help", "net-options").stdout


def test_version_is_shell(adm):
    result = run("sh", "-c", f'eval "$({program("bsradm")} -V)" && echo $BSRADM_API_VERSION $BSRADM_VERSION')
    assert re.fullmatch(r"2 \d+\.\d+\.\d+\n", result.stdout)


# --- for scripts ----------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("words, expected", [
    ("sh-nop", ""),
    ("sh-resources", "a b\nr1\nr2\n"),
    ("sh-resource r1", "r1\n"),
    ("sh-dev r1", "/dev/bsr10\n/dev/bsr11\n/dev/bsr_x\n"),
    ("sh-minor r1", "10\n11\n12\n"),
    ("sh-ll-dev r1", "/dev/sdx\n/dev/sdb2\n/dev/sdb3\n"),
    ("sh-md-dev r1", "/dev/sdm\n/dev/sdm2\n/dev/loop3\n"),
    ("sh-md-idx r1", "0\nflexible\n/etc/m\n"),
    ("sh-dev-vnr r1", "0\n1\n2\n"),
    ("sh-ip r2", "10.1.1.1\n"),
    ("sh-peer-node-id r2", "1\n2\n"),
    ("sh-peer-node-name r2", "bob\ncarl\n"),
    ("sh-peer-nodes r2", "1 bob\n2 g\n"),
    ("-n svc_auto_up sh-node-option r2", "no\n\n"),
    ("-n svc_auto_down sh-node-option r2", "NULL\n"),
    ("-n quorum sh-resource-option r2", "majority\n\n"),
    ("sh-mod-parms", "minor_count=64\n"),
    ("sh-udev minor-11", "DEVICE=bsr11\nSYMLINK=bsr/by-res/r1/1\nSYMLINK_BY_RES=bsr/by-res/r1/1\n"
                         "SYMLINK_BY_DISK=bsr/by-disk/sdb2\n"),
    ("sh-udev minor-20", "DEVICE=bsr20\nSYMLINK=bsr/by-res/r2\nSYMLINK_BY_RES=bsr/by-res/r2\n"
                         "SYMLINK_BY_DISK=bsr/by-disk/sdc1\n"),
])
def test_facts_for_scripts(adm, words, expected):
    adm.write(RICH)
    result = adm.plain(*words.split())
    assert result.returncode == 0, result.stderr
    assert result.stdout == expected


def test_handlers_run_with_their_environment(adm):
    adm.write(EXAMPLE.replace("startup {", "handlers { split-brain \"env | grep ^BSR_ | sort; exit 3\"; } startup {"))
    result = adm("split-brain", "r0")
    assert result.returncode == 3
    for line in ("BSR_RESOURCE=r0", "BSR_NODE_ID_0=alice", "BSR_NODE_ID_1=bob", "BSR_MY_NODE_ID=0", "BSR_MINOR=0",
                 "BSR_VOLUME=0", "BSR_LL_DISK=/dev/sda1", f"BSR_CONF={adm.conf}"):
        assert line in result.stdout.splitlines()
    assert adm("pri-lost", "r0").returncode == 0  # none configured


def test_handlers_get_the_variables_of_drbd_too(adm):
    adm.write(EXAMPLE.replace("startup {", "handlers { split-brain \"env | grep ^DRBD_ | sort\"; } startup {"))
    said = adm("split-brain", "r0", env={"BSR_PEER_NODE_ID": "1"}).stdout.splitlines()
    assert {"DRBD_RESOURCE=r0", "DRBD_NODE_ID_1=bob", "DRBD_LL_DISK=/dev/sda1", "DRBD_PEER_NODE_ID=1"} <= set(said)


def test_a_handler_that_hangs_is_ended_with_all_it_started(adm):
    adm.write(EXAMPLE.replace("startup {", "handlers { before-promote \"sleep 7777 & sleep 8888\"; } startup {"))
    begun = time.monotonic()
    result = adm("before-promote", "r0", env={"BSR_HANDLER_LIMIT_S": "1"})
    assert result.returncode == 20 and "has not ended in time" in result.stderr
    assert time.monotonic() - begun < 20


def test_handlers_find_the_configuration_through_the_registry(adm):
    other = adm.dir / "other"
    other.mkdir()
    adm.write(EXAMPLE.replace("startup {", "handlers { pri-lost \"exit 7\"; } startup {"), "other/x.conf")
    assert adm("-c", other / "x.conf", "up", "r0").returncode == 0
    assert adm("pri-lost", "r0").returncode == 7
    assert adm("pri-lost", "minor-0").returncode == 7


def test_check_names_what_is_missing(adm):
    disk = adm.dir / "disk"
    disk.write_bytes(b"\0" * 4096)
    adm.write(EXAMPLE.replace("/dev/sda1", str(disk)).replace("10.1.1.31", "127.0.0.1").replace("10.1.1.32", "127.0.0.2"))
    result = adm("check", "r0")
    assert result.returncode == 0 and "r0: ready" in result.stdout, result.stdout
    assert "no shared-secret" in result.stdout and "reachable, but the resource is not up there" in result.stdout
    disk.unlink()
    result = adm("check")
    assert result.returncode == 10 and "BAD" in result.stdout and str(disk) in result.stdout


def test_create_writes_a_valid_file_and_the_frame_around_it(adm):
    adm.conf.unlink()
    hosts = "--hosts=alice=10.0.0.1,bob=10.0.0.2"
    result = adm("create", "r0", hosts, "--disk", "/dev/vg/x")
    assert result.returncode == 0, result.stderr
    written = adm.dir / "bsr.d" / "r0.res"
    assert result.stdout.startswith(written.read_text())
    assert written.stat().st_mode & 0o777 == 0o600
    assert "bsradm create-md r0 && bsradm up r0" in result.stdout
    assert adm("create", "r1", hosts + ",carl=[fd01::3]:7000", "--disk=alice=/dev/vg/y,bob=/dev/vg/z",
               "--protocol=A").returncode == 0
    assert adm.plain("sh-resources").stdout == "r0\nr1\n"
    assert adm.plain("sh-minor", "all").stdout == "0\n1\n"
    assert adm.dry("new-path", "r1").splitlines()[1].split()[3:6] == ["2", "ipv4:10.0.0.1:7789",
                                                                      "ipv6:\\[fd01::3\\]:7000"]
    assert re.search(r"--shared-secret=[0-9a-f]{48} ", adm.dry("new-peer", "r0"))


def test_create_makes_a_disk_of_a_size(adm):
    lib = {"BSR_LIB_DIR": str(adm.dir / "lib")}
    words = ("create", "n", "--hosts=alice=10.0.0.1,bob=10.0.0.2", "--size", "8M")
    result = adm(*words, env=lib)
    assert result.returncode == 0, result.stderr
    disk = adm.dir / "lib" / "disks" / "n.img"
    assert disk.stat().st_size == 8 << 20 and f"truncate -s {8 << 20} {disk}" in result.stdout
    (adm.dir / "bsr.d" / "n.res").unlink()
    assert adm(*words, env=lib).returncode == 20  # a disk that exists is never touched
    assert not (adm.dir / "bsr.d" / "n.res").exists()


@pytest.mark.parametrize("words, code, message", [
    ("r0 --hosts=a=10.0.0.1,b=10.0.0.2 --disk=/dev/x", 10, "r0 exists already: "),
    ("n --hosts=alice=10.0.0.1,bob=10.0.0.2 --disk=/dev/sda1", 10, "conflicting use of disk /dev/sda1"),
    ("n --hosts=alice=10.0.0.1,bob=10.0.0.2 --disk=/dev/x --minor=0", 10, "conflicting use of device-minor 0"),
    ("n --hosts=alice=10.0.0.1,bob=10.0.0.2 --disk=/dev/x --minor=x", 1, "are numbers"),
    ("n --hosts=alice=10.0.0.1,bob=10.0.0.2 --disk=/dev/x --protocol=D", 10, "value 'D' is not valid"),
    ("n --hosts=alice=10.0.0.1 --disk=/dev/x", 1, "two hosts at least"),
    ("n --hosts=alice,bob --disk=/dev/x", 1, "NAME=ADDRESS"),
    ("n --hosts=alice=10.0.0.1,bob=10.0.0.2", 1, "one of --disk and --size"),
    ("n --hosts=alice=10.0.0.1,bob=10.0.0.2 --disk=zoe=/dev/x", 1, "names a host"),
    ("n --hosts=alice=host.name,bob=10.0.0.2 --disk=/dev/x", 10, "expected"),
    ("a/b --hosts=alice=10.0.0.1,bob=10.0.0.2 --disk=/dev/x", 10, "may not contain '/'"),
    ("--hosts=alice=10.0.0.1,bob=10.0.0.2 --disk=/dev/x", 1, "one name"),
])
def test_create_refuses_and_writes_nothing(adm, words, code, message):
    result = adm("create", *words.split())
    assert (result.returncode, message in result.stderr) == (code, True), result.stderr
    assert not (adm.dir / "bsr.d").exists()


@pytest.mark.parametrize("net, message", [
    ("on-congestion pull-ahead;", "needs protocol A"),
    ("protocol A; fencing resource-and-stonith;", "needs protocol B or C"),
    ("protocol B; allow-two-primaries;", "needs protocol C"),
    ("sndbuf-size 1M;", "at least 10M"),
    ("cram-hmac-alg sha256;", "without shared-secret"),
])
def test_check_names_what_the_engine_would_refuse(adm, net, message):
    adm.write(EXAMPLE.replace("meta-disk internal;", "meta-disk internal; net { " + net + " }"))
    result = adm("check", "r0")
    assert result.returncode == 10 and message in result.stdout


def test_what_cannot_be_done_is_named(adm):
    for command in ("proxy-up", "proxy-down", "sh-lr-of", "minor-mount-path"):
        result = adm(command, "r0")
        assert result.returncode == 1 and f"{command} r0 cannot be done" in result.stderr


# --- documentation --------------------------------------------------------------------------------------------------

def test_every_option_is_documented_with_its_default(adm):
    root = __file__.rsplit("/tests/", 1)[0]
    with open(f"{root}/config/options.def", encoding="utf-8") as table:
        rows = re.findall(r'BSR_OPTION\((\w+), "([^"]+)", \w+, \w+,(.*?)\)\n', table.read(), re.S)
    with open(f"{root}/docs/configuration.md", encoding="utf-8") as page:
        documented = page.read()
    with open(f"{root}/docs/man/bsr.conf.5.scd", encoding="utf-8") as page:
        manual = page.read()
    assert len(rows) > 130
    for section, name, rest in rows:
        if "INTERNAL" in rest:
            continue
        row = re.search(rf"^\| `{re.escape(name)}` \|.*$", documented, re.M)
        assert row, f"docs/configuration.md does not name {name}"
        if section not in ("PROXY", "DEVICE"):
            escaped = name.replace("_", "\\_")
            assert f"*{escaped}*" in manual, f"bsr.conf(5) does not name {name}"
        default = re.search(r', ("[^"]*"|NULL), (?:NULL|"|\s)', " " + rest.replace("\n", " "))
        if section not in ("HANDLERS", "PROXY") and default and default.group(1) != "NULL":
            value = default.group(1).strip('"')
            assert f"| {value} |" in row.group(0), f"{name}: default {value} is not in {row.group(0)}"


def test_every_command_is_in_the_manual(adm):
    root = __file__.rsplit("/tests/", 1)[0]
    with open(f"{root}/docs/man/bsradm.8.scd", encoding="utf-8") as page:
        manual = page.read()
    for name in re.findall(r"^  ([a-z][a-z0-9-]+) ", run(program("bsradm"), "help").stdout, re.M):
        assert f"*{name}*" in manual or name in ("adjust-with-progress", "help", "hidden-commands"), name


OPTION = re.compile(r"(?<![\w-])--([a-z][\w-]+)")


def language_options():
    """The names of all options of the configuration language."""
    root = __file__.rsplit("/tests/", 1)[0]
    with open(f"{root}/config/options.def", encoding="utf-8") as table:
        return set(re.findall(r'^BSR_OPTION\(\w+, "([\w-]+)"', table.read(), re.M))


@pytest.mark.parametrize("tool", ["bsradm", "bsrsetup", "bsrmeta", "bsrmon", "bsrcon"])
def test_help_and_manual_know_the_same_options(tool):
    """Options of the language stand in bsr.conf(5); every other one that help shows is in the tool's page, and back."""
    root = __file__.rsplit("/tests/", 1)[0]
    with open(f"{root}/docs/man/{tool}.8.scd", encoding="utf-8") as page:
        manual = page.read().replace("\\_", "_")
    general = run(program(tool), "--help").stdout
    if tool == "bsradm":
        general += run(program(tool), "hidden-commands").stdout
    helped = general
    for command in sorted(set(re.findall(r"^ +([a-z][\w-]+)(?: |$)", general, re.M))):
        done = run(program(tool), "help", command)
        helped += done.stdout if done.returncode == 0 else ""
        bare = re.findall(r"^  (?:-\w, )?(--[\w-]+=?)$", done.stdout if done.returncode == 0 else "", re.M)
        assert set(bare) <= {"--help", "--version"}, f"{tool} help {command}: no words for {bare}"
    shown, written = set(OPTION.findall(helped)), set(OPTION.findall(manual))
    assert shown - written - {"help"} - language_options() == set(), "in help, not in the manual"
    assert written - shown - {"name", "allow-faults", "now"} - language_options() == set(), "in the manual, not in help"


def test_commands_are_noted_with_their_end(adm):
    adm.answer("secondary", code=11)
    adm("up", "r0")
    adm("status")
    adm("secondary", "r0")
    adm("net-options", "--shared-secret=very", "r0")
    adm("net-options", "--shared-secret", "secret", "r0")
    lines = (adm.dir / "bsradm.log").read_text().splitlines()
    assert len(lines) == 4
    assert re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d bsr_info \[.*:\d+\] \d+ bsradm -s .* up r0 -> 0", lines[0])
    assert "bsr_erro" in lines[1] and lines[1].endswith("secondary r0 -> 11")
    assert "very" not in lines[2] and "secret r0" not in lines[3] and "(hidden)" in lines[3]


def test_a_full_journal_is_put_aside(adm):
    for name in ("bsradm.log", "bsradm.log_2020-01-01T000000", "bsradm.log_2021-01-01T000000"):
        with open(adm.dir / name, "wb") as f:
            f.truncate(5 << 20)
    adm("up", "r0")
    names = sorted(n for n in os.listdir(adm.dir) if n.startswith("bsradm.log"))
    assert len(names) == 3 and names[0] == "bsradm.log" and names[1] == "bsradm.log_2021-01-01T000000"
    assert (adm.dir / "bsradm.log").read_text().count("\n") == 1


# --- completion -----------------------------------------------------------------------------------------------------

class Shell:
    """An interactive bash on a terminal: readline cuts its words at ':' and '=', which a function called by hand does not see."""

    def __init__(self, env):
        root = __file__.rsplit("/tests/", 1)[0]
        path = ":".join(os.path.dirname(program(name)) for name in ("bsradm", "bsrsetup", "bsrmeta"))
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.execve("/bin/bash", ["bash", "--norc", "--noprofile", "-i"],
                      dict(env, PATH=f"{path}:{os.environ['PATH']}", PS1="", TERM="dumb", INPUTRC="/dev/null"))
        self.send("stty cols 500; bind 'set page-completions off'; bind -x '\"\\C-g\": echo \"<$READLINE_LINE>\"'; "
                  f". {root}/tools/bsradm/bsradm.bash; echo rea''dy\n")
        self.until("ready")

    def send(self, text):
        os.write(self.fd, text.encode())

    def until(self, pattern, timeout=20):
        seen = ""
        end = time.monotonic() + timeout
        while not re.search(pattern, seen):
            assert time.monotonic() < end, seen
            if select.select([self.fd], [], [], 1)[0]:
                seen += os.read(self.fd, 4096).decode()
        return re.search(pattern, seen)

    def line_after(self, line, key):
        self.send(f"\x15{line}{key}\x07")
        return self.until(r"<([^<>\r\n]*)>\r?\n").group(1)

    def close(self):
        os.kill(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)
        os.close(self.fd)


def test_completion_on_a_terminal(adm, tmp_path):
    run_dir = tmp_path / "run"
    os.makedirs(run_dir, exist_ok=True)
    (run_dir / "minor-7").symlink_to("nowhere")
    shell = Shell(dict(adm.env, BSR_RUN_DIR=str(run_dir)))
    try:
        for line, completed in [
                ("bsradm prim", "bsradm primary "), ("bsradm up a", "bsradm up all "),
                ("bsradm connect r0:b", "bsradm connect r0:bob "), ("bsradm connect r0:", "bsradm connect r0:bob "),
                ("bsradm attach r0/", "bsradm attach r0/0 "), ("bsradm wait-sync r0:bob/", "bsradm wait-sync r0:bob/0 "),
                ("bsradm net-options --proto", "bsradm net-options --protocol "),
                ("bsradm net-options --on-congestion=pu", "bsradm net-options --on-congestion=pull-ahead "),
                ("bsradm help wipe", "bsradm help wipe-md "),
                ("bsrsetup new-resou", "bsrsetup new-resource "), ("bsrsetup detach ", "bsrsetup detach 7 "),
                ("bsrsetup attach 7 /dev/x /dev/y inte", "bsrsetup attach 7 /dev/x /dev/y internal "),
                ("bsrsetup status --stat", "bsrsetup status --statistics "),
                ("bsrmeta - v09 /dev/x inter", "bsrmeta - v09 /dev/x internal "),
                ("bsrmeta - v09 /dev/x internal read-d", "bsrmeta - v09 /dev/x internal read-dev-uuid ")]:
            assert shell.line_after(line, "\t") == completed
        for line, words in [("bsradm attach r0", {"r0", "r0/0", "r0:bob"}),
                            ("bsradm net-options --protocol=", {"--protocol=A", "B", "C"}),
                            ("bsradm net-options --ping-", {"--ping-int", "--ping-timeout"})]:
            command = line.rsplit(" ", 1)[0]
            assert set(shell.line_after(line, "\x1b*").removeprefix(command).split()) == words
    finally:
        shell.close()
