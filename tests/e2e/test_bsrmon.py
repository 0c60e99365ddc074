# SPDX-License-Identifier: GPL-2.0-or-later
"""bsrmon: every subcommand's success, refusal and usage error; measurements of a real pair; the terminal comes back."""
import fcntl
import json
import os
import pty
import re
import select
import signal
import struct
import subprocess
import sys
import termios
import time

import pytest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "demo"))
from cluster import Cluster, wait_until  # noqa: E402
from conftest import program, run  # noqa: E402
from test_cluster import configure, connected, create, settle  # noqa: E402

TYPES = ["iostat", "ioclat", "io_pending", "reqstat", "peer_reqstat", "alstat", "resync_ratio", "network", "sendbuf",
         "memstat", "memory"]
COMMANDS = ["start", "stop", "status", "show", "watch", "histogram", "report", "file", "set", "get", "io_delay_test", "debug"]
ENTER, LEAVE = b"\033[?1049h", b"\033[?1049l"


@pytest.fixture(name="env")
def private_directories(tmp_path):
    """Settings, sockets and files of nobody else."""
    yield {"BSR_SETTINGS_DIR": str(tmp_path / "settings"), "BSR_RUN_DIR": str(tmp_path / "run"), "TZ": "UTC"}
    run(program("bsrmon"), "stop", env={"BSR_SETTINGS_DIR": str(tmp_path / "settings"), "BSR_RUN_DIR": str(tmp_path / "run")})


def mon(env, *words):
    return run(program("bsrmon"), *words, env=env)


# ------------------------------------------------------------------ the command line

@pytest.mark.parametrize("words, code, says", [
    # usage errors: exit code 1, one line that names what is wrong
    ([], 1, "usage: bsrmon"),
    (["nonsense"], 1, "unknown command 'nonsense'"),
    (["help", "nonsense"], 1, "unknown command 'nonsense'"),
    (["start", "iostat,cpu"], 1, "unknown type 'cpu'"),
    (["start", "iostat", "more"], 1, "'more' is one word too many"),
    (["start", "--json"], 1, "has no option '--json'"),
    (["stop", "now"], 1, "'now' is one word too many"),
    (["status", "x"], 1, "'x' is one word too many"),
    (["show", "--types=cpu"], 1, "unknown type 'cpu'"),
    (["show", "--types"], 1, "needs a value"),
    (["show", "--json=yes"], 1, "takes no value"),
    (["show", "r0", "x"], 1, "'x' is not a volume number"),
    (["show", "r0", "65536"], 1, "'65536' is not a volume number"),
    (["show", "--count=0"], 1, "'0' is not a number of periods"),
    (["watch", "cpu"], 1, "unknown type 'cpu'"),
    (["watch", "--file=x"], 1, "has no option '--file=x'"),
    (["histogram", "r0", "0", "1"], 1, "'1' is one word too many"),
    (["histogram", "r0", "zero"], 1, "'zero' is not a volume number"),
    (["histogram", "r0"], 10, "resource 'r0': not running"),
    (["histogram"], 0, ""),
    (["report"], 1, "it needs: TYPE"),
    (["report", "cpu"], 1, "unknown type 'cpu'"),
    (["report", "iostat", "../etc"], 1, "no name of a resource"),
    (["report", "iostat", "r0", "-1"], 1, "has no option '-1'"),
    (["report", "iostat", "--date=yesterday"], 1, "'yesterday' is not a day"),
    (["report", "iostat", "--from=25 o'clock"], 1, "is not a time"),
    (["report", "iostat", "/e", "2026-11-20 14:00"], 1, "is not a time"),
    (["file", "cpu"], 1, "unknown type 'cpu'"),
    (["set"], 1, "it needs: period"),
    (["set", "period"], 1, "it needs: period"),
    (["set", "period", "0"], 1, "'0' is not 1..3600"),
    (["set", "period", "3601"], 1, "'3601' is not 1..3600"),
    (["set", "period", "1s"], 1, "'1s' is not 1..3600"),
    (["set", "total_size_limit", "0"], 1, "is not 1..1048576"),
    (["set", "total_size_limit", "1048577"], 1, "is not 1..1048576"),
    (["set", "file_path", "relative"], 1, "must begin with '/'"),
    (["set", "file_path", "/dev/null"], 1, "is no directory"),
    (["set", "color", "red"], 1, "unknown setting 'color'"),
    (["get", "color"], 1, "unknown setting 'color'"),
    (["io_delay_test", "1", "2"], 1, "it needs: FLAG POINT MILLISECONDS"),
    (["io_delay_test", "1", "2", "3"], 1, "bsrcon /fault"),
    (["debug", "r0", "r1"], 1, "'r1' is one word too many"),
    # refusals: exit code 10
    (["status"], 10, "bsrmon : disabled"),
    (["show", "r0"], 10, "resource 'r0': not running"),
    (["debug", "r0"], 10, "resource 'r0': not running"),
    (["report", "iostat"], 10, "nothing is recorded below"),
    (["report", "iostat", "--file=/nonexistent"], 10, "cannot read /nonexistent"),
    # success
    (["--version"], 0, "bsrmon "),
    (["--help"], 0, "usage: bsrmon"),
    (["help"], 0, "usage: bsrmon"),
    (["get"], 0, "total_size_limit : 2002"),
    (["get", "period"], 0, "period : 1"),
    (["/get", "types"], 0, "types : iostat,ioclat"),
    (["get", "--json"], 0, '"file_path":"/'),
    (["set", "period", "1"], 0, ""),
    (["/set", "period", "3600"], 0, ""),
    (["set", "total_size_limit", "1"], 0, ""),
    (["set", "total_size_limit", "1048576"], 0, ""),
    (["stop"], 0, "bsrmon : disabled"),
    (["debug"], 0, "{"),
    (["file", "--list"], 0, ""),
    (["file", "--list", "--json"], 0, "["),
], ids=lambda value: " ".join(value) if isinstance(value, list) else None)
def test_each_command_line(env, tmp_path, words, code, says):
    assert mon(env, "set", "file_path", str(tmp_path / "files")).returncode == 0
    done = mon(env, *words)
    assert done.returncode == code, done.stdout + done.stderr
    assert says in done.stdout + done.stderr
    if code == 1:
        assert done.stdout == ""


