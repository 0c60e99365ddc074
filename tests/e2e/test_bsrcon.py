# SPDX-License-Identifier: GPL-2.0-or-later
"""bsrcon: every command's success, refusal and usage error; what running resources do with it; faults on purpose."""
import glob
import json
import os
import re
import shlex
import subprocess
import sys
import time

import pytest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "demo"))
from cluster import Cluster, wait_until  # noqa: E402
from bsrmeta_support import make_image, meta  # noqa: E402
from conftest import program, run  # noqa: E402
from test_cluster import configure, connected, create, in_sync, settle  # noqa: E402


@pytest.fixture(name="env")
def private_directories(tmp_path):
    """Settings, sockets and logs of nobody else."""
    return {"BSR_SETTINGS_DIR": str(tmp_path / "settings"), "BSR_RUN_DIR": str(tmp_path / "run")}


def con(env, *words):
    return run(program("bsrcon"), *words, env=env)


# ------------------------------------------------------------------ the command line

NO_DRIVER = "concerns the kernel driver of other bsr versions; there is none here"


@pytest.mark.parametrize("words, code, says", [
    # usage errors
    ([], 1, "usage: bsrcon"),
    (["/set_log_path"], 1, "usage: bsrcon /set_log_path DIRECTORY"),
    (["/set_log_path", "relative"], 1, "must begin with '/'"),
    (["/set_log_path", "/dev/null"], 1, "is no directory"),
    (["/minlog_lv", "sys"], 1, "usage: bsrcon /minlog_lv"),
    (["/minlog_lv", "kern", "3"], 1, "'kern' is neither sys nor dbg"),
    (["/minlog_lv", "sys", "8"], 1, "'8' is not 0..7"),
    (["/minlog_lv", "dbg", "-1"], 1, "'-1' is not 0..7"),
    (["/minlog_lv", "dbg", "loud"], 1, "'loud' is not 0..7"),
    (["/maxlogfile_cnt", "0"], 1, "'0' is not 1..1000"),
    (["/maxlogfile_cnt", "1001"], 1, "'1001' is not 1..1000"),
    (["/maxlogfile_cnt", "1x"], 1, "'1x' is not 1..1000"),
    (["/maxlogfile_size", "63"], 1, "'63' is not 64..1048576"),
    (["/maxlogfile_size", "1048577"], 1, "is not 64..1048576"),
    (["/climaxlogfile_cnt", "con", "2"], 1, "'con' is neither adm, setup nor meta"),
    (["/climaxlogfile_cnt", "adm", "256"], 1, "'256' is not 1..255"),
    (["/dbglog_ctgr", "enable"], 1, "usage: bsrcon /dbglog_ctgr"),
    (["/dbglog_ctgr", "toggle", "all"], 1, "'toggle' is neither enable nor disable"),
    (["/dbglog_ctgr", "enable", "VOLUME"], 1, "unknown category 'VOLUME'; there are role resync disk link device process and all"),
    (["/statuscmd_logging", "yes"], 1, "'yes' is neither 1 nor 0"),
    (["/handler_use", "2"], 1, "'2' is neither 1 nor 0"),
    (["/set_control_group", "nobody-knows-it"], 1, "there is no group 'nobody-knows-it'"),
    (["/set_control_group", "4294967295"], 1, "'4294967295' is not 0..4294967294"),
    (["/set_control_group", "root"], 1, "root's group needs no permission"),
    (["/get_control_group"], 0, "control group : none"),
    (["/set_fast_sync", ""], 1, "'' is neither 1 nor 0"),
    (["/write_kernel_log", "9", "text"], 1, "'9' is not a level"),
    (["/write_kernel_log", "3"], 1, "usage: bsrcon /write_kernel_log"),
    (["/get_log"], 1, "usage: bsrcon /get_log"),
    (["/get_log", "/nonexistent/file"], 1, "cannot write '/nonexistent/file'"),
    (["/fault"], 1, "usage: bsrcon /fault"),
    (["/fault", "r0", "disk", "delay"], 1, "'delay' is not KEY=VALUE"),
    # what does not apply
    (["/bsr_panic", "1", "2"], 1, NO_DRIVER),
    (["/forced_panic"], 1, NO_DRIVER),
    (["/hold_state", "a", "b"], 1, NO_DRIVER),
    (["/fake_al_used", "1"], 1, NO_DRIVER),
    (["/handler_timeout", "1000"], 1, NO_DRIVER),
    (["/disk_error", "1", "2", "3"], 1, "/fault RESOURCE disk error=yes"),
    (["/md5", "/etc/passwd"], 1, NO_DRIVER),
    (["/search_oos_log", "/tmp", "5"], 1, "not traced in the log"),
    # refusals
    (["/debug", "r0"], 10, "resource 'r0': not running"),
    (["/memory", "r0"], 10, "resource 'r0': not running"),
    (["/fault", "r0"], 10, "resource 'r0': not running"),
    (["/write_kernel_log", "3", "text"], 10, "no resource runs"),
    # success
    (["--version"], 0, "bsrcon "),
    (["--help"], 0, "usage: bsrcon"),
    (["help", "minlog_lv"], 0, "usage: bsrcon /minlog_lv sys|dbg LEVEL"),
    (["/maxlogfile_cnt", "--help"], 0, "usage: bsrcon /maxlogfile_cnt NUMBER"),
    (["/all_usage"], 0, "/forced_panic"),
    (["/get_log_path"], 0, "/"),
    (["get_log_info"], 0, "minlog_lv_sys : err\nminlog_lv_dbg : info\n"),
    (["/get_handler_info"], 0, "handler : enabled"),
    (["/get_fast_sync"], 0, "fast_sync : enabled"),
    (["/set_fast_sync", "0"], 0, "always copies everything"),
    (["/climaxlogfile_cnt", "setup", "3"], 0, "keeps no log of its own"),
    (["/minlog_lv", "sys", "debug"], 0, ""),
    (["/maxlogfile_cnt", "1000"], 0, ""),
    (["/maxlogfile_size", "64"], 0, ""),
    (["/debug"], 0, "{"),
    (["/memory"], 0, ""),
    (["/nonsense"], 0, "unknown argument '/nonsense', left out"),
], ids=lambda value: " ".join(value) if isinstance(value, list) else None)
def test_each_command_line(env, words, code, says):
    done = con(env, *words)
    assert done.returncode == code, done.stdout + done.stderr
    assert says in done.stdout + done.stderr


def test_settings_stay_and_are_shown(env, tmp_path):
    logs = tmp_path / "logs"
    assert con(env, "/set_log_path", str(logs), "/minlog_lv", "sys", "4", "/minlog_lv", "dbg", "debug", "/maxlogfile_cnt", "7",
               "/maxlogfile_size", "4096", "/climaxlogfile_cnt", "adm", "9", "/dbglog_ctgr", "disable", "link", "DEVICE",
               "/statuscmd_logging", "1", "/handler_use", "0", "/set_fast_sync", "0").returncode == 0
    info = json.loads(con(env, "/get_log_info", "--json").stdout)
    assert info == {
        "log_path": str(logs), "minlog_lv_sys": "warning", "minlog_lv_dbg": "debug", "maxlogfile_size_kib": 4096,
        "maxlogfile_cnt": 7, "climaxlogfile_cnt_adm": 9, "climaxlogfile_cnt_setup": 2, "climaxlogfile_cnt_meta": 2,
        "categories_enabled": ["role", "resync", "disk", "process"], "categories_disabled": ["link", "device"],
        "statuscmd_logging": 1}
    assert logs.is_dir()
    assert json.loads(con(env, "/get_handler_info", "/json").stdout) == {"handler_use": 0}
    assert json.loads(con(env, "--json", "/get_fast_sync").stdout) == {"fast_sync": 0}
    con(env, "/dbglog_ctgr", "enable", "all")
    assert json.loads(con(env, "/get_log_info", "--json").stdout)["categories_disabled"] == []


def test_commands_run_from_left_to_right(env):
    done = con(env, "/maxlogfile_cnt", "5", "/nonsense", "/get_handler_info", "/handler_use", "0", "/get_handler_info")
    assert done.returncode == 0
    assert done.stdout == ("bsrcon: unknown argument '/nonsense', left out; see `bsrcon --help`\n"
                           "handler : enabled\nhandler : disabled\n")
    done = con(env, "/handler_use", "maybe", "/handler_use", "1")  # nothing behind a mistake
    assert done.returncode == 1
    assert con(env, "/get_handler_info").stdout == "handler : disabled\n"