@pytest.mark.parametrize("command", COMMANDS)
def test_help_of_each_command(env, command):
    for words in (["help", command], [command, "--help"], ["/" + command, "-h"]):
        done = mon(env, *words)
        assert done.returncode == 0 and done.stdout.startswith(f"usage: bsrmon {command}")
    assert f"  {command} " in mon(env, "help").stdout


def test_settings_stay(env, tmp_path):
    path = tmp_path / "files"
    assert mon(env, "set", "file_path", str(path)).returncode == 0
    assert mon(env, "set", "period", "7").returncode == 0
    assert mon(env, "/set", "total_size_limit", "50").returncode == 0
    got = json.loads(mon(env, "get", "all", "/json").stdout)
    assert got == {"period": 7, "file_path": str(path), "total_size_limit": 50, "types": ",".join(TYPES)}


def test_bad_settings_are_told_and_left_out(env):
    os.makedirs(env["BSR_SETTINGS_DIR"])
    with open(os.path.join(env["BSR_SETTINGS_DIR"], ".bsr_settings"), "w", encoding="utf-8") as settings:
        settings.write("monitor-period=5\nmonitor-total-mib=lots\n")
    done = mon(env, "get")
    assert done.returncode == 0 and "period : 5\n" in done.stdout and "total_size_limit : 2002\n" in done.stdout
    assert "line 2: not a number" in done.stderr


# ------------------------------------------------------------------ the collector, alone