def test_bsradm_keeps_its_log_as_it_is_told(env, tmp_path):
    logs = tmp_path / "logs"
    logs.mkdir()
    empty = tmp_path / "bsr.conf"
    empty.write_text("")
    con(env, "/set_log_path", str(logs))
    adm = {key: value for key, value in env.items()}
    run(program("bsradm"), "-c", empty, "dump", env=adm)
    assert not (logs / "bsradm.log").exists()
    con(env, "/statuscmd_logging", "1", "/climaxlogfile_cnt", "adm", "3")
    run(program("bsradm"), "-c", empty, "dump", env=adm)
    assert "dump" in (logs / "bsradm.log").read_text()
    for second in range(6):
        (logs / f"bsradm.log_2026-01-01T00000{second}").write_text("older")
    (logs / "bsradm.log").write_bytes(b"x" * (5 << 20))
    run(program("bsradm"), "-c", empty, "dump", env=adm)
    assert len(glob.glob(str(logs / "bsradm.log_*"))) == 3


def test_bsrmeta_keeps_its_log_as_it_is_told(env, tmp_path):
    logs = tmp_path / "logs"
    logs.mkdir()
    image = make_image(tmp_path / "image", 64 << 20)
    con(env, "/set_log_path", str(logs), "/climaxlogfile_cnt", "meta", "3")
    assert meta(image, "create-md", "1", env=env).returncode == 0
    assert meta(image, "dump-md", env=env).returncode == 0
    noted = (logs / "bsrmeta.log").read_text()
    assert " create-md 1 -> 0" in noted and "dump-md" not in noted
    con(env, "/statuscmd_logging", "1")
    assert meta(image, "dump-md", env=env).returncode == 0
    assert " dump-md -> 0" in (logs / "bsrmeta.log").read_text()
    for second in range(6):
        (logs / f"bsrmeta.log_2026-01-01T00000{second}").write_text("older")
    (logs / "bsrmeta.log_notes").write_text("somebody's own")
    (logs / "bsrmeta.log").write_bytes(b"x" * (5 << 20))
    assert meta(image, "wipe-md", env=env).returncode == 0
    left = sorted(os.path.basename(path) for path in glob.glob(str(logs / "bsrmeta.log_*")))
    assert left[:2] == ["bsrmeta.log_2026-01-01T000004", "bsrmeta.log_2026-01-01T000005"]
    assert len(left) == 4 and left[3] == "bsrmeta.log_notes"
    assert " wipe-md -> 0" in (logs / "bsrmeta.log").read_text()


# ------------------------------------------------------------------ running resources

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root: namespaces, loop devices, FUSE")


def log_of(host, resource="r0"):
    with open(os.path.join(host.base, f"log/bsr/{resource}.log"), encoding="utf-8", errors="replace") as log:
        return log.read()


@pytest.fixture(name="pair", scope="module")
def running_pair():
    """alice Primary, bob Secondary, in sync; their processes accept faults."""
    with Cluster() as cluster:
        configure(cluster)
        for host in cluster.hosts:
            host.run("bsradm create-md --force r0")
            host.run("bsradm up r0", env={"BSR_ALLOW_FAULTS": "1"})
        cluster.hosts[0].wait_for(connected)
        cluster.hosts[0].run("bsradm primary --force r0")
        settle(cluster)
        yield cluster


@needs_root
def test_a_running_resource_takes_levels_and_categories(pair):
    alice = pair.hosts[0]
    alice.run("bsrcon /write_kernel_log 6 'first line' /minlog_lv dbg 5 /write_kernel_log 6 'not this one' "
              "/write_kernel_log 5 'but \"this\" one' /dbglog_ctgr disable process /write_kernel_log 5 'nor this' "
              "/write_kernel_log 3 'an error always' /dbglog_ctgr enable all /minlog_lv dbg 6")
    wait_until(lambda: "an error always" in log_of(alice), 10, lambda: log_of(alice))
    log = log_of(alice)
    assert re.search(r"6034 info note-info resource=r0 text=\"first line\"", log)
    assert "6033 notice note-notice resource=r0 text=\"but 'this' one\"" in log
    assert "6031 error note-error" in log
    assert "not this one" not in log and "nor this" not in log
    assert "6035 notice log-settings resource=r0 file_level=5 " in log
    # what was set is there after the engine process was replaced
    alice.run("bsrcon /minlog_lv dbg 5 && kill -HUP $(cat /run/bsr/r0.pid)")
    wait_until(lambda: log_of(alice).count("6002 notice engine-started") >= 2, 20, lambda: log_of(alice))
    alice.wait_for(connected)
    alice.run("bsrcon /write_kernel_log 6 'still not'")
    assert "still not" not in log_of(alice)
    alice.run("bsrcon /minlog_lv dbg 6")
    copied = alice.out("bsrcon /get_log /tmp/copy.$$ r0 && cat /tmp/copy.$$; rm /tmp/copy.$$")
    assert "first line" in copied


@needs_root
def test_important_lines_reach_syslog(pair):
    bob = pair.hosts[1]
    listener = ("import socket,sys;s=socket.socket(socket.AF_UNIX,socket.SOCK_DGRAM);s.bind('/dev/log');print('ready',flush=True)\n"
                "while True: print(s.recv(65536).decode(),flush=True)")
    # a /dev of its own: the real one's socket is only linked there
    bob.run("rm -f /dev/log")
    import subprocess
    syslog = bob.spawn(["/usr/bin/python3", "-c", listener], stdout=subprocess.PIPE, text=True)
    try:
        assert syslog.stdout.readline() == "ready\n"
        bob.run("chmod 666 /dev/log; bsrcon /write_kernel_log 5 unimportant /write_kernel_log 3 important")
        line = syslog.stdout.readline()
        assert re.match(r"<27>bsrd\[\d+\]: 6031 error note-error resource=r0 text=\"important\"", line), line
        bob.run("bsrcon /minlog_lv sys 5 /write_kernel_log 5 now /minlog_lv sys 3")
        lines = [syslog.stdout.readline() for _ in range(2)]
        assert any("text=\"now\"" in line and line.startswith("<29>") for line in lines), lines
    finally:
        syslog.kill()
        syslog.wait()


@needs_root
def test_log_files_are_rolled_over(pair):
    alice = pair.hosts[0]
    directory = os.path.join(alice.base, "log/bsr")
    alice.run("bsrcon /maxlogfile_size 64 /maxlogfile_cnt 2")
    marker = "x" * 900
    end = time.monotonic() + 90
    rolled = set()
    while len(rolled) < 4:
        assert time.monotonic() < end, os.listdir(directory)
        # each event has its own budget of lines: four kinds of them
        alice.run(f"bsrcon {' '.join(f'/write_kernel_log {level} {marker}' for level in (3, 4, 5, 6))}")
        rolled |= set(glob.glob(directory + "/r0.log_*"))
        if len(rolled) < 4:
            with open(directory + "/r0.log", "ab") as log:  # somebody's long lines: the next line finds it full
                log.write(b"y" * 60000 + b"\n")
            time.sleep(0.3)
    kept = glob.glob(directory + "/r0.log_*")
    assert len(kept) == 2 and set(kept) <= rolled
    assert os.path.getsize(directory + "/r0.log") < 200000
    # both processes write into the new file
    alice.run("bsrcon /maxlogfile_size 10240 /maxlogfile_cnt 16 /write_kernel_log 6 'engine process here'")
    wait_until(lambda: "engine process here" in log_of(alice), 10, lambda: log_of(alice))
    alice.run("kill -HUP $(cat /run/bsr/r0.pid)")
    wait_until(lambda: "engine-started" in log_of(alice), 20, lambda: log_of(alice))
    alice.wait_for(connected)