def test_the_collector_starts_once_and_stops(env, tmp_path):
    files = tmp_path / "files"
    mon(env, "set", "file_path", str(files))
    done = mon(env, "/start", "memory,network")
    assert done.returncode == 0 and "bsrmon : running (pid " in done.stdout and "types : network,memory" in done.stdout
    pid = json.loads(mon(env, "status", "--json").stdout)["pid"]
    assert mon(env, "start", "memory").returncode == 0  # goes on, with other types
    state = json.loads(mon(env, "status", "--json").stdout)
    assert state["pid"] == pid and state["types"] == "memory"
    refused = mon(env, "file", "--count=1")
    assert refused.returncode == 10 and f"runs already (pid {pid})" in refused.stderr
    end = time.monotonic() + 20
    while not (files / "memory").exists() and time.monotonic() < end:
        time.sleep(0.1)
    assert re.match(r"\d{4}-\d\d-\d\d_\d\d:\d\d:\d\d\.\d{3} total=\d+ used=\d+ ", (files / "memory").read_text())
    os.kill(pid, signal.SIGKILL)
    end = time.monotonic() + 10
    while mon(env, "status").stdout != "bsrmon : stopped\n" and time.monotonic() < end:
        time.sleep(0.1)
    assert mon(env, "status").stdout == "bsrmon : stopped\n"
    assert mon(env, "start").returncode == 0
    assert mon(env, "/stop").stdout == "bsrmon : disabled\n"
    assert mon(env, "status").returncode == 10


def test_a_collector_that_cannot_write_says_so(env, tmp_path):
    files = tmp_path / "files"
    files.mkdir()
    mon(env, "set", "file_path", str(files))
    (files / "memory").mkdir()  # where a file should be
    mon(env, "start", "memory")
    end = time.monotonic() + 20
    while "trouble" not in mon(env, "status").stdout and time.monotonic() < end:
        time.sleep(0.2)
    assert f"trouble : cannot write below {files}: Is a directory" in mon(env, "status").stdout
    (files / "memory").rmdir()
    end = time.monotonic() + 20
    while "trouble" in mon(env, "status").stdout and time.monotonic() < end:
        time.sleep(0.2)
    assert "trouble" not in mon(env, "status").stdout


def test_recording_in_the_foreground_and_a_report_of_it(env, tmp_path):
    files = tmp_path / "files"
    mon(env, "set", "file_path", str(files))
    assert mon(env, "file", "memory", "--count=2").returncode == 0
    assert len((files / "memory").read_text().splitlines()) == 2
    listed = json.loads(mon(env, "file", "--list", "--json").stdout)
    assert [one["file"] for one in listed] == ["memory"] and listed[0]["bytes"] > 0
    done = mon(env, "report", "memory")
    assert done.returncode == 0 and "host memory {\n\t2 lines, " in done.stdout
    with open(files / "memory", "ab") as memory:
        memory.write(b"\0\xff\n" + b"x" * 100000 + b"\n2026-11-20_14:00:00.000 total=1")
    done = mon(env, "report", "memory", "--json")
    report = json.loads(done.stdout)[0]
    assert report["values"][0]["lines"] == 3 and report["bad_lines"] == 2
    assert "2 bad lines left out, the first: " in done.stderr and "line 3: it does not begin with a time" in done.stderr
    assert report["values"][0]["fields"]["total"]["min"] == 1
    done = mon(env, "report", "memory", "/d", "2026-11-20", "/s", "13:59", "/e", "14:00:00")
    assert "1 lines, 2026-11-20_14:00:00.000" in done.stdout
    done = mon(env, "report", "memory", "--date", "1999-01-01")
    assert done.returncode == 0 and "nothing was recorded in this time" in done.stdout


# ------------------------------------------------------------------ the terminal