@needs_root
def test_handlers_are_switched_off_and_on(pair):
    """A disk that fails calls local-io-error: once with the switch on, not with the switch off."""
    alice, bob = pair.hosts

    def fail_the_disk():
        before = log_of(bob).count("6019 notice handler-called resource=r0 handler=local-io-error")
        bob.run("bsradm disk-options --on-io-error=call-local-io-error r0 && bsrcon /fault r0 disk op=write error=yes count=1")
        seconds_of_a_write(alice)
        wait_until(lambda: bob.disk_state() == "Diskless", 20, lambda: log_of(bob)[-3000:])
        bob.run("bsrcon /fault r0 clear; bsradm attach r0")
        alice.wait_for(in_sync, 60)
        return log_of(bob).count("6019 notice handler-called resource=r0 handler=local-io-error") - before
    bob.run("bsrcon /handler_use 0")
    assert bob.out("bsrcon /get_handler_info") == "handler : disabled\n"
    assert fail_the_disk() == 0
    bob.run("bsrcon /handler_use 1")
    assert fail_the_disk() == 1


# One line to the control socket as somebody else, and the answer; the second line of what comes, behind the greeting.
ASK = ("import json, socket, sys\n"
       "s = socket.socket(socket.AF_UNIX)\n"
       "s.connect('/run/bsr/r0.sock')\n"
       "s.settimeout(20)\n"
       "f = s.makefile('rw')\n"
       "first = json.loads(f.readline())\n"
       "if 'hello' in first:\n"
       "    f.write(sys.argv[1] + '\\n'); f.flush()\n"
       "    first = json.loads(f.readline())\n"
       "print(json.dumps(first))\n")
REST = "for line in f:\n    print(line, end='')\n"
SOMEBODY = "setpriv --reuid=54321 --regid=54321 {groups} --inh-caps=-all --bounding-set=-all -- "


def as_somebody(host, line, group=None, check=True):
    return host.run(SOMEBODY.format(groups=f"--groups={group}" if group else "--clear-groups") + line, check=check)


@needs_root
def test_members_of_the_control_group_look_and_do_nothing_else(pair):
    """A user without rights sees status, events and show once its group may, without secrets; and changes nothing."""
    alice, bob = pair.hosts

    def ask(command, group, **fields):
        line = json.dumps(dict(fields, id=1, command=command))
        return json.loads(as_somebody(alice, f"/usr/bin/python3 -c {shlex.quote(ASK)} {shlex.quote(line)}", group).stdout)
    assert as_somebody(alice, "bsrsetup status r0", 4711, check=False).returncode != 0
    alice.run("bsrcon /set_control_group 4711")
    assert alice.out("bsrcon /get_control_group") == "control group : ? (4711)\n"
    for look in ("bsrsetup status r0", "bsrsetup status", "bsrsetup status r0 --json", "bsrsetup events2 --now r0", "bsrsetup role r0",
                 "bsrsetup dstate 0"):
        assert as_somebody(alice, look, 4711).stdout == alice.out(look), look
        assert as_somebody(alice, look, 4712, check=False).returncode != 0, look
    for own in ("--regid=4711 --clear-groups", "--regid=54321 --groups=1,2,4711,9"):
        alice.run(f"setpriv --reuid=54321 {own} -- bsrsetup status r0")
    assert "shared-secret" in json.dumps(json.loads(alice.out("bsrsetup show r0 --json --show-defaults")))
    shown = ask("show", 4711)
    assert shown["ok"] and shown["result"]["config"]["connections"][0]["options"]
    assert "shared-secret" not in json.dumps(shown) and "the secret" not in json.dumps(shown)
    for command, fields in (("status", {}), ("why", {}), ("counters", {}), ("debug", {}), ("ping", {}), ("subscribe", {})):
        assert ask(command, 4711, **fields)["ok"], command
    for command, fields in (("primary", {"force": True}), ("down", {}), ("measure", {"on": True}), ("settings", {}), ("log", {}),
                            ("detach", {"minor": 0, "force": True}), ("fault", {}), ("forget-peer", {"peer": 1}), ("del-resource", {}),
                            ("invalidate", {"minor": 0}), ("attach", {"minor": 0}), ("net-options", {"peer": 1, "options": {}})):
        refused = ask(command, 4711, **fields)
        assert not refused["ok"] and refused["error"]["name"] == "PERMISSION", command
    assert as_somebody(alice, "bsrsetup down r0", 4711, check=False).returncode != 0
    alice.wait_for(in_sync, 20)
    # it survives the engine process, and a new start; another group, or none, ends what is open
    alice.run("kill -9 $(pgrep -u nobody -f 'bsrd.*r0' | head -1)")
    alice.wait_for(in_sync, 30)
    as_somebody(alice, "bsrsetup status r0", 4711)
    bob.run("bsrcon /set_control_group 4711 && bsradm down r0 && BSR_ALLOW_FAULTS=1 bsradm up r0")
    as_somebody(bob, "bsrsetup status r0", 4711)
    bob.run("bsrcon /set_control_group none")
    alice.wait_for(in_sync, 60)
    line = json.dumps({"id": 1, "command": "subscribe"})
    watch = alice.spawn(["bash", "-c", SOMEBODY.format(groups="--groups=4711") + shlex.join(["/usr/bin/python3", "-uc", ASK + REST, line])],
                        stdout=subprocess.PIPE)
    assert b"snapshot" in watch.stdout.readline()
    alice.run("bsrcon /set_control_group none")
    rest = watch.communicate(timeout=30)[0].splitlines()
    assert b'"PERMISSION"' in rest[-1], rest
    assert as_somebody(alice, "bsrsetup status r0", 4711, check=False).returncode != 0
    assert alice.out("stat -c '%a %u %g' /run/bsr/r0.sock") == "600 0 0\n"


@needs_root
def test_a_resource_logs_where_it_is_told(pair):
    bob = pair.hosts[1]
    bob.run("bsrcon /set_log_path /var/log/elsewhere && bsrd -n 0 other && bsrsetup down other")
    with open(os.path.join(bob.base, "log/elsewhere/other.log"), encoding="utf-8") as log:
        assert "6001 notice keeper-started resource=other" in log.read()
    assert bob.out("bsrcon /get_log_path") == "/var/log/elsewhere\n"
    bob.run("printf 'log-level-dbg=9\\nnonsense\\n' >> /etc/bsr.d/.bsr_settings; bsrd -n 0 other && bsrsetup down other")
    with open(os.path.join(bob.base, "log/elsewhere/other.log"), encoding="utf-8") as log:
        assert re.search(r"6037 warn settings-bad resource=other why=\"/etc/bsr.d/.bsr_settings: line \d+: out of range", log.read())
    bob.run("rm /etc/bsr.d/.bsr_settings")


@needs_root
def test_dump_and_memory(pair):
    alice = pair.hosts[0]
    dump = json.loads(alice.out("bsrcon /debug r0"))["r0"]
    assert dump["resource"]["credits"] > 0 and dump["peers"][0]["handshake"] == "complete"
    assert dump["volumes"][0]["mirrored_to"] == [1] and dump["volumes"][0]["superblock_durable"] > 0
    memory = json.loads(alice.out("bsrcon /memory --json"))["r0"]
    assert memory["buffer_bytes"] > 0 and memory["engine_bytes"] > 0
    assert re.search(r"volume 0 +bitmap \d+ KiB, activity log \d+ of \d+ extents", alice.out("bsrcon /memory r0"))


@needs_root
@pytest.mark.parametrize("words, says", [
    ("disk", "neither 'delay' nor 'error' is given"),
    ("tape delay=5", "'tape' is no value"),
    ("disk delay=60001", "'60001' is no value"),
    ("disk volume=7 delay=5", "'7' is no value"),
    ("disk op=seek delay=5", "'seek' is no value"),
    ("disk peer=bob delay=5", "only the network has 'peer'"),
    ("network peer=carol delay=5", "'carol' is no value"),
    ("network error=yes", "neither 'error', 'op' nor 'volume'"),
    ("disk color=red", "option 'color' of a fault is unknown"),
])
def test_faults_that_are_none(pair, words, says):
    done = pair.hosts[0].run(f"bsrcon /fault r0 {words}", check=False)
    assert done.returncode == 10 and says in done.stderr, done.stderr
    assert json.loads(pair.hosts[0].out("bsrcon /fault r0 --json")) == {"allowed": True, "faults": []}