class Terminal:
    """A program on a terminal of its own."""

    def __init__(self, argv, env):
        self.fd, child = pty.openpty()
        self.before = termios.tcgetattr(self.fd)  # as nobody has touched it
        self.pid = os.fork()
        if self.pid == 0:
            os.login_tty(child)
            os.execve(argv[0], argv, dict(os.environ, **env))
        os.close(child)
        self.seen = b""

    def size(self, columns, rows):
        fcntl.ioctl(self.fd, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def read_until(self, wanted, timeout=20):
        end = time.monotonic() + timeout
        while wanted not in self.seen:
            assert time.monotonic() < end, f"no {wanted} in {self.seen[-2000:]}"
            if select.select([self.fd], [], [], 0.2)[0]:
                try:
                    self.seen += os.read(self.fd, 65536)
                except OSError:  # the other end has gone
                    assert wanted in self.seen, self.seen[-2000:]
        return self.seen

    def end(self):
        code = os.waitpid(self.pid, 0)[1]
        while select.select([self.fd], [], [], 0.2)[0]:
            try:
                more = os.read(self.fd, 65536)
            except OSError:
                break
            if not more:
                break
            self.seen += more
        os.close(self.fd)
        return code


@pytest.mark.parametrize("how", ["q", "INT", "TERM", "HUP", "QUIT", "ABRT"])
def test_the_terminal_is_given_back(env, how):
    terminal = Terminal([program("bsrmon"), "watch"], env)
    terminal.read_until(b"no resource runs")
    assert ENTER in terminal.seen and LEAVE not in terminal.seen
    assert not termios.tcgetattr(terminal.fd)[3] & termios.ECHO
    if how == "q":
        os.write(terminal.fd, b"q")
    else:
        os.kill(terminal.pid, getattr(signal, "SIG" + how))
    terminal.read_until(LEAVE)
    assert termios.tcgetattr(terminal.fd)[3] == terminal.before[3]
    status = terminal.end()
    if how == "ABRT":
        assert os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGABRT
    else:
        assert os.waitstatus_to_exitcode(status) == 0
    assert terminal.seen.endswith(b"\033[0m\033[?25h" + LEAVE)


def test_it_is_given_back_while_stopped_and_redrawn_for_a_new_size(env):
    terminal = Terminal([program("bsrmon"), "watch"], env)
    terminal.size(70, 5)
    terminal.read_until(b"no resource runs")
    os.kill(terminal.pid, signal.SIGTSTP)
    terminal.read_until(LEAVE)

    def is_stopped():
        with open(f"/proc/{terminal.pid}/stat", encoding="ascii") as stat:
            return stat.read().rsplit(")", 1)[1].split()[0] == "T"
    wait_until(is_stopped, 20, "it does not stop")  # continued before that, it would be stopped for good
    os.kill(terminal.pid, signal.SIGCONT)
    terminal.seen = b""
    terminal.read_until(ENTER)
    terminal.read_until(b"no resource runs")
    terminal.seen = b""
    terminal.size(20, 3)
    terminal.read_until(b"q ends")
    terminal.read_until(b"\033[H")
    terminal.seen = b""
    terminal.read_until(b"\033[J\033[3H")
    for line in re.sub(rb"\033\[[0-9;?]*[A-Za-z]", b"", terminal.seen).split(b"\r\n"):
        assert len(line) <= 40, line
    os.write(terminal.fd, b"q")
    terminal.read_until(LEAVE)
    terminal.end()


def test_a_pipe_gets_plain_text(env):
    done = run(program("bsrmon"), "watch", "--count=2", env=env)
    assert done.returncode == 0 and "\033" not in done.stdout
    assert done.stdout.count("no resource runs\n") == 2
    watch = subprocess.Popen([program("bsrmon"), "watch"], env=dict(os.environ, **env), stdout=subprocess.PIPE)
    watch.stdout.readline()
    watch.stdout.close()  # like `| head -1`
    watch.wait(timeout=20)
    assert watch.returncode in (0, -signal.SIGPIPE)


# ------------------------------------------------------------------ a real pair

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root: namespaces, loop devices, FUSE")


def shown(host):
    return json.loads(host.out("bsrmon show r0 --json"))


def both_ways(figures):
    """@figures, when the last interval has both reads and writes in it."""
    rates = figures["resource"][0]["devices"][0]["iostat"]
    return figures if rates["read"]["iops"] > 0 and rates["write"]["kbs"] > 0 else None


@pytest.fixture(name="pair", scope="module")
def loaded_pair():
    """alice Primary with a load on it, bob Secondary."""
    with Cluster() as cluster:
        configure(cluster)
        create(cluster)
        alice = cluster.hosts[0]
        alice.wait_for(connected)
        alice.run("bsradm primary --force r0")
        settle(cluster)
        load = alice.spawn(["fio", "--name=w", "--filename=/dev/bsr0", "--rw=randrw", "--bs=4k", "--direct=1",
                            "--ioengine=libaio", "--iodepth=4", "--size=32M", "--runtime=600", "--time_based", "--fsync=20"],
                           stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        wait_until(lambda: both_ways(shown(alice)), 30, "the load does not begin")
        yield cluster
        load.terminate()
        load.wait(timeout=30)


@needs_root
def test_figures_of_a_pair(pair):
    alice, bob = pair.hosts
    # a machine that is busy with other things has intervals without
    here = wait_until(lambda: both_ways(shown(alice)), 30, "no reads and writes in the same interval")
    device = here["resource"][0]["devices"][0]
    assert here["resource"][0]["name"] == "r0" and device["vnr"] == 0 and here["memory"]["total"] > 0
    for group in ("local", "master"):
        times = device["ioclat"][group]
        assert times["complete_count"] > 0
        assert times["min"] <= times["p50"] <= times["p99"] <= times["max"] and times["max"] > 0
        assert times["min"] <= times["avg"] <= times["max"]
    stages = device["reqstat"]
    assert stages["bio_endio"]["complete_count"] > 0 and stages["flush"]["complete_count"] > 0
    # a write takes as long as the slower of its two ways; buckets are an eighth wide
    assert stages["destroy"]["avg"] * 1.2 + 5 >= stages["bio_endio"]["avg"]
    peer = stages["peers"][0]
    assert peer["name"] == "bob" and peer["acked"]["complete_count"] > 0
    assert peer["peer_disk"]["complete_count"] == peer["network"]["complete_count"] == peer["acked"]["complete_count"]
    assert peer["network"]["avg"] + peer["peer_disk"]["avg"] <= peer["acked"]["avg"] + 2
    assert stages["destroy"]["avg"] * 1.2 + 5 >= peer["acked"]["avg"]  # protocol C waits for the peer
    assert here["resource"][0]["network"]["peers"][0]["send"] > 0
    assert device["alstat"]["hits"] > 0 and device["alstat"]["al_used"] > 0
    assert here["resource"][0]["memstat"]["engine"] > 0
    there = json.loads(bob.out("bsrmon /show /t peer_reqstat,iostat /r r0 /j"))
    device = there["resource"][0]["devices"][0]
    assert device["peer_reqstat"]["destroy"]["complete_count"] > 0 and device["iostat"]["write"]["iops"] == 0
    assert set(device) == {"vnr", "peer_reqstat", "iostat"}


@needs_root
def test_histograms_of_a_pair(pair):
    alice = pair.hosts[0]
    text = alice.out("bsrmon histogram r0 0")
    for stage in ("read", "write", "disk_read", "disk_write"):
        assert f"r0 vnr 0 {stage} {{\n" in text
    for stage in ("total", "network", "disk"):
        assert f"r0 vnr 0 peer bob {stage} {{\n" in text
    assert "peer_write" not in text  # nothing happened there
    rows = re.search(r"r0 vnr 0 write \{\n(.*?)\}", text, re.S)[1].splitlines()
    assert all(re.match(r"\t +\S+ \.\. \S+ +\d+ +\d+\.\d% #+$", row) for row in rows), rows
    assert 99 <= sum(float(re.search(r"(\d+\.\d)%", row)[1]) for row in rows) <= 101
    spread = {(one.get("peer", ""), one["stage"]): one["buckets"] for one in json.loads(alice.out("bsrmon histogram r0 --json"))}
    for bucket in spread["", "write"]:
        assert bucket["count"] > 0 and bucket["from_us"] < bucket["until_us"] <= bucket["from_us"] * 1.13 + 1.1
    assert spread["", "peer_write"] == [] and spread["bob", "network"]


@needs_root
def test_filters_of_volume_and_peer(pair):
    alice = pair.hosts[0]
    assert "vnr 0 iostat" in alice.out("bsrmon show r0 0 --types=iostat")
    done = alice.run("bsrmon show r0 3 --types=iostat", check=False)
    assert done.returncode == 10 and "there is no volume 3" in done.stderr
    assert "peer bob" in alice.out("bsrmon show r0 --types=network --peers=bob")
    assert "peer" not in alice.out("bsrmon show r0 --types=network --peers=carol")
    text = alice.out("bsrmon watch network r0 /p bob --count=1")
    assert re.search(r"r0 peer bob network \{\n\tsend\t\d+; # KiB/s\n\trecv\t\d+; # KiB/s\n\}", text)


@needs_root
def test_collection_is_on_only_while_somebody_wants_it(pair):
    alice = pair.hosts[0]

    def measures():
        return json.loads(alice.out("bsrmon debug r0"))["r0"]["measures"]
    wait_until(lambda: not measures(), 20, "collection stays on after the last program that wanted it")
    watch = alice.spawn(["bash", "-c", "echo $$; exec bsrmon watch iostat"], stdout=subprocess.PIPE)
    pid = int(watch.stdout.readline())
    watch.stdout.readline()
    assert measures()
    alice.run(f"kill -KILL {pid}")
    watch.wait(timeout=20)
    wait_until(lambda: not measures(), 20, "collection stays on after its program was killed")


@needs_root
def test_the_view_of_a_pair(pair):
    text = pair.hosts[0].out("bsrmon watch --count=1")
    assert re.search(r"^bsrmon alice  \S+  1 resource, all well$", text, re.M)
    assert re.search(r"^  vol 0 bsr0 UpToDate \S+  r [1-9]\d*/s \S+/s  w [1-9]\d*/s \S+/s \S  p99 \S+ \S$", text, re.M)
    assert re.search(r"^      bob +Connected Secondary UpToDate Established  out \S+/s \S  p99 \S+ \(net \S+, disk \S+\)", text, re.M)


@needs_root
def test_a_resource_that_hangs_does_not_hold_up_others(pair):
    alice = pair.hosts[0]
    alice.run("bsrd -n 0 other")
    engine = alice.out("cat /run/bsr/other.engine").split()[0]
    alice.run(f"kill -STOP {engine}; bsrmon start memstat")
    try:
        end = time.monotonic() + 40
        path = os.path.join(alice.base, "log/bsr/perfmon/r0/memstat")
        while not os.path.exists(path) or len(open(path, encoding="utf-8").readlines()) < 8:
            assert time.monotonic() < end, "r0 is not recorded while another resource hangs"
            time.sleep(0.2)
        text = alice.out("bsrmon watch --count=1 --resources=other,r0", timeout=60)
        assert re.search(r"^other no connection: Connection timed out$", text, re.M) and "r0 Primary" in text
        assert "2 resources, 1 not well" in text
    finally:
        alice.run(f"kill -CONT {engine}; bsrmon stop; bsrsetup down other")


@needs_root
def test_a_collector_lives_through_a_new_engine_process(pair):
    alice = pair.hosts[0]
    alice.run("bsrmon start iostat,network")
    path = os.path.join(alice.base, "log/bsr/perfmon/r0/vnr0_iostat")

    def lines():
        try:
            with open(path, encoding="utf-8") as recorded:
                return len(recorded.readlines())
        except FileNotFoundError:
            return 0
    for _ in range(2):
        before, end = lines(), time.monotonic() + 30
        while lines() < before + 2:
            assert time.monotonic() < end, "nothing is recorded"
            time.sleep(0.2)
        alice.run("kill -HUP $(cat /run/bsr/r0.pid)")  # replaced, like at an upgrade
    report = json.loads(alice.out("bsrmon report iostat r0 0 --json"))[0]
    assert report["bad_lines"] == 0 and report["values"][0]["fields"]["write.iops"]["max"] > 0
    # counters of another process are not compared: no rate beyond what a pair on this machine can do
    assert report["values"][0]["fields"]["write.iops"]["max"] < 1000000
    alice.run("bsrmon stop")