@needs_root
def test_faults_are_refused_unless_allowed(pair):
    alice = pair.hosts[0]
    alice.run("bsrd -n 0 other")
    done = alice.run("bsrcon /fault other disk delay=5", check=False)
    assert done.returncode == 10 and "start bsrd with --allow-faults" in done.stderr
    assert "refused" in alice.out("bsrcon /fault other")
    alice.run("bsrsetup down other && bsrd --allow-faults -n 0 other && bsrcon /fault other meta delay=5 && bsrsetup down other")
    assert "6040 warn faults-allowed" in log_of(alice, "other")


def seconds_of_a_write(host):
    begin = time.monotonic()
    host.run("dd if=/dev/zero of=/dev/bsr0 bs=4k count=1 oflag=direct,dsync conv=notrunc status=none")
    return time.monotonic() - begin


@needs_root
@pytest.mark.parametrize("where", ["here", "there", "network"])
def test_delays_show_where_they_are(pair, where):
    alice, bob = pair.hosts
    host, fault = {"here": (alice, "disk op=write delay=1500"), "there": (bob, "disk volume=0 op=write delay=1500"),
                   "network": (alice, "network peer=bob delay=600")}[where]
    delay = 0.6 if where == "network" else 1.5  # more than ping-timeout would cost the connection
    alice.run("bsrmon set period 5")
    host.run(f"bsrcon /fault r0 {fault}")
    show = alice.spawn(["bash", "-c", "bsrmon show r0 0 --json --types=reqstat > /tmp/seen"])
    wait_until(lambda: json.loads(alice.out("bsrmon debug r0"))["r0"]["measures"], 20, "nobody measures")
    assert seconds_of_a_write(alice) > delay
    assert show.wait(timeout=60) == 0
    times = json.loads(alice.out("cat /tmp/seen"))["resource"][0]["devices"][0]["reqstat"]
    peer = times["peers"][0]
    slow = {"here": times["bio_endio"], "there": peer["peer_disk"], "network": peer["network"]}[where]
    assert slow["max"] >= delay * 1e6 and times["destroy"]["max"] >= delay * 1e6, times
    others = {"here": peer["acked"], "there": times["bio_endio"], "network": peer["peer_disk"]}[where]
    assert others["max"] < delay * 1e6, times
    assert json.loads(host.out("bsrcon /fault r0 --json"))["faults"][0]["done"] > 0
    host.run("bsrcon /fault r0 clear")
    alice.run("bsrmon set period 1")
    wait_until(lambda: seconds_of_a_write(alice) < delay, 30, "the delay goes on after it was cleared")


@needs_root
def test_an_injected_error_has_the_consequences_of_a_real_one(pair):
    alice, bob = pair.hosts
    bob.run("bsrcon /fault r0 disk op=write error=yes count=1")
    seconds_of_a_write(alice)
    wait_until(lambda: "6043 warn fault-injected resource=r0 kind=disk volume=0" in log_of(bob), 20, lambda: log_of(bob))
    assert "6041 warn fault-set resource=r0 kind=disk delay_ms=0 error=yes count=1" in log_of(bob)
    assert "3005 error io-error" in log_of(bob)
    bob.run("bsrcon /fault r0 clear")
    alice.wait_for(in_sync, 60)  # it is copied again by itself


@needs_root
def test_messages_keep_their_order_while_delays_come_and_go(pair):
    alice, bob = pair.hosts
    load = alice.spawn(["fio", "--name=v", "--filename=/dev/bsr0", "--rw=randwrite", "--bs=4k", "--direct=1", "--ioengine=libaio",
                        "--iodepth=8", "--size=16M", "--verify=crc32c", "--runtime=8", "--time_based", "--verify_fatal=1"])
    for _ in range(6):
        alice.run("bsrcon /fault r0 network delay=30 count=20")
        bob.run("bsrcon /fault r0 network delay=20 count=5")
        bob.run("bsrcon /fault r0 disk delay=15 op=write count=10")
        time.sleep(0.5)
        alice.run("bsrcon /fault r0 clear")
        bob.run("bsrcon /fault r0 clear")
    assert load.wait(timeout=120) == 0
    alice.wait_for(in_sync, 60)
    assert "bad-message" not in log_of(alice) and "bad-message" not in log_of(bob)
